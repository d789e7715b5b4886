"""A part of a corpus: by split, gender and length, the same sentences in every language, balanced, and so many.

What is chosen by chance is chosen by the hash of a seed and a name. So the choice in one language does not depend on
which other languages are there, and a larger choice holds every smaller one of the same seed.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from otoscope.corpora.base import SPLITS, Clip, Corpus, Failure, Split
from otoscope.corpora.selection_words import (
    in_words,
    no_gender,
    no_hours,
    no_length,
    of_genders,
    of_lengths,
    of_splits,
)
from otoscope.corpora.wording import counted, joined, some_of
from otoscope.errors import DataError, SpecError

__all__ = ["Selection", "select"]

Part = tuple[str, Split | None]
Parts = dict[Part, list[Clip]]
BALANCED = ("male", "female")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to keep of a corpus.

    The filters work in the order of the parameters. "Each part" is each split of each language.

    Parameters
    ----------
    splits : tuple of {"train", "dev", "test"} or None
        Which splits; None keeps all, and clips without a split.
    genders : tuple of str or None
        Which genders, as the corpus names them (``male``, ``female``, ``other``); None keeps all, and clips whose
        gender is not known.
    min_s, max_s : float or None, seconds
        The least and the most length, both included.
    content_matched : bool
        Keep only sentences that every language has, in each split by itself, and one recording of each per language,
        chosen by the seed. A language that has nothing left in a split has no say there.
    gender_balanced : bool
        Keep as many men as women in each part. Each clip of the rarer gender gets the clip of the other one that is
        nearest in length among those left, so that the hours are as near as can be. A part without men or without
        women is dropped. With `content_matched` the sentences are the same in every language all the same: where both
        have read a sentence, the gender that has fallen behind in that language is taken; what inequality is left is
        in the notes.
    clips : int or None
        The most clips of each part; with `gender_balanced` alone, rounded down to an even number. With
        `content_matched` these are the same sentences in every language.
    hours : float or None
        The most hours of each part: clips are taken in their drawn order until the next would go beyond.
    seed : int
        Of what is drawn.

    Raises
    ------
    SpecError
        If a value cannot be, or two contradict each other.
    """

    splits: tuple[Split, ...] | None = None
    genders: tuple[str, ...] | None = None
    min_s: float | None = None
    max_s: float | None = None
    content_matched: bool = False
    gender_balanced: bool = False
    clips: int | None = None
    hours: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.splits is not None and (not self.splits or set(self.splits) - set(SPLITS)):
            unknown = joined([repr(split) for split in self.splits if split not in SPLITS] or ["none"])
            raise SpecError(f"Selection: the splits asked for are {unknown}; choose from {', '.join(SPLITS)}")
        if self.genders is not None and not self.genders:
            raise SpecError("Selection: genders names nothing; name one or more, or leave it out")
        if self.gender_balanced and self.genders is not None and not set(BALANCED) <= set(self.genders):
            raise SpecError(
                f"Selection: gender_balanced needs {' and '.join(BALANCED)}, genders keeps {', '.join(self.genders)}"
            )
        for name in ("min_s", "max_s", "hours"):
            value: float | None = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise SpecError(f"Selection: {name} is {value}; it must be above 0 and finite")
        if self.min_s is not None and self.max_s is not None and self.min_s > self.max_s:
            raise SpecError(f"Selection: min_s is {self.min_s} and max_s is {self.max_s}; no length is between them")
        least = 2 if self.gender_balanced and not self.content_matched else 1
        if self.clips is not None and self.clips < least:
            raise SpecError(f"Selection: clips is {self.clips}; at least {least} must be kept")

    def words(self) -> str:
        """Say what is asked for, in words.

        Returns
        -------
        str
            ``every clip`` where nothing is.

        Examples
        --------
        >>> Selection(genders=("female",), clips=5).words()
        'at most 5 clips per language and split; women only'
        >>> Selection().words()
        'every clip'
        """
        return in_words(self)

    def describe(self) -> dict[str, object]:
        """Give all that identifies this selection, for digests.

        Returns
        -------
        dict
            A JSON value; splits and genders in an order of their own.
        """
        return {
            "splits": None if self.splits is None else [split for split in SPLITS if split in self.splits],
            "genders": None if self.genders is None else sorted(set(self.genders)),
            "min_s": self.min_s,
            "max_s": self.max_s,
            "content_matched": self.content_matched,
            "gender_balanced": self.gender_balanced,
            "clips": self.clips,
            "hours": self.hours,
            "seed": self.seed,
        }

    @property
    def measures(self) -> bool:
        """Whether lengths are needed."""
        lengths = (self.min_s, self.max_s, self.hours)
        return any(value is not None for value in lengths) or (self.gender_balanced and not self.content_matched)


def select(corpus: Corpus, selection: Selection) -> Corpus:
    """Keep a part of a corpus.

    Parameters
    ----------
    corpus : Corpus
        Any.
    selection : Selection
        What to keep.

    Returns
    -------
    Corpus
        Its clips in the order that they had. A clip whose length is needed and cannot be found is in `failures`.
        Notes say what was dropped as a whole, and what matching and balancing left.

    Raises
    ------
    SpecError
        If nothing is left; the message says which filter took the last, and what there is instead.

    Examples
    --------
    >>> from otoscope.testing.planted import planted_corpus
    >>> corpus = planted_corpus(languages=("en_us", "de_de"), n_sentences=8, duration_s=1.5)
    >>> kept = select(corpus, Selection(splits=("test",), clips=1))
    >>> [clip.language for clip in kept.clips]
    ['en_us', 'de_de']
    """
    choosing = _Choosing(corpus, selection)
    parts: Parts = {}
    for clip in corpus.clips:
        parts.setdefault((clip.language, clip.split), []).append(clip)
    splits, genders = selection.splits, selection.genders
    if splits is not None:
        kept = {part: clips for part, clips in parts.items() if part[1] in splits}
        parts = choosing.checked(kept, choosing.no_split, before=parts, said="")
    if genders is not None:
        kept = {part: [clip for clip in clips if clip.gender in genders] for part, clips in parts.items()}
        parts = choosing.checked(kept, choosing.no_gender, before=parts, said="the choice of gender")
    if selection.measures:
        parts = choosing.checked(
            choosing.measured(parts), choosing.no_length, before=parts, said="the choice of length"
        )
    if selection.content_matched:
        parts = choosing.checked(choosing.matched(parts), choosing.no_sentence, before=parts, said="content_matched")
    elif selection.gender_balanced:
        parts = choosing.checked(choosing.balanced(parts), choosing.no_pair, before=parts, said="gender_balanced")
    parts = choosing.checked(choosing.cut(parts), choosing.no_hours, before=parts, said="the number of hours")
    choosing.report(parts)
    ids = {clip.clip_id for clips in parts.values() for clip in clips}
    return replace(
        corpus,
        clips=tuple(clip for clip in corpus.clips if clip.clip_id in ids),
        failures=(*corpus.failures, *choosing.failures),
        notes=(*corpus.notes, *choosing.notes),
    )


class _Choosing:
    """One selection under way: what is known of lengths, what failed, what is to be said."""

    def __init__(self, corpus: Corpus, selection: Selection) -> None:
        self.corpus = corpus
        self.selection = selection
        self.lengths_s: dict[str, float] = {}
        self.failures: list[Failure] = []
        self.notes: list[str] = []
        self.together = 2 if selection.gender_balanced and not selection.content_matched else 1

    def rank(self, name: str) -> tuple[bytes, str]:
        text = f"{self.selection.seed}:{name}"
        return hashlib.sha256(text.encode()).digest(), name

    def checked(self, parts: Parts, refusal: Callable[[Parts], str], *, before: Parts, said: str) -> Parts:
        """Drop empty parts with a note; refuse if all are empty."""
        if not any(parts.values()):
            raise SpecError(f"{self.corpus.name}: {refusal(before)}")
        if empty := [part for part, clips in parts.items() if not clips]:
            if said:
                self.notes.append(f"{said} leaves nothing of {_listed(empty)}")
            parts = {part: clips for part, clips in parts.items() if clips}
        return parts

    def kept(self, *, genders: bool = True, lengths: bool = False) -> str:
        """Say which filters the clips had passed before, in parentheses."""
        asked = self.selection
        done = [of_splits(asked.splits)] if asked.splits is not None else []
        if genders and asked.genders is not None:
            done.append(of_genders(asked.genders))
        if lengths and (asked.min_s is not None or asked.max_s is not None):
            done.append(f"clips of {of_lengths(asked.min_s, asked.max_s)}")
        return f" (kept before: {'; '.join(done)})" if done else ""

    def no_split(self, before: Parts) -> str:
        asked = [split for split in SPLITS if split in (self.selection.splits or ())]
        there = {split for _, split in before}
        if there <= {None}:
            return f"no clip is in {joined(asked, 'or')}; the corpus has no splits"
        return f"no clip is in {joined(asked, 'or')}; the corpus has {', '.join(s for s in SPLITS if s in there)}"

    def no_gender(self, before: Parts) -> str:
        return no_gender(self.selection.genders or (), _clips(before)) + self.kept(genders=False)

    def no_length(self, before: Parts) -> str:
        asked = self.selection
        if self.lengths_s and (asked.min_s is not None or asked.max_s is not None):
            return no_length(asked.min_s, asked.max_s, self.lengths_s.values()) + self.kept()
        first = f"; {self.failures[0].clip_id}: {self.failures[0].reason}" if self.failures else ""
        return f"the length of no clip can be found{first}{self.kept()}"

    def no_sentence(self, before: Parts) -> str:
        counts = "; ".join(
            note.removeprefix("content_matched: ") for note in self.notes if note.startswith("content_matched: ")
        )
        return f"no sentence is in every language: {counts}{self.kept(lengths=True)}; name fewer languages"

    def no_pair(self, before: Parts) -> str:
        there = sorted({clip.gender for clip in _clips(before) if clip.gender is not None})
        has = some_of(there) if there else "no gender of any clip"
        return (
            f"nothing can be balanced: no language has clips of men and of women in one split; the corpus has {has}"
            f"{self.kept(lengths=True)}"
        )

    def no_hours(self, before: Parts) -> str:
        lengths_s = [self.lengths_s[clip.clip_id] for clip in _clips(before)]
        said = no_hours(self.selection.hours or 0.0, lengths_s, together=self.together)
        return said + self.kept(lengths=True)

    def measured(self, parts: Parts) -> Parts:
        low, high = self.selection.min_s or 0.0, self.selection.max_s or float("inf")
        kept: Parts = {}
        for part, clips in parts.items():
            kept[part] = []
            for clip in clips:
                try:
                    length_s = clip.measure()
                except DataError as error:
                    self.failures.append(Failure(clip.clip_id, "audio", error.problem))
                    continue
                self.lengths_s[clip.clip_id] = length_s
                if low <= length_s <= high:
                    kept[part].append(clip)
        return kept

    def sentences(self, clips: Iterable[Clip]) -> dict[str, list[Clip]]:
        found: dict[str, list[Clip]] = {}
        for clip in clips:
            if "sentence" not in clip.groups:
                raise SpecError(
                    f"{clip.clip_id}: the corpus does not say which sentence it is; content_matched needs the group "
                    "key `sentence` for every clip"
                )
            found.setdefault(clip.groups["sentence"], []).append(clip)
        return found

    def matched(self, parts: Parts) -> Parts:
        """Keep common sentences, in an order drawn for all languages at once, one recording of each."""
        if self.selection.gender_balanced:
            parts = self.checked(
                {part: clips if _has_both(clips) else [] for part, clips in parts.items()},
                self.no_pair,
                before=parts,
                said="gender_balanced",
            )
        kept: Parts = {}
        for split in dict.fromkeys(split for _, split in parts):
            by_language = {part: self.sentences(clips) for part, clips in parts.items() if part[1] == split}
            common = set.intersection(*(set(sentences) for sentences in by_language.values()))
            order = sorted(common, key=self.rank)
            for part, sentences in by_language.items():
                kept[part] = self.one_of_each([sentences[key] for key in order])
            all_of_them = set().union(*by_language.values())
            self.notes.append(
                f"content_matched: {split or 'no split'}: {len(common)} of {counted(len(all_of_them), 'sentence')} "
                f"{'is' if len(common) == 1 else 'are'} in all {counted(len(by_language), 'language')}"
            )
        return kept

    def one_of_each(self, sentences: Sequence[list[Clip]]) -> list[Clip]:
        taken: list[Clip] = []
        ahead = 0  # men taken beyond women
        for recordings in sentences:
            drawn = sorted(recordings, key=lambda clip: self.rank(clip.clip_id))
            if self.selection.gender_balanced:
                drawn = [clip for clip in drawn if clip.gender in BALANCED] or drawn
                wanted = "female" if ahead > 0 else "male" if ahead < 0 else None
                drawn = [clip for clip in drawn if clip.gender == wanted] or drawn
            taken.append(drawn[0])
            ahead += {"male": 1, "female": -1}.get(str(drawn[0].gender), 0)
        return taken

    def balanced(self, parts: Parts) -> Parts:
        return {part: self.pairs(clips) if _has_both(clips) else [] for part, clips in parts.items()}

    def pairs(self, clips: Sequence[Clip]) -> list[Clip]:
        """Give pairs of a man and a woman of like length, one after the other, in a drawn order."""
        men, women = ([clip for clip in clips if clip.gender == gender] for gender in BALANCED)
        fewer, more = (men, women) if len(men) <= len(women) else (women, men)
        left: list[tuple[float, tuple[bytes, str], Clip]] = []
        for clip in more:
            insort(left, (self.lengths_s[clip.clip_id], self.rank(clip.clip_id), clip), key=lambda found: found[:2])
        paired: list[Clip] = []
        for clip in sorted(fewer, key=lambda clip: self.rank(clip.clip_id)):
            length_s = self.lengths_s[clip.clip_id]
            at = bisect_left(left, length_s, key=lambda found: found[0])
            near = [i for i in (at - 1, at) if 0 <= i < len(left)]
            best = min(near, key=lambda i: (abs(left[i][0] - length_s), left[i][1]))
            paired += [clip, left.pop(best)[2]]
        return paired

    def cut(self, parts: Parts) -> Parts:
        """Take so many clips, or pairs, in their drawn order."""
        selection, step = self.selection, self.together
        if selection.clips is None and selection.hours is None:
            return parts
        kept: Parts = {}
        for part, clips in parts.items():
            drawn = clips
            if not selection.content_matched and step == 1:
                drawn = sorted(clips, key=lambda clip: self.rank(clip.clip_id))
            units = [drawn[i : i + step] for i in range(0, len(drawn), step)]
            if selection.clips is not None:
                units = units[: selection.clips // step]
            if selection.hours is not None:
                sums = accumulate(sum(self.lengths_s[clip.clip_id] for clip in unit) for unit in units)
                units = units[: sum(total <= selection.hours * 3600 for total in sums)]
            kept[part] = [clip for unit in units for clip in unit]
        if selection.content_matched and selection.hours is not None:
            kept = _same_number(kept)
        return kept

    def report(self, parts: Parts) -> None:
        if not self.selection.gender_balanced:
            return
        n_men, n_women = (
            sum(clip.gender == gender for clips in parts.values() for clip in clips) for gender in BALANCED
        )
        uneven = {}
        for part, clips in parts.items():
            men, women = (sum(clip.gender == gender for clip in clips) for gender in BALANCED)
            if men != women:
                uneven[part] = f"{_listed([part])} ({men} and {women})"
        said = f"gender_balanced: {counted(n_men, 'clip')} of men and {n_women} of women"
        self.notes.append(said + (f"; not equal in {', '.join(uneven.values())}" if uneven else ""))


def _same_number(parts: Mapping[Part, list[Clip]]) -> Parts:
    """Cut each split to its shortest language, so that the sentences stay the same in all."""
    least: dict[Split | None, int] = {}
    for (_, split), clips in parts.items():
        least[split] = min(least.get(split, len(clips)), len(clips))
    return {part: clips[: least[part[1]]] for part, clips in parts.items()}


def _clips(parts: Parts) -> list[Clip]:
    return [clip for clips in parts.values() for clip in clips]


def _has_both(clips: Iterable[Clip]) -> bool:
    return set(BALANCED) <= {clip.gender for clip in clips}


def _listed(parts: Sequence[Part]) -> str:
    return some_of([f"{code}/{split}" if split else code for code, split in parts], most=8)
