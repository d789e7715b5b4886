"""What several verbs of the command line share."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from otoscope.errors import SpecError

if TYPE_CHECKING:
    from rich.console import Console

    from otoscope.corpora.base import Failure

__all__ = [
    "Corpora",
    "JsonFlag",
    "Languages",
    "Models",
    "RichProgress",
    "Tracker",
    "console",
    "counted",
    "left_out",
    "named",
    "print_json",
    "progress_bar",
    "say_failures",
    "words",
]

Corpora = Annotated[
    str,
    typer.Option("--corpus", help="Where the clips come from: fleurs[:PATH], folder:MANIFEST_OR_DIR or espeak:PATH."),
]
Models = Annotated[
    list[str],
    typer.Option(
        "--model",
        help="What listens: facebook/hubert-base-ls960, ./checkpoint, logmel, untrained:ge2e#0 ... Repeat it, or "
        "divide by commas; `otoscope models` lists them.",
    ),
]
Languages = Annotated[
    list[str] | None,
    typer.Option(
        "--languages", help="Only these: codes, regions, tone types, or `all`. Repeat it, or divide by commas."
    ),
]
Tracker = Annotated[
    str,
    typer.Option(
        "--tracker",
        help="Makes the F0 labels: yaapt, kaldi, swift ...; settings as kaldi:hop_ms=20. `otoscope f0 trackers` "
        "lists them.",
    ),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
SHOWN_FAILURES = 12


def words(values: Sequence[str] | None) -> list[str] | None:
    """Read a list given by repeated options, by commas, or both.

    Parameters
    ----------
    values : sequence of str or None
        As typed.

    Returns
    -------
    list of str or None
        None where the option was not used.

    Raises
    ------
    SpecError
        If it was used and names nothing.
    """
    if values is None:
        return None
    return named([part.strip() for value in values for part in value.split(",") if part.strip()], values)


def named(found: list[str], typed: Sequence[str]) -> list[str]:
    """Check that a list names something.

    Parameters
    ----------
    found : list of str
        What it names.
    typed : sequence of str
        As typed, for the message.

    Returns
    -------
    list of str
        What it names.

    Raises
    ------
    SpecError
        If that is nothing.
    """
    if not found:
        listed = ", ".join(repr(text) for text in typed)
        raise SpecError(f"the list {listed} names nothing; write one name, or several divided by commas")
    return found


def console() -> Console:
    """Give the console for answers.

    Returns
    -------
    Console
        On standard output; wide enough for a table where that is a file or a pipe. Brackets and colons in names
        are printed as they are.
    """
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 120)


def print_json(value: object) -> None:
    """Print JSON on standard output.

    Parameters
    ----------
    value : JSON value
        What.
    """
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


class RichProgress:
    """Bars with the time that is left, on standard error.

    Parameters
    ----------
    bar : rich.progress.Progress
        Already started.
    """

    def __init__(self, bar: object) -> None:
        from rich.progress import Progress

        assert isinstance(bar, Progress)
        self._bar = bar
        self._task: int | None = None

    def begin(self, what: str, total: int) -> None:
        """Begin a step; one of nothing is not shown.

        Parameters
        ----------
        what : str
            In words.
        total : int
            How many times :meth:`advance` will be called.
        """
        from rich.progress import TaskID

        if self._task is not None:
            self._bar.update(TaskID(self._task), visible=False)
        self._task = self._bar.add_task(what, total=total) if total else None

    def advance(self) -> None:
        """Count one piece of the step."""
        from rich.progress import TaskID

        if self._task is not None:
            self._bar.advance(TaskID(self._task))


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[RichProgress]:
    """Show progress while a block runs.

    Parameters
    ----------
    quiet : bool
        Show nothing; so it is also where standard error is a file or a pipe.

    Yields
    ------
    RichProgress
        To be told how far it has come.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(complete_style="dark_cyan", finished_style="dark_cyan"),
        MofNCompleteColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("passed"),
        TimeElapsedColumn(),
    )
    out = Console(stderr=True)
    with Progress(*columns, console=out, disable=quiet or not out.is_terminal, transient=True) as bar:
        yield RichProgress(bar)


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
    """
    return f"{n} {noun}{'' if n == 1 else 's'}"


def left_out(n: int) -> str:
    """Say how many clips were left out.

    Parameters
    ----------
    n : int
        How many.

    Returns
    -------
    str
        The beginning of a sentence.
    """
    return f"{counted(n, 'clip')} {'was' if n == 1 else 'were'} left out"


def say_failures(failures: Sequence[Failure], where: str, *, said: str | None = None) -> None:
    """Say on standard error which clips were left out, and why.

    Parameters
    ----------
    failures : sequence of Failure
        The clips.
    where : str
        The file that lists all of them; empty where there is none.
    said : str, optional
        The beginning of the sentence, where it is not about clips.
    """
    if not failures:
        return
    typer.echo(f"{said or left_out(len(failures))}{f' (all in {where})' if where else ''}:", err=True)
    for failure in failures[:SHOWN_FAILURES]:
        typer.echo(f"  {failure.clip_id} [{failure.stage}] {failure.reason}", err=True)
    if len(failures) > SHOWN_FAILURES:
        typer.echo(f"  and {len(failures) - SHOWN_FAILURES} more", err=True)
