"""The encoder of Whisper: a log-mel spectrum of 30 s, two convolutions, and transformer blocks with positions.

**Windows.** The encoder was trained on 30 s, shorter sound padded with zeros, and hears nothing else. A clip of up to
30 s is heard in one window. A longer one is heard in windows of 30 s every 20 s; each frame is taken from the window
in which it lies farthest from an edge, so that no frame save those near the ends of the clip has less than 5 s of
sound on either side. Only as many frames are kept as have their centre inside the clip.

**Clock.** Mel frames are Hann windows of 400 samples, centred on every 160th sample (sound is mirrored at the ends of
a window of 30 s). The first convolution looks at 3 of them, the second at 3 of the first's and takes every other. So
state ``i`` is centred on sample ``320 i`` and hears five mel frames: ``320 i - 520`` to ``320 i + 520``. There are
``ceil(n / 320)`` of them. Above layer 0 attention reaches over the whole window; the clock stays.

**Level.** The log-mel spectrum is cut off 8 (80 dB) below its largest value *within the window*: one loud moment
changes every frame that is quieter than that, however far away. This is how the model was trained.

**Layers.** 0 is what block 1 is given: the output of the convolutions with the positions added. L is what block L
gives, the last one before the encoder's final layer norm. The decoder is neither read nor run.

References
----------
A. Radford et al., "Robust speech recognition via large-scale weak supervision", ICML 2023, arXiv 2212.04356,
section 2.2.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import SpecError
from otoscope.frames import FrameGrid
from otoscope.representations.base import LayerInfo
from otoscope.representations.upstreams.families import Outline
from otoscope.representations.upstreams.windowed import WindowedHearing, window_hop
from otoscope.specs import Setting, Value

if TYPE_CHECKING:
    import torch

__all__ = ["GRID", "WHISPER", "Whisper", "WhisperFront"]

SAMPLE_RATE = 16_000
MEL_WINDOW = 400  # samples
MEL_HOP = 160  # samples
HOP = 2 * MEL_HOP
_REACH = 2  # mel frames on each side that the two convolutions look at
GRID = FrameGrid(
    SAMPLE_RATE,
    hop=HOP,
    receptive_field=2 * _REACH * MEL_HOP + MEL_WINDOW,
    start=-_REACH * MEL_HOP - MEL_WINDOW // 2,
)
_FIXED: Mapping[str, object] = {
    "sampling_rate": SAMPLE_RATE,
    "n_fft": MEL_WINDOW,
    "hop_length": MEL_HOP,
    "padding_value": 0.0,
    "dither": 0.0,
}


@dataclass(frozen=True, slots=True)
class Whisper:
    """The family of Whisper's encoders."""

    name: ClassVar[str] = "Whisper encoder"
    model_types: ClassVar[tuple[str, ...]] = ("whisper",)
    prefixes: ClassVar[tuple[str, ...]] = ("model.encoder.", "encoder.", "")
    optional: ClassVar[tuple[str, ...]] = ()
    settings: ClassVar[Mapping[str, Setting]] = {}
    level: ClassVar[str] = "log-mel, cut off 80 dB below the loudest of the window"
    citation: ClassVar[str] = (
        "A. Radford et al., Robust speech recognition via large-scale weak supervision, ICML 2023, arXiv 2212.04356"
    )

    def outline(self, config: Any, card: Mapping[str, object], chosen: Mapping[str, Value]) -> Outline:
        """Say what an encoder of this configuration gives.

        Parameters
        ----------
        config : transformers.WhisperConfig
            Made from ``config.json``.
        card : mapping
            ``preprocessor_config.json``; without it, the input is made as Whisper was trained.
        chosen : mapping of str to bool, int, float or str
            Nothing is there to choose.

        Returns
        -------
        Outline
            From sizes alone.

        Raises
        ------
        SpecError
            If the card asks for another log-mel spectrum than the one whose clock is known.
        """
        _check_card(card, {**_FIXED, "feature_size": config.num_mel_bins})
        length = int(config.max_source_positions)
        layers = [LayerInfo(0, "input", config.d_model, GRID)]
        layers += [
            LayerInfo(index, f"block {index}", config.d_model, GRID) for index in range(1, config.encoder_layers + 1)
        ]
        return Outline(
            layers=tuple(layers),
            sample_rate=SAMPLE_RATE,
            norm="pre-LN",
            settings={
                "window_s": length * HOP / SAMPLE_RATE,
                "window_hop_s": window_hop(length) * HOP / SAMPLE_RATE,
                "padding": "zeros to the length of the window",
                "level": self.level,
            },
            paddable=True,
        )

    def build(self, config: Any) -> torch.nn.Module:
        """Make the encoder with the library's default initialisation.

        Parameters
        ----------
        config : transformers.WhisperConfig
            As for :meth:`outline`.

        Returns
        -------
        torch.nn.Module
            Without the decoder.
        """
        from transformers.models.whisper.modeling_whisper import WhisperEncoder

        return WhisperEncoder(config)

    def hear(self, network: torch.nn.Module, outline: Outline, card: Mapping[str, object]) -> WindowedHearing:
        """Set the taps.

        Parameters
        ----------
        network : torch.nn.Module
            The encoder, weights in place.
        outline : Outline
            Of the same encoder.
        card : mapping
            Not needed any more.

        Returns
        -------
        WindowedHearing
            Ready to hear clips.
        """
        encoder: Any = network
        front = WhisperFront(int(encoder.config.max_source_positions), int(encoder.config.num_mel_bins))
        return WindowedHearing(network, list(encoder.layers), outline.layers, front)


@dataclass(frozen=True, slots=True)
class WhisperFront:
    """From sound to windows of log-mel spectrum.

    Parameters
    ----------
    length : int, > 0, frames
        Of a window: half its mel frames.
    bands : int, > 0
        Mel bands.
    """

    length: int
    bands: int

    def count(self, waveform: Waveform) -> int:
        """Count the frames whose centres lie inside a clip.

        Parameters
        ----------
        waveform : Waveform
            The clip.

        Returns
        -------
        int
            ``ceil(n_samples / 320)``.
        """
        return -(-waveform.samples.size // HOP)

    def inputs(self, waveform: Waveform, firsts: Sequence[int]) -> NDArray[np.float32]:
        """Give the log-mel spectrum of every window.

        Parameters
        ----------
        waveform : Waveform
            The clip.
        firsts : sequence of int
            The first frame of every window.

        Returns
        -------
        ndarray of float32, shape (n_windows, bands, 2 * length)
            Each cut off 80 dB below its own largest value.
        """
        size = self.length * HOP
        windows = [waveform.samples[first * HOP : first * HOP + size] for first in firsts]
        extract = _extractor(self.bands)
        made = [
            extract(window, sampling_rate=SAMPLE_RATE, max_length=size, return_tensors="np")["input_features"][0]
            for window in windows
        ]
        return np.stack(made).astype(np.float32, copy=False)

    def frames(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the states as they are: one per frame.

        Parameters
        ----------
        states : ndarray of float32, shape (n_windows, length, dim)
            As the encoder has them.

        Returns
        -------
        ndarray of float32, shape (n_windows, length, dim)
            The same.
        """
        return states


@functools.lru_cache(maxsize=4)
def _extractor(bands: int) -> Any:
    from transformers import WhisperFeatureExtractor

    return WhisperFeatureExtractor(feature_size=bands)


def _check_card(card: Mapping[str, object], fixed: Mapping[str, object]) -> None:
    for key, value in fixed.items():
        if card.get(key, value) != value:
            raise SpecError(
                f"preprocessor_config.json: {key} is {card[key]!r}, and only {value!r} is known for this encoder; "
                "its clock would be another one"
            )


WHISPER = Whisper()
