"""Where a layer's labels should sit: the same probe with the labels moved in time.

All moves share the frames that are voiced at every one of them, so one ``X'X`` serves them all, and a probe's score
at one move is compared with its score at another on the same frames. Two cells per tested language give R2 and the
within-utterance r of every probe in closed form: one of the frames as they are, one of the frames less their
utterance's mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otoscope.alignment import sample_track
from otoscope.audio import resample
from otoscope.corpora.base import Clip, Corpus, Failure
from otoscope.corpora.selection import Selection
from otoscope.errors import DataError, SpecError
from otoscope.f0.labels import LabelCache
from otoscope.f0.registry import open_tracker
from otoscope.probes.moments import MomentAccumulator, Moments, fold
from otoscope.probes.pools import equal_weight
from otoscope.probes.scoring import pair_moments
from otoscope.representations.base import LayerInfo, Model
from otoscope.representations.registry import open_model
from otoscope.store import write_json
from otoscope.studies.pitch.plan import Plan, make_plan
from otoscope.studies.pitch.prepare import prepare_corpus
from otoscope.studies.pitch.reader import ClipReader
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.solve import fit_pool
from otoscope.studies.pitch.targets import MIN_VOICED, Heard
from otoscope.studies.progress import Progress, Quiet

__all__ = ["DEFAULT_SHIFTS_MS", "peak", "sweep_shifts"]

Floats = NDArray[np.float64]
DEFAULT_SHIFTS_MS: tuple[float, ...] = tuple(float(ms) for ms in range(-60, 70, 10))
_Key = tuple[int, str, str, bool]


def sweep_shifts(
    corpus: str | Corpus,
    models: Sequence[str | Model],
    settings: PitchSettings | None = None,
    *,
    shifts_ms: Sequence[float] = DEFAULT_SHIFTS_MS,
    languages: Iterable[str] | None = None,
    labels: LabelCache | None = None,
    out: Path | None = None,
    progress: Progress | None = None,
) -> tuple[list[dict[str, object]], list[Failure]]:
    """Fit and score the log2 F0 probe of every layer with the labels moved in time.

    Parameters
    ----------
    corpus : str or Corpus
        A specification such as ``folder:speech.csv``, or a corpus.
    models : sequence of str or Model
        Specifications such as ``ge2e``, or models.
    settings : PitchSettings, optional
        Tracker, seed and cluster key.
    shifts_ms : sequence of float, milliseconds
        How far the labels are moved against the declared alignment; below 0, states are paired with earlier labels.
    languages : iterable of str, optional
        Only these; "all" or none is every language. The probe is trained on all of them, each weighing the same, and
        scored as the mean over those tested.
    labels : LabelCache, optional
        Instead of the user's.
    out : Path, optional
        A JSON file to write the rows to.
    progress : Progress, optional
        Is told how far the sweep has come.

    Returns
    -------
    rows : list of dict
        One per model, layer and shift: model, layer, layer_name, lag_ms, shift_ms, r2, within_r, n_frames,
        n_utterances; and for the whole layer best_shift_ms, by :func:`peak` of within_r.
    failures : list of Failure
        Clips left out.

    Raises
    ------
    SpecError
        If no frame is voiced at all shifts, or a specification is wrong.
    """
    settings = settings or PitchSettings()
    if len(set(shifts_ms)) != len(shifts_ms) or not shifts_ms:
        raise SpecError(f"shifts_ms is {list(shifts_ms)}; at least one, and each once, is needed")
    opened = prepare_corpus(corpus, languages or None, Selection())
    plan = make_plan(opened, settings)
    ready = [open_model(model) if isinstance(model, str) else model for model in models]
    reader = ClipReader(plan, settings, open_tracker(settings.tracker), labels or LabelCache())
    progress = progress or Quiet()
    rows: list[dict[str, object]] = []
    failures = dict.fromkeys(opened.failures)
    for model in ready:
        sweep = _Sweep(model, plan, shifts_ms)
        progress.begin(f"{model.info.name}: labels moved", sum(len(s.clips) for s in plan.shards))
        for shard in plan.shards:
            for clip in shard.clips:
                heard = reader.hear(clip)
                failure = heard if isinstance(heard, Failure) else sweep.add(clip, shard.split, heard)
                if failure is not None:
                    failures[failure] = None
                progress.advance()
            reader.forget()
            sweep.settle()
        rows += sweep.rows()
    if out is not None:
        write_json(out, rows)
    return rows, list(failures)


class _Sweep:
    """The cells of one model: (layer, language, split, about the utterance's mean?)."""

    def __init__(self, model: Model, plan: Plan, shifts_ms: Sequence[float]) -> None:
        self.model, self.plan, self.shifts_ms = model, plan, shifts_ms
        self.columns = tuple(f"log2_f0@{ms:g}ms" for ms in shifts_ms)
        self.open: dict[_Key, MomentAccumulator] = {}
        self.cells: dict[_Key, Moments] = {}
        self.centers: dict[int, Floats] = {}
        self.utterances: dict[tuple[int, str], int] = {}

    def add(self, clip: Clip, split: str, heard: Heard) -> Failure | None:
        """Add one clip; say why not, where it cannot be."""
        try:
            layers = list(self.model.layers(resample(heard.waveform, self.model.info.sample_rate)))
        except DataError as error:
            return Failure(clip.clip_id, "model", f"{self.model.info.name}: {error.problem}")
        for layer in layers:
            times = layer.info.target_times(layer.n_frames)
            moved = [sample_track(heard.track, times + ms / 1000) for ms in self.shifts_ms]
            rows = np.flatnonzero(np.all([m.voiced for m in moved], axis=0))
            if rows.size < MIN_VOICED:
                continue
            states = layer.states[rows].astype(np.float64)
            targets = np.log2(np.stack([m.f0_hz[rows] for m in moved], axis=1))
            # The first clip's mean is the shift: any fixed one near the data does.
            center = self.centers.setdefault(layer.info.index, states.mean(axis=0))
            self._cell(layer.info, clip.language, split, False, center).add(states, targets)
            if split == "test":
                within = self._cell(layer.info, clip.language, split, True, np.zeros(layer.info.dim))
                within.add(states - states.mean(axis=0), targets - targets.mean(axis=0))
                key = (layer.info.index, clip.language)
                self.utterances[key] = self.utterances.get(key, 0) + 1
        return None

    def _cell(self, info: LayerInfo, code: str, split: str, within: bool, shift: Floats) -> MomentAccumulator:
        key = (info.index, code, split, within)
        if key not in self.open:
            self.open[key] = MomentAccumulator(info.dim, self.columns, shift)
        return self.open[key]

    def settle(self) -> None:
        """Add a shard's sums to its cells and let go of its buffers."""
        for key, accumulator in self.open.items():
            moments = accumulator.moments()
            self.cells[key] = self.cells[key] + moments if key in self.cells else moments
        self.open.clear()

    def _moments(self, layer: int, code: str, split: str, *, within: bool = False) -> Moments | None:
        return self.cells.get((layer, code, split, within))

    def rows(self) -> list[dict[str, object]]:
        """Solve and score every layer."""
        return [row for info in self.model.info.layers for row in self._layer_rows(info)]

    def _layer_rows(self, info: LayerInfo) -> list[dict[str, object]]:
        train = [m for code in self.plan.languages if (m := self._moments(info.index, code, "train"))]
        dev = [m for code in self.plan.languages if (m := self._moments(info.index, code, "dev"))]
        test = {code: m for code in self.plan.languages if (m := self._moments(info.index, code, "test"))}
        if not train or not test:
            raise SpecError(
                f"{self.model.info.name}: no frame of the {'train' if not train else 'test'} clips is voiced at all "
                f"{len(self.shifts_ms)} shifts; name a narrower range"
            )
        pool = fold(equal_weight(m) for m in train)
        judge = fold(equal_weight(m) for m in dev) if dev else None
        n_groups = len(set[str]().union(*self.plan.learnt_clusters().values()))
        probe, _ = fit_pool(pool, [(pool, judge)], n_groups, "ridge")
        r2 = np.mean([pair_moments(probe, cell).r2 for cell in test.values()], axis=0)
        within: list[Floats] = []
        for code in test:
            cell = self._moments(info.index, code, "test", within=True)
            if cell is not None:
                c = cell.centered()
                spread = (probe.weights * (c.cxx @ probe.weights)).sum(axis=0)
                within.append((probe.weights * c.cxy).sum(axis=0) / np.sqrt(spread * c.cyy))
        r = np.mean(within, axis=0)
        return [
            {
                "model": self.model.info.name,
                "layer": info.index,
                "layer_name": info.name,
                "lag_ms": 1000 * info.lag / info.grid.sample_rate,
                "shift_ms": float(ms),
                "r2": _finite(r2[i]),
                "within_r": _finite(r[i]),
                "n_frames": round(sum(m.n for m in test.values())),
                "n_utterances": sum(n for (layer, _), n in self.utterances.items() if layer == info.index),
                "best_shift_ms": peak(self.shifts_ms, r),
            }
            for i, ms in enumerate(self.shifts_ms)
        ]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def peak(shifts_ms: Sequence[float], scores: Floats) -> float | None:
    """Find where a score is highest, between the shifts that were tried.

    Parameters
    ----------
    shifts_ms : sequence of float, milliseconds
        Where it was measured, rising.
    scores : ndarray of float64, shape (n_shifts,)
        What was measured.

    Returns
    -------
    float or None, milliseconds
        Top of the parabola through the best shift and its neighbours. None where the best is the first or the
        last: the peak may lie outside.

    Examples
    --------
    >>> round(peak([-10.0, 0.0, 10.0], np.array([0.4, 0.5, 0.45])), 3)
    1.667
    """
    order = np.argsort(shifts_ms)
    x, y = np.asarray(shifts_ms, dtype=np.float64)[order], scores[order]
    if not np.all(np.isfinite(y)):
        return None
    best = int(np.argmax(y))
    if best in (0, y.size - 1):
        return None
    a, b, _ = np.polyfit(x[best - 1 : best + 2] - x[best], y[best - 1 : best + 2], 2)
    return float(x[best] - b / (2 * a)) if a < 0 else float(x[best])
