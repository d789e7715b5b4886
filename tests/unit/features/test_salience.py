import numpy as np
import pytest

from otoscope.features.salience import (
    CLEAR,
    FRAME_RATE,
    HOP,
    LOWEST,
    MARGIN,
    PER_SEMITONE,
    WINDOW,
    _pitch_spectrum,
    find_pitches,
    pitch_salience,
)

RATE = 22_050
TOL_ST = 0.06  # semitones: half a bin of the pitch axis and a little


def note(midi, duration_s=0.6, tilt_db=-6.0):
    """Partials of constant level, with phases that make no pulse."""
    times = np.arange(round(duration_s * RATE)) / RATE
    hz = 440 * 2 ** ((midi - 69) / 12)
    order = np.arange(1, 21)
    order = order[order * hz < 0.45 * RATE]
    phases = np.outer(order, 2 * np.pi * hz * times) + (order**2)[:, None]
    return (10 ** (tilt_db * np.log2(order) / 20)) @ np.sin(phases)


def levelled(samples):
    return (0.1 * samples / np.sqrt(np.mean(np.square(samples)))).astype(np.float32)


def middle(samples):
    """The pitches of the frame in the middle, lowest first."""
    pitches = find_pitches(levelled(samples)).pitches
    return np.sort(pitches[len(pitches) // 2][~np.isnan(pitches[len(pitches) // 2])])


@pytest.mark.parametrize("midi", [29, 36.4, 43.1, 52, 60.25, 69, 77.7, 88, 97])
@pytest.mark.parametrize("tilt_db", [-3.0, -9.0, -15.0])
def test_a_single_tone_gives_its_pitch_and_no_other(midi, tilt_db):
    assert middle(note(midi, tilt_db=tilt_db)) == pytest.approx([midi], abs=TOL_ST)


@pytest.mark.parametrize("midi", [45, 60.3, 92])
def test_a_sine_has_the_pitch_of_its_frequency(midi):
    assert middle(note(midi, tilt_db=-300)) == pytest.approx([midi], abs=TOL_ST)


def test_a_missing_fundamental_is_heard():
    samples = sum(np.sin(2 * np.pi * 200 * order * np.arange(RATE) / RATE + order**2) for order in range(2, 9))
    assert middle(samples) == pytest.approx([69 + 12 * np.log2(200 / 440)], abs=TOL_ST)


@pytest.mark.parametrize("chord", [(48, 52, 55), (60, 64, 67), (57, 60, 64), (50, 65), (36, 76), (60, 61)])
def test_the_notes_of_a_chord_are_found(chord):
    found = middle(sum(note(midi) for midi in chord))
    assert found == pytest.approx(list(chord), abs=0.15)


def test_a_loud_bass_does_not_hide_the_top_line():
    assert middle(3 * note(36, tilt_db=-9) + note(79, tilt_db=-9)) == pytest.approx([36, 79], abs=0.1)


def test_a_whistle_above_the_range_has_no_pitch_in_it():
    assert middle(np.sin(2 * np.pi * 9000 * np.arange(RATE) / RATE)).size == 0


@pytest.mark.parametrize("colour", [0.0, 0.5, 1.0])
def test_noise_has_no_clear_pitch(rng, colour):
    spectrum = np.fft.rfft(rng.normal(size=2 * RATE))
    samples = np.fft.irfft(spectrum / (1 + np.arange(spectrum.size)) ** colour)
    frames = find_pitches(levelled(samples))
    assert frames.clear.mean() < 0.03
    assert np.median(frames.clarity) < CLEAR - 0.5


def test_noise_6_db_below_a_tone_adds_no_pitches(rng):
    samples = note(60, 1.5, tilt_db=-12)
    frames = find_pitches(levelled(samples + 0.5 * np.std(samples) * rng.normal(size=samples.size)))
    assert frames.clear.mean() > 0.9
    assert np.sum(~np.isnan(frames.pitches)) < 1.1 * np.sum(frames.clear)


def test_pitches_are_finer_than_the_bins_of_the_axis(rng):
    errors = [middle(note(midi))[0] - midi for midi in rng.uniform(45, 80, 20)]
    assert np.sqrt(np.mean(np.square(errors))) < 0.6 * 0.1 / np.sqrt(12)


def test_a_partial_between_two_bins_is_as_strong_as_one_on_a_bin():
    heights = []
    for column in (200.0, 200.25, 200.5):
        samples = np.sin(2 * np.pi * column / WINDOW * np.arange(WINDOW)) * np.hanning(WINDOW + 1)[:-1]
        amplitude = np.abs(np.fft.rfft(samples)).astype(np.float32)
        heights.append(_pitch_spectrum(amplitude[None]).max())
    assert heights == pytest.approx([heights[0]] * 3, rel=0.015)


def test_a_click_has_no_pitch_at_all():
    samples = np.zeros(RATE)
    samples[RATE // 2] = 1.0
    frames = find_pitches(levelled(samples))
    assert not frames.clear.any()
    assert set(frames.clarity[~np.isnan(frames.clarity)]) == {1.0}


def test_quiet_frames_are_left_out():
    samples = np.concatenate([note(60), 1e-3 * note(60)])
    frames = find_pitches(levelled(samples))
    assert frames.clear[:12].all()
    assert np.isnan(frames.clarity[-10:]).all()
    assert not frames.clear[-10:].any()


def test_frames_are_centred_where_they_say():
    samples = np.concatenate([note(60, 1.0), note(67, 1.0)])
    strongest = find_pitches(levelled(samples)).pitches[:, 0]
    change = np.flatnonzero(np.diff(np.round(strongest)))[0] + 0.5
    assert change / FRAME_RATE == pytest.approx(1.0, abs=1.5 / FRAME_RATE)


@pytest.mark.parametrize("n_samples", [1, HOP, HOP + 1, 11_025])
def test_there_is_a_frame_for_every_hop_begun(n_samples):
    frames = find_pitches(levelled(note(60)[100 : 100 + n_samples]))
    assert frames.pitches.shape == (-(-n_samples // HOP), 6)


def test_the_level_changes_nothing():
    samples = levelled(note(60) + note(64) + note(67))
    one, other = find_pitches(samples), find_pitches(samples * np.float32(0.125))
    np.testing.assert_allclose(one.pitches, other.pitches, atol=1e-4)


def test_a_long_signal_is_described_in_blocks_like_a_short_one():
    once = levelled(note(60, 512 / FRAME_RATE))[: 512 * HOP]
    frames = find_pitches(np.tile(once, 2))
    assert len(frames.pitches) == 1024
    np.testing.assert_allclose(frames.pitches[4:508, 0], 60, atol=TOL_ST)
    np.testing.assert_allclose(frames.pitches[516:1020, 0], 60, atol=TOL_ST)


def test_salience_is_the_weighted_sum_over_harmonics():
    spectrum = np.zeros((1, 721 + 430 + 2 * MARGIN), dtype=np.float32)
    pitch = 45
    for order in range(1, 13):
        place = round((pitch - LOWEST + 12 * np.log2(order)) * PER_SEMITONE)
        spectrum[0, MARGIN + place] = 1.0
    salience = pitch_salience(spectrum)[0]
    assert salience.argmax() == (pitch - LOWEST) * PER_SEMITONE
    assert salience.max() == pytest.approx((1 - 0.86**12) / (1 - 0.86), rel=1e-5)
    below = salience[(pitch - 12 - LOWEST) * PER_SEMITONE]  # every second harmonic is there
    assert below == pytest.approx(sum(0.86 ** (2 * order - 1) for order in range(1, 7)), rel=1e-5)
