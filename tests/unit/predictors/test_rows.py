import numpy as np
import pytest

from otoscope.errors import DataError, SpecError
from otoscope.predictors.base import TrainingSet
from otoscope.predictors.rows import aggregated, check_shifts, plain_rows, rows_of
from otoscope.testing.tables import TableViews

IDS = ("a.x", "a.y")


def views_of(**tables):
    made = {name: np.asarray(rows, dtype=np.float64) for name, rows in tables.items()}
    copies = {(name, shift): rows + 100 * shift for name, rows in made.items() for shift in (-1.0, 1.0)}
    return TableViews(IDS, made, copies)


def test_rows_come_clip_by_clip_the_clip_before_its_copies():
    views = views_of(q=[[1, 2]], p=[[3, 4], [5, 6]])
    rows = rows_of(TrainingSet(("q", "p"), np.array([0.1, 0.2]), ("g", "h")), views, shifts=(1, -1))
    assert rows.training.clips == ("p", "q")
    assert rows.x[:, 0].tolist() == [3, 5, -97, -95, 103, 105, 1, -99, 101]
    assert rows.clip.tolist() == [0] * 6 + [1] * 3
    assert rows.plain.tolist() == [True, True, False, False, False, False, True, False, False]
    assert rows.y.tolist() == [0.2] * 6 + [0.1] * 3
    assert views.asked == [(clip, shift) for clip in "pq" for shift in (0.0, -1.0, 1.0)]


def test_the_rows_of_a_clip_add_up_to_its_weight_and_weights_have_a_mean_of_1():
    views = views_of(q=[[1, 2]], p=[[3, 4], [5, 6]])
    training = TrainingSet(("p", "q"), np.zeros(2), ("g", "h"), np.array([30.0, 10.0]))
    rows = rows_of(training, views, shifts=(1,))
    np.testing.assert_allclose(np.bincount(rows.clip, weights=rows.weights), [1.5, 0.5])
    assert len(set(rows.weights[rows.clip == 0])) == 1
    assert rows_of(TrainingSet(("p", "q"), np.zeros(2), ("g", "h")), views).weights.tolist() == [0.5, 0.5, 1.0]


def test_rows_to_predict_keep_the_order_of_the_clips_and_ask_for_no_copy():
    views = views_of(q=[[1, 2]], p=[[3, 4], [5, 6]])
    x, clip = plain_rows(["q", "p", "q"], views)
    assert x[:, 1].tolist() == [2, 4, 6, 2]
    assert clip.tolist() == [0, 1, 1, 2]
    assert {shift for _, shift in views.asked} == {0.0}
    assert plain_rows([], views)[0].shape == (0, 2)


def test_predictions_of_a_clip_come_together_by_mean_or_by_maximum():
    values, clip = np.array([[1.0, -1.0], [5.0, -7.0], [3.0, 0.0]]), np.array([1, 1, 0])
    assert aggregated(values, clip, 2, "mean").tolist() == [[3.0, 0.0], [3.0, -4.0]]
    assert aggregated(values, clip, 2, "max").tolist() == [[3.0, 0.0], [5.0, -1.0]]


@pytest.mark.parametrize("shifts", [(0,), (1, 1), (float("nan"),), (float("inf"),)])
def test_shifts_that_cannot_be_are_refused(shifts):
    with pytest.raises(SpecError, match="different numbers of semitones"):
        check_shifts(shifts)


@pytest.mark.parametrize(
    ("rows", "message"),
    [([[1, 2, 3]], "shape"), (np.empty((0, 2)), "shape"), ([1, 2], "shape"), ([[1, np.inf]], "infinite")],
)
def test_what_views_may_not_give_is_refused_by_the_name_of_the_clip(rows, message):
    views = views_of(bad=rows)
    with pytest.raises(DataError, match=f"bad: .*{message}"):
        plain_rows(["bad"], views)
    with pytest.raises(DataError, match=f"bad: .*{message}"):
        rows_of(TrainingSet(("bad",), np.zeros(1), ("g",)), views)
