"""Plans agree with a published study, with a closed form, and with tables that are simulated and scored."""

import math
import time

import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.game.planner import _needed, plan, reliability_curve
from otoscope.game.population import Population, fitted_population, logistic_moments
from otoscope.game.reliability import split_half
from otoscope.game.synthetic import ListenerModel, plain_slots, simulate_responses

MEASURED = {5: 0.23, 10: 0.36, 20: 0.54, 30: 0.64, 40: 0.71, 60: 0.78}
"""Listeners in each half, and the rank correlation of the halves, in the study of 121 listeners and 220 clips."""
TOLERANCE = 0.02


def test_the_measured_curve_is_met():
    for seed in (0, 1):
        curve = reliability_curve(220, list(MEASURED), targets_per_sitting=140, seed=seed)
        assert {point.listeners: point.reliability for point in curve} == pytest.approx(MEASURED, abs=TOLERANCE)
        assert [point.responses_per_clip for point in curve] == pytest.approx(
            [2.4, 4.8, 9.5, 14.3, 19, 28.6], abs=0.1
        )
        for point in curve:
            assert point.low < MEASURED[point.listeners] < point.high


def test_the_closed_form_of_binomial_noise_agrees():
    """The correlation of scores is V / (V + noise / n) but for ranks, unequal counts and shared listeners."""
    people = Population(listener_sd=0.0, kept_mean=1.0, kept_sd=0.0)
    variance = people.score_sd**2
    noise = people.score_mean * (1 - people.score_mean) - variance
    for point in reliability_curve(300, [20, 60, 200], targets_per_sitting=150, population=people):
        expected = variance / (variance + noise / point.responses_per_clip)
        assert point.reliability == pytest.approx(expected, abs=0.035)


def test_moments_on_the_logit_scale_are_those_of_chances(rng):
    centre, clip_sd, listener_sd = logistic_moments(0.651, 0.166, 0.13)
    clips, listeners = clip_sd * rng.normal(size=(3000, 1)), listener_sd * rng.normal(size=(1, 3000))
    chance = 1 / (1 + np.exp(-(centre + clips + listeners)))
    assert chance.mean() == pytest.approx(0.651, abs=0.01)
    assert chance.mean(axis=1).std() == pytest.approx(0.166, abs=0.006)
    assert chance.mean(axis=0).std() == pytest.approx(0.13, abs=0.006)
    assert logistic_moments(0.5, 0.1, 0.0)[0] == pytest.approx(0, abs=1e-6)


def test_tables_that_are_simulated_and_scored_agree(rng):
    """Halves of 60 simulated listeners agree as the planner says of groups of 30."""
    centre, clip_sd, listener_sd = logistic_moments(0.651, 0.166, 0.13)
    model = ListenerModel(lag_slope=0.0, crossing=0.0, listener_sd=listener_sd, knew=0.0, timeout=0.0)
    found, kept = [], []
    for seed in range(4):
        clips = centre + clip_sd * rng.normal(size=160)
        slots = plain_slots(n_targets=100, seed=seed)
        table = simulate_responses(clips, n_listeners=60, slots=slots, model=model, seed=seed)
        found.append(split_half(table, n_splits=50, interval=False).spearman.value)
        kept.append(fitted_population(table).kept_mean)
    people = Population(kept_mean=float(np.mean(kept)), kept_sd=0.0)
    (point,) = reliability_curve(160, [30], targets_per_sitting=100, population=people)
    assert np.mean(found) == pytest.approx(point.reliability, abs=0.04)
    assert point.low < min(found)
    assert max(found) < point.high


def test_a_plan_reaches_what_was_asked():
    for clips, asked, targets in ((235, 0.8, None), (60, 0.9, 30)):
        found = plan(clips, asked, targets)
        assert found.reliability == pytest.approx(asked, abs=0.02)
        assert found.reliability_low < asked < found.reliability_high
        assert found.listeners_low <= found.listeners <= found.listeners_high
        (point,) = reliability_curve(clips, [found.listeners], targets_per_sitting=found.targets_per_sitting, seed=9)
        assert point.reliability == pytest.approx(asked, abs=0.02)
        assert found.responses_per_clip == pytest.approx(point.responses_per_clip)
        assert found.split_half == pytest.approx(found.reliability / (2 - found.reliability))
        assert found.ceiling == pytest.approx(math.sqrt(found.reliability))
        assert found.recruit == math.ceil(found.listeners / 0.85)
        assert [point.listeners for point in found.curve] == sorted(point.listeners for point in found.curve)


def test_listeners_are_read_off_the_curve_of_spearman_and_brown():
    sizes = [20, 40, 80]
    odds = np.array([[0.01], [0.05]]) * sizes
    for asked in (0.3, 0.6, 0.9):
        needed = np.exp(_needed(odds / (1 + odds), sizes, asked))
        assert needed == pytest.approx([asked / (1 - asked) / 0.01, asked / (1 - asked) / 0.05])


def test_the_reference_takes_an_hour():
    found = plan(235, 0.8, setup_s=0.0)
    assert (found.targets_per_sitting, found.n_slots) == (149, 405)
    assert found.minutes == 60.0
    assert found.hours == pytest.approx(found.recruit)
    assert 55 < found.listeners < 85  # halves of 121 listeners, 60 each, agreed to 0.78


def test_more_is_needed_for_more():
    least = plan(120, 0.7, 60).listeners
    assert plan(120, 0.8, 60).listeners > least
    assert plan(120, 0.7, 30).listeners == pytest.approx(2 * least, rel=0.15)
    assert plan(240, 0.7, 60).listeners == pytest.approx(2 * least, rel=0.15)
    assert plan(120, 0.7, 60, population=Population(score_sd=0.1)).listeners > 2 * least
    assert plan(120, 0.7, 60, kept_sittings=0.5).recruit == 2 * least
    assert plan(120, 0.7, 60, n_slots=200, n_phases=1, clip_s=8, gap_s=1, setup_s=60).minutes == pytest.approx(31)


def test_plans_are_quick_and_repeat_themselves():
    start = time.process_time()
    one, same, other = (plan(235, 0.9, 149, seed=seed) for seed in (3, 3, 4))
    assert time.process_time() - start < 3 * 5
    assert one == same
    assert one != other
    assert one.listeners == pytest.approx(other.listeners, rel=0.15)


def test_a_population_is_found_in_its_responses(rng):
    centre, clip_sd, listener_sd = logistic_moments(0.6, 0.18, 0.12)
    model = ListenerModel(
        lag_slope=0.0,
        crossing=0.0,
        listener_sd=listener_sd,
        false_alarm=-30.0,
        false_alarm_sd=0.0,
        knew=0.1,
        timeout=0.0,
    )
    table = simulate_responses(
        centre + clip_sd * rng.normal(size=400), n_listeners=50, slots=plain_slots(n_targets=300), model=model
    )
    found = fitted_population(table)
    assert found.score_mean == pytest.approx(0.6, abs=0.03)
    assert found.score_sd == pytest.approx(0.18, abs=0.012)
    assert found.listener_sd == pytest.approx(0.12, abs=0.03)
    assert found.kept_mean == pytest.approx(0.81, abs=0.01)
    assert found.kept_sd == pytest.approx(0.0, abs=0.02)


def test_clips_without_differences_cannot_be_planned_from():
    always = simulate_responses(np.full(30, 40.0), n_listeners=20, slots=plain_slots(n_targets=30))
    with pytest.raises(SpecError, match="do not differ beyond chance"):
        fitted_population(always)
    with pytest.raises(SpecError, match="10 are needed"):
        fitted_population(always.of_sessions(["s0000"]))


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        ((5, 0.8), {}, "5 clips"),
        ((100, 1.0), {}, "reliability of 1.0"),
        ((100, float("nan")), {}, "reliability of nan"),
        ((100, 0.8, 101), {}, "101 targets"),
        ((100, 0.8, 0), {}, "0 targets"),
        ((100, 0.8), {"kept_sittings": 0.0}, "kept_sittings is 0"),
        ((100, 0.8, 50), {"n_slots": 99}, "99 slots"),
        ((100, 0.8), {"clip_s": 0.0}, "clip_s 0"),
        ((20_000, 0.97, 10), {}, "listeners; ask for less"),
    ],
)
def test_plans_that_cannot_be_are_refused(arguments, options, said):
    with pytest.raises(SpecError, match="plan: ") as caught:
        plan(*arguments, **options)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"score_mean": 1.0}, {"score_sd": 0.0}, {"score_sd": 0.6}, {"kept_mean": 0.0}, {"listener_sd": -0.1}]
)
def test_populations_that_cannot_be_are_refused(options):
    with pytest.raises(SpecError, match="population: "):
        Population(**options)
