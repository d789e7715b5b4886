"""How many listeners a study needs for scores of a given reliability.

Studies are simulated: clips and listeners are drawn from a population, each listener hears some of the clips twice,
and the scores of one group of listeners are correlated with those of another group as large. That correlation is the
reliability of the scores of one group. The population is a published study's, or one fitted to responses at hand.

What reliability means here: the rank correlation of the scores of all listeners with those of as many others. The
split-half consistency that such a study shows is lower, as it compares halves: r / (2 - r).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.evaluation.regression import weighted_correlation
from otoscope.evaluation.splits import seeded_generator
from otoscope.game.population import Population, logistic_moments

__all__ = ["CurvePoint", "Plan", "plan", "reliability_curve"]

Floats = NDArray[np.float64]

_MAX_CLIPS, _MIN_CLIPS = 400, 100  # simulated at a time; reliability depends on responses per clip, not on clips
_CELLS = 16_000_000  # simulated chances of a response in all; under 1 s
_STUDIES = (16, 120)
_GRID = (0.5, 0.71, 1.0, 1.41, 2.0)
_REFERENCE_TARGETS, _REFERENCE_CLIPS, _REFERENCE_SLOTS = 149, 235, 405
_MAX_LISTENERS = 100_000


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The reliability of scores from so many listeners.

    Parameters
    ----------
    listeners : int
        Sittings that count.
    responses_per_clip : float
        Pairs that count, on average.
    reliability, low, high : float
        Mean over simulated studies, and what 95 % of them showed.
    """

    listeners: int
    responses_per_clip: float
    reliability: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a study needs.

    Parameters
    ----------
    n_clips, targets_per_sitting : int
        What was asked.
    asked : float
        The reliability that was asked for.
    listeners : int
        Sittings that count, which on average reach it.
    listeners_low, listeners_high : int
        What 95 % of simulated studies, each with clips and listeners of its own, would have needed.
    recruit : int
        Listeners to invite, so that enough are left after exclusions.
    presentations_per_clip, responses_per_clip : float
        Pairs played, and pairs that count, for each clip.
    reliability, reliability_low, reliability_high : float
        At `listeners`: the mean, and what 95 % of simulated studies showed.
    split_half : float
        The consistency that halves of these listeners show.
    ceiling : float
        The most that a prediction's rank correlation with the scores can reach.
    n_slots : int
        Of a sitting.
    minutes : float
        Of a sitting, with rests and preparation.
    hours : float
        Of all sittings to be invited together.
    curve : tuple of CurvePoint
        About `listeners`.
    n_studies : int
        How many were simulated.
    """

    n_clips: int
    targets_per_sitting: int
    asked: float
    listeners: int
    listeners_low: int
    listeners_high: int
    recruit: int
    presentations_per_clip: float
    responses_per_clip: float
    reliability: float
    reliability_low: float
    reliability_high: float
    split_half: float
    ceiling: float
    n_slots: int
    minutes: float
    hours: float
    curve: tuple[CurvePoint, ...]
    n_studies: int


def plan(
    n_clips: int,
    reliability: float,
    targets_per_sitting: int | None = None,
    *,
    population: Population | None = None,
    kept_sittings: float = 0.85,
    n_slots: int | None = None,
    n_phases: int = 3,
    clip_s: float = 5.0,
    gap_s: float = 3.0,
    rest_s: float = 180.0,
    setup_s: float = 300.0,
    seed: int = 0,
) -> Plan:
    """Plan a study.

    Parameters
    ----------
    n_clips : int, >= 10
        Clips to be scored.
    reliability : float, between 0 and 1
        Wanted of the scores: their rank correlation with those of as many other listeners.
    targets_per_sitting : int, optional
        Clips that a listener hears twice and that are scored; the reference's share (149 of 235) by default.
    population : Population, optional
        A published study's, unless another is given.
    kept_sittings : float, between 0 and 1
        Share of listeners invited who finish and pass the exclusion rules; an assumption, to be replaced by your own.
    n_slots : int, optional
        Of a sitting; in proportion to the targets by default, as in the reference (405 for 149).
    n_phases : int
        Phases of a sitting.
    clip_s, gap_s, rest_s, setup_s : float, seconds
        A clip; the time between clips; a rest between phases; consent, checks and practice.
    seed : int
        Equal seeds give equal plans.

    Returns
    -------
    Plan
        Within some seconds.

    Raises
    ------
    SpecError
        If a number is impossible, or more than 100,000 listeners would be needed.
    """
    _check_plan(n_clips, reliability, targets_per_sitting, kept_sittings, n_slots, n_phases)
    if min(clip_s, gap_s, rest_s, setup_s) < 0 or clip_s == 0:
        raise SpecError(f"plan: clip_s {clip_s}, gap_s {gap_s}, rest_s {rest_s}, setup_s {setup_s}; 0 s or more")
    people = population or Population()
    targets = targets_per_sitting or max(1, n_clips * _REFERENCE_TARGETS // _REFERENCE_CLIPS)
    per_listener = targets / n_clips
    noise = people.score_mean * (1 - people.score_mean) - people.score_sd**2
    odds = reliability / (1 - reliability)
    guess = odds * noise / people.score_sd**2 / (per_listener * people.kept_mean)
    again = False
    while True:
        if guess > _MAX_LISTENERS:
            raise SpecError(
                f"plan: a reliability of {reliability:g} would need about {guess:,.0f} listeners; ask for less, "
                "for fewer clips or for longer sittings"
            )
        sizes = sorted({max(2, round(guess * step)) for step in _GRID})
        shown = _simulate(people, n_clips, per_listener, sizes, seed)
        log_needed = _needed(shown.mean(axis=0)[None, :], sizes, reliability)[0]
        needed = max(2, math.ceil(math.exp(log_needed) - 1e-9))
        if again or 0.6 < needed / guess < 1.6:
            break
        guess, again = float(needed), True
    each = np.exp(_needed(shown, sizes, reliability))
    low, high = np.quantile(each, [0.025, 0.975])
    at = _simulate(people, n_clips, per_listener, [needed], seed + 1)[:, 0]
    slots = n_slots or round(targets * _REFERENCE_SLOTS / _REFERENCE_TARGETS)
    minutes = (slots * (clip_s + gap_s) + (n_phases - 1) * rest_s + setup_s) / 60
    recruit = math.ceil(needed / kept_sittings)
    reached = float(at.mean())
    reached_low, reached_high = np.quantile(at, [0.025, 0.975])
    return Plan(
        n_clips=n_clips,
        targets_per_sitting=targets,
        asked=reliability,
        listeners=needed,
        listeners_low=min(needed, max(2, math.floor(low))),
        listeners_high=max(needed, math.ceil(high)),
        recruit=recruit,
        presentations_per_clip=needed * per_listener,
        responses_per_clip=needed * per_listener * people.kept_mean,
        reliability=reached,
        reliability_low=float(reached_low),
        reliability_high=float(reached_high),
        split_half=reached / (2 - reached),
        ceiling=math.sqrt(max(reached, 0.0)),
        n_slots=slots,
        minutes=minutes,
        hours=recruit * minutes / 60,
        curve=tuple(_points(shown, sizes, per_listener * people.kept_mean)),
        n_studies=shown.shape[0],
    )


def _check_plan(
    n_clips: int, reliability: float, targets: int | None, kept: float, n_slots: int | None, n_phases: int
) -> None:
    if n_clips < 10:
        raise SpecError(f"plan: {n_clips} clips; a correlation needs 10 or more")
    if not 0.05 <= reliability <= 0.99:
        raise SpecError(f"plan: a reliability of {reliability} was asked for; 0.05 to 0.99 can be planned")
    if targets is not None and not 1 <= targets <= n_clips:
        raise SpecError(f"plan: {targets} targets per sitting of {n_clips} clips; 1 to {n_clips} are possible")
    if not 0 < kept <= 1:
        raise SpecError(f"plan: kept_sittings is {kept}; a share above 0, up to 1, is needed")
    if n_phases < 1 or (n_slots is not None and n_slots < 2 * (targets or 1)):
        raise SpecError(
            f"plan: {n_slots} slots in {n_phases} phases for {targets} targets; two slots for each target"
        )


def reliability_curve(
    n_clips: int,
    listeners: list[int],
    *,
    targets_per_sitting: int,
    population: Population | None = None,
    seed: int = 0,
) -> tuple[CurvePoint, ...]:
    """Give the reliability of scores from groups of listeners.

    Parameters
    ----------
    n_clips : int
        Clips to be scored.
    listeners : list of int
        Sizes of the groups.
    targets_per_sitting : int
        Clips that a listener hears twice and that are scored.
    population : Population, optional
        A published study's, unless another is given.
    seed : int
        Of the simulation.

    Returns
    -------
    tuple of CurvePoint
        In the order of size.

    Raises
    ------
    SpecError
        If a number is impossible.

    Notes
    -----
    The default population's study, divided into groups of 5, 10, 20, 30, 40 and 60 listeners, showed rank
    correlations of 0.23, 0.36, 0.54, 0.64, 0.71 and 0.78; for 220 clips and 140 targets the simulated means lie
    within 0.02 of them.
    """
    _check_plan(n_clips, 0.5, targets_per_sitting, 1.0, None, 1)
    if not listeners or min(listeners) < 1 or max(listeners) > _MAX_LISTENERS:
        raise SpecError(f"reliability curve: groups of {listeners}; sizes from 1 to {_MAX_LISTENERS:,} are needed")
    people = population or Population()
    sizes = sorted(set(listeners))
    shown = _simulate(people, n_clips, targets_per_sitting / n_clips, sizes, seed)
    return tuple(_points(shown, sizes, targets_per_sitting / n_clips * people.kept_mean))


def _simulate(people: Population, n_clips: int, per_listener: float, sizes: list[int], seed: int) -> Floats:
    """Give the rank correlation of two groups of each size (columns) in each simulated study (rows)."""
    from scipy.special import expit
    from scipy.stats import rankdata

    centre, clip_sd, listener_sd = logistic_moments(people.score_mean, people.score_sd, people.listener_sd)
    most = sizes[-1]
    clips = min(n_clips, _MAX_CLIPS, max(_MIN_CLIPS, _CELLS // (2 * most * _STUDIES[0])))
    studies = int(np.clip(_CELLS // (2 * most * clips), *_STUDIES))
    found = np.full((studies, len(sizes)), np.nan)
    for study in range(studies):
        rng = seeded_generator(seed, "plan", str(study))
        log_odds = centre + clip_sd * rng.normal(size=clips)
        played = per_listener * _shares(people, clips, rng)
        scores = np.full((2, len(sizes), clips), np.nan)
        for group in range(2):
            hits, n, done = np.zeros(clips), np.zeros(clips), 0
            for column, size in enumerate(sizes):
                while done < size:
                    listeners = min(size - done, 2000)
                    shape = (listeners, clips)
                    counts = rng.random(shape, dtype=np.float32) < played
                    memory = listener_sd * rng.normal(size=(listeners, 1))
                    chance = expit((memory + log_odds).astype(np.float32))
                    n += counts.sum(axis=0)
                    hits += (counts & (rng.random(shape, dtype=np.float32) < chance)).sum(axis=0)
                    done += listeners
                scores[group, column] = np.where(n > 0, hits / np.maximum(n, 1), np.nan)
        both = np.asarray(np.isfinite(scores).all(axis=0))
        ranks = [rankdata(np.where(both, part, np.inf), axis=1) for part in scores]
        found[study] = weighted_correlation(ranks[0], ranks[1], both.astype(np.float64))
    found = np.nan_to_num(found, nan=0.0)
    mean = found.mean(axis=0)
    # Where fewer clips were simulated than asked for, studies differ too much, by the root of their ratio.
    return mean + (found - mean) * math.sqrt(clips / n_clips)


def _shares(people: Population, clips: int, rng: np.random.Generator) -> Floats:
    """Draw the share of pairs that count, for each clip."""
    mean, variance = people.kept_mean, people.kept_sd**2
    if variance < 1e-8 or mean >= 1:
        return np.full(clips, mean)
    size = mean * (1 - mean) / variance - 1
    return rng.beta(mean * size, (1 - mean) * size, size=clips)


def _needed(shown: Floats, sizes: list[int], reliability: float) -> Floats:
    """Give for each row the logarithm of the listeners that reach a reliability.

    By the formula of Spearman and Brown the odds r / (1 - r) grow with the number of listeners, so that their
    logarithm is a line over that of the number.
    """
    along = np.log(np.asarray(sizes, dtype=np.float64))
    r = np.clip(shown, 0.01, 0.999)
    log_odds = np.log(r / (1 - r))
    wanted = math.log(reliability / (1 - reliability))
    if len(sizes) == 1:
        return along[0] + wanted - log_odds[:, 0]
    centred = along - along.mean()
    # One slope for all rows: a row of its own is too noisy for a slope of its own.
    slope = float(np.clip(log_odds.mean(axis=0) @ centred / (centred @ centred), 0.5, 2.0))
    return along.mean() + (wanted - log_odds.mean(axis=1)) / slope


def _points(shown: Floats, sizes: list[int], responses: float) -> list[CurvePoint]:
    low, high = np.quantile(shown, [0.025, 0.975], axis=0)
    return [
        CurvePoint(size, size * responses, float(mean), float(one), float(other))
        for size, mean, one, other in zip(sizes, shown.mean(axis=0), low, high, strict=True)
    ]
