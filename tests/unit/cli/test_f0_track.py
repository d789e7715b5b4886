"""``otoscope f0 track``: tables on the screen and in files."""

import csv
import io
import json

import numpy as np
import pytest
import soundfile

from otoscope.cli.f0_track import _file_name
from otoscope.f0.tracking import track
from otoscope.store import read_table, slug
from otoscope.testing.signals import tone


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OTOSCOPE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def sounds(tmp_path):
    folder = tmp_path / "speech"
    for name, f0_hz in (("a/one.wav", 150.0), ("b/one.wav", 200.0), ("two.flac", 250.0)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tone(f0_hz, duration_s=0.6).samples, 16_000, subtype="PCM_16")
    return folder


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_one_sound_without_out_goes_to_the_screen(call, sounds):
    code, out, err = call("f0", "track", sounds / "two.flac", "--tracker", "kaldi")
    assert (code, err) == (0, "")
    rows = rows_of(out)
    expected = track(sounds / "two.flac", "kaldi")
    assert list(rows[0]) == ["time_s", "f0_hz", "voiced", "score"]
    assert [float(row["time_s"]) for row in rows] == pytest.approx(expected.times.tolist(), abs=1e-6)
    hertz = [float(row["f0_hz"]) if row["f0_hz"] else np.nan for row in rows]
    np.testing.assert_allclose(hertz, expected.f0_hz, atol=1e-4)


def test_settings_reach_the_tracker(call, sounds):
    args = ("--tracker", "kaldi", "--frame-ms", "35", "--hop-ms", "10", "--fmin", "100", "--fmax", "300", "--json")
    code, out, _ = call("f0", "track", sounds / "two.flac", *args)
    told = json.loads(out)
    assert code == 0
    parameters = told["tracker"]["parameters"]
    assert [parameters[key] for key in ("frame_length_ms", "hop_ms", "f0_min_hz", "f0_max_hz")] == [35, 10, 100, 300]
    assert told["sounds"][0]["n_frames"] == (9_600 - 560) // 160 + 1
    assert told["sounds"][0]["median_hz"] == pytest.approx(250, rel=0.01)


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("csv", ".csv"), ("parquet", ".parquet"), ("pitchtier", ".PitchTier"), ("textgrid", ".TextGrid")],
)
def test_a_folder_gets_a_file_for_each_sound_below_out(call, sounds, tmp_path, kind, suffix):
    out_folder = tmp_path / "f0"
    code, out, _ = call("f0", "track", sounds, "--tracker", "kaldi", "--format", kind, "--out", out_folder)
    assert code == 0
    assert "3 sounds tracked with kaldi" in out
    made = sorted(path.relative_to(out_folder).as_posix() for path in out_folder.rglob("*") if path.is_file())
    assert made == [f"a/one{suffix}", f"b/one{suffix}", f"two{suffix}"]


def test_processes_change_nothing_but_the_time(call, sounds, tmp_path, monkeypatch):
    from otoscope.cli import f0_track

    monkeypatch.setattr(f0_track, "_FEWEST", 1)
    for n in (1, 2):
        assert call("f0", "track", sounds, "--tracker", "kaldi", "--out", tmp_path / str(n), "--processes", n)[0] == 0
    for path in (tmp_path / "1").rglob("*.csv"):
        assert path.read_bytes() == (tmp_path / "2" / path.relative_to(tmp_path / "1")).read_bytes()


def test_a_bad_file_is_listed_and_costs_no_other(call, sounds, tmp_path):
    (sounds / "bad.wav").write_bytes(b"RIFF....nothing")
    soundfile.write(sounds / "short.wav", np.full(10, 0.1), 16_000)
    code, out, err = call("f0", "track", sounds, "--tracker", "kaldi", "--out", tmp_path / "f0", "--json")
    told = json.loads(out)
    assert code == 1
    assert [row["clip_id"] for row in told["sounds"]] == ["a/one.wav", "b/one.wav", "two.flac"]
    assert {row["clip_id"]: row["stage"] for row in told["failures"]} == {"bad.wav": "audio", "short.wav": "labels"}
    assert "2 clips were left out" in err


def test_two_sounds_of_one_stem_get_two_files(call, sounds, tmp_path):
    soundfile.write(sounds / "two.wav", tone(100.0).samples, 16_000)
    assert call("f0", "track", sounds, "--tracker", "kaldi", "--out", tmp_path / "f0")[0] == 0
    assert {path.name for path in (tmp_path / "f0").glob("two*")} == {"two.flac.csv", "two.wav.csv"}


@pytest.mark.parametrize(("kind", "begins"), [("textgrid", "TextGrid"), ("pitchtier", "PitchTier")])
def test_what_praat_opens_goes_to_the_screen_as_it_would_to_a_file(call, sounds, tmp_path, kind, begins):
    args = ("f0", "track", sounds / "two.flac", "--tracker", "kaldi", "--format", kind)
    code, out, _ = call(*args)
    assert code == 0
    assert f'Object class = "{begins}"' in out
    assert call(*args, "--out", tmp_path / "f0")[0] == 0
    assert (tmp_path / "f0" / f"two.{begins}").read_text(encoding="utf-8") == out


def test_names_of_any_script_and_with_blanks_are_kept(call, tmp_path):
    names = ["a b", "語 ünï", "x" * 70, "plain"]
    for name in names:
        path = tmp_path / "speech" / "in hall" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tone(150.0, duration_s=0.2).samples, 16_000)
    assert call("f0", "track", tmp_path / "speech", "--tracker", "kaldi", "--out", tmp_path / "f0")[0] == 0
    made = {path.relative_to(tmp_path / "f0").as_posix() for path in (tmp_path / "f0").rglob("*.csv")}
    assert made == {f"in hall/{name}.csv" for name in names}


@pytest.mark.parametrize("part", ["a:b", "a|b", 'a"b', "a b ", " a", "-rf *", ".hidden é", "a\nb", "é" * 150, "ü."])
def test_names_that_some_system_refuses_get_a_slug(part):
    assert _file_name(part) == slug(part)


def test_out_may_name_the_file_of_one_sound(call, sounds, tmp_path):
    path = tmp_path / "x" / "mine.parquet"
    assert call("f0", "track", sounds / "two.flac", "--tracker", "kaldi", "--out", path)[0] == 0
    assert [row["time_s"] for row in read_table(path)] == track(sounds / "two.flac", "kaldi").times.tolist()


def test_what_is_found_again_is_read_from_the_cache(call, sounds, tmp_path, monkeypatch):
    from otoscope.f0.kaldi import KaldiTracker

    assert call("f0", "track", sounds, "--tracker", "kaldi", "--out", tmp_path / "f0")[0] == 0
    monkeypatch.setattr(KaldiTracker, "track", lambda *_: pytest.fail("tracked again"))
    assert call("f0", "track", sounds, "--tracker", "kaldi", "--out", tmp_path / "again")[0] == 0


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["--tracker", "kaldy"], "did you mean 'kaldi'"),
        (["--tracker", "kaldi:hop_ms=10", "--hop-ms", "20"], "keep one"),
        (["--format", "xls"], "choose from csv, parquet, pitchtier, textgrid"),
        (["--format", "parquet"], "cannot go to the screen"),
        (["--format", "csv", "--out", "x.parquet"], "the file's name says parquet"),
        (["--plot", "gif"], "png, svg"),
        (["--plot", "png"], "give --out DIR"),
        (["--hop-ms", "0"], "1 to 1000"),
        (["--fmin", "500"], "f0_min_hz"),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(call, sounds, args, problem):
    tracker = [] if "--tracker" in args else ["--tracker", "kaldi"]
    code, out, err = call("f0", "track", sounds / "two.flac", *tracker, *args)
    assert (code, out) == (2, "")
    assert problem in err


def test_several_sounds_need_a_folder(call, sounds):
    code, _, err = call("f0", "track", sounds, "--tracker", "kaldi")
    assert code == 2
    assert "3 sounds: give --out DIR" in err
    assert call("f0", "track", sounds, "--tracker", "kaldi", "--out", "one.csv")[0] == 2
    assert call("f0", "track", sounds / "nowhere.wav", "--tracker", "kaldi")[0] == 2
