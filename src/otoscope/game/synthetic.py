"""Listeners who do not exist, with a memory that is known.

A listener notices a repeat with odds that depend on the clip, the listener, the lag and the rests in between; calls a
new clip a repeat now and then; knows some clips already; misses some slots; and takes a time that is log-normal. The
same listeners play through the real server and fill tables at once, so that scores can be held against the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.evaluation.splits import seeded_generator
from otoscope.game.responses import NONE, Responses

__all__ = ["Listener", "ListenerModel", "SlotLike", "plain_slots", "simulate_responses"]

Floats = NDArray[np.float64]


class SlotLike(Protocol):
    """What a slot of a schedule tells."""

    @property
    def index(self) -> int:
        """Place in the sitting."""
        ...

    @property
    def item(self) -> int:
        """Which of the template's items plays."""
        ...

    @property
    def role(self) -> str:
        """What the slot is for."""
        ...

    @property
    def presentation(self) -> int:
        """First or second."""
        ...

    @property
    def lag(self) -> int | None:
        """Slots since the first presentation."""
        ...

    @property
    def phase(self) -> int:
        """From 0."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerModel:
    """A population of listeners.

    Parameters
    ----------
    lag_slope : float
        Change of the log odds of a hit per unit of the natural logarithm of the lag.
    reference_lag : float, slots
        Where a clip's log odds are meant.
    crossing : float
        Change of the log odds per rest between the presentations.
    listener_sd : float
        Standard deviation of what listeners add to the log odds of a hit.
    false_alarm : float
        Log odds that an average listener calls a new clip a repeat.
    false_alarm_sd : float
        Standard deviation of it over listeners.
    knew, timeout : float, from 0 to 1
        Chances that a clip is known from elsewhere, and that a slot passes without an answer.
    careless : float, from 0 to 1
        Share of listeners who answer at random, and fast.
    rt_ms : float, milliseconds
        Median time to answer.
    rt_spread : float
        Standard deviation of its natural logarithm.
    no_headphones : float, from 0 to 1
        Share of listeners who fail the headphone check.
    """

    lag_slope: float = -0.35
    reference_lag: float = 60.0
    crossing: float = -0.2
    listener_sd: float = 0.65
    false_alarm: float = -2.2
    false_alarm_sd: float = 0.6
    knew: float = 0.03
    timeout: float = 0.01
    careless: float = 0.0
    rt_ms: float = 2200.0
    rt_spread: float = 0.35
    no_headphones: float = 0.0

    def draw(self, n: int, *, seed: int = 0) -> tuple[Listener, ...]:
        """Draw listeners.

        Parameters
        ----------
        n : int
            How many.
        seed : int
            The first listeners of a longer draw are those of a shorter one.

        Returns
        -------
        tuple of Listener
            Each with a random state of its own.
        """
        listeners: list[Listener] = []
        for place in range(n):
            rng = seeded_generator(seed, "listener", str(place))
            memory, bias = rng.normal(size=2)
            careless, headphones = rng.random(2) >= np.array([1 - self.careless, self.no_headphones])
            listeners.append(
                Listener(
                    self,
                    float(memory * self.listener_sd),
                    float(self.false_alarm + bias * self.false_alarm_sd),
                    bool(careless),
                    bool(headphones),
                    rng,
                )
            )
        return tuple(listeners)


@dataclass(slots=True, eq=False)
class Listener:
    """One listener.

    Parameters
    ----------
    model : ListenerModel
        The population.
    memory : float
        What the listener adds to the log odds of a hit.
    false_alarm : float
        Log odds of calling a new clip a repeat.
    careless : bool
        Whether the answers have nothing to do with the clips.
    headphones : bool
        Whether the headphone check is passed.
    rng : numpy.random.Generator
        Moved on by each answer.
    """

    model: ListenerModel
    memory: float
    false_alarm: float
    careless: bool
    headphones: bool
    rng: np.random.Generator

    def hit_log_odds(self, clip: float, lag: float, crossed: int) -> float:
        """Give the log odds of noticing a repeat.

        Parameters
        ----------
        clip : float
            The clip's log odds, for an average listener at the reference lag with no rest between.
        lag : float, slots
            Since the first presentation.
        crossed : int
            Rests since then.

        Returns
        -------
        float
            Log odds.
        """
        along = np.log(lag / self.model.reference_lag)
        return float(clip + self.memory + self.model.lag_slope * along + self.model.crossing * crossed)

    def answer(self, clip: float, *, lag: int | None = None, crossed: int = 0) -> tuple[str, float | None]:
        """Answer one slot.

        Parameters
        ----------
        clip : float
            The clip's log odds of a hit.
        lag : int, slots, optional
            Since the clip was heard in this sitting; None if it was not.
        crossed : int
            Rests since then.

        Returns
        -------
        answer : str
            One of :data:`~otoscope.game.responses.ANSWERS`.
        rt_ms : float or None
            Milliseconds since the clip began; None for a timeout.
        """
        model = self.model
        out, known, says, time = (*self.rng.random(3).tolist(), float(self.rng.normal()))
        if self.careless:
            return ("repeat" if says < 0.5 else "new"), 150.0 * float(np.exp(0.3 * time))
        if out < model.timeout:
            return "timeout", None
        rt_ms = model.rt_ms * float(np.exp(model.rt_spread * time))
        if known < model.knew:
            return "knew", rt_ms
        log_odds = self.false_alarm if lag is None else self.hit_log_odds(clip, lag, crossed)
        return ("repeat" if says < 1 / (1 + np.exp(-log_odds)) else "new"), rt_ms


@dataclass(frozen=True, slots=True)
class _PlainSlot:
    index: int
    item: int
    role: str
    presentation: int
    lag: int | None
    phase: int


def plain_slots(
    *, n_targets: int, n_vigilance: int = 0, n_fillers: int = 0, n_phases: int = 1, seed: int = 0
) -> tuple[SlotLike, ...]:
    """Lay out a sitting for simulations: targets at any lag from 2 on, vigilance repeats within 8 slots or so.

    Parameters
    ----------
    n_targets, n_vigilance, n_fillers : int
        Clips of each kind; fillers play once.
    n_phases : int
        Phases of about equal length; pairs may cross them.
    seed : int
        Of the order.

    Returns
    -------
    tuple of SlotLike
        In the order of play. Items 0 on are targets, then vigilance, then fillers. The lags keep to no plan: for
        players there is :mod:`otoscope.game.schedule`.

    Raises
    ------
    SpecError
        If a count is negative, or there is no clip.
    """
    if min(n_targets, n_vigilance, n_fillers) < 0 or n_phases < 1 or n_targets + n_vigilance + n_fillers < 1:
        raise SpecError(f"plain_slots: {n_targets} targets, {n_vigilance} vigilance, {n_fillers} fillers; some clips")
    rng = seeded_generator(seed, "plain slots")
    n_items = n_targets + n_vigilance + n_fillers
    n_slots = 2 * (n_targets + n_vigilance) + n_fillers
    when = rng.permutation(
        np.concatenate([np.arange(n_targets).repeat(2), np.arange(n_targets + n_vigilance, n_items)])
    )
    order = when.tolist()
    for item in range(n_targets, n_targets + n_vigilance):
        first = int(rng.integers(0, len(order) + 1))
        order.insert(first, item)
        order.insert(min(first + int(rng.integers(3, 8)), len(order)), item)
    slots: list[_PlainSlot] = []
    heard: dict[int, int] = {}
    for index, item in enumerate(order):
        role = "target" if item < n_targets else "vigilance" if item < n_targets + n_vigilance else "filler"
        lag = index - heard[item] if item in heard else None
        slots.append(_PlainSlot(index, item, role, 1 if lag is None else 2, lag, index * n_phases // n_slots))
        heard.setdefault(item, index)
    return tuple(slots)


def simulate_responses(
    clips: Floats,
    *,
    n_listeners: int,
    slots: Sequence[SlotLike],
    model: ListenerModel | None = None,
    seed: int = 0,
    assignment: NDArray[np.integer] | None = None,
    tracks: Sequence[str] | None = None,
) -> Responses:
    """Let listeners play a schedule.

    Parameters
    ----------
    clips : ndarray of float64, shape (n_clips,)
        Each clip's log odds of a hit, for an average listener at the reference lag with no rest between.
    n_listeners : int
        How many play; each plays once.
    slots : sequence of SlotLike
        The order of play, the same for all.
    model : ListenerModel, optional
        The population.
    seed : int
        Of listeners and of which clip stands where.
    assignment : ndarray of int, shape (n_listeners, n_items), optional
        Which clip stands in which item for each listener; at random where none is given.
    tracks : sequence of str, length n_clips, optional
        Names of the clips; ``clip000`` and so on where none are given.

    Returns
    -------
    Responses
        Sessions ``s0000`` and so on, all complete.

    Raises
    ------
    SpecError
        If there are more items than clips, or the names do not fit.
    """
    n_items = 1 + max(slot.item for slot in slots)
    if n_items > clips.size:
        raise SpecError(f"simulate_responses: {n_items} items and {clips.size} clips; a sitting plays each clip once")
    names = [f"clip{place:03d}" for place in range(clips.size)] if tracks is None else list(tracks)
    if len(names) != clips.size:
        raise SpecError(f"simulate_responses: {len(names)} names for {clips.size} clips")
    population = model or ListenerModel()
    rng = seeded_generator(seed, "assignment")
    phase_of = {(slot.item, slot.presentation): slot.phase for slot in slots}
    crossed = [slot.phase - phase_of[slot.item, 1] if slot.presentation == 2 else NONE for slot in slots]
    n_slots = len(slots)
    answers: list[str] = []
    times: list[float] = []
    played: list[str] = []
    headphones: list[int] = []
    for place, listener in enumerate(population.draw(n_listeners, seed=seed)):
        chosen = rng.permutation(clips.size)[:n_items] if assignment is None else assignment[place]
        for slot, rests in zip(slots, crossed, strict=True):
            clip = int(chosen[slot.item])
            said, rt_ms = listener.answer(float(clips[clip]), lag=slot.lag, crossed=max(rests, 0))
            answers.append(said)
            times.append(np.nan if rt_ms is None else rt_ms)
            played.append(names[clip])
        headphones += [int(listener.headphones)] * n_slots
    each = n_listeners
    return Responses(
        np.repeat([f"s{place:04d}" for place in range(n_listeners)], n_slots),
        np.tile([slot.index for slot in slots], each),
        np.array(played, dtype=np.str_),
        np.tile([slot.role for slot in slots], each),
        np.tile([slot.presentation for slot in slots], each),
        np.tile([NONE if slot.lag is None else slot.lag for slot in slots], each),
        np.tile([slot.phase for slot in slots], each),
        np.tile(crossed, each),
        np.array(answers, dtype=np.str_),
        np.array(times),
        np.ones(n_slots * n_listeners, dtype=np.bool_),
        np.array(headphones, dtype=np.int64),
    )
