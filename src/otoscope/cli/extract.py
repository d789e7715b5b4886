"""``otoscope extract``: states of chosen layers, as files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otoscope.cli.selecting import Clips, Genders, Hours, MaxSeconds, MinSeconds, selection
from otoscope.cli.shared import (
    JsonFlag,
    Languages,
    counted,
    print_json,
    progress_bar,
    say_failures,
    words,
)
from otoscope.cli.starting import quick_start

if TYPE_CHECKING:
    from otoscope.corpora.selection import Selection

__all__ = ["extract"]


def extract(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOUND", help="Sound files, folders, or corpora (folder:MANIFEST, fleurs:PATH)."),
    ],
    model: Annotated[str, typer.Option("--model", help="What listens: org/name, ./my-checkpoint, logmel, ge2e ...")],
    layer: Annotated[
        list[str], typer.Option("--layer", help="Which layer, or `all`. Repeat it, or divide by commas.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Where the files shall stand. What is there already is kept.")],
    languages: Languages = None,
    split: Annotated[
        list[str] | None, typer.Option("--split", help="Only these of a corpus: train, dev, test.")
    ] = None,
    clips: Clips = None,
    hours: Hours = None,
    gender: Genders = None,
    min_seconds: MinSeconds = None,
    max_seconds: MaxSeconds = None,
    seed: Annotated[int, typer.Option(help="Of the clips drawn for --clips and --hours.")] = 0,
    device: Annotated[str, typer.Option(help="Where the model computes: cpu, cuda, cuda:1 or auto.")] = "cpu",
    as_json: JsonFlag = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Write what a layer of a model says about sound: states and their times, one safetensors file per clip."""
    from otoscope.representations.extracting import choose_layers, extract_states
    from otoscope.representations.gathering import gather_clips
    from otoscope.representations.registry import open_model

    wanted = selection(seed, clips, hours, words(gender), min_seconds, max_seconds, False, False)
    corpus = gather_clips(sources, languages=words(languages), selection=_of_splits(words(split), wanted, seed))
    with quick_start():
        opened = open_model(model, device=device)
    info = opened.info
    chosen = choose_layers(words(layer) or [], info)
    with progress_bar(quiet=quiet) as bar:
        bar.begin(f"hearing with {info.name}", len(corpus.clips))
        result = extract_states(corpus, opened, chosen, out, advance=bar.advance)
    if as_json:
        print_json(
            {
                "folder": str(out),
                "model": info.name,
                "model_version": info.version,
                "model_digest": info.digest,
                "layers": [entry.index for entry in chosen],
                "n_clips": len({row.clip_id for row in result.files}),
                "n_written": result.n_written,
                "n_kept": result.n_kept,
                "n_replaced": result.n_replaced,
                "notes": list(corpus.notes),
                "index": str(out / "index.csv"),
                "failures": [
                    {"clip_id": failure.clip_id, "stage": failure.stage, "reason": failure.reason}
                    for failure in result.failures
                ],
            }
        )
    else:
        kept = f", {counted(result.n_kept, 'file')} kept" if result.n_kept else ""
        typer.echo(f"{out}: {counted(result.n_written, 'file')} written{kept}   Index: {out / 'index.csv'}")
        if result.n_replaced:
            typer.echo(
                f"  {counted(result.n_replaced, 'file')} of another sound replaced: sounds of one name from "
                "different folders need an --out each"
            )
        for note in corpus.notes:
            typer.echo(f"  {note}")
        for entry in chosen:
            grid = entry.grid
            typer.echo(
                f"  layer {entry.index} ({entry.name}) of {info.name}: {entry.dim} dimensions, one state every "
                f"{1000 * grid.hop / grid.sample_rate:g} ms"
            )
    say_failures(result.failures, str(out / "failures.json"))
    if result.failures:
        raise typer.Exit(1)


def _of_splits(splits: list[str] | None, wanted: Selection | None, seed: int) -> Selection | None:
    if splits is None:
        return wanted
    from otoscope.corpora.selection import Selection

    chosen: Any = tuple(splits)
    return replace(wanted or Selection(seed=seed), splits=chosen)
