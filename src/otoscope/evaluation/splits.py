"""Splits that never divide a group.

Two items belong together where they share the value of any key (the same speaker, the same sentence), directly or
through others. Such a connected set goes to one side as a whole.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from otoscope.errors import SpecError

__all__ = ["connected_groups", "hash_block", "seeded_generator", "split_by_group"]

Side = Literal["train", "dev", "test"]
_SIDES: tuple[Side, ...] = ("train", "test", "dev")


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

    Connected sets are taken in a seeded order, and each goes to the side that its strata lack most. At the end sets
    are moved to the sides that a stratum of three sets or more lacks altogether.

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
    of_set = {name: Counter(strata[i] for i in items) for name, items in members.items()}
    sides = _fill(of_set, Counter(strata), shares, seed)
    _top_up(sides, of_set)
    return [sides[name] for name in sets]


def _fill(
    of_set: Mapping[str, Counter[str]], totals: Counter[str], shares: Mapping[Side, float], seed: int
) -> dict[str, Side]:
    """Give each set, in a seeded order, to the side that its strata lack most.

    The order is by hash, so that a stratum that shares no set with others is divided as if it were alone.
    """
    filled: Counter[tuple[str, Side]] = Counter()
    sides: dict[str, Side] = {}
    for name in sorted(of_set, key=lambda each: hashlib.sha256(f"{seed}\0{each}".encode()).digest()):
        counts = of_set[name]
        lack = {side: sum(shares[side] - filled[s, side] / totals[s] for s in counts) for side in _SIDES}
        side = max(_SIDES, key=lambda each: lack[each])
        sides[name] = side
        for stratum, n in counts.items():
            filled[stratum, side] += n
    return sides


def _top_up(sides: dict[str, Side], of_set: Mapping[str, Counter[str]]) -> None:
    """Move sets, the smallest first, to the sides that a stratum of three sets or more still lacks."""
    there: dict[str, dict[Side, int]] = defaultdict(lambda: dict.fromkeys(_SIDES, 0))
    for name, counts in of_set.items():
        for stratum in counts:
            there[stratum][sides[name]] += 1
    for stratum in sorted(there):
        for side in _SIDES:
            if there[stratum][side] or sum(there[stratum].values()) < len(_SIDES):
                continue
            spare = [
                name
                for name, counts in of_set.items()
                if stratum in counts and all(there[s][sides[name]] > 1 for s in counts)
            ]
            if not spare:
                continue
            fullest = max(spare, key=lambda name: there[stratum][sides[name]])
            among = [name for name in spare if sides[name] == sides[fullest]]
            moved = min(among, key=lambda name: (sum(of_set[name].values()), name))
            for s in of_set[moved]:
                there[s][sides[moved]] -= 1
                there[s][side] += 1
            sides[moved] = side
