"""How well predicted scores fit true ones: correlation of ranks, errors, pairs put in the right order.

Ties share their average rank. What does not vary has no correlation: it raises, it is not 0. Weights say how often
each track stands in a sample; a row of weights gives what the sample itself would give.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError, UndefinedMetricError

__all__ = [
    "average_ranks",
    "half_width",
    "mae",
    "mse",
    "pair_accuracy",
    "pairs_won",
    "pearson",
    "rmse",
    "skill",
    "spearman",
    "weighted_correlation",
    "weighted_quantile",
    "weighted_ranks",
]

Floats = NDArray[np.float64]

_BLOCK = 2_000_000  # numbers held at once


def _checked(truth: Floats, predicted: Floats, least: int) -> tuple[Floats, Floats]:
    one, other = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if one.ndim != 1 or one.shape != other.shape:
        raise SpecError(f"truth has shape {one.shape} and prediction {other.shape}; two equal lengths are needed")
    if not (np.all(np.isfinite(one)) and np.all(np.isfinite(other))):
        raise SpecError("truth and prediction must be finite; leave tracks without a score out")
    if one.size < least:
        raise UndefinedMetricError(f"there are {one.size} track(s); at least {least} are needed")
    return one, other


def _by_level(values: Floats, weights: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Add the weights of equal values up; also say which of the levels, from the least, each value is."""
    levels, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(levels.size))
    return np.add.reduceat(weights[:, order], starts, axis=1), place


def average_ranks(values: Floats) -> Floats:
    """Rank numbers; equal ones share the average of their ranks.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Finite numbers.

    Returns
    -------
    ndarray of float64, shape (n,)
        From 1 to n.

    Examples
    --------
    >>> average_ranks(np.array([0.3, 0.1, 0.3, 0.9])).tolist()
    [2.5, 1.0, 2.5, 4.0]
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def pearson(truth: Floats, predicted: Floats) -> float:
    """Correlate.

    Parameters
    ----------
    truth, predicted : ndarray of float64, shape (n_tracks,)
        Finite numbers.

    Returns
    -------
    float
        From -1 to 1.

    Raises
    ------
    UndefinedMetricError
        If either does not vary, or there are fewer than two tracks.
    SpecError
        If the shapes differ or a number is not finite.
    """
    one, other = _checked(truth, predicted, 2)
    for name, values in (("the truth", one), ("the prediction", other)):
        if np.ptp(values) == 0:
            raise UndefinedMetricError(f"{name} is the same for all {values.size} tracks, so nothing can be ordered")
    one, other = (one - one.mean()) / np.ptp(one), (other - other.mean()) / np.ptp(other)
    return float(np.clip((one @ other) / np.sqrt((one @ one) * (other @ other)), -1.0, 1.0))


def spearman(truth: Floats, predicted: Floats) -> float:
    """Correlate the ranks.

    Parameters
    ----------
    truth, predicted : ndarray of float64, shape (n_tracks,)
        Finite numbers; ties share their average rank.

    Returns
    -------
    float
        From -1 to 1.

    Raises
    ------
    UndefinedMetricError
        If either does not vary, or there are fewer than two tracks.
    SpecError
        If the shapes differ or a number is not finite.

    Examples
    --------
    >>> round(spearman(np.array([0.1, 0.5, 0.4, 0.9]), np.array([1.0, 2.0, 3.0, 40.0])), 3)
    0.8
    """
    one, other = _checked(truth, predicted, 2)
    return pearson(average_ranks(one), average_ranks(other))


def mse(truth: Floats, predicted: Floats) -> float:
    """Average the squared errors.

    Parameters
    ----------
    truth, predicted : ndarray of float64, shape (n_tracks,)
        Finite numbers.

    Returns
    -------
    float
        In squared units of the score.

    Raises
    ------
    UndefinedMetricError
        If there are no tracks.
    """
    one, other = _checked(truth, predicted, 1)
    return float(np.mean(np.square(other - one)))


def rmse(truth: Floats, predicted: Floats) -> float:
    """Give the root of the mean squared error.

    Parameters
    ----------
    truth, predicted : ndarray of float64, shape (n_tracks,)
        Finite numbers.

    Returns
    -------
    float
        In units of the score.

    Raises
    ------
    UndefinedMetricError
        If there are no tracks.
    """
    return float(np.sqrt(mse(truth, predicted)))


def mae(truth: Floats, predicted: Floats) -> float:
    """Average the absolute errors.

    Parameters
    ----------
    truth, predicted : ndarray of float64, shape (n_tracks,)
        Finite numbers.

    Returns
    -------
    float
        In units of the score.

    Raises
    ------
    UndefinedMetricError
        If there are no tracks.
    """
    one, other = _checked(truth, predicted, 1)
    return float(np.mean(np.abs(other - one)))


def half_width(truth: Floats, predicted: Floats, *, level: float = 0.9) -> float:
    """Give the error that a share of the tracks stays within.

    Parameters
    ----------
    truth, predicted : ndarray of float64, shape (n_tracks,)
        Finite numbers.
    level : float, between 0 and 1
        The share.

    Returns
    -------
    float
        The smallest absolute error that at least this share of the tracks does not exceed.

    Raises
    ------
    UndefinedMetricError
        If there are no tracks.
    """
    one, other = _checked(truth, predicted, 1)
    return float(weighted_quantile(np.abs(other - one), np.ones((1, one.size)), level)[0])


def skill(truth: Floats, predicted: Floats, baseline: Floats) -> float:
    """Say how much of a baseline's squared error is gone.

    Parameters
    ----------
    truth, predicted : ndarray of float64, shape (n_tracks,)
        Finite numbers.
    baseline : ndarray of float64, shape (n_tracks,)
        What one would say without looking: the mean score of the tracks that the prediction learned from.

    Returns
    -------
    float
        1 is perfect, 0 as good as the baseline, below 0 worse.

    Raises
    ------
    UndefinedMetricError
        If there are no tracks, or the baseline makes no error.
    """
    error = mse(truth, baseline)
    if error == 0:
        raise UndefinedMetricError("the baseline makes no error that could be made smaller")
    return 1 - mse(truth, predicted) / error


def pairs_won(truth: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Give the share of pairs put in the right order in each sample that the weights describe.

    Parameters
    ----------
    truth : ndarray of float64, shape (n_tracks,)
        Finite numbers.
    predicted : ndarray of float64, shape (n_predictions, n_tracks)
        The share is averaged over them.
    weights : ndarray of float64, shape (n_samples, n_tracks)
        How often each track stands in each sample.

    Returns
    -------
    ndarray of float64, shape (n_samples,)
        NaN where no two tracks of a sample differ in truth.
    """
    n = truth.size
    at_level, _ = _by_level(truth, weights)
    pairs = weights.sum(axis=1) ** 2 - np.square(at_level).sum(axis=1)
    surplus = np.zeros(weights.shape[0])  # pairs in the right order less those in the wrong one
    step = max(1, _BLOCK // n)
    for start in range(0, n, step):
        block = slice(start, start + step)
        sign = np.sign(truth[block, None] - truth[None, :])
        agreed = np.mean([sign * np.sign(each[block, None] - each[None, :]) for each in predicted], axis=0)
        surplus += (weights[:, block] * (weights @ agreed.T)).sum(axis=1)
    there = pairs > 0
    return np.where(there, 0.5 + 0.5 * surplus / np.where(there, pairs, 1.0), np.nan)


def pair_accuracy(truth: Floats, predicted: Floats) -> float:
    """Give the share of pairs of tracks that are put in the right order.

    Parameters
    ----------
    truth, predicted : ndarray of float64, shape (n_tracks,)
        Finite numbers. Only pairs of different truth count; a pair that is predicted equal counts half.

    Returns
    -------
    float
        From 0 to 1; 0.5 is chance.

    Raises
    ------
    UndefinedMetricError
        If no two tracks differ in truth.

    Notes
    -----
    It is the concordance index, and (1 + Somers' D) / 2 of the prediction given the truth.

    Examples
    --------
    >>> pair_accuracy(np.array([1.0, 2.0, 3.0]), np.array([0.2, 0.1, 0.4])).__round__(3)
    0.667
    """
    one, other = _checked(truth, predicted, 2)
    share = float(pairs_won(one, other[None, :], np.ones((1, one.size)))[0])
    if np.isnan(share):
        raise UndefinedMetricError(f"the truth is the same for all {one.size} tracks, so nothing can be ordered")
    return share


def weighted_ranks(values: Floats, weights: Floats) -> Floats:
    """Rank each sample that the weights describe.

    Parameters
    ----------
    values : ndarray of float64, shape (n_tracks,)
        Finite numbers.
    weights : ndarray of float64, shape (n_samples, n_tracks)
        How often each track stands in each sample.

    Returns
    -------
    ndarray of float64, shape (n_samples, n_tracks)
        The average rank that a track's value has in the sample, as :func:`average_ranks` gives it with every track
        written as often as it was drawn.

    Examples
    --------
    >>> weighted_ranks(np.array([5.0, 7.0]), np.array([[1.0, 1.0], [3.0, 1.0]])).tolist()
    [[1.0, 2.0], [2.0, 4.0]]
    """
    at_level, place = _by_level(values, weights)
    ranks = np.cumsum(at_level, axis=1) - (at_level - 1) / 2
    return ranks[:, place]


def weighted_correlation(one: Floats, other: Floats, weights: Floats) -> Floats:
    """Correlate within each sample that the weights describe.

    Parameters
    ----------
    one, other : ndarray of float64, shape (n_samples, n_tracks)
        Numbers of each sample, or ranks from :func:`weighted_ranks`.
    weights : ndarray of float64, shape (n_samples, n_tracks)
        How often each track stands in each sample.

    Returns
    -------
    ndarray of float64, shape (n_samples,)
        NaN where a sample holds only one value of either.
    """
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1.0)
    drawn = weights > 0
    varies = np.ones(weights.shape[0], dtype=np.bool_)
    centred: list[Floats] = []
    for values in (one, other):
        spread = np.where(drawn, values, -np.inf).max(axis=1) - np.where(drawn, values, np.inf).min(axis=1)
        varies &= spread > 0
        scale = np.where(spread > 0, spread, 1.0)[:, None]
        mean = (weights * values).sum(axis=1, keepdims=True) / total
        centred.append((values - mean) / scale)
    a, b = centred
    above = (weights * a * b).sum(axis=1)
    below = np.sqrt((weights * a * a).sum(axis=1) * (weights * b * b).sum(axis=1))
    return np.where(varies, np.clip(above / np.where(varies, below, 1.0), -1.0, 1.0), np.nan)


def weighted_quantile(values: Floats, weights: Floats, level: float) -> Floats:
    """Give the smallest value that a share of each sample does not exceed.

    Parameters
    ----------
    values : ndarray of float64, shape (n_tracks,)
        Finite numbers.
    weights : ndarray of float64, shape (n_samples, n_tracks)
        How often each track stands in each sample; each sample holds at least one.
    level : float, between 0 and 1
        The share.

    Returns
    -------
    ndarray of float64, shape (n_samples,)
        Each is one of the sample's own values: nothing is interpolated.
    """
    if not 0 < level < 1:
        raise SpecError(f"level is {level}; it lies between 0 and 1")
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[:, order], axis=1)
    enough = reached >= level * reached[:, -1:] * (1 - 1e-12)
    return values[order][np.argmax(enough, axis=1)]
