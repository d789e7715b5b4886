"""`otoscope pitch sweep`: the ways to write shifts, and what is shown."""

import json

import pytest

import otoscope.studies.pitch.sweep as sweep_module

KEYS = {
    *("model", "layer", "layer_name", "lag_ms", "shift_ms", "r2", "within_r", "n_frames", "n_utterances"),
    "best_shift_ms",
}
TYPED = ("pitch", "sweep", "--corpus", "planted:.", "--model", "planted", "--tracker", "planted")


@pytest.fixture
def asked(monkeypatch):
    """Stand where the sweep stands, and note what it is asked for."""
    seen = {}

    def sweep_shifts(corpus, models, settings, **how):
        seen.update(how, corpus=corpus, models=models, settings=settings)
        return [], []

    monkeypatch.setattr(sweep_module, "sweep_shifts", sweep_shifts)
    return seen


@pytest.mark.parametrize(
    ("typed", "shifts"),
    [
        ([], [-60, -50, -40, -30, -20, -10, 0, 10, 20, 30, 40, 50, 60]),
        (["--shifts", "-20:20:10"], [-20, -10, 0, 10, 20]),
        (["--shifts", "-20,-10,0,10,20"], [-20, -10, 0, 10, 20]),
        (["--shifts", "20, -10 ,0"], [20, -10, 0]),
        (["--shifts", "0:25:10"], [0, 10, 20]),
        (["--shifts", "0:0.3:0.1"], [0, 0.1, 0.2, 0.3]),
        (["--shifts", "5:5:1"], [5]),
        (["--shifts", "-7.5"], [-7.5]),
    ],
)
def test_shifts_are_a_range_with_both_ends_or_a_list(call, asked, typed, shifts):
    assert call(*TYPED, *typed, "--json") == (0, "[]\n", "")
    assert asked["shifts_ms"] == pytest.approx(shifts)


def test_all_that_is_typed_reaches_the_sweep(call, asked, tmp_path):
    typed = ("--languages", "en_us,vi_vn", "--model", "logmel:context=2,bands=40,mfcc", "--seed", "7")
    call(*TYPED, *typed, "--cluster", "voice", "--out", tmp_path / "sweep.json", "--json")
    assert asked["models"] == ["planted", "logmel:context=2,bands=40", "mfcc"]
    assert asked["languages"] == ["en_us", "vi_vn"]
    assert asked["out"] == tmp_path / "sweep.json"
    settings = asked["settings"]
    assert (settings.tracker, settings.seed, settings.cluster) == ("planted", 7, "voice")


@pytest.fixture
def swept(planted, call, tmp_path):
    out = tmp_path / "sweep.json"
    return (*call(*TYPED, "--shifts", "-20:20:20", "--languages", "en_us", "--out", out, "--json"), out)


def test_json_has_a_row_for_every_layer_and_shift(swept):
    code, printed, complained, out = swept
    rows = json.loads(printed)
    assert (code, complained) == (0, "")
    assert all(set(row) == KEYS for row in rows)
    assert [(row["layer"], row["shift_ms"]) for row in rows] == [(i, s) for i in range(3) for s in (-20, 0, 20)]
    assert json.loads(out.read_text()) == rows
    best = max((row for row in rows if row["layer"] == 1), key=lambda row: row["within_r"])
    assert best["shift_ms"] == 0


def test_the_table_of_a_sweep_shows_its_rows(swept, call):
    rows = json.loads(swept[1])
    code, shown, _ = call(*TYPED, "--shifts", "-20:20:20", "--languages", "en_us")
    lines = shown.splitlines()
    assert code == 0
    assert lines[0] == "r within utterances, labels moved by (ms)"
    assert lines[1].split() == ["layer", "lag", "-20", "0", "20", "best"]
    for layer, line in enumerate(lines[2:5]):
        scores = [f"{row['within_r']:.2f}".replace("-0.00", "0.00") for row in rows if row["layer"] == layer]
        assert line.split()[5:8] == scores or line.split()[4:7] == scores


def test_a_sweep_lists_the_clips_that_it_left_out(planted, call):
    typed = [word if word != "planted" else "flawed" for word in TYPED[:-1]]
    code, _, complained = call(*typed, "planted", "--shifts", "0", "--languages", "en_us")
    assert code == 1
    assert complained.splitlines() == ["1 clip was left out:", "  en_us/030 [model] flawed: was planted to fail"]
