"""The data of BytesMessages as they come in the content of a call, in any pieces."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildctl._pb.control_pb2 import BytesMessage
from buildctl.errors import ProtocolError
from buildctl.http2.grpc import frame_messages
from buildctl.session.bytesmessage import BytesReader, encode_bytes_message, frame_bytes_message

LONGEST_HEAD = 5 + 1 + 5
"""A prefix, a tag and a length of 32 bits."""
NO_BYTES_MESSAGE = "session: the daemon sent a message that is no BytesMessage"


def framed(messages: Iterable[bytes]) -> bytes:
    """Protobuf's own encoding, as gRPC frames it."""
    return b"".join(frame_messages([BytesMessage(data=data).SerializeToString() for data in messages]))


def raw(message: bytes) -> bytes:
    return b"".join(frame_messages([message]))


def read(content: bytes, cuts: Iterable[int]) -> bytes:
    reader = BytesReader()
    data = b""
    edges = [0, *sorted(cut for cut in set(cuts) if 0 < cut < len(content)), len(content)]
    for start, end in itertools.pairwise(edges):
        data += b"".join(reader.feed(memoryview(content)[start:end]))
        assert len(reader._head) < LONGEST_HEAD
    return data


messages = st.lists(st.one_of(st.binary(max_size=8), st.binary(min_size=100, max_size=300)), max_size=12)
long_varints = st.builds(
    # a length with more bytes than it needs, which is no less protobuf
    lambda data, more: raw(b"\x0a" + varint(len(data), more) + data),
    st.binary(max_size=130),
    st.integers(0, 3),
)


def varint(value: int, more: int) -> bytes:
    low = bytes((value & 0x7F | 0x80, value >> 7 | 0x80)) + b"\x80" * more
    return low[:-1] + bytes((low[-1] & 0x7F,))


@given(messages, st.lists(st.integers(0, 4000)))
def test_data_in_any_pieces(messages: list[bytes], cuts: list[int]) -> None:
    content = framed(messages)
    assert read(content, cuts) == b"".join(messages)
    assert read(content, range(len(content))) == b"".join(messages)
    assert read(content, []) == b"".join(messages)


@given(st.lists(st.lists(st.binary(max_size=300), max_size=4), max_size=5), st.lists(st.integers(0, 4000)))
def test_what_is_framed_here_is_read_here(messages: list[list[bytes]], cuts: list[int]) -> None:
    content = b"".join(bytes(piece) for pieces in messages for piece in frame_bytes_message(list(pieces)))
    assert content == b"".join(frame_messages([encode_bytes_message(list(pieces)) for pieces in messages]))
    assert read(content, cuts) == b"".join(itertools.chain(*messages))


@given(long_varints, st.lists(st.integers(0, 140)))
def test_lengths_longer_than_needed(content: bytes, cuts: list[int]) -> None:
    expected = BytesMessage.FromString(content[5:]).data
    assert read(content, cuts) == expected
    assert read(content, range(len(content))) == expected


@given(st.binary(max_size=60), st.lists(st.integers(0, 60)))
def test_any_content_is_data_or_an_error_however_it_is_cut(content: bytes, cuts: list[int]) -> None:
    def outcome(cuts: Iterable[int]) -> bytes | str:
        try:
            return read(content, cuts)
        except ProtocolError as error:
            return str(error)

    whole = outcome([])
    assert outcome(cuts) == whole
    assert outcome(range(len(content))) == whole


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
def test_messages_of_all_lengths(size: int) -> None:
    content = framed([bytes(size), b"next"])
    assert read(content, []) == bytes(size) + b"next"
    assert read(content, range(1, 20)) == bytes(size) + b"next"


def test_the_data_is_views_of_what_arrived() -> None:
    content = bytearray(framed([b"hello"]))
    (data,) = BytesReader().feed(content)
    content[-5:] = b"HELLO"
    assert bytes(data) == b"HELLO"


def test_a_message_of_any_size_takes_no_memory() -> None:
    head = b"\0" + (2**32 - 1).to_bytes(4, "big") + b"\x0a" + b"\xf9\xff\xff\xff\x0f"
    piece = bytes(1 << 20)
    reader = BytesReader()
    assert reader.feed(head) == []
    tracemalloc.start()
    total = sum(len(data) for _ in range(1000) for data in reader.feed(piece))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 1000 << 20
    assert peak < 10_000


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\1\0\0\0\1x", "session: the daemon sent a compressed message"),
        (b"\xff\0\0\0\0", "session: the daemon sent a compressed message"),
        (raw(b"\x12\x04abcd"), NO_BYTES_MESSAGE),  # another field
        (raw(b"\x0a\x03ab"), NO_BYTES_MESSAGE),  # shorter than it says
        (raw(b"\x0a\x01ab"), NO_BYTES_MESSAGE),  # longer
        (raw(b"\x0a\x01a\x0a\x01b"), NO_BYTES_MESSAGE),  # the field twice, which nobody sends
        (raw(b"\x0a\xff\xff\xff\xff\xff\x01"), NO_BYTES_MESSAGE),  # a length beyond 32 bits
        (raw(b"\x0a\x80\x80\x80\x80\x80\x00"), NO_BYTES_MESSAGE),  # and one that only looks it
        (raw(b"\x0a") + raw(b""), NO_BYTES_MESSAGE),  # a tag alone, and what comes after
        (b"HTTP/1.1 404 Not Found\r\n", "session: the daemon sent a compressed message"),
    ],
)
def test_content_that_cannot_be_read(content: bytes, says: str) -> None:
    for cuts in (range(0), range(len(content))):
        with pytest.raises(ProtocolError) as caught:
            read(content, cuts)
        assert str(caught.value) == says


@pytest.mark.parametrize("message", [b"\x12\x01a", b"\x0a", b"\x0a\x01", b"\x0a\x80", b"\x10\x05"])
def test_a_short_message_is_refused_when_it_is_there(message: bytes) -> None:
    """Not when more comes, for which a daemon that waits for an answer has no reason."""
    with pytest.raises(ProtocolError, match=NO_BYTES_MESSAGE):
        read(raw(message), [])
