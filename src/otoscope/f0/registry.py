"""The trackers that can be named on the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from otoscope.errors import SpecError
from otoscope.f0.base import Tracker
from otoscope.f0.kaldi import KaldiTracker
from otoscope.f0.praat import PraatTracker
from otoscope.f0.pyin import PyinTracker
from otoscope.f0.swift import SwiftTracker
from otoscope.f0.yaapt import YaaptTracker
from otoscope.f0.yaapt_compat import YaaptCompatTracker
from otoscope.specs import Setting, Value, check_settings, parse_settings, split_spec, suggestion

__all__ = ["DEFAULT_TRACKER", "TRACKERS", "open_tracker"]

DEFAULT_TRACKER = "yaapt"
TRACKERS: dict[str, Callable[..., Tracker]] = {
    "kaldi": KaldiTracker,
    "praat": PraatTracker,
    "pyin": PyinTracker,
    "swift": SwiftTracker,
    "yaapt": YaaptTracker,
    "yaapt-compat": YaaptCompatTracker,
}
"""From a name to what makes the tracker: keyword arguments with defaults, which give the settings their types."""


def open_tracker(spec: str, **settings: Value | None) -> Tracker:
    """Make the tracker that a specification names.

    Parameters
    ----------
    spec : str
        A name, or a name, a colon, and settings as ``key=value`` with commas between them:
        ``kaldi:hop_ms=20,f0_max_hz=600``. Switches are ``on`` or ``off``.
    **settings : bool, int, float, str or None
        More settings; None is the one of the specification, or else the default.

    Returns
    -------
    Tracker
        With those settings; the others are the defaults.

    Raises
    ------
    SpecError
        If a name, a key or a value is not known, or a setting is given twice; the message lists what is.

    Examples
    --------
    >>> open_tracker("kaldi:hop_ms=20").info.parameters["hop_ms"]
    20.0
    >>> open_tracker("yaapt-compat:correction=off").info.correction_s
    0.0
    """
    name, text = split_spec(spec)
    if name not in TRACKERS:
        raise SpecError(f"{spec!r}: there is no tracker {name!r}; {suggestion(name, TRACKERS)}")
    make = TRACKERS[name]
    defaults = {key: parameter.default for key, parameter in inspect.signature(make).parameters.items()}
    fields = {key: Setting(value, "") for key, value in defaults.items()}
    values = parse_settings(text, fields, where=spec)
    more = {key: value for key, value in settings.items() if value is not None}
    check_settings(spec, fields, more)
    twice = sorted(key for key in values.keys() & more.keys() if values[key] != more[key])
    if twice:
        raise SpecError(f"{spec!r}: {twice[0]} is {values[twice[0]]} there and {more[twice[0]]} beside it; keep one")
    return make(**values, **{key: value for key, value in more.items() if key not in values})
