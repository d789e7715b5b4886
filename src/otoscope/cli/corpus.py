"""``otoscope corpus``: make and look at corpora."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from otoscope.cli.shared import JsonFlag, counted, print_json, progress_bar, say_failures, words
from otoscope.errors import SpecError

__all__ = ["app"]

app = typer.Typer(help="Make a demo corpus; see what a corpus holds.", no_args_is_help=True)


@app.command("make-demo")
def make_demo(
    folder: Annotated[Path, typer.Argument(help="Where it shall stand.")],
    languages: Annotated[str, typer.Option(help="How many, or their codes divided by commas.")] = "12",
    seed: Annotated[int, typer.Option(help="Of voices, sentences and splits.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Speak the Universal Declaration of Human Rights in many languages, offline, in the layout of FLEURS."""
    from otoscope.corpora.espeak import make_demo as make

    chosen = int(languages) if languages.isdigit() else (words([languages]) or [])
    with progress_bar(quiet=quiet) as bar:
        total = chosen if isinstance(chosen, int) else len(chosen)
        bar.begin("speaking", total)
        demo = make(folder, languages=chosen, seed=seed, progress=lambda done, of, code: bar.advance())
    corpus = demo.corpus
    said = "made" if demo.made else "already there"
    typer.echo(
        f"{folder}: {said}: {counted(len(corpus.clips), 'clip')} in {counted(len(corpus.languages), 'language')}"
    )


@app.command("show")
def show(
    corpus: Annotated[str, typer.Argument(help="folder:MANIFEST_OR_DIR or espeak:PATH.")], as_json: JsonFlag = False
) -> None:
    """Count the clips of a corpus by language and split, and list what it could not use."""
    from collections import Counter

    from otoscope.corpora.base import SPLITS
    from otoscope.corpora.languages import language
    from otoscope.corpora.registry import open_corpus

    opened = open_corpus(corpus)
    counts = Counter((clip.language, clip.split) for clip in opened.clips)
    rows: list[dict[str, object]] = []
    for code in opened.languages:
        entry = language(code)
        of_split = {split: counts[code, split] for split in SPLITS}
        rows.append(
            {
                "language": code,
                "name": entry.name if entry else None,
                "region": entry.region if entry else None,
                "tone_type": entry.tone_type if entry else None,
                **of_split,
                "no_split": counts[code, None],
            }
        )
    if as_json:
        print_json(rows)
    else:
        from otoscope.cli.shared import console
        from otoscope.report.terminal import plain_table
        from otoscope.report.tokens import DASH

        table = plain_table(title=f"{opened.name}: {counted(len(opened.clips), 'clip')}")
        for name in rows[0] if rows else ():
            count = name in (*SPLITS, "no_split")
            table.add_column(
                name.replace("_", " "), justify="right" if count else "left", no_wrap=count, overflow="fold"
            )
        for row in rows:
            table.add_row(*(DASH if value is None else str(value) for value in row.values()))
        console().print(table)
        for note in opened.notes:
            typer.echo(note)
    say_failures(opened.failures, "")
    if opened.failures:
        raise typer.Exit(1)
    if not opened.clips:
        raise SpecError(f"{corpus}: there are no clips")
