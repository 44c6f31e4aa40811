"""One HTTP/1.1 request that asks a peer to step aside, after which the connection is a plain byte stream."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from buildctl.transport.stream import ByteStream

_HEAD_LIMIT = 64 * 1024
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})(?: ([^\r\n]*))?\r\n")


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of a response, and what has come after it so far."""

    status: int
    reason: str
    head: bytes
    rest: bytes


async def ask(stream: ByteStream, request: bytes) -> Answer:
    """Send `request` and read the head of its answer; raises OSError, and ValueError for what is no HTTP."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(stream.sock, request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        chunk = await loop.sock_recv(stream.sock, 16 * 1024)
        if not chunk:
            raise ConnectionResetError
        answer += chunk
        if len(answer) > _HEAD_LIMIT:
            raise ValueError("no end of an HTTP header")
    head, _, rest = answer.partition(b"\r\n\r\n")
    if (status := _STATUS_LINE.match(head + b"\r\n")) is None:
        raise ValueError("no HTTP status line")
    return Answer(int(status[1]), (status[2] or b"").decode("latin-1"), head, rest)
