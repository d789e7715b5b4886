"""What the notes of a clip are like, as basic-pitch's model transcribes them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from otoscope.features.base import Feature
from otoscope.features.pitch_statistics import (
    class_entropy_bits,
    entropy_bits,
    mean_or_nan,
    std_or_nan,
    summarise_intervals,
)
from otoscope.features.sound import Sound
from otoscope.features.transcription import (
    FRAME_RATE,
    LOWEST,
    NoteEvents,
    Posteriors,
    decode_notes,
    missing_packages,
    model_version,
    note_posteriors,
)

__all__ = ["GROUP", "Notes", "describe_notes"]

VERSION = "1"
TOGETHER = 3  # frames (35 ms): notes that begin closer than this begin together
RELEASE = 4  # frames (46 ms) that a note sounds on in the posteriors while the next begins
LEAST_BEND = 0.001  # semitones
CONSONANT = (3, 4, 5, 7, 8, 9)  # semitones within the octave: thirds, fourth, fifth, sixths
_NEAR = 2  # columns of the contour on each side of a pitch, in thirds of a semitone

FloatArray = NDArray[np.float64]

_HEARD = (
    "notes decoded from basic-pitch's posteriors (onset 0.5, note 0.3, gaps of 128 ms bridged; at least 70 ms long, "
    "128 ms where no onset begins the note)"
)
_SOUNDING = "pitches that sound, over all frames of 11.6 ms"
_TOP = "highest pitch that sounds, over the frames in which any does"
_LINE = "the top line: notes that are the highest for at least half their length, by their beginning"

_ROWS = (
    ("rate", "1/s", f"Number of {_HEARD}, per second.",
     "How many notes are played each second, those of chords counted one by one.",
     "richer in the notes found", "poorer in the notes found"),
    ("height_mean", "st", f"Mean MIDI number of the {_SOUNDING}.",
     "How high the notes lie on the whole.",
     "higher in pitch (in the notes found)", "lower in pitch (in the notes found)"),
    ("height_std", "st", f"Standard deviation of the MIDI number of the {_SOUNDING}.",
     "How far the notes are spread over high and low.",
     "more widely spread in pitch (in the notes found)", "more closely spaced in pitch (in the notes found)"),
    ("top_mean", "st", f"Mean MIDI number of the {_TOP}.",
     "How high the highest notes lie, one after the other.",
     "higher in its top line (in the notes found)", "lower in its top line (in the notes found)"),
    ("top_std", "st", f"Standard deviation of the MIDI number of the {_TOP}.",
     "How far the highest notes move up and down.",
     "more mobile in its top line (in the notes found)", "more level in its top line (in the notes found)"),
    ("bass_mean", "st", "Mean MIDI number of the lowest pitch that sounds, over the frames in which any does.",
     "How high the lowest notes lie.",
     "higher in its bass line (in the notes found)", "lower in its bass line (in the notes found)"),
    ("range", "st", f"95th less 5th percentile of the MIDI number of the {_SOUNDING}.",
     "How far it is from the low notes to the high ones.",
     "wider in range (in the notes found)", "narrower in range (in the notes found)"),
    ("pitch_entropy", "bit", f"Entropy of the {_SOUNDING}, by semitones.",
     "How many different notes share the time; low where a few return all the time.",
     "more varied in its notes", "more limited in its notes"),
    ("class_entropy", "bit", f"Entropy of the {_SOUNDING}, by the twelve pitch classes.",
     "How many different keys of one octave the notes fall on.",
     "richer in different note names (in the notes found)", "poorer in different note names (in the notes found)"),
    ("polyphony_mean", "1", "Mean number of pitches that sound, over the frames in which any does.",
     "How many notes sound together.",
     "thicker in texture (in the notes found)", "thinner in texture (in the notes found)"),
    ("polyphony_std", "1",
     "Standard deviation of the number of pitches that sound, over the frames in which any does.",
     "How much the number of notes sounding together changes.",
     "more uneven in texture (in the notes found)", "more even in texture (in the notes found)"),
    ("polyphony_max", "1", "Greatest number of pitches that sound in a frame.",
     "The most notes that ever sound together.", "thicker in its fullest chord", "thinner in its fullest chord"),
    ("duration_mean", "log2 s", f"Mean over {_HEARD} of the binary logarithm of the duration in seconds.",
     "How long the notes last.", "longer in its notes", "shorter in its notes"),
    ("duration_std", "oct", f"Standard deviation over {_HEARD} of the binary logarithm of the duration.",
     "How different long and short notes are.", "more uneven in note lengths", "more even in note lengths"),
    ("gap_mean", "log2 s",
     "Mean binary logarithm of the seconds from one beginning of notes to the next; notes that begin within 35 ms of "
     "the one before begin with it.",
     "How much time passes from one new note or chord to the next.",
     "slower from note to note", "quicker from note to note"),
    ("gap_std", "oct",
     "Standard deviation of the binary logarithm of the times of notes.gap_mean.",
     "How irregularly new notes follow each other.",
     "more irregular from note to note", "more regular from note to note"),
    ("empty_share", "1", "Share of the frames in which no pitch sounds.",
     "For how much of the time no note is heard, only drums, noise or silence.",
     "emptier of notes", "more filled with notes"),
    ("clarity", "1", f"Mean note posterior of the {_SOUNDING}.",
     "How clearly the notes stand out from what is around them.", "clearer in its notes", "vaguer in its notes"),
    ("attack", "1", "Mean over notes of the greatest onset posterior within two frames of the beginning.",
     "How clearly the notes are struck or plucked, and not swelled or slurred.",
     "more clearly struck", "more softly begun"),
    ("bend", "log2 st",
     "Binary logarithm (at least that of 0.001 st) of the standard deviation within a note of the centroid of the "
     "contour posterior (squared, up to two thirds of a semitone on each side); root of the mean square over all "
     "frames of notes.",
     "How much notes slide, waver or are bent while they last.",
     "more bent and wavering in its notes", "straighter in its notes"),
    ("interval_mean", "st", f"Mean size of the moves from note to note of {_LINE}; repeated notes left out.",
     "How far the top line jumps when it moves.",
     "wider in its leaps (in the notes found)", "narrower in its steps (in the notes found)"),
    ("step_share", "1", f"Share of at most two semitones among the moves of {_LINE}.",
     "How often the top line moves by step and not by leap.",
     "more stepwise (in the notes found)", "more leaping (in the notes found)"),
    ("rising_share", "1", f"Share that goes up among the moves of {_LINE}.",
     "How often the top line goes up when it moves.",
     "more often rising (in the notes found)", "more often falling (in the notes found)"),
    ("repeat_share", "1", f"Share of notes of the same pitch as the one before in {_LINE}.",
     "How often the top line plays the same note again.", "fuller of repeated notes", "poorer in repeated notes"),
    ("consonance", "1",
     "Among pairs of pitches that sound together, octaves left out: share of thirds, fourths, fifths and sixths "
     "(3, 4, 5, 7, 8, 9 semitones modulo 12), over all frames; the last 46 ms of each note count as ended.",
     "How smoothly the notes that sound together fit each other.",
     "more consonant", "more dissonant"),
    ("octave_share", "1",
     "Share of whole octaves among pairs of pitches that sound together, over all frames; the last 46 ms of each "
     "note count as ended.",
     "How much notes are doubled at the octave.", "fuller of octaves", "emptier of octaves"),
)  # fmt: skip
_FEATURES = tuple(Feature(f"notes.{name}", *texts) for name, *texts in _ROWS)


@dataclass(frozen=True, slots=True)
class Notes:
    """Notes as basic-pitch's model hears them.

    Parameters
    ----------
    threads : int, > 0
        For onnxruntime.

    Notes
    -----
    A clip without notes has a rate of 0, is empty throughout, and all else is NaN.
    """

    threads: int = 1

    @property
    def name(self) -> str:
        """What stands before the point of its features' ids."""
        return "notes"

    @property
    def title(self) -> str:
        """Two or three words for people."""
        return "Notes played"

    @property
    def version(self) -> str:
        """Changed whenever a value may change; the model's version is part of it."""
        return f"{VERSION}, {model_version()}"

    @property
    def licence(self) -> str:
        """Of the code and of what it needs beyond the core."""
        return "Apache-2.0 (basic-pitch, code and weights), MIT (onnxruntime)"

    @property
    def features(self) -> tuple[Feature, ...]:
        """In the order of the values."""
        return _FEATURES

    def missing(self) -> str | None:
        """Say why it cannot work here.

        Returns
        -------
        str or None
            The packages that are not there and how to install them; None where it can work.
        """
        return missing_packages()

    def compute(self, sound: Sound) -> FloatArray:
        """Describe one clip.

        Parameters
        ----------
        sound : Sound
            The clip.

        Returns
        -------
        ndarray of float64, shape (26,)
            In the order of `features`.

        Raises
        ------
        MissingExtraError
            If onnxruntime or the model is not there.
        """
        posteriors = note_posteriors(sound.levelled, threads=self.threads)
        values = describe_notes(decode_notes(posteriors), posteriors)
        return np.array([values[feature.id.partition(".")[2]] for feature in _FEATURES])


GROUP = Notes()
"""As it is where nothing else is asked for."""


def describe_notes(notes: NoteEvents, posteriors: Posteriors) -> dict[str, float]:
    """Sum up the notes of a clip.

    Parameters
    ----------
    notes : NoteEvents
        At least one frame.
    posteriors : Posteriors
        What they were decoded from.

    Returns
    -------
    dict of str to float
        By the names of the features of `Notes`, without ``notes.``.
    """
    roll = notes.roll()
    seconds = notes.n_frames / FRAME_RATE
    number = roll.sum(axis=1)
    sounds = number > 0
    pitch = np.nonzero(roll)[1] + LOWEST
    top = LOWEST + 87 - roll[sounds, ::-1].argmax(axis=1)
    bass = LOWEST + roll[sounds].argmax(axis=1)
    low, high = np.percentile(pitch, (5, 95)) if pitch.size else (np.nan, np.nan)
    durations = np.log2((notes.end - notes.start) / FRAME_RATE)
    beginnings = notes.start[np.diff(notes.start, prepend=-TOGETHER) >= TOGETHER]
    gaps = np.log2(np.diff(beginnings) / FRAME_RATE)
    moves = summarise_intervals(np.diff(_top_line(notes, roll)))
    consonance, octaves = _pairs(notes)
    return {
        "rate": notes.start.size / seconds,
        "height_mean": mean_or_nan(pitch),
        "height_std": std_or_nan(pitch),
        "top_mean": mean_or_nan(top),
        "top_std": std_or_nan(top),
        "bass_mean": mean_or_nan(bass),
        "range": float(high - low),
        "pitch_entropy": entropy_bits(roll.sum(axis=0)),
        "class_entropy": class_entropy_bits(roll.sum(axis=0)),
        "polyphony_mean": mean_or_nan(number[sounds]),
        "polyphony_std": std_or_nan(number[sounds]),
        "polyphony_max": float(number.max()) if sounds.any() else float("nan"),
        "duration_mean": mean_or_nan(durations),
        "duration_std": std_or_nan(durations),
        "gap_mean": mean_or_nan(gaps),
        "gap_std": std_or_nan(gaps),
        "empty_share": mean_or_nan(~sounds),
        "clarity": mean_or_nan(posteriors.note[roll]),
        "attack": _attack(notes, posteriors),
        "bend": _bend(notes, posteriors),
        "interval_mean": moves.size,
        "step_share": moves.steps,
        "rising_share": moves.rising,
        "repeat_share": moves.repeats,
        "consonance": consonance,
        "octave_share": octaves,
    }


def _top_line(notes: NoteEvents, roll: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Give the pitches of the notes that are the highest for at least half their length."""
    highest = np.where(roll.any(axis=1), 87 - roll[:, ::-1].argmax(axis=1), -1) + LOWEST
    spans = zip(notes.start, notes.end, notes.pitch, strict=True)
    return notes.pitch[[bool(np.mean(highest[start:end] == pitch) >= 0.5) for start, end, pitch in spans]]


def _pairs(notes: NoteEvents) -> tuple[float, float]:
    """Give the shares of consonant pairs (octaves left out of both sides) and of octaves."""
    roll = replace(notes, end=notes.end - RELEASE).roll()
    together = roll.T.astype(np.float32) @ roll.astype(np.float32)
    counts = np.zeros(12)
    for interval in range(1, 88):
        counts[interval % 12] += np.trace(together, interval)
    other = counts[1:].sum()
    consonance = counts[list(CONSONANT)].sum() / other if other else np.nan
    return float(consonance), float(counts[0] / counts.sum()) if counts.any() else float("nan")


def _attack(notes: NoteEvents, posteriors: Posteriors) -> float:
    spans = zip(notes.start, notes.pitch - LOWEST, strict=True)
    return mean_or_nan([posteriors.onset[max(0, at - 2) : at + 3, column].max() for at, column in spans])


def _bend(notes: NoteEvents, posteriors: Posteriors) -> float:
    """Give the spread of the pitch within notes, in log2 semitones."""
    offsets = np.arange(-_NEAR, _NEAR + 1) / 3
    squares, frames = 0.0, 0
    for start, end, column in zip(notes.start, notes.end, notes.pitch - LOWEST, strict=True):
        middle = 3 * int(column) + 1
        first = max(0, middle - _NEAR)
        near = np.square(posteriors.contour[start:end, first : middle + _NEAR + 1].astype(np.float64))
        total = near.sum(axis=1)
        heard = total > 0
        here = offsets[first - middle + _NEAR :][: near.shape[1]]
        centroid = near[heard] @ here / total[heard]
        squares += float(np.sum(np.square(centroid - centroid.mean()))) if centroid.size else 0.0
        frames += centroid.size
    return float(np.log2(max(np.sqrt(squares / frames), LEAST_BEND))) if frames else float("nan")
