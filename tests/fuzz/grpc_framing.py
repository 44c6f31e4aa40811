"""Content in any pieces is the same messages, or the same refusal, and messages are framed as they came."""

from __future__ import annotations

import random
import urllib.parse

from buildctl.errors import ServiceError
from buildctl.http2.grpc import MessageReader, frame_messages, percent_encode, request_timeout
from tests.fuzz.driver import Harness

LIMIT = 512


def check(data: bytes) -> str:
    messages, refusal, between = read(data, 1 << 30)
    for piece in (1, 3, 64):
        assert read(data, piece) == (messages, refusal, between), piece
    framed = b"".join(frame_messages(messages))
    assert data.startswith(framed)
    if not refusal:
        assert between is (framed == data)
    text = data.decode("utf-8", "surrogateescape")
    try:
        timeout = request_timeout([("grpc-timeout", text)])
        assert timeout is not None
        assert 0 <= timeout < 1e12
    except ServiceError:
        pass
    encoded = percent_encode(text)
    assert encoded.isascii()
    assert encoded.isprintable() or not encoded
    assert urllib.parse.unquote(encoded) == text.encode("utf-8", "replace").decode()
    return f"{len(messages)} {refusal} {between}"


def read(data: bytes, piece: int) -> tuple[list[bytes], str, bool]:
    """Messages, the refusal, and whether no message was begun at the end."""
    reader = MessageReader(LIMIT)
    messages: list[bytes] = []
    for start in range(0, len(data), piece):
        try:
            messages += reader.feed(data[start : start + piece])
        except ServiceError as error:
            return [], str(error), False  # how many came before it depends on the pieces
        assert reader.cut_size <= LIMIT
    return messages, "", reader.is_between_messages


def made(source: random.Random) -> bytes:
    sizes = [source.choice((0, 1, 4, 5, 60, LIMIT - 1, LIMIT)) for _ in range(source.randrange(6))]
    return b"".join(frame_messages(source.randbytes(size) for size in sizes))


HARNESS = Harness(
    "grpc_framing",
    check,
    lambda: [b"", b"\0\0\0\0\0", b"\0\0\0\0\3abc", b"99999999H", b"1n"],
    words=(b"\0\0\0\0\0", b"\0\0\0\x02\0", b"\0\0\0\x02\1", b"\1\0\0\0\0", b"\0\xff\xff\xff\xff"),
    made=made,
)
