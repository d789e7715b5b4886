"""librosa.yin (0.11) is the other implementation: its centred frames lie at i * hop and do not lag."""

from pathlib import Path

import numpy as np
import pytest

from otoscope.audio import read_audio
from otoscope.f0.registry import open_tracker
from otoscope.testing.signals import chirp, speechlike

RATE = 16_000
SHARED = Path(__file__).parents[2].joinpath("../shared/data/fleurs").resolve()


def yin(waveform, at):
    """librosa's F0 in hertz at some times, interpolated in log frequency between frames 5 ms apart."""
    import librosa

    f0_hz = librosa.yin(waveform.samples, fmin=60, fmax=400, sr=RATE, frame_length=1024, hop_length=80, center=True)
    return np.exp(np.interp(at, np.arange(f0_hz.size) * 80 / RATE, np.log(f0_hz)))


def cents(f0_hz, true_hz):
    return 1200 * np.log2(f0_hz / true_hz)


@pytest.mark.parametrize("seed", range(3))
def test_librosa_finds_the_f0_that_speechlike_says_it_has(seed):
    waveform, true_hz, voiced = speechlike(seed)
    times = np.arange(0, 4, 0.005)
    inner = voiced(times - 0.04) & voiced(times) & voiced(times + 0.04)
    error = cents(yin(waveform, times), true_hz(times))[inner]
    assert np.median(np.abs(error)) < 5
    assert np.mean(np.abs(error) > 50) < 0.05


@pytest.mark.parametrize(("spec", "bias_cents"), [("kaldi", 0.0), ("yaapt-compat", -15.0)])
@pytest.mark.parametrize(("start_hz", "end_hz"), [(100.0, 200.0), (200.0, 100.0)])
def test_a_tracker_and_librosa_agree_on_glides_but_for_the_known_bias(spec, bias_cents, start_hz, end_hz):
    waveform, _ = chirp(start_hz, end_hz=end_hz, duration_s=1.0)
    track = open_tracker(spec).track(waveform)
    inner = track.voiced & (track.times > 0.1) & (track.times < 0.9)
    difference = cents(track.f0_hz[inner], yin(waveform, track.times[inner]))
    assert np.median(difference) == pytest.approx(bias_cents, abs=5)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no speech beside the checkout")
@pytest.mark.parametrize("name", ["en_us_3428105909614355760.wav", "cmn_hans_cn_8942599177624850045.wav"])
def test_the_trackers_agree_on_speech_where_both_hear_voice(name):
    waveform = read_audio(SHARED / name)
    kaldi = open_tracker("kaldi:hop_ms=20,correction=off").track(waveform)
    compat = open_tracker("yaapt-compat:correction=off").track(waveform)
    n = min(kaldi.times.size, compat.times.size)
    np.testing.assert_allclose(kaldi.times[:n], compat.times[:n], atol=1e-12)
    both = kaldi.voiced[:n] & compat.voiced[:n]
    difference = cents(kaldi.f0_hz[:n][both], compat.f0_hz[:n][both])
    assert both.mean() > 0.15
    assert np.median(np.abs(difference)) < 40
    assert 5 < np.median(difference) < 35  # compat is flat by 10-25 cents at these voices
    assert np.mean(kaldi.voiced[:n] == compat.voiced[:n]) > 0.85
