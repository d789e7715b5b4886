import numpy as np
import pytest
from scipy.signal import hilbert
from scipy.signal.windows import tukey

from otoscope.errors import SpecError
from otoscope.testing.signals import chirp, noise, silence, speechlike, tone

TOL_PHASE = 1e-3  # relative error of a frequency read off the phase of an analytic signal
RATE = 16_000


def frequency(samples, rate):
    """The instantaneous frequency of a sine, in hertz, at the midpoints between samples."""
    phase = np.unwrap(np.angle(hilbert(samples * tukey(samples.size, 0.2))))
    return np.diff(phase) * rate / (2 * np.pi)


@pytest.mark.parametrize(("start_hz", "end_hz"), [(100.0, 400.0), (400.0, 100.0), (150.0, 150.0)])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_a_chirps_fundamental_has_the_frequency_that_its_closed_form_says(start_hz, end_hz, rate):
    waveform, true_hz = chirp(start_hz, end_hz=end_hz, duration_s=1.5, sample_rate=rate, n_harmonics=1)
    middle = (np.arange(waveform.samples.size - 1) + 0.5) / rate
    inner = (middle > 0.2) & (middle < 1.3)
    ratio = frequency(waveform.samples, rate)[inner] / true_hz(middle[inner])
    assert np.abs(ratio - 1).max() < TOL_PHASE


def test_a_chirp_glides_by_equal_intervals_in_equal_times_and_ends_where_it_should():
    _, true_hz = chirp(110.0, end_hz=440.0, duration_s=2.0)
    octaves = np.log2(true_hz(np.linspace(0, 2, 9)) / 110)
    np.testing.assert_allclose(octaves, np.linspace(0, 2, 9), atol=1e-12)
    assert np.isnan(true_hz([-0.01, 2.01])).all()


def test_every_harmonic_of_a_chirp_glides_with_it():
    waveform, _ = chirp(100.0, end_hz=300.0, duration_s=1.0, n_harmonics=4)
    one, _ = chirp(100.0, end_hz=300.0, duration_s=1.0, n_harmonics=1)
    phase = np.unwrap(np.angle(hilbert(one.samples.astype(float))))
    rebuilt = sum(np.cos(k * phase) / k for k in range(1, 5))
    inner = slice(2_000, 14_000)
    scale = waveform.samples[inner] @ rebuilt[inner] / (rebuilt[inner] @ rebuilt[inner])
    assert np.abs(waveform.samples[inner] / scale - rebuilt[inner]).max() < 0.03


@pytest.mark.parametrize("f0_hz", [80.0, 200.0, 310.0])
def test_a_tone_holds_its_harmonics_and_nothing_else(f0_hz):
    waveform = tone(f0_hz, n_harmonics=5)  # one second: bins are 1 Hz apart, and these frequencies are bins
    power = np.abs(np.fft.rfft(waveform.samples.astype(float))) ** 2
    found = np.flatnonzero(power > 1e-6 * power.max())
    assert found.tolist() == [round(f0_hz * k) for k in range(1, 6)]
    amplitudes = np.sqrt(power[found] / power[found[0]])
    np.testing.assert_allclose(amplitudes, 1 / np.arange(1, 6), rtol=1e-4)


def test_no_partial_reaches_half_the_sample_rate():
    waveform = tone(900.0, sample_rate=8_000)
    power = np.abs(np.fft.rfft(waveform.samples.astype(float))) ** 2
    assert np.flatnonzero(power > 1e-6 * power.max()).max() == 3_600


@pytest.mark.parametrize("peak", [0.1, 0.5, 1.0])
def test_the_peak_is_the_one_asked_for(peak):
    for waveform in (
        tone(120.0, peak=peak),
        chirp(100.0, end_hz=200.0, peak=peak)[0],
        noise(0, peak=peak),
        speechlike(0, peak=peak)[0],
    ):
        assert np.abs(waveform.samples).max() == pytest.approx(peak, rel=1e-6)


def test_silence_does_not_move():
    assert silence(0.5, offset=0.25).samples.tolist() == [0.25] * 8_000
    assert silence(0.5).is_silent()


def test_equal_seeds_give_equal_signals_and_others_do_not():
    for make in (lambda seed: speechlike(seed)[0], noise):
        assert make(3).digest() == make(3).digest()
        assert make(3).digest() != make(4).digest()


@pytest.mark.parametrize("seed", range(8))
def test_speechlike_keeps_its_promises_about_f0(seed):
    waveform, true_hz, voiced = speechlike(seed)
    times = np.arange(0, 4.0, 0.001)
    f0_hz, inside = true_hz(times), voiced(times)
    assert waveform.duration_s == 4.0
    assert np.array_equal(np.isnan(f0_hz), ~inside)
    assert 0.4 < inside.mean() < 0.8
    assert np.nanmin(f0_hz) >= 90
    assert np.nanmax(f0_hz) <= 300
    octaves_per_s = np.abs(np.diff(np.log2(f0_hz))) / 0.001
    assert np.nanmax(octaves_per_s) <= 2.0 + 1e-6  # a jump at a corner would be far above
    assert not voiced([0.05, 3.99]).any()


@pytest.mark.parametrize("seed", range(4))
def test_speechlike_repeats_itself_after_one_true_period_and_not_after_another(seed):
    waveform, true_hz, voiced = speechlike(seed, noise_db=-80)
    clock = np.arange(waveform.samples.size) / RATE
    checked = 0
    for start_s in np.arange(0.1, 3.8, 0.05):
        if not voiced([start_s - 0.015, start_s + 0.035]).all():
            continue
        at = start_s + np.arange(320) / RATE
        here = np.interp(at, clock, waveform.samples)

        def alike(periods, at=at, here=here):
            there = np.interp(at + periods / true_hz(at), clock, waveform.samples)
            return here @ there / np.sqrt((here @ here) * (there @ there))

        if np.isfinite(alike(1.0)):
            checked += 1
            assert alike(1.0) > 0.9
            assert alike(1.0) > alike(1.12)
            assert alike(1.0) > alike(0.88)
    assert checked > 10


def test_the_unvoiced_parts_of_speechlike_have_no_harmonics_to_find():
    waveform, _, voiced = speechlike(2)
    times = np.arange(waveform.samples.size) / RATE
    levels = [np.sqrt(np.mean(waveform.samples[part] ** 2)) for part in (voiced(times), ~voiced(times))]
    assert levels[0] > 3 * levels[1]
    assert levels[1] > 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: tone(0.0), "f0_hz is 0.0 Hz"),
        (lambda: tone(float("nan")), "finite and above 0"),
        (lambda: tone(9_000.0), "0.45 of the sample rate is the most"),
        (lambda: tone(200.0, n_harmonics=40), "n_harmonics is 40; 1 to 36"),
        (lambda: tone(200.0, duration_s=0.0), "holds no sample"),
        (lambda: tone(200.0, peak=0.0), "peak is 0.0"),
        (lambda: chirp(100.0, end_hz=-1.0), "end_hz is -1.0 Hz"),
        (lambda: speechlike(0, duration_s=0.5), "at least 1 s"),
        (lambda: silence(-1.0), "holds no sample"),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_reason(make, said):
    with pytest.raises(SpecError, match=said):
        make()
