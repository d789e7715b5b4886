"""Texts to be spoken: the Universal Declaration of Human Rights, cut into sentences of a few seconds.

The texts are the samples that the `gflanguages` package ships as data for hundreds of languages: passages of the
declaration, in most languages some of its articles, in others its preamble. The package itself is not imported.
Sentence `k` of one language is therefore about where sentence `k` of another is, and not its translation.
"""

from __future__ import annotations

import importlib.util
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from otoscope.errors import MissingExtraError, SpecError

__all__ = ["cut_phrase", "find_package", "join_phrases", "parse_sample_text", "passages", "phrases", "read_passages"]

DEMO_REMEDY = "pip install 'otoscope[demo]'"
PASSAGES = ("specimen_16", "specimen_21", "specimen_32", "specimen_36", "specimen_48", "tester", "styles")

_BLOCK = re.compile(r"^sample_text \{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_FIELD = re.compile(rf"^[ \t]*(\w+):\s*({_STRING.pattern}(?:\s*{_STRING.pattern})*)", re.MULTILINE)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ENDS = (  # by number where a mark looks like another one
    ".!?;:,\u2026"  # Latin, Greek, Cyrillic, Hebrew
    "\u3002\u3001\uff01\uff1f\uff1b\uff1a\uff0c"  # Chinese, Japanese, Korean: full stop, list comma, ! ? ; : ,
    "\u0964\u0965"  # the scripts of India: danda, double danda
    "\u061f\u061b\u060c\u06d4"  # Arabic: ? ; , full stop
    "\u1362\u1363\u1364\u1365"  # Ethiopic: full stop, comma, semicolon, colon
    "\u0589\u055d"  # Armenian: full stop, comma
)
_PHRASE_END = re.compile(rf"(?<=[{re.escape(_ENDS)}])(?!\d)")
_EDGE = _ENDS + " \"'()-\u00ab\u00bb\u201e\u201c\u201d\u2018\u2019\u2013\u2014"  # and quotes, dashes


def find_package(module: str, package: str) -> Path:
    """Find the folder of an optional package without importing it.

    Parameters
    ----------
    module : str
        The name under which it would be imported.
    package : str
        The name under which it is installed.

    Returns
    -------
    Path
        Its folder.

    Raises
    ------
    MissingExtraError
        If it is not installed, with the command that installs it.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(package, DEMO_REMEDY)
    return Path(next(iter(spec.submodule_search_locations)))


def read_passages(text_id: str) -> tuple[str, ...]:
    """Read the passages of one language from the data of `gflanguages`.

    Parameters
    ----------
    text_id : str
        A language and a script, such as ``en_Latn``.

    Returns
    -------
    tuple of str
        As :func:`passages` gives them.

    Raises
    ------
    MissingExtraError
        If `gflanguages` is not installed.
    SpecError
        If it has no text for that language.
    """
    path = find_package("gflanguages", "gflanguages") / "data" / "languages" / f"{text_id}.textproto"
    if not path.is_file():
        raise SpecError(f"gflanguages has no language {text_id} (looked for {path}); another version may")
    found = passages(parse_sample_text(path.read_text(encoding="utf-8")))
    if not found:
        raise SpecError(f"gflanguages has no sample text for {text_id} ({path}); another version may")
    return found


def parse_sample_text(text: str) -> dict[str, str]:
    r"""Read the block `sample_text` of a text-format protocol buffer.

    Parameters
    ----------
    text : str
        The file.

    Returns
    -------
    dict of str to str
        The fields of the block; empty where there is none.

    Examples
    --------
    >>> parse_sample_text('id: "x"\nsample_text {\n  tester: "All are \\"free\\""\n}\n')
    {'tester': 'All are "free"'}
    """
    block = _BLOCK.search(text)
    if block is None:
        return {}
    return {
        name: "".join(_unescape(part) for part in _STRING.findall(strings))
        for name, strings, *_ in _FIELD.findall(block.group(1))
    }


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: {"n": "\n", "t": "\t"}.get(match.group(1), match.group(1)), text)


def passages(sample: dict[str, str]) -> tuple[str, ...]:
    """Give the lines of a sample text, the long passages first, without repetitions.

    Parameters
    ----------
    sample : dict of str to str
        As :func:`parse_sample_text` gives it.

    Returns
    -------
    tuple of str
        None of them is part of another one.
    """
    lines: list[str] = []
    for name in PASSAGES:
        for line in sample.get(name, "").split("\n"):
            lines.append(" ".join(line.split()))
    return tuple(_without_parts([line for line in lines if line]))


def _without_parts(texts: Sequence[str]) -> list[str]:
    """Drop what is equal to an earlier text, or a part of any other, edges and case aside."""
    cores = [text.strip(_EDGE).casefold() for text in texts]
    return [
        text
        for i, (text, core) in enumerate(zip(texts, cores, strict=True))
        if core and not any(core in other and (j < i or core != other) for j, other in enumerate(cores) if j != i)
    ]


def phrases(lines: Iterable[str]) -> tuple[str, ...]:
    """Cut lines after each mark of punctuation.

    Parameters
    ----------
    lines : iterable of str
        Passages of text.

    Returns
    -------
    tuple of str
        Each with its mark; pieces without a letter are dropped.

    Examples
    --------
    >>> phrases(["All are free, and equal. 1,000 years;"])
    ('All are free,', 'and equal.', '1,000 years;')
    """
    pieces = (piece.strip() for line in lines for piece in _PHRASE_END.split(line))
    return tuple(piece for piece in pieces if any(character.isalnum() for character in piece))


def cut_phrase(phrase: str, n_parts: int) -> tuple[str, ...]:
    """Cut a phrase into parts of about equal length, between words where there are spaces.

    Parameters
    ----------
    phrase : str
        The phrase.
    n_parts : int, > 0
        How many parts.

    Returns
    -------
    tuple of str
        At most `n_parts`; joined, they are the phrase.

    Examples
    --------
    >>> cut_phrase("the right to life and liberty", 2)
    ('the right to', 'life and liberty')
    """
    by_words = phrase.count(" ") >= 2 * n_parts
    units = re.findall(r"\S+\s*", phrase) if by_words else list(phrase)
    cut: list[str] = []
    done = 0
    for unit in units:
        middle = done + len(unit) / 2  # a unit belongs to the part in which its middle lies
        part = min(n_parts - 1, int(n_parts * middle / len(phrase)))
        if part < len(cut):
            cut[-1] += unit
        else:
            cut.append(unit)
        done += len(unit)
    return tuple(part.strip() for part in cut)


def join_phrases(
    pieces: Sequence[str], durations_s: Sequence[float], *, least_s: float, most_s: float
) -> tuple[str, ...]:
    """Make sentences of a wanted length: cut what is too long, join what is too short to its successor.

    Parameters
    ----------
    pieces : sequence of str
        Phrases in reading order.
    durations_s : sequence of float, seconds
        How long each lasts when spoken.
    least_s, most_s : float, seconds
        A sentence is closed as soon as it lasts `least_s`; a phrase longer than `most_s` is cut into equal parts of
        at most that length.

    Returns
    -------
    tuple of str
        Each lasts at least about `least_s` and at most about ``least_s + most_s``; none is part of another. What is
        left over at the end is dropped.
    """
    sentences: list[str] = []
    current: list[str] = []
    lasts_s = 0.0
    for piece, duration_s in zip(pieces, durations_s, strict=True):
        for part in cut_phrase(piece, max(1, math.ceil(duration_s / most_s))):
            part_s = duration_s * len(part) / len(piece)
            current.append(part)
            lasts_s += part_s
            if lasts_s >= least_s:
                sentences.append(" ".join(current))
                current, lasts_s = [], 0.0
    return tuple(_without_parts(sentences))
