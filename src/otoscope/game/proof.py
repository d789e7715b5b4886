"""Whether a schedule is what was asked, read from its slots alone."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from otoscope.errors import SpecError
from otoscope.game.schedule_settings import ROLES, SLOTS_PER_VIGILANCE, ScheduleSettings
from otoscope.game.templates import Slot, Template

__all__ = ["Constraint", "Proof", "Table", "check_schedule"]

ROWS_OF_HISTOGRAM = 16


@dataclass(frozen=True, slots=True)
class Constraint:
    """One thing that was asked, and what is there.

    Parameters
    ----------
    name : str
        A setting, or a law that every schedule obeys.
    asked, got : str
        In words and numbers.
    holds : bool
        Whether they agree.
    """

    name: str
    asked: str
    got: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Counts for a report.

    Parameters
    ----------
    name : str
        What is counted.
    columns : tuple of str
        Heads.
    rows : tuple of tuple
        Text and numbers.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """What was looked at, and whether it holds.

    Parameters
    ----------
    title : str
        What is proven.
    constraints : tuple of Constraint
        In the order looked at.
    tables : tuple of Table
        Counts.
    """

    title: str
    constraints: tuple[Constraint, ...]
    tables: tuple[Table, ...]

    @property
    def holds(self) -> bool:
        """Whether all constraints hold."""
        return all(constraint.holds for constraint in self.constraints)

    @property
    def broken(self) -> tuple[Constraint, ...]:
        """The constraints that do not."""
        return tuple(constraint for constraint in self.constraints if not constraint.holds)

    def to_json(self) -> dict[str, Any]:
        """Give the proof as JSON values.

        Returns
        -------
        dict
            ``holds``, ``constraints`` (name, asked, got, holds) and ``tables`` (columns and rows, by name).
        """
        return {
            "title": self.title,
            "holds": self.holds,
            "constraints": [
                {"name": c.name, "asked": c.asked, "got": c.got, "holds": c.holds} for c in self.constraints
            ],
            "tables": {
                t.name: {"columns": list(t.columns), "rows": [list(row) for row in t.rows]} for t in self.tables
            },
        }

    def to_text(self) -> str:
        """Give the proof as plain text.

        Returns
        -------
        str
            Lines of at most the widths that the numbers need, ending with a line end.
        """
        broken = len(self.broken)
        told = f"{broken} of {len(self.constraints)} constraints are broken"
        lines = [self.title, told if broken else f"all of {len(self.constraints)} constraints hold", ""]
        shown = [("", "constraint", "asked", "got")]
        shown += [("ok" if c.holds else "NO", c.name, c.asked, c.got) for c in self.constraints]
        lines += _aligned(shown)
        for table in self.tables:
            lines += ["", table.name, *_aligned([table.columns, *table.rows])]
        return "\n".join(lines) + "\n"


def _aligned(rows: Sequence[Sequence[object]]) -> list[str]:
    texts = [[str(cell) for cell in row] for row in rows]
    numeric = [all(isinstance(row[i], int | float) for row in rows[1:]) for i in range(len(rows[0]))]
    widths = [max(len(row[i]) for row in texts) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in texts
    ]


@dataclass(frozen=True, slots=True)
class _Heard:
    """An item as the slot list shows it: where it is heard, and as what."""

    slots: tuple[int, ...]
    roles: frozenset[str]

    @property
    def role(self) -> str:
        return next(iter(self.roles)) if len(self.roles) == 1 else "mixed"

    @property
    def lag(self) -> int:
        return self.slots[1] - self.slots[0]


class _Reading:
    """Everything that is worked out anew from items, roles and their order."""

    def __init__(self, slots: Sequence[Slot], settings: ScheduleSettings) -> None:
        self.slots, self.settings = slots, settings
        order: dict[int, list[int]] = {}
        for place, slot in enumerate(slots):
            order.setdefault(slot.item, []).append(place)
        self.heard = {
            item: _Heard(tuple(at), frozenset(slots[place].role for place in at)) for item, at in order.items()
        }
        self.phase_of = self._phases()

    def _phases(self) -> list[int]:
        if self.settings.phase_slots is not None:
            sizes = list(self.settings.phase_slots)
        else:
            n, k = len(self.slots), self.settings.n_phases
            sizes = [n // k + (phase < n % k) for phase in range(k)]
        found = [phase for phase, size in enumerate(sizes) for _ in range(size)]
        return (found + [-1] * len(self.slots))[: len(self.slots)]

    def pairs(self, role: str) -> list[_Heard]:
        return [item for item in self.heard.values() if item.role == role and len(item.slots) == 2]

    def count(self, role: str) -> int:
        return sum(item.role == role for item in self.heard.values())

    def phase_pair(self, item: _Heard) -> tuple[int, int]:
        return self.phase_of[item.slots[0]], self.phase_of[item.slots[1]]

    def bin_of(self, lag: int) -> int | None:
        return next((i for i, lags in enumerate(self.settings.lag_bins) if lags.low <= lag <= lags.high), None)


def check_schedule(schedule: Template | Sequence[Slot], settings: ScheduleSettings | None = None) -> Proof:
    """Check a schedule against what was asked.

    Lags, phases and bins are worked out from the order of the items and compared with what the slots say of
    themselves; nothing that the search for a schedule left behind is looked at.

    Parameters
    ----------
    schedule : Template or sequence of Slot
        What is checked.
    settings : ScheduleSettings, optional
        What was asked; a template's own where left out.

    Returns
    -------
    Proof
        Constraints and counts; it need not hold.

    Raises
    ------
    SpecError
        If there are no slots, or no settings with them.

    Examples
    --------
    >>> from otoscope.game.schedule import make_template
    >>> check_schedule(make_template(ScheduleSettings(minutes=12))).holds
    True
    """
    if isinstance(schedule, Template):
        slots, settings = schedule.slots, settings or schedule.settings
    else:
        slots = tuple(schedule)
    if settings is None or not slots:
        raise SpecError("check_schedule: give slots, and with a bare list of them the settings that were asked")
    reading = _Reading(slots, settings)
    constraints = [*_laws(reading), *_lengths(reading), *_numbers(reading), *_lags(reading)]
    return Proof("Schedule", tuple(constraints), tuple(_tables(reading)))


def _laws(r: _Reading) -> list[Constraint]:
    """Give what every schedule obeys."""
    wrong = sum(len(item.slots) != (2 if item.role in ("target", "vigilance") else 1) for item in r.heard.values())
    mixed = sum(len(item.roles) != 1 or not item.roles <= set(ROLES) for item in r.heard.values())
    said = Counter[str]()
    for place, slot in enumerate(r.slots):
        item = r.heard[slot.item]
        second = place != item.slots[0]
        lag = place - item.slots[0] if second else None
        lag_bin = r.bin_of(place - item.slots[0]) if second and slot.role == "target" else None
        said["index"] += slot.index != place
        said["presentation"] += slot.presentation != 1 + second
        said["lag"] += slot.lag != lag
        said["phase"] += slot.phase != r.phase_of[place]
        said["lag_bin"] += slot.lag_bin != lag_bin
    unlike = {name: n for name, n in said.items() if n}
    items = sorted(r.heard)
    least = min((b - a for i in r.heard.values() for a, b in zip(i.slots, i.slots[1:], strict=False)), default=None)
    crossing = sum(r.phase_pair(item)[0] != r.phase_pair(item)[1] for item in r.pairs("target"))
    vigilance = sum(r.phase_pair(item)[0] != r.phase_pair(item)[1] for item in r.pairs("vigilance"))
    early = {slot.role for slot in r.slots[: r.settings.n_warmup]}
    late = sum(slot.role == "warmup" for slot in r.slots[r.settings.n_warmup :])
    return [
        Constraint("items", "numbers from 0 without gaps", f"{len(items)} items", items == list(range(len(items)))),
        Constraint("one role", "each item has one role", f"{mixed} have not", mixed == 0),
        Constraint("presentations", "targets and vigilance twice, others once", f"{wrong} otherwise", not wrong),
        Constraint("what slots say", "as their order shows", _said(unlike), not unlike),
        Constraint("no adjacent repeat", "lags of 2 or more", f"least {least}", least is None or least >= 2),
        Constraint(
            "allow_cross_rest",
            f"{'any number of target pairs' if r.settings.allow_cross_rest else 'no target pair'} across a rest",
            f"{crossing} pairs",
            r.settings.allow_cross_rest or crossing == 0,
        ),
        Constraint("vigilance in a phase", "no vigilance pair across a rest", f"{vigilance} pairs", vigilance == 0),
        Constraint(
            "n_warmup",
            f"the first {r.settings.n_warmup} slots, and no others",
            f"{len(r.slots[: r.settings.n_warmup])} of {', '.join(sorted(early)) or 'nothing'}; {late} later",
            early <= {"warmup"} and late == 0 and r.count("warmup") == r.settings.n_warmup,
        ),
    ]  # fmt: skip


def _said(unlike: dict[str, int]) -> str:
    return ", ".join(f"{name} wrong {n} times" for name, n in unlike.items()) or "as it shows"


def _lengths(r: _Reading) -> list[Constraint]:
    asked, n = r.settings, len(r.slots)
    seconds = n * (asked.clip_s + asked.gap_s) + (asked.n_phases - 1) * asked.rest_s
    found = []
    if asked.n_slots is not None:
        found.append(Constraint("n_slots", str(asked.n_slots), str(n), n == asked.n_slots))
    if asked.minutes is not None:
        limit = asked.minutes * 60
        fits = seconds <= limit + 1e-6 < seconds + asked.clip_s + asked.gap_s + 2e-6
        found.append(Constraint("minutes", f"{asked.minutes:g}, as full as can be", f"{seconds / 60:.2f}", fits))
    sizes = [sum(slot.phase == phase for slot in r.slots) for phase in range(asked.n_phases)]
    if asked.phase_slots is not None:
        found.append(
            Constraint("phase_slots", _join(asked.phase_slots), _join(sizes), sizes == list(asked.phase_slots))
        )
    else:
        even = max(sizes) - min(sizes) <= 1 and min(sizes) > 0 and sum(sizes) == n
        found.append(Constraint("n_phases", f"{asked.n_phases}, equal within a slot", _join(sizes), even))
    if asked.n_clips is not None:
        found.append(
            Constraint("n_clips", f"at most {asked.n_clips}", str(len(r.heard)), len(r.heard) <= asked.n_clips)
        )
    return found


def _numbers(r: _Reading) -> list[Constraint]:
    asked = r.settings
    targets, fillers, vigilance = r.count("target"), r.count("filler"), r.count("vigilance")
    wanted = len(r.slots) // SLOTS_PER_VIGILANCE if asked.n_vigilance is None else asked.n_vigilance
    found = [Constraint("n_vigilance", f"{wanted} pairs", f"{vigilance} pairs", vigilance == wanted)]
    if asked.n_targets is not None:
        found.append(
            Constraint("n_targets", f"{asked.n_targets} pairs", f"{targets} pairs", targets == asked.n_targets)
        )
    if asked.n_fillers is not None:
        found.append(Constraint("n_fillers", str(asked.n_fillers), str(fillers), fillers == asked.n_fillers))
    outside = sum(not asked.vigilance_lag[0] <= item.lag <= asked.vigilance_lag[1] for item in r.pairs("vigilance"))
    found.append(
        Constraint("vigilance_lag", "{}..{}".format(*asked.vigilance_lag), f"{outside} pairs outside", outside == 0)
    )
    if asked.phase_pairs is not None:
        there = Counter(r.phase_pair(item) for item in r.pairs("target"))
        want = {(a, b): n for a, b, n in asked.phase_pairs if n}
        found.append(Constraint("phase_pairs", _phase_pairs(want), _phase_pairs(there), dict(there) == want))
    return found


def _phase_pairs(pairs: dict[tuple[int, int], int]) -> str:
    return ", ".join(f"{a}-{b}: {n}" for (a, b), n in sorted(pairs.items()))


def _lags(r: _Reading) -> list[Constraint]:
    asked = r.settings
    lags = sorted(item.lag for item in r.pairs("target"))
    total = sum(bin_.weight for bin_ in asked.lag_bins)
    bins = [sum(bin_.low <= lag <= bin_.high for lag in lags) for bin_ in asked.lag_bins]
    exact = [len(lags) * bin_.weight / total for bin_ in asked.lag_bins]
    near = all(abs(n - e) < 1 + 1e-9 for n, e in zip(bins, exact, strict=True))
    shares = ", ".join(f"{b.low}..{b.high}: {e:g}" for b, e in zip(asked.lag_bins, map(_short, exact), strict=True))
    found = [Constraint("lag_bins", f"{shares}, within one", _join(bins), near and sum(bins) == len(lags))]
    if asked.lag_mean is not None:
        mean = statistics.fmean(lags) if lags else float("nan")
        found.append(
            Constraint("lag_mean", f"{asked.lag_mean:g} within 0.5", f"{mean:.2f}", abs(mean - asked.lag_mean) <= 0.5)
        )
    if asked.lag_median is not None:
        median = statistics.median(lags) if lags else float("nan")
        found.append(Constraint("lag_median", f"{asked.lag_median:g}", f"{median:g}", median == asked.lag_median))
    if asked.lag_extremes is not None:
        ends = (lags[0], lags[-1]) if lags else None
        found.append(
            Constraint("lag_extremes", "{} and {}".format(*asked.lag_extremes), str(ends), ends == asked.lag_extremes)
        )
    return found  # fmt: skip


def _short(value: float) -> float:
    return round(value, 2)


def _join(values: Sequence[int]) -> str:
    return ", ".join(str(value) for value in values)


def _tables(r: _Reading) -> list[Table]:
    roles = tuple((role, r.count(role), sum(slot.role == role for slot in r.slots)) for role in ROLES)
    phases = []
    for phase in range(r.settings.n_phases):
        inside = [slot for slot, p in zip(r.slots, r.phase_of, strict=True) if p == phase]
        firsts = [sum(s.role == role and s.presentation == 1 for s in inside) for role in ROLES]
        seconds = [sum(s.role == role and s.presentation == 2 for s in inside) for role in ROLES[:2]]
        phases.append((phase, len(inside), *firsts, *seconds))
    pairs = Counter(r.phase_pair(item) for item in r.pairs("target"))
    bins = []
    for lags in r.settings.lag_bins:
        inside = sorted(item.lag for item in r.pairs("target") if lags.low <= item.lag <= lags.high)
        middle = round(statistics.median(inside), 1) if inside else "-"
        bins.append(
            (f"{lags.low}..{lags.high}", len(inside), *((inside[0], middle, inside[-1]) if inside else "---"))
        )
    runs = [0]
    for slot in r.slots:
        runs.append(runs[-1] + 1 if slot.presentation == 2 else 0)
    heads = ("phase", "slots", *ROLES, "target again", "vigilance again")
    return [
        Table("roles", ("role", "items", "slots"), roles),
        Table("phases", heads, tuple(phases)),
        Table(
            "phases of target pairs", ("first", "second", "pairs"), tuple((*k, n) for k, n in sorted(pairs.items()))
        ),
        Table("lag bins", ("lags", "pairs", "least", "median", "greatest"), tuple(bins)),
        _histogram(r),
        Table("runs", ("longest run of repeats",), ((max(runs),),)),
    ]


def _histogram(r: _Reading) -> Table:
    lags = {role: [item.lag for item in r.pairs(role)] for role in ("target", "vigilance")}
    every = lags["target"] + lags["vigilance"]
    top = max(every, default=0)
    width = next(w for w in (1, 2, 5, 10, 20, 50, 100, top + 1) if top // w < ROWS_OF_HISTOGRAM or w == top + 1)
    rows = []
    for low in range(min(every, default=0) // width * width, top + 1 if every else 0, width):
        n = [sum(low <= lag < low + width for lag in lags[role]) for role in ("target", "vigilance")]
        rows.append((f"{low}..{low + width - 1}", *n, "#" * n[0] + "v" * n[1]))
    return Table("lags", ("lags", "target", "vigilance", ""), tuple(rows))
