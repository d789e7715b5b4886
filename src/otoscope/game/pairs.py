"""From responses to what scores are made of: pairs of presentations, and false alarms, by listener and clip.

An :class:`AnswerRule` says which answers count. The reference's rule asks that the first answer be "new": a listener
who claims to know a clip, or to have heard it already, cannot show that it was remembered from this session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.game.responses import ANSWERS, ROLES, Responses

__all__ = ["ANSWER_RULES", "AnswerRule", "Counted", "Pairs", "count", "find_pairs"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRule:
    """Which answers make a hit, a miss, a false alarm or none of these.

    Parameters
    ----------
    first : tuple of str
        First answers with which a pair counts; of :data:`~otoscope.game.responses.ANSWERS`, as all that follow.
    hit, miss : tuple of str
        Second answers that make a hit, and a miss; pairs with another second answer are dropped.
    alarm, rejection : tuple of str
        Answers to a first presentation that make a false alarm, and a correct rejection; others are dropped. A clip
        that is known from elsewhere ("knew") is neither, unless asked.
    pair_roles : tuple of str
        Roles whose pairs are scored.
    alarm_roles : tuple of str
        Roles whose first presentations are counted for false alarms. Warm-up is not among them by default: little
        has been heard by then that a clip could be mistaken for.

    Raises
    ------
    SpecError
        If a name is unknown, or an answer would count both ways.
    """

    first: tuple[str, ...] = ("new",)
    hit: tuple[str, ...] = ("repeat",)
    miss: tuple[str, ...] = ("new",)
    alarm: tuple[str, ...] = ("repeat",)
    rejection: tuple[str, ...] = ("new",)
    pair_roles: tuple[str, ...] = ("target",)
    alarm_roles: tuple[str, ...] = ("target", "vigilance", "filler")

    def __post_init__(self) -> None:
        for name in ("first", "hit", "miss", "alarm", "rejection"):
            _check(name, getattr(self, name), ANSWERS)
        _check("pair_roles", self.pair_roles, ROLES)
        _check("alarm_roles", self.alarm_roles, ROLES)
        for one, other in (("hit", "miss"), ("alarm", "rejection")):
            both = set(getattr(self, one)) & set(getattr(self, other))
            if both:
                raise SpecError(f"answer rule: {sorted(both)[0]!r} is both {one} and {other}")


def _check(name: str, values: tuple[str, ...], accepted: tuple[str, ...]) -> None:
    if not values or not set(values) <= set(accepted):
        raise SpecError(f"answer rule: {name} is {values}; choose one or more of {', '.join(accepted)}")


ANSWER_RULES: Mapping[str, AnswerRule] = MappingProxyType(
    {
        "reference": AnswerRule(),
        "every-pair": AnswerRule(
            first=("new", "repeat", "knew"), miss=("new", "knew"), rejection=("new", "knew"), pair_roles=("target",)
        ),
        "timeouts-miss": AnswerRule(miss=("new", "timeout")),
    }
)
"""By name: `reference`; `every-pair` (whatever the first answer was; "knew" says "no repeat"); `timeouts-miss`."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of presentations that count.

    Parameters
    ----------
    sessions, tracks : tuple of str
        All sittings and clips of the table, in alphabetical order, with or without pairs.
    session, track : ndarray of int64, shape (n_pairs,)
        Places in `sessions` and `tracks`.
    hit : ndarray of bool, shape (n_pairs,)
        Whether the repeat was noticed.
    lag : ndarray of int64, shape (n_pairs,), slots
        From the first presentation to the second.
    crossed : ndarray of int64, shape (n_pairs,)
        Rests between them.
    n_dropped : int
        Pairs that were played in full and do not count.
    """

    sessions: tuple[str, ...]
    tracks: tuple[str, ...]
    session: Counts
    track: Counts
    hit: NDArray[np.bool_]
    lag: Counts
    crossed: Counts
    n_dropped: int

    @property
    def n(self) -> int:
        """Count the pairs."""
        return self.hit.size


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """How often each listener did what with each clip.

    Parameters
    ----------
    sessions, tracks : tuple of str
        Rows and columns.
    hits, pairs, alarms, firsts : ndarray of float64, shape (n_sessions, n_tracks)
        Hits among pairs that count; false alarms among first presentations that count.
    """

    sessions: tuple[str, ...]
    tracks: tuple[str, ...]
    hits: Floats
    pairs: Floats
    alarms: Floats
    firsts: Floats


def find_pairs(responses: Responses, *, rule: AnswerRule | None = None) -> Pairs:
    """Find the pairs that count.

    Parameters
    ----------
    responses : Responses
        Of the sittings that are kept.
    rule : AnswerRule, optional
        The reference's, unless another is given.

    Returns
    -------
    Pairs
        In the order of sittings and tracks.
    """
    asked = rule or AnswerRule()
    sessions, of_session = np.unique(responses.session, return_inverse=True)
    tracks, of_track = np.unique(responses.track, return_inverse=True)
    rows = np.flatnonzero(np.isin(responses.role, asked.pair_roles))
    rows = rows[np.lexsort((responses.presentation[rows], of_track[rows], of_session[rows]))]
    one, other = rows[:-1], rows[1:]
    together = (of_session[one] == of_session[other]) & (of_track[one] == of_track[other])
    one, other = one[together], other[together]
    counts = np.isin(responses.answer[one], asked.first) & np.isin(responses.answer[other], asked.hit + asked.miss)
    second = other[counts]
    return Pairs(
        tuple(sessions.tolist()),
        tuple(tracks.tolist()),
        of_session[second].astype(np.int64),
        of_track[second].astype(np.int64),
        np.isin(responses.answer[second], asked.hit),
        responses.lag[second],
        responses.crossed[second],
        int((~counts).sum()),
    )


def count(responses: Responses, *, rule: AnswerRule | None = None) -> Counted:
    """Count hits and false alarms of each listener with each clip.

    Parameters
    ----------
    responses : Responses
        Of the sittings that are kept.
    rule : AnswerRule, optional
        The reference's, unless another is given.

    Returns
    -------
    Counted
        Sums over listeners are all that the scores need.
    """
    asked = rule or AnswerRule()
    pairs = find_pairs(responses, rule=asked)
    shape = (len(pairs.sessions), len(pairs.tracks))
    of_session = np.searchsorted(np.asarray(pairs.sessions), responses.session)
    of_track = np.searchsorted(np.asarray(pairs.tracks), responses.track)
    first = (responses.presentation == 1) & np.isin(responses.role, asked.alarm_roles)
    first &= np.isin(responses.answer, asked.alarm + asked.rejection)
    alarm = first & np.isin(responses.answer, asked.alarm)
    return Counted(
        pairs.sessions,
        pairs.tracks,
        _table(pairs.session[pairs.hit], pairs.track[pairs.hit], shape),
        _table(pairs.session, pairs.track, shape),
        _table(of_session[alarm], of_track[alarm], shape),
        _table(of_session[first], of_track[first], shape),
    )


def _table(row: NDArray, column: NDArray, shape: Sequence[int]) -> Floats:
    flat = np.bincount(row * shape[1] + column, minlength=shape[0] * shape[1])
    return flat.reshape(shape[0], shape[1]).astype(np.float64)
