"""``otoscope f0 synth``."""

import csv
import json

import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from otoscope.audio import read_audio
from otoscope.cli.f0_synth import synth
from otoscope.errors import DataError, SpecError
from otoscope.f0.kaldi import KaldiTracker
from otoscope.f0.scoring import count_errors
from otoscope.testing.sonification import SOUNDS, FrameTable, read_contour, sonify

TOL_CENTS = 20  # Kaldi's lags are 0.5 % apart, and an octave a second is 12 cents in half a hop of the table

program = typer.Typer()
program.command("synth")(synth)


@program.command("other")
def _other() -> None:
    """Stand beside it."""


def ran(*args, code=0):
    result = CliRunner().invoke(program, ["synth", *map(str, args)], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def judged(path, table):
    """What Kaldi finds in the sound, against the table at the nearest of its times."""
    track = KaldiTracker().track(read_audio(path))
    nearest = np.abs(table.times[:, None] - track.times).argmin(axis=0)
    return count_errors(track.f0_hz, track.voiced, table.f0_hz[nearest], table.voiced[nearest])


@pytest.fixture
def contour(tmp_path):
    """A table as `f0 track` writes it: a glide up, a pause, and a glide down."""
    times = 0.0125 + 0.02 * np.arange(100)
    hz = np.where(times < 1, 100 * 2**times, 300 * 2**-times)
    voiced = ((times > 0.2) & (times < 0.8)) | ((times > 1.1) & (times < 1.8))
    lines = ["time_s,f0_hz,voiced,score"]
    for time, f0_hz, on in zip(times, hz, voiced, strict=True):
        lines.append(f"{time:.6f},{f'{f0_hz:.4f}' if on else ''},{'true' if on else 'false'},0.5")
    (tmp_path / "track.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "track.csv"


@pytest.mark.parametrize("kind", ["vowels", "glide", "tone", "onsets"])
def test_a_tracker_finds_in_the_sound_what_the_table_says(kind, tmp_path):
    said = json.loads(ran("--out", tmp_path, "--kind", kind, "--seed", 5, "--seconds", 2, "--json"))
    (entry,) = said
    sound, table = tmp_path / f"{entry['name']}.wav", read_contour(tmp_path / f"{entry['name']}.csv")
    assert entry["wav"] == str(sound)
    assert soundfile.info(sound).frames == 32_000 == entry["n_samples"]
    np.testing.assert_allclose(table.times, np.arange(400) * 0.005)
    scores = judged(sound, table)
    assert scores.ffe < 0.12  # Kaldi's windows reach past the edges, of which there are many
    assert scores.n_gross == 0
    assert abs(scores.bias_cents) < TOL_CENTS
    assert entry["voiced_share"] == pytest.approx(table.voiced.mean())
    times = table.times[:, None]
    inside = (times >= entry["onsets_s"]) & (times < entry["offsets_s"])
    assert np.array_equal(inside.any(axis=1), table.voiced)


def test_the_table_has_the_columns_promised_and_is_empty_where_unvoiced(tmp_path):
    ran("--out", tmp_path, "--kind", "onsets", "--seconds", 1)
    (table,) = tmp_path.glob("*.csv")
    found = rows(table)
    assert list(found[0]) == ["time_s", "f0_hz", "voiced"]
    assert {(row["voiced"], row["f0_hz"] == "") for row in found} == {("true", False), ("false", True)}


def test_settings_arrive(tmp_path):
    ran("--out", tmp_path / "noisy", "--snr-db", 10, "--rate", 22_050, "--seed", 3, "--jitter", 0, "--shimmer", 0)
    ran("--out", tmp_path / "clean", "--snr-db", 60, "--rate", 22_050, "--seed", 3, "--jitter", 0, "--shimmer", 0)
    noisy, clean = (read_audio(tmp_path / name / "vowels-3.wav", sample_rate=None) for name in ("noisy", "clean"))
    assert noisy.sample_rate == 22_050
    table = read_contour(tmp_path / "clean" / "vowels-3.csv")
    voiced = np.interp(np.arange(clean.samples.size) / 22_050, table.times, table.voiced) > 0.5
    floor = np.mean((noisy.samples - clean.samples) ** 2)
    assert 10 * np.log10(np.mean(clean.samples[voiced] ** 2) / floor) == pytest.approx(10, abs=0.2)
    assert 10 * np.log10(np.mean(clean.samples[voiced] ** 2)) == pytest.approx(-26, abs=0.2)


def test_equal_seeds_write_equal_files_and_several_are_written_at_once(tmp_path):
    ran("--out", tmp_path / "one", "--seconds", 1, "--seed", 7, "--count", 2)
    ran("--out", tmp_path / "two", "--seconds", 1, "--seed", 7, "--count", 2)
    names = ["vowels-7.csv", "vowels-7.wav", "vowels-8.csv", "vowels-8.wav"]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_loud_noise_is_made_to_fit_and_said_to_be(tmp_path):
    text = ran("--out", tmp_path, "--snr-db", -15, "--seconds", 1)
    assert "dB softer to fit 16 bits" in text
    assert np.abs(read_audio(tmp_path / "vowels-0.wav").samples).max() == pytest.approx(0.99, abs=1e-3)


@pytest.mark.parametrize("voice", SOUNDS)
def test_a_contour_is_heard_by_a_tracker_as_it_was_written(voice, contour, tmp_path):
    out = tmp_path / "heard.wav"
    said = json.loads(ran(contour, "--out", out, "--voice", voice, "--json"))
    table = read_contour(contour)
    sound = read_audio(out)
    assert sound.samples.size == round(2.0025 * 16_000) == said[0]["n_samples"]
    scores = judged(out, table)
    assert scores.n_gross == 0
    assert scores.miss_rate < 0.01
    assert scores.rmse_cents < TOL_CENTS
    times = np.arange(sound.samples.size) / 16_000
    inside = np.interp(times, table.times, table.voiced) > 0.5
    assert 10 * np.log10(np.mean(sound.samples[inside] ** 2)) == pytest.approx(-26, abs=0.2)
    assert not sound.samples[(times > 0.9) & (times < 1.05)].any()


@pytest.mark.parametrize("sound", ["soft", "flat"])
def test_voice_begins_and_ends_without_a_click(sound, contour):
    samples = sonify(read_contour(contour), sound=sound).samples
    steps = np.abs(np.diff(samples))
    first = np.flatnonzero(samples)[0]
    assert steps[first - 1 : first + 8].max() < 0.05 * steps.max()


def test_a_contour_can_be_given_room_and_another_rate(contour, tmp_path):
    ran(contour, "--out", tmp_path / "long.wav", "--seconds", 3, "--rate", 48_000)
    assert soundfile.info(tmp_path / "long.wav").frames == 144_000
    assert soundfile.info(tmp_path / "long.wav").samplerate == 48_000


def test_an_unvoiced_contour_is_silent():
    table = FrameTable(np.arange(10) * 0.01, np.full(10, np.nan), np.zeros(10, dtype=bool))
    waveform = sonify(table)
    assert waveform.samples.size == round(0.095 * 16_000)
    assert not waveform.samples.any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column time_s and no column f0_hz; got nothing"),
        ("time,f0_hz\n0,100\n", "no column time_s; got time, f0_hz"),
        ("time_s,f0_hz\n", "no frames"),
        ("time_s,f0_hz\n0,high\n", "line 2: .*numbers are accepted"),
        ("time_s,f0_hz\n0,-100\n", "line 2: .*finite"),
        ("time_s,f0_hz\n0.1,100\n0.1,100\n", "must increase|increase from line"),
        ("time_s,f0_hz,voiced\n0,100,maybe\n", "true or false"),
        ("time_s,f0_hz,voiced\n0,,true\n", "needs an F0"),
    ],
)
def test_a_table_that_cannot_be_heard_says_where(text, message, tmp_path):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_contour(tmp_path / "bad.csv")


def test_unvoiced_frames_may_be_empty_or_zero_or_said_to_be(tmp_path):
    (tmp_path / "t.csv").write_text(
        "time_s,f0_hz,voiced\n0,100,true\n0.1,0,\n0.2,,false\n0.3,nan,0\n0.4,90,no\n0.5,90,1\n"
    )
    assert read_contour(tmp_path / "t.csv").voiced.tolist() == [True, False, False, False, False, True]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--kind", "vowels"), "give --out"),
        (("--out", "x", "--kind", "song"), "choose from vowels, glide, tone, onsets"),
        (("--out", "x.wav"), "a folder is needed"),
        (("--out", "x", "--hz", "200"), "only glide and tone"),
        (("--out", "x", "--kind", "glide", "--hz", "200"), "two with a dash"),
        (("--out", "x", "--kind", "tone", "--hz", "a"), "one F0"),
        (("--out", "x", "--voice", "a"), "draws vowels"),
        (("--out", "x", "--kind", "tone", "--voice", "y"), "choose from a, e"),
        (("--out", "x", "--kind", "onsets", "--voice", "flat"), "made of pulses"),
        (("--out", "x", "--kind", "tone", "--jitter", "1"), "source='lf'"),
        (("--out", "x", "--noise", "pink"), "white or speech"),
        (("CONTOUR", "--out", "x.wav", "--kind", "tone"), "--kind cannot go with"),
        (("CONTOUR", "--out", "x.mp3"), r"ending with \.wav"),
        (("CONTOUR", "--out", "x.wav", "--voice", "y"), "choose from soft"),
        (("CONTOUR", "--out", "x.wav", "--seconds", "1"), "voice ends at"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_written(args, message, contour, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SpecError, match=message):
        ran(*(contour if arg == "CONTOUR" else arg for arg in args))
    assert sorted(tmp_path.iterdir()) == before


def test_a_missing_table_is_said_to_be_missing(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        ran(tmp_path / "none.csv", "--out", tmp_path / "x.wav")
