"""What daemons were sent of a directory, so that other bytes under the same name, size and time are noticed.

A daemon compares names, sizes and times only, so it keeps the old file. Here the digest of each file that is
sent is kept in a database of the directory, with the inode and the time of the last change (ctime), which no
program can choose. Before the next build, files whose size and time are as they were once sent are looked at:
where inode or ctime differ, the file is read. Paths under which one size and time have stood for different
bytes are folded into the key under which the daemon looks for earlier files, with the digest that they have
now. So whatever a daemon has under a key was sent with the bytes that are there now.

What that rests on: rows are on the disk before the daemon may end a transfer. A database that is lost, or is
not the file it was, begins with a new random epoch, which is part of every key. A ctime is trusted once it
lies some seconds before the build: one tick of a file system's clock may see two changes. The database is
locked while a build runs; another build of the directory meanwhile has a key of its own.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sqlite3
import stat as st
import threading
from collections.abc import Iterable, Mapping
from contextlib import closing
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from buildctl.fsutil.directories import Directories
from buildctl.fsutil.walk import wrapped
from buildctl.model.identity import new_id
from buildctl.system.folders import make_private

_SETTLED_NS = 2_000_000_000
_READ_BYTES = 1 << 20
_MOST_OUTDATED = 20_000
"""Rows of files that are no more, beside as many of files that are, before all begins anew."""
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SCHEMA = """
CREATE TABLE IF NOT EXISTS epoch (id TEXT, place TEXT);
CREATE TABLE IF NOT EXISTS sent (
    path BLOB, size INTEGER, mtime INTEGER, digest BLOB, inode INTEGER, ctime INTEGER,
    PRIMARY KEY (path, size, mtime, digest)
) WITHOUT ROWID;
"""


class Version(NamedTuple):
    """What a daemon compares of a file."""

    path: bytes
    size: int
    mtime_ns: int


class Row(NamedTuple):
    """Bytes that were sent, or will be, and where they were last seen: zeros where that is too new."""

    path: bytes
    size: int
    mtime_ns: int
    digest: bytes
    inode: int
    ctime_ns: int


class SentFiles:
    """The database of one directory, locked until `close`. Blocking; may be used by several threads."""

    def __init__(self, database: str) -> None:
        """Open, or create, the file. Raises `OSError` or `sqlite3.Error` where that fails or it is locked."""
        make_private(os.path.dirname(database))
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        os.utime(database)
        status = os.stat(database)
        self._settled_ns = status.st_mtime_ns - _SETTLED_NS  # by the clock that writes ctimes
        self._path = database
        self._place = _place(database, status.st_ino)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(database, timeout=0, check_same_thread=False, isolation_level=None)
        try:
            self._execute("PRAGMA locking_mode = EXCLUSIVE")
            self._execute("PRAGMA synchronous = FULL")
            self._execute("BEGIN EXCLUSIVE")
            for statement in _SCHEMA.split(";"):
                self._execute(statement)
            kept = self._execute("SELECT id FROM epoch WHERE place = ?", (self._place,)).fetchone()
            self.epoch: str = kept[0] if kept else self._begin()
            self._execute("COMMIT")
        except BaseException:
            self._connection.close()
            raise

    def fold(self, directory: str) -> tuple[str, Mapping[Version, bytes]]:
        """What the key has to tell apart, as text, and the digests that it stands for.

        Reads the files of `directory` that may have changed unseen. Raises `OSError` or `sqlite3.Error`.
        """
        ambiguous: dict[Version, bytes] = {}
        seen: list[Row] = []
        outdated = current = 0
        rows = map(Row._make, self._execute("SELECT * FROM sent ORDER BY path"))
        root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with closing(Directories(root)) as folders:
            for path, group in groupby(rows, attrgetter("path")):
                known = list(group)
                outdated += len(known)
                present = self._present(folders, path, known)
                if present is None:
                    continue
                outdated -= 1
                current += 1
                version = Version(*present[:3])
                if {row.digest for row in known if row[:3] == version} != {present.digest}:
                    ambiguous[version] = present.digest
                if present not in known:
                    seen.append(present)
        if outdated > max(_MOST_OUTDATED, current):
            self._execute("BEGIN")
            self.epoch = self._begin()
            self._execute("COMMIT")
            ambiguous = {}
        else:
            self.add(seen)
        digest_of_all = hashlib.sha256()
        for version, digest in ambiguous.items():
            digest_of_all.update(b"%d:%b %d %d %b" % (len(version.path), *version, digest))
        return f"{self.epoch} {digest_of_all.hexdigest()}", ambiguous

    def row(self, version: Version, digest: bytes, status: os.stat_result | None) -> Row:
        """A row for bytes that were read after `status` was taken."""
        if status is None or status.st_ctime_ns > self._settled_ns:
            return Row(*version, digest, 0, 0)
        return Row(*version, digest, status.st_ino, status.st_ctime_ns)

    def add(self, rows: Iterable[Row]) -> None:
        """Keep rows, on the disk when this returns. Raises `sqlite3.Error`."""
        with self._lock:
            self._execute("BEGIN")
            self._connection.executemany("INSERT OR REPLACE INTO sent VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._execute("COMMIT")

    def remove(self) -> None:
        """Forget everything, for rows that could not be kept. Raises `OSError`."""
        os.unlink(self._path)

    def close(self) -> None:
        """Let others have the database."""
        self._connection.close()

    def _execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        return self._connection.execute(statement, values)

    def _begin(self) -> str:
        epoch = new_id()
        self._execute("DELETE FROM epoch")
        self._execute("DELETE FROM sent")
        self._execute("INSERT INTO epoch VALUES (?, ?)", (epoch, self._place))
        return epoch

    def _present(self, folders: Directories, path: bytes, rows: list[Row]) -> Row | None:
        """What is under a path now, if a daemon may take it for something that was sent."""
        parent, _, name = path.rpartition(b"/")
        try:
            descriptor = folders.descriptor(parent)
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except OSError:  # nothing that could be sent
            return None
        version = Version(path, status.st_size, wrapped(status.st_mtime_ns))
        same = [row for row in rows if row[:3] == version]
        if not same or not st.S_ISREG(status.st_mode):
            return None
        for row in same:
            if (row.inode, row.ctime_ns) == (status.st_ino, status.st_ctime_ns):
                return row
        try:
            return self.row(version, _digest(name, descriptor), status)
        except OSError:  # a key of its own makes the daemon ask for it, which says what is wrong
            return Row(*version, b"unreadable %d" % status.st_ctime_ns, 0, 0)


def _place(database: str, inode: int) -> str:
    """What a copy, such as one from a backup, does not have: an older one knows too little."""
    witness = os.path.join(os.path.dirname(database), "place")
    os.close(os.open(witness, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    status = os.stat(witness)  # it is never changed, and no program can choose its ctime
    return f"{platform.node()} {inode} {status.st_ino} {status.st_ctime_ns}"


def _digest(name: bytes, parent: int) -> bytes:
    descriptor = os.open(name, _FLAGS, dir_fd=parent)
    with open(descriptor, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").digest()
