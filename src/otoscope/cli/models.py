"""``otoscope models``: what can be named with --model, and whether a checkpoint is sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from otoscope.cli.shared import JsonFlag, console, counted, print_json
from otoscope.cli.starting import quick_start

if TYPE_CHECKING:
    from otoscope.representations.upstreams.checking import CheckpointReport

__all__ = ["app"]

app = typer.Typer(help="What can be named with --model; look a checkpoint over.", no_args_is_help=False)

MANY = 4  # languages that are counted instead of named, above this


@app.callback(invoke_without_command=True)
def models(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """List the models that are built in, the families of checkpoints, and checkpoints that something is known of."""
    if ctx.invoked_subcommand is not None:
        return
    from otoscope.representations.registry import MODELS
    from otoscope.representations.upstreams.catalogue import family_rows, known_rows

    built_in: list[dict[str, object]] = [
        {
            "name": name,
            "summary": entry.summary,
            "settings": {key: f"{field.meaning} ({field.accepted})" for key, field in sorted(entry.settings.items())},
        }
        for name, entry in MODELS.items()
    ]
    families, known = family_rows(), known_rows()
    if as_json:
        print_json({"built_in": built_in, "families": families, "known": known})
        return
    from otoscope.report.terminal import QUIET

    out = console()
    out.print(_built_in_table(built_in), "")
    out.print(_family_table(families), "")
    out.print(_known_table(known), "")
    n_present = sum(bool(row["present"]) for row in known)
    out.print(
        f"{n_present or 'None'} of these {'is' if n_present < 2 else 'are'} on this machine. Any other "
        "checkpoint of a family is named the same way: org/name, or a folder (./my-checkpoint). An untrained copy: "
        "untrained:MODEL#SEED. Look one over: otoscope models check MODEL.",
        style=QUIET,
    )


def _built_in_table(rows: list[dict[str, object]]) -> Any:
    from otoscope.report.terminal import plain_table

    table = plain_table(title="Built in")
    for name in ("name", "what it is", "settings"):
        table.add_column(name, overflow="fold")
    for row in rows:
        settings = cast("dict[str, str]", row["settings"])
        table.add_row(str(row["name"]), str(row["summary"]), ", ".join(settings))
    return table


def _family_table(rows: list[dict[str, object]]) -> Any:
    from otoscope.report.terminal import plain_table
    from otoscope.report.tokens import DASH

    table = plain_table(title="Families of checkpoints")
    for name in ("family", "model_type", "blocks", "level of a clip", "clips heard together"):
        table.add_column(name, overflow="fold")
    for row in rows:
        layers = cast("list[int]", row["layers"])
        span = " or ".join(", ".join(map(str, layers)).rsplit(", ", 1)) if layers else DASH
        kinds = ", ".join(cast("list[str]", row["model_types"]))
        table.add_row(str(row["name"]), kinds, span, str(row["level"]), str(row["together"]))
    return table


def _known_table(rows: list[dict[str, object]]) -> Any:
    from otoscope.report.terminal import FOUND, plain_table
    from otoscope.report.tokens import DASH

    table = plain_table(
        title="Known checkpoints",
        caption="L blocks give the layers 0 to L. heard: training languages that FLEURS has. --json adds sources.",
    )
    for name in ("name", "blocks", "dim", "frame", "heard", "licence", "here"):
        right = name in ("blocks", "dim", "frame")
        table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=right or name == "name")
    for row in rows:
        heard = cast("list[str] | None", row["heard"])
        named = DASH if heard is None else ", ".join(heard) if len(heard) <= MANY else counted(len(heard), "language")
        milliseconds = 1000 * cast("int", row["hop"]) / cast("int", row["sample_rate"])
        table.add_row(
            str(row["name"]),
            str(row["n_layers"]),
            str(row["dim"]),
            f"{milliseconds:g} ms",
            named,
            str(row["licence"]),
            "yes" if row["present"] else "",
            style=FOUND if row["present"] else None,
        )
    return table


@app.command("check")
def check(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A folder with a checkpoint, or org/name; settings after a colon.")
    ],
    device: Annotated[str, typer.Option(help="Where it computes: cpu, cuda, cuda:1 or auto.")] = "cpu",
    as_json: JsonFlag = False,
) -> None:
    """Open a checkpoint, let it hear noise, and say what it is and whether it keeps what it says."""
    from otoscope.representations.registry import open_model
    from otoscope.representations.upstreams.checking import check_checkpoint

    with quick_start():
        opened = open_model(model, device=device)
    report = check_checkpoint(opened)
    if as_json:
        print_json(report.as_dict())
    else:
        _print_report(report)
    if report.problems:
        raise typer.Exit(1)


def _print_report(report: CheckpointReport) -> None:
    from rich.text import Text

    from otoscope.report.terminal import FOUND, plain_table
    from otoscope.report.tokens import DASH

    grid, out = report.grid, console()
    rate = grid.sample_rate
    settings = ", ".join(f"{key}={_word(value)}" for key, value in report.settings.items() if key != "family")
    facts = {
        "model": f"{report.name} ({report.family}, {report.norm})",
        "version": report.version,
        "licence": report.licence,
        "weights": f"{report.n_parameters / 1e6:.3g} million, {report.n_bytes / 1e6:.3g} MB on disk",
        "settings": settings,
        "clock": f"a state every {1000 * grid.hop / rate:g} ms, made from "
        f"{1000 * grid.receptive_field / rate:g} ms by the convolutions "
        f"({grid.hop} and {grid.receptive_field} samples at {rate} Hz, from {grid.start})",
        "blocks": "by attention each state hears "
        + ("the whole clip" if report.window_s is None else f"its window of {report.window_s:g} s"),
        "frames": f"counted at {counted(len(report.lengths), 'length')}: "
        + (f"wrong at {', '.join(map(str, report.wrong_lengths))} samples" if report.wrong_lengths else "all right"),
        "library": _gap(
            report.difference, "its own hidden states differ by at most", "it defines no states to compare"
        ),
        "together": _gap(
            report.batch_difference, "clips of equal length differ by at most", "takes one clip at a time"
        ),
        "padded": _gap(report.padded_difference, "clips of unequal length differ by at most", "refused"),
        "time": f"{report.seconds_per_second:.3g} s per second of sound on {report.device}, "
        f"{counted(report.n_threads, 'thread')}",
    }
    listed = plain_table()
    listed.add_column("", no_wrap=True)
    listed.add_column("", overflow="fold")
    for name, text in facts.items():
        listed.add_row(name, text)
    listed.show_header = False
    out.print(listed, "")
    table = plain_table(caption="off centre: largest mean of a dimension over its standard deviation, and which")
    for name in ("layer", "what", "dim", "rms", "off centre", "difference to the library"):
        table.add_column(name, justify="left" if name == "what" else "right", no_wrap=True)
    for layer in report.layers:
        table.add_row(
            str(layer.index),
            layer.name,
            str(layer.dim),
            f"{layer.rms:.3g}",
            f"{layer.largest_mean:.3g} ({layer.largest_dim})",
            DASH if layer.difference is None else f"{layer.difference:.2g}",
        )
    out.print(table, "")
    if report.problems:
        for problem in report.problems:
            out.print(f"broken: {problem}")
    else:
        out.print(Text("It keeps what it says.", style=FOUND))


def _gap(value: float | None, said: str, otherwise: str) -> str:
    return otherwise if value is None else f"{said} {value:.2g}"


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
