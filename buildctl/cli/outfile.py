"""Opens the files that grow while a build runs, such as `--trace`."""

from __future__ import annotations

from buildctl.errors import BuildctlError
from buildctl.system.failure import errno_text
from buildctl.system.outfile import open_growing


def open_file(path: str, flags: int) -> int:
    """A descriptor for writing; a file it makes has mode 0600. Raises `BuildctlError`."""
    try:
        return open_growing(path, flags)
    except OSError as error:
        message = f"open {path}: {errno_text(error)}"
        raise BuildctlError(message, hint="name a file that can be written") from None


def write_failure(path: str, error: OSError) -> BuildctlError:
    """The error of a file that could be opened but not written."""
    return BuildctlError(f"write {path}: {errno_text(error)}", hint="is the disk full?")
