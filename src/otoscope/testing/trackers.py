"""Checks that any F0 tracker must pass, a user's own included.

The truth comes from signals whose F0 is known (:mod:`otoscope.testing.signals`). Two glides, one rising and one
falling, tell two kinds of error apart. A value that is too high on both is a frequency bias. A value too high on the
rising and too low on the falling glide belongs to a later moment than its time says: a clock error.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from otoscope.audio import Waveform
from otoscope.errors import DataError
from otoscope.f0.base import F0Track, Tracker
from otoscope.testing.signals import chirp, silence, speechlike, tone

__all__ = ["GlideErrors", "TrackerReport", "check_tracker", "glide_errors"]

EDGE_S = 0.1  # the ends of a signal are not judged: windows reach past them
CENTS = 1200.0


@dataclass(frozen=True, slots=True)
class GlideErrors:
    """What a rising and a falling glide say of a tracker.

    Parameters
    ----------
    bias_cents : float, cents
        Mean of the two median errors; above 0 where the values are too high.
    clock_ms : float, milliseconds
        Half the difference of the two median errors, over the rate of the glide; above 0 where a value belongs to
        a later moment than its time says, so that the times are to be raised by as much.
    voiced : float, in [0, 1]
        The share of frames that were voiced, on the worse of the two.
    """

    bias_cents: float
    clock_ms: float
    voiced: float


@dataclass(frozen=True, slots=True)
class TrackerReport:
    """What :func:`check_tracker` measured on the way.

    Parameters
    ----------
    tone_cents : float, cents
        The largest median error on the tones, in magnitude.
    glide : GlideErrors
        Bias and clock on the glides.
    """

    tone_cents: float
    glide: GlideErrors


def glide_errors(
    tracker: Tracker, *, low_hz: float = 100.0, high_hz: float = 200.0, octaves_per_s: float = 1.0
) -> GlideErrors:
    """Measure the bias and the clock of a tracker with one glide up and one down.

    Parameters
    ----------
    tracker : Tracker
        The one to measure.
    low_hz, high_hz : float, hertz
        The ends of the glides.
    octaves_per_s : float, > 0
        Their rate. Fast glides tell the clock well; slow ones are kinder to trackers that smooth.

    Returns
    -------
    GlideErrors
        From the frames that are voiced and not within 0.1 s of an end.

    Raises
    ------
    AssertionError
        If the tracker finds no voice on a glide.
    """
    duration_s = float(np.log2(high_hz / low_hz) / octaves_per_s)
    medians: list[float] = []
    shares: list[float] = []
    for start_hz, end_hz in ((low_hz, high_hz), (high_hz, low_hz)):
        waveform, true_hz = chirp(start_hz, end_hz=end_hz, duration_s=duration_s, sample_rate=tracker.sample_rate)
        track = tracker.track(waveform)
        judged = (track.times > EDGE_S) & (track.times < duration_s - EDGE_S)
        used = judged & track.voiced
        _require(
            tracker,
            used.any(),
            f"finds no voice in a glide of a harmonic complex from {start_hz:g} to {end_hz:g} Hz",
        )
        medians.append(float(np.median(CENTS * np.log2(track.f0_hz[used] / true_hz(track.times[used])))))
        shares.append(float(used.sum() / judged.sum()))
    up, down = medians
    clock_s = (up - down) / 2 / (CENTS * octaves_per_s)
    return GlideErrors((up + down) / 2, clock_s * 1000, min(shares))


def check_tracker(
    tracker: Tracker,
    *,
    max_tone_cents: float = 20.0,
    max_bias_cents: float = 5.0,
    max_clock_ms: float = 2.0,
    min_voiced: float = 0.9,
    max_gain_cents: float = 1.0,
    min_same_frames: float = 0.99,
    tones_hz: tuple[float, ...] = (100.0, 200.0, 320.0),
) -> TrackerReport:
    """Check that a tracker keeps the laws that every tracker keeps, and that its values and times are right.

    The laws: a track is of the clip asked for, names its tracker and is not padded; two runs are equal; the level
    does not matter; silence and a direct current are unvoiced; too short a clip is a ``DataError`` with the clip's
    id, or a track inside the clip without voice; another sample rate is a ``DataError`` with the clip's id; a score
    is higher on average where there is voice; nothing is printed as a warning; the caller's samples are left alone.

    Parameters
    ----------
    tracker : Tracker
        The one to check.
    max_tone_cents : float, cents
        The largest median error on a tone, in magnitude.
    max_bias_cents : float, cents
        The largest bias on glides between 100 and 200 Hz, in magnitude.
    max_clock_ms : float, milliseconds
        The largest clock error on them, in magnitude.
    min_voiced : float, in [0, 1]
        The least share of voiced frames on tones and glides.
    max_gain_cents : float, cents
        How far a frame may move when the signal becomes ten times weaker or twice as strong.
    min_same_frames : float, in [0, 1]
        The least share of frames that keep their voicing and stay within `max_gain_cents`.
    tones_hz : tuple of float, hertz
        The tones.

    Returns
    -------
    TrackerReport
        What was measured.

    Raises
    ------
    AssertionError
        At the first law that is broken, with what was got and what is accepted.

    Examples
    --------
    >>> from otoscope.f0.kaldi import KaldiTracker
    >>> check_tracker(KaldiTracker()).tone_cents < 20
    True
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _check_info(tracker)
        _check_speech(tracker, max_gain_cents, min_same_frames)
        _check_silence(tracker)
        _check_refusals(tracker)
        tone_cents = max(_tone_error(tracker, f0_hz, min_voiced) for f0_hz in tones_hz)
        _require(
            tracker,
            tone_cents <= max_tone_cents,
            f"is {tone_cents:.1f} cents off on a tone; {max_tone_cents:g} are accepted",
        )
        glide = glide_errors(tracker)
    _require(
        tracker,
        glide.voiced >= min_voiced,
        f"finds voice in {glide.voiced:.0%} of a glide; {min_voiced:.0%} is the least",
    )
    _require(
        tracker,
        abs(glide.bias_cents) <= max_bias_cents,
        f"is biased by {glide.bias_cents:+.1f} cents; {max_bias_cents:g} are accepted",
    )
    _require(
        tracker,
        abs(glide.clock_ms) <= max_clock_ms,
        f"has a clock error of {glide.clock_ms:+.2f} ms; {max_clock_ms:g} are accepted "
        f"(add {glide.clock_ms / 1000:+.4f} s to its times)",
    )
    return TrackerReport(tone_cents, glide)


def _require(tracker: Tracker, kept: object, problem: str) -> None:
    if not kept:
        raise AssertionError(f"{tracker.info.name}: {problem}")


def _same(one: F0Track, other: F0Track) -> bool:
    return (
        np.array_equal(one.times, other.times)
        and np.array_equal(one.voiced, other.voiced)
        and np.array_equal(one.f0_hz, other.f0_hz, equal_nan=True)
        and (one.score is None) == (other.score is None)
        and (one.score is None or other.score is None or np.array_equal(one.score, other.score, equal_nan=True))
    )


def _check_info(tracker: Tracker) -> None:
    info = tracker.info
    _require(tracker, info.name and info.version, "info has no name or no version")
    _require(tracker, info.digest == tracker.info.digest, "info changes from one look to the next")
    _require(tracker, tracker.sample_rate > 0, f"sample_rate is {tracker.sample_rate}; above 0 is needed")


def _check_speech(tracker: Tracker, max_gain_cents: float, min_same_frames: float) -> None:
    waveform, _, voiced = speechlike(1, sample_rate=tracker.sample_rate)
    before = waveform.samples.copy()
    track = tracker.track(waveform)
    _require(tracker, np.array_equal(before, waveform.samples), "changes the caller's samples")
    _require(tracker, track.clip_id == waveform.clip_id, f"gives a track of another clip, {track.clip_id!r}")
    _require(tracker, track.tracker.digest == tracker.info.digest, "gives a track whose info is not the tracker's")
    inside = track.times.size and track.times[0] >= 0 and track.times[-1] <= waveform.duration_s
    _require(tracker, inside, "has frames outside the clip, or none")
    right = float(np.mean(track.voiced == voiced(track.times)))
    _require(tracker, right >= 0.9, f"decides voicing rightly on {right:.0%} of clean frames; 90% is the least")
    _require(tracker, _same(track, tracker.track(waveform)), "gives another track when run again")
    _check_score(tracker, track)
    for gain in (0.1, 2.0):
        scaled = Waveform(waveform.samples * np.float32(gain), waveform.sample_rate, waveform.clip_id)
        other = tracker.track(scaled)
        _require(tracker, np.array_equal(track.times, other.times), f"has other times at a gain of {gain:g}")
        cents = np.zeros(track.times.size)
        both = track.voiced & other.voiced
        cents[both] = CENTS * np.abs(np.log2(other.f0_hz[both] / track.f0_hz[both]))
        same = float(np.mean((track.voiced == other.voiced) & (cents <= max_gain_cents)))
        _require(
            tracker,
            same >= min_same_frames,
            f"keeps {same:.1%} of frames at a gain of {gain:g}; {min_same_frames:.1%} is the least",
        )


def _check_score(tracker: Tracker, track: F0Track) -> None:
    if track.score is None:
        return
    scored = np.isfinite(track.score)
    with_voice, without = scored & track.voiced, scored & ~track.voiced
    _require(
        tracker,
        with_voice.any() and without.any(),
        "gives a score to no voiced frame, or to no unvoiced one; leave the score out",
    )
    high, low = float(track.score[with_voice].mean()), float(track.score[without].mean())
    _require(
        tracker,
        high > low,
        f"scores {high:.3g} on average where voiced and {low:.3g} elsewhere; higher must be surer",
    )


def _check_silence(tracker: Tracker) -> None:
    for offset in (0.0, 0.25):
        track = tracker.track(silence(1.0, sample_rate=tracker.sample_rate, offset=offset))
        _require(
            tracker,
            not track.voiced.any(),
            f"finds {int(track.voiced.sum())} voiced frames in a signal that is {offset:g} throughout",
        )


def _check_refusals(tracker: Tracker) -> None:
    period = 0.5 * np.cos(np.pi / 4 * np.arange(8))
    short = Waveform(period.astype(np.float32), tracker.sample_rate, "too-short")
    met = _outcome(tracker, short)
    _require(
        tracker,
        _refuses(met, short) or _says_nothing(met, short),
        f"meets a clip of 8 samples with {_named(met)}; a DataError with the clip's id is needed, "
        "or a track without voice and without frames outside the clip",
    )
    other = tone(200.0, sample_rate=2 * tracker.sample_rate)
    met = _outcome(tracker, other)
    _require(
        tracker,
        _refuses(met, other),
        f"meets a rate of {other.sample_rate} Hz with {_named(met)}; a DataError with the clip's id is needed",
    )


def _outcome(tracker: Tracker, waveform: Waveform) -> F0Track | Exception:
    try:
        return tracker.track(waveform)
    except Exception as error:  # whatever a user's tracker raises is what the message shows
        return error


def _refuses(met: F0Track | Exception, waveform: Waveform) -> bool:
    return isinstance(met, DataError) and met.clip_id == waveform.clip_id


def _says_nothing(met: F0Track | Exception, waveform: Waveform) -> bool:
    if not isinstance(met, F0Track) or met.clip_id != waveform.clip_id or met.voiced.any():
        return False
    return bool(np.all((met.times >= 0) & (met.times <= waveform.duration_s)))


def _named(met: F0Track | Exception) -> str:
    if isinstance(met, F0Track):
        return f"a track of {met.clip_id!r} with {met.times.size} frames, {int(met.voiced.sum())} of them voiced"
    return repr(met)


def _tone_error(tracker: Tracker, f0_hz: float, min_voiced: float) -> float:
    waveform = tone(f0_hz, sample_rate=tracker.sample_rate)
    track = tracker.track(waveform)
    judged = (track.times > EDGE_S) & (track.times < waveform.duration_s - EDGE_S)
    used = judged & track.voiced
    share = float(used.sum() / max(1, judged.sum()))
    _require(
        tracker,
        used.any() and share >= min_voiced,
        f"finds voice in {share:.0%} of a tone of {f0_hz:g} Hz; {min_voiced:.0%} is the least",
    )
    return abs(float(np.median(CENTS * np.log2(track.f0_hz[used] / f0_hz))))
