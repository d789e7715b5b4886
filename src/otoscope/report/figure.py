"""The layer profile as a picture: one self-contained SVG, light and dark, with the numbers on hover."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from html import escape

from otoscope.report.profile import Point, Profile, Row
from otoscope.report.tokens import DARK, LIGHT, interval, number

__all__ = ["profile_svg"]

WIDTH, PANEL_HEIGHT, GAP = 960, 216, 80
LEFT, RIGHT, PANEL_GAP = 64, 160, 192
METRICS = (("within_r", "r within utterances"), ("r2", "R2"))
FLOOR, CEILING = -0.2, 1.0
DASHES = ("", "6 3", "2 3", "8 3 2 3")
MARKERS = ("circle", "square", "diamond", "triangle")
LETTER = 7.5  # of text: pixels, on average, in a wide font
LABEL_LETTERS, LABEL_HEIGHT = 18, 15
MANY_LAYERS = 13  # with more of them, ticks and markers thin out
_Label = tuple[float, str, str, str | None]  # height, name, kind, marker


def profile_svg(profiles: Sequence[Profile], *, title: str, subtitle: str) -> str:
    """Draw layer profiles side by side, one panel per role and headline metric.

    Parameters
    ----------
    profiles : sequence of Profile
        One or two; those without points are said to be empty.
    title : str
        The finding.
    subtitle : str
        What is shown, on what, n.

    Returns
    -------
    str
        An SVG document. Values below the axis are drawn on its edge, with an arrow and the number.
    """
    lines = _wrap(title, 84)
    below = 36 + 26 * len(lines)
    quiet = _wrap(subtitle, 128)
    top = below + 18 * len(quiet) + 54
    height = top + len(METRICS) * (PANEL_HEIGHT + GAP) - 16
    body = "".join(_body(profiles, top))
    heading = "".join(
        f'<text class="title" x="24" y="{36 + 26 * i}">{escape(line)}</text>' for i, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title, quote=True)}">\n'
        f"<title>{escape(title)}</title>\n<desc>{escape(subtitle)}</desc>\n"
        f"<style>{_css(ceiling=any(profile.ceiling for profile in profiles))}</style>\n"
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>\n'
        f"{heading}\n{''.join(_lines(quiet, 24, below))}\n{body}</svg>\n"
    )


def _css(*, ceiling: bool) -> str:
    def theme(colours: dict[str, str]) -> str:
        return (
            f".paper{{fill:{colours['paper']}}}text{{fill:{colours['ink']}}}"
            f".grid{{stroke:{colours['line']}}}.zero{{stroke:{colours['baseline']}}}"
            f".quiet{{fill:{colours['baseline']}}}"
            + (f".ceiling{{stroke:{colours['ink']}}}" if ceiling else "")
            + "".join(
                f".{kind}{{stroke:{colours[kind]}}}.{kind}-fill{{fill:{colours[kind]}}}"
                for kind in ("model", "baseline", "control")
            )
        )

    return (
        "text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;font-variant-numeric:tabular-nums}"
        ".title{font-size:18px;font-weight:600}.line{fill:none;stroke-width:2}.band{opacity:.16;stroke:none}.whisker{stroke-width:1.5;opacity:.7}"
        ".grid,.zero{stroke-width:1}.axis{font-weight:600}"
        + theme(dict(LIGHT))
        + "@media(prefers-color-scheme:dark){"
        + theme(dict(DARK))
        + "}"
    )


def _wrap(text: str, letters: int) -> list[str]:
    return textwrap.wrap(text, letters, break_on_hyphens=False) or [""]


def _lines(lines: Sequence[str], x: float, y: float) -> Iterator[str]:
    for i, line in enumerate(lines):
        yield f'<text class="quiet" x="{x:.0f}" y="{y + 18 * i:.0f}">{escape(line)}</text>'


def _body(profiles: Sequence[Profile], top: float) -> Iterator[str]:
    n = len(profiles)
    width = (WIDTH - LEFT - RIGHT - (n - 1) * PANEL_GAP) / n
    for column, profile in enumerate(profiles):
        x0 = LEFT + column * (width + PANEL_GAP)
        for line, (metric, label) in enumerate(METRICS):
            y0 = top + line * (PANEL_HEIGHT + GAP)
            heading = profile.title if line == 0 else ""
            yield "".join(_panel(profile, metric, label, heading, x0, y0, width))


def _panel(
    profile: Profile, metric: str, label: str, heading: str, x0: float, y0: float, width: float
) -> Iterator[str]:
    def y_at(value: float) -> float:
        return y0 + PANEL_HEIGHT * (CEILING - min(max(value, FLOOR), CEILING)) / (CEILING - FLOOR)

    yield f'<text class="axis" x="{x0:.0f}" y="{y0 - 28:.0f}">{escape(heading)}</text>' if heading else ""
    yield f'<text class="quiet" x="{x0:.0f}" y="{y0 - 8:.0f}">{escape(label)} of log2 F0</text>'
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        y, kind = y_at(tick), "grid" if tick else "zero"
        yield f'<line class="{kind}" x1="{x0:.0f}" x2="{x0 + width:.0f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="quiet" x="{x0 - 8:.0f}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'
    if profile.why_empty:
        yield from _lines(_wrap(profile.why_empty, int(width / LETTER)), x0 + 8, y_at(0.5) + 20)
        return
    names = list(dict.fromkeys(p.model for p in profile.points))
    deepest = max((p.layer for p in profile.points if p.kind != "baseline"), default=0)

    def x_at(layer: int) -> float:
        return x0 + 16 + (width - 32) * (layer / deepest if deepest else 0.5)

    for layer in range(0, deepest + 1, 1 if deepest <= MANY_LAYERS else -(-deepest // 10)):
        y = y0 + PANEL_HEIGHT + 18
        yield f'<text class="quiet" x="{x_at(layer):.1f}" y="{y:.0f}" text-anchor="middle">{layer}</text>'
    middle, below = x0 + width / 2, y0 + PANEL_HEIGHT + 36
    yield f'<text class="quiet" x="{middle:.0f}" y="{below:.0f}" text-anchor="middle">layer</text>'
    labels: list[_Label] = []
    ceiling = profile.ceiling.get(metric)
    if ceiling is not None:
        y = y_at(ceiling["value"])
        yield _ceiling(ceiling, x0, x0 + width, y)
        labels.append((y, "noise ceiling", "ceiling", None))
    seen = {"model": 0, "baseline": 0, "untrained": 0}
    size = 4.0 if deepest <= MANY_LAYERS else 2.5
    arrows = _Arrows(y_at(FLOOR) - 8)
    for name in names:
        points = [p for p in profile.points if p.model == name and p.scores[metric]["value"] is not None]
        if not points:
            continue
        kind = points[0].kind
        style = seen[kind]
        seen[kind] += 1
        if kind == "baseline":
            spots = [(x0 + 16, points[0]), (x0 + width - 16, points[0])]
        else:
            spots = [(x_at(p.layer), p) for p in points]
        yield from _series(spots, metric, kind, style, y_at, size, arrows)
        labels.append((y_at(spots[-1][1].scores[metric]["value"]), name, kind, MARKERS[style % len(MARKERS)]))
    controls = [
        (x_at(p.layer), p.scores[metric]["control"])
        for p in profile.points
        if p.model == next((q.model for q in profile.points if q.kind == "model"), None)
        and p.scores[metric]["control"] is not None
    ]
    if controls:
        path = " ".join(f"{x:.1f},{y_at(v):.1f}" for x, v in controls)
        yield f'<polyline class="line control" stroke-dasharray="1 4" points="{path}"/>'
        labels.append((y_at(controls[-1][1]), "control", "control", None))
    yield from _labels(labels, x0 + width + 4, y0 + PANEL_HEIGHT)


def _ceiling(row: Row, x0: float, x1: float, y: float) -> str:
    hover = (
        f"noise ceiling: {row['model'].removeprefix('tracker:')}, another tracker, predicts the labels with "
        f"{interval(row['value'], row['low'], row['high'], digits=3)}, {row['n_frames']} frames of "
        f"{row['n_utterances']} utterances"
    )
    line = f'<line class="ceiling" stroke-dasharray="8 4" x1="{x0:.0f}" x2="{x1:.0f}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return f"<g><title>{escape(hover)}</title>{line}</g>"


def _series(
    spots: Sequence[tuple[float, Point]],
    metric: str,
    kind: str,
    style: int,
    y_at: Callable[[float], float],
    size: float,
    arrows: _Arrows,
) -> Iterator[str]:
    colour = "control" if kind == "untrained" else kind
    dash = "5 4" if kind == "untrained" else DASHES[style % len(DASHES)]
    rows = [(x, p, p.scores[metric]) for x, p in spots]
    banded = [(x, r) for x, _, r in rows if r["low"] is not None]
    if kind == "model" and len(banded) > 1:
        edge = [f"{x:.1f},{y_at(r['high']):.1f}" for x, r in banded]
        edge += [f"{x:.1f},{y_at(r['low']):.1f}" for x, r in reversed(banded)]
        yield f'<polygon class="band {colour}-fill" points="{" ".join(edge)}"/>'
    path = " ".join(f"{x:.1f},{y_at(r['value']):.1f}" for x, _, r in rows)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    yield f'<polyline class="line {colour}"{dashed} points="{path}"/>'
    # Only what is asked about has a band: several on top of each other could not be read.
    for x, r in banded if kind == "untrained" else banded[-1:] if kind == "baseline" else []:
        ends = f'y1="{y_at(r["low"]):.1f}" y2="{y_at(r["high"]):.1f}"'
        yield f'<line class="whisker {colour}" x1="{x:.1f}" x2="{x:.1f}" {ends}/>'
    for x, p, r in rows if kind != "baseline" else rows[-1:]:
        hover = (
            f"{p.model} layer {p.layer} ({p.layer_name}): {interval(r['value'], r['low'], r['high'], digits=3)}, "
            f"control {number(r['control'])}, {r['n_frames']} frames of {r['n_utterances']} utterances"
        )
        marker = _marker(x, y_at(r["value"]), colour, MARKERS[style % len(MARKERS)], size)
        arrow = arrows.draw(x, f"↓ {number(r['value'], digits=1)}", kind) if r["value"] < FLOOR else ""
        yield f"<g><title>{escape(hover)}</title>{marker}{arrow}</g>"


def _ink(kind: str) -> str:
    """Give the class of a series' text: the colour of controls is too light for it."""
    return "model-fill" if kind == "model" else "baseline-fill"


class _Arrows:
    """Writes what lies below the axis, in rows from its edge upwards, so that no number covers another."""

    def __init__(self, y: float) -> None:
        self._y = y
        self._taken: list[list[tuple[float, float]]] = [[], [], []]

    def draw(self, x: float, text: str, kind: str) -> str:
        """Give the text where there is room for it; else the arrow alone, and the number is in the hover."""
        for shown in (text, text[0]):
            half = len(shown) * LETTER / 2
            for row, taken in enumerate(self._taken):
                if all(x + half <= low or x - half >= high for low, high in taken):
                    taken.append((x - half, x + half))
                    y = self._y - LABEL_HEIGHT * row
                    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="middle"'
                    return f'<text class="{_ink(kind)}" {place}>{shown}</text>'
        return ""


def _marker(x: float, y: float, colour: str, shape: str, size: float = 4.0) -> str:
    if shape == "square":
        return (
            f'<rect class="{colour}-fill" x="{x - size:.1f}" y="{y - size:.1f}" '
            f'width="{2 * size:g}" height="{2 * size:g}"/>'
        )
    tip = 1.25 * size
    if shape == "diamond":
        points = f"{x:.1f},{y - tip:.1f} {x + tip:.1f},{y:.1f} {x:.1f},{y + tip:.1f} {x - tip:.1f},{y:.1f}"
        return f'<polygon class="{colour}-fill" points="{points}"/>'
    if shape == "triangle":
        points = f"{x:.1f},{y - tip:.1f} {x + tip:.1f},{y + size:.1f} {x - tip:.1f},{y + size:.1f}"
        return f'<polygon class="{colour}-fill" points="{points}"/>'
    return f'<circle class="{colour}-fill" cx="{x:.1f}" cy="{y:.1f}" r="{size:g}"/>'


def _labels(labels: Sequence[_Label], x: float, bottom: float) -> Iterator[str]:
    """Write names and markers at the ends of lines, moved apart where they would touch."""
    ordered = sorted(labels, key=lambda label: label[:2])
    heights: list[float] = []
    for y, *_ in ordered:
        heights.append(max(y + 4, heights[-1] + LABEL_HEIGHT if heights else y + 4))
    limit = bottom + 4
    for i in reversed(range(len(heights))):  # what was pushed out below is pushed back up
        heights[i] = min(heights[i], limit)
        limit = heights[i] - LABEL_HEIGHT
    for (_, name, kind, shape), y in zip(ordered, heights, strict=True):
        stroke = "control" if kind == "untrained" else kind
        head, tail = LABEL_LETTERS - 7, 6
        shown = name if len(name) <= LABEL_LETTERS else f"{name[:head]}…{name[-tail:]}"
        marker = _marker(x + 4, y - 4, stroke, shape) if shape else ""
        yield (
            f'<g class="label"><title>{escape(name)}</title>{marker}'
            f'<text class="{_ink(kind)}" x="{x + 12:.0f}" y="{y:.1f}">{escape(shown)}</text></g>'
        )
