"""Hearing clips through windows of one length: what Whisper's encoder and AST share.

All windows have the same shape, whatever the clips' lengths, so those of one clip, or of several, run through the
network together. Of a long clip at most :data:`TOGETHER` at a time; the parts are walked layer by layer side by side,
so that no more than a few layers are in memory.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import OtoscopeError, PassingError
from otoscope.representations.base import LayerInfo
from otoscope.representations.taps import Tap, TappedNetwork, out_of_memory
from otoscope.representations.upstreams.refusing import cannot_hear
from otoscope.representations.upstreams.windows import Window, cover

if TYPE_CHECKING:
    import torch

__all__ = ["TOGETHER", "Front", "WindowedHearing", "window_hop"]

TOGETHER = 8  # windows in one batch


def window_hop(length: int) -> int:
    """Say how far one window begins after the one before.

    Parameters
    ----------
    length : int, > 0, frames
        Of a window.

    Returns
    -------
    int, frames
        Two thirds of it, rounded down, at least 1: every frame then has a sixth of a window on both sides, save near
        the ends of the clip.

    Examples
    --------
    >>> window_hop(1500)
    1000
    """
    return max(1, 2 * length // 3)


class Front(Protocol):
    """From sound to what the network is given, and from what it gives to frames."""

    @property
    def length(self) -> int:
        """How many frames one window holds."""
        ...

    def count(self, waveform: Waveform) -> int:
        """Count the frames of a clip.

        Parameters
        ----------
        waveform : Waveform
            The clip.

        Returns
        -------
        int
            At least 1.

        Raises
        ------
        DataError
            If the clip is too short for one.
        """
        ...

    def inputs(self, waveform: Waveform, firsts: Sequence[int]) -> NDArray[np.float32]:
        """Prepare the windows of a clip.

        Parameters
        ----------
        waveform : Waveform
            The clip.
        firsts : sequence of int
            The first frame of every window.

        Returns
        -------
        ndarray of float32, shape (n_windows, ...)
            What the network takes.
        """
        ...

    def frames(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn what a block has into frames.

        Parameters
        ----------
        states : ndarray of float32, shape (n_windows, n_tokens, dim)
            As the network has it.

        Returns
        -------
        ndarray of float32, shape (n_windows, length, dim)
            One row per frame of the window.
        """
        ...


class WindowedHearing:
    """One opened network that hears windows.

    Parameters
    ----------
    network : torch.nn.Module
        Weights in place, on its device.
    blocks : sequence of torch.nn.Module
        Its blocks, in the order in which they run.
    layers : tuple of LayerInfo
        From layer 0 to the last block, all on one grid.
    front : Front
        What stands before and behind the network.
    """

    def __init__(
        self, network: torch.nn.Module, blocks: Sequence[torch.nn.Module], layers: tuple[LayerInfo, ...], front: Front
    ) -> None:
        first = next(network.parameters())
        self._network, self._device, self._dtype = network, first.device, first.dtype
        self._front, self._dims = front, {layer.index: layer.dim for layer in layers}
        self._heard_to = -1  # the deepest layer that a clip ever reached
        taps = [Tap(0, blocks[0], "input"), *(Tap(index, block) for index, block in enumerate(blocks, start=1))]
        self._tapped = TappedNetwork(self._forward, taps)

    def _forward(self, inputs: torch.Tensor) -> None:
        self._network(inputs)

    def walk(self, waveform: Waveform, *, last: int | None = None) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Hand on the states of one clip, layer by layer.

        Parameters
        ----------
        waveform : Waveform
            At the outline's rate.
        last : int, optional
            Index of the last layer that is wanted.

        Yields
        ------
        index : int
            Of the layer.
        states : ndarray of float32, shape (n_frames, dim)
            On the layer's grid.

        Raises
        ------
        DataError
            If the clip is too short, or memory did not suffice.
        """
        for index, states in self.walk_together([waveform], last=last):
            yield index, states[0]

    def walk_together(
        self, waveforms: Sequence[Waveform], *, last: int | None = None
    ) -> Iterator[tuple[int, list[NDArray[np.float32]]]]:
        """Hand on the states of several clips, layer by layer.

        Parameters
        ----------
        waveforms : sequence of Waveform
            Of any lengths: every window is padded to the same length anyway.
        last : int, optional
            Index of the last layer that is wanted.

        Yields
        ------
        index : int
            Of the layer.
        states : list of ndarray of float32, each of shape (n_frames, dim)
            One per clip.

        Raises
        ------
        DataError
            If a clip is too short, or memory did not suffice.
        SpecError
            If the network fails at the first clips that it is given.
        """
        import torch

        length = self._front.length
        counts = [self._front.count(waveform) for waveform in waveforms]
        plans = [cover(count, length=length, hop=window_hop(length)) for count in counts]
        inputs = np.concatenate(
            [
                self._front.inputs(waveform, [window.first for window in plan])
                for waveform, plan in zip(waveforms, plans, strict=True)
            ]
        )
        walks = [
            self._tapped.states(torch.from_numpy(part).to(self._device, self._dtype), last=last)
            for part in (inputs[i : i + TOGETHER] for i in range(0, len(inputs), TOGETHER))
        ]
        places = [(clip, window) for clip, plan in enumerate(plans) for window in plan]
        until = max(self._dims) if last is None else last
        try:
            for parts in zip(*walks, strict=True):
                index = parts[0][0]
                kept = [np.empty((count, self._dims[index]), dtype=np.float32) for count in counts]
                for start, (_, states) in zip(range(0, len(places), TOGETHER), parts, strict=True):
                    self._place(kept, places[start : start + TOGETHER], states)
                if index == until:
                    self._heard_to = max(self._heard_to, until)
                yield index, kept
        except OtoscopeError:
            raise
        except Exception as error:  # whatever a network's own forward pass raises
            if not out_of_memory(error):
                if until > self._heard_to:
                    raise cannot_hear(self._network, waveforms, error) from error
                raise
            longest = max(waveforms, key=lambda waveform: waveform.samples.size)
            raise PassingError(
                longest.clip_id,
                f"memory did not suffice for {len(places)} windows on {self._device}; cut the clip, or use a machine "
                "with more memory",
            ) from error
        finally:
            for walk in walks:
                cast("Generator[object]", walk).close()

    def own_states(self, network: Any, waveform: Waveform) -> dict[int, NDArray[np.float32]]:
        """Give the hidden states that the library's own output carries, on the same frames, to compare with.

        Parameters
        ----------
        network : torch.nn.Module
            Another one with the same weights, without taps.
        waveform : Waveform
            No longer than one window.

        Returns
        -------
        dict of int to ndarray of float32, shape (n_frames, dim)
            By the index of the layer. The last is left out where the library gives it after the final norm.

        Raises
        ------
        DataError
            If the clip is too short.
        """
        import torch

        count = self._front.count(waveform)
        plan = cover(count, length=self._front.length, hop=self._front.length)
        inputs = torch.from_numpy(self._front.inputs(waveform, [window.first for window in plan[:1]]))
        with torch.no_grad():
            output = network(inputs.to(self._device, self._dtype), output_hidden_states=True)
        hidden = list(output.hidden_states)
        if torch.equal(hidden[-1], output.last_hidden_state):
            hidden.pop()
        frames = [self._front.frames(states.float().cpu().numpy())[0] for states in hidden]
        return {index: rows[: plan[0].end] for index, rows in enumerate(frames)}

    def _place(self, kept: list[NDArray[np.float32]], places: Sequence[tuple[int, Window]], states: Any) -> None:
        frames = self._front.frames(states.float().cpu().numpy())
        for (clip, window), rows in zip(places, frames, strict=True):
            kept[clip][window.begin : window.end] = rows[window.inside]
