import importlib.util

import numpy as np
import pytest
import torch

from otoscope.errors import SpecError
from otoscope.representations import ge2e
from otoscope.representations.filterbanks import LogMel, Mfcc
from otoscope.representations.ge2e import Ge2e
from otoscope.representations.untrained import HasWeights, untrained_copy
from otoscope.testing.signals import speechlike

TOL_STATES = 1e-5

installed = importlib.util.find_spec("resemblyzer") is not None
needs_weights = pytest.mark.skipif(not installed, reason="the weights of ge2e (resemblyzer) are not installed")


@pytest.fixture(scope="module")
def speech():
    waveform, _, _ = speechlike(6, duration_s=1.0)
    return waveform


def stack(model, waveform):
    return [layer.states for layer in model.layers(waveform)]


def test_equal_seeds_give_equal_bytes(speech):
    first = stack(Ge2e().untrained(3), speech)
    ge2e._drawn_cells.cache_clear()
    second = stack(Ge2e().untrained(3), speech)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))


def test_other_seeds_give_other_states_of_the_same_input(speech):
    first, second = stack(Ge2e().untrained(0), speech), stack(Ge2e().untrained(1), speech)
    assert np.array_equal(first[0], second[0])
    assert all(np.abs(a - b).max() > 0.01 for a, b in zip(first[1:], second[1:], strict=True))


@needs_weights
@pytest.mark.parametrize("normalize", ["increase-only", "none", "always"])
def test_a_copy_hears_what_its_twin_hears(speech, normalize):
    twin = Ge2e(normalize=normalize)
    assert np.array_equal(stack(twin, speech)[0], stack(twin.untrained(0), speech)[0])


@pytest.mark.parametrize("seed", [0, 17, 2**63 - 1])
def test_weights_are_those_that_the_architecture_begins_with(speech, seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = torch.nn.LSTM(40, 256, num_layers=3, batch_first=True)
    mel, *outputs = stack(Ge2e().untrained(seed), speech)
    with torch.no_grad():
        top, _ = fresh(torch.from_numpy(mel.copy())[None])
    assert np.abs(outputs[-1] - top[0].numpy()).max() < TOL_STATES


@needs_weights
def test_a_copy_has_the_layers_clocks_and_lags_of_its_twin():
    twin = Ge2e(normalize="always")
    copy = untrained_copy(twin, 3, name="ge2e").info
    assert copy.layers == twin.info.layers
    assert (copy.kind, copy.name, copy.twin) == ("untrained", "untrained:ge2e:normalize=always#3", twin.info.name)
    assert copy.settings == {**twin.info.settings, "seed": 3}
    assert copy.digest != twin.info.digest != twin.untrained(4).info.digest != copy.digest


def test_a_copy_needs_no_weights(monkeypatch, speech):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    copy = Ge2e().untrained(0)
    assert copy.info.twin == "ge2e"
    assert len(stack(copy, speech)) == 4


@pytest.mark.parametrize("model", [LogMel(), Mfcc(context=2)])
def test_a_baseline_has_no_untrained_copy(model):
    with pytest.raises(SpecError, match=r"untrained:(\w+): \1 has no weights"):
        untrained_copy(model, 0, name=model.info.name.partition(":")[0])


@pytest.mark.parametrize("seed", [-1, 2**63, True, 1.0])
def test_a_seed_is_a_whole_number_that_torch_takes(seed):
    with pytest.raises(SpecError, match=r"the seed is .*; it takes a whole number from 0 to 9223372036854775807"):
        Ge2e(seed=seed)
    with pytest.raises(SpecError, match="the seed is"):
        untrained_copy(Ge2e(), seed, name="ge2e")


def test_a_users_model_offers_copies_by_one_method():
    class Own:
        def untrained(self, seed):
            return seed

    assert isinstance(Own(), HasWeights)
    assert untrained_copy(Own(), 5, name="own") == 5
