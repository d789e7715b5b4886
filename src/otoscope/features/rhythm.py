"""Beat and onsets: how fast, how clear, how regular, how dense.

What needs a beat is NaN where there is none: in drones, in noise, in free rhythm, and in clips under two seconds.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from otoscope.features.base import CoreGroup, Feature
from otoscope.features.pulse import FAINTEST, TEMPI_BPM, Pulse, find_onsets, find_pulse, steadiness
from otoscope.features.sound import HOP, N_FFT, SAMPLE_RATE, Sound

__all__ = ["GROUP"]

FloatArray = NDArray[np.float64]

FRAMES_PER_S = SAMPLE_RATE / HOP
EDGE_FRAMES = N_FFT // (2 * HOP)  # whose windows reach beyond the ends of the clip
UNSEEN_FRAMES = 2 * EDGE_FRAMES + 1  # of `Sound.onset_strength`: it lags by 3 frames and begins with 2 at an edge
STRETCH_FRAMES = 96  # 2.2 s
ACCENT_FRAMES = 3  # 70 ms from an onset on
THRESHOLD_DB = 0.8
LOW_HZ, LOW_THRESHOLD_DB = 150.0, 4.0
HIGH_HZ, HIGH_THRESHOLD_DB = 5000.0, 1.5
SILENT_DB = 79.0  # below the peak: where `Sound.mel_db` ends
NOTHING = float("nan")

_STRENGTH = (
    "Onset strength is the rise of each of 128 mel bands in dB (at most 80 below the peak, falls count as 0) from "
    "one frame to the next (2048-sample windows every 512 at 22,050 Hz, those within the clip), averaged over bands"
)
_ONSETS = (
    f"{_STRENGTH}. Onsets are its maxima over 2 frames on each side that exceed the mean of 15 frames on each side "
    f"by {THRESHOLD_DB:g} dB, placed between frames by a parabola"
)
_PULSE = (
    f"{_STRENGTH}, smoothed by (1, 2, 1)/4; its autocorrelation (mean over overlapping frames, 1 at lag 0; windows "
    "of 8.9 s with half overlap in longer clips); for each tempo from 40 to 241 bpm in tenths of a semitone, C is "
    "its mean at the first four multiples of the period, weighted by 1/k, and the beat is the maximum of C under a "
    f"log-normal prior (120 bpm, 1 octave); no beat where C is below {FAINTEST:g}, in clips under 2 s, or where "
    "nothing moves"
)

# name, unit, definition, plain, more, less
_TABLE = (
    (
        "tempo",
        "bpm",
        f"{_PULSE}. The tempo of the beat",
        "The tempo: how many beats there are in a minute.",
        "faster",
        "slower",
    ),
    (
        "pulse_clarity",
        "1",
        f"{_PULSE}. C at the maximum, also below {FAINTEST:g}; NaN in clips under 2 s or where nothing moves",
        "How clearly a beat can be felt.",
        "clearer in its beat",
        "freer in its beat",
    ),
    (
        "tempo_ambiguity",
        "1",
        f"{_PULSE}. Entropy of the part of C above 0, taken as a distribution over the tempi, over its maximum",
        "Whether one tempo stands out or many would fit.",
        "more open about its tempo",
        "more definite about its tempo",
    ),
    (
        "offbeat",
        "1",
        f"{_PULSE}. The autocorrelation at half a beat",
        "How firmly the beat is divided in two, as by straight eighth notes.",
        "more driven by even offbeats",
        "less driven by even offbeats",
    ),
    (
        "triplet",
        "1",
        f"{_PULSE}. The larger autocorrelation of those at a third and at two thirds of a beat",
        "How firmly the beat is divided in three, as by triplets, a shuffle or swing.",
        "more swinging in threes",
        "less swinging in threes",
    ),
    (
        "duple",
        "1",
        f"{_PULSE}. The autocorrelation at two beats less that at one",
        "Whether beats come in strong and weak pairs.",
        "more paired in its beats",
        "more alike from beat to beat",
    ),
    (
        "triple_over_duple",
        "1",
        f"{_PULSE}. The autocorrelation at three beats less that at two; NaN where three beats are more than two "
        "thirds of the clip (or of 8.9 s)",
        "Whether beats group in threes, as in a waltz, rather than in twos.",
        "more like a waltz",
        "more like a march",
    ),
    (
        "steadiness",
        "1",
        f"{_STRENGTH}. Its autocorrelations (lags of 0.2 to 1.1 s) in stretches of {STRETCH_FRAMES} frames, without "
        "overlap; mean correlation of neighbouring ones; NaN in clips under 4.6 s",
        "How alike the rhythm stays from one pair of seconds to the next.",
        "steadier in its rhythm",
        "more changing in its rhythm",
    ),
    (
        "onset_rate",
        "1/s",
        f"{_ONSETS}. Their number over the duration of the frames",
        "How many notes and strokes begin in a second.",
        "denser in notes",
        "sparser in notes",
    ),
    (
        "strength_mean_db",
        "dB",
        f"{_STRENGTH}. Mean over frames",
        "How much new sound enters at every moment.",
        "livelier",
        "calmer",
    ),
    (
        "strength_peakiness",
        "oct",
        f"{_STRENGTH}. log2 of the root mean square over the mean; NaN where the mean is below 0.05 dB",
        "Whether new sound comes in a few sudden bursts or seeps in all the time.",
        "burstier",
        "more flowing",
    ),
    (
        "onset_strength_db",
        "dB",
        f"{_ONSETS}. Median of the strength at onsets; NaN where there is none",
        "How hard a typical note is struck.",
        "harder in its attacks",
        "softer in its attacks",
    ),
    (
        "onset_accent_db",
        "dB",
        f"{_ONSETS}. 10 log10 of the mean power of the {ACCENT_FRAMES} frames from each onset on over that of the "
        "other frames, between -20 and 20; NaN where either kind is missing",
        "How much louder the beginnings of notes are than what lies between them.",
        "more percussive in its notes",
        "more sustained in its notes",
    ),
    (
        "interval_median",
        "oct",
        f"{_ONSETS}. log2 of the median interval between successive ones in seconds; NaN with fewer than two",
        "How far apart successive notes usually lie.",
        "slower in its succession of notes",
        "quicker in its succession of notes",
    ),
    (
        "interval_spread",
        "oct",
        f"{_ONSETS}. Standard deviation of log2 of the intervals between successive ones; NaN with fewer than four "
        "onsets",
        "How many different note lengths there are.",
        "more varied in its note lengths",
        "more uniform in its note lengths",
    ),
    (
        "interval_contrast",
        "1",
        f"{_ONSETS}. Normalised pairwise variability index of the intervals between successive ones: 100 times the "
        "mean of |a - b| / ((a + b) / 2) over neighbours; NaN with fewer than four onsets",
        "How much each note length differs from the next: even notes are low, long-short patterns high.",
        "more dotted in its rhythm",
        "more even in its rhythm",
    ),
    (
        "low_rate",
        "1/s",
        f"{_STRENGTH}, here the bands below {LOW_HZ:g} Hz. Maxima as for onsets, {LOW_THRESHOLD_DB:g} dB above the "
        "mean around; their number over the duration; NaN where the bands hold nothing",
        "How many strokes of bass or kick drum there are in a second.",
        "busier in its bass strokes",
        "sparser in its bass strokes",
    ),
    (
        "high_rate",
        "1/s",
        f"{_STRENGTH}, here the bands above {HIGH_HZ:g} Hz. Maxima as for onsets, {HIGH_THRESHOLD_DB:g} dB above the "
        "mean around; their number over the duration; NaN where the bands hold nothing",
        "How many sharp high strokes, as of hi-hats and consonants, there are in a second.",
        "busier in its high strokes",
        "sparser in its high strokes",
    ),
    (
        "low_strength_db",
        "dB",
        f"{_STRENGTH}, here the bands below {LOW_HZ:g} Hz. Mean over frames; NaN where they hold nothing",
        "How much the bass moves.",
        "livelier in its bass",
        "calmer in its bass",
    ),
    (
        "high_strength_db",
        "dB",
        f"{_STRENGTH}, here the bands above {HIGH_HZ:g} Hz. Mean over frames; NaN where they hold nothing",
        "How much the treble moves.",
        "livelier in its treble",
        "calmer in its treble",
    ),
    (
        "low_high_correlation",
        "1",
        f"{_STRENGTH}, for the bands below {LOW_HZ:g} Hz and for those above {HIGH_HZ:g} Hz. Their correlation over "
        "frames; NaN where one stands still",
        "Whether bass and treble strike together or in turn.",
        "more together in bass and treble strokes",
        "more alternating in bass and treble strokes",
    ),
)
_FEATURES = tuple(Feature(f"rhythm.{name}", *texts) for name, *texts in _TABLE)


def _measure(sound: Sound) -> FloatArray:
    strength = sound.onset_strength[UNSEEN_FRAMES:]
    power = sound.power[:, EDGE_FRAMES:-EDGE_FRAMES].sum(axis=0, dtype=np.float64)
    values = _beat(find_pulse(strength, FRAMES_PER_S))
    values |= _strength(strength) | _onsets(strength, power) | _ends(sound.mel_db)
    values["steadiness"] = steadiness(strength, STRETCH_FRAMES)
    return np.array([values[feature.id.partition(".")[2]] for feature in _FEATURES])


GROUP = CoreGroup("rhythm", "Beat and rhythm", "1", _FEATURES, _measure)
"""Tempo, clarity and division of the beat; density, strength and regularity of onsets."""


def _beat(pulse: Pulse) -> dict[str, float]:
    likely = np.maximum(pulse.spectrum, 0.0)
    likely = likely[likely > 0] / likely.sum() if likely.any() else likely
    return {
        "tempo": pulse.tempo_bpm,
        "pulse_clarity": pulse.clarity,
        "tempo_ambiguity": float(-(likely @ np.log(likely)) / np.log(TEMPI_BPM.size)) if likely.any() else NOTHING,
        "offbeat": pulse.at(1 / 2),
        "triplet": max(pulse.at(1 / 3), pulse.at(2 / 3)),
        "duple": pulse.at(2) - pulse.at(1),
        "triple_over_duple": pulse.at(3) - pulse.at(2),
    }


def _strength(strength: FloatArray) -> dict[str, float]:
    mean = float(strength.mean())
    return {
        "strength_mean_db": mean,
        "strength_peakiness": float(np.log2(np.sqrt(np.mean(strength**2)) / mean)) if mean >= 0.05 else NOTHING,
    }


def _onsets(strength: FloatArray, power: FloatArray) -> dict[str, float]:
    places = find_onsets(strength, THRESHOLD_DB)
    frames = np.rint(places).astype(int)
    intervals = np.diff(places) / FRAMES_PER_S
    accented = np.zeros(power.size, dtype=bool)
    for step in range(1, ACCENT_FRAMES + 1):  # strength[i] is the rise from power[i] to power[i + 1]
        accented[np.minimum(frames + step, power.size - 1)] = True
    on, off = power[accented], power[~accented]
    several = intervals.size >= 3
    a, b = intervals[1:], intervals[:-1]
    return {
        "onset_rate": places.size * FRAMES_PER_S / strength.size,
        "onset_strength_db": float(np.median(strength[frames])) if places.size else NOTHING,
        "onset_accent_db": _db_between(float(on.mean()), float(off.mean())) if on.size and off.size else NOTHING,
        "interval_median": float(np.log2(np.median(intervals))) if intervals.size else NOTHING,
        "interval_spread": float(np.std(np.log2(intervals))) if several else NOTHING,
        "interval_contrast": float(100 * np.mean(2 * np.abs(a - b) / (a + b))) if several else NOTHING,
    }


def _db_between(power: float, other: float) -> float:
    return 10 * float(np.log10(np.clip(power / other, 0.01, 100.0))) if other > 0 else 20.0


@cache
def _end_bands() -> tuple[slice, slice]:
    """Which mel bands are low and which are high, by their centres."""
    import librosa

    centres = librosa.mel_frequencies(n_mels=130, fmin=0.0, fmax=SAMPLE_RATE / 2)[1:-1]
    low, high = (int(i) for i in np.searchsorted(centres, [LOW_HZ, HIGH_HZ]))
    return slice(0, low), slice(high, None)


def _ends(mel_db: NDArray[np.float32]) -> dict[str, float]:
    values: dict[str, float] = {}
    strengths: list[FloatArray] = []
    for name, bands, threshold in zip(
        ("low", "high"), _end_bands(), (LOW_THRESHOLD_DB, HIGH_THRESHOLD_DB), strict=True
    ):
        levels = mel_db[bands, EDGE_FRAMES:-EDGE_FRAMES]
        silent = bool(levels.max() < mel_db.max() - SILENT_DB)
        strength = np.maximum(np.diff(levels, axis=1), 0.0).mean(axis=0, dtype=np.float64)
        rate = find_onsets(strength, threshold).size * FRAMES_PER_S / strength.size
        values |= {
            f"{name}_rate": NOTHING if silent else rate,
            f"{name}_strength_db": NOTHING if silent else float(strength.mean()),
        }
        strengths.append(strength)
    still = min(float(strength.std()) for strength in strengths) < 0.05
    return values | {
        "low_high_correlation": NOTHING if still else float(np.corrcoef(strengths[0], strengths[1])[0, 1])
    }
