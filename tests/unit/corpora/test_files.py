from pathlib import Path

import numpy as np
import pytest
import soundfile

from otoscope.audio import read_audio
from otoscope.corpora.files import AudioFile, format_seconds, stretch
from otoscope.errors import DataError


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "sub" / "a.wav"
    path.parent.mkdir()
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 8_000), 8_000)
    return path


def test_a_stretch_is_read_as_read_audio_reads_it(path):
    read = AudioFile(path, 0.25, 0.5).read("the clip", sample_rate=None)
    expected = read_audio(path, sample_rate=None, start_s=0.25, end_s=0.5)
    np.testing.assert_array_equal(read.samples, expected.samples)
    assert (read.clip_id, read.samples.size, read.sample_rate) == ("the clip", 2_000, 8_000)
    assert AudioFile(path).read("the clip", sample_rate=16_000).samples.size == 16_000


def test_a_failure_names_the_clip(tmp_path):
    with pytest.raises(DataError, match="the clip: no such file"):
        AudioFile(tmp_path / "gone.wav").read("the clip", sample_rate=None)


def test_a_moved_corpus_describes_itself_as_before(path, tmp_path):
    moved = tmp_path / "elsewhere" / "sub" / "a.wav"
    one = AudioFile(path, root=tmp_path)
    other = AudioFile(moved, root=tmp_path / "elsewhere")
    assert one.describe() == other.describe() == "sub/a.wav"
    assert AudioFile(path).describe() == path.as_posix()
    assert AudioFile(path, root=tmp_path / "elsewhere").describe() == path.as_posix()


def test_stretches_of_one_file_describe_themselves_apart():
    described = [
        AudioFile(Path("a.wav"), *times).describe() for times in [(None, None), (0.5, None), (None, 2.0), (0.5, 2.0)]
    ]
    assert described == ["a.wav", "a.wav [0.5-end s]", "a.wav [0-2 s]", "a.wav [0.5-2 s]"]


def test_times_are_written_in_as_few_digits_as_they_need():
    assert [format_seconds(time) for time in (0.0, 1.5, 10.0, 1e-6, 100.25, 1e7)] == [
        "0",
        "1.5",
        "10",
        "0.000001",
        "100.25",
        "10000000",
    ]
    assert stretch(1.5, None) == "1.5-end"


def test_the_header_says_how_long_the_sound_is(path, tmp_path):
    for source in (AudioFile(path), AudioFile(path, 0.25), AudioFile(path, 0.25, 0.5), AudioFile(path, end_s=0.75)):
        assert source.duration_s("x") == pytest.approx(source.read("x", sample_rate=None).duration_s)
    with pytest.raises(DataError, match="x: no such file"):
        AudioFile(tmp_path / "gone.wav").duration_s("x")
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(DataError, match="x: cannot be decoded"):
        AudioFile(tmp_path / "text.wav").duration_s("x")
