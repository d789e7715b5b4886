"""How strongly each pitch can be heard at each moment, without any learned weights.

The spectrum's peaks are laid on an axis of pitch; the salience of a pitch is the weighted sum of what lies at its
harmonics [1]_. The strongest pitch is taken, what it explains is taken off the spectrum, and the search goes on in
the rest [2]_.

References
----------
.. [1] J. Salamon and E. Gomez, "Melody extraction from polyphonic music signals using pitch contour
   characteristics", IEEE Trans. Audio, Speech and Language Processing 20 (6), 2012.
.. [2] A. Klapuri, "Multiple fundamental frequency estimation by summing harmonic amplitudes", ISMIR, 2006.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.features.sound import SAMPLE_RATE

__all__ = ["FRAME_RATE", "HIGHEST", "LOWEST", "MOST_PITCHES", "PitchFrames", "find_pitches", "pitch_salience"]

WINDOW = 4096  # samples: 186 ms
HOP = 1024  # samples: 46 ms
FRAME_RATE = SAMPLE_RATE / HOP
"""Frames per second; frame i is centred at ``i / FRAME_RATE`` seconds."""
LOWEST, HIGHEST = 28, 100
"""The pitches searched, MIDI numbers: E1 (41 Hz) to E7 (2,637 Hz)."""
MOST_PITCHES = 6
"""Pitches searched in one frame."""

PER_SEMITONE = 10  # bins of the pitch axis
HARMONICS = 12
DECAY = 0.86  # weight of each harmonic beside the one before
EMPHASIS = 0.25  # exponent of frequency by which amplitudes are raised: 1.5 dB an octave, against rumble
COMPRESSION = 0.4  # exponent of amplitudes, so that faint partials count
WIDTH = 6  # bins on each side over which a peak is spread: 60 cents
MARGIN = 2 * WIDTH  # bins of the axis below the lowest pitch and above the highest harmonic
PEAK_RANGE_DB = 50.0  # below the strongest peak of the frame
QUIET_DB = 50.0  # below the loudest frame of the clip
FLOOR_BINS = 15  # on each side of a peak, over which the floor is averaged
PROMINENCE = 1.05  # times the floor, in amplitude, for a peak to count
CLEAR = 2.5  # times the root mean square of the salience, for the strongest pitch
FURTHER = 2.4  # the same for each further pitch, beside what salience is left
SALIENT = 0.35  # of the strongest pitch's salience, for each further one
BLOCK = 512  # frames at a time, so that a whole song needs little more memory than a clip

_N_BINS = (HIGHEST - LOWEST) * PER_SEMITONE + 1
_OFFSETS = np.round(12 * PER_SEMITONE * np.log2(np.arange(1, HARMONICS + 1))).astype(np.int64)
_WEIGHTS = (DECAY ** np.arange(HARMONICS)).astype(np.float32)
_AXIS = _N_BINS + int(_OFFSETS[-1]) + 2 * MARGIN  # bins of the whole axis
_SPREAD = np.arange(-WIDTH, WIDTH + 1)
_KERNEL = (np.cos(0.5 * np.pi * _SPREAD / (WIDTH + 1)) ** 2).astype(np.float32)

Float32Array = NDArray[np.float32]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PitchFrames:
    """The pitches of each frame.

    Parameters
    ----------
    pitches : ndarray of float64, shape (n_frames, 6), MIDI numbers
        Strongest first; NaN where there are no more, and throughout where no pitch is clear.
    clarity : ndarray of float64, shape (n_frames,)
        Greatest salience over the root mean square of all pitches' salience, at least 1; NaN in quiet frames, 50 dB
        below the loudest.
    """

    pitches: FloatArray
    clarity: FloatArray

    @property
    def clear(self) -> NDArray[np.bool_]:
        """Which frames have a clear pitch, shape (n_frames,)."""
        return ~np.isnan(self.pitches[:, 0])


def find_pitches(samples: Float32Array) -> PitchFrames:
    """Find up to six pitches in each frame.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        At 22,050 Hz, not silent.

    Returns
    -------
    PitchFrames
        Of Hann windows of 4096 samples, one every 1024, the first centred at the first sample. It does not depend
        on the level.

    Notes
    -----
    Amplitudes are first raised by 1.5 dB an octave. The strongest pitch is clear if its salience is 2.5 times the
    root mean square over all pitches (that of white, pink and brown noise is mostly below 2). Each further pitch must
    reach 2.4 times that of the salience that is left, and 0.35 of the strongest; all need one of their first three
    harmonics. The constants were set on clips of
    game music, where they agree best with the notes of basic-pitch's model. An octave above a sounding pitch is found
    only where its partials stand out of the lower pitch's.
    """
    n_frames = 1 + (samples.size - 1) // HOP
    padded = np.pad(samples, (WINDOW // 2, WINDOW))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:n_frames]
    window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    emphasis = (np.arange(WINDOW // 2 + 1) ** EMPHASIS).astype(np.float32)
    power = np.einsum("ij,ij->i", frames, frames)
    loud = np.flatnonzero(power > power.max() * 10 ** (-QUIET_DB / 10))
    pitches = np.full((n_frames, MOST_PITCHES), np.nan)
    clarity = np.full(n_frames, np.nan)
    for at in range(0, loud.size, BLOCK):
        block = loud[at : at + BLOCK]
        amplitude = np.abs(np.fft.rfft(frames[block] * window, axis=1)).astype(np.float32) * emphasis
        pitches[block], clarity[block] = _search(_pitch_spectrum(amplitude))
    return PitchFrames(pitches, clarity)


def pitch_salience(spectrum: Float32Array) -> Float32Array:
    """Sum what lies at the harmonics of each pitch.

    Parameters
    ----------
    spectrum : ndarray of float32, shape (n_frames, 1175)
        Compressed amplitudes on the axis of pitch, ten bins a semitone; bin 12 is E1.

    Returns
    -------
    ndarray of float32, shape (n_frames, 721)
        From E1 to E7; harmonic h counts 0.86 to the power of h - 1, up to the twelfth.
    """
    salience = np.zeros((len(spectrum), _N_BINS), dtype=np.float32)
    for offset, weight in zip(_OFFSETS + MARGIN, _WEIGHTS, strict=True):
        salience += weight * spectrum[:, offset : offset + _N_BINS]
    return salience


def _pitch_spectrum(amplitude: Float32Array) -> Float32Array:
    """Lay the peaks of amplitude spectra on the axis of pitch.

    A peak counts by what rises above the mean of its neighbourhood, compressed, and is spread over 60 cents on each
    side; what rises by less than a twentieth of that mean is no peak. Frequencies and heights
    are those of a parabola through the logarithms of three bins.
    """
    middle = amplitude[:, 1:-1]
    total = np.cumsum(np.pad(amplitude, ((0, 0), (FLOOR_BINS + 1, FLOOR_BINS)), mode="reflect"), axis=1)
    floor = (total[:, 2 * FLOOR_BINS + 1 :] - total[:, : -2 * FLOOR_BINS - 1])[:, 1:-1] / (2 * FLOOR_BINS + 1)
    least = np.maximum(
        PROMINENCE * floor, amplitude.max(axis=1, keepdims=True) * np.float32(10 ** (-PEAK_RANGE_DB / 20))
    )
    frame, column = np.nonzero((middle > amplitude[:, :-2]) & (middle >= amplitude[:, 2:]) & (middle > least))
    left, here, right = (np.log(np.maximum(amplitude[frame, column + i], 1e-20)) for i in range(3))
    bent = left - 2 * here + right
    shift = np.divide(0.5 * (left - right), bent, out=np.zeros_like(bent), where=bent < 0)
    hz = (column + 1 + shift) * (SAMPLE_RATE / WINDOW)
    rise = np.exp(here - 0.25 * (left - right) * shift) - floor[frame, column]
    place = np.round((69 + 12 * np.log2(hz / 440) - LOWEST) * PER_SEMITONE).astype(np.int64) + MARGIN
    kept = (place >= WIDTH) & (place < _AXIS - WIDTH)
    strength = (rise[kept] ** COMPRESSION).astype(np.float32)
    spectrum = np.zeros((len(amplitude), _AXIS), dtype=np.float32)
    cells = frame[kept] * _AXIS + place[kept]
    for offset, weight in zip(_SPREAD, _KERNEL, strict=True):
        np.maximum.at(spectrum.reshape(-1), cells + offset, weight * strength)
    return spectrum


def _search(spectrum: Float32Array) -> tuple[FloatArray, FloatArray]:
    """Find pitches one by one; gives them, shape (n_frames, 6), and the clarity of the strongest, (n_frames,).

    `spectrum` is used up.
    """
    rows = np.arange(len(spectrum))
    pitches = np.full((len(spectrum), MOST_PITCHES), np.nan)
    first = np.zeros(0)
    clarity = np.zeros(0)
    for number in range(MOST_PITCHES):
        salience = pitch_salience(spectrum[rows])
        best = salience.argmax(axis=1)
        peak = salience[np.arange(rows.size), best].astype(np.float64)
        spread = np.sqrt(np.mean(np.square(salience), axis=1, dtype=np.float64))
        above = np.divide(peak, spread, out=np.ones_like(peak), where=spread > 0)
        if number == 0:
            first, clarity = peak, above
            found = above >= CLEAR
        else:
            found = (above >= FURTHER) & (peak >= SALIENT * first)
        # What lies above the third harmonic alone is a whistle too high to be one of the pitches searched.
        found &= spectrum[rows[:, None], best[:, None] + MARGIN + _OFFSETS[:3]].max(axis=1) > 0
        rows, best, first = rows[found], best[found], first[found]
        if rows.size == 0:
            break
        pitches[rows, number] = LOWEST + _refine(salience[found], best) / PER_SEMITONE
        _take_off(spectrum, rows, best)
    return pitches, clarity


def _refine(salience: Float32Array, best: IntArray) -> FloatArray:
    """Give the place of the greatest salience by a parabola through three bins."""
    rows = np.arange(len(salience))
    inner = np.clip(best, 1, _N_BINS - 2)
    left, here, right = (salience[rows, inner + i].astype(np.float64) for i in (-1, 0, 1))
    bent = left - 2 * here + right
    shift = np.divide(0.5 * (left - right), bent, out=np.zeros_like(bent), where=bent < 0)
    return np.where(best == inner, inner + np.clip(shift, -0.5, 0.5), best)


def _take_off(spectrum: Float32Array, rows: IntArray, best: IntArray) -> None:
    """Take off what a pitch explains: each partial, but no more than the mean of it and its two neighbours.

    A partial that stands out of a smooth spectrum belongs to another pitch too.
    """
    columns = best[:, None] + MARGIN + _OFFSETS
    partials = spectrum[rows[:, None], columns]
    smooth = partials.copy()
    smooth[:, 1:-1] = np.minimum(partials[:, 1:-1], (partials[:, :-2] + partials[:, 1:-1] + partials[:, 2:]) / 3)
    smooth[:, -1] = np.minimum(partials[:, -1], (partials[:, -2] + partials[:, -1]) / 2)
    for offset, weight in zip(_SPREAD, _KERNEL, strict=True):
        cells = (rows[:, None], columns + offset)
        spectrum[cells] = np.maximum(spectrum[cells] - weight * smooth, 0)
