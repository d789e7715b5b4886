"""How sequences of frames change, divide and come back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["boundaries", "comeback", "flux", "lag_similarity", "side_by_side", "trend"]

_LAGS_S = (0.3, 2.5)

FloatArray = NDArray[np.float64]


def boundaries(bands: FloatArray, side: int) -> FloatArray:
    """Compare what comes before each moment with what comes after.

    Parameters
    ----------
    bands : ndarray of float64, shape (n_bands, n_frames)
        What is compared.
    side : int, frames
        How much of it on each side; at most half of all.

    Returns
    -------
    ndarray of float64, shape (n_frames - 2 * side + 1,)
        Root mean square over bands of the difference of the means.

    Examples
    --------
    >>> boundaries(np.array([[0.0, 0.0, 0.0, 4.0, 4.0, 4.0]]), 2).tolist()
    [2.0, 4.0, 2.0]
    """
    summed = np.concatenate([np.zeros((len(bands), 1)), np.cumsum(bands, axis=1)], axis=1)
    means = (summed[:, side:] - summed[:, :-side]) / side
    return np.sqrt(np.square(means[:, side:] - means[:, :-side]).mean(axis=0))


def comeback(lags_s: FloatArray, similarity: FloatArray) -> tuple[float, float]:
    """Say how much a sequence comes back to itself after it has gone away.

    Parameters
    ----------
    lags_s : ndarray of float64, shape (n_lags,), seconds
        Increasing.
    similarity : ndarray of float64, shape (n_lags,)
        At each lag.

    Returns
    -------
    rise : float
        The greatest rise of the similarity from any lag to a longer one; 0 where it only falls, NaN without lags.
    lag_s : float, seconds
        The longer of the two lags; NaN where there is no rise.

    Examples
    --------
    >>> comeback(np.array([0.5, 1.0, 1.5, 2.0]), np.array([0.75, 0.25, 0.5, 0.375]))
    (0.25, 1.5)
    """
    if not similarity.size:
        return np.nan, np.nan
    rise = similarity - np.minimum.accumulate(similarity)
    best = int(rise.argmax())
    return float(rise[best]), float(lags_s[best]) if rise[best] > 0 else np.nan


def flux(mel_power: NDArray[np.floating], weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Say how much each frame differs in colour from the one before.

    Parameters
    ----------
    mel_power : ndarray of float, shape (n_bands, n_frames)
        Power in bands.
    weights : ndarray of float64, shape (n_frames,)
        How much each frame counts.

    Returns
    -------
    moved : ndarray of float64, shape (n_frames - 1,)
        Distance between the amplitude vectors brought to length 1: 0 for the same colour at any level, the root of 2
        for sounds that share no band.
    pairs : ndarray of float64, shape (n_frames - 1,)
        How much each pair counts.

    Examples
    --------
    >>> moved, _ = flux(np.array([[1.0, 4.0, 0.0], [0.0, 0.0, 1.0]]), np.ones(3))
    >>> moved.round(3).tolist()
    [0.0, 1.414]
    """
    amplitude = np.sqrt(mel_power.astype(np.float64))
    length = np.sqrt(mel_power.sum(axis=0, dtype=np.float64))
    unit = np.divide(amplitude, length, out=np.full(amplitude.shape, np.nan), where=length > 0)
    squared = np.square(unit[:, 1:] - unit[:, :-1]).sum(axis=0)
    return np.sqrt(np.asarray(squared, dtype=np.float64)), np.sqrt(weights[1:] * weights[:-1])


def lag_similarity(frames: FloatArray, frame_s: float) -> tuple[FloatArray, FloatArray]:
    """Say how like itself a sequence is after each lag.

    Parameters
    ----------
    frames : ndarray of float64, shape (n_dims, n_frames)
        Without their mean; frames of length 0 count as unlike all others.
    frame_s : float, seconds
        From one frame to the next.

    Returns
    -------
    lags_s : ndarray of float64, shape (n_lags,), seconds
        From 0.3 to 2.5 s, at most half the sequence; none where nothing in it changes.
    similarity : ndarray of float64, shape (n_lags,)
        Mean cosine of frames that far apart.

    Examples
    --------
    >>> lags_s, similarity = lag_similarity(np.tile([[1.0, 1.0, -1.0, -1.0]], 5), 0.25)
    >>> lags_s.tolist()[:4], similarity.tolist()[:3]
    ([0.5, 0.75, 1.0, 1.25], [-1.0, -0.058823529411764705, 1.0])
    """
    length = np.sqrt(np.square(frames).sum(axis=0))
    n = frames.shape[1]
    lags = np.arange(int(np.ceil(_LAGS_S[0] / frame_s)), min(int(_LAGS_S[1] / frame_s), n // 2) + 1)
    if not length.max(initial=0.0) > 0:
        lags = lags[:0]
    unit = np.divide(frames, length, out=np.zeros(frames.shape), where=length > 0)
    similarity = [(unit[:, lag:] * unit[:, :-lag]).sum() / (n - lag) for lag in lags]
    return np.asarray(lags * frame_s, dtype=np.float64), np.asarray(similarity, dtype=np.float64)


def side_by_side(*parts: FloatArray) -> FloatArray:
    """Put descriptions of the same frames side by side, so that each counts alike.

    Parameters
    ----------
    *parts : ndarray of float64, shape (n_dims, n_frames)
        NaN counts as the mean; what is longer than the shortest is cut.

    Returns
    -------
    ndarray of float64, shape (n_all_dims, n_frames)
        Each part without its mean over time and with a sum of squares of 1; all 0 where it does not change by more
        than 1e-4 of its size.
    """
    scaled = []
    for part in parts:
        known = np.isfinite(part)
        centred = np.where(known, part - np.nanmean(part, axis=1, keepdims=True), 0.0)
        scale = np.sqrt(np.square(centred).sum())
        # What does not change but for rounding has no variance to be made equal.
        still = scale <= 1e-4 * np.sqrt(np.square(np.where(known, part, 0.0)).sum())
        scaled.append(np.zeros(part.shape) if still else centred / scale)
    n = min(part.shape[1] for part in scaled)
    return np.concatenate([part[:, :n] for part in scaled])


def trend(values: FloatArray, weights: FloatArray, frame_s: float) -> float:
    """Fit a straight line.

    Parameters
    ----------
    values : ndarray of float64, shape (n_frames,)
        A frame that is NaN is left out.
    weights : ndarray of float64, shape (n_frames,)
        How much each frame counts.
    frame_s : float, seconds
        From one frame to the next.

    Returns
    -------
    float
        Slope a second, by weighted least squares; NaN where fewer than two frames count.

    Examples
    --------
    >>> trend(np.array([1.0, 2.0, np.nan, 4.0]), np.ones(4), 0.5)
    2.0
    """
    counted = np.where(np.isfinite(values), weights, 0.0)
    numbers = np.where(counted > 0, values, 0.0)
    seconds = np.arange(values.size) * frame_s
    seconds -= (counted * seconds).sum() / counted.sum()
    spread = (counted * np.square(seconds)).sum()
    return float((counted * seconds * numbers).sum() / spread) if spread > 0 else float("nan")
