"""What can be read off the fine spectrum of each frame: tone against noise, periods, overtones, roughness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otoscope.features.spectral import flatness_db
from otoscope.features.tonal import LOWEST_ROW, N_FFT, PEAK_RANGE_HZ, RATE, Peaks, TonalView

__all__ = [
    "inharmonicity",
    "mid_flatness",
    "odds_db",
    "partials",
    "periodicity",
    "roughness",
    "strong_peak",
    "tonal_share",
]

_PERIOD_HZ = (50.0, 1000.0)
_FINER = 4  # points of the autocorrelation for each sample
_BLOCK = 256  # frames whose autocorrelation is held at a time
_MID_HZ = (250.0, 4000.0)
_NEAR_BINS = 2  # of a peak, on either side: the main lobe of a Hann window
_LIMIT_DB = 40.0

FloatArray = NDArray[np.float64]


def inharmonicity(peaks: Peaks, fundamental: FloatArray) -> FloatArray:
    """Say how far the peaks lie from the overtones of one fundamental.

    Parameters
    ----------
    peaks : Peaks
        Of each frame.
    fundamental : ndarray of float64, shape (n_frames,), hertz
        Of each frame; NaN where there is none.

    Returns
    -------
    ndarray of float64, shape (n_frames,)
        Twice the distance from the nearest whole multiple, over the fundamental, weighted by power: 0 for overtones,
        1 for peaks half-way between them. NaN where there is nothing to compare.
    """
    order = peaks.hz / fundamental[:, None]
    away = 2 * np.abs(order - np.round(order))
    power = np.where(np.isfinite(away), np.square(peaks.amplitude), 0.0)
    total = power.sum(axis=1)
    weighted = (power * np.nan_to_num(away)).sum(axis=1)
    return np.divide(weighted, total, out=np.full(total.shape, np.nan), where=total > 0)


def mid_flatness(view: TonalView) -> FloatArray:
    """Say how noise-like the middle of the range is.

    Parameters
    ----------
    view : TonalView
        The clip.

    Returns
    -------
    ndarray of float64, shape (n_frames,), dB
        Flatness from 250 Hz to 4 kHz; NaN in empty frames.
    """
    low, high = np.searchsorted(view.frequencies, _MID_HZ)
    return flatness_db(view.power[low:high].astype(np.float64))


def odds_db(share: FloatArray) -> FloatArray:
    """Set a share against the rest.

    Parameters
    ----------
    share : ndarray of float64
        From 0 to 1, or NaN.

    Returns
    -------
    ndarray of float64, dB
        Of ``10 log10(share / (1 - share))``, held within 40.

    Examples
    --------
    >>> odds_db(np.array([0.0, 0.5, 1.0])).round(6).tolist()
    [-40.0, 0.0, 40.0]
    """
    limit = 1 / (1 + 10 ** (_LIMIT_DB / 10))
    held = np.clip(share, limit, 1 - limit)
    return 10 * np.log10(held / (1 - held))


def partials(peaks: Peaks) -> FloatArray:
    """Count the peaks, each as far as it is heard.

    Parameters
    ----------
    peaks : Peaks
        Of each frame.

    Returns
    -------
    ndarray of float64, shape (n_frames,)
        Squared sum of amplitudes over the sum of squares, as log2: log2 n for n equal peaks. NaN where there is none.

    Examples
    --------
    >>> two = Peaks(np.array([[200.0, 300.0]]), np.array([[1.0, 1.0]]), np.array([[74, 111]]))
    >>> partials(two).tolist()
    [1.0]
    """
    energy = np.square(peaks.amplitude).sum(axis=1)
    squared = np.square(peaks.amplitude.sum(axis=1))
    return np.log2(np.divide(squared, energy, out=np.full(energy.shape, np.nan), where=energy > 0))


def periodicity(power: NDArray[np.floating]) -> tuple[FloatArray, FloatArray]:
    """Say how exactly each frame repeats, and after how long.

    Parameters
    ----------
    power : ndarray of float, shape (2049, n_frames)
        The fine power spectrum of a :class:`~otoscope.features.tonal.TonalView`.

    Returns
    -------
    repeats : ndarray of float64, shape (n_frames,)
        The greatest local maximum of the normalised autocorrelation at lags of 1 to 20 ms, divided by that of the
        window [1]_; NaN where there is none above 0.001.
    fundamental : ndarray of float64, shape (n_frames,), hertz
        One over the shortest lag whose local maximum reaches 0.95 of that; NaN with it.

    References
    ----------
    .. [1] P. Boersma, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of
       a sampled sound", Proc. Institute of Phonetic Sciences 17, Amsterdam, 1993.
    """
    from scipy.fft import irfft, rfft

    first, last = (int(_FINER * RATE / hz) for hz in _PERIOD_HZ[::-1])
    rows = np.arange(N_FFT)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * rows / N_FFT)).astype(np.float32)
    of_window = np.asarray(irfft(np.square(np.abs(np.asarray(rfft(window)))), n=_FINER * N_FFT))
    taper = (of_window[: last + 2] / of_window[0]).astype(np.float64)
    n_frames = power.shape[1]
    repeats, fundamental = np.full(n_frames, np.nan), np.full(n_frames, np.nan)
    for start in range(0, n_frames, _BLOCK):
        block = power[:, start : start + _BLOCK].T
        raw = np.asarray(irfft(block, n=_FINER * N_FFT, axis=1))[:, : last + 2].astype(np.float64)
        energy = raw[:, :1]
        r = np.divide(raw, energy * taper, out=np.zeros(raw.shape), where=energy > 0)
        left, middle, right = r[:, first - 1 : -2], r[:, first:-1], r[:, first + 1 :]
        peak = np.where((middle > left) & (middle >= right) & (middle > 0), middle, 0.0)
        best = peak.max(axis=1)
        shortest = (peak >= 0.95 * best[:, None]).argmax(axis=1)
        frame = np.arange(len(r))
        a, b, c = (part[frame, shortest] for part in (left, middle, right))
        curve = a - 2 * b + c
        offset = np.divide(0.5 * (a - c), curve, out=np.zeros(len(r)), where=curve < 0)
        found = best > 0.001
        repeats[start : start + _BLOCK] = np.where(found, best, np.nan)
        fundamental[start : start + _BLOCK] = np.where(found, _FINER * RATE / (first + shortest + offset), np.nan)
    return repeats, fundamental


def roughness(peaks: Peaks) -> FloatArray:
    """Say how much the peaks of each frame rub against each other.

    Parameters
    ----------
    peaks : Peaks
        Of each frame.

    Returns
    -------
    ndarray of float64, shape (n_frames,)
        The dissonance of each pair times the product of its amplitudes, summed and divided by the sum of squared
        amplitudes; 0 for a single tone, NaN in a frame without peaks.

    References
    ----------
    .. [1] W. A. Sethares, "Local consonance and the relationship between timbre and scale", J. Acoust. Soc. Am. 94,
       1993: the curve and its constants, after R. Plomp and W. J. M. Levelt, 1965.
    """
    first, second = np.triu_indices(peaks.hz.shape[1], 1)
    hz = np.nan_to_num(peaks.hz, nan=1.0)
    lower = np.minimum(hz[:, first], hz[:, second])
    apart = 0.24 / (0.0207 * lower + 18.96) * np.abs(hz[:, first] - hz[:, second])
    product = peaks.amplitude[:, first] * peaks.amplitude[:, second]
    total = (product * (np.exp(-3.51 * apart) - np.exp(-5.75 * apart))).sum(axis=1)
    energy = np.square(peaks.amplitude).sum(axis=1)
    return np.divide(total, energy, out=np.full(energy.shape, np.nan), where=energy > 0)


def strong_peak(power: NDArray[np.floating], frequencies: FloatArray) -> FloatArray:
    """Say how high and how narrow the highest peak of each frame is.

    Parameters
    ----------
    power : ndarray of float, shape (n_bins, n_frames)
        The fine power spectrum of a :class:`~otoscope.features.tonal.TonalView`.
    frequencies : ndarray of float64, shape (n_bins,), hertz
        Of its rows.

    Returns
    -------
    ndarray of float64, shape (n_frames,), dB
        20 log10 of the peak's amplitude over the root of the power above 32 Hz and over the peak's width, in
        semitones, where it has fallen to half its amplitude (interpolated between rows). NaN in empty frames.

    Notes
    -----
    The ratio of a peak's height to its width at half height, as in essentia's StrongPeak; made independent of level
    here by the division by the whole, and with the width as a musical interval.
    """
    low, high = np.searchsorted(frequencies, PEAK_RANGE_HZ)
    tiny = float(np.finfo(np.float32).tiny)
    level = 10 * np.log10(np.maximum(power[low:high], tiny).astype(np.float64))
    n_rows, n_frames = level.shape
    top = level.argmax(axis=0)
    frame = np.arange(n_frames)
    height = level[top, frame]
    half = height - 20 * np.log10(2)
    rows = np.arange(n_rows)[:, None]
    below = level < half
    left = np.where(below & (rows < top), rows, 0).max(axis=0)
    right = np.where(below & (rows > top), rows, n_rows - 1).min(axis=0)
    step = frequencies[1] - frequencies[0]
    lower = frequencies[low] + step * (left + _crossing(level[left, frame], level[left + 1, frame], half))
    upper = frequencies[low] + step * (right - _crossing(level[right, frame], level[right - 1, frame], half))
    whole = power[LOWEST_ROW:].sum(axis=0, dtype=np.float64)
    heard = (whole > 0) & (height > 10 * np.log10(tiny))
    width = 12 * np.log2(np.where(heard, upper / lower, 2.0))
    ratio_db = height - 10 * np.log10(np.where(heard, whole, 1.0)) - 20 * np.log10(width)
    return np.where(heard, ratio_db, np.nan)


def tonal_share(view: TonalView) -> FloatArray:
    """Say how much of each frame's power lies in its peaks.

    Parameters
    ----------
    view : TonalView
        The clip.

    Returns
    -------
    ndarray of float64, shape (n_frames,)
        Share of the power from 55 Hz to 5 kHz within two rows of a peak; NaN in empty frames.
    """
    low, high = np.searchsorted(view.frequencies, PEAK_RANGE_HZ)
    rows, peaks = view.power.shape[0], view.peaks
    near = np.zeros(view.power.shape, dtype=np.bool_)
    frames = np.broadcast_to(np.arange(len(peaks.bins))[:, None], peaks.bins.shape)
    found = peaks.amplitude > 0
    for shift in range(-_NEAR_BINS, _NEAR_BINS + 1):
        near[np.clip(peaks.bins[found] + shift, 0, rows - 1), frames[found]] = True
    heard = view.power[low:high]
    total = heard.sum(axis=0, dtype=np.float64)
    tonal = np.where(near[low:high], heard, 0).sum(axis=0, dtype=np.float64)
    return np.divide(tonal, total, out=np.full(total.shape, np.nan), where=total > 0)


def _crossing(outer: FloatArray, inner: FloatArray, half: FloatArray) -> FloatArray:
    """Give where between two rows a level is crossed, from 0 at the outer to 1 at the inner one."""
    rise = inner - outer
    return np.clip(np.divide(half - outer, rise, out=np.zeros(rise.shape), where=rise > 0), 0.0, 1.0)
