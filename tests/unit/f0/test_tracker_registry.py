import importlib.util
from dataclasses import dataclass

import pytest

from otoscope.errors import SpecError
from otoscope.f0.kaldi import KaldiTracker
from otoscope.f0.registry import DEFAULT_TRACKER, TRACKERS, open_tracker
from otoscope.f0.yaapt_compat import YaaptCompatTracker

PACKAGES = {"swift": "swift_f0", "praat": "parselmouth"}


def test_the_default_and_the_trackers_that_need_no_extra_are_there():
    assert {"kaldi", "pyin", "yaapt-compat", *PACKAGES} <= set(TRACKERS)
    assert DEFAULT_TRACKER in TRACKERS
    assert DEFAULT_TRACKER not in PACKAGES


@pytest.mark.parametrize("name", sorted(TRACKERS))
def test_every_name_opens_a_tracker_of_that_name_with_every_setting_in_its_parameters(name):
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    tracker = open_tracker(name)
    assert tracker.info.name == name
    assert set(tracker.__dataclass_fields__) <= set(tracker.info.parameters)


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_a_tracker_whose_package_is_missing_says_how_to_install_it(name, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    with pytest.raises(SpecError, match=rf"{PACKAGES[name]} is not installed; pip install 'otoscope\[{name}\]'"):
        open_tracker(f"{name}:hop_ms=10")


@pytest.mark.parametrize(
    ("spec", "tracker"),
    [
        ("kaldi", KaldiTracker()),
        ("kaldi:hop_ms=20,f0_max_hz=600", KaldiTracker(hop_ms=20, f0_max_hz=600)),
        (" kaldi : hop_ms = 20 , correction = OFF ", KaldiTracker(hop_ms=20, correction=False)),
        ("kaldi:pov_threshold=5e-1", KaldiTracker(pov_threshold=0.5)),
        ("yaapt-compat:correction=off", YaaptCompatTracker(correction=False)),
        ("yaapt-compat:correction=on", YaaptCompatTracker()),
    ],
)
def test_a_specification_opens_what_the_constructor_makes(spec, tracker):
    assert open_tracker(spec) == tracker
    assert open_tracker(spec).info.digest == tracker.info.digest


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("kaldy", r"no tracker 'kaldy'; choose from kaldi, .*yaapt-compat; did you mean 'kaldi'\?"),
        ("", "the name is empty"),
        ("yaapt_compat", r"did you mean 'yaapt-compat'\?"),
        ("kaldi:hopms=20", r"has no setting 'hopms'; choose from .*; did you mean 'hop_ms'\?"),
        ("kaldi:", "the colon is followed by nothing; write kaldi or kaldi:key=value"),
        ("kaldi:hop_ms", "'hop_ms' is no setting"),
        ("kaldi:hop_ms=", "'hop_ms=' is no setting"),
        ("kaldi:hop_ms=20,,", "'' is no setting"),
        ("kaldi:hop_ms=10,hop_ms=20", "hop_ms is set twice"),
        ("kaldi:hop_ms=ten", "hop_ms is 'ten'; it takes a number"),
        ("kaldi:hop_ms=nan", "hop_ms is 'nan'; it takes a number"),
        ("kaldi:hop_ms=10.1", r"multiples of 0\.25 ms"),
        ("kaldi:correction=maybe", "correction is 'maybe'; it takes on or off"),
        ("yaapt-compat:pov_threshold=0.1", "has no setting 'pov_threshold'; choose from correction, "),
    ],
)
def test_what_cannot_be_opened_is_refused_with_what_can(spec, said):
    with pytest.raises(SpecError, match=said):
        open_tracker(spec)


def test_a_users_own_tracker_is_opened_like_the_others(monkeypatch):
    @dataclass(frozen=True)
    class Own:
        order: int = 3
        mode: str = "fast"

    monkeypatch.setitem(TRACKERS, "own", Own)
    assert open_tracker("own:order=5,mode=slow") == Own(5, "slow")
    with pytest.raises(SpecError, match=r"order is '2\.5'; it takes a whole number"):
        open_tracker("own:order=2.5")
