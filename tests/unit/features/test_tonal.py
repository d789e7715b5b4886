import gc
import weakref

import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.features.sound import Sound
from otoscope.features.tonal import HOP, LOWEST_HZ, RATE, TonalView, fold_to_chroma, spectral_peaks, tonal_view
from otoscope.features.weighting import compressed, loudness_weights, weighted_mean, weighted_std

TOL_HZ = 0.2
TOL_CENTS = 1.0


def sines(*hz, duration_s=2.0, rate=22_050):
    times = np.arange(round(duration_s * rate)) / rate
    samples = sum(np.sin(2 * np.pi * each * times) for each in hz) * (0.5 / len(hz))
    return Sound(Waveform(samples.astype(np.float32), rate, "sines"))


def test_the_constant_q_spectrum_is_the_windowed_correlation_with_a_sine(rng):
    samples = rng.standard_normal(2 * RATE).astype(np.float32)
    spectrum = TonalView(samples).constant_q
    ratio = 2 ** (1 / 36)
    quality = (ratio**2 + 1) / (ratio**2 - 1)
    frame = 11
    for band in (60, 120, 200, 251):
        hz = LOWEST_HZ * ratio**band
        length = quality * RATE / hz
        places = np.arange(np.ceil(-length / 2), np.floor(length / 2) + 1)
        window = 1 + np.cos(2 * np.pi * places / length)
        part = samples[frame * HOP + places.astype(int)]
        direct = 2 * abs((part * window / window.sum() * np.exp(-2j * np.pi * hz / RATE * places)).sum())
        assert spectrum[band, frame] == pytest.approx(direct, rel=0.03)


@pytest.mark.parametrize("band", [72, 135, 200])
def test_a_sine_of_amplitude_1_gives_1_in_its_band(band):
    hz = LOWEST_HZ * 2 ** (band / 36)
    view = TonalView(np.sin(2 * np.pi * hz * np.arange(3 * RATE) / RATE).astype(np.float32))
    middle = view.constant_q[:, view.constant_q.shape[1] // 2]
    assert middle.argmax() == band
    assert middle[band] == pytest.approx(1.0, abs=0.01)


def test_a_long_clip_in_blocks_gives_what_its_parts_give():
    samples = np.random.default_rng(1).standard_normal(15 * RATE).astype(np.float32)
    whole = TonalView(samples).constant_q
    part = TonalView(samples[: 64 * HOP + 40_000]).constant_q
    assert whole.shape == (252, 1 + 15 * RATE // HOP)
    np.testing.assert_allclose(whole[:, 60:70], part[:, 60:70], rtol=1e-4, atol=1e-6)


def test_two_sines_are_two_peaks_at_their_frequencies_and_in_their_proportion():
    times = np.arange(RATE) / RATE
    view = TonalView(
        (np.sin(2 * np.pi * 440.3 * times) + 0.25 * np.sin(2 * np.pi * 1234.5 * times)).astype(np.float32)
    )
    frame = 5
    np.testing.assert_allclose(view.peaks.hz[frame, :2], [440.3, 1234.5], atol=TOL_HZ)
    assert view.peaks.amplitude[frame, 1] / view.peaks.amplitude[frame, 0] == pytest.approx(0.25, rel=0.03)
    np.testing.assert_array_equal(np.isnan(view.peaks.hz), view.peaks.amplitude == 0)


def test_a_flat_spectrum_has_no_peaks():
    peaks = spectral_peaks(np.ones((2049, 3)), np.arange(2049) * (RATE / 4096))
    assert np.isnan(peaks.hz).all()


@pytest.mark.parametrize("cents", [-30.0, 0.0, 17.0, 45.0])
def test_the_tuning_is_that_of_the_notes(cents):
    factor = 2 ** (cents / 1200)
    offset, agreement = tonal_view(sines(440 * factor, 554.365 * factor, 659.255 * factor)).tuning
    assert 100 * offset == pytest.approx(cents, abs=TOL_CENTS)
    assert agreement > 0.95


def test_notes_between_two_grids_do_not_agree():
    _, agreement = tonal_view(sines(440.0, 440 * 2 ** (3.5 / 12))).tuning
    assert agreement < 0.05


@pytest.mark.parametrize(("hz", "note"), [(261.626, 0), (440.0, 9), (466.164, 10), (98.0, 7), (1975.5, 11)])
@pytest.mark.parametrize("cents", [0, 30])
def test_a_note_is_the_greatest_of_its_pitch_class_in_any_octave_and_tuning(hz, note, cents):
    view = tonal_view(sines(hz * 2 ** (cents / 1200)))
    assert (view.chroma.argmax(axis=0) == note).all()
    assert np.allclose(np.nanmax(view.chroma, axis=0), 1)


def test_folding_keeps_the_whole_of_each_band(rng):
    bands = np.zeros((252, 252))
    np.fill_diagonal(bands, 1)
    for tuning in (0.0, 0.13, -0.4):
        semitones = np.arange(252) / 3
        distance = np.abs((semitones - tuning - np.arange(12)[:, None] + 6) % 12 - 6)
        chroma = fold_to_chroma(bands, tuning)
        nearest = distance.argmin(axis=0)
        assert (chroma[nearest, np.arange(252)] == 1).all()
        far = distance > 0.5 + 1 / 6
        assert (chroma[far] == 0).all()


def test_folding_by_a_third_of_a_semitone_is_moving_by_one_band(rng):
    bands = rng.random((252, 4))
    scale = 2 ** (-np.arange(252) / 72)
    moved = np.roll(bands * scale[:, None], -1, axis=0)[:-1]
    expected = fold_to_chroma(moved / scale[:-1, None])
    bands[0] = 0  # has no place below the lowest band
    np.testing.assert_allclose(fold_to_chroma(bands, 1 / 3), expected, rtol=1e-9)


def test_a_view_is_made_once_and_goes_with_its_sound():
    sound = sines(300.0)
    view = tonal_view(sound)
    assert tonal_view(sound) is view
    gone = weakref.ref(view)
    del sound, view
    gc.collect()
    assert gone() is None


def test_what_lies_beyond_the_range_has_no_notes():
    view = tonal_view(sines(9000.0))
    assert not view.weights[3:-3].any()
    assert np.isnan(view.chroma[:, 3:-3]).all()


def test_what_is_left_by_rounding_counts_nothing(rng):
    view = TonalView((1e-7 * rng.standard_normal(RATE)).astype(np.float32))
    assert not view.weights.any()
    assert not view.peaks.amplitude.any()
    assert np.isnan(view.tuning).all()


def test_weights_follow_power_to_the_0_3_and_leave_out_pauses():
    weights = loudness_weights(np.array([[1.0, 10.0, 1e-6, 0.0]]))
    assert weights[1] / weights[0] == pytest.approx(10**0.3)
    assert weights[2:].tolist() == [0, 0]
    assert weights.sum() == pytest.approx(1)
    assert not loudness_weights(np.zeros((3, 4))).any()
    assert not loudness_weights(np.ones((3, 4)), least=3.5).any()


def test_weighted_statistics_are_those_of_repeated_frames(rng):
    values, counts = rng.standard_normal((2, 6)), np.array([1, 2, 0, 3, 1, 1])
    repeated = np.repeat(values, counts, axis=1)
    np.testing.assert_allclose(weighted_mean(values, counts / 8), repeated.mean(axis=1))
    np.testing.assert_allclose(weighted_std(values, counts / 8), repeated.std(axis=1))


def test_statistics_of_nothing_are_nan():
    assert np.isnan(weighted_mean(np.array([np.nan, 1.0]), np.array([1.0, 0.0])))
    assert np.isnan(weighted_std(np.full(3, np.nan), np.ones(3)))


def test_compression_rises_and_keeps_zero_and_nan():
    values = compressed(np.array([0.0, 0.1, 1.0, 100.0]), 0.1)
    assert values[0] == 0
    assert values[1] == pytest.approx(1)
    assert (np.diff(values) > 0).all()
    assert np.isnan(compressed(np.nan))
