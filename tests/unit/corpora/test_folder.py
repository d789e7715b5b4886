from pathlib import Path

import numpy as np
import pytest
import soundfile

from otoscope.corpora import folder as folder_module
from otoscope.corpora.folder import read_folder
from otoscope.errors import DataError, LeakageError, SpecError

NO_GROUPS = (
    "no clip names a group (speaker, sentence, voice, session, group): each such clip is its own group, "
    "so that a speaker may stand on both sides of a split"
)


def sound(path, *, n_samples=1_600):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(n_samples, 0.1), 16_000, format=path.suffix[1:].upper())
    return path


@pytest.fixture
def folder(tmp_path):
    for name in ("a.wav", "b.wav", "c.flac", "sub/d d.wav"):
        sound(tmp_path / name)
    return tmp_path


def manifest(folder, text, *, name="clips.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def reasons(corpus):
    return [(failure.clip_id, failure.reason) for failure in corpus.failures]


def test_a_manifest_says_all_that_a_clip_can_hold(folder):
    path = manifest(
        folder,
        "path,language,split,gender,start,end,id,text,speaker,sentence,voice,session,group\n"
        'a.wav,en_us,train,female,0.01,0.05,first,"Yes, ""no"".",anna,s1,v1,m1,g1\n',
    )
    (clip,) = read_folder(path).clips
    assert (clip.clip_id, clip.language, clip.split, clip.gender, clip.text) == (
        "first",
        "en_us",
        "train",
        "female",
        'Yes, "no".',
    )
    assert clip.groups == {"speaker": "anna", "sentence": "s1", "voice": "v1", "session": "m1", "group": "g1"}
    assert clip.source.describe() == "a.wav [0.01-0.05 s]"
    assert clip.read(sample_rate=None).samples.size == 640


def test_two_columns_are_enough(folder):
    corpus = read_folder(manifest(folder, "path,language\na.wav,en_us\nsub/d d.wav,vi_vn\n"))
    assert [(clip.clip_id, clip.language, clip.split) for clip in corpus.clips] == [
        ("a.wav", "en_us", None),
        ("sub/d d.wav", "vi_vn", None),
    ]
    assert [clip.groups for clip in corpus.clips] == [{"clip": "a.wav"}, {"clip": "sub/d d.wav"}]
    assert corpus.notes == (NO_GROUPS,)
    assert (corpus.name, corpus.licence, corpus.citation) == (f"folder:{folder / 'clips.csv'}", "unknown", "unknown")


@pytest.mark.parametrize(
    ("name", "encoding", "text"),
    [
        ("a.csv", "utf-8", "path,language,speaker\na.wav,en_us,Zoë\nb.wav,vi_vn,x\n"),
        ("a.csv", "utf-8-sig", "path,language,speaker\r\na.wav,en_us,Zoë\r\nb.wav,vi_vn,x\r\n"),
        ("a.csv", "utf-8", '"path","language","speaker"\n"a.wav","en_us","Zoë"\n"b.wav","vi_vn","x"'),
        ("a.csv", "utf-8", "\n\nPath , LANGUAGE,speaker\n a.wav , en_us , Zoë\n\nb.wav,vi_vn,x\n\n"),
        ("a.csv", "utf-8", "path;language;speaker\na.wav;en_us;Zoë\nb.wav;vi_vn;x\n"),
        ("a.tsv", "utf-8", "path\tlanguage\tspeaker\na.wav\ten_us\tZoë\nb.wav\tvi_vn\tx\n"),
        ("a.txt", "utf-8", "path\tlanguage\tspeaker\ra.wav\ten_us\tZoë\rb.wav\tvi_vn\tx\r"),
        ("a.csv", "utf-8", "speaker,path,language\nZoë,./a.wav,en_us\nx,sub/../b.wav,vi_vn\n"),
    ],
)
def test_every_way_of_writing_a_table_gives_the_same_clips(folder, name, encoding, text):
    corpus = read_folder(manifest(folder, text, name=name, encoding=encoding))
    assert corpus.failures == ()
    assert [(clip.clip_id, clip.language, clip.groups) for clip in corpus.clips] == [
        ("a.wav", "en_us", {"speaker": "Zoë"}),
        ("b.wav", "vi_vn", {"speaker": "x"}),
    ]


@pytest.mark.parametrize(
    ("row", "clip_id", "reason"),
    [
        (",en_us,,,,", "clips.csv line 3", "the path is empty"),
        ("a.wav,,,,,", "a.wav", "the language is empty; a FLEURS code (en_us), a code of your own"),
        ("a.wav,??,,,,", "a.wav", "the language is '??'"),
        ("a.wav,12,,,,", "a.wav", "the language is '12'"),
        ("a.wav,english,,,,", "a.wav", "the language is 'english'"),
        ("a.wav,en_us,training,,,", "a.wav", "the split is 'training'; choose from train, dev, validation"),
        ("a.wav,en_us,,x,,", "a.wav", "start is 'x'; seconds as a number with a point are needed"),
        ("a.wav,en_us,,,nan,", "a.wav#0-nan", "end is nan s; it must be 0 or above"),
        ("a.wav,en_us,,-1,,", "a.wav#-1-end", "start is -1 s; it must be 0 or above"),
        ("a.wav,en_us,,2,1,", "a.wav#2-1", "end is 1 s; it must lie after the start (2 s)"),
        ("a.wav,en_us,,1,1,", "a.wav#1-1", "end is 1 s; it must lie after the start (1 s)"),
        ("a.wav,en_us,,,0,", "a.wav#0-0", "end is 0 s; it must lie after the start (0 s)"),
        ("gone.wav,en_us,,,,", "gone.wav", "there is no file gone.wav (looked for"),
        ("sub,en_us,,,,", "sub", "sub is a folder; a sound file is needed"),
        ("sub\\d d.wav,en_us,,,,", "sub\\d d.wav", "; write / between folders"),
        ("b.wav,en_us,,,,", "b.wav", "line 2 has this id already; the first one stays"),
        ("./b.wav,en_us,,,,", "b.wav", "line 2 has this id already"),
        ("a.wav,en_us", "clips.csv line 3", "has 2 fields, the header has 6"),
        ("a.wav,en_us,,,,,", "clips.csv line 3", "has 7 fields, the header has 6"),
        ('"a.wav,en_us,,,,', "clips.csv line 3", "a quote is opened and not closed"),
        ('"a"b.wav,en_us,,,,', "clips.csv line 3", "cannot be split into fields"),
    ],
)
def test_a_bad_row_costs_that_row_only(folder, row, clip_id, reason):
    text = f"path,language,split,start,end,speaker\nb.wav,en_us,,,,x\n{row}\nc.flac,en_us,,,,y\n"
    corpus = read_folder(manifest(folder, text))
    assert [clip.clip_id for clip in corpus.clips] == ["b.wav", "c.flac"]
    (failure,) = corpus.failures
    assert (failure.clip_id, failure.stage) == (clip_id, "corpus")
    assert failure.reason.startswith("line 3: ")
    assert reason in failure.reason


def test_a_quote_that_is_never_closed_does_not_swallow_the_rows_after_it(folder):
    text = 'path,language,text\n"a.wav,en_us,x\nb.wav,en_us,"y"\nc.flac,en_us,z\n'
    corpus = read_folder(manifest(folder, text))
    assert [clip.clip_id for clip in corpus.clips] == ["b.wav", "c.flac"]
    assert reasons(corpus) == [("clips.csv line 2", "line 2: a quote is opened and not closed")]


def test_a_quote_that_is_closed_by_a_later_row_costs_its_own_row_only(folder):
    text = 'path,language,text\n"a.wav,en_us,x\nb.wav,en_us,y\nc.flac",en_us\nsub/d d.wav,en_us,z\n'
    corpus = read_folder(manifest(folder, text))
    assert [clip.clip_id for clip in corpus.clips] == ["b.wav", "sub/d d.wav"]
    assert [failure.reason.split(":")[0] for failure in corpus.failures] == ["line 2", "line 4"]


def test_a_quoted_field_may_go_on_over_lines(folder):
    corpus = read_folder(manifest(folder, 'path,language,text\na.wav,en_us,"one\ntwo"\nb.wav,??,\n'))
    assert corpus.clips[0].text == "one\ntwo"
    assert corpus.failures[0].reason.startswith("line 4: ")


def test_failures_come_in_the_order_of_the_lines(folder):
    text = "path,language,split\na.wav,en_us,\nb.wav,??,train\nc.flac,en_us,train\ngone.wav,en_us,train\n"
    corpus = read_folder(manifest(folder, text))
    assert [clip.clip_id for clip in corpus.clips] == ["c.flac"]
    assert [failure.reason.split(":")[0] for failure in corpus.failures] == ["line 2", "line 3", "line 5"]


def test_a_split_is_named_for_all_rows_or_for_none(folder):
    corpus = read_folder(
        manifest(folder, "path,language,split\na.wav,en_us,train\nb.wav,en_us,\nc.flac,en_us,test\n")
    )
    assert [clip.clip_id for clip in corpus.clips] == ["a.wav", "c.flac"]
    assert reasons(corpus) == [
        (
            "b.wav",
            "line 3: no split is named here, but for 2 clips it is; name it for all clips or for none",
        )
    ]


@pytest.mark.parametrize(
    ("word", "split"),
    [("train", "train"), ("dev", "dev"), ("Validation", "dev"), ("valid", "dev"), ("val", "dev"), ("TEST", "test")],
)
def test_split_words_have_one_meaning_each(folder, word, split):
    (clip,) = read_folder(manifest(folder, f"path,language,split\na.wav,en_us,{word}\n")).clips
    assert clip.split == split


def test_stretches_of_one_file_are_clips_of_their_own(folder):
    text = "path,language,start,end\na.wav,en_us,0,0.05\na.wav,en_us,0.05,\na.wav,en_us,,\na.wav,en_us,0.00,0.050\n"
    corpus = read_folder(manifest(folder, text))
    assert [clip.clip_id for clip in corpus.clips] == ["a.wav#0-0.05", "a.wav#0.05-end", "a.wav"]
    assert [clip.read(sample_rate=None).samples.size for clip in corpus.clips] == [800, 800, 1_600]
    assert reasons(corpus) == [("a.wav#0-0.05", "line 5: line 2 has this id already; the first one stays")]


def test_a_row_after_a_failed_one_may_have_its_id(folder):
    corpus = read_folder(manifest(folder, "path,language\na.wav,??\na.wav,en_us\n"))
    assert [clip.language for clip in corpus.clips] == ["en_us"]


@pytest.mark.parametrize(
    ("header", "suggestion"),
    [
        ("path,langauge", "the column langauge is not known; did you mean language"),
        ("path,language,slit", "the column slit is not known; did you mean split"),
        ("path,language,speaker_id", "did you mean speaker"),
        ("paht,language", "did you mean path"),
        ("path,language,path", "the column path stands twice"),
        (
            "file,lang",
            "has no column path and no column language; its first line has file, lang. Needed: path, language",
        ),
        ("path,speaker", "has no column language; its first line has path, speaker"),
        ("", "has no column path and no column language; its first line has nothing"),
    ],
)
def test_a_header_that_cannot_be_is_refused(folder, header, suggestion):
    with pytest.raises(SpecError, match=suggestion.replace("?", r"\?")):
        read_folder(manifest(folder, f"{header}\na.wav,en_us,x\n" if header else ""))


def test_other_columns_are_ignored_and_said(folder):
    corpus = read_folder(manifest(folder, "path,language,speaker,age,speakers,\na.wav,en_us,x,40,2,\n"))
    assert corpus.clips[0].groups == {"speaker": "x"}
    assert len(corpus.notes) == 1
    assert corpus.notes[0].startswith("clips.csv: ignored the columns age, speakers (known: path, language, ")


def test_languages_outside_the_table_are_accepted_and_said(folder):
    text = "path,language,speaker\na.wav,gsw_CH,x\nb.wav,en_us,y\nc.flac,gsw_CH,z\nsub/d d.wav,und,w\n"
    corpus = read_folder(manifest(folder, text))
    assert len(corpus.clips) == 4
    assert corpus.notes == (
        "not among the languages of FLEURS, so without region and tone type: gsw_CH (2 clips), und (1 clip)",
    )


def test_clips_without_a_group_are_counted(folder):
    corpus = read_folder(manifest(folder, "path,language,speaker\na.wav,en_us,x\nb.wav,en_us,\n"))
    assert [clip.groups for clip in corpus.clips] == [{"speaker": "x"}, {"clip": "b.wav"}]
    assert corpus.notes[0].startswith("1 of 2 clips does not name a group")


def test_a_speaker_on_two_sides_of_the_split_is_refused(folder):
    text = "path,language,split,speaker\na.wav,en_us,train,anna\nb.wav,en_us,test,anna\n"
    with pytest.raises(LeakageError, match="speaker 'anna' is in train"):
        read_folder(manifest(folder, text))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("path,language\n", "holds no clips"),
        ("path,language\ngone.wav,en_us\n", "no clip can be used; gone.wav: line 2: there is no file"),
        ("path,language\n" + "x.wav,??\n" * 5, "no clip can be used; .*; and 2 more"),
    ],
)
def test_a_manifest_without_a_usable_clip_is_refused(folder, content, reason):
    with pytest.raises(SpecError, match=reason):
        read_folder(manifest(folder, content))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("path,language\n".encode("utf-16"), "is UTF-16; save it as UTF-8"),
        ("path,language\nZoë.wav,en_us\n".encode("latin-1"), r"is not UTF-8 text \(line 2, byte 16\)"),
        (b"path,language\na\0.wav,en_us\n", "holds zero bytes, so it is no text"),
    ],
)
def test_a_manifest_that_is_no_text_is_refused(folder, content, reason):
    (folder / "clips.csv").write_bytes(content)
    with pytest.raises(SpecError, match=reason):
        read_folder(folder / "clips.csv")


def test_a_sound_file_is_no_manifest(folder):
    with pytest.raises(SpecError, match="a manifest is a CSV or TSV file in UTF-8"):
        read_folder(folder / "a.wav")


def test_nothing_there_is_refused(tmp_path):
    with pytest.raises(SpecError, match="no such file or folder; give a manifest"):
        read_folder(tmp_path / "gone")


def test_what_cannot_be_decoded_fails_when_it_is_read_and_not_before(folder):
    (folder / "text.wav").write_text("no sound")
    corpus = read_folder(manifest(folder, "path,language\ntext.wav,en_us\n"))
    assert corpus.failures == ()
    with pytest.raises(DataError, match=r"text.wav: cannot be decoded"):
        corpus.clips[0].read(sample_rate=None)


def test_folder_names_say_split_language_and_speaker(tmp_path):
    for name in (
        "train/sw/amina/01.wav",
        "train/sw/juma/evening/02.FLAC",
        "valid/en_us/ben/01.ogg",
        "sw/test/neema/01.wav",
        "test/other/03.wav",
    ):
        sound(tmp_path / name)
    for name in (".cache/train/x.wav", "train/.hidden.wav"):
        sound(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no sound")
    corpus = read_folder(tmp_path)
    assert [(clip.clip_id, clip.split, clip.language, clip.groups) for clip in corpus.clips] == [
        ("sw/test/neema/01.wav", "test", "sw", {"speaker": "neema"}),
        ("test/other/03.wav", "test", "und", {"speaker": "other"}),
        ("train/sw/amina/01.wav", "train", "sw", {"speaker": "amina"}),
        ("train/sw/juma/evening/02.FLAC", "train", "sw", {"speaker": "juma"}),
        ("valid/en_us/ben/01.ogg", "dev", "en_us", {"speaker": "ben"}),
    ]
    assert corpus.failures == ()
    assert corpus.notes == (
        "not among the languages of FLEURS, so without region and tone type: sw (3 clips), und (1 clip)",
    )
    assert corpus.clips[0].source.describe() == "sw/test/neema/01.wav"


def test_a_flat_folder_is_clips_of_an_unknown_language(tmp_path):
    sound(tmp_path / "a.wav")
    sound(tmp_path / "en_us.wav")
    corpus = read_folder(tmp_path)
    assert {(clip.language, clip.split) for clip in corpus.clips} == {("und", None)}
    assert corpus.notes[0] == NO_GROUPS


def test_a_split_in_some_folders_only_fails_the_others(tmp_path):
    sound(tmp_path / "train/a/1.wav")
    sound(tmp_path / "b/2.wav")
    sound(tmp_path / "train/test/3.wav")
    corpus = read_folder(tmp_path)
    assert [clip.clip_id for clip in corpus.clips] == ["train/a/1.wav"]
    assert reasons(corpus) == [
        ("b/2.wav", "no split is named here, but for 1 clip it is; name it for all clips or for none"),
        ("train/test/3.wav", "the folders train and test both name a split; one is needed"),
    ]


def test_the_same_speaker_in_two_split_folders_is_refused(tmp_path):
    sound(tmp_path / "train/en_us/anna/1.wav")
    sound(tmp_path / "test/en_us/anna/2.wav")
    with pytest.raises(LeakageError, match="speaker 'anna'"):
        read_folder(tmp_path)


def test_a_folder_without_sound_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "song.m4a").touch()
    with pytest.raises(
        SpecError, match=r"holds no sound file .*kinds that cannot be read: .m4a \(1\); convert it to"
    ):
        read_folder(tmp_path)


def test_sound_of_other_kinds_is_said_beside_the_clips(tmp_path):
    sound(tmp_path / "en_us/anna/1.wav")
    (tmp_path / "song.m4a").touch()
    assert read_folder(tmp_path).notes == (
        "skipped sound of kinds that cannot be read: .m4a (1); convert it to FLAC or WAV",
    )


def test_links_to_folders_are_followed_once(tmp_path):
    sound(tmp_path / "real" / "a.wav")
    inside = tmp_path / "corpus"
    inside.mkdir()
    (inside / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "back").symlink_to(inside)
    assert [clip.clip_id for clip in read_folder(inside).clips] == ["linked/a.wav"]


def test_a_folder_named_like_a_sound_file_is_a_folder(tmp_path):
    sound(tmp_path / "x.wav" / "a.wav")
    assert [clip.clip_id for clip in read_folder(tmp_path).clips] == ["x.wav/a.wav"]


def test_relative_paths_work(folder, monkeypatch):
    monkeypatch.chdir(folder)
    manifest(folder, "path,language\na.wav,en_us\n")
    assert read_folder(Path("clips.csv")).clips[0].read(sample_rate=None).samples.size == 1_600
    assert len(read_folder(Path()).clips) == 4


def test_absolute_paths_work(folder, tmp_path):
    corpus = read_folder(manifest(folder, f"path,language\n{folder / 'a.wav'},en_us\n"))
    assert corpus.clips[0].clip_id == (folder / "a.wav").as_posix()
    assert corpus.clips[0].read(sample_rate=None).samples.size == 1_600


def test_the_end_of_a_quote_is_looked_for_in_a_few_lines_only(folder, monkeypatch):
    n_parsed = []
    parse = folder_module._parse

    def counted(lines, delimiter):
        n_parsed.append(len(lines))
        return parse(lines, delimiter)

    monkeypatch.setattr(folder_module, "_parse", counted)
    rows = "".join(f"a.wav,en_us,{i}\n" for i in range(500))
    corpus = read_folder(manifest(folder, f'path,language,id\n"b.wav,en_us,x\n{rows}'))
    assert len(corpus.clips) == 500
    assert len(corpus.failures) == 1
    assert max(n_parsed) == folder_module.MAX_QUOTED_LINES
