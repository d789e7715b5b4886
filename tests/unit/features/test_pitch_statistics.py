import math

import numpy as np
import pytest
from scipy.stats import entropy

from otoscope.features.pitch_statistics import (
    class_entropy_bits,
    entropy_bits,
    mean_or_nan,
    std_or_nan,
    summarise_intervals,
)


def test_entropy_is_that_of_scipy(rng):
    counts = rng.integers(0, 9, 40)
    assert entropy_bits(counts) == pytest.approx(entropy(counts, base=2))


def test_entropy_of_equal_shares_is_the_logarithm_of_their_number_and_of_one_value_zero():
    assert entropy_bits(np.full(16, 0.3)) == pytest.approx(4.0)
    assert math.copysign(1.0, entropy_bits([0, 5])) == 1.0
    assert entropy_bits([0, 5]) == 0.0


def test_octaves_do_not_add_to_the_entropy_of_classes(rng):
    counts = rng.integers(1, 9, 12)
    assert class_entropy_bits(np.tile(counts, 7)[:-1].astype(float)) != entropy_bits(counts)
    assert class_entropy_bits(np.tile(counts, 7)) == pytest.approx(entropy_bits(counts))
    assert class_entropy_bits(np.roll(np.tile(counts, 7), 5)) == pytest.approx(entropy_bits(counts))


def test_nothing_has_no_statistic():
    nothing = np.zeros(0)
    assert math.isnan(mean_or_nan(nothing))
    assert math.isnan(std_or_nan([3.0]))
    assert math.isnan(entropy_bits(nothing))
    assert math.isnan(class_entropy_bits(np.zeros(24)))


def test_a_line_that_stays_repeats_its_note_and_does_not_move():
    still = summarise_intervals(np.zeros(5, dtype=np.int64))
    assert still.repeats == 1.0
    assert all(math.isnan(value) for value in (still.size, still.rising, still.steps, still.entropy))


def test_a_mirrored_line_falls_where_the_line_rises(rng):
    intervals = rng.integers(-5, 6, 50)
    line, mirror = summarise_intervals(intervals), summarise_intervals(-intervals)
    assert mirror.rising == pytest.approx(1 - line.rising)
    assert (mirror.size, mirror.steps, mirror.repeats) == (line.size, line.steps, line.repeats)
    assert mirror.entropy == pytest.approx(line.entropy)
