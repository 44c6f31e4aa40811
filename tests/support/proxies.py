"""Proxies in front of a daemon's unix socket: a TLS end on loopback, a plain port, another socket."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator


class _Conversations:
    """Copies both ways between clients and a unix socket, until all have ended."""

    def __init__(self, socket: str, context: ssl.SSLContext | None = None) -> None:
        self._socket = socket
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            client = _Client(reader, writer, self._context)
            if await client.greet():
                far_reader, far_writer = await asyncio.open_unix_connection(self._socket)
                await asyncio.gather(client.read_to(far_writer), client.write_from(far_reader))
        finally:
            self._tasks.discard(task)
            writer.close()

    async def end(self, server: asyncio.Server) -> None:
        """Take no more clients, and wait until all have left."""
        server.close()
        await asyncio.gather(*self._tasks)


class _Client:
    """A client's side of a conversation; with a context, in TLS.

    asyncio's own TLS closes without an alert when it does not like a client's certificate, as no other
    server does.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext | None
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._arrived, self._due = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._arrived, self._due, server_side=True) if context else None

    async def greet(self) -> bool:
        """Shake hands; whether that led to anything."""
        while self._tls:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._receive():
                    return False
            except ssl.SSLError:
                await self._flush()  # the alert
                return False
        await self._flush()
        return True

    async def read_to(self, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await self._read():
                writer.write(data)
                await writer.drain()
        writer.close()

    async def write_from(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self._tls:
                    self._tls.write(data)
                    await self._flush()
                else:
                    self._writer.write(data)
                    await self._writer.drain()
        self._writer.close()

    async def _read(self) -> bytes:
        if not self._tls:
            return await self._reader.read(65536)
        while True:
            try:
                return self._tls.read(65536)
            except ssl.SSLWantReadError:
                if not await self._receive():
                    return b""

    async def _receive(self) -> bool:
        data = await self._reader.read(65536)
        self._arrived.write(data)
        return bool(data)

    async def _flush(self) -> None:
        self._writer.write(self._due.read())
        with contextlib.suppress(OSError):
            await self._writer.drain()


@contextlib.asynccontextmanager
async def port_in_front_of(socket: str, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of 127.0.0.1 that leads to a unix socket; TLS ends here, if there is a context."""
    conversations = _Conversations(socket, context)
    server = await asyncio.start_server(conversations, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        await conversations.end(server)


@contextlib.asynccontextmanager
async def socket_in_front_of(socket: str, address: str) -> AsyncIterator[None]:
    """The unix socket `address`, a path or a NUL and an abstract name, leads to another."""
    conversations = _Conversations(socket)
    server = await asyncio.start_unix_server(conversations, address)
    try:
        yield
    finally:
        await conversations.end(server)
