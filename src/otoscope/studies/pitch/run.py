"""One run, from a corpus to probes and sums: plan, shift vectors, train and dev passes, solving, test pass.

Everything that a later step needs stands in the run directory, and each file is written whole. A run that was cut off
goes on where it stopped; a run that is asked for more models or languages does only what is new.

::

    run.json                     settings, models, digest of each language: the identity of the run
    clips.parquet                language, split, shard and cluster of every clip
    shifts/MODEL.safetensors     one shift vector per layer
    cells/MODEL/LANGUAGE.SPLIT   moments of train and dev clips, folded from shards
    probes/MODEL/LAYER           every train set's probe
    test/MODEL/LANGUAGE.test     moments, per-clip rows and block sums of test clips, folded from shards
    done.json                    which models are finished, and for what
    examples.safetensors         the labels of a few seeded test clips of each language
    failures.json                clips left out, and why
    table.parquet, answer.json   the answer
    journal/                     sizes and times of the sound files; outside every promise of equal bytes

While a language and split is worked on, its shards stand in a folder beside the file that they are folded into.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import resample
from otoscope.corpora.base import Clip, Corpus, Failure, Split
from otoscope.corpora.registry import open_corpus
from otoscope.errors import DataError, SpecError
from otoscope.evaluation.splits import seeded_generator
from otoscope.f0.base import Tracker
from otoscope.f0.labels import LabelCache
from otoscope.f0.registry import open_tracker
from otoscope.representations.base import Model
from otoscope.representations.registry import open_model
from otoscope.store import (
    digest_arrays,
    digest_of,
    read_arrays,
    read_json,
    slug,
    write_arrays,
    write_json,
)
from otoscope.studies.pitch.answer import write_answer
from otoscope.studies.pitch.cells import (
    Cells,
    accumulate,
    fold_shards,
    read_cells,
    read_header,
    write_cells,
)
from otoscope.studies.pitch.ledger import SCHEMA, Ledger
from otoscope.studies.pitch.plan import LEARNT, Plan, Shard, make_plan
from otoscope.studies.pitch.reader import ClipReader
from otoscope.studies.pitch.score import ShardScorer
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.solve import LayerProbes, read_probes, solve_layer, write_probes
from otoscope.studies.pitch.targets import Heard
from otoscope.studies.progress import Progress, Quiet

__all__ = ["ALL_LANGUAGES", "RunResult", "run_pitch"]

Floats = NDArray[np.float64]
SHIFT_CLIPS = 16
EXAMPLE_CLIPS = 2  # per tested language
ALL_LANGUAGES = "all"


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
    threads: int = 1,
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
        Only these, and those that the run has already; "all" is every language of the corpus. Without it, the
        languages that the run has, or every language for a new run.
    tracker : Tracker, optional
        Instead of the one that the settings name.
    labels : LabelCache, optional
        Instead of the user's.
    progress : Progress, optional
        Is told how far the run has come.
    threads : int
        Of the linear algebra. One is as fast as two for small layers, and does not wait for other programs; layers of
        1,000 dimensions gain from more. Numbers agree to 1e-9 whatever it is, and to the byte where it is the same.

    Returns
    -------
    RunResult
        Its table is read by :func:`otoscope.studies.pitch.answer.read_answer`.

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
    there = {code for code in before["languages"] if code in opened.languages}
    wanted = there if languages is None else {*languages}
    if wanted and ALL_LANGUAGES not in wanted:
        opened = opened.only(wanted | there)
    ready = [open_model(model) if isinstance(model, str) else model for model in models]
    if not ready:
        raise SpecError("no model was named; name at least one with --model")
    names = [model.info.name for model in ready]
    if len(set(names)) < len(names):
        raise SpecError(f"a model is named twice: {', '.join(names)}")
    if tracker is None:
        tracker = open_tracker(settings.tracker)
    else:
        settings = replace(settings, tracker=tracker.info.name)
    plan = make_plan(opened, settings)
    run = _Run(out, plan, settings, tracker, labels or LabelCache(), progress or Quiet())
    # Another language changes the pools of every model that the run has.
    ready += [_reopen(name) for name in run.ledger.unfinished(before["models"]) if name not in names]
    run.ledger.claim(opened, [model.info for model in ready], tracker.info, settings)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=threads, user_api="blas"):
        try:
            shifts = {model.info.name: run.shifts(model) for model in ready}
        except SpecError:
            run.ledger.withdraw(before)  # a model that could hear nothing leaves the run as it was
            raise
        run.pass_over(ready, shifts)
        probes = {model.info.name: run.solve(model, shifts[model.info.name]) for model in ready}
        run.pass_over(ready, shifts, probes)
    run.keep_examples()
    for model in ready:
        run.finish(model)
    failures = run.ledger.failures(opened.failures)
    write_json(out / "failures.json", [{"clip": f.clip_id, "stage": f.stage, "reason": f.reason} for f in failures])
    run.progress.begin("answer", 1)
    write_answer(out)
    run.progress.advance()
    return RunResult(out, plan, failures)


def _reopen(name: str) -> Model:
    try:
        return open_model(name)
    except SpecError as error:
        raise SpecError(
            f"this run also has the model {name}, which must be done anew: pass it again ({error})"
        ) from error


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """What one model has to do for one language and split, and the files that it makes."""

    model: Model
    shift: Mapping[int, Floats]
    probes: Mapping[int, LayerProbes] | None
    path: Path
    made_of: Mapping[str, object]
    parts: Mapping[str, Mapping[str, object]]

    def part(self, shard: Shard) -> Path:
        """Give the file of one shard."""
        return self.path.with_suffix("") / f"{shard.shard_id}.safetensors"


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
        self.ledger = Ledger(folder, plan)
        self._probe_digests: dict[str, str] = {}
        self._settled = {
            "schema": SCHEMA,
            "tracker": tracker.info.digest,
            "settings": digest_of(settings.describe()),
        }
        self._clip_digests = {
            shard.shard_id: digest_of(
                [[c.describe(), plan.clusters[c.clip_id], plan.blocks.get(c.clip_id)] for c in shard.clips]
            )
            for shard in plan.shards
        }

    def finish(self, model: Model) -> None:
        """Say in the books that a model is finished."""
        self.ledger.finish(model.info.name, self._probe_digests[model.info.name])

    def made_of(
        self, model: Model, shards: Sequence[Shard], shift: Mapping[int, Floats], *, with_probes: bool = False
    ) -> dict[str, dict[str, object]]:
        """Say what the files of shards depend on, by the ids of the shards."""
        of_model = {
            **self._settled,
            "model": model.info.digest,
            "shift": digest_arrays({str(i): vector for i, vector in shift.items()}),
            "probes": self._probe_digests[model.info.name] if with_probes else None,
        }
        return {s.shard_id: {**of_model, "clips": self._clip_digests[s.shard_id]} for s in shards}

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
        models: Sequence[Model],
        shifts: Mapping[str, Mapping[int, Floats]],
        probes: Mapping[str, Mapping[int, LayerProbes]] | None = None,
    ) -> None:
        """Do what is missing of a pass, language by language; each clip is read once for all models.

        Without probes it is the pass over train and dev clips, with probes the one over test clips.
        """
        splits: tuple[Split, ...] = ("test",) if probes else LEARNT
        todo: list[tuple[str, Split, list[_Work]]] = []
        for split in splits:
            for code in self.plan.languages_with(split):
                works = [self._work(m, code, split, shifts[m.info.name], probes) for m in models]
                missing = [work for work in works if not self._stands(work, code, split)]
                if missing:
                    todo.append((code, split, missing))
        self.progress.begin(
            f"{' and '.join(splits)} clips",
            sum(len(self.plan.clips(code, split)) * len(missing) for code, split, missing in todo),
        )
        for code, split, missing in todo:
            for shard in self.plan.of(code, split):
                for work in missing:
                    self._do_shard(work, shard)
                self.reader.forget()
            for work in missing:
                self._fold(work, self.plan.of(code, split))

    def _work(
        self,
        model: Model,
        code: str,
        split: Split,
        shift: Mapping[int, Floats],
        probes: Mapping[str, Mapping[int, LayerProbes]] | None,
    ) -> _Work:
        parts = self.made_of(model, self.plan.of(code, split), shift, with_probes=bool(probes))
        own = probes[model.info.name] if probes else None
        return _Work(
            model,
            shift,
            own,
            self.ledger.path(model.info.name, code, split),
            {"schema": SCHEMA, "parts": digest_of(parts)},
            parts,
        )

    def _stands(self, work: _Work, code: str, split: Split) -> bool:
        """Say whether a folded file is there, made of the same things and of the same sound."""
        found = read_header(work.path, work.made_of)
        if found is None:
            return False
        suspects = self.ledger.suspects(work.model.info.name, code, split)
        if not self._same_sound(found, [c for c in self.plan.clips(code, split) if c.clip_id in suspects]):
            return False
        if suspects:
            self.ledger.stamp(work.model.info.name, code, split)
        return True

    def _same_sound(self, found: Cells, clips: Sequence[Clip]) -> bool:
        """Read clips again, and say whether they sound as they did when the cells were made."""
        unread = {failure.clip_id for failure in found.failures if failure.clip_id not in found.sound}
        for clip in clips:
            heard = self.reader.hear(clip)
            before = found.sound.get(clip.clip_id)
            if clip.clip_id in unread if isinstance(heard, Failure) else heard.waveform.digest() == before:
                continue
            return False
        self.reader.forget()
        return True

    def _do_shard(self, work: _Work, shard: Shard) -> None:
        path = work.part(shard)
        found = read_header(path, work.parts[shard.shard_id])
        if found is not None and self._same_sound(found, shard.clips):
            for _ in shard.clips:
                self.progress.advance()
            return
        scorer = ShardScorer(self.plan, shard.language, work.probes) if work.probes else None
        cells = accumulate(
            shard, work.model, work.shift, self.reader, self.plan, self.settings, scorer, self.progress.advance
        )
        extra = scorer.arrays(cells.clips) if scorer else None
        write_cells(path, cells, work.parts[shard.shard_id], extra)

    def _fold(self, work: _Work, shards: Sequence[Shard]) -> None:
        """Fold the shards of a language and split into one file, in the order of their ids, and let go of them."""
        rows: dict[str, list[Floats]] = {}

        def parts() -> Iterator[Cells]:
            for shard in shards:
                cells, extra = read_cells(work.part(shard), work.shift)
                for name, array in extra.items():
                    rows.setdefault(name, []).append(array)
                yield cells

        total = fold_shards(parts())
        extra = {
            name: np.concatenate(arrays) if name.startswith("rows.") else np.sum(arrays, axis=0)
            for name, arrays in rows.items()
        }
        write_cells(work.path, total, work.made_of, extra)
        self.ledger.stamp(work.model.info.name, shards[0].language, shards[0].split)
        for shard in shards:
            work.part(shard).unlink(missing_ok=True)
        work.part(shards[0]).parent.rmdir()

    def solve(self, model: Model, shift: Mapping[int, Floats]) -> dict[int, LayerProbes]:
        """Solve every layer from the folded cells."""
        learnt = [s for s in self.plan.shards if s.split != "test"]
        about = {
            "schema": SCHEMA,
            "shards": digest_of(self.made_of(model, learnt, shift)),
            "plan": self.ledger.token,
            "sound": self.ledger.sound(model.info.name, *LEARNT),
        }
        self.progress.begin(f"{model.info.name}: solving", len(model.info.layers))
        solved: dict[int, LayerProbes] = {}
        for layer in model.info.layers:
            path = self.folder / "probes" / slug(model.info.name) / f"{layer.index}.safetensors"
            probes = read_probes(path, about)
            if probes is None:
                train, dev = (
                    {
                        code: read_cells(self.ledger.path(model.info.name, code, split), shift, layer=layer.index)[0]
                        for code in self.plan.languages_with(split)
                    }
                    for split in LEARNT
                )
                probes = solve_layer(self.plan, shift[layer.index], train, dev, probe=self.settings.probe)
                write_probes(path, probes, about)
            solved[layer.index] = probes
            self.progress.advance()
        self._probe_digests[model.info.name] = _digest_probes(solved)
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


def _digest_probes(probes: Mapping[int, LayerProbes]) -> str:
    return digest_arrays(
        {
            f"{layer}|{name}|{domain}": np.vstack([entry.probe.weights, entry.probe.intercept])
            for layer, each in probes.items()
            for (name, domain), entry in each.sets.items()
        }
    )
