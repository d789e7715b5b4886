"""The only place where two clocks meet: labels are sampled where the states are, in time.

Rows are never trimmed, padded or repeated to make two sequences fit. A frame whose time lies outside the labels is
*not covered* and takes part in nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.f0.base import F0Track

__all__ = ["ENERGY_FLOOR_DB", "ENERGY_WINDOW_S", "SampledTrack", "energy_at", "sample_track"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
ENERGY_WINDOW_S = 0.025
ENERGY_FLOOR_DB = -100.0


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
    """

    f0_hz: Floats
    voiced: Mask
    covered: Mask


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
        none = np.zeros(times.shape, dtype=np.bool_)
        return SampledTrack(np.full(times.shape, np.nan), none, none.copy())
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
    return SampledTrack(np.where(voiced, value, np.nan), voiced, covered)


def energy_at(waveform: Waveform, times: Floats) -> Floats:
    """Give the level of a waveform around given times.

    Parameters
    ----------
    waveform : Waveform
        The signal.
    times : ndarray of float64, shape (n_frames,), seconds
        Centres of windows of 25 ms; what a window has outside the signal is left out of its mean.

    Returns
    -------
    ndarray of float64, shape (n_frames,), decibels
        10 log10 of the mean square, not below -100 dB; that floor where a window holds no sample.
    """
    square = np.concatenate(([0.0], np.cumsum(waveform.samples.astype(np.float64) ** 2)))
    half = ENERGY_WINDOW_S / 2
    first = np.clip(np.rint((times - half) * waveform.sample_rate), 0, waveform.samples.size).astype(np.int64)
    last = np.clip(np.rint((times + half) * waveform.sample_rate), 0, waveform.samples.size).astype(np.int64)
    count = last - first
    mean = np.where(count > 0, (square[last] - square[first]) / np.maximum(count, 1), 0.0)
    return 10 * np.log10(np.maximum(mean, 10 ** (ENERGY_FLOOR_DB / 10)))
