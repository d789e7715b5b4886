"""Clips, corpora, and the laws that every corpus keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args, runtime_checkable

from otoscope.audio import Waveform
from otoscope.corpora.wording import some_of
from otoscope.errors import DataError, LeakageError, SpecError

__all__ = ["SPLITS", "Clip", "ClipSource", "Corpus", "Failure", "HasDuration", "Split"]

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


class ClipSource(Protocol):
    """Where the sound of a clip comes from."""

    def read(self, clip_id: str, *, sample_rate: int | None) -> Waveform:
        """Read the sound.

        Parameters
        ----------
        clip_id : str
            The name to use in messages.
        sample_rate : int or None, hertz
            The rate wanted; None keeps the source's own.

        Returns
        -------
        Waveform
            Mono and finite.

        Raises
        ------
        DataError
            If it cannot be read, with the reason.
        """
        ...

    def describe(self) -> str:
        """Say where it is, for digests and for people.

        Returns
        -------
        str
            A path, a stretch of a file, a member of an archive.
        """
        ...

    def stamp(self) -> str:
        """Give a text that changes when the sound may have changed, without reading it.

        Returns
        -------
        str
            Size and time of a file; the same text for ever where the sound cannot change.
        """
        ...


@runtime_checkable
class HasDuration(Protocol):
    """A source that knows how long it is without being read."""

    def duration_s(self, clip_id: str) -> float:
        """Say how long the sound is.

        Parameters
        ----------
        clip_id : str
            The name to use in messages.

        Returns
        -------
        float, seconds
            As a header says.

        Raises
        ------
        DataError
            If it cannot be read, with the reason.
        """
        ...


@dataclass(frozen=True, slots=True)
class Failure:
    """One clip that could not be used.

    Parameters
    ----------
    clip_id : str
        The clip, or the line of the manifest where it has no id.
    stage : {"corpus", "audio", "labels", "features", "model"}
        Where it failed.
    reason : str
        Why.
    """

    clip_id: str
    stage: Literal["corpus", "audio", "labels", "features", "model"]
    reason: str


@dataclass(frozen=True, slots=True)
class Clip:
    """One piece of audio and what is known of it.

    Parameters
    ----------
    clip_id : str
        Unique in its corpus.
    source : ClipSource
        Where its sound is.
    language : str
        A FLEURS config such as ``en_us``, or the user's own code; ``und`` where it is not known.
    groups : mapping of str to str
        Group keys: what must not stand on two sides of a split (``sentence``, ``voice``, ``speaker`` ...).
    split : {"train", "dev", "test"} or None
        None where the corpus does not say.
    gender : str or None
        As the corpus says.
    text : str or None
        What is spoken, where known.
    duration_s : float or None, seconds
        As the corpus says; it is no part of the clip's identity.
    """

    clip_id: str
    source: ClipSource
    language: str
    groups: Mapping[str, str] = field(default_factory=dict[str, str])
    split: Split | None = None
    gender: str | None = None
    text: str | None = None
    duration_s: float | None = None

    def __post_init__(self) -> None:
        if not self.clip_id:
            raise SpecError("Clip: the id is empty")
        if not self.language:
            raise DataError(self.clip_id, "the language is empty")
        if self.split is not None and self.split not in SPLITS:
            raise DataError(self.clip_id, f"split is {self.split!r}; choose from {', '.join(SPLITS)}")

    def read(self, *, sample_rate: int | None) -> Waveform:
        """Read the sound of this clip.

        Parameters
        ----------
        sample_rate : int or None, hertz
            The rate wanted; None keeps the source's own.

        Returns
        -------
        Waveform
            Mono and finite.
        """
        return self.source.read(self.clip_id, sample_rate=sample_rate)

    def measure(self) -> float:
        """Give the duration: as the corpus says, or else as the sound's header says, or else by reading the sound.

        Returns
        -------
        float, seconds
            Its length.

        Raises
        ------
        DataError
            If it has to be read and cannot be.
        """
        if self.duration_s is not None:
            return self.duration_s
        if isinstance(self.source, HasDuration) and callable(self.source.duration_s):
            return self.source.duration_s(self.clip_id)
        return self.read(sample_rate=None).duration_s

    def describe(self) -> dict[str, object]:
        """Give all that identifies this clip, for digests.

        Returns
        -------
        dict
            A JSON value.
        """
        return {
            "clip_id": self.clip_id,
            "source": self.source.describe(),
            "language": self.language,
            "groups": dict(self.groups),
            "split": self.split,
            "gender": self.gender,
        }


@dataclass(frozen=True, slots=True)
class Corpus:
    """Clips with a name, a licence and a citation.

    Parameters
    ----------
    name : str
        As the user names it on the command line.
    clips : tuple of Clip
        Ids are unique.
    licence : str
        What may be done with the audio; "unknown" where nobody said.
    citation : str
        Whom to cite.
    failures : tuple of Failure
        What the corpus itself could not use (a bad row of a manifest).
    notes : tuple of str
        What the user should know: ignored columns, languages outside the table.

    Raises
    ------
    SpecError
        If two clips have the same id.
    LeakageError
        If a group key's value stands on two sides of the corpus's own split within one language.
    """

    name: str
    clips: tuple[Clip, ...]
    licence: str = "unknown"
    citation: str = "unknown"
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for clip in self.clips:
            if clip.clip_id in seen:
                raise SpecError(f"{self.name}: two clips have the id {clip.clip_id!r}; ids must be unique")
            seen.add(clip.clip_id)
        check_groups(self.clips)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages there are, sorted."""
        return tuple(sorted({clip.language for clip in self.clips}))

    def only(self, languages: Iterable[str]) -> Corpus:
        """Keep some languages.

        Parameters
        ----------
        languages : iterable of str
            Each must be in the corpus.

        Returns
        -------
        Corpus
            With those clips; failures are kept.

        Raises
        ------
        SpecError
            If a language is not there; the message says which are.
        """
        wanted = set(languages)
        missing = sorted(wanted - set(self.languages))
        if missing:
            raise SpecError(f"{self.name}: has no language {', '.join(missing)}; it has {some_of(self.languages)}")
        kept = tuple(clip for clip in self.clips if clip.language in wanted)
        return Corpus(self.name, kept, self.licence, self.citation, self.failures, self.notes)


def check_groups(clips: Iterable[Clip]) -> None:
    """Check that no group key's value stands on two sides of a split within one language.

    Parameters
    ----------
    clips : iterable of Clip
        Those without a split are passed over.

    Raises
    ------
    LeakageError
        With the language, the key, its value and two clips.
    """
    side: dict[tuple[str, str, str], Clip] = {}
    for clip in clips:
        if clip.split is None:
            continue
        for key, value in clip.groups.items():
            other = side.setdefault((clip.language, key, value), clip)
            if other.split != clip.split:
                raise LeakageError(
                    f"{clip.language}: {key} {value!r} is in {other.split} ({other.clip_id}) and in "
                    f"{clip.split} ({clip.clip_id}); give one side to each {key}, or leave the split out"
                )
