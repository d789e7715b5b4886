"""``otoscope game``: the Music Memory Game, from clips to a running experiment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otoscope.cli import game_data, game_plan
from otoscope.cli.shared import JsonFlag, counted, named, print_json, progress_bar, say_failures, words
from otoscope.errors import SpecError

if TYPE_CHECKING:
    from otoscope.game.settings import StudySettings
    from otoscope.game.study import MadeStudy

__all__ = ["StudyFolder", "app"]

StudyFolder = Annotated[Path, typer.Argument(metavar="STUDY", help="The study's folder.")]
app = typer.Typer(help="The Music Memory Game: collect memorability labels from listeners.", no_args_is_help=True)
app.command("plan")(game_plan.plan)


@app.command("new")
def new(
    study: StudyFolder,
    clips: Annotated[Path, typer.Option("--clips", help="Folder of sound files; only read.")],
    config: Annotated[Path | None, typer.Option("--config", help="Settings of the study, as TOML.")] = None,
    preset: Annotated[
        str | None,
        typer.Option("--preset", help="short, standard or reference-405; the settings' own, or else short."),
    ] = None,
    seats: Annotated[
        int | None,
        typer.Option("--seats", min=1, help="Different assignments of clips; best the number of sittings planned."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of schedules and assignments.")] = 0,
    languages: Annotated[
        list[str] | None, typer.Option("--languages", help="Of the page: en, zh-Hant; the first is the default.")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="What players read first.")] = None,
    contact: Annotated[str | None, typer.Option("--contact", help="Whom players may ask.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Make anew a study that nobody has begun; edited texts are kept.")
    ] = False,
    as_json: JsonFlag = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Make a study: clips of one loudness for the web, schedules, their proof, texts to edit."""
    needs_extra()
    from otoscope.corpora.base import Failure
    from otoscope.game.settings import StudySettings, read_settings
    from otoscope.game.study import new_study

    settings = StudySettings() if config is None else read_settings(config)
    changes: dict[str, object] = {"seats": seats, "title": title, "contact": contact, "languages": words(languages)}
    settings = changed(settings, changes, preset)
    with progress_bar(quiet=quiet) as bar:
        begun = False

        def progress(done: int, total: int) -> None:
            nonlocal begun
            if not begun:
                bar.begin("clips", total)
                begun = True
            bar.advance()

        made = new_study(study, clips, settings, seed=seed, overwrite=overwrite, progress=progress)
    if as_json:
        print_json(_told(made))
    else:
        typer.echo("\n".join(proof.to_text().rstrip() for proof in made.proofs))
        for warning in made.clips.warnings:
            typer.echo(f"note: {warning}")
        typer.echo(
            f"{study}: {counted(len(made.clips.clips), 'clip')}, {made.study.n_slots} slots in "
            f"{counted(made.study.n_phases, 'phase')}, about {made.study.minutes} minutes, "
            f"{made.study.n_seats} assignments"
        )
        typer.echo(f"Read and edit {study / 'texts'}, then: otoscope game serve {study}")
    failures = [Failure(track, "audio", reason) for track, reason in made.clips.failures]
    say_failures(failures, "")
    if failures:
        raise typer.Exit(1)


def changed(settings: StudySettings, changes: dict[str, object], preset: str | None) -> StudySettings:
    """Change settings by what was said on the command line.

    Parameters
    ----------
    settings : StudySettings
        As read.
    changes : dict
        By field; None changes nothing.
    preset : str or None
        Of the schedule.

    Returns
    -------
    StudySettings
        Checked anew.
    """
    from pydantic import ValidationError

    fields = settings.model_dump() | {key: value for key, value in changes.items() if value is not None}
    if preset is not None:
        fields["schedule"] = {**settings.schedule, "preset": preset}
    try:
        return type(settings).model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SpecError(f"game new: {place}: {first['msg']}") from None


def _told(made: MadeStudy) -> dict[str, object]:
    return {
        "study": str(made.study.folder),
        "n_clips": len(made.clips.clips),
        "n_slots": made.study.n_slots,
        "n_phases": made.study.n_phases,
        "n_seats": made.study.n_seats,
        "minutes": made.study.minutes,
        "warnings": list(made.clips.warnings),
        "proofs": [proof.to_json() for proof in made.proofs],
        "failures": [{"clip_id": track, "stage": "audio", "reason": reason} for track, reason in made.clips.failures],
    }


@app.command("serve")
def serve(
    study: StudyFolder,
    host: Annotated[
        str, typer.Option("--host", help="Where to listen: 0.0.0.0 for other machines, best behind a proxy with TLS.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0 takes a free one.")] = 8000,
    public_url: Annotated[
        str | None, typer.Option("--public-url", help="How listeners reach it, where a proxy stands before it.")
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option("--trusted-proxy", help="Address of a proxy whose word on addresses is taken. Repeat it."),
    ] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Another database than the study's file, as a URL.")
    ] = None,
) -> None:
    """Serve a study until Ctrl-C: play at /, watch at /admin."""
    needs_extra()
    from otoscope.game.serve import Addresses, run_server
    from otoscope.game.study import Study

    opened = Study.open(study)

    def ready(found: Addresses) -> None:
        typer.echo(f"Play:  {found.play}")
        typer.echo(f"Admin: {found.admin}")
        typer.echo("Ctrl-C stops the server; sittings go on where they were when it runs again.")

    proxies = named(list(trusted_proxy), trusted_proxy) if trusted_proxy else ["127.0.0.1", "::1"]
    run_server(
        opened, host=host, port=port, database=database, public_url=public_url, trusted_proxies=proxies, ready=ready
    )


@app.command("simulate")
def simulate(
    study: StudyFolder,
    players: Annotated[int, typer.Option("--players", min=1, help="How many play.")] = 200,
    speed: Annotated[
        float, typer.Option("--speed", min=0.1, help="How many times faster than people; the server's waits too.")
    ] = 4.0,
    kill_server: Annotated[
        int, typer.Option("--kill-server", min=0, help="How often the server is killed and started again.")
    ] = 0,
    duplicate: Annotated[float, typer.Option("--duplicate", help="Share of responses that are sent twice.")] = 0.05,
    delay: Annotated[float, typer.Option("--delay", help="Share that are sent late.")] = 0.05,
    reorder: Annotated[float, typer.Option("--reorder", help="Share that are sent after the next one.")] = 0.05,
    dropout: Annotated[float, typer.Option("--dropout", help="Share of players who leave in the middle.")] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Of players and of what goes wrong.")] = 0,
    as_json: JsonFlag = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Let simulated listeners play a study over the network interface, and compare what is stored with what was sent.

    Leave with 1 where a response was lost or doubled.
    """
    needs_extra()
    from otoscope.game.simulate import simulate as run
    from otoscope.game.study import Study

    with progress_bar(quiet=quiet) as bar:
        done_before = 0

        def progress(done: int, total: int) -> None:
            nonlocal done_before
            if done_before == 0:
                bar.begin("players", total)
            for _ in range(done - done_before):
                bar.advance()
            done_before = max(done_before, done)

        found = run(
            Study.open(study),
            players=players,
            speed=speed,
            kill_server=kill_server,
            duplicate=duplicate,
            delay=delay,
            reorder=reorder,
            dropout=dropout,
            seed=seed,
            progress=progress,
        )
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(
            f"{counted(found.players, 'player')}: {found.completed} finished, {found.dropped_out} left, "
            f"{found.failed} failed; {found.duration_s:.0f} s at {found.speed:g} times the pace of people"
        )
        typer.echo(
            f"{counted(found.sent, 'response')} sent, {found.acknowledged} acknowledged, {found.stored} stored; "
            f"{found.lost} lost, {found.doubled} doubled; server killed {found.kills} times"
        )
        halves = f"{found.p50_ms:.0f} ms (half), {found.p95_ms:.0f} ms (95 %), {found.p99_ms:.0f} ms (99 %)"
        typer.echo(f"answered within {halves}")
        for problem, n in found.problems.items():
            typer.echo(f"  {problem}: {n}")
    if not found.holds:
        raise typer.Exit(1)


def needs_extra() -> None:
    """Refuse what needs the web server where it is not installed.

    Raises
    ------
    SpecError
        With the command that installs it.
    """
    import importlib.util

    missing = [name for name in ("fastapi", "httpx", "sqlmodel", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        raise SpecError(f"game: {', '.join(missing)} is not installed; pip install 'otoscope[game]'")


app.command("score")(game_data.score)
app.command("export")(game_data.export)
app.command("erase")(game_data.erase)
