import math
import pickle

import numpy as np
import pytest

from otoscope.audio import Waveform, resample
from otoscope.features.base import check_values
from otoscope.features.melody import GROUP, describe_pitches, tuning
from otoscope.features.salience import PitchFrames
from otoscope.features.sound import Sound
from otoscope.testing.music import draw_plan, play

RATE = 22_050
TUNE = (0, 4, 2, 7, 5, 9, 7, 12)
FREE_OF_HEIGHT = ("interval_mean", "step_share", "rising_share", "interval_entropy", "return_share", "note_rate")


def sing(melody, *, note_s=0.35, gap_s=0.0, semitones=0.0):
    """A line of notes with short edges."""
    parts = []
    for midi in melody:
        times = np.arange(round(note_s * RATE)) / RATE
        hz = 440 * 2 ** ((midi + semitones - 69) / 12)
        order = np.arange(1, 13)
        order = order[order * hz < 0.45 * RATE]
        wave = (1 / order) @ np.sin(np.outer(order, 2 * np.pi * hz * times) + (order**2)[:, None])
        wave *= np.minimum(1, np.minimum(times, times[-1] - times) / 0.01)
        parts += [wave, np.zeros(round(gap_s * RATE))]
    return Waveform((0.1 * np.concatenate(parts)).astype(np.float32), RATE, "tune")


def measure(waveform):
    values = check_values(GROUP, GROUP.compute(Sound(waveform)), waveform.clip_id)
    return {feature.id.partition(".")[2]: value for feature, value in zip(GROUP.features, values, strict=True)}


def described(main, **others):
    """What is said of frames with these pitches, the further ones by name of no meaning."""
    columns = [np.asarray(main, dtype=float), *(np.asarray(other, dtype=float) for other in others.values())]
    pitches = np.full((len(main), 6), np.nan)
    pitches[:, : len(columns)] = np.stack(columns, axis=1)
    return describe_pitches(PitchFrames(pitches, np.full(len(main), 4.0)), duration_s=len(main) / 20)


def test_the_group_names_27_features_of_its_own_and_can_be_sent_to_workers():
    assert GROUP.missing() is None
    assert len({feature.id for feature in GROUP.features}) == len(GROUP.features) == 27
    assert all(feature.group == GROUP.name == "melody" for feature in GROUP.features)
    assert pickle.loads(pickle.dumps(GROUP)) == GROUP


def test_a_tune_is_described_by_its_notes():
    notes = 60 + np.array(TUNE)
    values = measure(sing(notes))
    moves = np.diff(notes)
    assert values["main_mean"] == pytest.approx(notes.mean(), abs=0.4)
    assert values["top_mean"] == pytest.approx(notes.mean(), abs=0.5)
    assert values["bass_mean"] == pytest.approx(notes.mean(), abs=0.5)
    assert values["range"] == pytest.approx(12, abs=0.2)
    assert values["interval_mean"] == pytest.approx(np.abs(moves).mean())
    assert values["rising_share"] == pytest.approx(np.mean(moves > 0))
    assert values["step_share"] == pytest.approx(np.mean(np.abs(moves) <= 2))
    assert values["pitch_entropy"] == pytest.approx(2.75, abs=0.1)  # seven pitches, one of them twice
    assert values["class_entropy"] == pytest.approx(2.5, abs=0.1)  # and the octave
    assert values["note_rate"] == pytest.approx(1 / 0.35, rel=0.01)
    assert values["drift"] == pytest.approx(notes[4:].mean() - notes[:4].mean(), abs=0.5)
    assert values["pitched_share"] > 0.95
    assert values["polyphony_mean"] < 1.3


@pytest.mark.parametrize("semitones", [-7, -0.4, 3, 12])
def test_transposing_moves_the_heights_and_leaves_the_rest(semitones):
    here, there = measure(sing(60 + np.array(TUNE))), measure(sing(60 + np.array(TUNE), semitones=semitones))
    for name in ("height_mean", "height_low", "height_high", "main_mean", "top_mean", "bass_mean"):
        assert there[name] - here[name] == pytest.approx(semitones, abs=0.35), name
    for name in FREE_OF_HEIGHT:
        assert there[name] == pytest.approx(here[name]), name
    for name in ("pitch_entropy", "class_entropy"):
        assert there[name] == pytest.approx(here[name], abs=0.12), name


def test_a_tune_backwards_falls_where_it_rose():
    there = measure(sing(60 + np.array(TUNE)))
    back = measure(sing(60 + np.array(TUNE[::-1])))
    assert back["rising_share"] == pytest.approx(1 - there["rising_share"])
    assert back["drift"] == pytest.approx(-there["drift"], abs=0.3)
    assert back["interval_mean"] == pytest.approx(there["interval_mean"])


def test_a_glide_is_steady_and_passes_every_semitone():
    times = np.arange(3 * RATE) / RATE
    turns = np.cumsum(220 * 2 ** (times / 3)) / RATE
    samples = np.sum([np.sin(2 * np.pi * order * turns) / order for order in range(1, 9)], axis=0)
    values = measure(Waveform((0.1 * samples).astype(np.float32), RATE, "glide"))
    assert values["steady_share"] > 0.97
    assert values["interval_mean"] == 1.0
    assert values["rising_share"] == 1.0
    assert values["drift"] == pytest.approx(6, abs=0.3)
    assert values["class_entropy"] == pytest.approx(np.log2(12), abs=0.1)


def test_vibrato_is_wavering_of_its_own_depth():
    times = np.arange(4 * RATE) / RATE
    depth = 0.3  # semitones; at 2 Hz the window of 186 ms sees most of it
    turns = np.cumsum(440 * 2 ** (depth * np.sin(2 * np.pi * 2 * times) / 12)) / RATE
    samples = np.sum([np.sin(2 * np.pi * order * turns) / order for order in range(1, 9)], axis=0)
    wavering = measure(Waveform((0.1 * samples).astype(np.float32), RATE, "vibrato"))["wavering"]
    assert wavering == pytest.approx(np.log2(100 * depth / np.sqrt(2)), abs=0.35)
    assert wavering > measure(sing([69], note_s=4))["wavering"] + 3


def test_chords_are_thicker_than_their_top_notes():
    chords = [sing(60 + step + np.array([0, 5, 0, 7]), note_s=0.7).samples for step in (0, 4, 7)]
    values = measure(Waveform(np.sum(chords, axis=0), RATE, "chords"))
    assert values["polyphony_mean"] == pytest.approx(3, abs=0.5)
    assert values["top_mean"] == pytest.approx(67 + 3, abs=1.2)
    assert values["bass_mean"] == pytest.approx(60 + 3, abs=1.2)


def test_silence_between_notes_counts_for_nothing():
    held, broken = measure(sing([60, 67, 60, 72])), measure(sing([60, 67, 60, 72], gap_s=0.4))
    for name in ("main_mean", "interval_mean", "rising_share", "return_share"):
        assert broken[name] == pytest.approx(held[name], abs=0.4), name


def test_noise_has_clarity_and_nothing_else(rng):
    values = measure(Waveform((0.1 * rng.normal(size=2 * RATE)).astype(np.float32), RATE, "noise"))
    assert values["pitched_share"] == 0.0
    assert values["clarity_mean"] < 6.0
    rest = {name for name, value in values.items() if not math.isnan(value)}
    assert rest == {"pitched_share", "clarity_mean", "clarity_std"}


def test_drums_between_the_notes_make_pitch_less_clear(rng):
    clean = sing(60 + np.array(TUNE))
    samples = clean.samples.copy()
    for start in range(0, samples.size - 3000, 7717):
        samples[start : start + 3000] += (0.4 * rng.normal(size=3000)).astype(np.float32)
    drummed, plain = measure(Waveform(samples, RATE, "drums")), measure(clean)
    assert drummed["pitched_share"] < plain["pitched_share"]
    assert drummed["clarity_mean"] < plain["clarity_mean"] - 2
    assert drummed["main_mean"] == pytest.approx(plain["main_mean"], abs=1.5)


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
def test_the_rate_of_the_file_hardly_matters(rate):
    tune = sing(60 + np.array(TUNE))
    there, here = measure(resample(tune, rate)), measure(tune)
    for name in ("main_mean", "top_mean", "height_mean"):
        assert there[name] == pytest.approx(here[name], abs=0.5), name


@pytest.mark.parametrize("level", [0.1, 3.0])
def test_the_level_changes_nothing(level):
    waveform = play(draw_plan(0, 3), duration_s=3)
    louder = Waveform(waveform.samples * np.float32(level), RATE, "louder")
    np.testing.assert_allclose(GROUP.compute(Sound(louder)), GROUP.compute(Sound(waveform)), rtol=1e-3, atol=1e-3)


def test_half_a_second_a_click_and_almost_nothing_can_be_described():
    assert measure(sing([60], note_s=0.5))["main_mean"] == pytest.approx(60, abs=0.1)
    click = np.zeros(RATE, dtype=np.float32)
    click[9000] = 0.5
    values = measure(Waveform(click, RATE, "click"))
    assert values["pitched_share"] == 0.0
    assert math.isnan(values["height_mean"])


def test_the_top_line_follows_the_lead_of_synthetic_music():
    plans = [draw_plan(1, index) for index in range(12)]
    top = [measure(play(plan, duration_s=3))["top_mean"] for plan in plans]
    assert np.corrcoef(top, [plan.height for plan in plans])[0, 1] > 0.8


def test_statistics_of_given_frames():
    nan = math.nan
    values = described(
        [60, 60, 60, 64, 64, nan, nan, 60, 60, 62.0], top=[72, 72, 72, nan, nan, nan, nan, 67, 67, nan]
    )
    assert values["top_mean"] == pytest.approx((3 * 72 + 2 * 64 + 2 * 67 + 62) / 8)
    assert values["bass_mean"] == pytest.approx((5 * 60 + 2 * 64 + 62) / 8)
    assert values["pitched_share"] == 0.8
    assert values["polyphony_mean"] == pytest.approx(13 / 8)
    assert values["note_rate"] == pytest.approx(3 / 0.5)  # 60, 64, 60; the last frame is too short for a note
    assert values["return_share"] == 1.0
    assert values["interval_mean"] == 4.0
    assert values["rising_share"] == 0.5
    assert values["steady_share"] == pytest.approx(4 / 6)
    assert values["clarity_mean"] == pytest.approx(20 * np.log10(4))


def test_a_note_taken_up_again_after_a_gap_is_the_same_note():
    nan = math.nan
    assert described([60, 60, nan, 60, 60, 62, 62])["note_rate"] == pytest.approx(2 / 0.35)


def test_wavering_is_taken_about_the_line_of_a_glide():
    line = 60 + 0.1 * np.arange(20)
    assert described(line)["wavering"] == pytest.approx(np.log2(0.1))
    bent = line + 0.02 * (-1.0) ** np.arange(20)
    assert described(bent)["wavering"] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("offset", [-0.45, -0.2, 0.0, 0.31])
def test_the_tuning_is_found_and_taken_off(offset):
    steps = np.array([60, 62, 64, 65, 67, 69, 71]) + offset
    assert tuning(steps) == pytest.approx(offset)
    unsteady = np.concatenate([steps - 0.2, steps, steps + 0.2])
    assert described(unsteady)["pitch_entropy"] == pytest.approx(np.log2(7))
