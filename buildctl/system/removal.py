"""Removes a folder with all that is in it, however deep it is, with two descriptors and no recursion."""

from __future__ import annotations

import itertools
import os

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(name: str | bytes, dir_fd: int) -> None:
    """Remove the folder `name` below the descriptor; links in it are removed and never followed.

    A folder inside a folder is moved up before it is emptied, so that nothing has to be opened more than two
    levels down. Raises `OSError`.
    """
    root = os.open(name, _FOLDER, dir_fd=dir_fd)
    try:
        numbers = itertools.count()
        folders = [entry.name for entry in _entries(root)]
        while folders:
            folder = folders.pop()
            here = os.open(folder, _FOLDER, dir_fd=root)
            try:
                for inner in _entries(here):
                    folders.append(_move_up(inner.name, here, root, numbers))
            finally:
                os.close(here)
            os.rmdir(folder, dir_fd=root)
    finally:
        os.close(root)
    os.rmdir(name, dir_fd=dir_fd)


def _entries(folder: int) -> list[os.DirEntry[str]]:
    """The folders in one from which everything else has been removed."""
    with os.scandir(folder) as entries:
        found = list(entries)
    for entry in found:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.name, dir_fd=folder)
    return [entry for entry in found if entry.is_dir(follow_symlinks=False)]


def _move_up(name: str, folder: int, root: int, numbers: itertools.count[int]) -> str:
    while True:
        free = f".removing-{next(numbers)}"
        try:
            os.stat(free, dir_fd=root, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(name, free, src_dir_fd=folder, dst_dir_fd=root)
            return free
