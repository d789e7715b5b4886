"""Where a recording of FLEURS is: a file, a member of an archive, a cell of a Parquet file.

All describe themselves alike, as ``en_us/train/NAME.wav``, so that a result does not depend on the route by which the
sound came. All can be sent to another process.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from otoscope.audio import Waveform, read_audio, read_audio_bytes
from otoscope.corpora.archives import read_member, stamp_of
from otoscope.corpora.fleurs_hub import Hub, MissingOnHub
from otoscope.corpora.fleurs_parquet import read_cell
from otoscope.errors import DataError

__all__ = ["ArchiveMember", "ArchivePlace", "HubArchive", "LocalArchive", "NamedFile", "ParquetCell"]


class ArchivePlace(Protocol):
    """Where an archive is."""

    def path(self) -> Path:
        """Give the archive, fetched first where it is not on this machine.

        Returns
        -------
        Path
            It may be missing.
        """
        ...

    def stamp(self) -> str:
        """Give a text that changes when the archive may have changed, without fetching it.

        Returns
        -------
        str
            Empty where there is no such archive.
        """
        ...


@dataclass(frozen=True, slots=True)
class LocalArchive:
    """An archive on this machine.

    Parameters
    ----------
    file : Path
        The ``tar.gz``.
    """

    file: Path

    def path(self) -> Path:
        """Give the archive.

        Returns
        -------
        Path
            It may be missing.
        """
        return self.file

    def stamp(self) -> str:
        """Give the size and time of the archive.

        Returns
        -------
        str
            Empty where there is no such archive.
        """
        return stamp_of(self.file)


@dataclass(frozen=True, slots=True)
class HubArchive:
    """An archive on the hub, fetched when the first of its clips is read.

    Parameters
    ----------
    hub : Hub
        With its revision resolved.
    name : str
        The path in the repository.
    """

    hub: Hub
    name: str

    def path(self) -> Path:
        """Give the archive, fetched first where it is not in the cache.

        Returns
        -------
        Path
            In the cache of the hub.
        """
        return self.hub.fetch(self.name)

    def stamp(self) -> str:
        """Give the revision and the name: what they name cannot change.

        Returns
        -------
        str
            Without fetching anything.
        """
        return f"{self.hub.revision}:{self.name}"


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """A member of an archive.

    Parameters
    ----------
    place : ArchivePlace
        The archive.
    member : str
        The last part of the member's path.
    shown : str
        How the source describes itself.
    """

    place: ArchivePlace
    member: str
    shown: str

    def read(self, clip_id: str, *, sample_rate: int | None) -> Waveform:
        """Read the sound.

        Parameters
        ----------
        clip_id : str
            The name to use in messages.
        sample_rate : int or None, hertz
            The rate wanted; None keeps the recording's own.

        Returns
        -------
        Waveform
            Mono and finite.

        Raises
        ------
        DataError
            If the archive or the member is missing or damaged.
        SpecError
            If the archive must be fetched and the hub cannot be reached.
        """
        try:
            path = self.place.path()
        except MissingOnHub as error:
            raise DataError(clip_id, str(error)) from error
        data = read_member(path, self.member, clip_id=clip_id)
        return read_audio_bytes(data, clip_id=clip_id, sample_rate=sample_rate, name=f"{self.member} in {path.name}")

    def describe(self) -> str:
        """Say which recording it is.

        Returns
        -------
        str
            ``config/split/file name``.
        """
        return self.shown

    def stamp(self) -> str:
        """Give the stamp of the archive, and the member.

        Returns
        -------
        str
            Nothing is read for it. Empty where there is no such archive.
        """
        stamp = self.place.stamp()
        return f"{stamp}:{self.member}" if stamp else ""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that is known by another name than its path.

    Parameters
    ----------
    path : Path
        The file.
    shown : str
        How the source describes itself.
    """

    path: Path
    shown: str

    def read(self, clip_id: str, *, sample_rate: int | None) -> Waveform:
        """Read the sound.

        Parameters
        ----------
        clip_id : str
            The name to use in messages.
        sample_rate : int or None, hertz
            The rate wanted; None keeps the recording's own.

        Returns
        -------
        Waveform
            Mono and finite.
        """
        return read_audio(self.path, clip_id=clip_id, sample_rate=sample_rate)

    def describe(self) -> str:
        """Say which recording it is.

        Returns
        -------
        str
            ``config/split/file name``.
        """
        return self.shown

    def stamp(self) -> str:
        """Give the size and time of the file.

        Returns
        -------
        str
            Empty where there is no such file.
        """
        return stamp_of(self.path)


@dataclass(frozen=True, slots=True)
class ParquetCell:
    """The sound in one row of a Parquet file.

    Parameters
    ----------
    path : Path
        The file.
    row_group : int
        The row group.
    row : int
        The row in its group.
    shown : str
        How the source describes itself.
    """

    path: Path
    row_group: int
    row: int
    shown: str

    def read(self, clip_id: str, *, sample_rate: int | None) -> Waveform:
        """Read the sound.

        Parameters
        ----------
        clip_id : str
            The name to use in messages.
        sample_rate : int or None, hertz
            The rate wanted; None keeps the recording's own.

        Returns
        -------
        Waveform
            Mono and finite.

        Raises
        ------
        DataError
            If the file is missing or damaged, or the cell is empty.
        """
        data = read_cell(self.path, self.row_group, self.row, clip_id=clip_id)
        name = f"{PurePosixPath(self.shown).name} in {self.path.name}"
        return read_audio_bytes(data, clip_id=clip_id, sample_rate=sample_rate, name=name)

    def describe(self) -> str:
        """Say which recording it is.

        Returns
        -------
        str
            ``config/split/file name``.
        """
        return self.shown

    def stamp(self) -> str:
        """Give the size and time of the file, and the place of the row.

        Returns
        -------
        str
            Nothing is read for it. Empty where there is no such file.
        """
        stamp = stamp_of(self.path)
        return f"{stamp}:{self.row_group}:{self.row}" if stamp else ""
