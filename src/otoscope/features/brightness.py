"""Where in the range from dark to bright the sound lies, how widely it spreads, and how this moves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otoscope.features.base import CoreGroup, Feature
from otoscope.features.sound import Sound
from otoscope.features.spectral import (
    LOWEST_ROW,
    crossing_rate,
    flatness_db,
    log2_or_nan,
    mel_centres,
    share_db,
    spectral_quantile,
    spectral_shape,
)
from otoscope.features.weighting import compressed, loudness_weights, weighted_mean, weighted_std

__all__ = ["GROUP"]

_SLOPE_HZ = (100.0, 4000.0)

FloatArray = NDArray[np.float64]

_FRAMES = (
    "of frames (Hann windows of 93 ms every 23 ms at 22,050 Hz, rows from 32 Hz up, what lies 100 dB below the "
    "clip's greatest set to 0)"
)
_WEIGHTED = "weighted by the frame's power to the 0.3, frames 60 dB below the loudest left out"
_MEAN = f"Mean over frames, {_WEIGHTED}, of"
_STD = f"log2 of 1 plus the standard deviation over frames, {_WEIGHTED}, of"
_STD_OCT = f"log2 of 1 plus 10 times the standard deviation over frames, {_WEIGHTED}, of"
_CENTROID = f"log2 of the centroid {_FRAMES} over 1 kHz: the mean frequency, weighted by amplitude."
_SPREAD = f"log2 of the bandwidth {_FRAMES} over 1 kHz: the standard deviation of frequency, weighted by amplitude."
_ROLLOFF = f"log2 of the lowest frequency {_FRAMES} up to which 85 % of the summed amplitude lies, over 1 kHz."
_FLATNESS = (
    f"10 log10 of the geometric over the arithmetic mean of the power {_FRAMES}, each row at least 1e-10 of the mean."
)
_SLOPE = (
    "the slope of a straight line through the levels (at most 80 dB below the clip's greatest) of the 128 Slaney mel "
    "bands whose centres lie from 100 Hz to 4 kHz, against log2 of their centres."
)
_CROSSINGS = "half the number of changes of sign a second, in frames of 93 ms every 23 ms"


def _share(edge: str) -> str:
    return f"10 log10 of the share of the power {_FRAMES} {edge}, held within -60 dB."


_FEATURES = tuple(
    Feature(f"brightness.{name}", *rest)
    for name, *rest in (
        (
            "centroid_mean",
            "oct re 1 kHz",
            f"{_MEAN} {_CENTROID}",
            "Where the middle of the sound lies between dark and bright.",
            "brighter",
            "darker",
        ),
        (
            "centroid_std",
            "log2(1+oct/0.1)",
            f"{_STD_OCT} {_CENTROID}",
            "How much the sound moves between dark and bright.",
            "more changeable between dark and bright",
            "steadier in its brightness",
        ),
        (
            "bandwidth_mean",
            "oct re 1 kHz",
            f"{_MEAN} {_SPREAD}",
            "How widely the sound spreads from low to high around its middle.",
            "wider from low to high",
            "narrower from low to high",
        ),
        (
            "bandwidth_std",
            "log2(1+oct/0.1)",
            f"{_STD_OCT} {_SPREAD}",
            "How much the width of the sound changes.",
            "more changeable in its width from low to high",
            "steadier in its width from low to high",
        ),
        (
            "rolloff_mean",
            "oct re 1 kHz",
            f"{_MEAN} {_ROLLOFF}",
            "How far up the sound reaches before little is left.",
            "further reaching into the highs",
            "less far reaching into the highs",
        ),
        (
            "rolloff_std",
            "log2(1+oct/0.1)",
            f"{_STD_OCT} {_ROLLOFF}",
            "How much the upper end of the sound moves.",
            "more changeable at its upper end",
            "steadier at its upper end",
        ),
        (
            "middle_mean",
            "oct re 1 kHz",
            f"{_MEAN} log2 of the lowest frequency {_FRAMES} up to which half of the power lies, over 1 kHz.",
            "The point that has half of the sound's strength below it and half above: the height of the strongest "
            "notes.",
            "higher in where its strength lies",
            "lower in where its strength lies",
        ),
        (
            "middle_std",
            "log2(1+oct/0.1)",
            f"{_STD_OCT} the quantity of brightness.middle_mean.",
            "How much the strength of the sound jumps between low and high.",
            "more restless between low and high",
            "calmer between low and high",
        ),
        (
            "flatness_mean",
            "dB",
            f"{_MEAN} {_FLATNESS}",
            "How evenly the whole range is filled, as by hiss or cymbals; low for clear tones.",
            "hissier and more evenly filled",
            "clearer and less evenly filled",
        ),
        (
            "flatness_std",
            "log2(1+dB)",
            f"{_STD} {_FLATNESS}",
            "How much the sound changes between hiss and clear tones.",
            "more changeable between hiss and tone",
            "steadier between hiss and tone",
        ),
        (
            "crossings_mean",
            "oct re 1 kHz",
            f"log2 of the mean over frames, {_WEIGHTED}, of {_CROSSINGS}, over 1000.",
            "How much high or hissing content there is, told by how fast the wave swings to and fro; low for bass.",
            "richer in high or hissing content",
            "poorer in high or hissing content",
        ),
        (
            "crossings_median",
            "oct re 1 kHz",
            f"log2 of the median over frames that count (within 60 dB of the loudest) of {_CROSSINGS}, over 1000.",
            "How much high or hissing content there is at most times, leaving short events such as strokes aside.",
            "richer in high or hissing content at most times",
            "poorer in high or hissing content at most times",
        ),
        (
            "crossings_variation",
            "log2(1+x/0.1)",
            f"log2 of 1 plus 10 times the standard deviation over the mean, over frames, {_WEIGHTED}, of "
            f"{_CROSSINGS}.",
            "How much the clip changes between low and hissing sound, as between bass notes and cymbals.",
            "more changeable between low and hissing sound",
            "steadier between low and hissing sound",
        ),
        (
            "slope_mean",
            "dB/oct",
            f"{_MEAN} {_SLOPE}",
            "How gently the sound falls off from low to high; most music falls.",
            "gentler in its fall towards the highs",
            "steeper in its fall towards the highs",
        ),
        (
            "slope_std",
            "log2(1+dB/oct)",
            f"{_STD} {_SLOPE}",
            "How much the fall from low to high changes.",
            "more changeable in its fall towards the highs",
            "steadier in its fall towards the highs",
        ),
        (
            "high_share_mean",
            "dB",
            f"{_MEAN} {_share('above 2 kHz')}",
            "How much of the sound is treble.",
            "fuller of treble",
            "duller in the treble",
        ),
        (
            "high_share_std",
            "log2(1+dB)",
            f"{_STD} {_share('above 2 kHz')}",
            "How much the treble comes and goes.",
            "more changeable in the treble",
            "steadier in the treble",
        ),
        (
            "lopsidedness",
            "1",
            f"{_MEAN} the inverse hyperbolic sine of the skewness of frequency, weighted by amplitude, {_FRAMES}.",
            "Whether the sound is heaped up low with a long tail upwards, rather than spread evenly about its "
            "middle.",
            "more bottom-heavy",
            "less bottom-heavy",
        ),
        (
            "peakiness",
            "dB",
            f"{_MEAN} 20 log10 of the greatest over the mean amplitude {_FRAMES}.",
            "How far the strongest tone of each moment stands above the average of the range.",
            "spikier, with tones that stand out",
            "blander, with no tone that stands out",
        ),
    )
)


def _measure(sound: Sound) -> FloatArray:
    power = sound.power[LOWEST_ROW:].astype(np.float64)
    power[power < 1e-10 * power.max()] = 0.0  # what single precision leaves where there is nothing
    hz = sound.frequencies[LOWEST_ROW:]
    weights = loudness_weights(power)
    magnitude = np.sqrt(power)
    shape = spectral_shape(magnitude, hz)
    centroid, bandwidth = _octaves(shape.centroid), _octaves(shape.bandwidth)
    rolloff, middle = (
        _octaves(spectral_quantile(magnitude, hz, 0.85)),
        _octaves(spectral_quantile(power, hz, 0.5)),
    )
    flatness, high = flatness_db(power), share_db(power, hz >= 2000)
    crossings = crossing_rate(sound.levelled) / 1000
    slope = _slope(sound)
    mean_crossings = weighted_mean(crossings, weights)
    peak = np.divide(
        magnitude.max(axis=0), magnitude.mean(axis=0), out=np.full(len(weights), np.nan), where=weights > 0
    )
    return np.array(
        [
            weighted_mean(centroid, weights),
            compressed(weighted_std(centroid, weights), 0.1),
            weighted_mean(bandwidth, weights),
            compressed(weighted_std(bandwidth, weights), 0.1),
            weighted_mean(rolloff, weights),
            compressed(weighted_std(rolloff, weights), 0.1),
            weighted_mean(middle, weights),
            compressed(weighted_std(middle, weights), 0.1),
            weighted_mean(flatness, weights),
            compressed(weighted_std(flatness, weights)),
            log2_or_nan(mean_crossings),
            log2_or_nan(np.median(crossings[weights > 0])),
            compressed(weighted_std(crossings, weights) / mean_crossings, 0.1) if mean_crossings > 0 else np.nan,
            weighted_mean(slope, weights),
            compressed(weighted_std(slope, weights)),
            weighted_mean(high, weights),
            compressed(weighted_std(high, weights)),
            weighted_mean(np.arcsinh(shape.skewness), weights),
            weighted_mean(20 * np.log10(peak), weights),
        ],
        dtype=np.float64,
    )


GROUP = CoreGroup("brightness", "Brightness", "1", _FEATURES, _measure)
"""Centroid, width, upper end, flatness, zero crossings, slope; NaN where the wave never crosses zero."""


def _octaves(hz: FloatArray) -> FloatArray:
    return log2_or_nan(hz / 1000)


def _slope(sound: Sound) -> FloatArray:
    centres = mel_centres(len(sound.mel_db))
    used = (centres >= _SLOPE_HZ[0]) & (centres <= _SLOPE_HZ[1])
    octaves = np.log2(centres[used])
    octaves -= octaves.mean()
    return octaves @ sound.mel_db[used].astype(np.float64) / np.square(octaves).sum()
