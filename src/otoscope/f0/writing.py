"""F0 tracks as files: tables for statistics, and what Praat opens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from otoscope.errors import SpecError
from otoscope.f0.base import F0Track
from otoscope.store import write_table, write_text

__all__ = ["COLUMNS", "FORMATS", "csv_of", "pitch_tier_of", "text_grid_of", "text_of", "write_track"]

FORMATS = {"csv": ".csv", "parquet": ".parquet", "pitchtier": ".PitchTier", "textgrid": ".TextGrid"}
"""From the name of a format to the suffix of its files."""

COLUMNS = {"time_s": "float64", "f0_hz": "float64", "voiced": "bool", "score": "float64"}


def csv_of(track: F0Track) -> str:
    """Write a track as CSV.

    Parameters
    ----------
    track : F0Track
        The track.

    Returns
    -------
    str
        Columns ``time_s,f0_hz,voiced,score``: seconds with six digits, hertz with four, ``true`` or ``false``. Empty
        where unvoiced, or where there is no score.

    Examples
    --------
    >>> from otoscope.f0.kaldi import KaldiTracker
    >>> from otoscope.testing.signals import tone
    >>> print(csv_of(KaldiTracker(correction=False).track(tone(200.0))).splitlines()[0])
    time_s,f0_hz,voiced,score
    """
    scores = np.full(track.times.size, np.nan) if track.score is None else track.score
    lines = ["time_s,f0_hz,voiced,score"]
    for time, f0_hz, voiced, score in zip(track.times, track.f0_hz, track.voiced, scores, strict=True):
        hertz = f"{f0_hz:.4f}" if voiced else ""
        sure = "" if np.isnan(score) else f"{score:.4f}"
        lines.append(f"{time:.6f},{hertz},{'true' if voiced else 'false'},{sure}")
    return "\n".join(lines) + "\n"


def pitch_tier_of(track: F0Track, duration_s: float) -> str:
    """Write a track as a Praat PitchTier: a point for each voiced frame.

    Parameters
    ----------
    track : F0Track
        The track.
    duration_s : float, seconds
        Of the clip.

    Returns
    -------
    str
        In Praat's long text format.
    """
    at = np.flatnonzero(track.voiced)
    lines = [
        'File type = "ooTextFile"',
        'Object class = "PitchTier"',
        "",
        "xmin = 0",
        f"xmax = {duration_s!r}",
        f"points: size = {at.size}",
    ]
    for number, i in enumerate(at, start=1):
        lines += [f"points [{number}]:", f"    number = {float(track.times[i])!r}"]
        lines.append(f"    value = {float(track.f0_hz[i])!r}")
    return "\n".join(lines) + "\n"


def text_grid_of(track: F0Track, duration_s: float) -> str:
    """Write the voicing of a track as a Praat TextGrid: one tier of intervals, ``V`` and ``U``.

    Parameters
    ----------
    track : F0Track
        The track.
    duration_s : float, seconds
        Of the clip.

    Returns
    -------
    str
        In Praat's long text format. Borders lie half-way between the frames on their two sides.
    """
    spans = list(_spans(track, duration_s))
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {duration_s!r}",
        "tiers? <exists>",
        "size = 1",
        "item []:",
        "    item [1]:",
        '        class = "IntervalTier"',
        '        name = "voicing"',
        "        xmin = 0",
        f"        xmax = {duration_s!r}",
        f"        intervals: size = {len(spans)}",
    ]
    for number, (start_s, end_s, voiced) in enumerate(spans, start=1):
        lines += [
            f"        intervals [{number}]:",
            f"            xmin = {start_s!r}",
            f"            xmax = {end_s!r}",
            f'            text = "{"V" if voiced else "U"}"',
        ]
    return "\n".join(lines) + "\n"


def _spans(track: F0Track, duration_s: float) -> Iterator[tuple[float, float, bool]]:
    """Give stretches of one voicing that fill the clip: start and end in seconds, voiced."""
    changes = np.flatnonzero(np.diff(track.voiced)) + 1
    borders = ((track.times[changes - 1] + track.times[changes]) / 2).tolist() if changes.size else []
    edges = [0.0, *borders, float(duration_s)]
    first = [0, *changes.tolist()]
    for i, start in enumerate(first):
        voiced = bool(track.voiced[start]) if track.voiced.size else False
        if edges[i + 1] > edges[i]:
            yield edges[i], edges[i + 1], voiced


def text_of(track: F0Track, *, kind: str, duration_s: float) -> str:
    """Write a track as text.

    Parameters
    ----------
    track : F0Track
        The track.
    kind : str
        One of :data:`FORMATS`, but not ``parquet``.
    duration_s : float, seconds
        Of the clip; Praat's formats need it.

    Returns
    -------
    str
        As :func:`csv_of`, :func:`pitch_tier_of` or :func:`text_grid_of` gives it.

    Raises
    ------
    SpecError
        If the format is not known, or is no text.
    """
    if kind == "csv":
        return csv_of(track)
    if kind == "pitchtier":
        return pitch_tier_of(track, duration_s)
    if kind == "textgrid":
        return text_grid_of(track, duration_s)
    raise SpecError(f"format {kind!r}: choose from {', '.join(name for name in FORMATS if name != 'parquet')}")


def write_track(track: F0Track, path: Path, *, kind: str, duration_s: float) -> None:
    """Write a track whole.

    Parameters
    ----------
    track : F0Track
        The track.
    path : Path
        Where.
    kind : str
        One of :data:`FORMATS`.
    duration_s : float, seconds
        Of the clip; Praat's formats need it.

    Raises
    ------
    SpecError
        If the format is not known.
    """
    if kind == "parquet":
        scores = [None] * track.times.size if track.score is None else track.score.tolist()
        rows = [
            {
                "time_s": time,
                "f0_hz": f0_hz if voiced else None,
                "voiced": voiced,
                "score": None if score is None or np.isnan(score) else score,
            }
            for time, f0_hz, voiced, score in zip(
                track.times.tolist(), track.f0_hz.tolist(), track.voiced.tolist(), scores, strict=True
            )
        ]
        write_table(path, rows, types=COLUMNS)
    elif kind in FORMATS:
        write_text(path, text_of(track, kind=kind, duration_s=duration_s))
    else:
        raise SpecError(f"format {kind!r}: choose from {', '.join(FORMATS)}")
