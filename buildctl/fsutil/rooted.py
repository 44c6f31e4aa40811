"""Where a path leads in a folder that is the root for its links, as it is for a daemon that was sent it.

It is for looking only: what is there may change before it is opened (containerd's fs.RootPath does the same).
"""

from __future__ import annotations

import errno
import os

_LINKS = 255
"""Followed at most, as many as by the daemon."""


def rooted(root: str, path: str) -> str:
    """The path with `root` before it and its links resolved; what does not exist is taken as it is.

    Raises `OSError` where links lead in a circle.
    """
    waiting = path.split("/")[::-1]
    way: list[str] = []
    links = 0
    while waiting:
        name = waiting.pop()
        if name == "..":
            del way[-1:]
        elif name not in ("", "."):
            target = _target(os.path.join(root, *way, name))
            if not target:
                way.append(name)
                continue
            links += 1
            if links > _LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if target.startswith("/"):
                way.clear()
            waiting += target.split("/")[::-1]
    return os.path.join(root, *way)


def lost_link(root: str, path: str) -> str:
    """Where a link points that does not lead to a file below the root; empty where there is no such link."""
    target = _target(os.path.join(root, path))
    try:
        return "" if not target or os.path.isfile(rooted(root, path)) else target
    except OSError:
        return target


def _target(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
