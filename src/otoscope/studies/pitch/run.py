"""One run, from a corpus to probes and sums: plan, shift vectors, train and dev passes, solving, test pass.

Everything that a later step needs stands in the run directory, and each file is written whole. A run that was cut off
goes on where it stopped; a run that is asked for more models or languages does only what is new.

::

    run.json                     settings, versions, models, digest of each language: the identity of the run
    shifts/MODEL.safetensors     one shift vector per layer
    cells/MODEL/SHARD            moments of train and dev shards
    probes/MODEL/LAYER           every train set's probe
    test/MODEL/SHARD             moments, per-clip rows and block sums of test shards
    examples.safetensors         the labels of a few seeded test clips of each language
    failures.json                clips left out, and why
    table.parquet, answer.json   the answer
"""

from __future__ import annotations

import importlib.metadata
import itertools
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import otoscope
from otoscope.audio import resample
from otoscope.corpora.base import Corpus, Failure, Split
from otoscope.corpora.registry import open_corpus
from otoscope.errors import DataError, RunConflictError, SpecError
from otoscope.evaluation.splits import seeded_generator
from otoscope.f0.base import Tracker
from otoscope.f0.labels import LabelCache
from otoscope.f0.registry import open_tracker
from otoscope.representations.base import Model
from otoscope.representations.registry import open_model
from otoscope.store import digest_arrays, digest_of, read_arrays, read_json, slug, write_arrays, write_json
from otoscope.studies.pitch.cells import (
    Cells,
    ClipReader,
    accumulate,
    cells_stand,
    fold_shards,
    read_cells,
    read_failures,
    write_cells,
)
from otoscope.studies.pitch.plan import Plan, Shard, make_plan
from otoscope.studies.pitch.score import ShardScorer
from otoscope.studies.pitch.settings import PitchSettings, check_same
from otoscope.studies.pitch.solve import LayerProbes, read_probes, solve_layer, write_probes
from otoscope.studies.pitch.targets import Heard

__all__ = ["SCHEMA", "Progress", "Quiet", "RunResult", "run_pitch"]

Floats = NDArray[np.float64]
SCHEMA = 1
SHIFT_CLIPS = 16
EXAMPLE_CLIPS = 2  # per tested language


class Progress(Protocol):
    """Is told how far a run has come."""

    def begin(self, what: str, total: int) -> None:
        """Begin a step.

        Parameters
        ----------
        what : str
            In words.
        total : int
            How many times :meth:`advance` will be called.
        """
        ...

    def advance(self) -> None:
        """Count one piece of the step."""
        ...


class Quiet:
    """Progress that nobody sees."""

    def begin(self, what: str, total: int) -> None:
        """Do nothing.

        Parameters
        ----------
        what : str
            Ignored.
        total : int
            Ignored.
        """

    def advance(self) -> None:
        """Do nothing."""


@dataclass(slots=True)
class RunResult:
    """What a run left behind.

    Parameters
    ----------
    folder : Path
        The run directory.
    plan : Plan
        What was done.
    failures : list of Failure
        Clips that some model, or all, had to do without.
    """

    folder: Path
    plan: Plan
    failures: list[Failure] = field(default_factory=list[Failure])


def run_pitch(
    corpus: str | Corpus,
    models: Sequence[str | Model],
    out: Path,
    settings: PitchSettings | None = None,
    *,
    languages: Iterable[str] | None = None,
    tracker: Tracker | None = None,
    labels: LabelCache | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Run the pitch study.

    Parameters
    ----------
    corpus : str or Corpus
        A specification such as ``folder:speech.csv``, or a corpus.
    models : sequence of str or Model
        Specifications such as ``ge2e`` or ``untrained:ge2e#0``, or models.
    out : Path
        The run directory. A run that stands there already goes on, and may be given more models and languages.
    settings : PitchSettings, optional
        Everything else.
    languages : iterable of str, optional
        Only these.
    tracker : Tracker, optional
        Instead of the one that the settings name.
    labels : LabelCache, optional
        Instead of the user's.
    progress : Progress, optional
        Is told how far the run has come.

    Returns
    -------
    RunResult
        The answer is written by :func:`otoscope.studies.pitch.answer.write_answer`.

    Raises
    ------
    SpecError
        If a specification is wrong, or no clip at all could be used.
    RunConflictError
        If the run directory was made with other settings.
    """
    settings = settings or PitchSettings()
    before = read_json(out / "run.json") if (out / "run.json").exists() else {"languages": {}, "models": {}}
    opened = open_corpus(corpus) if isinstance(corpus, str) else corpus
    if languages is not None:
        opened = opened.only({*languages, *(code for code in before["languages"] if code in opened.languages)})
    ready = [open_model(model) if isinstance(model, str) else model for model in models]
    if not ready:
        raise SpecError("no model was named; name at least one with --model")
    names = [model.info.name for model in ready]
    if len(set(names)) < len(names):
        raise SpecError(f"a model is named twice: {', '.join(names)}")
    if set(opened.languages) != set(before["languages"]):
        # New languages change the pools of every model that the run has.
        ready += [open_model(name) for name in before["models"] if name not in names]
    tracker = tracker or open_tracker(settings.tracker)
    plan = make_plan(opened, settings)
    run = _Run(out, plan, settings, tracker, labels or LabelCache(), progress or Quiet())
    run.claim(opened, ready)
    shifts = {model.info.name: run.shifts(model) for model in ready}
    run.pass_over("train", ready, shifts)
    probes = {model.info.name: run.solve(model, shifts[model.info.name]) for model in ready}
    run.pass_over("test", ready, shifts, probes)
    run.keep_examples()
    failures = run.failures(ready, opened.failures)
    write_json(out / "failures.json", [{"clip": f.clip_id, "stage": f.stage, "reason": f.reason} for f in failures])
    return RunResult(out, plan, failures)


class _Run:
    """The steps of one run, with what they share."""

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        settings: PitchSettings,
        tracker: Tracker,
        labels: LabelCache,
        progress: Progress,
    ) -> None:
        self.folder, self.plan, self.settings, self.tracker = folder, plan, settings, tracker
        self.progress = progress
        self.reader = ClipReader(plan, settings, tracker, labels)
        self._probe_digests: dict[str, str] = {}

    def claim(self, corpus: Corpus, models: Sequence[Model]) -> None:
        """Write the identity of the run, or check that it is the one that stands there."""
        path = self.folder / "run.json"
        identity: dict[str, Any] = {
            "schema": SCHEMA,
            "settings": self.settings.describe(),
            "tracker": self.tracker.info.describe(),
            "cluster_key": self.plan.cluster_key,
            "lambda_blocks": bool(self.plan.blocks),
        }
        digests = self.plan.digests()
        described = {model.info.name: model.info.describe() for model in models}
        before: dict[str, Any] = {}
        if path.exists():
            before = read_json(path)
            self._check(before, identity, digests, described)
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise RunConflictError(
                f"{self.folder}: there are files here, and no run.json: this is not a run; name another folder"
            )
        known: dict[str, Any] = before.get("models", {})
        write_json(
            path,
            {
                **identity,
                "corpus": {"name": corpus.name, "licence": corpus.licence, "citation": corpus.citation},
                "languages": digests,
                "shards": {s.shard_id: [c.clip_id for c in s.clips] for s in self.plan.shards},
                "clusters": self.plan.clusters,
                "regions": self.plan.regions,
                "tone_types": self.plan.tone_types,
                "notes": list(self.plan.notes),
                "models": {**known, **described},
                "versions": _versions(),
            },
        )

    def _check(
        self,
        before: Mapping[str, Any],
        identity: Mapping[str, Any],
        digests: Mapping[str, str],
        models: Mapping[str, Any],
    ) -> None:
        where = str(self.folder)
        check_same({"schema": before.get("schema")}, {"schema": identity["schema"]}, where)
        check_same(before["settings"], identity["settings"], where)
        for key in ("tracker", "cluster_key", "lambda_blocks"):
            check_same({key: before[key]}, {key: identity[key]}, where)
        missing = sorted(set(before["languages"]) - set(digests))
        changed = sorted(c for c, digest in digests.items() if before["languages"].get(c, digest) != digest)
        if missing or changed:
            said = [f"{', '.join(missing)} missing"] if missing else []
            said += [f"other clips, groups or splits in {', '.join(changed)}"] if changed else []
            raise RunConflictError(
                f"{where}: the corpus is not the one that this run was made with: {'; '.join(said)}. Languages "
                "may be added to a run, with the corpus as it was; for another corpus name another folder with --out"
            )
        for name, info in models.items():
            if name in before["models"]:
                check_same(before["models"][name], info, f"{where}: model {name}")

    def made_of(
        self,
        model: Model,
        shard: Shard,
        shift: Mapping[int, Floats],
        probes: Mapping[str, Mapping[int, LayerProbes]] | None = None,
    ) -> dict[str, object]:
        """Say what a shard's file depends on."""
        if probes is not None and model.info.name not in self._probe_digests:
            self._probe_digests[model.info.name] = _digest_probes(probes[model.info.name])
        return {
            "probes": self._probe_digests[model.info.name] if probes is not None else None,
            "schema": SCHEMA,
            "model": model.info.digest,
            "tracker": self.tracker.info.digest,
            "settings": digest_of(self.settings.describe()),
            "shift": digest_arrays({str(i): vector for i, vector in shift.items()}),
            "clips": digest_of(
                [[c.describe(), self.plan.clusters[c.clip_id], self.plan.blocks.get(c.clip_id)] for c in shard.clips]
            ),
        }

    def shifts(self, model: Model) -> dict[int, Floats]:
        """Give the mean state of 16 seeded training clips, for each layer."""
        path = self.folder / "shifts" / f"{slug(model.info.name)}.safetensors"
        if path.exists():
            arrays, about = read_arrays(path)
            if about == {"model": model.info.digest}:
                return {int(name): array for name, array in arrays.items()}
        clips = [clip for shard in self.plan.shards if shard.split == "train" for clip in shard.clips]
        self.progress.begin(f"{model.info.name}: shift vectors", min(SHIFT_CLIPS, len(clips)))
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
            try:
                layers = list(model.layers(resample(heard.waveform, model.info.sample_rate)))
            except DataError as error:
                reasons.append(str(error))
                continue
            for layer in layers:
                sums[layer.info.index] += layer.states.sum(axis=0, dtype=np.float64)
                counts[layer.info.index] += layer.n_frames
            used += 1
            self.progress.advance()
        self.reader.forget()
        if not all(counts.values()):
            raise SpecError(
                f"{model.info.name}: none of the {len(clips)} training clips could be used: {'; '.join(reasons[:3])}"
                f"{' ...' if len(reasons) > 3 else ''}"
            )
        shift = {i: sums[i] / counts[i] for i in sums}
        write_arrays(path, {str(i): v for i, v in shift.items()}, about={"model": model.info.digest})
        return shift

    def pass_over(
        self,
        what: str,
        models: Sequence[Model],
        shifts: Mapping[str, Mapping[int, Floats]],
        probes: Mapping[str, Mapping[int, LayerProbes]] | None = None,
    ) -> None:
        """Run the shards of a pass that have no file yet; each clip is read once for all models."""
        shards = [s for s in self.plan.shards if (s.split == "test") == (what == "test")]
        made_of = {
            m.info.name: {s.shard_id: self.made_of(m, s, shifts[m.info.name], probes) for s in shards} for m in models
        }
        todo = [
            (s, [m for m in models if not cells_stand(self._path(m, s), made_of[m.info.name][s.shard_id])])
            for s in shards
        ]
        self.progress.begin(
            "train and dev clips" if what == "train" else "test clips",
            sum(len(shard.clips) * len(missing) for shard, missing in todo),
        )
        for shard, missing in todo:
            for model in missing:
                shift = shifts[model.info.name]
                scorer = ShardScorer(self.plan, shard.language, probes[model.info.name]) if probes else None
                cells = accumulate(
                    shard, model, shift, self.reader, self.plan, self.settings, scorer, self.progress.advance
                )
                extra = scorer.arrays(cells.clips) if scorer else None
                write_cells(self._path(model, shard), cells, made_of[model.info.name][shard.shard_id], extra)
            self.reader.forget()

    def _path(self, model: Model, shard: Shard) -> Path:
        room = "test" if shard.split == "test" else "cells"
        return self.folder / room / slug(model.info.name) / f"{shard.shard_id}.safetensors"

    def solve(self, model: Model, shift: Mapping[int, Floats]) -> dict[int, LayerProbes]:
        """Fold the cells in the order of the shards' ids and solve every layer."""
        shards = [s for s in self.plan.shards if s.split != "test"]
        about = {
            "schema": SCHEMA,
            "shards": digest_of({s.shard_id: self.made_of(model, s, shift) for s in shards}),
            "languages": list(self.plan.languages),
        }
        self.progress.begin(f"{model.info.name}: solving", len(model.info.layers))
        solved: dict[int, LayerProbes] = {}
        for layer in model.info.layers:
            path = self.folder / "probes" / slug(model.info.name) / f"{layer.index}.safetensors"
            probes = read_probes(path, about)
            if probes is None:
                vector = shift[layer.index]
                folded: dict[Split, dict[str, Cells]] = {"train": {}, "dev": {}}
                for split, by_language in folded.items():
                    for code in self.plan.languages_with(split):
                        of_language = [s for s in shards if (s.language, s.split) == (code, split)]
                        by_language[code] = fold_shards(
                            read_cells(self._path(model, s), layer.index, vector) for s in of_language
                        )
                probes = solve_layer(self.plan, vector, folded["train"], folded["dev"], probe=self.settings.probe)
                write_probes(path, probes, about)
            solved[layer.index] = probes
            self.progress.advance()
        return solved

    def keep_examples(self) -> None:
        """Write the F0 tracks of a few seeded test clips of each language."""
        arrays: dict[str, NDArray[np.float64]] = {}
        kept: list[str] = []
        for code in self.plan.languages_with("test"):
            clips = self.plan.clips(code, "test")
            order = seeded_generator(self.settings.seed, "examples", code).permutation(len(clips))
            heard = (self.reader.hear(clips[int(i)]) for i in order)
            for each in itertools.islice((h for h in heard if isinstance(h, Heard)), EXAMPLE_CLIPS):
                arrays[f"{len(kept)}.times"], arrays[f"{len(kept)}.f0_hz"] = each.track.times, each.track.f0_hz
                kept.append(each.track.clip_id)
        self.reader.forget()
        write_arrays(
            self.folder / "examples.safetensors", arrays, about={"clips": kept, "tracker": self.tracker.info.digest}
        )

    def failures(self, models: Sequence[Model], before: Sequence[Failure]) -> list[Failure]:
        """Gather the failures of the corpus and of all shards, each once."""
        found = dict.fromkeys(before)
        for shard in self.plan.shards:
            for model in models:
                found.update(dict.fromkeys(read_failures(self._path(model, shard))))
        return list(found)


def _digest_probes(probes: Mapping[int, LayerProbes]) -> str:
    return digest_arrays(
        {
            f"{layer}|{name}|{domain}": np.vstack([entry.probe.weights, entry.probe.intercept])
            for layer, each in probes.items()
            for (name, domain), entry in each.sets.items()
        }
    )


def _versions() -> dict[str, str]:
    packages = ("numpy", "scipy", "torch", "soundfile", "soxr", "librosa", "kaldi-native-fbank", "AMFM_decompy")
    found = {"otoscope": otoscope.__version__, "python": platform.python_version(), "platform": sys.platform}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
