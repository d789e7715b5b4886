"""Means over the frames of a clip in which loud frames count more than faint ones.

A frame counts as loudness grows with power: power to the 0.3 (a power law of loudness [1]_). Frames more than 60 dB
below the loudest count nothing, so that what lies in a pause cannot colour a clip.

References
----------
.. [1] S. S. Stevens, "Perceived level of noise by Mark VII and decibels (E)", J. Acoust. Soc. Am. 51, 1972.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["compressed", "loudness_weights", "weighted_mean", "weighted_std"]

EXPONENT = 0.3
FLOOR = 1e-6  # of the loudest frame's power: 60 dB below it

FloatArray = NDArray[np.float64]


def loudness_weights(power: NDArray[np.floating], least: float = 0.0) -> FloatArray:
    """Say how much each frame counts.

    Parameters
    ----------
    power : ndarray of float, shape (n_bins, n_frames)
        Power spectrum of each frame, without the rows about 0 Hz (in a pause of digital silence the mean that was
        taken off the clip stands there).
    least : float
        Frames whose power summed over rows is less count nothing either.

    Returns
    -------
    ndarray of float64, shape (n_frames,)
        Not negative; the sum is 1, or 0 where no frame counts.

    Examples
    --------
    >>> loudness_weights(np.array([[1.0, 1.0, 1e-7]])).tolist()
    [0.5, 0.5, 0.0]
    """
    total = power.sum(axis=0, dtype=np.float64)
    counts = (total > 0) & (total >= FLOOR * total.max(initial=0.0)) & (total >= least)
    weights = np.where(counts, total, 0.0) ** EXPONENT
    return weights / max(weights.sum(), np.finfo(np.float64).tiny)


def compressed(values: FloatArray | np.floating | float, unit: float = 1.0) -> FloatArray:
    """Draw in the long tail of quantities that cannot be negative.

    Parameters
    ----------
    values : ndarray of float64 or float
        Not negative, or NaN.
    unit : float, > 0
        What counts as small: below it little changes, above it the logarithm is taken.

    Returns
    -------
    ndarray of float64
        ``log2(1 + values / unit)``.

    Examples
    --------
    >>> compressed(np.array([0.0, 1.0, 3.0])).tolist()
    [0.0, 1.0, 2.0]
    """
    return np.log2(1.0 + np.asarray(values, dtype=np.float64) / unit)


def weighted_mean(values: NDArray[np.floating], weights: FloatArray) -> FloatArray:
    """Average over frames.

    Parameters
    ----------
    values : ndarray of float, shape (..., n_frames)
        A frame that is NaN is left out.
    weights : ndarray of float64, shape (n_frames,)
        Not negative.

    Returns
    -------
    ndarray of float64, shape (...)
        NaN where no frame is left that counts.

    Examples
    --------
    >>> float(weighted_mean(np.array([1.0, 3.0, np.nan]), np.array([0.25, 0.25, 0.5])))
    2.0
    """
    kept, clean = _known(values, weights)
    total = kept.sum(axis=-1)
    return np.divide((clean * kept).sum(axis=-1), total, out=np.full(total.shape, np.nan), where=total > 0)


def weighted_std(values: NDArray[np.floating], weights: FloatArray) -> FloatArray:
    """Give the standard deviation over frames.

    Parameters
    ----------
    values : ndarray of float, shape (..., n_frames)
        A frame that is NaN is left out.
    weights : ndarray of float64, shape (n_frames,)
        Not negative.

    Returns
    -------
    ndarray of float64, shape (...)
        About the weighted mean, with the weights as shares; NaN where no frame is left that counts.

    Examples
    --------
    >>> float(weighted_std(np.array([1.0, 3.0, np.nan]), np.array([0.25, 0.25, 0.5])))
    1.0
    """
    centred = np.asarray(values, dtype=np.float64) - weighted_mean(values, weights)[..., None]
    return np.sqrt(weighted_mean(np.square(centred), weights))


def _known(values: NDArray[np.floating], weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    numbers = np.asarray(values, dtype=np.float64)
    known = np.isfinite(numbers)
    return np.where(known, weights, 0.0), np.where(known, numbers, 0.0)
