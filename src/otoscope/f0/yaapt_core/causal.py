"""The decisions of AMFM_decompy 1.0.12, from samples to F0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otoscope.f0.yaapt_core.candidates import VOICED_ENERGY, refine, spectral_path, spread_of
from otoscope.f0.yaapt_core.energy import frame_energies
from otoscope.f0.yaapt_core.filtering import bandpass_pair
from otoscope.f0.yaapt_core.path import cheapest_voiced_path, fill_between
from otoscope.f0.yaapt_core.settings import FALLBACK_HZ, Plan
from otoscope.f0.yaapt_core.temporal import causal_candidates

__all__ = ["NoLagsError", "causal_f0"]

Floats = NDArray[np.float64]


class NoLagsError(ValueError):
    """A frame has no lags that could be searched.

    Parameters
    ----------
    frame : int
        The frame.
    track_hz : float, hertz
        Around which they would lie.
    """

    def __init__(self, frame: int, track_hz: float) -> None:
        super().__init__(frame, track_hz)
        self.frame = frame
        self.track_hz = track_hz


def causal_f0(samples: NDArray[np.float32], *, plan: Plan) -> Floats:
    """Find the F0 as AMFM_decompy does.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        At least ``plan.least_samples``; finite.
    plan : Plan
        The settings.

    Returns
    -------
    ndarray of float64, shape (plan.count(n_samples),), hertz
        0 where unvoiced.

    Raises
    ------
    NoLagsError
        Where AMFM_decompy stops too: lags beyond 35 ms, or a spectral track outside the range of F0.
    """
    linear, squared = bandpass_pair(samples, sample_rate=plan.sample_rate)
    n_frames = plan.count(samples.size)
    energy = frame_energies(linear, frame=plan.frame, hop=plan.hop, n_frames=n_frames, bins=plan.energy_bins)
    mean = energy.mean()
    with np.errstate(invalid="ignore"):
        energy = energy / mean  # all NaN where nothing passes the filter
    loud = energy > VOICED_ENERGY
    track_hz, spread_hz = _spectral_track(squared, loud, plan)
    found: list[Floats] = []
    merits: list[Floats] = []
    for signal in (linear, squared):
        f0_hz, merit, failed = causal_candidates(signal, track_hz, spread_hz, plan=plan)
        if failed >= 0:
            raise NoLagsError(failed, float(track_hz[failed]))
        found.append(f0_hz)
        merits.append(merit)
    f0_hz, merit = np.concatenate(found), np.concatenate(merits)
    refine(f0_hz, merit, track_hz, energy, loud)
    best = f0_hz[-2]
    mean_hz = float(best[best > 0].mean()) if np.any(best > 0) else np.nan
    chosen = cheapest_voiced_path(f0_hz, merit, energy, mean_hz=mean_hz)
    return f0_hz[chosen, np.arange(n_frames)]


def _spectral_track(squared: Floats, loud: NDArray[np.bool_], plan: Plan) -> tuple[Floats, float]:
    """Give an F0 for every frame, from the spectra of the loud ones, and its standard deviation in hertz."""
    track = np.zeros(loud.size)
    frames, path = spectral_path(squared, loud, first=0, plan=plan)
    track[frames] = path
    if frames.size == 0:
        path = np.array([FALLBACK_HZ])
    average = path.mean()
    for end in (0, -1):
        if track[end] < average / 2:
            track[end] = average
    filled = fill_between(track) / 3
    smooth = filled.copy()
    smooth[1:] += filled[:-1]
    smooth[2:] += filled[:-2]
    smooth[:2] = smooth[2:4]
    return smooth, spread_of(path)
