"""The table of responses: one row for each slot of each sitting.

The database exports it, and a table from another experiment can be read too: it needs only who answered
(``session``), where in the order (``slot``), which clip (``track``) and what (``answer``). What else scoring needs is
then derived.

What the columns mean: ``lag`` counts slots from the first to the second presentation of a clip, ``crossed`` counts
the rests between the two; both exist at second presentations only. A timeout is an answer of its own, without a time.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.game.response_cells import NONE, CellReader, read_cells
from otoscope.store import write_text

__all__ = [
    "ANSWERS",
    "ANSWER_CODES",
    "COLUMNS",
    "NONE",
    "ROLES",
    "Responses",
    "answer_codes",
    "read_responses",
    "write_responses",
]

Texts = NDArray[np.str_]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

ANSWERS = ("new", "repeat", "knew", "timeout")
"""First time heard; heard before in this session; known from before the experiment; nothing said in time."""
ROLES = ("target", "vigilance", "filler", "warmup")
COLUMNS = (
    "session",
    "slot",
    "track",
    "role",
    "presentation",
    "lag",
    "phase",
    "crossed",
    "answer",
    "rt_ms",
    "complete",
    "headphones",
)
NEEDED = ("session", "slot", "track", "answer")
ANSWER_CODES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "words": MappingProxyType({word: word for word in ANSWERS}),
        "numbers": MappingProxyType({"0": "new", "1": "repeat", "-1": "knew", "-2": "timeout"}),
    }
)
"""Ways to write the answers: "numbers" is 0 new, 1 repeat, -1 knew, -2 timeout."""


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """What listeners answered, slot by slot.

    Parameters
    ----------
    session : ndarray of str, shape (n_rows,)
        The sitting.
    slot : ndarray of int64, shape (n_rows,)
        Place in the sitting, from 0; no slot of a sitting stands twice.
    track : ndarray of str, shape (n_rows,)
        The clip.
    role : ndarray of str, shape (n_rows,)
        One of :data:`ROLES`.
    presentation : ndarray of int64, shape (n_rows,)
        1 or 2.
    lag : ndarray of int64, shape (n_rows,), slots
        From the first presentation to this one; :data:`NONE` at first presentations.
    phase : ndarray of int64, shape (n_rows,)
        From 0.
    crossed : ndarray of int64, shape (n_rows,)
        Rests since the first presentation; :data:`NONE` at first presentations.
    answer : ndarray of str, shape (n_rows,)
        One of :data:`ANSWERS`.
    rt_ms : ndarray of float64, shape (n_rows,), milliseconds
        NaN where there is none.
    complete : ndarray of bool, shape (n_rows,)
        Whether the sitting was finished.
    headphones : ndarray of int64, shape (n_rows,)
        1 if the sitting passed the headphone check, 0 if it failed, :data:`NONE` if nobody knows.

    Raises
    ------
    SpecError
        If lengths differ, a value is not one of those accepted, or a slot stands twice.
    """

    session: Texts
    slot: Counts
    track: Texts
    role: Texts
    presentation: Counts
    lag: Counts
    phase: Counts
    crossed: Counts
    answer: Texts
    rt_ms: NDArray[np.float64]
    complete: Flags
    headphones: Counts

    def __post_init__(self) -> None:
        for field in fields(self):
            column = getattr(self, field.name)
            if column.ndim != 1 or column.size != self.session.size:
                raise SpecError(f"responses: {field.name} has shape {column.shape}, session {self.session.shape}")
        for name, accepted in (("answer", ANSWERS), ("role", ROLES), ("presentation", (1, 2))):
            odd = np.flatnonzero(~np.isin(getattr(self, name), accepted))
            if odd.size:
                got = getattr(self, name)[odd[0]].item()
                raise SpecError(f"responses: row {odd[0]}: {name} is {got!r}; choose from {accepted}")
        second = self.presentation == 2
        for name, least in (("lag", 1), ("crossed", 0)):
            column = getattr(self, name)
            odd = np.flatnonzero(np.where(second, column < least, column != NONE))
            if odd.size:
                raise SpecError(
                    f"responses: row {odd[0]}: {name} is {column[odd[0]]} at presentation "
                    f"{self.presentation[odd[0]]}; second presentations have {least} or more, first ones none"
                )
        for column, what in ((self.slot, "slot"), (self.phase, "phase")):
            if column.size and column.min() < 0:
                raise SpecError(f"responses: a {what} is {column.min()}; they count from 0")
        _refuse_twins(self.session, self.slot.astype(np.str_), self.session, self.slot, "slot")
        for times in (1, 2):
            rows = self.presentation == times
            _refuse_twins(
                self.session[rows], self.track[rows], self.session[rows], self.track[rows], f"presentation {times} of"
            )

    @property
    def n_rows(self) -> int:
        """Count the rows."""
        return self.session.size

    @property
    def sessions(self) -> tuple[str, ...]:
        """Name the sittings, in alphabetical order."""
        return tuple(np.unique(self.session).tolist())

    @property
    def tracks(self) -> tuple[str, ...]:
        """Name the clips, in alphabetical order."""
        return tuple(np.unique(self.track).tolist())

    def take(self, rows: Flags | NDArray[np.intp]) -> Responses:
        """Keep some rows.

        Parameters
        ----------
        rows : ndarray of bool, shape (n_rows,), or of int
            Which.

        Returns
        -------
        Responses
            Those.
        """
        return Responses(*(getattr(self, field.name)[rows] for field in fields(self)))

    def of_sessions(self, sessions: Sequence[str]) -> Responses:
        """Keep some sittings.

        Parameters
        ----------
        sessions : sequence of str
            Which.

        Returns
        -------
        Responses
            Their rows.
        """
        return self.take(np.isin(self.session, np.asarray(sessions, dtype=np.str_)))


def _refuse_twins(one: Texts, other: Texts, session: Texts, named: NDArray, what: str) -> None:
    order = np.lexsort((other, one))
    twins = np.flatnonzero((one[order][1:] == one[order][:-1]) & (other[order][1:] == other[order][:-1]))
    if twins.size:
        row = order[twins[0]]
        raise SpecError(
            f"responses: {what} {named[row].item()!r} stands twice in session {session[row].item()!r}; "
            "a slot has one answer, a clip at most two presentations"
        )


def answer_codes(text: str) -> dict[str, str]:
    """Read how another table writes its answers.

    Parameters
    ----------
    text : str
        A name from :data:`ANSWER_CODES`, or pairs such as ``old=repeat,new=new``: what is written, and what it means.

    Returns
    -------
    dict of str to str
        What is written, to one of :data:`ANSWERS`.

    Raises
    ------
    SpecError
        If it is neither.

    Examples
    --------
    >>> answer_codes("old=repeat,new=new")
    {'old': 'repeat', 'new': 'new'}
    """
    if text in ANSWER_CODES:
        return dict(ANSWER_CODES[text])
    codes: dict[str, str] = {}
    for pair in text.split(","):
        written, equals, meant = (part.strip() for part in pair.partition("="))
        if not equals or not written or meant not in ANSWERS or written in codes:
            raise SpecError(
                f"answers: {pair!r}; write {' or '.join(ANSWER_CODES)}, or pairs such as old=repeat,new=new, each "
                f"written once and meaning one of {', '.join(ANSWERS)}"
            )
        codes[written] = meant
    return codes


def read_responses(
    path: Path,
    *,
    answers: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    vigilance_lag: int | None = None,
) -> Responses:
    """Read a table of responses, our own or another's.

    Parameters
    ----------
    path : Path
        A CSV file; commas, semicolons or tabs divide its columns. Columns that are not ours are ignored.
    answers : mapping of str to str, optional
        What is written for each of :data:`ANSWERS`, as :func:`answer_codes` gives it; the words themselves by
        default.
    columns : mapping of str to str, optional
        Our name of a column, to the table's own name for it.
    vigilance_lag : int, optional
        Where the table has no roles: pairs at this lag or less count as vigilance, the others as targets.

    Returns
    -------
    Responses
        In the order of sessions and slots.

    Raises
    ------
    SpecError
        If the table cannot be read, lacks a column, or holds a value that is not accepted: file, line and column are
        named. Also if a slot of a session, or a third presentation of a clip, is found.

    Notes
    -----
    Without ``presentation``, a clip's first appearance in a session (by slot) is its first presentation and the next
    its second. Without ``role``, clips that come back are targets, the others fillers. Without ``lag``, it is the
    difference of slots; without ``phase``, all is one phase; without ``crossed``, it is the difference of phases.
    Without ``complete``, every sitting counts as finished.
    """
    renamed = dict(columns or {})
    unknown = sorted(set(renamed) - set(COLUMNS))
    if unknown:
        raise SpecError(f"{path}: columns: {unknown[0]!r} is no column of ours; choose from {', '.join(COLUMNS)}")
    table, lines = read_cells(path, renamed, known=COLUMNS, needed=NEEDED)
    reader = CellReader(path, table, lines)
    codes = dict(ANSWER_CODES["words"] if answers is None else answers)
    n = len(lines)
    session, track = reader.texts("session"), reader.texts("track")
    slot = reader.counts("slot", least=0)
    reader.no_twins(session, slot)
    answer = np.array(reader.chosen("answer", codes), dtype=np.str_)
    phase = reader.counts("phase", least=0) if "phase" in table else np.zeros(n, dtype=np.int64)
    first, presentation = reader.appearances(session, slot, track)
    if "presentation" in table:
        presentation = reader.counts("presentation", least=1, most=2)
    if "role" in table:
        role = np.array(reader.chosen("role", {name: name for name in ROLES}), dtype=np.str_)
    else:
        role = _roles(session, track, presentation, slot - slot[first], vigilance_lag)
    second = presentation == 2
    lag = reader.seconds("lag", 1, second, slot - slot[first])
    crossed = reader.seconds("crossed", 0, second, phase - phase[first])
    complete = reader.truths("complete", empty=False) if "complete" in table else np.ones(n, dtype=np.int64)
    headphones = (
        reader.truths("headphones", empty=True) if "headphones" in table else np.full(n, NONE, dtype=np.int64)
    )
    order = np.lexsort((slot, session))
    columns_read: tuple[Any, ...] = (session, slot, track, role, presentation, lag, phase, crossed, answer)
    columns_read += (reader.times(), complete == 1, headphones)
    try:
        return Responses(*(column[order] for column in columns_read))
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from error


def write_responses(path: Path, responses: Responses) -> None:
    """Write a table of responses that :func:`read_responses` reads back.

    Parameters
    ----------
    path : Path
        A CSV file; replaced if it is there.
    responses : Responses
        What to write.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    shown = {
        "lag": lambda value: "" if value == NONE else value,
        "crossed": lambda value: "" if value == NONE else value,
        "rt_ms": lambda value: "" if value != value else repr(value),
        "complete": lambda value: "true" if value else "false",
        "headphones": lambda value: {1: "true", 0: "false"}.get(value, ""),
    }
    cells = [
        [shown[name](value) for value in getattr(responses, name).tolist()]
        if name in shown
        else getattr(responses, name).tolist()
        for name in COLUMNS
    ]
    writer.writerows(zip(*cells, strict=True))
    write_text(path, text.getvalue())


def _roles(session: Texts, track: Texts, presentation: Counts, lag: Counts, vigilance_lag: int | None) -> Texts:
    """Call clips that come back targets (or vigilance, at short lags), the others fillers."""
    again = presentation == 2
    back = {
        key: vigilance_lag is not None and slots <= vigilance_lag
        for key, slots in zip(
            zip(session[again].tolist(), track[again].tolist(), strict=True), lag[again].tolist(), strict=True
        )
    }
    names = {None: "filler", True: "vigilance", False: "target"}
    keys = zip(session.tolist(), track.tolist(), strict=True)
    return np.array([names[back.get(key)] for key in keys], dtype=np.str_)
