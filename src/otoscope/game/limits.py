"""What every request has to pass before the game sees it, and the headers that every answer has.

Its size is looked at, its origin, and how many there were. An address is known only as a digest under a key of this
process, in memory; it is never written.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

__all__ = ["MAX_BODY", "SECURITY_HEADERS", "Bucket", "Guard", "Rate", "Rates", "Throttle"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY = 16 * 1024
_SAFE = ("GET", "HEAD", "OPTIONS")
_MOST_BUCKETS = 20_000

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""On every answer."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How many requests are taken.

    Parameters
    ----------
    per_s : float, 1/s
        In the long run.
    burst : int
        At once.
    """

    per_s: float
    burst: int


@dataclass(frozen=True, slots=True)
class Rates:
    """The limits of a server.

    Parameters
    ----------
    session : Rate
        Of one sitting.
    address : Rate
        Of one address, clips apart. A laboratory, or a university, may stand behind one.
    clips : Rate
        Of one address, clips only.
    begins : Rate
        Sittings that one address begins.
    """

    session: Rate = Rate(20, 200)
    address: Rate = Rate(400, 4000)
    clips: Rate = Rate(1000, 40_000)
    begins: Rate = Rate(5, 400)

    def faster(self, speed: float) -> Rates:
        """Give the limits of a server whose waits are divided.

        Parameters
        ----------
        speed : float
            By what.

        Returns
        -------
        Rates
            So many times as many.
        """
        if speed == 1:
            return self
        parts = (self.session, self.address, self.clips, self.begins)
        return Rates(*(Rate(rate.per_s * speed, math.ceil(rate.burst * max(1, speed))) for rate in parts))


@dataclass(slots=True)
class Bucket:
    """What is left to one sender.

    Parameters
    ----------
    left : float
        Requests.
    at : float, seconds
        When that was so.
    """

    left: float
    at: float


class Throttle:
    """Token buckets by name.

    Parameters
    ----------
    clock : callable
        Gives seconds that never run back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, bytes], Bucket] = {}

    def wait_s(self, kind: str, sender: bytes, rate: Rate) -> float:
        """Count a request.

        Parameters
        ----------
        kind : str
            Of the limit.
        sender : bytes
            Who.
        rate : Rate
            How many are taken.

        Returns
        -------
        float, seconds
            0 where it is taken; else how long to wait.
        """
        now = self._clock()
        bucket = self._buckets.get((kind, sender))
        if bucket is None:
            if len(self._buckets) >= _MOST_BUCKETS:
                self._forget(now)
            bucket = self._buckets[(kind, sender)] = Bucket(float(rate.burst), now)
        bucket.left = min(float(rate.burst), bucket.left + (now - bucket.at) * rate.per_s)
        bucket.at = now
        if bucket.left < 1:
            return (1 - bucket.left) / rate.per_s
        bucket.left -= 1
        return 0.0

    def _forget(self, now: float) -> None:
        """Drop who was quiet for a minute; if all are busy, the half that was quiet longest."""
        old = [key for key, bucket in self._buckets.items() if now - bucket.at > 60]
        if not old:
            old = sorted(self._buckets, key=lambda key: self._buckets[key].at)[: _MOST_BUCKETS // 2]
        for key in old:
            del self._buckets[key]


class _TooLargeError(Exception):
    pass


class Guard:
    """The first thing that a request meets.

    Parameters
    ----------
    app : ASGI application
        What comes after.
    rates : Rates
        The limits.
    hosts : iterable of str
        Names (with port, where it is not the usual one) under which pages of the game are reached, besides the one
        that a request names itself.
    throttle : Throttle, optional
        Another, for tests.
    """

    def __init__(
        self, app: App, *, rates: Rates, hosts: Iterable[str] = (), throttle: Throttle | None = None
    ) -> None:
        self.app = app
        self.rates = rates
        self.hosts = frozenset(host.lower() for host in hosts)
        self.throttle = throttle or Throttle()
        self._key = secrets.token_bytes(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at a request and pass it on.

        Parameters
        ----------
        scope, receive, send : ASGI
            Of the request.
        """
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_missing(message.get("headers", ()))]
            await send(message)

        refused = self._refuse(scope, headers)
        if refused is not None:
            await _answer(send_safely, *refused)
            return
        received, said = 0, False

        async def receive_some() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY:
                raise _TooLargeError
            return message

        async def send_unless_too_large(message: Message) -> None:
            nonlocal said
            if received <= MAX_BODY:
                await send_safely(message)
            elif not said:  # whatever the application makes of a body that was cut off
                said = True
                await _answer(send_safely, *_TOO_LARGE)

        with contextlib.suppress(_TooLargeError):
            await self.app(scope, receive_some, send_unless_too_large)
            return
        await send_unless_too_large({})

    def _refuse(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[int, str, str, float | None] | None:
        if scope["method"] not in _SAFE and not self._is_ours(headers):
            return 403, "cross_origin", "This request came from another site.", None
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > MAX_BODY:
            return _TOO_LARGE
        wait_s = self._wait_s(scope, headers)
        if wait_s > 0:
            return 429, "too_many", "Too many requests; try again a little later.", wait_s
        return None

    def _is_ours(self, headers: dict[bytes, bytes]) -> bool:
        if headers.get(b"sec-fetch-site") == b"cross-site":
            return False
        origin = headers.get(b"origin")
        if origin is None:
            return True
        try:
            host = urlsplit(origin.decode("ascii")).netloc.lower()
        except (UnicodeDecodeError, ValueError):
            return False
        own = headers.get(b"host", b"").decode("latin-1").lower()
        return bool(host) and (host == own or host in self.hosts)

    def _wait_s(self, scope: Scope, headers: dict[bytes, bytes]) -> float:
        client = scope.get("client")
        address = self._digest((client[0] if client else "").encode())
        path = scope["path"]
        if path.startswith("/clips/"):
            return self.throttle.wait_s("clips", address, self.rates.clips)
        wait_s = self.throttle.wait_s("address", address, self.rates.address)
        if path == "/api/sessions" and scope["method"] == "POST":
            wait_s = max(wait_s, self.throttle.wait_s("begins", address, self.rates.begins))
        token = headers.get(b"authorization")
        if token is not None:
            wait_s = max(wait_s, self.throttle.wait_s("session", self._digest(token), self.rates.session))
        return wait_s

    def _digest(self, value: bytes) -> bytes:
        return hmac.digest(self._key, value, hashlib.sha256)[:16]


_TOO_LARGE = (413, "too_large", f"A body may have {MAX_BODY} bytes.", None)
_HEADERS = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]


def _missing(present: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    names = {name.lower() for name, _ in present}
    added = [pair for pair in _HEADERS if pair[0] not in names]
    if b"cache-control" not in names:
        added.append((b"cache-control", b"no-store"))
    return added


async def _answer(send: Send, status: int, error: str, message: str, wait_s: float | None) -> None:
    content: dict[str, object] = {"error": error, "message": message}
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    if wait_s is not None:
        content["retry_after_s"] = round(wait_s, 3)
        headers.append((b"retry-after", str(max(1, math.ceil(wait_s))).encode()))
    body = json.dumps(content).encode()
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
