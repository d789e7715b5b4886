"""Ridge regression: every feature counts a little, and the penalty is chosen by folds that divide no group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from otoscope.predictors.inner import held_out_predictions
from otoscope.predictors.tables import AGGREGATE, Learned, Problem, TablePredictor
from otoscope.specs import Setting

__all__ = ["PENALTIES", "LinearRegressor", "RidgePredictor", "ridge_path"]

FloatArray = NDArray[np.float64]
PENALTIES: tuple[float, ...] = tuple(float(value) for value in np.logspace(-3, 4, 29))
"""Penalties tried, per clip: four to a decade."""


def ridge_path(
    z: FloatArray, y: FloatArray, weights: FloatArray, penalties: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Solve ridge regression for many penalties by one eigendecomposition.

    What is minimised is the weighted mean of the squared errors, plus the penalty times the sum of the squared
    coefficients; the intercept is free [1]_. With penalty p this is scikit-learn's ``Ridge`` with an alpha of p times
    the sum of the weights.

    Parameters
    ----------
    z : ndarray of float64, shape (n_rows, n_features)
        Prepared rows.
    y : ndarray of float64, shape (n_rows,)
        Their scores.
    weights : ndarray of float64, shape (n_rows,)
        Above 0. Only their ratios matter.
    penalties : ndarray of float64, shape (n_penalties,)
        Above 0.

    Returns
    -------
    coefficients : ndarray of float64, shape (n_penalties, n_features)
        For each penalty.
    intercepts : ndarray of float64, shape (n_penalties,)
        For each penalty.

    References
    ----------
    .. [1] A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal problems",
       Technometrics 12, 1970.

    Examples
    --------
    >>> line = np.array([[-1.0], [1.0]])
    >>> coefficients, _ = ridge_path(line, np.array([-2.0, 2.0]), np.ones(2), np.array([1.0]))
    >>> coefficients.round(6).tolist()
    [[1.0]]
    """
    share = weights / weights.sum()
    mean_z, mean_y = share @ z, share @ y
    root = np.sqrt(share)[:, None]
    a, b = root * (z - mean_z), root[:, 0] * (y - mean_y)
    n_rows, n_features = a.shape
    if n_features <= n_rows:
        values, vectors = np.linalg.eigh(a.T @ a)
        turned = vectors.T @ (a.T @ b)
        coefficients = (turned / (np.maximum(values, 0.0) + penalties[:, None])) @ vectors.T
    else:
        values, vectors = np.linalg.eigh(a @ a.T)
        turned = vectors.T @ b
        coefficients = (turned / (np.maximum(values, 0.0) + penalties[:, None])) @ vectors.T @ a
    return coefficients, mean_y - coefficients @ mean_z


@dataclass(frozen=True, slots=True, eq=False)
class LinearRegressor:
    """A weighted sum.

    Parameters
    ----------
    coefficients : ndarray of float64, shape (n_features,)
        Of prepared features.
    intercept : float
        What a clip of average features scores.
    """

    coefficients: FloatArray
    intercept: float

    @property
    def kind(self) -> str:
        """Which class reads its arrays back."""
        return "linear"

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
        return z @ self.coefficients + self.intercept

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give all that it needs.

        Returns
        -------
        dict of str to ndarray
            By name.
        """
        return {"coefficients": self.coefficients, "intercept": np.array(self.intercept)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> LinearRegressor:
        """Make it from what :meth:`arrays` gave.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            By name.

        Returns
        -------
        LinearRegressor
            An equal one.
        """
        return cls(np.asarray(arrays["coefficients"], dtype=np.float64), float(arrays["intercept"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class RidgePredictor(TablePredictor):
    """Ridge regression on prepared features.

    Parameters
    ----------
    tune : bool
        Whether the penalty is chosen, by the squared error of clips that inner folds held out. Folds hold out whole
        groups with all their copies: leaving out one row would leave its copies in, and choose too small a penalty.
    penalty : float
        Where it is not chosen: per clip, so that it means the same for any number of clips.
    aggregate : {"mean", "max"}
        How the predictions of a clip's segments come together.
    shifts : tuple of float, semitones
        Of the copies that are fitted on beside each clip.
    seed : int
        Of the inner folds.

    Raises
    ------
    SpecError
        If a setting is not accepted, or a penalty is given while it is to be chosen.
    """

    BASE: ClassVar[str] = "ridge"
    SETTINGS: ClassVar[Mapping[str, Setting]] = {
        "tune": Setting(True, "choose the penalty by inner folds"),
        "penalty": Setting(10.0, "penalty per clip, with tune=off", least=1e-9, most=1e9),
        "aggregate": AGGREGATE,
    }

    WITHOUT_TUNING: ClassVar[tuple[str, ...]] = ("penalty",)

    tune: bool = True
    penalty: float = 10.0

    def learn(self, problem: Problem) -> Learned:
        """Learn the coefficients.

        Parameters
        ----------
        problem : Problem
            Prepared rows, scores, weights and inner folds.

        Returns
        -------
        Learned
            A :class:`LinearRegressor`; chosen are ``penalty`` and, where there are inner folds, ``inner_mse``.
        """
        rows, penalty = problem.rows, self.penalty
        chosen: dict[str, float] = {}
        held: FloatArray | None = None
        y, weights = rows.y, rows.weights
        if problem.folds is not None:
            candidates = np.asarray(PENALTIES if self.tune else (penalty,))

            def fit_and_predict(train: NDArray[np.intp], test: NDArray[np.intp]) -> FloatArray:
                coefficients, intercepts = ridge_path(problem.z[train], y[train], weights[train], candidates)
                return problem.z[test] @ coefficients.T + intercepts

            held = held_out_predictions(problem.folds, rows.clip, rows.plain, problem.aggregate, fit_and_predict)
            errors = problem.errors(held)
            best = len(errors) - 1 - int(np.argmin(errors[::-1]))  # of equal ones the greatest penalty
            penalty, held = float(candidates[best]), held[:, best]
            chosen["inner_mse"] = float(errors[best])
        coefficients, intercepts = ridge_path(problem.z, y, weights, np.array([penalty]))
        return Learned(LinearRegressor(coefficients[0], float(intercepts[0])), {"penalty": penalty, **chosen}, held)
