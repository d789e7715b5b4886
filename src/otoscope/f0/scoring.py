"""How far an F0 track is from a truth, or from another track: gross, fine and voicing errors, and edges.

A frame counts once, whatever its hop. *Gross* errors are judged on frames that are voiced on both sides, *fine* ones
on those of them that are not gross, *voicing* errors on all frames. Unvoiced is never 0 Hz. A rate over no frames has
no value: it is None, never 0 and never NaN. Rates of several tracks are pooled by adding counts, so that every frame
weighs the same; they are never means of rates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import ArrayLike, NDArray

from otoscope.errors import MergeError, SpecError
from otoscope.f0.base import F0Track

__all__ = ["GROSS", "EdgeErrors", "TrackScores", "count_errors", "edge_errors", "pooled", "score_track"]

GROSS = 0.20
"""An F0 further off than this share of the true one is a gross error."""

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
_CENTS = 1200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackScores:
    """Counts of errors, and the rates that follow from them.

    Add two of them, or many with :func:`pooled`, for the rates of all their frames together.

    Parameters
    ----------
    n_frames : int
        Frames that were judged.
    n_true_voiced : int
        Those that are voiced in the truth.
    n_both : int
        Those that are voiced on both sides.
    n_missed : int
        Voiced in the truth, not in the track.
    n_false : int
        Voiced in the track, not in the truth.
    n_gross : int
        Voiced on both sides and further off than `gross`.
    sum_cents, sum_square_cents : float
        Of the errors on the frames voiced on both sides that are not gross.
    gross : float
        What was a gross error: a share of the true F0.

    References
    ----------
    .. [1] L. R. Rabiner et al., "A comparative performance study of several pitch detection algorithms", IEEE
       Transactions on Acoustics, Speech and Signal Processing 24(5), 1976: gross errors apart from fine ones, and the
       two kinds of voicing errors. There an error was gross from 1 ms of period upwards; here from 20 % of F0, as in
       the works below.
    .. [2] T. Nakatani et al., "A method for fundamental frequency estimation and voicing decision", Speech
       Communication 50(3), 2008: the voicing decision error over all frames.
    .. [3] W. Chu, A. Alwan, "Reducing F0 frame error of F0 tracking algorithms under noisy conditions with an
       unvoiced/voiced classification frontend", ICASSP, 2009: the F0 frame error.

    Examples
    --------
    >>> truth = np.array([100.0, 100.0, 100.0, np.nan])
    >>> found = np.array([100.0, 200.0, np.nan, np.nan])
    >>> scores = count_errors(found, ~np.isnan(found), truth, ~np.isnan(truth))
    >>> scores.gpe, scores.vde, scores.ffe
    (0.5, 0.25, 0.5)
    """

    n_frames: int = 0
    n_true_voiced: int = 0
    n_both: int = 0
    n_missed: int = 0
    n_false: int = 0
    n_gross: int = 0
    sum_cents: float = 0.0
    sum_square_cents: float = 0.0
    gross: float = GROSS

    @property
    def n_fine(self) -> int:
        """Frames voiced on both sides that are not gross errors."""
        return self.n_both - self.n_gross

    @property
    def gpe(self) -> float | None:
        """Gross pitch error: gross errors over the frames voiced on both sides."""
        return _share(self.n_gross, self.n_both)

    @property
    def vde(self) -> float | None:
        """Voicing decision error: wrong voicing over all frames."""
        return _share(self.n_missed + self.n_false, self.n_frames)

    @property
    def ffe(self) -> float | None:
        """F0 frame error: frames with wrong voicing or a gross error, over all frames."""
        return _share(self.n_missed + self.n_false + self.n_gross, self.n_frames)

    @property
    def miss_rate(self) -> float | None:
        """Voiced frames taken for unvoiced, over those voiced in the truth."""
        return _share(self.n_missed, self.n_true_voiced)

    @property
    def false_alarm_rate(self) -> float | None:
        """Unvoiced frames taken for voiced, over those unvoiced in the truth."""
        return _share(self.n_false, self.n_frames - self.n_true_voiced)

    @property
    def bias_cents(self) -> float | None:
        """Mean of the fine errors in cents; above 0 where the track is too high."""
        return _share(self.sum_cents, self.n_fine)

    @property
    def rmse_cents(self) -> float | None:
        """Root mean square of the fine errors in cents."""
        square = _share(self.sum_square_cents, self.n_fine)
        return None if square is None else float(np.sqrt(square))

    def __add__(self, other: TrackScores) -> TrackScores:
        if not isinstance(other, TrackScores):
            return NotImplemented
        if self.gross != other.gross:
            raise MergeError(
                f"scores: gross errors from {self.gross:g} and from {other.gross:g} upwards cannot be added; "
                "count both with the same one"
            )
        names = [field.name for field in fields(self) if field.name != "gross"]
        return TrackScores(**{name: getattr(self, name) + getattr(other, name) for name in names}, gross=self.gross)

    def describe(self) -> dict[str, float | int | None]:
        """Give counts and rates as a JSON value.

        Returns
        -------
        dict of str to float, int or None
            None where a rate has no value.
        """
        names = ("gpe", "vde", "ffe", "miss_rate", "false_alarm_rate", "bias_cents", "rmse_cents")
        counts = ("n_frames", "n_true_voiced", "n_both", "n_fine", "n_missed", "n_false", "n_gross")
        return {name: getattr(self, name) for name in (*names, *counts)}


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def pooled(scores: Iterable[TrackScores]) -> TrackScores:
    """Add the counts of several tracks.

    Parameters
    ----------
    scores : iterable of TrackScores
        Of any tracks; none at all gives scores of no frames.

    Returns
    -------
    TrackScores
        As if all frames had been one track.

    Raises
    ------
    MergeError
        If they were not counted alike.

    Examples
    --------
    >>> pooled([TrackScores(n_frames=3, n_false=1), TrackScores(n_frames=1)]).vde
    0.25
    """
    found = list(scores)
    return reduce(add, found) if found else TrackScores()


def count_errors(
    f0_hz: Floats, voiced: Mask, true_hz: Floats, true_voiced: Mask, *, gross: float = GROSS
) -> TrackScores:
    """Count the errors of F0 values against true ones, frame by frame.

    Parameters
    ----------
    f0_hz : ndarray of float, shape (n_frames,), hertz
        What is judged; read where `voiced`.
    voiced : ndarray of bool, shape (n_frames,)
        Its voicing.
    true_hz : ndarray of float, shape (n_frames,), hertz
        The truth, or another tracker's values at the same times; read where `true_voiced`.
    true_voiced : ndarray of bool, shape (n_frames,)
        Its voicing.
    gross : float, above 0 and below 1
        An F0 further off than this share of the true one is a gross error. Shares are not symmetric: 125 Hz is 25 %
        off from 100 Hz, and 100 Hz is 20 % off from 125 Hz.

    Returns
    -------
    TrackScores
        Of these frames.

    Raises
    ------
    SpecError
        If the shapes differ, or `gross` is not between 0 and 1.

    Examples
    --------
    >>> on = np.array([True, True])
    >>> scores = count_errors(np.array([200.0, 101.0]), on, np.array([100.0, 100.0]), on)
    >>> scores.n_gross, round(scores.bias_cents, 2)
    (1, 17.23)
    """
    hz, reference = (np.asarray(values, dtype=np.float64) for values in (f0_hz, true_hz))
    on, truly = (np.asarray(values, dtype=np.bool_) for values in (voiced, true_voiced))
    shapes = {values.shape for values in (hz, reference, on, truly)}
    if len(shapes) != 1 or hz.ndim != 1:
        raise SpecError(f"count_errors: the shapes are {sorted(shapes)}; four arrays (n_frames,) are accepted")
    if not 0 < gross < 1:
        raise SpecError(f"count_errors: gross is {gross:g}; above 0 and below 1 is accepted, such as {GROSS:g}")
    both = on & truly
    ratio = hz[both] / reference[both]
    far = np.abs(ratio - 1) > gross
    cents = _CENTS * np.log2(ratio[~far])
    return TrackScores(
        n_frames=on.size,
        n_true_voiced=int(truly.sum()),
        n_both=int(both.sum()),
        n_missed=int((truly & ~on).sum()),
        n_false=int((on & ~truly).sum()),
        n_gross=int(far.sum()),
        sum_cents=float(cents.sum()),
        sum_square_cents=float((cents**2).sum()),
        gross=gross,
    )


def score_track(
    track: F0Track,
    true_hz: Callable[[ArrayLike], Floats],
    voiced: Callable[[ArrayLike], Mask],
    *,
    gross: float = GROSS,
    collar_s: float = 0.0,
) -> TrackScores:
    """Judge a track at its own times against a truth that is known at any time.

    Parameters
    ----------
    track : F0Track
        What a tracker found.
    true_hz : callable
        Gives the F0 in hertz at times in seconds; read where there is voice.
    voiced : callable
        Says at times in seconds whether there is voice.
    gross : float, above 0 and below 1
        See :func:`count_errors`.
    collar_s : float, >= 0, seconds
        Frames nearer than this to the beginning or end of voice are left out. 0 judges every frame.

    Returns
    -------
    TrackScores
        Of the frames that were judged.

    Raises
    ------
    SpecError
        If a setting is not accepted.

    Examples
    --------
    >>> from otoscope.f0.kaldi import KaldiTracker
    >>> from otoscope.testing.signals import speechlike
    >>> waveform, true_hz, voiced = speechlike(0)
    >>> score_track(KaldiTracker().track(waveform), true_hz, voiced).ffe < 0.1
    True
    """
    if not 0 <= collar_s < np.inf:
        raise SpecError(f"score_track: collar_s is {collar_s:g}; 0 or more is accepted")
    times = track.times
    truly = np.asarray(voiced(times), dtype=np.bool_)
    judged = np.ones(times.shape, dtype=np.bool_)
    if collar_s:
        # Looked at in steps, so that a gap shorter than the collar is seen too.
        for shift in np.linspace(-collar_s, collar_s, 2 * max(1, int(np.ceil(collar_s / 0.002))) + 1):
            judged &= np.asarray(voiced(times + shift), dtype=np.bool_) == truly
    hz = np.asarray(true_hz(times), dtype=np.float64)
    return count_errors(track.f0_hz[judged], track.voiced[judged], hz[judged], truly[judged], gross=gross)


@dataclass(frozen=True, slots=True, eq=False)
class EdgeErrors:
    """How early or late a track lets voice begin and end.

    Parameters
    ----------
    onset_ms, offset_ms : ndarray of float64, milliseconds
        One error per edge that was found; below 0 where the track is early.
    n_onsets, n_offsets : int
        Edges that there are.
    """

    onset_ms: Floats
    offset_ms: Floats
    n_onsets: int
    n_offsets: int

    @property
    def mean_onset_ms(self) -> float | None:
        """Mean error of the beginnings; None where none was found."""
        return float(self.onset_ms.mean()) if self.onset_ms.size else None

    @property
    def mean_offset_ms(self) -> float | None:
        """Mean error of the ends; None where none was found."""
        return float(self.offset_ms.mean()) if self.offset_ms.size else None

    @property
    def n_missed(self) -> int:
        """Edges that the track does not have."""
        return self.n_onsets + self.n_offsets - self.onset_ms.size - self.offset_ms.size

    def __add__(self, other: EdgeErrors) -> EdgeErrors:
        if not isinstance(other, EdgeErrors):
            return NotImplemented
        return EdgeErrors(
            np.concatenate([self.onset_ms, other.onset_ms]),
            np.concatenate([self.offset_ms, other.offset_ms]),
            self.n_onsets + other.n_onsets,
            self.n_offsets + other.n_offsets,
        )


def edge_errors(track: F0Track, onsets_s: ArrayLike, offsets_s: ArrayLike) -> EdgeErrors:
    """Measure where a track lets voice begin and end, against the instants where it does.

    An edge of the track lies half-way between a voiced frame and its unvoiced neighbour, so that a tracker that calls
    exactly the frames inside a stretch voiced is not off on average, whatever its hop. A stretch begins with the
    first voiced run that meets it and ends with the last one. A run that bridges two stretches has neither the end
    of the first nor the beginning of the second: these are missed.

    Parameters
    ----------
    track : F0Track
        What a tracker found.
    onsets_s, offsets_s : array-like of float, shape (n_stretches,), seconds
        Where voice begins and ends, in order, without overlap.

    Returns
    -------
    EdgeErrors
        Of all stretches; one that lies at the edge of the clip counts like the others.

    Raises
    ------
    SpecError
        If the instants are not in order.

    Examples
    --------
    >>> from otoscope.f0.base import TrackerInfo
    >>> times = np.arange(10) * 0.010
    >>> voiced = (times > 0.025) & (times < 0.065)
    >>> track = F0Track(times, np.where(voiced, 100.0, np.nan), voiced, TrackerInfo("mine", "1", {}), "clip")
    >>> edges = edge_errors(track, [0.030], [0.065])
    >>> edges.onset_ms.round(6).tolist(), edges.offset_ms.round(6).tolist()
    ([-5.0], [0.0])
    """
    begins, ends = (np.atleast_1d(np.asarray(values, dtype=np.float64)) for values in (onsets_s, offsets_s))
    if begins.shape != ends.shape or begins.ndim != 1:
        raise SpecError(
            f"edge_errors: {begins.size} onsets and {ends.size} offsets; as many of one as of the other are accepted"
        )
    instants = np.column_stack([begins, ends]).ravel()
    if not np.all(np.isfinite(instants)) or np.any(np.diff(instants) <= 0):
        raise SpecError("edge_errors: onsets and offsets must be finite and follow on each other in turn")
    first, last = _runs(track)
    onset_ms: list[float] = []
    offset_ms: list[float] = []
    for i, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        meets = np.flatnonzero((first < end) & (last > begin))
        if not meets.size:
            continue
        found, lost = first[meets[0]], last[meets[-1]]
        if i == 0 or found >= ends[i - 1]:
            onset_ms.append(1000 * float(found - begin))
        if i == begins.size - 1 or lost <= begins[i + 1]:
            offset_ms.append(1000 * float(lost - end))
    return EdgeErrors(np.array(onset_ms), np.array(offset_ms), begins.size, ends.size)


def _runs(track: F0Track) -> tuple[Floats, Floats]:
    """Give the beginnings and ends of the voiced runs in seconds, half-way between frames."""
    times = track.times
    hop = float(np.median(np.diff(times))) if times.size > 1 else 0.0
    edges = np.concatenate([times[:1] - hop / 2, (times[1:] + times[:-1]) / 2, times[-1:] + hop / 2])
    change = np.diff(np.concatenate([[0], track.voiced.astype(np.int8), [0]]))
    return edges[np.flatnonzero(change == 1)], edges[np.flatnonzero(change == -1)]
