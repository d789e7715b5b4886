"""The 102 languages of FLEURS: region, tone type, and where the coding of the tone comes from.

A corpus may hold other languages too, under the user's own codes; they have no region and no tone type.

The column `coding` says where the tone type was read: ``W:`` and a value of chapter 13A of WALS (N no tones,
S simple, C complex), ``P`` and the number of tones in PHOIBLE, ``A`` for APiCS, ``lit`` for standard descriptions,
not checked against a database.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Literal, cast, get_args

from otoscope.errors import SpecError

__all__ = [
    "REGIONS",
    "TONE_TYPES",
    "Confidence",
    "Language",
    "Region",
    "ToneType",
    "is_language_code",
    "language",
    "languages",
]

Region = Literal[
    "western_european",
    "eastern_european",
    "central_asia_middle_north_african",
    "sub_saharan_african",
    "south_asian",
    "south_east_asian",
    "chinese_japanese_korean",
]
ToneType = Literal["tonal", "pitch_accent", "none"]
Confidence = Literal["high", "medium", "low"]

REGIONS: tuple[Region, ...] = get_args(Region)
TONE_TYPES: tuple[ToneType, ...] = get_args(ToneType)

_CODE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*")


@dataclass(frozen=True, slots=True)
class Language:
    """What is known of a language of FLEURS.

    Parameters
    ----------
    code : str
        The FLEURS config, such as ``en_us``.
    name : str
        In English.
    region : Region
        The geographic group of FLEURS.
    tone_type : {"tonal", "pitch_accent", "none"}
        How the language uses pitch in words.
    coding : str
        Where `tone_type` was read; the module says how.
    confidence : {"high", "medium", "low"}
        How far `tone_type` can be relied on.

    Raises
    ------
    SpecError
        If the region, the tone type or the confidence is none of those.
    """

    code: str
    name: str
    region: Region
    tone_type: ToneType
    coding: str
    confidence: Confidence

    def __post_init__(self) -> None:
        for name, accepted in (
            ("region", REGIONS),
            ("tone_type", TONE_TYPES),
            ("confidence", get_args(Confidence)),
        ):
            value: str = getattr(self, name)
            if value not in accepted:
                raise SpecError(f"Language {self.code}: {name} is {value!r}; choose from {', '.join(accepted)}")


@functools.cache
def languages() -> Mapping[str, Language]:
    """Give the 102 languages of FLEURS.

    Returns
    -------
    mapping of str to Language
        By code, in the order of the codes; read-only.

    Examples
    --------
    >>> len(languages())
    102
    """
    text = resources.files("otoscope.corpora").joinpath("languages.csv").read_text(encoding="utf-8")
    table = {
        row["code"]: Language(
            row["code"],
            row["name"],
            cast("Region", row["region"]),
            cast("ToneType", row["tone_type"]),
            row["coding"],
            cast("Confidence", row["confidence"]),
        )
        for row in csv.DictReader(text.splitlines())
    }
    return MappingProxyType(table)


def language(code: str) -> Language | None:
    """Look up a language of FLEURS.

    Parameters
    ----------
    code : str
        A FLEURS config, such as ``vi_vn``.

    Returns
    -------
    Language or None
        None where FLEURS has no language of that code.

    Examples
    --------
    >>> language("vi_vn").tone_type
    'tonal'
    >>> language("gsw_CH") is None
    True
    """
    return languages().get(code)


def is_language_code(text: str) -> bool:
    """Say whether a text has the form of a language code.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    bool
        True for two or three letters, followed by any number of parts of letters and digits (at most eight each)
        after ``-`` or ``_``. Whether there is such a language is not asked.

    Examples
    --------
    >>> [is_language_code(text) for text in ("sw", "gsw_CH", "und", "??", "12", "")]
    [True, True, True, False, False, False]
    """
    return _CODE.fullmatch(text) is not None
