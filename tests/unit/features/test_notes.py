import importlib.util
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

from otoscope.audio import Waveform, resample
from otoscope.features import notes as notes_module
from otoscope.features.base import check_values, group_digest
from otoscope.features.melody import GROUP as MELODY
from otoscope.features.notes import Notes, describe_notes
from otoscope.features.sound import Sound
from otoscope.features.transcription import FRAME_RATE, NoteEvents, Posteriors, find_model
from otoscope.testing.music import draw_plan, play

RATE = 22_050
TUNE = (0, 4, 2, 7, 7, 9, 7, 12)
needs_model = pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None or find_model() is None,
    reason="onnxruntime or basic-pitch is not installed",
)


def sing(notes, duration_s):
    out = np.zeros(round(duration_s * RATE))
    for start_s, length_s, midi in notes:
        times = np.arange(round(length_s * RATE)) / RATE
        hz = 440 * 2 ** ((midi - 69) / 12)
        order = np.arange(1, 16)
        order = order[order * hz < 0.45 * RATE]
        wave = order**-1.5 @ np.sin(np.outer(order, 2 * np.pi * hz * times) + (order**2)[:, None])
        wave *= np.minimum(1, np.minimum(times / 0.01, (times[-1] - times) / 0.02)) * np.exp(-times)
        first = round(start_s * RATE)
        out[first : first + times.size] += wave
    return Waveform((0.1 * out).astype(np.float32), RATE, "tune")


def tune(*, semitones=0, note_s=0.35):
    return sing([(0.05 + note_s * i, note_s, 60 + step + semitones) for i, step in enumerate(TUNE)], 0.1 + 8 * note_s)


def measure(waveform):
    group = Notes()
    values = check_values(group, group.compute(Sound(waveform)), waveform.clip_id)
    return {feature.id.partition(".")[2]: value for feature, value in zip(group.features, values, strict=True)}


def given(*notes, n_frames=100):
    """Notes (first, end, pitch) with posteriors that are as plain as can be."""
    ordered = sorted(notes, key=lambda note: (note[0], note[2]))
    start, end, pitch = (np.array([note[i] for note in ordered], dtype=np.int64) for i in range(3))
    events = NoteEvents(start, end, pitch, np.ones(start.size, dtype=np.bool_), n_frames)
    contour = np.zeros((n_frames, 264), dtype=np.float32)
    contour[:, 1::3] = events.roll()
    values = events.roll().astype(np.float32)
    return events, Posteriors(0.5 * values, 0.75 * values, contour)


def test_the_group_names_26_features_of_its_own_and_can_be_sent_to_workers():
    group = Notes()
    assert len({feature.id for feature in group.features}) == len(group.features) == 26
    assert all(feature.group == group.name == "notes" for feature in group.features)
    assert pickle.loads(pickle.dumps(group)) == group
    assert group.licence.startswith("Apache-2.0")


def test_another_model_gives_another_digest(monkeypatch):
    before = group_digest(Notes())
    monkeypatch.setattr(notes_module, "model_version", lambda: "basic-pitch 99")
    assert group_digest(Notes()) != before


def test_what_is_missing_is_passed_on(monkeypatch):
    monkeypatch.setattr(notes_module, "missing_packages", lambda: "onnxruntime; install it with: pip install it")
    assert Notes().missing() == "onnxruntime; install it with: pip install it"


def test_given_notes_have_these_statistics():
    values = describe_notes(*given((0, 40, 48), (0, 20, 64), (20, 40, 67), (60, 70, 67), (61, 70, 71)))
    assert values["rate"] == pytest.approx(5 * FRAME_RATE / 100)
    assert values["height_mean"] == pytest.approx((40 * 48 + 20 * 64 + 30 * 67 + 9 * 71) / 99)
    assert values["top_mean"] == pytest.approx((20 * 64 + 21 * 67 + 9 * 71) / 50)
    assert values["bass_mean"] == pytest.approx((40 * 48 + 10 * 67) / 50)
    assert values["polyphony_mean"] == pytest.approx(99 / 50)
    assert values["polyphony_max"] == 2.0
    assert values["duration_mean"] == pytest.approx(np.mean(np.log2(np.array([40, 20, 20, 10, 9]) / FRAME_RATE)))
    assert values["gap_mean"] == pytest.approx(np.mean(np.log2(np.array([20, 40]) / FRAME_RATE)))
    assert values["empty_share"] == 0.5
    assert values["clarity"] == pytest.approx(0.5)
    assert values["attack"] == pytest.approx(0.75)
    assert values["bend"] == pytest.approx(np.log2(0.001))
    # The top line is 64, 67, 71: the second 67 is the highest for one frame in ten.
    assert values["repeat_share"] == 0.0
    assert values["interval_mean"] == 3.5
    assert values["rising_share"] == 1.0
    assert values["step_share"] == 0.0
    # Pairs without the last four frames: 48+64 for 16 frames, 48+67 for 16, 67+71 for 5.
    assert values["consonance"] == pytest.approx(1.0)
    assert values["octave_share"] == 0.0


@pytest.mark.parametrize(
    ("interval", "consonance", "octaves"),
    [(1, 0, 0), (3, 1, 0), (6, 0, 0), (7, 1, 0), (11, 0, 0), (12, math.nan, 1), (15, 1, 0), (24, math.nan, 1)],
)
def test_intervals_are_consonant_or_not(interval, consonance, octaves):
    values = describe_notes(*given((0, 40, 50), (0, 40, 50 + interval)))
    assert values["consonance"] == pytest.approx(consonance, nan_ok=True)
    assert values["octave_share"] == octaves


def test_notes_in_turn_are_no_pairs_although_their_ends_overlap():
    values = describe_notes(*given((0, 43, 60), (40, 80, 61)))
    assert math.isnan(values["consonance"])
    assert math.isnan(values["octave_share"])


def test_repeated_notes_are_counted():
    assert describe_notes(*given((0, 10, 60), (10, 20, 60), (20, 30, 60), (30, 40, 62)))["repeat_share"] == 2 / 3


def test_a_contour_that_moves_is_bent():
    events, posteriors = given((0, 100, 60))
    contour = np.zeros_like(posteriors.contour)
    column = 3 * (60 - 21) + 1
    contour[::2, column - 2] = 0.8
    contour[1::2, column + 2] = 0.8
    bent = describe_notes(events, replace(posteriors, contour=contour))["bend"]
    assert bent == pytest.approx(np.log2(2 / 3))


@pytest.mark.parametrize("semitones", [-12, 5])
def test_transposing_given_notes_moves_heights_and_nothing_else(rng, semitones):
    starts = rng.integers(0, 380, 30)
    notes = [(int(at), int(at) + 15, int(pitch)) for at, pitch in zip(starts, rng.permutation(30) + 50, strict=True)]
    here = describe_notes(*given(*notes, n_frames=400))
    there = describe_notes(*given(*((a, b, pitch + semitones) for a, b, pitch in notes), n_frames=400))
    for name, value in here.items():
        shift = semitones if name in ("height_mean", "top_mean", "bass_mean") else 0
        assert there[name] == pytest.approx(value + shift, nan_ok=True), name


@pytest.mark.parametrize("pitches", [(21,), (108,), (21, 108)])
def test_the_ends_of_the_keyboard_work(pitches):
    values = describe_notes(*given(*((0, 50, pitch) for pitch in pitches)))
    assert values["top_mean"] == max(pitches)
    assert values["bass_mean"] == min(pitches)


def test_without_notes_there_is_nothing_to_say():
    values = describe_notes(*given())
    assert values["rate"] == 0.0
    assert values["empty_share"] == 1.0
    assert all(math.isnan(value) for name, value in values.items() if name not in ("rate", "empty_share"))


@needs_model
def test_a_tune_is_described_by_its_notes():
    values = measure(tune())
    notes = 60 + np.array(TUNE)
    assert values["rate"] == pytest.approx(8 / 2.9, rel=0.01)
    for name in ("height_mean", "top_mean", "bass_mean"):
        assert values[name] == pytest.approx(notes.mean(), abs=0.4), name
    assert values["range"] == 12
    assert values["pitch_entropy"] == pytest.approx(2.41, abs=0.05)  # 67 three times, five others
    assert values["class_entropy"] == pytest.approx(2.16, abs=0.05)  # and the octave
    assert values["duration_mean"] == pytest.approx(np.log2(0.35), abs=0.15)
    assert values["gap_mean"] == pytest.approx(np.log2(0.35), abs=0.05)
    assert values["repeat_share"] == pytest.approx(1 / 7)
    assert values["interval_mean"] == pytest.approx((4 + 2 + 5 + 2 + 2 + 5) / 6)
    assert values["rising_share"] == pytest.approx(4 / 6)
    assert values["polyphony_mean"] < 1.2


@needs_model
@pytest.mark.parametrize("semitones", [-7, 5])
def test_transposing_sound_moves_the_heights_and_leaves_the_rest(semitones):
    here, there = measure(tune()), measure(tune(semitones=semitones))
    for name in ("height_mean", "top_mean", "bass_mean"):
        assert there[name] - here[name] == pytest.approx(semitones, abs=0.3), name
    for name in ("rate", "interval_mean", "step_share", "rising_share", "repeat_share"):
        assert there[name] == pytest.approx(here[name]), name
    for name in ("pitch_entropy", "class_entropy", "gap_mean", "polyphony_mean"):
        assert there[name] == pytest.approx(here[name], abs=0.1), name


@needs_model
def test_both_groups_hear_the_same_heights():
    plans = [draw_plan(5, index) for index in range(3)]
    ids = [feature.id.partition(".")[2] for feature in MELODY.features]
    for plan in plans:
        sound = Sound(play(plan, duration_s=2))
        melody = dict(zip(ids, MELODY.compute(sound), strict=True))
        notes = measure(play(plan, duration_s=2))
        assert melody["height_mean"] == pytest.approx(notes["height_mean"], abs=5)
        assert melody["pitch_entropy"] == pytest.approx(notes["pitch_entropy"], abs=0.8)


@needs_model
def test_the_level_and_the_company_change_nothing():
    waveform = tune()
    fainter = Waveform(waveform.samples * np.float32(0.1), RATE, "fainter")
    group = Notes()
    alone = group.compute(Sound(waveform))
    np.testing.assert_allclose(group.compute(Sound(fainter)), alone, rtol=1e-3, atol=1e-3)
    group.compute(Sound(play(draw_plan(0, 1), duration_s=1)))
    np.testing.assert_array_equal(group.compute(Sound(waveform)), alone)


@needs_model
def test_a_telephone_still_carries_the_tune():
    there, here = measure(resample(tune(), 8000)), measure(tune())
    assert there["bass_mean"] == pytest.approx(here["bass_mean"], abs=0.5)
    assert there["rate"] == pytest.approx(here["rate"], rel=0.15)


@needs_model
def test_clicks_and_noise_hold_hardly_a_note(rng):
    clicks = np.zeros(RATE, dtype=np.float32)
    clicks[::5000] = 0.5
    assert measure(Waveform(clicks, RATE, "clicks"))["empty_share"] == 1.0
    noise = Waveform((0.1 * rng.normal(size=2 * RATE)).astype(np.float32), RATE, "noise")
    assert measure(noise)["empty_share"] > 0.7
    assert measure(sing([(0, 0.5, 60)], 0.5))["height_mean"] == 60
