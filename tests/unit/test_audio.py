import os
import struct
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from otoscope.audio import Waveform, read_audio, read_audio_bytes, resample
from otoscope.errors import DataError, SpecError

RATE = 16_000  # Hz
HALF_A_STEP = 1 / 2**16  # of full scale: the rounding of 16-bit samples
TOL_LOSSY = 0.02  # of full scale: Vorbis, Opus and MP3 of a pure tone, away from its ends
TOL_RESAMPLED = 2e-3  # of full scale: soxr HQ on a 200 Hz tone, away from its ends


def tone(*, n=RATE, rate=RATE, hz=200.0, peak=0.3):
    return (peak * np.sin(2 * np.pi * hz * np.arange(n) / rate)).astype(np.float32)


def written(path, samples, rate=RATE, **how):
    soundfile.write(path, samples, rate, **how)
    return path


def cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


def part(name, *, share=0.5, n=RATE, **how):
    return lambda folder: cut(written(folder / name, tone(n=n), **how), share)


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "au", "caf", "w64"])
def test_lossless_formats_give_back_what_was_written(tmp_path, suffix):
    path = written(tmp_path / f"a.{suffix}", tone())
    np.testing.assert_allclose(read_audio(path).samples, tone(), atol=2 * HALF_A_STEP)


@pytest.mark.parametrize(
    ("suffix", "how"), [("ogg", {}), ("mp3", {}), ("opus", {"format": "OGG", "subtype": "OPUS"})]
)
def test_lossy_formats_keep_length_and_place(tmp_path, suffix, how):
    read = read_audio(written(tmp_path / f"a.{suffix}", tone(), **how))
    assert read.samples.size == RATE
    np.testing.assert_allclose(read.samples[800:-800], tone()[800:-800], atol=TOL_LOSSY)


def test_channels_are_averaged(tmp_path):
    eight = np.stack([i * tone() / 8 for i in range(8)], axis=1)
    read = read_audio(written(tmp_path / "eight.wav", eight, subtype="FLOAT"))
    np.testing.assert_allclose(read.samples, tone() * 28 / 64, atol=1e-6)


@pytest.mark.parametrize("rate", [4_000, 8_000, 44_100, 48_000, 192_000])
def test_any_rate_becomes_the_rate_wanted(tmp_path, rate):
    read = read_audio(written(tmp_path / "a.wav", tone(n=rate, rate=rate), rate, subtype="FLOAT"))
    assert (read.sample_rate, read.samples.size) == (RATE, RATE)
    inside = slice(RATE // 10, -RATE // 10)
    np.testing.assert_allclose(read.samples[inside], tone()[inside], atol=TOL_RESAMPLED)


def test_no_rate_keeps_the_rate_of_the_file(tmp_path):
    path = written(tmp_path / "a.wav", tone(n=44_100, rate=44_100), 44_100)
    assert read_audio(path, sample_rate=None).sample_rate == 44_100


def test_twenty_milliseconds_are_enough(tmp_path):
    assert read_audio(written(tmp_path / "a.wav", tone(n=320))).duration_s == 0.02


@given(first=st.integers(0, 1_599), length=st.integers(1, 1_600))
def test_a_stretch_is_the_slice_of_the_whole(tmp_path_factory, first, length):
    path = tmp_path_factory.getbasetemp() / "stretch.wav"
    if not path.exists():
        written(path, tone(n=1_600), subtype="FLOAT")
    last = min(1_600, first + length)
    part = read_audio(path, start_s=first / RATE, end_s=last / RATE)
    np.testing.assert_array_equal(part.samples, read_audio(path).samples[first:last])


def test_the_digest_is_of_the_sound_and_not_of_the_file(tmp_path):
    steps = (tone() * 2**15).astype(np.int16)
    one, other = written(tmp_path / "a.wav", steps), written(tmp_path / "b.flac", steps)
    assert read_audio(one).digest() == read_audio(other).digest()
    assert read_audio(one).digest() != read_audio(one, end_s=0.5).digest()
    assert read_audio(one).digest() != Waveform(read_audio(one).samples, 8_000, "a").digest()


def test_a_constant_offset_is_silence():
    assert Waveform(np.full(100, 0.5, dtype=np.float32), RATE, "a").is_silent()
    assert not Waveform(tone(peak=1e-3), RATE, "a").is_silent()


def test_samples_are_kept_read_only():
    with pytest.raises(ValueError, match="read-only"):
        Waveform(tone(), RATE, "a").samples[0] = 1.0


def test_resampling_needs_a_rate_above_zero():
    with pytest.raises(SpecError, match="sample_rate is 0 Hz"):
        resample(Waveform(tone(), RATE, "a"), 0)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros((2, 5), np.float32), r"shape \(2, 5\); one channel"),
        (np.zeros(5), "float64 of shape"),
        (np.zeros(0, np.float32), "holds no samples"),
        (np.array([0, np.inf], np.float32), "1 of 2 samples is NaN or infinite, the first at 0.000 s"),
    ],
)
def test_a_waveform_is_finite_mono_float32(samples, reason):
    with pytest.raises(DataError, match=reason):
        Waveform(samples, RATE, "a")


def nan_file(folder):
    samples = tone()
    samples[8_000] = np.nan
    return written(folder / "nan.wav", samples, subtype="FLOAT")


def rateless_file(folder):
    path = written(folder / "rateless.wav", tone())
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", 0)
    path.write_bytes(content)
    return path


def flawed_flac(folder):
    path = written(folder / "flawed.flac", np.random.default_rng(0).normal(0, 0.1, 3 * RATE))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = bytes(400)
    path.write_bytes(content)
    return path


def text_file(folder):
    (folder / "text.wav").write_text("this is a note, not a sound\n" * 20)
    return folder / "text.wav"


def folder_named_like_a_file(folder):
    (folder / "folder.wav").mkdir()
    return folder / "folder.wav"


def empty_file(folder):
    (folder / "empty.wav").touch()
    return folder / "empty.wav"


BROKEN = {
    "missing": (lambda folder: folder / "missing.wav", "no such file"),
    "below a file": (lambda folder: text_file(folder) / "a.wav", "cannot be opened: Not a directory"),
    "zero byte in the path": (lambda folder: folder / "a\0b.wav", "cannot be opened: the path holds a zero byte"),
    "folder": (folder_named_like_a_file, "is a folder; a sound file is needed"),
    "empty": (empty_file, r"the file is empty \(0 bytes\)"),
    "text": (text_file, "cannot be decoded: .*Format not recognised"),
    "no samples": (lambda folder: written(folder / "a.wav", np.zeros(0)), "holds no samples"),
    "header only": (part("a.wav", share=44 / 32_044), "promises 32000 bytes and 0 are"),
    "half a header": (part("a.wav", share=20 / 32_044), "cannot be decoded"),
    "truncated WAV": (part("a.wav"), "truncated: the header promises 32000"),
    "truncated AIFF": (part("a.aiff"), "truncated: the header promises"),
    "truncated AU": (part("a.au"), "truncated: the header promises"),
    "truncated W64": (part("a.w64"), "truncated: the header promises"),
    "truncated FLAC": (part("a.flac", n=5 * RATE), "cannot be decoded: .*lost sync"),
    "truncated Vorbis": (part("a.ogg", n=5 * RATE), "truncated: .* an Ogg page"),
    "truncated Opus": (
        part("a.ogg", n=5 * RATE, subtype="OPUS"),
        "truncated: the file ends inside an Ogg page",
    ),
    "truncated MP3": (
        part("a.mp3", n=5 * RATE),
        "truncated: 80000 samples are promised and [0-9]+ can be decoded",
    ),
    "flawed FLAC": (flawed_flac, "cannot be decoded"),
    "NaN": (nan_file, "1 of 16000 samples is NaN or infinite, the first at 0.500 s"),
    "rate of zero": (rateless_file, "cannot be decoded"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_with_its_name_and_the_reason(tmp_path, name, capfd):
    make, reason = BROKEN[name]
    with pytest.raises(DataError, match=reason) as caught:
        read_audio(make(tmp_path), clip_id="the clip")
    assert caught.value.clip_id == "the clip"


@pytest.mark.parametrize(
    ("start_s", "end_s", "reason"),
    [
        (-0.1, None, "start is -0.1 s; the file lasts from 0 to 1.000 s"),
        (1.0, None, "start is 1.0 s"),
        (0.5, 0.5, r"end is 0.5 s; it must lie after the start \(0.5 s\)"),
        (0.5, 0.2, "end is 0.2 s"),
        (None, 1.5, "not after the end of the file"),
    ],
)
def test_a_stretch_outside_the_file_is_refused(tmp_path, start_s, end_s, reason):
    path = written(tmp_path / "a.wav", tone())
    with pytest.raises(DataError, match=reason):
        read_audio(path, start_s=start_s, end_s=end_s)


def test_a_header_that_was_never_filled_in_is_taken_as_it_is(tmp_path):
    path = written(tmp_path / "piped.wav", tone())
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = struct.pack("<I", 0xFFFF_FFFF)
    path.write_bytes(content)
    assert read_audio(path).samples.size == RATE


def test_a_whole_ogg_file_is_read_whatever_follows_it(tmp_path):
    path = written(tmp_path / "a.ogg", tone())
    path.write_bytes(path.read_bytes() + bytes(100))
    assert read_audio(path).samples.size == RATE


@pytest.mark.shared
def test_real_recordings_are_read_at_their_full_length():
    folder = Path(__file__).parents[2].parent / "shared" / "data" / "fleurs"
    if not folder.is_dir():
        pytest.skip("no recordings beside the checkout")
    paths = [folder / name for name in sorted(os.listdir(folder)) if name.endswith(".wav")]
    assert paths
    for path in paths:
        assert read_audio(path).samples.size == soundfile.info(path).frames


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
def test_bytes_give_the_same_samples_as_the_file(tmp_path, kind):
    path = tmp_path / "x"
    soundfile.write(path, 0.3 * np.sin(np.arange(20_000) / 9), 22_050, format=kind)
    for sample_rate in (None, 16_000):
        from_file = read_audio(path, clip_id="x", sample_rate=sample_rate)
        from_bytes = read_audio_bytes(path.read_bytes(), clip_id="x", sample_rate=sample_rate)
        assert from_bytes.digest() == from_file.digest()


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
def test_bytes_and_files_fail_with_the_same_words(tmp_path, kind):
    path = tmp_path / "x"
    soundfile.write(path, 0.3 * np.sin(np.arange(20_000) / 9), 22_050, format=kind)
    whole = path.read_bytes()
    for data in (b"", b"no sound", whole[:30], whole[: len(whole) // 2], whole[:-10]):
        path.write_bytes(data)
        said = []
        for read in (partial(read_audio, path), partial(read_audio_bytes, data, name=str(path))):
            try:
                said.append(read(clip_id="x").digest())
            except DataError as error:
                said.append(str(error))
        assert said[0] == said[1]


@pytest.mark.parametrize(("name", "shown"), [("a.wav in train.tar.gz", "a.wav in train.tar.gz: "), (None, "")])
def test_bytes_that_are_no_sound_are_called_by_their_name(name, shown):
    with pytest.raises(DataError) as caught:
        read_audio_bytes(b"no sound at all", clip_id="en_us/train/a", name=name)
    assert str(caught.value) == f"en_us/train/a: cannot be decoded: {shown}Format not recognised"
