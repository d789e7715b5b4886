import importlib.util
import pickle
import sys

import numpy as np
import pytest
import torch

from otoscope.audio import Waveform
from otoscope.errors import DataError, MissingExtraError, SpecError
from otoscope.representations import ge2e
from otoscope.representations.ge2e import LAGS, Ge2e, level, weights_path
from otoscope.testing.signals import speechlike, tone

TOL_STATES = 1e-5  # states lie within -1 and 1
TOL_POWER = 1e-5  # relative
TOL_LEVEL_DB = 1e-4
TOL_THREADS = 1e-5

installed = importlib.util.find_spec("resemblyzer") is not None
needs_weights = pytest.mark.skipif(not installed, reason="the weights of ge2e (resemblyzer) are not installed")


@pytest.fixture(scope="module")
def speech():
    waveform, _, _ = speechlike(5, duration_s=2.0)
    return waveform


@pytest.fixture(scope="module")
def weights():
    return torch.load(weights_path(), weights_only=True, map_location="cpu")["model_state"]


def scaled(waveform, gain):
    return Waveform(waveform.samples * np.float32(gain), waveform.sample_rate, waveform.clip_id)


def level_db(samples):
    return 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)))


def stack(model, waveform):
    return [layer.states for layer in model.layers(waveform)]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_by_hand(inputs, w_ih, w_hh, b_ih, b_hh):
    """The recurrence, one frame at a time, in float64; gates in the order i, f, g, o."""
    hidden, cell, outputs = np.zeros(256), np.zeros(256), []
    for x in inputs.astype(np.float64):
        i, f, g, o = np.split(w_ih @ x + b_ih + w_hh @ hidden + b_hh, 4)
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        hidden = sigmoid(o) * np.tanh(cell)
        outputs.append(hidden)
    return np.array(outputs)


@needs_weights
def test_layers_are_the_recurrence_written_out(speech, weights):
    mel, *outputs = stack(Ge2e(), speech)
    states = mel
    for index, output in enumerate(outputs):
        parts = [weights[f"lstm.{part}_l{index}"].numpy().astype(np.float64) for part in ge2e._PARTS]
        states = lstm_by_hand(states, *parts)
        assert np.abs(output - states).max() < TOL_STATES


@needs_weights
def test_three_layers_of_one_are_one_of_three(speech, weights):
    whole = torch.nn.LSTM(40, 256, num_layers=3, batch_first=True)
    whole.load_state_dict({k.removeprefix("lstm."): v for k, v in weights.items() if k.startswith("lstm.")})
    mel, *outputs = stack(Ge2e(), speech)
    with torch.no_grad():
        top, _ = whole(torch.from_numpy(mel.copy())[None])
    assert np.abs(outputs[-1] - top[0].numpy()).max() < TOL_STATES


@needs_weights
def test_the_input_is_librosas_mel_spectrum_at_minus_30_db(speech):
    import librosa

    quiet = scaled(speech, 0.01)
    gain = 10 ** (-30 / 20) / np.sqrt(np.mean(quiet.samples.astype(np.float64) ** 2))
    expected = librosa.feature.melspectrogram(
        y=quiet.samples * gain, sr=16_000, n_fft=400, hop_length=160, n_mels=40
    ).T
    np.testing.assert_allclose(stack(Ge2e(), quiet)[0], expected, rtol=TOL_POWER, atol=1e-12)


@pytest.mark.parametrize("gain", [1e-3, 1e-2])
@pytest.mark.parametrize("normalize", ["increase-only", "always"])
def test_a_quiet_clip_is_raised_to_minus_30_db(speech, normalize, gain):
    assert abs(level_db(level(scaled(speech, gain).samples, normalize)) + 30) < TOL_LEVEL_DB


def test_a_loud_clip_is_lowered_only_where_that_is_asked_for(speech):
    assert level_db(speech.samples) > -30
    assert level(speech.samples, "increase-only") is speech.samples
    assert abs(level_db(level(speech.samples, "always")) + 30) < TOL_LEVEL_DB


@pytest.mark.parametrize("gain", [1e-3, 1.0])
def test_the_level_is_left_alone_where_that_is_asked_for(speech, gain):
    samples = scaled(speech, gain).samples
    assert level(samples, "none") is samples


@pytest.mark.parametrize("normalize", ["increase-only", "none", "always"])
def test_digital_silence_stays_silent(normalize):
    assert not level(np.zeros(1600, dtype=np.float32), normalize).any()


@needs_weights
def test_always_normalizing_makes_the_states_independent_of_the_level(speech):
    one, other = stack(Ge2e(normalize="always"), speech), stack(Ge2e(normalize="always"), scaled(speech, 0.03))
    assert max(np.abs(a - b).max() for a, b in zip(one[1:], other[1:], strict=True)) < TOL_STATES
    changed = stack(Ge2e(normalize="none"), scaled(speech, 0.03))
    assert np.abs(stack(Ge2e(normalize="none"), speech)[1] - changed[1]).max() > 0.1


@needs_weights
def test_info_names_release_weights_licence_and_lags():
    info = Ge2e().info
    assert info.version == "resemblyzer 0.1.4, weights 39373b86598f"
    assert (info.name, info.kind, info.licence, info.twin) == ("ge2e", "model", "Apache-2.0", None)
    assert [layer.name for layer in info.layers] == ["mel", "lstm 1", "lstm 2", "lstm 3"]
    assert [layer.dim for layer in info.layers] == [40, 256, 256, 256]
    assert tuple(layer.lag for layer in info.layers) == LAGS
    assert info.layers[2].target_times(3).tolist() == pytest.approx([-0.015, -0.005, 0.005], abs=1e-12)


@needs_weights
def test_normalizing_stands_in_name_and_digest():
    assert Ge2e(normalize="always").info.name == "ge2e:normalize=always"
    assert len({Ge2e(normalize=n).info.digest for n in ("increase-only", "none", "always")}) == 3


def test_an_unknown_way_of_normalizing_is_refused():
    with pytest.raises(SpecError, match=r"ge2e: normalize is 'loud'; it takes increase-only \| none \| always"):
        Ge2e(normalize="loud")


def test_missing_weights_are_named_with_what_installs_them(monkeypatch, speech):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    message = r"resemblyzer .* is not installed; .* pip install --no-deps resemblyzer==0.1.4"
    with pytest.raises(MissingExtraError, match=message):
        _ = Ge2e().info
    with pytest.raises(MissingExtraError, match=message):
        next(Ge2e().layers(speech))


def test_a_package_without_the_weights_counts_as_missing(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location(
        "resemblyzer", tmp_path / "x", submodule_search_locations=[str(tmp_path)]
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(MissingExtraError, match="resemblyzer"):
        weights_path()


def test_other_weights_are_refused(tmp_path):
    torch.save({"model_state": {"conv.weight": torch.zeros(1)}}, tmp_path / "pretrained.pt")
    with pytest.raises(SpecError, match=r"pretrained.pt: does not hold the weights of ge2e \('lstm.weight_ih_l0'\)"):
        ge2e._trained_cells(tmp_path / "pretrained.pt")


@needs_weights
def test_the_package_of_the_weights_is_never_imported(speech):
    stack(Ge2e(), speech)
    assert "resemblyzer" not in sys.modules


def test_a_layer_is_computed_when_it_is_asked_for(monkeypatch, speech):
    done = []

    def cell(index):
        def run(states):
            done.append(index)
            return np.zeros((len(states), 256), dtype=np.float32)

        return run

    monkeypatch.setattr(ge2e, "_drawn_cells", lambda seed: tuple(cell(k) for k in (1, 2, 3)))
    handed = Ge2e(seed=0).layers(speech)
    for index in range(4):
        assert next(handed).info.index == index
        assert done == list(range(1, index + 1))


def test_what_is_handed_on_cannot_be_written_into(speech):
    for layer in Ge2e(seed=0).layers(speech):
        with pytest.raises(ValueError, match="read-only"):
            layer.states[0, 0] = 1.0


def test_gradients_and_random_numbers_of_the_caller_are_left_alone(speech):
    ge2e._drawn_cells.cache_clear()
    before = torch.get_rng_state()
    for _ in Ge2e(seed=9).layers(speech):
        assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), before)


def test_blocks_hand_on_the_memory_of_the_layer(monkeypatch, speech):
    whole = stack(Ge2e(seed=2), speech)
    monkeypatch.setattr(ge2e, "_BLOCK", 37)
    for one, other in zip(whole, stack(Ge2e(seed=2), speech), strict=True):
        assert np.abs(one - other).max() < TOL_STATES


@needs_weights
def test_the_number_of_threads_moves_states_within_the_stated_bound(speech):
    short = Waveform(speech.samples[4000:12_000], speech.sample_rate, "short")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = stack(Ge2e(), short)
        torch.set_num_threads(2)
        two = stack(Ge2e(), short)
    finally:
        torch.set_num_threads(before)
    assert max(np.abs(a - b).max() for a, b in zip(one[1:], two[1:], strict=True)) <= TOL_THREADS


@needs_weights
def test_a_model_survives_pickling(speech):
    model = pickle.loads(pickle.dumps(Ge2e(normalize="none")))
    assert model.info == Ge2e(normalize="none").info
    assert np.array_equal(stack(model, speech)[3], stack(Ge2e(normalize="none"), speech)[3])


def test_another_rate_is_refused():
    with pytest.raises(DataError, match="sample_rate is 8000 Hz and untrained:ge2e#0 takes 16000 Hz"):
        next(Ge2e(seed=0).layers(tone(200.0, sample_rate=8000)))
