"""``otoscope game plan``: how many listeners a study needs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from otoscope.cli.shared import JsonFlag, console, print_json

__all__ = ["plan"]


def plan(
    clips: Annotated[int, typer.Option("--clips", help="How many are to be scored.")],
    reliability: Annotated[
        float,
        typer.Option(
            "--reliability", help="Wanted: rank correlation of the scores with those of as many other listeners."
        ),
    ] = 0.8,
    targets: Annotated[
        int | None,
        typer.Option(
            "--targets",
            help="Clips that a sitting scores, each heard twice.",
            show_default="63 % of the clips",
        ),
    ] = None,
    kept: Annotated[
        float, typer.Option("--kept", help="Share of the listeners invited who finish and pass the exclusion rules.")
    ] = 0.85,
    phases: Annotated[int, typer.Option("--phases", help="Phases of a sitting.")] = 3,
    clip_s: Annotated[float, typer.Option("--clip-seconds", help="How long a clip is.")] = 5.0,
    gap_s: Annotated[float, typer.Option("--gap-seconds", help="From the end of a clip to the next.")] = 3.0,
    rest_s: Annotated[float, typer.Option("--rest-seconds", help="Between phases.")] = 180.0,
    seed: Annotated[int, typer.Option("--seed", help="Of the simulation.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Say how many listeners, responses and hours a study needs, by simulated studies."""
    from otoscope.game.planner import plan as make

    made = make(
        clips,
        reliability,
        targets,
        kept_sittings=kept,
        n_phases=phases,
        clip_s=clip_s,
        gap_s=gap_s,
        rest_s=rest_s,
        seed=seed,
    )
    if as_json:
        print_json(asdict(made))
        return
    out = console()
    out.print(
        f"{made.listeners} listeners ({made.listeners_low}-{made.listeners_high}) for a reliability of "
        f"{made.asked:g} with {made.n_clips} clips"
    )
    out.print(f"  invite       {made.recruit}, of whom {100 * kept:.0f} % are taken to finish and pass the rules")
    out.print(f"  a sitting    {made.n_slots} slots, {made.targets_per_sitting} targets, {made.minutes:.0f} minutes")
    out.print(
        f"  a clip       {made.responses_per_clip:.1f} responses that count, of "
        f"{made.presentations_per_clip:.1f} played"
    )
    out.print(f"  all          {made.hours:.0f} hours of listening")
    spread = f"({made.reliability_low:.2f}-{made.reliability_high:.2f})"
    out.print(
        f"  then         reliability {made.reliability:.2f} {spread}; halves agree at {made.split_half:.2f}; no "
        f"prediction ranks better than {made.ceiling:.2f}"
    )
    from otoscope.report.terminal import plain_table

    table = plain_table()
    for heading in ("listeners", "responses per clip", "reliability", "halves agree"):
        table.add_column(heading, justify="right")
    for point in made.curve:
        table.add_row(
            str(point.listeners),
            f"{point.responses_per_clip:.1f}",
            f"{point.reliability:.2f}",
            f"{point.reliability / (2 - point.reliability):.2f}",
        )
    out.print("", table)
    out.print(
        f"{made.n_studies} simulated studies; clips and listeners as those of one published experiment on music."
    )
