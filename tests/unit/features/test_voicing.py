"""F0, periods, partials and resonances of signals whose answers are known."""

import numpy as np
import pytest

from otoscope.features.contours import run_lengths, slopes_of, smooth, smooth_within, turning_points
from otoscope.features.formants import find_formants, find_notches, predictor
from otoscope.features.harmonics import formant_levels, harmonic_levels, harmonics_to_noise
from otoscope.features.periods import find_periods, jitter_and_shimmer
from otoscope.features.voice_spectra import SHAPES, frame_starts, short_spectra, spectral_shapes
from otoscope.features.voicing import FRAME, cheapest_path, track_voice

RATE = 22_050
TOL_CENTS = 6
TOL_FORMANT_HZ = 65  # two periods of 100 Hz in a frame of 20 ms draw the lowest towards a partial
VOWEL = ((700, 90), (1200, 100), (2600, 140), (3600, 200), (4600, 250))


def levelled(samples):
    return (0.1 * samples / np.sqrt(np.mean(np.square(samples)))).astype(np.float32)


def partials(f0_hz, levels_db, duration_s=1.0, rate=RATE):
    time = np.arange(int(duration_s * rate)) / rate
    tones = (10 ** (db / 20) * np.cos(2 * np.pi * f0_hz * (i + 1) * time) for i, db in enumerate(levels_db))
    return np.sum(list(tones), axis=0)


def pulses(periods, heights, length=RATE):
    """Smooth pulses (nothing above 4 kHz) at running sums of periods in samples."""
    spectrum = np.zeros(length // 2 + 1, dtype=complex)
    frequency = np.arange(spectrum.size) / length
    for at, height in zip(np.cumsum(periods) - 80, heights, strict=True):
        if at < length:
            spectrum += height * np.exp(-2j * np.pi * frequency * at)
    return np.fft.irfft(spectrum * np.exp(-((frequency / 0.08) ** 2)), length)


def through(samples, resonances, rate=RATE):
    from scipy.signal import lfilter

    for hz, width in resonances:
        radius = np.exp(-np.pi * width / rate)
        samples = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * hz / rate), radius**2], samples)
    return samples


def vowel(f0_hz=120.0, resonances=VOWEL):
    buzz = np.zeros(RATE)
    buzz[:: round(RATE / f0_hz)] = 1
    return levelled(through(buzz, resonances))


@pytest.mark.parametrize("f0_hz", [58.0, 110.0, 233.1, 440.0, 932.3])
def test_the_f0_of_a_tone_with_partials_is_found(f0_hz):
    track = track_voice(levelled(partials(f0_hz, -3.0 * np.arange(10))))
    assert track.voiced.all()
    np.testing.assert_allclose(1200 * np.log2(track.f0_hz / f0_hz), 0, atol=TOL_CENTS)


def test_the_f0_of_glides_up_and_down_is_that_at_the_middle_of_the_frame():
    time = np.arange(RATE) / RATE
    for sign in (1, -1):
        phase = 2 * np.pi * 200 * (np.exp2(sign * time) - 1) / (sign * np.log(2))
        track = track_voice(levelled(sum(np.cos(k * phase) / k for k in range(1, 9))))
        centre = (track.starts + FRAME / 2) / RATE
        cents = 1200 * np.log2(track.f0_hz / (200 * np.exp2(sign * centre)))
        assert abs(np.median(cents)) < TOL_CENTS


def test_a_missing_fundamental_is_heard_and_noise_is_not(rng):
    without = levelled(partials(150, [-200, 0, 0, 0, 0, 0, 0, 0]))
    np.testing.assert_allclose(track_voice(without).f0_hz, 150, rtol=0.01)
    assert track_voice(levelled(rng.standard_normal(2 * RATE))).voiced.mean() < 0.02


def test_gates_are_found_to_a_frame_and_quiet_frames_have_no_lead():
    tone = partials(200, -3.0 * np.arange(8), 2.0)
    gate = (np.arange(2 * RATE) // (RATE // 2)) % 2 == 0
    track = track_voice(levelled(tone * (gate + 1e-4)))
    np.testing.assert_allclose(run_lengths(track.voiced), 50, atol=5)
    assert run_lengths(track.voiced).size == 2


def test_the_path_leaves_out_a_lone_jump_and_a_lone_gap():
    f0_hz = np.tile([200.0, 400.0], (21, 1))
    voicing = np.tile([0.90, 0.88], (21, 1))
    voicing[10] = [0.85, 0.9]
    voicing[15] = [0.69, 0.3]
    np.testing.assert_array_equal(cheapest_path(f0_hz, voicing), 200)
    voicing[5:16] = 0.3
    path = cheapest_path(f0_hz, voicing)
    assert np.isnan(path[5:16]).all()
    assert (path[:5] == 200).all()
    voicing[:] = -np.inf
    assert np.isnan(cheapest_path(np.ones((21, 2)), voicing)).all()


@pytest.mark.parametrize("percent", [0.5, 2.0, 5.0])
def test_jitter_of_periods_that_are_long_and_short_by_turns(percent):
    n, mean = 150, RATE / 130
    length = mean * (1 + percent / 200 * np.where(np.arange(n) % 2, 1, -1))
    x = levelled(pulses(length, np.ones(n)))
    starts = frame_starts(x.size, FRAME)
    periods = find_periods(x, np.full(starts.size, 130.0), starts, FRAME)
    jitter, shimmer = jitter_and_shimmer(periods, starts, FRAME)
    assert np.nanmedian(jitter) == pytest.approx(percent / 100, rel=0.1)
    assert np.nanmedian(shimmer) < 0.5


@pytest.mark.parametrize("db", [0.5, 2.0])
def test_shimmer_of_periods_that_are_high_and_low_by_turns(db):
    n = 150
    x = levelled(pulses(np.full(n, 170.0), 10 ** (db / 40 * np.where(np.arange(n) % 2, 1, -1))))
    starts = frame_starts(x.size, FRAME)
    f0_hz = np.full(starts.size, RATE / 170)
    periods = find_periods(x, f0_hz, starts, FRAME)
    jitter, shimmer = jitter_and_shimmer(periods, starts, FRAME)
    np.testing.assert_allclose(periods[2:-2, 1], 170, atol=0.1)
    assert np.nanmedian(shimmer) == pytest.approx(db, rel=0.05)
    assert np.nanmedian(jitter) < 1e-3


def test_there_are_no_periods_without_an_f0():
    x = np.zeros(RATE, dtype=np.float32)
    starts = frame_starts(x.size, FRAME)
    periods = find_periods(x, np.full(starts.size, np.nan), starts, FRAME)
    assert periods.shape == (0, 5)
    assert all(np.isnan(curve).all() for curve in jitter_and_shimmer(periods, starts, FRAME))


@pytest.mark.parametrize("noise_db", [-20.0, -10.0, -3.0])
def test_harmonics_rise_above_noise_by_what_was_mixed(rng, noise_db):
    tone = levelled(partials(500, np.zeros(8)))
    noise = levelled(rng.standard_normal(RATE)) * 10 ** (noise_db / 20)
    track = track_voice(tone)
    mixed = track_voice(tone + noise.astype(np.float32))
    hnr = harmonics_to_noise(mixed.magnitude, track.f0_hz)
    window = np.exp(-0.5 * (np.linspace(-1, 1, FRAME) / 0.4) ** 2)
    repeats = (window[44:] @ window[:-44]) / (window @ window) / (1 + 10 ** (noise_db / 10))
    assert np.median(hnr) == pytest.approx(10 * np.log10(repeats / (1 - repeats)), abs=0.7)


def test_partials_have_the_levels_that_they_were_given():
    given = np.array([0.0, -6, 3, -12, -20])
    track = track_voice(levelled(partials(220, given)))
    levels = harmonic_levels(track.magnitude, track.f0_hz)
    np.testing.assert_allclose(np.median(levels[:, :5] - levels[:, :1], axis=0), given, atol=0.6)
    assert np.isnan(levels[:, 50:]).all()
    near = formant_levels(levels, track.f0_hz, np.tile([660.0, 120.0, np.nan], (track.f0_hz.size, 1)))
    np.testing.assert_allclose(np.median(near[:, 0]), 3, atol=0.6)
    assert np.isnan(near[:, 1:]).all()


@pytest.mark.parametrize(
    "resonances", [VOWEL, ((300, 60), (2200, 100), (3000, 150), (3700, 200), (4600, 250))], ids=["a", "i"]
)
def test_resonances_of_filtered_pulses_are_found(resonances):
    x = vowel(100.0, resonances)
    found = find_formants(short_spectra(x, frame_starts(x.size, 441)[5:-5]))
    np.testing.assert_allclose(np.median(found.hz, axis=0), [hz for hz, _ in resonances[:3]], atol=TOL_FORMANT_HZ)
    assert np.median(found.width_hz) < 300


def test_a_prediction_finds_the_weights_of_an_autoregression(rng):
    weights = np.array([1.2, -0.7])
    angle = 2 * np.pi * np.arange(257) * RATE / 512 / 11_000
    gain = 1 / np.abs(1 - weights @ np.exp(-1j * angle * np.array([[1], [2]]))) ** 2
    gain *= angle <= np.pi
    given = predictor(gain[None].astype(np.float32), 2, n_bins=128, emphasis=0.0)
    np.testing.assert_allclose(given[0], weights, atol=0.03)


def test_notches_of_a_tone_are_spread_where_its_formant_is_sharp():
    x = levelled(partials(1000, [0.0]))
    power = short_spectra(x, frame_starts(x.size, 441))
    sharp, spread = find_formants(power), find_notches(power)
    assert np.nanmin(np.abs(sharp.hz - 1000), axis=1).max() < 60
    assert np.median(spread.width_hz[:, 0]) > 600


def test_alpha_ratio_and_hammarberg_index_of_two_tones():
    for db in (-20.0, 6.0):
        x = levelled(partials(500, [0, *[-200] * 7, db]))
        shapes = dict(zip(SHAPES, spectral_shapes(x, frame_starts(x.size, 441)), strict=True))
        assert np.median(shapes["alpha"]) == pytest.approx(db, abs=0.3)
        assert np.median(shapes["hammarberg"]) == pytest.approx(-db, abs=1.0)


def test_slopes_of_noise_shaped_by_so_many_db_per_khz(rng):
    spectrum = np.fft.rfft(rng.standard_normal(4 * RATE))
    khz = np.fft.rfftfreq(4 * RATE, 1 / RATE) / 1000
    x = levelled(np.fft.irfft(spectrum * 10 ** (-30 * np.minimum(khz, 3) / 20)))
    shapes = dict(zip(SHAPES, spectral_shapes(x, frame_starts(x.size, 441)), strict=True))
    assert shapes["slope_low"].mean() == pytest.approx(-30, abs=4)
    assert shapes["slope_mid"].mean() == pytest.approx(-30, abs=2)
    assert np.abs(shapes["mfcc1"]).max() < 200


def test_a_steady_tone_does_not_change_and_a_click_does():
    steady = levelled(partials(1000, [0.0]))
    click = steady.copy()
    click[11_000] += 3
    starts = frame_starts(steady.size, 441)
    flux = [spectral_shapes(x, starts)[SHAPES.index("flux")] for x in (steady, click)]
    assert flux[0].max() < 0.1 * flux[1].max()
    assert np.argmax(flux[1]) in range(47, 52)


def test_chunks_of_frames_do_not_show(monkeypatch, rng):
    x = levelled(rng.standard_normal(RATE))
    starts = frame_starts(x.size, 441)
    whole = spectral_shapes(x, starts)
    monkeypatch.setattr("otoscope.features.voice_spectra._CHUNK", 7)
    np.testing.assert_allclose(spectral_shapes(x, starts), whole, rtol=1e-4, atol=1e-4)


def test_a_curve_turns_only_where_it_comes_back_far_enough():
    curve = np.array([0.0, 4, 3.9, 8, 2, 2.1, 1, 6])
    assert turning_points(curve, 0.5).tolist() == [0, 3, 6, 7]
    assert turning_points(-curve, 0.5).tolist() == [0, 3, 6, 7]
    assert turning_points(np.ones(5), 0.0).tolist() == []
    slopes = slopes_of(curve, 10.0)
    assert slopes.rise_mean == pytest.approx((80 / 3 + 50) / 2)
    assert slopes.fall_mean == pytest.approx(70 / 3)
    assert np.isnan(slopes.fall_std)
    assert slopes.peaks == 1
    assert slopes_of(np.array([0.0, 5, 3.5, 10, 0]), 10.0).peaks == 2  # the dip is more than a tenth of the range
    assert slopes_of(np.array([0.0, 5, 4.5, 10, 0]), 10.0).peaks == 1


def test_smoothing_keeps_lines_and_gaps():
    line = np.arange(6.0)
    np.testing.assert_allclose(smooth(line)[1:-1], line[1:-1])
    gapped = np.array([1.0, 3.0, np.nan, 5.0])
    np.testing.assert_allclose(smooth_within(gapped), [2, 2, np.nan, 5])
