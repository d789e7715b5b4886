"""A simulated player, who does over the network what the page does, at the page's pace.

The player knows nothing of roles and lags: a clip is a repeat if its id was heard before in the sitting. Responses
are sent beside the play, again and again until they are acknowledged, as the page's own outbox sends them; some of
them twice, some late, some after the one that follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import httpx

    from otoscope.game.synthetic import Listener

__all__ = ["Faults", "Player", "Row", "Surroundings", "Tally"]

Row = tuple[str, float | None, float, float]
"""What is stored of a response: answer, time to answer, onset and lateness."""

_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) Mobile",
)
_CONNECTIONS = 4  # of one player; a browser has six
_KEPT_S = 60.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What a network does to responses.

    Parameters
    ----------
    duplicate, delay, reorder : float, from 0 to 1
        Shares of responses that are sent twice, that wait for up to three slots, and that are sent after the one
        that follows.
    dropout : float, from 0 to 1
        Share of players who leave in the middle.
    """

    duplicate: float = 0.0
    delay: float = 0.0
    reorder: float = 0.0
    dropout: float = 0.0


@dataclass(slots=True)
class Tally:
    """What all players together sent and were told.

    Parameters
    ----------
    sent, acknowledged : dict of (str, int) to Row
        By session and slot.
    waits_ms : list of float, milliseconds
        From sending a response to its acknowledgement, of the requests that got one.
    sessions : set of str
        Sittings that were begun.
    completed, dropped_out, failed : int
        Players.
    conflicts, refused, retries : int
        Answers of 409 ``conflict``; other refusals that are not cured by sending again; requests sent again.
    duplicates, delayed, reordered : int
        Responses so treated.
    problems : Counter of str
        Refusals and failures, by what they were.
    """

    sent: dict[tuple[str, int], Row] = field(default_factory=dict)
    acknowledged: dict[tuple[str, int], Row] = field(default_factory=dict)
    waits_ms: list[float] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)
    completed: int = 0
    dropped_out: int = 0
    failed: int = 0
    conflicts: int = 0
    refused: int = 0
    retries: int = 0
    duplicates: int = 0
    delayed: int = 0
    reordered: int = 0
    problems: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all players share.

    Parameters
    ----------
    url : str
        Of the server.
    speed : float, > 0
        How many times faster than people they play.
    log_odds : mapping of str to float
        By clip id; see :class:`~otoscope.game.synthetic.Listener`.
    faults : Faults
        Of the network.
    clips : bool
        Whether clips are fetched, as the page does before each phase.
    name : str
        Before the number of each player in the platform's id, which marks the sitting as simulated.
    languages : tuple of str
        Of the study.
    """

    url: str
    speed: float
    log_odds: Mapping[str, float]
    faults: Faults
    clips: bool
    name: str
    languages: tuple[str, ...]


class _RefusedError(Exception):
    """A refusal that is not cured by sending again."""


class _LeftError(Exception):
    """The player has had enough."""


class Player:
    """One player.

    Parameters
    ----------
    place : int
        Number of the player.
    listener : Listener
        Whose memory it is.
    rng : numpy.random.Generator
        For all that the listener does not decide.
    around : Surroundings
        Shared with the others.
    tally : Tally
        Shared too, and written to.
    """

    def __init__(
        self, place: int, listener: Listener, rng: np.random.Generator, around: Surroundings, tally: Tally
    ) -> None:
        self.place = place
        self.listener = listener
        self.rng = rng
        self.around = around
        self.tally = tally
        self.session = ""
        self._client: httpx.AsyncClient
        self._timing: dict[str, float] = {}
        self._heard: dict[str, tuple[int, int]] = {}
        self._fetched: set[str] = set()
        self._leaves_at: int | None = None

    def _chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    async def play(self, *, after_s: float, context: ssl.SSLContext) -> None:
        """Go the whole way, from the consent to the code.

        Parameters
        ----------
        after_s : float, seconds
            How long to wait before.
        context : SSLContext
            Shared, because each would take long to make; nothing is encrypted on loopback.
        """
        import httpx

        await asyncio.sleep(after_s)
        limits = httpx.Limits(max_connections=_CONNECTIONS, keepalive_expiry=_KEPT_S)
        headers = {"User-Agent": _AGENTS[int(self.rng.integers(len(_AGENTS)))]}
        async with httpx.AsyncClient(
            base_url=self.around.url, verify=context, trust_env=False, limits=limits, headers=headers, timeout=15.0
        ) as client:
            self._client = client
            try:
                await self._go_through()
            except _LeftError:
                self.tally.dropped_out += 1
            except _RefusedError as error:
                self.tally.failed += 1
                self.tally.problems[str(error)] += 1
            else:
                self.tally.completed += 1

    async def _ask(self, method: str, path: str, body: Any = None, *, response: bool = False) -> httpx.Response:
        """Send until there is an answer that lasts."""
        import httpx

        began, pause_s = time.monotonic(), _FIRST_PAUSE_S
        while True:
            sent = time.perf_counter()
            try:
                answer = await self._client.request(method, path, json=body)
            except httpx.TransportError as error:
                what, wait_s = type(error).__name__, 0.0
            else:
                if answer.status_code < 300:
                    if response:
                        self.tally.waits_ms.append(1000 * (time.perf_counter() - sent))
                    return answer
                what, wait_s = self._judge(answer)
            if time.monotonic() - began > _PATIENCE_S:
                raise _RefusedError(f"{method} {_shape(path)}: {what} for {_PATIENCE_S:g} s")
            self.tally.retries += 1
            await asyncio.sleep(wait_s or pause_s * (0.5 + self.rng.random()))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _judge(self, answer: httpx.Response) -> tuple[str, float]:
        """Say why to send again, and when; or raise."""
        try:
            said = answer.json()
        except ValueError:
            said = {}
        code = str(said.get("error", "?"))
        if answer.status_code in (425, 429) or answer.status_code >= 500:
            if answer.status_code == 500:
                self.tally.problems[f"{answer.request.method} {_shape(answer.request.url.path)}: 500"] += 1
            return f"{answer.status_code} {code}", float(said.get("retry_after_s") or 0.0)
        if code == "conflict":
            self.tally.conflicts += 1
        else:
            self.tally.refused += 1
        raise _RefusedError(f"{answer.request.method} {_shape(answer.request.url.path)}: {answer.status_code} {code}")

    async def _post(self, path: str, body: Any = None) -> dict[str, Any]:
        return (await self._ask("POST", f"/api/session/{path}", body)).json()

    async def _go_through(self) -> None:
        lang = self.around.languages[int(self.rng.integers(len(self.around.languages)))]
        about = (await self._ask("GET", f"/api/study?lang={lang}")).json()
        self._timing = about["timing"]
        if self._chance(self.around.faults.dropout):
            self._leaves_at = int(self.rng.integers(about["n_slots"]))
        platform = {"name": "other", "id": f"{self.around.name}-{self.place}"}
        begin = {"consent_version": about["consent"]["version"], "lang": lang, "platform": platform}
        state = (await self._ask("POST", "/api/sessions", begin)).json()
        self.session = state["session"]
        self.tally.sessions.add(self.session)
        self._client.headers["Authorization"] = f"Bearer {state['token']}"
        state = await self._prepare(about, state)
        for phase in state["phases"]:
            await self._play_phase(phase)
            state = (await self._ask("GET", "/api/session")).json()
            await asyncio.sleep(state["rest_left_s"])
        await self._post("finish")

    async def _prepare(self, about: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
        if state["stage"] == "questions":
            answers = {question["id"]: self._opinion(question) for question in about["questions"]}
            state = await self._post("questions", {"answers": answers})
        if state["stage"] == "volume":
            state = await self._post("volume", {"level": round(float(self.rng.uniform(0.2, 1.0)), 3)})
        while state["stage"] == "headphones":
            trials = (await self._ask("GET", "/api/session/headphones")).json()["trials"]
            state = await self._post("headphones", {"answers": [self._softest(trial) for trial in trials]})
        if state["stage"] == "practice":
            await self._fetch(entry["clip"] for entry in state["practice"])
            total = len(state["practice"])
            state = await self._post("practice", {"correct": int(self.rng.binomial(total, 0.85)), "total": total})
        return state

    def _opinion(self, question: dict[str, Any]) -> str | float | None:
        if self._chance(0.1):
            return None
        if question["kind"] == "choice":
            return question["choices"][int(self.rng.integers(len(question["choices"])))]["value"]
        if question["kind"] == "number":
            least = 0 if question["min"] is None else question["min"]
            most = least + 80 if question["max"] is None else question["max"]
            return int(self.rng.integers(int(np.ceil(least)), int(most) + 1))
        return "simulated"[: question["max_length"]]

    def _softest(self, trial: dict[str, int]) -> int:
        """Judge a trial: over loudspeakers the tone in antiphase sounds softest."""
        right, wrong = trial["quiet"], trial["antiphase"]
        return right if self._chance(0.97 if self.listener.headphones else 0.1) else wrong

    async def _fetch(self, clips: Any) -> None:
        wanted = [clip for clip in dict.fromkeys(clips) if clip not in self._fetched] if self.around.clips else []
        queue = iter(wanted)

        async def some() -> None:
            for clip in queue:
                await self._ask("GET", f"/clips/{clip}")
                self._fetched.add(clip)

        await _all(*(some() for _ in range(_CONNECTIONS)))

    async def _play_phase(self, phase: dict[str, Any]) -> None:
        await self._fetch(entry["clip"] for entry in phase["slots"])
        await self._post(f"phases/{phase['index']}/start")
        began, speed, faults = asyncio.get_running_loop().time(), self.around.speed, self.around.faults
        slot_s = self._timing["clip_s"] + self._timing["gap_s"]
        sending: list[asyncio.Task[None]] = []
        held: list[tuple[int, dict[str, Any], float]] = []
        try:
            for place, entry in enumerate(phase["slots"]):
                slot = int(entry["slot"])
                if slot == self._leaves_at:
                    raise _LeftError
                body, pressed_s = self._answer(slot, entry["clip"], phase["index"], place * slot_s)
                await _sleep_until(began + (place * slot_s + pressed_s) / speed)
                wait_s = 0.0
                if self._chance(faults.delay):
                    self.tally.delayed += 1
                    wait_s = float(self.rng.uniform(0.5, 3.0)) * slot_s / speed
                if self._chance(faults.reorder) and place + 1 < len(phase["slots"]):
                    self.tally.reordered += 1
                    held.append((slot, body, wait_s))
                    continue
                for one in ((slot, body, wait_s), *held):
                    sending.append(asyncio.create_task(self._send(*one)))
                held.clear()
            await _sleep_until(began + len(phase["slots"]) * slot_s / speed)
        finally:
            done = await asyncio.gather(*sending, return_exceptions=True)
        for found in done:
            if isinstance(found, BaseException):
                raise found

    def _answer(self, slot: int, clip: str, phase: int, onset_s: float) -> tuple[dict[str, Any], float]:
        """Answer a slot; the second value is when, in seconds since the onset."""
        lag, crossed = None, 0
        if clip in self._heard:
            first, then = self._heard[clip]
            lag, crossed = slot - first, phase - then
        self._heard.setdefault(clip, (slot, phase))
        said, rt_ms = self.listener.answer(self.around.log_odds[clip], lag=lag, crossed=crossed)
        window_s = self._timing["clip_s"] + self._timing["window_s"]
        if rt_ms is None or rt_ms > 1000 * window_s:
            said, rt_ms = "timeout", None
        late_ms = float(self.rng.exponential(2.0))
        body = {"answer": said, "rt_ms": rt_ms, "onset_s": onset_s + late_ms / 1000, "late_ms": late_ms}
        return body, window_s if rt_ms is None else rt_ms / 1000

    async def _send(self, slot: int, body: dict[str, Any], wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        key, row = (self.session, slot), (body["answer"], body["rt_ms"], body["onset_s"], body["late_ms"])
        self.tally.sent[key] = row

        async def once() -> None:
            await self._ask("PUT", f"/api/session/responses/{slot}", body, response=True)
            self.tally.acknowledged[key] = row

        if not self._chance(self.around.faults.duplicate):
            await once()
            return
        self.tally.duplicates += 1
        if self._chance(0.5):
            await _all(once(), once())
        else:
            await once()
            await once()


async def _sleep_until(when: float) -> None:
    await asyncio.sleep(max(0.0, when - asyncio.get_running_loop().time()))


async def _all(*several: Any) -> None:
    """Wait for all, whatever becomes of the others, and raise the first failure."""
    for found in await asyncio.gather(*several, return_exceptions=True):
        if isinstance(found, BaseException):
            raise found


def _shape(path: str) -> str:
    """Give a path without what differs between requests."""
    parts = path.split("?")[0].split("/")
    with contextlib.suppress(ValueError):
        parts[parts.index("clips") + 1] = "ID"
    return "/".join("N" if part.isdigit() else part for part in parts)
