"""Laws of the integer clock, for any stack of convolutions and any grid."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from otoscope.frames import FrameGrid

STACKS = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 6)), min_size=1, max_size=8)
GRIDS = st.builds(
    FrameGrid,
    st.integers(1, 192_000),
    hop=st.integers(1, 5000),
    receptive_field=st.integers(1, 5000),
    start=st.integers(-5000, 5000),
)


def one_by_one(stack, n_samples):
    """Length of the output, layer by layer: torch's formula for an unpadded convolution."""
    for kernel, stride in stack:
        if n_samples < kernel:
            return 0
        n_samples = (n_samples - kernel) // stride + 1
    return n_samples


@given(STACKS, st.integers(0, 20_000))
def test_any_stack_counts_what_its_convolutions_count_one_after_another(stack, n_samples):
    kernels, strides = zip(*stack, strict=True)
    grid = FrameGrid.of_convolutions(kernels, strides, sample_rate=16_000)
    assert grid.count(n_samples) == one_by_one(stack, n_samples)
    assert one_by_one(stack, grid.receptive_field) == 1
    assert one_by_one(stack, grid.receptive_field - 1) == 0


@given(STACKS, STACKS)
def test_a_stack_on_a_stack_is_one_stack(lower, upper):
    def grid(stack):
        kernels, strides = zip(*stack, strict=True)
        return FrameGrid.of_convolutions(kernels, strides, sample_rate=8000)

    both, low, high = grid(lower + upper), grid(lower), grid(upper)
    assert both.hop == low.hop * high.hop
    assert both.receptive_field == low.receptive_field + (high.receptive_field - 1) * low.hop


@given(GRIDS, st.integers(0, 100_000), st.integers(0, 5000))
def test_the_frames_counted_are_those_that_end_inside(grid, n_samples, padding):
    count = grid.count(n_samples, padding=padding)
    end = n_samples + padding
    assert count >= 0
    if count:
        assert grid.start + (count - 1) * grid.hop + grid.receptive_field <= end
    assert grid.start + count * grid.hop + grid.receptive_field > end


@given(GRIDS, st.integers(1, 60))
def test_every_centre_is_the_nearest_double_to_the_rational(grid, n_frames):
    centres = grid.centers(n_frames)
    assert centres.shape == (n_frames,)
    for i, centre in enumerate(centres.tolist()):
        exact = (grid.start + i * grid.hop + Fraction(grid.receptive_field, 2)) / grid.sample_rate
        assert centre == float(exact)


@given(GRIDS, st.integers(0, 10**7))
def test_frames_in_is_the_least_number_of_hops_that_last_so_long(grid, n_samples):
    hops = grid.frames_in(n_samples / grid.sample_rate)
    assert hops * grid.hop >= n_samples > (hops - 1) * grid.hop
