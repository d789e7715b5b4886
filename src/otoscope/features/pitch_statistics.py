"""Statistics of pitches that several groups of features share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "IntervalSummary",
    "class_entropy_bits",
    "entropy_bits",
    "mean_or_nan",
    "std_or_nan",
    "summarise_intervals",
]

STEP = 2  # semitones: the widest interval that is a step and no leap


def mean_or_nan(values: ArrayLike) -> float:
    """Average, where there is anything to average.

    Parameters
    ----------
    values : array of float
        Of any number.

    Returns
    -------
    float
        NaN where there is none.
    """
    array = np.asarray(values, dtype=np.float64)
    return float(array.mean()) if array.size else float("nan")


def std_or_nan(values: ArrayLike) -> float:
    """Give the standard deviation (divisor n), where there are two values at least.

    Parameters
    ----------
    values : array of float
        Of any number.

    Returns
    -------
    float
        NaN where there are fewer than two.
    """
    array = np.asarray(values, dtype=np.float64)
    return float(array.std()) if array.size > 1 else float("nan")


def entropy_bits(counts: ArrayLike) -> float:
    """Give the entropy of a histogram.

    Parameters
    ----------
    counts : array of float
        Not negative.

    Returns
    -------
    float, bits
        NaN where nothing was counted.

    Examples
    --------
    >>> entropy_bits([2, 2, 2, 2, 0])
    2.0
    """
    array = np.asarray(counts, dtype=np.float64)
    total = array.sum()
    if total <= 0:
        return float("nan")
    share = array[array > 0] / total
    return float(np.abs(np.sum(share * np.log2(share))))  # abs: one value alone gives -0.0


def class_entropy_bits(counts: NDArray[np.floating] | NDArray[np.integer]) -> float:
    """Give the entropy of pitch classes.

    Parameters
    ----------
    counts : ndarray, shape (n_pitches,)
        A histogram by semitones; entry i + 12 is the octave of entry i.

    Returns
    -------
    float, bits
        NaN where nothing was counted; at most log2(12) = 3.58.

    Examples
    --------
    >>> class_entropy_bits(np.eye(88)[27] + np.eye(88)[39])
    0.0
    """
    return entropy_bits(np.pad(counts, (0, -len(counts) % 12)).reshape(-1, 12).sum(axis=0))


@dataclass(frozen=True, slots=True)
class IntervalSummary:
    """How a line of notes moves. Everything is NaN where its notes are too few.

    Parameters
    ----------
    size : float, semitones
        Mean size of the moves.
    rising : float, in [0, 1]
        Share of the moves that go up.
    steps : float, in [0, 1]
        Share of the moves of at most two semitones.
    repeats : float, in [0, 1]
        Share of the notes, from the second on, that repeat the one before.
    entropy : float, bits
        Of the moves with their direction.
    """

    size: float
    rising: float
    steps: float
    repeats: float
    entropy: float


def summarise_intervals(intervals: NDArray[np.integer]) -> IntervalSummary:
    """Sum up the intervals from each note of a line to the next.

    Parameters
    ----------
    intervals : ndarray of int, shape (n_intervals,), semitones
        0 for a repeated note; all else is a move.

    Returns
    -------
    IntervalSummary
        Without moves, all but `repeats` is NaN.

    Examples
    --------
    >>> summarise_intervals(np.array([2, 2, 0, -4]))
    IntervalSummary(size=2.6666666666666665, rising=0.6666666666666666, steps=0.6666666666666666, repeats=0.25, \
entropy=0.9182958340544896)
    """
    moves = intervals[intervals != 0]
    return IntervalSummary(
        size=mean_or_nan(np.abs(moves)),
        rising=mean_or_nan(moves > 0),
        steps=mean_or_nan(np.abs(moves) <= STEP),
        repeats=mean_or_nan(intervals == 0),
        entropy=entropy_bits(np.unique(moves, return_counts=True)[1]),
    )
