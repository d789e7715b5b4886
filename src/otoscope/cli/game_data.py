"""``otoscope game score``, ``export`` and ``erase``: what comes of the responses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otoscope.cli.shared import JsonFlag, console, counted, print_json
from otoscope.errors import SpecError

if TYPE_CHECKING:
    from otoscope.evaluation.resampling import Estimate
    from otoscope.game.exclusions import Exclusions, Limits
    from otoscope.game.reliability import SplitHalf
    from otoscope.game.responses import Responses
    from otoscope.game.scoring import Scores

__all__ = ["erase", "export", "score"]

Database = Annotated[str | None, typer.Option("--database", help="Another database than the study's file, as a URL.")]


def score(
    source: Annotated[
        Path,
        typer.Argument(metavar="STUDY_OR_CSV", help="A study's folder, or a CSV of responses of any experiment."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Labels for `otoscope memorability evaluate`, as CSV.")
    ] = None,
    label: Annotated[
        str,
        typer.Option(
            "--label", help="Which becomes `score`: raw, shrunk, lag_adjusted, corrected, dprime, false_alarm."
        ),
    ] = "raw",
    exclusions: Annotated[
        str | None,
        typer.Option(
            "--exclusions", help="Rules: default, reference or none.", show_default="the study's own, or else default"
        ),
    ] = None,
    rule: Annotated[
        str, typer.Option("--rule", help="Which pairs count: reference, every-pair or timeouts-miss.")
    ] = "reference",
    reference_lag: Annotated[
        float | None,
        typer.Option("--reference-lag", help="In slots, of the lag-adjusted scores.", show_default="the median lag"),
    ] = None,
    reliability: Annotated[
        bool,
        typer.Option("--reliability", help="Divide the listeners, and say how far the scores repeat themselves."),
    ] = False,
    answers: Annotated[
        str | None,
        typer.Option(
            "--answers", help="Of another's CSV: words, numbers (0 new, 1 repeat), or old=repeat,fresh=new ..."
        ),
    ] = None,
    vigilance_lag: Annotated[
        int | None, typer.Option("--vigilance-lag", help="Of another's CSV: pairs at this lag or less are vigilance.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the divisions of listeners.")] = 0,
    database: Database = None,
    as_json: JsonFlag = False,
) -> None:
    """Turn responses into labels: who is left out and why, a score for each clip, its interval, its reliability."""
    from otoscope.game.exclusions import exclude
    from otoscope.game.pairs import ANSWER_RULES
    from otoscope.game.reliability import split_half
    from otoscope.game.scoring import check_score, score_responses, write_labels

    check_score(label)
    if rule not in ANSWER_RULES:
        raise SpecError(f"--rule {rule!r}: choose from {', '.join(ANSWER_RULES)}")
    responses, limits = _responses(source, exclusions, answers, vigilance_lag, database)
    left = exclude(responses, limits)
    kept = responses.of_sessions(left.kept)
    name: Any = label
    scores = score_responses(kept, rule=ANSWER_RULES[rule], reference_lag=reference_lag)
    halves = None
    if reliability or out is not None:
        halves = split_half(kept, score=name, rule=ANSWER_RULES[rule], seed=seed, interval=reliability)
    without = 0
    if out is not None:
        assert halves is not None
        without = write_labels(out, scores, label=name, halves=(halves.half_a, halves.half_b))
    shown = halves if reliability else None
    if as_json:
        print_json(_told(scores, left, shown, label, out))
        return
    _show(scores, left, shown, label)
    if out is not None:
        missing = f", {counted(without, 'clip')} without one" if without else ""
        typer.echo(f"{out}: {label} of {counted(len(scores.tracks) - without, 'clip')}{missing}")
        typer.echo(f"Next: otoscope memorability evaluate --clips CLIPS --labels {out}")


def _responses(
    source: Path, exclusions: str | None, answers: str | None, vigilance_lag: int | None, database: str | None
) -> tuple[Responses, Limits]:
    """Read the table, and the rules that hold for it."""
    from otoscope.game.exclusions import PRESETS
    from otoscope.game.responses import answer_codes, read_responses

    if exclusions is not None and exclusions not in PRESETS:
        raise SpecError(f"--exclusions {exclusions!r}: choose from {', '.join(PRESETS)}")
    if source.is_dir():
        from otoscope.cli.game import needs_extra

        needs_extra()
        from otoscope.game.collecting import limits_of, read_study_responses
        from otoscope.game.study import Study

        if answers is not None or vigilance_lag is not None:
            raise SpecError(f"{source}: --answers and --vigilance-lag are for another's CSV; leave them out")
        study = Study.open(source)
        found = read_study_responses(study, study.store(database))
        return found, limits_of(study) if exclusions is None else PRESETS[exclusions]
    codes = None if answers is None else answer_codes(answers)
    found = read_responses(source, answers=codes, vigilance_lag=vigilance_lag)
    return found, PRESETS[exclusions or "default"]


def _told(
    scores: Scores, left: Exclusions, halves: SplitHalf | None, label: str, out: Path | None
) -> dict[str, object]:
    fit = scores.lag_fit
    return {
        "n_sessions": scores.n_sessions,
        "n_pairs": scores.n_pairs,
        "n_dropped": scores.n_dropped,
        "exclusions": [
            {"rule": rule.rule, "limit": rule.limit, "n": rule.n, "n_judged": rule.n_judged} for rule in left.rules
        ],
        "n_excluded": len(left.excluded),
        "overlaps": [{"rules": list(pair), "n": n} for pair, n in left.overlaps.items()],
        "label": label,
        "out": None if out is None else str(out),
        "lag": None
        if fit is None
        else {name: _estimated(getattr(fit, name)) for name in ("slope", "crossing", "reference_lag")},
        "reliability": None
        if halves is None
        else {name: _estimated(getattr(halves, name)) for name in ("spearman", "pearson", "reliability", "ceiling")},
        "clips": [
            {
                "track": one.track,
                "n": one.n,
                "hits": one.hits,
                "n_firsts": one.firsts,
                "false_alarms": one.alarms,
                **{name: {"value": v, "low": low, "high": high} for name, (v, low, high) in one.values.items()},
            }
            for one in scores.tracks
        ],
    }


def _estimated(value: Any) -> object:
    """Give an estimate as JSON, and a plain number as it is."""
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, tuple):
        return [_estimated(part) for part in value]
    return {"value": value.value, "low": value.low, "high": value.high, "reason": value.reason}


def _in_words(one: Estimate) -> str:
    from otoscope.report.tokens import DASH

    if one.value is None:
        return f"{DASH} ({one.reason})"
    return f"{one.value:.2f}" + (f" ({one.low:.2f}-{one.high:.2f})" if one.low is not None else "")


def _show(scores: Scores, left: Exclusions, halves: SplitHalf | None, label: str) -> None:
    from otoscope.report.terminal import plain_table

    out = console()
    table = plain_table()
    for heading, side in (("left out for", "left"), ("rule", "left"), ("sittings", "right"), ("of", "right")):
        table.add_column(heading, justify=side)  # pyright: ignore[reportArgumentType]
    for rule in left.rules:
        table.add_row(rule.rule, rule.limit, str(rule.n), str(rule.n_judged))
    out.print(table)
    out.print(
        f"{counted(scores.n_sessions, 'sitting')} kept, {len(left.excluded)} left out; {scores.n_pairs} pairs count, "
        f"{scores.n_dropped} do not"
    )
    values = sorted(one.values[label][0] for one in scores.tracks if label in one.values)
    if values:
        middle = values[len(values) // 2]
        out.print(f"{label}: {len(values)} clips, {values[0]:.2f} to {values[-1]:.2f}, median {middle:.2f}")
    if halves is not None:
        out.print(f"halves of the listeners agree at rho {_in_words(halves.spearman)}, {halves.n_splits} divisions")
        out.print(f"reliability of all {_in_words(halves.reliability)} (Spearman-Brown)")
        out.print(f"no prediction can rank better than rho {_in_words(halves.ceiling)}")


def export(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The study's folder.")],
    out: Annotated[Path, typer.Option("--out", help="A folder, or a file that ends in .zip.")],
    platform_ids: Annotated[
        bool, typer.Option("--platform-ids", help="Also the ids of Prolific or SONA, in a file of their own.")
    ] = False,
    finished_only: Annotated[bool, typer.Option("--finished-only", help="Only sittings that were finished.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
    database: Database = None,
    as_json: JsonFlag = False,
) -> None:
    """Write tables, codebook, schedules and versions, so that others can use the data."""
    from otoscope.cli.game import needs_extra

    needs_extra()
    from otoscope.game.export import export_study
    from otoscope.game.study import Study

    opened = Study.open(study)
    written = export_study(
        opened,
        opened.store(database),
        out,
        platform_ids=platform_ids,
        incomplete=not finished_only,
        overwrite=overwrite,
    )
    if as_json:
        print_json(
            {
                "out": str(out),
                "n_sessions": written.n_sessions,
                "n_responses": written.n_responses,
                "files": [str(path) for path in written.files],
            }
        )
        return
    typer.echo(
        f"{out}: {counted(written.n_responses, 'response')} of {counted(written.n_sessions, 'sitting')}, "
        f"{counted(len(written.files), 'file')}"
    )


def erase(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The study's folder.")],
    participant: Annotated[
        str,
        typer.Option(
            "--participant", help="A code of the listener: of the sitting, completion, return, or of the platform."
        ),
    ],
    everyone: Annotated[
        bool, typer.Option("--all", help="All listeners with that code, where several share it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    database: Database = None,
    as_json: JsonFlag = False,
) -> None:
    """Erase everything of a listener. Backups keep what they have: erase it there too."""
    from otoscope.cli.game import needs_extra

    needs_extra()
    from otoscope.game.erase import erase_participant, find_participants
    from otoscope.game.study import Study

    store = Study.open(study).store(database)
    if not yes and not as_json:
        n = len(find_participants(store, participant))
        if n:
            typer.confirm(f"Erase {counted(n, 'listener')} for good?", abort=True)
    erased = erase_participant(store, participant, every=everyone)
    if as_json:
        print_json(
            [
                {"participant": one.participant, "sessions": list(one.sessions), "removed": one.removed}
                for one in erased
            ]
        )
        return
    for one in erased:
        removed = ", ".join(f"{n} of {table}" for table, n in one.removed.items() if n)
        typer.echo(f"{one.participant}: erased {removed}")
