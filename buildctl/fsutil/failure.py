"""Says what failed at a destination, why, and what can be done about it."""

from __future__ import annotations

import errno
import os

from buildctl.errors import TransferError

_HINTS = {
    errno.ENOSPC: "free some space there, or choose a destination on another file system",
    errno.EDQUOT: "free some of the quota there, or choose a destination on another file system",
    errno.ENOENT: "create the directory it is in first",
    errno.EPIPE: "what reads the output ended before it was complete",
    errno.EROFS: "choose a destination on a file system that is not mounted read-only",
    errno.EACCES: "check the owner and the mode of the destination",
    errno.EPERM: "device files and foreign owners need root; check the owner of the destination",
    errno.ELOOP: "what is there is no directory; remove it, or choose another destination",
    errno.ENOTDIR: "what is there is no directory; remove it, or choose another destination",
    errno.ENAMETOOLONG: "the file system of the destination does not take names of this length",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


def write_failure(action: str, error: Exception) -> TransferError:
    """What failed at a destination, why, and what can be done about it."""
    # Python refuses NUL bytes and numbers that fit no C type before the system can.
    number = error.errno if isinstance(error, OSError) and error.errno else errno.EINVAL
    reason, hint = os.strerror(number), _HINTS.get(number, "")
    return TransferError(f"failed to {action}: {reason[:1].lower()}{reason[1:]}", hint=hint)
