"""Makes files beside those that they are to replace, so that a rename puts all bytes there at once.

They are called `.tmp.buildctl-*` and locked while their writer lives, so that the next writer in the folder
removes what a killed one left.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat as st
from collections.abc import Sequence
from contextlib import suppress

from buildctl.system.writing import Data, write_pieces

_BESIDE = ".tmp.buildctl-"
_BESIDE_NAME = re.compile(re.escape(_BESIDE) + "[0-9a-f]{12}")
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def replace_file(path: str, pieces: Sequence[Data], mode: int) -> None:
    """Put a new file in the place of whatever has the name, and follow no link. Raises `OSError`.

    For files that are this program's own, such as an index or a record.
    """
    descriptor, temporary = create_beside(path, mode)
    try:
        write_pieces(descriptor, pieces)
        os.close(os.dup(descriptor))
        os.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        os.close(descriptor)
    remove_stale(os.path.dirname(path))


def create_beside(path: str, mode: int) -> tuple[int, str]:
    """A new file in the folder of the path, open and locked, and its name. Raises `OSError`."""
    while True:
        name = os.path.join(os.path.dirname(path), _BESIDE + os.urandom(6).hex())
        descriptor = os.open(name, _NEW, mode)
        with suppress(OSError):  # not every file system has locks; there, nobody removes what is left
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # or another writer took it for a killed one's before it was locked
            return descriptor, name
        os.close(descriptor)


def remove_stale(folder: str) -> None:
    """Remove what killed writers of this user left in a folder; best effort."""
    with suppress(OSError), os.scandir(folder or ".") as entries:
        for entry in entries:
            if _BESIDE_NAME.fullmatch(entry.name):
                with suppress(OSError):
                    _remove_unlocked(entry.path)


def _remove_unlocked(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if st.S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
    finally:
        os.close(descriptor)
