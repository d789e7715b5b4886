"""A model of one's own in thirty lines: the spectrum of each frame, and its autocorrelation."""

# ruff: noqa: T201

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from otoscope.audio import Waveform
from otoscope.corpora.espeak import make_demo
from otoscope.errors import DataError
from otoscope.frames import FrameGrid
from otoscope.representations.base import Layer, LayerInfo, ModelInfo, check_rate
from otoscope.studies.pitch.answer import read_answer
from otoscope.studies.pitch.run import run_pitch
from otoscope.testing.models import check_model

# model: begin
RATE, HOP, WINDOW, LAGS = 16_000, 160, 640, 268  # hertz, then samples
BINS = 240  # of 12.5 Hz: up to 3 kHz
GRID = FrameGrid(RATE, hop=HOP, receptive_field=WINDOW)


@dataclass(frozen=True)
class Correlogram:
    floor: float = 1e-6  # added to the power, so that silence stays finite

    @property
    def info(self) -> ModelInfo:
        layers = (LayerInfo(0, "spectrum", BINS, GRID), LayerInfo(1, "autocorrelation", LAGS // 2, GRID))
        settings = {"floor": self.floor}
        return ModelInfo("correlogram", "model", "1", settings, RATE, layers, licence="MIT", citation="none")

    def layers(self, waveform: Waveform) -> Iterator[Layer]:
        check_rate(waveform, self.info)
        n_frames = GRID.count(waveform.samples.size)
        if n_frames == 0:
            raise DataError(waveform.clip_id, f"has {waveform.samples.size} samples; correlogram needs {WINDOW}")
        frames = np.lib.stride_tricks.sliding_window_view(waveform.samples, WINDOW)[::HOP]
        power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), n=2 * WINDOW)) ** 2 + self.floor
        spectrum, autocorrelation = self.info.layers
        yield Layer(spectrum, np.log(power[:, :BINS]).astype(np.float32), waveform.clip_id)
        lags = np.fft.irfft(power)[:, :LAGS]
        yield Layer(autocorrelation, (lags / lags[:, :1])[:, ::2].astype(np.float32), waveform.clip_id)


# model: end

if __name__ == "__main__":
    # check: begin
    print(check_model(Correlogram()))
    # check: end

    # run: begin
    corpus = make_demo(Path("speech"), languages=["en_us", "nb_no"]).corpus
    run_pitch(corpus, [Correlogram(), "logmel"], Path("run"))
    for row in read_answer(Path("run"))[0]:
        if (row["train"], row["test"], row["target"], row["metric"]) == ("lolo", "mean", "log2_f0", "within_r"):
            print(f"{row['model']} {row['layer_name']}: r {row['value']:.2f} ({row['low']:.2f}-{row['high']:.2f})")
    # run: end
