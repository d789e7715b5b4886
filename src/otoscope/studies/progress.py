"""Who is told how far a run has come."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "Quiet"]


class Progress(Protocol):
    """Is told how far a run has come."""

    def begin(self, what: str, total: int) -> None:
        """Begin a step.

        Parameters
        ----------
        what : str
            In words.
        total : int
            How many times :meth:`advance` will be called.
        """
        ...

    def advance(self) -> None:
        """Count one piece of the step."""
        ...


class Quiet:
    """Progress that nobody sees."""

    def begin(self, what: str, total: int) -> None:
        """Do nothing.

        Parameters
        ----------
        what : str
            Ignored.
        total : int
            Ignored.
        """

    def advance(self) -> None:
        """Do nothing."""
