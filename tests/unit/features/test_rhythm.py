import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.features.rhythm import GROUP
from otoscope.features.sound import Sound

RATE = 22_050  # Hz
TOL_TEMPO = 0.015  # relative


def described(samples, rate=RATE):
    values = GROUP.compute(Sound(Waveform(np.asarray(samples, dtype=np.float32), rate, "clip")))
    return {feature.id.partition(".")[2]: value for feature, value in zip(GROUP.features, values, strict=True)}


def strokes(starts, duration=5.0, *, loudness=None, make=None):
    """Give short decaying sounds at some times on a very soft noise."""
    rng = np.random.default_rng(4)
    samples = 1e-3 * rng.standard_normal(round(duration * RATE))
    t = np.arange(round(0.06 * RATE)) / RATE
    for i, start in enumerate(starts):
        sound = rng.standard_normal(t.size) if make is None else make(t)
        first = round(start * RATE)
        piece = samples[first : first + t.size]
        piece += ((1.0 if loudness is None else loudness[i]) * 0.3 * np.exp(-80 * t) * sound)[: piece.size]
    return samples


def every(interval, duration=5.0, first=0.15):
    return np.arange(first, duration - 0.1, interval)


@pytest.mark.parametrize("bpm", [72, 90, 120, 144])
def test_a_metronome_has_its_tempo_and_rate(bpm):
    values = described(strokes(every(60 / bpm)))
    assert values["tempo"] == pytest.approx(bpm, rel=TOL_TEMPO)
    assert values["pulse_clarity"] > 0.8
    assert values["onset_rate"] == pytest.approx(bpm / 60, abs=0.25)
    assert values["interval_median"] == pytest.approx(np.log2(60 / bpm), abs=0.03)
    assert values["interval_spread"] < 0.05
    assert values["interval_contrast"] < 5
    assert values["steadiness"] > 0.7


def test_a_noise_and_a_drone_have_no_tempo(rng):
    t = np.arange(5 * RATE) / RATE
    for samples in (0.1 * rng.standard_normal(5 * RATE), 0.1 * np.sin(2 * np.pi * 330 * t)):
        values = described(samples)
        for name in ("tempo", "offbeat", "triplet", "duple", "interval_median", "onset_strength_db", "steadiness"):
            assert np.isnan(values[name]), name
        assert values["onset_rate"] == 0


def test_long_and_short_notes_have_their_contrast():
    starts = np.sort(np.concatenate([every(0.6), every(0.6, first=0.15 + 0.4)]))
    values = described(strokes(starts))
    assert values["interval_contrast"] == pytest.approx(100 * 0.2 / 0.3, abs=5)
    assert values["interval_spread"] == pytest.approx(0.5, abs=0.05)
    # a third of a beat of 100 bpm separates the short notes from the next beat
    assert values["tempo"] == pytest.approx(100, rel=TOL_TEMPO)
    assert values["triplet"] > values["offbeat"] + 0.2


def test_eighth_notes_divide_the_beat_in_two():
    starts = every(0.3)
    values = described(strokes(starts, loudness=np.where(np.arange(starts.size) % 2, 0.15, 1.0)))
    assert values["tempo"] == pytest.approx(100, rel=TOL_TEMPO)
    assert values["offbeat"] > values["triplet"] + 0.2


@pytest.mark.parametrize(("group", "sign"), [(2, -1), (3, 1)])
def test_accents_every_two_or_three_beats_are_a_march_or_a_waltz(group, sign):
    starts = every(0.4, 8.0)
    loudness = np.where(np.arange(starts.size) % group, 0.1, 1.0)
    values = described(strokes(starts, 8.0, loudness=loudness))
    assert values["tempo"] == pytest.approx(150, rel=TOL_TEMPO)
    assert sign * values["triple_over_duple"] > 0.1
    assert (values["duple"] > 0.1) == (group == 2)


def test_kicks_and_hats_are_counted_apart():
    kick = strokes(every(0.5), make=lambda t: np.sin(2 * np.pi * 70 * t) * 3)
    rng = np.random.default_rng(6)
    hat = strokes(every(0.25), make=lambda t: np.diff(rng.standard_normal(t.size + 3), 3) / 4)
    values = described(kick + 0.3 * hat)
    assert values["high_rate"] == pytest.approx(4, abs=0.4)
    assert values["low_rate"] == pytest.approx(2, abs=0.4)
    assert values["low_high_correlation"] > 0.2


def test_what_lies_above_the_rate_of_a_recording_is_unknown():
    t = np.arange(4 * 8_000) / 8_000
    values = described(0.2 * np.exp(-8 * np.mod(t, 0.5)) * np.sin(2 * np.pi * 440 * t), 8_000)
    for name in ("high_rate", "high_strength_db", "low_high_correlation"):
        assert np.isnan(values[name]), name
    assert values["tempo"] == pytest.approx(120, rel=TOL_TEMPO)


def test_beginnings_are_louder_than_what_lies_between():
    t = np.arange(5 * RATE) / RATE
    plucked = 0.2 * np.exp(-10 * np.mod(t, 0.5)) * np.sin(2 * np.pi * 440 * t)
    held = 0.2 * np.sin(2 * np.pi * 440 * t) + strokes(every(0.5)) * 0.02
    assert described(plucked)["onset_accent_db"] > 8
    assert abs(described(held)["onset_accent_db"]) < 1


def test_bursts_are_burstier_than_noise(rng):
    assert described(strokes(every(1.0)))["strength_peakiness"] > 1
    assert described(0.1 * rng.standard_normal(5 * RATE))["strength_peakiness"] < 0.1


def test_a_repeated_clip_keeps_its_rhythm():
    once = strokes(every(0.5, 4.0), 4.0)
    a, b = described(once), described(np.tile(once, 4))
    assert b["tempo"] == pytest.approx(a["tempo"], rel=TOL_TEMPO)
    assert b["onset_rate"] == pytest.approx(a["onset_rate"], rel=0.1)


def test_moving_a_clip_by_one_beat_keeps_its_rhythm():
    samples = strokes(every(0.5))
    a, b = described(samples), described(np.roll(samples, RATE // 2))
    for name in ("tempo", "pulse_clarity", "interval_median", "strength_mean_db"):
        assert b[name] == pytest.approx(a[name], rel=0.1), name


def test_a_clip_of_half_a_second_has_onsets_and_no_tempo():
    values = described(strokes([0.2], 0.5))
    assert np.isnan(values["tempo"])
    assert values["onset_rate"] > 0
