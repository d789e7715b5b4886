"""What every test may ask for."""

import os

import numpy as np
import pytest
from hypothesis import settings

# The same examples in every run: a failure on one machine is a failure on all. Look for new ones with
# HYPOTHESIS_PROFILE=explore, which draws other examples every time, and more of them.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture
def rng():
    return np.random.default_rng(20260101)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Keep what tests compute out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTOSCOPE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield
