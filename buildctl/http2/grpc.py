"""gRPC over HTTP/2: messages in content, status in trailers (grpc.io's PROTOCOL-HTTP2).

The hot path of sending is `frame_messages`: many messages become one buffer, and large ones stay where they
are.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterable, Sequence

from buildctl.errors import Code, ServiceError
from buildctl.http2.frames import Buffer

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


def frame_messages(messages: Iterable[bytes]) -> list[bytes]:
    """Messages with their length before each, as few buffers."""
    buffers: list[bytes] = []
    small: list[bytes] = []
    for message in messages:
        small.append(_write_prefix(0, len(message)))
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

    A message that is whole in one piece is copied once; others grow in a buffer, so that the time a message
    takes depends on its size and not on the pieces.
    """

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self._limit = limit
        self._partial = bytearray()

    @property
    def is_between_messages(self) -> bool:
        return not self._partial

    def feed(self, data: Buffer) -> list[bytes]:
        """Messages that are whole now. Raises `ServiceError` for one that is not taken."""
        messages: list[bytes] = []
        view = memoryview(data)
        position = 0
        partial = self._partial
        if partial:
            position += self._fill(PREFIX_SIZE, view)
            if len(partial) < PREFIX_SIZE:
                return messages
            stop = PREFIX_SIZE + self._size_at(partial, 0)
            position += self._fill(stop, view[position:])
            if len(partial) < stop:
                return messages
            messages.append(bytes(memoryview(partial)[PREFIX_SIZE:]))
            partial = self._partial = bytearray()
        end = len(view)
        while end - position >= PREFIX_SIZE:
            start = position + PREFIX_SIZE
            stop = start + self._size_at(view, position)
            if stop > end:
                break
            messages.append(bytes(view[start:stop]))
            position = stop
        if position < end:
            partial += view[position:]
        return messages

    def _fill(self, target: int, view: memoryview) -> int:
        """Move what the partial message lacks up to `target` bytes; return how much that was."""
        piece = view[: max(0, target - len(self._partial))]
        self._partial += piece
        return len(piece)

    def _size_at(self, data: Buffer, position: int) -> int:
        size: int
        compressed, size = _parse_prefix(data, position)
        if compressed:  # only identity is announced in grpc-accept-encoding
            raise ServiceError(Code.UNIMPLEMENTED, "grpc: compressed messages are not supported")
        if size > self._limit:
            text = f"grpc: received message larger than max ({size} vs. {self._limit})"
            raise ServiceError(Code.RESOURCE_EXHAUSTED, text)
        return size


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


_UNSAFE = re.compile(rb"[^\x20-\x24\x26-\x7e]")


def percent_encode(message: str) -> str:
    """Text as grpc-message wants it: printable ASCII, all else and `%` as `%XX`."""
    data = message.encode("utf-8", "replace")
    return _UNSAFE.sub(lambda match: b"%%%02X" % match[0][0], data).decode("ascii")
