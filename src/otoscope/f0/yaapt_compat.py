"""YAAPT as AMFM_decompy decides it: for results that others got with that package.

Its F0 is ``sample_rate / (lag + 1)`` for a peak at `lag`: 9 cents flat at 80 Hz, 43 cents flat at 400 Hz. This is
left as it is; whoever needs unbiased values takes another tracker.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.f0.base import F0Track, TrackerInfo

__all__ = ["FIRST_CENTER_S", "YaaptCompatTracker"]

FIRST_CENTER_S = 0.0104
"""Seconds at which the value of frame 0 really holds; see :class:`YaaptCompatTracker` for how it was measured."""

ADAPTER = 1  # raised when a change in this file changes labels, so that no cache mixes old with new
SAMPLE_RATE = 16_000
_LEAST_FRAMES = 4  # the package smooths its spectral track over the first four


@dataclass(frozen=True, slots=True, kw_only=True)
class YaaptCompatTracker:
    """AMFM_decompy's pYAAPT with frames of 25 ms every 20 ms; its decisions are untouched.

    Parameters
    ----------
    frame_length_ms, hop_ms : float, milliseconds
        Whole samples at 16000 Hz; the hop is not longer than the frame. 25 and 20 land on the frames of a 400/320
        stack of convolutions; 35 and 10 are the package's own defaults.
    correction : bool
        Whether the measured lag is taken back from the times. Off gives the package's own frame positions.

    Raises
    ------
    SpecError
        If a setting cannot be.

    Notes
    -----
    Frame i has its nominal centre at ``frame_length_ms / 2 + i * hop_ms``, but its value holds at 10.4 ms +
    ``i * hop_ms``, whatever the frame length: a causal filter, windows that begin with the frame, and a causal mean
    together. So 2.1 ms are taken back at 25 ms, 7.1 ms at 35 ms. Measured with twelve pairs of exponential
    glides up and down (70-140, 100-200, 120-240, 180-360 Hz at 0.5, 1 and 2 octaves a second; ten harmonics in
    cosine phase): half the difference of the two median errors in cents, divided by the rate of the glide. The
    mean was 2.1 ms at 25/20 (2.3, 2.6, 2.2, 1.5 ms by range) and 7.0 ms at 35/10.

    Voicing depends on means over the whole file: never pad or cut a clip before tracking. A clip that is silent
    (see :meth:`~otoscope.audio.Waveform.is_silent`) is all unvoiced and is not handed to the package, which would
    take a direct current for voice at 150 Hz. In noise the package falls back on 150 Hz too; that is kept.
    """

    frame_length_ms: float = 25.0
    hop_ms: float = 20.0
    correction: bool = True

    def __post_init__(self) -> None:
        for name in ("frame_length_ms", "hop_ms"):
            value: float = getattr(self, name)
            if not 1 <= value < 128 or (value * SAMPLE_RATE / 1000) % 1:
                raise SpecError(
                    f"yaapt-compat: {name} is {value:g}; whole samples at {SAMPLE_RATE} Hz (multiples of "
                    "0.0625 ms) from 1 to below 128 ms are accepted"
                )
        if self.hop_ms > self.frame_length_ms:
            raise SpecError(
                f"yaapt-compat: hop_ms is {self.hop_ms:g}, frame_length_ms {self.frame_length_ms:g}; "
                "a hop longer than the frame is not accepted"
            )

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
            The settings and the version of AMFM_decompy.
        """
        return TrackerInfo(
            name="yaapt-compat",
            version=version("AMFM_decompy"),
            parameters={
                "frame_length_ms": float(self.frame_length_ms),
                "hop_ms": float(self.hop_ms),
                "correction": "on" if self.correction else "off",
                "adapter": ADAPTER,
            },
            correction_s=FIRST_CENTER_S - self.frame_length_ms / 2000 if self.correction else 0.0,
        )

    @property
    def least_samples(self) -> int:
        """The shortest clip that the package survives.

        Returns
        -------
        int, samples
            Enough for four of its frames: 1361 at 25 and 20 ms.
        """
        return 2 * (self._frame // 2) + (_LEAST_FRAMES - 1) * self._hop + 1

    @property
    def _frame(self) -> int:
        return round(self.frame_length_ms * SAMPLE_RATE / 1000)

    @property
    def _hop(self) -> int:
        return round(self.hop_ms * SAMPLE_RATE / 1000)

    def track(self, waveform: Waveform) -> F0Track:
        """Find the F0.

        Parameters
        ----------
        waveform : Waveform
            The whole clip at 16000 Hz.

        Returns
        -------
        F0Track
            All unvoiced where the clip is silent.

        Raises
        ------
        DataError
            If the rate is another one, the clip is too short, or the package fails on it.
        """
        n_samples = waveform.samples.size
        if waveform.sample_rate != SAMPLE_RATE:
            raise DataError(
                waveform.clip_id,
                f"sample_rate is {waveform.sample_rate} Hz, yaapt-compat needs {SAMPLE_RATE} Hz; call audio.resample",
            )
        if n_samples < self.least_samples:
            raise DataError(
                waveform.clip_id,
                f"lasts {waveform.duration_s * 1000:.1f} ms ({n_samples} samples); yaapt-compat needs at least "
                f"{self.least_samples * 1000 / SAMPLE_RATE:.2f} ms ({self.least_samples} samples); leave it out",
            )
        if waveform.is_silent():
            positions = np.arange(self._frame // 2, n_samples - self._frame // 2, self._hop)
            hz = np.zeros(positions.size)
        else:
            positions, hz = self._decide(waveform)
        voiced = hz > 0
        info = self.info
        times = positions / SAMPLE_RATE + info.correction_s
        return F0Track(times, np.where(voiced, hz, np.nan), voiced, info, waveform.clip_id)

    def _decide(self, waveform: Waveform) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Give the frames' positions in samples and the package's F0 in hertz, 0 where unvoiced."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # means of nothing, where nothing is voiced
            from amfm_decompy import basic_tools, pYAAPT

            settings: dict[str, Any] = {
                "frame_length": self.frame_length_ms,
                "frame_space": self.hop_ms,
            }
            signal = basic_tools.SignalObj(waveform.samples.astype(np.float64), SAMPLE_RATE)
            try:
                pitch = pYAAPT.yaapt(signal, **settings)
                positions = np.asarray(pitch.frames_pos, dtype=np.int64)
                hz = np.array(pitch.samp_values, dtype=np.float64)
            except Exception as error:
                raise DataError(waveform.clip_id, f"AMFM_decompy failed: {type(error).__name__}: {error}") from error
        if positions.shape != hz.shape or not np.all(np.isfinite(hz)):
            raise DataError(
                waveform.clip_id,
                f"AMFM_decompy gave {hz.size} values for {positions.size} frames, "
                f"{np.count_nonzero(~np.isfinite(hz))} of them not finite",
            )
        return positions, hz
