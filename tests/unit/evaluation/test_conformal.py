"""Intervals hold what they promise, on simulated tracks whose truth is known."""

import math

import numpy as np
import pytest

from otoscope.errors import SpecError, UndefinedMetricError
from otoscope.evaluation.conformal import (
    CrossConformal,
    conformal_half_width,
    coverage,
    cross_conformal,
    held_out_half_widths,
    least_groups,
    one_per_group,
)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_the_least_number_of_groups_is_the_first_that_has_an_end(level):
    n = least_groups(level)
    assert math.ceil(round(level * (n + 1), 9)) <= n
    assert math.ceil(round(level * n, 9)) > n - 1


@pytest.mark.parametrize(("n", "place"), [(9, 9), (10, 10), (19, 18), (20, 19), (99, 90), (235, 213)])
def test_the_half_width_is_the_error_at_an_exact_place(rng, n, place):
    errors = rng.permutation(np.arange(1.0, n + 1)) * rng.choice([-1, 1], size=n)
    assert conformal_half_width(errors, level=0.9) == place


def test_too_few_groups_have_no_interval():
    with pytest.raises(UndefinedMetricError, match="a 90 % interval needs errors on 9 groups, there are 8"):
        conformal_half_width(np.ones(8))
    with pytest.raises(SpecError, match="between 0 and 1"):
        conformal_half_width(np.ones(50), level=1.0)
    with pytest.raises(SpecError, match="finite"):
        conformal_half_width(np.array([1.0, np.nan] * 10))


def test_the_half_width_covers_exactly(rng):
    """One model, exchangeable errors: coverage is ceil(level (n + 1)) / (n + 1)."""
    for n, level in ((19, 0.9), (12, 0.7)):
        errors = rng.standard_t(3, size=(20_000, n + 1))
        place = math.ceil(round(level * (n + 1), 9))
        width = np.sort(np.abs(errors[:, :n]), axis=1)[:, place - 1]
        expected = place / (n + 1)
        assert np.mean(np.abs(errors[:, n]) <= width) == pytest.approx(expected, abs=0.01)
        assert conformal_half_width(errors[0, :n], level=level) == width[0]


def test_one_track_is_chosen_from_each_group_whatever_the_order(rng):
    ids = [f"t{i}" for i in range(40)]
    groups = [f"g{i % 7}" for i in range(40)]
    chosen = {ids[row] for row in one_per_group(ids, groups)}
    assert len(chosen) == 7
    assert {groups[ids.index(name)] for name in chosen} == set(groups)
    order = rng.permutation(40)
    mixed = [ids[i] for i in order]
    assert {mixed[row] for row in one_per_group(mixed, [groups[i] for i in order])} == chosen
    with pytest.raises(SpecError, match="2 ids and 1 groups"):
        one_per_group(["a", "b"], ["g"])


def by_the_paper(residuals, model, predictions, level):
    """Compute the interval of Barber et al. (2021), equation for CV+, by sorting."""
    n = len(residuals)
    alpha = 1 - level
    lower, upper = [], []
    for new in range(predictions.shape[1]):
        down = sorted(predictions[model[i], new] - residuals[i] for i in range(n))
        up = sorted(predictions[model[i], new] + residuals[i] for i in range(n))
        lower.append(down[math.floor(round(alpha * (n + 1), 9)) - 1])
        upper.append(up[math.ceil(round((1 - alpha) * (n + 1), 9)) - 1])
    return np.array(lower), np.array(upper)


@pytest.mark.parametrize("n", [9, 10, 37, 100, 235])
def test_the_interval_is_that_of_the_paper(rng, n):
    residuals, model = np.abs(rng.normal(size=n)), rng.integers(0, 5, size=n)
    predictions = 0.1 * rng.normal(size=(5, 6))
    low, high = CrossConformal(residuals, model).interval(predictions)
    expected = by_the_paper(residuals, model, predictions, 0.9)
    np.testing.assert_array_equal(low, expected[0])
    np.testing.assert_array_equal(high, expected[1])


def test_equal_models_give_the_half_width(rng):
    errors = np.abs(rng.normal(size=50))
    low, high = CrossConformal(errors, np.arange(50) % 5).interval(np.full((5, 1), 0.3))
    width = conformal_half_width(errors)
    assert (low[0], high[0]) == (pytest.approx(0.3 - width), pytest.approx(0.3 + width))


def test_ends_never_cross():
    made = CrossConformal(np.zeros(20), np.arange(20) % 2, 0.2)
    low, high = made.interval(np.array([[0.0], [1.0]]))
    assert low <= high


def linear_fold_models(x, y, folds):
    """Fit least squares without each fold: coefficients of shape (n_folds, n_features)."""
    return np.array([np.linalg.lstsq(x[folds != k], y[folds != k], rcond=None)[0] for k in range(folds.max() + 1)])


def simulated(rng, *, n_groups, per_group, spread):
    """Draw groups of tracks whose errors are partly shared, and one track of a new group."""
    group = np.repeat(np.arange(n_groups + 1), [*per_group, 1])
    x = rng.normal(size=(group.size, 3))
    noise = spread * rng.normal(size=n_groups + 1)[group] + rng.standard_t(4, size=group.size)
    return group, x, x @ np.array([1.0, -1.0, 0.5]) + noise


def test_nine_in_ten_new_tracks_are_covered(rng):
    covered = 0
    for _ in range(600):
        per_group = rng.integers(1, 4, size=40)
        group, x, y = simulated(rng, n_groups=40, per_group=per_group, spread=1.5)
        folds = group[:-1] % 5
        models = linear_fold_models(x[:-1], y[:-1], folds)
        predicted = np.einsum("ij,ij->i", x[:-1], models[folds])
        made = cross_conformal(
            y[:-1], predicted, folds, [f"t{i}" for i in range(len(folds))], [f"g{g}" for g in group[:-1]]
        )
        low, high = made.interval(models @ x[-1:].T)
        covered += low[0] <= y[-1] <= high[0]
    assert covered / 600 == pytest.approx(0.905, abs=0.03)


def test_many_alike_tracks_of_one_group_would_spoil_it_and_do_not(rng):
    """One group lends thirty tracks with small errors, nineteen lend one each."""
    plain = grouped = 0
    for _ in range(500):
        group = np.array([0] * 30 + list(range(1, 20)))
        errors = np.where(group == 0, 0.01, 1.0) * rng.normal(size=group.size)
        new = rng.normal() * (0.01 if rng.random() < 1 / 20 else 1.0)
        plain += abs(new) <= conformal_half_width(errors)
        rows = one_per_group([f"t{i}" for i in range(group.size)], [str(g) for g in group])
        grouped += abs(new) <= conformal_half_width(errors[rows])
    assert grouped / 500 == pytest.approx(0.9, abs=0.04)
    assert plain / 500 < 0.84


def test_held_out_widths_know_nothing_of_their_own_fold(rng):
    truth, predicted = rng.normal(size=50), np.zeros(50)
    folds, names = np.arange(50) % 5, [f"t{i}" for i in range(50)]
    widths = held_out_half_widths(truth, predicted, folds, names, names)
    for fold in range(5):
        expected = conformal_half_width(truth[folds != fold])
        np.testing.assert_array_equal(widths[folds == fold], expected)
    with pytest.raises(UndefinedMetricError, match="needs errors on 9 groups"):
        held_out_half_widths(truth, predicted, folds, names, [f"g{i % 10}" for i in range(50)])


def test_coverage_is_counted_ends_included():
    truth = np.array([0.0, 1.0, 2.0, 3.0])
    found = coverage(truth, np.array([0.0, 0.0, 3.0, 0.0]), np.array([1.0, 1.0, 4.0, 2.0]))
    assert found.value == 0.5
    assert found.reason == "there are 4 groups to resample; 8 are needed"


def test_the_interval_of_coverage_is_binomial(rng):
    truth = (rng.random(400) < 0.9).astype(float)
    found = coverage(truth, np.full(400, 0.5), np.full(400, 1.5))
    spread = 1.96 * np.sqrt(found.value * (1 - found.value) / 400)
    assert found.high - found.low == pytest.approx(2 * spread, rel=0.15)
    assert found.low < found.value < found.high
    with pytest.raises(SpecError, match="equal ones"):
        coverage(truth, truth[1:], truth)
    with pytest.raises(SpecError, match="1 groups for 400"):
        coverage(truth, truth, truth, groups=["a"])


def test_what_does_not_fit_is_refused():
    errors = np.ones(20)
    with pytest.raises(SpecError, match="an absolute error is below 0"):
        CrossConformal(-errors, np.zeros(20, dtype=np.intp))
    with pytest.raises(SpecError, match="models"):
        CrossConformal(errors, np.zeros(19, dtype=np.intp))
    with pytest.raises(SpecError, match="those of 3 models are needed"):
        CrossConformal(errors, np.full(20, 2, dtype=np.intp)).interval(np.zeros((2, 4)))
    with pytest.raises(SpecError, match="equal lengths"):
        cross_conformal(errors, errors, [0] * 19, ["a"] * 20, ["b"] * 20)
