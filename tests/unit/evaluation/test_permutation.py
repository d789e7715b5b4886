"""Chance is what the shuffles say: exact where all can be listed, uniform where nothing is there."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from otoscope.errors import SpecError, UndefinedMetricError
from otoscope.evaluation.permutation import permutation_test


def test_rho_and_p_of_few_tracks_are_those_of_all_orders(rng):
    truth, predicted = np.array([0.1, 0.5, 0.5, 0.9, 0.7, 0.2]), np.array([1.0, 2.0, 5.0, 4.0, 3.0, 0.5])
    rho = stats.spearmanr(truth, predicted).statistic
    every = [stats.spearmanr(truth[list(order)], predicted).statistic for order in permutations(range(6))]
    exact = np.mean(np.array(every) >= rho - 1e-12)
    found = permutation_test(truth, predicted, n=20_000)
    assert found.rho == pytest.approx(rho, abs=1e-12)
    assert found.p == pytest.approx(exact, abs=0.005)
    low, high = np.quantile(every, [0.025, 0.975])
    assert (found.low, found.high) == (pytest.approx(low, abs=0.04), pytest.approx(high, abs=0.04))


def test_the_band_is_that_of_the_normal_approximation(rng):
    truth, predicted = rng.normal(size=235), rng.normal(size=235)
    found = permutation_test(truth, predicted, n=5000)
    assert found.high == pytest.approx(1.96 / np.sqrt(234), abs=0.008)
    assert found.low == pytest.approx(-found.high, abs=0.01)


def test_p_is_never_zero_and_one_sided(rng):
    line = np.arange(50.0)
    assert permutation_test(line, line, n=99).p == 1 / 100
    assert permutation_test(line, -line, n=99).p == 1


def test_p_is_uniform_where_there_is_nothing(rng):
    p = [permutation_test(rng.normal(size=30), rng.normal(size=30), n=199, seed=i).p for i in range(400)]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_repeats_are_averaged(rng):
    truth, predicted = rng.normal(size=40), rng.normal(size=(4, 40))
    expected = np.mean([stats.spearmanr(truth, each).statistic for each in predicted])
    assert permutation_test(truth, predicted, n=9).rho == pytest.approx(expected, abs=1e-12)


def test_groups_that_are_alike_inside_are_shuffled_whole(rng):
    """Ten groups of twenty equal tracks are ten numbers, not two hundred."""
    groups = [f"g{i // 20}" for i in range(200)]
    p_whole, p_apart = [], []
    for seed in range(150):
        truth = np.repeat(rng.normal(size=10), 20) + 1e-3 * rng.normal(size=200)
        predicted = np.repeat(rng.normal(size=10), 20) + 1e-3 * rng.normal(size=200)
        p_whole.append(permutation_test(truth, predicted, groups=groups, n=99, seed=seed).p)
        p_apart.append(permutation_test(truth, predicted, n=99, seed=seed).p)
    assert np.mean(np.array(p_whole) <= 0.05) < 0.1
    assert np.mean(np.array(p_apart) <= 0.05) > 0.25


def test_a_group_changes_places_with_groups_of_its_size_only(rng):
    groups = ["a", "a", "b", "c"]
    truth = np.array([1.0, 2.0, 3.0, 4.0])
    found = permutation_test(truth, truth, groups=groups, n=4000)
    assert found.p == pytest.approx(1 / 4, abs=0.03)


def test_groups_of_one_track_are_no_groups(rng):
    truth, predicted = rng.normal(size=30), rng.normal(size=30)
    alone = permutation_test(truth, predicted, groups=[f"g{i}" for i in range(30)], n=50)
    assert alone == permutation_test(truth, predicted, n=50)


def test_seeds_matter_and_repeat():
    truth, predicted = np.arange(20.0), np.arange(20.0) % 7
    assert permutation_test(truth, predicted, seed=1) == permutation_test(truth, predicted, seed=1)
    assert permutation_test(truth, predicted, seed=1) != permutation_test(truth, predicted, seed=2)


def test_what_cannot_be_tested_is_refused():
    line = np.arange(5.0)
    with pytest.raises(UndefinedMetricError, match="the predictions are the same for all 5 tracks"):
        permutation_test(line, np.zeros(5))
    with pytest.raises(UndefinedMetricError, match="the scores are the same"):
        permutation_test(np.zeros(5), line)
    with pytest.raises(SpecError, match="at least 1"):
        permutation_test(line, line, n=0)
    with pytest.raises(SpecError, match="scores of shape"):
        permutation_test(line, np.zeros((2, 4)))
    with pytest.raises(SpecError, match="2 groups for 5 tracks"):
        permutation_test(line, line, groups=["a", "b"])
    with pytest.raises(SpecError, match="not finite"):
        permutation_test(line, np.array([1, 2, 3, 4, np.nan]))
