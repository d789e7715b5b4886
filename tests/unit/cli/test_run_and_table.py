"""`otoscope pitch run` and `otoscope pitch table`: what is shown, and what machines are given."""

import json
import re
import xml.etree.ElementTree as ET

import pytest

import otoscope.studies.pitch.run as run_module
from otoscope.errors import SpecError
from otoscope.studies.pitch.answer import GROUP_METRICS, is_language, read_answer
from otoscope.studies.pitch.matrix import matrix_rows
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.solve import ROLES
from otoscope.studies.pitch.targets import TARGETS

KEYS = [
    *("model", "layer", "train", "test", "target", "mask", "metric", "unit", "value", "low", "high"),
    *("n_frames", "n_utterances", "n_groups", "control", "baseline"),
]
EXPLAINING_KEYS = ["heard", "layer_name", "n_languages", "control_shift", "control_swap", "reason", "flag"]
LANGUAGES = ("en_us", "de_de", "vi_vn")
GROUPS = ("region:western_european", "region:south_east_asian", "tone:none", "tone:tonal")
SHOWN_ROWS = 500  # laying out more of them takes long
TESTED_CLIPS = 8  # of each language
BESIDES = ["untrained:planted#0", "weak"]
MATRIX_METRICS = ("r2", "within_r", "mse")


def read(text):
    """Read JSON; NaN and infinity are none."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_a_run_ends_well_and_says_which_layer_holds_most_pitch(planted_run):
    out, code, said, complained = planted_run
    assert (code, complained) == (0, "")
    assert "mean over 3 languages, 24 test utterances" in said
    for title in ("Probe trained on the same language", "Probe trained on other languages only"):
        assert title in said
    assert len(re.findall(r"layer 1 \(planted 30\) holds most pitch", said)) == 2
    flat = " ".join(said.split())
    assert len(re.findall(r"In (?:r|R2) it lies \S+ \S+ above the best baseline \(weak\)", flat)) == 4
    assert len(re.findall(r"above its untrained copy", flat)) == 4
    assert all(str(out / name) in said.splitlines()[-1] for name in ("profile.svg", "table.parquet"))
    assert said.splitlines()[-1].endswith(f"otoscope pitch table {out}")


def test_the_scores_that_are_shown_are_those_of_the_table(planted_run):
    out, _, said, _ = planted_run
    rows = read_answer(out)[0]
    for row in rows:
        shown = row["train"] in ("own", "lolo") and row["test"] == "mean" and row["target"] == "log2_f0"
        if shown and row["metric"] in ("r2", "within_r"):
            value, low, high = (f"{row[key]:.2f}".replace("-0.00", "0.00") for key in ("value", "low", "high"))
            assert re.search(rf"{value} \({low}(-| to ){high}\)", said), row


def test_the_picture_is_of_this_run(planted_run):
    svg = ET.fromstring((planted_run[0] / "profile.svg").read_text(encoding="utf-8"))
    assert svg.get("aria-label").startswith("planted layer 1 holds most pitch: r ")
    texts = "\n".join(svg.itertext())
    assert all(name in texts for name in ("planted layer 2 (planted 3)", "weak", "untrained:planted#0"))


def test_the_table_without_options_is_the_profile_of_the_run(planted_run, call):
    out, _, said, _ = planted_run
    code, shown, complained = call("pitch", "table", out)
    assert (code, complained) == (0, "")
    assert shown == said[: said.index("Picture: ")]


def test_the_same_command_again_computes_nothing_and_json_is_that_of_the_table(planted_run, planted, call, command):
    out = planted_run[0]
    before = {
        path: path.stat().st_mtime_ns for room in ("cells", "test", "probes") for path in (out / room).rglob("*")
    }
    code, printed, complained = call(*command(out, "--json"))
    assert (code, complained) == (0, "")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(before) > 20
    assert printed == call("pitch", "table", out, "--json")[1]
    assert read(printed) == read_answer(out)[0]


def test_json_is_an_array_of_rows_with_the_documented_keys(planted_run, call):
    rows = read(call("pitch", "table", planted_run[0], "--json")[1])
    of_languages = [row for row in rows if row["test"] == "mean" or is_language(row["test"])]
    n_metrics = sum(len(t.metrics) for t in TARGETS.values())
    assert len(of_languages) == 7 * len(ROLES) * n_metrics * (1 + len(LANGUAGES))
    assert len(rows) - len(of_languages) == 7 * len(ROLES) * len(TARGETS) * len(GROUP_METRICS) * len(GROUPS)
    for row in rows:
        assert sorted(row) == sorted([*KEYS, *EXPLAINING_KEYS])
        for key in ("model", "train", "test", "target", "mask", "metric", "unit"):
            assert isinstance(row[key], str)
        for key in ("layer", "n_frames", "n_utterances", "n_groups"):
            assert type(row[key]) is int
        for key in ("value", "low", "high", "control", "baseline"):
            assert row[key] is None or type(row[key]) is float
        assert row["mask"] == TARGETS[row["target"]].domain
    assert {row["model"] for row in rows} == {"planted", "weak", "untrained:planted#0"}
    assert {row["train"] for row in rows} == set(ROLES)
    assert {row["test"] for row in rows} == {"mean", *LANGUAGES, *GROUPS}


def test_a_missing_number_is_null_with_a_reason(planted_run, call):
    rows = read(call("pitch", "table", planted_run[0], "--json")[1])
    missing = [row for row in rows if row["value"] is None]
    assert missing  # Vietnamese is alone with its region and its tone type
    assert all(row["reason"] and row["low"] is None and row["control"] is None for row in missing)
    alone = {"region": {"vi_vn", "region:south_east_asian", "tone:tonal"}}
    alone["tone"] = alone["region"]
    assert {(row["train"], row["test"]) for row in missing} == {(k, test) for k in alone for test in alone[k]}
    whole = [row for row in rows if row["value"] is not None]
    assert all((row["low"] is None) == (row["high"] is None) for row in whole)
    assert {row["n_utterances"] for row in whole if is_language(row["test"])} == {TESTED_CLIPS}


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        (["--model", "planted"], {"model": ["planted"]}),
        (["--model", "planted,weak"], {"model": ["planted", "weak"]}),
        (["--model", "planted", "--model", "untrained:planted#0"], {"model": ["planted", "untrained:planted#0"]}),
        (["--layer", "2"], {"layer": [2]}),
        (["--train", "own,lolo"], {"train": ["own", "lolo"]}),
        (["--test", "vi_vn"], {"test": ["vi_vn"]}),
        (["--target", "voicing"], {"target": ["voicing"]}),
        (["--metric", "within_r", "--layer", "1"], {"metric": ["within_r"], "layer": [1]}),
        (["--model", "untrained:planted#0,weak", "--metric", "gpe"], {"model": BESIDES, "metric": ["gpe"]}),
        (
            ["--metric", "r2", "--target", "log2_f0", "--test", "mean", "--train", "lolo"],
            {"metric": ["r2"], "target": ["log2_f0"], "test": ["mean"], "train": ["lolo"]},
        ),
    ],
)
def test_filters_keep_exactly_what_they_name(planted_run, call, typed, wanted):
    rows = read_answer(planted_run[0])[0]
    code, printed, _ = call("pitch", "table", planted_run[0], *typed, "--json")
    expected = [row for row in rows if all(row[key] in values for key, values in wanted.items())]
    assert code == 0
    assert read(printed) == expected
    assert 0 < len(expected) < len(rows)
    if len(expected) > SHOWN_ROWS:
        return
    shown = call("pitch", "table", planted_run[0], *typed)[1].splitlines()
    assert shown[0].split()[:3] == ["model", "layer", "train"]
    assert sum(line.startswith(("planted ", "weak ", "untrained")) for line in shown) == len(expected)


def test_names_divided_by_commas_are_repeated_options(planted_run, call):
    out = planted_run[0]
    for option, one, other in (
        ("--model", "planted", "weak"),
        ("--train", "own", "lolo"),
        ("--test", "mean", "vi_vn"),
    ):
        joined = call("pitch", "table", out, option, f" {one} , {other},", "--json")
        assert joined == call("pitch", "table", out, option, other, option, one, "--json")
        assert joined[0] == 0


def test_rows_shows_every_row_and_the_reasons_once(planted_run, call):
    rows = [row for row in read_answer(planted_run[0])[0] if row["model"] == "weak"]
    shown = call("pitch", "table", planted_run[0], "--rows", "--model", "weak")[1].splitlines()
    assert sum(line.startswith("weak ") for line in shown) == len(rows)
    reasons = [line for line in shown if line.startswith("\u2013 ")]
    assert len(reasons) == len({row["reason"] for row in rows if row["reason"]})
    assert any("no other language of its tone type" in line for line in reasons)


@pytest.mark.parametrize("metric", MATRIX_METRICS)
def test_the_matrix_has_every_source_on_every_tested_language(planted_run, call, metric):
    typed = ("pitch", "table", planted_run[0], "--matrix", "--metric", metric, "--model", "planted", "--layer", "1")
    rows = read(call(*typed, "--json")[1])
    assert {(row["train"], row["test"]) for row in rows} == {(f"lang:{a}", b) for a in LANGUAGES for b in LANGUAGES}
    assert all(sorted(row) == sorted([*KEYS, *EXPLAINING_KEYS]) for row in rows)
    shown = call(*typed)[1].splitlines()
    assert shown[0] == f"planted layer 1: {metric} of log2_f0"
    assert sorted(shown[1].split()[2:]) == ["de", "en", "vi"]
    text = {
        (row["train"].removeprefix("lang:"), row["test"].split("_")[0]): (
            f"{row['value']:.2f} ({row['low']:.2f}-{row['high']:.2f})"
        )
        for row in rows
    }
    for line in shown[2:5]:
        source, *cells = line.split()
        assert " ".join(cells) == " ".join(text[source, test] for test in shown[1].split()[2:])


def test_the_matrix_of_everything_is_what_the_library_gives(planted_run, call):
    rows = read(call("pitch", "table", planted_run[0], "--matrix", "--json")[1])
    assert rows == matrix_rows(planted_run[0])
    shown = call("pitch", "table", planted_run[0], "--matrix")[1]
    titles = re.findall(r"(\S+) layer (\d): r2 of log2_f0", shown)
    assert [name for name, _ in titles] == ["planted", "weak", "untrained:planted#0"]
    assert titles[0] == ("planted", "1")  # the best one
    assert f"{TESTED_CLIPS * len(LANGUAGES)} utterances" in " ".join(shown.split())
    assert "--layer shows another" in " ".join(shown.split())


def test_the_matrix_of_another_target_has_no_interval_and_says_so(planted_run, call):
    typed = ("pitch", "table", planted_run[0], "--matrix", "--target", "voicing", "--model", "weak", "--json")
    rows = read(call(*typed)[1])
    assert {row["target"] for row in rows} == {"voicing"}
    assert all(row["low"] is None and row["reason"] for row in rows)


def test_a_model_can_be_added_and_a_failing_clip_costs_exit_code_1(planted, call, command, tmp_path, monkeypatch):
    assert call(*command(tmp_path / "run", "--languages", "en_us,vi_vn", models="weak"))[0] == 0
    kept = next((tmp_path / "run" / "cells" / "weak").glob("*"))
    stamp = kept.stat().st_mtime_ns
    code, said, complained = call(*command(tmp_path / "run", "--languages", "en_us", models="flawed"))
    assert code == 1
    assert kept.stat().st_mtime_ns == stamp
    where = tmp_path / "run" / "failures.json"
    assert complained.splitlines() == [
        f"1 clip was left out (all in {where}):",
        "  en_us/030 [model] flawed: was planted to fail",
    ]
    assert read(where.read_text()) == [
        {"clip": "en_us/030", "stage": "model", "reason": "flawed: was planted to fail"}
    ]
    assert f"1 clip was left out: see {where}" in said
    assert {row["model"] for row in read_answer(tmp_path / "run")[0]} == {"flawed", "weak"}


@pytest.mark.parametrize("languages", [["en_us,vi_vn"], ["en_us", "vi_vn"], [" en_us ,", "vi_vn"]])
@pytest.mark.parametrize("models", ["weak,planted", "weak , planted,"])
def test_all_that_is_typed_reaches_the_run(planted, call, command, tmp_path, monkeypatch, languages, models):
    seen = {}

    def stop(corpus, models, out, settings, **how):
        seen.update(how, corpus=corpus, models=models, out=out, settings=settings)
        raise SpecError("seen")

    monkeypatch.setattr(run_module, "run_pitch", stop)
    typed = [word for code in languages for word in ("--languages", code)]
    settings = ["--probe", "ols", "--seed", "7", "--cluster", "voice", "--precision", "float32", "--shard-clips", "9"]
    assert call(*command(tmp_path / "run", *typed, *settings, models=models)) == (2, "", "otoscope: seen\n")
    assert (seen["corpus"], seen["models"], seen["languages"]) == (
        "planted:.",
        ["weak", "planted"],
        ["en_us", "vi_vn"],
    )
    assert seen["out"] == tmp_path / "run"
    assert seen["settings"] == PitchSettings(
        tracker="planted", probe="ols", seed=7, cluster="voice", precision="float32", shard_clips=9
    )


def test_a_single_language_has_no_other_to_train_on_and_the_profile_says_so(planted, call, command, tmp_path):
    code, said, _ = call(*command(tmp_path / "run", "--languages", "en_us", models="weak"))
    assert code == 0
    assert "mean over 1 language, 8 test utterances" in said
    assert "\u2013  there is no other language to train on" in said
    svg = ET.fromstring((tmp_path / "run" / "profile.svg").read_text(encoding="utf-8"))
    assert "Probe trained on other languages only" not in list(svg.itertext())


def test_a_folder_with_brackets_in_its_name_is_written_as_it_is(planted, call, command, tmp_path):
    out = tmp_path / "[red]run[/nothing] :smile:"
    code, said, _ = call(*command(out, "--languages", "en_us", models="flawed"))
    assert code == 1
    assert said.count(str(out)) == 4
