r"""The layout of FLEURS on disk, unpacked.

::

    data/
        en_us/
            train.tsv  dev.tsv  test.tsv
            audio/
                train/  dev/  test/      one WAV file per line of the table
        vi_vn/ ...

A table has no header, no quoting, and seven columns between tabs: the id of the sentence (the same for all
recordings of it, in every language), the name of the file, the text as written, the text without punctuation in
lower case, that text letter by letter with ``|`` for each space, the number of samples, and the gender of the
speaker. Who speaks is not said.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from otoscope.corpora.base import SPLITS, Failure, Split
from otoscope.corpora.wording import counted, problem_of
from otoscope.errors import SpecError
from otoscope.store import write_text

__all__ = [
    "Gender",
    "Row",
    "audio_path",
    "configs",
    "normalise_text",
    "parse_row",
    "read_rows",
    "table_path",
    "write_rows",
]

Gender = Literal["MALE", "FEMALE", "OTHER"]
GENDERS: tuple[Gender, ...] = get_args(Gender)
N_COLUMNS = 7


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: one recording.

    Parameters
    ----------
    sentence : int, >= 0
        The id of the sentence.
    file_name : str
        A plain name, without folders.
    raw_transcription : str
        The text as written; without tabs and line ends.
    transcription : str
        The text without punctuation, in lower case.
    n_samples : int, > 0
        Length of the recording.
    gender : {"MALE", "FEMALE", "OTHER"}
        Of the speaker.

    Raises
    ------
    SpecError
        If one of these is not so.
    """

    sentence: int
    file_name: str
    raw_transcription: str
    transcription: str
    n_samples: int
    gender: Gender

    def __post_init__(self) -> None:
        if self.sentence < 0:
            raise SpecError(f"the id of the sentence is {self.sentence}; it must be 0 or above")
        if not self.file_name or self.file_name in {".", ".."} or set(self.file_name) & set("/\\\0"):
            raise SpecError(f"the file name is {self.file_name!r}; a plain name without folders is needed")
        if self.n_samples <= 0:
            raise SpecError(f"the number of samples is {self.n_samples}; it must be above 0")
        if self.gender not in GENDERS:
            raise SpecError(f"the gender is {self.gender!r}; choose from {', '.join(GENDERS)}")
        for text in (self.file_name, self.raw_transcription, self.transcription):
            if set(text) & set("\t\n\r"):
                raise SpecError(f"the text {text!r} holds a tab or a line end, which this format cannot")

    @property
    def characters(self) -> str:
        """The transcription letter by letter.

        Returns
        -------
        str
            Its characters between spaces, with ``|`` for each space.
        """
        return " ".join("|" if character == " " else character for character in self.transcription)

    def format(self) -> str:
        """Give the line of the table.

        Returns
        -------
        str
            Seven columns between tabs, without a line end.
        """
        return "\t".join(
            (
                str(self.sentence),
                self.file_name,
                self.raw_transcription,
                self.transcription,
                self.characters,
                str(self.n_samples),
                self.gender,
            )
        )


def parse_row(line: str) -> Row:
    r"""Read one line of a table.

    Parameters
    ----------
    line : str
        Without its line end.

    Returns
    -------
    Row
        Its recording. The column of single letters is not looked at.

    Raises
    ------
    SpecError
        If it has other than seven columns, or one of them cannot be.

    Examples
    --------
    >>> parse_row("7\ta.wav\tYes.\tyes\ty e s\t16000\tFEMALE").n_samples
    16000
    """
    fields = line.split("\t")
    if len(fields) != N_COLUMNS:
        raise SpecError(f"has {counted(len(fields), 'column')}; {N_COLUMNS} between tabs are needed")
    sentence, file_name, raw, transcription, _, n_samples, gender = fields
    return Row(
        _whole_number(sentence, "the id of the sentence"),
        file_name,
        raw,
        transcription,
        _whole_number(n_samples, "the number of samples"),
        cast("Gender", gender.strip()),
    )


def _whole_number(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise SpecError(f"{name} is {text!r}; a whole number is needed")
    return int(text)


def normalise_text(text: str) -> str:
    """Give a text without punctuation and symbols, in lower case, with single spaces.

    Parameters
    ----------
    text : str
        As written.

    Returns
    -------
    str
        Letters, marks, digits and single spaces.

    Examples
    --------
    >>> normalise_text("Everyone has the right to life,  liberty.")
    'everyone has the right to life liberty'
    """
    kept = (" " if unicodedata.category(c)[0] in "PSZ" or c.isspace() else c for c in text.lower())
    return " ".join("".join(kept).split())


def table_path(root: Path, config: str, split: Split) -> Path:
    """Say where a table is.

    Parameters
    ----------
    root : Path
        The folder that holds ``data``.
    config : str
        The language.
    split : {"train", "dev", "test"}
        The split.

    Returns
    -------
    Path
        ``root/data/config/split.tsv``.
    """
    return root / "data" / config / f"{split}.tsv"


def audio_path(root: Path, config: str, split: Split, file_name: str) -> Path:
    """Say where a recording is.

    Parameters
    ----------
    root : Path
        The folder that holds ``data``.
    config : str
        The language.
    split : {"train", "dev", "test"}
        The split.
    file_name : str
        As in the table.

    Returns
    -------
    Path
        ``root/data/config/audio/split/file_name``.
    """
    return root / "data" / config / "audio" / split / file_name


def configs(root: Path) -> tuple[str, ...]:
    """List the languages for which there is a table.

    Parameters
    ----------
    root : Path
        The folder that holds ``data``.

    Returns
    -------
    tuple of str
        Sorted; empty where there is no ``data``.
    """
    folder = root / "data"
    if not folder.is_dir():
        return ()
    return tuple(
        sorted(
            entry.name
            for entry in folder.iterdir()
            if any(table_path(root, entry.name, split).is_file() for split in SPLITS)
        )
    )


def read_rows(path: Path, *, name: str | None = None) -> tuple[tuple[Row, ...], tuple[Failure, ...]]:
    """Read a table; a bad line costs that line only.

    Parameters
    ----------
    path : Path
        The table, as UTF-8.
    name : str, optional
        What failures are called by, before the number of the line; the path without it.

    Returns
    -------
    rows : tuple of Row
        In the order of the file; each file name once.
    failures : tuple of Failure
        One per line that cannot be used.

    Raises
    ------
    SpecError
        If the table is missing.
    """
    name = str(path) if name is None else name
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {problem_of(error)}") from error
    rows: dict[str, Row] = {}
    failures: list[Failure] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = parse_row(line.removesuffix(b"\r").decode())
            if row.file_name in rows:
                raise SpecError(f"the file {row.file_name} was named in a line above; the first one stays")
            rows[row.file_name] = row
        except UnicodeDecodeError as error:
            reason = f"is not UTF-8 at byte {error.start + 1}"
            failures.append(Failure(f"{name} line {number}", "corpus", reason))
        except SpecError as error:
            failures.append(Failure(f"{name} line {number}", "corpus", str(error)))
    return tuple(rows.values()), tuple(failures)


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write a table whole.

    Parameters
    ----------
    path : Path
        Where.
    rows : iterable of Row
        In the order wanted.
    """
    write_text(path, "".join(f"{row.format()}\n" for row in rows))
