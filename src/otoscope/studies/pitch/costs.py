"""What a run costs, as numbers: of a language and split, of a language, of everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from otoscope.corpora.base import Split

__all__ = ["LanguageEstimate", "PartEstimate", "RunEstimate"]


@dataclass(frozen=True, slots=True)
class PartEstimate:
    """What one language and split costs, for all models together.

    Parameters
    ----------
    language : str
        Code.
    split : {"train", "dev", "test"}
        Which.
    n_clips, n_shards : int
        How many.
    n_measured : int
        Clips whose duration is known.
    audio_s : float, seconds
        Of all clips.
    done : float, in [0, 1]
        How much of the work stands in the run directory already, by the seconds of audio of every model.
    model_s : float, seconds
        Still to be spent on models, moments, scores and files.
    label_s : float, seconds
        Still to be spent on reading and on labels.
    file_bytes : int
        Of the files that stay.
    sparse_bytes : int
        More than that, if there are clips with fewer than ten voiced frames.
    shard_bytes : int
        Of the shards that stand beside it while it is worked on.
    unwritten_bytes : int
        Of the files that stay and are not there yet, and of what shards are missing beside them.
    """

    language: str
    split: Split
    n_clips: int
    n_shards: int
    n_measured: int
    audio_s: float
    done: float
    model_s: float
    label_s: float
    file_bytes: int
    sparse_bytes: int
    shard_bytes: int
    unwritten_bytes: int


@dataclass(frozen=True, slots=True)
class LanguageEstimate:
    """What one language costs.

    Parameters
    ----------
    language : str
        Code.
    region : str or None
        None where it is not in the table.
    parts : tuple of PartEstimate
        Of its splits.
    """

    language: str
    region: str | None
    parts: tuple[PartEstimate, ...]

    @property
    def n_clips(self) -> int:
        """Of all splits."""
        return sum(part.n_clips for part in self.parts)

    @property
    def work_s(self) -> float:
        """Still to be spent, on one process."""
        return sum(part.model_s + part.label_s for part in self.parts)

    @property
    def file_bytes(self) -> int:
        """Of the files that stay."""
        return sum(part.file_bytes for part in self.parts)

    def audio_s(self, *splits: Split) -> float:
        """Give the seconds of audio.

        Parameters
        ----------
        *splits : {"train", "dev", "test"}
            Of these; of all without any.

        Returns
        -------
        float, seconds
            0 where the language has no such split.
        """
        return sum(part.audio_s for part in self.parts if not splits or part.split in splits)


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """What a run costs.

    Parameters
    ----------
    models : tuple of str
        Their names.
    how : mapping of str to str
        For each model, how its hours were found.
    languages : tuple of LanguageEstimate
        In the order of their codes.
    solve_s, shift_s : float, seconds
        Still to be spent on solving and on shift vectors.
    processes, devices : int
        What the wall-clock time is for; without devices, models run on the processes.
    threads : int or None
        Of each process; None where models were left as they are.
    wall_s : float, seconds
        Until the run is finished.
    within : float, >= 1
        The factor that hours may be off by, either way.
    probe_bytes, label_bytes, book_bytes : int
        Of the files beside the cells: probes and shift vectors; the cache of labels, which is elsewhere; the rest,
        roughly.
    memory : mapping of str to int, bytes
        What one model process holds while clips go through, by kind.
    solve_bytes : int
        What solving holds, the program included.
    notes : tuple of str
        What the user should know.
    """

    models: tuple[str, ...]
    how: Mapping[str, str]
    languages: tuple[LanguageEstimate, ...]
    solve_s: float
    shift_s: float
    processes: int
    devices: int
    threads: int | None
    wall_s: float
    within: float
    probe_bytes: int
    label_bytes: int
    book_bytes: int
    memory: Mapping[str, int]
    solve_bytes: int
    notes: tuple[str, ...]

    @property
    def parts(self) -> tuple[PartEstimate, ...]:
        """Of all languages."""
        return tuple(part for each in self.languages for part in each.parts)

    @property
    def audio_s(self) -> float:
        """Seconds of all clips."""
        return sum(part.audio_s for part in self.parts)

    @property
    def n_clips(self) -> int:
        """Of all languages."""
        return sum(part.n_clips for part in self.parts)

    @property
    def done(self) -> float:
        """How much of the passes is done, by seconds of audio."""
        return sum(part.done * part.audio_s for part in self.parts) / self.audio_s if self.audio_s else 0.0

    @property
    def cell_bytes(self) -> int:
        """Of the folded files of all languages, without those of clips with next to no voice."""
        return sum(part.file_bytes for part in self.parts)

    @property
    def file_bytes(self) -> int:
        """Of the whole run directory when it is finished."""
        return self.cell_bytes + self.probe_bytes + self.book_bytes

    @property
    def most_file_bytes(self) -> int:
        """The same, if every language has clips with next to no voice."""
        return self.file_bytes + sum(part.sparse_bytes for part in self.parts)

    @property
    def peak_disk_bytes(self) -> int:
        """What must be free where the run stands: all that is not there yet, and the shards of one language."""
        beside = max((part.shard_bytes for part in self.parts if part.done < 1), default=0)
        sparse = sum(part.sparse_bytes for part in self.parts if part.done < 1)
        return sum(part.unwritten_bytes for part in self.parts) + sparse + beside + self.probe_bytes + self.book_bytes

    @property
    def written_bytes(self) -> int:
        """Of all files that are written and let go of on the way: shards, before they are folded."""
        return sum(round(part.shard_bytes * (1 - part.done)) for part in self.parts)

    @property
    def peak_memory_bytes(self) -> int:
        """What the run holds at most: passes in all model processes, or solving."""
        return max(sum(self.memory.values()) * max(1, self.devices or self.processes), self.solve_bytes)

    def describe(self) -> dict[str, Any]:
        """Give it as a JSON value.

        Returns
        -------
        dict
            Hours, bytes, and a row for each language.
        """
        return {
            "models": [{"model": name, "how": self.how[name]} for name in self.models],
            "n_languages": len(self.languages),
            "n_clips": self.n_clips,
            "audio_h": self.audio_s / 3600,
            "done": self.done,
            "wall_h": self.wall_s / 3600,
            "wall_h_low": self.wall_s / 3600 / self.within,
            "wall_h_high": self.wall_s / 3600 * self.within,
            "solve_h": self.solve_s / 3600,
            "processes": self.processes,
            "devices": self.devices,
            "threads": self.threads,
            "disk": {
                "cells": self.cell_bytes,
                "probes": self.probe_bytes,
                "books": self.book_bytes,
                "run": self.file_bytes,
                "run_at_most": self.most_file_bytes,
                "must_be_free": self.peak_disk_bytes,
                "written_and_let_go": self.written_bytes,
                "label_cache": self.label_bytes,
            },
            "memory": {**self.memory, "solving": self.solve_bytes, "peak": self.peak_memory_bytes},
            "languages": [
                {
                    "language": each.language,
                    "region": each.region,
                    "n_clips": each.n_clips,
                    "work_h": each.work_s / 3600,
                    "disk": each.file_bytes,
                    "splits": {
                        part.split: {
                            "n_clips": part.n_clips,
                            "n_shards": part.n_shards,
                            "n_measured": part.n_measured,
                            "audio_h": part.audio_s / 3600,
                            "done": part.done,
                            "model_h": part.model_s / 3600,
                            "label_h": part.label_s / 3600,
                            "disk": part.file_bytes,
                        }
                        for part in each.parts
                    },
                }
                for each in self.languages
            ],
            "notes": list(self.notes),
        }
