"""Sections of a response that are well formed; those that are not are a table of `test_client_errors`."""

from __future__ import annotations

import pytest

from buildctl.http2.fields import Response, parse_response, parse_trailers
from buildctl.http2.frames import ErrorCode, PeerError

STATUS = (b":status", b"200")


@pytest.mark.parametrize(
    ("section", "response"),
    [
        ([STATUS], Response(200, (), None)),
        ([(b":status", b"103")], Response(103, (), None)),
        ([(b":status", b"999")], Response(999, (), None)),
        (
            [STATUS, (b"a", b"1"), (b"b", b""), (b"a", b"2")],
            Response(200, (("a", "1"), ("b", ""), ("a", "2")), None),
        ),
        ([STATUS, (b"te", b"trailers")], Response(200, (("te", "trailers"),), None)),
        ([STATUS, (b"content-length", b"0")], Response(200, (("content-length", "0"),), 0)),
        (
            [STATUS, (b"content-length", b"12"), (b"content-length", b"12")],
            Response(200, (("content-length", "12"), ("content-length", "12")), 12),
        ),
        ([STATUS, (b"x", b"\xff\xc3\xa9\t")], Response(200, (("x", "\udcff\u00e9\t"),), None)),
    ],
)
def test_responses(section: list[tuple[bytes, bytes]], response: Response) -> None:
    assert parse_response(1, section) == response


def test_an_error_is_of_the_stream_and_of_a_response() -> None:
    with pytest.raises(PeerError, match="sent a malformed response: no :status") as caught:
        parse_response(5, [(b"a", b"b")])
    assert (caught.value.stream_id, caught.value.code) == (5, ErrorCode.PROTOCOL_ERROR)


@pytest.mark.parametrize("length", [b"", b"-1", b" 1", b"1 ", b"1,1", b"0x1", b"9" * 20, "٣".encode()])
def test_lengths_that_are_none(length: bytes) -> None:
    with pytest.raises(PeerError, match="sent a malformed response: content-length"):
        parse_response(1, [STATUS, (b"content-length", length)])


def test_trailers_are_in_order() -> None:
    section = [(b"grpc-status", b"0"), (b"a", b"1"), (b"a", b"2"), (b"content-length", b"77")]
    assert parse_trailers(1, section, "response") == (
        ("grpc-status", "0"),
        ("a", "1"),
        ("a", "2"),
        ("content-length", "77"),
    )
    assert parse_trailers(1, []) == ()


@pytest.mark.parametrize("message", ["request", "response"])
@pytest.mark.parametrize("name", [b":status", b":path", b"Grpc-Status", b"connection", b"", b"a b"])
def test_trailers_that_are_malformed(name: bytes, message: str) -> None:
    with pytest.raises(PeerError, match=f"sent a malformed {message}: "):
        parse_trailers(1, [(b"grpc-status", b"0"), (name, b"0")], message)
