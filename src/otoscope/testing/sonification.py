"""Contours of F0 made audible: what a tracker found, to be heard beside the speech."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.testing.contours import contours_of
from otoscope.testing.glottal import VOWELS
from otoscope.testing.speaking import Stretch, speak

__all__ = ["SOUNDS", "FrameTable", "read_contour", "sonify"]

SOUNDS = ("soft", "flat", "pulses", *VOWELS)
"""Harmonics that become weaker, or stay as strong; glottal pulses alone, or through the formants of a vowel."""

Floats = NDArray[np.float64]
_YES, _NO = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no")
_LONE_HOP_S = 0.010
_FADE_S = 0.010


@dataclass(frozen=True, slots=True, eq=False)
class FrameTable:
    """F0 by frames, as a file has it.

    Parameters
    ----------
    times : ndarray of float64, shape (n_frames,), seconds
        Increasing, from 0 upwards.
    f0_hz : ndarray of float64, shape (n_frames,), hertz
        NaN exactly where not voiced.
    voiced : ndarray of bool, shape (n_frames,)
        Where there is F0.
    """

    times: Floats
    f0_hz: Floats
    voiced: NDArray[np.bool_]

    @property
    def hop_s(self) -> float:
        """From one frame to the next: the median, in seconds."""
        return float(np.median(np.diff(self.times))) if self.times.size > 1 else _LONE_HOP_S

    @property
    def duration_s(self) -> float:
        """Until half a hop after the last frame, in seconds."""
        return float(self.times[-1]) + self.hop_s / 2


def read_contour(path: Path | str) -> FrameTable:
    """Read F0 from a CSV file such as ``otoscope f0 track`` writes.

    Parameters
    ----------
    path : path
        With the columns ``time_s`` and ``f0_hz``, and perhaps ``voiced``; others are not read. A frame whose
        ``f0_hz`` is empty, 0 or nan is unvoiced, and so is one whose ``voiced`` is false.

    Returns
    -------
    FrameTable
        Of all lines.

    Raises
    ------
    DataError
        If there is no such file, a column is missing, or a line cannot be.
    """
    path = Path(path)
    where = str(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in ("time_s", "f0_hz") if name not in (reader.fieldnames or ())]
            if missing:
                got = ", ".join(reader.fieldnames or ()) or "nothing"
                raise DataError(
                    where, f"has no column {' and no column '.join(missing)}; got {got}; needed are time_s, f0_hz"
                )
            rows = [_row(line, where, number) for number, line in enumerate(reader, start=2)]
    except FileNotFoundError:
        raise DataError(where, "no such file") from None
    except OSError as error:
        raise DataError(where, f"cannot be opened: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(where, f"is no CSV file in UTF-8: {error}") from error
    if not rows:
        raise DataError(where, "has no frames")
    times, hz = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    if times[0] < 0 or np.any(np.diff(times) <= 0):
        raise DataError(where, "time_s must not be below 0, and must increase from line to line")
    return FrameTable(times, hz, ~np.isnan(hz))


def _row(line: dict[str, str | None], where: str, number: int) -> tuple[float, float]:
    """Give time in seconds and F0 in hertz, NaN where unvoiced."""
    said = (line.get("voiced") or "").strip().lower()
    if said and said not in (*_YES, *_NO):
        raise DataError(where, f"line {number}: voiced is {said!r}; true or false is accepted")
    text = (line["f0_hz"] or "").strip()
    try:
        time, hz = float(line["time_s"] or ""), float(text) if text else 0.0
    except ValueError:
        raise DataError(
            where, f"line {number}: time_s is {line['time_s']!r} and f0_hz {text!r}; numbers are accepted"
        ) from None
    if not np.isfinite(time) or np.isinf(hz) or hz < 0:
        raise DataError(where, f"line {number}: time_s is {time:g} and f0_hz {hz:g}; finite numbers are accepted")
    if said in _YES and not hz > 0:
        raise DataError(where, f"line {number}: voiced is {said} and f0_hz is {text!r}; a voiced frame needs an F0")
    return time, hz if hz > 0 and said not in _NO else np.nan


def sonify(
    table: FrameTable,
    *,
    sound: str = "soft",
    duration_s: float | None = None,
    sample_rate: int = 16_000,
    level_db: float = -26.0,
    name: str = "contour",
) -> Waveform:
    """Make F0 audible: a sound that follows it, and silence where it is unvoiced.

    Between the frames of a voiced run F0 glides, in equal intervals in equal times; a run lasts half a hop beyond its
    first and last frame.

    Parameters
    ----------
    table : FrameTable
        What is to be heard.
    sound : str
        One of :data:`SOUNDS`. All begin and end without a click.
    duration_s : float, seconds, optional
        Of the whole; by default until half a hop after the last frame.
    sample_rate : int, >= 8000, hertz
        Samples per second.
    level_db : float, dB
        Root mean square of the voiced runs together, from full scale.
    name : str
        Id of the waveform.

    Returns
    -------
    Waveform
        With ``round(duration_s * sample_rate)`` samples. Pulses need a whole cycle: a run that has none is silent.

    Raises
    ------
    SpecError
        If a setting cannot be, or voice would be cut off.

    Examples
    --------
    >>> times = np.arange(100) * 0.010
    >>> table = FrameTable(times, np.full(100, 150.0), np.ones(100, dtype=bool))
    >>> sonify(table).duration_s
    0.995
    """
    if sound not in SOUNDS:
        raise SpecError(f"sonify: sound is {sound!r}; choose from {', '.join(SOUNDS)}")
    length_s = table.duration_s if duration_s is None else duration_s
    if not np.isfinite(length_s) or round(length_s * sample_rate) < 1:
        raise SpecError(f"sonify: duration_s is {length_s:g}; a finite one, of a sample or more, is accepted")
    contours = contours_of(table.times, table.f0_hz, table.voiced, least_s=_LONE_HOP_S)
    if contours and contours[-1].end_s > length_s + 0.5 / sample_rate:
        raise SpecError(
            f"sonify: duration_s is {length_s:g}, and voice ends at {contours[-1].end_s:g} s; make it no shorter"
        )
    source = sound if sound in ("soft", "flat") else "lf"
    if source == "lf":
        contours = tuple(contour for contour in contours if contour.cycles(contour.end_s) >= 1 + 1e-6)
    if not contours:
        return Waveform(np.zeros(round(length_s * sample_rate), dtype=np.float32), sample_rate, name)
    return speak(
        [Stretch(contour=contour, vowel=sound if sound in VOWELS else None) for contour in contours],
        name=name,
        duration_s=length_s,
        sample_rate=sample_rate,
        source=source,
        fade_s=_FADE_S if source == "lf" else 0.0,
        level_db=level_db,
    ).waveform
