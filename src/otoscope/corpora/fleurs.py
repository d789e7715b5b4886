"""FLEURS [1]_: read speech in 102 languages, the same sentences in each.

It is read from wherever it is, language by language and split by split:

- the layout of its repository on the hub: ``data/en_us/train.tsv`` and ``data/en_us/audio/train.tar.gz``, the archive
  read in place;
- the same with the sound unpacked, ``data/en_us/audio/train/*.wav``, or in a folder below that;
- Parquet files, ``en_us/train/*.parquet``, as the hub converts it;
- the hub itself.

The clips are the same by every route: ids, order, digests, and every sample. The `id` of FLEURS is that of a
sentence, shared by all languages; it does not say who speaks.

References
----------
.. [1] A. Conneau et al.: FLEURS: Few-shot learning evaluation of universal representations of speech. IEEE SLT 2022.
   arXiv:2205.12446.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from otoscope.corpora import layout
from otoscope.corpora.base import SPLITS, Clip, ClipSource, Corpus, Failure, Split
from otoscope.corpora.fleurs_hub import Hub, MissingOnHub, how_to_download
from otoscope.corpora.fleurs_parquet import read_parquet_rows
from otoscope.corpora.fleurs_sources import ArchiveMember, HubArchive, LocalArchive, NamedFile, ParquetCell
from otoscope.corpora.languages import expand_languages, is_language_code, languages
from otoscope.corpora.typology import Typology
from otoscope.corpora.wording import counted
from otoscope.errors import SpecError

__all__ = [
    "CITATION",
    "IN_TWO_SPLITS",
    "LICENCE",
    "NO_SOUND",
    "SAMPLE_RATE",
    "configs_in",
    "read_fleurs",
    "sentence_key",
]

SAMPLE_RATE = 16_000  # Hz, of every recording
LICENCE = "CC-BY-4.0"
CITATION = (
    "A. Conneau et al.: FLEURS: Few-shot learning evaluation of universal representations of speech. "
    "IEEE SLT 2022. arXiv:2205.12446"
)
IN_TWO_SPLITS = "its sentence is in two splits"
NO_SOUND = "there is no archive"
N_FETCHING = 8  # tables asked for at a time
_PARQUET_NAMES: Mapping[Split, tuple[str, ...]] = {
    "train": ("train",),
    "dev": ("validation", "dev"),
    "test": ("test",),
}


@dataclass(slots=True)
class _Part:
    """What is known of one split of one language."""

    rows: list[tuple[layout.Row, ClipSource]] = field(default_factory=list[tuple[layout.Row, ClipSource]])
    failures: list[Failure] = field(default_factory=list[Failure])
    notes: list[str] = field(default_factory=list[str])


def sentence_key(sentence: int) -> str:
    """Give the value of the group key `sentence`.

    Parameters
    ----------
    sentence : int, >= 0
        The id of the sentence in FLEURS.

    Returns
    -------
    str
        Such as ``0042``; the same in every language.

    Examples
    --------
    >>> sentence_key(42)
    '0042'
    """
    return f"{sentence:04d}"


def read_fleurs(
    where: Path | None,
    *,
    languages: Sequence[str] | None = None,
    typology: Typology | None = None,
    revision: str = "main",
    cache: Path | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Corpus:
    """Read FLEURS.

    Parameters
    ----------
    where : Path or None
        The folder that holds ``data``, or ``data`` itself, or the folders of the languages. None is the hub: tables
        are fetched now, each archive when the first of its clips is read.
    languages : sequence of str, optional
        Codes, ``all``, regions, tone types; all that are there without it.
    typology : Typology, optional
        What the tone types are; the shipped coding without it.
    revision : str
        Of the repository on the hub. It is resolved to a commit once; a note of the corpus says which.
    cache : Path, optional
        The hub's cache; its own choice without it.
    progress : callable, optional
        Called after each language with how many are done, how many there are, and its code.

    Returns
    -------
    Corpus
        Clips by language, split, sentence and file name, with the group key `sentence`. What cannot be used is in
        `failures`: bad lines, recordings that are named and not there (each by itself, also where their archive is
        not there), and recordings whose sentence is in a later split too (those of ``test`` stay, then those of
        ``dev``). What is missing in an archive is known when it is read.

    Raises
    ------
    SpecError
        If there is nothing of FLEURS there, a language is not there, no clip can be used, or the hub cannot be
        reached.
    """
    if where is None:
        chosen, read, notes = _on_hub(languages, typology, revision, cache)
    else:
        chosen, read = _on_disk(Path(where), languages, typology)
        notes = []
    clips: list[Clip] = []
    failures: list[Failure] = []
    for done, code in enumerate(chosen, start=1):
        parts: dict[Split, _Part] = {split: read(code, split) for split in SPLITS}
        clips.extend(_clips(code, parts, failures))
        notes.extend(note for part in parts.values() for note in part.notes)
        if progress is not None:
            progress(done, len(chosen), code)
    if not clips:
        reasons = [f"{failure.clip_id}: {failure.reason}" for failure in failures[:3]] or notes[:3]
        raise SpecError(
            f"fleurs: no clip can be used in {where or 'the hub'} "
            f"({counted(len(failures), 'failure')}: {'; '.join(reasons)})"
        )
    return Corpus("fleurs", tuple(clips), LICENCE, CITATION, tuple(failures), tuple(notes))


def _clips(code: str, parts: Mapping[Split, _Part], failures: list[Failure]) -> Iterator[Clip]:
    last: dict[int, Split] = {row.sentence: split for split in SPLITS for row, _ in parts[split].rows}
    # shared by the recordings of a sentence: there are hundreds of thousands of clips
    groups = {sentence: {"sentence": sentence_key(sentence)} for sentence in last}
    texts: dict[str, str] = {}
    for split in SPLITS:
        failures.extend(parts[split].failures)
        taken: set[str] = set()
        for row, source in sorted(parts[split].rows, key=lambda found: (found[0].sentence, found[0].file_name)):
            clip_id = _clip_id(code, split, row)
            if last[row.sentence] != split:
                reason = f"{IN_TWO_SPLITS}: {row.sentence} is also in {last[row.sentence]}, where it stays"
                failures.append(Failure(clip_id, "corpus", reason))
            elif clip_id in taken:
                failures.append(
                    Failure(clip_id, "corpus", f"{row.file_name} has the id of another file; it is left out")
                )
            else:
                taken.add(clip_id)
                yield Clip(
                    clip_id=clip_id,
                    source=source,
                    language=code,
                    groups=groups[row.sentence],
                    split=split,
                    gender=row.gender.lower(),
                    text=texts.setdefault(row.raw_transcription, row.raw_transcription),
                    duration_s=row.n_samples / SAMPLE_RATE,
                )


def _clip_id(code: str, split: Split, row: layout.Row) -> str:
    return f"{code}/{split}/{PurePosixPath(row.file_name).stem}"


_Reader = Callable[[str, Split], _Part]


def _on_hub(
    words: Sequence[str] | None, typology: Typology | None, revision: str, cache: Path | None
) -> tuple[tuple[str, ...], _Reader, list[str]]:
    there = tuple(languages())
    chosen = there if words is None else expand_languages(words, there, typology=typology)
    hub = Hub(revision, cache=None if cache is None else str(cache), languages=() if chosen == there else chosen)
    hub = hub.pinned(f"data/{chosen[0]}/{SPLITS[-1]}.tsv")
    names = [(code, split) for code in chosen for split in SPLITS]
    with ThreadPoolExecutor(N_FETCHING) as pool:
        parts = dict(zip(names, pool.map(lambda name: _hub_part(hub, *name), names), strict=True))
    return chosen, lambda code, split: parts[code, split], [f"from {hub.repository} at {hub.revision}"]


def _hub_part(hub: Hub, code: str, split: Split) -> _Part:
    name = f"{code}/{split}.tsv"
    try:
        table = hub.fetch(f"data/{name}")
    except MissingOnHub as error:
        return _Part(failures=[Failure(name, "corpus", str(error))])
    rows, bad = layout.read_rows(table, name=name)
    place = HubArchive(hub, f"data/{code}/audio/{split}.tar.gz")
    part = _Part(failures=list(bad))
    for row in rows:
        part.rows.append((row, ArchiveMember(place, row.file_name, f"{code}/{split}/{row.file_name}")))
    return part


def configs_in(where: Path) -> tuple[str, ...]:
    """List the languages of FLEURS in a folder, by any of its layouts.

    Parameters
    ----------
    where : Path
        The folder that holds ``data``, or ``data`` itself, or the folders of the languages.

    Returns
    -------
    tuple of str
        Sorted; empty where there is none.
    """
    found: set[str] = set()
    for base in _bases(where):
        for entry in base.iterdir():
            if entry.name != "all" and is_language_code(entry.name) and _is_config(entry):
                found.add(entry.name)
    return tuple(sorted(found))


def _bases(where: Path) -> list[Path]:
    return [base for base in (where / "data", where) if base.is_dir()]


def _is_config(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    if any((folder / f"{split}.tsv").is_file() or _sound_of(folder, split) for split in SPLITS):
        return True
    return any(_parquet_files(folder, split) for split in SPLITS)


def _sound_of(folder: Path, split: Split) -> bool:
    return (folder / "audio" / split).is_dir() or (folder / "audio" / f"{split}.tar.gz").is_file()


def _parquet_files(folder: Path, split: Split) -> list[Path]:
    for name in _PARQUET_NAMES[split]:
        found = sorted((*folder.glob(f"{name}/*.parquet"), *folder.glob(f"{name}-*.parquet")))
        found += [path for path in (folder / f"{name}.parquet",) if path.is_file()]
        if found:
            return found
    return []


def _on_disk(where: Path, words: Sequence[str] | None, typology: Typology | None) -> tuple[tuple[str, ...], _Reader]:
    there = configs_in(where)
    if not there:
        raise SpecError(
            f"fleurs:{where}: holds nothing of FLEURS; needed is data/en_us/train.tsv with "
            "data/en_us/audio/train.tar.gz or data/en_us/audio/train/*.wav, or en_us/train/*.parquet, and so on for "
            f"other languages and for dev and test. {how_to_download(words or (), folder=str(where))}"
        )
    chosen = there if words is None else expand_languages(words, there, typology=typology)
    return chosen, lambda code, split: _disk_part(where, code, split)


def _disk_part(where: Path, code: str, split: Split) -> _Part:
    folders = [base / code for base in _bases(where) if _is_config(base / code)]
    name = f"{code}/{split}.tsv"
    for folder in folders:
        if (folder / f"{split}.tsv").is_file():
            return _with_table(folder, code, split)
    for folder in folders:
        if files := _parquet_files(folder, split):
            return _from_parquet(files, code, split)
    if any(_sound_of(folder, split) for folder in folders):
        return _Part(failures=[Failure(name, "corpus", "the sound is there and the table is not; get the table")])
    return _Part(notes=[f"{code} has no {split}"])


def _with_table(folder: Path, code: str, split: Split) -> _Part:
    rows, bad = layout.read_rows(folder / f"{split}.tsv", name=f"{code}/{split}.tsv")
    part = _Part(failures=list(bad), notes=[] if rows or bad else [f"{code}/{split}.tsv names no recording"])
    files = dict(_files_below(folder / "audio" / split))
    archive = folder / "audio" / f"{split}.tar.gz"
    place = LocalArchive(archive) if archive.is_file() else None
    if not files and place is None:
        reason = f"{NO_SOUND} audio/{split}.tar.gz and no folder audio/{split}/ to hold"
        part.failures += [Failure(_clip_id(code, split, row), "corpus", f"{reason} {row.file_name}") for row in rows]
        return part
    for row in rows:
        shown = f"{code}/{split}/{row.file_name}"
        if row.file_name in files:
            part.rows.append((row, NamedFile(files[row.file_name], shown)))
        elif place is not None:
            part.rows.append((row, ArchiveMember(place, row.file_name, shown)))
        else:
            reason = f"there is no file {row.file_name} in audio/{split}/"
            part.failures.append(Failure(_clip_id(code, split, row), "corpus", reason))
    return part


def _files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Find the files of a folder and of those below it; of two of one name, the one in the upper folder."""
    for parent, below, names in reversed(list(os.walk(folder))):
        below.sort()
        for name in sorted(names, reverse=True):
            if (path := Path(parent, name)).is_file():
                yield name, path


def _from_parquet(files: Iterable[Path], code: str, split: Split) -> _Part:
    part = _Part()
    seen: set[str] = set()
    for path in files:
        name = f"{code}/{split}/{path.name}"
        found, bad = read_parquet_rows(path, name=name)
        part.failures.extend(bad)
        for line in found:
            file_name = line.row.file_name
            if file_name in seen:
                reason = f"the file {file_name} was named in a row above; the first one stays"
                part.failures.append(Failure(f"{name} row group {line.row_group} row {line.index}", "corpus", reason))
                continue
            seen.add(file_name)
            cell = ParquetCell(path, line.row_group, line.index, f"{code}/{split}/{file_name}")
            part.rows.append((line.row, cell))
    return part
