"""Trees that exist in memory, alone or in front of a folder, in the order of file transfer.

The walk of the disk is left as it is, for it is tuned: a tree has entries of its own, chosen by the same
filter, and both sequences are merged. Both are in one order (depth first, names by their bytes), so that this
takes one look at each.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from buildctl.fsutil import filemode, glob
from buildctl.fsutil.directories import Directories
from buildctl.fsutil.filter import Decision, Filter, Scope
from buildctl.fsutil.walk import Entry, Walked
from buildctl.model.context import File, Folder, Node, Symlink, Tree

_LINK_MODE = filemode.SYMLINK | 0o777
_IMPLIED = Folder()
"""A folder that nobody gave: there is one, for something is in it."""
_EARLIEST_S = 315_532_800
"""1980-01-01, the first day of many formats. Times are made of contents from here on, up to 2014."""


class _Inside(NamedTuple):
    """A folder that is being walked, by a loop: how deep it lies is its author's choice."""

    path: bytes
    names: Iterator[bytes]
    drops: Callable[[str], object] | None
    scope: Scope
    was_kept: bool


class MemoryTree:
    """What a tree says of paths, and what of its base is seen through it."""

    def __init__(self, tree: Tree) -> None:
        self._nodes: dict[bytes, Node | None] = {}
        self._names: dict[bytes, set[bytes]] = {b"": set()}
        for path, node in tree.nodes.items():
            assert not isinstance(node, str | bytes)
            at = glob.encode(path)
            self._nodes[at] = node
            while at and node is not None:
                parent, _, name = at.rpartition(b"/")
                self._names.setdefault(parent, set()).add(name)
                if parent:
                    self._nodes.setdefault(parent, _IMPLIED)
                at = parent

    def content(self, path: bytes) -> bytes | None:
        """What is in the file at a path; None where the tree has none."""
        node = self._nodes.get(path)
        return _data(node) if isinstance(node, File) else None

    def names(self, folder: bytes, base: Iterable[bytes]) -> list[bytes]:
        """The names in a folder, given those in the base's."""
        seen = {name for name in base if not self.hides(_join(folder, name))}
        return sorted(seen | self._names.get(folder, set()))

    def node(self, path: bytes) -> Node | None:
        """What the tree has at a path, a hidden one excepted."""
        return self._nodes.get(path)

    def hides(self, path: bytes) -> bool:
        """Whether the base's entry at a path, whatever it is, is not seen: it is hidden or replaced."""
        while path:
            if path in self._nodes and not isinstance(self._nodes[path], Folder):
                return True
            path = path.rpartition(b"/")[0]
        return False

    def entries(self, choose: Filter, walked: Walked) -> Iterator[Entry]:
        """What the filter keeps of the tree itself, with the folders that it is in."""
        walked.folders += 1
        unsent: list[Entry] = []
        inside = [self._inside(b"", choose, choose.root, was_kept=True)]
        while inside:
            folder = inside[-1]
            name = next(folder.names, None)
            if name is None:
                inside.pop()
                if not folder.was_kept and unsent:
                    unsent.pop()
                continue
            path = _join(folder.path, name)
            node = self._nodes[path]
            assert node is not None, "what is hidden has no name"
            entry = _entry(path, node)
            if not isinstance(node, Folder):
                walked.files += 1
                if folder.drops is None or not folder.drops(glob.decode(path)):
                    yield from unsent
                    unsent.clear()
                    yield entry
                continue
            walked.folders += 1
            kept, is_walked, inner = (
                (True, True, folder.scope)
                if choose.keeps_all
                else choose.folder(glob.decode(path), folder.scope)
            )
            if kept:
                yield from unsent
                unsent.clear()
                yield entry
            if is_walked:
                if not kept:
                    unsent.append(entry)
                inside.append(self._inside(path, choose, inner, was_kept=kept))

    def _inside(self, path: bytes, choose: Filter, scope: Scope, *, was_kept: bool) -> _Inside:
        drops: Callable[[str], object] | None = None if choose.keeps_all else choose.drops(scope)
        return _Inside(path, iter(sorted(self._names.get(path, ()))), drops, scope, was_kept)

    def over(self, base: Iterator[Entry], own: Iterator[Entry], root: Directories) -> Iterator[Entry]:
        """The entries of the base as they are seen through the tree, and the tree's own."""
        mine, theirs = next(own, None), _next_seen(self, base)
        while mine is not None or theirs is not None:
            if mine is None or (theirs is not None and _order(theirs.path) < _order(mine.path)):
                assert theirs is not None
                yield theirs
                theirs = _next_seen(self, base)
                continue
            if theirs is not None and theirs.path == mine.path:  # a folder here and there
                yield theirs
                theirs = _next_seen(self, base)
            else:
                yield _as_in(root, mine) if self._nodes[mine.path] is _IMPLIED else mine
            mine = next(own, None)


class BaseFilter(Filter):
    """What is sent of the base: what a filter keeps and the tree does not stand in front of."""

    keeps_all = False

    def __init__(self, choose: Filter, tree: MemoryTree) -> None:
        self._choose = choose
        self._tree = tree

    def folder(self, path: str, scope: Scope) -> Decision:
        """What becomes of a folder; one that is hidden is not even read."""
        if self._tree.hides(glob.encode(path)):
            return Decision(False, False, scope)
        if self._choose.keeps_all:
            return Decision(True, True, scope)
        return self._choose.folder(path, scope)

    def drops(self, scope: Scope) -> Callable[[str], object]:
        """Whether anything but a folder is not sent."""
        hides, node = self._tree.hides, self._tree.node
        dropped = None if self._choose.keeps_all else self._choose.drops(scope)

        def drops(path: str) -> object:
            at = glob.encode(path)
            return hides(at) or node(at) is not None or (dropped is not None and dropped(path))

        return drops


class LayeredNames:
    """What `followpaths` asks of a root, of a tree and the folder behind it."""

    def __init__(self, tree: MemoryTree, base: Directories | None) -> None:
        self._tree = tree
        self._base = base

    def names(self, folder: bytes) -> list[bytes]:
        """The names in a folder. Raises `OSError` where there is none."""
        base: list[bytes] = []
        if self._base is not None and not self._tree.hides(folder):
            try:
                base = self._base.names(folder)
            except FileNotFoundError:
                base = []
        return self._tree.names(folder, base)

    def link(self, folder: bytes, name: bytes) -> bytes | None:
        """Where a link leads; None where there is none. Raises `OSError` where there is nothing."""
        path = _join(folder, name)
        node = self._tree.node(path)
        if isinstance(node, Symlink):
            return os.fsencode(node.target)
        if node is not None:
            return None
        if self._base is None or self._tree.hides(path):
            raise FileNotFoundError
        return self._base.link(folder, name)


def _next_seen(tree: MemoryTree, base: Iterator[Entry]) -> Entry | None:
    """The next entry of the base as the tree lets it be seen."""
    for entry in base:
        node = tree.node(entry.path)
        if isinstance(node, Folder) and node is not _IMPLIED:
            return _entry(entry.path, node)
        if entry.linkname and not entry.mode & filemode.SYMLINK and tree.hides(entry.linkname):
            return entry._replace(linkname=b"")  # the first name of this file is not sent: it is one itself
        return entry
    return None


def _order(path: bytes) -> list[bytes]:
    return path.split(b"/")


def _join(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


def _as_in(root: Directories, entry: Entry) -> Entry:
    """A folder that was implied, with mode and time of the base's, where that has one."""
    folder, _, name = entry.path.rpartition(b"/")
    try:
        status = os.stat(name, dir_fd=root.descriptor(folder), follow_symlinks=False)
    except OSError:
        return entry
    mode = filemode.from_st_mode(status.st_mode)
    return entry._replace(mode=mode, mtime_ns=status.st_mtime_ns) if mode & filemode.DIR else entry


def _entry(path: bytes, node: Node) -> Entry:
    match node:
        case Folder(mode):
            return Entry(path, filemode.from_st_mode(0o040000 | mode), 0, _EARLIEST_S * 1_000_000_000)
        case Symlink(target):
            linkname = os.fsencode(target)
            return Entry(path, _LINK_MODE, len(linkname), _time_of(linkname), linkname)
        case File(_, mode, mtime_ns):
            data = _data(node)
            time = _time_of(data) if mtime_ns is None else mtime_ns
            return Entry(path, filemode.from_st_mode(0o100000 | mode), len(data), time)


def _data(file: File) -> bytes:
    assert isinstance(file.data, bytes), "a tree has encoded it"
    return file.data


def _time_of(data: bytes) -> int:
    """Nanoseconds since the epoch that stand for a content: sixty bits of its digest."""
    number = int.from_bytes(hashlib.sha256(data).digest()[:8], "big")
    seconds, rest = _EARLIEST_S + (number & 0x3FFFFFFF), (number >> 30) % 999_999_999
    return seconds * 1_000_000_000 + rest + 1  # daemons take no nanoseconds for a time that was cut off
