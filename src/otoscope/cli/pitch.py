"""``otoscope pitch``: which layer of which model holds F0."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

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
from otoscope.cli.shared import (
    Corpora,
    JsonFlag,
    Languages,
    Models,
    Tracker,
    console,
    counted,
    left_out,
    named,
    print_json,
    progress_bar,
    say_failures,
    words,
)
from otoscope.errors import SpecError

if TYPE_CHECKING:
    from otoscope.studies.pitch.run import RunResult
    from otoscope.studies.pitch.settings import PitchSettings

__all__ = [
    "Agree",
    "Cluster",
    "Devices",
    "PrecisionOption",
    "ProbeOption",
    "Quiet",
    "Seed",
    "ShardClips",
    "Threads",
    "app",
    "models_of",
    "print_profiles",
    "settings_of",
]

app = typer.Typer(help="Which layer of which speech model holds F0, and in which languages?", no_args_is_help=True)

Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]
Agree = Annotated[
    str | None,
    typer.Option(
        "--agree",
        help="Fit and score probes of voiced frames only where so many trackers give the same F0, and show the noise "
        "ceiling: 2of3, or with the others named as 2of3:kaldi+swift.",
    ),
]
Seed = Annotated[int, typer.Option(help="Of splits, controls, shift vectors and intervals.")]
Cluster = Annotated[str, typer.Option(help="The group key that intervals resample; auto prefers `sentence`.")]
ProbeOption = Annotated[str, typer.Option("--probe", help="ridge or ols.")]
PrecisionOption = Annotated[
    str, typer.Option("--precision", help="Of the products within a block: float64 or float32.")
]
ShardClips = Annotated[int, typer.Option(help="Clips per shard, the unit of work.")]
Devices = Annotated[
    list[str] | None,
    typer.Option(
        "--device", help="Where models work: cpu, cuda, cuda:1, auto. For several a process each. [default: cpu]"
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        help="Of models and linear algebra, per process. [default: all cores for models, 1 for algebra]", min=1
    ),
]
SHOWN_ROLES = ("own", "lolo")
MOST_SHIFTS = 1000


def settings_of(**values: Any) -> PitchSettings:
    """Make settings from options.

    Parameters
    ----------
    **values : object
        As typed.

    Returns
    -------
    PitchSettings
        Checked.
    """
    from otoscope.studies.pitch.settings import PitchSettings

    return PitchSettings(**values)


def models_of(typed: list[str]) -> list[str]:
    """Read the list of models.

    Parameters
    ----------
    typed : list of str
        Each one or several.

    Returns
    -------
    list of str
        One specification each.
    """
    from otoscope.specs import split_list

    return named([name for text in typed for name in split_list(text)], typed)


@app.command("run")
def run(
    corpus: Corpora,
    model: Models,
    out: Annotated[
        Path, typer.Option("--out", help="The run directory. An unfinished run goes on where it stopped.")
    ],
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
    probe: ProbeOption = "ridge",
    seed: Seed = 0,
    cluster: Cluster = "auto",
    precision: PrecisionOption = "float64",
    shard_clips: ShardClips = 64,
    device: Devices = None,
    threads: Threads = None,
    readers: Annotated[
        int, typer.Option(help="Processes per device that decode and label ahead; 0 for a thread.", min=0)
    ] = 0,
    part: Annotated[
        str, typer.Option(help="Only this part of the shards, such as 1/2; parts are put together by `merge`.")
    ] = "1/1",
    as_json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Run every clip through every model once, fit the probes, score them, and show the layer profile."""
    from otoscope.report.figure import profile_svg
    from otoscope.store import write_text
    from otoscope.studies.pitch.answer import read_answer
    from otoscope.studies.pitch.run import run_pitch

    if out.exists() and not out.is_dir():
        raise SpecError(f"--out: {out} is a file; name a folder that is a run, is empty, or is not there yet")
    settings = settings_of(
        tracker=tracker,
        agree=agree or "",
        probe=probe,
        seed=seed,
        cluster=cluster,
        precision=precision,
        shard_clips=shard_clips,
    )
    chosen = selection(seed, clips, hours, words(gender), min_seconds, max_seconds, content_matched, gender_balanced)
    with progress_bar(quiet=quiet) as bar:
        result = run_pitch(
            corpus,
            models_of(model),
            out,
            settings,
            languages=words(languages),
            selection=chosen,
            typology=typology,
            progress=bar,
            devices=words(device) or ["cpu"],
            threads=threads,
            readers=readers,
            part=_part(part),
        )
    if result.waiting:
        _say_waiting(result, part, as_json)
        return
    profiles, subtitle = _profiles(out)
    shown = [p for p in profiles if p.points] or profiles[:1]
    headlined = next((p for p in reversed(shown) if p.headline), None)
    title = "Pitch by layer" if headlined is None else headlined.headline
    if headlined is not None and headlined.role == "lolo":
        title += ", in languages that the probe never saw"
    write_text(out / "profile.svg", profile_svg(shown, title=title, subtitle=subtitle))
    if as_json:
        print_json(read_answer(out)[0])
    else:
        print_profiles(out)
        typer.echo(
            f"Picture: {out / 'profile.svg'}   Table: {out / 'table.parquet'}   Again: otoscope pitch table {out}"
        )
    say_failures(result.failures, str(out / "failures.json"))
    if result.failures:
        raise typer.Exit(1)


def _part(text: str) -> tuple[int, int]:
    k, slash, n = text.partition("/")
    if not (slash and k.isascii() and k.isdigit() and n.isascii() and n.isdigit()):
        raise SpecError(f"--part is {text!r}; write 1/2 for the first of two")
    if not 1 <= int(k) <= int(n):
        raise SpecError(f"--part is {text!r}: there is no part {k} of {n}; write 1/{n} to {n}/{n}")
    return int(k), int(n)


def _say_waiting(result: RunResult, part: str, as_json: bool) -> None:
    n = len(result.waiting)
    places = "1 language and split waits" if n == 1 else f"{n} pairs of language and split wait"
    if as_json:
        print_json({"part": part, "waiting": result.waiting})
        return
    typer.echo(
        f"{result.folder}: part {part} is done. {places} for shards of other parts: {', '.join(result.waiting[:6])}"
        f"{' ...' if n > 6 else ''}. When all parts are done: otoscope pitch merge PART1 PART2 --out RUN, and then "
        "this command again on RUN."
    )


def _profiles(folder: Path) -> tuple[list[Any], str]:
    from otoscope.report.profile import ceiling_sentence, layer_profile
    from otoscope.store import read_json
    from otoscope.studies.pitch.answer import read_answer

    rows, answer = read_answer(folder)
    about = read_json(folder / "run.json")
    kinds = {name: info["kind"] for name, info in about["models"].items()}
    twins = {name: info["twin"] for name, info in about["models"].items()}
    profiles = [layer_profile(rows, answer["contrasts"], kinds, twins, role) for role in SHOWN_ROLES]
    said = f"log2 F0 on {_frames(about)}, labels by {about['tracker']['name']}"
    first = next((p for p in profiles if p.points), None)
    if first:
        row = first.points[0].scores["r2"]
        said += (
            f"; mean over {counted(len(first.languages), 'language')}, "
            f"{counted(row['n_utterances'], 'test utterance')}, {row['n_frames']:,} frames, "
            f"{counted(row['n_groups'], 'group')} ({about['cluster_key']})"
        )
        said += " resampled" if row["low"] is not None else ": no intervals"
    ceiling = ceiling_sentence(rows)
    return profiles, f"{said}. {ceiling}" if ceiling else said


def _frames(about: dict[str, Any]) -> str:
    """Say on which frames a run's probes of F0 are fitted and scored."""
    agree, others = about["settings"].get("agree"), about.get("agree_trackers", [])
    if not agree:
        return "voiced frames"
    names = ", ".join(dict.fromkeys(info["name"] for info in others))
    return f"voiced frames that {agree.partition('of')[0]} of {len(others) + 1} trackers (with {names}) agree on"


def print_profiles(folder: Path) -> None:
    """Print the layer profiles of a run.

    Parameters
    ----------
    folder : Path
        The run directory.
    """
    from rich.text import Text

    from otoscope.report.terminal import QUIET, print_profile
    from otoscope.studies.pitch.answer import read_answer

    out = console()
    profiles, subtitle = _profiles(folder)
    rows, answer = read_answer(folder)
    out.print(Text(subtitle, style=QUIET))
    for note in answer["notes"]:
        out.print(Text(note, style=QUIET))
    out.print()
    for profile in profiles:
        print_profile(out, profile)
    shown = [r for r in rows if r["train"] in SHOWN_ROLES and r["test"] == "mean" and r["target"] == "log2_f0"]
    for flag in dict.fromkeys(r["flag"] for r in shown if r["flag"]):
        out.print(Text(flag, style=QUIET))
    if answer["n_failures"]:
        said = f"{left_out(answer['n_failures'])}: see {folder / 'failures.json'}"
        out.print(Text(said, style=QUIET), soft_wrap=True)


@app.command("sweep")
def sweep(
    corpus: Corpora,
    model: Models,
    shifts: Annotated[
        str, typer.Option(help="Milliseconds: FIRST:LAST:STEP, or a list divided by commas.")
    ] = "-60:60:10",
    languages: Languages = None,
    tracker: Tracker = "yaapt",
    seed: Seed = 0,
    cluster: Cluster = "auto",
    out: Annotated[Path | None, typer.Option("--out", help="A JSON file to write.")] = None,
    as_json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Move the labels in time and see where each layer's probe is best: a test of the alignment."""
    from otoscope.studies.pitch.sweep import sweep_shifts

    settings = settings_of(tracker=tracker, seed=seed, cluster=cluster)
    with progress_bar(quiet=quiet) as bar:
        rows, failures = sweep_shifts(
            corpus,
            models_of(model),
            settings,
            shifts_ms=_shifts(shifts),
            languages=words(languages),
            out=out,
            progress=bar,
        )
    if as_json:
        print_json(rows)
    else:
        from otoscope.report.terminal import QUIET, sweep_table
        from otoscope.report.tokens import DASH

        screen = console()
        screen.print(sweep_table(cast("list[dict[str, Any]]", rows), width=screen.width))
        frames = sorted({cast("int", row["n_frames"]) for row in rows})
        counts = f"{frames[0]:,}" if len(frames) == 1 else f"{frames[0]:,} to {frames[-1]:,}"
        screen.print(
            f"On {counts} test frames that are voiced at every shift, so not the frames of the profile. "
            f"No intervals: a flat row has no peak worth naming. {DASH}: the highest is at an end of the range.",
            style=QUIET,
        )
    say_failures(failures, "")
    if failures:
        raise typer.Exit(1)


def _shifts(text: str) -> list[float]:
    try:
        if ":" in text:
            first, last, step = (float(part) for part in text.split(":"))
            if step <= 0 or last < first:
                raise ValueError
            n = int(round((last - first) / step, 6)) + 1
            shifts = [first + i * step for i in range(n)] if n <= MOST_SHIFTS else []
        else:
            shifts = [float(part) for part in text.split(",")]
        if not 0 < len(shifts) <= MOST_SHIFTS or not all(map(math.isfinite, shifts)):
            raise ValueError
        return shifts
    except (ValueError, OverflowError):
        raise SpecError(
            f"--shifts is {text!r}; write -60:60:10 or -20,0,20, in milliseconds, at most {MOST_SHIFTS} of them"
        ) from None
