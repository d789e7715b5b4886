"""The order of slots that every player of a version shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from otoscope.errors import SpecError
from otoscope.game.schedule_settings import ROLES, Role, ScheduleSettings
from otoscope.store import digest_of

__all__ = ["Item", "Slot", "Template"]

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Slot:
    """One clip's place in a session.

    Parameters
    ----------
    index : int
        From 0.
    item : int
        Which of the template's items is heard; a seat says which clip that is.
    role : {"target", "vigilance", "filler", "warmup"}
        What the item serves for.
    presentation : int
        1, or 2 where the item was heard before.
    lag : int or None, slots
        From the first to the second presentation; None at a first presentation.
    phase : int
        From 0.
    lag_bin : int or None
        Which lag bin the lag is in; None but at the second presentation of a target.
    """

    index: int
    item: int
    role: Role
    presentation: int
    lag: int | None
    phase: int
    lag_bin: int | None


@dataclass(frozen=True, slots=True)
class Item:
    """What one clip of a sitting serves for.

    Parameters
    ----------
    role : {"target", "vigilance", "filler", "warmup"}
        Its role.
    first : int
        Slot of the first presentation.
    second : int or None
        Slot of the second, if there is one.
    lag_bin : int or None
        Lag bin of a target.
    """

    role: Role
    first: int
    second: int | None
    lag_bin: int | None

    @property
    def kind(self) -> str:
        """Role and, for a target, its lag bin: what clips are balanced over."""
        return self.role if self.lag_bin is None else f"{self.role}:{self.lag_bin}"


@dataclass(frozen=True, slots=True)
class Template:
    """The slots of a session in order, and the settings they were drawn from.

    Parameters
    ----------
    settings : ScheduleSettings
        What was asked for.
    slots : tuple of Slot
        Items are numbered by their first presentations.

    Examples
    --------
    >>> from otoscope.game.schedule import LagBin, make_template
    >>> template = make_template(ScheduleSettings(n_slots=60, lag_bins=(LagBin(5, 9), LagBin(10, 20))))
    >>> Template.from_json(template.to_json()) == template
    True
    """

    settings: ScheduleSettings
    slots: tuple[Slot, ...]

    @property
    def n_slots(self) -> int:
        """Slots of a session."""
        return len(self.slots)

    @property
    def n_items(self) -> int:
        """Different clips that a sitting needs."""
        return len({slot.item for slot in self.slots})

    @property
    def n_phases(self) -> int:
        """Parts of the session with rests between them."""
        return self.slots[-1].phase + 1

    @property
    def duration_s(self) -> float:
        """Seconds that a session lasts, rests included."""
        settings = self.settings
        return self.n_slots * (settings.clip_s + settings.gap_s) + (self.n_phases - 1) * settings.rest_s

    @property
    def items(self) -> tuple[Item, ...]:
        """What each item serves for, in the order of the items."""
        places: dict[int, list[Slot]] = {}
        for slot in self.slots:
            places.setdefault(slot.item, []).append(slot)
        return tuple(
            Item(heard[0].role, heard[0].index, heard[1].index if len(heard) > 1 else None, heard[-1].lag_bin)
            for _, heard in sorted(places.items())
        )

    @property
    def digest(self) -> str:
        """16 hexadecimal characters that change with any slot or setting."""
        return digest_of(self.to_json())[:16]

    def to_json(self) -> dict[str, Any]:
        """Give the template as JSON values.

        Returns
        -------
        dict
            Slots as rows under the names in ``columns``.
        """
        return {
            "format": FORMAT,
            "settings": self.settings.to_json(),
            "columns": list(Slot.__slots__),
            "slots": [[getattr(slot, name) for name in Slot.__slots__] for slot in self.slots],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Template:
        """Read what :meth:`to_json` gave.

        Parameters
        ----------
        value : mapping
            The parsed JSON.

        Returns
        -------
        Template
            Equal to the one written.

        Raises
        ------
        SpecError
            If it is of another format or damaged.
        """
        if value.get("format") != FORMAT:
            raise SpecError(f"template: format is {value.get('format')!r}; this version reads {FORMAT}")
        try:
            columns = list(value["columns"])
            slots = tuple(Slot(**dict(zip(columns, row, strict=True))) for row in value["slots"])
            settings = ScheduleSettings.from_json(value["settings"])
        except (KeyError, TypeError, ValueError) as error:
            raise SpecError(f"template: cannot be read: {error!r}; make the schedules anew") from error
        if not slots or any(slot.role not in ROLES for slot in slots):
            raise SpecError(f"template: it has no slots, or a role other than {', '.join(ROLES)}")
        return cls(settings, slots)
