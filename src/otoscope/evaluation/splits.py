"""Splits that never divide a group.

Two items belong together where they share the value of any key (the same speaker, the same sentence), directly or
through others. Such a connected set goes to one side as a whole.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from otoscope.errors import SpecError

__all__ = ["connected_groups", "hash_block", "seeded_generator", "split_by_group"]

Side = Literal["train", "dev", "test"]


def seeded_generator(seed: int, *names: str) -> np.random.Generator:
    """Give a random generator that depends on a seed and on what it is for.

    Parameters
    ----------
    seed : int
        Of the run.
    *names : str
        What it is for: "shift", the id of a clip ... Other names, other numbers.

    Returns
    -------
    Generator
        Equal arguments give equal sequences, in every process.
    """
    text = "\0".join((str(seed), *names))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))


def hash_block(value: str, n_blocks: int) -> int:
    """Put a name into one of a number of blocks, by its hash.

    Parameters
    ----------
    value : str
        A group's name.
    n_blocks : int, > 0
        How many blocks there are.

    Returns
    -------
    int
        From 0 to ``n_blocks - 1``; it depends on nothing but the name.
    """
    return int.from_bytes(hashlib.sha256(value.encode()).digest()[:8], "big") % n_blocks


def connected_groups(groups: Sequence[Mapping[str, str]]) -> list[str]:
    """Name the connected set of each item.

    Parameters
    ----------
    groups : sequence of mapping of str to str
        The group keys of each item and their values.

    Returns
    -------
    list of str
        One name per item; equal exactly where two items share a value of a key, directly or through others. The
        name is the least "key=value" of the set, so it does not depend on the order of the items.

    Examples
    --------
    >>> connected_groups([{"speaker": "a"}, {"speaker": "b"}, {"speaker": "a"}])
    ['speaker=a', 'speaker=b', 'speaker=a']
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    names = [
        [f"{key}={value}" for key, value in sorted(item.items())] or [f"item={index}"]
        for index, item in enumerate(groups)
    ]
    for own in names:
        for name in own:
            parent.setdefault(name, name)
        least = min(root(name) for name in own)
        for name in own:
            parent[root(name)] = least
            least = root(name)
    smallest: dict[str, str] = {}
    for name in sorted(parent):
        smallest.setdefault(root(name), name)
    return [smallest[root(own[0])] for own in names]


def split_by_group(
    groups: Sequence[Mapping[str, str]],
    strata: Sequence[str],
    *,
    seed: int,
    fractions: Mapping[Side, float] | None = None,
) -> list[Side]:
    """Divide items into train, dev and test without dividing a group.

    Connected sets are shuffled by the seed within their stratum (the strata that they touch) and each goes to the
    side that is furthest below its share, so every stratum with enough sets has all three sides.

    Parameters
    ----------
    groups : sequence of mapping of str to str
        The group keys of each item and their values.
    strata : sequence of str
        The language of each item.
    seed : int
        Of the shuffle.
    fractions : mapping, optional
        Share of the items for each side; 70, 10 and 20 per cent without it.

    Returns
    -------
    list of {"train", "dev", "test"}
        One per item.

    Raises
    ------
    SpecError
        If there are fewer than three connected sets: nothing can be held out.
    """
    shares: Mapping[Side, float] = fractions or {"train": 0.7, "dev": 0.1, "test": 0.2}
    if set(shares) != {"train", "dev", "test"}:
        raise SpecError(f"split_by_group: fractions name {sorted(shares)}; train, dev and test are needed")
    sets = connected_groups(groups)
    members: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(sets):
        members[name].append(index)
    if len(members) < 3:
        raise SpecError(
            f"the {len(sets)} clips hang together in {len(members)} group(s) through the keys "
            f"{sorted({key for item in groups for key in item})}, so no clip can be held out; "
            "name fewer group keys, or give the split yourself"
        )
    by_stratum: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, items in members.items():
        by_stratum[tuple(sorted({strata[i] for i in items}))].append(name)
    sides: dict[str, Side] = {}
    for stratum, names in sorted(by_stratum.items()):
        order = seeded_generator(seed, "split", *stratum).permutation(len(names))
        by_name = sorted(names)
        ordered = [by_name[int(i)] for i in order]
        filled = dict.fromkeys(shares, 0)
        total = sum(len(members[name]) for name in ordered)
        for position, name in enumerate(ordered):
            empty: list[Side] = [s for s in ("train", "test", "dev") if not filled[s]]
            if len(empty) >= len(ordered) - position:
                side: Side = empty[0]  # the last sets fill the sides that have none yet
            else:
                side = max(shares, key=lambda s: shares[s] - filled[s] / total)
            sides[name] = side
            filled[side] += len(members[name])
    return [sides[name] for name in sets]
