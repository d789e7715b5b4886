"""The F0 of a sound in one call: of a file, of a waveform, or of an array."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otoscope.audio import Waveform, read_audio, resample
from otoscope.errors import DataError, SpecError
from otoscope.f0.base import F0Track, Tracker, empty_track
from otoscope.f0.registry import TRACKERS, open_tracker
from otoscope.specs import split_spec

__all__ = ["FRAME_LENGTH_MS", "HOP_MS", "at_rate", "open_on_frames", "track", "waveform_of"]

FRAME_LENGTH_MS = 25.0
HOP_MS = 20.0
_NAME = "array"


def track(
    sound: Path | str | Waveform | NDArray[Any],
    tracker: str | Tracker = "yaapt",
    *,
    sample_rate: int | None = None,
    frame_length_ms: float | None = None,
    hop_ms: float | None = None,
    f0_min_hz: float | None = None,
    f0_max_hz: float | None = None,
    clip_id: str | None = None,
) -> F0Track:
    """Find the F0 of a sound.

    The sound is brought to the tracker's sample rate as a whole; it is never padded or cut.

    Parameters
    ----------
    sound : path, Waveform or array
        A sound file; a waveform; or samples of shape (n_samples,) or (n_samples, n_channels): floating-point numbers
        with a full scale of 1, or integers with that of their type. Channels are averaged.
    tracker : str or Tracker
        A name, a name with settings such as ``kaldi:pov_threshold=0.2``, or a tracker.
    sample_rate : int, hertz
        Of an array; not for the others, which have their own.
    frame_length_ms, hop_ms : float, milliseconds
        Row i is centred at ``frame_length_ms / 2 + i * hop_ms``, before the tracker's correction. By default what
        the specification of the tracker says, or else 25 and 20: the frames of HuBERT and its relatives.
    f0_min_hz, f0_max_hz : float, hertz
        The range searched; by default what the specification says, or else the tracker's default.
    clip_id : str, optional
        Name of the clip; by default the path, or the waveform's own.

    Returns
    -------
    F0Track
        Without frames where the sound has no samples.

    Raises
    ------
    DataError
        If the sound cannot be read, or the tracker cannot use it.
    SpecError
        If the tracker is not known, a setting is not accepted, or the sample rate of an array is missing.

    Examples
    --------
    >>> from otoscope.testing.signals import tone
    >>> found = track(tone(200.0), "kaldi")
    >>> found.times.size, round(float(np.median(found.f0_hz)))
    (49, 200)
    """
    given = (frame_length_ms, hop_ms, f0_min_hz, f0_max_hz)
    if isinstance(tracker, str):
        opened = open_on_frames(
            tracker, frame_length_ms=frame_length_ms, hop_ms=hop_ms, f0_min_hz=f0_min_hz, f0_max_hz=f0_max_hz
        )
    elif any(value is not None for value in given):
        raise SpecError(f"{tracker.info.name}: a tracker that is made already has its settings; make it with others")
    else:
        opened = tracker
    if isinstance(sound, str | Path):
        if sample_rate is not None:
            raise SpecError(f"{sound}: a file has its own sample rate; leave sample_rate out")
        return opened.track(at_rate(read_audio(sound, clip_id=clip_id, sample_rate=None), opened.sample_rate))
    if isinstance(sound, Waveform):
        if sample_rate not in (None, sound.sample_rate):
            raise SpecError(f"{sound.clip_id}: sample_rate is {sample_rate}; the waveform has {sound.sample_rate}")
        waveform = sound if clip_id is None else Waveform(sound.samples, sound.sample_rate, clip_id)
    else:
        name = clip_id or _NAME
        if sample_rate is None:
            raise SpecError(f"{name}: the sample rate of an array is needed; give sample_rate in hertz")
        if np.size(sound) == 0:
            return empty_track(opened.info, name)
        waveform = waveform_of(sound, sample_rate, clip_id=name)
    return opened.track(at_rate(waveform, opened.sample_rate))


def open_on_frames(
    spec: str,
    *,
    frame_length_ms: float | None = None,
    hop_ms: float | None = None,
    f0_min_hz: float | None = None,
    f0_max_hz: float | None = None,
) -> Tracker:
    """Make a tracker whose frames are those of the usual speech models unless something else is said.

    Parameters
    ----------
    spec : str
        As :func:`otoscope.f0.registry.open_tracker` takes it.
    frame_length_ms, hop_ms : float, milliseconds
        By default what the specification says, or else 25 and 20.
    f0_min_hz, f0_max_hz : float, hertz
        By default what the specification says, or else the tracker's default.

    Returns
    -------
    Tracker
        With those settings.

    Raises
    ------
    SpecError
        If the tracker is not known or a setting is not accepted.

    Examples
    --------
    >>> open_on_frames("kaldi").info.parameters["hop_ms"], open_on_frames("kaldi:hop_ms=5").info.parameters["hop_ms"]
    (20.0, 5.0)
    """
    name, text = split_spec(spec)
    said = {part.partition("=")[0].strip() for part in text.split(",")}
    known = inspect.signature(TRACKERS[name]).parameters if name in TRACKERS else {}
    if frame_length_ms is None and "frame_length_ms" in known and "frame_length_ms" not in said:
        frame_length_ms = FRAME_LENGTH_MS
    if hop_ms is None and "hop_ms" in known and "hop_ms" not in said:
        hop_ms = HOP_MS
    settings = {"frame_length_ms": frame_length_ms, "hop_ms": hop_ms, "f0_min_hz": f0_min_hz, "f0_max_hz": f0_max_hz}
    return open_tracker(spec, **settings)


def at_rate(waveform: Waveform, sample_rate: int) -> Waveform:
    """Bring a waveform to the rate of a tracker; what is silent stays so, though filters ring at the ends.

    Parameters
    ----------
    waveform : Waveform
        The clip.
    sample_rate : int, hertz
        The rate wanted.

    Returns
    -------
    Waveform
        Silent where the clip is silent.
    """
    if waveform.sample_rate != sample_rate and waveform.is_silent():
        n_samples = max(1, round(waveform.samples.size * sample_rate / waveform.sample_rate))
        return Waveform(np.zeros(n_samples, dtype=np.float32), sample_rate, waveform.clip_id)
    return resample(waveform, sample_rate)


def waveform_of(samples: NDArray[Any], sample_rate: int, *, clip_id: str = _NAME) -> Waveform:
    """Make a waveform of an array of any usual kind.

    Parameters
    ----------
    samples : ndarray, shape (n_samples,) or (n_samples, n_channels)
        Floating-point numbers with a full scale of 1, signed integers with that of their type, or unsigned 8-bit
        numbers around 128. Channels are averaged.
    sample_rate : int, hertz
        Samples per second.
    clip_id : str
        Name of the clip.

    Returns
    -------
    Waveform
        One channel of float32.

    Raises
    ------
    DataError
        If the array has another shape or kind, or a sample is not finite.

    Examples
    --------
    >>> waveform_of(np.array([[-32768, 0], [16384, 16384]], dtype=np.int16), 16_000).samples.tolist()
    [-0.5, 0.5]
    """
    array = np.asarray(samples)
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] > max(array.shape[0], 1)):
        hint = "; transpose it" if array.ndim == 2 else ""
        raise DataError(
            clip_id, f"samples have the shape {array.shape}; (n_samples,) or (n_samples, n_channels) is needed{hint}"
        )
    if array.dtype == np.uint8:
        scaled = (array.astype(np.float64) - 128.0) / 128.0
    elif array.dtype.kind == "i":
        scaled = array.astype(np.float64) / -float(np.iinfo(array.dtype).min)
    elif array.dtype.kind == "f":
        scaled = array.astype(np.float64)
    else:
        raise DataError(clip_id, f"samples are {array.dtype}; floating-point numbers or signed integers are needed")
    if scaled.ndim == 2:
        scaled = scaled.mean(axis=1)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as that
        return Waveform(scaled.astype(np.float32), sample_rate, clip_id)
