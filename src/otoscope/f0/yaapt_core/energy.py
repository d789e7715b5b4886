"""The energy of each frame between twice the lowest and the highest F0, which decides what may be voiced."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from otoscope.f0.yaapt_core.kernels import Kernel
from otoscope.f0.yaapt_core.settings import FFT_SIZE

__all__ = ["frame_energies"]

Floats = NDArray[np.float64]
_SINGLE = 2**18  # multiplications: OpenBLAS gives more than these to several threads


def frame_energies(signal: Floats, *, frame: int, hop: int, n_frames: int, bins: tuple[int, int]) -> Floats:
    """Sum the magnitudes of some bins of each frame's spectrum.

    Only the bins asked for are computed. About the middle of a frame its even part needs cosines only, its odd part
    sines only, and a magnitude does not depend on where the phase is counted from; so each frame is folded.

    Parameters
    ----------
    signal : ndarray of float64, shape (n_samples,)
        Frame i begins at sample ``i * hop`` and lies inside.
    frame, hop : int, samples
        Length of a frame (under a Hann window) and distance from one to the next.
    n_frames : int, >= 0
        How many frames.
    bins : tuple of int
        First bin, and the one after the last, of a transform of 8192 points.

    Returns
    -------
    ndarray of float64, shape (n_frames,)
        In the units of the signal.
    """
    if n_frames > 0 and (n_frames - 1) * hop + frame > signal.size:
        raise ValueError(f"{n_frames} frames of {frame} samples every {hop} reach beyond {signal.size} samples")
    cosines, sines, window = _tables(frame, bins)
    energies = np.empty(n_frames)
    rows = max(1, _SINGLE // cosines.size)
    even, odd = np.empty((rows, window.size)), np.empty((rows, window.size))
    for first in range(0, n_frames, rows):
        n = min(rows, n_frames - first)
        _fold(signal, first * hop, hop, frame, window, even[:n], odd[:n])
        _sum_magnitudes(even[:n] @ cosines, odd[:n] @ sines, energies[first : first + n])
    return energies


@lru_cache(maxsize=4)
def _tables(frame: int, bins: tuple[int, int]) -> tuple[Floats, Floats, Floats]:
    """Give cosines and sines, half a frame by bins, and the half of a Hann window without its zeros."""
    half = (frame + 1) // 2
    at = np.arange(half) - (frame - 1) / 2
    angles = 2 * np.pi / FFT_SIZE * np.outer(at, np.arange(*bins))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, half + 1) / (frame + 1))
    tables = np.cos(angles), np.sin(angles), window
    for table in tables:
        table.flags.writeable = False
    return tables


@Kernel
def _fold(signal, first, hop, frame, window, even, odd):  # noqa: ANN001, ANN202
    half = window.size
    for row in range(even.shape[0]):
        start = first + row * hop
        before, after = signal[start : start + half], signal[start + frame - half : start + frame]
        sums, differences = even[row], odd[row]
        for i in range(half):
            one, other = before[i], after[half - 1 - i]
            sums[i] = window[i] * (one + other)
            differences[i] = window[i] * (one - other)
        if frame % 2:
            sums[half - 1] *= 0.5


@Kernel
def _sum_magnitudes(real, imaginary, energies):  # noqa: ANN001, ANN202
    for row in range(real.shape[0]):
        x, y = real[row], imaginary[row]
        for k in range(x.size):
            x[k] = np.sqrt(x[k] * x[k] + y[k] * y[k])
        total = 0.0
        for k in range(x.size):
            total += x[k]
        energies[row] = total
