"""YAAPT as AMFM_decompy decides it: for results that others got with that package.

Its F0 is ``sample_rate / (lag + 1)`` for a peak at `lag`: 9 cents flat at 80 Hz, 43 cents flat at 400 Hz. This is
left as it is; whoever needs unbiased values takes :class:`~otoscope.f0.yaapt.YaaptTracker`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.f0.accepting import check_rate
from otoscope.f0.base import F0Track, TrackerInfo
from otoscope.f0.yaapt_core.settings import COMPARED_MS, CORE_VERSION, FILTER_ORDER, Plan

__all__ = ["FIRST_CENTER_S", "YaaptCompatTracker"]

FIRST_CENTER_S = 0.0104
"""Seconds at which the value of frame 0 really holds, at 16000 Hz; :class:`YaaptCompatTracker` says how measured."""

ADAPTER = 2  # raised when a change in this file changes labels, so that no cache mixes old with new
_MEASURED_AT = 16_000  # hertz; the filter's part of the lag is a number of samples


@dataclass(frozen=True, slots=True, kw_only=True)
class YaaptCompatTracker:
    """The decisions of AMFM_decompy's pYAAPT (1.0.12), bias and all, some ten times faster.

    Parameters
    ----------
    frame_length_ms, hop_ms : float, milliseconds
        Rounded down to whole samples, as the package does: a frame of 16 to 2047 samples, and a hop that is not
        longer. 25 and 20 land on the frames of a 400/320 stack of convolutions; 35 and 10 are the package's own
        defaults.
    f0_min_hz, f0_max_hz : float, hertz
        The range searched; the highest at least twice the lowest.
    sample_rate : int, hertz
        Of the waveforms; above 3000.
    correction : bool
        Whether the measured lag is taken back from the times. Off gives the package's own frame positions.

    Raises
    ------
    SpecError
        If a setting cannot be.

    Notes
    -----
    The method is that of Zahorian and Hu [1]_; the decisions are those of the package, to the last tie where
    rounding allows. On over 250 sets of settings at 4000 to 48000 Hz, on synthetic speech clean, noisy and with
    zeros between, voicing differed on 2 of 260925 frames and F0 by more than 0.1 Hz on 0.05 %; on LibriSpeech
    test-other and FLEURS voicing on none, F0 on 0.14 % at 25/20 and 0.09 % at 35/10. There are paths of equal cost,
    between which the last bit decides; so a gain that is not a power of two, too, moves F0 on 0.1 to 0.25 % of
    frames of speech, and voicing on none. One decision differs on purpose: the package leaves a spectrum as it is
    where its harmonic correlation peaks below 1e-14, which makes its labels depend on the level of faint clips.
    Here they do not.

    Frame i has its nominal centre at ``frame_length_ms / 2 + i * hop_ms``, but at 16000 Hz its value holds at
    10.4 ms + ``i * hop_ms``, whatever the frame length: a causal filter, windows that begin with the frame, and a
    causal mean together. So 2.1 ms are taken back at 25 ms, 7.1 ms at 35 ms. Measured with twelve pairs of
    exponential glides up and down (70-140, 100-200, 120-240, 180-360 Hz at 0.5, 1 and 2 octaves a second; ten
    harmonics in cosine phase): half the difference of the two median errors in cents, divided by the rate of the
    glide. The mean was 2.1 ms at 25/20 (2.3, 2.6, 2.2, 1.5 ms by range) and 7.0 ms at 35/10. Of these the filter
    accounts for 75 samples, so that other sample rates have another constant.

    Voicing depends on means over the whole file: never pad or cut a clip before tracking. A clip that is silent
    (see :meth:`~otoscope.audio.Waveform.is_silent`) is all unvoiced; the package would take a direct current for
    voice at 150 Hz. In noise the package falls back on 150 Hz too; that is kept.

    References
    ----------
    .. [1] S. A. Zahorian and H. Hu, "A spectral/temporal method for robust fundamental frequency tracking",
       J. Acoust. Soc. Am. 123, 2008.
    """

    frame_length_ms: float = 25.0
    hop_ms: float = 20.0
    f0_min_hz: float = 60.0
    f0_max_hz: float = 400.0
    sample_rate: int = 16_000
    correction: bool = True

    def __post_init__(self) -> None:
        for name in ("frame_length_ms", "hop_ms", "f0_min_hz", "f0_max_hz", "sample_rate"):
            value: float = getattr(self, name)
            if not np.isfinite(value) or value <= 0:
                raise SpecError(f"yaapt-compat: {name} is {value:g}; a finite number above 0 is accepted")
        try:
            self._plan  # noqa: B018 - the numbers check themselves
        except SpecError as error:
            raise SpecError(f"yaapt-compat: {str(error).removeprefix('yaapt: ')}") from None

    @property
    def info(self) -> TrackerInfo:
        """What identifies its labels.

        Returns
        -------
        TrackerInfo
            The settings and the version of the core.
        """
        filter_s = FILTER_ORDER / 2 / _MEASURED_AT - FILTER_ORDER / 2 / self.sample_rate
        return TrackerInfo(
            name="yaapt-compat",
            version=CORE_VERSION,
            parameters={
                "frame_length_ms": float(self.frame_length_ms),
                "hop_ms": float(self.hop_ms),
                "f0_min_hz": float(self.f0_min_hz),
                "f0_max_hz": float(self.f0_max_hz),
                "sample_rate": int(self.sample_rate),
                "correction": "on" if self.correction else "off",
                "adapter": ADAPTER,
            },
            correction_s=FIRST_CENTER_S + filter_s - self.frame_length_ms / 2000 if self.correction else 0.0,
        )

    @property
    def least_samples(self) -> int:
        """The shortest clip that the package survives.

        Returns
        -------
        int, samples
            Enough for four of its frames: 1361 at 25 and 20 ms.
        """
        return self._plan.least_samples

    @property
    def _plan(self) -> Plan:
        frame, hop = (int(value * float(self.sample_rate) / 1000) for value in (self.frame_length_ms, self.hop_ms))
        return Plan(int(self.sample_rate), frame, hop, float(self.f0_min_hz), float(self.f0_max_hz))

    def track(self, waveform: Waveform) -> F0Track:
        """Find the F0.

        Parameters
        ----------
        waveform : Waveform
            The whole clip at `sample_rate`.

        Returns
        -------
        F0Track
            All unvoiced where the clip is silent.

        Raises
        ------
        DataError
            If the rate is another one, the clip is too short, or the package would stop at it.
        """
        check_rate("yaapt-compat", waveform, self.sample_rate)
        plan = self._plan
        n_samples = waveform.samples.size
        if n_samples < plan.least_samples:
            raise DataError(
                waveform.clip_id,
                f"lasts {waveform.duration_s * 1000:.1f} ms ({n_samples} samples); yaapt-compat needs at least "
                f"{plan.least_samples * 1000 / self.sample_rate:.2f} ms ({plan.least_samples} samples); leave it out",
            )
        n_frames = plan.count(n_samples)
        hz = np.zeros(n_frames) if waveform.is_silent() else self._decide(waveform, plan)
        voiced = hz > 0
        info = self.info
        times = (plan.frame // 2 + plan.hop * np.arange(n_frames)) / self.sample_rate + info.correction_s
        return F0Track(times, np.where(voiced, hz, np.nan), voiced, info, waveform.clip_id)

    def _decide(self, waveform: Waveform, plan: Plan) -> NDArray[np.float64]:
        """Give the F0 in hertz, 0 where unvoiced."""
        from otoscope.f0.yaapt_core.causal import NoLagsError, causal_f0

        try:
            return causal_f0(waveform.samples, plan=plan)
        except NoLagsError as error:
            raise DataError(
                waveform.clip_id,
                f"yaapt-compat has no lags to search at frame {error.frame}, around {error.track_hz:.1f} Hz: "
                f"AMFM_decompy stops here too; an f0_min_hz above {1000 / COMPARED_MS + 1:.0f} Hz and a range that "
                "holds 150 Hz, where it falls back on noise, are safe",
            ) from error
