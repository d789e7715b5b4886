"""From clips to cells: one shard's states and targets, added up.

A cell is named by layer, mask, block and the controls that its columns have. Cells of a shard stand in one file per
model, which is written whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import resample
from otoscope.corpora.base import Clip, Failure
from otoscope.errors import DataError, PassingError, SpecError
from otoscope.frames import FrameGrid
from otoscope.probes.moments import MomentAccumulator, Moments, fold
from otoscope.representations.base import Layer, Model
from otoscope.store import read_about, read_arrays, write_arrays
from otoscope.studies.pitch.plan import Plan, Shard
from otoscope.studies.pitch.reader import ClipReader
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.targets import ALL_MASKS, ClipTargets, Mask, clip_targets, columns_of
from otoscope.studies.provenance import versions

__all__ = [
    "CellKey",
    "Cells",
    "Scorer",
    "accumulate",
    "fold_cells",
    "fold_shards",
    "read_cells",
    "read_header",
    "write_cells",
]

Floats = NDArray[np.float64]


class Scorer(Protocol):
    """Scores clips on the fly, while their cells are added up."""

    def begin(self) -> None:
        """Forget everything: the shard starts, or starts once more."""
        ...

    def add(self, clip: Clip, layer: Layer, targets: ClipTargets) -> None:
        """Score one layer of one clip.

        Parameters
        ----------
        clip : Clip
            Which clip.
        layer : Layer
            Its states.
        targets : ClipTargets
            The truth on their frames.
        """
        ...


@dataclass(frozen=True, slots=True, order=True)
class CellKey:
    """The name of a cell within a shard of one model.

    Parameters
    ----------
    layer : int
        Index.
    mask : str
        One of :data:`otoscope.studies.pitch.targets.ALL_MASKS`.
    block : int
        For choosing lambda; -1 where there is a dev split.
    controls : tuple of str
        Which its columns have.
    """

    layer: int
    mask: Mask
    block: int
    controls: tuple[str, ...]

    def encode(self) -> str:
        """Give a name that :meth:`decode` reads.

        Returns
        -------
        str
            Fields divided by bars.
        """
        return f"{self.layer}|{self.mask}|{self.block}|{'+'.join(self.controls)}"

    @classmethod
    def decode(cls, name: str) -> CellKey:
        """Read what :meth:`encode` gave.

        Parameters
        ----------
        name : str
            Fields divided by bars.

        Returns
        -------
        CellKey
            As it was.
        """
        layer, mask, block, controls = name.split("|")
        found: list[Mask] = [known for known in ALL_MASKS if known == mask]
        if not found:
            raise SpecError(f"cell {name!r}: there is no mask {mask!r}")
        return cls(int(layer), found[0], int(block), tuple(c for c in controls.split("+") if c))


@dataclass(slots=True)
class Cells:
    """What a shard gives for one model.

    Parameters
    ----------
    moments : dict of CellKey to Moments
        The cells with at least one frame.
    failures : list of Failure
        The clips left out, and why.
    clips : list of str
        The ids of the clips that are in.
    sound : dict of str to str
        For every clip that could be read, in or not, the digest of its samples.
    partners : dict of str to str
        For every clip whose sequences stood for another's in the ``swap`` control, the same; of a shard only.
    passing : list of str
        The clips that failed for a reason that may pass, such as want of memory: the next run tries them again.
    """

    moments: dict[CellKey, Moments] = field(default_factory=dict[CellKey, Moments])
    failures: list[Failure] = field(default_factory=list[Failure])
    clips: list[str] = field(default_factory=list[str])
    sound: dict[str, str] = field(default_factory=dict[str, str])
    partners: dict[str, str] = field(default_factory=dict[str, str])
    passing: list[str] = field(default_factory=list[str])


def accumulate(
    shard: Shard,
    model: Model,
    shifts: Mapping[int, Floats],
    reader: ClipReader,
    plan: Plan,
    settings: PitchSettings,
    scorer: Scorer | None = None,
    heard_clip: Callable[[], None] = lambda: None,
) -> Cells:
    """Run one shard through one model.

    Parameters
    ----------
    shard : Shard
        The clips.
    model : Model
        Each clip goes through it once, layer by layer.
    shifts : mapping of int to ndarray, shape (dim,)
        The shift vector of each layer.
    reader : ClipReader
        Gives waveforms, labels and partners.
    plan : Plan
        For the blocks.
    settings : PitchSettings
        Seed and precision.
    scorer : Scorer, optional
        Is given each clip's layers and targets: the test pass scores while it adds up.
    heard_clip : callable, optional
        Called after each clip, for progress.

    Returns
    -------
    Cells
        A clip that fails at any layer is in none of them.
    """
    excluded: dict[str, tuple[Failure, bool]] = {}
    while True:
        try:
            return _accumulate(shard, model, shifts, reader, plan, settings, scorer, heard_clip, excluded)
        except _Spoilt as spoilt:  # a later layer failed after earlier ones were added: once more, without the clip
            excluded[spoilt.failure.clip_id] = (spoilt.failure, spoilt.passing)


class _Spoilt(Exception):
    def __init__(self, failure: Failure, passing: bool) -> None:
        super().__init__(failure, passing)
        self.failure, self.passing = failure, passing


def _accumulate(
    shard: Shard,
    model: Model,
    shifts: Mapping[int, Floats],
    reader: ClipReader,
    plan: Plan,
    settings: PitchSettings,
    scorer: Scorer | None,
    heard_clip: Callable[[], None],
    excluded: Mapping[str, tuple[Failure, bool]],
) -> Cells:
    cells, sums = Cells(), dict[CellKey, MomentAccumulator]()
    if scorer is not None:
        scorer.begin()
    for clip in shard.clips:
        heard = reader.hear(clip)
        if isinstance(heard, Failure):
            cells.failures.append(heard)
            heard_clip()
            continue
        cells.sound[clip.clip_id] = heard.waveform.digest()
        if clip.clip_id in excluded:
            failure, passing = excluded[clip.clip_id]
            cells.failures.append(failure)
            cells.passing += [clip.clip_id] * passing
            continue
        partner = reader.partner(clip, shard.split)
        if partner is not None:
            cells.partners[partner.waveform.clip_id] = partner.waveform.digest()
        block = plan.blocks.get(clip.clip_id, -1)
        made: dict[tuple[FrameGrid, int, int], ClipTargets] = {}
        added = False
        try:
            for layer in model.layers(resample(heard.waveform, model.info.sample_rate)):
                clock = (layer.info.grid, layer.info.lag, layer.n_frames)
                if clock not in made:
                    made[clock] = clip_targets(heard, partner, layer.info, layer.n_frames, seed=settings.seed)
                targets = made[clock]
                for mask, rows in targets.rows.items():
                    if not rows.size:
                        continue
                    key = CellKey(layer.info.index, mask, block, targets.controls)
                    if key not in sums:
                        sums[key] = MomentAccumulator(
                            layer.info.dim,
                            columns_of(mask, controls=targets.controls),
                            shifts[layer.info.index],
                            precision=settings.precision,
                        )
                    sums[key].add(layer.states[rows], targets.values[mask])
                added = True
                if scorer is not None:
                    scorer.add(clip, layer, targets)
        except DataError as error:
            failure = Failure(clip.clip_id, "model", f"{model.info.name}: {error.problem}")
            if added:
                raise _Spoilt(failure, isinstance(error, PassingError)) from error
            cells.failures.append(failure)
            if isinstance(error, PassingError):
                cells.passing.append(clip.clip_id)
        else:
            cells.clips.append(clip.clip_id)
        heard_clip()
    cells.moments = {key: sums[key].moments() for key in sorted(sums)}
    return cells


def write_cells(
    path: Path, cells: Cells, about: Mapping[str, object], extra: Mapping[str, NDArray[np.float64]] | None = None
) -> None:
    """Write the cells of a shard.

    Parameters
    ----------
    path : Path
        Where.
    cells : Cells
        What.
    about : mapping
        What they were made of, see :func:`read_header`.
    extra : mapping of str to ndarray, optional
        Other arrays to keep with them; their names hold no bar.
    """
    said = {
        "made_of": dict(about),
        "clips": cells.clips,
        "failures": [[f.clip_id, f.stage, f.reason] for f in cells.failures],
        "sound": cells.sound,
        "partners": cells.partners,
        "passing": cells.passing,
        "versions": versions(),
    }
    arrays = {key.encode(): moments.packed for key, moments in cells.moments.items()}
    write_arrays(path, {**arrays, **(extra or {})}, about=said)


def read_header(path: Path, about: Mapping[str, object] | None = None) -> Cells | None:
    """Read what a file of cells says of its clips, without the cells.

    Parameters
    ----------
    path : Path
        Where.
    about : mapping, optional
        What it must have been made of.

    Returns
    -------
    Cells or None
        Without moments. None if there is no such file, it is cut short, or it was made of something else.
    """
    said = read_about(path)
    if said is None or (about is not None and said.get("made_of") != dict(about)):
        return None
    return _said(said)


def _said(said: Mapping[str, Any]) -> Cells:
    failures = [Failure(*entry) for entry in said["failures"]]
    clips, passing = list(said["clips"]), list(said["passing"])
    return Cells({}, failures, clips, dict(said["sound"]), dict(said["partners"]), passing)


def read_cells(
    path: Path, shifts: Mapping[int, Floats], *, layer: int | None = None
) -> tuple[Cells, dict[str, Floats]]:
    """Read what :func:`write_cells` wrote.

    Parameters
    ----------
    path : Path
        Where.
    shifts : mapping of int to ndarray, shape (dim,)
        The shift vector of each layer that is read.
    layer : int, optional
        Only the cells of this layer, and no other arrays.

    Returns
    -------
    cells : Cells
        As written.
    extra : dict of str to ndarray
        The other arrays.

    Raises
    ------
    SpecError
        If there is no such file, or it is damaged.
    """
    wanted = None if layer is None else (lambda name: name.startswith(f"{layer}|"))
    arrays, said = read_arrays(path, only=wanted)
    cells, extra = _said(said), dict[str, Floats]()
    for name, array in arrays.items():
        if "|" not in name:
            extra[name] = array
            continue
        key = CellKey.decode(name)
        shift = shifts[key.layer]
        cells.moments[key] = Moments(shift.size, columns_of(key.mask, controls=key.controls), shift, array)
    return cells, extra


def fold_shards(shards: Iterable[Cells]) -> Cells:
    """Add up shards, cell by cell.

    Parameters
    ----------
    shards : iterable of Cells
        Of one model, language and split, in the order of their ids; each is let go of once it is added.

    Returns
    -------
    Cells
        As if they were one shard.
    """
    total = Cells()
    for cells in shards:
        total.clips += cells.clips
        total.failures += cells.failures
        total.passing += cells.passing
        total.sound |= cells.sound
        for key, moments in cells.moments.items():
            total.moments[key] = total.moments[key] + moments if key in total.moments else moments
    return total


def fold_cells(parts: Iterable[Moments]) -> Moments | None:
    """Add up cells whose columns may differ by a missing control.

    Parameters
    ----------
    parts : iterable of Moments
        In a fixed order.

    Returns
    -------
    Moments or None
        With the columns that all of them have; None where there are none.
    """
    found = list(parts)
    if not found:
        return None
    shared = set(found[0].columns).intersection(*(set(m.columns) for m in found[1:]))
    columns = [name for name in found[0].columns if name in shared]
    return fold(m.select(columns) for m in found)
