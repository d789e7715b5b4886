"""librosa's tempo comes in steps of one frame (3 per cent at 120 bpm); its onsets come from another peak picker."""

import numpy as np
import pytest

from otoscope.features.pulse import find_onsets, find_pulse

FRAMES_PER_S = 22_050 / 512
TOL_TEMPO = 0.04  # relative
TOL_FRAMES = 1.1  # librosa takes the first of two high frames


def strength(bpm, n=350):
    """Give bursts of onset strength, exactly at the beats, on a noisy ground."""
    frames = np.arange(n)
    total = 0.2 + 0.05 * np.abs(np.random.default_rng(5).standard_normal(n))
    for beat in np.arange(7.3, n - 3, 60 * FRAMES_PER_S / bpm):
        total += 8 * np.maximum(0, 1 - np.abs(frames - beat) / 1.5)
    return total


@pytest.mark.parametrize("bpm", [80, 96, 118, 133, 150])
def test_tempo_and_number_of_onsets_agree(bpm):
    import librosa

    envelope = strength(bpm)
    theirs = librosa.feature.tempo(onset_envelope=envelope, sr=22_050, hop_length=512)[0]
    assert find_pulse(envelope, FRAMES_PER_S).tempo_bpm == pytest.approx(theirs, rel=TOL_TEMPO)
    onsets = librosa.onset.onset_detect(onset_envelope=envelope, sr=22_050, hop_length=512)
    np.testing.assert_allclose(find_onsets(envelope, 1.0), onsets, atol=TOL_FRAMES)
