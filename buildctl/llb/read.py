"""A serialized pb.Definition from outside, checked and prepared to be sent.

The bytes of each op stay as they came, since their digest names them. Source: client/llb/marshal.go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from google.protobuf.message import DecodeError

from buildctl._pb import ops_pb2
from buildctl.errors import UsageError


def parse_definition(data: bytes, *, ignore_cache: bool = False) -> bytes:
    """The definition as it is to be sent, with every op marked to be run anew where `ignore_cache` says so.

    Metadata that this version does not know is dropped, as in the reference. Raises `UsageError` for bytes
    that are no definition, and for one without any op.
    """
    definition = ops_pb2.Definition()
    try:
        definition.ParseFromString(data)
    except DecodeError as error:
        raise UsageError(
            f"failed to parse input: proto: {error}",
            hint="standard input must hold a serialized LLB definition, as an LLB generator writes it",
        ) from None
    ops: Sequence[bytes] = getattr(definition, "def")  # the field's name is a keyword here
    if not ops:
        raise UsageError(
            "empty definition sent to build. Specify --frontend instead?",
            hint="for a Dockerfile: --frontend dockerfile.v0 --local context=. --local dockerfile=.",
        )
    if ignore_cache:
        for op in ops:
            definition.metadata[f"sha256:{hashlib.sha256(op).hexdigest()}"].ignore_cache = True
    for metadata in definition.metadata.values():
        metadata.DiscardUnknownFields()
    return definition.SerializeToString(deterministic=True)
