"""What the trackers accept: frames, ranges of F0, and the packages that some of them need."""

from __future__ import annotations

import importlib.util

from otoscope.audio import Waveform
from otoscope.errors import DataError, SpecError
from otoscope.frames import FrameGrid

__all__ = ["check_rate", "check_search", "frames_of", "require"]


def frames_of(name: str, frame_length_ms: float, hop_ms: float, sample_rate: int) -> FrameGrid:
    """Give the frames that two lengths in milliseconds mean.

    Parameters
    ----------
    name : str
        Of the tracker, for messages.
    frame_length_ms, hop_ms : float, milliseconds
        Whole samples at `sample_rate`, from 1 to 1000 ms.
    sample_rate : int, hertz
        Of the waveforms.

    Returns
    -------
    FrameGrid
        Frame i lasts from ``i * hop`` to ``i * hop + frame_length``.

    Raises
    ------
    SpecError
        If a length is not accepted.

    Examples
    --------
    >>> frames_of("yaapt", 25.0, 20.0, 16_000).count(16_000)
    49
    """
    whole: dict[str, int] = {}
    for key, value in (("frame_length_ms", frame_length_ms), ("hop_ms", hop_ms)):
        samples = value * sample_rate / 1000
        if not 1 <= value <= 1000 or abs(samples - round(samples)) > 1e-6:
            raise SpecError(
                f"{name}: {key} is {value:g}; 1 to 1000 ms are accepted, in whole samples at {sample_rate} Hz "
                f"(multiples of {1000 / sample_rate:g} ms)"
            )
        whole[key] = round(samples)
    return FrameGrid(sample_rate, hop=whole["hop_ms"], receptive_field=whole["frame_length_ms"])


def check_search(name: str, f0_min_hz: float, f0_max_hz: float, *, least: float, most: float) -> None:
    """Refuse a range of F0 that a tracker cannot search.

    Parameters
    ----------
    name : str
        Of the tracker, for messages.
    f0_min_hz, f0_max_hz : float, hertz
        The range asked for.
    least, most : float, hertz
        What the tracker can do, both included.

    Raises
    ------
    SpecError
        If the range is empty or reaches beyond.
    """
    if not least <= f0_min_hz < f0_max_hz <= most:
        raise SpecError(
            f"{name}: f0_min_hz is {f0_min_hz:g} and f0_max_hz {f0_max_hz:g}; "
            f"{least:g} <= f0_min_hz < f0_max_hz <= {most:g} is accepted"
        )


def check_rate(name: str, waveform: Waveform, sample_rate: int) -> None:
    """Refuse a waveform of another rate.

    Parameters
    ----------
    name : str
        Of the tracker, for messages.
    waveform : Waveform
        The clip.
    sample_rate : int, hertz
        What the tracker takes.

    Raises
    ------
    DataError
        If the rates differ.
    """
    if waveform.sample_rate != sample_rate:
        raise DataError(
            waveform.clip_id,
            f"sample_rate is {waveform.sample_rate} Hz, {name} needs {sample_rate} Hz; call audio.resample",
        )


def require(name: str, module: str, extra: str) -> None:
    """Refuse a tracker whose package is not installed.

    Parameters
    ----------
    name : str
        Of the tracker.
    module : str
        What it imports.
    extra : str
        Of otoscope, that installs it.

    Raises
    ------
    SpecError
        If there is no such module; the message has the command that installs it.
    """
    if importlib.util.find_spec(module) is None:
        raise SpecError(f"{name}: the package {module} is not installed; pip install 'otoscope[{extra}]'")
