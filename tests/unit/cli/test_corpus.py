"""`otoscope corpus show`, `otoscope corpus check` and `otoscope corpus make-demo`."""

import json

import numpy as np
import pytest
import soundfile

from otoscope.audio import Waveform
from otoscope.corpora.registry import open_corpus
from otoscope.testing.fleurs import write_fleurs
from otoscope.testing.signals import speechlike


@pytest.fixture
def manifest(tmp_path):
    folder = tmp_path / "old [recordings] :smile:"
    folder.mkdir()
    lines = ["path,language,split,mood"]
    for i, (code, split) in enumerate(
        [("en_us", "train"), ("en_us", "test"), ("gsw_CH", "train"), ("en_us", "train")]
    ):
        soundfile.write(folder / f"{i}.wav", speechlike(i, duration_s=1.0)[0].samples, 16_000)
        lines.append(f"{i}.wav,{code},{split},calm")
    (folder / "speech.csv").write_text("\n".join(lines))
    return folder / "speech.csv"


def test_show_counts_clips_by_language_and_split(manifest, call):
    code, printed, complained = call("corpus", "show", f"folder:{manifest}", "--json")
    assert (code, complained) == (0, "")
    known = {"name": "English", "region": "western_european", "tone_type": "none"}
    unsaid = dict.fromkeys(("male", "female", "sentences", "speakers", "voices"))
    assert json.loads(printed) == [
        {"language": "en_us", **known, "train": 2, "dev": 0, "test": 1, "no_split": 0, "hours": 0.001, **unsaid},
        {
            "language": "gsw_CH",
            **dict.fromkeys(known),
            "train": 1,
            "dev": 0,
            "test": 0,
            "no_split": 0,
            "hours": 0.0,
            **unsaid,
        },
    ]


def test_show_prints_the_counts_the_notes_and_the_name_as_it_is(manifest, call):
    code, shown, _ = call("corpus", "show", f"folder:{manifest}")
    assert code == 0
    flat = "".join(shown.split())
    assert f"{manifest}:4clips".replace(" ", "") in flat
    line = next(line for line in shown.splitlines() if line.startswith("gsw_CH"))
    assert line.split() == ["gsw_CH", "\u2013", "\u2013", "1", "0", "0", "0.0"]
    assert "speech.csv: ignored the column mood" in shown
    assert "gsw_CH (1 clip)" in shown


def test_show_lists_rows_that_cannot_be_used_and_leaves_with_1(manifest, call):
    manifest.write_text(manifest.read_text() + "\ngone.wav,en_us,train,calm\n")
    code, shown, complained = call("corpus", "show", f"folder:{manifest}")
    assert code == 1
    first, second = complained.splitlines()
    assert first == "1 clip was left out:"
    assert second.startswith("  gone.wav [corpus] line 6: there is no file gone.wav")
    assert "en_us" in shown


def test_a_demo_corpus_is_spoken_shown_and_not_spoken_twice(call, tmp_path):
    pytest.importorskip("espeakng_loader")
    pytest.importorskip("gflanguages")
    where = tmp_path / "demo"
    code, said, complained = call("corpus", "make-demo", where, "--languages", "2", "--quiet")
    assert (code, complained) == (0, "")
    corpus = open_corpus(f"espeak:{where}")
    assert said == f"{where}: made: {len(corpus.clips)} clips in 2 languages\n"
    assert call("corpus", "make-demo", where, "--languages", "2")[1] == said.replace("made", "already there")
    shown = json.loads(call("corpus", "show", f"espeak:{where}", "--json")[1])
    assert [row["language"] for row in shown] == list(corpus.languages)
    assert sum(row[split] for row in shown for split in ("train", "dev", "test")) == len(corpus.clips)


def test_languages_of_the_demo_can_be_named(call, tmp_path):
    pytest.importorskip("espeakng_loader")
    pytest.importorskip("gflanguages")
    code, said, _ = call("corpus", "make-demo", tmp_path / "demo", "--languages", "vi_vn", "--quiet")
    assert code == 0
    assert said.endswith(" clips in 1 language\n")
    code, said, complained = call("corpus", "make-demo", tmp_path / "other", "--languages", "vi_vn,xx_yy")
    assert (code, said) == (2, "")
    (line,) = complained.splitlines()
    assert line.startswith("otoscope: make_demo: cannot speak xx_yy; choose from en_us")
    assert not (tmp_path / "other").exists()


def hum(seed, gender):
    samples = np.random.default_rng(seed).uniform(-0.3, 0.3, 9_000 + seed % 500)
    return Waveform(samples.astype(np.float32), 16_000, "hum")


@pytest.fixture
def fleurs(tmp_path, monkeypatch):
    monkeypatch.setenv("OTOSCOPE_CACHE", str(tmp_path / "cache"))
    return write_fleurs(tmp_path / "fleurs", n_sentences=(3, 2, 2), voice=hum)


def test_show_counts_hours_genders_and_sentences(fleurs, call):
    code, printed, _ = call("corpus", "show", f"fleurs:{fleurs}", "--languages", "tonal", "--json")
    assert code == 0
    (row,) = json.loads(printed)
    corpus = open_corpus(f"fleurs:{fleurs}").only(["yo_ng"])
    assert row["language"] == "yo_ng"
    assert row["hours"] == round(sum(clip.duration_s for clip in corpus.clips) / 3600, 3)
    assert row["male"] + row["female"] == len(corpus.clips)
    assert (row["sentences"], row["speakers"]) == (7, None)
    shown = call("corpus", "show", f"fleurs:{fleurs}")[1]
    assert "sentences" in shown
    assert "speakers" not in shown


@pytest.mark.parametrize("named", ["{}", "fleurs:{}"])
def test_check_takes_a_path_or_a_name_and_finds_nothing_wrong(fleurs, call, named):
    code, printed, complained = call("corpus", "check", named.format(fleurs), "--quiet")
    assert (code, complained) == (0, "")
    assert printed.splitlines()[-1] == "0 errors, 1 warning, 2 notes"
    assert "absent languages: 100 of 102 are absent" in printed


def test_check_leaves_with_1_where_something_cannot_be_used(fleurs, call):
    path = fleurs / "data/en_us/audio/train.tar.gz"
    path.write_bytes(path.read_bytes()[:100_000])
    code, printed, _ = call("corpus", "check", fleurs, "--languages", "en_us")
    assert code == 1
    assert "error: en_us/audio/train.tar.gz: truncated archive: the archive ends too early: " in printed
    code, printed, _ = call("corpus", "check", fleurs, "--languages", "yo_ng")
    assert code == 0
    code, printed, _ = call("corpus", "check", fleurs, "--json")
    assert code == 1
    told = json.loads(printed)
    assert set(told) == {"corpus", "notes", "left_out", "parts", "findings"}
    assert {finding["kind"] for finding in told["findings"]} >= {"truncated_archive", "missing"}
    assert [part["language"] for part in told["parts"]] == ["en_us"] * 3 + ["yo_ng"] * 3


def test_check_of_a_plain_folder_reads_it_as_a_folder(manifest, call):
    soundfile.write(manifest.parent / "1.wav", np.zeros(16_000), 16_000)
    code, printed, _ = call("corpus", "check", manifest)
    assert code == 1
    assert "error: 1.wav: silent: never leaves its mean by more than -80 dB of full scale" in printed
    code, _, complained = call("corpus", "check", manifest.parent / "nowhere")
    assert code == 2
    assert "there is no " in complained


def test_show_and_check_count_the_same_recordings_where_an_archive_is_not_there(fleurs, call):
    n = sum((clip.language, clip.split) == ("yo_ng", "test") for clip in open_corpus(f"fleurs:{fleurs}").clips)
    (fleurs / "data/yo_ng/audio/test.tar.gz").unlink()
    code, _, complained = call("corpus", "show", f"fleurs:{fleurs}")
    assert code == 1
    assert complained.splitlines()[0] == f"{n} clips were left out:"
    code, printed, _ = call("corpus", "check", fleurs, "--quiet")
    assert code == 1
    assert printed.splitlines()[-1] == f"1 error, 1 warning, 2 notes; {n} clips were left out"
    told = json.loads(call("corpus", "check", fleurs, "--json")[1])
    assert told["left_out"] == sum(part["left_out"] for part in told["parts"]) == n
