"""Hearing a clip with a network that begins with a stack of convolutions."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import DataError, OtoscopeError, PassingError, SpecError
from otoscope.representations.taps import Tap, TappedNetwork, out_of_memory
from otoscope.representations.upstreams.families import CNN, Outline
from otoscope.representations.upstreams.refusing import cannot_hear

if TYPE_CHECKING:
    import torch

__all__ = ["ConvolutionalHearing", "find_blocks", "normalized"]


def normalized(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring a clip to mean 0 and variance 1.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        Left alone.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        ``(x - mean) / sqrt(variance + 1e-7)``, with moments in double precision. A constant becomes 0.
    """
    mean = samples.mean(dtype=np.float64)
    variance = np.square(samples - mean).mean(dtype=np.float64)
    return ((samples - mean) / math.sqrt(variance + 1e-7)).astype(np.float32)


class ConvolutionalHearing:
    """One opened network with a stack of convolutions.

    Parameters
    ----------
    network : torch.nn.Module
        Weights in place, on its device.
    outline : Outline
        Of the same network.

    Raises
    ------
    SpecError
        If the blocks cannot be found in the network.
    """

    def __init__(self, network: torch.nn.Module, outline: Outline) -> None:
        self.outline = outline
        self._network = network
        first = next(network.parameters())
        self._device, self._dtype = first.device, first.dtype
        self._levelled = bool(outline.settings["normalize"])
        blocks = find_blocks(network, outline)
        taps = [Tap(0, blocks[0], "input")]
        taps += [Tap(index, block, "output") for index, block in enumerate(blocks, start=1)]
        if outline.layers[0].index == CNN:
            taps.insert(0, Tap(CNN, _after_convolutions(network), "input"))
        self._tapped = TappedNetwork(self._forward, taps)
        self._heard_to = CNN - 1  # the deepest layer that a clip ever reached
        self._grids = {layer.index: layer.grid for layer in outline.layers}
        for module in network.modules():
            if type(module).__name__.endswith("RotaryPositionalEmbedding"):
                _serialise(module)

    def _forward(self, batch: torch.Tensor, mask: torch.Tensor | None) -> None:
        if mask is None:
            self._network(batch)
        else:
            self._network(batch, attention_mask=mask)

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
            Of equal length, or any where the outline is paddable; normalised each by itself, then padded with zeros.
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

        lengths = [waveform.samples.size for waveform in waveforms]
        for waveform in waveforms:
            self._check_length(waveform)
        longest = max(lengths)
        mask = None
        if min(lengths) < longest:
            if not self.outline.paddable:
                raise DataError(
                    waveforms[int(np.argmin(lengths))].clip_id,
                    f"clips of {min(lengths)} and {longest} samples cannot be heard together: padding changes the "
                    "states of this network; give clips of equal length, or one at a time",
                )
            mask = (torch.arange(longest)[None, :] < torch.tensor(lengths)[:, None]).long().to(self._device)
        walk = self._tapped.states(self.prepared(waveforms), mask, last=last)
        until = self.outline.layers[-1].index if last is None else last
        try:
            for index, states in walk:
                grid = self._grids[index]
                rows = states.float().cpu().numpy()
                if rows.shape[1] != grid.count(longest):
                    raise SpecError(
                        f"{type(self._network).__name__}: layer {index} has {rows.shape[1]} frames for {longest} "
                        f"samples; the configuration says {grid.count(longest)}"
                    )
                if index == until:
                    self._heard_to = max(self._heard_to, until)
                yield index, [row[: grid.count(length)] for row, length in zip(rows, lengths, strict=True)]
        except OtoscopeError:
            raise
        except Exception as error:  # whatever a network's own forward pass raises
            if not out_of_memory(error):
                if until > self._heard_to:
                    raise cannot_hear(self._network, waveforms, error) from error
                raise
            raise PassingError(
                waveforms[int(np.argmax(lengths))].clip_id,
                f"memory did not suffice for {len(waveforms)} x {longest / self.outline.sample_rate:.1f} s on "
                f"{self._device}; cut the clip, or use a machine with more memory",
            ) from error
        finally:
            walk.close()

    def prepared(self, waveforms: Sequence[Waveform]) -> torch.Tensor:
        """Give what the network is given.

        Parameters
        ----------
        waveforms : sequence of Waveform
            Of any length.

        Returns
        -------
        torch.Tensor, shape (n_clips, n_samples)
            Each normalised by itself where that is set, then padded with zeros; on the network's device.
        """
        import torch

        longest = max(waveform.samples.size for waveform in waveforms)
        batch = torch.zeros((len(waveforms), longest), dtype=torch.float32)
        for row, waveform in zip(batch, waveforms, strict=True):
            samples = normalized(waveform.samples) if self._levelled else waveform.samples.copy()
            row[: samples.size] = torch.from_numpy(samples)
        return batch.to(self._device, self._dtype)

    def _check_length(self, waveform: Waveform) -> None:
        for layer in self.outline.layers:
            if layer.grid.count(waveform.samples.size) == 0:
                raise DataError(
                    waveform.clip_id,
                    f"has {waveform.samples.size} samples; one frame of layer {layer.index} hears "
                    f"{layer.grid.receptive_field}; leave the clip out",
                )


def find_blocks(network: torch.nn.Module, outline: Outline) -> list[torch.nn.Module]:
    """Find the blocks of a network.

    Parameters
    ----------
    network : torch.nn.Module
        With one list of as many blocks as the outline says.
    outline : Outline
        Of the same network.

    Returns
    -------
    list of torch.nn.Module
        In the order in which the network runs them.

    Raises
    ------
    SpecError
        If there is no such list, or more than one.
    """
    import torch

    n_blocks = outline.layers[-1].index
    found = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.ModuleList)
        and len(module) == n_blocks
        and name.startswith("encoder.")
        and name.rpartition(".")[2] in ("layers", "layer")
        and "pos_conv" not in name
    }
    if len(found) != 1:
        lists = ", ".join(found) or "none"
        raise SpecError(f"{type(network).__name__}: one list of {n_blocks} blocks is needed; found {lists}")
    return list(next(iter(found.values())))


def _after_convolutions(network: Any) -> torch.nn.Module:
    """Find what is given the frames of the convolutions, time first."""
    return network.layer_norm if hasattr(network, "layer_norm") else network.feature_projection


def _serialise(module: Any) -> None:
    """Let one thread at a time into a module that keeps what it computed last."""
    forward, lock = module.forward, threading.Lock()

    def one_at_a_time(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return forward(*args, **kwargs)

    module.forward = one_at_a_time
