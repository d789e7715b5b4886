"""The band-pass of YAAPT, for a signal and for its square in one transform."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from otoscope.f0.yaapt_core.kernels import Kernel
from otoscope.f0.yaapt_core.settings import FILTER_ORDER, PASSBAND_HZ

__all__ = ["bandpass_pair", "bandpass_taps", "exponent_of"]

Floats = NDArray[np.float64]
_SIZE = 2048  # of one transform
_ROWS = 16  # transforms at a time


def bandpass_taps(sample_rate: int) -> Floats:
    """Design the filter: 50 to 1500 Hz, 151 taps, by a Hamming window.

    Parameters
    ----------
    sample_rate : int, hertz
        Above 3000.

    Returns
    -------
    ndarray of float64, shape (151,)
        Symmetric, so that it delays by 75 samples; the gain is 1 in the middle of the band.

    Examples
    --------
    >>> taps = bandpass_taps(16_000)
    >>> bool(np.allclose(taps, taps[::-1])), taps.size
    (True, 151)
    """
    low, high = (edge / (sample_rate / 2) for edge in PASSBAND_HZ)
    at = np.arange(FILTER_ORDER + 1) - FILTER_ORDER / 2
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(FILTER_ORDER + 1) / FILTER_ORDER)
    taps = (high * np.sinc(high * at) - low * np.sinc(low * at)) * window
    return taps / np.sum(taps * np.cos(np.pi * at * (low + high) / 2))


def exponent_of(samples: NDArray[np.float32]) -> int:
    """Give the power of two that brings the largest magnitude to between 1/2 and 1.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        Finite.

    Returns
    -------
    int
        0 where all samples are 0.
    """
    if samples.size == 0:
        return 0
    peak = max(float(samples.max()), -float(samples.min()))
    return -int(np.frexp(peak)[1])


def bandpass_pair(samples: NDArray[np.float32], *, sample_rate: int, delay: int = 0) -> tuple[Floats, Floats]:
    """Filter a signal and its square.

    Both go through one complex transform, block by block. The signal is first scaled by a power of two, so that a
    gain of another power of two changes nothing. Where a filter sees only zeros its output is exactly 0.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        The signal.
    sample_rate : int, hertz
        Above 3000.
    delay : int, samples
        Taken off: 0 leaves the filter causal, 75 makes it symmetric in time.

    Returns
    -------
    linear, squared : ndarray of float64, shape (n_samples,)
        In units of their own.
    """
    from scipy.fft import fft, ifft

    n = samples.size
    linear, squared = np.empty(n), np.empty(n)
    spectrum = _spectrum(sample_rate)
    scale = float(np.ldexp(1.0, exponent_of(samples)))
    samples = np.ascontiguousarray(samples, dtype=np.float32)
    step = _SIZE - FILTER_ORDER
    rows = min(_ROWS, -(-n // step))
    blocks = np.zeros((rows, _SIZE), dtype=np.complex128)
    for first in range(0, n, step * rows):
        used = min(rows, -(-(n - first) // step))
        _fill(samples, scale, first + delay - FILTER_ORDER, step, blocks[:used].view(np.float64))
        done = np.asarray(fft(blocks[:used], axis=1))
        done *= spectrum
        done = np.asarray(ifft(done, axis=1, overwrite_x=True))
        _unpack(done.view(np.float64), first, linear, squared)
    if n - np.count_nonzero(samples) > 0 or delay:
        _clear_where_silent(samples, delay, linear, squared)
    return linear, squared


@lru_cache(maxsize=8)
def _spectrum(sample_rate: int) -> NDArray[np.complex128]:
    from scipy.fft import fft

    spectrum = np.asarray(fft(bandpass_taps(sample_rate).astype(np.complex128), _SIZE))
    spectrum.flags.writeable = False
    return spectrum


@Kernel
def _fill(samples, scale, first, step, blocks):  # noqa: ANN001, ANN202
    size = blocks.shape[1] // 2
    for row in range(blocks.shape[0]):
        start = first + row * step
        block = blocks[row]
        before = min(size, max(0, -start))
        here = samples[start + before : max(start + before, min(samples.size, start + size))]
        for i in range(before):
            block[2 * i] = 0.0
            block[2 * i + 1] = 0.0
        inside = block[2 * before : 2 * (before + here.size)]
        for i in range(here.size):
            value = here[i] * scale
            inside[2 * i] = value
            inside[2 * i + 1] = value * value
        for i in range(before + here.size, size):
            block[2 * i] = 0.0
            block[2 * i + 1] = 0.0


@Kernel
def _unpack(done, first, linear, squared):  # noqa: ANN001, ANN202
    order = FILTER_ORDER
    step = done.shape[1] // 2 - order
    for row in range(done.shape[0]):
        start = first + row * step
        one, other = linear[start : start + step], squared[start : start + step]
        block = done[row, 2 * order :]
        for i in range(one.size):
            one[i] = block[2 * i]
            other[i] = block[2 * i + 1]


@Kernel
def _clear_where_silent(samples, delay, linear, squared):  # noqa: ANN001, ANN202
    order = FILTER_ORDER
    latest = -order - 1
    seen = 0
    for i in range(linear.size):
        while seen < samples.size and seen <= i + delay:
            if samples[seen] != 0:
                latest = seen
            seen += 1
        if i + delay - latest > order:
            linear[i] = 0.0
            squared[i] = 0.0
