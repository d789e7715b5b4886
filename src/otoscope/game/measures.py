"""Measures of memory from counts: hit rates, d', a shrunk rate, and their 95 % intervals.

All take counts of hits, pairs, false alarms and first presentations as arrays that broadcast, and give arrays. Where
nothing was counted, the value is NaN here (a table then leaves the cell empty); it is never 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError

__all__ = [
    "BetaBinomial",
    "corrected",
    "corrected_interval",
    "d_prime",
    "d_prime_interval",
    "fit_beta",
    "rate",
    "wilson",
]

Floats = NDArray[np.float64]

Z95 = 1.959963984540054
_LOG_PRECISION = (-2.0, 12.0)  # alpha + beta from 0.14 to 160,000
_PRIOR_MEAN, _PRIOR_PRECISION = (0.0, 2.0), (math.log(10.0), 1.5)  # normal; of the logit mean, of log (alpha + beta)


def rate(hits: Floats, n: Floats) -> Floats:
    """Give the share of hits.

    Parameters
    ----------
    hits, n : ndarray of float64
        Counts.

    Returns
    -------
    ndarray of float64
        NaN where n is 0.
    """
    return np.where(n > 0, hits / np.maximum(n, 1), np.nan)


def wilson(hits: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Give the score interval of a share.

    Parameters
    ----------
    hits, n : ndarray of float64
        Counts.

    Returns
    -------
    low, high : ndarray of float64
        95 %; NaN where n is 0.

    References
    ----------
    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.

    Examples
    --------
    >>> low, high = wilson(np.array([8.0]), np.array([10.0]))
    >>> round(float(low[0]), 3), round(float(high[0]), 3)
    (0.49, 0.943)
    """
    p, some = rate(hits, n), np.maximum(n, 1)
    centre = (p + Z95**2 / (2 * some)) / (1 + Z95**2 / some)
    half = Z95 / (1 + Z95**2 / some) * np.sqrt(p * (1 - p) / some + Z95**2 / (4 * some**2))
    # At 0 and 1 one end is the share itself, which rounding must not pass.
    return np.minimum(np.maximum(centre - half, 0.0), p), np.maximum(np.minimum(centre + half, 1.0), p)


def corrected(hits: Floats, n: Floats, alarms: Floats, firsts: Floats) -> Floats:
    """Give the hit rate less the false-alarm rate.

    Parameters
    ----------
    hits, n, alarms, firsts : ndarray of float64
        Counts.

    Returns
    -------
    ndarray of float64
        From -1 to 1; NaN where either was never counted.
    """
    return rate(hits, n) - rate(alarms, firsts)


def corrected_interval(hits: Floats, n: Floats, alarms: Floats, firsts: Floats) -> tuple[Floats, Floats]:
    """Give the interval of the hit rate less the false-alarm rate, as of two independent shares.

    Parameters
    ----------
    hits, n, alarms, firsts : ndarray of float64
        Counts.

    Returns
    -------
    low, high : ndarray of float64
        95 %.

    References
    ----------
    .. [1] R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in
       Medicine 17, 1998, method 10.
    """
    p, q = rate(hits, n), rate(alarms, firsts)
    (p_low, p_high), (q_low, q_high) = wilson(hits, n), wilson(alarms, firsts)
    low = p - q - np.hypot(p - p_low, q_high - q)
    return low, p - q + np.hypot(p_high - p, q - q_low)


def d_prime(hits: Floats, n: Floats, alarms: Floats, firsts: Floats) -> Floats:
    """Give d' with the log-linear correction: half a hit and half a false alarm more, in one trial more of each.

    Parameters
    ----------
    hits, n, alarms, firsts : ndarray of float64
        Counts.

    Returns
    -------
    ndarray of float64
        Finite wherever both were counted, NaN elsewhere.

    References
    ----------
    .. [1] M. J. Hautus, "Corrections for extreme proportions and their biasing effects on estimated values of d'",
       Behavior Research Methods, Instruments, & Computers 27, 1995.
    """
    from scipy.special import ndtri

    value = ndtri((hits + 0.5) / (n + 1)) - ndtri((alarms + 0.5) / (firsts + 1))
    return np.where((n > 0) & (firsts > 0), value, np.nan)


def d_prime_interval(hits: Floats, n: Floats, alarms: Floats, firsts: Floats) -> tuple[Floats, Floats]:
    """Give the interval of d' from its asymptotic variance.

    Parameters
    ----------
    hits, n, alarms, firsts : ndarray of float64
        Counts.

    Returns
    -------
    low, high : ndarray of float64
        95 %.

    References
    ----------
    .. [1] V. Gourevitch and E. Galanter, "A significance test for one parameter isosensitivity functions",
       Psychometrika 32, 1967; the corrected rates stand for the rates.
    """
    from scipy.special import ndtri

    variance = np.zeros(np.broadcast(hits, n, alarms, firsts).shape)
    for some, of in ((hits, n), (alarms, firsts)):
        p = (some + 0.5) / (of + 1)
        density = np.exp(-np.square(ndtri(p)) / 2) / np.sqrt(2 * np.pi)
        variance = variance + p * (1 - p) / ((of + 1) * np.square(density))
    value, half = d_prime(hits, n, alarms, firsts), Z95 * np.sqrt(variance)
    return value - half, value + half


@dataclass(frozen=True, slots=True)
class BetaBinomial:
    """How the chances of clips are spread: a beta distribution.

    Parameters
    ----------
    alpha, beta : float, > 0
        Its parameters; their sum is how many responses the spread is worth as prior knowledge of a clip.
    log_likelihood : float
        Of the counts that it was fitted to, without the binomial coefficients.
    """

    alpha: float
    beta: float
    log_likelihood: float

    @property
    def mean(self) -> float:
        """Give the mean chance."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def sd(self) -> float:
        """Give the standard deviation of the chances."""
        return float(np.sqrt(self.mean * (1 - self.mean) / (self.alpha + self.beta + 1)))

    def score(self, hits: Floats, n: Floats) -> Floats:
        """Give the posterior mean of each clip's chance.

        Parameters
        ----------
        hits, n : ndarray of float64
            Counts.

        Returns
        -------
        ndarray of float64
            Between the clip's own rate and the mean of all; NaN where n is 0.
        """
        return np.where(n > 0, (hits + self.alpha) / (n + self.alpha + self.beta), np.nan)

    def interval(self, hits: Floats, n: Floats) -> tuple[Floats, Floats]:
        """Give the central 95 % of the posterior.

        Parameters
        ----------
        hits, n : ndarray of float64
            Counts.

        Returns
        -------
        low, high : ndarray of float64
            Quantiles of the beta posterior; NaN where n is 0.
        """
        from scipy.special import betaincinv

        a, b = self.alpha + hits, self.beta + n - hits
        none = np.where(n > 0, 0.0, np.nan)
        return betaincinv(a, b, 0.025) + none, betaincinv(a, b, 0.975) + none


def fit_beta(hits: Floats, n: Floats) -> BetaBinomial:
    """Fit the spread of the clips' chances by the marginal likelihood of their counts.

    Parameters
    ----------
    hits, n : ndarray of float64, shape (n_tracks,)
        Counts; tracks with n of 0 say nothing.

    Returns
    -------
    BetaBinomial
        Where the counts differ no more than chance would make them, alpha + beta is large, and every score is near
        the mean.

    Raises
    ------
    SpecError
        If no track has a response, or a count is impossible.

    Notes
    -----
    The marginal likelihood times two weak normal priors is maximised: of the logit of the mean (0, with a standard
    deviation of 2), and of the logarithm of alpha + beta (log 10, 1.5). They keep a handful of clips, or clips that
    everybody remembers, from claiming that they know everything; with dozens of clips they are not felt.

    References
    ----------
    .. [1] B. Efron and C. Morris, "Data analysis using Stein's estimator and its generalizations", JASA 70, 1975.
    """
    from scipy.optimize import minimize
    from scipy.special import betaln, expit, logit

    k, m = np.asarray(hits, dtype=np.float64), np.asarray(n, dtype=np.float64)
    k, m = k[m > 0], m[m > 0]
    if m.size == 0:
        raise SpecError("shrunk score: no track has a response that counts")
    if (k < 0).any() or (k > m).any():
        raise SpecError("shrunk score: hits must lie between 0 and the number of responses")

    def parameters(at: Floats) -> tuple[float, float]:
        mean, precision = expit(at[0]), np.exp(at[1])
        return float(mean * precision), float((1 - mean) * precision)

    def marginal(at: Floats) -> float:
        a, b = parameters(at)
        return float(np.sum(betaln(a + k, b + m - k) - betaln(a, b)))

    def loss(at: Floats) -> float:
        prior = [((x - centre) / sd) ** 2 / 2 for x, (centre, sd) in zip(at, priors, strict=True)]
        return sum(prior) - marginal(at)

    priors = (_PRIOR_MEAN, _PRIOR_PRECISION)
    start = float(logit((k.sum() + 0.5) / (m.sum() + 1)))
    tried = [
        minimize(loss, np.array([start, log_precision]), method="L-BFGS-B", bounds=((-9.0, 9.0), _LOG_PRECISION))
        for log_precision in (0.5, 2.0, 5.0)
    ]
    best = min(tried, key=lambda found: float(found.fun))
    a, b = parameters(best.x)
    return BetaBinomial(a, b, marginal(best.x))
