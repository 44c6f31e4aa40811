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
    missing = [path]
    while missing:
        try:
            os.mkdir(missing[-1], mode)
        except FileNotFoundError:
            parent = os.path.dirname(missing[-1].rstrip("/"))
            if parent in ("", "/", missing[-1]) or missing[-2:-1] == [parent]:
                raise
            missing.append(parent)
            continue
        except FileExistsError:  # another process made it, or it is not a folder
            if not os.path.isdir(missing[-1]):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), missing[-1]) from None
        missing.pop()


def make_private(path: str) -> None:
    """Create a folder and those above it that are missing, each with mode 0700. Raises `OSError`."""
    make_folders(path, 0o700)
