"""A logistic regression with two crossed normal effects, by the Laplace approximation.

Clips and listeners each have an effect of their own on the log odds of a hit: each pair of presentations has one
of each. With the spreads given, the effects have a penalised likelihood whose maximum Newton's method finds in a few
steps; its curvature there approximates the integral over the effects. The spreads and the fixed effects are chosen to
make that approximate likelihood largest, with its exact gradient.

The curvature is diagonal in either kind of effect. The larger kind is eliminated first, so that the work grows with
the number of pairs and the cube of the smaller kind.

References: N. E. Breslow and D. G. Clayton, "Approximate inference in generalized linear mixed models", JASA 88,
1993, equations 4 to 6 (with the likelihood of the approximation itself rather than its quasi-likelihood); D. Bates et
al., "Fitting linear mixed-effects models using lme4", Journal of Statistical Software 67, 2015, for effects scaled by
their spread, so that a spread of zero is an ordinary point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Crossed", "CrossedFit", "effects_given", "fit_crossed"]

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

MAX_SD = 8.0  # on the logit scale; e**8 is beyond any odds that data of this size could show
_NEWTON_STEPS, _HALVINGS = 100, 40
_DECREMENT = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Crossed:
    """What is fitted: yes or no, fixed columns, and two crossed groupings.

    Parameters
    ----------
    hit : ndarray of float64, shape (n,)
        0 or 1.
    columns : ndarray of float64, shape (n, n_columns)
        With the intercept.
    one, other : ndarray of int64, shape (n,)
        The group of each row; the larger grouping is `one`.
    n_one, n_other : int
        How many groups.
    prior_sd : float
        Of a normal prior on each fixed effect; infinity for none.
    """

    hit: Floats
    columns: Floats
    one: Rows
    other: Rows
    n_one: int
    n_other: int
    prior_sd: float = np.inf


@dataclass(frozen=True, slots=True, eq=False)
class CrossedFit:
    """What was found.

    Parameters
    ----------
    fixed : ndarray of float64, shape (n_columns,)
        Fixed effects.
    fixed_covariance : ndarray of float64, shape (n_columns, n_columns)
        Theirs, with the spreads as found.
    one, other : ndarray of float64, shape (n_one,) and (n_other,)
        Effects on the log odds, at their mode.
    sd_one, sd_other : float
        Their spreads.
    one_sd, other_sd : ndarray of float64, shape (n_one,) and (n_other,)
        Standard error of the intercept plus each effect.
    log_likelihood : float
        The Laplace approximation.
    converged : bool
        Whether the maximisation ended well.
    """

    fixed: Floats
    fixed_covariance: Floats
    one: Floats
    other: Floats
    sd_one: float
    sd_other: float
    one_sd: Floats
    other_sd: Floats
    log_likelihood: float
    converged: bool


@dataclass(slots=True, eq=False)
class _State:
    """A mode of the effects, in units of their spreads, and the curvature there."""

    sd: tuple[float, float]
    beta: Floats
    u: Floats
    v: Floats
    loss: float = np.inf  # twice the penalised negative log likelihood


class _Laplace:
    """The approximate likelihood of :class:`Crossed`, and its gradient."""

    def __init__(self, data: Crossed) -> None:
        self.data = data
        self.flat = data.one * data.n_other + data.other
        self.precision = 0.0 if np.isinf(data.prior_sd) else data.prior_sd**-2
        self.last = _State((0.0, 0.0), np.zeros(data.columns.shape[1]), np.zeros(data.n_one), np.zeros(data.n_other))

    def eta(self, state: _State) -> Floats:
        d = self.data
        return d.columns @ state.beta + (state.sd[0] * state.u)[d.one] + (state.sd[1] * state.v)[d.other]

    def loss(self, state: _State) -> float:
        eta = self.eta(state)
        data = np.logaddexp(0.0, eta).sum() - self.data.hit @ eta
        prior = self.precision * (state.beta @ state.beta)
        return float(2 * data + state.u @ state.u + state.v @ state.v + prior)

    def sums(self, values: Floats) -> tuple[Floats, Floats]:
        d = self.data
        return (
            _floats(np.bincount(d.one, weights=values, minlength=d.n_one)),
            _floats(np.bincount(d.other, weights=values, minlength=d.n_other)),
        )

    def curvature(self, state: _State, weight: Floats, fixed: bool) -> tuple[Floats, Floats, Floats]:
        """Give the curvature in blocks: the diagonal of `one`, its coupling, and the rest (`other`, then fixed)."""
        d, (a, b) = self.data, state.sd
        w_one, w_other = self.sums(weight)
        cross = np.bincount(self.flat, weights=weight, minlength=d.n_one * d.n_other)
        coupling = a * b * cross.reshape(d.n_one, d.n_other)
        rest = np.diag(1 + b * b * w_other)
        if fixed:
            weighted = weight[:, None] * d.columns
            by_one = np.column_stack([self.sums(column)[0] for column in weighted.T])
            by_other = np.column_stack([self.sums(column)[1] for column in weighted.T])
            corner = d.columns.T @ weighted + self.precision * np.eye(d.columns.shape[1])
            coupling = np.hstack([coupling, a * by_one])
            rest = np.block([[rest, b * by_other], [b * by_other.T, corner]])
        return _floats(1 + a * a * w_one), _floats(coupling), _floats(rest)

    def mode(self, state: _State, *, fixed: bool) -> _State:
        """Find the mode of the effects (and of the fixed ones, if asked) by damped Newton steps."""
        from scipy.linalg import cho_factor, cho_solve

        d = self.data
        state.loss = self.loss(state)
        for _ in range(_NEWTON_STEPS):
            mean = _expit(self.eta(state))
            diagonal, coupling, rest = self.curvature(state, mean * (1 - mean), fixed)
            left = d.hit - mean
            g_one, g_other = self.sums(left)
            g = state.sd[0] * g_one - state.u
            h = state.sd[1] * g_other - state.v
            if fixed:
                h = np.concatenate([h, d.columns.T @ left - self.precision * state.beta])
            schur = rest - coupling.T @ (coupling / diagonal[:, None])
            schur[np.diag_indices_from(schur)] += 1e-12
            step_rest = cho_solve(cho_factor(schur), h - coupling.T @ (g / diagonal))
            step_one = (g - coupling @ step_rest) / diagonal
            decrement = float(g @ step_one + h @ step_rest)
            size = 1.0
            for _ in range(_HALVINGS):
                tried = _State(
                    state.sd,
                    state.beta + size * step_rest[d.n_other :] if fixed else state.beta,
                    state.u + size * step_one,
                    state.v + size * step_rest[: d.n_other],
                )
                tried.loss = self.loss(tried)
                if tried.loss <= state.loss + 1e-12 * abs(state.loss):
                    state = tried
                    break
                size /= 2
            if decrement < _DECREMENT:
                break
        return state

    def determinant(self, state: _State) -> tuple[float, Floats, Floats, Floats]:
        """Give the log determinant of the effects' curvature, and its inverse: diagonal of `one`, across, `other`."""
        mean = _expit(self.eta(state))
        diagonal, coupling, rest = self.curvature(state, mean * (1 - mean), fixed=False)
        scaled = coupling / diagonal[:, None]
        schur = rest - coupling.T @ scaled
        inverse = _floats(np.linalg.inv(schur))
        across = -scaled @ inverse
        own = 1 / diagonal - np.einsum("ij,ij->i", across, scaled)
        return float(np.log(diagonal).sum() + np.linalg.slogdet(schur)[1]), own, across, inverse

    def by_spreads(self, sd: Floats) -> float:
        """Give the objective with the fixed effects at the mode that they share with the others."""
        state = _State((float(sd[0]), float(sd[1])), self.last.beta, self.last.u, self.last.v)
        self.last = self.mode(state, fixed=True)
        return self.last.loss + self.determinant(self.last)[0]

    def whole(self, at: Floats) -> tuple[float, Floats]:
        """Give minus twice the approximate log likelihood of spreads and fixed effects, and its gradient."""
        d = self.data
        state = self.mode(_State((float(at[0]), float(at[1])), at[2:].copy(), self.last.u, self.last.v), fixed=False)
        self.last = state
        logdet, own, across, inverse = self.determinant(state)
        a, b = state.sd
        mean = _expit(self.eta(state))
        weight, left = mean * (1 - mean), d.hit - mean
        # Everything that changes eta changes the determinant by `bend`; the mode moves too, by the implicit function.
        cell, other_own = across[d.one, d.other], np.diag(inverse)
        leverage = a * a * own[d.one] + b * b * other_own[d.other] + 2 * a * b * cell
        bend = leverage * weight * (1 - 2 * mean)
        bend_one, bend_other = self.sums(bend)
        moved = _solve(self.curvature(state, weight, fixed=False), inverse, a * bend_one, b * bend_other)
        pull = weight * (a * moved[0][d.one] + b * moved[1][d.other])
        g_one, g_other = self.sums(left)
        of_beta = 2 * (self.precision * state.beta - d.columns.T @ left) + d.columns.T @ (bend - pull)
        along_one, along_other = state.u[d.one], state.v[d.other]
        of_a = -2 * left @ along_one + (bend - pull) @ along_one + moved[0] @ g_one
        of_b = -2 * left @ along_other + (bend - pull) @ along_other + moved[1] @ g_other
        of_a += 2 * weight @ (a * own[d.one] + b * cell)
        of_b += 2 * weight @ (b * other_own[d.other] + a * cell)
        return state.loss + logdet, np.concatenate([[of_a, of_b], of_beta])


def _solve(
    blocks: tuple[Floats, Floats, Floats], inverse: Floats, one: Floats, other: Floats
) -> tuple[Floats, Floats]:
    """Solve the effects' curvature for one right-hand side; `inverse` is that of the rest, `one` eliminated."""
    diagonal, coupling, _ = blocks
    second = inverse @ (other - coupling.T @ (one / diagonal))
    return (one - coupling @ second) / diagonal, second


def fit_crossed(data: Crossed) -> CrossedFit:
    """Fit fixed effects, spreads and effects.

    Parameters
    ----------
    data : Crossed
        At least one row.

    Returns
    -------
    CrossedFit
        At the largest approximate likelihood that was found; a spread may be 0.
    """
    from scipy.optimize import minimize

    model = _Laplace(data)
    rough = minimize(
        model.by_spreads,
        np.array([0.7, 0.7]),
        method="L-BFGS-B",
        bounds=[(0.0, MAX_SD)] * 2,
        options={"ftol": 1e-7, "maxiter": 15},
    )
    model.by_spreads(rough.x)
    n_columns = data.columns.shape[1]
    # A spread that starts at exactly 0 would stay there: the gradient is flat.
    start = np.concatenate([np.maximum(rough.x, 0.05), model.last.beta])
    found = minimize(
        model.whole,
        start,
        method="L-BFGS-B",
        jac=True,
        bounds=[(0.0, MAX_SD)] * 2 + [(None, None)] * n_columns,
        options={"ftol": 1e-12, "gtol": 1e-5, "maxiter": 300},
    )
    value, _ = model.whole(found.x)
    state = model.last
    mean = _expit(model.eta(state))
    diagonal, coupling, rest = model.curvature(state, mean * (1 - mean), fixed=True)
    scaled = coupling / diagonal[:, None]
    inverse = _floats(np.linalg.inv(rest - coupling.T @ scaled))
    m, (a, b) = data.n_other, state.sd
    covariance = inverse[m:, m:]
    own = 1 / diagonal + np.einsum("ij,jk,ik->i", scaled, inverse, scaled, optimize=True)
    with_intercept = -scaled @ inverse[:, m]
    variance_one = covariance[0, 0] + a * a * own + 2 * a * with_intercept
    variance_other = covariance[0, 0] + b * b * np.diag(inverse)[:m] + 2 * b * inverse[:m, m]
    return CrossedFit(
        state.beta,
        covariance,
        a * state.u,
        b * state.v,
        a,
        b,
        np.sqrt(np.maximum(variance_one, 0)),
        np.sqrt(np.maximum(variance_other, 0)),
        -value / 2,
        bool(found.success),
    )


def effects_given(data: Crossed, *, fixed: Floats, sd_one: float, sd_other: float) -> tuple[Floats, Floats]:
    """Find the effects alone, with the spreads and the fixed effects as known.

    Parameters
    ----------
    data : Crossed
        At least one row.
    fixed : ndarray of float64, shape (n_columns,)
        Fixed effects.
    sd_one, sd_other : float
        Spreads.

    Returns
    -------
    one, other : ndarray of float64, shape (n_one,) and (n_other,)
        Effects on the log odds, at their mode; 0 for a group without rows.
    """
    start = _State((sd_one, sd_other), fixed, np.zeros(data.n_one), np.zeros(data.n_other))
    state = _Laplace(data).mode(start, fixed=False)
    return sd_one * state.u, sd_other * state.v


def _floats(values: NDArray[Any]) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _expit(values: Floats) -> Floats:
    from scipy.special import expit

    return np.asarray(expit(values))
