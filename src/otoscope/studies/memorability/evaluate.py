"""How well memorability can be predicted: repeated cross-validation with controls, intervals and a ceiling."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from otoscope.corpora.base import Failure
from otoscope.errors import OtoscopeError, RunConflictError, SpecError
from otoscope.evaluation.folds import contiguous_folds, repeated_folds
from otoscope.features.base import FeatureGroup, group_digest
from otoscope.predictors.base import Predictor
from otoscope.predictors.inner import MIN_GROUPS
from otoscope.predictors.registry import PREDICTORS, open_predictor
from otoscope.store import digest_of, read_json, write_json, write_table
from otoscope.studies.memorability.dataset import Prepared, prepare
from otoscope.studies.memorability.fitting import Task, fit_all
from otoscope.studies.memorability.labels import read_labels
from otoscope.studies.memorability.recipe import DIFFERENCES, SUFFIX, RecipeViews
from otoscope.studies.memorability.settings import CONTROLS, MemorabilitySettings
from otoscope.studies.memorability.summary import SCHEMA, Book, summarise
from otoscope.studies.progress import Progress, Quiet
from otoscope.studies.provenance import versions

__all__ = ["PACKAGES", "Evaluation", "evaluate"]

PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "librosa", "numba", "soundfile", "soxr", "onnxruntime")


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What came of an evaluation; all of it stands in its folder as well.

    Parameters
    ----------
    folder : Path
        Where.
    summary : dict
        As in ``summary.json``.
    predictions : list of dict
        As in ``predictions.parquet``.
    failures : tuple of Failure
        Clips that were left out.
    """

    folder: Path
    summary: dict[str, Any]
    predictions: list[dict[str, Any]]
    failures: tuple[Failure, ...]


def evaluate(
    clips: Path,
    labels: Path,
    out: Path,
    settings: MemorabilitySettings | None = None,
    *,
    groups: Sequence[FeatureGroup] | None = None,
    explain: bool = True,
    processes: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Predict the score of every clip by models that never heard it, and say what that is worth.

    Processes are started afresh: a script that calls this does so under ``if __name__ == "__main__":``.

    Parameters
    ----------
    clips : Path
        The folder of clips.
    labels : Path
        The table of scores; see :mod:`otoscope.studies.memorability.labels`.
    out : Path
        Gets ``summary.json``, ``predictions.parquet``, ``explanation.json``, ``failures.json`` and ``run.json``.
    settings : MemorabilitySettings, optional
        Everything that decides a number.
    groups : sequence of FeatureGroup, optional
        Groups of features of one's own, instead of those that the settings name.
    explain : bool
        Whether the first model is explained.
    processes : int, optional
        How many; as many as there are cores without it.
    progress : Progress, optional
        Is told of every clip and every fit.

    Returns
    -------
    Evaluation
        The answer.

    Raises
    ------
    SpecError
        If settings, table or folder cannot be used.
    LeakageError
        If the same sound stands in the table under two groups.
    """
    began = time.perf_counter()
    settings = settings or MemorabilitySettings()
    progress = progress or Quiet()
    models = _models(settings)
    of_reference, said = _reference_models(settings)
    table = read_labels(labels, clips)
    identity: dict[str, Any] = {"schema": SCHEMA, "settings": settings.describe()}
    _claim(out, identity)
    prepared = prepare(table, settings, groups=groups, processes=processes, progress=progress)
    data = prepared.data
    identity["data"] = digest_of(
        [
            data.ids,
            data.groups,
            [[label.score, label.n, label.half_a, label.half_b] for label in prepared.labels],
            [group_digest(group) for group in prepared.views.groups],
        ]
    )
    _claim(out, identity)
    for old in ("summary.json", "explanation.json"):
        (out / old).unlink(missing_ok=True)
    write_json(
        out / "run.json",
        {
            **identity,
            "clips": str(clips),
            "labels": str(labels),
            "features": list(prepared.views.feature_ids),
            "groups": [{"name": group.name, "title": group.title} for group in prepared.views.groups],
            "versions": versions(PACKAGES),
        },
    )
    book = Book()
    folds = repeated_folds(data.ids, data.groups, folds=settings.folds, repeats=settings.repeats, seed=settings.seed)
    tasks = [
        Task(
            name,
            # Random features are drawn anew in every repeat: one draw alone may please the scores.
            open_predictor(name, seed=settings.seed + fold.repeat) if name == "noise" else predictor,
            fold,
            keep=explain and name == next(iter(models)) and fold.repeat == 0,
        )
        for name, predictor in models.items()
        for fold in folds
    ]
    outcomes = fit_all(tasks, data, prepared.views, processes=processes, progress=progress)
    book.enter(tasks, outcomes, data, "corrected")
    notes, failures = list(prepared.notes), list(prepared.failures)
    fewest = min(len({data.groups[i] for i in fold.train}) for fold in folds)
    if fewest < MIN_GROUPS:
        notes.append(
            f"with {fewest} groups to learn from, settings are not chosen but left at their defaults, and pooled rho "
            f"is pulled below 0; {MIN_GROUPS} are needed, and many more for a result"
        )
    if settings.recipe is not None:
        found, told = _reference(of_reference, book, prepared, settings, processes, progress)
        notes += [*said, *told]
        failures += found
    summary = summarise(book, prepared, settings)
    if explain:
        from otoscope.studies.memorability.explain import explain_folds

        fitted = [outcome.fitted for outcome in outcomes if outcome.fitted is not None]
        kept = [task.fold for task in tasks if task.keep]
        explanation = explain_folds(fitted, kept, prepared, processes=processes, progress=progress)
        if explanation is not None:
            write_json(out / "explanation.json", explanation)
    summary |= {
        "n_tracks": len(data.tracks),
        "n_excluded": prepared.n_excluded,
        "n_groups": len(set(data.groups)),
        "n_features": len(prepared.views.feature_ids),
        "notes": notes,
        "seconds": round(time.perf_counter() - began, 2),
    }
    write_json(out / "failures.json", [asdict(failure) for failure in failures])
    write_table(out / "predictions.parquet", book.rows)
    write_json(out / "summary.json", summary)
    return Evaluation(out, summary, book.rows, tuple(failures))


def _models(settings: MemorabilitySettings) -> dict[str, Predictor]:
    """Open the predictors that were asked for, and the controls; before any sound is read."""
    opened: dict[str, Predictor] = {}
    for spec in (*settings.models, *CONTROLS):
        if SUFFIX in spec:
            raise SpecError(f"{spec!r} belongs to the reference's protocol; name the model and add --recipe audmem")
        predictor = open_predictor(spec, shifts=settings.shifts, seed=settings.seed)
        opened.setdefault(predictor.name, predictor)
    return opened


def _claim(out: Path, identity: Mapping[str, Any]) -> None:
    """Refuse a folder that holds something else."""
    if out.exists() and not out.is_dir():
        raise SpecError(f"--out: {out} is a file; name a folder")
    path = out / "run.json"
    if path.exists():
        before = read_json(path)
        old, new = before.get("settings", {}), identity["settings"]
        if before.get("schema") != identity["schema"] or not isinstance(old, dict) or "folds" not in old:
            raise RunConflictError(f"{out}: holds a run of another kind; name another folder with --out")
        if "data" in identity and before.get("data") != identity["data"]:
            raise RunConflictError(
                f"{out}: this evaluation was made of other clips, scores or features; "
                "name another folder with --out, or remove it"
            )
        different = [f"{key} was {old.get(key)!r} and is {new.get(key)!r}" for key in new if old.get(key) != new[key]]
        if different:
            raise RunConflictError(
                f"{out}: this evaluation was made with other settings: {'; '.join(different)}; "
                "name another folder with --out, or remove it"
            )
    elif out.exists() and any(out.iterdir()):
        raise RunConflictError(f"{out}: there are files here, and no run.json; name another folder with --out")


def _reference_models(settings: MemorabilitySettings) -> tuple[dict[str, Predictor], list[str]]:
    """Open the reference's kind of every model that it has one of; say which it has none of."""
    if settings.recipe is None:
        return {}, []
    kinds = dict.fromkeys(spec.partition(":")[0] for spec in settings.models)
    known = [kind for kind in kinds if f"{kind}{SUFFIX}" in PREDICTORS]
    if not known:
        there = ", ".join(name.removesuffix(SUFFIX) for name in PREDICTORS if name.endswith(SUFFIX))
        raise SpecError(f"--recipe: the reference has none of {', '.join(kinds)}; name one of {there} as well")
    notes = [f"reference protocol: it has no {kind}" for kind in kinds if kind not in known]
    return {f"{kind}{SUFFIX}": open_predictor(f"{kind}{SUFFIX}", seed=settings.seed) for kind in known}, notes


def _reference(
    models: Mapping[str, Predictor],
    book: Book,
    prepared: Prepared,
    settings: MemorabilitySettings,
    processes: int | None,
    progress: Progress,
) -> tuple[list[Failure], list[str]]:
    """Test models as the reference did, in the order of the table; give what failed and what to note."""
    views = RecipeViews({label.track: label.path for label in prepared.labels})
    failures = views.prepare(prepared.data.tracks, processes=processes, progress=progress)
    bad = {failure.clip_id for failure in failures}
    data = prepared.data.take([row for row in prepared.table_order if prepared.data.tracks[row] not in bad])
    data = replace(data, counts=None)  # the reference let all scores count alike
    renamed = views.renamed(dict(zip(data.tracks, data.ids, strict=True)))
    notes = [f"reference protocol: {text}" for text in DIFFERENCES]
    for name, predictor in models.items():
        try:
            folds = contiguous_folds(len(data.tracks), folds=settings.folds)
            tasks = [Task(name, predictor, fold) for fold in folds]
            outcomes = fit_all(tasks, data, renamed, processes=processes, progress=progress, guard=False)
        except OtoscopeError as error:  # the corrected numbers stand whatever becomes of these
            notes.append(f"reference protocol: {name} could not be tested: {error}")
            continue
        book.enter(tasks, outcomes, data, "reference")
    return failures, notes
