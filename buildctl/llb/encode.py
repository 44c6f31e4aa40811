"""Messages as Go's protobuf writes them when it is told to be deterministic, which Python's does not equal.

Go writes the fields by number, but those that are members of a oneof after all others (protobuf-go,
internal/order), and sorts the keys of maps by their bytes, where upb puts a key before its own prefix. The
digest of an op is that of these bytes, so that other bytes for the same op would not find what the cache
has of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_Writer = Callable[[Any], bytes]

_VARINTS = frozenset(
    {
        FieldDescriptor.TYPE_BOOL,
        FieldDescriptor.TYPE_ENUM,
        FieldDescriptor.TYPE_INT32,
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT32,
        FieldDescriptor.TYPE_UINT64,
    }
)
_plans: dict[type[Message], dict[int, tuple[bool, _Writer]]] = {}
"""Of each kind of message and field, whether it comes last, and what writes it."""


def encode(message: Message) -> bytes:
    """The message, known fields only, in canonical order."""
    plan = _plans.get(type(message)) or _plan(type(message))
    first: list[bytes] = []
    last: list[bytes] = []
    for field, value in message.ListFields():
        in_oneof, write = plan[field.number]
        (last if in_oneof else first).append(write(value))
    return b"".join(first + last)


def _plan(kind: type[Message]) -> dict[int, tuple[bool, _Writer]]:
    plan = {
        field.number: (field.containing_oneof is not None, _writer(field)) for field in kind.DESCRIPTOR.fields
    }
    _plans[kind] = plan
    return plan


def _writer(field: Any) -> _Writer:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _map_writer(field)
    if not field.is_repeated:
        return _single_writer(field)
    if field.type in _VARINTS:
        tag = _tag(field, 2)
        return lambda values: tag + _delimited(b"".join(map(_varint, values)))
    single = _single_writer(field)
    return lambda values: b"".join(map(single, values))


def _map_writer(field: Any) -> _Writer:
    """Each entry has both its key and its value, even where they are zero; the keys here are always text."""
    tag = _tag(field, 2)
    key_writer = _single_writer(field.message_type.fields_by_name["key"])
    value_writer = _single_writer(field.message_type.fields_by_name["value"])

    def write(entries: Mapping[str, Any]) -> bytes:
        return b"".join(
            tag + _delimited(key_writer(key) + value_writer(entries[key]))
            for key in sorted(entries, key=str.encode)
        )

    return write


def _single_writer(field: Any) -> _Writer:
    if field.type in _VARINTS:
        tag = _tag(field, 0)
        return lambda value: tag + _varint(value)
    tag = _tag(field, 2)
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return lambda value: tag + _delimited(value.encode())
        case FieldDescriptor.TYPE_BYTES:
            return lambda value: tag + _delimited(value)
        case FieldDescriptor.TYPE_MESSAGE:
            return lambda value: tag + _delimited(encode(value))
    raise NotImplementedError(field.full_name)  # the language has no other types


def _tag(field: Any, wire_type: int) -> bytes:
    return _varint(field.number << 3 | wire_type)


def _delimited(data: bytes) -> bytes:
    return _varint(len(data)) + data


def _varint(value: int) -> bytes:
    if 0 <= value < 0x80:
        return _SMALL[value]
    value &= 0xFFFF_FFFF_FFFF_FFFF  # negative numbers as 64 bits in two's complement
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


_SMALL = tuple(bytes([value]) for value in range(0x80))
