"""The matrix: every source language's probe on every tested language, in closed form and with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from otoscope.errors import SpecError
from otoscope.evaluation.scores import METRICS, Score, ScoreTable
from otoscope.probes.moments import Moments
from otoscope.probes.scoring import pair_moments
from otoscope.studies.pitch.answer import Row, add_baselines, best_of, empty_row
from otoscope.studies.pitch.plan import MATRIX_BLOCKS
from otoscope.studies.pitch.results import LayerResults, Results
from otoscope.studies.pitch.score import MATRIX_TARGET
from otoscope.studies.pitch.solve import fold_domain
from otoscope.studies.pitch.targets import CONTROLS, TARGETS, Target

__all__ = ["MATRIX_METRICS", "matrix_rows"]

MATRIX_METRICS = ("r2", "within_r", "mse")
CLOSED_METRICS = ("r2", "mse")


def matrix_rows(folder: Path, *, metric: str | None = None, target: str = MATRIX_TARGET) -> list[Row]:
    """Score every source language's probe on every tested language.

    Parameters
    ----------
    folder : Path
        A finished run.
    metric : str, optional
        Only this one.
    target : str
        ``log2_f0`` has intervals, from sums over 32 blocks of sentences; the others are scored in closed form on the
        test cells, R2 and MSE, without.

    Returns
    -------
    list of dict
        As :func:`otoscope.studies.pitch.answer.table_rows` gives them, with ``train`` of ``lang:CODE``.

    Raises
    ------
    SpecError
        If the run is not finished, or there is no such target or metric.
    """
    if target not in TARGETS:
        raise SpecError(f"target is {target!r}; choose from {', '.join(TARGETS)}")
    allowed = MATRIX_METRICS if target == MATRIX_TARGET else CLOSED_METRICS
    if metric is not None and metric not in allowed:
        raise SpecError(f"metric is {metric!r}; the matrix of {target} has {', '.join(allowed)}")
    results = Results(folder)
    rows: list[Row] = []
    for model in results.models:
        clips = {code: results.header(model, code).clips for code in results.tested}
        for layer in results.layers(model):
            read = results.layer(model, layer["index"])
            for code in results.tested:
                column = _Column(results, read, model, layer, code, clips[code], TARGETS[target])
                rows += column.rows((metric,) if metric else allowed)
    add_baselines(results, rows)
    return rows


class _Column:
    """All source languages on one tested language, for one layer and target."""

    def __init__(
        self,
        results: Results,
        read: LayerResults,
        model: str,
        layer: dict[str, Any],
        code: str,
        clips: Sequence[str],
        target: Target,
    ) -> None:
        self.results, self.read, self.model, self.layer = results, read, model, layer
        self.code, self.target = code, target
        self.counts = {"n_utterances": len(clips), "n_groups": len({results.clusters[clip] for clip in clips})}
        names = [target.name, *(f"{target.name}~{control}" for control in CONTROLS)]
        cell = fold_domain(read.cells(code), target.domain)
        self.cell: Moments | None = None
        if cell is not None and cell.n > 0 and target.name in cell.columns:
            self.cell = cell.select([name for name in names if name in cell.columns])
        self.blocks = read.blocks(code)
        self.filled = [b for b in range(MATRIX_BLOCKS) if self.blocks[b, :, 0].any()]
        self.table = ScoreTable(
            [f"block {b}" for b in self.filled],
            [code] * len(self.filled),
            seed=results.settings["seed"],
            n_resamples=results.settings["n_resamples"],
        )

    def rows(self, metrics: Sequence[str]) -> Iterator[Row]:
        """Score every source."""
        for i, source in enumerate(self.results.sources):
            entry = self.read.probes.get(f"lang:{source}", self.code, self.target.domain)
            train = f"lang:{source}"
            if entry is None or self.cell is None:
                reason = f"{source} has no training frames" if entry is None else "no test frame has this target"
                for metric in metrics:
                    nothing = Score(metric, None, None, None, 0, 0, 0, reason)
                    yield empty_row(self.model, self.layer, train, self.code, self.target, nothing)
                continue
            columns = [name for name in self.cell.columns if name in entry.probe.columns]
            probe = entry.probe.select(columns)
            pair = pair_moments(probe, self.cell.select(columns))
            closed = {
                "r2": dict(zip(columns, pair.r2, strict=True)),
                "mse": dict(zip(columns, pair.mse, strict=True)),
            }
            for metric in metrics:
                if self.target.name == MATRIX_TARGET:
                    cells = self.table.gather(self.blocks[self.filled, i])
                    score = self.table.score(metric, cells, probe.train_mean[:1])
                else:
                    score = self._closed(metric, float(closed[metric][self.target.name]))
                row = empty_row(self.model, self.layer, train, self.code, self.target, replace(score, **self.counts))
                if metric in closed:
                    for control in CONTROLS:
                        value = closed[metric].get(f"{self.target.name}~{control}", np.nan)
                        row[f"control_{control}"] = float(value) if np.isfinite(value) else None
                    row["control"] = best_of(metric, [v for c in CONTROLS if (v := row[f"control_{c}"]) is not None])
                row["flag"] = entry.flag
                yield row

    def _closed(self, metric: str, value: float) -> Score:
        assert self.cell is not None
        known = bool(np.isfinite(value))
        reason = "no sums over sentences are kept for this target" if known else METRICS[metric].reason
        return Score(metric, value if known else None, None, None, round(self.cell.n), 0, 0, reason)
