"""A peer that answers every gRPC call with an empty message, built on the h2 library.

The far end of a channel: no daemon, but as far as HTTP/2 and gRPC go a real one; it tells what it was sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.exceptions


@dataclass
class Peer:
    """Where the peer listens, and the header fields of each request in order of arrival."""

    address: str
    requests: list[dict[str, str]] = field(default_factory=list)
    _open: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)

    @property
    def authorities(self) -> list[str]:
        """The `:authority` of each request."""
        return [request[":authority"] for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer on one connection until its end."""
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            await self._converse(reader, writer)
        finally:
            writer.close()
            del self._open[task]

    async def aclose(self) -> None:
        """End every connection."""
        tasks = tuple(self._open)
        for writer in tuple(self._open.values()):
            writer.transport.abort()
        await asyncio.gather(*tasks)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        )
        connection.initiate_connection()
        with contextlib.suppress(OSError, h2.exceptions.ProtocolError):
            writer.write(connection.data_to_send())
            while data := await reader.read(65536):
                for event in connection.receive_data(data):
                    self._answer(connection, event)
                writer.write(connection.data_to_send())

    def _answer(self, connection: h2.connection.H2Connection, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self.requests.append({str(name): str(value) for name, value in event.headers or ()})
        elif isinstance(event, h2.events.StreamEnded):
            assert event.stream_id is not None
            connection.send_headers(
                event.stream_id, [(":status", "200"), ("content-type", "application/grpc")]
            )
            connection.send_data(event.stream_id, bytes(5))
            connection.send_headers(event.stream_id, [("grpc-status", "0")], end_stream=True)


@contextlib.asynccontextmanager
async def unix_peer(path: Path, context: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """A peer on a socket."""
    peer = Peer(f"unix://{path}")
    server = await asyncio.start_unix_server(peer.serve, path, ssl=context)
    try:
        yield peer
    finally:
        server.close()
        await peer.aclose()


@contextlib.asynccontextmanager
async def tcp_peer(context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[Peer]:
    """A peer on a free port of loopback."""
    peer = Peer("")
    server = await asyncio.start_server(peer.serve, host, 0, ssl=context)
    peer.address = f"tcp://{host}:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        server.close()
        await peer.aclose()
