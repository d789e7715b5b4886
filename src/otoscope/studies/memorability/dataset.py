"""From a folder and a table to clips that can be learned from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.corpora.base import Failure
from otoscope.errors import LeakageError, SpecError
from otoscope.features.base import FeatureGroup
from otoscope.features.registry import lacking, open_groups
from otoscope.studies.memorability.fitting import Dataset
from otoscope.studies.memorability.labels import Label, Labels
from otoscope.studies.memorability.settings import MemorabilitySettings
from otoscope.studies.memorability.unlikeness import Surroundings, middle_of
from otoscope.studies.memorability.views import ClipViews
from otoscope.studies.progress import Progress

__all__ = ["Prepared", "counts_of", "identify", "prepare"]

LONGER = 1.5
COPY = 0.15  # copies through MP3 lay at 0.06-0.16 of 90 clips of music, different clips at 0.18 and more
FEW_CLIPS, FEW_FEATURES = 20, 50  # with less there is no telling


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Clips, their scores and their features.

    Parameters
    ----------
    data : Dataset
        Clips and scores, in the order of their ids.
    labels : tuple of Label
        The usable lines, in the same order.
    table_order : tuple of int
        The rows in the order of the table.
    views : ClipViews
        Of the clips by their ids; the features of all copies are in memory.
    failures : tuple of Failure
        Lines and clips that were left out.
    notes : tuple of str
        What a reader of the results should know.
    """

    data: Dataset
    labels: tuple[Label, ...]
    table_order: tuple[int, ...]
    views: ClipViews
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]

    @property
    def n_excluded(self) -> int:
        """How many of the tracks that the table names are not used at all."""
        return len({failure.clip_id for failure in self.failures} - set(self.data.tracks))


def prepare(
    labels: Labels,
    settings: MemorabilitySettings,
    *,
    groups: Sequence[FeatureGroup] | None = None,
    processes: int | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """Describe all clips of a table, and leave out those that cannot be described.

    Parameters
    ----------
    labels : Labels
        The table.
    settings : MemorabilitySettings
        Which features and which shifted copies.
    groups : sequence of FeatureGroup, optional
        Groups of one's own, instead of those that the settings name.
    processes : int, optional
        How many; as many as there are cores without it.
    progress : Progress, optional
        Is told of every clip.

    Returns
    -------
    Prepared
        At least one clip.

    Raises
    ------
    SpecError
        If no clip can be described.
    LeakageError
        If the same sound stands in the table under two groups.
    """
    opened = tuple(groups) if groups is not None else open_groups(settings.features)
    views = ClipViews(
        {label.track: label.path for label in labels.labels},
        opened,
        segment_s=settings.segment_s,
        hop_s=settings.hop_s,
    )
    tracks = [label.track for label in labels.labels]
    found = views.prepare(tracks, settings.shifts, processes=processes, progress=progress)
    bad = {failure.clip_id for failure in found}
    kept = tuple(label for label in labels.labels if label.track not in bad)
    if not kept:
        raise SpecError(
            f"none of the {len(tracks)} clips can be used; the first: {found[0].clip_id}: {found[0].reason}"
        )
    notes = list(labels.notes)
    if groups is None and "default" in settings.features:
        notes += [f"the features {name} were left out: {reason}" for name, reason in lacking().items()]
    in_table, named_in_table = identify(kept, views.digests)
    rows = sorted(range(len(in_table)), key=in_table.__getitem__)
    kept = tuple(kept[row] for row in rows)
    ids, named = tuple(in_table[row] for row in rows), tuple(named_in_table[row] for row in rows)
    counts, said = counts_of(kept, settings.weights)
    data = Dataset(
        tuple(label.track for label in kept), ids, named, np.array([label.score for label in kept]), counts
    )
    by_track = dict(zip(data.tracks, ids, strict=True))
    place = {row: at for at, row in enumerate(rows)}
    told = [*_about_lengths(kept, views), *_alike(kept, views)]
    return Prepared(
        data,
        kept,
        tuple(place[row] for row in range(len(rows))),
        views.renamed(by_track),
        (*labels.failures, *found),
        (*notes, *said, *told),
    )


def _about_lengths(labels: Sequence[Label], views: ClipViews) -> list[str]:
    middle = float(np.median([views.durations[label.track] for label in labels]))
    longer = [label.track for label in labels if views.durations[label.track] > LONGER * middle]
    if not longer:
        return []
    return [
        f"{len(longer)} clip(s) are more than {LONGER:g} times as long as the median of {middle:.3g} s "
        f"({', '.join(longer[:3])}{' ...' if len(longer) > 3 else ''}); they are described as a whole"
    ]


def _alike(labels: Sequence[Label], views: ClipViews) -> list[str]:
    """Name clips of different groups that are so near to each other that one may be a copy of the other."""
    if len(labels) < FEW_CLIPS:
        return []
    from scipy.spatial.distance import pdist, squareform

    points = Surroundings.of(np.stack([middle_of(views.features(label.track)) for label in labels])).points
    if points.shape[1] < FEW_FEATURES:
        return []
    table = squareform(pdist(points)) / np.sqrt(points.shape[1])
    pairs = [
        (labels[i].track, labels[j].track)
        for i, j in zip(*np.nonzero(np.triu(table < COPY, 1)), strict=True)
        if labels[i].group != labels[j].group
    ]
    if not pairs:
        return []
    shown = "; ".join(f"{one} and {other}" for one, other in pairs[:3])
    return [
        f"{len(pairs)} pair(s) of clips sound almost the same ({shown}{' ...' if len(pairs) > 3 else ''}): if they "
        "are copies, a model is tested on what it was trained on; give both the same name in a column `group`"
    ]


def identify(labels: Sequence[Label], digests: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name clips and groups by what is heard, so that file names and the order of the table change nothing.

    Parameters
    ----------
    labels : sequence of Label
        The clips.
    digests : mapping of str to str
        Of the sound of each track.

    Returns
    -------
    ids : tuple of str
        One per clip, all different.
    groups : tuple of str
        The least id of the group of each clip.

    Raises
    ------
    LeakageError
        If the same sound stands there twice, in different groups.
    """
    same: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        same[digests[label.track]].append(label)
    ids: dict[str, str] = {}
    for digest, copies in same.items():
        if len({label.group for label in copies}) > 1:
            one, other = copies[0].track, next(c.track for c in copies if c.group != copies[0].group)
            raise LeakageError(
                f"{one} and {other} are the same sound, so a model could be tested on what it was trained on; "
                "take one of them out, or give both the same name in a column `group`"
            )
        ordered = sorted(copies, key=lambda label: (label.score, label.track))
        ids |= {label.track: f"{digest[:32]}{f'-{i}' if i else ''}" for i, label in enumerate(ordered)}
    least: dict[str, str] = {}
    for label in labels:
        least[label.group] = min(least.get(label.group, ids[label.track]), ids[label.track])
    return tuple(ids[label.track] for label in labels), tuple(least[label.group] for label in labels)


def counts_of(labels: Sequence[Label], how: str) -> tuple[NDArray[np.float64] | None, list[str]]:
    """Give the responses behind the scores, which the scores are weighed by.

    Parameters
    ----------
    labels : sequence of Label
        The clips.
    how : {"n", "none"}
        By the number of responses, or all alike.

    Returns
    -------
    counts : ndarray of float64, shape (n_clips,), or None
        None where all scores count alike.
    notes : list of str
        What was done.
    """
    counts = np.array([np.nan if label.n is None else label.n for label in labels])
    if how == "none" or not np.all(np.isfinite(counts)):
        return None, []
    return counts, [f"scores count by their number of responses (n {counts.min():g}-{counts.max():g})"]
