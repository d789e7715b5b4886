"""Many probes scored at once, on the same utterances and the same resamples.

What :class:`otoscope.evaluation.scores.ScoreTable` says of one probe, this says of many in one product: the resamples
are drawn once, and every probe is a few columns more. Languages come one after the other, each with its own clusters
only, so that memory does not grow with their number, nor with clusters that they do not share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.evaluation.scores import METRICS, NO_FRAMES, SUMS, Score, ScoreTable

__all__ = ["add_by_cluster", "difference_batch", "score_batch"]

Floats = NDArray[np.float64]
_N, _Y = SUMS.index("n"), SUMS.index("y")


def add_by_cluster(clusters: Sequence[str], sums: Floats) -> Floats:
    """Add the sums of one language's utterances up by cluster.

    Parameters
    ----------
    clusters : sequence of str, length n_utterances
        In any order.
    sums : ndarray of float64, shape (n_utterances, ...)
        One row per utterance.

    Returns
    -------
    ndarray of float64, shape (n_clusters, ...)
        One row per cluster, in the order of their names.

    Raises
    ------
    SpecError
        If there are not as many clusters as rows.

    Examples
    --------
    >>> add_by_cluster(["b", "a", "b"], np.array([1.0, 10.0, 2.0])).tolist()
    [10.0, 3.0]
    """
    if len(clusters) != sums.shape[0]:
        raise SpecError(f"add_by_cluster: {len(clusters)} clusters and {sums.shape[0]} rows of sums")
    if not len(clusters):
        return sums
    names, place = np.unique(np.asarray(clusters, dtype=np.str_), return_inverse=True)
    order = np.argsort(place, kind="stable")
    return np.add.reduceat(sums[order], np.searchsorted(place[order], np.arange(names.size)), axis=0)


def _span(sets: Sequence[int]) -> slice | NDArray[np.intp]:
    """Give a slice where the sets are neighbours: it copies nothing."""
    at = np.asarray(sets, dtype=np.intp)
    neighbours = at.size > 0 and bool((np.diff(at) == 1).all())
    return slice(int(at[0]), int(at[0]) + at.size) if neighbours else at


def _resample(
    table: ScoreTable, parts: Sequence[Floats], train_means: Floats, wanted: Mapping[str, Sequence[int]]
) -> dict[str, tuple[Floats, Floats | None]]:
    """Give each metric's values, of shape (n_sets,), and resampled values, of shape (n_sets, n_resamples)."""
    spans = {name: _span(sets) for name, sets in wanted.items()}
    values: dict[str, list[Floats]] = {name: [] for name in wanted}
    total: dict[str, Floats] = {}
    count: dict[str, NDArray[np.int64]] = {}
    for language, cells in enumerate(parts):
        whole = cells.sum(axis=0)
        own = np.divide(whole[:, _Y], whole[:, _N], out=np.full(len(whole), np.nan), where=whole[:, _N] > 0)
        drawn = None
        if table.weights is not None:
            # Sums first, so that a metric reads each of them as one piece of memory.
            flat = np.ascontiguousarray(np.moveaxis(cells, 2, 1)).reshape(cells.shape[0], -1)
            weights = table.weights[:, table.members[language]]
            drawn = (flat.T @ weights.T).reshape(len(SUMS), -1, weights.shape[0])
        for name, at in spans.items():
            of, means = METRICS[name].of, (train_means[language, at], own[at])
            values[name].append(of(whole[at], *means))
            if drawn is None:
                continue
            each = of(np.moveaxis(drawn[:, at], 0, -1), *(mean[:, None] for mean in means))
            there = np.isfinite(each)
            each = np.where(there, each, 0.0)
            total[name] = total[name] + each if name in total else each
            count[name] = count[name] + there if name in count else there.astype(np.int64)
    found: dict[str, tuple[Floats, Floats | None]] = {}
    for name in wanted:
        resampled = None
        if name in total:
            some = count[name] > 0
            resampled = np.where(some, total[name] / np.where(some, count[name], 1), np.nan)
        found[name] = (np.mean(values[name], axis=0), resampled)
    return found


def _ends(resampled: Floats, tails: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Give the ends of every interval, of shape (2, n_sets), and where enough resamples have a value."""
    there = np.isfinite(resampled)
    kept = there.sum(axis=1)
    enough = (kept > 0) & (kept >= resampled.shape[1] // 2)
    ends = np.full((2, resampled.shape[0]), np.nan)
    full = kept == resampled.shape[1]
    if full.any():
        ends[:, full] = np.percentile(resampled[full], 100 * tails, axis=1)
    for i in np.flatnonzero(enough & ~full):
        ends[:, i] = np.percentile(resampled[i][there[i]], 100 * tails)
    return ends, enough


def _finish(
    table: ScoreTable, name: str, values: Floats, resampled: Floats | None, n_frames: Sequence[int]
) -> list[Score]:
    ends, enough = (None, None) if resampled is None else _ends(resampled, table.tails)
    scores: list[Score] = []
    for i, (value, n) in enumerate(zip(values, n_frames, strict=True)):
        counts = (n, table.n_utterances, len(table.clusters))
        if not np.isfinite(value):
            scores.append(Score(name, None, None, None, *counts, METRICS[name].reason if n else NO_FRAMES))
        elif ends is None or enough is None:
            scores.append(Score(name, float(value), None, None, *counts, table.why_no_interval))
        elif not enough[i]:
            scores.append(Score(name, float(value), None, None, *counts, "most resamples have no value"))
        else:
            scores.append(Score(name, float(value), float(ends[0, i]), float(ends[1, i]), *counts))
    return scores


def _frames(parts: Sequence[Floats], sets: Sequence[int]) -> list[int]:
    return [int(sum(cells[:, i, _N].sum() for cells in parts)) for i in sets]


def score_batch(
    table: ScoreTable, parts: Sequence[Floats], train_means: Floats, wanted: Mapping[str, Sequence[int]]
) -> dict[str, list[Score]]:
    """Score many probes, each as :meth:`otoscope.evaluation.scores.ScoreTable.score` would.

    Parameters
    ----------
    table : ScoreTable
        Of the utterances.
    parts : sequence of ndarray of float64, shape (n_clusters, n_sets, n_sums)
        For each language of the table the sums of its own clusters, from :func:`add_by_cluster`, for every set: a
        probe on a target.
    train_means : ndarray of float64, shape (n_languages, n_sets)
        Mean of the target in the training data of each language's probe.
    wanted : mapping of str to sequence of int
        Which sets to score, for each metric.

    Returns
    -------
    dict of str to list of Score
        For each metric one score per set that was asked for, in that order.

    Examples
    --------
    >>> from otoscope.evaluation.scores import sums_of
    >>> table = ScoreTable(["s1"], ["en_us"])
    >>> truth, said = np.array([1.0, 2.0, 3.0]), np.array([[1.0, 2.0], [2.0, 2.0], [3.0, 2.0]])
    >>> sums = sums_of(truth, said, kind="other")
    >>> [score.value for score in score_batch(table, [sums[None]], np.zeros((1, 2)), {"r2": [0, 1]})["r2"]]
    [1.0, 0.0]
    """
    found = _resample(table, parts, train_means, wanted)
    return {name: _finish(table, name, *found[name], _frames(parts, sets)) for name, sets in wanted.items()}


def difference_batch(
    table: ScoreTable,
    one: Sequence[Floats],
    other: Sequence[Floats],
    train_means: tuple[Floats, Floats],
    wanted: Mapping[str, Sequence[int]],
) -> dict[str, list[Score]]:
    """Score many paired differences: one minus the other, on the same resamples.

    Parameters
    ----------
    table : ScoreTable
        Of the utterances of both.
    one, other : sequence of ndarray of float64, shape (n_clusters, n_sets, n_sums)
        As for :func:`score_batch`.
    train_means : pair of ndarray of float64, shape (n_languages, n_sets)
        Of the two.
    wanted : mapping of str to sequence of int
        Which sets to score, for each metric.

    Returns
    -------
    dict of str to list of Score
        Of the differences.
    """
    a, b = (_resample(table, parts, means, wanted) for parts, means in zip((one, other), train_means, strict=True))
    scores: dict[str, list[Score]] = {}
    for name, sets in wanted.items():
        (value, drawn), (less, less_drawn) = a[name], b[name]
        resampled = None if drawn is None or less_drawn is None else drawn - less_drawn
        scores[name] = _finish(table, name, value - less, resampled, _frames(one, sets))
    return scores
