"""scikit-learn (1.5 or newer) is the other implementation of the regressions, and of the reference's protocol."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from otoscope.predictors import svr as module
from otoscope.predictors.base import TrainingSet
from otoscope.predictors.inner import inner_folds
from otoscope.predictors.preparing import Preparation
from otoscope.predictors.registry import open_predictor
from otoscope.predictors.ridge import ridge_path
from otoscope.predictors.rows import rows_of
from otoscope.predictors.svr import SvrPredictor, fit_radial
from otoscope.testing.tables import planted_table

TOL = 1e-9


@pytest.mark.parametrize(("n", "d"), [(60, 8), (20, 35)])
@pytest.mark.parametrize("penalty", [1e-3, 1.0, 100.0])
def test_ridge_is_ridge_with_an_alpha_of_penalty_times_the_weights(rng, n, d, penalty):
    z, y, weights = rng.normal(size=(n, d)) + 2, rng.normal(size=n), rng.uniform(0.1, 3, size=n)
    (coefficients,), (intercept,) = ridge_path(z, y, weights, np.array([penalty]))
    model = Ridge(alpha=penalty * weights.sum()).fit(z, y, sample_weight=weights)
    np.testing.assert_allclose(coefficients, model.coef_, atol=TOL)
    assert intercept == pytest.approx(model.intercept_, abs=TOL)


@pytest.mark.parametrize("precomputed", [True, False])
def test_a_radial_regressor_predicts_what_svr_predicts(rng, precomputed):
    z, y, weights = rng.normal(size=(50, 6)), rng.normal(size=50), rng.uniform(0.1, 3, size=50)
    settings = {"c": 2.0, "gamma": 0.07, "epsilon": 0.2}
    distances = np.square(z[:, None] - z).sum(axis=2) if precomputed else None
    ours = fit_radial(z, y, weights, **settings, distances=distances)
    model = SVR(C=2.0, gamma=0.07, epsilon=0.2, tol=1e-4).fit(z, y, sample_weight=weights)
    new = rng.normal(size=(30, 6))
    # With a table of distances libsvm rounds otherwise, and may stop one step before or after.
    np.testing.assert_allclose(ours.predict(new), model.predict(new), atol=1e-3 if precomputed else TOL)
    if precomputed:
        kernel = SVR(kernel="precomputed", C=2.0, epsilon=0.2, tol=1e-4)
        kernel.fit(np.exp(-0.07 * distances), y, sample_weight=weights)
        asked = np.exp(-0.07 * np.square(new[:, None] - z).sum(axis=2))
        np.testing.assert_allclose(ours.predict(new), kernel.predict(asked), atol=TOL)


def test_the_whole_svr_is_a_scaled_svr_on_prepared_rows(rng):
    table = planted_table("curved", n_clips=40, n_segments=2)
    clips, y, groups = table.part(range(40))
    weights = rng.uniform(0.5, 2, size=40)
    fitted = SvrPredictor(tune=False, c=3.0, gamma=0.5, epsilon=0.2).fit(clips, y, groups, weights, table.views)
    rows = rows_of(TrainingSet(clips, y, groups, weights), table.views, (-2, -1, 1, 2))
    preparation = Preparation.learn(rows.x, rows.weights)
    each = np.repeat(weights / weights.mean() / 10, 10)
    mean = np.average(y, weights=weights)
    sd = np.sqrt(np.average((y - mean) ** 2, weights=weights))
    model = SVR(C=3.0, gamma=0.5 / 12, epsilon=0.2, tol=1e-4)
    model.fit(preparation.apply(rows.x), (np.repeat(y, 10) - mean) / sd, sample_weight=each)
    new = np.concatenate([table.views.features(clip) for clip in clips])
    expected = mean + sd * model.predict(preparation.apply(new)).reshape(40, 2).mean(axis=1)
    np.testing.assert_allclose(fitted.predict(clips, table.views), expected, atol=1e-3 * sd)


def test_held_out_errors_are_those_of_a_loop_over_group_folds():
    # scikit-learn divides the folds that were made here: each of them is one group to it.
    table = planted_table(n_clips=20, shifts=())
    clips, y, _ = table.part(range(20))
    groups = tuple(f"g{i % 10}" for i in range(20))
    fitted = open_predictor("ridge", shifts=()).fit(clips, y, groups, None, table.views)
    x = np.concatenate([table.views.features(clip) for clip in clips])
    z = Preparation.learn(x, np.ones(20)).apply(x)
    folds = inner_folds(groups, seed=0)
    assert len(set(zip(folds.tolist(), groups, strict=True))) == 10
    errors = []
    for train, test in GroupKFold(5).split(z, groups=folds):
        model = Ridge(alpha=fitted.chosen["penalty"] * len(train)).fit(z[train], y[train])
        errors.append(np.square(model.predict(z[test]) - y[test]))
    assert fitted.chosen["inner_mse"] == pytest.approx(np.mean(np.concatenate(errors)), rel=1e-9)


@pytest.mark.parametrize("with_copies", [True, False])
def test_held_out_errors_of_the_svr_are_those_of_a_loop(rng, monkeypatch, with_copies):
    if not with_copies:
        monkeypatch.setattr(module, "_MAX_TUNING_ROWS", 10)
    table = planted_table("curved", n_clips=24, n_segments=2, shifts=(-1.0, 1.0))
    clips, y, groups = table.part(range(24))
    weights = rng.uniform(0.3, 3, size=24)
    predictor = SvrPredictor(tune=False, c=2.0, gamma=0.5, epsilon=0.1, shifts=(-1, 1))
    fitted = predictor.fit(clips, y, groups, weights, table.views)
    rows = rows_of(TrainingSet(clips, y, groups, weights), table.views, (-1, 1))
    z = Preparation.learn(rows.x, rows.weights).apply(rows.x)
    mean = np.average(y, weights=weights)
    sd = np.sqrt(np.average((y - mean) ** 2, weights=weights))
    fold, error = inner_folds(groups, seed=0)[rows.clip], np.zeros(24)
    each = (weights / weights.mean() / (6 if with_copies else 2))[rows.clip]
    for k in range(5):
        train = (fold != k) & (rows.plain | with_copies)
        model = SVR(C=2.0, gamma=0.5 / 12, epsilon=0.1, tol=1e-3)
        model.fit(z[train], (rows.y[train] - mean) / sd, sample_weight=each[train])
        for i in np.unique(rows.clip[fold == k]):
            error[i] = (mean + sd * model.predict(z[(rows.clip == i) & rows.plain]).mean() - y[i]) ** 2
    assert fitted.chosen["inner_mse"] == pytest.approx(np.average(error, weights=weights), rel=1e-4)


def per_fold(model, x, y, clip, *, zscore="fold", how=np.max):
    """Do what the reference does, in its own words: contiguous folds, the last clips left over."""
    n_clips = y.size
    size = int(n_clips / 10)
    predicted = np.full(n_clips, np.nan)
    for fold in range(10):
        tested = np.arange(fold * size, (fold + 1) * size)
        in_test = np.isin(clip, tested)
        scaler = StandardScaler().fit(x[~in_test])
        train = scaler.transform(x[~in_test])
        test = (StandardScaler().fit(x[in_test]) if zscore == "fold" else scaler).transform(x[in_test])
        rows = model().fit(train, y[clip[~in_test]]).predict(test)
        predicted[tested] = [how(rows[clip[in_test] == i]) for i in tested]
    return predicted


@pytest.mark.parametrize(
    ("spec", "model", "settings"),
    [
        ("svr@audmem", SVR, {}),
        ("svr@audmem:zscore=train", SVR, {"zscore": "train"}),
        ("svr@audmem:aggregate=mean", SVR, {"how": np.mean}),
        ("ridge@audmem", Ridge, {}),
        ("ridge@audmem:aggregate=mean,zscore=train", Ridge, {"zscore": "train", "how": np.mean}),
    ],
)
def test_the_reference_protocol_gives_the_numbers_of_a_loop_in_scikit_learn(spec, model, settings):
    table = planted_table("curved", n_clips=47, n_segments=3)
    x = np.concatenate([table.views.features(clip) for clip in table.clips])
    clip = np.repeat(np.arange(47), 3)
    expected = per_fold(model, x, table.y, clip, **settings)
    size = 4
    for fold in range(10):
        tested = list(range(fold * size, (fold + 1) * size))
        rest = [i for i in range(47) if i not in tested]
        fitted = open_predictor(spec).fit(*table.part(rest), None, table.views)
        predicted = fitted.predict([table.clips[i] for i in tested], table.views)
        np.testing.assert_allclose(predicted, expected[tested], atol=TOL)
    assert np.isnan(expected[40:]).all()


def test_without_its_mistakes_the_reference_svr_is_a_pipeline_on_whole_clips():
    table = planted_table(n_clips=40)
    for rows in table.views.tables.values():
        rows[:, 2] = 7.0  # a constant lowers the variance that gamma is scaled by
    fitted = open_predictor("svr@audmem:aggregate=mean,zscore=train").fit(*table.part(range(30)), None, table.views)
    x = np.concatenate([table.views.features(clip) for clip in table.clips])
    expected = make_pipeline(StandardScaler(), SVR()).fit(x[:30], table.y[:30]).predict(x[30:])
    np.testing.assert_allclose(fitted.predict(table.clips[30:], table.views), expected, atol=TOL)
