"""Answers the calls that a daemon makes over a byte stream: HTTP/2 and gRPC below, handlers above.

Each call is a task. Backpressure goes both ways: a call's window is given back only for content that its
handler has come for, and a handler that sends waits while more than `SEND_BUFFER` of its own is unsent.
One task reads and one writes; what they exchange is decided without I/O in `http2`.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from buildctl.errors import Code, ProtocolError, ServiceError, TransferEndedError
from buildctl.fsutil.worker import outlast
from buildctl.http2 import grpc
from buildctl.http2.events import DataReceived, Event, GoAway, RequestReceived, StreamReset
from buildctl.http2.frames import Buffer, ErrorCode
from buildctl.http2.server import MAX_CONCURRENT_STREAMS, ServerConnection
from buildctl.session.stream import Handler

# Measured: 1 GiB through Control.Session, called by grpcio, costs this process 1.7 s of CPU in writes of
# 256 KiB, 2.0 s in those of 128 KiB and 3.0 s in those of 512 KiB (CPython 3.11, grpcio 1.85, medians of
# four, a VM with two cores).
WRITE_SIZE = 1 << 18
SEND_BUFFER = 1 << 19  # so that the next writes are there while one is on its way
MAX_UNSENT = 1 << 25  # of all calls together, about: with more than 64 calls each has less
MAX_CUT = 4 * grpc.MAX_MESSAGE  # of all calls in messages that have come in part, where 250 have 4 GiB
MAX_SHORT_MESSAGE = 1 << 16
MAX_TASKS = 2 * MAX_CONCURRENT_STREAMS  # calls that were reset may need a moment to end

CLOSE_SECONDS = 5.0  # from half-close to the daemon's end of the stream
CANCEL_SECONDS = 1.0  # for handlers to end when the session does


class ByteStream(Protocol):
    """What the server runs on."""

    async def read(self) -> Buffer | None:
        """The next bytes, or None at their end."""

    async def write(self, pieces: list[Buffer]) -> None:
        """Write pieces in order; returns when more may be written."""

    async def done_writing(self) -> None:
        """Half-close."""


class Call:
    """A `ServerStream`: one call between the connection and its handler."""

    def __init__(self, server: Server, request: RequestReceived) -> None:
        self.stream_id = request.stream_id
        self.task: asyncio.Task[None] | None = None
        self._server = server
        self._metadata = grpc.request_metadata(request.fields)
        self._reader = grpc.MessageReader()
        self._messages: list[bytes] = []
        self._held = 0  # bytes received that the daemon has not been given window for
        self._ended = request.end_stream
        self._failure: ServiceError | None = None  # messages that cannot be taken
        self._reset: ProtocolError | None = None
        self._arrival: asyncio.Future[None] | None = None  # the handler waits for messages
        self._drain: asyncio.Future[None] | None = None  # the handler waits for flow control
        self._started = False
        self._has_window = False  # the one it is to have

    @property
    def metadata(self) -> Sequence[tuple[str, str]]:
        return self._metadata

    def narrow(self) -> None:
        self._has_window = True
        if self._failure is None:
            try:
                self._reader.limit(MAX_SHORT_MESSAGE)
            except ServiceError as error:
                self._failure = error

    async def receive_messages(self) -> list[bytes]:
        if not self._has_window:
            self._has_window = True
            self._server.connection.widen(self.stream_id)
            self._server.wake()
        while not self._messages:
            if failure := self._reset or self._failure:
                raise failure
            if self._ended:
                return []
            self._acknowledge()
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None
        messages, self._messages = self._messages, []
        self._acknowledge()
        return messages

    async def send_messages(self, messages: Iterable[bytes]) -> None:
        if self._reset is not None:
            raise self._reset
        connection = self._server.connection
        self._start()
        connection.send_data(self.stream_id, grpc.frame_messages(messages))
        self._server.wake()
        while connection.unsent(self.stream_id) > self._server.send_buffer:
            self._drain = asyncio.get_running_loop().create_future()
            try:
                await self._drain
            finally:
                self._drain = None

    def receive(self, event: DataReceived) -> None:
        self._held += len(event.data)
        self._ended = event.end_stream
        if self._failure is None:
            self._server.cut -= self._reader.cut_size
            try:
                self._messages += self._reader.feed(event.data)
                if event.end_stream and not self._reader.is_between_messages:
                    raise ServiceError(Code.INTERNAL, "the request ends within a message")
                if self._server.cut + self._reader.cut_size > MAX_CUT:
                    raise ServiceError(Code.RESOURCE_EXHAUSTED, "too many large messages at once")
            except ServiceError as error:
                self._failure = error
            self._server.cut += self._reader.cut_size
        if self._arrival is None:
            return
        if self._messages or self._ended or self._failure is not None:
            _resolve(self._arrival)
        else:  # part of a message that the handler waits for: the daemon has to send the rest
            self._acknowledge()

    def reset(self, error: ProtocolError) -> None:
        """The stream is gone; nothing that the handler does matters any more."""
        self._reset = error
        if self.task is not None:
            self.task.cancel()

    @property
    def cut_size(self) -> int:
        """What is set aside for a message that has come in part."""
        return self._reader.cut_size

    def check_drained(self, send_buffer: int) -> None:
        if self._drain is not None and self._server.connection.unsent(self.stream_id) <= send_buffer:
            _resolve(self._drain)

    def finish(self, code: Code, message: str) -> None:
        """End the call with a status."""
        self._server.connection.send_trailers(
            self.stream_id,
            [*([] if self._started else grpc.RESPONSE_HEADERS), *grpc.status_trailers(code, message)],
        )
        self._server.wake()

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self._server.connection.send_headers(self.stream_id, grpc.RESPONSE_HEADERS)

    def _acknowledge(self) -> None:
        if self._held:
            self._server.connection.acknowledge(self.stream_id, self._held)
            self._held = 0
            self._server.wake()


class Server:
    """Serves one connection with handlers by method path.

    `on_unknown` is told the paths of calls that have no handler; `on_go_away` is called when the daemon says
    that it will make no more calls.
    """

    def __init__(
        self,
        methods: Mapping[str, Handler],
        on_unknown: Callable[[str], None] | None = None,
        on_go_away: Callable[[], None] | None = None,
    ) -> None:
        self._on_unknown = on_unknown
        self.connection = ServerConnection()
        self.is_closing = False
        self.cut = 0  # bytes that calls have set aside for messages that have come in part
        self._methods = methods
        self._on_go_away = on_go_away
        self._calls: dict[int, Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._io: tuple[asyncio.Task[None], ...] = ()
        self._output_ready = asyncio.Event()

    @property
    def send_buffer(self) -> int:
        """How much each call may have unsent and go on."""
        return min(SEND_BUFFER, MAX_UNSENT // max(1, self.connection.open_streams))

    def wake(self) -> None:
        """Let the writer look for what there is to send."""
        self._output_ready.set()

    def close(self) -> None:
        """Half-close; `serve` then ends at the daemon's end of the stream, or when that takes too long."""
        if not self.is_closing:
            self.is_closing = True
            self.wake()
            if self._io:
                asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._abort)

    async def serve(self, stream: ByteStream) -> None:
        """Answer calls until the stream ends; by then all handlers are cancelled and have ended.

        Raises `ProtocolError` when the daemon breaks HTTP/2, and what the stream raises.
        """
        reader = asyncio.create_task(self._read(stream))
        writer = asyncio.create_task(self._write(stream))
        self._io = (reader, writer)
        try:
            await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
            if reader.done() and isinstance(reader.exception(), ProtocolError):
                self.close()
                await asyncio.wait((writer,))  # the last frame says what was wrong
            elif self.is_closing and not reader.done():
                await asyncio.wait((reader,))
        finally:
            await _cancel((reader, writer, *self._tasks))
        for task in (reader, writer):
            if not task.cancelled():
                task.result()

    def _abort(self) -> None:
        for task in self._io:
            task.cancel()

    async def _read(self, stream: ByteStream) -> None:
        while (data := await stream.read()) is not None:
            if self.is_closing:  # drained, not answered
                continue
            try:
                for event in self.connection.receive_data(data):
                    self._handle(event)
            finally:
                self.wake()

    async def _write(self, stream: ByteStream) -> None:
        while not self.is_closing:
            pieces = self.connection.data_to_send(WRITE_SIZE)
            if pieces:
                send_buffer = self.send_buffer
                for call in self._calls.values():
                    call.check_drained(send_buffer)
                await stream.write(pieces)
            else:
                self._output_ready.clear()
                await self._output_ready.wait()
        if pieces := self.connection.data_to_send(0):
            await stream.write(pieces)
        await stream.done_writing()

    def _handle(self, event: Event) -> None:
        if isinstance(event, DataReceived):
            if call := self._calls.get(event.stream_id):
                call.receive(event)
        elif isinstance(event, RequestReceived):
            self._begin(event)
        elif isinstance(event, StreamReset) and (call := self._calls.get(event.stream_id)):
            call.reset(TransferEndedError(f"session: the daemon {event.reason or 'cancelled the call'}"))
        elif isinstance(event, GoAway) and self._on_go_away is not None:
            self._on_go_away()

    def _begin(self, request: RequestReceived) -> None:
        refusal = _http_refusal(request)
        if refusal:
            self.connection.send_trailers(request.stream_id, [(":status", refusal)])
            return
        if len(self._tasks) >= MAX_TASKS:
            self.connection.reset_stream(request.stream_id, ErrorCode.REFUSED_STREAM)
            return
        call = Call(self, request)
        call.task = asyncio.create_task(self._answer(call, request), name=request.path)
        call.task.add_done_callback(functools.partial(self._forget, call))  # one that never began, too
        self._calls[call.stream_id] = call
        self._tasks.add(call.task)

    def _forget(self, call: Call, task: asyncio.Task[None]) -> None:
        del self._calls[call.stream_id]
        self.cut -= call.cut_size
        self._tasks.discard(task)

    async def _answer(self, call: Call, request: RequestReceived) -> None:
        code, message = Code.OK, ""
        deadline = asyncio.timeout(None)
        try:
            handler = self._methods.get(request.path) or self._unimplemented(request.path)
            deadline = asyncio.timeout(grpc.request_timeout(request.fields))
            async with deadline:
                await handler(call)
        except ServiceError as error:
            code, message = error.code, error.message
        except asyncio.CancelledError:  # by a reset or the end of the session, when nobody listens
            code, message = Code.CANCELED, "the call was cancelled"
            raise
        except Exception as error:  # a call's failure is the daemon's to hear, whatever it is
            code, message = Code.UNKNOWN, str(error) or type(error).__name__
            if isinstance(error, TimeoutError) and deadline.expired():
                code, message = Code.DEADLINE_EXCEEDED, "context deadline exceeded"
        finally:
            call.finish(code, message)

    def _unimplemented(self, path: str) -> Handler:
        if self._on_unknown is not None:
            self._on_unknown(path)
        service, _, method = path.removeprefix("/").rpartition("/")
        raise ServiceError(Code.UNIMPLEMENTED, f"unknown method {method} for service {service}")


def _http_refusal(request: RequestReceived) -> str:
    """The HTTP status for a request that is not gRPC's."""
    if request.method != "POST":
        return "405"
    content_type = next((value for name, value in request.fields if name == "content-type"), "")
    kind, _, rest = content_type.partition("application/grpc")
    return "415" if kind or rest[:1] not in ("", "+", ";") or content_type == "" else ""


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks and give them a moment to end; what they raise has been reported or does not matter."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    try:
        await outlast(tasks, CANCEL_SECONDS)
    finally:
        for task in tasks:
            if task.done() and not task.cancelled():
                task.exception()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
