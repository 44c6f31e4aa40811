"""A link with delay and a limited rate, between two unix sockets; for kernels without netem.

Each direction is a link of its own: what enters waits for the bytes before it to be sent at the link's rate,
then travels for half the round trip. Of one direction no more is held than the link itself would hold, so a
sender sees the pressure of a slow link, not of a large buffer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 16 * 1024
_QUEUE_SECONDS = 0.005
"""What may wait to be sent, in seconds at the link's rate: a router's buffer."""


@dataclass(frozen=True, slots=True)
class Link:
    """`delay` is one way, in seconds; `rate` is bytes a second, each way."""

    delay: float
    rate: float


MEASURED = Link(delay=0.010, rate=100e6 / 8)
"""20 ms of round trip, 100 Mbit/s."""


@contextlib.asynccontextmanager
async def slow_link(target: Path, listen: Path, link: Link = MEASURED) -> AsyncIterator[Path]:
    """Serve on the unix socket `listen` what is at `target`, through the link; yields `listen`."""
    connections: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()

    async def accept(listener: socket.socket) -> None:
        while True:
            near, _ = await loop.sock_accept(listener)
            near.setblocking(False)
            task = asyncio.create_task(_carry(near, target, link))
            connections.add(task)
            task.add_done_callback(connections.discard)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(listen))
        listener.listen()
        listener.setblocking(False)
        accepting = asyncio.create_task(accept(listener))
        try:
            yield listen
        finally:
            ending = [accepting, *connections]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
            os.unlink(listen)


async def _carry(near: socket.socket, target: Path, link: Link) -> None:
    loop = asyncio.get_running_loop()
    with near, socket.socket(socket.AF_UNIX) as far:
        far.setblocking(False)
        await loop.sock_connect(far, str(target))
        ways = [_Way(link, near, far), _Way(link, far, near)]
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(contextlib.suppress(OSError))  # an end went away; closing tells the other
            group = await stack.enter_async_context(_failing_as_one())
            for way in ways:
                group.create_task(way.take())
                group.create_task(way.give())


@contextlib.asynccontextmanager
async def _failing_as_one() -> AsyncIterator[asyncio.TaskGroup]:
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except* OSError as errors:
        raise OSError("a connection ended") from errors


class _Way:
    """One direction."""

    def __init__(self, link: Link, source: socket.socket, sink: socket.socket) -> None:
        self._link = link
        self._source = source
        self._sink = sink
        self._under_way: deque[tuple[float, bytes]] = deque()  # when it arrives, and what; empty is the end
        self._held = 0
        self._limit = link.rate * (link.delay + _QUEUE_SECONDS) + CHUNK_BYTES
        self._changed = asyncio.Event()

    async def take(self) -> None:
        """Take what is sent, no faster than the link carries it."""
        loop = asyncio.get_running_loop()
        free_at = 0.0  # when the link will have sent all that it was given
        while True:
            data = await loop.sock_recv(self._source, CHUNK_BYTES)
            free_at = max(loop.time(), free_at) + len(data) / self._link.rate
            self._under_way.append((free_at + self._link.delay, data))
            self._held += len(data)
            self._changed.set()
            if not data:
                return
            ahead = free_at - loop.time() - _QUEUE_SECONDS
            if ahead > 0:
                await asyncio.sleep(ahead)
            while self._held > self._limit:  # the receiver does not take what has arrived
                self._changed.clear()
                await self._changed.wait()

    async def give(self) -> None:
        """Hand out what has arrived."""
        loop = asyncio.get_running_loop()
        while True:
            while not self._under_way:
                self._changed.clear()
                await self._changed.wait()
            arrives_at, data = self._under_way[0]
            wait = arrives_at - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            if not data:
                with contextlib.suppress(OSError):
                    self._sink.shutdown(socket.SHUT_WR)
                return
            await loop.sock_sendall(self._sink, data)
            self._under_way.popleft()
            self._held -= len(data)
            self._changed.set()
