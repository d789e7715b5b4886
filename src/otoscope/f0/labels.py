"""F0 tracks that were found once and are kept.

A label's address is what it depends on: the digest of the tracker (name, version, settings, correction) and the
digest of the decoded samples. So a file that is renamed, copied or re-encoded without loss is not tracked again, and
no setting can be mixed with another.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.f0.base import F0Track, Tracker, TrackerInfo
from otoscope.store import cache_root, read_arrays, write_arrays

__all__ = ["LabelCache"]

FORMAT = 2  # raised when the layout of the files changes; other formats are made anew


class LabelCache:
    """A folder of F0 tracks, shared by any number of processes.

    Each file is whole or not there, so two processes that find the same label at once write the same bytes, and
    the last one stays.

    Parameters
    ----------
    root : Path, optional
        The cache folder, by default :func:`otoscope.store.cache_root`. Tracks lie below ``labels`` in it.

    Attributes
    ----------
    hits : int
        How many tracks were read.
    misses : int
        How many were found by the tracker: not there, damaged, or in another format.
    writable : bool
        False once a track could not be written; from then on tracks are found and not kept.
    problem : str
        Why it is not writable; empty where it is.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.folder = (cache_root() if root is None else Path(root)) / "labels"
        self.hits = 0
        self.misses = 0
        self.writable = True
        self.problem = ""

    def path(self, info: TrackerInfo, waveform: Waveform) -> Path:
        """Say where a track is kept.

        Parameters
        ----------
        info : TrackerInfo
            Of the tracker.
        waveform : Waveform
            The clip.

        Returns
        -------
        Path
            ``labels/<16 digits of the tracker>/<2 digits>/<digest of the samples>.safetensors``.
        """
        digest = waveform.digest()
        return self.folder / info.digest[:16] / digest[:2] / f"{digest}.safetensors"

    def track(self, tracker: Tracker, waveform: Waveform) -> F0Track:
        """Give the track of a clip: from the folder where it is kept, else from the tracker.

        Parameters
        ----------
        tracker : Tracker
            What finds it.
        waveform : Waveform
            The whole clip.

        Returns
        -------
        F0Track
            With the id of this waveform, whatever clip it was first found for.

        Raises
        ------
        DataError
            If the tracker cannot use the clip. Failures are not kept.
        """
        info = tracker.info
        path = self.path(info, waveform)
        kept = self._read(path, info, waveform)
        if kept is not None:
            self.hits += 1
            return kept
        found = tracker.track(waveform)
        self.misses += 1
        self._write(path, found, info)
        return replace(found, clip_id=waveform.clip_id)

    def _read(self, path: Path, info: TrackerInfo, waveform: Waveform) -> F0Track | None:
        """Read a track, or give None where there is none that can be trusted."""
        try:
            arrays, about = read_arrays(path)
            if about["format"] != FORMAT or about["tracker_digest"] != info.digest:
                return None
            times, f0_hz, voiced = (arrays[name] for name in ("times", "f0_hz", "voiced"))
            if times.dtype != np.float64 or f0_hz.dtype != np.float64:
                return None
            return F0Track(times, f0_hz, voiced, info, waveform.clip_id, arrays.get("score"))
        except (SpecError, DataError, KeyError, TypeError):
            return None

    def _write(self, path: Path, track: F0Track, info: TrackerInfo) -> None:
        if not self.writable:
            return
        about = {"format": FORMAT, "tracker_digest": info.digest, "tracker": info.describe()}
        arrays = {"times": track.times, "f0_hz": track.f0_hz, "voiced": track.voiced}
        if track.score is not None:
            arrays["score"] = track.score
        try:
            write_arrays(path, arrays, about=about)
        except OSError as error:
            self.writable = False
            self.problem = f"{path.parent}: labels cannot be kept: {error}; set OTOSCOPE_CACHE to another folder"
