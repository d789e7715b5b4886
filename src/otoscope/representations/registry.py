"""The models by name: ``logmel``, ``mfcc``, ``ge2e``, checkpoints, and ``untrained:MODEL#SEED``.

A checkpoint is a folder (``./hubert-base``) or a name on the hub (``facebook/hubert-base-ls960``). Settings follow a
name after a colon: ``logmel:context=4``, ``ge2e:normalize=always``, ``./hubert-base:dtype=bfloat16``,
``untrained:ge2e:normalize=always#3``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from otoscope.errors import SpecError
from otoscope.representations.base import Model
from otoscope.representations.filterbanks import LogMel, Mfcc
from otoscope.representations.ge2e import Ge2e
from otoscope.representations.untrained import PREFIX, HasWeights, untrained_copy
from otoscope.representations.upstreams.checkpoint import looks_like_checkpoint
from otoscope.representations.upstreams.model import open_upstream
from otoscope.representations.upstreams.naming import did_you_mean
from otoscope.specs import Setting, parse_settings, split_spec, suggestion

__all__ = ["MODELS", "ModelEntry", "open_model"]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that can be opened by name.

    Parameters
    ----------
    make : callable
        Takes the settings as keywords and gives the model.
    settings : mapping of str to Setting
        What may be set.
    summary : str
        What it is, in one line.
    """

    make: Callable[..., Model]
    settings: Mapping[str, Setting]
    summary: str


MODELS: Mapping[str, ModelEntry] = {
    "logmel": ModelEntry(LogMel, LogMel.SETTINGS, "log-mel spectrum, 25 ms every 10 ms (baseline)"),
    "mfcc": ModelEntry(Mfcc, Mfcc.SETTINGS, "mel-frequency cepstral coefficients (baseline)"),
    "ge2e": ModelEntry(Ge2e, Ge2e.SETTINGS, "GE2E speaker encoder, three LSTM layers, from a wheel"),
}


def open_model(spec: str, *, device: str = "cpu") -> Model:
    """Open a model by its name and settings.

    Parameters
    ----------
    spec : str
        ``name``, ``name:key=value,key=value`` or ``untrained:name[:settings]#seed``; a name is one of
        :data:`MODELS`, a folder with a checkpoint, or ``org/name`` on the hub.
    device : str
        Where a checkpoint computes: ``cpu``, ``cuda``, ``cuda:1`` or ``auto``. It is no part of the model's
        identity; the models of :data:`MODELS` compute on the CPU whatever it says.

    Returns
    -------
    Model
        Its ``info.name`` is the canonical form of `spec`: only the settings that differ from their defaults, sorted.

    Raises
    ------
    SpecError
        If a name, a key, a value or a device is not known, a checkpoint is not there, damaged or of no known
        family, or an untrained copy is asked for without a seed; the message lists what is accepted.
    MissingExtraError
        If the model needs a package that is not installed.

    Examples
    --------
    >>> open_model("logmel:context=4,bands=80").info.name
    'logmel:context=4'
    """
    text = spec.strip()
    if text == PREFIX or text.startswith(f"{PREFIX}:"):
        return _open_untrained(text, device)
    if "#" in text:
        raise SpecError(f"{spec!r}: only untrained copies have a seed; write {PREFIX}:{text}, or leave the # out")
    model = _open(text, device)
    _ = model.info  # what is not installed is missed here, not at the first clip
    return model


def _open(spec: str, device: str) -> Model:
    name, settings = split_spec(spec)
    if name not in MODELS and looks_like_checkpoint(name):
        return open_upstream(spec, device=device)
    if name not in MODELS:
        raise SpecError(
            f"{spec!r}: no model is called {name!r}; {suggestion(name, [*MODELS, _UNTRAINED])}; "
            f"or name a checkpoint: a folder or org/name{did_you_mean(name, before='; ')}"
        )
    entry = MODELS[name]
    values: dict[str, Any] = parse_settings(settings, entry.settings, where=name)
    return entry.make(**values)


_UNTRAINED = f"{PREFIX}:MODEL#SEED"


def _open_untrained(spec: str, device: str) -> Model:
    inner, mark, seed = spec.removeprefix(PREFIX).removeprefix(":").rpartition("#")
    if not mark:
        inner, seed = seed, ""
    inner = inner.strip()
    if not inner:
        raise SpecError(f"{spec!r}: names no model; write {_UNTRAINED}, such as {PREFIX}:ge2e#0")
    if inner == PREFIX or inner.startswith(f"{PREFIX}:"):
        raise SpecError(f"{spec!r}: a copy cannot be copied; write {_UNTRAINED}")
    name = split_spec(inner)[0]
    checkpoint = name not in MODELS and looks_like_checkpoint(name)
    number = int(seed) if seed.isascii() and seed.isdigit() else None
    model = None if checkpoint else _open(inner, device)
    if number is None and (checkpoint or isinstance(model, HasWeights)):
        got = f"the seed is {seed!r}" if mark else "the seed is missing"
        raise SpecError(f"{spec!r}: {got}; write a whole number after #, such as {PREFIX}:{inner}#0")
    if model is None:  # its weights are not needed, and not fetched
        return open_upstream(inner, device=device, seed=number)
    return untrained_copy(model, number or 0, name=name)
