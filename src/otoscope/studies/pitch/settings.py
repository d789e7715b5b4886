"""The settings of a pitch run: its identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from otoscope.errors import RunConflictError, SpecError
from otoscope.probes.moments import Precision

__all__ = ["PitchSettings", "ProbeKind", "check_same"]

ProbeKind = Literal["ridge", "ols"]
_UNSAID = {"agree": ""}  # what a run means by not saying it


@dataclass(frozen=True, slots=True, kw_only=True)
class PitchSettings:
    """What, besides models and languages, decides every number of a run.

    Parameters
    ----------
    tracker : str
        Specification of the F0 tracker, such as ``yaapt`` or ``kaldi:hop_ms=20``.
    agree : str
        Which trackers must give the same label, such as ``2of3``, see :func:`otoscope.f0.agreement.parse_agree`:
        probes of voiced frames are then fitted and scored where they do. Empty: labels are taken as they are.
    probe : {"ridge", "ols"}
        How the linear map is fitted.
    seed : int
        Of splits, controls, shift vectors and intervals.
    cluster : str
        The group key that intervals resample; ``auto`` is ``sentence`` where every clip has one, or else the first
        key that every clip has.
    precision : {"float64", "float32"}
        Of the products within a block of frames.
    shard_clips : int, > 0
        Clips per shard: the unit of work.
    min_duration_s : float, seconds
        A shorter clip is a failure.
    n_resamples : int, > 0
        Of the intervals.
    """

    tracker: str = "yaapt"
    agree: str = ""
    probe: ProbeKind = "ridge"
    seed: int = 0
    cluster: str = "auto"
    precision: Precision = "float64"
    shard_clips: int = 64
    min_duration_s: float = 0.1
    n_resamples: int = 1000

    def __post_init__(self) -> None:
        for name, choices in (("probe", get_args(ProbeKind)), ("precision", get_args(Precision))):
            if getattr(self, name) not in choices:
                raise SpecError(f"{name} is {getattr(self, name)!r}; choose from {', '.join(choices)}")
        for name in ("shard_clips", "n_resamples"):
            if getattr(self, name) < 1:
                raise SpecError(f"{name} is {getattr(self, name)}; 1 is the least")

    def describe(self) -> dict[str, Any]:
        """Give it as a JSON value.

        Returns
        -------
        dict
            All fields; `agree` only where it is asked for.
        """
        fields = asdict(self)
        return fields if self.agree else {key: value for key, value in fields.items() if key != "agree"}


def check_same(before: Mapping[str, object], now: Mapping[str, object], where: str) -> None:
    """Refuse to go on with other settings than a run was made with.

    Parameters
    ----------
    before, now : mapping
        What the run says and what is asked for.
    where : str
        The run, for the message.

    Raises
    ------
    RunConflictError
        With every difference.
    """
    different = [
        f"{key} was {was!r} and is {now_is!r}"
        for key in sorted({*before, *now})
        if (was := before.get(key, _UNSAID.get(key))) != (now_is := now.get(key, _UNSAID.get(key)))
    ]
    if different:
        raise RunConflictError(
            f"{where}: this run was made with other settings: {'; '.join(different)}. Models and languages may be "
            "added to a run; for other settings name another folder with --out"
        )
