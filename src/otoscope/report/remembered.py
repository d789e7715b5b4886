"""What a memorability study found, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from otoscope.features.registry import DEFAULT
from otoscope.report.memorability_sentences import NO_SKILL, driver_sentence, folds_agreeing, headline, raising_words
from otoscope.report.memorability_words import clean, metric_text, p_text, score_digits, shown_name
from otoscope.report.terminal import FOUND, GAP, QUIET, plain_table
from otoscope.report.tokens import DASH, interval, number

if TYPE_CHECKING:
    from otoscope.studies.memorability.answer import Answer
    from otoscope.studies.memorability.predict import Prediction

__all__ = ["print_evaluation", "print_features", "print_prediction", "sparkline"]

WIDE = 112  # columns that the whole table needs
ROOMY = 92  # columns from which the second interval is shown
STRONGEST = 3
BLOCKS = "▁▂▃▄▅▆▇█"
CURVE_COLUMNS = 48
FLAT = 0.25  # of the width of the interval: a curve that moves less has no part that stands out


def print_evaluation(console: Console, answer: Answer) -> None:
    """Print the answer of an evaluation.

    Parameters
    ----------
    console : Console
        Where.
    answer : Answer
        What.
    """
    summary = answer.summary
    digits = score_digits([row["truth"] for row in answer.predictions])
    head = headline(summary, digits=digits)
    console.print(Text(head.sentence, style="bold" if head.verdict == "nothing" else f"bold {FOUND}"), "")
    console.print(_scores(summary, digits, console.width))
    if any(each["kind"] == "reference" for each in summary["details"].values()):
        console.print(
            Text("Last block: the reference's protocol, tested otherwise, so not to be compared.", style=QUIET)
        )
    for reason in _reasons(summary):
        console.print(Text(f"{DASH} {reason}", style=QUIET))
    console.print()
    for sentence in head.details:
        console.print(Text(sentence))
    if answer.explanation is not None:
        _print_drivers(console, answer.explanation, digits, skilled=head.verdict == "found")
    if summary["notes"]:
        console.print()
        for note in summary["notes"]:
            console.print(Text(clean(note), style=QUIET))
    console.print()


def _scores(summary: Mapping[str, Any], digits: int, width: int) -> Table:
    table = plain_table()
    table.add_column("model", overflow="fold")
    names = [("spearman_pooled", "rho pooled (95 %)", True), ("spearman_fold", "rho per fold", width >= ROOMY)]
    names += [("mse", "MSE", False)] if width >= WIDE else []
    names += [("rmse", "RMSE", width >= WIDE), ("pair_accuracy", "pairs", False)]
    for _, title, _ in names:
        table.add_column(title, no_wrap=True)
    table.add_column("p", no_wrap=True)
    order = ("model", "control", "reference")
    kinds = {name: summary["details"][name]["kind"] for name in summary["models"]}
    before = None
    for name in sorted(summary["models"], key=lambda each: order.index(kinds[each])):
        if kinds[name] == "reference" and before != "reference":
            table.add_row()
        before = kinds[name]
        style = FOUND if before == "model" else QUIET
        cells: list[Text] = [Text(shown_name(name), style=style)]
        for metric, _, bounded in names:
            said = metric_text(metric, summary["models"][name][metric], digits)
            cells.append(Text(said if bounded else said.partition(" ")[0], style=style))
        table.add_row(*cells, Text(p_text(summary["details"][name]["permutation"]), style=style))
    return table


def _reasons(summary: Mapping[str, Any]) -> list[str]:
    found = (
        f"{shown_name(name)}: {clean(scores[metric]['reason'])}"
        for name, scores in summary["models"].items()
        for metric in ("spearman_pooled", "spearman_fold", "rmse", "pair_accuracy")
        if scores[metric].get("reason")
    )
    return list(dict.fromkeys(found))


def _print_drivers(console: Console, explanation: Mapping[str, Any], digits: int, *, skilled: bool) -> None:
    console.print(Text(f"\nWhat drives {clean(explanation['model'])}", style="bold"))
    console.print(Text(driver_sentence(explanation)) if skilled else Text(NO_SKILL, style="bold"))
    moved = [each for each in explanation["groups"] if each["mean_abs"] > 0][:STRONGEST]
    if moved:
        listed = ", ".join(f"{clean(each['title'])} {number(each['mean_abs'], digits=digits + 1)}" for each in moved)
        console.print(Text(f"Groups that move a prediction most, on average: {listed}"))
    for each in [each for each in explanation["features"] if each["mean_abs"] > 0][:STRONGEST]:
        way = "no steady direction"
        if each["sign"]:
            way = f"raises the score, in {folds_agreeing(each['stability'], explanation['n_folds'])}"
        line = Text(f"{raising_words(each)}: {way}")
        line.append(f"  {clean(each['id'])}", style=QUIET)
        console.print(Padding(line, (0, 0, 0, 2), expand=False))


def print_prediction(console: Console, prediction: Prediction, about: Mapping[str, Any]) -> None:
    """Print what a model says of one file.

    Parameters
    ----------
    console : Console
        Where.
    prediction : Prediction
        What.
    about : mapping
        As in ``model.json``.
    """
    score = about["score"]
    digits = score_digits([score["least"], score["greatest"]])
    said = interval(prediction.score, prediction.low, prediction.high, digits=digits)
    if prediction.low is not None:
        said = f"{said[:-1]}, {100 * prediction.level:.0f} %)"
    place = f"more memorable than {_share(prediction.percentile)} of the training clips"
    if prediction.unlike:
        console.print(Text(f"{clean(prediction.path)} {_unlike(prediction.unlikeness)}", style="bold"))
        console.print(Text(f"  {said}"))
        place = ""
    else:
        line = Text(f"{clean(prediction.path)}  ")
        line.append(said, style=f"bold {FOUND}")
        if line.cell_len + len(place) + GAP <= console.width:
            line.append(f"  {place}")
            place = ""
        console.print(line)
    if _useless(about):
        _print_indented(
            console, "this model predicts no better than the mean of its training scores: do not rely on it"
        )
    if place:
        console.print(Text(f"  {place}"))
    if prediction.low is None:
        console.print(Text(f"  {DASH} no interval: the model was trained on too few groups of clips", style=QUIET))
    if not prediction.unlike:
        _print_reasons(console, prediction.reasons)
        _print_curve(console, prediction, (score["least"], score["greatest"]), digits)
    console.print()


def _print_indented(console: Console, text: str) -> None:
    console.print(Padding(Text(text, style="bold"), (0, 0, 0, 2), expand=False))


def _unlike(unlikeness: float) -> str:
    share = _share(unlikeness)
    those = "any of them does" if share == "all" else f"{share} of them do"
    return (
        f"stands further from the training clips than {those} from the rest, so neither score nor reasons mean much"
    )


def _useless(about: Mapping[str, Any]) -> bool:
    """Say whether the model missed the clips it had not heard by as much as the mean of the scores does."""
    tested = about.get("out_of_fold") or {}
    rmse, of_mean = tested.get("rmse"), tested.get("rmse_of_mean")
    return rmse is not None and of_mean is not None and rmse >= of_mean


def _print_curve(console: Console, prediction: Prediction, ends: tuple[float, float], digits: int) -> None:
    best = prediction.best
    if best is None:
        return
    least = min(moment.score for moment in prediction.curve)
    low, high = prediction.low, prediction.high
    if low is not None and high is not None and best.score - least < FLAT * (high - low):
        console.print(Text("  no part stands out"))
    else:
        stretch = Text("  most memorable: ")
        stretch.append(
            f"{_clock(best.start_s)}-{_clock(best.end_s)} ({number(best.score, digits=digits)})", style=FOUND
        )
        console.print(stretch)
    scores = [moment.score for moment in prediction.curve]
    drawn = sparkline(scores, columns=min(CURVE_COLUMNS, console.width - 24), ends=ends)
    if console.encoding.lower().startswith("utf"):
        curve = Text(f"  0:00 {drawn} {_clock(prediction.duration_s)}", style=FOUND)
        curve.append(f"  {number(least, digits=digits)} to {number(best.score, digits=digits)}", style=QUIET)
        console.print(curve)


def _print_reasons(console: Console, reasons: Sequence[str]) -> None:
    table = plain_table()
    table.show_header = False
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for reason in reasons:
        words, _, move = clean(reason).rpartition(": ")
        table.add_row(Text(move if words else DASH, style=QUIET), Text(words or move))
    if reasons:
        console.print(Padding(table, (0, 0, 0, 2), expand=False))


def _share(per_cent: float) -> str:
    """Never round a part up to the whole, or down to nothing."""
    if per_cent <= 0:
        return "none"
    return "all" if per_cent >= 100 else f"{min(99, max(1, round(per_cent)))} %"


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def sparkline(values: Sequence[float], *, columns: int, ends: tuple[float, float] | None = None) -> str:
    """Draw a curve in one line of text.

    Parameters
    ----------
    values : sequence of float
        The curve.
    columns : int, > 0
        How wide it may be; more values are averaged, fewer are drawn as they are.
    ends : (float, float), optional
        What the lowest and the highest block stand for, values beyond them as well; without it, the least and the
        greatest of what is drawn.

    Returns
    -------
    str
        A block for each value; of middle height where both ends are the same.

    Examples
    --------
    >>> sparkline([0.1, 0.5, 0.9, 0.5], columns=8)
    '▁▅█▅'
    >>> sparkline([0, 0, 7, 7], columns=2)
    '▁█'
    >>> sparkline([40, 50, 60, 120], columns=8, ends=(0, 100))
    '▄▅▅█'
    """
    n, wide = len(values), max(1, min(columns, len(values)))
    cuts = [n * i // wide for i in range(wide + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(cuts)] if n else []
    low, high = (min(means, default=0.0), max(means, default=0.0)) if ends is None else ends
    if high <= low:
        return BLOCKS[3] * len(means)
    return "".join(BLOCKS[round(7 * (min(max(value, low), high) - low) / (high - low))] for value in means)


def print_features(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the list of features, group by group.

    Parameters
    ----------
    console : Console
        Where.
    rows : sequence of mapping
        ``id``, ``group``, ``title``, ``unit``, ``plain``, ``licence`` and ``missing``; rows of a group together.
    """
    for group, found in groupby(rows, key=lambda row: row["group"]):
        features = list(found)
        first = features[0]
        line = Text(clean(first["title"]), style="bold")
        counted = f"{len(features)} feature{'' if len(features) == 1 else 's'}"
        line.append(
            f"  {clean(group)} \N{MIDDLE DOT} {counted} \N{MIDDLE DOT} {clean(first['licence'])}",
            style=f"not bold {QUIET}",
        )
        if group not in DEFAULT:
            line.append(" \N{MIDDLE DOT} only when named", style="not bold")
        console.print(line)
        if first["missing"]:
            console.print(Text(f"{DASH} does not work here: {clean(first['missing'])}"))
        table = plain_table()
        table.show_header = False
        table.add_column(style=QUIET if first["missing"] else FOUND, no_wrap=True)
        table.add_column(style=QUIET, overflow="fold", max_width=16)
        table.add_column()
        for feature in features:
            unit = "" if feature["unit"] == "1" else clean(feature["unit"])
            table.add_row(*map(Text, (clean(feature["id"]), unit, clean(feature["plain"]))))
        console.print(table, "")
    n_groups = len({row["group"] for row in rows})
    console.print(Text(f"{len(rows)} features in {n_groups} group{'' if n_groups == 1 else 's'}", style=QUIET))
