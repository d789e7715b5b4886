"""FLEURS as Parquet files, as in the branch ``refs/convert/parquet`` of its repository on the hub.

The table is read without its sound; the sound by row group, of which two are kept.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

from otoscope.corpora.archives import MOST_BYTES, stamp_of
from otoscope.corpora.base import Failure
from otoscope.corpora.layout import GENDERS, Gender, Row
from otoscope.corpora.wording import problem_of
from otoscope.errors import DataError, SpecError

__all__ = ["ParquetRow", "read_cell", "read_parquet_rows"]

MOST_GROUPS = 2  # kept per process; in the hub's files a group is 100 rows, about 80 MB
_NEEDED = ("id", "num_samples", "raw_transcription", "transcription", "gender", "audio")
_TEXTS = ("raw_transcription", "transcription", "path", "audio.path")


@dataclass(frozen=True, slots=True)
class ParquetRow:
    """One recording and its place.

    Parameters
    ----------
    row : Row
        As in a table of FLEURS.
    row_group : int
        The row group.
    index : int
        The row in its group.
    """

    row: Row
    row_group: int
    index: int


def read_parquet_rows(path: Path, *, name: str) -> tuple[tuple[ParquetRow, ...], tuple[Failure, ...]]:
    """Read the rows of a file without their sound.

    Parameters
    ----------
    path : Path
        With the columns ``id``, ``num_samples``, ``path``, ``audio`` (``bytes`` and ``path``), ``transcription``,
        ``raw_transcription`` and ``gender`` (0 male, 1 female, 2 other, or these words).
    name : str
        What failures are called by, before the number of the row.

    Returns
    -------
    rows : tuple of ParquetRow
        In the order of the file.
    failures : tuple of Failure
        One per row that cannot be used; one for the file where it cannot be read at all.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: list[ParquetRow] = []
    failures: list[Failure] = []
    try:
        with pq.ParquetFile(path) as file:
            columns = _columns(file.schema_arrow, name)
            for group in range(file.metadata.num_row_groups):
                for index, values in enumerate(_lines(file, group, columns)):
                    try:
                        rows.append(ParquetRow(_row(values), group, index))
                    except SpecError as error:
                        failures.append(Failure(f"{name} row group {group} row {index}", "corpus", str(error)))
    except (pa.ArrowException, OSError) as error:
        failures.append(Failure(name, "corpus", f"cannot be read: {problem_of(error)}; get {path} again"))
    except SpecError as error:
        failures.append(Failure(name, "corpus", str(error)))
    return tuple(rows), tuple(failures)


def _columns(schema: Any, name: str) -> list[str]:
    missing = [column for column in _NEEDED if column not in schema.names]
    if missing:
        raise SpecError(f"{name}: has no column {', '.join(missing)}; it has {', '.join(schema.names)}")
    audio = schema.field("audio").type
    inner = [audio.field(i).name for i in range(audio.num_fields)]
    if "bytes" not in inner:
        raise SpecError(f"{name}: the column audio has no field bytes; it has {', '.join(inner) or audio}")
    columns = [column for column in _NEEDED if column != "audio"]
    columns += [*(["path"] if "path" in schema.names else []), *(["audio.path"] if "path" in inner else [])]
    types = {field.name: field.type for field in schema} | {f"audio.{each}": audio.field(each).type for each in inner}
    for column, kind in [*((column, "string") for column in columns if column in _TEXTS), ("audio.bytes", "binary")]:
        if not _holds(types[column], kind):
            raise SpecError(
                f"{name}: the column {column} is of type {types[column]}; type {kind} is needed; get it again"
            )
    return columns


def _holds(column: Any, kind: str) -> bool:
    """Say whether a column gives values of a kind, or nothing."""
    import pyarrow as pa

    values = column.value_type if pa.types.is_dictionary(column) else column
    return str(values) in (kind, f"large_{kind}", f"{kind}_view", "null")


def _lines(file: Any, group: int, columns: list[str]) -> Iterator[dict[str, Any]]:
    yield from file.read_row_group(group, columns=columns, use_threads=False).to_pylist()


def _row(values: dict[str, Any]) -> Row:
    audio = values.get("audio") or {}
    place = audio.get("path") or values.get("path") or ""
    sentence, n_samples = values["id"], values["num_samples"]
    if sentence is None or n_samples is None:
        raise SpecError("the id of the sentence or the number of samples is empty; whole numbers are needed")
    if not isinstance(sentence, int) or not isinstance(n_samples, int):
        raise SpecError(
            f"the id of the sentence is {sentence!r}, the number of samples {n_samples!r}; whole numbers are needed"
        )
    return Row(
        sentence,
        PurePosixPath(str(place).replace("\\", "/")).name,
        values["raw_transcription"] or "",
        values["transcription"] or "",
        n_samples,
        _gender(values["gender"]),
    )


def _gender(value: object) -> Gender:
    if isinstance(value, int) and 0 <= value < len(GENDERS):
        return GENDERS[value]
    return cast("Gender", str(value).strip().upper())


class _Shelf:
    """The row groups that this process keeps, the one used last at the end."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.groups: OrderedDict[tuple[str, str, int], Any] = OrderedDict()


_shelves = [_Shelf()]


def read_cell(path: Path, row_group: int, row: int, *, clip_id: str) -> bytes:
    """Read the bytes of one recording.

    Parameters
    ----------
    path : Path
        The file.
    row_group : int
        The row group; it is kept, with one more.
    row : int
        The row in its group.
    clip_id : str
        The name to use in messages.

    Returns
    -------
    bytes
        A sound file.

    Raises
    ------
    DataError
        If the file cannot be read, or the cell is empty.
    """
    import pyarrow as pa

    if _shelves[0].pid != os.getpid():  # a forked process must not wait for a lock of its parent
        _shelves[0] = _Shelf()
    shelf = _shelves[0]
    key = (str(path), stamp_of(path), row_group)
    try:
        with shelf.lock:
            if key not in shelf.groups:
                while len(shelf.groups) >= MOST_GROUPS:
                    shelf.groups.popitem(last=False)
                shelf.groups[key] = _sounds(path, row_group)
            shelf.groups.move_to_end(key)
            cell = shelf.groups[key][row]
            if not cell.is_valid:
                raise DataError(clip_id, f"the sound in {path.name} is empty")
            if (size := len(cell.as_buffer())) > MOST_BYTES:
                raise DataError(clip_id, f"the sound has {size} bytes; at most {MOST_BYTES} are read")
            return cell.as_py()
    except FileNotFoundError:
        raise DataError(clip_id, f"there is no file {path}") from None
    except IndexError as error:
        raise DataError(
            clip_id, f"{path.name}: has no row {row} in its group {row_group}; get {path} again"
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(clip_id, f"{path.name}: cannot be read: {problem_of(error)}; get {path} again") from error


def _sounds(path: Path, row_group: int) -> Any:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:
        table = file.read_row_group(row_group, columns=["audio.bytes"], use_threads=False)
    audio = table.column("audio").combine_chunks()
    return (audio.chunk(0) if hasattr(audio, "chunk") else audio).field("bytes")
