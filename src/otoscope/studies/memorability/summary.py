"""From out-of-fold predictions to the numbers of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from otoscope.errors import UndefinedMetricError
from otoscope.evaluation.ceiling import noise_ceiling, normalised
from otoscope.evaluation.outoffold import OutOfFold, difference, evaluate_predictions
from otoscope.evaluation.permutation import permutation_test
from otoscope.evaluation.resampling import Estimate
from otoscope.studies.memorability.dataset import Prepared
from otoscope.studies.memorability.fitting import Dataset, Outcome, Task, weights_of
from otoscope.studies.memorability.settings import CONTROLS, MemorabilitySettings

__all__ = ["PROTOCOLS", "SCHEMA", "Book", "summarise"]

SCHEMA = 1
RANKED = ("spearman_pooled", "spearman_fold", "pearson", "pair_accuracy")
UNFAIR: Mapping[str, Any] = {
    "value": None,
    "low": None,
    "high": None,
    "reason": "the mean predictor orders held-out clips against their scores by construction: whatever knows nothing "
    "stands above it",
}
Protocol = Literal["corrected", "reference"]
PROTOCOLS: Mapping[str, str] = {
    "corrected": "grouped, shuffled folds; everything that is learned is learned inside the fold",
    "reference": "the reference's: contiguous folds, scaled by the tested fold itself, greatest of nine segments",
}


@dataclass(slots=True)
class Book:
    """Predictions of every model, as rows and as out-of-fold tables.

    Parameters
    ----------
    rows : list of dict
        As in ``predictions.parquet``.
    tables : dict of str to OutOfFold
        By model.
    protocols : dict of str to {"corrected", "reference"}
        By model.
    """

    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    tables: dict[str, OutOfFold] = field(default_factory=dict[str, OutOfFold])
    protocols: dict[str, Protocol] = field(default_factory=dict[str, Protocol])

    def enter(self, tasks: Sequence[Task], outcomes: Sequence[Outcome], data: Dataset, protocol: Protocol) -> None:
        """Enter the predictions of some models.

        Parameters
        ----------
        tasks, outcomes : sequence of Task and of Outcome
            In the same order.
        data : Dataset
            Clips and scores that the tasks were about.
        protocol : {"corrected", "reference"}
            How they were tested.
        """
        means: dict[tuple[int, int], float] = {}
        found: dict[str, list[tuple[int, int, int, float]]] = {}
        for task, outcome in zip(tasks, outcomes, strict=True):
            fold = task.fold
            weights = None if data.counts is None else weights_of(data.counts[fold.train])
            means[fold.repeat, fold.fold] = float(np.average(data.y[fold.train], weights=weights))
            found.setdefault(task.model, []).extend(
                (int(row), fold.repeat, fold.fold, float(value))
                for row, value in zip(fold.test, outcome.predicted, strict=True)
            )
        for model, entries in found.items():
            self.protocols[model] = protocol
            self.tables[model] = OutOfFold.from_rows(
                [data.ids[row] for row, *_ in entries],
                [repeat for _, repeat, _, _ in entries],
                [fold for _, _, fold, _ in entries],
                [float(data.y[row]) for row, *_ in entries],
                [value for *_, value in entries],
                # The reference did not look at groups, so its folds may divide them.
                groups=dict(zip(data.ids, data.groups, strict=True)) if protocol == "corrected" else None,
                baseline=[means[repeat, fold] for _, repeat, fold, _ in entries],
            )
            self.rows += [
                {
                    "track": data.tracks[row],
                    "repeat": repeat,
                    "fold": fold,
                    "model": model,
                    "truth": float(data.y[row]),
                    "predicted": value,
                }
                for row, repeat, fold, value in sorted(
                    entries, key=lambda each: (each[1], each[2], data.ids[each[0]])
                )
            ]


def summarise(book: Book, prepared: Prepared, settings: MemorabilitySettings) -> dict[str, Any]:
    """Score every model, and compare it with the controls, with chance and with the ceiling.

    Parameters
    ----------
    book : Book
        The predictions.
    prepared : Prepared
        Clips and labels.
    settings : MemorabilitySettings
        Seed and number of resamples.

    Returns
    -------
    dict
        ``models`` (every metric of every model), ``details`` (kind, protocol, chance, differences) and ``ceiling``.
    """
    seed, n_resamples = settings.seed, settings.n_resamples
    labels, data = prepared.labels, prepared.data
    columns = {
        name: np.array([np.nan if getattr(label, name) is None else getattr(label, name) for label in labels])
        for name in ("n", "half_a", "half_b")
    }
    known = {name: values for name, values in columns.items() if np.all(np.isfinite(values))}
    ceiling = noise_ceiling(data.y, groups=data.groups, seed=seed, n_resamples=n_resamples, **known)
    models: dict[str, Any] = {}
    details: dict[str, Any] = {}
    for name, table in book.tables.items():
        scores = evaluate_predictions(table, seed=seed, n_resamples=n_resamples)
        models[name] = {metric: _entry(estimate) for metric, estimate in scores.items()}
        reference = book.protocols[name] == "reference"
        details[name] = {
            "kind": "reference" if reference else "control" if name in CONTROLS else "model",
            "protocol": PROTOCOLS[book.protocols[name]],
            "n_tested": len(table.tracks),
            "n_groups": table.n_groups,
            "permutation": _chance(table, seed, n_resamples),
            "of_ceiling": {
                metric: _entry(normalised(scores[metric], ceiling)) for metric in ("spearman_pooled", "spearman_fold")
            },
        }
        if not reference:
            details[name]["above"] = {
                other: {
                    metric: UNFAIR if other == "mean" and metric in RANKED else _entry(estimate)
                    for metric, estimate in difference(
                        table, book.tables[other], seed=seed, n_resamples=n_resamples
                    ).items()
                }
                for other in CONTROLS
                if other != name
            }
    return {
        "schema": SCHEMA,
        "models": models,
        "details": details,
        "ceiling": {
            "source": ceiling.source,
            "agreement": _entry(ceiling.agreement),
            "reliability": _entry(ceiling.reliability),
            "ceiling": _entry(ceiling.ceiling),
        },
    }


def _entry(estimate: Estimate) -> dict[str, Any]:
    entry: dict[str, Any] = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return entry | ({"reason": estimate.reason} if estimate.reason else {})


def _chance(table: OutOfFold, seed: int, n: int) -> dict[str, Any]:
    try:
        chance = permutation_test(table.truth, table.predicted, groups=table.groups, n=n, seed=seed)
    except UndefinedMetricError as error:
        return {"p": None, "low": None, "high": None, "n": 0, "reason": str(error)}
    return {"p": chance.p, "low": chance.low, "high": chance.high, "n": chance.n}
