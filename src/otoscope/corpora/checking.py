"""Look through the sound of a corpus before a night is spent on it.

Every clip is read once. Archives are read from end to end, which leaves their seek index in the cache. What is found
is an *error* where a clip, or a result, cannot be used as it is, a *warning* where somebody should look, and a *note*
where it is only good to know.
"""

from __future__ import annotations

import multiprocessing
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np

from otoscope.audio import Waveform, read_audio_bytes
from otoscope.corpora.archives import MOST_BYTES, Scan, table_of
from otoscope.corpora.base import SPLITS, Clip, Corpus, Split
from otoscope.corpora.fleurs import IN_TWO_SPLITS, NO_SOUND, SAMPLE_RATE
from otoscope.corpora.fleurs_sizes import fleurs_sizes
from otoscope.corpora.fleurs_sources import ArchiveMember, ArchivePlace, ParquetCell
from otoscope.corpora.languages import languages
from otoscope.corpora.wording import counted, problem_of, some_of
from otoscope.errors import DataError, OtoscopeError

__all__ = ["Check", "Finding", "PartSummary", "Severity", "check_audio"]

Severity = Literal["error", "warning", "note"]
SHORTEST_S = 0.5  # below, there is no sentence
LEAST_OF_EXPECTED = 0.25  # of the length that a text of so many letters has in that language
ENOUGH_CLIPS = 20  # of a language, to say how long a letter takes
CLIPPED_AT = 0.999  # of full scale
CLIPPED_SHARE = 1e-3  # of the samples
SIZE_TOLERANCE = 0.02  # the known numbers of recordings have three digits
Progress = Callable[[int, int, str], None]
_Part = tuple[str, Split | None]
_PART = re.compile(rf"([^/ ]+)/(?:audio/)?({'|'.join(SPLITS)})(?:/|\.tsv|\.tar\.gz)")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Parameters
    ----------
    where : str
        The clip, the line of a table, the file, or the language.
    kind : str
        In one word, such as ``silent`` or ``truncated_archive``.
    severity : {"error", "warning", "note"}
        An error cannot be used as it is.
    message : str
        What was found, and what is right.
    """

    where: str
    kind: str
    severity: Severity
    message: str


@dataclass(frozen=True, slots=True)
class PartSummary:
    """What one split of one language holds.

    Parameters
    ----------
    language : str
        Its code.
    split : {"train", "dev", "test"} or None
        None where the corpus does not say.
    clips : int
        Named in the corpus.
    hours : float
        Of the sound that could be read.
    male, female : int
        Clips.
    sentences : int or None
        Different ones; None where the corpus does not say.
    left_out : int
        Recordings that the corpus names and cannot use, so that they are no clips.
    findings : int
        Errors and warnings about these clips, about what was left out, and about their table and archive.
    """

    language: str
    split: Split | None
    clips: int
    hours: float
    male: int
    female: int
    sentences: int | None
    left_out: int
    findings: int


@dataclass(frozen=True, slots=True)
class Check:
    """What a look through a corpus found.

    Parameters
    ----------
    findings : tuple of Finding
        In the order of the corpus; what concerns it as a whole comes first.
    parts : tuple of PartSummary
        By language and split.
    """

    findings: tuple[Finding, ...]
    parts: tuple[PartSummary, ...]

    def count(self, severity: Severity) -> int:
        """Count the findings of one severity.

        Parameters
        ----------
        severity : {"error", "warning", "note"}
            Which.

        Returns
        -------
        int
            How many.
        """
        return sum(finding.severity == severity for finding in self.findings)


@dataclass(frozen=True, slots=True)
class _Heard:
    """What was found out about the sound of one clip."""

    clip_id: str
    length_s: float
    digest: str
    findings: tuple[Finding, ...]


def check_audio(corpus: Corpus, *, processes: int = 1, progress: Progress | None = None) -> Check:
    """Read every clip of a corpus and say what is wrong.

    Parameters
    ----------
    corpus : Corpus
        Any; of FLEURS also the numbers of recordings and the languages are compared with what is known of it.
    processes : int, >= 1
        Languages are looked through side by side.
    progress : callable, optional
        Called after each language with how many are done, how many there are, and its code.

    Returns
    -------
    Check
        Findings and a summary; the same for any number of processes.
    """
    by_language: dict[str, list[Clip]] = {}
    for clip in corpus.clips:
        by_language.setdefault(clip.language, []).append(clip)
    rate = SAMPLE_RATE if corpus.name == "fleurs" else None
    heard: dict[str, list[_Heard]] = {}
    whole: dict[str, list[Finding]] = {}
    for done, (code, found) in enumerate(_by_language(by_language, rate, processes), start=1):
        heard[code], whole[code] = found
        if progress is not None:
            progress(done, len(by_language), code)
    findings = [*_left_out(corpus), *(_about_fleurs(corpus) if corpus.name == "fleurs" else ())]
    ordered = {code: heard[code] for code in by_language}
    duplicates = _duplicates(corpus.clips, ordered)
    for code, clips in by_language.items():
        findings += whole[code]
        short = _short_for_text(clips, ordered[code])
        by_clip = {found.clip_id: found for found in ordered[code]}
        for clip in clips:
            findings += by_clip[clip.clip_id].findings
            findings += [*short.get(clip.clip_id, ()), *duplicates.get(clip.clip_id, ()), *_about_row(clip)]
    return Check(tuple(findings), tuple(_summaries(corpus, ordered, findings)))


def _by_language(
    clips: Mapping[str, list[Clip]], rate: int | None, processes: int
) -> Iterator[tuple[str, tuple[list[_Heard], list[Finding]]]]:
    listen = partial(_listen, rate=rate)
    if processes == 1 or len(clips) < 2:
        yield from ((code, listen(found)) for code, found in clips.items())
        return
    # not forked: a process that has threads must not be copied
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = {pool.submit(listen, found): code for code, found in clips.items()}
        for job in as_completed(jobs):
            yield jobs[job], job.result()


def _listen(clips: Sequence[Clip], *, rate: int | None) -> tuple[list[_Heard], list[Finding]]:
    """Listen to the clips of one language, each archive and each Parquet file from its beginning to its end."""
    places: dict[ArchivePlace, dict[str, Clip]] = {}
    cells: list[tuple[Path, int, Clip]] = []
    heard: list[_Heard] = []
    for clip in clips:
        if isinstance(clip.source, ArchiveMember):
            places.setdefault(clip.source.place, {})[clip.source.member] = clip
        elif isinstance(clip.source, ParquetCell):
            cells.append((clip.source.path, clip.source.row_group, clip))
        else:
            heard.append(_hear(clip, partial(clip.read, sample_rate=None), rate))
    whole: list[Finding] = []
    for place, members in places.items():
        heard += _stream(place, members, rate, whole)
    heard += [
        _hear(clip, partial(clip.read, sample_rate=None), rate)
        for _, _, clip in sorted(cells, key=lambda cell: cell[:2])
    ]
    return heard, whole


def _stream(
    place: ArchivePlace, members: Mapping[str, Clip], rate: int | None, whole: list[Finding]
) -> Iterator[_Heard]:
    waiting = dict(members)
    some = next(iter(members.values()))
    name = f"{some.language}/audio/{some.split}.tar.gz"
    reason = "it is not in the archive"
    try:
        path = place.path()
        scan = Scan(path)
        for member, data in scan:
            clip = waiting.pop(member, None)
            if clip is not None:
                shown = f"{member} in {path.name}"
                yield _hear(clip, partial(_decoded, clip.clip_id, data, shown), rate)
        table = table_of(path, scan=scan)
        if table.damaged:
            whole.append(Finding(name, "damaged_archive", "error", f"{table.damaged}; get it again"))
        if table.truncated:
            lost = f"{'is' if len(waiting) == 1 else 'are'} lost"
            more = f"{len(waiting)} of {counted(len(members), 'recording')} {lost}; get it again"
            whole.append(Finding(name, "truncated_archive", "error", f"{table.truncated}: {more}"))
    except (OSError, OtoscopeError) as error:
        reason = "its archive cannot be read"
        whole.append(Finding(name, "unreadable_archive", "error", problem_of(error)))
    for clip in waiting.values():
        yield _Heard(clip.clip_id, 0.0, "", (Finding(clip.clip_id, "missing", "error", reason),))


def _decoded(clip_id: str, data: bytes | None, name: str) -> Waveform:
    if data is None:
        raise DataError(clip_id, f"{name} has more than {MOST_BYTES} bytes")
    return read_audio_bytes(data, clip_id=clip_id, sample_rate=None, name=name)


def _hear(clip: Clip, read: Callable[[], Waveform], rate: int | None) -> _Heard:
    try:
        waveform = read()
    except DataError as error:
        return _Heard(clip.clip_id, 0.0, "", (Finding(clip.clip_id, "unreadable", "error", error.problem),))
    found = tuple(_about_sound(clip, waveform, rate))
    return _Heard(clip.clip_id, waveform.duration_s, waveform.digest(), found)


def _about_sound(clip: Clip, waveform: Waveform, rate: int | None) -> Iterator[Finding]:
    if waveform.is_silent():
        yield Finding(clip.clip_id, "silent", "error", "never leaves its mean by more than -80 dB of full scale")
    if waveform.duration_s < SHORTEST_S:
        message = f"lasts {waveform.duration_s:.3f} s; below {SHORTEST_S} s there is hardly speech"
        yield Finding(clip.clip_id, "near_empty", "warning", message)
    share = float(np.mean(np.abs(waveform.samples) >= CLIPPED_AT))
    if share > CLIPPED_SHARE:
        yield Finding(clip.clip_id, "clipped", "warning", f"{share:.1%} of the samples are at full scale")
    if rate is not None and waveform.sample_rate != rate:
        message = f"is at {waveform.sample_rate} Hz; all of the corpus is at {rate} Hz"
        yield Finding(clip.clip_id, "wrong_rate", "warning", message)
    if clip.duration_s is not None:
        said = round(clip.duration_s * waveform.sample_rate)
        if said != waveform.samples.size:
            message = f"has {counted(waveform.samples.size, 'sample')}; the table says {said}"
            yield Finding(clip.clip_id, "other_length", "warning", message)


def _about_row(clip: Clip) -> Iterator[Finding]:
    if clip.gender is not None and clip.gender not in ("male", "female"):
        yield Finding(clip.clip_id, "gender_unknown", "note", f"the gender is {clip.gender}")


def _letters(clip: Clip) -> int:
    return sum(character.isalnum() for character in clip.text or "")


def _short_for_text(clips: Sequence[Clip], heard: Sequence[_Heard]) -> dict[str, list[Finding]]:
    """Find clips that are far shorter than texts of so many letters are in this language."""
    letters = {clip.clip_id: _letters(clip) for clip in clips}
    rates = [found.length_s / letters[found.clip_id] for found in heard if found.digest and letters[found.clip_id]]
    if len(rates) < ENOUGH_CLIPS:
        return {}
    per_letter_s = median(rates)
    short: dict[str, list[Finding]] = {}
    for found in heard:
        expected_s = letters[found.clip_id] * per_letter_s
        if found.digest and found.length_s < LEAST_OF_EXPECTED * expected_s:
            message = f"lasts {found.length_s:.2f} s; its text takes about {expected_s:.1f} s in this language"
            short[found.clip_id] = [Finding(found.clip_id, "short_for_its_text", "warning", message)]
    return short


def _duplicates(clips: Iterable[Clip], heard: Mapping[str, Sequence[_Heard]]) -> dict[str, list[Finding]]:
    """Find the same samples under two ids; across splits they are a leak."""
    digests = {found.clip_id: found.digest for part in heard.values() for found in part if found.digest}
    first: dict[str, Clip] = {}
    found: dict[str, list[Finding]] = {}
    for clip in clips:
        digest = digests.get(clip.clip_id)
        if digest is None:
            continue
        other = first.setdefault(digest, clip)
        if other is not clip:
            leak = other.split != clip.split
            message = f"is the same sound as {other.clip_id}" + (", in another split" if leak else "")
            severity: Severity = "error" if leak else "warning"
            found[clip.clip_id] = [Finding(clip.clip_id, "duplicate", severity, message)]
    return found


def _part_of(where: str) -> _Part | None:
    """Say of which split of which language a clip, a line of a table, a table or an archive is, by its name."""
    found = _PART.match(where)
    return (found[1], next(split for split in SPLITS if split == found[2])) if found else None


def _left_out(corpus: Corpus) -> Iterator[Finding]:
    """Give what the corpus could not use; of an archive that is not there, one finding for all its recordings."""
    lost = Counter(_part_of(each.clip_id) for each in corpus.failures if each.reason.startswith(NO_SOUND))
    for failure in corpus.failures:
        if failure.reason.startswith(NO_SOUND) and (part := _part_of(failure.clip_id)):
            if n := lost.pop(part, 0):
                code, split = part
                are = "is" if n == 1 else "are"
                message = (
                    f"is not there, and no folder audio/{split}/: {counted(n, 'recording')} {are} left out; get it"
                )
                yield Finding(f"{code}/audio/{split}.tar.gz", "missing_archive", "error", message)
            continue
        kind = "sentence_in_two_splits" if failure.reason.startswith(IN_TWO_SPLITS) else "left_out"
        yield Finding(failure.clip_id, kind, "error", failure.reason)


def _about_fleurs(corpus: Corpus) -> Iterator[Finding]:
    there = set(corpus.languages)
    absent = [code for code in languages() if code not in there]
    if absent:
        are = "is" if len(absent) == 1 else "are"
        message = f"{len(absent)} of {len(languages())} {are} absent: {some_of(absent)}"
        yield Finding("fleurs", "absent_languages", "note", message)
    unknown = [code for code in corpus.languages if code not in fleurs_sizes() or not fleurs_sizes()[code].seen]
    if unknown:
        message = (
            f"for {len(unknown)} of {counted(len(corpus.languages), 'language')} it is not known how many recordings "
            f"FLEURS has, so their numbers were not compared: {some_of(unknown)}"
        )
        yield Finding("fleurs", "size_unknown", "note", message)
    lost = {_part_of(failure.clip_id) for failure in corpus.failures if failure.reason.startswith(NO_SOUND)}
    counts = Counter(clip.language for clip in corpus.clips)
    splits = Counter((clip.language, clip.split) for clip in corpus.clips)
    for code in corpus.languages:
        missing = [split for split in SPLITS if not splits[code, split]]
        if unsaid := [split for split in missing if (code, split) not in lost]:
            yield Finding(code, "missing_split", "warning", f"has no clip in {', '.join(unsaid)}")
        size = fleurs_sizes().get(code)
        if size is not None and size.seen and not missing:
            expected = size.n_recordings
            if abs(counts[code] - expected) > SIZE_TOLERANCE * expected:
                message = f"has {counted(counts[code], 'recording')}; FLEURS has about {expected} in this language"
                yield Finding(code, "other_size", "warning", message)


def _summaries(
    corpus: Corpus, heard: Mapping[str, Sequence[_Heard]], findings: Iterable[Finding]
) -> Iterator[PartSummary]:
    parts: dict[_Part, list[Clip]] = {}
    for clip in corpus.clips:
        parts.setdefault((clip.language, clip.split), []).append(clip)
    of_clip = {clip.clip_id: part for part, clips in parts.items() for clip in clips}
    like_fleurs = corpus.name == "fleurs" or corpus.name.startswith("espeak:")  # others name their clips as they like
    left_out = Counter(_part_of(failure.clip_id) for failure in corpus.failures if like_fleurs)
    about = Counter(of_clip.get(each.where) or _part_of(each.where) for each in findings if each.severity != "note")
    lengths_s = {found.clip_id: found.length_s for of_language in heard.values() for found in of_language}
    order: list[Split | None] = [*SPLITS, None]
    named = [part for part in {**parts, **left_out} if part is not None]
    for part in sorted(named, key=lambda part: (part[0], order.index(part[1]))):
        clips = parts.get(part, [])
        yield PartSummary(
            language=part[0],
            split=part[1],
            clips=len(clips),
            hours=sum(lengths_s[clip.clip_id] for clip in clips) / 3600,
            male=sum(clip.gender == "male" for clip in clips),
            female=sum(clip.gender == "female" for clip in clips),
            sentences=len({clip.groups["sentence"] for clip in clips if "sentence" in clip.groups}) or None,
            left_out=left_out[part],
            findings=about[part],
        )
