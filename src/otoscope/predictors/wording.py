"""An explanation in words: what is unusual about a clip, and what it did to the predicted score.

A sentence compares the clip with the training clips only as far as it is true: "brighter than 80 %" says that 80 %
of them have a smaller value. The number after the colon is the contribution, in the unit of the score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.evaluation.regression import average_ranks
from otoscope.features.base import Feature

__all__ = ["MISSING", "Reason", "Wording", "compared", "digits_for", "signed"]

FloatArray = NDArray[np.float64]

UNUSUAL = 0.55  # share of the training clips that must lie on one side
NEAR = 0.8  # rank correlation from which two features of a group say the same thing

MISSING: Mapping[str, str] = {
    "melody": "no melody that could be followed",
    "notes": "no notes that could be made out",
    "rhythm": "no pulse that could be followed",
    "voice": "no voice that could be followed",
}
"""What it means that a feature of a group has no value."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence of an explanation.

    Parameters
    ----------
    feature_id : str
        The feature that it is about.
    with_it : tuple of str
        Features that say about the same thing, whose contributions are in the number.
    contribution : float
        In the unit of the score.
    below, above : float or None
        Share of the training clips with a smaller and with a greater value; None where the clip has no value.
    words : str
        The comparison.
    text : str
        The comparison and the contribution.
    """

    feature_id: str
    with_it: tuple[str, ...]
    contribution: float
    below: float | None
    above: float | None
    words: str
    text: str


def signed(value: float, *, digits: int = 2) -> str:
    """Write a contribution.

    Parameters
    ----------
    value : float
        In the unit of the score.
    digits : int
        After the point.

    Returns
    -------
    str
        With its sign; without one where it is rounded to 0.

    Examples
    --------
    >>> signed(0.0612), signed(-0.3, digits=1), signed(-0.001)
    ('+0.06', '-0.3', '0.00')
    """
    text = f"{value:+.{digits}f}"
    return text if float(text) else text[1:]


def digits_for(spread: float) -> int:
    """Say how many digits contributions to a score need.

    Parameters
    ----------
    spread : float, >= 0
        Standard deviation of the scores.

    Returns
    -------
    int
        After the point, so that a hundredth of the spread can be seen.

    Examples
    --------
    >>> digits_for(0.17), digits_for(1.2), digits_for(25.0)
    (3, 2, 1)
    """
    return 2 if not spread > 0 else max(0, 2 - math.floor(math.log10(spread)))


def compared(feature: Feature, below: float | None, above: float | None, *, missing: str | None = None) -> str:
    """Say how a clip stands among training clips.

    Parameters
    ----------
    feature : Feature
        What is compared.
    below, above : float or None
        Share of the training clips with a smaller and with a greater value; None where the clip has no value.
    missing : str, optional
        What it means that there is no value.

    Returns
    -------
    str
        A comparison, without a point at its end.

    Examples
    --------
    >>> feature = Feature("t.centroid", "Hz", "...", "How bright it is.", "brighter", "darker")
    >>> compared(feature, 0.8, 0.2)
    'brighter than 80 % of the training clips'
    >>> compared(feature, 0.0, 1.0)
    'darker than all of the training clips'
    >>> compared(feature, 0.5, 0.5)
    'about the middle of the training clips, neither brighter nor darker'
    """
    if below is None or above is None:
        return missing or f"no value in this clip ({_lowered(feature.plain)})"
    for word, share in ((feature.more, below), (feature.less, above)):
        if share >= UNUSUAL:
            return f"{word} than {_share(share)} of the training clips"
    return f"about the middle of the training clips, neither {feature.more} nor {feature.less}"


def _share(share: float) -> str:
    """Never round a part up to the whole."""
    return "all" if share >= 1 else f"{min(99, math.floor(100 * share + 0.5))} %"


def _lowered(sentence: str) -> str:
    words = sentence.strip().rstrip(".")
    return words[:1].lower() + words[1:] if words[1:2].islower() else words


class Wording:
    """Puts explanations into words, against one set of training clips.

    Parameters
    ----------
    features : sequence of Feature
        Of the columns.
    reference : ndarray of float64, shape (n_clips, n_features)
        Values of the training clips; NaN where a feature has none.
    missing : mapping of str to str
        For each group, what it means that a feature has no value.
    digits : int
        Of contributions, after the point.

    Raises
    ------
    SpecError
        If the shapes do not fit, or there are no training clips.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        reference: FloatArray,
        *,
        missing: Mapping[str, str] = MISSING,
        digits: int = 2,
    ) -> None:
        if reference.ndim != 2 or reference.shape[1] != len(features) or not len(reference):
            raise SpecError(f"wording: reference of shape {reference.shape}; (n_clips, {len(features)}) is needed")
        self.features = tuple(features)
        self.reference = reference
        self.missing = dict(missing)
        self.digits = digits
        self._near = self._alike()

    def _alike(self) -> NDArray[np.bool_]:
        """Say which features of one group go together over the training clips, or share their words."""
        unit = np.zeros(self.reference.shape)
        for column, values in enumerate(self.reference.T):
            there = np.isfinite(values)
            if there.sum() > 1:
                ranks = average_ranks(values[there])
                ranks = ranks - ranks.mean()
                unit[there, column] = ranks / max(float(np.sqrt(ranks @ ranks)), 1e-300)
        groups = np.array([feature.group for feature in self.features])
        words = np.array([f"{feature.more}\0{feature.less}" for feature in self.features])
        together = np.abs(unit.T @ unit) >= NEAR
        return (together | (words[:, None] == words)) & (groups[:, None] == groups)

    def place(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Say where a clip stands among the training clips.

        Parameters
        ----------
        values : ndarray of float64, shape (n_features,)
            Of the clip.

        Returns
        -------
        below, above : ndarray of float64, shape (n_features,)
            Share of the training clips that have a value, and a smaller or a greater one; NaN where the clip has
            no value, or no training clip has.
        """
        there = np.isfinite(self.reference)
        counted = there.sum(axis=0)
        known = np.isfinite(values) & (counted > 0)
        total = np.where(known, counted, 1)
        below = (there & (self.reference < values)).sum(axis=0) / total
        above = (there & (self.reference > values)).sum(axis=0) / total
        return np.where(known, below, np.nan), np.where(known, above, np.nan)

    def reasons(self, values: FloatArray, contributions: FloatArray, *, k: int = 5) -> tuple[Reason, ...]:
        """Give the sentences that matter most for one clip.

        Features are taken from the largest contribution down. One that says about the same as a larger one of its
        group (the same words, or ranks that go together over the training clips) is added to that one. Then the
        sums are put in order, and the first `k` are put into words.

        Parameters
        ----------
        values : ndarray of float64, shape (n_features,)
            Of the clip; NaN where a feature has none.
        contributions : ndarray of float64, shape (n_features,)
            From an explanation.
        k : int
            How many at most; features that did nothing are never named.

        Returns
        -------
        tuple of Reason
            Largest contribution first, whichever its sign.

        Raises
        ------
        SpecError
            If the lengths differ.
        """
        n = len(self.features)
        if values.shape != (n,) or contributions.shape != (n,):
            raise SpecError(f"wording: values {values.shape}, contributions {contributions.shape}; ({n},) is needed")
        below, above = self.place(values)
        merged: dict[int, list[int]] = {}
        for index in np.argsort(-np.abs(contributions), kind="stable"):
            if contributions[index] == 0:
                break
            missing = np.isnan(values[index])
            leader = next(
                (each for each in merged if self._near[each, index] and np.isnan(values[each]) == missing), None
            )
            if leader is None:
                leader = self._same_gap(merged, int(index), values)
            merged.setdefault(int(index) if leader is None else leader, []).append(int(index))
        sums = {leader: float(contributions[rows].sum()) for leader, rows in merged.items()}
        first = sorted((each for each in sums if sums[each] != 0), key=lambda each: -abs(sums[each]))[:k]
        return tuple(
            self._reason(each, merged[each][1:], sums[each], below, above, given=bool(np.isfinite(values[each])))
            for each in first
        )

    def _same_gap(self, merged: Mapping[int, list[int]], index: int, values: FloatArray) -> int | None:
        """Find a feature without a value, of the same group, whose sentence would be the same."""
        group = self.features[index].group
        if not np.isnan(values[index]) or group not in self.missing:
            return None
        return next((each for each in merged if np.isnan(values[each]) and self.features[each].group == group), None)

    def _reason(
        self,
        index: int,
        others: Sequence[int],
        contribution: float,
        below: FloatArray,
        above: FloatArray,
        *,
        given: bool,
    ) -> Reason:
        feature = self.features[index]
        known = bool(np.isfinite(below[index]))
        shares = (float(below[index]), float(above[index])) if known else (None, None)
        missing = self.missing.get(feature.group)
        if not known and given:
            missing = f"a value where no training clip has one ({_lowered(feature.plain)})"
        words = compared(feature, *shares, missing=missing)
        return Reason(
            feature.id,
            tuple(self.features[other].id for other in others),
            contribution,
            *shares,
            words,
            f"{words}: {signed(contribution, digits=self.digits)}",
        )
