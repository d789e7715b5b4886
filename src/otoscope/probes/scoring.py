"""Scores of probes in closed form, from moments of the tested frames, and the choice of the penalty.

For a probe ``w, b`` and the centred moments of any cell, MSE = var(y) - 2 w'c + w'Cw + (mean y - mean p)^2: exact,
and without another look at the audio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import MergeError, SpecError
from otoscope.probes.moments import Moments
from otoscope.probes.solving import LAMBDAS, Decomposition, FittedProbe

__all__ = ["PairMoments", "choose_lambdas", "pair_moments", "pair_moments_of", "path_errors"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PairMoments:
    """Means and covariances of truth and prediction, for each column of a probe.

    Parameters
    ----------
    n : float
        Weight of the tested frames.
    mean_y, mean_p, var_y, var_p, cov : ndarray of float64, shape (n_columns,)
        Of truth y and prediction p. For many probes those of the prediction have the shape (n_probes, n_columns).
    """

    n: float
    mean_y: Floats
    mean_p: Floats
    var_y: Floats
    var_p: Floats
    cov: Floats

    @property
    def mse(self) -> Floats:
        """Mean squared error, in the square of the target's unit."""
        return np.maximum(self.var_y - 2 * self.cov + self.var_p, 0.0) + (self.mean_y - self.mean_p) ** 2

    @property
    def r2(self) -> Floats:
        """1 - SSE/SST about the tested frames' own mean; NaN where the truth does not vary."""
        varies = self.var_y > 1e-12 * (self.var_y + self.mean_y**2)
        return np.where(varies, 1 - self.mse / np.where(varies, self.var_y, 1.0), np.nan)

    @property
    def r(self) -> Floats:
        """Pearson's r; NaN where truth or prediction does not vary."""
        below = self.var_y * self.var_p
        return np.where(below > 0, self.cov / np.sqrt(np.where(below > 0, below, 1.0)), np.nan)


def _check_cell(shift: Floats, columns: Sequence[str], cell: Moments) -> None:
    if tuple(columns) != cell.columns:
        raise MergeError(f"the probe has the columns {tuple(columns)} and the cell {cell.columns}")
    if not np.array_equal(shift, cell.shift):
        raise MergeError("the probe and the cell have different shifts; rebase the cell first")


def pair_moments(probe: FittedProbe, cell: Moments) -> PairMoments:
    """Score a probe on a cell without its frames.

    Parameters
    ----------
    probe : FittedProbe
        Fitted around the same shift.
    cell : Moments
        Of the tested frames, with the columns of the probe.

    Returns
    -------
    PairMoments
        From which MSE, R2 and r follow.

    Raises
    ------
    MergeError
        If columns or shifts differ, or the cell is empty.
    """
    many = pair_moments_of([probe], cell)
    return PairMoments(many.n, many.mean_y, many.mean_p[0], many.var_y, many.var_p[0], many.cov[0])


def pair_moments_of(probes: Sequence[FittedProbe], cell: Moments) -> PairMoments:
    """Score many probes on a cell without its frames: one product for all of them.

    Parameters
    ----------
    probes : sequence of FittedProbe
        At least one, fitted around the same shift, with the same columns.
    cell : Moments
        Of the tested frames, with the columns of the probes.

    Returns
    -------
    PairMoments
        What :func:`pair_moments` gives for each; all that depends on the probe has the shape (n_probes, n_columns).

    Raises
    ------
    MergeError
        If columns or shifts differ, or the cell is empty.
    """
    for shift, columns in {(id(p.shift), p.columns): (p.shift, p.columns) for p in probes}.values():
        _check_cell(shift, columns, cell)
    c, shape = cell.centered(), (len(probes), len(cell.columns))
    w = np.concatenate([probe.weights for probe in probes], axis=1)
    return PairMoments(
        n=c.n,
        mean_y=c.mean_y,
        mean_p=(c.mean_x @ w).reshape(shape) + np.stack([probe.intercept for probe in probes]),
        var_y=c.cyy,
        var_p=np.maximum(np.einsum("ij,ij->j", w, c.cxx @ w), 0.0).reshape(shape),
        cov=np.einsum("ikj,ij->kj", w.reshape(-1, *shape), c.cxy),
    )


def path_errors(pool: Decomposition, dev: Moments, lambdas: Sequence[float] = LAMBDAS) -> Floats:
    """Give the error on held-out frames for every penalty, in closed form.

    Parameters
    ----------
    pool : Decomposition
        Of the training frames.
    dev : Moments
        Of the held-out frames, with the same columns and shift.
    lambdas : sequence of float
        The penalties to try.

    Returns
    -------
    ndarray of float64, shape (n_lambdas, n_columns)
        Mean squared errors.
    """
    _check_cell(pool.shift, pool.columns, dev)
    c, k = dev.centered(), len(pool.columns)
    probes = [pool.ridge(value) for value in lambdas]
    weights = np.concatenate([probe.weights for probe in probes], axis=1)
    intercept = np.concatenate([probe.intercept for probe in probes])
    quadratic = (weights * (c.cxx @ weights)).sum(axis=0)
    cross = (weights * np.tile(c.cxy, (1, len(probes)))).sum(axis=0)
    offset = np.tile(c.mean_y, len(probes)) - c.mean_x @ weights - intercept
    return (np.tile(c.cyy, len(probes)) - 2 * cross + quadratic + offset**2).reshape(len(probes), k)


def choose_lambdas(errors: Floats, lambdas: Sequence[float] = LAMBDAS) -> Floats:
    """Choose the penalty of least held-out error for each column; the stronger one of two equal.

    Parameters
    ----------
    errors : ndarray of float64, shape (n_lambdas, n_columns)
        From :func:`path_errors`, or a sum of several.
    lambdas : sequence of float, rising
        What was tried.

    Returns
    -------
    ndarray of float64, shape (n_columns,)
        One penalty per column.
    """
    if errors.shape[0] != len(lambdas):
        raise SpecError(f"choose_lambdas: {errors.shape[0]} rows of errors for {len(lambdas)} penalties")
    last = errors.shape[0] - 1 - np.argmin(errors[::-1], axis=0)
    return np.asarray(lambdas, dtype=np.float64)[last]
