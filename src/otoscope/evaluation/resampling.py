"""Numbers with intervals from resampled groups.

A resample is a row of weights: how often each track was drawn. Tracks of one group are drawn together. Everything
that is computed from tracks takes such weights, and gives exactly what it would give on the drawn tracks laid side by
side, so that no resample is ever built.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.evaluation.splits import seeded_generator

__all__ = ["MIN_GROUPS", "Estimate", "draw_weights", "estimated", "expanded_tails"]

Floats = NDArray[np.float64]

MIN_GROUPS = 8


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number about tracks, with its interval.

    Parameters
    ----------
    metric : str
        What it is.
    value : float or None
        None where it is not defined; then `reason` says why.
    low, high : float or None
        The 95 % interval; None where there is none, and `reason` says why.
    n_tracks, n_groups : int
        What it rests on; groups are what the interval resamples.
    reason : str or None
        Why the value or the interval is missing.
    """

    metric: str
    value: float | None
    low: float | None
    high: float | None
    n_tracks: int
    n_groups: int
    reason: str | None = None


def expanded_tails(n_groups: int) -> Floats:
    """Give the tails of a 95 % bootstrap interval, widened for few groups.

    A bootstrap of G groups is too narrow by sqrt((G - 1) / G), and knows nothing of Student's t; the expanded
    percentile interval makes up for both.

    Parameters
    ----------
    n_groups : int, > 1
        How many groups are resampled.

    Returns
    -------
    ndarray of float64, shape (2,)
        Shares of the resamples below the low and below the high end: 0.025 and 0.975 for very many groups.

    References
    ----------
    .. [1] T. Hesterberg, "What teachers should know about the bootstrap", The American Statistician 69, 2015, 3.3.
    """
    from scipy.special import ndtr, stdtrit  # pyright: ignore[reportMissingTypeStubs]

    tail = float(ndtr(np.sqrt(n_groups / (n_groups - 1)) * stdtrit(n_groups - 1, 0.025)))  # pyright: ignore
    return np.array([tail, 1 - tail])


def draw_weights(groups: Sequence[str], *, seed: int = 0, n_resamples: int = 1000) -> Floats:
    """Draw groups with replacement.

    Parameters
    ----------
    groups : sequence of str, length n_tracks
        Tracks of one group are drawn together.
    seed : int
        Equal groups and seeds give equal resamples, whatever the order of the tracks, so that differences between
        models are paired.
    n_resamples : int
        How many.

    Returns
    -------
    ndarray of float64, shape (n_resamples, n_tracks)
        How often each track was drawn.
    """
    names, place = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    rng = seeded_generator(seed, "bootstrap", *(str(name) for name in names))
    counts = rng.multinomial(names.size, np.full(names.size, 1 / names.size), size=n_resamples)
    return counts[:, place].astype(np.float64)


def estimated(
    metric: str, value: float, resampled: Floats | None, *, n_tracks: int, n_groups: int, undefined: str
) -> Estimate:
    """Put a value and its resamples together.

    Parameters
    ----------
    metric : str
        What it is.
    value : float
        NaN where it is not defined.
    resampled : ndarray of float64, shape (n_resamples,), or None
        NaN where a resample has no value; None where nothing was resampled.
    n_tracks, n_groups : int
        What it rests on.
    undefined : str
        Why there is no value, if there is none.

    Returns
    -------
    Estimate
        No interval with fewer than eight groups, or where most resamples have no value.
    """
    if not np.isfinite(value):
        return Estimate(metric, None, None, None, n_tracks, n_groups, undefined)
    if n_groups < MIN_GROUPS or resampled is None:
        words = f"there {'is' if n_groups == 1 else 'are'} {n_groups} group{'s' * (n_groups != 1)} to resample"
        return Estimate(metric, value, None, None, n_tracks, n_groups, f"{words}; {MIN_GROUPS} are needed")
    kept = resampled[np.isfinite(resampled)]
    if kept.size == 0 or kept.size < resampled.size // 2:
        return Estimate(metric, value, None, None, n_tracks, n_groups, "most resamples have no value")
    low, high = np.quantile(kept, expanded_tails(n_groups))
    return Estimate(metric, value, float(low), float(high), n_tracks, n_groups)
