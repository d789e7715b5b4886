import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from otoscope.audio import Waveform
from otoscope.corpora import fleurs_parquet
from otoscope.corpora.fleurs import NO_SOUND, configs_in, read_fleurs
from otoscope.corpora.fleurs_hub import how_to_download
from otoscope.corpora.layout import audio_path, table_path
from otoscope.errors import DataError, SpecError
from otoscope.testing.fleurs import write_fleurs


def hum(seed, gender):
    samples = 0.3 * np.sin(np.arange(3_200 + seed % 800) * 0.05) + 0.01 * np.random.default_rng(seed).normal()
    return Waveform(samples.astype(np.float32), 16_000, "hum")


def make(folder, layout="archives", **more):
    return write_fleurs(folder / layout, layout=layout, n_sentences=(4, 2, 2), voice=hum, **more)


def change(path, old, new, *, times=1):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, times))


@pytest.mark.parametrize("layout", ["archives", "folders"])
def test_bad_lines_cost_themselves_only(tmp_path, layout):
    root = make(tmp_path, layout)
    whole = read_fleurs(root)
    table = table_path(root, "en_us", "train")
    lines = table.read_text().splitlines()
    lines[0] = lines[0].replace("\t", " ", 1)
    lines.insert(2, lines[1])
    lines.append("0\tx.wav\ta\ta\ta\tmany\tMALE")
    table.write_text("\n".join(lines))
    found = read_fleurs(root)
    assert len(found.clips) == len(whole.clips) - 1
    assert [(failure.clip_id, failure.reason) for failure in found.failures] == [
        ("en_us/train.tsv line 1", "has 6 columns; 7 between tabs are needed"),
        (
            "en_us/train.tsv line 3",
            f"the file {lines[1].split(chr(9))[1]} was named in a line above; the first one stays",
        ),
        (f"en_us/train.tsv line {len(lines)}", "the number of samples is 'many'; a whole number is needed"),
    ]


def test_a_file_that_is_not_there_is_a_failure(tmp_path):
    root = make(tmp_path, "folders")
    clip = read_fleurs(root).clips[0]
    audio_path(root, "en_us", "train", f"{clip.clip_id.rpartition('/')[2]}.wav").unlink()
    found = read_fleurs(root)
    (failure,) = found.failures
    assert failure.clip_id == clip.clip_id
    assert failure.reason == f"there is no file {clip.clip_id.rpartition('/')[2]}.wav in audio/train/"


def test_a_recording_that_the_archive_lacks_is_a_failure_when_it_is_read(tmp_path):
    root = make(tmp_path)
    with table_path(root, "en_us", "dev").open("a") as file:
        file.write("5\tgone.wav\ta\ta\ta\t100\tMALE\n")
    clip = next(clip for clip in read_fleurs(root).clips if clip.clip_id == "en_us/dev/gone")
    with pytest.raises(DataError, match=r"en_us/dev/gone: there is no gone\.wav in dev\.tar\.gz"):
        clip.read(sample_rate=16_000)


def test_a_sentence_in_two_splits_stays_in_the_later_one(tmp_path):
    root = make(tmp_path, languages=("en_us",))
    whole = read_fleurs(root)
    first = next(clip for clip in whole.clips if clip.split == "test")
    moved = int(first.groups["sentence"])
    table = table_path(root, "en_us", "train")
    lines = [
        f"{moved}\t{line.split(chr(9), 1)[1]}" if line.startswith("0\t") else line
        for line in table.read_text().splitlines()
    ]
    table.write_text("\n".join(lines))
    found = read_fleurs(root)
    gone = {clip.clip_id for clip in whole.clips if clip.groups["sentence"] == "0000"}
    assert {failure.clip_id for failure in found.failures} == gone
    assert all(f"its sentence is in two splits: {moved} is also in test" in f.reason for f in found.failures)
    assert {clip.clip_id for clip in found.clips} == {clip.clip_id for clip in whole.clips} - gone


def test_two_files_of_one_stem_do_not_stop_the_corpus(tmp_path):
    root = make(tmp_path, languages=("en_us",))
    table = table_path(root, "en_us", "dev")
    name = table.read_text().split("\t")[1]
    with table.open("a") as file:
        file.write(f"5\t{name.replace('.wav', '.flac')}\ta\ta\ta\t100\tMALE\n")
    (failure,) = read_fleurs(root).failures
    assert "has the id of another file" in failure.reason


def test_a_language_without_tables_or_sound_says_which(tmp_path):
    root = make(tmp_path, languages=("en_us", "yo_ng", "zu_za"))
    whole = read_fleurs(root)
    lost = {clip.clip_id for clip in whole.clips if (clip.language, clip.split) == ("zu_za", "dev")}
    assert len(lost) > 1
    for split in ("train", "dev", "test"):
        table_path(root, "yo_ng", split).unlink()
    (root / "data/zu_za/audio/dev.tar.gz").unlink()
    shutil.rmtree(root / "data/zu_za/audio/test", ignore_errors=True)
    (root / "data/zu_za/train.tsv").unlink()
    (root / "data/zu_za/audio/train.tar.gz").unlink()
    found = read_fleurs(root)
    assert configs_in(root) == ("en_us", "yo_ng", "zu_za")
    assert found.languages == ("en_us", "zu_za")
    reasons = {failure.clip_id: failure.reason for failure in found.failures}
    assert set(reasons) == {"yo_ng/train.tsv", "yo_ng/dev.tsv", "yo_ng/test.tsv", *lost}
    assert reasons["yo_ng/dev.tsv"] == "the sound is there and the table is not; get the table"
    for name in lost:
        held = f"{name.rpartition('/')[2]}.wav"
        assert reasons[name] == f"{NO_SOUND} audio/dev.tar.gz and no folder audio/dev/ to hold {held}"
    assert found.notes == ("zu_za has no train",)


def test_what_holds_nothing_of_fleurs_says_what_is_needed(tmp_path):
    with pytest.raises(SpecError) as caught:
        read_fleurs(tmp_path, languages=["yo_ng"])
    said = str(caught.value)
    assert "holds nothing of FLEURS; needed is data/en_us/train.tsv with" in said
    assert how_to_download(["yo_ng"], folder=str(tmp_path)) in said
    (tmp_path / "en_us").mkdir()
    (tmp_path / "en_us" / "train.tsv").write_text("nothing\n")
    (tmp_path / "en_us" / "audio" / "train").mkdir(parents=True)
    with pytest.raises(SpecError, match=r"no clip can be used .*\(1 failure: en_us/train.tsv line 1: has 1 column;"):
        read_fleurs(tmp_path)


def test_an_empty_table_is_said(tmp_path):
    root = make(tmp_path, languages=("en_us",))
    table_path(root, "en_us", "dev").write_text("")
    found = read_fleurs(root)
    assert (found.failures, found.notes) == ((), ("en_us/dev.tsv names no recording",))
    for split in ("train", "test"):
        table_path(root, "en_us", split).write_text("")
    with pytest.raises(SpecError, match=r"no clip can be used .*\(0 failures: en_us/train.tsv names no recording; "):
        read_fleurs(root)


def test_all_of_it_is_downloaded_by_one_pattern():
    assert '--include "data/*" --local-dir' in how_to_download()
    assert '--include "data/*" --local-dir' in how_to_download([f"x{k}" for k in range(20)])


def rewrite(path, /, **columns):
    table = pq.read_table(path)
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        table = table.remove_column(at) if values is None else table.set_column(at, name, [values])
    pq.write_table(table, path, row_group_size=3)


@pytest.fixture
def parquet(tmp_path):
    root = make(tmp_path, "parquet", languages=("en_us",))
    return root, root / "en_us" / "train" / "0000.parquet"


def test_genders_may_be_words_and_groups_of_any_size(parquet):
    root, path = parquet
    before = [(clip.describe(), clip.read(sample_rate=None).digest()) for clip in read_fleurs(root).clips]
    words = [("male", "female", "other")[g] for g in pq.read_table(path)["gender"].to_pylist()]
    rewrite(path, gender=words)
    after = [(clip.describe(), clip.read(sample_rate=None).digest()) for clip in read_fleurs(root).clips]
    assert after == before


@pytest.mark.parametrize(
    "where", ["en_us/train-0.parquet", "data/en_us/train-00000-of-00001.parquet", "data/en_us/train/0.parquet"]
)
def test_parquet_files_may_stand_elsewhere(parquet, tmp_path, where):
    root, path = parquet
    before = [clip.describe() for clip in read_fleurs(root).clips]
    (root / where).parent.mkdir(parents=True, exist_ok=True)
    path.rename(root / where)
    assert [clip.describe() for clip in read_fleurs(root).clips] == before


def test_bad_rows_of_a_parquet_file_cost_themselves_only(parquet):
    root, path = parquet
    n = len(read_fleurs(root).clips)
    table = pq.read_table(path)
    genders, ids = table["gender"].to_pylist(), table["id"].to_pylist()
    genders[0], ids[1] = 7, None
    rewrite(path, gender=genders, id=ids)
    found = read_fleurs(root)
    assert len(found.clips) == n - 2
    assert [(failure.clip_id, failure.reason.partition(";")[0]) for failure in found.failures] == [
        ("en_us/train/0000.parquet row group 0 row 0", "the gender is '7'"),
        ("en_us/train/0000.parquet row group 0 row 1", "the id of the sentence or the number of samples is empty"),
    ]


def test_an_empty_cell_is_a_failure_of_its_clip(parquet):
    root, path = parquet
    audio = pq.read_table(path)["audio"].to_pylist()
    audio[0]["bytes"] = None
    rewrite(path, audio=audio)
    name = audio[0]["path"].rpartition("/")[2].removesuffix(".wav")
    clip = next(clip for clip in read_fleurs(root).clips if clip.clip_id.endswith(name))
    with pytest.raises(DataError, match=f"{clip.clip_id}: the sound in 0000.parquet is empty"):
        clip.read(sample_rate=None)


def test_a_parquet_file_that_cannot_be_read_is_one_failure(parquet):
    root, path = parquet
    clip = read_fleurs(root).clips[0]
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    fleurs_parquet._shelves[0].groups.clear()
    (failure,) = read_fleurs(root).failures
    assert failure.clip_id == "en_us/train/0000.parquet"
    with pytest.raises(DataError, match=r"0000.parquet: cannot be read"):
        clip.read(sample_rate=None)
    path.write_bytes(data)
    rewrite(path, num_samples=None)
    (failure,) = read_fleurs(root).failures
    assert failure.reason.startswith("en_us/train/0000.parquet: has no column num_samples; it has id, path")
    path.unlink()
    with pytest.raises(DataError, match="there is no file"):
        clip.read(sample_rate=None)


@pytest.mark.parametrize("column", ["raw_transcription", "transcription", "path", "audio.path", "audio.bytes"])
def test_a_column_of_another_type_is_one_failure(parquet, column):
    root, path = parquet
    n = len(read_fleurs(root).clips)
    values = pq.read_table(path)["audio" if "." in column else column].to_pylist()
    for i, value in enumerate(values):
        if column == "audio.bytes":
            value["bytes"] = "text"
        elif column == "audio.path":
            value["path"] = value["path"].encode()
        else:
            values[i] = value.encode()
    rewrite(path, **{column.partition(".")[0]: values})
    found = read_fleurs(root)
    assert len(found.clips) == n - len(values)
    got, needed = ("string", "binary") if column == "audio.bytes" else ("binary", "string")
    assert [failure.reason for failure in found.failures] == [
        f"en_us/train/0000.parquet: the column {column} is of type {got}; type {needed} is needed; get it again"
    ]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_texts_may_be_kept_in_any_way_that_gives_texts(parquet, kind):
    root, path = parquet
    before = [clip.describe() for clip in read_fleurs(root).clips]
    texts = pq.read_table(path)["raw_transcription"].to_pylist()
    rewrite(path, raw_transcription=pa.array(texts).cast(kind))
    assert [clip.describe() for clip in read_fleurs(root).clips] == before


def test_two_row_groups_are_kept(parquet):
    root, _ = parquet
    for clip in read_fleurs(root).clips:
        clip.read(sample_rate=None)
        assert len(fleurs_parquet._shelves[0].groups) <= 2


def test_an_id_that_is_no_number_costs_its_row_only(parquet):
    root, path = parquet
    n = len(read_fleurs(root).clips)
    ids = [str(k) for k in pq.read_table(path)["id"].to_pylist()]
    rewrite(path, id=ids)
    found = read_fleurs(root)
    assert len(found.clips) + len(ids) == n
    assert found.failures[0].reason.startswith("the id of the sentence is '0', the number of samples ")
