"""The settings of a memorability run: its identity."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from otoscope.errors import SpecError

__all__ = ["CONTROLS", "DEFAULT_SHIFTS", "RECIPES", "MemorabilitySettings"]

DEFAULT_SHIFTS = (-2.0, -1.0, 1.0, 2.0)
CONTROLS = ("mean", "noise")
"""Tested beside every model: the mean of the training scores, and a model of random features."""
RECIPES = ("audmem",)
WEIGHTS = ("n", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorabilitySettings:
    """What decides every number of an evaluation.

    Parameters
    ----------
    models : tuple of str
        Specifications of predictors, such as ``svr`` or ``ridge:tune=off``; the controls are added.
    folds : int, >= 2
        Folds of the cross-validation.
    repeats : int, > 0
        How often the clips are dealt into folds anew.
    features : tuple of str
        Groups of features; ``default`` is all that work here.
    shifts : tuple of float, semitones
        Copies shifted in pitch that models are trained on, besides the clips themselves.
    segment_s, hop_s : float, seconds
        Length and distance of segments that are described and predicted by themselves; 0 keeps clips whole.
    weights : {"n", "none"}
        Whether a score counts by the number of responses behind it.
    recipe : str or None
        ``audmem`` tests the same kinds of models under the reference's protocol as well.
    seed : int
        Of folds, models, controls and intervals.
    n_resamples : int, > 0
        Of the intervals.

    Raises
    ------
    SpecError
        If a setting cannot be.
    """

    models: tuple[str, ...] = ("svr",)
    folds: int = 10
    repeats: int = 5
    features: tuple[str, ...] = ("default",)
    shifts: tuple[float, ...] = DEFAULT_SHIFTS
    segment_s: float = 0.0
    hop_s: float = 0.0
    weights: str = "n"
    recipe: str | None = None
    seed: int = 0
    n_resamples: int = 1000

    def __post_init__(self) -> None:
        if not self.models:
            raise SpecError("no model is named; name one or several with --model, such as svr,ridge")
        for name, least in (("folds", 2), ("repeats", 1), ("n_resamples", 1)):
            if getattr(self, name) < least:
                raise SpecError(f"{name} is {getattr(self, name)}; {least} is the least")
        if self.weights not in WEIGHTS:
            raise SpecError(f"weights is {self.weights!r}; choose from {', '.join(WEIGHTS)}")
        if self.recipe is not None and self.recipe not in RECIPES:
            raise SpecError(f"recipe is {self.recipe!r}; choose from {', '.join(RECIPES)}")
        for shift in self.shifts:
            if not (-12 <= shift <= 12) or shift == 0:
                raise SpecError(f"shifts has {shift:g} semitones; numbers from -12 to 12 other than 0 are accepted")
        if len(set(self.shifts)) != len(self.shifts):
            raise SpecError(f"shifts has a number twice: {', '.join(f'{shift:g}' for shift in self.shifts)}")
        if self.segment_s < 0 or (self.segment_s > 0 and not self.hop_s > 0):
            raise SpecError(
                f"segments of {self.segment_s:g} s every {self.hop_s:g} s cannot be cut; both must be above 0"
            )

    def describe(self) -> dict[str, Any]:
        """Give it as a JSON value.

        Returns
        -------
        dict
            All fields.
        """
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
