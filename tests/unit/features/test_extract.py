"""Values of features: each clip alone, kept by what was heard."""

from dataclasses import dataclass

import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.features.base import Feature, check_values, group_digest
from otoscope.features.extract import Derivation, FeatureCache, derive, describe, feature_ids
from otoscope.features.sound import SAMPLE_RATE, Sound
from otoscope.testing.signals import noise, silence, tone


@dataclass(frozen=True)
class Peak:
    """The largest magnitude of the clip, and NaN; counts how often it was asked."""

    asked: list
    name: str = "peak"
    title: str = "Peak"
    version: str = "1"
    licence: str = "MIT"
    gives: tuple = ()

    @property
    def features(self):
        words = {"definition": "max |x|", "plain": "How far it swings.", "more": "wider", "less": "narrower"}
        return tuple(Feature(f"{self.name}.{name}", "1", **words) for name in ("largest", "none"))

    def missing(self):
        return None

    def compute(self, sound):
        self.asked.append(sound.clip_id)
        return np.array(self.gives or (np.abs(sound.samples).max(), np.nan), dtype=np.float64)


@pytest.fixture
def clip():
    return tone(440.0, duration_s=5.0, n_harmonics=1)


def test_a_feature_is_named_group_point_name_and_says_something():
    words = {"unit": "1", "definition": "d", "plain": "p", "more": "m", "less": "l"}
    assert Feature("rhythm.tempo", **words).group == "rhythm"
    for bad in ("tempo", "Rhythm.tempo", "rhythm.Tempo", "rhythm.", "rhythm.tempo.x"):
        with pytest.raises(SpecError, match=r"group\.name"):
            Feature(bad, **words)
    with pytest.raises(SpecError, match="plain is empty"):
        Feature("rhythm.tempo", **{**words, "plain": " "})


def test_what_a_group_gives_is_checked(clip):
    group = Peak([])
    with pytest.raises(DataError, match=r"shape \(3,\)"):
        check_values(group, np.zeros(3), "c")
    with pytest.raises(DataError, match=r"peak\.largest is infinite"):
        check_values(group, np.array([np.inf, 0.0]), "c")
    with pytest.raises(DataError, match="float32"):
        check_values(group, np.zeros(2, dtype=np.float32), "c")
    assert np.isnan(describe(clip, [group])["peak"][1])


def test_a_sound_is_refused_when_silent_or_too_short():
    with pytest.raises(DataError, match="is silent"):
        Sound(silence(1.0))
    with pytest.raises(DataError, match=r"lasts 0.1 s; features need at least 0.5 s"):
        Sound(noise(0, duration_s=0.1))


def test_a_sound_knows_its_own_level_and_a_common_one(clip):
    quiet = Waveform((clip.samples * 0.01).astype(np.float32), clip.sample_rate, "quiet")
    one, other = Sound(clip), Sound(quiet)
    assert np.abs(one.levelled - other.levelled).max() < 1e-5
    assert np.sqrt(np.mean(one.levelled**2)) == pytest.approx(0.1, rel=1e-4)
    assert np.median(one.frame_rms_db) - np.median(other.frame_rms_db) == pytest.approx(40.0, abs=0.1)
    assert one.power.shape == (1025, 1 + one.samples.size // 512)
    assert one.frequencies[one.power.sum(axis=1).argmax()] == pytest.approx(440.0, abs=SAMPLE_RATE / 2048)
    assert np.ptp(one.mel_db) <= 80.0 + 1e-3


def test_segments_are_cut_after_the_shift(clip):
    whole = derive(clip, Derivation())
    assert [w.sample_rate for w in whole] == [SAMPLE_RATE]
    parts = derive(clip, Derivation(segment_s=1.0, hop_s=0.5))
    assert len(parts) == 9
    assert {part.samples.size for part in parts} == {SAMPLE_RATE}
    np.testing.assert_array_equal(parts[2].samples, whole[0].samples[SAMPLE_RATE : 2 * SAMPLE_RATE])
    up = derive(clip, Derivation(shift=12.0))[0]
    spectrum = np.abs(np.fft.rfft(up.samples * np.hanning(up.samples.size)))
    assert spectrum.argmax() * SAMPLE_RATE / up.samples.size == pytest.approx(880.0, rel=0.005)
    with pytest.raises(SpecError, match="cannot be cut"):
        Derivation(segment_s=1.0)


def test_values_are_computed_once_for_a_sound_and_a_derivation(tmp_path, clip):
    cache, group = FeatureCache(tmp_path), Peak([])
    first = cache.values(clip, clip.digest(), Derivation(), [group])
    renamed = Waveform(clip.samples, clip.sample_rate, "another name")
    again = cache.values(renamed, renamed.digest(), Derivation(), [group])
    np.testing.assert_array_equal(first, again)
    assert first.shape == (1, 2)
    assert len(group.asked) == 1
    cache.values(clip, clip.digest(), Derivation(segment_s=1.0, hop_s=0.5), [group])
    assert len(group.asked) == 1 + 9


def test_a_group_that_changed_is_computed_again_and_others_are_kept(tmp_path, clip):
    cache, one, two = FeatureCache(tmp_path), Peak([]), Peak([], name="other")
    cache.values(clip, clip.digest(), Derivation(), [one, two])
    newer = Peak([], version="2", gives=(7.0, 8.0))
    values = cache.values(clip, clip.digest(), Derivation(), [two, newer])
    assert values[0, 2:].tolist() == [7.0, 8.0]
    assert len(two.asked) == len(newer.asked) == 1
    assert feature_ids([two, newer]) == ("other.largest", "other.none", "peak.largest", "peak.none")
    assert group_digest(one) != group_digest(newer)


def test_a_damaged_cache_is_computed_anew(tmp_path, clip):
    cache, group = FeatureCache(tmp_path), Peak([])
    cache.values(clip, clip.digest(), Derivation(), [group])
    cache.path(clip.digest(), Derivation()).write_bytes(b"rubbish")
    assert cache.values(clip, clip.digest(), Derivation(), [group])[0, 0] > 0
    assert len(group.asked) == 2


def test_a_cache_that_cannot_be_written_costs_time_and_nothing_else(clip, tmp_path):
    (tmp_path / "file").write_text("no folder")
    group = Peak([])
    cache = FeatureCache(tmp_path / "file" / "features")
    for _ in range(2):
        assert cache.values(clip, clip.digest(), Derivation(), (group,)).shape == (1, 2)
    assert len(group.asked) == 2


def test_a_group_that_stumbles_leaves_the_clip_out_with_its_reason(clip):
    class Odd(Peak):
        def compute(self, sound):
            return np.zeros(2) / self.asked["no list"]

    with pytest.raises(DataError, match="group odd failed: TypeError: list indices"):
        describe(clip, (Odd([], name="odd"),))
