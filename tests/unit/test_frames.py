"""The clock of frames: torch's own convolutions and exact rationals are the oracles."""

from fractions import Fraction

import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.frames import FrameGrid

RATE = 16_000
KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)


def exact_centre(grid, i):
    return (Fraction(grid.start) + i * grid.hop + Fraction(grid.receptive_field, 2)) / grid.sample_rate


def test_the_stack_of_the_speech_models_has_400_samples_every_320():
    grid = FrameGrid.of_convolutions(KERNELS, STRIDES, sample_rate=RATE)
    assert grid == FrameGrid(RATE, hop=320, receptive_field=400, start=0)
    assert grid.frame_rate == 50.0


def test_grid_counts_what_the_convolutions_produce():
    import torch

    stack = torch.nn.Sequential(
        *(torch.nn.Conv1d(1, 1, k, stride=s, bias=False) for k, s in zip(KERNELS, STRIDES, strict=True))
    )
    grid = FrameGrid.of_convolutions(KERNELS, STRIDES, sample_rate=RATE)
    with torch.no_grad():
        for n_samples in range(400, 1201):
            assert grid.count(n_samples) == stack(torch.zeros(1, 1, n_samples)).shape[-1], n_samples


def test_a_frame_of_the_convolutions_sees_the_samples_that_the_grid_says():
    import torch

    stack = torch.nn.Sequential(
        *(torch.nn.Conv1d(1, 1, k, stride=s, bias=False) for k, s in zip(KERNELS, STRIDES, strict=True))
    )
    for layer in stack:
        torch.nn.init.ones_(layer.weight)
    grid = FrameGrid.of_convolutions(KERNELS, STRIDES, sample_rate=RATE)
    signal = torch.zeros(1, 1, 1400, requires_grad=True)
    for frame in range(grid.count(1400)):
        (gradient,) = torch.autograd.grad(stack(signal)[0, 0, frame], signal)
        seen = np.flatnonzero(gradient.numpy()[0, 0])
        middle = Fraction(int(seen[0]) + int(seen[-1]) + 1, 2 * RATE)
        assert seen.size == grid.receptive_field
        assert middle == exact_centre(grid, frame)


def test_what_is_shorter_than_one_frame_has_none():
    grid = FrameGrid.of_convolutions(KERNELS, STRIDES, sample_rate=RATE)
    assert [grid.count(n) for n in (0, 1, 79, 80, 81, 399)] == [0] * 6
    assert [grid.count(n) for n in (400, 719, 720)] == [1, 1, 2]


@pytest.mark.parametrize(("n_fft", "hop"), [(400, 160), (512, 128), (1024, 256), (2, 1), (64, 100)])
def test_a_centred_transform_has_one_frame_more_than_whole_hops(n_fft, hop):
    grid = FrameGrid(RATE, hop=hop, receptive_field=n_fft, start=-n_fft // 2)
    for n_samples in range(0, 1500, 7):
        assert grid.count(n_samples, padding=n_fft // 2) == 1 + n_samples // hop
    assert grid.centers(4).tolist() == [i * hop / RATE for i in range(4)]


def test_a_centred_transform_of_torch_has_as_many_frames():
    import torch

    grid = FrameGrid(RATE, hop=160, receptive_field=400, start=-200)
    for n_samples in (400, 1599, 1600, 1601, 16_000):
        spectrum = torch.stft(
            torch.zeros(n_samples), 400, 160, center=True, window=torch.ones(400), return_complex=True
        )
        assert grid.count(n_samples, padding=200) == spectrum.shape[-1]


@pytest.mark.parametrize("sample_rate", [16_000, 22_050, 44_100, 48_000, 11_025])
def test_centres_are_the_nearest_doubles_to_the_exact_rationals(sample_rate):
    for start in (-200, 0, 10**12 + 1):
        grid = FrameGrid(sample_rate, hop=999_999_937, receptive_field=401, start=start)
        centres = grid.centers(1000)
        assert centres.dtype == np.float64
        for i in (0, 1, 2, 500, 998, 999):
            assert centres[i] == float(exact_centre(grid, i))


def test_centres_do_not_drift_over_a_million_frames():
    grid = FrameGrid(RATE, hop=320, receptive_field=400)
    centres = grid.centers(1_000_001)
    assert centres[-1] == float(Fraction(1_000_000 * 320 + 200, RATE)) == 20_000.0125
    assert grid.centers(0).shape == (0,)


@pytest.mark.parametrize("name", ["sample_rate", "hop", "receptive_field", "start"])
@pytest.mark.parametrize("value", [1.0, "160", True, None])
def test_what_is_no_whole_number_is_refused_by_name(name, value):
    values = {"sample_rate": RATE, "hop": 320, "receptive_field": 400, "start": 0, name: value}
    with pytest.raises(SpecError, match=rf"FrameGrid: {name} is {value!r}; a whole number of samples is needed"):
        FrameGrid(**values)


@pytest.mark.parametrize("name", ["sample_rate", "hop", "receptive_field"])
@pytest.mark.parametrize("value", [0, -1])
def test_what_is_not_above_zero_is_refused_by_name(name, value):
    values = {"sample_rate": RATE, "hop": 320, "receptive_field": 400, name: value}
    with pytest.raises(SpecError, match=rf"FrameGrid: {name} is {value}; it must be above 0"):
        FrameGrid(**values)
    assert FrameGrid(RATE, hop=320, receptive_field=400, start=value).start == value


@pytest.mark.parametrize(("kernels", "strides"), [((), ()), ((3, 3), (2,)), ((), (2,))])
def test_a_stack_has_as_many_strides_as_kernels_and_at_least_one(kernels, strides):
    with pytest.raises(
        SpecError, match=rf"FrameGrid: {len(kernels)} kernels and {len(strides)} strides; equally many"
    ):
        FrameGrid.of_convolutions(kernels, strides, sample_rate=RATE)


@pytest.mark.parametrize(
    ("seconds", "hops"),
    [(0.0, 0), (1.0, 50), (0.02, 1), (0.0200625, 2), (0.1 + 0.2, 15), (1e-6, 1), (3600.0, 180_000)],
)
def test_a_duration_is_rounded_up_to_hops_but_not_by_rounding_errors(seconds, hops):
    assert FrameGrid(RATE, hop=320, receptive_field=400).frames_in(seconds) == hops
