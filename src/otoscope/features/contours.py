"""What is said of a curve over time: its turning points, its slopes, its runs, its spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Slopes", "mean_of", "run_lengths", "slopes_of", "smooth", "smooth_within", "std_of", "turning_points"]


@dataclass(frozen=True, slots=True)
class Slopes:
    """How a curve rises and falls between its turning points, in its unit per second; NaN where it does not.

    Parameters
    ----------
    rise_mean, rise_std : float
        Of the rises.
    fall_mean, fall_std : float
        Of the falls, taken as positive.
    peaks : int
        How many turning points lie between a rise and a fall.
    """

    rise_mean: float
    rise_std: float
    fall_mean: float
    fall_std: float
    peaks: int


def smooth(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average each value with its neighbours; the ends stand for what is missing beyond them.

    Parameters
    ----------
    curve : ndarray of float64, shape (..., n_frames)
        One or more curves.

    Returns
    -------
    ndarray of float64, shape (..., n_frames)
        Smoothed.
    """
    padded = np.concatenate([curve[..., :1], curve, curve[..., -1:]], axis=-1)
    return np.asarray((padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:]) / 3, dtype=np.float64)


def smooth_within(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average each value with those of its neighbours that are there.

    Parameters
    ----------
    curve : ndarray of float64, shape (..., n_frames)
        NaN where nothing is.

    Returns
    -------
    ndarray of float64, shape (..., n_frames)
        NaN in the same places.
    """
    there = np.isfinite(curve)
    filled = np.where(there, curve, 0.0)
    total, count = filled.copy(), there.astype(np.float64)
    for left, right in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
        total[..., left] += filled[..., right]
        count[..., left] += there[..., right]
    return np.where(there, total / np.maximum(count, 1), np.nan)


def mean_of(curve: NDArray[np.float64]) -> float:
    """Average the values that are there.

    Parameters
    ----------
    curve : ndarray of float64, shape (n_frames,)
        NaN where nothing is.

    Returns
    -------
    float
        NaN where there are none.
    """
    there = curve[np.isfinite(curve)]
    return float(there.mean()) if there.size else float("nan")


def std_of(curve: NDArray[np.float64]) -> float:
    """Give the standard deviation of the values that are there.

    Parameters
    ----------
    curve : ndarray of float64, shape (n_frames,)
        NaN where nothing is.

    Returns
    -------
    float
        NaN where there are fewer than two.
    """
    there = curve[np.isfinite(curve)]
    return float(there.std()) if there.size > 1 else float("nan")


def run_lengths(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Give the lengths of the runs of True.

    Parameters
    ----------
    mask : ndarray of bool, shape (n_frames,)
        Any.

    Returns
    -------
    ndarray of int64, shape (n_runs,)
        In frames.

    Examples
    --------
    >>> run_lengths(np.array([True, True, False, True])).tolist()
    [2, 1]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return edges[1::2] - edges[::2]


def turning_points(curve: NDArray[np.float64], threshold: float) -> NDArray[np.int64]:
    """Find where a curve turns, leaving out moves smaller than a threshold.

    Parameters
    ----------
    curve : ndarray of float64, shape (n_frames,)
        Finite.
    threshold : float
        How far the curve must come back before a turn counts.

    Returns
    -------
    ndarray of int64, shape (n_points,)
        Extremes, a low and a high one by turns, the ends of the outermost moves among them; empty where no move is
        large enough.

    Examples
    --------
    >>> turning_points(np.array([0.0, 3.0, 2.9, 5.0, 1.0, 1.0]), 0.5).tolist()
    [0, 3, 4]
    """
    points: list[int] = []
    values: list[float] = curve.tolist()
    if not values or threshold <= 0:
        return np.empty(0, dtype=np.int64)
    low = high = 0
    direction = 0
    for i, value in enumerate(values):
        if value > values[high]:
            high = i
        if value < values[low]:
            low = i
        if direction >= 0 and values[high] - value >= threshold:
            points += [low, high] if direction == 0 and low < high else [high]
            direction, low, high = -1, i, i
        elif direction <= 0 and value - values[low] >= threshold:
            points += [high, low] if direction == 0 and high < low else [low]
            direction, low, high = 1, i, i
    if direction:
        points.append(high if direction > 0 else low)
    return np.array(points, dtype=np.int64)


def slopes_of(curve: NDArray[np.float64], frames_per_s: float) -> Slopes:
    """Measure the rises and falls of a curve that are at least a tenth of its range.

    Parameters
    ----------
    curve : ndarray of float64, shape (n_frames,)
        Finite.
    frames_per_s : float, 1/s
        Of its frames.

    Returns
    -------
    Slopes
        Of the straight lines between neighbouring turning points.
    """
    span = float(np.ptp(curve)) if curve.size else 0.0
    points = turning_points(curve, 0.1 * span)
    slope = np.diff(curve[points]) / np.maximum(np.diff(points), 1) * frames_per_s
    rises, falls = slope[slope > 0], -slope[slope < 0]
    nan = float("nan")
    return Slopes(
        float(rises.mean()) if rises.size else nan,
        float(rises.std()) if rises.size > 1 else nan,
        float(falls.mean()) if falls.size else nan,
        float(falls.std()) if falls.size > 1 else nan,
        int(np.count_nonzero((slope[:-1] > 0) & (slope[1:] < 0))),
    )
