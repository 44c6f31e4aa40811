"""The daemon's end of a call of `Control.Session` on a socket: the `h2` library, led by a test."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterable
from typing import Any

import h2.config
import h2.connection

from buildctl._pb.control_pb2 import BytesMessage
from buildctl.http2.grpc import frame_messages
from tests.support.http2 import RESPONSE, TRAILERS

STREAM = 1
READ_SIZE = 1 << 16


def framed(data: bytes) -> bytes:
    """A `BytesMessage` as gRPC frames it, by protobuf."""
    return b"".join(frame_messages([BytesMessage(data=data).SerializeToString()]))


class CallPeer:
    """Reads nothing that it is not told to."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.events: list[Any] = []
        """What has come since the last that `until` waited for."""

    async def write(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def flush(self) -> None:
        if data := self.h2.data_to_send():
            with contextlib.suppress(BrokenPipeError):  # what the client said before is there to be read
                await self.write(data)

    async def greet(self, settings: dict[int, int] | None = None) -> None:
        """Say hello, and what is set besides the usual."""
        self.h2.initiate_connection()
        if settings:
            self.h2.update_settings(settings)
        await self.flush()

    async def begin(self, settings: dict[int, int] | None = None) -> None:
        """Greet, take the request and begin the answer."""
        await self.greet(settings)
        await self.until("RequestReceived")
        self.h2.send_headers(STREAM, RESPONSE)
        await self.flush()

    async def receive(self) -> bool:
        """Take what has come; False at the end, however the client made it."""
        try:
            data = await asyncio.get_running_loop().sock_recv(self.sock, READ_SIZE)
            self.events += self.h2.receive_data(data)
            await self.flush()
        except ConnectionError:
            return False
        return bool(data)

    async def until(self, kind: str) -> Any:
        """The next event of that name, and none of those before it any more."""
        while True:
            for number, event in enumerate(self.events):
                if type(event).__name__ == kind:
                    del self.events[: number + 1]
                    return event
            if not await self.receive():
                raise EOFError(f"the client ended the connection before {kind}")

    async def content(self, size: int) -> bytes:
        """So much content of the call, each byte acknowledged."""
        content = b""
        while len(content) < size:
            event = await self.until("DataReceived")
            content += event.data
            if event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, STREAM)
                await self.flush()
        return content

    async def send(self, *pieces: bytes) -> None:
        """Data in messages of these pieces, with the windows that the client gives."""
        content = b"".join(map(framed, pieces))
        while content:
            room = self.h2.local_flow_control_window(STREAM)
            size = min(len(content), room, self.h2.max_outbound_frame_size)
            if size:
                self.h2.send_data(STREAM, content[:size])
                content = content[size:]
                await self.flush()
            else:
                await self.receive()

    async def end(self, trailers: Iterable[tuple[str, str]] = TRAILERS) -> None:
        self.h2.send_headers(STREAM, list(trailers), end_stream=True)
        await self.flush()

    async def until_closed(self) -> None:
        """Read until the client ends the connection."""
        while await self.receive():
            pass
