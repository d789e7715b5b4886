"""`otoscope memorability`: what is printed, where files go, which exit code."""

import json

import numpy as np
import pytest
import soundfile

from otoscope.features import registry
from otoscope.store import read_table
from otoscope.testing.noises import Hiss, write_noises

COMMON = ("--features", "hiss", "--shifts", "none", "--processes", "1", "--quiet")
QUICK = (*COMMON, "--folds", "5")


@pytest.fixture(autouse=True)
def hiss(monkeypatch):
    makers = {**registry._makers(), "hiss": Hiss}
    monkeypatch.setattr(registry, "_makers", lambda: makers)


@pytest.fixture
def noises(tmp_path):
    write_noises(tmp_path, 20, noise=0.05)
    return tmp_path


def where(folder):
    return ("--clips", folder / "clips", "--labels", folder / "labels.csv")


def test_evaluate_prints_an_answer_and_writes_a_report(call, noises):
    code, out, err = call(
        "memorability",
        "evaluate",
        *where(noises),
        "--model",
        "ridge",
        *QUICK,
        "--repeats",
        2,
        "--out",
        noises / "run",
    )
    assert (code, err) == (0, "")
    assert "ridge" in out
    assert "Report: " in out
    assert {p.name for p in (noises / "run").iterdir()} == {
        "report.html", "summary.json", "predictions.parquet", "explanation.json", "failures.json", "run.json"
    }  # fmt: skip
    code, out, _ = call("memorability", "report", noises / "run", "--json")
    assert code == 0
    assert json.loads(out) == json.loads((noises / "run" / "summary.json").read_text())


def test_evaluate_prints_json_for_machines_and_lists_what_it_left_out(call, noises):
    labels = noises / "labels.csv"
    labels.write_text(labels.read_text() + "gone,0.5\n")
    code, out, err = call(
        "memorability", "evaluate", *where(noises), "--model", "ridge,mean", "--json", "--no-explain", *QUICK,
        "--repeats", 1, "--out", noises / "run",
    )  # fmt: skip
    assert code == 1
    summary = json.loads(out)
    assert (summary["n_tracks"], summary["n_excluded"]) == (20, 1)
    assert summary["models"]["ridge"]["spearman_pooled"]["value"] > 0.5
    assert "1 line of the table was not used" in err
    assert "gone [labels] line 22: there is no such sound" in err


def test_train_and_predict_with_words_and_as_json(call, noises):
    code, out, err = call(
        "memorability", "train", *where(noises), "--model", "ridge", *QUICK, "--out", noises / "model"
    )
    assert (code, err) == (0, "")
    assert "ridge trained on 20 clips with 2 features" in out
    assert "better than the mean" in out
    labels = noises / "labels.csv"
    labels.write_text(labels.read_text().replace("noise-03,0.", "noise-03,1."))
    code, _, err = call(
        "memorability", "train", *where(noises), "--model", "ridge", *QUICK, "--out", noises / "model"
    )
    assert (code, "a model trained on other clips or scores" in err) == (2, True)
    clip = noises / "clips" / "noise-03.wav"
    code, out, err = call("memorability", "predict", noises / "model", clip, "--json", "--quiet")
    assert (code, err) == (0, "")
    (said,) = json.loads(out)
    assert said["low"] < said["score"] < said["high"]
    assert said["path"] == str(clip)
    code, out, _ = call("memorability", "predict", noises / "model", clip, noises / "none.wav", "--quiet")
    assert code == 1
    assert "noise-03.wav" in out
    assert " than " in out


def test_a_song_has_a_curve_and_a_best_stretch(call, noises):
    call("memorability", "train", *where(noises), "--model", "ridge", *QUICK, "--out", noises / "model")
    song = noises / "song.wav"
    soundfile.write(song, 0.1 * np.random.default_rng(0).normal(size=4 * 22_050), 22_050)
    code, out, _ = call(
        "memorability", "predict", noises / "model", song, "--curve", "--hop", 0.5, "--quiet", "--json"
    )
    assert code == 0
    (said,) = json.loads(out)
    assert len(said["curve"]) == 7
    assert said["best"] in said["curve"]
    code, out, _ = call("memorability", "predict", noises / "model", song, "--curve", "--quiet")
    assert "stands further from the training clips" in out  # four seconds of noise louder than all of them


def test_features_are_written_and_listed(call, noises):
    (noises / "clips" / "broken.wav").write_bytes(b"RIFF")
    table = noises / "features.parquet"
    code, out, err = call("memorability", "features", noises / "clips", "--out", table, *COMMON[:2], "--quiet")
    assert code == 1
    assert "20 clips, 2 features" in out
    assert "broken.wav [features] cannot be decoded" in err
    rows = read_table(table)
    assert list(rows[0]) == ["track", "duration_s", "hiss.crossings", "hiss.level"]
    assert rows[0]["track"] == "noise-00.wav"
    assert rows[0]["duration_s"] == pytest.approx(0.6, abs=1e-3)
    code, out, _ = call(
        "memorability", "features", noises / "clips", "--out", noises / "f.csv", *COMMON[:2], "--quiet"
    )
    lines = (noises / "f.csv").read_text().splitlines()
    assert lines[0] == "track,duration_s,hiss.crossings,hiss.level"
    assert [float(cell) for cell in lines[1].split(",")[1:]] == list(rows[0].values())[1:]
    code, _, err = call(
        "memorability", "features", noises / "clips", "--out", noises / "f.xlsx", *COMMON[:2], "--quiet"
    )
    assert (code, "ends in .parquet or .csv" in err) == (2, True)
    code, out, _ = call("memorability", "features", "--list", "--features", "hiss")
    assert code == 0
    assert "How it hisses." in out
    code, out, _ = call("memorability", "features", "--list", "--json")
    listed = json.loads(out)
    assert {"id", "group", "unit", "plain", "definition", "licence", "missing"} <= set(listed[0])
    assert {row["group"] for row in listed} >= {"harmony", "rhythm", "voice", "hiss"}


def test_make_demo_writes_clips_and_labels(call, tmp_path):
    code, out, _ = call("memorability", "make-demo", tmp_path / "demo", "--tracks", 2)
    assert code == 0
    assert "2 synthetic clips" in out
    assert len((tmp_path / "demo" / "labels.csv").read_text().splitlines()) == 3
    assert len(list((tmp_path / "demo" / "clips").iterdir())) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--model", "svm"), "did you mean 'svr'?"),
        (("--shifts", "two"), "--shifts is 'two'"),
        (("--shifts", "0"), "shifts has 0 semitones"),
        (("--segments", "long"), "--segments is 'long'"),
        (("--segments", "1/0"), "both must be above 0"),
        (("--folds", "1"), "folds is 1"),
        (("--folds", "50"), "too few for 50 folds"),
        (("--recipe", "audmen"), "choose from audmem"),
        (("--features", "hissing"), "no group of features is called 'hissing'"),
        (("--weights", "x"), "choose from n, none"),
        (("--clips", "nowhere"), "no such folder"),
        (("--labels", "nowhere.csv"), "no such file"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(call, noises, change, message):
    code, out, err = call(
        "memorability", "evaluate", *where(noises), "--model", "ridge", *QUICK, "--out", noises / "run", *change
    )
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_folders_that_are_something_else_are_refused(call, noises):
    code, _, err = call("memorability", "predict", noises / "clips", noises / "clips" / "noise-00.wav")
    assert (code, "is no trained model" in err) == (2, True)
    code, _, err = call("memorability", "report", noises / "clips")
    assert (code, "no finished evaluation" in err) == (2, True)
    code, _, err = call("memorability", "features", noises / "clips")
    assert (code, "--out" in err) == (2, True)
