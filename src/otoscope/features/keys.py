"""How well notes fit the major and minor keys and chords."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["key_fit", "triad_fit"]

# Probe-tone ratings of the 12 pitch classes above the tonic; Krumhansl and Kessler 1982.
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)

FloatArray = NDArray[np.float64]


def key_fit(chroma: NDArray[np.floating]) -> tuple[float, float, float]:
    """Compare the notes of a clip with the profiles of the 24 keys.

    Parameters
    ----------
    chroma : ndarray of float, shape (12,)
        Strength of the pitch classes from C.

    Returns
    -------
    clarity : float
        The greatest correlation with a key; NaN where all classes are alike.
    lead : float
        What it has above the best key on another tonic.
    major_minor : float
        The best major minus the best minor correlation.

    References
    ----------
    .. [1] C. L. Krumhansl and E. J. Kessler, "Tracing the dynamic changes in perceived tonal organization in a
       spatial representation of musical keys", Psychological Review 89(4), 1982. The ratings are theirs.

    Examples
    --------
    >>> c_major = np.isin(np.arange(12), [0, 2, 4, 5, 7, 9, 11]).astype(float)
    >>> key_fit(c_major)[2] > 0
    True
    """
    centred = chroma - np.mean(chroma)
    length = np.sqrt(np.sum(np.square(centred)))
    if not length > 1e-9 * np.abs(chroma).max(initial=0.0):
        return np.nan, np.nan, np.nan
    major, minor = (_turned(profile) @ (centred / length) for profile in (_MAJOR, _MINOR))
    by_tonic = np.maximum(major, minor)
    first, second = np.sort(by_tonic)[:-3:-1]
    return float(first), float(first - second), float(major.max() - minor.max())


def triad_fit(chroma: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Compare each frame with the major and the minor triads.

    Parameters
    ----------
    chroma : ndarray of float64, shape (12, n_frames)
        Strength of the pitch classes from C.

    Returns
    -------
    major, minor : ndarray of float64, shape (n_frames,)
        The greatest cosine with one of the 12.

    Examples
    --------
    >>> chord = np.zeros((12, 1))
    >>> chord[[9, 0, 4]] = 1.0
    >>> [round(float(fit[0]), 3) for fit in triad_fit(chord)]
    [0.667, 1.0]
    """
    length = np.sqrt(3 * np.square(chroma).sum(axis=0))
    fits = []
    for third in (4, 3):
        roots = np.arange(12)[:, None]
        notes = chroma[(roots + np.array([0, third, 7])) % 12]
        fits.append((notes.sum(axis=1) / length).max(axis=0))
    return fits[0], fits[1]


def _turned(profile: tuple[float, ...]) -> FloatArray:
    """Give a profile in all 12 keys, each without mean and of length 1, shape (12, 12)."""
    centred = np.asarray(profile) - np.mean(profile)
    unit = centred / np.sqrt(np.sum(np.square(centred)))
    return np.stack([np.roll(unit, tonic) for tonic in range(12)])
