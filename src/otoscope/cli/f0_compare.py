"""``otoscope f0 compare``: how much trackers differ on the same speech."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otoscope.cli.selecting import Clips, Genders, Hours, MaxSeconds, MinSeconds, selection
from otoscope.cli.shared import (
    JsonFlag,
    Languages,
    console,
    counted,
    print_json,
    progress_bar,
    say_failures,
    words,
)
from otoscope.errors import SpecError

if TYPE_CHECKING:
    from otoscope.corpora.base import Clip, Failure
    from otoscope.f0.base import Tracker
    from otoscope.f0.comparison import ClipComparison
    from otoscope.f0.disagreement import Disagreement
    from otoscope.frames import FrameGrid

__all__ = ["compare"]

FEWEST = 8  # clips that a process must have to be worth its start
_Job = tuple["Clip", tuple[tuple[str, str], ...], tuple[float | None, float | None], "FrameGrid", str | None]


def compare(
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOUND", help="Sound files, folders, or corpora (folder:MANIFEST, fleurs:PATH)."),
    ] = None,
    trackers: Annotated[
        list[str] | None,
        typer.Option(
            "--trackers",
            help="Which, with settings as kaldi:hop_ms=20. Repeat it, or divide by commas; without it those of "
            "yaapt, kaldi and swift that are installed.",
        ),
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option("--corpus", help="More clips: fleurs[:PATH], folder:MANIFEST_OR_DIR or espeak:PATH."),
    ] = None,
    languages: Languages = None,
    clips: Clips = None,
    hours: Hours = None,
    gender: Genders = None,
    min_seconds: MinSeconds = None,
    max_seconds: MaxSeconds = None,
    seed: Annotated[int, typer.Option(help="Of the clips drawn and of the intervals.")] = 0,
    frame_ms: Annotated[float, typer.Option("--frame-ms", help="Length of the frames that are compared.")] = 25.0,
    hop_ms: Annotated[float, typer.Option("--hop-ms", help="From one of them to the next.")] = 20.0,
    f0_min: Annotated[float | None, typer.Option("--fmin", help="Lowest F0 in Hz that all search.")] = None,
    f0_max: Annotated[float | None, typer.Option("--fmax", help="Highest F0 in Hz that all search.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="A folder for comparison.csv and the figures (SVG and PNG).")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="How many at a time; without it as many as there are cores.")
    ] = None,
    as_json: JsonFlag = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Say how often trackers differ in voicing and F0, and so how well a probe could predict their labels at best."""
    from otoscope.engine.local import in_parallel
    from otoscope.f0.accepting import frames_of
    from otoscope.f0.comparison import GRID, ClipComparison, group_key
    from otoscope.f0.disagreement import disagreements
    from otoscope.representations.gathering import gather_clips

    if not sources and not corpus:
        raise SpecError("f0 compare: there is nothing to listen to; name sound files or folders, or a --corpus")
    named = tuple((spec, spec) for spec in _specs(trackers))
    bounds = (f0_min, f0_max)
    _opened.cache_clear()
    _opened(named, bounds)  # what cannot be made is said before any sound is read
    grid = frames_of("f0 compare", frame_ms, hop_ms, GRID.sample_rate)
    wanted = selection(seed, clips, hours, words(gender), min_seconds, max_seconds, False, False)
    found = gather_clips(
        [*(sources or []), *([corpus] if corpus else [])], languages=words(languages), selection=wanted
    )
    key = group_key(found.clips)
    jobs = [(clip, named, bounds, grid, clip.groups[key] if key else None) for clip in found.clips]
    compared: list[ClipComparison] = []
    failures: list[Failure] = list(found.failures)
    with progress_bar(quiet=quiet) as bar:
        bar.begin("tracking", len(jobs))
        for outcome in in_parallel(_compare, jobs, processes, fewest=FEWEST):
            if isinstance(outcome, ClipComparison):
                compared.append(outcome)
            else:
                failures.append(outcome)
            bar.advance()
    failures.sort(key=lambda failure: failure.clip_id)
    rows = disagreements(compared, seed=seed) if compared else []
    if out is not None:
        _write(out, rows, failures)
    if as_json:
        print_json([asdict(row) for row in rows])
    elif rows:
        _print(rows, key or "clip")
        for note in found.notes:
            typer.echo(note)
        if out is not None:
            typer.echo(f"{out / 'comparison.csv'}")
    say_failures(failures, "" if out is None else str(out / "failures.json"))
    if failures:
        raise typer.Exit(1)


def _specs(typed: Sequence[str] | None) -> list[str]:
    """Read the trackers; a part that is a setting belongs to the one before it."""
    from otoscope.f0.agreement import PANEL
    from otoscope.f0.registry import open_tracker

    if typed is None:
        specs: list[str] = []
        without: list[str] = []
        for name in PANEL:
            try:
                open_tracker(name)
                specs.append(name)
            except SpecError as error:
                without.append(str(error))
        if len(specs) < 2:
            raise SpecError(f"--trackers: fewer than two of {', '.join(PANEL)} can be used: {'; '.join(without)}")
        return specs
    specs = []
    for part in words(typed) or []:
        if specs and "=" in part.partition(":")[0]:
            specs[-1] += f",{part}"
        else:
            specs.append(part)
    if len(specs) < 2 or len(set(specs)) < len(specs):
        raise SpecError(f"--trackers {', '.join(specs)}: two or more, each once, can be compared")
    return specs


@lru_cache(maxsize=1)
def _opened(named: tuple[tuple[str, str], ...], bounds: tuple[float | None, float | None]) -> dict[str, Tracker]:
    """Make the trackers once in each process."""
    from otoscope.f0.registry import open_tracker

    low, high = bounds
    return {name: open_tracker(spec, f0_min_hz=low, f0_max_hz=high) for name, spec in named}


def _compare(job: _Job) -> ClipComparison | Failure:
    from otoscope.f0.comparison import compare_clip
    from otoscope.f0.labels import LabelCache

    clip, named, bounds, grid, group = job
    return compare_clip(clip, _opened(named, bounds), grid=grid, group=group, cache=LabelCache())


def _write(out: Path, rows: Sequence[Disagreement], failures: Sequence[Failure]) -> None:
    from otoscope.f0.disagreement import Disagreement
    from otoscope.report.f0_figures import draw_disagreement, draw_pairs

    out.mkdir(parents=True, exist_ok=True)
    (out / "failures.json").write_text(
        json.dumps([asdict(failure) for failure in failures], indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    with (out / "comparison.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Disagreement)], lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(row) for row in rows)
    if rows:
        for suffix in ("svg", "png"):
            draw_disagreement(rows, out / f"disagreement.{suffix}")
            if sum(row.metric == "voicing" for row in rows if row.language == rows[0].language) > 1:
                draw_pairs(rows, out / f"pairs.{suffix}")


def _print(rows: Sequence[Disagreement], group: str) -> None:
    from otoscope.report.f0_words import ceiling_sentence, finding, pairs_table, trackers_table

    screen = console()
    for table in (pairs_table(rows, width=screen.width), trackers_table(rows)):
        screen.print(table)
    typer.echo(finding(rows))
    if said := ceiling_sentence(rows):
        typer.echo(said)
    for reason in dict.fromkeys(row.reason for row in rows if row.reason):
        typer.echo(f"\N{EN DASH} {reason}")
    clips, groups = rows[0].n_clips, rows[0].n_groups
    ends = f"; intervals resample {group}s" if any(row.low is not None for row in rows) else ""
    apart = f" of {counted(groups, group)}" if group != "clip" else ""
    typer.echo(
        f"{counted(clips, 'clip')}{apart}, {counted(rows[0].n_frames, 'frame')} that every tracker covers{ends}"
    )
