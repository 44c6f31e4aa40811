"""Any bytes to the HTTP/2 client are the same data of BytesMessages, or the same error, in any pieces."""

from __future__ import annotations

import random

from buildctl.errors import ProtocolError
from buildctl.http2.client import ClientConnection
from buildctl.http2.events import DataReceived, Event, ResponseReceived, StreamReset, TrailersReceived
from buildctl.session.bytesmessage import BytesReader
from tests.fuzz.driver import Harness
from tests.support.call_peer import framed
from tests.support.http2 import (
    REQUEST,
    RESPONSE,
    SERVER_GREETING,
    TRAILERS,
    block,
    frame,
    headers,
    parse,
    sent,
    setting,
    window_update,
)

STREAMS = (1, 3)
LONGEST_HEAD = 11


def check(data: bytes) -> str:
    whole = outcome(data, 1 << 30)
    for piece in (1, 1 + sum(data) % 99):
        assert outcome(data, piece) == whole, piece
    goes_on(data)
    return whole


def conversation(source: random.Random) -> bytes:
    parts = [SERVER_GREETING, *(headers(stream, RESPONSE) for stream in STREAMS if source.random() < 0.7)]
    for _ in range(source.randrange(1, 12)):
        stream = source.choice((1, 1, 1, 3, 3, 5, 0, 2))
        section = source.choice((RESPONSE, TRAILERS, ((":status", "103"),), REQUEST))
        content = framed(source.randbytes(source.randrange(200)))
        cut = source.randrange(len(content) + 1)
        parts.append(
            source.choice(
                (
                    headers(stream, section, flags=source.choice((0, 4, 5))),
                    frame(0, 0, stream, content),
                    frame(0, 0, stream, content[:cut])
                    + frame(0, source.choice((0, 1)), stream, content[cut:]),
                    frame(0, 8, stream, b"\x03" + content + bytes(3)),
                    frame(9, source.choice((0, 4)), stream, block(RESPONSE)[: source.randrange(60)]),
                    frame(3, 0, stream, source.randbytes(4)),
                    setting(
                        source.randrange(1, 8), source.choice((0, 1, 5, 1 << 14, 1 << 20, (1 << 32) - 1))
                    ),
                    window_update(stream, source.choice((0, 1, 1 << 16, (1 << 31) - 1))),
                    frame(source.randrange(12), source.randrange(256), stream, source.randbytes(8)),
                )
            )
        )
    return b"".join(parts)


def outcome(data: bytes, piece: int) -> str:
    """How each call ended and with which data, or the error that ended all."""
    connection = begun()
    readers = {stream: BytesReader() for stream in STREAMS}
    contents = dict.fromkeys(STREAMS, b"")
    ends = dict.fromkeys(STREAMS, "")
    try:
        for start in range(0, len(data), piece):
            for event in connection.receive_data(data[start : start + piece]):
                stream = getattr(event, "stream_id", 0)
                try:
                    if isinstance(event, DataReceived) and not ends[stream]:
                        contents[stream] += read(readers[stream], event)
                except ProtocolError as error:
                    ends[stream] = str(error)
                    contents[stream] = b""  # how much came before it depends on the pieces
                ends[stream] = ends.get(stream, "") or end(event)
    except ProtocolError as error:
        parse(sent(connection))
        return str(error)
    parse(sent(connection))
    return f"{contents} {ends}"


def read(reader: BytesReader, event: DataReceived) -> bytes:
    data = b"".join(reader.feed(event.data))
    assert len(data) <= len(event.data)
    assert len(reader._head) < LONGEST_HEAD
    return data


def end(event: Event) -> str:
    if isinstance(event, DataReceived | ResponseReceived):
        return "ended" if event.end_stream else ""
    return repr(event) if isinstance(event, StreamReset | TrailersReceived) else ""


def goes_on(data: bytes) -> None:
    """Send, acknowledge and end while it comes; what is sent is always whole frames."""
    connection = begun()
    try:
        for start in range(0, len(data), 50):
            for event in connection.receive_data(data[start : start + 50]):
                if isinstance(event, DataReceived):
                    connection.acknowledge(event.stream_id, len(event.data))
                    connection.send_data(event.stream_id, [bytes(event.data)])
                elif isinstance(event, ResponseReceived):
                    connection.end(event.stream_id)
                elif isinstance(event, StreamReset):
                    connection.request(REQUEST)
            parse(sent(connection))
    except ProtocolError:
        parse(sent(connection))


def begun() -> ClientConnection:
    connection = ClientConnection()
    for _ in STREAMS:
        connection.send_data(connection.request(REQUEST), [b"content"])
    sent(connection)
    return connection


HARNESS = Harness(
    "http2_client",
    check,
    lambda: [conversation(random.Random(number)) for number in range(20)],
    words=[
        SERVER_GREETING,
        block(RESPONSE),
        headers(1, RESPONSE),
        headers(1, TRAILERS, flags=5),
        window_update(1, 1),
        setting(4, 0),
        frame(0, 1, 1, b""),
        frame(0, 0, 1, framed(b"data")),
        b"\0\0\0\0\3\x0a\1x",
        b"\0\xff\xff\xff\xff\x0a\xf9\xff\xff\xff\x0f",
    ],
    made=conversation,
)
