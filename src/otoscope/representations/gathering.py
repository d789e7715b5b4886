"""The clips that sound files, folders and corpora hold, under names that can be files.

A sound file is named by its path below the folder that was given. Where several files and folders are given, all are
named by their paths below the folder that holds them all. So a name never depends on where on a machine things lie.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from otoscope.corpora.base import Clip, Corpus, Failure
from otoscope.corpora.files import AudioFile
from otoscope.corpora.folder import SOUND_SUFFIXES
from otoscope.corpora.registry import KINDS, open_corpus
from otoscope.corpora.selection import Selection, select
from otoscope.errors import SpecError

__all__ = ["gather_clips"]


def gather_clips(
    sources: Sequence[str | Path],
    *,
    languages: Sequence[str] | None = None,
    selection: Selection | None = None,
) -> Corpus:
    """Find the clips that sound files, folders and corpora hold.

    Parameters
    ----------
    sources : sequence of str or Path
        Sound files; folders, with all sound files in them; or corpora, such as ``folder:MANIFEST.csv`` or
        ``fleurs:PATH``.
    languages : sequence of str, optional
        What to keep of corpora, as :func:`otoscope.corpora.registry.open_corpus` takes it.
    selection : Selection, optional
        What to keep, of each corpus by itself and of all sound files together. Sound files have no language, split
        or gender: they can be chosen by their lengths and their number.

    Returns
    -------
    Corpus
        In the order of the sources, without splits. A file that is named twice is there once.

    Raises
    ------
    SpecError
        If there is no such file or folder, a corpus cannot be opened, there are no clips, two have the same name, or
        sound files are to be chosen by what they do not have.
    """
    forms = ", ".join(kind.form for kind in KINDS.values())
    if any(not str(source).strip() for source in sources):
        raise SpecError(f"{''!r}: names nothing; name sound files, folders, or {forms}; . for the current folder")
    paths = {source: Path(source).expanduser() for source in sources}
    files = {source: path for source, path in paths.items() if path.exists()}
    _check_filters(files, languages, selection)
    below = _common_folder(list(files.values()))
    clips: list[Clip] = []
    failures: list[Failure] = []
    notes: list[str] = []
    seen: set[str] = set()
    of_files: set[str] = set()
    for source, path in paths.items():
        if source in files:
            found = _sound_files(path) if path.is_dir() else [path]
            if not found:
                raise SpecError(f"{source}: holds no sound file ({' '.join(sorted(SOUND_SUFFIXES))})")
            fresh = {os.path.realpath(file): _file_clip(file, below) for file in found}
            clips += [clip for file, clip in fresh.items() if file not in seen]
            seen.update(fresh)
            of_files.update(clip.clip_id for clip in fresh.values())
        elif str(source).partition(":")[0] in KINDS:
            corpus = open_corpus(str(source), languages=languages)
            if selection is not None:
                corpus = select(corpus, selection)
            clips += [replace(clip, split=None) for clip in corpus.clips]
            failures += corpus.failures
            notes += corpus.notes
        else:
            raise SpecError(f"{source}: there is no such file or folder; name sound files, folders, or {forms}")
    if not clips and not failures:
        raise SpecError(f"{', '.join(map(str, sources)) or 'nothing'}: holds no clips")
    _check_names(clips)
    if selection is not None and of_files:
        loose = select(Corpus("sound files", tuple(clip for clip in clips if clip.clip_id in of_files)), selection)
        kept = {clip.clip_id for clip in loose.clips}
        clips = [clip for clip in clips if clip.clip_id in kept or clip.clip_id not in of_files]
        failures += loose.failures
    return Corpus("sources", tuple(clips), failures=tuple(failures), notes=tuple(notes))


def _check_filters(
    files: dict[str | Path, Path], languages: Sequence[str] | None, selection: Selection | None
) -> None:
    asked = {
        "language": languages is not None,
        "split": selection is not None and selection.splits is not None,
        "gender": selection is not None and selection.genders is not None,
    }
    if files and any(asked.values()):
        unknown = " or ".join(name for name, used in asked.items() if used)
        raise SpecError(
            f"{next(iter(files))}: no {unknown} is known of sound files, so they cannot be chosen by it; leave that "
            "out, or name a corpus that says it: folder:MANIFEST.csv, with a line per file"
        )


def _check_names(clips: Sequence[Clip]) -> None:
    seen: set[str] = set()
    for clip in clips:
        if clip.clip_id in seen:
            raise SpecError(
                f"{clip.clip_id}: two clips of these sources have this name; take one source at a time, each with a "
                "folder of its own for the states"
            )
        seen.add(clip.clip_id)


def _common_folder(paths: Sequence[Path]) -> str:
    """Give the folder that holds all files and the contents of all folders; empty for none."""
    folders = [os.path.abspath(path if path.is_dir() else path.parent) for path in paths]
    return os.path.commonpath(folders) if folders else ""


def _file_clip(path: Path, below: str) -> Clip:
    name = Path(os.path.relpath(os.path.abspath(path), below)).as_posix()
    return Clip(name, AudioFile(path), "und")


def _sound_files(folder: Path) -> list[Path]:
    """Give the sound files that are not hidden, sorted; links to folders are followed once."""
    found: list[Path] = []
    seen: set[str] = set()
    for where, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(where)
        folders[:] = [] if real in seen else [name for name in folders if not name.startswith(".")]
        if real not in seen:
            found += [
                Path(where, name)
                for name in files
                if not name.startswith(".") and Path(name).suffix.lower() in SOUND_SUFFIXES
            ]
        seen.add(real)
    return sorted(found, key=lambda path: path.relative_to(folder).parts)
