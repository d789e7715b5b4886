"""Two or more run directories of disjoint shards, made one.

The parts of a run, done on different machines, or runs over different languages: what they computed is put together,
and the next ``otoscope pitch run`` goes on from there as if one machine had done it all.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otoscope.errors import RunConflictError, SpecError
from otoscope.store import (
    atomic_path,
    check_arrays,
    digest_arrays,
    locked,
    read_about,
    read_arrays,
    read_json,
    read_table,
    write_json,
    write_table,
    write_text,
)
from otoscope.studies.pitch.ledger import LOCK
from otoscope.studies.pitch.plan import plan_token
from otoscope.studies.pitch.settings import check_same
from otoscope.studies.progress import Progress, Quiet

__all__ = ["Merged", "merge_runs"]

_IDENTITY = ("schema", "tracker", "agree_trackers", "cluster_key", "lambda_blocks")
_ROOMS = ("shifts", "cells", "probes", "test")


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge gave.

    Parameters
    ----------
    folder : Path
        The new run directory.
    n_files : int
        Copied.
    n_shared : int
        That several had, alike to the byte.
    languages : tuple of str
        Of the new run.
    models : tuple of str
        Of the new run.
    """

    folder: Path
    n_files: int
    n_shared: int
    languages: tuple[str, ...]
    models: tuple[str, ...]


def merge_runs(folders: Sequence[Path], out: Path, *, progress: Progress | None = None) -> Merged:
    """Put run directories together.

    Parameters
    ----------
    folders : sequence of Path
        At least two, made with the same settings. They are left as they are.
    out : Path
        A new folder.
    progress : Progress, optional
        Is told of every file.

    Returns
    -------
    Merged
        The run is to be finished by the same command that began its parts, without ``--part``, with the new folder as
        ``--out``.

    Raises
    ------
    RunConflictError
        If settings, models, clips or shift vectors differ, or two files that should be the same are not; with the
        difference. Nothing is left at `out` then.
    SpecError
        If a folder is not a run, or a file of it is damaged.
    """
    if len(folders) < 2:
        raise SpecError(f"merge: {len(folders)} run; at least two are needed")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SpecError(f"{out}: is there already; name a new folder with --out")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise SpecError("merge: a run is named twice")
    for folder in folders:
        if not (folder / "run.json").exists():
            raise SpecError(f"{folder}: is not a run: it has no run.json; `otoscope pitch run --out` makes one")
    building = out.parent / f".part-{out.name}"
    with contextlib.ExitStack() as stack:
        for folder in folders:
            stack.enter_context(locked(folder / LOCK))
        shutil.rmtree(building, ignore_errors=True)
        stack.callback(shutil.rmtree, building, ignore_errors=True)
        abouts = {folder: read_json(folder / "run.json") for folder in folders}
        about = _merge_books(abouts)
        _check_shifts(abouts)
        n_files, n_shared = _copy_files(folders, building, progress or Quiet())
        _write_books(folders, building, about)
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.exists():
            out.rmdir()
        building.rename(out)
    return Merged(out, n_files, n_shared, tuple(sorted(about["languages"])), tuple(about["models"]))


def _merge_books(abouts: Mapping[Path, Mapping[str, Any]]) -> dict[str, Any]:
    """Check that runs are of one kind, and give the books of their union."""
    (first, base), *others = abouts.items()
    merged: dict[str, Any] = json.loads(json.dumps(base))
    for folder, about in others:
        where = f"{folder} beside {first}"
        check_same(base["settings"], about["settings"], where)
        for key in _IDENTITY:
            check_same({key: base.get(key)}, {key: about.get(key)}, where)
        for name, info in about["models"].items():
            if name in merged["models"]:
                check_same(merged["models"][name], info, f"{where}: model {name}")
        changed = [c for c, digest in about["languages"].items() if merged["languages"].get(c, digest) != digest]
        if changed:
            raise RunConflictError(
                f"{where}: other clips, groups or splits in {', '.join(sorted(changed))}; only runs over the same "
                "corpus can be merged"
            )
        for key in ("languages", "models", "heard", "regions", "tone_types"):
            both = {**about.get(key, {}), **merged.get(key, {})}
            merged[key] = dict(sorted(both.items())) if key != "models" else {**merged[key], **about[key]}
        for key in ("sources", "tested"):
            merged[key] = sorted({*merged[key], *about[key]})
        merged["made_with"] = {**merged.get("made_with", {}), "part": [1, 1]}
        merged["notes"] = list(dict.fromkeys([*merged["notes"], *about["notes"]]))
    return merged


def _check_shifts(abouts: Mapping[Path, Mapping[str, Any]]) -> None:
    seen: dict[str, tuple[str, Path]] = {}
    for folder, about in abouts.items():
        for path in sorted((folder / "shifts").glob("*.safetensors")):
            digest = digest_arrays(read_arrays(path)[0])
            before, where = seen.setdefault(path.name, (digest, folder))
            if before == digest:
                continue
            same = set(about["languages"]) == set(abouts[where]["languages"])
            why = "the machines round differently" if same else "the runs began with other languages"
            raise RunConflictError(
                f"{folder} beside {where}: the shift vectors of {path.stem} differ, because {why}, and sums around "
                f"different ones cannot be put together. Begin {folder} again in a folder that holds a copy of "
                f"{where / 'shifts'}"
            )


def _copy_files(folders: Sequence[Path], building: Path, progress: Progress) -> tuple[int, int]:
    files = [
        (folder, path.relative_to(folder))
        for folder in folders
        for room in _ROOMS
        for path in sorted((folder / room).rglob("*.safetensors"))
        if not path.name.startswith(".")
    ]
    progress.begin("merging", len(files))
    origin: dict[Path, Path] = {}
    n_shared = 0
    outdated: set[Path] = set()
    for folder, name in files:
        wrong = check_arrays(folder / name)
        if wrong:
            raise SpecError(f"{folder / name}: {wrong}; remove it, and run the command that made {folder} again")
        if name in origin:
            if name.parts[0] == "probes" and not _same(origin[name] / name, folder / name):
                outdated.add(name)  # solved from other languages: to be solved again from all of them
            else:
                _check_alike(origin[name] / name, folder / name)
                n_shared += 1
        else:
            origin[name] = folder
            with atomic_path(building / name) as temporary:
                shutil.copyfile(folder / name, temporary)
        progress.advance()
    for name in outdated:
        (building / name).unlink()
    return len(origin) - len(outdated), n_shared


def _same(one: Path, other: Path) -> bool:
    return (read_about(one) or {}).get("made_of") == (read_about(other) or {}).get("made_of")


def _check_alike(one: Path, other: Path) -> None:
    """Refuse two files of one name that say or hold different things; versions of packages may differ."""
    said, also = ({k: v for k, v in (read_about(path) or {}).items() if k != "versions"} for path in (one, other))
    if said != also:
        raise RunConflictError(
            f"{other}: was made of other things than {one}; remove the one that is out of date, and merge again"
        )
    if digest_arrays(read_arrays(one)[0]) != digest_arrays(read_arrays(other)[0]):
        raise RunConflictError(
            f"{other}: was made of the same things as {one} and holds other numbers (another machine, other "
            "versions?); keep one of them, and merge again"
        )


def _write_books(folders: Sequence[Path], building: Path, about: Mapping[str, Any]) -> None:
    write_json(building / "run.json", dict(about))
    rows = {row["clip"]: row for folder in folders for row in read_table(folder / "clips.parquet")}
    write_table(building / "clips.parquet", sorted(rows.values(), key=lambda row: row["shard"]))
    failures = [
        failure
        for folder in folders
        if (folder / "failures.json").exists()
        for failure in read_json(folder / "failures.json")
    ]
    write_json(building / "failures.json", list({json.dumps(f): f for f in failures}.values()))
    done = _merge_done(folders, plan_token(about))
    if done:
        write_json(building / "done.json", done)
    _merge_journals(folders, building)


def _merge_done(folders: Iterable[Path], token: str) -> dict[str, Any]:
    """Keep what is finished for the languages of the union."""
    found: dict[str, Any] = {}
    for folder in folders:
        if (folder / "done.json").exists():
            for name, entry in read_json(folder / "done.json").items():
                if entry["plan"] == token:
                    found.setdefault(name, entry)
    return dict(sorted(found.items()))


def _merge_journals(folders: Sequence[Path], building: Path) -> None:
    """Keep which sound was heard; a machine with other files looks at the sound once more."""
    stamps: dict[Path, dict[str, str]] = {}
    lines: list[str] = []
    for folder in folders:
        for path in sorted((folder / "journal").rglob("*.json")):
            stamps.setdefault(path.relative_to(folder), {}).update(read_json(path))
        log = folder / "journal" / "shards.jsonl"
        lines += log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    for name, entries in stamps.items():
        write_json(building / name, entries)
    if lines:
        write_text(building / "journal" / "shards.jsonl", "".join(f"{line}\n" for line in sorted(lines)))
