"""The matrix and the table of roles, against frames and against one probe at a time."""

import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.evaluation.scores import SUMS, ScoreTable, sums_of
from otoscope.evaluation.splits import hash_block
from otoscope.probes.moments import MomentAccumulator
from otoscope.probes.scoring import pair_moments
from otoscope.probes.solving import FittedProbe
from otoscope.store import read_json, write_json, write_table
from otoscope.studies.pitch.answer import GROUP_METRICS, is_language, read_answer, table_rows, write_answer
from otoscope.studies.pitch.cells import CellKey, Cells, write_cells
from otoscope.studies.pitch.matrix import MATRIX_METRICS, matrix_rows
from otoscope.studies.pitch.plan import MATRIX_BLOCKS, plan_token
from otoscope.studies.pitch.results import Results
from otoscope.studies.pitch.score import COLUMNS
from otoscope.studies.pitch.solve import ROLES, LayerProbes, ProbeSet, train_set, write_probes
from otoscope.studies.pitch.targets import DOMAINS, TARGETS, columns_of, domain_columns

SAME = 1e-12
CLOSED = 1e-9  # the closed form and the frames
DIM, N_CLIPS, N_FRAMES, N_RESAMPLES = 5, 14, 30, 100
REGIONS = {"zz": None, "aa_xx": "north", "de_de": "western_european", "en_us": "western_european", "yo_ng": "north"}
TONES = {"zz": None, "aa_xx": "tonal", "de_de": "none", "en_us": "none", "yo_ng": "tonal"}
CODES = sorted(REGIONS)
TESTED = [code for code in CODES if code != "zz"]
MODELS = {
    "deep": {"kind": "model", "twin": None, "layers": [{"index": i, "name": f"block {i}"} for i in range(2)]},
    "flat": {"kind": "baseline", "twin": None, "layers": [{"index": 0, "name": "mel"}]},
    "untrained:deep#0": {"kind": "untrained", "twin": "deep", "layers": [{"index": 0, "name": "block 0"}]},
}
ALIKE = ("value", "low", "high", "control", "control_shift", "control_swap")


def probe_of(rng, columns):
    weights = rng.normal(size=(DIM, len(columns)))
    weights[0] += 1
    return FittedProbe(columns, np.zeros(DIM), weights, *rng.normal(size=(3, len(columns))), DIM, 100.0)


def probes_of(rng):
    """Give all train sets, but none that `de_de` was to train and no region for `yo_ng`; `aa_xx` lacks a control."""
    names = [train_set(role, code) for role in ROLES for code in CODES]
    sets = {}
    for name in dict.fromkeys(name for name in names if name not in ("lang:de_de", "region:yo_ng")):
        controls = ("shift",) if name == "lang:aa_xx" else ("shift", "swap")
        for domain in DOMAINS:
            probe = probe_of(rng, domain_columns(domain, controls=controls))
            sets[name, domain] = ProbeSet(probe, 100, 10, "unchosen" if name == "lang:zz" else None)
    return LayerProbes(np.zeros(DIM), sets)


def write_language(folder, rng, model, code, probes, clusters):
    """Score a language clip by clip, as a test pass would, and keep the frames."""
    cells, extra, frames = Cells(clips=list(clusters)), {}, {}
    for layer, found in probes.items():
        rows = np.zeros((len(clusters), len(ROLES), len(COLUMNS), len(SUMS)))
        blocks = np.zeros((MATRIX_BLOCKS, len(CODES), len(SUMS)))
        sums = MomentAccumulator(DIM, columns_of("voiced"), np.zeros(DIM))
        for i, cluster in enumerate(clusters.values()):
            x = rng.normal(size=(N_FRAMES, DIM))
            y = x[:, :1] + rng.normal(size=(N_FRAMES, len(COLUMNS)))
            y[:, COLUMNS.index("voicing")] = y[:, COLUMNS.index("voicing")] > 0
            frames.setdefault(layer, []).append((x, y))
            sums.add(x, y)
            for r, role in enumerate(ROLES):
                for domain in DOMAINS:
                    entry = found.get(role, code, domain)
                    for j, name in enumerate(entry.probe.columns if entry else ()):
                        kind, at = TARGETS[name.partition("~")[0]].kind, COLUMNS.index(name)
                        rows[i, r, at] = sums_of(y[:, at], entry.probe.predict(x)[:, j], kind=kind)
            for s, source in enumerate(CODES):
                entry = found.get(f"lang:{source}", code, "voiced")
                if entry:
                    block = hash_block(cluster, MATRIX_BLOCKS)
                    blocks[block, s] += sums_of(y[:, 0], entry.probe.predict(x)[:, 0], kind="log2")
        cells.moments[CellKey(layer, "voiced", -1, ("shift", "swap"))] = sums.moments()
        extra |= {f"rows.{layer}": rows, f"blocks.{layer}": blocks}
    write_cells(folder / "test" / model.replace(":", "-") / f"{code}.test.safetensors", cells, {}, extra)
    return frames


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished run, its frames, its probes and its clusters."""
    folder, rng = tmp_path_factory.mktemp("drawn"), np.random.default_rng(3)
    about = {
        "schema": 1,
        "settings": {"seed": 0, "n_resamples": N_RESAMPLES},
        "models": MODELS,
        "notes": [],
        "tested": TESTED,
        "sources": CODES,
        "languages": dict.fromkeys(CODES, "drawn"),
        "regions": REGIONS,
        "tone_types": TONES,
        "heard": {"deep": ["en_us", "zz"], "flat": None},
    }
    write_json(folder / "run.json", about)
    write_json(folder / "failures.json", [])
    write_json(folder / "done.json", {name: {"plan": plan_token(about), "sound": ""} for name in MODELS})
    clusters = {code: {f"{code}/{i}": f"s{(i * 3 + len(code)) % 11}" for i in range(N_CLIPS)} for code in TESTED}
    rows = [{"clip": c, "cluster": k, "language": code} for code in TESTED for c, k in clusters[code].items()]
    write_table(folder / "clips.parquet", rows)
    results, frames, probes = Results(folder), {}, {}
    for model, info in MODELS.items():
        probes[model] = {layer["index"]: probes_of(rng) for layer in info["layers"]}
        for layer, found in probes[model].items():
            path = folder / "probes" / results.path(model, "x").parent.name / f"{layer}.safetensors"
            write_probes(path, found, {})
        for code in TESTED:
            said = {k: v for k, v in clusters[code].items() if (model, k) != ("flat", "de_de/3")}
            path = results.path(model, code)
            frames[model, code] = write_language(folder, rng, path.parent.name, code, probes[model], said)
    return folder, frames, probes, clusters


def same(row, **expected):
    for name, value in expected.items():
        assert row[name] == (pytest.approx(value, rel=SAME, abs=SAME) if isinstance(value, float) else value), name


def one_by_one(folder):
    """Score the matrix of log2 F0 the slow way: every source, metric and language for itself."""
    results = Results(folder)
    for model, info in MODELS.items():
        for layer in (each["index"] for each in info["layers"]):
            read = results.layer(model, layer)
            for code in TESTED:
                cell, blocks = read.cell(code, "voiced"), read.blocks(code)
                filled = [b for b in range(MATRIX_BLOCKS) if blocks[b, :, 0].any()]
                table = ScoreTable([f"block {b}" for b in filled], [code] * len(filled), n_resamples=N_RESAMPLES)
                for i, source in enumerate(CODES):
                    entry = read.probes.get(f"lang:{source}", code, "voiced")
                    for metric in MATRIX_METRICS:
                        key = (model, layer, f"lang:{source}", code, metric)
                        if entry is None:
                            yield key, {"value": None, "reason": f"{source} has no training frames", "flag": None}
                            continue
                        score = table.score(metric, table.gather(blocks[filled, i]), entry.probe.train_mean[:1])
                        pair = pair_moments(entry.probe, cell.select(entry.probe.columns))
                        there = dict(zip(entry.probe.columns, getattr(pair, metric, [None] * 9), strict=False))
                        held_to = {c: there.get(f"log2_f0~{c}") for c in ("shift", "swap")}
                        known = [float(v) for v in held_to.values() if v is not None]
                        best = (min if metric == "mse" else max)(known) if known else None
                        yield (
                            key,
                            {
                                "value": score.value,
                                "low": score.low,
                                "high": score.high,
                                **{f"control_{c}": None if v is None else float(v) for c, v in held_to.items()},
                                "control": best,
                                "n_frames": score.n_frames,
                                "flag": entry.flag,
                            },
                        )


def test_the_matrix_is_that_of_every_source_alone(made):
    rows = {(r["model"], r["layer"], r["train"], r["test"], r["metric"]): r for r in matrix_rows(made[0])}
    expected = dict(one_by_one(made[0]))
    assert set(rows) == set(expected)
    for key, fields in expected.items():
        same(rows[key], **fields)
    assert sum(row["low"] is not None for row in rows.values()) > len(rows) / 2


def test_the_matrix_is_that_of_the_frames(made):
    folder, frames, probes, _ = made
    for target in ("log2_f0", "semitone"):
        for row in matrix_rows(folder, metric="mse", target=target):
            entry = probes[row["model"]][row["layer"]].get(row["train"], "", "voiced")
            if entry is None:
                continue
            x, y = (
                np.concatenate(part) for part in zip(*frames[row["model"], row["test"]][row["layer"]], strict=True)
            )
            j = entry.probe.columns.index(target)
            error = np.mean((entry.probe.predict(x)[:, j] - y[:, COLUMNS.index(target)]) ** 2)
            assert row["value"] == pytest.approx(error, rel=CLOSED)
            assert row["n_frames"] == len(x)
            assert (row["low"] is None) == (target == "semitone")


def test_languages_stand_by_region_tone_type_and_code(made):
    rows = matrix_rows(made[0], metric="r2", layers=[1])
    order = ["de_de", "en_us", "aa_xx", "yo_ng", "zz"]  # known regions first, the user's next, those without last
    assert list(dict.fromkeys(row["test"] for row in rows)) == order[:-1]
    assert list(dict.fromkeys(row["train"] for row in rows)) == [f"lang:{code}" for code in order]


def test_a_part_of_the_matrix_is_that_part_of_the_whole(made):
    whole = matrix_rows(made[0], metric="r2")
    part = matrix_rows(made[0], metric="r2", models=["deep"], layers=[1], tested=["yo_ng", "en_us"])
    wanted = [r for r in whole if (r["model"], r["layer"]) == ("deep", 1) and r["test"] in ("yo_ng", "en_us")]
    assert part == wanted
    assert any(row["baseline"] is not None for row in part)
    for name, value in {"models": ["hubert"], "layers": [7], "tested": ["zz"]}.items():
        with pytest.raises(SpecError, match=f"{value[0]} in the run; it has"):
            matrix_rows(made[0], **{name: value})


@pytest.mark.parametrize("rows_of", [matrix_rows, table_rows])
def test_rows_say_whether_the_model_heard_the_tested_language(made, rows_of):
    said = {(row["model"], row["test"]): row["heard"] for row in rows_of(made[0])}
    for (model, test), heard in said.items():
        assert heard is (test == "en_us" if model == "deep" and test in TESTED else None)


def test_a_run_that_does_not_say_what_models_heard_leaves_it_open(made, tmp_path):
    about = read_json(made[0] / "run.json")
    results = Results(made[0])
    results.about = {key: value for key, value in about.items() if key != "heard"}
    assert results.heard("deep", "en_us") is None


def test_every_role_and_group_is_that_of_the_sums_of_its_utterances(made):
    folder, _, probes, clusters = made
    results, checked = Results(folder), 0
    groups = {"region:western_european": ["de_de", "en_us"], "region:north": ["aa_xx", "yo_ng"]}
    groups |= {"tone:none": ["de_de", "en_us"], "tone:tonal": ["aa_xx", "yo_ng"], "mean": TESTED}
    rows = table_rows(folder)
    for row in rows:
        codes = groups.get(row["test"], [row["test"]])
        found, target = probes[row["model"]][row["layer"]], TARGETS[row["target"]]
        there = [code for code in codes if found.get(row["train"], code, target.domain)]
        same(row, n_languages=len(there))
        if not there:
            assert row["value"] is None
            assert row["reason"]
            continue
        if row["layer"] or row["model"] == "flat" or row["metric"] in ("skill", "mae_cents"):
            continue
        read, r = results.layer(row["model"], row["layer"]), ROLES.index(row["train"])
        said = {code: list(results.header(row["model"], code).clips) for code in there}
        table = ScoreTable(
            [clusters[code][clip] for code in there for clip in said[code]],
            [code for code in there for _ in said[code]],
            n_resamples=N_RESAMPLES,
        )
        entries = [found.get(row["train"], code, target.domain).probe for code in there]

        def scored(name, table=table, read=read, r=r, there=there, entries=entries, row=row):
            if any(name not in entry.columns for entry in entries):
                return None
            means = np.array([entry.train_mean[entry.columns.index(name)] for entry in entries])
            sums = np.concatenate([read.rows(code)[:, r, COLUMNS.index(name)] for code in there])
            return table.score(row["metric"], table.gather(sums), means)

        score = scored(target.name)
        same(row, value=score.value, low=score.low, high=score.high, n_frames=score.n_frames)
        same(row, n_utterances=score.n_utterances, n_groups=score.n_groups)
        for control in ("shift", "swap"):
            held_to = scored(f"{target.name}~{control}")
            same(row, **{f"control_{control}": None if held_to is None else held_to.value})
        checked += 1
    assert checked > 600
    assert {row["test"] for row in rows} == {*groups, *TESTED}
    assert [is_language(test) for test in ("mean", "region:north", "tone:none", "en_us")] == [False] * 3 + [True]
    of_groups = {row["metric"] for row in rows if row["test"].startswith(("region:", "tone:"))}
    assert of_groups == set(GROUP_METRICS)


def test_layers_are_compared_on_the_clips_that_both_models_have(made):
    folder, _, probes, clusters = made
    write_answer(folder)
    rows, answer = read_answer(folder)
    assert len(rows) == len(table_rows(folder))
    results = Results(folder)
    against = {row["against"] for row in answer["contrasts"]}
    assert against == {"baseline", "untrained"}
    for row in answer["contrasts"]:
        layers = {row["model"]: row["layer"], row["other"]: row["other_layer"]}
        shared = {c: [k for k in results.header("flat", c).clips] for c in TESTED}
        if row["against"] == "untrained":
            shared = {c: list(clusters[c]) for c in TESTED}
        there = [c for c in TESTED if probes["deep"][0].get(row["train"], c, "voiced")]
        table = ScoreTable(
            [clusters[c][clip] for c in there for clip in shared[c]],
            [c for c in there for _ in shared[c]],
            n_resamples=N_RESAMPLES,
        )
        cells, means = [], []
        for model, layer in layers.items():
            read, parts = results.layer(model, layer), []
            for code in there:
                kept = [i for i, clip in enumerate(results.header(model, code).clips) if clip in shared[code]]
                parts.append(read.rows(code)[kept, ROLES.index(row["train"]), 0])
            cells.append(table.gather(np.concatenate(parts)))
            entries = [probes[model][layer].get(row["train"], code, "voiced").probe for code in there]
            means.append(np.array([entry.train_mean[0] for entry in entries]))
        score = table.difference(row["metric"], *cells, tuple(means))
        same(row, value=score.value, low=score.low, high=score.high, n_utterances=score.n_utterances)
