"""The connection against the `h2` library's client, whole and in pieces."""

from __future__ import annotations

import random
from typing import Any

import h2.errors
import h2.events
import h2.settings
import pytest
from hyperframe import frame as hyperframe

from buildctl.http2.events import DataReceived, GoAway, RequestReceived, StreamReset
from buildctl.http2.frames import DEFAULT_FRAME_SIZE, ErrorCode
from buildctl.http2.headers import MAX_HEADER_LIST_SIZE
from buildctl.http2.output import QUANTUM
from buildctl.http2.server import CONNECTION_WINDOW, CONTENT_WINDOW, STREAM_WINDOW
from tests.support.http2 import (
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    Pair,
    block,
    frame,
    greeted,
    headers,
    parse,
    sent,
    setting,
    window_update,
)

RESPONSE = [(":status", "200"), ("content-type", "application/grpc")]
TRAILERS = [("grpc-status", "0")]
LARGEST = (1 << 31) - 1


@pytest.fixture(params=[1 << 30, 1], ids=["whole", "byte by byte"])
def pair(request: pytest.FixtureRequest) -> Pair:
    return Pair(request.param)


def content(events: list[Any]) -> bytes:
    return b"".join(bytes(event.data) for event in events)


def test_what_is_announced(pair: Pair) -> None:
    settings = pair.client.remote_settings
    assert settings.max_concurrent_streams == 250
    assert settings.initial_window_size == STREAM_WINDOW
    assert settings.max_frame_size == 1 << 20
    assert settings.max_header_list_size == MAX_HEADER_LIST_SIZE
    assert settings.header_table_size == 4096
    assert pair.client.outbound_flow_control_window == CONNECTION_WINDOW
    assert pair.client.local_settings.acknowledge() == {}  # ours were acknowledged


def test_a_call_from_start_to_end(pair: Pair) -> None:
    stream = pair.request(extra=[("dir-name", "context"), ("followpaths", "a"), ("followpaths", "b")])
    (request,) = pair.take(RequestReceived)
    assert (request.method, request.path, request.end_stream) == ("POST", "/test.T/Echo", False)
    assert request.fields[-3:] == (("dir-name", "context"), ("followpaths", "a"), ("followpaths", "b"))
    pair.client.send_data(stream, b"hello ")
    pair.client.send_data(stream, b"world", end_stream=True)
    pair.exchange()
    received = pair.take(DataReceived)
    assert received[-1].end_stream
    pair.server.send_headers(stream, RESPONSE)
    pair.server.send_data(stream, [b"good ", b"", b"bye"])
    pair.server.send_trailers(stream, TRAILERS)
    pair.exchange()
    events = pair.client_events
    assert [type(event) for event in events] == [
        h2.events.ResponseReceived,
        h2.events.DataReceived,
        h2.events.TrailersReceived,
        h2.events.StreamEnded,
    ]
    assert events[1].data == b"good bye"


def test_content_is_views_until_the_next_bytes() -> None:
    pair = Pair()
    stream = pair.request()
    pair.client.send_data(stream, b"hello", end_stream=True)
    (event,) = pair.server.receive_data(pair.client.data_to_send())
    assert isinstance(event, DataReceived)
    assert bytes(event.data) == b"hello"


def test_an_answer_of_trailers_alone(pair: Pair) -> None:
    stream = pair.request(end_stream=True)
    pair.server.send_trailers(stream, [*RESPONSE, ("grpc-status", "12")])
    pair.exchange()
    (response,) = pair.take(h2.events.ResponseReceived)
    assert (b"grpc-status", b"12") in response.headers
    assert response.stream_ended


def test_an_answer_before_the_request_has_ended(pair: Pair) -> None:
    stream = pair.request()
    pair.server.send_trailers(stream, [*RESPONSE, ("grpc-status", "5")])
    pair.exchange()
    (reset,) = pair.take(h2.events.StreamReset)
    assert reset.error_code == h2.errors.ErrorCodes.NO_ERROR


def test_trailers_end_a_request(pair: Pair) -> None:
    stream = pair.request()
    pair.client.send_headers(stream, [("x", "y")], end_stream=True)
    pair.exchange()
    (event,) = pair.take(DataReceived)
    assert event.end_stream
    assert not event.data


def test_a_large_header_list_in_continuations(pair: Pair) -> None:
    many = [("followpaths", f"a/file/of/some/length/{i:05}") for i in range(3000)]
    pair.request(extra=many)
    (request,) = pair.take(RequestReceived)
    assert [field for field in request.fields if field[0] == "followpaths"] == many


def test_large_trailers_in_continuations(pair: Pair) -> None:
    stream = pair.request(end_stream=True)
    message = "x" * 50_000
    pair.server.send_trailers(stream, [*RESPONSE, ("grpc-message", message)])
    pair.exchange()
    (response,) = pair.take(h2.events.ResponseReceived)
    assert (b"grpc-message", message.encode()) in response.headers


def test_padding_is_no_content_and_is_given_back() -> None:
    pair = Pair()
    stream = pair.request()
    for _ in range(STREAM_WINDOW // 200):
        pair.client.send_data(stream, b"x", pad_length=255)
        pair.exchange()
        (event,) = pair.take(DataReceived)
        assert bytes(event.data) == b"x"
        pair.server.acknowledge(stream, 1)


def test_file_names_in_metadata_may_be_any_bytes() -> None:
    connection = greeted()
    section = [
        *[(f":{name}", "x") for name in ("method", "scheme", "path")],
        (b"dir-name", b" \xff\xc3\xa9 "),
    ]
    (event,) = connection.receive_data(headers(1, section))
    assert isinstance(event, RequestReceived)
    assert event.fields == (("dir-name", " \udcffé "),)


# Flow control, receiving


def test_the_peer_sends_as_much_as_is_acknowledged() -> None:
    pair = Pair(1000)
    stream = pair.request()
    assert pair.client.local_flow_control_window(stream) == STREAM_WINDOW
    total = 0
    while room := pair.client.local_flow_control_window(stream):
        pair.client.send_data(stream, bytes(min(room, 100_000)))
        pair.exchange()
        total += sum(len(event.data) for event in pair.take(DataReceived))
    assert total == STREAM_WINDOW
    assert pair.client.outbound_flow_control_window >= CONNECTION_WINDOW // 2  # the connection goes on
    pair.server.acknowledge(stream, STREAM_WINDOW // 2 - 1)
    pair.exchange()
    assert pair.client.local_flow_control_window(stream) == 0  # small steps are not announced
    pair.server.acknowledge(stream, 1)
    pair.exchange()
    assert pair.client.local_flow_control_window(stream) == STREAM_WINDOW // 2


def test_a_stream_that_brings_content_has_a_larger_window() -> None:
    pair = Pair()
    stream = pair.request()
    pair.client.send_data(stream, bytes(STREAM_WINDOW))
    pair.exchange()
    pair.server.widen(stream)
    pair.exchange()
    assert pair.client.local_flow_control_window(stream) == CONTENT_WINDOW - STREAM_WINDOW
    pair.server.widen(stream)
    pair.exchange()
    assert pair.client.local_flow_control_window(stream) == CONTENT_WINDOW - STREAM_WINDOW  # once
    pair.server.acknowledge(stream, STREAM_WINDOW)
    pair.exchange()
    assert (
        pair.client.local_flow_control_window(stream) == CONTENT_WINDOW - STREAM_WINDOW
    )  # a small step by now
    pair.client.send_data(stream, bytes(1), end_stream=True)
    pair.exchange()
    assert sum(len(event.data) for event in pair.take(DataReceived)) == STREAM_WINDOW + 1


def test_the_window_of_a_stream_that_is_ended_or_gone_stays() -> None:
    connection = greeted()
    connection.receive_data(headers(1, flags=END_HEADERS | END_STREAM))
    connection.widen(1)
    connection.widen(3)
    assert sent(connection) == b""


def test_one_stream_that_is_not_read_does_not_stop_others() -> None:
    pair = Pair()
    for _ in range(10):
        stream = pair.request()
        for _ in range(10):
            pair.client.send_data(stream, bytes(STREAM_WINDOW // 10))
            pair.exchange()
    assert pair.client.outbound_flow_control_window >= CONNECTION_WINDOW // 2


# Flow control, sending


def test_content_waits_for_windows(pair: Pair) -> None:
    stream = pair.request(end_stream=True)
    message = random.Random(0).randbytes(300_000)
    pair.server.send_headers(stream, RESPONSE)
    pair.server.send_data(stream, [message])
    pair.server.send_trailers(stream, TRAILERS)
    pair.exchange()
    received = content(pair.take(h2.events.DataReceived))
    assert len(received) == 65_535
    assert pair.server.unsent(stream) == 300_000 - 65_535
    pair.client.increment_flow_control_window(100_000, stream)
    pair.exchange()
    assert not pair.client_events  # the connection's window is as empty
    pair.client.increment_flow_control_window(1_000_000)
    pair.exchange()
    received += content(pair.take(h2.events.DataReceived))
    assert len(received) == 165_535
    pair.client.increment_flow_control_window(1_000_000, stream)
    pair.exchange()
    assert isinstance(pair.client_events[-1], h2.events.StreamEnded)
    received += content(pair.take(h2.events.DataReceived))
    assert received == message
    assert pair.server.unsent(stream) == 0


def test_settings_resize_open_windows_below_zero(pair: Pair) -> None:
    stream = pair.request()
    pair.server.send_headers(stream, RESPONSE)
    pair.server.send_data(stream, [bytes(60_000)])
    pair.exchange()
    pair.client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 10_000})
    pair.exchange()  # now at 10,000 - 60,000
    pair.take(h2.events.DataReceived)
    pair.server.send_data(stream, [bytes(100)])
    pair.client.increment_flow_control_window(1_000_000)
    pair.client.increment_flow_control_window(50_000, stream)
    pair.exchange()
    assert not pair.take(h2.events.DataReceived)
    pair.client.increment_flow_control_window(40, stream)
    pair.exchange()
    assert len(content(pair.take(h2.events.DataReceived))) == 40
    pair.client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 20_000})
    pair.exchange()
    assert len(content(pair.take(h2.events.DataReceived))) == 60


def test_new_streams_have_the_new_window(pair: Pair) -> None:
    pair.client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 5})
    stream = pair.request()
    pair.server.send_headers(stream, RESPONSE)
    pair.server.send_data(stream, [b"0123456789"])
    pair.exchange()
    assert content(pair.take(h2.events.DataReceived)) == b"01234"


@pytest.mark.parametrize(("frame_size", "expected"), [(None, 16_384), (20_000, 20_000), (1 << 20, QUANTUM)])
def test_frames_are_as_large_as_the_peer_takes(frame_size: int | None, expected: int) -> None:
    connection = greeted()
    connection.receive_data(window_update(0, 1 << 24) + setting(4, 1 << 24) + headers(1))
    if frame_size:
        connection.receive_data(setting(5, frame_size))
    connection.send_headers(1, RESPONSE)
    connection.send_data(1, [bytes(99_999)] * 10)
    frames = [one for one in parse(sent(connection)) if isinstance(one, hyperframe.DataFrame)]
    assert max(len(one.data) for one in frames) == expected
    assert sum(len(one.data) for one in frames) == 999_990


# Order


def test_answers_overtake_content() -> None:
    connection = greeted()
    connection.receive_data(window_update(0, 1 << 24) + setting(4, 1 << 24))
    connection.receive_data(b"".join(headers(i) for i in (1, 3, 5)))
    for stream in (1, 3):
        connection.send_headers(stream, RESPONSE)
        connection.send_data(stream, [bytes(1 << 22)])
    sent(connection, 100_000)
    connection.send_headers(5, RESPONSE)
    connection.send_data(5, [b"SERVING"])
    connection.send_trailers(5, TRAILERS)
    connection.receive_data(frame(PING, 0, 0, b"12345678"))
    frames = parse(sent(connection, 100_000))
    assert [type(one).__name__ for one in frames[:4]] == [
        "HeadersFrame",
        "PingFrame",
        "DataFrame",
        "HeadersFrame",
    ]
    assert frames[1].opaque_data == b"12345678"
    assert [one.stream_id for one in frames[2:4]] == [5, 5]
    assert {one.stream_id for one in frames[4:] if isinstance(one, hyperframe.DataFrame)} <= {1, 3}


def test_streams_take_turns() -> None:
    connection = greeted()
    connection.receive_data(window_update(0, 1 << 24) + setting(4, 1 << 24))
    for stream in (1, 3, 5):
        connection.receive_data(headers(stream))
        connection.send_headers(stream, RESPONSE)
        connection.send_data(stream, [bytes(1 << 20)])
    shares = dict.fromkeys((1, 3, 5), 0)
    for one in parse(sent(connection, 6 * QUANTUM)):
        if isinstance(one, hyperframe.DataFrame):
            shares[one.stream_id] += len(one.data)
    assert set(shares.values()) == {2 * QUANTUM}


def test_a_limit_holds_for_content() -> None:
    connection = greeted()
    connection.receive_data(window_update(0, 1 << 24) + setting(4, 1 << 24) + headers(1))
    connection.send_data(1, [bytes(1 << 20)])
    total = 0
    while data := sent(connection, 50_000):
        size = sum(len(one.data) for one in parse(data) if isinstance(one, hyperframe.DataFrame))
        assert size <= 50_000
        total += size
    assert total == 1 << 20


# Ends


def test_the_peer_resets_a_stream(pair: Pair) -> None:
    stream = pair.request()
    pair.server.send_headers(stream, RESPONSE)
    pair.server.send_data(stream, [bytes(100_000)])
    pair.exchange()
    pair.client.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
    pair.exchange()
    assert pair.take(StreamReset) == [StreamReset(stream, ErrorCode.CANCEL, "")]
    assert pair.server.unsent(stream) == 0
    pair.server.send_data(stream, [b"more"])
    pair.server.send_trailers(stream, TRAILERS)
    pair.server.reset_stream(stream, ErrorCode.CANCEL)
    pair.server.acknowledge(stream, 5)
    assert sent(pair.server) == b""
    pair.request()
    assert len(pair.take(RequestReceived)) == 1


def test_we_reset_a_stream(pair: Pair) -> None:
    stream = pair.request()
    pair.server.reset_stream(stream, ErrorCode.REFUSED_STREAM)
    pair.client.send_data(stream, bytes(1000))
    pair.exchange()
    (reset,) = pair.take(h2.events.StreamReset)
    assert reset.error_code == h2.errors.ErrorCodes.REFUSED_STREAM


def test_go_away_is_told() -> None:
    connection = greeted()
    connection.receive_data(headers(1))
    (event,) = connection.receive_data(frame(7, 0, 0, bytes(7) + b"\x0b" + b"too_many_pings"))
    assert event == GoAway(0, ErrorCode.ENHANCE_YOUR_CALM, "too_many_pings")
    connection.send_trailers(1, [*RESPONSE, *TRAILERS])
    assert len(parse(sent(connection))) == 2  # what was open is still answered


def test_we_go_away(pair: Pair) -> None:
    stream = pair.request()
    pair.server.go_away(ErrorCode.NO_ERROR, "done")
    late = pair.server.receive_data(frame(HEADERS, END_HEADERS, stream + 2, block()))
    assert late == []
    pair.exchange()
    (event,) = pair.take(h2.events.ConnectionTerminated)
    assert (event.error_code, event.last_stream_id, event.additional_data) == (0, stream, b"done")


def test_nothing_is_said_after_a_connection_error() -> None:
    connection = greeted()
    connection.receive_data(headers(1))
    connection.send_headers(1, RESPONSE)
    connection.send_data(1, [bytes(100_000)])
    with pytest.raises(Exception, match="PUSH_PROMISE"):
        connection.receive_data(frame(5, 4, 1, bytes(4)))
    assert not [one for one in parse(sent(connection)) if isinstance(one, hyperframe.DataFrame)]


def test_many_streams_one_after_the_other() -> None:
    """What is remembered of closed streams is bounded, and late frames on the oldest do no harm."""
    connection = greeted()
    for i in range(5000):
        connection.receive_data(headers(2 * i + 1, flags=5))
        connection.send_headers(2 * i + 1, RESPONSE)
        connection.send_data(2 * i + 1, [b"x"])
        connection.send_trailers(2 * i + 1, TRAILERS)
        sent(connection)
        if i == 0:
            connection.receive_data(window_update(0, LARGEST - 65_535 + 1))
    connection.receive_data(window_update(1, 5))
    assert sent(connection) == b""


def test_frame_sizes_split_a_large_header_block() -> None:
    connection = greeted()
    connection.receive_data(headers(1, flags=5))
    connection.send_trailers(1, [(":status", "200"), ("grpc-message", "€" * 10_000)])
    first, *others = parse(sent(connection))
    assert isinstance(first, hyperframe.HeadersFrame)
    assert "END_STREAM" in first.flags
    assert "END_HEADERS" not in first.flags
    assert all(isinstance(one, hyperframe.ContinuationFrame) for one in others)
    assert "END_HEADERS" in others[-1].flags
    assert all(len(one.data) <= DEFAULT_FRAME_SIZE for one in [first, *others])
