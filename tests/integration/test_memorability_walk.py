"""From clips and scores to an answer, a model and a prediction, through the program and its worker processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from otoscope.store import read_table
from otoscope.testing.music import make_music

GROUPS = "brightness,melody,rhythm"


def program(folder, *args, code=0):
    environment = {**os.environ, "OTOSCOPE_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    command = [str(Path(sys.executable).with_name("otoscope")), "memorability", *map(str, args)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_plant_is_recovered_and_the_controls_are_not(tmp_path):
    make_music(tmp_path, tracks=40, seed=2)
    labels = tmp_path / "labels.csv"
    labels.write_text(labels.read_text() + "synthetic-999,0.5,40,0.5,0.5\n")
    where = ("--clips", "clips", "--labels", "labels.csv", "--features", GROUPS)
    program(
        tmp_path, "evaluate", *where, "--model", "svr,ridge", "--recipe", "audmem", "--shifts=-1,1", "--repeats", 2,
        "--out", "run", code=1,
    )  # fmt: skip
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["n_tracks"], summary["n_excluded"]) == (40, 1)
    for model in ("svr", "ridge"):
        assert summary["models"][model]["spearman_pooled"]["low"] > 0.4
        assert summary["details"][model]["above"]["noise"]["spearman_pooled"]["low"] > 0
        assert summary["details"][model]["permutation"]["p"] < 0.01
    assert summary["models"]["noise"]["spearman_pooled"]["low"] < 0.1
    explanation = json.loads((tmp_path / "run" / "explanation.json").read_text())
    strength = {entry["group"]: entry["mean_abs"] for entry in explanation["groups"]}
    assert strength["rhythm"] < min(strength["brightness"], strength["melody"])
    assert {row["model"] for row in read_table(tmp_path / "run" / "predictions.parquet")} == {
        "svr", "ridge", "mean", "noise", "svr@audmem", "ridge@audmem"
    }  # fmt: skip
    assert (tmp_path / "run" / "report.html").stat().st_size < 3_000_000
    program(tmp_path, "train", *where, "--shifts", "none", "--out", "model", code=1)
    (said,) = json.loads(program(tmp_path, "predict", "model", "clips/synthetic-000.flac", "--json"))
    assert said["low"] < said["score"] < said["high"]
    assert len(said["reasons"]) == 5
