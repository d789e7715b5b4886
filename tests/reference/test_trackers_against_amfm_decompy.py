"""AMFM_decompy 1.0.12 is the truth here: yaapt-compat promises its decisions, bias and all."""

import warnings

import numpy as np
import pytest

from otoscope.f0.yaapt_compat import YaaptCompatTracker
from otoscope.testing.signals import noise, speechlike, tone

RATE = 16_000


def direct(samples, **settings):
    from amfm_decompy import basic_tools, pYAAPT

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return pYAAPT.yaapt(basic_tools.SignalObj(np.array(samples, dtype=np.float64), RATE), **settings)


@pytest.mark.parametrize(("frame_length_ms", "hop_ms"), [(25.0, 20.0), (35.0, 10.0)])
@pytest.mark.parametrize("make", [lambda: speechlike(5)[0], lambda: speechlike(6, noise_db=-5)[0], lambda: noise(1)])
def test_the_decisions_are_those_of_a_direct_call(make, frame_length_ms, hop_ms):
    waveform = make()
    theirs = direct(waveform.samples, frame_length=frame_length_ms, frame_space=hop_ms)
    ours = YaaptCompatTracker(frame_length_ms=frame_length_ms, hop_ms=hop_ms, correction=False).track(waveform)
    np.testing.assert_array_equal(np.nan_to_num(ours.f0_hz), theirs.samp_values)
    np.testing.assert_array_equal(ours.voiced, theirs.samp_values > 0)
    np.testing.assert_array_equal(ours.times, theirs.frames_pos / RATE)


@pytest.mark.parametrize(("frame_length_ms", "hop_ms"), [(25.0, 20.0), (35.0, 10.0), (40.0, 30.0)])
def test_one_sample_below_the_least_length_the_package_itself_fails(frame_length_ms, hop_ms):
    least = YaaptCompatTracker(frame_length_ms=frame_length_ms, hop_ms=hop_ms).least_samples
    samples = tone(200.0).samples
    with pytest.raises(IndexError):
        direct(samples[: least - 1], frame_length=frame_length_ms, frame_space=hop_ms)
    assert direct(samples[:least], frame_length=frame_length_ms, frame_space=hop_ms).samp_values.size == 4
