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

from otoscope.corpora.wording import MOST_NAMED, NEAR, did_you_mean, joined, some_of
from otoscope.errors import SpecError

__all__ = [
    "REGIONS",
    "TONE_TYPES",
    "Confidence",
    "Kind",
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

Kind = Literal["region", "tone_type"]
LEAST_LETTERS = 3  # of a word from the middle of a name
_KINDS: Mapping[Kind, tuple[str, ...]] = {"region": REGIONS, "tone_type": TONE_TYPES}
_NOUNS: Mapping[Kind, str] = {"region": "region", "tone_type": "tone type"}
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
    words: Sequence[str], there: Iterable[str], *, typology: LanguageTable | None = None, kind: Kind | None = None
) -> tuple[str, ...]:
    """Give the languages that some words name.

    Parameters
    ----------
    words : sequence of str
        Codes, ``all``, regions and tone types, in any mixture; upper and lower case are the same. Of a region or a
        tone type a beginning is enough, or a word of it (``sub_saharan``, ``eastern``), where only one has it. A
        code that is there goes before all else. ``no_tone`` is the tone type none.
    there : iterable of str
        The codes to choose from.
    typology : LanguageTable, optional
        Which language has which region and tone type; the shipped table without it.
    kind : {"region", "tone_type"}, optional
        What the words name; codes are not accepted then.

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
        elif kind is None and (word in codes or plain in lower):
            wanted.add(word if word in codes else lower[plain])
        else:
            wanted.update(_of_kind(word, plain, codes, typology, kind))
    return tuple(code for code in codes if code in wanted)


def _of_kind(
    word: str, plain: str, codes: tuple[str, ...], typology: LanguageTable | None, kind: Kind | None
) -> list[str]:
    kinds: dict[str, Kind] = {name: of for of, names in _KINDS.items() if kind in (None, of) for name in names}
    if plain == "no_tone":
        plain = "none"
    matches = [plain] if plain in kinds else [name for name in kinds if _begins(name, plain)]
    if len(matches) > 1:
        raise SpecError(f"{word!r} may be {joined(matches, 'or')}; write one of them")
    if not matches:
        raise SpecError(_unknown(word, plain, codes, kind))
    (name,) = matches
    of_code = {
        code: getattr(entry, kinds[name])
        for code in codes
        if (entry := language(code) if typology is None else typology.of(code))
    }
    found = [code for code, value in of_code.items() if value == name]
    if not found:
        named = [value for value in _KINDS[kinds[name]] if value in of_code.values()]
        said = (
            f"the {_NOUNS[kinds[name]]}s there are {', '.join(named)}" if named else "none is known of any language"
        )
        ways = f"; {_ways(codes)}" if kind is None else ""
        raise SpecError(f"no language that is there has the {_NOUNS[kinds[name]]} {name}; {said}{ways}")
    return found


def _begins(name: str, plain: str) -> bool:
    """Say whether a name, or a word of it, begins with what was typed; ``asia`` and ``asian`` are one word."""
    if plain and name.startswith(plain):
        return True
    stem = plain.removesuffix("n") if plain.endswith("an") else plain
    return len(plain) >= LEAST_LETTERS and any(part.startswith(stem) for part in name.split("_"))


def _unknown(word: str, plain: str, codes: Sequence[str], kind: Kind | None) -> str:
    """Say that there is no such language, or no such kind, and what was probably meant."""
    if kind is not None:
        meant = did_you_mean(plain, _KINDS[kind])
        noun, listed = _NOUNS[kind], ", ".join(_KINDS[kind])
        return f"there is no {noun} {word!r}; {f'{meant} The' if meant else 'the'} {noun}s are {listed}"
    by_name = {entry.name.lower(): code for code, entry in languages().items() if code in codes}
    same = [code for code in codes if plain and code.lower().split("_")[0] == plain.split("_")[0]]
    known = same or [*codes, *REGIONS, *TONE_TYPES, *by_name]
    near = [by_name[plain]] if plain in by_name else difflib.get_close_matches(plain, known, n=1, cutoff=NEAR)
    near = [by_name.get(each, each) for each in near or same[:1]]
    ways = _ways(codes)
    if not near:
        return f"there is no language {word!r}; {ways}"
    return f"there is no language {word!r}; did you mean {near[0]!r}? {ways[0].upper()}{ways[1:]}"


def _ways(codes: Sequence[str]) -> str:
    more = " (`otoscope languages` lists those of FLEURS)" if len(codes) > MOST_NAMED else ""
    return (
        f"accepted are all, a region ({', '.join(REGIONS)}), a tone type ({', '.join(TONE_TYPES)}), or a code "
        f"that is there: {some_of(codes) or 'there is none'}{more}"
    )
