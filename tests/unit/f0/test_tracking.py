import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from otoscope import f0
from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.f0.kaldi import KaldiTracker
from otoscope.f0.tracking import open_on_frames, track, waveform_of
from otoscope.testing.signals import tone

TONE = tone(200.0)


def same(one, other):
    return (
        np.array_equal(one.times, other.times)
        and np.array_equal(one.voiced, other.voiced)
        and np.array_equal(one.f0_hz, other.f0_hz, equal_nan=True)
    )


def test_the_room_offers_the_one_call():
    assert f0.track is track
    assert f0.F0Track.__name__ == "F0Track"


def test_a_file_a_waveform_and_an_array_of_one_sound_give_one_track(tmp_path):
    path = tmp_path / "tone.wav"
    soundfile.write(path, TONE.samples, 16_000, subtype="FLOAT")
    of_file = track(path, "kaldi")
    assert same(of_file, track(str(path), "kaldi"))
    assert same(of_file, track(TONE, "kaldi"))
    assert same(of_file, track(TONE.samples, "kaldi", sample_rate=16_000))
    assert same(of_file, track(TONE.samples.astype(np.float64), KaldiTracker(hop_ms=20.0), sample_rate=16_000))
    assert of_file.clip_id == str(path)
    assert track(TONE, "kaldi", clip_id="mine").clip_id == "mine"


def test_rows_are_those_of_the_usual_speech_models_unless_something_else_is_said():
    assert track(TONE, "kaldi").times.size == (16_000 - 400) // 320 + 1
    assert track(TONE, "kaldi:hop_ms=10").times.size == (16_000 - 400) // 160 + 1
    assert track(TONE, "kaldi", hop_ms=10.0, frame_length_ms=35.0).times.size == (16_000 - 560) // 160 + 1
    assert track(TONE, "kaldi", f0_min_hz=100.0).tracker.parameters["f0_min_hz"] == 100.0
    assert open_on_frames("kaldi", f0_max_hz=500.0).info.parameters["f0_max_hz"] == 500.0


def test_a_setting_that_is_given_twice_is_refused_unless_both_say_the_same():
    with pytest.raises(SpecError, match=r"hop_ms is 10\.0 there and 20\.0 beside it"):
        track(TONE, "kaldi:hop_ms=10", hop_ms=20.0)
    assert track(TONE, "kaldi:hop_ms=10", hop_ms=10.0).times.size == 98
    with pytest.raises(SpecError, match="has its settings"):
        track(TONE, KaldiTracker(), hop_ms=20.0)


def test_a_sound_at_another_rate_is_resampled_as_a_whole():
    found = track(tone(200.0, sample_rate=44_100), "kaldi")
    assert found.times.size == 49
    assert np.median(found.f0_hz[found.voiced]) == pytest.approx(200.0, rel=0.01)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64, np.int8, np.uint8, np.float32, np.float64])
def test_full_scale_is_that_of_the_type(dtype):
    kind = np.dtype(dtype)
    if kind.kind == "f":
        array = np.array([-1.0, 0.0, 0.5], dtype=dtype)
    elif kind == np.uint8:
        array = np.array([0, 128, 192], dtype=dtype)
    else:
        top = -int(np.iinfo(dtype).min)
        array = np.array([-top, 0, top // 2], dtype=dtype)
    assert waveform_of(array, 16_000).samples.tolist() == [-1.0, 0.0, 0.5]


def test_channels_are_averaged():
    stereo = np.stack([TONE.samples, np.zeros_like(TONE.samples)], axis=1)
    np.testing.assert_array_equal(waveform_of(stereo, 16_000).samples, TONE.samples / 2)


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.zeros((2, 16_000)), "transpose it"),
        (np.zeros((2, 2, 2)), r"\(2, 2, 2\)"),
        (np.array(["a", "b"]), "floating-point numbers or signed integers"),
        (np.array([0.0, np.nan]), "NaN or infinite"),
        (np.array([0.0, 1e300]), "NaN or infinite"),
        (np.zeros(3, dtype=np.complex128), "complex128"),
    ],
)
def test_what_is_no_sound_is_refused_with_its_name(array, problem):
    with pytest.raises(DataError, match=f"mine: .*{problem}"):
        track(array, "kaldi", sample_rate=16_000, clip_id="mine")


def test_an_array_needs_a_rate_and_a_file_has_one(tmp_path):
    with pytest.raises(SpecError, match="sample rate of an array is needed"):
        track(TONE.samples, "kaldi")
    with pytest.raises(SpecError, match="leave sample_rate out"):
        track(tmp_path / "x.wav", "kaldi", sample_rate=16_000)
    with pytest.raises(SpecError, match="the waveform has 16000"):
        track(TONE, "kaldi", sample_rate=8_000)


def test_no_samples_give_no_rows():
    found = track(np.zeros(0), "kaldi", sample_rate=16_000)
    assert found.times.size == found.voiced.size == 0


@settings(deadline=None, max_examples=25)
@given(
    n=st.integers(0, 3_000),
    rate=st.sampled_from([8_000, 11_025, 16_000, 22_050, 48_000]),
    level=st.sampled_from([0.0, 1e-6, 0.3, 1.0]),
    offset=st.sampled_from([0.0, 0.25]),
)
def test_any_sound_gives_a_track_or_a_clear_refusal(n, rate, level, offset):
    samples = offset + level * np.random.default_rng(n).uniform(-0.5, 0.5, n)
    if n and round(n * 16_000 / rate) < 400:
        with pytest.raises(DataError, match=r"array: (lasts|holds)"):
            track(samples, "kaldi", sample_rate=rate)
        return
    found = track(samples, "kaldi", sample_rate=rate)
    assert found.voiced.dtype == np.bool_
    if level == 0:
        assert not found.voiced.any()


def test_samples_of_the_caller_are_left_alone():
    samples = np.array(TONE.samples)
    track(samples, "kaldi", sample_rate=16_000)
    np.testing.assert_array_equal(samples, TONE.samples)
    assert Waveform(samples, 16_000, "x").samples.size == 16_000
