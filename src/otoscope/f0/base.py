"""F0 tracks and the protocol of the trackers that make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import DataError
from otoscope.store import digest_of

__all__ = ["F0Track", "Tracker", "TrackerInfo", "empty_track"]


@dataclass(frozen=True, slots=True)
class TrackerInfo:
    """What identifies a tracker's labels.

    Parameters
    ----------
    name : str
        As on the command line.
    version : str
        Of the package that does the work.
    parameters : mapping of str to number or str
        Everything that changes the labels.
    correction_s : float, seconds
        Added to the tracker's nominal frame times: its measured lag, taken back.
    """

    name: str
    version: str
    parameters: Mapping[str, float | int | str]
    correction_s: float = 0.0

    def describe(self) -> dict[str, object]:
        """Give it as a JSON value.

        Returns
        -------
        dict
            The four fields.
        """
        return {
            "name": self.name,
            "version": self.version,
            "parameters": dict(self.parameters),
            "correction_s": self.correction_s,
        }

    @property
    def digest(self) -> str:
        """SHA-256 of name, version, parameters and correction."""
        return digest_of(self.describe())


@dataclass(frozen=True, slots=True, eq=False)
class F0Track:
    """The fundamental frequency of one clip over time.

    Parameters
    ----------
    times : ndarray of float64, shape (n_frames,), seconds
        Where the frames' values hold; strictly increasing.
    f0_hz : ndarray of float64, shape (n_frames,), hertz
        NaN exactly where not voiced; above 0 elsewhere.
    voiced : ndarray of bool, shape (n_frames,)
        Whether there is an F0 at all.
    tracker : TrackerInfo
        What made it.
    clip_id : str
        The clip.
    score : ndarray of float64, shape (n_frames,), optional
        How sure the tracker is that a frame is voiced, or of its F0: each tracker's own scale, higher is surer. NaN
        where a frame has none; None where the tracker gives none.

    Raises
    ------
    DataError
        If one of these laws is broken.
    """

    times: NDArray[np.float64]
    f0_hz: NDArray[np.float64]
    voiced: NDArray[np.bool_]
    tracker: TrackerInfo
    clip_id: str
    score: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        shapes = {self.times.shape, self.f0_hz.shape, self.voiced.shape}
        if self.score is not None:
            shapes.add(self.score.shape)
        if len(shapes) != 1 or self.times.ndim != 1:
            raise DataError(self.clip_id, f"times, f0_hz, voiced and score have the shapes {sorted(shapes)}")
        if self.score is not None and (self.score.dtype != np.float64 or np.any(np.isinf(self.score))):
            raise DataError(self.clip_id, "score must be float64 and not infinite; NaN where a frame has none")
        if self.voiced.dtype != np.bool_:
            raise DataError(self.clip_id, f"voiced is {self.voiced.dtype}; bool is needed")
        if not np.all(np.isfinite(self.times)) or np.any(np.diff(self.times) <= 0):
            raise DataError(self.clip_id, "the times of the F0 track do not increase")
        if not np.array_equal(np.isnan(self.f0_hz), ~self.voiced):
            raise DataError(self.clip_id, "f0_hz must be NaN exactly where voiced is False")
        if np.any(self.f0_hz[self.voiced] <= 0) or np.any(np.isinf(self.f0_hz)):
            raise DataError(self.clip_id, "f0_hz must be finite and above 0 where voiced")


def empty_track(tracker: TrackerInfo, clip_id: str) -> F0Track:
    """Give a track without frames.

    Parameters
    ----------
    tracker : TrackerInfo
        What found nothing.
    clip_id : str
        The clip.

    Returns
    -------
    F0Track
        It says nothing about any time; with a score, of no frame.
    """
    nothing = np.zeros(0)
    return F0Track(nothing, nothing, nothing > 0, tracker, clip_id, nothing)


class Tracker(Protocol):
    """Finds the F0 of a waveform."""

    @property
    def info(self) -> TrackerInfo:
        """What identifies its labels."""
        ...

    @property
    def sample_rate(self) -> int:
        """The rate of the waveforms that it takes, in hertz."""
        ...

    def track(self, waveform: Waveform) -> F0Track:
        """Find the F0.

        Parameters
        ----------
        waveform : Waveform
            The whole clip, at `sample_rate`, neither padded nor cut: decisions may depend on means over the file.

        Returns
        -------
        F0Track
            Times already corrected for the tracker's measured lag.

        Raises
        ------
        DataError
            If the clip is too short or cannot be tracked.
        """
        ...
