"""Any bytes to the HTTP/2 server are events or one ProtocolError, in one piece and byte by byte alike."""

from __future__ import annotations

import random

from buildctl.errors import ProtocolError
from buildctl.http2.events import DataReceived, Event, RequestReceived
from buildctl.http2.server import ServerConnection
from tests.fuzz.driver import Harness
from tests.support.http2 import GREETING, block, frame, headers, parse, sent, setting, window_update


def check(data: bytes) -> str:
    whole = outcome(data, 1 << 30, answers=False)
    assert outcome(data, 1, answers=False) == whole
    outcome(data, 1 + sum(data) % 99, answers=True)
    return whole


def conversation(source: random.Random) -> bytes:
    parts = [GREETING]
    for _ in range(source.randrange(1, 12)):
        stream = source.choice((1, 1, 3, 5, 7, 0, 2))
        parts.append(
            source.choice(
                (
                    headers(stream, flags=source.choice((0, 4, 5))),
                    frame(0, source.choice((0, 1, 8)), stream, source.randbytes(source.randrange(60))),
                    frame(9, source.choice((0, 4)), stream, block()[: source.randrange(60)]),
                    setting(
                        source.randrange(1, 8), source.choice((0, 1, 5, 1 << 14, 1 << 20, (1 << 32) - 1))
                    ),
                    window_update(stream, source.choice((0, 1, 1 << 16, (1 << 31) - 1))),
                    frame(source.randrange(12), source.randrange(256), stream, source.randbytes(8)),
                )
            )
        )
    return b"".join(parts)


def outcome(data: bytes, piece: int, *, answers: bool) -> str:
    """The error, if there was one; what was sent is always whole frames."""
    connection = ServerConnection()
    try:
        for start in range(0, len(data), piece):
            events = connection.receive_data(data[start : start + piece])
            if answers:
                echo(connection, events)
                parse(sent(connection))
    except ProtocolError as error:
        parse(sent(connection))
        return str(error)
    parse(sent(connection))
    return ""


def echo(connection: ServerConnection, events: list[Event]) -> None:
    for event in events:
        if isinstance(event, RequestReceived):
            connection.send_headers(event.stream_id, [(":status", "200")])
        elif isinstance(event, DataReceived):
            connection.send_data(event.stream_id, [bytes(event.data)])
            connection.acknowledge(event.stream_id, len(event.data))
            if event.end_stream:
                connection.send_trailers(event.stream_id, [("grpc-status", "0")])


HARNESS = Harness(
    "http2",
    check,
    lambda: [conversation(random.Random(number)) for number in range(20)],
    words=[GREETING, block(), window_update(1, 1), setting(4, 0), frame(0, 1, 1, b"")],
    made=conversation,
)
