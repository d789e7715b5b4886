import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.representations import filterbanks
from otoscope.representations.filterbanks import LogMel, Mfcc, mel_grid, mel_power
from otoscope.testing.signals import silence, tone

RATE = 16_000
TOL_LOG = 2e-5  # of the natural logarithm: float32 near -23
TOL_CEPSTRUM = 1e-3  # the zeroth coefficient is near -150


def states(model, waveform):
    (layer,) = model.layers(waveform)
    return layer.states


def white(n_samples, seed=0):
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, n_samples).astype(np.float32)
    return Waveform(samples, RATE, "white")


def test_frame_centres_lie_on_multiples_of_the_hop():
    assert mel_grid().centers(4).tolist() == [0.0, 0.01, 0.02, 0.03]


@pytest.mark.parametrize("context", [1, 4, 50])
def test_context_widens_the_window_and_keeps_the_centres(context):
    grid = mel_grid(context)
    assert grid.receptive_field == 400 + 320 * context
    assert np.array_equal(grid.centers(9), mel_grid().centers(9))


@pytest.mark.parametrize("n_samples", [1, 159, 160, 161, 399, 400, 401, 1599, 1600, 16_001])
def test_there_is_one_frame_at_the_start_and_one_per_whole_hop(n_samples):
    assert len(states(LogMel(), white(n_samples))) == 1 + n_samples // 160


@pytest.mark.parametrize("place", [0, 7, 799, 800, 950, 1599])
def test_an_impulse_is_heard_with_the_hann_window_of_each_frame(place):
    samples = np.zeros(1600, dtype=np.float32)
    samples[place] = 0.5
    power = mel_power(samples, bands=20)
    offset = place - 160 * np.arange(11)  # from the centre of each frame
    window = np.where(np.abs(offset) < 200, 0.5 + 0.5 * np.cos(2 * np.pi * offset / 400), 0.0)
    flat = power[place // 160] / window[place // 160] ** 2  # an impulse has the same power in every bin
    np.testing.assert_allclose(power, np.outer(window**2, flat), rtol=1e-5, atol=1e-9)


def test_gain_adds_twice_its_logarithm():
    waveform = white(8000, seed=3)
    louder = Waveform(waveform.samples * np.float32(4), RATE, "louder")
    difference = states(LogMel(), louder) - states(LogMel(), waveform)
    assert np.abs(difference - 2 * np.log(4)).max() < TOL_LOG


def test_digital_silence_is_the_logarithm_of_the_floor():
    assert np.abs(states(LogMel(), silence(0.1)) - np.log(1e-10)).max() < TOL_LOG


@pytest.mark.parametrize("f0_hz", [300.0, 1000.0, 3000.0, 6000.0])
def test_a_pure_tone_is_loudest_in_the_band_around_it(f0_hz):
    loudest = states(LogMel(), tone(f0_hz, n_harmonics=1))[50].argmax()
    # Slaney's scale: 200/3 Hz per mel up to 1 kHz, then 27 steps for a factor of 6.4
    mel = f0_hz / (200 / 3) if f0_hz <= 1000 else 15 + 27 * np.log(f0_hz / 1000) / np.log(6.4)
    top = 15 + 27 * np.log(8) / np.log(6.4)
    assert abs(loudest - (mel / top * 81 - 1)) <= 1


@pytest.mark.parametrize("bands", [1, 40, 80, 128, 256])
def test_no_band_is_empty(bands):
    assert (filterbanks._mel_filters(bands, filterbanks.N_FFT).sum(axis=0) > 0).all()


def test_blocks_change_nothing(monkeypatch):
    waveform = white(16_000)
    whole = states(LogMel(), waveform)
    monkeypatch.setattr(filterbanks, "_BLOCK", 7)
    assert np.abs(states(LogMel(), waveform) - whole).max() < TOL_LOG


def test_context_puts_the_neighbours_beside_each_frame_in_order_of_time():
    waveform = white(800)
    alone, beside = states(LogMel(bands=5), waveform), states(LogMel(bands=5, context=2), waveform)
    assert beside.shape == (6, 25)
    for frame in range(6):
        for place, neighbour in enumerate(range(frame - 2, frame + 3)):
            expected = alone[min(max(neighbour, 0), 5)]
            assert np.array_equal(beside[frame, 5 * place : 5 * place + 5], expected)


def test_context_longer_than_the_clip_repeats_its_only_frame():
    waveform = white(100)
    alone, beside = states(LogMel(bands=3), waveform), states(LogMel(bands=3, context=50), waveform)
    assert np.array_equal(beside, np.tile(alone, 101))


def test_cepstra_are_projections_on_orthonormal_cosines():
    waveform = white(4000)
    spectra = states(LogMel(bands=40), waveform).astype(np.float64)
    order, band = np.arange(13)[:, None], np.arange(40)[None, :]
    basis = np.sqrt(2 / 40) * np.cos(np.pi * order * (2 * band + 1) / 80)
    basis[0] /= np.sqrt(2)
    assert np.abs(basis @ basis.T - np.eye(13)).max() < 1e-12
    assert np.abs(states(Mfcc(), waveform) - spectra @ basis.T).max() < TOL_CEPSTRUM


def test_cepstra_take_context_too():
    assert states(Mfcc(coefficients=4, context=3), white(1600)).shape == (11, 28)


def test_names_hold_what_differs_from_the_defaults():
    assert LogMel().info.name == "logmel"
    assert LogMel(context=4, bands=40).info.name == "logmel:bands=40,context=4"
    assert Mfcc(coefficients=20).info.name == "mfcc:coefficients=20"
    assert {LogMel().info.layers[0].name, Mfcc().info.layers[0].name} == {"log-mel", "mfcc"}


def test_every_setting_changes_the_digest():
    models = [LogMel(), LogMel(context=1), LogMel(bands=79), Mfcc(), Mfcc(bands=41), Mfcc(coefficients=12)]
    assert len({model.info.digest for model in models}) == len(models)


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (LogMel, {"bands": 0}),
        (LogMel, {"bands": 257}),
        (LogMel, {"context": -1}),
        (LogMel, {"context": 51}),
        (LogMel, {"context": 1.0}),
        (Mfcc, {"coefficients": 0}),
        (Mfcc, {"bands": True}),
    ],
)
def test_settings_out_of_range_are_refused(make, settings):
    key, value = next(iter(settings.items()))
    with pytest.raises(SpecError, match=f"{key} is {value}; it takes a whole number from"):
        make(**settings)


def test_there_are_no_more_coefficients_than_bands():
    assert Mfcc(bands=12, coefficients=12).info.layers[0].dim == 12
    with pytest.raises(SpecError, match="coefficients is 13 and bands 12"):
        Mfcc(bands=12)


@pytest.mark.parametrize("model", [LogMel(), Mfcc()])
def test_another_rate_is_refused_with_the_way_out(model):
    with pytest.raises(
        DataError, match=r"tone-\S+: sample_rate is 8000 Hz and \w+ takes 16000 Hz; call audio.resample"
    ):
        list(model.layers(tone(200.0, sample_rate=8000)))
