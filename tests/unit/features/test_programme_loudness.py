import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.features.programme_loudness import (
    OFFSET_LU,
    block_power,
    gated_power,
    integrated_loudness,
    k_weighting,
)

TOL_LU = 0.02
TOL_LU_AT_22K = 0.1  # the bilinear transform bends the shelf a little at this rate
# The coefficients that ITU-R BS.1770-4 prints for 48 kHz.
SHELF = [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585]
HIGH_PASS = [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621]


def sine(hz, peak_db, duration, rate=48_000):
    return (10 ** (peak_db / 20) * np.sin(2 * np.pi * hz * np.arange(round(duration * rate)) / rate)).astype(
        np.float32
    )


def test_the_filters_at_48_khz_are_those_of_the_recommendation():
    np.testing.assert_allclose(k_weighting(48_000), [SHELF, HIGH_PASS], atol=1e-8)


@pytest.mark.parametrize(
    ("rate", "tolerance"), [(48_000, TOL_LU), (44_100, TOL_LU), (22_050, TOL_LU_AT_22K), (16_000, TOL_LU_AT_22K)]
)
def test_a_full_scale_sine_of_997_hz_has_minus_3_01(rate, tolerance):
    assert integrated_loudness(sine(997, 0, 3, rate), rate) == pytest.approx(-3.01, abs=tolerance)


def test_a_decibel_is_a_loudness_unit():
    assert integrated_loudness(sine(997, -23, 3), 48_000) == pytest.approx(-26.01, abs=TOL_LU)


def test_the_gates_leave_silence_and_soft_parts_out():
    # a block that is half in the silence may pass both gates: up to 0.2 LU in 10 s
    loud, soft, nothing = sine(997, -20, 10), sine(997, -40, 10), np.zeros(480_000, dtype=np.float32)
    assert integrated_loudness(np.concatenate([nothing, loud, nothing]), 48_000) == pytest.approx(-23.01, abs=0.2)
    assert integrated_loudness(np.concatenate([soft, loud, soft]), 48_000) == pytest.approx(-23.01, abs=0.2)
    near = sine(997, -26, 10)  # 6 dB down: above the relative gate, so that powers average
    wanted = 10 * np.log10((10**-2.301 + 10**-2.901) / 2)
    assert integrated_loudness(np.concatenate([near, loud]), 48_000) == pytest.approx(wanted, abs=0.1)


def test_below_the_absolute_gate_there_is_no_loudness():
    assert np.isnan(integrated_loudness(sine(997, -80, 2), 48_000))


def test_blocks_are_whole_and_count_by_integers():
    for n, wanted in ((8_819, 0), (8_820, 1), (11_024, 1), (11_025, 2), (110_250, 47)):
        powers = block_power(np.full(n, 0.5), 22_050)
        assert powers.size == wanted
        np.testing.assert_allclose(powers, 0.25)


def test_the_relative_gate_is_ten_below_the_mean_of_what_is_heard():
    powers = np.array([1.0, 1.0, 0.05, 1e-9])
    assert gated_power(powers, 1e-7) == pytest.approx(1.0)
    assert gated_power(np.array([1.0, 1.0, 0.2]), 1e-7) == pytest.approx(2.2 / 3)
    assert np.isnan(gated_power(powers, 2.0))
    assert pytest.approx(-0.691) == OFFSET_LU


def test_a_rate_below_the_shelf_is_refused():
    with pytest.raises(SpecError, match="at least 8000 Hz"):
        k_weighting(4_000)
