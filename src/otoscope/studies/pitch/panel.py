"""The trackers that are asked beside the one that makes the labels: who they are, and how many must agree."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace

from otoscope.audio import Waveform, resample
from otoscope.errors import DataError, SpecError
from otoscope.f0.agreement import parse_agree
from otoscope.f0.base import F0Track, Tracker, TrackerInfo
from otoscope.f0.labels import LabelCache
from otoscope.f0.registry import TRACKERS, open_tracker
from otoscope.specs import split_spec
from otoscope.studies.pitch.settings import PitchSettings

__all__ = ["Panel", "open_panel"]

_RESAMPLED = ("praat", "pyin", "swift")  # the hop says where their values are wanted, and not what they are
_HOP_MS = 10.0


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
        The same, opened. The others search its range of F0, unless they name one: else they could not agree with
        labels beyond theirs. Those whose own frames do not depend on it give a frame every 10 ms, unless they say
        otherwise: labels between frames further apart would be held to voicing of another moment.

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
    trackers = tuple(_open(spec, labels) for spec in asked.others)
    seen = {labels.info.digest: settings.tracker}
    for spec, tracker in zip(asked.others, trackers, strict=True):
        same = seen.setdefault(tracker.info.digest, spec)
        if same != spec:
            raise SpecError(
                f"--agree {settings.agree!r}: {spec} is the same tracker as {same} and would agree with it; "
                "name another"
            )
    return replace(settings, agree=asked.spec), Panel(asked.need, asked.others, trackers)


def _open(spec: str, labels: Tracker) -> Tracker:
    """Open a tracker on the range of F0 of the labels, and on fine frames, where its specification says nothing."""
    name, text = split_spec(spec)
    said = {part.partition("=")[0].strip() for part in text.split(",")}
    known = inspect.signature(TRACKERS[name]).parameters if name in TRACKERS else {}
    wanted = {key: labels.info.parameters.get(key) for key in ("f0_min_hz", "f0_max_hz") if key in known}
    if name in _RESAMPLED:
        wanted["hop_ms"] = _HOP_MS
    return open_tracker(spec, **{key: value for key, value in wanted.items() if key not in said})
