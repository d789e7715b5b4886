"""Laws of schedules: what is made keeps what was asked, and what is not made is refused by name."""

import json

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from otoscope.errors import SpecError
from otoscope.game.schedule import (
    Assignments,
    InfeasibleError,
    LagBin,
    ScheduleSettings,
    Template,
    assign,
    check_assignments,
    check_schedule,
    make_template,
)
from otoscope.game.seats import Sitting, next_seat

NAMES = {
    *("n_slots", "minutes", "n_targets", "n_fillers", "n_clips", "lag_bins", "vigilance_lag", "phase_pairs"),
    *("lag_mean", "lag_median", "lag_extremes", "placement"),
}


@st.composite
def lag_bins(draw):
    low, bins = draw(st.integers(2, 25)), []
    for _ in range(draw(st.integers(1, 4))):
        high = low + draw(st.integers(0, 30))
        bins.append(LagBin(low, high, draw(st.sampled_from([1.0, 2.0, 0.3]))))
        low = high + draw(st.integers(1, 20))
    return tuple(bins)


@st.composite
def asked(draw):
    n_phases = draw(st.integers(1, 4))
    sizes = draw(st.none() | st.lists(st.integers(5, 90), min_size=n_phases, max_size=n_phases))
    minutes = draw(st.none() | st.floats(1, 40)) if sizes is None else None
    low = draw(st.integers(2, 8))
    return ScheduleSettings(
        n_slots=sum(sizes) if sizes else None if minutes else draw(st.integers(4, 300)),
        minutes=minutes,
        n_phases=n_phases,
        phase_slots=tuple(sizes) if sizes else None,
        lag_bins=draw(lag_bins()),
        n_targets=draw(st.none() | st.integers(0, 60)),
        n_fillers=draw(st.none() | st.none() | st.integers(0, 40)),
        n_vigilance=draw(st.none() | st.integers(0, 10)),
        vigilance_lag=(low, low + draw(st.integers(0, 6))),
        n_warmup=draw(st.integers(0, 8)),
        allow_cross_rest=draw(st.booleans()),
        lag_mean=draw(st.none() | st.none() | st.floats(5, 60)),
        lag_median=draw(st.none() | st.none() | st.integers(5, 120).map(lambda n: n / 2)),
        n_clips=draw(st.none() | st.integers(20, 200)),
        seed=draw(st.integers(0, 1000)),
    )


@settings(max_examples=100)
@given(asked())
def test_a_schedule_keeps_what_was_asked_or_is_refused_by_name(wanted):
    try:
        template = make_template(wanted)
    except InfeasibleError as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert refused.constraint in NAMES
        assert refused.fits
        return
    proof = check_schedule(template.slots, wanted)
    assert proof.holds, proof.to_text()
    assert Template.from_json(json.loads(json.dumps(template.to_json()))) == template


@settings(max_examples=25)
@given(st.integers(30, 80), st.integers(0, 25), st.integers(1, 90), st.integers(0, 1000))
def test_seats_are_balanced_for_any_numbers_of_clips(n_slots, more_clips, n_seats, seed):
    bins = (LagBin(4, 8, 2), LagBin(9, 12))
    template = make_template(ScheduleSettings(n_slots=n_slots, n_warmup=2, lag_bins=bins, seed=seed))
    seats = assign(template, template.n_items + more_clips, n_seats, seed=seed)
    proof = check_assignments(seats, template)
    assert proof.holds, proof.to_text()
    assert Assignments.from_json(json.loads(json.dumps(seats.to_json()))) == seats


@given(st.integers(1, 12), st.lists(st.sampled_from(["completed", "withdrawn", "active", "gone"]), max_size=80))
def test_completed_sittings_of_the_seats_stay_within_one_but_for_those_under_way(n_seats, ends):
    sittings = []
    for now, end in enumerate(ends):
        seat = next_seat(sittings, n_seats, now_s=float(now), limit_s=0.5)
        # Who is gone was last heard of long ago; who is active stays so.
        state = "active" if end == "gone" else end
        sittings.append(Sitting(seat, state, float("inf") if end == "active" else now - 1.0))
    held = [s.seat for s in sittings if s.state == "completed" or s.last_s == float("inf")]
    loads = np.bincount(held, minlength=n_seats)
    assert loads.max() - loads.min() <= 1
    assert np.all(np.diff(loads) <= 0)


@given(
    st.dictionaries(st.sampled_from(["n_slots", "lag_bins", "seed", "minutes", "colour"]), st.none() | st.integers())
)
def test_settings_read_from_json_are_whole_or_refused(value):
    try:
        read = ScheduleSettings.from_json(value)
    except SpecError:
        return
    assume(read.lag_bins)
    assert ScheduleSettings.from_json(read.to_json()) == read
