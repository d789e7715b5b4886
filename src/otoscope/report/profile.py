"""The layer profile of a pitch run: what a person reads first, as words, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from otoscope.report.tokens import interval, number
from otoscope.studies.pitch.answer import HEADLINE, MEAN, is_language
from otoscope.studies.pitch.score import MATRIX_TARGET as TARGET
from otoscope.studies.pitch.targets import AGREED, DISPUTED

__all__ = ["ROLE_TITLES", "Point", "Profile", "best_point", "ceiling_sentence", "layer_profile", "stands_out"]

Row = dict[str, Any]
ROLE_TITLES = {
    "own": "Probe trained on the same language",
    "lolo": "Probe trained on other languages only",
    "region": "Probe trained on other languages of the region",
    "tone": "Probe trained on other languages of the tone type",
    "pool": "Probe trained on all languages",
}


@dataclass(frozen=True, slots=True)
class Point:
    """One layer of one model under one role.

    Parameters
    ----------
    model, kind : str
        Name of the model and what it stands for.
    layer : int
        Index.
    layer_name : str
        What the layer is.
    scores : dict of str to dict
        The table's row of each headline metric.
    untrained : dict of str to float or None
        The value of the untrained copy's same layer, for each headline metric.
    """

    model: str
    kind: str
    layer: int
    layer_name: str
    scores: dict[str, Row]
    untrained: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Profile:
    """All layers under one role.

    Parameters
    ----------
    role : str
        Whose training data.
    points : tuple of Point
        Models in the order of the run, layers rising.
    headline : str
        What was found, in one short sentence.
    answer : str
        The same with its uncertainty.
    why_empty : str or None
        Why there is nothing, where there is nothing.
    languages : tuple of str
        Those that the scores are the mean of.
    n_tested : int
        How many were to be tested; some may have no probe or no frames.
    ceiling : mapping of str to dict
        For each headline metric the row of the tracker that predicts the labels best, on the same kind of frames;
        empty where no other tracker was asked.
    """

    role: str
    points: tuple[Point, ...]
    headline: str
    answer: str
    why_empty: str | None
    languages: tuple[str, ...]
    n_tested: int
    ceiling: Mapping[str, Row] = field(default_factory=dict[str, Row])

    @property
    def title(self) -> str:
        """Whose training data, and which part of the languages, where that is not all of them."""
        title, n = ROLE_TITLES[self.role], len(self.languages)
        return title if n in (0, self.n_tested) else f"{title}, {n} of {self.n_tested} languages"


def layer_profile(
    rows: Sequence[Row], contrasts: Sequence[Row], kinds: dict[str, str], twins: dict[str, str | None], role: str
) -> Profile:
    """Gather the layer profile of one role from a run's table.

    Parameters
    ----------
    rows : sequence of dict
        The table.
    contrasts : sequence of dict
        Differences from the baseline and the untrained copy.
    kinds : dict of str to str
        What each model stands for.
    twins : dict of str to str or None
        For each untrained copy, the model that it copies.
    role : str
        Whose training data.

    Returns
    -------
    Profile
        Of log2 F0 on voiced frames, mean over the tested languages.
    """
    ceiling = _ceiling(rows, AGREED)
    rows = [r for r in rows if r["mask"] != DISPUTED and r["layer"] is not None]
    mine = [r for r in rows if (r["train"], r["test"], r["target"]) == (role, MEAN, TARGET)]
    value = {(r["model"], r["layer"], r["metric"]): r["value"] for r in mine}
    copy_of = {model: name for name, model in twins.items() if model}
    points: list[Point] = []
    for row in mine:
        if row["metric"] != "r2" or row["value"] is None:
            continue
        model, layer = row["model"], row["layer"]
        scores = {r["metric"]: r for r in mine if (r["model"], r["layer"]) == (model, layer)}
        copy = copy_of.get(model)
        untrained = {metric: value.get((copy, layer, metric)) if copy else None for metric in scores}
        points.append(Point(model, kinds[model], layer, row["layer_name"], scores, untrained))
    why = None if points else next((r["reason"] for r in mine if r["reason"]), "there are no rows")
    tested = dict.fromkeys(r["test"] for r in rows if is_language(r["test"]))
    there = {r["test"] for r in rows if (r["train"], r["target"]) == (role, TARGET) and r["n_frames"]}
    scored = tuple(code for code in tested if code in there)
    headline, answer = _headline(points), _answer(points, contrasts, role)
    return Profile(role, tuple(points), headline, answer, why, scored, len(tested), ceiling)


def _ceiling(rows: Sequence[Row], mask: str) -> dict[str, Row]:
    """Give for each headline metric the row of the tracker that predicts the labels best, mean over languages."""
    found: dict[str, Row] = {}
    for row in rows:
        if row["layer"] is not None or (row["test"], row["target"], row["mask"]) != (MEAN, TARGET, mask):
            continue
        metric, value = row["metric"], row["value"]
        if metric in HEADLINE and value is not None and (metric not in found or value > found[metric]["value"]):
            found[metric] = row
    return found


def ceiling_sentence(rows: Sequence[Row]) -> str:
    """Say how well other trackers predict the labels, and what that means for probes.

    Parameters
    ----------
    rows : sequence of dict
        The table.

    Returns
    -------
    str
        Empty where no other tracker was asked, or none heard a voice where the labels have one.
    """
    agreed, voiced = _ceiling(rows, AGREED), _ceiling(rows, "voiced")
    if "r2" not in agreed or "r2" not in voiced:
        return ""

    def scores(found: Mapping[str, Row]) -> str:
        shown = (("R2", found.get("r2")), ("r", found.get("within_r")))
        return ", ".join(f"{name} {number(row['value'], digits=3)}" for name, row in shown if row)

    best = agreed["r2"]["model"]
    differ = [
        row["value"]
        for row in rows
        if (row["model"], row["test"], row["target"], row["metric"]) == (best, MEAN, "voicing", "mse")
    ]
    said = (
        f"Noise ceiling: another tracker ({best.removeprefix('tracker:')}) predicts these labels with "
        f"{scores(agreed)} on such frames, and with {scores(voiced)} wherever both hear a voice; no probe can be "
        "expected to do much better"
    )
    if differ and differ[0] is not None:
        said += f". The two differ on the voicing of {100 * differ[0]:.1f} % of all frames"
    return f"{said}."


def best_point(points: Sequence[Point]) -> Point | None:
    """Find the layer that holds most pitch.

    Parameters
    ----------
    points : sequence of Point
        Of one role.

    Returns
    -------
    Point or None
        Of a model, not a baseline or an untrained copy, with the highest r within utterances.
    """
    models = [p for p in points if p.kind == "model" and p.scores["within_r"]["value"] is not None]
    return max(models, key=lambda p: p.scores["within_r"]["value"], default=None)


def stands_out(point: Point) -> bool:
    """Say whether a layer holds pitch that can be told from chance.

    Parameters
    ----------
    point : Point
        The layer.

    Returns
    -------
    bool
        Whether the interval of r within utterances lies above 0 and the control. True where there is no interval.
    """
    row = point.scores["within_r"]
    return row["low"] is None or row["low"] > max(0.0, row["control"] or 0.0)


def _headline(points: Sequence[Point]) -> str:
    best = best_point(points)
    if best is None:
        return ""
    row = best.scores["within_r"]
    if row["low"] is None:
        return f"Too few groups to say which layer holds most pitch: {row['reason']}"
    if not stands_out(best):
        return f"No layer holds pitch that can be told from chance: the highest r is {number(row['value'])}"
    others = [(row["baseline"], "the best baseline"), (best.untrained["within_r"], "its untrained copy")]
    reached = [f"{name} reaches {number(value)}" for value, name in others if value is not None]
    found = f"{best.model} layer {best.layer} holds most pitch: r {number(row['value'])} within utterances"
    return f"{found}; {', '.join(reached)}" if reached else found


def _compared(contrasts: Sequence[Row], best: Point, role: str, metric: str) -> str:
    parts: list[str] = []
    wanted = (best.model, best.layer, role, metric)
    for c in contrasts:
        if (c["model"], c["layer"], c["train"], c["metric"]) != wanted or c["value"] is None:
            continue
        name = f"the best baseline ({c['other']})" if c["against"] == "baseline" else "its untrained copy"
        if c["low"] is None or c["high"] is None:
            continue  # a difference without an interval says nothing
        if c["low"] > 0:
            parts.append(f"{interval(c['value'], c['low'], c['high'])} above {name}")
        elif c["high"] < 0:
            parts.append(f"{interval(-c['value'], -c['high'], -c['low'])} below {name}")
        else:
            parts.append(f"not told apart from {name} ({interval(c['value'], c['low'], c['high'])})")
    return " and ".join(parts)


def _answer(points: Sequence[Point], contrasts: Sequence[Row], role: str) -> str:
    best = best_point(points)
    if best is None:
        return ""
    row = best.scores["within_r"]
    if row["low"] is None:
        return (
            f"There is no interval ({row['reason']}), so no layer can be said to hold most pitch; "
            f"the highest r is that of {best.model} layer {best.layer} ({best.layer_name}), {number(row['value'])}."
        )
    if not stands_out(best):
        reached = interval(row["value"], row["low"], row["high"])
        reached += "" if row["control"] is None else f"; the control reaches {number(row['control'])}"
        return (
            f"No layer holds pitch that can be told from chance: the highest r within utterances is that of "
            f"{best.model} layer {best.layer} ({best.layer_name}), {reached}."
        )
    where = {"own": " in its own language", "lolo": " in languages that the probe never saw"}.get(role, "")
    n_layers = len({p.layer for p in points if p.model == best.model})
    which = f"Of the {n_layers} layers of {best.model}, layer" if n_layers > 1 else f"{best.model} layer"
    said = (
        f"{which} {best.layer} ({best.layer_name}) holds most pitch{where}: "
        f"r {interval(row['value'], row['low'], row['high'])} within utterances, "
        f"R2 {interval(*(best.scores['r2'][k] for k in ('value', 'low', 'high')))}."
    )
    tied = [
        str(p.layer)
        for p in points
        if p.model == best.model and p is not best and (p.scores["within_r"]["value"] or -1.0) >= row["low"]
    ]
    if tied:
        said += (
            f" Layer{'s' * (len(tied) > 1)} {', '.join(tied)} of it lie{'s' * (len(tied) == 1)} inside that interval."
        )
    compared = "".join(
        f" In {name} it lies {parts}."
        for metric, name in (("within_r", "r"), ("r2", "R2"))
        if (parts := _compared(contrasts, best, role, metric))
    )
    return said + compared
