"""Features in words, and the protocol of the groups that compute them.

A value is a finite number, or NaN where the quantity has no value in this clip (the jitter of a clip without voice).
NaN is never a zero: what learns from features fills it in by what it learned from its own training clips.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import DataError, SpecError
from otoscope.features.sound import Sound
from otoscope.store import digest_of

__all__ = ["CoreGroup", "Feature", "FeatureGroup", "check_values", "group_digest"]

_ID = re.compile(r"[a-z][a-z0-9]*\.[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Feature:
    """One number that describes a clip.

    Parameters
    ----------
    id : str
        ``group.name`` in small letters, digits and underscores.
    unit : str
        Such as ``Hz``, ``dB``, ``st``, ``1/s``; ``1`` for a plain number or a share.
    definition : str
        How it is computed, for those who would compute it again.
    plain : str
        One sentence that a musician understands.
    more, less : str
        What a clip with a greater or a smaller value is, as a comparative that fits between "is" and "than": such
        as ``brighter`` and ``darker``.

    Raises
    ------
    SpecError
        If the id is of another form, or a text is empty.
    """

    id: str
    unit: str
    definition: str
    plain: str
    more: str
    less: str

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise SpecError(f"feature {self.id!r}: an id is group.name in small letters, digits and underscores")
        for name in ("unit", "definition", "plain", "more", "less"):
            if not getattr(self, name).strip():
                raise SpecError(f"feature {self.id}: {name} is empty")

    @property
    def group(self) -> str:
        """The group that it belongs to: what stands before the point of its id."""
        return self.id.partition(".")[0]


class FeatureGroup(Protocol):
    """Computes some features together."""

    @property
    def name(self) -> str:
        """What stands before the point of its features' ids."""
        ...

    @property
    def title(self) -> str:
        """Two or three words for people."""
        ...

    @property
    def version(self) -> str:
        """Changed whenever a value may change, so that no cache mixes old with new."""
        ...

    @property
    def licence(self) -> str:
        """Of the code and of what it needs beyond the core."""
        ...

    @property
    def features(self) -> tuple[Feature, ...]:
        """In the order of the values."""
        ...

    def missing(self) -> str | None:
        """Say why it cannot work here.

        Returns
        -------
        str or None
            The package that is not there and the way out; None where it can work.
        """
        ...

    def compute(self, sound: Sound) -> NDArray[np.float64]:
        """Describe one clip, with nothing known of any other.

        Parameters
        ----------
        sound : Sound
            The clip and what several groups need of it.

        Returns
        -------
        ndarray of float64, shape (n_features,)
            Finite, or NaN where a quantity has no value.

        Raises
        ------
        DataError
            If the clip cannot be described at all.
        """
        ...


@dataclass(frozen=True, slots=True)
class CoreGroup:
    """A group that is made of one function and needs nothing beyond the core.

    Parameters
    ----------
    name : str
        What stands before the point of its features' ids.
    title : str
        Two or three words for people.
    version : str
        Changed whenever a value may change.
    features : tuple of Feature
        In the order of the values.
    measure : callable
        Gives the values of a :class:`~otoscope.features.sound.Sound`. It stands at the top of a module, so that other
        processes find it by name.
    """

    name: str
    title: str
    version: str
    features: tuple[Feature, ...] = field(repr=False)
    measure: Callable[[Sound], NDArray[np.float64]] = field(repr=False)
    licence: str = field(default="MIT", init=False)

    def missing(self) -> str | None:
        """Say that nothing is missing.

        Returns
        -------
        None
            It works everywhere.
        """
        return None

    def compute(self, sound: Sound) -> NDArray[np.float64]:
        """Describe one clip.

        Parameters
        ----------
        sound : Sound
            The clip.

        Returns
        -------
        ndarray of float64, shape (n_features,)
            NaN where a quantity has no value.
        """
        return self.measure(sound)


def check_values(group: FeatureGroup, values: NDArray[np.float64], clip_id: str) -> NDArray[np.float64]:
    """Check what a group gave for a clip.

    Parameters
    ----------
    group : FeatureGroup
        Which.
    values : ndarray of float64, shape (n_features,)
        What it gave.
    clip_id : str
        The clip, for the message.

    Returns
    -------
    ndarray of float64, shape (n_features,)
        The same.

    Raises
    ------
    DataError
        If the shape is another one, or a value is infinite.
    """
    if values.shape != (len(group.features),) or values.dtype != np.float64:
        raise DataError(
            clip_id,
            f"group {group.name} gave {values.dtype} of shape {values.shape}; "
            f"float64 of shape ({len(group.features)},) is needed",
        )
    bad = [feature.id for feature, value in zip(group.features, values, strict=True) if np.isinf(value)]
    if bad:
        raise DataError(clip_id, f"{bad[0]} is infinite")
    return values


def group_digest(group: FeatureGroup) -> str:
    """Give the digest of all that changes a group's values.

    Parameters
    ----------
    group : FeatureGroup
        Which.

    Returns
    -------
    str
        64 hexadecimal characters.
    """
    return digest_of([group.name, group.version, [feature.id for feature in group.features]])
