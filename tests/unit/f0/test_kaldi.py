import math

import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.f0.kaldi import KaldiTracker, voicing_from_pov_feature
from otoscope.frames import FrameGrid
from otoscope.testing.signals import noise, silence, speechlike, tone
from otoscope.testing.trackers import glide_errors

TOL_TONE_CENTS = 18.0  # two steps of Kaldi's lags, which are 8.6 cents apart
TOL_CLOCK_MS = 0.8
RATE = 16_000


def cents(f0_hz, true_hz):
    return 1200 * np.log2(f0_hz / true_hz)


def cut(waveform, n_samples):
    return Waveform(waveform.samples[:n_samples], waveform.sample_rate, "cut")


def test_the_probability_of_voicing_follows_the_published_curve():
    for correlation in (-0.7, 0.0, 0.3, 0.8, 1.0):
        a = abs(correlation)
        logit = -5.2 + 5.4 * math.exp(7.5 * (a - 1)) + 4.8 * a - 2 * math.exp(-10 * a) + 4.2 * math.exp(20 * (a - 1))
        feature = np.array([(1.0001 - correlation) ** 0.15 - 1], dtype=np.float64)
        assert voicing_from_pov_feature(feature)[0] == pytest.approx(1 / (1 + math.exp(-logit)), rel=1e-9)


def test_the_probability_of_voicing_rises_with_the_correlation_from_nearly_0_to_nearly_1():
    correlation = np.linspace(0, 1, 101)
    voicing = voicing_from_pov_feature((1.0001 - correlation) ** 0.15 - 1)
    assert (np.diff(voicing) > 0).all()
    assert voicing[0] < 0.001
    assert voicing[-1] > 0.999


@pytest.mark.parametrize("f0_hz", [70, 100, 120, 160, 200, 250, 320, 380])
def test_a_tone_comes_out_at_its_frequency(f0_hz):
    track = KaldiTracker().track(tone(f0_hz))
    assert track.voiced.all()
    assert abs(np.median(cents(track.f0_hz, f0_hz))) < TOL_TONE_CENTS


@pytest.mark.parametrize("seed", range(4))
def test_speechlike_signals_come_out_voiced_where_they_are_and_at_their_f0(seed):
    waveform, true_hz, voiced = speechlike(seed)
    track = KaldiTracker().track(waveform)
    truth = voiced(track.times)
    assert np.mean(track.voiced != truth) < 0.03
    error = cents(track.f0_hz, true_hz(track.times))[truth & track.voiced]
    assert np.abs(error).max() < 300
    assert np.median(np.abs(error)) < 5


@pytest.mark.parametrize("frame_length_ms", [25, 40])
@pytest.mark.parametrize(("low_hz", "high_hz"), [(70, 140), (100, 200), (120, 240), (180, 360)])
def test_uncorrected_times_are_half_a_period_early_since_the_window_is_one_period_longer(
    low_hz, high_hz, frame_length_ms
):
    tracker = KaldiTracker(frame_length_ms=frame_length_ms, correction=False)
    glide = glide_errors(tracker, low_hz=low_hz, high_hz=high_hz)
    assert glide.clock_ms == pytest.approx(500 / math.sqrt(low_hz * high_hz), abs=TOL_CLOCK_MS)
    assert abs(glide.bias_cents) < 3


@pytest.mark.parametrize("hop_ms", [10, 16, 20])
@pytest.mark.parametrize("octaves_per_s", [0.5, 2.0])
@pytest.mark.parametrize(("low_hz", "high_hz"), [(70, 140), (100, 200), (120, 240), (180, 360)])
def test_values_are_dated_half_a_period_later_so_that_no_range_is_late(low_hz, high_hz, octaves_per_s, hop_ms):
    glide = glide_errors(KaldiTracker(hop_ms=hop_ms), low_hz=low_hz, high_hz=high_hz, octaves_per_s=octaves_per_s)
    assert abs(glide.clock_ms) < 1.0
    assert abs(glide.bias_cents) < 3


def test_the_correction_moves_values_between_frames_and_not_the_frames():
    waveform, _, _ = speechlike(0)
    on, off = KaldiTracker().track(waveform), KaldiTracker(correction=False).track(waveform)
    np.testing.assert_array_equal(on.times, off.times)
    assert off.times[0] == 0.0125
    assert np.mean(on.voiced == off.voiced) > 0.9
    assert on.tracker.digest != off.tracker.digest


def test_an_octave_jump_between_frames_that_are_close_does_not_turn_time_round():
    sound = np.concatenate([tone(65.0, duration_s=0.3).samples, tone(390.0, duration_s=0.3).samples] * 3)
    track = KaldiTracker(hop_ms=1).track(Waveform(sound, RATE, "jumps"))
    assert track.voiced.mean() > 0.9


def test_the_score_is_the_probability_that_the_threshold_is_laid_on():
    waveform, _, _ = speechlike(0)
    track = KaldiTracker(correction=False).track(waveform)
    np.testing.assert_array_equal(track.voiced, track.score > 0.15)


@pytest.mark.parametrize(("hop_ms", "hop"), [(10.0, 160), (20.0, 320)])
def test_there_are_as_many_frames_as_convolutions_of_that_hop_give(hop_ms, hop):
    sound = noise(0, duration_s=0.2)
    grid = FrameGrid(RATE, hop=hop, receptive_field=400)
    tracker = KaldiTracker(hop_ms=hop_ms)
    for n_samples in (*range(400, 410), *range(714, 726), *range(1_034, 1_046), 3_200):
        track = tracker.track(cut(sound, n_samples))
        assert track.times.size == grid.count(n_samples) == (n_samples - 400) // hop + 1


def test_one_frame_is_the_least_and_the_message_says_how_long_that_is():
    sound = noise(0, duration_s=0.2)
    assert KaldiTracker().track(cut(sound, 400)).times.size == 1
    with pytest.raises(DataError, match=r"^cut: lasts 24\.9 ms \(399 samples\).*25 ms \(400 samples\)"):
        KaldiTracker().track(cut(sound, 399))


def test_a_direct_current_changes_nothing():
    # Faint speech on a large offset is what single precision loses: without the mean, 44 % of frames change.
    waveform, _, _ = speechlike(1, peak=5e-4)
    lifted = Waveform(waveform.samples + np.float32(0.9), RATE, "lifted")
    plain, other = KaldiTracker().track(waveform), KaldiTracker().track(lifted)
    assert np.mean(plain.voiced == other.voiced) > 0.99
    assert np.abs(cents(plain.f0_hz, other.f0_hz)[plain.voiced & other.voiced]).max() < 9


def test_a_hum_below_80_db_is_silence():
    assert not KaldiTracker().track(tone(100.0, peak=9e-5)).voiced.any()
    assert KaldiTracker().track(tone(100.0, peak=2e-4)).voiced.all()


@pytest.mark.parametrize("offset", [0.0, 0.5, -1.0])
def test_what_does_not_move_is_unvoiced(offset):
    track = KaldiTracker().track(silence(1.0, offset=offset))
    assert track.times.size == 98
    assert not track.voiced.any()


def test_fewer_frames_than_the_signal_holds_are_refused(monkeypatch):
    import kaldi_native_fbank

    few = np.zeros((3, 2), dtype=np.float32)
    monkeypatch.setattr(kaldi_native_fbank, "compute_and_process_kaldi_pitch", lambda *_: few)
    with pytest.raises(DataError, match="kaldi gave 3 frames where 98 were expected"):
        KaldiTracker().track(tone(200.0))


def test_white_noise_is_unvoiced():
    assert KaldiTracker().track(noise(0, duration_s=2.0)).voiced.mean() < 0.02


def test_every_setting_reaches_the_tracker():
    high = tone(500.0)
    assert np.nanmedian(cents(KaldiTracker(f0_max_hz=600).track(high).f0_hz, 500)) == pytest.approx(0, abs=18)
    assert not (KaldiTracker().track(high).f0_hz > 405).any()
    low = tone(70.0)
    assert not (KaldiTracker(f0_min_hz=100).track(low).f0_hz < 95).any()
    waveform, _, _ = speechlike(0, noise_db=-5)
    shares = [KaldiTracker(pov_threshold=t).track(waveform).voiced.mean() for t in (0.01, 0.15, 0.9)]
    assert shares[0] > shares[1] > shares[2]
    track = KaldiTracker(frame_length_ms=40, hop_ms=5, correction=False).track(waveform)
    assert track.times[:2].tolist() == [0.02, 0.025]
    described = [KaldiTracker(**change).info.digest for change in ({}, {"f0_max_hz": 500}, {"pov_threshold": 0.1})]
    assert len(set(described)) == 3


def test_equal_settings_have_equal_digests_however_the_numbers_are_written():
    assert KaldiTracker(hop_ms=20).info.digest == KaldiTracker(hop_ms=20.0).info.digest


def test_another_sample_rate_is_refused_with_the_way_out():
    with pytest.raises(DataError, match=r"8000 Hz, kaldi needs 16000 Hz; call audio\.resample"):
        KaldiTracker().track(tone(100.0, sample_rate=8_000))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"f0_min_hz": 400, "f0_max_hz": 60}, "f0_min_hz is 400 and f0_max_hz 60"),
        ({"f0_max_hz": math.nan}, "f0_max_hz nan"),
        ({"f0_max_hz": 2_000}, "<= 1000"),
        ({"hop_ms": 10.1}, r"hop_ms is 10\.1; multiples of 0\.25 ms"),
        ({"hop_ms": 0}, "hop_ms is 0"),
        ({"frame_length_ms": math.nan}, "frame_length_ms is nan"),
        ({"pov_threshold": 1.0}, "pov_threshold is 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(SpecError, match=said):
        KaldiTracker(**settings)


def test_rumble_below_the_range_is_not_voice():
    speech, _, voiced = speechlike(1, noise_db=-50)
    seconds = np.arange(speech.samples.size) / 16_000
    rumble = Waveform((speech.samples + 0.2 * np.sin(2 * np.pi * 16 * seconds)).astype(np.float32), 16_000, "lorry")
    errors = {}
    for highpass_hz in (0.0, 40.0):
        tracker = KaldiTracker(highpass_hz=highpass_hz)
        clean, noisy = tracker.track(speech), tracker.track(rumble)
        truth = voiced(clean.times)
        errors[highpass_hz] = [float(np.mean(t.voiced != truth)) for t in (clean, noisy)]
    assert errors[40.0][1] < errors[40.0][0] + 0.01
    assert errors[0.0][1] > errors[40.0][1] + 0.1
    with pytest.raises(SpecError, match="highpass_hz is 80"):
        KaldiTracker(highpass_hz=80.0)


def test_a_file_at_the_scale_of_16_bit_integers_is_heard_like_any_other():
    speech, _, _ = speechlike(2)
    loud = Waveform((32_768 * speech.samples).astype(np.float32), 16_000, "loud")
    one, other = KaldiTracker().track(speech), KaldiTracker().track(loud)
    assert np.mean(one.voiced == other.voiced) > 0.99
    both = one.voiced & other.voiced
    assert np.median(np.abs(cents(other.f0_hz[both], one.f0_hz[both]))) < 1
