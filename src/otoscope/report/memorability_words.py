"""How the numbers of a memorability study are named and written, the same in the report and in the terminal."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otoscope.evaluation.outoffold import TRACK_METRICS
from otoscope.report.tokens import DASH, interval

__all__ = [
    "CONTROL_NAMES",
    "METRICS",
    "MetricText",
    "clean",
    "joined",
    "metric_text",
    "p_text",
    "score_digits",
    "shown_name",
]

CONTROL_NAMES: Mapping[str, str] = {"mean": "mean predictor", "noise": "random features"}
MOST_DIGITS = 6
_TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
_REPLACED = "\N{REPLACEMENT CHARACTER}"
Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MetricText:
    """How a metric is written.

    Parameters
    ----------
    name : str
        As in ``summary.json``.
    title : str
        Above its column.
    unit : str
        In words.
    plain : str
        What it says, in one line.
    """

    name: str
    title: str
    unit: str
    plain: str


METRICS = (
    MetricText(
        "spearman_pooled",
        "rho, pooled",
        "no unit",
        "Rank correlation of scores and predictions over all clips of a repeat, averaged over repeats: 1 is the "
        "listeners' order, 0 no order. The mean predictor lies below 0 by construction: where the tested scores are "
        "high, the scores that are left to average are low.",
    ),
    MetricText(
        "spearman_fold",
        "rho, per fold",
        "no unit",
        "The same within each fold, averaged over folds and repeats. A fold has few clips, so it is rough.",
    ),
    MetricText(
        "mse", "MSE", "the score's unit, squared", "Mean squared error; large misses weigh most. Less is better."
    ),
    MetricText("rmse", "RMSE", "the score's unit", "Its square root: the size of a typical error. Less is better."),
    MetricText("mae", "MAE", "the score's unit", "Mean absolute error. Less is better."),
    MetricText(
        "pair_accuracy",
        "pairs",
        "share, 0 to 1",
        "Of all pairs of clips, the share that is put in the listeners' order. Guessing gives 0.5.",
    ),
    MetricText("pearson", "r", "no unit", "Linear correlation of scores and predictions over all clips of a repeat."),
    MetricText(
        "skill",
        "skill",
        "no unit",
        "1 minus the error (MSE) over that of the mean predictor: 0 is no better than the mean, 1 is perfect.",
    ),
    MetricText(
        "half_width",
        "90 % within",
        "the score's unit",
        "Nine in ten predictions miss by less than this. Less is better.",
    ),
)


def clean(text: object) -> str:
    """Take out what would not be text: control characters, what turns the direction of writing, halves of characters.

    Parameters
    ----------
    text : object
        From a file.

    Returns
    -------
    str
        On one line; each such character has become a replacement character.

    Examples
    --------
    >>> clean("a" + chr(27) + "[2Jb") == "a" + chr(0xFFFD) + "[2Jb"
    True
    """
    return "".join(" " if char in "\n\t" else _REPLACED if _harms(char) else char for char in str(text))


def _harms(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs") or unicodedata.bidirectional(char) in _TURNING


def joined(parts: Sequence[str]) -> str:
    """List things in a sentence.

    Parameters
    ----------
    parts : sequence of str
        The things.

    Returns
    -------
    str
        With commas, and "and" before the last.

    Examples
    --------
    >>> joined(["high", "bright", "loud"])
    'high, bright and loud'
    """
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def score_digits(scores: Sequence[float]) -> int:
    """Choose how many digits after the point scores are written with.

    Parameters
    ----------
    scores : sequence of float
        Their range decides.

    Returns
    -------
    int
        Two for scores between 0 and 1, none for scores between 0 and 100.

    Examples
    --------
    >>> score_digits([0.0, 1.0]), score_digits([12.0, 95.0]), score_digits([])
    (2, 0, 2)
    """
    spread = max(scores) - min(scores) if len(scores) else 1.0
    if not (math.isfinite(spread) and spread > 0):
        return 2
    return min(max(2 - math.ceil(math.log10(spread)), 0), MOST_DIGITS)


def metric_text(name: str, entry: Entry, digits: int) -> str:
    """Write the value of a metric with its interval.

    Parameters
    ----------
    name : str
        Of the metric.
    entry : mapping
        ``value``, ``low`` and ``high``.
    digits : int
        Of scores, after the point; errors get one more, squared errors twice as many.

    Returns
    -------
    str
        An en dash where there is no value.

    Examples
    --------
    >>> metric_text("mse", {"value": 0.02881, "low": 0.0241, "high": 0.0342}, 2)
    '0.0288 (0.0241-0.0342)'
    """
    unit = TRACK_METRICS[name].unit
    places = {"1": 2, "score": digits + 1, "score^2": max(2 * digits, 1)}[unit]
    return interval(entry["value"], entry["low"], entry["high"], digits=min(places, 2 * MOST_DIGITS))


def p_text(chance: Entry) -> str:
    """Write the chance that shuffled scores do as well.

    Parameters
    ----------
    chance : mapping
        ``p``.

    Returns
    -------
    str
        Never 0; an en dash where there is none.

    Examples
    --------
    >>> p_text({"p": 0.042}), p_text({"p": 0.000999}), p_text({"p": 0.0001})
    ('0.042', '0.001', '<0.001')
    """
    p = chance["p"]
    return DASH if p is None else "<0.001" if p < 0.0005 else f"{p:.3f}"


def shown_name(name: str) -> str:
    """Give the name of a model for people.

    Parameters
    ----------
    name : str
        As in ``summary.json``.

    Returns
    -------
    str
        Controls in words; others as they are.
    """
    return CONTROL_NAMES.get(name, clean(name))
