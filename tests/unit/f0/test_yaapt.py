import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.f0.scoring import pooled
from otoscope.f0.yaapt import YaaptTracker
from otoscope.f0.yaapt_compat import YaaptCompatTracker
from otoscope.testing.signals import noise, silence, speechlike, tone
from otoscope.testing.trackers import glide_errors
from otoscope.testing.voices import voice_set

RATE = 16_000
TOL_CENTS = 1.0
TOL_CLOCK_MS = 1.5


def scaled(waveform, gain):
    return Waveform(waveform.samples * np.float32(gain), waveform.sample_rate, waveform.clip_id)


@pytest.mark.parametrize("f0_hz", [80, 90, 100, 123.4, 160, 200, 217.3, 250, 300, 320, 365.5, 400])
def test_a_tone_comes_out_within_a_cent_in_every_frame(f0_hz):
    track = YaaptTracker().track(tone(f0_hz))
    assert track.voiced.all()
    assert np.abs(1200 * np.log2(track.f0_hz / f0_hz)).max() < TOL_CENTS


@pytest.mark.parametrize("octaves_per_s", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("low_hz", "high_hz"), [(70, 140), (100, 200), (120, 240), (180, 360)])
def test_glides_find_the_clock_right_without_any_correction(low_hz, high_hz, octaves_per_s):
    tracker = YaaptTracker()
    found = glide_errors(tracker, low_hz=low_hz, high_hz=high_hz, octaves_per_s=octaves_per_s)
    assert abs(found.clock_ms) < TOL_CLOCK_MS
    assert abs(found.bias_cents) < 3
    assert tracker.info.correction_s == 0


@pytest.mark.parametrize(("snr_db", "most"), [(40.0, 0.02), (10.0, 0.03)])
def test_few_frames_of_known_voices_are_wrong(snr_db, most):
    answers = voice_set(range(3), snr_db=snr_db)
    assert pooled(answer.score(YaaptTracker().track(answer.waveform)) for answer in answers).ffe < most
    assert pooled(answer.score(YaaptCompatTracker().track(answer.waveform)) for answer in answers).ffe < 0.03


def high_passed(seed):
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(2 * RATE))
    spectrum[: 2 * 2_000] = 0
    return Waveform(np.float32(0.01 * np.fft.irfft(spectrum)), RATE, "hiss")


@pytest.mark.parametrize("waveform", [noise(0), noise(1), high_passed(0), high_passed(1)], ids=str)
def test_noise_has_no_voice_at_150_hz(waveform):
    assert not YaaptTracker().track(waveform).voiced.any()


@pytest.mark.parametrize("n_samples", [1, 2, 399, 400, 401, 719, 720, 1_000, 1_360, 3_333])
@pytest.mark.parametrize("hop_ms", [20.0, 10.0, 12.5, 5.0625])
def test_there_are_as_many_frames_as_fit_at_their_centres(n_samples, hop_ms):
    tracker = YaaptTracker(hop_ms=hop_ms)
    track = tracker.track(Waveform(tone(150.0).samples[:n_samples].copy(), RATE, "cut"))
    assert track.times.size == max(0, (n_samples - 400) // round(16 * hop_ms) + 1)
    np.testing.assert_allclose(track.times, 0.0125 + hop_ms / 1000 * np.arange(track.times.size), atol=1e-12)


def test_asking_for_fewer_frames_gives_some_of_the_same():
    waveform, _, _ = speechlike(3)
    every, second = (YaaptTracker(hop_ms=hop_ms).track(waveform) for hop_ms in (10.0, 20.0))
    # The last frame of 10 ms may lie beyond the last of 20 ms, and the means over the file with it.
    same = np.mean(np.nan_to_num(every.f0_hz[::2][: second.times.size]) == np.nan_to_num(second.f0_hz))
    assert same > 0.98
    np.testing.assert_allclose(every.times[::2][: second.times.size], second.times, atol=1e-12)


@pytest.mark.parametrize("gain", [2.0**-5, 0.5, 16.0])
def test_a_gain_of_a_power_of_two_changes_no_bit(gain):
    waveform, _, _ = speechlike(2)
    one, other = (YaaptTracker().track(each) for each in (waveform, scaled(waveform, gain)))
    np.testing.assert_array_equal(one.f0_hz, other.f0_hz)
    np.testing.assert_array_equal(one.score, other.score)


@pytest.mark.parametrize("gain", [0.01, 0.3, 1.7, 100.0])
def test_any_other_gain_changes_no_voicing_and_no_f0_beyond_rounding(gain):
    waveform, _, _ = speechlike(2)
    one, other = (YaaptTracker().track(each) for each in (waveform, scaled(waveform, gain)))
    np.testing.assert_array_equal(one.voiced, other.voiced)
    assert np.mean(np.abs(one.f0_hz - other.f0_hz) > 0.1) <= 1e-3


def test_the_score_lies_between_0_and_1_and_tells_voice_from_none():
    waveform, _, voiced = speechlike(4)
    track = YaaptTracker().track(waveform)
    assert track.score.min() >= 0
    assert track.score.max() <= 1
    truth = voiced(track.times)
    assert np.median(track.score[truth]) > 0.8
    assert np.median(track.score[~truth]) < 0.1


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_silence_is_unvoiced_with_a_score_of_0(offset):
    track = YaaptTracker().track(silence(0.5, offset=offset))
    assert track.times.size == 48
    assert not track.voiced.any()
    assert not track.score.any()


@settings(max_examples=40)
@given(
    n_samples=st.integers(1, 5_000),
    sample_rate=st.sampled_from([4_000, 8_000, 16_000, 44_100]),
    kind=st.sampled_from(["noise", "tone", "impulse", "constant", "steps"]),
    seed=st.integers(0, 9),
)
def test_any_short_signal_gives_a_track_or_says_why_not(n_samples, sample_rate, kind, seed):
    rng = np.random.default_rng(seed)
    samples = {
        "noise": rng.standard_normal(n_samples),
        "tone": np.cos(np.arange(n_samples) * (0.01 + 0.01 * seed)),
        "impulse": np.eye(1, n_samples, int(rng.integers(n_samples)))[0],
        "constant": np.full(n_samples, 0.5),
        "steps": np.repeat(rng.standard_normal(n_samples // 300 + 1), 300)[:n_samples] > 0,
    }[kind]
    waveform = Waveform(np.asarray(samples, dtype=np.float32), sample_rate, "any")
    f0_max_hz = 380.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tracker = YaaptTracker(f0_max_hz=f0_max_hz, frame_length_ms=30.0, sample_rate=sample_rate)
        track = tracker.track(waveform)
        assert track.times.size == tracker.grid.count(n_samples)
        if track.voiced.any():
            assert np.nanmin(track.f0_hz) >= 60
            assert np.nanmax(track.f0_hz) <= f0_max_hz
        compat = YaaptCompatTracker(f0_max_hz=f0_max_hz, sample_rate=sample_rate)
        if n_samples < compat.least_samples:
            with pytest.raises(DataError, match="needs at least"):
                compat.track(waveform)
        else:
            assert compat.track(waveform).times.size >= 4


@pytest.mark.parametrize(
    ("given_settings", "said"),
    [
        ({"hop_ms": 30.0}, "hop_ms is 30, frame_length_ms 25"),
        ({"hop_ms": 10.03}, "whole samples"),
        ({"frame_length_ms": 128.0}, "2048 samples"),
        ({"f0_min_hz": float("nan")}, "f0_min_hz is nan"),
        ({"f0_min_hz": 300.0}, "at least twice"),
        ({"sample_rate": 2_000}, "above 3000 Hz"),
    ],
)
def test_settings_that_cannot_be_are_refused(given_settings, said):
    with pytest.raises(SpecError, match=said):
        YaaptTracker(**given_settings)


def test_another_sample_rate_is_refused_with_the_way_out():
    with pytest.raises(DataError, match=r"8000 Hz, yaapt needs 16000 Hz; call audio\.resample"):
        YaaptTracker().track(tone(100.0, sample_rate=8_000))


@pytest.mark.parametrize("offset", [0.01, 0.3])
def test_a_direct_current_changes_next_to_nothing(offset):
    waveform, _, _ = speechlike(3)
    lifted = Waveform(waveform.samples + np.float32(offset), waveform.sample_rate, "lifted")
    plain, other = YaaptTracker().track(waveform), YaaptTracker().track(lifted)
    both = plain.voiced & other.voiced
    assert np.mean(plain.voiced != other.voiced) < 0.005
    assert np.mean(np.abs(plain.f0_hz[both] - other.f0_hz[both]) > 1) < 0.005


def test_noise_on_a_large_direct_current_is_unvoiced():
    rng = np.random.default_rng(0)
    samples = (0.3 + rng.standard_normal(16_000) / 32_768 * 8).astype(np.float32)
    assert YaaptTracker().track(Waveform(samples, 16_000, "offset")).voiced.mean() < 0.1
