"""What an entry of a transfer must not have unless it is asked for: rights that go beyond its owner's.

Received as root, a set-user-ID program would be root's for everybody on this machine, and a device a way
around the file system. Folders keep their set-group-ID bit, which only says whose new files are.
"""

from __future__ import annotations

from buildctl._pb.fsutil_pb2 import Stat
from buildctl.fsutil import filemode

_SET_ID = filemode.SETUID | filemode.SETGID
_CAPABILITIES = b"security.capability"


def is_device(mode: int) -> bool:
    """Whether a FileMode is a block or character device's."""
    return mode & (filemode.DEVICE | filemode.CHAR_DEVICE) != 0


def drop_privileges(stat: Stat) -> bool:
    """Take set-id bits and file capabilities from an entry that is no folder; whether it had any."""
    found = stat.mode & _SET_ID != 0
    if found:
        stat.mode &= ~_SET_ID
    if xattrs := stat.xattrs:  # few have any, and to look at none of them costs as much as the rest
        kept = [xattr for xattr in xattrs if xattr.key != _CAPABILITIES]
        if len(kept) < len(xattrs):
            found = True
            del xattrs[:]
            xattrs.extend(kept)
    return found
