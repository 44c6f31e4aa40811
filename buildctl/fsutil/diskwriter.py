"""Writes received entries below one directory, and nothing anywhere else.

Names are used relative to the descriptor of their directory and are never followed, so that a link in the
way is replaced or refused but not written through. A file's content goes to a temporary name beside its own
and is renamed when it is whole. Everything here blocks: it is called from one worker thread.

Hot for small files, each of which costs what its system calls cost: open, write, utime, close and rename.
Owner and mode take two more only where a new file does not have them from the start (`_is_born_right`).
"""

from __future__ import annotations

import errno
import itertools
import os
import secrets
import stat as st
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import BinaryIO

from buildctl._pb.fsutil_pb2 import Stat
from buildctl.errors import TransferError
from buildctl.fsutil import filemode
from buildctl.fsutil.directories import Directories
from buildctl.fsutil.unfinished import Mark, is_mark, remove_abandoned
from buildctl.system.descriptors import named
from buildctl.system.failure import write_failure
from buildctl.system.removal import remove_tree
from buildctl.system.writing import write_pieces

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD_FILE = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class IncomingFile:
    """A regular file whose content is on its way."""

    __slots__ = (
        "announced",
        "arrived",
        "descriptor",
        "mtime",
        "path",
        "permissions",
        "temporary",
        "xattrs",
    )

    def __init__(self, stat: Stat) -> None:
        self.path = stat.path
        self.announced = stat.size
        self.arrived = 0
        """Bytes, as `announced` is."""
        self.permissions = filemode.permissions(stat.mode)
        self.mtime = stat.modTime
        self.xattrs = [(xattr.key, xattr.value) for xattr in stat.xattrs] if stat.xattrs else ()
        self.temporary = b""
        """Its name until it is whole; empty before anything is written."""
        self.descriptor = -1


class DiskWriter:
    """The destination of one transfer. Raises `TransferError` for everything the disk refuses."""

    def __init__(self, destination: str, *, max_open_files: int = 32) -> None:
        self._destination = destination
        self._max_open_files = max_open_files
        self._owner = (os.getuid(), os.getgid())
        self._directories: Directories | None = None
        self._unfinished: set[IncomingFile] = set()  # files that have a temporary name
        self._open: OrderedDict[IncomingFile, None] = OrderedDict()
        # Not to be guessed, so that no entry of the transfer can have the name of a temporary file.
        self._temporary = b".tmp." + secrets.token_hex(6).encode() + b"."
        self._serial = itertools.count()
        self._mark: Mark | None = None
        # Of `_is_born_right`: the directory and permissions that were looked at last, and what was seen.
        self._born = (b"", -1)
        self._born_right = False

    def open(self) -> None:
        """Open the destination, creating it and what is missing above it with mode 0700."""
        try:
            _make_directories(self._destination)
        except OSError as error:
            raise write_failure(f"create synctarget dest dir {self._destination}", error) from error
        try:
            root = os.open(self._destination, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise write_failure(f"open synctarget dest root {self._destination}", error) from error
        self._directories = Directories(root)
        remove_abandoned(root, self._at)
        self._mark = Mark(root, self._temporary)

    def nameless_file(self) -> BinaryIO:
        """An empty file on the destination's disk, which is gone when it is closed."""
        try:
            return tempfile.TemporaryFile(buffering=0, dir=self._destination)
        except OSError as error:
            raise write_failure(f"create a temporary file in {self._destination}", error) from error

    def names(self, directory: bytes) -> list[bytes]:
        """What a directory, empty for the root, holds now."""
        try:
            names = [os.fsencode(name) for name in os.listdir(self._at(directory))]
        except OSError as error:
            raise self._failure("list", directory, error) from error
        return names if directory else [name for name in names if not is_mark(name)]

    def make_directory(self, stat: Stat) -> bool:
        """Create a directory, or take over the one that is there. True if there was one.

        It stays writable: `finish_directory` sets its mode and time, after all that is written into it.
        """
        path = stat.path
        parent, _, name = path.rpartition(b"/")
        try:
            existed = self._make_directory(self._at(parent), name)
            descriptor = self._at(path)
            if stat.xattrs:
                _set_xattrs(descriptor, [(xattr.key, xattr.value) for xattr in stat.xattrs])
            if existed:
                mode = os.fstat(descriptor).st_mode
                if mode & st.S_IRWXU != st.S_IRWXU:
                    os.fchmod(descriptor, st.S_IMODE(mode) | st.S_IRWXU)
            os.fchown(descriptor, *self._owner)
        except OSError as error:
            raise self._failure("create dir", path, error) from error
        return existed

    def make_symlink(self, stat: Stat) -> None:
        """Create a symbolic link; what it points to is its own affair."""
        parent, _, name = stat.path.rpartition(b"/")
        try:
            at = self._at(parent)
            self._place(
                at,
                name,
                lambda made: os.symlink(stat.linkname, made, dir_fd=at),
                lambda made: self._set_owner_and_time(at, made, stat.modTime),
            )
        except (OSError, ValueError) as error:
            raise self._failure("symlink", stat.path, error) from error

    def make_special(self, stat: Stat) -> None:
        """Create a device or a named pipe."""
        parent, _, name = stat.path.rpartition(b"/")
        kind, permissions = _special_type(stat.mode), filemode.permissions(stat.mode)

        def dress(made: bytes) -> None:
            self._set_owner_and_time(at, made, stat.modTime)
            _chmod_special(at, made, kind, permissions)

        try:
            at = self._at(parent)
            device = os.makedev(stat.devmajor, stat.devminor)
            self._place(at, name, lambda made: os.mknod(made, kind | permissions, device, dir_fd=at), dress)
        except (OSError, OverflowError) as error:
            raise self._failure("create device", stat.path, error) from error

    def make_link(self, path: bytes, target: bytes) -> None:
        """Create a hard link to a file of this transfer that is in its place."""
        parent, _, name = path.rpartition(b"/")
        target_parent, _, target_name = target.rpartition(b"/")

        def make(made: bytes) -> None:
            os.link(target_name, made, src_dir_fd=source, dst_dir_fd=at, follow_symlinks=False)

        try:
            source = os.dup(self._at(target_parent))  # opening the other directory may close this one
            try:
                at = self._at(parent)
                self._place(at, name, make)
            finally:
                os.close(source)
        except OSError as error:
            raise self._failure("link", path, error) from error

    def write(self, file: IncomingFile, pieces: Sequence[bytes | memoryview]) -> None:
        """Append to a file that will go on."""
        try:
            if file.descriptor < 0:
                self._open_file(file, self._at(file.path.rpartition(b"/")[0]))
                if len(self._open) >= self._max_open_files:
                    _close_file(self._open.popitem(last=False)[0])
                self._open[file] = None
            else:
                self._open.move_to_end(file)
            write_pieces(file.descriptor, pieces)
        except OSError as error:
            raise self._failure("write", file.path, error) from error

    def complete(self, file: IncomingFile, pieces: Sequence[bytes | memoryview]) -> None:
        """Append the end of a file, and give it its metadata and its name."""
        parent, _, name = file.path.rpartition(b"/")
        try:
            at = self._at(parent)
            if not file.temporary and file.permissions <= 0o777 and not file.xattrs:
                self._write_whole(file, pieces, at, parent, name)
                return
            if file.descriptor < 0:
                self._open_file(file, at)
            else:
                del self._open[file]
            descriptor = file.descriptor
            if file.xattrs:
                _set_xattrs(descriptor, file.xattrs)
            if pieces:
                write_pieces(descriptor, pieces)
            # Writing and chown clear set-id bits, so the mode comes after both.
            os.fchown(descriptor, *self._owner)
            os.fchmod(descriptor, file.permissions)
            os.utime(descriptor, ns=(file.mtime, file.mtime))
            _close_file(file)
            _replace(at, file.temporary, name)
            self._unfinished.discard(file)
        except OSError as error:
            raise self._failure("write", file.path, error) from error

    def _write_whole(
        self, file: IncomingFile, pieces: Sequence[bytes | memoryview], at: int, parent: bytes, name: bytes
    ) -> None:
        """Create a file whose content came at once, as most do: it is never open for longer than this."""
        permissions = file.permissions
        temporary = self._temporary_name()
        descriptor = os.open(temporary, _NEW_FILE, permissions, dir_fd=at)
        try:
            try:
                if pieces:
                    write_pieces(descriptor, pieces)
                if not self._is_born_right(parent, permissions, descriptor):
                    os.fchown(descriptor, *self._owner)
                    os.fchmod(descriptor, permissions)
                os.utime(descriptor, ns=(file.mtime, file.mtime))
            finally:
                os.close(descriptor)
            _replace(at, temporary, name)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=at)
            raise

    def remove(self, path: bytes) -> None:
        """Remove an entry and all below it."""
        parent, _, name = path.rpartition(b"/")
        try:
            _remove(self._at(parent), name)
        except OSError as error:
            raise self._failure("remove", path, error) from error

    def finish_directory(self, stat: Stat) -> None:
        """Give a directory its mode and time; those below it come before it."""
        try:
            descriptor = self._at(stat.path)
            os.fchmod(descriptor, filemode.permissions(stat.mode))
            os.utime(descriptor, ns=(stat.modTime, stat.modTime))
        except OSError as error:
            raise self._failure("set metadata for", stat.path, error) from error

    def close(self) -> None:
        """Close the destination and remove what is not whole. Closing it again does nothing."""
        if self._directories is None:
            return
        for file in self._unfinished:
            # Best effort: the failure that led here is what people should hear of.
            with suppress(OSError):
                _close_file(file)
            with suppress(OSError):
                os.unlink(file.temporary, dir_fd=self._at(file.path.rpartition(b"/")[0]))
        self._unfinished.clear()
        self._open.clear()
        if self._mark is not None:
            self._mark.remove()
        self._directories.close()
        self._directories = None

    def _at(self, directory: bytes) -> int:
        assert self._directories is not None, "the destination is not open"
        return self._directories.descriptor(directory)

    def _place(
        self,
        at: int,
        name: bytes,
        make: Callable[[bytes], None],
        dress: Callable[[bytes], None] = lambda made: None,
    ) -> None:
        """Make an entry under its name, or beside it and renamed over what has the name."""
        made = name
        try:
            make(made)
        except FileExistsError:
            made = self._temporary_name()
            make(made)
        try:
            dress(made)
            if made != name:
                _replace(at, made, name)
        except OSError:
            with suppress(OSError):
                os.unlink(made, dir_fd=at)
            raise
        if made != name:
            with suppress(FileNotFoundError):  # rename(2) keeps both names where they are one file
                os.unlink(made, dir_fd=at)

    def _set_owner_and_time(self, at: int, name: bytes, mtime: int) -> None:
        os.chown(name, *self._owner, dir_fd=at, follow_symlinks=False)
        os.utime(name, ns=(mtime, mtime), dir_fd=at, follow_symlinks=False)

    def _make_directory(self, at: int, name: bytes) -> bool:
        try:
            os.mkdir(name, 0o700, dir_fd=at)
        except FileExistsError:
            if st.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
                return True
            os.unlink(name, dir_fd=at)
            os.mkdir(name, 0o700, dir_fd=at)
        return False

    def _is_born_right(self, parent: bytes, permissions: int, descriptor: int) -> bool:
        """Whether a file that was just created with these permissions has them, and is ours.

        The umask, the directory's set-group-id bit or default ACL and the file system decide that, the same
        for all files with these permissions in one directory: so the first one is looked at.
        """
        born = (parent, permissions)
        if born != self._born:
            created = os.fstat(descriptor)
            self._born = born
            self._born_right = (
                st.S_IMODE(created.st_mode) == permissions and (created.st_uid, created.st_gid) == self._owner
            )
        return self._born_right

    def _open_file(self, file: IncomingFile, at: int) -> None:
        if file.temporary:
            file.descriptor = os.open(file.temporary, _OLD_FILE, dir_fd=at)
        else:
            temporary = self._temporary_name()
            file.descriptor = os.open(temporary, _NEW_FILE, 0o600, dir_fd=at)
            file.temporary = temporary
            self._unfinished.add(file)

    def _temporary_name(self) -> bytes:
        return self._temporary + b"%d" % next(self._serial)

    def _failure(self, action: str, path: bytes, error: Exception) -> TransferError:
        place = os.path.join(self._destination, path.decode("utf-8", "backslashreplace"))
        return write_failure(f"{action} {place}", error)


def _make_directories(path: str) -> None:
    """Create a directory and those above it. Whether what is there is one shows when it is opened."""
    missing = [path]
    while missing:
        try:
            os.mkdir(missing[-1], 0o700)
        except FileNotFoundError:
            parent = os.path.dirname(missing[-1].rstrip("/"))
            if not parent or missing[-2:-1] == [parent]:
                raise
            missing.append(parent)
            continue
        except FileExistsError:
            pass
        missing.pop()


def _close_file(file: IncomingFile) -> None:
    descriptor, file.descriptor = file.descriptor, -1
    if descriptor >= 0:
        os.close(descriptor)


def _replace(at: int, made: bytes, name: bytes) -> None:
    """Rename over whatever has the name; only a directory has to be removed first."""
    try:
        os.rename(made, name, src_dir_fd=at, dst_dir_fd=at)
    except IsADirectoryError:
        _remove(at, name)
        os.rename(made, name, src_dir_fd=at, dst_dir_fd=at)


def _remove(at: int, name: bytes) -> None:
    try:
        os.unlink(name, dir_fd=at)
    except (IsADirectoryError, PermissionError):  # of a directory: EISDIR on Linux, EPERM on macOS
        if not st.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
            raise
        remove_tree(name, at)


def _set_xattrs(descriptor: int, xattrs: list[tuple[bytes, bytes]] | tuple[()]) -> None:
    """Best effort, as the reference has it: few names are allowed to everyone on every file system."""
    if sys.platform == "linux":
        for key, value in xattrs:
            with suppress(OSError, ValueError):
                os.setxattr(descriptor, key, value)


def _special_type(mode: int) -> int:
    if mode & filemode.CHAR_DEVICE:
        return st.S_IFCHR
    return st.S_IFIFO if mode & filemode.NAMED_PIPE else st.S_IFBLK


def _chmod_special(at: int, name: bytes, kind: int, permissions: int) -> None:
    """Set a mode that the umask or chown changed, without following a link or opening a device."""
    if sys.platform != "linux":
        os.chmod(name, permissions, dir_fd=at, follow_symlinks=False)
        return
    # Linux has no fchmodat that does not follow; /proc names what a path descriptor stands for.
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    try:
        mode = os.fstat(descriptor).st_mode
        if st.S_IFMT(mode) != kind:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if st.S_IMODE(mode) != permissions:
            if path := named(descriptor):
                os.chmod(path, permissions)
            else:
                os.chmod(name, permissions, dir_fd=at)
    finally:
        os.close(descriptor)
