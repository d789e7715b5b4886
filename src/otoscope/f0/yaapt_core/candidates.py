"""From spectral candidates to a track, and from all candidates to those among which a path is chosen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otoscope.f0.yaapt_core.path import cheapest_spectral_path, running_median
from otoscope.f0.yaapt_core.settings import FALLBACK_HZ, Plan
from otoscope.f0.yaapt_core.spectral import spectral_candidates

__all__ = ["LEAST_FOUND", "SLACK", "UNVOICED_ENERGY", "VOICED_ENERGY", "refine", "spectral_path", "spread_of"]

Floats = NDArray[np.float64]
VOICED_ENERGY = 0.75  # of the file's mean: a frame may be voiced above
UNVOICED_ENERGY = 0.1  # and is not below
UNVOICED_MERIT = 0.99
SLACK = 1e-9  # costs that differ by less are equal, where rounding is not to decide
LEAST_FOUND = 3  # frames with spectral candidates, for a path through them
_SPECTRAL_MEDIAN = 5
_TEMPORAL_MEDIAN = 7
_LEAST_SPREAD = 0.05
_STEP_WEIGHT = 11.0


def spectral_path(
    squared: Floats, loud: NDArray[np.bool_], *, first: int, plan: Plan, exact: bool = False
) -> tuple[NDArray[np.int64], Floats]:
    """Follow one spectral candidate through the loud frames.

    Parameters
    ----------
    squared : ndarray of float64, shape (n_samples,)
        The square of the signal, filtered.
    loud : ndarray of bool, shape (n_frames,)
        Which frames to look at.
    first : int, samples
        Where the window over frame 0 begins.
    plan : Plan
        The settings.
    exact : bool
        As for :func:`~otoscope.f0.yaapt_core.spectral.spectral_candidates`.

    Returns
    -------
    frames : ndarray of int64, shape (n_found,)
        The loud frames with candidates.
    f0_hz : ndarray of float64, shape (n_found,), hertz
        The path through them; 150 Hz where there are fewer than three.
    """
    frames = np.flatnonzero(loud).astype(np.int64)
    f0_hz, merit = spectral_candidates(squared, frames, first=first, plan=plan, exact=exact)
    offered = f0_hz[0] > 0
    frames, f0_hz, merit = frames[offered], f0_hz[:, offered], merit[:, offered]
    if frames.size < LEAST_FOUND:
        return frames, np.full(frames.size, FALLBACK_HZ)
    average = f0_hz[0].mean()
    column = np.arange(frames.size)
    weakest = (np.abs(f0_hz - 0.8 * average) * (3 - merit)).argmin(axis=0)
    weight = _STEP_WEIGHT * f0_hz[0].std() / average
    f0_hz[weakest, column] = running_median(f0_hz[weakest, column], width=_SPECTRAL_MEDIAN)
    path = cheapest_spectral_path(f0_hz, merit, weight=weight, f0_min_hz=plan.f0_min_hz, slack=SLACK * exact)
    return frames, running_median(path, width=_SPECTRAL_MEDIAN)


def spread_of(path: Floats) -> float:
    """Give the standard deviation of a spectral path, at least a twentieth of its mean.

    Parameters
    ----------
    path : ndarray of float64, shape (n_found,), hertz
        Not empty.

    Returns
    -------
    float, hertz
        Sets how far from the path lags are searched.
    """
    return float(np.maximum(path.std(), path.mean() * _LEAST_SPREAD))


def refine(f0_hz: Floats, merit: Floats, track_hz: Floats, energy: Floats, loud: NDArray[np.bool_]) -> None:
    """Order the candidates of each frame by merit, and put others in place of the last three.

    Parameters
    ----------
    f0_hz, merit : ndarray of float64, shape (n_candidates, n_frames)
        Those of the lags; 0 where there is none. **Changed**: the last three become the spectral track, the median of
        the best, and "unvoiced".
    track_hz : ndarray of float64, shape (n_frames,), hertz
        The spectral track.
    energy : ndarray of float64, shape (n_frames,)
        Relative to the file's mean.
    loud : ndarray of bool, shape (n_frames,)
        Where the energy allows a voice.
    """
    order = np.argsort(-merit, axis=0, kind="stable")
    f0_hz[:] = np.take_along_axis(f0_hz, order, axis=0)
    merit[:] = np.take_along_axis(merit, order, axis=0)
    best = running_median(f0_hz[0], width=_TEMPORAL_MEDIAN) * loud
    quiet, audible = energy <= UNVOICED_ENERGY, energy > UNVOICED_ENERGY
    heard, unheard = audible & (f0_hz[0] > 0), audible & (f0_hz[0] <= 0)
    half_energy = np.minimum(1, energy / 2)
    f0_hz[:, quiet] = 0
    merit[:, quiet] = UNVOICED_MERIT
    merit[1:-1][(f0_hz[1:-1] == 0) & heard] = 0
    f0_hz[-1, heard] = 0
    merit[-1, heard] = 1 - merit[0, heard]
    f0_hz[:, unheard] = 0
    f0_hz[0, unheard] = track_hz[unheard]
    merit[0, unheard] = half_energy[unheard]
    merit[1:, unheard] = 1 - half_energy[unheard]
    f0_hz[-2] = best
    merit[-2] = np.where(best > 0, merit[0], 1 - half_energy)
    f0_hz[-3] = track_hz
    merit[-3] = energy / 5
