"""Answers for the terminal: tables without heavy borders, teal for what is found, grey for what it is held to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from otoscope.report.profile import ROLE_TITLES, Profile, best_point
from otoscope.report.tokens import DASH, interval, number

__all__ = ["FOUND", "QUIET", "matrix_table", "plain_table", "print_profile", "reasons", "rows_table", "sweep_table"]

FOUND, QUIET = "dark_cyan", "grey58"
HEADLINES = (("r2", "R2"), ("within_r", "r"))
WIDE = 118  # columns that the whole profile needs


def plain_table(*, title: str | None = None) -> Table:
    """Give an empty table in the house style.

    Parameters
    ----------
    title : str, optional
        Above it, on the left.

    Returns
    -------
    Table
        Without borders.
    """
    return Table(box=None, title=title, title_justify="left", title_style="bold", header_style=QUIET, pad_edge=False)


def print_profile(console: Console, profile: Profile) -> None:
    """Print the layer profile of one role, and what it says.

    Parameters
    ----------
    console : Console
        Where.
    profile : Profile
        What.
    """
    table = plain_table(title=ROLE_TITLES[profile.role])
    if profile.why_empty:
        console.print(Text(ROLE_TITLES[profile.role], style="bold"))
        console.print(Text(f"{DASH}  {profile.why_empty}", style=QUIET), "")
        return
    # In a narrow window what a score is held to is shown for the last metric only; --json and --rows have it all.
    names = ("control", "baseline", "untrained") if console.width >= WIDE else ("ctrl", "base", "copy")
    held = [metric for metric, _ in HEADLINES if console.width >= WIDE or metric == HEADLINES[-1][0]]
    table.add_column("layer", no_wrap=True)
    for metric, name in HEADLINES:
        table.add_column(f"{name} (95 %)", no_wrap=True)
        for held_to in names if metric in held else ():
            table.add_column(held_to, style=QUIET, justify="right", no_wrap=True)
    best = best_point(profile.points)
    before = None
    for point in profile.points:
        if point.model != before:
            table.add_row(Text(point.model, style="bold" if point.kind == "model" else QUIET))
            before = point.model
        cells = [Text(f"  {point.layer} {point.layer_name}", style="" if point.kind == "model" else QUIET)]
        for metric, _ in HEADLINES:
            row = point.scores[metric]
            style = FOUND if point is best else ("" if point.kind == "model" else QUIET)
            cells.append(Text(interval(row["value"], row["low"], row["high"]), style=style))
            baseline = row["baseline"] if point.kind != "baseline" else None
            if metric in held:
                cells += [Text(number(v)) for v in (row["control"], baseline, point.untrained[metric])]
        table.add_row(*cells)
    console.print(table)
    if console.width < WIDE:
        console.print(Text("ctrl: control, base: best baseline, copy: untrained copy; all for r", style=QUIET))
    if profile.answer:
        console.print(Text(profile.answer, style=FOUND), soft_wrap=False)
    console.print()


def reasons(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Give the reasons of missing values and intervals, each once.

    Parameters
    ----------
    rows : sequence of dict
        As :func:`otoscope.studies.pitch.answer.table_rows` gives them.

    Returns
    -------
    list of str
        In the order in which they come.
    """
    return list(dict.fromkeys(row["reason"] for row in rows if row["reason"]))


def rows_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Lay out rows of the table for reading.

    Parameters
    ----------
    rows : sequence of dict
        As :func:`otoscope.studies.pitch.answer.table_rows` gives them.

    Returns
    -------
    Table
        One line per row; a missing value is an en dash, and :func:`reasons` says why.
    """
    table = plain_table()
    for name in ("model", "layer", "train", "test", "target", "metric"):
        table.add_column(name, no_wrap=True)
    table.add_column("value (95 %)", style=FOUND, no_wrap=True)
    for name in ("unit", "control", "baseline", "utterances"):
        table.add_column(name, style=QUIET, justify="right" if name != "unit" else "left", no_wrap=True)
    for row in rows:
        value = interval(row["value"], row["low"], row["high"])
        table.add_row(
            row["model"],
            str(row["layer"]),
            row["train"],
            row["test"],
            row["target"],
            row["metric"],
            value,
            "" if row["unit"] == "1" else row["unit"],
            number(row["control"]),
            number(row["baseline"]),
            str(row["n_utterances"]),
        )
    return table


def matrix_table(rows: Sequence[dict[str, Any]], *, title: str) -> Table:
    """Lay out one model's layer as a source x test matrix.

    Parameters
    ----------
    rows : sequence of dict
        Of one model, layer and metric.
    title : str
        Above it.

    Returns
    -------
    Table
        Source languages down, tested languages across, in the order in which they come.
    """
    tests = list(dict.fromkeys(row["test"] for row in rows))
    table = plain_table(title=title)
    table.add_column("trained on", no_wrap=True)
    for test in tests:
        table.add_column(test.split("_")[0], justify="right", no_wrap=True)
    value = {(row["train"], row["test"]): row["value"] for row in rows}
    for train in dict.fromkeys(row["train"] for row in rows):
        own = train.removeprefix("lang:")
        table.add_row(own, *(Text(number(value.get((train, t))), style=FOUND if t == own else "") for t in tests))
    return table


def sweep_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Lay out a sweep of label shifts.

    Parameters
    ----------
    rows : sequence of dict
        As :func:`otoscope.studies.pitch.sweep.sweep_shifts` gives them.

    Returns
    -------
    Table
        One line per layer: r within utterances at every shift, and where it peaks.
    """
    table = plain_table(title="r within utterances, labels moved by (ms)")
    table.add_column("layer", no_wrap=True)
    table.add_column("lag", justify="right", style=QUIET, no_wrap=True)
    for shift in dict.fromkeys(row["shift_ms"] for row in rows):
        table.add_column(f"{shift:g}", justify="right", no_wrap=True)
    table.add_column("best", justify="right", style=FOUND, no_wrap=True)
    for key in dict.fromkeys((row["model"], row["layer"]) for row in rows):
        part = [row for row in rows if (row["model"], row["layer"]) == key]
        highest = max((row["within_r"] for row in part if row["within_r"] is not None), default=None)
        best = part[0]["best_shift_ms"]
        table.add_row(
            f"{key[0]} {key[1]} {part[0]['layer_name']}",
            f"{part[0]['lag_ms']:g}",
            *(Text(number(row["within_r"]), style=FOUND if row["within_r"] == highest else "") for row in part),
            DASH if best is None else f"{best:.0f} ms",
        )
    return table
