"""Answers for the terminal: tables without heavy borders, teal for what is found, grey for what it is held to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from otoscope.corpora.languages import REGIONS, TONE_TYPES
from otoscope.report.profile import Profile, best_point, stands_out
from otoscope.report.tokens import DASH, interval, number

__all__ = ["FOUND", "QUIET", "matrix_table", "plain_table", "print_profile", "reasons", "rows_table", "sweep_table"]

FOUND, QUIET = "dark_cyan", "grey58"
HEADLINES = (("r2", "R2"), ("within_r", "r"))
WIDE = 118  # columns that the whole profile needs
GAP = 2  # between two columns
OWN, NOT_CODED = "", "not coded"


def plain_table(*, title: str | None = None, caption: str | None = None) -> Table:
    """Give an empty table in the house style.

    Parameters
    ----------
    title, caption : str, optional
        Above and below it, on the left.

    Returns
    -------
    Table
        Without borders.
    """
    return Table(
        box=None,
        title=None if title is None else Text(title),
        title_justify="left",
        title_style="bold",
        caption=None if caption is None else Text(caption),
        caption_justify="left",
        caption_style=QUIET,
        header_style=QUIET,
        pad_edge=False,
    )


def _in_parts(widths: Sequence[int], room: int) -> Iterator[range]:
    """Cut columns into runs that fit beside each other, so that no number is cut; a run has at least one."""
    first, used = 0, 0
    for i, width in enumerate(widths):
        if i > first and used + width + GAP > room:
            yield range(first, i)
            first, used = i, 0
        used += width + GAP
    yield range(first, len(widths))


def print_profile(console: Console, profile: Profile) -> None:
    """Print the layer profile of one role, and what it says.

    Parameters
    ----------
    console : Console
        Where.
    profile : Profile
        What.
    """
    console.print(Text(profile.title, style="bold"))
    if profile.why_empty:
        console.print(Text(f"{DASH}  {profile.why_empty}", style=QUIET), "")
        return
    # In a narrow window what a score is held to is shown for the last metric only; --json and --rows have it all.
    names = ("control", "baseline", "untrained") if console.width >= WIDE else ("ctrl", "base", "copy")
    held = [metric for metric, _ in HEADLINES if console.width >= WIDE or metric == HEADLINES[-1][0]]
    table = plain_table()
    table.add_column("layer", overflow="fold")  # the only one that gives way to a narrow window
    for metric, name in HEADLINES:
        table.add_column(f"{name} (95 %)", no_wrap=True)
        for held_to in names if metric in held else ():
            table.add_column(held_to, style=QUIET, justify="right", no_wrap=True)
    best = best_point(profile.points)
    if best is not None and not stands_out(best):
        best = None
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
    for reason in reasons([point.scores[metric] for point in profile.points for metric, _ in HEADLINES]):
        if reason not in profile.answer:
            console.print(Text(f"{DASH} {reason}", style=QUIET))
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


def rows_table(rows: Sequence[dict[str, Any]], *, width: int = WIDE) -> Table:
    """Lay out rows of the table for reading.

    Parameters
    ----------
    rows : sequence of dict
        As :func:`otoscope.studies.pitch.answer.table_rows` gives them.
    width : int, columns
        Of the window; a narrow one has no room for unit, control and baseline.

    Returns
    -------
    Table
        One line per row; a missing value is an en dash, and :func:`reasons` says why.
    """
    wide = width >= WIDE
    table = plain_table(caption=None if wide else "unit, control and baseline: in a wider window, and with --json")
    names = ["model", "layer", "train", "test", "target", "metric"]
    if any(row["mask"] not in ("voiced", "all") for row in rows):
        names.insert(-1, "mask")
    for name in names:
        table.add_column(name, no_wrap=name in ("layer", "train", "mask", "metric"), overflow="fold")
    table.add_column("value (95 %)", style=FOUND, no_wrap=True)
    for name in ("unit", "control", "baseline", "utterances") if wide else ("n",):
        table.add_column(name, style=QUIET, justify="right" if name != "unit" else "left", no_wrap=True)
    for row in rows:
        cells = [DASH if row[name] is None else str(row[name]).removeprefix("voiced-") for name in names]
        cells.append(interval(row["value"], row["low"], row["high"]))
        if wide:
            cells += ["" if row["unit"] == "1" else row["unit"], number(row["control"]), number(row["baseline"])]
        table.add_row(*map(Text, [*cells, str(row["n_utterances"])]))
    return table


def matrix_table(
    rows: Sequence[dict[str, Any]],
    *,
    title: str,
    width: int = WIDE,
    regions: Mapping[str, str | None] | None = None,
    tone_types: Mapping[str, str | None] | None = None,
) -> Group:
    """Lay out one model's layer as a source x test matrix.

    Parameters
    ----------
    rows : sequence of dict
        Of one model, layer and metric.
    title : str
        Above it.
    width : int, columns
        Of the window. Intervals are shown where all of them fit beside each other.
    regions, tone_types : mapping of str to str or None, optional
        Of the languages, as the run codes them. With them, a matrix that does not fit is one of groups of languages;
        without them, what does not fit is put below the rest.

    Returns
    -------
    Group
        Source languages down, tested languages across, in the order in which they come. Tested languages that the
        model heard in its training are marked.
    """
    sources = {train: train.removeprefix("lang:") for train in dict.fromkeys(row["train"] for row in rows)}
    tests = list(dict.fromkeys(row["test"] for row in rows))
    heard = {row["test"] for row in rows if row.get("heard")}
    short = [test.split("_")[0] for test in tests]
    names = [name if short.count(name) == 1 else test for name, test in zip(short, tests, strict=True)]
    names = [f"{name} *" if test in heard else name for name, test in zip(names, tests, strict=True)]
    found = {(row["train"], row["test"]): row for row in rows}
    first = "trained on"
    room = width - max(map(len, [first, *sources.values()]))

    def laid_out(say: Callable[[dict[str, Any]], str]) -> tuple[list[list[str]], list[int]]:
        columns = [[say(found[t, test]) if (t, test) in found else DASH for t in sources] for test in tests]
        return columns, [max(map(len, [name, *column])) for name, column in zip(names, columns, strict=True)]

    columns, widths = laid_out(lambda row: interval(row["value"], row["low"], row["high"]))
    if len(list(_in_parts(widths, room))) > 1:
        columns, widths = laid_out(lambda row: number(row["value"]))
        typology = {"region": regions, "tone type": tone_types}
        if len(list(_in_parts(widths, room))) > 1 and any(typology.values()):
            return _groups_matrix(rows, typology, heard, title=title, width=width)
    parts: list[Text | Table] = [Text(title, style="bold")]
    for part in _in_parts(widths, room):
        table = plain_table()
        table.add_column(first, no_wrap=True)
        for i in part:
            table.add_column(names[i], justify="right", no_wrap=True)
        for line, own in enumerate(sources.values()):
            cells = (Text(columns[i][line], style=FOUND if tests[i] == own else "") for i in part)
            table.add_row(Text(own), *cells)
        parts.append(table)
    if heard:
        parts.append(Text("* the model heard this language in its training", style=QUIET))
    return Group(*parts)


def _groups_matrix(
    rows: Sequence[dict[str, Any]],
    typology: Mapping[str, Mapping[str, str | None] | None],
    heard: set[str],
    *,
    title: str,
    width: int,
) -> Group:
    """Lay out the means over groups of languages: of the pairs of two languages, and of languages on themselves."""
    parts: list[Text | Table] = [Text(title, style="bold")]
    for kind, group_of in typology.items():
        if group_of:
            parts += _one_grouping(rows, kind, group_of, width)
    parts.append(
        Text(
            "Trained on the groups down, tested on those across: means over pairs of two different languages, "
            "n: how many pairs; own: languages on themselves. One tested language with its intervals: "
            "--matrix --test CODE; every pair: --matrix --json.",
            style=QUIET,
        )
    )
    if heard:
        codes = ", ".join(test for test in dict.fromkeys(row["test"] for row in rows) if test in heard)
        parts.append(Text(f"The model heard in its training: {codes}", style=QUIET))
    return Group(*parts)


def _one_grouping(
    rows: Sequence[dict[str, Any]], kind: str, group_of: Mapping[str, str | None], width: int
) -> Iterator[Table]:
    values: dict[tuple[str, str], list[float]] = {}
    sizes: dict[str, set[str]] = {}
    for row in rows:
        source, test = row["train"].removeprefix("lang:"), row["test"]
        line, column = (group_of.get(code) or NOT_CODED for code in (source, test))
        sizes.setdefault(line, set()).add(source)
        sizes.setdefault(column, set()).add(test)
        if row["value"] is not None:
            values.setdefault((line, OWN if source == test else column), []).append(row["value"])
    order = [*REGIONS, *TONE_TYPES]
    groups = sorted(
        sizes, key=lambda name: (name == NOT_CODED, order.index(name) if name in order else len(order), name)
    )

    def say(line: str, column: str) -> str:
        there = values.get((line, column), [])
        return f"{number(sum(there) / len(there))} n {len(there)}" if there else DASH

    shown = {column: [say(line, column) for line in groups] for column in (OWN, *groups)}
    heads = {column: column.replace("_", " ") if column != OWN else "own" for column in shown}
    widths = [max(map(len, [*heads[column].split(), *cells])) for column, cells in shown.items()]
    labels = [f"{name.replace('_', ' ')} ({len(sizes[name])})" for name in groups]
    least = max(len(word) for text in (kind, *labels) for word in text.split())
    left = width - sum(widths) - GAP * len(widths)
    label = min(max(map(len, (kind, *labels))), left if left >= least else max(least, width // 3))
    for part in _in_parts(widths, width - label):
        table = plain_table()
        table.add_column(kind, width=label)
        for i in part:
            table.add_column(list(heads.values())[i], justify="right", width=widths[i])
        for line, name in enumerate(groups):
            cells = [list(shown.items())[i] for i in part]
            styled = [Text(column[line], style=FOUND if key in (OWN, name) else "") for key, column in cells]
            table.add_row(Text(labels[line]), *styled)
        yield table


def sweep_table(rows: Sequence[dict[str, Any]], *, width: int = WIDE) -> Group:
    """Lay out a sweep of label shifts.

    Parameters
    ----------
    rows : sequence of dict
        As :func:`otoscope.studies.pitch.sweep.sweep_shifts` gives them.
    width : int, columns
        Of the window; what does not fit beside each other is put below each other.

    Returns
    -------
    Group
        One line per layer: r within utterances at every shift, and where it peaks.
    """
    shifts = list(dict.fromkeys(row["shift_ms"] for row in rows))
    layers = list(dict.fromkeys((row["model"], row["layer"], row["layer_name"]) for row in rows))
    found = {(row["model"], row["layer"], row["shift_ms"]): row for row in rows}
    lines = [[found[model, layer, shift] for shift in shifts] for model, layer, _ in layers]
    lags = [f"{line[0]['lag_ms']:.4g}" for line in lines]
    names = [f"{model} {layer} {name}" for model, layer, name in layers]
    tops = [max((row["within_r"] for row in line if row["within_r"] is not None), default=None) for line in lines]
    peaks = [
        DASH if line[0]["best_shift_ms"] is None else f"{round(line[0]['best_shift_ms']):d} ms" for line in lines
    ]
    widths = [
        max(len(f"{shift:g}"), *(len(number(line[i]["within_r"])) for line in lines))
        for i, shift in enumerate(shifts)
    ]
    label = min(max(map(len, names)), width // 3)
    room = (
        width - label - sum(max(map(len, (head, *cells))) + GAP for head, cells in (("lag", lags), ("best", peaks)))
    )
    parts: list[Text | Table] = [Text("r within utterances, labels moved by (ms)", style="bold")]
    for part in _in_parts(widths, room):
        table = plain_table()
        table.add_column("layer", overflow="fold")
        table.add_column("lag", justify="right", style=QUIET, no_wrap=True)
        for i in part:
            table.add_column(f"{shifts[i]:g}", justify="right", no_wrap=True)
        table.add_column("best", justify="right", style=FOUND, no_wrap=True)
        for name, lag, line, top, best in zip(names, lags, lines, tops, peaks, strict=True):
            scores = (line[i]["within_r"] for i in part)
            cells = (Text(number(r), style=FOUND if r is not None and r == top else "") for r in scores)
            table.add_row(Text(name), lag, *cells, best)
        parts.append(table)
    return Group(*parts)
