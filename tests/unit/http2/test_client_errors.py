"""What RFC 9113 says is an error is answered as it says: a table of what a server may do wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hyperframe import frame as hyperframe

from buildctl.errors import ProtocolError
from buildctl.http2 import connection as limits
from buildctl.http2.client import WINDOW, ClientConnection
from buildctl.http2.events import DataReceived, ResponseReceived, StreamReset
from buildctl.http2.frames import ErrorCode
from buildctl.http2.headers import MAX_CONTINUATIONS
from tests.support.http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    REQUEST,
    RESPONSE,
    RST_STREAM,
    SETTINGS,
    TRAILERS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    block,
    called,
    frame,
    headers,
    parse,
    receive_all,
    sent,
    setting,
    window_update,
)
from tests.support.http2 import SERVER_GREETING as GREETING

BOTH = END_HEADERS | END_STREAM
LARGEST = (1 << 31) - 1
OPEN = headers(1, RESPONSE)
ENDED = headers(1, TRAILERS, flags=BOTH)
DONE = OPEN + ENDED
RESET = frame(RST_STREAM, 0, 1, bytes(4))
FULL = window_update(1, LARGEST - 65_535)
CUT = headers(1, RESPONSE, flags=0)
CONTENT = [*RESPONSE, ("content-length", "3")]

PROTOCOL = ErrorCode.PROTOCOL_ERROR
FRAME_SIZE = ErrorCode.FRAME_SIZE_ERROR
COMPRESSION = ErrorCode.COMPRESSION_ERROR
FLOW_CONTROL = ErrorCode.FLOW_CONTROL_ERROR
STREAM_CLOSED = ErrorCode.STREAM_CLOSED
CALM = ErrorCode.ENHANCE_YOUR_CALM

CONNECTION_ERRORS = [
    # 3.4, 6.5: the preface
    ("no HTTP/2", b"HTTP/1.1 400 Bad Request\r\n\r\n", FRAME_SIZE),
    ("another frame before SETTINGS", frame(PING, 0, 0, bytes(8)), PROTOCOL),
    ("an ACK before SETTINGS", frame(SETTINGS, ACK, 0), PROTOCOL),
    ("an answer before SETTINGS", OPEN, PROTOCOL),
    ("DATA before SETTINGS", frame(DATA, 0, 1, b"x"), PROTOCOL),
    ("an unknown frame before SETTINGS", frame(99, 0, 0), PROTOCOL),
    # 4.2: sizes
    ("a frame too large", GREETING + OPEN + frame(DATA, 0, 1, bytes((1 << 14) + 1)), FRAME_SIZE),
    ("an unknown frame too large", GREETING + b"\x00\x40\x01\x77\x00\x00\x00\x00\x00", FRAME_SIZE),
    # 4.3, 6.10: header blocks
    ("a block that is cut into", GREETING + CUT + frame(PING, 0, 0, bytes(8)), PROTOCOL),
    ("a block that DATA cuts into", GREETING + OPEN + CUT + frame(DATA, 0, 1, b"x"), PROTOCOL),
    ("a block that an unknown frame cuts into", GREETING + CUT + frame(99, 0, 1), PROTOCOL),
    ("a block that another continues", GREETING + CUT + frame(CONTINUATION, 4, 3), PROTOCOL),
    ("CONTINUATION of nothing", GREETING + frame(CONTINUATION, END_HEADERS, 1, block(RESPONSE)), PROTOCOL),
    ("CONTINUATION after the end", GREETING + OPEN + frame(CONTINUATION, END_HEADERS, 1), PROTOCOL),
    ("headers that do not decompress", GREETING + frame(HEADERS, 4, 1, b"\xff\xff\xff\xff\x7f"), COMPRESSION),
    ("a header cut short", GREETING + frame(HEADERS, 4, 1, block(RESPONSE)[:-3]), COMPRESSION),
    ("an index of nothing", GREETING + frame(HEADERS, 4, 1, b"\xbf"), COMPRESSION),
    ("trailers that do not decompress", GREETING + OPEN + frame(HEADERS, 5, 1, b"\xbf"), COMPRESSION),
    ("a table beyond the limit", GREETING + frame(HEADERS, 4, 1, b"\x3f\xe2\x1f" + block()), COMPRESSION),
    # 5.1: frames on streams that are not open
    ("HEADERS on an idle stream", GREETING + headers(3, RESPONSE), PROTOCOL),
    ("DATA on an idle stream", GREETING + frame(DATA, 0, 3, b"x"), PROTOCOL),
    ("WINDOW_UPDATE on an idle stream", GREETING + window_update(3, 1), PROTOCOL),
    ("RST_STREAM on an idle stream", GREETING + frame(RST_STREAM, 0, 3, bytes(4)), PROTOCOL),
    # 5.1.1, 8.4: a server opens streams by PUSH_PROMISE alone, which ENABLE_PUSH 0 forbids
    ("HEADERS on a server's stream", GREETING + headers(2, RESPONSE), PROTOCOL),
    ("a request on a server's stream", GREETING + headers(2, REQUEST), PROTOCOL),
    ("DATA on a server's stream", GREETING + OPEN + frame(DATA, 0, 2, b"x"), PROTOCOL),
    ("RST_STREAM on a server's stream", GREETING + frame(RST_STREAM, 0, 2, bytes(4)), PROTOCOL),
    ("WINDOW_UPDATE on a server's stream", GREETING + window_update(2, 1), PROTOCOL),
    ("PUSH_PROMISE", GREETING + OPEN + frame(PUSH_PROMISE, 4, 1, bytes(3) + b"\2" + block()), PROTOCOL),
    ("PUSH_PROMISE on an idle stream", GREETING + frame(PUSH_PROMISE, 4, 3, bytes(4)), PROTOCOL),
    # 6: the wrong stream
    ("DATA on no stream", GREETING + frame(DATA, 0, 0, b"x"), PROTOCOL),
    ("HEADERS on no stream", GREETING + headers(0, RESPONSE), PROTOCOL),
    ("PRIORITY on no stream", GREETING + frame(PRIORITY, 0, 0, bytes(5)), PROTOCOL),
    ("RST_STREAM on no stream", GREETING + frame(RST_STREAM, 0, 0, bytes(4)), PROTOCOL),
    ("CONTINUATION on no stream", GREETING + frame(CONTINUATION, 4, 0), PROTOCOL),
    ("PUSH_PROMISE on no stream", GREETING + frame(PUSH_PROMISE, 4, 0, bytes(4)), PROTOCOL),
    ("SETTINGS on a stream", GREETING + frame(SETTINGS, 0, 1), PROTOCOL),
    ("PING on a stream", GREETING + frame(PING, 0, 1, bytes(8)), PROTOCOL),
    ("GOAWAY on a stream", GREETING + frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL),
    # 6.1, 6.2: padding and priority
    ("DATA that is padding alone", GREETING + OPEN + frame(DATA, PADDED, 1, b"\x01"), PROTOCOL),
    ("DATA with no room for its padding", GREETING + OPEN + frame(DATA, PADDED, 1), PROTOCOL),
    ("HEADERS with too much padding", GREETING + frame(HEADERS, 12, 1, b"\x7f" + block(RESPONSE)), PROTOCOL),
    ("HEADERS with half a priority", GREETING + frame(HEADERS, 4 | WITH_PRIORITY, 1, bytes(4)), FRAME_SIZE),
    # 6.3 to 6.9: fixed sizes
    ("PRIORITY of 4 bytes on an idle stream", GREETING + frame(PRIORITY, 0, 3, bytes(4)), FRAME_SIZE),
    ("RST_STREAM of 5 bytes", GREETING + frame(RST_STREAM, 0, 1, bytes(5)), FRAME_SIZE),
    ("PING of 7 bytes", GREETING + frame(PING, 0, 0, bytes(7)), FRAME_SIZE),
    ("GOAWAY of 7 bytes", GREETING + frame(GOAWAY, 0, 0, bytes(7)), FRAME_SIZE),
    ("WINDOW_UPDATE of 5 bytes", GREETING + frame(WINDOW_UPDATE, 0, 0, bytes(5)), FRAME_SIZE),
    ("SETTINGS of 5 bytes", GREETING + frame(SETTINGS, 0, 0, bytes(5)), FRAME_SIZE),
    ("an ACK with settings", GREETING + frame(SETTINGS, ACK, 0, bytes(6)), FRAME_SIZE),
    # 6.5.2: values
    ("ENABLE_PUSH of 1", setting(2, 1), PROTOCOL),
    ("ENABLE_PUSH of 2", GREETING + setting(2, 2), PROTOCOL),
    ("a window too large", GREETING + setting(4, LARGEST + 1), FLOW_CONTROL),
    ("a frame size too small", GREETING + setting(5, 16_383), PROTOCOL),
    ("a frame size too large", GREETING + setting(5, 1 << 24), PROTOCOL),
    # 6.9: flow control
    ("a grant of nothing", GREETING + window_update(0, 0), PROTOCOL),
    ("too large a grant", GREETING + window_update(0, LARGEST), FLOW_CONTROL),
    ("too large a resize", GREETING + FULL + setting(4, 70_000), FLOW_CONTROL),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data", "code"), CONNECTION_ERRORS, ids=[case[0] for case in CONNECTION_ERRORS]
)
@pytest.mark.parametrize("piece", [1 << 30, 1])
def test_connection_errors(name: str, data: bytes, code: ErrorCode, piece: int) -> None:
    connection = ClientConnection()
    connection.request(REQUEST)
    sent(connection)
    pieces = [data[start : start + piece] for start in range(0, len(data), piece)]
    with pytest.raises(ProtocolError) as caught:
        receive_all(connection, pieces)
    assert str(caught.value).startswith("connection: the daemon ")
    assert str(caught.value).endswith(f"(HTTP/2 {code.name})")
    last = parse(sent(connection))[-1]
    assert isinstance(last, hyperframe.GoAwayFrame)
    assert last.error_code == code
    assert last.last_stream_id == 0
    assert last.additional_data.decode() in str(caught.value)


@pytest.mark.parametrize(
    "late",
    [frame(DATA, 0, 1, b"x"), frame(DATA, END_STREAM, 1), OPEN, ENDED],
    ids=["DATA", "an end", "HEADERS", "trailers"],
)
@pytest.mark.parametrize("we_end_first", [True, False])
def test_more_on_a_stream_that_both_ended(late: bytes, we_end_first: bool) -> None:
    connection = called()
    if we_end_first:
        connection.end(1)
    connection.receive_data(DONE)
    if not we_end_first:
        connection.end(1)
    with pytest.raises(ProtocolError, match="STREAM_CLOSED"):
        connection.receive_data(late)


def with_field(name: str | bytes, value: str | bytes) -> bytes:
    return headers(1, [*RESPONSE, (name, value)])


STREAM_ERRORS = [
    # 5.1: half-closed, and reset by the peer
    ("DATA after the end", DONE + frame(DATA, 0, 1, b"x"), STREAM_CLOSED),
    ("DATA of nothing after the end", DONE + frame(DATA, END_STREAM, 1), STREAM_CLOSED),
    ("HEADERS after the end", DONE + OPEN, STREAM_CLOSED),
    ("trailers after the end", DONE + ENDED, STREAM_CLOSED),
    ("DATA after an answer of trailers", headers(1, RESPONSE, BOTH) + frame(DATA, 0, 1), STREAM_CLOSED),
    ("trailers after DATA that ended", OPEN + frame(DATA, END_STREAM, 1) + ENDED, STREAM_CLOSED),
    ("DATA after a reset", RESET + frame(DATA, 0, 1, b"x"), STREAM_CLOSED),
    ("HEADERS after a reset", RESET + OPEN, STREAM_CLOSED),
    # 6.3, 6.9
    ("PRIORITY of 4 bytes", frame(PRIORITY, 0, 1, bytes(4)), FRAME_SIZE),
    ("a grant of nothing", window_update(1, 0), PROTOCOL),
    ("too large a grant", window_update(1, LARGEST), FLOW_CONTROL),
    # 8.1: messages
    ("DATA before an answer", frame(DATA, 0, 1, b"x"), PROTOCOL),
    ("an end before an answer", frame(DATA, END_STREAM, 1), PROTOCOL),
    ("DATA after an informational answer", headers(1, [(":status", "100")]) + frame(DATA, 0, 1), PROTOCOL),
    ("an informational answer that ends", headers(1, [(":status", "100")], flags=BOTH), PROTOCOL),
    ("trailers that end nothing", OPEN + headers(1, TRAILERS), PROTOCOL),
    ("a second answer", OPEN + OPEN, PROTOCOL),
    ("an informational answer late", OPEN + headers(1, [(":status", "100")]), PROTOCOL),
    ("a status in trailers", OPEN + headers(1, [(":status", "200"), *TRAILERS], flags=BOTH), PROTOCOL),
    ("pseudo-fields in trailers", OPEN + headers(1, [*TRAILERS, (":path", "/")], flags=BOTH), PROTOCOL),
    ("an upper-case name in trailers", OPEN + headers(1, [(b"Grpc-Status", b"0")], flags=BOTH), PROTOCOL),
    ("connection in trailers", OPEN + headers(1, [("connection", "close")], flags=BOTH), PROTOCOL),
    ("less content than announced", headers(1, CONTENT) + frame(DATA, 1, 1, b"xx"), PROTOCOL),
    ("more content than announced", headers(1, CONTENT) + frame(DATA, 0, 1, b"xxxx"), PROTOCOL),
    ("content where none is", with_field("content-length", "0") + frame(DATA, 0, 1, b"x"), PROTOCOL),
    ("trailers before all content", headers(1, CONTENT) + ENDED, PROTOCOL),
    ("no content where some is announced", headers(1, CONTENT, flags=BOTH), PROTOCOL),
    ("a content-length that is none", with_field("content-length", "+3"), PROTOCOL),
    ("two content-lengths", headers(1, [*CONTENT, ("content-length", "4")]), PROTOCOL),
    # 8.2: fields
    ("an upper-case name", with_field(b"Content-Encoding", b"x"), PROTOCOL),
    ("a name with a space", with_field(b"a b", b"x"), PROTOCOL),
    ("an empty name", with_field(b"", b"x"), PROTOCOL),
    ("a name with a colon", with_field(b"a:b", b"x"), PROTOCOL),
    ("a name beyond ASCII", with_field("ä".encode(), b"x"), PROTOCOL),
    ("a line feed in a value", with_field(b"a", b"x\ny: z"), PROTOCOL),
    ("a carriage return in a value", with_field(b"a", b"x\ry: z"), PROTOCOL),
    ("NUL in a value", with_field(b"a", b"x\x00"), PROTOCOL),
    ("connection", with_field("connection", "close"), PROTOCOL),
    ("keep-alive", with_field("keep-alive", "timeout=5"), PROTOCOL),
    ("proxy-connection", with_field("proxy-connection", "close"), PROTOCOL),
    ("transfer-encoding", with_field("transfer-encoding", "chunked"), PROTOCOL),
    ("upgrade", with_field("upgrade", "h2c"), PROTOCOL),
    ("te other than trailers", with_field("te", "gzip"), PROTOCOL),
    # 8.3: pseudo-fields
    ("no status", headers(1, RESPONSE[1:]), PROTOCOL),
    ("nothing at all", headers(1, []), PROTOCOL),
    ("an empty status", headers(1, [(":status", ""), *RESPONSE[1:]]), PROTOCOL),
    ("a status that is no number", headers(1, [(":status", "2xx")]), PROTOCOL),
    ("a status of two digits", headers(1, [(":status", "20")]), PROTOCOL),
    ("a status of four digits", headers(1, [(":status", "2000")]), PROTOCOL),
    ("a status below 100", headers(1, [(":status", "099")]), PROTOCOL),
    ("a status with a sign", headers(1, [(":status", "+20")]), PROTOCOL),
    ("a status and its reason", headers(1, [(":status", "200 OK")]), PROTOCOL),
    ("a status with a line feed", headers(1, [(b":status", b"200\n")]), PROTOCOL),
    ("a status in digits of another script", headers(1, [(":status", "٢٠٠")]), PROTOCOL),
    ("two statuses", headers(1, [(":status", "200"), *RESPONSE]), PROTOCOL),
    ("a request", headers(1, REQUEST), PROTOCOL),
    ("a request's field", headers(1, [*RESPONSE[:1], (":path", "/")]), PROTOCOL),
    ("an unknown pseudo-field", headers(1, [*RESPONSE[:1], (":version", "2")]), PROTOCOL),
    ("a status after others", headers(1, [RESPONSE[1], RESPONSE[0]]), PROTOCOL),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "code"), STREAM_ERRORS, ids=[case[0] for case in STREAM_ERRORS])
def test_stream_errors(name: str, data: bytes, code: ErrorCode) -> None:
    connection = called()
    events = connection.receive_data(data)
    resets = [one for one in parse(sent(connection)) if isinstance(one, hyperframe.RstStreamFrame)]
    assert [(one.stream_id, one.error_code) for one in resets] == [(1, code)]
    # who made the call hears of its end once, and why, unless the peer had reset it
    reset = [event for event in events if isinstance(event, StreamReset)]
    assert len(reset) == 1
    assert bool(reset[0].reason) is not data.startswith(RESET)
    assert connection.open_streams == 0
    # the connection is as good as before
    again = connection.request(REQUEST)
    answer = connection.receive_data(headers(again, RESPONSE))
    assert [type(event) for event in answer] == [ResponseReceived]


def whole_frames(size: int) -> bytes:
    """DATA of that much on stream 1, in the largest frames there can be."""
    return b"".join(frame(DATA, 0, 1, bytes(min(1 << 14, size - start))) for start in range(0, size, 1 << 14))


def test_data_beyond_the_streams_window() -> None:
    connection = called()
    connection.receive_data(OPEN)
    events = connection.receive_data(whole_frames(WINDOW))
    assert sum(len(event.data) for event in events if isinstance(event, DataReceived)) == WINDOW
    (reset,) = connection.receive_data(frame(DATA, 0, 1, b"x"))
    assert reset == StreamReset(1, ErrorCode.FLOW_CONTROL_ERROR, "sent 1 bytes of DATA into a window of 0")
    assert parse(sent(connection))[-1].error_code == ErrorCode.FLOW_CONTROL_ERROR


def test_padding_counts_against_the_window() -> None:
    connection = called()
    connection.receive_data(OPEN + whole_frames(WINDOW - 5))
    events = connection.receive_data(frame(DATA, PADDED, 1, b"\x04" + bytes(5)))
    assert [type(event) for event in events] == [StreamReset]


def test_data_beyond_the_connections_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("buildctl.http2.client.WINDOW", 1 << 16)
    connection = called()
    connection.receive_data(OPEN)
    with pytest.raises(ProtocolError, match="65537 bytes of DATA into a window of 65536.*FLOW_CONTROL_ERROR"):
        connection.receive_data(whole_frames((1 << 16) + 1))


@pytest.mark.parametrize(
    ("before", "late"),
    [
        (b"", frame(DATA, 0, 1, bytes(1 << 14))),
        (OPEN, frame(DATA, END_STREAM, 1, bytes(1 << 14)) * 2),
        (headers(1, CONTENT), frame(DATA, END_STREAM, 1, bytes(1 << 14))),
        (RESET, frame(DATA, 0, 1, bytes(1 << 14))),
    ],
    ids=["before the answer", "after the end", "more than announced", "after a reset"],
)
def test_content_that_is_refused_is_given_back_to_the_connection(before: bytes, late: bytes) -> None:
    """It counts against the connection's window all the same (6.9), which is to last for other streams."""
    connection = called()
    granted, spent = WINDOW, 0
    for number in range(1, 600, 2):
        for one in (before, late):
            connection.receive_data(one.replace(b"\0\0\0\1", number.to_bytes(4, "big")))
        spent += len(late) // (1 << 14) * (1 << 14)
        grants = [one for one in parse(sent(connection)) if isinstance(one, hyperframe.WindowUpdateFrame)]
        granted += sum(one.window_increment for one in grants if not one.stream_id)
        assert connection.request(REQUEST) == number + 2
        sent(connection)
    assert spent > WINDOW
    assert granted - spent > WINDOW // 2 - (1 << 15)


def test_late_frames_on_a_stream_that_we_reset_are_ignored() -> None:
    connection = called()
    connection.reset_stream(1, ErrorCode.CANCEL)
    assert parse(sent(connection))[0].error_code == ErrorCode.CANCEL
    for late in (OPEN, frame(DATA, 0, 1, b"x"), ENDED, window_update(1, 5), RESET, headers(1, REQUEST)):
        assert connection.receive_data(late) == []
    assert sent(connection) == b""


def test_headers_that_are_ignored_pass_through_the_table() -> None:
    connection = called()
    connection.reset_stream(1, ErrorCode.CANCEL)
    another = connection.request(REQUEST)
    remembered = b"\x40\x05x-key\x05value"
    connection.receive_data(frame(HEADERS, END_HEADERS, 1, b"\x88" + remembered))
    (answer,) = connection.receive_data(frame(HEADERS, END_HEADERS, another, b"\x88\xbe"))
    assert answer == ResponseReceived(another, 200, (("x-key", "value"),), False)


@pytest.mark.parametrize("harmless", [
    frame(PRIORITY, 0, 1, bytes(5)),
    frame(PRIORITY, 0, 7, bytes(5)),
    frame(PRIORITY, 0, 2, bytes(5)),
    frame(0x77, 0xFF, 1, b"whatever"),
    frame(0x77, 0, 0),
    frame(SETTINGS, ACK, 0),
    frame(PING, ACK, 0, bytes(8)),
    setting(0x77, 1),
    setting(2, 0),
    setting(3, 0),
    window_update(1, LARGEST - 65_535),
    frame(DATA, PADDED, 1, b"\x00"),
    frame(DATA, 0, 1),
    ENDED,
    headers(1, [], flags=BOTH),
])  # fmt: skip
def test_what_is_no_error(harmless: bytes) -> None:
    connection = called()
    connection.receive_data(OPEN)
    events = connection.receive_data(harmless)
    assert not [event for event in events if isinstance(event, StreamReset)]
    assert not [one for one in parse(sent(connection)) if isinstance(one, hyperframe.RstStreamFrame)]


@pytest.mark.parametrize("answer", [
    frame(HEADERS, 4 | WITH_PRIORITY, 1, b"\x80\x00\x00\x03\xff" + block(RESPONSE)),
    frame(HEADERS, 4 | PADDED, 1, b"\x04" + block(RESPONSE) + bytes(4)),
    frame(HEADERS, 0, 1) + frame(CONTINUATION, 0, 1, block(RESPONSE)) + frame(CONTINUATION, 4, 1),
])  # fmt: skip
def test_forms_of_an_answer(answer: bytes) -> None:
    (event,) = called().receive_data(answer)
    assert event == ResponseReceived(1, 200, RESPONSE[1:], False)


# Floods


def last_error(connection: ClientConnection, pieces: Iterable[bytes], *, drained: bool = True) -> ErrorCode:
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
        frame(PING, ACK, 0, bytes(8)),
        frame(SETTINGS, 0, 0),
        frame(SETTINGS, ACK, 0),
        frame(DATA, 0, 1),
        frame(DATA, PADDED, 1, b"\x00") + frame(PING, 0, 0, bytes(8)),
        frame(PRIORITY, 0, 1, bytes(5)),
        frame(0x77, 0, 0),
        frame(GOAWAY, 0, 0, bytes(8)),
        window_update(1, 1),
        window_update(0, 1),
    ],
)
def test_frames_without_content_are_limited(data: bytes, drained: bool) -> None:
    connection = called()
    connection.receive_data(OPEN)
    pieces = itertools.repeat(data, limits.MAX_IDLE_FRAMES + 1)
    assert last_error(connection, pieces, drained=drained) is CALM


def test_informational_answers_are_limited() -> None:
    pieces = itertools.repeat(headers(1, [(":status", "103")]), limits.MAX_IDLE_FRAMES + 1)
    assert last_error(called(), pieces) is CALM


def test_frames_in_one_piece_are_limited_too() -> None:
    flood = frame(PING, 0, 0, bytes(8)) * (limits.MAX_IDLE_FRAMES + 1)
    assert last_error(called(), [flood]) is CALM


def test_pings_between_content_are_not() -> None:
    connection = called()
    connection.receive_data(OPEN)
    for _ in range(limits.MAX_IDLE_FRAMES + 10):
        connection.receive_data(frame(PING, 0, 0, bytes(8)) + frame(DATA, 0, 1, b"x"))
        connection.acknowledge(1, 1)
        sent(connection)


def test_grants_for_content_that_is_sent_are_not() -> None:
    """An upload: nothing comes but grants."""
    connection = called()
    connection.send_data(1, [bytes(65_535)])
    sent(connection)
    for _ in range(limits.MAX_IDLE_FRAMES + 10):
        connection.send_data(1, [b"x"])
        connection.receive_data(window_update(1, 1) + window_update(0, 1))
        assert sent(connection)


def test_answers_that_are_not_taken_are_limited() -> None:
    connection = called()
    connection.receive_data(OPEN)
    data = frame(PING, 0, 0, bytes(8)) + frame(DATA, 0, 1, b"x")
    pieces = itertools.repeat(data, limits.MAX_QUEUED_CONTROL_FRAMES + 1)
    assert last_error(connection, pieces, drained=False) is CALM


def test_settings_without_end() -> None:
    connection = called()
    many = (4).to_bytes(2, "big") + (65_535).to_bytes(4, "big")
    connection.receive_data(frame(SETTINGS, 0, 0, many * limits.MAX_SETTINGS))
    assert last_error(connection, [frame(SETTINGS, 0, 0, many * (limits.MAX_SETTINGS + 1))]) is CALM


def test_calls_that_are_reset_again_and_again() -> None:
    connection = called()

    def resets() -> Iterable[bytes]:
        for number in range(1, 2 * limits.MAX_EXCESS_RESETS + 3, 2):
            yield frame(RST_STREAM, 0, number, bytes(4))
            connection.request(REQUEST)

    assert last_error(connection, resets()) is CALM


def test_a_header_block_without_end() -> None:
    pieces = [frame(HEADERS, 0, 1, block(RESPONSE)), *[frame(CONTINUATION, 0, 1)] * (MAX_CONTINUATIONS + 1)]
    assert last_error(called(), pieces) is CALM


@pytest.mark.parametrize("stream", [1, 3])
@pytest.mark.parametrize("compressed", [True, False])
def test_a_header_list_too_large(compressed: bool, stream: int) -> None:
    """On a stream that was reset as well as on one that waits for it."""
    connection = called()
    connection.request(REQUEST)
    connection.reset_stream(1, ErrorCode.CANCEL)
    if compressed:  # one field of 4 kB in the table, and a byte for each repetition
        many = b"\x40\x01a\x7f\x81\x1e" + b"x" * 3968 + b"\xbe" * 300
        data = frame(HEADERS, 4, stream, many)
    else:
        data = headers(stream, flags=0) + frame(CONTINUATION, 0, stream, bytes(1 << 14)) * 65
    with pytest.raises(ProtocolError, match="1048896 bytes of headers"):
        connection.receive_data(data)


def test_what_is_said_of_an_error_is_brief() -> None:
    connection = called()
    with pytest.raises(ProtocolError) as caught:
        connection.receive_data(frame(HEADERS, 4, 1, b"\x7f" + b"\xff" * 10_000 + b"\x00"))
    assert len(str(caught.value)) < 500
    assert len(sent(connection)) < 500
    connection = called()
    (reset,) = connection.receive_data(headers(1, [*RESPONSE, ("x" * 10_000 + " ", "")]))
    assert isinstance(reset, StreamReset)
    assert reset.reason.startswith("sent a malformed response: field b'x")
    assert len(reset.reason) < 500
