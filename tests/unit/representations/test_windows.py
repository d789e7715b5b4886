"""Every frame of a long clip comes from one window, the one in which it lies farthest from an edge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otoscope.errors import SpecError
from otoscope.representations.upstreams.windowed import window_hop
from otoscope.representations.upstreams.windows import cover


@st.composite
def plans(draw):
    length = draw(st.integers(1, 60))
    return draw(st.integers(0, 400)), length, draw(st.integers(1, length))


@given(plans())
def test_every_frame_is_taken_once_and_in_order(plan):
    n_frames, length, hop = plan
    windows = cover(n_frames, length=length, hop=hop)
    assert [index for window in windows for index in range(window.begin, window.end)] == list(range(n_frames))
    assert all(window.begin < window.end for window in windows)


@given(plans())
def test_frames_lie_inside_their_window_and_windows_on_one_grid(plan):
    n_frames, length, hop = plan
    for k, window in enumerate(cover(n_frames, length=length, hop=hop)):
        assert window.first == k * hop
        assert window.first <= window.begin
        assert window.end <= window.first + length
        assert window.inside == slice(window.begin - window.first, window.end - window.first)


@given(plans())
def test_no_other_window_holds_a_frame_farther_from_its_edges(plan):
    n_frames, length, hop = plan
    windows = cover(n_frames, length=length, hop=hop)

    def room(index, window):
        return min(index - window.first, window.first + length - 1 - index)

    for window in windows:
        for index in range(window.begin, window.end):
            assert room(index, window) == max(room(index, other) for other in windows)


@given(plans())
def test_no_window_is_more_than_needed(plan):
    n_frames, length, hop = plan
    windows = cover(n_frames, length=length, hop=hop)
    assert len(windows) <= 1 or windows[-2].first + length < n_frames


@given(st.integers(1, 3000), st.integers(1, 2000))
def test_what_is_taken_early_does_not_depend_on_how_long_the_clip_goes_on(n_frames, more):
    short, long = (cover(n, length=150, hop=100) for n in (n_frames, n_frames + more))
    for one, other in zip(short[:-1], long, strict=False):
        assert one == other


def test_whisper_hears_thirty_seconds_every_twenty_with_five_on_either_side():
    assert window_hop(1500) == 1000
    windows = cover(4000, length=1500, hop=1000)
    assert [window.first for window in windows] == [0, 1000, 2000, 3000]
    for window in windows[1:-1]:
        assert window.begin - window.first >= 250
        assert window.first + 1500 - window.end >= 250


@pytest.mark.parametrize("hop", [0, -1, 11])
def test_windows_that_leave_gaps_are_refused(hop):
    with pytest.raises(SpecError, match="a hop of 1 to 10 frames"):
        cover(100, length=10, hop=hop)
