"""What is done to features before a model sees them: filled in, bounded, standardised; learned on training rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError

__all__ = ["MAX_Z", "Preparation", "weighted_quantiles"]

FloatArray = NDArray[np.float64]
MAX_Z = 3.0
"""Bound of a standardised feature."""

_FENCE = 3.0  # interquartile ranges beyond the quartiles
_TAIL = 0.01  # the quantile that bounds a feature whose quartiles are one value
_CONSTANT = 1e-10  # of the greatest magnitude: a smaller standard deviation is rounding
_FIELDS = ("median", "low", "high", "mean", "scale")


def weighted_quantiles(x: FloatArray, weights: FloatArray, levels: tuple[float, ...]) -> FloatArray:
    """Give quantiles of the columns of a table with weighted rows; NaN is passed over.

    The quantile is the mean of the least value that has at least the share asked for at or below it, and of the
    least that has more: ``averaged_inverted_cdf`` of NumPy. A row of weight 2 counts as the row twice, exactly.

    Parameters
    ----------
    x : ndarray of float64, shape (n_rows, n_columns)
        Finite or NaN.
    weights : ndarray of float64, shape (n_rows,)
        Above 0.
    levels : tuple of float, above 0 and below 1
        Which quantiles.

    Returns
    -------
    ndarray of float64, shape (n_levels, n_columns)
        NaN where a column has no value.

    References
    ----------
    .. [1] R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", The American Statistician 50, 1996:
       definition 2.

    Examples
    --------
    >>> weighted_quantiles(np.array([[1.0], [2.0], [9.0]]), np.array([1.0, 2.0, 1.0]), (0.5,)).tolist()
    [[2.0]]
    """
    order = np.argsort(x, axis=0, kind="stable")
    ordered = np.take_along_axis(x, order, axis=0)
    counted = np.where(np.isnan(ordered), 0.0, weights[order])
    below = np.cumsum(counted, axis=0)
    total = below[-1]
    rounding = 1e-9 * total
    columns = np.arange(x.shape[1])
    result = np.empty((len(levels), x.shape[1]))
    for row, level in enumerate(levels):
        at_least = np.argmax(below >= level * total - rounding, axis=0)
        more = np.argmax(below > level * total + rounding, axis=0)
        result[row] = (ordered[at_least, columns] + ordered[more, columns]) / 2
    return result


@dataclass(frozen=True, slots=True, eq=False)
class Preparation:
    """Fills in, bounds and standardises features by what was learned on training rows.

    NaN becomes the median. Values are bounded twice: at three interquartile ranges beyond the quartiles (at the
    1st and the 99th percentile where the quartiles are one value), and at three standard deviations from the mean
    of what was bounded so. Then the mean is taken off and the standard deviation divided out: no standardised
    feature is ever beyond -3 and 3, whatever a clip brings. A feature that is constant in training, or has no value
    there, is always 0.

    Parameters
    ----------
    median, low, high, mean, scale : ndarray of float64, shape (n_features,)
        What was learned; `low` and `high` are equal for a feature that is constant.

    Raises
    ------
    SpecError
        If a number is not finite, a scale is not above 0, or the lengths differ.

    References
    ----------
    .. [1] J. W. Tukey, "Exploratory data analysis", 1977, chapter 2: the outer fences.
    """

    median: FloatArray
    low: FloatArray
    high: FloatArray
    mean: FloatArray
    scale: FloatArray

    def __post_init__(self) -> None:
        values = [getattr(self, name) for name in _FIELDS]
        if len({value.shape for value in values}) != 1 or values[0].ndim != 1:
            raise SpecError(f"a preparation has arrays of shapes {[value.shape for value in values]}; one is needed")
        if not all(np.all(np.isfinite(value)) for value in values):
            raise SpecError("a preparation has numbers that are not finite")
        if not (np.all(self.scale > 0) and np.all(self.low <= self.high)):
            raise SpecError("a preparation has a scale that is not above 0, or a lower bound above the upper one")

    @classmethod
    def learn(cls, x: FloatArray, weights: FloatArray) -> Preparation:
        """Learn from training rows.

        Parameters
        ----------
        x : ndarray of float64, shape (n_rows, n_features)
            Finite, or NaN where a feature has no value.
        weights : ndarray of float64, shape (n_rows,)
            Above 0. A row of weight 2 counts as the row twice.

        Returns
        -------
        Preparation
            From the values that are there: what is filled in counts for nothing.
        """
        levels = (_TAIL, 0.25, 0.5, 0.75, 1 - _TAIL)
        least, lower, median, upper, most = weighted_quantiles(x, weights, levels)
        spread = upper - lower
        low = np.where(spread > 0, lower - _FENCE * spread, least)
        high = np.where(spread > 0, upper + _FENCE * spread, most)
        there = ~np.isnan(x)
        counted = np.where(there, weights[:, None], 0.0)
        total = np.maximum(counted.sum(axis=0), np.finfo(np.float64).tiny)
        at = np.where(np.isnan(median), 0.0, median)
        apart = np.where(there, np.clip(x, low, high) - at, 0.0)  # from the median, so that an offset costs no digits
        shift = (counted * apart).sum(axis=0) / total
        scale = np.sqrt((counted * np.square(apart - shift)).sum(axis=0) / total)
        mean = at + shift
        magnitude = np.maximum(np.abs(low), np.abs(high))
        varies = there.any(axis=0) & (scale > _CONSTANT * magnitude)
        return cls(
            median=at,
            low=np.where(varies, np.maximum(low, mean - MAX_Z * scale), at),
            high=np.where(varies, np.minimum(high, mean + MAX_Z * scale), at),
            mean=np.where(varies, mean, at),
            scale=np.where(varies, scale, 1.0),
        )

    @property
    def n_active(self) -> int:
        """How many features vary; at least 1."""
        return max(1, int(np.count_nonzero(self.low < self.high)))

    def apply(self, x: FloatArray) -> FloatArray:
        """Prepare rows.

        Parameters
        ----------
        x : ndarray of float64, shape (n_rows, n_features)
            As the views gave them.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_features)
            From -3 to 3.

        Raises
        ------
        SpecError
            If there are more or fewer features than in training.
        """
        if x.ndim != 2 or x.shape[1] != self.median.size:
            raise SpecError(f"rows have the shape {x.shape}; (any number, {self.median.size}) is needed")
        filled = np.where(np.isnan(x), self.median, x)
        return (np.clip(filled, self.low, self.high) - self.mean) / self.scale

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give what was learned.

        Returns
        -------
        dict of str to ndarray
            By name.
        """
        return {name: getattr(self, name) for name in _FIELDS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Preparation:
        """Make it from what :meth:`arrays` gave.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            By name.

        Returns
        -------
        Preparation
            An equal one.

        Raises
        ------
        SpecError
            If an array is missing or cannot be.
        """
        try:
            return cls(**{name: np.asarray(arrays[name], dtype=np.float64) for name in _FIELDS})
        except KeyError as error:
            raise SpecError(f"a preparation has no array {error}") from None
