from dataclasses import replace

import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.errors import DataError
from otoscope.f0.base import F0Track, TrackerInfo
from otoscope.f0.kaldi import KaldiTracker
from otoscope.f0.registry import TRACKERS, open_tracker
from otoscope.testing.trackers import check_tracker, glide_errors

# AMFM_decompy gives rate / (lag + 1): 34 cents flat at 320 Hz, 15 at 141 Hz.
BOUNDS = {"yaapt-compat": {"max_tone_cents": 36.0, "max_bias_cents": 18.0}}

PACKAGES = {"swift": "swift_f0", "praat": "parselmouth", "pyin": "librosa"}


@pytest.mark.parametrize("name", sorted(TRACKERS))
def test_every_registered_tracker_keeps_the_laws(name):
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    report = check_tracker(open_tracker(name), **BOUNDS.get(name, {}))
    assert report.glide.voiced > 0.9


@pytest.mark.parametrize(
    "spec",
    [
        "kaldi:hop_ms=20",
        "kaldi:hop_ms=5,f0_min_hz=50,f0_max_hz=500",
        "kaldi:pov_threshold=0.2",
        "swift:hop_ms=10,f0_min_hz=50,f0_max_hz=1000",
        "praat:hop_ms=10,f0_min_hz=75,f0_max_hz=600",
    ],
)
def test_the_laws_hold_for_other_settings_too(spec):
    name = spec.partition(":")[0]
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    check_tracker(open_tracker(spec))


class Wrong:
    """Kaldi with one thing spoilt."""

    def __init__(self, spoil, *, before=None):
        self.inner = KaldiTracker()
        self.spoil = spoil
        self.before = before

    sample_rate = 16_000

    @property
    def info(self):
        return TrackerInfo("wrong", "1", {})

    def track(self, waveform):
        if self.before is not None:
            waveform = self.before(waveform)
        track = replace(self.inner.track(waveform), tracker=self.info, clip_id=waveform.clip_id)
        return self.spoil(track, waveform)


def keep(track, waveform):
    return track


def test_a_right_tracker_in_the_same_wrapping_passes():
    check_tracker(Wrong(keep))


def voiced_everywhere(track, waveform):
    return replace(track, voiced=np.ones_like(track.voiced), f0_hz=np.nan_to_num(track.f0_hz, nan=150.0))


def in_silence(track, waveform):
    return voiced_everywhere(track, waveform) if waveform.is_silent() else track


def by_level(track, waveform):
    voiced = track.voiced & (np.abs(waveform.samples).max() > 0.2)
    return replace(track, voiced=voiced, f0_hz=np.where(voiced, track.f0_hz, np.nan))


def scribble(track, waveform):
    samples = waveform.samples.base
    if samples is not None:
        samples.flags.writeable = True
        samples[0] += 0.01
    return track


RNG = np.random.default_rng(0)


def at_random(track, waveform):
    return replace(track, times=track.times + RNG.uniform(0, 1e-4))


def test_a_track_without_voice_is_an_answer_to_too_short_a_clip():
    class Quiet(Wrong):
        def track(self, waveform):
            if waveform.samples.size >= 400:
                return super().track(waveform)
            nothing = np.zeros(frames)
            return F0Track(nothing + shift, nothing * np.nan, nothing > 0, self.info, waveform.clip_id)

    frames, shift = 0, 0.0
    check_tracker(Quiet(keep))
    frames = 1
    check_tracker(Quiet(keep))
    shift = 0.0125
    with pytest.raises(AssertionError, match=r"1 frames, 0 of them voiced.*outside the clip"):
        check_tracker(Quiet(keep))


def lengthen(waveform):
    padded = np.pad(waveform.samples, (0, max(0, 1_600 - waveform.samples.size)), mode="wrap")
    return Waveform(padded, waveform.sample_rate, waveform.clip_id)


def resampled(waveform):
    return Waveform(waveform.samples, 16_000, waveform.clip_id)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Wrong(lambda t, w: replace(t, times=t.times + 0.005)), r"clock error of -4\.\d+ ms"),
        (Wrong(lambda t, w: replace(t, times=t.times - 0.005)), r"clock error of \+5\.\d+ ms"),
        (Wrong(lambda t, w: replace(t, f0_hz=t.f0_hz * 2 ** (8 / 1200))), "cents off on a tone|biased by"),
        (Wrong(lambda t, w: replace(t, f0_hz=t.f0_hz / 2)), "cents off on a tone"),
        (Wrong(voiced_everywhere), "decides voicing rightly"),
        (Wrong(in_silence), "voiced frames in a signal that is 0 throughout"),
        (Wrong(by_level), "at a gain of 0.1"),
        (Wrong(scribble), "changes the caller's samples"),
        (Wrong(at_random), "another track when run again"),
        (Wrong(lambda t, w: replace(t, clip_id="other")), "another clip, 'other'"),
        (Wrong(lambda t, w: replace(t, tracker=TrackerInfo("x", "1", {}))), "info is not the tracker's"),
        (Wrong(lambda t, w: replace(t, times=t.times + 0.5)), "frames outside the clip"),
        (Wrong(keep, before=lengthen), "a clip of 8 samples with a track of 'too-short' with 8 frames"),
        (Wrong(keep, before=resampled), "a rate of 32000 Hz with a track of 'tone-200'"),
        (Wrong(lambda t, w: replace(t, score=-t.score)), "higher must be surer"),
        (Wrong(lambda t, w: replace(t, score=np.where(t.voiced, t.score, np.nan))), "or to no unvoiced one"),
        (
            Wrong(lambda t, w: replace(t, score=t.score + RNG.uniform(0, 1e-4, t.score.size))),
            "another track when run",
        ),
    ],
)
def test_a_tracker_that_breaks_a_law_is_told_which(wrong, said):
    with pytest.raises(AssertionError, match=said):
        check_tracker(wrong)


def test_an_exception_of_another_kind_is_no_refusal():
    def fail(waveform):
        if waveform.samples.size < 400:
            raise IndexError("index 0 is out of bounds")
        return waveform

    with pytest.raises(AssertionError, match="8 samples with IndexError"):
        check_tracker(Wrong(keep, before=fail))


def test_a_tracker_without_voice_is_told_so_and_not_measured():
    def unvoiced(track, waveform):
        return F0Track(
            track.times,
            np.full(track.times.size, np.nan),
            np.zeros(track.times.size, dtype=bool),
            track.tracker,
            track.clip_id,
        )

    with pytest.raises(AssertionError, match="finds no voice in a glide"):
        glide_errors(Wrong(unvoiced))


def test_glide_errors_tells_a_bias_from_a_late_clock():
    plain = glide_errors(Wrong(keep))
    sharp = glide_errors(Wrong(lambda t, w: replace(t, f0_hz=t.f0_hz * 2 ** (30 / 1200))))
    early = glide_errors(Wrong(lambda t, w: replace(t, times=t.times - 0.004)))
    assert sharp.bias_cents - plain.bias_cents == pytest.approx(30, abs=0.01)
    assert sharp.clock_ms == pytest.approx(plain.clock_ms, abs=0.01)
    assert early.clock_ms - plain.clock_ms == pytest.approx(4, abs=0.3)
    assert early.bias_cents == pytest.approx(plain.bias_cents, abs=0.5)


def test_a_stricter_bound_reaches_the_check():
    with pytest.raises(AssertionError, match="1 are accepted"):
        check_tracker(KaldiTracker(), max_tone_cents=1.0)
    with pytest.raises(AssertionError, match="gain of"):
        check_tracker(KaldiTracker(), min_same_frames=1.01)
    with pytest.raises(DataError):
        KaldiTracker().track(Waveform(np.zeros(8, dtype=np.float32), 16_000, "x"))
