"""Refuses the entries of a transfer that leave the tree or come out of order.

A sender walks depth-first and sorts the names of each directory by their bytes, so every entry follows its
directory and its smaller siblings. What passes here names one place below the root, names it once, and comes
after everything above it. The rules and the texts are those of fsutil's validator.go.
"""

from __future__ import annotations

from buildctl.errors import ProtocolError
from buildctl.model.quote import quote

_UNCLEAN = frozenset((b"", b"."))


class OrderValidator:
    """Checks one entry after another."""

    def __init__(self) -> None:
        # From the root down to the directory the walk is in: its path, and the last name seen in it.
        self._walk: list[tuple[bytes, bytes]] = [(b"", b"")]

    def check(self, path: bytes, *, is_directory: bool) -> None:
        """Raise `ProtocolError` unless the path is clean, relative, below the root and the next in order."""
        parent, _, name = path.rpartition(b"/")
        if name in _UNCLEAN or name == b".." or path[0] == 47 or b"\0" in name:
            raise _misshapen(path)
        walk = self._walk
        if walk[-1][0] != parent:
            while len(walk) > 1 and not (parent + b"/").startswith(walk[-1][0] + b"/"):
                walk.pop()
        directory, last = walk[-1]
        if directory != parent or last >= name:
            # A parent that is on the walk has been checked; one that is not may be of any shape.
            if directory != parent and not _is_clean(parent):
                raise _misshapen(path)
            previous = directory + b"/" + last if directory and last else directory or last
            raise ProtocolError(f"changes out of order: {quoted(path)} {quoted(previous)}")
        walk[-1] = (directory, name)
        if is_directory:
            walk.append((path, b""))


def _is_clean(path: bytes) -> bool:
    parts = path.split(b"/")
    return not path.startswith(b"/") and b".." not in parts and _UNCLEAN.isdisjoint(parts)


def _misshapen(path: bytes) -> ProtocolError:
    parts = path.split(b"/")
    if b"\0" in path:
        what = "path with a NUL byte"
    elif path.startswith(b"/"):
        what = "absolute path"
    elif parts[0] == b"..":
        what = "escape check"
    else:
        what = "unclean path"
    return ProtocolError(f"{what} {quoted(path)}: invalid argument")


def quoted(path: bytes) -> str:
    return quote(path.decode("utf-8", "surrogateescape"))
