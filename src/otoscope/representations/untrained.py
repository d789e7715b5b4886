"""Untrained copies: the same architecture and the same input, with weights drawn by a seed.

What a probe reads out of an untrained copy comes from the architecture and the input alone. It is a model of its
own, shown beside its twin; it is no control.

A model with weights offers a copy of itself by one method::

    def untrained(self, seed: int) -> Model: ...

The copy draws its weights from the architecture's own default initialisation, with a generator of its own (the
caller's random numbers are left alone), and describes itself with :func:`untrained_info`. Layers, clocks and lags
stay those of the twin, and so does every setting of the input.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol, runtime_checkable

from otoscope.errors import SpecError
from otoscope.representations.base import Model, ModelInfo

__all__ = ["MAX_SEED", "PREFIX", "HasWeights", "check_seed", "untrained_copy", "untrained_info"]

PREFIX = "untrained"
MAX_SEED = 2**63 - 1  # the largest that torch's generators take


@runtime_checkable
class HasWeights(Protocol):
    """What a model with weights offers beside :class:`~otoscope.representations.base.Model`."""

    def untrained(self, seed: int) -> Model:
        """Give a copy whose weights are drawn.

        Parameters
        ----------
        seed : int, >= 0
            Equal seeds give equal weights, others give others.

        Returns
        -------
        Model
            Of kind "untrained"; its twin is this model.
        """
        ...


def untrained_copy(model: Model, seed: int, *, name: str) -> Model:
    """Give an untrained copy of a model.

    Parameters
    ----------
    model : Model
        The twin.
    seed : int, 0 to 2**63 - 1
        What the weights are drawn by.
    name : str
        What the user calls the model, for messages.

    Returns
    -------
    Model
        Of kind "untrained".

    Raises
    ------
    SpecError
        If the model has no weights, or the seed is out of its range.
    """
    if not isinstance(model, HasWeights):
        raise SpecError(
            f"{PREFIX}:{name}: {name} has no weights, so there is no untrained copy of it; "
            f"use {name} itself as a baseline"
        )
    return model.untrained(check_seed(name, seed))


def check_seed(name: str, seed: int) -> int:
    """Check a seed.

    Parameters
    ----------
    name : str
        The model's name, for messages.
    seed : int
        What shall be one.

    Returns
    -------
    int
        The same.

    Raises
    ------
    SpecError
        If it is no whole number from 0 to 2**63 - 1.
    """
    if type(seed) is not int or not 0 <= seed <= MAX_SEED:
        raise SpecError(f"{PREFIX}:{name}: the seed is {seed!r}; it takes a whole number from 0 to {MAX_SEED}")
    return seed


def untrained_info(info: ModelInfo, seed: int, *, version: str) -> ModelInfo:
    """Describe an untrained copy.

    Parameters
    ----------
    info : ModelInfo
        Of the twin.
    seed : int, >= 0
        What the weights are drawn by.
    version : str
        Of the way in which they are drawn.

    Returns
    -------
    ModelInfo
        The twin's, with another name, kind and version; the seed stands among the settings.
    """
    return dataclasses.replace(
        info,
        name=f"{PREFIX}:{info.name}#{seed}",
        kind="untrained",
        version=version,
        settings={**info.settings, "seed": seed},
        twin=info.name,
    )
