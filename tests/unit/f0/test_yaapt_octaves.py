import numpy as np
import pytest

from otoscope.f0.yaapt_core.octaves import settle_octaves
from otoscope.f0.yaapt_core.settings import Plan

PLAN = Plan(16_000, 400, 160, 60.0, 400.0)
N_FRAMES = 60


def voice(f0_hz, partials=(1.0, 0.7, 0.5, 0.4)):
    phase = 2 * np.pi * f0_hz * np.arange(400 + 160 * N_FRAMES) / 16_000
    return sum(gain * np.cos(k * phase) for k, gain in enumerate(partials, start=1))


def settle(signal, f0_hz):
    return settle_octaves(np.ascontiguousarray(signal), np.full(N_FRAMES, f0_hz), plan=PLAN)


@pytest.mark.parametrize("f0_hz", [70.0, 110.0, 180.0, 237.0, 390.0])
def test_what_is_right_stays(f0_hz):
    np.testing.assert_array_equal(settle(voice(f0_hz), f0_hz), f0_hz)


@pytest.mark.parametrize("f0_hz", [125.0, 180.0, 237.0, 390.0])
def test_half_of_the_f0_is_doubled(f0_hz):
    np.testing.assert_array_equal(settle(voice(f0_hz), f0_hz / 2), f0_hz)


@pytest.mark.parametrize("f0_hz", [65.0, 110.0, 180.0, 199.0])
def test_twice_the_f0_is_halved(f0_hz):
    np.testing.assert_array_equal(settle(voice(f0_hz), 2 * f0_hz), f0_hz)


def test_a_strong_second_partial_is_no_octave_while_the_odd_ones_are_heard():
    np.testing.assert_array_equal(settle(voice(150.0, (0.3, 1.0, 0.2)), 150.0), 150.0)


def test_nothing_leaves_the_range_that_is_searched():
    np.testing.assert_array_equal(settle(voice(420.0), 210.0), 210.0)
    np.testing.assert_array_equal(settle(voice(55.0), 110.0), 110.0)


def test_stretches_are_asked_one_by_one_and_unvoiced_frames_stay_unvoiced():
    f0_hz = np.full(N_FRAMES, 200.0)
    f0_hz[20:40] = 100.0
    f0_hz[10:12] = 0.0
    settled = settle_octaves(voice(200.0), f0_hz, plan=PLAN)
    assert set(settled[10:12]) == {0.0}
    np.testing.assert_array_equal(np.delete(settled, [10, 11]), 200.0)
    assert f0_hz[25] == 100.0


@pytest.mark.parametrize("signal", [np.zeros(10_000), np.random.default_rng(0).standard_normal(10_000), np.zeros(50)])
def test_where_nothing_repeats_nothing_is_changed(signal):
    np.testing.assert_array_equal(settle(signal, 150.0), 150.0)


def test_the_level_does_not_matter():
    for gain in (1e-4, 1.0, 1e3):
        np.testing.assert_array_equal(settle(gain * voice(237.0), 118.5), 237.0)
