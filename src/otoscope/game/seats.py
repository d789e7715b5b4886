"""Which seat a new session gets, so that completed sittings stay balanced whoever drops out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError

__all__ = ["Sitting", "SittingState", "next_seat", "seat_loads"]

SittingState = Literal["active", "completed", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Sitting:
    """One session's hold on a seat.

    Parameters
    ----------
    seat : int
        From 0.
    state : {"active", "completed", "withdrawn"}
        Withdrawn sittings, and others whose answers do not count, hold nothing.
    last_s : float, seconds
        When the session was last heard of, on the clock that the caller uses.

    Raises
    ------
    SpecError
        If there is no such seat or state.
    """

    seat: int
    state: SittingState
    last_s: float

    def __post_init__(self) -> None:
        if self.seat < 0 or self.state not in get_args(SittingState):
            raise SpecError(
                f"sitting: seat {self.seat}, {self.state!r}; states are {', '.join(get_args(SittingState))}"
            )


def seat_loads(sittings: Iterable[Sitting], n_seats: int, *, now_s: float, limit_s: float) -> NDArray[np.int64]:
    """Count the sittings that each seat has or may still get from those who are at it.

    Parameters
    ----------
    sittings : iterable of Sitting
        In any order; second sittings are counted by themselves, apart from first ones.
    n_seats : int
        Seats there are.
    now_s : float, seconds
        The caller's clock.
    limit_s : float, seconds
        An active sitting of which nothing was heard for longer is a dropout and holds nothing.

    Returns
    -------
    ndarray of int64, shape (n_seats,)
        Completed sittings and those under way.

    Raises
    ------
    SpecError
        If a sitting has a seat that there is not.

    Examples
    --------
    >>> gone, here = Sitting(0, "active", 0.0), Sitting(1, "active", 90.0)
    >>> seat_loads([gone, here], 3, now_s=100.0, limit_s=60.0).tolist()
    [0, 1, 0]
    """
    loads = np.zeros(n_seats, dtype=np.int64)
    for sitting in sittings:
        if sitting.seat >= n_seats:
            raise SpecError(f"seat_loads: a sitting has seat {sitting.seat}; there are seats 0 to {n_seats - 1}")
        under_way = sitting.state == "active" and now_s - sitting.last_s <= limit_s
        loads[sitting.seat] += sitting.state == "completed" or under_way
    return loads


def next_seat(sittings: Iterable[Sitting], n_seats: int, *, now_s: float, limit_s: float) -> int:
    """Choose the seat of a new session.

    Parameters
    ----------
    sittings : iterable of Sitting
        All sittings so far.
    n_seats : int
        Seats there are.
    now_s : float, seconds
        The caller's clock.
    limit_s : float, seconds
        After how long a silent session counts as a dropout.

    Returns
    -------
    int
        The first of the seats with the fewest sittings, completed or under way.

    Raises
    ------
    SpecError
        If there are no seats, or a sitting has one that there is not.

    Notes
    -----
    A seat whose listener dropped out has no sitting, and stands before the seats that were never used: it is given
    again first. So the completed sittings are at any time the first so many seats but for those under way and the
    latest dropouts, and the balance of :func:`~otoscope.game.assignments.assign` holds but for these. A seat gets its
    second sitting when every seat has one. A session that ends after it was taken for a dropout counts as well; its
    seat may then have one sitting more than the others until they follow.

    Examples
    --------
    >>> sittings = [Sitting(0, "completed", 5.0), Sitting(1, "active", 8.0), Sitting(2, "active", 95.0)]
    >>> next_seat(sittings, 5, now_s=100.0, limit_s=60.0)
    1
    """
    if n_seats < 1:
        raise SpecError(f"next_seat: n_seats is {n_seats}; a study needs 1 or more")
    return int(np.argmin(seat_loads(sittings, n_seats, now_s=now_s, limit_s=limit_s)))
