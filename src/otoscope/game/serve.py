"""A study on the network."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from otoscope.errors import SpecError
from otoscope.store import locked

if TYPE_CHECKING:
    from otoscope.game.study import Study

__all__ = ["Addresses", "run_server"]

_STOP_S = 5
_WAITING = 2048
_MOST_FILES = 8192


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a running study is found.

    Parameters
    ----------
    play : str
        For listeners.
    admin : str
        For those who run it; the token stands in the fragment, which browsers send to nobody.
    """

    play: str
    admin: str


def run_server(
    study: Study,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    speed: float = 1.0,
    database: str | None = None,
    public_url: str | None = None,
    trusted_proxies: Iterable[str] = ("127.0.0.1", "::1"),
    ready: Callable[[Addresses], None] | None = None,
) -> None:
    """Serve a study until it is stopped.

    There is no access log: nothing that is written holds an address.

    Parameters
    ----------
    study : Study
        What is played.
    host : str
        Where to listen; ``0.0.0.0`` is every network of this machine.
    port : int
        0 takes a free one.
    speed : float, > 0
        See :func:`~otoscope.game.app.create_app`.
    database : str, optional
        Another database than the study's, as SQLAlchemy names it.
    public_url : str, optional
        How listeners reach it, where a proxy stands before it.
    trusted_proxies : iterable of str
        Addresses whose word is taken for the address of a listener, which limits how often one may ask.
    ready : callable, optional
        Told the addresses once the server listens.

    Raises
    ------
    SpecError
        If the address cannot be used, or another process serves the study.
    """
    import uvicorn

    from otoscope.game.app import create_app

    hosts, base = _public(public_url)
    _open_more_files()
    with locked(study.folder / ".lock" / "serve"):
        listener = _listen(host, port)
        try:
            app = create_app(study, speed=speed, store=study.store(database), hosts=hosts)
            config = uvicorn.Config(
                app,
                access_log=False,
                log_level="warning",
                server_header=False,
                proxy_headers=True,
                forwarded_allow_ips=",".join(trusted_proxies),
                timeout_graceful_shutdown=_STOP_S,
                timeout_keep_alive=75,
                lifespan="on",
                ws="none",
            )
            server = uvicorn.Server(config)
            name = f"[{host}]" if ":" in host else host
            found = (
                base or f"http://{'127.0.0.1' if host in ('', '0.0.0.0', '::') else name}:{listener.getsockname()[1]}"
            )
            if ready is not None:
                ready(Addresses(f"{found}/", f"{found}/admin#token={study.admin_token()}"))
            server.run(sockets=[listener])
        finally:
            listener.close()


def _open_more_files() -> None:
    """Allow the connections of some hundred browsers with six each; the usual limit is far less."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _public(url: str | None) -> tuple[tuple[str, ...], str | None]:
    if url is None:
        return (), None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
        raise SpecError(f"public_url is {url!r}; such as https://game.example.org is accepted, without a path")
    return (parts.netloc,), f"{parts.scheme}://{parts.netloc}"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, because asyncio switches Nagle's delay off only where it is.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_WAITING)
    except (OSError, OverflowError) as error:
        listener.close()
        raise SpecError(f"{host}:{port}: cannot listen there ({error}); name another host or port") from None
    listener.set_inheritable(True)
    return listener
