"""The link's pace and delay, with real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.slowlink import Link, slow_link

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def _through(tmp_path: Path, link: Link) -> AsyncIterator[tuple[Streams, Streams]]:
    """Both ends of a connection that goes through a link."""
    accepted: asyncio.Queue[Streams] = asyncio.Queue()
    server = await asyncio.start_unix_server(lambda *streams: accepted.put_nowait(streams), tmp_path / "far")
    async with server, slow_link(tmp_path / "far", tmp_path / "near", link) as near:
        ours = await asyncio.open_unix_connection(near)
        theirs = await accepted.get()
        try:
            yield ours, theirs
        finally:
            for _, writer in (ours, theirs):
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()


async def _send(streams: Streams, data: bytes) -> None:
    streams[1].write(data)
    await streams[1].drain()
    streams[1].write_eof()


async def test_a_round_trip_takes_both_delays(tmp_path: Path) -> None:
    async with _through(tmp_path, Link(delay=0.03, rate=1e9)) as (ours, theirs):
        trips = []
        for _ in range(5):
            began = time.monotonic()
            ours[1].write(b"ping")
            theirs[1].write(await theirs[0].readexactly(4))
            assert await ours[0].readexactly(4) == b"ping"
            trips.append(time.monotonic() - began)
    assert 0.06 <= min(trips) < 0.1


async def test_bytes_come_at_the_link_s_rate_in_both_directions_at_once(tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096  # 1 MiB: 0.5 s at this rate
    link = Link(delay=0.01, rate=len(data) / 0.5)
    async with _through(tmp_path, link) as (ours, theirs):
        began = time.monotonic()
        sent = asyncio.gather(_send(ours, data), _send(theirs, data))
        received = tuple(await asyncio.gather(theirs[0].read(-1), ours[0].read(-1)))
        took = time.monotonic() - began
        await sent
    assert received == (data, data)
    assert 0.5 <= took < 0.9  # one after the other would take 1 s


async def test_a_receiver_that_does_not_read_stops_the_sender(tmp_path: Path) -> None:
    link = Link(delay=0.01, rate=20e6)
    held_at_most = 20e6 * 0.015 + 3 * 16 * 1024
    sockets = 2 * 512 * 1024  # what the kernel's own buffers and the reader's may take
    async with _through(tmp_path, link) as (ours, _):
        ours[1].transport.set_write_buffer_limits(0)
        written = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.4):  # in which the link would carry 8 MB
                while True:
                    ours[1].write(bytes(16 * 1024))
                    written += 16 * 1024
                    await ours[1].drain()
        ours[1].transport.abort()
    assert written < held_at_most + sockets


async def test_the_end_of_one_direction_leaves_the_other_open(tmp_path: Path) -> None:
    async with _through(tmp_path, Link(delay=0.001, rate=1e9)) as (ours, theirs):
        await _send(ours, b"question")
        assert await theirs[0].read(-1) == b"question"
        await _send(theirs, b"answer")
        assert await ours[0].read(-1) == b"answer"


async def test_an_end_that_breaks_off_ends_the_other(tmp_path: Path) -> None:
    async with _through(tmp_path, Link(delay=0.001, rate=1e9)) as (ours, theirs):
        theirs[1].transport.abort()
        async with asyncio.timeout(5):
            assert await ours[0].read(-1) == b""
