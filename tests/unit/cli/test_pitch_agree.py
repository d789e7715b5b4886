"""``--agree`` on the command line: how it is asked for, and what the answer then says."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from otoscope.f0 import registry
from otoscope.f0.base import F0Track, TrackerInfo
from otoscope.store import read_json
from otoscope.testing.planted import PlantedTracker

MASKS = {"all", "voiced", "voiced-agreed", "voiced-disputed"}


@dataclass(frozen=True, slots=True)
class Flat:
    """The planted tracker, every fourth frame an octave too high."""

    sample_rate: int = 16_000

    @property
    def info(self):
        return TrackerInfo("flat", "1", {})

    def track(self, waveform):
        truth = PlantedTracker().track(waveform)
        said = np.where(np.arange(truth.times.size) % 4 == 0, 2.0, 1.0) * truth.f0_hz
        return F0Track(truth.times, said, truth.voiced, self.info, waveform.clip_id)


@pytest.fixture(autouse=True)
def _flat(planted, monkeypatch, tmp_path):
    monkeypatch.setitem(registry.TRACKERS, "flat", Flat)
    monkeypatch.setenv("OTOSCOPE_CACHE", str(tmp_path / "cache"))


def test_a_run_asks_whom_it_is_told_to_ask_and_says_so(call, command, tmp_path):
    out = tmp_path / "run"
    code, said, _ = call(*command(out, "--agree", "2of2:flat", models="planted,weak"))
    said = " ".join(said.split())
    assert code == 0
    assert read_json(out / "run.json")["settings"]["agree"] == "2of2:flat"
    assert "log2 F0 on voiced frames that 2 of 2 trackers (with flat) agree on, labels by planted" in said
    assert "Noise ceiling: another tracker (flat) predicts these labels with R2 1.000, r 1.000 on such frames" in said
    assert "Noise ceiling" in (out / "profile.svg").read_text(encoding="utf-8")
    rows = json.loads(call("pitch", "table", out, "--json")[1])
    assert {row["mask"] for row in rows} == MASKS
    only = json.loads(call("pitch", "table", out, "--model", "tracker:flat", "--test", "mean", "--json")[1])
    assert only
    assert all(row["layer"] is None and row["train"] is None for row in only)
    code, shown, _ = call("pitch", "table", out, "--rows", "--target", "log2_f0", "--test", "mean", "--metric", "r2")
    assert code == 0
    assert {" agreed ", " disputed ", " voiced "} <= {f" {word} " for word in shown.split()}
    assert "tracker:" in shown
    assert "None" not in shown
    code, matrix, _ = call("pitch", "table", out, "--matrix")
    assert code == 0
    assert "planted layer 1" in matrix
    assert call("pitch", "verify", out)[0] == 0
    code, _, wrong = call("pitch", "table", out, "--layer", "9")
    assert code == 2
    assert "None" not in wrong


def test_the_table_of_a_run_that_asked_nobody_has_no_masks_to_show(call, planted_run):
    shown = call("pitch", "table", planted_run[0], "--rows", "--test", "mean", "--metric", "r2")[1]
    assert "mask" not in shown.splitlines()[0]


def test_a_tracker_that_is_not_known_is_a_usage_error_before_any_work(call, command, tmp_path):
    code, _, wrong = call(*command(tmp_path / "run", "--agree", "2of2:nobody"))
    assert code == 2
    assert "there is no tracker 'nobody'" in wrong
    assert not (tmp_path / "run").exists()


def test_a_plan_counts_the_other_trackers_work_and_room(call, monkeypatch):
    monkeypatch.setattr("otoscope.studies.pitch.speed.SECONDS", 2.0)
    ask = ("pitch", "plan", "--corpus", "planted:.", "--model", "planted", "--tracker", "planted", "--json")
    plain, asked = (json.loads(call(*ask, *more)[1]) for more in ((), ("--agree", "2of2:flat")))
    assert asked["disk"]["cells"] > 1.3 * plain["disk"]["cells"]
    assert asked["disk"]["label_cache"] == pytest.approx(2 * plain["disk"]["label_cache"], rel=0.02)
