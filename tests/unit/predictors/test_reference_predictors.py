import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.predictors import reference as module
from otoscope.predictors.base import TrainingSet
from otoscope.predictors.mlp import train_network
from otoscope.predictors.reference import AudmemMlp, AudmemSvr
from otoscope.testing.tables import TableViews, planted_table


def test_with_its_own_fold_a_prediction_depends_on_the_company_of_a_clip():
    table = planted_table(n_clips=40)
    fold = AudmemSvr().fit(*table.part(range(30)), None, table.views)
    train = AudmemSvr(zscore="train").fit(*table.part(range(30)), None, table.views)
    one, other = table.clips[30:35], (table.clips[30], *table.clips[35:])
    assert abs(fold.predict(one, table.views)[0] - fold.predict(other, table.views)[0]) > 1e-3
    assert train.predict(one, table.views)[0] == pytest.approx(train.predict(other, table.views)[0], abs=1e-12)


def test_one_clip_alone_is_the_mean_clip_whatever_it_is():
    table = planted_table(n_clips=40)
    fitted = AudmemSvr().fit(*table.part(range(30)), None, table.views)
    alone = [fitted.predict([clip], table.views)[0] for clip in table.clips[30:]]
    assert np.ptp(alone) < 1e-12


def test_a_fold_that_is_moved_as_a_whole_is_predicted_as_before():
    table = planted_table(n_clips=40)
    fitted = AudmemSvr().fit(*table.part(range(30)), None, table.views)
    moved = TableViews(table.views.feature_ids, {clip: 3 * rows + 100 for clip, rows in table.views.tables.items()})
    tested = table.clips[30:]
    np.testing.assert_allclose(fitted.predict(tested, moved), fitted.predict(tested, table.views), atol=1e-9)


def test_the_maximum_over_segments_is_above_the_mean():
    table = planted_table(n_clips=40, n_segments=5)
    part = table.part(range(30))
    top, mean = (
        AudmemSvr(zscore="train", aggregate=how).fit(*part, None, table.views).predict(table.clips[30:], table.views)
        for how in ("max", "mean")
    )
    assert np.all(top > mean)


def test_rows_are_standardised_as_in_training_whatever_the_setting():
    table = planted_table(n_clips=40)
    rows = np.concatenate([table.views.features(clip) for clip in table.clips[30:]])
    fold, train = (AudmemSvr(zscore=z).fit(*table.part(range(30)), None, table.views) for z in ("fold", "train"))
    np.testing.assert_array_equal(fold.on_rows(rows), train.on_rows(rows))
    np.testing.assert_allclose(train.on_rows(rows), train.predict(table.clips[30:], table.views), atol=1e-12)


def test_the_network_needs_scores_between_0_and_1_and_stays_there():
    table = planted_table(n_clips=20)
    clips, y, groups = table.part(range(20))
    with pytest.raises(SpecError, match="0 to 1: divide the scores, or choose mlp"):
        AudmemMlp().fit(clips, 10 * y, groups, None, table.views)
    predicted = AudmemMlp().fit(clips, np.clip(y, 0, 1), groups, None, table.views).predict(clips, table.views)
    assert np.all((predicted > 0) & (predicted < 1))


def test_the_network_is_trained_as_the_reference_trains_its_own(monkeypatch):
    seen = {}

    def spy(z, y, weights, held, watched, *, training, seed):
        seen.update(training=training, n=len(z), n_members=held.shape[1])
        return train_network(z, y, weights, held, watched, training=training, seed=seed)

    monkeypatch.setattr(module, "train_network", spy)
    table = planted_table(n_clips=20, n_segments=2)
    clips, y, groups = table.part(range(20))
    AudmemMlp().fit(clips, np.clip(y, 0, 1), groups, None, table.views)
    training = seen["training"]
    assert (seen["n"], seen["n_members"]) == (40, 1)
    assert (training.rate, training.batch, training.dropout, training.decay) == (1e-4, 16, 0.5, 0.0)
    assert training.sigmoid
    assert training.drop_output


def test_the_network_holds_out_a_ninth_of_the_clips_by_whole_groups():
    clips = tuple(f"c{i:03d}" for i in range(212))
    groups = tuple(f"g{i // 2}" for i in range(212))
    held = AudmemMlp()._held(TrainingSet(clips, np.zeros(212), groups))
    assert 22 <= held.sum() <= 23
    inside = {g for g, h in zip(groups, held, strict=True) if h}
    assert not inside & {g for g, h in zip(groups, held, strict=True) if not h}
