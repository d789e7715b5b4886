"""Sampling a track is what it says, for any track and any times: an oracle in whole microseconds decides."""

import math
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from otoscope.alignment import sample_track
from otoscope.f0.base import F0Track, TrackerInfo

RELATIVE = 1e-12  # of the F0
MICROSECOND = 1e-6  # seconds
INFO = TrackerInfo("drawn", "1", {})


@st.composite
def tracks(draw, least=0):
    """Draw own times in microseconds, increasing, and an F0 or None for each."""
    steps = draw(st.lists(st.integers(1, 40), min_size=max(least, 0), max_size=14))
    even = draw(st.booleans())
    start = draw(st.integers(-20_000, 20_000))
    gaps = [500 * (10 if even else step) for step in steps]
    own = [start + sum(gaps[:i]) for i in range(len(gaps))]
    f0_hz = draw(st.lists(st.none() | st.floats(50, 600), min_size=len(own), max_size=len(own)))
    return own, f0_hz


# Multiples of 250 microseconds: ties and half hops are hit exactly.
TIMES = st.lists(st.integers(-200, 600).map(lambda t: 250 * t) | st.integers(-40_000, 150_000), max_size=20)


def track_of(own, f0_hz):
    values = np.array([np.nan if f is None else f for f in f0_hz], dtype=np.float64)
    return F0Track(np.array(own, dtype=np.float64) * MICROSECOND, values, ~np.isnan(values), INFO, "clip")


def sampled(own, f0_hz, times):
    return sample_track(track_of(own, f0_hz), np.array(times, dtype=np.float64) * MICROSECOND)


def one_by_one(own, f0_hz, time):
    """Say whether a time is covered, and its F0 or None: one time, whole numbers, no arrays."""
    if not own:
        return False, None
    gaps = sorted(b - a for a, b in pairwise(own))
    twice_median = gaps[len(gaps) // 2] + gaps[(len(gaps) - 1) // 2] if gaps else 0
    if 4 * (own[0] - time) > twice_median or 4 * (time - own[-1]) > twice_median:
        return False, None
    nearest = min(range(len(own)), key=lambda i: (abs(own[i] - time), i))
    if f0_hz[nearest] is None:
        return True, None
    for i, (a, b) in enumerate(pairwise(own)):
        if a <= time <= b and f0_hz[i] is not None and f0_hz[i + 1] is not None:
            low, high = math.log(f0_hz[i]), math.log(f0_hz[i + 1])
            return True, math.exp(low + (high - low) * (time - a) / (b - a))
    return True, f0_hz[nearest]


@given(tracks(), TIMES)
def test_sampling_is_what_an_oracle_says_of_each_time(track, times):
    got = sampled(*track, times)
    for i, time in enumerate(times):
        covered, f0_hz = one_by_one(*track, time)
        assert got.covered[i] == covered
        assert got.voiced[i] == (f0_hz is not None)
        if f0_hz is not None:
            assert math.isclose(got.f0_hz[i], f0_hz, rel_tol=RELATIVE)


@given(tracks(), TIMES)
def test_f0_is_missing_exactly_where_there_is_no_voice_and_voice_is_covered(track, times):
    got = sampled(*track, times)
    assert np.array_equal(np.isnan(got.f0_hz), ~got.voiced)
    assert not np.any(got.voiced & ~got.covered)


@given(tracks(), TIMES)
def test_every_value_lies_between_those_of_its_neighbours(track, times):
    own, f0_hz = track
    got = sampled(own, f0_hz, times)
    for i in np.flatnonzero(got.voiced):
        after = int(np.searchsorted(own, times[i]))
        near = [f for f in f0_hz[max(after - 1, 0) : after + 1] if f is not None]
        assert min(near) * (1 - RELATIVE) <= got.f0_hz[i] <= max(near) * (1 + RELATIVE)


@given(tracks(least=1))
def test_at_its_own_times_any_track_is_itself(track):
    own, f0_hz = track
    got, truth = sampled(own, f0_hz, own), track_of(own, f0_hz)
    assert got.covered.all()
    assert np.array_equal(got.voiced, truth.voiced)
    np.testing.assert_allclose(got.f0_hz, truth.f0_hz, rtol=RELATIVE)


@given(tracks(), TIMES, st.floats(0.25, 4.0))
def test_another_register_is_another_register_at_all_times(track, times, factor):
    own, f0_hz = track
    one = sampled(own, f0_hz, times)
    other = sampled(own, [None if f is None else factor * f for f in f0_hz], times)
    assert np.array_equal(one.voiced, other.voiced)
    np.testing.assert_allclose(other.f0_hz, factor * one.f0_hz, rtol=RELATIVE)


@given(tracks(least=1), st.data())
def test_what_lies_beyond_an_unvoiced_frame_changes_nothing(track, data):
    own, f0_hz = track
    gap = data.draw(st.integers(0, len(own) - 1))
    f0_hz = [*f0_hz[:gap], None, *f0_hz[gap + 1 :]]
    times = data.draw(st.lists(st.integers(own[0] - 5000, own[gap]), max_size=15))
    louder = [*f0_hz[: gap + 1], *(None if f is None else 3 * f for f in f0_hz[gap + 1 :])]
    one, other = sampled(own, f0_hz, times), sampled(own, louder, times)
    assert np.array_equal(one.f0_hz, other.f0_hz, equal_nan=True)


@given(tracks(), TIMES, st.randoms(use_true_random=False))
def test_times_are_sampled_one_by_one_in_any_order(track, times, random):
    order = list(range(len(times)))
    random.shuffle(order)
    whole, shuffled = sampled(*track, times), sampled(*track, [times[i] for i in order])
    assert np.array_equal(shuffled.f0_hz, whole.f0_hz[order], equal_nan=True)
    assert np.array_equal(shuffled.covered, whole.covered[order])
