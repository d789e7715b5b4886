"""Numbers that describe the spectrum of each frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.features.sound import HOP, N_FFT, SAMPLE_RATE

__all__ = [
    "LOWEST_ROW",
    "Shape",
    "crossing_rate",
    "flatness_db",
    "log2_or_nan",
    "mel_centres",
    "share_db",
    "spectral_quantile",
    "spectral_shape",
]

LOWEST_ROW = 3  # of `Sound.power`: 32 Hz; below lies what is left of a direct current
_LIMIT_DB = 60.0

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """The amplitude of each frame, seen as a distribution over frequency.

    Parameters
    ----------
    centroid, bandwidth : ndarray of float64, shape (n_frames,), hertz
        Mean and standard deviation.
    skewness, kurtosis : ndarray of float64, shape (n_frames,)
        Third and fourth standardised moment; the kurtosis of a normal distribution is 3.

    Notes
    -----
    NaN in frames where all is 0.
    """

    centroid: FloatArray
    bandwidth: FloatArray
    skewness: FloatArray
    kurtosis: FloatArray


def crossing_rate(samples: NDArray[np.floating]) -> FloatArray:
    """Count how often the wave crosses zero around each frame's centre.

    Parameters
    ----------
    samples : ndarray of float, shape (n_samples,)
        At 22,050 Hz; its ends are held on by a thousand samples.

    Returns
    -------
    ndarray of float64, shape (n_frames,), hertz
        Half the number of changes of sign in 93 ms, a second: the frequency of a sine. One value every 23 ms.

    Examples
    --------
    >>> wave = np.sin(2 * np.pi * 441 * (np.arange(22_050) + 0.5) / 22_050)
    >>> round(float(np.median(crossing_rate(wave))))
    442
    """
    negative = np.signbit(np.pad(samples, N_FFT // 2, mode="edge"))
    changes = np.concatenate([[0], np.cumsum(negative[1:] != negative[:-1])])
    starts = HOP * np.arange(1 + samples.size // HOP)
    return (changes[starts + N_FFT - 1] - changes[starts]) * (SAMPLE_RATE / (N_FFT - 1) / 2)


def flatness_db(power: FloatArray) -> FloatArray:
    """Say how evenly each frame is filled.

    Parameters
    ----------
    power : ndarray of float64, shape (n_bins, n_frames)
        Not negative.

    Returns
    -------
    ndarray of float64, shape (n_frames,), dB
        10 log10 of the geometric over the arithmetic mean, each row at least 1e-10 of the latter: 0 where all rows
        are equal. NaN in empty frames.

    Examples
    --------
    >>> flatness_db(np.array([[1.0, 1.0], [1.0, 3.0]])).round(3).tolist()
    [0.0, -0.625]
    """
    mean = power.mean(axis=0)
    relative = np.divide(power, mean, out=np.full(power.shape, np.nan), where=mean > 0)
    return 10 * np.log10(np.maximum(relative, 1e-10)).mean(axis=0)


def log2_or_nan(values: FloatArray | np.floating | float) -> FloatArray:
    """Give log2, and NaN where there is none.

    Parameters
    ----------
    values : ndarray of float64 or float
        Any numbers.

    Returns
    -------
    ndarray of float64
        NaN for 0, less than 0 and NaN.

    Examples
    --------
    >>> log2_or_nan(np.array([8.0, 0.0])).tolist()
    [3.0, nan]
    """
    numbers = np.asarray(values, dtype=np.float64)
    return np.log2(numbers, out=np.full(numbers.shape, np.nan), where=numbers > 0)


def mel_centres(n_bands: int) -> FloatArray:
    """Give the centres of the mel bands of :attr:`~otoscope.features.sound.Sound.mel_power`.

    Parameters
    ----------
    n_bands : int
        How many.

    Returns
    -------
    ndarray of float64, shape (n_bands,), hertz
        Evenly spaced on Slaney's mel scale between 0 and 11,025 Hz: straight up to 1 kHz, then logarithmic with 27
        steps for a factor of 6.4.

    Examples
    --------
    >>> mel_centres(3).round().tolist()
    [832.0, 1983.0, 4675.0]
    """
    edge, linear, log_step = 1000.0, 200 / 3, np.log(6.4) / 27
    top = edge / linear + np.log(SAMPLE_RATE / 2 / edge) / log_step
    mels = top * np.arange(1, n_bands + 1) / (n_bands + 1)
    above = edge * np.exp(log_step * np.maximum(mels - edge / linear, 0.0))
    return np.where(mels < edge / linear, linear * mels, above)


def share_db(power: FloatArray, rows: NDArray[np.bool_]) -> FloatArray:
    """Say how much of each frame lies in some rows.

    Parameters
    ----------
    power : ndarray of float64, shape (n_bins, n_frames)
        Not negative.
    rows : ndarray of bool, shape (n_bins,)
        Which.

    Returns
    -------
    ndarray of float64, shape (n_frames,), dB
        10 log10 of their share, at least -60. NaN in empty frames.

    Examples
    --------
    >>> share_db(np.array([[1.0, 0.0], [9.0, 1.0]]), np.array([True, False])).tolist()
    [-10.0, -60.0]
    """
    total = power.sum(axis=0)
    share = np.divide(power[rows].sum(axis=0), total, out=np.full(total.shape, np.nan), where=total > 0)
    return 10 * np.log10(np.maximum(share, 10 ** (-_LIMIT_DB / 10)))


def spectral_quantile(values: FloatArray, hz: FloatArray, share: float) -> FloatArray:
    """Find how far up a share of each frame reaches.

    Parameters
    ----------
    values : ndarray of float64, shape (n_bins, n_frames)
        Amplitude or power; not negative.
    hz : ndarray of float64, shape (n_bins,), hertz
        Of the rows.
    share : float, in (0, 1)
        Of the sum over rows.

    Returns
    -------
    ndarray of float64, shape (n_frames,), hertz
        The lowest row up to which that share lies; NaN in empty frames.

    Examples
    --------
    >>> spectral_quantile(np.array([[1.0], [1.0], [2.0]]), np.array([100.0, 200.0, 300.0]), 0.5).tolist()
    [200.0]
    """
    summed = np.cumsum(values, axis=0)
    total = summed[-1]
    return np.where(total > 0, hz[(summed >= share * total).argmax(axis=0)], np.nan)


def spectral_shape(magnitude: NDArray[np.floating], hz: FloatArray) -> Shape:
    """Give the moments of each frame's spectrum over frequency.

    Parameters
    ----------
    magnitude : ndarray of float, shape (n_bins, n_frames)
        Amplitude of each row; not negative.
    hz : ndarray of float64, shape (n_bins,), hertz
        Of the rows.

    Returns
    -------
    Shape
        Centroid, bandwidth, skewness, kurtosis.

    Examples
    --------
    >>> shape = spectral_shape(np.array([[1.0], [2.0], [1.0]]), np.array([100.0, 200.0, 300.0]))
    >>> float(shape.centroid[0]), round(float(shape.bandwidth[0]), 2), round(float(shape.kurtosis[0]), 6)
    (200.0, 70.71, 2.0)
    """
    amplitude = np.asarray(magnitude, dtype=np.float64)
    total = amplitude.sum(axis=0)
    share = np.divide(amplitude, total, out=np.full(amplitude.shape, np.nan), where=total > 0)
    # Powers of frequency above its highest value: one product gives all raw moments of all frames.
    unit = hz / hz[-1]
    first, second, third, fourth = np.stack([unit, unit**2, unit**3, unit**4]) @ share
    variance = np.maximum(second - first**2, 0.0)
    skew = third - 3 * first * second + 2 * first**3
    tail = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
    known = variance > 1e-10  # a single row has no width
    nothing = np.full(total.shape, np.nan)
    return Shape(
        centroid=first * hz[-1],
        bandwidth=np.sqrt(variance) * hz[-1],
        skewness=np.divide(skew, variance**1.5, out=nothing.copy(), where=known),
        kurtosis=np.divide(tail, variance**2, out=nothing.copy(), where=known),
    )
