"""The partials of what leads: how far they rise above noise, and how strong they are beside the fundamental."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from otoscope.features.sound import SAMPLE_RATE
from otoscope.features.voicing import N_FFT

__all__ = ["formant_levels", "harmonic_levels", "harmonics_to_noise"]

_N_HARMONICS = 60
_TOLERANCE = 0.25  # of the F0, either way, within which a partial's peak is looked for
_TOLERANCE_BINS = 8  # and at most 86 Hz
_NEAR_FORMANT = 0.2  # of its frequency
_CHUNK = 2000


def harmonics_to_noise(magnitude: NDArray[np.float32], f0_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compare the power that repeats after one period with the rest [1]_.

    The ratio is ``r / (1 - r)``, with r the greatest value of the normalised autocorrelation of the windowed frame
    within a sample of the period. The window's own fall is left in, so that slow tones come out lower.

    Parameters
    ----------
    magnitude : ndarray of float32, shape (n_frames, 1025)
        Of transforms of 2048 samples at 22,050 Hz.
    f0_hz : ndarray of float64, shape (n_frames,), hertz
        Finite.

    Returns
    -------
    ndarray of float64, shape (n_frames,), decibels
        Between -50 and 50.

    References
    ----------
    .. [1] P. Boersma, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio
       of a sampled sound", IFA Proceedings 17, 1993.
    """
    from scipy.fft import irfft

    ratio = np.empty(f0_hz.size)
    for first in range(0, f0_hz.size, _CHUNK):
        part = slice(first, first + _CHUNK)
        correlation = cast("NDArray[np.float32]", irfft(np.square(magnitude[part]), N_FFT))
        lag = np.rint(SAMPLE_RATE / f0_hz[part]).astype(np.int64)[:, None] + np.arange(-1, 2)
        peak = np.take_along_axis(correlation, lag, axis=1).max(axis=1)
        ratio[part] = peak / np.maximum(correlation[:, 0], 1e-20)
    ratio = np.clip(ratio, 1e-5, 1 - 1e-5)
    return 10 * np.log10(ratio / (1 - ratio))


def harmonic_levels(magnitude: NDArray[np.float32], f0_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the level of each partial: the highest bin within a quarter of the F0, at most 86 Hz, on either side.

    Parameters
    ----------
    magnitude : ndarray of float32, shape (n_frames, 1025)
        Of transforms of 2048 samples at 22,050 Hz.
    f0_hz : ndarray of float64, shape (n_frames,), hertz
        Finite, at least 55.

    Returns
    -------
    ndarray of float64, shape (n_frames, 60), decibels
        At least -120; NaN above 11,025 Hz.
    """
    order = np.arange(1, _N_HARMONICS + 1)
    bins_per_f0 = (f0_hz * N_FFT / SAMPLE_RATE)[:, None]
    reach = np.minimum(_TOLERANCE * bins_per_f0, _TOLERANCE_BINS)
    low = np.maximum(np.rint(order * bins_per_f0 - reach).astype(np.int64), 1)
    high = np.rint(order * bins_per_f0 + reach).astype(np.int64)
    inside = high < magnitude.shape[1]
    top = magnitude.shape[1] - 1
    peak = np.zeros(low.shape, dtype=np.float32)
    rows = np.arange(f0_hz.size)[:, None]
    for step in range(int((high - low).max(initial=0)) + 1):
        at = np.minimum(low + step, np.minimum(high, top))
        np.maximum(peak, magnitude[rows, at], out=peak)
    return np.where(inside, 20 * np.log10(np.maximum(peak.astype(np.float64), 1e-6)), np.nan)


def formant_levels(
    levels_db: NDArray[np.float64], f0_hz: NDArray[np.float64], formants_hz: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the strongest partial near each formant, beside the fundamental.

    Parameters
    ----------
    levels_db : ndarray of float64, shape (n_frames, 60), decibels
        As :func:`harmonic_levels` gives them.
    f0_hz : ndarray of float64, shape (n_frames,), hertz
        Finite.
    formants_hz : ndarray of float64, shape (n_frames, n_formants), hertz
        NaN for none.

    Returns
    -------
    ndarray of float64, shape (n_frames, n_formants), decibels
        The highest level of the partials within 20 % of the formant, less that of the fundamental. NaN where no
        partial lies there.
    """
    hz = np.arange(1, levels_db.shape[1] + 1) * f0_hz[:, None]
    result = np.empty(formants_hz.shape)
    for i, centre in enumerate(formants_hz.T):
        near = np.abs(hz - centre[:, None]) <= _NEAR_FORMANT * centre[:, None]
        top = np.where(near & np.isfinite(levels_db), levels_db, -np.inf).max(axis=1)
        result[:, i] = np.where(np.isfinite(top), top - levels_db[:, 0], np.nan)
    return result
