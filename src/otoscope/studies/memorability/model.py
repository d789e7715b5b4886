"""A trained model in a folder: the predictor, the models of its folds, and the clips that it compares with.

::

    model.json              what it was trained on and with
    predictor.safetensors   the predictor of all training clips
    fold-00.safetensors     and those of the folds, for prediction intervals
    reference.safetensors   features, scores, errors: what new clips are compared with

Nothing in it is code, and loading runs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import RunConflictError, SpecError, UndefinedMetricError
from otoscope.evaluation.conformal import CrossConformal, cross_conformal
from otoscope.evaluation.folds import Fold, repeated_folds
from otoscope.evaluation.regression import rmse, spearman
from otoscope.features.base import FeatureGroup, group_digest
from otoscope.features.registry import open_groups
from otoscope.predictors.base import FittedPredictor
from otoscope.predictors.registry import open_predictor
from otoscope.predictors.storing import load_predictor, save_predictor
from otoscope.store import digest_of, read_arrays, read_json, write_arrays, write_json
from otoscope.studies.memorability.dataset import Prepared
from otoscope.studies.memorability.fitting import Task, fit_all
from otoscope.studies.memorability.settings import MemorabilitySettings
from otoscope.studies.memorability.unlikeness import Surroundings
from otoscope.studies.progress import Progress
from otoscope.studies.provenance import versions

__all__ = [
    "LEVEL",
    "SCHEMA",
    "TrainedModel",
    "check_place",
    "check_same_model",
    "fit_model",
    "read_model",
    "write_model",
]

SCHEMA = 1
LEVEL = 0.9
_ABOUT, _PREDICTOR, _REFERENCE = "model.json", "predictor.safetensors", "reference.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """All that is needed to say something of a new clip.

    Parameters
    ----------
    predictor : FittedPredictor
        Of all training clips.
    folds : tuple of FittedPredictor
        Each of all but one fold.
    intervals : CrossConformal or None
        None where there were too few groups for an interval.
    groups : tuple of FeatureGroup
        In the order that the predictor was trained on.
    features : ndarray of float64, shape (n_clips, n_features)
        Of the training clips; the mean over segments.
    out_of_fold : ndarray of float64, shape (n_clips,)
        What the fold models said of clips that they had not seen.
    about : dict
        As in ``model.json``.
    """

    predictor: FittedPredictor
    folds: tuple[FittedPredictor, ...]
    intervals: CrossConformal | None
    groups: tuple[FeatureGroup, ...]
    features: NDArray[np.float64]
    out_of_fold: NDArray[np.float64]
    about: dict[str, Any]

    @property
    def clip_s(self) -> float:
        """Length of the training clips in seconds: their median."""
        return float(self.about["clip_s"])

    def surroundings(self) -> Surroundings:
        """Give what says whether a clip is unlike the training clips.

        Returns
        -------
        Surroundings
            Of the training clips.
        """
        return Surroundings.of(self.features)


def fit_model(
    prepared: Prepared,
    settings: MemorabilitySettings,
    *,
    processes: int | None = None,
    progress: Progress | None = None,
) -> TrainedModel:
    """Fit a predictor on all clips, and on all but one fold, for each fold.

    Parameters
    ----------
    prepared : Prepared
        Clips, scores, features.
    settings : MemorabilitySettings
        The first model that it names is fitted; its folds are those of the first repeat.
    processes : int, optional
        How many; as many as there are cores without it.
    progress : Progress, optional
        Is told of every fit.

    Returns
    -------
    TrainedModel
        Fewer folds than asked for where there are fewer groups, and none below two groups.

    Raises
    ------
    SpecError
        If there are fewer than two groups of clips.
    """
    data = prepared.data
    n_groups = len(set(data.groups))
    if n_groups < 2:
        raise SpecError(f"there is {n_groups} group of clips to learn from; at least 2 are needed")
    predictor = open_predictor(settings.models[0], shifts=settings.shifts, seed=settings.seed)
    n_folds = min(settings.folds, n_groups)
    folds = repeated_folds(data.ids, data.groups, folds=n_folds, repeats=1, seed=settings.seed)
    everything = Fold(0, n_folds, np.arange(len(data.ids)), np.empty(0, dtype=np.intp))
    tasks = [Task(predictor.name, predictor, fold, keep=True) for fold in (*folds, everything)]
    outcomes = fit_all(tasks, data, prepared.views, processes=processes, progress=progress)
    fitted = [outcome.fitted for outcome in outcomes if outcome.fitted is not None]
    out_of_fold, place = np.empty(len(data.ids)), np.empty(len(data.ids), dtype=np.intp)
    for fold, outcome in zip(folds, outcomes, strict=False):
        out_of_fold[fold.test], place[fold.test] = outcome.predicted, fold.fold
    notes = list(prepared.notes)
    try:
        intervals = cross_conformal(data.y, out_of_fold, place, data.ids, data.groups, level=LEVEL)
    except UndefinedMetricError as error:
        intervals = None
        notes.append(f"predictions have no interval: {error}")
    views = prepared.views
    features = np.stack([_over_segments(views.features(clip)) for clip in data.ids])
    about = {
        "schema": SCHEMA,
        "predictor": predictor.name,
        "chosen": dict(fitted[-1].chosen),
        "settings": settings.describe(),
        "segment_s": views.segment_s,
        "hop_s": views.hop_s,
        "clip_s": float(np.median([views.durations[clip] for clip in data.ids])),
        "groups": [{"name": group.name, "digest": group_digest(group)} for group in views.groups],
        "features": list(views.feature_ids),
        "n_tracks": len(data.ids),
        "n_groups": n_groups,
        "n_excluded": prepared.n_excluded,
        "n_folds": n_folds,
        "score": {
            "mean": float(data.y.mean()),
            "sd": float(data.y.std()),
            "least": float(data.y.min()),
            "greatest": float(data.y.max()),
        },
        "out_of_fold": _errors(data.y, out_of_fold, folds),
        "trained_on": _trained_on(prepared),
        "level": LEVEL,
        "notes": notes,
        "versions": versions(),
    }
    return TrainedModel(fitted[-1], tuple(fitted[:-1]), intervals, views.groups, features, out_of_fold, about)


def _errors(y: NDArray[np.float64], said: NDArray[np.float64], folds: Sequence[Fold]) -> dict[str, float | None]:
    """Say how far the fold models missed clips that they had not seen, and how far their training means did."""
    mean = np.empty(y.size)
    for fold in folds:
        mean[fold.test] = y[fold.train].mean()
    try:
        rho: float | None = spearman(y, said)
    except UndefinedMetricError:
        rho = None
    return {"rho": rho, "rmse": rmse(y, said), "rmse_of_mean": rmse(y, mean)}


def _over_segments(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over segments, those left out in which a feature has no value."""
    there = np.isfinite(rows)
    counts = there.sum(axis=0)
    sums = np.where(there, rows, 0.0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def check_place(folder: Path) -> None:
    """Check that a model may be written into a folder.

    Parameters
    ----------
    folder : Path
        Where; it may not be there yet.

    Raises
    ------
    SpecError
        If there is something that is no model.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / _ABOUT).exists())):
        raise SpecError(f"{folder}: there is something here that is no model; name another folder with --out")


def check_same_model(folder: Path, prepared: Prepared, settings: MemorabilitySettings) -> None:
    """Refuse to replace a model that was trained on something else, or otherwise.

    Parameters
    ----------
    folder : Path
        Where a model may stand.
    prepared : Prepared
        What the new one would be trained on.
    settings : MemorabilitySettings
        And how.

    Raises
    ------
    RunConflictError
        If the one that stands there is of other clips, scores or settings.
    """
    if not (folder / _ABOUT).exists():
        return
    before = read_json(folder / _ABOUT)
    old = before if isinstance(before, dict) else {}
    same = old.get("trained_on") == _trained_on(prepared) and old.get("settings") == settings.describe()
    if not same:
        raise RunConflictError(
            f"{folder}: a model trained on other clips or scores, or with other settings, stands here; "
            "name another folder with --out, or remove it"
        )


def _trained_on(prepared: Prepared) -> str:
    data = prepared.data
    return digest_of([data.ids, data.groups, data.y.tolist(), None if data.counts is None else data.counts.tolist()])


def write_model(model: TrainedModel, folder: Path) -> None:
    """Write a model into a folder; the file that says what it is comes last.

    Parameters
    ----------
    model : TrainedModel
        What.
    folder : Path
        Where; a model that stands there is replaced.

    Raises
    ------
    SpecError
        If there is something else.
    """
    check_place(folder)
    if folder.exists():
        for old in (folder / _ABOUT, *folder.glob("fold-*.safetensors")):
            old.unlink(missing_ok=True)
    save_predictor(model.predictor, folder / _PREDICTOR)
    for number, fitted in enumerate(model.folds):
        save_predictor(fitted, folder / f"fold-{number:02d}.safetensors")
    arrays: dict[str, NDArray[Any]] = {"features": model.features, "out_of_fold": model.out_of_fold}
    if model.intervals is not None:
        arrays |= {"residuals": model.intervals.residuals, "model": model.intervals.model.astype(np.int64)}
    write_arrays(folder / _REFERENCE, arrays, about={"schema": SCHEMA})
    write_json(folder / _ABOUT, model.about)


def read_model(folder: Path) -> TrainedModel:
    """Read a model from a folder.

    Parameters
    ----------
    folder : Path
        As :func:`write_model` left it.

    Returns
    -------
    TrainedModel
        It predicts what the one that was written predicts.

    Raises
    ------
    SpecError
        If there is no model, it is damaged, or its features are no longer computed as they were.
    MissingExtraError
        If its features need a package that is not installed.
    """
    if not (folder / _ABOUT).exists():
        raise SpecError(f"{folder}: is no trained model (there is no {_ABOUT}); make one with memorability train")
    about = read_json(folder / _ABOUT)
    if not isinstance(about, dict) or about.get("schema") != SCHEMA:
        got = about.get("schema") if isinstance(about, dict) else None
        raise SpecError(f"{folder}: the model has format {got!r}; {SCHEMA} is read here; train it again")
    try:
        groups = _same_groups(about["groups"], folder)
        predictor = load_predictor(folder / _PREDICTOR)
        folds = tuple(load_predictor(folder / f"fold-{i:02d}.safetensors") for i in range(int(about["n_folds"])))
        arrays, _ = read_arrays(folder / _REFERENCE)
        intervals = None
        if "residuals" in arrays:
            intervals = CrossConformal(arrays["residuals"], arrays["model"].astype(np.intp), float(about["level"]))
        if arrays["features"].shape != (about["n_tracks"], len(about["features"])):
            raise SpecError(f"{folder}: the model is damaged: its features have shape {arrays['features'].shape}")
        return TrainedModel(predictor, folds, intervals, groups, arrays["features"], arrays["out_of_fold"], about)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(f"{folder}: the model is damaged ({error}); train it again") from error


def _same_groups(written: Sequence[dict[str, str]], folder: Path) -> tuple[FeatureGroup, ...]:
    groups = open_groups([entry["name"] for entry in written])
    for group, entry in zip(groups, written, strict=True):
        if group.name != entry["name"] or group_digest(group) != entry["digest"]:
            raise SpecError(
                f"{folder}: the features {entry['name']} are computed otherwise than when the model was trained; "
                "train it again with this version"
            )
    return groups
