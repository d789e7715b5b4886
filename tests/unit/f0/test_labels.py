import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.errors import DataError
from otoscope.f0.base import F0Track, TrackerInfo
from otoscope.f0.labels import LabelCache
from otoscope.store import read_arrays, write_arrays
from otoscope.testing.signals import tone


@dataclass
class Counting:
    """A tracker that finds one constant and counts how often it was asked."""

    f0_hz: float = 100.0
    asked: list[str] = field(default_factory=list)
    sample_rate: int = 16_000

    @property
    def info(self):
        return TrackerInfo("counting", "1", {"f0_hz": self.f0_hz}, 0.001)

    def track(self, waveform):
        self.asked.append(waveform.clip_id)
        if waveform.samples.size < 400:
            raise DataError(waveform.clip_id, "is too short")
        times = np.arange(0.01, waveform.duration_s, 0.1) + 1 / 3
        voiced = np.arange(times.size) % 2 == 0
        return F0Track(times, np.where(voiced, self.f0_hz + times / 7, np.nan), voiced, self.info, waveform.clip_id)


def same(one, other):
    return (
        np.array_equal(one.times, other.times)
        and np.array_equal(one.f0_hz, other.f0_hz, equal_nan=True)
        and np.array_equal(one.voiced, other.voiced)
        and one.tracker.digest == other.tracker.digest
    )


@pytest.fixture
def waveform():
    return tone(150.0)


def test_the_second_time_the_same_bytes_come_from_the_folder(tmp_path, waveform):
    tracker = Counting()
    first = LabelCache(tmp_path).track(tracker, waveform)
    cache = LabelCache(tmp_path)
    second = cache.track(tracker, waveform)
    assert same(first, second)
    assert same(second, Counting().track(waveform))
    assert (len(tracker.asked), cache.hits, cache.misses) == (1, 1, 0)


def test_the_address_is_the_trackers_digest_and_the_samples(tmp_path, waveform):
    LabelCache(tmp_path).track(Counting(), waveform)
    digest = waveform.digest()
    path = tmp_path / "labels" / Counting().info.digest[:16] / digest[:2] / f"{digest}.safetensors"
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]
    assert read_arrays(path)[1]["tracker"] == Counting().info.describe()


def test_the_default_folder_is_the_cache_root(tmp_path, monkeypatch, waveform):
    monkeypatch.setenv("OTOSCOPE_CACHE", str(tmp_path / "named"))
    LabelCache().track(Counting(), waveform)
    assert len(list((tmp_path / "named" / "labels").rglob("*.safetensors"))) == 1


def test_a_copy_under_another_name_is_the_same_label_with_its_own_id(tmp_path, waveform):
    tracker, cache = Counting(), LabelCache(tmp_path)
    cache.track(tracker, waveform)
    copy = cache.track(tracker, Waveform(waveform.samples, waveform.sample_rate, "copy"))
    assert copy.clip_id == "copy"
    assert (cache.hits, cache.misses) == (1, 1)


def test_a_tracker_that_names_another_clip_is_put_right(tmp_path, waveform):
    class Careless(Counting):
        def track(self, waveform):
            return super().track(Waveform(waveform.samples, waveform.sample_rate, "another"))

    assert LabelCache(tmp_path).track(Careless(), waveform).clip_id == waveform.clip_id


def test_other_settings_and_other_samples_are_other_labels(tmp_path, waveform):
    cache = LabelCache(tmp_path)
    cache.track(Counting(), waveform)
    assert np.nanmin(cache.track(Counting(200.0), waveform).f0_hz) > 199
    cache.track(Counting(), tone(151.0))
    assert (cache.hits, cache.misses) == (0, 3)


def damage_by_cutting(path):
    path.write_bytes(path.read_bytes()[:-20])


def damage_by_noise(path):
    path.write_bytes(b"no safetensors at all")


def damage_by_emptying(path):
    path.write_bytes(b"")


def damage_the_laws(path):
    arrays, about = read_arrays(path)
    write_arrays(path, {**arrays, "f0_hz": np.nan_to_num(arrays["f0_hz"])}, about=about)


def damage_the_type(path):
    arrays, about = read_arrays(path)
    write_arrays(path, {**arrays, "times": arrays["times"].astype(np.float32)}, about=about)


def drop_an_array(path):
    arrays, about = read_arrays(path)
    write_arrays(path, {"times": arrays["times"]}, about=about)


def name_another_tracker(path):
    arrays, about = read_arrays(path)
    digest = about["tracker_digest"]
    write_arrays(path, arrays, about={**about, "tracker_digest": digest[:16] + digest[16:][::-1]})


def name_another_format(path):
    arrays, about = read_arrays(path)
    write_arrays(path, arrays, about={**about, "format": 0})


def drop_the_header(path):
    write_arrays(path, read_arrays(path)[0], about={})


@pytest.mark.parametrize(
    "damage",
    [
        damage_by_cutting,
        damage_by_noise,
        damage_by_emptying,
        damage_the_laws,
        damage_the_type,
        drop_an_array,
        name_another_tracker,
        name_another_format,
        drop_the_header,
    ],
)
def test_a_file_that_cannot_be_trusted_is_made_anew_and_replaced(tmp_path, waveform, damage):
    tracker, cache = Counting(), LabelCache(tmp_path)
    good = cache.track(tracker, waveform)
    path = cache.path(tracker.info, waveform)
    written = path.read_bytes()
    damage(path)
    assert path.read_bytes() != written
    assert same(cache.track(tracker, waveform), good)
    assert (cache.hits, cache.misses) == (0, 2)
    assert path.read_bytes() == written
    assert same(cache.track(tracker, waveform), good)
    assert cache.hits == 1


def test_a_folder_that_cannot_be_written_costs_the_cache_and_nothing_else(tmp_path, waveform):
    (tmp_path / "file").write_text("not a folder")
    cache, tracker = LabelCache(tmp_path / "file"), Counting()
    for _ in range(2):
        assert same(cache.track(tracker, waveform), Counting().track(waveform))
    assert not cache.writable
    assert "labels cannot be kept" in cache.problem
    assert (cache.hits, cache.misses) == (0, 2)


def test_a_folder_in_the_way_of_a_file_is_no_crash(tmp_path, waveform):
    cache, tracker = LabelCache(tmp_path), Counting()
    cache.path(tracker.info, waveform).mkdir(parents=True)
    assert same(cache.track(tracker, waveform), Counting().track(waveform))
    assert not cache.writable


def test_a_clip_that_cannot_be_tracked_fails_each_time_and_leaves_nothing(tmp_path):
    short = Waveform(np.full(10, 0.1, dtype=np.float32), 16_000, "short")
    cache = LabelCache(tmp_path)
    for _ in range(2):
        with pytest.raises(DataError, match="short: is too short"):
            cache.track(Counting(), short)
    assert list(tmp_path.iterdir()) == []


def test_writers_at_the_same_time_leave_one_whole_file(tmp_path, waveform):
    def one(_):
        return LabelCache(tmp_path).track(Counting(), waveform)

    with ThreadPoolExecutor(8) as pool:
        tracks = list(pool.map(one, range(32)))
    assert all(same(track, tracks[0]) for track in tracks)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 1
    assert json.loads(json.dumps(read_arrays(files[0])[1]))["format"] == 2
