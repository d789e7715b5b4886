import gzip
import io
import tarfile
import tracemalloc

import pytest

from otoscope.corpora.archives import Scan, close_archives, read_member
from otoscope.corpora.tar_headers import MOST_HEADER_BYTES, MOST_HEADERS
from otoscope.errors import DataError

FEW_BYTES = 12 << 20  # a scan reads a megabyte at a time and keeps a few of them


@pytest.fixture(autouse=True)
def _fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("OTOSCOPE_CACHE", str(tmp_path / "cache"))
    close_archives()
    yield
    close_archives()


def header(kind, size=0, name="x"):
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def padded(data):
    return data + bytes(-len(data) % 512)


def member(name, data=b"1234"):
    return header(tarfile.REGTYPE, len(data), name) + padded(data)


def pax_record(key, value):
    size = len(key) + len(value) + 3
    total = size + len(str(size + len(str(size))))
    return f"{total} {key}={value}\n".encode()


def scanned(path, *parts):
    """Write an archive, and give its table and the most bytes that were held while it was read."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        for part in (*parts, bytes(1024)):
            file.write(part)
    tracemalloc.start()
    try:
        table = Scan(path).finish()
        return table, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.tar.gz"


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
    ],
)
def test_a_header_that_says_it_is_long_is_damage_and_takes_no_memory(path, kind):
    size = 64 << 20
    table, most_bytes = scanned(path, member("a.wav"), header(kind, size), *[bytes(1 << 20)] * 64, member("b.wav"))
    assert table.damaged == (
        f"the archive is damaged: a header says it has {size} bytes; at most {MOST_HEADER_BYTES} are read"
    )
    assert most_bytes < FEW_BYTES
    with pytest.raises(DataError, match="the archive is damaged: a header says"):
        read_member(path, "a.wav", clip_id="x")


def test_a_header_of_a_negative_length_is_damage(path):
    assert "has -512 bytes" in scanned(path, header(tarfile.GNUTYPE_LONGNAME, -512), member("b.wav"))[0].damaged


def test_global_headers_are_bounded_together(path):
    record = pax_record("comment", "c" * 99_000)
    one = header(tarfile.XGLTYPE, len(record)) + padded(record)
    assert list(scanned(path, one, member("a.wav"), one, member("b.wav"))[0].members) == ["a.wav", "b.wav"]
    assert scanned(path, *[one, member("a.wav")] * 11)[0].damaged


def test_headers_that_follow_each_other_without_end_are_damage(path):
    one = header(tarfile.GNUTYPE_LONGNAME, 6) + padded(b"b.wav\0")
    assert list(scanned(path, *[one] * MOST_HEADERS, member("x"), one, member("y"))[0].members) == ["b.wav"]
    for n in (MOST_HEADERS + 1, 3000):
        table, _ = scanned(path, *[one] * n, member("x"))
        assert table.damaged == f"the archive is damaged: more than {MOST_HEADERS} headers speak of one member"


def test_the_map_of_a_sparse_file_takes_no_memory_and_the_rest_is_read(path):
    sparse = bytearray(header(tarfile.GNUTYPE_SPARSE, 4, "hole.wav"))
    sparse[482] = 1  # the map goes on
    sparse[148:156] = b" " * 8
    sparse[148:156] = b"%06o\0 " % sum(sparse)
    more = bytearray(b"00000000001\0" * 42 + bytes(8))
    last = bytes(more)
    more[504] = 1
    parts = [member("a.wav"), bytes(sparse), bytes(more) * 20_000, last, padded(b"1234"), member("b.wav")]
    table, most_bytes = scanned(path, *parts)
    assert list(table.members) == ["a.wav", "b.wav"]
    assert not table.damaged
    assert not table.truncated
    assert most_bytes < FEW_BYTES
    assert read_member(path, "b.wav", clip_id="x") == b"1234"
    path.write_bytes(gzip.compress(b"".join(parts[:2]) + bytes(more)))
    assert Scan(path).finish().truncated == "the archive ends too early"


def test_the_map_of_a_sparse_file_in_its_data_takes_no_memory(path):
    record = pax_record("GNU.sparse.major", "1") + pax_record("GNU.sparse.minor", "0")
    n = 4_000_000
    data = b"%d\n" % (n // 2) + b"1\n" * n
    table, most_bytes = scanned(
        path, header(tarfile.XHDTYPE, len(record)) + padded(record), member("hole.wav", data), member("b.wav")
    )
    assert list(table.members) == ["b.wav"]
    assert most_bytes < FEW_BYTES


def test_members_that_were_passed_are_forgotten(path):
    record = pax_record("comment", "c" * 500_000)
    one = header(tarfile.XHDTYPE, len(record)) + padded(record) + member("a.wav")
    table, most_bytes = scanned(path, *[one] * 60)
    assert list(table.members) == ["a.wav"]
    assert most_bytes < FEW_BYTES


def test_a_name_that_is_not_utf_8_costs_its_member_only(path):
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w", format=tarfile.USTAR_FORMAT, encoding="latin-1") as tar:
        for name in ("a.wav", "é.wav", "é/b.wav"):
            info = tarfile.TarInfo(name)
            info.size = 4
            tar.addfile(info, io.BytesIO(b"1234"))
    path.write_bytes(gzip.compress(inner.getvalue()[: 6 * 512] + member("ü.wav") + bytes(1024)))
    assert list(Scan(path)) == [("a.wav", b"1234"), ("b.wav", b"1234"), ("ü.wav", b"1234")]
    for name in ("a.wav", "b.wav", "ü.wav"):
        close_archives()
        assert read_member(path, name, clip_id="x") == b"1234"
    with pytest.raises(DataError, match=r"there is no é.wav in a.tar.gz"):
        read_member(path, "é.wav", clip_id="x")


def test_a_name_that_no_file_can_have_costs_its_member_only(path):
    name = b"n" * 256
    long = header(tarfile.GNUTYPE_LONGNAME, len(name) + 1) + padded(name + b"\0")
    assert list(scanned(path, long, member("x"), member("b.wav"))[0].members) == ["b.wav"]
