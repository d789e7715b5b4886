"""What a family of networks brings, and the families that there are.

A checkpoint names its kind in the ``model_type`` of its ``config.json``. The family of that kind says, from the
configuration alone, which layers there are and on which clock (:meth:`Family.outline`), makes the network
(:meth:`Family.build`), and once the weights are in it, lets it hear clips (:meth:`Family.hear`). Finding, checking
and reading the weights is the same for all, and stands in :mod:`otoscope.representations.upstreams.checkpoint`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import SpecError
from otoscope.representations.base import LayerInfo
from otoscope.specs import Setting, Value

if TYPE_CHECKING:
    import torch

__all__ = ["CNN", "COMMON_SETTINGS", "BatchHearing", "Family", "Hearing", "Outline", "families", "family_of"]

CNN = -1  # index of the layer that a stack of convolutions gives, where that is wanted too
COMMON_SETTINGS: Mapping[str, Setting] = {
    "dtype": Setting(
        "float32",
        "number format of the network; states come out as float32",
        choices=("bfloat16", "float16", "float32"),
    ),
    "revision": Setting("", "branch, tag or commit of a checkpoint on the hub"),
    "heard": Setting("", "languages that it was trained on, such as en_us+fr_fr, where no card says"),
}


@dataclass(frozen=True, slots=True)
class Outline:
    """What is known of a network before its weights are read.

    Parameters
    ----------
    layers : tuple of LayerInfo
        Index 0 is the input of block 1, L the output of block L.
    sample_rate : int, hertz
        Of the waveforms that it takes.
    norm : str
        Where its blocks normalise: ``post-LN`` or ``pre-LN``.
    settings : mapping
        What was resolved, whether chosen or read from the checkpoint, and changes the states (a JSON value): it
        goes into ``ModelInfo.settings``.
    paddable : bool
        Whether clips of unequal length may be heard together, padded and masked, without a change beyond rounding.
    """

    layers: tuple[LayerInfo, ...]
    sample_rate: int
    norm: str
    settings: Mapping[str, object]
    paddable: bool = False


class Hearing(Protocol):
    """One opened network: weights in place, on its device, in evaluation mode, its taps set."""

    def walk(self, waveform: Waveform, *, last: int | None = None) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Hand on the states of one clip, layer by layer, while the network goes on.

        Parameters
        ----------
        waveform : Waveform
            At the outline's rate (checked by the caller).
        last : int, optional
            Index of the last layer that is wanted; what comes after it is not computed.

        Yields
        ------
        index : int
            Of the layer, in the order of the outline.
        states : ndarray of float32, shape (n_frames, dim)
            On the layer's grid; the caller's own.

        Raises
        ------
        DataError
            If the clip is too short, or memory did not suffice.
        """
        ...


@runtime_checkable
class BatchHearing(Protocol):
    """A network that can also hear several clips at once."""

    def walk_together(
        self, waveforms: Sequence[Waveform], *, last: int | None = None
    ) -> Iterator[tuple[int, list[NDArray[np.float32]]]]:
        """Hand on the states of several clips, layer by layer.

        Parameters
        ----------
        waveforms : sequence of Waveform
            Of equal length, or any where the outline says ``paddable``.
        last : int, optional
            As for :meth:`Hearing.walk`.

        Yields
        ------
        index : int
            Of the layer.
        states : list of ndarray of float32, each of shape (n_frames, dim)
            One per clip, cut to its own number of frames.

        Raises
        ------
        DataError
            If a clip is too short, or memory did not suffice.
        """
        ...


class Family(Protocol):
    """One kind of network."""

    @property
    def name(self) -> str:
        """What people call it: ``HuBERT``."""
        ...

    @property
    def model_types(self) -> tuple[str, ...]:
        """Every ``model_type`` of ``config.json`` that it takes."""
        ...

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What may stand before the names of the network's weights in a checkpoint, the longest first; ``""`` too."""
        ...

    @property
    def optional(self) -> tuple[str, ...]:
        """Ends of the names of weights that a checkpoint may lack, as they change no state."""
        ...

    @property
    def settings(self) -> Mapping[str, Setting]:
        """What may be set beside :data:`COMMON_SETTINGS`."""
        ...

    @property
    def citation(self) -> str:
        """Whom to cite."""
        ...

    def outline(self, config: Any, card: Mapping[str, object], chosen: Mapping[str, Value]) -> Outline:
        """Say what a network of this configuration gives.

        Parameters
        ----------
        config : transformers.PretrainedConfig
            Made from ``config.json``; sizes within bounds.
        card : mapping
            ``preprocessor_config.json``; empty where there is none.
        chosen : mapping of str to bool, int, float or str
            Every key of :attr:`settings`, its default where nothing was chosen.

        Returns
        -------
        Outline
            Without having made the network.

        Raises
        ------
        SpecError
            If the configuration is not one that this family can follow.
        """
        ...

    def build(self, config: Any) -> torch.nn.Module:
        """Make the network with the library's default initialisation.

        Parameters
        ----------
        config : transformers.PretrainedConfig
            As for :meth:`outline`.

        Returns
        -------
        torch.nn.Module
            Only the part that hears: no heads, no decoder. It is also made on torch's ``meta`` device, for its
            names and shapes alone.
        """
        ...

    def hear(self, network: torch.nn.Module, outline: Outline, card: Mapping[str, object]) -> Hearing:
        """Set the taps.

        Parameters
        ----------
        network : torch.nn.Module
            What :meth:`build` gave, its weights in place, on its device and in its number format.
        outline : Outline
            What :meth:`outline` gave for it.
        card : mapping
            As for :meth:`outline`.

        Returns
        -------
        Hearing
            Ready to hear clips; also a :class:`BatchHearing` where it can.
        """
        ...


@functools.cache
def families() -> Mapping[str, Family]:
    """Give every family by the ``model_type`` that it takes.

    Returns
    -------
    mapping of str to Family
        A family with several kinds stands under each.
    """
    from otoscope.representations.upstreams.convolutional import CONVOLUTIONAL
    from otoscope.representations.upstreams.spectrogram import AST
    from otoscope.representations.upstreams.whisper import WHISPER

    known: tuple[Any, ...] = (*CONVOLUTIONAL, WHISPER, AST)
    return {kind: family for family in known for kind in family.model_types}


def family_of(model_type: str, *, where: str) -> Family:
    """Find the family of a kind of network.

    Parameters
    ----------
    model_type : str
        As in ``config.json``.
    where : str
        The checkpoint's name, for messages.

    Returns
    -------
    Family
        The one that takes it; for another kind that the library knows and that begins with convolutions on the
        waveform, one that proves itself when it is opened.

    Raises
    ------
    SpecError
        If none does; the message lists all.
    """
    from otoscope.representations.upstreams.generic import generic_family

    family: Any = families().get(model_type) or generic_family(model_type)
    if family is None:
        raise SpecError(
            f"{where}: model_type is {model_type!r}; choose a checkpoint of {', '.join(sorted(families()))}, or of a "
            "kind in transformers whose configuration has conv_kernel and conv_stride"
        )
    return family
