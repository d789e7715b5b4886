"""From sums to an answer: the table, the matrix, the layer profile. Everything is read from the run directory alone.

A row of the table says what one model's layer holds of one target: ``train`` is the role of the probe's training
data, ``test`` a language, or ``mean`` for the mean of the languages' scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.evaluation.scores import METRICS, Score, ScoreTable
from otoscope.store import read_json, read_table, write_json, write_table
from otoscope.studies.pitch.results import LayerResults, Results
from otoscope.studies.pitch.score import COLUMNS, MATRIX_TARGET
from otoscope.studies.pitch.solve import ROLES, LayerProbes
from otoscope.studies.pitch.targets import CONTROLS, TARGETS, Target

__all__ = [
    "HEADLINE",
    "MEAN",
    "Row",
    "add_baselines",
    "best_of",
    "empty_row",
    "read_answer",
    "table_rows",
    "write_answer",
]

Floats = NDArray[np.float64]
Row = dict[str, Any]
HEADLINE = ("r2", "within_r")
MEAN = "mean"
COMPARED = ("own", "lolo")
_NO_PROBE = {
    "own": "the language has no training clips",
    "lolo": "there is no other language to train on",
    "region": "no other language of its region has training clips",
    "tone": "no other language of its tone type has training clips",
    "pool": "there are no training clips",
}


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """The scores of one model, layer, role and target over one set of languages."""

    table: ScoreTable
    cells: Floats
    means: Floats
    controls: dict[str, tuple[Floats, Floats]]

    def score(self, metric: str) -> Score:
        return self.table.score(metric, self.cells, self.means)

    def control(self, name: str, metric: str) -> float | None:
        pair = self.controls.get(name)
        return None if pair is None else self.table.value(metric, *pair)


def best_of(metric: str, values: Sequence[float]) -> float | None:
    """Give the best of some values: for controls the hardest to beat, for baselines the strongest.

    Parameters
    ----------
    metric : str
        Says which way is better.
    values : sequence of float
        What to choose from.

    Returns
    -------
    float or None
        None where there are none.
    """
    if not values:
        return None
    return max(values) if METRICS[metric].higher_is_better else min(values)


class _Scorer:
    """Scores the rows of some clips of a model."""

    def __init__(self, results: Results, clips: dict[str, str], keep: set[str] | None = None) -> None:
        self._settings = results.settings
        ids = list(clips)
        self.kept = [i for i, clip in enumerate(ids) if keep is None or clip in keep]
        self.languages = np.array([clips[ids[i]] for i in self.kept])
        self.clusters = np.array([results.clusters[ids[i]] for i in self.kept])
        self._tables: dict[tuple[str, ...], tuple[ScoreTable, NDArray[np.intp]]] = {}

    def _table(self, codes: Sequence[str]) -> tuple[ScoreTable, NDArray[np.intp]]:
        key = tuple(codes)
        if key not in self._tables:
            at = np.flatnonzero(np.isin(self.languages, key))
            table = ScoreTable(
                [str(c) for c in self.clusters[at]],
                [str(c) for c in self.languages[at]],
                seed=self._settings["seed"],
                n_resamples=self._settings["n_resamples"],
            )
            self._tables[key] = (table, at)
        return self._tables[key]

    def scored(self, layer: LayerResults, role: str, target: Target, codes: Sequence[str]) -> _Scored | None:
        """Score a role and target on some languages; None where none of them has a probe and frames."""
        rows, probes = layer.rows[self.kept], layer.probes
        there = [c for c in codes if probes.get(role, c, target.domain) is not None and c in self.languages]
        r, column = ROLES.index(role), COLUMNS.index(target.name)
        there = [c for c in there if rows[self.languages == c, r, column, 0].sum() > 0]
        if not there:
            return None
        table, at = self._table(there)

        def gather(name: str) -> tuple[Floats, Floats] | None:
            means: list[float] = []
            for code in table.languages:
                entry = probes.get(role, code, target.domain)
                if entry is None or name not in entry.probe.columns:
                    return None
                means.append(float(entry.probe.train_mean[entry.probe.columns.index(name)]))
            cells = table.gather(rows[at, r, COLUMNS.index(name)])
            return (cells, np.array(means)) if np.all(cells[..., 0].sum(axis=0) > 0) else None

        own = gather(target.name)
        if own is None:
            return None
        found = {control: gather(f"{target.name}~{control}") for control in CONTROLS}
        return _Scored(table, *own, {name: pair for name, pair in found.items() if pair is not None})


def _flag(probes: LayerProbes, role: str, codes: Sequence[str], target: Target) -> str | None:
    flags = {entry.flag for code in codes if (entry := probes.get(role, code, target.domain)) and entry.flag}
    return "; ".join(sorted(flags)) or None


def empty_row(model: str, layer: dict[str, Any], train: str, test: str, target: Target, score: Score) -> Row:
    """Give a row of the table without control, baseline and flag.

    Parameters
    ----------
    model : str
        Which model.
    layer : dict
        With index and name.
    train, test : str
        The role of the training data, and the tested language or ``mean``.
    target : Target
        What is predicted.
    score : Score
        How well.

    Returns
    -------
    dict
        See :func:`table_rows`.
    """
    return {
        "model": model,
        "layer": layer["index"],
        "layer_name": layer["name"],
        "train": train,
        "test": test,
        "target": target.name,
        "mask": target.domain,
        "metric": score.metric,
        "unit": METRICS[score.metric].unit.replace("target", target.unit),
        "value": score.value,
        "low": score.low,
        "high": score.high,
        "n_frames": score.n_frames,
        "n_utterances": score.n_utterances,
        "n_groups": score.n_groups,
        "n_languages": 1,
        "control": None,
        "control_shift": None,
        "control_swap": None,
        "baseline": None,
        "reason": score.reason,
        "flag": None,
    }


def table_rows(folder: Path) -> list[Row]:
    """Score the five roles of every model, layer, target and language of a run.

    Parameters
    ----------
    folder : Path
        A finished run.

    Returns
    -------
    list of dict
        With model, layer, train, test, target, mask, metric, unit, value, low, high, n_frames, n_utterances,
        n_groups, control and baseline; and with n_languages (of a mean), control_shift, control_swap, reason and
        flag. ``control`` is the better of the two controls, ``baseline`` the best baseline model on the same clips.
        A value that is not defined is None, and ``reason`` says why.

    Raises
    ------
    SpecError
        If it is not a run, or not a finished one.
    """
    results = Results(folder)
    rows: list[Row] = []
    for model in results.models:
        scorer = _Scorer(results, results.clips(model))
        for layer in results.layers(model):
            read = results.layer(model, layer["index"])
            for role in ROLES:
                for target in TARGETS.values():
                    for test in (MEAN, *results.tested):
                        codes = results.tested if test == MEAN else [test]
                        scored = scorer.scored(read, role, target, codes)
                        flag = _flag(read.probes, role, codes, target)
                        has_probe = any(read.probes.get(role, code, target.domain) for code in codes)
                        reason = "no test frame has this target" if has_probe else _NO_PROBE[role]
                        for metric in target.metrics:
                            rows.append(_scored_row(scored, metric, model, layer, role, test, target, flag, reason))
    add_baselines(results, rows)
    return rows


def _scored_row(
    scored: _Scored | None,
    metric: str,
    model: str,
    layer: dict[str, Any],
    role: str,
    test: str,
    target: Target,
    flag: str | None,
    reason: str,
) -> Row:
    if scored is None:
        nothing = Score(metric, None, None, None, 0, 0, 0, reason)
        return {**empty_row(model, layer, role, test, target, nothing), "n_languages": 0}
    row = empty_row(model, layer, role, test, target, scored.score(metric))
    row["n_languages"], row["flag"] = len(scored.table.languages), flag
    for name in CONTROLS:
        row[f"control_{name}"] = scored.control(name, metric)
    row["control"] = best_of(metric, [v for name in CONTROLS if (v := row[f"control_{name}"]) is not None])
    return row


def add_baselines(results: Results, rows: list[Row]) -> None:
    """Put the best baseline's value beside every row of the same clips.

    Parameters
    ----------
    results : Results
        Says which models are baselines.
    rows : list of dict
        Changed in place. A row of other clips than a baseline's (one of them failed) goes without.
    """
    found: dict[tuple[str, ...], list[float]] = {}

    def key(row: Row) -> tuple[str, ...]:
        names = ("train", "test", "target", "metric", "n_utterances", "n_languages")
        return tuple(str(row[name]) for name in names)

    for row in rows:
        if results.models[row["model"]]["kind"] == "baseline" and row["value"] is not None:
            found.setdefault(key(row), []).append(row["value"])
    for row in rows:
        row["baseline"] = best_of(row["metric"], found.get(key(row), []))


def _contrasts(results: Results, rows: Sequence[Row]) -> list[Row]:
    """Compare every layer of a model with the best baseline and with its untrained copy, on the same clips."""
    found: list[Row] = []
    for model, info in results.models.items():
        if info["kind"] != "model":
            continue
        twins = [name for name, other in results.models.items() if other["twin"] == model]
        others = {
            best for role in COMPARED for metric in HEADLINE if (best := _best_baseline(results, rows, role, metric))
        }
        for other in [*sorted({name for name, _ in others}), *twins]:
            found += _against(results, rows, model, other)
    return found


def _against(results: Results, rows: Sequence[Row], model: str, other: str) -> Iterator[Row]:
    """Compare every layer of a model with one other model: its same layer, or a baseline's best."""
    target = TARGETS[MATRIX_TARGET]
    own, theirs = results.clips(model), results.clips(other)
    shared = set(own) & set(theirs)
    mine, against = _Scorer(results, own, shared), _Scorer(results, theirs, shared)
    baseline = results.models[other]["kind"] == "baseline"
    theirs_read = {la["index"]: results.layer(other, la["index"]) for la in results.layers(other)}
    for layer in results.layers(model):
        read = results.layer(model, layer["index"])
        for role in COMPARED:
            for metric in HEADLINE:
                index = layer["index"]
                if baseline:
                    best = _best_baseline(results, rows, role, metric)
                    if best is None or best[0] != other:
                        continue
                    index = best[1]
                if index not in theirs_read:
                    continue
                a = mine.scored(read, role, target, results.tested)
                b = against.scored(theirs_read[index], role, target, results.tested)
                if a is None or b is None or a.table.languages != b.table.languages:
                    continue
                score = a.table.difference(metric, a.cells, b.cells, (a.means, b.means))
                row = empty_row(model, layer, role, MEAN, target, score)
                kind = "baseline" if baseline else "untrained"
                yield {
                    **row,
                    "n_languages": len(a.table.languages),
                    "against": kind,
                    "other": other,
                    "other_layer": index,
                }


def _best_baseline(results: Results, rows: Sequence[Row], role: str, metric: str) -> tuple[str, int] | None:
    there = [
        row
        for row in rows
        if results.models[row["model"]]["kind"] == "baseline"
        and (row["train"], row["test"], row["target"], row["metric"]) == (role, MEAN, MATRIX_TARGET, metric)
        and row["value"] is not None
    ]
    best = max(there, key=lambda row: row["value"], default=None)
    return None if best is None else (best["model"], best["layer"])


def write_answer(folder: Path) -> None:
    """Write ``table.parquet`` and ``answer.json`` of a finished run.

    Parameters
    ----------
    folder : Path
        The run directory.
    """
    results = Results(folder)
    rows = table_rows(folder)
    write_table(folder / "table.parquet", rows)
    write_json(
        folder / "answer.json",
        {
            "schema": results.about["schema"],
            "about": results.digest,
            "contrasts": _contrasts(results, rows),
            "n_failures": len(read_json(folder / "failures.json")),
            "notes": results.about["notes"],
        },
    )


def read_answer(folder: Path) -> tuple[list[Row], dict[str, Any]]:
    """Read what :func:`write_answer` wrote.

    Parameters
    ----------
    folder : Path
        The run directory.

    Returns
    -------
    rows : list of dict
        The table.
    answer : dict
        Contrasts, notes and the number of failures.

    Raises
    ------
    SpecError
        If the run is not there or not finished, or has gone on since it was answered.
    """
    results = Results(folder)
    path = folder / "answer.json"
    answer = read_json(path) if path.exists() else {}
    if answer.get("about") != results.digest:
        raise SpecError(f"{folder}: the run has no answer, or went on since; run the same command again to finish it")
    return read_table(folder / "table.parquet"), answer
