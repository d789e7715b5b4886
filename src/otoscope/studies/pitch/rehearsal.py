"""The parts of a pass, rehearsed on made-up states of a model's own shape, to know what they cost here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from otoscope.audio import Waveform
from otoscope.corpora.base import Clip
from otoscope.errors import DataError
from otoscope.evaluation.splits import seeded_generator
from otoscope.frames import FrameGrid
from otoscope.probes.moments import MomentAccumulator, Moments
from otoscope.probes.scoring import path_errors
from otoscope.probes.solving import FittedProbe, decompose
from otoscope.representations.base import Layer, LayerInfo
from otoscope.studies.pitch.footprint import USUAL, USUAL_AGREED
from otoscope.studies.pitch.plan import Plan, Shard
from otoscope.studies.pitch.score import ShardScorer
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.shapes import ModelShape
from otoscope.studies.pitch.solve import ROLES, LayerProbes, ProbeSet, train_set
from otoscope.studies.pitch.targets import DOMAINS, Domain, Heard, clip_targets, columns_of, domain_columns

__all__ = ["ModelSpeed", "Rehearsal", "least_time"]

ROWS = 2048  # frames in a product: about as long as the run's own


@dataclass(frozen=True, slots=True)
class ModelSpeed:
    """What a model costs on this machine.

    Parameters
    ----------
    forward_s : float, seconds
        Of the model itself, per second of audio.
    pass_s : float, seconds
        Of targets and moments of all its layers, per second of audio.
    score_s : float, seconds
        Of scoring all its layers in the test pass, per second of audio.
    pack_s : float, seconds
        Of packing the sums of one shard and adding them to those of the others.
    solve_s : float, seconds
        Of solving one train set and domain in all its layers.
    measured : bool
        Whether `forward_s` was measured, or follows from a count of operations.
    how : str
        In words.
    """

    forward_s: float
    pass_s: float
    score_s: float
    pack_s: float
    solve_s: float
    measured: bool
    how: str


def least_time(work: Callable[[], object], repeats: int = 3) -> float:
    """Time something several times.

    Parameters
    ----------
    work : callable
        What.
    repeats : int, > 0
        How often.

    Returns
    -------
    float, seconds
        The least: what else the machine does only adds to it.
    """
    found: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


class Rehearsal:
    """Runs the parts of a pass on made-up states; what two models share is timed once.

    Parameters
    ----------
    heard : Heard
        A clip and its labels.
    settings : PitchSettings
        Precision, kind of probe, seed.
    n_sources : int
        Languages that are trained on: each scores every test clip.
    """

    def __init__(self, heard: Heard, settings: PitchSettings, n_sources: int) -> None:
        self._heard, self._settings, self._n_sources = heard, settings, n_sources
        self._clip = Clip(heard.waveform.clip_id, _Nowhere(), "l0")
        codes = tuple(f"l{i}" for i in range(max(n_sources, 1)))
        shards = tuple(Shard(f"{code}.train.00000", code, "train", ()) for code in codes)
        none: dict[str, str | None] = dict.fromkeys(codes)
        self._plan = Plan(shards, {self._clip.clip_id: "s"}, "clip", {}, none, none, ())
        self._rng = seeded_generator(settings.seed, "rehearsal")
        self._layers: dict[tuple[int, float], tuple[float, float, float, float]] = {}
        self._targets: dict[float, float] = {}

    def speed(self, shape: ModelShape, forward_s: float, measured: bool, how: str) -> ModelSpeed:
        """Give the costs of a model whose forward pass is known.

        Parameters
        ----------
        shape : ModelShape
            Of the model.
        forward_s : float
            Of its forward pass, per second of audio.
        measured : bool
            Whether that was measured.
        how : str
            In words.

        Returns
        -------
        ModelSpeed
            All of it.
        """
        parts = [self._layer(dim, rate) for dim, rate in shape.layers]
        targets_s = sum(self._targets[rate] for rate in {rate for _, rate in shape.layers})
        moments_s, score_s, pack_s, solve_s = (sum(part[i] for part in parts) for i in range(4))
        return ModelSpeed(forward_s, moments_s + targets_s, score_s, pack_s, solve_s, measured, how)

    def _layer(self, dim: int, rate: float) -> tuple[float, float, float, float]:
        if (dim, rate) not in self._layers:
            self._layers[dim, rate] = self._time(dim, rate)
        return self._layers[dim, rate]

    def _time(self, dim: int, rate: float) -> tuple[float, float, float, float]:
        heard, sound = self._heard, self._heard.waveform
        grid = FrameGrid(sound.sample_rate, max(1, round(sound.sample_rate / rate)), 400)
        info = LayerInfo(0, "made-up", dim, grid)
        n = grid.count(sound.samples.size)
        targets = clip_targets(heard, heard, info, n, seed=0)
        if rate not in self._targets:
            self._targets[rate] = (
                least_time(lambda: clip_targets(heard, heard, info, n, seed=0), 2) / sound.duration_s
            )
        columns = columns_of("voiced")
        states = self._rng.normal(size=(ROWS, dim)).astype(np.float32)
        values = self._rng.normal(size=(ROWS, len(columns)))
        sums = MomentAccumulator(dim, columns, np.zeros(dim), precision=self._settings.precision, block_rows=ROWS)
        sums.add(states, values)
        moments_s = least_time(lambda: (Layer(info, states, "made-up"), sums.add(states, values))) / ROWS * rate
        moments = sums.moments()
        masks = USUAL_AGREED if heard.others else USUAL
        pack_s = len(masks) * least_time(lambda: moments + sums.moments(), 2)
        layer = Layer(info, np.resize(states, (n, dim)), sound.clip_id)
        scorer = ShardScorer(self._plan, "l0", {0: self._probes(dim)}, disputed=bool(heard.others))
        scorer.begin()
        scorer.add(self._clip, layer, targets)
        score_s = least_time(lambda: scorer.add(self._clip, layer, targets)) / sound.duration_s
        return moments_s, score_s, pack_s, self._solve(moments)

    def _solve(self, moments: Moments) -> float:
        pools = [moments.select(domain_columns(domain)) for domain in DOMAINS]
        kept = pools[-1]

        def solve() -> None:
            whole = decompose(kept + kept)
            if self._settings.probe == "ridge":
                path_errors(whole, kept + kept)
                whole.ridge(1.0)

        return least_time(solve, 2)

    def _probes(self, dim: int) -> LayerProbes:
        sets: dict[tuple[str, Domain], ProbeSet] = {}
        for domain in DOMAINS:
            columns = domain_columns(domain)
            names = dict.fromkeys([train_set(role, "l0") for role in ROLES])
            names |= dict.fromkeys(f"lang:l{i}" for i in range(self._n_sources))
            weights, row = self._rng.normal(size=(dim, len(columns))), np.zeros(len(columns))
            probe = FittedProbe(columns, np.zeros(dim), weights, row, row, row, dim, 1.0)
            sets |= {(name, domain): ProbeSet(probe, 1, 1, None) for name in names}
        return LayerProbes(np.zeros(dim), sets)


class _Nowhere:
    """The source of a clip that nobody reads."""

    def read(self, clip_id: str, *, sample_rate: int | None) -> Waveform:
        raise DataError(clip_id, "has no sound")

    def describe(self) -> str:
        return "nowhere"

    def stamp(self) -> str:
        return "nowhere"
