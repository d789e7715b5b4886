"""Which clip stands in which item of a template, for every seat of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.game.proof import Constraint, Proof, Table
from otoscope.game.schedule_settings import InfeasibleError
from otoscope.game.templates import Template

__all__ = ["WITHIN_CYCLE", "Assignments", "assign", "check_assignments", "second_seat"]

FORMAT = 1
WITHIN_CYCLE = 2
"""How far the clips' counts of a role or lag bin may lie apart inside a cycle of seats; at its end they are equal."""

_NEVER = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class Assignments:
    """The clips of every seat.

    Parameters
    ----------
    template : str
        Digest of the template that the items belong to.
    n_clips : int
        Clips of the study; after so many seats every clip was every item once.
    seed : int
        What the order was drawn from.
    clips : ndarray of int64, shape (n_seats, n_items)
        Index of the clip that stands in an item.
    """

    template: str
    n_clips: int
    seed: int
    clips: NDArray[np.int64]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Assignments):
            return NotImplemented
        mine, theirs = ((a.template, a.n_clips, a.seed) for a in (self, other))
        return mine == theirs and np.array_equal(self.clips, other.clips)

    def __hash__(self) -> int:
        return hash((self.template, self.n_clips, self.seed, self.clips.tobytes()))

    @property
    def n_seats(self) -> int:
        """Seats there are."""
        return self.clips.shape[0]

    @property
    def n_items(self) -> int:
        """Clips of one sitting."""
        return self.clips.shape[1]

    def slots_of(self, template: Template, seat: int) -> NDArray[np.int64]:
        """Give the clip of each slot of one seat.

        Parameters
        ----------
        template : Template
            The one that the seats were made for.
        seat : int
            From 0.

        Returns
        -------
        ndarray of int64, shape (n_slots,)
            Indices of clips.

        Raises
        ------
        SpecError
            If it is another template, or there is no such seat.
        """
        if template.digest != self.template:
            raise SpecError(f"seats were made for template {self.template}, not for {template.digest}")
        if not 0 <= seat < self.n_seats:
            raise SpecError(f"seat {seat}: there are seats 0 to {self.n_seats - 1}")
        return self.clips[seat][[slot.item for slot in template.slots]]

    def to_json(self) -> dict[str, Any]:
        """Give the assignments as JSON values.

        Returns
        -------
        dict
            One list of clips for each seat.
        """
        return {
            "format": FORMAT,
            "template": self.template,
            "n_clips": self.n_clips,
            "seed": self.seed,
            "clips": self.clips.tolist(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Assignments:
        """Read what :meth:`to_json` gave.

        Parameters
        ----------
        value : mapping
            The parsed JSON.

        Returns
        -------
        Assignments
            Equal to those written.

        Raises
        ------
        SpecError
            If it is of another format or damaged.
        """
        if value.get("format") != FORMAT:
            raise SpecError(f"assignments: format is {value.get('format')!r}; this version reads {FORMAT}")
        try:
            read = cls(
                str(value["template"]),
                int(value["n_clips"]),
                int(value["seed"]),
                np.array(value["clips"], dtype=np.int64),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SpecError(f"assignments: cannot be read: {error!r}; make the schedules anew") from error
        if read.clips.ndim != 2 or not ((read.clips >= 0) & (read.clips < read.n_clips)).all():
            raise SpecError(f"assignments: clips are not rows of numbers from 0 to {read.n_clips - 1}")
        read.clips.flags.writeable = False
        return read


def assign(template: Template, n_clips: int, n_seats: int, *, seed: int) -> Assignments:
    """Say which clip stands in which item for every seat, so that the clips share all roles and lags equally.

    Parameters
    ----------
    template : Template
        The slots of a sitting.
    n_clips : int
        Clips of the study. With more than the template has items, a sitting hears some of them.
    n_seats : int
        Sittings to prepare.
    seed : int
        What the order is drawn from.

    Returns
    -------
    Assignments
        The same for the same arguments, in every process.

    Raises
    ------
    InfeasibleError
        If there are fewer clips than items.
    SpecError
        If no seat is asked for.

    Notes
    -----
    `n_clips` seats make a cycle: a Latin rectangle, in which every clip is every item once, and so stands in every
    slot, role and lag bin as often as every other. Its rows come one by one as perfect matchings of clips and items
    that have not met; such a matching exists as long as the cycle is not full, since what is left is a regular
    bipartite graph (König). Among the matchings, each row takes one in which the clips nearest to falling behind in a
    role or lag bin come first (the windows of proportionate fairness [1]_), so that counts stay close inside a cycle
    as well. Keeping them within one everywhere is not always possible; :func:`check_assignments` says how close they
    are.

    References
    ----------
    .. [1] S. K. Baruah et al., "Proportionate progress: a notion of fairness in resource allocation",
       Algorithmica 15, 1996. Windows of subtasks as there; matchings instead of a priority rule.

    Examples
    --------
    >>> from otoscope.game.schedule import PRESETS, make_template
    >>> template = make_template(PRESETS["short"])
    >>> assign(template, 60, 20, seed=1).clips.shape
    (20, 45)
    """
    from scipy.optimize import linear_sum_assignment

    items = template.items
    if n_seats < 1:
        raise SpecError(f"assign: n_seats is {n_seats}; ask for 1 or more")
    if n_clips < len(items):
        raise InfeasibleError(
            "n_clips",
            f"a sitting needs {len(items)} clips and there are {n_clips}",
            f"{len(items)} clips or more, or a shorter session",
        )
    kinds, kind = np.unique([item.kind for item in items], return_inverse=True)
    size = np.append(np.bincount(kind, minlength=len(kinds)), n_clips - len(items))
    rng = np.random.default_rng([seed, 0x5EA7])
    clips = np.empty((n_seats, len(items)), dtype=np.int64)
    met = np.zeros((n_clips, len(items)), dtype=bool)
    counts = np.zeros((n_clips, size.size), dtype=np.int64)
    for seat in range(n_seats):
        step = seat % n_clips
        if step == 0:
            met[:], counts[:] = False, 0
        cost = _urgency(counts, size, step + 1, n_clips)
        # Being left out is one more kind: what it costs is taken off, so that it needs no columns of its own.
        cost = cost[:, :-1][:, kind] - cost[:, -1:] + 0.9 * rng.random(met.shape)
        cost[met] = _NEVER
        who, what = linear_sum_assignment(cost)
        assert cost[who, what].max() < _NEVER / 2
        clips[seat, what] = who
        met[who, what] = True
        heard = np.full(n_clips, size.size - 1)
        heard[who] = kind[what]
        counts[np.arange(n_clips), heard] += 1
    clips.flags.writeable = False
    return Assignments(template.digest, n_clips, seed, clips)


def _urgency(counts: NDArray[np.int64], size: NDArray[np.int64], row: int, n_clips: int) -> NDArray[np.float64]:
    """Give the cost of each kind for each clip: low where the clip must have it by this row, high before its time."""
    n = np.maximum(size, 1)
    deadline = -(-(counts + 1) * n_clips // n)
    release = counts * n_clips // n + 1
    cost = (deadline - row).astype(np.float64)
    far = 50.0 * n_clips
    cost = np.where(row < release, far + release - row, cost)
    cost = np.where(deadline <= row, -far - (row - deadline), cost)
    # A clip that was left out as often as the cycle allows must be heard, and none may be more often than that.
    return np.where(counts >= size, _NEVER / 100, cost)


def check_assignments(assignments: Assignments, template: Template, seats: Sequence[int] | None = None) -> Proof:
    """Count how often every clip has every role and lag bin.

    Parameters
    ----------
    assignments : Assignments
        What is checked.
    template : Template
        What the items serve for.
    seats : sequence of int, optional
        The sittings that were completed, in order and with repetitions; all seats once where left out.

    Returns
    -------
    Proof
        Whole cycles are exactly equal and parts of one within :data:`WITHIN_CYCLE`, where all seats are looked at;
        for other sequences the counts only.

    Examples
    --------
    >>> from otoscope.game.schedule import PRESETS, make_template
    >>> template = make_template(PRESETS["short"])
    >>> check_assignments(assign(template, 50, 100, seed=1), template).holds
    True
    """
    n_clips, rows = assignments.n_clips, assignments.clips if seats is None else assignments.clips[list(seats)]
    kinds = [item.kind for item in template.items]
    names = sorted(set(kinds))
    column = np.array([names.index(kind) for kind in kinds])
    counts = np.zeros((n_clips, len(names)), dtype=np.int64)
    inside = ends = 0
    for row, clips in enumerate(rows, start=1):
        np.add.at(counts, (clips, column[: clips.size]), 1)
        spread = int((counts.max(axis=0) - counts.min(axis=0)).max())
        if row % n_clips == 0:
            ends = max(ends, spread)
        inside = max(inside, spread)
    twice = sum(np.unique(clips).size != clips.size for clips in rows)
    outside = int(((rows < 0) | (rows >= n_clips)).sum())
    found = [
        Constraint("template", template.digest, assignments.template, template.digest == assignments.template),
        Constraint("items", f"{len(kinds)} in each seat", str(rows.shape[1]), rows.shape[1] == len(kinds)),
        Constraint("clips", f"numbers from 0 to {n_clips - 1}", f"{outside} others", outside == 0),
        Constraint("no clip twice", "in a seat", f"{twice} seats", twice == 0),
    ]
    if seats is None:
        asked = f"equal after every {n_clips} seats"
        found += [
            Constraint("balance of a cycle", asked, f"{ends} apart at most", ends == 0),
            Constraint(
                "balance inside", f"within {WITHIN_CYCLE}", f"{inside} apart at most", inside <= WITHIN_CYCLE
            ),
        ]  # fmt: skip
    each = tuple(
        (name, int(n.min()), round(float(n.mean()), 2), int(n.max())) for name, n in zip(names, counts.T, strict=True)
    )
    heard = np.bincount(rows.ravel(), minlength=n_clips)
    total = ("heard", int(heard.min()), round(float(heard.mean()), 2), int(heard.max()))
    table = Table("sittings of a clip", ("as", "least", "mean", "most"), (*each, total))
    return Proof(f"Seats: {len(rows)} of {n_clips} clips", tuple(found), (table,))


def second_seat(
    assignments: Assignments, first_seat: int, loads: Sequence[int], *, clips: Literal["same", "other"] = "same"
) -> int:
    """Choose the seat of a listener who comes a second time.

    Parameters
    ----------
    assignments : Assignments
        The seats.
    first_seat : int
        Where the listener sat before.
    loads : sequence of int, length n_seats
        Second sittings that each seat has already, completed or going on.
    clips : {"same", "other"}
        ``same`` gives the first seat again: the same clips in the same slots. ``other`` gives the seat, other than
        the first, that shares the fewest clips with it; of those the one with the least load, then the first. Where
        a sitting hears all clips, every seat shares all of them, and what changes are roles and places.

    Returns
    -------
    int
        A seat.

    Raises
    ------
    SpecError
        If there is no such seat, or no other.
    """
    if not 0 <= first_seat < assignments.n_seats or len(loads) != assignments.n_seats:
        raise SpecError(
            f"second_seat: seat {first_seat} with {len(loads)} loads; there are {assignments.n_seats} seats"
        )
    if clips == "same":
        return first_seat
    if assignments.n_seats == 1:
        raise SpecError("second_seat: there is one seat only; make more for second sittings with other clips")
    known = np.zeros(assignments.n_clips, dtype=np.int64)
    known[assignments.clips[first_seat]] = 1
    shared = known[assignments.clips].sum(axis=1)
    others = (seat for seat in range(assignments.n_seats) if seat != first_seat)
    return min(others, key=lambda seat: (shared[seat], loads[seat], seat))
