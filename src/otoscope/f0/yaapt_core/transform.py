"""The lower part of a long, mostly empty Fourier transform.

A frame of some 800 samples has its spectrum read off at 8192 points, of which only the first thousand are wanted.
Every eighth point is a transform of 1024 points of the frame times a complex exponential; the frame being real,
five such transforms hold all eight sets. Each is 32 by 32 points, so that the inner loops run over 32 neighbours.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from otoscope.f0.yaapt_core.kernels import Kernel
from otoscope.f0.yaapt_core.settings import FFT_SIZE

__all__ = ["low_magnitudes"]

Floats = NDArray[np.float64]
_SIDE = 32
_POINTS = _SIDE * _SIDE
_SETS = FFT_SIZE // _POINTS
_TRANSFORMS = _SETS // 2 + 1


def low_magnitudes(rows: Floats, magnitudes: Floats) -> None:
    """Give the magnitudes of the first bins of a transform of 8192 points.

    Parameters
    ----------
    rows : ndarray of float64, shape (n_rows, n_samples)
        At most 8192 samples each; zeros follow.
    magnitudes : ndarray of float64, shape (n_rows, n_bins)
        At most 4097 bins; they are written.
    """
    rows = np.ascontiguousarray(rows)
    if rows.shape[1] > FFT_SIZE or magnitudes.shape[1] > FFT_SIZE // 2 + 1 or len(rows) != len(magnitudes):
        raise ValueError(f"{rows.shape} samples and {magnitudes.shape} bins; at most 8192 and 4097 fit")
    shift, turn, root = _tables(rows.shape[1])
    work = np.empty((2, _SIDE, 2 * _SIDE))
    _transform(rows, shift, turn, root, _ORDER, work, magnitudes)


@lru_cache(maxsize=8)
def _tables(n_samples: int) -> tuple[Floats, Floats, Floats]:
    """Give real and imaginary parts of the exponentials: by set and sample, by row and column, of the 32nd roots."""
    shift = np.outer(np.arange(_TRANSFORMS), np.arange(n_samples)) % FFT_SIZE / FFT_SIZE
    turn = np.outer(np.arange(_SIDE), np.arange(_SIDE)) / _POINTS
    root = np.arange(_SIDE // 2) / _SIDE
    parts = [np.stack([np.cos(2 * np.pi * part), -np.sin(2 * np.pi * part)]) for part in (shift, turn, root)]
    for part in parts:
        part.flags.writeable = False
    return parts[0], parts[1], parts[2]


_ORDER = np.array([int(f"{i:05b}"[::-1], 2) for i in range(_SIDE)], dtype=np.int64)


@Kernel
def _pairs(rows, root, half):  # noqa: ANN001, ANN202
    """Do one stage of a transform over the rows, for all columns at once."""
    size = rows.shape[0]
    step = size // (2 * half)
    for group in range(0, size, 2 * half):
        for j in range(half):
            c, s = root[0, j * step], root[1, j * step]
            one, other = rows[group + j], rows[group + j + half]
            for k in range(32):
                x, y = other[k], other[32 + k]
                p, q = x * c - y * s, x * s + y * c
                u, v = one[k], one[32 + k]
                one[k] = u + p
                one[32 + k] = v + q
                other[k] = u - p
                other[32 + k] = v - q


@Kernel
def _fours(rows, root, half):  # noqa: ANN001, ANN202
    """Do two stages at once."""
    size = rows.shape[0]
    step = size // (4 * half)
    for group in range(0, size, 4 * half):
        for j in range(half):
            c1, s1 = root[0, 2 * j * step], root[1, 2 * j * step]
            c2, s2 = root[0, j * step], root[1, j * step]
            first = group + j
            a, b, c, d = rows[first], rows[first + half], rows[first + 2 * half], rows[first + 3 * half]
            for k in range(32):
                bx, by = b[k] * c1 - b[32 + k] * s1, b[k] * s1 + b[32 + k] * c1
                dx, dy = d[k] * c1 - d[32 + k] * s1, d[k] * s1 + d[32 + k] * c1
                px, py = a[k] + bx, a[32 + k] + by
                qx, qy = a[k] - bx, a[32 + k] - by
                ex, ey = c[k] + dx, c[32 + k] + dy
                fx, fy = c[k] - dx, c[32 + k] - dy
                gx, gy = ex * c2 - ey * s2, ex * s2 + ey * c2
                # A quarter turn on: times -i.
                hx, hy = fx * s2 + fy * c2, fy * s2 - fx * c2
                a[k] = px + gx
                a[32 + k] = py + gy
                c[k] = px - gx
                c[32 + k] = py - gy
                b[k] = qx + hx
                b[32 + k] = qy + hy
                d[k] = qx - hx
                d[32 + k] = qy - hy


@Kernel
def _load(samples, cosines, sines, order, rows):  # noqa: ANN001, ANN202
    """Multiply the samples by an exponential and lay them out, folded to 1024 points."""
    n = samples.size
    for n1 in range(32):
        row = rows[order[n1]]
        start = 32 * n1
        here, c, s = samples[start : start + 32], cosines[start : start + 32], sines[start : start + 32]
        if here.size == 32:
            for k in range(32):
                row[k] = here[k] * c[k]
                row[32 + k] = here[k] * s[k]
        else:
            for k in range(64):
                row[k] = 0.0
            for k in range(here.size):
                row[k] = here[k] * c[k]
                row[32 + k] = here[k] * s[k]
    for at in range(1024, n):
        row, k = rows[order[at // 32 % 32]], at % 32
        row[k] += samples[at] * cosines[at]
        row[32 + k] += samples[at] * sines[at]


@Kernel
def _turn(rows, turn, order, turned):  # noqa: ANN001, ANN202
    """Go from rows to columns."""
    for n2 in range(32):
        row, c, s = turned[order[n2]], turn[0, n2], turn[1, n2]
        for k in range(32):
            x, y = rows[k, n2], rows[k, 32 + n2]
            row[k] = x * c[k] - y * s[k]
            row[32 + k] = x * s[k] + y * c[k]


@Kernel
def _transform(rows, shift, turn, root, order, work, magnitudes):  # noqa: ANN001, ANN202
    n_bins = magnitudes.shape[1]
    cosines, sines = shift[0], shift[1]
    last = cosines.shape[0] - 1
    sets = 2 * last
    one, other = work[0], work[1]
    lengths = np.empty(32)
    for row in range(rows.shape[0]):
        found = magnitudes[row]
        for b in range(last + 1):
            _load(rows[row], cosines[b], sines[b], order, one)
            _fours(one, root, 1)
            _fours(one, root, 4)
            _pairs(one, root, 16)
            _turn(one, turn, order, other)
            _fours(other, root, 1)
            _fours(other, root, 4)
            _pairs(other, root, 16)
            above = (n_bins - b + sets - 1) // sets
            below = (n_bins + b - 1) // sets if 0 < b < last else 0
            for k2 in range(32):
                first = 32 * k2
                if first >= above and first + 32 <= 1024 - below:
                    continue
                line = other[k2]
                for k in range(32):
                    lengths[k] = np.sqrt(line[k] * line[k] + line[32 + k] * line[32 + k])
                for k in range(min(32, above - first)):
                    found[sets * (first + k) + b] = lengths[k]
                for k in range(max(0, 1024 - below - first), 32):
                    found[sets * (1024 - first - k) - b] = lengths[k]
