import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import hilbert

from otoscope.audio import Waveform, cut_segments, shift_pitch
from otoscope.errors import SpecError
from otoscope.testing import signals

TOL_CENTS = 10
TOL_CLOCK_S = 0.04  # less than half a window of the vocoder
TOL_RMS = 1e-5  # relative


def strongest_hz(waveform, start_s, end_s):
    """Give the frequency of the highest peak of the spectrum between two times, between bins by a parabola."""
    rate = waveform.sample_rate
    piece = waveform.samples[round(start_s * rate) : round(end_s * rate)].astype(np.float64)
    n_fft = 8 * piece.size
    level = np.log(np.abs(np.fft.rfft(piece * np.hanning(piece.size), n_fft)) + 1e-12)
    peak = int(np.argmax(level[1:-1])) + 1
    left, middle, right = level[peak - 1 : peak + 2]
    return (peak + 0.5 * (left - right) / (left - 2 * middle + right)) * rate / n_fft


def cents(hz, reference_hz):
    return 1200 * np.log2(hz / reference_hz)


def rms(waveform):
    return np.sqrt(np.mean(np.square(waveform.samples, dtype=np.float64)))


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100])
@pytest.mark.parametrize("semitones", [-12, -5, -1, 0.5, 2, 5, 12])
def test_a_shifted_tone_has_the_frequency_asked_for(rate, semitones):
    tone = signals.tone(440.0, duration_s=2.0, sample_rate=rate, n_harmonics=1)
    shifted = shift_pitch(tone, semitones)
    assert abs(cents(strongest_hz(shifted, 0.3, 1.7), 440 * 2 ** (semitones / 12))) < TOL_CENTS
    assert shifted.samples.size == tone.samples.size
    assert (shifted.sample_rate, shifted.clip_id, shifted.samples.dtype) == (rate, tone.clip_id, np.float32)
    assert rms(shifted) == pytest.approx(rms(tone), rel=TOL_RMS)


@pytest.mark.parametrize(("start_hz", "end_hz"), [(300.0, 600.0), (600.0, 300.0)])
@pytest.mark.parametrize("semitones", [-5, 4])
def test_a_shifted_chirp_keeps_its_clock(start_hz, end_hz, semitones):
    rate = 22_050
    chirp, true_hz = signals.chirp(start_hz, end_hz=end_hz, duration_s=3.0, sample_rate=rate, n_harmonics=1)
    phase = np.unwrap(np.angle(hilbert(shift_pitch(chirp, semitones).samples.astype(np.float64))))
    for start, end in ((0.4, 0.9), (1.25, 1.75), (2.1, 2.6)):
        first, last = round(start * rate), round(end * rate)
        got = (phase[last] - phase[first]) / (2 * np.pi) / (last - first) * rate
        wanted = np.mean(true_hz(np.arange(first, last) / rate)) * 2 ** (semitones / 12)
        slope = cents(end_hz, start_hz) / 3.0
        assert abs(cents(got, wanted) / slope) < TOL_CLOCK_S


def test_partials_keep_their_ratios():
    tone = signals.tone(220.0, duration_s=2.0, sample_rate=22_050, n_harmonics=3)
    spectrum = np.abs(np.fft.rfft(shift_pitch(tone, 4).samples[8_000:30_050] * np.hanning(22_050)))
    peaks = np.flatnonzero((spectrum[1:-1] > spectrum[:-2]) & (spectrum[1:-1] > spectrum[2:])) + 1
    strong = np.sort(peaks[np.argsort(spectrum[peaks])[-3:]])
    np.testing.assert_allclose(strong, 220 * 2 ** (4 / 12) * np.array([1, 2, 3]), atol=1.5)


def test_no_shift_gives_the_same_object():
    tone = signals.tone(200.0)
    assert shift_pitch(tone, 0) is tone
    assert shift_pitch(tone, 0.0) is tone


def test_what_leaves_the_band_does_not_become_loud_noise():
    high = signals.tone(7_000.0, duration_s=1.0, sample_rate=16_000, n_harmonics=1)
    assert rms(shift_pitch(high, 12)) < 0.1 * rms(high)


@pytest.mark.parametrize("n", [1, 5, 1_000])
def test_short_clips_are_shifted_too(n, rng):
    clip = Waveform(rng.standard_normal(n).astype(np.float32), 16_000, "short")
    assert shift_pitch(clip, -3).samples.size == n


def test_silence_stays_silent():
    clip = Waveform(np.zeros(8_000, dtype=np.float32), 16_000, "nothing")
    np.testing.assert_array_equal(shift_pitch(clip, 3).samples, 0)


def test_shifting_is_deterministic_and_leaves_the_clip_alone():
    tone = signals.tone(200.0)
    kept = tone.samples.copy()
    np.testing.assert_array_equal(shift_pitch(tone, 3).samples, shift_pitch(tone, 3).samples)
    np.testing.assert_array_equal(tone.samples, kept)


@pytest.mark.parametrize("semitones", [12.1, -13, np.nan, np.inf])
def test_more_than_an_octave_is_refused(semitones):
    with pytest.raises(SpecError, match=r"shift_pitch: .* -12 to 12 semitones"):
        shift_pitch(signals.tone(200.0), semitones)


def test_five_seconds_give_nine_segments_of_one():
    clip = Waveform(np.arange(110_250, dtype=np.float32), 22_050, "clip")
    segments = cut_segments(clip, length_s=1.0, hop_s=0.5)
    assert [int(segment.samples[0]) for segment in segments] == [i * 11_025 for i in range(9)]
    assert {segment.samples.size for segment in segments} == {22_050}
    assert {segment.clip_id for segment in segments} == {"clip"}


@given(n=st.integers(1, 3_000), length=st.integers(1, 900), hop=st.integers(1, 900))
def test_segments_are_counted_and_placed_by_whole_samples(n, length, hop):
    clip = Waveform(np.arange(n, dtype=np.float32), 1_000, "clip")
    segments = cut_segments(clip, length_s=length / 1_000, hop_s=hop / 1_000)
    if n < length:
        assert len(segments) == 1
        assert segments[0] is clip
        return
    assert len(segments) == 1 + (n - length) // hop
    for i, segment in enumerate(segments):
        np.testing.assert_array_equal(segment.samples, np.arange(i * hop, i * hop + length))
    assert n - (segments[-1].samples[-1] + 1) < hop


@pytest.mark.parametrize(
    ("length_s", "hop_s", "name"), [(0, 0.5, "length_s"), (1, -1, "hop_s"), (np.nan, 1, "length")]
)
def test_segments_without_a_sample_are_refused(length_s, hop_s, name):
    with pytest.raises(SpecError, match=f"cut_segments: {name}"):
        cut_segments(signals.tone(200.0), length_s=length_s, hop_s=hop_s)
