"""What drives the predictions: every clip explained by a model that had not heard it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otoscope.engine.local import in_parallel
from otoscope.errors import SpecError
from otoscope.evaluation.folds import Fold
from otoscope.features.base import Feature, FeatureGroup
from otoscope.predictors.base import FittedPredictor
from otoscope.predictors.directions import Direction, sign_stability
from otoscope.predictors.explaining import Explainer, Explanation, averaged
from otoscope.predictors.wording import Wording, digits_for
from otoscope.studies.memorability.dataset import Prepared
from otoscope.studies.memorability.unlikeness import middle_of
from otoscope.studies.progress import Progress, Quiet

__all__ = ["REASONS", "explain_folds", "features_of"]

REASONS = 5
BACKGROUND = 12  # rows that models which are no sums are explained against; a single prediction takes more
_Floats = NDArray[np.float64]
_Job = tuple[int, FittedPredictor, tuple[str, ...], _Floats, list[_Floats]]


def features_of(groups: Sequence[FeatureGroup]) -> list[Feature]:
    """List the features of some groups.

    Parameters
    ----------
    groups : sequence of FeatureGroup
        Which.

    Returns
    -------
    list of Feature
        Group by group.
    """
    return [feature for group in groups for feature in group.features]


def explain_folds(
    fitted: Sequence[FittedPredictor],
    folds: Sequence[Fold],
    prepared: Prepared,
    *,
    processes: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any] | None:
    """Explain every clip by the model of the fold in which it was tested, against that model's training clips.

    Parameters
    ----------
    fitted : sequence of FittedPredictor
        One per fold.
    folds : sequence of Fold
        Of one repeat.
    prepared : Prepared
        Clips, scores, features.
    processes : int, optional
        How many; as many as there are cores without it.
    progress : Progress, optional
        Is told of every fold.

    Returns
    -------
    dict or None
        As in ``explanation.json``; None where the models do not predict from features.
    """
    progress = progress or Quiet()
    data, views = prepared.data, prepared.views
    rows = {clip: views.features(clip) for clip in data.ids}
    try:
        fitted[0].on_rows(rows[data.ids[0]])
    except SpecError:
        return None
    jobs: list[_Job] = [
        (
            number,
            model,
            views.feature_ids,
            np.concatenate([rows[data.ids[i]] for i in fold.train]),
            [rows[data.ids[i]] for i in fold.test],
        )
        for number, (model, fold) in enumerate(zip(fitted, folds, strict=True))
    ]
    progress.begin("explaining", len(jobs))
    found: dict[int, list[Explanation]] = {}
    for number, explanations in in_parallel(_explain, jobs, processes):
        found[number] = explanations
        progress.advance()
    explained = {
        int(row): explanation
        for number, fold in enumerate(folds)
        for row, explanation in zip(fold.test, found[number], strict=True)
    }
    if len(explained) != len(data.ids):
        return None
    return _gather(fitted[0].name, folds, explained, prepared, rows)


def _explain(job: _Job) -> tuple[int, list[Explanation]]:
    number, model, feature_ids, reference, clips = job
    explainer = Explainer(model, feature_ids, reference, n_background=BACKGROUND)
    return number, [averaged(explainer.explain(rows)) for rows in clips]


def _gather(
    name: str,
    folds: Sequence[Fold],
    explained: dict[int, Explanation],
    prepared: Prepared,
    rows: dict[str, _Floats],
) -> dict[str, Any]:
    data, views = prepared.data, prepared.views
    features = features_of(views.groups)
    values = np.stack([middle_of(rows[clip]) for clip in data.ids])
    moves = np.stack([explained[row].contributions for row in range(len(data.ids))])
    strength = np.abs(moves).mean(axis=0)
    several = [(values[fold.test], moves[fold.test]) for fold in folds if fold.test.size > 1]
    directions = (
        sign_stability(views.feature_ids, several)
        if several
        else tuple(Direction(name, 0, 0.0) for name in views.feature_ids)  # one clip a fold shows no direction
    )
    by_group = [explained[row].by_group for row in range(len(data.ids))]
    wording = Wording(features, values, digits=digits_for(float(np.std(data.y))))
    clips: list[dict[str, Any]] = []
    for row, track in enumerate(data.tracks):
        reasons = wording.reasons(values[row], moves[row], k=REASONS)
        clips.append(
            {
                "track": track,
                "truth": float(data.y[row]),
                "predicted": explained[row].prediction,
                "base": explained[row].base,
                "groups": by_group[row],
                "reasons": [{"feature": each.feature_id, "text": each.text} for each in reasons],
            }
        )
    return {
        "schema": 1,
        "model": name,
        "method": explained[0].method,
        "n_folds": len(folds),
        "groups": sorted(
            (
                {
                    "group": group.name,
                    "title": group.title,
                    "n_features": len(group.features),
                    "mean_abs": float(np.mean([abs(each[group.name]) for each in by_group])),
                }
                for group in views.groups
            ),
            key=lambda entry: -float(entry["mean_abs"]),
        ),
        "features": [
            {
                "id": features[i].id,
                "group": features[i].group,
                "unit": features[i].unit,
                "plain": features[i].plain,
                "more": features[i].more,
                "less": features[i].less,
                "mean_abs": float(strength[i]),
                "sign": directions[i].sign,
                "stability": directions[i].stability,
            }
            for i in np.argsort(-strength, kind="stable")
        ],
        "clips": clips,
    }
