"""Where pairs of slots go: random, and repaired where two pairs want one slot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pair", "Placement", "improve_placement", "place_pairs"]

LAGS_LOOKED_AT = 24  # when a pair is placed where others stand
STEPS_PER_PAIR = 8
STEPS_AT_LEAST = 1500
STRAY = 0.1  # what a slot away from the lag that a pair wants costs
HEAT = 1.0  # how much worse a move may be at first, on average

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two presentations that want slots.

    Parameters
    ----------
    low, high : int, slots
        Range of the lag, both ends in it.
    wanted : int, slots
        The lag that is tried first.
    phases : tuple of int, optional
        Phases of the first and the second presentation; without it, any.
    together : bool
        Whether both lie in one phase.
    """

    low: int
    high: int
    wanted: int
    phases: tuple[int, int] | None
    together: bool


@dataclass(frozen=True, slots=True)
class Placement:
    """Slots found for pairs.

    Parameters
    ----------
    slots : tuple of (int, int) or None
        First and second slot of each pair; None where none was found.
    """

    slots: tuple[tuple[int, int] | None, ...]

    @property
    def n_placed(self) -> int:
        """Pairs that have slots."""
        return sum(pair is not None for pair in self.slots)

    @property
    def complete(self) -> bool:
        """Whether all have."""
        return self.n_placed == len(self.slots)


class _Board:
    """Which pair stands on which slot, and where a pair may stand at all."""

    def __init__(self, phases: NDArray[np.int64], n_blocked: int, n_pairs: int) -> None:
        self.phases = phases
        self.n = phases.size
        self.open = np.arange(self.n) >= n_blocked
        self.owner = np.full(self.n, -1)
        self.free = self.open.copy()
        self.at: list[tuple[int, int] | None] = [None] * n_pairs
        self._allowed: dict[tuple[object, int], NDArray[np.bool_]] = {}

    def allowed(self, pair: Pair, lag: int) -> NDArray[np.bool_]:
        """Say for each first slot whether the pair may stand there with this lag, if nobody else did."""
        rule = pair.phases if pair.phases is not None else pair.together
        if (rule, lag) not in self._allowed:
            ahead, behind = slice(0, self.n - lag), slice(lag, None)
            fits = self.open[ahead] & self.open[behind]
            if pair.phases is not None:
                fits = fits & (self.phases[ahead] == pair.phases[0]) & (self.phases[behind] == pair.phases[1])
            elif pair.together:
                fits = fits & (self.phases[ahead] == self.phases[behind])
            self._allowed[rule, lag] = fits
        return self._allowed[rule, lag]

    def put(self, number: int, first: int, second: int) -> None:
        self.at[number] = (first, second)
        self.owner[[first, second]] = number
        self.free[[first, second]] = False

    def take(self, number: int) -> None:
        found = self.at[number]
        assert found is not None
        self.at[number] = None
        self.owner[list(found)] = -1
        self.free[list(found)] = True


def place_pairs(
    pairs: Sequence[Pair], phases: NDArray[np.int64], *, n_blocked: int, rng: np.random.Generator
) -> Placement:
    """Find slots for pairs.

    Each pair takes a free place with a lag near the one it wants. Where there is none, it takes the place of those
    that were displaced least often so far, and they look for another.

    Parameters
    ----------
    pairs : sequence of Pair
        In any order.
    phases : ndarray of int64, shape (n_slots,)
        Phase of each slot, not falling.
    n_blocked : int
        Slots at the start that no pair takes.
    rng : Generator
        What is drawn from.

    Returns
    -------
    Placement
        Complete, or with as many pairs as ever had slots at a time.
    """
    board = _Board(phases, n_blocked, len(pairs))
    longest = board.n - 1
    ranges = [np.arange(pair.low, min(pair.high, longest) + 1) for pair in pairs]
    room = [sum(int(board.allowed(p, int(lag)).sum()) for lag in lags) for p, lags in zip(pairs, ranges, strict=True)]
    waiting = sorted(range(len(pairs)), key=lambda i: (-room[i], i))
    waiting = [i for i in waiting if room[i]]
    displaced = np.zeros(len(pairs))
    best = Placement(tuple(board.at))
    for _ in range(STEPS_AT_LEAST + STEPS_PER_PAIR * len(pairs)):
        if not waiting:
            break
        number = waiting.pop()
        pair, lags = pairs[number], ranges[number]
        place = _free_place(board, pair, lags, rng)
        if place is None:
            place = _cheapest_place(board, pair, lags, displaced, rng)
            for other in {int(board.owner[slot]) for slot in place} - {-1}:
                board.take(other)
                waiting.append(other)
            displaced[number] += 1
        board.put(number, *place)
        if len(pairs) - len(waiting) > best.n_placed:
            best = Placement(tuple(board.at))
    return Placement(tuple(board.at)) if not waiting and None not in board.at else best


def _free_place(
    board: _Board, pair: Pair, lags: NDArray[np.int64], rng: np.random.Generator
) -> tuple[int, int] | None:
    nearest = np.argsort(np.abs(lags - pair.wanted) + 0.5 * rng.random(lags.size), kind="stable")
    for lag in lags[nearest].tolist():
        fits = board.allowed(pair, lag) & board.free[: board.n - lag] & board.free[lag:]
        firsts = np.flatnonzero(fits)
        if firsts.size:
            first = int(firsts[rng.integers(firsts.size)])
            return first, first + lag
    return None


def _cheapest_place(
    board: _Board, pair: Pair, lags: NDArray[np.int64], displaced: NDArray[np.float64], rng: np.random.Generator
) -> tuple[int, int]:
    weight = np.where(board.free, 0.0, 1.0 + displaced[board.owner])
    some = rng.permutation(lags)
    best, place, looked = np.inf, (-1, -1), 0
    for lag in some.tolist():
        fits = board.allowed(pair, lag)
        if not fits.any():
            continue
        cost = weight[: board.n - lag] + weight[lag:] + 0.9 * rng.random(board.n - lag)
        cost = np.where(fits, cost, np.inf)
        first = int(np.argmin(cost))
        if cost[first] < best:
            best, place = float(cost[first]), (first, first + lag)
        looked += 1
        if looked == LAGS_LOOKED_AT:
            break
    return place


def improve_placement(
    placement: Placement,
    pairs: Sequence[Pair],
    phases: NDArray[np.int64],
    *,
    cost: Callable[[Places], float],
    n_moves: int,
    n_blocked: int,
    rng: np.random.Generator,
) -> Placement:
    """Move presentations to free slots so that a placement gets better.

    Parameters
    ----------
    placement : Placement
        Complete.
    pairs : sequence of Pair
        As placed; each keeps its range of lags and its phases.
    phases : ndarray of int64, shape (n_slots,)
        Phase of each slot.
    cost : callable
        What is made less, of an array of int64, shape (n_pairs, 2): first and second slots. Where it is 0 from the
        start, nothing is moved.
    n_moves : int
        How many moves are tried.
    n_blocked : int
        Slots at the start that no pair takes.
    rng : Generator
        What is drawn from.

    Returns
    -------
    Placement
        Complete.

    Notes
    -----
    Simulated annealing: moves that make it worse are taken at first, ever less often and by less; lags stay near
    those that the pairs want.
    """
    places = np.array(placement.slots, dtype=np.int64).reshape(-1, 2)
    taken = np.arange(phases.size) < n_blocked
    taken[places.ravel()] = True
    now = cost(places)
    for move in range(n_moves if now > 0 and not taken.all() else 0):
        number, kind = int(rng.integers(len(pairs))), int(rng.integers(3))
        pair, (first, second) = pairs[number], places[number].tolist()
        free = np.flatnonzero(~taken)
        spot = int(free[rng.integers(free.size)])
        # One end moves, or the pair as it is.
        new = ((spot, second), (first, spot), (spot, spot + second - first))[kind]
        taken[[first, second]] = False
        lag = new[1] - new[0]
        fits = new[1] < phases.size and not taken[list(new)].any() and pair.low <= lag <= pair.high
        if fits and _in_phases(pair, int(phases[new[0]]), int(phases[new[1]])):
            places[number] = new
            then = cost(places)
            worse = then - now + STRAY * (abs(lag - pair.wanted) - abs(second - first - pair.wanted))
            if worse <= HEAT * (1 - move / n_moves) * rng.exponential():
                now = then
            else:
                places[number] = first, second
        taken[places[number]] = True
    return Placement(tuple((int(first), int(second)) for first, second in places))


def _in_phases(pair: Pair, first: int, second: int) -> bool:
    return (first, second) == pair.phases if pair.phases is not None else not pair.together or first == second
