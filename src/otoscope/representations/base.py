"""Layers of states, each with its own clock, and the protocol of the models that give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.frames import FrameGrid
from otoscope.store import digest_of

__all__ = ["Layer", "LayerInfo", "Model", "ModelInfo", "ModelKind", "check_rate"]

ModelKind = Literal["model", "baseline", "untrained"]


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """What is known of a layer before it has seen any sound.

    Parameters
    ----------
    index : int, >= -1
        0 is the input of the first block, L the output of block L; -1 is what lies before the input, where a model
        offers it (the output of its convolutions). Baselines have layer 0 only.
    name : str
        What it is: ``mel``, ``lstm 2``, ``block 6`` ...
    dim : int, > 0
        Size of one state.
    grid : FrameGrid
        Its own clock.
    lag : int, >= 0, samples of the grid's rate
        How much earlier than its centre the signal lies that a state knows best; 0 where the model looks both
        ways, above 0 for causal models.
    """

    index: int
    name: str
    dim: int
    grid: FrameGrid
    lag: int = 0

    def __post_init__(self) -> None:
        if self.index < -1 or self.dim <= 0:
            raise SpecError(f"layer {self.name!r}: index is {self.index}, dim {self.dim}; -1 and 1 are the least")
        if self.lag < 0:
            raise SpecError(f"layer {self.name!r}: lag is {self.lag} samples; a model cannot lag into the future")

    def target_times(self, n_frames: int) -> NDArray[np.float64]:
        """Give the times at which targets are sampled: the frames' centres, less the lag.

        Parameters
        ----------
        n_frames : int, >= 0
            How many frames there are.

        Returns
        -------
        ndarray of float64, shape (n_frames,), seconds
            May begin before 0 for a causal model.
        """
        return self.grid.centers(n_frames) - self.lag / self.grid.sample_rate


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """The states of one layer for one clip.

    Parameters
    ----------
    info : LayerInfo
        Which layer.
    states : ndarray of float32, shape (n_frames, dim)
        Finite. Kept read-only: what one layer hands on may be what the next one reads.
    clip_id : str
        The clip.

    Raises
    ------
    DataError
        If the states have another shape or type, or are not finite.
    """

    info: LayerInfo
    states: NDArray[np.float32]
    clip_id: str

    def __post_init__(self) -> None:
        states = self.states
        if states.ndim != 2 or states.shape[1] != self.info.dim or states.dtype != np.float32:
            raise DataError(
                self.clip_id,
                f"layer {self.info.index} ({self.info.name}) gave {states.dtype} of shape {states.shape}; "
                f"float32 of shape (n_frames, {self.info.dim}) is needed",
            )
        if not np.isfinite(states.sum(dtype=np.float64)):
            dims = np.flatnonzero(~np.isfinite(states).all(axis=0))
            raise DataError(
                self.clip_id,
                f"layer {self.info.index} ({self.info.name}) has states that are not finite in "
                f"{dims.size} dimensions, the first {int(dims[0]) if dims.size else 'none'}",
            )
        kept = states.view()
        kept.flags.writeable = False
        object.__setattr__(self, "states", kept)

    @property
    def n_frames(self) -> int:
        """How many frames there are."""
        return self.states.shape[0]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What identifies a model's states.

    Parameters
    ----------
    name : str
        As on the command line, with every setting that is not the default.
    kind : {"model", "baseline", "untrained"}
        What it stands for in a table.
    version : str
        Revision of the weights, or of the code that stands for them.
    settings : mapping
        Everything else that changes the states: a JSON value.
    sample_rate : int, hertz
        Of the waveforms that it takes.
    layers : tuple of LayerInfo
        In the order in which they are handed on.
    licence : str
        Of the weights or the code.
    citation : str
        Whom to cite.
    twin : str or None
        For an untrained copy, the name of the model that it copies.
    heard : tuple of str or None
        The languages that the model was trained on, by their FLEURS codes, sorted; None where that is not known.
        Nothing for an untrained copy and a baseline. It is no part of the model's identity.
    """

    name: str
    kind: ModelKind
    version: str
    settings: Mapping[str, object]
    sample_rate: int
    layers: tuple[LayerInfo, ...]
    licence: str
    citation: str
    twin: str | None = None
    heard: tuple[str, ...] | None = None

    def describe(self) -> dict[str, object]:
        """Give all that changes the states or their times, as a JSON value.

        Returns
        -------
        dict
            Fit for :func:`otoscope.store.digest_of`.
        """
        return {
            "name": self.name,
            "kind": self.kind,
            "version": self.version,
            "settings": dict(self.settings),
            "sample_rate": self.sample_rate,
            "twin": self.twin,
            "layers": [
                {
                    "index": layer.index,
                    "name": layer.name,
                    "dim": layer.dim,
                    "lag": layer.lag,
                    "grid": {
                        "sample_rate": layer.grid.sample_rate,
                        "hop": layer.grid.hop,
                        "receptive_field": layer.grid.receptive_field,
                        "start": layer.grid.start,
                    },
                }
                for layer in self.layers
            ],
        }

    @property
    def digest(self) -> str:
        """SHA-256 of what :meth:`describe` gives."""
        return digest_of(self.describe())


class Model(Protocol):
    """Turns a waveform into layers of states."""

    @property
    def info(self) -> ModelInfo:
        """What identifies its states."""
        ...

    def layers(self, waveform: Waveform) -> Iterator[Layer]:
        """Hand on the layers of one clip, one at a time.

        Parameters
        ----------
        waveform : Waveform
            The whole clip at ``info.sample_rate``, never padded.

        Yields
        ------
        Layer
            In the order of ``info.layers``; only one needs to be in memory.

        Raises
        ------
        DataError
            If the clip is too short for the model, or a state is not finite.
        """
        ...


def check_rate(waveform: Waveform, info: ModelInfo) -> None:
    """Check that a waveform has the rate that a model takes.

    Parameters
    ----------
    waveform : Waveform
        What the model shall hear.
    info : ModelInfo
        Of the model.

    Raises
    ------
    DataError
        If the rates differ.
    """
    if waveform.sample_rate != info.sample_rate:
        raise DataError(
            waveform.clip_id,
            f"sample_rate is {waveform.sample_rate} Hz and {info.name} takes {info.sample_rate} Hz; "
            "call audio.resample",
        )
