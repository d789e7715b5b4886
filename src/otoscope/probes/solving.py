"""Linear probes solved from moments.

Everything happens on the correlation scale: states are standardised by the pool's own means and standard deviations,
the correlation matrix is decomposed once, and every lambda is a division by ``eigenvalue + lambda``.

**OLS** is the solution of least norm, with eigenvalues below 1e-10 of the largest dropped. States that end in a layer
norm are exactly rank-deficient, and the normal equations say nothing in that direction. It equals
``scipy.linalg.lstsq`` on standardised float64 data with ``cond=1e-5`` (singular values are square roots).
**Ridge** equals scikit-learn's ``StandardScaler`` and ``Ridge(alpha=n * lambda)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.probes.moments import Moments

__all__ = ["DEFAULT_LAMBDA", "LAMBDAS", "OLS_CUT", "Decomposition", "FittedProbe", "decompose"]

Floats = NDArray[np.float64]
LAMBDAS: tuple[float, ...] = tuple(float(f"{v:.3g}") for v in np.logspace(-6, 2, 17))
DEFAULT_LAMBDA = 1e-3
OLS_CUT = 1e-10
_CONSTANT = 1e-11  # a variance below this share of the mean square about the shift may be rounding


@dataclass(frozen=True, slots=True, eq=False)
class FittedProbe:
    """A linear map from states to targets.

    Parameters
    ----------
    columns : tuple of str
        Names of the targets.
    shift : ndarray of float64, shape (dim,)
        What is taken off a state first.
    weights : ndarray of float64, shape (dim, n_columns)
        Per unit of state.
    intercept : ndarray of float64, shape (n_columns,)
        Prediction for a state equal to the shift.
    train_mean : ndarray of float64, shape (n_columns,)
        Mean of each target in the training data.
    lambdas : ndarray of float64, shape (n_columns,)
        Penalty of each target; 0 is OLS.
    rank : int
        Directions of the states that vary in the training data.
    n : float
        Weight of the training data.
    """

    columns: tuple[str, ...]
    shift: Floats
    weights: Floats
    intercept: Floats
    train_mean: Floats
    lambdas: Floats
    rank: int
    n: float

    def select(self, columns: Sequence[str]) -> FittedProbe:
        """Keep some targets, in a given order.

        Parameters
        ----------
        columns : sequence of str
            Names among :attr:`columns`.

        Returns
        -------
        FittedProbe
            Of those targets.
        """
        at = [self.columns.index(name) for name in columns]
        return replace(
            self,
            columns=tuple(columns),
            weights=self.weights[:, at],
            intercept=self.intercept[at],
            train_mean=self.train_mean[at],
            lambdas=self.lambdas[at],
        )

    def predict(self, states: NDArray[np.floating]) -> Floats:
        """Predict the targets of frames.

        Parameters
        ----------
        states : ndarray of float, shape (n_frames, dim)
            As the probe was fitted on.

        Returns
        -------
        ndarray of float64, shape (n_frames, n_columns)
            In the units of the targets.
        """
        return (states - self.shift) @ self.weights + self.intercept


@dataclass(frozen=True, slots=True, eq=False)
class Decomposition:
    """A pool on the correlation scale, decomposed once for all penalties.

    Parameters
    ----------
    columns : tuple of str
        Names of the targets.
    shift : ndarray of float64, shape (dim,)
        Of the moments.
    n : float
        Weight of the pool.
    scale : ndarray of float64, shape (dim,)
        Standard deviations; 1 where a dimension does not vary.
    mean_x, mean_y : ndarray of float64
        Means of the states less the shift, and of the targets.
    values : ndarray of float64, shape (dim,)
        Eigenvalues of the correlation matrix, rising.
    vectors : ndarray of float64, shape (dim, dim)
        Eigenvectors, as columns.
    projected : ndarray of float64, shape (dim, n_columns)
        Correlation of states and targets, along the eigenvectors.
    """

    columns: tuple[str, ...]
    shift: Floats
    n: float
    scale: Floats
    mean_x: Floats
    mean_y: Floats
    values: Floats
    vectors: Floats
    projected: Floats

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Which directions OLS keeps."""
        return self.values > OLS_CUT * max(float(self.values[-1]), 0.0)

    def ols(self) -> FittedProbe:
        """Solve without a penalty: the solution of least norm.

        Returns
        -------
        FittedProbe
            All columns.
        """
        kept = self.kept
        inverse = np.where(kept, 1 / np.where(kept, self.values, 1.0), 0.0)
        return self._probe(inverse[:, None] * self.projected, np.zeros(len(self.columns)))

    def ridge(self, lambdas: float | Sequence[float] | Floats) -> FittedProbe:
        """Solve with a penalty.

        Parameters
        ----------
        lambdas : float or sequence of float, > 0
            One for all columns, or one per column.

        Returns
        -------
        FittedProbe
            All columns.
        """
        each = np.broadcast_to(np.asarray(lambdas, dtype=np.float64), (len(self.columns),))
        if not np.all(each > 0):
            raise SpecError(f"ridge: lambda is {each.min()}; it must be above 0 (ols() takes no penalty)")
        # Rounding leaves eigenvalues a hair below 0; their exact value is 0.
        below = np.maximum(self.values, 0.0)[:, None] + each
        return self._probe(self.projected / below, np.array(each))

    def _probe(self, along: Floats, lambdas: Floats) -> FittedProbe:
        weights = (self.vectors @ along) / self.scale[:, None]
        return FittedProbe(
            columns=self.columns,
            shift=self.shift,
            weights=weights,
            intercept=self.mean_y - self.mean_x @ weights,
            train_mean=self.mean_y,
            lambdas=lambdas,
            rank=int(np.count_nonzero(self.kept)),
            n=self.n,
        )


def decompose(moments: Moments) -> Decomposition:
    """Decompose a pool.

    Parameters
    ----------
    moments : Moments
        Of the training frames; at least two.

    Returns
    -------
    Decomposition
        From which any penalty is solved.

    Raises
    ------
    MergeError
        If there are no frames.
    """
    c = moments.centered()
    variance = np.diagonal(c.cxx)
    varies = variance > _CONSTANT * (variance + c.mean_x**2)
    scale = np.sqrt(np.where(varies, variance, 1.0))
    correlation = np.where(np.outer(varies, varies), c.cxx / np.outer(scale, scale), 0.0)
    values, vectors = np.linalg.eigh(correlation)
    projected = vectors.T @ np.where(varies[:, None], c.cxy / scale[:, None], 0.0)
    return Decomposition(
        columns=moments.columns,
        shift=moments.shift,
        n=c.n,
        scale=scale,
        mean_x=c.mean_x,
        mean_y=c.mean_y,
        values=values,
        vectors=vectors,
        projected=projected,
    )
