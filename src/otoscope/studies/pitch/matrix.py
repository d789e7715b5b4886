"""The matrix: every source language's probe on every tested language, in closed form and with intervals.

Layers and tested languages come one after the other, so memory does not grow with either. For one of each, all
sources are scored together: one product with the resamples, and one with the covariance of the states.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.evaluation.batches import add_by_cluster, score_batch
from otoscope.evaluation.scores import METRICS, Score, ScoreTable
from otoscope.probes.moments import Moments
from otoscope.probes.scoring import pair_moments_of
from otoscope.probes.solving import FittedProbe
from otoscope.studies.pitch.answer import Row, add_baselines, best_of, empty_row
from otoscope.studies.pitch.plan import MATRIX_BLOCKS
from otoscope.studies.pitch.results import LayerResults, Results
from otoscope.studies.pitch.score import MATRIX_TARGET
from otoscope.studies.pitch.solve import ProbeSet
from otoscope.studies.pitch.targets import CONTROLS, TARGETS, Target

__all__ = ["MATRIX_METRICS", "matrix_rows"]

Floats = NDArray[np.float64]
MATRIX_METRICS = ("r2", "within_r", "mse")
CLOSED_METRICS = ("r2", "mse")


def matrix_rows(
    folder: Path,
    *,
    metric: str | None = None,
    target: str = MATRIX_TARGET,
    models: Collection[str] | None = None,
    layers: Collection[int] | None = None,
    tested: Collection[str] | None = None,
) -> list[Row]:
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
    models : collection of str, optional
        Only these.
    layers : collection of int, optional
        Only these.
    tested : collection of str, optional
        Only these tested languages.

    Returns
    -------
    list of dict
        As :func:`otoscope.studies.pitch.answer.table_rows` gives them, with ``train`` of ``lang:CODE``. Languages
        stand in the order of their region, their tone type and their code.

    Raises
    ------
    SpecError
        If the run is not finished, or there is no such target, metric, model, layer or tested language.
    """
    if target not in TARGETS:
        raise SpecError(f"target is {target!r}; choose from {', '.join(TARGETS)}")
    allowed = MATRIX_METRICS if target == MATRIX_TARGET else CLOSED_METRICS
    if metric is not None and metric not in allowed:
        raise SpecError(f"metric is {metric!r}; the matrix of {target} has {', '.join(allowed)}")
    results = Results(folder)
    every = sorted({layer["index"] for model in results.models for layer in results.layers(model)})
    wanted_models = _chosen("model", models, list(results.models))
    wanted_layers = _chosen("layer", layers, every)
    codes = results.ordered(_chosen("tested language", tested, results.tested))
    rows: list[Row] = []
    for model in results.models:
        held_to = results.models[model]["kind"] == "baseline"  # every layer of it may be the best one
        if model not in wanted_models and not held_to:
            continue
        columns = _Columns(results, model, TARGETS[target], (metric,) if metric else allowed)
        for layer in results.layers(model):
            if held_to or layer["index"] in wanted_layers:
                rows += columns.rows(layer, codes)
    add_baselines(results, rows)
    return [row for row in rows if row["model"] in wanted_models and row["layer"] in wanted_layers]


def _chosen(what: str, wanted: Collection[Any] | None, known: Sequence[Any]) -> list[Any]:
    strange = [str(value) for value in wanted or () if value not in known]
    if strange:
        raise SpecError(f"there is no {what} {', '.join(strange)} in the run; it has {', '.join(map(str, known))}")
    return [value for value in known if wanted is None or value in wanted]


class _Columns:
    """The columns of the matrices of one model: all source languages on one tested language, layer by layer."""

    def __init__(self, results: Results, model: str, target: Target, metrics: Sequence[str]) -> None:
        self._results, self._model, self._target, self._metrics = results, model, target, metrics
        self._mask = results.mask(target)
        self._sources = results.ordered(results.sources)
        self._at = [results.sources.index(code) for code in self._sources]
        self._names = [target.name, *(f"{target.name}~{control}" for control in CONTROLS)]
        self._counts: dict[str, tuple[int, int]] = {}
        self._tables: dict[tuple[str, tuple[str, ...]], ScoreTable] = {}

    def rows(self, layer: dict[str, Any], codes: Sequence[str]) -> Iterator[Row]:
        """Score every source on some tested languages."""
        read = self._results.layer(self._model, layer["index"])
        entries = [read.probes.get(f"lang:{source}", source, self._target.domain) for source in self._sources]
        probes = _Selected([None if entry is None else entry.probe for entry in entries])
        for code in codes:
            cell = read.cell(code, self._target.domain)
            there = cell is not None and cell.n > 0 and self._target.name in cell.columns
            heard = self._results.heard(self._model, code)
            closed = self._in_closed_form(cell, probes) if cell is not None and there else {}
            scores = self._scores(read, code, cell, entries, closed) if cell is not None and there else {}
            for i, (source, entry) in enumerate(zip(self._sources, entries, strict=True)):
                for metric in self._metrics:
                    score = scores.get((metric, i))
                    if score is None or entry is None:
                        reason = "no test frame has this target" if entry else f"{source} has no training frames"
                        score = Score(metric, None, None, None, 0, 0, 0, reason)
                    row = empty_row(self._model, layer, f"lang:{source}", code, self._target, score, mask=self._mask)
                    row["heard"] = heard
                    if entry is not None and there:
                        row["flag"] = entry.flag
                        _put_controls(row, closed.get((metric, i), {}))
                    yield row

    def _in_closed_form(self, cell: Moments, probes: _Selected) -> dict[tuple[str, int], dict[str, float]]:
        """Give R2 and MSE of target and controls, by metric and source."""
        wanted = [name for name in self._metrics if name in CLOSED_METRICS]
        found: dict[tuple[str, int], dict[str, float]] = {}
        for columns, members in probes.by_columns([name for name in self._names if name in cell.columns]).items():
            pair = pair_moments_of(list(members.values()), cell.select(columns)) if wanted else None
            for metric in wanted:
                values: Floats = getattr(pair, metric)
                for i, row in zip(members, values.tolist(), strict=True):
                    found[metric, i] = dict(zip(columns, row, strict=True))
        return found

    def _scores(
        self,
        read: LayerResults,
        code: str,
        cell: Moments,
        entries: Sequence[ProbeSet | None],
        closed: dict[tuple[str, int], dict[str, float]],
    ) -> dict[tuple[str, int], Score]:
        """Score every source that has a probe, by metric and source."""
        if code not in self._counts:
            clips = self._results.header(self._model, code).clips
            self._counts[code] = (len(clips), len({self._results.clusters[clip] for clip in clips}))
        n_utterances, n_groups = self._counts[code]
        found: dict[tuple[str, int], Score] = {}
        if self._target.name != MATRIX_TARGET:
            for (metric, i), values in closed.items():
                found[metric, i] = _without_interval(metric, values[self._target.name], round(cell.n))
        else:
            there = {i: entry.probe for i, entry in enumerate(entries) if entry is not None}
            blocks = read.blocks(code)
            filled = [b for b in range(MATRIX_BLOCKS) if blocks[b, :, 0].any()]
            names = [f"block {b}" for b in filled]
            part = add_by_cluster(names, blocks[np.ix_(filled, [self._at[i] for i in there])])
            means = np.array([[probe.train_mean[probe.columns.index(MATRIX_TARGET)] for probe in there.values()]])
            wanted = dict.fromkeys(self._metrics, range(len(there)))
            for metric, scores in score_batch(self._table(code, names), [part], means, wanted).items():
                found |= {(metric, i): score for i, score in zip(there, scores, strict=True)}
        return {key: replace(s, n_utterances=n_utterances, n_groups=n_groups) for key, s in found.items()}

    def _table(self, code: str, names: Sequence[str]) -> ScoreTable:
        key = (code, tuple(names))
        if key not in self._tables:
            seed, n_resamples = self._results.settings["seed"], self._results.settings["n_resamples"]
            self._tables[key] = ScoreTable(names, [code] * len(names), seed=seed, n_resamples=n_resamples)
        return self._tables[key]


class _Selected:
    """The probes of all sources, with those columns that a tested language has."""

    def __init__(self, probes: Sequence[FittedProbe | None]) -> None:
        self._probes = probes
        self._found: dict[tuple[str, ...], dict[tuple[str, ...], dict[int, FittedProbe]]] = {}

    def by_columns(self, columns: Sequence[str]) -> dict[tuple[str, ...], dict[int, FittedProbe]]:
        """Give the probes by the columns that they share with those that are asked for, and by source."""
        key = tuple(columns)
        if key not in self._found:
            found = self._found.setdefault(key, {})
            for i, probe in enumerate(self._probes):
                if probe is not None:
                    shared = tuple(name for name in columns if name in probe.columns)
                    found.setdefault(shared, {})[i] = probe.select(shared)
        return self._found[key]


def _put_controls(row: Row, values: dict[str, float]) -> None:
    """Put the controls beside a score; those of within_r are not known in closed form."""
    for control in CONTROLS:
        value = values.get(f"{row['target']}~{control}", np.nan)
        row[f"control_{control}"] = float(value) if np.isfinite(value) else None
    row["control"] = best_of(row["metric"], [v for c in CONTROLS if (v := row[f"control_{c}"]) is not None])


def _without_interval(metric: str, value: float, n_frames: int) -> Score:
    known = bool(np.isfinite(value))
    reason = "no sums over sentences are kept for this target" if known else METRICS[metric].reason
    return Score(metric, value if known else None, None, None, n_frames, 0, 0, reason)
