"""How clear the key is, how clear and pure the tones are, and how they rub against each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otoscope.features.base import CoreGroup, Feature
from otoscope.features.keys import key_fit, triad_fit
from otoscope.features.sound import Sound
from otoscope.features.tonal import tonal_view
from otoscope.features.tones import (
    inharmonicity,
    mid_flatness,
    odds_db,
    partials,
    periodicity,
    roughness,
    strong_peak,
    tonal_share,
)
from otoscope.features.weighting import compressed, weighted_mean, weighted_std

__all__ = ["GROUP"]

FloatArray = NDArray[np.float64]


_FINE = "fine power spectrum (Hann windows of 372 ms every 93 ms at 11,025 Hz)"
_PEAKS = (
    f"peaks of the {_FINE}: the 20 strongest from 55 Hz to 5 kHz, 1 dB above the rows two away, at most 50 dB below "
    "the frame's greatest row"
)
_WEIGHTED = "weighted by the frame's power to the 0.3, frames 60 dB below the loudest left out"
_PROFILES = "key profiles of Krumhansl and Kessler (1982)"
_STRONG = (
    "over frames of 20 log10 of a / b: a the amplitude of the highest peak from 55 Hz to 5 kHz over the root of the "
    f"frame's power above 32 Hz, b its width at half amplitude in semitones, in the {_FINE}; {_WEIGHTED}."
)
_HNR = (
    "over frames of 10 log10 of r / (1 - r), held within 40 dB, r the greatest local maximum of the normalised "
    f"autocorrelation at lags of 1 to 20 ms, divided by that of the window, from the {_FINE}; {_WEIGHTED}."
)
_SHARE = (
    "over frames of 10 log10 of s / (1 - s), held within 40 dB, s the share of the power from 55 Hz to 5 kHz that "
    "lies "
    f"within two bins of the {_PEAKS}; {_WEIGHTED}."
)
_ROUGH = (
    "over frames of the sum over pairs of the product of their amplitudes and the dissonance of a pair (Sethares "
    "1993), "
    f"divided by the sum of squared amplitudes, of the {_PEAKS}; {_WEIGHTED}."
)
_FLAT = (
    f"over frames of 10 log10 of the geometric over the arithmetic mean of the {_FINE} from 250 Hz to 4 kHz; "
    f"{_WEIGHTED}."
)
_TRIAD = (
    "over frames of the greatest cosine between the chroma (as harmony.chroma_mean_c) and the 24 major and minor "
    "triads "
    f"of three equal notes; {_WEIGHTED}."
)

_FEATURES = tuple(
    Feature(f"tonality.{name}", *rest)
    for name, *rest in (
        (
            "key_clarity",
            "1",
            f"Greatest correlation of the 12 values harmony.chroma_mean_* with the 24 {_PROFILES}.",
            "How clearly the notes of the clip belong to one major or minor key.",
            "clearer in its key",
            "less clear in its key",
        ),
        (
            "key_lead",
            "1",
            "tonality.key_clarity minus the greatest such correlation of a key on another tonic.",
            "How far the best key stands above every key on another keynote; low where two keys fit alike.",
            "surer of its keynote",
            "less sure of its keynote",
        ),
        (
            "major_minor",
            "1",
            f"Greatest correlation with the 12 major minus the greatest with the 12 minor {_PROFILES}.",
            "Whether the notes fit a major key better than a minor one.",
            "more major",
            "more minor",
        ),
        (
            "chord_clarity_mean",
            "1",
            f"Mean {_TRIAD}",
            "How closely what sounds at each moment comes to a plain major or minor chord.",
            "closer to plain chords",
            "further from plain chords",
        ),
        (
            "chord_clarity_std",
            "1",
            f"Standard deviation {_TRIAD}",
            "How much plain chords come and go between other sounds.",
            "more changeable between plain chords and other sounds",
            "steadier in how close it is to plain chords",
        ),
        (
            "chord_major_minor",
            "1",
            "Mean over frames of the greatest cosine with the 12 major minus the greatest with the 12 minor triads, "
            "as in "
            "tonality.chord_clarity_mean.",
            "Whether what sounds at each moment is closer to major than to minor chords.",
            "more major from chord to chord",
            "more minor from chord to chord",
        ),
        (
            "detuning",
            "log2(1+cents)",
            "log2 of 1 plus the magnitude, in cents, of the angle of the mean of exp(2 pi i s) over the peaks from "
            "80 Hz to 2 kHz, weighted by "
            f"amplitude, s being semitones from 440 Hz, times 100 / (2 pi); {_PEAKS}.",
            "How far the tuning lies from concert pitch, A at 440 Hz, counted to the nearest semitone.",
            "further from concert pitch",
            "nearer to concert pitch",
        ),
        (
            "tuning_agreement",
            "1",
            "Length of the mean of which tonality.detuning is the angle.",
            "How well all tones lie on one and the same grid of semitones; glides, noise and drums lie between.",
            "better in tune with itself",
            "looser in its tuning",
        ),
        (
            "strong_peak_mean",
            "dB",
            f"Mean {_STRONG}",
            "How much one thin, steady tone stands out of everything else.",
            "more ruled by one clear tone",
            "less ruled by any one clear tone",
        ),
        (
            "strong_peak_std",
            "log2(1+dB)",
            f"log2 of 1 plus the standard deviation {_STRONG}",
            "How much the clip changes between moments with one clear tone and moments without.",
            "more changeable in how clear its strongest tone is",
            "steadier in how clear its strongest tone is",
        ),
        (
            "tonal_share_mean",
            "dB",
            f"Mean {_SHARE}",
            "How much of the sound is tones rather than noise.",
            "more tonal",
            "noisier",
        ),
        (
            "tonal_share_std",
            "log2(1+dB)",
            f"log2 of 1 plus the standard deviation {_SHARE}",
            "How much the clip changes between tones and noise.",
            "more changeable between tone and noise",
            "steadier between tone and noise",
        ),
        (
            "harmonicity_mean",
            "dB",
            f"Mean {_HNR}",
            "How exactly the sound repeats from one period to the next, as a single singing or bowed tone does.",
            "more periodic, like one sung tone",
            "less periodic, like many tones or noise",
        ),
        (
            "harmonicity_std",
            "log2(1+dB)",
            f"log2 of 1 plus the standard deviation {_HNR}",
            "How much the clip changes between single clear tones and mixtures or noise.",
            "more changeable between clear tones and mixtures",
            "steadier in how clear its tones are",
        ),
        (
            "inharmonicity",
            "1",
            "Mean over frames of 2 times the distance of each peak from the nearest whole multiple of the frame's "
            "fundamental, over the fundamental, weighted by the peak's power; the fundamental is one over the "
            "shortest "
            "lag whose local maximum reaches 0.95 of the greatest r of tonality.harmonicity_mean; "
            f"{_PEAKS}; {_WEIGHTED}.",
            "How badly the tones fit one row of overtones: low for one instrument, high for bells or several notes.",
            "less like one row of overtones",
            "more like one row of overtones",
        ),
        (
            "partials",
            "1",
            "Mean over frames of log2 of the squared sum of the peaks' amplitudes over the sum of their squares: "
            "the number "
            f"of peaks, were they all alike; {_PEAKS}; {_WEIGHTED}.",
            "How many tones and overtones are heard at once.",
            "richer in tones and overtones",
            "plainer, with fewer tones and overtones",
        ),
        (
            "mid_flatness_mean",
            "dB",
            f"Mean {_FLAT}",
            "How noise-like the middle of the sound is, where voices and melodies lie; 0 would be even noise.",
            "noisier in the middle range",
            "clearer in the middle range",
        ),
        (
            "mid_flatness_std",
            "log2(1+dB)",
            f"log2 of 1 plus the standard deviation {_FLAT}",
            "How much the middle of the sound changes between clear and noise-like.",
            "more changeable between clear and noisy in the middle range",
            "steadier between clear and noisy in the middle range",
        ),
        (
            "roughness_mean",
            "1",
            f"Mean {_ROUGH}",
            "How much tones that lie close together beat and rub against each other.",
            "rougher",
            "smoother",
        ),
        (
            "roughness_std",
            "1",
            f"Standard deviation {_ROUGH}",
            "How much the clip changes between rough and smooth.",
            "more changeable between rough and smooth",
            "steadier between rough and smooth",
        ),
    )
)


def _measure(sound: Sound) -> FloatArray:
    view = tonal_view(sound)
    weights, peaks = view.weights, view.peaks
    major, minor = triad_fit(view.chroma)
    offset, agreement = view.tuning
    strong = strong_peak(view.power, view.frequencies)
    share = odds_db(tonal_share(view))
    repeats, fundamental = periodicity(view.power)
    harmonicity = odds_db(repeats)
    flatness = mid_flatness(view)
    rough = roughness(peaks)
    best = np.maximum(major, minor)
    return np.array(
        [
            *key_fit(weighted_mean(view.chroma, weights)),
            weighted_mean(best, weights),
            weighted_std(best, weights),
            weighted_mean(major - minor, weights),
            compressed(100 * abs(offset)),
            agreement,
            weighted_mean(strong, weights),
            compressed(weighted_std(strong, weights)),
            weighted_mean(share, weights),
            compressed(weighted_std(share, weights)),
            weighted_mean(harmonicity, weights),
            compressed(weighted_std(harmonicity, weights)),
            weighted_mean(inharmonicity(peaks, fundamental), weights),
            weighted_mean(partials(peaks), weights),
            weighted_mean(flatness, weights),
            compressed(weighted_std(flatness, weights)),
            weighted_mean(rough, weights),
            weighted_std(rough, weights),
        ],
        dtype=np.float64,
    )


GROUP = CoreGroup("tonality", "Key and tone", "1", _FEATURES, _measure)
"""Key, chords, tuning, tone against noise, roughness; NaN where there is no tone or no period."""
