"""YAAPT with every window in the middle of its frame, and with lags between samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otoscope.f0.yaapt_core.candidates import (
    LEAST_FOUND,
    SLACK,
    UNVOICED_ENERGY,
    VOICED_ENERGY,
    refine,
    spectral_path,
    spread_of,
)
from otoscope.f0.yaapt_core.energy import frame_energies
from otoscope.f0.yaapt_core.filtering import bandpass_pair
from otoscope.f0.yaapt_core.octaves import settle_octaves
from otoscope.f0.yaapt_core.path import cheapest_voiced_path, fill_between
from otoscope.f0.yaapt_core.settings import FILTER_ORDER, Plan
from otoscope.f0.yaapt_core.temporal import centered_candidates

__all__ = ["centered_f0"]

Floats = NDArray[np.float64]
_REACH = 2  # frames to each side of a spectral candidate for which it is evidence


def centered_f0(samples: NDArray[np.float32], *, n_frames: int, plan: Plan) -> tuple[Floats, Floats]:
    """Find the F0 in the middle of each frame.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        The signal; finite.
    n_frames : int, >= 0
        How many frames; they lie inside the signal.
    plan : Plan
        The settings.

    Returns
    -------
    f0_hz : ndarray of float64, shape (n_frames,), hertz
        0 where unvoiced.
    score : ndarray of float64, shape (n_frames,), in [0, 1]
        The merit of what was chosen where voiced; elsewhere that of the best lag, 0 where there is none.
    """
    unvoiced = np.zeros(n_frames), np.zeros(n_frames)
    if n_frames < LEAST_FOUND:
        return unvoiced
    linear, squared = bandpass_pair(samples, sample_rate=plan.sample_rate, delay=FILTER_ORDER // 2)
    energy = frame_energies(linear, frame=plan.frame, hop=plan.hop, n_frames=n_frames, bins=plan.energy_bins)
    mean = energy.mean()
    if mean <= 0:
        return unvoiced
    energy /= mean
    loud = energy > VOICED_ENERGY
    frames, path = spectral_path(squared, loud, first=plan.frame // 2 - plan.frame, plan=plan, exact=True)
    if frames.size < LEAST_FOUND:
        return unvoiced
    path = np.clip(path, plan.f0_min_hz, plan.f0_max_hz)
    track_hz, spread_hz = _track(frames, path, n_frames), spread_of(path)
    pairs = [centered_candidates(signal, track_hz, spread_hz, plan=plan) for signal in (linear, squared)]
    f0_hz, merit = (np.concatenate(part) for part in zip(*pairs, strict=True))
    quiet = energy <= UNVOICED_ENERGY
    soft = np.where(quiet, 0.0, np.minimum(merit.max(axis=0), 1.0))
    alone = _without_evidence(frames, n_frames) & (f0_hz.max(axis=0) <= 0)
    refine(f0_hz, merit, track_hz, energy, loud)
    f0_hz[:, alone] = 0.0
    np.clip(f0_hz, plan.f0_min_hz, plan.f0_max_hz, out=f0_hz, where=f0_hz > 0)
    best = f0_hz[-2]
    mean_hz = float(best[best > 0].mean()) if np.any(best > 0) else float(path.mean())
    chosen = cheapest_voiced_path(f0_hz, merit, energy, mean_hz=mean_hz, slack=SLACK)
    at = np.arange(n_frames)
    hz = settle_octaves(linear, f0_hz[chosen, at], plan=plan)
    return hz, np.where(hz > 0, np.clip(merit[chosen, at], 0.0, 1.0), soft)


def _track(frames: NDArray[np.int64], path: Floats, n_frames: int) -> Floats:
    """Give an F0 for every frame: between those found by a smooth curve, then a mean over three."""
    track = np.zeros(n_frames)
    track[frames] = path
    average = path.mean()
    for end in (0, -1):
        if track[end] < average / 2:
            track[end] = average
    filled = fill_between(track)
    smooth = filled.copy()
    smooth[1:-1] = (filled[:-2] + filled[1:-1] + filled[2:]) / 3
    return smooth


def _without_evidence(frames: NDArray[np.int64], n_frames: int) -> NDArray[np.bool_]:
    """Say which frames have no spectral candidate near."""
    near = np.zeros(n_frames + 2 * _REACH, dtype=np.int64)
    for offset in range(2 * _REACH + 1):
        near[frames + offset] = 1
    return near[_REACH : _REACH + n_frames] == 0
