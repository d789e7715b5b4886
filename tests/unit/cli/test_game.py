"""``otoscope game``: plan, new, score, export and erase on the command line."""

import csv
import json

import numpy as np
import pytest

from otoscope.game.responses import write_responses
from otoscope.game.schedule import PRESETS, assign, fit_to_clips, make_template
from otoscope.game.synthetic import simulate_responses
from otoscope.studies.memorability.labels import read_labels
from otoscope.testing.music import make_music

pytest.importorskip("fastapi")
pytest.importorskip("sqlmodel")


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    folder = tmp_path_factory.mktemp("music")
    make_music(folder, tracks=40)
    return folder / "clips"


@pytest.fixture(scope="module")
def study(music, tmp_path_factory, call):
    folder = tmp_path_factory.mktemp("game") / "study"
    code, out, err = call("game", "new", folder, "--clips", music, "--seats", "40", "--quiet", "--title", "Listen")
    assert (code, err) == (0, "")
    assert "all of 6 constraints hold" in out
    assert "40 clips" in out
    return folder


@pytest.fixture(scope="module")
def responses(tmp_path_factory):
    template = make_template(fit_to_clips(PRESETS["short"], 60))
    seats = assign(template, 60, 60, seed=0)
    made = simulate_responses(
        np.random.default_rng(0).normal(1.0, 0.8, 60), n_listeners=60, slots=template.slots, assignment=seats.clips
    )
    path = tmp_path_factory.mktemp("responses") / "responses.csv"
    write_responses(path, made)
    return path


def test_a_plan_says_listeners_and_time_and_more_reliability_needs_more(call):
    told = [json.loads(call("game", "plan", "--clips", 100, "--reliability", r, "--json")[1]) for r in (0.6, 0.8)]
    assert told[0]["listeners"] < told[1]["listeners"]
    code, out, _ = call("game", "plan", "--clips", 100, "--reliability", 0.8)
    assert code == 0
    assert out.startswith(f"{told[1]['listeners']} listeners")


def test_a_new_study_has_what_it_needs_and_is_not_made_twice(call, study, music):
    assert {"study.toml", "clips.csv", "schedules.json", "proof.txt", "admin-token"} <= {
        p.name for p in study.iterdir()
    }
    assert (study / "admin-token").stat().st_mode & 0o077 == 0
    code, _, err = call("game", "new", study, "--clips", music)
    assert code == 2
    assert "study" in err


def test_what_cannot_be_made_names_the_constraint_and_what_fits(call, music, tmp_path):
    code, _, err = call("game", "new", tmp_path / "s", "--clips", music, "--preset", "reference-405")
    assert code == 2
    assert "n_clips" in err
    assert "40" in err
    assert not (tmp_path / "s" / "study.toml").exists()
    assert call("game", "new", tmp_path / "s", "--clips", music, "--languages", "xx")[0] == 2


def test_a_bad_clip_is_listed_and_costs_no_other(call, music, tmp_path):
    clips = tmp_path / "clips"
    clips.mkdir()
    for path in sorted(music.iterdir()):
        (clips / path.name).write_bytes(path.read_bytes())
    (clips / "broken.wav").write_bytes(b"RIFFxxxx")
    code, out, err = call("game", "new", tmp_path / "s", "--clips", clips, "--json", "--quiet")
    told = json.loads(out)
    assert code == 1
    assert told["n_clips"] == 40
    assert [one["clip_id"] for one in told["failures"]] == ["broken"]
    assert "broken" in err


def test_scores_of_any_table_become_labels_that_the_study_reads(call, responses, tmp_path):
    labels = tmp_path / "labels.csv"
    code, out, _ = call("game", "score", responses, "--out", labels, "--exclusions", "none", "--reliability")
    assert code == 0
    assert "reliability of all" in out
    with labels.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 30
    assert {"track", "score", "n", "low", "high", "half_a", "half_b"} <= set(rows[0])
    assert all(0 <= float(row["low"]) <= float(row["score"]) <= float(row["high"]) <= 1 for row in rows)
    assert callable(read_labels)


def test_every_label_can_be_chosen_and_another_is_refused(call, responses, tmp_path):
    seen = set()
    for label in ("raw", "shrunk", "lag_adjusted", "corrected", "dprime", "false_alarm"):
        path = tmp_path / f"{label}.csv"
        assert call("game", "score", responses, "--out", path, "--label", label, "--exclusions", "none")[0] == 0
        seen.add(path.read_text(encoding="utf-8").splitlines()[1].split(",")[1])
    assert len(seen) > 3
    code, _, err = call("game", "score", responses, "--label", "beauty")
    assert code == 2
    assert "lag_adjusted" in err
    assert call("game", "score", responses, "--rule", "none")[0] == 2
    assert call("game", "score", responses, "--exclusions", "harsh")[0] == 2


def test_json_counts_the_exclusions_by_rule(call, responses):
    code, out, _ = call("game", "score", responses, "--json", "--reliability")
    told = json.loads(out)
    assert code == 0
    assert told["n_sessions"] + told["n_excluded"] == 60
    assert {rule["rule"] for rule in told["exclusions"]} >= {"vigilance", "false_alarms"}
    assert -1 <= told["reliability"]["spearman"]["value"] <= 1
    assert told["lag"]["slope"]


def test_a_study_without_responses_has_nothing_to_score(call, study):
    code, _, err = call("game", "score", study)
    assert code == 2
    assert "no responses yet" in err
    assert call("game", "score", study, "--answers", "numbers")[0] == 2


def test_an_empty_study_is_exported_with_its_codebook_and_nobody_can_be_erased(call, study, tmp_path):
    code, out, _ = call("game", "export", study, "--out", tmp_path / "data", "--json")
    assert code == 0
    assert json.loads(out)["n_responses"] == 0
    assert (tmp_path / "data" / "dataset_description.json").is_file()
    assert call("game", "export", study, "--out", tmp_path / "data")[0] == 2
    assert call("game", "export", study, "--out", tmp_path / "data", "--overwrite")[0] == 0
    code, _, err = call("game", "erase", study, "--participant", "nobody", "--yes")
    assert code == 2
    assert "nobody" in err
