"""Descriptors of the directories below one root, reached component by component and never through a link.

Whoever writes through these descriptors writes below the root, even when a directory is exchanged for a
symbolic link meanwhile: opening a link fails, and a descriptor stays with the directory it was opened for.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Directories:
    """Opens directories on demand and keeps the last used ones open."""

    def __init__(self, root: int, *, limit: int = 64) -> None:
        """Take over the descriptor of the root."""
        self._root = root
        self._limit = limit
        self._open: OrderedDict[bytes, int] = OrderedDict()

    def descriptor(self, path: bytes) -> int:
        """The descriptor of a directory, empty for the root; valid until the next call.

        Raises `OSError` where a component is missing or no directory, a link to one included.
        """
        if not path:
            return self._root
        known = self._open
        if path in known:
            known.move_to_end(path)
            return known[path]
        missing = []
        while path and path not in known:
            path, _, name = path.rpartition(b"/")
            missing.append(name)
        descriptor = known[path] if path else self._root
        for name in reversed(missing):
            descriptor = os.open(name, _FLAGS, dir_fd=descriptor)
            path = path + b"/" + name if path else name
            known[path] = descriptor
            if len(known) > self._limit:
                _, unused = known.popitem(last=False)
                os.close(unused)
        return descriptor

    def names(self, folder: bytes) -> list[bytes]:
        """The names in a directory, in no order. Raises `OSError` as `descriptor` does."""
        return list(map(os.fsencode, os.listdir(self.descriptor(folder))))

    def link(self, folder: bytes, name: bytes) -> bytes | None:
        """Where a symbolic link leads; None for anything else. Raises `OSError` where there is nothing."""
        descriptor = self.descriptor(folder)
        if not stat.S_ISLNK(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
            return None
        return os.readlink(name, dir_fd=descriptor)

    def close(self) -> None:
        """Close every descriptor, the root's too."""
        for descriptor in (*self._open.values(), self._root):
            os.close(descriptor)
        self._open.clear()
