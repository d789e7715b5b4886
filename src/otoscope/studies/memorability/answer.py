"""The answer of an evaluation, read from its folder alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otoscope.corpora.base import Failure
from otoscope.errors import SpecError
from otoscope.store import read_json, read_table
from otoscope.studies.memorability.summary import SCHEMA

__all__ = ["Answer", "read_answer"]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """All that an evaluation found.

    Parameters
    ----------
    folder : Path
        Where it stands.
    summary : dict
        As in ``summary.json``: scores of every model, differences, chance, the ceiling.
    run : dict
        As in ``run.json``: settings, features, versions.
    predictions : list of dict
        As in ``predictions.parquet``.
    explanation : dict or None
        As in ``explanation.json``; None where nothing was explained.
    failures : tuple of Failure
        Clips that were left out.
    """

    folder: Path
    summary: dict[str, Any]
    run: dict[str, Any]
    predictions: list[dict[str, Any]]
    explanation: dict[str, Any] | None
    failures: tuple[Failure, ...]


def read_answer(folder: Path) -> Answer:
    """Read the answer of an evaluation.

    Parameters
    ----------
    folder : Path
        What ``memorability evaluate`` wrote.

    Returns
    -------
    Answer
        As it was written.

    Raises
    ------
    SpecError
        If there is none, it is not finished, or it is damaged.
    """
    if not (folder / "summary.json").exists():
        raise SpecError(f"{folder}: holds no finished evaluation (no summary.json); run memorability evaluate first")
    summary, run = read_json(folder / "summary.json"), read_json(folder / "run.json")
    if not isinstance(summary, dict) or summary.get("schema") != SCHEMA or "models" not in summary:
        raise SpecError(f"{folder}: summary.json is damaged or of another format; evaluate again into a new folder")
    path = folder / "explanation.json"
    return Answer(
        folder,
        summary,
        run,
        read_table(folder / "predictions.parquet"),
        read_json(path) if path.exists() else None,
        tuple(Failure(**entry) for entry in read_json(folder / "failures.json")),
    )
