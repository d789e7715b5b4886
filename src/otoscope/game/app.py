"""The web application of a study: the page, the clips by id, the players' requests and the admin's."""

from __future__ import annotations

import math
import mimetypes
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

import otoscope
from otoscope.errors import SpecError
from otoscope.game.admin import admin_routes
from otoscope.game.clip_table import clip_file
from otoscope.game.limits import SECURITY_HEADERS, Guard, Rates
from otoscope.game.refusing import GameError
from otoscope.game.routes import player_routes
from otoscope.game.sittings import Course
from otoscope.game.sounds import MEDIA_TYPES
from otoscope.game.storage import Clock

if TYPE_CHECKING:
    from otoscope.game.storage import Store
    from otoscope.game.study import Study

__all__ = ["WEB_FOLDER", "ClipShelf", "create_app"]

WEB_FOLDER = Path(__file__).parent / "web"
_KEPT_BYTES = 128 * 2**20
_TYPES = {".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml", ".css": "text/css"}
_ABSENT = "<!doctype html><html lang=en><title>{}</title><p>This page is not part of the installation.</p></html>"
_CODES = {404: "not_found", 405: "not_allowed", 400: "invalid"}


class ClipShelf:
    """The clips of a study, by id; those used last are kept in memory.

    Parameters
    ----------
    study : Study
        Whose.
    kept_bytes : int
        How much is kept.
    """

    def __init__(self, study: Study, *, kept_bytes: int = _KEPT_BYTES) -> None:
        self._paths = {
            clip.clip_id: (clip_file(study.folder, clip.clip_id), clip.sha256)
            for clip in (*study.clips, *study.practice_clips)
        }
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._room = kept_bytes

    def find(self, clip_id: str) -> tuple[bytes, str, str] | None:
        """Give a clip.

        Parameters
        ----------
        clip_id : str
            From a request: only looked up among the ids that there are.

        Returns
        -------
        tuple of (bytes, str, str) or None
            The file, its media type and its digest.
        """
        path, digest = self._paths.get(clip_id, (None, ""))
        if path is None:
            return None
        data = self._kept.pop(clip_id, None)
        if data is None:
            data = path.read_bytes()
            self._room -= len(data)
            while self._room < 0 and self._kept:
                self._room += len(self._kept.popitem(last=False)[1])
        self._kept[clip_id] = data
        return data, MEDIA_TYPES[path.suffix[1:]], digest


def create_app(
    study: Study,
    *,
    speed: float = 1.0,
    store: Store | None = None,
    rates: Rates | None = None,
    hosts: Iterable[str] = (),
    web: Path = WEB_FOLDER,
) -> FastAPI:
    """Make the application of a study.

    Parameters
    ----------
    study : Study
        What is played.
    speed : float, > 0
        Divides all waits on the server, and multiplies its limits: simulated players run so many times faster.
    store : Store, optional
        An open database; the study's own where none is given. It is closed with the application.
    rates : Rates, optional
        How many requests are taken.
    hosts : iterable of str
        Other names under which the page is reached, such as ``game.example.org``.
    web : Path
        The folder of the page.

    Returns
    -------
    FastAPI
        For one process: several would not share their limits.
    """
    if not (math.isfinite(speed) and speed > 0):
        raise SpecError(f"create_app: speed is {speed}; a number above 0 is needed")
    study.keep_consents()
    database = store or study.store()
    course = Course(study, Clock(database.latest_start()), speed=speed)
    database.when_lost.append(course.forget)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        database.close()

    app = FastAPI(
        title="Music Memory Game",
        version=otoscope.__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
    )
    app.state.course, app.state.store = course, database
    app.include_router(player_routes(course, database))
    app.include_router(admin_routes(course, database))
    _add_pages(app, study, web)
    _add_problems(app)
    app.add_middleware(Guard, rates=(rates or Rates()).faster(speed), hosts=tuple(hosts))
    return app


def _add_pages(app: FastAPI, study: Study, web: Path) -> None:
    shelf = ClipShelf(study)
    files = (
        {path.relative_to(web).as_posix(): path for path in web.rglob("*") if path.is_file()} if web.is_dir() else {}
    )

    def page(name: str) -> Response:
        if name not in files:
            return HTMLResponse(_ABSENT.format(name))
        return FileResponse(files[name], headers={"Cache-Control": "no-cache"})

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return page("index.html")

    @app.get("/admin", include_in_schema=False)
    async def admin() -> Response:
        return page("admin.html")

    @app.get("/healthz")
    async def healthz() -> dict[str, bool]:
        return {"ok": True}

    @app.get("/static/{name:path}", include_in_schema=False)
    async def static(name: str) -> Response:
        path = files.get(name)
        if path is None:
            raise HTTPException(404)
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return FileResponse(path, media_type=kind, headers={"Cache-Control": "no-cache"})

    @app.get("/clips/{clip_id}", include_in_schema=False)
    async def clip(clip_id: str, request: Request) -> Response:
        found = shelf.find(clip_id)
        if found is None:
            raise HTTPException(404)
        data, kind, digest = found
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "ETag": f'"{digest[:32]}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type=kind, headers=headers)


def _add_problems(app: FastAPI) -> None:
    @app.exception_handler(GameError)
    async def refused(request: Request, error: GameError) -> JSONResponse:
        content: dict[str, object] = {"error": error.error, "message": error.message}
        headers = {}
        if error.retry_after_s is not None:
            content["retry_after_s"] = round(error.retry_after_s, 3)
            headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
        if error.missing is not None:
            content["missing"] = error.missing
        if error.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(content, error.status, headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()
        where = ".".join(str(part) for part in found[0]["loc"])[:100] if found else "request"
        message = f"{where}: {found[0]['msg'] if found else 'not understood'}"
        return JSONResponse({"error": "invalid", "message": _plain(message)}, 422)

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> JSONResponse:
        status = 422 if error.status_code == 400 else error.status_code
        code = _CODES.get(error.status_code, "refused")
        return JSONResponse(
            {"error": code, "message": code.replace("_", " ").capitalize() + "."}, status, error.headers
        )

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        content = {"error": "server", "message": "Something went wrong here; please try again."}
        # This answer does not pass the guard.
        return JSONResponse(content, 500, {**SECURITY_HEADERS, "Cache-Control": "no-store"})


def _plain(text: str) -> str:
    """Give a text that can be sent, whatever a request put into it."""
    return text.encode("utf-8", "replace").decode()
