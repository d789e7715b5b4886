"""The look shared by figures, reports and the terminal: colours and the writing of numbers."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["DARK", "DASH", "LIGHT", "interval", "number"]

LIGHT: Mapping[str, str] = {
    "paper": "#FBFAF7",
    "ink": "#1F2430",
    "line": "#D9D6CE",
    "model": "#0B6E6E",
    "baseline": "#6E6A5F",
    "control": "#8F8876",
    "truth": "#C4512D",
}
DARK: Mapping[str, str] = {
    "paper": "#14171D",
    "ink": "#E8E6E1",
    "line": "#2C313B",
    "model": "#4FB8B0",
    "baseline": "#A8A498",
    "control": "#7C8290",
    "truth": "#F08A5D",
}
DASH = "\N{EN DASH}"


def number(value: float | None, *, digits: int = 2) -> str:
    """Write a score.

    Parameters
    ----------
    value : float or None
        None is a missing value.
    digits : int
        After the point; values of 10 and more get as many fewer as they need to stay short.

    Returns
    -------
    str
        An en dash for None; never "-0.00".
    """
    if value is None:
        return DASH
    size = abs(value)
    places = max(0, digits - (size >= 10) - (size >= 100))
    text = f"{value:.{places}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def interval(value: float | None, low: float | None, high: float | None, *, digits: int = 2) -> str:
    """Write a score with its interval.

    Parameters
    ----------
    value, low, high : float or None
        None is a missing value.
    digits : int
        After the point.

    Returns
    -------
    str
        Such as ``0.62 (0.58-0.66)``; a negative end is set off with "to".

    Examples
    --------
    >>> interval(0.62, 0.58, 0.66)
    '0.62 (0.58-0.66)'
    >>> interval(0.01, -0.43, 0.05)
    '0.01 (-0.43 to 0.05)'
    """
    if value is None or low is None or high is None:
        return number(value, digits=digits)
    a, b = number(low, digits=digits), number(high, digits=digits)
    return f"{number(value, digits=digits)} ({a}{' to ' if a.startswith('-') or b.startswith('-') else '-'}{b})"
