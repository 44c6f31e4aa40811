"""`Control.Session` on a socket of its own, without grpcio.

Everything that a build sends or gets passes through this call. With grpcio each message is an operation of
its own, whose end wakes a thread, which wakes the event loop; here many messages are read and written with
one system call. What that saves stands in docs/performance.md.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence

from buildctl.errors import Code, ConnectError, ProtocolError, RPCError
from buildctl.http2 import grpc
from buildctl.http2.client import ClientConnection
from buildctl.http2.events import DataReceived, Event, GoAway, ResponseReceived, StreamReset, TrailersReceived
from buildctl.http2.frames import Buffer, ErrorCode
from buildctl.session.bytesmessage import BytesReader, frame_bytes_message
from buildctl.transport.stream import Dial

READ_SIZE = 1 << 18
MAX_UNREAD = 1 << 20  # then no more is read from the socket
MAX_BUFFERED = 1 << 16  # of what the socket does not take, before writing waits
GREETING_SECONDS = 2.0
"""A daemon waits five seconds for a session that a build names; the other way to make the call needs some."""
_BROKEN = "error reading from server: EOF"
"""What the reference says of a connection that ended during a call (grpc-go's http2_client)."""


class SocketCall(asyncio.BufferedProtocol):
    """A `ByteStream`: the bytes inside the one call of a connection."""

    def __init__(self, section: Sequence[tuple[str, str]]) -> None:
        """`section` is the header section of the request."""
        self._connection = ClientConnection()
        self._stream_id = self._connection.request(section)
        self._messages = BytesReader()
        self._buffer = memoryview(bytearray(READ_SIZE))
        self._arrived: deque[bytes] = deque()
        self._unread = 0  # bytes in `_arrived`
        self._outcome: RPCError | ProtocolError | None = None  # how the call ended; code OK is an end too
        self._arrival: asyncio.Future[None] | None = None  # the reader waits
        self._room: asyncio.Future[None] | None = None  # the writer waits
        self._is_full = False  # the socket takes no more for now
        self._is_paused = False  # nothing is read from the socket

    async def greeted(self) -> None:
        """Wait for the daemon's first word. Raises `RPCError` where it does not come."""
        try:
            async with asyncio.timeout(GREETING_SECONDS):
                while not (self._connection.is_greeted or isinstance(self._outcome, ProtocolError)):
                    self._check_open()
                    self._room = asyncio.get_running_loop().create_future()
                    await self._room
        except TimeoutError:
            raise RPCError(Code.UNAVAILABLE, "error reading server preface: i/o timeout") from None
        finally:
            self._room = None

    # What a session uses

    async def read(self) -> Buffer | None:
        while not self._arrived:
            if self._outcome is not None:
                if isinstance(self._outcome, RPCError) and self._outcome.code is Code.OK:
                    return None
                raise self._outcome
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None
        data = self._arrived.popleft()
        self._unread -= len(data)
        if self._is_paused and self._unread < MAX_UNREAD:
            self._is_paused = False
            self._transport.resume_reading()
        return data

    async def write(self, pieces: list[Buffer]) -> None:
        self._check_open()
        self._connection.send_data(self._stream_id, frame_bytes_message(pieces))
        self._flush()
        while self._is_full or self._connection.unsent(self._stream_id):
            self._check_open()
            self._room = asyncio.get_running_loop().create_future()
            try:
                await self._room
            finally:
                self._room = None

    async def done_writing(self) -> None:
        self._check_open()
        self._connection.end(self._stream_id)
        self._flush()

    def cancel(self) -> None:
        """End the call, if it has not ended, and the connection."""
        self._connection.reset_stream(self._stream_id, ErrorCode.CANCEL)
        self._flush()
        self._transport.abort()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(MAX_BUFFERED)
        self._flush()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.receive(self._buffer[:nbytes])

    def eof_received(self) -> None:
        self._end(RPCError(Code.UNAVAILABLE, _BROKEN))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(RPCError(Code.UNAVAILABLE, _BROKEN))

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._flush()

    def receive(self, data: Buffer) -> None:
        """Take what the daemon sent; it is not needed when this returns."""
        if self._outcome is not None:  # what still comes has no meaning
            return
        try:
            pieces = [piece for event in self._connection.receive_data(data) for piece in self._take(event)]
        except ProtocolError as error:
            self._end(error)
            pieces = []
        self._flush()
        if pieces:
            self._arrived.append(b"".join(pieces))
            self._unread += len(self._arrived[-1])
            _resolve(self._arrival)
            if self._unread >= MAX_UNREAD and not self._is_paused:
                self._is_paused = True
                self._transport.pause_reading()

    def _take(self, event: Event) -> Iterable[Buffer]:
        if self._outcome is not None:
            return ()
        if isinstance(event, DataReceived):
            self._connection.acknowledge(event.stream_id, len(event.data))
            if event.end_stream:
                self._end(RPCError(Code.INTERNAL, "server closed the stream without sending trailers"))
            return self._messages.feed(event.data)
        if isinstance(event, ResponseReceived):
            if failure := grpc.response_failure(event.status, event.fields):
                self._end(RPCError(*failure))
            elif event.end_stream:
                self._end(RPCError(*grpc.call_status(event.fields)))
        elif isinstance(event, TrailersReceived):
            self._end(RPCError(*grpc.call_status(event.fields)))
        elif isinstance(event, StreamReset):
            self._end(
                RPCError(Code.INTERNAL, f"the daemon {event.reason}")
                if event.reason
                else RPCError(*grpc.reset_status(event.code))
            )
        elif isinstance(event, GoAway) and event.last_stream_id < self._stream_id:
            self._end(RPCError(Code.UNAVAILABLE, "the daemon is shutting down: it took no call"))
        return ()

    def _flush(self) -> None:
        """Write what can be written; what the socket does not take now waits in `_connection`."""
        while not self._is_full and (pieces := self._connection.data_to_send(READ_SIZE)):
            self._transport.write(b"".join(pieces))
        if not self._is_full and not self._connection.unsent(self._stream_id):
            _resolve(self._room)

    def _end(self, outcome: RPCError | ProtocolError) -> None:
        self._outcome = self._outcome or outcome
        _resolve(self._arrival)
        _resolve(self._room)

    def _check_open(self) -> None:
        if self._outcome is not None:
            raise self._outcome


@contextlib.asynccontextmanager
async def open_call(
    dial: Dial, path: str, authority: str, metadata: Sequence[tuple[str, str]]
) -> AsyncIterator[SocketCall]:
    """Dial a unix socket and make the call; on the way out call and connection are ended.

    Raises `RPCError` where there is no connection.
    """
    call = SocketCall(grpc.request_section(path, authority, metadata))
    try:
        stream = await dial()
    except ConnectError as error:
        raise RPCError(Code.UNAVAILABLE, str(error)) from error
    try:
        await asyncio.get_running_loop().create_unix_connection(lambda: call, sock=stream.sock)
    except BaseException:
        await stream.aclose()
        raise
    try:
        if stream.early:
            call.receive(stream.early)
        yield call
    finally:
        call.cancel()


def _resolve(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
