import tarfile

import numpy as np
import pytest
import soundfile

from otoscope.corpora.layout import read_rows, table_path
from otoscope.errors import SpecError
from otoscope.testing.fleurs import fleurs_from, readings, speak, write_fleurs


def quick(seed, gender):
    return speak(seed % 3, gender)


def test_the_same_arguments_give_the_same_bytes(tmp_path):
    for layout in ("archives", "folders", "parquet"):
        first, second = (
            write_fleurs(
                tmp_path / layout / name, layout=layout, languages=("en_us",), n_sentences=(1, 1, 1), voice=quick
            )
            for name in "ab"
        )
        files = [path.relative_to(first) for path in sorted(first.rglob("*")) if path.is_file()]
        assert files == [path.relative_to(second) for path in sorted(second.rglob("*")) if path.is_file()]
        assert all((first / name).read_bytes() == (second / name).read_bytes() for name in files)


def test_an_archive_is_as_those_of_fleurs(tmp_path):
    root = write_fleurs(tmp_path, languages=("en_us",), n_sentences=(3, 1, 1), voice=quick)
    rows, bad = read_rows(table_path(root, "en_us", "train"))
    assert not bad
    with tarfile.open(root / "data/en_us/audio/train.tar.gz") as tar:
        names = tar.getnames()
        assert {f"train/{row.file_name}" for row in rows} < set(names)
        assert len(names) == len(rows) + 2
        for row in rows:
            with soundfile.SoundFile(tar.extractfile(f"train/{row.file_name}")) as file:
                assert (file.subtype, file.samplerate, file.channels) == ("FLOAT", 16_000, 1)
                assert file.frames == row.n_samples


def test_languages_say_the_same_sentences_and_do_not_depend_on_each_other():
    make = {"n_sentences": (4, 2, 2), "seed": 3, "voice": quick}
    both = list(readings(("en_us", "yo_ng"), **make))
    assert [r for r in both if r.language == "yo_ng"] == list(readings(("yo_ng",), **make))
    said = {
        code: {(r.split, r.row.sentence, r.row.raw_transcription) for r in both if r.language == code}
        for code in ("en_us", "yo_ng")
    }
    assert said["en_us"] == said["yo_ng"]
    assert len(said["en_us"]) == 8
    counts = np.unique([r.row.sentence for r in both if r.language == "en_us"], return_counts=True)[1]
    assert set(counts) <= {1, 2, 3}
    for split in ("train", "dev", "test"):
        assert {r.row.gender for r in both if r.split == split} == {"MALE", "FEMALE"}


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(SpecError, match="layout is 'zip'; choose from archives, folders, parquet"):
        write_fleurs(tmp_path, layout="zip")
    reading = next(readings(("en_us",), n_sentences=(1, 1, 1), seed=0, voice=quick))
    waveform = speak(0, "MALE")
    slow = type(waveform)(waveform.samples, 8_000, "x")
    with pytest.raises(SpecError, match="is at 8000 Hz; 16000 Hz are needed"):
        fleurs_from([("en_us", "train", reading.row, slow)], tmp_path, layout="folders")
