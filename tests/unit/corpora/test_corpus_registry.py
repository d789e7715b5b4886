import numpy as np
import pytest
import soundfile

from otoscope.corpora.folder import read_folder
from otoscope.corpora.registry import KINDS, open_corpus
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
