import importlib.util
import math
import pickle

import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.testing.signals import noise, silence, speechlike, tone
from otoscope.testing.trackers import glide_errors

parselmouth = pytest.importorskip("parselmouth")

from otoscope.f0.praat import PraatTracker  # noqa: E402

RATE = 16_000
TOL_TONE_CENTS = 0.2
TOL_CLOCK_MS = 0.1
RANGES = ((70, 140), (100, 200), (120, 240), (180, 360))


def cents(f0_hz, true_hz):
    return 1200 * np.log2(f0_hz / true_hz)


def cut(waveform, n_samples):
    return Waveform(waveform.samples[:n_samples], RATE, "cut")


@pytest.mark.parametrize("f0_hz", [62.0, 100.0, 141.4, 200.0, 320.0, 395.0])
def test_a_tone_has_its_own_f0(f0_hz):
    track = PraatTracker().track(tone(f0_hz))
    assert track.voiced[1:-1].all()
    assert abs(np.nanmedian(cents(track.f0_hz, f0_hz))) <= TOL_TONE_CENTS


@pytest.mark.parametrize("octaves_per_s", [1.0, 2.0])
@pytest.mark.parametrize(("low_hz", "high_hz"), RANGES)
def test_glides_up_and_down_show_no_lag(low_hz, high_hz, octaves_per_s):
    glide = glide_errors(PraatTracker(), low_hz=low_hz, high_hz=high_hz, octaves_per_s=octaves_per_s)
    assert abs(glide.clock_ms) < TOL_CLOCK_MS
    assert abs(glide.bias_cents) < 0.5


@pytest.mark.parametrize("n_samples", [16_000, 16_037, 16_200])
def test_the_times_of_praats_own_frames_are_taken_from_praat(n_samples):
    # Its first frame moves with the length of the clip; on a fast glide a millisecond is 2.4 cents.
    waveform, true_hz, _ = speechlike(4)
    track = PraatTracker().track(cut(waveform, n_samples))
    sound = parselmouth.Sound(cut(waveform, n_samples).samples.astype(float), RATE)
    pitch = sound.to_pitch_ac(time_step=0.005, pitch_floor=60.0, pitch_ceiling=400.0)
    own, f0_hz = pitch.xs(), pitch.selected_array["frequency"]
    right = np.searchsorted(own, track.times)
    inside = (right > 0) & (right < own.size)
    right = np.clip(right, 1, own.size - 1)
    inside &= (f0_hz[right - 1] > 0) & (f0_hz[right] > 0)
    assert inside.sum() > 10
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.exp(np.interp(track.times, own, np.log(f0_hz)))
    np.testing.assert_allclose(track.f0_hz[inside], expected[inside], rtol=1e-6)
    steady = inside & np.isfinite(true_hz(track.times - 0.03)) & np.isfinite(true_hz(track.times + 0.03))
    assert np.abs(cents(track.f0_hz[steady], true_hz(track.times[steady]))).max() < 15


def test_voice_is_found_in_something_like_speech():
    wrong, n_frames = 0, 0
    for seed in range(4):
        waveform, true_hz, voiced = speechlike(200 + seed, noise_db=-10)
        track = PraatTracker().track(waveform)
        both = track.voiced & voiced(track.times)
        wrong += int(np.sum(track.voiced != voiced(track.times)))
        wrong += int(np.sum(np.abs(track.f0_hz[both] / true_hz(track.times[both]) - 1) > 0.2))
        n_frames += track.times.size
    assert wrong / n_frames < 0.02


@pytest.mark.parametrize("gain", [0.01, 0.07, 0.25, 4.0, 7.7, 100.0])
def test_the_level_changes_no_voicing(gain):
    waveform, _, _ = speechlike(3, noise_db=-30)
    other = PraatTracker().track(Waveform(waveform.samples * np.float32(gain), RATE, "other"))
    one = PraatTracker().track(waveform)
    np.testing.assert_array_equal(one.voiced, other.voiced)
    assert np.abs(cents(one.f0_hz, other.f0_hz)[one.voiced]).max() < 1
    if math.log2(gain).is_integer():
        np.testing.assert_array_equal(one.f0_hz, other.f0_hz)


@pytest.mark.parametrize("n_samples", [1, 399, 400, 719, 720, 799, 800, 801, 16_000])
def test_there_are_as_many_frames_as_convolutions_give_and_less_than_a_window_is_unvoiced(n_samples):
    track = PraatTracker().track(cut(tone(200.0), n_samples))
    assert track.times.size == max(0, (n_samples - 400) // 320 + 1 if n_samples >= 400 else 0)
    np.testing.assert_allclose(track.times, 0.0125 + 0.02 * np.arange(track.times.size))
    assert n_samples >= 800 or not track.voiced.any()


@pytest.mark.parametrize("f0_min_hz", [20.0, 47.3, 59.99, 70.0, 333.3])
def test_a_clip_of_exactly_one_window_is_never_refused(f0_min_hz):
    window = 3 * RATE / f0_min_hz
    for n_samples in {math.floor(window), math.ceil(window), math.ceil(window) + 1}:
        PraatTracker(f0_min_hz=f0_min_hz).track(cut(tone(350.0), n_samples))


@pytest.mark.parametrize("offset", [0.0, 0.5, -1.0])
def test_what_does_not_move_is_unvoiced(offset):
    track = PraatTracker().track(silence(1.0, offset=offset))
    assert track.times.size == 49
    assert not track.voiced.any()


def test_noise_and_digital_silence_between_voices_are_unvoiced():
    assert not PraatTracker().track(noise(0, duration_s=2.0)).voiced.any()
    voice = tone(200.0, duration_s=0.5).samples + np.float32(0.1)
    track = PraatTracker().track(Waveform(np.concatenate([voice, np.zeros(8_000, np.float32), voice]), RATE, "gap"))
    assert not track.voiced[(track.times > 0.55) & (track.times < 0.95)].any()
    assert track.voiced[(track.times > 0.05) & (track.times < 0.45)].all()


def test_the_score_is_the_strength_and_nan_where_praat_has_no_frame():
    track = PraatTracker().track(tone(200.0))
    assert np.isnan(track.score[0])
    assert np.all(track.score[1:-1] > 0.999)
    pure = PraatTracker().track(noise(1, duration_s=1.0))
    assert np.nanmax(pure.score) < 0.5


def test_every_setting_reaches_the_tracker():
    assert np.nanmedian(PraatTracker(f0_max_hz=600).track(tone(480.0)).f0_hz) == pytest.approx(480, rel=1e-3)
    assert not (PraatTracker().track(tone(480.0)).f0_hz > 405).any()
    assert not (PraatTracker(f0_min_hz=100).track(tone(80.0)).f0_hz < 95).any()
    waveform, _, _ = speechlike(0, noise_db=-3)
    shares = [PraatTracker(voicing_threshold=t).track(waveform).voiced.mean() for t in (0.2, 0.45, 0.9)]
    assert shares[0] > shares[1] > shares[2]
    waveform, _, _ = speechlike(0)
    shares = [PraatTracker(silence_threshold=t).track(waveform).voiced.mean() for t in (0.03, 0.5, 0.9)]
    assert shares[0] > shares[1] > shares[2]
    assert PraatTracker(frame_length_ms=40, hop_ms=5).track(waveform).times[:2].tolist() == [0.02, 0.025]
    changes = (
        *({}, {"f0_min_hz": 70}, {"f0_max_hz": 500}, {"hop_ms": 10}, {"frame_length_ms": 40}),
        *({"silence_threshold": 0.1}, {"voicing_threshold": 0.5}),
    )
    assert len({PraatTracker(**change).info.digest for change in changes}) == len(changes)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"f0_min_hz": 10}, "20 <= f0_min_hz < f0_max_hz <= 2000"),
        ({"f0_max_hz": math.nan}, "f0_max_hz nan"),
        ({"voicing_threshold": 1.0}, "voicing_threshold is 1; above 0 and below 1"),
        ({"silence_threshold": -0.1}, r"silence_threshold is -0\.1; at least 0 and below 1"),
        ({"silence_threshold": math.nan}, "silence_threshold is nan"),
        ({"hop_ms": 0.3}, r"hop_ms is 0\.3"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(SpecError, match=said):
        PraatTracker(**settings)


def test_another_sample_rate_is_refused_with_the_way_out():
    with pytest.raises(DataError, match=r"8000 Hz, praat needs 16000 Hz; call audio\.resample"):
        PraatTracker().track(tone(100.0, sample_rate=8_000))


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SpecError, match=r"parselmouth is not installed; pip install 'otoscope\[praat\]'"):
        PraatTracker()


def test_a_minute_is_tracked_whole_and_twice_alike():
    waveform, _, voiced = speechlike(9, duration_s=60.0)
    one, other = PraatTracker().track(waveform), PraatTracker().track(waveform)
    assert one.times.size == (60 * RATE - 400) // 320 + 1
    np.testing.assert_array_equal(one.f0_hz, other.f0_hz)
    assert np.mean(one.voiced == voiced(one.times)) > 0.97


def test_the_tracker_is_a_value_that_travels():
    tracker = PraatTracker(hop_ms=10)
    assert pickle.loads(pickle.dumps(tracker)) == tracker
