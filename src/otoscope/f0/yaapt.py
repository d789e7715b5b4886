"""YAAPT: F0 from the spectrum and from likeness in time together, at the middle of each frame.

The same core as :class:`~otoscope.f0.yaapt_compat.YaaptCompatTracker`, without what makes that one flat and late.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import SpecError
from otoscope.f0.accepting import check_rate, frames_of
from otoscope.f0.base import F0Track, TrackerInfo
from otoscope.f0.yaapt_core.settings import CORE_VERSION, Plan
from otoscope.frames import FrameGrid

__all__ = ["YaaptTracker"]

ADAPTER = 2  # raised when a change in this file changes labels, so that no cache mixes old with new
_LONGEST_HOP_MS = 10.0  # inside
_SHORTEST_HOP_MS = 2.5
_OFFSET = 1e-3  # of the peak; less is no direct current


@dataclass(frozen=True, slots=True, kw_only=True)
class YaaptTracker:
    """YAAPT without lag and bias.

    Parameters
    ----------
    f0_min_hz, f0_max_hz : float, hertz
        The range searched; the highest at least twice the lowest.
    frame_length_ms, hop_ms : float, milliseconds
        Whole samples; the hop is not longer than the frame. Frame i has its centre at
        ``frame_length_ms / 2 + i * hop_ms``; frames that would reach past the end are left out, so that with 25 and
        20 ms there are as many as a 400/320 stack of convolutions gives.
    sample_rate : int, hertz
        Of the waveforms; above 3000.

    Raises
    ------
    SpecError
        If a setting cannot be.

    Notes
    -----
    The method is that of Zahorian and Hu [1]_. Peaks of the spectrum of the squared signal, followed through the
    loud frames, say where to look; normalised cross-correlation of the signal and of its square says what the F0 is;
    the cheapest path through the candidates decides, voicing included. It differs from the published program and
    its descendants in what follows. The filter is without delay, every window lies in the middle of its frame (what
    is compared is a stretch and one period, and their common middle counts), and means run over both sides. A
    parabola gives the lag between samples. A frame far from all spectral candidates and without a peak of its own
    is unvoiced, and so is a clip with fewer than three such candidates, where the program says 150 Hz. Paths of equal
    cost are told apart by order, not by rounding. Stretches that came out an octave off are put right at the end
    (:func:`~otoscope.f0.yaapt_core.octaves.settle_octaves`). Hops are divided to 10 ms or less inside.

    Nothing is taken back from the times. On twelve pairs of exponential glides (ten harmonics in cosine phase) half
    the difference of the two median errors, over the rate of the glide, was, at 0.5, 1 and 2 octaves a second:
    -0.1, -0.5, -0.2 ms on 70-140 Hz; -0.2, 0.1, -0.2 on 100-200 Hz; -0.1, 0.0, -0.1 on 120-240 Hz; and 0.0, -0.1,
    -0.1 on 180-360 Hz. Complexes from 80 to 400 Hz come out within 0.2 cents.

    A lone sine is halved or worse, because its square has no second harmonic. Voicing depends on means over the whole
    file: never pad or cut a clip before tracking. The level does not matter.

    References
    ----------
    .. [1] S. A. Zahorian and H. Hu, "A spectral/temporal method for robust fundamental frequency tracking",
       J. Acoust. Soc. Am. 123, 2008.
    """

    f0_min_hz: float = 60.0
    f0_max_hz: float = 400.0
    frame_length_ms: float = 25.0
    hop_ms: float = 10.0
    sample_rate: int = 16_000

    def __post_init__(self) -> None:
        for name in ("f0_min_hz", "f0_max_hz", "sample_rate"):
            value: float = getattr(self, name)
            if not np.isfinite(value) or value <= 0:
                raise SpecError(f"yaapt: {name} is {value:g}; a finite number above 0 is accepted")
        self._plan(1)

    @property
    def info(self) -> TrackerInfo:
        """What identifies its labels.

        Returns
        -------
        TrackerInfo
            The settings and the version of the core.
        """
        return TrackerInfo(
            name="yaapt",
            version=CORE_VERSION,
            parameters={
                "f0_min_hz": float(self.f0_min_hz),
                "f0_max_hz": float(self.f0_max_hz),
                "frame_length_ms": float(self.frame_length_ms),
                "hop_ms": float(self.hop_ms),
                "sample_rate": int(self.sample_rate),
                "adapter": ADAPTER,
            },
        )

    @property
    def grid(self) -> FrameGrid:
        """Where the frames lie.

        Returns
        -------
        FrameGrid
            At `sample_rate`.
        """
        return frames_of("yaapt", self.frame_length_ms, self.hop_ms, int(self.sample_rate))

    @property
    def _parts(self) -> int:
        """Into how many hops of its own each hop is divided: whole samples, 10 ms or less but not below 2.5 ms."""
        hop, per_ms = self.grid.hop, self.sample_rate / 1000
        for parts in range(1, hop + 1):
            if hop / parts < _SHORTEST_HOP_MS * per_ms:
                break
            if hop % parts == 0 and hop / parts <= _LONGEST_HOP_MS * per_ms:
                return parts
        return 1

    def _plan(self, parts: int) -> Plan:
        grid = self.grid
        # The hop asked for is checked; a frame holds it, and so also a part of it.
        Plan(grid.sample_rate, grid.receptive_field, grid.hop, float(self.f0_min_hz), float(self.f0_max_hz))
        return Plan(
            grid.sample_rate, grid.receptive_field, grid.hop // parts, float(self.f0_min_hz), float(self.f0_max_hz)
        )

    def track(self, waveform: Waveform) -> F0Track:
        """Find the F0.

        Parameters
        ----------
        waveform : Waveform
            The whole clip at `sample_rate`.

        Returns
        -------
        F0Track
            All unvoiced where the clip is silent or holds too little voice to go by; without frames where it is
            shorter than one. The score is the merit of what was chosen, in [0, 1]; where unvoiced, that of the best
            lag.

        Raises
        ------
        DataError
            If the rate is another one.
        """
        check_rate("yaapt", waveform, self.sample_rate)
        grid, parts = self.grid, self._parts
        n_frames = grid.count(waveform.samples.size)
        hz, score = np.zeros(n_frames), np.zeros(n_frames)
        if n_frames and not waveform.is_silent():
            from otoscope.f0.yaapt_core.centered import centered_f0

            inner = (n_frames - 1) * parts + 1
            hz, score = centered_f0(_level(waveform.samples), n_frames=inner, plan=self._plan(parts))
            hz, score = hz[::parts], score[::parts].copy()
        voiced = hz > 0
        return F0Track(
            grid.centers(n_frames), np.where(voiced, hz, np.nan), voiced, self.info, waveform.clip_id, score
        )


def _level(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take a direct current off: squared, it would bring the fundamental of every hum to the fore."""
    mean = samples.mean(dtype=np.float64)
    if abs(mean) <= _OFFSET * float(np.abs(samples).max()):
        return samples  # pauses of zeros stay zeros
    return (samples - mean).astype(np.float32)
