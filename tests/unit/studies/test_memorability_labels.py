"""The table of scores: what is used, and what is left out with which reason."""

import unicodedata

import numpy as np
import pytest
import soundfile

from otoscope.errors import SpecError
from otoscope.studies.memorability.labels import find_clips, read_labels


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "clips"
    for name in ("a.wav", "b.flac", "deep/c.ogg", "twin.wav", "twin.flac", "x.v2.wav"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * np.sin(np.arange(4000)), 8000)
    (folder / "notes.txt").write_text("no sound")
    (folder / ".hidden.wav").write_bytes(b"")
    return folder


def table(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return path


def test_tracks_are_found_with_and_without_suffix_and_in_folders(tmp_path, clips):
    read = read_labels(table(tmp_path, "track,score\na,0.1\nb.flac,0.2\ndeep/c,0.3\nx.v2,0.4\n./a.wav,0.1\n"), clips)
    assert [(label.track, label.score) for label in read.labels] == [
        ("a", 0.1),
        ("b", 0.2),
        ("deep/c", 0.3),
        ("x.v2", 0.4),
    ]
    assert [label.path.name for label in read.labels] == ["a.wav", "b.flac", "c.ogg", "x.v2.wav"]
    assert [(f.clip_id, f.reason) for f in read.failures] == [
        ("a", "line 6: stands 2 times in labels.csv; the first line was used")
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("gone,0.5", "there is no such sound below"),
        ("a,", "has no score"),
        (",0.5", "names no track"),
        ("a,inf", "score is 'inf'; a finite number is needed"),
        ("a,nan", "score is 'nan'; a finite number is needed"),
        ("a,loud", "score is 'loud'; a finite number is needed"),
        ('a,"0,5"', "score is '0,5'; a finite number is needed (write 0.5 with a point, not 0,5)"),
        ("twin,0.5", "there are 2 files of that name (twin.flac, twin.wav); add the suffix"),
        ("a,0.5,0", "n is 0; a number of responses above 0 is needed"),
        ("a,0.5,many", "n is 'many'; a finite number is needed"),
    ],
)
def test_a_line_that_cannot_be_used_is_left_out_with_its_reason(tmp_path, clips, line, reason):
    read = read_labels(table(tmp_path, f"track,score,n\nb,0.2,10\n{line}\n"), clips)
    assert [label.track for label in read.labels] == ["b"]
    assert len(read.failures) == 1
    assert read.failures[0].reason.startswith(f"line 3: {reason}")


def test_a_track_with_two_scores_is_left_out_altogether(tmp_path, clips):
    read = read_labels(table(tmp_path, "track,score\na,0.1\na.wav,0.9\nb,0.2\n"), clips)
    assert [label.track for label in read.labels] == ["b"]
    assert {f.reason.partition(": ")[2] for f in read.failures} == {
        "stands 2 times in labels.csv, with different scores"
    }


def test_optional_columns_other_delimiters_case_and_a_byte_order_mark(tmp_path, clips):
    text = "\ufeffTrack;Score;N;half_a;half_b;group;artist\na;0.5;20;0.4;0.6;one;x\nb;0.7;30;;;;y\n"
    read = read_labels(table(tmp_path, text), clips)
    a, b = read.labels
    assert (a.n, a.half_a, a.half_b, a.group) == (20.0, 0.4, 0.6, "one")
    assert (b.n, b.half_a, b.group) == (30.0, None, "b")


def test_two_files_of_one_name_are_told_apart_by_their_suffix(tmp_path, clips):
    read = read_labels(table(tmp_path, "track,score\ntwin.wav,0.5\n"), clips)
    assert read.labels[0].path.name == "twin.wav"
    both = read_labels(table(tmp_path, "track,score\ntwin.wav,0.5\ntwin.flac,0.9\n"), clips)
    assert [(label.track, label.path.name) for label in both.labels] == [
        ("twin.wav", "twin.wav"),
        ("twin.flac", "twin.flac"),
    ]
    assert not both.failures
    assert both.notes == ("4 of 5 clips in the folder have no usable score in labels.csv",)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("suffix", ["", ".wav"])
def test_an_accent_may_be_written_either_way(tmp_path, clips, form, suffix):
    there = unicodedata.normalize({"NFC": "NFD", "NFD": "NFC"}[form], "café")
    (clips / "a.wav").rename(clips / f"{there}.wav")
    read = read_labels(table(tmp_path, f"track,score\n{unicodedata.normalize(form, 'café')}{suffix},0.5\n"), clips)
    assert [label.track for label in read.labels] == [there]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("track,note\na,1\n", "has no column 'score'"),
        ("song,score\na,1\n", "has no column 'track'"),
        ("track,score,score\na,1,2\n", "has the column 'score' twice"),
        ("track,score\ngone,1\n", "none of its 1 lines can be used; the first: gone: line 2: there is no such sound"),
        ('track,score\n"a,1\n', "is no CSV"),
        ("track,score\n", "none of its 0 lines can be used"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(tmp_path, clips, text, message):
    with pytest.raises(SpecError, match=r"labels\.csv") as caught:
        read_labels(table(tmp_path, text), clips)
    assert message in str(caught.value)


def test_a_table_that_is_not_there_and_folders_without_sound(tmp_path, clips):
    with pytest.raises(SpecError, match="no such file"):
        read_labels(tmp_path / "none.csv", clips)
    with pytest.raises(SpecError, match="no such folder"):
        find_clips(tmp_path / "none")
    with pytest.raises(SpecError, match="is a file"):
        find_clips(clips / "notes.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpecError, match="holds no sound file"):
        find_clips(tmp_path / "empty")


def test_notes_speak_of_clips_without_a_score_and_of_missing_counts(tmp_path, clips):
    read = read_labels(table(tmp_path, "track,score,n\na,0.1,20\nb,0.2,\n"), clips)
    assert read.notes[0] == "3 of 5 clips in the folder have no usable score in labels.csv"
    assert read.notes[1].startswith("1 of 2 scores have no number of responses")
