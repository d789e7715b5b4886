"""Requests that are refused, and what is made of a token and of a browser's name."""

from __future__ import annotations

import hashlib

__all__ = ["GameError", "device_of", "token_hash"]


class GameError(Exception):
    """A request that is refused.

    Parameters
    ----------
    status : int
        Of HTTP.
    error : str
        A word for programs.
    message : str
        A sentence for people.
    retry_after_s : float or None, seconds
        When it would be taken.
    missing : list of int or None
        Slots without a response.
    """

    def __init__(
        self,
        status: int,
        error: str,
        message: str,
        retry_after_s: float | None = None,
        missing: list[int] | None = None,
    ) -> None:
        super().__init__(status, error, message, retry_after_s, missing)
        self.status = status
        self.error = error
        self.message = message
        self.retry_after_s = retry_after_s
        self.missing = missing


def token_hash(token: str) -> str:
    """Give what is stored of a token.

    Parameters
    ----------
    token : str
        As the page holds it: 256 random bits, so that no slow hash is needed.

    Returns
    -------
    str
        SHA-256.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def device_of(user_agent: str) -> str:
    """Tell a phone from a tablet from a computer.

    Parameters
    ----------
    user_agent : str
        What a browser says of itself; nothing else of it is kept.

    Returns
    -------
    str
        ``phone``, ``tablet`` or ``desktop``.

    Examples
    --------
    >>> device_of("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)")
    'phone'
    """
    words = user_agent.lower()
    if "ipad" in words or "tablet" in words or ("android" in words and "mobile" not in words):
        return "tablet"
    return "phone" if "mobile" in words or "iphone" in words or "android" in words else "desktop"
