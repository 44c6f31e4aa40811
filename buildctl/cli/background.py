"""Output that a thread writes, so that a disk or reader that stalls holds up nothing but itself."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

BACKLOG_LIMIT = 16 << 20
"""Bytes that wait to be written."""
_BATCH_LIMIT = 64 << 10
_ITEM_BYTES = 100
"""What an item costs besides its data."""


class Background(Generic[T]):
    """A queue of items of known size and the thread that hands them to `write`, in batches.

    The first `OSError` of `write` ends it: what comes later is not taken. May be used from any thread.
    """

    def __init__(self, write: Callable[[list[T]], None], *, limit: int = BACKLOG_LIMIT) -> None:
        self._write = write
        self._limit = limit
        self._items: deque[tuple[T, int]] = deque()
        self._size = 0
        self._written = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self.failure: OSError | None = None
        """Why nothing can be written any more."""

    def put(self, item: T, size: int, *, at_last: bool = False) -> bool:
        """Have the item written, unless the backlog is full: what comes `at_last` fits. Never waits."""
        with self._changed:
            if self.failure is not None or self._closed:
                return False
            if self._size > self._limit and not at_last:
                return False
            self._items.append((item, size + _ITEM_BYTES))
            self._size += size + _ITEM_BYTES
            if self._thread is None:
                # A reader that never reads must not keep the process.
                self._thread = threading.Thread(target=self._run, name="buildctl-recording", daemon=True)
                self._thread.start()
            self._changed.notify()
        return True

    def close(self, patience_s: float | None = None) -> bool:
        """Wait until all is written and tell whether it is; no longer than nothing moves for `patience_s`."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        thread, written = self._thread, -1
        while thread is not None and thread.is_alive() and written != self._written:
            written = self._written
            thread.join(patience_s)
        return (thread is None or not thread.is_alive()) and self.failure is None

    def progressed(self) -> None:
        """Say that a part of a batch is written."""
        self._written += 1

    def _run(self) -> None:
        while batch := self._take():
            try:
                self._write(batch)
            except OSError as error:
                with self._changed:
                    self.failure = error
                    self._items.clear()
                return
            self.progressed()

    def _take(self) -> list[T]:
        """The next items, as soon as there are any; none at the end."""
        with self._changed:
            while not self._items and not self._closed:
                self._changed.wait()
            batch: list[T] = []
            taken = 0
            while self._items and taken < _BATCH_LIMIT:
                item, size = self._items.popleft()
                batch.append(item)
                taken += size
            self._size -= taken
            return batch
