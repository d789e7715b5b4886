"""How a model or a tracker is named together with its settings: ``name:key=value,key=value``.

The same text always means the same settings, and equal settings give equal names: a name is canonical when it
carries only the settings that differ from their defaults, sorted by key.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from otoscope.errors import SpecError

__all__ = [
    "Setting",
    "Value",
    "check_settings",
    "name_with",
    "parse_settings",
    "split_list",
    "split_spec",
    "suggestion",
]

Value: TypeAlias = bool | int | float | str

_KINDS = {bool: "on or off", int: "a whole number", float: "a number", str: "text"}
_SWITCH = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that may be chosen.

    Parameters
    ----------
    default : bool, int, float or str
        What holds where nothing is said; its type is the type of every value.
    meaning : str
        What it does, in a few words, with its unit.
    least, most : float or None
        Bounds of a number, both included.
    choices : tuple of str
        The words that a text may be; empty where any text will do.
    """

    default: Value
    meaning: str
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def accepted(self) -> str:
        """What it takes, in words."""
        if self.choices:
            return " | ".join(self.choices)
        words = _KINDS[type(self.default)]
        if self.least is not None and self.most is not None:
            return f"{words} from {self.least:g} to {self.most:g}"
        if self.least is not None:
            return f"{words}, at least {self.least:g}"
        if self.most is not None:
            return f"{words}, at most {self.most:g}"
        return words

    def fits(self, value: object) -> bool:
        """Say whether a value may be chosen.

        Parameters
        ----------
        value : object
            Any value.

        Returns
        -------
        bool
            False also for a value of another type: True is no number, and 1.0 no whole number.
        """
        kind = type(self.default)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            return False
        if isinstance(value, str):
            return not self.choices or value in self.choices
        if isinstance(value, bool):
            return True
        assert isinstance(value, int | float)
        low = -math.inf if self.least is None else self.least
        high = math.inf if self.most is None else self.most
        return math.isfinite(value) and low <= value <= high


def suggestion(word: str, accepted: Iterable[str]) -> str:
    """Give the end of a message about a word that is not known.

    Parameters
    ----------
    word : str
        What was got.
    accepted : iterable of str
        What is known.

    Returns
    -------
    str
        All that is accepted, sorted, and the one that was probably meant.

    Examples
    --------
    >>> suggestion("contxt", ["context", "bands"])
    "choose from bands, context; did you mean 'context'?"
    """
    known = sorted(accepted)
    near = difflib.get_close_matches(word, known, n=1)
    words = f"choose from {', '.join(known)}" if known else "there is nothing to choose"
    return words + (f"; did you mean {near[0]!r}?" if near else "")


def split_spec(spec: str) -> tuple[str, str]:
    """Part a name from its settings.

    Parameters
    ----------
    spec : str
        ``name`` or ``name:settings``.

    Returns
    -------
    name : str
        What stands before the first colon, without spaces around it.
    settings : str
        What stands after it; empty where there is no colon.

    Raises
    ------
    SpecError
        If the name is empty, or a colon is followed by nothing.

    Examples
    --------
    >>> split_spec("logmel:context=4")
    ('logmel', 'context=4')
    """
    name, colon, settings = (part.strip() for part in spec.partition(":"))
    if not name:
        raise SpecError(f"{spec!r}: the name is empty; write name or name:key=value,key=value")
    if colon and not settings:
        raise SpecError(f"{spec!r}: the colon is followed by nothing; write {name} or {name}:key=value")
    return name, settings


def parse_settings(text: str, fields: Mapping[str, Setting], *, where: str) -> dict[str, Value]:
    """Read ``key=value,key=value``.

    Parameters
    ----------
    text : str
        The settings; empty for none.
    fields : mapping of str to Setting
        What may be set.
    where : str
        The name that the settings belong to, for messages.

    Returns
    -------
    dict of str to bool, int, float or str
        Only what was set, in the types of the defaults.

    Raises
    ------
    SpecError
        If a key is not known or given twice, or a value is not accepted; the message lists what is.

    Examples
    --------
    >>> parse_settings("context=4", {"context": Setting(0, "frames on each side", least=0)}, where="logmel")
    {'context': 4}
    """
    values: dict[str, Value] = {}
    if not text.strip():
        return values
    for part in text.split(","):
        key, equals, word = (piece.strip() for piece in part.partition("="))
        if not equals or not key or not word:
            raise SpecError(
                f"{where}: {part.strip()!r} is no setting; write key=value, "
                f"with commas between several; {suggestion(key, fields)}"
            )
        if key not in fields:
            raise SpecError(f"{where}: has no setting {key!r}; {suggestion(key, fields)}")
        if key in values:
            raise SpecError(f"{where}: {key} is set twice; keep one")
        field = fields[key]
        value = _read(word, type(field.default))
        if value is None or not field.fits(value):
            near = suggestion(word, field.choices) if field.choices else f"it takes {field.accepted}"
            raise SpecError(f"{where}: {key} is {word!r}; {near}")
        values[key] = value
    return values


def _read(word: str, kind: type) -> Value | None:
    if kind is str:
        return word
    if kind is bool:
        return _SWITCH.get(word.lower())
    try:
        return int(word) if kind is int else float(word)
    except ValueError:
        return None


def check_settings(where: str, fields: Mapping[str, Setting], values: Mapping[str, object]) -> None:
    """Check settings that came as Python values.

    Parameters
    ----------
    where : str
        The name that they belong to, for messages.
    fields : mapping of str to Setting
        What may be set.
    values : mapping of str to object
        Some or all of them.

    Raises
    ------
    SpecError
        If a key is not known or a value is not accepted.
    """
    for key, value in values.items():
        if key not in fields:
            raise SpecError(f"{where}: has no setting {key!r}; {suggestion(key, fields)}")
        if not fields[key].fits(value):
            raise SpecError(f"{where}: {key} is {value!r}; it takes {fields[key].accepted}")


def name_with(base: str, fields: Mapping[str, Setting], values: Mapping[str, Value]) -> str:
    """Give the canonical name of something with its settings.

    Parameters
    ----------
    base : str
        Its name with every setting at its default.
    fields : mapping of str to Setting
        What may be set.
    values : mapping of str to bool, int, float or str
        What is set; what is missing is at its default.

    Returns
    -------
    str
        The base, and the settings that differ from their defaults, sorted by key. Reading it back gives the
        same values.

    Examples
    --------
    >>> name_with("logmel", {"context": Setting(0, "frames"), "bands": Setting(80, "bands")}, {"context": 4})
    'logmel:context=4'
    """
    parts = [
        f"{key}={_word(values[key], type(fields[key].default))}"
        for key in sorted(values)
        if values[key] != fields[key].default
    ]
    return f"{base}:{','.join(parts)}" if parts else base


def _word(value: Value, kind: type) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return repr(float(value)) if kind is float else str(value)


def split_list(text: str) -> list[str]:
    """Part a comma-separated list of names that may carry settings with commas of their own.

    Parameters
    ----------
    text : str
        A piece that is a mere ``key=value`` belongs to the name before it.

    Returns
    -------
    list of str
        One per name; empty pieces are passed over.

    Raises
    ------
    SpecError
        If the list begins with a setting.

    Examples
    --------
    >>> split_list("logmel:bands=40,context=4,mfcc,untrained:ge2e#0")
    ['logmel:bands=40,context=4', 'mfcc', 'untrained:ge2e#0']
    """
    specs: list[str] = []
    for piece in (part.strip() for part in text.split(",")):
        if not piece:
            continue
        if "=" in piece and ":" not in piece.partition("=")[0]:
            if not specs or ":" not in specs[-1]:
                raise SpecError(f"{text!r}: the setting {piece!r} follows no name; write name:{piece}")
            specs[-1] += f",{piece}"
        else:
            specs.append(piece)
    return specs
