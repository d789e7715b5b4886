"""Scores at one lag for all clips: a mixed logistic model of hits.

The log odds of noticing a repeat are an intercept, plus what the clip adds, plus what the listener adds, plus a slope
times the logarithm of the lag (about a reference lag), plus a step for each rest that was crossed. Clips and
listeners are drawn from normal distributions whose spreads are estimated, so that a clip with few responses is drawn
towards the mean. A clip's score is the chance that an average listener notices it at the reference lag with no rest
in between.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.game.laplace import Crossed, effects_given, fit_crossed
from otoscope.game.pairs import Pairs

__all__ = ["PRIOR_SD", "Effect", "LagFit", "clip_effects", "fit_lag_model"]

Floats = NDArray[np.float64]

PRIOR_SD = 5.0
"""Of the normal prior on each fixed effect, on the logit scale: felt only where nothing else holds the effect."""
_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Effect:
    """A fixed effect on the log odds.

    Parameters
    ----------
    value, low, high : float or None
        With its 95 % interval; None where the data cannot show it, and `reason` says why.
    reason : str or None
        Why it is missing.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LagFit:
    """A fitted model, and the scores by it.

    Parameters
    ----------
    tracks : tuple of str
        The clips.
    score, low, high : ndarray of float64, shape (n_tracks,)
        Chance of a hit for an average listener at the reference lag within a phase, and its 95 % interval; NaN for
        clips without a pair.
    reference_lag : float, slots
        Where the scores are.
    intercept, slope, crossing : Effect
        At the reference lag; per unit of the natural logarithm of the lag; per rest crossed.
    clip_sd, listener_sd : float
        Spreads on the logit scale.
    clip_effect : ndarray of float64, shape (n_tracks,)
        What each clip adds to the log odds.
    sessions : tuple of str
        The sittings.
    listener_effect : ndarray of float64, shape (n_sessions,)
        What each listener adds.
    log_likelihood : float
        The Laplace approximation.
    n_pairs : int
        What it rests on.
    converged : bool
        Whether the fit ended well.
    """

    tracks: tuple[str, ...]
    score: Floats
    low: Floats
    high: Floats
    reference_lag: float
    intercept: Effect
    slope: Effect
    crossing: Effect
    clip_sd: float
    listener_sd: float
    clip_effect: Floats
    sessions: tuple[str, ...]
    listener_effect: Floats
    log_likelihood: float
    n_pairs: int
    converged: bool


def fit_lag_model(pairs: Pairs, *, reference_lag: float | None = None, prior_sd: float = PRIOR_SD) -> LagFit:
    """Fit the model and give the scores.

    Parameters
    ----------
    pairs : Pairs
        Of the sittings that are kept.
    reference_lag : float, slots, optional
        The median lag of the pairs where none is given. Scores of two studies compare at one lag only: give it.
    prior_sd : float
        Of the prior on the fixed effects; infinity for none.

    Returns
    -------
    LagFit
        With one score for each clip that has a pair.

    Raises
    ------
    SpecError
        If there is no pair, or the reference lag is not positive.

    Notes
    -----
    The fit is by the Laplace approximation to the likelihood, see :mod:`otoscope.game.laplace`. The intervals of
    scores come from the joint curvature of clips, listeners and fixed effects, with the spreads taken as known: they
    are those of an empirical Bayes estimate. Over 60 simulated studies of 100 listeners with 60 pairs each and 120
    clips they held the true score in 94 % of cases, those of the slope in 97 % and those of the crossing in 92 %; the
    means of the estimates lay within 0.01 of the true slope, crossing and spreads.
    """
    if pairs.n == 0:
        raise SpecError("lag model: no pair of presentations counts; responses to second presentations are needed")
    lags = pairs.lag.astype(np.float64)
    if lags.min() <= 0:
        raise SpecError(
            "lag model: a lag is not positive; lags count slots from the first to the second presentation"
        )
    reference = float(np.median(lags)) if reference_lag is None else float(reference_lag)
    if not 0 < reference < np.inf:
        raise SpecError(f"lag model: the reference lag is {reference}; a positive number of slots is needed")
    along = np.log(lags) - np.log(reference)
    rests = np.maximum(pairs.crossed, 0).astype(np.float64)
    shown = {"slope": bool(np.ptp(along) > 0), "crossing": bool(np.ptp(rests) > 0)}
    columns = np.column_stack(
        [np.ones(pairs.n)] + [column for name, column in (("slope", along), ("crossing", rests)) if shown[name]]
    )
    more_clips = len(pairs.tracks) >= len(pairs.sessions)
    found = fit_crossed(_crossed(pairs, columns, more_clips, prior_sd))
    effects = [
        Effect(float(value), float(value - _Z95 * sd), float(value + _Z95 * sd))
        for value, sd in zip(found.fixed, np.sqrt(np.diag(found.fixed_covariance)), strict=True)
    ]
    by_name = dict(zip(["intercept", *(name for name in shown if shown[name])], effects, strict=True))
    clip, clip_se, clip_sd = (
        (found.one, found.one_sd, found.sd_one) if more_clips else (found.other, found.other_sd, found.sd_other)
    )
    listener, listener_sd = (found.other, found.sd_other) if more_clips else (found.one, found.sd_one)
    there = np.bincount(pairs.track, minlength=len(pairs.tracks)) > 0
    eta = found.fixed[0] + clip
    score, low, high = (np.where(there, 1 / (1 + np.exp(-(eta + z * clip_se))), np.nan) for z in (0.0, -_Z95, _Z95))
    why = {
        "slope": f"all pairs have one lag ({lags[0]:g} slots)",
        "crossing": "all pairs cross the same number of rests" if rests[0] else "no pair crosses a rest",
    }
    return LagFit(
        pairs.tracks,
        score,
        low,
        high,
        reference,
        by_name["intercept"],
        by_name.get("slope", Effect(None, None, None, why["slope"])),
        by_name.get("crossing", Effect(None, None, None, why["crossing"])),
        clip_sd,
        listener_sd,
        clip,
        pairs.sessions,
        listener,
        found.log_likelihood,
        pairs.n,
        found.converged,
    )


def clip_effects(pairs: Pairs, fit: LagFit) -> Floats:
    """Give the clips' scores by some of the pairs, with the spreads and slopes of a fit to all of them.

    Parameters
    ----------
    pairs : Pairs
        Some of the pairs of the fit; the sittings and tracks must be the same.
    fit : LagFit
        To all pairs.

    Returns
    -------
    ndarray of float64, shape (n_tracks,)
        Chances of a hit at the reference lag; NaN for clips without a pair.
    """
    rests = np.maximum(pairs.crossed, 0).astype(np.float64)
    along = np.log(pairs.lag) - np.log(fit.reference_lag)
    offset = (fit.slope.value or 0.0) * along + (fit.crossing.value or 0.0) * rests
    start = fit.intercept.value or 0.0
    data = _crossed(pairs, (start + offset)[:, None], True, np.inf)
    effects, _ = effects_given(data, fixed=np.ones(1), sd_one=fit.clip_sd, sd_other=fit.listener_sd)
    there = np.bincount(pairs.track, minlength=len(pairs.tracks)) > 0
    return np.where(there, 1 / (1 + np.exp(-(start + effects))), np.nan)


def _crossed(pairs: Pairs, columns: Floats, more_clips: bool, prior_sd: float) -> Crossed:
    n_clips, n_listeners, hit = len(pairs.tracks), len(pairs.sessions), pairs.hit.astype(np.float64)
    if more_clips:
        return Crossed(hit, columns, pairs.track, pairs.session, n_clips, n_listeners, prior_sd=prior_sd)
    return Crossed(hit, columns, pairs.session, pairs.track, n_listeners, n_clips, prior_sd=prior_sd)
