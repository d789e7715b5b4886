"""How much a clip changes within itself: from moment to moment, from half to half, at once or by and by, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otoscope.features.base import CoreGroup, Feature
from otoscope.features.sequences import boundaries, comeback, flux, lag_similarity, side_by_side, trend
from otoscope.features.sound import HOP, SAMPLE_RATE, Sound
from otoscope.features.spectral import LOWEST_ROW
from otoscope.features.tonal import HOP as TONAL_HOP
from otoscope.features.tonal import RATE as TONAL_RATE
from otoscope.features.tonal import tonal_view
from otoscope.features.weighting import compressed, loudness_weights, weighted_mean, weighted_std

__all__ = ["GROUP"]

FloatArray = NDArray[np.float64]

_FLOOR_DB = 60.0
_SIDE_S = 1.0
_N_BANDS = 16
_FRAME_S = HOP / SAMPLE_RATE
_TONAL_FRAME_S = TONAL_HOP / TONAL_RATE

_WEIGHTED = "weighted by the frame's power to the 0.3, frames 60 dB below the loudest left out"
_LEVEL = "level of frames (power above 32 Hz of Hann windows of 93 ms every 23 ms, dB, at most 60 below the loudest)"
_CENTROID = "log2 of the amplitude-weighted mean frequency above 32 Hz of frames (Hann windows of 93 ms every 23 ms)"
_BANDS = (
    "levels of 16 bands (8 neighbours of 128 Slaney mel bands averaged in dB, at most 80 below the clip's greatest)"
)
_CHROMA = "chroma vectors (as harmony.chroma_mean_c), brought to length 1"
_FLUX = (
    "over pairs of neighbouring frames (Hann windows of 93 ms every 23 ms) of the Euclidean distance between the "
    "square "
    "roots of their mel powers (128 Slaney bands), each brought to length 1, weighted by the root of the product of "
    "their powers to the 0.3"
)
_SIMILARITY = (
    "the mean cosine between frames that far apart, at lags of 93 ms from 0.3 to 2.5 s (at most half the clip), of "
    "the "
    f"{_BANDS} and of the {_CHROMA}, each taken every 93 ms, without its mean over the clip, both of equal total "
    "variance"
)
_BOUNDARY = (
    f"root mean square difference between the mean {_BANDS} of the second before and the second after (a third of "
    "the "
    "clip, where that is less)"
)

_FEATURES = tuple(
    Feature(f"change.{name}", *rest)
    for name, *rest in (
        (
            "flux_mean",
            "1",
            f"Mean {_FLUX}.",
            "How much the colour of the sound changes from each moment to the next.",
            "busier from moment to moment",
            "calmer from moment to moment",
        ),
        (
            "flux_std",
            "1",
            f"Standard deviation {_FLUX}.",
            "Whether the sound changes in jolts with rests between, rather than evenly.",
            "more jolting",
            "more even in its changes",
        ),
        (
            "halves_colour",
            "log2(1+dB)",
            f"log2 of 1 plus the following in dB. Root mean square difference between the mean {_BANDS} of the two "
            "halves of the clip.",
            "How different the second half sounds from the first.",
            "more different between its halves",
            "more alike in its halves",
        ),
        (
            "halves_level",
            "log2(1+dB)",
            "log2 of 1 plus the following in dB. Magnitude of the difference between the mean power of the two "
            "halves, in dB, at most 60.",
            "How different the two halves are in loudness.",
            "more different in loudness between its halves",
            "more alike in loudness in its halves",
        ),
        (
            "halves_brightness",
            "log2(1+oct/0.1)",
            "log2 of 1 plus 10 times the following in octaves. Magnitude of the difference between the means of "
            f"the two halves of {_CENTROID}; {_WEIGHTED}.",
            "How different the two halves are in brightness.",
            "more different in brightness between its halves",
            "more alike in brightness in its halves",
        ),
        (
            "halves_notes",
            "1",
            f"Euclidean distance between the means of the two halves of the {_CHROMA}, each mean brought to length "
            "1; "
            f"{_WEIGHTED}.",
            "How different the notes of the two halves are.",
            "more different in its notes between its halves",
            "more alike in its notes in its halves",
        ),
        (
            "level_std",
            "log2(1+dB)",
            f"log2 of 1 plus the following in dB. Standard deviation of the {_LEVEL}.",
            "How much the loudness moves.",
            "more changeable in loudness",
            "steadier in loudness",
        ),
        (
            "level_trend",
            "dB/s",
            f"Slope of a least-squares line through the {_LEVEL}.",
            "Whether the clip grows louder or fades.",
            "more strongly growing in loudness",
            "more strongly fading in loudness",
        ),
        (
            "brightness_trend",
            "oct/s",
            f"Slope of a least-squares line through {_CENTROID}; {_WEIGHTED}.",
            "Whether the clip grows brighter or darker.",
            "more strongly brightening as it goes on",
            "more strongly darkening as it goes on",
        ),
        (
            "colour_spread",
            "log2(1+dB)",
            f"log2 of 1 plus the following in dB. Root mean square distance of the {_BANDS} from their means over "
            f"the clip; {_WEIGHTED}.",
            "How many different colours of sound the clip passes through.",
            "more varied in colour",
            "more uniform in colour",
        ),
        (
            "notes_spread",
            "1",
            f"Root mean square distance of the {_CHROMA}, from their mean over the clip; {_WEIGHTED}.",
            "How far the notes wander from what the clip holds on average.",
            "more wandering in its notes",
            "more fixed in its notes",
        ),
        (
            "repetition",
            "1",
            f"Greatest rise, from any lag to a longer one, of {_SIMILARITY}.",
            "How much the clip comes back to what it was a beat or a bar before, after having gone away from it.",
            "more repetitive at the pace of beats",
            "less repetitive at the pace of beats",
        ),
        (
            "repetition_lag",
            "oct re 1 s",
            "log2 of the longer lag, in seconds, of change.repetition; NaN where nothing comes back.",
            "After how long the clip comes back to what it was.",
            "longer in its repeating unit",
            "shorter in its repeating unit",
        ),
        (
            "persistence",
            "1",
            f"Value at the shortest lag of {_SIMILARITY}.",
            "How long a sound or chord is held before something else comes.",
            "slower to move on",
            "quicker to move on",
        ),
        (
            "boundary",
            "log2(1+dB)",
            f"log2 of 1 plus the following in dB. Greatest over all moments of the {_BOUNDARY}.",
            "How strong the clearest break between two stretches of the clip is.",
            "more sharply divided by a break",
            "less divided by any break",
        ),
        (
            "boundary_contrast",
            "log2(1+dB)",
            f"log2 of 1 plus the following in dB. Greatest minus median over all moments of the {_BOUNDARY}.",
            "How far that break stands out from the changes that go on all the time.",
            "more marked by one single break",
            "less marked by any single break",
        ),
    )
)


def _measure(sound: Sound) -> FloatArray:
    power = sound.power[LOWEST_ROW:]
    weights = loudness_weights(power)
    total = power.sum(axis=0, dtype=np.float64)
    level = 10 * np.log10(np.maximum(total / total.max(), 10 ** (-_FLOOR_DB / 10)))
    centroid = _centroid(power, sound.frequencies[LOWEST_ROW:])
    bands = sound.mel_db.astype(np.float64).reshape(_N_BANDS, -1, total.size).mean(axis=1)
    view = tonal_view(sound)
    chroma = view.chroma / np.sqrt(np.square(view.chroma).sum(axis=0))
    moved, pairs = flux(sound.mel_power, weights)
    breaks = boundaries(bands, round(min(_SIDE_S, sound.duration_s / 3) / _FRAME_S))
    lags_s, similarity = lag_similarity(side_by_side(bands[:, ::4], chroma), _TONAL_FRAME_S)
    rise, lag_s = comeback(lags_s, similarity)
    brightness = [weighted_mean(c, w) for c, w in zip(_halves(centroid), _halves(weights), strict=True)]
    values = [
        weighted_mean(moved, pairs),
        weighted_std(moved, pairs),
        compressed(_root_mean_square(np.subtract(*(half.mean(axis=1) for half in _halves(bands))))),
        compressed(_halves_level(total)),
        compressed(abs(brightness[0] - brightness[1]), 0.1),
        _halves_notes(chroma, view.weights),
        compressed(level.std()),
        trend(level, np.ones(level.size), _FRAME_S),
        trend(centroid, weights, _FRAME_S),
        compressed(np.sqrt(np.mean(np.square(weighted_std(bands, weights))))),
        np.sqrt(np.sum(np.square(weighted_std(chroma, view.weights)))),
        rise,
        np.log2(lag_s),
        similarity[0] if similarity.size else np.nan,
        compressed(breaks.max()),
        compressed(breaks.max() - np.median(breaks)),
    ]
    return np.array(values, dtype=np.float64)


GROUP = CoreGroup("change", "Change and repetition", "1", _FEATURES, _measure)
"""Flux, halves, trends, repetition, breaks.

NaN where a half or the whole has nothing that could be compared, and where nothing ever changes, for the features of
repetition.
"""


def _centroid(power: NDArray[np.floating], hz: FloatArray) -> FloatArray:
    magnitude = np.sqrt(power)
    total = magnitude.sum(axis=0, dtype=np.float64)
    mean = np.divide(hz @ magnitude, total, out=np.full(total.shape, np.nan), where=total > 0)
    return np.log2(mean)


def _halves(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    half = values.shape[-1] // 2
    return values[..., :half], values[..., -half:]


def _halves_level(total: FloatArray) -> float:
    first, second = (half.mean() for half in _halves(total))
    least = 10 ** (-_FLOOR_DB / 10) * max(first, second)
    return float(abs(10 * np.log10(max(first, least) / max(second, least))))


def _halves_notes(chroma: FloatArray, weights: FloatArray) -> float:
    means = [weighted_mean(c, w) for c, w in zip(_halves(chroma), _halves(weights), strict=True)]
    first, second = (mean / np.sqrt(np.square(mean).sum()) for mean in means)
    return float(np.sqrt(np.square(first - second).sum()))


def _root_mean_square(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
