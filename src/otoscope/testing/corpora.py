"""Check that a corpus keeps the contract, for users who write one of their own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from otoscope.corpora.base import SPLITS, Clip, Corpus
from otoscope.corpora.languages import is_language_code
from otoscope.errors import OtoscopeError

__all__ = ["check_corpus"]

SHOWN_PROBLEMS = 10
PROBE_RATE = 8_000  # Hz; few sources have it, so that it shows whether the rate asked for is the rate given


def check_corpus(corpus: Corpus, *, across_languages: bool = True) -> None:
    """Check a corpus against the contract; read every clip.

    Parameters
    ----------
    corpus : Corpus
        The corpus.
    across_languages : bool
        Whether the value of a group key is the same thing in all languages, so that it must be in one split
        throughout. Turn it off where, say, the speaker ``01`` of one language is not the ``01`` of another.

    Raises
    ------
    AssertionError
        With all that is wrong, one line each.
    """
    problems = [
        *_about_the_whole(corpus),
        *_leaks(corpus.clips, across_languages),
        *(problem for clip in corpus.clips for problem in _about_a_clip(clip)),
    ]
    if problems:
        more = len(problems) - SHOWN_PROBLEMS
        lines = [*problems[:SHOWN_PROBLEMS], *([f"and {more} more"] if more > 0 else [])]
        raise AssertionError("\n".join([f"{corpus.name or 'a corpus'} breaks the contract:", *lines]))


def _about_the_whole(corpus: Corpus) -> Iterator[str]:
    for name in ("name", "licence", "citation"):
        value = getattr(corpus, name)
        if not isinstance(value, str) or not value.strip():
            yield f"the {name} is {value!r}; a text is needed, 'unknown' where nobody said"
    if not corpus.clips:
        yield "there is no clip"
    for clip_id, n in Counter(clip.clip_id for clip in corpus.clips).items():
        if n > 1:
            yield f"{clip_id}: {n} clips have this id; ids must be unique"
    n_split = sum(clip.split is not None for clip in corpus.clips)
    if 0 < n_split < len(corpus.clips):
        yield f"{n_split} of {len(corpus.clips)} clips have a split; all or none must"
    for failure in corpus.failures:
        if not failure.reason or not failure.clip_id:
            yield f"a failure says no {'reason' if failure.clip_id else 'clip'}: {failure}"


def _leaks(clips: tuple[Clip, ...], across_languages: bool) -> Iterator[str]:
    sides: dict[tuple[str, str, str], dict[str, Clip]] = {}
    for clip in clips:
        for key, value in clip.groups.items():
            if clip.split is not None:
                where = "" if across_languages else clip.language
                sides.setdefault((where, key, value), {}).setdefault(clip.split, clip)
    for (_, key, value), found in sides.items():
        if len(found) > 1:
            places = " and ".join(f"{split} ({clip.clip_id})" for split, clip in found.items())
            yield f"{key} {value!r} is in {places}; it must be in one split"


def _about_a_clip(clip: Clip) -> Iterator[str]:
    name = clip.clip_id
    if not is_language_code(clip.language):
        yield f"{name}: the language {clip.language!r} has not the form of a code; und is for unknown"
    if clip.split is not None and clip.split not in SPLITS:
        yield f"{name}: the split is {clip.split!r}; choose from {', '.join(SPLITS)}, or None"
    if not clip.groups:
        yield f"{name}: names no group; where nothing is known, the clip is its own (key 'clip')"
    for key, value in clip.groups.items():
        if not key or not value:
            yield f"{name}: the group {key!r} is {value!r}; neither may be empty"
    described = clip.describe()
    try:
        json.dumps(described, allow_nan=False)
    except (TypeError, ValueError) as error:
        yield f"{name}: its description is no JSON value: {error}"
    if described != clip.describe():
        yield f"{name}: describes itself otherwise the second time"
    yield from _about_its_sound(clip)


def _about_its_sound(clip: Clip) -> Iterator[str]:
    name = clip.clip_id
    try:
        own = clip.read(sample_rate=None)
        again = clip.read(sample_rate=None)
        probed = clip.read(sample_rate=PROBE_RATE)
    except OtoscopeError as error:
        yield f"{name}: cannot be read: {error}"
        return
    if own.digest() != again.digest():
        yield f"{name}: is another sound when read again"
    if own.clip_id != name:
        yield f"{name}: its waveform is called {own.clip_id!r}"
    if probed.sample_rate != PROBE_RATE:
        yield f"{name}: is at {probed.sample_rate} Hz where {PROBE_RATE} Hz were asked for"
    elif abs(probed.duration_s - own.duration_s) > 1 / PROBE_RATE:
        yield f"{name}: lasts {own.duration_s} s at its own rate and {probed.duration_s} s at {PROBE_RATE} Hz"
