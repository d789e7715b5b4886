"""Learn from all clips of a table, and keep what was learned."""

from __future__ import annotations

from pathlib import Path

from otoscope.corpora.base import Failure
from otoscope.predictors.registry import open_predictor
from otoscope.studies.memorability.dataset import prepare
from otoscope.studies.memorability.labels import read_labels
from otoscope.studies.memorability.model import (
    TrainedModel,
    check_place,
    check_same_model,
    fit_model,
    write_model,
)
from otoscope.studies.memorability.settings import MemorabilitySettings
from otoscope.studies.progress import Progress

__all__ = ["train"]


def train(
    clips: Path,
    labels: Path,
    out: Path,
    settings: MemorabilitySettings | None = None,
    *,
    processes: int | None = None,
    progress: Progress | None = None,
) -> tuple[TrainedModel, tuple[Failure, ...]]:
    """Train a model and write it.

    Processes are started afresh: a script that calls this does so under ``if __name__ == "__main__":``.

    Parameters
    ----------
    clips : Path
        The folder of clips.
    labels : Path
        The table of scores.
    out : Path
        The folder of the model.
    settings : MemorabilitySettings, optional
        The first model that it names is trained.
    processes : int, optional
        How many; as many as there are cores without it.
    progress : Progress, optional
        Is told of every clip and every fit.

    Returns
    -------
    model : TrainedModel
        What was learned.
    failures : tuple of Failure
        Clips that were left out, and why.

    Raises
    ------
    SpecError
        If settings, table or folders cannot be used.
    LeakageError
        If the same sound stands in the table under two groups.
    """
    settings = settings or MemorabilitySettings()
    check_place(out)
    open_predictor(settings.models[0], shifts=settings.shifts, seed=settings.seed)
    prepared = prepare(read_labels(labels, clips), settings, processes=processes, progress=progress)
    check_same_model(out, prepared, settings)
    model = fit_model(prepared, settings, processes=processes, progress=progress)
    write_model(model, out)
    return model, prepared.failures
