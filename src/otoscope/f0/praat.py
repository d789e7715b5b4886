"""Praat's autocorrelation method, through parselmouth.

parselmouth carries Praat, which is under the GPL 3: it is the extra ``praat`` and is loaded only when asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from otoscope.audio import Waveform
from otoscope.errors import SpecError
from otoscope.f0.accepting import check_rate, check_search, frames_of, require
from otoscope.f0.base import F0Track, TrackerInfo, empty_track
from otoscope.f0.resampling import on_grid
from otoscope.frames import FrameGrid

__all__ = ["PraatTracker"]

ADAPTER = 1  # raised when a change in this file changes labels, so that no cache mixes old with new
SAMPLE_RATE = 16_000
STEP_S = 0.005
_LEAST_HZ, _MOST_HZ = 20.0, 2000.0
_PERIODS = 3  # of the lowest F0: what one window of the method holds
_MORE_CANDIDATES = 15  # Praat's own default
_OCTAVE_COST, _OCTAVE_JUMP_COST, _VOICED_UNVOICED_COST = 0.01, 0.35, 0.14  # Praat's own defaults


@dataclass(frozen=True, slots=True, kw_only=True)
class PraatTracker:
    """Praat's "To Pitch (ac)" every 5 ms, put on frames [1]_.

    Frame i has its centre at ``frame_length_ms / 2 + i * hop_ms``; frames that would reach past the end are left
    out, so that with 25 and 20 ms there are as many as a 400/320 stack of convolutions gives. Praat's own frames are
    centred in the clip, so that their times depend on its length; they are put there by
    :func:`~otoscope.f0.resampling.on_grid`.

    Parameters
    ----------
    f0_min_hz, f0_max_hz : float, hertz
        Praat's floor and ceiling, within 20 to 2000. The window lasts three periods of the floor: 50 ms at 60 Hz.
    frame_length_ms, hop_ms : float, milliseconds
        Where values are wanted; whole samples at 16000 Hz. They do not change Praat's windows.
    silence_threshold : float, in [0, 1)
        Frames that peak below this share of the clip's peak tend to be unvoiced.
    voicing_threshold : float, in (0, 1)
        Frames with a weaker normalised autocorrelation tend to be unvoiced.

    Raises
    ------
    SpecError
        If a setting cannot be, or the package is not installed.

    Notes
    -----
    The costs of octaves, of jumps by octaves and of changes of voicing are Praat's defaults (0.01, 0.35, 0.14). The
    step of 5 ms is finer than Praat's own choice (three quarters of the floor's period, 12.5 ms at 60 Hz): voicing is
    found a little better than at 20 ms, and onsets fall nearer the truth.

    Nothing is taken back from the times. Over twelve pairs of exponential glides up and down (70-140, 100-200,
    120-240, 180-360 Hz at 0.5, 1 and 2 octaves a second; ten harmonics in cosine phase), half the difference of the
    two median errors in cents, divided by the rate of the glide, was -0.03 ms
    in every range.

    Praat shares the frames among as many threads as there are cores; the results do not depend on it.

    Praat has no frame within half a window of either end: there the track is unvoiced and its score NaN (at 60 Hz the
    frame at 12.5 ms may be one). A clip shorter than a window is all unvoiced, and so is one that is silent
    (see :meth:`~otoscope.audio.Waveform.is_silent`), which is not handed to Praat.

    References
    ----------
    .. [1] P. Boersma, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio
       of a sampled sound", Proceedings of the Institute of Phonetic Sciences Amsterdam 17, 1993.
    """

    f0_min_hz: float = 60.0
    f0_max_hz: float = 400.0
    frame_length_ms: float = 25.0
    hop_ms: float = 20.0
    silence_threshold: float = 0.03
    voicing_threshold: float = 0.45

    def __post_init__(self) -> None:
        require("praat", "parselmouth", "praat")
        check_search("praat", self.f0_min_hz, self.f0_max_hz, least=_LEAST_HZ, most=_MOST_HZ)
        if not 0 <= self.silence_threshold < 1:
            raise SpecError(
                f"praat: silence_threshold is {self.silence_threshold:g}; at least 0 and below 1 is accepted"
            )
        if not 0 < self.voicing_threshold < 1:
            raise SpecError(
                f"praat: voicing_threshold is {self.voicing_threshold:g}; above 0 and below 1 is accepted"
            )
        frames_of("praat", self.frame_length_ms, self.hop_ms, SAMPLE_RATE)

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
            The settings and the version of parselmouth, which fixes that of Praat.
        """
        return TrackerInfo(
            name="praat",
            version=version("praat-parselmouth"),
            parameters={
                "f0_min_hz": float(self.f0_min_hz),
                "f0_max_hz": float(self.f0_max_hz),
                "frame_length_ms": float(self.frame_length_ms),
                "hop_ms": float(self.hop_ms),
                "silence_threshold": float(self.silence_threshold),
                "voicing_threshold": float(self.voicing_threshold),
                "step_ms": 1000 * STEP_S,
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
        return frames_of("praat", self.frame_length_ms, self.hop_ms, SAMPLE_RATE)

    def track(self, waveform: Waveform) -> F0Track:
        """Find the F0.

        Parameters
        ----------
        waveform : Waveform
            The whole clip at 16000 Hz.

        Returns
        -------
        F0Track
            The score is Praat's strength of what it chose: the normalised autocorrelation, and 0 where unvoiced. NaN
            where Praat has no frame, and in a silent clip. A clip without a whole frame gives a track without frames.

        Raises
        ------
        DataError
            If the rate is another one.
        """
        check_rate("praat", waveform, SAMPLE_RATE)
        return on_grid(self._own_frames(waveform), self.grid, waveform.samples.size)

    def _own_frames(self, waveform: Waveform) -> F0Track:
        """Give Praat's answer on its own frames, 5 ms apart; none for a silent clip or one shorter than a window."""
        window = _PERIODS * SAMPLE_RATE / self.f0_min_hz
        if waveform.samples.size < window or waveform.is_silent():
            return empty_track(self.info, waveform.clip_id)
        import parselmouth

        pitch = parselmouth.Sound(waveform.samples.astype(np.float64), SAMPLE_RATE).to_pitch_ac(
            STEP_S,
            float(self.f0_min_hz),
            _MORE_CANDIDATES,
            False,  # very_accurate: a Gaussian window, twice as long
            float(self.silence_threshold),
            float(self.voicing_threshold),
            _OCTAVE_COST,
            _OCTAVE_JUMP_COST,
            _VOICED_UNVOICED_COST,
            float(self.f0_max_hz),
        )
        best = pitch.selected_array
        f0_hz, strength = np.array(best["frequency"]), np.array(best["strength"])
        voiced = f0_hz > 0
        return F0Track(
            np.array(pitch.xs()), np.where(voiced, f0_hz, np.nan), voiced, self.info, waveform.clip_id, strength
        )
