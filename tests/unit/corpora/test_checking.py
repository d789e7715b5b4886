from dataclasses import replace

import numpy as np
import pytest
import soundfile

from otoscope.audio import Waveform
from otoscope.corpora.archives import close_archives
from otoscope.corpora.base import Clip, Corpus, Failure
from otoscope.corpora.checking import check_audio
from otoscope.corpora.files import AudioFile
from otoscope.corpora.fleurs import read_fleurs
from otoscope.corpora.layout import read_rows, table_path, write_rows
from otoscope.errors import DataError
from otoscope.testing.fleurs import readings, write_archive, write_fleurs, write_parquet, write_readings


def hum(seed, gender):
    rng = np.random.default_rng(seed)
    return Waveform(rng.uniform(-0.3, 0.3, 9_000 + seed % 500).astype(np.float32), 16_000, "hum")


@pytest.fixture(autouse=True)
def _fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("OTOSCOPE_CACHE", str(tmp_path / "cache"))
    close_archives()


@pytest.fixture
def recordings():
    return list(readings(("en_us", "yo_ng"), n_sentences=(3, 2, 2), seed=0, voice=hum))


def known(check):
    """Give what is not about the size of the whole."""
    about_size = ("absent_languages", "other_size", "size_unknown")
    return [(f.where, f.kind, f.severity) for f in check.findings if f.kind not in about_size]


@pytest.mark.parametrize("layout", ["archives", "folders", "parquet"])
def test_a_sound_corpus_has_no_finding_but_its_size(tmp_path, recordings, layout):
    corpus = read_fleurs(write_readings(tmp_path / layout, recordings, layout=layout))
    check = check_audio(corpus)
    assert known(check) == []
    kinds = [finding.kind for finding in check.findings]
    assert kinds == ["absent_languages", "size_unknown", "other_size"]
    said = "for 1 of 2 languages it is not known how many recordings FLEURS has, so their numbers were not compared"
    assert (check.findings[1].severity, check.findings[1].message) == ("note", f"{said}: yo_ng")
    assert "100 of 102 are absent: af_za" in check.findings[0].message
    for part in check.parts:
        clips = [c for c in corpus.clips if (c.language, c.split) == (part.language, part.split)]
        assert part.clips == len(clips) == part.male + part.female
        assert part.hours == pytest.approx(sum(c.duration_s for c in clips) / 3600)
        assert part.sentences == len({c.groups["sentence"] for c in clips})


def test_a_look_leaves_the_seek_index_behind(tmp_path, recordings, monkeypatch):
    corpus = read_fleurs(write_readings(tmp_path / "a", recordings, layout="archives"))
    check_audio(corpus)
    monkeypatch.setattr("otoscope.corpora.archives.Scan.finish", lambda scan: pytest.fail("a second pass"))
    assert all(clip.read(sample_rate=None).samples.size for clip in corpus.clips)


def test_processes_change_nothing_but_the_time(tmp_path, recordings):
    corpus = read_fleurs(write_readings(tmp_path / "a", recordings, layout="archives"))
    seen = []
    assert check_audio(corpus, processes=2, progress=lambda *told: seen.append(told)) == check_audio(corpus)
    assert [done for done, _, _ in seen] == [1, 2]
    assert {code for _, _, code in seen} == {"en_us", "yo_ng"}


def _broken(tmp_path, samples, *, rate=16_000, **fields):
    path = tmp_path / "x.wav"
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return Corpus("fleurs", (Clip("x", AudioFile(path), "en_us", split="train", gender="male", **fields),))


NOISE = np.random.default_rng(0).uniform(-0.3, 0.3, 16_000).astype(np.float32)


@pytest.mark.parametrize(
    ("samples", "rate", "kind", "severity"),
    [
        (np.zeros(16_000), 16_000, "silent", "error"),
        (np.full(16_000, 0.5), 16_000, "silent", "error"),
        (NOISE[:7_999], 16_000, "near_empty", "warning"),
        (np.clip(NOISE * 10, -1, 1), 16_000, "clipped", "warning"),
        (NOISE, 8_000, "wrong_rate", "warning"),
    ],
)
def test_what_is_wrong_with_a_sound_is_said(tmp_path, samples, rate, kind, severity):
    found = known(check_audio(_broken(tmp_path, samples, rate=rate)))
    assert ("x", kind, severity) in found
    assert [entry[1] for entry in found] == ["missing_split", kind]


def test_what_is_just_right_is_not_said(tmp_path):
    one_loud = NOISE.copy()
    one_loud[:16] = 1.0
    for samples in (NOISE[:8_000], one_loud):
        assert [kind for _, kind, _ in known(check_audio(_broken(tmp_path, samples)))] == ["missing_split"]


def test_a_length_that_the_table_does_not_say_is_found(tmp_path):
    assert [kind for _, kind, _ in known(check_audio(_broken(tmp_path, NOISE, duration_s=1.0)))] == ["missing_split"]
    check = check_audio(_broken(tmp_path, NOISE, duration_s=16_001 / 16_000))
    (finding,) = (finding for finding in check.findings if finding.kind == "other_length")
    assert finding.message == "has 16000 samples; the table says 16001"


def test_an_undecodable_file_and_one_that_is_gone_are_errors(tmp_path, recordings):
    root = write_readings(tmp_path / "a", recordings, layout="folders")
    corpus = read_fleurs(root)
    first, second = corpus.clips[0].source.path, corpus.clips[1].source.path
    first.write_bytes(b"no sound at all")
    second.unlink()
    found = known(check_audio(corpus))
    assert [(clip.clip_id, "unreadable", "error") for clip in corpus.clips[:2]] == found


def test_the_same_sound_under_two_ids_is_found_and_across_splits_it_is_an_error(tmp_path, recordings):
    train = [r for r in recordings if (r.language, r.split) == ("en_us", "train")]
    test = next(r for r in recordings if (r.language, r.split) == ("en_us", "test"))
    for victim, severity in ((train[1], "warning"), (test, "error")):
        root = tmp_path / severity
        part = [r for r in recordings if (r.language, r.split) == (victim.language, victim.split)]
        write_readings(root, recordings, layout="archives")
        members = [(r.row.file_name, train[0].wav if r is victim else r.wav) for r in part]
        write_archive(root / f"data/en_us/audio/{victim.split}.tar.gz", members)
        check = check_audio(read_fleurs(root))
        (finding,) = (finding for finding in check.findings if finding.kind == "duplicate")
        assert finding.severity == severity
        assert "is the same sound as en_us/train/" in finding.message


def test_a_sentence_in_two_splits_and_a_bad_line_are_errors(tmp_path, recordings):
    root = write_readings(tmp_path / "a", recordings, layout="folders")
    table = table_path(root, "en_us", "train")
    rows = list(read_rows(table)[0])
    first_test = read_rows(table_path(root, "en_us", "test"))[0][0].sentence
    moved = [rows[0].__class__(first_test, *_fields(row)) if row.sentence == 0 else row for row in rows]
    write_rows(table, moved)
    with table.open("a") as file:
        file.write("nothing\n")
    kinds = [kind for _, kind, severity in known(check_audio(read_fleurs(root))) if severity == "error"]
    assert kinds == ["left_out"] + ["sentence_in_two_splits"] * sum(row.sentence == 0 for row in rows)


def _fields(row):
    return row.file_name, row.raw_transcription, row.transcription, row.n_samples, row.gender


def test_a_clip_far_too_short_for_its_text_is_found(tmp_path):
    corpus = read_fleurs(
        write_fleurs(tmp_path, layout="folders", languages=("en_us",), n_sentences=(14, 2, 2), voice=hum)
    )
    assert len(corpus.clips) >= 20
    clip = corpus.clips[4]
    soundfile.write(clip.source.path, NOISE[:1_600], 16_000, subtype="FLOAT")
    found = known(check_audio(corpus))
    assert {kind for where, kind, _ in found if where == clip.clip_id} == {
        "near_empty",
        "other_length",
        "short_for_its_text",
    }
    assert {where for where, _, _ in found} == {clip.clip_id}


def test_an_unknown_gender_is_a_note_and_counts_as_no_finding_of_a_part(tmp_path, recordings):
    part = [r for r in recordings if (r.language, r.split) == ("en_us", "dev")]
    root = write_readings(tmp_path / "a", recordings, layout="parquet")
    row = part[0].row
    other = row.__class__(row.sentence, *_fields(row)[:4], "OTHER")
    changed = [part[0].__class__("en_us", "dev", other, part[0].wav), *part[1:]]
    write_parquet(root / "en_us/validation/0000.parquet", changed)
    check = check_audio(read_fleurs(root))
    assert [(kind, severity) for _, kind, severity in known(check)] == [("gender_unknown", "note")]
    assert sum(part.findings for part in check.parts) == 0
    assert (check.count("note"), check.count("warning"), check.count("error")) == (3, 1, 0)


def test_an_archive_that_is_not_there_is_one_finding_and_all_its_recordings_are_counted(tmp_path, recordings):
    root = write_readings(tmp_path / "a", recordings, layout="archives")
    n = sum((r.language, r.split) == ("yo_ng", "test") for r in recordings)
    (root / "data/yo_ng/audio/test.tar.gz").unlink()
    corpus = read_fleurs(root)
    assert len(corpus.failures) == n > 1
    check = check_audio(corpus)
    assert known(check) == [("yo_ng/audio/test.tar.gz", "missing_archive", "error")]
    (finding,) = (finding for finding in check.findings if finding.severity == "error")
    assert f"{n} recordings are left out; get it" in finding.message
    of_part = {(part.language, part.split): (part.clips, part.left_out, part.findings) for part in check.parts}
    assert of_part.pop(("yo_ng", "test")) == (0, n, 1)
    assert len(of_part) == 5
    assert {counts[1:] for counts in of_part.values()} == {(0, 0)}


def test_a_language_of_which_no_sound_is_there_stands_in_the_summary(tmp_path, recordings):
    root = write_readings(tmp_path / "a", recordings, layout="archives")
    for split in ("train", "dev", "test"):
        (root / f"data/en_us/audio/{split}.tar.gz").unlink()
    check = check_audio(read_fleurs(root))
    n = {
        split: sum((r.language, r.split) == ("en_us", split) for r in recordings)
        for split in ("train", "dev", "test")
    }
    assert {part.split: part.left_out for part in check.parts if part.language == "en_us"} == n
    assert [part.language for part in check.parts] == ["en_us"] * 3 + ["yo_ng"] * 3
    assert sum(kind == "missing_archive" for _, kind, _ in known(check)) == 3


def test_a_folder_that_names_its_clips_like_fleurs_has_no_part_that_is_not_there(tmp_path):
    corpus = _broken(tmp_path, NOISE)
    failure = Failure("speech/train/x.wav", "corpus", "there is no file")
    parts = check_audio(replace(corpus, name="folder:speech", failures=(failure,))).parts
    assert [(part.language, part.left_out) for part in parts] == [("en_us", 0)]


@pytest.mark.parametrize("layout", ["archives", "folders", "parquet"])
def test_no_message_shows_an_object_of_python(tmp_path, recordings, layout):
    first = recordings[0]
    broken = [replace(first, wav=b"no sound at all"), *recordings[1:]]
    check = check_audio(read_fleurs(write_readings(tmp_path / layout, broken, layout=layout)))
    (finding,) = (finding for finding in check.findings if finding.severity == "error")
    assert finding.kind == "unreadable"
    assert first.row.file_name in finding.message
    assert not any(leak in finding.message for leak in ("<", "object at", "Error", "Path("))


@pytest.mark.parametrize("data", [b"PK\x03\x04 no gzip", b"\x1f\x8b\x08\x00" + b"\xff" * 60])
def test_a_file_that_is_no_archive_is_said_in_words(tmp_path, recordings, data):
    root = write_readings(tmp_path / "a", recordings, layout="archives")
    (root / "data/en_us/audio/dev.tar.gz").write_bytes(data)
    (message,) = (f.message for f in check_audio(read_fleurs(root)).findings if f.kind == "damaged_archive")
    assert message.startswith("the archive is damaged: it ")
    assert not any(leak in message for leak in ("b'", "Error", "-3"))


@pytest.mark.parametrize(("layout", "holder"), [("archives", "train.tar.gz"), ("parquet", "0000.parquet")])
def test_a_broken_recording_is_called_by_its_name_when_it_is_read(tmp_path, recordings, layout, holder):
    first = recordings[0]
    broken = [replace(first, wav=b"no sound at all"), *recordings[1:]]
    corpus = read_fleurs(write_readings(tmp_path / layout, broken, layout=layout))
    clip = next(clip for clip in corpus.clips if clip.source.describe().endswith(first.row.file_name))
    with pytest.raises(DataError, match=f"cannot be decoded: {first.row.file_name} in {holder}: Format not recog"):
        clip.read(sample_rate=None)
