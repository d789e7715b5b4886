"""Which lags and phases each pair of a schedule may have, before it gets its slots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from otoscope.game.placement import Pair
from otoscope.game.schedule_settings import Counts, InfeasibleError, ScheduleSettings

__all__ = ["deal_to_phases", "fit_to_phases", "target_windows", "vigilance_windows"]


def target_windows(settings: ScheduleSettings, counts: Counts, rng: np.random.Generator) -> list[Pair]:
    """Give each target pair a range of lags, such that bins, median and extremes come out as asked.

    Parameters
    ----------
    settings : ScheduleSettings
        What is asked.
    counts : Counts
        Pairs of each bin.
    rng : Generator
        For the lag that each pair tries first: spread evenly over its bin, moved to the mean asked for.

    Returns
    -------
    list of Pair
        From the shortest lags to the longest.

    Raises
    ------
    InfeasibleError
        If median and extremes cannot be had together.
    """
    n = counts.n_targets
    bins = [lags for lags, k in zip(settings.lag_bins, counts.targets, strict=True) for _ in range(k)]
    windows = [(lags.low, lags.high) for lags in bins]
    if settings.lag_extremes is not None:
        least, most = settings.lag_extremes
        windows = [(max(low, least), min(high, most)) for low, high in windows]
        windows[0] = (least, min(windows[0][1], least))
        windows[-1] = (max(windows[-1][0], most), most)
    if settings.lag_median is not None:
        one, other = (n - 1) // 2, n // 2
        a, b = _middle(settings.lag_median, windows[one], windows[other])
        windows = [(low, min(high, a)) if i <= one else (max(low, b), high) for i, (low, high) in enumerate(windows)]
        windows[one] = (max(windows[one][0], a), a)
        windows[other] = (b, min(windows[other][1], b)) if other != one else windows[other]
    name = "lag_median" if settings.lag_median is not None else "lag_extremes"
    if any(low > high for low, high in windows):
        raise InfeasibleError(name, "it leaves a pair without lags", "more pairs, or other extremes", False)
    wanted = _wanted(settings, counts, windows, rng)
    return [
        Pair(low, high, lag, None, not settings.allow_cross_rest)
        for (low, high), lag in zip(windows, wanted, strict=True)
    ]


def _middle(median: float, one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """Give the two middle lags, as near to each other as their windows allow."""
    a = min(math.floor(median), one[1])
    b = round(2 * median) - a
    if b > other[1] or b < other[0]:
        b = min(max(b, other[0]), other[1])
        a = round(2 * median) - b
    return a, b


def _wanted(
    settings: ScheduleSettings, counts: Counts, windows: Sequence[tuple[int, int]], rng: np.random.Generator
) -> list[int]:
    wanted, start = [], 0
    for k in counts.targets:
        inside = windows[start : start + k]
        spots = (np.arange(k) + rng.random(k)) / max(k, 1)
        # Each bin's lags are laid over its whole range; a narrower window then pulls its own lag in.
        low, high = min((w[0] for w in inside), default=0), max((w[1] for w in inside), default=0)
        lags = low + np.floor(spots * (high - low + 1)).astype(int)
        wanted += [min(max(int(lag), w[0]), w[1]) for lag, w in zip(lags, inside, strict=True)]
        start += k
    if settings.lag_mean is not None:
        goal = round(settings.lag_mean * len(wanted))
        movable = [i for i, (low, high) in enumerate(windows) if low < high]
        while sum(wanted) != goal:
            step = 1 if sum(wanted) < goal else -1
            free = [i for i in movable if windows[i][0] <= wanted[i] + step <= windows[i][1]]
            if not free:
                break
            for i in rng.permutation(free)[: abs(goal - sum(wanted))].tolist():
                wanted[i] += step
    return wanted


def vigilance_windows(settings: ScheduleSettings, counts: Counts, rng: np.random.Generator) -> list[Pair]:
    """Give each vigilance pair its range of lags.

    Parameters
    ----------
    settings : ScheduleSettings
        What is asked.
    counts : Counts
        How many there are.
    rng : Generator
        For the lag that each tries first.

    Returns
    -------
    list of Pair
        Each within a phase.
    """
    low, high = settings.vigilance_lag
    return [Pair(low, high, int(rng.integers(low, high + 1)), None, True) for _ in range(counts.n_vigilance)]


def _reach(counts: Counts, first: int, second: int) -> tuple[int, int]:
    """Give the least and the greatest lag from one phase to another."""
    ends = np.cumsum(counts.phases)
    starts = np.maximum(ends - counts.phases, counts.n_warmup)
    if first == second:
        return 1, int(ends[first] - starts[first]) - 1
    return int(starts[second] - ends[first]) + 1, int(ends[second] - starts[first]) - 1


def fit_to_phases(targets: Sequence[Pair], settings: ScheduleSettings, counts: Counts) -> list[Pair]:
    """Give each target the phases of its two presentations, as many of each kind as asked.

    Parameters
    ----------
    targets : sequence of Pair
        With their ranges of lags.
    settings : ScheduleSettings
        With `phase_pairs`.
    counts : Counts
        Slots of each phase.

    Returns
    -------
    list of Pair
        In the same order, with phases, and ranges cut to what these can hold.

    Raises
    ------
    InfeasibleError
        If no way of sharing the phases out suits all ranges of lags.

    Notes
    -----
    Augmenting paths in the bipartite graph of pairs and kinds of phases: where none is found, there is no way.
    """
    cells = [(a, b) for a, b, n in settings.phase_pairs or () if n]
    room = [n for _, _, n in settings.phase_pairs or () if n]
    reach = [_reach(counts, a, b) for a, b in cells]
    suits = []
    for pair in targets:
        good = [i for i, (low, high) in enumerate(reach) if max(low, pair.low) <= min(high, pair.high)]
        suits.append(sorted(good, key=lambda i, lag=pair.wanted: abs(sum(reach[i]) / 2 - lag)))
    members: list[list[int]] = [[] for _ in cells]

    def settle(number: int, seen: set[int]) -> bool:
        for cell in suits[number]:
            if cell in seen:
                continue
            seen.add(cell)
            if len(members[cell]) < room[cell]:
                members[cell].append(number)
                return True
            for other in list(members[cell]):
                if settle(other, seen):
                    members[cell].remove(other)
                    members[cell].append(number)
                    return True
        return False

    for number in range(len(targets)):
        if not settle(number, set()):
            pair = targets[number]
            asked = ", ".join(f"{a}-{b}: {n}" for (a, b), n in zip(cells, room, strict=True))
            proven = settings.lag_median is None and settings.lag_extremes is None
            raise InfeasibleError(
                "phase_pairs",
                f"lags {pair.low}..{pair.high} find no phases among {asked}",
                "; ".join(
                    f"{a}-{b} holds lags {low}..{high}" for (a, b), (low, high) in zip(cells, reach, strict=True)
                ),
                proven,
            )
    phases = {number: cell for cell, numbers in enumerate(members) for number in numbers}
    fitted = []
    for number, pair in enumerate(targets):
        low, high = reach[phases[number]]
        low, high = max(low, pair.low), min(high, pair.high)
        wanted = min(max(pair.wanted, low), high)
        fitted.append(replace(pair, low=low, high=high, wanted=wanted, phases=cells[phases[number]]))
    return fitted


def deal_to_phases(pairs: Sequence[Pair], counts: Counts, rng: np.random.Generator) -> list[Pair]:
    """Deal the pairs that lie in one phase evenly to the phases that can hold them.

    Parameters
    ----------
    pairs : sequence of Pair
        Those that have phases, or may cross rests, stay as they are.
    counts : Counts
        Slots of each phase.
    rng : Generator
        For the order of equals.

    Returns
    -------
    list of Pair
        In the same order.
    """
    dealt = list(pairs)
    n_phases = len(counts.phases)
    room = np.array([_reach(counts, phase, phase)[1] + 1 for phase in range(n_phases)], dtype=float)
    used = np.zeros(n_phases)
    for pair in pairs:
        for phase in pair.phases or ():
            used[phase] += 1
    kind_used: dict[tuple[int, int], np.ndarray] = {}
    for number in sorted(range(len(pairs)), key=lambda i: -pairs[i].low):
        pair = pairs[number]
        if pair.phases is not None or not pair.together or n_phases == 1:
            continue
        kind = kind_used.setdefault((pair.low, pair.high), np.zeros(n_phases))
        can = (room > pair.low) & (used + 2 <= room)
        if can.any():
            share = np.where(can, kind / np.maximum(room, 1), np.inf)
            load = used / np.maximum(room, 1) + 1e-6 * rng.random(n_phases)
            phase = int(np.lexsort((load, np.round(share, 9)))[0])
            kind[phase] += 2
            used[phase] += 2
            dealt[number] = replace(pair, phases=(phase, phase))
    return dealt
