"""The user's own sound files: a manifest of them, or a folder.

A manifest is a table with a header, as CSV (comma or semicolon) or TSV, in UTF-8::

    path,language,split,speaker,gender,start,end
    audio/anna1.wav,gsw_CH,train,anna,female,,
    audio/ben1.flac,gsw_CH,test,ben,male,12.5,17.25

`path` and `language` are needed. Paths count from the folder of the manifest; `start` and `end` are seconds.
`speaker`, `sentence`, `voice`, `session` and `group` are group keys: no value of theirs may stand on two sides of
a split. `id` names the clip; without it, its path does, with ``#start-end`` for a stretch. `text` is what is said.

A folder needs no table, because the names of its folders say what a manifest would::

    speech/
        train/sw/amina/01.wav     split train, language sw, speaker amina
        train/sw/juma/01.wav      split train, language sw, speaker juma
        test/sw/neema/01.wav      split test,  language sw, speaker neema
        .cache/...                hidden: skipped
        notes.txt                 no sound: skipped

Of the folders on the way to a file, one named exactly ``train``, ``dev``, ``validation``, ``valid`` or ``test``
is the split (``validation`` and ``valid`` are ``dev``); the first that is a FLEURS code, or the language part of
one (``sw`` of ``sw_ke``), is the language, kept as it is written; the first that is left is the speaker. A file
below no such folder is in the language ``und``.

No file is opened here: what cannot be decoded is found, and said, when the clip is read.
"""

from __future__ import annotations

import csv
import difflib
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from otoscope.corpora.base import Clip, Corpus, Failure, Split
from otoscope.corpora.files import AudioFile, stretch
from otoscope.corpora.languages import is_language_code, language, languages
from otoscope.corpora.wording import counted
from otoscope.errors import SpecError

__all__ = ["GROUP_KEYS", "SOUND_SUFFIXES", "read_folder"]

GROUP_KEYS = ("speaker", "sentence", "voice", "session", "group")
REQUIRED = ("path", "language")
COLUMNS = (*REQUIRED, "split", "gender", "start", "end", "id", "text", *GROUP_KEYS)
# fmt: off
SOUND_SUFFIXES = frozenset((
    ".aif", ".aifc", ".aiff", ".au", ".avr", ".caf", ".flac", ".mp3", ".nist", ".oga",
    ".ogg", ".opus", ".rf64", ".snd", ".sph", ".voc", ".w64", ".wav", ".wave",
))
# fmt: on
UNREADABLE_SUFFIXES = frozenset((".3gp", ".aac", ".amr", ".m4a", ".mka", ".mp4", ".webm", ".wma"))
SPLIT_FOLDERS: Mapping[str, Split] = {
    "train": "train",
    "dev": "dev",
    "validation": "dev",
    "valid": "dev",
    "test": "test",
}
SPLIT_WORDS: Mapping[str, Split] = {**SPLIT_FOLDERS, "val": "dev"}
TYPO_LIKENESS = 0.7  # difflib's ratio: "langauge", "slit" and "spkr" are above it
SHOWN_FAILURES = 3
MAX_QUOTED_LINES = 50  # over which one quoted field may go on
_LINE_END = re.compile(r"\r\n|\n|\r")


def read_folder(source: Path) -> Corpus:
    """Read a manifest, or a folder of sound files.

    Parameters
    ----------
    source : Path
        A CSV or TSV file, or a folder; the module says what may be in them.

    Returns
    -------
    Corpus
        In the order of the manifest, or of the sorted paths. Rows that cannot be used are in `failures`; what was
        ignored or taken for granted is in `notes`.

    Raises
    ------
    SpecError
        If there is nothing there, a needed column is missing, a column's name seems misspelt, or no clip is left.
    LeakageError
        If a group stands on two sides of a split.
    """
    if source.is_dir():
        found = _read_tree(source)
    elif source.is_file():
        found = _read_manifest(source)
    else:
        raise SpecError(f"{source}: no such file or folder; give a manifest (CSV or TSV) or a folder of sound files")
    found = _give_every_clip_a_group(_check_splits(found))
    if not found.clips:
        raise SpecError(_nothing_left(source, found))
    return Corpus(
        name=f"folder:{source}",
        clips=tuple(clip for _, clip in found.clips),
        failures=tuple(failure for _, failure in sorted(found.failures, key=lambda pair: pair[0])),
        notes=(*found.notes, *_language_notes(clip for _, clip in found.clips)),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """What was read so far; each clip and failure with its place, by which failures are ordered."""

    clips: tuple[tuple[int, Clip], ...]
    failures: tuple[tuple[int, Failure], ...]
    notes: tuple[str, ...]
    place: str  # what a place is called in messages


def _check_splits(found: _Found) -> _Found:
    """Turn clips without a split into failures where others have one."""
    without = [(place, clip) for place, clip in found.clips if clip.split is None]
    if not without or len(without) == len(found.clips):
        return found
    n_named = len(found.clips) - len(without)
    reason = f"no split is named here, but for {_clips(n_named)} it is; name it for all clips or for none"
    failed = tuple(
        (place, Failure(clip.clip_id, "corpus", _located(found.place, place, reason))) for place, clip in without
    )
    kept = tuple((place, clip) for place, clip in found.clips if clip.split is not None)
    return replace(found, clips=kept, failures=(*found.failures, *failed))


def _give_every_clip_a_group(found: _Found) -> _Found:
    n_without = sum(not clip.groups for _, clip in found.clips)
    if n_without == 0:
        return found
    which = (
        "no clip names"
        if n_without == len(found.clips)
        else f"{n_without} of {_clips(len(found.clips))} {'does' if n_without == 1 else 'do'} not name"
    )
    note = (
        f"{which} a group ({', '.join(GROUP_KEYS)}): each such clip is its own group, "
        "so that a speaker may stand on both sides of a split"
    )
    grouped = tuple(
        (place, clip if clip.groups else replace(clip, groups={"clip": clip.clip_id})) for place, clip in found.clips
    )
    return replace(found, clips=grouped, notes=(*found.notes, note))


def _language_notes(clips: Iterable[Clip]) -> Iterator[str]:
    others = Counter(clip.language for clip in clips if language(clip.language) is None)
    if others:
        listed = ", ".join(f"{code} ({_clips(n)})" for code, n in sorted(others.items()))
        yield f"not among the languages of FLEURS, so without region and tone type: {listed}"


def _clips(n: int) -> str:
    return counted(n, "clip")


def _located(kind: str, place: int, reason: str) -> str:
    return f"{kind} {place}: {reason}" if kind else reason


def _nothing_left(source: Path, found: _Found) -> str:
    if not found.failures:
        return f"{source}: holds no clips"
    failures = [failure for _, failure in sorted(found.failures, key=lambda pair: pair[0])]
    shown = "; ".join(f"{failure.clip_id}: {failure.reason}" for failure in failures[:SHOWN_FAILURES])
    more = len(failures) - SHOWN_FAILURES
    return f"{source}: no clip can be used; {shown}{f'; and {more} more' if more > 0 else ''}"


def _read_manifest(source: Path) -> _Found:
    records = _records(_decode(source), source)
    try:
        header = next(records)[1]
    except StopIteration:
        header = []
    if isinstance(header, str):
        raise SpecError(f"{source}: the header cannot be read: {header}")
    columns = [name.strip().lower() for name in header]
    notes = _check_header(columns, source)
    clips: dict[str, tuple[int, Clip]] = {}
    failures: list[tuple[int, Failure]] = []
    for line, fields in records:
        clip_id = f"{source.name} line {line}"
        try:
            if isinstance(fields, str):
                raise _Unusable(fields)
            if len(fields) != len(columns):
                raise _Unusable(f"has {counted(len(fields), 'field')}, the header has {len(columns)}")
            cells = {name: cell.strip() for name, cell in zip(columns, fields, strict=True)}
            clip_id = _clip_id(cells) or clip_id
            clip = _clip_of(cells, clip_id, source.parent)
            if clip_id in clips:
                raise _Unusable(f"line {clips[clip_id][0]} has this id already; the first one stays")
            clips[clip_id] = (line, clip)
        except _Unusable as problem:
            failures.append((line, Failure(clip_id, "corpus", f"line {line}: {problem}")))
    return _Found(tuple(clips.values()), tuple(failures), notes, "line")


class _Unusable(Exception):
    """Why a row gives no clip."""


def _decode(source: Path) -> str:
    data = source.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpecError(f"{source}: is UTF-16; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SpecError(
            f"{source}: is not UTF-8 text (line {line}, byte {error.start}); a manifest is a CSV or TSV file in UTF-8"
        ) from error
    if "\0" in text:
        raise SpecError(f"{source}: holds zero bytes, so it is no text; a manifest is a CSV or TSV file in UTF-8")
    return text


def _records(text: str, source: Path) -> Iterator[tuple[int, list[str] | str]]:
    """Give the rows with the numbers of their lines; for a row that cannot be read, the reason.

    A quoted field may go on over several lines, if the row then has as many fields as the header. Otherwise the
    quote was never meant to be open, and costs its own line instead of the rest of the file.
    """
    lines = _LINE_END.split(text)
    at = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
    if at == len(lines):
        return
    delimiter = "\t" if source.suffix.lower() in {".tsv", ".tab"} else max(",;\t", key=lines[at].count)
    n_columns: int | None = None
    while at < len(lines):
        first, at = at, at + 1
        if not lines[first].strip():
            continue
        row = _parse(lines[first : first + 1], delimiter)
        if row is None and n_columns is not None:
            for end in range(first + 2, min(len(lines), first + MAX_QUOTED_LINES) + 1):
                longer = _parse(lines[first:end], delimiter)
                if longer is not None:
                    if len(longer) == n_columns and not isinstance(longer, str):
                        row, at = longer, end
                    break
        if n_columns is None and row is not None:
            n_columns = len(row)
        yield first + 1, "a quote is opened and not closed" if row is None else row


def _parse(lines: Sequence[str], delimiter: str) -> list[str] | str | None:
    """Read one row; give the reason where it is broken, and None where a quote is still open at its end."""
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    try:
        return next(reader)
    except csv.Error as error:
        return None if "unexpected end" in str(error) else f"cannot be split into fields: {error}"


def _check_header(columns: Sequence[str], source: Path) -> tuple[str, ...]:
    there = ", ".join(column or "(no name)" for column in columns) or "nothing"
    twice = sorted(name for name, n in Counter(columns).items() if n > 1 and name)
    if twice:
        raise SpecError(f"{source}: the column {twice[0]} stands twice in the header ({there})")
    unknown = [name for name in columns if name and name not in COLUMNS]
    free = [name for name in COLUMNS if name not in columns]
    for name in unknown:
        close = difflib.get_close_matches(name, free, n=1, cutoff=TYPO_LIKENESS)
        if close:
            raise SpecError(
                f"{source}: the column {name} is not known; did you mean {close[0]}? Rename or remove it. "
                f"Known columns: {', '.join(COLUMNS)}"
            )
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise SpecError(
            f"{source}: has no column {' and no column '.join(missing)}; its first line has {there}. "
            f"Needed: {', '.join(REQUIRED)}. Optional: {', '.join(COLUMNS[len(REQUIRED) :])}"
        )
    if not unknown:
        return ()
    noun = "column" if len(unknown) == 1 else "columns"
    return (f"{source.name}: ignored the {noun} {', '.join(unknown)} (known: {', '.join(COLUMNS)})",)


def _clip_id(cells: Mapping[str, str]) -> str:
    """Give the clip's id, or an empty text where the row has neither an id nor a path."""
    if cells.get("id"):
        return cells["id"]
    if not cells["path"]:
        return ""
    path = os.path.normpath(cells["path"]).replace(os.sep, "/")
    start, end = cells.get("start", ""), cells.get("end", "")
    if not start and not end:
        return path
    try:
        return f"{path}#{stretch(float(start) if start else None, float(end) if end else None)}"
    except ValueError:
        return path


def _clip_of(cells: Mapping[str, str], clip_id: str, root: Path) -> Clip:
    if not cells["path"]:
        raise _Unusable("the path is empty")
    code = cells["language"]
    if not is_language_code(code):
        raise _Unusable(
            f"the language is {repr(code) if code else 'empty'}; a FLEURS code (en_us), a code of your own "
            "(gsw, gsw_CH) or und is needed"
        )
    start_s, end_s = _seconds(cells, "start"), _seconds(cells, "end")
    if end_s is not None and end_s <= (start_s or 0.0):
        raise _Unusable(f"end is {cells['end']} s; it must lie after the start ({cells.get('start') or 0} s)")
    path = root / os.path.normpath(cells["path"])
    _check_there(path, cells["path"])
    return Clip(
        clip_id=clip_id,
        source=AudioFile(path, start_s, end_s, root),
        language=code,
        groups={key: cells[key] for key in GROUP_KEYS if cells.get(key)},
        split=_split(cells.get("split", "")),
        gender=cells.get("gender") or None,
        text=cells.get("text") or None,
    )


def _seconds(cells: Mapping[str, str], name: str) -> float | None:
    text = cells.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise _Unusable(f"{name} is {text!r}; seconds as a number with a point are needed") from None
    if not math.isfinite(value) or value < 0:
        raise _Unusable(f"{name} is {text} s; it must be 0 or above")
    return value


def _split(word: str) -> Split | None:
    if not word:
        return None
    if word.lower() not in SPLIT_WORDS:
        raise _Unusable(f"the split is {word!r}; choose from {', '.join(SPLIT_WORDS)}")
    return SPLIT_WORDS[word.lower()]


def _check_there(path: Path, written: str) -> None:
    if path.is_dir():
        raise _Unusable(f"{written} is a folder; a sound file is needed")
    if not path.is_file():
        hint = "; write / between folders" if "\\" in written else ""
        raise _Unusable(f"there is no file {written} (looked for {path}){hint}")


def _read_tree(source: Path) -> _Found:
    clips: list[tuple[int, Clip]] = []
    failures: list[tuple[int, Failure]] = []
    unreadable: Counter[str] = Counter()
    for place, path in enumerate(sorted(_files_below(source), key=lambda path: path.relative_to(source).parts)):
        suffix = path.suffix.lower()
        unreadable[suffix] += suffix in UNREADABLE_SUFFIXES
        if suffix not in SOUND_SUFFIXES:
            continue
        relative = path.relative_to(source)
        clip_id = relative.as_posix()
        try:
            clips.append((place, _clip_of_path(path, relative.parts[:-1], clip_id, source)))
        except _Unusable as problem:
            failures.append((place, Failure(clip_id, "corpus", str(problem))))
    kinds = ", ".join(f"{suffix} ({n})" for suffix, n in sorted(unreadable.items()) if n)
    notes = (f"skipped sound of kinds that cannot be read: {kinds}; convert it to FLAC or WAV",) if kinds else ()
    if not clips and not failures:
        raise SpecError(
            f"{source}: holds no sound file ({' '.join(sorted(SOUND_SUFFIXES))}){f'; {notes[0]}' if notes else ''}"
        )
    return _Found(tuple(clips), tuple(failures), notes, "")


def _files_below(source: Path) -> Iterator[Path]:
    """Give the files that are not hidden; links to folders are followed once."""
    seen: set[str] = set()
    for folder, folders, files in os.walk(source, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in files if not name.startswith("."))


def _clip_of_path(path: Path, folders: Sequence[str], clip_id: str, root: Path) -> Clip:
    named = [name for name in folders if name in SPLIT_FOLDERS]
    if len(named) > 1:
        raise _Unusable(f"the folders {' and '.join(named)} both name a split; one is needed")
    rest = [name for name in folders if name not in SPLIT_FOLDERS]
    code = next((name for name in rest if _is_known_code(name)), None)
    if code is not None:
        rest.remove(code)
    return Clip(
        clip_id=clip_id,
        source=AudioFile(path, root=root),
        language=code or "und",
        groups={"speaker": rest[0]} if rest else {},
        split=SPLIT_FOLDERS[named[0]] if named else None,
    )


def _is_known_code(name: str) -> bool:
    return name in languages() or name in {code.split("_")[0] for code in languages()}
