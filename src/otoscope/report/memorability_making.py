"""How a memorability study was made: its settings in words, and the command that makes it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from otoscope.report.memorability_words import clean
from otoscope.report.tokens import DASH

__all__ = ["command_of", "settings_in_words"]


def settings_in_words(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Put the settings of a run into words.

    Parameters
    ----------
    settings : mapping
        As in ``run.json``.

    Returns
    -------
    list of (str, str)
        What is set, and to what.
    """

    def listed(values: Any, empty: str) -> str:
        return ", ".join(f"{each:g}" if isinstance(each, float) else str(each) for each in values) or empty

    segments = settings["segment_s"]
    return [
        ("models", listed(settings["models"], DASH)),
        ("features", listed(settings["features"], DASH)),
        ("folds", str(settings["folds"])),
        ("repeats", str(settings["repeats"])),
        (
            "copies shifted in pitch, in training only",
            f"{listed(settings['shifts'], 'none')}" + (" semitones" if settings["shifts"] else ""),
        ),
        ("clips are heard", f"in segments of {segments:g} s every {settings['hop_s']:g} s" if segments else "whole"),
        (
            "scores count",
            "by their number of responses, where it is known" if settings["weights"] == "n" else "alike",
        ),
        ("reference protocol", str(settings["recipe"] or "not tested")),
        ("seed", str(settings["seed"])),
        ("resamples of intervals", str(settings["n_resamples"])),
    ]


def command_of(run: Mapping[str, Any]) -> str:
    """Write the command that gives the same numbers again.

    Parameters
    ----------
    run : mapping
        As in ``run.json``.

    Returns
    -------
    str
        For a shell, an option to a line; names are quoted where they have to be.
    """
    settings = run["settings"]
    shifts = ",".join(f"{each:g}" for each in settings["shifts"]) or "none"
    options: list[tuple[object, ...]] = [
        ("--clips", run["clips"]),
        ("--labels", run["labels"]),
        *(("--model", model) for model in settings["models"]),
        ("--features", ",".join(settings["features"])),
        (f"--shifts={shifts}",),
        ("--folds", settings["folds"], "--repeats", settings["repeats"], "--seed", settings["seed"]),
        ("--weights", settings["weights"]),
    ]
    if settings["segment_s"]:
        options.append(("--segments", f"{settings['segment_s']:g}/{settings['hop_s']:g}"))
    if settings["recipe"]:
        options.append(("--recipe", settings["recipe"]))
    options.append(("--out", "again"))
    lines = (shlex.join(clean(word) for word in words) for words in options)
    return " \\\n  ".join(("otoscope memorability evaluate", *lines))
