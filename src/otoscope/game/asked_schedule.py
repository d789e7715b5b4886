"""What schedule the settings of a study ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from otoscope.errors import SpecError

if TYPE_CHECKING:
    from otoscope.game.schedule import ScheduleSettings
    from otoscope.game.settings import StudySettings

__all__ = ["schedule_settings"]

_DEFAULT_PRESET = "short"


def schedule_settings(settings: StudySettings, *, n_clips: int, clip_s: float) -> ScheduleSettings:
    """Say what schedule a study asks for.

    Parameters
    ----------
    settings : StudySettings
        Its ``schedule`` names a preset and what differs from it; its timing is the schedule's.
    n_clips : int
        Clips there are. A session whose length was not given is shortened until they suffice.
    clip_s : float, seconds
        How long they are.

    Returns
    -------
    ScheduleSettings
        To make a template from.

    Raises
    ------
    SpecError
        If the preset or a setting is unknown; `InfeasibleError` if no length fits.
    """
    from otoscope.game.schedule import PRESETS, ScheduleSettings, fit_to_clips
    from otoscope.specs import suggestion

    given = dict(settings.schedule)
    preset = given.pop("preset", None)
    if preset is not None and preset not in PRESETS:
        raise SpecError(f"schedule.preset is {preset!r}; {suggestion(str(preset), PRESETS)}")
    base: dict[str, Any] = {}
    if preset is not None or not ({"n_slots", "minutes"} & set(given)):
        base = PRESETS[preset or _DEFAULT_PRESET].to_json()
    for one, other in (("minutes", "n_slots"), ("n_slots", "minutes")):
        if given.get(one) is not None:
            base[other] = None
    timing = {"clip_s": clip_s, "gap_s": settings.timing.gap_s, "rest_s": settings.timing.rest_s}
    for name, value in timing.items():
        if given.get(name, value) != value:
            raise SpecError(f"schedule.{name} is {given[name]}, timing says {value:g}; set it in timing only")
    asked = ScheduleSettings.from_json({**base, **given, **timing})
    if preset is None and not ({"n_slots", "minutes"} & set(given)):
        return fit_to_clips(asked, n_clips)
    return replace(asked, n_clips=n_clips)
