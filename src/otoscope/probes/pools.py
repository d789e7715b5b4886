"""Pools of languages: sums of their moments, and leave-one-out sums without a subtraction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otoscope.probes.moments import Moments, fold

__all__ = ["equal_weight", "leave_one_out"]


def equal_weight(moments: Moments) -> Moments:
    """Weight frames so that the whole set weighs 1.

    Parameters
    ----------
    moments : Moments
        Of one language.

    Returns
    -------
    Moments
        With ``n`` of 1: in a pool, every language counts the same however much speech it has.
    """
    return moments.scaled(1.0 / moments.n)


def leave_one_out(moments: Sequence[Moments]) -> Iterator[Moments | None]:
    """Give for each item the sum of all the others.

    Sums before and sums after are added; taking one off the total would lose the digits that the others share.

    Parameters
    ----------
    moments : sequence of Moments
        One per language, in a fixed order.

    Yields
    ------
    Moments or None
        As many as items, in their order; None where there are no others.
    """
    after: list[Moments] = []
    for each in reversed(moments[1:]):
        after.append(each if not after else each + after[-1])
    before: Moments | None = None
    for each in moments:
        rest = [part for part in (before, after.pop() if after else None) if part is not None]
        yield fold(rest) if rest else None
        before = each if before is None else before + each
