"""Resamples draw groups whole, the same whatever the order, and an interval says why it is not there."""

import numpy as np
import pytest
from scipy.stats import norm, t

from otoscope.evaluation.resampling import MIN_GROUPS, Estimate, draw_weights, estimated, expanded_tails


def test_groups_are_drawn_whole_and_as_many_as_there_are():
    groups = ["a", "b", "a", "c", "c", "c"]
    weights = draw_weights(groups, n_resamples=400)
    assert weights.shape == (400, 6)
    assert np.array_equal(weights[:, 0], weights[:, 2])
    assert np.array_equal(weights[:, 3], weights[:, 5])
    assert np.all(weights[:, 0] + weights[:, 1] + weights[:, 3] == 3)
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, atol=0.15)


def test_the_order_of_the_tracks_does_not_change_what_is_drawn():
    groups = [f"g{i % 13}" for i in range(30)]
    order = np.random.default_rng(0).permutation(30)
    weights = draw_weights(groups, seed=4)
    assert np.array_equal(weights[:, order], draw_weights([groups[i] for i in order], seed=4))
    assert not np.array_equal(weights, draw_weights(groups, seed=5))


def test_the_tails_are_those_of_students_t():
    for n in (8, 20, 235):
        expected = norm.cdf(np.sqrt(n / (n - 1)) * t.ppf(0.025, n - 1))
        np.testing.assert_allclose(expanded_tails(n), [expected, 1 - expected], rtol=1e-9)
    np.testing.assert_allclose(expanded_tails(10**7), [0.025, 0.975], atol=1e-6)


def test_an_interval_is_the_quantiles_of_the_resamples(rng):
    drawn = rng.normal(size=1000)
    estimate = estimated("m", 0.1, drawn, n_tracks=50, n_groups=40, undefined="never")
    low, high = np.quantile(drawn, expanded_tails(40))
    assert estimate == Estimate("m", 0.1, low, high, 50, 40)


@pytest.mark.parametrize(
    ("value", "drawn", "n_groups", "reason"),
    [
        (float("nan"), None, 40, "flat"),
        (0.5, np.ones(10), MIN_GROUPS - 1, "there are 7 groups to resample; 8 are needed"),
        (0.5, np.ones(10), 1, "there is 1 group to resample; 8 are needed"),
        (0.5, np.array([1.0, np.nan, np.nan, np.nan]), 40, "most resamples have no value"),
    ],
)
def test_what_is_missing_has_a_reason(value, drawn, n_groups, reason):
    estimate = estimated("m", value, drawn, n_tracks=50, n_groups=n_groups, undefined="flat")
    assert (estimate.low, estimate.high, estimate.reason) == (None, None, reason)
    assert (estimate.value is None) == np.isnan(value)
