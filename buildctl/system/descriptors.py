"""What is open in this process, which Linux shows below /proc, and what is done where that is not mounted."""

from __future__ import annotations

import os

_OWN = "/proc/self/fd"
_MOST = 4096
"""Descriptors looked at one by one; the kernel gives the lowest that is free."""


def named(descriptor: int) -> str:
    """A path to what a descriptor stands for, whatever happens to its name; empty where there is none."""
    path = f"{_OWN}/{descriptor}"
    return path if os.path.lexists(path) else ""


def count_open() -> int:
    """How many descriptors are open."""
    for folder in ("/dev/fd", _OWN):
        try:
            return len(os.listdir(folder)) - 1  # the listing's own
        except OSError:  # on Linux /dev/fd is a link to the other
            continue
    return sum(map(_is_open, range(_MOST)))


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
