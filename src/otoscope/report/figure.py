"""The layer profile as a picture: one self-contained SVG, light and dark, with the numbers on hover."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape

from otoscope.report.profile import ROLE_TITLES, Point, Profile
from otoscope.report.tokens import DARK, LIGHT, interval, number

__all__ = ["profile_svg"]

WIDTH, PANEL_HEIGHT, GAP = 960, 216, 80
LEFT, RIGHT, PANEL_GAP = 64, 144, 168
METRICS = (("within_r", "r within utterances"), ("r2", "R2"))
FLOOR, CEILING = -0.2, 1.0
DASHES = ("", "6 3", "2 3", "8 3 2 3")
MARKERS = ("circle", "square", "diamond", "triangle")


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
    top = 36 + 26 * len(lines) + 72
    height = top + len(METRICS) * (PANEL_HEIGHT + GAP) - 16
    body = "".join(_body(profiles, top))
    heading = "".join(
        f'<text class="title" x="24" y="{36 + 26 * i}">{escape(line)}</text>' for i, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title, quote=True)}">\n<style>{_css()}</style>\n'
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>\n{heading}\n'
        f'<text class="quiet" x="24" y="{36 + 26 * len(lines)}">{escape(subtitle)}</text>\n{body}</svg>\n'
    )


def _css() -> str:
    def theme(colours: dict[str, str]) -> str:
        return (
            f".paper{{fill:{colours['paper']}}}text{{fill:{colours['ink']}}}"
            f".grid{{stroke:{colours['line']}}}.quiet{{fill:{colours['baseline']}}}"
            + "".join(
                f".{kind}{{stroke:{colours[kind]}}}.{kind}-fill{{fill:{colours[kind]}}}"
                for kind in ("model", "baseline", "control")
            )
        )

    return (
        "text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;font-variant-numeric:tabular-nums}"
        ".title{font-size:18px;font-weight:600}.line{fill:none;stroke-width:2}.band{opacity:.16;stroke:none}"
        ".grid{stroke-width:1}.axis{font-weight:600}"
        + theme(dict(LIGHT))
        + "@media(prefers-color-scheme:dark){"
        + theme(dict(DARK))
        + "}"
    )


def _wrap(text: str, width: int) -> list[str]:
    lines, line = list[str](), ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line]


def _body(profiles: Sequence[Profile], top: float) -> Iterator[str]:
    n = len(profiles)
    width = (WIDTH - LEFT - RIGHT - (n - 1) * PANEL_GAP) / n
    for column, profile in enumerate(profiles):
        x0 = LEFT + column * (width + PANEL_GAP)
        for line, (metric, label) in enumerate(METRICS):
            y0 = top + line * (PANEL_HEIGHT + GAP)
            heading = ROLE_TITLES[profile.role] if line == 0 else ""
            yield "".join(_panel(profile, metric, label, heading, x0, y0, width))


def _panel(
    profile: Profile, metric: str, label: str, heading: str, x0: float, y0: float, width: float
) -> Iterator[str]:
    def y_at(value: float) -> float:
        return y0 + PANEL_HEIGHT * (CEILING - min(max(value, FLOOR), CEILING)) / (CEILING - FLOOR)

    yield f'<text class="axis" x="{x0:.0f}" y="{y0 - 28:.0f}">{escape(heading)}</text>' if heading else ""
    yield f'<text class="quiet" x="{x0:.0f}" y="{y0 - 8:.0f}">{escape(label)} of log2 F0</text>'
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = y_at(tick)
        yield f'<line class="grid" x1="{x0:.0f}" x2="{x0 + width:.0f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="quiet" x="{x0 - 8:.0f}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'
    if profile.why_empty:
        yield f'<text class="quiet" x="{x0 + 8:.0f}" y="{y_at(0.5):.0f}">{escape(profile.why_empty)}</text>'
        return
    names = list(dict.fromkeys(p.model for p in profile.points))
    deepest = max((p.layer for p in profile.points if p.kind != "baseline"), default=0)

    def x_at(layer: int) -> float:
        return x0 + 16 + (width - 32) * (layer / deepest if deepest else 0.5)

    for layer in range(deepest + 1) if deepest <= 13 else range(0, deepest + 1, 3):
        y = y0 + PANEL_HEIGHT + 18
        yield f'<text class="quiet" x="{x_at(layer):.1f}" y="{y:.0f}" text-anchor="middle">{layer}</text>'
    middle, below = x0 + width / 2, y0 + PANEL_HEIGHT + 36
    yield f'<text class="quiet" x="{middle:.0f}" y="{below:.0f}" text-anchor="middle">layer</text>'
    labels: list[tuple[float, str, str]] = []
    seen = {"model": 0, "baseline": 0, "untrained": 0}
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
        yield from _series(spots, metric, kind, style, y_at)
        labels.append((y_at(spots[-1][1].scores[metric]["value"]), name, kind))
    controls = [
        (x_at(p.layer), p.scores[metric]["control"])
        for p in profile.points
        if p.model == next((q.model for q in profile.points if q.kind == "model"), None)
        and p.scores[metric]["control"] is not None
    ]
    if controls:
        path = " ".join(f"{x:.1f},{y_at(v):.1f}" for x, v in controls)
        yield f'<polyline class="line control" stroke-dasharray="1 4" points="{path}"/>'
        labels.append((y_at(controls[-1][1]), "control", "control"))
    yield from _labels(labels, x0 + width + 4)


def _series(
    spots: Sequence[tuple[float, Point]],
    metric: str,
    kind: str,
    style: int,
    y_at: Callable[[float], float],
) -> Iterator[str]:
    colour = "control" if kind == "untrained" else kind
    dash = "5 4" if kind == "untrained" else DASHES[style % len(DASHES)]
    rows = [(x, p, p.scores[metric]) for x, p in spots]
    banded = [(x, r) for x, _, r in rows if r["low"] is not None]
    if len(banded) > 1:
        edge = [f"{x:.1f},{y_at(r['high']):.1f}" for x, r in banded]
        edge += [f"{x:.1f},{y_at(r['low']):.1f}" for x, r in reversed(banded)]
        yield f'<polygon class="band {colour}-fill" points="{" ".join(edge)}"/>'
    path = " ".join(f"{x:.1f},{y_at(r['value']):.1f}" for x, _, r in rows)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    yield f'<polyline class="line {colour}"{dashed} points="{path}"/>'
    for x, p, r in rows if kind != "baseline" else rows[-1:]:
        hover = (
            f"{p.model} layer {p.layer} ({p.layer_name}): {interval(r['value'], r['low'], r['high'], digits=3)}, "
            f"control {number(r['control'])}, {r['n_frames']} frames of {r['n_utterances']} utterances"
        )
        marker = _marker(x, y_at(r["value"]), colour, MARKERS[style % len(MARKERS)])
        yield f"<g><title>{escape(hover)}</title>{marker}</g>"
        if r["value"] < FLOOR - 0.05:
            yield (
                f'<text class="quiet" x="{x:.1f}" y="{y_at(FLOOR) - 8:.1f}" text-anchor="middle">'
                f"↓ {number(r['value'], digits=1)}</text>"
            )


def _marker(x: float, y: float, colour: str, shape: str) -> str:
    if shape == "square":
        return f'<rect class="{colour}-fill" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'
    if shape == "diamond":
        points = f"{x:.1f},{y - 5:.1f} {x + 5:.1f},{y:.1f} {x:.1f},{y + 5:.1f} {x - 5:.1f},{y:.1f}"
        return f'<polygon class="{colour}-fill" points="{points}"/>'
    if shape == "triangle":
        points = f"{x:.1f},{y - 5:.1f} {x + 5:.1f},{y + 4:.1f} {x - 5:.1f},{y + 4:.1f}"
        return f'<polygon class="{colour}-fill" points="{points}"/>'
    return f'<circle class="{colour}-fill" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'


def _labels(labels: Sequence[tuple[float, str, str]], x: float) -> Iterator[str]:
    """Write names at the ends of lines, moved apart where they would touch."""
    placed = -1e9
    for y, name, kind in sorted(labels):
        placed = max(y + 4, placed + 15)
        colour = "model" if kind == "model" else "baseline"  # dark enough for text
        shown = name if len(name) <= 20 else f"{name[:19]}…"
        yield f'<text class="{colour}-fill" x="{x:.0f}" y="{placed:.1f}">{escape(shown)}</text>'
