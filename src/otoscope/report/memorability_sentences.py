"""What a memorability study says in sentences, the same in the report and in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from otoscope.report.memorability_words import clean, joined, metric_text, p_text
from otoscope.report.tokens import DASH, interval, number

__all__ = [
    "NO_SKILL",
    "Headline",
    "ceiling_sentence",
    "driver_sentence",
    "folds_agreeing",
    "headline",
    "raising_words",
]

LONGEST_WORDS = 60  # letters of a feature in a sentence
STEADY = 0.8  # share of the folds that must agree before a direction is put into a sentence
NOISY = 0.1  # a ceiling whose interval begins below this may be none at all
MANY_ANSWERS = 0.8  # a ceiling from which the answers are no longer called few
NO_SKILL = "The model shows no clear skill, so its reasons are no evidence of anything."
"""What stands before the reasons of a model that is not clearly above its controls."""
_NOISE = "The scores may be mostly noise: more listeners are needed."
_BY_CONSTRUCTION = "The mean predictor's pooled rho lies below 0 by construction."
Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Headline:
    """The answer in one sentence, and what it rests on.

    Parameters
    ----------
    model : str or None
        Which model it is about: the first that was named; None where only controls were tested.
    verdict : {"found", "unsure", "nothing"}
        Whether it is above chance and both controls; whether one of them is not beaten; whether it has no value.
    finding : str
        The answer in a few words.
    sentence : str
        The answer.
    details : tuple of str
        Further sentences.
    """

    model: str | None
    verdict: Literal["found", "unsure", "nothing"]
    finding: str
    sentence: str
    details: tuple[str, ...]


def headline(summary: Mapping[str, Any], *, digits: int = 2) -> Headline:
    """Say what an evaluation found: about the first model that was named, so that no winner is picked afterwards.

    Parameters
    ----------
    summary : mapping
        As in ``summary.json``.
    digits : int
        Of scores, after the point.

    Returns
    -------
    Headline
        It says plainly where the interval includes chance, or a control is not beaten.
    """
    name = next((each for each in summary["models"] if summary["details"][each]["kind"] == "model"), None)
    if name is None:
        sentence = "Only controls were tested, so there is no model to speak of."
        details = (ceiling_sentence(summary), *_mean_below(summary))
        return Headline(None, "nothing", "Only controls were tested", sentence, details)
    rho = summary["models"][name]["spearman_pooled"]
    if rho["value"] is None:
        reason = clean(rho.get("reason") or "it has no value here")
        sentence = f"Nothing can be said of {clean(name)}: {reason}."
        details = (ceiling_sentence(summary), *_mean_below(summary))
        return Headline(name, "nothing", f"{clean(name)} gave no order that has a score", sentence, details)
    over_noise, over_mean = _beats_noise(summary, name), _beats_mean(summary, name)
    shown = clean(name)
    verdict: Literal["found", "unsure"] = "unsure"
    said = interval(rho["value"], rho["low"], rho["high"])
    limit = _limit(summary)
    if rho["value"] <= 0:
        above = over_noise and over_mean
        finding = f"{shown} found no order" if above else f"{shown} does no better than its controls"
        sentence = f"The model {shown} found no order in clips that it never heard: rho {said}{_mean_gets(summary)}"
        details = tuple(_details(summary, name, digits, told="by construction" in sentence))
        return Headline(name, verdict, finding, f"{sentence}{limit}", details)
    if rho["low"] is None or rho["high"] is None:
        finding = f"{shown} has a score, but how sure it is cannot be said"
        middle = f"how sure that is cannot be said ({clean(rho.get('reason') or 'there is no interval')})"
    elif rho["low"] <= 0 <= rho["high"]:
        finding = f"{shown} cannot be told from chance"
        middle = "the interval includes 0, so this may be chance"
    elif not over_noise:
        finding = f"{shown} is not clearly better than random features"
        middle = f"that is not clearly better than random features{_rho_of(summary, 'noise')}"
    elif not over_mean:
        finding = f"{shown} beats random features, but not clearly the mean predictor"
        middle = "it beats random features, but its errors are not clearly smaller than those of predicting the mean"
    else:
        verdict = "found"
        finding = f"{shown} stands clear of chance and of both controls"
        middle = f"random features{_rho_of(summary, 'noise')} and the mean predictor do worse"
    sentence = f"The model {shown} ranks clips that it never heard with rho {said}; {middle}{limit}"
    return Headline(name, verdict, finding, sentence, tuple(_details(summary, name, digits)))


def _limit(summary: Mapping[str, Any]) -> str:
    """End the headline with how well any model could do, and how sure that is."""
    top = summary["ceiling"]["ceiling"]
    if top["value"] is None:
        return "."
    said = interval(top["value"], top["low"], top["high"])
    source = summary["ceiling"]["source"]
    if source == "halves":
        text = f"the listeners' own agreement sets the ceiling at {said}"
    elif source == "counts":
        answers = "so few answers per clip" if top["value"] < MANY_ANSWERS else "the answers per clip"
        text = f"chance in {answers} limits any model to about rho {said}"
    else:
        text = f"the ceiling is rho {said}"
    return f"; {text}. {_NOISE}" if _noisy(top) else f"; {text}."


def _noisy(top: Entry) -> bool:
    return top["low"] is not None and top["low"] < NOISY


def _mean_gets(summary: Mapping[str, Any]) -> str:
    """Say what the mean predictor's order is worth, and that it cannot be worth more."""
    rho = summary["models"].get("mean", {}).get("spearman_pooled", {}).get("value")
    if rho is None:
        return ""
    return f", and the mean predictor gets {number(rho)}" + (", below 0 by construction" if rho < 0 else "")


def _mean_below(summary: Mapping[str, Any]) -> tuple[str, ...]:
    rho = summary["models"].get("mean", {}).get("spearman_pooled", {}).get("value")
    return (_BY_CONSTRUCTION,) if rho is not None and rho < 0 else ()


def _beats_noise(summary: Mapping[str, Any], name: str) -> bool:
    """Say whether a model's order is clearly better than that of random features, which may give none."""
    if summary["models"].get("noise", {}).get("spearman_pooled", {}).get("value", 0.0) is None:
        return True
    low = summary["details"][name].get("above", {}).get("noise", {}).get("spearman_pooled", {}).get("low")
    return low is not None and low > 0


def _beats_mean(summary: Mapping[str, Any], name: str) -> bool:
    """Say whether a model's errors are clearly smaller than the mean predictor's, whose order says nothing."""
    high = summary["details"][name].get("above", {}).get("mean", {}).get("mse", {}).get("high")
    return high is not None and high < 0


def _rho_of(summary: Mapping[str, Any], control: str) -> str:
    entry = summary["models"].get(control, {}).get("spearman_pooled")
    return "" if entry is None or entry["value"] is None else f" (rho {number(entry['value'])})"


def _per_cent(entry: Entry) -> str:
    value, low, high = (None if entry[key] is None else 100 * entry[key] for key in ("value", "low", "high"))
    main, _, bounds = interval(value, low, high, digits=0).partition(" ")
    return f"{main} % {bounds}".rstrip()


def _details(summary: Mapping[str, Any], name: str, digits: int, *, told: bool = False) -> list[str]:
    scores, about = summary["models"][name], summary["details"][name]
    said: list[str] = []
    pairs = scores["pair_accuracy"]
    mean = summary["models"].get("mean")
    if pairs["value"] is not None:
        text = f"Of two clips it puts the better remembered one first in {_per_cent(pairs)} of cases"
        text += "; guessing gives 50 %"
        if mean is not None and mean["pair_accuracy"]["value"] is not None:
            text += f", the mean predictor {100 * mean['pair_accuracy']['value']:.0f} %"
        said.append(f"{text}.")
    if mean is not None and scores["rmse"]["value"] is not None and mean["rmse"]["value"] is not None:
        text = f"It misses a score by {metric_text('rmse', scores['rmse'], digits)} (RMSE)"
        text += f", predicting the mean by {number(mean['rmse']['value'], digits=digits + 1)}"
        gap = about.get("above", {}).get("mean", {}).get("rmse")
        if gap is not None and gap["low"] is not None:
            text += f"; the difference is {metric_text('rmse', gap, digits)}"
        said.append(f"{text}.")
    chance = about["permutation"]
    if chance["p"] is not None:
        span = f"{number(chance['low'])} to {number(chance['high'])}"
        said.append(f"With shuffled scores it would reach rho {span} in 95 % of cases (p {p_text(chance)}).")
    said.append(ceiling_sentence(summary, name))
    return said if told else [*said, *_mean_below(summary)]


def ceiling_sentence(summary: Mapping[str, Any], model: str | None = None) -> str:
    """Say how well any model could do.

    Parameters
    ----------
    summary : mapping
        As in ``summary.json``.
    model : str, optional
        Whose share of it is said as well; without it, whether the scores may be mostly noise.

    Returns
    -------
    str
        With what it was computed from, or the reason why there is none.
    """
    ceiling = summary["ceiling"]
    top = ceiling["ceiling"]
    if top["value"] is None:
        return f"Ceiling: {DASH} ({clean(top.get('reason') or 'not known')})"
    source = {
        "halves": "from how far two halves of the listeners agree",
        "counts": "from the noise that the numbers of responses leave in the scores",
    }.get(ceiling["source"], clean(ceiling["source"]))
    share = summary["details"][model]["of_ceiling"]["spearman_pooled"] if model is not None else {"value": None}
    reached = "" if (share["value"] or 0.0) <= 0 else f"; {clean(model)} reaches {_per_cent(share)} of it"
    said = interval(top["value"], top["low"], top["high"])
    noise = f" {_NOISE}" if model is None and _noisy(top) else ""
    return f"Ceiling: rho {said}, {source}{reached}.{noise}"


def folds_agreeing(stability: float, n_folds: int) -> str:
    """Say how many of the models of the folds agree on a direction.

    Parameters
    ----------
    stability : float
        Their share.
    n_folds : int
        How many there are.

    Returns
    -------
    str
        As a count.

    Examples
    --------
    >>> folds_agreeing(0.9, 10), folds_agreeing(1.0, 5)
    ('9 of 10 folds', 'all 5 folds')
    """
    agreeing = round(stability * n_folds)
    return f"all {n_folds} folds" if agreeing == n_folds else f"{agreeing} of {n_folds} folds"


def raising_words(feature: Mapping[str, Any]) -> str:
    """Name a feature in the direction that raises the score.

    Parameters
    ----------
    feature : mapping
        ``more``, ``less`` and ``sign``.

    Returns
    -------
    str
        One of its two comparatives; that of a greater value where the direction is not steady.

    Examples
    --------
    >>> raising_words({"more": "rougher", "less": "smoother", "sign": -1})
    'smoother'
    """
    return clean(feature["less"] if feature["sign"] < 0 else feature["more"])


def driver_sentence(explanation: Mapping[str, Any], *, k: int = 3) -> str:
    """Say which features move the predictions most, and which way.

    Parameters
    ----------
    explanation : mapping
        As in ``explanation.json``.
    k : int
        How many features at most; those whose direction the folds do not agree on are not named.

    Returns
    -------
    str
        One sentence.
    """
    words: list[str] = []
    for feature in explanation["features"]:
        if feature["mean_abs"] > 0 and feature["sign"] != 0 and feature["stability"] >= STEADY:
            word = raising_words(feature)
            if word not in words and len(word) <= LONGEST_WORDS:
                words.append(word)
    if not words:
        return "No feature moves the predictions the same way in most folds."
    return f"It predicts a higher score for a clip that is {joined(words[:k])}."
