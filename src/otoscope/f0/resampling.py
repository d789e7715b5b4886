"""An F0 track at other times than its own: on the frames of a model, or of another tracker.

This is the one place where F0 is interpolated. Voicing is never invented: log F0 is interpolated inside voiced runs,
not across gaps, and a time that a track says nothing about stays without an answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.f0.base import F0Track
from otoscope.frames import FrameGrid

__all__ = ["SampledTrack", "on_grid", "sample_track"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class SampledTrack:
    """An F0 track at other times than its own.

    Parameters
    ----------
    f0_hz : ndarray of float64, shape (n_frames,), hertz
        NaN exactly where not voiced.
    voiced : ndarray of bool, shape (n_frames,)
        False also where not covered.
    covered : ndarray of bool, shape (n_frames,)
        Whether the track says anything about that time.
    score : ndarray of float64, shape (n_frames,), optional
        That of the nearest frame of the track; NaN where not covered, None where the track has none.
    """

    f0_hz: Floats
    voiced: Mask
    covered: Mask
    score: Floats | None = None


def sample_track(track: F0Track, times: Floats) -> SampledTrack:
    """Sample an F0 track at given times.

    Voicing is that of the nearest frame of the track (the earlier one of two equally near). Within a voiced run
    log F0 is interpolated linearly; at the edges of a run it is the nearest frame's. A time further than half a
    hop outside the track is not covered.

    Parameters
    ----------
    track : F0Track
        The labels, on their own times.
    times : ndarray of float64, shape (n_frames,), seconds
        Usually ``layer.info.target_times(n_frames)``.

    Returns
    -------
    SampledTrack
        One value per time.
    """
    n = track.times.size
    if n == 0:
        none, nothing = np.zeros(times.shape, dtype=np.bool_), np.full(times.shape, np.nan)
        return SampledTrack(nothing, none, none.copy(), None if track.score is None else nothing.copy())
    own = track.times
    half_hop = 0.5 * float(np.median(np.diff(own))) if n > 1 else 0.0
    # Times are sums of decimal fractions: a nanosecond decides nothing.
    slack = 1e-9
    covered = (times >= own[0] - half_hop - slack) & (times <= own[-1] + half_hop + slack)
    right = np.clip(np.searchsorted(own, times, side="left"), 0, n - 1)
    left = np.clip(right - 1, 0, n - 1)
    left = np.where(times >= own[right], right, left)
    to_left, to_right = times - own[left], own[right] - times
    nearest = np.where(to_right + slack < to_left, right, left)
    nearest = np.where(times <= own[0], 0, nearest)
    voiced = track.voiced[nearest] & covered
    log_f0 = np.log2(np.where(track.voiced, track.f0_hz, 1.0))
    span = own[right] - own[left]
    weight = np.where(span > 0, np.clip(to_left / np.where(span > 0, span, 1.0), 0.0, 1.0), 0.0)
    between = (1 - weight) * log_f0[left] + weight * log_f0[right]
    inside = track.voiced[left] & track.voiced[right] & (times >= own[0]) & (times <= own[-1])
    value = np.exp2(np.where(inside, between, log_f0[nearest]))
    score = None if track.score is None else np.where(covered, track.score[nearest], np.nan)
    return SampledTrack(np.where(voiced, value, np.nan), voiced, covered, score)


def on_grid(track: F0Track, grid: FrameGrid, n_samples: int) -> F0Track:
    """Put a track on the frames of a grid.

    Parameters
    ----------
    track : F0Track
        The labels, on their own times.
    grid : FrameGrid
        Where values are wanted, such as ``FrameGrid(16_000, hop=320, receptive_field=400)``.
    n_samples : int, >= 0
        Length of the clip, at the rate of the grid.

    Returns
    -------
    F0Track
        With ``grid.count(n_samples)`` frames at the grid's centres, as :func:`sample_track` gives them; unvoiced
        where the track does not reach. Its `tracker` is that of the labels.

    Examples
    --------
    >>> from otoscope.f0.kaldi import KaldiTracker
    >>> from otoscope.testing.signals import tone
    >>> waveform = tone(200.0)
    >>> found = on_grid(KaldiTracker().track(waveform), FrameGrid(16_000, hop=320, receptive_field=400), 16_000)
    >>> found.times.size, found.times[:2].tolist()
    (49, [0.0125, 0.0325])
    """
    times = grid.centers(grid.count(n_samples))
    sampled = sample_track(track, times)
    return F0Track(times, sampled.f0_hz, sampled.voiced, track.tracker, track.clip_id, sampled.score)
