"""Reads clips and their labels, each once per shard, and finds partners for the ``swap`` control."""

from __future__ import annotations

import numpy as np

from otoscope.corpora.base import Clip, Failure, Split
from otoscope.errors import DataError
from otoscope.f0.base import Tracker
from otoscope.f0.labels import LabelCache
from otoscope.studies.pitch.plan import Plan, SwapOrder
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.targets import MIN_VOICED, Heard

__all__ = ["ClipReader"]


class ClipReader:
    """Reads clips and their labels, and finds partners for the ``swap`` control.

    Parameters
    ----------
    plan : Plan
        For the clips of a language and split.
    settings : PitchSettings
        Least duration and seed.
    tracker : Tracker
        Makes the labels.
    labels : LabelCache
        Keeps them.
    """

    def __init__(self, plan: Plan, settings: PitchSettings, tracker: Tracker, labels: LabelCache) -> None:
        self._plan, self._settings, self._tracker, self._labels = plan, settings, tracker, labels
        self._orders: dict[tuple[str, Split], SwapOrder] = {}
        self._kept: dict[str, Heard | Failure] = {}

    def forget(self) -> None:
        """Let go of the clips that were read."""
        self._kept.clear()

    def hear(self, clip: Clip) -> Heard | Failure:
        """Read a clip and its labels.

        Parameters
        ----------
        clip : Clip
            Which.

        Returns
        -------
        Heard or Failure
            Kept until :meth:`forget`.
        """
        if clip.clip_id not in self._kept:
            self._kept[clip.clip_id] = self._hear(clip)
        return self._kept[clip.clip_id]

    def _hear(self, clip: Clip) -> Heard | Failure:
        try:
            waveform = clip.read(sample_rate=self._tracker.sample_rate)
            least = self._settings.min_duration_s
            if waveform.duration_s < least:
                raise DataError(
                    clip.clip_id, f"lasts {1000 * waveform.duration_s:.0f} ms; {1000 * least:.0f} ms is the least"
                )
            if waveform.is_silent():
                raise DataError(clip.clip_id, "is silent: it never leaves its mean by more than -80 dB of full scale")
        except DataError as error:
            return Failure(clip.clip_id, "audio", error.problem)
        try:
            return Heard(waveform, self._labels.track(self._tracker, waveform))
        except DataError as error:
            return Failure(clip.clip_id, "labels", error.problem)

    def partner(self, clip: Clip, split: Split) -> Heard | None:
        """Find whose sequences the ``swap`` control takes.

        Parameters
        ----------
        clip : Clip
            Whose control it is.
        split : str
            Where the clip stands; its partner stands there too.

        Returns
        -------
        Heard or None
            None where no other clip of the language and split has at least ten voiced frames.
        """
        key = (clip.language, split)
        if key not in self._orders:
            self._orders[key] = SwapOrder(self._plan.clips(*key), seed=self._settings.seed)
        for other in self._orders[key].partners(clip):
            heard = self.hear(other)
            if isinstance(heard, Heard) and np.count_nonzero(heard.track.voiced) >= MIN_VOICED:
                return heard
        return None
