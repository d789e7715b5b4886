"""Scores of predictions, from sums that add up.

Everything that a score needs of an utterance is a row of sums (:data:`SUMS`). Rows of several utterances are added,
so a score over any set of them, and its interval over resampled sentences, needs no second look at the frames.

What the words mean here: a frame without a truth is not in the sums at all; 0 is a number and never stands for
"missing"; a score without a value (no frames, no variance) is None with a reason, never 0 and never NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.evaluation.resampling import expanded_tails
from otoscope.evaluation.splits import connected_groups, seeded_generator

__all__ = [
    "METRICS",
    "MIN_CLUSTERS",
    "NO_FRAMES",
    "SUMS",
    "Metric",
    "Score",
    "ScoreTable",
    "sums_of",
]

Floats = NDArray[np.float64]

SUMS = (
    "n",  # frames
    "y",  # sum of the truth
    "p",  # sum of the prediction
    "yy",
    "pp",
    "yp",
    "cyy",  # the same three about the utterance's own means
    "cpp",
    "cyp",
    "gross",  # frames whose predicted F0 is more than 20 % off; log2 targets only
    "cents",  # sum of the absolute error in cents; log2 targets only
    "hit",  # voicing said and true; voicing only
    "false",  # voicing said and not true
    "miss",  # voicing true and not said
)
_I = {name: index for index, name in enumerate(SUMS)}
GROSS_ERROR = 0.2
CENTS_PER_OCTAVE = 1200.0
VOICING_THRESHOLD = 0.5
MIN_CLUSTERS = 8


def sums_of(truth: Floats, predicted: Floats, *, kind: Literal["log2", "voicing", "other"]) -> Floats:
    """Give the sums of one utterance.

    Parameters
    ----------
    truth : ndarray of float64, shape (n_frames,)
        The target.
    predicted : ndarray of float64, shape (n_frames, ...)
        Any number of predictions of it.
    kind : {"log2", "voicing", "other"}
        "log2": both are log2 of F0 in Hz, gross errors and cents are counted; "voicing": truth is 0 or 1.

    Returns
    -------
    ndarray of float64, shape (..., len(SUMS))
        In the order of :data:`SUMS`; all zero without frames.
    """
    sums = np.zeros((*predicted.shape[1:], len(SUMS)))
    n = truth.shape[0]
    if n == 0:
        return sums
    column = truth.reshape(n, *([1] * (predicted.ndim - 1)))
    mean_y, mean_p = truth.mean(), predicted.mean(axis=0)
    dy, dp = column - mean_y, predicted - mean_p
    sums[..., _I["n"]] = n
    sums[..., _I["y"]] = n * mean_y
    sums[..., _I["p"]] = n * mean_p
    cyy, cpp, cyp = (dy * dy).sum(axis=0), (dp * dp).sum(axis=0), (dy * dp).sum(axis=0)
    sums[..., _I["cyy"]], sums[..., _I["cpp"]], sums[..., _I["cyp"]] = cyy, cpp, cyp
    sums[..., _I["yy"]] = cyy + n * mean_y**2
    sums[..., _I["pp"]] = cpp + n * mean_p**2
    sums[..., _I["yp"]] = cyp + n * mean_y * mean_p
    if kind == "log2":
        octaves = predicted - column
        sums[..., _I["gross"]] = (np.abs(np.exp2(np.clip(octaves, -60, 60)) - 1) > GROSS_ERROR).sum(axis=0)
        sums[..., _I["cents"]] = CENTS_PER_OCTAVE * np.abs(octaves).sum(axis=0)
    elif kind == "voicing":
        said, true = predicted >= VOICING_THRESHOLD, column >= VOICING_THRESHOLD
        sums[..., _I["hit"]] = (said & true).sum(axis=0)
        sums[..., _I["false"]] = (said & ~true).sum(axis=0)
        sums[..., _I["miss"]] = (~said & true).sum(axis=0)
    return sums


@dataclass(frozen=True, slots=True)
class Metric:
    """A score as a function of sums.

    Parameters
    ----------
    name : str
        As in tables.
    unit : str
        "1" where it has none; "target" stands for the target's own unit, "target^2" for its square.
    higher_is_better : bool
        Which way is better.
    of : callable
        From sums of shape (..., len(SUMS)), the training means and the tested cells' own means, both of shape
        (...), to values of shape (...); NaN where there is no value.
    reason : str
        Why it has no value where it has none.
    """

    name: str
    unit: str
    higher_is_better: bool
    of: Callable[[Floats, Floats, Floats], Floats]
    reason: str


def _ratio(above: Floats, below: Floats) -> Floats:
    """Divide; NaN where the denominator is not above 0."""
    good = below > 0
    return np.where(good, above / np.where(good, below, 1.0), np.nan)


def _mean(values: Floats) -> Floats:
    """Average over the languages; NaN where there are none."""
    return np.asarray(values.mean() if values.size else np.nan)


def _sse(s: Floats) -> Floats:
    return np.maximum(s[..., 3] - 2 * s[..., 5] + s[..., 4], 0.0)  # rounding goes below 0


def _squares_about(s: Floats, center: Floats) -> Floats:
    """Sum of squares of the truth about a value; exactly 0 where it is rounding only."""
    total = s[..., 3] - 2 * center * s[..., 1] + s[..., 0] * center**2
    return np.where(total > 1e-12 * s[..., 3], total, 0.0)


def _own_means(s: Floats) -> Floats:
    return _ratio(s[..., _I["y"]], s[..., _I["n"]])


def _r2(s: Floats, train: Floats, own: Floats) -> Floats:
    return 1 - _ratio(_sse(s), _squares_about(s, own))


def _skill(s: Floats, train: Floats, own: Floats) -> Floats:
    return 1 - _ratio(_sse(s), _squares_about(s, train))


def _mse(s: Floats, train: Floats, own: Floats) -> Floats:
    return _ratio(_sse(s), s[..., 0])


def _within_r(s: Floats, train: Floats, own: Floats) -> Floats:
    # About means that are rounded, what is flat keeps squares of about 1e-32 of its size: that is no variance.
    flat = (s[..., _I["cyy"]] <= 1e-24 * s[..., _I["yy"]]) | (s[..., _I["cpp"]] <= 1e-24 * s[..., _I["pp"]])
    return _ratio(s[..., _I["cyp"]], np.where(flat, 0.0, np.sqrt(s[..., _I["cyy"]] * s[..., _I["cpp"]])))


def _gpe(s: Floats, train: Floats, own: Floats) -> Floats:
    return 100 * _ratio(s[..., _I["gross"]], s[..., 0])


def _cents(s: Floats, train: Floats, own: Floats) -> Floats:
    return _ratio(s[..., _I["cents"]], s[..., 0])


def _f1(s: Floats, train: Floats, own: Floats) -> Floats:
    hit = s[..., _I["hit"]]
    return _ratio(2 * hit, 2 * hit + s[..., _I["false"]] + s[..., _I["miss"]])


_FLAT = "the truth does not vary there"
NO_FRAMES = "there are no frames"
METRICS: dict[str, Metric] = {
    m.name: m
    for m in (
        Metric("r2", "1", True, _r2, _FLAT),
        Metric("within_r", "1", True, _within_r, "truth or prediction does not vary within an utterance"),
        Metric("skill", "1", True, _skill, _FLAT),
        Metric("mse", "target^2", False, _mse, NO_FRAMES),
        Metric("gpe", "%", False, _gpe, NO_FRAMES),
        Metric("mae_cents", "cents", False, _cents, NO_FRAMES),
        Metric("f1", "1", True, _f1, "no frame is voiced, said or true"),
    )
}


@dataclass(frozen=True, slots=True)
class Score:
    """One number with its interval and what it rests on.

    Parameters
    ----------
    metric : str
        Key of :data:`METRICS`.
    value : float or None
        None where it is not defined; then `reason` says why.
    low, high : float or None
        The 95 % interval; None where there is none, and `reason` says why.
    n_frames, n_utterances, n_groups : int
        What it rests on; groups are what the interval resamples.
    reason : str or None
        Why the value or the interval is missing.
    """

    metric: str
    value: float | None
    low: float | None
    high: float | None
    n_frames: int
    n_utterances: int
    n_groups: int
    reason: str | None = None


class ScoreTable:
    """Sums of utterances, gathered by cluster and language, ready to be scored and resampled.

    Parameters
    ----------
    clusters : sequence of str, length n_utterances
        What the interval resamples (the sentence).
    languages : sequence of str, length n_utterances
        A score is the mean of the scores of the languages.
    seed : int
        Of the resampling. Equal clusters and seeds give equal resamples, so differences between models are paired.
    n_resamples : int
        How many; 1,000 by default.

    Attributes
    ----------
    languages, clusters : list of str
        Sorted, each once.
    n_utterances : int
        How many were given.
    members : list of ndarray of int
        For each language, its clusters among `clusters`, rising.
    weights : ndarray of float64, shape (n_resamples, n_clusters), or None
        How often each resample holds each cluster; None where there are too few of them.
    tails : ndarray of float64, shape (2,)
        Shares of the resamples below the ends of an interval.
    why_no_interval : str or None
        Why there are no weights, where there are none.
    """

    def __init__(
        self, clusters: Sequence[str], languages: Sequence[str], *, seed: int = 0, n_resamples: int = 1000
    ) -> None:
        if len(clusters) != len(languages):
            raise SpecError(f"ScoreTable: {len(clusters)} clusters and {len(languages)} languages")
        self.languages = sorted(set(languages))
        self.clusters = sorted(set(clusters))
        self.n_utterances = len(clusters)
        where_c = {name: i for i, name in enumerate(self.clusters)}
        where_l = {name: i for i, name in enumerate(self.languages)}
        self._cell = np.array(
            [where_c[c] * len(self.languages) + where_l[lang] for c, lang in zip(clusters, languages, strict=True)],
            dtype=np.int64,
        )
        n = len(self.languages)
        self.members = [np.unique(self._cell[self._cell % n == i]) // n for i in range(n)]
        per_language = [each.size for each in self.members]
        self.why_no_interval: str | None = None
        if not per_language:
            self.why_no_interval = "there are no utterances"
        elif min(per_language) < MIN_CLUSTERS:
            at = int(np.argmin(per_language))
            groups = f"{per_language[at]} group{'s' * (per_language[at] != 1)}"
            self.why_no_interval = f"{self.languages[at]} has {groups} to resample; {MIN_CLUSTERS} are needed"
        self.weights: Floats | None = None
        self.tails: Floats = np.array([0.025, 0.975])
        if self.why_no_interval is None:
            self.tails = expanded_tails(min(per_language))
            self.weights = self._draw(clusters, languages, seed, n_resamples)

    def _draw(self, clusters: Sequence[str], languages: Sequence[str], seed: int, n_resamples: int) -> Floats:
        """Draw clusters with replacement: together for languages that share any, apart for the others."""
        pairs = [{"cluster": c, "language": lang} for c, lang in zip(clusters, languages, strict=True)]
        stratum_of = dict(zip(clusters, connected_groups(pairs), strict=True))
        strata = np.array([stratum_of[c] for c in self.clusters])
        weights = np.zeros((n_resamples, len(self.clusters)))
        for stratum in sorted(set(stratum_of.values())):
            inside = np.flatnonzero(strata == stratum)
            rng = seeded_generator(seed, "bootstrap", *(self.clusters[int(i)] for i in inside))
            weights[:, inside] = rng.multinomial(inside.size, np.full(inside.size, 1 / inside.size), size=n_resamples)
        return weights

    def gather(self, sums: Floats) -> Floats:
        """Add the rows of utterances up by cluster and language.

        Parameters
        ----------
        sums : ndarray of float64, shape (n_utterances, len(SUMS))
            One row per utterance.

        Returns
        -------
        ndarray of float64, shape (n_clusters, n_languages, len(SUMS))
            Fit for :meth:`score`.
        """
        cells = np.zeros((len(self.clusters) * len(self.languages), sums.shape[-1]))
        np.add.at(cells, self._cell, sums)
        return cells.reshape(len(self.clusters), len(self.languages), sums.shape[-1])

    def values(self, metric: Metric, cells: Floats, train_means: Floats) -> tuple[Floats, Floats | None]:
        """Give the value and the resampled values of a metric.

        Parameters
        ----------
        metric : Metric
            Which.
        cells : ndarray of float64, shape (n_clusters, n_languages, len(SUMS))
            From :meth:`gather`.
        train_means : ndarray of float64, shape (n_languages,)
            Mean of the target in the training data of each language's probe.

        Returns
        -------
        value : ndarray of float64, shape ()
            Mean over the languages; NaN if one has none.
        resampled : ndarray of float64, shape (n_resamples,), or None
            None where there are too few clusters. R2 keeps the mean of the whole cell as its reference: about the
            mean of each resample, few clusters would make every resample look worse than the cell. A language
            that a resample left without a value is left out of that resample's mean.
        """
        whole = cells.sum(axis=0)
        own_means = _own_means(whole)
        value = _mean(metric.of(whole, train_means, own_means))
        if self.weights is None:
            return value, None
        drawn = np.tensordot(self.weights, cells, axes=(1, 0))
        each = metric.of(drawn, train_means, own_means)
        there = np.isfinite(each)
        total = np.where(there, each, 0.0).sum(axis=1)
        return value, _ratio(total, there.sum(axis=1).astype(np.float64))

    def value(self, name: str, cells: Floats, train_means: Floats) -> float | None:
        """Give the value of a metric without its interval.

        Parameters
        ----------
        name : str
            Key of :data:`METRICS`.
        cells : ndarray of float64, shape (n_clusters, n_languages, len(SUMS))
            From :meth:`gather`.
        train_means : ndarray of float64, shape (n_languages,)
            Mean of the target in the training data of each language's probe.

        Returns
        -------
        float or None
            Mean over the languages; None if one has none.
        """
        whole = cells.sum(axis=0)
        value = float(_mean(METRICS[name].of(whole, train_means, _own_means(whole))))
        return value if np.isfinite(value) else None

    def score(self, name: str, cells: Floats, train_means: Floats) -> Score:
        """Score with an interval: the 95 % expanded percentile interval of the resamples.

        Parameters
        ----------
        name : str
            Key of :data:`METRICS`.
        cells : ndarray of float64, shape (n_clusters, n_languages, len(SUMS))
            From :meth:`gather`.
        train_means : ndarray of float64, shape (n_languages,)
            Mean of the target in the training data of each language's probe.

        Returns
        -------
        Score
            Without a value or an interval where there is none, with the reason.
        """
        metric = METRICS[name]
        value, resampled = self.values(metric, cells, train_means)
        return self._finish(name, value, resampled, int(cells[..., 0].sum()), metric.reason)

    def difference(self, name: str, one: Floats, other: Floats, train_means: tuple[Floats, Floats]) -> Score:
        """Score a paired difference: one minus the other, on the same resamples.

        Parameters
        ----------
        name : str
            Key of :data:`METRICS`.
        one, other : ndarray of float64, shape (n_clusters, n_languages, len(SUMS))
            From :meth:`gather`.
        train_means : pair of ndarray of float64, shape (n_languages,)
            Of the two.

        Returns
        -------
        Score
            Of the difference.
        """
        metric = METRICS[name]
        (a, ra), (b, rb) = (
            self.values(metric, cells, means) for cells, means in zip((one, other), train_means, strict=True)
        )
        drawn = None if ra is None or rb is None else ra - rb
        return self._finish(name, a - b, drawn, int(one[..., 0].sum()), metric.reason)

    def _finish(self, name: str, value: Floats, resampled: Floats | None, n_frames: int, undefined: str) -> Score:
        counts = (n_frames, self.n_utterances, len(self.clusters))
        if not np.isfinite(value):
            return Score(name, None, None, None, *counts, reason=undefined if n_frames else NO_FRAMES)
        if resampled is None:
            return Score(name, float(value), None, None, *counts, reason=self.why_no_interval)
        kept = resampled[np.isfinite(resampled)]
        if kept.size < resampled.size // 2:
            return Score(name, float(value), None, None, *counts, reason="most resamples have no value")
        low, high = np.percentile(kept, 100 * self.tails)
        return Score(name, float(value), float(low), float(high), *counts)
