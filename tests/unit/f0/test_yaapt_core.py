"""The kernels against plain definitions and against scipy."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from otoscope.f0.yaapt_core.energy import frame_energies
from otoscope.f0.yaapt_core.filtering import bandpass_pair, bandpass_taps
from otoscope.f0.yaapt_core.path import (
    cheapest_spectral_path,
    cheapest_voiced_path,
    fill_between,
    running_median,
)
from otoscope.f0.yaapt_core.settings import Plan
from otoscope.f0.yaapt_core.spectral import harmonic_correlation
from otoscope.f0.yaapt_core.temporal import likeness
from otoscope.f0.yaapt_core.transform import low_magnitudes


@pytest.mark.parametrize("sample_rate", [4_000, 16_000, 44_100])
def test_the_filter_is_a_windowed_sinc_as_scipy_designs_it(sample_rate):
    from scipy.signal import firwin

    expected = firwin(151, [50, 1500], pass_zero=False, fs=sample_rate)
    np.testing.assert_allclose(bandpass_taps(sample_rate), expected, atol=1e-15)


@pytest.mark.parametrize("n_samples", [1, 100, 1_898, 1_899, 30_367, 40_000])
@pytest.mark.parametrize("delay", [0, 75])
def test_signal_and_square_are_filtered_as_a_direct_sum_would(rng, n_samples, delay):
    samples = rng.standard_normal(n_samples).astype(np.float32)
    scale = 2.0 ** -np.frexp(np.abs(samples).max())[1]
    taps = bandpass_taps(16_000)
    for found, source in zip(bandpass_pair(samples, sample_rate=16_000, delay=delay), (1, 2), strict=True):
        expected = np.convolve((samples * scale).astype(np.float64) ** source, taps)[delay:][:n_samples]
        np.testing.assert_allclose(found, expected, atol=1e-14)


@pytest.mark.parametrize("delay", [0, 75])
def test_where_a_filter_sees_only_zeros_its_output_is_exactly_0(rng, delay):
    samples = np.zeros(6_000, dtype=np.float32)
    samples[2_000:3_000] = rng.standard_normal(1_000)
    silent = np.convolve(samples != 0, np.ones(151))[delay:][:6_000] == 0
    for found in bandpass_pair(samples, sample_rate=16_000, delay=delay):
        assert silent.sum() > 4_000
        assert not found[silent].any()
        assert (found[~silent] != 0).mean() > 0.99


@pytest.mark.parametrize(("frame", "hop", "bins"), [(400, 320, (60, 205)), (401, 100, (10, 60)), (16, 3, (0, 9))])
def test_energies_are_sums_of_magnitudes_of_a_long_transform(rng, frame, hop, bins):
    signal = rng.standard_normal(5_000)
    n_frames = (5_000 - frame) // hop + 1
    rows = np.stack([signal[i * hop : i * hop + frame] for i in range(n_frames)]) * np.hanning(frame + 2)[1:-1]
    expected = np.abs(np.fft.rfft(rows, 8192))[:, slice(*bins)].sum(axis=1)
    found = frame_energies(signal, frame=frame, hop=hop, n_frames=n_frames, bins=bins)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_frames_beyond_the_signal_are_refused(rng):
    with pytest.raises(ValueError, match="reach beyond"):
        frame_energies(rng.standard_normal(100), frame=50, hop=30, n_frames=3, bins=(1, 5))


@pytest.mark.parametrize(
    ("n_samples", "n_bins"), [(800, 1_035), (801, 883), (1_120, 1_035), (4_094, 4_097), (32, 9), (1, 5)]
)
def test_the_lower_bins_are_those_of_a_whole_transform(rng, n_samples, n_bins):
    rows = rng.standard_normal((3, n_samples))
    magnitudes = np.full((3, n_bins), np.nan)
    low_magnitudes(rows, magnitudes)
    np.testing.assert_allclose(magnitudes, np.abs(np.fft.rfft(rows, 8192))[:, :n_bins], atol=1e-11)


@pytest.mark.parametrize("sizes", [((2, 8_193), (2, 5)), ((2, 8), (2, 4_098)), ((2, 8), (3, 5))])
def test_a_transform_that_does_not_fit_is_refused(sizes):
    with pytest.raises(ValueError, match="fit"):
        low_magnitudes(np.zeros(sizes[0]), np.zeros(sizes[1]))


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 44_100])
def test_harmonics_are_correlated_as_defined(rng, sample_rate):
    plan = Plan(sample_rate, 400, 200, 60.0, 400.0)
    lowest, highest = plan.harmonic_bins
    magnitudes = rng.random(4 * highest + plan.harmonic_half + 1)
    found = harmonic_correlation(magnitudes, plan=plan)
    reach = range(-plan.harmonic_half, plan.harmonic_window - plan.harmonic_half)
    for k in (lowest, lowest + 1, (lowest + highest) // 2, highest):
        expected = sum(np.prod([magnitudes[h * k + j] for h in (1, 2, 3, 4)]) for j in reach)
        assert found[k - 1] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("n", "lags"), [(560, (38, 100)), (560, (20, 400)), (50, (3, 49)), (30, (5, 5)), (9, (0, 8))]
)
def test_likeness_is_a_normalised_product_of_two_stretches(rng, n, lags):
    signal = rng.standard_normal(n)
    length = n - lags[1]
    own = signal[:length]
    expected = [
        np.dot(own, signal[k : k + length]) / np.sqrt(np.dot(own, own) * np.sum(signal[k : k + length] ** 2))
        for k in range(*lags)
    ]
    np.testing.assert_allclose(likeness(signal, first_lag=lags[0], last_lag=lags[1]), expected, atol=1e-13)


def test_likeness_to_silence_is_no_number_even_after_something_loud():
    signal = np.concatenate([np.full(100, 1e8), np.zeros(400)])
    found = likeness(signal, first_lag=50, last_lag=200)
    assert np.isnan(found[50:]).all()
    assert np.isfinite(found[:50]).all()


@pytest.mark.parametrize("width", [5, 7])
@pytest.mark.parametrize("n", [1, 3, 7, 200])
def test_medians_are_those_of_scipy(rng, width, n):
    from scipy.ndimage import median_filter

    values = rng.standard_normal(n).round(1)
    expected = median_filter(values, size=width, mode="constant", cval=0.0)
    np.testing.assert_array_equal(running_median(values, width=width), expected)


@pytest.mark.parametrize("seed", range(20))
def test_values_between_are_those_of_scipys_monotone_interpolation(seed):
    from scipy.interpolate import PchipInterpolator

    rng = np.random.default_rng(seed)
    values = np.where(rng.random(60) < 0.1 + 0.04 * seed, rng.integers(1, 5, 60).astype(float), 0.0)
    values[[0, -1]] = 2.0, 3.0
    if seed == 0:
        values[1:-1] = 0
    known = np.flatnonzero(values)
    expected = PchipInterpolator(known, values[known])(np.arange(60))
    np.testing.assert_allclose(fill_between(values), expected, atol=1e-12)


@pytest.mark.parametrize("values", [np.zeros(5), np.array([1.0, 0, 0]), np.array([0, 1.0, 1.0])])
def test_an_open_end_is_refused(values):
    with pytest.raises(ValueError, match="must be"):
        fill_between(values)


@pytest.mark.parametrize("seed", range(10))
def test_the_spectral_path_is_the_cheapest_of_all(seed):
    rng = np.random.default_rng(seed)
    f0_hz, merit = rng.uniform(60, 400, (4, 5)), rng.random((4, 5))

    def cost(path):
        hz = f0_hz[path, range(5)]
        step = np.abs(np.diff(hz)) / 60
        return np.sum(1 - merit[path, range(5)]) + 0.7 * np.sum(0.05 * step + step**2)

    best = min(itertools.product(range(4), repeat=5), key=lambda path: cost(list(path)))
    found = cheapest_spectral_path(f0_hz, merit, weight=0.7, f0_min_hz=60.0)
    np.testing.assert_array_equal(found, f0_hz[list(best), range(5)])


@pytest.mark.parametrize("seed", range(10))
def test_the_voiced_path_is_the_cheapest_of_all(seed):
    rng = np.random.default_rng(seed)
    f0_hz = np.where(rng.random((4, 5)) < 0.5, rng.uniform(60, 400, (4, 5)), 0)
    merit, energy = rng.random((4, 5)), rng.random(5) * 3

    def cost(path):
        hz = f0_hz[path, range(5)]
        total = np.sum(1 - merit[path, range(5)])
        for t in range(1, 5):
            if hz[t] > 0 and hz[t - 1] > 0:
                total += 0.15 * abs(hz[t] - hz[t - 1]) / 150 / 0.9
            elif hz[t] > 0 or hz[t - 1] > 0:
                total += 0.5 * (1 - min(1, abs(energy[t] - energy[t - 1]))) / 0.9
            else:
                total += 0.1 / 0.9
        return total

    best = min(itertools.product(range(4), repeat=5), key=lambda path: cost(list(path)))
    np.testing.assert_array_equal(cheapest_voiced_path(f0_hz, merit, energy, mean_hz=150.0), best)


def test_of_equal_paths_the_later_candidates_are_chosen_and_slack_makes_paths_equal():
    f0_hz, merit = np.full((3, 4), 100.0), np.ones((3, 4))
    assert cheapest_voiced_path(f0_hz, merit, np.ones(4), mean_hz=100.0).tolist() == [2, 2, 2, 2]
    merit[0] += 1e-12
    assert cheapest_voiced_path(f0_hz, merit, np.ones(4), mean_hz=100.0).tolist() == [0, 0, 0, 0]
    assert cheapest_voiced_path(f0_hz, merit, np.ones(4), mean_hz=100.0, slack=1e-9).tolist() == [2, 2, 2, 2]


TRACKS = """
import hashlib, numpy as np
from otoscope.audio import Waveform
from otoscope.f0.yaapt import YaaptTracker
from otoscope.f0.yaapt_compat import YaaptCompatTracker
from otoscope.testing.signals import noise, speechlike
found = hashlib.sha256()
for waveform in (speechlike(1)[0], speechlike(2, noise_db=-10)[0], noise(1)):
    for tracker in (YaaptTracker(), YaaptTracker(frame_length_ms=50.0, f0_max_hz=900.0), YaaptCompatTracker(),
                    YaaptCompatTracker(frame_length_ms=35.0, hop_ms=10.0)):
        for n in (waveform.samples.size, 2001):
            track = tracker.track(Waveform(waveform.samples[:n].copy(), 16000, "x"))
            found.update(track.f0_hz.tobytes() + (b"" if track.score is None else track.score.tobytes()))
print(found.hexdigest())
"""


def bits(**environment):
    done = subprocess.run(
        [sys.executable, "-c", TRACKS], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_one_thread_and_two_give_the_same_bits():
    one, two = (bits(OPENBLAS_NUM_THREADS=n, OMP_NUM_THREADS=n) for n in ("1", "2"))
    assert one == two
    assert len(one) == 64


@pytest.mark.slow
def test_nothing_is_read_or_written_outside_an_array(tmp_path):
    checked = bits(NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=str(tmp_path))
    assert len(checked) == 64


@pytest.mark.slow
def test_warming_up_says_how_long_it_took():
    done = subprocess.run(
        [sys.executable, "-m", "otoscope.f0.yaapt_core"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "the core of YAAPT is compiled" in done.stdout
