"""What a study's database holds, with what its schedules say of every slot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otoscope.errors import SpecError

if TYPE_CHECKING:
    from otoscope.game.exclusions import Limits
    from otoscope.game.responses import Responses
    from otoscope.game.settings import StudySettings
    from otoscope.game.storage import Store
    from otoscope.game.study import Study

__all__ = [
    "Collected",
    "as_responses",
    "collect",
    "finished_sessions",
    "limits_from",
    "limits_of",
    "read_study_responses",
    "response_rows",
]


@dataclass(frozen=True, slots=True)
class Collected:
    """All rows of a study, as one moment had them.

    Parameters
    ----------
    sittings, responses, questions, events, platforms : list of dict
        Rows of the database.
    """

    sittings: list[dict[str, Any]]
    responses: list[dict[str, Any]]
    questions: list[dict[str, Any]]
    events: list[dict[str, Any]]
    platforms: list[dict[str, Any]]


def collect(store: Store) -> Collected:
    """Read all rows in one transaction.

    Parameters
    ----------
    store : Store
        The database.

    Returns
    -------
    Collected
        In the order of sessions and slots.
    """
    from sqlmodel import col, select

    from otoscope.game.tables import Event, PlatformId, QuestionAnswer, Response, Sitting

    def rows(model: Any, *order: Any) -> list[dict[str, Any]]:
        columns = list(model.__table__.columns)
        found = session.execute(select(*columns).order_by(*(col(name) for name in order)))
        return [dict(row) for row in found.mappings()]

    with store.session() as session:
        return Collected(
            rows(Sitting, Sitting.session),
            rows(Response, Response.session, Response.slot),
            rows(QuestionAnswer, QuestionAnswer.session, QuestionAnswer.question),
            rows(Event, Event.session, Event.id),
            rows(PlatformId, PlatformId.participant),
        )


def finished_sessions(study: Study, found: Collected) -> set[str]:
    """Name the sittings that were finished.

    Parameters
    ----------
    study : Study
        Which.
    found : Collected
        Its rows.

    Returns
    -------
    set of str
        Whoever answered everything and closed the page before the end has finished too.
    """
    answered = Counter(row["session"] for row in found.responses)
    return {
        row["session"]
        for row in found.sittings
        if row["stage"] == "done" or answered[row["session"]] == study.n_slots
    }


def response_rows(study: Study, found: Collected) -> list[dict[str, Any]]:
    """Say of every response what stood in its slot.

    Parameters
    ----------
    study : Study
        Which.
    found : Collected
        Its rows.

    Returns
    -------
    list of dict
        With the columns of :mod:`otoscope.game.responses`, and some more.
    """
    sittings = {row["session"]: row for row in found.sittings}
    rows = []
    finished = finished_sessions(study, found)
    for row in found.responses:
        sitting = sittings[row["session"]]
        planned = study.plan(sitting["seat"])[row["slot"]]
        rows.append(
            {
                "session": row["session"],
                "slot": row["slot"],
                "track": planned.clip.track,
                "role": planned.role,
                "presentation": planned.presentation,
                "lag": planned.lag,
                "phase": planned.phase,
                "crossed": planned.crossed,
                "answer": row["answer"],
                "rt_ms": row["rt_ms"],
                "complete": row["session"] in finished,
                "headphones": sitting["headphones"],
                "clip_id": planned.clip.clip_id,
                "onset_s": row["onset_s"],
                "late_ms": row["late_ms"],
                "server_s": row["server_s"],
            }
        )
    return rows


def read_study_responses(study: Study, store: Store) -> Responses:
    """Give a study's responses as they are scored.

    Parameters
    ----------
    study : Study
        Which.
    store : Store
        Its database.

    Returns
    -------
    Responses
        Of all sittings, finished or not; withdrawn ones have none.

    Raises
    ------
    SpecError
        If there are none yet.
    """
    return as_responses(response_rows(study, collect(store)))


def as_responses(rows: Sequence[dict[str, Any]]) -> Responses:
    """Give rows as they are scored.

    Parameters
    ----------
    rows : sequence of dict
        Of :func:`response_rows`.

    Returns
    -------
    Responses
        In their order.

    Raises
    ------
    SpecError
        If there are none.
    """
    import numpy as np

    from otoscope.game.responses import NONE, Responses

    if not rows:
        raise SpecError("the study has no responses yet")

    def column(name: str, kind: Any, absent: Any) -> Any:
        return np.array([absent if row[name] is None else row[name] for row in rows], dtype=kind)

    return Responses(
        session=column("session", np.str_, ""),
        slot=column("slot", np.int64, NONE),
        track=column("track", np.str_, ""),
        role=column("role", np.str_, ""),
        presentation=column("presentation", np.int64, NONE),
        lag=column("lag", np.int64, NONE),
        phase=column("phase", np.int64, NONE),
        crossed=column("crossed", np.int64, NONE),
        answer=column("answer", np.str_, ""),
        rt_ms=column("rt_ms", np.float64, np.nan),
        complete=column("complete", np.bool_, False),
        headphones=column("headphones", np.int64, NONE),
    )


def limits_of(study: Study) -> Limits:
    """Give the exclusion limits of a study.

    Parameters
    ----------
    study : Study
        Its ``exclusions`` name a preset and what differs from it; "off" switches a rule off.

    Returns
    -------
    Limits
        To judge sittings by.
    """
    return limits_from(study.settings)


def limits_from(settings: StudySettings) -> Limits:
    """Give the exclusion limits that settings ask for.

    Parameters
    ----------
    settings : StudySettings
        With ``exclusions``, as :func:`limits_of` says.

    Returns
    -------
    Limits
        To judge sittings by.

    Raises
    ------
    SpecError
        If a name or a value cannot be.
    """
    from dataclasses import fields, replace

    from otoscope.game.exclusions import PRESETS, Limits
    from otoscope.specs import suggestion

    given = dict(settings.exclusions)
    preset = given.pop("preset", "default")
    if preset not in PRESETS:
        raise SpecError(f"exclusions.preset is {preset!r}; {suggestion(str(preset), PRESETS)}")
    kinds = {field.name: str(field.type) for field in fields(Limits)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in kinds:
            raise SpecError(f"exclusions.{name} is no setting; {suggestion(name, kinds)}")
        off = value == "off"
        if off and "None" not in kinds[name]:
            value = False
        wanted = bool if kinds[name] == "bool" else (int, float)
        fits = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
        if not fits and not (off and "None" in kinds[name]):
            raise SpecError(f'exclusions.{name} is {value!r}; a number, true or false, or "off" is accepted')
        values[name] = None if off and "None" in kinds[name] else value
    return replace(PRESETS[str(preset)], **values)
