"""Short tunes for the practice, made here so that no clip of the study is heard before it begins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["PRACTICE_ORDER", "practice_tune"]

PRACTICE_ORDER = (0, 1, 2, 1, 3, 0)
"""Which tune sounds in which place of the practice; two of them come back."""
_SCALE = (0, 2, 4, 7, 9, 12, 14, 16)  # semitones above the key
_KEYS = (57, 62, 66, 52)  # MIDI
_BEATS = (0.25, 0.4, 0.5, 0.32)  # seconds
_RELEASE_S = 0.02


def practice_tune(number: int, *, duration_s: float, sample_rate: int) -> NDArray[np.float32]:
    """Make a tune of plucked notes.

    Parameters
    ----------
    number : int
        Which; tunes differ in key, tempo, melody and timbre.
    duration_s : float, seconds
        Its length.
    sample_rate : int, hertz
        Its rate.

    Returns
    -------
    ndarray of float32, shape (n_samples, 1)
        Inside half of full scale.
    """
    rng = np.random.default_rng([91, number])
    n = round(duration_s * sample_rate)
    beat_s = _BEATS[number % len(_BEATS)]
    t = np.arange(round(3 * beat_s * sample_rate)) / sample_rate
    weights = rng.uniform(0.2, 1.0, 5) / np.arange(1, 6)
    sound = np.zeros(n + t.size)
    for place in range(int(np.ceil(duration_s / beat_s))):
        note = _KEYS[number % len(_KEYS)] + _SCALE[int(rng.integers(len(_SCALE)))]
        frequency = 440 * 2 ** ((note - 69) / 12)
        partials = sum(
            weight * np.sin(2 * np.pi * k * frequency * t) * np.exp(-k * t / beat_s)
            for k, weight in enumerate(weights, 1)
        )
        start = round(place * beat_s * sample_rate)
        sound[start : start + t.size] += partials * np.minimum(1, t / 0.005)
    sound = sound[:n]
    fade = min(n, round(_RELEASE_S * sample_rate))
    sound[n - fade :] *= np.linspace(1, 0, fade)
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)[:, None]
