"""Functions that numba compiles when they are first called, and keeps on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Kernel"]


class Kernel:
    """A function in numba's subset of Python, compiled when it is first called.

    Used as a decorator. Nothing is compiled, and numba is not imported, when the module is. Sums are taken
    in the order written and a division by 0 gives what numpy gives; a product and a sum may be one instruction where
    the processor has it.
    The compiled code is cached beside the source, or in the user's cache where that cannot be written.

    Parameters
    ----------
    function : callable
        Takes arrays of fixed types and numbers; may call other kernels of the same module: numba's cache does not
        see a change in another file.

    Examples
    --------
    >>> @Kernel
    ... def add(one, other):
    ...     return one + other
    >>> add.function(1, 2)
    3
    """

    __slots__ = ("_compiled", "function")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self._compiled: Any = None

    @property
    def compiled(self) -> Any:
        """What numba makes of the function.

        Returns
        -------
        numba dispatcher
            The same one each time.
        """
        if self._compiled is None:
            from numba import njit

            make = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
            self._compiled = make(self.function)
        return self._compiled

    def __call__(self, *arguments: Any) -> Any:  # noqa: D102 - what the function does
        return self.compiled(*arguments)

    @property
    def _numba_type_(self) -> Any:
        """How numba, compiling another kernel that calls this one, learns what it is."""
        from numba import typeof

        return typeof(self.compiled)
