"""Tells a daemon that works in silence from one that is gone: a silent one is asked for a sign of life.

A build may say nothing for hours, so silence alone means nothing. Half-way to the limit the daemon is asked
whether it is healthy; any answer will do, that it does not know the question too. HTTP/2's PING would not: a
server of grpc-go takes one in five minutes and ends the connection of who asks more often.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # which few commands load
    from buildctl.http2.frames import Buffer
    from buildctl.session.server import ByteStream

DEFAULT_STALL_SECONDS = 60.0
"""Twice as long as daemons wait for an answer of this client."""

_BEATS = 4
"""Of the limit; they are counted, not measured, so that a process that was stopped itself blames nobody."""


class Liveness:
    """Watches one daemon while calls wait for it, and cancels them once it has been silent for too long."""

    def __init__(self, limit_seconds: float, ask: Callable[[], Awaitable[object]]) -> None:
        """`ask` returns when the daemon has answered something; a limit of 0 is none."""
        self._beat_seconds = limit_seconds / _BEATS
        self._limit_seconds = limit_seconds
        self._ask = ask
        self._asking: asyncio.Task[None] | None = None
        self._waiting: list[tuple[Any, str]] = []
        self._silent_beats = 0
        self._timer: asyncio.TimerHandle | None = None
        self.stall = ""
        """What is to be said of the silence that ended all calls, until the next begins; else empty."""

    def heard(self) -> None:
        """Take note of a sign of life."""
        self._silent_beats = 0

    @contextlib.contextmanager
    def watching(self, call: Any, name: str) -> Iterator[None]:
        """Watch while `call`, which has a `cancel()`, waits for the daemon; `name` is for people."""
        waits = (call, name)
        self._waiting.append(waits)
        if self._timer is None and self._limit_seconds > 0:
            if len(self._waiting) == 1:
                self.stall = ""  # of calls that are over; whether the daemon is silent now, these will tell
            self._silent_beats = 0
            self._arm()
        try:
            yield
            self.heard()
        finally:
            self._waiting.remove(waits)
            if not self._waiting:
                self._disarm()

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._beat_seconds, self._beat)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    def _beat(self) -> None:
        self._silent_beats += 1
        if self._silent_beats < _BEATS // 2:
            pass
        elif self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._await_answer())
        elif self._silent_beats >= _BEATS:
            names = dict.fromkeys(name for _, name in self._waiting)
            self.stall = (
                f"the daemon gave no sign of life for {self._limit_seconds:g} s; "
                f"what was waiting for it: {', '.join(names)}"
            )
            for call, _ in self._waiting:
                call.cancel()
            self._disarm()
            return
        self._arm()

    async def _await_answer(self) -> None:
        await self._ask()
        self.heard()
        self._asking = None


class Heard:
    """A `ByteStream` over another, where all that is sent or received is a sign of life.

    Where the daemon is slow to read, that it takes what is sent may be all that comes of it.
    """

    def __init__(self, stream: ByteStream, liveness: Liveness) -> None:
        self._stream = stream
        self._liveness = liveness

    async def read(self) -> Buffer | None:
        data = await self._stream.read()
        self._liveness.heard()
        return data

    async def write(self, pieces: list[Buffer]) -> None:
        await self._stream.write(pieces)
        self._liveness.heard()

    async def done_writing(self) -> None:
        await self._stream.done_writing()
