"""Pieces of messages: numbers of things, lists that stay short, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

__all__ = ["MOST_NAMED", "NEAR", "counted", "did_you_mean", "joined", "problem_of", "some_of"]

MOST_NAMED = 12  # names in one message
NEAR = 0.7  # difflib's ratio


def counted(n: int, noun: str) -> str:
    """Write a number of things.

    Parameters
    ----------
    n : int
        How many.
    noun : str
        Of one of them; its plural ends in s.

    Returns
    -------
    str
        Such as ``1 clip`` or ``12 clips``.

    Examples
    --------
    >>> counted(1, "clip"), counted(0, "clip")
    ('1 clip', '0 clips')
    """
    return f"{n} {noun}{'' if n == 1 else 's'}"


def joined(names: Sequence[str], last: str = "and") -> str:
    """Write a list as in a sentence.

    Parameters
    ----------
    names : sequence of str
        At least one.
    last : str
        What stands before the last of several.

    Returns
    -------
    str
        Such as ``a, b and c``.

    Examples
    --------
    >>> joined(["train", "dev", "test"]), joined(["train"])
    ('train, dev and test', 'train')
    """
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else names[0]


def some_of(names: Sequence[str], *, most: int = MOST_NAMED) -> str:
    """Write the first of many names, and how many more there are.

    Parameters
    ----------
    names : sequence of str
        All of them.
    most : int, >= 1
        How many are written.

    Returns
    -------
    str
        Such as ``a, b and 3 more``.

    Examples
    --------
    >>> some_of(["af_za", "am_et", "ar_eg"], most=2)
    'af_za, am_et and 1 more'
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def did_you_mean(word: str, known: Iterable[str], *, most: int = 1) -> str:
    """Ask for the names that are nearest to a word.

    Parameters
    ----------
    word : str
        What was got.
    known : iterable of str
        What is accepted.
    most : int, >= 1
        How many names may be asked for.

    Returns
    -------
    str
        Such as ``did you mean 'female'?``; empty where nothing is near.

    Examples
    --------
    >>> did_you_mean("femal", ["female", "male"])
    "did you mean 'female'?"
    >>> did_you_mean("child", ["female", "male"])
    ''
    """
    near = difflib.get_close_matches(word.lower(), list(known), n=most, cutoff=NEAR)
    return f"did you mean {joined([repr(name) for name in near], 'or')}?" if near else ""


def problem_of(error: Exception) -> str:
    """Say what went wrong, without numbers of errors and without the path, which the message names itself.

    Parameters
    ----------
    error : Exception
        Of the system, or of a library.

    Returns
    -------
    str
        Its reason, in the words of the system.

    Examples
    --------
    >>> problem_of(PermissionError(13, "Permission denied", "a.tar.gz"))
    'Permission denied'
    """
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return said.partition(" Detail: ")[0].strip().rstrip(".")
