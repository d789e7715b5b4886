"""The declared lags, held against real speech: no other move of the labels serves a layer noticeably better."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from otoscope.alignment import sample_track
from otoscope.audio import Waveform, read_audio
from otoscope.f0.kaldi import KaldiTracker
from otoscope.representations.ge2e import LAGS, Ge2e

SPEECH = Path(__file__).parents[3].parent / "shared" / "data" / "librispeech"
MOVES = np.arange(-960, 961, 160)  # samples: -60 to 60 ms
RIDGE = 1e-3  # of the number of frames, on standardised states
TOL_R = 0.01  # what a declared lag may cost, of the correlation within utterances

pytestmark = [
    pytest.mark.slow,
    pytest.mark.shared,
    pytest.mark.skipif(not SPEECH.is_dir(), reason="no real speech beside the checkout"),
    pytest.mark.skipif(
        importlib.util.find_spec("resemblyzer") is None, reason="the weights of ge2e are not installed"
    ),
]


def read(path):
    waveform = read_audio(path, clip_id=path.stem)
    # some of these recordings rumble at 16 and 60 Hz, which the tracker follows
    filtered = sosfiltfilt(butter(4, 70, "high", fs=16_000, output="sos"), waveform.samples)
    return waveform, Waveform(filtered.astype(np.float32), 16_000, waveform.clip_id)


@pytest.fixture(scope="module")
def clips():
    """Per utterance: its speaker, the states of the layers, and log2 F0 at each move, on frames voiced at all."""
    model, tracker, found = Ge2e(), KaldiTracker(), []
    for path in sorted(SPEECH.glob("*/*-000[0369].flac")):
        waveform, filtered = read(path)
        track = tracker.track(filtered)
        layers = list(model.layers(waveform))
        centres = layers[0].info.grid.centers(layers[0].n_frames)
        sampled = [sample_track(track, centres + move / 16_000) for move in MOVES]
        kept = np.all([s.voiced for s in sampled], axis=0)
        if kept.sum() >= 10:
            targets = np.log2(np.stack([s.f0_hz[kept] for s in sampled], axis=1))
            found.append((path.parent.name, [layer.states[kept].astype(np.float64) for layer in layers], targets))
    return found


def correlations(clips, layer):
    """Within utterances, pooled; each speaker is tested by a probe trained on the others."""
    products = np.zeros((3, MOVES.size))
    for speaker in {name for name, _, _ in clips}:
        x = np.concatenate([states[layer] for name, states, _ in clips if name != speaker])
        y = np.concatenate([targets for name, _, targets in clips if name != speaker])
        mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-12
        z = (x - mean) / scale
        weights = np.linalg.solve(z.T @ z + RIDGE * len(z) * np.eye(z.shape[1]), z.T @ (y - y.mean(axis=0)))
        for name, states, targets in clips:
            if name == speaker:
                p = (states[layer] - mean) / scale @ weights
                p, t = p - p.mean(axis=0), targets - targets.mean(axis=0)
                products += [(p * t).sum(axis=0), (p * p).sum(axis=0), (t * t).sum(axis=0)]
    return products[0] / np.sqrt(products[1] * products[2])


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_no_other_move_serves_a_layer_noticeably_better(clips, layer):
    r = correlations(clips, layer)
    declared = np.interp(-LAGS[layer], MOVES, r)
    assert r.max() > 0.4
    assert declared > r.max() - TOL_R


def test_the_middle_layer_knows_pitch_best_and_knows_it_late(clips):
    best = {layer: correlations(clips, layer) for layer in (1, 2, 3)}
    assert best[2].max() > max(best[1].max(), best[3].max()) + 0.05
    assert -25 <= MOVES[best[2].argmax()] / 16 <= -5
