"""The agreement of trackers: laws of votes, and the words that ask for it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otoscope.errors import SpecError
from otoscope.f0.agreement import PANEL, TOLERANCE_CENTS, agreed_at, parse_agree, votes_at
from otoscope.f0.base import F0Track, TrackerInfo

TIMES = 0.0125 + 0.02 * np.arange(12)


def track(f0_hz, name="mine", times=None):
    f0_hz = np.asarray(f0_hz, dtype=np.float64)
    times = TIMES[: f0_hz.size] if times is None else times
    return F0Track(times, f0_hz, ~np.isnan(f0_hz), TrackerInfo(name, "1", {}), "clip")


contours = st.lists(st.sampled_from([np.nan, 100.0, 101.0, 103.5, 200.0]), min_size=12, max_size=12).map(track)


def by_hand(labels, others, tolerance_cents=TOLERANCE_CENTS):
    """Count votes frame by frame, of tracks that share their times."""
    votes = []
    for i in range(labels.times.size):
        n = 1
        for other in others:
            if not labels.voiced[i]:
                n += not other.voiced[i]
            elif other.voiced[i]:
                n += abs(1200 * np.log2(other.f0_hz[i] / labels.f0_hz[i])) <= tolerance_cents
        votes.append(n)
    return votes


@given(contours, st.lists(contours, max_size=3), st.sampled_from([10.0, 50.0, 100.0]))
def test_votes_are_those_counted_frame_by_frame(labels, others, tolerance):
    found = votes_at(labels, others, TIMES, tolerance_cents=tolerance)
    assert found.tolist() == by_hand(labels, others, tolerance)


@given(contours, contours)
def test_two_trackers_agree_with_each_other_alike(one, other):
    np.testing.assert_array_equal(votes_at(one, [other], TIMES), votes_at(other, [one], TIMES))


@given(contours, st.lists(contours, min_size=1, max_size=3))
def test_the_order_of_the_others_does_not_matter(labels, others):
    np.testing.assert_array_equal(votes_at(labels, others, TIMES), votes_at(labels, others[::-1], TIMES))


@given(contours, st.lists(contours, min_size=1, max_size=3))
def test_asking_for_more_keeps_fewer_frames(labels, others):
    kept = [agreed_at(labels, others, TIMES, need=need) for need in range(1, len(others) + 2)]
    assert kept[0].all()
    for loose, strict in pairwise(kept):
        assert not np.any(strict & ~loose)


@given(contours, contours)
def test_a_wider_tolerance_never_loses_a_frame(labels, other):
    narrow, wide = (votes_at(labels, [other], TIMES, tolerance_cents=cents) for cents in (20.0, 70.0))
    assert np.all(wide >= narrow)


@given(contours)
def test_a_tracker_agrees_with_itself(labels):
    assert agreed_at(labels, [labels, labels], TIMES, need=3).all()


@pytest.mark.parametrize(("cents", "agrees"), [(49.9, True), (-49.9, True), (50.1, False), (-50.1, False)])
def test_values_agree_up_to_fifty_cents_either_way(cents, agrees):
    labels, other = track([150.0] * 12), track([150.0 * 2 ** (cents / 1200)] * 12)
    assert agreed_at(labels, [other], TIMES, need=2).tolist() == [agrees] * 12


def test_an_octave_is_no_agreement():
    assert not agreed_at(track([100.0] * 12), [track([200.0] * 12)], TIMES, need=2).any()


def test_one_that_says_nothing_does_not_agree():
    short = track([np.nan] * 4)
    assert agreed_at(track([np.nan] * 12), [short], TIMES, need=2).tolist() == [True] * 4 + [False] * 8


def test_nobody_agrees_with_labels_that_say_nothing():
    labels, others = track([np.nan] * 4), [track([np.nan] * 12)] * 2
    assert votes_at(labels, others, TIMES).tolist() == [3] * 4 + [0] * 8
    assert not agreed_at(labels, others, TIMES, need=1)[4:].any()


def test_trackers_may_have_times_of_their_own():
    fine = 0.005 * np.arange(60)
    glide = track(100 * 2**fine, times=fine)
    coarse = track(100 * 2**TIMES)
    assert agreed_at(coarse, [glide], TIMES, need=2, tolerance_cents=1e-6).all()


@pytest.mark.parametrize("need", [0, 3])
def test_more_than_there_are_cannot_agree(need):
    with pytest.raises(SpecError, match="1 to 2 is accepted"):
        agreed_at(track([100.0] * 12), [track([100.0] * 12)], TIMES, need=need)


@given(st.integers(2, 3), st.sampled_from(["yaapt", "kaldi", "swift", "praat", "kaldi:hop_ms=20"]))
def test_what_is_asked_can_be_written_and_read_again(need, labels):
    asked = parse_agree(f"{need}of3", labels=labels)
    assert asked.need == need
    assert len(asked.others) == 2
    assert labels.partition(":")[0] not in asked.others
    assert set(asked.others) <= set(PANEL)
    assert parse_agree(asked.spec, labels=labels) == asked


def test_others_can_be_named_with_settings():
    assert parse_agree("2of3:kaldi:hop_ms=20,f0_max_hz=500 + praat", labels="yaapt").others == (
        "kaldi:hop_ms=20,f0_max_hz=500",
        "praat",
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("two", "is accepted"),
        ("2of3:", "is accepted"),
        ("1of3", "at least 2"),
        ("4of3", "not more than there are"),
        ("2of5", "the panel has"),
        ("2of3:praat", "praat are named"),
        ("2of3:praat+", "are needed"),
        ("2of3:praat+praat", "named twice"),
        ("2of2:yaapt", "named twice"),
    ],
)
def test_what_cannot_be_asked_is_refused(text, why):
    with pytest.raises(SpecError, match=why):
        parse_agree(text, labels="yaapt")
