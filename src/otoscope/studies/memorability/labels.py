"""The table of scores, and the clips that it speaks of.

``labels.csv`` has the columns ``track`` and ``score``, and may have ``n`` (responses behind the score), ``low`` and
``high`` (its interval), ``half_a`` and ``half_b`` (scores by two halves of the listeners), and ``group`` (clips of
one artist, album or song, which never stand on two sides of a split). A track is the path of a clip below the folder
of clips, with or without its suffix. Whatever is wrong with a line leaves that line out, with its reason.
"""

from __future__ import annotations

import csv
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from otoscope.corpora.base import Failure
from otoscope.corpora.folder import SOUND_SUFFIXES
from otoscope.errors import SpecError

__all__ = ["COLUMNS", "Label", "Labels", "find_clips", "read_labels"]

COLUMNS = ("track", "score", "n", "low", "high", "half_a", "half_b", "group")
_NUMBERS = ("low", "high", "half_a", "half_b")


@dataclass(frozen=True, slots=True)
class Label:
    """What listeners said of one clip.

    Parameters
    ----------
    track : str
        The clip: its path below the folder of clips, without its suffix unless another file differs in that only.
    path : Path
        Its file.
    score : float
        How well it is remembered; finite, in any unit.
    group : str
        Clips of one group stay together; the track itself where the table names none.
    n : float or None
        Responses behind the score.
    low, high : float or None
        The score's interval.
    half_a, half_b : float or None
        The scores by two halves of the listeners.
    """

    track: str
    path: Path
    score: float
    group: str
    n: float | None = None
    low: float | None = None
    high: float | None = None
    half_a: float | None = None
    half_b: float | None = None


@dataclass(frozen=True, slots=True)
class Labels:
    """The usable lines of a table of scores, and those that are not.

    Parameters
    ----------
    labels : tuple of Label
        In the order of the table; tracks are unique.
    failures : tuple of Failure
        Lines that were left out, and why.
    notes : tuple of str
        What a reader of the results should know.
    """

    labels: tuple[Label, ...]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...] = ()


def find_clips(folder: Path) -> dict[str, list[Path]]:
    """Find the sound files below a folder.

    Parameters
    ----------
    folder : Path
        Where.

    Returns
    -------
    dict of str to list of Path
        By their path below the folder, without suffix, in POSIX form; several files may share one.

    Raises
    ------
    SpecError
        If it is no folder, or holds no sound.
    """
    if not folder.is_dir():
        raise SpecError(f"{folder}: {'is a file' if folder.exists() else 'no such folder'}; name a folder of clips")
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in SOUND_SUFFIXES and not hidden and path.is_file():
            found[path.relative_to(folder).with_suffix("").as_posix()].append(path)
    if not found:
        raise SpecError(f"{folder}: holds no sound file ({' '.join(sorted(SOUND_SUFFIXES))})")
    return dict(found)


def read_labels(table: Path, clips: Path) -> Labels:
    """Read a table of scores and find the clips that it speaks of.

    Parameters
    ----------
    table : Path
        A CSV file; commas, semicolons or tabs divide its columns.
    clips : Path
        The folder of clips.

    Returns
    -------
    Labels
        What can be used, and what cannot.

    Raises
    ------
    SpecError
        If the table cannot be read or lacks a column, the folder holds no sound, or no line can be used.
    """
    found = find_clips(clips)
    by_file = {path.relative_to(clips).as_posix(): (track, path) for track, paths in found.items() for path in paths}
    reads: dict[str, list[str]] = defaultdict(list)
    for name in {*found, *by_file}:
        reads[_read_as(name)].append(name)
    rows = [(line, row, *_track(row["track"], found, by_file, reads)) for line, row in _read_rows(table)]
    problems = {line: _problem(row, files, clips) for line, row, _, files in rows}
    times = Counter(track for line, _, track, _ in rows if problems[line] is None)
    spoken: dict[str, set[float]] = defaultdict(set)
    for line, row, track, _ in rows:
        if problems[line] is None:
            spoken[track].add(float(row["score"]))
    labels: list[Label] = []
    failures: list[Failure] = []
    seen: set[str] = set()
    for line, row, track, files in rows:
        name = track or f"line {line}"
        problem = problems[line]
        if problem is None and times[track] > 1 and len(spoken[track]) > 1:
            problem = f"stands {times[track]} times in {table.name}, with different scores"
        elif problem is None and track in seen:
            problem = f"stands {times[track]} times in {table.name}; the first line was used"
        if problem is not None:
            failures.append(Failure(name, "labels", f"line {line}: {problem}"))
            continue
        seen.add(track)
        labels.append(
            Label(
                track,
                files[0],
                float(row["score"]),
                row.get("group") or track,
                n=_optional(row.get("n")),
                low=_optional(row.get("low")),
                high=_optional(row.get("high")),
                half_a=_optional(row.get("half_a")),
                half_b=_optional(row.get("half_b")),
            )
        )
    if not labels:
        first = f"; the first: {failures[0].clip_id}: {failures[0].reason}" if failures else ""
        raise SpecError(f"{table}: none of its {len(rows)} lines can be used{first}")
    return Labels(tuple(labels), tuple(failures), tuple(_notes(labels, found, table)))


def _read_rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    """Give the lines of the table with their numbers; texts are stripped, columns that are not ours are left out."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SpecError(f"{table}: no such file; a CSV file with the columns track and score is needed") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{table}: cannot be read: {error}") from error
    lines = text.splitlines()
    if not any(line.strip() for line in lines):
        raise SpecError(f"{table}: is empty; a CSV file with the columns track and score is needed")
    try:
        reader = csv.reader(lines, delimiter=max(",;\t", key=lines[0].count), strict=True)
        header = [name.strip().lower() for name in next(reader)]
        for needed in ("track", "score"):
            if needed not in header:
                raise SpecError(
                    f"{table}: has no column {needed!r}, only {', '.join(header)}; "
                    "name the columns track (the clip) and score"
                )
        twice = [name for name, n in Counter(header).items() if n > 1 and name in COLUMNS]
        if twice:
            raise SpecError(f"{table}: has the column {twice[0]!r} twice")
        rows: list[tuple[int, dict[str, str]]] = []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                padded = [*cells, *[""] * (len(header) - len(cells))]
                pairs = zip(header, padded, strict=False)
                rows.append((reader.line_num, {name: cell.strip() for name, cell in pairs if name in COLUMNS}))
    except csv.Error as error:
        raise SpecError(f"{table}: is no CSV: {error}") from error
    return rows


def _track(
    written: str,
    found: Mapping[str, Sequence[Path]],
    by_file: Mapping[str, tuple[str, Path]],
    reads: Mapping[str, Sequence[str]],
) -> tuple[str, list[Path]]:
    """Find the track that a text means, and its files: the text may have the suffix of the file or not.

    Files that differ in nothing but their suffix are tracks by their whole names. Where no file has the name letter
    by letter, one that reads the same (an accent as a character of its own, or not) is meant.
    """
    name = written.replace("\\", "/").removeprefix("./")
    if name not in by_file and name not in found:
        alike = reads.get(_read_as(name), ())
        name = alike[0] if len(alike) == 1 else name
    if name in by_file:
        track, path = by_file[name]
        return (track if len(found[track]) == 1 else name), [path]
    return name, list(found.get(name, ()))


def _read_as(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _problem(row: Mapping[str, str], files: Sequence[Path], clips: Path) -> str | None:
    if not row["track"]:
        return "names no track"
    if not row["score"]:
        return "has no score"
    for name in ("score", "n", *_NUMBERS):
        text = row.get(name) or ""
        value = _optional(text)
        if text and (value is None or not math.isfinite(value)):
            hint = " (write 0.5 with a point, not 0,5)" if re.fullmatch(r"-?\d+,\d+", text) else ""
            return f"{name} is {text!r}; a finite number is needed{hint}"
        if name == "n" and value is not None and value <= 0:
            return f"n is {text}; a number of responses above 0 is needed"
    if not files:
        return f"there is no such sound below {clips}"
    if len(files) > 1:
        return (
            f"there are {len(files)} files of that name ({', '.join(sorted(f.name for f in files))}); add the suffix"
        )
    return None


def _optional(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _notes(labels: Sequence[Label], found: Mapping[str, Sequence[Path]], table: Path) -> list[str]:
    notes: list[str] = []
    unused = len(found) - len({label.path.with_suffix("") for label in labels})
    if unused > 0:
        notes.append(f"{unused} of {len(found)} clips in the folder have no usable score in {table.name}")
    with_n = sum(label.n is not None for label in labels)
    if 0 < with_n < len(labels):
        notes.append(
            f"{len(labels) - with_n} of {len(labels)} scores have no number of responses (n); "
            "all scores count alike, and there is no ceiling from counts"
        )
    return notes
