"""The one door between grpc and the rest: calls go out as bytes, failures come back as `RPCError`.

Messages are serialized here and not by grpc, which would log an unreadable answer and hand out None.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from buildctl.client.calls import SESSION_PATH, Method, Request, Response
from buildctl.client.convert.errors import error_details
from buildctl.client.convert.reading import OversizeError, read_message
from buildctl.client.details import wrapping
from buildctl.client.liveness import DEFAULT_STALL_SECONDS, Heard, Liveness
from buildctl.errors import Code, ConnectError, ErrorDetail, ProtocolError, RPCError
from buildctl.telemetry.trace import Trace

if TYPE_CHECKING:
    from buildctl.session.server import ByteStream
    from buildctl.transport.stream import Dial

_LOG = logging.getLogger("buildctl")

_EOF: object = grpc.aio.EOF  # type: ignore[attr-defined]  # missing in grpc-stubs

Metadata: TypeAlias = Sequence[tuple[str, str]]
Diagnose: TypeAlias = Callable[[bool], Awaitable[ConnectError | None]]
"""Says why no connection can be made, or given True, why the one that was there ended; None if unknown."""

_EXPORT_PATH = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_EXPORT_SECONDS = 1.0
_HEALTH_PATH = "/grpc.health.v1.Health/Check"
_DETAILS = "grpc-status-details-bin"
_REFUSALS = 3
"""Builds in a row without a connection of their own for the session, after which none is tried again."""
_LOST_POLLS = 10
_LOST_POLL_SECONDS = 0.01
_BROKEN = "error reading from server: EOF"
"""What the reference says of a connection that ended during a call (grpc-go's http2_client)."""

_STALL_HINT = (
    "the daemon hangs, is stopped, or is cut off; the stall timeout says how long to wait for it, 0 for ever"
)


class Caller:
    """Makes calls on one channel."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        diagnose: Diagnose | None = None,
        trace: Trace | None = None,
        stall_seconds: float = DEFAULT_STALL_SECONDS,
        dial: Dial | None = None,
    ) -> None:
        """`dial` opens a connection to a unix socket where the same daemon answers."""
        self._channel = channel
        self._dial = dial
        self._refusals = 0  # of a connection for the session, one after another
        self._diagnose = diagnose
        self._trace = trace or Trace()
        self._liveness = Liveness(stall_seconds, self._ask_for_health)

    @property
    def is_stalled(self) -> bool:
        """Whether calls were given up because the daemon was silent for too long."""
        return bool(self._liveness.stall)

    async def _ask_for_health(self) -> None:
        ask: Any = self._channel.unary_unary(_HEALTH_PATH, None, None)
        with contextlib.suppress(grpc.aio.AioRpcError):  # an answer too
            await ask(b"")

    async def unary(
        self,
        method: Method[Request, Response],
        request: Request,
        *,
        prefix: str = "",
        metadata: Metadata = (),
        seconds: float | None = None,
    ) -> Response:
        """One request, one answer, within `seconds` if given. Raises `RPCError`, its text after `prefix`."""
        connected = self._is_connected()
        start: Any = self._channel.unary_unary(method.path, None, None)
        with self._trace.call(method.path) as headers:
            try:
                metadata = (*metadata, *headers)
                call = start(request.SerializeToString(), metadata=metadata, timeout=seconds)
                with self._liveness.watching(call, method.name):
                    data = await call
            except grpc.aio.AioRpcError as error:
                raise await self._translate(error, prefix, connected) from None
            except asyncio.CancelledError:
                raise self._cancellation(prefix) from None
        return _parse(method, data)

    async def stream(
        self, method: Method[Request, Response], request: Request, *, prefix: str = "", opening: str = ""
    ) -> AsyncGenerator[Response, None]:
        """One request, a stream of answers. Raises `RPCError` as read from a stream, its text after `prefix`;
        where there is no connection, as of one that cannot be opened, after `opening`.

        The call is cancelled when the iterator is closed or its task cancelled.
        """
        connected = self._is_connected()
        start: Any = self._channel.unary_stream(method.path, None, None)
        with self._trace.call(method.path) as headers:
            call = start(request.SerializeToString(), metadata=headers)
            try:
                with self._liveness.watching(call, method.name):
                    async for data in call:
                        self._liveness.heard()
                        if (message := _parse_in_stream(method, data)) is not None:
                            yield message
            except grpc.aio.AioRpcError as error:
                streamed = connected or error.code() is not grpc.StatusCode.UNAVAILABLE
                prefix = prefix if streamed else opening
                raise await self._translate(error, prefix, connected, streamed=streamed) from None
            except asyncio.CancelledError:
                raise self._cancellation(prefix, streamed=True) from None
            finally:
                call.cancel()

    @contextlib.asynccontextmanager
    async def duplex(
        self, method: Method[Request, Response], *, metadata: Metadata = ()
    ) -> AsyncIterator[Duplex[Request, Response]]:
        """A stream of messages each way, whose reads and writes raise `RPCError`; it ends with the block."""
        connected = self._is_connected()
        start: Any = self._channel.stream_stream(method.path, None, None)
        with self._trace.call(method.path) as headers:
            call = start(metadata=(*metadata, *headers))

            async def translate(error: grpc.aio.AioRpcError) -> RPCError:
                return await self._translate(error, "", connected, streamed=True)

            try:
                with self._liveness.watching(call, method.name):
                    yield Duplex(method, call, self._liveness.heard, translate)
            except asyncio.CancelledError:
                raise self._cancellation("", streamed=True) from None
            finally:
                call.cancel()

    @contextlib.asynccontextmanager
    async def session(
        self, metadata: Metadata, workers: Collection[str] | None = None
    ) -> AsyncIterator[ByteStream]:
        """The byte tunnel. It has a connection of its own where that reaches the same daemon.

        `workers` are the ids of the daemon's workers, by which it is known again; None for any daemon.
        """
        with self._trace.call(SESSION_PATH) as headers:
            async with contextlib.AsyncExitStack() as stack:
                stream = await self._own_session(stack, metadata, workers, headers)
                if stream is None:
                    from buildctl.client.channelcall import ChannelCall

                    start: Any = self._channel.stream_stream(SESSION_PATH, None, None)
                    call = ChannelCall(start(metadata=(*metadata, *headers)))
                    stream = await stack.enter_async_context(call)
                yield Heard(stream, self._liveness)

    async def _own_session(
        self,
        stack: contextlib.AsyncExitStack,
        metadata: Metadata,
        workers: Collection[str] | None,
        headers: Metadata,
    ) -> ByteStream | None:
        """None where a second connection is not wanted or not to be had: a forwarded socket may take one."""
        if self._dial is None:
            return None
        from buildctl.client.socketcall import open_session

        try:
            call = await open_session(self._dial, metadata, workers, headers)
        except ConnectError as error:
            _LOG.debug("the session shares the connection of the other calls: %s", error)
            self._refusals += 1
            if self._refusals >= _REFUSALS:
                self._dial = None  # nor for later builds
            return None
        self._refusals = 0
        stack.callback(call.cancel)
        return call

    async def deliver_spans(self) -> None:
        """Hand the daemon what has been recorded of the trace, so that it exports that with its own spans.

        Most daemons collect no traces and say so, which is nobody's concern.
        """
        spans = self._trace.spans()
        if spans and self._is_connected():
            export: Any = self._channel.unary_unary(_EXPORT_PATH, None, None)
            with contextlib.suppress(grpc.aio.AioRpcError):
                await export(spans, timeout=_EXPORT_SECONDS)

    def _cancellation(self, prefix: str, streamed: bool = False) -> BaseException:
        """The task's own cancellation, or why its call was cancelled here."""
        task = asyncio.current_task()
        if not self.is_stalled or (task is not None and task.cancelling()):
            return asyncio.CancelledError()
        stall = RPCError(
            Code.UNAVAILABLE, self._liveness.stall, streamed=streamed, prefix=prefix, hint=_STALL_HINT
        )
        stall.transient = True
        return stall

    def _is_connected(self) -> bool:
        return self._channel.get_state() is grpc.ChannelConnectivity.READY

    async def _is_lost(self) -> bool:
        """Whether there is no connection; a failing call may know it a little before the channel does."""
        for _ in range(_LOST_POLLS):
            if not self._is_connected():
                return True
            await asyncio.sleep(_LOST_POLL_SECONDS)
        return False

    async def _translate(
        self, error: grpc.aio.AioRpcError, prefix: str, connected: bool, streamed: bool = False
    ) -> RPCError:
        code = Code(error.code().value[0])
        message = error.details() or ""
        hint = ""
        failure: ConnectError | None = None
        if code is Code.UNAVAILABLE and await self._is_lost():
            # The connection is gone, so these are not the daemon's words but grpc's own.
            failure = await self._diagnose(connected) if self._diagnose else None
            if failure:
                message, hint = str(failure), failure.hint
            elif connected:
                message, hint = _BROKEN, "the daemon ended during the call; its log may say why"
        details = _status_details(error)
        if not streamed:
            prefix += wrapping(details)
        translated = RPCError(code, message, details=details, streamed=streamed, prefix=prefix, hint=hint)
        translated.transient = code is Code.UNAVAILABLE and not (failure and failure.lasting)
        return translated


class Duplex(Generic[Request, Response]):
    """Messages each way on one call. Reads and writes may wait at once, one of each."""

    def __init__(
        self,
        method: Method[Request, Response],
        call: Any,
        heard: Callable[[], None],
        translate: Callable[[grpc.aio.AioRpcError], Awaitable[RPCError]],
    ) -> None:
        self._method = method
        self._call = call
        self._heard = heard
        self._translate = translate

    async def read(self) -> Response | None:
        """The next message, None after the last."""
        try:
            data = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise await self._translate(error) from None
        self._heard()
        return None if data is _EOF else _parse(self._method, data)

    async def write(self, message: Request) -> None:
        """Send a message; waits while the daemon takes none."""
        await self._sending(self._call.write(message.SerializeToString()))

    async def done_writing(self) -> None:
        """Say that no message follows."""
        await self._sending(self._call.done_writing())

    async def _sending(self, operation: Awaitable[object]) -> None:
        try:
            await operation
        except grpc.aio.AioRpcError as error:
            raise await self._translate(error) from None
        except asyncio.InvalidStateError:  # the call has ended, and knows how
            code = await self._call.code()
            raise RPCError(Code(code.value[0]), await self._call.details() or "", streamed=True) from None


def _parse(method: Method[Request, Response], data: bytes) -> Response:
    try:
        return read_message(method.response, data)
    except (DecodeError, OversizeError) as error:
        text = f"the daemon's answer to {method.path} cannot be read: {error}"
        raise type(error)(text) if isinstance(error, OversizeError) else ProtocolError(text) from error


def _parse_in_stream(method: Method[Request, Response], data: bytes) -> Response | None:
    """None for a message that is too large and can be done without."""
    try:
        return _parse(method, data)
    except OversizeError as error:
        if not method.is_news:
            raise
        _LOG.warning("something is missing from what is shown of the build: %s", error)
        return None


def _status_details(error: grpc.aio.AioRpcError) -> tuple[ErrorDetail, ...]:
    trailers: Any = error.trailing_metadata() or ()
    for key, value in trailers:
        if key == _DETAILS and isinstance(value, bytes):
            return error_details(value)
    return ()
