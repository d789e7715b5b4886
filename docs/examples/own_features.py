"""A group of features of one's own: how much air there is above 4 kHz, and how it comes and goes."""

# ruff: noqa: T201

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from otoscope.audio import Waveform
from otoscope.features.base import Feature
from otoscope.features.extract import describe
from otoscope.features.registry import open_groups
from otoscope.features.sound import Sound
from otoscope.studies.memorability.evaluate import evaluate
from otoscope.studies.memorability.settings import MemorabilitySettings
from otoscope.testing.music import make_music

# group: begin
EDGE_HZ = 4000.0
_SHARE = "Power from 4 kHz up over all power, Hann windows of 93 ms every 23 ms at 22,050 Hz"


@dataclass(frozen=True)
class Air:
    name: str = "air"
    title: str = "Air"
    version: str = "1"
    licence: str = "MIT"
    features: tuple[Feature, ...] = (
        Feature(
            "air.share", "dB", f"{_SHARE}, summed over frames.", "How much air is in the sound.", "airier", "closer"
        ),
        Feature(
            "air.motion",
            "dB",
            f"{_SHARE}: standard deviation over the frames that have any.",
            "How much the air comes and goes.",
            "more changeable in its air",
            "more even in its air",
        ),
    )

    def missing(self) -> str | None:
        return None

    def compute(self, sound: Sound) -> np.ndarray:
        power = sound.power[:, 2:-2].astype(np.float64)  # at one level for all clips; frames that lie within the clip
        high, whole = power[sound.frequencies >= EDGE_HZ].sum(axis=0), power.sum(axis=0)
        there = high > 1e-9 * whole.max()
        if not there.any():
            return np.full(2, np.nan)  # nothing up there to be measured, which is not the same as 0
        share_db = 10 * np.log10(high[there] / whole[there])
        return np.array([10 * np.log10(high.sum() / whole.sum()), share_db.std()])


# group: end

if __name__ == "__main__":
    # check: begin
    hiss = np.random.default_rng(0).normal(0.0, 0.1, 44_100).astype(np.float32)
    for samples, rate in ((hiss, 22_050), (0.1 * hiss, 22_050), (hiss, 8_000)):
        print(describe(Waveform(samples, rate, "hiss"), [Air()])["air"].round(2))
    # check: end

    # run: begin
    make_music(Path("music"), tracks=40)
    found = evaluate(
        Path("music/clips"),
        Path("music/labels.csv"),
        Path("answer"),
        MemorabilitySettings(models=("ridge",), shifts=(), folds=8, repeats=2),
        groups=[Air(), *open_groups("melody")],
    )
    rho = found.summary["models"]["ridge"]["spearman_pooled"]
    print(f"rho {rho['value']:.2f} ({rho['low']:.2f}-{rho['high']:.2f}), {found.summary['n_features']} features")
    # run: end
