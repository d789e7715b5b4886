"""Counting arguments: why a schedule cannot be, before anybody looks for it."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import replace

from otoscope.game.schedule_settings import Counts, InfeasibleError, ScheduleSettings

__all__ = ["check_counts", "max_lag_sum", "max_pairs"]


def max_pairs(low: int, segments: Sequence[int]) -> int:
    """Bound how many pairs of slots with at least a given lag stand side by side.

    Parameters
    ----------
    low : int, slots
        Least lag.
    segments : sequence of int
        Slots of the stretches within which a pair lies.

    Returns
    -------
    int
        No slot is in two pairs. A stretch of n slots has n - low first slots at most, and two slots to a pair.

    Examples
    --------
    >>> max_pairs(10, [30]), max_pairs(20, [30]), max_pairs(30, [30])
    (15, 10, 0)
    """
    return sum(min(n // 2, max(n - low, 0)) for n in segments)


def max_lag_sum(n_pairs: int, segments: Sequence[int]) -> int:
    """Give the greatest sum of lags that so many pairs can have.

    Parameters
    ----------
    n_pairs : int
        At most half the slots of each stretch, summed.
    segments : sequence of int
        Slots of the stretches within which a pair lies.

    Returns
    -------
    int
        For m pairs in n slots m (n - m): first presentations first, second ones last.

    Examples
    --------
    >>> max_lag_sum(2, [6]), max_lag_sum(3, [6])
    (8, 9)
    """
    gains = [-(n - 1) for n in segments if n > 1]
    heapq.heapify(gains)
    total = 0
    for _ in range(n_pairs):
        gain = -heapq.heappop(gains)
        total += gain
        if gain > 2:
            heapq.heappush(gains, -(gain - 2))
    return total


def _segments(counts: Counts) -> list[int]:
    """Give each phase's slots without those of the warm-up."""
    left, segments = counts.n_warmup, []
    for n in counts.phases:
        taken = min(left, n)
        left -= taken
        segments.append(n - taken)
    return segments


def check_counts(settings: ScheduleSettings, counts: Counts) -> None:
    """Refuse what counting alone shows to be impossible.

    Parameters
    ----------
    settings : ScheduleSettings
        What is asked for.
    counts : Counts
        Its slots, as the settings give them.

    Raises
    ------
    InfeasibleError
        With the first constraint that cannot be met.

    Notes
    -----
    In a stretch of slots (a phase; the whole session for targets that may cross rests), k pairs need 2 k slots, those
    with lag l or more need k slots followed by l others, and the lags of k pairs sum to k (n - k) at most.
    """
    phases = _segments(counts)
    spans = [sum(phases)] if settings.allow_cross_rest else phases
    vigilance = (settings.vigilance_lag[0], counts.n_vigilance)
    room = max_pairs(vigilance[0], phases)
    if vigilance[1] > room:
        raise InfeasibleError(
            "vigilance_lag",
            f"{vigilance[1]} vigilance pairs of lag {vigilance[0]} or more within phases of {_list(phases)} slots",
            f"n_vigilance = {room} or fewer, shorter lags or longer phases",
        )
    problem = _targets_problem(settings, counts.targets, vigilance, spans)
    if problem is not None:
        raise InfeasibleError(*problem, _targets_that_fit(settings, counts, vigilance, spans))
    _check_summaries(settings, counts, spans)
    _check_phase_pairs(settings, counts)


def _targets_problem(
    settings: ScheduleSettings, targets: Sequence[int], vigilance: tuple[int, int], spans: Sequence[int]
) -> tuple[str, str] | None:
    """Give the constraint that these targets break and how, or None."""
    longest = max(spans) - 1
    asked = [(lags, n) for lags, n in zip(settings.lag_bins, targets, strict=True) if n]
    for lags, n in asked:
        if lags.low > longest:
            where = "the session" if settings.allow_cross_rest else "a phase"
            return "lag_bins", f"{n} pairs of lag {lags.low}..{lags.high}, and {where} has room for lags to {longest}"
    for lags, _ in asked:
        wanted = sum(n for other, n in asked if other.low >= lags.low)
        room = max_pairs(lags.low, spans)
        if wanted > room:
            return "lag_bins", f"{wanted} pairs of lag {lags.low} or more in {_list(spans)} slots, which hold {room}"
    total = sum(targets) + vigilance[1]
    if total > max_pairs(0, spans):
        return "n_fillers", (
            f"{total} pairs in stretches of {_list(spans)} slots, which hold {max_pairs(0, spans)}: a stretch "
            "with an odd number of slots needs a filler"
        )
    lows = sorted([lags.low for lags, n in asked for _ in range(n)] + [vigilance[0]] * vigilance[1], reverse=True)
    needed = 0
    for k, low in enumerate(lows, start=1):
        needed += low
        if needed > max_lag_sum(k, spans):
            return "lag_bins", (
                f"the {k} longest lags sum to {needed} at least, and {k} pairs in {_list(spans)} slots to "
                f"{max_lag_sum(k, spans)} at most"
            )
    return None


def _targets_that_fit(
    settings: ScheduleSettings, counts: Counts, vigilance: tuple[int, int], spans: Sequence[int]
) -> str:
    free = replace(settings, n_targets=None, n_fillers=None, n_clips=None)
    for n_targets in range(counts.n_targets - 1, 0, -1):
        fewer = replace(free, n_targets=n_targets).counts()
        if _targets_problem(settings, fewer.targets, vigilance, spans) is None:
            return f"n_targets = {n_targets} or fewer in these bins, shorter lags or longer phases"
    way = "" if settings.allow_cross_rest else ", or allow_cross_rest"
    low = max(lags.low for lags in settings.lag_bins)
    return f"phases of more than {low} slots, or shorter lags{way}"


def _check_summaries(settings: ScheduleSettings, counts: Counts, spans: Sequence[int]) -> None:
    n, top = counts.n_targets, max(spans) - 1
    asked = [(lags, k) for lags, k in zip(settings.lag_bins, counts.targets, strict=True) if k]
    windows = sorted((lags.low, min(lags.high, top)) for lags, k in asked for _ in range(k))
    for name in ("lag_mean", "lag_median", "lag_extremes"):
        if getattr(settings, name) is not None and not windows:
            raise InfeasibleError(name, "there are no targets", "at least one target")
    if settings.lag_mean is not None:
        least, most = sum(low for low, _ in windows) / n, sum(high for _, high in windows) / n
        most = min(most, (max_lag_sum(n, spans)) / n)
        if not least - 0.5 <= settings.lag_mean <= most + 0.5:
            problem = f"a mean of {settings.lag_mean:g}, and the bins give {least:.1f} to {most:.1f}"
            raise InfeasibleError("lag_mean", problem, f"{least:.1f} to {most:.1f}")
    if settings.lag_median is not None:
        lows, highs = sorted(low for low, _ in windows), sorted(high for _, high in windows)
        least, most = ((ends[(n - 1) // 2] + ends[n // 2]) / 2 for ends in (lows, highs))
        if not least <= settings.lag_median <= most or (2 * settings.lag_median) % (1 if n % 2 == 0 else 2):
            problem = f"a median of {settings.lag_median:g}, and the bins give {least:g} to {most:g}"
            whole = "a whole number" if n % 2 else "a whole number or a half"
            raise InfeasibleError("lag_median", problem, f"{whole} from {least:g} to {most:g}")
    if settings.lag_extremes is not None:
        least, most = settings.lag_extremes
        if most > top or n < 1 + (most > least):
            raise InfeasibleError("lag_extremes", f"a lag of {most} among {n} pairs", f"lags to {top}")
        inside = windows[0][0] <= least <= windows[0][1] and windows[-1][0] <= most <= windows[-1][1]
        if not inside:
            problem = f"lags from {least} to {most}, and the bins go from {windows[0][0]} to {windows[-1][1]}"
            raise InfeasibleError("lag_extremes", problem, "ends that lie in the first and the last bin")


def _check_phase_pairs(settings: ScheduleSettings, counts: Counts) -> None:
    if settings.phase_pairs is None:
        return
    asked = sum(n for _, _, n in settings.phase_pairs)
    if asked != counts.n_targets:
        problem = f"the counts sum to {asked} and there are {counts.n_targets} targets"
        raise InfeasibleError(
            "phase_pairs", problem, f"counts that sum to {counts.n_targets}, or n_targets = {asked}"
        )
    slots = _segments(counts)
    for phase, room in enumerate(slots):
        used = sum(n * ((a == phase) + (b == phase)) for a, b, n in settings.phase_pairs)
        if used > room:
            problem = f"{used} presentations in phase {phase}, which has room for {room}"
            raise InfeasibleError("phase_pairs", problem, f"{room} presentations or fewer in that phase")


def _list(values: Sequence[int]) -> str:
    return ", ".join(str(value) for value in values)
