"""Which way each feature works, and whether several models agree on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError, UndefinedMetricError
from otoscope.evaluation.regression import spearman

__all__ = ["Direction", "sign_stability"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Direction:
    """Which way a feature works.

    Parameters
    ----------
    feature_id : str
        Which.
    sign : {-1, 0, 1}
        1 where greater values raise the prediction in most models, -1 where they lower it, 0 where neither.
    stability : float
        Share of the models that say so; of the larger party where the parties are equal, and 0 where no model has
        a direction.
    """

    feature_id: str
    sign: Literal[-1, 0, 1]
    stability: float


def sign_stability(
    feature_ids: Sequence[str], explained: Sequence[tuple[FloatArray, FloatArray]]
) -> tuple[Direction, ...]:
    """Ask several models which way each feature works.

    Parameters
    ----------
    feature_ids : sequence of str
        Of the columns.
    explained : sequence of pair of ndarray of float64, shape (n_clips, n_features)
        Of each model: feature values of some clips, and the contributions to their predictions. Values may be NaN:
        such clips are left out.

    Returns
    -------
    tuple of Direction
        A model's direction is the sign of the rank correlation between value and contribution; a feature that it
        does not use has none.

    Raises
    ------
    SpecError
        If there are no models, or the shapes do not fit.
    """
    if not explained:
        raise SpecError("sign_stability: there are no models; give the explanations of at least one")
    votes = np.zeros((len(explained), len(feature_ids)))
    for row, (values, contributions) in enumerate(explained):
        if values.shape != contributions.shape or values.ndim != 2 or values.shape[1] != len(feature_ids):
            raise SpecError(
                f"sign_stability: values {values.shape} and contributions {contributions.shape} of model {row}; both "
                f"need the shape (n_clips, {len(feature_ids)})"
            )
        rounding = 1e-12 * float(np.abs(contributions).max(initial=0.0))
        for column in range(len(feature_ids)):
            votes[row, column] = _direction(values[:, column], contributions[:, column], rounding)
    made: list[Direction] = []
    for name, column in zip(feature_ids, votes.T, strict=True):
        up, down = int((column > 0).sum()), int((column < 0).sum())
        sign: Literal[-1, 0, 1] = 0 if up == down else 1 if up > down else -1
        made.append(Direction(name, sign, max(up, down) / len(explained)))
    return tuple(made)


def _direction(values: FloatArray, contributions: FloatArray, rounding: float) -> float:
    there = np.isfinite(values)
    moved = contributions[there]
    if moved.size < 2 or np.ptp(moved) <= rounding:
        return 0.0
    try:
        rho = spearman(values[there], moved)
    except UndefinedMetricError:
        return 0.0
    return float(np.sign(rho)) if abs(rho) > 1e-12 else 0.0
