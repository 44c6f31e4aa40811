"""The session server, called by grpcio's client over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import hpack
import pytest
from hyperframe import frame as hyperframe

from buildctl._pb import health_pb2
from buildctl.errors import BuildctlError, Code, ProtocolError, ServiceError
from buildctl.fsutil.worker import outlast
from buildctl.http2.frames import ErrorCode
from buildctl.http2.grpc import MAX_MESSAGE
from buildctl.http2.server import CONTENT_WINDOW, STREAM_WINDOW
from buildctl.session.health import Health
from buildctl.session.stream import Handler, ServerStream
from tests.support.http2 import (
    DATA,
    END_STREAM,
    GREETING,
    PING,
    REQUEST,
    RST_STREAM,
    frame,
    headers,
    parse,
    window_update,
)
from tests.support.session import Listener, listening

MIB = 1 << 20
EOF: Any = grpc.aio.EOF  # type: ignore[attr-defined]  # missing in grpc-stubs
BULK = 50 * MIB
BLOCK = random.Random(0).randbytes(3 * MIB)


class Calls:
    """The services that are called here, and what they saw."""

    def __init__(self) -> None:
        self.metadata: list[tuple[str, str]] = []
        self.digest = ""
        self.received = 0
        self.began = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.release = asyncio.Event()
        self.sent = 0
        self.errors: list[ProtocolError] = []

    def methods(self) -> dict[str, Handler]:
        return {
            "/test.T/Echo": self.echo,
            "/test.T/Upload": self.upload,
            "/test.T/Download": self.download,
            "/test.T/Wait": self.wait,
            "/test.T/Fail": self.fail,
            "/test.T/Nothing": self.nothing,
            "/test.T/Held": self.held,
            "/test.T/Narrow": self.narrow,
            "/test.T/Endless": self.endless,
            "/test.T/Stubborn": self.stubborn,
            "/test.T/Tidy": self.tidy,
            **Health().methods,
        }

    async def echo(self, stream: ServerStream) -> None:
        self.metadata = list(stream.metadata)
        while messages := await stream.receive_messages():
            await stream.send_messages(messages)

    async def upload(self, stream: ServerStream) -> None:
        digest = hashlib.sha256()
        while messages := await stream.receive_messages():
            for message in messages:
                digest.update(message)
                self.received += len(message)
        await stream.send_messages([digest.hexdigest().encode()])

    async def download(self, stream: ServerStream) -> None:
        (request,) = await stream.receive_messages()
        digest = hashlib.sha256()
        for chunk in chunks(int(request)):
            digest.update(chunk)
            await stream.send_messages([chunk])
        self.digest = digest.hexdigest()

    async def wait(self, stream: ServerStream) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def fail(self, stream: ServerStream) -> None:
        (request,) = await stream.receive_messages()
        errors: dict[bytes, Exception] = {
            b"service": ServiceError(Code.NOT_FOUND, "no access allowed to dir “src” 100%\n"),
            b"ours": BuildctlError("invalid secret size 3"),
            b"foreign": RuntimeError("unexpected"),
            b"silent": RuntimeError(),
            b"cancelled": asyncio.CancelledError(),  # type: ignore[dict-item]
            b"timeout": TimeoutError("dial timeout"),
        }
        raise errors[request]

    async def nothing(self, stream: ServerStream) -> None:
        await stream.receive_messages()

    async def held(self, stream: ServerStream) -> None:
        await self.release.wait()
        await self.upload(stream)

    async def narrow(self, stream: ServerStream) -> None:
        stream.narrow()
        await self.upload(stream)

    async def endless(self, stream: ServerStream) -> None:
        while True:
            await stream.send_messages([bytes(100_000)])
            self.sent += 100_000

    async def stubborn(self, stream: ServerStream) -> None:
        """Does not take no for an answer."""
        self.began.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()
        try:
            await stream.receive_messages()
        except ProtocolError as error:
            self.errors.append(error)
        try:
            await stream.send_messages([b"x"])
        except ProtocolError as error:
            self.errors.append(error)
        await asyncio.sleep(0.5)

    async def tidy(self, stream: ServerStream) -> None:
        """Takes a moment to end."""
        self.began.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await outlast([asyncio.create_task(asyncio.sleep(0.2))], 1)
            self.cancelled.set()


def chunks(size: int, seed: int = 1) -> list[bytes]:
    """Random content in messages of odd sizes, from empty to beyond a window."""
    source = random.Random(seed)
    result = []
    while size:
        length = min(size, source.choice((0, 1, 5, 100, 16_379, 16_384, 40_000, 262_160, 2 * MIB)))
        start = source.randrange(MIB)
        result.append(BLOCK[start : start + length])
        size -= length
    return result


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
async def listener(calls: Calls, tmp_path: Path) -> AsyncIterator[Listener]:
    async with listening(calls.methods(), tmp_path) as listener:
        yield listener


@pytest.fixture
async def channel(listener: Listener) -> AsyncIterator[Any]:
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_metadata_size", 1 << 20)]
    async with grpc.aio.insecure_channel(listener.target, options=options) as channel:
        yield channel


async def unary(channel: Any, method: str, request: bytes = b"", **options: Any) -> bytes:
    response: bytes = await channel.unary_unary(method)(request, **options)
    return response


async def status_of(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or ""


async def test_a_unary_call_is_answered(channel: Any, calls: Calls) -> None:
    metadata = (("dir-name", "context"), ("followpaths", "a"), ("followpaths", "b"), ("x", "y"))
    assert await unary(channel, "/test.T/Echo", b"hello", metadata=metadata) == b"hello"
    own = [field for field in calls.metadata if field[0] in ("dir-name", "followpaths", "x", "te")]
    assert own == list(metadata)


async def test_the_health_service(channel: Any) -> None:
    check = "/grpc.health.v1.Health/Check"
    assert await unary(channel, check) == b"\x08\x01"
    request = health_pb2.HealthCheckRequest(service="nobody").SerializeToString()
    assert await status_of(unary(channel, check, request)) == (grpc.StatusCode.NOT_FOUND, "unknown service")
    assert (await status_of(unary(channel, check, b"\xff")))[0] == grpc.StatusCode.INTERNAL
    listed = health_pb2.HealthListResponse.FromString(await unary(channel, "/grpc.health.v1.Health/List"))
    assert {name: one.status for name, one in listed.statuses.items()} == {"": 1}
    for name, status in ((b"", b"\x08\x01"), (request, b"\x08\x03")):
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(name)
        assert await watch.read() == status
        watch.cancel()


async def test_streams_both_ways_interleave(channel: Any) -> None:
    call = channel.stream_stream("/test.T/Echo")()
    for i in range(100):
        message = bytes([i]) * i * 700
        await call.write(message)
        assert await call.read() == message
    await call.done_writing()
    assert await call.read() is EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_much_content_arrives_whole(channel: Any, calls: Calls) -> None:
    call = channel.stream_unary("/test.T/Upload")()
    digest = hashlib.sha256()
    for chunk in chunks(BULK):
        digest.update(chunk)
        await call.write(chunk)
    await call.done_writing()
    assert await call == digest.hexdigest().encode()
    assert calls.received == BULK


async def test_much_content_leaves_whole(channel: Any, calls: Calls) -> None:
    digest = hashlib.sha256()
    size = 0
    async for message in channel.unary_stream("/test.T/Download")(str(BULK).encode()):
        digest.update(message)
        size += len(message)
    assert size == BULK
    assert digest.hexdigest() == calls.digest


async def test_many_calls_at_once(channel: Any) -> None:
    async def one(i: int) -> bool:
        sent = chunks(200_000, seed=i)
        call = channel.stream_stream("/test.T/Echo")(iter(sent))
        return [message async for message in call] == sent

    assert all(await asyncio.gather(*(one(i) for i in range(240))))


async def test_more_calls_than_allowed_wait_their_turn(channel: Any, calls: Calls) -> None:
    held = [channel.stream_unary("/test.T/Held")(iter(())) for _ in range(300)]
    await asyncio.sleep(0.3)
    calls.release.set()
    assert len(set(await asyncio.gather(*held))) == 1


async def test_a_message_up_to_the_limit(channel: Any) -> None:
    largest = bytes(MAX_MESSAGE)
    assert await unary(channel, "/test.T/Echo", largest) == largest
    code, message = await status_of(unary(channel, "/test.T/Echo", largest + b"x"))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert message == f"grpc: received message larger than max ({MAX_MESSAGE + 1} vs. {MAX_MESSAGE})"


async def test_compressed_messages_are_refused(channel: Any) -> None:
    call = unary(channel, "/test.T/Echo", bytes(5000), compression=grpc.Compression.Gzip)
    assert (await status_of(call))[0] is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (b"service", grpc.StatusCode.NOT_FOUND, "no access allowed to dir “src” 100%\n"),
        (b"ours", grpc.StatusCode.UNKNOWN, "invalid secret size 3"),
        (b"foreign", grpc.StatusCode.UNKNOWN, "unexpected"),
        (b"silent", grpc.StatusCode.UNKNOWN, "RuntimeError"),
        (b"cancelled", grpc.StatusCode.CANCELLED, "the call was cancelled"),
        (b"timeout", grpc.StatusCode.UNKNOWN, "dial timeout"),
    ],
)
async def test_a_handlers_failure_becomes_a_status(
    channel: Any, request_: bytes, code: grpc.StatusCode, message: str
) -> None:
    assert await status_of(unary(channel, "/test.T/Fail", request_)) == (code, message)


async def test_an_unknown_method(channel: Any) -> None:
    code, message = await status_of(unary(channel, "/moby.upload.v1.Upload/Pull"))
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert message == "unknown method Pull for service moby.upload.v1.Upload"


async def test_no_message_is_a_good_answer_to_a_stream(channel: Any) -> None:
    call = channel.unary_stream("/test.T/Nothing")(b"")
    assert await call.read() is EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_cancelling_a_call_cancels_its_handler(channel: Any, calls: Calls) -> None:
    call = channel.unary_unary("/test.T/Wait")(b"")
    await asyncio.sleep(0.1)
    call.cancel()
    await asyncio.wait_for(calls.cancelled.wait(), 5)
    assert await unary(channel, "/test.T/Echo", b"alive") == b"alive"


async def test_the_deadline_of_the_caller(channel: Any, calls: Calls) -> None:
    code, _ = await status_of(unary(channel, "/test.T/Wait", timeout=0.2))
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.wait_for(calls.cancelled.wait(), 5)


async def test_a_slow_handler_holds_the_caller_back(channel: Any, calls: Calls) -> None:
    call = channel.stream_unary("/test.T/Held")()
    written = 0

    async def write() -> None:
        nonlocal written
        for _ in range(200):
            await call.write(bytes(100_000))
            written += 100_000
        await call.done_writing()

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.3)
    assert not calls.received
    assert written < 4 * MIB  # our window, and what grpcio holds
    assert await unary(channel, "/grpc.health.v1.Health/Check") == b"\x08\x01"
    calls.release.set()
    await writing
    await call
    assert calls.received == written == 20_000_000


@pytest.mark.parametrize(("path", "granted"), [("Upload", CONTENT_WINDOW - STREAM_WINDOW), ("Narrow", 0)])
async def test_what_the_daemon_may_send_ahead(
    listener: Listener, calls: Calls, path: str, granted: int
) -> None:
    request = [(":path", f"/test.T/{path}") if field[0] == ":path" else field for field in REQUEST]
    part = b"\0" + (100_000).to_bytes(4, "big") + b"a"
    answers = await exchange(listener, headers(1, request), frame(DATA, 0, 1, part))
    windows = [one for one in answers if one.stream_id and isinstance(one, hyperframe.WindowUpdateFrame)]
    assert sum(one.window_increment for one in windows) == granted


async def test_much_arrives_whole_through_a_narrow_window(channel: Any, calls: Calls) -> None:
    call = channel.stream_unary("/test.T/Narrow")()
    for _ in range(20):
        await call.write(bytes(50_000))  # larger than the window
    for _ in range(1_000):
        await call.write(bytes(100))
    await call.done_writing()
    await call
    assert calls.received == 1_100_000


@pytest.mark.parametrize("before", [[], [bytes(100)]])
async def test_calls_for_short_messages_take_no_long_ones(channel: Any, before: list[bytes]) -> None:
    call = channel.stream_unary("/test.T/Narrow")(iter([*before, bytes(65_537)]))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max (65537 vs. 65536)" in str(caught.value.details())


async def test_a_slow_caller_holds_the_handler_back(channel: Any, calls: Calls) -> None:
    call = channel.unary_stream("/test.T/Endless")(b"")
    assert await call.read() == bytes(100_000)
    sent = -1
    while sent != calls.sent:
        sent = calls.sent
        await asyncio.sleep(0.2)
    assert sent < 16 * MIB  # what grpcio takes ahead, and SEND_BUFFER
    started = asyncio.get_running_loop().time()
    assert await unary(channel, "/grpc.health.v1.Health/Check") == b"\x08\x01"
    assert asyncio.get_running_loop().time() - started < 0.5
    call.cancel()


async def test_72_kilobytes_of_metadata(channel: Any, calls: Calls) -> None:
    metadata = tuple(("followpaths", f"some/folder/of/the/context/file-{i}.txt") for i in range(1800))
    await unary(channel, "/test.T/Echo", metadata=metadata)
    assert [field for field in calls.metadata if field[0] == "followpaths"] == list(metadata)


async def test_handlers_end_with_the_connection(listener: Listener, calls: Calls) -> None:
    channel: Any = grpc.aio.insecure_channel(listener.target)
    call = channel.unary_unary("/test.T/Wait")(b"")
    await asyncio.sleep(0.1)
    await channel.close()
    await asyncio.wait_for(calls.cancelled.wait(), 5)
    assert call.cancelled()


async def converse(listener: Listener, *frames: bytes) -> list[Any]:
    """What a peer of raw frames is answered on its streams, but for windows, by the time its PING is."""
    answers = await exchange(listener, *frames)
    return [one for one in answers if one.stream_id and not isinstance(one, hyperframe.WindowUpdateFrame)]


async def exchange(listener: Listener, *frames: bytes) -> list[Any]:
    """All that a peer of raw frames is answered by the time its PING is."""
    reader, writer = await asyncio.open_unix_connection(str(listener.path))
    writer.write(GREETING + b"".join(frames))
    answer = b""
    while b"12345678" not in answer:
        await asyncio.sleep(0.05)  # calls have ended, or wait
        writer.write(frame(PING, 0, 0, b"12345678"))
        answer += await asyncio.wait_for(reader.read(1 << 16), 5)
    writer.close()
    await writer.wait_closed()
    return parse(answer)


def section(fields: Any) -> dict[bytes, bytes]:
    return dict(hpack.Decoder().decode(fields.data, raw=True))


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ((":method", "GET"), b"405"),
        (("content-type", "text/html"), b"415"),
        (("content-type", "application/grpc-web"), b"415"),
        (("content-type", ""), b"415"),
        (("content-type", "application/grpc+proto"), b"200"),
        (("content-type", "application/grpc;charset=utf-8"), b"200"),
    ],
)
async def test_requests_that_are_not_grpc(
    listener: Listener, changed: tuple[str, str], status: bytes
) -> None:
    request = [changed if field[0] == changed[0] else field for field in REQUEST]
    answers = await converse(listener, headers(1, request, flags=5))
    assert section(answers[0])[b":status"] == status


async def test_a_request_that_ends_within_a_message(listener: Listener) -> None:
    answers = await converse(listener, headers(1), frame(DATA, END_STREAM, 1, b"\0\0\0\0\5abc"))
    trailers = section(answers[-1])
    assert trailers[b"grpc-status"] == b"13"
    assert trailers[b"grpc-message"] == b"the request ends within a message"


async def test_a_timeout_that_is_none(listener: Listener) -> None:
    answers = await converse(listener, headers(1, [*REQUEST, ("grpc-timeout", "soon")], flags=5))
    assert section(answers[-1])[b"grpc-status"] == b"13"


async def test_a_broken_rule_of_the_stream_reaches_the_handler(listener: Listener, calls: Calls) -> None:
    request = [(":path", "/test.T/Stubborn") if field[0] == ":path" else field for field in REQUEST]
    reader, writer = await asyncio.open_unix_connection(str(listener.path))
    writer.write(GREETING + headers(1, request))
    await asyncio.wait_for(calls.began.wait(), 5)
    writer.write(window_update(1, 0))
    while len(calls.errors) < 2:
        await asyncio.wait_for(reader.read(1 << 16), 5)
    assert {str(error) for error in calls.errors} == {"session: the daemon sent WINDOW_UPDATE of nothing"}
    writer.close()
    await writer.wait_closed()


async def test_calls_that_are_reset_at_once_leave_nothing(listener: Listener) -> None:
    frames = [headers(i) + frame(RST_STREAM, 0, i, bytes(4)) for i in range(1, 1001, 2)]
    answers = await converse(listener, *frames, headers(1001, flags=5))
    assert {one.stream_id for one in answers} == {1001}
    (server,) = listener.servers
    assert not server._calls
    assert not server._tasks


async def test_calls_that_take_long_to_end_are_limited(
    listener: Listener, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("buildctl.session.server.MAX_TASKS", 10)
    request = [(":path", "/test.T/Stubborn") if field[0] == ":path" else field for field in REQUEST]
    ids = [2 * i + 1 for i in range(12)]
    answers = await converse(
        listener,
        *(headers(i, request) + frame(RST_STREAM, 0, i, bytes(4)) for i in ids[:8]),
        *(headers(i, request) for i in ids[8:]),
    )
    resets = [
        (one.stream_id, one.error_code) for one in answers if isinstance(one, hyperframe.RstStreamFrame)
    ]
    assert resets == [(21, ErrorCode.REFUSED_STREAM), (23, ErrorCode.REFUSED_STREAM)]


async def test_handlers_have_ended_when_it_is_cancelled_twice(listener: Listener, calls: Calls) -> None:
    request = [(":path", "/test.T/Tidy") if field[0] == ":path" else field for field in REQUEST]
    _, writer = await asyncio.open_unix_connection(str(listener.path))
    writer.write(GREETING + headers(1, request))
    await asyncio.wait_for(calls.began.wait(), 5)
    (serving,) = listener.tasks
    for _ in range(2):
        serving.cancel()
        await asyncio.sleep(0.05)
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert calls.cancelled.is_set()
    writer.close()
    await writer.wait_closed()


async def test_messages_that_have_come_in_part_have_a_common_limit(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("buildctl.session.server.MAX_CUT", 3_000)
    part = b"\0" + (1_001).to_bytes(4, "big") + bytes(1_000)
    echoes = [headers(i) + frame(DATA, 0, i, part) for i in (1, 3, 5)]
    answers = await converse(listener, *echoes, headers(7), frame(DATA, 0, 7, part))
    assert {one.stream_id for one in answers} == {7}
    assert section(answers[0])[b"grpc-status"] == b"8"
    (server,) = listener.servers
    assert server.cut == 3_000  # of those that wait
    answers = await converse(listener, *echoes, frame(DATA, END_STREAM, 1, b"a"))
    assert {one.stream_id for one in answers} == {1}
    assert listener.servers[1].cut == 2_000


async def test_a_peer_that_speaks_something_else(listener: Listener) -> None:
    reader, writer = await asyncio.open_unix_connection(str(listener.path))
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert b"did not begin with the HTTP/2 preface" in answer  # in GOAWAY
    assert [str(error) for error in listener.errors] == [
        "session: the daemon did not begin with the HTTP/2 preface (HTTP/2 PROTOCOL_ERROR)"
    ]
