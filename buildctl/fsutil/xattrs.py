"""The extended attributes of an entry, as far as this process may read them."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from contextlib import suppress

from buildctl.system.descriptors import named
from buildctl.system.failure import read_failure

_APPLE = b"com.apple."
_NONE: Mapping[bytes, bytes] = {}
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

if sys.platform == "linux":

    def read(descriptor: int, name: bytes, path: bytes) -> Mapping[bytes, bytes]:
        """Attributes of the entry `name` of an open folder, which was last seen at `path`.

        The system calls know no folder descriptors. The plain path is the cheaper way to learn that there
        is nothing, which is the rule; but a link may have taken the place of a folder in it, so what is
        sent is read through the descriptor. Raises `TransferError`, and `FileNotFoundError` or
        `NotADirectoryError` for an entry that is gone.
        """
        try:
            if not os.listxattr(path, follow_symlinks=False):
                return _NONE
            return _read(descriptor, name)
        except (FileNotFoundError, NotADirectoryError):
            raise
        except OSError as error:
            if error.errno == errno.ENOTSUP:
                return _NONE
            if error.errno == errno.ENAMETOOLONG:
                return _read(descriptor, name)
            raise read_failure("failed to xattr", path, error) from error

    def _read(descriptor: int, name: bytes) -> Mapping[bytes, bytes]:
        if folder := named(descriptor):
            return _of(os.path.join(os.fsencode(folder), name), follow_symlinks=False)
        # Without /proc what can be opened is asked. Links and the like have few attributes that matter.
        try:
            entry = os.open(name, _LOOK, dir_fd=descriptor)
        except (FileNotFoundError, NotADirectoryError):
            raise
        except OSError:
            return _NONE
        try:
            return _of(entry)
        finally:
            os.close(entry)

    def _of(entry: bytes | int, *, follow_symlinks: bool = True) -> Mapping[bytes, bytes]:
        found = {}
        for key in map(os.fsencode, os.listxattr(entry, follow_symlinks=follow_symlinks)):
            if not key.startswith(_APPLE):
                with suppress(OSError):  # one that only its owner or root may read
                    found[key] = os.getxattr(entry, key, follow_symlinks=follow_symlinks)
        return found

else:

    def read(descriptor: int, name: bytes, path: bytes) -> Mapping[bytes, bytes]:
        """Nothing: Python knows extended attributes on Linux only."""
        return _NONE
