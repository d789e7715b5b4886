"""The protocol of predictors: they take clips and lazy views of them, never a table made beforehand.

A predictor asks the views for what it needs of a clip. Copies of a clip that were shifted in pitch are asked for
while fitting only, and only of the clips that it fits on, so that a copy can never reach a test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import LeakageError, SpecError

__all__ = ["FittedPredictor", "Predictor", "TrainingSet", "Views", "check_apart"]

FloatArray = NDArray[np.float64]


class Views(Protocol):
    """Gives features, spectrograms or audio of clips and of their shifted copies, made when first asked for."""

    @property
    def feature_ids(self) -> tuple[str, ...]:
        """Of the columns of :meth:`features`."""
        ...

    def features(self, clip: str, shift: float = 0.0) -> FloatArray:
        """Give the features of a clip.

        Parameters
        ----------
        clip : str
            Its id.
        shift : float, semitones
            By how much its pitch is shifted; 0 is the clip itself.

        Returns
        -------
        ndarray of float64, shape (n_segments, n_features)
            One row for a whole clip. NaN where a feature has no value.
        """
        ...

    def spectrogram(self, clip: str, shift: float = 0.0) -> NDArray[np.float32]:
        """Give the log-mel spectrogram of a clip.

        Parameters
        ----------
        clip : str
            Its id.
        shift : float, semitones
            By how much its pitch is shifted.

        Returns
        -------
        ndarray of float32, shape (n_frames, n_mels)
            Natural logarithm of mel power.
        """
        ...

    def audio(self, clip: str, shift: float = 0.0) -> Waveform:
        """Give the sound of a clip.

        Parameters
        ----------
        clip : str
            Its id.
        shift : float, semitones
            By how much its pitch is shifted.

        Returns
        -------
        Waveform
            At its own rate.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """What a predictor is fitted on.

    Parameters
    ----------
    clips : tuple of str
        Their ids, all different.
    y : ndarray of float64, shape (n_clips,)
        Their scores; finite.
    groups : tuple of str
        Clips of one group never stand on two sides of a split.
    weights : ndarray of float64, shape (n_clips,), or None
        How much each score counts; above 0. None is all alike.

    Raises
    ------
    SpecError
        If the lengths differ, a clip stands there twice, or a number cannot be.
    """

    clips: tuple[str, ...]
    y: FloatArray
    groups: tuple[str, ...]
    weights: FloatArray | None = None

    def __post_init__(self) -> None:
        n = len(self.clips)
        lengths: set[int] = {n, len(self.groups), self.y.size} | (
            {self.weights.size} if self.weights is not None else set()
        )
        if len(lengths) != 1 or n == 0:
            raise SpecError(
                f"a training set needs as many clips as scores, groups and weights; got {sorted(lengths)}"
            )
        if self.y.ndim != 1 or (self.weights is not None and self.weights.ndim != 1):
            raise SpecError(f"scores and weights of a training set have one dimension; got scores of {self.y.shape}")
        if len(set(self.clips)) != n:
            raise SpecError("a clip stands twice in one training set")
        if not np.all(np.isfinite(self.y)):
            raise SpecError("a training set has scores that are not finite")
        if self.weights is not None and not (np.all(np.isfinite(self.weights)) and np.all(self.weights > 0)):
            raise SpecError("weights must be finite and above 0")

    def take(self, rows: Sequence[int]) -> TrainingSet:
        """Give some of the clips.

        Parameters
        ----------
        rows : sequence of int
            Which.

        Returns
        -------
        TrainingSet
            In that order.
        """
        index = [int(i) for i in rows]
        return TrainingSet(
            tuple(self.clips[i] for i in index),
            self.y[index],
            tuple(self.groups[i] for i in index),
            None if self.weights is None else self.weights[index],
        )

    def in_order(self) -> TrainingSet:
        """Sort the clips by id, so that what is learned does not depend on the order that they came in.

        Returns
        -------
        TrainingSet
            The same clips.
        """
        return self.take(sorted(range(len(self.clips)), key=lambda i: self.clips[i]))


class FittedPredictor(Protocol):
    """Says what score clips will have."""

    @property
    def name(self) -> str:
        """As on the command line."""
        ...

    @property
    def chosen(self) -> Mapping[str, float]:
        """The settings that were tuned, and what came out."""
        ...

    def predict(self, clips: Sequence[str], views: Views) -> FloatArray:
        """Predict the scores of clips.

        Parameters
        ----------
        clips : sequence of str
            Their ids.
        views : Views
            Asked for the clips themselves only, never for shifted copies.

        Returns
        -------
        ndarray of float64, shape (n_clips,)
            Finite; each as if the clip were alone.
        """
        ...

    def on_rows(self, rows: FloatArray) -> FloatArray:
        """Predict from rows of features, as they come from the views.

        Parameters
        ----------
        rows : ndarray of float64, shape (n_rows, n_features)
            In the order of the feature ids that it was fitted on; NaN where a feature has no value.

        Returns
        -------
        ndarray of float64, shape (n_rows,)
            One prediction for each row.

        Raises
        ------
        SpecError
            If it does not predict from features.
        """
        ...

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Give all that it needs to predict.

        Returns
        -------
        arrays : dict of str to ndarray
            Numbers only.
        about : dict
            The rest, as a JSON value.
        """
        ...


class Predictor(Protocol):
    """Learns from clips and scores; fitting returns a new object and changes nothing."""

    @property
    def name(self) -> str:
        """As on the command line, with every setting that is not the default."""
        ...

    def fit(
        self, clips: Sequence[str], y: FloatArray, groups: Sequence[str], weights: FloatArray | None, views: Views
    ) -> FittedPredictor:
        """Learn.

        Parameters
        ----------
        clips : sequence of str
            Their ids. Whatever is learned (ranges, scales, settings) is learned from these.
        y : ndarray of float64, shape (n_clips,)
            Their scores.
        groups : sequence of str
            Clips of one group never stand on two sides of a split, inner ones included.
        weights : ndarray of float64, shape (n_clips,), or None
            How much each score counts; None is all alike.
        views : Views
            Asked for these clips only.

        Returns
        -------
        FittedPredictor
            Equal training sets give equal predictors, whatever the order of the clips.

        Raises
        ------
        SpecError
            If the clips, scores, groups and weights do not make a :class:`TrainingSet`.
        """
        ...


def check_apart(train: Sequence[str], test: Sequence[str]) -> None:
    """Check that no group stands on both sides of a split.

    Parameters
    ----------
    train, test : sequence of str
        The groups of the clips on each side.

    Raises
    ------
    LeakageError
        If one does.
    """
    both = sorted(set(train) & set(test))
    if both:
        shown = ", ".join(both[:3]) + (" ..." if len(both) > 3 else "")
        raise LeakageError(
            f"{len(both)} group(s) stand on both sides of a split: {shown}; put all clips of a group into one fold"
        )
