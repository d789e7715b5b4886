"""The colour of the sound: its coarse shape from low to high, and how tones stand out in each region."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from otoscope.features.base import CoreGroup, Feature
from otoscope.features.sound import SAMPLE_RATE, Sound
from otoscope.features.spectral import LOWEST_ROW, mel_centres
from otoscope.features.weighting import compressed, loudness_weights, weighted_mean, weighted_std

__all__ = ["CONTRAST_EDGES_HZ", "GROUP", "N_WAVES", "colour_waves", "spectral_contrast"]

N_WAVES = 13
CONTRAST_EDGES_HZ = (0, 200, 400, 800, 1600, 3200, 6400, SAMPLE_RATE // 2)
REGION_EDGES_HZ = (0, 120, 350, 1000, 2500, 5000, SAMPLE_RATE // 2)
_QUANTILE = 0.02
_CONTRAST_FLOOR = 1e-10
_LIMIT_DB = 60.0
_DELTA_WIDTH = 9  # frames: 209 ms
_N_MELS = 128

FloatArray = NDArray[np.float64]

_WEIGHTED = "weighted by the frame's power to the 0.3, frames 60 dB below the loudest left out"
_FRAMES = "frames (Hann windows of 93 ms every 23 ms at 22,050 Hz)"
_REGIONS = (
    ("deep_bass", "the deep bass, below 120 Hz"),
    ("bass", "the bass and the low notes, from 120 to 350 Hz"),
    ("low_mid", "the region of voices and most melodies, from 350 Hz to 1 kHz"),
    ("mid", "the region of clear speech, from 1 to 2.5 kHz"),
    ("presence", "the region that makes things sound near, from 2.5 to 5 kHz"),
    ("treble", "the treble, above 5 kHz"),
)

_COARSE = (
    "the balance of lows and highs",
    "the balance of the middle against both ends (shape 2)",
    "the colour of its middle (shape 3)",
)
_FINE = dict(
    enumerate(
        ("fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth", "thirteenth"),
        start=len(_COARSE) + 1,
    )
)


def _hz_text(hz: float) -> str:
    return f"{round(hz, -1):.0f} Hz" if hz < 950 else f"{hz / 1000:.2g} kHz"


def _listed(order: int, start: int) -> str:
    """Name the frequencies at which a wave of so many half swings over the mel scale has its hills or its dips."""
    centres = mel_centres(_N_MELS)
    places = [_N_MELS * k / order for k in range(start, order + 1, 2)]
    texts = [_hz_text(float(np.interp(place - 0.5, np.arange(_N_MELS), centres))) for place in places]
    texts = ["the lowest notes" if place == 0 else text for place, text in zip(places, texts, strict=True)]
    texts = ["the very top" if place == _N_MELS else text for place, text in zip(places, texts, strict=True)]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _features() -> tuple[Feature, ...]:
    made: list[Feature] = []
    wave = (
        f"over {_FRAMES} of coefficient {{0}} of the orthonormal discrete cosine transform (type 2) of the levels "
        "of 128 "
        "Slaney mel bands from 0 to 11,025 Hz, in dB, at most 80 below the clip's greatest"
    )
    for statistic in ("mean", "std", "delta_std"):
        for k in range(1, N_WAVES + 1):
            coarse = k <= len(_COARSE)
            hills, dips = (_listed(k, 0), _listed(k, 1)) if coarse else ("", "")
            against = (
                f"the regions around {hills} against those around {dips}" if k > 1 else "the lows against the highs"
            )
            pattern = f"fine pattern {k} of the spectrum"
            nth = f"the {_FINE.get(k)} fine pattern of the spectrum"
            if statistic == "mean":
                definition = f"Mean {wave.format(k)}; {_WEIGHTED}."
                plain = (
                    f"Coarse shape {k} of the sound's colour: the strength of {against}."
                    if coarse
                    else f"How strong {nth} is; it has no simple name."
                )
                more = f"stronger around {hills} (shape {k})" if k > 1 else "more weighted towards the lows"
                less = f"stronger around {dips} (shape {k})" if k > 1 else "more weighted towards the highs"
                if not coarse:
                    more, less = f"stronger in {pattern}", f"weaker in {pattern}"
            elif statistic == "std":
                definition = f"log2 of 1 plus the standard deviation {wave.format(k)}; {_WEIGHTED}."
                plain = (
                    f"How much coarse shape {k} of the colour varies within the clip: {against}."
                    if coarse
                    else f"How much {nth} varies; it has no simple name."
                )
                what = _COARSE[k - 1] if coarse else pattern
                more, less = f"more varied in {what}", f"more uniform in {what}"
            else:
                definition = (
                    f"log2 of 1 plus the standard deviation {wave.format(k)}, after taking its slope over 9 frames "
                    "(least "
                    f"squares, a frame; at the ends that of the first and last 9 frames); {_WEIGHTED}."
                )
                plain = (
                    f"How quickly coarse shape {k} of the colour moves: {against}."
                    if coarse
                    else f"How quickly {nth} moves; it has no simple name."
                )
                what = _COARSE[k - 1] if coarse else pattern
                more, less = f"quicker in its changes of {what}", f"slower in its changes of {what}"
            name = {"mean": "shape_mean", "std": "shape_std", "delta_std": "shape_speed"}[statistic]
            unit = "dB" if statistic == "mean" else "log2(1+dB)"
            made.append(Feature(f"timbre.{name}_{k}", unit, definition, plain, more, less))
    bands = list(pairwise(CONTRAST_EDGES_HZ))
    for statistic in ("mean", "std"):
        for k, (low, high) in enumerate(bands):
            where = (
                f"below {high} Hz"
                if k == 0
                else f"above {low} Hz"
                if k == len(bands) - 1
                else f"from {low} to {high} Hz"
            )
            definition = (
                f"{'Mean' if statistic == 'mean' else 'log2 of 1 plus the standard deviation'} over {_FRAMES} of 10 "
                "log10 of the mean power "
                f"of the strongest over that of the weakest 2 % of the rows {where} (at least one; the row below the "
                "band counts to it and its last row does not; nothing below 32 Hz counts; each mean at least 1e-10 "
                "of the clip's greatest); "
                f"{_WEIGHTED}. NaN where the band never rises above that floor."
            )
            plain = (
                f"How far single tones {where} stand out of what lies between them."
                if statistic == "mean"
                else f"How much it changes how far single tones {where} stand out of what lies between them."
            )
            words = (
                (f"clearer in its single tones {where}", f"less clear in its single tones {where}")
                if statistic == "mean"
                else (
                    f"more changeable in how clear its single tones {where} are",
                    f"steadier in how clear its single tones {where} are",
                )
            )
            unit = "dB" if statistic == "mean" else "log2(1+dB)"
            made.append(Feature(f"timbre.contrast_{statistic}_{k + 1}", unit, definition, plain, *words))
    edges = list(pairwise(REGION_EDGES_HZ))
    for (name, words), (low, high) in zip(_REGIONS, edges, strict=True):
        made.append(
            Feature(
                f"timbre.region_{name}",
                "dB",
                f"Mean over {_FRAMES} of 10 log10 of the share of the frame's power above 32 Hz that lies from "
                f"{low} Hz to "
                f"below {high} Hz, held within -60 dB; {_WEIGHTED}.",
                f"How much of the sound lies in {words}.",
                f"fuller in {words.partition(',')[0]}",
                f"thinner in {words.partition(',')[0]}",
            )
        )
    return tuple(made)


_FEATURES = _features()


def _measure(sound: Sound) -> FloatArray:
    from scipy.signal import savgol_filter

    power = sound.power
    weights = loudness_weights(power[LOWEST_ROW:])
    waves = colour_waves(sound.mel_db)
    speed = np.asarray(savgol_filter(waves, _DELTA_WIDTH, polyorder=1, deriv=1, axis=1))
    contrast = spectral_contrast(power)
    return np.concatenate(
        [
            weighted_mean(waves, weights),
            compressed(weighted_std(waves, weights)),
            compressed(weighted_std(speed, weights)),
            weighted_mean(contrast, weights),
            compressed(weighted_std(contrast, weights)),
            weighted_mean(_regions(sound), weights),
        ]
    )


GROUP = CoreGroup("timbre", "Colour of the sound", "1", _FEATURES, _measure)
"""Coarse spectral shape, spectral contrast, broad regions; NaN for the contrast of a band that holds nothing."""


def colour_waves(mel_db: NDArray[np.floating]) -> FloatArray:
    """Take the shape of each frame apart into waves over the mel scale (cepstral coefficients 1 to 13).

    Parameters
    ----------
    mel_db : ndarray of float, shape (n_mels, n_frames), dB
        Levels of mel bands.

    Returns
    -------
    ndarray of float64, shape (13, n_frames), dB
        Wave k makes k half swings from the lowest to the highest band and starts on a hill. The 0th, which is the
        mean level, is left out.

    Examples
    --------
    >>> colour_waves(np.full((128, 2), 7.0)).round(9).any()
    np.False_
    """
    from scipy.fft import dct

    return np.asarray(dct(mel_db.astype(np.float64), axis=0, type=2, norm="ortho"))[1 : N_WAVES + 1]


def spectral_contrast(power: NDArray[np.floating]) -> FloatArray:
    """Compare the strongest with the weakest rows of each octave band.

    Parameters
    ----------
    power : ndarray of float, shape (1025, n_frames)
        As :attr:`~otoscope.features.sound.Sound.power`.

    Returns
    -------
    ndarray of float64, shape (7, n_frames), dB
        Each side is at least 100 dB below the clip's greatest. All NaN for a band that never rises above that.

    References
    ----------
    .. [1] D.-N. Jiang et al., "Music type classification by spectral contrast feature", ICME, 2002. The bands and the
       share of rows are those of librosa; but rows below 32 Hz are left out, where the mean was taken off.
    """
    hz = np.arange(power.shape[0]) * (SAMPLE_RATE / 2 / (power.shape[0] - 1))
    n_bands = len(CONTRAST_EDGES_HZ) - 1
    peak, valley = np.empty((n_bands, power.shape[1])), np.empty((n_bands, power.shape[1]))
    by_frame = np.ascontiguousarray(power.T)
    for k, (low, high) in enumerate(pairwise(CONTRAST_EDGES_HZ)):
        first = int(np.searchsorted(hz, low)) - 1 if k else LOWEST_ROW
        last = int(np.searchsorted(hz, high, side="right"))
        count = max(round(_QUANTILE * (last - first)), 1)
        ordered = np.sort(by_frame[:, first : last - (k < n_bands - 1)], axis=1)
        valley[k] = ordered[:, :count].mean(axis=1, dtype=np.float64)
        peak[k] = ordered[:, -count:].mean(axis=1, dtype=np.float64)
    floor = _CONTRAST_FLOOR * peak.max()
    contrast = 10 * np.log10(np.maximum(peak, floor)) - 10 * np.log10(np.maximum(valley, floor))
    contrast[peak.max(axis=1) <= floor] = np.nan
    return contrast


def _regions(sound: Sound) -> FloatArray:
    starts = np.searchsorted(sound.frequencies, REGION_EDGES_HZ[:-1])
    starts[0] = LOWEST_ROW
    power = np.add.reduceat(sound.power.astype(np.float64), starts, axis=0)
    total = power.sum(axis=0)
    share = np.divide(power, total, out=np.full(power.shape, np.nan), where=total > 0)
    return 10 * np.log10(np.maximum(share, 10 ** (-_LIMIT_DB / 10)))
