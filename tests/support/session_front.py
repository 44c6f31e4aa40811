"""A daemon whose connection for `Control.Session` is answered by hand, while grpcio serves the rest.

grpcio's server cannot break HTTP/2. So a front has the socket: it looks at what each connection begins with,
answers the session's by a script, and carries the others to a real gRPC server. On the session's own
connection the client first asks for workers, to know the daemon again; the front answers that.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import h2.config
import h2.connection
import h2.events
from google.protobuf.message import Message

from buildctl.http2.grpc import frame_messages
from tests.support.hostile_daemon import Tunnel
from tests.support.http2 import RESPONSE, TRAILERS
from tests.support.scripted_daemon import Build, scripted_daemon
from tests.support.session_daemon import SESSION

READ_SIZE = 1 << 16
GRPCIO = 0xFE03
"""GRPC_ALLOW_TRUE_BINARY_METADATA, a setting that only grpcio's client sends. Its connections cannot be told
by the path: it makes no request before it is greeted."""

SESSION_STREAM = 3

OuterScript: TypeAlias = Callable[[Tunnel], Awaitable[None]]
"""Has the connection, once the session's request has come on stream `SESSION_STREAM`."""


class FrontedBuild(Build):
    """Solve lasts until the client has ended the session's connection, and fails for want of the session."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = asyncio.Event()
        """No session's connection is there any more."""
        self.failure: BaseException | None = None
        """What ended the script, if it was not its own end."""

    async def solve(self, request: bytes, context: Any) -> Message:
        try:
            await self.ended.wait()
        finally:
            self.solved.set()
        await context.abort(grpc.StatusCode.UNKNOWN, "no active session: context deadline exceeded")
        raise AssertionError("the call has ended")


class Front:
    """One socket in front of another."""

    def __init__(self, target: Path, script: OuterScript, build: FrontedBuild, *, answers: bool) -> None:
        self._target = target
        self._script = script
        self._answers = answers
        self._build = build
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            data, is_session = await self._look(reader)
            if is_session:
                if self._answers:
                    await self._answer(data, reader, writer)
                await self._misbehave(Tunnel(reader, writer, []))
            elif data:
                await self._carry(data, reader, writer)
        finally:
            await _close(writer)

    async def _look(self, reader: asyncio.StreamReader) -> tuple[bytes, bool]:
        """What has come until it is known what it is of, and whether that is the session."""
        peer = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        data = b""
        while piece := await reader.read(READ_SIZE):
            data += piece
            for event in peer.receive_data(piece):
                if isinstance(event, h2.events.RemoteSettingsChanged) and GRPCIO in event.changed_settings:
                    return data, False
                if isinstance(event, h2.events.RequestReceived):
                    return data, True
        return b"", False

    async def _answer(self, data: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Greet, list the build's workers, and wait for the session's request."""
        peer = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        peer.initiate_connection()
        while data:
            for event in peer.receive_data(data):
                if isinstance(event, h2.events.StreamEnded):
                    workers = await self._build.list_workers(b"", None)
                    peer.send_headers(1, RESPONSE)
                    peer.send_data(1, b"".join(frame_messages([workers.SerializeToString()])))
                    peer.send_headers(1, TRAILERS, end_stream=True)
                elif isinstance(event, h2.events.RequestReceived) and event.stream_id == SESSION_STREAM:
                    assert (b":path", SESSION.encode()) in list(event.headers)
                    return
            writer.write(peer.data_to_send())
            data = await reader.read(READ_SIZE)

    async def _misbehave(self, tunnel: Tunnel) -> None:
        try:
            with contextlib.suppress(ConnectionError):  # the client has ended it
                await self._script(tunnel)
                await tunnel.until_closed()
        except Exception as error:
            self._build.failure = error
        finally:
            self._build.ended.set()
            self._build.solved.set()  # a Solve that was given up before it came would leave Status waiting

    async def _carry(self, data: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(str(self._target))
        try:
            far_writer.write(data)
            up, down = _pass(reader, far_writer), _pass(far_reader, writer)
            ways = [asyncio.create_task(up), asyncio.create_task(down)]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            await _close(far_writer)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(READ_SIZE):
            writer.write(data)
            await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@contextlib.asynccontextmanager
async def fronted_daemon(
    folder: Path, script: OuterScript, *, answers: bool = True
) -> AsyncIterator[FrontedBuild]:
    """Serve on `folder/daemon.sock` until the block ends; unless it `answers`, the script is all it says."""
    build = FrontedBuild()
    async with scripted_daemon(folder / "grpcio.sock", build.answers):
        front = Front(folder / "grpcio.sock", script, build, answers=answers)
        server = await asyncio.start_unix_server(front.accept, str(folder / "daemon.sock"))
        try:
            yield build
        finally:
            server.close()
            await front.aclose()
