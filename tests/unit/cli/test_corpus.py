"""`otoscope corpus show` and `otoscope corpus make-demo`."""

import json

import pytest
import soundfile

from otoscope.corpora.registry import open_corpus
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
    assert json.loads(printed) == [
        {"language": "en_us", **known, "train": 2, "dev": 0, "test": 1, "no_split": 0},
        {"language": "gsw_CH", **dict.fromkeys(known), "train": 1, "dev": 0, "test": 0, "no_split": 0},
    ]


def test_show_prints_the_counts_the_notes_and_the_name_as_it_is(manifest, call):
    code, shown, _ = call("corpus", "show", f"folder:{manifest}")
    assert code == 0
    flat = "".join(shown.split())
    assert f"{manifest}:4clips".replace(" ", "") in flat
    line = next(line for line in shown.splitlines() if line.startswith("gsw_CH"))
    assert line.split() == ["gsw_CH", "\u2013", "\u2013", "\u2013", "1", "0", "0", "0"]
    assert "speech.csv: ignored the columns mood" in shown
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
