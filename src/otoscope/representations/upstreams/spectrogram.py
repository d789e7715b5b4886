"""The Audio Spectrogram Transformer: patches of a mel spectrogram, transformer blocks over all of them.

**Patches and frames.** The network cuts the spectrogram into patches, in frequency and in time, and keeps one state
for each; a frame of ours is one column of patches. **Its state is the mean over the column's patches**, from the
lowest to the highest band (``pool=mean``, recorded among the settings): what the model knows of single bands is
averaged. The class and distillation tokens belong to no time and are left out.

**Input.** Log-mel energies (Hann windows of 400 samples every 160, the mean of each taken off, pre-emphasis of 0.97,
512-point spectrum, mel bands from 20 Hz to half the rate), less the mean of the training data, divided by twice its
standard deviation; both stand in ``preprocessor_config.json``. They are computed with numpy, whether torchaudio is
installed or not, so that states do not depend on it.

**Clock.** Nothing is padded at the beginning: column ``i`` hears exactly the samples from ``i * hop`` on, where the
hop is 160 samples times the stride in time, and the receptive field ``(patch - 1) * 160 + 400``. Columns that reach
beyond the clip's own mel frames are left out; a clip shorter than one column cannot be used.

**Windows.** The positions are those of a spectrogram of fixed length, ``max_length``. A shorter clip is filled up
with zeros as the model's own feature extractor does: before mean and deviation are applied. A longer one is heard in
windows, one every two thirds of a window, and each column is taken from the window in which it lies farthest from an
edge.

**Layers.** 0 is what block 1 is given: patches with their positions. L is what block L gives, the last one before the
final norm. An untrained copy has no positions: the library draws the weights of the patches and leaves positions and
tokens at 0.

References
----------
Y. Gong, Y.-A. Chung and J. Glass, "AST: Audio Spectrogram Transformer", Interspeech 2021, arXiv 2104.01778.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.frames import FrameGrid
from otoscope.representations.base import LayerInfo
from otoscope.representations.upstreams.families import Outline
from otoscope.representations.upstreams.windowed import WindowedHearing, window_hop
from otoscope.specs import Setting, Value

if TYPE_CHECKING:
    import torch

__all__ = ["AST", "AstFront", "SpectrogramTransformer"]

SAMPLE_RATE = 16_000
MEL_WINDOW = 400  # samples
MEL_HOP = 160  # samples
AUDIOSET_MEAN, AUDIOSET_STD = -4.2677393, 4.5689974  # natural logarithm; the library's defaults
_N_FFT = 512
_LOWEST_HZ = 20.0
_FLOOR = 1.192092955078125e-07  # the resolution of float32, as in Kaldi


@dataclass(frozen=True, slots=True)
class SpectrogramTransformer:
    """The family of AST."""

    name: ClassVar[str] = "AST"
    model_types: ClassVar[tuple[str, ...]] = ("audio-spectrogram-transformer",)
    prefixes: ClassVar[tuple[str, ...]] = ("audio_spectrogram_transformer.", "")
    optional: ClassVar[tuple[str, ...]] = ()
    settings: ClassVar[Mapping[str, Setting]] = {
        "pool": Setting("mean", "how the patches of one moment become one state", choices=("mean",)),
    }
    level: ClassVar[str] = "log-mel, less a mean, over twice a deviation of the training data"
    citation: ClassVar[str] = (
        "Y. Gong, Y.-A. Chung and J. Glass, AST: Audio Spectrogram Transformer, Interspeech 2021, arXiv 2104.01778"
    )

    def outline(self, config: Any, card: Mapping[str, object], chosen: Mapping[str, Value]) -> Outline:
        """Say what a network of this configuration gives.

        Parameters
        ----------
        config : transformers.ASTConfig
            Made from ``config.json``.
        card : mapping
            ``preprocessor_config.json``; without it, mean and deviation are those of AudioSet.
        chosen : mapping of str to bool, int, float or str
            ``pool``.

        Returns
        -------
        Outline
            From sizes alone.

        Raises
        ------
        SpecError
            If the card and the configuration do not fit each other, or no patch fits into the spectrogram.
        """
        front = _front(config, card)
        grid = FrameGrid(
            SAMPLE_RATE, hop=front.stride * MEL_HOP, receptive_field=(front.patch - 1) * MEL_HOP + MEL_WINDOW
        )
        layers = [LayerInfo(0, "input", config.hidden_size, grid)]
        layers += [
            LayerInfo(index, f"block {index}", config.hidden_size, grid)
            for index in range(1, config.num_hidden_layers + 1)
        ]
        return Outline(
            layers=tuple(layers),
            sample_rate=SAMPLE_RATE,
            norm="pre-LN",
            settings={
                "pool": str(chosen["pool"]),
                "pooled_over": f"the {front.rows} patches in frequency of each moment",
                "mean": front.mean,
                "std": front.std,
                "window_s": front.mel_frames * MEL_HOP / SAMPLE_RATE,
                "window_hop_s": window_hop(front.length) * grid.hop / SAMPLE_RATE,
                "padding": "zeros in the log-mel spectrum, to the length of the window",
            },
            paddable=True,
        )

    def build(self, config: Any) -> torch.nn.Module:
        """Make the network with the library's default initialisation.

        Parameters
        ----------
        config : transformers.ASTConfig
            As for :meth:`outline`.

        Returns
        -------
        torch.nn.Module
            Without a classifier.
        """
        from transformers import ASTModel

        return ASTModel(config)

    def hear(self, network: torch.nn.Module, outline: Outline, card: Mapping[str, object]) -> WindowedHearing:
        """Set the taps.

        Parameters
        ----------
        network : torch.nn.Module
            Weights in place.
        outline : Outline
            Of the same network.
        card : mapping
            As for :meth:`outline`.

        Returns
        -------
        WindowedHearing
            Ready to hear clips.
        """
        model: Any = network
        return WindowedHearing(network, list(model.layers), outline.layers, _front(model.config, card))


@dataclass(frozen=True, slots=True)
class AstFront:
    """From sound to windows of mel spectrogram, and from patches to frames.

    Parameters
    ----------
    bands : int, > 0
        Mel bands.
    mel_frames : int, > 0
        Of a window.
    patch : int, > 0
        Bands and mel frames of one patch.
    stride : int, > 0, mel frames
        From one column of patches to the next.
    rows : int, > 0
        Patches in frequency.
    mean, std : float
        Of the training data's log-mel energies; None of either where the card says not to normalise.
    """

    bands: int
    mel_frames: int
    patch: int
    stride: int
    rows: int
    mean: float | None
    std: float | None

    @property
    def length(self) -> int:
        """How many columns of patches one window holds."""
        return (self.mel_frames - self.patch) // self.stride + 1

    def count(self, waveform: Waveform) -> int:
        """Count the columns that lie inside a clip.

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
            If the clip is shorter than one column.
        """
        needed = (self.patch - 1) * MEL_HOP + MEL_WINDOW
        n_samples = waveform.samples.size
        if n_samples < needed:
            raise DataError(
                waveform.clip_id,
                f"has {n_samples} samples; one column of patches hears {needed} "
                f"({1000 * needed / SAMPLE_RATE:g} ms); leave the clip out",
            )
        return (n_samples - needed) // (self.stride * MEL_HOP) + 1

    def inputs(self, waveform: Waveform, firsts: Sequence[int]) -> NDArray[np.float32]:
        """Give the mel spectrogram of every window.

        Parameters
        ----------
        waveform : Waveform
            The clip.
        firsts : sequence of int
            The first column of every window.

        Returns
        -------
        ndarray of float32, shape (n_windows, mel_frames, bands)
            What lies beyond the clip is 0 before mean and deviation are applied.
        """
        mel = log_mel(waveform.samples, bands=self.bands)
        windows = np.zeros((len(firsts), self.mel_frames, self.bands), dtype=np.float32)
        for window, first in zip(windows, firsts, strict=True):
            part = mel[first * self.stride : first * self.stride + self.mel_frames]
            window[: len(part)] = part
        if self.mean is None or self.std is None:
            return windows
        return ((windows - self.mean) / (2 * self.std)).astype(np.float32)

    def frames(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        """Average the patches of each column.

        Parameters
        ----------
        states : ndarray of float32, shape (n_windows, n_tokens, dim)
            Two tokens, then the patches, all columns of the lowest bands first.

        Returns
        -------
        ndarray of float32, shape (n_windows, length, dim)
            The two tokens left out.
        """
        n_windows, _, dim = states.shape
        return states[:, 2:].reshape(n_windows, self.rows, self.length, dim).mean(axis=1)


def log_mel(samples: NDArray[np.float32], *, bands: int) -> NDArray[np.float32]:
    """Give the log-mel energies that AST was trained on.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        At 16 kHz; at least 400.
    bands : int, > 0
        Mel bands.

    Returns
    -------
    ndarray of float32, shape ((n_samples - 400) // 160 + 1, bands)
        Natural logarithm.
    """
    from transformers.audio_utils import spectrogram

    filters, window = _filters(bands)
    return spectrogram(
        samples,
        window,
        frame_length=MEL_WINDOW,
        hop_length=MEL_HOP,
        fft_length=_N_FFT,
        power=2.0,
        center=False,
        preemphasis=0.97,
        mel_filters=filters,
        log_mel="log",
        mel_floor=_FLOOR,
        remove_dc_offset=True,
    ).T


@functools.lru_cache(maxsize=4)
def _filters(bands: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from transformers.audio_utils import mel_filter_bank, window_function

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of 128 bands the fourth lies between two bins: it stays at the floor
        filters = mel_filter_bank(
            num_frequency_bins=_N_FFT // 2 + 1,
            num_mel_filters=bands,
            min_frequency=_LOWEST_HZ,
            max_frequency=SAMPLE_RATE // 2,
            sampling_rate=SAMPLE_RATE,
            norm=None,
            mel_scale="kaldi",
            triangularize_in_mel_space=True,
        )
    return filters, window_function(MEL_WINDOW, "hann", periodic=False)


def _front(config: Any, card: Mapping[str, object]) -> AstFront:
    sizes = {
        name: getattr(config, name)
        for name in ("num_mel_bins", "max_length", "patch_size", "time_stride", "frequency_stride")
    }
    if any(type(value) is not int or value <= 0 for value in sizes.values()):
        listed = ", ".join(f"{name} is {value!r}" for name, value in sizes.items())
        raise SpecError(f"config.json: {listed}; whole numbers above 0 are needed")
    bands, mel_frames, patch, stride, across = sizes.values()
    if patch > min(bands, mel_frames):
        raise SpecError(
            f"config.json: a patch of {patch} x {patch} does not fit into {bands} bands and {mel_frames} mel frames"
        )
    fixed = {"sampling_rate": SAMPLE_RATE, "num_mel_bins": bands, "max_length": mel_frames}
    for key, value in fixed.items():
        if card.get(key, value) != value:
            raise SpecError(f"preprocessor_config.json: {key} is {card[key]!r}, and this network needs {value!r}")
    normalised = card.get("do_normalize", True)
    if not isinstance(normalised, bool):
        raise SpecError(f"preprocessor_config.json: do_normalize is {normalised!r}; true or false is needed")
    mean, std = _number(card, "mean", AUDIOSET_MEAN), _number(card, "std", AUDIOSET_STD)
    if std <= 0:
        raise SpecError(f"preprocessor_config.json: std is {std!r}; a number above 0 is needed")
    return AstFront(
        bands,
        mel_frames,
        patch,
        stride,
        rows=(bands - patch) // across + 1,
        mean=mean if normalised else None,
        std=std if normalised else None,
    )


def _number(card: Mapping[str, object], key: str, default: float) -> float:
    value = card.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SpecError(f"preprocessor_config.json: {key} is {value!r}; a number is needed")
    return float(value)


AST = SpectrogramTransformer()
