"""Additive statistics of states and targets.

All that a linear probe, and its score, needs of a set of frames is ``Z'Z`` of the rows ``z = [1, x - shift, y]``.
Such matrices add up: what is solved from merged moments is what the same solver says on the stacked frames.

The sums are float64 around a fixed shift, so that a dimension far from zero does not eat the digits of its variance.
Moments with different shifts do not add; :meth:`Moments.rebase` moves them, when one asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import MergeError, SpecError

__all__ = ["BLOCK_ROWS", "Centered", "MomentAccumulator", "Moments", "Precision", "fold"]

Floats = NDArray[np.float64]
Precision = Literal["float64", "float32"]
BLOCK_ROWS = 4096


@cache
def _upper(size: int) -> NDArray[np.int64]:
    """Give the flat positions of the upper triangle of a square matrix, row by row."""
    rows, columns = np.triu_indices(size)
    flat: NDArray[np.int64] = rows * size + columns
    flat.flags.writeable = False
    return flat


@cache
def _square(size: int) -> NDArray[np.int64]:
    """Give, for every entry of a symmetric matrix, where the packed upper triangle holds it."""
    places = np.empty((size, size), dtype=np.int64)
    rows, columns = np.triu_indices(size)
    places[rows, columns] = places[columns, rows] = np.arange(rows.size)
    places.flags.writeable = False
    return places


@lru_cache(maxsize=32)
def _among(size: int, keep: tuple[int, ...]) -> NDArray[np.int64]:
    """Give the places in a packed triangle that make up the packed triangle of some rows and columns."""
    places = _square(size)[np.ix_(keep, keep)].ravel()[_upper(len(keep))]
    places.flags.writeable = False
    return places


@dataclass(frozen=True, slots=True, eq=False)
class Centered:
    """Means and covariances of a set of frames.

    Parameters
    ----------
    n : float
        Total weight: the number of frames where nothing was weighted.
    mean_x : ndarray of float64, shape (dim,)
        Of the states less the shift.
    mean_y : ndarray of float64, shape (n_columns,)
        Of the targets.
    cxx : ndarray of float64, shape (dim, dim)
        Covariance of the states (divided by n).
    cxy : ndarray of float64, shape (dim, n_columns)
        Covariance of states and targets.
    cyy : ndarray of float64, shape (n_columns,)
        Variance of each target.
    """

    n: float
    mean_x: Floats
    mean_y: Floats
    cxx: Floats
    cxy: Floats
    cyy: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sums and cross-products of ``[1, x - shift, y]`` over a set of frames.

    Parameters
    ----------
    dim : int
        Dimensions of x.
    columns : tuple of str
        Names of the targets y.
    shift : ndarray of float64, shape (dim,)
        What is taken off x.
    packed : ndarray of float64, shape (p * (p + 1) / 2,), p = 1 + dim + len(columns)
        Upper triangle of the sums, row by row.

    Raises
    ------
    SpecError
        If the shapes do not fit.
    """

    dim: int
    columns: tuple[str, ...]
    shift: Floats
    packed: Floats

    def __post_init__(self) -> None:
        p = self.size
        if self.shift.shape != (self.dim,) or self.packed.shape != (p * (p + 1) // 2,):
            raise SpecError(
                f"Moments: shift has shape {self.shift.shape} and the packed sums {self.packed.shape}; for "
                f"{self.dim} dimensions and {len(self.columns)} columns ({self.dim},) and ({p * (p + 1) // 2},) "
                "are needed"
            )
        if len(set(self.columns)) != len(self.columns):
            raise SpecError(f"Moments: a column is named twice in {self.columns}")

    @classmethod
    def empty(cls, dim: int, columns: Sequence[str], shift: Floats) -> Moments:
        """Give the moments of no frames: the identity of addition.

        Parameters
        ----------
        dim : int
            Dimensions of x.
        columns : sequence of str
            Names of the targets.
        shift : ndarray of float64, shape (dim,)
            What is taken off x.

        Returns
        -------
        Moments
            All sums are 0.
        """
        p = 1 + dim + len(columns)
        return cls(dim, tuple(columns), shift, np.zeros(p * (p + 1) // 2))

    @property
    def size(self) -> int:
        """Rows of the unpacked matrix: 1 + dim + number of columns."""
        return 1 + self.dim + len(self.columns)

    @property
    def n(self) -> float:
        """Total weight: the number of frames where nothing was weighted."""
        return float(self.packed[0])

    def __add__(self, other: Moments) -> Moments:
        self._check_same(other)
        return Moments(self.dim, self.columns, self.shift, self.packed + other.packed)

    def _check_same(self, other: Moments) -> None:
        if self.dim != other.dim:
            raise MergeError(f"moments of {self.dim} and of {other.dim} dimensions cannot be added")
        if self.columns != other.columns:
            raise MergeError(
                f"moments with the columns {self.columns} and {other.columns} cannot be added; select the same first"
            )
        if not np.array_equal(self.shift, other.shift):
            raise MergeError("moments around different shifts cannot be added; rebase one of them first")

    def scaled(self, weight: float) -> Moments:
        """Weight every frame.

        Parameters
        ----------
        weight : float, > 0
            The weight of a frame.

        Returns
        -------
        Moments
            All sums times the weight.
        """
        if not weight > 0 or not np.isfinite(weight):
            raise SpecError(f"Moments: the weight is {weight}; it must be above 0 and finite")
        return Moments(self.dim, self.columns, self.shift, self.packed * weight)

    def matrix(self) -> Floats:
        """Unpack the sums.

        Returns
        -------
        ndarray of float64, shape (p, p)
            Symmetric, in the order [1, x, y].
        """
        return np.take(self.packed, _square(self.size))

    def select(self, columns: Sequence[str]) -> Moments:
        """Keep some targets, in a given order.

        Parameters
        ----------
        columns : sequence of str
            Names among :attr:`columns`.

        Returns
        -------
        Moments
            Of the same frames.

        Raises
        ------
        SpecError
            If a column is not there.
        """
        if tuple(columns) == self.columns:
            return self
        missing = [name for name in columns if name not in self.columns]
        if missing:
            raise SpecError(f"Moments: there is no column {missing}; there are {list(self.columns)}")
        keep = (*range(1 + self.dim), *(1 + self.dim + self.columns.index(name) for name in columns))
        return Moments(self.dim, tuple(columns), self.shift, np.take(self.packed, _among(self.size, keep)))

    def rebase(self, shift: Floats) -> Moments:
        """Move the sums to another shift.

        Parameters
        ----------
        shift : ndarray of float64, shape (dim,)
            The new one.

        Returns
        -------
        Moments
            What accumulating around `shift` would have given, to rounding.
        """
        moved = np.eye(self.size)
        moved[1 : 1 + self.dim, 0] = self.shift - shift
        full = moved @ self.matrix() @ moved.T
        return Moments(self.dim, self.columns, np.array(shift, dtype=np.float64), full.ravel()[_upper(self.size)])

    def centered(self) -> Centered:
        """Give means and covariances.

        Returns
        -------
        Centered
            About the frames' own means.

        Raises
        ------
        MergeError
            If there are no frames.
        """
        if not self.n > 0:
            raise MergeError("moments of no frames have no means")
        full, n, d = self.matrix(), self.n, self.dim
        mean_x, mean_y = full[0, 1 : 1 + d] / n, full[0, 1 + d :] / n
        cxx = full[1 : 1 + d, 1 : 1 + d] / n
        cxx -= np.outer(mean_x, mean_x)
        cxy = full[1 : 1 + d, 1 + d :] / n - np.outer(mean_x, mean_y)
        cyy = np.diagonal(full)[1 + d :] / n - mean_y**2
        return Centered(n, mean_x, mean_y, cxx, cxy, np.maximum(cyy, 0.0))


def fold(moments: Iterable[Moments]) -> Moments:
    """Add moments up from left to right.

    Parameters
    ----------
    moments : iterable of Moments
        At least one. The order is the caller's: shards come in the order of their ids.

    Returns
    -------
    Moments
        Their sum.

    Raises
    ------
    MergeError
        If there are none, or two do not fit.
    """
    total: Moments | None = None
    for each in moments:
        total = each if total is None else total + each
    if total is None:
        raise MergeError("there are no moments to add up")
    return total


class MomentAccumulator:
    """Gathers frames and adds them up in blocks.

    Parameters
    ----------
    dim : int
        Dimensions of x.
    columns : sequence of str
        Names of the targets.
    shift : ndarray of float64, shape (dim,)
        What is taken off x before anything is multiplied.
    precision : {"float64", "float32"}
        Of the products within a block; blocks are added in float64 either way. With float32 the R2 of a ridge
        probe stays within 1e-3 of the float64 one where shifts lie within a standard deviation or so of the means of
        the states, and targets within 100 standard deviations of 0 (log2 F0 does).
    block_rows : int
        Frames per block.
    """

    def __init__(
        self,
        dim: int,
        columns: Sequence[str],
        shift: Floats,
        *,
        precision: Precision = "float64",
        block_rows: int = BLOCK_ROWS,
    ) -> None:
        self._empty = Moments.empty(dim, columns, shift)
        self._precision: Precision = precision
        self._rows = block_rows
        self._states: NDArray[np.floating] | None = (
            None  # of the type that comes: single precision is half the memory
        )
        self._targets = np.empty((block_rows, len(columns)))
        self._filled = 0
        self._sums: Floats = np.zeros((self._empty.size, self._empty.size), order="F")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the targets."""
        return self._empty.columns

    def add(self, states: NDArray[np.floating], targets: Floats) -> None:
        """Add frames.

        Parameters
        ----------
        states : ndarray of float, shape (n_frames, dim)
            Finite.
        targets : ndarray of float64, shape (n_frames, n_columns)
            Finite; a frame without a target does not belong here.

        Raises
        ------
        SpecError
            If the shapes do not fit or a target is not finite.
        """
        n, dim = states.shape[0], self._empty.dim
        if states.shape != (n, dim) or targets.shape != (n, len(self.columns)):
            raise SpecError(
                f"MomentAccumulator: states {states.shape} and targets {targets.shape}; (n, {dim}) and "
                f"(n, {len(self.columns)}) are needed"
            )
        if not np.isfinite(targets).all():
            raise SpecError("MomentAccumulator: a target is not finite; leave frames without a target out")
        if self._states is None or self._states.dtype != states.dtype:
            self._flush()
            self._states = np.empty((self._rows, dim), dtype=states.dtype)
        done = 0
        while done < n:
            take = min(n - done, self._rows - self._filled)
            to = slice(self._filled, self._filled + take)
            self._states[to], self._targets[to] = states[done : done + take], targets[done : done + take]
            self._filled += take
            done += take
            if self._filled == self._rows:
                self._flush()

    def _flush(self) -> None:
        if self._filled == 0 or self._states is None:
            return
        from scipy.linalg import blas  # pyright: ignore[reportMissingTypeStubs]

        dim = self._empty.dim
        block = np.empty((self._filled, self._empty.size), dtype=self._precision)
        block[:, 0] = 1
        states = self._states[: self._filled]
        np.subtract(states, self._empty.shift, out=block[:, 1 : 1 + dim], casting="same_kind")
        block[:, 1 + dim :] = self._targets[: self._filled]
        rows = block.T  # Fortran order: BLAS reads it in place
        if self._precision == "float64":
            self._sums = blas.dsyrk(1.0, rows, beta=1.0, c=self._sums, overwrite_c=1)  # pyright: ignore
        else:
            self._sums += blas.ssyrk(1.0, rows)  # pyright: ignore
        self._filled = 0

    def moments(self) -> Moments:
        """Give what has been added so far.

        Returns
        -------
        Moments
            A copy; more frames may be added afterwards.
        """
        self._flush()
        empty = self._empty
        packed = np.ascontiguousarray(self._sums).ravel()[_upper(empty.size)]
        return Moments(empty.dim, empty.columns, empty.shift, packed)
