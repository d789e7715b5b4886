"""Settings written as the text that they are read from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otoscope.game.settings import StudySettings

__all__ = ["settings_toml"]


def settings_toml(settings: StudySettings) -> str:
    """Write settings as the text that :func:`~otoscope.game.settings.read_settings` reads, defaults included.

    Parameters
    ----------
    settings : StudySettings
        What to write.

    Returns
    -------
    str
        TOML; settings without a value stand as comments.
    """
    return "\n".join(_table(settings.model_dump(mode="json"), ())) + "\n"


def _table(values: dict[str, Any], path: tuple[str, ...]) -> list[str]:
    plain = {key: value for key, value in values.items() if not _is_table(value)}
    lines = [f"[{'.'.join(map(_key, path))}]"] if path and (plain or not values) else []
    lines += [f"# {key} =" if value is None else f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
    for key, value in values.items():
        if isinstance(value, dict) and _is_table(value):
            lines += ["", *_table(value, (*path, key))]
        elif _is_table(value):
            for row in value:
                lines += ["", f"[[{'.'.join(map(_key, (*path, key)))}]]"]
                lines += [f"{_key(k)} = {_value(v)}" for k, v in row.items() if v is not None]
    return lines


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None) + " }"
    return _quoted(str(value))


def _quoted(text: str) -> str:
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(escapes.get(c, c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}") for c in text) + '"'
