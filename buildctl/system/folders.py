"""Creates folders with those above them, all with one mode, which `os.makedirs` leaves to the umask."""

from __future__ import annotations

import errno
import os


def make_folders(path: str, mode: int) -> None:
    """Create a folder, unless there is one, and those above it that are missing. Raises `OSError`.

    Each gets `mode` as far as the umask allows: 0o700 for what is this user's alone.
    """
    missing: list[str] = []
    while path not in ("", "/") and not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path.rstrip("/"))
    for one in reversed(missing):
        try:
            os.mkdir(one, mode)
        except FileExistsError:  # another process made it, or it is not a folder
            if not os.path.isdir(one):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), one) from None


def make_private(path: str) -> None:
    """Create a folder and those above it that are missing, each with mode 0700. Raises `OSError`."""
    make_folders(path, 0o700)
