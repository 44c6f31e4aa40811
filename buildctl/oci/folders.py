"""The folders of a layout, opened one by one: no link below the layout's own path is followed.

Who made a layout may have put a link into it that leads elsewhere; the daemon, which chooses digests, must
neither read nor write there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from buildctl.system.folders import make_folders

_MODE = 0o755


@contextlib.contextmanager
def folder(layout: str, *names: str, create: bool = False) -> Iterator[int]:
    """A descriptor of `layout/names[0]/…` while the block runs. See `open_folder`."""
    descriptor = open_folder(layout, *names, create=create)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_folder(layout: str, *names: str, create: bool = False) -> int:
    """A descriptor of the folder, which its taker closes; with `create`, what is missing is made.

    Raises `OSError`, such as `FileNotFoundError`, or `NotADirectoryError` for a link.
    """
    if create:
        make_layout(layout)
    descriptor = os.open(layout, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in names:
        try:
            inner = _enter(descriptor, name, create)
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


def make_layout(layout: str) -> None:
    """Make the layout's own folder and those above it. Raises `OSError`."""
    make_folders(layout, _MODE)


def _enter(descriptor: int, name: str, create: bool) -> int:
    if create:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, _MODE, dir_fd=descriptor)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, dir_fd=descriptor)
