"""Onsets, and the beat that they make: arrays of onset strength in, times and periods out.

Onset strength is a rise in dB from one frame to the next, averaged over bands of frequency [1]_, so that nothing here
depends on the level. The beat is the period at which the autocorrelation of the strength is high at all its first
multiples, weighted by how usual its tempo is [2]_.

References
----------
.. [1] S. Böck, G. Widmer: Maximum filter vibrato suppression for onset detection. DAFx, 2013.
.. [2] D. P. W. Ellis: Beat tracking by dynamic programming. Journal of New Music Research 36(1), 2007.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["TEMPI_BPM", "Pulse", "autocorrelation", "find_onsets", "find_pulse", "steadiness"]

FloatArray = NDArray[np.float64]

NEIGHBOURS = 2  # frames on each side that an onset towers over
SURROUNDINGS = 15  # frames on each side whose mean it has to exceed
WINDOW = 384  # frames of autocorrelation: 8.9 s; a longer clip is averaged over windows
LONGEST_LAG = 2 / 3  # of the window
FEWEST_FRAMES = 80  # 1.9 s: two beats of 65 bpm
STILL_DB = 0.15  # standard deviation of an onset strength that says nothing: white noise has 0.14
FAINTEST = 0.2  # autocorrelation below which there is no pulse: onsets at random reach it now and then
TEMPI_BPM = 40.0 * 2 ** (np.arange(312) / 120)
"""The tempi that are tried: 40 to 241 bpm, a tenth of a semitone apart."""
USUAL_BPM = 120.0
PRIOR_OCTAVES = 1.0  # standard deviation of the prior over log2 of tempo
MULTIPLES = 4


@dataclass(frozen=True, slots=True, eq=False)
class Pulse:
    """The beat of a clip.

    Parameters
    ----------
    tempo_bpm : float
        NaN where there is no pulse.
    clarity : float
        Mean autocorrelation at the beat and its multiples, at most 1; NaN where the clip is too short or nothing
        moves in it.
    spectrum : ndarray of float64, shape (n_tempi,)
        The same for every tempo of `TEMPI_BPM`.
    period : float, frames
        Of the beat.
    correlation : ndarray of float64, shape (n_lags,)
        Autocorrelation of the onset strength, 1 at lag 0.
    """

    tempo_bpm: float
    clarity: float
    spectrum: FloatArray
    period: float
    correlation: FloatArray

    def at(self, beats: float) -> float:
        """Give the autocorrelation at a number of beats.

        Parameters
        ----------
        beats : float
            Such as 2, or a half.

        Returns
        -------
        float
            NaN where there is no pulse, or the clip is too short for it.
        """
        lag = beats * self.period
        if not lag <= self.correlation.size - 1:
            return float("nan")
        return float(np.interp(lag, np.arange(self.correlation.size), self.correlation))


def find_onsets(strength: FloatArray, threshold_db: float) -> FloatArray:
    """Find the onsets.

    Parameters
    ----------
    strength : ndarray of float64, shape (n_frames,)
        Onset strength, dB.
    threshold_db : float
        By how much an onset exceeds the mean of its surroundings (15 frames on each side).

    Returns
    -------
    ndarray of float64, shape (n_onsets,)
        Where they are, in frames, between frames by a parabola; at least 3 frames apart.
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    if strength.size < 3:
        return np.empty(0)
    highest = maximum_filter1d(strength, 2 * NEIGHBOURS + 1, mode="constant", cval=0.0)
    around = uniform_filter1d(strength, 2 * SURROUNDINGS + 1, mode="nearest")
    frames = np.flatnonzero((strength == highest) & (strength >= around + threshold_db))
    frames = frames[np.diff(frames, prepend=-NEIGHBOURS - 1) > NEIGHBOURS]
    inner = np.clip(frames, 1, strength.size - 2)
    left, middle, right = strength[inner - 1], strength[inner], strength[inner + 1]
    bend = left - 2 * middle + right
    offset = np.divide(left - right, 2 * bend, out=np.zeros(inner.size), where=(bend < 0) & (inner == frames))
    return frames.astype(np.float64) + np.clip(offset, -0.5, 0.5)


def autocorrelation(strength: FloatArray, longest: int) -> FloatArray:
    """Correlate a signal with itself, each lag by the mean over the frames that overlap.

    Parameters
    ----------
    strength : ndarray of float64, shape (n_frames,)
        Its mean is taken off.
    longest : int
        The longest lag, below ``n_frames``.

    Returns
    -------
    ndarray of float64, shape (longest + 1,)
        The first is the variance.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    centred = strength - strength.mean()
    n_fft = next_fast_len(centred.size + longest + 1, real=True)
    spectrum = np.asarray(rfft(centred, n_fft))
    sums = np.asarray(irfft(np.abs(spectrum) ** 2, n_fft))[: longest + 1]
    return sums / (centred.size - np.arange(longest + 1))


def find_pulse(strength: FloatArray, frames_per_s: float) -> Pulse:
    """Find the beat.

    Parameters
    ----------
    strength : ndarray of float64, shape (n_frames,)
        Onset strength, dB.
    frames_per_s : float
        Its rate.

    Returns
    -------
    Pulse
        Without tempo where the clip is too short, nothing moves, or the autocorrelation stays below 0.2.
    """
    nothing = Pulse(float("nan"), float("nan"), np.zeros(TEMPI_BPM.size), float("nan"), np.zeros(1))
    if strength.size < FEWEST_FRAMES or strength.std() < STILL_DB:
        return nothing
    smoothed = np.convolve(strength, [0.25, 0.5, 0.25], mode="same")
    window = min(smoothed.size, WINDOW)
    longest = int(window * LONGEST_LAG)
    starts = range(0, smoothed.size - window + 1, window // 2)
    total = np.sum([autocorrelation(smoothed[i : i + window], longest) for i in starts], axis=0)
    correlation = total / total[0]
    spectrum = _comb(correlation, 60.0 * frames_per_s / TEMPI_BPM)
    prior = np.exp(-0.5 * (np.log2(TEMPI_BPM / USUAL_BPM) / PRIOR_OCTAVES) ** 2)
    best = int(np.argmax(np.where(spectrum > 0, spectrum * prior, spectrum)))
    clarity = float(spectrum[best])
    if clarity < FAINTEST:
        return Pulse(float("nan"), clarity, spectrum, float("nan"), correlation)
    tempo = float(TEMPI_BPM[best])
    return Pulse(tempo, clarity, spectrum, 60.0 * frames_per_s / tempo, correlation)


def _comb(correlation: FloatArray, periods: FloatArray) -> FloatArray:
    """Average the correlation over the first multiples of each period, the k-th weighted by 1/k."""
    lags = np.arange(correlation.size)
    total, weights = np.zeros(periods.size), np.zeros(periods.size)
    for k in range(1, MULTIPLES + 1):
        reached = k * periods <= lags[-1]
        total += np.where(reached, np.interp(k * periods, lags, correlation) / k, 0.0)
        weights += reached / k
    return np.divide(total, weights, out=np.zeros(periods.size), where=weights > 0)


def steadiness(strength: FloatArray, window: int) -> float:
    """Say how alike the rhythm stays from one stretch to the next.

    Parameters
    ----------
    strength : ndarray of float64, shape (n_frames,)
        Onset strength, dB.
    window : int, frames
        Length of a stretch.

    Returns
    -------
    float
        Mean correlation between the autocorrelations (lags from a tenth to a half of the stretch) of neighbouring
        stretches; NaN where there are fewer than two, or nothing moves.
    """
    stretches = strength[: strength.size // window * window].reshape(-1, window)
    if stretches.shape[0] < 2:
        return float("nan")
    rows = np.array([autocorrelation(row, window // 2)[window // 10 :] for row in stretches])
    moving = stretches.std(axis=1) >= STILL_DB
    values = [
        float(np.corrcoef(a, b)[0, 1])
        for a, b, m in zip(rows, rows[1:], moving & np.roll(moving, -1), strict=False)
        if m
    ]
    return float(np.mean(values)) if values else float("nan")
