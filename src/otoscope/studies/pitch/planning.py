"""What a run will cost, from what its command names: what is here, and what is known of the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from otoscope.corpora.base import Clip
from otoscope.corpora.languages import expand_languages, languages
from otoscope.corpora.selection import Selection
from otoscope.corpora.typology import read_typology
from otoscope.errors import SpecError
from otoscope.f0.registry import open_tracker
from otoscope.representations.base import Model
from otoscope.representations.registry import open_model
from otoscope.representations.upstreams import cards
from otoscope.representations.upstreams.model import resolve_device
from otoscope.specs import split_spec
from otoscope.store import read_json
from otoscope.studies.pitch.costs import RunEstimate
from otoscope.studies.pitch.estimate import estimate_run, finished_shards
from otoscope.studies.pitch.panel import open_panel
from otoscope.studies.pitch.plan import Plan, make_plan
from otoscope.studies.pitch.prepare import prepare_corpus
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.shapes import ModelShape
from otoscope.studies.pitch.speed import Room, measure_room, measure_speed
from otoscope.studies.pitch.workload import Workload, fleurs_workload

__all__ = ["plan_run"]

MEASURED_CLIPS = 2
HUB = "fleurs"


def plan_run(
    corpus: str,
    models: Sequence[str],
    settings: PitchSettings | None = None,
    *,
    languages: Iterable[str] | None = None,
    selection: Selection | None = None,
    typology: str = "default",
    devices: Sequence[str] = ("cpu",),
    threads: int | None = None,
    readers: int = 0,
    out: Path | None = None,
) -> tuple[RunEstimate, Room]:
    """Say what a run will cost in hours, disk and memory, before it is begun.

    Parameters
    ----------
    corpus : str
        A specification. Where `fleurs` has no copy here and cannot be reached, the numbers of recordings that are
        known of it stand in.
    models : sequence of str
        Specifications. Of a checkpoint that is not here, what is known of it stands in.
    settings : PitchSettings, optional
        As for the run.
    languages : iterable of str, optional
        As for the run.
    selection : Selection, optional
        As for the run.
    typology : str
        As for the run.
    devices : sequence of str
        As for the run.
    threads : int, optional
        As for the run.
    readers : int
        As for the run.
    out : Path, optional
        The run directory: what is done there is not counted again, and its disk is the one that is looked at.

    Returns
    -------
    estimate : RunEstimate
        Of what is left to do.
    room : Room
        What this machine has.

    Raises
    ------
    SpecError
        If a specification is wrong, or a model is neither here nor known.
    """
    settings = settings or PitchSettings()
    tracker = open_tracker(settings.tracker)
    settings, panel = open_panel(settings, tracker)
    devices = [resolve_device(device) for device in devices]
    where = out or Path()
    room = measure_room(where)
    what = _what(corpus, languages, selection or Selection(), typology, settings)
    shapes: list[ModelShape] = []
    opened: dict[str, Model] = {}
    for spec in models:
        shape, model = _shape(spec, devices[0])
        shapes.append(shape)
        if model is not None:
            opened[shape.name] = model
    clips = _some_clips(what) if isinstance(what, Plan) else []
    n_sources = len(what.languages_with("train") if isinstance(what, Plan) else what.with_split("train"))
    speed = measure_speed(
        shapes,
        tracker,
        settings,
        models=opened,
        clips=clips,
        n_sources=n_sources,
        device=devices[0],
        threads=threads,
        folder=where if where.is_dir() else None,
        panel=panel,
    )
    done = _done(out, what, [shape.name for shape in shapes]) if out and isinstance(what, Plan) else None
    accelerators = sum(device != "cpu" for device in devices)
    estimate = estimate_run(
        what,
        shapes,
        settings,
        speed=speed,
        processes=max(1, len(devices) - accelerators),
        devices=accelerators,
        readers=readers,
        done=done,
    )
    return estimate, room


def _what(
    corpus: str, words: Iterable[str] | None, selection: Selection, typology: str, settings: PitchSettings
) -> Plan | Workload:
    named = None if words is None else [*words]
    coding = read_typology(typology)
    try:
        opened = prepare_corpus(corpus, named, selection, typology=coding)
    except SpecError:
        if corpus.strip() != HUB or selection != Selection(seed=selection.seed):
            raise
        return fleurs_workload(
            expand_languages(named or ["all"], languages(), typology=coding), shard_clips=settings.shard_clips
        )
    return make_plan(opened, settings, coding)


def _shape(spec: str, device: str) -> tuple[ModelShape, Model | None]:
    try:
        model = open_model(spec, device=device)
    except SpecError:
        name = spec.removeprefix("untrained:").rpartition("#")[0] if spec.startswith("untrained:") else spec
        card = cards.find(split_spec(name)[0])
        if card is None:
            raise
        return ModelShape.of_card(card, name=spec), None
    parameters = getattr(model, "n_parameters", 0)
    name = split_spec(model.info.twin or model.info.name)[0]
    card = cards.find(name)
    window_s = ModelShape.of_card(card).window_s if card else 0.0
    return ModelShape.of(model.info, parameters=parameters, window_s=window_s), model


def _done(folder: Path, plan: Plan, models: Sequence[str]) -> dict[str, set[str]]:
    """Name the shards that are finished, of languages whose clips are those of the run."""
    path = folder / "run.json"
    before: dict[str, str] = read_json(path)["languages"] if path.exists() else {}
    same = {code for code, digest in plan.digests().items() if before.get(code) == digest}
    finished = finished_shards(folder, plan, models)
    return {name: {s for s in shards if s.partition(".")[0] in same} for name, shards in finished.items()}


def _some_clips(plan: Plan) -> list[Clip]:
    """Give training clips of different languages for the forward pass to be measured on."""
    found = [plan.clips(code, "train")[0] for code in plan.languages_with("train")]
    return found[:MEASURED_CLIPS]
