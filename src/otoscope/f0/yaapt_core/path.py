"""Choosing among candidates: medians, monotone interpolation, and the cheapest path."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otoscope.f0.yaapt_core.kernels import Kernel

__all__ = ["cheapest_spectral_path", "cheapest_voiced_path", "fill_between", "running_median"]

Floats = NDArray[np.float64]
_VOICED_STEP = 0.15  # times the relative change of F0
_ONSET_STEP = 0.5  # times how little the energy changes
_UNVOICED_STEP = 0.1
_LOCAL = 0.9  # weight of the local costs
_SMALL_STEP = 0.05  # beside the square of a step of the spectral track


def running_median(values: Floats, *, width: int) -> Floats:
    """Give the median around each value, with zeros beyond both ends.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        The values.
    width : int
        Odd.

    Returns
    -------
    ndarray of float64, shape (n,)
        New.
    """
    medians = np.empty(values.size)
    _medians(np.ascontiguousarray(values), np.empty(width), medians)
    return medians


def fill_between(values: Floats) -> Floats:
    """Put a smooth curve through the values that are not 0, and read it off at every place.

    The curve is a cubic Hermite spline that never overshoots [1]_.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        At least two are not 0, the first and the last among them.

    Returns
    -------
    ndarray of float64, shape (n,)
        The values where they are not 0.

    References
    ----------
    .. [1] F. N. Fritsch and J. Butland, "A method for constructing local monotone piecewise cubic interpolants",
       SIAM J. Sci. Stat. Comput., 1984; the slopes at the ends are those of three points, limited.
    """
    known = np.flatnonzero(values).astype(np.int64)
    if known.size < 2 or known[0] != 0 or known[-1] != values.size - 1:
        raise ValueError(f"{known.size} of {values.size} values are not 0; the first and the last must be")
    filled = np.empty(values.size)
    _hermite(known, np.ascontiguousarray(values[known]), np.empty(known.size), filled)
    return filled


def cheapest_spectral_path(
    f0_hz: Floats, merit: Floats, *, weight: float, f0_min_hz: float, slack: float = 0.0
) -> Floats:
    """Choose one candidate per frame, so that merit is high and F0 moves little.

    Parameters
    ----------
    f0_hz : ndarray of float64, shape (n_candidates, n_frames), hertz
        The candidates.
    merit : ndarray of float64, shape (n_candidates, n_frames)
        Higher is better.
    weight : float
        Of the steps, against the merit.
    f0_min_hz : float, hertz
        The unit of a step.
    slack : float
        Costs that differ by less are equal.

    Returns
    -------
    ndarray of float64, shape (n_frames,), hertz
        Of equally cheap paths, that of the later candidates.
    """
    chosen = np.empty(f0_hz.shape[1], dtype=np.int64)
    candidates, merits = np.ascontiguousarray(f0_hz.T), np.ascontiguousarray(merit.T)
    _spectral_path(candidates, merits, float(weight), float(f0_min_hz), float(slack), chosen)
    return f0_hz[chosen, np.arange(chosen.size)]


def cheapest_voiced_path(
    f0_hz: Floats, merit: Floats, energy: Floats, *, mean_hz: float, slack: float = 0.0
) -> NDArray[np.int64]:
    """Choose one candidate per frame, voiced or not.

    Parameters
    ----------
    f0_hz : ndarray of float64, shape (n_candidates, n_frames), hertz
        The candidates; 0 stands for unvoiced.
    merit : ndarray of float64, shape (n_candidates, n_frames)
        Higher is better.
    energy : ndarray of float64, shape (n_frames,)
        Relative; a jump makes it cheap to begin or to end a voice.
    mean_hz : float, hertz
        The unit of a step from voice to voice; NaN where there is none, and such steps are then taken first.
    slack : float
        Costs that differ by less are equal. At 0 the last bit decides between ways of equal cost (ways through a
        median often are), and with it the rounding of the samples.

    Returns
    -------
    ndarray of int64, shape (n_frames,)
        Which candidate. Of equally cheap paths, that of the later ones.
    """
    chosen = np.empty(f0_hz.shape[1], dtype=np.int64)
    candidates, merits = np.ascontiguousarray(f0_hz.T), np.ascontiguousarray(merit.T)
    _voiced_path(candidates, merits, np.ascontiguousarray(energy), float(mean_hz), float(slack), chosen)
    return chosen


@Kernel
def _medians(values, window, medians):  # noqa: ANN001, ANN202
    width = window.size
    half = width // 2
    for i in range(values.size):
        for j in range(width):
            at = i - half + j
            value = values[at] if 0 <= at < values.size else 0.0
            place = j
            while place > 0 and window[place - 1] > value:
                window[place] = window[place - 1]
                place -= 1
            window[place] = value
        medians[i] = window[half]


@Kernel
def _end_slope(near, far, near_rise, far_rise):  # noqa: ANN001, ANN202
    slope = ((2 * near + far) * near_rise - near * far_rise) / (near + far)
    if np.sign(slope) != np.sign(near_rise):
        return 0.0
    if np.sign(near_rise) != np.sign(far_rise) and abs(slope) > 3.0 * abs(near_rise):
        return 3.0 * near_rise
    return slope


@Kernel
def _hermite(known, values, slopes, filled):  # noqa: ANN001, ANN202
    n = known.size
    if n == 2:
        slopes[:] = (values[1] - values[0]) / (known[1] - known[0])
    else:
        before, rise = 0.0, 0.0
        for i in range(n - 1):
            step = float(known[i + 1] - known[i])
            next_rise = (values[i + 1] - values[i]) / step
            if i > 0:
                if rise * next_rise > 0:
                    one, other = 2 * step + before, step + 2 * before
                    slopes[i] = 1.0 / ((one / rise + other / next_rise) / (one + other))
                else:
                    slopes[i] = 0.0
            before, rise = step, next_rise
        rises = np.empty(4)
        steps = np.empty(4)
        for j, at in enumerate((0, 1, n - 3, n - 2)):
            steps[j] = known[at + 1] - known[at]
            rises[j] = (values[at + 1] - values[at]) / steps[j]
        slopes[0] = _end_slope(steps[0], steps[1], rises[0], rises[1])
        slopes[n - 1] = _end_slope(steps[3], steps[2], rises[3], rises[2])
    for i in range(n - 1):
        step = float(known[i + 1] - known[i])
        rise = (values[i + 1] - values[i]) / step
        bend = (slopes[i] + slopes[i + 1] - 2 * rise) / step
        for at in range(known[i], known[i + 1] + 1):
            s = float(at - known[i])
            if at == known[i]:
                filled[at] = values[i]
            elif at == known[i + 1]:
                filled[at] = values[i + 1]
            else:
                filled[at] = (
                    values[i]
                    + slopes[i] * s
                    + ((rise - slopes[i]) / step - bend) * (s * s)
                    + bend / step * (s * s * s)
                )


@Kernel
def _last_cheapest(costs, slack):  # noqa: ANN001, ANN202
    """Give the last of the cheapest, equal within a slack; a cost that is not a number is the cheapest of all."""
    best = costs.size - 1
    for i in range(costs.size - 1, -1, -1):
        if np.isnan(costs[i]):
            return i
        if costs[i] < costs[best] - slack:
            best = i
    return best


@Kernel
def _relax(spent, steps, merit, slack, before, scratch):  # noqa: ANN001, ANN202
    """Go on by one frame: steps[i, j] is what it costs from i to j."""
    n = spent.size
    for j in range(n):
        for i in range(n):
            scratch[1, i] = spent[i] + steps[i, j]
        best = _last_cheapest(scratch[1], slack)
        before[j] = best
        scratch[0, j] = scratch[1, best] + (1 - merit[j])
    for j in range(n):
        spent[j] = scratch[0, j]


@Kernel
def _walk_back(spent, slack, before, chosen):  # noqa: ANN001, ANN202
    last = chosen.size - 1
    chosen[last] = _last_cheapest(spent, slack) if last > 0 else 0
    for t in range(last - 1, -1, -1):
        chosen[t] = before[t + 1, chosen[t + 1]]


@Kernel
def _spectral_path(f0_hz, merit, weight, unit, slack, chosen):  # noqa: ANN001, ANN202
    n_frames, n = f0_hz.shape
    before = np.empty((n_frames, n), dtype=np.int8)
    steps, scratch = np.empty((n, n)), np.empty((2, n))
    spent = 1 - merit[0]
    for t in range(1, n_frames):
        for i in range(n):
            for j in range(n):
                step = abs(f0_hz[t, j] - f0_hz[t - 1, i]) / unit
                steps[i, j] = weight * (_SMALL_STEP * step + step * step)
        _relax(spent, steps, merit[t], slack, before[t], scratch)
    _walk_back(spent, slack, before, chosen)


@Kernel
def _voiced_path(f0_hz, merit, energy, mean, slack, chosen):  # noqa: ANN001, ANN202
    n_frames, n = f0_hz.shape
    before = np.empty((n_frames, n), dtype=np.int8)
    steps, scratch = np.empty((n, n)), np.empty((2, n))
    spent = 1 - merit[0]
    for t in range(1, n_frames):
        change = abs(energy[t - 1] - energy[t])
        jump = change if not change >= 1 else 1.0  # not a number stays so
        for i in range(n):
            for j in range(n):
                one, other = f0_hz[t - 1, i], f0_hz[t, j]
                if one > 0 and other > 0:
                    steps[i, j] = _VOICED_STEP * (abs(other - one) / mean) / _LOCAL
                elif one > 0 or other > 0:
                    steps[i, j] = _ONSET_STEP * (1 - jump) / _LOCAL
                else:
                    steps[i, j] = _UNVOICED_STEP / _LOCAL
        _relax(spent, steps, merit[t], slack, before[t], scratch)
    _walk_back(spent, slack, before, chosen)
