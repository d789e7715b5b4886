"""One clip, and the spectra that several groups of features need of it, each computed once and only if needed."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform, resample
from otoscope.errors import DataError

__all__ = ["HOP", "LEVEL", "MIN_DURATION_S", "N_FFT", "SAMPLE_RATE", "Sound"]

SAMPLE_RATE = 22_050  # hertz, of everything that features are computed from
N_FFT = 2048  # samples: 93 ms
HOP = 512  # samples: 23 ms
LEVEL = 0.1  # root mean square that `levelled` has: -20 dB below full scale
MIN_DURATION_S = 0.5


class Sound:
    """A clip to be described.

    Parameters
    ----------
    waveform : Waveform
        At any rate; brought to 22,050 Hz.

    Raises
    ------
    DataError
        If it is silent, or shorter than half a second.
    """

    def __init__(self, waveform: Waveform) -> None:
        if waveform.duration_s < MIN_DURATION_S:
            raise DataError(
                waveform.clip_id,
                f"lasts {waveform.duration_s:.3g} s; features need at least {MIN_DURATION_S:g} s",
            )
        if waveform.is_silent():
            raise DataError(waveform.clip_id, "is silent: nothing in it rises above -80 dB of full scale")
        self.waveform = resample(waveform, SAMPLE_RATE)

    @property
    def clip_id(self) -> str:
        """The clip."""
        return self.waveform.clip_id

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return self.waveform.duration_s

    @cached_property
    def samples(self) -> NDArray[np.float32]:
        """The signal at 22,050 Hz at its own level, its mean taken off, shape (n_samples,)."""
        raw = self.waveform.samples
        return raw - raw.mean(dtype=np.float64).astype(np.float32)

    @cached_property
    def levelled(self) -> NDArray[np.float32]:
        """The signal brought to a root mean square of 0.1: for features that shall not know the level."""
        rms = float(np.sqrt(np.mean(np.square(self.samples, dtype=np.float64))))
        return (self.samples * (LEVEL / rms)).astype(np.float32)

    @cached_property
    def power(self) -> NDArray[np.float32]:
        """Power spectrum of `levelled`, shape (1025, n_frames): Hann windows of 2048 samples, one every 512.

        Frame i is centred at sample ``512 * i``; the ends are padded with zeros.
        """
        import librosa

        spectrum = librosa.stft(self.levelled, n_fft=N_FFT, hop_length=HOP)
        return np.square(np.abs(spectrum)).astype(np.float32)

    @cached_property
    def frequencies(self) -> NDArray[np.float64]:
        """Of the rows of `power`, shape (1025,), hertz."""
        spectrum = np.arange(N_FFT // 2 + 1, dtype=np.float64)
        return spectrum * (SAMPLE_RATE / N_FFT)

    @cached_property
    def mel_power(self) -> NDArray[np.float32]:
        """Power in 128 mel bands (Slaney, 0 to 11,025 Hz), shape (128, n_frames)."""
        import librosa

        return librosa.feature.melspectrogram(S=self.power, sr=SAMPLE_RATE, n_mels=128).astype(np.float32)

    @cached_property
    def mel_db(self) -> NDArray[np.float32]:
        """`mel_power` in decibels, at most 80 below its peak, shape (128, n_frames)."""
        import librosa

        return librosa.power_to_db(self.mel_power, ref=1.0, amin=1e-10, top_db=80.0).astype(np.float32)

    @cached_property
    def frame_rms_db(self) -> NDArray[np.float64]:
        """Level of each frame of 2048 samples at the clip's own level, dB below full scale, shape (n_frames,).

        At least -80.
        """
        import librosa

        rms = librosa.feature.rms(y=self.samples, frame_length=N_FFT, hop_length=HOP)[0]
        level = np.maximum(rms, 1e-4).astype(np.float64)
        return (20 * np.log10(level)).astype(np.float64)

    @cached_property
    def onset_strength(self) -> NDArray[np.float64]:
        """Rise of the mel spectrum from frame to frame, in dB averaged over bands, shape (n_frames,)."""
        import librosa

        return librosa.onset.onset_strength(S=self.mel_db, sr=SAMPLE_RATE, hop_length=HOP).astype(np.float64)
