"""What a schedule of the game is asked to be: its length, its lags, its phases, and how many slots serve for what."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from otoscope.errors import SpecError

__all__ = ["ROLES", "Counts", "InfeasibleError", "LagBin", "Role", "ScheduleSettings"]

Role = Literal["target", "vigilance", "filler", "warmup"]
ROLES: tuple[Role, ...] = get_args(Role)

MIN_LAG = 2  # one would be an adjacent repeat
SLOTS_PER_VIGILANCE = 20
FILLER_SHARE = 6  # one slot in so many, where neither targets nor fillers are asked for


class InfeasibleError(SpecError):
    """A schedule cannot be, or was not found: which constraint stands in the way, and what would fit.

    Parameters
    ----------
    constraint : str
        The setting that cannot be met, such as ``lag_bins``; ``placement`` where every count fits and a long search
        still found no order.
    problem : str
        What was asked, and what there is room for.
    fits : str
        What would fit.
    proven : bool
        Whether counting shows that there is no such schedule; else it was only not found.
    """

    def __init__(self, constraint: str, problem: str, fits: str, proven: bool = True) -> None:
        super().__init__(constraint, problem, fits, proven)
        self.constraint = constraint
        self.problem = problem
        self.fits = fits
        self.proven = proven

    def __str__(self) -> str:
        return f"schedule: {self.constraint}: {self.problem}; what fits: {self.fits}"


def _check_range(name: str, low: int, high: int) -> None:
    if not MIN_LAG <= low <= high:
        raise SpecError(f"schedule: {name} is {low}..{high}; lags start at {MIN_LAG} and the ends are in order")


@dataclass(frozen=True, slots=True)
class LagBin:
    """A range of lags and its weight among the targets.

    Parameters
    ----------
    low, high : int, slots
        Both ends belong to it; `low` is 2 or more, so that no clip follows itself.
    weight : float
        Its part of the target pairs, relative to the other bins; counts serve as well as shares.

    Raises
    ------
    SpecError
        If the range or the weight cannot be.
    """

    low: int
    high: int
    weight: float = 1.0

    def __post_init__(self) -> None:
        _check_range("lag bin", self.low, self.high)
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise SpecError(f"lag bin {self.low}..{self.high}: weight is {self.weight}; it must be above 0")


@dataclass(frozen=True, slots=True)
class Counts:
    """How the slots of a session are used.

    Parameters
    ----------
    phases : tuple of int
        Slots of each phase.
    targets : tuple of int
        Target pairs of each lag bin.
    n_vigilance : int
        Vigilance pairs.
    n_fillers, n_warmup : int
        Clips that are heard once.
    """

    phases: tuple[int, ...]
    targets: tuple[int, ...]
    n_vigilance: int
    n_fillers: int
    n_warmup: int

    @property
    def n_slots(self) -> int:
        """Slots of the session."""
        return sum(self.phases)

    @property
    def n_targets(self) -> int:
        """Target pairs."""
        return sum(self.targets)

    @property
    def n_items(self) -> int:
        """Different clips that one sitting needs."""
        return self.n_targets + self.n_vigilance + self.n_fillers + self.n_warmup


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSettings:
    """What a schedule is asked to be.

    Parameters
    ----------
    n_slots : int, optional
        Slots of a session. Give this or `minutes`.
    minutes : float, optional
        Length of a session, rests included: as many slots as fit into it.
    clip_s, gap_s, rest_s : float, seconds
        How long a clip, the silence after it and a rest between phases last.
    n_phases : int
        Parts of the session with rests between them, as equal as can be.
    phase_slots : tuple of int, optional
        Slots of each phase instead; their sum is `n_slots`.
    lag_bins : tuple of LagBin
        Lags of the targets, in rising order and apart from each other.
    n_targets : int, optional
        Target pairs; without it, what the other roles leave.
    n_fillers : int, optional
        Clips heard once; without it, what the other roles leave. Where neither is given, one slot in six.
    n_vigilance : int, optional
        Pairs that show whether a listener attends; without it, one for every 20 slots.
    vigilance_lag : tuple of int, slots
        Least and greatest lag of the vigilance pairs; they never cross a rest.
    n_warmup : int
        Slots at the start that hold a clip heard once and are not scored.
    allow_cross_rest : bool
        Whether a rest may lie between the two presentations of a target.
    phase_pairs : tuple of (int, int, int), optional
        How many target pairs have their first presentation in one phase and the second in another: phase, phase,
        count, phases from 0. The counts sum to the number of targets.
    lag_mean : float, optional
        Mean lag of the targets, met within half a slot.
    lag_median : float, optional
        Median lag of the targets, met exactly.
    lag_extremes : tuple of int, optional
        Least and greatest lag of the targets; both occur.
    n_clips : int, optional
        Clips there are: a sitting may not need more.
    seed : int
        What the order is drawn from.

    Raises
    ------
    SpecError
        If a value cannot be, whatever the others are.
    """

    n_slots: int | None = None
    minutes: float | None = None
    clip_s: float = 5.0
    gap_s: float = 3.0
    rest_s: float = 60.0
    n_phases: int = 1
    phase_slots: tuple[int, ...] | None = None
    lag_bins: tuple[LagBin, ...] = (LagBin(10, 19), LagBin(20, 34), LagBin(35, 54))
    n_targets: int | None = None
    n_fillers: int | None = None
    n_vigilance: int | None = None
    vigilance_lag: tuple[int, int] = (3, 7)
    n_warmup: int = 0
    allow_cross_rest: bool = False
    phase_pairs: tuple[tuple[int, int, int], ...] | None = None
    lag_mean: float | None = None
    lag_median: float | None = None
    lag_extremes: tuple[int, int] | None = None
    n_clips: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.n_slots is None) == (self.minutes is None):
            raise SpecError("schedule: give the length of a session either as n_slots or as minutes")
        for name in ("n_slots", "n_targets", "n_fillers", "n_vigilance", "n_warmup", "n_clips", "seed"):
            value = getattr(self, name)
            least = 1 if name in ("n_slots", "n_clips") else 0
            if value is not None and value < least:
                raise SpecError(f"schedule: {name} is {value}; it must be {least} or more")
        for name in ("minutes", "clip_s", "gap_s", "rest_s"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise SpecError(f"schedule: {name} is {value}; it must be finite and not negative")
        if self.clip_s + self.gap_s <= 0:
            raise SpecError("schedule: clip_s and gap_s are both 0; a slot must last")
        self._check_phases()
        self._check_lags()

    def _check_phases(self) -> None:
        if self.n_phases < 1:
            raise SpecError(f"schedule: n_phases is {self.n_phases}; it must be 1 or more")
        if self.phase_slots is not None:
            if len(self.phase_slots) != self.n_phases or min(self.phase_slots) < 1:
                raise SpecError(f"schedule: phase_slots are {self.phase_slots}; give 1 or more for each phase")
            if self.n_slots is None or sum(self.phase_slots) != self.n_slots:
                raise SpecError(f"schedule: phase_slots sum to {sum(self.phase_slots)}; n_slots must say the same")
        for pair in self.phase_pairs or ():
            first, second, count = pair
            if not (0 <= first <= second < self.n_phases and count >= 0):
                raise SpecError(
                    f"schedule: phase_pairs has {pair}; phases go from 0 to {self.n_phases - 1}, in order"
                )
            if first != second and count and not self.allow_cross_rest:
                raise SpecError(
                    f"schedule: phase_pairs has {pair}, across a rest; set allow_cross_rest to ask for it"
                )
        places = [pair[:2] for pair in self.phase_pairs or ()]
        if len(set(places)) != len(places):
            raise SpecError("schedule: phase_pairs names the same two phases twice")

    def _check_lags(self) -> None:
        if not self.lag_bins:
            raise SpecError("schedule: lag_bins is empty; give at least one range of lags")
        for one, other in zip(self.lag_bins, self.lag_bins[1:], strict=False):
            if one.high >= other.low:
                raise SpecError(
                    f"schedule: lag bins {one.low}..{one.high} and {other.low}..{other.high} must rise and stay apart"
                )
        _check_range("vigilance_lag", *self.vigilance_lag)
        if self.lag_extremes is not None:
            _check_range("lag_extremes", *self.lag_extremes)
            for lag in self.lag_extremes:
                if not any(lags.low <= lag <= lags.high for lags in self.lag_bins):
                    raise SpecError(f"schedule: lag_extremes has {lag}, which is in no lag bin")

    def counts(self) -> Counts:
        """Say how many slots serve for what.

        Returns
        -------
        Counts
            With as many targets in each bin as its weight says (largest remainders).

        Raises
        ------
        InfeasibleError
            If the numbers asked for do not add up to the slots, or there are too few clips.

        Examples
        --------
        >>> ScheduleSettings(n_slots=100, n_vigilance=5, n_fillers=10).counts().targets
        (14, 13, 13)
        """
        n_slots = self._slots()
        n_vigilance = n_slots // SLOTS_PER_VIGILANCE if self.n_vigilance is None else self.n_vigilance
        left = n_slots - self.n_warmup - 2 * n_vigilance
        if left < 0:
            raise InfeasibleError(
                "n_slots",
                f"{n_slots} slots cannot hold {self.n_warmup} warm-up slots and {n_vigilance} vigilance pairs",
                f"{n_slots - left} slots or more",
            )
        n_targets, n_fillers = self._share_out(left)
        counts = Counts(
            phases=self._phases(n_slots),
            targets=_apportion(n_targets, [lags.weight for lags in self.lag_bins]),
            n_vigilance=n_vigilance,
            n_fillers=n_fillers,
            n_warmup=self.n_warmup,
        )
        if self.n_clips is not None and counts.n_items > self.n_clips:
            raise InfeasibleError(
                "n_clips",
                f"a sitting of {n_slots} slots needs {counts.n_items} clips and there are {self.n_clips}",
                f"{counts.n_items} clips or more, or a shorter session",
            )
        return counts

    def _slots(self) -> int:
        if self.n_slots is not None:
            n_slots = self.n_slots
        else:
            assert self.minutes is not None
            left_s = self.minutes * 60 - (self.n_phases - 1) * self.rest_s
            n_slots = math.floor(left_s / (self.clip_s + self.gap_s) + 1e-9)
        if n_slots < self.n_phases:
            least_s = self.n_phases * (self.clip_s + self.gap_s) + (self.n_phases - 1) * self.rest_s
            raise InfeasibleError(
                "minutes" if self.n_slots is None else "n_slots",
                f"there is room for {max(n_slots, 0)} slots in {self.n_phases} phases",
                f"at least one slot in each phase: {self.n_phases} slots, {least_s / 60:.2f} minutes",
            )
        return n_slots

    def _phases(self, n_slots: int) -> tuple[int, ...]:
        if self.phase_slots is not None:
            return self.phase_slots
        each, more = divmod(n_slots, self.n_phases)
        return tuple(each + (phase < more) for phase in range(self.n_phases))

    def _share_out(self, left: int) -> tuple[int, int]:
        """Give target pairs and fillers for the slots that neither warm-up nor vigilance take."""
        n_targets, n_fillers = self.n_targets, self.n_fillers
        if n_targets is None and n_fillers is None:
            n_targets = (left - round(left / FILLER_SHARE)) // 2
        if n_targets is None:
            assert n_fillers is not None
            if n_fillers > left or (left - n_fillers) % 2:
                near = left if n_fillers > left else n_fillers + 1
                problem = f"{n_fillers} fillers in the {left} slots left to targets and fillers do not leave pairs"
                raise InfeasibleError("n_fillers", problem, f"n_fillers = {near}, or no n_fillers")
            return (left - n_fillers) // 2, n_fillers
        if 2 * n_targets > left:
            problem = f"{n_targets} target pairs need {2 * n_targets} slots and {left} are left to them"
            raise InfeasibleError("n_targets", problem, f"n_targets = {left // 2} or fewer")
        rest = left - 2 * n_targets
        if n_fillers is not None and n_fillers != rest:
            problem = (
                f"{n_targets} target pairs and {n_fillers} fillers are {2 * n_targets + n_fillers} slots, not {left}"
            )
            raise InfeasibleError("n_fillers", problem, f"n_fillers = {rest}")
        return n_targets, rest

    def to_json(self) -> dict[str, Any]:
        """Give the settings as JSON values.

        Returns
        -------
        dict
            What :meth:`from_json` reads.
        """
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ScheduleSettings:
        """Read what :meth:`to_json` gave.

        Parameters
        ----------
        value : mapping
            Names of settings and their values; lists for tuples.

        Returns
        -------
        ScheduleSettings
            Equal to the one written.

        Raises
        ------
        SpecError
            If a name is unknown or a value cannot be.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(value) - known)
        if unknown:
            raise SpecError(f"schedule: unknown settings {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        given = dict(value)
        try:
            for name in ("phase_slots", "vigilance_lag", "lag_extremes"):
                if given.get(name) is not None:
                    given[name] = tuple(given[name])
            if given.get("phase_pairs") is not None:
                given["phase_pairs"] = tuple(tuple(pair) for pair in given["phase_pairs"])
            if given.get("lag_bins") is not None:
                given["lag_bins"] = tuple(LagBin(**lags) for lags in given["lag_bins"])
            return cls(**given)
        except (TypeError, ValueError) as error:
            if isinstance(error, SpecError):
                raise
            raise SpecError(f"schedule: the settings cannot be read: {error}") from error


def _apportion(n: int, weights: list[float]) -> tuple[int, ...]:
    """Share n out by weights: whole parts first, then the largest remainders (the first of equals)."""
    total = sum(weights)
    exact = [n * weight / total for weight in weights]
    parts = [math.floor(part + 1e-9) for part in exact]
    order = sorted(range(len(parts)), key=lambda i: (round(parts[i] - exact[i], 9), i))
    for i in order[: n - sum(parts)]:
        parts[i] += 1
    return tuple(parts)
