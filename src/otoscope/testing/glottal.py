"""Glottal pulses and vowels in closed form: what the signals of :mod:`otoscope.testing.voices` are made of.

A pulse is the derivative of the glottal flow after Liljencrants and Fant. Its Fourier transform is a closed form too,
so pulses are made in the frequency domain: at instants between samples, and with nothing above half the sample rate
that could fold back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from otoscope.errors import SpecError

__all__ = ["RD_RANGE", "VOWELS", "LFPulse", "pulse_train", "vowel_response"]

Floats = NDArray[np.float64]
Spectrum = NDArray[np.complex128]

RD_RANGE = (0.3, 2.7)
"""Shapes from pressed to breathy voice; the regressions behind Rd were made on it."""

VOWELS: dict[str, tuple[tuple[float, float], ...]] = {
    "a": ((730, 80), (1090, 90), (2440, 120), (3500, 200), (4500, 250)),
    "e": ((530, 60), (1840, 100), (2480, 120), (3500, 200), (4500, 250)),
    "i": ((270, 60), (2290, 100), (3010, 120), (3500, 200), (4500, 250)),
    "o": ((570, 80), (840, 90), (2410, 120), (3500, 200), (4500, 250)),
    "u": ((300, 60), (870, 90), (2240, 120), (3500, 200), (4500, 250)),
}
"""Centre and bandwidth of five formants each, in hertz. The first three centres are the averages of men in
G. E. Peterson, H. L. Barney, "Control methods used in a study of the vowels", JASA 24(2), 1952."""

_PASS, _STOP = 0.42, 0.48  # of the sample rate: between them everything fades out
_BLOCK_S = 0.128  # a pulse and the ringing of its formants, which falls by 160 dB in 100 ms
_LEAD = 160  # samples for what rings before a band-limited pulse
_AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class LFPulse:
    """One period of the derivative of the glottal flow, after Liljencrants and Fant [1]_.

    The flow rises until `tp`; its derivative falls to -1 at `te`, the instant of main excitation, and comes back to 0
    exponentially. Time is counted in periods, so that the period lasts from 0 to 1.

    Parameters
    ----------
    te, tp, ta : float, periods
        Main excitation, maximum of the flow, and the effective length of the return.

    Raises
    ------
    SpecError
        If no pulse has these times: ``0 < tp < te < 2 tp`` and ``0 < ta < 1 - te`` are needed, and a flow that
        returns to 0.

    References
    ----------
    .. [1] G. Fant, J. Liljencrants, Q. Lin, "A four-parameter model of glottal flow", STL-QPSR 26(4), 1985.
    .. [2] G. Fant, "The LF-model revisited. Transformations and frequency domain analysis", STL-QPSR 36(2-3), 1995.

    Examples
    --------
    >>> pulse = LFPulse.of_rd(1.0)
    >>> pulse.at([pulse.tp, pulse.te]).round(9).tolist()
    [0.0, -1.0]
    """

    te: float
    tp: float
    ta: float
    growth: float = field(init=False)
    decay: float = field(init=False)

    def __post_init__(self) -> None:
        if not (0 < self.tp < self.te < 2 * self.tp and 0 < self.ta < 1 - self.te):
            raise SpecError(
                f"LFPulse: te is {self.te:g}, tp {self.tp:g}, ta {self.ta:g}; "
                "0 < tp < te < 2 tp and 0 < ta < 1 - te are accepted"
            )
        rest = 1 - self.te
        decay = _root(lambda x: x * self.ta - 1 + float(np.exp(-x * rest)), 1e-6 / self.ta, 2 / self.ta)
        object.__setattr__(self, "decay", decay)
        low, high = -100.0 / self.te, 100.0 / self.te
        if self._area(low) * self._area(high) > 0:
            raise SpecError(
                f"LFPulse: te {self.te:g}, tp {self.tp:g} and ta {self.ta:g} let no flow return to 0; "
                "make ta smaller, or use LFPulse.of_rd"
            )
        object.__setattr__(self, "growth", _root(self._area, low, high))

    @classmethod
    def of_rd(cls, rd: float) -> LFPulse:
        """Make the pulse of one shape parameter, by Fant's regressions.

        Parameters
        ----------
        rd : float, 0.3 to 2.7
            0.3 is pressed and rich in harmonics, 1 usual, 2.7 breathy.

        Returns
        -------
        LFPulse
            With the times that usually go with it.

        Raises
        ------
        SpecError
            If it is outside.
        """
        if not RD_RANGE[0] <= rd <= RD_RANGE[1]:
            raise SpecError(f"LFPulse.of_rd: rd is {rd:g}; {RD_RANGE[0]:g} to {RD_RANGE[1]:g} is accepted")
        ra, rk = (-1.0 + 4.8 * rd) / 100, (22.4 + 11.8 * rd) / 100
        open_part = 0.5 + 1.2 * rk
        rg = rk / 4 * open_part / (0.11 * rd - ra * open_part)
        return cls(te=(1 + rk) / (2 * rg), tp=1 / (2 * rg), ta=ra)

    def _area(self, growth: float) -> float:
        """Integrate the derivative over the period: 0 where the flow returns to where it began."""
        w = np.pi / self.tp
        rest = 1 - self.te
        sine, cosine = np.sin(w * self.te), np.cos(w * self.te)
        # Divided by exp(growth * te), which would overflow.
        opening = -(growth * sine - w * cosine + w * np.exp(-growth * self.te)) / sine / (growth**2 + w**2)
        left = np.exp(-self.decay * rest)
        closing = -((1 - left) / self.decay - rest * left) / (self.decay * self.ta)
        return float(opening + closing)

    def at(self, phase: ArrayLike) -> Floats:
        """Evaluate it in time.

        Parameters
        ----------
        phase : array-like of float, periods
            0 where the glottis opens.

        Returns
        -------
        ndarray of float64, shape of `phase`
            0 outside the period.
        """
        x = np.asarray(phase, dtype=np.float64)
        w = np.pi / self.tp
        opening = -np.exp(self.growth * (np.minimum(x, self.te) - self.te)) * np.sin(w * x) / np.sin(w * self.te)
        left = np.exp(-self.decay * (1 - self.te))
        closing = -(np.exp(-self.decay * (np.clip(x, self.te, 1) - self.te)) - left) / (self.decay * self.ta)
        return np.where((x < 0) | (x > 1), 0.0, np.where(x <= self.te, opening, closing))

    def spectrum(self, frequency: ArrayLike) -> Spectrum:
        """Evaluate its Fourier transform.

        Parameters
        ----------
        frequency : array-like of float, >= 0, cycles per period
            Multiples of the fundamental where whole.

        Returns
        -------
        ndarray of complex128, shape of `frequency`
            With the main excitation at time 0; 0 at frequency 0.
        """
        x = np.asarray(frequency, dtype=np.float64)
        s = 2j * np.pi * np.where(x == 0, 1.0, x)
        w, rest = np.pi / self.tp, 1 - self.te
        sine, cosine = np.sin(w * self.te), np.cos(w * self.te)
        a = self.growth - s
        opening = -(a * sine - w * cosine + w * np.exp(-a * self.te)) / sine / (a**2 + w**2)
        left, turn = np.exp(-self.decay * rest), np.exp(-s * rest)
        closing = -((1 - left * turn) / (self.decay + s) - left * (1 - turn) / s) / (self.decay * self.ta)
        return np.where(x == 0, 0.0, opening + closing)


def _root(of: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq

    found: Any = brentq(of, low, high, xtol=1e-13)
    return float(found)


def vowel_response(vowel: str, frequencies_hz: ArrayLike) -> Spectrum:
    """Give the frequency response of the formants of a vowel.

    Parameters
    ----------
    vowel : str
        A key of :data:`VOWELS`.
    frequencies_hz : array-like of float, hertz
        Where.

    Returns
    -------
    ndarray of complex128, shape of `frequencies_hz`
        Of resonators in cascade, each with one pair of poles and a gain of 1 at 0 Hz.

    Raises
    ------
    SpecError
        If there is no such vowel.

    Examples
    --------
    >>> abs(vowel_response("a", [0.0, 730.0, 1500.0])).round(1).tolist()
    [1.0, 19.4, 0.8]
    """
    if vowel not in VOWELS:
        raise SpecError(f"vowel_response: there is no vowel {vowel!r}; choose from {', '.join(VOWELS)}")
    s = 2j * np.pi * np.asarray(frequencies_hz, dtype=np.float64)
    response = np.ones(s.shape, dtype=np.complex128)
    for centre_hz, width_hz in VOWELS[vowel]:
        pole = 2 * np.pi * (-width_hz / 2 + 1j * centre_hz)
        response *= abs(pole) ** 2 / ((s - pole) * (s - pole.conjugate()))
    return response


def pulse_train(
    instants_s: Floats,
    periods_s: Floats,
    amplitudes: Floats,
    *,
    n_samples: int,
    sample_rate: int,
    pulse: LFPulse,
    vowel: str | None,
) -> Floats:
    """Add glottal pulses, each at its instant, with its length and strength, through the formants of a vowel.

    Parameters
    ----------
    instants_s : ndarray of float, shape (n_pulses,), seconds
        Of the main excitations; they need not fall on samples.
    periods_s : ndarray of float, shape (n_pulses,), seconds
        How long each pulse lasts.
    amplitudes : ndarray of float, shape (n_pulses,)
        How far its derivative falls at the main excitation.
    n_samples : int
        Of the result.
    sample_rate : int, hertz
        Of the result.
    pulse : LFPulse
        Their shape.
    vowel : str or None
        None for the source alone.

    Returns
    -------
    ndarray of float64, shape (n_samples,)
        Band-limited: what lies above 0.42 of the sample rate fades out and is gone at 0.48.
    """
    lead = _LEAD + int(np.ceil(sample_rate * float(np.max(periods_s, initial=0.0))))
    block = 1 << int(np.ceil(np.log2(lead + sample_rate * _BLOCK_S)))
    hz = np.arange(block // 2 + 1) * (sample_rate / block)
    part = np.clip((hz / sample_rate - _PASS) / (_STOP - _PASS), 0.0, 1.0)
    response = (0.5 + 0.5 * np.cos(np.pi * part)) * (1.0 if vowel is None else vowel_response(vowel, hz))
    kept = slice(0, int(np.searchsorted(hz, _STOP * sample_rate)))
    total = np.zeros(n_samples + 2 * block)
    for start in range(0, instants_s.size, _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        at, period = instants_s[some, None] * sample_rate, periods_s[some, None]
        first = np.floor(at).astype(np.int64) - lead
        spectra = np.zeros((at.size, hz.size), dtype=np.complex128)
        shift = np.exp(-2j * np.pi * hz[kept] / sample_rate * (at - first))
        spectra[:, kept] = pulse.spectrum(hz[kept] * period) * shift * response[kept]
        spectra *= amplitudes[some, None] * period * sample_rate
        for begin, samples in zip(first[:, 0].tolist(), np.fft.irfft(spectra, block), strict=True):
            total[begin + block : begin + 2 * block] += samples
    return total[block : block + n_samples]
