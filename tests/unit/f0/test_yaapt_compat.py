import math
import warnings

import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.f0.yaapt_compat import YaaptCompatTracker
from otoscope.testing.signals import noise, silence, speechlike, tone
from otoscope.testing.trackers import glide_errors

TOL_HZ = 1e-9
RATE = 16_000


def cut(waveform, n_samples):
    return Waveform(waveform.samples[:n_samples], waveform.sample_rate, "cut")


@pytest.mark.parametrize(
    ("f0_hz", "said_hz"),
    [(80, 79.60), (100, 99.38), (160, 158.42), (200, 197.53), (250, 246.15), (320, 313.73), (400, 390.24)],
)
def test_a_tone_comes_out_at_the_rate_over_the_lag_plus_one(f0_hz, said_hz):
    track = YaaptCompatTracker().track(tone(f0_hz))
    assert track.voiced.all()
    np.testing.assert_allclose(track.f0_hz, RATE / (round(RATE / f0_hz) + 1), atol=TOL_HZ, rtol=0)
    assert track.f0_hz[0] == pytest.approx(said_hz, abs=0.005)


def test_nearly_every_value_is_the_rate_over_a_whole_number():
    waveform, _, _ = speechlike(0)
    track = YaaptCompatTracker().track(waveform)
    lags = RATE / track.f0_hz[track.voiced]
    assert np.mean(np.abs(lags - np.round(lags)) < 1e-6) > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_speechlike_signals_come_out_voiced_where_they_are_and_flat_by_the_known_bias(seed):
    waveform, true_hz, voiced = speechlike(seed)
    track = YaaptCompatTracker().track(waveform)
    truth = voiced(track.times)
    both = truth & track.voiced
    assert np.mean(track.voiced != truth) < 0.03
    expected_hz = RATE / (RATE / true_hz(track.times[both]) + 1)
    assert abs(np.median(1200 * np.log2(track.f0_hz[both] / expected_hz))) < 5


@pytest.mark.parametrize("settings", [{}, {"frame_length_ms": 35.0, "hop_ms": 10.0}])
def test_corrected_times_meet_the_glides_on_average_whatever_the_frame_length(settings):
    ranges = ((70, 140), (120, 240), (180, 360))
    left = [glide_errors(YaaptCompatTracker(**settings), low_hz=low, high_hz=high) for low, high in ranges]
    assert abs(np.mean([glide.clock_ms for glide in left])) < 0.6
    assert np.abs([glide.clock_ms for glide in left]).max() < 1.5


@pytest.mark.parametrize(("settings", "lag_ms"), [({}, -2.1), ({"frame_length_ms": 35.0, "hop_ms": 10.0}, -7.1)])
def test_the_correction_moves_the_times_and_nothing_else(settings, lag_ms):
    waveform, _, _ = speechlike(0)
    on = YaaptCompatTracker(**settings).track(waveform)
    off = YaaptCompatTracker(**settings, correction=False).track(waveform)
    np.testing.assert_allclose(on.times - off.times, lag_ms / 1000, atol=1e-12)
    np.testing.assert_array_equal(on.f0_hz, off.f0_hz)
    assert off.tracker.correction_s == 0
    assert on.tracker.digest != off.tracker.digest


@pytest.mark.parametrize(
    ("frame_length_ms", "hop_ms", "least"),
    [(25.0, 20.0, 1_361), (35.0, 10.0, 1_041), (25.0, 10.0, 881), (25.0625, 20.0, 1_361)],
)
def test_the_least_length_works_and_one_sample_less_is_refused_with_it(frame_length_ms, hop_ms, least):
    tracker = YaaptCompatTracker(frame_length_ms=frame_length_ms, hop_ms=hop_ms)
    sound = tone(200.0, duration_s=0.2)
    assert tracker.track(cut(sound, least)).times.size == 4
    for too_short in (least - 1, 400, 1):
        with pytest.raises(DataError, match=rf"^cut: .*\({least} samples\)"):
            tracker.track(cut(sound, too_short))


@pytest.mark.parametrize("n_samples", [1_361, 1_680, 1_681, 3_200, 3_201])
def test_silence_has_the_frames_of_sound_of_its_length_all_unvoiced(n_samples):
    quiet = YaaptCompatTracker().track(cut(silence(0.3, offset=0.1), n_samples))
    loud = YaaptCompatTracker().track(cut(tone(200.0, duration_s=0.3), n_samples))
    np.testing.assert_array_equal(quiet.times, loud.times)
    assert not quiet.voiced.any()


def test_a_hum_below_80_db_is_silence():
    assert not YaaptCompatTracker().track(tone(100.0, peak=9e-5)).voiced.any()
    assert YaaptCompatTracker().track(tone(100.0, peak=2e-4)).voiced.all()


def test_nothing_is_printed_or_warned_and_nothing_of_the_callers_is_changed(capfd):
    for waveform in (speechlike(0)[0], noise(0), tone(1_000.0, n_harmonics=1), silence(1.0)):
        before = waveform.samples.copy()
        filters, state = list(warnings.filters), np.geterr()
        YaaptCompatTracker().track(waveform)
        assert warnings.filters == filters
        assert np.geterr() == state
        np.testing.assert_array_equal(waveform.samples, before)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("sample_rate", [8_000, 22_050, 44_100])
def test_corrected_times_meet_the_glides_at_other_rates_too(sample_rate):
    tracker = YaaptCompatTracker(sample_rate=sample_rate)
    left = [glide_errors(tracker, low_hz=low, high_hz=high).clock_ms for low, high in ((70, 140), (120, 240))]
    assert abs(np.mean(left)) < 1.5


@pytest.mark.parametrize("gain", [2.0**-6, 0.25, 8.0])
def test_a_gain_of_a_power_of_two_changes_nothing(gain):
    waveform, _, _ = speechlike(2)
    one = YaaptCompatTracker().track(waveform)
    other = YaaptCompatTracker().track(Waveform(waveform.samples * np.float32(gain), RATE, "louder"))
    np.testing.assert_array_equal(one.f0_hz, other.f0_hz)


@pytest.mark.parametrize("gain", [0.01, 0.3, 100.0])
def test_any_other_gain_changes_no_voicing_and_hardly_an_f0(gain):
    waveform, _, _ = speechlike(2)
    one = YaaptCompatTracker().track(waveform)
    other = YaaptCompatTracker().track(Waveform(waveform.samples * np.float32(gain), RATE, "louder"))
    np.testing.assert_array_equal(one.voiced, other.voiced)
    assert np.mean(np.abs(one.f0_hz - other.f0_hz) > 0.1) <= 0.01


def test_another_sample_rate_is_refused_with_the_way_out():
    with pytest.raises(DataError, match=r"44100 Hz, yaapt-compat needs 16000 Hz; call audio\.resample"):
        YaaptCompatTracker().track(tone(100.0, sample_rate=44_100))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"hop_ms": 30.0}, "hop_ms is 30, frame_length_ms 25"),
        ({"hop_ms": 0.0}, "hop_ms is 0"),
        ({"frame_length_ms": 128.0}, "2048 samples at 16000 Hz; 16 to 2047"),
        ({"frame_length_ms": 0.9, "hop_ms": 0.5}, "14 samples at 16000 Hz; 16 to 2047"),
        ({"f0_min_hz": 250.0}, "at least twice f0_min_hz"),
        ({"f0_max_hz": 1_900.0}, "f0_max_hz 1900; .* is accepted at 16000 Hz"),
        ({"f0_min_hz": 0.5}, "f0_min_hz is 0.5"),
        ({"sample_rate": 3_000}, "above 3000 Hz"),
        ({"frame_length_ms": math.nan}, "frame_length_ms is nan"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(SpecError, match=said):
        YaaptCompatTracker(**settings)
