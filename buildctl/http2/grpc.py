"""gRPC over HTTP/2: messages in content, status in trailers (grpc.io's PROTOCOL-HTTP2).

Hot both ways. Sending, many messages become one buffer, and large ones stay where they are. Receiving, with
`Connection`, was measured at 0.85 GB/s of file content in messages of 32 KiB (CPython 3.11, a VM with two
cores); what short messages cost is said by `frames.FrameReader`.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NoReturn

from buildctl.errors import Code, ServiceError
from buildctl.http2.frames import Buffer, ErrorCode

MAX_MESSAGE = 16 << 20
"""Of one message that the daemon sends. Its own limit for what it receives on a session is 16 MiB, and its
largest messages are 8 MiB (content writes); the Go client refuses what is beyond 4 MiB."""

RESPONSE_HEADERS = ((":status", "200"), ("content-type", "application/grpc"))

LARGE = 1 << 14
"""From here on a message is not copied into the buffer of its neighbours."""

_PREFIX = struct.Struct(">BL")
_parse_prefix = _PREFIX.unpack_from
_write_prefix = _PREFIX.pack
PREFIX_SIZE = _PREFIX.size


class _Prefixes(dict[int, bytes]):
    """What comes before a message, by its length: those of short ones are the same again and again."""

    def __missing__(self, size: int) -> bytes:
        prefix = _write_prefix(0, size)
        if size < LARGE:
            self[size] = prefix
        return prefix


_PREFIXES = _Prefixes()


def frame_messages(messages: Iterable[bytes]) -> list[bytes]:
    """Messages with their length before each, as few buffers."""
    messages = list(messages)
    if max(map(len, messages), default=0) < LARGE:  # mostly; without a loop in Python in a third of the time
        prefixes = map(_PREFIXES.__getitem__, map(len, messages))
        joined = b"".join(chain.from_iterable(zip(prefixes, messages, strict=True)))
        return [joined] if joined else []
    buffers: list[bytes] = []
    small: list[bytes] = []
    for message in messages:
        small.append(_PREFIXES[len(message)])
        if len(message) < LARGE:
            small.append(message)
        else:
            buffers.append(b"".join(small))
            buffers.append(message)
            small.clear()
    if small:
        buffers.append(b"".join(small))
    return buffers


class MessageReader:
    """Content of one request, in whatever pieces it arrives, into messages.

    A message that is whole in one piece is copied once. Others are gathered as they come: what a sender only
    announces takes no memory.
    """

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self._limit = limit
        self._prefix = b""  # when it is cut
        self._body: bytearray | None = None  # of a message that is cut, as far as it has come
        self._size = 0  # of all of it

    @property
    def cut_size(self) -> int:
        """How much has come of a message that is not whole yet."""
        return 0 if self._body is None else len(self._body)

    def limit(self, size: int) -> None:
        """Take no message that is longer, the one that has come in part neither. Raises `ServiceError`."""
        self._limit = size
        if self._body is not None and self._size > size:
            self._refuse(0, self._size)

    @property
    def is_between_messages(self) -> bool:
        return self._body is None and not self._prefix

    def feed(self, data: Buffer) -> list[bytes]:
        """Messages that are whole now. Raises `ServiceError` for one that is not taken."""
        messages: list[bytes] = []
        view = memoryview(data)
        position = self._complete(view, messages)
        end = len(view)
        while end - position >= PREFIX_SIZE:
            compressed, size = _parse_prefix(view, position)
            if compressed or size > self._limit:
                self._refuse(compressed, size)
            position += PREFIX_SIZE
            if position + size > end:
                self._body = bytearray(view[position:])
                self._size = size
                return messages
            messages.append(view[position : position + size].tobytes())
            position += size
        self._prefix += view[position:]
        return messages

    def _complete(self, view: memoryview, messages: list[bytes]) -> int:
        """Add what belongs to a message that was cut; return how much that is."""
        position = 0
        if self._prefix:
            position = PREFIX_SIZE - len(self._prefix)
            self._prefix += view[:position]
            if len(self._prefix) < PREFIX_SIZE:
                return len(view)
            compressed, size = _parse_prefix(self._prefix)
            if compressed or size > self._limit:
                self._refuse(compressed, size)
            self._prefix = b""
            self._body = bytearray()
            self._size = size
        if self._body is not None:
            piece = view[position : position + self._size - len(self._body)]
            self._body += piece
            position += len(piece)
            if len(self._body) == self._size:
                messages.append(bytes(self._body))
                self._body = None
        return position

    def _refuse(self, compressed: int, size: int) -> NoReturn:
        if compressed:  # only identity is announced in grpc-accept-encoding
            raise ServiceError(Code.UNIMPLEMENTED, "grpc: compressed messages are not supported")
        text = f"grpc: received message larger than max ({size} vs. {self._limit})"
        raise ServiceError(Code.RESOURCE_EXHAUSTED, text)


_NOT_FOR_SERVICES = frozenset(("te", "content-type", "content-length", "user-agent", "grpc-timeout"))


def request_metadata(fields: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """What a service sees of a request's fields: in order, repeated keys included."""
    return tuple(
        field for field in fields if field[0] not in _NOT_FOR_SERVICES and not field[0].startswith("grpc-")
    )


_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


def request_timeout(fields: Sequence[tuple[str, str]]) -> float | None:
    """Seconds until the caller gives up, where it says so. Raises `ServiceError` for what it cannot mean."""
    for name, value in fields:
        if name == "grpc-timeout":
            match = _TIMEOUT.fullmatch(value)
            if match is None:
                raise ServiceError(Code.INTERNAL, f"malformed grpc-timeout: {value!r}")
            return int(match[1]) * _UNITS[match[2]]
    return None


def status_trailers(code: Code, message: str = "", details: bytes = b"") -> list[tuple[str, str]]:
    """The end of a response; `details` is a serialized google.rpc.Status."""
    trailers = [("grpc-status", str(int(code)))]
    if message:
        trailers.append(("grpc-message", percent_encode(message)))
    if details:
        trailers.append(("grpc-status-details-bin", base64.b64encode(details).decode().rstrip("=")))
    return trailers


_OK = 200
_CODES = {str(int(code)): code for code in Code}
_HTTP_CODES = {  # grpc's http-grpc-status-mapping
    400: Code.INTERNAL,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.UNIMPLEMENTED,
    429: Code.UNAVAILABLE,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.UNAVAILABLE,
}
_RESET_CODES: dict[int, Code] = {  # "Errors" of PROTOCOL-HTTP2; all others are INTERNAL
    ErrorCode.REFUSED_STREAM: Code.UNAVAILABLE,
    ErrorCode.CANCEL: Code.CANCELED,
    ErrorCode.ENHANCE_YOUR_CALM: Code.RESOURCE_EXHAUSTED,
    ErrorCode.INADEQUATE_SECURITY: Code.PERMISSION_DENIED,
}


def request_section(path: str, authority: str, metadata: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The header section of a call that this client makes, without a limit on its time."""
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        *metadata,
    ]


def response_failure(status: int, fields: Iterable[tuple[str, str]]) -> tuple[Code, str] | None:
    """Why an answer is none of gRPC's, as grpc-go words it; None where it is one."""
    if status != _OK:
        code = _HTTP_CODES.get(status, Code.UNKNOWN)
        return code, f"unexpected HTTP status code received from server: {status}"
    content_type = next((value for name, value in fields if name == "content-type"), "")
    if not content_type.startswith("application/grpc"):
        return Code.UNKNOWN, f'unexpected content-type "{content_type}"'
    return None


def call_status(fields: Iterable[tuple[str, str]]) -> tuple[Code, str]:
    """How a call ended, by the trailers of its answer; `UNKNOWN` where these do not say."""
    found = dict(fields)
    number = found.get("grpc-status", "")
    if number not in _CODES:
        return Code.UNKNOWN, f'malformed grpc-status: "{number}"'
    return _CODES[number], percent_decode(found.get("grpc-message", ""))


def reset_status(code: int) -> tuple[Code, str]:
    """What a call's reset means that no trailers came before."""
    name = ErrorCode(code).name if code in set(ErrorCode) else str(code)
    return _RESET_CODES.get(code, Code.INTERNAL), f"stream terminated by RST_STREAM with error code: {name}"


_UNSAFE = re.compile(rb"[^\x20-\x24\x26-\x7e]")


def percent_encode(message: str) -> str:
    """Text as grpc-message wants it: printable ASCII, all else and `%` as `%XX`."""
    data = message.encode("utf-8", "replace")
    return _UNSAFE.sub(lambda match: b"%%%02X" % match[0][0], data).decode("ascii")


_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def percent_decode(message: str) -> str:
    """Text that came as grpc-message; what is no escape is left as it is."""
    data = _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), message.encode("utf-8", "surrogateescape"))
    return data.decode("utf-8", "replace")
