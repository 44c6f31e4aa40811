"""Reads messages whose text is not all UTF-8, which the reference's decoder passes and protobuf's refuses.

BuildKit puts into names, descriptions and errors what it finds in a Dockerfile, in whichever encoding, and
its generated code (vtprotobuf) does not look at text.
"""

from __future__ import annotations

from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

_Message = TypeVar("_Message", bound=Message)

_MAX_DEPTH = 100
"""Where protobuf gives up too."""


def read_message(kind: type[_Message], data: bytes) -> _Message:
    """The message, with U+FFFD for what is not UTF-8 in its text. Raises `DecodeError` for anything else.

    status = read_message(control_pb2.StatusResponse, data)
    """
    try:
        return kind.FromString(data)
    except DecodeError:
        return kind.FromString(_with_valid_text(data, kind.DESCRIPTOR, 0))


def _with_valid_text(data: bytes, kind: Any, depth: int) -> bytes:
    if depth > _MAX_DEPTH:
        raise DecodeError("nested too deeply")
    valid = bytearray()
    at = 0
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                _, at = _varint(data, at)
            case 1:
                at += 8
            case 5:
                at += 4
            case 2:
                size, begin = _varint(data, at)
                at = begin + size
                if at > len(data):
                    raise DecodeError("truncated")
                field = kind.fields_by_number.get(tag >> 3)
                value = data[begin:at]
                if field is not None and field.type == FieldDescriptor.TYPE_STRING:
                    value = value.decode("utf-8", "replace").encode()
                elif field is not None and field.type == FieldDescriptor.TYPE_MESSAGE:
                    value = _with_valid_text(value, field.message_type, depth + 1)
                valid += _as_varint(tag) + _as_varint(len(value)) + value
                continue
            case _:
                raise DecodeError("a group, which proto3 does not have")
        valid += data[start:at]
    return bytes(valid)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise DecodeError("truncated")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise DecodeError("a number of more than 64 bits")


def _as_varint(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)
