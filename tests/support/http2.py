"""Raw HTTP/2 for tests: frames written by hand, and the `h2` library as an independent peer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import h2.config
import h2.connection
import hpack
from hyperframe import frame as hyperframe

from buildctl.http2.client import ClientConnection
from buildctl.http2.connection import Connection
from buildctl.http2.events import Event
from buildctl.http2.frames import PREFACE
from buildctl.http2.server import ServerConnection

REQUEST = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/test.T/Echo"),
    (":authority", "localhost"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
)
RESPONSE = ((":status", "200"), ("content-type", "application/grpc"))
TRAILERS = (("grpc-status", "0"),)


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Any frame, possible or not."""
    head = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream_id.to_bytes(4, "big")
    return head + payload


DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    range(10)
)
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 1, 1, 4, 8, 32

GREETING = PREFACE + frame(SETTINGS, 0, 0)
SERVER_GREETING = frame(SETTINGS, 0, 0)


def block(section: Iterable[tuple[str | bytes, str | bytes]] = REQUEST) -> bytes:
    """A header block that leaves no trace in the table, so that blocks are good in any order."""
    return bytes(hpack.Encoder().encode([(name, value, True) for name, value in section]))


def headers(stream_id: int, section: Any = REQUEST, flags: int = END_HEADERS) -> bytes:
    return frame(HEADERS, flags, stream_id, block(section))


def setting(key: int, value: int) -> bytes:
    return frame(SETTINGS, 0, 0, key.to_bytes(2, "big") + value.to_bytes(4, "big"))


def window_update(stream_id: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream_id, increment.to_bytes(4, "big"))


def sent(connection: Connection, limit: int = 1 << 30) -> bytes:
    return b"".join(connection.data_to_send(limit))


def parse(data: bytes) -> list[Any]:
    """Frames, by an independent parser."""
    frames: list[Any] = []
    view = memoryview(data)
    while view:
        one, size = hyperframe.Frame.parse_frame_header(view[:9])
        one.parse_body(view[9 : 9 + size])
        frames.append(one)
        view = view[9 + size :]
    return frames


def greeted() -> ServerConnection:
    """A connection that the peer has begun, with nothing left to send."""
    connection = ServerConnection()
    connection.receive_data(GREETING)
    sent(connection)
    return connection


def called() -> ClientConnection:
    """A connection that both ends have begun, with a request on stream 1 and nothing left to send."""
    connection = ClientConnection()
    connection.request(REQUEST)
    connection.receive_data(SERVER_GREETING)
    sent(connection)
    return connection


def receive_all(connection: Connection, pieces: Iterable[bytes]) -> list[Event]:
    return [event for piece in pieces for event in connection.receive_data(piece)]


class Pair:
    """An h2 client and our server, joined in memory."""

    def __init__(self, piece: int = 1 << 30) -> None:
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.server = ServerConnection()
        self.piece = piece
        self.server_events: list[Event] = []
        self.client_events: list[Any] = []
        self.client.initiate_connection()
        self.exchange()

    def exchange(self) -> None:
        """Pass bytes both ways until neither end has any."""
        while True:
            upstream = self.client.data_to_send()
            for start in range(0, len(upstream), self.piece):
                self.server_events += self.server.receive_data(upstream[start : start + self.piece])
            downstream = sent(self.server)
            for start in range(0, len(downstream), self.piece):
                self.client_events += self.client.receive_data(downstream[start : start + self.piece])
            if not upstream and not downstream:
                return

    def request(self, *, end_stream: bool = False, extra: Sequence[tuple[str, str]] = ()) -> int:
        stream_id: int = self.client.get_next_available_stream_id()
        self.client.send_headers(stream_id, [*REQUEST, *extra], end_stream=end_stream)
        self.exchange()
        return stream_id

    def take(self, kind: type[Any]) -> list[Any]:
        """Events of one class that either side has seen, forgetting all."""
        taken = [event for event in (*self.server_events, *self.client_events) if isinstance(event, kind)]
        self.server_events.clear()
        self.client_events.clear()
        return taken


class ServedPair:
    """Our client and an h2 server, joined in memory."""

    def __init__(self, piece: int = 1 << 30) -> None:
        self.client = ClientConnection()
        self.server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.piece = piece
        self.client_events: list[Event] = []
        self.server_events: list[Any] = []
        self.server.initiate_connection()
        self.exchange()

    def exchange(self) -> None:
        """Pass bytes both ways until neither end has any."""
        while True:
            upstream = sent(self.client)
            for start in range(0, len(upstream), self.piece):
                self.server_events += self.server.receive_data(upstream[start : start + self.piece])
            downstream = self.server.data_to_send()
            for start in range(0, len(downstream), self.piece):
                self.client_events += self.client.receive_data(downstream[start : start + self.piece])
            if not upstream and not downstream:
                return

    def request(self, extra: Sequence[tuple[str, str]] = ()) -> int:
        stream_id = self.client.request([*REQUEST, *extra])
        self.exchange()
        return stream_id

    def answered(self, extra: Sequence[tuple[str, str]] = ()) -> int:
        """A stream whose response has begun, of which both sides have heard."""
        stream_id = self.request()
        self.server.send_headers(stream_id, [*RESPONSE, *extra])
        self.exchange()
        self.take(object)
        return stream_id

    def take(self, kind: type[Any]) -> list[Any]:
        """Events of one class that either side has seen, forgetting all."""
        taken = [event for event in (*self.client_events, *self.server_events) if isinstance(event, kind)]
        self.client_events.clear()
        self.server_events.clear()
        return taken
