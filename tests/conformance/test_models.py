"""Every registered model keeps the laws that every model keeps."""

import importlib.util

import pytest

from otoscope.representations.registry import MODELS, open_model
from otoscope.testing.models import check_model

SPECS = [
    *MODELS,
    "logmel:context=4",
    "logmel:bands=40",
    "mfcc:bands=80,coefficients=20,context=2",
    "ge2e:normalize=always",
    "ge2e:normalize=none",
    "untrained:ge2e#0",
    "untrained:ge2e:normalize=always#7",
]
RECURRENT = ("ge2e", "untrained:ge2e")  # they hear more than a fixed window


def model_of(spec):
    if spec.startswith("ge2e") and importlib.util.find_spec("resemblyzer") is None:
        pytest.skip("the weights of ge2e (resemblyzer) are not installed")
    return open_model(spec)


@pytest.mark.parametrize("spec", SPECS)
def test_every_model_keeps_the_laws(spec):
    model = model_of(spec)
    recurrent = spec.startswith(RECURRENT)
    report = check_model(model, shift_tolerance=None if recurrent else 1e-4)
    assert (report.future_error is None) == (not recurrent)
    assert model.info.name == spec
