import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.predictors import svr as module
from otoscope.predictors.ridge import RidgePredictor
from otoscope.predictors.svr import C_GRID, GAMMA_GRID, SvrPredictor, squared_distances
from otoscope.testing.tables import TableViews, planted_table

FIXED = SvrPredictor(tune=False, c=1.0, gamma=0.3)
TOL_LIBSVM = 2e-3  # of the deviation of the scores: libsvm stops at a tolerance


def test_squared_distances_are_those_of_a_loop(rng):
    a, b = rng.normal(size=(7, 3)), rng.normal(size=(5, 3))
    expected = [[np.sum((p - q) ** 2) for q in b] for p in a]
    np.testing.assert_allclose(squared_distances(a, b), expected, atol=1e-12)
    assert squared_distances(a * 1e8, a * 1e8).min() >= 0


def test_a_curved_relation_is_found_where_a_straight_line_finds_little():
    table = planted_table("curved", n_clips=300, n_features=6)
    tested = table.clips[200:]

    def r(fitted):
        return np.corrcoef(fitted.predict(tested, table.views), table.truth[200:])[0, 1]

    fitted = SvrPredictor(shifts=()).fit(*table.part(range(200)), None, table.views)
    assert r(fitted) > 0.75
    assert r(RidgePredictor(shifts=()).fit(*table.part(range(200)), None, table.views)) < 0.5
    assert fitted.chosen["c"] in C_GRID
    assert fitted.chosen["gamma"] in GAMMA_GRID


def test_tuning_takes_the_settings_that_predict_held_out_clips_best():
    table = planted_table("curved", n_clips=60, n_features=6)
    part = table.part(range(60))
    tuned = SvrPredictor().fit(*part, None, table.views)
    errors = {}
    for c in C_GRID:
        for gamma in GAMMA_GRID:
            # A setting that is fixed is scored on the same folds, and only there.
            fitted = SvrPredictor(tune=False, c=c, gamma=gamma).fit(*part, None, table.views)
            errors[c, gamma] = fitted.chosen["inner_mse"]
    best = min(errors, key=lambda pair: errors[pair])
    assert (tuned.chosen["c"], tuned.chosen["gamma"]) == best
    assert tuned.chosen["inner_mse"] == pytest.approx(errors[best], rel=1e-9)


def test_shift_and_scale_of_the_scores_shift_and_scale_the_predictions():
    table = planted_table(n_clips=40)
    clips, y, groups = table.part(range(40))
    plain = SvrPredictor().fit(clips, y, groups, None, table.views)
    moved = SvrPredictor().fit(clips, 100 * y - 7, groups, None, table.views)
    assert {k: moved.chosen[k] for k in ("c", "gamma")} == {k: plain.chosen[k] for k in ("c", "gamma")}
    np.testing.assert_allclose(
        moved.predict(clips, table.views), 100 * plain.predict(clips, table.views) - 7, atol=1e-8
    )


def test_copies_that_equal_their_clip_change_nothing():
    table = planted_table(n_clips=40)
    equal = TableViews(
        table.views.feature_ids,
        table.views.tables,
        {(clip, shift): rows for clip, rows in table.views.tables.items() for shift in (-1.0, 1.0)},
    )
    part = table.part(range(40))
    with_copies = SvrPredictor(tune=False, shifts=(-1, 1)).fit(*part, None, equal)
    without = SvrPredictor(tune=False, shifts=()).fit(*part, None, equal)
    difference = with_copies.predict(table.clips, equal) - without.predict(table.clips, equal)
    assert np.abs(difference).max() < TOL_LIBSVM * table.y.std()


def test_a_clip_of_weight_2_is_the_clip_twice():
    # The mean weight is 1, so one clip of 30 that counts twice leaves each with 30/31 of a cost of 1.
    table = planted_table(n_clips=30, shifts=())
    clips, y, groups = table.part(range(30))
    views = TableViews(table.views.feature_ids, {**table.views.tables, "twin": table.views.tables[clips[4]]})
    heavy = np.ones(30)
    heavy[4] = 2.0
    weighted = SvrPredictor(tune=False, c=31 / 30, shifts=()).fit(clips, y, groups, heavy, views)
    twice = SvrPredictor(tune=False, c=1.0, shifts=()).fit(
        (*clips, "twin"), np.append(y, y[4]), (*groups, groups[4]), None, views
    )
    alike = SvrPredictor(tune=False, c=1.0, shifts=()).fit(clips, y, groups, None, views)
    assert np.abs(weighted.predict(clips, views) - twice.predict(clips, views)).max() < TOL_LIBSVM * y.std()
    assert np.abs(alike.predict(clips, views) - twice.predict(clips, views)).max() > 2 * TOL_LIBSVM * y.std()


def test_augmentation_teaches_what_does_not_matter():
    # The last feature follows the score in training by chance of the design, and is what a shift changes.
    table = planted_table(n_clips=120, n_features=6, noise=0.2)
    column = table.views.tables
    for i, clip in enumerate(table.clips[:80]):
        extra = 3 * (table.y[i] - 0.5) / table.y.std()
        for rows in (column[clip], *(table.views.copies[clip, s] for s in (-2.0, -1.0, 1.0, 2.0))):
            rows[0, -1] += extra * abs(np.diff([table.views.copies[clip, s][0, -1] for s in (1.0, 2.0)])[0])
    tested = list(range(80, 120))
    scores = []
    for shifts in ((), (-2, -1, 1, 2)):
        fitted = SvrPredictor(tune=False, shifts=shifts).fit(*table.part(range(80)), None, table.views)
        predicted = fitted.predict([table.clips[i] for i in tested], table.views)
        scores.append(np.corrcoef(predicted, table.truth[tested])[0, 1])
    assert scores[1] > scores[0] + 0.02


def test_many_rows_are_predicted_block_by_block(rng, monkeypatch):
    table = planted_table(n_clips=30)
    fitted = FIXED.fit(*table.part(range(30)), None, table.views)
    rows = rng.normal(size=(23, 12))
    whole = fitted.on_rows(rows)
    monkeypatch.setattr(module, "_BLOCK", 5)
    np.testing.assert_allclose(fitted.on_rows(rows), whole, atol=1e-13)


@pytest.mark.parametrize("limit", ["_MAX_KERNEL_ROWS", "_MAX_TUNING_ROWS"])
def test_large_tables_are_fitted_without_a_table_of_distances_and_tuned_without_copies(monkeypatch, limit):
    table = planted_table("curved", n_clips=60, n_features=6)
    part = table.part(range(60))
    before = SvrPredictor().fit(*part, None, table.views)
    monkeypatch.setattr(module, limit, 10)
    after = SvrPredictor().fit(*part, None, table.views)
    if limit == "_MAX_KERNEL_ROWS":
        assert after.chosen == pytest.approx(before.chosen, rel=1e-3, abs=3)
        np.testing.assert_allclose(
            after.predict(table.clips, table.views), before.predict(table.clips, table.views), atol=1e-4
        )
    else:
        assert after.chosen["inner_mse"] != before.chosen["inner_mse"]
        assert after.chosen["inner_mse"] == pytest.approx(before.chosen["inner_mse"], rel=0.2)


def test_scores_that_are_all_one_number_are_predicted():
    table = planted_table(n_clips=30)
    fitted = SvrPredictor().fit(table.clips, np.full(30, 0.7), table.groups, None, table.views)
    np.testing.assert_allclose(fitted.predict(table.clips, table.views), 0.7, atol=1e-12)


def test_features_that_all_are_constant_leave_the_middle_of_the_scores():
    views = TableViews(("a.x",), {f"c{i}": np.ones((1, 1)) for i in range(20)})
    clips = tuple(views.tables)
    fitted = SvrPredictor(shifts=()).fit(clips, np.linspace(0, 1, 20), clips, None, views)
    np.testing.assert_allclose(fitted.predict(clips, views), 0.5, atol=0.3)


@pytest.mark.parametrize("setting", [{"c": 3.0}, {"gamma": 0.1}])
def test_a_setting_that_would_be_chosen_anyway_is_refused(setting):
    with pytest.raises(SpecError, match="is chosen by inner folds; add tune=off"):
        SvrPredictor(**setting)
    assert SvrPredictor(tune=False, **setting).name.startswith("svr:")
