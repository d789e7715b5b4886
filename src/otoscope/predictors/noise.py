"""A control: the SVR on random numbers in place of features. What it scores is what chance and tuning give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import SpecError
from otoscope.evaluation.splits import seeded_generator
from otoscope.predictors.base import Views
from otoscope.predictors.svr import SvrPredictor
from otoscope.predictors.tables import FittedTable

__all__ = ["FittedNoise", "NoisePredictor", "NoiseViews"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NoiseViews:
    """Gives each clip Gaussian numbers that depend on its id and on nothing in it.

    Parameters
    ----------
    seed : int
        Another one gives other numbers.
    n_features : int
        How many.
    """

    seed: int
    n_features: int

    @property
    def feature_ids(self) -> tuple[str, ...]:
        """``noise.n0``, ``noise.n1`` and so on."""
        return tuple(f"noise.n{i}" for i in range(self.n_features))

    def features(self, clip: str, shift: float = 0.0) -> FloatArray:
        """Draw the numbers of a clip.

        Parameters
        ----------
        clip : str
            Its id.
        shift : float, semitones
            Changes nothing.

        Returns
        -------
        ndarray of float64, shape (1, n_features)
            Of mean 0 and variance 1.
        """
        return seeded_generator(self.seed, "noise features", clip).normal(size=(1, self.n_features))

    def spectrogram(self, clip: str, shift: float = 0.0) -> NoReturn:
        """Refuse: noise has none.

        Parameters
        ----------
        clip : str
            Its id.
        shift : float, semitones
            Of no use.

        Raises
        ------
        SpecError
            Always.
        """
        raise SpecError(f"{clip}: random numbers have no spectrogram")

    def audio(self, clip: str, shift: float = 0.0) -> Waveform:
        """Refuse: noise has none.

        Parameters
        ----------
        clip : str
            Its id.
        shift : float, semitones
            Of no use.

        Returns
        -------
        Waveform
            Never.

        Raises
        ------
        SpecError
            Always.
        """
        raise SpecError(f"{clip}: random numbers have no sound")


@dataclass(frozen=True, slots=True, eq=False)
class FittedNoise:
    """A fitted SVR that is given random numbers.

    Parameters
    ----------
    views : NoiseViews
        Draws them.
    table : FittedTable
        What was fitted on them.
    name : str
        As on the command line.
    """

    views: NoiseViews
    table: FittedTable
    name: str = "noise"

    @property
    def chosen(self) -> Mapping[str, float]:
        """The settings that were tuned, and what came out."""
        return self.table.chosen

    def predict(self, clips: Sequence[str], views: Views) -> FloatArray:
        """Predict the scores of clips from their ids.

        Parameters
        ----------
        clips : sequence of str
            Their ids.
        views : Views
            Asked for nothing.

        Returns
        -------
        ndarray of float64, shape (n_clips,)
            Of no worth.
        """
        return self.table.predict(clips, self.views)

    def on_rows(self, rows: FloatArray) -> FloatArray:
        """Refuse: it does not look at features.

        Parameters
        ----------
        rows : ndarray of float64, shape (n_rows, n_features)
            Of no use.

        Returns
        -------
        ndarray of float64, shape (n_rows,)
            Never.

        Raises
        ------
        SpecError
            Always.
        """
        raise SpecError("noise predicts from random numbers, not from features; explain another predictor")

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Give all that it needs to predict.

        Returns
        -------
        arrays : dict of str to ndarray
            Numbers only.
        about : dict
            The rest, as a JSON value.
        """
        arrays, about = self.table.state()
        return arrays, {
            "kind": "noise",
            "name": self.name,
            "seed": self.views.seed,
            "n_features": self.views.n_features,
            "table": about,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisePredictor:
    """The tuned SVR on as many random numbers as the views have features.

    Parameters
    ----------
    seed : int
        Of the numbers, and of the inner folds.
    name : str
        As on the command line.
    """

    seed: int = 0
    name: str = "noise"

    def fit(
        self, clips: Sequence[str], y: FloatArray, groups: Sequence[str], weights: FloatArray | None, views: Views
    ) -> FittedNoise:
        """Learn.

        Parameters
        ----------
        clips : sequence of str
            Their ids.
        y : ndarray of float64, shape (n_clips,)
            Their scores.
        groups : sequence of str
            Clips of one group stand in one inner fold.
        weights : ndarray of float64, shape (n_clips,), or None
            How much each score counts.
        views : Views
            Asked only how many features there are.

        Returns
        -------
        FittedNoise
            The same for any order of the clips.

        Raises
        ------
        SpecError
            If the clips, scores, groups and weights do not make a training set.
        """
        drawn = NoiseViews(self.seed, max(1, len(views.feature_ids)))
        inner = SvrPredictor(shifts=(), seed=self.seed)  # copies of random numbers would say nothing new
        return FittedNoise(drawn, inner.fit(clips, y, groups, weights, drawn))
