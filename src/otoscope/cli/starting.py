"""Opening a model without the collector of cycles going over every object of the libraries, again and again."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["quick_start"]


@contextlib.contextmanager
def quick_start() -> Iterator[None]:
    """Hold the collector back while libraries are imported, and have it leave their objects alone afterwards.

    A command lives as long as its libraries: none of their objects will ever be garbage, and looking at all of them
    takes about a quarter of the time that a small checkpoint needs to be opened and the program to end.

    Yields
    ------
    None
        While nothing is collected.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
