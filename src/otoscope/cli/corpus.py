"""``otoscope corpus``: make and look at corpora."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otoscope.cli.shared import (
    SHOWN_FAILURES,
    JsonFlag,
    console,
    counted,
    left_out,
    print_json,
    progress_bar,
    say_failures,
    words,
)
from otoscope.errors import DataError, SpecError

if TYPE_CHECKING:
    from otoscope.corpora.base import Clip, Corpus
    from otoscope.corpora.checking import Check

__all__ = ["app"]

app = typer.Typer(
    help="Make a demo corpus; see what a corpus holds; find what is wrong with it.", no_args_is_help=True
)


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


_Wanted = Annotated[
    list[str] | None,
    typer.Option(
        "--languages", help="Only these: codes, a region, a tone type, or `all`. Repeat it, or divide by commas."
    ),
]
COUNTED = ("sentence", "speaker", "voice")


@app.command("show")
def show(
    corpus: Annotated[str, typer.Argument(help="folder:MANIFEST_OR_DIR, espeak:PATH, fleurs:PATH or fleurs.")],
    languages: _Wanted = None,
    as_json: JsonFlag = False,
) -> None:
    """Count the clips of a corpus by language and split, and list what it could not use."""
    from otoscope.corpora.base import SPLITS
    from otoscope.corpora.registry import open_corpus

    opened = open_corpus(corpus, languages=words(languages))
    rows = _rows(opened)
    if as_json:
        print_json(rows)
    else:
        counts = {*SPLITS, "no_split", "hours", "male", "female", *(f"{key}s" for key in COUNTED)}
        shown = [{key: value for key, value in row.items() if key != "name"} for row in rows]
        empty = {key for key in counts - set(SPLITS) if all(row.get(key) in (None, 0) for row in rows)}
        shown = [{key: value for key, value in row.items() if key not in empty} for row in shown]
        _print_table(f"{opened.name}: {counted(len(opened.clips), 'clip')}", shown, counts)
        for note in opened.notes:
            typer.echo(note)
    say_failures(opened.failures, "")
    if opened.failures:
        raise typer.Exit(1)
    if not opened.clips:
        raise SpecError(f"{corpus}: there are no clips")


def _rows(opened: Corpus) -> list[dict[str, object]]:
    """Count by language; None where the corpus does not say."""
    from collections import Counter

    from otoscope.corpora.base import SPLITS
    from otoscope.corpora.languages import language

    of_language: dict[str, list[Clip]] = {}
    for clip in opened.clips:
        of_language.setdefault(clip.language, []).append(clip)
    rows: list[dict[str, object]] = []
    for code in opened.languages:
        entry, clips = language(code), of_language[code]
        splits = Counter(clip.split for clip in clips)
        genders = Counter(clip.gender for clip in clips)
        no_gender = set(genders) == {None}
        rows.append(
            {
                "language": code,
                "name": entry.name if entry else None,
                "region": entry.region if entry else None,
                "tone_type": entry.tone_type if entry else None,
                **{split: splits[split] for split in SPLITS},
                "no_split": splits[None],
                "hours": _hours(clips),
                "male": None if no_gender else genders["male"],
                "female": None if no_gender else genders["female"],
                **{
                    f"{key}s": len({clip.groups[key] for clip in clips if key in clip.groups}) or None
                    for key in COUNTED
                },
            }
        )
    return rows


def _hours(clips: Sequence[Clip]) -> float | None:
    """Add up lengths where no sound has to be read for it; a file that is broken counts nothing."""
    from otoscope.corpora.base import HasDuration

    total_s = 0.0
    for clip in clips:
        if clip.duration_s is None and not isinstance(clip.source, HasDuration):
            return None
        with suppress(DataError):
            total_s += clip.measure()
    return round(total_s / 3600, 3)


def _print_table(title: str, rows: Sequence[Mapping[str, object]], counts: Collection[str]) -> None:
    from otoscope.report.terminal import plain_table
    from otoscope.report.tokens import DASH

    table = plain_table(title=title)
    for name in rows[0] if rows else ():
        right = name in counts
        table.add_column(name.replace("_", " "), justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows:
        table.add_row(*(DASH if value is None else f"{value}" for value in row.values()))
    console().print(table)


@app.command("check")
def check(
    corpus: Annotated[
        str, typer.Argument(metavar="PATH_OR_SPEC", help="A folder or a manifest, or as for `corpus show`.")
    ],
    languages: _Wanted = None,
    processes: Annotated[int, typer.Option(min=1, help="How many languages at a time.")] = 1,
    as_json: JsonFlag = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Read every clip and say what is wrong with it; leave with 1 where something cannot be used."""
    from dataclasses import asdict

    from otoscope.corpora.checking import check_audio
    from otoscope.corpora.registry import KINDS, guess_kind, open_corpus

    path = Path(corpus).expanduser()
    spec = corpus
    if path.exists() or corpus.partition(":")[0] not in KINDS:
        spec = f"{guess_kind(path)}:{path}"
    if corpus in KINDS and path.exists():
        typer.echo(f"{corpus} is a path here; write {corpus}: for the corpus of that name", err=True)
    opened = open_corpus(spec, languages=words(languages))
    with progress_bar(quiet=quiet) as bar:
        bar.begin("listening", len(opened.languages))
        found = check_audio(opened, processes=processes, progress=lambda done, of, code: bar.advance())
    if as_json:
        print_json(
            {
                "corpus": opened.name,
                "notes": list(opened.notes),
                "left_out": len(opened.failures),
                "parts": [asdict(part) for part in found.parts],
                "findings": [asdict(finding) for finding in found.findings],
            }
        )
    else:
        _print_check(opened, found)
    if found.count("error"):
        raise typer.Exit(1)


def _print_check(opened: Corpus, found: Check) -> None:
    from dataclasses import asdict

    rows = [{**asdict(part), "hours": f"{part.hours:.2f}"} for part in found.parts]
    if all(row["split"] is None for row in rows):
        rows = [{key: value for key, value in row.items() if key != "split"} for row in rows]
    if not any(part.left_out for part in found.parts):
        rows = [{key: value for key, value in row.items() if key != "left_out"} for row in rows]
    counts = {"clips", "hours", "male", "female", "sentences", "left_out", "findings"}
    _print_table(f"{opened.name}: {counted(len(opened.clips), 'clip')}", rows, counts)
    for note in opened.notes:
        typer.echo(note)
    shown: dict[tuple[str, str], int] = {}
    for severity in ("error", "warning", "note"):
        for finding in found.findings:
            if finding.severity != severity:
                continue
            n = shown[severity, finding.kind] = shown.get((severity, finding.kind), 0) + 1
            if n <= SHOWN_FAILURES:
                kind = finding.kind.replace("_", " ")
                typer.echo(f"{severity}: {finding.where}: {kind}: {finding.message}")
    for (severity, kind), n in shown.items():
        if n > SHOWN_FAILURES:
            typer.echo(f"and {n - SHOWN_FAILURES} more of {severity} {kind.replace('_', ' ')} (all with --json)")
    said = ", ".join(counted(found.count(severity), severity) for severity in ("error", "warning", "note"))
    typer.echo(said + (f"; {left_out(len(opened.failures))}" if opened.failures else ""))
