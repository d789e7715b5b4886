"""Parts of SVG pictures: what is text is escaped, and colours come from the classes of a style sheet."""

from __future__ import annotations

import math
from html import escape

__all__ = ["LETTER", "line", "picture", "ticks", "words"]

LETTER = 7.5
"""Width of a letter of the text in pixels, on average, in a wide font."""


def ticks(low: float, high: float, *, n: int = 5) -> list[float]:
    """Choose round numbers for an axis.

    Parameters
    ----------
    low, high : float
        Its ends; low < high.
    n : int
        About how many.

    Returns
    -------
    list of float
        Multiples of 1, 2 or 5 times a power of ten, within the ends.

    Examples
    --------
    >>> ticks(0.13, 0.98)
    [0.2, 0.4, 0.6, 0.8]
    """
    rough = (high - low) / n
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda each: abs(math.log(each / rough)))
    first = math.ceil(low / step - 1e-9)
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    return [round(i * step, places) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def picture(width: float, height: float, title: str, body: str) -> str:
    """Wrap a picture.

    Parameters
    ----------
    width, height : float, pixels
        Its size; it shrinks with the page.
    title : str
        What it shows, for those who cannot see it.
    body : str
        SVG.

    Returns
    -------
    str
        An SVG element.
    """
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img" '
        f'aria-label="{escape(title, quote=True)}"><title>{escape(title)}</title>{body}</svg>'
    )


def words(x: float, y: float, text: str, kind: str = "quiet", anchor: str = "start", room: float = math.inf) -> str:
    """Write a text; what has no room is cut, and said whole on hover.

    Parameters
    ----------
    x, y : float, pixels
        Where.
    text : str
        What.
    kind : str
        Its classes.
    anchor : {"start", "middle", "end"}
        What of the text is at `x`.
    room : float, pixels
        How wide it may be.

    Returns
    -------
    str
        SVG.
    """
    most = max(4, int(min(room, 1e6) / LETTER))
    shown = text if len(text) <= most else f"{text[: most - 1]}…"
    hover = "" if shown == text else f"<title>{escape(text)}</title>"
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}"{place}>{hover}{escape(shown)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Draw a line.

    Parameters
    ----------
    x1, y1, x2, y2 : float, pixels
        Its ends.
    kind : str
        Its classes.

    Returns
    -------
    str
        SVG.
    """
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
