"""Small files that a command leaves for scripts, such as `--metadata-file`: whole or not there at all.

Files that grow while a build runs, such as `--trace`, are opened here too.
"""

from __future__ import annotations

import contextlib
import os

from buildctl.errors import BuildctlError


def write_whole(path: str, data: bytes, *, mode: int = 0o666) -> None:
    """Write the file beside its name, with the mode as far as the umask allows, and rename it there.

    Raises `BuildctlError` naming the path; the file that was there before is untouched then.
    """
    temporary = None
    try:
        beside = os.path.join(os.path.dirname(path), f".tmp-{os.urandom(6).hex()}")
        # Not mkstemp, whose files are 0600 whatever the umask.
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        temporary = beside
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        reason = (error.strerror or str(error)).lower()
        raise BuildctlError(
            f"open {path}: {reason}", hint="check that the folder exists and is writable"
        ) from None


def open_file(path: str, flags: int) -> int:
    """A descriptor for writing a file of mode 0600. Raises `BuildctlError` in the reference's words."""
    try:
        return os.open(path, flags | os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BuildctlError(f"open {path}: {reason}", hint="name a file that can be written") from None


def write_failure(path: str, error: OSError) -> BuildctlError:
    """The error of a file that could be opened but not written."""
    reason = (error.strerror or str(error)).lower()
    return BuildctlError(f"write {path}: {reason}", hint="is the disk full?")
