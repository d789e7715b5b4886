"""The only writer: digests, files that are whole or not there, caches, run directories.

A file is written under a temporary name in its own folder, flushed to the disk and renamed, so that a reader never
sees half of it, whatever kills the process.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otoscope.errors import RunConflictError, SpecError

__all__ = [
    "atomic_path",
    "cache_root",
    "check_arrays",
    "clear_leftovers",
    "digest_arrays",
    "digest_of",
    "lock_holder",
    "locked",
    "read_about",
    "read_arrays",
    "read_json",
    "read_table",
    "slug",
    "write_arrays",
    "write_json",
    "write_table",
    "write_text",
]

Row = Mapping[str, object]
_LEFTOVER = ".part-"
_DIGEST, _DIGITS = "sha256", 16
_LOOKS = 20  # at a lock, before it is said to be held
_DIGESTED = re.compile(r".*-[0-9a-f]{8}")


def digest_of(value: object) -> str:
    """Give the SHA-256 of a value's canonical JSON.

    Parameters
    ----------
    value : JSON value
        Dictionaries, lists, strings, finite numbers, booleans, None.

    Returns
    -------
    str
        64 hexadecimal characters; the order of keys does not matter.

    Examples
    --------
    >>> digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def slug(name: str) -> str:
    """Give a file name for any name: its letters, digits and a short digest of the whole.

    Parameters
    ----------
    name : str
        Any text, such as the name of a model.

    Returns
    -------
    str
        At most 60 characters of ``A-Za-z0-9._-``; equal only for equal names.
    """
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name).strip(".-")
    # A name that already looks like a result gets a digest of its own: else it could be the slug of another name.
    if name and plain == name and len(name) <= 60 and not _DIGESTED.fullmatch(name):
        return name
    return f"{plain[:50]}-{digest_of(name)[:8]}"


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path that becomes `path` when the block ends well.

    Parameters
    ----------
    path : Path
        Where the file shall stand; its folder is made.

    Yields
    ------
    Path
        In the same folder, with the same suffix. Removed if the block raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{_LEFTOVER}{secrets.token_hex(8)}{path.suffix}"
    # Made with the mode that the umask leaves. The umask can be read only by setting it, for all threads at once.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    mode = temporary.stat().st_mode & 0o777
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, mode)  # what filled the file may have replaced it
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def clear_leftovers(folder: Path) -> int:
    """Remove the temporary files that a killed process left.

    Parameters
    ----------
    folder : Path
        With all folders in it. Nobody may be writing there: see :func:`locked`.

    Returns
    -------
    int
        How many there were.
    """
    found = [path for path in folder.rglob(f"{_LEFTOVER}*") if path.is_file()]
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock, which ends with the process however that ends.

    Parameters
    ----------
    path : Path
        The file that stands for it; its folder is made. It is left behind and holds who had the lock last.

    Yields
    ------
    None
        While this process alone has it. Where the system has no such locks, nothing is held.

    Raises
    ------
    RunConflictError
        If another process has it, with its number and machine.
    """
    try:
        import fcntl
    except ImportError:  # no POSIX
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        for attempt in range(_LOOKS):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt + 1 < _LOOKS:  # somebody may only be looking, see lock_holder
                    time.sleep(0.02)
                    continue
                file.seek(0)
                who = file.read().strip() or "another process"
                raise RunConflictError(
                    f"{path.parent.parent}: {who} is working here; wait for it, or stop it"
                ) from None
            except OSError:  # a file system without locks
                yield
                return
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}\n")
        file.flush()
        yield


def lock_holder(path: Path) -> str | None:
    """Say who holds a lock, without taking it.

    Parameters
    ----------
    path : Path
        The file that stands for it.

    Returns
    -------
    str or None
        Such as ``process 12 on name``; None where nobody does.
    """
    try:
        import fcntl

        with path.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip() or "another process"
    except (ImportError, OSError):  # no such file, or a system without locks
        return None
    return None


def _sync_folder(folder: Path) -> None:
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # a system that cannot open folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole.

    Parameters
    ----------
    path : Path
        Where.
    text : str
        What, as UTF-8 with the line ends that it has.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode())


def write_json(path: Path, value: object) -> None:
    """Write a JSON file whole.

    Parameters
    ----------
    path : Path
        Where.
    value : JSON value
        What. NaN is refused: a missing number is null.
    """
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path : Path
        Where.

    Returns
    -------
    JSON value
        What it holds.

    Raises
    ------
    SpecError
        If it is missing or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file") from None
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: is not JSON: {error}") from error


def write_arrays(
    path: Path, arrays: Mapping[str, NDArray[Any]], *, about: Mapping[str, object] | None = None
) -> None:
    """Write named arrays whole, as safetensors.

    Parameters
    ----------
    path : Path
        Where.
    arrays : mapping of str to ndarray
        What.
    about : mapping, optional
        Said in the header, as JSON; beside it stand digests of it and of each array, looked at in reading.

    Raises
    ------
    OSError
        If there is no room, or no right to write.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    ordered = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    digests = {name: _digest_of_array(array) for name, array in ordered.items()}
    said = {**(about or {}), _DIGEST: {"about": digest_of(dict(about or {}))[:_DIGITS], "arrays": digests}}
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with atomic_path(path) as temporary:
        try:
            save_file(ordered, temporary, metadata={"otoscope": text})
        except SafetensorError as error:
            raise OSError(f"{path}: cannot be written: {error}") from error


def check_arrays(path: Path) -> str | None:
    """Say what is wrong with a file that :func:`write_arrays` wrote; every byte is looked at.

    Parameters
    ----------
    path : Path
        Where.

    Returns
    -------
    str or None
        None where it is as it was written.
    """
    try:
        read_arrays(path)
    except SpecError as error:
        return str(error).removeprefix(f"{path}: ").partition("; remove it")[0]
    return None


def _digest_of_array(array: NDArray[Any]) -> str:
    return digest_arrays({"": array})[:_DIGITS]


def _about(metadata: Mapping[str, str] | None) -> tuple[dict[str, Any], dict[str, str]]:
    """Read a header: what the file says of itself, and the digests of its arrays."""
    about = json.loads((metadata or {})["otoscope"])
    digests = about.pop(_DIGEST)
    if digests["about"] != digest_of(about)[:_DIGITS]:
        raise ValueError("its header has other bytes than were written")
    return about, digests["arrays"]


def read_arrays(
    path: Path, *, only: Callable[[str], bool] | None = None
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what :func:`write_arrays` wrote.

    Parameters
    ----------
    path : Path
        Where.
    only : callable, optional
        Says from its name whether an array is wanted; the others are not read.

    Returns
    -------
    arrays : dict of str to ndarray
        As written.
    about : dict
        As written.

    Raises
    ------
    SpecError
        If it is missing, damaged (an array that is read has other bytes than were written) or from something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            about, digests = _about(file.metadata())
            wanted = [name for name in file.keys() if only is None or only(name)]  # noqa: SIM118
            arrays = {name: file.get_tensor(name) for name in wanted}
        for name, array in arrays.items():
            if digests[name] != _digest_of_array(array):
                raise ValueError(f"{name} has other bytes than were written")
        return arrays, about
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file") from None
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise SpecError(f"{path}: is damaged or was not written by otoscope ({error}); remove it") from error


def read_about(path: Path) -> dict[str, Any] | None:
    """Read only what a file of arrays says of itself.

    Parameters
    ----------
    path : Path
        Where.

    Returns
    -------
    dict or None
        None if there is no such file, or it is damaged or cut short.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return _about(file.metadata())[0]
    except (SafetensorError, KeyError, TypeError, ValueError, OSError):
        return None


def digest_arrays(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Give the SHA-256 of named arrays: their names, types, shapes and bytes.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        In any order.

    Returns
    -------
    str
        64 hexadecimal characters.
    """
    hasher = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        hasher.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        hasher.update(array.tobytes())
    return hasher.hexdigest()


def write_table(path: Path, rows: Sequence[Row], *, types: Mapping[str, str] | None = None) -> None:
    """Write rows whole, as Parquet.

    Parameters
    ----------
    path : Path
        Where.
    rows : sequence of mapping
        One per row; all have the same keys.
    types : mapping of str to str, optional
        Arrow's name of each column's type, such as ``float64``; without it, what the values say. A table that may
        have no rows, or columns without values, needs it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with atomic_path(path) as temporary:
        schema = None if types is None else pa.schema([(key, pa.type_for_alias(kind)) for key, kind in types.items()])
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), temporary, compression="zstd")


def read_table(path: Path) -> list[dict[str, Any]]:
    """Read the rows that :func:`write_table` wrote.

    Parameters
    ----------
    path : Path
        Where.

    Returns
    -------
    list of dict
        As written.

    Raises
    ------
    SpecError
        If it is missing, damaged or no Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path).to_pylist()
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file") from None
    except (pa.ArrowException, OSError) as error:
        raise SpecError(f"{path}: is damaged or no Parquet ({error}); remove it") from error


def cache_root() -> Path:
    """Say where labels and other things worth keeping between runs are cached.

    Returns
    -------
    Path
        ``$OTOSCOPE_CACHE``, or the user's cache folder of this platform.
    """
    named = os.environ.get("OTOSCOPE_CACHE")
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_cache_dir("otoscope"))
