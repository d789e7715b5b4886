"""The features of every clip in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from otoscope.corpora.base import Failure
from otoscope.features.registry import open_groups
from otoscope.studies.memorability.labels import find_clips
from otoscope.studies.memorability.views import ClipViews
from otoscope.studies.progress import Progress

__all__ = ["describe_folder"]


def describe_folder(
    clips: Path, features: Sequence[str], *, processes: int | None = None, progress: Progress | None = None
) -> tuple[list[dict[str, Any]], list[Failure]]:
    """Compute the features of every clip in a folder, each clip by itself.

    Parameters
    ----------
    clips : Path
        The folder.
    features : sequence of str
        Groups of features.
    processes : int, optional
        How many; as many as there are cores without it.
    progress : Progress, optional
        Is told of every clip.

    Returns
    -------
    rows : list of dict
        ``track``, ``duration_s`` and a number for each feature; None where one has no value.
    failures : list of Failure
        Clips that cannot be read or described.

    Raises
    ------
    SpecError
        If the folder holds no sound, or a group is not known.
    """
    groups = open_groups(features)
    paths = {path.relative_to(clips).as_posix(): path for found in find_clips(clips).values() for path in found}
    views = ClipViews(paths, groups)
    failures = views.prepare(paths, processes=processes, progress=progress)
    bad = {failure.clip_id for failure in failures}
    rows: list[dict[str, Any]] = []
    for track in sorted(set(paths) - bad):
        values = views.features(track)[0]
        named = {name: None if np.isnan(v) else float(v) for name, v in zip(views.feature_ids, values, strict=True)}
        rows.append({"track": track, "duration_s": views.durations[track], **named})
    return rows, failures
