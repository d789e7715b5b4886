"""Ready settings of schedules, and settings cut to the clips there are."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from otoscope.game.schedule_settings import InfeasibleError, LagBin, ScheduleSettings

__all__ = ["PRESETS", "fit_to_clips"]

_SHORT = (LagBin(10, 19), LagBin(20, 34), LagBin(35, 54))

PRESETS = MappingProxyType(
    {
        "short": ScheduleSettings(minutes=10, n_warmup=3, lag_bins=_SHORT),
        "standard": ScheduleSettings(minutes=30, n_phases=3, n_warmup=4, lag_bins=_SHORT),
        "reference-405": ScheduleSettings(
            n_slots=405,
            rest_s=180.0,
            n_phases=3,
            lag_bins=(LagBin(10, 49, 88), LagBin(61, 131, 41), LagBin(155, 276, 20)),
            n_targets=149,
            n_fillers=65,
            n_vigilance=21,
            vigilance_lag=(5, 10),
            allow_cross_rest=True,
            phase_pairs=((0, 0, 29), (1, 1, 29), (2, 2, 30), (0, 1, 21), (1, 2, 20), (0, 2, 20)),
            lag_mean=74,
            lag_median=41,
            lag_extremes=(10, 276),
        ),
    }
)
"""Settings by name.

``short``: ten minutes in one phase. ``standard``: half an hour in three phases. ``reference-405``: the counts known
of the experiment behind the YTMM labels (ISMIR 2023, arXiv 2405.12847), in an order of our own: three phases of 135
slots, 149 targets, 21 vigilance pairs, 65 fillers, their lags and phases.
"""


def fit_to_clips(settings: ScheduleSettings, n_clips: int) -> ScheduleSettings:
    """Shorten a session until a sitting needs no more clips than there are.

    Parameters
    ----------
    settings : ScheduleSettings
        What is asked for.
    n_clips : int
        Clips there are.

    Returns
    -------
    ScheduleSettings
        The same where the clips suffice; else with the greatest number of slots for which they do.

    Raises
    ------
    InfeasibleError
        If no length fits: the numbers of pairs or the phases are given outright.

    Examples
    --------
    >>> fit_to_clips(ScheduleSettings(n_slots=200), 60).n_slots
    104
    """
    asked = replace(settings, n_clips=None).counts()
    if asked.n_items <= n_clips:
        return replace(settings, n_clips=n_clips)
    if settings.phase_slots is None:
        for n_slots in range(asked.n_slots - 1, settings.n_phases - 1, -1):
            shorter = replace(settings, n_slots=n_slots, minutes=None, n_clips=n_clips)
            try:
                shorter.counts()
            except InfeasibleError:
                continue
            return shorter
    raise InfeasibleError(
        "n_clips",
        f"a sitting needs {asked.n_items} clips, there are {n_clips}, and no shorter one goes with these counts",
        f"{asked.n_items} clips or more, or settings that leave n_targets and n_fillers open",
    )
