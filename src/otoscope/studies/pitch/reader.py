"""Reads clips and their labels, once per shard and ahead of the model; finds partners for the ``swap`` control.

While the model works on one clip, the next ones are decoded and labelled: by a thread, or by processes of their own
where labels cost more than a thread can do beside the model. What is read does not depend on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from otoscope.audio import Waveform
from otoscope.corpora.base import Clip, Failure, Split
from otoscope.engine.local import one_thread, worker_pool
from otoscope.errors import DataError, SourceGoneError
from otoscope.f0.base import Tracker
from otoscope.f0.labels import LabelCache
from otoscope.studies.pitch.panel import Panel
from otoscope.studies.pitch.plan import Plan, Shard, SwapOrder
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.targets import MIN_VOICED, Heard

__all__ = ["ClipReader", "Hearer"]

_NOBODY = Panel()
AHEAD = 16  # clips: a few minutes of speech, some ten megabytes


@dataclass(frozen=True, slots=True)
class Hearer:
    """Reads one clip and its labels.

    Parameters
    ----------
    tracker : Tracker
        Makes the labels.
    labels : LabelCache
        Keeps them.
    min_duration_s : float, seconds
        A shorter clip is a failure.
    panel : Panel
        Other trackers that are asked; nobody by default.
    """

    tracker: Tracker
    labels: LabelCache
    min_duration_s: float
    panel: Panel = _NOBODY

    def __call__(self, clip: Clip) -> Heard | Failure:
        """Read a clip and its labels.

        Parameters
        ----------
        clip : Clip
            Which.

        Returns
        -------
        Heard or Failure
            Why not, where it cannot be used.

        Raises
        ------
        SourceGoneError
            If its file is not there any more.
        """
        waveform = self.listen(clip)
        if isinstance(waveform, Failure):
            return waveform
        try:
            track = self.labels.track(self.tracker, waveform)
            return Heard(waveform, track, self.panel.tracks(waveform, self.labels), self.panel.need)
        except DataError as error:
            return Failure(clip.clip_id, "labels", error.problem)

    def listen(self, clip: Clip) -> Waveform | Failure:
        """Read a clip without its labels.

        Parameters
        ----------
        clip : Clip
            Which.

        Returns
        -------
        Waveform or Failure
            Why not, where it cannot be used.

        Raises
        ------
        SourceGoneError
            If its file is not there any more.
        """
        try:
            waveform = clip.read(sample_rate=self.tracker.sample_rate)
        except DataError as error:
            if not clip.source.stamp():
                raise SourceGoneError(
                    f"{clip.clip_id}: its sound ({clip.source.describe()}) was there when the run was planned and is "
                    "gone; bring it back and run the same command again: what was computed is kept"
                ) from error
            return Failure(clip.clip_id, "audio", error.problem)
        if waveform.duration_s < self.min_duration_s:
            least, lasts = (f"{1000 * seconds:.0f} ms" for seconds in (self.min_duration_s, waveform.duration_s))
            return Failure(clip.clip_id, "audio", f"lasts {lasts}; {least} is the least")
        if waveform.is_silent():
            problem = "is silent: it never leaves its mean by more than -80 dB of full scale"
            return Failure(clip.clip_id, "audio", problem)
        return waveform


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
    processes : int, >= 0
        That read ahead of the model; 0 for a thread of this process.
    panel : Panel
        Other trackers that are asked; nobody by default.
    """

    def __init__(
        self,
        plan: Plan,
        settings: PitchSettings,
        tracker: Tracker,
        labels: LabelCache,
        *,
        processes: int = 0,
        panel: Panel = _NOBODY,
    ) -> None:
        self._plan, self._settings = plan, settings
        self._hear = Hearer(tracker, labels, settings.min_duration_s, panel)
        self._orders: dict[tuple[str, Split], SwapOrder] = {}
        self._kept: dict[str, Heard | Failure] = {}
        self._processes = processes
        self._pool: tuple[Executor, Callable[[Clip], Heard | Failure]] | None = None
        self._stack = ExitStack()
        self._coming: Iterator[tuple[str, Clip]] = iter(())
        self._under_way: dict[str, tuple[str, Future[Heard | Failure]]] = {}

    @property
    def panel(self) -> Panel:
        """The other trackers that are asked."""
        return self._hear.panel

    def __enter__(self) -> ClipReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._coming = iter(())
        for _, future in self._under_way.values():
            future.cancel()
        self._under_way.clear()
        self._pool = None
        self._stack.__exit__(kind, error, trace)

    def follow(self, shards: Iterable[Shard]) -> None:
        """Read ahead from now on.

        Parameters
        ----------
        shards : iterable of Shard
            Whose clips will be heard, in this order, each followed by :meth:`forget`.
        """
        self._coming = self._sequence(shards)
        self._go_ahead()

    def _sequence(self, shards: Iterable[Shard]) -> Iterator[tuple[str, Clip]]:
        for shard in shards:
            seen: set[str] = set()
            order = self._order(shard.language, shard.split)
            for clip in shard.clips:
                for each in (clip, next(order.partners(clip), clip)):
                    if each.clip_id not in seen:
                        seen.add(each.clip_id)
                        yield shard.shard_id, each

    def _go_ahead(self) -> None:
        while len(self._under_way) < AHEAD:
            coming = next(self._coming, None)
            if coming is None:
                return
            shard_id, clip = coming
            if clip.clip_id in self._under_way or clip.clip_id in self._kept:
                continue
            if self._pool is None:
                self._pool = self._make_pool()
            executor, hear = self._pool
            self._under_way[clip.clip_id] = (shard_id, executor.submit(hear, clip))

    def _make_pool(self) -> tuple[Executor, Callable[[Clip], Heard | Failure]]:
        if self._processes:
            pool = self._stack.enter_context(worker_pool(self._processes, _begin, self._hear))
            return pool, _hear_there
        return self._stack.enter_context(ThreadPoolExecutor(1, "otoscope-reader")), self._hear

    def forget(self, shard: Shard | None = None) -> None:
        """Let go of the clips that were read.

        Parameters
        ----------
        shard : Shard, optional
            One that was followed and is done: what was read ahead for it is let go of, too.
        """
        self._kept.clear()
        if shard is not None:
            for clip_id in [c for c, (of, _) in self._under_way.items() if of == shard.shard_id]:
                self._under_way.pop(clip_id)[1].cancel()
            self._go_ahead()

    def hear(self, clip: Clip) -> Heard | Failure:
        """Give a clip and its labels.

        Parameters
        ----------
        clip : Clip
            Which.

        Returns
        -------
        Heard or Failure
            Kept until :meth:`forget`.

        Raises
        ------
        SourceGoneError
            If its file is not there any more.
        """
        if clip.clip_id not in self._kept:
            ahead = self._under_way.pop(clip.clip_id, None)
            self._kept[clip.clip_id] = ahead[1].result() if ahead else self._hear(clip)
            self._go_ahead()
        return self._kept[clip.clip_id]

    def sound_of(self, clip: Clip) -> str | None:
        """Give the digest of a clip's samples, without labels and without keeping anything.

        Parameters
        ----------
        clip : Clip
            Which.

        Returns
        -------
        str or None
            As :meth:`hear` would give its waveform; None where it would be a failure of the sound.
        """
        found = self._hear.listen(clip)
        return None if isinstance(found, Failure) else found.digest()

    def _order(self, language: str, split: Split) -> SwapOrder:
        key = (language, split)
        if key not in self._orders:
            self._orders[key] = SwapOrder(self._plan.clips(*key), seed=self._settings.seed)
        return self._orders[key]

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
        for other in self._order(clip.language, split).partners(clip):
            heard = self.hear(other)
            if isinstance(heard, Heard) and np.count_nonzero(heard.track.voiced) >= MIN_VOICED:
                return heard
        return None


_there: deque[Hearer] = deque(maxlen=1)


def _begin(hearer: Hearer) -> None:
    one_thread()
    _there.append(hearer)


def _hear_there(clip: Clip) -> Heard | Failure:
    return _there[0](clip)
