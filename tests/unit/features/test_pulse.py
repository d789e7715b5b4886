import numpy as np
import pytest

from otoscope.features.pulse import autocorrelation, find_onsets, find_pulse, steadiness

FRAMES_PER_S = 22_050 / 512
TOL_TEMPO = 0.01  # relative


def bursts(places, n=210, height=6.0):
    frames = np.arange(n)
    return 0.3 + sum(height * np.maximum(0, 1 - np.abs(frames - place) / 1.5) for place in places)


def beats(bpm, n=210, first=5.0):
    return np.arange(first, n - 2, 60 * FRAMES_PER_S / bpm)


@pytest.mark.parametrize("bpm", [62.0, 75.0, 90.0, 110.0, 120.0, 137.0, 165.0])
@pytest.mark.parametrize("n", [210, 1_500])
def test_a_train_of_bursts_has_its_tempo(bpm, n):
    pulse = find_pulse(bursts(beats(bpm, n), n), FRAMES_PER_S)
    assert pulse.tempo_bpm == pytest.approx(bpm, rel=TOL_TEMPO)
    assert pulse.clarity > 0.8
    assert pulse.at(1) > 0.8
    assert pulse.at(0.5) < 0
    assert pulse.period == pytest.approx(60 * FRAMES_PER_S / bpm, rel=TOL_TEMPO)


def test_weak_beats_between_strong_ones_show_in_the_correlations():
    strong, all_of_them = bursts(beats(60), height=6.0), bursts(beats(120), height=3.0)
    pulse = find_pulse(strong + all_of_them, FRAMES_PER_S)
    assert pulse.tempo_bpm == pytest.approx(120, rel=TOL_TEMPO)
    assert pulse.at(2) > pulse.at(1) + 0.1


def test_random_onsets_and_still_signals_have_no_tempo(rng):
    n_found = 0
    for _ in range(40):
        strength = bursts(rng.uniform(3, 207, 20))
        n_found += np.isfinite(find_pulse(strength, FRAMES_PER_S).tempo_bpm)
    assert n_found <= 12
    still = find_pulse(0.9 + 0.1 * rng.standard_normal(210), FRAMES_PER_S)
    assert np.isnan(still.tempo_bpm)
    assert np.isnan(still.clarity)
    assert np.isnan(still.at(1))
    assert np.isnan(find_pulse(bursts(beats(120), 60), FRAMES_PER_S).clarity)


def test_autocorrelation_is_the_mean_of_products(rng):
    signal = rng.standard_normal(50)
    centred = signal - signal.mean()
    wanted = [np.mean(centred[: 50 - lag] * centred[lag:]) for lag in range(31)]
    np.testing.assert_allclose(autocorrelation(signal, 30), wanted, atol=1e-12)


def test_onsets_are_found_between_frames():
    places = np.array([10.0, 31.3, 50.5, 80.0, 84.2])
    np.testing.assert_allclose(find_onsets(bursts(places, 100), 1.0), places, atol=0.3)


def test_a_plateau_is_one_onset_and_the_threshold_counts():
    strength = np.full(100, 0.5)
    strength[40:42] = 3.0
    strength[70] = 1.2
    assert find_onsets(strength, 1.0).size == 1
    assert find_onsets(strength, 0.4).size == 2
    assert find_onsets(np.zeros(100), 0.5).size == 0
    assert find_onsets(np.zeros(2), 0.5).size == 0


def test_the_same_rhythm_again_is_steady_and_another_is_not(rng):
    same = np.tile(bursts(beats(120, 96), 96), 3)
    assert steadiness(same, 96) == pytest.approx(1.0, abs=1e-9)
    other = np.concatenate([bursts(beats(120, 96), 96), bursts(beats(91, 96), 96)])
    assert steadiness(other, 96) < 0.6
    assert np.isnan(steadiness(same[:150], 96))
    assert np.isnan(steadiness(np.zeros(200), 96))
