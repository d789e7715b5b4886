"""Noises whose score is known, and features that are quick to compute: for tests of the memorability study.

The clips differ in colour, from dull to hissing, and in level. Scores follow from the colour; the level has nothing
to do with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.features.base import Feature
from otoscope.features.sound import Sound
from otoscope.store import atomic_path, write_text

__all__ = ["Hiss", "write_noises"]

SAMPLE_RATE = 22_050


@dataclass(frozen=True, slots=True)
class Hiss:
    """Two features of a noise: how often it crosses zero, which scores follow from, and its level, which they do not.

    Parameters
    ----------
    name : str
        Of the group.
    version : str
        Another one makes caches compute it anew.
    """

    name: str = "hiss"
    version: str = "1"

    @property
    def title(self) -> str:
        """For people."""
        return "Hiss and level"

    @property
    def licence(self) -> str:
        """Of the code."""
        return "MIT"

    @property
    def features(self) -> tuple[Feature, ...]:
        """In the order of the values."""
        return (
            Feature(f"{self.name}.crossings", "1", "share of sign changes", "How it hisses.", "hissier", "duller"),
            Feature(f"{self.name}.level", "dB", "root mean square", "How loud it is.", "louder", "softer"),
        )

    def missing(self) -> str | None:
        """Say why it cannot work here.

        Returns
        -------
        str or None
            Always None.
        """
        return None

    def compute(self, sound: Sound) -> NDArray[np.float64]:
        """Describe one clip.

        Parameters
        ----------
        sound : Sound
            The clip.

        Returns
        -------
        ndarray of float64, shape (2,)
            Share of sign changes, level in dB below full scale.
        """
        samples = sound.samples.astype(np.float64)
        crossings = np.mean(np.signbit(samples[1:]) != np.signbit(samples[:-1]))
        return np.array([crossings, 10 * np.log10(np.mean(samples**2))])


def write_noises(
    folder: Path,
    n: int = 40,
    *,
    seed: int = 0,
    duration_s: float = 0.6,
    names: Sequence[str] | None = None,
    order: Sequence[int] | None = None,
    noise: float = 0.0,
) -> NDArray[np.float64]:
    """Write noises and the table of their scores.

    Parameters
    ----------
    folder : Path
        Gets ``clips/*.wav`` and ``labels.csv``.
    n : int, > 1
        How many clips.
    seed : int
        Equal seeds give equal sounds and scores.
    duration_s : float, seconds
        Their length.
    names : sequence of str, optional
        Of the clips; ``noise-00`` and so on without it.
    order : sequence of int, optional
        Of the lines of the table.
    noise : float
        Standard deviation of what is added to the scores.

    Returns
    -------
    ndarray of float64, shape (n,)
        The scores: the colour, from 0 (dull) to 1 (hissing), and what was added.
    """
    if n < 2:
        raise SpecError(f"{n} clips cannot differ; 2 are the least")
    import soundfile

    rng = np.random.default_rng([seed, n])
    colours, levels = rng.permutation(np.linspace(0.0, 1.0, n)), rng.uniform(0.02, 0.2, n)
    scores = colours + noise * rng.normal(size=n)
    called = [f"noise-{i:02d}" for i in range(n)] if names is None else list(names)
    for name, colour, level in zip(called, colours, levels, strict=True):
        white = rng.normal(size=round(duration_s * SAMPLE_RATE))
        dull = np.convolve(white, np.full(16, 0.25), mode="same")
        mixed = colour * white + (1 - colour) * dull
        with atomic_path(folder / "clips" / f"{name}.wav") as path:
            soundfile.write(path, level * mixed / np.abs(mixed).max(), SAMPLE_RATE, format="WAV", subtype="FLOAT")
    lines = [f"{called[i]},{scores[i]:.6f}" for i in (range(n) if order is None else order)]
    write_text(folder / "labels.csv", "\n".join(["track,score", *lines]) + "\n")
    return scores
