import numpy as np
import pytest

from otoscope.features.keys import key_fit, triad_fit
from otoscope.features.tonal import RATE, Peaks, TonalView
from otoscope.features.tones import (
    inharmonicity,
    mid_flatness,
    odds_db,
    partials,
    periodicity,
    roughness,
    strong_peak,
    tonal_share,
)

MAJOR_SCALE, MINOR_SCALE = [0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 11]
MIDDLE = slice(3, -3)


def view_of(samples):
    return TonalView((0.1 * samples / np.sqrt(np.mean(samples**2))).astype(np.float32))


def tone(*hz, amplitudes=None, duration_s=1.5):
    times = np.arange(round(duration_s * RATE)) / RATE
    heights = amplitudes or [1.0] * len(hz)
    return sum(a * np.sin(2 * np.pi * f * times) for f, a in zip(hz, heights, strict=True))


def peaks_at(hz, amplitudes):
    return Peaks(
        np.array([hz], dtype=float), np.array([amplitudes], dtype=float), np.ones((1, len(hz)), dtype=np.intp)
    )


@pytest.mark.parametrize("tonic", range(12))
def test_scales_are_major_and_minor_in_every_key_alike(tonic):
    major, minor = np.zeros(12), np.zeros(12)
    major[MAJOR_SCALE], minor[MINOR_SCALE] = 1, 1
    major[[0, 4, 7]], minor[[0, 3, 7]] = 2, 2
    assert key_fit(np.roll(major, tonic)) == pytest.approx(key_fit(major))
    assert key_fit(np.roll(major, tonic))[2] > 0.1
    assert key_fit(np.roll(minor, tonic))[2] < -0.1
    assert key_fit(major)[0] > 0.9


def test_a_key_profile_fits_itself_and_a_flat_one_fits_nothing():
    profile = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
    minor = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
    clarity, lead, major_minor = key_fit(np.roll(profile, 5))
    fits = np.array(
        [[np.corrcoef(profile, np.roll(other, k))[0, 1] for k in range(12)] for other in (profile, minor)]
    )
    assert clarity == pytest.approx(1)
    assert lead == pytest.approx(1 - fits[:, 1:].max())
    assert major_minor == pytest.approx(1 - fits[1].max())
    assert np.isnan(key_fit(np.ones(12))).all()
    assert np.isnan(key_fit(np.full(12, np.nan))).all()


def test_triads_fit_themselves_and_a_single_note_fits_both_alike():
    chroma = np.zeros((12, 3))
    chroma[[2, 6, 9], 0] = 1
    chroma[[2, 5, 9], 1] = 0.5
    chroma[4, 2] = 1
    major, minor = triad_fit(chroma)
    np.testing.assert_allclose(major, [1, 2 / 3, 1 / np.sqrt(3)])
    np.testing.assert_allclose(minor, [2 / 3, 1, 1 / np.sqrt(3)])


@pytest.mark.parametrize("hz", [220.0, 900.0, 3001.3])
def test_the_strong_peak_of_a_sine_is_that_of_the_window(hz):
    # A Hann window: 2/3 of the power in its greatest row when centred, and half amplitude 2 rows apart.
    view = view_of(tone(hz))
    width = 12 * np.log2((hz + RATE / 4096) / (hz - RATE / 4096))
    expected = 10 * np.log10(2 / 3) - 20 * np.log10(width)
    np.testing.assert_allclose(strong_peak(view.power, view.frequencies)[MIDDLE], expected, atol=1.6)


def test_the_strong_peak_falls_with_noise_and_with_glide(rng):
    times = np.arange(2 * RATE) / RATE
    glide = np.sin(2 * np.pi * (500 * times + 60 * times**2))
    steady, noisy = tone(600.0, duration_s=2.0), tone(600.0, duration_s=2.0) + rng.standard_normal(2 * RATE)
    of_steady, of_noisy, of_glide = (
        np.median(strong_peak(view.power, view.frequencies)) for view in map(view_of, (steady, noisy, glide))
    )
    assert of_noisy < of_steady - 3
    assert of_glide < of_steady - 10


@pytest.mark.parametrize("hz", [80.0, 237.0, 700.0])
def test_a_harmonic_tone_repeats_at_its_fundamental(hz):
    repeats, fundamental = periodicity(view_of(tone(hz, 2 * hz, 3 * hz, amplitudes=[1, 0.7, 0.5])).power)
    assert (repeats[MIDDLE] > 0.999).all()
    np.testing.assert_allclose(fundamental[MIDDLE], hz, rtol=0.005)


@pytest.mark.parametrize("ratio_db", [0.0, 10.0])
def test_harmonicity_is_the_ratio_of_tone_to_noise(rng, ratio_db):
    wave = tone(220.0, 440.0, 660.0, duration_s=6.0)
    noise = rng.standard_normal(wave.size)
    noise *= np.sqrt(np.mean(wave**2) / np.mean(noise**2)) * 10 ** (-ratio_db / 20)
    repeats, _ = periodicity(view_of(wave + noise).power)
    assert np.median(odds_db(repeats)) == pytest.approx(ratio_db, abs=1.0)


def test_roughness_is_the_published_curve_of_a_pair():
    low, high = 400.0, 425.0
    s = 0.24 / (0.0207 * low + 18.96)
    curve = np.exp(-3.51 * s * 25) - np.exp(-5.75 * s * 25)
    assert roughness(peaks_at([high, low], [1.0, 0.5]))[0] == pytest.approx(0.5 * curve / 1.25)
    assert roughness(peaks_at([low, np.nan], [1.0, 0.0]))[0] == 0
    assert np.isnan(roughness(peaks_at([np.nan, np.nan], [0.0, 0.0]))[0])


def test_close_tones_are_rougher_than_a_fifth():
    rough = [np.median(roughness(view_of(tone(440.0, other)).peaks)) for other in (466.16, 659.26)]
    assert rough[0] > 3 * rough[1]


def test_overtones_are_harmonic_and_tones_between_are_not():
    fundamental = np.array([100.0])
    assert inharmonicity(peaks_at([100, 300, 700], [1, 1, 1]), fundamental)[0] == pytest.approx(0)
    assert inharmonicity(peaks_at([150, 450], [1, 2]), fundamental)[0] == pytest.approx(1)
    assert inharmonicity(peaks_at([100, 125], [1, 2]), fundamental)[0] == pytest.approx(0.4)
    assert np.isnan(inharmonicity(peaks_at([100], [1]), np.array([np.nan]))[0])


def test_equal_peaks_are_counted():
    assert partials(peaks_at([100, 200, 300, 400], [2, 2, 2, 2]))[0] == pytest.approx(2)
    assert partials(peaks_at([100, np.nan], [2, 0]))[0] == 0


def test_tones_lie_in_their_peaks_and_noise_between(rng):
    assert (tonal_share(view_of(tone(300.0, 500.0, 1700.0)))[MIDDLE] > 0.999).all()
    assert np.median(tonal_share(view_of(rng.standard_normal(3 * RATE)))) < 0.3


def test_the_middle_of_white_noise_is_as_flat_as_an_exponential_distribution(rng):
    # The mean of ln of an exponential variable of mean 1 is minus Euler's constant.
    flatness = mid_flatness(view_of(rng.standard_normal(10 * RATE)))
    assert flatness.mean() == pytest.approx(-10 * np.euler_gamma / np.log(10), abs=0.1)
    assert np.median(mid_flatness(view_of(tone(1000.0)))) < -50
