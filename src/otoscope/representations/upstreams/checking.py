"""Looking a checkpoint over before a night is spent on it: what it says of itself, and whether it keeps it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform
from otoscope.errors import SpecError
from otoscope.frames import FrameGrid
from otoscope.representations.base import Model
from otoscope.representations.registry import open_model
from otoscope.representations.upstreams.families import BatchHearing
from otoscope.representations.upstreams.model import UpstreamModel
from otoscope.representations.upstreams.weights import quiet
from otoscope.representations.upstreams.windowed import WindowedHearing

__all__ = ["CheckpointReport", "LayerReport", "check_checkpoint"]

N_LENGTHS = 30
_LONGEST_S = 2.0


@dataclass(frozen=True, slots=True)
class LayerReport:
    """What was measured of one layer.

    Parameters
    ----------
    index : int
        Of the layer.
    name : str
        What it is.
    dim : int
        Size of one state.
    largest_mean : float
        Largest absolute mean of a dimension, over its standard deviation. Far above 1, the dimension is nearly
        constant: predictors want it scaled.
    largest_dim : int
        Which dimension that is.
    rms : float
        Root mean square of the states.
    difference : float or None
        Largest absolute difference to the library's own hidden state of that layer; None where it defines none.
    """

    index: int
    name: str
    dim: int
    largest_mean: float
    largest_dim: int
    rms: float
    difference: float | None


@dataclass(frozen=True, slots=True)
class CheckpointReport:
    """What a checkpoint says of itself, and what was measured.

    Parameters
    ----------
    name, version, family, licence : str
        As ``ModelInfo`` has them.
    n_blocks : int
        How many there are.
    grid : FrameGrid
        Of the last layer.
    window_s : float or None, seconds
        How much sound the blocks hear together; None for the whole clip.
    settings : dict
        What was resolved: normalisation, number format, attention and whatever else changes the states.
    norm : str
        Where blocks normalise.
    device : str
        Where it was run.
    n_parameters : int
        Of the network, without heads.
    n_bytes : int
        Of the weights on disk; 0 for an untrained copy.
    layers : tuple of LayerReport
        One per layer.
    lengths : tuple of int, samples
        At which the number of frames was held against the clock.
    wrong_lengths : tuple of int, samples
        Those at which it differed.
    finite : bool
        Whether all states were.
    repeatable : bool
        Whether two runs were equal.
    difference : float or None
        Largest of the layers' differences to the library's own hidden states; None where it defines none.
    batch_difference : float or None
        Largest absolute difference between clips of equal length heard together and alone; None where the family
        takes one clip at a time.
    padded_difference : float or None
        The same with a clip of another length beside; None where that is refused.
    seconds_per_second : float
        Time of one pass per second of audio.
    n_threads : int
        Numerical threads during that.
    """

    name: str
    version: str
    family: str
    licence: str
    n_blocks: int
    grid: FrameGrid
    window_s: float | None
    settings: dict[str, object]
    norm: str
    device: str
    n_parameters: int
    n_bytes: int
    layers: tuple[LayerReport, ...]
    lengths: tuple[int, ...]
    wrong_lengths: tuple[int, ...]
    finite: bool
    repeatable: bool
    difference: float | None
    batch_difference: float | None
    padded_difference: float | None
    seconds_per_second: float
    n_threads: int

    @property
    def problems(self) -> tuple[str, ...]:
        """What speaks against using it; nothing where all is well."""
        found: list[str] = []
        if self.wrong_lengths:
            found.append(f"the number of frames differs from the clock at {self.wrong_lengths[0]} samples")
        if not self.finite:
            found.append("some states are not finite")
        if not self.repeatable:
            found.append("a second run gives other states")
        return tuple(found)

    def as_dict(self) -> dict[str, object]:
        """Give all of it as a JSON value.

        Returns
        -------
        dict
            One entry per field; the clock as its four numbers and its frame rate.
        """
        plain: dict[str, object] = {field.name: getattr(self, field.name) for field in fields(self)}
        plain["grid"] = {field.name: getattr(self.grid, field.name) for field in fields(self.grid)}
        plain["frame_rate"] = self.grid.frame_rate
        plain["layers"] = [
            {field.name: getattr(layer, field.name) for field in fields(layer)} for layer in self.layers
        ]
        plain["lengths"], plain["wrong_lengths"] = list(self.lengths), list(self.wrong_lengths)
        plain["problems"] = list(self.problems)
        return plain


def check_checkpoint(spec: str | Model, *, device: str = "cpu", seed: int = 0) -> CheckpointReport:
    """Open a checkpoint, let it hear noise, and report.

    Parameters
    ----------
    spec : str or Model
        A folder or ``org/name``, with settings; also ``untrained:...#seed``; or one that is open.
    device : str
        ``cpu``, ``cuda``, ``cuda:1`` or ``auto``; for one that is open, what it was opened with counts.
    seed : int
        What the noise is drawn by.

    Returns
    -------
    CheckpointReport
        Measured on coloured noise of up to two seconds.

    Raises
    ------
    SpecError
        If it cannot be opened, or is no checkpoint.
    """
    model = open_model(spec, device=device) if isinstance(spec, str) else spec
    if not isinstance(model, UpstreamModel):
        raise SpecError(f"{model.info.name}: is built in and has no checkpoint; name a folder or org/name")
    rate = model.info.sample_rate
    field = max(layer.grid.receptive_field + max(0, layer.grid.start) for layer in model.info.layers)
    clip = _noise(seed, max(int(_LONGEST_S * rate), 2 * field), rate)
    states = {layer.info.index: layer.states for layer in model.layers(clip)}
    again = {layer.info.index: layer.states for layer in model.layers(clip)}
    differences = _own_differences(model, clip, states)
    lengths = _lengths(field, clip.samples.size)
    wrong = [n for n in lengths if not _counts_hold(model, _cut(clip, n))]
    batch, padded = _together(model, clip, seed=seed)
    import torch

    return CheckpointReport(
        name=model.info.name,
        version=model.info.version,
        family=model.family.name,
        licence=model.info.licence,
        n_blocks=model.info.layers[-1].index,
        grid=model.info.layers[-1].grid,
        window_s=_window_s(model),
        settings=dict(model.info.settings),
        norm=model.outline.norm,
        device=model.device,
        n_parameters=model.n_parameters,
        n_bytes=model.checkpoint.n_bytes,
        layers=tuple(
            _layer_report(layer.index, layer.name, states[layer.index], differences.get(layer.index))
            for layer in model.info.layers
        ),
        lengths=tuple(lengths),
        wrong_lengths=tuple(wrong),
        finite=all(bool(np.isfinite(each).all()) for each in states.values()),
        repeatable=all(np.array_equal(states[index], again[index]) for index in states),
        difference=max(differences.values()) if differences else None,
        batch_difference=batch,
        padded_difference=padded,
        seconds_per_second=_cost(model, clip),
        n_threads=torch.get_num_threads(),
    )


def _window_s(model: UpstreamModel) -> float | None:
    said = model.outline.settings.get("window_s")
    return float(said) if isinstance(said, int | float) else None


def _noise(seed: int, n_samples: int, rate: int, name: str = "noise") -> Waveform:
    """Noise whose power falls with frequency, at a level of speech."""
    white = np.random.default_rng(seed).normal(size=n_samples + 64)
    coloured = np.convolve(white, np.exp(-np.arange(64) / 8.0))[32 : 32 + n_samples]
    return Waveform((0.05 * coloured / coloured.std()).astype(np.float32), rate, name)


def _cut(clip: Waveform, n_samples: int) -> Waveform:
    return Waveform(clip.samples[:n_samples].copy(), clip.sample_rate, clip.clip_id)


def _lengths(field: int, longest: int) -> list[int]:
    """Thirty lengths: around one window, and spread over the rest with every remainder."""
    near = [field, field + 1, field + 79, field + 319, field + 320, field + 639, field + 640]
    rest = np.linspace(field + 641, longest, N_LENGTHS - len(near)).astype(int).tolist()
    return sorted({min(n, longest) for n in (*near, *rest)})


def _counts_hold(model: UpstreamModel, clip: Waveform) -> bool:
    try:
        return all(layer.n_frames == _n_frames(layer.info.grid, clip.samples.size) for layer in model.layers(clip))
    except SpecError:
        return False


def _n_frames(grid: FrameGrid, n_samples: int) -> int:
    """Count the frames that lie inside; where the beginning is padded, those whose centres do."""
    if grid.start >= 0:
        return grid.count(n_samples)
    return -((2 * grid.start + grid.receptive_field - 2 * n_samples) // (2 * grid.hop))


def _own_differences(
    model: UpstreamModel, clip: Waveform, states: dict[int, NDArray[np.float32]]
) -> dict[int, float]:
    """Compare with the hidden states that the library's own output carries, where their number and sizes agree."""
    import torch

    if isinstance(model.hearing, WindowedHearing):
        with quiet():
            pairs = model.hearing.own_states(model.network(), clip)
    else:
        prepare = getattr(model.hearing, "prepared", None)
        if prepare is None:
            return {}
        network: Any = model.network()
        with torch.no_grad(), quiet():
            output = network(prepare([clip]), output_hidden_states=True)
        own = output.hidden_states or ()
        if len(own) != 1 + model.info.layers[-1].index:
            return {}
        pairs = {index: own[index][0].float().cpu().numpy() for index in states if index >= 0}
    return {
        index: float(np.max(np.abs(theirs - states[index])))
        for index, theirs in pairs.items()
        if theirs.shape == states[index].shape
    }


def _together(model: UpstreamModel, clip: Waveform, *, seed: int) -> tuple[float | None, float | None]:
    if not isinstance(model.hearing, BatchHearing):
        return None, None
    other = _noise(seed + 1, clip.samples.size, clip.sample_rate, "other noise")
    batch = _difference(model, [clip, other])
    shorter = _cut(clip, int(0.6 * clip.samples.size) + 13)
    padded = _difference(model, [other, shorter]) if model.outline.paddable else None
    return batch, padded


def _difference(model: UpstreamModel, clips: Sequence[Waveform]) -> float:
    alone = [list(model.layers(clip)) for clip in clips]
    worst = 0.0
    for at, row in enumerate(model.together(clips)):
        for mine, layers in zip(row, alone, strict=True):
            worst = max(worst, float(np.max(np.abs(mine.states - layers[at].states))))
    return worst


def _layer_report(index: int, name: str, states: NDArray[np.float32], difference: float | None) -> LayerReport:
    wide = states.astype(np.float64)
    spread = np.maximum(wide.std(axis=0), np.finfo(np.float32).tiny)
    ratio = np.abs(wide.mean(axis=0)) / spread
    worst = int(np.argmax(ratio))
    return LayerReport(
        index=index,
        name=name,
        dim=states.shape[1],
        largest_mean=float(ratio[worst]),
        largest_dim=worst,
        rms=float(np.sqrt(np.mean(np.square(wide)))),
        difference=difference,
    )


def _cost(model: UpstreamModel, clip: Waveform) -> float:
    """Time the best of three passes."""
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        for _layer in model.layers(clip):
            pass
        best = min(best, time.perf_counter() - started)
    return best / (clip.samples.size / clip.sample_rate)
