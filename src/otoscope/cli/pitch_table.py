"""``otoscope pitch table``: the answer of a run."""

from __future__ import annotations

from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

from otoscope.cli.pitch import models_of, print_profiles
from otoscope.cli.shared import JsonFlag, console, print_json, words
from otoscope.errors import SpecError

__all__ = ["app"]

app = typer.Typer()


@app.command("table")
def table(
    folder: Annotated[Path, typer.Argument(help="A run directory.")],
    as_json: JsonFlag = False,
    matrix: Annotated[bool, typer.Option("--matrix", help="Every source language on every tested one.")] = False,
    rows: Annotated[bool, typer.Option("--rows", help="Every row, instead of the profile.")] = False,
    model: Annotated[list[str] | None, typer.Option("--model", help="Only these models.")] = None,
    layer: Annotated[int | None, typer.Option("--layer", help="Only this layer.")] = None,
    train: Annotated[
        list[str] | None, typer.Option("--train", help="Only these: own, lolo, region, tone, pool.")
    ] = None,
    test: Annotated[list[str] | None, typer.Option("--test", help="Only these languages, or `mean`.")] = None,
    target: Annotated[str | None, typer.Option("--target", help="Only this: log2_f0, semitone, voicing ...")] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="Only this: r2, within_r, gpe ...")] = None,
) -> None:
    """Show the answer of a run: the layer profile, or any rows of its table, or the matrix of languages."""
    from otoscope.report.terminal import QUIET, matrix_table, reasons, rows_table
    from otoscope.report.tokens import DASH
    from otoscope.store import read_json
    from otoscope.studies.pitch.answer import read_answer

    filters: dict[str, list[Any] | None] = {
        "model": models_of(model) if model else None,
        "layer": None if layer is None else [layer],
        "train": words(train),
        "test": words(test),
        "target": [target] if target else None,
        "metric": [metric] if metric else None,
    }
    found = _matrix(folder, filters, metric, target or "log2_f0", as_json) if matrix else read_answer(folder)[0]
    for name, wanted in filters.items():
        if wanted is not None:
            known = [k for k in dict.fromkeys(row[name] for row in found) if k is not None]
            strange = [w for w in wanted if w not in known]
            if strange and found:
                listed = ", ".join(str(k) for k in known)
                near = get_close_matches(str(strange[0]), [str(k) for k in known], n=1, cutoff=0.5)
                meant = f"; did you mean {near[0]!r}?" if near else ""
                raise SpecError(f"--{name}: the run has no {', '.join(map(str, strange))}; it has {listed}{meant}")
            found = [row for row in found if row[name] in wanted]
    out = console()
    if as_json:
        print_json(found)
    elif matrix:
        about = read_json(folder / "run.json")
        kinds = {"regions": about["regions"], "tone_types": about["tone_types"]}
        for key in dict.fromkeys((row["model"], row["layer"]) for row in found):
            part = [row for row in found if (row["model"], row["layer"]) == key]
            title = f"{key[0]} layer {key[1]}: {part[0]['metric']} of {part[0]['target']}"
            out.print(matrix_table(part, title=title, width=out.width, **kinds), "")
        if found:
            out.print(_about_matrix(found, layer is None), style=QUIET)
    elif rows or any(wanted is not None for wanted in filters.values()):
        out.print(rows_table(found, width=out.width))
        for reason in reasons(found):
            out.print(f"{DASH} {reason}", style=QUIET)
    else:
        print_profiles(folder)


def _matrix(
    folder: Path, filters: dict[str, list[Any] | None], metric: str | None, target: str, as_json: bool
) -> list[dict[str, Any]]:
    """Give the rows of the matrix: for people, of each model's best layer unless one is named."""
    from otoscope.evaluation.scores import METRICS
    from otoscope.studies.pitch.answer import MEAN, read_answer
    from otoscope.studies.pitch.matrix import matrix_rows
    from otoscope.studies.pitch.prepare import threads_for_block
    from otoscope.studies.pitch.targets import DISPUTED

    shown = metric if as_json else (metric or "r2")
    answered: list[dict[str, Any]] = []
    chosen: dict[str | None, list[int] | None] = {None: filters["layer"]}
    if not as_json and filters["layer"] is None and shown in METRICS:
        with suppress(SpecError):  # without an answer every layer is shown
            answered = read_answer(folder)[0]
        own = [
            row
            for row in answered
            if (row["train"], row["test"], row["target"], row["metric"]) == ("own", MEAN, target, shown)
            and row["value"] is not None
            and row["mask"] != DISPUTED
            and (filters["model"] is None or row["model"] in filters["model"])
        ]
        sign = 1 if shown and METRICS[shown].higher_is_better else -1
        best = {
            name: max((r for r in own if r["model"] == name), key=lambda r: sign * r["value"])["layer"]
            for name in dict.fromkeys(row["model"] for row in own)
        }
        chosen = {name: [layer] for name, layer in best.items()} or chosen
    found: list[dict[str, Any]] = []
    with threads_for_block(None):
        for name, layers in chosen.items():
            models = filters["model"] if name is None else [name]
            found += matrix_rows(
                folder, metric=shown, target=target, models=models, layers=layers, tested=filters["test"]
            )
    return found


def _about_matrix(rows: list[dict[str, Any]], chosen: bool) -> str:
    first = (rows[0]["model"], rows[0]["layer"], rows[0]["train"])
    column = [row for row in rows if (row["model"], row["layer"], row["train"]) == first]
    said = (
        f"Down: trained on; across: tested on {sum(row['n_utterances'] for row in column):,} utterances, "
        f"{sum(row['n_frames'] for row in column):,} frames. In brackets, where they fit: 95 % intervals over groups "
        "of sentences; intervals, controls and baselines are in --json."
    )
    return said + (
        " Of each model the layer that is best in its own languages; --layer shows another." if chosen else ""
    )
