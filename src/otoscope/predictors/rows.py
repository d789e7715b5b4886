"""From clips, views and shifts to rows of features, and from predictions of rows back to clips.

The law of weights: a clip counts as its weight says, however many rows it has. Each of the k rows of a clip (its
segments, and those of its shifted copies) carries a k-th of the weight of the clip, and the weights of clips have a
mean of 1. So copies that equal their clip change nothing, and weights that are all multiplied by one number change
nothing either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import DataError, SpecError
from otoscope.predictors.base import TrainingSet, Views

__all__ = ["AGGREGATES", "Aggregate", "Rows", "aggregated", "check_features", "check_shifts", "plain_rows", "rows_of"]

FloatArray = NDArray[np.float64]
Aggregate = Literal["mean", "max"]
AGGREGATES: tuple[Aggregate, ...] = ("mean", "max")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows of a training set, clip by clip in the order of the clips' ids.

    Parameters
    ----------
    training : TrainingSet
        Sorted by clip.
    x : ndarray of float64, shape (n_rows, n_features)
        Features as the views gave them; NaN where one has no value.
    clip : ndarray of int, shape (n_rows,)
        Which clip of `training` each row belongs to.
    plain : ndarray of bool, shape (n_rows,)
        True for a clip itself, False for a shifted copy.
    """

    training: TrainingSet
    x: FloatArray
    clip: NDArray[np.intp]
    plain: NDArray[np.bool_]

    @property
    def y(self) -> FloatArray:
        """The score of each row's clip, shape (n_rows,)."""
        return self.training.y[self.clip]

    @property
    def clip_weights(self) -> FloatArray:
        """The weights of the clips, brought to a mean of 1, shape (n_clips,)."""
        given = self.training.weights
        return np.ones(len(self.training.clips)) if given is None else given / given.mean()

    @property
    def weights(self) -> FloatArray:
        """The weights of the rows, shape (n_rows,); those of a clip's rows add up to the weight of the clip."""
        return (self.clip_weights / np.bincount(self.clip))[self.clip]


def check_shifts(shifts: Sequence[float]) -> tuple[float, ...]:
    """Check by how much copies are shifted.

    Parameters
    ----------
    shifts : sequence of float, semitones
        Empty for no copies.

    Returns
    -------
    tuple of float
        Sorted.

    Raises
    ------
    SpecError
        If one is 0 (that is the clip itself), not finite, or there twice.

    Examples
    --------
    >>> check_shifts([1, -1])
    (-1.0, 1.0)
    """
    values = tuple(sorted(float(shift) for shift in shifts))
    if len(set(values)) != len(values) or 0.0 in values or not np.all(np.isfinite(values)):
        raise SpecError(
            f"shifts are {list(shifts)}; different numbers of semitones are accepted; 0 is the clip itself"
        )
    return values


def check_features(x: FloatArray, clip: str, n_features: int) -> FloatArray:
    """Check what views gave for a clip.

    Parameters
    ----------
    x : ndarray of float64, shape (n_segments, n_features)
        What they gave.
    clip : str
        Its id, for the message.
    n_features : int
        How many there have to be.

    Returns
    -------
    ndarray of float64, shape (n_segments, n_features)
        The same.

    Raises
    ------
    DataError
        If there is no row, the shape is another one, or a value is infinite.
    """
    if x.ndim != 2 or x.shape[0] == 0 or x.shape[1] != n_features:
        raise DataError(clip, f"the views gave features of shape {x.shape}; (1 or more, {n_features}) is needed")
    if np.any(np.isinf(x)):
        raise DataError(clip, "the views gave an infinite feature; a number or NaN is needed")
    return x


def rows_of(training: TrainingSet, views: Views, shifts: Sequence[float] = ()) -> Rows:
    """Make the rows of a training set.

    Parameters
    ----------
    training : TrainingSet
        In any order.
    views : Views
        Asked for these clips and their copies, once each.
    shifts : sequence of float, semitones
        Of the copies; none without them.

    Returns
    -------
    Rows
        The same for any order of the clips.

    Raises
    ------
    DataError
        If the views give what cannot be.
    """
    ordered = training.in_order()
    n_features = len(views.feature_ids)
    blocks: list[FloatArray] = []
    clip: list[int] = []
    plain: list[bool] = []
    for index, name in enumerate(ordered.clips):
        for shift in (0.0, *check_shifts(shifts)):
            block = check_features(views.features(name, shift), name, n_features)
            blocks.append(block)
            clip += [index] * len(block)
            plain += [shift == 0.0] * len(block)
    x = np.concatenate(blocks).astype(np.float64, copy=False)
    return Rows(ordered, x, np.asarray(clip, dtype=np.intp), np.asarray(plain, dtype=np.bool_))


def plain_rows(clips: Sequence[str], views: Views) -> tuple[FloatArray, NDArray[np.intp]]:
    """Make the rows of clips that are to be predicted: never of copies.

    Parameters
    ----------
    clips : sequence of str
        Their ids.
    views : Views
        Asked for these clips, un-shifted.

    Returns
    -------
    x : ndarray of float64, shape (n_rows, n_features)
        As the views gave them.
    clip : ndarray of int, shape (n_rows,)
        Which of `clips` each row belongs to.

    Raises
    ------
    DataError
        If the views give what cannot be.
    """
    n_features = len(views.feature_ids)
    blocks = [check_features(views.features(name), name, n_features) for name in clips]
    owner = np.repeat(np.arange(len(blocks), dtype=np.intp), [len(block) for block in blocks])
    return np.concatenate([np.empty((0, n_features)), *blocks]), owner


def aggregated(values: FloatArray, clip: NDArray[np.intp], n_clips: int, how: Aggregate) -> FloatArray:
    """Bring predictions of rows together to predictions of clips.

    Parameters
    ----------
    values : ndarray of float64, shape (n_rows, ...)
        One or several predictions for each row.
    clip : ndarray of int, shape (n_rows,)
        Which clip each row belongs to.
    n_clips : int
        Each of them has a row.
    how : {"mean", "max"}
        The maximum is biased upwards the more, the more rows there are.

    Returns
    -------
    ndarray of float64, shape (n_clips, ...)
        One for each clip.

    Examples
    --------
    >>> aggregated(np.array([1.0, 3.0, 5.0]), np.array([0, 0, 1]), 2, "mean").tolist()
    [2.0, 5.0]
    """
    shape = (n_clips, *values.shape[1:])
    if how == "max":
        result = np.full(shape, -np.inf)
        np.maximum.at(result, clip, values)
        return result
    result = np.zeros(shape)
    np.add.at(result, clip, values)
    counts = np.bincount(clip, minlength=n_clips)
    return result / counts.reshape(n_clips, *([1] * (values.ndim - 1)))
