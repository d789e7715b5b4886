"""The five roles scored: all train sets and targets of a layer at once, over any languages."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otoscope.evaluation.batches import add_by_cluster, difference_batch, score_batch
from otoscope.evaluation.scores import METRICS, SUMS, Score, ScoreTable
from otoscope.studies.pitch.results import LayerResults, Results
from otoscope.studies.pitch.score import COLUMNS
from otoscope.studies.pitch.solve import ROLES, LayerProbes
from otoscope.studies.pitch.targets import CONTROLS, DOMAINS, TARGETS, Target

__all__ = ["RoleScore", "RoleScorer", "RoleSums"]

Floats = NDArray[np.float64]
_N, _Y = SUMS.index("n"), SUMS.index("y")
_SETS = tuple(
    (role, target.name) for target in TARGETS.values() for role in ROLES
)  # targets that share a metric meet


@dataclass(frozen=True, slots=True)
class RoleScore:
    """The score of a role on a target, with its controls.

    Parameters
    ----------
    score : Score
        Mean over the languages.
    controls : dict of str to float or None
        The same score of each control; None where it has none.
    n_languages : int
        How many of the languages have a probe and frames.
    """

    score: Score
    controls: dict[str, float | None]
    n_languages: int


@dataclass(frozen=True, slots=True, eq=False)
class RoleSums:
    """What a layer's scores on one language are made of.

    Parameters
    ----------
    cells : ndarray of float64, shape (n_clusters, n_sets, n_sums)
        Sums of the clusters in the order of their names, for every target and role.
    whole : ndarray of float64, shape (n_roles, n_columns, n_sums)
        Sums of the language, controls included.
    train_means : ndarray of float64, shape (n_roles, n_columns)
        Of each probe's training data; NaN where there is no such probe.
    """

    cells: Floats
    whole: Floats
    train_means: Floats

    def has(self, role: str, target: str) -> bool:
        """Say whether there is a probe, and frames to score it on.

        Parameters
        ----------
        role, target : str
            Which.

        Returns
        -------
        bool
            Without, the language is in no mean.
        """
        at = ROLES.index(role), COLUMNS.index(target)
        return bool(self.whole[at][_N] > 0 and np.isfinite(self.train_means[at]))


class RoleScorer:
    """Scores the tested clips of one model.

    Parameters
    ----------
    results : Results
        The run.
    clips : mapping of str to str
        The tested clips of the model and their languages, from :meth:`Results.clips`.
    keep : collection of str, optional
        Only these clips.
    """

    def __init__(self, results: Results, clips: Mapping[str, str], keep: Collection[str] | None = None) -> None:
        self._settings = results.settings
        self._rows: dict[str, list[int]] = {}
        self._clusters: dict[str, list[str]] = {}
        seen: dict[str, int] = {}
        for clip, code in clips.items():
            row = seen[code] = seen.get(code, -1) + 1
            if keep is None or clip in keep:
                self._rows.setdefault(code, []).append(row)
                self._clusters.setdefault(code, []).append(results.clusters[clip])
        self._tables: dict[tuple[str, ...], ScoreTable] = {}

    def sums(
        self, layer: LayerResults, targets: Collection[str] = tuple(TARGETS), *, disputed: bool = False
    ) -> dict[str, RoleSums]:
        """Read what the scores of a layer are made of, language by language.

        Parameters
        ----------
        layer : LayerResults
            Which.
        targets : collection of str
            Those that will be scored; the cells of the others stay 0.
        disputed : bool
            On the frames that trackers do not agree on, instead of the others.

        Returns
        -------
        dict of str to RoleSums
            By language.
        """
        sets = [i for i, (_, target) in enumerate(_SETS) if target in targets]
        roles = [ROLES.index(_SETS[i][0]) for i in sets]
        columns = [COLUMNS.index(_SETS[i][1]) for i in sets]
        found: dict[str, RoleSums] = {}
        for code, kept in self._rows.items():
            rows = layer.disputed(code) if disputed else layer.rows(code)
            if len(kept) < rows.shape[0]:
                rows = rows[kept]
            every = add_by_cluster(self._clusters[code], rows)
            cells = np.zeros((every.shape[0], len(_SETS), every.shape[-1]))
            cells[:, sets] = every[:, roles, columns]
            found[code] = RoleSums(cells, every.sum(axis=0), _train_means(layer.probes, code))
        return found

    def _table(self, codes: tuple[str, ...]) -> ScoreTable:
        if codes not in self._tables:
            self._tables[codes] = ScoreTable(
                [cluster for code in codes for cluster in self._clusters[code]],
                [code for code in codes for _ in self._clusters[code]],
                seed=self._settings["seed"],
                n_resamples=self._settings["n_resamples"],
            )
        return self._tables[codes]

    def score(
        self,
        sums: Mapping[str, RoleSums],
        codes: Sequence[str],
        metrics_of: Callable[[Target], Sequence[str]],
    ) -> dict[tuple[str, str, str], RoleScore]:
        """Score every role and target on some languages.

        Parameters
        ----------
        sums : mapping of str to RoleSums
            Of a layer.
        codes : sequence of str
            The languages; those without a probe or frames are left out.
        metrics_of : callable
            What is reported of a target.

        Returns
        -------
        dict of (str, str, str) to RoleScore
            By role, target and metric; without those that no language has.
        """
        alike: dict[tuple[str, ...], list[int]] = {}
        for i, (role, target) in enumerate(_SETS):
            there = tuple(sorted(code for code in codes if code in sums and sums[code].has(role, target)))
            if there:
                alike.setdefault(there, []).append(i)
        found: dict[tuple[str, str, str], RoleScore] = {}
        for there, sets in alike.items():
            wanted: dict[str, list[int]] = {}
            for place, i in enumerate(sets):
                for metric in metrics_of(TARGETS[_SETS[i][1]]):
                    wanted.setdefault(metric, []).append(place)
            parts, means = _gathered([sums[code] for code in there], sets)
            scores = score_batch(self._table(there), parts, means, wanted)
            controls = {name: _control([sums[code] for code in there], sets, name, wanted) for name in CONTROLS}
            for metric, places in wanted.items():
                for j, (place, score) in enumerate(zip(places, scores[metric], strict=True)):
                    values = {name: by_metric[metric][j] for name, by_metric in controls.items()}
                    found[*_SETS[sets[place]], metric] = RoleScore(score, values, len(there))
        return found

    def difference(
        self,
        one: Mapping[str, RoleSums],
        other: Mapping[str, RoleSums],
        wanted: Sequence[tuple[str, str, str]],
        codes: Sequence[str],
    ) -> dict[tuple[str, str, str], RoleScore]:
        """Compare two layers on the same clips.

        Parameters
        ----------
        one, other : mapping of str to RoleSums
            Of the layers.
        wanted : sequence of (str, str, str)
            Role, target and metric of each comparison.
        codes : sequence of str
            The languages.

        Returns
        -------
        dict of (str, str, str) to RoleScore
            One less the other, without controls; without those that the two do not have of the same languages.
        """
        found: dict[tuple[str, str, str], RoleScore] = {}
        for role, target, metric in wanted:
            there, theirs = (
                tuple(sorted(code for code in codes if code in sums and sums[code].has(role, target)))
                for sums in (one, other)
            )
            if not there or there != theirs:
                continue
            sets = [_SETS.index((role, target))]
            (a, a_means), (b, b_means) = (_gathered([sums[code] for code in there], sets) for sums in (one, other))
            score = difference_batch(self._table(there), a, b, (a_means, b_means), {metric: [0]})[metric][0]
            found[role, target, metric] = RoleScore(score, {}, len(there))
        return found


def _train_means(probes: LayerProbes, code: str) -> Floats:
    means = np.full((len(ROLES), len(COLUMNS)), np.nan)
    for r, role in enumerate(ROLES):
        for domain in DOMAINS:
            entry = probes.get(role, code, domain)
            if entry is not None:
                means[r, [COLUMNS.index(name) for name in entry.probe.columns]] = entry.probe.train_mean
    return means


def _gathered(sums: Sequence[RoleSums], sets: Sequence[int]) -> tuple[list[Floats], Floats]:
    """Give the cells of some sets and the training means of their probes, language by language."""
    every = len(sets) == len(_SETS)
    at = tuple(np.array([(ROLES.index(_SETS[i][0]), COLUMNS.index(_SETS[i][1])) for i in sets]).T)
    means = np.stack([each.train_means[at] for each in sums])
    return [each.cells if every else each.cells[:, sets] for each in sums], means


def _control(
    sums: Sequence[RoleSums], sets: Sequence[int], control: str, wanted: Mapping[str, Sequence[int]]
) -> dict[str, list[float | None]]:
    """Give the values of a control, for each metric and set."""
    roles = [ROLES.index(_SETS[i][0]) for i in sets]
    columns = [COLUMNS.index(f"{_SETS[i][1]}~{control}") for i in sets]
    whole = np.stack([each.whole[roles, columns] for each in sums])
    means = np.stack([each.train_means[roles, columns] for each in sums])
    n = whole[..., _N]
    there = (n > 0) & np.isfinite(means)
    own = np.where(there, whole[..., _Y] / np.where(n > 0, n, 1), np.nan)
    found: dict[str, list[float | None]] = {}
    for metric, places in wanted.items():
        values = METRICS[metric].of(whole[:, places], means[:, places], own[:, places])
        values = np.where(there[:, places], values, np.nan).mean(axis=0)
        found[metric] = [float(value) if np.isfinite(value) else None for value in values]
    return found
