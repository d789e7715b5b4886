"""Whether a clip is unlike all clips that a model was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Surroundings", "middle_of", "percentile_of"]

NEIGHBOURS = 5
WARN_ABOVE = 99.0  # per cent of the training clips
FAR = 4.0  # robust standard deviations that one feature counts at most


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """The training clips as points, and how far they lie from each other.

    Features are brought to their median and their interquartile range (divided by 1.349, so that it is a standard
    deviation in a normal distribution) and cut off at 4; what has no value lies at the median. The distance of two
    clips is the root mean square over features; a clip's distance is the mean to its five nearest training clips.

    Parameters
    ----------
    middle, spread : ndarray of float64, shape (n_features,)
        Of each feature; a spread of 0 is a feature that does not count.
    points : ndarray of float64, shape (n_clips, n_features)
        The training clips.
    distances : ndarray of float64, shape (n_clips,)
        Of each training clip from the others; increasing.
    """

    middle: NDArray[np.float64]
    spread: NDArray[np.float64]
    points: NDArray[np.float64]
    distances: NDArray[np.float64]

    @classmethod
    def of(cls, features: NDArray[np.float64]) -> Surroundings:
        """Learn from training clips.

        Parameters
        ----------
        features : ndarray of float64, shape (n_clips, n_features)
            NaN where one has no value.

        Returns
        -------
        Surroundings
            Of these clips.
        """
        there = np.isfinite(features).sum(axis=0) >= 2
        filled = np.where(np.isfinite(features), features, 0.0)
        middle, spread = np.zeros(features.shape[1]), np.zeros(features.shape[1])
        if there.any():
            low, half, high = np.nanquantile(features[:, there], [0.25, 0.5, 0.75], axis=0)
            middle[there], spread[there] = half, (high - low) / 1.349
        spread = np.where(spread > 1e-12 * np.maximum(1.0, np.abs(filled).max(axis=0)), spread, 0.0)
        bare = cls(middle, spread, np.empty((0, features.shape[1])), np.empty(0))
        points = bare.place(features)
        return cls(middle, spread, points, np.sort(_nearest(points, points, skip=1)))

    def place(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring features to the scale of the training clips.

        Parameters
        ----------
        features : ndarray of float64, shape (n_clips, n_features)
            As they were computed.

        Returns
        -------
        ndarray of float64, shape (n_clips, n_features)
            From -4 to 4.
        """
        counts = self.spread > 0
        z = np.zeros(features.shape)
        z[:, counts] = (features[:, counts] - self.middle[counts]) / self.spread[counts]
        return np.clip(np.where(np.isfinite(z), z, 0.0), -FAR, FAR)

    def rank(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Say how unlike the training clips some clips are.

        Parameters
        ----------
        features : ndarray of float64, shape (n_clips, n_features)
            Of the clips.

        Returns
        -------
        ndarray of float64, shape (n_clips,), per cent
            Share of the training clips that lie nearer to the others; above 99 a clip is unlike them.
        """
        return percentile_of(_nearest(self.place(features), self.points, skip=0), self.distances)


def _nearest(points: NDArray[np.float64], others: NDArray[np.float64], *, skip: int) -> NDArray[np.float64]:
    from scipy.spatial.distance import cdist

    table = np.sort(cdist(points, others), axis=1)[:, skip : skip + NEIGHBOURS]
    if table.shape[1] == 0:
        return np.zeros(len(points))
    return table.mean(axis=1) / np.sqrt(max(1, points.shape[1]))


def percentile_of(values: NDArray[np.float64], among: NDArray[np.float64]) -> NDArray[np.float64]:
    """Say which share of some numbers lies below each value, ties counted half.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        NaN gives NaN.
    among : ndarray of float64, shape (m,)
        The numbers; NaN is left out.

    Returns
    -------
    ndarray of float64, shape (n,), per cent
        NaN where there is nothing to compare with.
    """
    ordered = np.sort(among[np.isfinite(among)])
    if ordered.size == 0:
        return np.full(values.shape, np.nan)
    below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    return np.where(np.isnan(values), np.nan, 50.0 * below / ordered.size)


def middle_of(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the median over segments of every feature.

    Parameters
    ----------
    rows : ndarray of float64, shape (n_segments, n_features)
        NaN where one has no value.

    Returns
    -------
    ndarray of float64, shape (n_features,)
        NaN where no segment has a value.
    """
    result = np.full(rows.shape[1], np.nan)
    there = np.isfinite(rows).any(axis=0)
    if there.any():
        result[there] = np.nanmedian(rows[:, there], axis=0)
    return result
