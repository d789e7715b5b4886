"""What the disagreement of trackers says, in sentences and tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from otoscope.corpora.languages import REGIONS, TONE_TYPES, language
from otoscope.f0.disagreement import POOLED, Disagreement
from otoscope.report.tokens import DASH, interval, number

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["ceiling_sentence", "finding", "in_order", "language_name", "pairs_table", "spread", "trackers_table"]

WIDE = 118  # columns that intervals need


def language_name(code: str) -> str:
    """Name a language in words.

    Parameters
    ----------
    code : str
        Of FLEURS, or the user's own.

    Returns
    -------
    str
        The code where it is not known.

    Examples
    --------
    >>> language_name("vi_vn"), language_name("all")
    ('Vietnamese', 'all')
    """
    known = language(code)
    return code if known is None else known.name


def in_order(codes: Iterable[str]) -> list[str]:
    """Order languages by region and tone type, all clips first and those that are not known last.

    Parameters
    ----------
    codes : iterable of str
        Languages of rows.

    Returns
    -------
    list of str
        Each once.
    """

    def place(code: str) -> tuple[int, int, int, str]:
        known = language(code)
        if known is None:
            return (0 if code == POOLED else 2, 0, 0, code)
        return 1, REGIONS.index(known.region), TONE_TYPES.index(known.tone_type), known.name

    return sorted(set(codes), key=place)


def _of(rows: Sequence[Disagreement], metric: str) -> list[Disagreement]:
    """Give the rows of a metric on the most clips that there are, with a value."""
    top = in_order(row.language for row in rows)[:1]
    return [row for row in rows if row.metric == metric and row.language in top and row.value is not None]


def spread(values: Sequence[float], unit: str) -> str:
    """Write the range of some values.

    Parameters
    ----------
    values : sequence of float
        At least one.
    unit : str
        Behind it.

    Returns
    -------
    str
        Such as ``5.8-14 %``; one number where both ends are written alike.
    """
    low, high = (number(end, digits=1) for end in (min(values), max(values)))
    return f"{low if low == high else f'{low}-{high}'} {unit}".strip()


def finding(rows: Sequence[Disagreement]) -> str:
    """Say how much trackers differ.

    Parameters
    ----------
    rows : sequence of Disagreement
        From :func:`otoscope.f0.disagreement.disagreements`.

    Returns
    -------
    str
        One sentence.
    """
    voicing, gross, median = (_of(rows, metric) for metric in ("voicing", "gross", "median"))
    if not voicing:
        return "There is no frame on which trackers can be compared."
    values = [row.value or 0.0 for row in voicing]
    who = f"{voicing[0].first} and {voicing[0].second}" if len(voicing) == 1 else "Pairs of trackers"
    said = f"{who} differ in voicing on {spread(values, '% of frames')}"
    if gross:
        said += f"; where both are voiced, grossly on {spread([row.value or 0.0 for row in gross], '%')}"
    if median:
        said += f", else by a median of {spread([row.value or 0.0 for row in median], 'cents')}"
    return said


def ceiling_sentence(rows: Sequence[Disagreement]) -> str:
    """Say how well other trackers predict each tracker's labels.

    Parameters
    ----------
    rows : sequence of Disagreement
        From :func:`otoscope.f0.disagreement.disagreements`.

    Returns
    -------
    str
        One sentence; empty where nothing is known.
    """
    scores = _of(rows, "r2")
    names = list(dict.fromkeys(row.first for row in scores))
    best = [max((row for row in scores if row.first == name), key=lambda row: row.value or 0.0) for name in names]
    if not best:
        return ""
    parts = [f"{row.first} {interval(row.value, row.low, row.high)} by {row.second}" for row in best]
    return (
        f"Ceiling of R2 of log2 F0, as the best other tracker predicts the labels of {', '.join(parts)}; "
        "no probe can be expected to predict them better"
    )


def pairs_table(rows: Sequence[Disagreement], *, width: int = WIDE) -> Table:
    """Lay out pairs of trackers, one line per language and pair.

    Parameters
    ----------
    rows : sequence of Disagreement
        From :func:`otoscope.f0.disagreement.disagreements`.
    width : int, columns
        Of the window; a narrow one has no room for intervals.

    Returns
    -------
    rich.table.Table
        A missing value is an en dash.
    """
    from rich.text import Text

    from otoscope.report.terminal import FOUND, QUIET, plain_table

    wide = width >= WIDE
    found = {(row.language, row.first, row.second, row.metric): row for row in rows}
    pairs = [(row.first, row.second) for row in rows if row.metric == "voicing"]
    table = plain_table(
        title="Pairs of trackers",
        caption="voicing: % of frames voiced in one only; gross: % of those voiced in both, more than 20 % off; "
        "bias: median cents of the second over the first; size: without sign; R2, r: of log2 F0, first as the truth",
    )
    table.add_column("language", overflow="fold")
    table.add_column("first", overflow="fold")
    table.add_column("second", overflow="fold")
    table.add_column("voicing", style=FOUND, no_wrap=True)
    for name in ("gross", "bias", "size", "RMSE", "R2", "r"):
        table.add_column(name, style=QUIET if name in ("size", "RMSE") else "", no_wrap=True)
    for code in in_order(row.language for row in rows):
        for pair in dict.fromkeys(pairs):

            def cell(metric: str, *, ends: bool = True, code: str = code, pair: object = pair) -> Text:
                row = found.get((code, *pair, metric))  # pyright: ignore
                if row is None:
                    return Text(DASH)
                digits = 2 if row.unit == "1" else 1
                if wide and ends:
                    return Text(interval(row.value, row.low, row.high, digits=digits))
                return Text(number(row.value, digits=digits))

            table.add_row(
                Text(language_name(code)),
                *(Text(str(name)) for name in pair),
                cell("voicing"),
                cell("gross"),
                cell("bias"),
                cell("median", ends=False),
                cell("rmse", ends=False),
                cell("r2", ends=False),
                cell("within_r", ends=False),
            )
    return table


def trackers_table(rows: Sequence[Disagreement]) -> Table:
    """Lay out single trackers: how much they call voiced, and how often others say the same.

    Parameters
    ----------
    rows : sequence of Disagreement
        From :func:`otoscope.f0.disagreement.disagreements`.

    Returns
    -------
    rich.table.Table
        One line per language and tracker, and one for whichever trackers agree.
    """
    from rich.text import Text

    from otoscope.report.terminal import FOUND, plain_table

    single = {(row.language, row.first, row.metric): row for row in rows if row.second is None}
    agreed = [name for name in dict.fromkeys(metric for _, _, metric in single) if name.startswith("agreed_")]
    names = list(dict.fromkeys(name for _, name, _ in single))
    table = plain_table(
        title="Frames, %", caption=f"agreed k of {len(agreed) + 1}: so many say the same, itself included"
    )
    table.add_column("language", overflow="fold")
    table.add_column("tracker", overflow="fold")
    table.add_column("voiced", no_wrap=True)
    for name in agreed:
        table.add_column(f"agreed {name.removeprefix('agreed_')} of {len(agreed) + 1}", style=FOUND, no_wrap=True)
    for code in in_order(row.language for row in rows):
        for name in names:
            cells = [single.get((code, name, metric)) for metric in ("voiced", *agreed)]
            said = [DASH if row is None else interval(row.value, row.low, row.high, digits=1) for row in cells]
            table.add_row(*map(Text, (language_name(code), name or "any of them", *said)))
    return table
