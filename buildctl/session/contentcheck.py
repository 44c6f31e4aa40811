"""Makes a build's shared key stand for contents where metadata does not tell them apart."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress

from buildctl.fsutil.sentfiles import SentFiles, Version
from buildctl.fsutil.watcher import Watcher
from buildctl.model.identity import new_id

_LOG = logging.getLogger("buildctl")


class ContentCheck:
    """What was sent of the directories of one build, in a database of each; blocking."""

    def __init__(self, records: str, directories: Iterable[str]) -> None:
        """`records` is the folder of the databases, created when missing."""
        self._records = records
        self._canonical = {path: os.path.realpath(path) for path in directories}
        self._sent: dict[str, tuple[SentFiles, Mapping[Version, bytes]]] = {}

    def shared_key(self, base: str) -> str:
        """The key to use in place of `base`; reads files that may have changed unseen.

        A directory whose database cannot be used, or is in use by another build, gets a key of its own.
        """
        digest = hashlib.sha256(base.encode())
        for directory in sorted(set(self._canonical.values())):
            try:
                sent = self._open(directory)
                try:
                    folded, expected = sent.fold(directory)
                except BaseException:
                    sent.close()
                    raise
            except (OSError, sqlite3.Error) as error:
                _LOG.debug("%s is sent as a whole, its digests cannot be used: %s", directory, error)
                folded = new_id()
            else:
                self._sent[directory] = (sent, expected)
            digest.update(b"\0" + folded.encode())
        return digest.hexdigest()

    def watcher(self, directory: str) -> Watcher | None:
        """What is to see the transfer of a directory, by its path as given; None where nothing is kept."""
        sent = self._sent.get(self._canonical[directory])
        return Watcher(*sent) if sent else None

    def close(self) -> None:
        """Let other builds have the databases."""
        for sent, _ in self._sent.values():
            with suppress(sqlite3.Error):
                sent.close()

    def _open(self, directory: str) -> SentFiles:
        name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:32]
        path = os.path.join(self._records, f"{name}.db")
        try:
            return SentFiles(path)
        except sqlite3.OperationalError:  # such as a lock
            raise
        except sqlite3.DatabaseError:
            os.unlink(path)  # it is damaged
            return SentFiles(path)
