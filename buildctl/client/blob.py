"""Reads a blob of the daemon's content store."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from buildctl._pb import content_pb2
from buildctl.client.calls import Method
from buildctl.client.convert.text import valid_text
from buildctl.client.rpc import Caller
from buildctl.errors import ProtocolError

_CONTENT = "/containerd.services.content.v1.Content/"
_INFO = Method(_CONTENT + "Info", content_pb2.InfoRequest, content_pb2.InfoResponse)
_READ = Method(
    _CONTENT + "Read", content_pb2.ReadContentRequest, content_pb2.ReadContentResponse, streams=True
)

_READ_BYTES = 1 << 20
"""What one request asks for."""


async def read_blob(caller: Caller, digest: str) -> AsyncGenerator[bytes, None]:
    """The blob in pieces of one MiB at most.

    Raises `ProtocolError` where the daemon sends more or less than it has announced.
    """
    with valid_text():
        info = await caller.unary(_INFO, content_pb2.InfoRequest(digest=digest))
    offset = 0
    while (left := info.info.size - offset) > 0:
        request = content_pb2.ReadContentRequest(digest=digest, offset=offset, size=min(left, _READ_BYTES))
        end = offset + request.size
        async with contextlib.aclosing(caller.stream(_READ, request)) as messages:
            async for message in messages:
                offset += len(message.data)
                if offset > end:
                    raise ProtocolError(f"the daemon sent more of {digest} than was asked for")
                yield message.data
        if offset < end:
            raise ProtocolError(f"the daemon ended {digest} after {offset} of {info.info.size} bytes")
