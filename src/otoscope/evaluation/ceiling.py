"""How well any model could do: as well as the scores themselves can be trusted.

A score is what some listeners said; others would have said something else. The reliability of scores is the share of
their variance that other listeners would repeat. No prediction can correlate with the scores more than the square
root of it, in the long run: that is the noise ceiling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.evaluation.regression import weighted_correlation, weighted_ranks
from otoscope.evaluation.resampling import MIN_GROUPS, Estimate, draw_weights, estimated

__all__ = ["Ceiling", "binomial_ceiling", "noise_ceiling", "normalised", "split_half_ceiling"]

Floats = NDArray[np.float64]

MIN_TRACKS = 3
CORRELATIONS = ("spearman_pooled", "spearman_fold", "pearson")

_DISAGREE = "the scores do not repeat themselves at all, so there is no ceiling to speak of"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How far scores can be trusted.

    Parameters
    ----------
    source : {"halves", "counts", "none"}
        What it was computed from.
    agreement : Estimate
        Correlation between the halves; without a value where there are none.
    reliability : Estimate
        Share of the variance of the scores that is not noise.
    ceiling : Estimate
        Its square root: the largest correlation that a prediction can have in the long run.
    """

    source: Literal["halves", "counts", "none"]
    agreement: Estimate
    reliability: Estimate
    ceiling: Estimate


def split_half_ceiling(
    half_a: Floats,
    half_b: Floats,
    *,
    groups: Sequence[str] | None = None,
    method: Literal["spearman", "pearson"] = "spearman",
    seed: int = 0,
    n_resamples: int = 1000,
) -> Ceiling:
    """Compare the scores from one half of the listeners with those from the other.

    Parameters
    ----------
    half_a, half_b : ndarray of float64, shape (n_tracks,)
        Scores; NaN where a half has none: that track is left out.
    groups : sequence of str, length n_tracks, optional
        What the interval draws together.
    method : {"spearman", "pearson"}
        How the halves are correlated: "spearman" for the ceiling of a rank correlation.
    seed : int
        Of the resampling.
    n_resamples : int
        How many.

    Returns
    -------
    Ceiling
        Of the scores of all listeners together, by the formula of Spearman and Brown for twice the length.

    Raises
    ------
    SpecError
        If the lengths differ.

    References
    ----------
    .. [1] C. Spearman, "Correlation calculated from faulty data", British Journal of Psychology 3, 1910.
    .. [2] W. Brown, "Some experimental results in the correlation of mental abilities", the same volume.
    """
    one, other = np.asarray(half_a, dtype=np.float64), np.asarray(half_b, dtype=np.float64)
    names = _names(one.size, groups)
    if one.ndim != 1 or one.shape != other.shape:
        raise SpecError(f"split_half_ceiling: halves of shape {one.shape} and {other.shape}; equal ones are needed")
    kept = np.isfinite(one) & np.isfinite(other)
    one, other, names = one[kept], other[kept], [name for name, here in zip(names, kept, strict=True) if here]
    if one.size < MIN_TRACKS:
        return _nothing("halves", f"{one.size} track(s) have both halves; {MIN_TRACKS} are needed", names)
    weights = _weights(names, seed, n_resamples)
    if method == "spearman":
        a, b = weighted_ranks(one, weights), weighted_ranks(other, weights)
    else:
        a, b = np.broadcast_to(one, weights.shape), np.broadcast_to(other, weights.shape)
    r = weighted_correlation(a, b, weights)
    return _ceiling("halves", r, np.where(r > 0, 2 * r / (1 + np.maximum(r, 0)), 2 * np.minimum(r, 0)), names)


def binomial_ceiling(
    score: Floats,
    n: Floats,
    *,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    n_resamples: int = 1000,
) -> Ceiling:
    """Reckon with the noise that shares of yes-or-no answers have by themselves.

    Parameters
    ----------
    score : ndarray of float64, shape (n_tracks,)
        Share of the answers that were hits, from 0 to 1.
    n : ndarray of float64, shape (n_tracks,)
        How many answers each rests on; tracks with fewer than two, or NaN, are left out.
    groups : sequence of str, length n_tracks, optional
        What the interval draws together.
    seed : int
        Of the resampling.
    n_resamples : int
        How many.

    Returns
    -------
    Ceiling
        Without values where the scores are not all shares.

    Raises
    ------
    SpecError
        If the lengths differ.

    Notes
    -----
    The noise of a share p of n answers is estimated without bias by p (1 - p) / (n - 1). It takes the answers to one
    track as alike but for chance; listeners who differ in how often they say yes make it somewhat too large.
    """
    share, counts = np.asarray(score, dtype=np.float64), np.asarray(n, dtype=np.float64)
    names = _names(share.size, groups)
    if share.ndim != 1 or share.shape != counts.shape:
        raise SpecError(f"binomial_ceiling: {share.shape} scores and {counts.shape} counts; equal ones are needed")
    kept = np.isfinite(share) & np.isfinite(counts) & (counts >= 2)
    share, counts = share[kept], counts[kept]
    names = [name for name, here in zip(names, kept, strict=True) if here]
    if share.size < MIN_TRACKS:
        return _nothing("counts", f"{share.size} track(s) have two answers or more; {MIN_TRACKS} are needed", names)
    if share.min() < 0 or share.max() > 1:
        return _nothing(
            "counts",
            f"the scores run from {share.min():.3g} to {share.max():.3g}: only shares from 0 to 1 have a noise that "
            "follows from the number of answers; give half_a and half_b",
            names,
        )
    weights = _weights(names, seed, n_resamples)
    total = weights.sum(axis=1)
    mean = weights @ share / total
    about = np.square(share[None, :] - mean[:, None])
    variance = (weights * about).sum(axis=1) / np.maximum(total - 1, 1)
    noise = weights @ (share * (1 - share) / (counts - 1)) / total
    there = variance > 1e-15
    reliability = np.where(there, 1 - noise / np.where(there, variance, 1.0), np.nan)
    return _ceiling("counts", None, reliability, names)


def noise_ceiling(
    score: Floats,
    *,
    n: Floats | None = None,
    half_a: Floats | None = None,
    half_b: Floats | None = None,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    n_resamples: int = 1000,
) -> Ceiling:
    """Give the noise ceiling from whatever is known about the scores.

    Parameters
    ----------
    score : ndarray of float64, shape (n_tracks,)
        The scores.
    n : ndarray of float64, shape (n_tracks,), optional
        How many answers each rests on.
    half_a, half_b : ndarray of float64, shape (n_tracks,), optional
        Scores of each half of the listeners; they come before the counts where both are there.
    groups : sequence of str, length n_tracks, optional
        What the interval draws together.
    seed : int
        Of the resampling.
    n_resamples : int
        How many.

    Returns
    -------
    Ceiling
        Without values, and with the reason, where nothing is known.

    Raises
    ------
    SpecError
        If the lengths differ.

    Examples
    --------
    >>> noise_ceiling(np.array([0.2, 0.5, 0.9])).ceiling.reason
    'nobody knows how far the scores can be trusted; give half_a and half_b, or n for shares of answers'
    """
    if half_a is not None and half_b is not None:
        return split_half_ceiling(half_a, half_b, groups=groups, seed=seed, n_resamples=n_resamples)
    if n is not None:
        return binomial_ceiling(score, n, groups=groups, seed=seed, n_resamples=n_resamples)
    why = "nobody knows how far the scores can be trusted; give half_a and half_b, or n for shares of answers"
    return _nothing("none", why, _names(np.asarray(score).size, groups))


def normalised(score: Estimate, ceiling: Ceiling) -> Estimate:
    """Give a correlation as a share of the largest that could be had.

    Parameters
    ----------
    score : Estimate
        A correlation; its interval is divided by the same ceiling, whose own interval is not added to it.
    ceiling : Ceiling
        Of the scores that were predicted.

    Returns
    -------
    Estimate
        Its metric is named ``METRIC/ceiling``.

    Raises
    ------
    SpecError
        If the score is no correlation.
    """
    if score.metric not in CORRELATIONS:
        raise SpecError(f"normalised: {score.metric!r} has no ceiling; choose from {', '.join(CORRELATIONS)}")
    name, top = f"{score.metric}/ceiling", ceiling.ceiling.value
    if score.value is None or top is None:
        why = score.reason if score.value is None else ceiling.ceiling.reason
        return Estimate(name, None, None, None, score.n_tracks, score.n_groups, why)
    low, high = (None if end is None else end / top for end in (score.low, score.high))
    return Estimate(name, score.value / top, low, high, score.n_tracks, score.n_groups, score.reason)


def _names(n: int, groups: Sequence[str] | None) -> list[str]:
    if groups is not None and len(groups) != n:
        raise SpecError(f"noise ceiling: {len(groups)} groups for {n} tracks")
    return [f"{row:09d}" for row in range(n)] if groups is None else list(groups)


def _weights(names: list[str], seed: int, n_resamples: int) -> Floats:
    whole = np.ones((1, len(names)))
    if len(set(names)) < MIN_GROUPS:
        return whole
    return np.vstack([whole, draw_weights(names, seed=seed, n_resamples=n_resamples)])


def _ceiling(
    source: Literal["halves", "counts"], agreement: Floats | None, reliability: Floats, names: list[str]
) -> Ceiling:
    """Put an interval to each; the first sample is the tracks themselves."""
    flat = "the scores do not vary"
    root = np.sqrt(np.maximum(reliability, 0.0))
    if root[0] == 0:
        root = np.full(1, np.nan)

    def finish(metric: str, values: Floats, why: str) -> Estimate:
        drawn = values[1:] if values.size > 1 else None
        counts = {"n_tracks": len(names), "n_groups": len(set(names))}
        return estimated(metric, float(values[0]), drawn, undefined=why, **counts)

    return Ceiling(
        source,
        _without("agreement", "there are no halves to compare", names)
        if agreement is None
        else finish("agreement", agreement, flat),
        finish("reliability", reliability, flat),
        finish("ceiling", root, flat if np.isnan(reliability[0]) else _DISAGREE),
    )


def _without(metric: str, why: str, names: list[str]) -> Estimate:
    return Estimate(metric, None, None, None, len(names), len(set(names)), why)


def _nothing(source: Literal["halves", "counts", "none"], why: str, names: list[str]) -> Ceiling:
    agreement, reliability, ceiling = (_without(each, why, names) for each in ("agreement", "reliability", "ceiling"))
    return Ceiling(source, agreement, reliability, ceiling)
