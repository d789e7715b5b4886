"""The F0 of the voice or instrument that leads, by subharmonic summation, and the frames in which there is one.

A frame is 60 ms long and one starts every 10 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from otoscope.features.sound import LEVEL, SAMPLE_RATE
from otoscope.features.voice_spectra import frame_starts, windowed

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["F0_RANGE_HZ", "FRAME", "N_FFT", "VoiceTrack", "cheapest_path", "f0_candidates", "track_voice"]

FRAME = 1323  # samples: 60 ms
N_FFT = 2048
F0_RANGE_HZ = (55.0, 1000.0)

_SIGMA = 0.4  # of the Gaussian window, in half its length
_CHUNK = 1500  # frames whose octave spectra are held at once
_LOWEST_HZ = 25.0
_PER_OCTAVE = 117
_OCTAVES = 8.784  # from 25 Hz to half the sample rate
_SCALE_OCTAVES = 9.45  # over which the mean of the sums is taken: as if a little were found above 11,025 Hz
_HALF_WEIGHT_HZ = 32.5
_N_HARMONICS = 15
_DECAY = 0.85
_N_CANDIDATES = 6
_VOICED_FROM = 0.7  # voicing
_QUIET = LEVEL / 100  # root mean square under the window, below which a frame has no voice

_LOCAL, _WRONG_SIDE, _SWITCH, _PER_OCTAVE_JUMP = 2.0, 4.0, 3.7, 0.2  # costs of a path


@dataclass(frozen=True, slots=True)
class VoiceTrack:
    """What leads, frame by frame.

    Parameters
    ----------
    f0_hz : ndarray of float64, shape (n_frames,), hertz
        NaN where nothing leads.
    starts : ndarray of int64, shape (n_frames,)
        First sample of each frame of 60 ms.
    magnitude : ndarray of float32, shape (n_frames, 1025)
        Spectrum of each frame under its Gaussian window.
    """

    f0_hz: NDArray[np.float64]
    starts: NDArray[np.int64]
    magnitude: NDArray[np.float32]

    @property
    def voiced(self) -> NDArray[np.bool_]:
        """Where something leads, shape (n_frames,)."""
        return np.isfinite(self.f0_hz)


@cache
def _gauss() -> NDArray[np.float32]:
    position = np.linspace(-1, 1, FRAME)
    return np.exp(-0.5 * np.square(position / _SIGMA)).astype(np.float32)


@cache
def _octave_scale() -> csr_array:
    """Cubic (Catmull-Rom) interpolation from bins to octaves with the ear's loss of low tones, (n_points, 1025)."""
    from scipy.sparse import csr_array

    octaves = np.arange(round(_OCTAVES * _PER_OCTAVE)) / _PER_OCTAVE
    hz = _LOWEST_HZ * 2**octaves
    position = hz * N_FFT / SAMPLE_RATE
    first = np.floor(position).astype(np.int64)
    t = position - first
    taps = 0.5 * np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3], axis=1
    )
    taps *= (0.5 + np.arctan(3 * np.log2(hz / _HALF_WEIGHT_HZ)) / np.pi)[:, None]
    columns = np.clip(first[:, None] + np.arange(-1, 3), 0, N_FFT // 2)
    rows = np.repeat(np.arange(hz.size), 4)
    return csr_array((taps.ravel().astype(np.float32), (rows, columns.ravel())), shape=(hz.size, N_FFT // 2 + 1))


@cache
def _shifts() -> NDArray[np.int64]:
    return np.rint(np.log2(np.arange(1, _N_HARMONICS + 1)) * _PER_OCTAVE).astype(np.int64)


@cache
def _mean_weights() -> NDArray[np.float32]:
    """Give the weights whose sum over an octave spectrum is the mean of its subharmonic sums."""
    n_points = round(_OCTAVES * _PER_OCTAVE)
    decay = _DECAY ** np.arange(_N_HARMONICS)
    weight = ((np.arange(n_points)[:, None] >= _shifts()) * decay).sum(axis=1)
    return (weight / (_SCALE_OCTAVES * _PER_OCTAVE)).astype(np.float32)


def _peaks_only(magnitude: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keep each local maximum and two bins on either side of it; then smooth over three bins."""
    peak = np.zeros(magnitude.shape, dtype=bool)
    rising = magnitude[:, 1:] >= magnitude[:, :-1]
    peak[:, 1:-1] = rising[:, :-1] & ~rising[:, 1:]
    near = peak.copy()
    for shift in (1, 2):
        near[:, shift:] |= peak[:, :-shift]
        near[:, :-shift] |= peak[:, shift:]
    kept = magnitude * near
    smooth = kept * np.float32(0.5)
    smooth[:, 1:] += np.float32(0.25) * kept[:, :-1]
    smooth[:, :-1] += np.float32(0.25) * kept[:, 1:]
    return smooth


def f0_candidates(magnitude: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find F0s that would explain a spectrum, by subharmonic summation [1]_.

    What lies around peaks of the spectrum is brought to an axis of octaves; the sum for an F0 adds the values at
    its first 15 harmonics, each weighted 0.85 times the one before. Candidates are local maxima of the sum between
    55 and 1000 Hz; how much one stands out is 1 less the ratio of the sum's mean over all F0 to its maximum.

    Parameters
    ----------
    magnitude : ndarray of float32, shape (n_frames, 1025)
        Of transforms of 2048 samples at 22,050 Hz.

    Returns
    -------
    f0_hz : ndarray of float64, shape (n_frames, 6), hertz
        The highest maxima, the highest first; 1 where there are fewer.
    voicing : ndarray of float64, shape (n_frames, 6), up to 1
        How much each stands out; minus infinity where there are fewer.

    References
    ----------
    .. [1] D. J. Hermes, "Measurement of pitch by subharmonic summation", JASA 83(1), 1988. The weights and the
       range are those of F. Eyben et al., "The Geneva minimalistic acoustic parameter set", IEEE Trans. Affective
       Computing 7(2), 2016.
    """
    octaves = np.maximum((_octave_scale() @ _peaks_only(magnitude).T), 0)  # (n_points, n_frames)
    mean = _mean_weights() @ octaves
    low = int(np.ceil(np.log2(F0_RANGE_HZ[0] / _LOWEST_HZ) * _PER_OCTAVE))
    high = int(np.log2(F0_RANGE_HZ[1] / _LOWEST_HZ) * _PER_OCTAVE) + 1
    sums = np.zeros((high - low + 2, octaves.shape[1]), dtype=np.float32)
    for harmonic, shift in enumerate(_shifts()):
        part = octaves[low - 1 + shift : high + 1 + shift]
        sums[: part.shape[0]] += np.float32(_DECAY**harmonic) * part
    centre = sums[1:-1]
    is_peak = (centre > sums[:-2]) & (centre >= sums[2:])
    score = np.ascontiguousarray(np.where(is_peak, centre, -np.inf).T)
    best = np.argpartition(score, -_N_CANDIDATES, axis=1)[:, -_N_CANDIDATES:]
    by_height = np.argsort(-np.take_along_axis(score, best, axis=1), axis=1, kind="stable")
    order = np.take_along_axis(best, by_height, axis=1).T
    found = np.take_along_axis(is_peak, order, axis=0)
    height = np.take_along_axis(centre, order, axis=0)
    left, right = np.take_along_axis(sums, order, axis=0), np.take_along_axis(sums, order + 2, axis=0)
    safe = np.where(found, height, 1.0)
    bend = np.where(found, left + right - 2 * safe, -1)
    lean = np.where(found & (bend < 0), 0.5 * (left - right) / np.where(bend < 0, bend, -1), 0)
    f0_hz = _LOWEST_HZ * 2 ** ((order + low + lean).astype(np.float64) / _PER_OCTAVE)
    voicing = np.where(found, 1 - mean / safe, -np.inf)
    return np.where(found, f0_hz, 1.0).T, voicing.T.astype(np.float64)


def cheapest_path(f0_hz: NDArray[np.float64], voicing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Choose one candidate or none in each frame, so that the F0 neither jumps nor comes and goes without need.

    Dynamic programming. A candidate costs 2 times what its voicing lacks to 1, and 4 more where it is under 0.7;
    no voice costs 4 where a candidate has 0.7 or more. An octave's jump costs 0.2, starting or ending 3.7.

    Parameters
    ----------
    f0_hz : ndarray of float64, shape (n_frames, n_candidates), hertz
        Candidates.
    voicing : ndarray of float64, shape (n_frames, n_candidates)
        How much each stands out; minus infinity for none.

    Returns
    -------
    ndarray of float64, shape (n_frames,), hertz
        NaN where there is no voice.
    """
    n_frames, n_candidates = f0_hz.shape
    clear = voicing >= _VOICED_FROM
    local = np.empty((n_frames, n_candidates + 1))
    local[:, :-1] = _LOCAL * (1 - voicing) + _WRONG_SIDE * ~clear
    local[:, -1] = _WRONG_SIDE * clear.any(axis=1)
    octaves = np.log2(f0_hz)
    step = np.full((n_frames, n_candidates + 1, n_candidates + 1), _SWITCH)
    step[1:, :-1, :-1] = _PER_OCTAVE_JUMP * np.abs(octaves[:-1, :, None] - octaves[1:, None, :])
    step[:, -1, -1] = 0
    back = np.zeros((n_frames, n_candidates + 1), dtype=np.int64)
    cost = local[0]
    for i in range(1, n_frames):
        through = cost[:, None] + step[i]
        back[i] = through.argmin(axis=0)
        cost = through.min(axis=0) + local[i]
    chosen = np.empty(n_frames, dtype=np.int64)
    chosen[-1] = cost.argmin()
    for i in range(n_frames - 1, 0, -1):
        chosen[i - 1] = back[i, chosen[i]]
    rows = np.arange(n_frames)
    return np.where(chosen < n_candidates, f0_hz[rows, np.minimum(chosen, n_candidates - 1)], np.nan)


def track_voice(samples: NDArray[np.float32]) -> VoiceTrack:
    """Follow what leads through a clip.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        At 22,050 Hz, of a root mean square of 0.1, and at least 60 ms.

    Returns
    -------
    VoiceTrack
        Frames whose level under the window is more than 40 dB below the clip's have no F0.
    """
    from scipy.fft import rfft

    starts = frame_starts(samples.size, FRAME)
    magnitude = np.empty((starts.size, N_FFT // 2 + 1), dtype=np.float32)
    f0_hz = np.empty((starts.size, _N_CANDIDATES))
    voicing = np.empty_like(f0_hz)
    loud = np.empty(starts.size, dtype=bool)
    for first in range(0, starts.size, _CHUNK):
        part = slice(first, first + _CHUNK)
        frames = windowed(samples, starts[part], _gauss())
        loud[part] = np.sqrt(np.mean(np.square(frames), axis=1)) >= _QUIET
        spectra = cast("NDArray[np.complex64]", rfft(frames, N_FFT))
        magnitude[part] = np.sqrt(np.square(spectra.real) + np.square(spectra.imag))
        f0_hz[part], voicing[part] = f0_candidates(magnitude[part])
    path = cheapest_path(f0_hz, voicing)
    return VoiceTrack(np.where(loud, path, np.nan), starts, magnitude)
