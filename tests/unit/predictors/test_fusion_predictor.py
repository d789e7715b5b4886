import numpy as np
import pytest

from otoscope.predictors.fusion import FusionPredictor, feature_groups, stacking_weights
from otoscope.predictors.ridge import RidgePredictor
from otoscope.testing.tables import TableViews, planted_table


def only(views, group):
    places = feature_groups(views.feature_ids)[group]
    return TableViews(
        tuple(views.feature_ids[i] for i in places),
        {clip: rows[:, places] for clip, rows in views.tables.items()},
        {key: rows[:, places] for key, rows in views.copies.items()},
    )


@pytest.mark.parametrize("base", ["ridge", "svr"])
def test_the_mean_is_that_of_predictors_of_each_group_alone(base):
    from otoscope.predictors.svr import SvrPredictor

    table = planted_table(n_clips=40)
    part = table.part(range(40))
    alone = [
        (RidgePredictor if base == "ridge" else SvrPredictor)()
        .fit(*part, None, only(table.views, group))
        .predict(table.clips, only(table.views, group))
        for group in ("tone", "beat", "hue")
    ]
    fused = FusionPredictor(base=base).fit(*part, None, table.views)
    np.testing.assert_allclose(fused.predict(table.clips, table.views), np.mean(alone, axis=0), atol=1e-9)


def test_stacking_gives_the_weight_to_the_group_that_tells_the_score():
    table = planted_table(n_clips=80)
    fitted = FusionPredictor(how="stack").fit(*table.part(range(80)), None, table.views)
    weight = {group: fitted.chosen[f"{group}.weight"] for group in ("tone", "beat", "hue")}
    assert weight["tone"] > 0.8
    assert max(weight["beat"], weight["hue"]) < 0.3
    assert min(weight.values()) >= 0
    assert set(fitted.chosen) >= {"tone.penalty", "tone.inner_mse"}


def test_stacking_weights_are_the_least_squares_where_those_are_positive(rng):
    members, weights = rng.normal(size=(50, 3)), rng.uniform(0.5, 2, size=50)
    y = members @ [0.2, 1.0, 0.5] + 3 + 0.01 * rng.normal(size=50)
    found, intercept = stacking_weights(members, y, weights)
    root = np.sqrt(weights)
    design = np.column_stack([members, np.ones(50)]) * root[:, None]
    expected = np.linalg.lstsq(design, y * root, rcond=None)[0]
    np.testing.assert_allclose([*found, intercept], expected, atol=1e-10)


def test_members_that_say_nothing_get_equal_shares_and_the_mean_stays_that_of_the_scores():
    members, y = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]), np.array([3.0, 2.0, 1.0])
    found, intercept = stacking_weights(members, y, np.ones(3))
    assert found.tolist() == [0.5, 0.5]
    assert (members @ found + intercept).mean() == pytest.approx(y.mean())


def test_stacking_without_inner_folds_is_the_mean():
    table = planted_table(n_clips=12)
    stacked, mean = (
        FusionPredictor(how=how).fit(*table.part(range(12)), None, table.views) for how in ("stack", "mean")
    )
    np.testing.assert_array_equal(stacked.predict(table.clips, table.views), mean.predict(table.clips, table.views))
