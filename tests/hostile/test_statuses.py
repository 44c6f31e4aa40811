"""A daemon that says more of a build than is kept: the program's memory and CPU time stay within bounds."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from buildctl._pb import control_pb2
from tests.hostile.case import MAX_MEMORY, lay_out, run_program
from tests.support.scripted_daemon import STATUS, Build, scripted_daemon

Message = control_pb2.StatusEnvelope


def restarts(count: int) -> Iterator[Message]:
    for n in range(1, count):
        at = {"seconds": n}
        yield Message(vertexes=[{"digest": "a", "started": at, "completed": {"seconds": n, "nanos": 1}}])


def members(count: int) -> Iterator[Message]:
    for n in range(1, count):
        group = {"id": "g", "name": "group"}
        yield Message(vertexes=[{"digest": f"{n}", "started": {"seconds": n}, "progressGroup": group}])


def serve(flood: Iterator[Message]) -> Build:
    build = Build()

    async def status(request: bytes, context: Any) -> AsyncIterator[Any]:
        for number, message in enumerate(flood):
            yield message.SerializeToString()
            if number % 50 == 0:
                await asyncio.sleep(0)
        await build.solved.wait()

    build.answers[STATUS] = status
    return build


@pytest.mark.parametrize(
    ("flood", "size", "cpu_seconds"),
    [(restarts, 10_000, 12), (members, 6_000, 12)],
)
async def test_floods(
    flood: Callable[[int], Iterator[Message]], size: int, cpu_seconds: float, tmp_path: Path
) -> None:
    work, _ = lay_out(tmp_path)
    build = serve(flood(size))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    async with scripted_daemon(tmp_path / "s", build.answers):
        ended = await run_program(work, tmp_path / "s", "", "--stall-timeout", "0", seconds=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if os.environ.get("BUILDCTL_SHOW"):
        print(f"| {flood.__name__} | {size} | {ended.memory / 1e6:.0f} | {used:.1f} | exit {ended.exit} |")
    assert ended.exit == 0, ended.stderr[-500:]
    assert "Traceback" not in ended.stderr
    assert ended.memory < MAX_MEMORY
    assert used < cpu_seconds
