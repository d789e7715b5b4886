"""Sound files, or stretches of them, as sources of clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from otoscope.audio import Waveform, read_audio, why_undecodable
from otoscope.errors import DataError

__all__ = ["AudioFile", "format_seconds", "stretch"]


def format_seconds(seconds: float) -> str:
    """Write a time in as few digits as it needs, to the microsecond.

    Parameters
    ----------
    seconds : float, seconds
        The time.

    Returns
    -------
    str
        Without an exponent and without zeros at its end.

    Examples
    --------
    >>> format_seconds(2.50), format_seconds(10.0)
    ('2.5', '10')
    """
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class AudioFile:
    """A sound file, or a stretch of one.

    Parameters
    ----------
    path : Path
        The file, in any format that :func:`otoscope.audio.read_audio` takes.
    start_s, end_s : float or None, seconds
        The stretch; None is the beginning and the end of the file.
    root : Path or None
        The folder of the corpus. Where it is given, the source describes itself by its path below it, so that a
        corpus that was moved is still the same corpus.
    """

    path: Path
    start_s: float | None = None
    end_s: float | None = None
    root: Path | None = None

    def read(self, clip_id: str, *, sample_rate: int | None) -> Waveform:
        """Read the sound.

        Parameters
        ----------
        clip_id : str
            The name to use in messages.
        sample_rate : int or None, hertz
            The rate wanted; None keeps the file's own.

        Returns
        -------
        Waveform
            Mono and finite.

        Raises
        ------
        DataError
            If it cannot be read, with the reason.
        """
        return read_audio(self.path, clip_id=clip_id, sample_rate=sample_rate, start_s=self.start_s, end_s=self.end_s)

    def duration_s(self, clip_id: str) -> float:
        """Say how long the sound is, as its header says.

        Parameters
        ----------
        clip_id : str
            The name to use in messages.

        Returns
        -------
        float, seconds
            Of the stretch, where there is one.

        Raises
        ------
        DataError
            If the file is missing or is no sound.
        """
        start_s = self.start_s or 0.0
        if self.end_s is not None:
            return self.end_s - start_s
        import soundfile

        try:
            about = soundfile.info(self.path)
        except (soundfile.SoundFileError, OSError) as error:
            reason = (
                f"cannot be decoded: {self.path}: {why_undecodable(error)}" if self.path.is_file() else "no such file"
            )
            raise DataError(clip_id, reason) from error
        return about.frames / about.samplerate - start_s

    def describe(self) -> str:
        """Say where it is, for digests and for people.

        Returns
        -------
        str
            The path, and the stretch where there is one.
        """
        inside = self.root is not None and self.path.is_relative_to(self.root)
        shown = (self.path.relative_to(self.root) if inside and self.root else self.path).as_posix()
        if self.start_s is None and self.end_s is None:
            return shown
        return f"{shown} [{stretch(self.start_s, self.end_s)} s]"

    def stamp(self) -> str:
        """Give the file's size and time of change.

        Returns
        -------
        str
            Empty where there is no such file.
        """
        try:
            status = self.path.stat()
        except OSError:
            return ""
        return f"{status.st_size}:{status.st_mtime_ns}"


def stretch(start_s: float | None, end_s: float | None) -> str:
    """Write a stretch of a file as ``start-end``.

    Parameters
    ----------
    start_s, end_s : float or None, seconds
        None is the beginning and the end of the file.

    Returns
    -------
    str
        Such as ``1.5-4``, ``0-4`` or ``1.5-end``.
    """
    first = format_seconds(0.0 if start_s is None else start_s)
    return f"{first}-{'end' if end_s is None else format_seconds(end_s)}"
