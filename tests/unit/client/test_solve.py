"""Whole builds, against recorded daemons and against daemons that behave in one particular way."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message

from buildctl._pb import control_pb2, gateway_pb2
from buildctl.client.excerpt import format_excerpt
from buildctl.errors import RPCError, SolveError, UsageError
from buildctl.model.solve import DirectoryDestination, Export, SolveOpt
from buildctl.model.status import SolveStatus
from tests.support.replay import load
from tests.support.replay_server import replay_server
from tests.support.scripted_daemon import (
    GATEWAY_SOLVE,
    RETURN,
    SESSION,
    SOLVE,
    STATUS,
    Build,
    client_of,
    scripted_daemon,
    solve_on,
)


def dockerfile(folder: Path, **attrs: str) -> SolveOpt:
    local_dirs = {"context": str(folder), "dockerfile": str(folder)}
    return SolveOpt("dockerfile.v0", attrs, local_dirs=local_dirs)


# Recorded daemons


@pytest.mark.parametrize("name", ["build-ok", "build-cached", "build-chatty"])
async def test_a_recorded_build_succeeds(name: str, tmp_path: Path) -> None:
    case = load(name)
    opt = dockerfile(tmp_path)
    if name == "build-ok":
        export = Export("local", destination=DirectoryDestination(str(tmp_path / "out")))
        opt = SolveOpt(opt.frontend, local_dirs=opt.local_dirs, exports=(export,))
    seen: list[SolveStatus] = []
    with replay_server(name, tmp_path / "s", speed=20) as server:
        async with client_of(tmp_path / "s") as client:
            result = await client.solve(opt, seen.append)
    assert seen == [status for _, status in case.statuses()]
    assert len(result.ref) == 25
    (solved,) = server.calls(GATEWAY_SOLVE)
    (returned,) = server.calls(RETURN)
    assert ("buildkit-controlapi-buildid", result.ref) in solved.metadata
    assert ("buildkit-controlapi-buildid", result.ref) in returned.metadata
    recorded = next(call for call in case.calls if call.method.endswith(GATEWAY_SOLVE)).responses[0][1]
    response = gateway_pb2.SolveResponse.FromString(recorded)
    assert returned.request is not None
    assert gateway_pb2.ReturnRequest.FromString(returned.request).result == response.result


@pytest.mark.parametrize(
    "name",
    [
        "build-fail",
        "build-syntaxerr",
        "build-badfrontend",
        "build-badoutput",
        "v0.8-build-fail",
        "v0.13-build-fail",
    ],
)
async def test_a_recorded_build_fails_with_the_references_words(name: str, tmp_path: Path) -> None:
    case = load(name)
    began = time.monotonic()
    seen: list[SolveStatus] = []
    with replay_server(name, tmp_path / "s", speed=20) as server:
        async with client_of(tmp_path / "s") as client:
            with pytest.raises(SolveError) as caught:
                await client.solve(dockerfile(tmp_path), seen.append)
    error = caught.value
    report = "".join(map(format_excerpt, error.excerpts)) + f"error: {error}\n"
    assert case.stderr.decode().endswith(report)
    assert len(error.excerpts) == case.stderr.count(b"-" * 20 + b"\n") // 2
    assert seen == [status for _, status in case.statuses()]
    assert time.monotonic() - began < 4
    for call in server.calls(RETURN):
        assert call.request
        returned = gateway_pb2.ReturnRequest.FromString(call.request)
        if returned.HasField("error"):
            assert returned.error.message in str(error)


async def test_the_session_offers_what_the_reference_offers(tmp_path: Path) -> None:
    opt = dockerfile(tmp_path)
    export = Export("tar", destination=DirectoryDestination(str(tmp_path / "out")))
    with replay_server("build-ok", tmp_path / "s", speed=0) as server:
        async with client_of(tmp_path / "s") as client:
            await client.solve(SolveOpt("f", local_dirs=opt.local_dirs, exports=(export,)))
            await client.solve(SolveOpt("f"))
    whole, bare = server.calls(SESSION)
    offered = [value for key, value in whole.metadata if key == "x-docker-expose-session-grpc-method"]
    assert offered == [
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/List",
        "/grpc.health.v1.Health/Watch",
        "/moby.filesync.v1.Auth/Credentials",
        "/moby.filesync.v1.Auth/FetchToken",
        "/moby.filesync.v1.Auth/GetTokenAuthority",
        "/moby.filesync.v1.Auth/VerifyTokenAuthority",
        "/moby.filesync.v1.FileSend/DiffCopy",
        "/moby.filesync.v1.FileSync/DiffCopy",
        "/moby.filesync.v1.FileSync/TarStream",
    ]
    assert ("x-docker-expose-session-sharedkey", "") in whole.metadata
    assert not any("FileS" in value for _, value in bare.metadata)


async def test_a_subrequest_answers_in_metadata(tmp_path: Path) -> None:
    case = load("build-outline")
    with replay_server("build-outline", tmp_path / "s", speed=0):
        async with client_of(tmp_path / "s") as client:
            result = await client.solve(dockerfile(tmp_path, requestid="frontend.outline"))
    assert result.frontend_metadata["result.txt"] == case.stdout


async def test_mistakes_show_after_the_workers_were_asked(tmp_path: Path) -> None:
    opt = SolveOpt("f", exports=(Export("local", {"mode": "foo"}),))
    with replay_server("build-ok", tmp_path / "s", speed=0) as server:
        async with client_of(tmp_path / "s") as client:
            with pytest.raises(UsageError, match='invalid local exporter mode "foo"'):
                await client.solve(opt)
    assert [call.method.split("/")[-1] for call in server.received] == ["ListWorkers"]


# Daemons of one behaviour


async def test_a_build_from_start_to_end(tmp_path: Path) -> None:
    seen: list[str] = []
    result, _ = await solve_on(Build(), tmp_path, SolveOpt("f", ref="mine"), seen)
    assert (result.ref, result.exporter_response) == ("mine", {"k": "v"})
    assert seen == ["begin", "end"]


async def test_a_session_that_ends_before_its_time_does_no_harm_to_a_build_that_ends_well(
    tmp_path: Path,
) -> None:
    build = Build()

    async def session(request: bytes, context: Any) -> AsyncIterator[Message]:
        for message in list[Message]():
            yield message

    async def gateway_return(request: bytes, context: Any) -> Message:
        await asyncio.sleep(0.2)
        build.returned.set()
        return gateway_pb2.ReturnResponse()

    build.answers |= {SESSION: session, RETURN: gateway_return}
    result, _ = await solve_on(build, tmp_path)
    assert result.exporter_response == {"k": "v"}


async def test_a_lost_session_is_named_before_what_came_of_it(tmp_path: Path) -> None:
    """Such as a token that the daemon could not ask for any more."""
    build = Build()

    async def session(request: bytes, context: Any) -> AsyncIterator[Message]:
        for message in list[Message]():
            yield message

    async def solve(request: bytes, context: Any) -> Message:
        await asyncio.sleep(0.2)
        await context.abort(grpc.StatusCode.UNAVAILABLE, "failed to fetch anonymous token: no active session")
        raise AssertionError

    build.answers |= {SESSION: session, SOLVE: solve}
    error, _ = await solve_on(build, tmp_path)
    assert isinstance(error, SolveError)
    lost, what_came_of_it = str(error).split("; then the build failed: ")
    assert lost == "failed to solve: session lost: the daemon ended it; no health check ever came"
    assert what_came_of_it == (
        "failed to solve: Unavailable: failed to fetch anonymous token: no active session"
    )
    assert "health check" in error.hint


async def test_a_failure_that_overtakes_the_end_of_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a long stop of this process, when both have arrived meanwhile."""
    monkeypatch.setattr("buildctl.session.health._SILENCE_SECONDS", 0.0)
    build = Build()
    failed = asyncio.Event()

    async def session(request: bytes, context: Any) -> AsyncIterator[Message]:
        await failed.wait()
        await asyncio.sleep(0.1)
        for message in list[Message]():
            yield message

    async def solve(request: bytes, context: Any) -> Message:
        failed.set()
        await context.abort(grpc.StatusCode.CANCELLED, "the client connection is closing")
        raise AssertionError

    build.answers |= {SESSION: session, SOLVE: solve}
    error, _ = await solve_on(build, tmp_path)
    assert str(error).startswith("failed to solve: session lost: the daemon ended it; ")


async def test_a_session_that_is_given_up_and_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As BuildKit 0.13 does: GOAWAY within the session, whose stream goes on."""
    monkeypatch.setattr("buildctl.session.health._SILENCE_SECONDS", 0.0)
    monkeypatch.setattr("buildctl.client.solve._LOSS_SECONDS", 0.3)
    build = Build()
    reason = b"client transport shutdown"
    go_away = struct.pack(">IBIII", (8 + len(reason)) << 8 | 7, 0, 0, 0, 0) + reason
    settings = struct.pack(">IBI", 4, 0, 0)

    async def session(request: bytes, context: Any) -> AsyncIterator[Message]:
        yield control_pb2.BytesMessage(data=b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
        yield control_pb2.BytesMessage(data=go_away)
        await asyncio.get_running_loop().create_future()

    async def solve(request: bytes, context: Any) -> Message:
        await context.abort(grpc.StatusCode.CANCELLED, "the client connection is closing")
        raise AssertionError

    build.answers |= {SESSION: session, SOLVE: solve}
    monkeypatch.setattr("buildctl.session.server.CLOSE_SECONDS", 0.1)
    error, _ = await solve_on(build, tmp_path)
    assert str(error) == (
        "failed to solve: session lost: the daemon has given it up; no health check ever came; "
        "then the build failed: failed to solve: Canceled: the client connection is closing"
    )
    assert "Run the build again" in error.hint


async def test_a_session_in_doubt_is_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that gives a session up may leave its stream open."""
    monkeypatch.setattr("buildctl.session.health._SILENCE_SECONDS", 0.0)
    monkeypatch.setattr("buildctl.client.solve._LOSS_SECONDS", 0.05)
    build = Build()

    async def solve(request: bytes, context: Any) -> Message:
        await context.abort(grpc.StatusCode.CANCELLED, "the client connection is closing")
        raise AssertionError

    build.answers |= {SOLVE: solve}
    error, _ = await solve_on(build, tmp_path)
    assert str(error) == "failed to solve: Canceled: the client connection is closing"
    assert error.hint == "the daemon may have given up the session: no health check ever came"


async def test_a_status_stream_that_fails_ends_the_build(tmp_path: Path) -> None:
    build = Build()
    build.answers.pop(RETURN)

    async def status(request: bytes, context: Any) -> AsyncIterator[Message]:
        await build.solving.wait()
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such job x")
        yield control_pb2.StatusResponse()

    build.answers[STATUS] = status
    build.answers[RETURN] = build.solve
    error, _ = await solve_on(build, tmp_path)
    assert str(error) == "failed to receive status: rpc error: code = NotFound desc = no such job x"
    assert build.solved.is_set()


async def test_what_the_sink_raises_ends_the_build(tmp_path: Path) -> None:
    build = Build()
    build.answers[RETURN] = build.solve

    def sink(status: SolveStatus) -> None:
        raise ZeroDivisionError

    async with scripted_daemon(tmp_path / "s", build.answers), client_of(tmp_path / "s") as client:
        with pytest.raises(ZeroDivisionError):
            await client.solve(SolveOpt("f"), sink)
        async with asyncio.timeout(5):
            await build.solved.wait()


async def test_cancelling_shows_how_the_build_ends(tmp_path: Path) -> None:
    build = Build()
    build.answers[RETURN] = build.solve
    seen: list[str] = []
    begun = asyncio.Event()

    def sink(status: SolveStatus) -> None:
        seen.extend(vertex.name for vertex in status.vertexes)
        begun.set()

    async with scripted_daemon(tmp_path / "s", build.answers), client_of(tmp_path / "s") as client:
        task = asyncio.create_task(client.solve(SolveOpt("f"), sink))
        await build.solving.wait()
        await begun.wait()
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 1
    assert seen == ["begin", "end"]
    assert build.solved.is_set()


async def test_cancelling_leaves_a_daemon_that_hangs_in_under_two_seconds(tmp_path: Path) -> None:
    build = Build()

    async def hang(request: bytes, context: Any) -> Message:
        build.solving.set()
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(2.2)
                return control_pb2.SolveResponse()

    async def session(request: bytes, context: Any) -> AsyncIterator[Message]:
        await asyncio.sleep(2.2)
        yield control_pb2.BytesMessage()

    build.answers |= {SOLVE: hang, SESSION: session, RETURN: hang}
    async with scripted_daemon(tmp_path / "s", build.answers), client_of(tmp_path / "s") as client:
        task = asyncio.create_task(client.solve(SolveOpt("f")))
        await build.solving.wait()
        await asyncio.sleep(0.1)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 2


KILLED = """
import asyncio, os, signal, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from tests.support.scripted_daemon import RETURN, Build, scripted_daemon

async def main():
    build = Build()
    async def gateway_return(request, context):
        os.kill(os.getpid(), signal.SIGKILL)
    build.answers[RETURN] = gateway_return
    async with scripted_daemon(Path(sys.argv[1]), build.answers):
        print("ready", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_daemon_killed_in_mid_build(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    daemon = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, str(tmp_path / "s"), str(root), stdout=asyncio.subprocess.PIPE
    )
    assert daemon.stdout
    await daemon.stdout.readline()
    async with client_of(tmp_path / "s") as client:
        began = time.monotonic()
        with pytest.raises(RPCError) as caught:
            await client.solve(SolveOpt("f"))
        assert time.monotonic() - began < 3
    await daemon.wait()
    assert str(caught.value) == (
        "failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF"
    )
