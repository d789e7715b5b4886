"""Tar headers of bounded size, so that a small archive cannot ask for all the memory there is.

The readers of the standard library take what a header says of its own length on trust, keep the whole map of a sparse
file, and call themselves once more for each header that speaks of the next one.
"""

from __future__ import annotations

import tarfile
from typing import IO, Any, cast

__all__ = ["MOST_HEADERS", "MOST_HEADER_BYTES", "BoundedTar", "open_tar", "usable_name"]

MOST_HEADER_BYTES = 1 << 20  # of one long name, one pax header, or all global pax headers together
MOST_HEADERS = 16  # that speak of one member: a long name, a long link, a pax header, and some to spare
MOST_NAME_BYTES = 255  # no common file system takes longer names
_PAX = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_ABOUT_THE_NEXT = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, *_PAX)


class _Header(tarfile.TarInfo):
    """A header that is refused where reading it would take much memory."""

    def _proc_member(self, tar: BoundedTar) -> tarfile.TarInfo:
        if self.type in _ABOUT_THE_NEXT:
            tar.n_headers += 1
            if tar.n_headers > MOST_HEADERS:
                raise tarfile.ReadError(f"more than {MOST_HEADERS} headers speak of one member")
            tar.n_global_bytes += self.size if self.type == tarfile.XGLTYPE else 0
            if not 0 <= self.size <= MOST_HEADER_BYTES or tar.n_global_bytes > MOST_HEADER_BYTES:
                raise tarfile.ReadError(
                    f"a header says it has {self.size} bytes; at most {MOST_HEADER_BYTES} are read"
                )
        else:
            tar.n_headers = 0
        return cast("Any", super())._proc_member(tar)

    def _proc_sparse(self, tar: BoundedTar) -> tarfile.TarInfo:
        """Pass over the map of a sparse file."""
        _, more, _ = cast("Any", self)._sparse_structs
        stream = cast("Any", tar).fileobj
        while more:
            block = stream.read(tarfile.BLOCKSIZE)
            if len(block) < tarfile.BLOCKSIZE:
                raise tarfile.ReadError("unexpected end of data")
            more = block[504]
        self.offset_data = stream.tell()
        tar.offset = self.offset_data + cast("Any", self)._block(self.size)
        cast("Any", self).sparse = []
        return self

    def _proc_gnusparse_10(self, following: tarfile.TarInfo, *_: object) -> None:
        """Leave the map, which stands at the beginning of the data, where it is."""
        cast("Any", following).sparse = []


class BoundedTar(tarfile.TarFile):
    """A tar file that counts the headers it reads.

    Attributes
    ----------
    n_headers : int
        Read since the last member, each about the next one.
    n_global_bytes : int
        Of the global pax headers so far.
    """

    tarinfo = _Header
    n_headers = 0
    n_global_bytes = 0

    def next(self) -> tarfile.TarInfo | None:
        """Give the next member, and forget those before it.

        Returns
        -------
        tarfile.TarInfo or None
            None at the end.

        Raises
        ------
        tarfile.TarError
            If a header is damaged, is too long, or is one of too many.
        """
        member = super().next()
        cast("Any", self).members.clear()
        return member


def open_tar(stream: IO[bytes], *, block: int) -> BoundedTar:
    """Open a tar file that is read once, from its beginning to its end.

    Parameters
    ----------
    stream : binary file
        Decompressed.
    block : int
        Bytes to read at a time.

    Returns
    -------
    BoundedTar
        To iterate over; sparse files are members without a usable map.

    Raises
    ------
    tarfile.TarError
        If its first header is damaged, is too long, or is one of too many.
    """
    return BoundedTar.open(fileobj=stream, mode="r|", bufsize=block, encoding="utf-8")


def usable_name(name: str) -> bool:
    r"""Say whether a clip can have a file of this name.

    Parameters
    ----------
    name : str
        The last part of a member's path.

    Returns
    -------
    bool
        False where it is empty, is not UTF-8, or has more than 255 bytes.

    Examples
    --------
    >>> usable_name("é.wav"), usable_name(""), usable_name("\udce9.wav")
    (True, False, False)
    """
    try:
        return 0 < len(name.encode()) <= MOST_NAME_BYTES
    except UnicodeEncodeError:
        return False
