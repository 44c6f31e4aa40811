"""Pours content into calls on a client as fast as it is taken, by HTTP/2's rules; takes what it likes.

grpcio makes a message cost more than the client needs to take it. Here a million are written as one buffer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable

from tests.support.hostile_daemon import Tunnel
from tests.support.http2 import ACK, DATA, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, window_update

FRAME_BYTES = 1 << 16
FIRST_WINDOW = 65_535
INITIAL_WINDOW_SIZE = 4


class Firehose:
    """The daemon's end of a session's connection."""

    def __init__(self, tunnel: Tunnel, *, takes: bool) -> None:
        """`takes` gives the client window for all that it sends; else it has the first 64 KiB."""
        self._tunnel = tunnel
        self._takes = takes
        self._window = FIRST_WINDOW
        self._initial = FIRST_WINDOW
        self._windows: defaultdict[int, int] = defaultdict(int)  # beyond the initial one
        self._changed = asyncio.Event()
        self.ended: set[int] = set()
        """Calls that the client has ended."""
        self.data: defaultdict[int, int] = defaultdict(int)
        """Bytes that have come on each call."""
        self.is_over = False

    async def pour(self, stream_id: int, pieces: Iterable[bytes]) -> None:
        """Send content until its end, or the client's of the call."""
        for piece in pieces:
            view = memoryview(piece)
            while view:
                room = min(self._window, self._initial + self._windows[stream_id], FRAME_BYTES)
                if stream_id in self.ended or self.is_over:
                    return
                if room <= 0:
                    self._changed.clear()
                    await self._changed.wait()
                    continue
                part, view = view[:room], view[room:]
                self._window -= len(part)
                self._windows[stream_id] -= len(part)
                with contextlib.suppress(ConnectionError):
                    await self._tunnel.write(frame(DATA, 0, stream_id, part.tobytes()))

    async def take_all(self, stream_id: int) -> None:
        """Give the client window for all that it may have to send on a call."""
        self._takes = True
        await self._write(window_update(0, 1 << 30) + window_update(stream_id, 1 << 30))

    async def until_ended(self, stream_id: int) -> None:
        """Return when the client has ended the call or the session."""
        while not (stream_id in self.ended or self.is_over):
            self._changed.clear()
            await self._changed.wait()

    async def until_came(self, stream_id: int, size: int) -> None:
        """Return when so many bytes have come on a call, or no more can."""
        while self.data[stream_id] < size and not (stream_id in self.ended or self.is_over):
            self._changed.clear()
            await self._changed.wait()

    async def read(self) -> None:
        """Follow what the client says, until cancelled or its end."""
        rest = b""
        async for data in self._tunnel.pieces():
            rest += data
            while len(rest) >= 9 and len(rest) >= 9 + (size := int.from_bytes(rest[:3], "big")):
                payload = rest[9 : 9 + size]
                await self._on_frame(rest[3], rest[4], int.from_bytes(rest[5:9], "big"), payload)
                rest = rest[9 + size :]
            self._changed.set()
        self.is_over = True
        self._changed.set()

    async def _on_frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if kind == WINDOW_UPDATE:
            if stream_id:
                self._windows[stream_id] += int.from_bytes(payload, "big")
            else:
                self._window += int.from_bytes(payload, "big")
        elif kind == SETTINGS and not flags & ACK:
            for at in range(0, len(payload), 6):
                if int.from_bytes(payload[at : at + 2], "big") == INITIAL_WINDOW_SIZE:
                    self._initial = int.from_bytes(payload[at + 2 : at + 6], "big")
            await self._write(frame(SETTINGS, ACK, 0))
        elif kind == DATA and payload:
            self.data[stream_id] += len(payload)
            if self._takes:
                await self._write(window_update(0, len(payload)) + window_update(stream_id, len(payload)))
        elif kind == RST_STREAM or (kind == 1 and flags & 1):
            self.ended.add(stream_id)

    async def _write(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            await self._tunnel.write(data)


@contextlib.asynccontextmanager
async def firehose(tunnel: Tunnel, *, takes: bool = True) -> AsyncIterator[Firehose]:
    """Follow the client's frames while the block runs."""
    hose = Firehose(tunnel, takes=takes)
    reading = asyncio.create_task(hose.read())
    try:
        yield hose
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
