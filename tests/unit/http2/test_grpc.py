"""gRPC's framing, status and metadata."""

from __future__ import annotations

import re
import time

import pytest

from buildctl.errors import Code, ServiceError
from buildctl.http2.grpc import (
    LARGE,
    MessageReader,
    frame_messages,
    percent_encode,
    request_metadata,
    request_timeout,
    status_trailers,
)


def test_many_small_messages_are_one_buffer() -> None:
    assert frame_messages([b"a", b"", b"bc"]) == [b"\0\0\0\0\1a\0\0\0\0\0\0\0\0\0\2bc"]
    assert frame_messages([]) == []


def test_a_large_message_is_not_copied() -> None:
    large = bytes(LARGE)
    buffers = frame_messages([b"a", large, b"b"])
    assert buffers[1] is large
    assert b"".join(buffers) == b"\0\0\0\0\1a" + b"\0\0\0\x40\0" + large + b"\0\0\0\0\1b"


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"\1\0\0\0\0", Code.UNIMPLEMENTED, "grpc: compressed messages are not supported"),
        (
            b"\0\xff\xff\xff\xff",
            Code.RESOURCE_EXHAUSTED,
            "received message larger than max (4294967295 vs. 16777216)",
        ),
    ],
)
def test_messages_that_are_refused(data: bytes, code: Code, message: str) -> None:
    for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
        reader = MessageReader()
        with pytest.raises(ServiceError, match=re.escape(message)) as caught:
            [reader.feed(piece) for piece in pieces]
        assert caught.value.code is code


def test_a_message_that_trickles_in_costs_its_size() -> None:
    """65,000 pieces take 0.1 s, and would take many seconds if each meant a copy of those before."""
    data = b"".join(frame_messages([bytes(1 << 20)]))
    reader = MessageReader()
    started = time.process_time()
    messages = [one for start in range(0, len(data), 16) for one in reader.feed(data[start : start + 16])]
    assert time.process_time() - started < 2
    assert messages == [bytes(1 << 20)]


def test_metadata_is_what_the_caller_added() -> None:
    fields = [
        ("content-type", "application/grpc"),
        ("user-agent", "grpc-go/1.70.0"),
        ("te", "trailers"),
        ("grpc-timeout", "15S"),
        ("grpc-accept-encoding", "gzip"),
        ("dir-name", "context"),
        ("followpaths", "b"),
        ("traceparent", "00-1"),
        ("followpaths", "a"),
    ]
    own = (("dir-name", "context"), ("followpaths", "b"), ("traceparent", "00-1"), ("followpaths", "a"))
    assert request_metadata(fields) == own


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15S", 15),
        ("1H", 3600),
        ("2M", 120),
        ("250m", 0.25),
        ("10u", 1e-5),
        ("1n", 1e-9),
        ("99999999S", 99999999),
    ],
)
def test_timeouts(text: str, seconds: float) -> None:
    assert request_timeout([("grpc-timeout", text)]) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "S", "15", "-1S", "1.5S", "15s", "123456789S", "15S "])
def test_timeouts_that_are_none(text: str) -> None:
    with pytest.raises(ServiceError) as caught:
        request_timeout([("grpc-timeout", text)])
    assert caught.value.code is Code.INTERNAL


def test_no_timeout() -> None:
    assert request_timeout([("te", "trailers")]) is None


def test_trailers() -> None:
    assert status_trailers(Code.OK) == [("grpc-status", "0")]
    assert status_trailers(Code.NOT_FOUND, "no such dir") == [
        ("grpc-status", "5"),
        ("grpc-message", "no such dir"),
    ]
    assert status_trailers(Code.UNKNOWN, "", b"\x08\x02")[1] == ("grpc-status-details-bin", "CAI")


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ('plain ASCII ~!"#$&', 'plain ASCII ~!"#$&'),
        ("100%", "100%25"),
        ("a\nb\x7f", "a%0Ab%7F"),
        ("né", "n%C3%A9"),
        ("\udcff", "?"),
    ],
)
def test_percent_encoding(text: str, encoded: str) -> None:
    assert percent_encode(text) == encoded
