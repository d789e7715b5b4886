"""Resonances: the poles of a linear prediction of each frame's spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from otoscope.features.sound import SAMPLE_RATE

__all__ = ["Formants", "find_formants", "find_notches", "predictor"]

_RATE = 11_000  # hertz, at which the predictions work
_N_FORMANTS = 3
_RANGE_HZ = (50.0, 5450.0)
_EMPHASIS = 0.97
_RIDGE = 1e-5  # of the power, added as white noise 50 dB below: what is empty must not decide


@dataclass(frozen=True, slots=True)
class Formants:
    """Three resonances of each frame, the lowest first.

    Parameters
    ----------
    hz : ndarray of float64, shape (n_frames, 3), hertz
        Centres; NaN where a frame has fewer.
    width_hz : ndarray of float64, shape (n_frames, 3), hertz
        Bandwidths, 3 dB below the centre.
    """

    hz: NDArray[np.float64]
    width_hz: NDArray[np.float64]


@cache
def _lag_weights(n_bins: int, order: int, emphasis: float) -> NDArray[np.float64]:
    """Give the matrix from a power spectrum to its autocorrelation at 11 kHz, shape (n_bins, order + 1)."""
    angle = 2 * np.pi * np.arange(n_bins) * (SAMPLE_RATE / 512 / _RATE)
    gain = 1 + emphasis**2 - 2 * emphasis * np.cos(angle)
    gain[1:] *= 2
    return gain[:, None] * np.cos(angle[:, None] * np.arange(order + 1))


def predictor(power: NDArray[np.float32], order: int, *, n_bins: int, emphasis: float) -> NDArray[np.float64]:
    """Predict each sample of a frame at 11 kHz from those before it, by the autocorrelation method [1]_.

    Parameters
    ----------
    power : ndarray of float32, shape (n_frames, 257)
        Spectra of transforms of 512 samples at 22,050 Hz.
    order : int
        How many samples before.
    n_bins : int
        How many bins from 0 Hz are used.
    emphasis : float, in [0, 1)
        Of the high frequencies: the factor of the sample before that is taken off first.

    Returns
    -------
    ndarray of float64, shape (n_frames, order)
        The weight of the sample before, of the one before that, and so on.

    References
    ----------
    .. [1] J. Makhoul, "Linear prediction: a tutorial review", Proc. IEEE 63(4), 1975.
    """
    lags = power[:, :n_bins].astype(np.float64) @ _lag_weights(n_bins, order, emphasis)
    lags /= np.maximum(lags[:, :1], 1e-30)
    rows = np.abs(np.arange(order)[:, None] - np.arange(order))
    matrix = lags[:, rows] + _RIDGE * np.eye(order)
    return np.asarray(np.linalg.solve(matrix, lags[:, 1:, None])[..., 0], dtype=np.float64)


def _lowest_roots(weights: NDArray[np.float64]) -> Formants:
    """Roots of ``z**p - weights[0] * z**(p - 1) - ...`` as centres and bandwidths, the lowest three of each row."""
    n_frames, order = weights.shape
    companion = np.zeros((n_frames, order, order))
    companion[:, 0] = weights
    companion[:, np.arange(1, order), np.arange(order - 1)] = 1
    roots = np.linalg.eigvals(companion)
    hz = np.angle(roots) * _RATE / (2 * np.pi)
    width_hz = -np.log(np.maximum(np.abs(roots), 1e-9)) * _RATE / np.pi
    key = np.where((hz > _RANGE_HZ[0]) & (hz < _RANGE_HZ[1]), hz, np.inf)
    lowest = np.argsort(key, axis=1)[:, :_N_FORMANTS]
    found = np.isfinite(np.take_along_axis(key, lowest, axis=1))
    return Formants(
        np.where(found, np.take_along_axis(hz, lowest, axis=1), np.nan),
        np.where(found, np.take_along_axis(width_hz, lowest, axis=1), np.nan),
    )


def find_formants(power: NDArray[np.float32]) -> Formants:
    """Find the resonances below 5.45 kHz: roots of a prediction of order 10 at 11 kHz, highs raised 6 dB an octave.

    Parameters
    ----------
    power : ndarray of float32, shape (n_frames, 257)
        Spectra of transforms of 512 samples at 22,050 Hz.

    Returns
    -------
    Formants
        The lowest three of each frame.
    """
    return _lowest_roots(predictor(power, 10, n_bins=128, emphasis=_EMPHASIS))


def find_notches(power: NDArray[np.float32]) -> Formants:
    """Find what openSMILE 3 reports as formants in its eGeMAPS sets.

    These are the roots of the prediction polynomial with its weights negated, for a prediction of order 11 of what
    lies below 4.7 kHz: not resonances. They are kept because they sum up the same envelope in another way, and
    because published results rest on them.

    Parameters
    ----------
    power : ndarray of float32, shape (n_frames, 257)
        Spectra of transforms of 512 samples at 22,050 Hz.

    Returns
    -------
    Formants
        The lowest three of each frame.
    """
    return _lowest_roots(-predictor(power, 11, n_bins=110, emphasis=0.0))
