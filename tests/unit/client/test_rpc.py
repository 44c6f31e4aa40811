"""Failures of real calls to real servers, and what the door makes of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.message import DecodeError

from buildctl._pb import control_pb2, status_pb2
from buildctl.client.calls import DISK_USAGE, STATUS
from buildctl.client.convert.reading import read_message
from buildctl.client.details import passed_on, solve_error
from buildctl.client.rpc import Caller
from buildctl.errors import Code, ConnectError, ErrorDetail, ProtocolError, RPCError
from tests.support.replay_server import serve

URL = "github.com/moby/buildkit/"


class Failing(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in its stubs alone
    """Ends every call with one status, after the given answers."""

    def __init__(self, code: grpc.StatusCode, message: str, status: bytes = b"", *answers: bytes) -> None:
        self.code, self.message, self.status, self.answers = code, message, status, answers

    def service(self, details: Any) -> Any:
        def answer(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
            yield from self.answers
            if self.status:
                context.set_trailing_metadata([("grpc-status-details-bin", self.status)])
            context.set_code(self.code)
            context.set_details(self.message)

        return grpc.stream_stream_rpc_method_handler(answer, None, None)


@contextlib.asynccontextmanager
async def calling(socket: Path, handler: Any = None, diagnose: Any = None) -> AsyncIterator[Caller]:
    with contextlib.ExitStack() as stack:
        if handler:
            stack.enter_context(serve(handler, socket))
        async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
            yield Caller(channel, diagnose)


async def usage(caller: Caller, prefix: str = "") -> control_pb2.DiskUsageResponse:
    return await caller.unary(DISK_USAGE, control_pb2.DiskUsageRequest(), prefix=prefix)


async def failure(socket: Path, handler: Any, prefix: str = "") -> RPCError:
    async with calling(socket, handler) as caller:
        with pytest.raises(RPCError) as caught:
            await usage(caller, prefix)
    return caught.value


def status(*details: tuple[str, Any]) -> bytes:
    message = status_pb2.Status(code=2, message="m")
    for name, value in details:
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        message.details.add(type_url=f"{URL}{name}+json", value=raw)
    return message.SerializeToString()


async def test_a_unary_failure_names_its_code(tmp_path: Path) -> None:
    error = await failure(tmp_path / "s", Failing(grpc.StatusCode.NOT_FOUND, "no such"), "failed to x: ")
    assert (str(error), error.code, error.message) == (
        "failed to x: NotFound: no such",
        Code.NOT_FOUND,
        "no such",
    )


async def test_an_unknown_code_is_not_named(tmp_path: Path) -> None:
    error = await failure(tmp_path / "s", Failing(grpc.StatusCode.UNKNOWN, "just this"))
    assert str(error) == "just this"


async def test_a_streamed_failure_is_raw_and_comes_after_the_answers(tmp_path: Path) -> None:
    answer = control_pb2.StatusEnvelope(vertexes=[control_pb2.Vertex(digest="d")])
    handler = Failing(grpc.StatusCode.NOT_FOUND, "no such job", b"", answer.SerializeToString())
    async with calling(tmp_path / "s", handler) as caller:
        stream = caller.stream(STATUS, control_pb2.StatusRequest(Ref="r"), prefix="failed: ")
        assert await anext(stream) == answer
        with pytest.raises(RPCError) as caught:
            await anext(stream)
    assert str(caught.value) == "failed: rpc error: code = NotFound desc = no such job"


async def test_a_status_that_says_cancelled_is_a_failure_not_a_cancellation(tmp_path: Path) -> None:
    error = await failure(tmp_path / "s", Failing(grpc.StatusCode.CANCELLED, "context canceled"))
    assert str(error) == "Canceled: context canceled"


async def test_unavailable_said_by_the_daemon_is_its_own_word(tmp_path: Path) -> None:
    async def diagnose(connected: bool) -> ConnectError | None:
        raise AssertionError("there is nothing to look into")

    async with calling(tmp_path / "s", Failing(grpc.StatusCode.UNAVAILABLE, "busy"), diagnose) as caller:
        for _ in range(2):  # over a new connection and an old one
            with pytest.raises(RPCError) as caught:
                await usage(caller)
            assert str(caught.value) == "Unavailable: busy"


async def test_details_put_their_words_in_front_the_last_outermost(tmp_path: Path) -> None:
    details = status(
        ("errdefs.FrontendCap", {"name": "cap"}),
        ("errdefs.Vertex", {"digest": "d"}),
        ("errdefs.Subrequest", {"name": "req"}),
        ("errdefs.CompatibilityFeature", {"version": 2, "feature": "f"}),
    )
    error = await failure(tmp_path / "s", Failing(grpc.StatusCode.UNIMPLEMENTED, "m", details), "failed: ")
    assert str(error) == (
        "failed: unsupported compatibility-version 2 feature f: unsupported request req: "
        "unsupported frontend capability cap: Unimplemented: m"
    )
    assert [detail.type_name for detail in error.details][1] == "errdefs.Vertex"


async def test_a_failed_build_has_places_and_denials(tmp_path: Path) -> None:
    details = status(
        (
            "errdefs.Source",
            {
                "info": {"filename": "Dockerfile", "data": "RlJPTSBhCg=="},
                "ranges": [{"start": {"line": 1}, "end": {"line": 2}}, {"start": {"line": 3}, "end": {}}],
            },
        ),
        ("errdefs.Source", {"info": {"filename": "other"}}),
        ("policysession.DecisionResponse", {"denyMessages": [{"message": "no"}, {}, {"message": "never"}]}),
    )
    error = solve_error(await failure(tmp_path / "s", Failing(grpc.StatusCode.UNKNOWN, "m", details)))
    first, second = error.excerpts
    assert (first.filename, first.data, first.ranges) == ("Dockerfile", b"FROM a\n", ((1, 2), (3, 0)))
    assert (second.filename, second.data, second.ranges) == ("other", b"", ())
    assert error.denials == ("no", "never")
    assert len(error.details) == 3


@pytest.mark.parametrize(
    "details",
    [
        b"\xff",
        status(("errdefs.Source", {"info": []}), ("errdefs.Source", {"info": {"data": "?"}})),
        status(("errdefs.Source", b"not JSON"), ("policysession.DecisionResponse", {"denyMessages": "x"})),
        status(
            ("errdefs.Subrequest", {"name": 3}), ("policysession.DecisionResponse", {"denyMessages": [1]})
        ),
        status(("errdefs.Source", {"info": {}, "ranges": [1, {"start": 2}]})),
    ],
)
async def test_details_of_any_shape_do_no_harm(tmp_path: Path, details: bytes) -> None:
    error = solve_error(await failure(tmp_path / "s", Failing(grpc.StatusCode.UNKNOWN, "m", details)))
    assert str(error).endswith("m")
    assert all(excerpt.ranges in ((), ((0, 0),)) for excerpt in error.excerpts)


def test_details_are_passed_on_in_the_order_of_the_reference() -> None:
    names = ["errdefs.Source", "x.Unknown", "stack.Stack", "errdefs.Vertex"]
    order = [detail.type_name for detail in passed_on([ErrorDetail(name, {}) for name in names])]
    assert order == ["x.Unknown", "stack.Stack", "errdefs.Vertex", "errdefs.Source"]


async def test_an_answer_that_cannot_be_read_is_the_daemons_fault(tmp_path: Path) -> None:
    handler = Failing(grpc.StatusCode.OK, "", b"", b"\xff\xff")
    async with calling(tmp_path / "s", handler) as caller:
        with pytest.raises(ProtocolError, match="Control/DiskUsage cannot be read"):
            await usage(caller)
        with pytest.raises(ProtocolError, match="Control/Status cannot be read"):
            await anext(caller.stream(STATUS, control_pb2.StatusRequest()))


async def test_no_daemon_is_diagnosed(tmp_path: Path) -> None:
    async def diagnose(connected: bool) -> ConnectError | None:
        assert not connected
        return ConnectError("what is wrong", hint="what to do")

    async with calling(tmp_path / "nothing", diagnose=diagnose) as caller:
        with pytest.raises(RPCError) as caught:
            await usage(caller, "failed to call diskusage: ")
    assert str(caught.value) == "failed to call diskusage: Unavailable: what is wrong"
    assert caught.value.hint == "what to do"


async def test_no_daemon_on_a_channel_of_the_users_own(tmp_path: Path) -> None:
    async with calling(tmp_path / "nothing") as caller:
        with pytest.raises(RPCError) as caught:
            await usage(caller)
    assert caught.value.code is Code.UNAVAILABLE


SERVER = """
import sys, time, grpc
from concurrent.futures import ThreadPoolExecutor

class Hanging(grpc.GenericRpcHandler):
    def service(self, details):
        def answer(requests, context):
            yield b""
            time.sleep(60)
        return grpc.stream_stream_rpc_method_handler(answer, None, None)

server = grpc.server(ThreadPoolExecutor(4), handlers=[Hanging()])
server.add_insecure_port("unix:" + sys.argv[1])
server.start()
print("ready", flush=True)
time.sleep(60)
"""


async def test_a_daemon_killed_in_mid_call(tmp_path: Path) -> None:
    async def diagnose(connected: bool) -> ConnectError | None:
        assert connected, "the connection was there when the call began"
        return None

    socket = tmp_path / "s"
    daemon = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(socket), stdout=asyncio.subprocess.PIPE
    )
    assert daemon.stdout
    try:
        await daemon.stdout.readline()
        async with calling(socket, diagnose=diagnose) as caller:
            request = control_pb2.StatusRequest()
            first, second = (caller.stream(STATUS, request, prefix="failed: ") for _ in range(2))
            await anext(first)
            await anext(second)  # which began on the open connection
            daemon.kill()
            with pytest.raises(RPCError) as caught:
                await anext(second)
            await first.aclose()
    finally:
        with contextlib.suppress(ProcessLookupError):
            daemon.kill()
        await daemon.wait()
    assert str(caught.value) == (
        "failed: rpc error: code = Unavailable desc = error reading from server: EOF"
    )


EMPTY = b"\x0a\0" * 1_000_000
"""A million entries of a list that is the first field."""


async def test_an_answer_that_is_large_in_memory_alone_is_refused_with_its_limit(tmp_path: Path) -> None:
    async with calling(tmp_path / "s", Failing(grpc.StatusCode.OK, "", b"", EMPTY)) as caller:
        with pytest.raises(ProtocolError, match="DiskUsage.*2,000,000 bytes would take more than 80 MiB"):
            await usage(caller)


async def test_what_is_said_of_a_build_goes_on_after_a_message_that_is_too_large(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    after = control_pb2.StatusResponse(vertexes=[{"digest": "d", "name": "after"}]).SerializeToString()
    async with calling(tmp_path / "s", Failing(grpc.StatusCode.OK, "", b"", EMPTY, after)) as caller:
        found = [message async for message in caller.stream(STATUS, control_pb2.StatusRequest())]
    assert [message.vertexes[0].name for message in found] == ["after"]
    assert "a message of 2,000,000 bytes would take more than 80 MiB" in caplog.text


@pytest.mark.parametrize(
    "broken", [b"\x0a\x05abc", b"\x0a\xff", b"\x0f", b"\x08" + b"\xff" * 20, b"\x0a\x03\x0a\x05a"]
)
def test_a_large_message_that_is_none_is_none_for_both(broken: bytes) -> None:
    kind = control_pb2.DiskUsageResponse
    large = b"\x7a\x03abc" * 20_000
    for data in (large + broken, broken + large):
        try:
            kind.FromString(data)
        except DecodeError:
            with pytest.raises(DecodeError):
                read_message(kind, data)
        else:
            assert read_message(kind, data) == kind.FromString(data)


def test_large_messages_of_ordinary_daemons_are_read() -> None:
    record = {"ID": "k" * 25, "Parents": ["p" * 25], "CreatedAt": {"seconds": 1}, "Description": "d" * 80}
    usage = control_pb2.DiskUsageResponse(record=[record] * 60_000)
    assert len(read_message(type(usage), usage.SerializeToString()).record) == 60_000
    logs = control_pb2.StatusResponse(logs=[{"vertex": "v" * 71, "msg": b"m" * 40}] * 100_000)
    assert len(read_message(control_pb2.StatusEnvelope, logs.SerializeToString()).logs) == 100_000
