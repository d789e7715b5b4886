"""Clips: one loudness, one length, no clip that stops the others."""

import io

import numpy as np
import pytest
import soundfile

from otoscope.errors import SpecError
from otoscope.game.practice import PRACTICE_ORDER, practice_tune
from otoscope.game.sounds import (
    SAMPLE_RATE,
    encode,
    find_tracks,
    loudness,
    normalise,
    prepare_clips,
    true_peak,
)

TOL_LU = 0.1


def tone(hz=997.0, *, seconds=1.0, amplitude=0.25, channels=1, rate=SAMPLE_RATE):
    wave = amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def write(folder, name, samples, rate=SAMPLE_RATE):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)
    return path


def served(out, clip, kind="wav"):
    return soundfile.read(out / f"{clip.clip_id}.{kind}", dtype="float32", always_2d=True)[0]


def test_a_full_scale_sine_has_the_loudness_of_the_recommendation():
    assert loudness(tone(amplitude=1.0)) == pytest.approx(-3.01, abs=TOL_LU)
    assert loudness(tone(amplitude=1.0, channels=2)) == pytest.approx(0.0, abs=TOL_LU)


def test_loudness_agrees_with_another_implementation(rng):
    pyloudnorm = pytest.importorskip("pyloudnorm")
    for channels in (1, 2):
        noise = (0.1 * rng.standard_normal((3 * SAMPLE_RATE, channels))).astype(np.float32)
        noise *= np.linspace(0.1, 1, len(noise), dtype=np.float32)[:, None]
        theirs = pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(noise.astype(np.float64))
        assert loudness(noise) == pytest.approx(theirs, abs=TOL_LU)


def test_a_true_peak_lies_between_the_samples():
    quarter = np.sin(2 * np.pi * np.arange(4000) / 4 + np.pi / 4).astype(np.float32)[:, None]
    assert np.abs(quarter).max() == pytest.approx(np.sqrt(0.5), abs=1e-4)
    assert true_peak(quarter[100:-100]) == pytest.approx(0.0, abs=0.3)
    assert true_peak(np.zeros((100, 1), np.float32)) == -np.inf


def test_every_clip_gets_the_loudness_asked_for(tmp_path):
    for i, amplitude in enumerate((0.02, 0.2, 0.9)):
        write(tmp_path / "clips", f"{i}.wav", tone(300 + 100 * i, amplitude=amplitude))
    made = prepare_clips(tmp_path / "clips", tmp_path / "out", lufs=-20.0, kind="wav")
    for clip in made.clips:
        assert loudness(served(tmp_path / "out", clip)) == pytest.approx(-20.0, abs=TOL_LU)
        assert clip.lufs + clip.gain_db == pytest.approx(-20.0, abs=TOL_LU)


def test_peaks_are_kept_below_their_limit_and_said(tmp_path):
    clicks = np.zeros((SAMPLE_RATE, 1), np.float32)
    clicks[::4000] = 0.9
    clicks += 0.002 * tone()
    write(tmp_path / "clips", "clicks.wav", clicks)
    made = prepare_clips(tmp_path / "clips", tmp_path / "out", lufs=-9.0, peak_dbtp=-1.0, kind="wav")
    assert true_peak(served(tmp_path / "out", made.clips[0])) <= -1.0 + 0.05
    assert "has peaks that leave it at" in made.warnings[0]


@pytest.mark.parametrize("kind", ["mp3", "flac", "wav"])
def test_every_format_keeps_rate_length_and_full_scale(kind, rng):
    noise = np.clip(0.3 * rng.standard_normal((SAMPLE_RATE, 2)), -0.99, 0.99).astype(np.float32)
    samples, rate = soundfile.read(io.BytesIO(encode(noise, kind)), always_2d=True)
    assert (rate, samples.shape) == (SAMPLE_RATE, noise.shape)


def test_an_mp3_tells_players_how_much_of_its_beginning_to_skip():
    assert b"LAME" in encode(tone(), "mp3")[:2000] or b"Lavc" in encode(tone(), "mp3")[:2000]


def test_what_a_coder_adds_to_peaks_is_taken_off(tmp_path):
    square = np.sign(tone(180, seconds=2)) * 0.999
    write(tmp_path / "clips", "square.wav", square)
    made = prepare_clips(tmp_path / "clips", tmp_path / "out", lufs=-9.0, peak_dbtp=-0.1, kind="mp3")
    assert np.abs(served(tmp_path / "out", made.clips[0], "mp3")).max() <= 1.0


def test_clips_get_one_length_the_commonest_and_differences_are_said(tmp_path):
    for name, seconds in (("a", 1.0), ("b", 1.0), ("short", 0.6), ("long", 1.5)):
        write(tmp_path / "clips", f"{name}.wav", tone(400 + 50 * len(name), seconds=seconds))
    made = prepare_clips(tmp_path / "clips", tmp_path / "out", kind="wav")
    assert made.clip_s == 1.0
    assert {len(served(tmp_path / "out", clip)) for clip in made.clips} == {SAMPLE_RATE}
    assert [line.split(";")[0] for line in made.warnings[:2]] == ["long: lasts 1.50 s", "short: lasts 0.60 s"]
    by_track = {clip.track: served(tmp_path / "out", clip) for clip in made.clips}
    assert not by_track["short"][round(0.61 * SAMPLE_RATE) :].any()
    assert abs(by_track["long"][-1, 0]) < 1e-3


def test_bad_clips_are_failures_and_stop_nothing(tmp_path):
    clips = tmp_path / "clips"
    write(clips, "good.wav", tone())
    write(clips, "silent.wav", np.zeros((SAMPLE_RATE, 1), np.float32))
    (clips / "text.mp3").write_text("not a sound")
    (clips / "empty.wav").write_bytes(b"")
    made = prepare_clips(clips, tmp_path / "out", kind="wav")
    assert [clip.track for clip in made.clips] == ["good"]
    assert [track for track, _ in made.failures] == ["empty", "silent", "text"]
    assert "silent" in dict(made.failures)["silent"]
    assert "empty" in dict(made.failures)["empty"]


def test_no_good_clip_at_all_is_an_error(tmp_path):
    write(tmp_path / "clips", "silent.wav", np.zeros((SAMPLE_RATE, 1), np.float32))
    with pytest.raises(SpecError, match=r"no clip can be used; the first, silent: is silent"):
        prepare_clips(tmp_path / "clips", tmp_path / "out")


def test_one_sound_under_two_names_is_said(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / "clips", f"{name}.wav", tone())
    made = prepare_clips(tmp_path / "clips", tmp_path / "out", kind="wav")
    assert made.warnings == ("a, b: the same sound under 2 names; a listener will call the second a repeat",)


def test_a_track_is_the_path_without_suffix_where_that_is_enough(tmp_path):
    for name in ("x/one.wav", "x/one.flac", "x/two.wav", ".hidden/three.wav", "two.wav"):
        write(tmp_path, name, tone(seconds=0.1))
    assert list(find_tracks(tmp_path)) == ["two", "x/one.flac", "x/one.wav", "x/two"]


def test_names_that_leave_the_server_say_nothing_of_the_track(tmp_path):
    write(tmp_path / "clips", "secret.wav", tone())
    ids = {prepare_clips(tmp_path / "clips", tmp_path / "out", kind="wav").clips[0].clip_id for _ in range(2)}
    assert len(ids) == 2
    assert all(len(name) == 16 and name.isalnum() and name == name.lower() for name in ids)


def test_stereo_stays_stereo_and_more_channels_become_one(tmp_path):
    for channels in (1, 2, 4):
        write(tmp_path / "clips", f"{channels}.wav", tone(channels=channels), 48_000)
    made = prepare_clips(tmp_path / "clips", tmp_path / "out", kind="wav")
    assert [served(tmp_path / "out", clip).shape[1] for clip in made.clips] == [1, 2, 1]


def test_normalising_does_not_change_what_it_is_given():
    samples = tone()
    samples.flags.writeable = False
    louder, before, gain_db = normalise(samples, lufs=-30.0, peak_dbtp=-1.0)
    assert before + gain_db == pytest.approx(-30.0)
    assert louder == pytest.approx(samples * 10 ** (gain_db / 20), abs=1e-6)


def test_practice_tunes_differ_and_two_come_back():
    tunes = [practice_tune(k, duration_s=1.0, sample_rate=8000) for k in range(4)]
    assert all(tune.shape == (8000, 1) and np.abs(tune).max() <= 0.5 for tune in tunes)
    for i in range(4):
        for k in range(i):
            assert abs(np.corrcoef(tunes[i][:, 0], tunes[k][:, 0])[0, 1]) < 0.5
    assert sum(k in PRACTICE_ORDER[:place] for place, k in enumerate(PRACTICE_ORDER)) == 2
