"""Which sittings are left out of the scores, by which rule.

A rule has a limit that is written down before anyone looks at the scores, and reports whom it leaves out. A sitting
may fall to several rules. A rule that cannot be judged for a sitting (no headphone check, no vigilance pairs in the
table, no times) leaves it in, and says for how many sittings that was so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.game.responses import Responses

__all__ = ["PRESETS", "RULES", "Exclusions", "Limits", "RuleReport", "exclude"]

Floats = NDArray[np.float64]

RULES = ("incomplete", "vigilance", "false_alarms", "too_fast", "timeouts", "headphones")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a sitting must keep to; None switches a rule off.

    Parameters
    ----------
    complete : bool
        Whether a sitting must have been finished.
    vigilance : float or None, from 0 to 1
        Least share of vigilance pairs that were noticed. Pairs count whose first answer was new and whose second was
        new or repeat. A sitting that had vigilance pairs, none of which counts, fails.
    false_alarms : float or None, from 0 to 1
        Largest share of first presentations answered repeat, among those answered new or repeat; warm-up apart.
    too_fast_ms : float, milliseconds
        An answer before this time is too fast to rest on the clip.
    too_fast : float or None, from 0 to 1
        Largest share of too fast answers, among those with a time.
    timeouts : float or None, from 0 to 1
        Largest share of slots without an answer.
    headphones : bool
        Whether a failed headphone check leaves a sitting out.

    Raises
    ------
    SpecError
        If a limit is not a share, or the time is negative.

    Notes
    -----
    The defaults: the vigilance limit of the reference experiment (0.65); half of the first presentations, beyond
    which an answer says nothing; a tenth of answers within 200 ms of the clip's onset, about the time of the simplest
    reaction to a sound; a fifth of timeouts. Headphones are
    reported by default and leave nobody out: good loudspeakers fail that check too.
    """

    complete: bool = True
    vigilance: float | None = 0.65
    false_alarms: float | None = 0.5
    too_fast_ms: float = 200.0
    too_fast: float | None = 0.1
    timeouts: float | None = 0.2
    headphones: bool = False

    def __post_init__(self) -> None:
        for name in ("vigilance", "false_alarms", "too_fast", "timeouts"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise SpecError(f"exclusions: {name} is {value}; a share from 0 to 1 is needed, or none")
        if not 0 <= self.too_fast_ms < np.inf:
            raise SpecError(f"exclusions: too_fast_ms is {self.too_fast_ms}; a time of 0 ms or more is needed")


PRESETS: Mapping[str, Limits] = MappingProxyType(
    {
        "default": Limits(),
        "reference": Limits(complete=True, vigilance=0.65, false_alarms=None, too_fast=None, timeouts=None),
        "none": Limits(complete=False, vigilance=None, false_alarms=None, too_fast=None, timeouts=None),
    }
)
"""Limits by name; `reference` is what the reference experiment asked: finished, and vigilance of 0.65 or more."""


@dataclass(frozen=True, slots=True)
class RuleReport:
    """What one rule found.

    Parameters
    ----------
    rule : str
        One of :data:`RULES`.
    limit : str
        In words; "off" where the rule leaves nobody out.
    sessions : tuple of str
        The sittings that fall to it, in alphabetical order.
    n_judged : int
        How many sittings could be judged.
    values : mapping of str to float
        What was measured of each sitting; NaN where it could not be.
    """

    rule: str
    limit: str
    sessions: tuple[str, ...]
    n_judged: int
    values: Mapping[str, float]

    @property
    def n(self) -> int:
        """Count the sittings that fall to the rule."""
        return len(self.sessions)


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Who is left out, and why.

    Parameters
    ----------
    limits : Limits
        What was asked.
    rules : tuple of RuleReport
        One for each of :data:`RULES`, in their order.
    kept, excluded : tuple of str
        All sittings, in alphabetical order.
    overlaps : mapping of (str, str) to int
        How many sittings fall to both of two rules; pairs without any are left out.
    """

    limits: Limits
    rules: tuple[RuleReport, ...]
    kept: tuple[str, ...]
    excluded: tuple[str, ...]
    overlaps: Mapping[tuple[str, str], int]

    def reasons(self, session: str) -> tuple[str, ...]:
        """Name the rules that a sitting falls to.

        Parameters
        ----------
        session : str
            The sitting.

        Returns
        -------
        tuple of str
            Empty for one that is kept.
        """
        return tuple(rule.rule for rule in self.rules if session in rule.sessions)


def exclude(responses: Responses, limits: Limits | None = None) -> Exclusions:
    """Judge every sitting by every rule.

    Parameters
    ----------
    responses : Responses
        All sittings.
    limits : Limits, optional
        The defaults where none are given; see :data:`PRESETS`.

    Returns
    -------
    Exclusions
        ``responses.of_sessions(found.kept)`` are the responses to score.
    """
    asked = limits or Limits()
    names, code = np.unique(responses.session, return_inverse=True)
    sessions = names.tolist()

    def share(hits: NDArray[np.bool_], of: NDArray[np.bool_]) -> Floats:
        above = np.bincount(code[hits & of], minlength=len(sessions))
        below = np.bincount(code[of], minlength=len(sessions))
        return np.where(below > 0, above / np.maximum(below, 1), np.nan)

    everything = np.ones(responses.n_rows, dtype=np.bool_)
    timed = np.isfinite(responses.rt_ms)
    first = (
        (responses.presentation == 1) & (responses.role != "warmup") & np.isin(responses.answer, ("new", "repeat"))
    )
    vigilance = _vigilance(responses, code, len(sessions))
    unjudged = np.isnan(vigilance)
    had = np.bincount(code[responses.role == "vigilance"], minlength=len(sessions)) > 0
    values: dict[str, Floats] = {
        "incomplete": share(~responses.complete, everything),
        "vigilance": vigilance,
        "false_alarms": share(responses.answer == "repeat", first),
        "too_fast": share(responses.rt_ms < asked.too_fast_ms, timed),
        "timeouts": share(responses.answer == "timeout", everything),
        "headphones": share(responses.headphones == 1, responses.headphones >= 0),
    }
    fails: dict[str, NDArray[np.bool_]] = {
        "incomplete": values["incomplete"] > 0 if asked.complete else np.zeros(len(sessions), dtype=np.bool_),
        "vigilance": _beyond(-vigilance, None if asked.vigilance is None else -asked.vigilance)
        | (unjudged & had & (asked.vigilance is not None)),
        "false_alarms": _beyond(values["false_alarms"], asked.false_alarms),
        "too_fast": _beyond(values["too_fast"], asked.too_fast),
        "timeouts": _beyond(values["timeouts"], asked.timeouts),
        "headphones": (values["headphones"] < 1) & asked.headphones,
    }
    limit_words = {
        "incomplete": "the sitting is finished" if asked.complete else "off",
        "vigilance": _words("at least {:g} of vigilance pairs noticed", asked.vigilance),
        "false_alarms": _words("at most {:g} of first presentations called repeats", asked.false_alarms),
        "too_fast": _words(f"at most {{:g}} of answers under {asked.too_fast_ms:g} ms", asked.too_fast),
        "timeouts": _words("at most {:g} of slots without an answer", asked.timeouts),
        "headphones": "the headphone check is passed" if asked.headphones else "off",
    }
    reports = tuple(
        RuleReport(
            rule,
            limit_words[rule],
            tuple(names[fails[rule]].tolist()),
            int((np.isfinite(values[rule]) | fails[rule]).sum()),
            dict(zip(sessions, values[rule].tolist(), strict=True)),
        )
        for rule in RULES
    )
    out = np.any(list(fails.values()), axis=0)
    overlaps = {
        (one, other): int((fails[one] & fails[other]).sum())
        for one, other in combinations(RULES, 2)
        if (fails[one] & fails[other]).any()
    }
    return Exclusions(asked, reports, tuple(names[~out].tolist()), tuple(names[out].tolist()), overlaps)


def _beyond(values: Floats, limit: float | None) -> NDArray[np.bool_]:
    # A share is a ratio of two counts; the margin keeps 13/20 at a limit of 0.65 inside it.
    return np.zeros(values.size, dtype=np.bool_) if limit is None else values > limit + 1e-9


def _words(text: str, limit: float | None) -> str:
    return "off" if limit is None else text.format(limit)


def _vigilance(responses: Responses, code: NDArray[np.intp], n: int) -> Floats:
    """Give the share of vigilance pairs noticed, of those first called new and then new or repeat."""
    rows = np.flatnonzero(responses.role == "vigilance")
    rows = rows[np.lexsort((responses.presentation[rows], responses.track[rows], responses.session[rows]))]
    one, other = rows[:-1], rows[1:]
    pair = (
        (responses.session[one] == responses.session[other])
        & (responses.track[one] == responses.track[other])
        & (responses.answer[one] == "new")
        & np.isin(responses.answer[other], ("new", "repeat"))
    )
    second = other[pair]
    n_pairs = np.bincount(code[second], minlength=n)
    hits = np.bincount(code[second[responses.answer[second] == "repeat"]], minlength=n)
    return np.where(n_pairs > 0, hits / np.maximum(n_pairs, 1), np.nan)
