"""Decides how a path is written, for every file that the client leaves, so that nothing is left half-written.

- A pipe, a device and a descriptor (`/dev/stdout`, `/dev/fd/5`, a link to them) get the bytes as they come.
- A regular file, and one that does not exist yet, is written beside its name and renamed when it is whole. It
  keeps its mode, owner and extended attributes. A link to a file stays; the file it leads to is written.
- A regular file that a rename would harm, or that cannot be renamed over, is written in place when all bytes
  are here: one with several hard links, one whose owner cannot be kept, a mount point, a file in a folder
  that is not writable, another user's file in a sticky folder. Should that fail, the error says that the
  file is damaged.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat as st
import sys
from collections.abc import Sequence
from contextlib import suppress

from buildctl.errors import TransferError
from buildctl.system.beside import create_beside, remove_stale
from buildctl.system.failure import errno_text, write_failure
from buildctl.system.place import Place, check_file, descriptor_of, require_working_folder
from buildctl.system.writing import Data, write_all, write_pieces

_OLD = os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC
_NOT_BESIDE = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_RENAME = (*_NOT_BESIDE, errno.EBUSY, errno.EXDEV)
_OF_CONTENT = ("security.capability", "security.ima", "security.evm")
"""Attributes that vouch for what a file holds, so the kernel, too, takes them from a file that is written."""
_CHUNK = 1 << 20


class OutFile:
    """One path as it is written. Every method blocks and raises `TransferError`."""

    def __init__(self, path: str, *, mode: int = 0o666) -> None:
        """`mode` is that of a file which does not exist yet, as far as the umask allows."""
        self._path = path
        self._mode = mode
        self._place = Place(path, None)
        self._descriptor = -1
        self._temporary = ""
        self._target = -1  # what is written in place
        self._cuts = False

    @property
    def streams(self) -> bool:
        """Whether bytes go where they cannot be taken back, once it is open."""
        return self._place.streams

    def open(self) -> None:
        """Find out how the path is to be written, and begin."""
        try:
            self._place = place = check_file(self._path)
            if place.descriptor >= 0:
                self._open_descriptor(place.descriptor)
            elif place.streams:
                self._descriptor = os.open(self._path, _OLD)
            else:
                self._open_temporary(place)
        except OSError as error:
            raise write_failure(f"create {self._path}", error) from error

    def write(self, pieces: Sequence[Data]) -> None:
        """Append all pieces."""
        try:
            write_pieces(self._descriptor, pieces)
        except OSError as error:
            raise write_failure(f"write {self._path}", error) from error

    def commit(self) -> None:
        """Make what was written the path's content, whole; a file that cannot have it stays as it was."""
        try:
            if not self._place.streams:
                self._deliver()
            elif self._cuts:
                os.ftruncate(self._descriptor, os.lseek(self._descriptor, 0, os.SEEK_CUR))
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
        except OSError as error:
            raise write_failure(f"write {self._path}", error) from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Leave nothing of what is not committed."""
        if self._temporary:
            with suppress(OSError):
                os.unlink(self._temporary)
            self._temporary = ""
        for descriptor in (self._descriptor, self._target):
            if descriptor >= 0:
                with suppress(OSError):
                    os.close(descriptor)
        self._descriptor = self._target = -1

    def _open_descriptor(self, number: int) -> None:
        """Write where its owner would, also into a socket, which cannot be opened by its name."""
        flags = fcntl.fcntl(number, fcntl.F_GETFL)
        if flags & os.O_ACCMODE == os.O_RDONLY:
            self._descriptor = os.open(self._path, _OLD)
        else:
            self._descriptor = os.dup(number)
        if st.S_ISREG(os.fstat(self._descriptor).st_mode) and not flags & os.O_APPEND:
            # Who opened a file and wrote nothing yet wants no rest of what was there.
            self._cuts = os.lseek(self._descriptor, 0, os.SEEK_CUR) == 0

    def _open_temporary(self, place: Place) -> None:
        folder = os.path.dirname(place.name)
        if place.renames:
            remove_stale(folder)
            try:
                # What others may not read is not to be read by them before it is whole, either.
                mode = self._mode if place.status is None else 0o600
                self._descriptor, self._temporary = create_beside(place.name, mode)
            except OSError as error:
                if place.status is None or error.errno not in _NOT_BESIDE:
                    raise
            else:
                if place.status is None or _dress(self._descriptor, place.name, place.status):
                    return
                self.discard()
        self._place = place._replace(renames=False)
        self._target = os.open(self._path, _OLD)
        self._descriptor = _nameless(folder)

    def _deliver(self) -> None:
        if self._place.renames:
            # A disk may refuse what it took when the file is closed (close(2)); and the lock is to last.
            os.close(os.dup(self._descriptor))
            try:
                os.rename(self._temporary, self._place.name)
            except OSError as error:
                if self._place.status is None or error.errno not in _NO_RENAME:
                    raise
            else:
                self._temporary = ""
                return
        self._overwrite()

    def _overwrite(self) -> None:
        """Copy what is whole into the file that is there, which stays the file it is."""
        if self._target < 0:
            self._target = os.open(self._path, _OLD)
        target, offset, size = self._target, 0, os.fstat(self._descriptor).st_size
        _reserve(target, size)
        try:
            while piece := os.pread(self._descriptor, _CHUNK, offset):
                write_all(target, piece)
                offset += len(piece)
            os.ftruncate(target, size)
            os.close(os.dup(target))
        except OSError as error:
            raise TransferError(
                f"failed to write {self._path}: {errno_text(error)}; the file is damaged: what was there is"
                " overwritten in part",
                hint="it had to be written in place; build again, or name a file that does not exist",
            ) from error


def write_whole(path: str, data: Data, *, mode: int = 0o666) -> None:
    """Write a small file as `OutFile` does. Raises `TransferError`."""
    file = OutFile(path, mode=mode)
    try:
        file.open()
        file.write([data])
        file.commit()
    finally:
        file.discard()


def open_growing(path: str, flags: int, mode: int = 0o600) -> int:
    """A descriptor for a file that grows while a build runs, such as a trace. Raises `OSError`.

    `flags` say whether a regular file is emptied or appended to; a descriptor that the path names is neither.
    """
    number = descriptor_of(path)
    if number >= 0 and fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
        return os.dup(number)
    require_working_folder(path)
    return os.open(path, flags | os.O_CREAT | _OLD, mode)


def _nameless(folder: str) -> int:
    """A file without a name, in the folder if that takes one: its disk has to have the room anyway."""
    import tempfile  # seldom needed

    for place in (folder or ".", None):
        with suppress(OSError), tempfile.TemporaryFile(buffering=0, dir=place) as file:
            return os.dup(file.fileno())
    with tempfile.TemporaryFile(buffering=0) as file:
        return os.dup(file.fileno())


def _dress(descriptor: int, name: str, status: os.stat_result) -> bool:
    """Give a new file the owner, attributes and mode of the one it is to replace; False if that cannot be.

    The bits that make a program run as another are left out: writing takes them from a file as well.
    """
    try:
        born = os.fstat(descriptor)
        if (born.st_uid, born.st_gid) != (status.st_uid, status.st_gid):
            os.fchown(descriptor, status.st_uid, status.st_gid)
        if sys.platform == "linux":
            _copy_attributes(descriptor, name)
        os.fchmod(descriptor, status.st_mode & 0o1777)
    except OSError:
        return False
    return True


def _copy_attributes(descriptor: int, name: str) -> None:
    if sys.platform == "linux":
        try:
            wanted = {key: os.getxattr(name, key) for key in os.listxattr(name) if key not in _OF_CONTENT}
            born = os.listxattr(descriptor)
        except OSError as error:
            if error.errno == errno.ENOTSUP:
                return
            raise
        for key in born:  # such as the folder's default ACL
            if key not in wanted and key not in _OF_CONTENT:
                os.removexattr(descriptor, key)
        for key, value in wanted.items():
            if key not in born or os.getxattr(descriptor, key) != value:
                os.setxattr(descriptor, key, value)


def _reserve(descriptor: int, size: int) -> None:
    """Have the disk's room for as many bytes before the first is overwritten. Raises `OSError`."""
    before = os.fstat(descriptor).st_size
    if size <= before or not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(descriptor, before, size - before)
    except OSError as error:
        with suppress(OSError):
            os.ftruncate(descriptor, before)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
