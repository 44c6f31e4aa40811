"""Creates folders for what is this user's alone."""

from __future__ import annotations

import contextlib
import os


def make_private(path: str) -> None:
    """Create a folder and those above it that are missing, each with mode 0700. Raises `OSError`.

    `os.makedirs` leaves those above to the umask.
    """
    if os.path.isdir(path):
        return
    if parent := os.path.dirname(path):
        make_private(parent)
    with contextlib.suppress(FileExistsError):  # of another process, or no folder, which the next step says
        os.mkdir(path, 0o700)
