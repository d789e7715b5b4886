"""Correlations, errors and pairs are what SciPy and the definitions say; a weight is a number of copies."""

import numpy as np
import pytest
from scipy import stats

from otoscope.errors import SpecError, UndefinedMetricError
from otoscope.evaluation.regression import (
    average_ranks,
    half_width,
    mae,
    mse,
    pair_accuracy,
    pairs_won,
    pearson,
    rmse,
    skill,
    spearman,
    weighted_correlation,
    weighted_quantile,
    weighted_ranks,
)

EXACT = 1e-12


def tied(rng, n=60):
    """Draw scores and predictions with many ties."""
    truth = rng.integers(0, 12, size=n) / 12
    return truth, np.round(0.5 * truth + 0.3 * rng.normal(size=n), 1)


def test_ranks_are_those_of_scipy(rng):
    for _ in range(20):
        values, _ = tied(rng)
        np.testing.assert_array_equal(average_ranks(values), stats.rankdata(values))


def test_spearman_and_pearson_are_those_of_scipy(rng):
    for n in (2, 3, 24, 235):
        truth, predicted = tied(rng, n)
        truth[0], predicted[0] = -1.0, -2.0
        assert spearman(truth, predicted) == pytest.approx(stats.spearmanr(truth, predicted).statistic, abs=EXACT)
        assert pearson(truth, predicted) == pytest.approx(stats.pearsonr(truth, predicted).statistic, abs=EXACT)


def test_spearman_without_ties_is_the_formula_of_squared_differences(rng):
    truth, predicted = rng.permutation(40.0 * np.arange(30)), rng.permutation(np.arange(30.0))
    d = average_ranks(truth) - average_ranks(predicted)
    assert spearman(truth, predicted) == pytest.approx(1 - 6 * (d @ d) / (30 * (900 - 1)), abs=EXACT)


def test_spearman_asks_for_the_order_only(rng):
    truth, predicted = tied(rng)
    assert spearman(truth, np.exp(5 * predicted)) == pytest.approx(spearman(truth, predicted), abs=EXACT)
    assert spearman(-truth, predicted) == pytest.approx(-spearman(truth, predicted), abs=EXACT)
    assert spearman(truth, truth) == 1


@pytest.mark.parametrize("metric", [spearman, pearson])
def test_what_does_not_vary_has_no_correlation(metric):
    line, flat = np.arange(4.0), np.full(4, 0.1)
    with pytest.raises(UndefinedMetricError, match="the prediction is the same for all 4 tracks"):
        metric(line, flat)
    with pytest.raises(UndefinedMetricError):
        metric(flat, line)
    with pytest.raises(UndefinedMetricError, match="at least 2"):
        metric(line[:1], line[:1])


@pytest.mark.parametrize("metric", [spearman, pearson, mse, rmse, mae, pair_accuracy, half_width])
def test_other_shapes_and_missing_numbers_are_refused(metric):
    with pytest.raises(SpecError, match="two equal lengths"):
        metric(np.zeros(3), np.zeros(4))
    with pytest.raises(SpecError, match="finite"):
        metric(np.array([0.0, np.nan, 1.0]), np.arange(3.0))


def test_errors_are_worked_by_hand():
    truth, predicted = np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 1.0, 0.0, 3.0])
    assert mse(truth, predicted) == 5 / 4
    assert rmse(truth, predicted) == pytest.approx(np.sqrt(5) / 2)
    assert mae(truth, predicted) == 3 / 4
    assert skill(truth, predicted, np.full(4, 1.5)) == pytest.approx(0.0)
    assert skill(truth, truth, predicted) == 1
    with pytest.raises(UndefinedMetricError, match="no error that could be made smaller"):
        skill(truth, predicted, truth)
    with pytest.raises(UndefinedMetricError):
        mse(np.zeros(0), np.zeros(0))


def test_the_half_width_is_an_error_that_was_made():
    truth, errors = np.zeros(10), np.array([-1.0, 2, -3, 4, -5, 6, -7, 8, -9, 10])
    assert half_width(truth, errors, level=0.9) == 9
    assert half_width(truth, errors, level=0.91) == 10
    assert half_width(truth, errors, level=0.5) == 5
    with pytest.raises(SpecError, match="between 0 and 1"):
        half_width(truth, errors, level=1.0)


def test_pairs_are_counted_one_by_one(rng):
    truth, predicted = tied(rng, 40)
    right = there = 0.0
    for i in range(40):
        for j in range(i):
            if truth[i] != truth[j]:
                there += 1
                product = (truth[i] - truth[j]) * (predicted[i] - predicted[j])
                right += 1.0 if product > 0 else 0.5 if product == 0 else 0.0
    assert pair_accuracy(truth, predicted) == pytest.approx(right / there, abs=EXACT)


def test_pair_accuracy_is_somers_d(rng):
    truth, predicted = tied(rng, 50)
    d = stats.somersd(truth, predicted).statistic
    assert pair_accuracy(truth, predicted) == pytest.approx((1 + d) / 2, abs=EXACT)


def test_pair_accuracy_of_classes_is_the_area_under_the_curve(rng):
    from sklearn.metrics import roc_auc_score

    truth, predicted = (rng.random(80) < 0.4).astype(float), np.round(rng.normal(size=80), 1)
    assert pair_accuracy(truth, predicted) == pytest.approx(roc_auc_score(truth, predicted), abs=EXACT)


def test_pair_accuracy_of_a_constant_is_a_half_and_needs_different_truths():
    assert pair_accuracy(np.arange(5.0), np.zeros(5)) == 0.5
    assert pair_accuracy(np.arange(5.0), np.arange(5.0)) == 1
    with pytest.raises(UndefinedMetricError, match="the truth is the same"):
        pair_accuracy(np.zeros(5), np.arange(5.0))


def test_pair_accuracy_of_many_tracks_is_that_of_its_blocks(rng):
    truth = rng.normal(size=3000)
    predicted = 0.5 * truth + rng.normal(size=3000)
    tau = stats.kendalltau(truth, predicted).statistic
    assert pair_accuracy(truth, predicted) == pytest.approx((1 + tau) / 2, abs=EXACT)


def copies(values, weights):
    return np.repeat(values, weights.astype(int))


@pytest.mark.parametrize("seed", range(10))
def test_weights_are_numbers_of_copies(seed):
    rng = np.random.default_rng(seed)
    truth, predicted = tied(rng, 30)
    weights = rng.multinomial(30, np.full(30, 1 / 30), size=8).astype(float)
    ranks_t, ranks_p = weighted_ranks(truth, weights), weighted_ranks(predicted, weights)
    rho = weighted_correlation(ranks_t, ranks_p, weights)
    won = pairs_won(truth, predicted[None, :], weights)
    median = weighted_quantile(predicted, weights, 0.7)
    for row, drawn in enumerate(weights):
        y, p = copies(truth, drawn), copies(predicted, drawn)
        np.testing.assert_allclose(copies(ranks_t[row], drawn), stats.rankdata(y), rtol=EXACT)
        assert rho[row] == pytest.approx(stats.spearmanr(y, p).statistic, abs=1e-10)
        assert won[row] == pytest.approx(pair_accuracy(y, p), abs=1e-10)
        assert median[row] == np.quantile(p, 0.7, method="inverted_cdf")


def test_a_sample_of_one_track_has_no_correlation_and_no_pairs():
    weights = np.array([[3.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    values = np.array([0.1, 0.2, 0.3])
    ranks = weighted_ranks(values, weights)
    rho = weighted_correlation(ranks, ranks, weights)
    assert np.isnan(rho[0])
    assert rho[1] == pytest.approx(1)
    assert np.isnan(pairs_won(values, values[None, :], weights)[0])


def test_pairs_won_averages_over_predictions(rng):
    truth, one = tied(rng, 25)
    _, other = tied(rng, 25)
    weights = np.ones((1, 25))
    both = pairs_won(truth, np.array([one, other]), weights)
    assert both[0] == pytest.approx((pair_accuracy(truth, one) + pair_accuracy(truth, other)) / 2, abs=EXACT)
