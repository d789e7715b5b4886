"""Whether the Hugging Face hub can be asked at all, before its client tries for half a minute."""

from __future__ import annotations

import os
import socket
import threading
from urllib.parse import urlsplit

__all__ = ["LOOKUP_S", "is_offline", "unknown_host"]

LOOKUP_S = 4.0  # a name server that is not there itself would keep the system for ten seconds and more
_HUB = "https://huggingface.co"


def is_offline() -> bool:
    """Say whether the hub's client is told to use no network.

    Returns
    -------
    bool
        As ``HF_HUB_OFFLINE`` says.
    """
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def unknown_host(*, limit_s: float = LOOKUP_S) -> str | None:
    """Give the hub's host where its name cannot be looked up.

    Parameters
    ----------
    limit_s : float, seconds
        How long a name server may take.

    Returns
    -------
    str or None
        The host; None where its name is known, or a proxy looks names up. ``HF_ENDPOINT`` is honoured.
    """
    end = urlsplit(os.environ.get("HF_ENDPOINT") or _HUB)
    proxies = ("all_proxy", "http_proxy" if end.scheme == "http" else "https_proxy")
    if any(os.environ.get(name) or os.environ.get(name.upper()) for name in proxies):
        return None
    host = end.hostname or ""
    known = threading.Event()

    def look_up() -> None:
        try:
            socket.getaddrinfo(host, None)
            known.set()
        except (OSError, UnicodeError):
            pass

    asking = threading.Thread(target=look_up, daemon=True, name="otoscope-lookup")
    asking.start()
    asking.join(limit_s)
    return None if known.is_set() else host
