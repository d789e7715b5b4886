import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.predictors.ridge import PENALTIES, RidgePredictor, ridge_path
from otoscope.testing.tables import TableViews, planted_table


def test_many_penalties_are_each_the_solution_of_the_normal_equations(rng):
    z, y, weights = rng.normal(size=(40, 6)) + 3, rng.normal(size=40), rng.uniform(0.1, 2, size=40)
    coefficients, intercepts = ridge_path(z, y, weights, np.array([0.01, 1.0, 100.0]))
    share = weights / weights.sum()
    for p, b, b0 in zip((0.01, 1.0, 100.0), coefficients, intercepts, strict=True):
        left = y - z @ b - b0
        assert abs(share @ left) < 1e-12  # the intercept is free
        np.testing.assert_allclose(z.T @ (share * left), p * b, atol=1e-12)  # the gradient is 0


def test_wide_and_tall_tables_are_solved_alike(rng):
    z, y, weights = rng.normal(size=(12, 11)), rng.normal(size=12), rng.uniform(0.1, 2, size=12)
    padded = np.hstack([z, np.zeros((12, 5))])
    penalties = np.array([0.01, 1.0])
    tall, wide = ridge_path(z, y, weights, penalties), ridge_path(padded, y, weights, penalties)
    np.testing.assert_allclose(wide[0][:, :11], tall[0], atol=1e-12)
    np.testing.assert_allclose(wide[0][:, 11:], 0, atol=1e-15)
    np.testing.assert_allclose(wide[1], tall[1], atol=1e-12)


def test_a_clip_of_weight_2_is_the_clip_twice_and_the_size_of_weights_does_not_matter():
    table = planted_table(n_clips=30)
    clips, y, groups = table.clips, table.y, table.groups
    views = TableViews(
        table.views.feature_ids,
        {**table.views.tables, "twin": table.views.tables[clips[4]]},
        {**table.views.copies, **{("twin", s): table.views.copies[clips[4], s] for s in (-2.0, -1.0, 1.0, 2.0)}},
    )
    predictor = RidgePredictor(tune=False, penalty=0.3)
    heavy = np.ones(30)
    heavy[4] = 2.0
    weighted = predictor.fit(clips, y, groups, heavy * 17, views)
    twice = predictor.fit((*clips, "twin"), np.append(y, y[4]), (*groups, groups[4]), None, views)
    np.testing.assert_allclose(weighted.predict(clips, views), twice.predict(clips, views), atol=1e-12)
    alike = predictor.fit(clips, y, groups, None, views)
    assert np.abs(alike.predict(clips, views) - weighted.predict(clips, views)).max() > 1e-4


def test_copies_that_equal_their_clip_change_nothing():
    table = planted_table(n_clips=40)
    equal = TableViews(
        table.views.feature_ids,
        table.views.tables,
        {(clip, shift): rows for clip, rows in table.views.tables.items() for shift in (-1.0, 1.0)},
    )
    with_copies = RidgePredictor(shifts=(-1, 1)).fit(*table.part(range(40)), None, equal)
    without = RidgePredictor(shifts=()).fit(*table.part(range(40)), None, equal)
    assert with_copies.chosen["penalty"] == without.chosen["penalty"]
    np.testing.assert_allclose(
        with_copies.predict(table.clips, equal), without.predict(table.clips, equal), atol=1e-12
    )


def test_the_penalty_is_small_where_features_tell_the_score_and_great_where_they_do_not(rng):
    table = planted_table(n_clips=80, noise=0.1)
    told = RidgePredictor().fit(*table.part(range(80)), None, table.views)
    untold = RidgePredictor().fit(table.clips, rng.permutation(table.y), table.groups, None, table.views)
    assert told.chosen["penalty"] < 0.1
    assert untold.chosen["penalty"] > 1
    assert PENALTIES[0] <= told.chosen["penalty"] <= untold.chosen["penalty"] <= PENALTIES[-1]
    assert told.chosen["inner_mse"] < 0.1 * untold.chosen["inner_mse"]


def test_the_penalty_is_not_fooled_by_copies_of_the_clips_held_out(rng):
    # Each clip has a mark of its own that its copies share. A row left out alone would be found by its mark.
    n, d = 40, 60
    marks, y = rng.normal(size=(n, d)), rng.normal(size=n)
    clips = [f"c{i:02d}" for i in range(n)]
    views = TableViews(
        tuple(f"a.f{i}" for i in range(d)),
        {clip: marks[i : i + 1] for i, clip in enumerate(clips)},
        {
            (clip, s): marks[i : i + 1] + 0.05 * rng.normal(size=(1, d))
            for i, clip in enumerate(clips)
            for s in (-1.0, 1.0)
        },
    )
    fitted = RidgePredictor(shifts=(-1, 1)).fit(clips, y, clips, None, views)
    assert fitted.chosen["penalty"] > 1
    assert fitted.chosen["inner_mse"] > 0.8 * y.var()


def test_with_few_groups_nothing_is_chosen():
    table = planted_table(n_clips=16)
    fitted = RidgePredictor().fit(*table.part(range(16)), None, table.views)
    assert fitted.chosen == {"penalty": 10.0}


def test_a_penalty_that_would_be_chosen_anyway_is_refused():
    with pytest.raises(SpecError, match="penalty is 3, but it is chosen by inner folds; add tune=off"):
        RidgePredictor(penalty=3.0)
    with pytest.raises(SpecError, match="it takes a number from"):
        RidgePredictor(tune=False, penalty=-1.0)
