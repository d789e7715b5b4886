"""Late fusion: one regressor for each group of features, and their predictions averaged or stacked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from otoscope.predictors.ridge import LinearRegressor, RidgePredictor
from otoscope.predictors.svr import RadialRegressor, SvrPredictor
from otoscope.predictors.tables import AGGREGATE, Learned, Problem, Regressor, TablePredictor
from otoscope.specs import Setting

__all__ = ["FusedRegressor", "FusionPredictor", "feature_groups", "stacking_weights"]

FloatArray = NDArray[np.float64]
_BASES = {"linear": LinearRegressor, "radial": RadialRegressor}


def feature_groups(feature_ids: tuple[str, ...]) -> dict[str, list[int]]:
    """Find which features belong together.

    Parameters
    ----------
    feature_ids : tuple of str
        ``group.name``.

    Returns
    -------
    dict of str to list of int
        The places of each group's features; groups in the order in which they begin.

    Examples
    --------
    >>> feature_groups(("tone.a", "beat.a", "tone.b"))
    {'tone': [0, 2], 'beat': [1]}
    """
    result: dict[str, list[int]] = {}
    for place, feature in enumerate(feature_ids):
        result.setdefault(feature.partition(".")[0], []).append(place)
    return result


def stacking_weights(out_of_fold: FloatArray, y: FloatArray, weights: FloatArray) -> tuple[FloatArray, float]:
    """Find the non-negative weights with which predictions add up best to the scores.

    Parameters
    ----------
    out_of_fold : ndarray of float64, shape (n_clips, n_members)
        Predictions of clips that were held out: those of fitted clips would favour whatever overfits.
    y : ndarray of float64, shape (n_clips,)
        Scores.
    weights : ndarray of float64, shape (n_clips,)
        How much each score counts.

    Returns
    -------
    weights : ndarray of float64, shape (n_members,)
        At least 0; equal shares where no member says anything of the scores.
    intercept : float
        What is added.

    References
    ----------
    .. [1] L. Breiman, "Stacked regressions", Machine Learning 24, 1996: the constraint to be non-negative.

    Examples
    --------
    >>> good, bad = np.arange(4.0), np.array([1.0, -1.0, 1.0, -1.0])
    >>> stacking_weights(np.stack([good, bad], axis=1), 2 * good + 1, np.ones(4))[0].round(6).tolist()
    [2.0, 0.0]
    """
    from scipy.optimize import nnls

    share = weights / weights.sum()
    means, mean = share @ out_of_fold, float(share @ y)
    root = np.sqrt(share)
    found = nnls(root[:, None] * (out_of_fold - means), root * (y - mean))[0]
    if not np.any(found > 0):
        found = np.full(len(means), 1 / len(means))
    return found, mean - float(found @ means)


@dataclass(frozen=True, slots=True, eq=False)
class FusedRegressor:
    """A weighted sum of regressors that each look at some of the features.

    Parameters
    ----------
    members : tuple of Regressor
        All of one kind.
    columns : tuple of ndarray of int
        The features that each looks at.
    weights : ndarray of float64, shape (n_members,)
        Of their predictions.
    intercept : float
        What is added.
    """

    members: tuple[Regressor, ...]
    columns: tuple[NDArray[np.int64], ...]
    weights: FloatArray
    intercept: float

    @property
    def kind(self) -> str:
        """Which class reads its arrays back, and of which kind the members are."""
        return f"fused-{self.members[0].kind}"

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
        result = np.full(len(z), self.intercept)
        for member, columns, weight in zip(self.members, self.columns, self.weights, strict=True):
            if weight > 0:
                result += weight * member.predict(z[:, columns])
        return result

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give all that it needs.

        Returns
        -------
        dict of str to ndarray
            By name; those of member i begin with ``i.``.
        """
        result: dict[str, NDArray[Any]] = {"weights": self.weights, "intercept": np.array(self.intercept)}
        for place, (member, columns) in enumerate(zip(self.members, self.columns, strict=True)):
            result[f"{place}.columns"] = columns
            result |= {f"{place}.{name}": array for name, array in member.arrays().items()}
        return result

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, member_kind: str) -> FusedRegressor:
        """Make it from what :meth:`arrays` gave.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            By name.
        member_kind : str
            "linear" or "radial".

        Returns
        -------
        FusedRegressor
            An equal one.
        """
        weights = np.asarray(arrays["weights"], dtype=np.float64)
        members: list[Regressor] = []
        columns: list[NDArray[np.int64]] = []
        for place in range(weights.size):
            start = f"{place}."
            own = {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
            columns.append(np.asarray(own.pop("columns"), dtype=np.int64))
            members.append(_BASES[member_kind].from_arrays(own))
        return cls(tuple(members), tuple(columns), weights, float(arrays["intercept"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionPredictor(TablePredictor):
    """One tuned ridge regression or SVR for each group of features, fused.

    Parameters
    ----------
    how : {"mean", "stack"}
        "mean" averages the predictions. "stack" gives them non-negative weights, found on predictions of clips that
        inner folds held out, at the settings that were chosen on those folds. Without inner folds it is the mean.
    base : {"ridge", "svr"}
        What each group gets.
    aggregate : {"mean", "max"}
        How the predictions of a clip's segments come together.
    shifts : tuple of float, semitones
        Of the copies that are fitted on beside each clip.
    seed : int
        Of the inner folds.

    Raises
    ------
    SpecError
        If a setting is not accepted.
    """

    BASE: ClassVar[str] = "fusion"
    SETTINGS: ClassVar[Mapping[str, Setting]] = {
        "how": Setting("mean", "how predictions are fused", choices=("mean", "stack")),
        "base": Setting("ridge", "what each group of features gets", choices=("ridge", "svr")),
        "aggregate": AGGREGATE,
    }

    how: Literal["mean", "stack"] = "mean"
    base: Literal["ridge", "svr"] = "ridge"

    def learn(self, problem: Problem) -> Learned:
        """Learn the members and their weights.

        Parameters
        ----------
        problem : Problem
            Prepared rows, scores, weights and inner folds.

        Returns
        -------
        Learned
            A :class:`FusedRegressor`; chosen are ``GROUP.weight`` and whatever was chosen for each group, as
            ``GROUP.setting``.
        """
        base = (RidgePredictor if self.base == "ridge" else SvrPredictor)(seed=self.seed)
        groups = feature_groups(problem.feature_ids)
        learned = {name: base.learn(problem.columns(places)) for name, places in groups.items()}
        held = [each.out_of_fold for each in learned.values() if each.out_of_fold is not None]
        together = np.stack(held, axis=1) if held else None
        weights, intercept = np.full(len(groups), 1 / len(groups)), 0.0
        if self.how == "stack" and together is not None:
            weights, intercept = stacking_weights(together, problem.rows.training.y, problem.rows.clip_weights)
        fused = FusedRegressor(
            tuple(each.regressor for each in learned.values()),
            tuple(np.asarray(places, dtype=np.int64) for places in groups.values()),
            weights,
            intercept,
        )
        chosen: dict[str, float] = {}
        for (name, each), weight in zip(learned.items(), weights, strict=True):
            chosen[f"{name}.weight"] = float(weight)
            chosen |= {f"{name}.{key}": value for key, value in each.chosen.items()}
        return Learned(fused, chosen, None if together is None else together @ weights + intercept)
