"""The entries of a tree in the order of file transfer: depth first, names by their bytes, folders before what
is in them (fsutil's fs.go, stat.go and filter.go).

Every folder is opened by its name in its parent and never through a link, so that nothing outside the root is
seen however the tree changes meanwhile. What vanishes during the walk is left out.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from buildctl.fsutil import filemode, glob, xattrs
from buildctl.fsutil.directories import Directories
from buildctl.fsutil.filter import Filter, Scope
from buildctl.fsutil.unreadable import LeftOutError, Unreadable
from buildctl.system.failure import read_failure

_GONE = (FileNotFoundError, NotADirectoryError)
_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()  # faster than os.fsencode
_NAMES_ARE_TEXT = (_ENCODING, _ERRORS) == ("utf-8", "surrogateescape")
"""Whether Python decodes names as `glob.decode` does: but for old locales."""
_NO_XATTRS: Mapping[bytes, bytes] = {}


_LONGEST_PATH = 4095
"""Bytes; Linux takes no more, and walks deeper only step by step."""
_EARLIEST, _LATEST = -(1 << 63), (1 << 63) - 1
"""In nanoseconds since 1970: some day in 1677, and in 2262."""


def wrapped(time_ns: int) -> int:
    """A time in 64 bits: one that does not fit becomes what it is for the reference (UnixNano)."""
    return (time_ns - _EARLIEST) % (1 << 64) + _EARLIEST


class Entry(NamedTuple):
    """What is said of one path before its content."""

    path: bytes
    mode: int
    """Go's FileMode; a socket passes for an empty regular file."""
    size: int
    mtime_ns: int
    linkname: bytes = b""
    """Where a symbolic link points, or the path that a hard link was first seen at."""
    device: int = 0
    xattrs: Mapping[bytes, bytes] = _NO_XATTRS


class _Folder:
    """A folder that is being walked."""

    __slots__ = ("folders", "names", "path", "prefix", "scope", "unsent")

    def __init__(self, path: bytes, scope: Scope, unsent: bool) -> None:
        self.path = path
        self.prefix = path and path + b"/"
        self.scope = scope
        self.unsent = unsent  # it was dropped, and nothing below it has been kept so far
        self.names: Iterator[bytes] = iter(())
        self.folders: set[bytes] = set()


@dataclass(slots=True)
class Walked:
    """How far a walk has come, counted a folder at a time."""

    files: int = 0
    """Names that are no folder's, kept or not."""
    folders: int = 0
    """Folders read, the root among them."""
    odd_times: list[bytes] = field(default_factory=list)
    """Paths whose times do not fit the transfer, and are sent as others (`wrapped`)."""


def walk(
    root: Directories,
    root_path: bytes,
    choose: Filter,
    walked: Walked | None = None,
    unreadable: Unreadable | None = None,
) -> Iterator[Entry]:
    """All entries that a filter keeps, and the folders they are in. Raises `TransferError`.

    `root_path` names the root in errors, and is a shorter way for the kernel to extended attributes; `walked`
    counts what is looked at, and `unreadable` decides on what cannot be read, which is an error without it.
    """
    return _Walk(root, root_path, choose, walked or Walked(), unreadable).entries()


class _Walk:
    def __init__(
        self,
        root: Directories,
        root_path: bytes,
        choose: Filter,
        walked: Walked,
        unreadable: Unreadable | None,
    ) -> None:
        self._root = root
        self._root_path = root_path
        self._prefix = os.path.join(root_path, b"")
        self._filter = choose
        self._walked = walked
        self._unreadable = unreadable
        self._read = self._entry if unreadable is None else self._readable_entry
        self._closed: set[bytes] = set()  # folders that are sent without what is in them
        self._first_names: dict[tuple[int, int], bytes] = {}

    def entries(self) -> Iterator[Entry]:
        choose = self._filter
        keeps_all = choose.keeps_all
        stack: list[_Folder] = []
        self._push(stack, _Folder(b"", choose.root, False))
        while stack:
            parent = stack[-1]
            descriptor = self._descriptor(parent)
            prefix, folders = parent.prefix, parent.folders
            for name in parent.names:
                path = prefix + name
                is_folder = name in folders
                kept = walked = True
                scope = parent.scope
                if is_folder and not keeps_all:
                    kept, walked, scope = choose.folder(glob.decode(path), scope)
                if kept:
                    try:
                        entry = self._read(descriptor, name, path)
                    except (*_GONE, LeftOutError):
                        continue
                    except OSError as error:
                        self._fail("lstat", path, error)
                    if parent.unsent:
                        yield from self._unsent(stack)
                        descriptor = self._descriptor(parent)
                    yield entry
                if is_folder and walked:
                    self._push(stack, _Folder(path, scope, not kept))
                    break
            else:
                stack.pop()

    def _descriptor(self, folder: _Folder) -> int:
        try:
            return self._root.descriptor(folder.path)
        except _GONE:
            folder.names = iter(())
            return -1
        except OSError as error:
            self._fail("open", folder.path, error)

    def _push(self, stack: list[_Folder], folder: _Folder) -> None:
        """Read a folder's names and walk it next, unless it is gone, or cannot and need not be read.

        Of what is no folder, only what is kept: in a folder that is excluded and has to be read for an
        exception's sake, that is little or nothing.
        """
        if folder.path in self._closed:
            return
        drops = None if self._filter.keeps_all else self._filter.drops(folder.scope)
        text_prefix = glob.decode(folder.prefix)
        dropped = 0
        try:
            with os.scandir(self._root.descriptor(folder.path)) as found:
                names = []
                for entry in found:
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if drops is not None and not is_folder:
                        text = entry.name if _NAMES_ARE_TEXT else glob.decode(os.fsencode(entry.name))
                        if drops(text_prefix + text):
                            dropped += 1
                            continue
                    name = entry.name.encode(_ENCODING, _ERRORS)
                    names.append(name)
                    if is_folder:
                        folder.folders.add(name)
        except _GONE:
            return
        except OSError as error:
            if folder.unsent and isinstance(error, PermissionError):
                return
            if folder.path and self._unreadable and self._unreadable.left_out(folder.path, error):
                return
            self._fail("open", folder.path, error)
        self._walked.folders += 1
        self._walked.files += len(names) - len(folder.folders) + dropped
        names.sort()
        folder.names = iter(names)
        stack.append(folder)

    def _unsent(self, stack: list[_Folder]) -> Iterator[Entry]:
        for folder in stack:
            if folder.unsent:
                parent, _, name = folder.path.rpartition(b"/")
                try:
                    entry = self._entry(self._root.descriptor(parent), name, folder.path)
                except OSError as error:
                    self._fail("lstat", folder.path, error)
                folder.unsent = False
                yield entry

    def _entry(self, descriptor: int, name: bytes, path: bytes) -> Entry:
        if len(path) > _LONGEST_PATH:  # the daemon would fail, and its text seldom says with what
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        mtime_ns = status.st_mtime_ns
        if not _EARLIEST <= mtime_ns <= _LATEST:
            self._walked.odd_times.append(path)
            mtime_ns = wrapped(mtime_ns)
        attributes = xattrs.read(descriptor, name, self._prefix + path)
        mode = _MODES[status.st_mode]
        kind = mode & filemode.TYPE_MASK
        if not kind and status.st_nlink == 1:
            return Entry(path, mode, status.st_size, mtime_ns, b"", 0, attributes)
        if kind == filemode.DIR:
            return Entry(path, mode, 0, mtime_ns, b"", 0, attributes)
        if kind == filemode.SYMLINK:
            target = os.readlink(name, dir_fd=descriptor)
            return Entry(path, mode, status.st_size, mtime_ns, target, 0, attributes)
        linkname = b""
        if status.st_nlink > 1:
            first = self._first_names.setdefault((status.st_dev, status.st_ino), path)
            linkname = first if first != path else b""
        device = status.st_rdev if kind & filemode.DEVICE else 0
        return Entry(path, mode, status.st_size, mtime_ns, linkname, device, attributes)

    def _readable_entry(self, descriptor: int, name: bytes, path: bytes) -> Entry:
        """The entry of what can be read; where it cannot, an empty file's, or `LeftOutError`."""
        assert self._unreadable is not None
        try:
            entry = self._entry(descriptor, name, path)
        except _GONE:
            raise
        except OSError as error:
            if self._unreadable.left_out(path, error):
                raise LeftOutError from None
            raise
        is_read = entry.mode & filemode.DIR or filemode.is_regular(entry.mode)
        if is_read and not self._unreadable.keeps_size(descriptor, name, path, entry.mode):
            self._closed.add(path)
            return entry._replace(size=0)
        return entry

    def _fail(self, action: str, path: bytes, error: OSError) -> NoReturn:
        raise read_failure(action, os.path.join(self._root_path, path), error) from error


class _Modes(dict[int, int]):
    """FileMode by st_mode, but for a socket a file's: a tree has few different ones."""

    def __missing__(self, mode: int) -> int:
        self[mode] = filemode.from_st_mode(mode) & ~filemode.SOCKET
        return self[mode]


_MODES = _Modes()
