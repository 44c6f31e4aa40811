"""The details of a failed call, which are those of a google.rpc.Status."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import DecodeError

from buildctl._pb import status_pb2
from buildctl.client.convert.reading import OversizeError, read_message
from buildctl.errors import ErrorDetail


def error_details(status: bytes) -> tuple[ErrorDetail, ...]:
    """The details of a serialized google.rpc.Status, in order; none where it cannot be read.

    BuildKit's carry JSON; a value that is not a JSON object is kept in `raw` alone.
    """
    try:
        message = read_message(status_pb2.Status, status)
    except (DecodeError, OversizeError):
        return ()
    return tuple(error_detail(detail.type_url, detail.value) for detail in message.details)


def error_status(code: int, message: str, details: Iterable[ErrorDetail]) -> status_pb2.Status:
    """A google.rpc.Status with details in the order given."""
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        status.details.add(type_url=detail.type_url, value=detail.raw)
    return status


def error_detail(type_url: str, raw: bytes) -> ErrorDetail:
    """One detail, its type's name without what is the same for all of BuildKit's."""
    name = type_url.removeprefix("github.com/moby/buildkit/").removesuffix("+json")
    import json

    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        value = None
    return ErrorDetail(name, value if isinstance(value, dict) else {}, type_url, raw)
