"""``otoscope memorability``: how well music will be remembered, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otoscope.cli.shared import JsonFlag, counted, named, print_json, progress_bar, say_failures, words
from otoscope.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otoscope.corpora.base import Failure
    from otoscope.studies.memorability.settings import MemorabilitySettings

__all__ = ["app"]

app = typer.Typer(help="How well will people remember this music, and what does a model go by?", no_args_is_help=True)

Clips = Annotated[Path, typer.Option("--clips", help="The folder of clips, in any format that libsndfile reads.")]
LabelsFile = Annotated[
    Path, typer.Option("--labels", help="A CSV file: track,score[,n][,low][,high][,half_a][,half_b][,group].")
]
Models = Annotated[
    list[str],
    typer.Option(
        "--model", help="svr, ridge, mlp, fusion, mean; settings as svr:tune=off. Repeat it, or use commas."
    ),
]
Features = Annotated[
    list[str],
    typer.Option("--features", help="Groups of features, or default: all that work here. Repeat it, or use commas."),
]
Shifts = Annotated[
    str, typer.Option("--shifts", help="Semitones of the shifted copies that models are trained on, or none.")
]
Segments = Annotated[
    str, typer.Option("--segments", help="whole, or the length and distance of segments in seconds, such as 1/0.5.")
]
Weights = Annotated[str, typer.Option("--weights", help="n: scores count by their responses; none: all alike.")]
Seed = Annotated[int, typer.Option(help="Of folds, models, controls and intervals.")]
Processes = Annotated[
    int | None, typer.Option("--processes", min=1, help="How many at a time; without it as many as there are cores.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]


def _shifts(text: str) -> tuple[float, ...]:
    if text.strip().lower() in {"none", "off", ""}:
        return ()
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise SpecError(
            f"--shifts is {text!r}; numbers of semitones divided by commas are accepted, or none"
        ) from None


def _segments(text: str) -> tuple[float, float]:
    if text.strip().lower() == "whole":
        return 0.0, 0.0
    length, mark, hop = text.partition("/")
    try:
        return float(length), float(hop if mark else length)
    except ValueError:
        raise SpecError(f"--segments is {text!r}; whole is accepted, or seconds such as 1/0.5") from None


def _settings(
    model: list[str], features: list[str], shifts: str, segments: str, weights: str, **others: Any
) -> MemorabilitySettings:
    from otoscope.specs import split_list
    from otoscope.studies.memorability.settings import MemorabilitySettings

    segment_s, hop_s = _segments(segments)
    return MemorabilitySettings(
        models=tuple(named([name for text in model for name in split_list(text)], model)),
        features=tuple(words(features) or ()),
        shifts=_shifts(shifts),
        segment_s=segment_s,
        hop_s=hop_s,
        weights=weights,
        **others,
    )


@app.command("evaluate")
def evaluate(
    clips: Clips,
    labels: LabelsFile,
    out: Annotated[Path, typer.Option("--out", help="A folder for the answer.")],
    model: Models = ["svr"],  # noqa: B006 (typer reads it only)
    folds: Annotated[int, typer.Option(help="Of the cross-validation.")] = 10,
    repeats: Annotated[int, typer.Option(help="How often the clips are dealt into folds anew.")] = 5,
    recipe: Annotated[
        str | None, typer.Option(help="audmem: test the models under the reference's protocol as well.")
    ] = None,
    features: Features = ["default"],  # noqa: B006
    shifts: Shifts = "-2,-1,1,2",
    segments: Segments = "whole",
    weights: Weights = "n",
    explain: Annotated[bool, typer.Option(help="Whether the first model is explained.")] = True,
    seed: Seed = 0,
    processes: Processes = None,
    as_json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Predict every clip by models that never heard it, and say what that is worth."""
    from otoscope.studies.memorability.evaluate import evaluate as run

    settings = _settings(
        model, features, shifts, segments, weights, folds=folds, repeats=repeats, recipe=recipe, seed=seed
    )
    with progress_bar(quiet=quiet) as bar:
        found = run(clips, labels, out, settings, explain=explain, processes=processes, progress=bar)
    _write_report(out)
    if as_json:
        print_json(found.summary)
    else:
        _print(out)
    say_failures(found.failures, str(out / "failures.json"), said=_unused(found.failures))
    if found.failures:
        raise typer.Exit(1)


def _unused(failures: Sequence[Failure]) -> str:
    """Say how many lines of the table are not used: a line may be unused and its clip used, by another line."""
    return f"{counted(len(failures), 'line')} of the table {'was' if len(failures) == 1 else 'were'} not used"


def _write_report(folder: Path, *, embed_audio: Path | None = None) -> Path:
    from otoscope.report.memorability import memorability_html
    from otoscope.store import write_text
    from otoscope.studies.memorability.answer import read_answer

    path = folder / "report.html"
    write_text(path, memorability_html(read_answer(folder), clips=embed_audio))
    return path


def _print(folder: Path) -> None:
    from otoscope.cli.shared import console
    from otoscope.report.remembered import print_evaluation
    from otoscope.studies.memorability.answer import read_answer

    print_evaluation(console(), read_answer(folder))
    typer.echo(f"Report: {folder / 'report.html'}   Numbers: {folder / 'summary.json'}")


@app.command("report")
def report(
    folder: Annotated[Path, typer.Argument(help="What memorability evaluate wrote.")],
    embed_audio: Annotated[
        Path | None, typer.Option("--embed-audio", help="The folder of clips: the report can then be listened to.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write the report of an evaluation as one HTML file, and print its answer."""
    path = _write_report(folder, embed_audio=embed_audio)
    if as_json:
        from otoscope.store import read_json

        print_json(read_json(folder / "summary.json"))
    else:
        _print(folder)
        typer.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


@app.command("train")
def train(
    clips: Clips,
    labels: LabelsFile,
    out: Annotated[Path, typer.Option("--out", help="A folder for the model.")],
    model: Annotated[
        str, typer.Option("--model", help="svr, ridge, mlp or fusion; settings as svr:tune=off.")
    ] = "svr",
    folds: Annotated[int, typer.Option(help="Whose errors make the intervals of predictions.")] = 10,
    features: Features = ["default"],  # noqa: B006
    shifts: Shifts = "-2,-1,1,2",
    segments: Segments = "whole",
    weights: Weights = "n",
    seed: Seed = 0,
    processes: Processes = None,
    as_json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Learn from all clips, and keep what was learned for predictions."""
    from otoscope.studies.memorability.train import train as run

    settings = _settings([model], features, shifts, segments, weights, folds=folds, repeats=1, seed=seed)
    if len(settings.models) > 1:
        raise SpecError(f"--model is {model!r}; one model is trained at a time")
    with progress_bar(quiet=quiet) as bar:
        trained, failures = run(clips, labels, out, settings, processes=processes, progress=bar)
    if as_json:
        print_json(trained.about)
    else:
        about = trained.about
        typer.echo(
            f"{out}: {about['predictor']} trained on {counted(about['n_tracks'], 'clip')} "
            f"with {counted(len(about['features']), 'feature')}"
        )
        missed = about["out_of_fold"]
        better = "better" if missed["rmse"] < missed["rmse_of_mean"] else "no better"
        typer.echo(
            f"clips that it had not heard it missed by {missed['rmse']:.3g} (RMSE), predicting the mean by "
            f"{missed['rmse_of_mean']:.3g}: {better} than the mean"
        )
        for note in about["notes"]:
            typer.echo(note)
        typer.echo(f"Next: otoscope memorability predict {out} song.mp3")
    say_failures(failures, "", said=_unused(failures))
    if failures:
        raise typer.Exit(1)


@app.command("predict")
def predict(
    model: Annotated[Path, typer.Argument(help="What memorability train wrote.")],
    files: Annotated[list[Path], typer.Argument(help="Sound files: clips or whole songs.")],
    curve: Annotated[
        bool, typer.Option("--curve", help="Hear songs window by window, and name the best one.")
    ] = False,
    hop: Annotated[float, typer.Option(help="Seconds from one window of the curve to the next.", min=0.1)] = 1.0,
    processes: Processes = None,
    as_json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Say how well sound will be remembered, how sure that is, and by what."""
    from otoscope.studies.memorability.model import read_model
    from otoscope.studies.memorability.predict import predict_files

    trained = read_model(model)
    with progress_bar(quiet=quiet) as bar:
        found = predict_files(trained, files, curve=curve, hop_s=hop, processes=processes, progress=bar)
    if as_json:
        print_json([prediction.describe() for prediction in found.predictions])
    else:
        from otoscope.cli.shared import console
        from otoscope.report.remembered import print_prediction

        for prediction in found.predictions:
            print_prediction(console(), prediction, trained.about)
    say_failures(found.failures, "")
    if found.failures:
        raise typer.Exit(1)


@app.command("features")
def features(
    clips: Annotated[Path | None, typer.Argument(help="A folder of clips.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="A .parquet or .csv file: a row for each clip.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the features, in words.")] = False,
    groups: Annotated[
        list[str], typer.Option("--features", help="Groups of features, or default. Repeat it, or use commas.")
    ] = ["default"],  # noqa: B006
    processes: Processes = None,
    as_json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Compute the features of a folder of clips, or list what there is to compute."""
    if listed:
        _list(groups, as_json=as_json)
        return
    if clips is None or out is None:
        raise SpecError("name a folder of clips and a file with --out, or ask for --list")
    if out.is_dir() or out.suffix.lower() not in {".parquet", ".csv"}:
        raise SpecError(f"--out is {out}; name a file that ends in .parquet or .csv")
    from otoscope.store import write_table, write_text
    from otoscope.studies.memorability.describe import describe_folder

    with progress_bar(quiet=quiet) as bar:
        rows, failures = describe_folder(clips, words(groups) or [], processes=processes, progress=bar)
    if not rows:
        say_failures(failures, "")
        raise SpecError(f"{clips}: none of its clips can be described")
    if out.suffix.lower() == ".csv":
        write_text(out, _csv(rows))
    else:
        write_table(out, rows)
    if as_json:
        print_json({"out": str(out), "n_clips": len(rows), "n_features": len(rows[0]) - 2, "n_failed": len(failures)})
    else:
        typer.echo(f"{out}: {counted(len(rows), 'clip')}, {counted(len(rows[0]) - 2, 'feature')}")
    say_failures(failures, "")
    if failures:
        raise typer.Exit(1)


def _csv(rows: list[dict[str, Any]]) -> str:
    import csv
    import io

    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)  # a value that is not there is an empty cell
    return text.getvalue()


def _list(groups: list[str], *, as_json: bool) -> None:
    from otoscope.features.registry import catalogue, select

    rows = [
        {
            "id": feature.id,
            "group": group.name,
            "title": group.title,
            "unit": feature.unit,
            "plain": feature.plain,
            "definition": feature.definition,
            "licence": group.licence,
            "missing": missing,
        }
        for group, feature, missing in select(catalogue(), words(groups) or [])
    ]
    if as_json:
        print_json(rows)
        return
    from otoscope.cli.shared import console
    from otoscope.report.remembered import print_features

    print_features(console(), rows)


@app.command("make-demo")
def make_demo(
    folder: Annotated[Path, typer.Argument(help="Gets clips/ and labels.csv.")],
    tracks: Annotated[int, typer.Option(help="How many clips.", min=1)] = 60,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal files.")] = 0,
) -> None:
    """Make synthetic music whose scores follow from how bright and how high it is, and from nothing else."""
    from otoscope.testing.music import make_music

    make_music(folder, tracks=tracks, seed=seed)
    typer.echo(f"{folder}: {counted(tracks, 'synthetic clip')} and labels.csv; invented listeners, a planted reason")
