"""A daemon that breaks HTTP/2 and gRPC themselves, or uses them to exhaust its client."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import Callable
from pathlib import Path

import hpack
import pytest

from tests.hostile.case import Case, run
from tests.support.fsutil_receiver import request
from tests.support.hostile_daemon import HostileDaemon, Script
from tests.support.http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GREETING,
    HEADERS,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    REQUEST,
    RST_STREAM,
    SETTINGS,
    frame,
    headers,
    setting,
    window_update,
)

DIFF_COPY = "/moby.filesync.v1.FileSync/DiffCopy"
GET_SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"
SECRET_HEADERS = [(name, GET_SECRET if name == ":path" else value) for name, value in REQUEST]
FILES_HEADERS = [
    *((name, DIFF_COPY if name == ":path" else value) for name, value in REQUEST),
    ("dir-name", "context"),
]


def floods(data: bytes, times: int = 1, begin: bytes = GREETING) -> Script:
    """Write the same bytes again and again until the client ends the session."""

    async def script(daemon: HostileDaemon) -> None:
        tunnel = await daemon.tunnel(greet=False)
        with contextlib.suppress(ConnectionError):
            await tunnel.write(begin)
        await tunnel.flood(data, times)

    return script


def streams(make: Callable[[int], bytes], count: int) -> bytes:
    """Frames for so many streams."""
    return b"".join(make(2 * number + 1) for number in range(count))


def bomb() -> bytes:
    """A header block of 20 kB that stands for 64 MB: one entry of the table, named again and again."""
    encoder = hpack.Encoder()
    first = encoder.encode([("x", "y" * 4000)])
    again = encoder.encode([("x", "y" * 4000)])
    return first + again * 16_000


def in_parts(block: bytes) -> bytes:
    pieces = [block[start : start + 16_000] for start in range(0, len(block), 16_000)]
    last = len(pieces) - 1
    return b"".join(
        frame(CONTINUATION if n else HEADERS, END_HEADERS if n == last else 0, 1, piece)
        for n, piece in enumerate(pieces)
    )


def asks_in(message: bytes, *, compressed: int = 0, length: int | None = None) -> bytes:
    """A whole request for a secret whose one message is this, or is announced as longer."""
    prefix = bytes((compressed,)) + (len(message) if length is None else length).to_bytes(4, "big")
    return headers(1, SECRET_HEADERS) + frame(DATA, END_STREAM, 1, prefix + message)


def answers(data: bytes) -> Script:
    """Make a call that the client refuses without ending the session; then end the build."""

    async def script(daemon: HostileDaemon) -> None:
        tunnel = await daemon.tunnel()
        await tunnel.write(data)
        await asyncio.sleep(0.3)

    return script


async def opens_folders_and_takes_nothing(daemon: HostileDaemon) -> None:
    """250 calls for a folder, and no window for what is sent."""
    tunnel = await daemon.tunnel(greet=False)
    await tunnel.write(GREETING + setting(4, 0) + streams(lambda n: headers(n, FILES_HEADERS), 250))
    await asyncio.sleep(0.5)


PING_FRAME = frame(PING, 0, 0, bytes(8))
STAT_OF_LARGE = 1
"""Its place in the list: behind the Dockerfile."""


def large_file() -> None:
    Path("offered", "large").write_bytes(bytes(8 << 20))


def meanwhile(data: bytes, times: int = 1) -> Script:
    """Flood while a file is sent, of which the first 64 KiB have come."""

    async def script(daemon: HostileDaemon) -> None:
        tunnel = await daemon.tunnel(greet=False)
        await tunnel.write(GREETING + headers(1, FILES_HEADERS))
        await asyncio.sleep(0.3)  # the list comes first
        asked = request(STAT_OF_LARGE)
        await tunnel.write(frame(DATA, 0, 1, bytes(1) + len(asked).to_bytes(4, "big") + asked))
        came = 0
        async for piece in tunnel.pieces():
            came += len(piece)
            if came > 60_000:
                break
        await tunnel.flood(data, times)

    return script


def reset(number: int) -> bytes:
    stream = 2 * number + 3
    return headers(stream, FILES_HEADERS) + frame(RST_STREAM, 0, stream, bytes((0, 0, 0, 8)))


RESET = (8).to_bytes(4, "big")
CALM = "ENHANCE_YOUR_CALM"
HTTP2 = [
    Case("no HTTP/2", floods(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10, begin=b""), "did not begin with"),
    Case("a flood of SETTINGS", floods(setting(3, 100) * 1000, 100), CALM),
    Case("too many settings at once", floods(frame(SETTINGS, 0, 0, bytes(6) * 33)), CALM),
    Case("a flood of PING", floods(PING_FRAME * 1000, 100), CALM),
    Case("a flood of PRIORITY", floods(frame(PRIORITY, 0, 1, bytes(5)) * 1000, 100), CALM),
    Case("a flood of unknown frames", floods(frame(99, 0, 0) * 1000, 100), CALM),
    Case(
        "a flood of calls that are reset",
        floods(streams(lambda n: headers(n, SECRET_HEADERS) + frame(RST_STREAM, 0, n, RESET), 5000)),
        "resets",
    ),
    Case("a flood of empty DATA", floods(headers(1) + frame(DATA, 0, 1) * 20_000), CALM),
    Case(
        "a flood of CONTINUATION",
        floods(frame(CONTINUATION, 0, 1) * 200, begin=GREETING + frame(HEADERS, 0, 1)),
        "a header block without end",
    ),
    Case(
        "headers without end",
        floods(frame(CONTINUATION, 0, 1, bytes(16_000)), 100, GREETING + frame(HEADERS, 0, 1)),
        "bytes of headers",
    ),
    Case("a header bomb", floods(in_parts(bomb())), "bytes of headers"),
    Case(
        "headers that do not decompress", floods(frame(HEADERS, END_HEADERS, 1, b"\xff" * 20)), "decompress"
    ),
    Case("a window beyond 2^31", floods(window_update(0, 2**31 - 1)), "a window beyond"),
    Case("a window of nothing", floods(window_update(0, 0)), "WINDOW_UPDATE of nothing"),
    Case("a first window beyond 2^31", floods(setting(4, 2**31)), "INITIAL_WINDOW_SIZE"),
    Case("a frame longer than allowed", floods(b"\xff\xff\xff\0\0\0\0\0\1" + bytes(100)), "FRAME_SIZE_ERROR"),
    Case("a frame inside a header block", floods(frame(HEADERS, 0, 1) + PING_FRAME), "interrupted"),
    Case("a pushed stream", floods(frame(PUSH_PROMISE, 0, 1, bytes(4))), "PUSH_PROMISE"),
    Case(
        "DATA beyond the window of a call",
        answers(headers(1, FILES_HEADERS) + frame(DATA, 0, 1, bytes(60_000)) * 2),
    ),
    Case("a message longer than announced", answers(asks_in(b"\xff" * 10, length=3))),
    Case("a message shorter than announced", answers(asks_in(b"\x0a", length=1000))),
    Case("a message of 4 GiB", answers(asks_in(b"\x0a", length=2**32 - 1))),
    Case("a compression bomb", answers(asks_in(gzip.compress(bytes(10 << 20)), compressed=1))),
    Case("more calls than allowed", answers(streams(lambda n: headers(n, SECRET_HEADERS), 1000))),
    Case(
        "rapid resets in a transfer", meanwhile(b"".join(map(reset, range(5000)))), CALM, prepare=large_file
    ),
    Case("a flood of PING in a transfer", meanwhile(PING_FRAME * 1000, 100), CALM, prepare=large_file),
    Case(
        "windows that open and close in a transfer",
        meanwhile((setting(4, 0) + setting(4, 2**31 - 1)) * 1000, 100),
        CALM,
        prepare=large_file,
    ),
    Case("folders of which nothing is taken", opens_folders_and_takes_nothing),
]


@pytest.mark.parametrize("case", HTTP2, ids=lambda case: case.name)
async def test_breaks_http2(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await run(case, tmp_path, monkeypatch)
