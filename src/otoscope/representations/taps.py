"""What the blocks of a network give, handed on one by one while the network goes on.

Taps are forward hooks: they see what a block is given or gives, whatever a library calls its hidden states and in
whichever release. The network runs in a thread of its own and waits whenever one state is waiting to be taken, so
that only two or three layers are in memory at once. On a GPU the next block is computed while a state is used; on the
CPU, where both want the same cores, they take turns.
"""

from __future__ import annotations

import atexit
import os
import queue
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch

__all__ = ["Tap", "TappedNetwork", "out_of_memory"]


@dataclass(frozen=True, slots=True, eq=False)
class Tap:
    """Where a state is taken.

    Parameters
    ----------
    name : int
        What it is handed on as: the index of the layer.
    module : torch.nn.Module
        The block.
    side : {"input", "output"}
        Whether what the block is given is taken, or what it gives. Where that is a tuple, its first part; where a
        block is given keywords only, `hidden_states`.
    """

    name: int
    module: torch.nn.Module
    side: Literal["input", "output"] = "output"


class _Enough(Exception):
    """Nobody wants further states: the forward pass is left."""


class TappedNetwork:
    """A network whose inner states can be walked through.

    Parameters
    ----------
    forward : callable
        Runs the network, in whichever thread it is called; called without gradients.
    taps : sequence of Tap
        In the order in which the network comes by them.
    """

    def __init__(self, forward: Callable[..., object], taps: Sequence[Tap]) -> None:
        self._forward = forward
        self._local = threading.local()
        self._last = taps[-1].name if taps else None
        for tap in taps:
            if tap.side == "input":
                tap.module.register_forward_pre_hook(self._before(tap.name), with_kwargs=True)
            else:
                tap.module.register_forward_hook(self._after(tap.name))

    def _before(self, name: int) -> Callable[..., None]:
        def hook(_: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._deliver(name, args[0] if args else kwargs["hidden_states"])

        return hook

    def _after(self, name: int) -> Callable[..., None]:
        def hook(_: object, __: object, output: Any) -> None:
            self._deliver(name, output[0] if isinstance(output, tuple) else output)

        return hook

    def _deliver(self, name: int, state: torch.Tensor) -> None:
        sink = getattr(self._local, "sink", None)
        if sink is not None:
            sink(name, state)

    def states(self, *inputs: object, last: int | None = None) -> Generator[tuple[int, torch.Tensor]]:
        """Run the network and hand on what its taps see.

        Parameters
        ----------
        *inputs : object
            Given to `forward`.
        last : int, optional
            The name of the last tap that is wanted: what comes after it is not computed. The last one there is
            without it.

        Yields
        ------
        name : int
            Of the tap.
        state : torch.Tensor
            A copy, its batch included, in the network's number format and on its device.

        Notes
        -----
        Several walks may be under way at once, each in a thread of its own, which uses as many numerical threads as
        the caller's. A walk that is left early is ended before anything else happens. What the network raises is
        raised here.
        """
        import torch

        until = self._last if last is None else last
        n_threads = torch.get_num_threads()
        handed: queue.SimpleQueue[tuple[int, torch.Tensor] | BaseException | None] = queue.SimpleQueue()
        room, turn = threading.Semaphore(1), threading.Semaphore(0)
        left = threading.Event()

        def sink(name: int, state: torch.Tensor) -> None:
            kept = state.clone()
            room.acquire()
            if left.is_set():
                raise _Enough
            handed.put((name, kept))
            if name == until:
                raise _Enough
            if kept.device.type == "cpu":  # threads that wait for each other lose more than working ahead gains
                turn.acquire()
                if left.is_set():
                    raise _Enough

        def work() -> BaseException | None:
            if torch.get_num_threads() != n_threads:
                torch.set_num_threads(n_threads)
            self._local.sink = sink
            try:
                with torch.no_grad():
                    self._forward(*inputs)
            except _Enough:
                pass
            except BaseException as error:
                return error
            finally:
                self._local.sink = None
            return None

        def leave() -> None:
            left.set()
            room.release()
            turn.release()
            while isinstance(handed.get(), tuple):
                pass
            handed.put(None)

        _UNDER_WAY.add(leave)
        _in_a_thread(work, handed.put)
        over = False
        try:
            while True:
                got = handed.get()
                if not isinstance(got, tuple):
                    over = True
                    if got is not None:
                        raise got
                    return
                room.release()
                yield got
                turn.release()
        finally:
            _UNDER_WAY.discard(leave)
            if not over and not sys.is_finalizing():  # at the end of the program nobody works any more
                leave()


def out_of_memory(error: BaseException) -> bool:
    """Say whether an exception means that memory did not suffice.

    Parameters
    ----------
    error : BaseException
        As torch or Python raised it.

    Returns
    -------
    bool
        Torch says so on the CPU in a ``RuntimeError`` like any other; its words decide.
    """
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return any(words in text for words in ("can't allocate memory", "not enough memory", "out of memory"))


Job = Callable[[], BaseException | None]
Done = Callable[[BaseException | None], None]


class _Worker:
    """A thread that does one job after another, and ends with the program."""

    def __init__(self) -> None:
        self.jobs: queue.SimpleQueue[tuple[Job, Done]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="otoscope-network", daemon=True).start()

    def _run(self) -> None:
        while True:
            job, done = self.jobs.get()
            outcome = job()
            _IDLE.append(self)  # before the caller hears of it, so that the next walk finds this thread
            done(outcome)
            del job, done, outcome


_IDLE: list[_Worker] = []
_UNDER_WAY: set[Callable[[], None]] = set()


def _forget() -> None:
    """Begin anew: a forked process has the lists, and none of the threads."""
    _IDLE.clear()
    _UNDER_WAY.clear()


@atexit.register
def _leave_all() -> None:
    """End what is under way before the interpreter goes: a thread that is stopped inside torch ends the program."""
    while _UNDER_WAY:
        _UNDER_WAY.pop()()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _in_a_thread(job: Job, done: Done) -> None:
    """Do a job in a thread that did earlier ones: a new one would start numerical threads of its own every time."""
    try:
        worker = _IDLE.pop()
    except IndexError:
        worker = _Worker()
    worker.jobs.put((job, done))
