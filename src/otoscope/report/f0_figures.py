"""The disagreement of trackers as figures: by language, and as a matrix of pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.f0.disagreement import Disagreement
from otoscope.report.drawing import SERIES, Theme, colours, head_figure, head_height, ramp, style_axes, styled
from otoscope.report.f0_words import finding, in_order, language_name
from otoscope.report.tokens import DASH, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_disagreement", "draw_pairs"]

PANELS = (
    ("voicing", "voicing differs", "% of frames"),
    ("gross", "F0 more than 20 % apart", "% of frames voiced in both"),
    ("median", "F0 within 20 %, apart by", "median, cents"),
)
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "*")
_LINE_IN, _PAIR_IN = 0.30, 0.16
_LETTER_IN, _FOOT_IN = 0.08, 0.62
_IN_A_LINE = 3  # pairs in the key
_MOST_LETTERS = 20  # of a tracker beside an axis
Floats = NDArray[np.float64]
_Pair = tuple[str | None, str | None]


def _pairs(rows: Sequence[Disagreement], path: Path) -> list[_Pair]:
    found = list(dict.fromkeys((row.first, row.second) for row in rows if row.metric == "voicing"))
    if not found:
        raise SpecError(f"{path}: there are no pairs of trackers to draw")
    return found


def _about(rows: Sequence[Disagreement]) -> str:
    top = next(row for row in rows if row.metric == "voicing")
    clips = f"{top.n_clips} clip{'s' * (top.n_clips != 1)}, {top.n_frames:,} frames that every tracker covers"
    drawn = [row for row in rows if row.metric in {metric for metric, *_ in PANELS} and row.value is not None]
    why = next((row.reason for row in drawn if row.reason), "nothing was found")
    ends = "lines are 95 % intervals" if any(row.low is not None for row in drawn) else f"no intervals: {why}"
    return f"{clips}; {ends}"


def draw_disagreement(rows: Sequence[Disagreement], path: Path | str, *, theme: Theme = "light") -> Path:
    """Draw how much pairs of trackers differ in voicing, grossly and finely, by language.

    Parameters
    ----------
    rows : sequence of Disagreement
        From :func:`otoscope.f0.disagreement.disagreements`.
    path : Path or str
        Where; ``.svg`` or ``.png``.
    theme : {"light", "dark"}
        Of the colours.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SpecError
        If the suffix is neither, or there are no pairs.
    """
    target = Path(path)
    pairs = _pairs(rows, target)
    codes = in_order(row.language for row in rows)
    found = {(row.language, row.first, row.second, row.metric): row for row in rows}
    if len(codes) == 1:
        labels = [_pair_name(pair) for pair in pairs]
        places = {(codes[0], pair): float(i) for i, pair in enumerate(pairs)}
        line = _LINE_IN
    else:
        labels = [language_name(code) for code in codes]
        step = 1 / (len(pairs) + 1.5)
        offsets = (np.arange(len(pairs)) - (len(pairs) - 1) / 2) * step
        places = {(code, pair): i + offsets[j] for i, code in enumerate(codes) for j, pair in enumerate(pairs)}
        line = max(_LINE_IN, _PAIR_IN * (len(pairs) + 1))
    left = 0.35 + _LETTER_IN * max(map(len, labels))
    width, body = max(9.6, left + 7.4), line * len(labels) + 0.1
    heads = finding(rows), f"Pairs of trackers on {_about(rows)}"
    key = 0.0 if len(codes) == 1 else 0.24 * -(-len(pairs) // _IN_A_LINE) + 0.06
    down = head_height(*heads, width_in=width) + key + 0.38
    height = down + body + _FOOT_IN
    with styled(target, theme=theme, size_in=(width, height)) as figure:
        head_figure(figure, *heads, theme=theme)
        each = (width - left - 0.3) / len(PANELS)
        for place, (metric, name, unit) in enumerate(PANELS):
            axes = figure.add_axes(
                ((left + place * each) / width, _FOOT_IN / height, (each - 0.3) / width, body / height)
            )
            style_axes(axes, theme=theme, grid="x")
            highest = 0.0
            for (code, pair), y in places.items():
                row = found.get((code, *pair, metric))
                highest = max(highest, _draw_dot(axes, row, y, pairs.index(pair), theme))
            axes.set_xlim(0, 1.08 * highest if highest else 1.0)
            axes.set_ylim(len(labels) - 0.4, -0.6)
            axes.set_yticks(range(len(labels)), labels if place == 0 else [""] * len(labels))
            axes.tick_params(axis="y", colors=colours(theme)["ink"])
            axes.set_xlabel(unit)
            axes.set_title(name, loc="left", fontsize=9.5, fontweight="bold", color=colours(theme)["ink"], pad=8)
            axes.axvline(0, color=colours(theme)["baseline"], linewidth=1)
            axes.locator_params(axis="x", nbins=5)
        if len(codes) > 1:
            _key(figure, pairs, (0.2 / width, 1 - (down - key - 0.38) / height), theme)
    return target


def _pair_name(pair: _Pair) -> str:
    return f"{_short(str(pair[0]))} : {_short(str(pair[1]))}"


def _short(name: str) -> str:
    """Cut a long specification in the middle: its settings tell it from others."""
    half = _MOST_LETTERS // 2
    return name if len(name) <= _MOST_LETTERS else f"{name[:half]}…{name[1 - half :]}"


def _key(figure: Figure, pairs: Sequence[_Pair], corner: tuple[float, float], theme: Theme) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=SERIES[theme][i % len(SERIES[theme])], marker=MARKERS[i % len(MARKERS)], linewidth=0)
        for i in range(len(pairs))
    ]
    figure.legend(
        handles,
        [_pair_name(pair) for pair in pairs],
        loc="upper left",
        bbox_to_anchor=corner,
        ncols=_IN_A_LINE,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        handlelength=0.8,
        labelcolor=colours(theme)["ink"],
    )


def _draw_dot(axes: Axes, row: Disagreement | None, y: float, place: int, theme: Theme) -> float:
    """Draw one value with its interval, or say that there is none; give the highest x."""
    if row is None or row.value is None:
        axes.text(0, y, f" {DASH}", va="center", color=colours(theme)["baseline"])
        return 0.0
    colour = SERIES[theme][place % len(SERIES[theme])]
    if row.low is not None and row.high is not None:
        axes.plot([row.low, row.high], [y, y], color=colour, linewidth=1.6, alpha=0.55, solid_capstyle="butt")
    axes.plot([row.value], [y], MARKERS[place % len(MARKERS)], color=colour, markersize=5.5, clip_on=False)
    return max(row.value, row.high or 0.0)


def draw_pairs(rows: Sequence[Disagreement], path: Path | str, *, theme: Theme = "light") -> Path:
    """Draw how much each pair of trackers differs on all clips, as a matrix for each kind of disagreement.

    Parameters
    ----------
    rows : sequence of Disagreement
        From :func:`otoscope.f0.disagreement.disagreements`.
    path : Path or str
        Where; ``.svg`` or ``.png``.
    theme : {"light", "dark"}
        Of the colours.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SpecError
        If the suffix is neither, or there are no pairs.
    """
    target = Path(path)
    pairs = _pairs(rows, target)
    top = in_order(row.language for row in rows)[0]
    names = list(dict.fromkeys(str(name) for pair in pairs for name in pair))
    found = {(row.first, row.second, row.metric): row for row in rows if row.language == top}
    n, letters = len(names), max(len(_short(name)) for name in names)
    left = 0.35 + _LETTER_IN * letters
    body = max(1.5, 0.52 * n)
    each = max(body, 2.3) + 0.35
    width = left + 3 * each + 0.2
    below = 0.35 + 0.6 * _LETTER_IN * letters
    heads = _farthest(found, pairs), f"Pairs of trackers on {_about(rows).rpartition(';')[0]}"
    down = head_height(*heads, width_in=width) + 0.55
    height = down + body + below + 0.15
    with styled(target, theme=theme, size_in=(width, height)) as figure:
        head_figure(figure, *heads, theme=theme)
        for place, (metric, name, unit) in enumerate(PANELS):
            axes = figure.add_axes(
                ((left + place * each) / width, (below + 0.15) / height, (each - 0.35) / width, body / height)
            )
            style_axes(axes, theme=theme)
            values = np.full((n, n), np.nan)
            for first, second in pairs:
                row = found.get((first, second, metric))
                if row is not None and row.value is not None:
                    values[names.index(str(second)), names.index(str(first))] = row.value
            _draw_cells(axes, values, [_short(name) for name in names], place == 0, theme)
            title = f"{name}\n{unit}"
            axes.set_title(title, loc="left", fontsize=9.5, color=colours(theme)["ink"], pad=6)
    return target


def _farthest(found: Mapping[tuple[str | None, str | None, str], Disagreement], pairs: Sequence[_Pair]) -> str:
    """Name the nearest and the farthest pair in voicing."""
    known = [found[(*pair, "voicing")] for pair in pairs]
    values = [row for row in known if row.value is not None]
    if not values:
        return "There is no frame on which trackers can be compared"
    near = min(values, key=lambda row: row.value or 0.0)
    far = max(values, key=lambda row: row.value or 0.0)
    said = f"{near.first} and {near.second} differ in voicing on {number(near.value, digits=1)} % of frames"
    if near is far:
        return said
    return f"{said}, {far.first} and {far.second} on {number(far.value, digits=1)} %"


def _draw_cells(axes: Axes, values: Floats, names: Sequence[str], named: bool, theme: Theme) -> None:
    """Draw the lower half of a matrix with its numbers."""
    used, n = colours(theme), len(names)
    shown, shades = values[1:, :-1], ramp(theme)
    highest = float(np.nanmax(shown)) if np.isfinite(shown).any() else 0.0
    scale = highest or 1.0
    axes.imshow(np.ma.masked_invalid(shown), cmap=shades, vmin=0, vmax=1.6 * scale, aspect="auto")
    for i in range(n - 1):
        for j in range(i + 1):
            value = shown[i, j]
            missing = not np.isfinite(value)
            dark = not missing and value > 0.55 * scale
            text = DASH if missing else number(float(value), digits=1)
            axes.text(j, i, text, ha="center", va="center", color=used["paper" if dark else "ink"])
    level = max(map(len, names[:-1])) < 7
    axes.set_xticks(range(n - 1), names[:-1])
    for label in axes.get_xticklabels():
        label.set(rotation=0 if level else 35, ha="center" if level else "right", rotation_mode="anchor")
    axes.set_yticks(range(n - 1), names[1:] if named else [""] * (n - 1))
    axes.tick_params(colors=used["ink"])
