"""What becomes of files and folders that cannot be read, where a build is not to fail for them.

`skip` leaves them out; `empty` sends files without content and folders without entries. Either way each path
is noted, so that it can be said. A file is opened before it is announced: what the daemon was told can not be
taken back, and an empty file under the announced size would pass for the real one in later builds.
"""

from __future__ import annotations

import errno
import os
from typing import Literal

from buildctl.fsutil import filemode

Policy = Literal["skip", "empty"]

_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # what this process lacks is no property of a file
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LeftOutError(Exception):
    """An entry is not to be announced."""


class Unreadable:
    """The policy of one transfer, and the paths that it has met with, in their order."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._paths: dict[bytes, None] = {}

    @property
    def paths(self) -> tuple[bytes, ...]:
        """What could not be read, below the root."""
        return tuple(self._paths)

    def left_out(self, path: bytes, error: OSError) -> bool:
        """Whether a path that there is nothing to announce of may be left out; it is noted then."""
        return self._note(path, error)

    def keeps_size(self, descriptor: int, name: bytes, path: bytes, mode: int) -> bool:
        """Whether a file or folder can be read, by its parent's descriptor; False where it is to be empty.

        Raises `LeftOutError` where it is to be left out, and `OSError` where it cannot be excused.
        """
        try:
            opened = os.open(name, _FLAGS, dir_fd=descriptor)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a socket, which is sent as an empty file
                return True
            if not self._note(path, error):
                raise
        else:
            try:
                if mode & filemode.DIR:
                    os.stat(b".", dir_fd=opened)  # what is in it can be reached
                return True
            except OSError as error:
                if not self._note(path, error):
                    raise
            finally:
                os.close(opened)
        if self._policy == "skip":
            raise LeftOutError
        return False

    def sends_empty(self, path: bytes, error: OSError) -> bool:
        """Whether a file that was announced, and cannot be read now, may be sent empty; it is noted then."""
        return self._policy == "empty" and self._note(path, error)

    def _note(self, path: bytes, error: OSError) -> bool:
        if error.errno in _OURS:
            return False
        self._paths[path] = None
        return True
