"""The trackers that are asked beside the one that makes the labels: who they are, and how many must agree."""

from __future__ import annotations

from dataclasses import dataclass, replace

from otoscope.audio import Waveform, resample
from otoscope.errors import DataError, SpecError
from otoscope.f0.agreement import parse_agree
from otoscope.f0.base import F0Track, Tracker, TrackerInfo
from otoscope.f0.labels import LabelCache
from otoscope.f0.registry import open_tracker
from otoscope.studies.pitch.settings import PitchSettings

__all__ = ["Panel", "open_panel"]


@dataclass(frozen=True, slots=True)
class Panel:
    """Trackers whose word is asked, beside that of the labels.

    Parameters
    ----------
    need : int
        Trackers that must agree, the one of the labels included; 0 where nobody is asked.
    specs : tuple of str
        Specifications, as in the settings.
    trackers : tuple of Tracker
        What they open.
    """

    need: int = 0
    specs: tuple[str, ...] = ()
    trackers: tuple[Tracker, ...] = ()

    @property
    def infos(self) -> tuple[TrackerInfo, ...]:
        """What identifies their tracks."""
        return tuple(tracker.info for tracker in self.trackers)

    def tracks(self, waveform: Waveform, labels: LabelCache) -> tuple[F0Track, ...]:
        """Find what they hear in a clip.

        Parameters
        ----------
        waveform : Waveform
            The whole clip; each tracker is given it at its own rate.
        labels : LabelCache
            Keeps the tracks.

        Returns
        -------
        tuple of F0Track
            In the order of `trackers`.

        Raises
        ------
        DataError
            If one of them cannot use the clip: nobody can tell how good its labels are. The message names it.
        """
        found: list[F0Track] = []
        for spec, tracker in zip(self.specs, self.trackers, strict=True):
            try:
                found.append(labels.track(tracker, resample(waveform, tracker.sample_rate)))
            except DataError as error:
                problem = f"{spec}, whose agreement is asked for, cannot use it: {error.problem}"
                raise DataError(waveform.clip_id, problem) from error
        return tuple(found)


def open_panel(settings: PitchSettings, labels: Tracker) -> tuple[PitchSettings, Panel]:
    """Open the trackers whose agreement settings ask for.

    Parameters
    ----------
    settings : PitchSettings
        Their `tracker` is that of the labels.
    labels : Tracker
        The same, opened.

    Returns
    -------
    settings : PitchSettings
        With every other tracker named.
    panel : Panel
        Empty where no agreement is asked for.

    Raises
    ------
    SpecError
        If what is asked cannot be read, or a tracker is not known, not installed, or is in it twice.
    """
    if not settings.agree:
        return settings, Panel()
    asked = parse_agree(settings.agree, labels=settings.tracker)
    trackers = tuple(open_tracker(spec) for spec in asked.others)
    seen = {labels.info.digest: settings.tracker}
    for spec, tracker in zip(asked.others, trackers, strict=True):
        same = seen.setdefault(tracker.info.digest, spec)
        if same != spec:
            raise SpecError(
                f"--agree {settings.agree!r}: {spec} is the same tracker as {same} and would agree with it; "
                "name another"
            )
    return replace(settings, agree=asked.spec), Panel(asked.need, asked.others, trackers)
