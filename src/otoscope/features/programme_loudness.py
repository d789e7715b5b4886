"""Loudness as broadcasters measure it: K-weighting, blocks of 400 ms and two gates [1]_.

The recommendation gives its filters as coefficients for 48 kHz. They are those of an analogue shelf and an analogue
high-pass that were brought to digital form by the bilinear transform, so that they can be derived again for any rate.

References
----------
.. [1] Recommendation ITU-R BS.1770-4: Algorithms to measure audio programme loudness and true-peak audio level. 2015.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError

__all__ = [
    "ABSOLUTE_GATE_LUFS",
    "OFFSET_LU",
    "block_power",
    "gated_power",
    "integrated_loudness",
    "k_weight",
    "k_weighting",
]

OFFSET_LU = -0.691  # takes off what K-weighting gives to 997 Hz
BLOCKS_PER_S = 10
BLOCK_STEPS = 4  # of 100 ms, in a block
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0
_LOWEST_RATE = 8_000  # hertz: the shelf, at 1682 Hz, has to lie well below half of it


@cache
def k_weighting(sample_rate: int) -> NDArray[np.float64]:
    """Give the two filters that stand for head and ear.

    Parameters
    ----------
    sample_rate : int, hertz
        At least 8000.

    Returns
    -------
    ndarray of float64, shape (2, 6)
        Second-order sections, as scipy takes them: the shelf (+4 dB above 1.7 kHz), then the high-pass (38 Hz).

    Raises
    ------
    SpecError
        If the rate is too low for the shelf.
    """
    if sample_rate < _LOWEST_RATE:
        raise SpecError(f"k_weighting: sample_rate is {sample_rate} Hz; at least {_LOWEST_RATE} Hz is needed")
    k, q = np.tan(np.pi * 1681.974450955533 / sample_rate), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    scale = 1 + k / q + k * k
    shelf = [high + middle * k / q + k * k, 2 * (k * k - high), high - middle * k / q + k * k]
    shelf += [scale, 2 * (k * k - 1), 1 - k / q + k * k]
    sections = [[value / scale for value in shelf]]
    k, q = np.tan(np.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    scale = 1 + k / q + k * k
    sections.append([1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / scale, (1 - k / q + k * k) / scale])
    result = np.array(sections)
    result.flags.writeable = False
    return result


def k_weight(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Filter a signal by the K-weighting.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        One channel.
    sample_rate : int, hertz
        Its rate.

    Returns
    -------
    ndarray of float64, shape (n_samples,)
        As from rest.
    """
    from scipy.signal import sosfilt

    return np.asarray(sosfilt(k_weighting(sample_rate).copy(), samples.astype(np.float64)))


def block_power(weighted: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Give the mean square of blocks of 400 ms, one every 100 ms.

    Parameters
    ----------
    weighted : ndarray of float64, shape (n_samples,)
        A signal after the K-weighting.
    sample_rate : int, hertz
        Its rate.

    Returns
    -------
    ndarray of float64, shape (n_blocks,)
        Of the blocks that are whole; empty where the signal is shorter than one.
    """
    n_steps = int(weighted.size * BLOCKS_PER_S // sample_rate)
    if n_steps < BLOCK_STEPS:
        return np.empty(0)
    edges = np.arange(n_steps + 1) * sample_rate // BLOCKS_PER_S
    steps = np.add.reduceat(np.square(weighted[: edges[-1]]), edges[:-1])
    sums = np.convolve(steps, np.ones(BLOCK_STEPS), mode="valid")
    return sums / (edges[BLOCK_STEPS:] - edges[:-BLOCK_STEPS])


def gated_power(powers: NDArray[np.float64], gate: float) -> float:
    """Average the blocks that lie above an absolute gate and above a relative one.

    Parameters
    ----------
    powers : ndarray of float64, shape (n_blocks,)
        Mean squares.
    gate : float
        The absolute gate, as a mean square. The relative one lies 10 dB below the mean of the blocks above it.

    Returns
    -------
    float
        NaN where no block lies above the absolute gate.
    """
    heard = powers[powers > gate]
    if heard.size == 0:
        return float("nan")
    return float(np.mean(heard[heard > np.mean(heard) * 10 ** (RELATIVE_GATE_LU / 10)]))


def integrated_loudness(samples: NDArray[np.float32], sample_rate: int) -> float:
    """Measure the loudness of a whole signal.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        One channel, at least 400 ms; full scale is 1.
    sample_rate : int, hertz
        Its rate.

    Returns
    -------
    float
        LUFS; a full-scale sine of 997 Hz has -3.01. NaN where nothing lies above -70 LUFS.

    Examples
    --------
    >>> sine = np.sin(2 * np.pi * 997 * np.arange(48_000) / 48_000).astype(np.float32)
    >>> round(integrated_loudness(sine, 48_000), 2)
    -3.01
    """
    powers = block_power(k_weight(samples, sample_rate), sample_rate)
    gate = 10 ** ((ABSOLUTE_GATE_LUFS - OFFSET_LU) / 10)
    return float(OFFSET_LU + 10 * np.log10(gated_power(powers, gate)))
