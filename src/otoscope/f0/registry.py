"""The trackers that can be named on the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from otoscope.errors import SpecError
from otoscope.f0.base import Tracker
from otoscope.f0.kaldi import KaldiTracker
from otoscope.f0.yaapt_compat import YaaptCompatTracker
from otoscope.specs import Setting, parse_settings, split_spec, suggestion

__all__ = ["DEFAULT_TRACKER", "TRACKERS", "open_tracker"]

DEFAULT_TRACKER = "kaldi"
TRACKERS: dict[str, Callable[..., Tracker]] = {
    "kaldi": KaldiTracker,
    "yaapt-compat": YaaptCompatTracker,
}
"""From a name to what makes the tracker: keyword arguments with defaults, which give the settings their types."""


def open_tracker(spec: str) -> Tracker:
    """Make the tracker that a specification names.

    Parameters
    ----------
    spec : str
        A name, or a name, a colon, and settings as ``key=value`` with commas between them:
        ``kaldi:hop_ms=20,f0_max_hz=600``. Switches are ``on`` or ``off``.

    Returns
    -------
    Tracker
        With those settings; the others are the defaults.

    Raises
    ------
    SpecError
        If a name, a key or a value is not known; the message lists what is.

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
    return make(**parse_settings(text, {key: Setting(value, "") for key, value in defaults.items()}, where=spec))
