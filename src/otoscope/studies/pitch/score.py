"""The test pass: the chosen probes score every clip on the fly, while its cells are added up.

Per clip, role and column one row of sums (:data:`otoscope.evaluation.scores.SUMS`); for the matrix, sums over 32
blocks of sentences for every source language.
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
from otoscope.studies.pitch.targets import DOMAINS, MASKS, TARGETS, ClipTargets, Domain, columns_of

__all__ = ["COLUMNS", "MATRIX_TARGET", "ShardScorer"]

Floats = NDArray[np.float64]
COLUMNS: tuple[str, ...] = columns_of("voiced")
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
    """

    def __init__(self, plan: Plan, language: str, probes: Mapping[int, LayerProbes]) -> None:
        self._plan, self._language, self._probes = plan, language, probes
        self._sources = plan.languages_with("train")
        self._rows: dict[int, dict[str, Floats]] = {}
        self._blocks: dict[int, Floats] = {}

    def begin(self) -> None:
        """Forget everything: the shard starts, or starts once more."""
        self._rows = {layer: {} for layer in self._probes}
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
            self._score_domain(row, probes, layer, targets, domain)
        self._rows[layer.info.index][clip.clip_id] = row
        self._score_matrix(clip, probes, layer, targets)

    def _score_domain(
        self, row: Floats, probes: LayerProbes, layer: Layer, targets: ClipTargets, domain: Domain
    ) -> None:
        sets = [(r, found) for r, role in enumerate(ROLES) if (found := probes.get(role, self._language, domain))]
        if not sets:
            return
        states = np.concatenate([layer.states[targets.rows[mask]] for mask in MASKS[domain]])
        if not states.shape[0]:
            return
        names = sets[0][1].probe.columns
        weights = np.concatenate([found.probe.weights for _, found in sets], axis=1)
        intercept = np.concatenate([found.probe.intercept for _, found in sets])
        predicted = ((states - probes.shift) @ weights + intercept).reshape(-1, len(sets), len(names))
        for j, name in enumerate(names):
            truth = _truth(targets, domain, name)
            if truth is None:
                continue
            sums = sums_of(truth, predicted[:, :, j], kind=TARGETS[name.partition("~")[0]].kind)
            row[[r for r, _ in sets], COLUMNS.index(name)] = sums

    def _score_matrix(self, clip: Clip, probes: LayerProbes, layer: Layer, targets: ClipTargets) -> None:
        truth = _truth(targets, "voiced", MATRIX_TARGET)
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
        predicted = (layer.states[targets.rows["voiced"]] - probes.shift) @ weights + intercept
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
            ``rows.LAYER`` of shape (n_clips, n_roles, n_columns, n_sums) and ``blocks.LAYER`` of shape
            (n_blocks, n_languages, n_sums).
        """
        empty = np.zeros((0, len(ROLES), len(COLUMNS), len(SUMS)))
        arrays = {
            f"rows.{layer}": np.stack([rows[c] for c in clips]) if clips else empty
            for layer, rows in self._rows.items()
        }
        return {**arrays, **{f"blocks.{layer}": block for layer, block in self._blocks.items()}}


def _truth(targets: ClipTargets, domain: Domain, name: str) -> Floats | None:
    """Give a column over all masks of a domain; None where this clip lacks the control."""
    control = name.partition("~")[2]
    if control and control not in targets.controls:
        return None
    parts = [
        targets.values[mask][:, columns_of(mask, controls=targets.controls).index(name)] for mask in MASKS[domain]
    ]
    return np.concatenate(parts)
