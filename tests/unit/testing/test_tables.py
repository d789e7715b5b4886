import numpy as np
import pytest

from otoscope.errors import DataError, SpecError
from otoscope.testing.tables import TableViews, planted_table


def test_views_give_what_they_were_given_and_remember_who_asked():
    views = TableViews(("a.x",), {"c": np.ones((1, 1))}, {("c", 1.0): np.zeros((1, 1))})
    assert views.features("c") == 1
    assert views.features("c", 1) == 0
    assert views.asked == [("c", 0.0), ("c", 1.0)]
    for clip, shift in (("c", 2.0), ("d", 0.0)):
        with pytest.raises(DataError, match=f"{clip}: these tables have no features of it shifted by {shift:g}"):
            views.features(clip, shift)
    for ask in (views.audio, views.spectrogram):
        with pytest.raises(SpecError, match="a table has no"):
            ask("c")


@pytest.mark.parametrize("kind", ["linear", "curved"])
def test_planted_features_tell_the_truth_and_others_do_not(kind):
    table = planted_table(kind, n_clips=400)
    x = np.concatenate([table.views.features(clip) for clip in table.clips])
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    design = np.column_stack(
        [np.ones(400), *(f(z[:, i]) for i in (0, 1) for f in (np.copy, np.abs, lambda v: np.sin(2 * v)))]
    )
    left = table.truth - design @ np.linalg.lstsq(design, table.truth, rcond=None)[0]
    assert left.std() < 0.1 * table.truth.std()
    assert max(abs(np.corrcoef(z[:, i], table.truth)[0, 1]) for i in range(2, 12)) < 0.2
    assert (table.y - table.truth).std() == pytest.approx(0.3 * table.truth.std(), rel=0.15)
    assert table.planted == table.views.feature_ids[:2]


def test_a_shift_moves_the_last_feature_only():
    table = planted_table(n_clips=50, n_segments=3)
    own, copy = table.views.features("clip-0000"), table.views.features("clip-0000", 2.0)
    assert own.shape == (3, 12)
    np.testing.assert_array_equal(own[:, :-1], copy[:, :-1])
    assert np.ptp(copy[:, -1] - own[:, -1]) < 1e-9
    assert copy[0, -1] != own[0, -1]


def test_seeds_and_parts():
    table = planted_table(n_clips=6, n_features=7)
    np.testing.assert_array_equal(planted_table(n_clips=6, n_features=7).y, table.y)
    assert not np.array_equal(planted_table(n_clips=6, n_features=7, seed=1).y, table.y)
    clips, y, groups = table.part([5, 0])
    assert clips == ("clip-0005", "clip-0000")
    assert y.tolist() == table.y[[5, 0]].tolist()
    assert groups == ("song-0002", "song-0000")
    assert [feature.partition(".")[0] for feature in table.views.feature_ids] == ["tone"] * 3 + ["beat"] * 3 + ["hue"]
    with pytest.raises(SpecError, match="at least 6"):
        planted_table(n_features=5)
