"""``otoscope f0 compare``."""

import csv
import json

import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from otoscope.cli.f0_compare import compare
from otoscope.errors import SpecError
from otoscope.f0 import registry
from otoscope.f0.kaldi import KaldiTracker
from otoscope.testing.signals import speechlike

program = typer.Typer()
program.command("compare")(compare)

PAIR = "kaldi,kaldi:pov_threshold=0.9,hop_ms=20"


@program.command("other")
def _other() -> None:
    """Stand beside it."""


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OTOSCOPE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speech")
    for seed in range(9):
        soundfile.write(folder / f"{seed}.wav", speechlike(seed, duration_s=1.0)[0].samples, 16_000)
    return folder


def ran(*args, code=0):
    result = CliRunner().invoke(program, ["compare", *map(str, args)], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def test_a_folder_is_one_group_with_a_row_for_every_number(speech):
    rows = json.loads(ran(speech, "--trackers", PAIR, "--json").stdout)
    assert {row["language"] for row in rows} == {"all"}
    pair = ("kaldi", "kaldi:pov_threshold=0.9,hop_ms=20")
    of_pair = [row for row in rows if (row["first"], row["second"]) == pair]
    assert [row["metric"] for row in of_pair] == ["voicing", "gross", "bias", "median", "rmse", "r2", "within_r"]
    assert {row["n_clips"] for row in rows} == {9}
    voicing = of_pair[0]
    assert 0 < voicing["low"] < voicing["value"] < voicing["high"] < 50
    voiced = {row["first"]: row["value"] for row in rows if row["metric"] == "voiced"}
    assert voiced[pair[0]] - voiced[pair[1]] == pytest.approx(voicing["value"], abs=1.0)  # the stricter is inside


def test_the_folder_of_results_has_the_rows_and_the_figures(speech, tmp_path):
    said = ran(speech, "--trackers", f"{PAIR},kaldi:pov_threshold=0.99", "--out", tmp_path / "out").stdout
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "comparison.csv",
        "failures.json",
        *(f"{name}.{suffix}" for name in ("disagreement", "pairs") for suffix in ("svg", "png")),
    }
    with (tmp_path / "out" / "comparison.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    printed = json.loads(ran(speech, "--trackers", f"{PAIR},kaldi:pov_threshold=0.99", "--json").stdout)
    assert [row["metric"] for row in rows] == [row["metric"] for row in printed]
    assert [float(row["value"]) for row in rows] == [row["value"] for row in printed]
    assert str(tmp_path / "out" / "comparison.csv") in said


def test_the_terminal_says_the_finding_and_the_ceiling(speech):
    said = " ".join(ran(speech, "--trackers", PAIR).stdout.split())
    assert "differ in voicing on" in said
    assert "no probe can be expected to predict them better" in said
    assert "9 clips" in said
    assert "intervals resample clips" in said


def test_languages_of_a_manifest_stand_apart(speech, tmp_path):
    lines = ["path,language", *(f"{speech / f'{i}.wav'},{'en_us' if i < 5 else 'vi_vn'}" for i in range(9))]
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n")
    corpus = f"folder:{tmp_path / 'list.csv'}"
    rows = json.loads(ran("--corpus", corpus, "--trackers", PAIR, "--json").stdout)
    assert list(dict.fromkeys(row["language"] for row in rows)) == ["all", "en_us", "vi_vn"]
    assert "5 groups to resample" in next(row["reason"] for row in rows if row["language"] == "en_us")
    some = json.loads(
        ran("--corpus", corpus, "--languages", "vi_vn", "--clips", 2, "--trackers", PAIR, "--json").stdout
    )
    assert {(row["language"], row["n_clips"]) for row in some} == {("vi_vn", 2)}


def test_a_clip_that_fails_is_named_and_leaves_one(speech, tmp_path):
    folder = tmp_path / "some"
    folder.mkdir()
    soundfile.write(folder / "good.wav", speechlike(0, duration_s=1.0)[0].samples, 16_000)
    soundfile.write(folder / "short.wav", np.full(50, 0.1), 16_000)
    (folder / "broken.wav").write_bytes(b"no sound")
    result = ran(folder, "--trackers", PAIR, "--json", "--out", tmp_path / "out", code=1)
    assert {row["n_clips"] for row in json.loads(result.stdout)} == {1}
    assert "2 clips were left out" in result.stderr
    listed = json.loads((tmp_path / "out" / "failures.json").read_text(encoding="utf-8"))
    assert [(entry["clip_id"], entry["stage"]) for entry in listed] == [
        ("broken.wav", "audio"),
        ("short.wav", "labels"),
    ]


def test_where_every_clip_fails_there_are_no_rows(tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    result = ran(tmp_path / "broken.wav", "--trackers", PAIR, "--json", "--out", tmp_path / "out", code=1)
    assert json.loads(result.stdout) == []
    assert (tmp_path / "out" / "comparison.csv").read_text(encoding="utf-8").startswith("first,second,language")


def test_a_second_run_reads_what_the_first_one_kept(speech, monkeypatch):
    first = ran(speech, "--trackers", PAIR, "--json").stdout

    def fail(self, waveform):
        raise AssertionError("tracked again")

    monkeypatch.setattr(KaldiTracker, "track", fail)
    assert ran(speech, "--trackers", PAIR, "--json").stdout == first


def test_the_range_is_set_for_all(speech):
    low = json.loads(ran(speech, "--trackers", "kaldi,kaldi:hop_ms=20", "--fmax", 90, "--json").stdout)
    r = {row["first"]: row["value"] for row in low if row["metric"] == "voiced"}
    wide = json.loads(ran(speech, "--trackers", "kaldi,kaldi:hop_ms=20", "--json").stdout)
    assert r != {row["first"]: row["value"] for row in wide if row["metric"] == "voiced"}


def test_without_names_those_of_the_panel_are_taken_that_can_be_made(speech, monkeypatch):
    def missing(**settings):
        raise SpecError("yaapt: is not installed")

    monkeypatch.setitem(registry.TRACKERS, "yaapt", missing)
    monkeypatch.setitem(registry.TRACKERS, "swift", lambda: KaldiTracker(pov_threshold=0.9))
    opened = registry.open_tracker
    monkeypatch.setattr(registry, "open_tracker", lambda spec, **settings: opened(spec))
    rows = json.loads(ran(speech, "--json").stdout)
    assert {row["first"] for row in rows if row["first"]} == {"kaldi", "swift"}
    monkeypatch.setitem(registry.TRACKERS, "swift", missing)
    with pytest.raises(SpecError, match="fewer than two of yaapt, kaldi, swift"):
        ran(speech)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--trackers", "kaldi"), "two or more"),
        (("--trackers", "kaldi,kaldi"), "each once"),
        (("--trackers", "kaldi,nobody"), "there is no tracker"),
        (("--trackers", PAIR, "--hop-ms", "0.1"), "hop_ms is 0.1"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_sound_is_read(tmp_path, more, why):
    with pytest.raises(SpecError, match=why):
        ran(tmp_path / "not-there", *more)


def test_nothing_to_listen_to_is_refused():
    with pytest.raises(SpecError, match="nothing to listen to"):
        ran("--trackers", PAIR)


@pytest.mark.slow
def test_processes_change_nothing(speech, tmp_path, monkeypatch):
    from otoscope.cli import f0_compare

    monkeypatch.setattr(f0_compare, "FEWEST", 2)
    one = ran(speech, "--trackers", PAIR, "--json", "--processes", 1).stdout
    monkeypatch.setenv("OTOSCOPE_CACHE", str(tmp_path / "other"))
    two = ran(speech, "--trackers", PAIR, "--json", "--processes", 2).stdout
    assert one == two
