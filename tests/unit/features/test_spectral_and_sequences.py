import numpy as np
import pytest

from otoscope.features.sequences import boundaries, comeback, flux, lag_similarity, side_by_side, trend
from otoscope.features.spectral import (
    crossing_rate,
    flatness_db,
    log2_or_nan,
    share_db,
    spectral_quantile,
    spectral_shape,
)
from otoscope.features.timbre import colour_waves, spectral_contrast

HZ = np.arange(3, 1025) * (22_050 / 2048)


def test_the_shape_of_a_normal_distribution_is_known():
    bell = np.exp(-0.5 * ((HZ - 4000) / 500) ** 2)[:, None]
    shape = spectral_shape(bell, HZ)
    assert shape.centroid[0] == pytest.approx(4000, abs=0.1)
    assert shape.bandwidth[0] == pytest.approx(500, rel=1e-3)
    assert shape.skewness[0] == pytest.approx(0, abs=1e-3)
    assert shape.kurtosis[0] == pytest.approx(3, abs=0.01)


def test_the_shape_is_that_of_scipy_on_a_sample(rng):
    stats = pytest.importorskip("scipy.stats")
    counts = rng.integers(0, 5, len(HZ))
    sample = np.repeat(HZ, counts)
    shape = spectral_shape(counts[:, None].astype(float), HZ)
    assert shape.bandwidth[0] == pytest.approx(sample.std())
    assert shape.skewness[0] == pytest.approx(stats.skew(sample), abs=1e-9)
    assert shape.kurtosis[0] == pytest.approx(stats.kurtosis(sample, fisher=False))


def test_nothing_has_no_shape():
    shape = spectral_shape(np.zeros((len(HZ), 2)), HZ)
    single = spectral_shape(np.eye(len(HZ), 1), HZ)
    assert np.isnan([shape.centroid, shape.bandwidth, shape.skewness]).all()
    assert single.bandwidth[0] == pytest.approx(0, abs=1e-6)
    assert np.isnan(single.kurtosis[0])
    for values in (flatness_db(np.zeros((4, 1))), share_db(np.zeros((2, 1)), np.array([True, False]))):
        assert np.isnan(values[0])
    assert np.isnan(spectral_quantile(np.zeros((3, 1)), HZ[:3], 0.5)[0])
    assert np.isnan(log2_or_nan(0.0))


@pytest.mark.parametrize("hz", [50.0, 441.0, 5000.0])
def test_a_sine_crosses_zero_at_its_frequency(hz):
    wave = np.sin(2 * np.pi * hz * (np.arange(22_050) + 0.3) / 22_050)
    np.testing.assert_allclose(crossing_rate(wave)[3:-3], hz, atol=11)
    assert crossing_rate(wave)[3:-3].mean() == pytest.approx(hz, abs=1)


def test_waves_over_the_mel_scale_come_out_alone():
    band = np.arange(128)
    for k in (1, 4, 13):
        waves = colour_waves(np.cos(np.pi * k * (band + 0.5) / 128)[:, None])
        assert waves[k - 1, 0] == pytest.approx(8)  # the root of half of 128
        assert np.abs(np.delete(waves[:, 0], k - 1)).max() < 1e-9


def test_contrast_is_0_for_a_flat_spectrum_and_the_height_of_one_row_above_it():
    power = np.ones((1025, 2))
    assert np.abs(spectral_contrast(power)).max() < 1e-9
    power[[10, 25, 50], 1] = 100
    np.testing.assert_allclose(spectral_contrast(power)[:, 1], [20, 20, 20, 0, 0, 0, 0], atol=1e-9)


def test_a_band_that_holds_nothing_has_no_contrast():
    power = np.ones((1025, 2))
    power[593:] = 1e-12
    contrast = spectral_contrast(power)
    assert np.isnan(contrast[6]).all()
    assert np.isfinite(contrast[:6]).all()


def test_flux_knows_colour_and_not_level(rng):
    power = rng.random((128, 1)) * np.array([1.0, 1e-3, 10.0])
    moved, pairs = flux(np.concatenate([power, np.zeros((128, 1))], axis=1), np.array([0.25, 0.25, 0.25, 0.0]))
    np.testing.assert_allclose(moved[:2], 0, atol=1e-9)
    assert np.isnan(moved[2])
    assert pairs.tolist() == [0.25, 0.25, 0]


def test_the_break_stands_where_the_halves_meet_and_is_their_distance(rng):
    before, after = rng.random((4, 1)), rng.random((4, 1))
    bands = np.concatenate([np.tile(before, 30), np.tile(after, 50)], axis=1)
    breaks = boundaries(bands, 10)
    assert breaks.argmax() + 10 == 30
    assert breaks.max() == pytest.approx(np.sqrt(np.mean((before - after) ** 2)))
    assert np.median(breaks) == pytest.approx(0, abs=1e-6)


def test_a_sequence_is_like_itself_after_its_period():
    rng = np.random.default_rng(3)
    unit = rng.standard_normal((5, 8))
    frames = np.tile(unit - unit.mean(axis=1, keepdims=True), 8)
    lags_s, similarity = lag_similarity(frames, 0.1)
    rise, lag_s = comeback(lags_s, similarity)
    assert similarity[lags_s.round(6) == 0.8] == pytest.approx(1)
    assert lag_s == pytest.approx(0.8)
    assert rise > 0.5
    assert lags_s[0] == pytest.approx(0.3)
    assert lags_s[-1] == pytest.approx(2.5)


def test_similarity_is_the_mean_cosine(rng):
    frames = rng.standard_normal((6, 40))
    lags_s, similarity = lag_similarity(frames, 0.1)
    for k in (0, 5):
        lag = round(lags_s[k] / 0.1)
        pairs = [(frames[:, i], frames[:, i + lag]) for i in range(40 - lag)]
        cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairs]
        assert similarity[k] == pytest.approx(np.mean(cosines))


def test_what_does_not_change_has_no_lags_and_comes_back_nowhere():
    lags_s, similarity = lag_similarity(np.zeros((3, 50)), 0.1)
    assert lags_s.size == similarity.size == 0
    assert np.isnan(comeback(lags_s, similarity)).all()
    rise, lag_s = comeback(np.array([0.3, 0.4]), np.array([0.9, 0.2]))
    assert rise == 0
    assert np.isnan(lag_s)


def test_parts_side_by_side_count_alike(rng):
    loud, faint = 100 * rng.random((2, 30)), 0.1 * rng.random((7, 33))
    faint[0, 3] = np.nan
    both = side_by_side(loud, faint, np.full((1, 40), 5.0))
    assert both.shape == (10, 30)
    assert np.square(both[:2]).sum() == pytest.approx(1)
    assert both[2, 3] == 0
    assert not both[9].any()


def test_the_trend_is_the_slope_of_numpys_line(rng):
    values, weights = rng.standard_normal(50), rng.random(50)
    slope = np.polyfit(np.arange(50) * 0.02, values, 1, w=np.sqrt(weights))[0]
    assert trend(values, weights, 0.02) == pytest.approx(slope)
    assert np.isnan(trend(np.array([1.0, np.nan]), np.ones(2), 0.1))
