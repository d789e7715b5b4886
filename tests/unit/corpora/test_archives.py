import gzip
import io
import multiprocessing
import os
import tarfile
import threading
from pathlib import Path

import pytest

from otoscope.corpora import archives
from otoscope.corpora.archives import Scan, close_archives, read_member, stamp_of, table_of
from otoscope.errors import DataError
from otoscope.testing.fleurs import write_archive


@pytest.fixture(autouse=True)
def _fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("OTOSCOPE_CACHE", str(tmp_path / "cache"))
    close_archives()
    yield
    close_archives()


@pytest.fixture
def contents(rng):
    return {f"{i}.wav": rng.bytes(int(rng.integers(1, 400_000))) for i in range(30)}


def write(path, contents, inside="some/inner/train"):
    write_archive(path, [(f"{inside}/{name}", data) for name, data in contents.items()])
    return path


def test_every_member_is_read_in_any_order(tmp_path, contents, rng, monkeypatch):
    monkeypatch.setattr(archives, "SPACING", 1 << 20)
    path = write(tmp_path / "a.tar.gz", contents)
    names = list(contents)
    for i in rng.permutation(len(names)):
        assert read_member(path, names[i], clip_id="x") == contents[names[i]]


def test_places_are_those_that_the_tar_module_finds(tmp_path, contents):
    path = write(tmp_path / "a.tar.gz", contents)
    with tarfile.open(path) as tar:
        found = {Path(member.name).name: (member.offset_data, member.size) for member in tar}
    assert table_of(path).members == found


def test_a_pass_gives_names_and_data_in_the_order_of_the_archive(tmp_path, contents):
    path = write(tmp_path / "a.tar.gz", contents)
    scan = Scan(path)
    assert list(scan) == list(contents.items())
    assert table_of(path, scan=scan) == Scan(path).finish()


def test_a_pass_that_was_made_leaves_the_index_behind(tmp_path, contents, monkeypatch):
    path = write(tmp_path / "a.tar.gz", contents)
    scan = Scan(path)
    list(scan)
    table_of(path, scan=scan)
    monkeypatch.setattr(Scan, "finish", lambda scan: pytest.fail("a second pass"))
    monkeypatch.setattr(archives, "_write_index", lambda *paths: pytest.fail("a second index"))
    assert read_member(path, "7.wav", clip_id="x") == contents["7.wav"]


def test_of_two_members_of_one_name_the_first_counts(tmp_path):
    path = tmp_path / "a.tar.gz"
    write_archive(path, [("a/x.wav", b"first"), ("b/x.wav", b"second"), ("x.wav/", b""), ("c/empty.wav", b"")])
    assert read_member(path, "x.wav", clip_id="x") == b"first"
    assert read_member(path, "empty.wav", clip_id="x") == b""


def test_every_cut_gives_the_members_before_it(tmp_path):
    contents = {f"{i}.wav": bytes([i]) * 700 + bytes(range(256)) * (i % 3) for i in range(12)}
    whole = write(tmp_path / "a.tar.gz", contents).read_bytes()
    plain = gzip.decompress(whole)
    n_before = 0
    for cut in range(0, len(whole) - 8, max(1, len(whole) // 60)):
        path = tmp_path / f"cut{cut}.tar.gz"
        path.write_bytes(whole[:cut])
        table = Scan(path).finish()
        assert table.truncated or table.damaged
        n_before = max(n_before, len(table.members))
        for name, (offset, size) in table.members.items():
            assert plain[offset : offset + size] == contents[name]
            assert read_member(path, name, clip_id="x") == contents[name]
    assert n_before > 8


def test_a_gap_between_members_is_noticed(tmp_path, contents):
    path = tmp_path / "a.tar.gz"
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w") as tar:
        for name, data in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    raw = bytearray(inner.getvalue())
    at = tarfile.open(fileobj=io.BytesIO(bytes(raw))).getmember("4.wav").offset  # noqa: SIM115
    raw[at : at + 512] = b"?" * 512
    path.write_bytes(gzip.compress(bytes(raw)))
    table = Scan(path).finish()
    assert list(table.members) == list(contents)[:4]
    assert table.truncated == "what comes after its first 4 files is no archive"


def test_nothing_of_an_archive_with_a_wrong_checksum_is_given(tmp_path, contents):
    path = write(tmp_path / "a.tar.gz", contents)
    data = bytearray(path.read_bytes())
    data[-6] ^= 1  # of the CRC
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"x: a.tar.gz: the archive is damaged: its checksum is wrong; get .* again"):
        read_member(path, "0.wav", clip_id="x")


def test_a_member_that_is_too_long_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 100)
    path = tmp_path / "a.tar.gz"
    write_archive(path, [("bomb.wav", bytes(101)), ("fits.wav", bytes(100))])
    with pytest.raises(DataError, match=r"bomb.wav has 101 bytes; at most 100 are read"):
        read_member(path, "bomb.wav", clip_id="x")
    assert read_member(path, "fits.wav", clip_id="x") == bytes(100)
    assert list(Scan(path)) == [("bomb.wav", None), ("fits.wav", bytes(100))]


def test_an_archive_that_is_gone_says_so(tmp_path):
    with pytest.raises(DataError, match=r"x: there is no archive .*gone.tar.gz"):
        read_member(tmp_path / "gone.tar.gz", "0.wav", clip_id="x")
    assert stamp_of(tmp_path / "gone.tar.gz") == ""


def test_at_most_two_archives_are_open(tmp_path, contents):
    paths = [write(tmp_path / f"{k}.tar.gz", contents) for k in range(4)]
    for turn in (0, 1, 2, 0, 3, 2, 1, 0):
        assert read_member(paths[turn], "3.wav", clip_id="x") == contents["3.wav"]
        held = archives._shelves[0].open
        assert len(held) <= 2
        assert list(held)[-1] == str(paths[turn])


def test_an_index_that_was_spoilt_costs_time_and_nothing_else(tmp_path, contents):
    path = write(tmp_path / "a.tar.gz", contents)
    read_member(path, "0.wav", clip_id="x")
    for kept in (tmp_path / "cache" / "archives").iterdir():
        for content in (b"", b"{}", kept.read_bytes()[:40]):
            close_archives()
            whole = kept.read_bytes() if kept.exists() else b""
            kept.write_bytes(content)
            assert read_member(path, "9.wav", clip_id="x") == contents["9.wav"]
            close_archives()
            kept.write_bytes(whole)


def test_a_cache_that_cannot_be_written_is_no_reason_to_stop(tmp_path, contents, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OTOSCOPE_CACHE", str(tmp_path / "file" / "below"))
    path = write(tmp_path / "a.tar.gz", contents)
    assert read_member(path, "5.wav", clip_id="x") == contents["5.wav"]


def test_a_copy_that_kept_its_time_is_known_again(tmp_path, contents, monkeypatch):
    path = write(tmp_path / "a.tar.gz", contents)
    table = table_of(path)
    moved = path.rename(tmp_path / "b.tar.gz")
    monkeypatch.setattr(Scan, "finish", lambda scan: pytest.fail("a second pass"))
    assert table_of(moved) == table


def test_threads_may_read_at_once(tmp_path, contents):
    paths = [write(tmp_path / f"{k}.tar.gz", contents) for k in range(3)]
    wrong = []

    def read_all(path):
        wrong.extend(n for n in contents if read_member(path, n, clip_id="x") != contents[n])

    threads = [threading.Thread(target=read_all, args=(paths[k % 3],)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_archive_that_was_got_again_is_trusted_again(tmp_path, contents):
    path = write(tmp_path / "a.tar.gz", contents)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :])
    with pytest.raises(DataError, match="the archive is damaged"):
        read_member(path, "0.wav", clip_id="x")
    before = path.stat().st_mtime_ns
    path.write_bytes(whole)
    os.utime(path, ns=(before + 10**9, before + 10**9))
    assert read_member(path, "0.wav", clip_id="x") == contents["0.wav"]


def test_a_forked_process_waits_for_nobody_and_opens_its_own(tmp_path, contents):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system does not fork")
    path = write(tmp_path / "a.tar.gz", contents)
    read_member(path, "0.wav", clip_id="x")
    held, enough = threading.Event(), threading.Event()

    def hold():
        with archives._shelves[0].lock:
            held.set()
            enough.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=lambda: queue.put(read_member(path, "8.wav", clip_id="x") == contents["8.wav"]))
    child.start()
    child.join(10)
    enough.set()
    thread.join()
    finished = child.exitcode == 0
    child.kill()
    child.join()
    assert finished
    assert queue.get()
    assert read_member(path, "2.wav", clip_id="x") == contents["2.wav"]
