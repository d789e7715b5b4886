"""``otoscope languages``: the languages of FLEURS, by region and tone type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from otoscope.cli.shared import JsonFlag, console, counted, print_json, words
from otoscope.errors import SpecError

if TYPE_CHECKING:
    from otoscope.corpora.languages import Kind

__all__ = ["languages"]


def languages(
    tone: Annotated[
        list[str] | None, typer.Option("--tone", help="Only these: tonal, pitch_accent, none. Repeat it, or commas.")
    ] = None,
    region: Annotated[
        list[str] | None, typer.Option("--region", help="Only these regions; a word of the name is enough.")
    ] = None,
    typology: Annotated[
        str, typer.Option(help="Whose coding of tone: default, wals, or a CSV file with the columns code, tone_type.")
    ] = "default",
    as_json: JsonFlag = False,
) -> None:
    """List the languages of FLEURS with their region, their tone type, and where its coding comes from."""
    from otoscope.corpora.languages import expand_languages
    from otoscope.corpora.typology import read_typology
    from otoscope.report.terminal import plain_table
    from otoscope.report.tokens import DASH

    coded = read_typology(typology)
    codes = tuple(coded.table)
    kinds: tuple[tuple[Kind, list[str] | None], ...] = (("tone_type", words(tone)), ("region", words(region)))
    for kind, wanted in kinds:
        if wanted is not None:
            of_kind = expand_languages(wanted, tuple(coded.table), typology=coded, kind=kind)
            codes = tuple(code for code in codes if code in of_kind)
    if not codes:
        raise SpecError(
            f"languages: none of {', '.join(words(region) or ())} is {', '.join(words(tone) or ())}; ask for one of "
            "them alone"
        )
    rows = [
        {
            "code": entry.code,
            "name": entry.name,
            "region": entry.region,
            "tone_type": entry.tone_type,
            "coding": entry.coding,
            "confidence": entry.confidence,
        }
        for entry in (coded.table[code] for code in codes)
    ]
    if as_json:
        print_json(rows)
        return
    table = plain_table(
        title=counted(len(rows), "language"),
        caption="coding: W a value of WALS 13A (N no tones, S simple, C complex), P tones counted in PHOIBLE, "
        "A APiCS, lit standard descriptions, not checked against a database",
    )
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(DASH if value is None else value for value in row.values()))
    console().print(table)
