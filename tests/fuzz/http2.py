"""Fuzz the HTTP/2 server: any garbage is events or one ProtocolError, in one piece and byte by byte alike.

    python -m tests.fuzz.http2 [SECONDS [SEED]]

Garbage is a conversation that was good until bytes in it were changed, dropped, repeated or cut.
"""

from __future__ import annotations

import random
import sys
import time

from buildctl.errors import ProtocolError
from buildctl.http2.connection import Connection
from buildctl.http2.events import DataReceived, Event, RequestReceived
from tests.support.http2 import GREETING, block, frame, headers, parse, sent, setting, window_update


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
    data = bytearray(b"".join(parts))
    for _ in range(source.choice((0, 0, 1, 2, 5))):
        at = source.randrange(len(data))
        change = source.randrange(4)
        if change == 0:
            data[at] = source.randrange(256)
        elif change == 1:
            del data[at : at + source.randrange(1, 5)]
        elif change == 2:
            data[at:at] = data[at : at + source.randrange(1, 30)]
        else:
            del data[at:]
        if not data:
            break
    return bytes(data)


def outcome(data: bytes, piece: int, *, answers: bool) -> str:
    """The error, if there was one; what was sent is always whole frames."""
    connection = Connection()
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


def echo(connection: Connection, events: list[Event]) -> None:
    for event in events:
        if isinstance(event, RequestReceived):
            connection.send_headers(event.stream_id, [(":status", "200")])
        elif isinstance(event, DataReceived):
            connection.send_data(event.stream_id, [bytes(event.data)])
            connection.acknowledge(event.stream_id, len(event.data))
            if event.end_stream:
                connection.send_trailers(event.stream_id, [("grpc-status", "0")])


def main(seconds: float = 10, seed: int | None = None) -> None:
    seed = random.randrange(1 << 32) if seed is None else seed
    source = random.Random(seed)
    end = time.monotonic() + seconds
    count = 0
    errors: set[str] = set()
    while time.monotonic() < end:
        data = conversation(source)
        try:
            whole = outcome(data, 1 << 30, answers=False)
            trickle = outcome(data, 1, answers=False)
            assert whole == trickle, (whole, trickle)
            outcome(data, source.randrange(1, 100), answers=True)
        except Exception:
            print(f"seed {seed}, conversation {count}: {data.hex()}")
            raise
        count += 1
        errors.add(whole)
    print(f"seed {seed}: {count} conversations, {len(errors)} different outcomes")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10, int(sys.argv[2]) if len(sys.argv) > 2 else None)
