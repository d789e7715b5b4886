"""Signals whose F0 is known: tones, glides, and something like speech.

The truth is a closed form, evaluated at any time, never read off the samples. Harmonics start in cosine phase, as in
pulses; in sine phase, trackers that square the signal (YAAPT) halve the octave of many steady tones. No partial comes
near half the sample rate, so that nothing aliases. Random parts come from a seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from otoscope.audio import Waveform
from otoscope.errors import SpecError

__all__ = ["chirp", "noise", "silence", "speechlike", "tone"]

Times = NDArray[np.float64]
Truth = Callable[[ArrayLike], Times]
HIGHEST_PARTIAL = 0.45  # of the sample rate
N_HARMONICS = 10

# Centre and bandwidth of the formants of five vowels, in hertz.
_VOWELS = (
    ((730, 90), (1090, 110), (2440, 170)),
    ((530, 80), (1840, 110), (2480, 170)),
    ((270, 60), (2290, 110), (3010, 170)),
    ((570, 80), (840, 100), (2410, 170)),
    ((300, 60), (870, 100), (2240, 170)),
)


def _n_harmonics(highest_hz: float, sample_rate: int, wanted: int | None, where: str) -> int:
    most = int(HIGHEST_PARTIAL * sample_rate / highest_hz)
    if most < 1:
        raise SpecError(
            f"{where}: F0 reaches {highest_hz:g} Hz at {sample_rate} Hz; "
            f"{HIGHEST_PARTIAL:g} of the sample rate is the most"
        )
    if wanted is None:
        return min(most, N_HARMONICS)
    if not 1 <= wanted <= most:
        raise SpecError(f"{where}: n_harmonics is {wanted}; 1 to {most} lie below half the sample rate")
    return wanted


def _n_samples(duration_s: float, sample_rate: int, where: str) -> int:
    if sample_rate <= 0 or not np.isfinite(duration_s) or round(duration_s * sample_rate) < 1:
        raise SpecError(f"{where}: {duration_s} s at {sample_rate} Hz holds no sample; ask for more")
    return round(duration_s * sample_rate)


def _check_hz(value: float, name: str, where: str) -> None:
    if not np.isfinite(value) or value <= 0:
        raise SpecError(f"{where}: {name} is {value} Hz; it must be finite and above 0")


def _complex_tone(phase: Times, n_harmonics: int) -> Times:
    """Sum cosines at the multiples of a phase (in cycles) with amplitudes 1/k."""
    total = np.zeros_like(phase)
    for k in range(1, n_harmonics + 1):
        total += np.cos(2 * np.pi * k * phase) / k
    return total


def _waveform(samples: Times, peak: float, sample_rate: int, clip_id: str) -> Waveform:
    if not 0 < peak <= 1:
        raise SpecError(f"{clip_id}: peak is {peak}; above 0 and at most 1 (full scale) is accepted")
    scaled = (samples * (peak / np.max(np.abs(samples)))).astype(np.float32)
    return Waveform(scaled, sample_rate, clip_id)


def tone(
    f0_hz: float,
    *,
    duration_s: float = 1.0,
    sample_rate: int = 16_000,
    n_harmonics: int | None = None,
    peak: float = 0.5,
) -> Waveform:
    """Make a harmonic complex of constant F0.

    Parameters
    ----------
    f0_hz : float, > 0, hertz
        Its fundamental.
    duration_s : float, > 0, seconds
        Its length.
    sample_rate : int, hertz
        Samples per second.
    n_harmonics : int, optional
        How many partials, the fundamental included, with amplitudes 1/k; 1 gives a sine. By default 10, or
        as many as lie below 0.45 of the sample rate.
    peak : float, in (0, 1]
        The largest magnitude.

    Returns
    -------
    Waveform
        With ``round(duration_s * sample_rate)`` samples.

    Examples
    --------
    >>> tone(200.0, duration_s=0.5).samples.shape
    (8000,)
    """
    clip_id = f"tone-{f0_hz:g}"
    _check_hz(f0_hz, "f0_hz", clip_id)
    n = _n_samples(duration_s, sample_rate, clip_id)
    partials = _n_harmonics(f0_hz, sample_rate, n_harmonics, clip_id)
    phase = f0_hz * np.arange(n) / sample_rate
    return _waveform(_complex_tone(phase, partials), peak, sample_rate, clip_id)


def chirp(
    start_hz: float,
    *,
    end_hz: float,
    duration_s: float = 1.0,
    sample_rate: int = 16_000,
    n_harmonics: int | None = None,
    peak: float = 0.5,
) -> tuple[Waveform, Truth]:
    """Make a harmonic complex whose F0 glides exponentially: equal musical intervals in equal times.

    Parameters
    ----------
    start_hz, end_hz : float, > 0, hertz
        The fundamental at the first sample and at the end; rising or falling.
    duration_s : float, > 0, seconds
        The length of the glide.
    sample_rate : int, hertz
        Samples per second.
    n_harmonics : int, optional
        How many partials, with amplitudes 1/k; by default 10, or as many as stay below 0.45 of the sample rate.
    peak : float, in (0, 1]
        The largest magnitude.

    Returns
    -------
    waveform : Waveform
        The glide.
    true_hz : callable
        Gives the F0 in hertz at times in seconds: ``start_hz * (end_hz / start_hz) ** (t / duration_s)``, and NaN
        before the beginning and after the end.

    Examples
    --------
    >>> waveform, true_hz = chirp(100.0, end_hz=400.0, duration_s=2.0)
    >>> true_hz([0.0, 1.0, 2.0, 2.1]).tolist()
    [100.0, 200.0, 400.0, nan]
    """
    clip_id = f"chirp-{start_hz:g}-{end_hz:g}"
    _check_hz(start_hz, "start_hz", clip_id)
    _check_hz(end_hz, "end_hz", clip_id)
    n = _n_samples(duration_s, sample_rate, clip_id)
    partials = _n_harmonics(max(start_hz, end_hz), sample_rate, n_harmonics, clip_id)
    glide = _Glide(0.0, duration_s, start_hz, end_hz)
    samples = _complex_tone(glide.cycles(np.arange(n) / sample_rate), partials)

    def true_hz(times: ArrayLike) -> Times:
        at = np.asarray(times, dtype=np.float64)
        return np.where((at >= 0) & (at <= duration_s), glide.hz(at), np.nan)

    return _waveform(samples, peak, sample_rate, clip_id), true_hz


@dataclass(frozen=True, slots=True)
class _Glide:
    """An exponential glide from one F0 to another."""

    start_s: float
    end_s: float
    start_hz: float
    end_hz: float

    def hz(self, times: Times) -> Times:
        part = np.clip((times - self.start_s) / (self.end_s - self.start_s), 0.0, 1.0)
        return self.start_hz * (self.end_hz / self.start_hz) ** part

    def cycles(self, times: Times) -> Times:
        """Integrate the F0 from the start of the glide: the phase, in cycles."""
        since = times - self.start_s
        rate = np.log(self.end_hz / self.start_hz) / (self.end_s - self.start_s)
        # expm1 keeps the digits of slow glides; a level one has no exponential at all.
        return self.start_hz * (since if rate == 0 else np.expm1(rate * since) / rate)


@dataclass(frozen=True, slots=True)
class _Voiced:
    """A stretch of voice: glides that follow on each other, and a vowel."""

    glides: tuple[_Glide, ...]
    vowel: int

    @property
    def start_s(self) -> float:
        return self.glides[0].start_s

    @property
    def end_s(self) -> float:
        return self.glides[-1].end_s

    def hz(self, times: Times) -> Times:
        f0_hz = self.glides[0].hz(times)
        for glide in self.glides[1:]:
            f0_hz = np.where(times >= glide.start_s, glide.hz(times), f0_hz)
        return f0_hz

    def cycles(self, times: Times) -> Times:
        cycles, before = self.glides[0].cycles(times), 0.0
        for last, glide in pairwise(self.glides):
            before += float(last.cycles(np.array(last.end_s)))
            cycles = np.where(times >= glide.start_s, before + glide.cycles(times), cycles)
        return cycles

    def sound(self, times: Times, n_harmonics: int) -> Times:
        """Sum harmonics weighted by the vowel's formants: in cosine phase, so that formants delay nothing."""
        f0_hz, cycles = self.hz(times), self.cycles(times)
        total = np.zeros_like(times)
        for k in range(1, n_harmonics + 1):
            gain = np.full_like(times, 1.0 / k)
            for centre, width in _VOWELS[self.vowel]:
                ratio = k * f0_hz / centre
                gain /= np.hypot(1 - ratio**2, ratio * width / centre)
            total += gain * np.cos(2 * np.pi * k * cycles)
        return total / np.sqrt(np.mean(total**2))


def _fade(n: int, sample_rate: int) -> Times:
    """Rise and fall over 10 ms, as raised cosines."""
    rise = min(n // 2, round(0.010 * sample_rate))
    window = np.ones(n)
    window[:rise] = 0.5 - 0.5 * np.cos(np.pi * (np.arange(rise) + 0.5) / rise)
    window[n - rise :] = window[:rise][::-1]
    return window


def speechlike(
    seed: int,
    *,
    duration_s: float = 4.0,
    sample_rate: int = 16_000,
    noise_db: float = -60.0,
    peak: float = 0.5,
) -> tuple[Waveform, Truth, Callable[[ArrayLike], NDArray[np.bool_]]]:
    """Make something like speech: vowels on gliding F0, hiss and pauses, in turn.

    F0 stays between 90 and 300 Hz within 0.9 octaves of register and glides by at most 2 octaves a second.
    Voice begins and ends with 10 ms of fading.

    Parameters
    ----------
    seed : int, >= 0
        Equal seeds give equal signals.
    duration_s : float, >= 1, seconds
        The length.
    sample_rate : int, >= 8000, hertz
        Samples per second.
    noise_db : float, dB
        Level of a white noise under everything, relative to the voice.
    peak : float, in (0, 1]
        The largest magnitude.

    Returns
    -------
    waveform : Waveform
        The signal.
    true_hz : callable
        Gives the F0 in hertz at times in seconds, NaN where there is no voice.
    voiced : callable
        Says at times in seconds whether there is voice.

    Examples
    --------
    >>> waveform, true_hz, voiced = speechlike(0)
    >>> bool(voiced(0.0)), float(true_hz(0.0))
    (False, nan)
    """
    clip_id = f"speechlike-{seed}"
    if not np.isfinite(duration_s) or duration_s < 1 or sample_rate < 8_000:
        raise SpecError(f"{clip_id}: {duration_s} s at {sample_rate} Hz; at least 1 s and 8000 Hz are needed")
    rng = np.random.default_rng(seed)
    n = _n_samples(duration_s, sample_rate, clip_id)
    times = np.arange(n) / sample_rate
    samples = rng.standard_normal(n) * 10 ** (noise_db / 20)
    register_hz = rng.uniform(125.0, 215.0)
    partials = int(HIGHEST_PARTIAL * sample_rate / 300)
    stretches: list[_Voiced] = []
    now = rng.uniform(0.10, 0.20)
    while now < duration_s - 0.5:
        stretch = _voice(rng, now, min(now + rng.uniform(0.25, 0.60), duration_s - 0.2), register_hz)
        stretches.append(stretch)
        here = _between(times, stretch.start_s, stretch.end_s)
        samples[here] += stretch.sound(times[here], partials) * _fade(times[here].size, sample_rate)
        now = stretch.end_s
        if rng.random() < 0.6:
            hiss = _between(times, now + 0.02, min(now + rng.uniform(0.08, 0.17), duration_s - 0.05))
            size = times[hiss].size
            samples[hiss] += 0.25 * np.diff(rng.standard_normal(size + 1)) * _fade(size, sample_rate)
            now += 0.17
        now += rng.uniform(0.08, 0.20)

    def voiced(at: ArrayLike) -> NDArray[np.bool_]:
        when = np.asarray(at, dtype=np.float64)
        inside = np.zeros(when.shape, dtype=np.bool_)
        for stretch in stretches:
            inside |= (when >= stretch.start_s) & (when < stretch.end_s)
        return inside

    def true_hz(at: ArrayLike) -> Times:
        when = np.asarray(at, dtype=np.float64)
        f0_hz = np.full(when.shape, np.nan)
        for stretch in stretches:
            inside = (when >= stretch.start_s) & (when < stretch.end_s)
            f0_hz = np.where(inside, stretch.hz(when), f0_hz)
        return f0_hz

    return _waveform(samples, peak, sample_rate, clip_id), true_hz, voiced


def _between(times: Times, start_s: float, end_s: float) -> slice:
    first, last = np.searchsorted(times, (start_s, end_s))
    return slice(int(first), int(last))


def _voice(rng: np.random.Generator, start_s: float, end_s: float, register_hz: float) -> _Voiced:
    """Draw one or two glides inside the register, none steeper than 2 octaves a second."""
    corners = np.linspace(start_s, end_s, int(rng.integers(2, 4)))
    height = rng.uniform(-0.45, 0.45)
    glides: list[_Glide] = []
    for begin, end in pairwise(corners.tolist()):
        reach = 2.0 * (end - begin)
        target = float(np.clip(rng.uniform(-0.45, 0.45), height - reach, height + reach))
        glides.append(_Glide(begin, end, register_hz * 2.0**height, register_hz * 2.0**target))
        height = target
    return _Voiced(tuple(glides), int(rng.integers(len(_VOWELS))))


def noise(seed: int, *, duration_s: float = 1.0, sample_rate: int = 16_000, peak: float = 0.5) -> Waveform:
    """Make white Gaussian noise, which has no F0.

    Parameters
    ----------
    seed : int, >= 0
        Equal seeds give equal signals.
    duration_s : float, > 0, seconds
        The length.
    sample_rate : int, hertz
        Samples per second.
    peak : float, in (0, 1]
        The largest magnitude.

    Returns
    -------
    Waveform
        With ``round(duration_s * sample_rate)`` samples.
    """
    clip_id = f"noise-{seed}"
    n = _n_samples(duration_s, sample_rate, clip_id)
    return _waveform(np.random.default_rng(seed).standard_normal(n), peak, sample_rate, clip_id)


def silence(duration_s: float, *, sample_rate: int = 16_000, offset: float = 0.0) -> Waveform:
    """Make a signal that does not move.

    Parameters
    ----------
    duration_s : float, > 0, seconds
        The length.
    sample_rate : int, hertz
        Samples per second.
    offset : float
        The value of every sample: a direct current where it is not 0.

    Returns
    -------
    Waveform
        With ``round(duration_s * sample_rate)`` samples.
    """
    n = _n_samples(duration_s, sample_rate, "silence")
    return Waveform(np.full(n, offset, dtype=np.float32), sample_rate, "silence")
