"""How high the pitches of a clip lie, how they move, and how clear they are; without any learned weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otoscope.features.base import CoreGroup, Feature
from otoscope.features.pitch_statistics import (
    class_entropy_bits,
    entropy_bits,
    mean_or_nan,
    std_or_nan,
    summarise_intervals,
)
from otoscope.features.salience import PitchFrames, find_pitches
from otoscope.features.sound import Sound

__all__ = ["GROUP", "describe_pitches", "tuning"]

STEADY = 0.5  # semitones between neighbouring frames that hold a pitch
SHORTEST = 2  # frames of a note of the line
HELD = 4  # frames (186 ms) of a stretch in which wavering is measured
LEAST_CENTS = 0.1  # of wavering

FloatArray = NDArray[np.float64]

_FRAMES = (
    "frames of 4096 samples, one every 1024, in which the strongest harmonic-sum salience over MIDI 28-100 is at "
    "least 2.5 times the root mean square over all pitches"
)
_ALL = f"all salient pitches (up to six in a frame, found one by one) of {_FRAMES}"
_MAIN = f"the pitch of greatest salience, over {_FRAMES}"
_LINE = (
    "the main line: runs of at least two frames whose pitch of greatest salience rounds to the same semitone after "
    "the tuning is taken off"
)

_ROWS = (
    ("height_mean", "st", f"Mean MIDI number of {_ALL}.",
     "How high the pitches lie on the whole.", "higher in pitch", "lower in pitch"),
    ("height_std", "st", f"Standard deviation of the MIDI number of {_ALL}.",
     "How far the pitches are spread over high and low.",
     "more widely spread in pitch", "more closely spaced in pitch"),
    ("height_low", "st", f"10th percentile of the MIDI number of {_ALL}.",
     "Where the low end of the pitches lies.", "higher at its low end", "lower at its low end"),
    ("height_high", "st", f"90th percentile of the MIDI number of {_ALL}.",
     "Where the high end of the pitches lies.", "higher at its high end", "lower at its high end"),
    ("range", "st", f"95th less 5th percentile of the MIDI number of {_ALL}.",
     "How far it is from the low pitches to the high ones.", "wider in range", "narrower in range"),
    ("main_mean", "st", f"Mean MIDI number of {_MAIN}.",
     "How high the pitch lies that stands out most.", "higher in its main line", "lower in its main line"),
    ("main_std", "st", f"Standard deviation of the MIDI number of {_MAIN}.",
     "How far the pitch that stands out most moves up and down.",
     "more mobile in its main line", "more level in its main line"),
    ("top_mean", "st", f"Mean of the highest salient pitch, over {_FRAMES}.",
     "How high the top line lies, where the melody mostly is.", "higher in its top line", "lower in its top line"),
    ("top_std", "st", f"Standard deviation of the highest salient pitch, over {_FRAMES}.",
     "How far the top line moves up and down.", "more mobile in its top line", "more level in its top line"),
    ("bass_mean", "st", f"Mean of the lowest salient pitch, over {_FRAMES}.",
     "How high the lowest line lies.", "higher in its bass line", "lower in its bass line"),
    ("interval_mean", "st", f"Mean size of the moves from note to note of {_LINE}.",
     "How far the main line jumps when it moves.", "wider in its leaps", "narrower in its steps"),
    ("step_share", "1", f"Share of at most two semitones among the moves of {_LINE}.",
     "How often the main line moves by step and not by leap.", "more stepwise", "more leaping"),
    ("rising_share", "1", f"Share that goes up among the moves of {_LINE}.",
     "How often the main line goes up when it moves.", "more often rising", "more often falling"),
    ("interval_entropy", "bit", f"Entropy of the moves, with their direction, of {_LINE}.",
     "How many different intervals the main line uses.", "more varied in its intervals", "plainer in its intervals"),
    ("return_share", "1", f"Share of notes, from the third on, with the pitch of the one before last, of {_LINE}.",
     "How often the main line goes straight back to the note it came from.",
     "more given to going back and forth", "less given to going back and forth"),
    ("note_rate", "1/s", f"Number of notes of {_LINE}, per second of the clip.",
     "How often the main line comes to a new pitch.", "busier in its main line", "calmer in its main line"),
    ("drift", "st", f"Mean MIDI number of {_ALL}: that of the second half of these frames less that of the first.",
     "Whether the pitches lie higher at the end than at the beginning.",
     "more given to rising towards its end", "more given to sinking towards its end"),
    ("pitch_entropy", "bit", f"Entropy of {_ALL}, by semitones after the tuning is taken off.",
     "How many different pitches share the time; low where a few return all the time.",
     "more varied in its pitches", "more limited in its pitches"),
    ("class_entropy", "bit", f"Entropy of {_ALL}, by the twelve pitch classes after the tuning is taken off.",
     "How many different notes are used, octaves counted as the same.",
     "richer in different note names", "poorer in different note names"),
    ("clarity_mean", "dB",
     "Mean over frames of 20 log10 of the greatest salience over the root mean square of that of all pitches; frames "
     "50 dB below the loudest left out.",
     "How clearly one pitch stands out of everything else.", "clearer in pitch", "vaguer in pitch"),
    ("clarity_std", "dB", "Standard deviation over frames of what melody.clarity_mean averages.",
     "How much clear and unclear pitch alternate, as with drums between notes.",
     "more changeable in its clearness of pitch", "steadier in its clearness of pitch"),
    ("pitched_share", "1", f"Share of {_FRAMES}, among those not 50 dB below the loudest.",
     "For how much of the time a clear pitch is heard.", "more often clearly pitched", "less often clearly pitched"),
    ("polyphony_mean", "1", f"Mean number of salient pitches, over {_FRAMES}.",
     "How many pitches sound together.", "thicker in texture", "thinner in texture"),
    ("polyphony_std", "1", f"Standard deviation of the number of salient pitches, over {_FRAMES}.",
     "How much the number of pitches sounding together changes.", "more uneven in texture", "more even in texture"),
    ("polyphony_max", "1", f"95th percentile of the number of salient pitches, over {_FRAMES}.",
     "How many pitches sound together where it is fullest.",
     "thicker in its fullest moments", "thinner in its fullest moments"),
    ("steady_share", "1",
     f"Share of pairs of neighbouring {_FRAMES} whose pitches of greatest salience are within half a semitone.",
     "How often the pitch that stands out is held from one moment to the next.",
     "steadier in pitch", "more restless in pitch"),
    ("wavering", "log2 cents",
     "Binary logarithm (at least that of 0.1 cents) of the standard deviation of the pitch of greatest salience "
     "about straight lines through stretches of at least four frames that hold a pitch (see melody.steady_share); "
     "root of the mean square over their frames.",
     "How much held notes waver, as with vibrato.", "more wavering", "straighter in its held notes"),
)  # fmt: skip
_FEATURES = tuple(Feature(f"melody.{name}", *texts) for name, *texts in _ROWS)


def _measure(sound: Sound) -> FloatArray:
    values = describe_pitches(find_pitches(sound.levelled), sound.duration_s)
    return np.array([values[feature.id.partition(".")[2]] for feature in _FEATURES])


GROUP = CoreGroup("melody", "Pitch and melody", "1", _FEATURES, _measure)
"""Pitch height, contour and clarity from a salience function.

In a clip without any clear pitch the share of pitched frames is 0, clarity has a value, and all else is NaN.
"""


def tuning(pitches: FloatArray) -> float:
    """Say by how much pitches are sharp of whole semitones.

    Parameters
    ----------
    pitches : ndarray of float64, shape (n_pitches,), MIDI numbers
        At least one.

    Returns
    -------
    float, semitones
        Their circular mean, from -0.5 to 0.5.

    Examples
    --------
    >>> round(tuning(np.array([60.3, 64.3, 71.3])), 6)
    0.3
    """
    return float(np.angle(np.mean(np.exp(2j * np.pi * pitches))) / (2 * np.pi))


def describe_pitches(frames: PitchFrames, duration_s: float) -> dict[str, float]:
    """Sum up the pitches of a clip.

    Parameters
    ----------
    frames : PitchFrames
        Of the clip.
    duration_s : float, seconds
        Its length.

    Returns
    -------
    dict of str to float
        By the names of the features of the group, without ``melody.``.
    """
    clear = frames.clear
    pitches = frames.pitches[clear]
    every = pitches[~np.isnan(pitches)]
    main = frames.pitches[:, 0]
    number = np.sum(~np.isnan(pitches), axis=1)
    heard = clear[~np.isnan(frames.clarity)]
    clarity = 20 * np.log10(frames.clarity[~np.isnan(frames.clarity)])
    offset = tuning(main[clear]) if clear.any() else 0.0
    counts = np.bincount(np.round(every - offset).astype(np.int64)) if every.size else np.zeros(12)
    notes = _line(main - offset)
    moves = summarise_intervals(np.diff(notes))
    p5, p10, p90, p95 = np.percentile(every, (5, 10, 90, 95)) if every.size else (np.nan,) * 4
    steps = np.abs(np.diff(main))
    return {
        "height_mean": mean_or_nan(every),
        "height_std": std_or_nan(every),
        "height_low": float(p10),
        "height_high": float(p90),
        "range": float(p95 - p5),
        "main_mean": mean_or_nan(main[clear]),
        "main_std": std_or_nan(main[clear]),
        "top_mean": mean_or_nan(np.fmax.reduce(pitches, axis=1)),
        "top_std": std_or_nan(np.fmax.reduce(pitches, axis=1)),
        "bass_mean": mean_or_nan(np.fmin.reduce(pitches, axis=1)),
        "interval_mean": moves.size,
        "step_share": moves.steps,
        "rising_share": moves.rising,
        "interval_entropy": moves.entropy,
        "return_share": mean_or_nan(notes[2:] == notes[:-2]),
        "note_rate": notes.size / duration_s if clear.any() else float("nan"),
        "drift": _drift(pitches),
        "pitch_entropy": entropy_bits(counts),
        "class_entropy": class_entropy_bits(counts),
        "clarity_mean": mean_or_nan(clarity),
        "clarity_std": std_or_nan(clarity),
        "pitched_share": mean_or_nan(heard),
        "polyphony_mean": mean_or_nan(number),
        "polyphony_std": std_or_nan(number),
        "polyphony_max": float(np.percentile(number, 95)) if number.size else float("nan"),
        "steady_share": mean_or_nan(steps[~np.isnan(steps)] <= STEADY),
        "wavering": _wavering(main),
    }


def _line(main: FloatArray) -> NDArray[np.int64]:
    """Give the pitches of the runs of at least two frames on one semitone; a run after a short gap is no new note."""
    rounded = np.where(np.isnan(main), -1, np.round(main)).astype(np.int64)
    first = np.flatnonzero(np.diff(rounded, prepend=-2))
    length = np.diff(np.append(first, rounded.size))
    notes = rounded[first][(length >= SHORTEST) & (rounded[first] >= 0)]
    return notes[np.flatnonzero(np.diff(notes, prepend=-1))]


def _drift(pitches: FloatArray) -> float:
    """Give the mean pitch of the second half of the frames less that of the first."""
    half = len(pitches) // 2
    if half == 0:
        return float("nan")
    return float(np.nanmean(pitches[-half:]) - np.nanmean(pitches[:half]))


def _wavering(main: FloatArray) -> float:
    """Give the spread of pitch about straight lines through stretches that hold it, in log2 cents."""
    held = np.abs(np.diff(main)) <= STEADY
    edges = np.flatnonzero(np.diff(held.astype(np.int8), prepend=0, append=0))
    squares, frames = 0.0, 0
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        stretch = main[first : last + 1]
        if stretch.size < HELD:
            continue
        times = np.arange(stretch.size) - (stretch.size - 1) / 2
        stretch = stretch - stretch.mean()
        slope = np.dot(times, stretch) / np.dot(times, times)
        squares += float(np.sum(np.square(stretch - slope * times)))
        frames += stretch.size
    return float(np.log2(max(100 * np.sqrt(squares / frames), LEAST_CENTS))) if frames else float("nan")
