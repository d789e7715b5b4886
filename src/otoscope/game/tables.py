"""The tables of a study's database.

No row holds an address, an e-mail or a time of day of an answer. What a platform calls a listener stands in a table
of its own.
"""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Column, Double, ForeignKey, Index, Text
from sqlmodel import Field, SQLModel

__all__ = [
    "SCHEMA",
    "TABLES",
    "Event",
    "Meta",
    "Participant",
    "PhaseStart",
    "PlatformId",
    "QuestionAnswer",
    "Response",
    "Sitting",
    "new_id",
]

SCHEMA = 1


def _owned_by(table: str, *, primary: bool = False) -> Any:
    column = "id" if table == "participant" else "session"
    return Column(
        Text,
        ForeignKey(f"{table}.{column}", ondelete="CASCADE"),
        primary_key=primary,
        nullable=False,
        index=not primary,
    )


class Meta(SQLModel, table=True):
    """Facts about the database itself.

    Parameters
    ----------
    key : str
        Such as ``schema``.
    value : str
        Its value.
    """

    key: str = Field(primary_key=True)
    value: str


class Participant(SQLModel, table=True):
    """A listener: a random id and nothing else.

    Parameters
    ----------
    id : str
        Random.
    day : str
        The day of their first sitting, ``YYYY-MM-DD``.
    return_code : str or None
        Begins their second sitting.
    """

    id: str = Field(primary_key=True)
    day: str
    return_code: str | None = Field(default=None, unique=True)


class PlatformId(SQLModel, table=True):
    """What a platform calls a listener, apart from all answers.

    Parameters
    ----------
    participant : str
        The listener.
    name : str
        The platform: prolific, sona or other.
    platform_id : str
        Its name for the listener.
    study_id, session_id : str or None
        As passed in by its URL.
    """

    __tablename__ = "platform_id"  # type: ignore[assignment]
    participant: str = Field(sa_column=_owned_by("participant", primary=True))
    name: str
    platform_id: str = Field(index=True)
    study_id: str | None = None
    session_id: str | None = None


class Sitting(SQLModel, table=True):
    """One sitting of a listener.

    Parameters
    ----------
    session : str
        Public id, random.
    participant : str
        Who.
    token_hash : str
        SHA-256 of the token that the page holds.
    sitting : int
        1 or 2.
    seat : int
        Which assignment of clips.
    consent_version, lang : str
        What was agreed to, in which language.
    device : str
        ``phone``, ``tablet`` or ``desktop``: all that is kept of the browser.
    day : str
        ``YYYY-MM-DD``.
    stage : str
        How far it is.
    volume : float or None
        As set by the listener, 0 to 1.
    headphones : bool or None
        Whether the check was passed; None where it was not made.
    code : str
        Shown at the end.
    ended : float or None, seconds
        Unix time of the end, to the hour.
    """

    __tablename__ = "sitting"  # type: ignore[assignment]
    session: str = Field(primary_key=True)
    participant: str = Field(sa_column=_owned_by("participant"))
    token_hash: str = Field(unique=True)
    sitting: int
    seat: int = Field(index=True)
    consent_version: str
    lang: str
    device: str
    day: str
    stage: str
    volume: float | None = Field(default=None, sa_column=Column(Double, nullable=True))
    headphones: bool | None = None
    code: str
    ended: float | None = Field(default=None, sa_column=Column(Double, nullable=True))


class PhaseStart(SQLModel, table=True):
    """When a phase began by the server's clock.

    Parameters
    ----------
    session : str
        The sitting.
    phase : int
        From 0.
    started : float, seconds
        Unix time while the sitting is open; afterwards seconds since its first phase began.
    """

    __tablename__ = "phase_start"  # type: ignore[assignment]
    session: str = Field(sa_column=_owned_by("sitting", primary=True))
    phase: int = Field(primary_key=True)
    started: float = Field(sa_column=Column(Double, nullable=False))


class Response(SQLModel, table=True):
    """What was answered in one slot. Rows are added, never changed.

    Parameters
    ----------
    session : str
        The sitting.
    slot : int
        From 0.
    answer : str
        ``new``, ``repeat``, ``knew`` or ``timeout``.
    rt_ms : float or None, milliseconds
        From the onset to the press, by the audio clock; None of a timeout.
    onset_s : float, seconds
        When the clip began, by the audio clock, since the first of its phase.
    late_ms : float, milliseconds
        How much later than planned it began.
    server_s : float, seconds
        When the server had it, since the phase began by the server's clock.
    """

    session: str = Field(sa_column=_owned_by("sitting", primary=True))
    slot: int = Field(primary_key=True)
    answer: str
    rt_ms: float | None = Field(default=None, sa_column=Column(Double, nullable=True))
    onset_s: float = Field(sa_column=Column(Double, nullable=False))
    late_ms: float = Field(sa_column=Column(Double, nullable=False))
    server_s: float = Field(sa_column=Column(Double, nullable=False))


class QuestionAnswer(SQLModel, table=True):
    """An answer to one question.

    Parameters
    ----------
    session : str
        The sitting.
    question : str
        Its id.
    value : str or None
        None: preferred not to say.
    """

    __tablename__ = "question_answer"  # type: ignore[assignment]
    session: str = Field(sa_column=_owned_by("sitting", primary=True))
    question: str = Field(primary_key=True)
    value: str | None = None


class Event(SQLModel, table=True):
    """Something else that happened in a sitting: a headphone attempt, a practice.

    Parameters
    ----------
    id : int or None
        Of the row.
    session : str
        The sitting.
    kind : str
        Such as ``headphones``.
    data : str
        JSON.
    """

    __table_args__ = (Index("event_of", "session", "kind"),)
    id: int | None = Field(default=None, primary_key=True)
    session: str = Field(sa_column=_owned_by("sitting"))
    kind: str
    data: str


TABLES = (Meta, Participant, PlatformId, Sitting, PhaseStart, Response, QuestionAnswer, Event)


def new_id(n: int = 12) -> str:
    """Draw a random name that is easily read aloud: no 0, 1, l, o.

    Parameters
    ----------
    n : int
        Its length; 5 bits each.

    Returns
    -------
    str
        Lower-case letters and digits.
    """
    return "".join(secrets.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(n))
