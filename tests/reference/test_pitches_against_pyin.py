"""On lines of single notes, both pitch groups must hear what librosa's pyin hears."""

import importlib.util

import librosa
import numpy as np
import pytest

from otoscope.features.salience import find_pitches
from otoscope.features.transcription import LOWEST, decode_notes, find_model, note_posteriors

RATE = 22_050
NOTES = (57, 64.2, 60, 67.3, 52)


@pytest.fixture(scope="module")
def line():
    times = np.arange(round(0.4 * RATE)) / RATE
    parts = []
    for midi in NOTES:
        order = np.arange(1, 9)
        turns = 440 * 2 ** ((midi - 69) / 12) * times
        parts.append(order**-1.2 @ np.sin(2 * np.pi * np.outer(order, turns) + (order**2)[:, None]))
    samples = np.concatenate(parts)
    return (0.1 * samples / np.sqrt(np.mean(np.square(samples)))).astype(np.float32)


@pytest.fixture(scope="module")
def pyin(line):
    """MIDI numbers at hops of 256 samples, NaN where unvoiced."""
    f0_hz, _, _ = librosa.pyin(line, fmin=110, fmax=600, sr=RATE, frame_length=1024, hop_length=256, fill_na=np.nan)
    return librosa.hz_to_midi(f0_hz)


def test_the_strongest_pitch_is_that_of_pyin(line, pyin):
    main = find_pitches(line).pitches[:, 0]
    reference = pyin[::4][: main.size]
    both = ~np.isnan(main) & ~np.isnan(reference)
    assert both.mean() > 0.8
    assert np.median(np.abs(main - reference)[both]) < 0.1
    assert np.mean(np.abs(main - reference)[both] < 0.5) > 0.9


@pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None or find_model() is None,
    reason="onnxruntime or basic-pitch is not installed",
)
def test_the_notes_are_those_of_pyin(line, pyin):
    roll = decode_notes(note_posteriors(line)).roll()
    lowest = roll.argmax(axis=1) + LOWEST
    reference = pyin[: len(lowest)]
    both = roll.any(axis=1) & ~np.isnan(reference)
    assert both.mean() > 0.8
    assert np.mean(np.abs(lowest - reference)[both] < 0.6) > 0.85
