import numpy as np
import pytest
from threadpoolctl import threadpool_info

from otoscope.predictors.inner import MIN_GROUPS, held_out_predictions, inner_folds, single_thread


def test_no_group_is_divided_and_folds_are_of_one_size(rng):
    groups = [f"song {i}" for i in rng.integers(0, 60, size=211)]
    folds = inner_folds(groups, seed=0)
    assert all(len({fold for fold, each in zip(folds, groups, strict=True) if each == g}) == 1 for g in groups)
    assert np.ptp(np.bincount(folds)) <= 2


def test_folds_depend_on_the_groups_and_the_seed_and_not_on_the_order(rng):
    groups = np.array([f"song {i // 3}" for i in range(90)])
    order = rng.permutation(90)
    folds = inner_folds(groups.tolist(), seed=1)
    np.testing.assert_array_equal(inner_folds(groups[order].tolist(), seed=1), folds[order])
    assert not np.array_equal(inner_folds(groups.tolist(), seed=2), folds)


def test_too_few_groups_are_not_divided():
    assert inner_folds([f"g{i % (MIN_GROUPS - 1)}" for i in range(100)], seed=0) is None
    assert inner_folds([f"g{i}" for i in range(MIN_GROUPS)], seed=0) is not None


@pytest.mark.parametrize(("how", "expected"), [("mean", [0.5, 2.0, 3.0]), ("max", [1.0, 2.0, 3.0])])
def test_every_clip_is_predicted_from_the_other_folds_and_copies_never_are(how, expected):
    clip, plain = np.array([0, 0, 0, 1, 2, 2]), np.array([True, True, False, True, True, False])
    seen = []

    def fit_and_predict(train, test):
        seen.append((train.tolist(), test.tolist()))
        return test[:, None] * np.array([1.0, 0.0]) - np.array([[1.0, 0.0]]) * (test[:, None] > 2)

    held = held_out_predictions(np.array([1, 0, 1]), clip, plain, how, fit_and_predict)
    assert seen == [([0, 1, 2, 4, 5], [3]), ([3], [0, 1, 4])]
    assert held[:, 0].tolist() == expected
    assert held[:, 1].tolist() == [0.0, 0.0, 0.0]


def test_linear_algebra_gets_one_thread_and_its_threads_back():
    before = [pool["num_threads"] for pool in threadpool_info()]
    with single_thread():
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    assert [pool["num_threads"] for pool in threadpool_info()] == before
