"""Fits over folds, in processes that each use one core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.engine.local import in_parallel, one_thread
from otoscope.evaluation.folds import Fold, check_fold
from otoscope.predictors.base import FittedPredictor, Predictor, Views
from otoscope.studies.progress import Progress, Quiet

__all__ = ["Dataset", "Outcome", "Task", "fit_all", "weights_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Clips and their scores, under ids that come from what is heard.

    Parameters
    ----------
    tracks : tuple of str
        As people know them.
    ids : tuple of str
        From the sound: other file names, same ids.
    groups : tuple of str
        The least id of each clip's group.
    y : ndarray of float64, shape (n_tracks,)
        Scores.
    counts : ndarray of float64, shape (n_tracks,), or None
        Responses behind each score, where scores count by them.
    """

    tracks: tuple[str, ...]
    ids: tuple[str, ...]
    groups: tuple[str, ...]
    y: NDArray[np.float64]
    counts: NDArray[np.float64] | None

    def take(self, rows: Sequence[int]) -> Dataset:
        """Give some of the clips.

        Parameters
        ----------
        rows : sequence of int
            Which.

        Returns
        -------
        Dataset
            In that order.
        """
        index = list(rows)
        return Dataset(
            tuple(self.tracks[i] for i in index),
            tuple(self.ids[i] for i in index),
            tuple(self.groups[i] for i in index),
            self.y[index],
            None if self.counts is None else self.counts[index],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One fit and its test.

    Parameters
    ----------
    model : str
        The name that its results go by.
    predictor : Predictor
        What is fitted.
    fold : Fold
        On which rows, and which are tested.
    keep : bool
        Whether the fitted predictor is handed back.
    """

    model: str
    predictor: Predictor
    fold: Fold
    keep: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of a task.

    Parameters
    ----------
    task : int
        Its place in the list of tasks.
    predicted : ndarray of float64, shape (n_test,)
        For the rows of ``fold.test``.
    fitted : FittedPredictor or None
        Where it was to be kept.
    """

    task: int
    predicted: NDArray[np.float64]
    fitted: FittedPredictor | None


def weights_of(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weigh the scores of training clips by the responses behind them.

    A score of n responses weighs n / (n + m), m the median of n, and the mean weight is 1: many more responses help
    less than in proportion, because the listeners' noise is only a part of what a model misses.

    Parameters
    ----------
    counts : ndarray of float64, shape (n_clips,)
        Responses; of the training clips only, so that those of a tested clip have no say.

    Returns
    -------
    ndarray of float64, shape (n_clips,)
        Above 0.
    """
    weights = counts / (counts + np.median(counts))
    return weights / weights.mean()


_views: Views | None = None
_data: Dataset | None = None


def _begin(views: Views, data: Dataset) -> None:
    global _views, _data
    one_thread()
    _views, _data = views, data


def _do(job: tuple[int, Task]) -> Outcome:
    assert _views is not None
    assert _data is not None
    return _fit(*job, _views, _data)


def _fit(number: int, task: Task, views: Views, data: Dataset) -> Outcome:
    train, test = task.fold.train, task.fold.test
    fitted = task.predictor.fit(
        [data.ids[i] for i in train],
        data.y[train],
        [data.groups[i] for i in train],
        None if data.counts is None else weights_of(data.counts[train]),
        views,
    )
    predicted = fitted.predict([data.ids[i] for i in test], views) if test.size else np.empty(0)
    return Outcome(number, np.asarray(predicted, dtype=np.float64), fitted if task.keep else None)


def fit_all(
    tasks: Sequence[Task],
    data: Dataset,
    views: Views,
    *,
    processes: int | None = None,
    progress: Progress | None = None,
    guard: bool = True,
) -> list[Outcome]:
    """Fit and test, as many at a time as there are cores.

    Parameters
    ----------
    tasks : sequence of Task
        What to do.
    data : Dataset
        Clips and scores.
    views : Views
        Of the clips, prepared.
    processes : int, optional
        How many; as many as there are cores without it, 1 for none but this one.
    progress : Progress, optional
        Is told of every fit.
    guard : bool
        Whether a group on both sides of a fold is refused; only the reference's protocol does without.

    Returns
    -------
    list of Outcome
        In the order of the tasks.

    Raises
    ------
    LeakageError
        If a group stands on both sides of a fold.
    """
    progress = progress or Quiet()
    for task in tasks:
        if guard and task.fold.test.size:
            check_fold(task.fold, data.groups)
    progress.begin("fitting", len(tasks))
    outcomes: list[Outcome] = []
    for outcome in in_parallel(
        _do,
        list(enumerate(tasks)),
        processes,
        begin=_begin,
        given=(views, data),
        alone=lambda job: _fit(*job, views, data),
    ):
        outcomes.append(outcome)
        progress.advance()
    return sorted(outcomes, key=lambda outcome: outcome.task)
