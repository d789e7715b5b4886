"""librosa is trusted for the mel scale, the framing and the cepstra; pinned in constraints.txt."""

import librosa
import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.representations.filterbanks import LogMel, Mfcc, mel_power
from otoscope.testing.signals import speechlike

TOL_LOG = 1e-5  # of the natural logarithm
TOL_CEPSTRUM = 1e-3
TOL_POWER = 1e-5  # relative


def states(model, samples):
    (layer,) = model.layers(Waveform(samples, 16_000, "clip"))
    return layer.states


@pytest.fixture(scope="module")
def speech():
    waveform, _, _ = speechlike(11, duration_s=2.0)
    return waveform.samples


def log_mel(samples, bands):
    power = librosa.feature.melspectrogram(
        y=samples, sr=16_000, n_fft=1024, win_length=400, hop_length=160, n_mels=bands
    )
    return np.log(np.maximum(power, 1e-10))


@pytest.mark.parametrize("n_samples", [1024, 1200, 15_999, 16_000, 16_001, 32_000])
@pytest.mark.parametrize("bands", [40, 80])
def test_log_mel_is_librosas(speech, bands, n_samples):
    samples = speech[:n_samples]
    assert np.abs(states(LogMel(bands=bands), samples) - log_mel(samples, bands).T).max() < TOL_LOG


def test_cepstra_are_librosas(speech):
    expected = librosa.feature.mfcc(S=log_mel(speech, 40), n_mfcc=13, dct_type=2, norm="ortho")
    assert np.abs(states(Mfcc(), speech) - expected.T).max() < TOL_CEPSTRUM


@pytest.mark.parametrize("n_samples", [400, 401, 16_000])
def test_a_transform_as_long_as_the_window_is_librosas(speech, n_samples):
    samples = speech[:n_samples]
    expected = librosa.feature.melspectrogram(y=samples, sr=16_000, n_fft=400, hop_length=160, n_mels=40).T
    np.testing.assert_allclose(mel_power(samples, bands=40, n_fft=400), expected, rtol=TOL_POWER, atol=1e-12)
