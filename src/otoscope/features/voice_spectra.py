"""Short-time spectra for the voice group, and what is read from each: loudness, balance, slopes, change, envelope.

A frame is 20 ms long and one starts every 10 ms, so that frame i covers the samples from ``round(220.5 * i)`` on.
"""

from __future__ import annotations

from functools import cache
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from otoscope.features.sound import SAMPLE_RATE

__all__ = [
    "FRAMES_PER_S",
    "SHAPES",
    "band_weights",
    "frame_starts",
    "mel_weights",
    "short_spectra",
    "spectral_shapes",
    "windowed",
]

FRAMES_PER_S = 100
_LENGTH = 441  # samples: 20 ms
_N_FFT = 512
_CHUNK = 2000  # frames whose spectra are held at once
_FLOOR = 1e-8  # of the power in a bin; about 85 dB below the mean of a levelled clip
_N_MEL = 26
_MEL_RANGE_HZ = (20.0, 8000.0)
_LIFTER = 22

SHAPES: Final = (
    "loudness",
    "alpha",
    "hammarberg",
    "slope_low",
    "slope_mid",
    "flux",
    "mfcc1",
    "mfcc2",
    "mfcc3",
    "mfcc4",
)
"""The rows of :func:`spectral_shapes`."""


def frame_starts(n_samples: int, length: int) -> NDArray[np.int64]:
    """Give the first samples of the frames that fit into a signal.

    Parameters
    ----------
    n_samples : int
        Of the signal.
    length : int
        Of a frame, in samples.

    Returns
    -------
    ndarray of int64, shape (n_frames,)
        Multiples of 10 ms, rounded to samples; at least one, at 0.
    """
    hop = SAMPLE_RATE / FRAMES_PER_S
    n_frames = max(1, int((n_samples - length) / hop) + 1)
    return np.rint(np.arange(n_frames) * hop).astype(np.int64)


def windowed(
    samples: NDArray[np.float32], starts: NDArray[np.int64], window: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Cut frames out of a signal and weight them.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        At least as long as the window.
    starts : ndarray of int64, shape (n_frames,)
        First sample of each; the frame must end within the signal.
    window : ndarray of float32, shape (length,)
        The weights.

    Returns
    -------
    ndarray of float32, shape (n_frames, length)
        The frames.
    """
    view = np.lib.stride_tricks.sliding_window_view(samples, window.size)
    return view[starts] * window


@cache
def band_weights(low_hz: float, high_hz: float, n_fft: int) -> NDArray[np.float32]:
    """Weight the bins of a spectrum by how much of each lies in a band; bin k reaches from k to k + 1 bin widths.

    Parameters
    ----------
    low_hz, high_hz : float, hertz
        Ends of the band.
    n_fft : int
        Length of the transform at 22,050 Hz.

    Returns
    -------
    ndarray of float32, shape (n_fft // 2 + 1,), in [0, 1]
        The weights.
    """
    bins = np.arange(n_fft // 2 + 1)
    low, high = low_hz * n_fft / SAMPLE_RATE, high_hz * n_fft / SAMPLE_RATE
    return np.clip(np.minimum(bins + 1, high) - np.maximum(bins, low), 0, 1).astype(np.float32)


@cache
def mel_weights() -> NDArray[np.float32]:
    """Give 26 triangular bands of equal width in mel (HTK's formula) between 20 and 8000 Hz.

    Returns
    -------
    ndarray of float32, shape (257, 26)
        Each triangle is 1 at its centre and 0 at the centres of its neighbours.
    """
    mel = 1127 * np.log1p(np.arange(_N_FFT // 2 + 1) * SAMPLE_RATE / _N_FFT / 700)
    low, high = 1127 * np.log1p(np.array(_MEL_RANGE_HZ) / 700)
    centres = np.linspace(low, high, _N_MEL + 2)
    step = centres[1] - centres[0]
    return np.maximum(0, 1 - np.abs(mel[:, None] - centres[None, 1:-1]) / step).astype(np.float32)


@cache
def _equal_loudness() -> NDArray[np.float32]:
    """Hermansky's 40-phon curve (1990, eq. 4 in the form with frequencies in hertz) at the centres of the bands."""
    low, high = 1127 * np.log1p(np.array(_MEL_RANGE_HZ) / 700)
    hz = 700 * np.expm1(np.linspace(low, high, _N_MEL + 2)[1:-1] / 1127)
    square = hz**2
    return ((square / (square + 1.6e5)) ** 2 * (square + 1.44e6) / (square + 9.61e6)).astype(np.float32)


@cache
def _cepstral_weights() -> NDArray[np.float32]:
    """Orthogonal cosines 1 to 4 over the bands, liftered as HTK does, shape (26, 4)."""
    order = np.arange(1, 5)
    cosines = np.sqrt(2 / _N_MEL) * np.cos(np.pi * order[None] * (np.arange(_N_MEL)[:, None] + 0.5) / _N_MEL)
    return (cosines * (1 + _LIFTER / 2 * np.sin(np.pi * order / _LIFTER))).astype(np.float32)


@cache
def _slope_weights(low_hz: float, high_hz: float) -> NDArray[np.float32]:
    """Give the weights whose sum over a spectrum in dB is the slope of the line through a band, in dB per kHz."""
    weight = band_weights(low_hz, high_hz, _N_FFT).astype(np.float64)
    khz = np.arange(_N_FFT // 2 + 1) * SAMPLE_RATE / _N_FFT / 1000
    centred = weight * (khz - np.average(khz, weights=weight))
    return (centred / (centred @ khz)).astype(np.float32)


def short_spectra(samples: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Transform frames of 20 ms under a Hamming window.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        At 22,050 Hz.
    starts : ndarray of int64, shape (n_frames,)
        First sample of each frame.

    Returns
    -------
    ndarray of float32, shape (n_frames, 257)
        Power.
    """
    from scipy.fft import rfft

    spectra = cast("NDArray[np.complex64]", rfft(windowed(samples, starts, _hamming()), _N_FFT))
    return np.square(spectra.real) + np.square(spectra.imag)


@cache
def _hamming() -> NDArray[np.float32]:
    return np.hamming(_LENGTH).astype(np.float32)


def _shapes(power: NDArray[np.float32]) -> NDArray[np.float32]:
    level_db = 10 * np.log10(np.maximum(power, _FLOOR))
    mel = power @ mel_weights()
    magnitude = np.sqrt(power[:, :117])
    change = np.sqrt(np.mean(np.square(np.diff(magnitude, axis=0)), axis=1))
    below = int(2000 * _N_FFT / SAMPLE_RATE) + 1
    above = int(5000 * _N_FFT / SAMPLE_RATE) + 1
    floor = np.float32(_FLOOR)
    low = power[:, 1:24].sum(axis=1)
    high = power[:, 24:117].sum(axis=1)
    return np.stack(
        [
            np.sum(np.power(mel * _equal_loudness(), np.float32(0.33)), axis=1),
            10 * np.log10((high + floor) / (low + floor)),
            level_db[:, :below].max(axis=1) - level_db[:, below:above].max(axis=1),
            level_db @ _slope_weights(0, 500),
            level_db @ _slope_weights(500, 1500),
            np.concatenate([change[:1], change]),
            *(np.log(np.maximum(mel, _FLOOR)) @ _cepstral_weights()).T,
        ]
    )


def spectral_shapes(samples: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Describe the spectrum of each frame.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        At 22,050 Hz, of a root mean square of 0.1.
    starts : ndarray of int64, shape (n_frames,)
        First sample of each frame of 20 ms.

    Returns
    -------
    ndarray of float64, shape (10, n_frames)
        The rows are those of `SHAPES`.
    """
    parts: list[NDArray[np.float32]] = []
    for first in range(0, starts.size, _CHUNK):
        before = min(first, 1)  # one frame more, so that the change at the seam is seen
        part = _shapes(short_spectra(samples, starts[first - before : first + _CHUNK]))
        parts.append(part[:, before:])
    return np.concatenate(parts, axis=1).astype(np.float64)
