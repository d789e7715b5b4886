"""A tracker of one's own: the first high peak of the normalised correlation, with its measured lag taken back."""

# ruff: noqa: T201

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from otoscope.audio import Waveform
from otoscope.corpora.espeak import make_demo
from otoscope.errors import DataError
from otoscope.f0.base import F0Track, TrackerInfo
from otoscope.frames import FrameGrid
from otoscope.studies.pitch.run import run_pitch
from otoscope.testing.trackers import check_tracker, glide_errors

# tracker: begin
RATE, HOP, WINDOW = 16_000, 160, 640  # hertz, samples, samples
LAGS = np.arange(RATE // 400, RATE // 60 + 1)  # periods of 400 down to 60 Hz, in samples
GRID = FrameGrid(RATE, hop=HOP, receptive_field=int(WINDOW + LAGS[-1]))


@dataclass(frozen=True)
class PeakTracker:
    threshold: float = 0.8  # of the correlation, above which a frame is voiced
    correction_s: float = 0.0  # seconds, added to the frames' centres
    sample_rate: int = RATE

    @property
    def info(self) -> TrackerInfo:
        return TrackerInfo("peak", "1", {"threshold": self.threshold}, self.correction_s)

    def track(self, waveform: Waveform) -> F0Track:
        n_frames = GRID.count(waveform.samples.size)
        if waveform.sample_rate != RATE or n_frames == 0:
            raise DataError(waveform.clip_id, f"peak needs {RATE} Hz and at least {GRID.receptive_field} samples")
        samples = waveform.samples - waveform.samples.mean(dtype=np.float64)
        frames = np.lib.stride_tricks.sliding_window_view(samples, GRID.receptive_field)[::HOP]
        scores = np.stack([_correlation(frames[:, :WINDOW], frames[:, lag : lag + WINDOW]) for lag in LAGS], axis=1)
        # Twice the period scores as high as the period: take the first peak that comes near the highest.
        middle, best = scores[:, 1:-1], scores.max(axis=1)
        good = (middle >= scores[:, :-2]) & (middle > scores[:, 2:]) & (middle > 0.95 * best[:, None])
        voiced = good.any(axis=1) & (best > self.threshold)
        at, rows = np.argmax(good, axis=1) + 1, np.arange(n_frames)
        before, top, after = (scores[rows, at + k] for k in (-1, 0, 1))
        bend = np.where(voiced, before - 2 * top + after, -1.0)  # of the parabola through the peak
        f0_hz = np.where(voiced, RATE / (LAGS[at] + 0.5 * (before - after) / bend), np.nan)
        return F0Track(GRID.centers(n_frames) + self.correction_s, f0_hz, voiced, self.info, waveform.clip_id)


def _correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    energy = np.einsum("ij,ij->i", one, one) * np.einsum("ij,ij->i", other, other)
    return np.einsum("ij,ij->i", one, other) / np.sqrt(np.maximum(energy, 1e-9))


# tracker: end

if __name__ == "__main__":
    # measure: begin
    glide = glide_errors(PeakTracker())
    print(f"bias {glide.bias_cents:.1f} cents, clock {glide.clock_ms:.1f} ms")
    # measure: end

    # check: begin
    tracker = PeakTracker(correction_s=-0.0049)
    report = check_tracker(tracker)
    print(f"tones {report.tone_cents:.1f} cents, clock {report.glide.clock_ms:.1f} ms")
    # check: end

    # run: begin
    corpus = make_demo(Path("speech"), languages=["en_us"]).corpus
    result = run_pitch(corpus, ["logmel"], Path("run"), tracker=tracker)
    print(len(result.failures), "clips were left out")
    # run: end
