"""Content on its way into a layout, which becomes a blob when it is whole and is what it claims to be.

Its folder `ingest/<sha256 of the ref>` holds the same files as that of containerd's store (plugins/content/
local), so either goes on where the other was interrupted. Unlike there, one writer a ref holds among
processes too, and content that turns out wrong is dropped, for to resume it could never succeed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat as st
from dataclasses import dataclass
from datetime import UTC, datetime

from buildctl.errors import Code, ServiceError
from buildctl.oci.digest import CANONICAL, Digest
from buildctl.oci.folders import folder, open_folder
from buildctl.oci.lock import try_lock
from buildctl.system.smallfile import read_found

INGEST = "ingest"

_LOCK = "lock"
_READ_SIZE = 1 << 20
_WRITE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class IngestStatus:
    """How far a write has come; instants in nanoseconds since the Unix epoch, by the file system's clock."""

    ref: str
    offset: int
    total: int
    """Bytes expected, 0 where nobody said."""
    started_ns: int
    updated_ns: int


def folder_name(ref: str) -> str:
    """The folder of a ref below `ingest`: refs are the daemon's choice and make no path by themselves."""
    return hashlib.sha256(ref.encode("utf-8", "surrogatepass")).hexdigest()


def read_status(descriptor: int) -> IngestStatus:
    """The status that a ref's folder tells. Raises `FileNotFoundError` where it is no ingest (any more)."""
    data = os.stat("data", dir_fd=descriptor, follow_symlinks=False)
    started = os.stat("startedat", dir_fd=descriptor, follow_symlinks=False)
    ref = _read(descriptor, "ref").decode("utf-8", "replace")
    try:
        total = int(_read(descriptor, "total"))
    except (FileNotFoundError, ValueError):
        total = 0
    return IngestStatus(ref, data.st_size, total, started.st_mtime_ns, data.st_mtime_ns)


class Writer:
    """The only writer of one ref. Every method blocks and raises `ServiceError` or `OSError`."""

    def __init__(self, layout: str, ref: str, *, total: int = 0, expected: Digest | None = None) -> None:
        """Begin, or go on where an earlier writer of this ref was interrupted."""
        self.ref = ref
        self._layout = layout
        self._name = folder_name(ref)
        self._algorithm = expected.algorithm if expected else CANONICAL
        self._hash = hashlib.new(self._algorithm)
        self._data = -1
        self._folder, self._lock = self._claim()
        resumed = True
        try:
            resumed = self._resume(total)
            if not resumed:
                self._begin(total)
            self._status = read_status(self._folder)
        except BaseException:
            if not resumed:  # a full disk, say, on which what was begun is of no use to anybody
                self.discard()
            self._release()
            raise
        self.offset = self._status.offset

    @property
    def status(self) -> IngestStatus:
        """How far it was when this writer took it."""
        return self._status

    @property
    def digest(self) -> Digest:
        """Of what has been written so far."""
        return Digest(self._algorithm, self._hash.hexdigest())

    def write(self, data: bytes) -> None:
        """Append."""
        view = memoryview(data)
        while view:  # not `write_all`: on a full disk, what has come is for the next build to go on with
            written = os.write(self._data, view)
            self._hash.update(view[:written])
            self.offset += written
            view = view[written:]

    def truncate(self) -> None:
        """Begin again from nothing."""
        os.ftruncate(self._data, 0)
        os.lseek(self._data, 0, os.SEEK_SET)
        self._hash = hashlib.new(self._algorithm)
        self.offset = 0

    def commit(self, total: int = 0, expected: Digest | None = None) -> Digest:
        """Make it a blob. This ends the writer, whatever comes of it."""
        try:
            digest = self._verify(total, expected)
            with folder(self._layout, "blobs", digest.algorithm, create=True) as blobs:
                if _exists(digest.encoded, blobs):
                    raise ServiceError(Code.ALREADY_EXISTS, f"content {digest}: already exists")
                os.fsync(self._data)
                os.utime(self._data)
                os.rename("data", digest.encoded, src_dir_fd=self._folder, dst_dir_fd=blobs)
                os.fsync(blobs)
            os.fchmod(self._data, os.fstat(self._data).st_mode & 0o444)
        except ServiceError:
            self.discard()
            raise
        except BaseException:
            self.close()
            raise
        self.discard()
        return digest

    def close(self) -> None:
        """Leave it for another writer to go on with, if there is anything of it."""
        if self._folder < 0:
            return
        if self.offset == 0:
            self.discard()
            return
        with contextlib.suppress(OSError):  # of use to containerd's store alone
            self._write_instant("updatedat")
        self._release()

    def discard(self) -> None:
        """Remove what is left of it."""
        if self._folder < 0:
            return
        with contextlib.suppress(OSError):
            for name in os.listdir(self._folder):
                if name != _LOCK:
                    os.unlink(name, dir_fd=self._folder)
            os.unlink(_LOCK, dir_fd=self._folder)  # last, for it keeps others out
            with folder(self._layout, INGEST) as ingest:
                os.rmdir(self._name, dir_fd=ingest)
        self._release()

    def _claim(self) -> tuple[int, int]:
        while True:
            descriptor = open_folder(self._layout, INGEST, self._name, create=True)
            try:
                lock = try_lock(_LOCK, folder=descriptor)
            except FileNotFoundError:  # another writer removed the folder just now
                os.close(descriptor)
                continue
            except BaseException:
                os.close(descriptor)
                raise
            if lock is None:
                os.close(descriptor)
                raise ServiceError(Code.UNAVAILABLE, f"ref {self.ref} locked by another writer: unavailable")
            return descriptor, lock

    def _resume(self, total: int) -> bool:
        try:
            found = read_status(self._folder)
            if found.ref != self.ref or (total > 0 and found.total > 0 and found.total != total):
                return False
            self._open_data()
        except FileNotFoundError:
            return False
        while piece := os.read(self._data, _READ_SIZE):
            self._hash.update(piece)
        return True

    def _begin(self, total: int) -> None:
        self._write_small("ref", self.ref.encode("utf-8", "surrogatepass"))
        self._write_instant("startedat")
        self._write_instant("updatedat")
        if total > 0:
            self._write_small("total", b"%d" % total)
        if self._data < 0:
            self._open_data()
        self.truncate()

    def _open_data(self) -> None:
        self._data = os.open("data", _WRITE | os.O_NONBLOCK, 0o644, dir_fd=self._folder)
        if not st.S_ISREG(os.fstat(self._data).st_mode):
            raise ServiceError(Code.FAILED_PRECONDITION, f"what is there of ref {self.ref} is no file")

    def _verify(self, total: int, expected: Digest | None) -> Digest:
        size = os.fstat(self._data).st_size
        wanted = total if total > 0 else self.offset
        if size != wanted:
            raise ServiceError(
                Code.FAILED_PRECONDITION,
                f"unexpected commit size {size}, expected {wanted}: failed precondition",
            )
        if expected and expected.algorithm != self._algorithm:
            self._rehash(expected.algorithm)
        digest = self.digest
        if expected and digest != expected:
            raise ServiceError(
                Code.FAILED_PRECONDITION,
                f"unexpected commit digest {digest}, expected {expected}: failed precondition",
            )
        return digest

    def _rehash(self, algorithm: str) -> None:
        self._algorithm, self._hash = algorithm, hashlib.new(algorithm)
        os.lseek(self._data, 0, os.SEEK_SET)
        while piece := os.read(self._data, _READ_SIZE):
            self._hash.update(piece)

    def _write_instant(self, name: str) -> None:
        """A file that says when it was written."""
        self._write_small(name, b"")
        written = os.stat(name, dir_fd=self._folder, follow_symlinks=False).st_mtime
        self._write_small(name, datetime.fromtimestamp(written, UTC).isoformat().encode())

    def _write_small(self, name: str, data: bytes) -> None:
        descriptor = os.open(name, _WRITE | os.O_TRUNC, 0o644, dir_fd=self._folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)

    def _release(self) -> None:
        for descriptor in (self._data, self._folder, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._data = self._folder = self._lock = -1


def _exists(name: str, descriptor: int) -> bool:
    try:
        os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _read(descriptor: int, name: str) -> bytes:
    """A small file of an ingest; what is none, or is not small, is not ours."""
    try:
        return read_found(name, limit=_READ_SIZE, folder=descriptor, links=False)
    except OSError as error:
        raise FileNotFoundError(error.errno, error.strerror, name) from None
