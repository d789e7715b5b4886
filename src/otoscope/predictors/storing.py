"""One file for a fitted predictor: named arrays and a header. Reading it runs no code that the file brings.

An SVR keeps the features of clips that it was fitted on as its support vectors: whoever gets the file gets them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.predictors.base import FittedPredictor
from otoscope.predictors.fusion import FusedRegressor
from otoscope.predictors.mean import FittedMean
from otoscope.predictors.mlp import NetworkRegressor
from otoscope.predictors.noise import FittedNoise, NoiseViews
from otoscope.predictors.preparing import Preparation
from otoscope.predictors.reference import FittedAudmem
from otoscope.predictors.ridge import LinearRegressor
from otoscope.predictors.rows import AGGREGATES
from otoscope.predictors.svr import RadialRegressor
from otoscope.predictors.tables import FittedTable, Regressor
from otoscope.store import check_arrays, read_arrays, write_arrays

__all__ = ["FORMAT", "load_predictor", "save_predictor"]

FORMAT = 1
"""Raised when files of another form are written."""

_Fitted = TypeVar("_Fitted", FittedTable, FittedAudmem)
Arrays = Mapping[str, NDArray[Any]]
About = Mapping[str, Any]


def save_predictor(fitted: FittedPredictor, path: Path) -> None:
    """Write a fitted predictor as one safetensors file.

    Parameters
    ----------
    fitted : FittedPredictor
        What to keep.
    path : Path
        Where; what stands there is replaced as a whole.
    """
    arrays, about = fitted.state()
    about = {"what": "predictor", "format": FORMAT, "state": about}
    write_arrays(path, arrays, about=about)


def load_predictor(path: Path) -> FittedPredictor:
    """Read what :func:`save_predictor` wrote.

    Parameters
    ----------
    path : Path
        Where.

    Returns
    -------
    FittedPredictor
        Its predictions are those of the one that was saved.

    Raises
    ------
    SpecError
        If it is missing, damaged, something else, or of a newer form.
    """
    arrays, about = read_arrays(path)
    if not isinstance(about, dict) or about.get("what") != "predictor":
        raise SpecError(f"{path}: holds no predictor; choose a file that otoscope saved one in")
    if about.get("format") != FORMAT:
        raise SpecError(
            f"{path}: has the format {about.get('format')!r}, this version reads {FORMAT}; update otoscope"
        )
    wrong = check_arrays(path)
    if wrong:
        raise SpecError(f"{path}: {wrong}; fit it again")
    state = about["state"]
    kind = state.get("kind")
    wild = [name for name, array in arrays.items() if not np.all(np.isfinite(array))]
    if wild:
        raise SpecError(f"{path}: holds no whole predictor ({wild[0]} is not finite); fit it again")
    if kind not in _KINDS:
        raise SpecError(f"{path}: holds a predictor of the kind {kind!r}, which this version does not know")
    try:
        return _KINDS[kind](arrays, state)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise SpecError(f"{path}: holds no whole predictor ({error}); fit it again") from error


def _below(arrays: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    start = f"{prefix}."
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}


def _regressor(kind: str, arrays: Arrays) -> Regressor:
    if kind.startswith("fused-"):
        return FusedRegressor.from_arrays(arrays, member_kind=kind.removeprefix("fused-"))
    makers: Mapping[str, Callable[[Arrays], Regressor]] = {
        "linear": LinearRegressor.from_arrays,
        "radial": RadialRegressor.from_arrays,
        "network": NetworkRegressor.from_arrays,
    }
    return makers[kind](arrays)


def _tried(fitted: _Fitted) -> _Fitted:
    """Check that the arrays fit each other and the features, by one prediction of a clip without any."""
    fitted.on_rows(np.full((1, len(fitted.feature_ids)), np.nan))
    return fitted


def _choice(value: object, accepted: tuple[str, ...]) -> Any:
    if value not in accepted:
        raise ValueError(f"{value!r} is none of {accepted}")
    return value


def _chosen(about: About) -> dict[str, float]:
    return {str(key): float(value) for key, value in about["chosen"].items()}


def _table(arrays: Arrays, about: About) -> FittedTable:
    return _tried(
        FittedTable(
            str(about["name"]),
            tuple(about["feature_ids"]),
            Preparation.from_arrays(_below(arrays, "preparation")),
            _regressor(about["regressor"], _below(arrays, "regressor")),
            _choice(about["aggregate"], AGGREGATES),
            _chosen(about),
        )
    )


def _audmem(arrays: Arrays, about: About) -> FittedAudmem:
    return _tried(
        FittedAudmem(
            str(about["name"]),
            tuple(about["feature_ids"]),
            np.asarray(arrays["mean"], dtype=np.float64),
            np.asarray(arrays["scale"], dtype=np.float64),
            _regressor(about["regressor"], _below(arrays, "regressor")),
            _choice(about["zscore"], ("fold", "train")),
            _choice(about["aggregate"], AGGREGATES),
            _chosen(about),
        )
    )


def _noise(arrays: Arrays, about: About) -> FittedNoise:
    views = NoiseViews(int(about["seed"]), int(about["n_features"]))
    return FittedNoise(views, _table(arrays, about["table"]), str(about["name"]))


def _mean(arrays: Arrays, about: About) -> FittedMean:
    return FittedMean(str(about["name"]), float(arrays["mean"]))


_KINDS: Mapping[str, Callable[[Arrays, About], FittedPredictor]] = {
    "table": _table,
    "audmem": _audmem,
    "noise": _noise,
    "mean": _mean,
}
