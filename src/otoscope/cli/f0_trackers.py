"""``otoscope f0 trackers``: what can find F0 here."""

from __future__ import annotations

import inspect

from otoscope.cli.shared import JsonFlag, console, print_json

__all__ = ["trackers"]


def trackers(as_json: JsonFlag = False) -> None:
    """List the trackers: how each works, its settings, and whether it is installed."""
    from otoscope.f0.cards import CARDS
    from otoscope.f0.registry import DEFAULT_TRACKER, TRACKERS

    rows = []
    for name, make in TRACKERS.items():
        card = CARDS.get(name)
        settings = {key: parameter.default for key, parameter in inspect.signature(make).parameters.items()}
        rows.append(
            {
                "tracker": name,
                "default": name == DEFAULT_TRACKER,
                "installed": card is None or card.installed,
                "method": card.method if card else "",
                "score": card.score if card else "",
                "licence": card.licence if card else "",
                "install": f"pip install 'otoscope[{card.extra}]'" if card and card.extra else "",
                "settings": settings,
            }
        )
    if as_json:
        print_json(rows)
        return
    from otoscope.report.terminal import plain_table

    table = plain_table()
    for heading in ("tracker", "how", "score", "licence", "here"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        here = "yes" if row["installed"] else row["install"]
        name = f"{row['tracker']} *" if row["default"] else row["tracker"]
        table.add_row(name, row["method"], row["score"], row["licence"], str(here))
    out = console()
    out.print(table)
    out.print("* the default. Settings of one: --tracker kaldi:pov_threshold=0.2; all of them with --json.")
