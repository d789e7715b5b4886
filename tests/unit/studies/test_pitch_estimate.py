"""What a plan says of a run is what the run then does: every file, what is done, what is held in memory."""

import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from otoscope.corpora.base import Clip, Corpus
from otoscope.corpora.fleurs_sizes import fleurs_sizes
from otoscope.errors import DataError, SpecError
from otoscope.f0.kaldi import KaldiTracker
from otoscope.f0.labels import LabelCache
from otoscope.probes.moments import Moments
from otoscope.report.planned import advice, plan_sentence, print_plan
from otoscope.representations.filterbanks import LogMel
from otoscope.representations.upstreams.cards import find
from otoscope.store import write_arrays
from otoscope.studies.pitch.cells import CellKey, Cells
from otoscope.studies.pitch.estimate import ANSWER_S, START_S, estimate_rest, estimate_run
from otoscope.studies.pitch.footprint import (
    cell_bytes,
    pass_memory,
    probe_bytes,
    safetensors_bytes,
    shift_bytes,
    solve_memory,
)
from otoscope.studies.pitch.ledger import cells_path, probes_path, shifts_path
from otoscope.studies.pitch.plan import make_plan
from otoscope.studies.pitch.run import run_pitch
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.shapes import ModelShape, encoder_flops
from otoscope.studies.pitch.solve import solve_layer
from otoscope.studies.pitch.speed import ModelSpeed, Room, Speed, measure_room, measure_speed
from otoscope.studies.pitch.targets import columns_of
from otoscope.studies.pitch.workload import fleurs_workload, workload_of
from otoscope.testing.planted import PlantedModel, PlantedTracker, planted_corpus
from otoscope.testing.signals import speechlike

WITHIN = 0.02
DURATION_S = 2.0
SETTINGS = PitchSettings(n_resamples=20, shard_clips=4)
PLANTED = (PlantedModel(), PlantedModel(name="weak", strengths=(6.0,), kind="baseline"))
ROOM = Room(10**12, 10**11, 2)


def known(corpus):
    return replace(corpus, clips=tuple(replace(clip, duration_s=DURATION_S) for clip in corpus.clips))


def without_dev(corpus):
    return replace(corpus, clips=tuple(clip for clip in corpus.clips if clip.split != "dev"))


def speed_of(shapes, **costs):
    costs = {"forward_s": 0.1, "pass_s": 0.01, "score_s": 0.02, "pack_s": 0.0, "solve_s": 1.0, **costs}
    models = {shape.name: ModelSpeed(**costs, measured=True, how="made up") for shape in shapes}
    return Speed(models, 0.005, 1700.0, 600.0, 0.001, 1e12)


class Speechlike:
    def read(self, clip_id, *, sample_rate):
        waveform, _, _ = speechlike(int(clip_id.rpartition("-")[2]), duration_s=DURATION_S)
        return type(waveform)(waveform.samples, waveform.sample_rate, clip_id)

    def describe(self):
        return "speechlike"

    def stamp(self):
        return "speechlike"


def spoken_corpus(codes=("en_us", "cmn_hans_cn"), n_clips=24, splits=("train", "train", "dev", "test")):
    clips = [
        Clip(f"clip-{i}", Speechlike(), codes[i % len(codes)], {"sentence": f"s{i}"}, splits[(i // len(codes)) % 4])
        for i in range(n_clips)
    ]
    return Corpus("spoken", tuple(clips))


@pytest.fixture(
    scope="module", params=["planted", "planted, blocks for lambda", "speech, log-mel", "speech, one lone clip"]
)
def done(request, tmp_path_factory):
    """Give a finished run and what it was made of."""
    models, tracker, settings = PLANTED, PlantedTracker(), SETTINGS
    if request.param == "planted":
        corpus = known(planted_corpus(duration_s=DURATION_S, n_sentences=24))
    elif request.param == "planted, blocks for lambda":
        corpus = without_dev(known(planted_corpus(duration_s=DURATION_S, n_sentences=24)))
    else:
        corpus, models, tracker = spoken_corpus(), (LogMel(),), KaldiTracker()
        if "lone" in request.param:
            lone = [c for c in corpus.clips if c.language == "cmn_hans_cn" and c.split == "train"][:1]
            rest = [c for c in corpus.clips if c.language != "cmn_hans_cn" or c.split != "train"]
            corpus = replace(corpus, clips=(*rest, *lone))
    out = tmp_path_factory.mktemp("estimated") / "run"
    labels = LabelCache(out.parent / "labels")
    result = run_pitch(corpus, models, out, settings, languages=["all"], tracker=tracker, labels=labels)
    assert not result.failures
    return out, result.plan, [ModelShape.of(model.info) for model in models]


def test_every_file_of_a_run_is_as_large_as_planned(done):
    out, plan, shapes = done
    work = workload_of(plan)
    n_sources = len(work.with_split("train"))
    planned = {}
    for shape in shapes:
        for load in work.loads:
            planned[cells_path(out, shape.name, load.language, load.split)] = cell_bytes(
                shape, load, n_sources=n_sources
            )
        for layer, (dim, _) in enumerate(shape.layers):
            planned[probes_path(out, shape.name, layer)] = probe_bytes(work, dim)
        planned[shifts_path(out, shape.name)] = shift_bytes(shape)
    there = {path for room in ("cells", "test", "probes", "shifts") for path in (out / room).rglob("*.safetensors")}
    assert there == set(planned)
    for path, expected in planned.items():
        assert expected == pytest.approx(path.stat().st_size, rel=WITHIN), path
    estimate = estimate_run(plan, shapes, SETTINGS, speed=speed_of(shapes))
    assert estimate.cell_bytes + estimate.probe_bytes == sum(planned.values())
    others = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) - sum(planned.values())
    assert others / 3 < estimate.book_bytes < 3 * others


def test_a_finished_run_has_nothing_left_but_its_answer(done):
    out, plan, shapes = done
    rest = estimate_rest(out, plan, shapes, SETTINGS, speed=speed_of(shapes))
    assert rest.done == 1
    assert rest.wall_s == rest.solve_s == rest.shift_s == 0
    assert not advice(rest, Room(0, 0, 1))
    assert "every clip has been through" in plan_sentence(rest, ROOM)


def test_shards_are_as_large_as_planned_and_count_as_done(tmp_path, monkeypatch):
    from otoscope.studies.pitch import run as run_module

    def stop(*_, **__):
        raise InterruptedError

    monkeypatch.setattr(run_module, "fold_shards", stop)
    corpus, model, out = known(planted_corpus(duration_s=DURATION_S)), PLANTED[0], tmp_path / "run"
    plan, shape = make_plan(corpus, SETTINGS), ModelShape.of(model.info)
    with pytest.raises(InterruptedError):
        run_pitch(
            corpus, [model], out, SETTINGS, languages=["all"], tracker=PlantedTracker(), labels=LabelCache(tmp_path)
        )
    there = {path.stem: path.stat().st_size for path in (out / "cells").rglob("*.safetensors")}
    assert there
    for load in workload_of(plan).loads:
        for shard in load.shards:
            if shard.shard_id in there:
                assert cell_bytes(shape, load, shard=shard) == pytest.approx(there[shard.shard_id], rel=WITHIN)
    speed = speed_of([shape])
    whole, rest = (
        estimate_run(plan, [shape], SETTINGS, speed=speed),
        estimate_rest(out, plan, [shape], SETTINGS, speed=speed),
    )
    seconds = {s.shard_id: s.audio_s for load in workload_of(plan).loads for s in load.shards}
    heard = sum(seconds[name] for name in there)
    assert rest.done == pytest.approx(heard / whole.audio_s)
    spared = sum(p.model_s for p in whole.parts) - sum(p.model_s for p in rest.parts)
    assert spared == pytest.approx(heard * (0.1 + 0.01), rel=1e-6)


def test_a_safetensors_file_is_counted_to_the_word(tmp_path, rng):
    for i in range(1, 20):
        shapes = {f"a{j}|{'x' * j}": tuple(rng.integers(0, 9, size=rng.integers(1, 4))) for j in range(i)}
        about = {"text": 'q"\\é' * i, "n": i}
        path = tmp_path / f"{i}.safetensors"
        write_arrays(path, {name: np.zeros(shape) for name, shape in shapes.items()}, about=about)
        text = json.dumps(json.dumps(about, sort_keys=True, ensure_ascii=False), ensure_ascii=False)
        said = len(text.encode()) - 2
        assert safetensors_bytes(shapes, said) == pytest.approx(path.stat().st_size, abs=2)


def test_hours_add_up_from_seconds_of_audio():
    plan = make_plan(known(planted_corpus(duration_s=DURATION_S)), SETTINGS)
    shapes = [ModelShape.of(model.info) for model in PLANTED]
    speed = speed_of(shapes)
    one = estimate_run(plan, shapes, SETTINGS, speed=speed)
    n = {split: sum(len(plan.clips(code, split)) for code in plan.languages) for split in ("train", "dev", "test")}
    assert one.audio_s == pytest.approx(DURATION_S * sum(n.values()))
    for part in one.parts:
        cost = 0.11 + (0.02 if part.split == "test" else 0.0)
        assert part.model_s == pytest.approx(2 * part.audio_s * cost, rel=1e-5)
    passes = 2 * DURATION_S * (0.11 * sum(n.values()) + 0.02 * n["test"])
    assert sum(part.model_s for part in one.parts) == pytest.approx(passes, rel=1e-5)
    assert sum(part.label_s for part in one.parts) == pytest.approx(one.audio_s * (0.005 + 2 * 0.001))
    assert one.shift_s == pytest.approx(2 * 16 * DURATION_S * 0.1)
    two = estimate_run(plan, shapes, SETTINGS, speed=speed, processes=2)
    n_layers = sum(len(shape.layers) for shape in shapes)
    n_tested = len(plan.languages_with("test"))
    fixed_s = START_S + ANSWER_S * n_layers * n_tested  # is not divided among processes
    assert two.wall_s - fixed_s == pytest.approx((one.wall_s - fixed_s) / 2)
    gpu = estimate_run(plan, shapes, SETTINGS, speed=speed, devices=1)
    assert gpu.wall_s == pytest.approx(one.wall_s - sum(part.label_s for part in one.parts))


def test_solving_counts_every_train_set_and_every_block():
    shapes = [ModelShape.of(PLANTED[0].info)]
    sets = 4 * 4 + 1  # of four languages of one region and tone type: own, lolo, region and tone, and the pool
    corpus = known(planted_corpus())
    for heard, decompositions in ((corpus, 1), (without_dev(corpus), 6)):
        plan = make_plan(heard, SETTINGS)
        alike = replace(
            plan, regions=dict.fromkeys(plan.regions, "here"), tone_types=dict.fromkeys(plan.regions, "none")
        )
        estimate = estimate_run(alike, shapes, SETTINGS, speed=speed_of(shapes))
        assert estimate.solve_s == sets * 2 * decompositions


class Costly:
    """A source that must be read to be measured."""

    reads = 0

    def __init__(self, duration_s):
        self.length_s = duration_s

    def read(self, clip_id, *, sample_rate):
        from otoscope.audio import Waveform

        Costly.reads += 1
        if self.length_s is None:
            raise DataError(clip_id, "cannot be read")
        return Waveform(np.ones(round(1000 * self.length_s), dtype=np.float32), 1000, clip_id)

    def describe(self):
        return "costly"

    def stamp(self):
        return "costly"


def costly_plan(lengths):
    clips = [
        Clip(f"{split}-{i}", Costly(length), "en_us", {"sentence": f"{split}{i}"}, split)
        for split in ("train", "test")
        for i, length in enumerate(lengths)
    ]
    return make_plan(Corpus("costly", tuple(clips)), SETTINGS)


def test_costly_durations_are_sampled_and_the_sample_is_stated():
    Costly.reads = 0
    work = workload_of(costly_plan([3.0] * 100))
    assert Costly.reads == sum(load.n_measured for load in work.loads) == 10
    assert work.audio_s == pytest.approx(600.0)
    assert work.factor == 1.0
    assert "10 of 200 clips were measured" in work.notes[0]


def test_the_samples_error_covers_the_truth(rng):
    inside = 0
    for seed in range(40):
        lengths = rng.gamma(4.0, 2.0, size=60)
        work = workload_of(costly_plan(lengths), seed=seed)
        error = np.hypot(*(load.error_s for load in work.loads))
        inside += abs(work.audio_s - 2 * lengths.sum()) < 2.5 * error
    assert inside >= 34


def test_clips_that_cannot_be_measured_count_as_typical():
    work = workload_of(costly_plan([None] * 10))
    assert work.audio_s == 20 * 12.0
    assert work.factor == 2.0
    assert "No clip could be measured" in work.notes[0]


def test_solving_holds_what_was_planned(rng):
    dim, shift = 96, np.zeros(96)
    codes = ("en_us", "de_de", "fr_fr", "cmn_hans_cn", "yue_hant_hk", "th_th", "vi_vn", "ja_jp")
    corpus = known(planted_corpus(languages=codes, n_sentences=60))
    for heard in (corpus, without_dev(corpus)):
        plan = make_plan(heard, SETTINGS)

        def cells(code, split, plan=plan):
            found = Cells()
            for mask in ("voiced", "unvoiced"):
                for block in sorted({plan.blocks.get(c.clip_id, -1) for c in plan.clips(code, split)}):
                    columns = columns_of(mask)
                    z = np.column_stack([np.ones(300), rng.normal(size=(300, dim + len(columns)))])
                    packed = (z.T @ z)[np.triu_indices(z.shape[1])]
                    found.moments[CellKey(0, mask, block, ("shift", "swap"))] = Moments(dim, columns, shift, packed)
            return found

        tracemalloc.start()
        learnt = [{code: cells(code, split) for code in plan.languages_with(split)} for split in ("train", "dev")]
        tracemalloc.reset_peak()
        solve_layer(plan, shift, *learnt, probe="ridge")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak == pytest.approx(solve_memory(workload_of(plan), dim, masks=("voiced", "unvoiced")), rel=0.2)


def test_accumulators_hold_what_was_measured():
    """26 of them, 768 dimensions and 15 columns: 470 MiB, of which 128 MB are sums; see docs/benchmarks.md."""
    shape = ModelShape("base", ((768, 50.0),) * 13, 94_400_000)
    held = pass_memory(shape, fleurs_workload(["en_us"]), shard_clips=64, masks=("voiced", "voiced"))
    packed_at_the_end, one_block = 26 * 784 * 785 // 2 * 8, 4096 * 784 * 8
    assert held["accumulators"] - packed_at_the_end - one_block == pytest.approx(470 * 2**20, rel=0.06)
    assert held["weights"] == 4 * 94_400_000


@pytest.mark.slow
def test_flops_are_those_of_the_network():
    """Against multiplications counted in the network itself, by hooks on its linear and convolutional modules."""
    torch = pytest.importorskip("torch")
    from transformers import HubertConfig, HubertModel

    sizes = {"hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 512}
    model = HubertModel(HubertConfig(**sizes)).eval()
    counted = [0.0]

    def count(module, _, output):
        per_output = module.weight.numel() / module.weight.shape[0]
        counted[0] += 2 * output.numel() * per_output

    for module in model.modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Conv1d):
            module.register_forward_hook(count)
    with torch.no_grad():
        model(torch.zeros(1, 32_000))
    attention = 3 * 4 * 99**2 * 128
    parameters = sum(p.numel() for p in model.parameters())
    said = 2 * encoder_flops(parameters, 3, 128, 50.0, clip_s=2.0)
    assert said == pytest.approx(counted[0] + attention, rel=0.03)


@pytest.mark.parametrize("name", ["facebook/hubert-base-ls960", "openai/whisper-base"])
def test_a_card_gives_the_shape_of_a_model_that_is_not_here(name):
    card = find(name)
    shape = ModelShape.of_card(card)
    assert len(shape.layers) == card.n_layers + 1
    assert shape.layers[0] == (card.dim, 50.0)
    assert shape.forward_flops > 2 * 50 * shape.parameters
    assert (shape.window_s == 30.0) == ("whisper" in name)


def test_a_measured_machine_is_told_from_an_estimated_one(tmp_path):
    model, shape = PLANTED[0], ModelShape("there", ((32, 50.0),) * 3, 1_000_000)
    shapes = [ModelShape.of(model.info), shape]
    speed = measure_speed(shapes, PlantedTracker(), models={"planted": model}, folder=tmp_path / "not" / "yet")
    assert speed.models["planted"].measured
    assert "measured on made-up speech" in speed.models["planted"].how
    assert not speed.models["there"].measured
    assert "factor of about 1.5" in speed.models["there"].how
    assert all(
        getattr(s, k) > 0 for s in speed.models.values() for k in ("forward_s", "pass_s", "score_s", "solve_s")
    )
    assert not list(tmp_path.iterdir())
    clips = known(planted_corpus(duration_s=DURATION_S)).clips
    heard = measure_speed(shapes[:1], PlantedTracker(), models={"planted": model}, clips=clips)
    assert "2 clips of the corpus" in heard.models["planted"].how
    assert heard.read_s > 0


def test_a_plan_of_fleurs_needs_no_copy_of_it():
    sizes = fleurs_sizes()
    shapes = [ModelShape.of_card(find("facebook/hubert-base-ls960"))]
    estimate = estimate_run(fleurs_workload(), shapes, speed=speed_of(shapes))
    assert len(estimate.languages) == 102
    assert estimate.n_clips == sum(each.n_recordings for each in sizes.values())
    assert 1_200 < estimate.audio_s / 3600 < 1_400
    assert "unverified" in estimate.notes[0]
    assert estimate.within > 1.25
    with pytest.raises(SpecError, match="no language xx_xx"):
        fleurs_workload(["xx_xx"])


def test_the_description_is_json_and_adds_up():
    shapes = [ModelShape.of_card(find("facebook/hubert-base-ls960"))]
    said = json.loads(json.dumps(estimate_run(fleurs_workload(), shapes, speed=speed_of(shapes)).describe()))
    assert sum(row["n_clips"] for row in said["languages"]) == said["n_clips"]
    assert sum(row["disk"] for row in said["languages"]) == said["disk"]["cells"]
    assert said["wall_h_low"] < said["wall_h"] < said["wall_h_high"]


@pytest.mark.parametrize("n", [3, 102])
def test_the_view_fits_its_window_and_says_what_does_not_fit(n):
    shapes = [ModelShape.of_card(find("facebook/hubert-base-ls960"))]
    estimate = estimate_run(fleurs_workload([*fleurs_sizes()][:n]), shapes, speed=speed_of(shapes))
    for width in (80, 118):
        screen = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
        with screen.file:
            print_plan(screen, estimate, Room(10**9, 10**9, 2, 1.9))
        text = screen.export_text()
        assert all(len(line) <= width for line in text.splitlines())
        assert "busy" in text
        assert ("western european" in text) == (n > 16)
        assert ("Afrikaans" in text) == (n <= 16)
    said = advice(estimate, Room(10**9, 10**9, 2))
    assert [each.partition(":")[0] for each in said if not each.startswith("Shards")][:2] == ["Disk", "Memory"]
    assert any(
        "--device cuda" in each
        for each in advice(estimate_run(fleurs_workload(), shapes, speed=speed_of(shapes)), ROOM)
    )
    short = estimate_run(fleurs_workload(["is_is"]), shapes, speed=speed_of(shapes))
    assert advice(short, ROOM) == []


def test_a_plan_without_a_models_speed_is_refused():
    shapes = [ModelShape("a", ((2, 50.0),))]
    with pytest.raises(SpecError, match="missing: a"):
        estimate_run(fleurs_workload(["en_us"]), shapes, speed=speed_of([]))


def test_a_machine_has_room(tmp_path):
    room = measure_room(tmp_path / "not" / "there")
    assert room.disk_bytes > 0
    assert room.cores >= 1
