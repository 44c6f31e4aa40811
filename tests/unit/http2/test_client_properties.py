"""Whatever a server sends and however it is cut: the same events, or the one error there may be."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from buildctl.errors import ProtocolError
from buildctl.http2.client import ClientConnection
from buildctl.http2.events import DataReceived, Event, StreamReset
from tests.support.http2 import (
    REQUEST,
    RESPONSE,
    SERVER_GREETING,
    TRAILERS,
    ServedPair,
    block,
    frame,
    headers,
    sent,
    setting,
    window_update,
)

OPENED = (1, 3, 5)
streams = st.sampled_from((*OPENED, 0, 2, 101))
sections = st.sampled_from((RESPONSE, TRAILERS, [(":status", "103")], [*RESPONSE, ("x", "y")], REQUEST, []))
flags = st.sampled_from((4, 4, 5))
valid_frames = st.one_of(
    st.builds(headers, st.sampled_from(OPENED), sections, flags),
    st.builds(headers, st.sampled_from(OPENED), st.just(TRAILERS), st.just(5)),
    st.builds(
        frame, st.just(0), st.sampled_from((0, 0, 0, 1)), st.sampled_from(OPENED), st.binary(max_size=40)
    ),
    st.builds(frame, st.just(6), st.just(0), st.just(0), st.binary(min_size=8, max_size=8)),
    st.builds(frame, st.just(3), st.just(0), st.sampled_from(OPENED), st.binary(min_size=4, max_size=4)),
    st.builds(setting, st.integers(1, 9), st.integers(0, 1 << 17)),
    st.builds(window_update, streams, st.integers(0, 1 << 20)),
)
any_frames = st.builds(frame, st.integers(0, 11), st.integers(0, 255), streams, st.binary(max_size=50))
blocks = st.builds(
    lambda cut, bits: (
        frame(1, bits & 1, 1, block(RESPONSE)[:cut]) + frame(9, bits & 4, 1, block(RESPONSE)[cut:])
    ),
    st.integers(0, 40),
    st.integers(0, 7),
)
answers = st.sampled_from([b"", b"".join(headers(stream, RESPONSE) for stream in OPENED)])
conversations = st.builds(
    lambda opening, frames, tail: SERVER_GREETING + opening + b"".join(frames) + tail,
    answers,
    st.lists(st.one_of(valid_frames, valid_frames, any_frames, blocks), max_size=12),
    st.binary(max_size=12),
)


def outcome(data: bytes, cuts: list[int]) -> tuple[list[object], str, bytes]:
    """Events with neighbouring content joined, the error if there was one, and what is answered."""
    connection = ClientConnection()
    for stream_id in OPENED:
        assert connection.request(REQUEST) == stream_id
        connection.send_data(stream_id, [b"content"])
    sent(connection)
    events: list[Event] = []
    error = ""
    edges = [0, *sorted(cut for cut in set(cuts) if 0 < cut < len(data)), len(data)]
    try:
        for start, end in itertools.pairwise(edges):
            # A view is good until the next bytes come.
            events += [frozen(event) for event in connection.receive_data(data[start:end])]
    except ProtocolError as failure:
        error = str(failure)
        events = []  # those that came with the last bytes are lost with the connection
    return joined(events), error, sent(connection)


def frozen(event: Event) -> Event:
    return event._replace(data=bytes(event.data)) if isinstance(event, DataReceived) else event


def joined(events: list[Event]) -> list[object]:
    """DATA frames that come together may be one event."""
    result: list[Event] = []
    for event in events:
        last = result[-1] if result else None
        if (
            isinstance(event, DataReceived)
            and isinstance(last, DataReceived)
            and last.stream_id == event.stream_id
            and not last.end_stream
        ):
            result[-1] = event._replace(data=bytes(last.data) + bytes(event.data))
        else:
            result.append(event)
    return list(result)


@given(conversations, st.lists(st.integers(0, 600)))
def test_any_cut_gives_the_same(data: bytes, cuts: list[int]) -> None:
    whole = outcome(data, [])
    assert outcome(data, cuts) == whole
    assert outcome(data, list(range(len(data)))) == whole


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_events_or_a_protocol_error(data: bytes, greeted: bool) -> None:
    _, error, _ = outcome(SERVER_GREETING + data if greeted else data, [])
    assert not error or error.startswith("connection: the daemon ")


@given(conversations)
def test_a_stream_is_reset_or_ended_once(data: bytes) -> None:
    events, _, _ = outcome(data, [])
    for stream_id in OPENED:
        own = [event for event in events if getattr(event, "stream_id", 0) == stream_id]
        resets = [event for event in own if isinstance(event, StreamReset)]
        ends = [event for event in own if getattr(event, "end_stream", False)]
        assert len(resets) <= 1
        assert not resets or own[-1] is resets[0]
        assert len(ends) <= 1


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40_000)), max_size=12),
    st.integers(0, 100_000),
    st.sampled_from((100, 16_384, 100_000)),
)
def test_content_arrives_whole_and_within_windows(
    sends: list[tuple[int, int]], window: int, limit: int
) -> None:
    """h2 raises when a window is exceeded, so that its events prove both."""
    pair = ServedPair()
    pair.server.update_settings({4: window})
    ids = [pair.request() for _ in range(4)]
    expected = dict.fromkeys(ids, b"")
    received = dict.fromkeys(ids, b"")
    for number, (index, size) in enumerate(sends):
        data = bytes([number]) * size
        expected[ids[index]] += data
        pair.client.send_data(ids[index], [data[: size // 3], data[size // 3 :]])
        pair.server_events += pair.server.receive_data(sent(pair.client, limit))
    for stream_id in ids:
        pair.client.end(stream_id)
    ended = set()
    for _ in range(1000):
        for event in pair.server_events:
            if type(event).__name__ == "DataReceived":
                received[event.stream_id] += event.data
                pair.server.increment_flow_control_window(event.flow_controlled_length or 1)
            elif type(event).__name__ == "StreamEnded":
                ended.add(event.stream_id)
        pair.server_events.clear()
        if received == expected and len(ended) == len(ids):
            break
        for stream_id in set(ids) - ended:
            pair.server.increment_flow_control_window(5000, stream_id)
        pair.exchange()
    assert received == expected
    assert ended == set(ids)
