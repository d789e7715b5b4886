"""Labels at other times than their own: closed forms, and the laws of voicing."""

from fractions import Fraction

import numpy as np
import pytest

from otoscope.alignment import ENERGY_FLOOR_DB, ENERGY_WINDOW_S, energy_at, sample_track
from otoscope.audio import Waveform
from otoscope.f0.base import F0Track, TrackerInfo
from otoscope.frames import FrameGrid
from otoscope.testing.signals import chirp, noise, silence, speechlike, tone

RATE = 16_000
TOL_CENTS = 0.1  # cents
TOL_DB = 1e-6  # decibels; samples are single precision
TOL_DECIBELS_ROUNDED_ONCE = 1e-3  # decibels: 3.01 stands for 3.0103
INFO = TrackerInfo("known", "1", {})


def track_of(times, f0_hz):
    """Make a track; None stands for an unvoiced frame."""
    values = np.array([np.nan if f is None else f for f in f0_hz], dtype=np.float64)
    return F0Track(np.array(times, dtype=np.float64), values, ~np.isnan(values), INFO, "clip")


def at(track, *times):
    return sample_track(track, np.array(times, dtype=np.float64))


GAP = track_of([0.00, 0.01, 0.02, 0.03, 0.04], [100.0, 110.0, None, 200.0, 400.0])


def test_at_its_own_times_a_track_is_itself():
    _, true_hz, voiced = speechlike(3)
    times = 0.005 + 0.01 * np.arange(390)
    track = F0Track(times, true_hz(times), voiced(times), INFO, "clip")
    got = sample_track(track, times)
    assert 50 < np.count_nonzero(got.voiced) < 390
    assert np.array_equal(got.voiced, track.voiced)
    np.testing.assert_allclose(got.f0_hz, track.f0_hz, rtol=1e-14)
    assert got.covered.all()
    assert (got.f0_hz.dtype, got.voiced.dtype, got.covered.dtype) == (np.float64, np.bool_, np.bool_)


def test_midway_between_two_frames_lies_their_geometric_mean():
    got = at(track_of([0.0, 0.01, 0.02], [100.0, 400.0, 100.0]), 0.005, 0.015)
    assert got.f0_hz == pytest.approx([200.0, 200.0], rel=1e-12)


def test_a_quarter_of_the_way_is_a_quarter_of_the_interval():
    got = at(track_of([0.0, 0.01], [100.0, 1600.0]), 0.0025, 0.0075)
    assert got.f0_hz == pytest.approx([200.0, 800.0], rel=1e-12)


def test_nothing_is_interpolated_across_an_unvoiced_gap():
    got = at(GAP, 0.012, 0.0149, 0.0151, 0.020, 0.0249, 0.0251, 0.028)
    assert got.voiced.tolist() == [True, True, False, False, False, True, True]
    assert got.f0_hz[got.voiced] == pytest.approx([110.0, 110.0, 200.0, 200.0], rel=1e-15)
    assert got.covered.all()


def test_of_two_frames_equally_near_the_earlier_one_says_whether_there_is_voice():
    got = at(GAP, 0.015, 0.025)
    assert got.voiced.tolist() == [True, False]
    assert got.f0_hz[0] == pytest.approx(110.0, rel=1e-15)


def test_a_tie_stays_a_tie_where_decimal_fractions_are_rounded():
    times = 0.0125 + 0.01 * np.arange(400)
    voiced = np.arange(400) % 2 == 0
    track = F0Track(times, np.where(voiced, 150.0, np.nan), voiced, INFO, "clip")
    got = sample_track(track, times[:-1] + 0.005)
    assert np.array_equal(got.voiced, voiced[:-1])


def test_a_track_covers_half_a_hop_beyond_its_ends_and_no_more():
    got = at(GAP, -0.0051, -0.005, -0.002, 0.042, 0.045, 0.0451)
    assert got.covered.tolist() == [False, True, True, True, True, False]
    assert got.voiced.tolist() == [False, True, True, True, True, False]
    assert got.f0_hz[1:5] == pytest.approx([100.0, 100.0, 400.0, 400.0], rel=1e-15)
    assert np.isnan(got.f0_hz[[0, 5]]).all()


def test_an_unvoiced_end_is_covered_and_not_voiced():
    got = at(track_of([0.0, 0.01], [None, 120.0]), -0.004, 0.004, 0.006, 0.014)
    assert got.covered.all()
    assert got.voiced.tolist() == [False, False, True, True]


def test_one_long_step_does_not_stretch_what_a_track_covers():
    track = track_of([0.0, 0.01, 0.02, 1.0], [100.0, 100.0, 100.0, 100.0])
    assert at(track, -0.004, 1.004, 1.006).covered.tolist() == [True, True, False]


def test_a_track_of_one_frame_covers_its_own_time():
    got = at(track_of([0.5], [150.0]), 0.4999, 0.5, 0.5001)
    assert got.covered.tolist() == got.voiced.tolist() == [False, True, False]
    assert got.f0_hz[1] == pytest.approx(150.0, rel=1e-15)
    assert not at(track_of([0.5], [None]), 0.5).voiced.any()
    assert at(track_of([0.5], [None]), 0.5).covered.all()


def test_an_empty_track_covers_nothing():
    got = at(track_of([], []), 0.0, 1.0)
    assert not got.covered.any()
    assert not got.voiced.any()
    assert np.isnan(got.f0_hz).all()
    assert got.f0_hz.shape == (2,)


def test_no_times_are_no_frames():
    for track in (GAP, track_of([], [])):
        got = sample_track(track, np.zeros(0))
        assert got.f0_hz.shape == got.voiced.shape == got.covered.shape == (0,)


def test_sampling_leaves_the_track_and_the_times_alone():
    times = np.array([0.0, 0.013, 0.07])
    for array in (times, GAP.times, GAP.f0_hz, GAP.voiced):
        array.flags.writeable = False
    first = sample_track(GAP, times)
    first.covered[:] = False
    assert sample_track(GAP, times).covered.tolist() == [True, True, False]


@pytest.mark.parametrize(("start_hz", "end_hz"), [(110.0, 440.0), (440.0, 110.0)])
@pytest.mark.parametrize("grid", [FrameGrid(RATE, hop=320, receptive_field=400), FrameGrid(RATE, 160, 250, 37)])
def test_a_glide_sampled_on_another_clock_is_the_closed_form(start_hz, end_hz, grid):
    waveform, true_hz = chirp(start_hz, end_hz=end_hz, duration_s=1.0)
    own = np.linspace(0.0, 1.0, 101)
    track = F0Track(own, true_hz(own), np.ones(101, dtype=np.bool_), INFO, waveform.clip_id)
    times = grid.centers(grid.count(waveform.samples.size))
    got = sample_track(track, times)
    assert got.voiced.all()
    assert np.max(np.abs(1200 * np.log2(got.f0_hz / true_hz(times)))) < TOL_CENTS


@pytest.mark.parametrize("amplitude", [1.0, 0.5, 0.01])
def test_the_energy_of_a_sine_is_three_decibels_below_its_amplitude(amplitude):
    # 25 ms hold five periods of 200 Hz, wherever they begin.
    waveform = tone(200.0, n_harmonics=1, peak=amplitude)
    times = FrameGrid(RATE, hop=37, receptive_field=400).centers(400)
    level = energy_at(waveform, times)
    assert level == pytest.approx(20 * np.log10(amplitude) - 3.0103, abs=TOL_DECIBELS_ROUNDED_ONCE)


def test_silence_has_the_energy_of_the_floor():
    assert np.all(energy_at(silence(0.5), np.linspace(-1, 1, 41)) == ENERGY_FLOOR_DB)


def test_silence_after_a_loud_minute_is_as_silent_as_silence():
    samples = np.concatenate([noise(0, duration_s=60.0, peak=1.0).samples, np.zeros(RATE, dtype=np.float32)])
    assert np.all(energy_at(Waveform(samples, RATE, "clip"), np.array([60.1, 60.5, 60.9])) == ENERGY_FLOOR_DB)


def test_a_constant_has_its_own_level_up_to_the_edges_and_the_floor_beyond_them():
    waveform = silence(0.1, offset=0.1)
    half = ENERGY_WINDOW_S / 2
    inside = energy_at(waveform, np.array([-half + 0.001, 0.0, 0.003, 0.05, 0.1, 0.1 + half - 0.001]))
    assert inside == pytest.approx(-20.0, abs=TOL_DB)
    outside = energy_at(waveform, np.array([-5.0, -half - 0.001, 0.1 + half + 0.001, 7.0]))
    assert np.all(outside == ENERGY_FLOOR_DB)


def test_what_a_window_has_outside_the_signal_is_left_out_of_its_mean():
    samples = np.zeros(1600, dtype=np.float32)
    samples[:100] = 1.0
    level = energy_at(Waveform(samples, RATE, "clip"), np.array([0.0, 100 / RATE, 0.0125, 200 / RATE + 0.0125]))
    assert level[:3] == pytest.approx(10 * np.log10([100 / 200, 100 / 300, 100 / 400]), abs=TOL_DB)
    assert level[3] == ENERGY_FLOOR_DB


@pytest.mark.parametrize("sample_rate", [16_000, 22_050, 44_100, 8_000])
def test_energy_is_the_mean_square_of_the_samples_in_the_window(rng, sample_rate):
    waveform = noise(4, duration_s=0.1, sample_rate=sample_rate)
    square = waveform.samples.astype(np.float64) ** 2
    times = rng.uniform(-0.02, 0.12, 20)
    half = Fraction(1, 80) * sample_rate
    expected = []
    for time in times:
        middle = Fraction(time) * sample_rate - Fraction(1, 2)
        inside = [s for i, s in enumerate(square) if abs(i - middle) < half]
        expected.append(10 * np.log10(np.mean(inside)) if inside else ENERGY_FLOOR_DB)
    np.testing.assert_allclose(energy_at(waveform, times), expected, atol=TOL_DB)


def test_the_window_of_a_frame_of_400_samples_is_that_frame():
    waveform = noise(5, duration_s=0.5)
    grid = FrameGrid(RATE, hop=320, receptive_field=400)
    n_frames = grid.count(waveform.samples.size)
    rows = np.lib.stride_tricks.sliding_window_view(waveform.samples.astype(np.float64), 400)[::320]
    assert rows.shape[0] == n_frames
    expected = 10 * np.log10(np.mean(rows**2, axis=1))
    np.testing.assert_allclose(energy_at(waveform, grid.centers(n_frames)), expected, atol=TOL_DB)


def test_twice_the_amplitude_is_six_decibels_more():
    soft = noise(6, duration_s=0.3)
    loud = Waveform(soft.samples * np.float32(2), RATE, "loud")
    times = np.linspace(0, 0.3, 50)
    np.testing.assert_allclose(energy_at(loud, times) - energy_at(soft, times), 20 * np.log10(2), atol=TOL_DB)
