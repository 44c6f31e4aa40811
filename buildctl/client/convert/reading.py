"""The one place where a daemon's bytes become messages, unless they would fill the memory.

An empty message of protobuf takes two bytes of another and a hundred or more of memory, and what is made of
it in Python several times that: a message of 16 MiB, the most that a daemon sends, may become gigabytes.
Protobuf has no limit for that, so what a large message will weigh is told from its bytes before it is read.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypeVar, cast

from google.protobuf.message import DecodeError, Message

from buildctl.errors import ProtocolError
from buildctl.model.repair import parse_message

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

LIMIT = 80 << 20
"""Bytes of memory that a message may come to, besides its own: 70,000 entries of a cache."""
_SMALL_BYTES = 64 << 10
"""A message that is read unweighed: it cannot come to more than some 15 MB."""
_DEEPEST = 100
"""As upb, which refuses what is nested deeper."""

# What is made of a message's parts here, and of those in Python: measured with lists of vertexes, records of
# the cache, logs, inputs and answers of exporters.
_MESSAGE = 140
_MEMBER = 25
"""Of each field that a message of its kind may have."""
_ENTRY = 180
_FIELD = 12
_NUMBER = 32
"""Of a byte of packed numbers, each of which may be one."""

Kind = TypeVar("Kind", bound=Message)


class OversizeError(ProtocolError):
    """A message that would take more memory than any may."""


def read_message(kind: type[Kind], data: bytes) -> Kind:
    """Read a message, repaired where needed. Raises DecodeError if it is not one, `OversizeError` if it
    would come to more than `LIMIT`."""
    if len(data) > _SMALL_BYTES and _weight(cast("Descriptor", kind.DESCRIPTOR), data) > LIMIT:
        raise OversizeError(
            f"a message of {len(data):,} bytes would take more than {LIMIT >> 20} MiB of memory,"
            " which is the limit for one"
        )
    return parse_message(kind, data)


def _weight(descriptor: Descriptor, data: bytes) -> int:
    """What a message comes to in memory, besides its bytes; of one that is beyond the limit, a part of it."""
    try:
        return _walk(descriptor, data)
    except IndexError:
        raise DecodeError("truncated message") from None


def _walk(descriptor: Descriptor, data: bytes) -> int:
    weight = at = 0
    end = len(data)
    parts = _parts(descriptor)
    around: list[tuple[dict[int, tuple[int, Descriptor | None]], int]] = []
    while weight <= LIMIT:
        if at >= end:
            if at > end:
                raise DecodeError("truncated message")
            if not around:
                break
            parts, end = around.pop()
            continue
        weight += _FIELD
        tag = data[at]
        at += 1
        if tag >= 0x80:
            tag, at = _varint(data, at - 1)
        form = tag & 7
        if form == 2:
            length = data[at]
            at += 1
            if length >= 0x80:
                length, at = _varint(data, at - 1)
            if (part := parts.get(tag)) is not None:
                price, inner = part
                if inner is None:
                    weight += price if price > 0 else -price * length
                else:
                    weight += price
                    if length:
                        if at + length > end or len(around) > _DEEPEST:
                            raise DecodeError("truncated message")
                        around.append((parts, end))
                        parts, end = _parts(inner), at + length
                        continue
            at += length
        elif form == 0:
            while data[at] >= 0x80:
                at += 1
            at += 1
        elif form == 1:
            at += 8
        elif form == 5:
            at += 4
        elif form > 5:
            raise DecodeError("wrong wire type")
    return weight


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins there, and where it ends."""
    number = shift = 0
    while (byte := data[at]) >= 0x80:
        number |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if shift > 63:
            raise DecodeError("endless varint")
    return number | byte << shift, at + 1


@cache
def _parts(descriptor: Descriptor) -> dict[int, tuple[int, Descriptor | None]]:
    """What has a price among the fields that are told with their length, by their tags: messages, and what
    there may be many of; less than zero is the price of each byte."""
    parts: dict[int, tuple[int, Descriptor | None]] = {}
    for field in descriptor.fields:
        tag = field.number << 3 | 2
        if field.message_type is not None:
            inner = field.message_type
            parts[tag] = _MESSAGE + _MEMBER * len(inner.fields), inner
        elif field.is_repeated:
            is_text = field.type in (field.TYPE_STRING, field.TYPE_BYTES)
            parts[tag] = (_ENTRY if is_text else -_NUMBER), None
    return parts
