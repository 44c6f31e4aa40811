"""Whatever the bytes and however they are cut: the same events, or the one error there may be."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from buildctl.errors import ProtocolError, ServiceError
from buildctl.http2.events import DataReceived, Event
from buildctl.http2.grpc import MessageReader, frame_messages
from buildctl.http2.server import ServerConnection
from tests.support.http2 import GREETING, REQUEST, Pair, block, frame, headers, sent, setting, window_update

small = st.integers(0, 9)
streams = st.sampled_from((0, 1, 3, 5, 2, 101))
valid_frames = st.one_of(
    st.builds(headers, st.sampled_from((1, 3, 5, 7)), flags=st.sampled_from((4, 5))),
    st.builds(headers, st.just(9), st.just([*REQUEST, ("a", "b")])),
    st.builds(
        frame, st.just(0), st.sampled_from((0, 0, 0, 1)), st.sampled_from((1, 3, 5)), st.binary(max_size=40)
    ),
    st.builds(frame, st.just(6), st.just(0), st.just(0), st.binary(min_size=8, max_size=8)),
    st.builds(setting, st.integers(1, 9), st.integers(0, 1 << 17)),
    st.builds(window_update, streams, st.integers(0, 1 << 20)),
)
any_frames = st.builds(frame, st.integers(0, 11), st.integers(0, 255), streams, st.binary(max_size=50))
blocks = st.builds(
    lambda cut, flags: frame(1, flags & 1, 1, block()[:cut]) + frame(9, flags & 4, 1, block()[cut:]),
    st.integers(0, 40),
    st.integers(0, 7),
)
conversations = st.builds(
    lambda frames, tail: GREETING + b"".join(frames) + tail,
    st.lists(st.one_of(valid_frames, valid_frames, any_frames, blocks), max_size=12),
    st.binary(max_size=12),
)


def outcome(data: bytes, cuts: list[int]) -> tuple[list[object], str, bytes]:
    """Events with neighbouring content joined, the error if there was one, and what is answered."""
    connection = ServerConnection()
    sent(connection)
    events: list[object] = []
    error = ""
    edges = [0, *sorted(cut for cut in set(cuts) if 0 < cut < len(data)), len(data)]
    try:
        for start, end in itertools.pairwise(edges):
            for event in connection.receive_data(data[start:end]):
                events.append(frozen(event))
    except ProtocolError as failure:
        error = str(failure)
        events = []  # those that came with the last bytes are lost with the connection
    return events, error, sent(connection)


def frozen(event: Event) -> object:
    if isinstance(event, DataReceived):
        return ("data", event.stream_id, bytes(event.data), event.end_stream)
    return event


@given(conversations, st.lists(st.integers(0, 600)))
def test_any_cut_gives_the_same(data: bytes, cuts: list[int]) -> None:
    whole = outcome(data, [])
    assert outcome(data, cuts) == whole
    assert outcome(data, list(range(len(data)))) == whole


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_events_or_a_protocol_error(data: bytes, greeted: bool) -> None:
    outcome(GREETING + data if greeted else data, [])


@given(st.lists(st.binary(max_size=200), max_size=20), st.lists(st.integers(0, 4000)))
def test_messages_in_any_pieces(messages: list[bytes], cuts: list[int]) -> None:
    data = b"".join(frame_messages(messages))
    reader = MessageReader()
    received = []
    edges = [0, *sorted(cut for cut in set(cuts) if 0 < cut < len(data)), len(data)]
    for start, end in itertools.pairwise(edges):
        received += reader.feed(memoryview(data)[start:end])
    assert received == messages
    assert reader.is_between_messages


@given(st.binary(max_size=100))
def test_any_content_is_messages_or_a_status(data: bytes) -> None:
    reader = MessageReader(limit=50)
    try:
        messages = reader.feed(data)
    except ServiceError:
        return
    whole = b"".join(frame_messages(messages))
    assert data.startswith(whole)
    assert reader.is_between_messages == (data == whole)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40_000)), max_size=12),
    st.integers(0, 100_000),
    st.sampled_from((100, 16_384, 100_000)),
)
def test_content_arrives_whole_and_within_windows(
    sends: list[tuple[int, int]], window: int, limit: int
) -> None:
    """h2 raises when a window is exceeded, so that its events prove both."""
    pair = Pair()
    pair.client.update_settings({4: window})
    ids = [pair.request() for _ in range(4)]
    expected = dict.fromkeys(ids, b"")
    received = dict.fromkeys(ids, b"")
    for stream_id in ids:
        pair.server.send_headers(stream_id, [(":status", "200")])
    for number, (index, size) in enumerate(sends):
        data = bytes([number]) * size
        expected[ids[index]] += data
        pair.server.send_data(ids[index], [data[: size // 3], data[size // 3 :]])
        for event in pair.client.receive_data(sent(pair.server, limit)):
            pair.client_events.append(event)
    for _ in range(1000):
        for event in pair.client_events:
            if type(event).__name__ == "DataReceived":
                received[event.stream_id] += event.data
                pair.client.increment_flow_control_window(event.flow_controlled_length or 1)
        pair.client_events.clear()
        if received == expected:
            break
        for stream_id in ids:
            pair.client.increment_flow_control_window(5000, stream_id)
        pair.exchange()
    assert received == expected
