"""The extended attributes of an entry, as far as this process may read them."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping

_APPLE = b"com.apple."
_NONE: Mapping[bytes, bytes] = {}

if sys.platform == "linux":

    def read(descriptor: int, name: bytes, path: bytes) -> Mapping[bytes, bytes]:
        """Attributes of the entry `name` of an open folder, which was last seen at `path`. Raises `OSError`.

        The system calls know no folder descriptors. The plain path is the cheaper way to learn that there
        is nothing, as there nearly always is; but a link may have taken the place of a folder in it, so
        what is sent is read through the descriptor.
        """
        try:
            if not os.listxattr(path, follow_symlinks=False):
                return _NONE
        except OSError as error:
            if error.errno == errno.ENOTSUP:
                return _NONE
            if error.errno != errno.ENAMETOOLONG:
                raise
        safe = b"/proc/self/fd/%d/%b" % (descriptor, name)
        found = {}
        try:
            for key in map(os.fsencode, os.listxattr(safe, follow_symlinks=False)):
                if not key.startswith(_APPLE):
                    try:
                        found[key] = os.getxattr(safe, key, follow_symlinks=False)
                    except OSError:  # one that only its owner or root may read
                        continue
        except OSError as error:
            if error.errno != errno.ENOTSUP:
                raise
        return found

else:

    def read(descriptor: int, name: bytes, path: bytes) -> Mapping[bytes, bytes]:
        """Nothing: Python knows extended attributes on Linux only."""
        return _NONE
