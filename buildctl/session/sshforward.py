"""Forwards SSH agents and other sockets: `moby.sshforward.v1.SSH` (session/sshforward of the reference).

A step may have an agent list its keys and sign with them; everything else is refused on its behalf. A `raw`
socket is forwarded as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from buildctl._pb.sshforward_pb2 import BytesMessage, CheckAgentRequest, CheckAgentResponse
from buildctl.errors import Code, ServiceError
from buildctl.session.agentprotocol import Frames, frame, refusal
from buildctl.session.metadata import value
from buildctl.session.stream import Handler, ServerStream
from buildctl.session.unary import unary
from buildctl.system.failure import errno_text

_SERVICE = "/moby.sshforward.v1.SSH/"
_DEFAULT_ID = "default"
_READ_BYTES = 32 * 1024
_DIAL_SECONDS = 2.0

_LOG = logging.getLogger("buildctl")


@dataclass(frozen=True, slots=True)
class ForwardedSocket:
    """A socket offered to a build."""

    path: str
    raw: bool = False
    """Whether any bytes may pass, not only the agent protocol."""


class SSHForward:
    """Attachable: the sockets that were offered, by their ids, and no others."""

    def __init__(self, sockets: Mapping[str, ForwardedSocket]) -> None:
        self._sockets = dict(sockets)

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {
            _SERVICE + "CheckAgent": unary(CheckAgentRequest, self._check_agent),
            _SERVICE + "ForwardAgent": self._forward_agent,
        }

    async def _check_agent(self, request: CheckAgentRequest) -> CheckAgentResponse:
        self._socket(request.ID or _DEFAULT_ID)
        return CheckAgentResponse()

    async def _forward_agent(self, stream: ServerStream) -> None:
        name = value(stream.metadata, "buildkit.ssh.id") or _DEFAULT_ID
        offered = self._socket(name)
        reader, writer = await _dial(name, offered)
        with contextlib.closing(writer):
            if offered.raw:
                await _copy_both_ways(stream, reader, writer)
            else:
                await _answer_requests(stream, reader, writer)

    def _socket(self, name: str) -> ForwardedSocket:
        if name not in self._sockets:
            _LOG.debug("refused ssh agent %r: it was not offered with --ssh", name)
            raise ServiceError(Code.UNKNOWN, f"unset ssh forward key {name}")
        return self._sockets[name]


async def _dial(name: str, offered: ForwardedSocket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(_DIAL_SECONDS):
            return await asyncio.open_unix_connection(offered.path)
    except OSError as error:
        timed_out = isinstance(error, TimeoutError) and error.errno is None
        reason = "i/o timeout" if timed_out else f"connect: {errno_text(error)}"
        through = "" if offered.raw else f"failed to connect to {offered.path}: "
        message = f"failed to dial agent {name}: {through}dial unix {offered.path}: {reason}"
        raise ServiceError(Code.UNKNOWN, message) from None


async def _answer_requests(
    stream: ServerStream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Give the agent the requests that it may see, one after the other, and answer the rest here."""
    requests = Frames()
    async for data in _received(stream):
        for request in requests.feed(data):
            answer = refusal(request)
            if answer is None:
                answer = await _ask(reader, writer, request)
            else:
                _LOG.debug("refused request %d to an ssh agent, or answered it here", request[0])
            await _send(stream, frame(answer))


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    answers = Frames()
    writer.write(frame(request))
    await writer.drain()
    while data := await reader.read(_READ_BYTES):
        if found := answers.feed(data):
            return found[0]
    raise ServiceError(Code.UNKNOWN, "the ssh agent closed the connection")


async def _copy_both_ways(
    stream: ServerStream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    async def outward() -> None:
        async for data in _received(stream):
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    async def inward() -> None:
        while data := await reader.read(_READ_BYTES):
            await _send(stream, data)

    copies = [asyncio.create_task(outward()), asyncio.create_task(inward())]
    try:
        await asyncio.gather(*copies)
    except OSError as error:
        raise ServiceError(Code.UNKNOWN, f"the forwarded socket: {error}") from None
    finally:
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)


async def _received(stream: ServerStream) -> AsyncIterator[bytes]:
    stream.narrow()
    while messages := await stream.receive_messages():
        for message in messages:
            try:
                yield BytesMessage.FromString(message).data
            except DecodeError:
                raise ServiceError(Code.INVALID_ARGUMENT, "the message is no BytesMessage") from None


async def _send(stream: ServerStream, data: bytes) -> None:
    await stream.send_messages([BytesMessage(data=data).SerializeToString()])
