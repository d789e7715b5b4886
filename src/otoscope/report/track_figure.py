"""F0 tracks over the spectrogram of their clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import SpecError
from otoscope.f0.base import F0Track
from otoscope.report.drawing import SERIES, Theme, colours, head_figure, head_height, ramp, style_axes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_track", "spectrogram"]

Floats = NDArray[np.float64]

MAX_HZ = 1000.0
_WINDOW_S = 0.040  # four periods of 100 Hz: harmonics stand apart
_LEAST_HOP_S = 0.004
_MOST_COLUMNS = 2000
_BINS = 2  # of the transform, per bin of the window
_RANGE_DB = 55.0
_UPPER_IN, _LOWER_IN, _FOOT_IN = 2.6, 2.0, 0.62
_COLOURS: Mapping[Theme, tuple[str, ...]] = {
    theme: tuple(shades[i] for i in (0, 2, 3, 4, 5)) for theme, shades in SERIES.items()
}  # without teal, which is the spectrogram's
_LINE, _NARROWER = 2.4, 0.62  # points; each track is narrower than those below it, so that all can be seen
_AT_ONCE = 4_000_000  # samples in windows at a time
_WIDTHS_IN = (9.6, 20.0)
_IN_PER_S = 0.45


def spectrogram(waveform: Waveform, *, max_hz: float | None = None) -> tuple[Floats, Floats, Floats]:
    """Give the levels of a clip over time and frequency (Hann windows of 40 ms).

    Parameters
    ----------
    waveform : Waveform
        The clip.
    max_hz : float, optional
        Up to where; by default half the sample rate.

    Returns
    -------
    levels_db : ndarray of float64, shape (n_bins, n_columns), decibels
        Below the loudest of them; at least -120.
    frequencies_hz : ndarray of float64, shape (n_bins,)
        Of the rows.
    times : ndarray of float64, shape (n_columns,), seconds
        Of the columns' centres: the first is 0, the last is not beyond the end. At most 2,000, however long the clip.
    """
    rate = waveform.sample_rate
    samples = waveform.samples.astype(np.float64)
    samples = samples - samples.mean()
    window = max(4, 2 * round(_WINDOW_S * rate / 2))
    hop = max(1, round(_LEAST_HOP_S * rate), -(-samples.size // _MOST_COLUMNS))
    taper = np.hanning(window + 1)[:-1]
    n_fft = _BINS * window
    frequencies = np.arange(n_fft // 2 + 1) * rate / n_fft
    kept = frequencies <= (rate / 2 if max_hz is None else max_hz)
    starts = np.arange(0, samples.size, hop)
    padded = np.concatenate([np.zeros(window // 2), samples, np.zeros(window)])
    power = np.empty((starts.size, np.count_nonzero(kept)))
    step = max(1, _AT_ONCE // n_fft)
    for first in range(0, starts.size, step):
        rows = starts[first : first + step, None] + np.arange(window)
        power[first : first + step] = np.abs(np.fft.rfft(padded[rows] * taper, n_fft)[:, kept]) ** 2
    loudest = power.max(initial=0.0)
    share = power / loudest if loudest > 0 else np.zeros_like(power)
    return 10 * np.log10(np.maximum(share, 1e-12)).T, frequencies[kept], starts / rate


def draw_track(
    waveform: Waveform,
    tracks: F0Track | Mapping[str, F0Track],
    path: Path | str,
    *,
    max_hz: float | None = MAX_HZ,
    title: str | None = None,
    theme: Theme = "light",
) -> Path:
    """Draw F0 tracks over the spectrogram of a clip.

    Parameters
    ----------
    waveform : Waveform
        The clip.
    tracks : F0Track, or mapping of str to F0Track
        One, or several by the names that they shall have. Voiced runs are lines, a voiced frame by itself is a dot.
    path : Path or str
        Where; ``.svg`` or ``.png``.
    max_hz : float or None, hertz
        The highest frequency shown; None for half the sample rate.
    title : str, optional
        By default what was found.
    theme : {"light", "dark"}
        Of the colours.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SpecError
        If the suffix is neither, there is no track, or `max_hz` is not above 0.
    """
    named = {tracks.tracker.name: tracks} if isinstance(tracks, F0Track) else dict(tracks)
    if not named:
        raise SpecError(f"{path}: there is no track to draw")
    highest = waveform.sample_rate / 2
    if max_hz is not None:
        if not max_hz > 0:
            raise SpecError(f"{path}: max_hz is {max_hz:g}; above 0 is accepted, or None for the whole range")
        highest = min(max_hz, highest)
    target = Path(path)
    several = len(named) > 1
    width = float(np.clip(_IN_PER_S * waveform.duration_s, *_WIDTHS_IN))
    heads = title or _found(named), _shown(waveform, named)
    floor = _FOOT_IN + (_LOWER_IN + 0.25 if several else 0.0)
    height = head_height(*heads, width_in=width) + 0.28 + _UPPER_IN + floor
    with styled(target, theme=theme, size_in=(width, height)) as figure:
        head_figure(figure, *heads, theme=theme)
        left, across = 0.78 / width, 1 - (0.78 + 0.25) / width
        axes = figure.add_axes(
            (left, floor / height, across, _UPPER_IN / height),
        )
        panels = [axes]
        _draw_levels(axes, waveform, highest, theme)
        axes.set_ylim(0, highest)
        axes.set_ylabel("frequency (Hz)")
        if several:
            lower = figure.add_axes((left, _FOOT_IN / height, across, _LOWER_IN / height), sharex=axes)
            axes.tick_params(labelbottom=False)
            lower.set_yscale("log")
            lower.set_ylabel("F0 (Hz)")
            panels.append(lower)
        for axes in panels:
            style_axes(axes, theme=theme, grid="y" if axes is not panels[0] else "none")
            for place, (name, track) in enumerate(named.items()):
                halo = axes is panels[0] and place == 0
                _draw_one(axes, name, track, _COLOURS[theme][place % 5], _LINE * _NARROWER**place, halo, theme)
        if several:
            _mark_hz(panels[1], [track.f0_hz[track.voiced] for track in named.values()])
        panels[-1].set_xlim(0, waveform.duration_s)
        panels[-1].set_xlabel("time (s)")
        panels[0].legend(
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=max(1, int(width // 2.2)),
            frameon=False,
            borderpad=0,
            borderaxespad=0.5,
            handlelength=2.2,
            labelcolor=colours(theme)["ink"],
        )
    return target


def _draw_levels(axes: Axes, waveform: Waveform, highest: float, theme: Theme) -> None:
    levels, frequencies, times = spectrogram(waveform, max_hz=highest)
    half_column = (times[1] - times[0]) / 2 if times.size > 1 else waveform.duration_s / 2
    half_bin = (frequencies[1] - frequencies[0]) / 2 if frequencies.size > 1 else highest / 2
    axes.imshow(
        levels,
        origin="lower",
        aspect="auto",
        interpolation="bilinear",
        cmap=ramp(theme),
        vmin=-_RANGE_DB,
        vmax=5.0,  # so that the tracks stand out from the loudest harmonics
        extent=(
            times[0] - half_column,
            times[-1] + half_column,
            frequencies[0] - half_bin,
            frequencies[-1] + half_bin,
        ),
    )


def _mark_hz(axes: Axes, values: Sequence[Floats]) -> None:
    """Put ticks at plain numbers between the lowest and the highest F0."""
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, StrMethodFormatter

    laid = np.concatenate([*values, np.zeros(0)])
    low, high = (laid.min() / 1.1, laid.max() * 1.1) if laid.size else (60.0, 400.0)
    axes.set_ylim(low, high)
    for steps in (
        (25, 35, 50, 70, 100, 140, 200, 280, 400, 560, 800, 1120, 1600),
        (25, 50, 100, 200, 400, 800, 1600),
    ):
        ticks = [step for step in steps if low <= step <= high]
        if len(ticks) <= 5:
            break
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_one(axes: Axes, name: str, track: F0Track, colour: str, width: float, halo: bool, theme: Theme) -> None:
    """Draw one track: NaN breaks the line between voiced runs."""
    from matplotlib.patheffects import Normal, Stroke

    paper = colours(theme)["paper"]
    line = {"color": colour, "linewidth": width, "solid_capstyle": "round", "label": name}
    if halo:
        line["path_effects"] = [Stroke(linewidth=width + 2, foreground=paper), Normal()]
    axes.plot(track.times, track.f0_hz, **line)
    before, after = np.r_[False, track.voiced[:-1]], np.r_[track.voiced[1:], False]
    alone = track.voiced & ~before & ~after
    if alone.any():
        dot = {"color": colour, "markersize": width + 1.2, "markeredgecolor": paper}
        axes.plot(track.times[alone], track.f0_hz[alone], "o", markeredgewidth=0.8 if halo else 0, **dot)


def _found(named: Mapping[str, F0Track]) -> str:
    name, track = next(iter(named.items()))
    share = track.voiced.mean() if track.voiced.size else 0.0
    if not share:
        return f"{name} finds no voice"
    low, middle, high = np.percentile(track.f0_hz[track.voiced], [5, 50, 95])
    return f"F0 {middle:.0f} Hz ({low:.0f}-{high:.0f}); {100 * share:.0f} % of frames voiced ({name})"


def _shown(waveform: Waveform, named: Mapping[str, F0Track]) -> str:
    hops = {
        name: 1000 * float(np.median(np.diff(track.times))) for name, track in named.items() if track.times.size > 1
    }
    each = ", ".join(f"{name} every {hop:g} ms" for name, hop in ((n, round(h, 3)) for n, h in hops.items()))
    clip = waveform.clip_id.replace("\\", "/").rpartition("/")[2]  # folders are no news
    return f"{clip}: {waveform.duration_s:.2f} s; median and 5th to 95th percentile; {each or 'no frames'}"
