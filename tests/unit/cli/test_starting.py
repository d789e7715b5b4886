"""The collector of cycles while a model is opened."""

import gc

import pytest

from otoscope.cli.starting import quick_start


@pytest.fixture(autouse=True)
def thawed():
    yield
    gc.unfreeze()


def test_nothing_is_collected_meanwhile_and_what_was_made_is_left_alone():
    with quick_start():
        assert not gc.isenabled()
        before = gc.get_freeze_count()
    assert gc.isenabled()
    assert gc.get_freeze_count() > before


def test_it_is_as_before_also_after_an_error():
    with pytest.raises(KeyError), quick_start():
        raise KeyError
    assert gc.isenabled()
    gc.disable()
    try:
        with quick_start():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
