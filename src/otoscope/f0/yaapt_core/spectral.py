"""Candidates from the spectrum of the squared signal: peaks of what its harmonics have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otoscope.f0.yaapt_core.kernels import Kernel
from otoscope.f0.yaapt_core.settings import N_HARMONICS, N_PEAKS, Plan
from otoscope.f0.yaapt_core.transform import low_magnitudes

__all__ = ["harmonic_correlation", "spectral_candidates"]

Floats = NDArray[np.float64]
_FRAMES = 16  # at a time
_SHAPE = 0.5  # of the Kaiser window
_FLAT = 5.0  # a peak must be as many times the mean
_SLACK = 4  # bins beyond the range of F0, so that a voice at its end has a peak
_LEAST = 1.25  # times the mean, for every candidate


def spectral_candidates(
    squared: Floats, frames: NDArray[np.int64], *, first: int, plan: Plan, exact: bool = False
) -> tuple[Floats, Floats]:
    """Find up to three candidates for the F0 of each frame.

    Parameters
    ----------
    squared : ndarray of float64, shape (n_samples,)
        The square of the signal, filtered.
    frames : ndarray of int64, shape (n_frames,)
        Which frames to look at.
    first : int, samples
        Where frame 0 begins; each lasts two frames of the plan. Outside the signal there are zeros.
    plan : Plan
        The settings.
    exact : bool
        Off, a candidate is called one bin (2 Hz at 16000 Hz) too low, and those at the ends of the range may be
        missed, as AMFM_decompy has it.

    Returns
    -------
    f0_hz : ndarray of float64, shape (4, n_frames), hertz
        Highest merit first, the rest filled with that one; all 0 where there is no candidate.
    merit : ndarray of float64, shape (4, n_frames)
        1 for the highest; 1 throughout where there is no candidate.
    """
    length = 2 * plan.frame
    window = np.kaiser(length, _SHAPE)
    f0_hz, merit = np.zeros((N_PEAKS, frames.size)), np.ones((N_PEAKS, frames.size))
    margin = plan.harmonic_half
    lowest, highest, half = plan.peak_bins
    if exact:
        lowest, highest = max(1, lowest - _SLACK), min(highest + _SLACK, plan.harmonic_bins[1] - 1)
    n_correlated = highest + 1  # what lies above is never a peak
    n_bins = (N_HARMONICS + 1) * n_correlated + margin + 1
    rows = np.empty((_FRAMES, length))
    magnitudes = np.zeros((_FRAMES, margin + n_bins))
    correlation = np.zeros(n_correlated)
    for begin in range(0, frames.size, _FRAMES):
        chosen = frames[begin : begin + _FRAMES]
        n = chosen.size
        _window(squared, chosen, first, plan.hop, window, rows[:n])
        low_magnitudes(rows[:n], magnitudes[:n, margin:])
        _candidates(
            magnitudes[:n], correlation, max(1, plan.harmonic_bins[0] - _SLACK * exact), plan.harmonic_window,
            (lowest, highest, half), plan.bin_hz, int(exact), f0_hz, merit, begin,
        )  # fmt: skip
    return f0_hz, merit


def harmonic_correlation(magnitudes: Floats, *, plan: Plan) -> Floats:
    """Multiply the spectrum at a frequency by that at its multiples, and sum over a window.

    Parameters
    ----------
    magnitudes : ndarray of float64, shape (n_bins,)
        Of the bins from 0 on.
    plan : Plan
        The settings.

    Returns
    -------
    ndarray of float64
        Entry k belongs to bin k + 1; the last one to ``plan.harmonic_bins[1]``.
    """
    correlation = np.zeros(plan.harmonic_bins[1])
    padded = np.concatenate([np.zeros(plan.harmonic_half), magnitudes])
    _correlate(padded, plan.harmonic_bins[0], plan.harmonic_window, np.empty(plan.harmonic_window), correlation)
    return correlation


@Kernel
def _window(squared, frames, first, hop, window, rows):  # noqa: ANN001, ANN202
    length = window.size
    for row in range(frames.size):
        start = first + frames[row] * hop
        line = rows[row]
        if start >= 0 and start + length <= squared.size:
            here = squared[start : start + length]
            for i in range(length):
                line[i] = here[i] * window[i]
        else:
            for i in range(length):
                at = start + i
                line[i] = squared[at] * window[i] if 0 <= at < squared.size else 0.0
        a = b = c = d = 0.0
        whole = length // 4 * 4
        for i in range(0, whole, 4):
            a += line[i]
            b += line[i + 1]
            c += line[i + 2]
            d += line[i + 3]
        mean = (a + b) + (c + d)
        for i in range(whole, length):
            mean += line[i]
        mean /= length
        for i in range(length):
            line[i] -= mean


@Kernel
def _correlate(padded, lowest, width, products, correlation):  # noqa: ANN001, ANN202
    blocks = width // 8 * 8
    for k in range(lowest, correlation.size + 1):
        one, two = padded[k : k + width], padded[2 * k : 2 * k + width]
        three, four = padded[3 * k : 3 * k + width], padded[4 * k : 4 * k + width]
        for j in range(width):
            products[j] = one[j] * two[j] * three[j] * four[j]
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = 0.0
        for j in range(0, blocks, 8):
            a0 += products[j]
            a1 += products[j + 1]
            a2 += products[j + 2]
            a3 += products[j + 3]
            a4 += products[j + 4]
            a5 += products[j + 5]
            a6 += products[j + 6]
            a7 += products[j + 7]
        total = ((a0 + a1) + (a2 + a3)) + ((a4 + a5) + (a6 + a7))
        for j in range(blocks, width):
            total += products[j]
        correlation[k - 1] = total


@Kernel
def _pick(correlation, peak_bins, bin_hz, offset, f0_hz, merit, column):  # noqa: ANN001, ANN202
    """Write the candidates of one frame; leave them alone (none) where there are too many or too few."""
    first, last, half = peak_bins
    highest = 0.0
    total = 0.0
    for n in range(first, last + 1):
        highest = max(highest, correlation[n])
        total += correlation[n]
    if highest <= 0.0:
        return
    mean = total / highest / (last + 1 - first)
    if mean > 1 / _FLAT:
        return
    found = 0
    for n in range(first + half + 1, last - half + 1):
        value = correlation[n]
        if not (value > correlation[n - 1] and value > correlation[n + 1] and value / highest > _LEAST * mean):
            continue
        inside = True
        for m in range(n - half, n):
            inside = inside and value > correlation[m]
        for m in range(n + 1, n + half + 1):
            inside = inside and value >= correlation[m]
        if not inside:
            continue
        if found == f0_hz.shape[0] - 1:  # as many peaks as places mean that there is no pitch
            for i in range(f0_hz.shape[0]):
                f0_hz[i, column] = 0.0
                merit[i, column] = 1.0
            return
        place = found
        while place > 0 and merit[place - 1, column] < value / highest:
            f0_hz[place, column] = f0_hz[place - 1, column]
            merit[place, column] = merit[place - 1, column]
            place -= 1
        f0_hz[place, column] = (n + offset) * bin_hz
        merit[place, column] = value / highest
        found += 1
    if found == 0 or merit[0, column] / mean < _FLAT:
        for i in range(f0_hz.shape[0]):
            f0_hz[i, column] = 0.0
            merit[i, column] = 1.0
        return
    for i in range(found, f0_hz.shape[0]):
        f0_hz[i, column] = f0_hz[0, column]
        merit[i, column] = merit[0, column]


@Kernel
def _candidates(magnitudes, correlation, lowest, width, peak_bins, bin_hz, offset, f0_hz, merit, begin):  # noqa: ANN001, ANN202
    products = np.empty(width)
    for row in range(magnitudes.shape[0]):
        _correlate(magnitudes[row], lowest, width, products, correlation)
        _pick(correlation, peak_bins, bin_hz, offset, f0_hz, merit, begin + row)
