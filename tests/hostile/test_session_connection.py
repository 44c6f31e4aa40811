"""A daemon that breaks HTTP/2 and gRPC on the very connection of `Control.Session`, or floods it.

Its Solve fails when the session has ended, as a real one's does.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from buildctl.client.client import Client
from buildctl.errors import BuildctlError
from buildctl.model.address import parse_address
from tests.hostile.case import ENDS_WITHIN, MAX_MEMORY, lay_out, offers, run_program
from tests.hostile.conftest import Survived
from tests.hostile.test_http2 import CALM, PING_FRAME, bomb, in_parts
from tests.support import http2
from tests.support.call_peer import framed
from tests.support.fsutil_sender import tree
from tests.support.hostile_daemon import Tunnel
from tests.support.http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PRIORITY,
    PUSH_PROMISE,
    RESPONSE,
    RST_STREAM,
    SERVER_GREETING,
    SETTINGS,
    TRAILERS,
    frame,
    headers,
    setting,
    window_update,
)
from tests.support.session_front import SESSION_STREAM, OuterScript, fronted_daemon

OUTPUT = "type=local,dest=out"
STREAM = SESSION_STREAM
ANSWER = headers(STREAM, RESPONSE)
ENDED = END_HEADERS | END_STREAM
LOST = "session lost: "


def floods(data: bytes, times: int = 1, begin: bytes = b"") -> OuterScript:
    """Write the same bytes again and again, and read nothing before the end."""

    async def script(tunnel: Tunnel) -> None:
        await tunnel.write(begin)
        await tunnel.flood(data, times)

    return script


def says(data: bytes) -> OuterScript:
    return floods(b"", begin=data)


def leaves(data: bytes) -> OuterScript:
    """Say something and close the connection."""

    async def script(tunnel: Tunnel) -> None:
        await tunnel.write(data)
        await tunnel.aclose()
        await asyncio.sleep(0.5)  # a daemon takes longer to fail the build than the client to see the end

    return script


def content(data: bytes, stream: int = STREAM) -> bytes:
    """Any number of bytes in DATA frames."""
    return b"".join(
        frame(DATA, 0, stream, data[start : start + (1 << 14)]) for start in range(0, len(data), 1 << 14)
    )


def message(size: int) -> bytes:
    """The head of a BytesMessage with so much data, in at most four bytes more."""
    length = b""
    left = size
    while left > 0x7F:
        length += bytes((left & 0x7F | 0x80,))
        left >>= 7
    head = b"\x0a" + length + bytes((left,))
    return bytes(1) + (len(head) + size).to_bytes(4, "big") + head


ENDLESS = frame(DATA, 0, STREAM, message((1 << 32) - 100))


@dataclass(frozen=True)
class OuterCase:
    name: str
    script: OuterScript
    says: str


CASES = [
    OuterCase(
        "no HTTP/2", says(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10), "connection: the daemon sent a frame of"
    ),
    OuterCase(
        "garbage without end",
        floods(b"garbage" * 10_000, 1000, b""),
        "connection: the daemon sent a frame of",
    ),
    OuterCase(
        "zeros without end",
        floods(bytes(1 << 16), 1000, b""),
        "connection: the daemon sent DATA on no stream",
    ),
    OuterCase("a flood of SETTINGS", floods(setting(3, 100) * 1000, 100), CALM),
    OuterCase("too many settings at once", floods(frame(SETTINGS, 0, 0, bytes(6) * 33)), CALM),
    OuterCase("a flood of PING", floods(PING_FRAME * 1000, 100), CALM),
    OuterCase(
        "a flood of PING between content",
        floods((PING_FRAME + frame(DATA, 0, STREAM, framed(b"")) * 3) * 1000, 100, ANSWER),
        CALM,
    ),
    OuterCase("a flood of PRIORITY", floods(frame(PRIORITY, 0, STREAM, bytes(5)) * 1000, 100), CALM),
    OuterCase("a flood of unknown frames", floods(frame(99, 0, 0) * 1000, 100), CALM),
    OuterCase("a flood of grants", floods(window_update(STREAM, 1) * 1000, 100), CALM),
    OuterCase(
        "a flood of GOAWAY",
        floods(frame(GOAWAY, 0, 0, bytes([0, 0, 0, STREAM, 0, 0, 0, 0])) * 1000, 100),
        CALM,
    ),
    OuterCase("a flood of empty DATA", floods(frame(DATA, 0, STREAM) * 20_000, begin=ANSWER), CALM),
    OuterCase(
        "a flood of informational answers", floods(headers(STREAM, [(":status", "103")]) * 1000, 100), CALM
    ),
    OuterCase(
        "a flood of CONTINUATION",
        floods(frame(CONTINUATION, 0, STREAM) * 200, begin=frame(HEADERS, 0, STREAM)),
        "a header block without end",
    ),
    OuterCase(
        "headers without end",
        floods(frame(CONTINUATION, 0, STREAM, bytes(16_000)), 100, frame(HEADERS, 0, STREAM)),
        "bytes of headers",
    ),
    OuterCase("a header bomb", floods(in_parts(bomb())), "bytes of headers"),
    OuterCase("a bomb of trailers", floods(in_parts(bomb()), begin=ANSWER), "bytes of headers"),
    OuterCase(
        "headers that do not decompress",
        says(frame(HEADERS, 4, STREAM, b"\xff" * 20)),
        "decompress",
    ),
    OuterCase("a window beyond 2^31", says(window_update(0, 2**31 - 1)), "a window beyond"),
    OuterCase("a window of nothing", says(window_update(0, 0)), "WINDOW_UPDATE of nothing"),
    OuterCase("a first window beyond 2^31", says(setting(4, 2**31)), "INITIAL_WINDOW_SIZE"),
    OuterCase(
        "a frame longer than allowed",
        says(ANSWER + b"\xff\xff\xff\0\0\0\0\0\1" + bytes(100)),
        "FRAME_SIZE_ERROR",
    ),
    OuterCase(
        "a frame inside a header block",
        says(frame(HEADERS, 0, STREAM) + PING_FRAME),
        "interrupted",
    ),
    OuterCase(
        "a pushed stream",
        says(ANSWER + frame(PUSH_PROMISE, 4, STREAM, bytes(3) + b"\2" + http2.block())),
        "PUSH_PROMISE",
    ),
    OuterCase(
        "a stream of the daemon's", says(ANSWER + headers(2, RESPONSE)), "a stream that was never opened"
    ),
    OuterCase(
        "content before an answer",
        floods(content(bytes(1 << 18)), 400),
        LOST + "the daemon sent DATA before a response",
    ),
    OuterCase(
        "a malformed answer",
        says(headers(STREAM, RESPONSE[1:])),
        LOST + "the daemon sent a malformed response",
    ),
    OuterCase(
        "a malformed answer and content without end",
        floods(content(bytes(1 << 18)), 400, headers(STREAM, RESPONSE[1:])),
        LOST + "the daemon sent a malformed response",
    ),
    OuterCase(
        "more content than announced",
        floods(
            content(framed(http2.GREETING)),
            400,
            headers(STREAM, [*RESPONSE, ("content-length", "40")]),
        ),
        LOST + "the daemon sent content of another length than announced",
    ),
    OuterCase(
        "a page that is not found",
        says(headers(STREAM, [(":status", "404")]) + frame(DATA, 1, STREAM, b"<html>")),
        LOST + "unexpected HTTP status code received from server: 404",
    ),
    OuterCase(
        "a page",
        says(headers(STREAM, [(":status", "200"), ("content-type", "text/html")])),
        LOST + 'unexpected content-type "text/html"',
    ),
    OuterCase(
        "no trailers",
        says(ANSWER + frame(DATA, END_STREAM, STREAM)),
        LOST + "server closed the stream without sending trailers",
    ),
    OuterCase(
        "no status in trailers",
        says(ANSWER + headers(STREAM, [("a", "b")], flags=ENDED)),
        LOST + "malformed grpc-status",
    ),
    OuterCase(
        "trailers that end nothing",
        says(ANSWER + headers(STREAM, TRAILERS)),
        LOST + "the daemon sent trailers that do not end",
    ),
    OuterCase(
        "a session that is over at once",
        says(ANSWER + headers(STREAM, TRAILERS, flags=ENDED)),
        LOST + "the daemon ended it",
    ),
    OuterCase(
        "a session that is reset",
        says(ANSWER + frame(RST_STREAM, 0, STREAM, bytes(3) + b"\2")),
        LOST + "stream terminated by RST_STREAM",
    ),
    OuterCase("a connection that is closed", leaves(ANSWER), LOST + "error reading from server: "),
    OuterCase("a connection that is closed at once", leaves(b""), LOST + "error reading from server: "),
    OuterCase(
        "a compressed message",
        says(ANSWER + frame(DATA, 0, STREAM, b"\1\0\0\0\1x")),
        "session: the daemon sent a compressed message",
    ),
    OuterCase(
        "a message of another kind",
        says(ANSWER + frame(DATA, 0, STREAM, b"\0\0\0\0\2\x10\5")),
        "a message that is no BytesMessage",
    ),
    OuterCase(
        "a message of 4 GiB of nothing",
        floods(content(bytes(1 << 18)), 400, ANSWER + ENDLESS),
        "did not begin with the HTTP/2 preface",
    ),
    OuterCase(
        "a message of 4 GiB of frames that mean nothing",
        floods(
            content(frame(99, 0, 0, bytes(16_375)) * 16), 1000, ANSWER + ENDLESS + content(http2.GREETING)
        ),
        "session: the daemon sends frame after frame without content",
    ),
    OuterCase(
        "messages of nothing for long",
        leaves(ANSWER + content(framed(b"") * 3000) * 200),
        LOST + "error reading from server: ",
    ),
    OuterCase(
        "messages of a byte without end",
        floods(content(framed(b"\0") * 3000), 1000, ANSWER + content(framed(http2.GREETING))),
        "session: the daemon sent DATA on no stream",
    ),
]
NO_CONNECTION = "failed to solve: no active session"
"""The call is made on the connection of the others then, and Solve fails as the daemon says."""
AT_ONCE = [
    OuterCase("a socket that is closed", leaves(b""), NO_CONNECTION),
    OuterCase("silence", says(b""), NO_CONNECTION),
    OuterCase("another protocol", says(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10), NO_CONNECTION),
    OuterCase("garbage at once", floods(b"garbage" * 10_000, 1000), NO_CONNECTION),
    OuterCase("no greeting", says(headers(1, RESPONSE)), NO_CONNECTION),
    OuterCase("a flood of PING in place of a greeting", floods(PING_FRAME * 1000, 100), NO_CONNECTION),
    OuterCase("a greeting and no answer", says(SERVER_GREETING), NO_CONNECTION),
    OuterCase(
        "answers without end",
        floods(content(framed(bytes(1 << 16)), stream=1) * 16, 1000, SERVER_GREETING + headers(1, RESPONSE)),
        NO_CONNECTION,
    ),
    OuterCase(
        "an answer without end",
        floods(
            frame(DATA, 0, 1, bytes(1 << 14)),
            10_000,
            SERVER_GREETING + headers(1, RESPONSE) + frame(DATA, 0, 1, b"\0\xff\xff\xff\xff"),
        ),
        NO_CONNECTION,
    ),
]
"""What a daemon does before it has heard of the session."""
AS_PROCESS = {
    "garbage without end",
    "a flood of PING between content",
    "a header bomb",
    "content before an answer",
    "a message of 4 GiB of nothing",
    "a message of 4 GiB of frames that mean nothing",
    "messages of a byte without end",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_breaks_the_connection(
    case: OuterCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(case, tmp_path, monkeypatch, answers=True)


@pytest.mark.parametrize("case", AT_ONCE, ids=lambda case: case.name)
async def test_refuses_the_connection(
    case: OuterCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(case, tmp_path, monkeypatch, answers=False)


async def run(case: OuterCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, answers: bool) -> None:
    work, outside = lay_out(tmp_path)
    monkeypatch.chdir(work)
    before = tree(outside)
    opt, attachables = offers(work, OUTPUT)
    address = parse_address(f"unix://{tmp_path / 'daemon.sock'}")
    async with fronted_daemon(tmp_path, case.script, answers=answers) as build:
        with pytest.raises(BuildctlError) as caught:
            async with asyncio.timeout(ENDS_WITHIN), Client.connect(address) as client:
                await client.solve(opt, attachables=attachables)
        assert case.says in str(caught.value)
        async with asyncio.timeout(ENDS_WITHIN):
            await build.ended.wait()
        assert build.failure is None
    assert tree(outside) == before
    assert not (work / "out").exists()


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name in AS_PROCESS], ids=lambda case: case.name
)
async def test_survives(case: OuterCase, tmp_path: Path, survived: Survived) -> None:
    work, outside = lay_out(tmp_path)
    before = tree(outside)
    async with fronted_daemon(tmp_path, case.script) as build:
        ended = await run_program(work, tmp_path / "daemon.sock", OUTPUT, seconds=ENDS_WITHIN)
        assert build.failure is None
    assert ended.exit == 1, ended.stderr
    assert case.says in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.memory < MAX_MEMORY
    assert tree(outside) == before
    assert not (work / "out").exists()
    survived(f"on the session's connection, {case.name}", ended)
