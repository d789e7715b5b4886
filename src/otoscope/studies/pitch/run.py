"""One run, from a corpus to probes and sums: plan, shift vectors, train and dev passes, solving, test pass.

Everything that a later step needs stands in the run directory, and each file is written whole. A run that was cut
off goes on where it stopped; a run that is asked for more models or languages does only what is new; parts of a run
can be done on different machines and merged.

::

    run.json                     settings, models, digest of each language: the identity of the run
    clips.parquet                language, split, shard and cluster of every clip
    shifts/MODEL.safetensors     one shift vector per layer
    cells/MODEL/LANGUAGE.SPLIT   moments of train and dev clips, folded from shards
    probes/MODEL/LAYER           every train set's probe
    test/MODEL/LANGUAGE.test     moments, per-clip rows and block sums of test clips, folded from shards; where other
                                 trackers are asked, what they say of the labels
    done.json                    which models are finished, and for what
    examples.safetensors         the labels of a few seeded test clips of each language
    failures.json                clips left out, and why
    table.parquet, answer.json   the answer
    journal/                     the lock, sizes and times of sound files, how long shards took; outside every promise
                                 of equal bytes

While a language and split is worked on, its shards stand in a folder beside the file that they are folded into.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otoscope.corpora.base import Corpus, Failure, Split
from otoscope.corpora.selection import Selection
from otoscope.corpora.typology import read_typology
from otoscope.errors import RunConflictError, SourceGoneError, SpecError
from otoscope.evaluation.splits import seeded_generator
from otoscope.f0.base import Tracker
from otoscope.f0.labels import LabelCache
from otoscope.f0.registry import open_tracker
from otoscope.representations.base import Model, ModelInfo
from otoscope.representations.upstreams.model import resolve_device
from otoscope.store import clear_leftovers, digest_arrays, digest_of, locked, read_json, write_arrays, write_json
from otoscope.studies.pitch.answer import write_answer
from otoscope.studies.pitch.cells import Cells, fold_shards, read_cells, read_header, write_cells
from otoscope.studies.pitch.crew import Crew, Job, Kit, alone, one_process_per_device
from otoscope.studies.pitch.ledger import LOCK, SCHEMA, Ledger, cells_path, part_path, selection_of
from otoscope.studies.pitch.panel import open_panel
from otoscope.studies.pitch.plan import LEARNT, Plan, Shard, make_plan, part_of
from otoscope.studies.pitch.prepare import open_models, prepare_corpus, threads_for_block
from otoscope.studies.pitch.reader import ClipReader
from otoscope.studies.pitch.score import PER_CLIP
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.shards import SHIFT_CLIPS, Task, read_shift, same_sound
from otoscope.studies.pitch.targets import Heard
from otoscope.studies.progress import Progress, Quiet

__all__ = ["RunResult", "run_pitch"]

Floats = NDArray[np.float64]
EXAMPLE_CLIPS = 2  # per tested language


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
    waiting : list of str
        The languages and splits, as ``en_us.train``, whose shards belong to other parts of the run; there is no
        answer before they are merged.
    """

    folder: Path
    plan: Plan
    failures: list[Failure] = field(default_factory=list[Failure])
    waiting: list[str] = field(default_factory=list[str])


def run_pitch(
    corpus: str | Corpus,
    models: Sequence[str | Model],
    out: Path,
    settings: PitchSettings | None = None,
    *,
    languages: Iterable[str] | None = None,
    selection: Selection | None = None,
    typology: str | None = None,
    tracker: Tracker | None = None,
    labels: LabelCache | None = None,
    progress: Progress | None = None,
    devices: Sequence[str] = ("cpu",),
    threads: int | None = None,
    readers: int = 0,
    part: tuple[int, int] = (1, 1),
) -> RunResult:
    """Run the pitch study.

    Parameters
    ----------
    corpus : str or Corpus
        A specification such as ``fleurs:fleurs`` or ``folder:speech.csv``, or a corpus.
    models : sequence of str or Model
        Specifications such as ``ge2e`` or ``untrained:ge2e#0``, or models.
    out : Path
        The run directory. A run that stands there already goes on, and may be given more models and languages.
    settings : PitchSettings, optional
        Everything else that decides numbers.
    languages : iterable of str, optional
        Only these, and those that the run has already: codes, regions, tone types; "all" is every language of the
        corpus. Without it, the languages that the run has, or every language for a new run.
    selection : Selection, optional
        Which clips of them; without it, as the run was begun, or every clip for a new run.
    typology : str, optional
        Where regions and tone types come from, see :func:`otoscope.corpora.typology.read_typology`; without it, as
        the run was begun, or the table that is shipped.
    tracker : Tracker, optional
        Instead of the one that the settings name.
    labels : LabelCache, optional
        Instead of the user's.
    progress : Progress, optional
        Is told how far the run has come.
    devices : sequence of str
        Where models work: ``cpu``, ``cuda``, ``cuda:1``, ``auto``. For several, a process each; ``cpu`` may be named
        more than once.
    threads : int, optional
        Of the models and the linear algebra of each process. Without it, one process leaves models as they are and
        gives the linear algebra one thread; several share the cores. Numbers agree to 1e-9 whatever it is, and to
        the byte where it is the same.
    readers : int, >= 0
        Processes per device that decode and label the next clips while the model works; 0 for a thread.
    part : (int, int)
        Which part of how many: of the shards of a pass only these are done. Parts are merged by
        :func:`otoscope.studies.pitch.merge.merge_runs`.

    Returns
    -------
    RunResult
        Its table is read by :func:`otoscope.studies.pitch.answer.read_answer`.

    Raises
    ------
    SpecError
        If a specification is wrong, or no clip at all could be used.
    RunConflictError
        If the run directory was made with other settings, or another process is working there.
    SourceGoneError
        If sound that was there when the run was planned is gone. What was computed is kept.
    """
    settings = settings or PitchSettings()
    if not 1 <= part[0] <= part[1]:
        raise SpecError(f"part is {part[0]} of {part[1]}; it takes 1 of 2, 2 of 2 and the like")
    if not devices:
        raise SpecError("no device was named; `cpu` is always there")
    devices = [resolve_device(device) for device in devices]
    if not models:
        raise SpecError("no model was named; name at least one with --model")
    _check_folder(out)
    with _taken(out):
        clear_leftovers(out)
        before = read_json(out / "run.json") if (out / "run.json").exists() else {"languages": {}, "models": {}}
        made = before.get("corpus", {})
        chosen = selection or selection_of(made.get("selection", {}))
        coded: str = typology or made.get("typology", "default")
        coding = read_typology(coded)
        opened = prepare_corpus(corpus, languages, chosen, has=tuple(before["languages"]), typology=coding)
        if tracker is None:
            tracker = open_tracker(settings.tracker)
        else:
            settings = replace(settings, tracker=tracker.info.name)
        settings, panel = open_panel(settings, tracker)
        plan = make_plan(opened, settings, None if coded == "default" else coding)
        ledger = Ledger(out, plan)
        ready, specs = open_models(models, before, ledger, devices)
        kit = Kit(out, plan, settings, tracker, panel, labels or LabelCache(), specs, threads, readers)
        made_with = {"devices": list(devices), "threads": threads, "part": list(part)}
        infos = [model.info for model in ready]
        said = {"selection": chosen.describe(), "typology": coded}
        ledger.claim(opened, infos, tracker.info, settings, said, made_with, others=panel.infos)
        with contextlib.ExitStack() as stack:
            stack.enter_context(threads_for_block(threads))
            shown = progress or Quiet()
            if len(devices) == 1:
                crew = stack.enter_context(alone(kit, ready, shown))
            else:
                each = threads or max(1, (os.cpu_count() or 1) // len(devices))
                several = one_process_per_device(replace(kit, threads=each), devices, shown)
                crew = stack.enter_context(several)
            reader = stack.enter_context(kit.reader())
            return _Run(kit, ledger, infos, crew, reader, shown, part).go(opened, before)


@contextlib.contextmanager
def _taken(out: Path) -> Iterator[None]:
    """Lock a run directory; where nothing came of it, leave nothing of it."""
    there = out.exists()
    with locked(out / LOCK):
        try:
            yield
        finally:
            if not (out / "run.json").exists():
                with contextlib.suppress(OSError):
                    (out / LOCK).unlink()
                    (out / LOCK).parent.rmdir()
                    if not there:
                        out.rmdir()


def _check_folder(out: Path) -> None:
    if not out.exists() or (out / "run.json").exists():
        return
    # Shift vectors may be given to a part of a run that is done on another machine.
    if any(entry.name not in (LOCK.parts[0], "shifts") for entry in out.iterdir()):
        raise RunConflictError(
            f"{out}: there are files here, and no run.json: this is not a run; name another folder"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """What one model has to do for one language and split, and the files that it makes."""

    model: str
    path: Path
    made_of: Mapping[str, object]
    parts: Mapping[str, Mapping[str, object]]
    scored: bool

    def task(self, shard: Shard) -> Task:
        """Give what is to be done for one shard."""
        return Task(self.model, part_path(self.path, shard.shard_id), self.parts[shard.shard_id], self.scored)

    def is_complete(self, shards: Sequence[Shard]) -> bool:
        """Say whether all shards stand, made of what they should be made of."""
        return all(read_header(t.path, t.made_of) is not None for t in map(self.task, shards))


class _Run:
    """The steps of one run, with what they share."""

    def __init__(
        self,
        kit: Kit,
        ledger: Ledger,
        infos: Sequence[ModelInfo],
        crew: Crew,
        reader: ClipReader,
        progress: Progress,
        part: tuple[int, int],
    ) -> None:
        self.folder, self.plan, self.settings, self.tracker = kit.folder, kit.plan, kit.settings, kit.tracker
        self.ledger, self.crew, self.reader, self.progress, self.part = ledger, crew, reader, progress, part
        self.infos = {info.name: info for info in infos}
        self.shifts: dict[str, dict[int, Floats]] = {}
        self._probe_digests: dict[str, str] = {}
        self._settled: dict[str, object] = {
            "schema": SCHEMA,
            "tracker": kit.tracker.info.digest,
            "settings": digest_of(kit.settings.describe()),
        }
        if kit.panel.trackers:
            self._settled["agree"] = [info.digest for info in kit.panel.infos]
        self._clip_digests = {
            shard.shard_id: digest_of(
                [[c.describe(), self.plan.clusters[c.clip_id], self.plan.blocks.get(c.clip_id)] for c in shard.clips]
            )
            for shard in self.plan.shards
        }

    def go(self, corpus: Corpus, before: Mapping[str, object]) -> RunResult:
        """Do what is missing."""
        try:
            self.make_shifts()
        except SpecError:
            self.ledger.withdraw(before)  # a model that could hear nothing leaves the run as it was
            raise
        self.ledger.list_clips()
        waiting = self.pass_over(scored=False)
        if not waiting:
            for name in self.infos:
                self.solve(name)
            waiting = self.pass_over(scored=True)
        result = RunResult(self.folder, self.plan, self.ledger.failures(corpus.failures), waiting)
        listed = [{"clip": f.clip_id, "stage": f.stage, "reason": f.reason} for f in result.failures]
        write_json(self.folder / "failures.json", listed)
        if waiting:
            return result
        self.keep_examples()
        for name in self.infos:
            self.ledger.finish(name, self._probe_digests[name])
        self.progress.begin("answer", 1)
        write_answer(self.folder)
        self.progress.advance()
        return result

    def make_shifts(self) -> None:
        """Make the shift vectors that are missing."""
        missing = [name for name, info in self.infos.items() if read_shift(self.folder, name, info.digest) is None]
        if missing:
            n_clips = sum(len(s.clips) for s in self.plan.shards if s.split == "train")
            self.progress.begin("shift vectors", len(missing) * min(SHIFT_CLIPS, n_clips))
            self.crew.make_shifts(missing)
        for name, info in self.infos.items():
            shift = read_shift(self.folder, name, info.digest)
            assert shift is not None
            self.shifts[name] = shift

    def made_of(self, name: str, shards: Sequence[Shard], *, scored: bool = False) -> dict[str, dict[str, object]]:
        """Say what the files of shards depend on, by the ids of the shards."""
        of_model = {
            **self._settled,
            "model": self.infos[name].digest,
            "shift": digest_arrays({str(i): vector for i, vector in self.shifts[name].items()}),
            "probes": self._probe_digests[name] if scored else None,
        }
        return {s.shard_id: {**of_model, "clips": self._clip_digests[s.shard_id]} for s in shards}

    def pass_over(self, *, scored: bool) -> list[str]:
        """Do what is missing of a pass, language by language; each clip is read once for all models.

        Not scored it is the pass over train and dev clips, scored the one over test clips. Gives the languages and
        splits that wait for other parts.
        """
        splits: tuple[Split, ...] = ("test",) if scored else LEARNT
        todo: list[tuple[str, Split, list[_Work]]] = []
        for split in splits:
            for code in self.plan.languages_with(split):
                works = [self._work(name, code, split, scored=scored) for name in self.infos]
                missing = [work for work in works if not self._stands(work, code, split)]
                if missing:
                    todo.append((code, split, missing))
        mine = set(part_of([s.shard_id for s in self.plan.shards if s.split in splits], self.part))
        jobs: list[Job] = []
        left: dict[tuple[str, Split], int] = {}
        for code, split, missing in todo:
            shards = [shard for shard in self.plan.of(code, split) if shard.shard_id in mine]
            jobs += [Job(shard, tuple(work.task(shard) for work in missing)) for shard in shards]
            left[code, split] = len(shards)
        total = sum(len(job.shard.clips) * len(job.tasks) for job in jobs)
        self.progress.begin(f"{' and '.join(splits)} clips", total)
        works_of = {(code, split): missing for code, split, missing in todo}
        waiting = {key for key in left if not left[key] and not self._fold_complete(key, works_of[key])}
        for job in self.crew.do(jobs):
            key = (job.shard.language, job.shard.split)
            left[key] -= 1
            if not left[key] and not self._fold_complete(key, works_of[key]):
                waiting.add(key)
        return [f"{code}.{split}" for code, split, _ in todo if (code, split) in waiting]

    def _work(self, name: str, code: str, split: Split, *, scored: bool) -> _Work:
        parts = self.made_of(name, self.plan.of(code, split), scored=scored)
        path = cells_path(self.folder, name, code, split)
        return _Work(name, path, {"schema": SCHEMA, "parts": digest_of(parts)}, parts, scored)

    def _stands(self, work: _Work, code: str, split: Split) -> bool:
        """Say whether a folded file is there, made of the same things and of the same sound."""
        found = read_header(work.path, work.made_of)
        if found is None or found.passing:
            return False
        suspects = self.ledger.suspects(work.model, code, split)
        clips = [c for c in self.plan.clips(code, split) if c.clip_id in suspects]
        if clips:
            self.progress.begin(f"{code}: is it the same sound?", len(clips))
        same = same_sound(found, clips, self.reader, self.progress.advance)
        if same and suspects:
            self.ledger.stamp(work.model, code, split)
        return same

    def _fold_complete(self, key: tuple[str, Split], works: Sequence[_Work]) -> bool:
        """Fold a language and split if all its shards stand; say whether they do."""
        shards = self.plan.of(*key)
        if self.part != (1, 1) and not all(work.is_complete(shards) for work in works):
            return False
        for work in works:
            self._fold(work, shards)
        return True

    def _fold(self, work: _Work, shards: Sequence[Shard]) -> None:
        """Fold the shards of a language and split into one file, in the order of their ids, and let go of them."""
        rows: dict[str, list[Floats]] = {}

        partners: dict[str, dict[str, str]] = {}

        def parts() -> Iterator[Cells]:
            for shard in shards:
                cells, extra = read_cells(work.task(shard).path, self.shifts[work.model])
                partners[shard.shard_id] = cells.partners
                for name, array in extra.items():
                    rows.setdefault(name, []).append(array)
                yield cells

        total = fold_shards(parts())
        self._check_partners(work, shards, total, partners)
        extra = {
            name: np.concatenate(arrays) if name.startswith(PER_CLIP) else np.sum(arrays, axis=0)
            for name, arrays in rows.items()
        }
        write_cells(work.path, total, work.made_of, extra)
        self.ledger.stamp(work.model, shards[0].language, shards[0].split)
        for shard in shards:
            work.task(shard).path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            work.path.with_suffix("").rmdir()

    def _check_partners(
        self, work: _Work, shards: Sequence[Shard], total: Cells, partners: Mapping[str, Mapping[str, str]]
    ) -> None:
        """Refuse to fold shards of which one heard a clip otherwise than the clip's own shard did."""
        stale = [s for s in shards if any(total.sound.get(c, d) != d for c, d in partners[s.shard_id].items())]
        for shard in stale:
            work.task(shard).path.unlink()
        if stale:
            raise SourceGoneError(
                f"{shards[0].language}: sound files changed while the run was under way; run the same command again: "
                f"{len(stale)} of {len(shards)} shards are done anew"
            )

    def solve(self, name: str) -> None:
        """Solve every layer of a model from the folded cells."""
        learnt = [s for s in self.plan.shards if s.split != "test"]
        about = {
            "schema": SCHEMA,
            "shards": digest_of(self.made_of(name, learnt)),
            "plan": self.ledger.token,
            "sound": self.ledger.sound(name, *LEARNT),
        }
        layers = [layer.index for layer in self.infos[name].layers]
        self.progress.begin(f"{name}: solving", len(layers))
        digests = self.crew.solve(name, {layer: {**about, "model": name, "layer": layer} for layer in layers})
        self._probe_digests[name] = digest_of({str(layer): digests[layer] for layer in layers})

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
