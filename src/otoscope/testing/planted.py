"""Planted data: states that hide a known linear target at a known layer, and a corpus and a tracker that fit them.

What a probe should find is known beforehand, so a study can be tested end to end without real sound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.corpora.base import Clip, Corpus, Split
from otoscope.errors import DataError
from otoscope.evaluation.splits import seeded_generator
from otoscope.f0.base import F0Track, TrackerInfo
from otoscope.frames import FrameGrid
from otoscope.representations.base import Layer, LayerInfo, ModelInfo

__all__ = ["PlantedModel", "PlantedSource", "PlantedTracker", "planted_corpus", "planted_f0"]

SAMPLE_RATE = 16_000
GRID = FrameGrid(SAMPLE_RATE, hop=160, receptive_field=400)


def _contour(clip_id: str, n_frames: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Give log2 F0 as a wandering about 7.3 (158 Hz), the same level in every clip, and runs of (un)voiced frames."""
    rng = seeded_generator(0, "planted contour", clip_id)
    log2_f0 = 7.3 + np.convolve(rng.normal(scale=0.4, size=n_frames + 10), np.ones(11) / 11, mode="valid")
    turns = np.cumsum(rng.integers(8, 30, size=n_frames))
    voiced = np.searchsorted(turns, np.arange(n_frames), side="right") % 3 != 2
    return np.clip(log2_f0, 6.0, 8.6), voiced


@dataclass(frozen=True, slots=True)
class PlantedSource:
    """Noise of a given length; its clip's id is all that the planted tracker and model look at.

    Parameters
    ----------
    duration_s : float, seconds
        How long.
    """

    duration_s: float = 3.0

    def read(self, clip_id: str, *, sample_rate: int | None) -> Waveform:
        """Make the sound.

        Parameters
        ----------
        clip_id : str
            Seeds the noise.
        sample_rate : int or None, hertz
            None is 16,000.

        Returns
        -------
        Waveform
            White noise at about -26 dB of full scale.
        """
        rate = sample_rate or SAMPLE_RATE
        rng = seeded_generator(0, "planted sound", clip_id)
        return Waveform((0.05 * rng.normal(size=round(self.duration_s * rate))).astype(np.float32), rate, clip_id)

    def describe(self) -> str:
        """Say what it is.

        Returns
        -------
        str
            "planted" and the length.
        """
        return f"planted {self.duration_s} s"

    def stamp(self) -> str:
        """Say that it never changes.

        Returns
        -------
        str
            Always the same.
        """
        return "planted"


def planted_f0(clip_id: str, n_frames: int) -> NDArray[np.float64]:
    """Give the truth that is planted in a clip.

    Parameters
    ----------
    clip_id : str
        The clip.
    n_frames : int
        Frames of 10 ms, the first centred at 12.5 ms.

    Returns
    -------
    ndarray of float64, shape (n_frames,), hertz
        NaN where unvoiced.
    """
    log2_f0, voiced = _contour(clip_id, n_frames)
    return np.where(voiced, np.exp2(log2_f0), np.nan)


@dataclass(frozen=True, slots=True)
class PlantedTracker:
    """Gives the planted F0, frame by frame on a 10 ms grid."""

    @property
    def sample_rate(self) -> int:
        """The rate that it takes: 16,000 Hz.

        Returns
        -------
        int, hertz
            16000.
        """
        return SAMPLE_RATE

    @property
    def info(self) -> TrackerInfo:
        """What identifies its labels.

        Returns
        -------
        TrackerInfo
            Without parameters.
        """
        return TrackerInfo("planted", "1", {})

    def track(self, waveform: Waveform) -> F0Track:
        """Give the truth.

        Parameters
        ----------
        waveform : Waveform
            Its id and length decide.

        Returns
        -------
        F0Track
            On a 10 ms grid.
        """
        n = GRID.count(waveform.samples.size)
        f0_hz = planted_f0(waveform.clip_id, n)
        return F0Track(GRID.centers(n), f0_hz, ~np.isnan(f0_hz), self.info, waveform.clip_id)


@dataclass(frozen=True, slots=True)
class PlantedModel:
    """A model whose layers hold the planted log2 F0 with known strengths.

    Parameters
    ----------
    name : str
        As in tables.
    strengths : tuple of float
        For each layer, what an octave of F0 adds to one direction of the states, whose noise is 1; the planted F0
        has a standard deviation of about 0.12 octaves.
    dim : int
        Of the states; one of them has a mean of 2,000 and a standard deviation of 0.5, and the last is the sum of
        the first two: exactly rank-deficient.
    kind : {"model", "baseline", "untrained"}
        What it stands for.
    twin : str or None
        For an untrained copy, what it copies.
    fails_on : tuple of str
        Clips on which the last layer raises.
    """

    name: str = "planted"
    strengths: tuple[float, ...] = (0.0, 30.0, 3.0)
    dim: int = 12
    kind: str = "model"
    twin: str | None = None
    fails_on: tuple[str, ...] = ()

    @property
    def info(self) -> ModelInfo:
        """What identifies its states.

        Returns
        -------
        ModelInfo
            With as many layers as strengths.
        """
        layers = tuple(LayerInfo(i, f"planted {s:g}", self.dim, GRID) for i, s in enumerate(self.strengths))
        kind = self.kind
        assert kind in ("model", "baseline", "untrained")
        settings = {"strengths": list(self.strengths), "dim": self.dim}
        return ModelInfo(self.name, kind, "1", settings, SAMPLE_RATE, layers, "none", "none", self.twin)

    def layers(self, waveform: Waveform) -> Iterator[Layer]:
        """Hand on the layers of one clip.

        Parameters
        ----------
        waveform : Waveform
            Its id and length decide.

        Yields
        ------
        Layer
            One after the other.

        Raises
        ------
        DataError
            At the last layer of the clips named in `fails_on`.
        """
        n = GRID.count(waveform.samples.size)
        log2_f0, _ = _contour(waveform.clip_id, n)
        for info, strength in zip(self.info.layers, self.strengths, strict=True):
            if waveform.clip_id in self.fails_on and info.index == len(self.strengths) - 1:
                raise DataError(waveform.clip_id, "was planted to fail")
            rng = seeded_generator(info.index, "planted states", self.name, waveform.clip_id)
            states = rng.normal(size=(n, self.dim))
            states[:, 0] += strength * (log2_f0 - 7.3)
            states[:, 2] = 2000 + 0.5 * states[:, 2]
            states[:, -1] = states[:, 0] + states[:, 1]
            yield Layer(info, states.astype(np.float32), waveform.clip_id)


def planted_corpus(
    *,
    languages: Sequence[str] = ("en_us", "de_de", "cmn_hans_cn", "yue_hant_hk"),
    n_sentences: int = 32,
    voices: Sequence[str] = ("v1", "v2"),
    duration_s: float = 3.0,
    splits: bool = True,
) -> Corpus:
    """Make a corpus of planted clips.

    Parameters
    ----------
    languages : sequence of str
        Which.
    n_sentences : int
        Spoken in every language; the first half of them train, then dev and test in equal parts.
    voices : sequence of str
        Of each split its own: ``train v1`` and ``test v1`` are two voices.
    duration_s : float, seconds
        Of a clip.
    splits : bool
        Whether the corpus says the split.

    Returns
    -------
    Corpus
        With the group keys ``sentence`` and ``voice``.
    """
    clips: list[Clip] = []
    for code in languages:
        for sentence in range(n_sentences):
            where = sentence / n_sentences
            split: Split = "train" if where < 0.5 else "dev" if where < 0.75 else "test"
            voice = f"{split} {voices[sentence % len(voices)]}"
            clips.append(
                Clip(
                    f"{code}/{sentence:03d}",
                    PlantedSource(duration_s),
                    code,
                    {"sentence": f"s{sentence:03d}", "voice": voice if splits else f"v{sentence}"},
                    split if splits else None,
                )
            )
    return Corpus("planted", tuple(clips), "none", "none")
