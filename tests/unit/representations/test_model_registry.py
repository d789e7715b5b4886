import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otoscope.errors import MissingExtraError, SpecError
from otoscope.representations.filterbanks import LogMel, Mfcc
from otoscope.representations.ge2e import Ge2e
from otoscope.representations.registry import MODELS, open_model

installed = importlib.util.find_spec("resemblyzer") is not None
needs_weights = pytest.mark.skipif(not installed, reason="the weights of ge2e (resemblyzer) are not installed")


def test_names_and_settings_open_the_models():
    assert open_model("logmel") == LogMel()
    assert open_model(" logmel:context=4, bands=40 ") == LogMel(bands=40, context=4)
    assert open_model("mfcc:coefficients=20") == Mfcc(coefficients=20)
    assert open_model("untrained:ge2e#0") == Ge2e(seed=0)
    assert open_model("untrained:ge2e:normalize=always#3") == Ge2e(normalize="always", seed=3)


@needs_weights
def test_weights_from_the_wheel_open_by_name():
    assert open_model("ge2e:normalize=none") == Ge2e(normalize="none")


@given(bands=st.integers(1, 256), context=st.integers(0, 50))
def test_the_name_of_a_model_opens_it_again(bands, context):
    model = open_model(f"logmel:context={context},bands={bands}")
    assert model == LogMel(bands=bands, context=context)
    assert open_model(model.info.name) == model


@given(seed=st.integers(0, 2**63 - 1), normalize=st.sampled_from(["increase-only", "none", "always"]))
def test_the_name_of_a_copy_opens_it_again(seed, normalize):
    model = Ge2e(normalize=normalize, seed=seed)
    assert open_model(model.info.name) == model


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        ("logmel:bands=80,context=0", "logmel", "logmel"),
        ("logmel:context=4,bands=40", "logmel:bands=40,context=4", "logmel:bands=40,context=4"),
        ("untrained:ge2e:normalize=increase-only#07", "untrained:ge2e#7", "untrained:ge2e#7"),
    ],
)
def test_equal_settings_give_equal_names_and_digests(one, other, name):
    assert open_model(one).info.name == open_model(other).info.name == name
    assert open_model(one).info.digest == open_model(other).info.digest


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "logmell",
            r"no model is called 'logmell'; choose from ge2e, .*untrained:MODEL#SEED; did you mean 'logmel'\?",
        ),
        ("", "the name is empty"),
        ("logmel:", "followed by nothing"),
        ("logmel:contxt=4", r"logmel: has no setting 'contxt'; choose from bands, context; did you mean 'context'\?"),
        ("logmel:context=four", "logmel: context is 'four'; it takes a whole number from 0 to 50"),
        ("logmel:context=51", "context is '51'"),
        ("mfcc:bands=8", "coefficients is 13 and bands 8"),
        ("ge2e:normalize=allways", r"choose from always, increase-only, none; did you mean 'always'\?"),
        ("ge2e:seed=0", "has no setting 'seed'"),
        ("ge2e#0", "only untrained copies have a seed; write untrained:ge2e#0"),
        ("untrained", "names no model; write untrained:MODEL#SEED, such as untrained:ge2e#0"),
        ("untrained:#1", "names no model"),
        ("untrained:ge2e", "the seed is missing; write a whole number after #, such as untrained:ge2e#0"),
        ("untrained:ge2e#", "the seed is ''"),
        ("untrained:ge2e#-1", "the seed is '-1'"),
        ("untrained:ge2e#²", "the seed is '²'"),
        ("untrained:ge2e#9223372036854775808", "it takes a whole number from 0 to 9223372036854775807"),
        ("untrained:ge2e:normalise=always#1", r"did you mean 'normalize'\?"),
        ("untrained:logmel#0", "logmel has no weights"),
        ("untrained:logmel", "logmel has no weights"),
        ("untrained:mfcc#x", "mfcc has no weights"),
        ("untrained:ge3e#0", r"did you mean 'ge2e'\?"),
        ("untrained:untrained:ge2e#0#1", "a copy cannot be copied"),
    ],
)
def test_what_cannot_be_opened_says_what_can(spec, message):
    with pytest.raises(SpecError, match=message):
        open_model(spec)


def test_missing_weights_are_missed_when_the_model_is_opened(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"resemblyzer==0\.1\.4"):
        open_model("ge2e")


def test_the_declared_defaults_are_the_defaults():
    for entry in MODELS.values():
        defaults = {key: setting.default for key, setting in entry.settings.items()}
        assert entry.make(**defaults) == entry.make()
        assert entry.summary
