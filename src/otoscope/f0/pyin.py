"""Probabilistic YIN, through librosa."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from otoscope.audio import Waveform
from otoscope.errors import SpecError
from otoscope.f0.accepting import check_rate, check_search, frames_of
from otoscope.f0.base import F0Track, TrackerInfo, empty_track
from otoscope.f0.resampling import on_grid
from otoscope.frames import FrameGrid

__all__ = ["PyinTracker"]

ADAPTER = 1  # raised when a change in this file changes labels, so that no cache mixes old with new
SAMPLE_RATE = 16_000
WINDOW = 1024
STEP = 160
HIGHPASS_HZ = 20.0
DITHER = 1e-5  # of the peak: -100 dB
_LEAST_HZ, _MOST_HZ = 32.0, 2000.0  # two periods must fit the window; librosa warns below
_LEAST_RATIO = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PyinTracker:
    """Probabilistic YIN of librosa with windows of 64 ms every 10 ms, put on frames [1]_.

    Frame i has its centre at ``frame_length_ms / 2 + i * hop_ms``; frames that would reach past the end are left
    out, so that with 25 and 20 ms there are as many as a 400/320 stack of convolutions gives. librosa's own frames
    lie at ``i * 10 ms`` from the first sample and are put there by :func:`~otoscope.f0.resampling.on_grid`.

    Parameters
    ----------
    f0_min_hz, f0_max_hz : float, hertz
        The range searched, within 32 to 2000, at least 1.5 times as high as low.
    frame_length_ms, hop_ms : float, milliseconds
        Where values are wanted; whole samples at 16000 Hz. They do not change librosa's windows.
    switch_probability : float, in (0, 1)
        How likely voice begins or ends from one of librosa's frames to the next.

    Raises
    ------
    SpecError
        If a setting cannot be.

    Notes
    -----
    librosa's own choice of 2048 samples is for music: on speech it smears voicing by 50 ms. With 1024 voice still
    begins about 20 ms too early and ends 20 ms too late.

    F0 is one of the pitches ``f0_min_hz * 2 ** (k / 120)``: 10 cents apart, so that a steady tone is up to 5 cents
    off before the errors of the method (6 cents from 60 to 380 Hz with ten harmonics). Within one lag of the highest
    F0 (10 Hz at 400) it may be 17 cents off. Where two frames are interpolated, values between them occur.

    Nothing is taken back from the times. Over twelve pairs of exponential glides up and down (70-140, 100-200,
    120-240, 180-360 Hz at 0.5, 1 and 2 octaves a second; ten harmonics in cosine phase), half the difference of the
    two median errors in cents, divided by the rate of the glide, was 0.1 ms
    (0.3, 0.0, -0.1, 0.1 by range).

    It is the slowest of our trackers: 0.12 s per second of audio, fifteen times as slow as SwiftF0 and Praat. Memory
    grows by 4 MB per second of audio. The first use in a new environment compiles for about 20 s; librosa keeps the
    result beside its own files, where it may write there, or in ``NUMBA_CACHE_DIR``.

    librosa takes digital silence for voice, since zeros repeat at every lag, and a slight offset likewise. So what
    lies below 20 Hz is filtered off (Butterworth of second order in both directions, which moves nothing in time),
    and white noise 100 dB below the clip's peak is added, the same for every clip. A clip that is silent
    (see :meth:`~otoscope.audio.Waveform.is_silent`) is all unvoiced and is not handed to librosa.

    White noise hides voice from pYIN sooner than from the other trackers: at 0 dB it finds next to none.

    References
    ----------
    .. [1] M. Mauch and S. Dixon, "pYIN: a fundamental frequency estimator using probabilistic threshold
       distributions", ICASSP, 2014.
    """

    f0_min_hz: float = 60.0
    f0_max_hz: float = 400.0
    frame_length_ms: float = 25.0
    hop_ms: float = 20.0
    switch_probability: float = 0.01

    def __post_init__(self) -> None:
        check_search("pyin", self.f0_min_hz, self.f0_max_hz, least=_LEAST_HZ, most=_MOST_HZ)
        if self.f0_max_hz < _LEAST_RATIO * self.f0_min_hz:
            raise SpecError(
                f"pyin: f0_max_hz is {self.f0_max_hz:g} and f0_min_hz {self.f0_min_hz:g}; "
                f"at least {_LEAST_RATIO:g} times f0_min_hz is accepted"
            )
        if not 0 < self.switch_probability < 1:
            raise SpecError(
                f"pyin: switch_probability is {self.switch_probability:g}; above 0 and below 1 is accepted"
            )
        frames_of("pyin", self.frame_length_ms, self.hop_ms, SAMPLE_RATE)

    @property
    def sample_rate(self) -> int:
        """The rate of the waveforms that it takes.

        Returns
        -------
        int, hertz
            16000.
        """
        return SAMPLE_RATE

    @property
    def info(self) -> TrackerInfo:
        """What identifies its labels.

        Returns
        -------
        TrackerInfo
            The settings and the version of librosa.
        """
        return TrackerInfo(
            name="pyin",
            version=version("librosa"),
            parameters={
                "f0_min_hz": float(self.f0_min_hz),
                "f0_max_hz": float(self.f0_max_hz),
                "frame_length_ms": float(self.frame_length_ms),
                "hop_ms": float(self.hop_ms),
                "switch_probability": float(self.switch_probability),
                "window": WINDOW,
                "step": STEP,
                "highpass_hz": HIGHPASS_HZ,
                "dither": DITHER,
                "adapter": ADAPTER,
            },
        )

    @property
    def grid(self) -> FrameGrid:
        """Where the frames lie.

        Returns
        -------
        FrameGrid
            At 16000 Hz.
        """
        return frames_of("pyin", self.frame_length_ms, self.hop_ms, SAMPLE_RATE)

    def track(self, waveform: Waveform) -> F0Track:
        """Find the F0.

        Parameters
        ----------
        waveform : Waveform
            The whole clip at 16000 Hz.

        Returns
        -------
        F0Track
            The score is the probability of voicing before the path is chosen, of the nearest frame; NaN in a silent
            clip. A clip without a whole frame gives a track without frames.

        Raises
        ------
        DataError
            If the rate is another one.
        """
        check_rate("pyin", waveform, SAMPLE_RATE)
        return on_grid(self._own_frames(waveform), self.grid, waveform.samples.size)

    def _own_frames(self, waveform: Waveform) -> F0Track:
        """Give librosa's answer on its own frames, 10 ms apart; none for a silent clip."""
        if waveform.is_silent():
            return empty_track(self.info, waveform.clip_id)
        import librosa
        from scipy.signal import butter, sosfiltfilt

        samples = waveform.samples.astype(np.float64)
        samples -= samples.mean()
        filters = butter(2, HIGHPASS_HZ, "highpass", fs=SAMPLE_RATE, output="sos")
        # Mirrored ends of two periods, so that the filter has settled where the clip begins.
        margin = min(samples.size - 1, round(2 * SAMPLE_RATE / HIGHPASS_HZ))
        samples = sosfiltfilt(filters, samples, padlen=margin, padtype="even")
        dither = np.random.default_rng(0).standard_normal(samples.size)
        samples += DITHER * np.abs(samples).max() * dither
        f0_hz, voiced, probability = librosa.pyin(
            samples,
            fmin=float(self.f0_min_hz),
            fmax=float(self.f0_max_hz),
            sr=SAMPLE_RATE,
            frame_length=WINDOW,
            hop_length=STEP,
            switch_prob=float(self.switch_probability),
        )
        times = np.arange(f0_hz.size, dtype=np.float64) * (STEP / SAMPLE_RATE)
        return F0Track(times, f0_hz, voiced, self.info, waveform.clip_id, probability)
