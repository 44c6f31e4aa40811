"""`Control.Session` as a call of a grpc.aio channel, where a second connection may miss the daemon."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio

from buildctl.errors import Code, RPCError
from buildctl.http2.frames import Buffer
from buildctl.session.bytesmessage import decode_bytes_message, encode_bytes_message

_EOF: object = grpc.aio.EOF  # type: ignore[attr-defined]  # missing in grpc-stubs


class ChannelCall:
    """A `ByteStream`: the bytes inside a call whose messages are serialized `BytesMessage`s.

    It is entered as a context, whose end cancels the call.
    """

    def __init__(self, call: Any) -> None:
        self._call = call

    async def __aenter__(self) -> ChannelCall:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._call.cancel()

    async def read(self) -> Buffer | None:
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise _translate(error) from None
        return None if message is _EOF else decode_bytes_message(message)

    async def write(self, pieces: list[Buffer]) -> None:
        await self._sending(self._call.write(encode_bytes_message(pieces)))

    async def done_writing(self) -> None:
        await self._sending(self._call.done_writing())

    async def _sending(self, operation: Any) -> None:
        try:
            await operation
        except grpc.aio.AioRpcError as error:
            raise _translate(error) from None
        except asyncio.InvalidStateError:  # the call has ended, and knows how
            code = await self._call.code()
            raise RPCError(Code(code.value[0]), await self._call.details() or "") from None


def _translate(error: grpc.aio.AioRpcError) -> RPCError:
    return RPCError(Code(error.code().value[0]), error.details() or "")
