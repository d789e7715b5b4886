"""Signals made of stretches of voice, and what is known of them.

:mod:`otoscope.testing.voices` draws such stretches from seeds; :func:`speak` takes any contours of F0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from otoscope.audio import Waveform
from otoscope.errors import SpecError
from otoscope.f0.base import F0Track
from otoscope.f0.scoring import EdgeErrors, TrackScores, edge_errors, score_track
from otoscope.testing.contours import Contour, scatter_of
from otoscope.testing.glottal import RD_RANGE, VOWELS, LFPulse, pulse_train

__all__ = ["KnownAnswer", "NoiseKind", "SourceKind", "Stretch", "speak"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
NoiseKind = Literal["white", "speech"]
SourceKind = Literal["lf", "flat", "soft"]
SOURCES: tuple[SourceKind, ...] = ("lf", "flat", "soft")
NOISES: tuple[NoiseKind, ...] = ("white", "speech")
LEAST_RATE = 8_000
_FADE_S = 0.005  # of the flat source, whose pulses would click
_MARGIN = 1_024  # samples before a stretch, for what rings before a band-limited pulse
_RINGING_S = 0.15  # of the formants, after a stretch
_LOWEST_HZ, _HIGHEST = 20.0, 0.2  # for F0; the highest is a share of the sample rate
_NINE_DB_PER_OCTAVE = -9 / (20 * math.log10(2))  # as an exponent
_HISS = 10 ** (-12 / 20)
_PASS, _STOP = 0.42, 0.48  # of the sample rate: between them harmonics fade out


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Stretch:
    """A stretch of voice to be made.

    Parameters
    ----------
    contour : Contour
        Its F0, and when it begins and ends.
    vowel : str or None
        One of a, e, i, o, u; None for the source alone.
    rd : float, 0.3 to 2.7
        How breathy the glottal pulses are; see :class:`~otoscope.testing.glottal.LFPulse`.
    """

    contour: Contour
    vowel: str | None = "a"
    rd: float = 1.0

    def __post_init__(self) -> None:
        if self.vowel is not None and self.vowel not in VOWELS:
            raise SpecError(f"Stretch: there is no vowel {self.vowel!r}; choose from {', '.join(VOWELS)}, or None")
        if not RD_RANGE[0] <= self.rd <= RD_RANGE[1]:
            raise SpecError(f"Stretch: rd is {self.rd:g}; {RD_RANGE[0]:g} to {RD_RANGE[1]:g} is accepted")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class KnownAnswer:
    """A signal and its F0.

    Parameters
    ----------
    name : str
        Also the id of the waveform.
    waveform : Waveform
        The signal.
    contours : tuple of Contour
        The F0 of each stretch of voice, in order.
    onsets_s, offsets_s : ndarray of float64, shape (n_stretches,), seconds
        When its first cycle begins and its last one ends.
    pulses_s : ndarray of float64, shape (n_pulses,), seconds
        The instants of main excitation; of the flat source, the peaks of its pulses.
    periods_s : ndarray of float64, shape (n_pulses,), seconds
        How long the cycle of each pulse lasts.
    amplitudes : ndarray of float64, shape (n_pulses,)
        How strong each is; 1 on average where nothing fades.
    stretch_of_pulse : ndarray of int, shape (n_pulses,)
        Which stretch each belongs to.
    snr_db : float or None, dB
        The level of the noise that was asked for; None without noise.

    Notes
    -----
    Under jitter the truth is the contour, about which the cycles scatter independently. A tracker that answered for
    every single cycle would be off by the jitter; one that averages over n cycles, by about the jitter over the root
    of n. Whoever needs the single cycles has `pulses_s`. The ringing of the formants after the last cycle is not
    voiced.
    """

    name: str
    waveform: Waveform
    contours: tuple[Contour, ...]
    onsets_s: Floats
    offsets_s: Floats
    pulses_s: Floats
    periods_s: Floats
    amplitudes: Floats
    stretch_of_pulse: NDArray[np.int64]
    snr_db: float | None = None

    def voiced(self, times: ArrayLike) -> Mask:
        """Say where there is voice.

        Parameters
        ----------
        times : array-like of float, seconds
            Any.

        Returns
        -------
        ndarray of bool, shape of `times`
            From each onset, included, to its offset, excluded.
        """
        at = np.asarray(times, dtype=np.float64)
        begun = np.searchsorted(self.onsets_s, at, side="right")
        return begun > np.searchsorted(self.offsets_s, at, side="right")

    def true_hz(self, times: ArrayLike) -> Floats:
        """Give the F0.

        Parameters
        ----------
        times : array-like of float, seconds
            Any.

        Returns
        -------
        ndarray of float64, shape of `times`, hertz
            NaN where there is no voice.
        """
        at = np.asarray(times, dtype=np.float64)
        f0_hz = np.full(at.shape, np.nan)
        for contour, begin, end in zip(self.contours, self.onsets_s, self.offsets_s, strict=True):
            f0_hz = np.where((at >= begin) & (at < end), contour.true_hz(at), f0_hz)
        return f0_hz

    def score(self, track: F0Track, *, collar_s: float = 0.0) -> TrackScores:
        """Judge a track of this signal.

        Parameters
        ----------
        track : F0Track
            What a tracker found.
        collar_s : float, >= 0, seconds
            Frames nearer than this to the beginning or end of voice are left out.

        Returns
        -------
        TrackScores
            By :func:`~otoscope.f0.scoring.score_track`.
        """
        return score_track(track, self.true_hz, self.voiced, collar_s=collar_s)

    def edges(self, track: F0Track) -> EdgeErrors:
        """Measure where a track of this signal lets voice begin and end.

        Parameters
        ----------
        track : F0Track
            What a tracker found.

        Returns
        -------
        EdgeErrors
            By :func:`~otoscope.f0.scoring.edge_errors`.
        """
        return edge_errors(track, self.onsets_s, self.offsets_s)


def speak(
    stretches: Sequence[Stretch],
    *,
    name: str,
    duration_s: float,
    sample_rate: int = 16_000,
    source: SourceKind = "lf",
    hisses_s: Sequence[tuple[float, float]] = (),
    jitter_percent: float = 0.0,
    shimmer_percent: float = 0.0,
    fade_s: float = 0.0,
    snr_db: float | None = None,
    noise: NoiseKind = "white",
    level_db: float = -26.0,
    seed: int = 0,
) -> KnownAnswer:
    """Make a signal of stretches of voice.

    Parameters
    ----------
    stretches : sequence of Stretch
        In order, not overlapping, inside the signal.
    name : str
        Of the answer.
    duration_s : float, > 0, seconds
        Of the signal.
    sample_rate : int, >= 8000, hertz
        Samples per second.
    source : {"lf", "flat", "soft"}
        Pulses of Liljencrants and Fant; or harmonics in cosine phase, as many as there is room for, without formants,
        faded in and out over 5 ms. Flat ones are equally strong: nothing delays them, so they are for measuring
        clocks. Of the soft ones number k is 1/k as strong, which is pleasant to hear.
    hisses_s : sequence of pair of float, seconds
        Beginnings and ends of fricative noise, 12 dB below the voice.
    jitter_percent, shimmer_percent : float, 0 to 50
        Of the periods and the amplitudes: the mean difference of neighbours over the mean. A shimmer of 3 % is
        0.26 dB. Only for the source "lf".
    fade_s : float, >= 0, seconds
        Over which the pulses become stronger at the beginning of a stretch, and weaker at its end. 0 begins and ends
        with full strength.
    snr_db : float, dB, optional
        Power of the voice, over the stretches where there is voice, above that of the noise; None for no noise. Both
        are measured in the signal itself, so that the statement holds exactly.
    noise : {"white", "speech"}
        White; or flat up to 500 Hz and falling by 9 dB per octave from there.
    level_db : float, dB
        Root mean square of the voice over all stretches together, from full scale; the noise comes on top. Within
        that, pulses are equally strong, so that vowels differ in level by some dB, as in speech.
    seed : int, >= 0
        Equal seeds give equal signals. The noise of a seed is the same at every level.

    Returns
    -------
    KnownAnswer
        The signal and all that is known of it.

    Raises
    ------
    SpecError
        If a setting cannot be.

    Examples
    --------
    >>> contour = Contour((0.1, 0.9), (100.0, 200.0))
    >>> answer = speak([Stretch(contour=contour)], name="one", duration_s=1.0)
    >>> answer.waveform.samples.size, answer.pulses_s.size, float(answer.true_hz(0.5).round(2))
    (16000, 115, 141.42)
    """
    _check(
        stretches,
        name,
        duration_s,
        sample_rate,
        source,
        noise,
        {"snr_db": snr_db, "level_db": level_db, "fade_s": fade_s},
    )
    jitter, shimmer = scatter_of(jitter_percent), scatter_of(shimmer_percent)
    if source != "lf" and (jitter or shimmer or fade_s):
        raise SpecError(f"{name}: the {source} source knows no jitter, shimmer or fade_s; take source='lf'")
    n = round(duration_s * sample_rate)
    cycles_rng, hiss_rng, noise_rng = (np.random.default_rng([seed, stream]) for stream in range(3))
    voice, truly = np.zeros(n), np.zeros(n, dtype=np.bool_)
    onsets: list[float] = []
    offsets: list[float] = []
    pulses: list[tuple[Floats, Floats, Floats]] = []
    for stretch in stretches:
        pulse = LFPulse.of_rd(stretch.rd)
        lead = pulse.te if source == "lf" else 0.0
        instants, periods = stretch.contour.pulses(lead=lead, scatter=jitter, rng=cycles_rng)
        if not instants.size and source == "lf":
            raise SpecError(f"{name}: the stretch at {stretch.contour.start_s:g} s holds no whole cycle; lengthen it")
        amplitudes = np.exp(shimmer * cycles_rng.standard_normal(instants.size) - shimmer**2 / 2)
        begin, end = stretch.contour.start_s, stretch.contour.end_s
        if source == "lf":
            end = float(instants[-1] + (1 - lead) * periods[-1])
            amplitudes *= _fade(np.minimum(instants - begin, end - instants), fade_s)
        first, last = (int(np.ceil(at * sample_rate - 1e-9)) for at in (begin, end))
        base = max(0, first - _MARGIN)
        if source != "lf":
            base = first
            times = np.arange(first, min(last, n)) / sample_rate
            part = _harmonics(stretch.contour, times, sample_rate, tilt=1 if source == "soft" else 0)
        else:
            part = pulse_train(
                instants - base / sample_rate,
                periods,
                amplitudes,
                n_samples=min(n, last + round(_RINGING_S * sample_rate)) - base,
                sample_rate=sample_rate,
                pulse=pulse,
                vowel=stretch.vowel,
            )
        voice[base : base + part.size] += part
        truly[first:last] = True
        onsets.append(begin)
        offsets.append(end)
        pulses.append((instants, periods, amplitudes))
    voice /= np.sqrt(np.mean(voice[truly] ** 2))
    total = voice + _hisses(hisses_s, n, sample_rate, hiss_rng)
    if snr_db is not None:
        floor = _noise(noise, n, sample_rate, noise_rng)
        total += floor / np.sqrt(np.mean(floor**2)) * 10 ** (-snr_db / 20)
    return KnownAnswer(
        name=name,
        waveform=Waveform((10 ** (level_db / 20) * total).astype(np.float32), sample_rate, name),
        contours=tuple(stretch.contour for stretch in stretches),
        onsets_s=np.array(onsets),
        offsets_s=np.array(offsets),
        pulses_s=np.concatenate([part[0] for part in pulses]),
        periods_s=np.concatenate([part[1] for part in pulses]),
        amplitudes=np.concatenate([part[2] for part in pulses]),
        stretch_of_pulse=np.repeat(np.arange(len(pulses)), [part[0].size for part in pulses]),
        snr_db=snr_db,
    )


def _check(
    stretches: Sequence[Stretch],
    name: str,
    duration_s: float,
    sample_rate: int,
    source: str,
    noise: str,
    numbers: dict[str, float | None],
) -> None:
    if sample_rate < LEAST_RATE:
        raise SpecError(f"{name}: sample_rate is {sample_rate} Hz; {LEAST_RATE} or more is accepted")
    for key, value in (("duration_s", duration_s), *numbers.items()):
        if value is not None and not np.isfinite(value):
            raise SpecError(f"{name}: {key} is {value}; a finite number is accepted")
    if source not in SOURCES:
        raise SpecError(f"{name}: source is {source!r}; {', '.join(SOURCES)} are accepted")
    if noise not in NOISES:
        raise SpecError(f"{name}: noise is {noise!r}; {' or '.join(NOISES)} is accepted")
    if not stretches:
        raise SpecError(f"{name}: there is no stretch of voice; one is the least")
    edges = np.array([[stretch.contour.start_s, stretch.contour.end_s] for stretch in stretches]).ravel()
    if edges[0] < 0 or edges[-1] > duration_s + 0.5 / sample_rate or np.any(np.diff(edges) < 0):
        raise SpecError(
            f"{name}: the stretches must lie in the signal (0 to {duration_s:g} s) and follow on each other"
        )
    for hz in (f(f(stretch.contour.hz) for stretch in stretches) for f in (min, max)):
        if not _LOWEST_HZ <= hz <= _HIGHEST * sample_rate:
            raise SpecError(
                f"{name}: F0 reaches {hz:g} Hz; {_LOWEST_HZ:g} to {_HIGHEST * sample_rate:g} Hz are accepted at a "
                f"rate of {sample_rate} Hz"
            )


def _harmonics(contour: Contour, times: Floats, sample_rate: int, *, tilt: int) -> Floats:
    """Sum cosines at all multiples k of the F0 that there is room for, k to the power of -tilt strong."""
    within = np.clip(times, contour.start_s, contour.end_s)  # samples on the edge may round to just outside
    hz, turn = contour.true_hz(within), np.exp(2j * np.pi * contour.cycles(within))
    total, power = np.zeros(times.size), np.ones(times.size, dtype=np.complex128)
    for k in range(1, int(_STOP * sample_rate / float(np.min(hz))) + 1):
        power *= turn
        part = np.clip((k * hz / sample_rate - _PASS) / (_STOP - _PASS), 0.0, 1.0)
        total += (0.5 + 0.5 * np.cos(np.pi * part)) * power.real / k**tilt
    return total * _fade(_to_the_edge(times.size), _FADE_S * sample_rate)


def _fade(distance: Floats, rise: float) -> Floats:
    """Rise as a raised cosine with the distance from the nearest edge."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(distance / rise, 0, 1)) if rise > 0 else np.ones(distance.shape)


def _to_the_edge(n: int) -> Floats:
    return np.minimum(np.arange(n), np.arange(n)[::-1]) + 0.5


def _shaped(n: int, sample_rate: int, rng: np.random.Generator, gain: Callable[[Floats], Floats]) -> Floats:
    """Make Gaussian noise with a spectrum."""
    size = max(64, 1 << int(np.ceil(np.log2(max(1, n)))))  # fast lengths, whatever n is
    hz: Floats = np.arange(size // 2 + 1, dtype=np.float64) * (sample_rate / size)
    return np.fft.irfft(np.fft.rfft(rng.standard_normal(size)) * gain(hz), size)[:n]


def _noise(kind: str, n: int, sample_rate: int, rng: np.random.Generator) -> Floats:
    """Make noise that is white, or falls by 9 dB per octave above 500 Hz."""
    if kind == "white":
        return rng.standard_normal(n)
    return _shaped(n, sample_rate, rng, lambda hz: (np.maximum(hz, 500.0) / 500.0) ** _NINE_DB_PER_OCTAVE)


def _hisses(spans_s: Sequence[tuple[float, float]], n: int, sample_rate: int, rng: np.random.Generator) -> Floats:
    """Make fricative noises: white ones that fade below 3000 Hz."""
    total = np.zeros(n)
    for begin, end in spans_s:
        first, last = (min(n, max(0, round(at * sample_rate))) for at in (begin, end))
        if last <= first:
            raise SpecError(f"speak: a hiss from {begin:g} to {end:g} s holds no sample")
        sound = _shaped(last - first, sample_rate, rng, lambda hz: np.clip((hz - 1500.0) / 1500.0, 0, 1))
        sound *= _HISS / np.sqrt(np.mean(sound**2))
        total[first:last] += sound * _fade(_to_the_edge(last - first), 0.010 * sample_rate)
    return total
