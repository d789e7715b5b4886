"""Templates keep what was asked; what cannot be is refused with its reason."""

import itertools
import json
import pickle
import random
import statistics
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from otoscope.errors import SpecError
from otoscope.game.feasibility import max_lag_sum, max_pairs
from otoscope.game.schedule import (
    PRESETS,
    InfeasibleError,
    LagBin,
    ScheduleSettings,
    Slot,
    Template,
    assign,
    check_schedule,
    fit_to_clips,
    make_template,
)


def matchings(n):
    """Every set of pairs of slots that stand side by side."""

    def of(slots):
        if len(slots) < 2:
            yield ()
            return
        first, rest = slots[0], slots[1:]
        yield from of(rest)
        for i, other in enumerate(rest):
            for more in of(rest[:i] + rest[i + 1 :]):
                yield ((first, other), *more)

    return of(tuple(range(n)))


def schedule_exists(settings):
    """Ask an integer program, which knows nothing of how we look for schedules."""
    counts = settings.counts()
    phase = np.repeat(np.arange(len(counts.phases)), counts.phases)
    kinds = [
        (b.low, b.high, k, settings.allow_cross_rest)
        for b, k in zip(settings.lag_bins, counts.targets, strict=True)
        if k
    ]
    kinds += [(*settings.vigilance_lag, counts.n_vigilance, False)] if counts.n_vigilance else []
    places = [
        (kind, first, first + lag)
        for kind, (low, high, _, crosses) in enumerate(kinds)
        for lag in range(low, min(high, counts.n_slots - 1) + 1)
        for first in range(counts.n_warmup, counts.n_slots - lag)
        if crosses or phase[first] == phase[first + lag]
    ]
    if not kinds or not places:
        return not kinds
    table = np.zeros((counts.n_slots + len(kinds), len(places)))
    for column, (kind, first, second) in enumerate(places):
        table[[first, second, counts.n_slots + kind], column] = 1
    asked = [k for _, _, k, _ in kinds]
    limits = LinearConstraint(
        table, np.r_[np.zeros(counts.n_slots), asked], np.r_[np.ones(counts.n_slots), asked]
    )  # fmt: skip
    answer = milp(np.zeros(len(places)), constraints=limits, integrality=np.ones(len(places)), bounds=Bounds(0, 1))
    assert answer.status in (0, 2)
    return answer.status == 0


def small_settings(draw, slots):
    low, bins = draw.randint(2, 8), []
    for _ in range(draw.randint(1, 3)):
        high = low + draw.choice([0, 0, 1, 2, 4])
        bins.append(LagBin(low, high, draw.choice([1, 2])))
        low = high + draw.randint(1, 4)
    return ScheduleSettings(
        n_slots=draw.randint(6, slots),
        n_phases=draw.choice([1, 1, 2]),
        lag_bins=tuple(bins),
        n_warmup=draw.choice([0, 0, 2]),
        allow_cross_rest=draw.random() < 0.4,
        n_vigilance=draw.choice([0, 1, 2]),
        vigilance_lag=draw.choice([(2, 2), (2, 4)]),
        n_fillers=draw.choice([None, None, 0, 1, 2, 3]),
        seed=draw.randint(0, 99),
    )


def agree_with_the_integer_program(seed, n, slots):
    draw, answers = random.Random(seed), Counter()
    for _ in range(n):
        settings = small_settings(draw, slots)
        try:
            settings.counts()
        except InfeasibleError:
            continue
        there = schedule_exists(settings)
        try:
            make_template(settings)
            answers[there, "found"] += 1
        except InfeasibleError as error:
            answers[there, "proven" if error.proven else "not found"] += 1
    assert answers[False, "found"] == answers[True, "proven"] == answers[True, "not found"] == 0
    assert answers[True, "found"] > n / 5
    assert answers[False, "proven"] > 5 * answers[False, "not found"]


def test_what_exists_is_found_and_what_is_refused_does_not_exist():
    agree_with_the_integer_program(1, 100, 20)


@pytest.mark.slow
def test_what_exists_is_found_and_what_is_refused_does_not_exist_for_many():
    agree_with_the_integer_program(2, 800, 24)
    agree_with_the_integer_program(3, 150, 50)


@pytest.mark.parametrize("n", [4, 5, 7, 8])
def test_bounds_on_pairs_and_lags_are_what_counting_all_matchings_gives(n):
    every = list(matchings(n))
    for low in range(1, n + 1):
        fit = [m for m in every if all(b - a >= low for a, b in m)]
        assert max(len(m) for m in fit) == max_pairs(low, [n])
    for k in range(n // 2 + 1):
        assert max(sum(b - a for a, b in m) for m in every if len(m) == k) == max_lag_sum(k, [n])


def test_bounds_on_lags_share_the_pairs_out_best_between_phases():
    for sizes in ([4, 7], [5, 5], [8, 3, 6]):
        for k in range(sum(n // 2 for n in sizes) + 1):
            ways = itertools.product(*(range(n // 2 + 1) for n in sizes))
            best = max(sum(m * (n - m) for m, n in zip(w, sizes, strict=True)) for w in ways if sum(w) == k)
            assert max_lag_sum(k, sizes) == best


@pytest.mark.parametrize("name", PRESETS)
def test_presets_keep_what_they_ask(name):
    template = make_template(PRESETS[name])
    proof = check_schedule(template)
    assert proof.holds, proof.to_text()


@pytest.mark.parametrize("seed", range(5))
def test_the_reference_template_has_the_published_counts(seed):
    template = make_template(replace(PRESETS["reference-405"], seed=seed))
    items = template.items
    kinds = Counter(item.role for item in items)
    assert (template.n_slots, template.n_items) == (405, 235)
    assert kinds == {"target": 149, "vigilance": 21, "filler": 65}
    pairs = [(i.first, i.second) for i in items if i.role == "target"]
    lags = [b - a for a, b in pairs]
    assert (min(lags), max(lags), statistics.median(lags), round(statistics.mean(lags))) == (10, 276, 41, 74)
    parts = (sum(lag <= 49 for lag in lags), sum(61 <= lag <= 131 for lag in lags), sum(lag >= 155 for lag in lags))
    assert parts == (88, 41, 20)
    phases = Counter((a // 135 + 1, b // 135 + 1) for a, b in pairs)
    assert phases == {(1, 1): 29, (2, 2): 29, (3, 3): 30, (1, 2): 21, (2, 3): 20, (1, 3): 20}
    vigilance = [(i.first, i.second) for i in items if i.role == "vigilance"]
    assert all(5 <= b - a <= 10 and a // 135 == b // 135 for a, b in vigilance)
    assert template.duration_s / 60 == 60


def test_a_session_given_in_minutes_is_as_full_as_can_be():
    template = make_template(PRESETS["standard"])
    assert template.duration_s == 210 * 8 + 2 * 60 <= 30 * 60 < template.duration_s + 8
    assert [sum(s.phase == k for s in template.slots) for k in range(3)] == [70, 70, 70]


def test_another_seed_gives_another_order_and_the_same_seed_the_same():
    standard = PRESETS["standard"]
    assert make_template(standard) == make_template(standard)
    assert make_template(standard).slots != make_template(replace(standard, seed=1)).slots


def test_schedules_are_the_same_bytes_in_every_process():
    code = (
        "import json; from otoscope.game.schedule import *\n"
        "t = make_template(PRESETS['short']); a = assign(t, 60, 70, seed=5)\n"
        "print(json.dumps([t.to_json(), a.to_json(), check_schedule(t).to_json()]))"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, text=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    ]
    template = make_template(PRESETS["short"])
    seats = assign(template, 60, 70, seed=5)
    here = json.dumps([template.to_json(), seats.to_json(), check_schedule(template).to_json()])
    assert said[0] == said[1] == here + "\n"


def test_templates_and_settings_come_back_from_json():
    for settings in PRESETS.values():
        assert ScheduleSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    template = make_template(PRESETS["reference-405"])
    back = Template.from_json(json.loads(json.dumps(template.to_json())))
    assert back == template
    assert back.digest == template.digest


def test_damaged_templates_are_refused():
    good = make_template(PRESETS["short"]).to_json()
    with pytest.raises(SpecError, match="format is 9"):
        Template.from_json(good | {"format": 9})
    with pytest.raises(SpecError, match="cannot be read"):
        Template.from_json(good | {"slots": [[1, 2]]})
    with pytest.raises(SpecError, match="no slots"):
        Template.from_json(good | {"slots": []})
    with pytest.raises(SpecError, match="unknown settings colour"):
        ScheduleSettings.from_json({"n_slots": 9, "colour": "red"})
    with pytest.raises(SpecError, match="cannot be read"):
        ScheduleSettings.from_json({"n_slots": "nine"})


BINS = (LagBin(10, 19), LagBin(20, 34))
REFUSED = {
    "n_slots": ScheduleSettings(n_slots=12, n_vigilance=6, n_warmup=2),
    "minutes": ScheduleSettings(minutes=1, n_phases=3),
    "n_targets": ScheduleSettings(n_slots=40, n_targets=20, n_vigilance=2),
    "n_fillers": ScheduleSettings(n_slots=40, n_targets=10, n_fillers=5, n_vigilance=2),
    "n_clips": ScheduleSettings(n_slots=200, n_clips=50),
    "lag_bins": ScheduleSettings(n_slots=60, n_phases=3, lag_bins=BINS),
    "vigilance_lag": ScheduleSettings(n_slots=60, n_phases=6, n_vigilance=6, vigilance_lag=(10, 12)),
    "phase_pairs": ScheduleSettings(
        n_slots=80, n_phases=2, n_targets=20, lag_bins=BINS, phase_pairs=((0, 0, 5), (1, 1, 5))
    ),
    "lag_mean": ScheduleSettings(n_slots=100, n_targets=20, lag_bins=BINS, lag_mean=40),
    "lag_median": ScheduleSettings(n_slots=100, n_targets=21, lag_bins=BINS, lag_median=25),
    "lag_extremes": ScheduleSettings(n_slots=100, n_targets=20, lag_bins=BINS, lag_extremes=(20, 30)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_by_the_name_of_its_constraint(name):
    with pytest.raises(InfeasibleError, match=f"schedule: {name}: .*; what fits: ") as caught:
        make_template(REFUSED[name])
    assert (caught.value.constraint, caught.value.proven) == (name, True)
    back = pickle.loads(pickle.dumps(caught.value))
    assert (str(back), back.fits) == (str(caught.value), caught.value.fits)


def test_what_is_said_to_fit_does():
    fits = "n_targets = 18"
    with pytest.raises(InfeasibleError, match=fits):
        make_template(REFUSED["n_targets"])
    make_template(replace(REFUSED["n_targets"], n_targets=18, lag_bins=(LagBin(5, 9), LagBin(10, 19))))
    with pytest.raises(InfeasibleError, match="n_fillers = 16"):
        make_template(REFUSED["n_fillers"])
    make_template(replace(REFUSED["n_fillers"], n_fillers=16, lag_bins=BINS))
    long = ScheduleSettings(n_slots=100, n_vigilance=0, n_targets=40, lag_bins=(LagBin(70, 80),))
    with pytest.raises(InfeasibleError, match="n_targets = 30 or fewer"):
        make_template(long)
    make_template(replace(long, n_targets=30))


def test_what_is_not_found_says_how_far_it_came():
    # Pairs of lag 3 fill stretches of six slots; four slots are left over, which make no pair of lag 3.
    tight = ScheduleSettings(n_slots=10, n_vigilance=0, n_targets=5, lag_bins=(LagBin(3, 3),))
    assert not schedule_exists(tight)
    with pytest.raises(InfeasibleError, match="4 of 5 pairs") as caught:
        make_template(tight)
    assert (caught.value.constraint, caught.value.proven) == ("placement", False)
    assert "4 target pairs" in caught.value.fits
    make_template(replace(tight, n_targets=4))


WRONG = [
    ({}, "either as n_slots or as minutes"),
    ({"n_slots": 5, "minutes": 3.0}, "either as n_slots or as minutes"),
    ({"n_slots": 0}, "n_slots is 0"),
    ({"n_slots": 9, "n_warmup": -1}, "n_warmup is -1"),
    ({"minutes": float("nan")}, "minutes is nan"),
    ({"n_slots": 9, "clip_s": 0.0, "gap_s": 0.0}, "a slot must last"),
    ({"n_slots": 9, "n_phases": 0}, "n_phases is 0"),
    ({"n_slots": 9, "n_phases": 2, "phase_slots": (9,)}, "1 or more for each phase"),
    ({"n_slots": 9, "n_phases": 2, "phase_slots": (4, 4)}, "sum to 8"),
    ({"n_slots": 9, "lag_bins": ()}, "lag_bins is empty"),
    ({"n_slots": 9, "lag_bins": (LagBin(2, 5), LagBin(5, 9))}, "stay apart"),
    ({"n_slots": 9, "vigilance_lag": (1, 4)}, "lags start at 2"),
    ({"n_slots": 9, "lag_extremes": (10, 70)}, "in no lag bin"),
    ({"n_slots": 9, "n_phases": 2, "phase_pairs": ((0, 2, 1),)}, "phases go from 0 to 1"),
    ({"n_slots": 9, "n_phases": 2, "phase_pairs": ((0, 1, 1),)}, "set allow_cross_rest"),
    ({"n_slots": 9, "n_phases": 2, "phase_pairs": ((0, 0, 1), (0, 0, 2))}, "twice"),
]


@pytest.mark.parametrize(("given", "match"), WRONG)
def test_settings_that_mean_nothing_are_refused(given, match):
    with pytest.raises(SpecError, match=match) as caught:
        ScheduleSettings(**given)
    assert not isinstance(caught.value, InfeasibleError)


def test_an_adjacent_repeat_cannot_be_asked_for():
    with pytest.raises(SpecError, match="lags start at 2"):
        LagBin(1, 5)
    with pytest.raises(SpecError, match="weight is 0"):
        LagBin(2, 5, 0)


def test_few_clips_shorten_the_session_and_no_more_than_needed():
    fitted = fit_to_clips(PRESETS["standard"], 90)
    assert fitted.counts().n_items <= 90
    with pytest.raises(InfeasibleError, match="n_clips"):
        replace(fitted, n_slots=fitted.n_slots + 1).counts()
    assert check_schedule(make_template(fitted)).holds
    assert fit_to_clips(PRESETS["standard"], 500) == replace(PRESETS["standard"], n_clips=500)
    with pytest.raises(InfeasibleError, match="no shorter one"):
        fit_to_clips(PRESETS["reference-405"], 200)


@pytest.mark.parametrize("n_targets", [5, 6])
def test_every_median_and_all_extremes_that_the_bins_allow_are_found(n_targets):
    plain = ScheduleSettings(n_slots=60, n_targets=n_targets, n_vigilance=1, lag_bins=BINS)
    low, high = (20.0, 34.0) if n_targets % 2 == 0 else (10.0, 19.0)
    if n_targets % 2 == 0:  # three pairs in either bin: the median lies halfway between two of them
        low, high = (10 + 20) / 2, (19 + 34) / 2
    for median in np.arange(low, high + 0.1, 0.5 if n_targets % 2 == 0 else 1.0).tolist():
        template = make_template(replace(plain, lag_median=median))
        assert statistics.median(s.lag for s in template.slots if s.role == "target" and s.lag) == median
    for outside in (low - 1, high + 1):
        with pytest.raises(InfeasibleError, match="lag_median"):
            make_template(replace(plain, lag_median=outside))
    for least, most in itertools.product((10, 13, 19), (20, 29, 34)):
        template = make_template(replace(plain, lag_extremes=(least, most)))
        lags = [s.lag for s in template.slots if s.role == "target" and s.lag]
        assert (min(lags), max(lags)) == (least, most)


def test_a_pair_gives_up_its_phases_to_one_that_has_no_others():
    bins = (LagBin(33, 37), LagBin(50, 60))
    settings = ScheduleSettings(
        n_slots=120,
        n_phases=3,
        n_targets=2,
        lag_bins=bins,
        allow_cross_rest=True,
        phase_pairs=((0, 0, 1), (0, 1, 1)),
    )
    items = [item for item in make_template(settings).items if item.role == "target"]
    assert {(item.lag_bin, item.second // 40) for item in items} == {(0, 0), (1, 1)}
    with pytest.raises(InfeasibleError, match="find no phases among 0-0: 2") as caught:
        make_template(replace(settings, phase_pairs=((0, 0, 2),)))
    assert (caught.value.constraint, caught.value.proven) == ("phase_pairs", True)


@pytest.mark.parametrize(("name", "longest"), [("short", 4), ("standard", 6), ("reference-405", 9)])
def test_repeats_do_not_come_in_long_runs(name, longest):
    for seed in range(3):
        run = worst = 0
        for slot in make_template(replace(PRESETS[name], seed=seed)).slots:
            run = run + 1 if slot.presentation == 2 else 0
            worst = max(worst, run)
        assert worst <= longest


def test_targets_are_spread_over_the_phases():
    inside = Counter(slot.phase for slot in make_template(PRESETS["standard"]).slots if slot.role == "target")
    assert max(inside.values()) - min(inside.values()) <= 8
    vigilance = Counter(slot.phase for slot in make_template(PRESETS["standard"]).slots if slot.role == "vigilance")
    assert max(vigilance.values()) - min(vigilance.values()) <= 2


def test_lags_cover_their_bins():
    for number, bin_ in enumerate(PRESETS["standard"].lag_bins):
        thirds = Counter()
        for seed in range(4):
            slots = make_template(replace(PRESETS["standard"], seed=seed)).slots
            thirds.update((s.lag - bin_.low) * 3 // (bin_.high - bin_.low + 1) for s in slots if s.lag_bin == number)
        assert min(thirds[part] for part in range(3)) >= thirds.total() / 5


def changed(slots, index, **fields):
    return [replace(slot, **fields) if slot.index == index else slot for slot in slots]


def swapped(slots, one, other):
    """Let two slots change their items, and put all that slots say of themselves right but the lag bins."""
    order = [slot.item for slot in slots]
    order[one], order[other] = order[other], order[one]
    role, first, new = {slot.item: slot.role for slot in slots}, {}, []
    for index, item in enumerate(order):
        lag = index - first.setdefault(item, index) or None
        new.append(
            Slot(index, item, role[item], 1 + (lag is not None), lag, slots[index].phase, slots[index].lag_bin)
        )
    return new


def broken(slots, settings):
    return {constraint.name for constraint in check_schedule(slots, settings).broken}


def test_the_checker_sees_each_constraint_broken():
    settings = replace(PRESETS["standard"], n_targets=77, n_fillers=32, n_slots=210, minutes=None)
    template = make_template(settings)
    slots = list(template.slots)
    assert broken(slots, settings) == set()
    second = next(s.index for s in slots if s.lag_bin is not None)
    filler = next(s.index for s in slots if s.role == "filler")
    assert broken(changed(slots, second, lag=slots[second].lag + 1), settings) == {"what slots say"}
    assert broken(changed(slots, second, lag_bin=2 - slots[second].lag_bin // 2), settings) == {"what slots say"}
    assert broken(changed(slots, second, phase=2), settings) == {"what slots say", "n_phases"}
    assert broken(changed(slots, second, presentation=1), settings) == {"what slots say"}
    assert "one role" in broken(changed(slots, second, role="vigilance"), settings)
    assert "n_fillers" in broken(changed(slots, filler, role="warmup"), settings)
    assert "n_warmup" in broken(changed(slots, filler, role="warmup"), settings)
    assert {"n_slots", "n_phases"} <= broken(slots[:-3], settings)
    assert "items" in broken(changed(slots, filler, item=999), settings)
    assert "presentations" in broken(changed(slots, filler, item=slots[second].item), settings)
    assert "n_vigilance" in broken(slots, replace(settings, n_vigilance=9))
    assert "n_targets" in broken(slots, replace(settings, n_targets=76))
    assert "vigilance_lag" in broken(slots, replace(settings, vigilance_lag=(3, 3)))
    assert "lag_bins" in broken(slots, replace(settings, lag_bins=(LagBin(10, 19, 3), *settings.lag_bins[1:])))
    assert "n_clips" in broken(slots, replace(settings, n_clips=100))
    assert "lag_mean" in broken(slots, replace(settings, lag_mean=12))
    assert "lag_median" in broken(slots, replace(settings, lag_median=12))
    assert "lag_extremes" in broken(slots, replace(settings, lag_extremes=(11, 54)))
    assert "phase_pairs" in broken(slots, replace(settings, phase_pairs=((0, 0, 77),)))
    assert "phase_slots" in broken(slots, replace(settings, phase_slots=(69, 70, 71)))
    assert "minutes" in broken(slots, replace(settings, n_slots=None, minutes=31))


def test_the_checker_sees_adjacent_repeats_and_rests_crossed():
    settings = replace(PRESETS["standard"])
    slots = list(make_template(settings).slots)
    pair = next(i for i in make_template(settings).items if i.role == "target" and i.second < 70)
    assert "no adjacent repeat" in broken(swapped(slots, pair.second, pair.first + 1), settings)
    filler = next(s.index for s in slots if s.role == "filler" and s.phase == 1)
    assert "allow_cross_rest" in broken(swapped(slots, pair.second, filler), settings)
    watch = next(i for i in make_template(settings).items if i.role == "vigilance" and i.second < 70)
    assert "vigilance in a phase" in broken(swapped(slots, watch.second, filler), settings)
    assert "n_warmup" in broken(swapped(slots, 0, filler), settings)


def test_the_checker_needs_slots_and_settings():
    with pytest.raises(SpecError, match="give slots"):
        check_schedule([], PRESETS["short"])
    with pytest.raises(SpecError, match="give slots"):
        check_schedule(make_template(PRESETS["short"]).slots)


def test_a_proof_counts_the_same_in_text_and_json():
    template = make_template(PRESETS["reference-405"])
    proof = check_schedule(template)
    told = json.loads(json.dumps(proof.to_json()))
    assert told["holds"]
    assert told["tables"]["roles"]["rows"] == [
        ["target", 149, 298],
        ["vigilance", 21, 42],
        ["filler", 65, 65],
        ["warmup", 0, 0],
    ]
    assert sum(row[1] for row in told["tables"]["lags"]["rows"]) == 149
    assert sum(row[1] for row in told["tables"]["phases"]["rows"]) == 405
    text = proof.to_text()
    assert f"all of {len(proof.constraints)} constraints hold" in text
    assert all(constraint["name"] in text for constraint in told["constraints"])
    bad = check_schedule(template, replace(template.settings, n_fillers=64, n_targets=None))
    assert f"1 of {len(bad.constraints)} constraints are broken" in bad.to_text()
    assert "NO  n_fillers" in bad.to_text()
