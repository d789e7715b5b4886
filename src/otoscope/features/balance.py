"""What carries the sound: bass, voice band or treble, held notes or strokes.

Harmonic and percussive parts come from running medians of the mel spectrum [1]_: over time they keep what is held,
over frequency what strikes all bands at once; soft masks divide the power between the two. The eight features of
vocals, drums, bass and other are stand-ins made of these parts, not separated recordings.

References
----------
.. [1] D. FitzGerald: Harmonic/percussive separation using median filtering. DAFx, 2010.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from otoscope.features.base import CoreGroup, Feature
from otoscope.features.sound import SAMPLE_RATE, Sound

__all__ = ["GROUP", "harmonic_share"]

FloatArray = NDArray[np.float64]

FLOOR_DB = -50.0  # of a part of the whole clip
FRAME_FLOOR_DB = -40.0  # of a part of the whole clip in one frame
MEDIAN_FRAMES = 17  # 0.4 s
MEDIAN_BANDS = 17  # of 128
N_BANDS = 128
EDGE_FRAMES = 2  # whose windows reach beyond the ends of the clip
STILL_DB = 0.1  # standard deviation of a level that does not move
BLOCK_FRAMES = 1024  # worked on at once, so that a long song needs little memory
VOICE_HZ = (200.0, 4000.0)
BANDS = {
    "sub": (0.0, 80.0),
    "bass": (80.0, 200.0),
    "lowmid": (200.0, 500.0),
    "mid": (500.0, 2000.0),
    "highmid": (2000.0, 4000.0),
    "high": (4000.0, 8000.0),
    "air": (8000.0, SAMPLE_RATE / 2 + 1),
    "voice": VOICE_HZ,
}
PARTS = ("vocals", "drums", "bass", "other")

_BAND_WORDS = {
    "sub": ("the deepest bass, below 80 Hz,", "deeper in its bass", "lighter in its deepest bass"),
    "bass": ("the bass from 80 to 200 Hz", "stronger in the bass", "weaker in the bass"),
    "lowmid": ("the warm range from 200 to 500 Hz", "warmer", "thinner"),
    "mid": ("the middle range from 500 to 2000 Hz", "stronger in the middle range", "weaker in the middle range"),
    "highmid": ("the range of presence, from 2 to 4 kHz,", "more present", "more distant"),
    "high": ("the treble from 4 to 8 kHz", "stronger in the treble", "weaker in the treble"),
    "air": ("the airy top above 8 kHz", "airier", "less airy"),
    "voice": (
        "the band where voices live, from 200 to 4000 Hz,",
        "fuller in the range of the voice",
        "emptier in the range of the voice",
    ),
}
_PART_WORDS = {
    "vocals": ("singing or lead", "what is held in the range of the voice", "held power between 200 and 4000 Hz"),
    "drums": ("drums", "all that strikes", "percussive power"),
    "bass": ("bass line", "what is held in the bass", "held power below 200 Hz"),
    "other": ("sustained treble", "what is held above the voice", "held power above 4000 Hz, the harmonic rest"),
}
_MASKS = (
    "Power in 128 mel bands (Slaney, each scaled back from unit area; 2048-sample Hann windows every 512 at 22,050 "
    "Hz, those within the clip) is divided into held and percussive by soft masks h/(h+p) and p/(h+p): h is the "
    f"running median over {MEDIAN_FRAMES} frames, p over {MEDIAN_BANDS} bands"
)


def _band_features() -> list[Feature]:
    features = []
    for name, (low, high) in BANDS.items():
        words, more, less = _BAND_WORDS[name]
        features.append(
            Feature(
                f"balance.{name}_level_db",
                "dB",
                f"10 log10 of the share of power from {low:g} to {min(high, SAMPLE_RATE / 2):g} Hz (2048-sample Hann "
                f"windows every 512 at 22,050 Hz, those within the clip), at least {FLOOR_DB:g}",
                f"How much of the sound lies in {words} against the whole.",
                more,
                less,
            )
        )
    return features


def _part_features() -> list[Feature]:
    features = []
    for part in PARTS:
        who, words, power = _PART_WORDS[part]
        level = (
            f"{_MASKS}. Stand-in for a separated recording of {part}: {power}, in each frame in dB relative to the "
            f"mean power of the whole clip, at least {FRAME_FLOOR_DB:g}"
        )
        features.append(
            Feature(
                f"balance.{part}_db_mean",
                "dB",
                f"{level}; mean over frames",
                f"How loud the {who} is against the whole, estimated from {words}."
                if part != "drums"
                else f"How loud the {who} are against the whole, estimated from {words}.",
                f"louder in its {who}",
                f"softer in its {who}",
            )
        )
        features.append(
            Feature(
                f"balance.{part}_db_std",
                "dB",
                f"{level}; standard deviation over frames",
                f"How much the loudness of the {who} changes over the clip.",
                f"more changeable in its {who}",
                f"steadier in its {who}",
            )
        )
    return features


_FEATURES = (
    *_band_features(),
    Feature(
        "balance.bass_voice_correlation",
        "1",
        "Correlation over frames of the levels in dB (re the whole clip, at least "
        f"{FRAME_FLOOR_DB:g}) below 200 Hz and from 200 to 4000 Hz; NaN where one of them stands still",
        "Whether bass and middle rise and fall together or take turns.",
        "more together in bass and middle",
        "more alternating between bass and middle",
    ),
    Feature(
        "balance.harmonic_over_percussive_db",
        "dB",
        f"{_MASKS}. Held power over percussive power, 10 log10",
        "Whether held notes or strokes carry the sound.",
        "more made of held notes",
        "more percussive",
    ),
    Feature(
        "balance.harmonic_share_std",
        "1",
        f"{_MASKS}. Held power over all power in each frame that is above {FRAME_FLOOR_DB:g} dB re the mean; "
        "standard deviation over frames",
        "How much the clip changes between held notes and strokes.",
        "more changing between notes and strokes",
        "more constant in its mix of notes and strokes",
    ),
    Feature(
        "balance.percussive_bass_share",
        "1",
        f"{_MASKS}. Percussive power below 200 Hz over all power below 200 Hz; NaN where that is below "
        f"{FLOOR_DB:g} dB re the whole",
        "How much of the bass is struck, as by a kick drum, rather than held.",
        "more thumping in its bass",
        "more sustained in its bass",
    ),
    Feature(
        "balance.percussive_treble_share",
        "1",
        f"{_MASKS}. Percussive power above 4000 Hz over all power above 4000 Hz; NaN where that is below "
        f"{FLOOR_DB:g} dB re the whole",
        "How much of the treble comes in strokes, as from cymbals and consonants.",
        "crisper in its treble",
        "smoother in its treble",
    ),
    *_part_features(),
)


def _measure(sound: Sound) -> FloatArray:
    inside = _inside(sound.power)
    share = harmonic_share(sound.mel_power)
    values = _bands(sound.power[:, inside], sound.frequencies)
    values |= _parts(sound.mel_power[:, inside], share[:, inside])
    return np.array([values[feature.id.partition(".")[2]] for feature in _FEATURES])


GROUP = CoreGroup("balance", "Balance of parts", "1", _FEATURES, _measure)
"""Levels of frequency bands, of held and percussive sound, and stand-ins for four stems."""


def harmonic_share(mel_power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Say for each band and frame how much of its power is held rather than struck.

    Parameters
    ----------
    mel_power : ndarray of float32, shape (n_bands, n_frames)
        Not negative.

    Returns
    -------
    ndarray of float32, shape (n_bands, n_frames)
        Between 0 and 1; a half where neither median is above 0. The rest is percussive.
    """
    held, struck = _running_median(mel_power.T, MEDIAN_FRAMES).T, _running_median(mel_power, MEDIAN_BANDS)
    total = held + struck
    return np.divide(held, total, out=np.full_like(total, 0.5), where=total > 0)


def _running_median(values: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Take medians over `width` (odd) rows, column by column; the ends are mirrored."""
    half = width // 2
    padded = np.pad(values, ((half, half), (0, 0)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=0)
    result = np.empty_like(values)
    step = max(1, BLOCK_FRAMES * N_BANDS // values.shape[1])
    for first in range(0, values.shape[0], step):
        result[first : first + step] = np.partition(windows[first : first + step], half, axis=-1)[..., half]
    return result


def _db(ratio: float) -> float:
    return 10 * float(np.log10(np.clip(ratio, 10 ** (FLOOR_DB / 10), 10 ** (-FLOOR_DB / 10))))


def _ratio_db(part: float, other: float) -> float:
    return _db(part / other) if other > 0 else -FLOOR_DB


def _share(part: float, of: float, whole: float) -> float:
    return part / of if of > whole * 10 ** (FLOOR_DB / 10) else float("nan")


def _frame_db(power: FloatArray, whole: float) -> FloatArray:
    return 10 * np.log10(np.maximum(power / whole, 10 ** (FRAME_FLOOR_DB / 10)))


def _inside(power: NDArray[np.float32]) -> slice:
    """Frames whose windows lie within the clip; all, where what sounds lies at its very ends."""
    inside = slice(EDGE_FRAMES, power.shape[1] - EDGE_FRAMES)
    per_frame = power.sum(axis=0, dtype=np.float64)
    return inside if per_frame[inside].sum() > 0.01 * per_frame.sum() else slice(None)


def _bands(power: NDArray[np.float32], frequencies: FloatArray) -> dict[str, float]:
    def rows(low: float, high: float) -> slice:
        return slice(*(int(i) for i in np.searchsorted(frequencies, [low, high])))

    per_bin = power.sum(axis=1, dtype=np.float64)
    whole = float(per_bin.sum())
    values = {
        f"{name}_level_db": _db(float(per_bin[rows(low, high)].sum()) / whole) for name, (low, high) in BANDS.items()
    }
    bass, voice = rows(0, VOICE_HZ[0]), rows(*VOICE_HZ)
    low, mid = (
        _frame_db(power[part].sum(axis=0, dtype=np.float64), whole / power.shape[1]) for part in (bass, voice)
    )
    still = min(float(low.std()), float(mid.std())) < STILL_DB
    return values | {
        "bass_voice_correlation": float("nan") if still else float(np.corrcoef(low, mid)[0, 1]),
    }


def _parts(mel_power: NDArray[np.float32], share: NDArray[np.float32]) -> dict[str, float]:
    centres, undo = _mel_scale()
    power = mel_power * undo[:, None]
    held = power * share
    struck = power - held
    bass, treble = centres < VOICE_HZ[0], centres >= VOICE_HZ[1]
    per_frame = power.sum(axis=0)
    whole = float(per_frame.mean())
    sounding = per_frame > whole * 10 ** (FRAME_FLOOR_DB / 10)
    treble_power = float(power[treble].sum())
    values = {
        "harmonic_over_percussive_db": _ratio_db(float(held.sum()), float(struck.sum())),
        "harmonic_share_std": float(np.std(held.sum(axis=0)[sounding] / per_frame[sounding])),
        "percussive_bass_share": _share(float(struck[bass].sum()), float(power[bass].sum()), power.sum()),
        "percussive_treble_share": _share(float(struck[treble].sum()), treble_power, power.sum()),
    }
    parts = {"vocals": held[~bass & ~treble], "drums": struck, "bass": held[bass], "other": held[treble]}
    for name, part in parts.items():
        levels = _frame_db(part.sum(axis=0), whole)
        values |= {f"{name}_db_mean": float(levels.mean()), f"{name}_db_std": float(levels.std())}
    return values


@cache
def _mel_scale() -> tuple[FloatArray, FloatArray]:
    """Centres of the mel bands in hertz, and what undoes the scaling of each to unit area."""
    import librosa

    edges = np.asarray(librosa.mel_frequencies(n_mels=N_BANDS + 2, fmin=0.0, fmax=SAMPLE_RATE / 2), dtype=np.float64)
    return edges[1:-1], (edges[2:] - edges[:-2]) / 2
