"""The course of a sitting: what may come next, what is stored, and what is refused.

Everything here takes an open database session and runs in the writing thread of a
:class:`~otoscope.game.storage.Store`.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import bindparam
from sqlalchemy import select as sa_select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, func, select

from otoscope.game.bodies import (
    Answers,
    HeadphoneAnswers,
    HeadphoneTrial,
    HeadphoneTrials,
    ResponseBody,
)
from otoscope.game.entrance import HOUR_S, Entrance
from otoscope.game.practice import PRACTICE_ORDER
from otoscope.game.refusing import GameError
from otoscope.game.tables import Event, Participant, PhaseStart, PlatformId, QuestionAnswer, Response, Sitting, new_id

if TYPE_CHECKING:
    from otoscope.game.settings import Question
    from otoscope.game.storage import Clock
    from otoscope.game.study import Study

__all__ = ["Course"]

_STAGES = ("questions", "volume", "headphones", "practice", "play", "done")


@dataclass(frozen=True, slots=True)
class _Player:
    """Who plays, and when their phases began."""

    session: str
    starts: dict[int, float]


_RESPONSES: Any = Response.__table__  # type: ignore[attr-defined]
_ANSWER = sa_select(_RESPONSES.c.answer, _RESPONSES.c.rt_ms, _RESPONSES.c.onset_s, _RESPONSES.c.late_ms).where(
    _RESPONSES.c.session == bindparam("session"), _RESPONSES.c.slot == bindparam("slot")
)
_ADD_ANSWER = _RESPONSES.insert()


class Course(Entrance):
    """The rules of a study's sittings.

    Parameters
    ----------
    study : Study
        What is played.
    clock : Clock
        The server's time.
    speed : float, > 0
        Divides all waits, for simulated players.
    """

    def __init__(self, study: Study, clock: Clock, *, speed: float = 1.0) -> None:
        super().__init__(study, clock, speed=speed)
        self._players: dict[str, _Player] = {}
        self._seats: dict[int, list[list[dict[str, Any]]]] = {}

    def _after(self, stage: str) -> str:
        skipped = {
            "headphones": not self.settings.headphones.on,
            "practice": not (self.settings.practice and self.study.practice_clips),
        }
        return next(later for later in _STAGES[_STAGES.index(stage) + 1 :] if not skipped.get(later, False))

    def find(self, session: Session, hashed: str | None, *, withdrawn: bool = False) -> Sitting:
        """Find the sitting of a token.

        Parameters
        ----------
        session : Session
            Of the database.
        hashed : str or None
            See :func:`token_hash`.
        withdrawn : bool
            Whether a withdrawn one is given too.

        Returns
        -------
        Sitting
            Its row.
        """
        found = None
        if hashed is not None:
            found = session.exec(select(Sitting).where(Sitting.token_hash == hashed)).first()
        if found is None:
            raise GameError(401, "no_session", "There is no such sitting; please begin anew.")
        if found.stage == "withdrawn" and not withdrawn:
            raise GameError(409, "withdrawn", "This sitting was withdrawn, and its answers are erased.")
        self.heard[found.session] = self.clock.now()
        return found

    def _starts(self, session: Session, sitting: Sitting) -> dict[int, float]:
        rows = session.exec(select(PhaseStart.phase, PhaseStart.started).where(PhaseStart.session == sitting.session))
        return dict(rows.all())

    def _answered(self, session: Session, sitting: Sitting) -> list[int]:
        rows = session.exec(
            select(Response.slot).where(Response.session == sitting.session).order_by(col(Response.slot))
        )
        return list(rows.all())

    def _phase_length_s(self, phase: int) -> float:
        return len(self.study.phases[phase]) * self.study.slot_s

    def _earliest(self, starts: Mapping[int, float], phase: int) -> float:
        """Say when a phase may begin, the one before it having begun."""
        if phase == 0:
            return 0.0
        wait_s = self._phase_length_s(phase - 1) + self.settings.timing.rest_s
        return starts[phase - 1] + wait_s / self.speed

    def state(self, session: Session, sitting: Sitting) -> dict[str, Any]:
        """Say how far a sitting is.

        Parameters
        ----------
        session : Session
            Of the database.
        sitting : Sitting
            Which.

        Returns
        -------
        dict
            As :class:`~otoscope.game.bodies.State`. Nothing tells what role a slot has.
        """
        now = self.clock.now()
        starts, answered = self._starts(session, sitting), self._answered(session, sitting)
        stage, rest_left_s, phase = sitting.stage, 0.0, max(starts, default=0)
        if stage == "play" and starts:
            over = set(self.study.phases[phase]) <= set(answered)
            if over and phase + 1 < self.study.n_phases:
                phase += 1
                rest_left_s = max(0.0, self._earliest(starts, phase) - now)
                stage = "rest" if rest_left_s > 0 else "play"
        gone = stage in ("withdrawn", "done")
        return {
            "session": sitting.session,
            "sitting": sitting.sitting,
            "lang": sitting.lang,
            "stage": stage,
            "phase": self.study.n_phases - 1 if sitting.stage == "done" else phase,
            "phases": []
            if stage == "withdrawn"
            else [
                {
                    "index": index,
                    "slots": slots,
                    "started_s_ago": None if gone or index not in starts else now - starts[index],
                }
                for index, slots in enumerate(self._slots(sitting.seat))
            ],
            "practice": self._practice(),
            "answered": answered,
            "rest_left_s": rest_left_s,
            "server_time": now,
        }

    def _slots(self, seat: int) -> list[list[dict[str, Any]]]:
        if seat not in self._seats:
            plan = self.study.plan(seat)
            self._seats[seat] = [
                [{"slot": slot, "clip": plan[slot].clip.clip_id} for slot in slots] for slots in self.study.phases
            ]
        return self._seats[seat]

    def _practice(self) -> list[dict[str, Any]]:
        clips = self.study.practice_clips
        if not (self.settings.practice and clips):
            return []
        return [
            {"clip": clips[number % len(clips)].clip_id, "repeat": number in PRACTICE_ORDER[:place]}
            for place, number in enumerate(PRACTICE_ORDER)
        ]

    def _is_due(self, sitting: Sitting, stage: str) -> bool:
        """Say whether a stage comes now; False where it has passed."""
        if _STAGES.index(sitting.stage) < _STAGES.index(stage):
            raise GameError(409, "wrong_stage", f"This sitting is at {sitting.stage}; {stage} comes later.")
        return sitting.stage == stage

    def answer_questions(self, session: Session, sitting: Sitting, body: Answers) -> None:
        """Store what was answered to the questions, and go on.

        Parameters
        ----------
        session : Session
            Of the database.
        sitting : Sitting
            Which.
        body : Answers
            All answers; what is left out was not said.
        """
        if not self._is_due(sitting, "questions"):
            return
        questions = {question.id: question for question in self.settings.questions}
        unknown = [name for name in body.answers if name not in questions]
        if unknown:
            raise GameError(422, "invalid", "answers: there is no such question.")
        for name, question in questions.items():
            value = _checked(question, body.answers.get(name))
            session.add(QuestionAnswer(session=sitting.session, question=name, value=value))
        self._go_on(session, sitting)

    def set_volume(self, session: Session, sitting: Sitting, level: float) -> None:
        """Store the volume, and go on.

        Parameters
        ----------
        session : Session
            Of the database.
        sitting : Sitting
            Which.
        level : float
            From 0 to 1.
        """
        if self._is_due(sitting, "volume"):
            sitting.volume = level
            self._go_on(session, sitting)

    def practise(self, session: Session, sitting: Sitting, correct: int, total: int) -> None:
        """Store how the practice went, and go on.

        Parameters
        ----------
        session : Session
            Of the database.
        sitting : Sitting
            Which.
        correct, total : int
            Slots.
        """
        if self._is_due(sitting, "practice"):
            self._note(session, sitting, "practice", {"correct": correct, "total": total})
            self._go_on(session, sitting)

    def _go_on(self, session: Session, sitting: Sitting) -> None:
        sitting.stage = self._after(sitting.stage)
        session.add(sitting)
        session.flush()

    def _note(self, session: Session, sitting: Sitting, kind: str, data: dict[str, Any]) -> None:
        session.add(Event(session=sitting.session, kind=kind, data=json.dumps(data, separators=(",", ":"))))

    def _attempts(self, session: Session, sitting: Sitting) -> int:
        return session.exec(
            select(func.count())
            .select_from(Event)
            .where(Event.session == sitting.session, Event.kind == "headphones")
        ).one()

    def _trials(self, sitting: Sitting, attempt: int) -> list[HeadphoneTrial]:
        """Give the trials of an attempt, the same whenever they are asked for."""
        rng = random.Random(hashlib.sha256(f"{sitting.token_hash}/{attempt}".encode()).digest())
        trials = []
        for _ in range(self.settings.headphones.trials):
            quiet, antiphase = rng.sample(range(3), 2)
            trials.append(HeadphoneTrial(intervals=3, quiet=quiet, antiphase=antiphase))
        return trials

    def headphone_trials(self, session: Session, sitting: Sitting) -> HeadphoneTrials:
        """Give the trials of the headphone check.

        Parameters
        ----------
        session : Session
            Of the database.
        sitting : Sitting
            Which.

        Returns
        -------
        HeadphoneTrials
            Of the attempt that comes now.
        """
        if not self._is_due(sitting, "headphones"):
            raise GameError(409, "wrong_stage", f"This sitting is at {sitting.stage}; the check is over.")
        attempt = self._attempts(session, sitting)
        return HeadphoneTrials(
            trials=self._trials(sitting, attempt),
            attempt=attempt + 1,
            attempts=self.settings.headphones.attempts,
            tone_hz=200.0,
            tone_s=1.0,
            pause_s=0.5,
            quiet_db=-6.0,
        )

    def judge_headphones(self, session: Session, sitting: Sitting, body: HeadphoneAnswers) -> dict[str, Any] | None:
        """Judge an attempt at the headphone check, and go on if it was passed or was the last.

        Parameters
        ----------
        session : Session
            Of the database.
        sitting : Sitting
            Which.
        body : HeadphoneAnswers
            The interval that was called softest, in every trial.

        Returns
        -------
        dict or None
            ``passed``, ``correct``, ``trials``, ``attempts_left``; None where the check is over already.
        """
        if not self._is_due(sitting, "headphones"):
            return None
        asked = self.settings.headphones
        attempt = self._attempts(session, sitting)
        if body.answers is None:
            correct, left = 0, 0
        else:
            if len(body.answers) != asked.trials:
                raise GameError(422, "invalid", f"answers: {asked.trials} are needed.")
            trials = self._trials(sitting, attempt)
            correct = sum(answer == trial.quiet for answer, trial in zip(body.answers, trials, strict=True))
            left = asked.attempts - attempt - 1
        passed = correct >= asked.pass_at
        self._note(
            session,
            sitting,
            "headphones",
            {"correct": correct, "trials": asked.trials, "passed": passed, "none": body.answers is None},
        )
        if passed or left <= 0:
            sitting.headphones = passed
            self._go_on(session, sitting)
        return {"passed": passed, "correct": correct, "trials": asked.trials, "attempts_left": 0 if passed else left}

    def start_phase(self, session: Session, sitting: Sitting, phase: int) -> dict[str, Any]:
        """Start a phase by the server's clock.

        Parameters
        ----------
        session : Session
            Of the database.
        sitting : Sitting
            Which.
        phase : int
            From 0.

        Returns
        -------
        dict
            ``phase``, ``started``, ``started_s_ago``.
        """
        if not 0 <= phase < self.study.n_phases:
            raise GameError(404, "unknown_phase", f"There are {self.study.n_phases} phases, from 0.")
        if _STAGES.index(sitting.stage) < _STAGES.index("play"):
            raise GameError(409, "wrong_stage", f"This sitting is at {sitting.stage}; play comes later.")
        starts, now = self._starts(session, sitting), self.clock.now()
        if sitting.stage == "done":
            return {"phase": phase, "started": True, "started_s_ago": 0.0}
        if phase in starts:
            return {"phase": phase, "started": True, "started_s_ago": now - starts[phase]}
        if phase > 0 and phase - 1 not in starts:
            raise GameError(409, "phase_not_started", "The phase before this one was not started.")
        wait_s = self._earliest(starts, phase) - now
        if wait_s > 0:
            raise GameError(425, "too_early", "The phase before, or its rest, is not over yet.", wait_s)
        session.add(PhaseStart(session=sitting.session, phase=phase, started=now))
        session.flush()
        self._players.pop(sitting.token_hash, None)
        return {"phase": phase, "started": True, "started_s_ago": 0.0}

    def _player(self, session: Session, hashed: str | None) -> _Player:
        """Find who plays, without asking the database again for what it said before."""
        player = self._players.get(hashed or "")
        if player is None:
            sitting = self.find(session, hashed)
            player = _Player(sitting.session, self._starts(session, sitting))
            self._players[sitting.token_hash] = player
        self.heard[player.session] = self.clock.now()
        return player

    def respond(self, session: Session, hashed: str | None, slot: int, body: ResponseBody) -> None:
        """Store a response, once.

        Parameters
        ----------
        session : Session
            Of the database.
        hashed : str or None
            See :func:`token_hash`.
        slot : int
            From 0.
        body : ResponseBody
            What was answered.
        """
        player = self._player(session, hashed)
        place = self.study.place_in_phase.get(slot)
        if place is None:
            raise GameError(404, "unknown_slot", f"There are {self.study.n_slots} slots, from 0.")
        connection = session.connection()
        there = connection.execute(_ANSWER, {"session": player.session, "slot": slot}).first()
        if there is not None:
            if tuple(there) == (body.answer, body.rt_ms, body.onset_s, body.late_ms):
                return
            raise GameError(409, "conflict", "This slot has another answer already, and answers are not changed.")
        started = player.starts.get(place[0])
        if started is None:
            raise GameError(409, "phase_not_started", "The phase of this slot was not started.")
        now = self.clock.now()
        wait_s = place[1] * self.study.slot_s / self.speed - (now - started)
        if wait_s > 0:
            raise GameError(425, "too_early", "This slot cannot have been heard yet.", wait_s)
        row = {"session": player.session, "slot": slot, "server_s": round(now - started, 3), **body.model_dump()}
        try:
            connection.execute(_ADD_ANSWER, row)
        except IntegrityError:  # erased by another process, or answered through one
            self._players.pop(hashed or "", None)
            raise GameError(503, "busy", "Please send this again.", 0.5) from None

    def forget(self) -> None:
        """Drop what is remembered of the database, because it may not have been stored."""
        self._players.clear()

    def finish(self, session: Session, sitting: Sitting) -> dict[str, Any]:
        """End a sitting that has all its responses.

        Parameters
        ----------
        session : Session
            Of the database.
        sitting : Sitting
            Which.

        Returns
        -------
        dict
            As :class:`~otoscope.game.bodies.Finished`; the same however often it is asked for.
        """
        rows = session.exec(select(Response.slot, Response.answer).where(Response.session == sitting.session)).all()
        answers = dict(rows)
        missing = [slot for slot in range(self.study.n_slots) if slot not in answers]
        if missing:
            raise GameError(409, "missing", f"{len(missing)} slots have no response yet.", missing=missing)
        participant = session.get(Participant, sitting.participant)
        assert participant is not None
        second = self.settings.second_sitting
        if sitting.stage != "done":
            self._players.pop(sitting.token_hash, None)
            sitting.stage = "done"
            sitting.ended = self.clock.now() // HOUR_S * HOUR_S
            starts = session.exec(select(PhaseStart).where(PhaseStart.session == sitting.session)).all()
            first = min((start.started for start in starts), default=0.0)
            for start in starts:
                start.started = round(start.started - first, 3)
                session.add(start)
            if second.on and sitting.sitting == 1 and participant.return_code is None:
                participant.return_code = new_id(12)
                session.add(participant)
            session.add(sitting)
            session.flush()
        plan = self.study.plan(sitting.seat)
        targets = [slot.slot for slot in plan if slot.role == "target" and slot.presentation == 2]
        firsts = [slot.slot for slot in plan if slot.presentation == 1 and slot.role != "warmup"]
        return_code = participant.return_code if sitting.sitting == 1 and second.on else None
        return {
            "hits": sum(answers[slot] == "repeat" for slot in targets),
            "targets": len(targets),
            "false_alarms": sum(answers[slot] == "repeat" for slot in firsts),
            "firsts": len(firsts),
            "code": sitting.code,
            "redirect": self._redirect(session, sitting),
            "return_code": return_code,
            "return_after_h": second.delay_h if return_code else None,
            "debrief": self.study.text("debrief", sitting.lang),
        }

    def _redirect(self, session: Session, sitting: Sitting) -> str | None:
        platform = session.get(PlatformId, sitting.participant)
        template = self.settings.completion.redirects.get(platform.name) if platform else None  # type: ignore[call-overload]
        if platform is None or template is None:
            return None
        values = {
            "id": platform.platform_id,
            "study_id": platform.study_id or "",
            "session_id": platform.session_id or "",
            "code": sitting.code,
        }
        for name, value in values.items():
            template = template.replace(f"{{{name}}}", quote(value, safe=""))
        return template

    def withdraw(self, session: Session, sitting: Sitting) -> dict[str, int]:
        """Erase what a sitting answered.

        Parameters
        ----------
        session : Session
            Of the database.
        sitting : Sitting
            Which; its row stays, without answers, so that its seat is given again.

        Returns
        -------
        dict of str to int
            How many responses, questions and events were removed.
        """
        self._players.pop(sitting.token_hash, None)
        removed = {}
        for name, model in (("responses", Response), ("questions", QuestionAnswer), ("events", Event)):
            removed[name] = session.exec(delete(model).where(col(model.session) == sitting.session)).rowcount  # type: ignore[call-overload]
        session.exec(delete(PhaseStart).where(col(PhaseStart.session) == sitting.session))  # type: ignore[call-overload]
        others = session.exec(
            select(Sitting.session).where(
                Sitting.participant == sitting.participant,
                Sitting.session != sitting.session,
                Sitting.stage != "withdrawn",
            )
        ).first()
        if others is None:
            session.exec(delete(PlatformId).where(col(PlatformId.participant) == sitting.participant))  # type: ignore[call-overload]
        sitting.stage, sitting.volume, sitting.headphones, sitting.ended = "withdrawn", None, None, None
        session.add(sitting)
        self.heard.pop(sitting.session, None)
        return removed


def _checked(question: Question, value: str | int | float | None) -> str | None:
    """Give an answer as it is stored, or refuse it."""
    if value is None or value == "":
        return None
    where = f"answers.{question.id}"
    if question.kind == "number":
        if isinstance(value, str):
            raise GameError(422, "invalid", f"{where}: a number is needed.")
        if question.least is not None and value < question.least:
            raise GameError(422, "invalid", f"{where}: at least {question.least:g}.")
        if question.most is not None and value > question.most:
            raise GameError(422, "invalid", f"{where}: at most {question.most:g}.")
        return repr(value)
    if not isinstance(value, str):
        raise GameError(422, "invalid", f"{where}: a text is needed.")
    if question.kind == "choice" and value not in {choice.value for choice in question.choices}:
        raise GameError(422, "invalid", f"{where}: choose one of the answers.")
    if question.kind == "text" and len(value) > question.max_length:
        raise GameError(422, "invalid", f"{where}: at most {question.max_length} characters.")
    return value
