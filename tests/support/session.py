"""A session server on a unix socket, for gRPC clients that dial one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from buildctl.http2.frames import Buffer
from buildctl.session.server import Server
from buildctl.session.stream import Handler


class SocketStream:
    """A `ByteStream` over an asyncio connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> Buffer | None:
        return await self._reader.read(1 << 16) or None

    async def write(self, pieces: list[Buffer]) -> None:
        self._writer.writelines(pieces)
        await self._writer.drain()

    async def done_writing(self) -> None:
        if self._writer.can_write_eof():
            self._writer.write_eof()


class Listener:
    """Serves every connection with the same handlers, and remembers what became of it."""

    def __init__(self, methods: Mapping[str, Handler], path: Path) -> None:
        self.target = f"unix:{path}"
        self.path = path
        self.servers: list[Server] = []
        self.errors: list[Exception] = []
        self._methods = methods
        self.tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.create_task(self._serve(reader, writer)))

    async def aclose(self) -> None:
        for server in self.servers:
            server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = Server(self._methods)
        self.servers.append(server)
        try:
            await server.serve(SocketStream(reader, writer))
        except Exception as error:
            self.errors.append(error)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def listening(methods: Mapping[str, Handler], folder: Path) -> AsyncIterator[Listener]:
    listener = Listener(methods, folder / "session.sock")
    server = await asyncio.start_unix_server(listener.accept, str(listener.path))
    try:
        yield listener
    finally:
        server.close()
        await listener.aclose()
        await server.wait_closed()
