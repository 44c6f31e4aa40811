"""`Control.Session` on a socket of its own, without grpcio.

Everything that a build sends or gets passes through this call. With grpcio each message is an operation of
its own, whose end wakes a thread, which wakes the event loop; here many messages are read and written with
one system call. What that saves stands in docs/performance.md.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import cast

from google.protobuf.message import DecodeError

from buildctl.client.calls import LIST_WORKERS, SESSION_PATH
from buildctl.client.convert.reading import read_message
from buildctl.errors import BuildctlError, Code, ConnectError, ProtocolError, RPCError, ServiceError
from buildctl.http2 import grpc
from buildctl.http2.client import ClientConnection
from buildctl.http2.events import DataReceived, Event, GoAway, ResponseReceived, StreamReset, TrailersReceived
from buildctl.http2.frames import Buffer, ErrorCode
from buildctl.http2.streams import LARGEST_STREAM_ID
from buildctl.session.bytesmessage import BytesReader, frame_bytes_message
from buildctl.transport.stream import Dial

READ_SIZE = 1 << 18
MAX_UNREAD = 1 << 20  # then no more is read from the socket
MAX_BUFFERED = 1 << 16  # of what the socket does not take, before writing waits
MAX_ANSWER = 1 << 20
OPENING_SECONDS = 2.0
"""A daemon waits five seconds for a session that a build names; the other way to make the call needs some."""
_AUTHORITY = "localhost"
_BROKEN = "error reading from server: EOF"
"""What the reference says of a connection that ended during a call (grpc-go's http2_client)."""


class SocketCall(asyncio.BufferedProtocol):
    """A `ByteStream`: the bytes inside a call that has a connection to itself, from `start` on."""

    def __init__(self) -> None:
        self._connection = ClientConnection()
        self._stream_id = 0
        self._last_stream_id = LARGEST_STREAM_ID  # that the daemon takes
        self._messages: BytesReader | grpc.MessageReader = BytesReader()
        self._buffer = memoryview(bytearray(READ_SIZE))
        self._arrived: deque[bytes] = deque()
        self._unread = 0  # bytes in `_arrived`
        self._outcome: RPCError | None = None  # how the call ended; code OK is an end too
        self._failure: RPCError | ProtocolError | None = None  # of the connection
        self._arrival: asyncio.Future[None] | None = None  # the reader waits
        self._room: asyncio.Future[None] | None = None  # the writer waits
        self._is_full = False  # the socket takes no more for now
        self._is_paused = False  # nothing is read from the socket

    async def ask(self, path: str, message: bytes, metadata: Sequence[tuple[str, str]] = ()) -> bytes:
        """Make a call with a message each way. Raises `RPCError` and `ProtocolError`."""
        self._begin(path, metadata, grpc.MessageReader(MAX_ANSWER))
        self._connection.send_data(self._stream_id, grpc.frame_messages([message]))
        await self.done_writing()
        answer = b""
        while (data := await self.read()) is not None:
            answer += data
            if len(answer) > MAX_ANSWER:
                raise ProtocolError(f"connection: the daemon answered {path} with more than a message")
        return answer

    def start(self, path: str, metadata: Sequence[tuple[str, str]]) -> None:
        """Make the call whose bytes are read and written from now on."""
        self._begin(path, metadata, BytesReader())

    def _begin(
        self, path: str, metadata: Sequence[tuple[str, str]], messages: BytesReader | grpc.MessageReader
    ) -> None:
        self._messages = messages
        self._outcome = None
        self._stream_id = self._connection.request(grpc.request_section(path, _AUTHORITY, metadata))
        self._check_taken()
        self._flush()

    # What a session uses

    async def read(self) -> Buffer | None:
        while not self._arrived:
            if self._outcome is not None and self._outcome.code is Code.OK:
                return None
            self._check_open()
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
        if self._failure is None:
            self._connection.reset_stream(self._stream_id, ErrorCode.CANCEL)
            self._flush()
        self._transport.abort()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # which uvloop's only resembles
        self._transport.set_write_buffer_limits(MAX_BUFFERED)
        self._flush()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.receive(self._buffer[:nbytes])

    def eof_received(self) -> None:
        self._fail(RPCError(Code.UNAVAILABLE, _BROKEN))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(RPCError(Code.UNAVAILABLE, _BROKEN))

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._flush()

    def receive(self, data: Buffer) -> None:
        """Take what the daemon sent; it is not needed when this returns."""
        if self._failure is not None:  # what still comes has no meaning
            return
        try:
            pieces = [piece for event in self._connection.receive_data(data) for piece in self._take(event)]
        except ProtocolError as error:
            self._fail(error)
            pieces = []
        except ServiceError as error:
            self._end(RPCError(error.code, error.message))
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
        if isinstance(event, GoAway):
            self._last_stream_id = event.last_stream_id
            self._check_taken()
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
        return ()

    def _check_taken(self) -> None:
        """Whether the daemon takes the call at all."""
        if self._stream_id > self._last_stream_id:
            self._end(RPCError(Code.UNAVAILABLE, "the daemon is shutting down: it took no call"))

    def _flush(self) -> None:
        """Write what can be written; what the socket does not take now waits in `_connection`."""
        while not self._is_full and (pieces := self._connection.data_to_send(READ_SIZE)):
            self._transport.write(b"".join(pieces))
        if not self._is_full and not self._connection.unsent(self._stream_id):
            _resolve(self._room)

    def _end(self, outcome: RPCError) -> None:
        self._outcome = self._outcome or outcome
        _resolve(self._arrival)
        _resolve(self._room)

    def _fail(self, failure: RPCError | ProtocolError) -> None:
        self._failure = self._failure or failure
        _resolve(self._arrival)
        _resolve(self._room)

    def _check_open(self) -> None:
        if over := self._outcome or self._failure:
            raise over


async def connect(dial: Dial) -> SocketCall:
    """Dial a unix socket; whoever gets the call cancels it. Raises `ConnectError` and `OSError`."""
    stream = await dial()
    call = SocketCall()
    try:
        await asyncio.get_running_loop().create_unix_connection(lambda: call, sock=stream.sock)
    except BaseException:
        await stream.aclose()
        raise
    if stream.early:
        call.receive(stream.early)
    return call


async def open_session(
    dial: Dial,
    metadata: Sequence[tuple[str, str]],
    workers: Collection[str] | None,
    headers: Sequence[tuple[str, str]] = (),
) -> SocketCall:
    """Call `Control.Session` on a connection of its own; whoever gets the call cancels it.

    Before it says which session it is, the daemon at its end is asked for its workers: what is dialled may
    lead to another than the one whose `workers` (their ids; None for any) are known. Raises `ConnectError`,
    which stands for every reason why there is no such call. `headers` go with both calls.
    """
    call: SocketCall | None = None
    try:
        async with asyncio.timeout(OPENING_SECONDS):
            call = await connect(dial)
            answer = await call.ask(LIST_WORKERS.path, b"", headers)
        found = {record.ID for record in read_message(LIST_WORKERS.response, answer).record}
        if workers is not None and found != set(workers):
            raise ConnectError("another daemon answers there")
        call.start(SESSION_PATH, (*metadata, *headers))
        return call
    except BaseException as error:
        if call is not None:
            call.cancel()
        if isinstance(error, BuildctlError | OSError | DecodeError):  # TimeoutError among them
            raise ConnectError(str(error) or "i/o timeout") from error
        raise


def _resolve(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
