"""``otoscope pitch plan``: what a run will cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from otoscope.cli.pitch import (
    Agree,
    Cluster,
    Devices,
    PrecisionOption,
    ProbeOption,
    Seed,
    ShardClips,
    Threads,
    models_of,
    settings_of,
)
from otoscope.cli.selecting import (
    Clips,
    ContentMatched,
    GenderBalanced,
    Genders,
    Hours,
    MaxSeconds,
    MinSeconds,
    TypologyOption,
    selection,
)
from otoscope.cli.shared import Corpora, JsonFlag, Languages, Models, Tracker, console, print_json, words

__all__ = ["app"]

app = typer.Typer()


@app.command("plan")
def plan(
    corpus: Corpora,
    model: Models,
    languages: Languages = None,
    clips: Clips = None,
    hours: Hours = None,
    gender: Genders = None,
    min_seconds: MinSeconds = None,
    max_seconds: MaxSeconds = None,
    content_matched: ContentMatched = False,
    gender_balanced: GenderBalanced = False,
    typology: TypologyOption = None,
    tracker: Tracker = "yaapt",
    agree: Agree = None,
    seed: Seed = 0,
    cluster: Cluster = "auto",
    probe: ProbeOption = "ridge",
    precision: PrecisionOption = "float64",
    shard_clips: ShardClips = 64,
    device: Devices = None,
    threads: Threads = None,
    readers: Annotated[
        int, typer.Option(help="Processes per device that decode and label ahead; 0 for a thread.", min=0)
    ] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="The run directory, whose disk is looked at; what is done counts.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what a run will cost in hours, disk and memory, measured on this machine within seconds."""
    from dataclasses import asdict

    from otoscope.studies.pitch.planning import plan_run

    chosen = selection(seed, clips, hours, words(gender), min_seconds, max_seconds, content_matched, gender_balanced)
    estimate, room = plan_run(
        corpus,
        models_of(model),
        settings_of(
            tracker=tracker,
            agree=agree or "",
            seed=seed,
            cluster=cluster,
            probe=probe,
            precision=precision,
            shard_clips=shard_clips,
        ),
        languages=words(languages),
        selection=chosen,
        typology=typology or "default",
        devices=words(device) or ["cpu"],
        threads=threads,
        readers=readers,
        out=out,
    )
    if as_json:
        print_json({**estimate.describe(), "room": asdict(room)})
        return
    from otoscope.report.planned import print_plan

    print_plan(console(), estimate, room)
