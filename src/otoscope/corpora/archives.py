"""Sound files inside ``tar.gz`` archives, read where they are.

Nothing is ever unpacked to the disk. The first touch of an archive reads it once from end to end: the place of every
member is noted, and so are points from which decompression can begin in the middle. Both are kept in the cache, so
that any clip can be read at any time, by any later process, for the cost of a few megabytes of decompression.

Only plain files count as members, and only by the last part of their path: links, devices, folders, absolute paths
and paths with ``..`` have no effect. Neither have files whose name is not UTF-8, or is longer than a file's can be.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

from otoscope.corpora.tar_headers import open_tar, usable_name
from otoscope.corpora.wording import counted, problem_of
from otoscope.errors import DataError, SpecError
from otoscope.store import atomic_path, cache_root, read_json, write_json

__all__ = ["MOST_BYTES", "Scan", "Table", "close_archives", "read_member", "stamp_of", "table_of"]

SPACING = 1 << 21  # bytes between the points from which decompression can begin; each costs 32 KiB of cache
MOST_OPEN = 2  # archives per process
MOST_BYTES = 1 << 28  # of one member: more than an hour of float32 at 16 kHz
BLOCK = 1 << 20
SCHEMA = 1
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)


@dataclass(frozen=True, slots=True)
class Table:
    """Where the members of an archive are.

    Parameters
    ----------
    members : mapping of str to (int, int)
        From the last part of a member's path to the first byte of its data in the decompressed archive and the
        number of its bytes. Where a name is there twice, the first one counts.
    truncated : str
        Why the archive ends too early; empty where it is whole. Members before the end can be used.
    damaged : str
        Why nothing in the archive can be trusted; empty where all is well.
    """

    members: Mapping[str, tuple[int, int]]
    truncated: str = ""
    damaged: str = ""


class Scan:
    """One pass through an archive from its beginning to its end.

    Parameters
    ----------
    path : Path
        The archive.

    Attributes
    ----------
    table : Table
        What was found so far; complete after the iteration.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table = Table({})

    def __iter__(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the last part of each member's path and its data, in the order of the archive.

        Yields
        ------
        name : str
            Of a member that is wholly there.
        data : bytes or None
            None where it has more than `MOST_BYTES`.
        """
        return self._walk(with_data=True)

    def finish(self) -> Table:
        """Read to the end without giving the data.

        Returns
        -------
        Table
            What is there.
        """
        for _ in self._walk(with_data=False):
            pass
        return self.table

    def _walk(self, *, with_data: bool) -> Iterator[tuple[str, bytes | None]]:
        members: dict[str, tuple[int, int]] = {}
        truncated = damaged = ""
        try:
            with (
                gzip.open(self.path) as stream,
                open_tar(cast("Any", _ToTheLastByte(stream)), block=BLOCK) as tar,
            ):
                for member in tar:
                    if member.type not in _PLAIN or member.issparse():
                        continue
                    data = _pass_over(tar, member, keep=with_data and member.size <= MOST_BYTES)
                    name = PurePosixPath(member.name).name
                    if usable_name(name) and name not in members:
                        members[name] = (member.offset_data, member.size)
                        yield name, data
                while block := stream.read(BLOCK):  # the checksum is at the end
                    if block.strip(b"\0"):
                        truncated = f"what comes after its first {counted(len(members), 'file')} is no archive"
        except EOFError:
            truncated = "the archive ends too early"
        except tarfile.ReadError as error:
            if "unexpected end" in str(error):
                truncated = "the archive ends too early"
            else:
                damaged = f"the archive is damaged: {_what_is_wrong(error)}"
        except (zlib.error, gzip.BadGzipFile, tarfile.TarError, ValueError) as error:
            damaged = f"the archive is damaged: {_what_is_wrong(error)}"
        self.table = Table(members, truncated, damaged)


def _what_is_wrong(error: Exception) -> str:
    """Say in words what the libraries say in numbers and bytes."""
    if isinstance(error, gzip.BadGzipFile):
        return "its checksum is wrong" if "check" in str(error) else "it is no gzip file"
    if isinstance(error, zlib.error) or "while decompressing" in str(error):  # tarfile quotes zlib
        return f"it cannot be decompressed ({str(error).rpartition(': ')[2]})"
    return problem_of(error)


class _ToTheLastByte:
    """A stream that gives what there is before it says that it ends too early."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self.stream = stream

    def read(self, size: int) -> bytes:
        return self.stream.read1(size)


def _pass_over(tar: tarfile.TarFile, member: tarfile.TarInfo, *, keep: bool) -> bytes | None:
    """Read a member to its end; so it is known to be there."""
    file = tar.extractfile(member)
    assert file is not None
    if keep:
        data = file.read()
        if len(data) != member.size:
            raise EOFError
        return data
    n_read = 0
    while block := file.read(BLOCK):
        n_read += len(block)
    if n_read != member.size:
        raise EOFError
    return None


def stamp_of(path: Path) -> str:
    """Give the size and the time of change of a file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        Empty where there is no such file.
    """
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size}:{status.st_mtime_ns}"


def _key(path: Path) -> str:
    """Name what is kept of an archive: by its size, its time, its beginning and its end, not by its path.

    The end holds the checksum of the content, so that a copy that kept its time is known again.
    """
    hasher = hashlib.sha256(f"{SCHEMA}:{SPACING}:{stamp_of(path)}:".encode())
    with path.open("rb") as file:
        hasher.update(file.read(1 << 16))
        file.seek(max(0, file.seek(0, os.SEEK_END) - (1 << 16)))
        hasher.update(file.read())
    return hasher.hexdigest()[:32]


@dataclass(slots=True)
class _Open:
    stamp: str
    table: Table
    file: Any  # an IndexedGzipFile, or None where nothing can be read


class _Shelf:
    """The archives that this process holds open, the one used last at the end."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.RLock()
        self.open: OrderedDict[str, _Open] = OrderedDict()


_shelves = [_Shelf()]


def _shelf() -> _Shelf:
    if _shelves[0].pid != os.getpid():  # a forked process must not share the position in an open file
        _shelves[0] = _Shelf()
    return _shelves[0]


def close_archives() -> None:
    """Close the archives that this process holds open; the next read opens them again."""
    shelf = _shelf()
    with shelf.lock:
        for held in shelf.open.values():
            if held.file is not None:
                held.file.close()
        shelf.open.clear()


def read_member(path: Path, name: str, *, clip_id: str) -> bytes:
    """Read one member of an archive.

    At most two archives are held open per process; threads take turns.

    Parameters
    ----------
    path : Path
        The archive.
    name : str
        The last part of the member's path.
    clip_id : str
        The name to use in messages.

    Returns
    -------
    bytes
        Its data.

    Raises
    ------
    DataError
        If the archive is missing or damaged, or the member is not in it, or is longer than `MOST_BYTES`.
    """
    shelf = _shelf()
    try:
        with shelf.lock:
            held = _opened(shelf, path)
            place = held.table.members.get(name)
            if held.table.damaged:
                raise DataError(clip_id, f"{path.name}: {held.table.damaged}; get {path} again")
            if place is None:
                why = f": {held.table.truncated}; get {path} again" if held.table.truncated else f" ({path})"
                raise DataError(clip_id, f"there is no {name} in {path.name}{why}")
            if place[1] > MOST_BYTES:
                raise DataError(clip_id, f"{name} has {place[1]} bytes; at most {MOST_BYTES} are read")
            data = held.file.raw.pread(place[1], place[0]) if place[1] else b""
    except FileNotFoundError:
        raise DataError(clip_id, f"there is no archive {path}") from None
    except (OSError, zlib.error) as error:
        raise DataError(clip_id, f"{path.name}: cannot be read: {_what_is_wrong(error)}; get {path} again") from error
    if len(data) != place[1]:
        raise DataError(
            clip_id, f"{path.name}: {name} has {counted(place[1], 'byte')} and {len(data)} can be read; get it again"
        )
    return data


def table_of(path: Path, *, scan: Scan | None = None) -> Table:
    """Give the members of an archive, from the cache where they are known.

    Parameters
    ----------
    path : Path
        The archive.
    scan : Scan, optional
        A pass that was made already; its table is kept, and so is the index of the places to begin from.

    Returns
    -------
    Table
        Where they are.

    Raises
    ------
    OSError
        If the archive cannot be opened.
    """
    return _prepared(path, scan)[0]


def _opened(shelf: _Shelf, path: Path) -> _Open:
    key, stamp = str(path), stamp_of(path)
    held = shelf.open.get(key)
    if held is not None and held.stamp == stamp:
        shelf.open.move_to_end(key)
        return held
    if held is not None:
        _drop(shelf, key)
    table, index = _prepared(path, None)
    file = None if table.damaged or not table.members else _seekable(path, index)
    while len(shelf.open) >= MOST_OPEN:
        _drop(shelf, next(iter(shelf.open)))
    shelf.open[key] = _Open(stamp, table, file)
    return shelf.open[key]


def _drop(shelf: _Shelf, key: str) -> None:
    held = shelf.open.pop(key)
    if held.file is not None:
        held.file.close()


def _seekable(path: Path, index: Path) -> Any:
    from indexed_gzip import IndexedGzipFile, ZranError

    options: dict[str, Any] = {"spacing": SPACING, "drop_handles": False, "skip_crc_check": True}
    if index.is_file():
        try:
            return IndexedGzipFile(str(path), index_file=str(index), **options)
        except (ZranError, OSError):  # cut off by a full disk
            index.unlink(missing_ok=True)
    return IndexedGzipFile(str(path), **options)


def _prepared(path: Path, scan: Scan | None) -> tuple[Table, Path]:
    """Read the table from the cache, or make it and the seek index."""
    folder = cache_root() / "archives"
    key = _key(path)
    kept, index = folder / f"{key}.json", folder / f"{key}.gzidx"
    table = _kept_table(kept)
    if table is not None:
        return table, index
    with _one_at_a_time(folder / f"{key}.lock"):
        table = _kept_table(kept)  # another process may have been faster
        if table is None:
            table = scan.table if scan is not None else Scan(path).finish()
            with suppress(OSError):  # a cache that cannot be written costs time, no more
                if table.members and not table.damaged:
                    _write_index(path, index)
                value = {"schema": SCHEMA, "truncated": table.truncated, "damaged": table.damaged}
                write_json(kept, {**value, "members": {k: list(v) for k, v in table.members.items()}})
    return table, index


def _kept_table(kept: Path) -> Table | None:
    if not kept.is_file():
        return None
    try:
        value = read_json(kept)
        members = {str(k): (int(v[0]), int(v[1])) for k, v in value["members"].items()}
        return Table(members, str(value["truncated"]), str(value["damaged"]))
    except (SpecError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None


def _write_index(path: Path, index: Path) -> None:
    from indexed_gzip import IndexedGzipFile, ZranError

    with IndexedGzipFile(str(path), spacing=SPACING, drop_handles=False, skip_crc_check=True) as file:
        with suppress(ZranError, EOFError):  # a truncated archive: the points up to its end are there
            file.build_full_index()
        with atomic_path(index) as temporary:
            file.export_index(str(temporary))


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    """Let one process at a time make an index, where the system knows locks."""
    try:
        import fcntl

        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = lock.open("w")
    except (ImportError, OSError):
        yield
        return
    with handle:
        with suppress(OSError):  # a file system without locks: the work may be done twice, and is the same
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    lock.unlink(missing_ok=True)
