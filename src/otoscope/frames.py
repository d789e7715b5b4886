"""The integer clock of a sequence of frames.

Times are counted in samples, as integers, and become seconds only when a person or a file asks for them. The
centre of frame ``i`` lies at ``(start + i*hop + receptive_field/2) / sample_rate`` seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError

__all__ = ["FrameGrid"]


@dataclass(frozen=True, slots=True, order=True)
class FrameGrid:
    """Where the frames of a representation or of a tracker lie.

    Parameters
    ----------
    sample_rate : int, > 0
        Samples per second of the clock.
    hop : int, > 0, samples
        From one frame to the next.
    receptive_field : int, > 0, samples
        How much signal one frame looks at.
    start : int, samples
        First sample of frame 0. Negative where a transform pads the beginning
        (a centred STFT has ``start = -n_fft // 2``).

    Examples
    --------
    >>> grid = FrameGrid(16_000, hop=320, receptive_field=400)
    >>> grid.count(16_000)
    49
    >>> grid.centers(2).tolist()
    [0.0125, 0.0325]
    """

    sample_rate: int
    hop: int
    receptive_field: int
    start: int = 0

    def __post_init__(self) -> None:
        for name in ("sample_rate", "hop", "receptive_field", "start"):
            value: object = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise SpecError(f"FrameGrid: {name} is {value!r}; a whole number of samples is needed")
            if name != "start" and value <= 0:
                raise SpecError(f"FrameGrid: {name} is {value}; it must be above 0")

    @classmethod
    def of_convolutions(cls, kernels: Sequence[int], strides: Sequence[int], *, sample_rate: int) -> FrameGrid:
        """Give the clock of a stack of unpadded convolutions.

        Parameters
        ----------
        kernels, strides : sequence of int
            One entry per convolution, the first nearest the waveform.
        sample_rate : int
            Of the waveform that the stack reads.

        Returns
        -------
        FrameGrid
            Its hop is the product of the strides; its receptive field grows by
            ``(kernel - 1)`` times the product of the strides before each layer.

        Raises
        ------
        SpecError
            If the two sequences are empty or of unequal length.
        """
        if not kernels or len(kernels) != len(strides):
            raise SpecError(
                f"FrameGrid: {len(kernels)} kernels and {len(strides)} strides; "
                "equally many, and at least one, are needed"
            )
        hop, field = 1, 1
        for kernel, stride in zip(kernels, strides, strict=True):
            field += (kernel - 1) * hop
            hop *= stride
        return cls(sample_rate, hop=hop, receptive_field=field)

    def count(self, n_samples: int, *, padding: int = 0) -> int:
        """Count the frames that lie inside a signal.

        Parameters
        ----------
        n_samples : int, >= 0
            Length of the signal.
        padding : int, >= 0, samples
            What the transform appends at the end (a centred STFT: ``n_fft // 2``).

        Returns
        -------
        int
            For a 400/320 stack of convolutions, ``(n_samples - 400) // 320 + 1``, and 0 below 400 samples.
        """
        inside = n_samples + padding - self.start - self.receptive_field
        return max(0, inside // self.hop + 1)

    def centers(self, n_frames: int) -> NDArray[np.float64]:
        """Give the times of the frames' centres.

        Parameters
        ----------
        n_frames : int, >= 0
            How many frames there are.

        Returns
        -------
        ndarray of float64, shape (n_frames,), seconds
            Each is the nearest double to the exact rational number.
        """
        doubled = 2 * self.start + self.receptive_field + 2 * self.hop * np.arange(n_frames, dtype=np.int64)
        return doubled / (2.0 * self.sample_rate)

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop

    def frames_in(self, seconds: float) -> int:
        """Give the number of hops in a duration, rounded up.

        Parameters
        ----------
        seconds : float, >= 0
            The duration.

        Returns
        -------
        int
            The least number of hops that last at least `seconds`.
        """
        return int(np.ceil(round(seconds * self.sample_rate, 6) / self.hop))
