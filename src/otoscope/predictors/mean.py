"""The weighted mean of the training scores: what any predictor has to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otoscope.predictors.base import Views
from otoscope.predictors.tables import training_set

__all__ = ["FittedMean", "MeanPredictor"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FittedMean:
    """Says the same of every clip.

    Parameters
    ----------
    name : str
        As on the command line.
    value : float
        What it says.
    """

    name: str
    value: float

    @property
    def chosen(self) -> Mapping[str, float]:
        """The mean, as ``mean``."""
        return {"mean": self.value}

    def predict(self, clips: Sequence[str], views: Views) -> FloatArray:
        """Predict the scores of clips.

        Parameters
        ----------
        clips : sequence of str
            Their ids.
        views : Views
            Asked for nothing.

        Returns
        -------
        ndarray of float64, shape (n_clips,)
            All the same.
        """
        return np.full(len(clips), self.value)

    def on_rows(self, rows: FloatArray) -> FloatArray:
        """Predict from rows of any features.

        Parameters
        ----------
        rows : ndarray of float64, shape (n_rows, n_features)
            Looked at by nobody.

        Returns
        -------
        ndarray of float64, shape (n_rows,)
            All the same.
        """
        return np.full(len(rows), self.value)

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Give all that it needs to predict.

        Returns
        -------
        arrays : dict of str to ndarray
            The mean.
        about : dict
            Its name.
        """
        return {"mean": np.array(self.value)}, {"kind": "mean", "name": self.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanPredictor:
    """Predicts the weighted mean of the training scores.

    Parameters
    ----------
    name : str
        As on the command line.

    Notes
    -----
    Over the folds of a cross-validation the mean is the lower, the higher the scores that were held out. So the rank
    correlation of pooled out-of-fold means is negative by construction, and says nothing.
    """

    name: str = "mean"

    def fit(
        self, clips: Sequence[str], y: FloatArray, groups: Sequence[str], weights: FloatArray | None, views: Views
    ) -> FittedMean:
        """Take the mean.

        Parameters
        ----------
        clips : sequence of str
            Their ids.
        y : ndarray of float64, shape (n_clips,)
            Their scores.
        groups : sequence of str
            Not used.
        weights : ndarray of float64, shape (n_clips,), or None
            How much each score counts.
        views : Views
            Asked for nothing.

        Returns
        -------
        FittedMean
            The same for any order of the clips.

        Raises
        ------
        SpecError
            If the clips, scores, groups and weights do not make a training set.
        """
        ordered = training_set(clips, y, groups, weights).in_order()
        return FittedMean(self.name, float(np.average(ordered.y, weights=ordered.weights)))
