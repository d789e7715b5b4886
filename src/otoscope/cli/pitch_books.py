"""``otoscope pitch``: how far a run has come, whether its files are whole, and runs put together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otoscope.cli.pitch import Quiet
from otoscope.cli.shared import JsonFlag, console, counted, print_json, progress_bar

if TYPE_CHECKING:
    from otoscope.studies.pitch.status import Count

__all__ = ["app"]

app = typer.Typer()


@app.command("status")
def status(
    folder: Annotated[Path, typer.Argument(help="A run directory; somebody may be working there.")],
    as_json: JsonFlag = False,
) -> None:
    """Say how far a run has come, and how long the rest will take."""
    from otoscope.report.planned import hours, size
    from otoscope.report.terminal import QUIET, plain_table
    from otoscope.studies.pitch.status import run_status

    found = run_status(folder)
    if as_json:
        print_json(found.describe())
        return
    screen = console()
    what = f"{found.corpus}, {counted(found.n_languages, 'language')}, {counted(found.n_clips, 'clip')}"
    table = plain_table(title=f"{folder}: {what}")
    table.add_column("model", overflow="fold")
    for name in ("train and dev clips", "layers solved", "test clips", "left out", "disk"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for model in found.models:
        state = "finished" if model.finished else "not finished"
        table.add_row(
            model.model,
            _share(model.learnt),
            _share(model.solved),
            _share(model.tested),
            str(model.failures),
            size(model.n_bytes),
            state,
        )
    screen.print(table)
    k, n = found.part
    if found.worker:
        said = f"At work now: {found.worker}."
    elif found.answered:
        said = f"Finished. See it: otoscope pitch table {folder}"
    elif found.part_done:
        said = (
            f"Part {k}/{n} is done. When all parts are: otoscope pitch merge PART1 PART2 --out RUN, and then the "
            "same command with --out RUN."
        )
    else:
        said = "Nobody is at work there. Give the command that began it again: it goes on from here."
    if found.left_s and not found.answered and not (found.part_done and not found.worker):
        of_all = f" of all {n} parts" if n > 1 else ""
        said += (
            f" About {hours(found.left_s, rough=True)} left for the clips{of_all} with "
            f"{_processes(found.processes)}, at the speed so far; solving and the table come on top."
        )
    screen.print(said, style=QUIET, soft_wrap=True)


def _processes(n: int) -> str:
    return f"{n} processes" if n > 1 else "one process"


def _share(count: Count) -> str:
    return f"{count.done:,} of {count.total:,}"


@app.command("verify")
def verify(folder: Annotated[Path, typer.Argument(help="A run directory.")], as_json: JsonFlag = False) -> None:
    """Look at every byte of a run, and at whether its files belong together."""
    from dataclasses import asdict

    from otoscope.studies.pitch.status import verify_run

    problems = verify_run(folder)
    if as_json:
        print_json([asdict(problem) for problem in problems])
    elif not problems:
        typer.echo(f"{folder}: every file is as it was written, and they belong together.")
    else:
        for problem in problems:
            typer.echo(f"{problem.path}: {problem.what}; {problem.remedy}")
    if problems:
        raise typer.Exit(1)


@app.command("merge")
def merge(
    folders: Annotated[list[Path], typer.Argument(help="Run directories of one kind, at least two.")],
    out: Annotated[Path, typer.Option("--out", help="A new folder.")],
    as_json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Put runs together that did different parts or models, or languages from the same shift vectors."""
    from otoscope.studies.pitch.merge import merge_runs

    with progress_bar(quiet=quiet) as bar:
        merged = merge_runs(folders, out, progress=bar)
    if as_json:
        print_json(
            {
                "out": str(out),
                "files": merged.n_files,
                "shared": merged.n_shared,
                "languages": list(merged.languages),
                "models": list(merged.models),
            }
        )
        return
    typer.echo(
        f"{out}: {counted(merged.n_files, 'file')} of {counted(len(merged.languages), 'language')} and "
        f"{counted(len(merged.models), 'model')}. Give the command that began the runs again, with all their "
        f"models and languages and --out {out}: it does what is missing."
    )
