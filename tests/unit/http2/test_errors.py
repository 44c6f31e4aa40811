"""What RFC 9113 says is an error is answered as it says: a table of what a peer may do wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hyperframe import frame as hyperframe

from buildctl.errors import ProtocolError
from buildctl.http2 import connection as limits
from buildctl.http2.events import DataReceived, RequestReceived, StreamReset
from buildctl.http2.frames import PREFACE, ErrorCode
from buildctl.http2.headers import MAX_CONTINUATIONS
from buildctl.http2.server import MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, STREAM_WINDOW, ServerConnection
from buildctl.http2.windows import INITIAL_WINDOW
from tests.support.http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    GREETING,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    REQUEST,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    block,
    frame,
    greeted,
    headers,
    parse,
    receive_all,
    sent,
    setting,
    window_update,
)

OPEN = headers(1)
DONE = headers(1, flags=END_HEADERS | END_STREAM)
CLOSED_BY_PEER = OPEN + frame(RST_STREAM, 0, 1, bytes(4))
FULL = window_update(1, (1 << 31) - 1 - 65_535)
CUT = headers(1, flags=0)
CONTENT = [*REQUEST, ("content-length", "3")]
LARGEST = (1 << 31) - 1

PROTOCOL = ErrorCode.PROTOCOL_ERROR
FRAME_SIZE = ErrorCode.FRAME_SIZE_ERROR
COMPRESSION = ErrorCode.COMPRESSION_ERROR
FLOW_CONTROL = ErrorCode.FLOW_CONTROL_ERROR
STREAM_CLOSED = ErrorCode.STREAM_CLOSED


def without(name: str) -> list[tuple[str, str]]:
    return [field for field in REQUEST if field[0] != name]


CONNECTION_ERRORS = [
    # 3.4, 6.5: the preface
    ("no preface", b"GET / HTTP/1.1\r\n\r\n", PROTOCOL),
    ("another frame before SETTINGS", PREFACE + frame(PING, 0, 0, bytes(8)), PROTOCOL),
    ("an ACK before SETTINGS", PREFACE + frame(SETTINGS, ACK, 0), PROTOCOL),
    # 4.2: sizes
    ("a frame too large", GREETING + frame(DATA, 0, 1, bytes(MAX_FRAME_SIZE + 1)), FRAME_SIZE),
    ("an unknown frame too large", GREETING + b"\x10\x00\x01\x77\x00\x00\x00\x00\x00", FRAME_SIZE),
    # 4.3, 6.10: header blocks
    ("a block that is cut into", GREETING + CUT + frame(PING, 0, 0, bytes(8)), PROTOCOL),
    ("a block that an unknown frame cuts into", GREETING + CUT + frame(99, 0, 1), PROTOCOL),
    ("a block that another continues", GREETING + CUT + frame(CONTINUATION, 4, 3), PROTOCOL),
    ("CONTINUATION of nothing", GREETING + frame(CONTINUATION, END_HEADERS, 1, block()), PROTOCOL),
    ("CONTINUATION after the end", GREETING + OPEN + frame(CONTINUATION, END_HEADERS, 1), PROTOCOL),
    ("headers that do not decompress", GREETING + frame(HEADERS, 4, 1, b"\xff\xff\xff\xff\x7f"), COMPRESSION),
    ("a header cut short", GREETING + frame(HEADERS, 4, 1, block()[:-3]), COMPRESSION),
    ("an index of nothing", GREETING + frame(HEADERS, 4, 1, b"\xbf"), COMPRESSION),
    ("a table beyond the limit", GREETING + frame(HEADERS, 4, 1, b"\x3f\xe2\x1f" + block()), COMPRESSION),
    # 5.1: frames on streams that are not open
    ("DATA on an idle stream", GREETING + frame(DATA, 0, 1, b"x"), PROTOCOL),
    ("DATA on a server's stream", GREETING + OPEN + frame(DATA, 0, 2, b"x"), PROTOCOL),
    ("WINDOW_UPDATE on an idle stream", GREETING + window_update(1, 1), PROTOCOL),
    ("RST_STREAM on an idle stream", GREETING + frame(RST_STREAM, 0, 1, bytes(4)), PROTOCOL),
    # 5.1.1: ids
    ("a server's stream opened", GREETING + headers(2), PROTOCOL),
    ("a stream opened late", GREETING + headers(5) + headers(3), PROTOCOL),
    # 6: the wrong stream
    ("DATA on no stream", GREETING + frame(DATA, 0, 0, b"x"), PROTOCOL),
    ("HEADERS on no stream", GREETING + headers(0), PROTOCOL),
    ("PRIORITY on no stream", GREETING + frame(PRIORITY, 0, 0, bytes(5)), PROTOCOL),
    ("RST_STREAM on no stream", GREETING + frame(RST_STREAM, 0, 0, bytes(4)), PROTOCOL),
    ("CONTINUATION on no stream", GREETING + frame(CONTINUATION, 4, 0), PROTOCOL),
    ("SETTINGS on a stream", GREETING + OPEN + frame(SETTINGS, 0, 1), PROTOCOL),
    ("PING on a stream", GREETING + OPEN + frame(PING, 0, 1, bytes(8)), PROTOCOL),
    ("GOAWAY on a stream", GREETING + OPEN + frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL),
    # 6.1, 6.2: padding and priority
    ("DATA that is padding alone", GREETING + OPEN + frame(DATA, PADDED, 1, b"\x01"), PROTOCOL),
    ("DATA with no room for its padding", GREETING + OPEN + frame(DATA, PADDED, 1), PROTOCOL),
    ("HEADERS with too much padding", GREETING + frame(HEADERS, 12, 1, b"\x7f" + block()), PROTOCOL),
    ("HEADERS with half a priority", GREETING + frame(HEADERS, 4 | WITH_PRIORITY, 1, bytes(4)), FRAME_SIZE),
    # 6.3 to 6.9: fixed sizes
    ("PRIORITY of 4 bytes on an idle stream", GREETING + frame(PRIORITY, 0, 1, bytes(4)), FRAME_SIZE),
    ("RST_STREAM of 5 bytes", GREETING + OPEN + frame(RST_STREAM, 0, 1, bytes(5)), FRAME_SIZE),
    ("PING of 7 bytes", GREETING + frame(PING, 0, 0, bytes(7)), FRAME_SIZE),
    ("GOAWAY of 7 bytes", GREETING + frame(GOAWAY, 0, 0, bytes(7)), FRAME_SIZE),
    ("WINDOW_UPDATE of 5 bytes", GREETING + frame(WINDOW_UPDATE, 0, 0, bytes(5)), FRAME_SIZE),
    ("SETTINGS of 5 bytes", GREETING + frame(SETTINGS, 0, 0, bytes(5)), FRAME_SIZE),
    ("an ACK with settings", GREETING + frame(SETTINGS, ACK, 0, bytes(6)), FRAME_SIZE),
    # 6.5.2: values
    ("ENABLE_PUSH of 2", GREETING + setting(2, 2), PROTOCOL),
    ("a window too large", GREETING + setting(4, LARGEST + 1), FLOW_CONTROL),
    ("a frame size too small", GREETING + setting(5, 16_383), PROTOCOL),
    ("a frame size too large", GREETING + setting(5, 1 << 24), PROTOCOL),
    # 6.6
    ("PUSH_PROMISE", GREETING + OPEN + frame(PUSH_PROMISE, 4, 1, bytes(4)), PROTOCOL),
    # 6.9: flow control
    ("a grant of nothing", GREETING + window_update(0, 0), PROTOCOL),
    ("too large a grant", GREETING + window_update(0, LARGEST), FLOW_CONTROL),
    ("too large a resize", GREETING + OPEN + FULL + setting(4, 70_000), FLOW_CONTROL),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data", "code"), CONNECTION_ERRORS, ids=[case[0] for case in CONNECTION_ERRORS]
)
@pytest.mark.parametrize("piece", [1 << 30, 1])
def test_connection_errors(name: str, data: bytes, code: ErrorCode, piece: int) -> None:
    connection = ServerConnection()
    sent(connection)
    if piece == 1 and len(data) > 1 << 16:
        piece = 1 << 14
    pieces = [data[start : start + piece] for start in range(0, len(data), piece)]
    with pytest.raises(ProtocolError) as caught:
        receive_all(connection, pieces)
    assert str(caught.value).startswith("session: the daemon ")
    assert str(caught.value).endswith(f"(HTTP/2 {code.name})")
    last = parse(sent(connection))[-1]
    assert isinstance(last, hyperframe.GoAwayFrame)
    assert last.error_code == code
    assert last.additional_data.decode() in str(caught.value)


def answered(connection: ServerConnection) -> None:
    connection.send_headers(1, [(":status", "200")])
    connection.send_trailers(1, [("grpc-status", "0")])
    sent(connection)


@pytest.mark.parametrize("late", [frame(DATA, 0, 1, b"x"), headers(1)], ids=["DATA", "HEADERS"])
def test_more_on_a_stream_that_both_ended(late: bytes) -> None:
    connection = greeted()
    connection.receive_data(DONE)
    answered(connection)
    with pytest.raises(ProtocolError, match="STREAM_CLOSED"):
        connection.receive_data(late)


STREAM_ERRORS = [
    # 5.1: half-closed, and reset by the peer
    ("DATA after the end", DONE + frame(DATA, 0, 1, b"x"), STREAM_CLOSED),
    ("HEADERS after the end", DONE + headers(1), STREAM_CLOSED),
    ("DATA after a reset", CLOSED_BY_PEER + frame(DATA, 0, 1, b"x"), STREAM_CLOSED),
    ("HEADERS after a reset", CLOSED_BY_PEER + headers(1), STREAM_CLOSED),
    # 6.3, 6.9
    ("PRIORITY of 4 bytes", OPEN + frame(PRIORITY, 0, 1, bytes(4)), FRAME_SIZE),
    ("a grant of nothing", OPEN + window_update(1, 0), PROTOCOL),
    ("too large a grant", OPEN + window_update(1, LARGEST), FLOW_CONTROL),
    # 8.1: messages
    ("trailers that end nothing", OPEN + headers(1, [("a", "b")]), PROTOCOL),
    ("pseudo-fields in trailers", OPEN + headers(1, [(":path", "/")], flags=5), PROTOCOL),
    ("less content than announced", headers(1, CONTENT) + frame(DATA, 1, 1, b"xx"), PROTOCOL),
    ("more content than announced", headers(1, CONTENT) + frame(DATA, 0, 1, b"xxxx"), PROTOCOL),
    ("trailers before all content", headers(1, CONTENT) + headers(1, [], flags=5), PROTOCOL),
    ("no content where some is announced", headers(1, CONTENT, flags=5), PROTOCOL),
    ("a content-length that is none", headers(1, [*REQUEST, ("content-length", "+3")]), PROTOCOL),
    ("two content-lengths", headers(1, [*CONTENT, ("content-length", "4")]), PROTOCOL),
    # 8.2: fields
    ("an upper-case name", headers(1, [*REQUEST, (b"Dir-Name", b"x")]), PROTOCOL),
    ("a name with a space", headers(1, [*REQUEST, (b"dir name", b"x")]), PROTOCOL),
    ("an empty name", headers(1, [*REQUEST, (b"", b"x")]), PROTOCOL),
    ("a name with a colon", headers(1, [*REQUEST, (b"a:b", b"x")]), PROTOCOL),
    ("a name beyond ASCII", headers(1, [*REQUEST, ("ä".encode(), b"x")]), PROTOCOL),
    ("a line feed in a value", headers(1, [*REQUEST, (b"a", b"x\ny: z")]), PROTOCOL),
    ("NUL in a value", headers(1, [*REQUEST, (b"a", b"x\x00")]), PROTOCOL),
    ("connection", headers(1, [*REQUEST, ("connection", "close")]), PROTOCOL),
    ("upgrade", headers(1, [*REQUEST, ("upgrade", "h2c")]), PROTOCOL),
    ("te other than trailers", headers(1, [*without("te"), ("te", "gzip")]), PROTOCOL),
    # 8.3: pseudo-fields
    ("no path", headers(1, without(":path")), PROTOCOL),
    ("an empty path", headers(1, [(":path", ""), *without(":path")]), PROTOCOL),
    ("no method", headers(1, without(":method")), PROTOCOL),
    ("no scheme", headers(1, without(":scheme")), PROTOCOL),
    ("two paths", headers(1, [(":path", "/a"), *REQUEST]), PROTOCOL),
    ("a response's field", headers(1, [(":status", "200"), *REQUEST]), PROTOCOL),
    ("a pseudo-field after others", headers(1, [*without(":scheme"), (":scheme", "http")]), PROTOCOL),
    ("nothing at all", headers(1, []), PROTOCOL),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "code"), STREAM_ERRORS, ids=[case[0] for case in STREAM_ERRORS])
def test_stream_errors(name: str, data: bytes, code: ErrorCode) -> None:
    connection = greeted()
    events = connection.receive_data(data)
    resets = [one for one in parse(sent(connection)) if isinstance(one, hyperframe.RstStreamFrame)]
    assert [(one.stream_id, one.error_code) for one in resets] == [(1, code)]
    opened = [event for event in events if isinstance(event, RequestReceived)]
    reset = [event for event in events if isinstance(event, StreamReset)]
    if opened:  # whoever has heard of the stream hears of its end
        assert len(reset) == 1
    # the connection is as good as before
    again = connection.receive_data(headers(3))
    assert [type(event) for event in again] == [RequestReceived]


def test_data_beyond_the_streams_window() -> None:
    connection = greeted()
    connection.receive_data(frame(SETTINGS, ACK, 0) + OPEN)
    events = connection.receive_data(frame(DATA, 0, 1, bytes(STREAM_WINDOW)))
    assert [type(event) for event in events] == [DataReceived]
    events = connection.receive_data(frame(DATA, 0, 1, b"x"))
    assert [type(event) for event in events] == [StreamReset]
    assert parse(sent(connection))[-1].error_code == ErrorCode.FLOW_CONTROL_ERROR


def test_a_peer_that_has_not_seen_our_settings_may_use_the_usual_window() -> None:
    connection = greeted()
    connection.receive_data(OPEN + frame(SETTINGS, ACK, 0))
    events = connection.receive_data(frame(DATA, 0, 1, bytes(INITIAL_WINDOW)))
    assert [type(event) for event in events] == [DataReceived]
    connection.acknowledge(1, STREAM_WINDOW // 2)  # by now it knows, and would wait for more than that
    assert parse(sent(connection))[-1].window_increment == STREAM_WINDOW // 2
    events = connection.receive_data(frame(DATA, 0, 1, bytes(STREAM_WINDOW // 2 + 1)))
    assert [type(event) for event in events] == [StreamReset]


def test_data_beyond_the_connections_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("buildctl.http2.server.CONNECTION_WINDOW", 1 << 16)
    connection = greeted()
    connection.receive_data(OPEN)
    with pytest.raises(ProtocolError, match="FLOW_CONTROL_ERROR"):
        connection.receive_data(frame(DATA, 0, 1, bytes((1 << 16) + 1)))


def test_late_frames_on_a_stream_that_we_reset_are_ignored() -> None:
    connection = greeted()
    connection.receive_data(OPEN)
    connection.reset_stream(1, ErrorCode.CANCEL)
    assert parse(sent(connection))[0].error_code == ErrorCode.CANCEL
    for late in (
        frame(DATA, 0, 1, b"x"),
        headers(1, flags=5),
        window_update(1, 5),
        frame(RST_STREAM, 0, 1, bytes(4)),
    ):
        assert connection.receive_data(late) == []
    assert sent(connection) == b""


@pytest.mark.parametrize("harmless", [
    frame(PRIORITY, 0, 1, bytes(5)),
    frame(PRIORITY, 0, 7, bytes(5)),
    frame(0x77, 0xFF, 1, b"whatever"),
    frame(0x77, 0, 0),
    frame(SETTINGS, ACK, 0),
    frame(PING, ACK, 0, bytes(8)),
    setting(0x77, 1),
    setting(3, 0),
    window_update(1, LARGEST - 65_535),
    frame(HEADERS, 4 | WITH_PRIORITY, 3, b"\x80\x00\x00\x03\xff" + block()),
    frame(HEADERS, 4 | PADDED, 3, b"\x04" + block() + bytes(4)),
    frame(DATA, PADDED, 1, b"\x00"),
])  # fmt: skip
def test_what_is_no_error(harmless: bytes) -> None:
    connection = greeted()
    connection.receive_data(OPEN)
    connection.receive_data(harmless)
    assert not [one for one in parse(sent(connection)) if isinstance(one, hyperframe.RstStreamFrame)]


# Floods


def last_error(connection: ServerConnection, pieces: Iterable[bytes], *, drained: bool = True) -> ErrorCode:
    """How the connection ends, once it does."""
    try:
        for piece in pieces:
            connection.receive_data(piece)
            if drained:
                sent(connection)
    except ProtocolError:
        return ErrorCode(parse(sent(connection))[-1].error_code)
    raise AssertionError("the connection did not end")


@pytest.mark.parametrize("drained", [True, False])
@pytest.mark.parametrize(
    "data",
    [
        frame(PING, 0, 0, bytes(8)),
        frame(SETTINGS, 0, 0),
        frame(DATA, 0, 1),
        frame(DATA, PADDED, 1, b"\x00") + frame(PING, 0, 0, bytes(8)),
        frame(PRIORITY, 0, 1, bytes(5)),
        frame(0x77, 0, 0),
        window_update(1, 1),
    ],
)
def test_frames_without_content_are_limited(data: bytes, drained: bool) -> None:
    connection = greeted()
    connection.receive_data(OPEN)
    pieces = itertools.repeat(data, limits.MAX_IDLE_FRAMES + 1)
    assert last_error(connection, pieces, drained=drained) is ErrorCode.ENHANCE_YOUR_CALM


def test_pings_between_content_are_not() -> None:
    connection = greeted()
    connection.receive_data(OPEN)
    for _ in range(limits.MAX_IDLE_FRAMES + 10):
        connection.receive_data(frame(PING, 0, 0, bytes(8)) + frame(DATA, 0, 1, b"x"))
        connection.acknowledge(1, 1)
        sent(connection)


def test_late_content_is_no_flood() -> None:
    """A call that was answered early: what is still on its way is a window full of small messages."""
    connection = greeted()
    connection.receive_data(OPEN)
    connection.send_trailers(1, [(":status", "200"), ("grpc-status", "2")])
    sent(connection)
    for _ in range(limits.MAX_IDLE_FRAMES + 10):
        assert connection.receive_data(frame(DATA, 0, 1, b"x")) == []
        sent(connection)


def test_settings_without_end() -> None:
    connection = greeted()
    streams = [headers(2 * i + 1) for i in range(MAX_CONCURRENT_STREAMS - 1)]
    receive_all(connection, streams)
    many = (4).to_bytes(2, "big") + (65_535).to_bytes(4, "big")
    connection.receive_data(frame(SETTINGS, 0, 0, many * limits.MAX_SETTINGS))
    pieces = [frame(SETTINGS, 0, 0, many * (limits.MAX_SETTINGS + 1))]
    assert last_error(connection, pieces) is ErrorCode.ENHANCE_YOUR_CALM


def test_what_is_said_of_an_error_is_brief() -> None:
    connection = greeted()
    with pytest.raises(ProtocolError) as caught:
        connection.receive_data(frame(HEADERS, 4, 1, b"\x7f" + b"\xff" * 100_000 + b"\x00"))
    assert len(str(caught.value)) < 500
    assert len(sent(connection)) < 500
    section = [("x" * 100_000 + " ", "")]
    connection = greeted()
    connection.receive_data(OPEN)
    (reset,) = connection.receive_data(headers(1, section, flags=END_HEADERS | END_STREAM))
    assert isinstance(reset, StreamReset)
    assert reset.reason.startswith("sent a malformed request: field b'x")
    assert len(reset.reason) < 500


def test_answers_that_are_not_taken_are_limited() -> None:
    connection = greeted()
    connection.receive_data(OPEN)
    data = frame(PING, 0, 0, bytes(8)) + frame(DATA, 0, 1, b"x")
    pieces = itertools.repeat(data, limits.MAX_QUEUED_CONTROL_FRAMES + 1)
    assert last_error(connection, pieces, drained=False) is ErrorCode.ENHANCE_YOUR_CALM


def thrown_away(stream_id: int) -> bytes:
    return headers(stream_id) + frame(DATA, 0, stream_id, b"x") + frame(RST_STREAM, 0, stream_id, bytes(4))


def test_rapid_reset() -> None:
    pieces = (thrown_away(2 * i + 1) for i in range(limits.MAX_EXCESS_RESETS + 1))
    assert last_error(greeted(), pieces) is ErrorCode.ENHANCE_YOUR_CALM


def test_resets_that_we_are_made_to_send() -> None:
    pieces = (headers(2 * i + 1) + window_update(2 * i + 1, 0) for i in range(limits.MAX_EXCESS_RESETS + 1))
    assert last_error(greeted(), pieces) is ErrorCode.ENHANCE_YOUR_CALM


def test_calls_that_complete_make_up_for_resets() -> None:
    connection = greeted()
    for i in range(0, 3 * limits.MAX_EXCESS_RESETS, 2):
        connection.receive_data(
            headers(2 * i + 1) + frame(DATA, 0, 2 * i + 1, b"x") + frame(RST_STREAM, 0, 2 * i + 1, bytes(4))
        )
        connection.receive_data(headers(2 * i + 3, flags=5))
        connection.send_trailers(2 * i + 3, [(":status", "200"), ("grpc-status", "0")])
        sent(connection)


def test_a_header_block_without_end() -> None:
    pieces = [frame(HEADERS, 0, 1, block()), *[frame(CONTINUATION, 0, 1)] * (MAX_CONTINUATIONS + 1)]
    assert last_error(greeted(), pieces) is ErrorCode.ENHANCE_YOUR_CALM


@pytest.mark.parametrize("compressed", [True, False])
def test_a_header_list_too_large(compressed: bool) -> None:
    connection = greeted()
    if compressed:  # one field of 4 kB in the table, and a byte for each repetition
        many = b"\x40\x01a\x7f\x81\x1e" + b"x" * 3968 + b"\xbe" * 300
        data = frame(HEADERS, 4, 1, many)
    else:
        data = headers(1, flags=0) + b"".join(frame(CONTINUATION, 0, 1, bytes(1 << 14)) for _ in range(65))
    with pytest.raises(ProtocolError, match="1048896 bytes of headers"):
        connection.receive_data(data)


def test_more_streams_than_allowed_are_refused() -> None:
    connection = greeted()
    for i in range(MAX_CONCURRENT_STREAMS):
        connection.receive_data(headers(2 * i + 1))
    refused = 2 * MAX_CONCURRENT_STREAMS + 1
    assert connection.receive_data(headers(refused)) == []
    (reset,) = parse(sent(connection))
    assert (reset.stream_id, reset.error_code) == (refused, ErrorCode.REFUSED_STREAM)
    connection.receive_data(frame(RST_STREAM, 0, 1, bytes(4)))
    assert len(connection.receive_data(headers(refused + 2))) == 1
