"""A daemon that speaks the whole of a build's conversation and misbehaves by a script.

It is a real gRPC server. While Solve runs, a script has the session: `ask` and `open` make calls on the
client through grpcio, `tunnel` gives the bytes themselves to scripts that write HTTP/2 by hand. What the
client answers is kept in `got`, so that a test can look through it for what must not be there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import Message

from buildctl._pb import control_pb2
from tests.support.fsutil_receiver import SenderError
from tests.support.fsutil_sender import ReceiverError
from tests.support.http2 import GREETING
from tests.support.scripted_daemon import Build, scripted_daemon
from tests.support.session_daemon import SessionDaemon

GIVES_UP_SECONDS = 30.0
"""How long a script may take by default: a client that answers nothing and ends nothing fails its test."""

Script: TypeAlias = Callable[["HostileDaemon"], Awaitable[None]]


class DaemonStream:
    """One call that the daemon makes, as messages both ways (what `fsutil_sender` and its peer speak)."""

    def __init__(self, call: Any, got: list[bytes]) -> None:
        self.call = call
        self._got = got

    async def send_messages(self, messages: Iterable[bytes]) -> None:
        for message in messages:
            try:
                await self.call.write(message)
            except (asyncio.InvalidStateError, grpc.aio.AioRpcError):  # the call has ended; reading says how
                return

    async def receive_messages(self) -> list[bytes]:
        """The next message; none at the end. Raises the status, unless it is OK."""
        try:
            message = await self.call.read()
        except grpc.aio.AioRpcError as error:
            raise RefusedError(error.code(), error.details() or "") from None
        if message is grpc.aio.EOF:  # type: ignore[attr-defined]  # missing in grpc-stubs
            if await self.call.code() is not grpc.StatusCode.OK:
                raise RefusedError(await self.call.code(), await self.call.details() or "")
            return []
        self._got.append(message)
        return [message]

    async def half_close(self) -> None:
        with contextlib.suppress(asyncio.InvalidStateError):
            await self.call.done_writing()

    async def rest(self) -> list[bytes]:
        """All that is still to come."""
        return [message async for message in self]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while messages := await self.receive_messages():
            for message in messages:
                yield message


class RefusedError(Exception):
    """The client ended a call with a status, which the daemon makes the build's."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class HostileDaemon(Build):
    """Solve lasts as long as its script, and ends with what the script was refused."""

    def __init__(self, folder: Path, script: Script, seconds: float = GIVES_UP_SECONDS) -> None:
        super().__init__()
        self.seconds = seconds
        self.session = SessionDaemon(folder)
        self.folder = folder
        self.got: list[bytes] = []
        self.failure: BaseException | None = None
        """What ended the script, if it was neither its own end nor a refusal."""
        self._script = script
        self._channel: Any = None
        self._tunnels: list[Tunnel] = []

    async def solve(self, request: bytes, context: Any) -> Message:
        try:
            async with asyncio.timeout(self.seconds):
                await self.session.opened.wait()
                await self._script(self)
        except RefusedError as error:
            await context.abort(error.code, error.text)
        except (SenderError, ReceiverError) as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except Exception as error:
            self.failure = error
            await context.abort(grpc.StatusCode.UNKNOWN, f"the script failed: {error!r}")
        finally:
            self.solved.set()
            await self.hang_up()
        return control_pb2.SolveResponse()

    async def hang_up(self) -> None:
        """Make no more calls on the client."""
        for tunnel in self._tunnels:
            await tunnel.aclose()
        if self._channel is not None:
            await self._channel.close()

    def open(self, path: str, metadata: Sequence[tuple[str, str]] = (), **options: Any) -> DaemonStream:
        """Begin a call on the client."""
        if self._channel is None:
            self._channel = self.session.channel()
        return DaemonStream(self._channel.stream_stream(path)(metadata=metadata, **options), self.got)

    async def ask(
        self, path: str, *messages: bytes, metadata: Sequence[tuple[str, str]] = (), **options: Any
    ) -> list[bytes]:
        """Send messages and the end; return what is answered. Raises `RefusedError`."""
        stream = self.open(path, metadata, **options)
        await stream.send_messages(messages)
        await stream.half_close()
        return await stream.rest()

    async def tunnel(self, *, greet: bool = True) -> Tunnel:
        """The session's bytes, in place of calls."""
        tunnel = Tunnel(*await asyncio.open_unix_connection(str(self.session.socket)), self.got)
        self._tunnels.append(tunnel)
        if greet:
            await tunnel.write(GREETING)
        return tunnel


class Tunnel:
    """The bytes of a session."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, got: list[bytes]) -> None:
        self._reader = reader
        self._writer = writer
        self._got = got

    async def write(self, data: bytes) -> None:
        """Raises `ConnectionError` when the client has ended the session."""
        self._writer.write(data)
        await self._writer.drain()

    async def aclose(self) -> None:
        self._writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def flood(self, data: bytes, times: int) -> None:
        """Write the same again and again, until the client ends it."""
        with contextlib.suppress(ConnectionError):
            for _ in range(times):
                await self.write(data)
            await self.until_closed()

    async def until_closed(self) -> None:
        """Read what the client has to say until it ends the session."""
        async for data in self.pieces():
            self._got.append(data)

    async def pieces(self) -> AsyncIterator[bytes]:
        """What the client says, as it comes, until it ends the session."""
        with contextlib.suppress(ConnectionError):
            while data := await self._reader.read(1 << 16):
                yield data


@contextlib.asynccontextmanager
async def hostile_daemon(
    folder: Path, script: Script, seconds: float = GIVES_UP_SECONDS
) -> AsyncIterator[HostileDaemon]:
    """Serve on `folder/daemon.sock` until the block ends."""
    daemon = HostileDaemon(folder, script, seconds)
    async with scripted_daemon(folder / "daemon.sock", daemon.answers, session=daemon.session):
        yield daemon
    if daemon.session.opened.is_set():
        async with asyncio.timeout(10):
            await daemon.session.ended.wait()
