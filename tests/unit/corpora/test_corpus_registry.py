import numpy as np
import pytest
import soundfile

from otoscope.corpora.folder import read_folder
from otoscope.corpora.registry import KINDS, guess_kind, open_corpus
from otoscope.errors import SpecError


def test_a_path_may_hold_colons_and_the_home_sign(tmp_path, monkeypatch):
    folder = tmp_path / "a:b"
    folder.mkdir()
    soundfile.write(folder / "x.wav", np.full(100, 0.1), 16_000)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_corpus(f"folder:{folder}") == read_folder(folder)
    assert open_corpus("folder:~/a:b") == read_folder(folder)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("", "there is no corpus of the kind ''"),
        ("recordings", "there is no corpus of the kind 'recordings'"),
        ("folders:here", "there is no corpus of the kind 'folders'"),
        ("folder", "the path is left out"),
        ("folder:", "the path is left out"),
        ("folder:no/such/place", "there is no no/such/place"),
        ("espeak:no/such/place", "there is no no/such/place"),
    ],
)
def test_a_corpus_that_cannot_be_opened_says_what_is_accepted(spec, reason):
    with pytest.raises(SpecError) as caught:
        open_corpus(spec)
    message = str(caught.value)
    assert reason in message
    assert all(kind.form in message and kind.about in message for kind in KINDS.values())


def test_a_folder_that_is_no_demo_corpus_is_refused(tmp_path):
    with pytest.raises(SpecError, match="holds no demo corpus"):
        open_corpus(f"espeak:{tmp_path}")


@pytest.fixture
def spoken(tmp_path):
    for code in ("en_us", "yo_ng", "gsw_CH"):
        (tmp_path / code).mkdir()
        soundfile.write(tmp_path / code / "x.wav", np.full(100, 0.1), 16_000)
    lines = ["path,language", *(f"{code}/x.wav,{code}" for code in ("en_us", "yo_ng", "gsw_CH"))]
    (tmp_path / "list.csv").write_text("\n".join(lines))
    return f"folder:{tmp_path / 'list.csv'}"


def test_languages_restrict_a_corpus_that_is_read_whole(spoken):
    assert open_corpus(spoken, languages=["all"]).languages == ("en_us", "gsw_CH", "yo_ng")
    assert open_corpus(spoken, languages=["tonal", "gsw_CH"]).languages == ("gsw_CH", "yo_ng")
    with pytest.raises(SpecError, match=r"^folder:.*there is no language 'en_uk'; did you mean 'en_us'\?"):
        open_corpus(spoken, languages=["en_uk"])


def test_only_fleurs_may_be_named_without_a_path(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("otoscope.corpora.registry.read_fleurs", lambda *args, **more: asked.append((args, more)))
    open_corpus("fleurs", languages=["en_us"])
    open_corpus("fleurs:")
    open_corpus(f"fleurs:{tmp_path}")
    assert asked == [
        ((None,), {"languages": ["en_us"], "typology": None}),
        ((None,), {"languages": None, "typology": None}),
        ((tmp_path,), {"languages": None, "typology": None}),
    ]


def test_the_kind_of_a_path_is_guessed_from_what_it_holds(tmp_path):
    assert guess_kind(tmp_path) == "folder"
    assert guess_kind(tmp_path / "list.csv") == "folder"
    (tmp_path / "data" / "en_us").mkdir(parents=True)
    assert guess_kind(tmp_path) == "folder"
    (tmp_path / "data" / "en_us" / "dev.tsv").touch()
    assert guess_kind(tmp_path) == "fleurs"
    (tmp_path / "otoscope-demo.json").touch()
    assert guess_kind(tmp_path) == "espeak"
