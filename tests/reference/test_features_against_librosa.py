"""Spectral and tonal features against librosa 0.11, on the same spectra where the definitions agree."""

import librosa
import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.features.harmony import tonal_centroids
from otoscope.features.sound import HOP, N_FFT, SAMPLE_RATE, Sound
from otoscope.features.spectral import (
    LOWEST_ROW,
    crossing_rate,
    flatness_db,
    mel_centres,
    spectral_quantile,
    spectral_shape,
)
from otoscope.features.timbre import N_WAVES, colour_waves, spectral_contrast
from otoscope.features.tonal import tonal_view
from otoscope.features.weighting import weighted_mean, weighted_std


def music(seed, duration_s=3.0):
    """Chords over a bass, with bursts of noise: no two alike."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(0.5 * SAMPLE_RATE)) / SAMPLE_RATE
    bars = []
    for _ in range(round(2 * duration_s)):
        root = 110 * 2 ** (rng.integers(0, 12) / 12)
        heard = [root, *(2 * root * 2 ** (s / 12) for s in ((0, 4, 7), (0, 3, 7))[rng.integers(2)])]
        tones = sum(np.sin(2 * np.pi * k * f * t) / k**1.3 for f in heard for k in range(1, 6))
        bars.append(tones * np.exp(-3 * t) + 0.4 * rng.standard_normal(t.size) * np.exp(-40 * t))
    samples = np.concatenate(bars)
    samples += 0.03 * rng.standard_normal(samples.size)  # no row falls to anybody's floor
    return Sound(Waveform((0.5 * samples / np.abs(samples).max()).astype(np.float32), SAMPLE_RATE, "music"))


@pytest.fixture(scope="module")
def sound():
    return music(0)


@pytest.fixture(scope="module")
def spectrum(sound):
    """Give amplitudes with the lowest rows empty, which otoscope leaves out."""
    magnitude = np.sqrt(sound.power.astype(np.float64))
    magnitude[:LOWEST_ROW] = 0
    return magnitude


def test_centroid_and_bandwidth(sound, spectrum):
    ours = spectral_shape(spectrum[LOWEST_ROW:], sound.frequencies[LOWEST_ROW:])
    np.testing.assert_allclose(ours.centroid, librosa.feature.spectral_centroid(S=spectrum, sr=SAMPLE_RATE)[0])
    np.testing.assert_allclose(ours.bandwidth, librosa.feature.spectral_bandwidth(S=spectrum, sr=SAMPLE_RATE)[0])


def test_rolloff(sound, spectrum):
    theirs = librosa.feature.spectral_rolloff(S=spectrum, sr=SAMPLE_RATE, roll_percent=0.85)[0]
    ours = spectral_quantile(spectrum[LOWEST_ROW:], sound.frequencies[LOWEST_ROW:], 0.85)
    np.testing.assert_allclose(ours, theirs)


def test_flatness(spectrum):
    theirs = librosa.feature.spectral_flatness(S=spectrum[LOWEST_ROW:], amin=1e-30)[0]
    np.testing.assert_allclose(flatness_db(spectrum[LOWEST_ROW:] ** 2), 10 * np.log10(theirs), atol=1e-6)


def test_zero_crossings(sound):
    theirs = librosa.feature.zero_crossing_rate(sound.levelled, frame_length=N_FFT, hop_length=HOP)[0]
    # librosa counts the pair that begins a frame with the frame before: at most one crossing of difference.
    np.testing.assert_allclose(crossing_rate(sound.levelled), theirs * SAMPLE_RATE / 2, atol=SAMPLE_RATE / N_FFT)


def test_mel_centres():
    theirs = librosa.mel_frequencies(n_mels=130, fmin=0, fmax=SAMPLE_RATE / 2)[1:-1]
    np.testing.assert_allclose(mel_centres(128), theirs)


def test_colour_waves_are_cepstral_coefficients(sound):
    theirs = librosa.feature.mfcc(S=sound.mel_db, n_mfcc=N_WAVES + 1)[1:]
    np.testing.assert_allclose(colour_waves(sound.mel_db), theirs, atol=1e-3)


def test_speed_is_the_delta(sound):
    from scipy.signal import savgol_filter

    waves = colour_waves(sound.mel_db)
    ours = savgol_filter(waves, 9, polyorder=1, deriv=1, axis=1)
    np.testing.assert_allclose(ours, librosa.feature.delta(waves), atol=1e-9)


def test_contrast(sound):
    power = sound.power[LOWEST_ROW:].astype(np.float64)
    theirs = librosa.feature.spectral_contrast(S=power, freq=sound.frequencies[LOWEST_ROW:], sr=SAMPLE_RATE)
    np.testing.assert_allclose(spectral_contrast(sound.power), theirs, atol=1e-3)


def test_tonal_centroids(rng):
    chroma = rng.random((12, 7))
    theirs = librosa.feature.tonnetz(chroma=chroma)
    np.testing.assert_allclose(tonal_centroids(chroma / chroma.sum(axis=0)), theirs, atol=1e-9)


def test_chroma_follows_chroma_cqt():
    ours, theirs = [], []
    for seed in range(6):
        clip = music(seed, 3.5)
        view = tonal_view(clip)
        ours.append([*weighted_mean(view.chroma, view.weights), *weighted_std(view.chroma, view.weights)])
        chroma = librosa.feature.chroma_cqt(y=clip.levelled, sr=SAMPLE_RATE)
        theirs.append([*chroma.mean(axis=1), *chroma.std(axis=1)])
    means, deviations = (
        [np.corrcoef(a[part], b[part])[0, 1] for a, b in zip(np.array(ours), np.array(theirs), strict=True)]
        for part in (slice(0, 12), slice(12, 24))
    )
    assert min(means) > 0.95
    assert np.mean(deviations) > 0.8
