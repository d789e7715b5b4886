"""Which language has tones: the shipped coding, that of WALS alone, or the user's own.

``default`` is the table of :mod:`otoscope.corpora.languages`. ``wals`` keeps the tone type only where chapter 13A of
WALS [1]_ has a value: N (no tones) is none, S (simple) and C (complex) are tonal; WALS knows no pitch accent. Any
other name is a CSV file whose rows change the shipped table or add to it.

References
----------
.. [1] I. Maddieson: Tone. In: M. S. Dryer, M. Haspelmath (eds.), The World Atlas of Language Structures Online,
   chapter 13, 2013.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import cast

from otoscope.corpora.languages import (
    REGIONS,
    TONE_TYPES,
    Confidence,
    Region,
    ToneType,
    is_language_code,
    languages,
)
from otoscope.errors import SpecError

__all__ = ["Typology", "TypologyEntry", "read_typology"]

_WALS = re.compile(r"W:([NSC])")
_COLUMNS = ("code", "tone_type", "region", "name", "coding")


@dataclass(frozen=True, slots=True)
class TypologyEntry:
    """What a typology says of one language.

    Parameters
    ----------
    code : str
        The FLEURS config, or the user's own code.
    name : str
        In English; the code where no name is known.
    region : Region or None
        None where it is not known.
    tone_type : {"tonal", "pitch_accent", "none"} or None
        None where this typology does not say.
    coding : str
        Where `tone_type` was read.
    confidence : {"high", "medium", "low"} or None
        None for the user's own coding.
    """

    code: str
    name: str
    region: Region | None
    tone_type: ToneType | None
    coding: str
    confidence: Confidence | None = None


@dataclass(frozen=True, slots=True)
class Typology:
    """A coding of languages.

    Parameters
    ----------
    name : str
        ``default``, ``wals``, or the path of the user's table.
    table : mapping of str to TypologyEntry
        By code.
    """

    name: str
    table: Mapping[str, TypologyEntry]

    def of(self, code: str) -> TypologyEntry | None:
        """Look up a language.

        Parameters
        ----------
        code : str
            Its code.

        Returns
        -------
        TypologyEntry or None
            None where it is not in the table.
        """
        return self.table.get(code)

    def describe(self) -> dict[str, object]:
        """Give the name and every tone type and region, for digests.

        Returns
        -------
        dict
            A JSON value; the path of the user's table is no part of it.
        """
        return {
            "name": self.name if self.name in ("default", "wals") else "own",
            "table": {code: [entry.tone_type, entry.region] for code, entry in sorted(self.table.items())},
        }


def read_typology(name_or_path: str | Path = "default") -> Typology:
    """Read a typology.

    Parameters
    ----------
    name_or_path : str or path
        ``default``, ``wals``, or a CSV file with the columns ``code`` and ``tone_type`` and, if wanted, ``region``,
        ``name`` and ``coding``. Its rows override the shipped ones and may name further languages. An empty tone type
        means that nothing is claimed; an empty region or name leaves the shipped one.

    Returns
    -------
    Typology
        The whole table.

    Raises
    ------
    SpecError
        If there is no such file, a column is missing, or a line holds what is not accepted.

    Examples
    --------
    >>> read_typology().of("ja_jp").tone_type, read_typology("wals").of("ja_jp").tone_type
    ('pitch_accent', 'tonal')
    >>> read_typology("wals").of("sv_se").tone_type is None
    True
    """
    shipped = {
        code: TypologyEntry(code, known.name, known.region, known.tone_type, known.coding, known.confidence)
        for code, known in languages().items()
    }
    if name_or_path == "default":
        return Typology("default", MappingProxyType(shipped))
    if name_or_path == "wals":
        return Typology("wals", MappingProxyType({code: _by_wals(entry) for code, entry in shipped.items()}))
    path = Path(name_or_path).expanduser()
    return Typology(str(path), MappingProxyType(shipped | _read_table(path, shipped)))


def _by_wals(entry: TypologyEntry) -> TypologyEntry:
    found = _WALS.match(entry.coding)
    tone_type: ToneType | None = None
    if found:
        tone_type = "none" if found[1] == "N" else "tonal"
    return TypologyEntry(entry.code, entry.name, entry.region, tone_type, entry.coding, entry.confidence)


def _read_table(path: Path, shipped: Mapping[str, TypologyEntry]) -> dict[str, TypologyEntry]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SpecError(
            f"typology {path}: cannot be read: {error.strerror}; accepted are default, wals, or the path of a CSV "
            f"file with the columns {', '.join(_COLUMNS[:2])} [{', '.join(_COLUMNS[2:])}]"
        ) from error
    except UnicodeDecodeError as error:
        raise SpecError(f"typology {path}: is not UTF-8 at byte {error.start + 1}; save it as UTF-8") from error
    reader = csv.DictReader(text.splitlines())
    columns = [(name or "").strip() for name in reader.fieldnames or ()]
    reader.fieldnames = columns
    for needed in _COLUMNS[:2]:
        if needed not in columns:
            raise SpecError(f"typology {path}: has no column {needed}; it has {', '.join(columns) or 'none'}")
    if unknown := [name for name in columns if name not in _COLUMNS]:
        said = (
            f"the columns {', '.join(unknown)} are"
            if len(unknown) > 1
            else f"the column {unknown[0] or '(no name)'} is"
        )
        raise SpecError(f"typology {path}: {said} not known; use {', '.join(_COLUMNS)}")
    table: dict[str, TypologyEntry] = {}
    for row in reader:
        entry = _entry(row, shipped, f"typology {path}, line {reader.line_num}")
        if entry.code in table:
            raise SpecError(f"typology {path}, line {reader.line_num}: {entry.code} is in a line above; name it once")
        table[entry.code] = entry
    return table


def _entry(row: Mapping[str | None, object], shipped: Mapping[str, TypologyEntry], where: str) -> TypologyEntry:
    if None in row or any(value is None for value in row.values()):
        raise SpecError(f"{where}: has not as many fields as the first line has columns")
    fields = {str(name): str(value).strip() for name, value in row.items()}
    code, tone_type, region = fields["code"], fields["tone_type"], fields.get("region", "")
    if not is_language_code(code):
        raise SpecError(f"{where}: code is {code!r}; one like en_us or yo_ng is needed")
    _check(tone_type, TONE_TYPES, f"{where}: tone_type")
    _check(region, REGIONS, f"{where}: region")
    known = shipped.get(code)
    return TypologyEntry(
        code,
        fields.get("name") or (known.name if known else code),
        cast("Region", region) if region else (known.region if known else None),
        cast("ToneType", tone_type) if tone_type else None,
        fields.get("coding") or "own",
    )


def _check(value: str, accepted: Iterable[str], where: str) -> None:
    if value and value not in (listed := tuple(accepted)):
        raise SpecError(f"{where} is {value!r}; choose from {', '.join(listed)}, or leave it empty")
