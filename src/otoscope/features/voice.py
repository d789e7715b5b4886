"""The lead: pitch, steadiness, hoarseness, resonances and balance where a voice or an instrument can be followed.

The descriptors are those of the extended Geneva minimalistic acoustic parameter set [1]_, implemented anew from their
definitions. It was made for speech. In music "voice" is whatever stands out with a clear pitch between 55 and
1000 Hz: a singer, a lead instrument, often the bass.

References
----------
.. [1] F. Eyben et al., "The Geneva minimalistic acoustic parameter set (GeMAPS) for voice research and affective
   computing", IEEE Trans. Affective Computing 7(2), 2016.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otoscope.features.base import CoreGroup
from otoscope.features.contours import mean_of, run_lengths, slopes_of, smooth, smooth_within, std_of
from otoscope.features.formants import Formants, find_formants, find_notches
from otoscope.features.harmonics import formant_levels, harmonic_levels, harmonics_to_noise
from otoscope.features.periods import find_periods, jitter_and_shimmer
from otoscope.features.sound import Sound
from otoscope.features.voice_spectra import (
    FRAMES_PER_S,
    SHAPES,
    frame_starts,
    short_spectra,
    spectral_shapes,
)
from otoscope.features.voice_words import FEATURES
from otoscope.features.voicing import FRAME, VoiceTrack, track_voice

__all__ = ["GROUP", "describe_voice"]

_FEWEST = 5  # frames with a lead, below which nothing is said of it
_CHUNK = 2000
_LEAST = 0.01  # percent of jitter or dB of shimmer, below which no difference is made
_SHORT = 441  # samples of the short frames
_A0_HZ = 27.5


def _curve_values(name: str, curve: NDArray[np.float64]) -> dict[str, float]:
    """Mean, spread, percentiles and slopes of a curve that is everywhere finite."""
    low, middle, high = np.percentile(curve, [20, 50, 80])
    slopes = slopes_of(curve, FRAMES_PER_S)
    return {
        f"{name}_mean": float(curve.mean()),
        f"{name}_p20": float(low),
        f"{name}_p50": float(middle),
        f"{name}_p80": float(high),
        f"{name}_range": float(high - low),
        f"{name}_rise_mean": _log10(slopes.rise_mean),
        f"{name}_rise_std": _log10(slopes.rise_std),
        f"{name}_fall_mean": _log10(slopes.fall_mean),
        f"{name}_fall_std": _log10(slopes.fall_std),
        f"{name}_peaks": slopes.peaks * FRAMES_PER_S / curve.size,
    }


def _mean_and_spread(name: str, where: str, curve: NDArray[np.float64]) -> dict[str, float]:
    """Mean and standard deviation; of the flux, which is a magnitude, the mean in dB and the relative deviation."""
    mean, spread = mean_of(curve), std_of(curve)
    if name == "flux":
        mean, spread = 20 * _log10(mean), spread / mean if mean > 0 else float("nan")
    return {f"{name}_mean" if not where else f"{name}{where}": mean, f"{name}{where}_std": spread}


def _log10(value: float) -> float:
    return float(np.log10(value)) if value > 0 else float("nan")


def _segments(voiced: NDArray[np.bool_]) -> dict[str, float]:
    """How often and how long the lead is there and away."""
    there = run_lengths(voiced) / FRAMES_PER_S
    away = run_lengths(~voiced) / FRAMES_PER_S
    return {
        "voiced_share": float(voiced.mean()),
        "segments": there.size * FRAMES_PER_S / voiced.size,
        "voiced_length_mean": _log2_mean(there),
        "voiced_length_std": _log2_std(there),
        "unvoiced_length_mean": _log2_mean(away),
        "unvoiced_length_std": _log2_std(away),
    }


def _log2_mean(lengths: NDArray[np.float64]) -> float:
    return float(np.log2(lengths.mean())) if lengths.size else float("nan")


def _log2_std(lengths: NDArray[np.float64]) -> float:
    return float(np.log2(std_of(lengths) + 1 / FRAMES_PER_S))


def _lead_formants(samples: NDArray[np.float32], starts: NDArray[np.int64]) -> tuple[Formants, Formants]:
    """Formants and notches of the frames of 20 ms that start at some samples, found for every second one."""
    found: list[tuple[Formants, Formants]] = []
    for first in range(0, starts.size, 2 * _CHUNK):
        power = short_spectra(samples, starts[first : first + 2 * _CHUNK : 2])
        found.append((find_formants(power), find_notches(power)))
    return _joined([pair[0] for pair in found], starts.size), _joined([pair[1] for pair in found], starts.size)


def _joined(parts: list[Formants], n_frames: int) -> Formants:
    """Join chunks, and give each frame's values to the next one too."""
    hz, width_hz = (np.concatenate([getattr(part, name) for part in parts]) for name in ("hz", "width_hz"))
    return Formants(np.repeat(hz, 2, axis=0)[:n_frames], np.repeat(width_hz, 2, axis=0)[:n_frames])


def _spread_out(values: NDArray[np.float64], voiced: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Put values of the frames with a lead, shape (n_voiced, n), on all frames and smooth them, (n, n_frames)."""
    curves = np.full((values.shape[1], voiced.size), np.nan)
    curves[:, voiced] = values.T
    return smooth_within(curves)


def _lead_curves(samples: NDArray[np.float32], track: VoiceTrack) -> dict[str, NDArray[np.float64]]:
    """Curves of what is only there where a lead is."""
    voiced = track.voiced
    f0_hz, magnitude = track.f0_hz[voiced], track.magnitude[voiced]
    formants, notches = _lead_formants(samples, track.starts[voiced])
    levels = harmonic_levels(magnitude, f0_hz)
    above = formant_levels(levels, f0_hz, formants.hz)
    single = np.stack(
        [
            harmonics_to_noise(magnitude, f0_hz),
            levels[:, 0] - levels[:, 1],
            levels[:, 1] - levels[:, 2],
            levels[:, 1] - levels[:, 0] - above[:, 2],
        ],
        axis=1,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        widths = np.log2(np.maximum(formants.width_hz, 1.0))
        notch_widths = np.log2(np.maximum(notches.width_hz, 1.0))
    columns = np.concatenate([single, formants.hz, widths, above, notches.hz, notch_widths], axis=1)
    names = ["hnr", "h1_h2", "h2_h3", "h2_a3"]
    for family in ("f{}_hz", "f{}_width", "f{}_level", "notch{}_hz", "notch{}_width"):
        names += [family.format(i) for i in (1, 2, 3)]
    curves = dict(zip(names, _spread_out(columns, voiced), strict=True))
    periods = find_periods(samples, track.f0_hz, track.starts, FRAME)
    jitter, shimmer = jitter_and_shimmer(periods, track.starts, round(FRAME / 6))
    curves["jitter"] = smooth_within(np.where(voiced, jitter, np.nan))
    curves["shimmer"] = smooth_within(np.where(voiced, shimmer, np.nan))
    return curves


def describe_voice(samples: NDArray[np.float32]) -> dict[str, float]:
    """Measure everything that the group gives.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        At 22,050 Hz, of a root mean square of 0.1, and at least 60 ms.

    Returns
    -------
    dict of str to float
        By feature name, without the group; what has no value is NaN or left out.
    """
    track = track_voice(samples)
    voiced = track.voiced
    raw = dict(zip(SHAPES, spectral_shapes(samples, frame_starts(samples.size, _SHORT)[: voiced.size]), strict=True))
    shapes = {name: smooth(curve) for name, curve in raw.items()}
    values = _segments(voiced)
    loudness = shapes["loudness"]
    values |= _curve_values("fullness", loudness)
    values["fullness_std"] = float(loudness.std() / loudness.mean())
    for name in ("flux", "mfcc1", "mfcc2", "mfcc3", "mfcc4"):
        values |= _mean_and_spread(name, "", shapes[name])
    for name in SHAPES[1:]:
        away = smooth_within(np.where(voiced, np.nan, raw[name]))
        if np.count_nonzero(~voiced) >= _FEWEST and not name.startswith("mfcc"):
            values[f"{name}_unvoiced"] = _mean_and_spread(name, "", away)[f"{name}_mean"]
        if np.count_nonzero(voiced) >= _FEWEST:
            there = smooth_within(np.where(voiced, raw[name], np.nan))
            values |= _mean_and_spread(name, "_voiced", there)
    if np.count_nonzero(voiced) < _FEWEST:
        return values
    pitch = smooth_within(12 * np.log2(track.f0_hz / _A0_HZ))[voiced]
    values |= _curve_values("pitch", pitch) | {"pitch_std": std_of(pitch)}
    for name, curve in _lead_curves(samples, track).items():
        values |= {f"{name}_mean": mean_of(curve), f"{name}_std": std_of(curve)}
    for name, scale in (("jitter", 100), ("shimmer", 1)):
        for statistic in (f"{name}_mean", f"{name}_std"):
            values[statistic] = float(np.log10(np.maximum(scale * values[statistic], _LEAST)))
    return values


def _measure(sound: Sound) -> NDArray[np.float64]:
    values = describe_voice(sound.levelled)
    nan = float("nan")
    return np.array([values.get(feature.id.removeprefix("voice."), nan) for feature in FEATURES])


GROUP = CoreGroup("voice", "Voice and lead", "1", FEATURES, _measure)
"""What eGeMAPS describes of a voice, asked of any lead, at any level.

NaN for what is said of the lead in clips in which fewer than 5 frames have one, and for what is said of the rest in
clips in which fewer than 5 have none.
"""
