"""What a pitch run will cost: hours, disk and memory, language by language, before a night is spent.

Sizes of files follow from shapes. Hours are seconds of audio times what a second costs on this machine. What was
measured, what was estimated and how far off it may be is said with the numbers. Labels that are in the cache already
are not known of, since only reading the sound would tell: they count as work to be done.

Not counted: downloads, and the scores and intervals after the last clip (minutes).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from otoscope.corpora.base import SPLITS
from otoscope.errors import SpecError
from otoscope.f0.agreement import parse_agree
from otoscope.studies.pitch.costs import LanguageEstimate, PartEstimate, RunEstimate
from otoscope.studies.pitch.footprint import (
    SPARSE,
    USUAL,
    USUAL_AGREED,
    cell_bytes,
    pass_memory,
    probe_bytes,
    shift_bytes,
    solve_memory,
    train_sets,
)
from otoscope.studies.pitch.ledger import cells_path, part_path
from otoscope.studies.pitch.plan import LAMBDA_BLOCKS, Plan
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.shapes import ModelShape
from otoscope.studies.pitch.shards import SHIFT_CLIPS
from otoscope.studies.pitch.speed import Speed
from otoscope.studies.pitch.targets import DOMAINS
from otoscope.studies.pitch.workload import Load, Workload, workload_of

__all__ = ["estimate_rest", "estimate_run", "finished_shards"]

MEASURED_WITHIN, ESTIMATED_WITHIN = 1.4, 1.5  # factors; a machine does other things, too
START_S, ANSWER_S = 6.0, 0.05  # seconds: loading what is needed; the table, per layer and tested language
READS = 2  # a clip is read for itself, and as the partner of another


def estimate_run(
    what: Plan | Workload,
    shapes: Sequence[ModelShape],
    settings: PitchSettings | None = None,
    *,
    speed: Speed,
    processes: int = 1,
    devices: int = 0,
    readers: int = 0,
    done: Mapping[str, set[str]] | None = None,
) -> RunEstimate:
    """Say what a run will cost.

    Parameters
    ----------
    what : Plan or Workload
        What is to be heard: a plan, or :func:`otoscope.studies.pitch.workload.fleurs_workload`.
    shapes : sequence of ModelShape
        Of all models.
    settings : PitchSettings, optional
        Clips per shard, kind of probe, seed.
    speed : Speed
        From :func:`otoscope.studies.pitch.speed.measure_speed`, with the threads and the device of the run.
    processes : int, > 0
        Model processes on the CPU. They are taken not to slow each other down.
    devices : int
        Accelerators, with a model process each, instead of those; clips are read and labelled meanwhile.
    readers : int
        For each accelerator, processes that read and label; 0 for a thread.
    done : mapping of str to set of str, optional
        For each model, the ids of the shards that are finished.

    Returns
    -------
    RunEstimate
        Of what is not done yet; sizes are those of the whole run.

    Raises
    ------
    SpecError
        If there is no model, or the speed of one is not known.
    """
    settings = settings or PitchSettings()
    missing = [shape.name for shape in shapes if shape.name not in speed.models]
    if missing or not shapes:
        raise SpecError(f"a plan needs models whose speed was measured; missing: {', '.join(missing) or 'any model'}")
    work = workload_of(what, seed=settings.seed) if isinstance(what, Plan) else what
    finished = {shape.name: (done or {}).get(shape.name, set[str]()) for shape in shapes}
    n_sources, n_others = len(work.with_split("train")), _others(settings)
    masks = (*(USUAL_AGREED if n_others else USUAL), SPARSE)
    by_language: dict[str, list[PartEstimate]] = {}
    for load in work.loads:
        by_language.setdefault(load.language, []).append(_part(load, shapes, speed, finished, n_sources, n_others))
    languages = tuple(
        LanguageEstimate(code, work.regions.get(code), tuple(parts)) for code, parts in sorted(by_language.items())
    )

    learnt = {s.shard_id for load in work.loads if load.split != "test" for s in load.shards}
    tested = {s.shard_id for load in work.loads if load.split == "test" for s in load.shards}
    unsolved = [s for s in shapes if not (learnt <= finished[s.name] and tested & finished[s.name])]
    in_blocks = any(load.n_blocks > 1 for load in work.loads)
    solutions = sum(1 for _ in train_sets(work)) * len(DOMAINS) * (1 + LAMBDA_BLOCKS * in_blocks)
    solve_s = solutions * sum(speed.models[s.name].solve_s for s in unsolved)
    n_clips = sum(load.n_clips for load in work.loads)
    mean_s = work.audio_s / n_clips if n_clips else 0.0
    unheard = [s for s in shapes if not finished[s.name]]
    shift_s = min(SHIFT_CLIPS, n_clips) * mean_s * sum(speed.models[s.name].forward_s for s in unheard)

    model_s = shift_s + sum(p.model_s for each in languages for p in each.parts)
    label_s = sum(p.label_s for each in languages for p in each.parts)
    if devices:
        wall_s = max(model_s, label_s / max(readers, 1)) / devices + solve_s / devices
    else:
        wall_s = (model_s + label_s + solve_s) / max(processes, 1)
    if unsolved:
        wall_s += START_S + ANSWER_S * sum(len(shape.layers) for shape in shapes) * len(work.with_split("test"))
    dims = [dim for shape in shapes for dim, _ in shape.layers]
    passes = [pass_memory(shape, work, shard_clips=settings.shard_clips, masks=masks) for shape in shapes]
    return RunEstimate(
        models=tuple(shape.name for shape in shapes),
        how={shape.name: speed.models[shape.name].how for shape in shapes},
        languages=languages,
        solve_s=solve_s,
        shift_s=shift_s,
        processes=processes,
        devices=devices,
        threads=speed.threads,
        wall_s=wall_s,
        within=_within(work, shapes, speed),
        probe_bytes=sum(probe_bytes(work, dim) for dim in dims) + sum(shift_bytes(shape) for shape in shapes),
        label_bytes=round(work.audio_s * speed.label_bytes + n_clips * speed.label_header_bytes),
        book_bytes=_books(work, shapes),
        memory=_together(passes),
        solve_bytes=passes[0]["program"] + max(solve_memory(work, dim, masks=masks) for dim in dims),
        notes=work.notes,
    )


def _others(settings: PitchSettings) -> int:
    """Count the trackers that are asked whether they agree with the labels."""
    return len(parse_agree(settings.agree, labels=settings.tracker).others) if settings.agree else 0


def _part(
    load: Load,
    shapes: Sequence[ModelShape],
    speed: Speed,
    finished: Mapping[str, set[str]],
    n_sources: int,
    n_others: int,
) -> PartEstimate:
    usual = USUAL_AGREED if n_others else USUAL
    model_s = done_s = 0.0
    file_bytes = sparse_bytes = shard_bytes = unwritten = 0
    for shape in shapes:
        cost, done = speed.models[shape.name], finished[shape.name]
        per_s = cost.forward_s + cost.pass_s + (cost.score_s if load.split == "test" else 0.0)
        bytes_of = partial(cell_bytes, shape, load, n_sources=n_sources, n_others=n_others)
        sizes = {s.shard_id: bytes_of(shard=s, masks=usual) for s in load.shards}
        size = bytes_of(masks=usual)
        left = [s for s in load.shards if s.shard_id not in done]
        model_s += sum(s.audio_s * per_s + cost.pack_s + sizes[s.shard_id] / speed.file_bytes_per_s for s in left)
        done_s += load.audio_s - sum(s.audio_s for s in left)
        file_bytes += size
        sparse_bytes += bytes_of(masks=(*usual, SPARSE)) - size
        shard_bytes += sum(sizes.values())
        if left:
            unwritten += size
    heard_anew = [s for s in load.shards if any(s.shard_id not in finished[shape.name] for shape in shapes)]
    label_s = sum(s.audio_s for s in heard_anew) * (speed.label_s + READS * speed.read_s)
    return PartEstimate(
        load.language,
        load.split,
        load.n_clips,
        len(load.shards),
        load.n_measured,
        load.audio_s,
        done_s / (len(shapes) * load.audio_s) if load.audio_s else 0.0,
        model_s,
        label_s,
        file_bytes,
        sparse_bytes,
        shard_bytes,
        unwritten,
    )


def _within(work: Workload, shapes: Sequence[ModelShape], speed: Speed) -> float:
    """Weigh what forward passes may be off by with their share of the time, and add the hours' own error."""
    costs = [speed.models[shape.name] for shape in shapes]
    spent = [(c.forward_s + c.pass_s, MEASURED_WITHIN if c.measured else ESTIMATED_WITHIN) for c in costs]
    whole = sum(s for s, _ in spent)
    rate = sum(s * math.log(f) for s, f in spent) / whole if whole else math.log(MEASURED_WITHIN)
    return math.exp(math.hypot(rate, math.log(work.factor)))


def _together(passes: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Add up what all models hold, and take the largest of what only the one at work holds."""
    kept = ("weights", "probes")  # of every model, from the beginning to the end
    return {
        key: sum(each[key] for each in passes) if key in kept else max(each[key] for each in passes)
        for key in passes[0]
    }


def _books(work: Workload, shapes: Sequence[ModelShape]) -> int:
    """Guess the rest: the lists of clips, the journal, the table of answers, a few labels."""
    n_clips = sum(load.n_clips for load in work.loads)
    ids = sum(s.id_bytes for load in work.loads for s in load.shards)
    n_layers = sum(len(shape.layers) for shape in shapes)
    n_tested = len(work.with_split("test"))
    journal = len(shapes) * (ids + 30 * n_clips)
    return 10_000 + journal + 25 * n_clips + 7_000 * n_layers * (n_tested + 1) + 10_000 * n_tested


def finished_shards(folder: Path, plan: Plan, models: Sequence[str]) -> dict[str, set[str]]:
    """Look which shards of a run are there.

    Parameters
    ----------
    folder : Path
        The run directory.
    plan : Plan
        Its shards.
    models : sequence of str
        Names.

    Returns
    -------
    dict of str to set of str
        For each model the ids of the shards that have a file, or whose language and split was folded. Whether a file
        is whole and of the same clips is not looked at.
    """
    found: dict[str, set[str]] = {}
    for name in models:
        there = found[name] = set[str]()
        for code in plan.languages:
            for split in SPLITS:
                path = cells_path(folder, name, code, split)
                whole = path.is_file()
                shards = [s.shard_id for s in plan.of(code, split)]
                there |= {shard_id for shard_id in shards if whole or part_path(path, shard_id).is_file()}
    return found


def estimate_rest(
    folder: Path,
    plan: Plan,
    shapes: Sequence[ModelShape],
    settings: PitchSettings | None = None,
    *,
    speed: Speed,
    processes: int = 1,
    devices: int = 0,
    readers: int = 0,
) -> RunEstimate:
    """Say what is left to do of a run, according to the files that are there.

    Parameters
    ----------
    folder : Path
        The run directory; it need not be there.
    plan : Plan
        Of the run.
    shapes : sequence of ModelShape
        Of all models.
    settings : PitchSettings, optional
        Of the run.
    speed : Speed
        Of this machine.
    processes, devices, readers : int
        As in :func:`estimate_run`.

    Returns
    -------
    RunEstimate
        Its `done` is the share of the passes that is done.
    """
    done = finished_shards(folder, plan, [shape.name for shape in shapes])
    return estimate_run(
        plan, shapes, settings, speed=speed, processes=processes, devices=devices, readers=readers, done=done
    )
