"""The program ``otoscope``."""

from __future__ import annotations

import signal
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import otoscope
from otoscope.cli import corpus, f0, game, memorability, models, pitch, pitch_books, pitch_plan, pitch_table
from otoscope.cli.extract import extract
from otoscope.cli.languages import languages
from otoscope.errors import OtoscopeError

__all__ = ["app", "main"]


class _Stopped(Exception):
    """Ctrl-C, under a name that typer does not turn into an exit of its own."""


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _Stopped from None


app = typer.Typer(
    name="otoscope",
    cls=_Commands,
    help="Look inside what audio models hear.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
pitch.app.add_typer(pitch_plan.app)
pitch.app.add_typer(pitch_table.app)
pitch.app.add_typer(pitch_books.app)
app.add_typer(pitch.app, name="pitch")
app.add_typer(memorability.app, name="memorability")
app.add_typer(f0.app, name="f0")
app.add_typer(game.app, name="game")
app.add_typer(corpus.app, name="corpus")
app.add_typer(models.app, name="models")
app.command("languages")(languages)
app.command("extract")(extract)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"otoscope {otoscope.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Take what stands before the verb."""


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the program: exit code 0 when done, 1 when done with failures listed, 2 when it cannot be done as asked."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        app()
    except OtoscopeError as error:
        typer.echo(f"otoscope: {error}", err=True)
        sys.exit(2)
    except OSError as error:  # no room, no right, a file where a folder is needed
        typer.echo(f"otoscope: {f'{error.filename}: ' if error.filename else ''}{error.strerror or error}", err=True)
        sys.exit(2)
    except (_Stopped, KeyboardInterrupt):
        typer.echo("otoscope: stopped; what was computed is kept, and the same command goes on from there", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
