"""gRPC's framing, status and metadata."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildctl.errors import Code, ServiceError
from buildctl.http2.grpc import (
    LARGE,
    MessageReader,
    call_status,
    frame_messages,
    percent_decode,
    percent_encode,
    request_metadata,
    request_section,
    request_timeout,
    reset_status,
    response_failure,
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


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_percent_decoding_is_the_inverse(text: str) -> None:
    assert percent_decode(percent_encode(text)) == text


@given(st.text(st.characters(max_codepoint=0x7F)))
def test_any_message_is_decoded(text: str) -> None:
    decoded = percent_decode(text)
    assert decoded == text or "%" in text


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        ("", ""),
        ("a%20b", "a b"),
        ("n%C3%A9", "né"),
        ("n%c3%a9", "né"),
        ("%25C3", "%C3"),  # once
        ("100%", "100%"),  # what is no escape stays
        ("%", "%"),
        ("%4", "%4"),
        ("%zz%41", "%zzA"),
        ("%%41", "%A"),
        ("%+1 %-1 % 1", "%+1 %-1 % 1"),
        ("%C3", "\ufffd"),  # no UTF-8
        ("%FFx", "\ufffdx"),
        ("né", "né"),  # not as it should be, but plain
        ("\udcff", "\ufffd"),  # a byte of a header that is no UTF-8
        ("%00%0A", "\0\n"),
    ],
)
def test_percent_decoding(encoded: str, text: str) -> None:
    assert percent_decode(encoded) == text


def test_a_request() -> None:
    section = request_section("/a.B/C", "localhost", [("key", "1"), ("key", "2")])
    assert section == [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/a.B/C"),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("key", "1"),
        ("key", "2"),
    ]


@pytest.mark.parametrize(
    ("content_type", "refused"),
    [
        ("application/grpc", False),
        ("application/grpc+proto", False),
        ("application/grpc; charset=utf-8", False),
        ("text/html", True),
        ("application/json", True),
        ("", True),
        (None, True),
    ],
)
def test_types_of_an_answer(content_type: str | None, refused: bool) -> None:
    fields = [("server", "x")] if content_type is None else [("server", "x"), ("content-type", content_type)]
    failure = response_failure(200, fields)
    said = (Code.UNKNOWN, f'unexpected content-type "{content_type or ""}"')
    assert failure == (said if refused else None)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, Code.INTERNAL),
        (401, Code.UNAUTHENTICATED),
        (403, Code.PERMISSION_DENIED),
        (404, Code.UNIMPLEMENTED),
        (429, Code.UNAVAILABLE),
        (502, Code.UNAVAILABLE),
        (503, Code.UNAVAILABLE),
        (504, Code.UNAVAILABLE),
        (204, Code.UNKNOWN),
        (302, Code.UNKNOWN),
        (418, Code.UNKNOWN),
        (500, Code.UNKNOWN),
        (999, Code.UNKNOWN),
    ],
)
@pytest.mark.parametrize("content_type", ["application/grpc", "text/plain"])
def test_http_statuses(status: int, code: Code, content_type: str) -> None:
    failure = response_failure(status, [("content-type", content_type)])
    assert failure == (code, f"unexpected HTTP status code received from server: {status}")


@pytest.mark.parametrize("code", list(Code))
def test_a_status_comes_back(code: Code) -> None:
    assert call_status(status_trailers(code, "né 100%")) == (code, "né 100%")


def test_a_status_without_a_message() -> None:
    assert call_status([("date", "x"), ("grpc-status", "0")]) == (Code.OK, "")


@pytest.mark.parametrize(
    "number", ["", "17", "-1", "00", "0 ", " 0", "+0", "1_0", "0x1", "OK", "\u0660", "0" * 99]
)
def test_statuses_that_are_none(number: str) -> None:
    trailers = [("grpc-status", number), ("grpc-message", "x")]
    assert call_status(trailers) == (Code.UNKNOWN, f'malformed grpc-status: "{number}"')


def test_no_status() -> None:
    assert call_status([("grpc-message", "x")])[0] is Code.UNKNOWN
    assert call_status([])[0] is Code.UNKNOWN


@pytest.mark.parametrize(
    ("number", "code", "name"),
    [
        (0, Code.INTERNAL, "NO_ERROR"),
        (1, Code.INTERNAL, "PROTOCOL_ERROR"),
        (2, Code.INTERNAL, "INTERNAL_ERROR"),
        (3, Code.INTERNAL, "FLOW_CONTROL_ERROR"),
        (5, Code.INTERNAL, "STREAM_CLOSED"),
        (7, Code.UNAVAILABLE, "REFUSED_STREAM"),
        (8, Code.CANCELED, "CANCEL"),
        (9, Code.INTERNAL, "COMPRESSION_ERROR"),
        (11, Code.RESOURCE_EXHAUSTED, "ENHANCE_YOUR_CALM"),
        (12, Code.PERMISSION_DENIED, "INADEQUATE_SECURITY"),
        (13, Code.INTERNAL, "HTTP_1_1_REQUIRED"),
        (14, Code.INTERNAL, "14"),
        ((1 << 32) - 1, Code.INTERNAL, "4294967295"),
    ],
)
def test_resets(number: int, code: Code, name: str) -> None:
    assert reset_status(number) == (code, f"stream terminated by RST_STREAM with error code: {name}")
