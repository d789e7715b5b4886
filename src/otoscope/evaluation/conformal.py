"""Prediction intervals that keep their promise whatever the model and the noise.

An interval for a new track is built from the errors that were made on tracks that a model had not seen. If the new
track comes from the same source as they did, an interval at level 90 % holds its score about nine times in ten.

Tracks of one group are alike, and the new track comes from a group of its own. So each group lends one of its
tracks, chosen by the hash of its id: those and the new track are exchangeable, which the promise needs. A group
with many tracks counts no more than one with a single track.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError, UndefinedMetricError
from otoscope.evaluation.resampling import MIN_GROUPS, Estimate, draw_weights, estimated

__all__ = [
    "CrossConformal",
    "conformal_half_width",
    "coverage",
    "cross_conformal",
    "held_out_half_widths",
    "least_groups",
    "one_per_group",
]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


def least_groups(level: float) -> int:
    """Say how many groups an interval needs so as not to be without end.

    Parameters
    ----------
    level : float, between 0 and 1
        Share of new tracks that shall be covered.

    Returns
    -------
    int
        The least n with ``ceil(level * (n + 1)) <= n``.

    Raises
    ------
    SpecError
        If the level is not between 0 and 1.

    Examples
    --------
    >>> least_groups(0.9), least_groups(0.95)
    (9, 19)
    """
    if not 0 < level < 1:
        raise SpecError(f"level is {level}; it lies between 0 and 1")
    n = 1
    while _place(level, n) > n:
        n += 1
    return n


def _place(level: float, n: int) -> int:
    """Give ceil(level * (n + 1)), counted from 1; 0.9 times 10 is 9, also where floats say a little more."""
    return math.ceil(level * (n + 1) - 1e-9)


def one_per_group(ids: Sequence[str], groups: Sequence[str]) -> Rows:
    """Choose one track of each group.

    Parameters
    ----------
    ids : sequence of str
        All different.
    groups : sequence of str, length n_tracks
        Their groups.

    Returns
    -------
    ndarray of int, shape (n_groups,)
        Rows, increasing: of each group the track whose id has the least hash, so that neither the order of the rows
        nor anything about the scores has a say.

    Raises
    ------
    SpecError
        If the lengths differ.
    """
    if len(ids) != len(groups):
        raise SpecError(f"one_per_group: {len(ids)} ids and {len(groups)} groups; every id needs a group")
    chosen: dict[str, tuple[bytes, int]] = {}
    for row, (name, group) in enumerate(zip(ids, groups, strict=True)):
        drawn = (hashlib.sha256(name.encode()).digest(), row)
        chosen[group] = min(chosen.get(group, drawn), drawn)
    return np.array(sorted(row for _, row in chosen.values()), dtype=np.intp)


def conformal_half_width(residuals: Floats, *, level: float = 0.9) -> float:
    """Give half the width of an interval around the prediction of one model.

    Parameters
    ----------
    residuals : ndarray of float64, shape (n,)
        Errors on tracks that the model was not fitted on, one per group; their signs do not matter.
    level : float, between 0 and 1
        Share of new tracks that shall be covered.

    Returns
    -------
    float
        The ``ceil(level * (n + 1))``-th smallest absolute error. The promise is exact where one model made all the
        errors and the new prediction. Where fold models made the errors and a model of all tracks makes the
        prediction, it holds nearly: then :class:`CrossConformal` has the proof.

    Raises
    ------
    UndefinedMetricError
        If there are too few errors for an interval with an end.
    SpecError
        If the level is not between 0 and 1, or an error is not finite.

    References
    ----------
    .. [1] J. Lei et al., "Distribution-free predictive inference for regression", JASA 113, 2018, section 2.2.

    Examples
    --------
    >>> conformal_half_width(np.array([0.5, -0.1, 0.2, 0.3, -0.4, 0.6, 0.7, -0.9, 0.8]))
    0.9
    """
    errors = np.abs(np.asarray(residuals, dtype=np.float64))
    _check_residuals(errors, level)
    return float(np.sort(errors)[_place(level, errors.size) - 1])


def _check_residuals(errors: Floats, level: float) -> None:
    needed = least_groups(level)
    if errors.ndim != 1 or not np.all(np.isfinite(errors)):
        raise SpecError(f"conformal: errors of shape {errors.shape}; one row of finite numbers is needed")
    if errors.size < needed:
        raise UndefinedMetricError(
            f"a {100 * level:g} % interval needs errors on {needed} groups, there are {errors.size}; "
            "give more tracks or a lower level"
        )


@dataclass(frozen=True, slots=True, eq=False)
class CrossConformal:
    """Intervals from the models of all folds, and the errors of each on its own fold (CV+).

    Parameters
    ----------
    residuals : ndarray of float64, shape (n_groups,)
        Absolute error on one track of each group, by the model that had not seen it.
    model : ndarray of int, shape (n_groups,)
        Which model that was.
    level : float, between 0 and 1
        Share of new tracks that shall be covered. What is proven for n groups is at least
        ``1 - 2 * (1 - level) - sqrt(2 / n)``; what is found is the level itself, unless the models change much from
        fold to fold.

    Raises
    ------
    UndefinedMetricError
        If there are too few groups for an interval with an end.
    SpecError
        If the shapes do not fit.

    References
    ----------
    .. [1] R. Barber, E. Candes, A. Ramdas, R. Tibshirani, "Predictive inference with the jackknife+", Annals of
           Statistics 49(1), 2021, section 3: CV+.
    .. [2] R. Dunn, L. Wasserman, A. Ramdas, "Distribution-free prediction sets for two-layer hierarchical models",
           JASA 118, 2023: one draw from each group.
    """

    residuals: Floats
    model: Rows
    level: float = 0.9

    def __post_init__(self) -> None:
        _check_residuals(self.residuals, self.level)
        if np.any(self.residuals < 0):
            raise SpecError("CrossConformal: an absolute error is below 0")
        if self.model.shape != self.residuals.shape or np.any(self.model < 0):
            raise SpecError(f"CrossConformal: models {self.model.shape} for errors {self.residuals.shape}")

    def interval(self, predictions: Floats) -> tuple[Floats, Floats]:
        """Give the intervals of new tracks.

        Parameters
        ----------
        predictions : ndarray of float64, shape (n_models, n_new)
            What each fold's model says of them, in the order of the folds.

        Returns
        -------
        low, high : ndarray of float64, shape (n_new,)
            With n groups, the ``ceil(level * (n + 1))``-th largest of prediction minus error, and the same of the
            smallest of prediction plus error. Should fold models differ more than they err, the ends can cross;
            then both are their mean.

        Raises
        ------
        SpecError
            If a model is missing.
        """
        said = np.asarray(predictions, dtype=np.float64)
        if said.ndim != 2 or said.shape[0] <= int(self.model.max()):
            raise SpecError(
                f"CrossConformal: predictions of shape {said.shape}; those of {int(self.model.max()) + 1} models "
                "are needed, one in a row"
            )
        n = self.residuals.size
        place = _place(self.level, n)
        each = said[self.model]
        errors = self.residuals[:, None]
        low = np.partition(each - errors, n - place, axis=0)[n - place]
        high = np.partition(each + errors, place - 1, axis=0)[place - 1]
        middle = (low + high) / 2
        return np.minimum(low, middle), np.maximum(high, middle)


def cross_conformal(
    truth: Floats,
    predicted: Floats,
    fold: Sequence[int] | Rows,
    ids: Sequence[str],
    groups: Sequence[str],
    *,
    level: float = 0.9,
) -> CrossConformal:
    """Make intervals out of one repeat's out-of-fold predictions.

    Parameters
    ----------
    truth, predicted : ndarray of float64, shape (n_tracks,)
        Scores, and what the model that had not seen a track said of it.
    fold : sequence of int, length n_tracks
        The number of that model.
    ids, groups : sequence of str, length n_tracks
        Each group lends one track: see :func:`one_per_group`.
    level : float, between 0 and 1
        Share of new tracks that shall be covered.

    Returns
    -------
    CrossConformal
        Ready for new tracks.

    Raises
    ------
    UndefinedMetricError
        If there are too few groups for an interval with an end.
    SpecError
        If the lengths differ.
    """
    lengths = {len(truth), len(predicted), len(fold), len(ids), len(groups)}
    if len(lengths) != 1:
        raise SpecError(f"cross_conformal: columns of {sorted(lengths)} rows; equal lengths are needed")
    rows = one_per_group(ids, groups)
    errors = np.abs(np.asarray(truth, dtype=np.float64) - np.asarray(predicted, dtype=np.float64))
    return CrossConformal(errors[rows], np.asarray(fold, dtype=np.intp)[rows], level)


def held_out_half_widths(
    truth: Floats,
    predicted: Floats,
    fold: Sequence[int] | Rows,
    ids: Sequence[str],
    groups: Sequence[str],
    *,
    level: float = 0.9,
) -> Floats:
    """Give each track an interval that its own error had no part in, so that coverage can be counted.

    Parameters
    ----------
    truth, predicted : ndarray of float64, shape (n_tracks,)
        Scores and out-of-fold predictions of one repeat.
    fold : sequence of int, length n_tracks
        In which fold each was tested.
    ids, groups : sequence of str, length n_tracks
        Each group lends one track.
    level : float, between 0 and 1
        Share that shall be covered.

    Returns
    -------
    ndarray of float64, shape (n_tracks,)
        :func:`conformal_half_width` of the errors of the other folds.

    Raises
    ------
    UndefinedMetricError
        If the other folds have too few groups.
    SpecError
        If the lengths differ.
    """
    made = cross_conformal(truth, predicted, fold, ids, groups, level=level)
    numbers = np.asarray(fold, dtype=np.intp)
    widths = np.empty(numbers.size)
    for each in np.unique(numbers):
        widths[numbers == each] = conformal_half_width(made.residuals[made.model != each], level=level)
    return widths


def coverage(
    truth: Floats,
    low: Floats,
    high: Floats,
    *,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    n_resamples: int = 1000,
) -> Estimate:
    """Give the share of scores that lie in their intervals.

    Parameters
    ----------
    truth, low, high : ndarray of float64, shape (n_tracks,)
        Scores, and the ends of their intervals, which belong to them.
    groups : sequence of str, length n_tracks, optional
        What the interval of the share draws together.
    seed : int
        Of the resampling.
    n_resamples : int
        How many.

    Returns
    -------
    Estimate
        Of the metric ``coverage``, from 0 to 1.

    Raises
    ------
    SpecError
        If the lengths differ.
    """
    if not (truth.shape == low.shape == high.shape) or truth.ndim != 1:
        raise SpecError(f"coverage: scores {truth.shape} and ends {low.shape}, {high.shape}; equal ones are needed")
    names = [f"{row:09d}" for row in range(truth.size)] if groups is None else list(groups)
    if len(names) != truth.size:
        raise SpecError(f"coverage: {len(names)} groups for {truth.size} tracks")
    inside = ((low <= truth) & (truth <= high)).astype(np.float64)
    n_groups = len(set(names))
    drawn = None
    if n_groups >= MIN_GROUPS:
        weights = draw_weights(names, seed=seed, n_resamples=n_resamples)
        drawn = weights @ inside / weights.sum(axis=1)
    value = float(inside.mean()) if inside.size else float("nan")
    return estimated(
        "coverage", value, drawn, n_tracks=inside.size, n_groups=n_groups, undefined="there are no tracks"
    )
