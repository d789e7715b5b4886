"""What a run will do, decided before any sound is read: splits, clusters, shards, partners."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otoscope.corpora.base import Clip, Corpus, Split
from otoscope.corpora.languages import language
from otoscope.corpora.typology import Typology
from otoscope.errors import LeakageError, SpecError
from otoscope.evaluation.splits import connected_groups, hash_block, seeded_generator, split_by_group
from otoscope.store import digest_of
from otoscope.studies.pitch.settings import PitchSettings

__all__ = [
    "LAMBDA_BLOCKS",
    "LEARNT",
    "MATRIX_BLOCKS",
    "MIN_GROUPS",
    "Plan",
    "Shard",
    "SwapOrder",
    "make_plan",
    "part_of",
    "plan_token",
]

LEARNT: tuple[Split, ...] = ("train", "dev")  # the splits that probes are made from
LAMBDA_BLOCKS = 5
MATRIX_BLOCKS = 32
MIN_GROUPS = 10


@dataclass(frozen=True, slots=True)
class Shard:
    """A slice of one language and split: the unit of work, of retry and of resuming.

    Parameters
    ----------
    shard_id : str
        ``language.split.number``; shards are folded in the order of their ids.
    language : str
        Of all its clips.
    split : {"train", "dev", "test"}
        Of all its clips.
    clips : tuple of Clip
        In the order of the corpus.
    """

    shard_id: str
    language: str
    split: Split
    clips: tuple[Clip, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A corpus cut into shards.

    Parameters
    ----------
    shards : tuple of Shard
        In the order of their ids.
    clusters : dict of str to str
        What the interval resamples, for each clip.
    cluster_key : str
        The group key that they are values of.
    blocks : dict of str to int
        For each training clip its block for choosing lambda; empty where there is a dev split.
    regions, tone_types : dict of str to str or None
        For each language; None where it is not in the table.
    notes : tuple of str
        What the user should know.
    """

    shards: tuple[Shard, ...]
    clusters: dict[str, str]
    cluster_key: str
    blocks: dict[str, int]
    regions: dict[str, str | None]
    tone_types: dict[str, str | None]
    notes: tuple[str, ...]

    @property
    def languages(self) -> tuple[str, ...]:
        """All languages, sorted."""
        return tuple(sorted(self.regions))

    def languages_with(self, split: Split) -> tuple[str, ...]:
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
        return tuple(sorted({s.language for s in self.shards if s.split == split}))

    def of(self, language: str, split: Split) -> tuple[Shard, ...]:
        """Give the shards of a language and split.

        Parameters
        ----------
        language : str
            Which language.
        split : {"train", "dev", "test"}
            Which split.

        Returns
        -------
        tuple of Shard
            In the order of their ids.
        """
        return tuple(s for s in self.shards if (s.language, s.split) == (language, split))

    def clips(self, language: str, split: Split) -> tuple[Clip, ...]:
        """Give the clips of a language and split.

        Parameters
        ----------
        language : str
            Which language.
        split : {"train", "dev", "test"}
            Which split.

        Returns
        -------
        tuple of Clip
            In the order of the corpus.
        """
        return tuple(clip for shard in self.of(language, split) for clip in shard.clips)

    def learnt_clusters(self) -> dict[str, set[str]]:
        """Give the clusters in the train and dev clips of each language.

        Returns
        -------
        dict of str to set of str
            Values of the cluster key, for every language.
        """
        found: dict[str, set[str]] = {code: set() for code in self.regions}
        for shard in self.shards:
            if shard.split != "test":
                found[shard.language].update(self.clusters[clip.clip_id] for clip in shard.clips)
        return found

    def digests(self) -> dict[str, str]:
        """Give a digest of each language's clips and their places.

        Returns
        -------
        dict of str to str
            One per language.
        """
        parts: dict[str, list[object]] = defaultdict(list)
        for shard in self.shards:
            for clip in shard.clips:
                place = [shard.shard_id, self.clusters[clip.clip_id], self.blocks.get(clip.clip_id)]
                parts[shard.language].append([clip.describe(), place])
        return {name: digest_of(part) for name, part in sorted(parts.items())}


def _cluster_key(clips: Sequence[Clip], wanted: str) -> str:
    shared = set(clips[0].groups)
    for clip in clips:
        shared &= set(clip.groups)
    if wanted != "auto":
        if wanted not in shared:
            raise SpecError(
                f"cluster is {wanted!r}, and not every clip has that group key; all have: "
                f"{', '.join(sorted(shared)) or 'none'}"
            )
        return wanted
    if "sentence" in shared:
        return "sentence"
    return next((key for key in clips[0].groups if key in shared), "clip")


def _place(corpus: Corpus, seed: int) -> tuple[dict[str, Split], list[str]]:
    """Give every clip its split: the corpus's own, or a seeded one where it has no test split."""
    clips, notes = corpus.clips, []
    named = [clip for clip in clips if clip.split is not None]
    if any(clip.split == "test" for clip in named):
        if len(named) < len(clips):
            bare = next(clip.clip_id for clip in clips if clip.split is None)
            raise SpecError(
                f"{corpus.name}: {len(clips) - len(named)} clips have no split ({bare} ...) while others have; "
                "give all of them one, or none"
            )
        return {clip.clip_id: clip.split for clip in clips if clip.split is not None}, notes
    notes.append(
        "The corpus has no test split: clips were divided 70/10/20 by group, with the seed of the run"
        + (" (the splits that it names were not used)." if named else ".")
    )
    sides = split_by_group([clip.groups for clip in clips], [clip.language for clip in clips], seed=seed)
    return {clip.clip_id: side for clip, side in zip(clips, sides, strict=True)}, notes


def _blocks(train: Sequence[Clip], key: str) -> dict[str, int]:
    """Put training clips into blocks: by connected set, or by cluster alone where everything hangs together."""
    sets = connected_groups([clip.groups for clip in train])
    if len(set(sets)) < LAMBDA_BLOCKS:
        sets = [clip.groups.get(key, clip.clip_id) for clip in train]
    return {clip.clip_id: hash_block(name, LAMBDA_BLOCKS) for clip, name in zip(train, sets, strict=True)}


def _shared(clips: Sequence[Clip], split_of: Mapping[str, Split], key: str) -> list[str]:
    """Refuse speakers, and report sentences, that stand on two sides of the split in different languages."""
    first: dict[tuple[str, str], dict[Split, Clip]] = defaultdict(dict)
    for clip in clips:
        for group in clip.groups.items():
            first[group].setdefault(split_of[clip.clip_id], clip)
    notes: list[str] = []
    sentences = 0
    for (name, value), by_side in first.items():
        if len(by_side) < 2:
            continue
        if name == "sentence":
            sentences += 1
            continue
        (one, a), (other, b) = list(by_side.items())[:2]
        raise LeakageError(
            f"{name} {value!r} is in {one} of {a.language} ({a.clip_id}) and in {other} of {b.language} "
            f"({b.clip_id}); probes of several languages would train on whom they are tested on. Put each {name} on "
            f"one side, or, if these are two, name them apart ({a.language}-{value}, {b.language}-{value})"
        )
    if sentences:
        notes.append(f"{sentences} sentences are trained on in one language and tested in another.")
    tested = [clip for clip in clips if split_of[clip.clip_id] == "test"]
    n_clusters = len({clip.groups.get(key, clip.clip_id) for clip in tested})
    others = {name for clip in tested for name in clip.groups} - {key}
    for name in sorted(others):
        n_values = len({clip.groups.get(name) for clip in tested})
        if n_values < n_clusters:
            notes.append(
                f"Intervals resample {n_clusters} values of {key}; the {n_values} values of {name} in the test clips "
                f"are held as they are, so intervals say nothing about another {name}."
            )
    return notes


def make_plan(corpus: Corpus, settings: PitchSettings, typology: Typology | None = None) -> Plan:
    """Decide splits, clusters and shards.

    Parameters
    ----------
    corpus : Corpus
        The clips.
    settings : PitchSettings
        Seed, cluster key and shard size.
    typology : Typology, optional
        Regions and tone types; by default those that are shipped.

    Returns
    -------
    Plan
        It depends on nothing but the corpus and the settings.

    Raises
    ------
    SpecError
        If the corpus is empty, has no training clips or no test clips, or some clips only have a split.
    LeakageError
        If a group other than a sentence stands on two sides of the split in different languages.
    """
    if not corpus.clips:
        raise SpecError(f"{corpus.name}: there are no clips")
    key = _cluster_key(corpus.clips, settings.cluster)
    split_of, notes = _place(corpus, settings.seed)
    for split in ("train", "test"):
        if split not in split_of.values():
            raise SpecError(f"{corpus.name}: no clip is in the {split} split")

    by_cell: dict[tuple[str, Split], list[Clip]] = defaultdict(list)
    for clip in corpus.clips:
        by_cell[clip.language, split_of[clip.clip_id]].append(clip)
    shards: list[Shard] = []
    for (code, split), clips in by_cell.items():
        for start in range(0, len(clips), settings.shard_clips):
            number = start // settings.shard_clips
            part = tuple(clips[start : start + settings.shard_clips])
            shards.append(Shard(f"{code}.{split}.{number:05d}", code, split, part))
    shards.sort(key=lambda shard: shard.shard_id)

    languages = corpus.languages
    untested = [code for code in languages if (code, "test") not in by_cell]
    if untested:
        notes.append(f"Without test clips, so trained on and not tested: {', '.join(untested)}.")
    trained = {code for code, split in by_cell if split == "train"}
    blocks: dict[str, int] = {}
    if any((code, "dev") not in by_cell for code in trained):
        blocks = _blocks([clip for clip in corpus.clips if split_of[clip.clip_id] == "train"], key)
        notes.append("Not every language has a dev split: lambda is chosen over five blocks of the training groups.")
    notes += _shared(corpus.clips, split_of, key)
    table = {code: typology.of(code) if typology else language(code) for code in languages}
    return Plan(
        shards=tuple(shards),
        clusters={clip.clip_id: clip.groups.get(key, clip.clip_id) for clip in corpus.clips},
        cluster_key=key,
        blocks=blocks,
        regions={code: entry.region if entry else None for code, entry in table.items()},
        tone_types={code: entry.tone_type if entry else None for code, entry in table.items()},
        notes=(*corpus.notes, *notes),
    )


def part_of(shard_ids: Sequence[str], part: tuple[int, int]) -> list[str]:
    """Give the shards of one part of a pass: a stretch of all of them, whatever is done already.

    Parameters
    ----------
    shard_ids : sequence of str
        All of the pass, in their order.
    part : (int, int)
        Which of how many, from 1.

    Returns
    -------
    list of str
        Every shard is in exactly one part.

    Examples
    --------
    >>> part_of(["a", "b", "c"], (1, 2)), part_of(["a", "b", "c"], (2, 2))
    (['a'], ['b', 'c'])
    """
    k, n = part
    return list(shard_ids[len(shard_ids) * (k - 1) // n : len(shard_ids) * k // n])


class SwapOrder:
    """Whose sequences stand for a clip's own in the ``swap`` control.

    Parameters
    ----------
    clips : sequence of Clip
        All of one language and split.
    seed : int
        Of the run.
    """

    def __init__(self, clips: Sequence[Clip], *, seed: int) -> None:
        names = (clips[0].language, str(len(clips))) if clips else ()
        self._order = [clips[int(i)] for i in seeded_generator(seed, "swap", *names).permutation(len(clips))]
        self._at = {clip.clip_id: i for i, clip in enumerate(self._order)}

    def partners(self, clip: Clip) -> Iterator[Clip]:
        """Give the other clips, the best partner first.

        Parameters
        ----------
        clip : Clip
            One of the clips.

        Yields
        ------
        Clip
            Those that share no group with it first (another reading of a sentence has much the same contour), then
            the others; each part in the seeded order, from the clip's own place onwards.
        """
        at = self._at[clip.clip_id]
        others = self._order[at + 1 :] + self._order[:at]
        own = set(clip.groups.items())
        for related in (False, True):
            yield from (o for o in others if bool(own & set(o.groups.items())) == related)


def plan_token(about: Mapping[str, Any]) -> str:
    """Give a digest of all that decides what a model must be run on.

    Parameters
    ----------
    about : mapping
        With languages, regions and tone_types, as in ``run.json``.

    Returns
    -------
    str
        64 hexadecimal characters.
    """
    return digest_of({key: about[key] for key in ("languages", "regions", "tone_types")})
