"""openSMILE 3 (opensmile 2.6) is the other implementation of eGeMAPS, Praat (parselmouth) the judge of formants.

Compared frame by frame on synthesised phrases. Where openSMILE differs from the published definition we follow the
definition: its "formants" are roots of the prediction with negated weights (our notches), its "H1" is the second
partial and "H2" the third, its slopes have an offset that depends on the level, and its F0 range of 55 to 1000 Hz and
voicing threshold see the spectrum up to half the rate of the recording.
"""

import numpy as np
import pytest

from otoscope.features.contours import slopes_of, smooth, smooth_within
from otoscope.features.formants import find_formants, find_notches
from otoscope.features.harmonics import harmonic_levels, harmonics_to_noise
from otoscope.features.periods import find_periods, jitter_and_shimmer
from otoscope.features.voice_spectra import SHAPES, frame_starts, short_spectra, spectral_shapes
from otoscope.features.voicing import FRAME, track_voice
from otoscope.testing.signals import speechlike

RATE = 22_050


def spoken(seed):
    """Speech-like phrases at 22,050 Hz, of a root mean square of 0.1, with a little noise."""
    import soxr

    waveform = speechlike(seed)[0]
    samples = soxr.resample(waveform.samples.astype(np.float64), waveform.sample_rate, RATE)
    samples += 0.003 * np.std(samples) * np.random.default_rng(seed).standard_normal(samples.size)
    return (0.1 * samples / np.sqrt(np.mean(samples**2))).astype(np.float32)


def doubled(samples):
    """The same at 44,100 Hz, of which 10 ms are a whole number of samples: openSMILE's frames drift otherwise."""
    import soxr

    return soxr.resample(samples, RATE, 2 * RATE)


@pytest.fixture(scope="module")
def compared():
    """Ours and openSMILE's curves, by name, over three signals."""
    opensmile = pytest.importorskip("opensmile")
    there = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors)
    clips = []
    for seed in range(3):
        samples = spoken(seed)
        track = track_voice(samples)
        theirs = there.process_signal(doubled(samples), 2 * RATE)
        n = min(track.starts.size, len(theirs)) - 3
        starts = frame_starts(samples.size, 441)[:n]
        ours = dict(zip(SHAPES, smooth(spectral_shapes(samples, starts)), strict=True))
        power = short_spectra(samples, starts)
        voiced = track.voiced[:n]
        f0_hz = np.where(voiced, track.f0_hz[:n], 100.0)
        levels = harmonic_levels(track.magnitude[:n], f0_hz)
        ours["hnr"] = harmonics_to_noise(track.magnitude[:n], f0_hz)
        ours["h2_h3"] = levels[:, 1] - levels[:, 2]
        ours["notch1_hz"], ours["notch1_width"] = find_notches(power).hz[:, 0], find_notches(power).width_hz[:, 0]
        ours["notch3_hz"] = find_notches(power).hz[:, 2]
        periods = find_periods(samples, track.f0_hz, track.starts, FRAME)
        ours["jitter"], ours["shimmer"] = (c[:n] for c in jitter_and_shimmer(periods, track.starts, FRAME // 6))
        for name in ("hnr", "h2_h3", "notch1_hz", "notch1_width", "notch3_hz", "jitter", "shimmer"):
            ours[name] = smooth_within(ours[name])
        ours["semitones"] = smooth_within(12 * np.log2(track.f0_hz[:n] / 27.5))
        clips.append((ours, {name.partition("_sma")[0]: theirs[name].to_numpy()[:n] for name in theirs}))
    return clips


def correlations(compared, ours, theirs, *, voiced):
    """Of the frames in which both hear a voice at the same F0 within half a semitone, or of all frames."""
    result = []
    for mine, other in compared:
        x, y = mine[ours], other[theirs]
        same = np.isfinite(x) & np.isfinite(y)
        if voiced:
            same &= np.abs(mine["semitones"] - other["F0semitoneFrom27.5Hz"]) < 0.5
        result.append(np.corrcoef(x[same], y[same])[0, 1])
    return result


def test_voiced_frames_and_their_f0_agree(compared):
    for ours, theirs in compared:
        voiced, there = np.isfinite(ours["semitones"]), theirs["F0semitoneFrom27.5Hz"] > 0
        assert np.mean(voiced == there) > 0.9
        both = voiced & there
        difference = np.abs(ours["semitones"] - theirs["F0semitoneFrom27.5Hz"])[both]
        assert np.median(difference) < 0.05
        assert np.mean(difference < 0.5) > 0.8  # the rest are other octaves of a buzz full of partials


@pytest.mark.parametrize(
    ("ours", "theirs", "least"),
    [
        ("loudness", "Loudness", 0.97),
        ("alpha", "alphaRatio", 0.99),
        ("hammarberg", "hammarbergIndex", 0.99),
        ("slope_low", "slope0-500", 0.88),
        ("slope_mid", "slope500-1500", 0.99),
        ("flux", "spectralFlux", 0.99),
        ("mfcc1", "mfcc1", 0.99),
        ("mfcc2", "mfcc2", 0.99),
        ("mfcc3", "mfcc3", 0.99),
        ("mfcc4", "mfcc4", 0.99),
        ("notch1_hz", "F1frequency", 0.85),
        ("notch1_width", "F1bandwidth", 0.9),
        ("notch3_hz", "F3frequency", 0.75),
    ],
)
def test_curves_of_all_frames_agree(compared, ours, theirs, least):
    assert min(correlations(compared, ours, theirs, voiced=False)) > least


@pytest.mark.parametrize(
    ("ours", "theirs", "least"),
    [
        ("hnr", "HNRdBACF", 0.9),
        ("h2_h3", "logRelF0-H1-H2", 0.98),
        ("jitter", "jitterLocal", 0.6),
        ("shimmer", "shimmerLocaldB", 0.3),
    ],
)
def test_curves_of_voiced_frames_agree(compared, ours, theirs, least):
    assert np.median(correlations(compared, ours, theirs, voiced=True)) > least


def test_slopes_and_peaks_of_the_same_curve_agree():
    opensmile = pytest.importorskip("opensmile")
    there = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors)
    sums = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    samples = spoken(4)
    curve = there.process_signal(doubled(samples), 2 * RATE)["Loudness_sma3"].to_numpy().astype(np.float64)
    given = sums.process_signal(doubled(samples), 2 * RATE).iloc[0]
    slopes = slopes_of(curve, 100)
    assert slopes.rise_mean == pytest.approx(given["loudness_sma3_meanRisingSlope"], rel=0.4)
    assert slopes.fall_mean == pytest.approx(given["loudness_sma3_meanFallingSlope"], rel=0.4)
    assert slopes.peaks / samples.size * RATE == pytest.approx(given["loudnessPeaksPerSec"], rel=0.4)


@pytest.mark.parametrize("vowel", [(700, 1200, 2600), (300, 2200, 3000), (500, 1500, 2500)])
def test_formants_agree_with_praat(vowel):
    parselmouth = pytest.importorskip("parselmouth")
    from scipy.signal import lfilter

    samples = np.zeros(RATE)
    samples[:: round(RATE / 110)] = 1
    for hz, width in zip((*vowel, 3700, 4600), (80, 100, 140, 200, 250), strict=True):
        radius = np.exp(-np.pi * width / RATE)
        samples = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * hz / RATE), radius**2], samples)
    samples = (0.1 * samples / np.std(samples)).astype(np.float32)
    praat = parselmouth.Sound(samples.astype(np.float64), RATE).to_formant_burg(maximum_formant=5500)
    found = find_formants(short_spectra(samples, frame_starts(samples.size, 441)[10:-10])).hz
    expected = [praat.get_value_at_time(i, 0.5) for i in (1, 2, 3)]
    np.testing.assert_allclose(np.median(found, axis=0), expected, atol=75)
