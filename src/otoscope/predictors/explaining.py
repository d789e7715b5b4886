"""What each feature of a clip did to its predicted score: Shapley values.

The base is what the model says on average over reference clips. A feature's contribution is what it moves the
prediction by when the clip's value takes the place of a reference clip's, averaged over all orders in which the
features could be put in. Base and contributions add up to the prediction, exactly. They say what the model did
with the clip, not what made people remember it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.evaluation.regression import average_ranks
from otoscope.evaluation.splits import seeded_generator

__all__ = [
    "Explainer",
    "Explanation",
    "RowModel",
    "averaged",
    "representative_rows",
]

FloatArray = NDArray[np.float64]

EFFICIENCY = 1e-6  # by how much base and contributions may miss the prediction, of the score's size
ADDITIVE = 1e-9  # the same for a model to pass as a sum over features
N_BACKGROUND = 20
MOST_ADDITIVE = 512  # reference rows of an additive model
_MIXTURES = 16
_BLOCK = 4_000_000  # numbers in the rows that are predicted at once


class RowModel(Protocol):
    """Whatever predicts from rows of features: every fitted predictor that takes features."""

    def on_rows(self, rows: FloatArray) -> FloatArray:
        """Predict from rows of features.

        Parameters
        ----------
        rows : ndarray of float64, shape (n_rows, n_features)
            NaN where a feature has no value.

        Returns
        -------
        ndarray of float64, shape (n_rows,)
            One prediction for each row, as if it were alone.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """One prediction, taken apart.

    Parameters
    ----------
    feature_ids : tuple of str
        ``group.name`` of each feature.
    base : float
        What the model says of the reference clips, on average.
    prediction : float
        What it says of this clip.
    contributions : ndarray of float64, shape (n_features,)
        By how much each feature moved it, in the unit of the score.
    method : {"additive", "sampled"}
        "additive": exact, since the model is a sum over features; "sampled": over some orders of the features.

    Raises
    ------
    SpecError
        If base and contributions do not add up to the prediction, or the lengths differ.
    """

    feature_ids: tuple[str, ...]
    base: float
    prediction: float
    contributions: FloatArray
    method: Literal["additive", "sampled"]

    def __post_init__(self) -> None:
        if self.contributions.shape != (len(self.feature_ids),):
            raise SpecError(
                f"explanation: {len(self.feature_ids)} features and contributions of {self.contributions.shape}"
            )
        missed = self.base + float(self.contributions.sum()) - self.prediction
        if not abs(missed) <= EFFICIENCY * max(1.0, abs(self.base), abs(self.prediction)):
            raise SpecError(
                f"explanation: base and contributions miss the prediction by {missed:.3g}; the model must say the "
                "same of a row whatever rows stand beside it"
            )

    @property
    def by_group(self) -> dict[str, float]:
        """The contributions of each group's features added up, in the order of the features."""
        sums: dict[str, float] = {}
        for name, value in zip(self.feature_ids, self.contributions, strict=True):
            group = name.partition(".")[0]
            sums[group] = sums.get(group, 0.0) + float(value)
        return sums


def averaged(explanations: Sequence[Explanation]) -> Explanation:
    """Average explanations: of a clip's segments, or of several models whose predictions are averaged.

    Parameters
    ----------
    explanations : sequence of Explanation
        Of the same features.

    Returns
    -------
    Explanation
        Of the mean prediction; Shapley values of a mean are the means of Shapley values.

    Raises
    ------
    SpecError
        If there are none, or their features differ.
    """
    if not explanations or any(each.feature_ids != explanations[0].feature_ids for each in explanations):
        raise SpecError(f"averaged: {len(explanations)} explanation(s); one or more of the same features are needed")
    return Explanation(
        explanations[0].feature_ids,
        float(np.mean([each.base for each in explanations])),
        float(np.mean([each.prediction for each in explanations])),
        np.mean([each.contributions for each in explanations], axis=0),
        "additive" if all(each.method == "additive" for each in explanations) else "sampled",
    )


def representative_rows(rows: FloatArray, *, n: int = N_BACKGROUND) -> FloatArray:
    """Choose a few rows whose features lie about as those of all rows do.

    Rows are taken one by one, each the one that brings the mean and the spread of the ranks of all features nearest
    to those of the whole table (herding [1]_).

    Parameters
    ----------
    rows : ndarray of float64, shape (n_rows, n_features)
        NaN where a feature has no value.
    n : int, >= 1
        How many to choose.

    Returns
    -------
    ndarray of float64, shape (min(n, n_rows), n_features)
        The same for any order of the rows.

    References
    ----------
    .. [1] M. Welling, "Herding dynamical weights to learn", ICML, 2009.
    """
    ordered = rows[np.lexsort(np.where(np.isnan(rows), np.inf, rows).T[::-1])]
    if len(rows) <= n:
        return ordered
    place = np.zeros(rows.shape)
    for column in range(rows.shape[1]):
        there = ~np.isnan(ordered[:, column])
        if np.any(there):
            place[there, column] = (average_ranks(ordered[there, column]) - 0.5) / there.sum() - 0.5
    marks = np.hstack([place, np.square(place)])
    marks -= marks.mean(axis=0)
    sizes = np.einsum("ij,ij->i", marks, marks)
    total = np.zeros(marks.shape[1])
    free = np.ones(len(rows), dtype=np.bool_)
    chosen: list[int] = []
    for _ in range(n):
        distance = np.where(free, sizes + 2 * (marks @ total), np.inf)
        best = int(np.argmin(distance))
        chosen.append(best)
        free[best] = False
        total += marks[best]
    return ordered[chosen]


class Explainer:
    """Takes predictions of one model apart.

    A model that is a sum over features (every linear model, also behind bounds and fillings of single features) is
    recognised by its predictions for mixed rows, and explained exactly against all reference rows. Any other is
    explained against a few representative ones, each with one order of the features and its reverse: that is exact
    as long as no more than two features work together at a time, and near it for smooth models.

    Parameters
    ----------
    model : RowModel
        A fitted predictor.
    feature_ids : sequence of str
        Of the columns.
    reference : ndarray of float64, shape (n_rows, n_features)
        Rows of the training clips. Their order does not matter.
    n_background : int
        How many rows to choose of it for models that are no sums; time grows with it.
    seed : int
        Of the orders. They are the same for every clip, so that a clip is explained as if it were alone.

    Raises
    ------
    SpecError
        If the shapes do not fit, or there is no reference row.

    References
    ----------
    .. [1] L. Shapley, "A value for n-person games", Contributions to the Theory of Games 2, 1953.
    .. [2] S. Lundberg and S.-I. Lee, "A unified approach to interpreting model predictions", NeurIPS, 2017: with
           features taken as independent.
    .. [3] R. Mitchell, J. Cooper, E. Frank, G. Holmes, "Sampling permutations for Shapley value estimation", JMLR
           23, 2022: antithetic pairs.
    """

    def __init__(
        self,
        model: RowModel,
        feature_ids: Sequence[str],
        reference: FloatArray,
        *,
        n_background: int = N_BACKGROUND,
        seed: int = 0,
    ) -> None:
        self.feature_ids = tuple(feature_ids)
        rows = self._checked(reference)
        if not len(rows) or n_background < 1:
            raise SpecError(f"explaining: {len(rows)} reference rows, {n_background} to choose; at least 1 is needed")
        self._model = model
        self.background = representative_rows(rows, n=n_background)
        rng = seeded_generator(seed, "explaining")
        self._orders = np.argsort(rng.random(self.background.shape), axis=1)
        self._mixed = rng.integers(0, len(self.background), size=(_MIXTURES, len(self.feature_ids)))
        self._anchor = self.background[0]
        self._at_anchor = float(self._on(self._anchor[None, :])[0])
        self.additive = self._is_additive()
        self._means: FloatArray | None = None
        if self.additive:
            rows = representative_rows(rows, n=MOST_ADDITIVE)
            self._means = np.mean([self._alone(row) for row in rows], axis=0)

    def explain(self, rows: FloatArray) -> tuple[Explanation, ...]:
        """Take the predictions of rows apart.

        Parameters
        ----------
        rows : ndarray of float64, shape (n_rows, n_features)
            NaN where a feature has no value.

        Returns
        -------
        tuple of Explanation
            One for each row.

        Raises
        ------
        SpecError
            If there are more or fewer features than in the reference.
        """
        return tuple(self._explain(row) for row in self._checked(rows))

    def _explain(self, row: FloatArray) -> Explanation:
        prediction = float(self._on(row[None, :])[0])
        if self._means is not None:
            contributions = self._alone(row) - self._means
            base = self._at_anchor + float(self._means.sum())
            if abs(base + contributions.sum() - prediction) <= EFFICIENCY * max(1.0, abs(prediction)):
                return Explanation(self.feature_ids, base, prediction, contributions, "additive")
        parts = [self._walk(row, other, order) for other, order in zip(self.background, self._orders, strict=True)]
        base = float(np.mean([start for start, _ in parts]))
        return Explanation(
            self.feature_ids, base, prediction, np.mean([moves for _, moves in parts], axis=0), "sampled"
        )

    def _checked(self, rows: FloatArray) -> FloatArray:
        table = np.asarray(rows, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != len(self.feature_ids) or not self.feature_ids:
            raise SpecError(
                f"explaining: rows of shape {table.shape}; (any number, {len(self.feature_ids)}) is needed"
            )
        return table

    def _on(self, rows: FloatArray) -> FloatArray:
        step = max(1, _BLOCK // rows.shape[1])
        said = np.concatenate([self._model.on_rows(rows[i : i + step]) for i in range(0, len(rows), step)])
        if said.shape != (len(rows),) or not np.all(np.isfinite(said)):
            raise SpecError(f"explaining: the model gave {said.shape} for {len(rows)} rows, or a number not finite")
        return said

    def _alone(self, row: FloatArray) -> FloatArray:
        """Say how each feature of a row by itself moves the prediction of the anchor."""
        moves = np.zeros(row.size)
        (columns,) = np.nonzero(_differs(row, self._anchor))
        if columns.size:
            rows = np.repeat(self._anchor[None, :], columns.size, axis=0)
            rows[np.arange(columns.size), columns] = row[columns]
            moves[columns] = self._on(rows) - self._at_anchor
        return moves

    def _is_additive(self) -> bool:
        if len(self.background) < 2 or len(self.feature_ids) == 1:
            return len(self.feature_ids) == 1
        mixed = np.take_along_axis(self.background, self._mixed, axis=0)
        said = self._on(mixed)
        summed = np.array([self._at_anchor + self._alone(row).sum() for row in mixed])
        return bool(np.all(np.abs(said - summed) <= ADDITIVE * max(1.0, float(np.abs(said).max()))))

    def _walk(self, row: FloatArray, other: FloatArray, order: NDArray[np.intp]) -> tuple[float, FloatArray]:
        """Turn another row into this one, feature by feature, in an order and in its reverse."""
        moves = np.zeros(row.size)
        steps = order[_differs(row, other)[order]]
        n = steps.size
        if n == 0:
            return float(self._on(other[None, :])[0]), moves
        rank = np.empty(row.size, dtype=np.intp)
        rank[steps] = np.arange(n)
        changed = rank[steps] < np.arange(n + 1)[:, None]
        rows = np.repeat(other[None, :], 2 * n, axis=0)
        rows[: n + 1, steps] = np.where(changed, row[steps], other[steps])
        rows[n + 1 :, steps] = np.where(changed[1:n, ::-1], row[steps], other[steps])
        said = self._on(rows)
        forward = np.diff(said[: n + 1])
        backward = np.diff(np.concatenate([said[:1], said[n + 1 :], said[n : n + 1]]))[::-1]
        moves[steps] = (forward + backward) / 2
        return float(said[0]), moves


def _differs(one: FloatArray, other: FloatArray) -> NDArray[np.bool_]:
    return (one != other) & ~(np.isnan(one) & np.isnan(other))
