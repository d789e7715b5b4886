"""AMFM_decompy 1.0.12 is the truth here: yaapt-compat promises its decisions, bias and all.

Where the two differ, the last bit decided between paths of equal cost; AMFM_decompy differs from itself as much when
only its linear algebra library changes.
"""

import contextlib
import io
import warnings
from importlib.metadata import version

import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.f0.yaapt_compat import YaaptCompatTracker
from otoscope.testing.signals import noise, speechlike, tone
from otoscope.testing.voices import vowels

RATE = 16_000
TOL_HZ = 0.1
MOST_VOICING = 1e-4
MOST_F0 = 2e-3


def direct(samples, *, rate=RATE, **settings):
    from amfm_decompy import basic_tools, pYAAPT

    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return pYAAPT.yaapt(basic_tools.SignalObj(np.array(samples, dtype=np.float64), rate), **settings)


def both(waveform, *, frame_length_ms=25.0, hop_ms=20.0, f0_min_hz=60.0, f0_max_hz=400.0):
    """Give AMFM_decompy's F0 and ours, 0 where unvoiced."""
    theirs = direct(
        waveform.samples, rate=waveform.sample_rate,
        frame_length=frame_length_ms, frame_space=hop_ms, f0_min=f0_min_hz, f0_max=f0_max_hz,
    )  # fmt: skip
    tracker = YaaptCompatTracker(
        frame_length_ms=frame_length_ms, hop_ms=hop_ms, f0_min_hz=f0_min_hz, f0_max_hz=f0_max_hz,
        sample_rate=waveform.sample_rate, correction=False,
    )  # fmt: skip
    ours = tracker.track(waveform)
    np.testing.assert_allclose(ours.times, theirs.frames_pos / waveform.sample_rate, rtol=0, atol=1e-12)
    return theirs.samp_values, np.nan_to_num(ours.f0_hz)


def differing(pairs):
    theirs, ours = (np.concatenate(part) for part in zip(*pairs, strict=True))
    voicing = np.mean((theirs > 0) != (ours > 0))
    return theirs.size, float(voicing), float(np.mean(np.abs(theirs - ours) > TOL_HZ))


def signals(seed, sample_rate=RATE, duration_s=4.0):
    settings = {"sample_rate": sample_rate, "duration_s": duration_s}
    gaps = speechlike(seed, **settings)[0].samples.copy()
    gaps[: gaps.size // 4] = 0
    gaps[gaps.size // 2 : gaps.size // 2 + sample_rate // 3] = 0
    return (
        speechlike(seed, **settings)[0],
        speechlike(seed + 50, noise_db=-12, **settings)[0],
        vowels(seed, **settings).waveform,
        vowels(seed, snr_db=0, noise="speech", **settings).waveform,
        Waveform(gaps, sample_rate, "gaps"),
        noise(seed, sample_rate=sample_rate),
    )


def test_this_is_the_version_whose_decisions_are_promised():
    assert version("AMFM_decompy").startswith("1.0.12")


def test_the_decisions_are_theirs_at_25_20_and_35_10():
    lengths = ({}, {"frame_length_ms": 35.0, "hop_ms": 10.0})
    n, voicing, f0 = differing(
        [both(signal, **each) for seed in (5, 6) for signal in signals(seed) for each in lengths]
    )
    assert n > 6_000
    assert voicing <= MOST_VOICING
    assert f0 <= MOST_F0


@pytest.mark.parametrize(
    ("sample_rate", "settings"),
    [
        (8_000, {}),
        (22_050, {"f0_min_hz": 75.0, "f0_max_hz": 500.0}),
        (44_100, {"frame_length_ms": 35.0, "hop_ms": 10.0}),
        (RATE, {"frame_length_ms": 42.3, "hop_ms": 7.3, "f0_min_hz": 40.0, "f0_max_hz": 600.0}),
        (RATE, {"frame_length_ms": 100.0, "hop_ms": 50.0, "f0_min_hz": 100.0, "f0_max_hz": 300.0}),
    ],
)
def test_the_decisions_are_theirs_at_other_rates_and_settings(sample_rate, settings):
    _, voicing, f0 = differing([both(signal, **settings) for signal in signals(7, sample_rate, 2.0)])
    assert voicing <= 2e-3  # one frame
    assert f0 <= 1e-2


@pytest.mark.slow
def test_the_decisions_are_theirs_wherever_they_are_asked_for():
    lengths = ((25.0, 20.0), (35.0, 10.0), (40.0, 30.0), (20.0, 5.0), (42.0, 7.3))
    ranges = ((60.0, 400.0), (75.0, 500.0), (50.0, 300.0), (100.0, 250.0))
    pairs = [
        both(signal, frame_length_ms=frame, hop_ms=hop, f0_min_hz=low, f0_max_hz=high)
        for sample_rate in (8_000, RATE, 22_050, 44_100)
        for signal in signals(8, sample_rate, 2.0)
        for frame, hop in lengths
        for low, high in ranges
    ]
    n, voicing, f0 = differing(pairs)
    assert n > 80_000
    assert voicing <= MOST_VOICING
    assert f0 <= MOST_F0


@pytest.mark.parametrize("n_samples", [1_361, 1_520, 1_679, 1_680, 1_681, 1_682, 1_999, 2_000, 2_001])
def test_there_are_as_many_frames_as_theirs(n_samples):
    theirs, ours = both(Waveform(vowels(1).waveform.samples[4_000 : 4_000 + n_samples].copy(), RATE, "cut"))
    assert theirs.size == ours.size


@pytest.mark.slow
def test_there_are_as_many_frames_as_theirs_at_every_length():
    samples = vowels(1).waveform.samples[4_000:6_001]
    for n_samples in range(1_361, 2_002):
        theirs, ours = both(Waveform(samples[:n_samples].copy(), RATE, "cut"))
        assert theirs.size == ours.size


@pytest.mark.parametrize(
    ("frame_length_ms", "hop_ms"), [(25.0, 20.0), (35.0, 10.0), (40.0, 30.0), (5.0, 1.0), (2.0, 2.0)]
)
def test_one_sample_below_the_least_length_the_package_itself_fails(frame_length_ms, hop_ms):
    least = YaaptCompatTracker(frame_length_ms=frame_length_ms, hop_ms=hop_ms).least_samples
    samples = tone(200.0).samples
    with pytest.raises((IndexError, ValueError)):
        direct(samples[: least - 1], frame_length=frame_length_ms, frame_space=hop_ms)
    theirs, ours = both(
        Waveform(samples[:least].copy(), RATE, "least"), frame_length_ms=frame_length_ms, hop_ms=hop_ms
    )
    assert theirs.size == ours.size >= 4


@pytest.mark.parametrize("settings", [{"frame_length": 0.9, "frame_space": 0.5}, {"frame_length": 128.0}])
def test_frames_that_the_package_refuses_are_refused(settings):
    with pytest.raises(AssertionError, match="Frame length"):
        direct(tone(200.0).samples, **settings)
    with pytest.raises(SpecError, match="16 to 2047"):
        YaaptCompatTracker(frame_length_ms=settings["frame_length"], hop_ms=settings.get("frame_space", 20.0))


@pytest.mark.parametrize(("f0_min_hz", "f0_max_hz"), [(60.0, 130.0), (200.0, 500.0)])
def test_where_the_package_finds_no_lags_the_clip_is_refused(f0_min_hz, f0_max_hz):
    click = np.zeros(4_000, dtype=np.float32)
    click[2_000] = 0.5
    with pytest.raises(ValueError, match="negative"):
        direct(click, f0_min=f0_min_hz, f0_max=f0_max_hz)
    with pytest.raises(DataError, match=r"click: yaapt-compat has no lags to search at frame 0, around 150\.0 Hz"):
        YaaptCompatTracker(f0_min_hz=f0_min_hz, f0_max_hz=f0_max_hz).track(Waveform(click, RATE, "click"))
