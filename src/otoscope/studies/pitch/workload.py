"""What a run has to hear, counted before it hears anything: clips and seconds of every language, split and shard.

Durations come from :meth:`otoscope.corpora.base.Clip.measure`. Where that would mean to open or to read many files, a
seeded sample stands for the rest, and says how large it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from otoscope.corpora.base import SPLITS, Clip, HasDuration, Split
from otoscope.corpora.fleurs_sizes import LONGEST_S, TYPICAL_S, fleurs_sizes
from otoscope.corpora.languages import languages
from otoscope.errors import DataError, SpecError
from otoscope.evaluation.splits import seeded_generator
from otoscope.studies.pitch.plan import Plan

__all__ = ["Load", "ShardLoad", "Workload", "fleurs_workload", "workload_of"]

MOST_HEADERS = 200  # of a language and split: a file is opened for each
MOST_READ = 5  # of a language and split: a file is decoded for each
STAND_IN_ID = 40  # bytes of a clip's id in the hub's copy of FLEURS
ROUGH_HOURS = 1.2  # what the hours of a corpus that nobody has measured may be off by, as a factor


@dataclass(frozen=True, slots=True)
class ShardLoad:
    """What one shard has to hear.

    Parameters
    ----------
    shard_id : str
        As in the plan.
    n_clips : int
        How many.
    audio_s : float, seconds
        Of all its clips.
    id_bytes : int
        Of the names of its clips.
    n_blocks : int
        For choosing lambda; 1 where there is a dev split.
    """

    shard_id: str
    n_clips: int
    audio_s: float
    id_bytes: int
    n_blocks: int = 1


@dataclass(frozen=True, slots=True)
class Load:
    """What one language and split has to hear.

    Parameters
    ----------
    language : str
        Code.
    split : {"train", "dev", "test"}
        Which.
    shards : tuple of ShardLoad
        In the order of their ids.
    n_blocks : int
        Of all shards together.
    n_measured : int
        Clips whose duration is known; the others stand in with the mean of those.
    error_s : float, seconds
        Standard error of `audio_s`; 0 where every clip was measured.
    longest_s : float, seconds
        The longest clip that was measured.
    """

    language: str
    split: Split
    shards: tuple[ShardLoad, ...]
    n_blocks: int
    n_measured: int
    error_s: float
    longest_s: float

    @property
    def n_clips(self) -> int:
        """Of all shards."""
        return sum(shard.n_clips for shard in self.shards)

    @property
    def audio_s(self) -> float:
        """Seconds of all shards."""
        return sum(shard.audio_s for shard in self.shards)


@dataclass(frozen=True, slots=True)
class Workload:
    """What a run has to hear.

    Parameters
    ----------
    loads : tuple of Load
        In the order of languages and of train, dev, test.
    regions, tone_types : mapping of str to str or None
        For every language.
    n_groups : mapping of str to int
        Clusters in the train and dev clips of each language; empty where nobody has counted them.
    factor : float, >= 1
        What the hours may be off by.
    notes : tuple of str
        What the user should know of where the counts come from.
    """

    loads: tuple[Load, ...]
    regions: Mapping[str, str | None]
    tone_types: Mapping[str, str | None]
    n_groups: Mapping[str, int]
    factor: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def audio_s(self) -> float:
        """Seconds of all clips."""
        return sum(load.audio_s for load in self.loads)

    def with_split(self, split: Split) -> tuple[str, ...]:
        """Give the languages that have clips in a split.

        Parameters
        ----------
        split : {"train", "dev", "test"}
            Which.

        Returns
        -------
        tuple of str
            Sorted.
        """
        return tuple(sorted(load.language for load in self.loads if load.split == split))


def workload_of(plan: Plan, *, seed: int = 0) -> Workload:
    """Count what a plan has to hear.

    Parameters
    ----------
    plan : Plan
        Its clips are asked for their durations; few of them are opened, fewer are read.
    seed : int
        Of the sample that is measured where measuring all would take long.

    Returns
    -------
    Workload
        A clip that cannot be measured counts with the mean of the others.
    """
    loads: list[Load] = []
    notes: list[str] = []
    for code in plan.languages:
        for split in SPLITS:
            shards = plan.of(code, split)
            if shards:
                loads.append(_load(plan, code, split, seed))
    n_measured, n_clips = sum(load.n_measured for load in loads), sum(load.n_clips for load in loads)
    audio_s, error_s = sum(load.audio_s for load in loads), float(np.hypot.reduce([load.error_s for load in loads]))
    if not n_measured:
        notes.append(f"No clip could be measured; {TYPICAL_S:g} seconds stand in for each.")
        return Workload(tuple(loads), plan.regions, plan.tone_types, _groups(plan), 2.0, tuple(notes))
    if n_measured < n_clips:
        notes.append(
            f"The hours are those of a seeded sample: {n_measured:,} of {n_clips:,} clips were measured "
            f"({100 * error_s / audio_s:.1f} % standard error)."
        )
    factor = 1.0 + 2 * error_s / audio_s if audio_s else 1.0
    return Workload(tuple(loads), plan.regions, plan.tone_types, _groups(plan), factor, tuple(notes))


def _groups(plan: Plan) -> dict[str, int]:
    return {code: len(found) for code, found in plan.learnt_clusters().items()}


def _load(plan: Plan, code: str, split: Split, seed: int) -> Load:
    clips = plan.clips(code, split)
    known = _measured(clips, seed, code, split)
    lengths = np.array(list(known.values()))
    mean = float(lengths.mean()) if lengths.size else TYPICAL_S
    spread = float(lengths.std(ddof=1)) if lengths.size > 1 else mean / 2
    n_unknown = len(clips) - lengths.size
    blocks = {clip.clip_id: plan.blocks.get(clip.clip_id, -1) for clip in clips}
    shards = tuple(
        ShardLoad(
            shard.shard_id,
            len(shard.clips),
            sum(known.get(clip.clip_id, mean) for clip in shard.clips),
            sum(len(clip.clip_id.encode()) for clip in shard.clips),
            len({blocks[clip.clip_id] for clip in shard.clips}),
        )
        for shard in plan.of(code, split)
    )
    # The rest's own scatter, and that of the mean that stands in for it.
    error_s = spread * np.sqrt(n_unknown + n_unknown**2 / max(lengths.size, 1)) if n_unknown else 0.0
    longest_s = float(lengths.max()) if lengths.size else LONGEST_S
    return Load(code, split, shards, len(set(blocks.values())), int(lengths.size), float(error_s), longest_s)


def _measured(clips: Sequence[Clip], seed: int, *names: str) -> dict[str, float]:
    """Measure the clips whose length is known, and a seeded sample of those that must be opened or read."""
    known = {clip.clip_id: clip.duration_s for clip in clips if clip.duration_s is not None}
    for opened, most in ((True, MOST_HEADERS), (False, MOST_READ)):
        rest = [c for c in clips if c.duration_s is None and isinstance(c.source, HasDuration) == opened]
        drawn = seeded_generator(seed, "durations", *names).permutation(len(rest))[:most]
        for i in sorted(drawn.tolist()):
            try:
                known[rest[i].clip_id] = rest[i].measure()
            except DataError:
                continue
    return known


def fleurs_workload(codes: Iterable[str] | None = None, *, shard_clips: int = 64) -> Workload:
    """Count what FLEURS has to be heard for, without a copy of it: roughly, from unverified counts.

    Parameters
    ----------
    codes : iterable of str, optional
        FLEURS configs; all 102 without it.
    shard_clips : int, > 0
        Clips per shard.

    Returns
    -------
    Workload
        Its notes say how rough it is.

    Raises
    ------
    SpecError
        If FLEURS has no such language.
    """
    table, sizes = languages(), fleurs_sizes()
    wanted = sorted(set(table if codes is None else codes))
    missing = [code for code in wanted if code not in table]
    if missing:
        raise SpecError(f"FLEURS has no language {', '.join(missing)}; `otoscope languages` lists those that it has")
    loads: list[Load] = []
    for code in wanted:
        for split, n in sizes[code].recordings.items():
            counts = [min(shard_clips, n - start) for start in range(0, n, shard_clips)]
            shards = tuple(
                ShardLoad(f"{code}.{split}.{i:05d}", count, count * TYPICAL_S, count * STAND_IN_ID)
                for i, count in enumerate(counts)
            )
            loads.append(Load(code, split, shards, 1, 0, 0.0, LONGEST_S))
    n_unseen = sum(not sizes[code].seen for code in wanted)
    stand_in = f", and a mean for {n_unseen} of the languages" if n_unseen else ""
    note = (
        "A rough estimate: there is no copy of FLEURS here, so the recordings were not counted. Their numbers are "
        f"those of the dataset viewer, unverified{stand_in}; each is taken to last {TYPICAL_S:g} seconds."
    )
    return Workload(
        tuple(loads),
        {code: table[code].region for code in wanted},
        {code: table[code].tone_type for code in wanted},
        {},
        ROUGH_HOURS,
        (note,),
    )
