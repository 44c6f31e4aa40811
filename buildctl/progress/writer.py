"""Bytes to a terminal or pipe that may stall or break, without the event loop noticing.

One thread writes, one write at a time; what comes meanwhile waits here and goes out as one.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue

from buildctl.system.writing import write_all

BACKLOG_LIMIT = 64 << 20
"""Bytes that wait for a stalled reader; what exceeds them is dropped and counted."""


class StreamWriter:
    """Writes to `fd`, which stays the caller's. To be used from one running event loop.

    `dropped_note` tells the reader what the backlog could not hold: text with one `%d`, the bytes.
    """

    def __init__(self, fd: int, *, backlog_limit: int = BACKLOG_LIMIT, dropped_note: bytes = b"") -> None:
        self._fd = fd
        self._backlog_limit = backlog_limit
        self._dropped_note = dropped_note
        self._dropped = 0
        self._backlog: list[bytes] = []
        self._backlog_size = 0
        self._jobs: SimpleQueue[bytes | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self.broken: OSError | None = None
        """Why nothing can be written any more; all that comes is dropped."""

    @property
    def busy(self) -> bool:
        """A write is not over yet."""
        return not self._idle.is_set()

    def write(self, data: bytes) -> None:
        """Have `data` written, after all that came before it. Never waits."""
        if not data or self.broken is not None:
            return
        if not self.busy:
            self._start(data)
        elif self._dropped or self._backlog_size + len(data) > self._backlog_limit:
            self._dropped += len(data)
        else:
            self._backlog.append(data)
            self._backlog_size += len(data)

    async def idle(self) -> None:
        """Wait until all is written."""
        await self._idle.wait()

    async def close(self, patience_s: float | None = None) -> None:
        """Wait until all is written, at most `patience_s` seconds, and end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._idle.wait()
        self.abandon()

    def abandon(self, patience_s: float = 0.0) -> None:
        """End now, or `patience_s` later; the thread, if a reader still holds it, ends with the process."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(patience_s)
            self._thread = None

    def _start(self, data: bytes) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=_write_jobs,
                args=(self._fd, self._jobs, asyncio.get_running_loop(), self._written),
                name="buildctl-display",
                daemon=True,  # a reader that never reads must not keep the process
            )
            self._thread.start()
        self._idle.clear()
        self._jobs.put(data)

    def _written(self, error: OSError | None) -> None:
        """In the loop, after each write."""
        if error is not None:
            self.broken = error
            self._backlog.clear()
        elif self._backlog:
            data = b"".join(self._backlog)
            self._backlog.clear()
            self._backlog_size = 0
            if self._dropped:
                data += self._dropped_note % self._dropped if self._dropped_note else b""
                self._dropped = 0
            self._jobs.put(data)
            return
        self._idle.set()


def _write_jobs(
    fd: int,
    jobs: SimpleQueue[bytes | None],
    loop: asyncio.AbstractEventLoop,
    written: Callable[[OSError | None], None],
) -> None:
    """The thread: write each job whole and report it, until told to end."""
    while (data := jobs.get()) is not None:
        error: OSError | None = None
        try:
            write_all(fd, data)
        except OSError as failure:
            error = failure
        try:
            loop.call_soon_threadsafe(written, error)
        except RuntimeError:  # the loop has ended: nobody waits for this
            return
