"""The client's end against the `h2` library's server, whole and in pieces."""

from __future__ import annotations

import random
from typing import Any

import h2.errors
import h2.events
import h2.settings
import pytest
from hyperframe import frame as hyperframe

from buildctl.http2.client import WINDOW, ClientConnection
from buildctl.http2.events import DataReceived, GoAway, ResponseReceived, StreamReset, TrailersReceived
from buildctl.http2.frames import DEFAULT_FRAME_SIZE, PREFACE, ErrorCode
from buildctl.http2.headers import MAX_HEADER_LIST_SIZE
from buildctl.http2.output import QUANTUM
from buildctl.http2.windows import INITIAL_WINDOW
from tests.support.http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    PADDED,
    PING,
    REQUEST,
    RESPONSE,
    RST_STREAM,
    SERVER_GREETING,
    TRAILERS,
    ServedPair,
    called,
    frame,
    headers,
    parse,
    sent,
    setting,
    window_update,
)

Codes = h2.settings.SettingCodes
ANSWER = ResponseReceived(1, 200, (("content-type", "application/grpc"),), False)


@pytest.fixture(params=[1 << 30, 1], ids=["whole", "byte by byte"])
def pair(request: pytest.FixtureRequest) -> ServedPair:
    return ServedPair(request.param)


def content(events: list[Any]) -> bytes:
    return b"".join(bytes(event.data) for event in events if isinstance(event, DataReceived))


def arrived(pair: ServedPair) -> bytes:
    """What the server has got of content since it was last asked."""
    return b"".join(event.data for event in pair.take(h2.events.DataReceived))


def data_frames(data: bytes) -> list[Any]:
    return [one for one in parse(data) if isinstance(one, hyperframe.DataFrame)]


# Greeting


def test_this_end_speaks_first() -> None:
    connection = ClientConnection()
    connection.request(REQUEST)
    data = sent(connection)
    assert data.startswith(PREFACE)
    names = [type(one).__name__ for one in parse(data.removeprefix(PREFACE))]
    assert names == ["SettingsFrame", "WindowUpdateFrame", "HeadersFrame"]


def test_what_is_announced(pair: ServedPair) -> None:
    settings = pair.server.remote_settings
    assert settings.enable_push == 0
    assert settings.initial_window_size == WINDOW
    assert settings.max_frame_size == DEFAULT_FRAME_SIZE
    assert settings.max_header_list_size == MAX_HEADER_LIST_SIZE
    assert settings.header_table_size == 4096
    assert pair.server.outbound_flow_control_window == WINDOW
    assert pair.server.local_settings.acknowledge() == {}  # the server's were acknowledged


# Calls


def test_a_call_from_start_to_end(pair: ServedPair) -> None:
    stream = pair.request([("x-key", "a"), ("x-key", "b")])
    (request,) = pair.take(h2.events.RequestReceived)
    assert [(name.decode(), value.decode()) for name, value in request.headers] == [
        *REQUEST,
        ("x-key", "a"),
        ("x-key", "b"),
    ]
    assert request.stream_ended is None
    pair.client.send_data(stream, [b"hello ", b"", b"world"])
    pair.exchange()
    assert arrived(pair) == b"hello world"
    pair.client.end(stream)
    pair.exchange()
    assert len(pair.take(h2.events.StreamEnded)) == 1
    pair.server.send_headers(stream, RESPONSE)
    pair.server.send_data(stream, b"good bye")
    pair.server.send_headers(stream, TRAILERS, end_stream=True)
    pair.exchange()
    events = pair.client_events
    assert events[0] == ANSWER
    assert content(events) == b"good bye"
    assert events[-1] == TrailersReceived(stream, TRAILERS)
    assert pair.client.open_streams == 0


def test_streams_are_odd_and_grow(pair: ServedPair) -> None:
    assert [pair.request() for _ in range(3)] == [1, 3, 5]
    for stream in (5, 1, 3):
        pair.server.send_headers(stream, [(":status", "200"), ("number", str(stream))], end_stream=True)
    pair.exchange()
    answers = pair.take(ResponseReceived)
    assert [(event.stream_id, dict(event.fields)["number"]) for event in answers] == [
        (5, "5"),
        (1, "1"),
        (3, "3"),
    ]


def test_content_is_views_until_the_next_bytes() -> None:
    pair = ServedPair()
    stream = pair.answered()
    pair.server.send_data(stream, b"hello")
    data = bytearray(pair.server.data_to_send())
    (event,) = pair.client.receive_data(data)
    assert isinstance(event, DataReceived)
    assert bytes(event.data) == b"hello"
    data[-5:] = b"HELLO"
    assert bytes(event.data) == b"HELLO"


def test_an_answer_of_trailers_alone(pair: ServedPair) -> None:
    stream = pair.request()
    pair.server.send_headers(stream, [*RESPONSE, ("grpc-status", "12")], end_stream=True)
    pair.exchange()
    (event,) = pair.take(ResponseReceived)
    assert event.end_stream
    assert dict(event.fields)["grpc-status"] == "12"


def test_an_answer_without_content(pair: ServedPair) -> None:
    stream = pair.answered([("content-length", "0")])
    pair.server.send_headers(stream, TRAILERS, end_stream=True)
    pair.exchange()
    assert pair.client_events == [TrailersReceived(stream, TRAILERS)]


def test_an_answer_that_ends_without_trailers(pair: ServedPair) -> None:
    stream = pair.answered([("content-length", "3")])
    pair.server.send_data(stream, b"abc", end_stream=True)
    pair.exchange()
    events = pair.take(DataReceived)
    assert content(events) == b"abc"
    assert [event.end_stream for event in events][-1] is True


def test_informational_answers_are_passed_over(pair: ServedPair) -> None:
    stream = pair.request()
    for status in ("100", "103", "103"):
        pair.server.send_headers(stream, [(":status", status), ("link", "x")])
    pair.server.send_headers(stream, RESPONSE)
    pair.exchange()
    assert pair.client_events == [ANSWER]


@pytest.mark.parametrize("status", [200, 204, 302, 404, 503])
def test_any_final_status_is_told(pair: ServedPair, status: int) -> None:
    stream = pair.request()
    pair.server.send_headers(stream, [(":status", str(status))], end_stream=True)
    pair.exchange()
    assert pair.client_events == [ResponseReceived(stream, status, (), True)]


def test_an_answer_before_the_request_has_ended(pair: ServedPair) -> None:
    """A server that is done may answer and say that it wants no more of the request (8.1)."""
    stream = pair.request()
    pair.client.send_data(stream, [bytes(100_000)])
    pair.exchange()
    pair.take(object)
    pair.server.send_headers(stream, [*RESPONSE, ("grpc-status", "5")], end_stream=True)
    pair.server.reset_stream(stream, h2.errors.ErrorCodes.NO_ERROR)
    pair.exchange()
    answer, reset = pair.client_events
    assert isinstance(answer, ResponseReceived)
    assert reset == StreamReset(stream, ErrorCode.NO_ERROR, "")
    assert pair.client.unsent(stream) == 0


def test_a_request_goes_on_after_its_answer_has_ended(pair: ServedPair) -> None:
    stream = pair.request()
    pair.server.send_headers(stream, [*RESPONSE, ("grpc-status", "0")], end_stream=True)
    pair.exchange()
    pair.client.send_data(stream, [b"the rest"])
    pair.client.end(stream)
    assert pair.client.open_streams == 1
    pair.exchange()
    assert arrived(pair) == b"the rest"
    assert pair.client.open_streams == 0


def test_the_end_of_a_request_waits_for_its_content(pair: ServedPair) -> None:
    stream = pair.request()
    pair.client.send_data(stream, [bytes(INITIAL_WINDOW + 10)])
    pair.client.end(stream)
    pair.exchange()
    assert not [event for event in pair.server_events if isinstance(event, h2.events.StreamEnded)]
    assert len(arrived(pair)) == INITIAL_WINDOW
    pair.server.increment_flow_control_window(10)
    pair.server.increment_flow_control_window(10, stream)
    pair.exchange()
    assert isinstance(pair.server_events[-1], h2.events.StreamEnded)
    assert len(arrived(pair)) == 10


def test_a_request_is_ended_once() -> None:
    connection = called()
    connection.end(1)
    connection.end(1)
    (end,) = parse(sent(connection))
    assert isinstance(end, hyperframe.DataFrame)
    assert "END_STREAM" in end.flags
    assert end.data == b""


def test_what_is_done_to_a_stream_that_is_gone_does_nothing() -> None:
    connection = called()
    connection.receive_data(frame(RST_STREAM, 0, 1, bytes(4)))
    connection.send_data(1, [b"x"])
    connection.end(1)
    connection.reset_stream(1, ErrorCode.CANCEL)
    connection.acknowledge(1, 10)
    assert connection.unsent(1) == 0
    assert sent(connection) == b""


# Header sections


def test_a_large_request_in_continuations(pair: ServedPair) -> None:
    many = [("x-docker-expose-session-grpc-method", f"/a.service.of/Some{i:05}") for i in range(450)]
    data_before = len(pair.server_events)
    pair.request(many)
    (request,) = [
        event for event in pair.server_events[data_before:] if isinstance(event, h2.events.RequestReceived)
    ]
    assert [(name.decode(), value.decode()) for name, value in request.headers[len(REQUEST) :]] == many


def test_a_large_request_is_cut_into_frames_of_the_least_size() -> None:
    connection = ClientConnection()
    connection.request([*REQUEST, ("x", "€" * 20_000)])
    frames = parse(sent(connection).removeprefix(PREFACE))[2:]
    assert [type(one).__name__ for one in frames] == ["HeadersFrame", *["ContinuationFrame"] * 3]
    assert all(len(one.data) <= DEFAULT_FRAME_SIZE for one in frames)
    assert ["END_HEADERS" in one.flags for one in frames] == [False, False, False, True]


def test_a_large_answer_in_continuations(pair: ServedPair) -> None:
    stream = pair.request()
    many = [("x-key", f"{i:05}" * 10) for i in range(1000)]
    pair.server.send_headers(stream, [*RESPONSE, *many])
    pair.exchange()
    (response,) = pair.take(ResponseReceived)
    assert list(response.fields[1:]) == many


def test_large_trailers_in_continuations(pair: ServedPair) -> None:
    stream = pair.answered()
    message = "x" * 50_000
    pair.server.send_headers(stream, [("grpc-status", "2"), ("grpc-message", message)], end_stream=True)
    pair.exchange()
    assert pair.client_events == [
        TrailersReceived(stream, (("grpc-status", "2"), ("grpc-message", message))),
    ]


def test_values_may_be_any_bytes() -> None:
    connection = called()
    (event,) = connection.receive_data(headers(1, [(b":status", b"200"), (b"x", b" \xff\xc3\xa9 ")]))
    assert event == ResponseReceived(1, 200, (("x", " \udcffé "),), False)


def test_the_table_of_headers_is_as_large_as_the_server_says(pair: ServedPair) -> None:
    """h2 raises when a table is not made smaller, or an entry is named that it does not have."""
    extra = [("x-key", "value"), ("x-other", "another")]
    pair.request(extra)
    for size in (0, 100, 4096, 1 << 20):
        pair.server.update_settings({Codes.HEADER_TABLE_SIZE: size})
        pair.exchange()
        pair.take(object)
        pair.request(extra)
        pair.request(extra)
        for request in pair.take(h2.events.RequestReceived):
            assert [(name.decode(), value.decode()) for name, value in request.headers[-2:]] == extra


# Flow control, receiving


def test_the_server_sends_as_much_as_is_acknowledged() -> None:
    pair = ServedPair(100_000)
    stream = pair.answered()
    message = random.Random(0).randbytes(WINDOW)
    assert pair.server.local_flow_control_window(stream) == WINDOW
    total = b""
    while room := pair.server.local_flow_control_window(stream):
        size = min(room, DEFAULT_FRAME_SIZE)
        pair.server.send_data(stream, message[len(total) : len(total) + size])
        pair.exchange()
        total += content(pair.take(DataReceived))
    assert total == message
    assert pair.server.outbound_flow_control_window >= WINDOW // 2  # the connection goes on
    pair.client.acknowledge(stream, WINDOW // 2 - 1)
    pair.exchange()
    assert pair.server.local_flow_control_window(stream) == 0  # small steps are not announced
    pair.client.acknowledge(stream, 1)
    pair.exchange()
    assert pair.server.local_flow_control_window(stream) == WINDOW // 2


def test_a_stream_that_has_ended_is_granted_nothing() -> None:
    connection = called()
    connection.receive_data(headers(1, RESPONSE) + frame(DATA, END_STREAM, 1, bytes(10_000)))
    connection.acknowledge(1, WINDOW)
    assert sent(connection) == b""


def test_padding_is_no_content_and_is_given_back() -> None:
    pair = ServedPair()
    stream = pair.answered()
    for _ in range(WINDOW // 12_000):
        for _ in range(50):
            pair.server.send_data(stream, b"x", pad_length=255)
        pair.exchange()
        received = content(pair.take(DataReceived))
        assert received == b"x" * 50
        pair.client.acknowledge(stream, 50)
    assert pair.server.local_flow_control_window(stream) >= WINDOW // 2 - 13_000


# Flow control, sending


def test_content_waits_for_windows(pair: ServedPair) -> None:
    stream = pair.request()
    message = random.Random(0).randbytes(300_000)
    pair.client.send_data(stream, [message[:1000], message[1000:]])
    pair.exchange()
    received = arrived(pair)
    assert len(received) == INITIAL_WINDOW
    assert pair.client.unsent(stream) == 300_000 - INITIAL_WINDOW
    pair.server.increment_flow_control_window(100_000, stream)
    pair.exchange()
    assert not pair.server_events  # the connection's window is as empty
    pair.server.increment_flow_control_window(1_000_000)
    pair.exchange()
    received += arrived(pair)
    assert len(received) == INITIAL_WINDOW + 100_000
    pair.server.increment_flow_control_window(1_000_000, stream)
    pair.exchange()
    received += arrived(pair)
    assert received == message
    assert pair.client.unsent(stream) == 0


def test_settings_resize_open_windows_below_zero(pair: ServedPair) -> None:
    stream = pair.request()
    pair.client.send_data(stream, [bytes(60_000)])
    pair.exchange()
    pair.server.update_settings({Codes.INITIAL_WINDOW_SIZE: 10_000})
    pair.exchange()  # now at 10,000 - 60,000
    pair.take(object)
    pair.client.send_data(stream, [bytes(100)])
    pair.server.increment_flow_control_window(1_000_000)
    pair.server.increment_flow_control_window(50_000, stream)
    pair.exchange()
    assert not arrived(pair)
    pair.server.increment_flow_control_window(40, stream)
    pair.exchange()
    assert len(arrived(pair)) == 40
    pair.server.update_settings({Codes.INITIAL_WINDOW_SIZE: 20_000})
    pair.exchange()
    assert len(arrived(pair)) == 60


def test_new_streams_have_the_new_window(pair: ServedPair) -> None:
    pair.server.update_settings({Codes.INITIAL_WINDOW_SIZE: 5})
    pair.exchange()
    stream = pair.request()
    pair.client.send_data(stream, [b"0123456789"])
    pair.exchange()
    assert arrived(pair) == b"01234"


def test_a_request_made_before_the_servers_settings_has_the_window_of_these() -> None:
    connection = ClientConnection()
    connection.request(REQUEST)
    connection.send_data(1, [bytes(100)])
    first = sent(connection).removeprefix(PREFACE)
    assert len(data_frames(first)[0].data) == 100
    connection.receive_data(setting(4, 150))
    connection.send_data(1, [bytes(100)])
    assert [len(one.data) for one in data_frames(sent(connection))] == [50]


@pytest.mark.parametrize(("frame_size", "expected"), [(None, 16_384), (20_000, 20_000), (1 << 20, QUANTUM)])
def test_frames_are_as_large_as_the_server_takes(frame_size: int | None, expected: int) -> None:
    connection = called()
    connection.receive_data(window_update(0, 1 << 24) + setting(4, 1 << 24))
    if frame_size:
        connection.receive_data(setting(5, frame_size))
    connection.send_data(1, [bytes(99_999)] * 10)
    frames = data_frames(sent(connection))
    assert max(len(one.data) for one in frames) == expected
    assert sum(len(one.data) for one in frames) == 999_990


def test_a_limit_holds_for_content() -> None:
    connection = called()
    connection.receive_data(window_update(0, 1 << 24) + setting(4, 1 << 24))
    connection.send_data(1, [bytes(1 << 20)])
    total = 0
    while data := sent(connection, 50_000):
        size = sum(len(one.data) for one in data_frames(data))
        assert size <= 50_000
        total += size
    assert total == 1 << 20


# Pings, resets, the end


def test_pings_are_answered_before_content(pair: ServedPair) -> None:
    stream = pair.request()
    pair.take(object)
    pair.client.send_data(stream, [bytes(50_000)])
    pair.server.ping(b"12345678")
    pair.client.receive_data(pair.server.data_to_send())
    first, *rest = parse(sent(pair.client))
    assert isinstance(first, hyperframe.PingFrame)
    assert (first.opaque_data, "ACK" in first.flags) == (b"12345678", True)
    assert sum(len(one.data) for one in rest) == 50_000


def test_a_ping_comes_back(pair: ServedPair) -> None:
    pair.server.ping(b"12345678")
    pair.exchange()
    (event,) = pair.take(h2.events.PingAckReceived)
    assert event.ping_data == b"12345678"


def test_answers_to_pings_are_not_answered() -> None:
    connection = called()
    assert connection.receive_data(frame(PING, 1, 0, bytes(8))) == []
    assert sent(connection) == b""


@pytest.mark.parametrize("begun", [True, False])
def test_the_server_resets_a_stream(pair: ServedPair, begun: bool) -> None:
    stream = pair.answered() if begun else pair.request()
    pair.client.send_data(stream, [bytes(100_000)])
    pair.exchange()
    pair.server.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
    pair.exchange()
    assert pair.take(StreamReset) == [StreamReset(stream, ErrorCode.REFUSED_STREAM, "")]
    assert pair.client.unsent(stream) == 0
    assert pair.client.open_streams == 0
    another = pair.answered()
    pair.server.send_headers(another, TRAILERS, end_stream=True)
    pair.exchange()
    assert pair.take(TrailersReceived) == [TrailersReceived(another, TRAILERS)]


def test_we_reset_a_stream(pair: ServedPair) -> None:
    stream = pair.answered()
    pair.client.send_data(stream, [bytes(100_000)])
    pair.client.reset_stream(stream, ErrorCode.CANCEL)
    pair.server.send_data(stream, bytes(1000))
    pair.server.send_headers(stream, TRAILERS, end_stream=True)
    pair.exchange()
    (reset,) = pair.take(h2.events.StreamReset)
    assert reset.error_code == h2.errors.ErrorCodes.CANCEL
    assert not pair.client_events  # what was on its way is nobody's any more
    assert pair.client.unsent(stream) == 0


def test_the_server_goes_away(pair: ServedPair) -> None:
    stream = pair.answered()
    pair.server.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM, b"too_many_pings", stream)
    pair.exchange()
    assert pair.client_events == [GoAway(1, ErrorCode.ENHANCE_YOUR_CALM, "too_many_pings")]


def test_what_is_open_goes_on_after_the_server_went_away() -> None:
    connection = called()
    events = connection.receive_data(
        frame(GOAWAY, 0, 0, (1).to_bytes(4, "big") + bytes(4))
        + headers(1, RESPONSE)
        + frame(DATA, 0, 1, b"x")
        + headers(1, TRAILERS, flags=END_HEADERS | END_STREAM)
    )
    assert [type(event) for event in events] == [GoAway, ResponseReceived, DataReceived, TrailersReceived]


def test_we_go_away(pair: ServedPair) -> None:
    pair.request()
    pair.client.go_away(ErrorCode.NO_ERROR, "done")
    pair.exchange()
    (event,) = pair.take(h2.events.ConnectionTerminated)
    assert (event.error_code, event.last_stream_id, event.additional_data) == (0, 0, b"done")


def test_nothing_is_said_after_a_connection_error() -> None:
    connection = called()
    connection.send_data(1, [bytes(10_000)])
    with pytest.raises(Exception, match="PUSH_PROMISE"):
        connection.receive_data(frame(5, 4, 1, bytes(4)))
    frames = parse(sent(connection))
    assert [type(one).__name__ for one in frames] == ["GoAwayFrame"]
    assert frames[0].last_stream_id == 0
    assert sent(connection) == b""


def test_padded_and_prioritized_frames_are_read() -> None:
    connection = ClientConnection()
    connection.request(REQUEST)
    padded = frame(DATA, PADDED | END_STREAM, 1, b"\x03abc" + bytes(3))
    events = connection.receive_data(SERVER_GREETING + headers(1, RESPONSE) + padded)
    assert content(events) == b"abc"
