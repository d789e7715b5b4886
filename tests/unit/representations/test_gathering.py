"""The clips of sound files, folders and corpora, and their names."""

import os

import numpy as np
import pytest
import soundfile

from otoscope.corpora.selection import Selection
from otoscope.errors import SpecError
from otoscope.representations.gathering import gather_clips


@pytest.fixture
def speech(tmp_path):
    for n, name in enumerate(("anna/one.wav", "anna/two.flac", "ben/one.wav")):
        path = tmp_path / "speech" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * np.random.default_rng(n).standard_normal(1600 * (n + 1)), 16_000)
    return tmp_path / "speech"


@pytest.fixture
def corpus(tmp_path, speech):
    (tmp_path / "list.csv").write_text(
        "path,language,split\nspeech/anna/one.wav,en_us,train\nspeech/ben/one.wav,de_de,test\n"
    )
    return f"folder:{tmp_path / 'list.csv'}"


def names(*sources, **options):
    return [clip.clip_id for clip in gather_clips(sources, **options).clips]


def test_the_files_of_a_folder_are_named_by_their_paths_below_it(speech, monkeypatch):
    expected = ["anna/one.wav", "anna/two.flac", "ben/one.wav"]
    assert names(speech) == expected
    monkeypatch.chdir(speech)
    assert names(".") == names("../speech") == names(os.path.join("anna", "..")) == expected


def test_a_file_is_named_by_its_last_part(speech, monkeypatch):
    assert names(speech / "ben" / "one.wav") == ["one.wav"]
    monkeypatch.chdir(speech / "anna")
    assert names("../ben/one.wav") == ["one.wav"]


def test_several_are_named_below_the_folder_that_holds_them_all(speech, tmp_path, monkeypatch):
    assert names(speech / "ben", speech / "anna" / "one.wav") == ["ben/one.wav", "anna/one.wav"]
    assert names(speech / "anna", tmp_path) == ["speech/anna/one.wav", "speech/anna/two.flac", "speech/ben/one.wav"]
    monkeypatch.chdir(tmp_path)
    assert names("speech/ben", "speech/anna/one.wav", "./speech/ben/one.wav") == ["ben/one.wav", "anna/one.wav"]


def test_no_name_leads_out_of_a_folder_or_says_where_it_lies(speech, tmp_path):
    found = [*names(speech), *names(speech / "anna", speech / "ben" / "one.wav")]
    assert not [name for name in found if name.startswith(("/", "..")) or tmp_path.name in name]


def test_a_corpus_names_its_clips_itself_and_its_splits_are_forgotten(corpus):
    clips = gather_clips([corpus]).clips
    assert [(clip.clip_id, clip.split) for clip in clips] == [
        ("speech/anna/one.wav", None),
        ("speech/ben/one.wav", None),
    ]


def test_two_clips_of_one_name_are_refused(corpus, speech, tmp_path):
    with pytest.raises(SpecError, match=r"speech/anna/one\.wav: two clips of these sources have this name"):
        gather_clips([corpus, tmp_path])


def test_languages_and_splits_choose_of_corpora(corpus):
    assert names(corpus, languages=["de_de"]) == ["speech/ben/one.wav"]
    assert names(corpus, selection=Selection(splits=("train",))) == ["speech/anna/one.wav"]
    with pytest.raises(SpecError, match="fr_fr"):
        names(corpus, languages=["fr_fr"])


def test_lengths_and_numbers_choose_of_sound_files_and_of_each_corpus(corpus, speech):
    assert names(speech, selection=Selection(min_s=0.15)) == ["anna/two.flac", "ben/one.wav"]
    assert len(names(speech, selection=Selection(clips=2))) == 2
    both = names(speech, corpus, selection=Selection(clips=1))
    assert len(both) == 3  # one of the files, and one of each part of the corpus


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"languages": ["en_us"]}, "no language is known"),
        ({"selection": Selection(splits=("test",))}, "no split is known"),
        ({"selection": Selection(genders=("male",))}, "no gender is known"),
    ],
)
def test_sound_files_are_not_chosen_by_what_they_do_not_have(corpus, speech, options, said):
    with pytest.raises(SpecError, match=f"{said} of sound files"):
        gather_clips([corpus, speech], **options)


@pytest.mark.parametrize("source", ["nowhere.wav", "records:here"])
def test_sources_that_are_not_there_are_refused_before_anything_is_heard(source):
    with pytest.raises(SpecError, match="there is no such file or folder; name sound files, folders, or folder:PATH"):
        gather_clips([source])


def test_a_folder_without_sound_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(SpecError, match="holds no sound file"):
        gather_clips([tmp_path])


@pytest.mark.parametrize("source", ["", "  "])
def test_an_empty_text_is_not_the_current_folder(speech, monkeypatch, source):
    monkeypatch.chdir(speech)
    with pytest.raises(SpecError, match=r"names nothing; name sound files, folders.*\. for the current folder"):
        gather_clips([source])
    assert gather_clips(["."]).clips
