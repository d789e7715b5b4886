"""Probes from moments are the probes that other solvers fit to the stacked frames."""

import numpy as np
import pytest
from scipy.linalg import lstsq
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from otoscope.errors import MergeError, SpecError
from otoscope.probes.moments import MomentAccumulator, fold
from otoscope.probes.pools import equal_weight
from otoscope.probes.scoring import choose_lambdas, pair_moments, path_errors
from otoscope.probes.solving import LAMBDAS, OLS_CUT, decompose

R2_TOLERANCE = 1e-9
COLUMNS = ("log2_f0", "voicing")


def world(rng, n=1500, dim=24, *, deficient=True, offset=0.0):
    """Give states with a far-off dimension (mean 2000, sd 0.5) and, if asked, exact linear dependencies."""
    x = rng.normal(size=(n, dim)) @ rng.normal(size=(dim, dim)) + rng.normal(size=dim)
    x[:, 1] = 2000 + 0.5 * rng.normal(size=n)
    if deficient:
        x[:, 3] = x[:, 4] - 2 * x[:, 5]
        x[:, 6] = 7.0  # does not vary
    x = x.astype(np.float32)
    if deficient:
        x[:, 3] = (x[:, 4].astype(np.float64) - 2 * x[:, 5]).astype(np.float32)
    w = rng.normal(size=(dim, 2)) / 5
    y = (x - x.mean(axis=0)) @ w + offset + rng.normal(size=(n, 2))
    return x, y.astype(np.float64)


def moments(x, y, shift):
    accumulator = MomentAccumulator(x.shape[1], COLUMNS, shift, block_rows=257)
    accumulator.add(x, y)
    return accumulator.moments()


def near(x):
    """Give a shift near the mean, as the mean of a few clips is."""
    return x[:50].mean(axis=0, dtype=np.float64)


def stacked_lstsq(x, y, x_test):
    """Fit OLS by scipy on standardised float64 frames, with the same cut on the eigenvalues."""
    wide = x.astype(np.float64)
    mean, sd = wide.mean(axis=0), wide.std(axis=0)
    sd = np.where(sd > 1e-12 * np.abs(mean), sd, 1.0)
    z = np.where(wide.std(axis=0) > 1e-12 * np.abs(mean), (wide - mean) / sd, 0.0)
    w = lstsq(z, y - y.mean(axis=0), cond=np.sqrt(OLS_CUT))[0]
    z_test = np.where(wide.std(axis=0) > 1e-12 * np.abs(mean), (x_test.astype(np.float64) - mean) / sd, 0.0)
    return z_test @ w + y.mean(axis=0)


@pytest.mark.parametrize("deficient", [False, True])
def test_ols_is_scipys_least_squares_on_the_stacked_frames(rng, deficient):
    x, y = world(rng, deficient=deficient)
    train, test = slice(0, 1000), slice(1000, None)
    shift = near(x)
    probe = decompose(moments(x[train], y[train], shift)).ols()
    expected = stacked_lstsq(x[train], y[train], x[test])
    closed = pair_moments(probe, moments(x[test], y[test], shift))
    for k in range(2):
        assert closed.r2[k] == pytest.approx(r2_score(y[test, k], expected[:, k]), abs=R2_TOLERANCE)
        assert r2_score(y[test, k], probe.predict(x[test])[:, k]) == pytest.approx(closed.r2[k], abs=R2_TOLERANCE)


def test_ols_at_full_rank_is_linear_regression(rng):
    x, y = world(rng, deficient=False)
    shift = near(x)
    probe = decompose(moments(x[:1000], y[:1000], shift)).ols()
    expected = LinearRegression().fit(x[:1000].astype(np.float64), y[:1000]).predict(x[1000:].astype(np.float64))
    closed = pair_moments(probe, moments(x[1000:], y[1000:], shift))
    assert closed.r2 == pytest.approx([r2_score(y[1000:, k], expected[:, k]) for k in range(2)], abs=R2_TOLERANCE)
    assert probe.rank == x.shape[1]


def test_ols_drops_exactly_the_directions_that_do_not_vary(rng):
    x, y = world(rng)
    probe = decompose(moments(x, y, near(x))).ols()
    assert probe.rank == x.shape[1] - 2  # one constant, one sum of others
    assert np.abs(probe.weights[6]).max() < 1e-12
    assert np.abs(decompose(moments(x, y, near(x))).ridge(1e-3).weights[6]).max() < 1e-12
    far = near(x)
    far[6] = 0.25  # a constant far from its shift is a constant all the same
    assert decompose(moments(x, y, far)).ols().rank == x.shape[1] - 2


@pytest.mark.parametrize("penalty", [1e-6, 1e-3, 1.0, 100.0])
@pytest.mark.parametrize("deficient", [False, True])
def test_ridge_is_scikit_learns_on_standardised_frames(rng, penalty, deficient):
    x, y = world(rng, deficient=deficient)
    shift = near(x)
    wide = x.astype(np.float64)
    model = make_pipeline(StandardScaler(), Ridge(alpha=1000 * penalty, solver="svd")).fit(wide[:1000], y[:1000])
    expected = model.predict(wide[1000:])
    probe = decompose(moments(x[:1000], y[:1000], shift)).ridge(penalty)
    closed = pair_moments(probe, moments(x[1000:], y[1000:], shift))
    assert closed.r2 == pytest.approx([r2_score(y[1000:, k], expected[:, k]) for k in range(2)], abs=R2_TOLERANCE)
    np.testing.assert_allclose(probe.predict(x[1000:]), expected, atol=1e-8)


def test_a_pool_of_equally_weighted_languages_is_weighted_ridge(rng):
    parts = [world(rng, n, offset=o, deficient=False) for n, o in ((300, 0.0), (900, 1.0), (150, -2.0))]
    shift = near(parts[0][0])
    pool = fold(equal_weight(moments(x, y, shift)) for x, y in parts)
    x = np.concatenate([x for x, _ in parts]).astype(np.float64)
    y = np.concatenate([y for _, y in parts])
    weight = np.concatenate([np.full(len(y), 1 / len(y)) for _, y in parts])
    scaler = StandardScaler().fit(x, sample_weight=weight)
    ridge = Ridge(alpha=3 * 0.01, solver="cholesky").fit(scaler.transform(x), y, sample_weight=weight)
    expected = ridge.predict(scaler.transform(x))
    np.testing.assert_allclose(decompose(pool).ridge(0.01).predict(x), expected, atol=1e-7)


def test_the_shift_changes_no_prediction(rng):
    x, y = world(rng, deficient=False)
    one = decompose(moments(x, y, near(x))).ridge(1e-3)
    other = decompose(moments(x, y, near(x) + np.linspace(-1, 1, x.shape[1]))).ridge(1e-3)
    np.testing.assert_allclose(one.predict(x), other.predict(x), atol=1e-7)


def test_the_scale_of_a_dimension_changes_no_prediction(rng):
    x, y = world(rng, deficient=False)
    scaled = x * np.float32(64.0)  # a power of two is exact
    one = decompose(moments(x, y, near(x))).ridge(1e-2)
    other = decompose(moments(scaled, y, near(scaled))).ridge(1e-2)
    np.testing.assert_allclose(one.predict(x), other.predict(scaled), atol=1e-7)


def test_the_path_of_errors_is_the_error_of_every_penalty(rng):
    x, y = world(rng)
    shift = near(x)
    pool, dev = decompose(moments(x[:900], y[:900], shift)), moments(x[900:], y[900:], shift)
    errors = path_errors(pool, dev)
    for i in (0, 8, len(LAMBDAS) - 1):
        direct = ((pool.ridge(LAMBDAS[i]).predict(x[900:]) - y[900:]) ** 2).mean(axis=0)
        np.testing.assert_allclose(errors[i], direct, rtol=1e-9)
    assert np.array_equal(choose_lambdas(errors), np.array(LAMBDAS)[errors.argmin(axis=0)])


def test_the_stronger_of_two_equal_penalties_is_chosen():
    errors = np.array([[1.0, 3.0], [1.0, 2.0], [4.0, 2.0]])
    assert choose_lambdas(errors, (0.1, 1.0, 10.0)).tolist() == [1.0, 10.0]
    with pytest.raises(SpecError, match="3 rows"):
        choose_lambdas(errors, (0.1,))


def test_each_column_may_have_its_own_penalty(rng):
    x, y = world(rng, deficient=False)
    pool = decompose(moments(x, y, near(x)))
    both = pool.ridge([1e-4, 10.0])
    assert np.array_equal(both.weights[:, 0], pool.ridge(1e-4).weights[:, 0])
    assert np.array_equal(both.weights[:, 1], pool.ridge(10.0).weights[:, 1])
    assert both.lambdas.tolist() == [1e-4, 10.0]
    with pytest.raises(SpecError, match="above 0"):
        pool.ridge(0.0)


def test_closed_form_scores_are_those_of_the_predictions(rng):
    x, y = world(rng)
    shift = near(x)
    probe = decompose(moments(x[:700], y[:700], shift)).ridge(1e-3)
    pair, predicted, truth = pair_moments(probe, moments(x[700:], y[700:], shift)), probe.predict(x[700:]), y[700:]
    np.testing.assert_allclose(pair.mse, ((predicted - truth) ** 2).mean(axis=0), rtol=1e-9)
    assert pair.r == pytest.approx([np.corrcoef(predicted[:, k], truth[:, k])[0, 1] for k in range(2)], abs=1e-9)


def test_a_truth_that_does_not_vary_has_no_r2(rng):
    x, y = world(rng)
    shift = near(x)
    flat = np.full_like(y[:100], 3.0)
    pair = pair_moments(decompose(moments(x, y, shift)).ridge(1e-3), moments(x[:100], flat, shift))
    assert np.isnan(pair.r2).all()
    assert np.isnan(pair.r).all()


def test_a_probe_refuses_a_cell_of_another_shift_or_other_columns(rng):
    x, y = world(rng)
    probe = decompose(moments(x, y, near(x))).ridge(1e-3)
    with pytest.raises(MergeError, match="different shifts"):
        pair_moments(probe, moments(x, y, near(x) + 1))
    with pytest.raises(MergeError, match="columns"):
        pair_moments(probe, moments(x, y, near(x)).select(("voicing",)))


def test_single_precision_moves_ridge_by_less_than_its_bound(rng):
    x, y = world(rng, n=6000)
    shift = near(x)
    accumulator = MomentAccumulator(x.shape[1], COLUMNS, shift, precision="float32")
    accumulator.add(x[:4500], y[:4500])
    test = moments(x[4500:], y[4500:], shift)
    single = pair_moments(decompose(accumulator.moments()).ridge(1e-3), test).r2
    double = pair_moments(decompose(moments(x[:4500], y[:4500], shift)).ridge(1e-3), test).r2
    assert 0 < np.abs(single - double).max() < 1e-4
