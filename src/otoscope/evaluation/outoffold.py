"""Out-of-fold predictions of a model, what they are worth, and whether another model's are worth more.

Every number but one is computed over all tracks of a repeat and averaged over the repeats; `rmse` is the root of that
average. `spearman_fold` is computed within each fold and averaged over folds and repeats, those folds left out in
which it has no value. Intervals come from drawing tracks (whole groups, where there are any) with replacement, the
same ones in every repeat, each track staying in its fold: they say how far other tracks of the same kind could have
moved the number, with the fitted models as they are. Correlations of few tracks lean towards 0, those of drawn tracks
(of which some are the same) a second time: the resamples of `spearman_fold` are shifted so that their mean is its
value, and never beyond -1 and 1.

Pooled numbers have a pull of their own: a model that knows nothing but the mean of its training scores says less
where the tested scores are high, so its pooled correlation lies below 0, not at it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import LeakageError, SpecError
from otoscope.evaluation.regression import pairs_won, weighted_correlation, weighted_quantile, weighted_ranks
from otoscope.evaluation.resampling import MIN_GROUPS, Estimate, draw_weights, estimated

__all__ = ["HALF_WIDTH_LEVEL", "TRACK_METRICS", "OutOfFold", "TrackMetric", "difference", "evaluate_predictions"]

Floats = NDArray[np.float64]

HALF_WIDTH_LEVEL = 0.9


@dataclass(frozen=True, slots=True)
class TrackMetric:
    """A number about predictions.

    Parameters
    ----------
    name : str
        As in tables.
    unit : str
        "1" where it has none; "score" stands for the score's own unit, "score^2" for its square.
    higher_is_better : bool
        Which way is better.
    reason : str
        Why it has no value where it has none.
    """

    name: str
    unit: str
    higher_is_better: bool
    reason: str


_NO_ORDER = "the scores or the predictions are all the same, so nothing can be ordered"
_NO_TRACKS = "there are no tracks"
TRACK_METRICS: dict[str, TrackMetric] = {
    metric.name: metric
    for metric in (
        TrackMetric("spearman_pooled", "1", True, _NO_ORDER),
        TrackMetric("spearman_fold", "1", True, "in no fold both the scores and the predictions vary"),
        TrackMetric("pearson", "1", True, _NO_ORDER),
        TrackMetric("mse", "score^2", False, _NO_TRACKS),
        TrackMetric("rmse", "score", False, _NO_TRACKS),
        TrackMetric("mae", "score", False, _NO_TRACKS),
        TrackMetric("skill", "1", True, "there is no mean predictor to compare with, or it makes no error"),
        TrackMetric("pair_accuracy", "1", True, "all scores are the same, so nothing can be ordered"),
        TrackMetric("half_width", "score", False, _NO_TRACKS),
    )
}


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """Predictions of one model for tracks that it was not fitted on.

    Parameters
    ----------
    tracks : tuple of str
        Their ids, all different.
    truth : ndarray of float64, shape (n_tracks,)
        Their scores.
    predicted : ndarray of float64, shape (n_repeats, n_tracks)
        What was predicted in each repeat.
    fold : ndarray of int, shape (n_repeats, n_tracks)
        In which fold of the repeat.
    groups : tuple of str, length n_tracks, or empty
        What is drawn together; empty where every track is on its own.
    baseline : ndarray of float64, shape (n_repeats, n_tracks), or None
        What the mean predictor says: the mean score of the tracks that the model learned from. Without it, of the
        tracks of the table that are in other folds; NaN in a repeat of one fold, where nobody can know.

    Raises
    ------
    SpecError
        If the shapes do not fit, an id stands twice, or a number is not finite.
    LeakageError
        If a group is in two folds of one repeat.
    """

    tracks: tuple[str, ...]
    truth: Floats
    predicted: Floats
    fold: NDArray[np.intp]
    groups: tuple[str, ...] = ()
    baseline: Floats | None = None

    def __post_init__(self) -> None:
        n = len(self.tracks)
        if not self.groups:
            object.__setattr__(self, "groups", self.tracks)
        if n == 0 or len(self.groups) != n or self.truth.shape != (n,):
            raise SpecError(
                f"out-of-fold predictions: {n} tracks, {self.truth.shape} scores and {len(self.groups)} groups; "
                "at least one track is needed, with as many scores and groups"
            )
        if len(set(self.tracks)) != n:
            raise SpecError("out-of-fold predictions: a track stands twice")
        if self.predicted.ndim != 2 or self.predicted.shape[1] != n or self.predicted.shape[0] == 0:
            raise SpecError(f"out-of-fold predictions: shape {self.predicted.shape}; (n_repeats, {n}) is needed")
        if self.baseline is None:
            object.__setattr__(self, "baseline", self._means_of_others())
        assert self.baseline is not None
        if {self.fold.shape, self.baseline.shape} != {self.predicted.shape}:
            raise SpecError(
                f"out-of-fold predictions: folds {self.fold.shape} and mean predictor {self.baseline.shape} "
                f"for predictions {self.predicted.shape}; equal shapes are needed"
            )
        if not (np.all(np.isfinite(self.truth)) and np.all(np.isfinite(self.predicted))):
            raise SpecError("out-of-fold predictions: a score or a prediction is not finite")
        for repeat, folds in enumerate(self.fold):
            place: dict[str, int] = {}
            for group, fold in zip(self.groups, folds, strict=True):
                if place.setdefault(group, int(fold)) != fold:
                    raise LeakageError(f"repeat {repeat}: the group {group!r} is in folds {place[group]} and {fold}")

    def _means_of_others(self) -> Floats:
        if self.fold.shape != self.predicted.shape:
            return np.full(self.predicted.shape, np.nan)
        means = np.full(self.predicted.shape, np.nan)
        for repeat, folds in enumerate(self.fold):
            for fold in np.unique(folds):
                others = self.truth[folds != fold]
                if others.size:
                    means[repeat, folds == fold] = others.mean()
        return means

    @property
    def n_groups(self) -> int:
        """How many groups there are."""
        return len(set(self.groups))

    @classmethod
    def from_rows(
        cls,
        track: Sequence[str],
        repeat: Sequence[int],
        fold: Sequence[int],
        truth: Sequence[float] | Floats,
        predicted: Sequence[float] | Floats,
        *,
        groups: Mapping[str, str] | None = None,
        baseline: Sequence[float] | Floats | None = None,
    ) -> OutOfFold:
        """Gather the rows of a table, in any order.

        Parameters
        ----------
        track : sequence of str, length n_rows
            Ids.
        repeat, fold : sequence of int, length n_rows
            Where the row was predicted.
        truth, predicted : sequence of float, length n_rows
            Scores.
        groups : mapping of str to str, optional
            The group of each track.
        baseline : sequence of float, length n_rows, optional
            What the mean predictor says.

        Returns
        -------
        OutOfFold
            Tracks sorted by id, repeats by number.

        Raises
        ------
        SpecError
            If a repeat lacks a track or has it twice, a track has two scores, or the lengths differ.
        """
        columns = (track, repeat, fold, truth, predicted, *(() if baseline is None else (baseline,)))
        if len({len(column) for column in columns}) != 1 or not len(track):
            raise SpecError(
                f"out-of-fold predictions: columns of {[len(column) for column in columns]} rows; "
                "equal lengths are needed, of at least one row"
            )
        names, at = np.unique(np.asarray(track, dtype=np.str_), return_inverse=True)
        numbers, again = np.unique(np.asarray(repeat, dtype=np.intp), return_inverse=True)
        seen = np.zeros((numbers.size, names.size), dtype=np.intp)
        np.add.at(seen, (again, at), 1)
        if np.any(seen != 1):
            r, t = (int(index) for index in np.argwhere(seen != 1)[0])
            raise SpecError(
                f"out-of-fold predictions: repeat {numbers[r]} has {str(names[t])!r} {seen[r, t]} times; "
                "every repeat needs every track once"
            )

        def pivoted(values: Sequence[float] | Floats) -> Floats:
            table = np.empty(seen.shape)
            table[again, at] = np.asarray(values, dtype=np.float64)
            return table

        scores = pivoted(truth)
        if not np.array_equal(scores, np.broadcast_to(scores[0], scores.shape)):
            t = int(np.flatnonzero(np.any(scores != scores[0], axis=0))[0])
            raise SpecError(
                f"out-of-fold predictions: {str(names[t])!r} has more than one score: {scores[:, t].tolist()}"
            )
        tracks = tuple(str(name) for name in names)
        return cls(
            tracks,
            scores[0],
            pivoted(predicted),
            pivoted(np.asarray(fold, dtype=np.float64)).astype(np.intp),
            () if groups is None else tuple(groups[name] for name in tracks),
            None if baseline is None else pivoted(baseline),
        )


def evaluate_predictions(table: OutOfFold, *, seed: int = 0, n_resamples: int = 1000) -> dict[str, Estimate]:
    """Give all numbers about a model's predictions.

    Parameters
    ----------
    table : OutOfFold
        Its predictions.
    seed : int
        Of the resampling.
    n_resamples : int
        How many.

    Returns
    -------
    dict of str to Estimate
        By the names of :data:`TRACK_METRICS`, with 95 % intervals.
    """
    values = _values(table, _weights(table, seed, n_resamples))
    return {name: _finish(name, table, each) for name, each in values.items()}


def difference(one: OutOfFold, other: OutOfFold, *, seed: int = 0, n_resamples: int = 1000) -> dict[str, Estimate]:
    """Compare two models on the same tracks: one minus the other, on the same resamples.

    Parameters
    ----------
    one, other : OutOfFold
        Predictions of the same tracks; their folds may differ.
    seed : int
        Of the resampling.
    n_resamples : int
        How many.

    Returns
    -------
    dict of str to Estimate
        Of the differences, by the names of :data:`TRACK_METRICS`.

    Raises
    ------
    SpecError
        If the tracks, their scores or their groups are not the same.
    """
    if one.tracks != other.tracks or one.groups != other.groups or not np.array_equal(one.truth, other.truth):
        raise SpecError(
            f"difference: the models were tested on {len(one.tracks)} and {len(other.tracks)} tracks, or with other "
            "scores or groups; a paired difference needs the same tracks in the same order"
        )
    weights = _weights(one, seed, n_resamples)
    first, second = _values(one, weights), _values(other, weights)
    return {name: _finish(name, one, first[name] - second[name]) for name in first}


def _weights(table: OutOfFold, seed: int, n_resamples: int) -> Floats:
    """Give the tracks themselves as the first sample, and the resamples after it where there are groups enough."""
    whole = np.ones((1, len(table.tracks)))
    if table.n_groups < MIN_GROUPS:
        return whole
    return np.vstack([whole, draw_weights(table.groups, seed=seed, n_resamples=n_resamples)])


def _finish(name: str, table: OutOfFold, values: Floats) -> Estimate:
    return estimated(
        name,
        float(values[0]),
        values[1:] if values.size > 1 else None,
        n_tracks=len(table.tracks),
        n_groups=table.n_groups,
        undefined=TRACK_METRICS[name].reason,
    )


def _values(table: OutOfFold, weights: Floats) -> dict[str, Floats]:
    """Give every number in every sample, each of shape (n_samples,)."""
    assert table.baseline is not None
    total = weights.sum(axis=1)
    error = np.abs(table.predicted - table.truth)
    squared = weights @ np.square(error).mean(axis=0) / total
    of_mean = weights @ np.square(table.baseline - table.truth).mean(axis=0) / total
    known = of_mean > 0  # also False where it is NaN
    truth_ranks = weighted_ranks(table.truth, weights)
    truth_rows = np.broadcast_to(table.truth, weights.shape)
    pooled = [weighted_correlation(truth_ranks, weighted_ranks(each, weights), weights) for each in table.predicted]
    linear = [
        weighted_correlation(truth_rows, np.broadcast_to(each, weights.shape), weights) for each in table.predicted
    ]
    return {
        "spearman_pooled": np.mean(pooled, axis=0),
        "spearman_fold": _within_folds(table, weights),
        "pearson": np.mean(linear, axis=0),
        "mse": squared,
        "rmse": np.sqrt(squared),
        "mae": weights @ error.mean(axis=0) / total,
        "skill": np.where(known, 1 - squared / np.where(known, of_mean, 1.0), np.nan),
        "pair_accuracy": pairs_won(table.truth, table.predicted, weights),
        "half_width": np.mean([weighted_quantile(each, weights, HALF_WIDTH_LEVEL) for each in error], axis=0),
    }


def _within_folds(table: OutOfFold, weights: Floats) -> Floats:
    total, there = np.zeros(weights.shape[0]), np.zeros(weights.shape[0])
    for folds, predicted in zip(table.fold, table.predicted, strict=True):
        for fold in np.unique(folds):
            rows = np.flatnonzero(folds == fold)
            inside = weights[:, rows]
            rho = weighted_correlation(
                weighted_ranks(table.truth[rows], inside), weighted_ranks(predicted[rows], inside), inside
            )
            total += np.where(np.isnan(rho), 0.0, rho)
            there += ~np.isnan(rho)
    means = np.where(there > 0, total / np.maximum(there, 1.0), np.nan)
    known = np.isfinite(means[1:])
    if np.isfinite(means[0]) and np.any(known):
        means[1:] = np.clip(means[1:] + (means[0] - means[1:][known].mean()), -1.0, 1.0)
    return means
