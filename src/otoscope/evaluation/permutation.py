"""How often chance alone orders tracks as well as the predictions do.

The scores are dealt out anew to the tracks while the predictions stay as they are. That asks one thing: whether the
order of the predictions has anything to do with the order of the scores. It does not fit the models again, so it does
not share the pull below 0 that pooled out-of-fold predictions have where there is nothing to learn: a model without
any skill rather gets too large a p than too small a one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError, UndefinedMetricError
from otoscope.evaluation.regression import average_ranks
from otoscope.evaluation.splits import seeded_generator

__all__ = ["Permutation", "permutation_test"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Permutation:
    """What chance gives, and how often it does as well.

    Parameters
    ----------
    rho : float
        The rank correlation, averaged over repeats.
    p : float
        Share of the shuffles with a rho at least as large, the true order counted as one of them: from
        ``1 / (n + 1)`` to 1.
    low, high : float
        The middle 95 % of rho under shuffling.
    n : int
        How many shuffles.
    """

    rho: float
    p: float
    low: float
    high: float
    n: int


def permutation_test(
    truth: Floats,
    predicted: Floats,
    *,
    groups: Sequence[str] | None = None,
    n: int = 1000,
    seed: int = 0,
) -> Permutation:
    """Shuffle the scores over the tracks, and look how often they fit the predictions as well as the true ones.

    Parameters
    ----------
    truth : ndarray of float64, shape (n_tracks,)
        Scores.
    predicted : ndarray of float64, shape (n_tracks,) or (n_repeats, n_tracks)
        Predictions; rho is averaged over repeats.
    groups : sequence of str, length n_tracks, optional
        Scores of a group stay together: whole groups change places with groups of the same size, and tracks change
        places within their group.
    n : int, >= 1
        How many shuffles.
    seed : int
        Of the shuffles.

    Returns
    -------
    Permutation
        One-sided: only a large rho counts as surprising.

    Raises
    ------
    UndefinedMetricError
        If the scores or the predictions of a repeat are all the same.
    SpecError
        If the shapes differ, or `n` is below 1.

    References
    ----------
    .. [1] B. Phipson and G. Smyth, "Permutation p-values should never be zero", Statistical Applications in Genetics
           and Molecular Biology 9(1), 2010: the p-value with one added above and below.
    .. [2] A. Winkler et al., "Multi-level block permutation", NeuroImage 123, 2015: whole blocks and within blocks.
    """
    scores, table = np.asarray(truth, dtype=np.float64), np.atleast_2d(np.asarray(predicted, dtype=np.float64))
    if n < 1:
        raise SpecError(f"permutation_test: {n} shuffles; at least 1 is needed")
    if scores.ndim != 1 or table.ndim != 2 or table.shape[1] != scores.size or scores.size == 0:
        raise SpecError(f"permutation_test: scores of shape {scores.shape} and predictions of {table.shape}")
    if groups is not None and len(groups) != scores.size:
        raise SpecError(f"permutation_test: {len(groups)} groups for {scores.size} tracks")
    if not (np.all(np.isfinite(scores)) and np.all(np.isfinite(table))):
        raise SpecError("permutation_test: a score or a prediction is not finite")
    unit = _unit_ranks(scores, "scores")
    direction = np.mean([_unit_ranks(each, "predictions") for each in table], axis=0)
    rng = seeded_generator(seed, "permutation")
    orders = _orders(list(groups) if groups is not None else [str(i) for i in range(scores.size)], n, rng)
    by_chance = unit[orders] @ direction
    rho = float(unit @ direction)
    as_good = int(np.count_nonzero(by_chance >= rho - 1e-12))
    low, high = np.quantile(by_chance, [0.025, 0.975])
    return Permutation(rho, (1 + as_good) / (n + 1), float(low), float(high), n)


def _unit_ranks(values: Floats, name: str) -> Floats:
    """Give ranks about their mean with a length of 1: the product of two such vectors is their rank correlation."""
    if np.ptp(values) == 0:
        raise UndefinedMetricError(f"the {name} are the same for all {values.size} tracks, so nothing can be ordered")
    ranks = average_ranks(values)
    ranks = ranks - ranks.mean()
    return ranks / np.sqrt(ranks @ ranks)


def _orders(groups: list[str], n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Give n shuffles, shape (n, n_tracks): groups among those of their size, and tracks within their group."""
    members: dict[str, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        members[group].append(row)
    of_size: dict[int, list[list[int]]] = defaultdict(list)
    for rows in members.values():
        of_size[len(rows)].append(rows)
    orders = np.empty((n, len(groups)), dtype=np.intp)
    for size in sorted(of_size):
        blocks = np.array(of_size[size], dtype=np.intp)
        dealt = rng.permuted(np.zeros((n, 1), dtype=np.intp) + np.arange(len(of_size[size])), axis=1)
        inside = rng.permuted(blocks[dealt], axis=2)
        orders[:, blocks.ravel()] = inside.reshape(n, -1)
    return orders
