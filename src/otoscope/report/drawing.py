"""Figures by matplotlib in the house style: no global state, the same bytes every time, text as text.

Figures drawn as SVG by hand (:mod:`otoscope.report.svg`) are for reports; matplotlib is for those that hold a
picture, such as a spectrogram, or that are wanted as PNG.
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from otoscope.errors import SpecError
from otoscope.report.tokens import DARK, LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

__all__ = [
    "DPI",
    "SERIES",
    "Theme",
    "colours",
    "head_figure",
    "head_height",
    "ramp",
    "save_figure",
    "style_axes",
    "styled",
]

Theme = Literal["light", "dark"]
DPI = 144
SERIES: Mapping[Theme, tuple[str, ...]] = {
    "light": ("#C4512D", "#0B6E6E", "#7A3E9D", "#B8860B", "#4A6FA5", "#6E6A5F"),
    "dark": ("#F08A5D", "#4FB8B0", "#B98AD6", "#E0B84C", "#86A8D6", "#A8A498"),
}
"""Colours of things that stand beside each other; markers or line styles say the same."""

SUFFIXES = (".svg", ".png")
_FONTS = ["DejaVu Sans", "system-ui", "Segoe UI", "Roboto"]
_MARGIN_IN = 0.2
_LETTER_IN = 0.082  # width of a letter of the subtitle, on average


def colours(theme: Theme) -> Mapping[str, str]:
    """Give the colours of a theme.

    Parameters
    ----------
    theme : {"light", "dark"}
        Which.

    Returns
    -------
    mapping of str to str
        Paper, ink, line and the others of :mod:`otoscope.report.tokens`.

    Raises
    ------
    SpecError
        If there is no such theme.
    """
    themes = {"light": LIGHT, "dark": DARK}
    if theme not in themes:
        raise SpecError(f"theme is {theme!r}; light and dark are accepted")
    return themes[theme]


def ramp(theme: Theme) -> Colormap:
    """Give the colours of heat maps, from the paper over teal to the ink.

    Parameters
    ----------
    theme : {"light", "dark"}
        Which.

    Returns
    -------
    matplotlib.colors.Colormap
        Rising steadily in contrast to the paper.
    """
    from matplotlib.colors import LinearSegmentedColormap

    used = colours(theme)
    return LinearSegmentedColormap.from_list(f"otoscope-{theme}", [used["paper"], used["model"], used["ink"]])


@contextmanager
def styled(path: Path, *, theme: Theme, size_in: tuple[float, float]) -> Iterator[Figure]:
    """Give an empty figure in the house style, and save it when the block ends well.

    Parameters
    ----------
    path : Path
        Where; its suffix says whether it is SVG or PNG.
    theme : {"light", "dark"}
        Of the colours.
    size_in : pair of float, inches
        Width and height.

    Yields
    ------
    matplotlib.figure.Figure
        On a canvas of its own.

    Raises
    ------
    SpecError
        If the suffix is neither.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise SpecError(f"{path}: the suffix is {path.suffix or 'missing'}; {' and '.join(SUFFIXES)} are accepted")
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    used = colours(theme)
    with matplotlib.rc_context(
        {
            "font.family": "sans-serif",
            "font.sans-serif": _FONTS,
            "font.size": 9.5,
            "svg.fonttype": "none",
            "svg.hashsalt": "otoscope",
            "text.color": used["ink"],
            "axes.unicode_minus": True,
            "text.usetex": False,
            "text.parse_math": False,
            "path.simplify": True,
        }
    ):
        figure = Figure(figsize=size_in, facecolor=used["paper"])
        FigureCanvasAgg(figure)
        yield figure
        save_figure(figure, path)


def save_figure(figure: Figure, path: Path) -> None:
    """Save a figure without dates, whole or not at all; an SVG bears the finding as its title.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What.
    path : Path
        Where; folders above it are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    kind = path.suffix.lower().removeprefix(".")
    said = str(figure.get_label())
    about = {"Date": None, "Creator": "otoscope", "Title": said} if kind == "svg" else {"Software": "otoscope"}
    try:
        with warnings.catch_warnings():
            # Names may hold letters that the font has not; a box in a picture is no reason to fail.
            warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
            figure.savefig(partial, format=kind, dpi=DPI, facecolor=figure.get_facecolor(), metadata=about)
        if kind == "svg":
            text = partial.read_text(encoding="utf-8")
            label = f'<svg role="img" aria-label="{escape(said, quote=True)}" '
            partial.write_text(text.replace("<svg ", label, 1), encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def style_axes(axes: Axes, *, theme: Theme, grid: Literal["x", "y", "none"] = "none") -> None:
    """Make axes quiet: no frame, small ticks, thin lines.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Which.
    theme : {"light", "dark"}
        Of the colours.
    grid : {"x", "y", "none"}
        The axis at whose ticks lines are drawn.
    """
    used = colours(theme)
    axes.set_facecolor(used["paper"])
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(colors=used["baseline"], length=0, pad=5)
    axes.xaxis.label.set_color(used["baseline"])
    axes.yaxis.label.set_color(used["baseline"])
    axes.set_axisbelow(True)
    if grid != "none":
        axes.grid(visible=True, axis=grid, color=used["line"], linewidth=0.8)


def head_figure(figure: Figure, title: str, subtitle: str, *, theme: Theme) -> float:
    """Write the finding and what is shown above a figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Which.
    title : str
        The finding.
    subtitle : str
        What is shown, on what, n.
    theme : {"light", "dark"}
        Of the colours.

    Returns
    -------
    float, inches
        How much of the height, from the top, is taken.
    """
    width, height = figure.get_size_inches()
    figure.set_label(title)
    width, height = figure.get_size_inches()
    for down, part, size, name in _head(title, subtitle, width):
        figure.text(
            _MARGIN_IN / width,
            1 - down / height,
            part,
            fontsize=size,
            fontweight="bold" if name == "ink" else "normal",
            color=colours(theme)[name],
            va="center",
        )
    return head_height(title, subtitle, width_in=width)


def head_height(title: str, subtitle: str, *, width_in: float) -> float:
    """Say how high the lines of :func:`head_figure` are.

    Parameters
    ----------
    title, subtitle : str
        What they say.
    width_in : float, inches
        Of the figure.

    Returns
    -------
    float, inches
        From the top of the figure.
    """
    return max(down for down, *_ in _head(title, subtitle, width_in)) + 0.2


def _head(title: str, subtitle: str, width_in: float) -> Iterator[tuple[float, str, float, str]]:
    """Give each line: how far down its middle is, what it says, its size and its colour."""
    down = 0.28
    for text, size, name, line in ((title, 13.0, "ink", 0.25), (subtitle, 9.5, "baseline", 0.19)):
        letters = max(
            20, int((width_in - 2 * _MARGIN_IN) / (_LETTER_IN * size / 9.5 * (1.1 if name == "ink" else 1)))
        )
        for part in textwrap.wrap(text, letters, break_on_hyphens=False) or [""]:
            yield down, part, size, name
            down += line
        down += 0.04
