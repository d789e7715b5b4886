"""The only place where two clocks meet: labels are sampled where the states are, in time.

Rows are never trimmed, padded or repeated to make two sequences fit. A frame whose time lies outside the labels is
*not covered* and takes part in nothing. How an F0 track is sampled stands in :mod:`otoscope.f0.resampling`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.f0.resampling import SampledTrack, sample_track

__all__ = ["ENERGY_FLOOR_DB", "ENERGY_WINDOW_S", "SampledTrack", "energy_at", "sample_track"]

Floats = NDArray[np.float64]
ENERGY_WINDOW_S = 0.025
ENERGY_FLOOR_DB = -100.0


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
