"""Candidates from the signal's likeness to itself one lag later."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otoscope.f0.yaapt_core.kernels import Kernel
from otoscope.f0.yaapt_core.settings import LAG_MARGIN, N_CANDIDATES, Plan

__all__ = ["causal_candidates", "centered_candidates", "likeness"]

Floats = NDArray[np.float64]
_LEAST = 0.3  # of a peak of the likeness
_SURE = 0.9  # above it, the highest peak alone is kept
_BOOST = 1.2
_NEAR = 5.0  # spreads from the spectral track, where a candidate counts for nothing
_SEARCHED = 2.0  # spreads to each side of the spectral track
N_LAG_PEAKS = N_CANDIDATES // 2


def causal_candidates(
    signal: Floats, track_hz: Floats, spread_hz: float, *, plan: Plan
) -> tuple[Floats, Floats, int]:
    """Find candidates near the spectral track, as AMFM_decompy does.

    Frames begin where the plan's frames begin and last 35 ms. The mean is taken off in the signal itself, frame by
    frame, so that each frame finds what the frames before it left.

    Parameters
    ----------
    signal : ndarray of float64, shape (n_samples,)
        Filtered; it is changed.
    track_hz : ndarray of float64, shape (n_frames,), hertz
        The spectral track.
    spread_hz : float, hertz
        Its standard deviation; lags within twice as much are searched.
    plan : Plan
        The settings.

    Returns
    -------
    f0_hz : ndarray of float64, shape (3, n_frames), hertz
        ``sample_rate / (lag + 1)``; 0 where there is none.
    merit : ndarray of float64, shape (3, n_frames)
        The likeness, weighed by the distance from the spectral track.
    failed : int
        -1, or the frame where no lag could be searched: its lags are too long for 35 ms, or none lie inside the
        range of F0.
    """
    n_compared = int((signal.size - (plan.compared - plan.hop)) / plan.hop)
    n = min(max(n_compared, 0), track_hz.size)
    f0_hz, merit = np.zeros((N_LAG_PEAKS, track_hz.size)), np.zeros((N_LAG_PEAKS, track_hz.size))
    failed = _causal(
        signal, track_hz, float(spread_hz), n, float(plan.sample_rate), plan.compared, plan.hop,
        float(plan.f0_min_hz), float(plan.f0_max_hz), f0_hz, merit,
    )  # fmt: skip
    return f0_hz, merit, int(failed)


def centered_candidates(signal: Floats, track_hz: Floats, spread_hz: float, *, plan: Plan) -> tuple[Floats, Floats]:
    """Find candidates near the spectral track, between lags and in the middle of frames.

    What is compared, a stretch and the same stretch one period of the spectral track later, has its middle where the
    frame has it; near the ends of the signal it is moved inside. A parabola through the highest likeness and its
    neighbours gives the lag between samples.

    Parameters
    ----------
    signal : ndarray of float64, shape (n_samples,)
        Filtered without delay.
    track_hz : ndarray of float64, shape (n_frames,), hertz
        The spectral track; frames where it is 0 have no candidates.
    spread_hz : float, hertz
        Its standard deviation; lags within twice as much are searched.
    plan : Plan
        The settings.

    Returns
    -------
    f0_hz : ndarray of float64, shape (3, n_frames), hertz
        0 where there is none.
    merit : ndarray of float64, shape (3, n_frames)
        The likeness, weighed by the distance from the spectral track.
    """
    f0_hz, merit = np.zeros((N_LAG_PEAKS, track_hz.size)), np.zeros((N_LAG_PEAKS, track_hz.size))
    _centered(
        signal, track_hz, float(spread_hz), float(plan.sample_rate), plan.compared, plan.frame, plan.hop,
        float(plan.f0_min_hz), float(plan.f0_max_hz), f0_hz, merit,
    )  # fmt: skip
    return f0_hz, merit


def likeness(signal: Floats, *, first_lag: int, last_lag: int) -> Floats:
    """Give the normalised cross-correlation of a stretch with itself at some lags.

    Parameters
    ----------
    signal : ndarray of float64, shape (n_samples,)
        The first ``n_samples - last_lag`` samples are compared with as many, one lag later.
    first_lag, last_lag : int, samples
        The last one is left out.

    Returns
    -------
    ndarray of float64, shape (last_lag - first_lag,), in [-1, 1]
        NaN where one of the stretches is all zeros.

    References
    ----------
    .. [1] D. Talkin, "A robust algorithm for pitch tracking (RAPT)", in Speech Coding and Synthesis, 1995.
    """
    if not 0 <= first_lag <= last_lag < signal.size:
        raise ValueError(f"lags from {first_lag} to {last_lag} in {signal.size} samples")
    found = np.zeros(last_lag - first_lag)
    _likeness(np.ascontiguousarray(signal), signal.size - last_lag, first_lag, last_lag, np.empty(found.size), found)
    return found


@Kernel
def _total(data):  # noqa: ANN001, ANN202
    """Sum in eight strands, which a processor adds side by side."""
    a = b = c = d = e = f = g = h = 0.0
    whole = data.size // 8 * 8
    for i in range(0, whole, 8):
        a += data[i]
        b += data[i + 1]
        c += data[i + 2]
        d += data[i + 3]
        e += data[i + 4]
        f += data[i + 5]
        g += data[i + 6]
        h += data[i + 7]
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for i in range(whole, data.size):
        total += data[i]
    return total


@Kernel
def _energy(data):  # noqa: ANN001, ANN202
    """Sum the squares, in eight strands."""
    a = b = c = d = e = f = g = h = 0.0
    whole = data.size // 8 * 8
    for i in range(0, whole, 8):
        a += data[i] * data[i]
        b += data[i + 1] * data[i + 1]
        c += data[i + 2] * data[i + 2]
        d += data[i + 3] * data[i + 3]
        e += data[i + 4] * data[i + 4]
        f += data[i + 5] * data[i + 5]
        g += data[i + 6] * data[i + 6]
        h += data[i + 7] * data[i + 7]
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for i in range(whole, data.size):
        total += data[i] * data[i]
    return total


@Kernel
def _likeness(data, length, first_lag, last_lag, energy, found):  # noqa: ANN001, ANN202
    n_lags = last_lag - first_lag
    for lag in range(n_lags):
        found[lag] = 0.0
    whole = length // 8 * 8
    for i in range(0, whole, 8):
        x0, x1, x2, x3 = data[i], data[i + 1], data[i + 2], data[i + 3]
        x4, x5, x6, x7 = data[i + 4], data[i + 5], data[i + 6], data[i + 7]
        later = data[i + first_lag : i + first_lag + n_lags + 7]
        for lag in range(n_lags):
            found[lag] += ((x0 * later[lag] + x1 * later[lag + 1]) + (x2 * later[lag + 2] + x3 * later[lag + 3])) + (
                (x4 * later[lag + 4] + x5 * later[lag + 5]) + (x6 * later[lag + 6] + x7 * later[lag + 7])
            )
    for i in range(whole, length):
        x0 = data[i]
        for lag in range(n_lags):
            found[lag] += x0 * data[i + first_lag + lag]
    own = _energy(data[:length])
    # Windows of all lags share a core; what each has beyond it is summed from the core outwards, so that nothing
    # is ever subtracted and a window of zeros has the energy 0.
    core_start, core_end = last_lag - 1, first_lag + length
    if core_start <= core_end:
        core = _energy(data[core_start:core_end])
        before = 0.0
        for lag in range(n_lags - 1, -1, -1):
            energy[lag] = core + before
            if lag > 0:
                before += data[first_lag + lag - 1] * data[first_lag + lag - 1]
        after = 0.0
        for lag in range(1, n_lags):
            at = first_lag + lag + length - 1
            after += data[at] * data[at]
            energy[lag] += after
    else:
        for lag in range(n_lags):
            energy[lag] = _energy(data[first_lag + lag : first_lag + lag + length])
    for lag in range(n_lags):
        found[lag] /= np.sqrt(energy[lag] * own)


@Kernel
def _at(found, first_lag, lag):  # noqa: ANN001, ANN202
    inside = lag - first_lag
    return found[inside] if 0 <= inside < found.size else 0.0


@Kernel
def _is_peak(found, at, half):  # noqa: ANN001, ANN202
    """Whether a value is the largest within a distance, the first of equals; beyond the searched lags there is 0."""
    value = found[at]
    for other in range(at - half, at + half + 1):
        there = found[other] if 0 <= other < found.size else 0.0
        if other < at and not value > there:
            return False
        if other > at and not value >= there:
            return False
    return True


@Kernel
def _lags_of(found, first_lag, n_peaks, lags, merits):  # noqa: ANN001, ANN202
    """Write the lags of the best peaks, and their heights, highest first; give how many there are."""
    margin = LAG_MARGIN
    n_lags = found.size
    highest = 0.0
    finite = True
    for lag in range(n_lags):
        if np.isnan(found[lag]):
            finite = False
        highest = max(highest, found[lag])
    single = finite and highest > _SURE
    count = 0
    for at in range(margin, n_lags - margin + 1):
        value = found[at]
        after = found[at + 1] if at + 1 < n_lags else 0.0
        if not (value > found[at - 1] and value > after and value > _LEAST):
            continue
        if single:
            if count == 0 or value > merits[0]:
                lags[0] = first_lag + at
                merits[0] = value
                count = 1
            continue
        if not _is_peak(found, at, margin):
            continue
        place = min(count, n_peaks)
        if place == n_peaks:
            if value <= merits[n_peaks - 1]:
                continue
            place -= 1
        while place > 0 and merits[place - 1] < value:
            lags[place] = lags[place - 1]
            merits[place] = merits[place - 1]
            place -= 1
        lags[place] = first_lag + at
        merits[place] = value
        count = min(count + 1, n_peaks)
    if count > 0 and merits[0] > 1.0:
        top = merits[0]
        for i in range(count):
            merits[i] /= top
    return count


@Kernel
def _weigh(f0_hz, track_hz, merit, reach):  # noqa: ANN001, ANN202
    distance = abs(f0_hz - track_hz)
    return _BOOST * merit * (1 - distance / reach) if distance < reach else 0.0


@Kernel
def _causal(signal, track_hz, spread, n_frames, rate, length, hop, f0_min, f0_max, f0_hz, merit):  # noqa: ANN001, ANN202
    energy, found = np.empty(length), np.empty(length)
    n_peaks = f0_hz.shape[0]
    lags, merits = np.zeros(n_peaks, dtype=np.int64), np.zeros(n_peaks)
    reach = _NEAR * spread
    for frame in range(n_frames):
        first_lag = int(rate / min(track_hz[frame] + _SEARCHED * spread, f0_max)) - LAG_MARGIN
        last_lag = int(rate / max(track_hz[frame] - _SEARCHED * spread, f0_min)) + LAG_MARGIN
        if last_lag >= length or last_lag < first_lag:
            return frame
        data = signal[frame * hop : frame * hop + length]
        mean = _total(data) / length
        for i in range(length):
            data[i] -= mean
        n_lags = last_lag - first_lag
        _likeness(data, length - last_lag, first_lag, last_lag, energy, found[:n_lags])
        count = _lags_of(found[:n_lags], first_lag, n_peaks, lags, merits)
        for i in range(count):
            f0_hz[i, frame] = rate / (lags[i] + 1)
            merit[i, frame] = _weigh(f0_hz[i, frame], track_hz[frame], merits[i], reach)
    return -1


@Kernel
def _between(found, at):  # noqa: ANN001, ANN202
    """Give how far from a sample the top of a parabola through it and its neighbours lies."""
    if not 0 < at < found.size - 1:
        return 0.0
    before, here, after = found[at - 1], found[at], found[at + 1]
    bend = before - 2 * here + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0


@Kernel
def _centered(signal, track_hz, spread, rate, length, frame, hop, f0_min, f0_max, f0_hz, merit):  # noqa: ANN001, ANN202
    energy, found, data = np.empty(length), np.empty(length), np.empty(length)
    n_peaks = f0_hz.shape[0]
    lags, merits = np.zeros(n_peaks, dtype=np.int64), np.zeros(n_peaks)
    reach = _NEAR * spread
    for i in range(track_hz.size):
        if track_hz[i] <= 0:
            continue
        first_lag = int(rate / min(track_hz[i] + _SEARCHED * spread, f0_max)) - LAG_MARGIN
        last_lag = int(rate / max(track_hz[i] - _SEARCHED * spread, f0_min)) + LAG_MARGIN
        last_lag = min(last_lag, length // 2 + LAG_MARGIN)
        if last_lag <= first_lag:
            continue
        middle = 0.5 * frame + i * hop
        start = round(middle - 0.5 * (length - last_lag + rate / track_hz[i]))
        start = max(0, min(start, signal.size - length))
        here = signal[start : start + length]
        mean = _total(here) / here.size
        for k in range(here.size):
            data[k] = here[k] - mean
        for k in range(here.size, length):
            data[k] = 0.0
        n_lags = last_lag - first_lag
        _likeness(data, length - last_lag, first_lag, last_lag, energy, found[:n_lags])
        count = _lags_of(found[:n_lags], first_lag, n_peaks, lags, merits)
        for k in range(count):
            f0_hz[k, i] = rate / (lags[k] + _between(found[:n_lags], lags[k] - first_lag))
            merit[k, i] = _weigh(f0_hz[k, i], track_hz[i], merits[k], reach)
