"""Watches one transfer, so that what it sends is known when the directory is built again (`sentfiles`)."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from buildctl.errors import TransferError
from buildctl.fsutil.sentfiles import Row, SentFiles, Version

if TYPE_CHECKING:
    from buildctl.fsutil.content import Requested
    from buildctl.fsutil.walk import Entry

_ROWS = 10_000
"""How many are held before they go to the disk."""


class Watcher:
    """Notes what one transfer sends; used by the thread that walks and reads."""

    def __init__(self, sent: SentFiles, expected: Mapping[Version, bytes]) -> None:
        self._sent = sent
        self._expected = expected
        self._rows: list[Row] = []
        self._mtimes = array("q")

    def entries(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The entries as they are announced: the time of each is noted."""
        for entry in entries:
            self._mtimes.append(entry.mtime_ns)
            yield entry

    def content(self, file: Requested, descriptor: int | None, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks of a file as they are sent. Raises `TransferError` where the key stands for others."""
        digest = hashlib.sha256()
        status = None if descriptor is None else os.fstat(descriptor)
        for chunk in chunks:
            digest.update(chunk)
            yield chunk
        if not file.size:  # nothing is only one thing
            return
        version = Version(file.path, file.size, self._mtimes[file.number])
        found = digest.digest()
        if self._expected.get(version, found) != found:
            raise TransferError(
                f"read {file.path.decode('utf-8', 'backslashreplace')}: file changed while it was sent",
                hint="build again once nothing writes to it",
            )
        self._rows.append(self._sent.row(version, found, status))
        if len(self._rows) >= _ROWS:
            self.finish()

    def finish(self) -> None:
        """Keep what was sent, before the daemon may use it. Raises `TransferError`."""
        rows, self._rows = self._rows, []
        try:
            self._sent.add(rows)
        except sqlite3.Error as error:
            try:
                with suppress(FileNotFoundError):
                    self._sent.remove()  # the next build begins anew
            except OSError:
                raise TransferError(
                    f"failed to keep the digests of what was sent: {error}",
                    hint="make room there, or build without comparing contents",
                ) from error
