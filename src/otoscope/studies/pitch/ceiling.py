"""How well other trackers predict the labels: the noise ceiling of the probes.

A tracker is sampled where the labels' own frames are, clip by clip, and its sums are those of a probe. So its scores
add up, are resampled and are compared as those of probes are. They belong to no model and no layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.evaluation.batches import add_by_cluster, score_batch
from otoscope.evaluation.scores import SUMS, Score, ScoreTable, sums_of
from otoscope.f0.agreement import agreed_at
from otoscope.f0.resampling import sample_track
from otoscope.studies.pitch.results import Results
from otoscope.studies.pitch.targets import AGREED, MIN_VOICED, TARGETS, Heard

__all__ = ["CEILINGS", "Ceiling", "CeilingScore", "ceiling_scores", "ceiling_sums"]

Floats = NDArray[np.float64]
_N = SUMS.index("n")


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What is asked of another tracker.

    Parameters
    ----------
    target : str
        What it predicts.
    mask : str
        On which frames of the labels: ``voiced`` and ``voiced-agreed`` where it is voiced, too.
    metrics : tuple of str
        What is reported.
    """

    target: str
    mask: str
    metrics: tuple[str, ...]


_F0 = tuple(name for name in TARGETS["log2_f0"].metrics if name != "skill")  # a tracker has no training mean
CEILINGS: tuple[Ceiling, ...] = (
    Ceiling("log2_f0", "voiced", _F0),
    Ceiling("log2_f0", AGREED, _F0),
    Ceiling("voicing", "all", ("mse", "f1")),  # of zeros and ones, the mean square is the share that differs
)


@dataclass(frozen=True, slots=True)
class CeilingScore:
    """How well one tracker predicts the labels.

    Parameters
    ----------
    tracker : str
        Its specification.
    asked : Ceiling
        What, and on which frames.
    test : str
        A language, the mean, or a group.
    score : Score
        How well.
    n_languages : int
        How many of the languages have such frames.
    """

    tracker: str
    asked: Ceiling
    test: str
    score: Score
    n_languages: int


def ceiling_sums(heard: Heard) -> Floats:
    """Give the sums of one clip: other trackers in the place of probes, the labels in that of the truth.

    Parameters
    ----------
    heard : Heard
        The labels and what others found.

    Returns
    -------
    ndarray of float64, shape (n_others, len(CEILINGS), len(SUMS))
        At the labels' own times. Of F0, nothing where fewer than ten frames of the labels are voiced.
    """
    track = heard.track
    agreed = agreed_at(track, heard.others, track.times, need=heard.need)
    spoken = track.voiced & (np.count_nonzero(track.voiced) >= MIN_VOICED)
    found = np.zeros((len(heard.others), len(CEILINGS), len(SUMS)))
    for i, other in enumerate(heard.others):
        said = sample_track(other, track.times)
        both = spoken & said.voiced
        for k, asked in enumerate(CEILINGS):
            if asked.target == "voicing":
                frames = said.covered
                pair = track.voiced[frames].astype(np.float64), said.voiced[frames].astype(np.float64)
            else:
                frames = both & agreed if asked.mask == AGREED else both
                pair = np.log2(track.f0_hz[frames]), np.log2(said.f0_hz[frames])
            found[i, k] = sums_of(*pair, kind="voicing" if asked.target == "voicing" else "log2")
    return found


def ceiling_scores(results: Results, tests: Mapping[str, Sequence[str]]) -> Iterator[CeilingScore]:
    """Score the other trackers of a run.

    Parameters
    ----------
    results : Results
        The run.
    tests : mapping of str to sequence of str
        The languages of each tested language, mean and group.

    Yields
    ------
    CeilingScore
        By tracker, by what is asked, by test, by metric. Nothing where no other tracker was asked.
    """
    if not results.others:
        return
    clips: dict[str, list[str]] = {}
    parts: dict[str, Floats] = {}
    for code in results.tested:
        sums = results.ceiling(code)
        if sums:
            clips[code] = [results.clusters[clip] for clip in sums]
            parts[code] = add_by_cluster(clips[code], np.stack(list(sums.values())))
    tables: dict[tuple[str, ...], ScoreTable] = {}
    for i, spec in enumerate(results.others):
        for k, asked in enumerate(CEILINGS):
            there = {code for code, part in parts.items() if part[:, i, k, _N].any()}
            for test, codes in tests.items():
                members = tuple(sorted(there & set(codes)))
                if members not in tables:
                    tables[members] = _table(results, {code: clips[code] for code in members})
                cells = [parts[code][:, i, k][:, None] for code in members]
                for metric in asked.metrics:
                    score = _score(tables[members], cells, metric)
                    yield CeilingScore(spec, asked, test, score, len(members))


def _table(results: Results, clips: Mapping[str, Sequence[str]]) -> ScoreTable:
    """Draw the resamples that probes of these languages are scored on, where the same clips were heard."""
    return ScoreTable(
        [cluster for each in clips.values() for cluster in each],
        [code for code, each in clips.items() for _ in each],
        seed=results.settings["seed"],
        n_resamples=results.settings["n_resamples"],
    )


def _score(table: ScoreTable, cells: Sequence[Floats], metric: str) -> Score:
    if not cells:
        return Score(metric, None, None, None, 0, 0, 0, "no test frame is heard so by both trackers")
    return score_batch(table, cells, np.full((len(cells), 1), np.nan), {metric: [0]})[metric][0]
