"""Every law of `check_model` is broken once, and must be seen."""

import dataclasses

import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.errors import DataError
from otoscope.representations.base import Layer
from otoscope.representations.filterbanks import LogMel
from otoscope.representations.ge2e import Ge2e
from otoscope.testing.models import check_model

BASE = LogMel(bands=8)


class Wrapped:
    """A model that keeps every law, with places to break one."""

    def __init__(self, model=BASE, **changes):
        self.model, self.changes = model, changes

    @property
    def info(self):
        return dataclasses.replace(self.model.info, **self.changes)

    def layers(self, waveform):
        for layer, declared in zip(self.model.layers(waveform), self.info.layers, strict=True):
            yield Layer(declared, self.states(layer.states, waveform), layer.clip_id)

    def states(self, states, waveform):
        return states


def with_layer(**changes):
    return Wrapped(layers=(dataclasses.replace(BASE.info.layers[0], **changes),))


def with_grid(**changes):
    return with_layer(grid=dataclasses.replace(BASE.info.layers[0].grid, **changes))


class List(Wrapped):
    def layers(self, waveform):
        return list(super().layers(waveform))


class Prepared(Wrapped):
    def layers(self, waveform):
        return iter(list(super().layers(waveform)))


class Forgetful(Wrapped):
    """Keeps the clip on itself, so that the second clip answers for the first."""

    def layers(self, waveform):
        self.clip = waveform
        for info in self.model.info.layers:
            (layer,) = (one for one in self.model.layers(self.clip) if one.info.index == info.index)
            yield Layer(info, layer.states, waveform.clip_id)


class Drifting(Wrapped):
    count = 0

    def states(self, states, waveform):
        self.count += 1
        return states + np.float32(self.count)


class Adapting(Wrapped):
    """Normalises by what it heard before."""

    last = None

    def states(self, states, waveform):
        if self.last is not None and self.last[0] != waveform.clip_id:
            states = states - self.last[1]
        self.last = (waveform.clip_id, states.mean())
        return states


class Scribbling(Wrapped):
    def layers(self, waveform):
        samples = waveform.samples.base
        samples[0] += 0.25
        yield from super().layers(waveform)


class OtherClip(Wrapped):
    def layers(self, waveform):
        yield from super().layers(Waveform(waveform.samples, waveform.sample_rate, "another"))


class Cut(Wrapped):
    """Drops two frames at the end."""

    def states(self, states, waveform):
        return states[:-2] if len(states) > 4 else states


class Crashing(Wrapped):
    def states(self, states, waveform):
        if waveform.samples.size < 400:
            raise IndexError("index 0 is out of bounds")
        return states


class Refusing(Wrapped):
    def states(self, states, waveform):
        if waveform.samples.size < 2000:
            raise DataError(waveform.clip_id, "too short")
        return states


class NoSilence(Wrapped):
    def states(self, states, waveform):
        if not waveform.samples.any():
            raise DataError(waveform.clip_id, "is silent")
        return states


class AnyRate(Wrapped):
    def layers(self, waveform):
        yield from super().layers(Waveform(waveform.samples, 16_000, waveform.clip_id))


class Warning_(Wrapped):
    def states(self, states, waveform):
        return np.log(np.zeros_like(states)) if waveform.samples.size == 1 else states


class WholeClip(Wrapped):
    def states(self, states, waveform):
        return states - states.mean(axis=0)


class Backwards(Wrapped):
    """Hears the end of the clip first."""

    def states(self, states, waveform):
        return np.cumsum(states[::-1], axis=0, dtype=np.float32)[::-1].copy()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Wrapped(name=""), "info.name is empty"),
        (Wrapped(licence=""), "info.licence is empty"),
        (Wrapped(kind="toy"), "kind is 'toy'"),
        (Wrapped(kind="untrained"), "untrained copies have a twin"),
        (Wrapped(twin="logmel"), "untrained copies have a twin"),
        (Wrapped(layers=BASE.info.layers * 2), "layers have the indices"),
        (with_layer(name=""), "layers have the names"),
        (with_layer(index=1), "is a baseline with the layers"),
        (with_grid(sample_rate=8000), "has a clock of 8000 Hz"),
        (with_grid(hop=320), "frames; .* lie inside"),
        (with_grid(start=4000), "has centres from"),
        (List(), "hands its layers on as a list; yield them one at a time"),
        (Prepared(), "hands its layers on as a list_iterator"),
        (Forgetful(Ge2e(seed=0)), "mixes clips up"),
        (Drifting(), "gives other states when run again"),
        (Adapting(), "gives other states after another clip"),
        (Scribbling(), "changes the caller's samples"),
        (OtherClip(), "is of another clip, 'another'"),
        (Cut(), "frames; .* lie inside"),
        (Crashing(), r"meets 1 samples with IndexError\('index 0 is out of bounds'\); a DataError"),
        (Refusing(), "refuses 1600 samples"),
        (NoSilence(), "meets a signal that is 0 throughout with DataError"),
        (AnyRate(), "meets a rate of 32000 Hz with None"),
        (Warning_(), "meets 1 samples with RuntimeWarning"),
        (WholeClip(), "moves its states by .* delayed by whole hops"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Wrapped) else "",
)
def test_a_model_that_breaks_a_law_is_seen(model, message):
    with pytest.raises(AssertionError, match=message):
        check_model(model)


def test_a_model_that_hears_the_future_may_not_declare_a_lag():
    layers = (dataclasses.replace(BASE.info.layers[0], lag=80),)
    assert check_model(Wrapped(layers=layers)).future_error == 0.0
    with pytest.raises(AssertionError, match="declares a lag, and its states move by"):
        check_model(Backwards(layers=layers), shift_tolerance=None)
    assert check_model(Backwards(), shift_tolerance=None).future_error is None


def test_a_model_that_keeps_every_law_passes():
    report = check_model(Wrapped())
    assert report.shift_error is not None
    assert report.shift_error < 1e-4


def test_a_model_may_refuse_clips_below_its_window():
    class Window(Wrapped):
        def states(self, states, waveform):
            if waveform.samples.size < 400:
                raise DataError(waveform.clip_id, "is shorter than one window; 400 samples are needed")
            return states

    check_model(Window())
