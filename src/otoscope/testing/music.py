"""Synthetic music with a planted reason for being remembered.

A clip is a lead, chords, a bass and drums, each drawn at random. Its score follows from two of the things drawn and
from nothing else: how bright the instruments are, and how high the lead plays. Invented listeners answer with the
score as their chance of recognising the clip, so that the labels have the noise, the counts and the split halves of a
listening experiment. What an honest study finds in these clips is known beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import SpecError
from otoscope.evaluation.splits import seeded_generator
from otoscope.store import atomic_path, write_text

__all__ = ["PLANTED", "Listened", "MusicPlan", "draw_plan", "listen", "make_music", "play"]

SAMPLE_RATE = 22_050
PLANTED = ("brightness", "melody")
"""The groups of features that the score of a clip follows from."""

_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_CHORDS = ((0, 2, 4), (3, 5, 7), (4, 6, 8), (5, 7, 9), (1, 3, 5))  # steps of the scale
_SLOPE = 0.48  # of the logistic curve, for one standard deviation of a planted quality


@dataclass(frozen=True, slots=True)
class MusicPlan:
    """What is drawn for one clip.

    Parameters
    ----------
    seed : int
        Of the notes.
    tilt_db : float, dB per octave
        How fast the partials of the instruments fall: -3 is bright, -15 dull. Planted.
    height : float, MIDI note number
        Middle of the lead. Planted.
    tempo : float, beats per minute
        Not planted, like all that follows.
    scale : {"major", "minor"}
        The mode.
    root : int, semitones
        Above C.
    drums, bass, chords : float, in [0, 1]
        Their levels.
    """

    seed: int
    tilt_db: float
    height: float
    tempo: float
    scale: str
    root: int
    drums: float
    bass: float
    chords: float

    @property
    def score(self) -> float:
        """The chance that a listener recognises the clip.

        A logistic curve of the two planted qualities, each in standard deviations of :func:`draw_plan`.
        """
        bright = (self.tilt_db + 9.0) / (12.0 / np.sqrt(12.0))
        high = (self.height - 68.0) / (24.0 / np.sqrt(12.0))
        return float(1.0 / (1.0 + np.exp(-(0.6 + _SLOPE * (bright + high)))))


@dataclass(frozen=True, slots=True)
class Listened:
    """What invented listeners said of one clip.

    Parameters
    ----------
    score : float
        Share of those who recognised it.
    n : int
        How many there were.
    half_a, half_b : float
        The shares of the two halves.
    """

    score: float
    n: int
    half_a: float
    half_b: float


def draw_plan(seed: int, index: int) -> MusicPlan:
    """Draw a clip.

    Parameters
    ----------
    seed : int
        Of the collection.
    index : int
        Which clip.

    Returns
    -------
    MusicPlan
        Everything is drawn independently of everything else.
    """
    rng = seeded_generator(seed, "music", str(index))
    return MusicPlan(
        seed=int(rng.integers(2**31)),
        tilt_db=float(rng.uniform(-15.0, -3.0)),
        height=float(rng.uniform(56.0, 80.0)),
        tempo=float(rng.uniform(70.0, 160.0)),
        scale="major" if rng.random() < 0.5 else "minor",
        root=int(rng.integers(12)),
        drums=float(rng.uniform(0.0, 1.0)),
        bass=float(rng.uniform(0.2, 1.0)),
        chords=float(rng.uniform(0.2, 1.0)),
    )


def play(plan: MusicPlan, *, duration_s: float = 5.0, clip_id: str = "music") -> Waveform:
    """Play a clip.

    Parameters
    ----------
    plan : MusicPlan
        What to play.
    duration_s : float, > 0, seconds
        How long.
    clip_id : str
        Its name.

    Returns
    -------
    Waveform
        At 22,050 Hz; every clip has a root mean square of 0.08.
    """
    if not np.isfinite(duration_s) or duration_s <= 0:
        raise SpecError(f"{clip_id}: the duration is {duration_s:g} s; it must be above 0")
    rng = np.random.default_rng(plan.seed)
    out = np.zeros(round(duration_s * SAMPLE_RATE))
    beat = 60.0 / plan.tempo
    scale = _SCALES[plan.scale]

    def pitch(step: int, near: float) -> float:
        octave, degree = divmod(step, len(scale))
        note = plan.root + scale[degree] + 12 * octave
        return note + 12 * round((near - note) / 12)

    for bar in range(int(np.ceil(duration_s / (4 * beat)))):
        chord = _CHORDS[int(rng.integers(len(_CHORDS)))]
        start = bar * 4 * beat
        for step in chord:
            _add(out, start, 4 * beat, pitch(step, 60.0), 0.12 * plan.chords, plan.tilt_db)
        for count in range(4):
            _add(out, start + count * beat, beat, pitch(chord[0], 40.0), 0.4 * plan.bass, min(plan.tilt_db, -9.0))
            _hit(out, start + count * beat, rng, 0.5 * plan.drums, low=count % 2 == 0)
        at = 0.0
        while at < 4:
            length = float(rng.choice((0.5, 1.0, 1.5)))
            step = int(rng.integers(7)) if rng.random() < 0.4 else chord[int(rng.integers(3))]
            _add(out, start + at * beat, length * beat, pitch(step, plan.height), 0.5, plan.tilt_db)
            at += length
    out *= 0.08 / np.sqrt(np.mean(out**2))
    peak = float(np.abs(out).max())
    return Waveform((out * min(1.0, 0.98 / peak)).astype(np.float32), SAMPLE_RATE, clip_id)


def _add(out: NDArray[np.float64], start_s: float, length_s: float, note: float, level: float, tilt: float) -> None:
    """Add a plucked note: partials that fall by `tilt` dB an octave, a fast rise and a slow decay."""
    first = round(start_s * SAMPLE_RATE)
    n = min(round(length_s * SAMPLE_RATE), out.size - first)
    if n <= 0:
        return
    times = np.arange(n) / SAMPLE_RATE
    hz = 440.0 * 2 ** ((note - 69) / 12)
    order = np.arange(1, int(min(24, 0.45 * SAMPLE_RATE / hz)) + 1)
    amplitudes = 10 ** (tilt * np.log2(order) / 20)
    amplitudes /= np.sqrt(np.sum(amplitudes**2))
    waves = amplitudes @ np.sin(2 * np.pi * hz * np.outer(order, times))
    envelope = np.minimum(times / 0.01, 1.0) * np.exp(-times / 0.6) * np.minimum((times[-1] - times) / 0.02, 1.0)
    out[first : first + n] += level * waves * envelope


def _hit(out: NDArray[np.float64], start_s: float, rng: np.random.Generator, level: float, *, low: bool) -> None:
    """Add a drum: a thump that falls in pitch, or a burst of noise."""
    first = round(start_s * SAMPLE_RATE)
    n = min(round(0.15 * SAMPLE_RATE), out.size - first)
    if n <= 0:
        return
    times = np.arange(n) / SAMPLE_RATE
    body = np.sin(2 * np.pi * 60.0 * (times - 0.03 * np.expm1(-times / 0.03))) if low else rng.normal(0, 0.5, n)
    out[first : first + n] += level * body * np.exp(-times / (0.06 if low else 0.03))


def listen(plan: MusicPlan, *, listeners: int = 50) -> Listened:
    """Let invented listeners hear a clip again.

    Parameters
    ----------
    plan : MusicPlan
        The clip.
    listeners : int, >= 2
        How many at most; each clip is heard by 60 to 100 per cent of them, in two halves.

    Returns
    -------
    Listened
        The same for the same clip.
    """
    if listeners < 2:
        raise SpecError(f"there are {listeners} listeners; 2 are needed for two halves")
    rng = np.random.default_rng([plan.seed, 1])
    n = max(2, int(rng.integers(round(0.6 * listeners), listeners + 1)))
    yes = rng.random(n) < plan.score
    half = n // 2
    return Listened(float(yes.mean()), n, float(yes[:half].mean()), float(yes[half:].mean()))


def make_music(folder: Path, *, tracks: int = 60, seed: int = 0, listeners: int = 50) -> list[MusicPlan]:
    """Write synthetic clips and the table of their scores.

    Parameters
    ----------
    folder : Path
        Gets ``clips/*.flac`` and ``labels.csv``; files of the same names are replaced.
    tracks : int, > 0
        How many clips.
    seed : int
        Equal seeds give equal files.
    listeners : int, >= 2
        How many invented listeners there are.

    Returns
    -------
    list of MusicPlan
        What was drawn, in the order of the table.
    """
    if tracks < 1:
        raise SpecError(f"{tracks} clips cannot be made; 1 is the least")
    import soundfile

    plans = [draw_plan(seed, index) for index in range(tracks)]
    lines = ["track,score,n,half_a,half_b"]
    for index, plan in enumerate(plans):
        name = f"synthetic-{index:03d}"
        with atomic_path(folder / "clips" / f"{name}.flac") as path:
            soundfile.write(path, play(plan, clip_id=name).samples, SAMPLE_RATE, format="FLAC")
        heard = listen(plan, listeners=listeners)
        lines.append(f"{name},{heard.score:.4f},{heard.n},{heard.half_a:.4f},{heard.half_b:.4f}")
    write_text(folder / "labels.csv", "\n".join(lines) + "\n")
    return plans
