"""What every test may ask for."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(20260101)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """Keep every test's labels out of the user's cache."""
    monkeypatch.setenv("OTOSCOPE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
