"""The requests that a player's page makes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

import otoscope
from otoscope.game.bodies import (
    Answers,
    Begin,
    Erased,
    Finished,
    HeadphoneAnswers,
    HeadphoneTrials,
    PracticeDone,
    Problem,
    ResponseBody,
    StartedPhase,
    State,
    Stored,
    StudyAbout,
    Volume,
)
from otoscope.game.refusing import GameError, device_of, token_hash
from otoscope.game.sittings import Course

if TYPE_CHECKING:
    from sqlmodel import Session

    from otoscope.game.storage import Store
    from otoscope.game.study import Study
    from otoscope.game.tables import Sitting

__all__ = ["about_study", "player_routes"]

T = TypeVar("T")
_bearer = HTTPBearer(auto_error=False, description="The token that POST /api/sessions gave")
Token = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
_WORDS = {
    401: "No such sitting",
    403: "From another site",
    404: "Not there",
    409: "Not now, or otherwise than before",
    413: "Too large",
    422: "Not understood",
    425: "Too early",
    429: "Too many requests",
    503: "Busy",
}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": words} for status, words in _WORDS.items()
}


def about_study(study: Study, language: str) -> dict[str, Any]:
    """Say what the page has to know before a sitting begins.

    Parameters
    ----------
    study : Study
        Which.
    language : str
        One of the study's.

    Returns
    -------
    dict
        As :class:`~otoscope.game.bodies.StudyAbout`.
    """
    settings = study.settings
    version, text = study.consent(language)
    questions = [
        {
            "id": question.id,
            "text": question.text[language],  # type: ignore[index]
            "kind": question.kind,
            "choices": [{"value": choice.value, "text": choice.text[language]} for choice in question.choices],  # type: ignore[index]
            "min": question.least,
            "max": question.most,
            "max_length": question.max_length if question.kind == "text" else None,
        }
        for question in settings.questions
    ]
    timing = settings.timing
    second = settings.second_sitting
    return {
        "title": settings.title,
        "version": otoscope.__version__,
        "lang": language,
        "languages": list(settings.languages),
        "minutes": study.minutes,
        "consent": {"version": version, "text": text},
        "questions": questions,
        "timing": {
            "clip_s": study.clip_s,
            "gap_s": timing.gap_s,
            "window_s": timing.window_s,
            "rest_s": timing.rest_s,
        },
        "n_slots": study.n_slots,
        "n_phases": study.n_phases,
        "headphones": settings.headphones.on,
        "practice": bool(settings.practice and study.practice_clips),
        "keys": settings.keys.model_dump(mode="json"),
        "contact": settings.contact,
        "minimum_age": settings.minimum_age,
        "second_sitting": {"delay_h": second.delay_h} if second.on else None,
    }


def player_routes(course: Course, store: Store) -> APIRouter:
    """Make the routes of players.

    Parameters
    ----------
    course : Course
        The rules.
    store : Store
        The database.

    Returns
    -------
    APIRouter
        Under ``/api``.
    """
    router = APIRouter(prefix="/api", responses=_PROBLEMS)
    study = course.study

    async def write(work: Callable[[Session], T]) -> T:
        return await asyncio.wrap_future(store.submit(work))

    async def as_player(
        token: HTTPAuthorizationCredentials | None,
        work: Callable[[Session, Sitting], T],
        *,
        withdrawn: bool = False,
    ) -> T:
        hashed = token_hash(token.credentials) if token is not None else None
        return await write(lambda session: work(session, course.find(session, hashed, withdrawn=withdrawn)))

    async def state_after(
        token: HTTPAuthorizationCredentials | None, work: Callable[[Session, Sitting], Any] | None
    ) -> Response:
        def both(session: Session, sitting: Sitting) -> dict[str, Any]:
            if work is not None:
                work(session, sitting)
            return course.state(session, sitting)

        # Sent as it is: hundreds of slots are not looked at again by the model that describes them.
        return JSONResponse(await as_player(token, both, withdrawn=work is None))

    @router.get("/study", response_model=StudyAbout)
    async def read_study(lang: Annotated[str, Query(max_length=20)] = "") -> dict[str, Any]:
        languages = study.settings.languages
        if lang and lang not in languages:
            raise GameError(422, "invalid", f"lang: choose from {', '.join(languages)}.")
        return about_study(study, lang or languages[0])

    @router.post("/sessions", response_model=State, status_code=201)
    async def begin(body: Begin, request: Request) -> Response:
        device = device_of(request.headers.get("user-agent", ""))

        def work(session: Session) -> dict[str, Any]:
            token, sitting = course.begin(session, body, device)
            return {**course.state(session, sitting), "token": token}

        return JSONResponse(await write(work), 201)

    @router.get("/session", response_model=State)
    async def read_state(token: Token) -> Response:
        return await state_after(token, None)

    @router.post("/session/questions", response_model=State)
    async def answer_questions(body: Answers, token: Token) -> Response:
        return await state_after(token, lambda s, sitting: course.answer_questions(s, sitting, body))

    @router.post("/session/volume", response_model=State)
    async def set_volume(body: Volume, token: Token) -> Response:
        return await state_after(token, lambda s, sitting: course.set_volume(s, sitting, body.level))

    @router.get("/session/headphones", response_model=HeadphoneTrials)
    async def read_headphone_trials(token: Token) -> HeadphoneTrials:
        return await as_player(token, course.headphone_trials)

    @router.post("/session/headphones", response_model=State)
    async def judge_headphones(body: HeadphoneAnswers, token: Token) -> Response:
        def work(session: Session, sitting: Sitting) -> dict[str, Any]:
            judged = course.judge_headphones(session, sitting, body)
            return {**course.state(session, sitting), "headphones": judged}

        return JSONResponse(await as_player(token, work))

    @router.post("/session/practice", response_model=State)
    async def practise(body: PracticeDone, token: Token) -> Response:
        return await state_after(token, lambda s, sitting: course.practise(s, sitting, body.correct, body.total))

    @router.post("/session/phases/{phase}/start", response_model=StartedPhase)
    async def start_phase(phase: Annotated[int, Path()], token: Token) -> dict[str, Any]:
        return await as_player(token, lambda s, sitting: course.start_phase(s, sitting, phase))

    @router.put("/session/responses/{slot}", response_model=Stored)
    async def respond(slot: Annotated[int, Path()], body: ResponseBody, token: Token) -> dict[str, Any]:
        hashed = token_hash(token.credentials) if token is not None else None
        await asyncio.wrap_future(store.submit(lambda s: course.respond(s, hashed, slot, body), single=True))
        return {"slot": slot, "stored": True}

    @router.post("/session/finish", response_model=Finished)
    async def finish(token: Token) -> dict[str, Any]:
        return await as_player(token, course.finish)

    @router.post("/session/withdraw", response_model=Erased)
    async def withdraw(token: Token) -> dict[str, Any]:
        removed = await as_player(token, course.withdraw, withdrawn=True)
        await asyncio.to_thread(store.scrub)
        return {"withdrawn": True, "removed": removed}

    return router
