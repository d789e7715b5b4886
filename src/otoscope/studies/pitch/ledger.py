"""The books of a run: who it is, what is finished, which sound was heard, where its files are.

``run.json`` is the identity of a run. Asking for more models or languages extends it; asking for anything else is
refused with the difference shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from otoscope.corpora.base import SPLITS, Corpus, Failure, Split
from otoscope.corpora.selection import Selection
from otoscope.errors import RunConflictError
from otoscope.f0.base import TrackerInfo
from otoscope.representations.base import ModelInfo
from otoscope.store import digest_of, read_json, slug, write_json, write_table
from otoscope.studies.pitch.cells import read_header
from otoscope.studies.pitch.plan import Plan, plan_token
from otoscope.studies.pitch.settings import PitchSettings, check_same
from otoscope.studies.provenance import versions

__all__ = ["LOCK", "SCHEMA", "Ledger", "cells_path", "part_path", "probes_path", "selection_of", "shifts_path"]

SCHEMA = 2
LOCK = Path("journal") / "lock"
_CLAIMED = ("run.json", "clips.parquet")


def selection_of(said: Mapping[str, Any]) -> Selection:
    """Read what :meth:`~otoscope.corpora.selection.Selection.describe` gave.

    Parameters
    ----------
    said : dict
        A JSON value; what is missing is at its default.

    Returns
    -------
    Selection
        As it was.
    """
    fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in said.items()}
    return Selection(**fields)


def shifts_path(folder: Path, name: str) -> Path:
    """Give the file of a model's shift vectors.

    Parameters
    ----------
    folder : Path
        The run directory.
    name : str
        The model.

    Returns
    -------
    Path
        Under ``shifts``.
    """
    return folder / "shifts" / f"{slug(name)}.safetensors"


def probes_path(folder: Path, name: str, layer: int) -> Path:
    """Give the file of a layer's probes.

    Parameters
    ----------
    folder : Path
        The run directory.
    name : str
        The model.
    layer : int
        Index.

    Returns
    -------
    Path
        Under ``probes``.
    """
    return folder / "probes" / slug(name) / f"{layer}.safetensors"


def cells_path(folder: Path, name: str, code: str, split: Split) -> Path:
    """Give the folded file of a model, language and split.

    Parameters
    ----------
    folder : Path
        The run directory.
    name : str
        The model.
    code : str
        The language.
    split : {"train", "dev", "test"}
        The split.

    Returns
    -------
    Path
        Under ``cells`` or ``test``.
    """
    room = "test" if split == "test" else "cells"
    return folder / room / slug(name) / f"{code}.{split}.safetensors"


def part_path(folded: Path, shard_id: str) -> Path:
    """Give the file of one shard, which stands until all of its language and split are folded.

    Parameters
    ----------
    folded : Path
        See :func:`cells_path`.
    shard_id : str
        Which shard.

    Returns
    -------
    Path
        In a folder beside the folded file.
    """
    return folded.with_suffix("") / f"{shard_id}.safetensors"


class Ledger:
    """The books of one run directory.

    Parameters
    ----------
    folder : Path
        The run directory.
    plan : Plan
        What the run is asked to do now.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self.digests = plan.digests()
        self.token = plan_token({"languages": self.digests, "regions": plan.regions, "tone_types": plan.tone_types})

    def claim(
        self,
        corpus: Corpus,
        models: Sequence[ModelInfo],
        tracker: TrackerInfo,
        settings: PitchSettings,
        said: Mapping[str, Any],
        made_with: Mapping[str, object],
        *,
        others: Sequence[TrackerInfo] = (),
    ) -> None:
        """Write the identity of the run, or check that it is the one that stands there.

        Parameters
        ----------
        corpus : Corpus
            Its name, licence and citation are kept.
        models : sequence of ModelInfo
            Those that are asked for now; others that the run has stay.
        tracker : TrackerInfo
            What makes the labels.
        settings : PitchSettings
            Everything else that decides numbers.
        said : mapping
            How the clips were chosen and where the typology is from; clips and types themselves are compared.
        made_with : mapping
            Devices and threads.
        others : sequence of TrackerInfo
            Whose agreement with the labels is asked for.

        Raises
        ------
        RunConflictError
            If the run was made with other settings, models of the same name, or clips.
        """
        path = self.folder / "run.json"
        identity: dict[str, Any] = {
            "schema": SCHEMA,
            "settings": settings.describe(),
            "tracker": tracker.describe(),
            "cluster_key": self.plan.cluster_key,
            "lambda_blocks": bool(self.plan.blocks),
        }
        if others:
            identity["agree_trackers"] = [info.describe() for info in others]
        described = {info.name: info.describe() for info in models}
        before: dict[str, Any] = {}
        if path.exists():
            before = read_json(path)
            self._check(before, identity, described, said)
        known: dict[str, Any] = before.get("models", {})
        heard = {info.name: None if info.heard is None else list(info.heard) for info in models}
        write_json(
            path,
            {
                **identity,
                "corpus": {"name": corpus.name, "licence": corpus.licence, "citation": corpus.citation, **said},
                "languages": self.digests,
                "sources": list(self.plan.languages_with("train")),
                "tested": list(self.plan.languages_with("test")),
                "regions": self.plan.regions,
                "tone_types": self.plan.tone_types,
                "notes": list(self.plan.notes),
                "models": {**known, **described},
                "heard": {**before.get("heard", {}), **heard},
                "made_with": dict(made_with),
                "versions": versions(),
            },
        )

    def list_clips(self) -> None:
        """Write which clips there are, and where they stand."""
        write_table(
            self.folder / "clips.parquet",
            [
                {
                    "clip": clip.clip_id,
                    "language": shard.language,
                    "split": shard.split,
                    "shard": shard.shard_id,
                    "cluster": self.plan.clusters[clip.clip_id],
                }
                for shard in self.plan.shards
                for clip in shard.clips
            ],
        )

    def _check(
        self,
        before: Mapping[str, Any],
        identity: Mapping[str, Any],
        models: Mapping[str, Any],
        selected: Mapping[str, Any],
    ) -> None:
        where = str(self.folder)
        check_same({"schema": before.get("schema")}, {"schema": identity["schema"]}, where)
        check_same(before["settings"], identity["settings"], where)
        for key in ("tracker", "agree_trackers", "cluster_key", "lambda_blocks"):
            check_same({key: before.get(key)}, {key: identity.get(key)}, where)
        missing = sorted(set(before["languages"]) - set(self.digests))
        changed = sorted(c for c, digest in self.digests.items() if before["languages"].get(c, digest) != digest)
        if missing or changed:
            told = [f"{', '.join(missing)} missing"] if missing else []
            told += [f"other clips, groups or splits in {', '.join(changed)}"] if changed else []
            chosen = before["corpus"].get("selection")
            if chosen is not None and chosen != selected["selection"]:
                earlier, now = (selection_of(said).words() for said in (chosen, selected["selection"]))
                told.append(f"clips were chosen as: {earlier}; now: {now}")
            raise RunConflictError(
                f"{where}: the corpus is not the one that this run was made with: {'; '.join(told)}. Languages "
                "may be added to a run, with the corpus as it was; for another corpus name another folder with --out"
            )
        for name, info in models.items():
            if name in before["models"]:
                check_same(before["models"][name], info, f"{where}: model {name}")

    def withdraw(self, before: Mapping[str, Any]) -> None:
        """Take the last claim back, because nothing could be done.

        Parameters
        ----------
        before : mapping
            What ``run.json`` said; without models for a new run, whose folder is left free.
        """
        if before["models"]:
            write_json(self.folder / "run.json", dict(before))
            return
        for path in (*(self.folder / name for name in _CLAIMED), *(self.folder / "shifts").glob("*.safetensors")):
            path.unlink(missing_ok=True)
        for folder in (self.folder / "shifts", self.folder):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def unfinished(self, models: Iterable[str]) -> list[str]:
        """Name the models of the run that are not finished for this plan and this sound.

        Parameters
        ----------
        models : iterable of str
            To choose from.

        Returns
        -------
        list of str
            In the order in which they come.
        """
        done = self._done()
        return [
            name
            for name in models
            if done.get(name, {}).get("plan") != self.token
            or any(self.suspects(name, code, split) for split in SPLITS for code in self.plan.languages_with(split))
        ]

    def _done(self) -> dict[str, dict[str, str]]:
        path = self.folder / "done.json"
        return read_json(path) if path.exists() else {}

    def finish(self, model: str, probes: str) -> None:
        """Say that a model is finished, and for what.

        Parameters
        ----------
        model : str
            Which.
        probes : str
            Digest of its probes.
        """
        done = self._done()
        done[model] = {"plan": self.token, "probes": probes, "sound": self.sound(model, "test")}
        write_json(self.folder / "done.json", dict(sorted(done.items())))

    def _journal(self, name: str, code: str, split: Split) -> Path:
        return self.folder / "journal" / slug(name) / f"{code}.{split}.json"

    def suspects(self, name: str, code: str, split: Split) -> set[str]:
        """Name the clips whose files are not those that a model heard, as far as size and time can tell.

        Parameters
        ----------
        name : str
            The model.
        code : str
            The language.
        split : {"train", "dev", "test"}
            The split.

        Returns
        -------
        set of str
            Ids of clips.
        """
        path = self._journal(name, code, split)
        seen: dict[str, str] = read_json(path) if path.exists() else {}
        clips = self.plan.clips(code, split)
        return {clip.clip_id for clip in clips if seen.get(clip.clip_id) != clip.source.stamp()}

    def stamp(self, name: str, code: str, split: Split) -> None:
        """Keep the sizes and times of the files that a model heard.

        Parameters
        ----------
        name : str
            The model.
        code : str
            The language.
        split : {"train", "dev", "test"}
            The split.
        """
        stamps = {clip.clip_id: clip.source.stamp() for clip in self.plan.clips(code, split)}
        write_json(self._journal(name, code, split), stamps)

    def sound(self, model: str, *splits: Split) -> str:
        """Give a digest of the sound that a model has heard, and of which clips it could use.

        Parameters
        ----------
        model : str
            Which.
        *splits : {"train", "dev", "test"}
            Of which clips.

        Returns
        -------
        str
            64 hexadecimal characters.
        """
        return digest_of(
            {
                f"{code}.{split}": [found.sound, found.clips]
                for split in splits
                for code in self.plan.languages_with(split)
                if (found := read_header(cells_path(self.folder, model, code, split)))
            }
        )

    def failures(self, before: Sequence[Failure]) -> list[Failure]:
        """Gather the failures of the corpus and of all models of the run, each once.

        Parameters
        ----------
        before : sequence of Failure
            Those of the corpus.

        Returns
        -------
        list of Failure
            In the order in which they came about.
        """
        found = dict.fromkeys(before)
        for name in read_json(self.folder / "run.json")["models"]:
            for split in SPLITS:
                for code in self.plan.languages_with(split):
                    header = read_header(cells_path(self.folder, name, code, split))
                    found.update(dict.fromkeys(header.failures if header else ()))
        return list(found)
