"""Moments are exactly the sums of the stacked frames, however they were gathered."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otoscope.errors import MergeError, SpecError
from otoscope.probes.moments import MomentAccumulator, Moments, fold
from otoscope.probes.pools import equal_weight, leave_one_out

RELATIVE = 1e-12  # of the largest sum
COLUMNS = ("a", "b")


def frames(rng, n, dim=5):
    x = rng.normal(size=(n, dim)).astype(np.float32)
    x[:, 0] = 2000 + 0.5 * x[:, 0]
    return x, rng.normal(size=(n, 2))


def gather(x, y, shift, sizes=None, **options):
    accumulator = MomentAccumulator(x.shape[1], COLUMNS, shift, **options)
    edges = np.cumsum(sizes)[:-1] if sizes is not None else []
    for part_x, part_y in zip(np.split(x, edges), np.split(y, edges), strict=True):
        accumulator.add(part_x, part_y)
    return accumulator.moments()


def assert_close(one, other, relative=RELATIVE):
    assert one.columns == other.columns
    np.testing.assert_allclose(one.packed, other.packed, rtol=relative, atol=relative * np.abs(other.packed).max())


def test_moments_are_the_cross_products_of_the_stacked_rows(rng):
    x, y = frames(rng, 700)
    shift = x.mean(axis=0, dtype=np.float64)
    z = np.hstack([np.ones((700, 1)), x.astype(np.float64) - shift, y])
    np.testing.assert_allclose(gather(x, y, shift, block_rows=64).matrix(), z.T @ z, rtol=1e-11, atol=1e-9)


def test_means_and_covariances_are_those_of_numpy(rng):
    x, y = frames(rng, 900)
    shift = np.array([1999.0, 0.1, 0, 0, 0])
    c = gather(x, y, shift).centered()
    wide = x.astype(np.float64)
    assert c.n == 900
    np.testing.assert_allclose(c.mean_x + shift, wide.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(c.cxx, np.cov(wide.T, bias=True), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(c.cxy, (wide - wide.mean(0)).T @ (y - y.mean(0)) / 900, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(c.cyy, y.var(axis=0), rtol=1e-10)


@given(st.lists(st.integers(0, 150), min_size=1, max_size=12), st.integers(1, 64), st.randoms(use_true_random=False))
def test_neither_order_nor_size_of_the_parts_matters(sizes, block_rows, random):
    rng = np.random.default_rng(3)
    x, y = frames(rng, sum(sizes))
    shift = np.full(5, 0.25)
    shift[0] = 2000
    whole = gather(x, y, shift)
    assert_close(gather(x, y, shift, sizes, block_rows=block_rows), whole)
    order = list(range(sum(sizes)))
    random.shuffle(order)
    assert_close(gather(x[order], y[order], shift, block_rows=block_rows), whole)


def test_merging_is_stacking_and_empty_is_its_identity(rng):
    x, y = frames(rng, 400)
    shift = x.mean(axis=0, dtype=np.float64)
    parts = [gather(x[a:b], y[a:b], shift) for a, b in ((0, 13), (13, 200), (200, 400))]
    assert_close(fold(parts), gather(x, y, shift))
    empty = Moments.empty(5, COLUMNS, shift)
    assert np.array_equal((parts[0] + empty).packed, parts[0].packed)
    with pytest.raises(MergeError, match="no moments"):
        fold([])


def test_rebasing_gives_what_the_other_shift_would_have_given(rng):
    x, y = frames(rng, 500)
    here, there = np.array([1999.0, 1, 1, 1, 1]), np.array([2000.5, 0, -1, 2, 0.5])
    assert_close(gather(x, y, here).rebase(there), gather(x, y, there), relative=1e-9)


def test_moments_that_do_not_fit_are_not_added(rng):
    x, y = frames(rng, 20)
    one = gather(x, y, np.zeros(5))
    with pytest.raises(MergeError, match="different shifts"):
        _ = one + gather(x, y, np.ones(5))
    with pytest.raises(MergeError, match="columns"):
        _ = one + one.select(("b", "a"))
    with pytest.raises(MergeError, match="5 and of 4 dimensions"):
        _ = one + gather(x[:, :4], y, np.zeros(4))


def test_selecting_columns_is_leaving_out_targets(rng):
    x, y = frames(rng, 60)
    picked = gather(x, y, np.zeros(5)).select(("b",))
    accumulator = MomentAccumulator(5, ("b",), np.zeros(5))
    accumulator.add(x, y[:, 1:])
    assert_close(picked, accumulator.moments())
    with pytest.raises(SpecError, match=r"no column \['c'\]"):
        picked.select(("c",))


def test_targets_must_be_finite_and_shapes_must_fit(rng):
    x, y = frames(rng, 6)
    accumulator = MomentAccumulator(5, COLUMNS, np.zeros(5))
    with pytest.raises(SpecError, match="not finite"):
        accumulator.add(x, np.full_like(y, np.nan))
    with pytest.raises(SpecError, match=r"\(n, 5\)"):
        accumulator.add(x[:, :3], y)


def test_the_accumulator_leaves_its_arguments_alone(rng):
    x, y = frames(rng, 90)
    x.flags.writeable = y.flags.writeable = False
    accumulator = MomentAccumulator(5, COLUMNS, np.zeros(5), block_rows=32)
    accumulator.add(x, y)
    first = accumulator.moments()
    before = first.packed.copy()
    accumulator.add(x, y)
    assert np.array_equal(first.packed, before)
    assert accumulator.moments().n == 180


def test_single_precision_blocks_stay_near_double_ones(rng):
    x, y = frames(rng, 5000)
    shift = x.mean(axis=0, dtype=np.float64)
    double, single = gather(x, y, shift), gather(x, y, shift, precision="float32")
    assert not np.array_equal(double.packed, single.packed)
    np.testing.assert_allclose(single.packed, double.packed, atol=1e-5 * np.abs(double.packed).max())


def test_leaving_one_out_is_adding_all_the_others(rng):
    x, y = frames(rng, 100)
    parts = [gather(x[i::5], y[i::5], np.zeros(5)) for i in range(5)]
    for i, rest in enumerate(leave_one_out(parts)):
        assert rest is not None
        assert_close(rest, fold(part for j, part in enumerate(parts) if j != i))
    assert list(leave_one_out(parts[:1])) == [None]
    assert list(leave_one_out([])) == []


def test_leaving_one_out_keeps_the_digits_that_a_subtraction_loses(rng):
    x, y = frames(rng, 50)
    small, large = gather(x[:, 1:], y, np.zeros(4)), gather(1e9 * x[:, 1:], y, np.zeros(4))
    left = next(leave_one_out([large, small]))
    assert left is not None
    assert np.array_equal(left.packed, small.packed)
    subtracted = (large + small).packed - large.packed
    assert np.abs(subtracted / small.packed - 1).max() > 1e-3  # what the law protects from


def test_equal_weight_makes_every_language_weigh_one(rng):
    x, y = frames(rng, 70)
    weighed = equal_weight(gather(x, y, np.zeros(5)))
    assert weighed.n == pytest.approx(1.0, abs=1e-15)
    np.testing.assert_allclose(weighed.centered().cyy, y.var(axis=0), rtol=1e-11)
