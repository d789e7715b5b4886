"""The test pass: the chosen probes score every clip on the fly, while its cells are added up.

Per clip, role and column one row of sums (:data:`otoscope.evaluation.scores.SUMS`); for the matrix, sums over 32
blocks of sentences for every source language. Where other trackers are asked, the frames that they do not agree on
have rows of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from otoscope.corpora.base import Clip
from otoscope.evaluation.scores import SUMS, sums_of
from otoscope.evaluation.splits import hash_block
from otoscope.representations.base import Layer
from otoscope.studies.pitch.plan import MATRIX_BLOCKS, Plan
from otoscope.studies.pitch.solve import ROLES, LayerProbes
from otoscope.studies.pitch.targets import (
    DISPUTED,
    DOMAINS,
    MASKS,
    TARGETS,
    ClipTargets,
    Domain,
    Mask,
    columns_of,
    domain_columns,
)

__all__ = ["COLUMNS", "DISPUTED_COLUMNS", "MATRIX_TARGET", "PER_CLIP", "ShardScorer"]

Floats = NDArray[np.float64]
COLUMNS: tuple[str, ...] = columns_of("voiced")
DISPUTED_COLUMNS: tuple[int, ...] = tuple(COLUMNS.index(name) for name in domain_columns("voiced"))
"""Of :data:`COLUMNS`, those that are scored on frames that trackers do not agree on, too."""
PER_CLIP = ("rows.", "disputed.", "ceiling")
"""How the names of arrays begin that have a row for every clip; others are sums over clips."""
MATRIX_TARGET = "log2_f0"


class ShardScorer:
    """Scores the clips of one test shard with the probes of one model.

    Parameters
    ----------
    plan : Plan
        For the clusters and the languages.
    language : str
        Of the shard.
    probes : mapping of int to LayerProbes
        Of each layer.
    disputed : bool
        Whether frames that trackers do not agree on are scored, apart from the others.
    """

    def __init__(
        self, plan: Plan, language: str, probes: Mapping[int, LayerProbes], *, disputed: bool = False
    ) -> None:
        self._plan, self._language, self._probes = plan, language, probes
        self._with_disputed = disputed
        self._sources = plan.languages_with("train")
        self._rows: dict[int, dict[str, Floats]] = {}
        self._disputed: dict[int, dict[str, Floats]] = {}
        self._blocks: dict[int, Floats] = {}

    def begin(self) -> None:
        """Forget everything: the shard starts, or starts once more."""
        self._rows = {layer: {} for layer in self._probes}
        self._disputed = {layer: {} for layer in self._probes if self._with_disputed}
        shape = (MATRIX_BLOCKS, len(self._sources), len(SUMS))
        self._blocks = {layer: np.zeros(shape) for layer in self._probes}

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
        probes = self._probes[layer.info.index]
        row = np.zeros((len(ROLES), len(COLUMNS), len(SUMS)))
        for domain in DOMAINS:
            self._score_domain(row, probes, layer, targets, domain, MASKS[domain])
        self._rows[layer.info.index][clip.clip_id] = row
        if self._with_disputed:
            apart = np.zeros_like(row)
            self._score_domain(apart, probes, layer, targets, "voiced", (DISPUTED,))
            self._disputed[layer.info.index][clip.clip_id] = apart[:, DISPUTED_COLUMNS]
        self._score_matrix(clip, probes, layer, targets)

    def _score_domain(
        self,
        row: Floats,
        probes: LayerProbes,
        layer: Layer,
        targets: ClipTargets,
        domain: Domain,
        masks: Sequence[Mask],
    ) -> None:
        sets = [(r, found) for r, role in enumerate(ROLES) if (found := probes.get(role, self._language, domain))]
        if not sets:
            return
        states = np.concatenate([layer.states[targets.rows[mask]] for mask in masks])
        if not states.shape[0]:
            return
        names = sets[0][1].probe.columns
        weights = np.concatenate([found.probe.weights for _, found in sets], axis=1)
        intercept = np.concatenate([found.probe.intercept for _, found in sets])
        predicted = ((states - probes.shift) @ weights + intercept).reshape(-1, len(sets), len(names))
        for j, name in enumerate(names):
            truth = _truth(targets, masks, name)
            if truth is None:
                continue
            sums = sums_of(truth, predicted[:, :, j], kind=TARGETS[name.partition("~")[0]].kind)
            row[[r for r, _ in sets], COLUMNS.index(name)] = sums

    def _score_matrix(self, clip: Clip, probes: LayerProbes, layer: Layer, targets: ClipTargets) -> None:
        truth = _truth(targets, MASKS["voiced"], MATRIX_TARGET)
        found = [
            (i, entry.probe)
            for i, code in enumerate(self._sources)
            if (entry := probes.get(f"lang:{code}", self._language, "voiced"))
        ]
        if truth is None or not truth.size or not found:
            return
        at = found[0][1].columns.index(MATRIX_TARGET)
        weights = np.stack([probe.weights[:, at] for _, probe in found], axis=1)
        intercept = np.array([probe.intercept[at] for _, probe in found])
        frames = np.concatenate([targets.rows[mask] for mask in MASKS["voiced"]])
        predicted = (layer.states[frames] - probes.shift) @ weights + intercept
        block = hash_block(self._plan.clusters[clip.clip_id], MATRIX_BLOCKS)
        self._blocks[layer.info.index][block, [i for i, _ in found]] += sums_of(truth, predicted, kind="log2")

    def arrays(self, clips: Sequence[str]) -> dict[str, Floats]:
        """Give what was scored.

        Parameters
        ----------
        clips : sequence of str
            The clips to give, in order.

        Returns
        -------
        dict of str to ndarray
            ``rows.LAYER`` of shape (n_clips, n_roles, n_columns, n_sums), ``blocks.LAYER`` of shape
            (n_blocks, n_languages, n_sums), and where they are asked for ``disputed.LAYER``, as ``rows.LAYER`` with
            :data:`DISPUTED_COLUMNS`.
        """
        arrays: dict[str, Floats] = {}
        for room, n_columns, by_layer in (
            ("rows", len(COLUMNS), self._rows),
            ("disputed", len(DISPUTED_COLUMNS), self._disputed),
        ):
            empty = np.zeros((0, len(ROLES), n_columns, len(SUMS)))
            for layer, rows in by_layer.items():
                arrays[f"{room}.{layer}"] = np.stack([rows[c] for c in clips]) if clips else empty
        return {**arrays, **{f"blocks.{layer}": block for layer, block in self._blocks.items()}}


def _truth(targets: ClipTargets, masks: Sequence[Mask], name: str) -> Floats | None:
    """Give a column over some masks; None where this clip lacks the control."""
    control = name.partition("~")[2]
    if control and control not in targets.controls:
        return None
    parts = [targets.values[mask][:, columns_of(mask, controls=targets.controls).index(name)] for mask in masks]
    return np.concatenate(parts)
