"""Seats: every clip is everything equally often among completed sittings, whoever drops out."""

import heapq
import json
from collections import Counter

import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.game.assignments import WITHIN_CYCLE
from otoscope.game.schedule import (
    PRESETS,
    Assignments,
    InfeasibleError,
    LagBin,
    ScheduleSettings,
    assign,
    check_assignments,
    make_template,
    second_seat,
)
from otoscope.game.seats import Sitting, next_seat, seat_loads

LIMIT_S = 1200.0
SMALL = ScheduleSettings(n_slots=40, n_vigilance=2, n_fillers=6, lag_bins=(LagBin(5, 9), LagBin(10, 20)))


def spreads(assignments, template, seats):
    """Count by hand, seat by seat: the largest minus the least count of any clip, for each role and lag bin."""
    counts = {}
    for seat in seats:
        for item, clip in zip(template.items, assignments.clips[seat], strict=True):
            counts.setdefault((item.role, item.lag_bin), Counter())[int(clip)] += 1
    every = range(assignments.n_clips)
    return {kind: max(n[c] for c in every) - min(n[c] for c in every) for kind, n in counts.items()}


@pytest.mark.parametrize("n_clips", [23, 25, 40])
def test_after_each_cycle_every_clip_was_every_item_exactly_once(n_clips):
    template = make_template(SMALL)
    assert template.n_items == 23
    seats = assign(template, n_clips, 2 * n_clips, seed=3)
    for cycle in (seats.clips[:n_clips], seats.clips[n_clips:]):
        for item in range(template.n_items):
            assert sorted(cycle[:, item]) == list(range(n_clips))
    assert not np.array_equal(seats.clips[:n_clips], seats.clips[n_clips:])


def test_inside_a_cycle_clips_stay_close():
    template = make_template(SMALL)
    seats = assign(template, 30, 75, seed=1)
    worst = Counter(max(spreads(seats, template, range(n)).values()) for n in range(1, 76))
    assert max(worst) <= WITHIN_CYCLE
    assert worst[1] + worst[0] > 60
    assert worst[0] == 2
    proof = check_assignments(seats, template)
    assert proof.holds, proof.to_text()
    table = proof.to_json()["tables"]["sittings of a clip"]["rows"]
    assert {row[0]: row[3] - row[1] for row in table[:-1]} == {
        role if lag_bin is None else f"{role}:{lag_bin}": n
        for (role, lag_bin), n in spreads(seats, template, range(75)).items()
    }


def test_clips_that_a_sitting_leaves_out_are_left_out_equally_often():
    template = make_template(SMALL)
    seats = assign(template, 100, 50, seed=2)
    heard = np.bincount(seats.clips.ravel(), minlength=100)
    assert heard.min() >= 11
    assert heard.max() <= 13


def test_clips_are_spread_over_the_session():
    template = make_template(PRESETS["standard"])
    seats = assign(template, 123, 60, seed=4)
    first = np.array([item.first for item in template.items])
    places = np.zeros(123)
    for row in seats.clips:
        places[row] += first
    # A mean of 60 places drawn without regard to the clip; six standard errors on either side.
    error = first.std() / np.sqrt(60)
    assert abs(places / 60 - first.mean()).max() < 6 * error


def test_the_reference_has_seats_for_two_hundred_listeners():
    template = make_template(PRESETS["reference-405"])
    seats = assign(template, 235, 40, seed=0)
    assert check_assignments(seats, template).holds
    assert seats.slots_of(template, 7).shape == (405,)
    heard = Counter(seats.slots_of(template, 7).tolist())
    assert sorted(Counter(heard.values()).items()) == [(1, 65), (2, 170)]


@pytest.mark.slow
def test_the_reference_is_balanced_after_a_whole_cycle():
    template = make_template(PRESETS["reference-405"])
    seats = assign(template, 235, 235, seed=0)
    assert set(spreads(seats, template, range(235)).values()) == {0}
    assert check_assignments(seats, template).holds


def test_too_few_clips_are_refused_with_the_number_that_would_do():
    template = make_template(SMALL)
    with pytest.raises(InfeasibleError, match="n_clips: a sitting needs 23 clips and there are 22; what fits: 23"):
        assign(template, 22, 5, seed=0)
    with pytest.raises(SpecError, match="n_seats is 0"):
        assign(template, 30, 0, seed=0)


def test_assignments_come_back_from_json_and_belong_to_their_template():
    template = make_template(SMALL)
    seats = assign(template, 30, 4, seed=9)
    back = Assignments.from_json(json.loads(json.dumps(seats.to_json())))
    assert back == seats
    assert hash(back) == hash(seats)
    assert back != assign(template, 30, 4, seed=8)
    assert seats != "seats"
    with pytest.raises(SpecError, match="were made for template"):
        seats.slots_of(make_template(PRESETS["short"]), 0)
    with pytest.raises(SpecError, match="there are seats 0 to 3"):
        seats.slots_of(template, 4)
    with pytest.raises(ValueError, match="read-only"):
        back.clips[0, 0] = 1


def test_damaged_assignments_are_refused():
    good = assign(make_template(SMALL), 30, 2, seed=9).to_json()
    with pytest.raises(SpecError, match="format is None"):
        Assignments.from_json({})
    with pytest.raises(SpecError, match="cannot be read"):
        Assignments.from_json(good | {"clips": [[1], [1, 2]]})
    with pytest.raises(SpecError, match="from 0 to 29"):
        Assignments.from_json(good | {"clips": [[30]]})


def test_the_check_sees_a_clip_twice_and_clips_out_of_balance():
    template = make_template(SMALL)
    seats = assign(template, 30, 30, seed=9)

    def broken(clips):
        changed = Assignments(seats.template, seats.n_clips, seats.seed, clips)
        return {constraint.name for constraint in check_assignments(changed, template).broken}

    twice = seats.clips.copy()
    twice[3, 5] = twice[3, 6]
    assert {"no clip twice", "balance of a cycle"} <= broken(twice)
    assert {"balance of a cycle", "balance inside"} <= broken(np.tile(seats.clips[:1], (30, 1)))
    assert broken(seats.clips[:, :-1]) >= {"items"}
    other = Assignments("another", seats.n_clips, seats.seed, seats.clips)
    assert {c.name for c in check_assignments(other, template).broken} == {"template"}


def test_new_sessions_fill_the_seats_in_order_and_then_again():
    sittings = []
    for _ in range(7):
        sittings.append(Sitting(next_seat(sittings, 3, now_s=0.0, limit_s=LIMIT_S), "completed", 0.0))
    assert [sitting.seat for sitting in sittings] == [0, 1, 2, 0, 1, 2, 0]


def test_the_seat_of_a_dropout_is_given_again_once_the_limit_is_over():
    sittings = [Sitting(0, "active", 0.0), Sitting(1, "completed", 50.0), Sitting(2, "active", 900.0)]
    assert next_seat(sittings, 10, now_s=LIMIT_S, limit_s=LIMIT_S) == 3
    assert next_seat(sittings, 10, now_s=LIMIT_S + 1, limit_s=LIMIT_S) == 0
    assert next_seat(sittings, 10, now_s=900 + LIMIT_S + 1, limit_s=LIMIT_S) == 0
    again = [*sittings, Sitting(0, "active", LIMIT_S + 1)]
    assert next_seat(again, 10, now_s=900 + LIMIT_S + 1, limit_s=LIMIT_S) == 2


def test_a_withdrawn_sitting_frees_its_seat_at_once():
    assert next_seat([Sitting(0, "withdrawn", 0.0)], 4, now_s=1.0, limit_s=LIMIT_S) == 0


def test_a_late_return_is_counted_and_the_others_follow():
    # Seat 0 was given again after a dropout, who then came back and finished as well.
    sittings = [Sitting(0, "completed", 0.0), Sitting(0, "completed", 9.0)]
    for _ in range(2):
        sittings.append(Sitting(next_seat(sittings, 2, now_s=9.0, limit_s=LIMIT_S), "completed", 9.0))
    assert [sitting.seat for sitting in sittings] == [0, 0, 1, 1]


def test_seats_that_there_are_not_are_refused():
    with pytest.raises(SpecError, match="n_seats is 0"):
        next_seat([], 0, now_s=0.0, limit_s=1.0)
    with pytest.raises(SpecError, match="seats 0 to 1"):
        seat_loads([Sitting(2, "active", 0.0)], 2, now_s=0.0, limit_s=1.0)
    with pytest.raises(SpecError, match="states are"):
        Sitting(0, "asleep", 0.0)
    with pytest.raises(SpecError, match="seat -1"):
        Sitting(-1, "active", 0.0)


def run_study(n_participants, n_seats, *, seed, every_s, length_s, dropouts):
    """Let participants come at random; give the seats of those who finish, in their order, and how many wait."""
    rng = np.random.default_rng(seed)
    sittings, playing, finished, now = [], [], [], 0.0

    def finish_until(time):
        while playing and playing[0][0] <= time:
            end, number = heapq.heappop(playing)
            sittings[number] = Sitting(sittings[number].seat, "completed", end)
            finished.append(sittings[number].seat)

    for number in range(n_participants):
        now += rng.exponential(every_s)
        finish_until(now)
        sittings.append(Sitting(next_seat(sittings, n_seats, now_s=now, limit_s=LIMIT_S), "active", now))
        if rng.random() >= dropouts:
            heapq.heappush(playing, (now + length_s * rng.uniform(0.6, 0.65), number))
    finish_until(np.inf)
    return finished


@pytest.mark.parametrize("n_clips", [23, 40])
def test_a_thousand_participants_of_whom_three_in_ten_drop_out_leave_the_clips_balanced(n_clips):
    template = make_template(SMALL)
    n_seats = 20 * n_clips
    seats = assign(template, n_clips, n_seats, seed=6)
    finished = run_study(1000, n_seats, seed=7, every_s=300.0, length_s=1800.0, dropouts=0.3)
    assert 650 < len(finished) < 750
    assert max(np.bincount(finished)) - min(np.bincount(finished, minlength=n_seats)) <= 1 + (len(finished) < n_seats)
    # Seats that were passed over and not yet given again: each can cost any clip one count of a kind.
    for n in range(50, len(finished) + 1, 50):
        times = np.bincount(finished[:n], minlength=n_seats)
        full = times.max() - 1
        gaps = int((times[: np.flatnonzero(times > full).max() + 1] <= full).sum())
        assert max(spreads(seats, template, finished[:n]).values()) <= WITHIN_CYCLE + gaps
    assert gaps <= 6
    assert max(spreads(seats, template, finished).values()) <= 4


def test_a_pool_that_is_completed_is_exactly_balanced_whatever_the_dropouts():
    template = make_template(SMALL)
    seats = assign(template, 24, 48, seed=6)
    finished = run_study(400, 48, seed=8, every_s=3600.0, length_s=1800.0, dropouts=0.3)
    times = np.bincount(finished, minlength=48)
    assert max(times) - min(times) <= 1
    rounds = [seat for k in range(min(times)) for seat in range(48)]
    assert set(spreads(seats, template, rounds).values()) == {0}
    assert max(spreads(seats, template, finished).values()) <= WITHIN_CYCLE


def test_a_second_sitting_has_the_same_clips_or_the_fewest_of_them():
    template = make_template(SMALL)
    seats = assign(template, 60, 20, seed=1)
    loads = [0] * 20
    assert second_seat(seats, 4, loads) == 4
    other = second_seat(seats, 4, loads, clips="other")
    shared = [len({*seats.clips[4].tolist()} & {*row.tolist()}) for row in seats.clips]
    assert other != 4
    fewest = min(shared[:4] + shared[5:])
    assert shared[other] == fewest
    loads[other] = 3
    alone = shared.count(fewest) == 1
    assert (second_seat(seats, 4, loads, clips="other") == other) == alone
    assert shared[second_seat(seats, 4, loads, clips="other")] == fewest


def test_where_all_seats_share_all_clips_a_second_sitting_goes_where_fewest_were():
    seats = assign(make_template(SMALL), 23, 3, seed=1)
    assert second_seat(seats, 0, [0, 0, 0], clips="other") == 1
    assert second_seat(seats, 0, [0, 1, 0], clips="other") == 2
    with pytest.raises(SpecError, match="there are 3 seats"):
        second_seat(seats, 3, [0, 0, 0])
    with pytest.raises(SpecError, match="one seat only"):
        second_seat(assign(make_template(SMALL), 24, 1, seed=1), 0, [0], clips="other")
