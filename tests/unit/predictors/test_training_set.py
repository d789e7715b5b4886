import numpy as np
import pytest

from otoscope.errors import LeakageError, SpecError
from otoscope.predictors.base import TrainingSet, check_apart


def test_clips_are_taken_with_their_scores_groups_and_weights():
    training = TrainingSet(("b", "c", "a"), np.array([1.0, 2.0, 3.0]), ("x", "x", "y"), np.array([1.0, 4.0, 9.0]))
    ordered = training.in_order()
    assert ordered.clips == ("a", "b", "c")
    assert ordered.y.tolist() == [3.0, 1.0, 2.0]
    assert ordered.groups == ("y", "x", "x")
    assert ordered.weights is not None
    assert ordered.weights.tolist() == [9.0, 1.0, 4.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros(3)}, "as many clips as scores"),
        ({"groups": ("x",)}, "as many clips as scores"),
        ({"weights": np.ones(3)}, "as many clips as scores"),
        ({"y": np.zeros((2, 1))}, "one dimension"),
        ({"weights": np.ones((1, 2))}, "one dimension"),
        ({"clips": ("a", "a")}, "stands twice"),
        ({"y": np.array([0.0, np.nan])}, "not finite"),
        ({"weights": np.array([1.0, 0.0])}, "above 0"),
        ({"weights": np.array([1.0, np.inf])}, "above 0"),
    ],
)
def test_what_cannot_be_a_training_set_is_refused(change, message):
    with pytest.raises(SpecError, match=message):
        TrainingSet(**({"clips": ("a", "b"), "y": np.zeros(2), "groups": ("x", "y")} | change))


def test_a_training_set_has_a_clip():
    with pytest.raises(SpecError, match="as many clips"):
        TrainingSet((), np.empty(0), ())


def test_a_group_on_two_sides_is_named():
    check_apart(["a", "b"], ["c"])
    with pytest.raises(LeakageError, match=r"1 group\(s\).*: b;"):
        check_apart(["a", "b"], ["b", "c"])
