"""Filterbank baselines: log-mel spectra and cepstra, with or without their neighbours in time.

Both look at 25 ms of sound every 10 ms. Frames are centred: frame i looks at the samples from ``160 i - 200`` to
``160 i + 200``, with zeros before the first sample and after the last, and a clip of n samples has
``1 + n // 160`` of them. The periodic Hann window is zero-padded to 1,024 points before the transform, so that no
mel band is empty. Bands are Slaney's (linear below 1 kHz, equal area), from 0 Hz to 8 kHz; logarithms are natural.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import SpecError
from otoscope.frames import FrameGrid
from otoscope.representations.base import Layer, LayerInfo, ModelInfo, check_rate
from otoscope.specs import Setting, check_settings, name_with

__all__ = ["FLOOR", "HOP", "SAMPLE_RATE", "WINDOW", "LogMel", "Mfcc", "mel_grid", "mel_power"]

SAMPLE_RATE = 16_000  # hertz
WINDOW = 400  # samples: 25 ms
HOP = 160  # samples: 10 ms
N_FFT = 1024  # points
FLOOR = 1e-10  # of the power, before the logarithm
_BLOCK = 4096  # frames transformed at a time, so that an hour needs no more memory than a minute
_REVISION = "filterbanks 1"  # raised when the states change
_LICENCE = "MIT (otoscope); the mel bands are librosa's, ISC"

_CONTEXT = Setting(0, "frames appended on each side; the first and the last are repeated", least=0, most=50)


def mel_grid(context: int = 0) -> FrameGrid:
    """Give the clock of centred frames of 400 samples every 160.

    Parameters
    ----------
    context : int, >= 0, frames
        How many neighbours each frame carries on each side: they widen what a frame looks at, and leave its
        centre where it is.

    Returns
    -------
    FrameGrid
        At 16 kHz; the centre of frame i lies at sample ``160 i``.

    Examples
    --------
    >>> mel_grid().centers(3).tolist()
    [0.0, 0.01, 0.02]
    """
    side = context * HOP
    return FrameGrid(SAMPLE_RATE, hop=HOP, receptive_field=WINDOW + 2 * side, start=-WINDOW // 2 - side)


def mel_power(samples: NDArray[np.float32], *, bands: int, n_fft: int = N_FFT) -> NDArray[np.float32]:
    """Give the power in mel bands.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        At 16 kHz; at least one.
    bands : int, > 0
        How many bands there are between 0 Hz and 8 kHz.
    n_fft : int, >= 400, points
        Length of the transform.

    Returns
    -------
    ndarray of float32, shape (1 + n_samples // 160, bands)
        Squared magnitudes, weighted and summed; what ``librosa.feature.melspectrogram`` gives, transposed.
    """
    import scipy.fft

    n_frames = 1 + samples.size // HOP
    padded = np.zeros(samples.size + WINDOW, dtype=np.float32)
    padded[WINDOW // 2 : WINDOW // 2 + samples.size] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    window, filters = _hann(), _mel_filters(bands, n_fft)
    power = np.empty((n_frames, bands), dtype=np.float32)
    for first in range(0, n_frames, _BLOCK):
        part = slice(first, min(first + _BLOCK, n_frames))
        spectrum: NDArray[np.complex128] = np.asarray(scipy.fft.rfft(frames[part] * window, n=n_fft, axis=1))
        squares = np.square(spectrum.real) + np.square(spectrum.imag)
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # beyond single precision: the layer refuses what is not finite
            power[part] = squares.astype(np.float32) @ filters
    return power


@functools.cache
def _hann() -> NDArray[np.float64]:
    """Give the periodic Hann window, shape (400,).

    It is float64, so that the transform is: in float32 the quietest bands of real speech were up to 0.2 % off.
    """
    return np.square(np.sin(np.pi * np.arange(WINDOW) / WINDOW))


@functools.cache
def _mel_filters(bands: int, n_fft: int) -> NDArray[np.float32]:
    """Give the weights of the bands, shape (n_fft // 2 + 1, bands)."""
    import librosa.filters

    return np.ascontiguousarray(librosa.filters.mel(sr=SAMPLE_RATE, n_fft=n_fft, n_mels=bands).T)


def _log(power: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.log(np.maximum(power, np.float32(FLOOR)))


def _with_context(states: NDArray[np.float32], context: int) -> NDArray[np.float32]:
    """Put the neighbours beside each frame, the earliest first: shape (n_frames, dim * (2 * context + 1))."""
    if context == 0:
        return states
    padded = np.pad(states, ((context, context), (0, 0)), mode="edge")
    beside = np.lib.stride_tricks.sliding_window_view(padded, 2 * context + 1, axis=0)
    return np.ascontiguousarray(beside.transpose(0, 2, 1)).reshape(len(states), -1)


@dataclass(frozen=True, slots=True)
class LogMel:
    """The natural logarithm of the power in mel bands.

    Parameters
    ----------
    bands : int, 1 to 256
        How many there are.
    context : int, 0 to 50, frames
        Neighbours appended on each side, the earliest first; the clip's first and last frame are repeated.

    Raises
    ------
    SpecError
        If a setting is out of its range.

    Examples
    --------
    >>> LogMel(context=4).info.name
    'logmel:context=4'
    """

    bands: int = 80
    context: int = 0

    SETTINGS: ClassVar[dict[str, Setting]] = {
        "bands": Setting(80, "mel bands", least=1, most=256),
        "context": _CONTEXT,
    }

    def __post_init__(self) -> None:
        check_settings("logmel", self.SETTINGS, asdict(self))

    @property
    def info(self) -> ModelInfo:
        """What identifies its states."""
        return _info("logmel", "log-mel", self.SETTINGS, self.bands, **asdict(self))

    def layers(self, waveform: Waveform) -> Iterator[Layer]:
        """Hand on the one layer of a clip.

        Parameters
        ----------
        waveform : Waveform
            The whole clip at 16 kHz, of any length.

        Yields
        ------
        Layer
            States of ``bands * (2 * context + 1)`` dimensions.

        Raises
        ------
        DataError
            If the waveform has another rate.
        """
        info = self.info
        check_rate(waveform, info)
        states = _log(mel_power(waveform.samples, bands=self.bands))
        yield Layer(info.layers[0], _with_context(states, self.context), waveform.clip_id)


@dataclass(frozen=True, slots=True)
class Mfcc:
    """Mel-frequency cepstral coefficients: the orthonormal DCT-II of a log-mel spectrum.

    Parameters
    ----------
    bands : int, 1 to 256
        Mel bands that the transform is taken of.
    coefficients : int, 1 to `bands`
        How many are kept, the zeroth (loudness) included.
    context : int, 0 to 50, frames
        Neighbours appended on each side, the earliest first; the clip's first and last frame are repeated.

    Raises
    ------
    SpecError
        If a setting is out of its range.

    Examples
    --------
    >>> Mfcc().info.layers[0].dim
    13
    """

    bands: int = 40
    coefficients: int = 13
    context: int = 0

    SETTINGS: ClassVar[dict[str, Setting]] = {
        "bands": Setting(40, "mel bands", least=1, most=256),
        "coefficients": Setting(13, "cepstral coefficients, the zeroth included", least=1, most=256),
        "context": _CONTEXT,
    }

    def __post_init__(self) -> None:
        check_settings("mfcc", self.SETTINGS, asdict(self))
        if self.coefficients > self.bands:
            raise SpecError(
                f"mfcc: coefficients is {self.coefficients} and bands {self.bands}; "
                "there are no more coefficients than bands"
            )

    @property
    def info(self) -> ModelInfo:
        """What identifies its states."""
        return _info("mfcc", "mfcc", self.SETTINGS, self.coefficients, **asdict(self))

    def layers(self, waveform: Waveform) -> Iterator[Layer]:
        """Hand on the one layer of a clip.

        Parameters
        ----------
        waveform : Waveform
            The whole clip at 16 kHz, of any length.

        Yields
        ------
        Layer
            States of ``coefficients * (2 * context + 1)`` dimensions.

        Raises
        ------
        DataError
            If the waveform has another rate.
        """
        import scipy.fft

        info = self.info
        check_rate(waveform, info)
        spectra = _log(mel_power(waveform.samples, bands=self.bands))
        cepstra = np.asarray(scipy.fft.dct(spectra, type=2, norm="ortho", axis=1))[:, : self.coefficients]
        yield Layer(info.layers[0], _with_context(cepstra, self.context), waveform.clip_id)


def _info(base: str, layer: str, fields: dict[str, Setting], dim: int, **settings: int) -> ModelInfo:
    context = settings["context"]
    return ModelInfo(
        name=name_with(base, fields, settings),
        kind="baseline",
        version=_REVISION,
        settings=settings,
        sample_rate=SAMPLE_RATE,
        layers=(LayerInfo(0, layer, dim * (2 * context + 1), mel_grid(context)),),
        licence=_LICENCE,
        citation=(
            "S. B. Davis and P. Mermelstein, Comparison of parametric representations for monosyllabic word "
            "recognition, IEEE Trans. ASSP 28, 1980"
        ),
    )
