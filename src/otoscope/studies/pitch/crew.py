"""Who does the work of a run: this process, or one process per device.

A crew decides where a piece of work is done, never what is done: the same shards give the same files.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.util
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Protocol

from otoscope.engine.local import flow, use_threads, worker_pool
from otoscope.f0.base import Tracker
from otoscope.f0.labels import LabelCache
from otoscope.representations.base import Model
from otoscope.representations.registry import open_model
from otoscope.studies.pitch.panel import Panel
from otoscope.studies.pitch.plan import Plan, Shard
from otoscope.studies.pitch.reader import ClipReader
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.shards import Task, Worker
from otoscope.studies.progress import Progress, Quiet

__all__ = ["Crew", "Job", "Kit", "alone", "one_process_per_device"]


@dataclass(frozen=True, slots=True)
class Job:
    """A shard, and what its models have to do for it.

    Parameters
    ----------
    shard : Shard
        The clips.
    tasks : tuple of Task
        One per model.
    """

    shard: Shard
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class Kit:
    """All that a process needs to take part in a run.

    Parameters
    ----------
    folder : Path
        The run directory.
    plan : Plan
        Of the run.
    settings : PitchSettings
        Of the run.
    tracker : Tracker
        Makes the labels.
    panel : Panel
        Is asked whether it agrees.
    labels : LabelCache
        Keeps what they find.
    models : tuple of str or Model
        Opened where they work.
    threads : int or None
        Of the numerical libraries of each process; None leaves them as they are.
    readers : int, >= 0
        Processes that read ahead of each model; 0 for a thread.
    """

    folder: Path
    plan: Plan
    settings: PitchSettings
    tracker: Tracker
    panel: Panel
    labels: LabelCache
    models: tuple[str | Model, ...]
    threads: int | None
    readers: int

    def reader(self) -> ClipReader:
        """Make a reader of clips.

        Returns
        -------
        ClipReader
            To be closed.
        """
        return ClipReader(
            self.plan, self.settings, self.tracker, self.labels, processes=self.readers, panel=self.panel
        )


class Crew(Protocol):
    """Does the work of a run that needs models."""

    def make_shifts(self, names: Sequence[str]) -> None:
        """Write the shift vectors of models.

        Parameters
        ----------
        names : sequence of str
            Which models.
        """
        ...

    def do(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """Do shards.

        Parameters
        ----------
        jobs : iterable of Job
            In the order in which they should be begun.

        Yields
        ------
        Job
            Each as it is done.
        """
        ...

    def solve(self, name: str, layers: Mapping[int, Mapping[str, object]]) -> dict[int, str]:
        """Solve the layers of a model.

        Parameters
        ----------
        name : str
            The model.
        layers : mapping of int to mapping
            What the probes of each layer are made of.

        Returns
        -------
        dict of int to str
            Digest of the probes of each layer.
        """
        ...


class _Alone:
    def __init__(self, worker: Worker, progress: Progress) -> None:
        self._worker, self._progress = worker, progress

    def make_shifts(self, names: Sequence[str]) -> None:
        for name in names:
            self._worker.make_shift(name, self._progress.advance)

    def do(self, jobs: Iterable[Job]) -> Iterator[Job]:
        listed = list(jobs)
        self._worker.reader.follow(job.shard for job in listed)
        for job in listed:
            self._worker.do(job.shard, job.tasks, self._progress.advance)
            yield job

    def solve(self, name: str, layers: Mapping[int, Mapping[str, object]]) -> dict[int, str]:
        digests: dict[int, str] = {}
        for layer, about in layers.items():
            digests[layer] = self._worker.solve(name, layer, about)
            self._progress.advance()
        return digests


@contextmanager
def alone(kit: Kit, models: Sequence[Model], progress: Progress) -> Iterator[Crew]:
    """Do all work in this process.

    Parameters
    ----------
    kit : Kit
        What is needed.
    models : sequence of Model
        Those of the kit, open.
    progress : Progress
        Is told of every clip.

    Yields
    ------
    Crew
        For the time of the block.
    """
    with kit.reader() as reader:
        yield _Alone(Worker(kit.folder, kit.plan, kit.settings, reader, models), progress)


class _Several:
    def __init__(self, pool: ProcessPoolExecutor, processes: int, progress: Progress) -> None:
        self._pool, self._processes, self._progress = pool, processes, progress

    def make_shifts(self, names: Sequence[str]) -> None:
        for _ in flow(self._pool, _shift_there, names, under_way=self._processes):
            self._progress.advance()

    def do(self, jobs: Iterable[Job]) -> Iterator[Job]:
        for job, _ in flow(self._pool, _do_there, jobs, under_way=self._processes + 1):
            for _ in range(len(job.shard.clips) * len(job.tasks)):
                self._progress.advance()
            yield job

    def solve(self, name: str, layers: Mapping[int, Mapping[str, object]]) -> dict[int, str]:
        digests: dict[int, str] = {}
        asked = ((name, layer, about) for layer, about in layers.items())
        for (_, layer, _), digest in flow(self._pool, _solve_there, asked, under_way=self._processes):
            digests[layer] = digest
            self._progress.advance()
        return digests


@contextmanager
def one_process_per_device(kit: Kit, devices: Sequence[str], progress: Progress) -> Iterator[Crew]:
    """Divide the work among processes of their own.

    Parameters
    ----------
    kit : Kit
        What is needed; everything in it must be fit for pickling.
    devices : sequence of str
        One per process, such as ``cuda:0``; ``cpu`` may stand there several times.
    progress : Progress
        Is told of the clips of every shard that is done.

    Yields
    ------
    Crew
        For the time of the block.
    """
    waiting: Queue[str] = multiprocessing.get_context("spawn").Queue()
    for device in devices:
        waiting.put(device)
    with worker_pool(len(devices), _begin, kit, waiting) as pool:
        yield _Several(pool, len(devices), progress)


_there: list[Worker] = []


def _begin(kit: Kit, devices: Queue[str]) -> None:
    use_threads(kit.threads or 1)
    device = devices.get()
    models = [open_model(model, device=device) if isinstance(model, str) else model for model in kit.models]
    reader = kit.reader()
    # Before multiprocessing closes its queues, and waits for the reader's own processes to be told to end.
    multiprocessing.util.Finalize(None, reader.__exit__, (None, None, None), exitpriority=100)
    _there.append(Worker(kit.folder, kit.plan, kit.settings, reader, models))


def _shift_there(name: str) -> None:
    _there[0].make_shift(name, Quiet().advance)


def _do_there(job: Job) -> None:
    _there[0].reader.follow([job.shard])
    _there[0].do(job.shard, job.tasks, Quiet().advance)


def _solve_there(asked: tuple[str, int, Mapping[str, object]]) -> str:
    return _there[0].solve(*asked)
