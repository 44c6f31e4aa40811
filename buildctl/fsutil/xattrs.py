"""The extended attributes of an entry, as far as this process may read them."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from contextlib import suppress

from buildctl.system.failure import read_failure

_APPLE = b"com.apple."
_NONE: Mapping[bytes, bytes] = {}

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
        safe = b"/proc/self/fd/%d/%b" % (descriptor, name)
        found = {}
        for key in map(os.fsencode, os.listxattr(safe, follow_symlinks=False)):
            if not key.startswith(_APPLE):
                with suppress(OSError):  # one that only its owner or root may read
                    found[key] = os.getxattr(safe, key, follow_symlinks=False)
        return found

else:

    def read(descriptor: int, name: bytes, path: bytes) -> Mapping[bytes, bytes]:
        """Nothing: Python knows extended attributes on Linux only."""
        return _NONE
