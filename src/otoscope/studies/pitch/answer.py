"""From sums to an answer: the table, the matrix, the layer profile. Everything is read from the run directory alone.

A row of the table says what one model's layer holds of one target: ``train`` is the role of the probe's training
data, ``test`` a language, or ``mean`` for the mean of the languages' scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.evaluation.scores import METRICS, Score, ScoreTable
from otoscope.probes.scoring import pair_moments
from otoscope.store import read_about, read_arrays, read_json, read_table, slug, write_json, write_table
from otoscope.studies.pitch.cells import fold_shards, read_cells
from otoscope.studies.pitch.plan import MATRIX_BLOCKS
from otoscope.studies.pitch.score import COLUMNS, MATRIX_TARGET
from otoscope.studies.pitch.solve import ROLES, LayerProbes, fold_domain, read_probes
from otoscope.studies.pitch.targets import CONTROLS, TARGETS, Target

__all__ = ["HEADLINE", "MEAN", "Row", "matrix_rows", "read_answer", "table_rows", "write_answer"]

Floats = NDArray[np.float64]
Row = dict[str, Any]
HEADLINE = ("r2", "within_r")
MEAN = "mean"
MATRIX_METRICS = ("r2", "within_r", "mse")
_NO_PROBE = {
    "own": "the language has no training clips",
    "lolo": "there is no other language to train on",
    "region": "no other language of its region has training clips",
    "tone": "no other language of its tone type has training clips",
    "pool": "there are no training clips",
}


class _Run:
    """A run directory, read lazily."""

    def __init__(self, folder: Path) -> None:
        if not (folder / "run.json").exists():
            raise SpecError(f"{folder}: is not a run: it has no run.json; `otoscope pitch run --out` makes one")
        self.folder = folder
        self.about: dict[str, Any] = read_json(folder / "run.json")
        self.settings: dict[str, Any] = self.about["settings"]
        self.models: dict[str, dict[str, Any]] = self.about["models"]
        self.shards = [name for name in sorted(self.about["shards"]) if name.rsplit(".", 2)[1] == "test"]
        missing = [
            f"{model}: {shard}"
            for model in self.models
            for shard in self.shards
            if not self.path(model, shard).exists()
        ]
        if missing:
            raise SpecError(
                f"{folder}: the run is not finished: {len(missing)} test shards are missing ({missing[0]} ...); "
                "run the same command again to go on"
            )

    def path(self, model: str, shard: str) -> Path:
        return self.folder / "test" / slug(model) / f"{shard}.safetensors"

    def layers(self, model: str) -> list[dict[str, Any]]:
        return self.models[model]["layers"]

    def probes(self, model: str, layer: int) -> LayerProbes:
        path = self.folder / "probes" / slug(model) / f"{layer}.safetensors"
        found = read_probes(path)
        if found is None:
            raise SpecError(f"{path}: is missing or damaged; run the same command again")
        return found

    def clips(self, model: str) -> dict[str, str]:
        """Give the tested clips of a model and their languages, in the order of the rows."""
        found: dict[str, str] = {}
        for shard in self.shards:
            about = read_about(self.path(model, shard))
            if about is None:
                raise SpecError(f"{self.path(model, shard)}: is damaged; remove it and run the same command again")
            found.update(dict.fromkeys(about["clips"], shard.rsplit(".", 2)[0]))
        return found

    def rows(self, model: str, layer: int) -> Floats:
        """Give the sums of every tested clip, shape (n_clips, n_roles, n_columns, n_sums)."""
        name = f"rows.{layer}"
        return np.concatenate(
            [read_arrays(self.path(model, s), only=lambda n: n == name)[0][name] for s in self.shards]
        )

    def blocks(self, model: str, layer: int, code: str) -> Floats:
        """Give the matrix's block sums of a tested language, shape (n_blocks, n_sources, n_sums)."""
        name = f"blocks.{layer}"
        parts = [
            read_arrays(self.path(model, s), only=lambda n: n == name)[0][name]
            for s in self.shards
            if s.rsplit(".", 2)[0] == code
        ]
        return np.sum(parts, axis=0)

    @property
    def languages(self) -> list[str]:
        return sorted(self.about["languages"])

    @property
    def sources(self) -> list[str]:
        names = (name.rsplit(".", 2) for name in self.about["shards"])
        return sorted({language for language, split, _ in names if split == "train"})

    @property
    def tested(self) -> list[str]:
        return sorted({name.rsplit(".", 2)[0] for name in self.shards})


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """The scores of one model, layer, role and target over one set of languages."""

    table: ScoreTable
    cells: Floats
    means: Floats
    controls: dict[str, tuple[Floats, Floats]]

    def score(self, metric: str) -> Score:
        return self.table.score(metric, self.cells, self.means)

    def control(self, metric: str) -> float | None:
        values = [self.table.value(metric, cells, means) for cells, means in self.controls.values()]
        return _best(metric, [value for value in values if value is not None])


def _best(metric: str, values: Sequence[float]) -> float | None:
    """Give the best of some values: for a control the hardest to beat, for baselines the strongest."""
    if not values:
        return None
    return max(values) if METRICS[metric].higher_is_better else min(values)


class _Scorer:
    """Scores the rows of one model."""

    def __init__(self, run: _Run, model: str, keep: set[str] | None = None) -> None:
        self.run, self.model = run, model
        clips = run.clips(model)
        self.kept = [i for i, clip in enumerate(clips) if keep is None or clip in keep]
        ids = [clip for i, clip in enumerate(clips) if i in set(self.kept)]
        self.languages = np.array([clips[clip] for clip in ids])
        self.clusters = np.array([run.about["clusters"][clip] for clip in ids])
        self._tables: dict[tuple[str, ...], tuple[ScoreTable, NDArray[np.intp]]] = {}

    def _table(self, codes: Sequence[str]) -> tuple[ScoreTable, NDArray[np.intp]]:
        key = tuple(codes)
        if key not in self._tables:
            at = np.flatnonzero(np.isin(self.languages, key))
            settings = self.run.settings
            table = ScoreTable(
                [str(c) for c in self.clusters[at]],
                [str(c) for c in self.languages[at]],
                seed=settings["seed"],
                n_resamples=settings["n_resamples"],
            )
            self._tables[key] = (table, at)
        return self._tables[key]

    def scored(
        self, rows: Floats, probes: LayerProbes, role: str, target: Target, codes: Sequence[str]
    ) -> _Scored | None:
        """Score a role and target on some languages; None where none of them has a probe and frames."""
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


def _row(model: str, layer: dict[str, Any], train: str, test: str, target: Target, score: Score) -> Row:
    unit = METRICS[score.metric].unit.replace("target", target.unit)
    return {
        "model": model,
        "layer": layer["index"],
        "layer_name": layer["name"],
        "train": train,
        "test": test,
        "target": target.name,
        "mask": target.domain,
        "metric": score.metric,
        "unit": unit,
        "value": score.value,
        "low": score.low,
        "high": score.high,
        "n_frames": score.n_frames,
        "n_utterances": score.n_utterances,
        "n_groups": score.n_groups,
        "control": None,
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
        n_groups, control and baseline. ``control`` is the better of the shift and swap controls, ``baseline``
        the best baseline model on the same data. A value that is not defined is None, and ``reason`` says why.

    Raises
    ------
    SpecError
        If it is not a run, or not a finished one.
    """
    run = _Run(folder)
    rows: list[Row] = []
    for model in run.models:
        scorer = _Scorer(run, model)
        for layer in run.layers(model):
            probes, sums = run.probes(model, layer["index"]), run.rows(model, layer["index"])[scorer.kept]
            for role in ROLES:
                for target in TARGETS.values():
                    for test in (MEAN, *run.tested):
                        codes = run.tested if test == MEAN else [test]
                        scored = scorer.scored(sums, probes, role, target, codes)
                        flag = _flag(probes, role, codes, target)
                        for metric in target.metrics:
                            rows.append(_scored_row(scored, metric, model, layer, role, test, target, flag))
    _add_baselines(run, rows)
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
) -> Row:
    if scored is None:
        empty = Score(metric, None, None, None, 0, 0, 0, f"{_NO_PROBE[role]}, or no test frame has this target")
        return _row(model, layer, role, test, target, empty)
    row = _row(model, layer, role, test, target, scored.score(metric))
    row["control"], row["flag"] = scored.control(metric), flag
    return row


def _add_baselines(run: _Run, rows: list[Row]) -> None:
    """Put the best baseline's value beside every row of the same data."""
    baselines = [name for name, info in run.models.items() if info["kind"] == "baseline"]
    found: dict[tuple[str, ...], list[float]] = {}

    def key(row: Row) -> tuple[str, ...]:
        return tuple(str(row[name]) for name in ("train", "test", "target", "metric"))

    for row in rows:
        if row["model"] in baselines and row["value"] is not None:
            found.setdefault(key(row), []).append(row["value"])
    for row in rows:
        row["baseline"] = _best(row["metric"], found.get(key(row), []))


def matrix_rows(folder: Path, *, metric: str | None = None, target: str = MATRIX_TARGET) -> list[Row]:
    """Score every source language's probe on every tested language.

    Parameters
    ----------
    folder : Path
        A finished run.
    metric : str, optional
        Only this one.
    target : str
        ``log2_f0`` has intervals, from sums over blocks of sentences; the others are scored in closed form on the
        test cells, R2 and MSE, without.

    Returns
    -------
    list of dict
        As :func:`table_rows` gives them, with ``train`` of ``lang:CODE``.
    """
    if target not in TARGETS:
        raise SpecError(f"target is {target!r}; choose from {', '.join(TARGETS)}")
    allowed = MATRIX_METRICS if target == MATRIX_TARGET else ("r2", "mse")
    if metric is not None and metric not in allowed:
        raise SpecError(f"metric is {metric!r}; the matrix of {target} has {', '.join(allowed)}")
    run = _Run(folder)
    metrics = (metric,) if metric else allowed
    rows = [
        row
        for model in run.models
        for layer in run.layers(model)
        for code in run.tested
        for row in _matrix_column(run, model, layer, code, TARGETS[target], metrics)
    ]
    _add_baselines(run, rows)
    return rows


def _matrix_column(
    run: _Run, model: str, layer: dict[str, Any], code: str, target: Target, metrics: Sequence[str]
) -> Iterator[Row]:
    probes = run.probes(model, layer["index"])
    cells = fold_shards(
        read_cells(run.path(model, s), layer["index"], probes.shift)
        for s in run.shards
        if s.rsplit(".", 2)[0] == code
    )
    cell = fold_domain(cells, target.domain)
    blocks = run.blocks(model, layer["index"], code)
    clips = [clip for clip, language in run.clips(model).items() if language == code]
    n_groups = len({run.about["clusters"][clip] for clip in clips})
    filled = [b for b in range(MATRIX_BLOCKS) if blocks[b, :, 0].any()]
    table = ScoreTable(
        [f"block {b}" for b in filled],
        [code] * len(filled),
        seed=run.settings["seed"],
        n_resamples=run.settings["n_resamples"],
    )
    for i, source in enumerate(run.sources):
        entry = probes.get(f"lang:{source}", code, target.domain)
        if entry is None or cell is None or not cell.n > 0:
            continue
        columns = [c for c in entry.probe.columns if c in cell.columns]
        kept = [entry.probe.columns.index(c) for c in columns]
        p = entry.probe
        part = replace(
            p,
            columns=tuple(columns),
            weights=p.weights[:, kept],
            intercept=p.intercept[kept],
            train_mean=p.train_mean[kept],
            lambdas=p.lambdas[kept],
        )
        pair = pair_moments(part, cell.select(columns))
        for metric in metrics:
            closed = {"r2": pair.r2, "mse": pair.mse}.get(metric)
            if target.name == MATRIX_TARGET and filled:
                score = table.score(metric, table.gather(blocks[filled, i]), part.train_mean[:1])
            else:
                value = float(closed[columns.index(target.name)]) if closed is not None else np.nan
                known = np.isfinite(value)
                reason = "no sums over sentences are kept for this target" if known else METRICS[metric].reason
                score = Score(metric, value if known else None, None, None, round(cell.n), 0, 0, reason)
            score = replace(score, n_utterances=len(clips), n_groups=n_groups)
            row = _row(model, layer, f"lang:{source}", code, target, score)
            if closed is not None:
                values = [float(closed[j]) for j, c in enumerate(columns) if c.startswith(f"{target.name}~")]
                row["control"] = _best(metric, [v for v in values if np.isfinite(v)])
            row["flag"] = entry.flag
            yield row


def _contrasts(run: _Run, rows: Sequence[Row]) -> list[Row]:
    """Compare every layer of a model with the best baseline and with its untrained copy, on the same clips."""
    target = TARGETS[MATRIX_TARGET]
    found: list[Row] = []
    for model, info in run.models.items():
        if info["kind"] != "model":
            continue
        twins = [name for name, other in run.models.items() if other["twin"] == model]
        for role in ("own", "lolo"):
            for metric in HEADLINE:
                others = [("baseline", best)] if (best := _best_baseline(run, rows, role, metric)) else []
                for layer in run.layers(model):
                    against = [*others, *(("untrained", (twin, layer)) for twin in twins)]
                    for kind, (other, other_layer) in against:
                        score = _difference(run, (model, layer), (other, other_layer), role, metric, target)
                        if score is not None:
                            row = _row(model, layer, role, MEAN, target, score)
                            found.append(
                                {**row, "against": kind, "other": other, "other_layer": other_layer["index"]}
                            )
    return found


def _best_baseline(run: _Run, rows: Sequence[Row], role: str, metric: str) -> tuple[str, dict[str, Any]] | None:
    there = [
        row
        for row in rows
        if run.models[row["model"]]["kind"] == "baseline"
        and (row["train"], row["test"], row["target"], row["metric"]) == (role, MEAN, MATRIX_TARGET, metric)
        and row["value"] is not None
    ]
    if not there:
        return None
    best = max(there, key=lambda row: row["value"])
    return best["model"], next(la for la in run.layers(best["model"]) if la["index"] == best["layer"])


def _difference(
    run: _Run,
    one: tuple[str, dict[str, Any]],
    other: tuple[str, dict[str, Any]],
    role: str,
    metric: str,
    target: Target,
) -> Score | None:
    shared = set(run.clips(one[0])) & set(run.clips(other[0]))
    sides: list[_Scored] = []
    for model, layer in (one, other):
        scorer = _Scorer(run, model, shared)
        sums = run.rows(model, layer["index"])[scorer.kept]
        scored = scorer.scored(sums, run.probes(model, layer["index"]), role, target, run.tested)
        if scored is None:
            return None
        sides.append(scored)
    a, b = sides
    if a.table.languages != b.table.languages:
        return None
    return a.table.difference(metric, a.cells, b.cells, (a.means, b.means))


def write_answer(folder: Path) -> None:
    """Write ``table.parquet`` and ``answer.json`` of a finished run.

    Parameters
    ----------
    folder : Path
        The run directory.
    """
    run = _Run(folder)
    rows = table_rows(folder)
    failures = read_json(folder / "failures.json")
    write_table(folder / "table.parquet", rows)
    write_json(
        folder / "answer.json",
        {
            "schema": run.about["schema"],
            "contrasts": _contrasts(run, rows),
            "n_failures": len(failures),
            "notes": run.about["notes"],
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
        If the run is not there or not finished.
    """
    if not (folder / "answer.json").exists():
        _Run(folder)
        raise SpecError(f"{folder}: has no answer yet; run the same command again to finish it")
    return read_table(folder / "table.parquet"), read_json(folder / "answer.json")
