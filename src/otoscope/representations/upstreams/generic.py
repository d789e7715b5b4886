"""Other networks of the library that begin with convolutions on the waveform: taken if they prove their clock.

Nothing is known of them but their configuration: kernels, strides, and how many blocks there are. When one is opened
it hears noise of several lengths; unless every block gives one state, with as many frames as the clock says, and the
same again when run again, it is refused with the reason.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.representations.upstreams.convolutional import Convolutional
from otoscope.representations.upstreams.families import Outline
from otoscope.representations.upstreams.stacked import ConvolutionalHearing
from otoscope.specs import Setting, Value

if TYPE_CHECKING:
    import torch

__all__ = ["GenericFamily", "generic_family", "prove"]


@dataclass(frozen=True, slots=True)
class GenericFamily:
    """A kind of network without a family of its own.

    Parameters
    ----------
    name : str
        Its ``model_type``.
    prefixes : tuple of str
        What may stand before the names of weights.
    """

    name: str
    prefixes: tuple[str, ...]

    optional: ClassVar[tuple[str, ...]] = ("masked_spec_embed",)
    settings: ClassVar[Mapping[str, Setting]] = Convolutional.settings
    citation: ClassVar[str] = "see the model's own card"

    @property
    def model_types(self) -> tuple[str, ...]:
        """The one kind that it takes."""
        return (self.name,)

    @property
    def _as_known(self) -> Convolutional:
        return Convolutional(
            self.name, self.model_types, self.prefixes, self.citation, norm="not known", masks_hold=False
        )

    def outline(self, config: Any, card: Mapping[str, object], chosen: Mapping[str, Value]) -> Outline:
        """Say what a network of this configuration should give.

        Parameters
        ----------
        config : transformers.PretrainedConfig
            Made from ``config.json``.
        card : mapping
            ``preprocessor_config.json``.
        chosen : mapping of str to bool, int, float or str
            ``cnn`` and ``normalize``.

        Returns
        -------
        Outline
            From kernels, strides and sizes alone.

        Raises
        ------
        SpecError
            If the configuration says too little.
        """
        for key in ("hidden_size", "num_hidden_layers", "conv_dim"):
            if not hasattr(config, key):
                raise SpecError(f"config.json: a {self.name} has no {key}; its layers cannot be told")
        return self._as_known.outline(config, card, chosen)

    def build(self, config: Any) -> torch.nn.Module:
        """Make the network with the library's default initialisation.

        Parameters
        ----------
        config : transformers.PretrainedConfig
            As for :meth:`outline`.

        Returns
        -------
        torch.nn.Module
            Without heads.
        """
        return self._as_known.build(config)

    def hear(self, network: torch.nn.Module, outline: Outline, card: Mapping[str, object]) -> ConvolutionalHearing:
        """Set the taps and let the network prove itself.

        Parameters
        ----------
        network : torch.nn.Module
            Weights in place.
        outline : Outline
            Of the same network.
        card : mapping
            Not needed any more.

        Returns
        -------
        ConvolutionalHearing
            Ready to hear clips.

        Raises
        ------
        SpecError
            If it does not give what its configuration says.
        """
        hearing = ConvolutionalHearing(network, outline)
        prove(hearing, name=self.name)
        return hearing


def prove(hearing: ConvolutionalHearing, *, name: str) -> None:
    """Let a network hear noise of several lengths, and hold its states against its clock.

    Parameters
    ----------
    hearing : ConvolutionalHearing
        The opened network.
    name : str
        What to call it in messages.

    Raises
    ------
    SpecError
        If a layer is missing, comes twice or out of order, or has other frames or sizes than the outline says, or a
        second run differs.
    """
    layers = hearing.outline.layers
    hop = max(layer.grid.hop for layer in layers)
    field = max(layer.grid.receptive_field for layer in layers)
    generator = np.random.default_rng(0)
    for n_samples in (field, field + 1, field + hop - 1, field + hop, field + 7 * hop + 3, field + 24 * hop - 1):
        noise = generator.normal(scale=0.1, size=n_samples).astype(np.float32)
        waveform = Waveform(noise, hearing.outline.sample_rate, f"{n_samples} samples of noise")
        try:
            first = list(hearing.walk(waveform))
            second = list(hearing.walk(waveform))
        except (RuntimeError, TypeError, KeyError, IndexError, DataError) as error:
            raise SpecError(f"{name}: cannot hear {n_samples} samples ({error}); it is not followed") from error
        expected = [(layer.index, (layer.grid.count(n_samples), layer.dim)) for layer in layers]
        got = [(index, states.shape) for index, states in first]
        if got != expected:
            raise SpecError(
                f"{name}: {n_samples} samples gave layers {got}; its configuration says {expected}; "
                "it is not followed"
            )
        if not all(np.array_equal(a, b) for (_, a), (_, b) in zip(first, second, strict=True)):
            raise SpecError(f"{name}: gives other states when run again; it is not followed")


@functools.cache
def generic_family(model_type: str) -> GenericFamily | None:
    """Give a family for a kind of network that has none of its own.

    Parameters
    ----------
    model_type : str
        As in ``config.json``.

    Returns
    -------
    GenericFamily or None
        None where the library does not know the kind, or it does not begin with convolutions on the waveform.
    """
    from transformers import MODEL_MAPPING, AutoConfig

    try:
        config = AutoConfig.for_model(model_type)
        if not hasattr(config, "conv_kernel") or not hasattr(config, "conv_stride"):
            return None
        network = MODEL_MAPPING[type(config)]
    except (KeyError, ValueError):
        return None
    if isinstance(network, tuple | list):
        return None
    prefix = str(getattr(network, "base_model_prefix", "") or "")
    return GenericFamily(model_type, tuple(dict.fromkeys((f"{prefix}.", "") if prefix else ("",))))
