"""From sums to an answer: the table, the matrix, the layer profile. Everything is read from the run directory alone.

A row of the table says what one model's layer holds of one target: ``train`` is the role of the probe's training
data, ``test`` a language, or ``mean``, ``region:NAME`` or ``tone:NAME`` for the mean of the scores of all languages,
of those of a region, or of a tone type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from otoscope.errors import SpecError
from otoscope.evaluation.scores import METRICS, Score
from otoscope.store import read_json, read_table, write_json, write_table
from otoscope.studies.pitch.ceiling import ceiling_scores
from otoscope.studies.pitch.results import LayerResults, Results
from otoscope.studies.pitch.roles import RoleScore, RoleScorer, RoleSums
from otoscope.studies.pitch.score import MATRIX_TARGET
from otoscope.studies.pitch.solve import ROLES, LayerProbes
from otoscope.studies.pitch.targets import CONTROLS, DISPUTED, TARGETS, Target

__all__ = [
    "GROUP_METRICS",
    "HEADLINE",
    "MEAN",
    "Row",
    "add_baselines",
    "best_of",
    "empty_row",
    "is_language",
    "read_answer",
    "table_rows",
    "write_answer",
]

Row = dict[str, Any]
HEADLINE = ("r2", "within_r")
GROUP_METRICS = (*HEADLINE, "mse")
MEAN = "mean"
COMPARED = ("own", "lolo")
_NO_LAYER: dict[str, Any] = {"index": None, "name": None}
_NO_PROBE = {
    "own": "the language has no training clips",
    "lolo": "there is no other language to train on",
    "region": "no other language of its region has training clips",
    "tone": "no other language of its tone type has training clips",
    "pool": "there are no training clips",
}


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


def _flag(probes: LayerProbes, role: str, codes: Sequence[str], target: Target) -> str | None:
    flags = {entry.flag for code in codes if (entry := probes.get(role, code, target.domain)) and entry.flag}
    return "; ".join(sorted(flags)) or None


def empty_row(
    model: str, layer: dict[str, Any], train: str | None, test: str, target: Target, score: Score, *, mask: str
) -> Row:
    """Give a row of the table without control, baseline, flag and what is known of the model's training.

    Parameters
    ----------
    model : str
        Which model.
    layer : dict
        With index and name; None for both where it is no layer's.
    train : str or None
        The role of the training data; None where nothing was trained.
    test : str
        The tested language, ``mean`` or a group.
    target : Target
        What is predicted.
    score : Score
        How well.
    mask : str
        On which frames.

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
        "mask": mask,
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
        "heard": None,
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
        A value that is not defined is None, and ``reason`` says why. ``test`` is a language, ``mean``, or
        ``region:NAME`` or ``tone:NAME`` for the mean over the languages of a group, with fewer metrics. ``heard``
        says of a language whether the model heard it in its training; None where that is not known.

        ``mask`` is ``voiced`` or ``all``. Where other trackers were asked, probes of voiced frames have rows on
        ``voiced-agreed`` and on ``voiced-disputed``, and the trackers have rows of their own, for how well they
        predict the labels: with a model of ``tracker:SPEC``, and without layer and train.

    Raises
    ------
    SpecError
        If it is not a run, or not a finished one.
    """
    results = Results(folder)
    tests = {MEAN: results.tested, **results.groups(), **{code: [code] for code in results.tested}}
    rows: list[Row] = []
    for model in results.models:
        scorer = RoleScorer(results, results.clips(model))
        for layer in results.layers(model):
            read = results.layer(model, layer["index"])
            rows += _layer_rows(results, scorer, read, model, layer, tests)
            if results.others:
                rows += _layer_rows(results, scorer, read, model, layer, tests, disputed=True)
    add_baselines(results, rows)
    return rows + [
        {
            **empty_row(f"tracker:{s.tracker}", _NO_LAYER, None, s.test, target, s.score, mask=s.asked.mask),
            "n_languages": s.n_languages,
        }
        for s in ceiling_scores(results, tests)
        if s.score.metric in _metrics(s.test)(target := TARGETS[s.asked.target])
    ]


def _layer_rows(
    results: Results,
    scorer: RoleScorer,
    read: LayerResults,
    model: str,
    layer: dict[str, Any],
    tests: Mapping[str, Sequence[str]],
    *,
    disputed: bool = False,
) -> Iterator[Row]:
    """Score a layer; with `disputed`, the targets of voiced frames on those that trackers do not agree on."""
    targets = [target for target in TARGETS.values() if target.domain == "voiced" or not disputed]
    sums = scorer.sums(read, [target.name for target in targets], disputed=disputed)
    scored = {test: scorer.score(sums, codes, _metrics(test)) for test, codes in tests.items()}
    for role in ROLES:
        for target in targets:
            mask = DISPUTED if disputed else results.mask(target)
            for test, codes in tests.items():
                flag = _flag(read.probes, role, codes, target)
                has_probe = any(read.probes.get(role, code, target.domain) for code in codes)
                reason = "no test frame has this target" if has_probe else _NO_PROBE[role]
                heard = results.heard(model, test) if test in results.tested else None
                for metric in _metrics(test)(target):
                    found = scored[test].get((role, target.name, metric))
                    row = _scored_row(found, metric, model, layer, role, test, target, flag, reason, mask)
                    yield {**row, "heard": heard}


def is_language(test: str) -> bool:
    """Say whether a row's ``test`` is a language: not the mean over them, nor a group.

    Parameters
    ----------
    test : str
        As in a row of the table.

    Returns
    -------
    bool
        False for ``mean``, ``region:NAME`` and ``tone:NAME``.
    """
    return test != MEAN and not test.startswith(("region:", "tone:"))


def _metrics(test: str) -> Callable[[Target], tuple[str, ...]]:
    """Say what is reported of a target: of groups less than of languages and of their mean."""
    if test == MEAN or is_language(test):
        return lambda target: target.metrics
    return lambda target: tuple(name for name in target.metrics if name in GROUP_METRICS)


def _scored_row(
    scored: RoleScore | None,
    metric: str,
    model: str,
    layer: dict[str, Any],
    role: str,
    test: str,
    target: Target,
    flag: str | None,
    reason: str,
    mask: str,
) -> Row:
    if scored is None:
        nothing = Score(metric, None, None, None, 0, 0, 0, reason)
        return {**empty_row(model, layer, role, test, target, nothing, mask=mask), "n_languages": 0}
    row = empty_row(model, layer, role, test, target, scored.score, mask=mask)
    row["n_languages"], row["flag"] = scored.n_languages, flag
    for name in CONTROLS:
        row[f"control_{name}"] = scored.controls.get(name)
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
        names = ("train", "test", "target", "mask", "metric", "n_utterances", "n_languages")
        return tuple(str(row[name]) for name in names)

    for row in rows:
        if results.models[row["model"]]["kind"] == "baseline" and row["value"] is not None:
            found.setdefault(key(row), []).append(row["value"])
    for row in rows:
        row["baseline"] = best_of(row["metric"], found.get(key(row), []))


def _contrasts(results: Results, rows: Sequence[Row]) -> list[Row]:
    """Compare every layer of a model with the best baseline and with its untrained copy, on the same clips."""
    found: list[Row] = []
    rows = [row for row in rows if row["test"] == MEAN and row["mask"] != DISPUTED and row["layer"] is not None]
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
    mine, against = RoleScorer(results, own, shared), RoleScorer(results, theirs, shared)
    baseline = results.models[other]["kind"] == "baseline"
    known = {layer["index"] for layer in results.layers(other)}
    asked = [(role, target.name, metric) for role in COMPARED for metric in HEADLINE]
    best = {key: _best_baseline(results, rows, key[0], key[2]) for key in asked} if baseline else {}
    found = {key: place[1] for key, place in best.items() if place and place[0] == other}
    kept: dict[int, dict[str, RoleSums]] = {}
    for layer in results.layers(model):
        held_to = found if baseline else {key: layer["index"] for key in asked if layer["index"] in known}
        if not held_to:
            continue
        sums = mine.sums(results.layer(model, layer["index"]), [target.name])
        kept = {index: part for index, part in kept.items() if index in held_to.values()}
        for index in set(held_to.values()) - set(kept):
            kept[index] = against.sums(results.layer(other, index), [target.name])
        for key, index in held_to.items():
            for (role, _, _), difference in mine.difference(sums, kept[index], [key], results.tested).items():
                yield {
                    **empty_row(model, layer, role, MEAN, target, difference.score, mask=results.mask(target)),
                    "n_languages": difference.n_languages,
                    "against": "baseline" if baseline else "untrained",
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
