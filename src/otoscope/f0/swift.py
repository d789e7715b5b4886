"""SwiftF0: a small neural network, the surest of our trackers in noise.

The package and its weights are the extra ``swift``; onnxruntime runs them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from otoscope.audio import Waveform
from otoscope.errors import SpecError
from otoscope.f0.accepting import check_rate, check_search, frames_of, require
from otoscope.f0.base import F0Track, TrackerInfo, empty_track
from otoscope.f0.resampling import on_grid
from otoscope.frames import FrameGrid

if TYPE_CHECKING:
    from swift_f0 import SwiftF0

__all__ = ["SwiftTracker"]

ADAPTER = 1  # raised when a change in this file changes labels, so that no cache mixes old with new
SAMPLE_RATE = 16_000
PEAK = 0.5
_LEAST_HZ, _MOST_HZ = 47.0, 2093.0  # what the network has pitches for, in whole hertz
_LEAST_RATIO = 1.05  # a little over one of its steps of pitch


@cache
def _detector(process_id: int) -> SwiftF0:
    """Give a process's one session, on one thread so as to leave the cores to others; a fork makes its own."""
    from swift_f0 import SwiftF0

    return SwiftF0(threads=1, spin=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SwiftTracker:
    """SwiftF0 with a threshold on its confidence [1]_.

    Frame i has its centre at ``frame_length_ms / 2 + i * hop_ms``; frames that would reach past the end are left
    out, so that with 25 and 20 ms there are as many as a 400/320 stack of convolutions gives. The network's own
    frames lie every 16 ms and are put there by :func:`~otoscope.f0.resampling.on_grid`.

    Parameters
    ----------
    f0_min_hz, f0_max_hz : float, hertz
        The range searched, within 47 to 2093.
    frame_length_ms, hop_ms : float, milliseconds
        Where values are wanted; whole samples at 16000 Hz. They do not change the network's own frames.
    confidence : float, in (0, 1)
        Frames with at least this confidence are voiced; 0.5 is what the package is calibrated for.

    Raises
    ------
    SpecError
        If a setting cannot be, or the package is not installed.

    Notes
    -----
    The mean is taken off and the whole clip brought to a peak of 0.5 first. The package gives no confidence to 16 ms
    that peak below -60 dB of full scale, and the network was trained on sound of ordinary level: without it faint
    recordings lose voiced frames.

    Nothing is taken back from the times. Over twelve pairs of exponential glides up and down (70-140, 100-200,
    120-240, 180-360 Hz at 0.5, 1 and 2 octaves a second; ten harmonics in cosine phase), half the difference of the
    two median errors in cents, divided by the rate of the glide, was 0.0 ms
    (at most 0.1 ms by range).

    Steady tones of ten harmonics from 80 to 350 Hz come out within 9 cents. Within a step of pitch (4 %) of
    the edges of the range they are pulled inwards, by up to 63 cents; search a wider range than the voice has.

    The package's last frame ends at the last whole 256 samples; the last frame of the grid may lie up to 10 ms beyond
    what it says and is then unvoiced. A clip shorter than 32 ms is all unvoiced, and so is one that is silent
    (see :meth:`~otoscope.audio.Waveform.is_silent`), which is not handed to the network. Each process makes one
    session on one thread when it first tracks, so that results do not depend on the number of cores.

    References
    ----------
    .. [1] L. Nieradzik, "SwiftF0: fast and accurate monophonic pitch detection", 2025.
    """

    f0_min_hz: float = 60.0
    f0_max_hz: float = 400.0
    frame_length_ms: float = 25.0
    hop_ms: float = 20.0
    confidence: float = 0.5

    def __post_init__(self) -> None:
        require("swift", "swift_f0", "swift")
        check_search("swift", self.f0_min_hz, self.f0_max_hz, least=_LEAST_HZ, most=_MOST_HZ)
        if self.f0_max_hz < _LEAST_RATIO * self.f0_min_hz:
            raise SpecError(
                f"swift: f0_max_hz is {self.f0_max_hz:g} and f0_min_hz {self.f0_min_hz:g}; "
                f"at least {_LEAST_RATIO:g} times f0_min_hz is accepted"
            )
        if not 0 < self.confidence < 1:
            raise SpecError(f"swift: confidence is {self.confidence:g}; above 0 and below 1 is accepted")
        frames_of("swift", self.frame_length_ms, self.hop_ms, SAMPLE_RATE)

    @property
    def sample_rate(self) -> int:
        """The rate of the waveforms that it takes.

        Returns
        -------
        int, hertz
            16000.
        """
        return SAMPLE_RATE

    @property
    def info(self) -> TrackerInfo:
        """What identifies its labels.

        Returns
        -------
        TrackerInfo
            The settings and the version of swift-f0.
        """
        return TrackerInfo(
            name="swift",
            version=version("swift-f0"),
            parameters={
                "f0_min_hz": float(self.f0_min_hz),
                "f0_max_hz": float(self.f0_max_hz),
                "frame_length_ms": float(self.frame_length_ms),
                "hop_ms": float(self.hop_ms),
                "confidence": float(self.confidence),
                "peak": PEAK,
                "adapter": ADAPTER,
            },
        )

    @property
    def grid(self) -> FrameGrid:
        """Where the frames lie.

        Returns
        -------
        FrameGrid
            At 16000 Hz.
        """
        return frames_of("swift", self.frame_length_ms, self.hop_ms, SAMPLE_RATE)

    def track(self, waveform: Waveform) -> F0Track:
        """Find the F0.

        Parameters
        ----------
        waveform : Waveform
            The whole clip at 16000 Hz.

        Returns
        -------
        F0Track
            The score is the confidence of the nearest frame of the network; NaN where there is none, and in a silent
            clip. A clip without a whole frame gives a track without frames.

        Raises
        ------
        DataError
            If the rate is another one.
        """
        check_rate("swift", waveform, SAMPLE_RATE)
        return on_grid(self._own_frames(waveform), self.grid, waveform.samples.size)

    def _own_frames(self, waveform: Waveform) -> F0Track:
        """Give the network's answer on its own frames, 16 ms apart; none for a silent clip."""
        if waveform.is_silent():
            return empty_track(self.info, waveform.clip_id)
        samples = waveform.samples.astype(np.float64)
        samples -= samples.mean()
        samples *= PEAK / np.abs(samples).max()
        found = _detector(os.getpid()).detect(
            samples.astype(np.float32), SAMPLE_RATE, float(self.f0_min_hz), float(self.f0_max_hz)
        )
        voiced = found.confidence >= self.confidence
        return F0Track(
            found.timestamps,
            np.where(voiced, found.pitch_hz, np.nan),
            voiced,
            self.info,
            waveform.clip_id,
            found.confidence,
        )
