"""The voice group as a whole."""

import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.features.base import check_values
from otoscope.features.sound import Sound
from otoscope.features.voice import GROUP, describe_voice

RATE = 22_050
IDS = [feature.id.removeprefix("voice.") for feature in GROUP.features]


def sung(duration_s=2.0, rate=RATE, f0_hz=220.0):
    """Eight partials with vibrato, in phrases of 0.3 s with 0.2 s of noise between them."""
    time = np.arange(int(duration_s * rate)) / rate
    phase = 2 * np.pi * f0_hz * time + 2 * np.sin(2 * np.pi * 5 * time)
    tone = np.sum([np.cos(k * phase) / k for k in range(1, 9)], axis=0)
    noise = np.random.default_rng(5).standard_normal(time.size)
    return np.where(time % 0.5 < 0.3, tone, 0.1 * noise)


def compute(samples, rate=RATE):
    sound = Sound(Waveform((0.1 * samples / np.abs(samples).max()).astype(np.float32), rate, "clip"))
    return dict(zip(IDS, check_values(GROUP, GROUP.compute(sound), "clip"), strict=True))


@pytest.fixture(scope="module")
def values():
    return compute(sung(4.0))


def test_ids_and_sentences_are_single():
    assert len(set(IDS)) == len(IDS) == 94
    assert len({feature.definition for feature in GROUP.features}) == 94
    assert len({feature.plain for feature in GROUP.features}) == 94


def test_every_value_is_there_for_a_clip_with_phrases_and_gaps(values):
    assert [name for name, value in values.items() if not np.isfinite(value)] == []
    assert set(describe_voice(Sound(Waveform(sung().astype(np.float32), RATE, "c")).levelled)) >= set(IDS)


def test_phrases_are_counted_and_their_pitch_is_found(values):
    assert values["segments"] == pytest.approx(2, abs=0.3)
    assert 2 ** values["voiced_length_mean"] == pytest.approx(0.3, abs=0.06)
    assert 2 ** values["unvoiced_length_mean"] == pytest.approx(0.2, abs=0.06)
    assert values["voiced_share"] == pytest.approx(0.6, abs=0.06)
    assert values["pitch_p50"] == pytest.approx(36, abs=0.2)
    assert values["pitch_p20"] < values["pitch_p50"] < values["pitch_p80"]
    assert values["pitch_range"] == pytest.approx(values["pitch_p80"] - values["pitch_p20"])
    assert values["alpha_unvoiced"] > values["alpha_voiced"] + 5


def test_the_level_does_not_matter():
    samples = sung().astype(np.float32)
    loud, soft = (GROUP.compute(Sound(Waveform(samples * np.float32(g), RATE, "c"))) for g in (0.5, 0.05))
    np.testing.assert_allclose(soft, loud, rtol=2e-3, atol=2e-3)


def test_transposing_by_an_octave_moves_the_pitch_by_twelve():
    low, high = compute(sung(f0_hz=165.0)), compute(sung(f0_hz=330.0))
    assert high["pitch_p50"] - low["pitch_p50"] == pytest.approx(12, abs=0.2)


def test_percentiles_and_slopes_of_a_steady_glide_are_those_of_a_line():
    time = np.arange(2 * RATE) / RATE
    phase = 2 * np.pi * 200 * (np.exp2(time / 2) - 1) / (np.log(2) / 2)
    glide = compute(np.sum([np.cos(k * phase) / k for k in range(1, 9)], axis=0))
    lowest, span = 12 * np.log2(200 / 27.5) + 6 * 0.03, 6 * 1.94
    for name, share in (("p20", 0.2), ("p50", 0.5), ("p80", 0.8)):
        assert glide[f"pitch_{name}"] == pytest.approx(lowest + share * span, abs=0.1)
    assert glide["pitch_range"] == pytest.approx(0.6 * span, abs=0.1)
    assert 10 ** glide["pitch_rise_mean"] == pytest.approx(6, rel=0.02)
    assert np.isnan(glide["pitch_fall_mean"])


def test_the_rate_of_the_recording_hardly_matters():
    here, there = compute(sung()), compute(sung(rate=44_100), 44_100)
    for name in ("pitch_mean", "voiced_share", "h1_h2_mean", "f1_hz_mean", "alpha_voiced", "shimmer_mean"):
        assert there[name] == pytest.approx(here[name], rel=0.1, abs=0.3), name


def test_a_clip_without_a_lead_says_nothing_of_one_and_a_lead_without_gaps_nothing_of_gaps(rng):
    noise = compute(rng.standard_normal(RATE))
    absent = {name for name, value in noise.items() if np.isnan(value)}
    assert {"pitch_mean", "jitter_mean", "hnr_mean", "f1_hz_mean", "alpha_voiced", "mfcc1_voiced_std"} <= absent
    assert np.isfinite([noise[n] for n in ("alpha_unvoiced", "mfcc1_mean", "flux_std", "fullness_p20")]).all()
    assert noise["voiced_share"] < 0.05
    steady = compute(np.cos(2 * np.pi * 300 * np.arange(RATE) / RATE))
    assert np.isnan([steady["alpha_unvoiced"], steady["unvoiced_length_mean"]]).all()
    assert steady["voiced_share"] == 1
    assert steady["jitter_mean"] < 0


def test_noise_and_hoarseness_lower_the_clearness_and_raise_the_roughness(rng):
    tone = np.sum([np.cos(2 * np.pi * 200 * k * np.arange(RATE) / RATE) / k for k in range(1, 9)], axis=0)
    clean, breathy = compute(tone), compute(tone + 0.3 * rng.standard_normal(RATE))
    assert breathy["hnr_mean"] < clean["hnr_mean"] - 3
    assert breathy["jitter_mean"] > clean["jitter_mean"] + 0.5
    assert breathy["shimmer_mean"] > clean["shimmer_mean"] + 0.5


@pytest.mark.parametrize("rate", [8_000, 48_000])
@pytest.mark.parametrize("kind", ["tone", "click", "low", "noise", "short"])
def test_no_signal_breaks_it(kind, rate, rng):
    n = rate // 2 if kind == "short" else rate
    samples = {
        "tone": np.cos(2 * np.pi * 1000 * np.arange(n) / rate),
        "click": np.eye(1, n, n // 2)[0],
        "low": np.cos(2 * np.pi * 30 * np.arange(n) / rate),
        "noise": rng.standard_normal(n),
        "short": np.cos(2 * np.pi * 200 * np.arange(n) / rate),
    }[kind]
    values = compute(samples, rate)
    assert np.isfinite(values["mfcc1_mean"])
    assert all(abs(value) < 1e5 for value in values.values() if np.isfinite(value))


def test_a_clip_gives_the_same_whatever_went_before():
    samples = sung(1.0)
    first = compute(samples)
    compute(np.random.default_rng(1).standard_normal(RATE))
    assert compute(samples) == pytest.approx(first, nan_ok=True, rel=0, abs=0)
