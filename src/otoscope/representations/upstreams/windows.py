"""Which window each frame of a long clip is taken from.

Some networks hear no more than a window of fixed length. A longer clip is heard in overlapping windows whose
beginnings lie a whole number of frames apart, so that the frames of all windows fall on one grid. Each frame is taken
from the window in which it lies farthest from an edge: what is cut off at an edge of a window is then at least half
an overlap away. Only the clip's first frames come from the beginning of a window, and only its last from the end.
"""

from __future__ import annotations

from dataclasses import dataclass

from otoscope.errors import SpecError

__all__ = ["Window", "cover"]


@dataclass(frozen=True, slots=True)
class Window:
    """One window, and the frames that are taken from it.

    Parameters
    ----------
    first : int, >= 0
        Index of its first frame on the clip's grid.
    begin, end : int
        The frames that are taken from it: ``begin <= index < end``, on the clip's grid.
    """

    first: int
    begin: int
    end: int

    @property
    def inside(self) -> slice:
        """The same frames, counted from the window's first."""
        return slice(self.begin - self.first, self.end - self.first)


def cover(n_frames: int, *, length: int, hop: int) -> tuple[Window, ...]:
    """Divide the frames of a clip among windows.

    Parameters
    ----------
    n_frames : int, >= 0
        Of the clip.
    length : int, > 0, frames
        That one window holds; the last one may reach beyond the clip.
    hop : int, 1 to `length`, frames
        From the beginning of one window to that of the next.

    Returns
    -------
    tuple of Window
        In order, as few as cover the clip. Every frame is taken from one window: the one in which it lies farthest
        from the nearer edge; of two equal ones, the earlier.

    Raises
    ------
    SpecError
        If the windows would leave a gap.

    Examples
    --------
    >>> [(window.first, window.begin, window.end) for window in cover(3000, length=1500, hop=1000)]
    [(0, 0, 1250), (1000, 1250, 2250), (2000, 2250, 3000)]
    """
    if not 1 <= hop <= length:
        raise SpecError(f"windows of {length} frames every {hop} frames; a hop of 1 to {length} frames is needed")
    if n_frames <= 0:
        return ()
    n_windows = 1 + max(0, -(-(n_frames - length) // hop))
    # window k and the next are equally near where their middles are: at k * hop + (hop + length - 1) / 2
    ends = [k * hop + (hop + length - 1) // 2 + 1 for k in range(n_windows - 1)] + [n_frames]
    begins = [0, *ends[:-1]]
    return tuple(Window(k * hop, begin, end) for k, (begin, end) in enumerate(zip(begins, ends, strict=True)))
