"""Networks that hear the waveform through a stack of unpadded convolutions: HuBERT, wav2vec 2.0 and their relatives.

**Clock.** The stack has no padding, so frame ``i`` hears exactly the samples from ``i * hop`` on, as many as its
receptive field; both follow from the kernels and strides of the configuration. SEW squeezes two frames into one
before its first block. What the blocks add (positional convolutions, attention) reaches over the whole clip; the
clock stays that of the stack.

**Layers.** 0 is what block 1 is given: the projected frames with their positions, normalised where the architecture
normalises first. L is what block L gives, before any norm that follows the last block. ``cnn=on`` adds the frames as
the stack gives them, before they are normalised and projected, as layer -1. States are taken by hooks: what a library
calls hidden states differs between its releases, and for the last block between families.

**Level.** Most of these networks were trained on waveforms brought to mean 0 and variance 1 per clip, some were not;
the checkpoint's card says which, and ``normalize`` overrides it.

**Several clips at once.** Where the stack ends in layer norms, a clip that is padded and masked gives the states that
it gives alone, up to rounding. Group norm takes its statistics over time, padding included, whatever the mask says;
and convolutions behind the mask (Data2Vec's stacked positions, the Conformer's blocks, SEW's squeeze) let padding
leak in. Such networks take clips of equal length only, and so does WavLM, whose masks torch is about to refuse.

References
----------
W.-N. Hsu et al., HuBERT, IEEE/ACM TASLP 29, 2021; A. Baevski et al., wav2vec 2.0, NeurIPS 2020; S. Chen et al.,
WavLM, IEEE JSTSP 16, 2022; C. Wang et al., UniSpeech, ICML 2021; S. Chen et al., UniSpeech-SAT, ICASSP 2022; A.
Baevski et al., data2vec, ICML 2022; F. Wu et al., Performance-efficiency trade-offs (SEW), ICASSP 2022.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from otoscope.errors import SpecError
from otoscope.frames import FrameGrid
from otoscope.representations.base import LayerInfo
from otoscope.representations.upstreams.families import CNN, Outline
from otoscope.representations.upstreams.stacked import ConvolutionalHearing
from otoscope.specs import Setting, Value

if TYPE_CHECKING:
    import torch

__all__ = ["CONVOLUTIONAL", "Convolutional", "stack_grid"]

SAMPLE_RATE = 16_000  # where the card says nothing

_LEVELS = Setting(
    "card",
    "mean 0 and variance 1 per clip: as the checkpoint's preprocessor_config.json says, always, or never",
    choices=("card", "off", "on"),
)
_CNN = Setting(False, "the output of the convolutions too, as layer -1")


@dataclass(frozen=True, slots=True)
class Convolutional:
    """A family whose networks begin with a stack of convolutions.

    Parameters
    ----------
    name : str
        What people call it.
    model_types : tuple of str
        The ``model_type`` of ``config.json``.
    prefixes : tuple of str
        What may stand before the names of weights.
    citation : str
        Whom to cite.
    norm : str or None
        Where blocks normalise; None where the configuration's ``do_stable_layer_norm`` says it.
    masks_hold : bool
        Whether nothing behind the mask mixes neighbouring frames after padding was set to zero.
    always_layer_norm : bool
        Whether every convolution has a layer norm, whatever the configuration says.
    """

    name: str
    model_types: tuple[str, ...]
    prefixes: tuple[str, ...]
    citation: str
    norm: str | None = None
    masks_hold: bool = True
    always_layer_norm: bool = False
    optional: tuple[str, ...] = field(default=("masked_spec_embed",))

    settings: ClassVar[Mapping[str, Setting]] = {"cnn": _CNN, "normalize": _LEVELS}

    def outline(self, config: Any, card: Mapping[str, object], chosen: Mapping[str, Value]) -> Outline:
        """Say what a network of this configuration gives.

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
            If kernels and strides do not fit each other, or nothing says whether clips are normalised.
        """
        rate = card.get("sampling_rate", SAMPLE_RATE)
        if type(rate) is not int or not 1000 <= rate <= 192_000:
            raise SpecError(f"preprocessor_config.json: sampling_rate is {rate!r}; 1000 to 192000 Hz are accepted")
        cnn, squeezed = stack_grid(config, sample_rate=rate)
        levelled = _levelled(str(chosen["normalize"]), card)
        layers = [LayerInfo(0, "input", config.hidden_size, squeezed)]
        layers += [
            LayerInfo(index, f"block {index}", config.hidden_size, squeezed)
            for index in range(1, config.num_hidden_layers + 1)
        ]
        if chosen["cnn"]:
            layers.insert(0, LayerInfo(CNN, "cnn", int(config.conv_dim[-1]), cnn))
        layer_norm = self.always_layer_norm or getattr(config, "feat_extract_norm", "group") == "layer"
        stable = getattr(config, "do_stable_layer_norm", False)
        return Outline(
            layers=tuple(layers),
            sample_rate=rate,
            norm=self.norm or ("pre-LN" if stable else "post-LN"),
            settings={"cnn": bool(chosen["cnn"]), "normalize": levelled},
            paddable=layer_norm and self.masks_hold,
        )

    def build(self, config: Any) -> torch.nn.Module:
        """Make the network with the library's default initialisation.

        Parameters
        ----------
        config : transformers.PretrainedConfig
            As for :meth:`outline`.

        Returns
        -------
        torch.nn.Module
            Without heads and quantisers.
        """
        from transformers import AutoModel

        return AutoModel.from_config(config, trust_remote_code=False)

    def hear(self, network: torch.nn.Module, outline: Outline, card: Mapping[str, object]) -> ConvolutionalHearing:
        """Set the taps.

        Parameters
        ----------
        network : torch.nn.Module
            Weights in place.
        outline : Outline
            Of the same network.
        card : mapping
            Not needed any more: what it says stands in the outline.

        Returns
        -------
        ConvolutionalHearing
            Ready to hear clips.
        """
        return ConvolutionalHearing(network, outline)


def _family(name: str, model_type: str, prefix: str, citation: str, **more: Any) -> Convolutional:
    return Convolutional(name, (model_type,), (f"{prefix}.", ""), citation, **more)


CONVOLUTIONAL: tuple[Convolutional, ...] = (
    _family("HuBERT", "hubert", "hubert", "W.-N. Hsu et al., HuBERT, IEEE/ACM TASLP 29, 2021"),
    _family("wav2vec 2.0", "wav2vec2", "wav2vec2", "A. Baevski et al., wav2vec 2.0, NeurIPS 2020"),
    _family("WavLM", "wavlm", "wavlm", "S. Chen et al., WavLM, IEEE JSTSP 16, 2022", masks_hold=False),
    _family("UniSpeech", "unispeech", "unispeech", "C. Wang et al., UniSpeech, ICML 2021"),
    _family("UniSpeech-SAT", "unispeech-sat", "unispeech_sat", "S. Chen et al., UniSpeech-SAT, ICASSP 2022"),
    _family(
        "Data2Vec-audio",
        "data2vec-audio",
        "data2vec_audio",
        "A. Baevski et al., data2vec, ICML 2022",
        norm="post-LN",
        masks_hold=False,
        always_layer_norm=True,
    ),
    _family(
        "SEW",
        "sew",
        "sew",
        "F. Wu et al., Performance-efficiency trade-offs in unsupervised pre-training, ICASSP 2022",
        norm="post-LN",
        masks_hold=False,
    ),
    _family(
        "wav2vec 2.0 Conformer",
        "wav2vec2-conformer",
        "wav2vec2_conformer",
        "C. Wang et al., fairseq S2T, AACL 2020; A. Gulati et al., Conformer, Interspeech 2020",
        norm="conformer",
        masks_hold=False,
    ),
)


def stack_grid(config: Any, *, sample_rate: int) -> tuple[FrameGrid, FrameGrid]:
    """Give the clocks of a stack of convolutions and of the blocks behind it.

    Parameters
    ----------
    config : transformers.PretrainedConfig
        With ``conv_kernel``, ``conv_stride`` and, where frames are squeezed, ``squeeze_factor``.
    sample_rate : int, hertz
        Of the waveform.

    Returns
    -------
    cnn : FrameGrid
        Of what the convolutions give.
    blocks : FrameGrid
        Of the states: the same, unless frames are squeezed.

    Raises
    ------
    SpecError
        If kernels and strides are no whole numbers above 0, or of unequal number.
    """
    kernels, strides = list(config.conv_kernel), list(config.conv_stride)
    squeeze = getattr(config, "squeeze_factor", 1)
    if any(type(value) is not int or value <= 0 for value in (*kernels, *strides, squeeze)):
        raise SpecError(
            f"config.json: conv_kernel is {kernels}, conv_stride {strides}, squeeze_factor {squeeze!r}; "
            "whole numbers above 0 are needed"
        )
    cnn = FrameGrid.of_convolutions(kernels, strides, sample_rate=sample_rate)
    if squeeze == 1:
        return cnn, cnn
    return cnn, FrameGrid.of_convolutions([*kernels, squeeze], [*strides, squeeze], sample_rate=sample_rate)


def _levelled(chosen: str, card: Mapping[str, object]) -> bool:
    if chosen != "card":
        return chosen == "on"
    said = card.get("do_normalize")
    if not isinstance(said, bool):
        got = "there is no preprocessor_config.json" if not card else f"do_normalize in it is {said!r}"
        raise SpecError(
            f"normalize=card: {got}; say normalize=on or normalize=off (as the model was trained), "
            "or put the model's preprocessor_config.json beside its config.json"
        )
    return said
