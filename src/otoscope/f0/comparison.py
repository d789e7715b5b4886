"""How much trackers differ on the same clips: counts of one clip, and counts of many.

Trackers are sampled at the centres of one grid, and only frames that every one of them covers are counted, so that
all numbers rest on the same frames. What is kept of a clip adds up: counts of clips laid together are the counts of
the clips as one. Shares, medians and intervals come from it in :mod:`otoscope.f0.disagreement`.

What the words mean here. Voicing disagreement: one of two is voiced, the other is not. Gross: voiced in both, and the
second more than 20 % off the first. Fine: voiced in both and not gross; its cents are those of the second over the
first, so that they are above 0 where the second is the higher one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.corpora.base import Clip, Failure
from otoscope.errors import DataError, SpecError
from otoscope.evaluation.scores import SUMS, sums_of
from otoscope.f0.agreement import TOLERANCE_CENTS, votes_at
from otoscope.f0.base import F0Track, Tracker
from otoscope.f0.labels import LabelCache
from otoscope.f0.resampling import sample_track
from otoscope.f0.scoring import GROSS, count_errors
from otoscope.frames import FrameGrid

__all__ = [
    "COUNTS",
    "GRID",
    "TENTHS",
    "ClipComparison",
    "compare_clip",
    "compare_tracks",
    "group_key",
    "ordered_pairs",
    "unordered_pairs",
]

Floats = NDArray[np.float64]

GRID = FrameGrid(16_000, hop=320, receptive_field=400)
"""25 ms every 20 ms: the frames of HuBERT and its relatives."""

COUNTS = ("frames", "differ", "both", "gross", "fine", "squares")
"""Of a pair in a clip: frames; those voiced in one only, in both, gross, fine; the sum of squared fine cents."""

TENTHS = 10
"""Fine cents are kept in tenths of a cent, as whole numbers."""

_CENTS = 1200.0


@dataclass(frozen=True, slots=True, eq=False)
class ClipComparison:
    """What trackers said of one clip, as counts that add up.

    Parameters
    ----------
    clip_id : str
        The clip.
    language : str
        Of the clip.
    group : str
        What an interval must not divide: the clip itself, its sentence, its speaker ...
    trackers : tuple of str
        The trackers, at least two.
    n_frames : int
        Frames that every tracker covers.
    voiced : ndarray of float64, shape (n_trackers,)
        How many of them each tracker calls voiced.
    agreed : ndarray of float64, shape (n_trackers + 1, n_trackers - 1)
        Frames at which at least 2, 3 ... trackers say what this one says, itself included; in the last row, at which
        at least 2, 3 ... say the same, whichever they are.
    pairs : ndarray of float64, shape (n_pairs, len(COUNTS))
        The counts of :func:`unordered_pairs`, by :func:`otoscope.f0.scoring.count_errors` with the first as the
        truth.
    cents : tuple of ndarray of int16
        For each of these pairs the differences of its fine frames, in tenths of a cent.
    sums : ndarray of float64, shape (n_ordered, len(SUMS))
        For :func:`ordered_pairs` the sums of the second's log2 F0 as a prediction of the first's, where both are
        voiced.
    """

    clip_id: str
    language: str
    group: str
    trackers: tuple[str, ...]
    n_frames: int
    voiced: Floats
    agreed: Floats
    pairs: Floats
    cents: tuple[NDArray[np.int16], ...]
    sums: Floats


def unordered_pairs(n_trackers: int) -> list[tuple[int, int]]:
    """Give every pair of trackers once.

    Parameters
    ----------
    n_trackers : int
        How many there are.

    Returns
    -------
    list of pair of int
        The first is the one that was named first.

    Examples
    --------
    >>> unordered_pairs(3)
    [(0, 1), (0, 2), (1, 2)]
    """
    return list(combinations(range(n_trackers), 2))


def ordered_pairs(n_trackers: int) -> list[tuple[int, int]]:
    """Give every pair of trackers both ways round.

    Parameters
    ----------
    n_trackers : int
        How many there are.

    Returns
    -------
    list of pair of int
        The one whose labels are the truth, and the one that is held to them.

    Examples
    --------
    >>> ordered_pairs(2)
    [(0, 1), (1, 0)]
    """
    return list(permutations(range(n_trackers), 2))


def compare_tracks(
    tracks: Mapping[str, F0Track],
    *,
    n_samples: int,
    grid: FrameGrid = GRID,
    language: str = "und",
    group: str | None = None,
    tolerance_cents: float = TOLERANCE_CENTS,
) -> ClipComparison:
    """Count where the tracks of one clip differ.

    Parameters
    ----------
    tracks : mapping of str to F0Track
        What each tracker said, on its own times.
    n_samples : int, >= 0
        Length of the clip, at the rate of the grid.
    grid : FrameGrid
        Where they are compared.
    language : str
        Of the clip.
    group : str, optional
        What an interval must not divide; by default the clip.
    tolerance_cents : float, cents
        How near two values must be to agree.

    Returns
    -------
    ClipComparison
        All counts 0 where no frame is covered by every tracker.

    Raises
    ------
    SpecError
        If there are fewer than two tracks.
    """
    names, given = tuple(tracks), list(tracks.values())
    if len(names) < 2:
        raise SpecError(f"compare_tracks: {', '.join(names) or 'no tracker'} alone; two or more can be compared")
    centres = grid.centers(grid.count(n_samples))
    covered = np.logical_and.reduce([sample_track(track, centres).covered for track in given])
    times = centres[covered]
    said = [sample_track(track, times) for track in given]
    n = len(names)
    counts = np.zeros((len(unordered_pairs(n)), len(COUNTS)))
    cents: list[NDArray[np.int16]] = []
    for row, (i, j) in enumerate(unordered_pairs(n)):
        first, second = said[i], said[j]
        both = first.voiced & second.voiced
        one, other = first.f0_hz[both], second.f0_hz[both]
        errors = count_errors(second.f0_hz, second.voiced, first.f0_hz, first.voiced)
        differ = errors.n_missed + errors.n_false
        counts[row] = errors.n_frames, differ, errors.n_both, errors.n_gross, errors.n_fine, errors.sum_square_cents
        fine = np.abs(other / one - 1) <= GROSS
        cents.append(np.rint(TENTHS * _CENTS * np.log2(other[fine] / one[fine])).astype(np.int16))
    log_f0 = [np.log2(each.f0_hz) for each in said]  # NaN where unvoiced
    sums = np.zeros((n * (n - 1), len(SUMS)))
    for row, (i, j) in enumerate(ordered_pairs(n)):
        both = said[i].voiced & said[j].voiced
        sums[row] = sums_of(log_f0[i][both], log_f0[j][both], kind="log2")
    clip_id = given[0].clip_id
    return ClipComparison(
        clip_id,
        language,
        clip_id if group is None else group,
        names,
        times.size,
        np.array([np.count_nonzero(each.voiced) for each in said], dtype=np.float64),
        _agreed(given, times, tolerance_cents),
        counts,
        tuple(cents),
        sums,
    )


def _agreed(tracks: Sequence[F0Track], times: Floats, tolerance_cents: float) -> Floats:
    """Count frames by how many agree with each tracker, and with any."""
    n = len(tracks)
    votes = np.array(
        [
            votes_at(track, [*tracks[:i], *tracks[i + 1 :]], times, tolerance_cents=tolerance_cents)
            for i, track in enumerate(tracks)
        ]
    )
    votes = np.vstack([votes, votes.max(axis=0, keepdims=True)])
    return np.stack([np.count_nonzero(votes >= need, axis=1) for need in range(2, n + 1)], axis=1).astype(np.float64)


def compare_clip(
    clip: Clip,
    trackers: Mapping[str, Tracker],
    *,
    grid: FrameGrid = GRID,
    group: str | None = None,
    cache: LabelCache | None = None,
) -> ClipComparison | Failure:
    """Track a clip with every tracker and count where they differ.

    Parameters
    ----------
    clip : Clip
        It is read once for each sample rate that a tracker takes.
    trackers : mapping of str to Tracker
        By the names that they shall have.
    grid : FrameGrid
        Where they are compared.
    group : str, optional
        What an interval must not divide; by default the clip.
    cache : LabelCache, optional
        Where tracks are kept; without it they are found anew.

    Returns
    -------
    ClipComparison or Failure
        A failure where the clip cannot be read, or a tracker cannot use it: then it counts for none of them.
    """
    sounds: dict[int, Waveform] = {}
    tracks: dict[str, F0Track] = {}
    for name, tracker in trackers.items():
        rate = tracker.sample_rate
        try:
            if rate not in sounds:
                sounds[rate] = clip.read(sample_rate=rate)
        except DataError as error:
            return Failure(clip.clip_id, "audio", error.problem)
        try:
            find = tracker.track if cache is None else lambda sound, tracker=tracker: cache.track(tracker, sound)
            tracks[name] = find(sounds[rate])
        except DataError as error:
            return Failure(clip.clip_id, "labels", f"{name}: {error.problem}")
    waveform = sounds.get(grid.sample_rate) or next(iter(sounds.values()))
    n_samples = round(waveform.samples.size * grid.sample_rate / waveform.sample_rate)
    return compare_tracks(tracks, n_samples=n_samples, grid=grid, language=clip.language, group=group)


def group_key(clips: Sequence[Clip]) -> str | None:
    """Choose what an interval must not divide.

    Parameters
    ----------
    clips : sequence of Clip
        Of all languages.

    Returns
    -------
    str or None
        ``sentence`` where every clip has one, else the first key that every clip has; None where there is none.
    """
    shared = [key for key in (clips[0].groups if clips else ()) if all(key in clip.groups for clip in clips)]
    return "sentence" if "sentence" in shared else next(iter(shared), None)
