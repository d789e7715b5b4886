"""The pitch study end to end on planted data, and its laws."""

import json
import shutil

import numpy as np
import pytest

from otoscope.corpora.base import Corpus
from otoscope.errors import LeakageError, RunConflictError, SpecError
from otoscope.f0.labels import LabelCache
from otoscope.probes.moments import MomentAccumulator
from otoscope.probes.scoring import pair_moments
from otoscope.store import read_arrays, read_json, read_table
from otoscope.studies.pitch.answer import read_answer
from otoscope.studies.pitch.cells import CellKey, read_cells
from otoscope.studies.pitch.matrix import matrix_rows
from otoscope.studies.pitch.run import run_pitch
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.solve import fold_domain, read_probes
from otoscope.studies.pitch.sweep import sweep_shifts
from otoscope.studies.pitch.targets import Heard, clip_targets, domain_columns
from otoscope.testing.planted import PlantedModel, PlantedTracker, planted_corpus, planted_f0

MERGE_TOLERANCE = 1e-9
CHANCE_R = 0.1
MODELS = (
    PlantedModel(),
    PlantedModel(name="weak", strengths=(6.0,), kind="baseline"),
    PlantedModel(name="untrained:planted#0", strengths=(0.0, 0.0, 0.0), kind="untrained", twin="planted"),
)


def run(out, *, corpus=None, models=MODELS, **settings):
    result = run_pitch(
        corpus or planted_corpus(),
        models,
        out,
        PitchSettings(**{"n_resamples": 200, **settings}),
        languages=["all"],
        tracker=PlantedTracker(),
        labels=LabelCache(out.parent / "labels"),
    )
    return result


def pick(rows, **wanted):
    wanted = {"target": "log2_f0", "test": "mean", **wanted}
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def one(rows, **wanted):
    (row,) = pick(rows, **wanted)
    return row


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("planted") / "run"
    result = run(out)
    assert not result.failures
    return out


@pytest.fixture(scope="module")
def rows(folder):
    return read_answer(folder)[0]


@pytest.mark.parametrize("role", ["own", "lolo", "region", "tone", "pool"])
@pytest.mark.parametrize("metric", ["r2", "within_r"])
def test_the_planted_layer_wins_and_both_controls_score_chance(rows, folder, role, metric):
    scores = {row["layer"]: row for row in pick(rows, model="planted", train=role, metric=metric)}
    assert scores[1]["value"] > 0.5 > scores[2]["value"] > scores[0]["value"]
    assert scores[1]["low"] > scores[2]["high"]
    assert scores[1]["control"] < CHANCE_R
    assert abs(scores[0]["value"]) < CHANCE_R
    assert scores[1]["baseline"] == one(rows, model="weak", train=role, metric=metric)["value"]


def test_both_controls_are_scored(folder):
    arrays, about = read_arrays(next((folder / "test" / "planted").glob("*.safetensors")))
    from otoscope.studies.pitch.score import COLUMNS

    sums = arrays["rows.1"]
    assert sums.shape[0] == len(about["clips"])
    for control in ("shift", "swap"):
        assert np.all(sums[:, 0, COLUMNS.index(f"log2_f0~{control}"), 0] > 0)


def test_contrasts_say_by_how_much_and_how_surely(folder):
    _, answer = read_answer(folder)
    against = {
        row["against"]: row
        for row in answer["contrasts"]
        if (row["layer"], row["train"], row["metric"]) == (1, "lolo", "within_r")
    }
    assert against["baseline"]["other"] == "weak"
    assert against["untrained"]["other"] == "untrained:planted#0"
    assert all(row["low"] > 0 for row in against.values())


def stacked(corpus, plan, model, layer, split, code):
    """Give the stacked voiced frames of a language and split, straight from model and tracker."""
    tracker, xs, ys = PlantedTracker(), [], []
    for clip in plan.clips(code, split):
        waveform = clip.read(sample_rate=16_000)
        states = list(model.layers(waveform))[layer]
        made = clip_targets(Heard(waveform, tracker.track(waveform)), None, states.info, states.n_frames, seed=0)
        xs.append(states.states[made.rows["voiced"]])
        ys.append(made.values["voiced"][:, 0])
    return np.concatenate(xs).astype(np.float64), np.concatenate(ys)


@pytest.mark.parametrize("probe", ["ols", "ridge"])
def test_every_pools_score_is_that_of_the_named_solvers_on_stacked_frames(tmp_path, probe):
    from scipy.linalg import lstsq
    from sklearn.linear_model import Ridge
    from sklearn.metrics import r2_score
    from sklearn.preprocessing import StandardScaler

    corpus, model = planted_corpus(), MODELS[0]
    plan = run(tmp_path / "run", corpus=corpus, models=[model], probe=probe).plan
    rows = read_answer(tmp_path / "run")[0]
    frames = {
        (code, split): stacked(corpus, plan, model, 1, split, code)
        for code in plan.languages
        for split in ("train", "test")
    }
    probes = read_probes(tmp_path / "run" / "probes" / "planted" / "1.safetensors")
    for test in plan.languages:
        others = [c for c in plan.languages if c != test]
        sources = {
            "own": [test],
            "lolo": others,
            "region": [c for c in others if plan.regions[c] == plan.regions[test]],
            "tone": [c for c in others if plan.tone_types[c] == plan.tone_types[test]],
            "pool": list(plan.languages),
        }
        for role, codes in sources.items():
            assert codes
            x = np.concatenate([frames[c, "train"][0] for c in codes])
            y = np.concatenate([frames[c, "train"][1] for c in codes])
            weight = np.concatenate(
                [np.full(len(frames[c, "train"][1]), 1 / len(frames[c, "train"][1])) for c in codes]
            )
            scaler = StandardScaler().fit(x, sample_weight=weight)
            z, z_test = scaler.transform(x), scaler.transform(frames[test, "test"][0])
            center = np.average(y, weights=weight)
            if probe == "ols":
                root = np.sqrt(weight)[:, None]
                w = lstsq(z * root, (y - center) * root[:, 0], cond=1e-5)[0]
            else:
                entry = probes.get(role, test, "voiced")
                penalty = entry.probe.lambdas[0]
                w = Ridge(alpha=penalty * weight.sum(), solver="svd").fit(z, y - center, sample_weight=weight).coef_
            expected = r2_score(frames[test, "test"][1], z_test @ w + center)
            found = one(rows, model="planted", layer=1, train=role, test=test, metric="r2")
            assert found["value"] == pytest.approx(expected, abs=MERGE_TOLERANCE), (role, test)


def test_neither_the_size_of_shards_nor_the_order_of_clips_changes_a_number(tmp_path, rows):
    corpus = planted_corpus()
    rng = np.random.default_rng(1)
    shuffled = Corpus("planted", tuple(corpus.clips[i] for i in rng.permutation(len(corpus.clips))), "none", "none")
    run(tmp_path / "small", shard_clips=3)
    other = read_answer(tmp_path / "small")[0]
    assert len(other) == len(rows)
    for a, b in zip(rows, other, strict=True):
        assert (a["model"], a["layer"], a["train"], a["test"], a["target"], a["metric"]) == (
            b["model"],
            b["layer"],
            b["train"],
            b["test"],
            b["target"],
            b["metric"],
        )
        for key in ("value", "low", "high", "control", "baseline"):
            if a[key] is None:
                assert b[key] is None
            else:
                assert a[key] == pytest.approx(b[key], rel=1e-7, abs=1e-7)
    # The controls and the shift vectors draw from the order of the corpus; what is found does not depend on it.
    run(tmp_path / "shuffled", corpus=shuffled, models=MODELS[:1])
    for metric in ("r2", "within_r"):
        found = one(read_answer(tmp_path / "shuffled")[0], model="planted", layer=1, train="lolo", metric=metric)
        assert found["value"] == pytest.approx(
            one(rows, model="planted", layer=1, train="lolo", metric=metric)["value"], abs=1e-7
        )


def test_equal_runs_give_equal_bytes(tmp_path, folder):
    run(tmp_path / "again")

    def listed(where):
        return sorted(
            p.relative_to(where)
            for p in where.rglob("*")
            if p.is_file() and "journal" not in p.relative_to(where).parts
        )

    files = listed(folder)
    assert files == listed(tmp_path / "again")
    assert len(files) > 20
    for name in files:
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_adding_a_model_or_a_language_gives_what_one_run_gives(tmp_path, folder, rows):
    corpus = planted_corpus()
    out = tmp_path / "grown"
    run(out, corpus=corpus.only(["en_us", "cmn_hans_cn"]), models=MODELS[:1])
    kept = next((out / "cells" / "planted").glob("en_us.train.*"))
    stamp = kept.stat().st_mtime_ns
    run(out, corpus=corpus, models=MODELS)
    assert kept.stat().st_mtime_ns == stamp  # what stood was not done again
    grown = read_answer(out)[0]
    for row in pick(rows, metric="within_r", model="planted"):
        found = one(grown, **{k: row[k] for k in ("model", "layer", "train", "metric")})
        assert found["value"] == pytest.approx(row["value"], abs=1e-7)


def test_a_run_refuses_other_settings_and_says_the_difference(tmp_path):
    out = tmp_path / "run"
    run(out, models=MODELS[1:2])
    with pytest.raises(RunConflictError, match=r"probe was 'ridge' and is 'ols'"):
        run(out, models=MODELS[1:2], probe="ols")
    with pytest.raises(RunConflictError, match=r"other clips, groups or splits in .*en_us"):
        run(out, corpus=planted_corpus(duration_s=2.0), models=MODELS[1:2])
    with pytest.raises(RunConflictError, match="de_de, yue_hant_hk missing"):  # from the corpus itself
        run(out, corpus=planted_corpus().only(["en_us", "cmn_hans_cn"]), models=MODELS[1:2])
    changed = PlantedModel(name="weak", strengths=(2.0,), kind="baseline")
    with pytest.raises(RunConflictError, match="model weak"):
        run(out, models=[changed])
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("mine")
    with pytest.raises(RunConflictError, match="this is not a run"):
        run(foreign)
    assert (foreign / "thesis.tex").read_text() == "mine"


def test_a_damaged_or_missing_shard_is_done_again(tmp_path, folder):
    out = tmp_path / "run"
    shutil.copytree(folder, out)
    cut = next((out / "cells" / "planted").glob("cmn*.train.*"))
    whole = cut.read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    gone = next((out / "test" / "planted").glob("en_us.*"))
    expected = gone.read_bytes()
    gone.unlink()
    run(out)
    assert cut.read_bytes() == whole
    assert gone.read_bytes() == expected


def test_a_clip_that_fails_at_a_late_layer_is_in_no_cell(tmp_path):
    bad = ("en_us/000", "en_us/030")
    model = PlantedModel(fails_on=bad)
    result = run(tmp_path / "run", models=[model])
    assert sorted(f.clip_id for f in result.failures) == sorted(bad)
    assert all("was planted to fail" in f.reason and f.stage == "model" for f in result.failures)
    clean = planted_corpus()
    without = Corpus("planted", tuple(c for c in clean.clips if c.clip_id not in bad), "none", "none")
    plan = run(tmp_path / "without", corpus=without, models=[PlantedModel()]).plan
    for out in ("run", "without"):
        shift = read_arrays(tmp_path / out / "shifts" / "planted.safetensors")[0]["0"]
        path = tmp_path / out / "cells" / "planted" / "en_us.train.safetensors"
        cells, _ = read_cells(path, {0: shift}, layer=0)
        assert sum(m.n for m in cells.moments.values()) == 298 * len(plan.clips("en_us", "train"))
    rows = read_answer(tmp_path / "run")[0]
    counts = {row["n_utterances"] for row in pick(rows, train="own", test="en_us", metric="r2")}
    assert counts == {len(plan.clips("en_us", "test"))}


def test_the_matrix_in_closed_form_is_the_matrix_of_the_block_sums(folder, rows):
    matrix = matrix_rows(folder)
    for row in pick(matrix, model="planted", layer=1, metric="r2", test="en_us"):
        shift = read_arrays(folder / "shifts" / "planted.safetensors")[0]["1"]
        cells, _ = read_cells(folder / "test" / "planted" / "en_us.test.safetensors", {1: shift}, layer=1)
        cell = fold_domain(cells, "voiced")
        probes = read_probes(folder / "probes" / "planted" / "1.safetensors")
        closed = pair_moments(probes.get(row["train"], "en_us", "voiced").probe, cell).r2[0]
        assert row["value"] == pytest.approx(closed, abs=MERGE_TOLERANCE)
    for code in ("en_us", "yue_hant_hk"):
        diagonal = one(matrix, model="planted", layer=1, metric="within_r", train=f"lang:{code}", test=code)
        own = one(rows, model="planted", layer=1, metric="within_r", train="own", test=code)
        assert diagonal["value"] == pytest.approx(own["value"], abs=MERGE_TOLERANCE)
    closed_only = matrix_rows(folder, target="voicing", metric="r2")
    assert all(row["low"] is None and "no sums over sentences" in row["reason"] for row in closed_only)
    own = one(rows, model="planted", layer=1, metric="r2", train="own", test="yue_hant_hk", target="voicing")
    same = one(
        closed_only,
        model="planted",
        layer=1,
        metric="r2",
        train="lang:yue_hant_hk",
        test="yue_hant_hk",
        target="voicing",
    )
    assert same["value"] == pytest.approx(own["value"], abs=MERGE_TOLERANCE)
    with pytest.raises(SpecError, match="within_r"):
        matrix_rows(folder, metric="gpe")


def test_the_kept_test_cells_say_what_the_frames_said(folder):
    """All is voiced + unvoiced, and each clip's frames are counted once."""
    shift = read_arrays(folder / "shifts" / "planted.safetensors")[0]["0"]
    cells = read_cells(folder / "test" / "planted" / "yue_hant_hk.test.safetensors", {0: shift}, layer=0)[0]
    everything = fold_domain(cells, "all")
    parts = sum(m.n for m in cells.moments.values())
    assert everything.n == parts == 298 * len(cells.clips)
    assert everything.columns == domain_columns("all")
    assert {key.mask for key in cells.moments} <= {"voiced", "unvoiced", "voiced-sparse"}


def test_undefined_numbers_are_null_with_a_reason(tmp_path):
    run(tmp_path / "run", corpus=planted_corpus(languages=("en_us",)), models=MODELS[:1])
    rows = read_answer(tmp_path / "run")[0]
    row = one(rows, model="planted", layer=1, train="lolo", metric="r2")
    assert row["value"] is None
    assert "no other language to train on" in row["reason"]
    text = json.dumps(rows, allow_nan=False)
    assert "NaN" not in text


def test_with_few_groups_lambda_is_not_chosen_and_there_is_no_interval(tmp_path):
    run(tmp_path / "run", corpus=planted_corpus(n_sentences=8), models=MODELS[:1])
    row = one(read_answer(tmp_path / "run")[0], model="planted", layer=1, train="own", metric="r2")
    assert row["low"] is None
    assert "has 2 groups to resample; 8 are needed" in row["reason"]
    assert "lambda is 0.001 and was not chosen: train and dev have 6 groups; 10 are needed" in row["flag"]
    probes = read_probes(tmp_path / "run" / "probes" / "planted" / "1.safetensors")
    assert set(probes.get("own", "en_us", "voiced").probe.lambdas) == {1e-3}


def test_without_a_dev_split_lambda_is_chosen_over_blocks_of_groups(tmp_path):
    clips = planted_corpus().clips
    corpus = Corpus("planted", tuple(c for c in clips if c.split != "dev"), "none", "none")
    plan = run(tmp_path / "run", corpus=corpus, models=MODELS[:1]).plan
    rows = read_answer(tmp_path / "run")[0]
    assert set(plan.blocks) == {c.clip_id for c in corpus.clips if c.split == "train"}
    by_group = {}
    for clip in corpus.clips:
        if clip.split == "train":
            by_group.setdefault(clip.groups["sentence"], set()).add(plan.blocks[clip.clip_id])
    assert all(len(blocks) == 1 for blocks in by_group.values())
    assert one(rows, model="planted", layer=1, train="own", metric="r2")["value"] > 0.5
    path = next((tmp_path / "run" / "cells" / "planted").glob("en_us.train.*"))
    names = [CellKey.decode(n) for n in read_arrays(path)[0]]
    assert {key.block for key in names} == set(plan.blocks[c.clip_id] for c in plan.clips("en_us", "train"))


def test_without_splits_groups_are_kept_together(tmp_path):
    plan = run(tmp_path / "run", corpus=planted_corpus(splits=False), models=MODELS[:1]).plan
    side = {}
    for shard in plan.shards:
        for clip in shard.clips:
            for group in clip.groups.items():
                assert side.setdefault(group, shard.split) == shard.split
    assert any("70/10/20" in note for note in plan.notes)


def test_a_language_with_only_test_clips_is_tested_from_the_others(tmp_path):
    clips = [c for c in planted_corpus().clips if c.language != "yue_hant_hk" or c.split == "test"]
    run(tmp_path / "run", corpus=Corpus("planted", tuple(clips), "none", "none"), models=MODELS[:1])
    rows = read_answer(tmp_path / "run")[0]
    assert one(rows, model="planted", layer=1, train="lolo", test="yue_hant_hk", metric="r2")["value"] > 0.5
    own = one(rows, model="planted", layer=1, train="own", test="yue_hant_hk", metric="r2")
    assert own["value"] is None
    assert "no training clips" in own["reason"]


def test_leaking_groups_are_refused():
    clips = planted_corpus().clips
    from dataclasses import replace

    leak = replace(clips[-1], groups={"sentence": clips[-1].groups["sentence"], "voice": "train v1"})
    with pytest.raises(LeakageError, match="voice 'train v1' is in train"):
        Corpus("planted", (*clips[:-1], leak))


def test_the_penalty_chosen_is_the_best_on_the_sources_dev_cells(folder):
    shift = read_arrays(folder / "shifts" / "planted.safetensors")[0]["1"]
    from otoscope.probes.scoring import path_errors
    from otoscope.probes.solving import LAMBDAS, decompose

    train, dev = (
        fold_domain(
            read_cells(folder / "cells" / "planted" / f"en_us.{split}.safetensors", {1: shift}, layer=1)[0], "voiced"
        )
        for split in ("train", "dev")
    )
    errors = path_errors(decompose(train), dev)
    chosen = read_probes(folder / "probes" / "planted" / "1.safetensors").get("own", "en_us", "voiced").probe.lambdas
    assert chosen == pytest.approx(np.array(LAMBDAS)[errors.argmin(axis=0)])


def test_the_sweep_finds_the_lag_that_was_planted(tmp_path):
    rows, failures = sweep_shifts(
        planted_corpus(languages=("en_us", "yue_hant_hk")),
        [PlantedModel(strengths=(40.0,))],
        PitchSettings(tracker="kaldi"),
        shifts_ms=(-30, -20, -10, 0, 10, 20, 30),
        labels=_Planted(),
    )
    assert not failures
    by_shift = {row["shift_ms"]: row["within_r"] for row in rows}
    assert max(by_shift, key=by_shift.get) == 0
    assert abs(rows[0]["best_shift_ms"]) < 3
    assert len({row["n_frames"] for row in rows}) == 1


class _Planted:
    """Stands where the cache of labels stands, and gives the planted ones."""

    def track(self, tracker, waveform):
        return PlantedTracker().track(waveform)


def test_the_sweeps_r_within_utterances_is_that_of_the_run(tmp_path):
    """At no move, on the frames voiced there, the closed form equals the sums over utterances."""
    rows, _ = sweep_shifts(
        planted_corpus(), MODELS[:1], PitchSettings(tracker="kaldi"), shifts_ms=(0,), labels=_Planted()
    )
    run(tmp_path / "run", models=MODELS[:1])
    table = read_answer(tmp_path / "run")[0]
    for layer in (1, 2):
        (swept,) = [row for row in rows if row["layer"] == layer]
        pooled = one(table, model="planted", layer=layer, train="pool", metric="within_r")
        assert swept["within_r"] == pytest.approx(pooled["value"], abs=1e-6)


def test_batching_frames_or_giving_them_one_by_one_is_the_same(rng):
    x, y = rng.normal(size=(300, 6)).astype(np.float32), rng.normal(size=(300, 1))
    whole, single = (MomentAccumulator(6, ("y",), np.zeros(6)) for _ in range(2))
    whole.add(x, y)
    for i in range(300):
        single.add(x[i : i + 1], y[i : i + 1])
    assert np.array_equal(whole.moments().packed, single.moments().packed)


def test_the_run_keeps_the_labels_of_a_few_test_clips(folder):
    arrays, about = read_arrays(folder / "examples.safetensors")
    assert len(about["clips"]) == 2 * 4
    assert about["tracker"] == PlantedTracker().info.digest
    for i, clip in enumerate(about["clips"]):
        assert np.array_equal(arrays[f"{i}.f0_hz"], planted_f0(clip, 298), equal_nan=True)


def test_the_run_says_what_made_it(folder):
    about = read_json(folder / "run.json")
    assert about["tracker"]["name"] == "planted"
    assert set(about["models"]) == {m.name for m in MODELS}
    assert about["settings"]["seed"] == 0
    assert "numpy" in about["versions"]
    clips = {row["clip"]: row["cluster"] for row in read_table(folder / "clips.parquet")}
    assert clips == {clip.clip_id: clip.groups["sentence"] for clip in planted_corpus().clips}


def test_a_run_keeps_its_languages_unless_more_are_named(tmp_path):
    corpus, out = planted_corpus(), tmp_path / "run"

    def languages(**options):
        labels = LabelCache(tmp_path / "labels")
        run_pitch(corpus, MODELS[:1], out, tracker=PlantedTracker(), labels=labels, **options)
        return sorted(read_json(out / "run.json")["languages"])

    assert languages(languages=["en_us", "de_de"]) == ["de_de", "en_us"]
    assert languages() == ["de_de", "en_us"]
    assert languages(languages=["cmn_hans_cn"]) == ["cmn_hans_cn", "de_de", "en_us"]
    assert languages(languages=["all"]) == list(corpus.languages)
    with pytest.raises(SpecError, match="no language 'xx'"):
        languages(languages=["xx"])
    assert read_json(out / "run.json")["settings"]["tracker"] == "planted"
