"""`Control.Session` on a socket of its own, against a server made of the `h2` library."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest

from buildctl._pb.control_pb2 import ListWorkersResponse
from buildctl._pb.worker_pb2 import WorkerRecord
from buildctl.client.socketcall import MAX_UNREAD, READ_SIZE, SocketCall, connect, open_session
from buildctl.errors import Code, ConnectError, ProtocolError, RPCError, SessionLostError
from buildctl.http2.frames import ErrorCode
from buildctl.http2.grpc import frame_messages
from buildctl.http2.windows import INITIAL_WINDOW
from buildctl.session.tunnel import Session
from buildctl.transport.stream import ByteStream
from tests.support.call_peer import STREAM, CallPeer, framed
from tests.support.http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    PING,
    RESPONSE,
    SERVER_GREETING,
    TRAILERS,
    block,
    frame,
    headers,
    setting,
    window_update,
)

PATH = "/moby.buildkit.v1.Control/Session"
METADATA = [("x-docker-expose-session-uuid", "id"), ("x-key", "a"), ("x-key", "b")]
PINGS = frame(PING, 0, 0, bytes(8))
BROKEN = "Unavailable: error reading from server: EOF"
WINDOW_SETTING = 4
ANSWER = headers(STREAM, RESPONSE)
BEGUN = SERVER_GREETING + ANSWER
MORE = frame(DATA, 0, STREAM, framed(b"more"))


class Sockets:
    """Both ends of a connection."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX)
        self.ours.setblocking(False)
        self.theirs.setblocking(False)
        self.early = b""

    async def dial(self) -> ByteStream:
        return ByteStream(self.ours, self.early)

    @contextlib.asynccontextmanager
    async def call(self, metadata: Sequence[tuple[str, str]] = METADATA) -> AsyncIterator[SocketCall]:
        call = await connect(self.dial)
        call.start(PATH, metadata)
        try:
            yield call
        finally:
            call.cancel()


@pytest.fixture
async def sockets() -> AsyncIterator[Sockets]:
    sockets = Sockets()
    yield sockets
    sockets.theirs.close()
    await asyncio.sleep(0)
    assert sockets.ours.fileno() == -1  # whatever happened, nothing is left open


@pytest.fixture
def peer(sockets: Sockets) -> CallPeer:
    return CallPeer(sockets.theirs)


@pytest.fixture
async def call(sockets: Sockets) -> AsyncIterator[SocketCall]:
    async with sockets.call() as call:
        yield call


async def read_all(call: SocketCall) -> bytes:
    data = b""
    while (piece := await call.read()) is not None:
        data += piece
    return data


async def failure(call: SocketCall) -> RPCError:
    with pytest.raises(RPCError) as caught:
        await read_all(call)
    return caught.value


# Calls that go well


async def test_the_request(call: SocketCall, peer: CallPeer) -> None:
    await peer.greet()
    request = await peer.until("RequestReceived")
    assert [(name.decode(), value.decode()) for name, value in request.headers] == [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", PATH),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        *METADATA,
    ]


async def test_bytes_pass_both_ways_until_both_end(call: SocketCall, peer: CallPeer) -> None:
    await peer.begin()
    await call.write([b"hello ", b"", b"world"])
    expected = framed(b"hello world")
    assert await peer.content(len(expected)) == expected
    await peer.send(b"good ", b"", b"bye")
    assert await call.read() == b"good bye"
    await call.done_writing()
    await peer.until("StreamEnded")
    await peer.end()
    assert await call.read() is None
    assert await call.read() is None


async def test_megabytes_pass_both_ways_at_once(call: SocketCall, peer: CallPeer) -> None:
    await peer.begin()
    pieces = [bytes([number]) * 200_000 for number in range(40)]

    async def write() -> None:
        for piece in pieces:
            await call.write([piece[:1000], piece[1000:]])
        await call.done_writing()

    async def serve() -> bytes:
        """Send each piece, and take as much, so that neither end waits for the other."""
        content = b""
        for piece in pieces:
            await peer.send(piece)
            content += await peer.content(1)
        content += await peer.content(sum(map(len, map(framed, pieces))) - len(content))
        await peer.end()
        return content

    _, content, data = await asyncio.gather(write(), serve(), read_all(call))
    assert content == b"".join(map(framed, pieces))
    assert data == b"".join(pieces)


async def test_what_came_before_the_end_is_read(call: SocketCall, peer: CallPeer) -> None:
    await peer.begin()
    await peer.send(b"the last words")
    await peer.end()
    await asyncio.sleep(0.01)
    assert await call.read() == b"the last words"
    assert await call.read() is None


async def test_an_answer_of_trailers_alone(call: SocketCall, peer: CallPeer) -> None:
    await peer.greet()
    await peer.until("RequestReceived")
    await peer.end([*RESPONSE, *TRAILERS])
    assert await call.read() is None


async def test_early_bytes_are_taken(sockets: Sockets, peer: CallPeer) -> None:
    """With which a daemon greets that an Engine's answer has led to."""
    sockets.early = SERVER_GREETING[:-3]
    async with sockets.call() as call:
        answer = ANSWER + frame(DATA, 0, STREAM, framed(b"late"))
        await peer.write(SERVER_GREETING[-3:] + answer)
        await peer.write(headers(STREAM, TRAILERS, flags=END_HEADERS | END_STREAM))
        assert await read_all(call) == b"late"


# Calls that fail


@pytest.mark.parametrize(
    ("trailers", "code", "message"),
    [
        ([("grpc-status", "5"), ("grpc-message", "no session: %C3%A9%25")], Code.NOT_FOUND, "no session: é%"),
        ([("grpc-status", "14"), ("grpc-message", "shutting down")], Code.UNAVAILABLE, "shutting down"),
        ([("grpc-status", "2")], Code.UNKNOWN, ""),
        ([("grpc-status", "99")], Code.UNKNOWN, 'malformed grpc-status: "99"'),
        ([("x", "y")], Code.UNKNOWN, 'malformed grpc-status: ""'),
    ],
)  # fmt: skip
@pytest.mark.parametrize("begun", [True, False])
async def test_a_status(
    call: SocketCall,
    peer: CallPeer,
    trailers: list[tuple[str, str]],
    code: Code,
    message: str,
    begun: bool,
) -> None:
    await peer.greet()
    await peer.until("RequestReceived")
    if begun:
        peer.h2.send_headers(STREAM, RESPONSE)
        await peer.send(b"data")
        await peer.end(trailers)
        assert await call.read() == b"data"
    else:
        await peer.end([*RESPONSE, *trailers])
    for _ in range(2):
        error = await failure(call)
        assert (error.code, error.message) == (code, message)
    for action in (call.write([b"x"]), call.done_writing()):
        with pytest.raises(RPCError) as caught:
            await action
        assert caught.value.code is code


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        (headers(1, [(":status", "404")]) + frame(DATA, 1, 1, b"<h1>404 Not Found</h1>"),
         Code.UNIMPLEMENTED, "unexpected HTTP status code received from server: 404"),
        (headers(1, [(":status", "503")], flags=END_HEADERS | END_STREAM),
         Code.UNAVAILABLE, "unexpected HTTP status code received from server: 503"),
        (headers(1, [(":status", "200"), ("content-type", "text/html")]) + frame(DATA, 1, 1, b"<h1>Hello"),
         Code.UNKNOWN, 'unexpected content-type "text/html"'),
        (headers(1, RESPONSE) + frame(DATA, END_STREAM, 1),
         Code.INTERNAL, "server closed the stream without sending trailers"),
        (frame(3, 0, 1, bytes(3) + b"\7"),
         Code.UNAVAILABLE, "stream terminated by RST_STREAM with error code: REFUSED_STREAM"),
        (headers(1, RESPONSE) + frame(3, 0, 1, bytes(3) + b"\x08"),
         Code.CANCELED, "stream terminated by RST_STREAM with error code: CANCEL"),
        (headers(1, RESPONSE[1:]), Code.INTERNAL, "the daemon sent a malformed response: no :status"),
        (headers(1, RESPONSE) + headers(1, TRAILERS),
         Code.INTERNAL, "the daemon sent trailers that do not end the stream"),
        (frame(DATA, 0, 1, b"x"), Code.INTERNAL, "the daemon sent DATA before a response"),
        (window_update(1, (1 << 31) - 1), Code.INTERNAL, "the daemon granted a window beyond 2^31-1 bytes"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("piece", [1 << 20, 7])
async def test_an_answer_that_is_none(
    call: SocketCall, peer: CallPeer, answer: bytes, code: Code, says: str, piece: int
) -> None:
    answer = SERVER_GREETING + answer
    for start in range(0, len(answer), piece):
        call.receive(answer[start : start + piece])
    error = await failure(call)
    assert (error.code, error.message) == (code, says)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "connection: the daemon sent a frame of 4740180 bytes where"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "connection: the daemon sent a frame of 5460808 bytes where"),
        (b"\x16\x03\x01\x02\0\1\0\1\xfc", "connection: the daemon sent a frame of 1442561 bytes where"),
        (PINGS, "connection: the daemon did not begin with SETTINGS"),
        (SERVER_GREETING + frame(5, 4, 1, bytes(4)), "connection: the daemon sent PUSH_PROMISE"),
        (BEGUN + frame(DATA, 0, 1, b"\1\0\0\0\1x"), "session: the daemon sent a compressed message"),
        (BEGUN + frame(DATA, 0, 1, b"\0\0\0\0\1x"), "session: the daemon sent a message that is no Bytes"),
    ],
)  # fmt: skip
async def test_a_daemon_that_speaks_something_else(
    call: SocketCall, peer: CallPeer, data: bytes, says: str
) -> None:
    await peer.write(data)
    for _ in range(2):
        with pytest.raises(ProtocolError) as caught:
            await call.read()
        assert str(caught.value).startswith(says)
    with pytest.raises(ProtocolError):
        await call.write([b"x"])


async def test_the_daemon_is_told_what_it_did_wrong(call: SocketCall, peer: CallPeer) -> None:
    await peer.begin()
    await peer.write(frame(5, 4, 1, bytes(4)))
    event = await peer.until("ConnectionTerminated")
    assert (event.error_code, event.additional_data) == (
        ErrorCode.PROTOCOL_ERROR,
        b"sent PUSH_PROMISE, which is not allowed",
    )


@pytest.mark.parametrize(
    ("broken", "more"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", BEGUN + MORE),
        (BEGUN + frame(DATA, 0, 1, b"\1\0\0\0\1x"), MORE),
        (BEGUN + frame(5, 4, 1, bytes(4)), MORE),
        (SERVER_GREETING + headers(1, [(":status", "404")]), MORE),
        (SERVER_GREETING + headers(1, [(":status", "404")]) + MORE, MORE),
    ],
    ids=["garbage", "a compressed message", "a pushed stream", "another answer", "another answer at once"],
)
async def test_nothing_is_taken_after_a_failure(call: SocketCall, broken: bytes, more: bytes) -> None:
    call.receive(broken)
    call.receive(more)
    with pytest.raises((ProtocolError, RPCError)):
        await call.read()


async def test_the_daemon_closes_the_connection(call: SocketCall, peer: CallPeer) -> None:
    await peer.begin()
    await peer.send(b"data")
    waiting = asyncio.create_task(read_all(call))
    await peer.until("SettingsAcknowledged")
    peer.sock.close()
    with pytest.raises(RPCError) as caught:
        await waiting
    assert str(caught.value) == BROKEN
    assert caught.value.code is Code.UNAVAILABLE
    with pytest.raises(RPCError, match=BROKEN):
        await call.write([b"x"])


async def test_the_daemon_half_closes_the_connection(call: SocketCall, peer: CallPeer) -> None:
    await peer.begin()
    peer.sock.shutdown(socket.SHUT_WR)
    assert str(await failure(call)) == BROKEN


async def test_the_daemon_resets_the_connection(call: SocketCall, peer: CallPeer) -> None:
    """As a unix socket does when it is closed with bytes in it that nobody read."""
    await peer.begin()
    await call.write([b"never read"])
    await asyncio.sleep(0)
    peer.sock.close()
    error = await failure(call)
    assert error.code is Code.UNAVAILABLE
    assert error.message.startswith("error reading from server: ")


async def test_a_writer_that_waits_hears_of_the_end(call: SocketCall, peer: CallPeer) -> None:
    await peer.begin()
    writing = asyncio.create_task(call.write([bytes(1 << 20)]))
    await asyncio.sleep(0.01)
    assert not writing.done()
    peer.sock.close()
    with pytest.raises(RPCError, match="error reading from server"):
        await writing


async def test_a_writer_that_waits_hears_of_a_status(call: SocketCall, peer: CallPeer) -> None:
    await peer.begin()
    writing = asyncio.create_task(call.write([bytes(1 << 20)]))
    await asyncio.sleep(0.01)
    await peer.end([("grpc-status", "8"), ("grpc-message", "enough")])
    with pytest.raises(RPCError, match="enough"):
        await writing


async def test_a_daemon_that_ends_well_while_something_is_written(sockets: Sockets, peer: CallPeer) -> None:
    """Whether or not something was being written, it is the daemon's end of the session."""
    running = asyncio.create_task(Session([], "id").run(sockets.call()))
    await peer.begin({WINDOW_SETTING: 0})
    await asyncio.sleep(0.05)  # the session's own greeting finds no window
    await peer.end()
    with pytest.raises(SessionLostError, match="session lost: the daemon ended it;") as caught:
        await running
    assert caught.value.code is Code.ABORTED


# Backpressure


async def test_writing_waits_for_window(call: SocketCall, peer: CallPeer) -> None:
    await peer.begin()
    data = bytes(range(256)) * 1024
    writing = asyncio.create_task(call.write([data]))
    got = b""
    while len(got) < INITIAL_WINDOW:
        got += (await peer.until("DataReceived")).data
    await asyncio.sleep(0.01)
    assert not writing.done()
    assert "DataReceived" not in {type(event).__name__ for event in peer.events}
    peer.h2.increment_flow_control_window(1 << 20)
    peer.h2.increment_flow_control_window(1 << 20, STREAM)
    await peer.flush()
    await writing
    whole = framed(data)
    assert got + await peer.content(len(whole) - len(got)) == whole


async def test_writing_waits_for_a_peer_that_does_not_read(call: SocketCall, peer: CallPeer) -> None:
    """All the window in the world, and a socket that is full: what waits is what was handed in, uncopied."""
    await peer.greet()
    largest = (1 << 31) - 1
    await peer.write(setting(WINDOW_SETTING, largest) + window_update(0, largest - INITIAL_WINDOW))
    await asyncio.sleep(0.01)
    data = bytes(64 << 20)
    tracemalloc.start()
    writing = asyncio.create_task(call.write([data]))
    await asyncio.sleep(0.2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not writing.done()
    assert peak < 4 * READ_SIZE
    loop = asyncio.get_running_loop()
    total = 0
    while not writing.done():
        total += len(await loop.sock_recv(peer.sock, 1 << 20))
    assert total > (64 << 20) - (1 << 20)


async def test_reading_leaves_the_socket_alone(call: SocketCall, peer: CallPeer) -> None:
    """What nobody reads is not taken beyond `MAX_UNREAD`, though its window is given back at once."""
    piece = bytes(range(251)) * 60
    content = frame(DATA, 0, STREAM, framed(piece))
    await peer.write(BEGUN)
    count = 0

    async def flood() -> None:
        nonlocal count
        while True:
            await peer.write(content)
            count += 1

    tracemalloc.start()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(flood(), 0.5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert MAX_UNREAD <= count * len(content) < MAX_UNREAD + (1 << 20)  # and what the socket holds
    assert peak < 2 * MAX_UNREAD
    data = b""
    while len(data) < count * len(piece):
        got = await call.read()
        assert got is not None
        data += got
    assert data[: count * len(piece)] == piece * count


async def test_reading_goes_on_when_there_is_room_again(call: SocketCall, peer: CallPeer) -> None:
    await peer.begin()
    pieces = [bytes([number]) * 300_000 for number in range(30)]

    async def serve() -> None:
        await peer.send(*pieces)
        await peer.end()

    serving = asyncio.create_task(serve())
    await asyncio.sleep(0.1)
    assert not serving.done()
    data = b""
    while (piece := await call.read()) is not None:
        data += piece
        await asyncio.sleep(0)
    await serving
    assert data == b"".join(pieces)


async def test_the_end_is_heard_of_though_reading_had_stopped(call: SocketCall, peer: CallPeer) -> None:
    content = b"".join(frame(DATA, 0, STREAM, framed(bytes(16_000))) for _ in range(70))
    await peer.write(BEGUN + content)
    await peer.receive()
    peer.sock.shutdown(socket.SHUT_WR)
    await asyncio.sleep(0.01)
    left = 70 * 16_000
    while left:
        left -= len(await call.read() or b"")
    with pytest.raises(RPCError, match=BROKEN):
        await call.read()


# Pings


async def test_pings_are_answered_while_nothing_is_written(call: SocketCall, peer: CallPeer) -> None:
    await peer.begin()
    for number in range(3):
        peer.h2.ping(bytes([number]) * 8)
        await peer.flush()
        event = await peer.until("PingAckReceived")
        assert event.ping_data == bytes([number]) * 8


async def test_pings_are_answered_while_a_writer_waits(call: SocketCall, peer: CallPeer) -> None:
    await peer.begin()
    writing = asyncio.create_task(call.write([bytes(1 << 20)]))
    await asyncio.sleep(0.01)
    peer.h2.ping(b"12345678")
    await peer.flush()
    await peer.until("PingAckReceived")
    assert not writing.done()
    writing.cancel()
    await asyncio.wait((writing,))


@pytest.mark.parametrize(
    ("flood", "says"),
    [
        (PINGS, "sends frame after frame without content"),
        (PINGS + frame(DATA, 0, STREAM, framed(b"x")), "asks for more answers than it takes"),
    ],
    ids=["pings alone", "pings between content"],
)
async def test_a_peer_that_pings_and_takes_no_answers(
    call: SocketCall, peer: CallPeer, flood: bytes, says: str
) -> None:
    """It is ended, and not buffered for without limit."""
    await peer.write(BEGUN)
    tracemalloc.start()

    async def pings() -> None:
        while True:
            await peer.write(flood * 100)

    pinging = asyncio.create_task(pings())
    with pytest.raises(ProtocolError, match=f"connection: the daemon {says}"):
        await read_all(call)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20
    pinging.cancel()
    await asyncio.wait((pinging,))


async def test_an_answer_to_a_flood_is_given_room(call: SocketCall, peer: CallPeer) -> None:
    """A peer that pings a lot, and reads and sends content, goes on."""
    await peer.begin()
    for _ in range(120):
        await peer.write(PINGS * 100 + frame(DATA, 0, STREAM, framed(b"x")))
        assert await call.read() == b"x"
        await peer.receive()


# Ends from this side


async def test_the_end_of_the_block_ends_the_call(sockets: Sockets, peer: CallPeer) -> None:
    async with sockets.call():
        await peer.begin()
    reset = await peer.until("StreamReset")
    assert reset.error_code == ErrorCode.CANCEL
    assert not await peer.receive()


async def test_a_call_that_has_ended_is_not_reset(sockets: Sockets, peer: CallPeer) -> None:
    async with sockets.call() as call:
        await peer.begin()
        await call.done_writing()
        await peer.until("StreamEnded")
        await peer.end()
        assert await call.read() is None
    await peer.until_closed()
    assert "StreamReset" not in {type(event).__name__ for event in peer.events}


async def test_cancelling_more_than_once_is_one_end(sockets: Sockets, peer: CallPeer) -> None:
    async with sockets.call() as call:
        await peer.begin()
        call.cancel()
        call.cancel()
        with pytest.raises(RPCError, match="error reading from server"):
            await call.read()
    await peer.until("StreamReset")
    assert not await peer.receive()


async def test_a_failure_in_the_block_closes_the_connection(sockets: Sockets, peer: CallPeer) -> None:
    with pytest.raises(ValueError, match="on purpose"):
        async with sockets.call():
            raise ValueError("on purpose")
    await peer.until_closed()


async def reads(call: SocketCall) -> None:
    await call.read()


async def writes(call: SocketCall) -> None:
    await call.write([bytes(1 << 20)])


@pytest.mark.parametrize("action", [reads, writes])
@pytest.mark.parametrize("turns", range(8))
async def test_a_task_that_is_cancelled_at_any_time_leaves_nothing(
    sockets: Sockets, peer: CallPeer, action: Callable[[SocketCall], Awaitable[None]], turns: int
) -> None:
    async def run() -> None:
        async with sockets.call() as call:
            await action(call)

    task = asyncio.create_task(run())
    for _ in range(turns + 1):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    peer.h2.initiate_connection()
    await peer.until_closed()


async def test_a_reader_and_a_writer_that_are_cancelled_may_go_on(call: SocketCall, peer: CallPeer) -> None:
    await peer.begin({WINDOW_SETTING: 10})
    await peer.until("SettingsAcknowledged")
    for action in (call.read(), call.write([b"0123456789"])):
        task = asyncio.ensure_future(action)
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait((task,))
    peer.h2.increment_flow_control_window(1000, STREAM)
    await peer.flush()
    await call.write([b"more"])
    whole = framed(b"0123456789") + framed(b"more")
    assert await peer.content(len(whole)) == whole
    await peer.send(b"data")
    assert await call.read() == b"data"


async def test_a_large_request_passes(sockets: Sockets, peer: CallPeer) -> None:
    """More methods than a frame has room for."""
    methods = [("x-docker-expose-session-grpc-method", f"/service.number{n}/Method") for n in range(500)]
    async with sockets.call(methods):
        await peer.greet()
        request = await peer.until("RequestReceived")
        assert len(block(methods)) > 1 << 14
        assert len(request.headers) == 6 + 500


async def test_a_daemon_that_takes_no_call(call: SocketCall, sockets: Sockets) -> None:
    sockets.theirs.send(SERVER_GREETING + frame(GOAWAY, 0, 0, bytes(8)))
    error = await failure(call)
    assert (error.code, error.message) == (Code.UNAVAILABLE, "the daemon is shutting down: it took no call")


# Which daemon it is

WORKERS = ListWorkersResponse(record=[WorkerRecord(ID="one"), WorkerRecord(ID="two")]).SerializeToString()
LIST = "/moby.buildkit.v1.Control/ListWorkers"


async def answer(peer: CallPeer, message: bytes, status: str = "0") -> None:
    """Greet, and answer the first call with a message."""
    await peer.greet()
    request = await peer.until("RequestReceived")
    assert (b":path", LIST.encode()) in request.headers
    await peer.until("StreamEnded")
    peer.h2.send_headers(1, RESPONSE)
    peer.h2.send_data(1, b"".join(frame_messages([message])))
    peer.h2.send_headers(1, [("grpc-status", status), ("grpc-message", "why")], end_stream=True)
    await peer.flush()


@pytest.mark.parametrize("workers", [["two", "one"], None])
async def test_a_session_is_opened_where_the_known_daemon_answers(
    sockets: Sockets, peer: CallPeer, workers: list[str] | None
) -> None:
    opening = asyncio.create_task(open_session(sockets.dial, METADATA, workers))
    await answer(peer, WORKERS)
    call = await opening
    request = await peer.until("RequestReceived")
    assert request.stream_id == 3
    assert (b":path", PATH.encode()) in request.headers
    assert [(name.decode(), text.decode()) for name, text in request.headers][-3:] == METADATA
    peer.h2.send_headers(3, RESPONSE)
    peer.h2.send_data(3, framed(b"hello"))
    peer.h2.send_headers(3, TRAILERS, end_stream=True)
    await peer.flush()
    assert await read_all(call) == b"hello"
    call.cancel()


async def refused(opening: asyncio.Task[SocketCall], peer: CallPeer) -> str:
    """Why there is no session, of which the daemon has not heard."""
    with pytest.raises(ConnectError) as caught:
        await opening
    if peer.sock.fileno() >= 0:
        await peer.until_closed()
    requests = [event for event in peer.events if type(event).__name__ == "RequestReceived"]
    assert not any((b":path", PATH.encode()) in event.headers for event in requests)
    return str(caught.value)


@pytest.mark.parametrize(
    ("message", "status", "says"),
    [
        (ListWorkersResponse(record=[WorkerRecord(ID="three")]).SerializeToString(), "0", "another daemon"),
        (b"", "0", "another daemon"),
        (WORKERS, "12", "Unimplemented: why"),
        (b"\xff", "0", "the message is cut off"),
        (bytes(1 << 21), "0", "received message larger than max"),
    ],
    ids=["another", "nobody", "a refusal", "garbage", "a long answer"],
)
async def test_no_session_where_another_daemon_answers(
    sockets: Sockets, peer: CallPeer, message: bytes, status: str, says: str
) -> None:
    opening = asyncio.create_task(open_session(sockets.dial, METADATA, ["one", "two"]))
    if len(message) > 1 << 20:
        await peer.greet()
        await peer.until("StreamEnded")
        head = bytes(1) + len(message).to_bytes(4, "big")
        await peer.write(headers(1, RESPONSE) + frame(DATA, 0, 1, head))
    else:
        await answer(peer, message, status)
    assert says in await refused(opening, peer)


async def test_no_session_where_nobody_answers(
    sockets: Sockets, peer: CallPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("buildctl.client.socketcall.OPENING_SECONDS", 0.05)
    opening = asyncio.create_task(open_session(sockets.dial, METADATA, None))
    await asyncio.sleep(0.1)
    assert await refused(opening, peer) == "i/o timeout"


async def test_no_session_where_the_daemon_leaves(sockets: Sockets, peer: CallPeer) -> None:
    sockets.theirs.close()
    opening = asyncio.create_task(open_session(sockets.dial, METADATA, None))
    assert "error reading from server: EOF" in await refused(opening, peer)


@pytest.mark.parametrize(
    "data", [b"SSH-2.0-OpenSSH_9.2p1\r\n", SERVER_GREETING + frame(GOAWAY, 0, 0, bytes(8))]
)
async def test_no_session_where_something_else_answers(sockets: Sockets, peer: CallPeer, data: bytes) -> None:
    opening = asyncio.create_task(open_session(sockets.dial, METADATA, None))
    await peer.write(data)
    with pytest.raises(ConnectError):
        await opening


async def test_a_daemon_that_goes_away_between_the_calls(sockets: Sockets, peer: CallPeer) -> None:
    call = await connect(sockets.dial)
    asking = asyncio.create_task(call.ask(LIST, b""))
    await answer(peer, WORKERS)
    assert await asking == WORKERS
    await peer.write(frame(GOAWAY, 0, 0, (1).to_bytes(4, "big") + bytes(4)))
    await asyncio.sleep(0.01)
    call.start(PATH, METADATA)
    assert (await failure(call)).message == "the daemon is shutting down: it took no call"
    call.cancel()


async def test_a_connection_that_ends_between_the_calls(sockets: Sockets, peer: CallPeer) -> None:
    call = await connect(sockets.dial)
    asking = asyncio.create_task(call.ask(LIST, b""))
    await answer(peer, WORKERS)
    await asking
    peer.sock.close()
    await asyncio.sleep(0.01)
    call.start(PATH, METADATA)
    assert str(await failure(call)) == BROKEN
    call.cancel()


@pytest.mark.parametrize("error", [ConnectError("no daemon there"), OSError(24, "Too many open files")])
async def test_no_connection(error: Exception) -> None:
    async def dial() -> ByteStream:
        raise error

    with pytest.raises(ConnectError, match="no daemon there|Too many open files"):
        await open_session(dial, METADATA, None)
