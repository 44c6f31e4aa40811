"""A build that goes to one of several daemons, and on to the next when that one is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message

from buildctl.cli.place import platforms_of, project_key
from buildctl.model.solve import SolveOpt
from buildctl.transport.pool.choose import Candidate, rank
from tests.support.program import Ran, run
from tests.support.scripted_daemon import SOLVE, Build, ScriptedDaemon, scripted_daemon


class Lost(Build):
    """Takes builds and loses them; with `begun` after it has told of a step."""

    def __init__(self, *, begun: bool) -> None:
        super().__init__()
        self.begun = begun

    async def solve(self, request: bytes, context: Any) -> Message:
        await asyncio.sleep(0.3 if self.begun else 0)
        self.solved.set()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "going down")
        raise AssertionError

    async def status(self, request: bytes, context: Any) -> AsyncIterator[Message]:
        if self.begun:
            async for message in super().status(request, context):
                yield message
        else:
            await self.solved.wait()


async def built(tmp_path: Path, lost: Build, *flags: str) -> tuple[Ran, ScriptedDaemon, ScriptedDaemon]:
    """A build whose first choice is `lost`, beside a daemon that is well."""
    addresses = [f"unix://{tmp_path}/{name}" for name in "ab"]
    best, other = (one.name.rpartition("/")[2] for one in rank([Candidate(one) for one in addresses], "p"))
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(scripted_daemon(tmp_path / best, lost.answers))
        second = await stack.enter_async_context(scripted_daemon(tmp_path / other, Build().answers))
        pool = ("--addr", ",".join(addresses), "--debug")
        build = ("build", "--frontend", "f", "--progress", "plain", "--sticky", "p")
        ran = await asyncio.to_thread(run, *pool, *build, *flags, cwd=tmp_path)
    return ran, first, second


async def test_a_build_that_had_not_begun_goes_to_the_next(tmp_path: Path) -> None:
    ran, first, second = await built(tmp_path, Lost(begun=False))
    assert ran.exit == 0, ran.stderr
    assert (
        "failed before the build began: failed to solve: Unavailable: going down; taking another"
        in ran.stderr
    )
    assert "first choice of this project among 2" in ran.stderr
    assert (len(first.requests(SOLVE)), len(second.requests(SOLVE))) == (1, 1)
    assert ran.stdout == ""


async def test_a_build_that_had_begun_is_for_retries(tmp_path: Path) -> None:
    ran, first, second = await built(tmp_path, Lost(begun=True))
    assert ran.exit == 1
    assert (len(first.requests(SOLVE)), len(second.requests(SOLVE))) == (1, 0)


async def test_retries_go_to_another(tmp_path: Path) -> None:
    ran, first, second = await built(tmp_path, Lost(begun=True), "--retries", "1")
    assert ran.exit == 0, ran.stderr
    assert "attempt 1 of 2" in ran.stderr
    assert (len(first.requests(SOLVE)), len(second.requests(SOLVE))) == (1, 1)


def test_what_a_build_is_for() -> None:
    assert project_key(SolveOpt("f", shared_key="k")) == "k"
    assert project_key(SolveOpt("f", frontend_attrs={"context": "https://x/y.git"})) == "https://x/y.git"
    assert project_key(SolveOpt("f")) == "none"
    asked = SolveOpt("f", frontend_attrs={"platform": "linux/aarch64, linux/amd64,!"})
    assert platforms_of(asked) == ("linux/arm64", "linux/amd64")
