"""From responses to labels: one row for each clip, with every score, and one of them as the label.

The scores: `raw`, the hit rate; `false_alarm`, how often the clip was called a repeat at its first presentation;
`corrected`, the first less the second; `dprime`; `lag_adjusted`, the chance of a hit at one lag for an average
listener; `shrunk`, the hit rate drawn towards the mean as far as few responses ask for. Each has a 95 % interval.
A clip without responses has no score, and no row in the table of labels; it is never scored 0.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.game.lag_model import LagFit, fit_lag_model
from otoscope.game.measures import (
    BetaBinomial,
    corrected,
    corrected_interval,
    d_prime,
    d_prime_interval,
    fit_beta,
    rate,
    wilson,
)
from otoscope.game.pairs import AnswerRule, count, find_pairs
from otoscope.game.responses import Responses
from otoscope.store import write_text

__all__ = [
    "SCORES",
    "ScoreName",
    "Scores",
    "TrackScore",
    "additive_score",
    "check_score",
    "score_responses",
    "write_labels",
]

Floats = NDArray[np.float64]

ScoreName = Literal["raw", "shrunk", "lag_adjusted", "corrected", "dprime", "false_alarm"]
SCORES: tuple[ScoreName, ...] = ("raw", "shrunk", "lag_adjusted", "corrected", "dprime", "false_alarm")


@dataclass(frozen=True, slots=True)
class TrackScore:
    """The scores of one clip.

    Parameters
    ----------
    track : str
        The clip.
    n : int
        Pairs that count.
    hits : int
        Hits among them.
    firsts : int
        First presentations that count.
    alarms : int
        False alarms among them.
    values : mapping of str to (float, float, float)
        By the names of :data:`SCORES`: the score, and the ends of its 95 % interval. A score that the clip has no
        responses for is left out.
    half_a, half_b : float or None
        The label by each of two halves of the listeners, where halves were asked for and both have it.
    """

    track: str
    n: int
    hits: int
    firsts: int
    alarms: int
    values: Mapping[str, tuple[float, float, float]]
    half_a: float | None = None
    half_b: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The scores of all clips.

    Parameters
    ----------
    tracks : tuple of TrackScore
        In alphabetical order.
    spread : BetaBinomial or None
        What the shrunk scores are drawn towards; None without pairs.
    lag_fit : LagFit or None
        What the lag-adjusted scores come from; None without pairs, or where it was not asked for.
    n_sessions : int
        Sittings behind the scores.
    n_pairs, n_dropped : int
        Pairs that count, and pairs played in full that do not.
    """

    tracks: tuple[TrackScore, ...]
    spread: BetaBinomial | None
    lag_fit: LagFit | None
    n_sessions: int
    n_pairs: int
    n_dropped: int

    def column(self, name: ScoreName) -> Floats:
        """Give one score of all clips.

        Parameters
        ----------
        name : str
            One of :data:`SCORES`.

        Returns
        -------
        ndarray of float64, shape (n_tracks,)
            NaN where a clip has none.
        """
        check_score(name)
        return np.array([track.values[name][0] if name in track.values else np.nan for track in self.tracks])


def check_score(name: str) -> None:
    """Refuse a score that does not exist.

    Parameters
    ----------
    name : str
        What was asked for.

    Raises
    ------
    SpecError
        If it is not one of :data:`SCORES`.
    """
    if name not in SCORES:
        raise SpecError(f"score: {name!r} is not known; choose from {', '.join(SCORES)}")


def additive_score(
    name: str, hits: Floats, n: Floats, alarms: Floats, firsts: Floats, spread: BetaBinomial
) -> Floats:
    """Give a score that needs nothing but counts.

    Parameters
    ----------
    name : str
        One of :data:`SCORES`, but `lag_adjusted`.
    hits, n, alarms, firsts : ndarray of float64
        Counts, summed over listeners.
    spread : BetaBinomial
        For `shrunk`.

    Returns
    -------
    ndarray of float64
        NaN where nothing was counted.

    Raises
    ------
    SpecError
        If the score needs more than counts, or is not known.
    """
    if name == "raw":
        return rate(hits, n)
    if name == "shrunk":
        return spread.score(hits, n)
    if name == "corrected":
        return corrected(hits, n, alarms, firsts)
    if name == "dprime":
        return d_prime(hits, n, alarms, firsts)
    if name == "false_alarm":
        return rate(alarms, firsts)
    check_score(name)
    raise SpecError(f"score: {name!r} needs a model of all responses; counts do not suffice")


def score_responses(
    responses: Responses,
    *,
    rule: AnswerRule | None = None,
    lag_model: bool = True,
    reference_lag: float | None = None,
) -> Scores:
    """Score every clip.

    Parameters
    ----------
    responses : Responses
        Of the sittings that are kept; see :func:`otoscope.game.exclusions.exclude`.
    rule : AnswerRule, optional
        Which answers count: the reference's rule, unless another is given.
    lag_model : bool
        Whether to fit the lag model, which takes some seconds for large tables.
    reference_lag : float, slots, optional
        Of the lag-adjusted scores; the median lag where none is given.

    Returns
    -------
    Scores
        Of all clips in the table, with or without responses that count.

    Raises
    ------
    SpecError
        If the table holds no sitting.
    """
    if responses.n_rows == 0:
        raise SpecError("scores: no sitting is left to score; look at the exclusions")
    pairs, counted = find_pairs(responses, rule=rule), count(responses, rule=rule)
    hits, n, alarms, firsts = (
        table.sum(axis=0) for table in (counted.hits, counted.pairs, counted.alarms, counted.firsts)
    )
    found: dict[str, tuple[Floats, Floats, Floats]] = {
        "raw": (rate(hits, n), *wilson(hits, n)),
        "corrected": (corrected(hits, n, alarms, firsts), *corrected_interval(hits, n, alarms, firsts)),
        "dprime": (d_prime(hits, n, alarms, firsts), *d_prime_interval(hits, n, alarms, firsts)),
        "false_alarm": (rate(alarms, firsts), *wilson(alarms, firsts)),
    }
    spread = fit_beta(hits, n) if pairs.n else None
    if spread is not None:
        found["shrunk"] = (spread.score(hits, n), *spread.interval(hits, n))
    fit = fit_lag_model(pairs, reference_lag=reference_lag) if lag_model and pairs.n else None
    if fit is not None:
        found["lag_adjusted"] = (fit.score, fit.low, fit.high)
    rows = tuple(
        TrackScore(
            track,
            int(n[place]),
            int(hits[place]),
            int(firsts[place]),
            int(alarms[place]),
            {
                name: (float(found[name][0][place]), float(found[name][1][place]), float(found[name][2][place]))
                for name in SCORES
                if name in found and np.isfinite(found[name][0][place])
            },
        )
        for place, track in enumerate(counted.tracks)
    )
    return Scores(rows, spread, fit, len(counted.sessions), pairs.n, pairs.n_dropped)


def write_labels(
    path: Path,
    scores: Scores,
    *,
    label: ScoreName = "raw",
    halves: tuple[Floats, Floats] | None = None,
) -> int:
    """Write the table of labels that ``otoscope memorability evaluate --labels`` reads.

    Parameters
    ----------
    path : Path
        A CSV file; replaced if it is there.
    scores : Scores
        What to write.
    label : str
        Which of :data:`SCORES` stands in the column ``score``, with its interval in ``low`` and ``high``.
    halves : (ndarray, ndarray) of float64, shape (n_tracks,), optional
        The label by two halves of the listeners, for the columns ``half_a`` and ``half_b``; NaN leaves both empty.

    Returns
    -------
    int
        Clips that have no such score, and so no row.

    Raises
    ------
    SpecError
        If the score is not known, no clip has it, or the halves are not of these clips.

    Notes
    -----
    The column ``n`` counts the responses behind the label: first presentations for `false_alarm`, pairs otherwise.
    """
    check_score(label)
    if halves is not None and not halves[0].shape == halves[1].shape == (len(scores.tracks),):
        raise SpecError(f"labels: halves of {halves[0].shape} and {halves[1].shape} for {len(scores.tracks)} clips")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    ends = [f"{name}{end}" for name in SCORES for end in ("", "_low", "_high")]
    counts = ["n_pairs", "hits", "n_firsts", "false_alarms"]
    writer.writerow(["track", "score", "n", "low", "high", "half_a", "half_b", *counts, *ends])
    without = 0
    for place, row in enumerate(scores.tracks):
        if label not in row.values:
            without += 1
            continue
        score, low, high = row.values[label]
        both = (np.nan, np.nan) if halves is None else (halves[0][place], halves[1][place])
        shown = [_cell(value) if np.isfinite(both).all() else "" for value in both]
        rest = [_cell(value) for name in SCORES for value in row.values.get(name, (np.nan,) * 3)]
        n = row.firsts if label == "false_alarm" else row.n
        writer.writerow(
            [
                row.track,
                _cell(score),
                n,
                _cell(low),
                _cell(high),
                *shown,
                row.n,
                row.hits,
                row.firsts,
                row.alarms,
                *rest,
            ]
        )
    if without == len(scores.tracks):
        raise SpecError(f"labels: none of {without} clips has a score {label!r}; there are no responses that count")
    write_text(path, text.getvalue())
    return without


def _cell(value: float) -> str:
    return f"{value:.6g}" if np.isfinite(value) else ""
