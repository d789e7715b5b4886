"""What the probes of the pitch study predict, and the controls that they are compared with.

A target has a **domain**: ``all`` frames that the labels cover, or ``voiced`` frames. Frames fall into disjoint
**masks**: ``voiced``; ``unvoiced``; and ``voiced-sparse``, the voiced frames of clips with fewer than ten of them,
which count towards the targets of all frames and not towards those of voiced frames. Where other trackers are asked,
``voiced`` falls into ``voiced-agreed`` and ``voiced-disputed``: the targets of voiced frames are those that enough
trackers agree on. What a frame's targets and controls are does not depend on them.

A **control** is the same target made uninformative, with domain and mask kept: ``shift`` rotates the target's own
sequence within the clip by at least one second; ``swap`` takes the sequence of another clip of the same language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from otoscope.alignment import energy_at, sample_track
from otoscope.audio import Waveform
from otoscope.evaluation.splits import seeded_generator
from otoscope.f0.agreement import agreed_at
from otoscope.f0.base import F0Track
from otoscope.representations.base import LayerInfo

__all__ = [
    "AGREED",
    "ALL_MASKS",
    "CONTROLS",
    "DISPUTED",
    "DOMAINS",
    "MASKS",
    "MIN_VOICED",
    "TARGETS",
    "ClipTargets",
    "Domain",
    "Heard",
    "Mask",
    "Target",
    "clip_targets",
    "columns_of",
    "domain_columns",
    "rotation",
]

Floats = NDArray[np.float64]
Domain = Literal["voiced", "all"]
Mask = Literal["voiced", "voiced-agreed", "voiced-disputed", "voiced-sparse", "unvoiced"]
AGREED: Mask = "voiced-agreed"
DISPUTED: Mask = "voiced-disputed"
MIN_VOICED = 10
MIN_ROTATION_S = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """A column that a probe predicts.

    Parameters
    ----------
    name : str
        As in tables.
    domain : {"voiced", "all"}
        Which frames have it.
    unit : str
        Of the target.
    kind : {"log2", "voicing", "other"}
        Which counts its sums carry.
    metrics : tuple of str
        What is reported of it, the headline first.
    """

    name: str
    domain: Domain
    unit: str
    kind: Literal["log2", "voicing", "other"]
    metrics: tuple[str, ...]


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("log2_f0", "voiced", "octave", "log2", ("r2", "within_r", "skill", "mse", "gpe", "mae_cents")),
        Target("semitone", "voiced", "st", "other", ("r2", "within_r", "skill", "mse")),
        Target("f0_hz", "all", "Hz", "other", ("r2", "within_r", "skill", "mse")),
        Target("voicing", "all", "1", "voicing", ("r2", "within_r", "skill", "mse", "f1")),
        Target("energy", "all", "dB", "other", ("r2", "within_r", "skill", "mse")),
    )
}
CONTROLS: tuple[str, ...] = ("shift", "swap")
DOMAINS: tuple[Domain, ...] = ("voiced", "all")
MASKS: dict[Domain, tuple[Mask, ...]] = {
    "voiced": ("voiced", AGREED),  # a run has the one or the other
    "all": ("voiced", AGREED, DISPUTED, "voiced-sparse", "unvoiced"),
}
ALL_MASKS: tuple[Mask, ...] = MASKS["all"]
_FULL = ("voiced", AGREED, DISPUTED)  # masks whose frames have every target


def columns_of(mask_or_domain: Mask | Domain, *, controls: tuple[str, ...] = CONTROLS) -> tuple[str, ...]:
    """Name the columns of a mask's cells or of a domain's probes.

    Parameters
    ----------
    mask_or_domain : str
        ``voiced`` cells, agreed on or not, hold every target, the others those of all frames; a probe of the
        ``voiced`` domain predicts its own targets only, see :func:`domain_columns`.
    controls : tuple of str
        Which controls there are: ``swap`` is missing where a language has a single clip.

    Returns
    -------
    tuple of str
        Targets first, then ``target~control``.
    """
    names = [t.name for t in TARGETS.values() if mask_or_domain in _FULL or t.domain == "all"]
    return (*names, *(f"{name}~{control}" for control in controls for name in names))


def domain_columns(domain: Domain, *, controls: tuple[str, ...] = CONTROLS) -> tuple[str, ...]:
    """Name the columns that the probes of a domain predict.

    Parameters
    ----------
    domain : {"voiced", "all"}
        Of the targets.
    controls : tuple of str
        Which controls there are.

    Returns
    -------
    tuple of str
        Targets of exactly that domain first, then ``target~control``.
    """
    names = [t.name for t in TARGETS.values() if t.domain == domain]
    return (*names, *(f"{name}~{control}" for control in controls for name in names))


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A clip with its labels: all that targets are made of.

    Parameters
    ----------
    waveform : Waveform
        For the energy.
    track : F0Track
        For everything else.
    others : tuple of F0Track
        What other trackers found; empty where none are asked.
    need : int
        Trackers that must agree, the one of the labels included; 0 where no others are asked.
    """

    waveform: Waveform
    track: F0Track
    others: tuple[F0Track, ...] = ()
    need: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class ClipTargets:
    """The targets of one clip on one layer's frames.

    Parameters
    ----------
    rows : mapping of mask to ndarray of int
        Which frames of the layer fall under a mask, rising.
    values : mapping of mask to ndarray of float64, shape (n_rows, n_columns)
        Their targets, in the order of :func:`columns_of` for that mask and these controls.
    controls : tuple of str
        Which controls could be made.
    """

    rows: Mapping[Mask, NDArray[np.intp]]
    values: Mapping[Mask, Floats]
    controls: tuple[str, ...]


def rotation(n: int, least: int, fraction: float) -> int:
    """Say how far a sequence is rotated.

    Parameters
    ----------
    n : int, > 0
        Its length.
    least : int, >= 0
        The least distance, either way round; half the sequence where that is less.
    fraction : float, in [0, 1)
        Where in the allowed range; drawn once per clip.

    Returns
    -------
    int
        Between the least distance and `n` less it.
    """
    least = min(least, n // 2)
    return least + int(fraction * (n - 2 * least + 1))


def _sequences(heard: Heard, times: Floats) -> tuple[dict[str, Floats], NDArray[np.bool_], NDArray[np.bool_]]:
    """Sample every target: those of voiced frames as their compacted sequence, the others on covered frames."""
    sampled = sample_track(heard.track, times)
    voiced, covered = sampled.voiced, sampled.covered
    log2_f0 = np.log2(sampled.f0_hz[voiced])
    semitone = 12 * (log2_f0 - np.median(log2_f0)) if log2_f0.size else log2_f0
    return (
        {
            "log2_f0": log2_f0,
            "semitone": semitone,
            "f0_hz": np.where(voiced, sampled.f0_hz, 0.0)[covered],
            "voicing": voiced[covered].astype(np.float64),
            "energy": energy_at(heard.waveform, times)[covered],
        },
        voiced,
        covered,
    )


def clip_targets(heard: Heard, partner: Heard | None, layer: LayerInfo, n_frames: int, *, seed: int) -> ClipTargets:
    """Make the targets and controls of one clip for one layer.

    Parameters
    ----------
    heard : Heard
        The clip.
    partner : Heard or None
        The clip whose sequences the ``swap`` control takes; None leaves that control out.
    layer : LayerInfo
        Its grid and lag say where targets are sampled.
    n_frames : int
        Frames that the layer gave for this clip.
    seed : int
        Of the run; with the id of the clip it says how far the ``shift`` control rotates.

    Returns
    -------
    ClipTargets
        For every mask, also for those without frames.
    """
    times = layer.target_times(n_frames)
    own, voiced, covered = _sequences(heard, times)
    least = layer.grid.frames_in(MIN_ROTATION_S)
    fraction = float(seeded_generator(seed, "rotation", heard.waveform.clip_id).random())
    made: dict[str, dict[str, Floats]] = {"": own}
    made["shift"] = {name: np.roll(y, rotation(y.size, least, fraction)) if y.size else y for name, y in own.items()}
    if partner is not None:
        n_partner = partner.waveform.samples.size * layer.grid.sample_rate // partner.waveform.sample_rate
        theirs, _, _ = _sequences(partner, layer.target_times(layer.grid.count(n_partner)))
        if theirs["log2_f0"].size:  # a sequence of nothing cannot be repeated
            made["swap"] = {name: np.resize(theirs[name], y.size) for name, y in own.items()}
    controls = tuple(name for name in CONTROLS if name in made)

    among_covered = voiced[covered]
    falls = _falls_under(heard, times, among_covered, covered)
    rows: dict[Mask, NDArray[np.intp]] = {}
    values: dict[Mask, Floats] = {}
    for mask in ALL_MASKS:
        columns = columns_of(mask, controls=controls)
        inside = falls.get(mask)
        if inside is None:
            inside, rows[mask] = np.zeros(0, dtype=np.bool_), np.zeros(0, dtype=np.intp)
        else:
            rows[mask] = np.flatnonzero(covered)[inside]
        table = np.empty((rows[mask].size, len(columns)))
        for j, column in enumerate(columns if rows[mask].size else ()):
            name, _, control = column.partition("~")
            sequence = made[control][name]
            table[:, j] = sequence[inside[among_covered] if TARGETS[name].domain == "voiced" else inside]
        values[mask] = table
    return ClipTargets(rows, values, controls)


def _falls_under(
    heard: Heard, times: Floats, voiced: NDArray[np.bool_], covered: NDArray[np.bool_]
) -> dict[Mask, NDArray[np.bool_]]:
    """Say of the covered frames which fall under which mask; masks that the clip does not have are left out."""
    found: dict[Mask, NDArray[np.bool_]] = {"unvoiced": ~voiced}
    if np.count_nonzero(voiced) < MIN_VOICED:
        found["voiced-sparse"] = voiced
    elif heard.others:
        agreed = agreed_at(heard.track, heard.others, times, need=heard.need)[covered]
        found |= {AGREED: voiced & agreed, DISPUTED: voiced & ~agreed}
    else:
        found["voiced"] = voiced
    return found
