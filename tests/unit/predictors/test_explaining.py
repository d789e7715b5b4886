"""Contributions are Shapley's: worked over all coalitions, adding up to the prediction, exact for sums."""

import math
from itertools import combinations

import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.predictors.explaining import Explainer, Explanation, averaged, representative_rows

EXACT = 1e-10


class Model:
    """A stand-in for a fitted predictor; counts what it is asked."""

    def __init__(self, function):
        self.function, self.asked = function, 0

    def on_rows(self, rows):
        self.asked += len(rows)
        return self.function(rows)


def filled(rows):
    """Fill and bound as predictors do."""
    return np.clip(np.where(np.isnan(rows), 0.2, rows), -1.5, 1.5)


def named(n, groups=3):
    return [f"g{i % groups}.f{i}" for i in range(n)]


def shapley(function, row, background):
    """Work Shapley values out over all coalitions."""
    d = row.size

    def value(inside):
        rows = background.copy()
        rows[:, list(inside)] = row[list(inside)]
        return float(np.mean(function(rows)))

    worth = {inside: value(inside) for size in range(d + 1) for inside in combinations(range(d), size)}
    phi = np.zeros(d)
    for inside, before in worth.items():
        share = math.factorial(len(inside)) * math.factorial(d - len(inside) - 1) if len(inside) < d else 0
        for j in set(range(d)) - set(inside):
            phi[j] += share / math.factorial(d) * (worth[tuple(sorted((*inside, j)))] - before)
    return worth[()], phi


def bell(rows):
    z = filled(rows)
    return np.exp(-0.15 * np.square(z - 0.3).sum(axis=1)) + 0.1 * z[:, 0]


def pairs(rows):
    z = filled(rows)
    return 0.5 + z[:, 0] * z[:, 1] - np.maximum(z[:, 2], z[:, 3]) + z[:, 4] ** 3


def line(rows):
    return 0.6 + filled(rows) @ np.array([0.5, -0.2, 0.0, 1.0, 0.3])


def curve(rows):
    z = filled(rows)
    return np.sin(z[:, 0]) + np.square(z[:, 1]) - 0.5 * np.exp(z[:, 2]) + np.isnan(rows[:, 3])


@pytest.mark.parametrize("function", [line, curve])
def test_a_sum_over_features_is_explained_exactly_against_all_rows(rng, function):
    reference = 2 * rng.normal(size=(60, 5))
    reference[rng.random((60, 5)) < 0.1] = np.nan
    rows = 2 * rng.normal(size=(4, 5))
    rows[0, 3] = np.nan
    explainer = Explainer(Model(function), named(5), reference, n_background=6)
    assert explainer.additive
    for row, found in zip(rows, explainer.explain(rows), strict=True):
        base, phi = shapley(function, row, reference)
        assert found.method == "additive"
        assert found.base == pytest.approx(base, abs=EXACT)
        np.testing.assert_allclose(found.contributions, phi, atol=EXACT)


def test_a_linear_model_is_explained_by_its_coefficients(rng):
    weights = rng.normal(size=40)
    reference = rng.normal(size=(100, 40))
    (found,) = Explainer(Model(lambda rows: rows @ weights + 3), named(40), reference).explain(reference[:1])
    np.testing.assert_allclose(found.contributions, weights * (reference[0] - reference.mean(axis=0)), atol=EXACT)
    assert found.base == pytest.approx(reference.mean(axis=0) @ weights + 3)


def test_features_that_work_in_pairs_are_explained_exactly(rng):
    """An order and its reverse are enough where no three features work together."""
    reference = rng.normal(size=(8, 5))
    rows = rng.normal(size=(3, 5))
    explainer = Explainer(Model(pairs), named(5), reference, n_background=8)
    assert not explainer.additive
    for row, found in zip(rows, explainer.explain(rows), strict=True):
        base, phi = shapley(pairs, row, reference)
        assert found.method == "sampled"
        assert found.base == pytest.approx(base, abs=EXACT)
        np.testing.assert_allclose(found.contributions, phi, atol=EXACT)


def test_a_smooth_model_is_explained_nearly(rng):
    reference, rows = rng.normal(size=(12, 7)), rng.normal(size=(5, 7))
    found = Explainer(Model(bell), named(7), reference, n_background=12).explain(rows)
    truth = np.array([shapley(bell, row, reference)[1] for row in rows])
    error = np.array([each.contributions for each in found]) - truth
    assert np.sqrt(np.mean(error**2)) < 0.03 * truth.std()


@pytest.mark.parametrize("function", [line, curve, pairs, bell])
def test_base_and_contributions_add_up_to_the_prediction(rng, function):
    reference, rows = rng.normal(size=(30, 5)), 3 * rng.normal(size=(10, 5))
    rows[2, 1] = reference[5, 2] = np.nan
    for row, found in zip(rows, Explainer(Model(function), named(5), reference).explain(rows), strict=True):
        assert found.prediction == pytest.approx(float(function(row[None, :])[0]), abs=EXACT)
        assert found.base + found.contributions.sum() == pytest.approx(found.prediction, abs=1e-9)
        assert sum(found.by_group.values()) == pytest.approx(found.contributions.sum(), abs=1e-9)


def test_groups_are_sums_of_their_features():
    found = Explanation(("b.x", "a.y", "b.z"), 1.0, 1.6, np.array([0.1, 0.2, 0.3]), "sampled")
    assert found.by_group == {"b": pytest.approx(0.4), "a": pytest.approx(0.2)}
    assert list(found.by_group) == ["b", "a"]


def test_a_feature_that_is_not_used_contributes_nothing(rng):
    reference, rows = rng.normal(size=(20, 6)), rng.normal(size=(3, 6))
    for found in Explainer(Model(pairs), named(6), reference).explain(rows):
        assert found.contributions[5] == 0
    for found in Explainer(Model(lambda rows: rows[:, 0] ** 2), named(6), reference).explain(rows):
        assert np.all(found.contributions[1:] == 0)


def test_a_clip_is_explained_as_if_it_were_alone(rng):
    reference, rows = rng.normal(size=(30, 7)), rng.normal(size=(4, 7))
    explainer = Explainer(Model(bell), named(7), reference)
    together, alone = explainer.explain(rows), explainer.explain(rows[2:3])
    np.testing.assert_array_equal(together[2].contributions, alone[0].contributions)


@pytest.mark.parametrize("n", [12, 50])
def test_the_order_of_the_reference_rows_changes_nothing(rng, n):
    reference, rows = rng.normal(size=(n, 7)), rng.normal(size=(1, 7))
    reference[rng.random((n, 7)) < 0.1] = np.nan
    one = Explainer(Model(bell), named(7), reference).explain(rows)[0]
    other = Explainer(Model(bell), named(7), reference[rng.permutation(n)]).explain(rows)[0]
    np.testing.assert_array_equal(one.contributions, other.contributions)


def test_what_is_given_is_left_alone(rng):
    reference, rows = rng.normal(size=(20, 5)), rng.normal(size=(2, 5))
    reference.setflags(write=False)
    rows.setflags(write=False)
    Explainer(Model(pairs), named(5), reference).explain(rows)


def test_few_rows_stand_for_many(rng):
    rows = np.hstack([rng.normal(size=(300, 8)), rng.exponential(size=(300, 4))])
    chosen = representative_rows(rows, n=20)
    assert chosen.shape == (20, 12)
    assert {tuple(row) for row in chosen} <= {tuple(row) for row in rows}
    assert len({tuple(row) for row in chosen}) == 20
    off = np.abs(np.median(chosen, axis=0) - np.median(rows, axis=0)) / rows.std(axis=0)
    by_chance = [
        np.abs(np.median(rng.choice(rows, 20, replace=False), axis=0) - np.median(rows, axis=0)) / rows.std(axis=0)
        for _ in range(50)
    ]
    assert off.mean() < 0.7 * np.mean(by_chance)


def test_a_single_row_is_its_own_background(rng):
    found = Explainer(Model(pairs), named(5), np.zeros((1, 5))).explain(np.ones((1, 5)))[0]
    base, phi = shapley(pairs, np.ones(5), np.zeros((1, 5)))
    assert found.base == base
    np.testing.assert_allclose(found.contributions, phi, atol=EXACT)


def test_work_is_bounded(rng):
    d, reference = 250, rng.normal(size=(235, 250))
    model = Model(lambda rows: np.cos(rows.sum(axis=1) / 16))
    explainer = Explainer(model, named(d), reference)
    model.asked = 0
    explainer.explain(reference[:1])
    assert model.asked <= 20 * 2 * d + 1
    model = Model(lambda rows: rows.sum(axis=1))
    explainer = Explainer(model, named(d), reference)
    model.asked = 0
    explainer.explain(reference[:1])
    assert model.asked <= d + 1


def test_features_that_are_missing_on_both_sides_are_not_asked_about(rng):
    reference, rows = rng.normal(size=(4, 6)), rng.normal(size=(1, 6))
    reference[:, 5] = rows[:, 5] = np.nan
    model = Model(pairs)
    explainer = Explainer(model, named(6), reference)
    model.asked = 0
    explainer.explain(rows)
    assert model.asked == 4 * 2 * 5 + 1


def test_a_model_that_seems_a_sum_and_is_none_is_sampled(rng):
    """Beyond the reference rows it multiplies; what it says there must add up all the same."""
    reference = rng.uniform(-1, 1, size=(40, 4))

    def outside(rows):
        far = np.maximum(rows - 1, 0)
        return rows.sum(axis=1) + far[:, 0] * far[:, 1]

    explainer = Explainer(Model(outside), named(4), reference)
    assert explainer.additive
    near, far = explainer.explain(np.array([[0.5, 0.5, 0.0, 0.0], [3.0, 3.0, 0.0, 0.0]]))
    assert (near.method, far.method) == ("additive", "sampled")
    assert far.base + far.contributions.sum() == pytest.approx(10.0)


def test_averages_explain_the_mean_prediction(rng):
    reference, rows = rng.normal(size=(30, 5)), rng.normal(size=(1, 5))
    parts = [Explainer(Model(each), named(5), reference).explain(rows)[0] for each in (line, pairs)]
    both = averaged(parts)
    assert both.prediction == pytest.approx((parts[0].prediction + parts[1].prediction) / 2)
    np.testing.assert_allclose(both.contributions, (parts[0].contributions + parts[1].contributions) / 2)
    assert both.method == "sampled"
    with pytest.raises(SpecError, match=r"0 explanation\(s\)"):
        averaged([])


def test_what_does_not_add_up_is_refused():
    with pytest.raises(SpecError, match=r"miss the prediction by -0\.5"):
        Explanation(("a.x",), 1.0, 2.0, np.array([0.5]), "sampled")
    with pytest.raises(SpecError, match="2 features and contributions"):
        Explanation(("a.x", "a.y"), 1.0, 2.0, np.array([1.0]), "sampled")


def test_what_does_not_fit_is_refused(rng):
    reference = rng.normal(size=(5, 3))
    with pytest.raises(SpecError, match=r"\(any number, 2\) is needed"):
        Explainer(Model(bell), named(2), reference)
    with pytest.raises(SpecError, match=r"\(any number, 3\) is needed"):
        Explainer(Model(bell), named(3), reference).explain(np.zeros((1, 4)))
    with pytest.raises(SpecError, match="0 reference rows"):
        Explainer(Model(bell), named(3), reference[:0])
    with pytest.raises(SpecError, match="a number not finite"):
        Explainer(Model(lambda rows: np.full(len(rows), np.nan)), named(3), reference)
