import importlib.util
import math
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.testing.signals import noise, silence, speechlike, tone
from otoscope.testing.trackers import glide_errors

swift_f0 = pytest.importorskip("swift_f0")

from otoscope.f0 import swift  # noqa: E402
from otoscope.f0.swift import SwiftTracker  # noqa: E402

RATE = 16_000
TOL_TONE_CENTS = 9.0
TOL_CLOCK_MS = 0.5
RANGES = ((70, 140), (100, 200), (120, 240), (180, 360))


def cents(f0_hz, true_hz):
    return 1200 * np.log2(f0_hz / true_hz)


def cut(waveform, n_samples):
    return Waveform(waveform.samples[:n_samples], RATE, "cut")


def scaled(waveform, gain):
    return Waveform(waveform.samples * np.float32(gain), RATE, waveform.clip_id)


@pytest.mark.parametrize("f0_hz", [80.0, 100.0, 141.4, 200.0, 320.0])
def test_a_tone_has_its_own_f0(f0_hz):
    track = SwiftTracker().track(tone(f0_hz))
    assert track.voiced[:-1].all()
    assert abs(np.nanmedian(cents(track.f0_hz, f0_hz))) <= TOL_TONE_CENTS


@pytest.mark.parametrize(("low_hz", "high_hz"), RANGES)
def test_glides_up_and_down_show_no_lag(low_hz, high_hz):
    glide = glide_errors(SwiftTracker(), low_hz=low_hz, high_hz=high_hz)
    assert abs(glide.clock_ms) < TOL_CLOCK_MS
    assert abs(glide.bias_cents) < 5
    assert glide.voiced == 1


def test_between_the_networks_frames_log_f0_is_interpolated_and_the_nearest_confidence_given():
    waveform, _, _ = speechlike(5)
    track = SwiftTracker().track(waveform)
    samples = waveform.samples - waveform.samples.mean(dtype=np.float64)
    plain = swift_f0.SwiftF0(threads=1).detect(
        (samples * 0.5 / np.abs(samples).max()).astype(np.float32), RATE, fmin=60, fmax=400
    )
    own = np.arange(plain.confidence.size) * 0.016
    nearest = np.array([np.argmin(np.abs(own - t) + 1e-12 * own) for t in track.times])
    np.testing.assert_array_equal(track.voiced, plain.confidence[nearest] >= 0.5)
    np.testing.assert_allclose(track.score, plain.confidence[nearest], atol=1e-12)
    log_f0 = np.interp(track.times, own, np.log(plain.pitch_hz))
    before = np.clip(np.floor(track.times / 0.016 + 1e-9).astype(int), 0, own.size - 2)
    inside = (plain.confidence[before] >= 0.5) & (plain.confidence[before + 1] >= 0.5)
    assert inside.sum() > 50
    np.testing.assert_allclose(track.f0_hz[inside], np.exp(log_f0)[inside], rtol=1e-9)


@pytest.mark.parametrize("noise_db", [-60.0, 0.0])
def test_voice_is_found_in_something_like_speech(noise_db):
    wrong, n_frames = 0, 0
    for seed in range(4):
        waveform, true_hz, voiced = speechlike(200 + seed, noise_db=noise_db)
        track = SwiftTracker().track(waveform)
        both = track.voiced & voiced(track.times)
        wrong += int(np.sum(track.voiced != voiced(track.times)))
        wrong += int(np.sum(np.abs(track.f0_hz[both] / true_hz(track.times[both]) - 1) > 0.2))
        n_frames += track.times.size
    assert wrong / n_frames < 0.03


@pytest.mark.parametrize("gain", [0.01, 0.07, 0.25, 4.0, 7.7, 100.0])
def test_the_level_changes_no_voicing(gain):
    waveform, _, _ = speechlike(3, noise_db=-30)
    one, other = SwiftTracker().track(waveform), SwiftTracker().track(scaled(waveform, gain))
    np.testing.assert_array_equal(one.voiced, other.voiced)
    assert np.abs(cents(one.f0_hz, other.f0_hz)[one.voiced]).max() < 1
    if math.log2(gain).is_integer():
        np.testing.assert_array_equal(one.f0_hz, other.f0_hz)


def test_faint_speech_is_heard_like_speech_of_ordinary_level():
    # The package's own answer on this clip is no confidence at all.
    waveform, _, voiced = speechlike(3, peak=9e-4)
    assert not swift_f0.SwiftF0(threads=1).detect(waveform.samples, RATE).confidence.any()
    track = SwiftTracker().track(waveform)
    assert np.mean(track.voiced == voiced(track.times)) > 0.95


@pytest.mark.parametrize("n_samples", [1, 8, 255, 399, 400, 511, 512, 719, 720, 16_000])
def test_there_are_as_many_frames_as_convolutions_give_and_too_short_is_unvoiced(n_samples):
    track = SwiftTracker().track(cut(tone(200.0), n_samples))
    assert track.times.size == max(0, (n_samples - 400) // 320 + 1 if n_samples >= 400 else 0)
    np.testing.assert_allclose(track.times, 0.0125 + 0.02 * np.arange(track.times.size))
    if n_samples < 512:
        assert not track.voiced.any()


@pytest.mark.parametrize("offset", [0.0, 0.5, -1.0])
def test_what_does_not_move_is_unvoiced(offset):
    track = SwiftTracker().track(silence(1.0, offset=offset))
    assert track.times.size == 49
    assert not track.voiced.any()
    assert np.isnan(track.score).all()


def test_noise_and_digital_silence_between_voices_are_unvoiced():
    assert SwiftTracker().track(noise(0, duration_s=2.0)).voiced.mean() < 0.03
    voice = tone(200.0, duration_s=0.5).samples
    track = SwiftTracker().track(Waveform(np.concatenate([voice, np.zeros(8_000, np.float32), voice]), RATE, "gap"))
    assert not track.voiced[(track.times > 0.55) & (track.times < 0.95)].any()
    assert track.voiced[(track.times > 0.05) & (track.times < 0.45)].all()


def test_every_setting_reaches_the_tracker():
    assert np.nanmedian(SwiftTracker(f0_max_hz=600).track(tone(480.0)).f0_hz) == pytest.approx(480, rel=0.02)
    assert not SwiftTracker().track(tone(480.0)).voiced.any()
    assert not SwiftTracker(f0_min_hz=100).track(tone(80.0)).voiced.any()
    waveform, _, _ = speechlike(0, noise_db=0)
    shares = [SwiftTracker(confidence=c).track(waveform).voiced.mean() for c in (0.1, 0.5, 0.98)]
    assert shares[0] > shares[1] > shares[2]
    assert SwiftTracker(frame_length_ms=40, hop_ms=5).track(waveform).times[:2].tolist() == [0.02, 0.025]
    changes = (
        {},
        {"f0_min_hz": 70},
        {"f0_max_hz": 500},
        {"confidence": 0.6},
        {"hop_ms": 10},
        {"frame_length_ms": 40},
    )
    assert len({SwiftTracker(**change).info.digest for change in changes}) == len(changes)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"f0_min_hz": 40}, "47 <= f0_min_hz < f0_max_hz <= 2093"),
        ({"f0_max_hz": 2_100}, "f0_max_hz 2100"),
        ({"f0_min_hz": math.nan}, "f0_min_hz is nan"),
        ({"f0_min_hz": 100, "f0_max_hz": 101}, r"at least 1\.05 times f0_min_hz"),
        ({"confidence": 0.0}, "confidence is 0; above 0 and below 1"),
        ({"confidence": math.nan}, "confidence is nan"),
        ({"hop_ms": 0.3}, r"hop_ms is 0\.3"),
        ({"frame_length_ms": 25.03}, r"frame_length_ms is 25\.03"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(SpecError, match=said):
        SwiftTracker(**settings)


def test_another_sample_rate_is_refused_with_the_way_out():
    with pytest.raises(DataError, match=r"8000 Hz, swift needs 16000 Hz; call audio\.resample"):
        SwiftTracker().track(tone(100.0, sample_rate=8_000))


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SpecError, match=r"swift_f0 is not installed; pip install 'otoscope\[swift\]'"):
        SwiftTracker()


def test_one_session_serves_a_process_on_one_thread(monkeypatch):
    made = []
    monkeypatch.setattr(swift_f0, "SwiftF0", lambda **options: made.append(options) or RealSwiftF0(**options))
    swift._detector.cache_clear()
    for tracker in (SwiftTracker(), SwiftTracker(confidence=0.6)):
        tracker.track(tone(200.0, duration_s=0.2))
    swift._detector.cache_clear()
    assert made == [{"threads": 1, "spin": False}]


RealSwiftF0 = swift_f0.SwiftF0


def test_threads_and_forked_processes_give_what_one_thread_gives():
    tracker = SwiftTracker()
    clips = [speechlike(seed, duration_s=1.5)[0] for seed in range(4)]
    alone = [tracker.track(clip).f0_hz for clip in clips]
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(alone, pool.map(tracker.track, clips), strict=True):
            np.testing.assert_array_equal(one, other.f0_hz)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        for one, other in zip(alone, pool.map(tracker.track, clips), strict=True):
            np.testing.assert_array_equal(one, other.f0_hz)
        own = pool.submit(n_sessions).result()
    assert own == n_sessions() + 1


def n_sessions():
    return swift._detector.cache_info().currsize


def test_the_tracker_is_a_value_that_travels():
    tracker = SwiftTracker(hop_ms=10)
    tracker.track(tone(200.0, duration_s=0.1))
    assert pickle.loads(pickle.dumps(tracker)) == tracker
    assert hash(tracker) == hash(SwiftTracker(hop_ms=10.0))
    with pytest.raises(FrozenInstanceError):
        tracker.hop_ms = 20.0


def test_a_minute_is_tracked_whole_though_the_package_cuts_it_inside():
    # The package runs 30 s at a time with enough of the neighbourhood: nothing may change where it cuts.
    waveform, _, _ = speechlike(9, duration_s=62.0)
    whole = SwiftTracker().track(waveform)
    assert whole.times.size == (62 * RATE - 400) // 320 + 1
    first = 1_280  # a row of the grid that begins with a frame of the network: 409,600 samples
    samples = waveform.samples[first * 320 :][: 10 * RATE].copy()
    samples[-1] = 0.5  # the peak of the whole, so that the level is the same
    part = SwiftTracker().track(Waveform(samples, RATE, "part"))
    judged = slice(50, 440)
    np.testing.assert_array_equal(part.voiced[judged], whole.voiced[first:][judged])
    moved = cents(part.f0_hz[judged], whole.f0_hz[first:][judged])
    assert np.nanmax(np.abs(moved)) < 0.5
    np.testing.assert_allclose(part.score[judged], whole.score[first:][judged], atol=0.01)
