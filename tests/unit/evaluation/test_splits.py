"""No group is divided, and every choice is a function of its seed and names."""

import hashlib
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otoscope.errors import SpecError
from otoscope.evaluation.splits import connected_groups, hash_block, seeded_generator, split_by_group

SIDES = ("train", "dev", "test")
ITEMS = st.lists(
    st.dictionaries(st.sampled_from(["sentence", "speaker", "room"]), st.sampled_from("abcdef"), min_size=1),
    max_size=14,
)


def many(n_sets, size=1, language="en"):
    groups = [{"sentence": f"{language}-{i}"} for i in range(n_sets) for _ in range(size)]
    return groups, [language] * len(groups)


def joined_by_brute_force(items):
    """Join sets of items that share a pair until nothing moves: no roots, no paths."""
    label = list(range(len(items)))
    moved = True
    while moved:
        moved = False
        for i, one in enumerate(items):
            for j, other in enumerate(items):
                if label[i] < label[j] and one.items() & other.items():
                    label[j] = label[i]
                    moved = True
    return label


def test_items_hang_together_through_chains_over_two_keys():
    items = [
        {"sentence": "1", "voice": "x"},
        {"sentence": "2", "voice": "x"},
        {"sentence": "2", "voice": "y"},
        {"sentence": "3", "voice": "z"},
        {"sentence": "4", "voice": "z"},
        {"voice": "y"},
    ]
    first, second = "sentence=1", "sentence=3"
    assert connected_groups(items) == [first, first, first, second, second, first]


def test_the_same_value_of_another_key_joins_nothing():
    assert connected_groups([{"speaker": "a"}, {"sentence": "a"}]) == ["speaker=a", "sentence=a"]


def test_items_without_keys_stand_alone():
    assert len(set(connected_groups([{}, {}, {"speaker": "a"}]))) == 3
    assert connected_groups([]) == []


@given(ITEMS)
def test_connected_sets_are_those_of_brute_force(items):
    names, label = connected_groups(items), joined_by_brute_force(items)
    for i in range(len(items)):
        for j in range(i):
            assert (names[i] == names[j]) == (label[i] == label[j])


@given(ITEMS)
def test_a_set_bears_the_name_of_its_least_pair(items):
    names, label = connected_groups(items), joined_by_brute_force(items)
    for i, name in enumerate(names):
        inside = [item for item, other in zip(items, label, strict=True) if other == label[i]]
        assert name == min(f"{key}={value}" for item in inside for key, value in item.items())


@given(ITEMS, st.randoms(use_true_random=False))
def test_the_order_of_the_items_changes_no_name(items, random):
    order = list(range(len(items)))
    random.shuffle(order)
    names = connected_groups(items)
    assert connected_groups([items[i] for i in order]) == [names[i] for i in order]


def test_a_name_has_the_same_block_everywhere_and_always():
    assert [hash_block(name, 32) for name in ("sentence=1", "sentence=2", "", "ngũ")] == [13, 2, 20, 11]
    assert hash_block("sentence=1", 5) == int(hashlib.sha256(b"sentence=1").hexdigest()[:16], 16) % 5


@given(st.text(max_size=20), st.integers(1, 1000))
def test_a_block_lies_in_its_range(name, n_blocks):
    assert 0 <= hash_block(name, n_blocks) < n_blocks


def test_blocks_are_filled_evenly():
    counts = Counter(hash_block(f"sentence={i}", 8) for i in range(8000))
    # Multinomial: the standard deviation of each count is 30.
    assert set(counts) == set(range(8))
    assert max(abs(count - 1000) for count in counts.values()) < 4 * 30


def test_equal_seeds_and_names_give_equal_numbers_and_others_give_others():
    base = seeded_generator(3, "shift", "clip 1").random(4)
    assert np.array_equal(seeded_generator(3, "shift", "clip 1").random(4), base)
    others = [(4, "shift", "clip 1"), (3, "shift", "clip 2"), (3, "shift"), (3, "clip 1", "shift"), (3,)]
    drawn = [tuple(seeded_generator(seed, *names).random(4)) for seed, *names in others]
    assert len({*drawn, tuple(base)}) == len(others) + 1


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_every_process_draws_and_splits_the_same(hash_seed):
    program = (
        "from otoscope.evaluation.splits import seeded_generator, split_by_group\n"
        "groups = [{'sentence': str(i), 'voice': str(i % 20)} for i in range(40)]\n"
        "print(seeded_generator(0, 'shift').random(), *split_by_group(groups, ['en'] * 40, seed=5))\n"
    )
    groups = [{"sentence": str(i), "voice": str(i % 20)} for i in range(40)]
    here = [str(seeded_generator(0, "shift").random()), *split_by_group(groups, ["en"] * 40, seed=5)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    there = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert there.stdout.split() == here


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from(["en", "zu"])), min_size=1, max_size=40),
    st.integers(0, 5),
)
def test_no_connected_set_is_divided(drawn, seed):
    groups = [{"sentence": str(s), "voice": str(v)} for s, v, _ in drawn]
    sets = connected_groups(groups)
    strata = [language for *_, language in drawn]
    if len(set(sets)) < 3:
        with pytest.raises(SpecError, match="no clip can be held out"):
            split_by_group(groups, strata, seed=seed)
        return
    sides = split_by_group(groups, strata, seed=seed)
    assert len(sides) == len(groups)
    assert set(sides) <= set(SIDES)
    assert all(len({side for side, s in zip(sides, sets, strict=True) if s == name}) == 1 for name in sets)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_sets", [3, 4, 5, 9, 30])
def test_every_stratum_of_three_sets_or_more_has_all_three_sides(n_sets, seed):
    groups, strata = [], []
    for language in ("en", "zu", "th"):
        rng = np.random.default_rng([n_sets, seed])
        for i, size in enumerate(rng.integers(1, 12, n_sets)):
            groups += [{"sentence": f"{language}-{i}"}] * int(size)
            strata += [language] * int(size)
    sides = split_by_group(groups, strata, seed=seed)
    for language in ("en", "zu", "th"):
        assert {side for side, at in zip(sides, strata, strict=True) if at == language} == set(SIDES)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("n_sets", [20, 33, 100, 407])
def test_shares_of_many_equal_sets_are_within_one_set_of_70_10_and_20_per_cent(n_sets, size):
    counts = Counter(split_by_group(*many(n_sets, size), seed=1))
    for side, share in (("train", 0.7), ("dev", 0.1), ("test", 0.2)):
        assert abs(counts[side] - share * n_sets * size) < size


def test_other_shares_are_kept_as_well():
    counts = Counter(split_by_group(*many(50), seed=1, fractions={"train": 0.5, "dev": 0.3, "test": 0.2}))
    assert counts == {"train": 25, "dev": 15, "test": 10}


def test_a_stratum_is_shared_out_for_itself():
    groups, strata = (a + b for a, b in zip(many(100, language="en"), many(10, language="zu"), strict=True))
    sides = split_by_group(groups, strata, seed=2)
    assert Counter(sides[100:]) == {"train": 7, "dev": 1, "test": 2}
    assert sides[:100] == split_by_group(*many(100, language="en"), seed=2)


def test_equal_seeds_give_equal_splits_and_other_seeds_others():
    groups, strata = many(40)
    splits = [split_by_group(groups, strata, seed=seed) for seed in range(6)]
    assert split_by_group(groups, strata, seed=0) == splits[0]
    assert len({tuple(split) for split in splits}) == 6


def test_every_set_comes_to_every_side_with_some_seed():
    groups, strata = many(10)
    splits = [split_by_group(groups, strata, seed=seed) for seed in range(120)]
    for item in range(10):
        assert {split[item] for split in splits} == set(SIDES)


def test_the_order_of_the_items_changes_no_side(rng):
    groups = [{"sentence": str(i // 2), "voice": str(i // 6)} for i in range(60)]
    strata = ["en" if i < 30 else "zu" for i in range(60)]
    sides = split_by_group(groups, strata, seed=0)
    order = rng.permutation(60)
    assert split_by_group([groups[i] for i in order], [strata[i] for i in order], seed=0) == [sides[i] for i in order]


@pytest.mark.parametrize("n_sets", [0, 1, 2])
def test_with_fewer_than_three_sets_nothing_can_be_held_out(n_sets):
    groups, strata = many(n_sets, 5)
    with pytest.raises(SpecError, match=rf"the {5 * n_sets} clips hang together in {n_sets} group\(s\)") as caught:
        split_by_group(groups, strata, seed=0)
    assert "name fewer group keys, or give the split yourself" in str(caught.value)
    assert n_sets == 0 or "['sentence']" in str(caught.value)
