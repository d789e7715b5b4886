import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.features.loudness import GROUP, LEVEL_IDS
from otoscope.features.sound import Sound

RATE = 22_050  # Hz
TOL_DB = 0.1


def seconds(duration=4.0):
    return np.arange(round(duration * RATE)) / RATE


def described(samples, rate=RATE):
    values = GROUP.compute(Sound(Waveform(np.asarray(samples, dtype=np.float32), rate, "clip")))
    return {feature.id.partition(".")[2]: value for feature, value in zip(GROUP.features, values, strict=True)}


def sine(hz=997.0, duration=4.0):
    return 0.5 * np.sin(2 * np.pi * hz * seconds(duration))


def noise(duration=4.0, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal(round(duration * RATE))


def test_a_steady_sine_has_its_closed_forms():
    values = described(sine())
    assert values["integrated_lufs"] == pytest.approx(-9.03, abs=TOL_DB)
    assert values["peak_dbfs"] == pytest.approx(20 * np.log10(0.5), abs=TOL_DB)
    assert values["crest_db"] == pytest.approx(10 * np.log10(2), abs=TOL_DB)
    assert values["frame_crest_db"] == pytest.approx(10 * np.log10(2), abs=TOL_DB)
    assert values["weighting_lu"] == pytest.approx(0.691, abs=TOL_DB)
    for name in ("spread_lu", "loudest_lu", "complexity_db", "level_p50_db", "slope_db_per_s", "rise_db"):
        assert values[name] == pytest.approx(0, abs=TOL_DB), name
    assert values["energy_centre"] == pytest.approx(0.5, abs=0.01)
    assert values["quiet_share"] == 0
    assert np.isnan(values["rise_over_fall"])
    assert values["modulation_medium_db"] < -35


def test_the_limit_of_the_peaks_of_a_clipped_noise_is_seen():
    free, clipped = noise(), np.clip(noise(), -0.1, 0.1)
    assert described(clipped)["headroom_db"] == pytest.approx(0, abs=TOL_DB)
    assert described(free)["headroom_db"] > 3
    assert described(clipped)["crest_db"] < described(free)["crest_db"] - 5


@pytest.mark.parametrize("slope", [-6.0, 3.0])
def test_a_ramp_in_decibels_has_its_slope(slope):
    values = described(sine() * 10 ** (slope * (seconds() - 4) / 20))
    assert values["slope_db_per_s"] == pytest.approx(slope, rel=0.02)
    assert values["end_minus_start_db"] == pytest.approx(slope * 4 * 2 / 3, rel=0.03)
    assert (values["energy_centre"] > 0.5) == (slope > 0)


@pytest.mark.parametrize(("hz", "name"), [(1.0, "slow"), (4.0, "medium"), (13.0, "fast")])
@pytest.mark.parametrize("depth", [0.1, 0.5])
def test_amplitude_modulation_has_its_depth_at_its_rate(hz, name, depth):
    values = described(sine() * (1 + depth * np.sin(2 * np.pi * hz * seconds())))
    assert values[f"modulation_{name}_db"] == pytest.approx(20 * np.log10(depth / np.sqrt(2)), abs=0.6)
    for other in {"slow", "medium", "fast"} - {name}:
        assert values[f"modulation_{other}_db"] < values[f"modulation_{name}_db"] - 8
    if hz > 2:
        assert values["modulation_rate"] == pytest.approx(np.log2(hz), abs=0.1)


def test_two_levels_have_their_spread_and_quiet_share():
    gain = np.where(seconds() < 3, 1.0, 0.25)
    values = described(sine() * gain)
    assert values["spread_lu"] == pytest.approx(20 * np.log10(4), abs=0.3)
    assert values["quiet_share"] == pytest.approx(0.25, abs=0.02)
    assert values["level_p90_db"] == pytest.approx(-10 * np.log10(3 / 4 + 1 / 64), abs=TOL_DB)
    assert values["loudest_lu"] == pytest.approx(0, abs=0.3)


def test_plucked_and_bowed_shapes_have_opposite_signs():
    plucked = sine() * np.exp(-8 * np.mod(seconds(), 0.5))
    forward, backward = described(plucked), described(plucked[::-1])
    assert forward["rise_over_fall"] > 0.5
    assert backward["rise_over_fall"] == pytest.approx(-forward["rise_over_fall"], abs=0.15)


def test_only_the_level_itself_follows_the_level():
    samples = noise() * np.exp(-3 * np.mod(seconds(), 1.0))
    loud, soft = described(samples), described(0.1 * samples)
    for name, value in loud.items():
        wanted = value - 20 if f"loudness.{name}" in LEVEL_IDS else value
        assert soft[name] == pytest.approx(wanted, rel=1e-4, abs=1e-4), name
    assert {feature.id for feature in GROUP.features} >= LEVEL_IDS


def test_repeating_a_clip_keeps_its_statistics():
    once = noise() * np.exp(-3 * np.mod(seconds(), 1.0))
    a, b = described(once), described(np.tile(once, 3))
    for name in ("crest_db", "complexity_db", "level_p50_db", "level_p90_db", "quiet_share", "modulation_medium_db"):
        assert b[name] == pytest.approx(a[name], rel=0.03, abs=0.3), name


def test_what_a_short_clip_cannot_hold_is_nan():
    values = described(noise(0.5))
    assert np.isnan(values["modulation_slow_db"])
    assert np.isfinite(values["spread_lu"])


def test_a_clip_below_the_gate_has_no_loudness_and_the_rest():
    values = described(3e-4 * sine(100))
    assert np.isnan(values["integrated_lufs"])
    assert values["crest_db"] == pytest.approx(10 * np.log10(2), abs=TOL_DB)
