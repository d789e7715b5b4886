"""Cells of a CSV file, read into columns; what cannot be read is refused with its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError

__all__ = ["NONE", "CellReader", "read_cells"]

Texts = NDArray[np.str_]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

NONE = -1
"""Stands for "does not apply", or "not known"."""
_TRUTH = {"true": 1, "1": 1, "yes": 1, "false": 0, "0": 0, "no": 0}
_HINT = "; say how the table writes its answers (--answers numbers, or old=repeat,new=new)"


def read_cells(
    path: Path, renamed: Mapping[str, str], *, known: Sequence[str], needed: Sequence[str]
) -> tuple[dict[str, list[str]], list[int]]:
    """Read the columns of a CSV file that are ours.

    Parameters
    ----------
    path : Path
        The file; commas, semicolons or tabs divide its columns.
    renamed : mapping of str to str
        Our name of a column, to the file's own.
    known, needed : sequence of str
        Columns that are ours, and those of them that must be there.

    Returns
    -------
    cells : dict of str to list of str
        By our names, without blanks around.
    lines : list of int
        The line of each row.

    Raises
    ------
    SpecError
        If the file cannot be read, lacks a column or a cell, or has no row.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file; a CSV file with {', '.join(needed)} is needed") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot be read: {error}") from error
    if not text.strip():
        raise SpecError(f"{path}: is empty; a CSV file with {', '.join(needed)} is needed")
    head = text.lstrip("\r\n").split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((reader.line_num, [cell.strip() for cell in row]))
    except csv.Error as error:
        raise SpecError(f"{path}:{reader.line_num}: is no CSV: {error}") from error
    header = [name.lower() for name in rows[0][1]]
    places: dict[str, int] = {}
    for name in known:
        written = renamed.get(name, name).strip().lower()
        if header.count(written) > 1:
            raise SpecError(f"{path}: has the column {written!r} twice")
        if written in header:
            places[name] = header.index(written)
        elif name in needed or name in renamed:
            raise SpecError(
                f"{path}: has no column {written!r}, only {', '.join(header)}; {', '.join(needed)} are needed"
            )
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise SpecError(f"{path}:{line}: has {len(row)} cells, the header {len(header)}")
    if len(rows) == 1:
        raise SpecError(f"{path}: has a header and no rows")
    return {name: [row[place] for _, row in rows[1:]] for name, place in places.items()}, [
        line for line, _ in rows[1:]
    ]


class CellReader:
    """Turn cells into columns, and say where that cannot be done.

    Parameters
    ----------
    path : Path
        The file, for messages.
    table : mapping of str to list of str
        Cells by column.
    lines : list of int
        The line of each row.
    """

    def __init__(self, path: Path, table: Mapping[str, list[str]], lines: list[int]) -> None:
        self.path, self.table, self.lines = path, table, lines

    def refuse(self, row: int, name: str, accepted: str) -> NoReturn:
        """Say what is wrong with a cell.

        Parameters
        ----------
        row : int
            Which.
        name : str
            The column.
        accepted : str
            What would do, and the way out.

        Raises
        ------
        SpecError
            Always.
        """
        got = self.table[name][row] if name in self.table else ""
        raise SpecError(f"{self.path}:{self.lines[row]}: {name} is {got!r}; {accepted}")

    def texts(self, name: str) -> Texts:
        """Give names.

        Parameters
        ----------
        name : str
            The column.

        Returns
        -------
        ndarray of str, shape (n_rows,)
            None is empty.

        Raises
        ------
        SpecError
            If a cell is not accepted; its line is named.
        """
        for row, cell in enumerate(self.table[name]):
            if not cell:
                self.refuse(row, name, "a name is needed")
        return np.array(self.table[name], dtype=np.str_)

    def counts(self, name: str, *, least: int, most: int | None = None) -> Counts:
        """Give whole numbers.

        Parameters
        ----------
        name : str
            The column.
        least : int
            The smallest that is accepted.
        most : int, optional
            The largest.

        Returns
        -------
        ndarray of int64, shape (n_rows,)
            One for each row.

        Raises
        ------
        SpecError
            If a cell is not accepted; its line is named.
        """
        values = np.empty(len(self.lines), dtype=np.int64)
        for row, cell in enumerate(self.table[name]):
            values[row] = self._count(row, name, cell, least, most)
        return values

    def _count(self, row: int, name: str, cell: str, least: int, most: int | None) -> int:
        span = f"a whole number, {least} or more" if most is None else f"{least} or {most}"
        try:
            value = float(cell)
        except ValueError:
            value = float("nan")
        if not (value.is_integer() and least <= value <= (2**31 if most is None else most)):
            self.refuse(row, name, f"{span} is needed")
        return int(value)

    def chosen(self, name: str, codes: Mapping[str, str]) -> list[str]:
        """Give what each cell means.

        Parameters
        ----------
        name : str
            The column.
        codes : mapping of str to str
            What is written, to what it means; capitals do not matter.

        Returns
        -------
        list of str
            One for each row.

        Raises
        ------
        SpecError
            If a cell is not accepted; its line is named.
        """
        known = {**{written.lower(): meant for written, meant in codes.items()}, **codes}
        values: list[str] = []
        for row, cell in enumerate(self.table[name]):
            meant = known.get(cell, known.get(cell.lower()))
            if meant is None:
                self.refuse(row, name, f"choose from {', '.join(codes)}" + (_HINT if name == "answer" else ""))
            values.append(meant)
        return values

    def truths(self, name: str, *, empty: bool) -> Counts:
        """Give truths.

        Parameters
        ----------
        name : str
            The column.
        empty : bool
            Whether a cell may be empty.

        Returns
        -------
        ndarray of int64, shape (n_rows,)
            1 for true, 0 for false, :data:`NONE` for an empty cell.

        Raises
        ------
        SpecError
            If a cell is not accepted; its line is named.
        """
        values = np.empty(len(self.lines), dtype=np.int64)
        for row, cell in enumerate(self.table[name]):
            if cell.lower() not in _TRUTH and (cell or not empty):
                self.refuse(row, name, "write true or false")
            values[row] = _TRUTH.get(cell.lower(), NONE)
        return values

    def times(self) -> NDArray[np.float64]:
        """Give milliseconds.

        Returns
        -------
        ndarray of float64, shape (n_rows,)
            NaN where there are none.

        Raises
        ------
        SpecError
            If a cell is not accepted; its line is named.
        """
        values = np.full(len(self.lines), np.nan)
        for row, cell in enumerate(self.table.get("rt_ms", [])):
            if cell:
                try:
                    values[row] = float(cell)
                except ValueError:
                    self.refuse(row, "rt_ms", "milliseconds are needed, or nothing")
                if not np.isfinite(values[row]):
                    self.refuse(row, "rt_ms", "a finite number of milliseconds is needed, or nothing")
        return values

    def seconds(self, name: str, least: int, second: Flags, derived: Counts) -> Counts:
        """Give a column that second presentations alone have.

        Parameters
        ----------
        name : str
            The column.
        least : int
            The smallest number that is accepted.
        second : ndarray of bool, shape (n_rows,)
            Where presentations are second.
        derived : ndarray of int64, shape (n_rows,)
            What to use where the table has no such column.

        Returns
        -------
        ndarray of int64, shape (n_rows,)
            :data:`NONE` at first presentations.

        Raises
        ------
        SpecError
            If a cell is not accepted; its line is named.
        """
        if name not in self.table:
            values = np.where(second, derived, NONE)
            short = np.flatnonzero(second & (values < least))
            if short.size:
                raise SpecError(
                    f"{self.path}:{self.lines[short[0]]}: a second presentation comes without a first one before it, "
                    f"so that its {name} cannot be derived; give the column {name}"
                )
            return values
        values = np.full(len(self.lines), NONE, dtype=np.int64)
        for row, cell in enumerate(self.table[name]):
            if second[row]:
                values[row] = self._count(row, name, cell, least, None)
            elif cell:
                self.refuse(row, name, "first presentations have none; leave the cell empty")
        return values

    def no_twins(self, session: Texts, slot: Counts) -> None:
        """Refuse a slot that stands twice in a session.

        Parameters
        ----------
        session : ndarray of str, shape (n_rows,)
            Of each row.
        slot : ndarray of int64, shape (n_rows,)
            Of each row.

        Raises
        ------
        SpecError
            If one does.
        """
        seen: dict[tuple[str, int], int] = {}
        for row, key in enumerate(zip(session.tolist(), slot.tolist(), strict=True)):
            if key in seen:
                raise SpecError(
                    f"{self.path}:{self.lines[row]}: slot {key[1]} of session {key[0]!r} stands on line "
                    f"{self.lines[seen[key]]} already; keep one answer for each slot"
                )
            seen[key] = row

    def appearances(self, session: Texts, slot: Counts, track: Texts) -> tuple[NDArray[np.intp], Counts]:
        """Find the appearances of each clip in each session.

        Parameters
        ----------
        session : ndarray of str, shape (n_rows,)
            Of each row.
        slot : ndarray of int64, shape (n_rows,)
            Of each row.
        track : ndarray of str, shape (n_rows,)
            Of each row.

        Returns
        -------
        first : ndarray of int, shape (n_rows,)
            The row of the clip's first appearance, by slot.
        count : ndarray of int64, shape (n_rows,)
            Which appearance a row is, 1 or 2.

        Raises
        ------
        SpecError
            If there is a third one.
        """
        times: dict[tuple[str, str], list[int]] = {}
        first = np.empty(len(self.lines), dtype=np.intp)
        count = np.empty(len(self.lines), dtype=np.int64)
        for row in np.lexsort((slot, session)).tolist():
            rows = times.setdefault((session[row].item(), track[row].item()), [])
            rows.append(row)
            if len(rows) > 2:
                raise SpecError(
                    f"{self.path}:{self.lines[row]}: track {track[row].item()!r} appears a third time in session "
                    f"{session[row].item()!r}; keep the first two presentations of a clip"
                )
            first[row], count[row] = rows[0], len(rows)
        return first, count
