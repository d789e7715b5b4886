import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.signal import freqs_zpk, resample_poly

from otoscope.errors import SpecError
from otoscope.testing.contours import Contour, contours_of, scatter_of
from otoscope.testing.glottal import VOWELS, LFPulse, pulse_train, vowel_response
from otoscope.testing.speaking import Stretch, speak
from otoscope.testing.voices import bursts, glide, voice_set, vowels

RATE = 16_000
TOL_DB = 0.1

hertz = st.floats(40.0, 800.0)


@st.composite
def contours(draw):
    spans = draw(st.lists(st.floats(0.05, 1.0), min_size=1, max_size=4))
    hz = draw(st.lists(hertz, min_size=len(spans) + 1, max_size=len(spans) + 1))
    start = draw(st.floats(0.0, 3.0))
    return Contour(tuple(np.cumsum([start, *spans]).tolist()), tuple(hz))


@given(contours())
def test_cycles_are_the_integral_of_the_f0_and_time_of_is_their_inverse(contour):
    for end in contour.times_s[1:]:
        inner = [at for at in contour.times_s if at < end]
        area = quad(lambda t: float(contour.true_hz(t)), contour.start_s, end, points=inner, limit=200)[0]
        assert float(contour.cycles(end)) == pytest.approx(area, rel=1e-8)
    times = np.linspace(contour.start_s, contour.end_s, 50)
    np.testing.assert_allclose(contour.time_of(contour.cycles(times)), times, atol=1e-9)


@given(contours())
def test_a_contour_glides_by_equal_intervals_in_equal_times_and_is_nowhere_else(contour):
    for begin, end, low, high in zip(contour.times_s, contour.times_s[1:], contour.hz, contour.hz[1:], strict=False):
        assert float(contour.true_hz((begin + end) / 2)) == pytest.approx((low * high) ** 0.5)
    assert np.isnan(contour.true_hz([contour.start_s - 0.01, contour.end_s + 0.01])).all()


@pytest.mark.parametrize("rd", [0.3, 0.7, 1.0, 1.7, 2.7])
def test_the_spectrum_of_a_pulse_is_the_fourier_integral_of_its_shape(rd):
    pulse = LFPulse.of_rd(rd)
    x = np.linspace(0, 1, 400_001)
    shape = pulse.at(x)
    assert abs(np.trapezoid(shape, x)) < 1e-9  # the flow comes back to where it began
    assert float(pulse.at(pulse.te)) == pytest.approx(-1, abs=1e-12)
    assert shape.min() == pytest.approx(-1, abs=0.03)
    assert x[shape.argmin()] == pytest.approx(pulse.te, abs=0.06)
    assert shape[x < pulse.tp].min() > -1e-12
    for k in (1.0, 2.0, 3.7, 25.0):
        integral = np.trapezoid(shape * np.exp(-2j * np.pi * k * (x - pulse.te)), x)
        assert abs(pulse.spectrum(k) - integral) < 1e-8


@pytest.mark.parametrize("rd", [0.5, 1.0, 1.7])
def test_far_up_a_pulse_falls_as_its_jump_and_its_return_say(rd):
    pulse = LFPulse.of_rd(rd)
    k = np.arange(40.0, 200.0)
    corner = 1 / (2 * np.pi * pulse.ta)
    expected = 1 / (2 * np.pi * k) / np.hypot(1, k / corner)  # 6 dB per octave, and 6 more from the corner upwards
    error_db = 20 * np.log10(np.abs(pulse.spectrum(k)) / expected)
    assert np.abs(error_db).max() < 2.5


def test_the_breathier_the_pulse_the_more_its_fundamental_stands_out_as_fant_found():
    rds = np.array([0.5, 0.8, 1.1, 1.4, 1.7])
    found = [20 * np.log10(abs(pulse.spectrum(1.0) / pulse.spectrum(2.0))) for pulse in map(LFPulse.of_rd, rds)]
    np.testing.assert_allclose(found, -7.6 + 11.1 * rds, atol=2.5)  # Fant 1995, his straight line


@pytest.mark.parametrize(("te", "tp", "ta"), [(0.9, 0.4, 0.01), (0.5, 0.6, 0.01), (0.6, 0.45, 0.5), (0.6, 0.45, 0.0)])
def test_times_that_no_pulse_has_are_refused(te, tp, ta):
    with pytest.raises(SpecError, match="are accepted"):
        LFPulse(te=te, tp=tp, ta=ta)


@pytest.mark.parametrize("vowel", sorted(VOWELS))
def test_the_formants_are_those_of_resonators_by_scipy(vowel):
    poles = [2 * np.pi * (-width / 2 + sign * 1j * centre) for centre, width in VOWELS[vowel] for sign in (1, -1)]
    hz = np.linspace(0, 8000, 401)
    _, theirs = freqs_zpk([], poles, np.prod(poles).real, worN=2 * np.pi * hz)
    np.testing.assert_allclose(vowel_response(vowel, hz), theirs, rtol=1e-9)


@pytest.mark.parametrize("f0_hz", [67.0, 173.0, 391.0])
def test_pulses_are_those_of_the_shape_sampled_much_faster(f0_hz):
    pulse, times_over = LFPulse.of_rd(1.0), 16
    instants = 0.02 + np.arange(20) / f0_hz
    n = int((instants[-1] + 0.05) * RATE)
    flat = np.full(20, 1 / f0_hz)
    ours = pulse_train(instants, flat, np.ones(20), n_samples=n, sample_rate=RATE, pulse=pulse, vowel=None)
    fast = np.arange(n * times_over) / (RATE * times_over)
    shape = sum(pulse.at((fast - at) * f0_hz + pulse.te) for at in instants)
    theirs = resample_poly(shape, 1, times_over, window=("kaiser", 12.0))
    ours, theirs = (np.fft.rfft(x * np.hanning(n)) for x in (ours, theirs))
    below = np.arange(ours.size) < 0.4 * n  # there neither filter has begun to fall
    assert np.abs(ours - theirs)[below].max() < 2e-3 * np.abs(theirs).max()


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("source", ["lf", "flat", "soft"])
def test_a_tone_holds_multiples_of_its_f0_and_nothing_folds_back(rate, source):
    answer = glide(210.0, end_hz=210.0, duration_s=1.4, sample_rate=rate, source=source)
    inner = answer.waveform.samples[int(0.2 * rate) :][:rate].astype(float)  # one second: bins are 1 Hz apart
    power = np.abs(np.fft.rfft(inner)) ** 2
    harmonic = np.arange(power.size) % 210 == 0
    assert power[~harmonic].max() < 1e-10 * power.max()
    assert power[int(0.481 * rate) :].max() < 1e-10 * power.max()


def test_the_harmonics_of_the_flat_source_are_equally_strong_and_those_of_the_soft_one_are_not():
    for source, exponent in (("flat", 0), ("soft", 1)):
        answer = glide(200.0, end_hz=200.0, duration_s=1.4, source=source)
        spectrum = np.fft.rfft(answer.waveform.samples[3_200:19_200].astype(float))[200:6_000:200]
        np.testing.assert_allclose(np.abs(spectrum / spectrum[0]), np.arange(1.0, 30.0) ** -exponent, rtol=1e-4)
        assert np.abs(np.angle(spectrum)).max() < 1e-3  # cosines that begin together


def test_a_lower_rate_gives_the_same_signal():
    high, low = (
        glide(120.0, end_hz=180.0, source="lf", vowel="e", sample_rate=rate).waveform.samples.astype(float)
        for rate in (32_000, 16_000)
    )
    down = resample_poly(high, 1, 2, window=("kaiser", 10.0))
    assert np.abs(down - low)[200:-200].max() < 0.01 * np.abs(low).max()


def test_without_jitter_there_is_a_pulse_whenever_one_more_cycle_has_passed():
    contour = Contour((0.1, 0.5, 0.9), (100.0, 250.0, 80.0))
    answer = speak([Stretch(contour=contour, vowel="i")], name="one", duration_s=1.0)
    cycles = contour.cycles(answer.pulses_s)
    np.testing.assert_allclose(np.diff(cycles), 1.0, atol=1e-9)
    area = quad(lambda t: float(contour.true_hz(t)), 0.1, float(answer.offsets_s[0]), points=[0.5])[0]
    assert area == pytest.approx(answer.pulses_s.size, abs=1e-2)


def test_the_pulses_are_where_the_signal_has_them():
    contour = Contour((0.1, 0.9), (90.0, 200.0))
    rate = 48_000
    answer = speak([Stretch(contour=contour, vowel=None)], name="one", duration_s=1.0, sample_rate=rate)
    samples = answer.waveform.samples
    for at, period in zip(answer.pulses_s, answer.periods_s, strict=True):
        first, last = round((at - 0.4 * period) * rate), round((at + 0.2 * period) * rate)
        assert (first + samples[first:last].argmin()) / rate == pytest.approx(at, abs=2 / rate)


@pytest.mark.parametrize("percent", [0.5, 1.0, 3.0])
def test_jitter_is_the_mean_difference_of_neighbouring_periods_over_the_mean(percent):
    contour = Contour((0.0, 60.0), (200.0, 200.0))
    instants, periods = contour.pulses(lead=0.6, scatter=scatter_of(percent), rng=np.random.default_rng(1))
    between = np.diff(instants)
    np.testing.assert_allclose(between, periods[1:], atol=1e-12)
    assert instants[0] == pytest.approx(0.6 * periods[0])
    assert 60 - 2 / 200 < instants[-1] + 0.4 * periods[-1] <= 60
    measured = 100 * np.mean(np.abs(np.diff(between))) / np.mean(between)
    assert measured == pytest.approx(percent, rel=4 / np.sqrt(between.size))
    assert np.mean(between) == pytest.approx(1 / 200, rel=4e-2 * percent / np.sqrt(between.size))
    assert instants.size == pytest.approx(60 * 200, rel=4e-2 * percent / np.sqrt(between.size) + 1e-3)


@pytest.mark.parametrize("percent", [1.0, 3.0, 10.0])
def test_shimmer_is_the_mean_difference_of_neighbouring_amplitudes_over_the_mean(percent):
    contour = Contour((0.0, 10.0), (200.0, 200.0))
    answer = speak(
        [Stretch(contour=contour, vowel=None)],
        name="long",
        duration_s=10.0,
        sample_rate=8_000,
        shimmer_percent=percent,
    )
    measured = 100 * np.mean(np.abs(np.diff(answer.amplitudes))) / np.mean(answer.amplitudes)
    assert measured == pytest.approx(percent, rel=4 / np.sqrt(answer.amplitudes.size))
    at = np.round(answer.pulses_s * 8_000).astype(int)[5:-5]  # 40 samples apart: each is sampled alike
    heard = -answer.waveform.samples[at]
    np.testing.assert_allclose(
        heard / heard.mean(), answer.amplitudes[5:-5] / answer.amplitudes[5:-5].mean(), atol=0.02
    )


@pytest.mark.parametrize("snr_db", [-5.0, 10.0, 40.0])
@pytest.mark.parametrize("noise", ["white", "speech"])
def test_the_noise_has_the_level_that_is_stated(snr_db, noise):
    clean, noisy = (vowels(2, snr_db=level, noise=noise) for level in (None, snr_db))
    assert clean.onsets_s.tolist() == noisy.onsets_s.tolist()
    floor = noisy.waveform.samples.astype(float) - clean.waveform.samples
    voice = clean.waveform.samples[clean.voiced(np.arange(floor.size) / RATE)].astype(float)
    assert 10 * np.log10(np.mean(voice**2) / np.mean(floor**2)) == pytest.approx(snr_db, abs=TOL_DB)
    power = np.abs(np.fft.rfft(floor)) ** 2
    hz = np.fft.rfftfreq(floor.size, 1 / RATE)
    low, high = (power[(hz > a) & (hz < 2 * a)].mean() for a in (1_000, 3_500))
    fall = 10 * np.log10(low / high)
    assert fall == pytest.approx(0 if noise == "white" else 9 * np.log2(3.5), abs=1.0)


def test_the_voice_has_the_level_asked_for_and_its_stretches_differ_by_little():
    answer = vowels(5, snr_db=None)
    times = np.arange(answer.waveform.samples.size) / RATE
    power = answer.waveform.samples.astype(float) ** 2
    assert 10 * np.log10(power[answer.voiced(times)].mean()) == pytest.approx(-26.0, abs=TOL_DB)
    for begin, end in zip(answer.onsets_s, answer.offsets_s, strict=True):
        assert abs(10 * np.log10(power[(times >= begin) & (times < end)].mean()) + 26) < 12


def test_voice_begins_and_ends_when_it_is_said_to():
    answer = bursts(1, vowel=None)
    samples = np.abs(answer.waveform.samples)
    peak = samples.max()
    for begin, end in zip(answer.onsets_s, answer.offsets_s, strict=True):
        first, last = round(begin * RATE), round(end * RATE)
        assert samples[first - 1_000 : first - 32].max() < 1e-3 * peak
        assert samples[last + 32 : last + 1_000].max() < 1e-3 * peak
        assert samples[first : first + 200].max() > 0.3 * peak
        assert samples[last - 300 : last].max() > 0.3 * peak
        assert 0 < 0.25 - (end - begin) < 1 / 90


def test_the_truth_is_voiced_between_onset_and_offset_and_has_an_f0_there_only():
    answer = vowels(4)
    times = np.linspace(-0.1, 4.1, 9_001)
    voiced = answer.voiced(times)
    inside = np.zeros(times.size, dtype=bool)
    for begin, end in zip(answer.onsets_s, answer.offsets_s, strict=True):
        inside |= (times >= begin) & (times < end)
    assert np.array_equal(voiced, inside)
    assert np.array_equal(np.isnan(answer.true_hz(times)), ~voiced)
    assert answer.voiced(answer.onsets_s).all()
    assert not answer.voiced(answer.offsets_s).any()
    assert 0.4 < voiced.mean() < 0.8


def test_the_f0_of_vowels_keeps_its_range_and_glides_by_at_most_two_octaves_a_second():
    for answer in voice_set(range(8), duration_s=1.5, snr_db=None):
        for contour in answer.contours:
            assert min(contour.hz) > 69.9
            assert max(contour.hz) < 380.1
            slope = np.diff(np.log2(contour.hz)) / np.diff(contour.times_s)
            assert np.abs(slope).max() < 2 + 1e-9


def test_equal_seeds_give_equal_signals_and_others_do_not():
    for make in (vowels, bursts):
        assert make(3, duration_s=1.5).waveform.digest() == make(3, duration_s=1.5).waveform.digest()
        assert make(3, duration_s=1.5).waveform.digest() != make(4, duration_s=1.5).waveform.digest()


def test_frames_become_contours_that_pass_through_their_values():
    times = np.arange(8) * 0.01
    hz = np.array([np.nan, 100, 110, np.nan, np.nan, 200, np.nan, 90])
    first, second, third = contours_of(times, hz, ~np.isnan(hz))
    np.testing.assert_allclose([first.start_s, first.end_s], [0.005, 0.025])
    np.testing.assert_allclose(first.true_hz(times[1:3]), [100, 110])
    np.testing.assert_allclose([second.start_s, second.end_s, third.end_s], [0.045, 0.055, 0.075])
    assert contours_of(times, hz, np.zeros(8, dtype=bool)) == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample_rate": 7_999}, "8000 or more"),
        ({"duration_s": 0.8}, "must lie in the signal"),
        ({"duration_s": float("nan")}, "finite"),
        ({"snr_db": float("inf")}, "finite"),
        ({"jitter_percent": 51.0}, "0 to 50"),
        ({"shimmer_percent": -1.0}, "0 to 50"),
        ({"source": "sine"}, "lf, flat, soft"),
        ({"noise": "pink"}, "white or speech"),
        ({"source": "flat", "jitter_percent": 1.0}, "source='lf'"),
        ({"hisses_s": [(2.0, 3.0)]}, "holds no sample"),
    ],
)
def test_what_cannot_be_spoken_is_refused(change, message):
    settings = {"name": "one", "duration_s": 1.0, **change}
    with pytest.raises(SpecError, match=message):
        speak([Stretch(contour=Contour((0.1, 0.9), (100.0, 200.0)))], **settings)


def test_other_refusals_say_what_is_accepted():
    with pytest.raises(SpecError, match="one is the least"):
        speak([], name="none", duration_s=1.0)
    with pytest.raises(SpecError, match="no whole cycle"):
        speak([Stretch(contour=Contour((0.1, 0.105), (100.0, 100.0)))], name="short", duration_s=1.0)
    for hz in (10.0, 4_000.0):
        with pytest.raises(SpecError, match="20 to 3200 Hz"):
            glide(hz, end_hz=hz)
    with pytest.raises(SpecError, match="choose from a, e, i, o, u"):
        glide(100.0, end_hz=100.0, vowel="y")
    with pytest.raises(SpecError, match=r"0\.3 to 2\.7"):
        Stretch(contour=Contour((0.0, 1.0), (100.0, 100.0)), rd=3.0)
    with pytest.raises(SpecError, match="1 s or more"):
        vowels(0, duration_s=0.5)
    with pytest.raises(SpecError, match="f0_min_hz"):
        vowels(0, f0_min_hz=400.0)
    with pytest.raises(SpecError, match=r"0\.05 to 0\.5"):
        bursts(0, burst_s=2.0)
    for times, hz in (((0.0,), (1.0,)), ((0.0, 0.0), (1.0, 1.0)), ((0.0, 1.0), (1.0, 0.0)), ((0.0, 1.0), (1.0,))):
        with pytest.raises(SpecError, match="Contour"):
            Contour(times, hz)
