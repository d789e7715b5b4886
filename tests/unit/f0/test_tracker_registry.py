from dataclasses import dataclass

import pytest

from otoscope.errors import SpecError
from otoscope.f0.kaldi import KaldiTracker
from otoscope.f0.registry import DEFAULT_TRACKER, TRACKERS, open_tracker
from otoscope.f0.yaapt_compat import YaaptCompatTracker


def test_every_name_opens_a_tracker_of_that_name():
    assert {"kaldi", "yaapt-compat"} <= set(TRACKERS)
    assert DEFAULT_TRACKER in TRACKERS
    for name in TRACKERS:
        assert open_tracker(name).info.name == name


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


def test_every_setting_stands_in_the_parameters():
    for name in TRACKERS:
        tracker = open_tracker(name)
        assert set(tracker.__dataclass_fields__) <= set(tracker.info.parameters)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("kaldy", r"no tracker 'kaldy'; choose from kaldi, yaapt-compat; did you mean 'kaldi'\?"),
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
        ("yaapt-compat:f0_max_hz=500", "has no setting 'f0_max_hz'; choose from correction, frame_length_ms, hop_ms"),
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
