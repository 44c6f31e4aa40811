"""Messages whose texts are not UTF-8, which Go's daemons send all the same: made readable.

protobuf says that a `string` is UTF-8, and Python's refuses a message with another; BuildKit's own code looks
at none. A file name in a Dockerfile, or an option in a record of the history, would so cost a whole answer.
"""

from __future__ import annotations

from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

_DEPTH = 100
"""Messages in messages, as protobuf itself limits them."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_VARINT_BYTES = 10

M = TypeVar("M", bound=Message)


def parse_message(kind: type[M], data: bytes) -> M:
    """The message, repaired where that is needed. Raises `DecodeError`."""
    try:
        return kind.FromString(data)
    except DecodeError:
        return kind.FromString(repair_text(kind.DESCRIPTOR, data))


def repair_text(kind: Any, data: bytes, depth: int = _DEPTH) -> bytes:
    """A serialized message with U+FFFD in place of what is not UTF-8 in its texts; all else as it was.

    `kind` is its descriptor. Raises `DecodeError` for what is not a message.
    """
    if not depth:
        raise DecodeError("nested too deeply")
    out = bytearray()
    at = 0
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        wire_type = tag & 7
        if wire_type == _VARINT:
            _, at = _varint(data, at)
        elif wire_type in (_FIXED64, _FIXED32):
            at += 8 if wire_type == _FIXED64 else 4
        elif wire_type == _BYTES:
            head = at
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
            if at > len(data):
                break
            field = kind.fields_by_number.get(tag >> 3)
            if field is not None and field.type in (
                FieldDescriptor.TYPE_STRING,
                FieldDescriptor.TYPE_MESSAGE,
            ):
                inner = field.message_type
                changed = (
                    value.decode("utf-8", "replace").encode()
                    if inner is None
                    else repair_text(inner, value, depth - 1)
                )
                out += data[start:head] + _encoded(len(changed)) + changed
                continue
        else:
            raise DecodeError(f"unexpected wire type {wire_type}")
        out += data[start:at]
    if at > len(data):
        raise DecodeError("the message is cut off")
    return bytes(out)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at a place, and the place behind it."""
    value = shift = 0
    for byte in data[at : at + _MOST_VARINT_BYTES]:
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise DecodeError("the message is cut off")


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
