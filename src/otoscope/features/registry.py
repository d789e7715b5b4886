"""The groups of features by name.

``default`` is every group that works here and that anybody may use; groups under a research licence are used only
when they are named. A package of its own may bring further groups (a model of valence and arousal, say) through the
entry point ``otoscope.features``: its name is the group's name, its object is called without arguments and gives the
group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from otoscope.errors import MissingExtraError, SpecError
from otoscope.features.base import Feature, FeatureGroup
from otoscope.specs import split_list, suggestion

__all__ = ["BUILT_IN", "DEFAULT", "ENTRY_POINT", "catalogue", "lacking", "open_groups", "select"]

ENTRY_POINT = "otoscope.features"
BUILT_IN = (
    "harmony", "tonality", "timbre", "brightness", "loudness", "balance", "rhythm", "melody", "voice", "change",
    "notes", "opensmile",
)  # fmt: skip
"""The groups of otoscope itself; each is the ``GROUP`` of the module of its name."""
DEFAULT = tuple(name for name in BUILT_IN if name != "opensmile")
"""The groups that ``default`` stands for, where they work here."""


@cache
def _makers() -> dict[str, Callable[[], FeatureGroup]]:
    def built_in(name: str) -> Callable[[], FeatureGroup]:
        return lambda: import_module(f"otoscope.features.{name}").GROUP

    makers = {name: built_in(name) for name in BUILT_IN}
    for point in entry_points(group=ENTRY_POINT):
        if point.name not in makers:  # what is built in cannot be replaced from outside
            makers[point.name] = lambda point=point: point.load()()
    return makers


def open_groups(
    names: str | Sequence[str] = "default",
) -> tuple[FeatureGroup, ...]:
    """Open groups of features by name.

    Parameters
    ----------
    names : str or sequence of str
        Names, divided by commas where they are one text; ``default`` stands for all that work here and are free to
        use, ``all`` for those and everything else that works here.

    Returns
    -------
    tuple of FeatureGroup
        Each once, in the order of the registry.

    Raises
    ------
    SpecError
        If a name is not known, or none is given.
    MissingExtraError
        If a group that was named cannot work here.

    Examples
    --------
    >>> [group.name for group in open_groups("rhythm,harmony")]
    ['harmony', 'rhythm']
    """
    asked = split_list(names) if isinstance(names, str) else list(names)
    if not asked:
        raise SpecError(f"the list of feature groups is empty; name some of {', '.join(_makers())}, or default")
    wanted: set[str] = set()
    for name in asked:
        if name == "all":
            wanted |= {each for each in _makers() if _missing(each) is None}
        elif name == "default":
            wanted |= {each for each in DEFAULT if _missing(each) is None}
        elif name in _makers():
            missing = _missing(name)
            if missing is not None:
                package, _, remedy = missing.partition("; install it with: ")
                raise MissingExtraError(f"{package} (for the features {name})", remedy or missing)
            wanted.add(name)
        else:
            raise SpecError(f"no group of features is called {name!r}; {suggestion(name, ['default', *_makers()])}")
    return tuple(_makers()[name]() for name in _makers() if name in wanted)


def _missing(name: str) -> str | None:
    return _makers()[name]().missing()


def lacking() -> dict[str, str]:
    """Say which of the default groups do not work here.

    Returns
    -------
    dict of str to str
        By the name of the group, why not and the way out.
    """
    reasons = {name: _missing(name) for name in DEFAULT}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def catalogue() -> list[tuple[FeatureGroup, Feature, str | None]]:
    """List every feature there is.

    Returns
    -------
    list of (FeatureGroup, Feature, str or None)
        The group, the feature, and why the group does not work here; None where it does.
    """
    rows: list[tuple[FeatureGroup, Feature, str | None]] = []
    for make in _makers().values():
        group = make()
        missing = group.missing()
        rows.extend((group, feature, missing) for feature in group.features)
    return rows


def select(
    rows: Sequence[tuple[FeatureGroup, Feature, str | None]], names: Sequence[str]
) -> list[tuple[FeatureGroup, Feature, str | None]]:
    """Keep the rows of a catalogue that belong to some groups, whether these work here or not.

    Parameters
    ----------
    rows : sequence of (FeatureGroup, Feature, str or None)
        As :func:`catalogue` gives them.
    names : sequence of str
        Names of groups; ``default`` and ``all`` stand for every row.

    Returns
    -------
    list of (FeatureGroup, Feature, str or None)
        In their order.

    Raises
    ------
    SpecError
        If a name is not known.
    """
    unknown = [name for name in names if name not in (*_makers(), "default", "all")]
    if unknown:
        raise SpecError(
            f"no group of features is called {unknown[0]!r}; {suggestion(unknown[0], ['default', *_makers()])}"
        )
    whole = {"default", "all"} & set(names)
    return [row for row in rows if whole or row[0].name in names]
