"""Checks that any model must pass, a user's own included.

They know nothing of what a model computes: only that its layers come one at a time, on the clocks that it declares,
that equal sound gives equal states, and that a causal model does not hear the future.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import DataError
from otoscope.representations.base import Layer, LayerInfo, Model, ModelKind
from otoscope.testing.signals import silence, speechlike, tone

__all__ = ["ModelReport", "check_model"]

SHORT = (1, 10, 160, 399, 400, 401)  # samples: around one sample, one hop and one window of most models
LENGTHS = (1600, 1759, 1760, 1761, 1999, 2000, 3199, 3200, 3201, 4800, 6007, 8000)  # samples
PREPARED = (list, tuple, type(iter([])), type(iter(())))  # what holds all layers at once


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What :func:`check_model` measured on the way.

    Parameters
    ----------
    shift_error : float or None
        How far states moved when the sound was delayed by whole hops, relative to the largest state of their
        layer; None where that was not asked for.
    future_error : float or None
        How far states moved when the sound after them was changed, likewise; None where no layer lags.
    """

    shift_error: float | None
    future_error: float | None


def check_model(
    model: Model,
    *,
    shift_tolerance: float | None = 1e-4,
    future_tolerance: float = 1e-5,
    lengths: Sequence[int] = LENGTHS,
) -> ModelReport:
    """Check that a model keeps the laws that every model keeps.

    The laws: `info` says what the model is and does not change; layers are handed on in the declared order, by an
    iterator that does not hold them all; states are finite float32 of the declared size, on the declared clock;
    two runs are equal, whatever ran between them or beside them; the caller's samples are left alone; very short
    clips give states or a ``DataError`` with the clip's id; silence and a direct current give finite states;
    another sample rate is a ``DataError``; nothing is printed as a warning. Where a layer declares a lag, what
    comes after a frame's window changes nothing in it; the level of the clip as a whole is kept in this test.

    Parameters
    ----------
    model : Model
        The one to check.
    shift_tolerance : float or None, relative to the largest state of a layer
        How far states may move when the sound is delayed by whole hops: the frames move along, and inside the
        clip nothing else changes. None passes this over, for models that hear more than a fixed window
        (recurrence, attention, a level taken of the whole clip).
    future_tolerance : float, relative to the largest state of a layer
        How far states may move when the sound after them changes, where a layer declares a lag.
    lengths : sequence of int, samples
        At which the number of frames is checked.

    Returns
    -------
    ModelReport
        What was measured.

    Raises
    ------
    AssertionError
        At the first law that is broken, with what was got and what is accepted.

    Examples
    --------
    >>> from otoscope.representations.filterbanks import LogMel
    >>> check_model(LogMel()).shift_error < 1e-4
    True
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _check_info(model)
        _check_repetition(model)
        _check_handing_on(model)
        _check_lengths(model, lengths)
        _check_silence(model)
        _check_refusals(model)
        shift_error = None if shift_tolerance is None else _shift_error(model)
        future_error = _future_error(model) if any(layer.lag for layer in model.info.layers) else None
    _require(
        model,
        shift_error is None or shift_tolerance is None or shift_error <= shift_tolerance,
        f"moves its states by {shift_error} of the largest when the sound is delayed by whole hops; "
        f"{shift_tolerance} is accepted (shift_tolerance=None, if it hears more than a fixed window)",
    )
    _require(
        model,
        future_error is None or future_error <= future_tolerance,
        f"declares a lag, and its states move by {future_error} of the largest when the sound after them "
        f"changes; {future_tolerance} is accepted",
    )
    return ModelReport(shift_error, future_error)


def _require(model: Model, kept: object, problem: str) -> None:
    if not kept:
        raise AssertionError(f"{model.info.name}: {problem}")


def _run(model: Model, waveform: Waveform) -> list[Layer]:
    return list(model.layers(waveform))


def _speech(model: Model, seed: int, n_samples: int | None = None) -> Waveform:
    rate = model.info.sample_rate
    waveform, _, _ = speechlike(seed, duration_s=1.5, sample_rate=rate)
    # the middle of something like speech: voice, hiss and the change between them, from the first sample on
    cut = waveform.samples[rate // 4 :][:n_samples].copy()
    return Waveform(cut, rate, f"{waveform.clip_id}-{cut.size}")


def _same(one: Sequence[Layer], other: Sequence[Layer]) -> bool:
    return len(one) == len(other) and all(
        a.info == b.info and np.array_equal(a.states, b.states) for a, b in zip(one, other, strict=True)
    )


def _check_info(model: Model) -> None:
    info = model.info
    for name in ("name", "version", "licence", "citation"):
        _require(model, getattr(info, name), f"info.{name} is empty")
    _require(model, info.kind in get_args(ModelKind), f"kind is {info.kind!r}; choose from {get_args(ModelKind)}")
    _require(model, info.digest == model.info.digest, "info changes from one look to the next")
    _require(model, info.sample_rate > 0, f"sample_rate is {info.sample_rate}; above 0 is needed")
    _require(
        model,
        (info.twin is not None) == (info.kind == "untrained"),
        f"kind is {info.kind!r} and twin {info.twin!r}; untrained copies have a twin, and nothing else has",
    )
    indices = [layer.index for layer in info.layers]
    _require(model, indices and indices == sorted(set(indices)), f"layers have the indices {indices}; they must rise")
    names = [layer.name for layer in info.layers]
    _require(
        model, all(names) and len(set(names)) == len(names), f"layers have the names {names}; each needs its own"
    )
    _require(
        model, info.kind != "baseline" or indices == [0], f"is a baseline with the layers {indices}; 0 is the one"
    )
    for layer in info.layers:
        _require(
            model,
            layer.grid.sample_rate == info.sample_rate,
            f"layer {layer.index} has a clock of {layer.grid.sample_rate} Hz; {info.sample_rate} Hz is needed",
        )


def _check_handing_on(model: Model) -> None:
    waveform, other = _speech(model, 1), _speech(model, 2)
    handed = model.layers(waveform)
    _require(
        model,
        isinstance(handed, Iterator) and not isinstance(handed, PREPARED),
        f"hands its layers on as a {type(handed).__name__}; yield them one at a time, so that a clip never holds all",
    )
    got: list[Layer] = []
    for layer in handed:
        got.append(layer)
        _ = next(iter(model.layers(other)), None)  # another clip begins between two layers of this one
    _require(
        model,
        tuple(layer.info for layer in got) == model.info.layers,
        f"hands on the layers {[layer.info.name for layer in got]}; "
        f"info declares {[layer.name for layer in model.info.layers]}",
    )
    for layer in got:
        _check_layer(model, layer, waveform)
    _require(model, _same(got, _run(model, waveform)), "mixes clips up whose layers are asked for in turn")


def _check_layer(model: Model, layer: Layer, waveform: Waveform) -> None:
    info, where = layer.info, f"layer {layer.info.index} of {waveform.samples.size} samples"
    _require(model, layer.clip_id == waveform.clip_id, f"{where} is of another clip, {layer.clip_id!r}")
    _require(
        model,
        layer.states.dtype == np.float32 and layer.states.shape[1:] == (info.dim,),
        f"{where} is {layer.states.dtype} of shape {layer.states.shape}; float32 of {info.dim} dimensions is needed",
    )
    _require(model, np.isfinite(layer.states).all(), f"{where} has states that are not finite")
    problem = _clock_problem(info, layer.n_frames, waveform.samples.size)
    _require(model, not problem, f"{where} {problem}")


def _clock_problem(info: LayerInfo, n_frames: int, n_samples: int) -> str:
    """Hold the number of frames against the clock, loosely enough for centred, padded and unpadded framing."""
    grid = info.grid
    near = abs(n_frames - n_samples / grid.hop) <= 1
    if not near and n_frames != grid.count(n_samples):
        return (
            f"has {n_frames} frames; {grid.count(n_samples)} lie inside, and {n_samples / grid.hop:.2f} hops "
            "within 1 are accepted too"
        )
    if n_frames:
        half, duration = grid.receptive_field / 2 / grid.sample_rate, n_samples / grid.sample_rate
        first, last = grid.centers(n_frames)[[0, -1]]
        if first < -half or last > duration + half:
            return (
                f"has centres from {first:.4f} to {last:.4f} s; the clip lasts {duration:.4f} s, and "
                f"half a receptive field ({half:.4f} s) around it is accepted"
            )
    return ""


def _check_repetition(model: Model) -> None:
    waveform, other = _speech(model, 3), _speech(model, 4)
    before = waveform.samples.copy()
    first = _run(model, waveform)
    _require(model, np.array_equal(before, waveform.samples), "changes the caller's samples")
    _require(model, _same(first, _run(model, waveform)), "gives other states when run again")
    _run(model, other)
    _require(model, _same(first, _run(model, waveform)), "gives other states after another clip")


def _check_lengths(model: Model, lengths: Sequence[int]) -> None:
    counts: dict[int, list[int]] = {}
    for n_samples in (*SHORT, *lengths):
        waveform = _speech(model, 5, n_samples)
        layers, refused = _attempt(lambda waveform=waveform: _run(model, waveform))
        if refused is not None:
            _require(
                model,
                isinstance(refused, DataError) and refused.clip_id == waveform.clip_id,
                f"meets {n_samples} samples with {refused!r}; a DataError with the clip's id is needed",
            )
            _require(model, n_samples in SHORT, f"refuses {n_samples} samples: {refused}")
            continue
        for layer in layers or []:
            _check_layer(model, layer, waveform)
        counts[n_samples] = [layer.n_frames for layer in layers or []]
    grown = [counts[n] for n in sorted(counts)]
    for shorter, longer in itertools.pairwise(grown):
        _require(
            model,
            all(a <= b for a, b in zip(shorter, longer, strict=True)),
            f"gives fewer frames for more samples: {shorter} and then {longer}",
        )


def _check_silence(model: Model) -> None:
    for offset in (0.0, 0.25):
        waveform = silence(1.0, sample_rate=model.info.sample_rate, offset=offset)
        layers, refused = _attempt(lambda waveform=waveform: _run(model, waveform))
        _require(model, refused is None, f"meets a signal that is {offset:g} throughout with {refused!r}")
        for layer in layers or []:
            _check_layer(model, layer, waveform)


def _check_refusals(model: Model) -> None:
    waveform = tone(200.0, sample_rate=2 * model.info.sample_rate)
    _, refused = _attempt(lambda: _run(model, waveform))
    _require(
        model,
        isinstance(refused, DataError) and refused.clip_id == waveform.clip_id,
        f"meets a rate of {waveform.sample_rate} Hz with {refused!r}; a DataError with the clip's id is needed",
    )


def _attempt(run: Callable[[], list[Layer]]) -> tuple[list[Layer] | None, Exception | None]:
    try:
        return run(), None
    except Exception as error:  # whatever a user's model raises is what the message shows
        return None, error


def _shift_error(model: Model) -> float:
    """Delay a clip by whole hops of every layer and compare the frames whose windows lie inside it."""
    waveform = _speech(model, 6)
    delay = math.lcm(*(layer.grid.hop for layer in model.info.layers))
    late = np.concatenate([np.zeros(delay, dtype=np.float32), waveform.samples])
    delayed = Waveform(late, waveform.sample_rate, waveform.clip_id)
    worst = 0.0
    for layer, other in zip(model.layers(waveform), model.layers(delayed), strict=True):
        first, last = _windows(layer)
        inside = np.flatnonzero((first >= 0) & (last <= waveform.samples.size))
        moved = inside + delay // layer.info.grid.hop
        _require(
            model,
            inside.size and moved[-1] < other.n_frames,
            f"layer {layer.info.index} has {layer.n_frames} frames, and {other.n_frames} after a delay of "
            f"{delay} samples; none can be compared",
        )
        worst = max(worst, _relative(layer.states[inside], other.states[moved]))
    return worst


def _future_error(model: Model) -> float:
    """Play the second half of a clip backwards, which keeps its level, and compare the frames before it."""
    waveform = _speech(model, 7)
    cut = waveform.samples.size // 2
    turned = np.concatenate([waveform.samples[:cut], waveform.samples[cut:][::-1]])
    other = Waveform(turned, waveform.sample_rate, waveform.clip_id)
    worst = 0.0
    for layer, changed in zip(model.layers(waveform), model.layers(other), strict=True):
        past = _windows(layer)[1] <= cut
        _require(model, past.any(), f"layer {layer.info.index} has no frame whose window ends within {cut} samples")
        worst = max(worst, _relative(layer.states[past], changed.states[past]))
    return worst


def _windows(layer: Layer) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    grid = layer.info.grid
    first = grid.start + grid.hop * np.arange(layer.n_frames, dtype=np.int64)
    return first, first + grid.receptive_field


def _relative(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    largest = float(np.max(np.abs(one), initial=0.0))
    return float(np.max(np.abs(one - other), initial=0.0)) / max(largest, float(np.finfo(np.float32).tiny))
