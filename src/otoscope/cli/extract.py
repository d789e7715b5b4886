"""``otoscope extract``: states of chosen layers, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from otoscope.cli.shared import JsonFlag, counted, named, print_json, progress_bar, say_failures

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
    device: Annotated[str, typer.Option(help="Where the model computes: cpu, cuda, cuda:1 or auto.")] = "cpu",
    as_json: JsonFlag = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Write what a layer of a model says about sound: states and their times, one safetensors file per clip."""
    from otoscope.representations.extracting import choose_layers, extract_states, gather_clips
    from otoscope.representations.registry import open_model

    corpus = gather_clips(sources)
    opened = open_model(model, device=device)
    info = opened.info
    words = [word.strip() for text in layer for word in text.split(",") if word.strip()]
    chosen = choose_layers(named(words, layer), info)
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
        for entry in chosen:
            grid = entry.grid
            typer.echo(
                f"  layer {entry.index} ({entry.name}) of {info.name}: {entry.dim} dimensions, one state every "
                f"{1000 * grid.hop / grid.sample_rate:g} ms"
            )
    say_failures(result.failures, str(out / "failures.json"))
    if result.failures:
        raise typer.Exit(1)
