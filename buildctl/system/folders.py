"""Creates folders with those above them, all with one mode, which `os.makedirs` leaves to the umask."""

from __future__ import annotations

import errno
import os


def make_folders(path: str, mode: int) -> None:
    """Create a folder, unless there is one, and those above it that are missing. Raises `OSError`.

    Each gets `mode` as far as the umask allows: 0o700 for what is this user's alone.
    """
    if os.path.isdir(path):
        return
    if (parent := os.path.dirname(path.rstrip("/"))) not in ("", "/"):
        make_folders(parent, mode)
    try:
        os.mkdir(path, mode)
    except FileExistsError:  # another process made it, or it is not a folder
        if not os.path.isdir(path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path) from None


def make_private(path: str) -> None:
    """Create a folder and those above it that are missing, each with mode 0700. Raises `OSError`."""
    make_folders(path, 0o700)
