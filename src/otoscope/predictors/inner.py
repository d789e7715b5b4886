"""Choosing settings inside a training set: folds that divide no group, and one thread."""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from otoscope.predictors.rows import Aggregate, aggregated

__all__ = ["MIN_GROUPS", "N_INNER_FOLDS", "held_out_predictions", "inner_folds", "single_thread"]

FloatArray = NDArray[np.float64]
N_INNER_FOLDS = 5
MIN_GROUPS = 10
"""With fewer groups nothing is chosen: settings stay at their defaults."""

FitAndPredict = Callable[[NDArray[np.intp], NDArray[np.intp]], FloatArray]


def inner_folds(groups: Sequence[str], *, seed: int, n_folds: int = N_INNER_FOLDS) -> NDArray[np.intp] | None:
    """Put clips into folds that divide no group.

    The largest groups are dealt first, equal ones in the order of their hashes, each to the fold that has the fewest
    clips. So the folds depend on the names and sizes of the groups only, not on the order of the clips.

    Parameters
    ----------
    groups : sequence of str
        Of each clip.
    seed : int
        Another one gives other folds.
    n_folds : int
        How many.

    Returns
    -------
    ndarray of int, shape (n_clips,), or None
        The fold of each clip; None where there are fewer than :data:`MIN_GROUPS` groups.

    Examples
    --------
    >>> folds = inner_folds([f"song {i // 2}" for i in range(40)], seed=0)
    >>> np.bincount(folds).tolist()
    [8, 8, 8, 8, 8]
    """
    sizes = Counter(groups)
    if len(sizes) < MIN_GROUPS:
        return None
    filled = [0] * n_folds
    fold_of: dict[str, int] = {}
    for group in sorted(sizes, key=lambda name: (-sizes[name], hashlib.sha256(f"{seed}\0{name}".encode()).digest())):
        fold = filled.index(min(filled))
        fold_of[group] = fold
        filled[fold] += sizes[group]
    return np.asarray([fold_of[group] for group in groups], dtype=np.intp)


def held_out_predictions(
    folds: NDArray[np.intp],
    clip: NDArray[np.intp],
    plain: NDArray[np.bool_],
    aggregate: Aggregate,
    fit_and_predict: FitAndPredict,
) -> FloatArray:
    """Predict every clip from the other folds, by every candidate.

    Parameters
    ----------
    folds : ndarray of int, shape (n_clips,)
        From :func:`inner_folds`.
    clip : ndarray of int, shape (n_rows,)
        The clip of each row.
    plain : ndarray of bool, shape (n_rows,)
        Copies are fitted on and never predicted.
    aggregate : {"mean", "max"}
        Brings the predictions of a clip's rows together.
    fit_and_predict : callable
        Takes the rows to fit on and the rows to predict, as indices; gives predictions of shape
        (n_predicted, n_candidates).

    Returns
    -------
    ndarray of float64, shape (n_clips, n_candidates)
        Each from a fit that saw no clip of its group.
    """
    n_clips = folds.size
    result: FloatArray | None = None
    for fold in np.unique(folds):
        held = folds[clip] == fold
        tested = np.flatnonzero(held & plain)
        predicted = fit_and_predict(np.flatnonzero(~held), tested)
        members, position = np.unique(clip[tested], return_inverse=True)
        if result is None:
            result = np.empty((n_clips, predicted.shape[1]))
        result[members] = aggregated(predicted, position, members.size, aggregate)
    assert result is not None
    return result


@contextlib.contextmanager
def single_thread() -> Iterator[None]:
    """Hold linear algebra to one thread: callers run one process for each core.

    Yields
    ------
    None
        The limits that held before come back after the block.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield
