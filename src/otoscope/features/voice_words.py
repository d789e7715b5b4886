"""The features of the voice group in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from otoscope.features.base import Feature

__all__ = ["FEATURES"]

_LEAD = "where a voice or a lead instrument can be followed"
_ELSEWHERE = "where no voice or lead instrument can be followed"
_TRACK = (
    "F0 by subharmonic summation (15 harmonics, decay 0.85, 55 to 1000 Hz, Gaussian frames of 60 ms every 10 ms), "
    "the cheapest path through 6 candidates a frame, with a lead where its voicing reaches 0.7"
)
_SHORT = "Hamming frames of 20 ms every 10 ms of the clip brought to a root mean square of 0.1"
_OVER_LEAD = "averaged over each frame and its neighbours with a lead"

_NOUNS: Final = {
    "alpha": "brightness",
    "hammarberg": "roundness",
    "slope_low": "the weight of its bass",
    "slope_mid": "the presence of its upper middle",
    "flux": "restlessness",
    "jitter": "the roughness of its lead's pitch",
    "shimmer": "the hoarseness of its lead",
    "hnr": "the clearness of its lead",
    "h1_h2": "the strength of the lead's fundamental",
    "h2_h3": "the roundness of the lead's overtones",
    "h2_a3": "the ring of the lead's overtones",
    "mfcc1": "the balance of lows against highs",
    "mfcc2": "the strength of its middle around 2 kHz",
    "mfcc3": "the fullness of its low mids",
    "mfcc4": "the nasal colour of its middle",
}

_ENVELOPE: Final = (
    ("the balance of lows against highs", "heavier in the lows", "heavier in the highs"),
    (
        "how far the middle around 2 kHz steps back behind the lows and the highs",
        "more scooped in the middle",
        "stronger in the middle",
    ),
    (
        "how far lows and presence (2 to 5 kHz) stand out against the low mids (400 to 1800 Hz)",
        "leaner in the low mids",
        "fuller in the low mids",
    ),
    (
        "how far the mids around 2 kHz and the lowest lows stand out against what lies beside them",
        "more nasal in the middle",
        "smoother in the middle",
    ),
)

# name, unit, definition of the curve, what one hears, more, less
_SHAPES: Final = (
    (
        "alpha",
        "dB",
        "power from 1 to 5 kHz over that from 50 Hz to 1 kHz",
        "the share of brilliance against body",
        "brighter",
        "mellower",
    ),
    (
        "hammarberg",
        "dB",
        "highest bin from 0 to 2 kHz over the highest from 2 to 5 kHz",
        "how far the strongest low tone towers over the strongest high one",
        "rounder and softer",
        "sharper and more pressed",
    ),
    (
        "slope_low",
        "dB/kHz",
        "slope of the straight line through the spectrum in dB from 0 to 500 Hz",
        "how the sound grows from the bass towards the low mids",
        "lighter in the bass",
        "heavier in the bass",
    ),
    (
        "slope_mid",
        "dB/kHz",
        "slope of the straight line through the spectrum in dB from 500 to 1500 Hz",
        "how the sound falls off through the middle",
        "more forward in the upper middle",
        "more withdrawn in the upper middle",
    ),
    (
        "flux",
        "dB",
        "root mean square change of the magnitudes from 0 to 5 kHz since the frame before (mean in dB)",
        "how much the sound changes from one moment to the next",
        "more restless",
        "steadier",
    ),
    *(
        (
            f"mfcc{i}",
            "1",
            f"cepstral coefficient {i} of 26 mel bands from 20 to 8000 Hz, liftered with 22",
            *_ENVELOPE[i - 1],
        )
        for i in (1, 2, 3, 4)
    ),
)

# name, unit, definition, what one hears, more, less
_LEAD_CURVES: Final = (
    (
        "jitter",
        "log10 of percent",
        "mean difference of neighbouring periods over their mean length, in the 10 ms from the start of each frame",
        "how unevenly the waves of the lead follow each other: rough voices, distortion, several notes at once",
        "rougher in the pitch of its lead",
        "smoother in the pitch of its lead",
    ),
    (
        "shimmer",
        "log10 of dB",
        "mean difference in height of neighbouring periods, in the 10 ms from the start of each frame",
        "how unevenly strong the waves of the lead are: hoarseness, distortion, several notes at once",
        "hoarser in its lead",
        "smoother in its lead",
    ),
    (
        "hnr",
        "dB",
        "r / (1 - r) of the autocorrelation r at the period",
        "how far the lead's tone rises above breath, noise and everything else",
        "cleaner in its lead",
        "breathier or noisier in its lead",
    ),
    (
        "h1_h2",
        "dB",
        "level of the fundamental over the second partial",
        "how strong the fundamental of the lead is beside its octave",
        "softer and flutier in its lead",
        "thinner in its lead",
    ),
    (
        "h2_h3",
        "dB",
        "level of the second partial over the third",
        "how strong the octave above the lead's fundamental is beside the fifth over it",
        "rounder in its overtones",
        "reedier in its overtones",
    ),
    (
        "h2_a3",
        "dB",
        "level of the second partial over the strongest partial within 20 % of the third formant",
        "how fast the lead's overtones die away towards 3 kHz",
        "duller in its lead",
        "more ringing in its lead",
    ),
)

_ORDINALS: Final = ("first", "second", "third")


def _spread(curve: str, name: str, unit: str, definition: str, where: str) -> Feature:
    noun = _NOUNS[curve]
    spread = "Standard deviation over mean" if curve == "flux" else "Standard deviation"
    if unit.startswith("log"):
        spread = "Logarithm of the standard deviation"
    when = " while a lead is there" if name.endswith("_voiced") else ""
    return Feature(
        f"voice.{name}_std",
        "1" if curve == "flux" else unit,
        f"{spread} of the {definition}.",
        f"How much {noun} varies in the course of the clip{where}.",
        f"more varied in {noun}{when}",
        f"more even in {noun}{when}",
    )


def _segments() -> Iterator[Feature]:
    yield Feature(
        "voice.voiced_share",
        "1",
        f"Share of the frames with a lead: {_TRACK}.",
        "How much of the time a voice or a lead instrument with a clear pitch can be followed.",
        "more often led by a clear voice or instrument",
        "less often led by a clear voice or instrument",
    )
    yield Feature(
        "voice.segments",
        "1/s",
        "Runs of frames with a lead, per second.",
        "How often a voice or a lead instrument sets in.",
        "more broken up into phrases",
        "less broken up into phrases",
    )
    for name, who in (("voiced", "with a lead"), ("unvoiced", "without a lead")):
        what = "the stretches in which a lead can be followed" if name == "voiced" else "the gaps between leads"
        yield Feature(
            f"voice.{name}_length_mean",
            "log2 of s",
            f"Logarithm of the mean length of the runs of frames {who}.",
            f"How long {what} last.",
            f"longer in {what}",
            f"shorter in {what}",
        )
        yield Feature(
            f"voice.{name}_length_std",
            "log2 of s",
            f"Logarithm of 0.01 s more than the standard deviation of the lengths of the runs of frames {who}; NaN "
            "for fewer than two.",
            f"How different in length {what} are.",
            f"less regular in {what}",
            f"more regular in {what}",
        )


def _curve(
    name: str, unit: str, noun: str, short: str, definition: str, where: str, words: Mapping[str, str]
) -> Iterator[Feature]:
    more, less = words["more"], words["less"]
    yield Feature(
        f"voice.{name}_mean",
        unit,
        f"Mean of {definition}.",
        f"How {words['great']} {noun} is on average{where}.",
        more,
        less,
    )
    spread = "Standard deviation over mean" if name == "fullness" else "Standard deviation"
    yield Feature(
        f"voice.{name}_std",
        "1" if name == "fullness" else unit,
        f"{spread} of {definition}.",
        f"How much {noun} varies{where}.",
        f"more varied in {short}",
        f"more even in {short}",
    )
    for percent, moments in ((20, words["low"]), (50, "typical"), (80, words["high"])):
        yield Feature(
            f"voice.{name}_p{percent}",
            unit,
            f"{percent}th percentile of {definition}.",
            f"How {words['great']} {noun} is in its {moments} moments{where}.",
            f"{more} in its {moments} moments",
            f"{less} in its {moments} moments",
        )
    yield Feature(
        f"voice.{name}_range",
        unit,
        f"80th less 20th percentile of {definition}.",
        f"How far apart {words['high']} and {words['low']} moments of {noun} lie{where}.",
        words["wider"],
        words["narrower"],
    )
    for move, verb in (("rise", "rises"), ("fall", "falls")):
        how = (
            f"straight lines between turning points of {definition}; a move counts from a tenth of the whole range on"
        )
        yield Feature(
            f"voice.{name}_{move}_mean",
            f"log10 of {unit}/s",
            f"Logarithm of the mean steepness of the {move}s: {how}.",
            f"How quickly {noun} {verb} when it {verb}{where}.",
            f"quicker in the {move}s of {short}",
            f"slower in the {move}s of {short}",
        )
        yield Feature(
            f"voice.{name}_{move}_std",
            f"log10 of {unit}/s",
            f"Logarithm of the standard deviation of the steepness of the {move}s: {how}.",
            f"How different in speed the {move}s of {noun} are{where}.",
            f"more varied in the speed of the {move}s of {short}",
            f"more even in the speed of the {move}s of {short}",
        )


def _shapes() -> Iterator[Feature]:
    for name, unit, definition, heard, more, less in _SHAPES:
        of_all = f"{definition}; {_SHORT}, averaged over three frames"
        with_lead = f"{definition}; {_SHORT}; only frames with a lead, {_OVER_LEAD}"
        if name == "flux" or name.startswith("mfcc"):
            yield Feature(f"voice.{name}_mean", unit, f"Mean of the {of_all}.", f"In the clip: {heard}.", more, less)
            yield _spread(name, name, unit, of_all, "")
        yield Feature(
            f"voice.{name}_voiced",
            unit,
            f"Mean of the {with_lead}.",
            f"In the moments {_LEAD}: {heard}.",
            f"{more} while a lead is there",
            f"{less} while a lead is there",
        )
        yield _spread(name, f"{name}_voiced", unit, with_lead, f" {_LEAD}")
        if not name.startswith("mfcc"):
            yield Feature(
                f"voice.{name}_unvoiced",
                unit,
                f"Mean of the {definition}; {_SHORT}; only frames without a lead, averaged as above.",
                f"In the moments {_ELSEWHERE}: {heard}.",
                f"{more} between leads",
                f"{less} between leads",
            )


def _lead_curves() -> Iterator[Feature]:
    for name, unit, definition, heard, more, less in _LEAD_CURVES:
        full = f"{definition}; only frames with a lead, {_OVER_LEAD}"
        log = "Logarithm of the mean" if unit.startswith("log") else "Mean"
        yield Feature(f"voice.{name}_mean", unit, f"{log} of the {full}.", f"In the lead: {heard}.", more, less)
        yield _spread(name, name, unit, full, f" {_LEAD}")


def _formants() -> Iterator[Feature]:
    prediction = (
        "root of a linear prediction of order 10 at 11 kHz with a pre-emphasis of 0.97 (autocorrelation method, "
        f"white noise added 50 dB below, {_SHORT}); every second frame with a lead"
    )
    for i, ordinal in enumerate(_ORDINALS, 1):
        resonance = (
            f"the {ordinal} resonance (formant) of the lead, counted from below, as vowels and bodies of instruments "
            "have"
        )
        short = f"the {ordinal} resonance (formant) of its lead"
        plainly = f"the {ordinal} resonance (formant) of the lead"
        yield Feature(
            f"voice.f{i}_hz_mean",
            "Hz",
            f"Mean frequency of the {ordinal} {prediction}.",
            f"How high {resonance}, lies.",
            f"higher in {short}",
            f"lower in {short}",
        )
        yield Feature(
            f"voice.f{i}_hz_std",
            "Hz",
            f"Standard deviation of the frequency of the {ordinal} {prediction}.",
            f"How much {plainly} moves, as when vowels change.",
            f"more mobile in {short}",
            f"more fixed in {short}",
        )
        yield Feature(
            f"voice.f{i}_width_mean",
            "log2 of Hz",
            f"Mean logarithm of the bandwidth of the {ordinal} {prediction}.",
            f"How broad {plainly} is.",
            f"broader in {short}",
            f"more focused in {short}",
        )
        if i == 1:
            yield Feature(
                "voice.f1_width_std",
                "log2 of Hz",
                f"Standard deviation of the logarithm of the bandwidth of the {ordinal} {prediction}.",
                f"How much the breadth of {plainly} changes.",
                f"more varied in the breadth of {short}",
                f"more even in the breadth of {short}",
            )
        level = f"level of the strongest partial within 20 % of the {ordinal} formant over the fundamental"
        yield Feature(
            f"voice.f{i}_level_mean",
            "dB",
            f"Mean {level}; only frames with a lead, {_OVER_LEAD}.",
            f"How strong {plainly} is beside its fundamental.",
            f"stronger in {short}",
            f"weaker in {short}",
        )
        yield Feature(
            f"voice.f{i}_level_std",
            "dB",
            f"Standard deviation of the {level}; only frames with a lead, {_OVER_LEAD}.",
            f"How much the strength of {plainly} changes.",
            f"more varied in the strength of {short}",
            f"more even in the strength of {short}",
        )
    for i, ordinal in enumerate(_ORDINALS, 1):
        root = (
            f"{ordinal} root, by frequency, of the prediction polynomial with negated weights (order 11 at 11 kHz, "
            f"power below 4.7 kHz; what openSMILE 3 gives as formant {i}); every second frame with a lead"
        )
        yield Feature(
            f"voice.notch{i}_hz_mean",
            "Hz",
            f"Mean frequency of the {root}.",
            f"Where fine mark {i} in the spectrum of the lead lies; it is no resonance and has no simple name.",
            f"higher in fine mark {i} of its lead's spectrum",
            f"lower in fine mark {i} of its lead's spectrum",
        )
        yield Feature(
            f"voice.notch{i}_width_mean",
            "log2 of Hz",
            f"Mean logarithm of the bandwidth of the {root}.",
            f"How broad fine mark {i} in the spectrum of the lead is: broad where few tones carry all the strength; "
            "it has no simple name.",
            f"broader in fine mark {i} of its lead's spectrum",
            f"narrower in fine mark {i} of its lead's spectrum",
        )


FEATURES: Final = (
    *_segments(),
    *_curve(
        "pitch",
        "st",
        "the pitch of the lead",
        "the pitch of its lead",
        f"semitones above 27.5 Hz; {_TRACK}; {_OVER_LEAD}",
        f" {_LEAD}",
        {
            "great": "high",
            "low": "low",
            "high": "high",
            "more": "higher in its lead",
            "less": "lower in its lead",
            "wider": "wider in the range of its lead",
            "narrower": "narrower in the range of its lead",
        },
    ),
    *_curve(
        "fullness",
        "1",
        "the fullness of the sound (its loudness as the ear weighs it, relative to the clip's level)",
        "its fullness to the ear",
        "the sum over 26 mel bands (20 to 8000 Hz) of their power, weighted by the ear's sensitivity, to the power "
        f"0.33; {_SHORT}, averaged over three frames; relative, as the clip's level is taken off",
        "",
        {
            "great": "great",
            "low": "thin",
            "high": "full",
            "more": "fuller to the ear",
            "less": "thinner to the ear",
            "wider": "bigger in the contrast of full and thin moments",
            "narrower": "smaller in the contrast of full and thin moments",
        },
    ),
    Feature(
        "voice.fullness_peaks",
        "1/s",
        "Peaks per second of the same curve as in fullness_mean, that rise and fall by a tenth of its range or more.",
        "How often the sound swells and dies away.",
        "more often swelling",
        "less often swelling",
    ),
    *_lead_curves(),
    *_formants(),
    *_shapes(),
)
"""In the order of the values."""
