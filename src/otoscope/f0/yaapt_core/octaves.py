"""Whether whole syllables came out an octave off: the last look at the signal itself.

A stretch is as like itself two periods later as one, so a path can settle on half of the F0, and nothing objects.
But half a true period later it is not. Each stretch of a path is asked for both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otoscope.f0.yaapt_core.kernels import Kernel
from otoscope.f0.yaapt_core.settings import Plan

__all__ = ["settle_octaves"]

Floats = NDArray[np.float64]
_COMPARED_MS = 25.0
_STEP = 1.25  # a larger ratio between neighbours parts two stretches
_ASKED = 12  # frames of a stretch, at most
_AS_LIKE = 0.05  # half the lag may lose so much, where the F0 is twice as high
_LIKER = 0.3  # twice the lag must gain so much, where the F0 is half as high: creak gains less
_LEAST = 0.5  # likeness that a period has


def settle_octaves(signal: Floats, f0_hz: Floats, *, plan: Plan) -> Floats:
    """Double or halve the F0 of stretches that came out an octave off.

    In stretches without a leap, the normalised cross-correlation at the lag, at half of it and at twice as much is
    averaged over up to twelve frames. Where half the lag does as well, the F0 is doubled; where twice the lag does
    better, it is halved.

    Parameters
    ----------
    signal : ndarray of float64, shape (n_samples,)
        Filtered without delay.
    f0_hz : ndarray of float64, shape (n_frames,), hertz
        0 where unvoiced.
    plan : Plan
        The settings; what is doubled or halved stays in the range searched.

    Returns
    -------
    ndarray of float64, shape (n_frames,), hertz
        A new array.

    Notes
    -----
    On 100 synthetic voices (seeds 100 to 149, noise at 40 and 10 dB) half the lag lost 0.22 or more in every stretch
    that was right, and 0.006 or less in those that were an octave too low.
    """
    settled = f0_hz.copy()
    _settle(
        signal, f0_hz, float(plan.sample_rate), plan.frame, plan.hop, int(_COMPARED_MS * plan.sample_rate / 1000),
        float(plan.f0_min_hz), float(plan.f0_max_hz), settled,
    )  # fmt: skip
    return settled


@Kernel
def _like(signal, middle, lag, length):  # noqa: ANN001, ANN202
    """Give the likeness of a stretch about an instant with the stretch one lag later."""
    start = round(middle - 0.5 * (length + lag))
    start = max(0, min(start, signal.size - length - lag))
    if start < 0 or start + length + lag > signal.size:
        return 0.0
    mean = 0.0
    for k in range(length + lag):
        mean += signal[start + k]
    mean /= length + lag
    both, one, other = 0.0, 0.0, 0.0
    for k in range(length):
        here, later = signal[start + k] - mean, signal[start + k + lag] - mean
        both += here * later
        one += here * here
        other += later * later
    power = one * other
    return both / np.sqrt(power) if power > 0 else 0.0


@Kernel
def _likest(signal, middle, lag, length):  # noqa: ANN001, ANN202
    """Give the best likeness within a fiftieth of a lag."""
    near = max(1, round(lag * 0.02))
    best = -1.0
    for step in range(-near, near + 1):
        best = max(best, _like(signal, middle, max(1, round(lag) + step), length))
    return best


@Kernel
def _settle(signal, f0_hz, rate, frame, hop, length, f0_min, f0_max, settled):  # noqa: ANN001, ANN202
    i = 0
    while i < f0_hz.size:
        if f0_hz[i] <= 0:
            i += 1
            continue
        end = i + 1
        lowest, highest = f0_hz[i], f0_hz[i]
        while end < f0_hz.size and f0_hz[end] > 0 and 1 / _STEP < f0_hz[end] / f0_hz[end - 1] < _STEP:
            lowest, highest = min(lowest, f0_hz[end]), max(highest, f0_hz[end])
            end += 1
        asked = min(_ASKED, end - i)
        at_lag, at_half, at_twice = 0.0, 0.0, 0.0
        may_rise, may_fall = 2 * highest <= f0_max, 0.5 * lowest >= f0_min
        for k in range(asked):
            at = i + (k * (end - i - 1)) // max(1, asked - 1)
            middle, lag = 0.5 * frame + at * hop, rate / f0_hz[at]
            at_lag += _likest(signal, middle, lag, length) / asked
            if may_rise:
                at_half += _likest(signal, middle, 0.5 * lag, length) / asked
            if may_fall:
                at_twice += _likest(signal, middle, 2 * lag, length) / asked
        if may_rise and at_half > _LEAST and at_half > at_lag - _AS_LIKE:
            settled[i:end] = 2 * f0_hz[i:end]
        elif may_fall and at_twice > _LEAST and at_twice > at_lag + _LIKER:
            settled[i:end] = 0.5 * f0_hz[i:end]
        i = end
