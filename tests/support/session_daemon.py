"""The daemon's side of a session: a server of `Control.Session` that hands out a gRPC channel to its client.

The bytes of the call go to and come from a unix socket, which grpcio dials as it would any server.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from buildctl._pb.control_pb2 import BytesMessage

SESSION = "/moby.buildkit.v1.Control/Session"
READ_SIZE = 1 << 15


class SessionDaemon(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs alone
    """Takes one session at a time."""

    def __init__(self, folder: Path) -> None:
        self.address = f"unix:{folder / 'daemon.sock'}"
        self.metadata: list[tuple[str, str]] = []
        self.opened = asyncio.Event()
        self.ended = asyncio.Event()
        self.abort_with: tuple[grpc.StatusCode, str] | None = None
        self.lingers = False  # it does not answer the client's half-close
        self.message_sizes: list[int] = []
        self.socket = folder / "client.sock"
        self._leave = asyncio.Event()

    def service(self, call_details: Any) -> Any:
        if call_details.method == SESSION:
            return grpc.stream_stream_rpc_method_handler(self._session)
        return None

    def channel(self) -> Any:
        """To the services of the client whose session is open."""
        return grpc.aio.insecure_channel(
            f"unix:{self.socket}", options=[("grpc.max_receive_message_length", -1)]
        )

    def leave(self) -> None:
        """End the session from this side."""
        self._leave.set()

    async def _session(self, requests: AsyncIterator[bytes], context: Any) -> None:
        self.metadata = [(key, value) for key, value in context.invocation_metadata()]
        accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        writers: list[asyncio.StreamWriter] = []
        is_over = False

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            if len(writers) == 1 and not is_over:
                accepted.put_nowait((reader, writer))
            else:  # a session is one connection, and one may still come when it has ended
                writer.close()

        # Not served at once: a call that is cancelled meanwhile would leave the socket open.
        server = await asyncio.start_unix_server(accept, str(self.socket), start_serving=False)
        writer: asyncio.StreamWriter | None = None
        tasks: list[asyncio.Task[Any]] = []
        received: list[bytes] = []

        async def from_client() -> None:
            async for request in requests:
                data = BytesMessage.FromString(request).data
                self.message_sizes.append(len(data))
                if writer is None:
                    received.append(data)
                else:
                    writer.write(data)
                    await writer.drain()

        async def to_client(reader: asyncio.StreamReader) -> None:
            while data := await reader.read(READ_SIZE):
                await context.write(BytesMessage(data=data).SerializeToString())

        try:
            await server.start_serving()
            self.opened.set()
            pump = asyncio.create_task(from_client())
            leaving = asyncio.create_task(self._leave.wait())
            accepting = asyncio.create_task(accepted.get())
            tasks = [pump, leaving, accepting]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if accepting.done():
                reader, writer = accepting.result()
                writer.writelines(received)
                tasks.append(asyncio.create_task(to_client(reader)))
                await asyncio.wait((pump, leaving), return_when=asyncio.FIRST_COMPLETED)
            if self.lingers:
                await leaving
            if self.abort_with:
                await context.abort(*self.abort_with)
        finally:
            is_over = True
            server.close()
            for one in writers:
                one.close()
            for task in tasks:
                task.cancel()
            closing = asyncio.gather(*(one.wait_closed() for one in writers), return_exceptions=True)
            try:
                await asyncio.gather(*tasks, return_exceptions=True)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(closing, 1)  # who reads no more takes no more
            finally:
                for one in writers:
                    one.transport.abort()
                self.ended.set()


@contextlib.asynccontextmanager
async def session_daemon(folder: Path) -> AsyncIterator[SessionDaemon]:
    daemon = SessionDaemon(folder)
    server: Any = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((daemon,))
    server.add_insecure_port(daemon.address)
    await server.start()
    try:
        yield daemon
    finally:
        await server.stop(None)
