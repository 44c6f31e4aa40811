"""`BytesMessage{1: data}`, the messages whose data is a stream of bytes and whose boundaries mean nothing.

Encoded and decoded by hand, which saves a copy of all that passes.
"""

from __future__ import annotations

import struct

from google.protobuf.message import DecodeError

from buildctl._pb import control_pb2
from buildctl.errors import ProtocolError
from buildctl.http2.frames import Buffer

_TAG = 0x0A  # field 1, a length and bytes
_parse_prefix = struct.Struct(">BL").unpack_from
_PREFIX_SIZE = 5
_LONGEST_HEAD = _PREFIX_SIZE + 6  # a tag, and a length below 2^32


def encode_bytes_message(pieces: list[Buffer]) -> bytes:
    """The message with the pieces as its data, joined by the one copy that is needed anyway."""
    size = sum(map(len, pieces))
    return b"".join((_head(size), *pieces))


def frame_bytes_message(pieces: list[Buffer]) -> list[Buffer]:
    """The same as gRPC frames it on the wire, without a copy."""
    size = sum(map(len, pieces))
    head = _head(size)
    return [struct.pack(">BL", 0, len(head) + size) + head, *pieces]


def _head(size: int) -> bytearray:
    head = bytearray((_TAG,))
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return head


def decode_bytes_message(message: bytes) -> Buffer:
    """The data, without a copy when the message is encoded as everyone does. Raises `ProtocolError`."""
    head = _parse_head(message, 0)
    if head and head[0] + head[1] == len(message):
        return memoryview(message)[head[0] :]
    try:
        return control_pb2.BytesMessage.FromString(message).data
    except DecodeError:
        raise _no_bytes_message() from None


class BytesReader:
    """The content of a call, in whatever pieces it arrives, into the data of its messages.

    The data is views of what arrived, so that a message of any size takes no memory. A message has to be
    encoded as everyone does: the one field, once.
    """

    def __init__(self) -> None:
        self._head = b""  # of the next message, when it is cut
        self._left = 0  # of the data of a message that has begun

    def feed(self, content: Buffer) -> list[Buffer]:
        """The data in what arrived. Raises `ProtocolError` for what cannot be read."""
        view = memoryview(content)
        if self._head:  # rare: the piece is short, or ends in a head
            view = memoryview(self._head + view)
            self._head = b""
        data: list[Buffer] = []
        position = min(self._left, len(view))
        if position:
            data.append(view[:position])
            self._left -= position
        end = len(view)
        while position < end:
            head = self._next_head(view, position)
            if head is None:
                self._head = bytes(view[position:])
                break
            start = position + head[0]
            position = min(start + head[1], end)
            self._left = start + head[1] - position
            if position > start:
                data.append(view[start:position])
        return data

    def _next_head(self, view: memoryview, position: int) -> tuple[int, int] | None:
        """The sizes of a message's head and data; None where the head is cut."""
        if len(view) - position < _PREFIX_SIZE:
            return None
        compressed, size = _parse_prefix(view, position)
        if compressed:
            raise ProtocolError("session: the daemon sent a compressed message")
        if not size:
            return _PREFIX_SIZE, 0
        head = _parse_head(view, position + _PREFIX_SIZE)
        if head is None:
            if len(view) - position < min(_LONGEST_HEAD, _PREFIX_SIZE + size):
                return None
            raise _no_bytes_message()
        if head[0] + head[1] != size:
            raise _no_bytes_message()
        return _PREFIX_SIZE + head[0], head[1]


def _parse_head(message: Buffer, position: int) -> tuple[int, int] | None:
    """The size of tag and length, and the length; None where these are not there, or not whole."""
    if position >= len(message) or message[position] != _TAG:
        return None
    size = shift = 0
    for offset in range(position + 1, min(len(message), position + 6)):
        byte = message[offset]
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return offset + 1 - position, size
    return None


def _no_bytes_message() -> ProtocolError:
    return ProtocolError("session: the daemon sent a message that is no BytesMessage")
