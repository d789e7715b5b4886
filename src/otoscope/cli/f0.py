"""``otoscope f0``: F0 of any sound, how trackers differ, and sounds whose F0 is known."""

from __future__ import annotations

import typer

from otoscope.cli.f0_compare import compare
from otoscope.cli.f0_synth import synth
from otoscope.cli.f0_track import track
from otoscope.cli.f0_trackers import trackers

__all__ = ["app"]

app = typer.Typer(help="F0 of any sound, how trackers differ, and sounds whose F0 is known.", no_args_is_help=True)
app.command("track")(track)
app.command("compare")(compare)
app.command("synth")(synth)
app.command("trackers")(trackers)
