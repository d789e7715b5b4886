"""Files are whole or not there, and equal things have equal digests."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otoscope.errors import SpecError
from otoscope.store import (
    atomic_path,
    cache_root,
    digest_arrays,
    digest_of,
    read_about,
    read_arrays,
    read_json,
    read_table,
    slug,
    write_arrays,
    write_json,
    write_table,
    write_text,
)

PLAIN = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
LONGEST_SLUG = 60  # characters
NAMES = st.text(st.sampled_from("aB3.-_/#: é\0"), max_size=70) | st.text(max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
ARRAYS = {
    "weights": np.arange(12, dtype=np.float64).reshape(3, 4) / 7,
    "states": np.arange(6, dtype=np.float32).reshape(2, 3),
    "voiced": np.array([True, False]),
    "count": np.array([2**62], dtype=np.int64),
    "number": np.array(np.pi),
    "empty": np.zeros((0, 3)),
    "turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
}


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


def turned_round(value):
    """Give the same value with the keys of all dictionaries in the opposite order."""
    if isinstance(value, dict):
        return {key: turned_round(value[key]) for key in reversed(value)}
    return [turned_round(item) for item in value] if isinstance(value, list) else value


@given(JSON)
def test_the_order_of_keys_does_not_change_a_digest(value):
    assert digest_of(turned_round(value)) == digest_of(value)


def test_a_digest_is_the_sha256_of_the_compact_json():
    assert digest_of({"b": [1, None], "a": "é"}) == hashlib.sha256('{"a":"é","b":[1,null]}'.encode()).hexdigest()
    assert len({digest_of(value) for value in (1, "1", [1], {"1": 1}, True, None, 1.0, 1.5)}) == 8


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_has_no_digest_and_is_not_written(tmp_path, number):
    with pytest.raises(ValueError, match="JSON compliant"):
        digest_of({"a": [number]})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"a": number})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_arrays(tmp_path / "a.safetensors", {}, about={"a": number})
    assert entries(tmp_path) == []


@given(NAMES, NAMES)
@example("", "a")
@example("a/b", "a:b")
@example("untrained:ge2e#0", "untrained-ge2e-0")
def test_unequal_names_have_unequal_slugs(one, other):
    names = {one, other, slug(one), slug(other), slug(slug(one)), one + "-", one.upper()}
    assert len({slug(name) for name in names}) == len(names)


@given(NAMES)
@example("")
@example("..")
@example(".")
@example("/")
@example("../../etc/passwd")
@example("-rf")
@example("é" * 300)
@example("a" * 300)
@example("CON\0\n")
def test_a_slug_is_one_harmless_name_of_a_file(name):
    got = slug(name)
    assert set(got) <= PLAIN
    assert 0 < len(got) <= LONGEST_SLUG
    assert got not in {".", ".."}
    assert not got.startswith(".")
    assert Path(got).name == got == slug(name)


@pytest.mark.parametrize("name", ["ge2e", "hubert-base", "mfcc_20.v2", "A" * 60])
def test_a_harmless_name_is_its_own_slug(name):
    assert slug(name) == name


def test_the_slug_of_another_name_begins_with_what_can_be_kept_of_it():
    assert slug("untrained:ge2e#0") == f"untrained-ge2e-0-{digest_of('untrained:ge2e#0')[:8]}"


def test_a_file_written_well_is_there_with_its_folders_and_nothing_else(tmp_path):
    path = tmp_path / "a" / "b" / "c.json"
    with atomic_path(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == path.suffix
        assert not path.exists()
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert entries(path.parent) == ["c.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [None, "old"])
def test_a_block_that_raises_leaves_the_old_file_and_nothing_else(tmp_path, before, error):
    path = tmp_path / "a.txt"
    if before is not None:
        path.write_text(before)

    def write_half():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise error("stop")

    with pytest.raises(error, match="stop"):
        write_half()
    assert entries(tmp_path) == ([] if before is None else ["a.txt"])
    assert before is None or path.read_text() == before


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
def test_a_disk_that_fails_at_any_step_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"otoscope.store.os.{step}", fail)
    with pytest.raises(OSError, match="No space left"):
        write_text(path, "new")
    assert entries(tmp_path) == ["a.txt"]
    assert path.read_text() == "old"


def test_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    path, seen = tmp_path / "a.txt", []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        "otoscope.store.os.fsync", lambda handle: (seen.append(("sync", path.exists())), fsync(handle))
    )
    monkeypatch.setattr(
        "otoscope.store.os.replace", lambda a, b: (seen.append(("name", Path(a).read_text())), replace(a, b))
    )
    write_text(path, "whole")
    assert seen[:2] == [("sync", False), ("name", "whole")]
    assert seen[2:] in ([("sync", True)], [])  # the folder, where it can be opened


@pytest.mark.parametrize("before", [None, "old"])
def test_a_process_that_dies_while_it_writes_leaves_no_half_file(tmp_path, before):
    path = tmp_path / "a.txt"
    if before is not None:
        path.write_text(before)
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom otoscope.store import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as temporary:\n"
        "    file = temporary.open('w'); file.write('half'); file.flush()\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == 9
    assert (path.read_text() if path.exists() else None) == before
    assert all(name.startswith(".part-") for name in set(entries(tmp_path)) - {"a.txt"})
    write_text(path, "new")
    assert path.read_text() == "new"


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX knows them")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664), (0o000, 0o666)])
def test_permissions_are_those_that_the_umask_leaves(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_text(tmp_path / "a.txt", "a")
        write_arrays(tmp_path / "a.safetensors", ARRAYS)
        write_table(tmp_path / "a.parquet", [{"a": 1}])
    finally:
        os.umask(before)
    assert {name: (tmp_path / name).stat().st_mode & 0o777 for name in entries(tmp_path)} == dict.fromkeys(
        ["a.parquet", "a.safetensors", "a.txt"], mode
    )


def test_writing_never_touches_the_umask_that_all_threads_share(tmp_path, monkeypatch):
    def fail(mask):
        pytest.fail("between two calls of umask, another thread writes with the wrong one")

    monkeypatch.setattr("otoscope.store.os.umask", fail)
    write_text(tmp_path / "a.txt", "a")
    assert (tmp_path / "a.txt").read_text() == "a"


def test_text_is_written_with_the_line_ends_that_it_has(tmp_path):
    write_text(tmp_path / "a.txt", "a\r\nb\nü")
    assert (tmp_path / "a.txt").read_bytes() == "a\r\nb\nü".encode()


@given(value=JSON)
def test_json_comes_back_as_written(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert read_json(path) == value
    assert path.read_bytes().endswith(b"\n")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"{'a': 1}"])
def test_what_is_no_json_is_refused_by_path(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(SpecError, match=r"a\.json: is not JSON"):
        read_json(tmp_path / "a.json")


def test_json_that_is_missing_is_refused_by_path(tmp_path):
    with pytest.raises(SpecError, match=r"a\.json: no such file"):
        read_json(tmp_path / "a.json")


def test_arrays_come_back_as_written(tmp_path):
    path = tmp_path / "a.safetensors"
    about = {"clip": "é", "nested": {"b": [1, 2.5, None]}}
    write_arrays(path, ARRAYS, about=about)
    arrays, said = read_arrays(path)
    assert said == about == read_about(path)
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].shape == array.shape
        assert arrays[name].tobytes() == np.asarray(array, order="C").tobytes()
    assert read_arrays(path)[0].keys() == arrays.keys()


def test_only_the_arrays_that_are_wanted_are_read(tmp_path):
    path = tmp_path / "a.safetensors"
    write_arrays(path, ARRAYS, about={"a": 1})
    arrays, said = read_arrays(path, only=lambda name: name in {"voiced", "elsewhere"})
    assert list(arrays) == ["voiced"]
    assert arrays["voiced"].tolist() == [True, False]
    assert said == {"a": 1}
    assert read_arrays(path, only=lambda name: False)[0] == {}


def test_a_file_without_arrays_says_what_it_was_told(tmp_path):
    write_arrays(tmp_path / "a.safetensors", {})
    assert read_arrays(tmp_path / "a.safetensors") == ({}, {})


@pytest.mark.parametrize("left", [0, 4, 8, 60, -200, -1])
def test_arrays_that_are_cut_short_are_refused_by_path(tmp_path, left):
    path = tmp_path / "a.safetensors"
    write_arrays(path, ARRAYS, about={"a": 1})
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(SpecError, match=r"a\.safetensors: is damaged or was not written by otoscope .* remove it"):
        read_arrays(path)
    assert read_about(path) is None


def test_arrays_of_another_program_are_refused_by_path(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(3)}, tmp_path / "a.safetensors")
    with pytest.raises(SpecError, match=r"a\.safetensors: .* was not written by otoscope"):
        read_arrays(tmp_path / "a.safetensors")
    assert read_about(tmp_path / "a.safetensors") is None


def test_arrays_that_are_missing_are_refused_by_path(tmp_path):
    with pytest.raises(SpecError, match=r"a\.safetensors: no such file"):
        read_arrays(tmp_path / "a.safetensors")
    assert read_about(tmp_path / "a.safetensors") is None


def test_a_digest_of_arrays_knows_names_types_shapes_and_bytes():
    base = {"a": np.arange(6, dtype=np.int64), "b": np.zeros(2)}
    others = [
        {"c": base["a"], "b": base["b"]},
        {"a": base["b"], "b": base["a"]},
        {**base, "a": base["a"].astype(np.int32)},
        {**base, "a": base["a"].view(np.uint64)},
        {**base, "a": base["a"].reshape(2, 3)},
        {**base, "a": base["a"].reshape(1, 6)},
        {**base, "a": base["a"] + np.eye(6, dtype=np.int64)[5]},
        {**base, "b": -base["b"]},
        {"a": base["a"]},
        {},
        {"a": np.array(1.0)},
        {"a": np.array([1.0])},
    ]
    assert len({digest_arrays(arrays) for arrays in (base, *others)}) == 1 + len(others)


def test_a_digest_of_arrays_does_not_know_order_or_memory_layout():
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.ones(4)}
    wide = np.zeros((2, 6))
    wide[:, ::2] = arrays["a"]
    same = [
        dict(reversed(arrays.items())),
        {**arrays, "a": np.asfortranarray(arrays["a"])},
        {**arrays, "a": wide[:, ::2]},
    ]
    assert {digest_arrays(other) for other in same} == {digest_arrays(arrays)}


def test_rows_come_back_as_written(tmp_path):
    rows = [
        {"model": "ge2e", "layer": 1, "value": 0.1 + 0.2, "low": None, "voiced": True},
        {"model": "é", "layer": 2, "value": -1e300, "low": 2.5, "voiced": False},
    ]
    write_table(tmp_path / "a.parquet", rows)
    assert read_table(tmp_path / "a.parquet") == rows
    write_table(tmp_path / "a.parquet", [])
    assert read_table(tmp_path / "a.parquet") == []


def test_the_cache_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("OTOSCOPE_CACHE", str(tmp_path / "named"))
    assert cache_root() == tmp_path / "named"
    assert entries(tmp_path) == []


def test_without_a_name_the_cache_is_where_the_platform_keeps_caches(monkeypatch):
    import platformdirs

    monkeypatch.setenv("OTOSCOPE_CACHE", "")
    assert cache_root() == Path(platformdirs.user_cache_dir("otoscope"))
    monkeypatch.delenv("OTOSCOPE_CACHE")
    assert cache_root() == Path(platformdirs.user_cache_dir("otoscope"))


def test_a_json_file_is_readable_by_people_and_by_any_reader(tmp_path):
    write_json(tmp_path / "a.json", {"name": "Bình", "values": [1]})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "Bình" in text
    assert text.count("\n") > 2
    assert json.loads(text) == {"name": "Bình", "values": [1]}


def test_a_table_that_is_missing_or_damaged_is_said_so(tmp_path):
    path = tmp_path / "table.parquet"
    with pytest.raises(SpecError, match="no such file"):
        read_table(path)
    write_table(path, [{"a": 1, "b": None}, {"a": 2, "b": "x"}])
    assert read_table(path) == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(SpecError, match="is damaged or no Parquet"):
        read_table(path)
