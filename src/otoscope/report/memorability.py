"""The report of a memorability study: one HTML file that needs nothing else and runs nothing that it did not bring.

Whatever comes from files (names of tracks, notes, reasons) is text to be shown, never markup: the template escapes
everything, and a content security policy lets no script run but the one that this module wrote.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from otoscope.report.embedded_sound import HEARD_S, embed_sounds
from otoscope.report.memorability_figures import (
    Figure,
    Spot,
    groups_figure,
    scatter_figure,
    scores_figure,
    strip_svg,
)
from otoscope.report.memorability_making import command_of, settings_in_words
from otoscope.report.memorability_sentences import (
    NO_SKILL,
    Headline,
    driver_sentence,
    folds_agreeing,
    headline,
    raising_words,
)
from otoscope.report.memorability_words import METRICS, clean, metric_text, p_text, score_digits, shown_name
from otoscope.report.tokens import DARK, DASH, LIGHT, number

if TYPE_CHECKING:
    from otoscope.studies.memorability.answer import Answer

__all__ = ["memorability_html"]

FEATURES = 15
FIRST_FAILURES = 12
WORST = 3
SHORT = METRICS[:6]
_STAGES = {"audio": "cannot be read", "labels": "the table of scores", "features": "cannot be described"}


@dataclass(frozen=True, slots=True)
class _Cell:
    """A number in a table; an en dash has its reason."""

    main: str
    bounds: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Clip:
    """A clip with what was predicted of it."""

    anchor: str
    track: str
    truth: float
    predicted: float
    explained: Mapping[str, Any] | None

    @property
    def error(self) -> float:
        return self.predicted - self.truth


def memorability_html(answer: Answer, *, clips: Path | None = None) -> str:
    """Write the report of an evaluation.

    Parameters
    ----------
    answer : Answer
        As it was read from its folder.
    clips : Path, optional
        The folder of clips: the report can then be listened to. Clips that cannot be read are named in the report.

    Returns
    -------
    str
        An HTML document, under 3 MB for a few hundred clips without sound.

    Raises
    ------
    SpecError
        If `clips` is no folder, or holds no sound.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("otoscope.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters["unbroken"] = _unbroken
    script = _source(environment, "memorability.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("memorability.html.j2").render(
        **_context(answer, clips),
        style=Markup(_palette() + _source(environment, "memorability.css")),
        script=Markup(script),
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; media-src data:",
        markup=Markup,
    )


def _shown(value: object) -> object:
    """Clean all text on its way into the template, which then escapes it; what we wrote as markup is left alone."""
    return value if isinstance(value, Markup) else clean(value)


_BOUNDS = re.compile(r"\(-?[\d.]+(?:-| to -?)[\d.]+\)|\d+ %")


def _unbroken(text: str) -> Markup:
    """Keep intervals and percentages on one line."""
    return Markup(_BOUNDS.sub(r'<span class="nowrap">\g<0></span>', str(escape(clean(text)))))


def _source(environment: Any, name: str) -> str:
    return environment.loader.get_source(environment, name)[0]


def _palette() -> str:
    def theme(colours: Mapping[str, str]) -> str:
        return ":root{" + "".join(f"--{name}:{colour};" for name, colour in colours.items()) + "}"

    return f"{theme(LIGHT)}\n@media screen and (prefers-color-scheme:dark){{{theme(DARK)}}}\n"


def _context(answer: Answer, folder: Path | None) -> dict[str, Any]:
    summary, run, explanation = answer.summary, answer.run, answer.explanation
    digits = score_digits([row["truth"] for row in answer.predictions])
    head = headline(summary, digits=digits)
    lead = head.model or next(iter(summary["models"]))
    clips = _clips(answer, lead)
    sounds: dict[str, str] = {}
    silent: dict[str, str] = {}
    if folder is not None:
        from otoscope.studies.memorability.labels import find_clips

        sounds, silent = embed_sounds(find_clips(folder), [clip.track for clip in clips])
    figures = {"scores": _scores(answer, head), "scatter": _scatter(summary, clips, lead, digits)}
    drivers = None
    if explanation is not None:
        drivers = _drivers(explanation, digits, skilled=head.verdict == "found")
        figures["groups"] = _groups(explanation, digits)
    notes = [note for note in summary["notes"] if not note.startswith("reference protocol: ")]
    return {
        "head": head,
        "lead": shown_name(lead),
        "facts": _facts(summary, run),
        "figures": figures,
        "spread": _spread(clips, digits),
        "worst": _worst(clips, digits),
        "drivers": drivers,
        "clips": [_card(clip, clips, explanation, sounds, silent, digits) for clip in clips],
        "tables": [_table(summary, SHORT, digits), _table(summary, METRICS[6:], digits)],
        "metrics": METRICS,
        "has_reference": any(each["kind"] == "reference" for each in summary["details"].values()),
        "deviations": [
            note.partition(": ")[2] for note in summary["notes"] if note.startswith("reference protocol: ")
        ],
        "failures": [
            {"clip": each.clip_id, "stage": _STAGES.get(each.stage, each.stage), "reason": each.reason}
            for each in answer.failures
        ],
        "first_failures": FIRST_FAILURES,
        "silent": silent,
        "sound": bool(sounds),
        "heard_s": f"{HEARD_S:g}",
        "notes": notes,
        "settings": settings_in_words(run["settings"]),
        "groups": _feature_groups(run),
        "versions": run.get("versions", {}),
        "command": escape(command_of(run)),
        "dash": DASH,
    }


def _clips(answer: Answer, lead: str) -> list[_Clip]:
    """Give every clip that the model was tested on, best remembered first."""
    said: dict[str, list[float]] = defaultdict(list)
    truth: dict[str, float] = {}
    for row in answer.predictions:
        if row["model"] == lead:
            said[row["track"]].append(row["predicted"])
            truth[row["track"]] = row["truth"]
    explained = {each["track"]: each for each in (answer.explanation or {"clips": ()})["clips"]}
    order = sorted(said, key=lambda track: (-truth[track], track))
    return [
        _Clip(f"clip-{i}", track, truth[track], fmean(said[track]), explained.get(track))
        for i, track in enumerate(order, 1)
    ]


def _facts(summary: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    settings = run["settings"]
    parts = [f"{summary['n_tracks']} clips"]
    if summary["n_groups"] != summary["n_tracks"]:
        parts.append(f"{summary['n_groups']} groups that are never divided")
    repeats = f"{settings['repeats']} repeat{'' if settings['repeats'] == 1 else 's'}"
    parts += [f"{summary['n_features']} features", f"{settings['folds']} folds, {repeats}"]
    if summary["n_excluded"]:
        parts.append(f"{summary['n_excluded']} left out")
    return " \N{MIDDLE DOT} ".join(parts)


def _scores(answer: Answer, head: Headline) -> Figure:
    summary = answer.summary
    kinds = Counter(each["kind"] for each in summary["details"].values())
    marks = [
        text for kind, text in (("model", "discs: models"), ("control", "squares, dashed: controls")) if kinds[kind]
    ]
    if kinds["reference"]:
        marks.append("open diamonds: the reference's protocol")
    return scores_figure(
        summary,
        title=head.finding,
        subtitle=(
            f"Rank correlation over {summary['n_tracks']} clips that the models never heard, pooled over folds. "
            f"{'; '.join(marks).capitalize()}; lines: 95 % intervals; shaded: where shuffled scores fall."
        ),
    )


def _scatter(summary: Mapping[str, Any], clips: Sequence[_Clip], lead: str, digits: int) -> Figure:
    own = summary["models"][lead]["half_width"]["value"]
    mean = summary["models"].get("mean", {}).get("half_width", {}).get("value")
    title = "Predicted against true scores"
    if own is not None:
        title = f"Nine in ten clips are predicted to within {number(own, digits=digits)}"
        if mean is not None and lead != "mean":
            title += f"; predicting the mean, to within {number(mean, digits=digits)}"
    spots = [Spot(clip.track, clip.anchor, clip.truth, clip.predicted) for clip in clips]
    return scatter_figure(
        spots,
        mean=fmean(clip.truth for clip in clips),
        digits=digits,
        title=title,
        subtitle=(
            f"Each point is a clip: what {shown_name(lead)} predicted without having heard it (mean over repeats), "
            f"against the score of the listeners; n = {len(clips)}. A point leads to its clip."
        ),
    )


def _spread(clips: Sequence[_Clip], digits: int) -> str:
    a, b = pstdev(clip.predicted for clip in clips), pstdev(clip.truth for clip in clips)
    if a >= b:
        return ""
    return (
        f"Predictions spread less than the scores (standard deviation {number(a, digits=digits)} against "
        f"{number(b, digits=digits)}): what a model cannot tell apart it puts near the middle."
    )


def _worst(clips: Sequence[_Clip], digits: int) -> list[dict[str, str]]:
    """Give the clips that were missed most, where there are enough to choose from."""
    if len(clips) <= WORST:
        return []
    return [
        {
            "anchor": clip.anchor,
            "track": clip.track,
            "truth": number(clip.truth, digits=digits),
            "predicted": number(clip.predicted, digits=digits),
        }
        for clip in sorted(clips, key=lambda clip: -abs(clip.error))[:WORST]
    ]


def _groups(explanation: Mapping[str, Any], digits: int) -> Figure:
    groups = explanation["groups"]
    first = clean(groups[0]["title"]) if groups and groups[0]["mean_abs"] > 0 else ""
    return groups_figure(
        groups,
        digits=digits + 1,
        title=f"{first} moves the predictions most" if first else "Nothing moves the predictions",
        subtitle=(
            "How far each group of features moves a clip's prediction up or down, on average over "
            f"{len(explanation['clips'])} clips, in the score's unit."
        ),
    )


def _drivers(explanation: Mapping[str, Any], digits: int, *, skilled: bool) -> dict[str, Any]:
    strong = [each for each in explanation["features"] if each["mean_abs"] > 0][:FEATURES]
    most = strong[0]["mean_abs"] if strong else 1.0
    titles = {each["group"]: each["title"] for each in explanation["groups"]}
    n_folds = explanation["n_folds"]
    return {
        "model": explanation["model"],
        "sentence": driver_sentence(explanation) if skilled else NO_SKILL,
        "skilled": skilled,
        "exact": explanation["method"] == "additive",
        "n_folds": n_folds,
        "n_features": len(explanation["features"]),
        "rows": [
            {
                "id": each["id"],
                "group": titles.get(each["group"], each["group"]),
                "words": raising_words(each),
                "sign": each["sign"],
                "plain": each["plain"],
                "unit": "" if each["unit"] == "1" else each["unit"],
                "strength": number(each["mean_abs"], digits=digits + 2),
                "share": f"{100 * each['mean_abs'] / most:.1f}",
                "agree": folds_agreeing(each["stability"], n_folds),
            }
            for each in strong
        ],
    }


def _card(
    clip: _Clip,
    clips: Sequence[_Clip],
    explanation: Mapping[str, Any] | None,
    sounds: Mapping[str, str],
    silent: Mapping[str, str],
    digits: int,
) -> dict[str, Any]:
    ends = [value for each in clips for value in (each.truth, each.predicted)]
    card: dict[str, Any] = {
        "anchor": clip.anchor,
        "track": clip.track,
        "numbers": {
            "truth": f"{clip.truth:.6g}",
            "predicted": f"{clip.predicted:.6g}",
            "off": f"{abs(clip.error):.6g}",
        },
        "truth": number(clip.truth, digits=digits),
        "predicted": number(clip.predicted, digits=digits),
        "error": _signed(clip.error, digits),
        "strip": strip_svg(clip.truth, clip.predicted, min(ends), max(ends)),
        "sound": sounds.get(clip.track),
        "mute": silent.get(clip.track),
        "reasons": [],
        "groups": [],
        "about": None,
    }
    if clip.explained is None or explanation is None:
        return card
    titles = {each["group"]: each["title"] for each in explanation["groups"]}
    card["about"] = {
        "predicted": number(clip.explained["predicted"], digits=digits),
        "base": number(clip.explained["base"], digits=digits),
    }
    for reason in clip.explained["reasons"]:
        words, _, move = reason["text"].rpartition(": ")
        card["reasons"].append(
            {"words": words or reason["text"], "move": move if words else "", "id": reason["feature"]}
        )
    moves = sorted(clip.explained["groups"].items(), key=lambda pair: -abs(pair[1]))
    card["groups"] = [(titles.get(name, name), _signed(value, digits)) for name, value in moves]
    return card


def _feature_groups(run: Mapping[str, Any]) -> list[tuple[str, int]]:
    counts = Counter(each.partition(".")[0] for each in run.get("features", ()))
    return [(each["title"], counts[each["name"]]) for each in run.get("groups", ())]


def _signed(value: float, digits: int) -> str:
    text = number(value, digits=digits)
    return f"+{text}" if value > 0 and float(text) else text


def _table(summary: Mapping[str, Any], metrics: Sequence[Any], digits: int) -> dict[str, Any]:
    order = ("model", "control", "reference")
    rows: list[dict[str, Any]] = []
    reasons: list[str] = []
    for name in sorted(summary["models"], key=lambda each: order.index(summary["details"][each]["kind"])):
        about = summary["details"][name]
        cells = [_cell(metric.name, summary["models"][name][metric.name], digits) for metric in metrics]
        p = about["permutation"]
        cells += [_Cell(p_text(p), reason=clean(p.get("reason", "")))]
        reasons += [cell.reason for cell in cells if cell.reason]
        rows.append({"name": shown_name(name), "kind": about["kind"], "n": about["n_tested"], "cells": cells})
    return {"heads": [metric.title for metric in metrics], "rows": rows, "reasons": list(dict.fromkeys(reasons))}


def _cell(name: str, entry: Mapping[str, Any], digits: int) -> _Cell:
    main, _, bounds = metric_text(name, entry, digits).partition(" ")
    missing = entry["value"] is None or entry["low"] is None
    return _Cell(main, bounds, clean(entry.get("reason") or "no reason is known") if missing else "")
