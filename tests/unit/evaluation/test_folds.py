"""Every track is tested once, beside none of its group, in a fold that the order of the rows cannot change."""

from collections import Counter

import numpy as np
import pytest

from otoscope.errors import LeakageError, SpecError
from otoscope.evaluation.folds import Fold, check_fold, contiguous_folds, fold_numbers, repeated_folds

N = 235


def names(n=N):
    return [f"track{i:03d}" for i in range(n)]


def place(folds, ids):
    """Give the fold of each id in each repeat."""
    return {(fold.repeat, ids[row]): fold.fold for fold in folds for row in fold.test}


def test_every_track_is_tested_once_in_each_repeat_and_else_trained_on():
    folds = repeated_folds(names(), names(), folds=10, repeats=3)
    assert [(fold.repeat, fold.fold) for fold in folds] == [(r, f) for r in range(3) for f in range(10)]
    for repeat in range(3):
        tested = np.concatenate([fold.test for fold in folds if fold.repeat == repeat])
        assert sorted(tested.tolist()) == list(range(N))
    for fold in folds:
        assert np.array_equal(np.union1d(fold.train, fold.test), np.arange(N))
        assert np.all(np.diff(fold.test) > 0)
        check_fold(fold, names())


def test_folds_of_single_tracks_differ_by_one_at_most():
    sizes = {fold.test.size for fold in repeated_folds(names(), names())}
    assert sizes == {23, 24}


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_divided_and_folds_stay_even(rng, seed):
    groups = [f"artist{i}" for i in rng.geometric(0.04, size=N)]
    folds = repeated_folds(names(), groups, folds=5, repeats=4, seed=seed)
    largest = max(Counter(groups).values())
    for fold in folds:
        check_fold(fold, groups)
    for repeat in range(4):
        sizes = [fold.test.size for fold in folds if fold.repeat == repeat]
        assert max(sizes) - min(sizes) <= largest


def test_an_even_division_is_found_where_a_hasty_one_is_uneven():
    ids, groups = ["a", "b", "c", "d"], ["x", "x", "y", "z"]
    for seed in range(20):
        folds = repeated_folds(ids, groups, folds=2, repeats=5, seed=seed)
        assert {fold.test.size for fold in folds} == {2}


def test_the_order_of_the_rows_changes_nothing(rng):
    groups = [f"artist{i % 90}" for i in range(N)]
    order = rng.permutation(N)
    mixed, mixed_groups = [names()[i] for i in order], [groups[i] for i in order]
    one = repeated_folds(names(), groups, seed=3)
    other = repeated_folds(mixed, mixed_groups, seed=3)
    assert place(one, names()) == place(other, mixed)


def test_repeats_and_seeds_give_other_folds():
    folds = repeated_folds(names(), names(), repeats=2)
    first, second = fold_numbers(folds, N)
    assert np.mean(first == second) < 0.2
    (third,) = fold_numbers(repeated_folds(names(), names(), repeats=1, seed=1), N)
    assert np.mean(first == third) < 0.2


def test_two_tracks_meet_in_a_fold_as_often_as_chance_has_it():
    folds = fold_numbers(repeated_folds(names(40), names(40), folds=4, repeats=400), 40)
    met = np.mean(folds[:, :1] == folds[:, 1:])
    assert met == pytest.approx(9 / 39, abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            (["a", "b", "c"], ["x", "x", "y"], {"folds": 3}),
            r"the 3 tracks make 2 group\(s\), too few for 3 folds; give at most 2 folds, or group by",
        ),
        ((["a", "b"], ["x", "x"], {"folds": 2}), "make 1 .* no track can be held out: group by something finer"),
        ((["a", "a"], ["x", "y"], {"folds": 2}), "the id 'a' stands twice"),
        ((["a", "b"], ["x"], {"folds": 2}), "2 ids and 1 groups"),
        ((["a", "b"], ["x", "y"], {"folds": 1}), "at least 2 folds"),
        ((["a", "b"], ["x", "y"], {"folds": 2, "repeats": 0}), "0 repeats"),
    ],
)
def test_folds_that_cannot_be_are_refused(arguments, words):
    ids, groups, options = arguments
    with pytest.raises(SpecError, match=words):
        repeated_folds(ids, groups, **options)


def test_the_protocol_of_the_first_study_leaves_the_last_tracks_untested():
    folds = contiguous_folds(N, folds=10)
    assert [fold.test.size for fold in folds] == [23] * 10
    assert np.array_equal(np.concatenate([fold.test for fold in folds]), np.arange(230))
    for fold in folds:
        assert set(range(230, 235)) <= set(fold.train.tolist())
        assert np.array_equal(np.sort(np.concatenate([fold.train, fold.test])), np.arange(N))
        check_fold(fold, names())
    assert np.flatnonzero(fold_numbers(folds, N)[0] == -1).tolist() == [230, 231, 232, 233, 234]


def test_contiguous_folds_need_a_row_each():
    assert [fold.test.tolist() for fold in contiguous_folds(3, folds=3)] == [[0], [1], [2]]
    with pytest.raises(SpecError, match=r"2 row\(s\), too few for 3 folds"):
        contiguous_folds(2, folds=3)
    with pytest.raises(SpecError, match="at least 2"):
        contiguous_folds(9, folds=1)


@pytest.mark.parametrize(
    ("train", "test", "error", "words"),
    [
        ([0, 1], [1, 2], LeakageError, "row 1 is trained on and tested"),
        ([0, 1], [2], LeakageError, "repeat 2, fold 4: 1 group.s. stand on both sides: x"),
        ([], [2], SpecError, "nothing is left to train"),
        ([0], [], SpecError, "nothing is left to test"),
        ([0], [5], SpecError, "outside of 0 to 3"),
        ([-1], [1], SpecError, "the train side names rows outside"),
    ],
)
def test_a_fold_that_leaks_is_refused(train, test, error, words):
    fold = Fold(2, 4, np.array(train, dtype=np.intp), np.array(test, dtype=np.intp))
    with pytest.raises(error, match=words):
        check_fold(fold, ["x", "y", "x", "z"])
