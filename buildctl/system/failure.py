"""Says what failed on the disk, why, and what can be done about it."""

from __future__ import annotations

import errno
import os

from buildctl.errors import TransferError

_WRITE_HINTS = {
    errno.ENOSPC: "free some space there, or choose a destination on another file system",
    errno.EDQUOT: "free some of the quota there, or choose a destination on another file system",
    errno.EISDIR: "name a file in it",
    errno.ENOENT: "create the directory it is in first",
    errno.EPIPE: "what reads the output ended before it was complete",
    errno.EROFS: "choose a destination on a file system that is not mounted read-only",
    errno.EACCES: "check the owner and the mode of the destination",
    errno.EPERM: "device files and foreign owners need root; check the owner of the destination",
    errno.ELOOP: "what is there is not a directory; remove it, or choose another destination",
    errno.ENOTDIR: "what is there is not a directory; remove it, or choose another destination",
    errno.ENAMETOOLONG: "the file system of the destination does not take names of this length",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}

_READ_HINTS = {
    errno.EACCES: "make it readable, or exclude it in .dockerignore",
    errno.EPERM: "make it readable, or exclude it in .dockerignore",
    errno.ENOENT: "it was there a moment ago; build again once nothing else changes it",
    errno.ENOTDIR: "it was a folder a moment ago; build again once nothing else changes it",
    errno.ELOOP: "it was a file a moment ago; build again once nothing else changes it",
    errno.EISDIR: "it was a file a moment ago; build again once nothing else changes it",
    errno.ENAMETOOLONG: "a daemon takes paths of 4,095 bytes at most; exclude it in .dockerignore",
    errno.EIO: "the disk could not read it; check the file system",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


_SHOWN_PATH = 1024
"""Characters; of a longer path the middle is left out."""


def errno_text(error: OSError) -> str:
    """Why, in the words of the operating system, which begin with a small letter as Go's do."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def write_failure(action: str, error: Exception) -> TransferError:
    """What failed at a destination, why, and what can be done about it."""
    # Python refuses NUL bytes and numbers that fit no C type before the system can.
    number = error.errno if isinstance(error, OSError) and error.errno else errno.EINVAL
    why = errno_text(OSError(number, os.strerror(number)))
    return TransferError(f"failed to {action}: {why}", hint=_WRITE_HINTS.get(number, ""))


def read_failure(action: str, path: bytes, error: OSError, *, hint: str = "") -> TransferError:
    """What could not be read, in the words of Go's os.PathError."""
    name = path.decode("utf-8", "backslashreplace")
    if len(name) > _SHOWN_PATH:
        end = _SHOWN_PATH // 3
        name = f"{name[: 2 * end]}... ({len(path):,} bytes) ...{name[-end:]}"
    return TransferError(
        f"{action} {name}: {errno_text(error)}",
        hint=hint or _READ_HINTS.get(error.errno or 0, ""),
    )
