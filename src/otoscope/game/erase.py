"""All that is stored of one listener, erased."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from otoscope.errors import SpecError

if TYPE_CHECKING:
    from sqlmodel import Session

    from otoscope.game.storage import Store

__all__ = ["ErasedListener", "erase_participant", "find_participants"]


@dataclass(frozen=True, slots=True)
class ErasedListener:
    """What was removed.

    Parameters
    ----------
    participant : str
        Random id of the listener.
    sessions : tuple of str
        Their sittings.
    removed : dict of str to int
        Rows, by table.
    """

    participant: str
    sessions: tuple[str, ...]
    removed: dict[str, int]


def find_participants(store: Store, code: str) -> tuple[str, ...]:
    """Find the listener that a code belongs to.

    Parameters
    ----------
    store : Store
        The database.
    code : str
        A listener's id, the id of a sitting, a completion or return code, or a platform's id.

    Returns
    -------
    tuple of str
        Ids of listeners; several where a code is shared, such as a completion code that is the same for all.
    """
    return store.write(lambda session: _find(session, code.strip()))


def _find(session: Session, code: str) -> tuple[str, ...]:
    from sqlmodel import col, or_, select

    from otoscope.game.tables import Participant, PlatformId, Sitting

    plain = "".join(c for c in code.lower() if c.isalnum())
    found: set[str] = set()
    found.update(
        session.exec(
            select(Participant.id).where(
                or_(Participant.id == code, Participant.id == plain, col(Participant.return_code) == plain)
            )
        )
    )
    found.update(
        session.exec(
            select(Sitting.participant).where(
                or_(
                    Sitting.session == code,
                    Sitting.session == plain,
                    Sitting.code == code,
                    Sitting.code == code.upper(),
                )
            )
        )
    )
    found.update(session.exec(select(PlatformId.participant).where(PlatformId.platform_id == code)))
    return tuple(sorted(found))


def erase_participant(store: Store, code: str, *, every: bool = False) -> tuple[ErasedListener, ...]:
    """Erase every row of a listener, and its bytes.

    Parameters
    ----------
    store : Store
        The database. A server may run meanwhile; its page then tells the listener that there is no such sitting.
    code : str
        As for :func:`find_participants`.
    every : bool
        Whether all listeners of a shared code are meant, such as one who began twice under one platform id.

    Returns
    -------
    tuple of ErasedListener
        What was removed of whom.

    Raises
    ------
    SpecError
        If nobody has the code, or several have it and `every` is not set; also if all was erased and another
        process keeps old pages in the log of the database.
    """

    def work(session: Session) -> tuple[ErasedListener, ...]:
        found = _find(session, code.strip()) if code.strip() else ()
        if not found:
            raise SpecError(f"{code!r}: no listener has this code; give that of a sitting, a listener or a platform")
        if len(found) > 1 and not every:
            raise SpecError(
                f"{code!r}: {len(found)} listeners have this code; give the code of one of their sittings"
            )
        return tuple(_erase(session, participant) for participant in found)

    erased = store.write(work)
    if not store.scrub(vacuum=True):
        raise SpecError("erased, but another process still holds the log of the database; stop the server once")
    return erased


def _erase(session: Session, participant: str) -> ErasedListener:
    from sqlmodel import col, delete, select

    from otoscope.game.tables import Event, Participant, PhaseStart, PlatformId, QuestionAnswer, Response, Sitting

    sessions = tuple(session.exec(select(Sitting.session).where(Sitting.participant == participant)))
    removed: dict[str, int] = {}
    for name, model in (
        ("responses", Response),
        ("questions", QuestionAnswer),
        ("events", Event),
        ("phase_starts", PhaseStart),
    ):
        removed[name] = session.exec(delete(model).where(col(model.session).in_(sessions))).rowcount  # type: ignore[call-overload]
    for name, model, column in (
        ("platform_ids", PlatformId, PlatformId.participant),
        ("sittings", Sitting, Sitting.participant),
        ("listeners", Participant, Participant.id),
    ):
        removed[name] = session.exec(delete(model).where(col(column) == participant)).rowcount  # type: ignore[call-overload]
    return ErasedListener(participant, sessions, removed)
