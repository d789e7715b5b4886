import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otoscope.errors import MergeError, SpecError
from otoscope.f0.base import F0Track, TrackerInfo
from otoscope.f0.scoring import TrackScores, count_errors, edge_errors, pooled, score_track

INFO = TrackerInfo("mine", "1", {})
RATES = ("gpe", "vde", "ffe", "miss_rate", "false_alarm_rate", "bias_cents", "rmse_cents")


def track(times, hz):
    hz = np.array(hz, dtype=float)
    return F0Track(np.array(times, dtype=float), hz, ~np.isnan(hz), INFO, "clip")


def counted(found, truth, **settings):
    found, truth = np.array(found, dtype=float), np.array(truth, dtype=float)
    return count_errors(found, ~np.isnan(found), truth, ~np.isnan(truth), **settings)


@st.composite
def frames(draw):
    n = draw(st.integers(0, 40))
    value = st.one_of(st.just(float("nan")), st.floats(60.0, 400.0))
    return tuple(np.array(draw(st.lists(value, min_size=n, max_size=n))) for _ in range(2))


def one_by_one(found, truth):
    """The same counts, with a loop over frames and hertz for cents."""
    n = dict.fromkeys(("missed", "false", "gross", "fine"), 0)
    cents = []
    for f, t in zip(found, truth, strict=True):
        if np.isnan(f) and np.isnan(t):
            continue
        if np.isnan(f):
            n["missed"] += 1
        elif np.isnan(t):
            n["false"] += 1
        elif abs(f - t) > 0.2 * t:
            n["gross"] += 1
        else:
            cents.append(3986.313714 * np.log10(f / t))
    return n, cents


@given(frames())
def test_the_counts_are_those_of_a_loop_over_frames(pair):
    found, truth = pair
    n, cents = one_by_one(found, truth)
    scores = counted(found, truth)
    assert (scores.n_missed, scores.n_false, scores.n_gross) == (n["missed"], n["false"], n["gross"])
    assert scores.n_frames == found.size
    assert scores.n_true_voiced == np.count_nonzero(~np.isnan(truth))
    assert scores.n_fine == len(cents)
    if cents:
        assert scores.bias_cents == pytest.approx(np.mean(cents), abs=1e-4)
        assert scores.rmse_cents == pytest.approx(np.sqrt(np.mean(np.square(cents))), abs=1e-4)
    if found.size:
        wrong = n["missed"] + n["false"]
        assert scores.vde == pytest.approx(wrong / found.size)
        assert scores.ffe == pytest.approx((wrong + n["gross"]) / found.size)
    both = np.count_nonzero(~np.isnan(found) & ~np.isnan(truth))
    unvoiced = np.count_nonzero(np.isnan(truth))
    assert scores.gpe == (n["gross"] / both if both else None)
    assert scores.miss_rate == (n["missed"] / (truth.size - unvoiced) if truth.size > unvoiced else None)
    assert scores.false_alarm_rate == (n["false"] / unvoiced if unvoiced else None)


@given(frames(), st.integers(0, 40))
def test_scores_of_parts_added_are_the_scores_of_the_whole(pair, cut):
    found, truth = pair
    whole = counted(found, truth)
    parts = pooled([counted(found[:cut], truth[:cut]), counted(found[cut:], truth[cut:])])
    for name in RATES:
        mine, theirs = getattr(parts, name), getattr(whole, name)
        assert (mine is None) == (theirs is None)
        assert mine is None or mine == pytest.approx(theirs, abs=1e-9)
    assert whole + TrackScores() == whole


@given(frames())
def test_a_track_has_no_error_against_itself_and_exchange_swaps_misses_and_false_alarms(pair):
    found, truth = pair
    same = counted(truth, truth)
    assert {getattr(same, name) for name in RATES} <= {0.0, None}
    there, back = counted(found, truth), counted(truth, found)
    assert (there.n_missed, there.n_false, there.vde) == (back.n_false, back.n_missed, back.vde)


def test_a_rate_over_no_frames_is_none_and_never_zero():
    nothing = counted([], [])
    assert [getattr(nothing, name) for name in RATES] == [None] * 7
    unvoiced = counted([np.nan, np.nan], [np.nan, np.nan])
    assert (unvoiced.vde, unvoiced.ffe, unvoiced.false_alarm_rate) == (0.0, 0.0, 0.0)
    assert (unvoiced.gpe, unvoiced.miss_rate, unvoiced.bias_cents, unvoiced.rmse_cents) == (None,) * 4
    all_gross = counted([300.0], [100.0])
    assert (all_gross.gpe, all_gross.bias_cents, all_gross.false_alarm_rate) == (1.0, None, None)
    assert pooled([]) == TrackScores()


def test_gross_errors_begin_above_the_share_asked_for_and_are_shares_of_the_truth():
    assert counted([119.9, 120.1, 80.1, 79.9], [100.0] * 4).n_gross == 2
    assert counted([104.0, 106.0], [100.0] * 2, gross=0.05).n_gross == 1


def test_fine_errors_leave_gross_ones_out():
    scores = counted([200.0, 100.0 * 2 ** (10 / 1200), 100.0 * 2 ** (-4 / 1200)], [100.0] * 3)
    assert scores.bias_cents == pytest.approx(3.0)
    assert scores.rmse_cents == pytest.approx(np.sqrt(58))


def test_counts_with_different_gross_errors_are_not_added():
    with pytest.raises(MergeError, match="cannot be added"):
        TrackScores() + TrackScores(gross=0.1)
    with pytest.raises(TypeError):
        TrackScores() + 1  # pyright: ignore


def test_scores_as_json_have_every_rate_and_none_where_it_has_no_value():
    said = counted([100.0], [np.nan]).describe()
    assert set(RATES) < set(said)
    assert said["gpe"] is None
    assert said["vde"] == 1.0
    assert {field.name for field in dataclasses.fields(TrackScores)} - set(said) == {
        "gross",
        "sum_cents",
        "sum_square_cents",
    }


def truth_of(begin, end):
    def voiced(times):
        at = np.asarray(times, dtype=float)
        return (at >= begin) & (at < end)

    return lambda times: np.where(voiced(times), 100.0, np.nan), voiced


def test_a_track_is_judged_at_its_own_times():
    true_hz, voiced = truth_of(0.05, 0.15)
    times = np.arange(20) * 0.01 + 0.003
    scores = score_track(track(times, true_hz(times - 0.02)), true_hz, voiced)  # two frames late
    assert (scores.n_frames, scores.n_true_voiced, scores.n_missed, scores.n_false) == (20, 10, 2, 2)


def test_a_collar_leaves_out_what_is_near_an_edge():
    true_hz, voiced = truth_of(0.05, 0.15)
    times = np.arange(20) * 0.01 + 0.003
    scores = score_track(track(times, true_hz(times - 0.02)), true_hz, voiced, collar_s=0.02)
    assert (scores.n_frames, scores.vde) == (12, 0.0)
    assert score_track(track(times, true_hz(times)), true_hz, voiced, collar_s=0.005).n_frames == 18


def test_a_collar_sees_a_gap_shorter_than_itself():
    def voiced(times):
        at = np.asarray(times)
        return (at > 0) & ~((at > 0.100) & (at < 0.105))

    times = np.array([0.090, 0.115, 0.2])
    scores = score_track(track(times, [100.0] * 3), lambda t: np.full(np.shape(t), 100.0), voiced, collar_s=0.02)
    assert scores.n_frames == 1


def test_edges_lie_half_way_between_frames_so_that_a_perfect_track_is_not_off_on_average():
    rng = np.random.default_rng(0)
    begins = np.arange(0.2, 60, 0.5) + rng.uniform(0, 0.02, 120)
    ends = begins + 0.25 + rng.uniform(0, 0.02, 120)
    times = np.arange(0, 61, 0.02)
    inside = ((times[:, None] >= begins) & (times[:, None] < ends)).any(axis=1)
    errors = edge_errors(track(times, np.where(inside, 100.0, np.nan)), begins, ends)
    assert errors.n_missed == 0
    assert np.abs(np.concatenate([errors.onset_ms, errors.offset_ms])).max() <= 10 + 1e-6
    assert abs(errors.mean_onset_ms) < 2
    assert abs(errors.mean_offset_ms) < 2


def test_early_edges_are_negative_and_late_ones_positive():
    times = np.arange(100) * 0.01
    hz = np.where((times > 0.195) & (times < 0.625), 100.0, np.nan)
    errors = edge_errors(track(times, hz), [0.225], [0.605])
    assert errors.onset_ms.tolist() == pytest.approx([-30.0])
    assert errors.offset_ms.tolist() == pytest.approx([20.0])


def test_a_run_that_bridges_two_stretches_has_not_their_inner_edges():
    times = np.arange(100) * 0.01
    hz = np.where((times > 0.195) & (times < 0.805), 100.0, np.nan)
    errors = edge_errors(track(times, hz), [0.2, 0.6, 0.9], [0.4, 0.8, 0.95])
    assert errors.onset_ms.round(6).tolist() == [-5.0]
    assert errors.offset_ms.round(6).tolist() == [5.0]
    assert (errors.n_onsets, errors.n_offsets, errors.n_missed) == (3, 3, 4)


def test_a_hole_in_a_stretch_is_no_edge_and_false_alarms_elsewhere_are_none_either():
    times = np.arange(100) * 0.01
    hz = np.full(100, np.nan)
    hz[[5, 6, *range(20, 30), *range(35, 41), 60]] = 100.0
    errors = edge_errors(track(times, hz), [0.2], [0.4])
    assert errors.onset_ms.round(6).tolist() == [-5.0]
    assert errors.offset_ms.round(6).tolist() == [5.0]


@pytest.mark.parametrize("times", [[], [0.1]])
def test_tracks_of_hardly_any_frames_have_hardly_any_edges(times):
    errors = edge_errors(track(times, [100.0] * len(times)), [0.05], [0.2])
    assert errors.n_missed == 2 - 2 * len(times)
    assert (errors.mean_onset_ms is None) == (not times)
    assert (errors + errors).n_onsets == 2


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(SpecError, match="shapes"):
        count_errors(np.ones(2), np.ones(2, bool), np.ones(3), np.ones(3, bool))
    with pytest.raises(SpecError, match="shapes"):
        count_errors(*(np.ones((2, 2)), np.ones((2, 2), bool)) * 2)
    for gross in (0.0, 1.0, float("nan")):
        with pytest.raises(SpecError, match="gross"):
            counted([100.0], [100.0], gross=gross)
    for collar_s in (-0.1, float("nan"), float("inf")):
        with pytest.raises(SpecError, match="collar_s"):
            score_track(track([0.1], [100.0]), *truth_of(0, 1), collar_s=collar_s)
    with pytest.raises(SpecError, match="onsets and"):
        edge_errors(track([0.1], [100.0]), [0.1, 0.2], [0.3])
    for begins, ends in (([0.3], [0.2]), ([0.1, 0.15], [0.2, 0.3]), ([float("nan")], [0.2])):
        with pytest.raises(SpecError, match="in turn"):
            edge_errors(track([0.1], [100.0]), begins, ends)
