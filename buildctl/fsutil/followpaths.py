"""Paths that a build refers to, with every symbolic link on the way (fsutil's followlinks.go).

The daemon asks for `app/current/main.py`; if `app/current` is a link, both the link and what it leads to
must be sent. The result is a list of include patterns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from buildctl.fsutil import glob
from buildctl.fsutil.glob import PatternError
from buildctl.system.failure import read_failure


class Root(Protocol):
    """What is looked up below a root; both raise `OSError`."""

    def names(self, folder: bytes) -> list[bytes]:
        """The names in a folder."""

    def link(self, folder: bytes, name: bytes) -> bytes | None:
        """Where a symbolic link leads; None for anything else."""


def include_patterns(includes: Sequence[str], paths: Sequence[str], root: Root) -> list[str]:
    """Include patterns with those that follow from `paths`; empty where everything is asked for."""
    if not paths:
        return list(includes)
    found = follow(paths, root)
    if found is None:
        return list(includes)
    return _without_nested([*includes, *found]) or []


def follow(paths: Iterable[str], root: Root) -> list[str] | None:
    """The paths and the links passed on the way, sorted; None where one of them is the root itself.

    A component with a wildcard stands for the links it matches; what it matches besides is left to the
    pattern. For links, the root is the root of the file system. A link is followed once, whatever comes
    after it, so that circles end.
    """
    resolved: set[str] = set()
    waiting = [glob.clean(f"./{path}") for path in reversed(list(paths))]
    while waiting:
        rest = waiting.pop()
        if rest == ".." or rest.startswith("../"):  # outside: matches nothing
            resolved.add(rest)
            continue
        current = ""
        while True:
            name, _, rest = rest.partition("/")
            current = f"{current}/{name}" if current else name
            targets = _targets(current, root)
            if not rest or targets is not None:
                if current in resolved:
                    break
                resolved.add(current)
            if targets is not None:
                waiting += [_at_root(f"{target}/{rest}") for target in reversed(targets)]
            if targets is not None or not rest:
                break
    return _without_nested(sorted(resolved, key=glob.encode))


def _at_root(path: str) -> str:
    """A path from the root on, with no `..` above it; `.` for the root itself."""
    return glob.clean("/" + path)[1:] or "."


def _targets(path: str, root: Root) -> list[str] | None:
    """Where the links at a path lead, from the root on; None where there is no link."""
    folder, _, name = path.rpartition("/")
    try:
        if not _has_wildcard(name):
            target = _target(folder, name, root)
            return None if target is None else [target]
        names = sorted(root.names(glob.encode(folder)))
        matching = [entry for entry in map(glob.decode, names) if _matches(name, entry)]
        targets = [_target(folder, entry, root) for entry in matching]
        return [target for target in targets if target is not None] or None
    except (FileNotFoundError, NotADirectoryError, ValueError):  # no path holds a NUL, says ValueError
        return None
    except OSError as error:
        raise read_failure("failed to follow", glob.encode(path), error) from error


def _target(folder: str, name: str, root: Root) -> str | None:
    if name == ".":
        return None
    target = root.link(glob.encode(folder), glob.encode(name))
    if target is None:
        return None
    link = glob.decode(target)
    return link if link.startswith("/") else f"{folder}/{link}"


def _has_wildcard(name: str) -> bool:
    at = 0
    while at < len(name):
        if name[at] in "*?[":
            return True
        at += 2 if name[at] == "\\" else 1
    return False


def _matches(pattern: str, name: str) -> bool:
    try:
        return glob.match(pattern, name)
    except PatternError:
        return False


def _without_nested(paths: Iterable[str]) -> list[str] | None:
    """Paths that are not below the one kept before them; None if the root is among them."""
    kept: list[str] = []
    last = ""
    for path in paths:
        if path == ".":
            return None
        if not path.startswith(last + "/"):
            kept.append(path)
            last = path
    return kept
