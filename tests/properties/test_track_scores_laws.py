"""Laws of folds, correlations, intervals and explanations, for any numbers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from otoscope.evaluation.conformal import CrossConformal, conformal_half_width
from otoscope.evaluation.folds import check_fold, repeated_folds
from otoscope.evaluation.regression import average_ranks, pair_accuracy, spearman, weighted_ranks
from otoscope.predictors.explaining import Explainer

SEEDS = st.integers(0, 10_000)


@given(SEEDS, st.integers(2, 6), st.integers(1, 3), st.lists(st.integers(1, 9), min_size=6, max_size=20))
def test_folds_test_everything_once_and_divide_no_group(seed, folds, repeats, sizes):
    groups = [f"g{i}" for i, size in enumerate(sizes) for _ in range(size)]
    ids = [f"t{i}" for i in range(len(groups))]
    made = repeated_folds(ids, groups, folds=folds, repeats=repeats, seed=seed)
    for fold in made:
        check_fold(fold, groups)
    tested = np.concatenate([fold.test for fold in made])
    assert np.array_equal(np.bincount(tested), np.full(len(ids), repeats))
    filled = [fold.test.size for fold in made]
    assert max(filled) - min(filled) <= max(sizes)


@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=40))
def test_spearman_is_that_of_scipy_for_any_ties(pairs):
    one, other = np.array(pairs, dtype=float).T
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return
    assert abs(spearman(one, other) - stats.spearmanr(one, other).statistic) < 1e-12
    assert np.array_equal(average_ranks(one), stats.rankdata(one))
    assert spearman(one, other) == spearman(other, one)
    assert abs(pair_accuracy(one, other) + pair_accuracy(one, -other) - 1) < 1e-12


@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(0, 3)), min_size=1, max_size=20))
def test_a_weight_is_a_number_of_copies(rows):
    values, weights = np.array(rows, dtype=float).T
    if weights.sum() == 0:
        return
    ranks = weighted_ranks(values, weights[None, :])[0]
    copies = weights.astype(int)
    assert np.allclose(np.repeat(ranks, copies), stats.rankdata(np.repeat(values, copies)))


@given(SEEDS, st.integers(9, 60), st.floats(0.01, 100.0))
def test_intervals_follow_the_scale_and_the_level_of_the_scores(seed, n, scale):
    rng = np.random.default_rng(seed)
    errors, model, said = np.abs(rng.normal(size=n)), rng.integers(0, 3, size=n), rng.normal(size=(3, 4))
    low, high = CrossConformal(errors, model).interval(said)
    moved_low, moved_high = CrossConformal(scale * errors, model).interval(scale * (said + 5))
    assert np.allclose(moved_low, scale * (low + 5))
    assert np.allclose(moved_high, scale * (high + 5))
    assert conformal_half_width(errors, level=0.5) <= conformal_half_width(errors, level=0.9)


class Surface:
    """A smooth surface with a bend, behind bounds."""

    def __init__(self, rng, n):
        self.weights = rng.normal(size=(2, n))

    def on_rows(self, rows):
        z = np.clip(np.where(np.isnan(rows), 0.0, rows), -2, 2)
        return np.tanh(z @ self.weights[0]) + z @ self.weights[1]


@given(SEEDS, st.integers(1, 8), st.integers(1, 30))
def test_explanations_add_up_for_any_surface(seed, n_features, n_rows):
    rng = np.random.default_rng(seed)
    reference, rows = rng.normal(size=(n_rows, n_features)), rng.normal(size=(2, n_features))
    reference[rng.random(reference.shape) < 0.2] = np.nan
    rows[rng.random(rows.shape) < 0.2] = np.nan
    model = Surface(rng, n_features)
    ids = [f"g.f{i}" for i in range(n_features)]
    for row, found in zip(rows, Explainer(model, ids, reference, n_background=4).explain(rows), strict=True):
        assert abs(found.base + found.contributions.sum() - model.on_rows(row[None, :])[0]) < 1e-9
