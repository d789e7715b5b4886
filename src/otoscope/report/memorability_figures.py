"""The pictures of a memorability study: SVG in two widths, with the classes of the report's style sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from otoscope.report.memorability_words import clean, p_text, shown_name
from otoscope.report.svg import LETTER, line, picture, ticks, words
from otoscope.report.tokens import DASH, interval, number

__all__ = ["Figure", "Spot", "groups_figure", "scatter_figure", "scores_figure", "strip_svg"]

WIDE, NARROW = 880, 360
SQUARE = 560
MANY_SPOTS = 100
Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture and the numbers behind it.

    Parameters
    ----------
    title : str
        The finding.
    subtitle : str
        What is shown, on what, n.
    wide, narrow : str
        The picture as SVG, for desks and for phones.
    header : tuple of str
        Of the table.
    rows : tuple of tuple of str
        Of the table.
    """

    title: str
    subtitle: str
    wide: str
    narrow: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Spot:
    """A clip in the scatter.

    Parameters
    ----------
    track : str
        Its name.
    anchor : str
        Id of its card.
    truth, predicted : float
        In the score's unit.
    """

    track: str
    anchor: str
    truth: float
    predicted: float


def _mark(kind: str, x: float, y: float) -> str:
    """Draw a value: models are discs, controls squares, the reference's models open diamonds."""
    if kind == "model":
        return f'<circle class="model-fill" cx="{x:.1f}" cy="{y:.1f}" r="6"/>'
    if kind == "control":
        return f'<rect class="control-fill" x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10"/>'
    points = f"{x:.1f},{y - 7:.1f} {x + 7:.1f},{y:.1f} {x:.1f},{y + 7:.1f} {x - 7:.1f},{y:.1f}"
    return f'<polygon class="reference-mark" points="{points}"/>'


def scores_figure(summary: Mapping[str, Any], *, title: str, subtitle: str) -> Figure:
    """Draw the rank correlation of every model with its interval, beside chance, controls and the ceiling.

    Parameters
    ----------
    summary : mapping
        As in ``summary.json``.
    title, subtitle : str
        Above it.

    Returns
    -------
    Figure
        The reference's models stand apart.
    """
    details = summary["details"]
    names = sorted(summary["models"], key=lambda name: ("model", "control", "reference").index(details[name]["kind"]))
    rows = [(name, details[name], summary["models"][name]["spearman_pooled"]) for name in names]
    top = summary["ceiling"]
    return Figure(
        title,
        subtitle,
        _scores(rows, top, title, wide=True),
        _scores(rows, top, title, wide=False),
        ("model", "what it is", "rho (95 %)", "shuffled scores (95 %)", "p", "clips"),
        tuple(
            (
                shown_name(name),
                about["kind"],
                interval(rho["value"], rho["low"], rho["high"], digits=3),
                _chance(about["permutation"]),
                p_text(about["permutation"]),
                str(about["n_tested"]),
            )
            for name, about, rho in rows
        ),
    )


def _chance(chance: Entry) -> str:
    return DASH if chance["low"] is None else f"{number(chance['low'])} to {number(chance['high'])}"


def _scores(rows: Sequence[tuple[str, Entry, Entry]], ceiling: Entry, title: str, *, wide: bool) -> str:
    width, left, right = (WIDE, 180, 190) if wide else (NARROW, 10, 10)
    head, step = (40.0, 36.0) if wide else (40.0, 52.0)
    ends = [
        end
        for _, about, rho in rows
        for end in (rho["value"], rho["low"], about["permutation"]["low"])
        if end is not None
    ]
    low = max(-1.0, min(-0.25, math.floor(min(ends, default=0.0) * 4) / 4))

    def x_at(value: float) -> float:
        return left + (width - left - right) * (min(max(value, low), 1.0) - low) / (1.0 - low)

    y = head
    body: list[str] = []
    before = None
    for name, about, rho in rows:
        if about["kind"] == "reference" and before != "reference":
            y += 40
            body.append(line(0, y - 26, width, y - 26, "grid"))
            text = "The reference's protocol: tested otherwise, so not to be compared with the rows above"
            for i, row in enumerate(
                [text] if wide else ["The reference's protocol: tested otherwise,", "so not to be compared"]
            ):
                body.append(words(0 if wide else left, y - 6 + 18 * i, row))
            y += 6 if wide else 24
        before = about["kind"]
        middle = y + step / 2 if wide else y + step - 16
        body.append(_row(name, about, rho, x_at, (y, middle, step), (width, left, right), wide=wide))
        y += step
    bottom = y + 4
    scale: list[str] = []
    for tick in ticks(low, 1.0, n=5):
        scale.append(line(x_at(tick), head - 4, x_at(tick), bottom, "zero" if tick == 0 else "grid"))
        scale.append(words(x_at(tick), bottom + 18, f"{tick:g}", anchor="middle"))
    scale.append(words(x_at(0) - 6, head - 12, "no order", anchor="end"))
    if ceiling["ceiling"]["value"] is not None:
        at = x_at(ceiling["ceiling"]["value"])
        scale.append(_ceiling(ceiling, at, (x_at(0), width), (head, bottom)))
    axis = "rank correlation with the listeners' scores (rho)" if wide else "rank correlation with the scores (rho)"
    scale.append(words((left + width - right) / 2, bottom + 40, axis, anchor="middle"))
    return picture(width, bottom + 50, title, "".join(scale) + "".join(body))


def _ceiling(ceiling: Entry, at: float, room: tuple[float, float], heights: tuple[float, float]) -> str:
    """Draw the ceiling, named with its interval where there is room; the hover always has it."""
    (least, greatest), (head, bottom) = room, heights
    top = ceiling["ceiling"]
    name = "listeners' ceiling" if ceiling["source"] == "halves" else "ceiling"
    short = f"{name} {number(top['value'])}"
    full = f"{name} {interval(top['value'], top['low'], top['high'])}"
    places = [
        (label, inside)
        for label in (full, short)
        for inside in (True, False)
        if LETTER * len(label) + 12 < (at - least if inside else greatest - at)
    ]
    label, inside = places[0] if places else (short, False)
    source = {"halves": " (how far two halves of the listeners agree)", "counts": " (chance in the answers per clip)"}
    hover = f"{full}{source.get(ceiling['source'], '')}"
    return (
        f'<g data-tip="{escape(hover, quote=True)}"><title>{escape(hover)}</title>'
        + line(at, head - 26, at, bottom, "ceiling")
        + words(at + (-6 if inside else 6), head - 16, label, anchor="end" if inside else "start")
        + "</g>"
    )


def _row(
    name: str,
    about: Entry,
    rho: Entry,
    x_at: Callable[[float], float],
    heights: tuple[float, float, float],
    widths: tuple[float, float, float],
    *,
    wide: bool,
) -> str:
    (y, middle, step), (width, left, right) = heights, widths
    kind, chance = about["kind"], about["permutation"]
    shown = shown_name(name)
    value = interval(rho["value"], rho["low"], rho["high"])
    hover = f"{shown}: rho {interval(rho['value'], rho['low'], rho['high'], digits=3)}"
    if rho["value"] is None:
        hover += f" ({clean(rho.get('reason', 'no value'))})"
    if chance["low"] is not None:
        hover += f"; shuffled scores {_chance(chance)}, p {p_text(chance)}"
    hover += f"; {about['n_tested']} clips"
    parts = [f'<g class="row" data-tip="{escape(hover, quote=True)}"><title>{escape(hover)}</title>']
    parts.append(f'<rect class="hit" x="0" y="{y:.1f}" width="{width:.0f}" height="{step:.1f}"/>')
    if chance["low"] is not None:
        a, b = x_at(chance["low"]), x_at(chance["high"])
        tall = step if wide else 28
        top = y if wide else middle - 14
        parts.append(f'<rect class="chance" x="{a:.1f}" y="{top:.1f}" width="{b - a:.1f}" height="{tall:.1f}"/>')
    if rho["low"] is not None:
        parts.append(line(x_at(rho["low"]), middle, x_at(rho["high"]), middle, f"whisker {kind}"))
    if rho["value"] is not None:
        parts.append(_mark(kind, x_at(rho["value"]), middle))
    ink = "strong" if kind == "model" else "quiet"
    if wide:
        parts.append(words(left - 16, middle + 4.5, shown, ink, "end", left - 16))
        parts.append(words(width - right + 16, middle + 4.5, value, ink))
    else:
        long = LETTER * len(value)
        room = width - left - right - long - 8
        place = f'x="{width - right - long:.1f}" y="{y + 2:.1f}" width="{long:.1f}" height="19"'
        parts.append(f'<rect class="back" {place}/>')  # the line of the ceiling would cross the numbers
        parts.append(words(left, y + 16, shown, f"{ink} halo", room=room))
        parts.append(words(width - right, y + 16, value, f"{ink} halo", "end"))
    return "".join(parts) + "</g>"


def scatter_figure(spots: Sequence[Spot], *, mean: float, digits: int, title: str, subtitle: str) -> Figure:
    """Draw what was predicted of every clip against what listeners said.

    Parameters
    ----------
    spots : sequence of Spot
        The clips.
    mean : float
        What the mean predictor says of them, on average.
    digits : int
        Of scores, after the point.
    title, subtitle : str
        Above it.

    Returns
    -------
    Figure
        Both axes have the same scale; every point leads to the card of its clip.
    """
    return Figure(
        title,
        subtitle,
        _scatter(spots, mean, digits, title, wide=True),
        _scatter(spots, mean, digits, title, wide=False),
        ("clip", "true", "predicted", "off by"),
        tuple(
            (
                clean(spot.track),
                number(spot.truth, digits=digits),
                number(spot.predicted, digits=digits),
                number(spot.predicted - spot.truth, digits=digits),
            )
            for spot in spots
        ),
    )


def _scatter(spots: Sequence[Spot], mean: float, digits: int, title: str, *, wide: bool) -> str:
    width = SQUARE if wide else NARROW
    left, right, head, foot = (60, 16, 28, 48) if wide else (44, 8, 28, 48)
    side = width - left - right
    values = [value for spot in spots for value in (spot.truth, spot.predicted)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    pad = 0.05 * (high - low) or 0.5
    low, high = low - pad, high + pad

    def x_at(value: float) -> float:
        return left + side * (value - low) / (high - low)

    def y_at(value: float) -> float:
        return head + side * (high - value) / (high - low)

    body: list[str] = []
    for tick in ticks(low, high):
        body.append(line(x_at(tick), head, x_at(tick), head + side, "grid"))
        body.append(line(left, y_at(tick), left + side, y_at(tick), "grid"))
        body.append(words(x_at(tick), head + side + 18, f"{tick:g}", anchor="middle"))
        body.append(words(left - 8, y_at(tick) + 4.5, f"{tick:g}", anchor="end"))
    body.append(line(x_at(low), y_at(low), x_at(high), y_at(high), "zero"))
    body.append(line(left, y_at(mean), left + side, y_at(mean), "whisker control thin"))
    body.append(words(left + side / 2, head + side + 40, "score of the listeners", anchor="middle"))
    body.append(words(0, 14, "predicted score"))
    size = 4.5 if len(spots) <= MANY_SPOTS else 3.5
    for spot in spots:
        hover = (
            f"{clean(spot.track)}: listeners {number(spot.truth, digits=digits)}, "
            f"predicted {number(spot.predicted, digits=digits)}"
        )
        body.append(
            f'<a class="spot" href="#{escape(spot.anchor, quote=True)}" tabindex="-1" '
            f'data-tip="{escape(hover, quote=True)}"><title>{escape(hover)}</title>'
            f'<circle class="model-fill" cx="{x_at(spot.truth):.1f}" cy="{y_at(spot.predicted):.1f}" r="{size:g}"/>'
            "</a>"
        )
    body.append(words(left + side - 6, head + 16, "predicted = true", "quiet halo", "end"))
    body.append(words(left + 6, y_at(mean) - 6, "mean predictor", "quiet halo"))
    return picture(width, head + side + foot, title, "".join(body))


def groups_figure(groups: Sequence[Entry], *, digits: int, title: str, subtitle: str) -> Figure:
    """Draw how much each group of features moves the predictions.

    Parameters
    ----------
    groups : sequence of mapping
        As in ``explanation.json``, strongest first.
    digits : int
        Of contributions, after the point.
    title, subtitle : str
        Above it.

    Returns
    -------
    Figure
        Bars from 0.
    """
    return Figure(
        title,
        subtitle,
        _groups(groups, digits, title, wide=True),
        _groups(groups, digits, title, wide=False),
        ("group", "id", "features", "moves a prediction by"),
        tuple(
            (
                clean(each["title"]),
                clean(each["group"]),
                str(each["n_features"]),
                number(each["mean_abs"], digits=digits),
            )
            for each in groups
        ),
    )


def _groups(groups: Sequence[Entry], digits: int, title: str, *, wide: bool) -> str:
    width, left, right = (WIDE, 220, 80) if wide else (NARROW, 10, 64)
    step = 32.0 if wide else 46.0
    most = max((each["mean_abs"] for each in groups), default=0.0) or 1.0
    body: list[str] = []
    for i, each in enumerate(groups):
        y = 4 + i * step
        middle = y + step / 2 if wide else y + step - 14
        long = (width - left - right) * each["mean_abs"] / most
        name = clean(each["title"])
        hover = f"{name}: {number(each['mean_abs'], digits=digits)} on average, {each['n_features']} features"
        body.append(f'<g class="row" data-tip="{escape(hover, quote=True)}"><title>{escape(hover)}</title>')
        body.append(f'<rect class="hit" x="0" y="{y:.1f}" width="{width}" height="{step:.1f}"/>')
        body.append(f'<rect class="model-fill" x="{left}" y="{middle - 7:.1f}" width="{long:.1f}" height="14"/>')
        if wide:
            body.append(words(left - 16, middle + 4.5, name, "strong", "end", left - 16))
        else:
            body.append(words(left + 6, y + 16, name, "strong", room=width - 20))
        body.append(words(left + long + 8, middle + 4.5, number(each["mean_abs"], digits=digits)))
        body.append("</g>")
    bottom = 4 + len(groups) * step
    return picture(width, bottom + 4, title, line(left, 0, left, bottom + 4, "zero") + "".join(body))


def strip_svg(truth: float, predicted: float, low: float, high: float) -> str:
    """Draw one clip's score and prediction on a line: a diamond and a disc.

    Parameters
    ----------
    truth, predicted : float
        In the score's unit.
    low, high : float
        Ends of the line.

    Returns
    -------
    str
        An SVG for sighted readers only; the numbers stand beside it.
    """
    wide = (high - low) or 1.0
    x, t = (8 + 144 * (value - low) / wide for value in (predicted, truth))
    diamond = f"{t:.1f},2 {t + 6:.1f},8 {t:.1f},14 {t - 6:.1f},8"
    return (
        '<svg class="strip" viewBox="0 0 160 16" aria-hidden="true">'
        f"{line(2, 8, 158, 8, 'grid')}{line(t, 8, x, 8, 'gap')}"
        f'<polygon class="truth-fill" points="{diamond}"/>'
        f'<circle class="model-fill" cx="{x:.1f}" cy="8" r="5"/></svg>'
    )
