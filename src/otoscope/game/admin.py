"""What the people who run a study see: who is where, who is left out so far, how reliable the scores are so far."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

import otoscope
from otoscope.errors import OtoscopeError
from otoscope.game.bodies import Problem
from otoscope.game.collecting import collect, limits_of, read_study_responses
from otoscope.game.export import export_files, zip_bytes
from otoscope.game.refusing import GameError
from otoscope.game.sittings import Course

if TYPE_CHECKING:
    from otoscope.game.responses import Responses
    from otoscope.game.storage import Store

__all__ = ["admin_routes", "status_of"]

ACTIVE_S = 600.0
_KEPT_S = 15.0
_bearer = HTTPBearer(auto_error=False, scheme_name="admin", description="The study's admin token")
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "No such token"},
    429: {"model": Problem, "description": "Too many requests"},
}


def status_of(course: Course, store: Store) -> dict[str, Any]:
    """Say how a study stands.

    Parameters
    ----------
    course : Course
        The rules, with who was heard of when.
    store : Store
        Its database.

    Returns
    -------
    dict
        JSON values: counts by stage, sittings by their public ids, exclusions and reliability so far, disk.
    """
    study, now = course.study, course.clock.now()
    found = collect(store)
    answered = Counter(row["session"] for row in found.responses)
    last_slot = {row["session"]: row["slot"] for row in found.responses}
    sessions = []
    for row in found.sittings:
        heard = course.heard.get(row["session"])
        slot = last_slot.get(row["session"])
        sessions.append(
            {
                "session": row["session"],
                "sitting": row["sitting"],
                "stage": row["stage"],
                "phase": None if slot is None else study.place_in_phase[slot][0],
                "answered": answered[row["session"]],
                "n_slots": study.n_slots,
                "lang": row["lang"],
                "device": row["device"],
                "day": row["day"],
                "headphones": row["headphones"],
                "last_s_ago": None if heard is None else round(now - heard, 1),
            }
        )
    stages = Counter(row["stage"] for row in found.sittings)
    active = sum(
        s["stage"] not in ("done", "withdrawn") and (s["last_s_ago"] is not None and s["last_s_ago"] < ACTIVE_S)
        for s in sessions
    )
    exclusions, reliability = _quality(course, store)
    return {
        "title": study.settings.title,
        "version": otoscope.__version__,
        "server_time": now,
        "speed": course.speed,
        "planned": study.n_seats,
        "started": len(found.sittings),
        "completed": stages["done"],
        "withdrawn": stages["withdrawn"],
        "active": active,
        "stages": dict(stages),
        "sessions": sessions,
        "responses": len(found.responses),
        "exclusions": exclusions,
        "reliability": reliability,
        "disk": _disk(course, store),
    }


def _disk(course: Course, store: Store) -> dict[str, int | None]:
    path = store.engine.url.database if store.is_sqlite else None
    size = None
    if path:
        from pathlib import Path

        size = sum(part.stat().st_size for part in Path(path).parent.glob(Path(path).name + "*"))
    return {"free_bytes": shutil.disk_usage(course.study.folder).free, "database_bytes": size}


def _quality(course: Course, store: Store) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    from otoscope.game.exclusions import exclude

    try:
        responses = read_study_responses(course.study, store)
        found = exclude(responses, limits_of(course.study))
    except OtoscopeError as error:
        return None, {"value": None, "reason": str(error)}
    exclusions = {
        "kept": len(found.kept),
        "excluded": len(found.excluded),
        "rules": [
            {
                "rule": rule.rule,
                "limit": rule.limit,
                "n": rule.n,
                "n_judged": rule.n_judged,
                "sessions": list(rule.sessions),
            }
            for rule in found.rules
        ],
    }
    return exclusions, _reliability(responses, found.kept)


def _reliability(responses: Responses, kept: tuple[str, ...]) -> dict[str, Any]:
    from otoscope.game.reliability import split_half

    if not kept:
        return {"value": None, "reason": "no finished sitting is kept yet"}
    try:
        halves = split_half(responses.of_sessions(kept), n_splits=50, interval=False)
    except OtoscopeError as error:
        return {"value": None, "reason": str(error)}
    value = halves.reliability.value
    if value is None:
        return {"value": None, "reason": halves.reliability.reason or "too few data"}
    return {
        "value": round(value, 4),
        "split_half": None if halves.spearman.value is None else round(halves.spearman.value, 4),
        "n_sessions": len(kept),
        "n_splits": halves.n_splits,
        "reason": None,
    }


def admin_routes(course: Course, store: Store) -> APIRouter:
    """Make the routes of the admin page.

    Parameters
    ----------
    course : Course
        The rules.
    store : Store
        The database.

    Returns
    -------
    APIRouter
        Under ``/api/admin``; every request needs the study's admin token.
    """
    expected = course.study.admin_token().encode()
    kept: dict[str, Any] = {"at": -_KEPT_S, "status": None}
    busy = asyncio.Lock()

    def check(token: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
        given = token.credentials.encode("utf-8", "surrogateescape") if token is not None else b""
        if not secrets.compare_digest(given, expected):
            raise GameError(401, "no_admin", "This token does not open the admin page.")

    router = APIRouter(prefix="/api/admin", dependencies=[Depends(check)], responses=_PROBLEMS)

    @router.get("/status")
    async def status() -> dict[str, Any]:
        async with busy:
            if kept["status"] is None or time.monotonic() - kept["at"] > _KEPT_S / course.speed:
                kept["status"] = await asyncio.to_thread(status_of, course, store)
                kept["at"] = time.monotonic()
        return kept["status"]

    @router.get("/download", response_class=Response, responses={200: {"content": {"application/zip": {}}}})
    async def download() -> Response:
        async with busy:
            data = await asyncio.to_thread(lambda: zip_bytes(export_files(course.study, store)))
        headers = {"Content-Disposition": 'attachment; filename="study-data.zip"'}
        return Response(data, media_type="application/zip", headers=headers)

    return router
