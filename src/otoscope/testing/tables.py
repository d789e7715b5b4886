"""Tables with known answers: views from arrays that remember what they were asked, and scores planted in features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import DataError, SpecError
from otoscope.evaluation.splits import seeded_generator

__all__ = ["PlantedTable", "TableViews", "planted_table"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TableViews:
    """Views that give features from arrays, and remember every clip and shift that they were asked for.

    Parameters
    ----------
    feature_ids : tuple of str
        Of the columns.
    tables : mapping of str to ndarray of float64, shape (n_segments, n_features)
        The features of each clip.
    copies : mapping of (str, float) to ndarray of float64, shape (n_segments, n_features)
        Those of shifted copies, by clip and semitones.
    asked : list of (str, float)
        Grows with every question.
    """

    feature_ids: tuple[str, ...]
    tables: Mapping[str, FloatArray]
    copies: Mapping[tuple[str, float], FloatArray] = field(default_factory=dict)
    asked: list[tuple[str, float]] = field(default_factory=list)

    def features(self, clip: str, shift: float = 0.0) -> FloatArray:
        """Give the features of a clip.

        Parameters
        ----------
        clip : str
            Its id.
        shift : float, semitones
            0 is the clip itself.

        Returns
        -------
        ndarray of float64, shape (n_segments, n_features)
            As they were given.

        Raises
        ------
        DataError
            If the clip, or the copy, is not there.
        """
        self.asked.append((clip, float(shift)))
        table = self.tables.get(clip) if shift == 0 else self.copies.get((clip, float(shift)))
        if table is None:
            raise DataError(clip, f"these tables have no features of it shifted by {shift:g} semitones")
        return table

    def spectrogram(self, clip: str, shift: float = 0.0) -> NoReturn:
        """Refuse: a table has none.

        Parameters
        ----------
        clip : str
            Its id.
        shift : float, semitones
            Of no use.

        Raises
        ------
        SpecError
            Always.
        """
        raise SpecError(f"{clip}: a table has no spectrogram")

    def audio(self, clip: str, shift: float = 0.0) -> NoReturn:
        """Refuse: a table has none.

        Parameters
        ----------
        clip : str
            Its id.
        shift : float, semitones
            Of no use.

        Raises
        ------
        SpecError
            Always.
        """
        raise SpecError(f"{clip}: a table has no sound")


@dataclass(frozen=True, slots=True, eq=False)
class PlantedTable:
    """Clips whose scores follow from their features in a known way.

    Parameters
    ----------
    views : TableViews
        Give the features, of copies too.
    clips : tuple of str
        Their ids.
    y : ndarray of float64, shape (n_clips,)
        What a listener would have scored: from 0 to 1 for nearly all.
    truth : ndarray of float64, shape (n_clips,)
        The same without noise: the best that can be predicted.
    groups : tuple of str
        Two neighbours make a group.
    planted : tuple of str
        The features that the scores follow from.
    """

    views: TableViews
    clips: tuple[str, ...]
    y: FloatArray
    truth: FloatArray
    groups: tuple[str, ...]
    planted: tuple[str, ...]

    def part(self, rows: Sequence[int]) -> tuple[tuple[str, ...], FloatArray, tuple[str, ...]]:
        """Give some of the clips, as ``fit`` takes them.

        Parameters
        ----------
        rows : sequence of int
            Which.

        Returns
        -------
        clips : tuple of str
            Their ids.
        y : ndarray of float64, shape (n_rows,)
            Their scores.
        groups : tuple of str
            Their groups.
        """
        index = list(rows)
        return tuple(self.clips[i] for i in index), self.y[index], tuple(self.groups[i] for i in index)


def planted_table(
    kind: Literal["linear", "curved"] = "linear",
    *,
    n_clips: int = 80,
    n_features: int = 12,
    n_segments: int = 1,
    noise: float = 0.3,
    shifts: Sequence[float] = (-2.0, -1.0, 1.0, 2.0),
    seed: int = 0,
) -> PlantedTable:
    """Make clips with planted scores.

    Features are Gaussian, at scales and offsets of their own. A third of them belongs to each of the groups ``tone``,
    ``beat`` and ``hue``. The scores follow from ``tone.f0`` and ``tone.f1`` before scale and offset: they are
    0.5 + 0.1 (f0 + f1) where linear, and 0.5 + 0.15 sin(2 f0) + 0.1 (abs(f1) - 0.8) where curved. A copy that is
    shifted by one semitone has half a standard deviation more of the last feature, which says nothing of the score.

    Parameters
    ----------
    kind : {"linear", "curved"}
        How the scores follow.
    n_clips : int
        How many clips.
    n_features : int, at least 6
        How many features.
    n_segments : int
        Rows of each clip; they vary about the clip by a tenth of a standard deviation.
    noise : float
        Standard deviation of what is added to the scores, against that of what is planted.
    shifts : sequence of float, semitones
        Of the copies that there are.
    seed : int
        Another one gives other clips.

    Returns
    -------
    PlantedTable
        The same for the same arguments.

    Raises
    ------
    SpecError
        If there are too few features.
    """
    if n_features < 6:
        raise SpecError(f"n_features is {n_features}; at least 6 are needed")
    size = -(-n_features // 3)
    ids = tuple(f"{group}.f{i}" for group in ("tone", "beat", "hue") for i in range(size))[:n_features]
    rng = seeded_generator(seed, "planted table", kind)
    hidden = rng.normal(size=(n_clips, n_features))
    f0, f1 = hidden[:, 0], hidden[:, 1]
    truth = 0.5 + (0.1 * (f0 + f1) if kind == "linear" else 0.15 * np.sin(2 * f0) + 0.1 * (np.abs(f1) - 0.8))
    y = truth + noise * truth.std() * rng.normal(size=n_clips)
    scale, offset = np.exp(rng.normal(scale=2.0, size=n_features)), 10 * rng.normal(size=n_features)
    clips = tuple(f"clip-{i:04d}" for i in range(n_clips))
    tables: dict[str, FloatArray] = {}
    copies: dict[tuple[str, float], FloatArray] = {}
    for clip, row in zip(clips, hidden, strict=True):
        segments = row + (0.1 * rng.normal(size=(n_segments, n_features)) if n_segments > 1 else 0.0)
        segments = np.atleast_2d(segments)
        tables[clip] = offset + scale * segments
        for shift in shifts:
            moved = segments.copy()
            moved[:, -1] += 0.5 * shift
            copies[clip, float(shift)] = offset + scale * moved
    groups = tuple(f"song-{i // 2:04d}" for i in range(n_clips))
    return PlantedTable(TableViews(ids, tables, copies), clips, y, truth, groups, ids[:2])
