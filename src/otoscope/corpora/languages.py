"""The 102 languages of FLEURS: region, tone type, and where the coding of the tone comes from.

A corpus may hold other languages too, under the user's own codes; they have no region and no tone type.

The column `coding` says where the tone type was read: ``W:`` and a value of chapter 13A of WALS (N no tones,
S simple, C complex), ``P`` and the number of tones in PHOIBLE, ``A`` for APiCS, ``lit`` for standard descriptions,
not checked against a database.
"""

from __future__ import annotations

import csv
import difflib
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Literal, Protocol, cast, get_args

from otoscope.errors import SpecError

__all__ = [
    "REGIONS",
    "TONE_TYPES",
    "Confidence",
    "Language",
    "LanguageEntry",
    "LanguageTable",
    "Region",
    "ToneType",
    "expand_languages",
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

SHOWN_CODES = 24
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


class LanguageEntry(Protocol):
    """What is needed of a language to find it by its kind."""

    @property
    def region(self) -> str | None:
        """The region, where known."""
        ...

    @property
    def tone_type(self) -> str | None:
        """The tone type, where known."""
        ...


class LanguageTable(Protocol):
    """A coding of languages, such as :class:`otoscope.corpora.typology.Typology`."""

    def of(self, code: str) -> LanguageEntry | None:
        """Look up a language.

        Parameters
        ----------
        code : str
            Its code.

        Returns
        -------
        LanguageEntry or None
            None where it is not in the table.
        """
        ...


def expand_languages(
    words: Sequence[str], there: Iterable[str], *, typology: LanguageTable | None = None
) -> tuple[str, ...]:
    """Give the languages that some words name.

    Parameters
    ----------
    words : sequence of str
        Codes, ``all``, regions and tone types, in any mixture; upper and lower case are the same. Of a region or a
        tone type a beginning is enough, or a word of it (``sub_saharan``, ``african``), where only one has it. A
        code that is there goes before all else. ``no_tone`` is the tone type none.
    there : iterable of str
        The codes to choose from.
    typology : LanguageTable, optional
        Which language has which region and tone type; the shipped table without it.

    Returns
    -------
    tuple of str
        Each once, in the order of `there`.

    Raises
    ------
    SpecError
        If a word names nothing, or several regions or tone types, or nothing that is there.

    Examples
    --------
    >>> expand_languages(["pitch_accent"], ["en_us", "ja_jp", "sv_se"])
    ('ja_jp', 'sv_se')
    >>> expand_languages(["en_us", "tonal"], ["yo_ng", "fr_fr", "en_us"])
    ('yo_ng', 'en_us')
    """
    codes = tuple(dict.fromkeys(there))
    if not words:
        raise SpecError(f"the list of languages is empty; {_ways(codes)}")
    lower = {code.lower(): code for code in codes}
    wanted: set[str] = set()
    for word in words:
        plain = word.strip().lower().replace("-", "_")
        if plain == "all":
            wanted.update(codes)
        elif word in codes or plain in lower:
            wanted.add(word if word in codes else lower[plain])
        else:
            found = _of_kind(word, plain, codes, typology)
            if not found:
                raise SpecError(f"the language {word!r}: none of these is there; {_ways(codes)}")
            wanted.update(found)
    return tuple(code for code in codes if code in wanted)


def _of_kind(word: str, plain: str, codes: tuple[str, ...], typology: LanguageTable | None) -> list[str]:
    kinds = {**dict.fromkeys(REGIONS, "region"), **dict.fromkeys(TONE_TYPES, "tone_type")}
    if plain == "no_tone":
        plain = "none"
    matches = [kind for kind in kinds if kind == plain] or [
        kind for kind in kinds if kind.startswith(plain) and plain
    ]
    matches = matches or [kind for kind in kinds if plain in kind.split("_")]
    if len(matches) > 1:
        raise SpecError(f"{word!r} may be {' or '.join(matches)}; write one of them")
    if not matches:
        raise SpecError(f"there is no language {word!r}; {_suggested(plain, (*codes, *kinds))}{_ways(codes)}")
    entries = {code: language(code) if typology is None else typology.of(code) for code in codes}
    return [code for code, entry in entries.items() if entry and getattr(entry, kinds[matches[0]]) == matches[0]]


def _suggested(plain: str, known: Sequence[str]) -> str:
    by_name = {entry.name.lower(): code for code, entry in languages().items() if code in known}
    close = [by_name[plain]] if plain in by_name else []
    close += [by_name.get(near, near) for near in difflib.get_close_matches(plain, [*known, *by_name], cutoff=0.7)]
    return f"did you mean {' or '.join(dict.fromkeys(close))}? " if close else ""


def _ways(codes: Sequence[str]) -> str:
    shown = ", ".join(codes[:SHOWN_CODES]) + (f" and {len(codes) - SHOWN_CODES} more" if codes[SHOWN_CODES:] else "")
    return (
        f"accepted are all, a region ({', '.join(REGIONS)}), a tone type ({', '.join(TONE_TYPES)}), or a code "
        f"that is there: {shown or 'there is none'}"
    )
