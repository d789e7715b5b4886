"""Who may begin a sitting, and which seat they get."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlmodel import Session, col, select

from otoscope.game.bodies import Begin, Platform
from otoscope.game.refusing import GameError, token_hash
from otoscope.game.seats import Sitting as Seated
from otoscope.game.seats import next_seat, seat_loads
from otoscope.game.tables import Participant, PlatformId, Sitting, new_id

if TYPE_CHECKING:
    from otoscope.game.storage import Clock
    from otoscope.game.study import Study

__all__ = ["HOUR_S", "Entrance"]

HOUR_S = 3600


class Entrance:
    """The door of a study.

    Parameters
    ----------
    study : Study
        What is played.
    clock : Clock
        The server's time.
    speed : float, > 0
        Divides all waits.
    """

    def __init__(self, study: Study, clock: Clock, *, speed: float = 1.0) -> None:
        self.study = study
        self.settings = study.settings
        self.clock = clock
        self.speed = speed
        self.heard: dict[str, float] = {}
        self._opened = clock.now()

    def _first_stage(self) -> str:
        return "questions" if self.settings.questions else "volume"

    def begin(self, session: Session, body: Begin, device: str) -> tuple[str, Sitting]:
        """Begin a sitting.

        Parameters
        ----------
        session : Session
            Of the database.
        body : Begin
            What was asked.
        device : str
            See :func:`device_of`.

        Returns
        -------
        token : str
            For the page; only its digest is kept.
        sitting : Sitting
            Stored.
        """
        if body.lang not in self.settings.languages:
            raise GameError(422, "invalid", f"lang: choose from {', '.join(self.settings.languages)}.")
        if body.consent_version != self.study.consent(body.lang)[0]:
            raise GameError(409, "consent_changed", "The consent was changed meanwhile; please read it again.")
        self.study.keep_consents()
        day = datetime.fromtimestamp(self.clock.now(), UTC).strftime("%Y-%m-%d")
        if body.return_code is None:
            if body.platform is not None:
                self._refuse_finished(session, body.platform)
            number = 1
            participant = Participant(id=new_id(16), day=day)
            session.add(participant)
            session.flush()
            if body.platform is not None:
                session.add(
                    PlatformId(
                        participant=participant.id,
                        name=body.platform.name,
                        platform_id=body.platform.id,
                        study_id=body.platform.study_id,
                        session_id=body.platform.session_id,
                    )
                )
            seat = self._free_seat(session)
        else:
            number = 2
            participant, first = self._returning(session, body.return_code)
            seat = self._second_seat(session, first)
        token = secrets.token_urlsafe(32)
        sitting = Sitting(
            session=new_id(12),
            participant=participant.id,
            token_hash=token_hash(token),
            sitting=number,
            seat=seat,
            consent_version=body.consent_version,
            lang=body.lang,
            device=device,
            day=day,
            stage=self._first_stage(),
            code=self.settings.completion.code or new_id(10).upper(),
        )
        session.add(sitting)
        session.flush()
        self.heard[sitting.session] = self.clock.now()
        return token, sitting

    def _refuse_finished(self, session: Session, platform: Platform) -> None:
        played = session.exec(
            select(Sitting.session)
            .join(PlatformId, col(PlatformId.participant) == col(Sitting.participant))
            .where(PlatformId.name == platform.name, PlatformId.platform_id == platform.id, Sitting.stage == "done")
            .limit(1)
        ).first()
        if played is not None:
            raise GameError(409, "already_played", "This game was already finished with the same account.")

    def _returning(self, session: Session, return_code: str) -> tuple[Participant, Sitting]:
        code = "".join(c for c in return_code.lower() if c.isalnum())
        found = session.exec(select(Participant).where(Participant.return_code == code)).first() if code else None
        first = (
            found
            and session.exec(
                select(Sitting).where(Sitting.participant == found.id, Sitting.sitting == 1, Sitting.stage == "done")
            ).first()
        )
        if not found or not first or not self.settings.second_sitting.on:
            raise GameError(404, "unknown_return_code", "This code is not known; please look whether it is complete.")
        again = session.exec(
            select(Sitting).where(Sitting.participant == found.id, Sitting.sitting == 2, Sitting.stage == "done")
        ).first()
        if again is not None:
            raise GameError(409, "already_played", "The second sitting was already finished.")
        delay_s = self.settings.second_sitting.delay_h * HOUR_S
        wait_s = (first.ended or 0.0) + delay_s / self.speed - self.clock.now()
        if wait_s > 0:
            hours = max(1, round(wait_s / HOUR_S))
            raise GameError(425, "too_early", f"Please come back in about {hours} h.", wait_s)
        return found, first

    def _seated(self, session: Session, number: int) -> list[Seated]:
        rows = session.exec(
            select(Sitting.session, Sitting.seat, Sitting.stage).where(Sitting.sitting == number)
        ).all()
        states = {"done": "completed", "withdrawn": "withdrawn"}
        return [
            Seated(seat, states.get(stage, "active"), self.heard.get(name, self._opened))  # type: ignore[arg-type]
            for name, seat, stage in rows
        ]

    def _free_seat(self, session: Session) -> int:
        limit_s = self.settings.dropout_minutes * 60 / self.speed
        return next_seat(self._seated(session, 1), self.study.n_seats, now_s=self.clock.now(), limit_s=limit_s)

    def _second_seat(self, session: Session, first: Sitting) -> int:
        from otoscope.game.schedule import second_seat

        limit_s = self.settings.dropout_minutes * 60 / self.speed
        loads = seat_loads(
            self._seated(session, 2), self.study.n_seats, now_s=self.clock.now(), limit_s=limit_s
        ).tolist()
        clips = self.settings.second_sitting.clips if self.study.n_seats > 1 else "same"
        return second_seat(self.study.assignments, first.seat, loads, clips=clips)
