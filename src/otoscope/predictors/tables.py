"""What all predictors from tables share: rows, preparation, a regressor, and how a clip's rows come together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.predictors.base import TrainingSet, Views
from otoscope.predictors.inner import inner_folds, single_thread
from otoscope.predictors.preparing import Preparation
from otoscope.predictors.rows import AGGREGATES, Aggregate, Rows, aggregated, check_shifts, plain_rows, rows_of
from otoscope.specs import Setting, check_settings, name_with

__all__ = [
    "AGGREGATE",
    "DEFAULT_SHIFTS",
    "FittedTable",
    "Learned",
    "Problem",
    "Regressor",
    "TablePredictor",
    "check_feature_ids",
    "training_set",
]

FloatArray = NDArray[np.float64]
DEFAULT_SHIFTS = (-2.0, -1.0, 1.0, 2.0)
AGGREGATE = Setting("mean", "how the predictions of a clip's segments come together", choices=AGGREGATES)


class Regressor(Protocol):
    """Predicts from standardised rows; numbers only."""

    @property
    def kind(self) -> str:
        """Which class reads its arrays back."""
        ...

    def predict(self, z: FloatArray) -> FloatArray:
        """Predict.

        Parameters
        ----------
        z : ndarray of float64, shape (n_rows, n_features)
            Prepared rows.

        Returns
        -------
        ndarray of float64, shape (n_rows,)
            In the unit of the scores.
        """
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give all that it needs.

        Returns
        -------
        dict of str to ndarray
            By name.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What a regressor is learned from.

    Parameters
    ----------
    z : ndarray of float64, shape (n_rows, n_features)
        Prepared rows.
    rows : Rows
        Whose they are.
    folds : ndarray of int, shape (n_clips,), or None
        Inner folds of the clips; None where there are too few groups to choose anything.
    aggregate : {"mean", "max"}
        As in predicting.
    feature_ids : tuple of str
        Of the columns of `z`.
    """

    z: FloatArray
    rows: Rows
    folds: NDArray[np.intp] | None
    aggregate: Aggregate
    feature_ids: tuple[str, ...]

    @property
    def n_active(self) -> int:
        """How many features vary; at least 1."""
        return max(1, int(np.count_nonzero(np.ptp(self.z, axis=0) > 0)))

    @property
    def centre(self) -> tuple[float, float]:
        """The weighted mean of the scores, and their standard deviation; 1 where all scores are one number."""
        weights, y = self.rows.clip_weights, self.rows.training.y
        mean = float(np.average(y, weights=weights))
        deviation = float(np.sqrt(np.average(np.square(y - mean), weights=weights)))
        return mean, deviation if deviation > 1e-12 * max(1.0, abs(mean)) else 1.0

    def columns(self, which: Sequence[int]) -> Problem:
        """Give the problem with some of the features.

        Parameters
        ----------
        which : sequence of int
            Their places.

        Returns
        -------
        Problem
            Same rows and folds.
        """
        ids = tuple(self.feature_ids[i] for i in which)
        return replace(self, z=np.ascontiguousarray(self.z[:, list(which)]), feature_ids=ids)

    def errors(self, out_of_fold: FloatArray) -> FloatArray:
        """Give the mean squared error of clips for each candidate.

        Parameters
        ----------
        out_of_fold : ndarray of float64, shape (n_clips, n_candidates)
            Predictions of clips that were held out.

        Returns
        -------
        ndarray of float64, shape (n_candidates,)
            Weighted as the clips are.
        """
        weights = self.rows.clip_weights
        return weights @ np.square(out_of_fold - self.rows.training.y[:, None]) / weights.sum()


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A regressor and how it came about.

    Parameters
    ----------
    regressor : Regressor
        Fitted on all rows.
    chosen : mapping of str to float
        Settings that were tuned, and what came out.
    out_of_fold : ndarray of float64, shape (n_clips,), or None
        What the settings that were chosen predicted for each clip in the inner folds; None without folds.
    """

    regressor: Regressor
    chosen: Mapping[str, float]
    out_of_fold: FloatArray | None = None


def training_set(
    clips: Sequence[str], y: FloatArray, groups: Sequence[str], weights: FloatArray | None
) -> TrainingSet:
    """Make a training set from what was given to ``fit``.

    Parameters
    ----------
    clips : sequence of str
        Their ids.
    y : ndarray of float64, shape (n_clips,)
        Their scores.
    groups : sequence of str
        Of each clip.
    weights : ndarray of float64, shape (n_clips,), or None
        How much each score counts.

    Returns
    -------
    TrainingSet
        In the order given.

    Raises
    ------
    SpecError
        If they do not make one.
    """
    asked = None if weights is None else np.asarray(weights, dtype=np.float64)
    return TrainingSet(tuple(clips), np.asarray(y, dtype=np.float64), tuple(groups), asked)


def check_feature_ids(name: str, fitted_on: tuple[str, ...], views: Views) -> None:
    """Check that views give the features that a predictor was fitted on.

    Parameters
    ----------
    name : str
        Of the predictor, for the message.
    fitted_on : tuple of str
        What it needs, in order.
    views : Views
        What is there.

    Raises
    ------
    SpecError
        If they are others, or in another order.
    """
    there = views.feature_ids
    if there != fitted_on:
        lacking = [feature for feature in fitted_on if feature not in set(there)]
        what = f"{lacking[0]} is missing" if lacking else "there are others, or they stand in another order"
        raise SpecError(
            f"{name} was fitted on {len(fitted_on)} features and the views give {len(there)}: {what}; "
            "give it the features that it was fitted on"
        )


@dataclass(frozen=True, slots=True, eq=False)
class FittedTable:
    """A predictor from tables, fitted: a preparation, a regressor, and how segments come together.

    Parameters
    ----------
    name : str
        As on the command line.
    feature_ids : tuple of str
        What it was fitted on, in order.
    preparation : Preparation
        Learned on the training rows.
    regressor : Regressor
        Predicts from prepared rows.
    aggregate : {"mean", "max"}
        How the predictions of a clip's segments come together.
    chosen : mapping of str to float
        Settings that were tuned, and what came out.
    """

    name: str
    feature_ids: tuple[str, ...]
    preparation: Preparation
    regressor: Regressor
    aggregate: Aggregate
    chosen: Mapping[str, float]

    def predict(self, clips: Sequence[str], views: Views) -> FloatArray:
        """Predict the scores of clips.

        Parameters
        ----------
        clips : sequence of str
            Their ids.
        views : Views
            Asked for the clips themselves only.

        Returns
        -------
        ndarray of float64, shape (n_clips,)
            Each as if the clip were alone.

        Raises
        ------
        SpecError
            If the views give other features than it was fitted on.
        DataError
            If the views give what cannot be.
        """
        check_feature_ids(self.name, self.feature_ids, views)
        x, clip = plain_rows(clips, views)
        return aggregated(self.on_rows(x), clip, len(clips), self.aggregate)

    def on_rows(self, rows: FloatArray) -> FloatArray:
        """Predict from rows of features, as they come from the views.

        Parameters
        ----------
        rows : ndarray of float64, shape (n_rows, n_features)
            NaN where a feature has no value.

        Returns
        -------
        ndarray of float64, shape (n_rows,)
            One prediction for each row.
        """
        return self.regressor.predict(self.preparation.apply(np.asarray(rows, dtype=np.float64)))

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Give all that it needs to predict.

        Returns
        -------
        arrays : dict of str to ndarray
            Numbers only.
        about : dict
            The rest, as a JSON value.
        """
        arrays = {f"preparation.{name}": array for name, array in self.preparation.arrays().items()}
        arrays |= {f"regressor.{name}": array for name, array in self.regressor.arrays().items()}
        about = {
            "kind": "table",
            "name": self.name,
            "regressor": self.regressor.kind,
            "feature_ids": list(self.feature_ids),
            "aggregate": self.aggregate,
            "chosen": dict(self.chosen),
        }
        return arrays, about


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePredictor(ABC):
    """What predictors from tables have in common.

    Parameters
    ----------
    aggregate : {"mean", "max"}
        How the predictions of a clip's segments come together.
    shifts : tuple of float, semitones
        Of the copies that are fitted on beside each clip.
    seed : int
        Of the inner folds, and of whatever is drawn.

    Raises
    ------
    SpecError
        If a setting is not accepted, or is given though it is to be chosen.
    """

    BASE: ClassVar[str]
    SETTINGS: ClassVar[Mapping[str, Setting]]
    WITHOUT_TUNING: ClassVar[tuple[str, ...]] = ()

    aggregate: Aggregate = "mean"
    shifts: tuple[float, ...] = DEFAULT_SHIFTS
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self.BASE, self.SETTINGS, self._values())
        object.__setattr__(self, "shifts", check_shifts(self.shifts))
        for key in self.WITHOUT_TUNING:
            value = getattr(self, key)
            if getattr(self, "tune", False) and value != self.SETTINGS[key].default:
                raise SpecError(f"{self.BASE}: {key} is {value:g}, but it is chosen by inner folds; add tune=off")

    def _values(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in self.SETTINGS}

    @property
    def name(self) -> str:
        """As on the command line, with every setting that is not the default."""
        return name_with(self.BASE, self.SETTINGS, self._values())

    def fit(
        self, clips: Sequence[str], y: FloatArray, groups: Sequence[str], weights: FloatArray | None, views: Views
    ) -> FittedTable:
        """Learn from clips, and from shifted copies of them.

        Parameters
        ----------
        clips : sequence of str
            Their ids.
        y : ndarray of float64, shape (n_clips,)
            Their scores.
        groups : sequence of str
            Clips of one group stand in one inner fold.
        weights : ndarray of float64, shape (n_clips,), or None
            How much each score counts; only their ratios matter.
        views : Views
            Asked for these clips only.

        Returns
        -------
        FittedTable
            The same for any order of the clips.

        Raises
        ------
        SpecError
            If the clips, scores, groups and weights do not make a training set.
        DataError
            If the views give what cannot be.
        """
        with single_thread():
            rows = rows_of(training_set(clips, y, groups, weights), views, self.shifts)
            preparation = Preparation.learn(rows.x, rows.weights)
            # The inner folds share the preparation: it knows no score, and sharing is what makes them quick.
            z, folds = preparation.apply(rows.x), inner_folds(rows.training.groups, seed=self.seed)
            learned = self.learn(Problem(z, rows, folds, self.aggregate, views.feature_ids))
        return FittedTable(
            self.name, views.feature_ids, preparation, learned.regressor, self.aggregate, dict(learned.chosen)
        )

    @abstractmethod
    def learn(self, problem: Problem) -> Learned:
        """Learn the regressor.

        Parameters
        ----------
        problem : Problem
            Prepared rows, scores, weights and inner folds.

        Returns
        -------
        Learned
            The regressor and what was chosen.
        """
