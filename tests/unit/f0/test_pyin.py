import math
import pickle

import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.testing.signals import noise, silence, speechlike, tone
from otoscope.testing.trackers import glide_errors

librosa = pytest.importorskip("librosa")

from otoscope.f0.pyin import PyinTracker  # noqa: E402

RATE = 16_000
TOL_TONE_CENTS = 6.0  # half of pYIN's steps of 10 cents, and a little
TOL_CLOCK_MS = 1.0


def cents(f0_hz, true_hz):
    return 1200 * np.log2(f0_hz / true_hz)


def cut(waveform, n_samples):
    return Waveform(waveform.samples[:n_samples], RATE, "cut")


@pytest.mark.parametrize("f0_hz", [62.0, 100.0, 141.4, 320.0, 380.0])
def test_a_tone_has_its_own_f0(f0_hz):
    track = PyinTracker().track(tone(f0_hz, duration_s=0.5))
    assert track.voiced[2:-2].all()
    assert abs(np.nanmedian(cents(track.f0_hz, f0_hz))) <= TOL_TONE_CENTS


@pytest.mark.parametrize(("low_hz", "high_hz"), [(70, 140), (100, 200), (120, 240), (180, 360)])
def test_glides_up_and_down_show_no_lag(low_hz, high_hz):
    glide = glide_errors(PyinTracker(), low_hz=low_hz, high_hz=high_hz)
    assert abs(glide.clock_ms) < TOL_CLOCK_MS
    assert abs(glide.bias_cents) < 4


def test_on_voice_it_says_what_librosa_says():
    waveform, _, _ = speechlike(4, duration_s=2.0)
    track = PyinTracker(hop_ms=10, frame_length_ms=20).track(waveform)
    f0_hz, voiced, probability = librosa.pyin(
        waveform.samples.astype(float), fmin=60, fmax=400, sr=RATE, frame_length=1024, hop_length=160
    )
    own = slice(1, 1 + track.times.size)  # frame 0 of the grid has its centre at 10 ms, on librosa's frame 1
    assert np.mean(track.voiced == voiced[own]) > 0.97
    both = track.voiced & voiced[own]
    assert np.mean(np.abs(cents(track.f0_hz[both], f0_hz[own][both])) < 0.01) > 0.97
    assert np.corrcoef(track.score, probability[own])[0, 1] > 0.99


def test_voice_is_found_a_little_wide_in_something_like_speech():
    wrong, missed, n_frames = 0, 0, 0
    for seed in range(2):
        waveform, true_hz, voiced = speechlike(200 + seed)
        track = PyinTracker().track(waveform)
        truth = voiced(track.times)
        both = track.voiced & truth
        assert np.abs(track.f0_hz[both] / true_hz(track.times[both]) - 1).max() < 0.2
        wrong += int(np.sum(track.voiced != truth))
        missed += int(np.sum(truth & ~track.voiced))
        n_frames += track.times.size
    assert wrong / n_frames < 0.09
    assert missed / n_frames < 0.01


@pytest.mark.parametrize("gain", [0.01, 0.25, 7.7, 100.0])
def test_the_level_changes_no_voicing(gain):
    waveform, _, _ = speechlike(3, noise_db=-30, duration_s=2.0)
    other = PyinTracker().track(Waveform(waveform.samples * np.float32(gain), RATE, "other"))
    one = PyinTracker().track(waveform)
    np.testing.assert_array_equal(one.voiced, other.voiced)
    assert np.mean(np.abs(cents(one.f0_hz, other.f0_hz)[one.voiced]) > 1) <= 1e-3


@pytest.mark.parametrize("n_samples", [1, 2, 399, 400, 719, 720, 1_025, 8_000])
def test_there_are_as_many_frames_as_convolutions_give(n_samples):
    track = PyinTracker().track(cut(tone(200.0), n_samples))
    assert track.times.size == max(0, (n_samples - 400) // 320 + 1 if n_samples >= 400 else 0)
    np.testing.assert_allclose(track.times, 0.0125 + 0.02 * np.arange(track.times.size))


@pytest.mark.parametrize("offset", [0.0, 0.5, -1.0])
def test_what_does_not_move_is_unvoiced(offset):
    track = PyinTracker().track(silence(1.0, offset=offset))
    assert track.times.size == 49
    assert not track.voiced.any()


def test_noise_and_a_click_are_unvoiced():
    assert not PyinTracker().track(noise(0)).voiced.any()
    click = np.zeros(RATE, dtype=np.float32)
    click[8_000] = 1
    assert not PyinTracker().track(Waveform(click, RATE, "click")).voiced.any()


@pytest.mark.parametrize("offset", [0.0, 1e-3, 0.1])
def test_digital_silence_between_voices_is_unvoiced(offset):
    voice = tone(200.0, duration_s=0.5).samples + np.float32(offset)
    waveform = Waveform(np.concatenate([voice, np.zeros(8_000, np.float32), voice]), RATE, "gap")
    track = PyinTracker().track(waveform)
    assert not track.voiced[(track.times > 0.55) & (track.times < 0.95)].any()
    assert track.voiced[(track.times > 0.05) & (track.times < 0.45)].all()


def test_every_setting_reaches_the_tracker():
    high = tone(480.0, duration_s=0.5)
    assert np.nanmedian(PyinTracker(f0_max_hz=600).track(high).f0_hz) == pytest.approx(480, rel=5e-3)
    assert not (PyinTracker().track(high).f0_hz > 405).any()
    assert not (PyinTracker(f0_min_hz=100).track(tone(80.0, duration_s=0.5)).f0_hz < 95).any()
    waveform, _, _ = speechlike(0, noise_db=-3, duration_s=2.0)
    restless, steady = (PyinTracker(switch_probability=p).track(waveform) for p in (0.4, 1e-6))
    assert np.sum(np.diff(restless.voiced)) > np.sum(np.diff(steady.voiced))
    assert PyinTracker(frame_length_ms=40, hop_ms=5).track(high).times[:2].tolist() == [0.02, 0.025]
    changes = (
        *({}, {"f0_min_hz": 70}, {"f0_max_hz": 500}, {"hop_ms": 10}, {"frame_length_ms": 40}),
        {"switch_probability": 0.02},
    )
    assert len({PyinTracker(**change).info.digest for change in changes}) == len(changes)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"f0_min_hz": 30}, "32 <= f0_min_hz < f0_max_hz <= 2000"),
        ({"f0_max_hz": math.nan}, "f0_max_hz nan"),
        ({"f0_min_hz": 100, "f0_max_hz": 149}, r"at least 1\.5 times f0_min_hz"),
        ({"switch_probability": 1.0}, "switch_probability is 1; above 0 and below 1"),
        ({"switch_probability": math.nan}, "switch_probability is nan"),
        ({"hop_ms": 0.3}, r"hop_ms is 0\.3"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(SpecError, match=said):
        PyinTracker(**settings)


@pytest.mark.parametrize(("low_hz", "high_hz"), [(32, 48), (32, 2_000), (1_333, 2_000), (60, 90)])
def test_the_widest_and_the_narrowest_ranges_work(low_hz, high_hz):
    track = PyinTracker(f0_min_hz=low_hz, f0_max_hz=high_hz).track(tone(200.0, duration_s=0.3))
    assert not (track.f0_hz < low_hz - 0.1).any()
    assert not (track.f0_hz > high_hz + 0.1).any()


def test_another_sample_rate_is_refused_with_the_way_out():
    with pytest.raises(DataError, match=r"8000 Hz, pyin needs 16000 Hz; call audio\.resample"):
        PyinTracker().track(tone(100.0, sample_rate=8_000))


@pytest.mark.slow
def test_a_minute_is_tracked_whole():
    waveform, _, voiced = speechlike(9, duration_s=60.0)
    track = PyinTracker().track(waveform)
    assert track.times.size == (60 * RATE - 400) // 320 + 1
    assert np.mean(track.voiced == voiced(track.times)) > 0.9


def test_the_tracker_is_a_value_that_travels():
    tracker = PyinTracker(hop_ms=10)
    assert pickle.loads(pickle.dumps(tracker)) == tracker
