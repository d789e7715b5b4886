"""Folds over groups: every track is tested, none beside a track of its own group.

Which fold a group goes to depends on its name, the seed and the repeat, never on the order of the rows: a table that
was sorted otherwise gives every track the same fold.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import LeakageError, SpecError

__all__ = ["Fold", "check_fold", "contiguous_folds", "fold_numbers", "repeated_folds"]

Rows = NDArray[np.intp]

TRIES = 16  # orders of groups of unequal size


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One fit and one test.

    Parameters
    ----------
    repeat, fold : int
        Counted from 0.
    train, test : ndarray of int
        Rows of the table, increasing.
    """

    repeat: int
    fold: int
    train: Rows
    test: Rows


def repeated_folds(
    ids: Sequence[str], groups: Sequence[str], *, folds: int = 10, repeats: int = 5, seed: int = 0
) -> tuple[Fold, ...]:
    """Divide tracks into folds of about the same size, several times over.

    In each repeat the groups are taken in an order given by a hash, and each goes to the fold that is the smallest
    so far; of up to 16 such orders the one with the most even folds is kept. Within a repeat every track is tested
    exactly once, and the sizes of the folds differ by at most the size of the largest group: by one track where
    every track is a group of its own.

    Parameters
    ----------
    ids : sequence of str
        The tracks, all different.
    groups : sequence of str, length n_tracks
        A group is never divided. Where tracks hang together through several keys, give the names of their connected
        sets.
    folds : int, >= 2
        How many parts.
    repeats : int, >= 1
        How many times.
    seed : int
        Other seeds, other folds.

    Returns
    -------
    tuple of Fold
        ``repeats * folds`` of them, in that order.

    Raises
    ------
    SpecError
        If an id stands twice, or there are fewer groups than folds.

    Examples
    --------
    >>> made = repeated_folds(["a", "b", "c", "d"], ["x", "x", "y", "z"], folds=2, repeats=1)
    >>> sorted(len(fold.test) for fold in made)
    [2, 2]
    """
    n = len(ids)
    if len(groups) != n:
        raise SpecError(f"folds: {n} ids and {len(groups)} groups; every id needs a group")
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise SpecError(f"folds: the id {twice[0]!r} stands twice; ids must be unique")
    if folds < 2 or repeats < 1:
        raise SpecError(f"folds: {folds} folds and {repeats} repeats; at least 2 folds and 1 repeat are needed")
    sizes = Counter(groups)
    if len(sizes) < folds:
        way_out = (
            f"give at most {len(sizes)} folds, or group by something finer"
            if len(sizes) > 1
            else "no track can be held out: group by something finer"
        )
        raise SpecError(f"folds: the {n} tracks make {len(sizes)} group(s), too few for {folds} folds; {way_out}")
    made: list[Fold] = []
    for repeat in range(repeats):
        place = _places(sizes, folds, f"{seed}\0{repeat}")
        numbers = np.array([place[group] for group in groups], dtype=np.intp)
        made += [
            Fold(repeat, fold, np.flatnonzero(numbers != fold), np.flatnonzero(numbers == fold))
            for fold in range(folds)
        ]
    return tuple(made)


def _places(sizes: Counter[str], folds: int, key: str) -> dict[str, int]:
    """Give each group, in the order of a hash, to the fold with the fewest tracks; keep the most even try."""
    even = 1 if sum(sizes.values()) % folds else 0
    best: dict[str, int] = {}
    least = None
    for attempt in range(TRIES):
        filled = [0] * folds
        place: dict[str, int] = {}
        for group in sorted(sizes, key=lambda name: _hash(f"{key}\0{attempt}\0{name}")):
            fold = min(range(folds), key=filled.__getitem__)
            place[group] = fold
            filled[fold] += sizes[group]
        spread = max(filled) - min(filled)
        if least is None or spread < least:
            best, least = place, spread
        if least <= even:
            break
    return best


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def contiguous_folds(n: int, *, folds: int = 10) -> tuple[Fold, ...]:
    """Cut a table into folds of ``int(n / folds)`` rows in its own order, as the first study of such data did.

    The last ``n - folds * int(n / folds)`` rows are never tested; they stand in every training set. What comes out
    depends on the order of the rows, and groups are not looked at: use it to repeat that study, and
    :func:`repeated_folds` for everything else.

    Parameters
    ----------
    n : int
        Rows of the table.
    folds : int, >= 2
        How many parts.

    Returns
    -------
    tuple of Fold
        One repeat.

    Raises
    ------
    SpecError
        If there are fewer rows than folds.

    References
    ----------
    .. [1] The YTMM study of music memorability, ISMIR, 2023, arXiv:2405.12847; the protocol of its code.

    Examples
    --------
    >>> made = contiguous_folds(235)
    >>> len(made), made[9].test[-1], len(made[0].train)
    (10, np.int64(229), 212)
    """
    if folds < 2:
        raise SpecError(f"folds: {folds} fold(s); at least 2 are needed")
    if n < folds:
        raise SpecError(f"folds: the table has {n} row(s), too few for {folds} folds; give at most {max(n, 2)} folds")
    size = n // folds
    rows = np.arange(n)
    return tuple(
        Fold(0, fold, np.delete(rows, slice(fold * size, (fold + 1) * size)), rows[fold * size : (fold + 1) * size])
        for fold in range(folds)
    )


def check_fold(fold: Fold, groups: Sequence[str]) -> None:
    """Check that nothing of a fold's training set is in its test, neither a row nor a group.

    Parameters
    ----------
    fold : Fold
        Rows of a table.
    groups : sequence of str, length n_tracks
        The group of each row.

    Raises
    ------
    LeakageError
        If a row or a group stands on both sides.
    SpecError
        If a side is empty, or names a row that is not there.
    """
    where = f"repeat {fold.repeat}, fold {fold.fold}"
    for side, rows in (("train", fold.train), ("test", fold.test)):
        if rows.size == 0:
            raise SpecError(f"{where}: nothing is left to {side}")
        if rows.min() < 0 or rows.max() >= len(groups):
            raise SpecError(f"{where}: the {side} side names rows outside of 0 to {len(groups) - 1}")
    rows = np.intersect1d(fold.train, fold.test)
    if rows.size:
        raise LeakageError(f"{where}: row {rows[0]} is trained on and tested ({rows.size} in all)")
    trained = {str(groups[int(i)]) for i in fold.train}
    both = sorted(trained & {str(groups[int(i)]) for i in fold.test})
    if both:
        shown = ", ".join(both[:3]) + (" ..." if len(both) > 3 else "")
        raise LeakageError(
            f"{where}: {len(both)} group(s) stand on both sides: {shown}; put all tracks of a group into one fold"
        )


def fold_numbers(folds: Sequence[Fold], n: int) -> Rows:
    """Say in which fold each row is tested.

    Parameters
    ----------
    folds : sequence of Fold
        Any number of repeats.
    n : int
        Rows of the table.

    Returns
    -------
    ndarray of int, shape (n_repeats, n)
        The number of the fold; -1 where a row is never tested.
    """
    repeats = max((fold.repeat for fold in folds), default=-1) + 1
    numbers = np.full((repeats, n), -1, dtype=np.intp)
    for fold in folds:
        numbers[fold.repeat, fold.test] = fold.fold
    return numbers
