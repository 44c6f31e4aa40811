"""Finds what exports that were killed left in a tree under temporary names, and nothing of those that run.

An export puts a file `.tmp.ID.run` into its destination, which it locks and removes at its end. One that is
there and not locked says that files whose names begin with `.tmp.ID.` are nobody's.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable
from contextlib import suppress

_MARK = re.compile(rb"(\.tmp\.[0-9a-f]{12}\.)run")
_NEW = os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Mark:
    """The mark of a running export in its destination."""

    def __init__(self, root: int, prefix: bytes) -> None:
        """Make it in the directory `root`; best effort, for it serves later exports alone."""
        self._root = root
        self._name = prefix + b"run"
        self._descriptor = -1
        with suppress(OSError):
            self._descriptor = os.open(self._name, _NEW, 0o600, dir_fd=root)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Say that the export has ended and removed what it does not leave."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.unlink(self._name, dir_fd=self._root)
            os.close(self._descriptor)
            self._descriptor = -1


def is_mark(name: bytes) -> bool:
    """Whether an entry of a destination is the mark of an export."""
    return _MARK.fullmatch(name) is not None


def remove_abandoned(root: int, descriptor_of: Callable[[bytes], int]) -> None:
    """Remove what killed exports of this user left; best effort.

    `root` is the destination; `descriptor_of` opens a directory in it by its path, without following links.
    """
    abandoned = []
    with suppress(OSError):
        for name in map(os.fsencode, os.listdir(root)):
            if (found := _MARK.fullmatch(name)) and (descriptor := _claim(root, name)) >= 0:
                abandoned.append((found[1], name, descriptor))
    if not abandoned:
        return
    _remove_named(tuple(prefix for prefix, _, _ in abandoned), descriptor_of)
    for _, name, descriptor in abandoned:
        with suppress(OSError):
            os.unlink(name, dir_fd=root)
        os.close(descriptor)


def _claim(root: int, name: bytes) -> int:
    """The locked descriptor of a mark; -1 where its export runs, or is another user's."""
    try:
        descriptor = os.open(name, _OLD, dir_fd=root)
    except OSError:
        return -1
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return -1


def _remove_named(prefixes: tuple[bytes, ...], descriptor_of: Callable[[bytes], int]) -> None:
    waiting = [b""]
    while waiting:
        directory = waiting.pop()
        with suppress(OSError):
            at = descriptor_of(directory)
            with os.scandir(at) as entries:
                found = [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]
            for name, is_directory in found:
                if is_directory:
                    waiting.append(directory + b"/" + name if directory else name)
                elif name.startswith(prefixes) and not is_mark(name):
                    with suppress(OSError):
                        os.unlink(name, dir_fd=at)
