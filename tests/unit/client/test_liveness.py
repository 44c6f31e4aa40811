"""A daemon that is silent but alive is waited for; one that answers nothing any more is given up."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf.message import Message

from buildctl._pb import control_pb2
from buildctl.client.client import Client
from buildctl.client.liveness import Liveness
from buildctl.errors import Code, RPCError, SolveError
from buildctl.model.solve import SolveOpt
from tests.support.program import environment, run
from tests.support.scripted_daemon import LIST_WORKERS, SOLVE, Build, scripted_daemon

LIMIT_SECONDS = 0.8


async def slow(request: bytes, context: Any) -> Message:
    await asyncio.sleep(2.5 * LIMIT_SECONDS)
    return control_pb2.ListWorkersResponse()


@contextlib.asynccontextmanager
async def serving(tmp_path: Path) -> AsyncIterator[Client]:
    """A client of a daemon that is slow to list its workers."""
    path = tmp_path / "s"
    async with (
        scripted_daemon(path, {LIST_WORKERS: slow}),
        grpc.aio.insecure_channel(f"unix:{path}") as channel,
    ):
        yield Client(channel, stall_seconds=LIMIT_SECONDS)


async def test_a_daemon_that_works_in_silence_is_waited_for(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        assert await client.workers() == []


HANGING = """
import asyncio, pathlib, sys
from tests.support.scripted_daemon import Build, scripted_daemon
build = Build()
async def never(request, context):
    print("asked", flush=True)
    await asyncio.Event().wait()
async def main():
    async with scripted_daemon(pathlib.Path(sys.argv[1]), {**build.answers, sys.argv[2]: never}):
        print("ready", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.mark.parametrize("phase", [LIST_WORKERS, SOLVE])
async def test_a_stopped_daemon_is_given_up_in_time(tmp_path: Path, phase: str) -> None:
    daemon = subprocess.Popen(
        [sys.executable, "-c", HANGING, tmp_path / "s", phase],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
    )
    try:
        assert daemon.stdout is not None
        assert await asyncio.to_thread(daemon.stdout.readline) == b"ready\n"
        async with grpc.aio.insecure_channel(f"unix:{tmp_path}/s") as channel:
            client = Client(channel, stall_seconds=LIMIT_SECONDS)
            building = asyncio.create_task(client.solve(SolveOpt("f")))
            assert await asyncio.to_thread(daemon.stdout.readline) == b"asked\n"
            os.kill(daemon.pid, signal.SIGSTOP)
            began = time.monotonic()
            with pytest.raises((RPCError, SolveError)) as caught:
                await building
        assert time.monotonic() - began < 3 * LIMIT_SECONDS + 1
        error = caught.value
        assert isinstance(error, RPCError | SolveError)
        assert error.transient
        assert error.code is Code.UNAVAILABLE
        assert "the daemon gave no sign of life for 0.8 s; what was waiting for it: " in str(error)
        assert phase.partition("/")[2] in str(error)
    finally:
        daemon.kill()
        daemon.communicate()


async def test_a_client_that_was_stopped_itself_blames_nobody() -> None:
    asked = asyncio.Event()

    async def ask() -> None:
        asked.set()
        await asyncio.sleep(0.01)

    class Call:
        def cancel(self) -> None:
            raise AssertionError("nobody was silent")

    liveness = Liveness(0.4, ask)
    with liveness.watching(Call(), "Solve"):
        await asked.wait()
        time.sleep(1)  # the event loop stands still
        await asyncio.sleep(0.05)
    assert liveness.stall == ""


async def test_no_limit_asks_nobody() -> None:
    async def ask() -> None:
        raise AssertionError

    with Liveness(0, ask).watching(object(), "Solve"):
        await asyncio.sleep(0.05)


async def test_a_cancelled_call_is_no_stall(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        task = asyncio.create_task(client.workers())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_the_flag_s_limit_is_none_of_a_daemon_s_that_answers(tmp_path: Path) -> None:
    build = Build()

    async def beats(request: bytes, context: Any) -> AsyncIterator[Message]:
        await asyncio.sleep(1.2)
        yield control_pb2.UsageRecord(ID="one")

    async with scripted_daemon(tmp_path / "s", {**build.answers, "Control/Prune": beats}):
        flags = ("--addr", f"unix://{tmp_path}/s", "--stall-timeout", "400ms")
        ran = await asyncio.to_thread(run, *flags, "prune", cwd=tmp_path)
    assert (ran.exit, ran.stderr) == (0, "")  # it answers, if only that it knows no health


async def test_a_stall_is_over_once_other_calls_begin() -> None:
    """A later build that fails for itself is not told to have lost a silent daemon."""

    async def never() -> None:
        await asyncio.Event().wait()

    liveness = Liveness(0.1, never)
    call = asyncio.create_task(never())
    with pytest.raises(asyncio.CancelledError), liveness.watching(call, "Solve"):
        await call
    assert "no sign of life" in liveness.stall
    with liveness.watching(asyncio.create_task(asyncio.sleep(0)), "Solve"):
        assert liveness.stall == ""
