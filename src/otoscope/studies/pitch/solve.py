"""From folded cells to probes: every train set, layer and target of a model.

Train sets: ``lang:CODE`` (one language: the role ``own``, and the rows of the matrix), ``lolo:CODE``, ``region:CODE``
and ``tone:CODE`` (all others, others of the same region, of the same tone type: never CODE itself), ``pool`` (all).
In a set of several languages every language weighs the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import SpecError
from otoscope.probes.moments import Moments, fold
from otoscope.probes.pools import equal_weight, leave_one_out
from otoscope.probes.scoring import choose_lambdas, path_errors
from otoscope.probes.solving import DEFAULT_LAMBDA, FittedProbe, decompose
from otoscope.store import digest_arrays, read_about, read_arrays, write_arrays
from otoscope.studies.pitch.cells import Cells, fold_cells
from otoscope.studies.pitch.plan import LAMBDA_BLOCKS, MIN_GROUPS, Plan
from otoscope.studies.pitch.settings import ProbeKind
from otoscope.studies.pitch.targets import DOMAINS, MASKS, Domain, domain_columns

__all__ = [
    "ROLES",
    "LayerProbes",
    "ProbeSet",
    "digest_probes",
    "fit_pool",
    "fold_domain",
    "needed_for",
    "read_probes",
    "solve_layer",
    "train_set",
    "write_probes",
]

Floats = NDArray[np.float64]
ROLES: tuple[str, ...] = ("own", "lolo", "region", "tone", "pool")


def train_set(role: str, code: str) -> str:
    """Name the train set that a role means for a tested language.

    Parameters
    ----------
    role : str
        One of :data:`ROLES`, or ``lang:CODE``.
    code : str
        The tested language.

    Returns
    -------
    str
        Key of :attr:`LayerProbes.sets`.
    """
    if role in ("lolo", "region", "tone"):
        return f"{role}:{code}"
    return f"lang:{code}" if role == "own" else role


@dataclass(frozen=True, slots=True, eq=False)
class ProbeSet:
    """The probe of one train set and domain, and how it came about.

    Parameters
    ----------
    probe : FittedProbe
        All columns of the domain.
    n_frames : int
        Training frames.
    n_groups : int
        Clusters among the train and dev clips of its languages.
    flag : str or None
        Why lambda was not chosen, where it was not.
    """

    probe: FittedProbe
    n_frames: int
    n_groups: int
    flag: str | None


@dataclass(frozen=True, slots=True, eq=False)
class LayerProbes:
    """All probes of one layer.

    Parameters
    ----------
    shift : ndarray of float64, shape (dim,)
        Of the layer.
    sets : dict of (str, str) to ProbeSet
        By train set and domain.
    """

    shift: Floats
    sets: dict[tuple[str, Domain], ProbeSet]

    def get(self, role: str, code: str, domain: Domain) -> ProbeSet | None:
        """Give the probe that a role means for a tested language.

        Parameters
        ----------
        role : str
            One of :data:`ROLES`, or ``lang:CODE``.
        code : str
            The tested language.
        domain : {"voiced", "all"}
            Of the target.

        Returns
        -------
        ProbeSet or None
            None where there is no such train set.
        """
        return self.sets.get((train_set(role, code), domain))


def _pools(
    plan: Plan, trained: Sequence[str], cells: Mapping[str, Moments | None]
) -> Iterator[tuple[str, tuple[str, ...], Moments | None]]:
    """Give every train set's name, languages and sum, always in the same order."""
    for code in trained:
        yield f"lang:{code}", (code,), cells[code]
    weighed = {code: equal_weight(m) for code in trained if (m := cells[code]) is not None and m.n > 0}

    def others(
        name: str, members: Sequence[str], tested: Sequence[str]
    ) -> Iterator[tuple[str, tuple[str, ...], Moments | None]]:
        there = [code for code in members if code in weighed]
        rest = dict(zip(there, leave_one_out([weighed[code] for code in there]), strict=True))
        total = fold(weighed[code] for code in there) if there else None
        for code in tested:
            yield f"{name}:{code}", tuple(c for c in members if c != code), rest.get(code, total)

    yield from others("lolo", trained, plan.languages)
    for name, kind_of in (("region", plan.regions), ("tone", plan.tone_types)):
        for kind in sorted({kind_of[code] for code in plan.languages} - {None}, key=str):
            tested = [code for code in plan.languages if kind_of[code] == kind]
            yield from others(name, [code for code in trained if code in tested], tested)
    yield "pool", tuple(trained), fold(weighed[code] for code in trained if code in weighed) if weighed else None


def fold_domain(cells: Cells, domain: Domain, *, keep: Sequence[int] | None = None) -> Moments | None:
    """Add up the cells of one layer that belong to a domain.

    Parameters
    ----------
    cells : Cells
        Of one model, layer, language and split.
    domain : {"voiced", "all"}
        Whose masks are added and whose columns are kept.
    keep : sequence of int, optional
        Only these blocks.

    Returns
    -------
    Moments or None
        None where there are no frames.
    """
    return fold_cells(
        moments.select(domain_columns(domain, controls=key.controls))
        for key, moments in sorted(cells.moments.items(), key=lambda item: item[0])
        if key.mask in MASKS[domain] and (keep is None or key.block in keep)
    )


def _same_columns(cells: Mapping[str, Moments | None]) -> dict[str, Moments | None]:
    """Keep the columns that every language has: a control that one lacks is lost to the pools."""
    there = [m for m in cells.values() if m is not None]
    if not there:
        return dict(cells)
    columns = [c for c in there[0].columns if all(c in m.columns for m in there)]
    return {code: m.select(columns) if m is not None else None for code, m in cells.items()}


def solve_layer(
    plan: Plan,
    shift: Floats,
    train: Mapping[str, Cells],
    dev: Mapping[str, Cells],
    *,
    probe: ProbeKind,
) -> LayerProbes:
    """Solve every train set of one layer.

    Parameters
    ----------
    plan : Plan
        For regions, tone types, blocks and counts of groups.
    shift : ndarray of float64, shape (dim,)
        Of the layer.
    train, dev : mapping of str to Cells
        Of that layer, for each language.
    probe : {"ridge", "ols"}
        How the linear map is fitted.

    Returns
    -------
    LayerProbes
        Of every train set that has frames.
    """
    sets: dict[tuple[str, Domain], ProbeSet] = {}
    learnt = plan.learnt_clusters()
    for domain in DOMAINS:
        full = _same_columns({code: fold_domain(cells, domain) for code, cells in train.items()})
        counts = {code: round(m.n) if m is not None else 0 for code, m in full.items()}
        trained = [code for code in sorted(full) if counts[code] > 0]
        columns = next((m.columns for m in full.values() if m is not None), ())
        held = _held_out(plan, domain, columns, full, train, dev) if probe == "ridge" else []
        walks = [(_pools(plan, trained, fit), _pools(plan, trained, test)) for fit, test in held]
        for name, members, pool in _pools(plan, trained, full):
            steps = [(next(fit)[2], next(test)[2]) for fit, test in walks]
            if pool is None or pool.n <= 0:
                continue
            n_groups = len(set[str]().union(*(learnt[code] for code in members)))
            fitted, flag = fit_pool(pool, steps, n_groups, probe)
            n_frames = sum(counts[code] for code in members)
            sets[name, domain] = ProbeSet(fitted, n_frames, n_groups, flag)
    return LayerProbes(shift, sets)


def _held_out(
    plan: Plan,
    domain: Domain,
    columns: Sequence[str],
    full: dict[str, Moments | None],
    train: Mapping[str, Cells],
    dev: Mapping[str, Cells],
) -> list[tuple[dict[str, Moments | None], dict[str, Moments | None]]]:
    """Pair up what lambda is fitted on and what it is judged on: train and dev, or all blocks but one and that."""

    def gather(cells: Mapping[str, Cells], keep: Sequence[int] | None) -> dict[str, Moments | None]:
        folded = {code: fold_domain(cells.get(code, Cells()), domain, keep=keep) for code in full}
        return {
            code: m.select(columns) if m is not None and set(columns) <= set(m.columns) else None
            for code, m in folded.items()
        }

    if not plan.blocks:
        return [(full, gather(dev, None))]
    every = range(LAMBDA_BLOCKS)
    return [(gather(train, [b for b in every if b != out]), gather(train, [out])) for out in every]


def fit_pool(
    pool: Moments, steps: Sequence[tuple[Moments | None, Moments | None]], n_groups: int, probe: ProbeKind
) -> tuple[FittedProbe, str | None]:
    """Fit one pool, with the penalty that does best on held-out frames.

    Parameters
    ----------
    pool : Moments
        Of all training frames.
    steps : sequence of pair of Moments or None
        What the penalty is fitted on and what it is judged on: one pair with a dev split, one per block without.
    n_groups : int
        Clusters in the training and dev clips.
    probe : {"ridge", "ols"}
        How the linear map is fitted.

    Returns
    -------
    probe : FittedProbe
        All columns of the pool.
    flag : str or None
        Why the penalty was not chosen, where it was not.
    """
    whole = decompose(pool)
    if probe == "ols":
        return whole.ols(), None
    unchosen = f"The ridge penalty lambda is {DEFAULT_LAMBDA:g} and was not chosen:"
    if n_groups < MIN_GROUPS:
        why = f"train and dev have {n_groups} groups; {MIN_GROUPS} are needed."
        return whole.ridge(DEFAULT_LAMBDA), f"{unchosen} {why}"
    errors = [
        path_errors(whole if len(steps) == 1 else decompose(fit), judge) * judge.n
        for fit, judge in steps
        if fit is not None and judge is not None and fit.n > 0 and judge.n > 0
    ]
    if len(errors) < min(2, len(steps)):
        return whole.ridge(DEFAULT_LAMBDA), f"{unchosen} the training languages have no held-out frames."
    return whole.ridge(choose_lambdas(np.sum(errors, axis=0))), None


def write_probes(path: Path, probes: LayerProbes, about: Mapping[str, object]) -> None:
    """Write the probes of a layer.

    Parameters
    ----------
    path : Path
        Where.
    probes : LayerProbes
        What.
    about : mapping
        What they were made of.
    """
    arrays: dict[str, Floats] = {"shift": probes.shift}
    sets: list[dict[str, object]] = []
    for i, ((name, domain), entry) in enumerate(probes.sets.items()):
        p = entry.probe
        arrays[f"{i}.weights"] = p.weights
        arrays[f"{i}.row"] = np.stack([p.intercept, p.train_mean, p.lambdas])
        sets.append(
            {
                "name": name,
                "domain": domain,
                "columns": list(p.columns),
                "rank": p.rank,
                "n": p.n,
                "n_frames": entry.n_frames,
                "n_groups": entry.n_groups,
                "flag": entry.flag,
            }
        )
    write_arrays(path, arrays, about={"made_of": dict(about), "sets": sets})


def needed_for(code: str) -> Callable[[str, Domain], bool]:
    """Say which probes score a language: those of its five roles, and every language's for the matrix.

    Parameters
    ----------
    code : str
        The tested language.

    Returns
    -------
    callable
        From a train set and a domain.
    """
    roles = {train_set(role, code) for role in ROLES}
    return lambda name, domain: name in roles or (name.startswith("lang:") and domain == "voiced")


def digest_probes(probes: LayerProbes) -> str:
    """Give a digest of the probes of a layer.

    Parameters
    ----------
    probes : LayerProbes
        All of them.

    Returns
    -------
    str
        64 hexadecimal characters.
    """
    return digest_arrays(
        {
            f"{name}|{domain}": np.vstack([entry.probe.weights, entry.probe.intercept])
            for (name, domain), entry in probes.sets.items()
        }
    )


def read_probes(
    path: Path, about: Mapping[str, object] | None = None, *, only: Callable[[str, Domain], bool] | None = None
) -> LayerProbes | None:
    """Read what :func:`write_probes` wrote.

    Parameters
    ----------
    path : Path
        Where.
    about : mapping, optional
        What they must have been made of.
    only : callable, optional
        Says from its train set and domain whether a probe is wanted; the others are not read.

    Returns
    -------
    LayerProbes or None
        None if there is no such file, it is damaged, or it was made of something else.
    """
    said = read_about(path)
    if said is None or (about is not None and said.get("made_of") != dict(about)):
        return None
    wanted = {i: e for i, e in enumerate(said["sets"]) if only is None or only(e["name"], e["domain"])}
    try:
        arrays, _ = read_arrays(path, only=lambda name: name == "shift" or int(name.partition(".")[0]) in wanted)
    except SpecError:
        return None
    sets: dict[tuple[str, Domain], ProbeSet] = {}
    for i, entry in wanted.items():
        intercept, train_mean, lambdas = arrays[f"{i}.row"]
        probe = FittedProbe(
            tuple(entry["columns"]),
            arrays["shift"],
            arrays[f"{i}.weights"],
            intercept,
            train_mean,
            lambdas,
            entry["rank"],
            entry["n"],
        )
        sets[entry["name"], entry["domain"]] = ProbeSet(probe, entry["n_frames"], entry["n_groups"], entry["flag"])
    return LayerProbes(arrays["shift"], sets)
