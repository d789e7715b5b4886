"""The table of a study's clips: under which name each is served, and what was done to it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from otoscope.errors import SpecError
from otoscope.game.sounds import PreparedClip

__all__ = ["clip_file", "clips_csv", "read_clips"]

_COLUMNS = tuple(field.name for field in fields(PreparedClip))
_CLIP_ID = re.compile(r"[a-z2-7]{16}")


def clip_file(folder: Path, clip_id: str) -> Path | None:
    """Find the file of a clip whose id comes from the study's own tables.

    Parameters
    ----------
    folder : Path
        Of the study.
    clip_id : str
        From ``clips.csv`` or ``practice.csv``, never from a request.

    Returns
    -------
    Path or None
        None where there is none.
    """
    for kind in ("mp3", "flac", "wav"):
        path = folder / "clips" / f"{clip_id}.{kind}"
        if path.is_file():
            return path
    return None


def clips_csv(clips: Sequence[PreparedClip]) -> str:
    """Write a table of clips.

    Parameters
    ----------
    clips : sequence of PreparedClip
        What is served.

    Returns
    -------
    str
        CSV, with a head.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(clip) for clip in clips)
    return buffer.getvalue()


def read_clips(path: Path) -> tuple[PreparedClip, ...]:
    """Read a table of clips.

    Parameters
    ----------
    path : Path
        As :func:`clips_csv` wrote it.

    Returns
    -------
    tuple of PreparedClip
        In the order of its rows.

    Raises
    ------
    SpecError
        If it is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot be read ({error}); make the study anew") from None
    try:
        return tuple(
            PreparedClip(
                _checked_id(row["clip_id"]),
                row["track"],
                float(row["duration_s"]),
                float(row["lufs"]),
                float(row["gain_db"]),
                row["sha256"],
                int(row["bytes"]),
            )
            for row in rows
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SpecError(f"{path}: is damaged ({error!r}); make the study anew") from None


def _checked_id(clip_id: str) -> str:
    if not _CLIP_ID.fullmatch(clip_id):
        raise ValueError(f"clip_id {clip_id!r}")
    return clip_id
