"""A daemon whose connection for `Control.Session` is answered by hand, while grpcio serves the rest.

grpcio's server cannot break HTTP/2. So a front has the socket: it looks at what each connection begins with,
answers the one that asks for `Control.Session` by a script, and carries the others to a real gRPC server.
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

from tests.support.hostile_daemon import Tunnel
from tests.support.scripted_daemon import Build, scripted_daemon
from tests.support.session_daemon import SESSION

READ_SIZE = 1 << 16
GRPCIO = 0xFE03
"""GRPC_ALLOW_TRUE_BINARY_METADATA, a setting that only grpcio's client sends. Its connections cannot be told
by the path: it makes no request before it is greeted."""

OuterScript: TypeAlias = Callable[[Tunnel], Awaitable[None]]
"""Has the connection, once the request has come."""


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

    def __init__(self, target: Path, script: OuterScript, build: FrontedBuild) -> None:
        self._target = target
        self._script = script
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
                    assert (b":path", SESSION.encode()) in list(event.headers)
                    return data, True
        return b"", False

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
async def fronted_daemon(folder: Path, script: OuterScript) -> AsyncIterator[FrontedBuild]:
    """Serve on `folder/daemon.sock` until the block ends."""
    build = FrontedBuild()
    async with scripted_daemon(folder / "grpcio.sock", build.answers):
        front = Front(folder / "grpcio.sock", script, build)
        server = await asyncio.start_unix_server(front.accept, str(folder / "daemon.sock"))
        try:
            yield build
        finally:
            server.close()
            await front.aclose()
