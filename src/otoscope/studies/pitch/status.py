"""How far a run has come, and whether its files are what was written: read from the run directory alone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from otoscope.corpora.base import Split
from otoscope.errors import SpecError
from otoscope.store import check_arrays, lock_holder, locked, read_about, read_json, read_table, slug
from otoscope.studies.pitch.cells import Cells, read_header
from otoscope.studies.pitch.ledger import LOCK, cells_path, part_path, probes_path, shifts_path
from otoscope.studies.pitch.plan import LEARNT, part_of, plan_token

__all__ = ["Count", "ModelStatus", "Problem", "RunStatus", "run_status", "verify_run"]

RECENT_LINES = 200  # of the journal, for the speed


@dataclass(frozen=True, slots=True)
class Count:
    """How much of something is done.

    Parameters
    ----------
    done, total : int
        Clips, or layers.
    """

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """How far one model has come.

    Parameters
    ----------
    model : str
        Its name.
    learnt : Count
        Train and dev clips.
    solved : Count
        Layers.
    tested : Count
        Test clips.
    failures : int
        Clips that it had to do without, so far.
    finished : bool
        Whether it stands in the answer.
    n_bytes : int
        Of its files.
    """

    model: str
    learnt: Count
    solved: Count
    tested: Count
    failures: int
    finished: bool
    n_bytes: int


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How far a run has come.

    Parameters
    ----------
    folder : str
        The run directory.
    corpus : str
        Its name.
    n_languages, n_clips : int
        Of the run.
    models : tuple of ModelStatus
        All of the run.
    answered : bool
        Whether the table stands and is of this run.
    worker : str or None
        Who is working there now.
    seconds_per_clip : float or None
        Of one model in one process, by the latest shards; None where the journal says nothing.
    processes : int
        That were to share the work when the run was last begun.
    part : (int, int)
        Which part of how many the run was last asked for.
    part_done : bool
        Whether that part has nothing left to do before it is merged.
    left_s : float or None, seconds
        Until all clips have gone through all models, at that speed.
    """

    folder: str
    corpus: str
    n_languages: int
    n_clips: int
    models: tuple[ModelStatus, ...]
    answered: bool
    worker: str | None
    seconds_per_clip: float | None
    processes: int
    part: tuple[int, int]
    part_done: bool
    left_s: float | None

    def describe(self) -> dict[str, Any]:
        """Give it as a JSON value.

        Returns
        -------
        dict
            All fields.
        """
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a run directory that is not as it should be.

    Parameters
    ----------
    path : str
        The file, below the run directory.
    what : str
        What is wrong with it.
    remedy : str
        The way out.
    """

    path: str
    what: str
    remedy: str


class _Books:
    """What a run directory says of its clips and models."""

    def __init__(self, folder: Path) -> None:
        if not folder.exists():
            raise SpecError(f"{folder}: there is no such folder; name a run directory")
        if not (folder / "run.json").exists():
            raise SpecError(f"{folder}: is not a run: it has no run.json; `otoscope pitch run --out` makes one")
        self.folder = folder
        self.about: dict[str, Any] = read_json(folder / "run.json")
        self.models: dict[str, dict[str, Any]] = self.about["models"]
        self.shards: dict[tuple[str, Split], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        listed = folder / "clips.parquet"  # written once shift vectors are there
        for row in read_table(listed) if listed.exists() else ():
            self.shards[row["language"], row["split"]][row["shard"]] += 1
        self.done: dict[str, Any] = read_json(folder / "done.json") if (folder / "done.json").exists() else {}

    def finished(self, model: str) -> bool:
        """Say whether a model is finished for the languages that the run has now."""
        return self.done.get(model, {}).get("plan") == plan_token(self.about)

    def part_done(self, part: tuple[int, int]) -> bool:
        """Say whether a part of the pass that is under way is done."""
        for splits in (LEARNT, ("test",)):
            places: dict[str, tuple[str, Split]] = {
                shard: (code, split)
                for (code, split), shards in self.shards.items()
                if split in splits
                for shard in shards
            }
            if all(self._stands(model, places, list(places)) for model in self.models):
                continue  # that pass is over
            return all(self._stands(model, places, part_of(sorted(places), part)) for model in self.models)
        return False

    def _stands(self, model: str, places: Mapping[str, tuple[str, Split]], shards: Sequence[str]) -> bool:
        folded = {place: cells_path(self.folder, model, *place) for place in set(places.values())}
        there = {place for place, path in folded.items() if read_header(path) is not None}
        return all(places[s] in there or read_header(part_path(folded[places[s]], s)) is not None for s in shards)

    def files(self, model: str, code: str, split: Split) -> Iterator[tuple[Path, Cells, int]]:
        """Give the files that stand for a language and split, with the clips that each is about."""
        folded = cells_path(self.folder, model, code, split)
        shards = self.shards[code, split]
        header = read_header(folded)
        if header is not None and len(header.clips) + len(header.failures) == sum(shards.values()):
            yield folded, header, sum(shards.values())
            return
        for shard_id, n_clips in shards.items():
            path = part_path(folded, shard_id)
            part = read_header(path)
            if part is not None:
                yield path, part, n_clips


def run_status(folder: Path) -> RunStatus:
    """Say how far a run has come.

    Parameters
    ----------
    folder : Path
        The run directory; somebody may be working there.

    Returns
    -------
    RunStatus
        As its files say.

    Raises
    ------
    SpecError
        If it is not a run.
    """
    books = _Books(folder)
    models: list[ModelStatus] = []
    left: dict[str, int] = {}
    for name, info in books.models.items():
        counts = {True: [0, 0], False: [0, 0]}
        failures, n_bytes = 0, 0
        for (code, split), shards in books.shards.items():
            count = counts[split in LEARNT]
            count[1] += sum(shards.values())
            for path, header, n_clips in books.files(name, code, split):
                count[0] += n_clips
                failures += len(header.failures)
                n_bytes += path.stat().st_size
        probes = [probes_path(folder, name, layer["index"]) for layer in info["layers"]]
        there = [path for path in probes if read_about(path) is not None]
        n_bytes += sum(path.stat().st_size for path in (*there, shifts_path(folder, name)) if path.exists())
        learnt, tested = Count(*counts[True]), Count(*counts[False])
        left[name] = learnt.total - learnt.done + tested.total - tested.done
        models.append(
            ModelStatus(name, learnt, Count(len(there), len(probes)), tested, failures, books.finished(name), n_bytes)
        )
    speeds = _speeds(folder)
    made_with = books.about.get("made_with", {})
    processes = len(made_with.get("devices", ["cpu"]))
    part = tuple(made_with.get("part", (1, 1)))
    known = [speeds[name] for name in left if name in speeds]
    usual = sum(known) / len(known) if known else None
    remaining = None
    if usual is not None:
        remaining = sum(n * speeds.get(name, usual) for name, n in left.items()) / max(1, processes)
    return RunStatus(
        str(folder),
        books.about["corpus"]["name"],
        len(books.about["languages"]),
        sum(sum(shards.values()) for shards in books.shards.values()),
        tuple(models),
        all(m.finished for m in models) and (folder / "table.parquet").exists(),
        lock_holder(folder / LOCK),
        usual,
        processes,
        (part[0], part[1]),
        part != (1, 1) and books.part_done((part[0], part[1])),
        remaining,
    )


def _speeds(folder: Path) -> dict[str, float]:
    """Read from the journal the seconds per clip of each model."""
    path = folder / "journal" / "shards.jsonl"
    if not path.exists():
        return {}
    taken: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    lines: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines()[-RECENT_LINES:]:
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:  # the process was killed while it wrote
            continue
    for line in lines:
        taken[line["model"]][0] += line["wall_s"]
        taken[line["model"]][1] += line["clips"] + line["failures"]
    return {name: wall_s / n for name, (wall_s, n) in taken.items() if n}


def verify_run(folder: Path) -> list[Problem]:
    """Look at every byte of a run, and at whether its files belong together.

    Parameters
    ----------
    folder : Path
        The run directory.

    Returns
    -------
    list of Problem
        Empty where all is well.

    Raises
    ------
    SpecError
        If it is not a run, or its books cannot be read.
    RunConflictError
        If somebody is working there.
    """
    books = _Books(folder)
    with locked(folder / LOCK):
        return list(_problems(books))


_AGAIN = "remove it and run the same command again"


def _problems(books: _Books) -> Iterator[Problem]:
    folder = books.folder
    known = {slug(name) for name in books.models}
    for path in sorted(folder.rglob("*")):
        shown = path.relative_to(folder).as_posix()
        if path.is_file() and path.name.startswith(".part-"):
            yield Problem(shown, "was left by a process that was killed", "the next run removes it")
        elif path.suffix == ".safetensors":
            wrong = check_arrays(path)
            if wrong:
                yield Problem(shown, wrong, _AGAIN)
            parts = path.relative_to(folder).parts
            if parts[0] in ("cells", "test", "probes") and parts[1] not in known:
                yield Problem(shown, "is of a model that run.json does not name", "remove it")
    for name, info in books.models.items():
        if not books.finished(name):
            continue
        for code, split in sorted(books.shards):
            path = cells_path(folder, name, code, split)
            header = read_header(path)
            shown = path.relative_to(folder).as_posix()
            if header is None:
                if path.exists():  # damaged, and said so
                    continue
                yield Problem(shown, f"is missing, and {name} is said to be finished", "run the same command again")
                continue
            n_clips = sum(books.shards[code, split].values())
            if len(header.clips) + len(header.failures) != n_clips:
                what = f"is of {len(header.clips) + len(header.failures)} clips; clips.parquet has {n_clips}"
                yield Problem(shown, what, _AGAIN)
        for layer in info["layers"]:
            path = probes_path(folder, name, layer["index"])
            made_of = (read_about(path) or {}).get("made_of", {})
            if made_of and (made_of.get("model"), made_of.get("layer")) != (name, layer["index"]):
                what = f"holds the probes of {made_of.get('model')} layer {made_of.get('layer')}"
                yield Problem(path.relative_to(folder).as_posix(), what, _AGAIN)
            if not path.exists():
                shown = path.relative_to(folder).as_posix()
                yield Problem(shown, f"is missing, and {name} is said to be finished", "run the same command again")
    if books.models and all(books.finished(name) for name in books.models):
        yield from _answer_problems(folder)


def _answer_problems(folder: Path) -> Iterator[Problem]:
    from otoscope.studies.pitch.answer import read_answer

    try:
        read_answer(folder)
    except SpecError as error:
        yield Problem("table.parquet", str(error), "run the same command again")
