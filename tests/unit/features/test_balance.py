import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.features.balance import BANDS, FLOOR_DB, FRAME_FLOOR_DB, GROUP, PARTS, harmonic_share
from otoscope.features.sound import Sound

RATE = 22_050  # Hz
TOL_DB = 0.3


def seconds(duration=4.0):
    return np.arange(round(duration * RATE)) / RATE


def described(samples, rate=RATE):
    values = GROUP.compute(Sound(Waveform(np.asarray(samples, dtype=np.float32), rate, "clip")))
    return {feature.id.partition(".")[2]: value for feature, value in zip(GROUP.features, values, strict=True)}


def sine(hz, duration=4.0):
    return 0.1 * np.sin(2 * np.pi * hz * seconds(duration))


def clicks(per_second=3, duration=4.0):
    samples = np.zeros(round(duration * RATE))
    samples[RATE // 5 :: RATE // per_second] = 0.8
    return samples


CENTRES = {"sub": 45, "bass": 130, "lowmid": 330, "mid": 1000, "highmid": 2900, "high": 5700, "air": 9500}


@pytest.mark.parametrize("band", CENTRES)
def test_a_tone_lies_in_its_band_alone(band):
    values = described(sine(CENTRES[band]))
    assert values[f"{band}_level_db"] == pytest.approx(0, abs=TOL_DB)
    apart = {"sub": {"bass"}, "bass": {"sub"}}.get(band, set())  # 43 Hz of leakage reach the neighbour down there
    for other in set(CENTRES) - {band} - apart:
        assert values[f"{other}_level_db"] < -35, other


def test_equal_tones_share_the_power_equally():
    values = described(sum(sine(hz) for hz in (130, 330, 1000, 5700)))
    for band in ("bass", "lowmid", "mid", "high"):
        assert values[f"{band}_level_db"] == pytest.approx(10 * np.log10(1 / 4), abs=TOL_DB)
    assert values["voice_level_db"] == pytest.approx(10 * np.log10(1 / 2), abs=TOL_DB)


def test_white_noise_lies_in_bands_by_their_width(rng):
    values = described(0.1 * rng.standard_normal(8 * RATE))
    for band, (low, high) in BANDS.items():
        wanted = 10 * np.log10((min(high, RATE / 2) - low) / (RATE / 2))
        assert values[f"{band}_level_db"] == pytest.approx(wanted, abs=0.8), band


def test_tones_are_held_and_clicks_are_struck():
    assert described(sine(440) + sine(1200))["harmonic_over_percussive_db"] > 15
    assert described(clicks())["harmonic_over_percussive_db"] < -15


@pytest.mark.parametrize(("hz", "part"), [(100, "bass"), (700, "vocals"), (6000, "other")])
def test_a_held_tone_goes_to_its_part(hz, part):
    values = described(sine(hz))
    assert values[f"{part}_db_mean"] == pytest.approx(0, abs=TOL_DB)
    assert values[f"{part}_db_std"] == pytest.approx(0, abs=TOL_DB)
    for other in set(PARTS) - {part}:
        assert values[f"{other}_db_mean"] < -15, other


def test_tones_of_equal_power_are_equally_loud_in_every_part():
    values = described(sine(100) + sine(700) + sine(6000))
    for part in ("bass", "vocals", "other"):
        assert values[f"{part}_db_mean"] == pytest.approx(10 * np.log10(1 / 3), abs=TOL_DB)


def test_strokes_go_to_the_drums():
    values = described(clicks(5))
    for other in set(PARTS) - {"drums"}:
        assert values["drums_db_mean"] > values[f"{other}_db_mean"] + 5, other


def test_a_tone_that_is_switched_has_the_mean_and_spread_of_two_levels():
    samples = sine(700) * np.where(np.mod(seconds(), 2) < 1, 1.0, 0.1)
    values = described(samples)
    assert values["vocals_db_std"] == pytest.approx(10, abs=0.6)
    assert values["vocals_db_mean"] == pytest.approx(-10 - 10 * np.log10((1 + 0.01) / 2), abs=0.6)


def test_bass_and_middle_together_or_in_turn():
    swell = 1 + 0.9 * np.sin(2 * np.pi * seconds())
    together = described(sine(100) * swell + sine(1000) * swell)
    in_turn = described(sine(100) * swell + sine(1000) * (2 - swell))
    assert together["bass_voice_correlation"] > 0.95
    assert in_turn["bass_voice_correlation"] < -0.7
    assert np.isnan(described(sine(100) + sine(1000))["bass_voice_correlation"])


def test_thumps_and_held_basses_are_told_apart(rng):
    thump = np.exp(-40 * np.mod(seconds(), 0.5)) * np.sin(2 * np.pi * 60 * seconds())
    assert described(thump)["percussive_bass_share"] > described(sine(60))["percussive_bass_share"] + 0.3
    strokes = rng.standard_normal(4 * RATE) * np.exp(-60 * np.mod(seconds(), 0.25))
    assert described(strokes)["percussive_treble_share"] > 0.7
    assert described(sine(6000))["percussive_treble_share"] < 0.2
    assert np.isnan(described(sine(300))["percussive_treble_share"])


def test_what_is_not_there_stops_at_the_floor():
    values = described(sine(1000)[: 4 * 8_000], 8_000)
    assert values["air_level_db"] == FLOOR_DB
    assert values["other_db_mean"] == FRAME_FLOOR_DB


def test_shares_of_equal_power_and_of_nothing_are_a_half():
    np.testing.assert_array_equal(harmonic_share(np.zeros((128, 50), dtype=np.float32)), 0.5)
    np.testing.assert_array_equal(harmonic_share(np.ones((128, 50), dtype=np.float32)), 0.5)


def test_turning_the_spectrum_swaps_held_and_struck(rng):
    power = rng.gamma(0.5, size=(128, 128)).astype(np.float32)
    np.testing.assert_allclose(harmonic_share(power.T), 1 - harmonic_share(power).T, atol=1e-6)


def test_a_long_song_is_worked_on_in_pieces_without_seams(rng):
    power = rng.gamma(0.5, size=(128, 3_000)).astype(np.float32)
    inner = harmonic_share(power[:, 900:1_200])[:, 8:-8]
    np.testing.assert_array_equal(harmonic_share(power)[:, 908:1_192], inner)


def test_a_click_at_the_very_beginning_is_described():
    samples = np.zeros(2 * RATE)
    samples[0] = 0.5
    assert described(samples)["harmonic_over_percussive_db"] < 0
