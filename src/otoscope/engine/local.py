"""Work divided among processes that each use one core."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from otoscope.errors import OtoscopeError

__all__ = ["flow", "in_parallel", "one_thread", "use_threads", "worker_pool"]

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_parallel(
    work: Callable[[Job], Result],
    jobs: Sequence[Job],
    processes: int | None,
    *,
    fewest: int = 1,
    begin: Callable[..., None] | None = None,
    given: tuple[object, ...] = (),
    alone: Callable[[Job], Result] | None = None,
) -> Iterator[Result]:
    """Do jobs in as many processes as are worth starting, or in this one.

    Parameters
    ----------
    work : callable
        Does one job; a function of a module, so that it can be sent to a process.
    jobs : sequence
        What to do.
    processes : int or None
        How many at most; None for as many as there are cores, 1 for none but this one.
    fewest : int, > 0
        Jobs that a process must have to be worth its start.
    begin : callable, optional
        Called in each process first; see :func:`worker_pool`.
    given : tuple
        What it is called with.
    alone : callable, optional
        Does one job where it is done in this process; `work` without it.

    Yields
    ------
    object
        The results as they come, which need not be the order of the jobs.
    """
    n = min(processes or os.cpu_count() or 1, len(jobs) // fewest)
    if n <= 1:
        yield from map(alone or work, jobs)
        return
    with worker_pool(n, begin, *given) as pool:
        for future in as_completed([pool.submit(work, job) for job in jobs]):
            yield future.result()


def flow(
    pool: Executor, work: Callable[[Job], Result], jobs: Iterable[Job], *, under_way: int
) -> Iterator[tuple[Job, Result]]:
    """Do jobs in a pool, with few of them under way at a time.

    Parameters
    ----------
    pool : Executor
        Such as :func:`worker_pool` gives.
    work : callable
        Does one job; a function of a module, so that it can be sent to a process.
    jobs : iterable
        Taken as there is room, so that not all need to be in memory.
    under_way : int, > 0
        How many at most.

    Yields
    ------
    job : object
        One that is done; they come as they are done, which need not be their order.
    result : object
        What it gave.
    """
    coming = iter(jobs)
    waiting: dict[Future[Result], Job] = {}
    while True:
        while len(waiting) < under_way:
            try:
                job = next(coming)
            except StopIteration:
                break
            waiting[pool.submit(work, job)] = job
        if not waiting:
            return
        done, _ = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            job = waiting.pop(future)
            yield job, future.result()


@contextmanager
def worker_pool(
    processes: int, begin: Callable[..., None] | None = None, *given: object
) -> Iterator[ProcessPoolExecutor]:
    """Give processes that each use one core; where the block is left early, what has not begun is not done.

    Parameters
    ----------
    processes : int, > 0
        How many.
    begin : callable, optional
        Called in each of them first; it must call :func:`one_thread` or :func:`use_threads`. Without it, the first of
        the two is called.
    *given : object
        What it is called with.

    Yields
    ------
    ProcessPoolExecutor
        Started afresh, so that no lock or thread of this process is copied.

    Raises
    ------
    OtoscopeError
        If a process dies.
    """
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _start, (begin or one_thread, given))
    try:
        with _no_interrupts():  # a process that is interrupted while it starts says so at length
            for _ in range(processes):
                pool.submit(_nothing)
        yield pool
    except BrokenProcessPool as error:
        raise OtoscopeError(
            "a worker process died, perhaps for want of memory; what it had finished is kept; try fewer processes"
        ) from error
    except BaseException:
        _end(pool)
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _start(begin: Callable[..., None], given: tuple[object, ...]) -> None:
    threading.Thread(target=_end_with_parent, name="otoscope-parent", daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a worker at once and in silence
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    begin(*given)


def _end_with_parent() -> None:
    """Leave when the process that gives the work is gone, however it went; every file is whole or not there."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _end(pool: ProcessPoolExecutor) -> None:
    """Stop workers in the middle of what they do: a shard may last for minutes."""
    workers: dict[int, multiprocessing.Process] = getattr(pool, "_processes", None) or {}
    for worker in list(workers.values()):
        worker.terminate()


@contextmanager
def _no_interrupts() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _nothing() -> None:
    """Let a process start."""


def one_thread() -> None:
    """Keep numerical libraries, those not yet loaded included, on one thread."""
    use_threads(1)


def use_threads(n: int) -> None:
    """Set how many threads numerical libraries use, those not yet loaded included.

    Parameters
    ----------
    n : int, > 0
        Of this process, from now on.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(n)
    import threadpoolctl

    threadpoolctl.threadpool_limits(n)
