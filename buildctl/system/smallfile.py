"""Reads whole files so that none can fill the memory or hold up the program: the only place that does.

Whoever can write into a folder that is read here could put a device, a pipe without a writer or a link there.
A file that the user names is the user's choice: it may be a pipe, as of a shell's `<(...)`.
"""

from __future__ import annotations

import errno
import os
import select
import stat

_PIECE_BYTES = 1 << 20
_FOUND = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK


def read_found(path: str, *, limit: int, folder: int | None = None, links: bool = True) -> bytes:
    """A file that lies where others may write: a regular one, of at most `limit` bytes. Never waits.

    `path` is below the descriptor `folder`, if there is one; without `links` it may not be a symbolic link
    itself. Raises `OSError`, whose `strerror` says so in words for what is too large or not a file.
    """
    descriptor = open_found(path, folder=folder, links=links)
    try:
        return _read_all(descriptor, path, limit)
    finally:
        os.close(descriptor)


def open_found(path: str, *, folder: int | None = None, links: bool = True) -> int:
    """A descriptor of a regular file, for what reads it in pieces. As `read_found`."""
    try:
        descriptor = os.open(path, _FOUND | (0 if links else os.O_NOFOLLOW), dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP and not links:
            raise OSError(errno.ELOOP, "it is a symbolic link, which is not followed here", path) from None
        if error.errno == errno.ENXIO:  # a socket
            raise _not_regular(path) from None
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(mode):
            raise _not_regular(path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_named(path: str, *, limit: int) -> bytes:
    """A file that the user named: also a pipe or device, which is waited for; at most `limit` bytes.

    Not for the event loop. Raises `OSError` as `read_found` does.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        return _read_all(descriptor, path, limit)
    finally:
        os.close(descriptor)


def read_descriptor(descriptor: int, name: str, *, limit: int) -> bytes:
    """All that comes from a descriptor, which stays open; as `read_named`."""
    return _read_all(descriptor, name, limit)


def _read_all(descriptor: int, name: str, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while size <= limit:
        try:
            piece = os.read(descriptor, min(_PIECE_BYTES, limit + 1 - size))
        except BlockingIOError:  # whoever handed it over has made it so
            select.select([descriptor], [], [])
            continue
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        size += len(piece)
    raise OSError(errno.EFBIG, f"it has more than {limit} bytes, the most that is read of it", name)


def _not_regular(path: str) -> OSError:
    return OSError(errno.EINVAL, "it is not a regular file", path)
