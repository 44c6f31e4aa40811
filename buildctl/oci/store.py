"""A content store in an OCI layout: blobs by digest, read in pieces and written through an ingest.

Nothing is created before something is written. A blob may be a link, as Bazel makes them: it counts if what
it leads to has the digest, which is looked at before anything of it is told.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from buildctl.errors import Code, ServiceError
from buildctl.oci.digest import Digest, is_algorithm, parse_digest
from buildctl.oci.folders import folder
from buildctl.oci.ingest import INGEST, IngestStatus, Writer, folder_name, read_status
from buildctl.system.failure import errno_text
from buildctl.system.smallfile import open_found

_PIECE_BYTES = 1 << 20
_MOST_VERIFIED = 10_000


@dataclass(frozen=True, slots=True)
class Blob:
    """What is known of a blob without reading it."""

    digest: Digest
    size: int
    created_ns: int
    updated_ns: int


class Store:
    """The blobs below one path. Every method blocks and raises `ServiceError` or `OSError`."""

    def __init__(self, path: str, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self._verified: dict[tuple[int, ...], Digest] = {}
        """Files that links lead to, as they were when their digests were found to be right."""

    def info(self, digest: Digest) -> Blob:
        """Size and times of a blob; NOT_FOUND without it."""
        try:
            with folder(self.path, "blobs", digest.algorithm) as blobs:
                return self._info(digest, blobs)
        except FileNotFoundError:
            raise _missing(digest) from None

    def open(self, digest: Digest) -> io.FileIO:
        """The blob's file, to be closed by its taker; NOT_FOUND without it."""
        try:
            with folder(self.path, "blobs", digest.algorithm) as blobs:
                return self._open(digest, blobs)
        except FileNotFoundError:
            raise _missing(digest) from None

    def read(self, digest: Digest, *, limit: int) -> bytes:
        """A whole blob of at most `limit` bytes, verified; DATA_LOSS where it is not what it claims to be."""
        with self.open(digest) as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise ServiceError(Code.RESOURCE_EXHAUSTED, f"content {digest} is larger than {limit} bytes")
        if hashlib.new(digest.algorithm, content).hexdigest() != digest.encoded:
            raise ServiceError(Code.DATA_LOSS, f"content {digest} is damaged: its digest is another")
        return content

    def blobs(self) -> Iterator[Blob]:
        """Every blob of an algorithm that is verified here; what else lies about is passed over."""
        with suppress(FileNotFoundError), folder(self.path, "blobs") as top:
            algorithms = sorted(filter(is_algorithm, os.listdir(top)))
            for algorithm in algorithms:
                with folder(self.path, "blobs", algorithm) as blobs:
                    for name in sorted(os.listdir(blobs)):
                        with suppress(ServiceError, FileNotFoundError):
                            digest = parse_digest(f"{algorithm}:{name}")
                            yield self._info(digest, blobs)

    def delete(self, digest: Digest) -> None:
        """Remove a blob, if it is there."""
        self._check_writable()
        with suppress(FileNotFoundError), folder(self.path, "blobs", digest.algorithm) as blobs:
            os.unlink(digest.encoded, dir_fd=blobs)

    def writer(self, ref: str, *, total: int = 0, expected: Digest | None = None) -> Writer:
        """Begin or resume the write called `ref`; ALREADY_EXISTS where what is expected is there."""
        self._check_writable()
        if expected is not None and self.has(expected):
            raise ServiceError(Code.ALREADY_EXISTS, f"content {expected}: already exists")
        return Writer(self.path, ref, total=total, expected=expected)

    def has(self, digest: Digest) -> bool:
        """Whether the blob is there."""
        try:
            self.info(digest)
        except ServiceError:
            return False
        return True

    def status(self, ref: str) -> IngestStatus:
        """How far the write called `ref` has come; NOT_FOUND without it."""
        try:
            with folder(self.path, INGEST, folder_name(ref)) as descriptor:
                return read_status(descriptor)
        except FileNotFoundError:
            raise ServiceError(Code.NOT_FOUND, f"ingest ref {ref}: not found") from None

    def statuses(self) -> list[IngestStatus]:
        """Every write that was begun and not ended."""
        found = []
        with suppress(FileNotFoundError), folder(self.path, INGEST) as ingest:
            for name in sorted(os.listdir(ingest)):
                gone = suppress(FileNotFoundError, NotADirectoryError)
                with gone, folder(self.path, INGEST, name) as descriptor:
                    found.append(read_status(descriptor))
        return found

    def abort(self, ref: str) -> None:
        """Drop the write called `ref`, if there is one; a writer that is at it fails."""
        self._check_writable()
        with suppress(FileNotFoundError), folder(self.path, INGEST) as ingest:
            shutil.rmtree(folder_name(ref), dir_fd=ingest)

    def _info(self, digest: Digest, blobs: int) -> Blob:
        found = os.stat(digest.encoded, dir_fd=blobs, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            with self._open(digest, blobs) as file:
                found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ServiceError(Code.FAILED_PRECONDITION, f"content {digest} is not a regular file")
        return Blob(digest, found.st_size, found.st_mtime_ns, found.st_atime_ns)

    def _open(self, digest: Digest, blobs: int) -> io.FileIO:
        try:
            return io.FileIO(open_found(digest.encoded, folder=blobs, links=False))
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise _unusable(digest, error) from None
        try:
            file = io.FileIO(open_found(digest.encoded, folder=blobs))
        except OSError as error:
            raise _unusable(digest, error, "a link: ") from None
        try:
            self._verify(digest, file)
        except BaseException:
            file.close()
            raise
        return file

    def _verify(self, digest: Digest, file: io.FileIO) -> None:
        found = os.fstat(file.fileno())
        version = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if self._verified.get(version) == digest:
            return
        content = hashlib.new(digest.algorithm)
        while piece := file.read(_PIECE_BYTES):
            content.update(piece)
        if content.hexdigest() != digest.encoded:
            raise ServiceError(
                Code.DATA_LOSS, f"content {digest} is a link to a file that has another digest"
            )
        file.seek(0)
        if len(self._verified) >= _MOST_VERIFIED:
            self._verified.clear()
        self._verified[version] = digest

    def _check_writable(self) -> None:
        if self.read_only:
            raise ServiceError(Code.PERMISSION_DENIED, f"{self.path} is offered for reading only")


def _unusable(digest: Digest, error: OSError, what: str = "") -> Exception:
    """The error as it is, or for one that the content's own file is to blame for, in words."""
    if isinstance(error, FileNotFoundError) and what:
        return ServiceError(Code.NOT_FOUND, f"content {digest}: not found: its link leads to nothing")
    if error.errno in (errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.EACCES, errno.EPERM):
        reason = errno_text(error)
        return ServiceError(Code.FAILED_PRECONDITION, f"content {digest}: {what}{reason}")
    return error


def _missing(digest: Digest) -> ServiceError:
    return ServiceError(Code.NOT_FOUND, f"content {digest}: not found")
