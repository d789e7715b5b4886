"""Whether trackers agree on a label: a mask of the frames that can be trusted.

Trackers differ on the voicing of several per cent of the frames of real speech, seldom on its F0. A label that most
of them give is a better label than one that a single tracker gives.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.f0.base import F0Track
from otoscope.f0.resampling import sample_track

__all__ = ["PANEL", "TOLERANCE_CENTS", "Agree", "agreed_at", "parse_agree", "votes_at"]

TOLERANCE_CENTS = 50.0
PANEL = ("yaapt", "kaldi", "swift")
"""Who is asked where nobody is named: three trackers that work in three ways."""

_PATTERN = re.compile(r"(\d+)of(\d+)(?::(.+))?")


@dataclass(frozen=True, slots=True)
class Agree:
    """How many trackers must say the same.

    Parameters
    ----------
    need : int, >= 2
        Trackers that must agree, the one that makes the labels included.
    others : tuple of str
        Specifications of the other trackers.
    """

    need: int
    others: tuple[str, ...]

    @property
    def spec(self) -> str:
        """As on the command line, with every tracker named."""
        return f"{self.need}of{len(self.others) + 1}:{'+'.join(self.others)}"


def parse_agree(text: str, *, labels: str) -> Agree:
    """Read what is asked of the agreement of trackers.

    Parameters
    ----------
    text : str
        ``2of3``: the tracker of the labels and as many others of :data:`PANEL` as make three. ``2of3:kaldi+praat``
        names the others; their settings follow as usual, as in ``2of2:kaldi:hop_ms=20``.
    labels : str
        Specification of the tracker that makes the labels.

    Returns
    -------
    Agree
        With every other tracker named.

    Raises
    ------
    SpecError
        If it cannot be read, asks for more than there are, or for so few that a single tracker would do.

    Examples
    --------
    >>> parse_agree("2of3", labels="yaapt")
    Agree(need=2, others=('kaldi', 'swift'))
    >>> parse_agree("2of2:praat", labels="kaldi:hop_ms=20").spec
    '2of2:praat'
    """
    found = _PATTERN.fullmatch(text.strip())
    if found is None:
        raise SpecError(f"--agree {text!r}: 2of3, or with names as 2of3:kaldi+swift, is accepted")
    need, size = int(found[1]), int(found[2])
    if not 2 <= need <= size:
        raise SpecError(f"--agree {text!r}: {need} of {size}; at least 2, and not more than there are, can agree")
    if found[3]:
        others = tuple(part.strip() for part in found[3].split("+"))
    else:
        others = tuple(name for name in PANEL if name != labels.partition(":")[0])[: size - 1]
    if len(others) != size - 1 or not all(others):
        known = f"the panel has {'+'.join(PANEL)}" if not found[3] else f"{'+'.join(others)} are named"
        raise SpecError(f"--agree {text!r}: {size - 1} trackers beside {labels} are needed; {known}")
    if len({labels, *others}) != size:
        raise SpecError(f"--agree {text!r}: a tracker is named twice; it would agree with itself")
    return Agree(need, others)


def agreed_at(
    labels: F0Track,
    others: Sequence[F0Track],
    times: NDArray[np.float64],
    *,
    need: int,
    tolerance_cents: float = TOLERANCE_CENTS,
) -> NDArray[np.bool_]:
    """Say at which times enough trackers say what the labels say.

    Parameters
    ----------
    labels : F0Track
        The tracker that makes the labels.
    others : sequence of F0Track
        What others found in the same clip, on their own times.
    times : ndarray of float64, shape (n_frames,), seconds
        Where the labels are sampled.
    need : int, from 1 to the number of trackers
        Trackers that must agree, the first included.
    tolerance_cents : float, cents
        How near two F0 values must be.

    Returns
    -------
    ndarray of bool, shape (n_frames,)
        Where :func:`votes_at` counts enough of them.

    Raises
    ------
    SpecError
        If more must agree than there are.
    """
    if not 1 <= need <= len(others) + 1:
        raise SpecError(
            f"agreed_at: need is {need}; 1 to {len(others) + 1} is accepted, as many as there are trackers"
        )
    return votes_at(labels, others, times, tolerance_cents=tolerance_cents) >= need


def votes_at(
    labels: F0Track,
    others: Sequence[F0Track],
    times: NDArray[np.float64],
    *,
    tolerance_cents: float = TOLERANCE_CENTS,
) -> NDArray[np.int64]:
    """Count the trackers that say what the labels say.

    Parameters
    ----------
    labels : F0Track
        The tracker that makes the labels.
    others : sequence of F0Track
        What others found in the same clip, on their own times.
    times : ndarray of float64, shape (n_frames,), seconds
        Where the labels are sampled.
    tolerance_cents : float, cents
        How near two F0 values must be.

    Returns
    -------
    ndarray of int64, shape (n_frames,)
        The labels' own tracker included; 0 where the labels say nothing. Where they are voiced, another tracker
        agrees if it is voiced and its F0 lies within the tolerance; where they are unvoiced, if it is unvoiced. One
        that says nothing about a time does not agree.
    """
    own = sample_track(labels, times)
    votes = own.covered.astype(np.int64)
    for other in others:
        said = sample_track(other, times)
        both = own.voiced & said.voiced
        near = np.zeros(times.shape, dtype=np.bool_)
        near[both] = 1200 * np.abs(np.log2(said.f0_hz[both] / own.f0_hz[both])) <= tolerance_cents
        votes += said.covered & own.covered & np.where(own.voiced, near, ~said.voiced)
    return votes
