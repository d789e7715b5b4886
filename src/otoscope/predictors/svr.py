"""Support vector regression with a radial kernel, tuned inside the training set.

scikit-learn's libsvm does the fitting. Kernels are computed here, from one table of squared distances that all
candidates and inner folds share; what was fitted is kept as arrays, and predicts without scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from otoscope.predictors.inner import held_out_predictions
from otoscope.predictors.tables import AGGREGATE, Learned, Problem, TablePredictor
from otoscope.specs import Setting

__all__ = ["C_GRID", "GAMMA_GRID", "RadialRegressor", "SvrPredictor", "fit_radial", "squared_distances"]

FloatArray = NDArray[np.float64]
C_GRID = (0.1, 0.3, 1.0, 3.0)
GAMMA_GRID = (0.1, 0.3, 1.0)

_BLOCK = 4096  # rows predicted at a time, so that many need no more memory than few
_MAX_TUNING_ROWS = 4000  # with more rows than this, settings are chosen without the copies
_MAX_KERNEL_ROWS = 8000  # with more rows than this, no table of distances is held: it would have half a gigabyte
_TOLERANCE = 1e-4  # of libsvm, where settings stand
_TUNING_TOLERANCE = 1e-3  # and while they are chosen


def squared_distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """Give the squared Euclidean distance of every row to every other.

    Parameters
    ----------
    a : ndarray of float64, shape (n_a, n_features)
        Some rows.
    b : ndarray of float64, shape (n_b, n_features)
        Others.

    Returns
    -------
    ndarray of float64, shape (n_a, n_b)
        Never below 0.

    Examples
    --------
    >>> squared_distances(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])).tolist()
    [[25.0]]
    """
    result = a @ b.T
    result *= -2.0
    result += np.einsum("ij,ij->i", a, a)[:, None]
    result += np.einsum("ij,ij->i", b, b)
    return np.maximum(result, 0.0, out=result)


@dataclass(frozen=True, slots=True, eq=False)
class RadialRegressor:
    """A sum of bells around support vectors.

    Parameters
    ----------
    support : ndarray of float64, shape (n_support, n_features)
        Prepared rows of training clips.
    dual : ndarray of float64, shape (n_support,)
        How much each bell counts, in the unit of the scores.
    intercept : float
        What is predicted far from every support vector.
    gamma : float
        A bell falls as ``exp(-gamma * squared distance)``.

    Notes
    -----
    The support vectors are the features of clips that it was fitted on: whoever gets the predictor gets them.
    """

    support: FloatArray
    dual: FloatArray
    intercept: float
    gamma: float

    @property
    def kind(self) -> str:
        """Which class reads its arrays back."""
        return "radial"

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
        for start in range(0, len(z), _BLOCK):
            block = slice(start, start + _BLOCK)
            kernel = squared_distances(z[block], self.support)
            kernel *= -self.gamma
            result[block] += np.exp(kernel, out=kernel) @ self.dual
        return result

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give all that it needs.

        Returns
        -------
        dict of str to ndarray
            By name.
        """
        return {
            "support": self.support,
            "dual": self.dual,
            "intercept": np.array(self.intercept),
            "gamma": np.array(self.gamma),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> RadialRegressor:
        """Make it from what :meth:`arrays` gave.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            By name.

        Returns
        -------
        RadialRegressor
            An equal one.
        """
        return cls(
            np.asarray(arrays["support"], dtype=np.float64),
            np.asarray(arrays["dual"], dtype=np.float64),
            float(arrays["intercept"]),
            float(arrays["gamma"]),
        )


def fit_radial(
    z: FloatArray,
    y: FloatArray,
    weights: FloatArray | None,
    *,
    c: float,
    gamma: float,
    epsilon: float,
    distances: FloatArray | None = None,
    tolerance: float = _TOLERANCE,
) -> RadialRegressor:
    """Fit support vector regression with libsvm.

    Parameters
    ----------
    z : ndarray of float64, shape (n_rows, n_features)
        Prepared rows.
    y : ndarray of float64, shape (n_rows,)
        Their scores, as they are.
    weights : ndarray of float64, shape (n_rows,), or None
        Each multiplies `c` for its row.
    c : float
        How much an error costs, against the roughness of the surface.
    gamma : float
        Of the kernel.
    epsilon : float, in the unit of y
        Smaller errors cost nothing.
    distances : ndarray of float64, shape (n_rows, n_rows), optional
        Squared distances of the rows, where they are known already.
    tolerance : float
        Where libsvm stops.

    Returns
    -------
    RadialRegressor
        What scikit-learn's ``SVR`` with these settings is.

    References
    ----------
    .. [1] C.-C. Chang and C.-J. Lin, "LIBSVM: a library for support vector machines", ACM Transactions on
       Intelligent Systems and Technology 2, 2011: epsilon-SVR.
    """
    from sklearn.svm import SVR

    if distances is None:
        settings: dict[str, Any] = {"kernel": "rbf", "gamma": gamma}
        model = SVR(C=c, epsilon=epsilon, tol=tolerance, **settings)
        model.fit(z, y, sample_weight=weights)
    else:
        model = SVR(kernel="precomputed", C=c, epsilon=epsilon, tol=tolerance)
        model.fit(np.exp(-gamma * distances), y, sample_weight=weights)
    return RadialRegressor(z[model.support_], model.dual_coef_[0].copy(), float(model.intercept_[0]), gamma)


@dataclass(frozen=True, slots=True, kw_only=True)
class SvrPredictor(TablePredictor):
    """Support vector regression on prepared features.

    Parameters
    ----------
    tune : bool
        Whether `c` and `gamma` are chosen, by the squared error of clips that inner folds held out; the folds are
        fitted on copies too, and scored on clips only. With more than 4000 rows they are fitted without copies.
    c : float
        Where it is not chosen: what an error costs for a clip, its rows together; errors are counted in standard
        deviations of the scores.
    gamma : float
        Where it is not chosen: of the kernel, divided by the number of features that vary.
    epsilon : float
        Errors below it cost nothing; in standard deviations of the training scores. 0.6 standard deviations of the
        noise are best for Gaussian noise, and little of how memorable a clip is can be told from its sound [1]_.
    aggregate : {"mean", "max"}
        How the predictions of a clip's segments come together.
    shifts : tuple of float, semitones
        Of the copies that are fitted on beside each clip.
    seed : int
        Of the inner folds.

    Raises
    ------
    SpecError
        If a setting is not accepted, or `c` or `gamma` is given while they are to be chosen.

    References
    ----------
    .. [1] A. J. Smola, N. Murata, B. Schölkopf and K.-R. Müller, "Asymptotically optimal choice of epsilon-loss for
       support vector machines", ICANN, 1998.
    """

    BASE: ClassVar[str] = "svr"
    SETTINGS: ClassVar[Mapping[str, Setting]] = {
        "tune": Setting(True, "choose c and gamma by inner folds"),
        "c": Setting(1.0, "cost of an error, with tune=off", least=1e-6, most=1e6),
        "gamma": Setting(0.3, "of the kernel, over the number of features, with tune=off", least=1e-6, most=1e6),
        "epsilon": Setting(0.5, "errors that cost nothing, in standard deviations of the scores", least=0, most=10),
        "aggregate": AGGREGATE,
    }

    WITHOUT_TUNING: ClassVar[tuple[str, ...]] = ("c", "gamma")

    tune: bool = True
    c: float = 1.0
    gamma: float = 0.3
    epsilon: float = 0.5

    def learn(self, problem: Problem) -> Learned:
        """Learn the support vectors.

        Parameters
        ----------
        problem : Problem
            Prepared rows, scores, weights and inner folds.

        Returns
        -------
        Learned
            A :class:`RadialRegressor`; chosen are ``c``, ``gamma``, ``n_support`` and, where there are inner folds,
            ``inner_mse``.
        """
        rows, (mean, deviation) = problem.rows, problem.centre
        y = (rows.y - mean) / deviation
        distances = squared_distances(problem.z, problem.z) if len(y) <= _MAX_KERNEL_ROWS else None
        chosen: dict[str, float] = {"c": self.c, "gamma": self.gamma}
        held: FloatArray | None = None
        if problem.folds is not None:
            grid = [(c, gamma) for c in C_GRID for gamma in GAMMA_GRID] if self.tune else [(self.c, self.gamma)]
            held = deviation * self._held_out(problem, y, distances, grid) + mean
            errors = problem.errors(held)
            best = int(np.argmin(errors))  # of equal ones the cheapest, smoothest
            chosen = {"c": grid[best][0], "gamma": grid[best][1], "inner_mse": float(errors[best])}
            held = held[:, best]
        fitted = fit_radial(
            problem.z,
            y,
            rows.weights,
            c=chosen["c"],
            gamma=chosen["gamma"] / problem.n_active,
            epsilon=self.epsilon,
            distances=distances,
        )
        scaled = RadialRegressor(
            fitted.support, deviation * fitted.dual, deviation * fitted.intercept + mean, fitted.gamma
        )
        return Learned(scaled, {**chosen, "n_support": float(scaled.dual.size)}, held)

    def _held_out(
        self, problem: Problem, y: FloatArray, distances: FloatArray | None, grid: list[tuple[float, float]]
    ) -> FloatArray:
        """Give held-out predictions of standardised scores for each pair of a cost and a gamma."""
        from sklearn.svm import SVR

        assert problem.folds is not None
        rows = problem.rows
        weights, only = rows.weights, np.ones(len(y), dtype=np.bool_)
        if len(y) > _MAX_TUNING_ROWS and not rows.plain.all():
            only = rows.plain
            weights = (rows.clip_weights / np.bincount(rows.clip[only]))[rows.clip]

        def fit_and_predict(train: NDArray[np.intp], test: NDArray[np.intp]) -> FloatArray:
            train = train[only[train]]
            result = np.empty((test.size, len(grid)))
            for gamma in sorted({gamma for _, gamma in grid}):
                rate = gamma / problem.n_active
                if distances is not None:
                    known = np.exp(-rate * distances[np.ix_(train, train)])
                    asked = np.exp(-rate * distances[np.ix_(test, train)])
                    settings: dict[str, Any] = {"kernel": "precomputed"}
                else:
                    known, asked = problem.z[train], problem.z[test]
                    settings = {"kernel": "rbf", "gamma": rate}
                for place, (c, its_gamma) in enumerate(grid):
                    if its_gamma == gamma:
                        model = SVR(C=c, epsilon=self.epsilon, tol=_TUNING_TOLERANCE, **settings)
                        model.fit(known, y[train], sample_weight=weights[train])
                        result[:, place] = model.predict(asked)
            return result

        return held_out_predictions(problem.folds, rows.clip, rows.plain, problem.aggregate, fit_and_predict)
