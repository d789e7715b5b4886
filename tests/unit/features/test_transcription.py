import importlib.util
import pickle
import sys

import numpy as np
import pytest

from otoscope.errors import MissingExtraError
from otoscope.features import transcription
from otoscope.features.transcription import (
    FRAME_RATE,
    LOWEST,
    NoteEvents,
    Posteriors,
    decode_notes,
    find_model,
    missing_packages,
    model_version,
    note_posteriors,
)

RATE = 22_050
needs_model = pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None or find_model() is None,
    reason="onnxruntime or basic-pitch is not installed",
)


def sing(notes, duration_s):
    """Notes (start in seconds, length in seconds, MIDI number) that fade, at the level that features have."""
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
    return (0.1 * out / np.sqrt(np.mean(np.square(out)))).astype(np.float32)


def heard(samples):
    notes = decode_notes(note_posteriors(samples))
    return list(zip(notes.start / FRAME_RATE, notes.end / FRAME_RATE, notes.pitch.tolist(), strict=True))


def drawn(n_frames, *, note=(), onset=()):
    """Posteriors with given stretches (first, end, pitch, value) and onsets (frame, pitch, value)."""
    values = Posteriors(*(np.zeros((n_frames, width), dtype=np.float32) for width in (88, 88, 264)))
    for first, end, pitch, value in note:
        values.note[first:end, pitch - LOWEST] = value
    for frame, pitch, value in onset:
        values.onset[frame, pitch - LOWEST] = value
    return values


def decoded(posteriors):
    notes = decode_notes(posteriors)
    return list(
        zip(notes.start.tolist(), notes.end.tolist(), notes.pitch.tolist(), notes.struck.tolist(), strict=True)
    )


def test_a_stretch_above_the_threshold_is_a_note():
    assert decoded(drawn(50, note=[(10, 30, 60, 0.31)])) == [(10, 30, 60, False)]
    assert decoded(drawn(50, note=[(10, 30, 60, 0.3)])) == []


@pytest.mark.parametrize(("gap", "notes"), [(11, 1), (12, 2)])
def test_a_gap_of_128_ms_is_bridged_and_no_longer_one(gap, notes):
    assert len(decoded(drawn(80, note=[(10, 30, 60, 0.5), (30 + gap, 60, 60, 0.5)]))) == notes


def test_onsets_divide_a_stretch():
    posteriors = drawn(60, note=[(10, 50, 60, 0.5)], onset=[(10, 60, 0.7), (30, 60, 0.5), (40, 60, 0.49)])
    assert decoded(posteriors) == [(10, 30, 60, True), (30, 50, 60, True)]


def test_an_onset_shortly_before_the_stretch_begins_its_note_and_an_earlier_one_does_not():
    assert decoded(drawn(60, note=[(10, 17, 60, 0.5)], onset=[(8, 60, 0.7)])) == [(10, 17, 60, True)]
    assert decoded(drawn(60, note=[(10, 17, 60, 0.5)], onset=[(7, 60, 0.7)])) == []


@pytest.mark.parametrize(("length", "struck", "kept"), [(5, True, 0), (6, True, 1), (10, False, 0), (11, False, 1)])
def test_struck_notes_may_be_shorter_than_others(length, struck, kept):
    onset = [(20, 60, 0.9)] if struck else []
    assert len(decoded(drawn(60, note=[(20, 20 + length, 60, 0.5)], onset=onset))) == kept


def test_of_neighbouring_onsets_only_the_peak_counts():
    posteriors = drawn(60, note=[(10, 50, 60, 0.5)], onset=[(29, 60, 0.6), (30, 60, 0.8), (31, 60, 0.7)])
    assert [start for start, _, _, struck in decoded(posteriors) if struck] == [30]


def test_notes_are_sorted_and_fill_the_roll():
    posteriors = drawn(60, note=[(30, 50, 50, 0.5), (10, 40, 70, 0.5), (10, 25, 40, 0.9), (0, 60, 108, 0.9)])
    notes = decode_notes(posteriors)
    assert notes.pitch.tolist() == [108, 40, 70, 50]
    np.testing.assert_array_equal(notes.roll(), posteriors.note > 0.3)


def test_no_note_is_no_error():
    notes = decode_notes(drawn(7))
    assert notes.start.size == 0
    assert notes.roll().shape == (7, 88)


def test_what_is_missing_is_named_with_the_commands_that_install_it(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(transcription, "find_spec", lambda name: None if name == "onnxruntime" else found(name))
    monkeypatch.setattr(transcription, "find_model", lambda: None)
    assert missing_packages() == (
        "onnxruntime and basic-pitch with its nmp.onnx; "
        "install it with: pip install onnxruntime && pip install --no-deps basic-pitch"
    )
    with pytest.raises(MissingExtraError, match="pip install --no-deps basic-pitch") as error:
        note_posteriors(np.zeros(9, dtype=np.float32))
    assert error.value.package == "onnxruntime and basic-pitch with its nmp.onnx"


def test_a_wheel_without_the_model_counts_as_missing(monkeypatch, tmp_path):
    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(transcription, "find_spec", lambda _: Spec())
    assert find_model() is None
    assert missing_packages() == ("basic-pitch with its nmp.onnx; install it with: pip install --no-deps basic-pitch")
    path = tmp_path / "saved_models" / "icassp_2022" / "nmp.onnx"
    path.parent.mkdir(parents=True)
    path.touch()
    assert find_model() == path
    assert missing_packages() is None


def test_the_version_says_where_there_is_no_model(monkeypatch):
    def absent(name):
        raise transcription.PackageNotFoundError(name)

    monkeypatch.setattr(transcription, "version", absent)
    assert model_version() == "without basic-pitch"


@needs_model
def test_the_model_is_found_without_importing_its_package():
    assert find_model() is not None
    assert missing_packages() is None
    note_posteriors(sing([(0, 0.5, 60)], 0.5))
    assert "basic_pitch" not in sys.modules


@needs_model
@pytest.mark.parametrize("n_samples", [11_025, 43_844, 43_845, 72_704, 110_250])
def test_there_is_a_frame_for_every_256_samples_begun(n_samples):
    posteriors = note_posteriors(sing([(0, 0.4, 60)], n_samples / RATE))
    shapes = [values.shape for values in (posteriors.note, posteriors.onset, posteriors.contour)]
    assert shapes == [(-(-n_samples // 256), width) for width in (88, 88, 264)]


@needs_model
def test_a_scale_across_windows_comes_out_note_by_note():
    truth = [(0.1 + 0.35 * i, 0.45 + 0.35 * i, 60 + step) for i, step in enumerate((0, 2, 4, 5, 7, 9, 11, 12, 11, 9))]
    found = heard(sing([(start, 0.35, midi) for start, _, midi in truth], 3.8))
    assert [midi for *_, midi in found] == [midi for *_, midi in truth]
    for (start, end, _), (true_start, true_end, _) in zip(found, truth, strict=True):
        assert start == pytest.approx(true_start, abs=0.03)
        assert end == pytest.approx(true_end, abs=0.06)


@needs_model
def test_chords_come_out_whole_with_no_more_than_a_flicker_beside():
    chords = ((48, 55, 64), (53, 60, 69), (55, 62, 71))
    found = heard(sing([(0.1 + i, 0.9, midi) for i, chord in enumerate(chords) for midi in chord], 3.2))
    lasting = [midi for start, end, midi in found if end - start > 0.2]
    assert sorted(lasting) == sorted(midi for chord in chords for midi in chord)
    assert len(found) - len(lasting) <= len(chords)


@needs_model
def test_fast_repeated_notes_are_told_apart():
    found = heard(sing([(0.1 + 0.125 * i, 0.11, 64) for i in range(12)], 1.8))
    assert [midi for *_, midi in found] == [64] * 12


@needs_model
def test_octaves_in_turn_are_not_confused():
    assert [midi for *_, midi in heard(sing([(0.1, 0.5, 48), (0.7, 0.5, 60), (1.3, 0.5, 72)], 2.0))] == [48, 60, 72]


@needs_model
def test_a_note_at_the_seam_of_two_windows_is_one_note():
    seam = 157 / FRAME_RATE
    found = heard(sing([(seam - 0.6, 1.2, 62)], 3.0))
    assert len(found) == 1
    assert found[0][:2] == pytest.approx((seam - 0.6, seam + 0.6), abs=0.06)


@needs_model
def test_windows_agree_with_one_another_where_they_meet():
    samples = sing([(0.05 + 0.2 * i, 0.3, 55 + (7 * i) % 24) for i in range(20)], 4.5)
    whole, late = note_posteriors(samples), note_posteriors(samples[60 * 256 :])
    assert np.abs(whole.note[75:] - late.note[15:]).mean() < 0.01
    moved = note_posteriors(samples[142 * 256 :])
    np.testing.assert_allclose(whole.note[157:], moved.note[15:], atol=1e-6)


@needs_model
def test_a_quiet_stretch_holds_no_notes():
    samples = np.concatenate([sing([(0, 1, 60)], 1), 2e-4 * sing([(0, 3, 67)], 3)]).astype(np.float32)
    assert {midi for *_, midi in heard(samples)} == {60}


@needs_model
def test_the_session_is_made_once():
    samples = sing([(0, 0.5, 60)], 0.5)
    note_posteriors(samples)
    before = transcription._session.cache_info()
    note_posteriors(samples)
    after = transcription._session.cache_info()
    assert (after.misses, after.hits) == (before.misses, before.hits + 1)


def test_notes_can_be_sent_to_workers():
    notes = NoteEvents(np.arange(3), np.arange(3) + 1, np.arange(3) + 2, np.ones(3, dtype=np.bool_), 9)
    assert pickle.loads(pickle.dumps(notes)).pitch.tolist() == [2, 3, 4]
