"""The protocol of a published study, mistakes included, to set its numbers beside those of a correct one.

What is done here, and must not be done elsewhere:

* features are standardised by the mean and the deviation of *the clips that are predicted together*
  (``zscore=fold``). A prediction then depends on the other clips in the call, and one clip alone cannot be scored;
* the segments of a clip count as so many clips, and the greatest of their predictions is taken (``aggregate=max``),
  which is biased upwards;
* settings are those of a library, in the unit of the scores, and no feature is bounded;
* the network drops out its own output.

Where the study says nothing, this is ours: NaN becomes the mean, weights that are given are used, rectified hidden
units, at most 200 epochs with a patience of 20. Its ``mean`` is that of all scores, those to be predicted included;
here it is the mean of the training scores, since ``fit`` is given no others. Copies are never asked for.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.predictors.base import TrainingSet, Views
from otoscope.predictors.inner import single_thread
from otoscope.predictors.mlp import NetworkRegressor, Training, train_network
from otoscope.predictors.ridge import LinearRegressor, ridge_path
from otoscope.predictors.rows import AGGREGATES, Aggregate, Rows, aggregated, plain_rows, rows_of
from otoscope.predictors.svr import fit_radial
from otoscope.predictors.tables import Regressor, check_feature_ids, training_set
from otoscope.specs import Setting, check_settings, name_with

__all__ = ["AudmemMlp", "AudmemPredictor", "AudmemRidge", "AudmemSvr", "FittedAudmem", "standardised"]

FloatArray = NDArray[np.float64]
_TRAINING = Training(
    rate=1e-4, decay=0.0, dropout=0.5, batch=16, epochs=200, patience=20, sigmoid=True, drop_output=True
)


def standardised(x: FloatArray, mean: FloatArray, scale: FloatArray) -> FloatArray:
    """Take the mean off and divide by the scale; NaN becomes 0, the mean.

    Parameters
    ----------
    x : ndarray of float64, shape (n_rows, n_features)
        Features.
    mean, scale : ndarray of float64, shape (n_features,)
        From :func:`_moments` of the training rows, or of these rows.

    Returns
    -------
    ndarray of float64, shape (n_rows, n_features)
        Not bounded.
    """
    return np.where(np.isnan(x), 0.0, (x - mean) / scale)


def _moments(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give the mean and the standard deviation of each column; 1 for one that does not vary."""
    there = ~np.isnan(x)
    n = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, x, 0.0).sum(axis=0) / n
    deviation = np.sqrt(np.square(np.where(there, x - mean, 0.0)).sum(axis=0) / n)
    return mean, np.where(deviation > 1e-12 * np.abs(mean), deviation, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class FittedAudmem:
    """A predictor of the reference's protocol, fitted.

    Parameters
    ----------
    name : str
        As on the command line.
    feature_ids : tuple of str
        What it was fitted on, in order.
    mean, scale : ndarray of float64, shape (n_features,)
        Of the training rows.
    regressor : Regressor
        Predicts from standardised rows.
    zscore : {"fold", "train"}
        Whose mean and scale standardise what is predicted.
    aggregate : {"mean", "max"}
        How the predictions of a clip's segments come together.
    chosen : mapping of str to float
        What came out.

    Warnings
    --------
    With ``zscore="fold"`` a prediction depends on all clips of the call: give a whole test fold at once. One clip of
    one row is then always the mean of its fold, whatever it sounds like.
    """

    name: str
    feature_ids: tuple[str, ...]
    mean: FloatArray
    scale: FloatArray
    regressor: Regressor
    zscore: Literal["fold", "train"]
    aggregate: Aggregate
    chosen: Mapping[str, float]

    def predict(self, clips: Sequence[str], views: Views) -> FloatArray:
        """Predict the scores of clips; with ``zscore="fold"``, each in the light of all the others.

        Parameters
        ----------
        clips : sequence of str
            The ids of a whole test fold.
        views : Views
            Asked for the clips themselves only.

        Returns
        -------
        ndarray of float64, shape (n_clips,)
            With ``zscore="train"``, each as if the clip were alone.

        Raises
        ------
        SpecError
            If the views give other features than it was fitted on.
        DataError
            If the views give what cannot be.
        """
        check_feature_ids(self.name, self.feature_ids, views)
        x, clip = plain_rows(clips, views)
        if not len(x):
            return np.empty(0)
        mean, scale = _moments(x) if self.zscore == "fold" else (self.mean, self.scale)
        return aggregated(self.regressor.predict(standardised(x, mean, scale)), clip, len(clips), self.aggregate)

    def on_rows(self, rows: FloatArray) -> FloatArray:
        """Predict from rows, always standardised as the training rows were.

        Parameters
        ----------
        rows : ndarray of float64, shape (n_rows, n_features)
            NaN where a feature has no value.

        Returns
        -------
        ndarray of float64, shape (n_rows,)
            One prediction for each row, which depends on no other.
        """
        values = np.asarray(rows, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != self.mean.size:
            raise SpecError(f"rows have the shape {values.shape}; (any number, {self.mean.size}) is needed")
        return self.regressor.predict(standardised(values, self.mean, self.scale))

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Give all that it needs to predict.

        Returns
        -------
        arrays : dict of str to ndarray
            Numbers only.
        about : dict
            The rest, as a JSON value.
        """
        arrays: dict[str, NDArray[Any]] = {"mean": self.mean, "scale": self.scale}
        arrays |= {f"regressor.{name}": array for name, array in self.regressor.arrays().items()}
        about = {
            "kind": "audmem",
            "name": self.name,
            "regressor": self.regressor.kind,
            "feature_ids": list(self.feature_ids),
            "zscore": self.zscore,
            "aggregate": self.aggregate,
            "chosen": dict(self.chosen),
        }
        return arrays, about


@dataclass(frozen=True, slots=True, kw_only=True)
class AudmemPredictor(ABC):
    """What the reference's models have in common.

    Parameters
    ----------
    zscore : {"fold", "train"}
        "fold" standardises what is predicted by its own mean and deviation, as the reference does; "train" by those
        of the training rows, as is correct.
    aggregate : {"max", "mean"}
        How the predictions of a clip's segments come together; the reference takes the greatest.
    seed : int
        Of the network.

    Raises
    ------
    SpecError
        If a setting is not accepted.
    """

    BASE: ClassVar[str]
    SETTINGS: ClassVar[Mapping[str, Setting]] = {
        "zscore": Setting("fold", "whose mean and deviation standardise a test fold", choices=("fold", "train")),
        "aggregate": Setting("max", "how the predictions of a clip's segments come together", choices=AGGREGATES),
    }

    zscore: Literal["fold", "train"] = "fold"
    aggregate: Aggregate = "max"
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self.BASE, self.SETTINGS, self._values())

    def _values(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in self.SETTINGS}

    @property
    def name(self) -> str:
        """As on the command line, with every setting that is not the default."""
        return name_with(self.BASE, self.SETTINGS, self._values())

    def fit(
        self, clips: Sequence[str], y: FloatArray, groups: Sequence[str], weights: FloatArray | None, views: Views
    ) -> FittedAudmem:
        """Learn from clips, never from copies.

        Parameters
        ----------
        clips : sequence of str
            Their ids.
        y : ndarray of float64, shape (n_clips,)
            Their scores.
        groups : sequence of str
            Clips of one group stand on one side of the split that stops the network.
        weights : ndarray of float64, shape (n_clips,), or None
            How much each row of a clip counts; the reference has none.
        views : Views
            Asked for these clips only.

        Returns
        -------
        FittedAudmem
            The same for any order of the clips.

        Raises
        ------
        SpecError
            If the clips, scores, groups and weights do not make a training set, or are not for this model.
        DataError
            If the views give what cannot be.
        """
        with single_thread():
            rows = rows_of(training_set(clips, y, groups, weights), views)
            mean, scale = _moments(rows.x)
            regressor, chosen = self._learn(standardised(rows.x, mean, scale), rows)
        return FittedAudmem(self.name, views.feature_ids, mean, scale, regressor, self.zscore, self.aggregate, chosen)

    @abstractmethod
    def _learn(self, z: FloatArray, rows: Rows) -> tuple[Regressor, dict[str, float]]: ...


class AudmemSvr(AudmemPredictor):
    """The ``SVR()`` of scikit-learn as it comes: c is 1, epsilon 0.1 of the scores' unit, gamma by the variance."""

    __slots__ = ()
    BASE: ClassVar[str] = "svr@audmem"

    def _learn(self, z: FloatArray, rows: Rows) -> tuple[Regressor, dict[str, float]]:
        variance = float(z.var())
        gamma = 1.0 / (z.shape[1] * variance) if variance > 0 else 1.0
        weights = None if rows.training.weights is None else rows.clip_weights[rows.clip]
        fitted = fit_radial(z, rows.y, weights, c=1.0, gamma=gamma, epsilon=0.1, tolerance=1e-3)
        return fitted, {"gamma": gamma, "n_support": float(fitted.dual.size)}


class AudmemRidge(AudmemPredictor):
    """The ``Ridge()`` of scikit-learn as it comes: alpha is 1."""

    __slots__ = ()
    BASE: ClassVar[str] = "ridge@audmem"

    def _learn(self, z: FloatArray, rows: Rows) -> tuple[Regressor, dict[str, float]]:
        weights = rows.clip_weights[rows.clip]
        coefficients, intercepts = ridge_path(z, rows.y, weights, np.array([1.0 / weights.sum()]))
        return LinearRegressor(coefficients[0], float(intercepts[0])), {}


class AudmemMlp(AudmemPredictor):
    """A network with 100 and 32 hidden units and a sigmoid, which drops out half of everything, its output included.

    Adam at 1e-4, 16 rows a step, stopped where a ninth of the training clips, held out by group, is predicted best.
    """

    __slots__ = ()
    BASE: ClassVar[str] = "mlp@audmem"

    def _learn(self, z: FloatArray, rows: Rows) -> tuple[Regressor, dict[str, float]]:
        y = rows.y
        if y.min() < 0 or y.max() > 1:
            raise SpecError(
                f"{self.BASE}: scores reach from {y.min():g} to {y.max():g}; its sigmoid needs 0 to 1: "
                "divide the scores, or choose mlp"
            )
        held = self._held(rows.training)[rows.clip][:, None]
        parameters, epochs = train_network(
            z,
            y,
            rows.clip_weights[rows.clip],
            held,
            np.ones(len(y), dtype=np.bool_),
            training=_TRAINING,
            seed=self.seed,
        )
        return NetworkRegressor(parameters, sigmoid=True), {"epochs": float(epochs[0])}

    def _held(self, training: TrainingSet) -> NDArray[np.bool_]:
        """Say which clips stop the training: groups by their hash, until there are as many as in a tenth fold."""
        size, held = len(training.clips) // 9, np.zeros(len(training.clips), dtype=np.bool_)
        groups = np.asarray(training.groups)
        for group in sorted(set(training.groups), key=lambda name: hashlib.sha256(name.encode()).digest()):
            if held.sum() + np.count_nonzero(groups == group) <= size:
                held |= groups == group
        return held
