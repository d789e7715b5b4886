"""The size of a model: all that the cost of a run depends on, from an opened model or from what is known of it."""

from __future__ import annotations

from dataclasses import dataclass

from otoscope.representations.base import ModelInfo
from otoscope.representations.upstreams.cards import Card

__all__ = ["CHANNELS", "KERNELS", "STRIDES", "ModelShape", "encoder_flops"]

# A stack of seven convolutions over 16 kHz, 512 channels, hop 320: multiplications and additions per second.
KERNELS, STRIDES, CHANNELS = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2), 512
WHISPER_S = 30.0
AST_S, AST_BANDS, AST_PATCH, AST_HOP = 10.24, 128, 16, 160  # seconds, bands, frames and samples


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The size of a model: all that its cost depends on.

    Parameters
    ----------
    name : str
        As in tables.
    layers : tuple of (int, float)
        Dimensions and frames per second of each layer.
    parameters : int
        How many weights; 0 where there are none.
    flops : float or None
        Floating-point operations of a forward pass per second of audio; None where nobody has counted.
    window_s : float, seconds
        The model hears windows of this length, and fills the last one up; 0 where it hears a clip as it is.
    """

    name: str
    layers: tuple[tuple[int, float], ...]
    parameters: int = 0
    flops: float | None = None
    window_s: float = 0.0

    @classmethod
    def of(
        cls, info: ModelInfo, *, parameters: int = 0, flops: float | None = None, window_s: float = 0.0
    ) -> ModelShape:
        """Give the shape of a model that was opened.

        Parameters
        ----------
        info : ModelInfo
            Its layers.
        parameters : int
            How many weights.
        flops : float, optional
            Per second of audio.
        window_s : float, seconds
            Of the windows that it hears; 0 where it hears a clip as it is.

        Returns
        -------
        ModelShape
            In the order of the layers.
        """
        layers = tuple((layer.dim, layer.grid.sample_rate / layer.grid.hop) for layer in info.layers)
        return cls(info.name, layers, parameters, flops, window_s)

    @classmethod
    def of_card(cls, card: Card, *, name: str | None = None) -> ModelShape:
        """Give the shape of a model whose weights are not here.

        Parameters
        ----------
        card : Card
            What is known of it.
        name : str, optional
            In the run; that of the card without it.

        Returns
        -------
        ModelShape
            The input of the first block and the output of each.
        """
        rate = card.grid.sample_rate / card.grid.hop
        parameters = round(1e6 * card.parameters_m)
        layers = ((card.dim, rate),) * (card.n_layers + 1)
        if card.model_type == "audio-spectrogram-transformer":  # one frame stands for a column of patches
            bands = (AST_BANDS - AST_PATCH) // max(1, round(card.grid.hop / AST_HOP)) + 1
            flops = encoder_flops(parameters, card.n_layers, card.dim, bands * rate, clip_s=AST_S, waveform=False)
            return cls(name or card.name, layers, parameters, flops, AST_S)
        windowed = card.model_type == "whisper"
        flops = encoder_flops(
            parameters, card.n_layers, card.dim, rate, clip_s=WHISPER_S if windowed else 10.0, waveform=not windowed
        )
        return cls(name or card.name, layers, parameters, flops, WHISPER_S if windowed else 0.0)

    @property
    def forward_flops(self) -> float:
        """Per second of audio: as given, or of an encoder with these layers."""
        if self.flops is not None:
            return self.flops
        dim, rate = self.layers[-1]
        n_blocks = len(self.layers) - 1
        return encoder_flops(self.parameters or 12 * n_blocks * dim**2, n_blocks, dim, rate)


def encoder_flops(
    parameters: int, n_blocks: int, dim: int, frames_per_s: float, *, clip_s: float = 10.0, waveform: bool = True
) -> float:
    """Count the operations of a transformer encoder, per second of audio.

    Parameters
    ----------
    parameters : int
        Weights; every one outside the convolutions over the waveform is used once for each frame.
    n_blocks : int
        Transformer blocks.
    dim : int
        Of the states.
    frames_per_s : float, hertz
        Of the states.
    clip_s : float, seconds
        Length of a clip: attention grows with it.
    waveform : bool
        Whether there is a stack of seven convolutions over 16 kHz with 512 channels, as in wav2vec 2.0.

    Returns
    -------
    float
        Multiplications and additions.

    Examples
    --------
    HuBERT-base and HuBERT-large:

    >>> sizes = ((94_371_712, 12, 768), (315_438_720, 24, 1024))
    >>> [round(encoder_flops(*size, 50.0) / 1e9, 1) for size in sizes]
    [14.8, 38.5]
    """
    rate, front, weights = 16_000.0, 0.0, 0
    for i, (kernel, stride) in enumerate(zip(KERNELS, STRIDES, strict=True) if waveform else ()):
        rate /= stride
        size = kernel * CHANNELS * (CHANNELS if i else 1)
        weights += size
        front += 2 * rate * size
    attention = 4 * frames_per_s * (frames_per_s * clip_s) * dim
    return front + 2 * frames_per_s * max(parameters - weights, 0) + n_blocks * attention
