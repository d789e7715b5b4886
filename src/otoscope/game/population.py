"""What clips and listeners are like: how far their chances of a hit lie apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.game.pairs import AnswerRule, count
from otoscope.game.responses import Responses

__all__ = ["Population", "fitted_population", "logistic_moments"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """What clips and listeners are like.

    Parameters
    ----------
    score_mean : float, between 0 and 1
        Mean chance of a hit.
    score_sd : float
        Standard deviation over clips of their chance of a hit, without the noise of few responses.
    listener_sd : float
        Standard deviation over listeners of theirs, without noise.
    kept_mean, kept_sd : float
        Share of the pairs played that count, and its standard deviation over clips.

    Raises
    ------
    SpecError
        If the mean is no chance, or a spread is impossible.

    Notes
    -----
    The defaults are those of the YTMM study of 121 listeners and 220 clips of music, as its responses show them:
    scores of mean 0.651 and variance 0.0292, of which 0.0035 is binomial noise; hit rates of listeners of standard
    deviation 0.138, of which 0.047 is noise; 57.5 of 76.7 pairs per clip counted, 27 to 80 of them. By the variances
    alone the clips' standard deviation would be 0.160; with 0.166 the simulated halves agree as the study's own
    halves did, see :func:`reliability_curve`.
    """

    score_mean: float = 0.651
    score_sd: float = 0.166
    listener_sd: float = 0.130
    kept_mean: float = 0.75
    kept_sd: float = 0.10

    def __post_init__(self) -> None:
        for name in ("score_mean", "kept_mean"):
            if not 0 < getattr(self, name) <= (1 if name == "kept_mean" else 0.999):
                raise SpecError(f"population: {name} is {getattr(self, name)}; a share between 0 and 1 is needed")
        for name, mean in (("score_sd", "score_mean"), ("listener_sd", "score_mean"), ("kept_sd", "kept_mean")):
            most = 0.9 * math.sqrt(getattr(self, mean) * (1 - getattr(self, mean)))
            if not 0 <= getattr(self, name) <= most:
                raise SpecError(f"population: {name} is {getattr(self, name)}; from 0 to {most:.3g} is possible")
        if self.score_sd < 0.005:
            raise SpecError(f"population: score_sd is {self.score_sd}: clips that do not differ have no reliability")


def fitted_population(responses: Responses, *, rule: AnswerRule | None = None) -> Population:
    """Give the population that responses come from, by moments.

    Parameters
    ----------
    responses : Responses
        Of the sittings that are kept; a pilot, or another study.
    rule : AnswerRule, optional
        Which answers count: the reference's rule, unless another is given.

    Returns
    -------
    Population
        Variances over clips and over listeners, less what binomial noise adds to each; the share of pairs played that
        count.

    Raises
    ------
    SpecError
        If fewer than ten clips or four listeners have two pairs or more, or clips do not differ beyond chance.
    """
    asked = rule or AnswerRule()
    counted = count(responses, rule=asked)
    mean = float(counted.hits.sum() / max(counted.pairs.sum(), 1))
    spreads: list[float] = []
    for axis, least, what in ((0, 10, "clips"), (1, 4, "listeners")):
        hits, n = counted.hits.sum(axis=axis), counted.pairs.sum(axis=axis)
        some = n >= 2
        if some.sum() < least:
            raise SpecError(f"population: {some.sum()} {what} have two pairs or more; {least} are needed")
        share, of = hits[some] / n[some], n[some]
        spreads.append(float(np.var(share, ddof=1) - np.mean(share * (1 - share) / (of - 1))))
    if spreads[0] <= 0.005**2:
        raise SpecError(
            "population: the clips do not differ beyond chance; more responses are needed to plan from them"
        )
    rows = np.isin(responses.role, asked.pair_roles) & (responses.presentation == 2)
    played = np.bincount(
        np.searchsorted(np.asarray(counted.tracks), responses.track[rows]), minlength=len(counted.tracks)
    )
    n, some = counted.pairs.sum(axis=0), played >= 2
    kept = np.minimum(n[some] / played[some], 1.0)
    kept_variance = np.var(kept, ddof=1) - np.mean(kept * (1 - kept) / (played[some] - 1))
    top = 0.85 * math.sqrt(mean * (1 - mean))
    kept_mean = float(kept.mean())
    return Population(
        score_mean=mean,
        score_sd=min(math.sqrt(spreads[0]), top),
        listener_sd=min(math.sqrt(max(spreads[1], 0.0)), top),
        kept_mean=kept_mean,
        kept_sd=min(math.sqrt(max(float(kept_variance), 0.0)), 0.85 * math.sqrt(kept_mean * (1 - kept_mean))),
    )


@lru_cache(maxsize=64)
def logistic_moments(mean: float, score_sd: float, listener_sd: float) -> tuple[float, float, float]:
    """Find the mean and the two spreads on the logit scale that give moments of chances.

    Parameters
    ----------
    mean : float, between 0 and 1
        Mean chance.
    score_sd, listener_sd : float
        Standard deviations, over clips and over listeners, of their mean chances.

    Returns
    -------
    tuple of three floats
        Mean, spread of clips and spread of listeners; both are normal on the logit scale.
    """
    from scipy.optimize import least_squares
    from scipy.special import expit

    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    weights = weights / weights.sum()

    def misfit(at: Floats) -> Floats:
        chance = expit(at[0] + at[1] * nodes[:, None] + at[2] * nodes[None, :])
        by_clip, by_listener = chance @ weights, weights @ chance
        centre = weights @ by_clip
        sd_clip = np.sqrt(weights @ np.square(by_clip - centre) + 1e-12)
        sd_listener = np.sqrt(weights @ np.square(by_listener - centre) + 1e-12)
        return np.array([centre - mean, sd_clip - score_sd, sd_listener - listener_sd])

    slope = mean * (1 - mean)
    start = np.array([math.log(mean / (1 - mean)), score_sd / slope, listener_sd / slope])
    bounds = ([-12.0, 0.0, 0.0], [12.0, 12.0, 12.0])
    found = least_squares(misfit, np.minimum(start + 1e-3, 11.0), bounds=bounds, xtol=1e-12, ftol=1e-12).x
    return float(found[0]), float(found[1]), float(found[2])
