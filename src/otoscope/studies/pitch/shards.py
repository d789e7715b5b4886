"""One process's part of a run: shards through models, shift vectors, layers to solve.

A process reads what it needs from the run directory and writes what it makes there, each file whole; so it does not
matter which process does what, nor how many there are.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import resample
from otoscope.corpora.base import Clip, Failure
from otoscope.errors import DataError, SpecError
from otoscope.evaluation.scores import SUMS
from otoscope.evaluation.splits import seeded_generator
from otoscope.representations.base import Model
from otoscope.store import read_arrays, write_arrays
from otoscope.studies.pitch.ceiling import CEILINGS, ceiling_sums
from otoscope.studies.pitch.cells import Cells, accumulate, read_cells, read_header, write_cells
from otoscope.studies.pitch.ledger import cells_path, probes_path, shifts_path
from otoscope.studies.pitch.plan import LEARNT, Plan, Shard
from otoscope.studies.pitch.reader import ClipReader
from otoscope.studies.pitch.score import ShardScorer
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.solve import (
    LayerProbes,
    digest_probes,
    needed_for,
    read_probes,
    solve_layer,
    write_probes,
)
from otoscope.studies.pitch.targets import Heard

__all__ = ["Task", "Worker", "read_shift", "same_sound"]

Floats = NDArray[np.float64]
SHIFT_CLIPS = 16


@dataclass(frozen=True, slots=True)
class Task:
    """What one model has to do for one shard.

    Parameters
    ----------
    model : str
        Its name.
    path : Path
        The file that the shard makes.
    made_of : mapping
        What the file depends on.
    scored : bool
        Whether clips are scored with the probes of the run.
    """

    model: str
    path: Path
    made_of: Mapping[str, object]
    scored: bool


class Worker:
    """Does the work of a run that needs models, in one process.

    Parameters
    ----------
    folder : Path
        The run directory.
    plan : Plan
        Of the run.
    settings : PitchSettings
        Of the run.
    reader : ClipReader
        Gives clips and labels.
    models : sequence of Model
        Those of the run that are at work.
    """

    def __init__(
        self, folder: Path, plan: Plan, settings: PitchSettings, reader: ClipReader, models: Sequence[Model]
    ) -> None:
        self.folder, self.plan, self.settings, self.reader = folder, plan, settings, reader
        self.models = {model.info.name: model for model in models}
        self._probes: tuple[tuple[str, str, int], dict[int, LayerProbes]] | None = None

    def make_shift(self, name: str, heard_clip: Callable[[], None]) -> None:
        """Write the mean state of 16 seeded training clips, for each layer of a model; nothing where it stands.

        Parameters
        ----------
        name : str
            The model.
        heard_clip : callable
            Called after each clip.

        Raises
        ------
        SpecError
            If no training clip could be used.
        """
        model, path = self.models[name], shifts_path(self.folder, name)
        if read_shift(self.folder, name, model.info.digest) is not None:
            return
        clips = [clip for shard in self.plan.shards if shard.split == "train" for clip in shard.clips]
        sums = {layer.index: np.zeros(layer.dim) for layer in model.info.layers}
        counts = dict.fromkeys(sums, 0)
        used, reasons = 0, list[str]()
        for i in seeded_generator(self.settings.seed, "shift").permutation(len(clips)):
            if used == SHIFT_CLIPS:
                break
            heard = self.reader.hear(clips[int(i)])
            if isinstance(heard, Failure):
                reasons.append(f"{heard.clip_id}: {heard.reason}")
                continue
            found: dict[int, tuple[Floats, int]] = {}
            try:
                for layer in model.layers(resample(heard.waveform, model.info.sample_rate)):
                    found[layer.info.index] = (layer.states.sum(axis=0, dtype=np.float64), layer.n_frames)
            except DataError as error:
                reasons.append(str(error))
                continue
            for index, (total, n_frames) in found.items():
                sums[index] += total
                counts[index] += n_frames
            used += 1
            heard_clip()
        self.reader.forget()
        if not all(counts.values()):
            raise SpecError(
                f"{name}: none of the {len(clips)} training clips could be used: {'; '.join(reasons[:3])}"
                f"{' ...' if len(reasons) > 3 else ''}"
            )
        write_arrays(path, {str(i): sums[i] / counts[i] for i in sums}, about={"model": model.info.digest})

    def do(self, shard: Shard, tasks: Sequence[Task], heard_clip: Callable[[], None]) -> None:
        """Run one shard through the models that lack it; each clip is read once for all of them.

        Parameters
        ----------
        shard : Shard
            The clips.
        tasks : sequence of Task
            One per model.
        heard_clip : callable
            Called after each clip of each model.
        """
        for task in tasks:
            self._do(shard, task, heard_clip)
        self.reader.forget(shard)

    def _do(self, shard: Shard, task: Task, heard_clip: Callable[[], None]) -> None:
        found = read_header(task.path, task.made_of)
        if found is not None and not found.passing and same_sound(found, shard.clips, self.reader):
            for _ in shard.clips:
                heard_clip()
            return
        began = time.perf_counter()
        model = self.models[task.model]
        shift = read_shift(self.folder, task.model, model.info.digest)
        assert shift is not None
        scorer, extra = None, dict[str, Floats]()
        if task.scored:
            probes = self._probes_of(task, shard)
            scorer = ShardScorer(self.plan, shard.language, probes, disputed=bool(self.settings.agree))
        cells = accumulate(shard, model, shift, self.reader, self.plan, self.settings, scorer, heard_clip)
        if scorer is not None:
            extra = scorer.arrays(cells.clips)
            if self.reader.panel.trackers:
                there = set(cells.clips)
                extra["ceiling"] = self._ceiling([clip for clip in shard.clips if clip.clip_id in there])
        write_cells(task.path, cells, task.made_of, extra)
        self._log(shard, task, cells, time.perf_counter() - began)

    def _ceiling(self, clips: Sequence[Clip]) -> Floats:
        """Compare the labels of clips that were heard just now with what other trackers found."""
        shape = (len(clips), len(self.reader.panel.trackers), len(CEILINGS), len(SUMS))
        found = np.zeros(shape)
        for i, clip in enumerate(clips):
            heard = self.reader.hear(clip)
            assert isinstance(heard, Heard)
            found[i] = ceiling_sums(heard)
        return found

    def _probes_of(self, task: Task, shard: Shard) -> dict[int, LayerProbes]:
        """Read the probes that score a language; those of the last language are kept."""
        paths = {
            layer.index: probes_path(self.folder, task.model, layer.index)
            for layer in self.models[task.model].info.layers
        }
        key = (task.model, shard.language, sum(path.stat().st_mtime_ns for path in paths.values()))
        if self._probes is None or self._probes[0] != key:
            wanted = needed_for(shard.language)
            read = {index: read_probes(path, only=wanted) for index, path in paths.items()}
            self._probes = (key, {index: probes for index, probes in read.items() if probes is not None})
        return self._probes[1]

    def _log(self, shard: Shard, task: Task, cells: Cells, took_s: float) -> None:
        """Note in the journal how long a shard took."""
        audio_s = sum(clip.duration_s or 0.0 for clip in shard.clips)
        line = {
            "at": round(time.time(), 1),
            "model": task.model,
            "shard": shard.shard_id,
            "clips": len(cells.clips),
            "failures": len(cells.failures),
            "audio_s": round(audio_s, 1),
            "wall_s": round(took_s, 3),
            "process": os.getpid(),
        }
        path = self.folder / "journal" / "shards.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def solve(self, name: str, layer: int, about: Mapping[str, object]) -> str:
        """Solve a layer from the folded cells; nothing where its probes stand.

        Parameters
        ----------
        name : str
            The model.
        layer : int
            Index of the layer.
        about : mapping
            What the probes are made of.

        Returns
        -------
        str
            Digest of the probes.
        """
        path = probes_path(self.folder, name, layer)
        probes = read_probes(path, about)
        if probes is None:
            shift = read_shift(self.folder, name, self.models[name].info.digest)
            assert shift is not None
            train, dev = (
                {
                    code: read_cells(cells_path(self.folder, name, code, split), shift, layer=layer)[0]
                    for code in self.plan.languages_with(split)
                }
                for split in LEARNT
            )
            probes = solve_layer(self.plan, shift[layer], train, dev, probe=self.settings.probe)
            write_probes(path, probes, about)
        return digest_probes(probes)


def read_shift(folder: Path, name: str, model_digest: str) -> dict[int, Floats] | None:
    """Read the shift vectors of a model.

    Parameters
    ----------
    folder : Path
        The run directory.
    name : str
        The model.
    model_digest : str
        Of its description.

    Returns
    -------
    dict of int to ndarray of float64, shape (dim,), or None
        By layer; None where there are none, or they are of another model of that name.
    """
    path = shifts_path(folder, name)
    if not path.exists():
        return None
    arrays, about = read_arrays(path)
    return {int(i): array for i, array in arrays.items()} if about == {"model": model_digest} else None


def same_sound(
    found: Cells, clips: Sequence[Clip], reader: ClipReader, looked: Callable[[], None] = lambda: None
) -> bool:
    """Read clips again, and say whether they sound as they did when cells were made.

    Parameters
    ----------
    found : Cells
        What the file of cells says.
    clips : sequence of Clip
        Which clips to look at.
    reader : ClipReader
        Gives them.
    looked : callable, optional
        Called after each clip.

    Returns
    -------
    bool
        False at the first difference.
    """
    unlabelled = {f.clip_id for f in found.failures if f.stage == "labels" and f.clip_id not in found.sound}
    for clip in clips:
        if clip.clip_id in unlabelled:
            same = isinstance(reader.hear(clip), Failure)
            reader.forget()
        else:
            same = reader.sound_of(clip) == found.sound.get(clip.clip_id)
        looked()
        if not same:
            return False
    return True
