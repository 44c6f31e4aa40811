"""A session: the services that a daemon may call on this client, through the bytes of `Control.Session`.

The daemon is the HTTP/2 client and this end the server. Bytes travel as `BytesMessage{1: data}`, whose
boundaries mean nothing; the message is encoded by hand, as that saves a copy of all that is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import grpc.aio
from google.protobuf.message import DecodeError

from buildctl._pb import control_pb2
from buildctl.errors import Code, ProtocolError, RPCError, SessionLostError
from buildctl.http2.frames import Buffer
from buildctl.session.health import Health
from buildctl.session.server import Server
from buildctl.session.stream import Attachable

_EOF: object = grpc.aio.EOF  # type: ignore[attr-defined]  # missing in grpc-stubs
_EXPOSE = "x-docker-expose-session-"
_LOST_HINT = (
    "the daemon gives up a client that answers no health check for about half a minute: one that sleeps, is "
    "stopped, or is cut off; its log may say more. Run the build again"
)


class Session:
    """What is offered to the daemon, under an id that a build names."""

    def __init__(
        self,
        attachables: Iterable[Attachable],
        session_id: str,
        *,
        shared_key: str = "",
        on_unknown: Callable[[str], None] | None = None,
    ) -> None:
        """`on_unknown` is told the paths of calls that nothing is offered for."""
        self._health = Health()
        methods = {
            path: handler for one in (self._health, *attachables) for path, handler in one.methods.items()
        }
        self._server = Server(methods, on_unknown, self._health.note_going_away)
        self.metadata: tuple[tuple[str, str], ...] = (
            (_EXPOSE + "uuid", session_id),
            (_EXPOSE + "sharedkey", shared_key),
            *((_EXPOSE + "grpc-method", path) for path in methods),
        )
        """What `Control.Session` is to be called with."""

    @property
    def last_health_check(self) -> float | None:
        """When the daemon last asked whether this client is there, by `health.now`."""
        return self._health.last_check

    @property
    def in_doubt(self) -> bool:
        """Whether the daemon may have given this client up, and the end of the stream be on its way."""
        return self._health.in_doubt

    async def given_up(self) -> SessionLostError | None:
        """The error that the daemon has given this session up and leaves it open all the same, if it has.

        After a pause of this process it takes some seconds to know.
        """
        if not await self._health.is_given_up():
            return None
        return self._lost(Code.ABORTED, "the daemon has given it up")

    def account(self) -> str:
        """What is known of the daemon's health checks, as half a sentence."""
        return self._health.account()

    async def run(self, call: Any) -> None:
        """Serve on a call of `Control.Session`, messages as bytes, until `close` and then the daemon's end.

        Raises `SessionLostError` when it ends before, and `ProtocolError` when the daemon breaks HTTP/2.
        """
        watching = asyncio.create_task(self._health.watch())
        try:
            if not self._server.is_closing:
                await self._server.serve(CallStream(call))
        except RPCError as error:
            if not self._server.is_closing:
                raise self._lost(error.code, error.message) from error
        finally:
            watching.cancel()
            call.cancel()
        if not self._server.is_closing:
            raise self._lost(Code.ABORTED, "the daemon ended it")

    def close(self) -> None:
        """Half-close; `run` returns when the daemon has ended the stream, which has a few seconds."""
        self._server.close()

    def _lost(self, code: Code, message: str) -> SessionLostError:
        return SessionLostError(code, f"session lost: {message}; {self.account()}", hint=_LOST_HINT)


class CallStream:
    """The bytes inside a grpc.aio call whose messages are serialized `BytesMessage`s."""

    def __init__(self, call: Any) -> None:
        self._call = call

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


def encode_bytes_message(pieces: list[Buffer]) -> bytes:
    """`BytesMessage` with the pieces as its data, joined by the one copy that is needed anyway."""
    size = sum(map(len, pieces))
    header = bytearray(b"\x0a")
    while size > 0x7F:
        header.append(size & 0x7F | 0x80)
        size >>= 7
    header.append(size)
    return b"".join((header, *pieces))


def decode_bytes_message(message: bytes) -> Buffer:
    """The data of a `BytesMessage`, without a copy when it is encoded as everyone does."""
    size = shift = 0
    for position in range(1, min(len(message), 6)):
        byte = message[position]
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if message[0] == 0x0A and position + 1 + size == len(message):
                return memoryview(message)[position + 1 :]
            break
    try:
        return control_pb2.BytesMessage.FromString(message).data
    except DecodeError:
        raise ProtocolError("session: the daemon sent a message that is no BytesMessage") from None
