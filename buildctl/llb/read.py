"""A serialized pb.Definition from outside, checked and prepared to be sent.

The bytes of each op stay as they came, since their digest names them. Source: client/llb/marshal.go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from buildctl._pb import ops_pb2
from buildctl.errors import UsageError
from buildctl.llb.wire import check_wire
from buildctl.model.repair import parse_message

MOST_BYTES = 64 << 20
"""Of a definition that is read; a daemon takes a message of 16 MiB."""

_Message = TypeVar("_Message", bound=Message)


def parse_definition(data: bytes, *, ignore_cache: bool = False) -> bytes:
    """The definition as it is to be sent, with every op marked to be run anew where `ignore_cache` says so.

    Metadata that this version does not know is dropped, as in the reference. Raises `UsageError` for bytes
    that are no definition, and for one without any op.
    """
    definition = decode_definition(data, "failed to parse input: ")
    ops: Sequence[bytes] = getattr(definition, "def")  # the field's name is a keyword here
    if not ops:
        raise UsageError(
            "empty definition sent to build. Specify --frontend instead?",
            hint="for a Dockerfile: --frontend dockerfile.v0 --local context=. --local dockerfile=.",
        )
    if ignore_cache:
        for op in ops:
            decode_op(op, "failed to parse llb proto op: ")
            definition.metadata[f"sha256:{hashlib.sha256(op).hexdigest()}"].ignore_cache = True
    for metadata in definition.metadata.values():
        metadata.DiscardUnknownFields()
    return definition.SerializeToString(deterministic=True)


def decode_definition(data: bytes, prefix: str) -> ops_pb2.Definition:
    """The message. Raises `UsageError`, its text after `prefix`."""
    return _decode(data, ops_pb2.Definition, prefix)


def decode_op(data: bytes, prefix: str) -> ops_pb2.Op:
    """One op of a definition. Raises `UsageError`, its text after `prefix`."""
    return _decode(data, ops_pb2.Op, prefix)


def _decode(data: bytes, kind: type[_Message], prefix: str) -> _Message:
    try:
        check_wire(data, kind)
        return parse_message(kind, data)
    except (UsageError, DecodeError) as error:
        hint = "give a serialized LLB definition, as an LLB generator writes it"
        raise UsageError(f"{prefix}{error}", hint=hint) from None
