"""A session as a daemon meets it: through `Control.Session` of a real gRPC server."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import grpc.aio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildctl._pb.control_pb2 import BytesMessage
from buildctl.client.channelcall import ChannelCall
from buildctl.client.socketcall import connect
from buildctl.errors import Code, ProtocolError, SessionLostError
from buildctl.session.bytesmessage import decode_bytes_message, encode_bytes_message
from buildctl.session.health import now
from buildctl.session.server import WRITE_SIZE, ByteStream
from buildctl.session.stream import Handler, ServerStream
from buildctl.session.tunnel import Session
from buildctl.transport.dial import dial_unix
from tests.support.session_daemon import SESSION, SessionDaemon, session_daemon

CHECK = "/grpc.health.v1.Health/Check"


class Service:
    """An attachable that does what these tests need."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {"/test.T/Echo": self._echo, "/test.T/Bulk": self._bulk, "/test.T/Wait": self._wait}

    async def _echo(self, stream: ServerStream) -> None:
        while messages := await stream.receive_messages():
            await stream.send_messages(messages)

    async def _bulk(self, stream: ServerStream) -> None:
        (request,) = await stream.receive_messages()
        for _ in range(int(request)):
            await stream.send_messages([bytes(1 << 20)])

    async def _wait(self, stream: ServerStream) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.cancelled.set()


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[SessionDaemon]:
    async with session_daemon(tmp_path) as daemon:
        yield daemon


Open: TypeAlias = Callable[[Session], AbstractAsyncContextManager[ByteStream]]


@pytest.fixture(params=["socket", "channel"])
async def control(daemon: SessionDaemon, request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """Both ways to make the call."""
    if request.param == "socket":
        yield partial(on_socket, daemon.address.removeprefix("unix:"))
        return
    async with grpc.aio.insecure_channel(
        daemon.address, options=[("grpc.max_receive_message_length", -1)]
    ) as channel:
        yield partial(on_channel, channel)


@contextlib.asynccontextmanager
async def on_socket(path: str, session: Session) -> AsyncIterator[ByteStream]:
    call = await connect(partial(dial_unix, path))
    call.start(SESSION, session.metadata)
    try:
        yield call
    finally:
        call.cancel()


def on_channel(channel: Any, session: Session) -> AbstractAsyncContextManager[ByteStream]:
    return ChannelCall(channel.stream_stream(SESSION)(metadata=session.metadata))


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def session(service: Service) -> Session:
    return Session([service], "0123456789abcdefghijklmno")


@pytest.fixture
async def running(
    control: Open, daemon: SessionDaemon, session: Session
) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(session.run(control(session)))
    await daemon.opened.wait()
    yield task
    session.close()
    await asyncio.wait((task,))


@pytest.fixture
async def channel(daemon: SessionDaemon, running: asyncio.Task[None]) -> AsyncIterator[Any]:
    async with daemon.channel() as channel:
        yield channel


async def call(channel: Any, method: str, request: bytes = b"", **options: Any) -> bytes:
    response: bytes = await channel.unary_unary(method)(request, **options)
    return response


async def test_the_daemon_learns_what_is_offered(running: object, daemon: SessionDaemon) -> None:
    exposed = [field for field in daemon.metadata if field[0].startswith("x-docker-expose")]
    assert sorted(exposed) == [
        ("x-docker-expose-session-grpc-method", "/grpc.health.v1.Health/Check"),
        ("x-docker-expose-session-grpc-method", "/grpc.health.v1.Health/List"),
        ("x-docker-expose-session-grpc-method", "/grpc.health.v1.Health/Watch"),
        ("x-docker-expose-session-grpc-method", "/test.T/Bulk"),
        ("x-docker-expose-session-grpc-method", "/test.T/Echo"),
        ("x-docker-expose-session-grpc-method", "/test.T/Wait"),
        ("x-docker-expose-session-sharedkey", ""),
        ("x-docker-expose-session-uuid", "0123456789abcdefghijklmno"),
    ]


async def test_a_shared_key_is_announced() -> None:
    metadata = dict(Session([], "id", shared_key="key").metadata)
    assert metadata["x-docker-expose-session-sharedkey"] == "key"


async def test_calls_and_content_pass(channel: Any, daemon: SessionDaemon, session: Session) -> None:
    before = now()
    assert await call(channel, CHECK) == b"\x08\x01"
    assert before <= (session.last_health_check or 0) <= now()
    sizes = [len(message) async for message in channel.unary_stream("/test.T/Bulk")(b"20")]
    assert sizes == [1 << 20] * 20
    assert WRITE_SIZE <= max(daemon.message_sizes) <= WRITE_SIZE + (1 << 14)
    message = bytes(range(256)) * 20_000
    assert await call(channel, "/test.T/Echo", message) == message


async def test_health_overtakes_content(channel: Any) -> None:
    """Calls that nobody reads and calls that do not stop leave room for an answer."""
    bulk = [channel.unary_stream("/test.T/Bulk")(b"1000000") for _ in range(20)]
    read = [asyncio.create_task(drain(one)) for one in bulk[:10]]
    await asyncio.sleep(0.3)
    for _ in range(5):
        started = time.monotonic()
        assert await call(channel, CHECK, timeout=5) == b"\x08\x01"
        assert time.monotonic() - started < 1.0
    for one in bulk:
        one.cancel()
    await asyncio.gather(*read, return_exceptions=True)


async def drain(call: Any) -> None:
    async for _ in call:
        pass


async def test_closing_ends_the_session_on_both_sides(
    channel: Any, daemon: SessionDaemon, session: Session, service: Service, running: asyncio.Task[None]
) -> None:
    waiting = asyncio.create_task(call(channel, "/test.T/Wait"))
    await call(channel, "/test.T/Echo", b"x")
    started = time.monotonic()
    session.close()
    session.close()
    await running
    await daemon.ended.wait()
    assert service.cancelled.is_set()
    assert time.monotonic() - started < 1.0
    with pytest.raises(grpc.aio.AioRpcError):
        await waiting


async def test_a_session_that_is_closed_first_never_runs(control: Open, session: Session) -> None:
    session.close()
    await asyncio.wait_for(session.run(control(session)), 1)


async def test_a_daemon_that_does_not_end_the_stream_is_left(
    channel: Any,
    session: Session,
    running: asyncio.Task[None],
    daemon: SessionDaemon,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("buildctl.session.server.CLOSE_SECONDS", 0.2)
    await call(channel, CHECK)
    daemon.lingers = True
    started = time.monotonic()
    session.close()
    await running
    assert 0.2 <= time.monotonic() - started < 1.0


@pytest.mark.parametrize("abort", [None, (grpc.StatusCode.UNAVAILABLE, "shutting down")])
async def test_a_lost_session_says_so(
    channel: Any,
    daemon: SessionDaemon,
    session: Session,
    running: asyncio.Task[None],
    service: Service,
    abort: tuple[grpc.StatusCode, str] | None,
) -> None:
    await call(channel, CHECK)
    waiting = asyncio.create_task(call(channel, "/test.T/Wait"))
    await call(channel, "/test.T/Echo", b"x")
    daemon.abort_with = abort
    daemon.leave()
    with pytest.raises(SessionLostError) as caught:
        await running
    reason = abort[1] if abort else "the daemon ended it"
    answered = r"the last health check came \d\.\d s ago and was answered"
    assert re.fullmatch(rf"session lost: {reason}; {answered}", str(caught.value))
    assert caught.value.code is (Code.UNAVAILABLE if abort else Code.ABORTED)
    assert "Run the build again" in caught.value.hint
    assert service.cancelled.is_set()
    with pytest.raises(grpc.aio.AioRpcError):
        await waiting


async def test_no_daemon(tmp_path: Path, session: Session) -> None:
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/none.sock") as channel:
        with pytest.raises(SessionLostError, match=r"session lost: .*; no health check ever came$") as caught:
            await session.run(on_channel(channel, session))
    assert caught.value.code is Code.UNAVAILABLE


async def test_a_daemon_that_speaks_no_http2(daemon: SessionDaemon, running: asyncio.Task[None]) -> None:
    _, writer = await asyncio.open_unix_connection(str(daemon.socket))
    writer.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    with pytest.raises(ProtocolError, match="did not begin with the HTTP/2 preface"):
        await running
    writer.close()
    await writer.wait_closed()


async def test_cancelling_the_run_leaves_nothing(
    channel: Any, daemon: SessionDaemon, running: asyncio.Task[None], service: Service
) -> None:
    waiting = asyncio.create_task(call(channel, "/test.T/Wait"))
    await call(channel, "/test.T/Echo", b"x")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert service.cancelled.is_set()
    await asyncio.wait_for(daemon.ended.wait(), 2)
    with pytest.raises(grpc.aio.AioRpcError):
        await waiting


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_bytes_messages_are_protobufs(pieces: list[bytes]) -> None:
    message = encode_bytes_message(list(pieces))
    assert BytesMessage.FromString(message).data == b"".join(pieces)
    assert bytes(decode_bytes_message(message)) == b"".join(pieces)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 16 << 20])
def test_bytes_messages_of_all_lengths(size: int) -> None:
    message = BytesMessage(data=bytes(size)).SerializeToString()
    assert len(decode_bytes_message(message)) == size
    if size:
        assert encode_bytes_message([bytes(size)]) == message


@pytest.mark.parametrize(
    ("message", "data"),
    [
        (b"", b""),
        (b"\x0a\x00", b""),
        (b"\x0a\x81\x00x", b"x"),  # a longer varint than needed
        (b"\x0a\x01x\x0a\x01y", b"y"),  # the last of a repeated field counts
        (b"\x10\x05\x0a\x01x", b"x"),  # an unknown field before
        (b"\x0a\x01x\x10\x05", b"x"),  # and after
    ],
)
def test_other_encodings_of_bytes_messages(message: bytes, data: bytes) -> None:
    assert bytes(decode_bytes_message(message)) == data


@given(st.binary(max_size=20))
def test_any_message_is_data_or_an_error(message: bytes) -> None:
    try:
        data = bytes(decode_bytes_message(message))
    except ProtocolError:
        return
    assert data == BytesMessage.FromString(message).data
