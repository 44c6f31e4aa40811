"""Header and trailer sections: which are well formed, and their text (RFC 9113 section 8.2 and 8.3).

A malformed section is a stream error. One rule is not enforced: a value may begin or end with a space,
which 8.2.1 forbids, because the daemon sends file names and patterns as they are and Go's server takes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from buildctl.http2.frames import ErrorCode, PeerError

_NAME = re.compile(rb"[^\x00-\x20A-Z:\x7f-\xff]+")
_BAD_VALUE = re.compile(rb"[\x00\r\n]")
_STATUS = re.compile(rb"[1-9][0-9]{2}")
_PSEUDO = (b":method", b":scheme", b":path", b":authority")
_REQUIRED = _PSEUDO[:3]
_CONNECTION_SPECIFIC = frozenset(
    (b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade")
)


class Request(NamedTuple):
    method: str
    path: str
    fields: tuple[tuple[str, str], ...]
    content_length: int | None


class Response(NamedTuple):
    status: int
    fields: tuple[tuple[str, str], ...]
    content_length: int | None


def parse_request(stream_id: int, section: Iterable[tuple[bytes, bytes]]) -> Request:
    pseudo: dict[bytes, bytes] = {}
    fields: list[tuple[str, str]] = []
    content_length: int | None = None
    for name, value in section:
        if not name.startswith(b":"):
            fields.append(_field(stream_id, name, value))
            if name == b"content-length":
                content_length = _content_length(stream_id, value, content_length)
        elif name not in _PSEUDO or name in pseudo or fields or _BAD_VALUE.search(value):
            raise _malformed(stream_id, f"pseudo-header field {name!r} unknown, repeated or late")
        else:
            pseudo[name] = value
    for name in _REQUIRED:
        if not pseudo.get(name):
            raise _malformed(stream_id, f"no {name.decode()}")
    return Request(_text(pseudo[b":method"]), _text(pseudo[b":path"]), tuple(fields), content_length)


def parse_response(stream_id: int, section: Iterable[tuple[bytes, bytes]]) -> Response:
    status = b""
    fields: list[tuple[str, str]] = []
    content_length: int | None = None
    for name, value in section:
        if not name.startswith(b":"):
            fields.append(_field(stream_id, name, value, "response"))
            if name == b"content-length":
                content_length = _content_length(stream_id, value, content_length, "response")
        elif name != b":status" or status or fields or not _STATUS.fullmatch(value):
            raise _malformed(stream_id, f"pseudo-header field {name!r} unknown, repeated or late", "response")
        else:
            status = value
    if not status:
        raise _malformed(stream_id, "no :status", "response")
    return Response(int(status), tuple(fields), content_length)


def parse_trailers(
    stream_id: int, section: Iterable[tuple[bytes, bytes]], message: str = "request"
) -> tuple[tuple[str, str], ...]:
    """The fields after the content of a message: a request or a response."""
    return tuple(_field(stream_id, name, value, message) for name, value in section)


def _field(stream_id: int, name: bytes, value: bytes, message: str = "request") -> tuple[str, str]:
    if not _NAME.fullmatch(name) or _BAD_VALUE.search(value):
        raise _malformed(stream_id, f"field {name!r} has characters that fields must not have", message)
    if name in _CONNECTION_SPECIFIC or (name == b"te" and value != b"trailers"):
        raise _malformed(stream_id, f"connection-specific field {name!r}", message)
    return _text(name), _text(value)


def _text(value: bytes) -> str:
    # Daemons before 0.13 put file names into metadata as they are; any bytes come back by os.fsencode.
    return value.decode("utf-8", "surrogateescape")


def _content_length(stream_id: int, value: bytes, earlier: int | None, message: str = "request") -> int:
    if not value.isdigit() or len(value) > 19 or earlier not in (None, int(value)):
        raise _malformed(stream_id, f"content-length {value!r}", message)
    return int(value)


def _malformed(stream_id: int, text: str, message: str = "request") -> PeerError:
    return PeerError(ErrorCode.PROTOCOL_ERROR, f"sent a malformed {message}: {text}", stream_id)
