"""How loud a clip is and how its loudness moves.

Two features are about the level itself: ``integrated_lufs`` and ``peak_dbfs``. All others stay as they
are when the clip is played louder or softer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otoscope.features.base import CoreGroup, Feature
from otoscope.features.programme_loudness import (
    ABSOLUTE_GATE_LUFS,
    OFFSET_LU,
    block_power,
    gated_power,
    k_weight,
)
from otoscope.features.sound import SAMPLE_RATE, Sound

__all__ = ["GROUP", "LEVEL_IDS"]

FloatArray = NDArray[np.float64]

FLOOR_DB = -40.0  # of what is compared with the whole clip
FRAME_HOP = 512  # samples: 23 ms
FRAME_STEPS = 4  # hops in a frame of 93 ms
RISE_FRAMES = 2  # hops over which rise and fall are read: 46 ms
QUIET_DB = -6.0  # below the loud frames
STILL_DB = 0.05  # rise and fall below this are none
ENVELOPE_HOP = 220  # samples: 100.2 values a second
ENVELOPE_WINDOW = 441  # samples: 20 ms
MODULATION_HZ = {"slow": (0.5, 2.0), "medium": (2.0, 8.0), "fast": (8.0, 20.0)}
LEVEL_IDS = frozenset({"loudness.integrated_lufs", "loudness.peak_dbfs"})
"""The features that are about the level itself."""

_FRAMES = "Frames are mean squares over 2048 samples every 512 of the K-weighted signal at 22,050 Hz"
_RELATIVE = f"{_FRAMES}, in dB relative to the mean square of the whole clip, at least {FLOOR_DB:g}"
_BLOCKS = "Mean squares of the K-weighted signal in blocks of 400 ms every 100 ms (ITU-R BS.1770-4, at 22,050 Hz)"
_ENVELOPE = (
    "The envelope is the root of the squared K-weighted signal smoothed by a Hann window of 20 ms, 100.2 values a "
    "second, divided by its mean; its spectrum is taken under one Hann window over the whole clip"
)

# name, unit, definition, plain, more, less
_TABLE = (
    (
        "integrated_lufs",
        "LUFS",
        f"{_BLOCKS}; mean of those above -70 LUFS and above 10 LU below the mean of these; one channel (the mean of "
        "the file's channels). About the level itself",
        "How loud the clip is as a whole, measured as broadcasters do.",
        "louder",
        "softer",
    ),
    (
        "peak_dbfs",
        "dB",
        "20 log10 of the greatest magnitude of a sample at 22,050 Hz, the mean taken off, re full scale. About the "
        "level itself",
        "How high the tallest peak of the waveform reaches.",
        "higher in its tallest peak",
        "lower in its tallest peak",
    ),
    (
        "weighting_lu",
        "LU",
        "10 log10 of the mean square of the K-weighted signal over the mean square of the signal at 22,050 Hz",
        "How much louder the ear finds the clip than the meter does: bass weighs little for the ear, treble more.",
        "louder to the ear, set against the meter",
        "softer to the ear, set against the meter",
    ),
    (
        "crest_db",
        "dB",
        "20 log10 of the greatest magnitude over the root mean square, at 22,050 Hz",
        "How far the tallest peak stands out above the average level; heavy compression makes it small.",
        "spikier",
        "more compressed",
    ),
    (
        "frame_crest_db",
        "dB",
        "Median over stretches of 2048 samples (without overlap, at 22,050 Hz, those above "
        f"{FLOOR_DB:g} dB re the whole clip) of 20 log10 of the greatest magnitude over the root mean square",
        "How spiky the waveform is within a tenth of a second, wherever one listens.",
        "more pointed from moment to moment",
        "smoother from moment to moment",
    ),
    (
        "headroom_db",
        "dB",
        "20 log10 of the greatest magnitude over the 99th percentile of the magnitudes, at 22,050 Hz",
        "How far the very highest peak rises over the other high peaks; a limiter shaves it off.",
        "less limited at its peaks",
        "more limited at its peaks",
    ),
    (
        "spread_lu",
        "LU",
        f"{_BLOCKS}; of those above 20 dB below their mean, the 95th less the 10th percentile in dB",
        "How far apart its loud and its soft moments lie.",
        "wider in its dynamics",
        "more even in loudness",
    ),
    (
        "loudest_lu",
        "LU",
        f"{_BLOCKS}; the greatest in dB less the gated mean (only the relative gate, -10 LU)",
        "How far the loudest moment stands out above the clip's average loudness.",
        "more dominated by one loud moment",
        "less dominated by one loud moment",
    ),
    (
        "complexity_db",
        "dB",
        f"{_RELATIVE}; mean absolute difference from their mean",
        "How much the loudness departs, moment by moment, from its own average.",
        "busier in its dynamics",
        "steadier in its dynamics",
    ),
    (
        "level_p25_db",
        "dB",
        f"{_RELATIVE}; 25th percentile",
        "How loud the soft moments are against the whole clip.",
        "fuller in its soft moments",
        "more hushed in its soft moments",
    ),
    (
        "level_p50_db",
        "dB",
        f"{_RELATIVE}; median",
        "How loud a typical moment is against the average, which loud bursts pull up.",
        "more sustained",
        "more made of short bursts",
    ),
    (
        "level_p90_db",
        "dB",
        f"{_RELATIVE}; 90th percentile",
        "How far the loud moments rise above the average.",
        "stronger in its loud moments",
        "flatter in its loud moments",
    ),
    (
        "quiet_share",
        "1",
        f"{_RELATIVE}; share of frames more than {-QUIET_DB:g} dB below their 95th percentile",
        "How much of the time the clip is much softer than at its loud moments.",
        "more often soft",
        "less often soft",
    ),
    (
        "slope_db_per_s",
        "dB/s",
        f"{_RELATIVE}; slope of the least-squares line over time",
        "Whether the loudness rises or falls over the clip.",
        "more inclined to swell",
        "more inclined to fade",
    ),
    (
        "end_minus_start_db",
        "dB",
        f"10 log10 of the mean square of the K-weighted signal in the last third over that in the first, between "
        f"{FLOOR_DB:g} and {-FLOOR_DB:g}",
        "How much louder the clip ends than it begins.",
        "louder at its end, set against its beginning",
        "softer at its end, set against its beginning",
    ),
    (
        "energy_centre",
        "1",
        "Mean time of the samples weighted by the squared K-weighted signal (in blocks of 512 samples), as a share "
        "of the duration",
        "Where in the clip the weight of its sound lies: 0 is its beginning, 1 its end.",
        "heavier towards its end",
        "heavier towards its beginning",
    ),
    (
        "rise_db",
        "dB",
        f"{_RELATIVE}; 95th percentile of the change over {RISE_FRAMES} frames",
        "How sharply the loudness jumps up where it jumps most.",
        "sharper in its attacks",
        "gentler in its attacks",
    ),
    (
        "rise_over_fall",
        "1",
        f"{_RELATIVE}; (rise - fall) / (rise + fall) of the 95th percentile of the change over {RISE_FRAMES} frames "
        f"and of minus the 5th; NaN where both are below {STILL_DB:g} dB",
        "Whether its sounds begin suddenly and fade slowly, as plucked and struck ones do, or the other way round.",
        "more plucked in its shape",
        "more bowed in its shape",
    ),
    (
        "modulation_slow_db",
        "dB",
        f"{_ENVELOPE}; 20 log10 of the root mean square between 0.5 and 2 Hz, at least {FLOOR_DB:g}; NaN in clips "
        "under 2 s",
        "How strongly the loudness sways about once a second, as with bars and phrases.",
        "stronger in its slow swaying",
        "weaker in its slow swaying",
    ),
    (
        "modulation_medium_db",
        "dB",
        f"{_ENVELOPE}; 20 log10 of the root mean square between 2 and 8 Hz, at least {FLOOR_DB:g}",
        "How strongly the loudness pulses two to eight times a second, as with beats and syllables.",
        "stronger in its pulsing",
        "weaker in its pulsing",
    ),
    (
        "modulation_fast_db",
        "dB",
        f"{_ENVELOPE}; 20 log10 of the root mean square between 8 and 20 Hz, at least {FLOOR_DB:g}",
        "How strongly the loudness flutters eight to twenty times a second, as with tremolo and drum rolls.",
        "more fluttering",
        "less fluttering",
    ),
    (
        "modulation_rate",
        "oct",
        f"{_ENVELOPE}; mean of log2 of frequency in Hz between 2 and 20 Hz, weighted by power",
        "How fast the loudness moves up and down.",
        "quicker in its ups and downs",
        "slower in its ups and downs",
    ),
)
_FEATURES = tuple(Feature(f"loudness.{name}", *texts) for name, *texts in _TABLE)


def _measure(sound: Sound) -> FloatArray:
    magnitudes = np.abs(sound.samples)
    weighted = k_weight(sound.samples, SAMPLE_RATE)
    values = _levels(magnitudes, weighted) | _blocks(weighted) | _frames(weighted) | _modulation(weighted)
    return np.array([values[feature.id.partition(".")[2]] for feature in _FEATURES])


GROUP = CoreGroup("loudness", "Loudness and dynamics", "1", _FEATURES, _measure)
"""How loud a clip is, how its loudness is spread, and how it rises, falls and pulses."""


def _db(ratio: float) -> float:
    return 10 * float(np.log10(ratio))


def _levels(magnitudes: NDArray[np.float32], weighted: FloatArray) -> dict[str, float]:
    peak = float(magnitudes.max())
    power = float(np.mean(np.square(magnitudes, dtype=np.float64)))
    whole = magnitudes[: magnitudes.size // 2048 * 2048].reshape(-1, 2048)
    frame_power = np.mean(np.square(whole, dtype=np.float64), axis=1)
    heard = frame_power > power * 10 ** (FLOOR_DB / 10)
    crests = 20 * np.log10(whole.max(axis=1)[heard]) - 10 * np.log10(frame_power[heard])
    high = float(np.percentile(magnitudes, 99))
    return {
        "peak_dbfs": _db(peak**2),
        "weighting_lu": _db(float(np.mean(np.square(weighted))) / power),
        "crest_db": _db(peak**2 / power),
        "frame_crest_db": float(np.median(crests)),
        "headroom_db": min(_db(peak**2 / high**2), -FLOOR_DB) if high > 0 else -FLOOR_DB,
    }


def _blocks(weighted: FloatArray) -> dict[str, float]:
    powers = block_power(weighted, SAMPLE_RATE)
    gate = 10 ** ((ABSOLUTE_GATE_LUFS - OFFSET_LU) / 10)
    heard = 10 * np.log10(powers[powers > np.mean(powers) / 100])
    low, high = np.percentile(heard, [10, 95])
    return {
        "integrated_lufs": OFFSET_LU + _db(gated_power(powers, gate)),
        "spread_lu": float(high - low),
        "loudest_lu": _db(float(powers.max()) / gated_power(powers, 0.0)),
    }


def _frames(weighted: FloatArray) -> dict[str, float]:
    n_steps = weighted.size // FRAME_HOP
    steps = np.square(weighted[: n_steps * FRAME_HOP]).reshape(n_steps, FRAME_HOP).sum(axis=1)
    powers = np.convolve(steps, np.ones(FRAME_STEPS), mode="valid") / (FRAME_STEPS * steps.mean())
    levels = 10 * np.log10(np.maximum(powers, 10 ** (FLOOR_DB / 10)))
    low, middle, high, loud = np.percentile(levels, [25, 50, 90, 95])
    times = np.arange(levels.size) * FRAME_HOP / SAMPLE_RATE
    times -= times.mean()
    third = n_steps // 3
    ends = np.maximum([steps[:third].sum(), steps[-third:].sum()], steps.sum() * 10 ** (FLOOR_DB / 10))
    changes = levels[RISE_FRAMES:] - levels[:-RISE_FRAMES]
    fall, rise = np.maximum(np.percentile(changes, [5, 95]) * [-1, 1], 0.0)
    return {
        "complexity_db": float(np.mean(np.abs(levels - levels.mean()))),
        "level_p25_db": float(low),
        "level_p50_db": float(middle),
        "level_p90_db": float(high),
        "quiet_share": float(np.mean(levels < loud + QUIET_DB)),
        "slope_db_per_s": float(times @ levels / (times @ times)),
        "end_minus_start_db": _db(ends[1] / ends[0]),
        "energy_centre": float(steps @ (np.arange(n_steps) + 0.5) / (n_steps * steps.sum())),
        "rise_db": float(rise),
        "rise_over_fall": float((rise - fall) / (rise + fall)) if max(rise, fall) >= STILL_DB else float("nan"),
    }


def _modulation(weighted: FloatArray) -> dict[str, float]:
    from scipy.signal import upfirdn
    from scipy.signal.windows import hann

    window = hann(ENVELOPE_WINDOW, sym=False)
    smoothed = np.asarray(upfirdn(window, np.square(weighted), down=ENVELOPE_HOP))
    whole = smoothed[-(-ENVELOPE_WINDOW // ENVELOPE_HOP) : weighted.size // ENVELOPE_HOP]
    envelope = np.sqrt(np.maximum(whole, 0.0))
    taper = hann(envelope.size, sym=False)
    mean = float(taper @ envelope / taper.sum())
    if mean <= 0:
        return {f"modulation_{name}_db": float("nan") for name in MODULATION_HZ} | {"modulation_rate": float("nan")}
    spectrum = np.abs(np.fft.rfft((envelope / mean - 1) * taper)) ** 2 * (2 / (taper.size * (taper @ taper)))
    frequencies = np.fft.rfftfreq(envelope.size, ENVELOPE_HOP / SAMPLE_RATE)
    values = {}
    for name, (low, high) in MODULATION_HZ.items():
        power = float(spectrum[(frequencies >= low) & (frequencies < high)].sum())
        long_enough = weighted.size >= SAMPLE_RATE / low
        values[f"modulation_{name}_db"] = max(_db(max(power, 1e-30)), FLOOR_DB) if long_enough else float("nan")
    inside = (frequencies >= 2) & (frequencies < 20)
    total = float(spectrum[inside].sum())
    centre = float(spectrum[inside] @ np.log2(frequencies[inside]) / total) if total > 1e-12 else float("nan")
    return values | {"modulation_rate": centre}
