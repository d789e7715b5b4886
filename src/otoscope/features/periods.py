"""From period to period: how much the length and the height of the wave change, where there is an F0."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from otoscope.features.sound import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["find_periods", "jitter_and_shimmer"]

_REACH = 0.2  # of a period, either way
_ALIKE = 0.5  # correlation of neighbours from which they count as periods


def _walk(
    samples: NDArray[np.float64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    expected: NDArray[np.float64],
    starts: NDArray[np.int64],
    found: NDArray[np.float64],
) -> int:
    """Walk through stretches of a signal; plain loops, to be compiled. `found` holds a row for each period."""
    count = 0
    frame = 0
    alike = np.empty(int(2 * _REACH * expected.max()) + 6)
    for stretch in range(first.size):
        at = first[stretch]
        while True:
            while frame + 1 < starts.size and starts[frame + 1] <= at:
                frame += 1
            size = int(expected[frame] + 0.5)
            low = int(expected[frame] * (1 - _REACH)) - 1
            high = int(expected[frame] * (1 + _REACH)) + 2
            if at + high + size > last[stretch]:
                break
            energy = 1e-12
            lowest = samples[at]
            highest = samples[at]
            for i in range(at, at + size):
                energy += samples[i] ** 2
                lowest = min(lowest, samples[i])
                highest = max(highest, samples[i])
            other = 1e-12
            for i in range(at + low, at + low + size):
                other += samples[i] ** 2
            best = 1
            for j in range(high - low + 1):
                product = 0.0
                for i in range(at, at + size):
                    product += samples[i] * samples[i + low + j]
                alike[j] = product / np.sqrt(energy * max(other, 1e-12))
                other += samples[at + low + j + size] ** 2 - samples[at + low + j] ** 2
                if 1 <= j < high - low and alike[j] > alike[best]:
                    best = j
            bend = alike[best - 1] + alike[best + 1] - 2 * alike[best]
            lean = 0.0
            if bend < 0:
                lean = min(0.5, max(-0.5, 0.5 * (alike[best - 1] - alike[best + 1]) / bend))
            found[count, 0] = at
            found[count, 1] = low + best + lean
            found[count, 2] = highest - lowest
            found[count, 3] = alike[best]
            found[count, 4] = stretch
            count += 1
            at += low + best
    return count


@cache
def _compiled() -> Callable[..., Any]:
    from numba import njit

    return njit(cache=True, fastmath=True)(_walk)


def find_periods(
    samples: NDArray[np.float32], f0_hz: NDArray[np.float64], starts: NDArray[np.int64], length: int
) -> NDArray[np.float64]:
    """Walk from period to period where there is an F0.

    A period is compared with the stretch that begins 0.8 to 1.2 times its expected length later; the shift at which
    they are most alike (a parabola through the maximum of the normalised correlation) is its length, and there the
    next one begins.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        At 22,050 Hz.
    f0_hz : ndarray of float64, shape (n_frames,), hertz
        NaN where there is none.
    starts : ndarray of int64, shape (n_frames,)
        First sample of each frame.
    length : int
        Of a frame, in samples.

    Returns
    -------
    ndarray of float64, shape (n_periods, 5)
        Start in samples, length in samples, height from trough to crest, likeness to the next period, and the
        number of the stretch with an F0 that it belongs to.
    """
    voiced = np.isfinite(f0_hz)
    if not voiced.any():
        return np.empty((0, 5))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], voiced, [False]]).astype(np.int8)))
    first = starts[edges[::2]]
    last = np.minimum(starts[edges[1::2] - 1] + length // 2, samples.size - 1)
    frames = np.arange(f0_hz.size)
    expected = SAMPLE_RATE / np.exp(np.interp(frames, frames[voiced], np.log(f0_hz[voiced])))
    room = int(np.sum(np.maximum(last - first, 0)) / ((1 - _REACH) * expected.min() - 2)) + first.size + 1
    found = np.empty((room, 5))
    count = _compiled()(samples.astype(np.float64), first, last, expected, starts + length // 6, found)
    return found[:count]


def jitter_and_shimmer(
    periods: NDArray[np.float64], starts: NDArray[np.int64], length: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure in each frame how neighbouring periods differ.

    Parameters
    ----------
    periods : ndarray of float64, shape (n_periods, 5)
        As :func:`find_periods` gives them; those with a likeness under 0.5 are left out.
    starts : ndarray of int64, shape (n_frames,)
        First sample of each frame.
    length : int
        Of a frame, in samples; a pair of periods belongs to it if the first begins in it.

    Returns
    -------
    jitter : ndarray of float64, shape (n_frames,)
        Mean difference of the lengths of neighbours, as a share of their mean length. NaN in frames without pairs.
    shimmer_db : ndarray of float64, shape (n_frames,), decibels
        Mean difference of their heights.
    """
    start, size, height, alike, stretch = periods.T
    pair = (stretch[1:] == stretch[:-1]) & (alike[1:] >= _ALIKE) & (alike[:-1] >= _ALIKE)
    pair &= (height[1:] > 0) & (height[:-1] > 0)
    at = start[:-1][pair]
    length_change = np.abs(np.diff(size))[pair]
    mean_length = (0.5 * (size[1:] + size[:-1]))[pair]
    height_change = 20 * np.abs(np.log10(height[1:][pair] / height[:-1][pair]))
    sums = np.concatenate([np.zeros((3, 1)), np.cumsum([length_change, mean_length, height_change], axis=1)], axis=1)
    low, high = np.searchsorted(at, starts), np.searchsorted(at, starts + length)
    count = high - low
    within = np.where(count > 0, sums[:, high] - sums[:, low], np.nan)
    return within[0] / within[1], within[2] / np.maximum(count, 1)
