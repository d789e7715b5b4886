"""The predictors by name: ``mean``, ``ridge``, ``svr``, ``mlp``, ``fusion``, ``noise``, and a published study's.

Settings follow a name after a colon: ``svr:epsilon=0.1``, ``fusion:how=stack,base=svr``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otoscope.errors import SpecError
from otoscope.predictors.base import Predictor
from otoscope.predictors.fusion import FusionPredictor
from otoscope.predictors.mean import MeanPredictor
from otoscope.predictors.mlp import MlpPredictor
from otoscope.predictors.noise import NoisePredictor
from otoscope.predictors.reference import AudmemMlp, AudmemRidge, AudmemSvr
from otoscope.predictors.ridge import RidgePredictor
from otoscope.predictors.rows import check_shifts
from otoscope.predictors.svr import SvrPredictor
from otoscope.predictors.tables import DEFAULT_SHIFTS
from otoscope.specs import Setting, parse_settings, split_spec, suggestion

__all__ = ["PREDICTORS", "PredictorEntry", "open_predictor"]


@dataclass(frozen=True, slots=True)
class PredictorEntry:
    """A predictor that can be opened by name.

    Parameters
    ----------
    make : callable
        Takes the settings as keywords, with ``seed`` and ``shifts`` where it uses them, and gives the predictor.
    settings : mapping of str to Setting
        What may be set.
    summary : str
        What it is, in one line.
    seeded : bool
        Whether it takes a seed.
    augmented : bool
        Whether it is fitted on shifted copies too.
    """

    make: Callable[..., Predictor]
    settings: Mapping[str, Setting]
    summary: str
    seeded: bool = True
    augmented: bool = True


PREDICTORS: Mapping[str, PredictorEntry] = {
    "mean": PredictorEntry(
        MeanPredictor, {}, "mean of the training scores: what has to be beaten", seeded=False, augmented=False
    ),
    "ridge": PredictorEntry(RidgePredictor, RidgePredictor.SETTINGS, "ridge regression, penalty by inner folds"),
    "svr": PredictorEntry(SvrPredictor, SvrPredictor.SETTINGS, "support vector regression, tuned by inner folds"),
    "mlp": PredictorEntry(MlpPredictor, MlpPredictor.SETTINGS, "bag of small networks, stopped by inner folds"),
    "fusion": PredictorEntry(
        FusionPredictor, FusionPredictor.SETTINGS, "one regression for each group of features, averaged or stacked"
    ),
    "noise": PredictorEntry(
        NoisePredictor, {}, "svr on random numbers in place of features (control)", augmented=False
    ),
    "svr@audmem": PredictorEntry(
        AudmemSvr, AudmemSvr.SETTINGS, "SVR as in the AudMem study, its mistakes included", augmented=False
    ),
    "mlp@audmem": PredictorEntry(
        AudmemMlp, AudmemMlp.SETTINGS, "network as in the AudMem study, its mistakes included", augmented=False
    ),
    "ridge@audmem": PredictorEntry(
        AudmemRidge, AudmemRidge.SETTINGS, "ridge regression in the frame of the AudMem study", augmented=False
    ),
    "mean@audmem": PredictorEntry(
        lambda: MeanPredictor(name="mean@audmem"),
        {},
        "mean of the training scores in the frame of the AudMem study",
        seeded=False,
        augmented=False,
    ),
}


def open_predictor(spec: str, *, shifts: Sequence[float] = DEFAULT_SHIFTS, seed: int = 0) -> Predictor:
    """Open a predictor by its name and settings.

    Parameters
    ----------
    spec : str
        ``name`` or ``name:key=value,key=value``.
    shifts : sequence of float, semitones
        Of the copies that it is fitted on beside each clip; empty for none. Predictors that use no copies pass over
        them.
    seed : int
        Of inner folds and of whatever is drawn.

    Returns
    -------
    Predictor
        Its ``name`` is the canonical form of `spec`: only the settings that differ from their defaults, sorted.

    Raises
    ------
    SpecError
        If a name, a key or a value is not known, or a shift cannot be; the message lists what is accepted.

    Examples
    --------
    >>> open_predictor("svr:c=3,tune=off").name
    'svr:c=3.0,tune=off'
    """
    name, text = split_spec(spec.strip())
    if name not in PREDICTORS:
        raise SpecError(f"{spec!r}: no predictor is called {name!r}; {suggestion(name, PREDICTORS)}")
    entry = PREDICTORS[name]
    values: dict[str, Any] = parse_settings(text, entry.settings, where=name)
    checked = check_shifts(shifts)
    if entry.seeded:
        values["seed"] = seed
    if entry.augmented:
        values["shifts"] = checked
    return entry.make(**values)
