"""Schedules of the game: templates that keep what was asked, and which clip stands where for whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from otoscope.game.assignments import Assignments, assign, check_assignments, second_seat
from otoscope.game.feasibility import check_counts
from otoscope.game.placement import Placement, improve_placement, place_pairs
from otoscope.game.presets import PRESETS, fit_to_clips
from otoscope.game.proof import Proof, check_schedule
from otoscope.game.schedule_settings import (
    ROLES,
    Counts,
    InfeasibleError,
    LagBin,
    Role,
    ScheduleSettings,
)
from otoscope.game.templates import Item, Slot, Template
from otoscope.game.windows import deal_to_phases, fit_to_phases, target_windows, vigilance_windows

__all__ = [
    "PRESETS",
    "ROLES",
    "Assignments",
    "Counts",
    "InfeasibleError",
    "Item",
    "LagBin",
    "Proof",
    "Role",
    "ScheduleSettings",
    "Slot",
    "Template",
    "assign",
    "check_assignments",
    "check_schedule",
    "fit_to_clips",
    "make_template",
    "second_seat",
]

ATTEMPTS = 4
MOVES_PER_SLOT = 30
RUN = 4  # repeats in a row that nobody would notice


def make_template(settings: ScheduleSettings) -> Template:
    """Draw a schedule that keeps what was asked.

    Parameters
    ----------
    settings : ScheduleSettings
        What is asked. The same settings give the same schedule, in every process.

    Returns
    -------
    Template
        Checked by :func:`~otoscope.game.proof.check_schedule`.

    Raises
    ------
    InfeasibleError
        If there is no such schedule, or none was found; it names the constraint and what would fit.

    Notes
    -----
    Counting arguments come first (:mod:`otoscope.game.feasibility`). Then pairs are placed at random, those with the
    least room first, with lags spread evenly over each bin; a pair without room displaces others, which look for
    another place. In the first attempts pairs are dealt evenly to the phases; later ones leave the phases open,
    and the last one goes for the shortest lags, which leave the most room. At the end single presentations change
    places with fillers, where that brings the mean lag asked for or breaks a long run of repeats.

    Examples
    --------
    >>> template = make_template(PRESETS["short"])
    >>> template.n_slots, template.n_items
    (75, 45)
    >>> make_template(ScheduleSettings(n_slots=30, n_targets=16))
    Traceback (most recent call last):
    otoscope.game.schedule_settings.InfeasibleError: schedule: n_targets: 16 target pairs need 32 slots and 28 are \
left to them; what fits: n_targets = 14 or fewer
    """
    counts = settings.counts()
    check_counts(settings, counts)
    phases = np.repeat(np.arange(len(counts.phases)), counts.phases)
    best, n_best = [0] * len(settings.lag_bins), -1
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng([settings.seed, attempt])
        targets = target_windows(settings, counts, rng)
        pairs = targets + vigilance_windows(settings, counts, rng)
        if settings.phase_pairs is not None:
            pairs[: len(targets)] = fit_to_phases(targets, settings, counts)
        if attempt < ATTEMPTS // 2:
            pairs = deal_to_phases(pairs, counts, rng)
        if attempt + 1 == ATTEMPTS:
            pairs = [replace(pair, wanted=pair.low) for pair in pairs]
        placement = place_pairs(pairs, phases, n_blocked=counts.n_warmup, rng=rng)
        if placement.complete:
            cost, blocked = _cost(settings, counts), counts.n_warmup
            placement = improve_placement(
                placement,
                pairs,
                phases,
                cost=cost,
                n_moves=MOVES_PER_SLOT * counts.n_slots,
                n_blocked=blocked,
                rng=rng,
            )
            template = _template(settings, counts, placement, phases.tolist())
            broken = check_schedule(template).broken
            if not broken:
                return template
            if attempt + 1 == ATTEMPTS:
                constraint = broken[0]
                problem = f"asked {constraint.asked}, found {constraint.got}"
                raise InfeasibleError(constraint.name, problem, "other lags, or more fillers", False)
        elif placement.n_placed > n_best:
            n_best = placement.n_placed
            best = _placed_in_bins(settings, placement, len(targets))
    raise InfeasibleError(
        "placement",
        f"{n_best} of {counts.n_targets + counts.n_vigilance} pairs were placed in {ATTEMPTS} attempts",
        f"{', '.join(map(str, best))} target pairs in the lag bins, with more fillers; or wider bins",
        False,
    )


def _cost(settings: ScheduleSettings, counts: Counts) -> Callable[[NDArray[np.int64]], float]:
    """Give what makes a schedule worse: a mean lag other than asked, above all, and long runs of repeats."""
    n = counts.n_targets

    def cost(places: NDArray[np.int64]) -> float:
        again = np.zeros(counts.n_slots + 1, dtype=bool)
        again[places[:, 1]] = True
        breaks = np.flatnonzero(~again)
        over = np.diff(breaks, prepend=-1) - 1 - RUN
        total = float((over[over > 0] ** 2).sum())
        if settings.lag_mean is not None:
            mean = (places[:n, 1] - places[:n, 0]).sum() / n
            total += 1e4 * max(abs(float(mean) - settings.lag_mean) - 0.5, 0.0)
        return total

    return cost


def _placed_in_bins(settings: ScheduleSettings, placement: Placement, n_targets: int) -> list[int]:
    lags = Counter(pair[1] - pair[0] for pair in placement.slots[:n_targets] if pair is not None)
    return [sum(n for lag, n in lags.items() if lags_.low <= lag <= lags_.high) for lags_ in settings.lag_bins]


def _template(settings: ScheduleSettings, counts: Counts, placement: Placement, phases: Sequence[int]) -> Template:
    """Write the slots down; what no pair took is warm-up at the start and filler after it."""
    role: list[Role] = ["warmup" if slot < counts.n_warmup else "filler" for slot in range(counts.n_slots)]
    earlier: dict[int, int] = {}
    for number, place in enumerate(placement.slots):
        assert place is not None
        kind: Role = "target" if number < counts.n_targets else "vigilance"
        role[place[0]] = role[place[1]] = kind
        earlier[place[1]] = place[0]
    item: dict[int, int] = {}
    slots = []
    for index in range(counts.n_slots):
        first = earlier.get(index)
        item[index] = item[first] if first is not None else len(set(item.values()))
        lag = None if first is None else index - first
        bins = [i for i, b in enumerate(settings.lag_bins) if lag is not None and b.low <= lag <= b.high]
        lag_bin = bins[0] if bins and role[index] == "target" else None
        slots.append(Slot(index, item[index], role[index], 1 if first is None else 2, lag, phases[index], lag_bin))
    return Template(replace(settings), tuple(slots))
