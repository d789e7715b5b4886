"""Which notes sound when: the posteriors of basic-pitch's model, and notes decoded from them.

The model is a small convolutional network of 2022 [1]_; its ONNX file lies inside the wheel of basic-pitch and is
run by onnxruntime alone. Windows, their joining and the decoding are our own.

References
----------
.. [1] R. Bittner, J. Bosch, D. Rubinstein, G. Meseguer-Brocal and S. Ewert, "A lightweight instrument-agnostic model
   for polyphonic note transcription and multipitch estimation", ICASSP, 2022.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import MissingExtraError

__all__ = [
    "FRAME_RATE",
    "LOWEST",
    "NoteEvents",
    "Posteriors",
    "decode_notes",
    "find_model",
    "missing_packages",
    "model_version",
    "note_posteriors",
]

HOP = 256  # samples at 22,050 Hz
FRAME_RATE = 22_050 / HOP
"""Frames per second; frame i is centred at ``i / FRAME_RATE`` seconds."""
LOWEST = 21
"""MIDI number of the first of the 88 pitches: A0."""
WINDOW = 43_844  # samples that the model takes: two seconds less one hop
WINDOW_FRAMES = 172
OVERLAP = 30  # frames that neighbouring windows share; each gives the half that is nearer its middle
BINS = 3  # of the contour, per semitone; the middle one of each pitch is in tune
QUIET_DB = -60.0  # beside the clip's own level: the model hears notes in a noise floor that has a window to itself

ONSET_THRESHOLD = 0.5
NOTE_THRESHOLD = 0.3
EARLY = 2  # frames by which an onset may come before its pitch sounds
GAP = 11  # frames (128 ms) for which a note may fall below the threshold and go on
SHORTEST = 11  # frames, for a note that no onset begins
SHORTEST_STRUCK = 6  # frames (70 ms), for a note that an onset begins

_MODEL = Path("saved_models", "icassp_2022", "nmp.onnx")
_OUTPUTS = {
    "note": "StatefulPartitionedCall:1",
    "onset": "StatefulPartitionedCall:2",
    "contour": "StatefulPartitionedCall:0",
}

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Posteriors:
    """What the model hears, frame by frame.

    Parameters
    ----------
    note, onset : ndarray of float32, shape (n_frames, 88), in [0, 1]
        That a pitch sounds, and that it begins; A0 to C8.
    contour : ndarray of float32, shape (n_frames, 264), in [0, 1]
        That a pitch sounds, in thirds of a semitone; column ``3 * k + 1`` is pitch k in tune.
    """

    note: FloatArray
    onset: FloatArray
    contour: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class NoteEvents:
    """Notes, sorted by their beginning and then by pitch.

    Parameters
    ----------
    start, end : ndarray of int64, shape (n_notes,), frames
        The first frame, and the one after the last.
    pitch : ndarray of int64, shape (n_notes,), MIDI number
        From 21 to 108.
    struck : ndarray of bool, shape (n_notes,)
        Whether an onset begins it.
    n_frames : int
        Of the clip.
    """

    start: IntArray
    end: IntArray
    pitch: IntArray
    struck: NDArray[np.bool_]
    n_frames: int

    def roll(self) -> NDArray[np.bool_]:
        """Give the piano roll.

        Returns
        -------
        ndarray of bool, shape (n_frames, 88)
            Which pitches sound.
        """
        roll = np.zeros((self.n_frames, 88), dtype=np.bool_)
        for start, end, pitch in zip(self.start, self.end, self.pitch - LOWEST, strict=True):
            roll[start:end, pitch] = True
        return roll


def find_model() -> Path | None:
    """Find the model's file without importing basic-pitch (which would import much else).

    Returns
    -------
    Path or None
        None where the wheel is not installed, or has no such file.
    """
    spec = find_spec("basic_pitch")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        path = Path(folder) / _MODEL
        if path.is_file():
            return path
    return None


def missing_packages() -> str | None:
    """Say what must be installed before notes can be transcribed.

    Returns
    -------
    str or None
        The packages and the commands that install them; None where nothing is lacking.
    """
    lacks = {}
    if find_spec("onnxruntime") is None:
        lacks["onnxruntime"] = "pip install onnxruntime"
    if find_model() is None:
        lacks["basic-pitch with its nmp.onnx"] = "pip install --no-deps basic-pitch"
    return f"{' and '.join(lacks)}; install it with: {' && '.join(lacks.values())}" if lacks else None


def model_version() -> str:
    """Name the version of the model.

    Returns
    -------
    str
        ``basic-pitch`` and the version of its wheel, or ``without basic-pitch``.
    """
    try:
        return f"basic-pitch {version('basic-pitch')}"
    except PackageNotFoundError:
        return "without basic-pitch"


def note_posteriors(samples: FloatArray, *, threads: int = 1) -> Posteriors:
    """Run the model over a clip of any length.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        At 22,050 Hz and of one agreed level (`Sound.levelled`), since the model hears more in louder sound.
    threads : int, > 0
        For onnxruntime.

    Returns
    -------
    Posteriors
        One frame for every 256 samples begun, none for the zeros that fill up the last window. Nothing sounds in
        frames whose level (2048 samples) lies 60 dB below the clip's.

    Raises
    ------
    MissingExtraError
        If a package is not there.

    Notes
    -----
    Windows begin every 142 frames, so that their frames fall on one clock; basic-pitch itself begins them every
    141.27 and corrects the times. Its half second of zeros before the clip is left out: it costs a window in every
    five-second clip, and the posteriors of the first frames come out no better.
    """
    lack = missing_packages()
    path = find_model()
    if lack is not None or path is None:
        packages, _, remedy = (lack or "").partition("; install it with: ")
        raise MissingExtraError(packages, remedy)
    session = _session(str(path), threads, os.getpid())
    name = session.get_inputs()[0].name
    n_frames = -(-samples.size // HOP)
    parts: dict[str, list[FloatArray]] = {kind: [] for kind in _OUTPUTS}
    at = 0
    last = False
    while not last:
        last = at + WINDOW_FRAMES >= n_frames
        window = np.zeros((1, WINDOW, 1), dtype=np.float32)
        piece = samples[at * HOP : at * HOP + WINDOW]
        window[0, : piece.size, 0] = piece
        kept = slice(0 if at == 0 else OVERLAP // 2, n_frames - at if last else WINDOW_FRAMES - OVERLAP // 2)
        for kind, values in zip(parts, session.run(list(_OUTPUTS.values()), {name: window}), strict=True):
            parts[kind].append(values[0, kept])
        at += WINDOW_FRAMES - OVERLAP
    quiet = _quiet(samples, n_frames)
    joined = {kind: np.concatenate(pieces) for kind, pieces in parts.items()}
    for values in joined.values():
        values[quiet] = 0.0
    return Posteriors(**joined)


@lru_cache(maxsize=4)
def _session(path: str, threads: int, _process: int) -> Any:
    """Open the model once per process; a session must not be shared with a fork of the process that opened it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _quiet(samples: FloatArray, n_frames: int) -> NDArray[np.bool_]:
    """Say which frames lie 60 dB below the clip, shape (n_frames,)."""
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    centers = np.arange(n_frames) * HOP
    first = np.maximum(centers - 1024, 0)
    end = np.minimum(centers + 1024, samples.size)
    power = (energy[end] - energy[first]) / (end - first)
    return power <= energy[-1] / samples.size * 10 ** (QUIET_DB / 10)


def decode_notes(posteriors: Posteriors) -> NoteEvents:
    """Find notes in posteriors.

    A pitch sounds where its posterior is above 0.3, and through gaps of up to 11 frames. An onset there (a peak in
    time of the onset posterior, at 0.5 or more) begins a note, which lasts until the next onset or the end of the
    sounding stretch. What sounds before the first onset, or without any, is a note too if it lasts 11 frames (128
    ms); a note that an onset begins must last 6.

    Parameters
    ----------
    posteriors : Posteriors
        Of a clip.

    Returns
    -------
    NoteEvents
        None of one pitch overlap.

    Notes
    -----
    The thresholds, the gap and the 11 frames are the paper's. It asks for 11 frames of struck notes too, which
    loses semiquavers faster than 117 beats per minute.
    """
    notes: list[tuple[int, int, int, bool]] = []
    sounding = posteriors.note > NOTE_THRESHOLD
    onset = np.pad(posteriors.onset, ((1, 1), (0, 0)))
    struck = (onset[1:-1] >= ONSET_THRESHOLD) & (onset[1:-1] > onset[:-2]) & (onset[1:-1] >= onset[2:])
    for column in np.flatnonzero(sounding.any(axis=0)):
        onsets = np.flatnonzero(struck[:, column])
        for first, end in _stretches(sounding[:, column]):
            inside = np.maximum(onsets[(onsets >= first - EARLY) & (onsets < end)], first).tolist()
            bounds = pairwise([first, *inside, end])
            for (start, stop), begun in zip(bounds, [False, *([True] * len(inside))], strict=True):
                if stop - start >= (SHORTEST_STRUCK if begun else SHORTEST):
                    notes.append((start, stop, int(column) + LOWEST, begun))
    notes.sort(key=lambda note: (note[0], note[2]))
    start, end, pitch, begun = zip(*notes, strict=True) if notes else ((), (), (), ())
    return NoteEvents(
        np.array(start, dtype=np.int64),
        np.array(end, dtype=np.int64),
        np.array(pitch, dtype=np.int64),
        np.array(begun, dtype=np.bool_),
        len(posteriors.note),
    )


def _stretches(sounding: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Give the stretches of True, joined over short gaps, as (first, end)."""
    edges = np.flatnonzero(np.diff(sounding.astype(np.int8), prepend=0, append=0))
    first, end = edges[::2], edges[1::2]
    apart = first[1:] - end[:-1] > GAP
    return list(zip(first[np.r_[True, apart]].tolist(), end[np.r_[apart, True]].tolist(), strict=True))
