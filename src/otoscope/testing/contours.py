"""Contours of F0 as closed forms: the F0 at any time, the cycles since the beginning, and when each cycle comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from otoscope.errors import SpecError

__all__ = ["Contour", "contours_of", "scatter_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Contour:
    """F0 that glides exponentially from knot to knot: equal intervals in equal times.

    Parameters
    ----------
    times_s : tuple of float, seconds
        At least two, increasing; the contour lasts from the first to the last.
    hz : tuple of float, > 0, hertz
        The F0 at these times.

    Raises
    ------
    SpecError
        If they cannot be.

    Examples
    --------
    >>> contour = Contour((0.0, 1.0), (100.0, 200.0))
    >>> contour.true_hz([0.5, 2.0]).round(3).tolist()
    [141.421, nan]
    >>> float(contour.cycles(1.0).round(3))
    144.27
    """

    times_s: tuple[float, ...]
    hz: tuple[float, ...]
    _knots: Floats = field(init=False, repr=False)
    _rates: Floats = field(init=False, repr=False)
    _before: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        times, hz = np.array(self.times_s, dtype=np.float64), np.array(self.hz, dtype=np.float64)
        if times.ndim != 1 or times.size < 2 or times.shape != hz.shape:
            raise SpecError(f"Contour: {times.size} times and {hz.size} values; two or more of each are accepted")
        if not np.all(np.isfinite(times)) or np.any(np.diff(times) <= 0):
            raise SpecError("Contour: the times must be finite and increase")
        if not np.all(np.isfinite(hz)) or np.any(hz <= 0):
            raise SpecError("Contour: every F0 must be finite and above 0 Hz")
        rates = np.diff(np.log(hz)) / np.diff(times)
        object.__setattr__(self, "_knots", times)
        object.__setattr__(self, "_rates", rates)
        spans = hz[:-1] * np.diff(times) * _relative_growth(rates * np.diff(times))
        object.__setattr__(self, "_before", np.concatenate([[0.0], np.cumsum(spans)]))

    @property
    def start_s(self) -> float:
        """When it begins."""
        return float(self._knots[0])

    @property
    def end_s(self) -> float:
        """When it ends."""
        return float(self._knots[-1])

    def true_hz(self, times: ArrayLike) -> Floats:
        """Give the F0.

        Parameters
        ----------
        times : array-like of float, seconds
            Any.

        Returns
        -------
        ndarray of float64, shape of `times`, hertz
            NaN before the beginning and after the end.
        """
        at = np.asarray(times, dtype=np.float64)
        value = np.exp(np.interp(at, self._knots, np.log(self.hz)))
        return np.where((at >= self.start_s) & (at <= self.end_s), value, np.nan)

    def cycles(self, times: ArrayLike) -> Floats:
        """Count cycles since the beginning: the integral of the F0.

        Parameters
        ----------
        times : array-like of float, seconds
            Inside the contour; the last glide goes on after its end.

        Returns
        -------
        ndarray of float64, shape of `times`
            0 at the beginning.
        """
        at = np.asarray(times, dtype=np.float64)
        k = np.clip(np.searchsorted(self._knots, at, side="right") - 1, 0, self._rates.size - 1)
        since = at - self._knots[k]
        return self._before[k] + np.array(self.hz)[k] * since * _relative_growth(self._rates[k] * since)

    def time_of(self, cycles: ArrayLike) -> Floats:
        """Say when so many cycles have passed: the inverse of :meth:`cycles`.

        Parameters
        ----------
        cycles : array-like of float, >= 0
            Whole or not.

        Returns
        -------
        ndarray of float64, shape of `cycles`, seconds
            Where a last, falling glide never reaches so many, infinite.
        """
        count = np.asarray(cycles, dtype=np.float64)
        k = np.clip(np.searchsorted(self._before, count, side="right") - 1, 0, self._rates.size - 1)
        direct = (count - self._before[k]) / np.array(self.hz)[k]
        bent = self._rates[k] * direct
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(np.abs(bent) < 1e-8, 1 - bent / 2, np.log1p(np.maximum(bent, -1)) / bent)
        return self._knots[k] + direct * factor

    def pulses(
        self, *, lead: float, scatter: float = 0.0, rng: np.random.Generator | None = None
    ) -> tuple[Floats, Floats]:
        """Place one pulse in every cycle.

        Parameters
        ----------
        lead : float, in [0, 1)
            The part of a cycle before its pulse.
        scatter : float
            Standard deviation of the logarithm of the periods; see :func:`scatter_of`. From each pulse to the next
            it takes as long as the contour says for that time, times a factor of its own, of mean 1.
        rng : numpy Generator, optional
            Draws the factors.

        Returns
        -------
        instants_s : ndarray of float64, shape (n_pulses,), seconds
            Where the pulses are. Without scatter `cycles` is a whole number and `lead` at each.
        periods_s : ndarray of float64, shape (n_pulses,), seconds
            How long each cycle lasts. The first begins with the contour; the last ends before it does.
        """
        if scatter == 0 or rng is None:
            whole = np.arange(int(np.floor(float(self.cycles(self.end_s)) + 1e-9)) + 1, dtype=np.float64)
            return self.time_of(whole[:-1] + lead), np.diff(self.time_of(whole))
        instants: list[float] = []
        periods: list[float] = []
        now = self.start_s
        while True:
            step = float(self.time_of(self.cycles(now) + 1)) - now
            step *= float(np.exp(scatter * rng.standard_normal() - scatter**2 / 2))
            now += step if instants else lead * step
            if not now + (1 - lead) * step <= self.end_s:
                return np.array(instants), np.array(periods)
            instants.append(now)
            periods.append(step)


def _relative_growth(x: Floats) -> Floats:
    """Give (exp(x) - 1) / x, which is 1 at 0."""
    small = np.abs(x) < 1e-12
    safe = np.where(small, 1.0, x)
    return np.where(small, 1.0, np.expm1(safe) / safe)


def scatter_of(percent: float) -> float:
    """Turn jitter or shimmer into the scatter of periods or amplitudes.

    Jitter and shimmer are local: the mean magnitude of the difference between neighbours, over the mean. For
    independent log-normal values with a standard deviation s of the logarithm this is ``2 erf(s / 2)``, exactly.

    Parameters
    ----------
    percent : float, 0 to 50
        Jitter or shimmer.

    Returns
    -------
    float
        The standard deviation s.

    Raises
    ------
    SpecError
        If it is outside.

    Examples
    --------
    >>> round(scatter_of(1.0), 5)
    0.00886
    """
    if not 0 <= percent <= 50:
        raise SpecError(f"jitter and shimmer: {percent:g} %; 0 to 50 % is accepted")
    return 2**0.5 * NormalDist().inv_cdf((1 + percent / 200) / 2)


def contours_of(
    times: Floats, f0_hz: Floats, voiced: NDArray[np.bool_], *, least_s: float = 0.0
) -> tuple[Contour, ...]:
    """Read contours off the frames of a track: one for each voiced run, through its values.

    A run begins and ends half-way to its unvoiced neighbours, with the values of its first and last frame.

    Parameters
    ----------
    times : ndarray of float64, shape (n_frames,), seconds
        Increasing.
    f0_hz : ndarray of float64, shape (n_frames,), hertz
        Read where `voiced`.
    voiced : ndarray of bool, shape (n_frames,)
        Where there is F0.
    least_s : float, seconds
        The hop of a track of one frame.

    Returns
    -------
    tuple of Contour
        In order; they touch nowhere, since an unvoiced frame lies between.
    """
    if not times.size:
        return ()
    half = 0.5 * (float(np.median(np.diff(times))) if times.size > 1 else least_s)
    middles = (times[1:] + times[:-1]) / 2
    borders = np.concatenate([[max(0.0, float(times[0]) - half)], middles, [float(times[-1]) + half]]).tolist()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], voiced.astype(np.int8), [0]]))).tolist()
    found: list[Contour] = []
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        knots = [borders[first], *times[first:last].tolist(), borders[last]]
        values = [float(f0_hz[first]), *f0_hz[first:last].tolist(), float(f0_hz[last - 1])]
        skip = 1 if knots[0] == knots[1] else 0  # a frame at 0 s has nothing before it
        found.append(Contour(tuple(knots[skip:]), tuple(values[skip:])))
    return tuple(found)
