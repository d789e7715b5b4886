"""What the groups that deal with notes share: a constant-Q spectrum, a fine spectrum, its peaks, tuning and chroma.

All of it looks at the clip up to 5.5 kHz, at 11,025 Hz, one frame every 93 ms; frame i is centred at 92.9 ms * i.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from otoscope.features.sound import LEVEL, SAMPLE_RATE, Sound
from otoscope.features.weighting import loudness_weights

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = [
    "HOP",
    "LOWEST_ROW",
    "N_FFT",
    "PEAK_RANGE_HZ",
    "RATE",
    "Peaks",
    "TonalView",
    "fold_to_chroma",
    "spectral_peaks",
    "tonal_view",
]

RATE = SAMPLE_RATE // 2  # hertz
HOP = 1024  # samples: 93 ms
N_FFT = 4096  # samples of the fine spectrum: 372 ms
LOWEST_HZ = 440 * 2 ** (-45 / 12)  # C1
BINS_PER_SEMITONE = 3
N_BINS = 7 * 12 * BINS_PER_SEMITONE  # C1 to B7
LONGEST = 16_384  # samples: the longest window of the constant-Q spectrum, 1.49 s
LOWEST_ROW = 12  # of the fine spectrum: 32 Hz
PEAK_RANGE_HZ = (55.0, 5000.0)
N_PEAKS = 20
PEAK_DEPTH_DB = 50.0  # below the greatest row of the frame
PEAK_RISE_DB = 1.0  # above the rows two away: a sine rises by 8 dB or more
_SPARSE = 0.01  # of a kernel's greatest value: what is less is left out
_BLOCK = 64  # frames transformed together, so that a long song needs little memory

FloatArray = NDArray[np.float64]
_views: WeakKeyDictionary[Sound, TonalView] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """The strongest spectral peaks of each frame.

    Parameters
    ----------
    hz : ndarray of float64, shape (n_frames, n_peaks)
        Their frequencies, strongest peak first; NaN where a frame has fewer peaks.
    amplitude : ndarray of float64, shape (n_frames, n_peaks)
        Their heights; 0 where a frame has fewer.
    bins : ndarray of int, shape (n_frames, n_peaks)
        The rows of the spectrum that they stand in; 0 where a frame has fewer.
    """

    hz: FloatArray
    amplitude: FloatArray
    bins: NDArray[np.intp]


class TonalView:
    """One clip, seen as notes; each view is computed once and only if needed.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        The clip at 11,025 Hz.
    """

    def __init__(self, samples: NDArray[np.float32]) -> None:
        self.samples = samples

    @cached_property
    def power(self) -> NDArray[np.float32]:
        """Fine power spectrum, shape (2049, n_frames): Hann windows of 4096 samples at 11,025 Hz, one every 1024."""
        import librosa

        return np.square(np.abs(librosa.stft(self.samples, n_fft=N_FFT, hop_length=HOP))).astype(np.float32)

    @cached_property
    def frequencies(self) -> FloatArray:
        """Of the rows of `power`, shape (2049,), hertz."""
        return np.arange(N_FFT // 2 + 1, dtype=np.float64) * (RATE / N_FFT)

    @cached_property
    def weights(self) -> FloatArray:
        """How much each frame counts, by its power above 32 Hz, shape (n_frames,).

        Frames more than 60 dB below the level of the whole clip count nothing: of a clip that lies beyond the range
        seen here, rounding is all that is left.
        """
        whole = LEVEL**2 * N_FFT * (N_FFT * 3 / 8) / 2  # what `power` adds up to for that mean square
        return loudness_weights(self.power[LOWEST_ROW:], least=1e-6 * whole)

    @cached_property
    def constant_q(self) -> NDArray[np.float32]:
        """Amplitude of three bands a semitone from C1 to B7 at A4 = 440 Hz, shape (252, n_frames).

        Each band has a Hann window of about 52 periods (at most 1.49 s) about the frame's centre [1]_. A sine of
        amplitude 1 in the middle of a band gives 1.

        References
        ----------
        .. [1] J. C. Brown and M. S. Puckette, "An efficient algorithm for the calculation of a constant Q
           transform", J. Acoust. Soc. Am. 92, 1992.
        """
        from scipy.fft import rfft

        kernels = _kernels()
        padded = np.pad(self.samples, LONGEST // 2)
        n_frames = 1 + self.samples.size // HOP
        frames = np.lib.stride_tricks.sliding_window_view(padded, LONGEST)[::HOP][:n_frames]
        blocks = [
            np.abs(kernels @ np.asarray(rfft(frames[first : first + _BLOCK], axis=1)).T)
            for first in range(0, n_frames, _BLOCK)
        ]
        return np.concatenate(blocks, axis=1).astype(np.float32)

    @cached_property
    def peaks(self) -> Peaks:
        """The 20 strongest peaks of each frame of `power` that counts, by :func:`spectral_peaks`."""
        return spectral_peaks(np.where(self.weights > 0, self.power, 0), self.frequencies)

    @cached_property
    def tuning(self) -> tuple[float, float]:
        """How far the notes lie above the semitones of A4 = 440 Hz, -0.5 to 0.5 semitones, and how much they agree.

        Both come from the mean of ``exp(2j * pi * s)`` over the peaks from 80 Hz to 2 kHz, weighted by amplitude, s
        being the distance from A4 in semitones: its angle and its length. NaN where there is no peak.
        """
        peaks = self.peaks
        heard = (peaks.hz >= 80) & (peaks.hz <= 2000)
        amplitude = peaks.amplitude[heard]
        total = amplitude.sum()
        if not total > 0:
            return np.nan, np.nan
        mean = (amplitude * np.exp(2j * np.pi * 12 * np.log2(peaks.hz[heard] / 440))).sum() / total
        return float(np.angle(mean) / (2 * np.pi)), float(np.abs(mean))

    @cached_property
    def chroma(self) -> FloatArray:
        """Strength of the 12 pitch classes from C to B, shape (12, n_frames), the greatest of each frame being 1.

        `constant_q` divided by the square root of frequency and folded by :func:`fold_to_chroma`. The semitones are
        moved by the tuning times its agreement, so that noise, which has no tuning, moves nothing. NaN in frames
        that count nothing.
        """
        offset, agreement = self.tuning
        moved = offset * agreement if np.isfinite(offset) else 0.0
        return fold_to_chroma(self.constant_q, moved, self.weights > 0)


def tonal_view(sound: Sound) -> TonalView:
    """Give the tonal view of a clip, the same one to all who ask.

    Parameters
    ----------
    sound : Sound
        The clip.

    Returns
    -------
    TonalView
        Of the clip brought to one level. It lives as long as the sound.
    """
    view = _views.get(sound)
    if view is None:
        import soxr

        samples = soxr.resample(sound.levelled, SAMPLE_RATE, RATE, quality="HQ")
        view = _views[sound] = TonalView(np.asarray(samples, dtype=np.float32))
    return view


def spectral_peaks(power: NDArray[np.floating], frequencies: FloatArray) -> Peaks:
    """Find the strongest peaks of each frame.

    A peak is a row greater than both its neighbours and at least 1 dB above the rows two away. Its frequency and
    height are those of the parabola through the three in decibels.

    Parameters
    ----------
    power : ndarray of float, shape (n_bins, n_frames)
        Power spectrum.
    frequencies : ndarray of float64, shape (n_bins,), hertz
        Of its rows, evenly spaced.

    Returns
    -------
    Peaks
        Up to 20 a frame, from 55 Hz to 5 kHz, none more than 50 dB below the frame's greatest row above 32 Hz.
    """
    low, high = np.searchsorted(frequencies, PEAK_RANGE_HZ)
    tiny = float(np.finfo(np.float32).tiny)
    level = 10 * np.log10(np.maximum(power[low - 2 : high + 2].T, tiny).astype(np.float64))
    greatest = 10 * np.log10(np.maximum(power[LOWEST_ROW:].max(axis=0), tiny).astype(np.float64))
    middle = level[:, 2:-2]
    is_peak = (middle > level[:, 1:-3]) & (middle > level[:, 3:-1])
    is_peak &= (middle > level[:, :-4] + PEAK_RISE_DB) & (middle > level[:, 4:] + PEAK_RISE_DB)
    is_peak &= middle >= greatest[:, None] - PEAK_DEPTH_DB
    height = np.where(is_peak, middle, -np.inf)
    n = min(N_PEAKS, height.shape[1])
    strongest = np.argpartition(-height, n - 1, axis=1)[:, :n]
    order = np.argsort(-np.take_along_axis(height, strongest, 1), axis=1, kind="stable")
    rows = np.take_along_axis(strongest, order, 1)
    found = np.isfinite(np.take_along_axis(height, rows, 1))
    left, centre, right = (np.take_along_axis(level, rows + shift, 1) for shift in (1, 2, 3))
    curve = np.where(found, left - 2 * centre + right, -1.0)
    offset = np.where(found, 0.5 * (left - right) / curve, 0.0)
    step = frequencies[1] - frequencies[0]
    return Peaks(
        hz=np.where(found, frequencies[low + rows] + offset * step, np.nan),
        amplitude=np.where(found, 10 ** ((centre - 0.25 * (left - right) * offset) / 20), 0.0),
        bins=np.where(found, rows + low, 0),
    )


def fold_to_chroma(
    constant_q: NDArray[np.floating], tuning: float = 0.0, counts: NDArray[np.bool_] | None = None
) -> FloatArray:
    """Fold bands, three a semitone from C1 upwards, into 12 pitch classes.

    Each band counts as a third of a semitone wide and gives each class the share of it that lies within half a
    semitone of that class. Bands are divided by the square root of their frequency first, as librosa's scaling does.

    Parameters
    ----------
    constant_q : ndarray of float, shape (n_bands, n_frames)
        Amplitudes.
    tuning : float, semitones
        By how much the notes lie above those of A4 = 440 Hz.
    counts : ndarray of bool, shape (n_frames,), optional
        Frames that are not True become NaN; all count where it is left out.

    Returns
    -------
    ndarray of float64, shape (12, n_frames)
        C first. The greatest of each frame is 1; NaN in frames where all is 0.

    Examples
    --------
    >>> bands = np.zeros((36, 1))
    >>> bands[9 * 3] = 1.0
    >>> fold_to_chroma(bands)[:, 0].nonzero()[0].tolist()
    [9]
    """
    semitones = np.arange(constant_q.shape[0]) / BINS_PER_SEMITONE
    distance = np.abs((semitones - tuning - np.arange(12)[:, None] + 6) % 12 - 6)
    half = 0.5 / BINS_PER_SEMITONE
    share = np.clip((0.5 + half - distance) / (2 * half), 0, 1)
    folded = (share * 2 ** (-semitones / 24)) @ constant_q.astype(np.float64)
    greatest = folded.max(axis=0)
    kept = greatest > 0 if counts is None else (greatest > 0) & counts
    return np.divide(folded, greatest, out=np.full(folded.shape, np.nan), where=kept)


@cache
def _kernels() -> csr_matrix:
    """Give the constant-Q kernels in the frequency domain, shape (252, 8193), sparse."""
    from scipy.fft import fft
    from scipy.sparse import csr_matrix, vstack

    ratio = 2 ** (1 / (12 * BINS_PER_SEMITONE))
    quality = (ratio**2 + 1) / (ratio**2 - 1)
    samples = np.arange(LONGEST) - LONGEST / 2
    rows = []
    for hz in LOWEST_HZ * ratio ** np.arange(N_BINS):
        length = min(quality * RATE / hz, LONGEST)
        window = np.where(np.abs(samples) < length / 2, 1 + np.cos(2 * np.pi * samples / length), 0.0)
        kernel = np.conj(np.asarray(fft(window / window.sum() * np.exp(2j * np.pi * hz / RATE * samples))))
        kernel = kernel[: LONGEST // 2 + 1] * (2 / LONGEST)
        kernel[np.abs(kernel) < _SPARSE * np.abs(kernel).max()] = 0
        rows.append(csr_matrix(kernel.astype(np.complex64)))
    return csr_matrix(vstack(rows))
