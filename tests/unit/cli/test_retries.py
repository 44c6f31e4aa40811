"""Which builds are run again, and how it is told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from buildctl.cli.retries import Retries, delay_seconds
from buildctl.errors import UsageError
from tests.support.program import run
from tests.support.scripted_daemon import SOLVE, Build, scripted_daemon

BUILD = ("build", "--frontend", "f", "--progress", "plain", "--retries", "2", "--ref-file", "ref")


class Failing(Build):
    """The first `times` builds end with `code`."""

    def __init__(self, code: grpc.StatusCode, times: int) -> None:
        super().__init__()
        self.code, self.times = code, times

    async def solve(self, request: bytes, context: Any) -> Message:
        self.times -= 1
        if self.times >= 0:
            await context.abort(self.code, "not now")
        return await super().solve(request, context)


async def build(tmp_path: Path, daemon: Build, *flags: str) -> tuple[Any, list[bytes]]:
    async with scripted_daemon(tmp_path / "s", daemon.answers) as served:
        ran = await asyncio.to_thread(run, "--addr", f"unix://{tmp_path}/s", *BUILD, *flags, cwd=tmp_path)
    return ran, served.requests(SOLVE)


async def test_a_daemon_that_is_unavailable_for_a_moment(tmp_path: Path) -> None:
    ran, asked = await build(tmp_path, Failing(grpc.StatusCode.UNAVAILABLE, 1))
    assert ran.exit == 0
    assert "attempt 1 of 3: failed to solve: Unavailable: not now; trying again in " in ran.stderr
    assert "attempt 2" not in ran.stderr
    assert len(asked) == 2
    assert (tmp_path / "ref").read_bytes() in asked[1]
    assert (tmp_path / "ref").read_bytes() not in asked[0]


@pytest.mark.parametrize("code", [grpc.StatusCode.UNKNOWN, grpc.StatusCode.INVALID_ARGUMENT])
async def test_a_mistake_is_not_made_again(tmp_path: Path, code: grpc.StatusCode) -> None:
    ran, asked = await build(tmp_path, Failing(code, 1))
    assert ran.exit == 1
    assert "attempt" not in ran.stderr
    assert len(asked) == 1


async def test_none_is_the_default(tmp_path: Path) -> None:
    ran, asked = await build(tmp_path, Failing(grpc.StatusCode.UNAVAILABLE, 1), "--retries", "0")
    assert (ran.exit, len(asked)) == (1, 1)
    assert ran.stderr.endswith("error: failed to solve: Unavailable: not now\n")


def test_a_daemon_that_never_comes(tmp_path: Path) -> None:
    ran = run("--addr", f"unix://{tmp_path}/no.sock", *BUILD, "--retries", "1", cwd=tmp_path)
    assert ran.exit == 1
    first, last = ran.stderr.splitlines()
    assert first.startswith("attempt 1 of 2: listing workers for Build: ")
    assert last.startswith("error: listing workers for Build: ")


def test_delays_grow_to_a_limit_and_differ() -> None:
    delays = [[delay_seconds(number) for _ in range(50)] for number in (1, 2, 3, 100, 100_000)]
    for center, some in zip((1, 2, 4, 30, 30), delays, strict=True):
        assert all(center / 2 <= one <= center * 1.5 for one in some)
        assert len(set(some)) > 40


def test_less_than_none_is_refused() -> None:
    with pytest.raises(UsageError):
        Retries(-1, "ref", print)
