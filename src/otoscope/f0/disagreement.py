"""Shares, medians and ceilings of the disagreement of trackers, with intervals, as rows of a table.

Frames are pooled: every frame weighs the same. Only R2 and the correlation within utterances are taken by language
and averaged over languages, as the scores of probes are, to which they are the ceiling. An interval resamples clips,
or the groups that the clips belong to. A number without a value is None with a reason, never 0 and never NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.evaluation.batches import add_by_cluster
from otoscope.evaluation.scores import ScoreTable
from otoscope.evaluation.splits import hash_block
from otoscope.f0.comparison import COUNTS, TENTHS, ClipComparison, ordered_pairs, unordered_pairs

__all__ = ["MOST_CLUSTERS", "POOLED", "Disagreement", "disagreements"]

Floats = NDArray[np.float64]

POOLED = "all"
"""The language of rows about every clip."""

MOST_CLUSTERS = 512
"""Groups beyond so many are gathered into as many blocks before they are resampled, so that memory does not grow."""

_I = {name: index for index, name in enumerate(COUNTS)}
NO_FRAMES = "no frame is covered by every tracker"
_NO_BOTH = "no frame is voiced in both"
_NO_FINE = "no frame is voiced in both without a gross difference"
_FLAT = "the F0 of one of them does not vary there"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One number about trackers on the same clips.

    Parameters
    ----------
    first : str or None
        The tracker that the number is about; of a pair, the one that the other is held to. None where it is about
        all of them.
    second : str or None
        The other one of a pair; None where there is none.
    language : str
        Of the clips; "all" for all clips.
    metric : str
        Of a pair ``voicing`` (frames voiced in one only), ``gross`` (more than 20 % off, of the frames voiced in
        both), ``bias`` and ``median`` (median of the fine differences, with and without sign), ``rmse``, ``r2`` and
        ``within_r`` (of log2 F0, where both are voiced); of one tracker ``voiced``, and ``agreed_2``, ``agreed_3``
        ... (frames at which so many, itself included, say what it says); of all, ``agreed_2`` ... (frames at which so
        many say the same).
    unit : str
        ``%``, ``cents``, or ``1``.
    value, low, high : float or None
        With its 95 % interval; None where there is none, and `reason` says why.
    n_frames : int
        Frames that every tracker covers.
    n_both_voiced : int or None
        Of a pair, those that are voiced in both.
    n_clips, n_groups : int
        What it rests on; groups are what the interval resamples.
    reason : str or None
        Why the value or the interval is missing.
    """

    first: str | None
    second: str | None
    language: str
    metric: str
    unit: str
    value: float | None
    low: float | None
    high: float | None
    n_frames: int
    n_both_voiced: int | None
    n_clips: int
    n_groups: int
    reason: str | None = None


def disagreements(clips: Iterable[ClipComparison], *, seed: int = 0, n_resamples: int = 1000) -> list[Disagreement]:
    """Say how much trackers differ, by language and on all clips.

    Parameters
    ----------
    clips : iterable of ClipComparison
        Of the same trackers; their order does not matter.
    seed : int
        Of the resampling.
    n_resamples : int
        How many.

    Returns
    -------
    list of Disagreement
        First those of all clips, then of each language where there are several; pairs before single trackers. Where
        all clips are of one language, rows bear its code instead, unless it is not known.

    Raises
    ------
    SpecError
        If there are no clips, or they are of different trackers.
    """
    given = sorted(clips, key=lambda clip: clip.clip_id)
    if not given:
        raise SpecError("disagreements: there are no clips")
    if len({clip.trackers for clip in given}) > 1:
        raise SpecError("disagreements: clips of different trackers cannot be laid together")
    codes = sorted({clip.language for clip in given})
    if len(codes) == 1:
        return list(_rows(given, POOLED if codes == ["und"] else codes[0], seed, n_resamples))
    rows = list(_rows(given, POOLED, seed, n_resamples))
    for code in codes:
        rows += _rows([clip for clip in given if clip.language == code], code, seed, n_resamples)
    return rows


@dataclass(frozen=True, slots=True)
class _Sample:
    """Clips of one row, and how they are resampled."""

    language: str
    n_frames: int
    n_clips: int
    clusters: list[str]
    table: ScoreTable

    def by_cluster(self, counts: Floats) -> Floats:
        return add_by_cluster(self.clusters, counts)

    def row(
        self,
        names: tuple[str | None, str | None],
        metric: str,
        unit: str,
        value: float,
        resampled: Floats | None,
        undefined: str,
        both: float | None = None,
    ) -> Disagreement:
        low = high = None
        reason: str | None = None
        if not np.isfinite(value):
            reason = undefined if self.n_frames else NO_FRAMES
        elif resampled is None:
            reason = self.table.why_no_interval
        else:
            kept = resampled[np.isfinite(resampled)]
            if 2 * kept.size < resampled.size:
                reason = "most resamples have no value"
            else:
                low, high = (float(end) for end in np.quantile(kept, self.table.tails))
        return Disagreement(
            *names,
            self.language,
            metric,
            unit,
            float(value) if np.isfinite(value) else None,
            low,
            high,
            self.n_frames,
            None if both is None else round(both),
            self.n_clips,
            len(self.table.clusters),
            reason,
        )

    def of_sums(
        self,
        names: tuple[str | None, str | None],
        metric: str,
        unit: str,
        sums: Floats,
        of: Callable[[Floats], Floats],
        undefined: str,
        both: float | None = None,
    ) -> Disagreement:
        """Give a function of sums of shape (n_clusters, n_sums), and of their resamples."""
        weights = self.table.weights
        resampled = None if weights is None else of(weights @ sums)
        return self.row(names, metric, unit, float(of(sums.sum(axis=0))), resampled, undefined, both)


def _rows(clips: Sequence[ClipComparison], language: str, seed: int, n_resamples: int) -> Iterator[Disagreement]:
    names = clips[0].trackers
    clusters = [clip.group for clip in clips]
    if len(set(clusters)) > MOST_CLUSTERS:
        clusters = [f"block {hash_block(name, MOST_CLUSTERS)}" for name in clusters]
    codes = [clip.language for clip in clips] if language == POOLED else [language] * len(clips)
    if set(codes) == {"und"}:
        codes = [POOLED] * len(clips)
    table = ScoreTable(clusters, codes, seed=seed, n_resamples=n_resamples)
    sample = _Sample(language, sum(clip.n_frames for clip in clips), len(clips), clusters, table)
    pairs = sample.by_cluster(np.stack([clip.pairs for clip in clips]))
    ceilings = np.stack([clip.sums for clip in clips])
    at = {pair: place for place, pair in enumerate(ordered_pairs(len(names)))}
    for place, (i, j) in enumerate(unordered_pairs(len(names))):
        counts = pairs[:, place]
        both = counts[:, _I["both"]].sum()
        pair = names[i], names[j]
        yield sample.of_sums(pair, "voicing", "%", counts, _percent("differ", "frames"), NO_FRAMES, both)
        yield sample.of_sums(pair, "gross", "%", counts, _percent("gross", "both"), _NO_BOTH, both)
        cents = [clip.cents[place] for clip in clips]
        for metric, values in (("bias", cents), ("median", [np.abs(each) for each in cents])):
            yield sample.row(pair, metric, "cents", *_medians(sample, values), _NO_FINE, both)
        yield sample.of_sums(pair, "rmse", "cents", counts, _rmse, _NO_FINE, both)
        for one, other in ((i, j), (j, i)):
            cells = table.gather(ceilings[:, at[one, other]])
            for metric in ("r2", "within_r") if one == i else ("r2",):
                score = table.score(metric, cells, np.zeros(len(table.languages)))
                yield Disagreement(
                    names[one],
                    names[other],
                    language,
                    metric,
                    "1",
                    score.value,
                    score.low,
                    score.high,
                    sample.n_frames,
                    round(both),
                    sample.n_clips,
                    len(table.clusters),
                    score.reason if score.value is not None else (_FLAT if both else _NO_BOTH),
                )
    frames = np.array([[clip.n_frames] for clip in clips], dtype=np.float64)
    voiced = sample.by_cluster(np.hstack([frames, np.stack([clip.voiced for clip in clips])]))
    for i, name in enumerate(names):
        yield sample.of_sums((name, None), "voiced", "%", voiced[:, [1 + i, 0]], _share, NO_FRAMES)
    agreed = np.stack([clip.agreed for clip in clips])
    for i, name in enumerate((*names, None)):
        for more in range(len(names) - 1):
            counts = sample.by_cluster(np.hstack([agreed[:, i, more : more + 1], frames]))
            yield sample.of_sums((name, None), f"agreed_{more + 2}", "%", counts, _share, NO_FRAMES)


def _percent(above: str, below: str) -> Callable[[Floats], Floats]:
    return lambda counts: _share(counts[..., [_I[above], _I[below]]])


def _share(counts: Floats) -> Floats:
    """Give a share in per cent; NaN of nothing."""
    return 100 * _divided(counts[..., 0], counts[..., 1])


def _rmse(counts: Floats) -> Floats:
    return np.sqrt(_divided(counts[..., _I["squares"]], counts[..., _I["fine"]]))


def _divided(above: Floats, below: Floats) -> Floats:
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)


def _medians(sample: _Sample, values: Sequence[NDArray[np.int16]]) -> tuple[float, Floats | None]:
    """Give the median of all frames, and that of each resample, in cents; NaN of no frames."""
    laid = np.concatenate(values)
    if not laid.size:
        weights = sample.table.weights
        return np.nan, None if weights is None else np.full(weights.shape[0], np.nan)
    levels, place = np.unique(laid, return_inverse=True)
    at = {name: row for row, name in enumerate(sample.table.clusters)}
    rows = np.repeat([at[name] for name in sample.clusters], [each.size for each in values])
    counts = np.bincount(rows * levels.size + place, minlength=len(at) * levels.size)
    reached = counts.reshape(len(at), levels.size).cumsum(axis=1).astype(np.float64)
    value = _medians_at(levels, reached, np.ones((1, len(at))))[0]
    weights = sample.table.weights
    return float(value), None if weights is None else _medians_at(levels, reached, weights)


def _medians_at(levels: NDArray[np.int16], reached: Floats, weights: Floats) -> Floats:
    """Give the medians of weighted samples by halving, without ever building a sample.

    `reached` has for each cluster, of shape (n_clusters, n_levels), how many of its values do not exceed a level.
    """
    columns = np.ascontiguousarray(reached.T)
    total = weights @ columns[-1]

    def first_above(half: Floats, strictly: bool) -> NDArray[np.intp]:
        low, high = np.zeros(half.size, dtype=np.intp), np.full(half.size, levels.size - 1)
        while np.any(low < high):
            middle = (low + high) // 2
            got = np.einsum("rc,rc->r", weights, columns[middle])
            enough = got > half if strictly else got >= half
            low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
            low = np.minimum(low, high)
        return low

    lower, upper = first_above(total / 2, False), first_above(total / 2, True)
    medians = (levels[lower].astype(np.float64) + levels[upper]) / 2 / TENTHS
    return np.where(total > 0, medians, np.nan)
