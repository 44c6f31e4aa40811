"""Messages that are small on the wire and large in memory: what a daemon says of a build is left out, an
answer that something depends on is an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from buildctl._pb import control_pb2
from tests.hostile.case import MAX_MEMORY, lay_out, run_program
from tests.hostile.conftest import Survived
from tests.support.scripted_daemon import GATEWAY_SOLVE, LIST_WORKERS, SOLVE, STATUS, Build, scripted_daemon

MOST = (16 << 20) - 16
"""Bytes of a message, a few less than the channel takes."""
LEFT_OUT = "something is missing from what is shown of the build"
TOO_LARGE = "which is the limit for one"
NAMES = control_pb2.StatusEnvelope(vertexes=[{"digest": f"{n:06}", "name": "n"} for n in range(140_000)])
ANSWERS = control_pb2.SolveResponse(ExporterResponse={f"{n}": "" for n in range(300_000)})

CASES = [
    pytest.param("vertexes of nothing", STATUS, b"\x0a\0" * (MOST // 2), LEFT_OUT, id="vertexes of nothing"),
    pytest.param("logs of nothing", STATUS, b"\x1a\0" * (MOST // 2), LEFT_OUT, id="logs of nothing"),
    pytest.param(
        "fields that nobody knows", STATUS, b"\x78\0" * (MOST // 2), LEFT_OUT, id="fields that nobody knows"
    ),
    pytest.param(
        *("as many vertexes as may be", STATUS, NAMES.SerializeToString(), "left out: "),
        marks=pytest.mark.long,
        id="as many vertexes as may be",
    ),
    pytest.param(
        "as many logs as may be", STATUS, b"\x1a\4\x0a\2ab" * 430_000, "", id="as many logs as may be"
    ),
    pytest.param(
        "workers of nothing", LIST_WORKERS, b"\x0a\0" * (MOST // 2), TOO_LARGE, id="workers of nothing"
    ),
    pytest.param(
        "a result of nothing",
        GATEWAY_SOLVE,
        b"\x12\4\x1a\2\x0a\0" * (MOST // 6),
        "",
        id="a result of nothing",
    ),
    pytest.param(
        "as many answers of exporters as may be",
        SOLVE,
        ANSWERS.SerializeToString(),
        "",
        id="as many answers of exporters as may be",
    ),
]


@pytest.mark.parametrize(("name", "method", "message", "says"), CASES)
async def test_a_small_message(
    name: str, method: str, message: bytes, says: str, tmp_path: Path, survived: Survived
) -> None:
    work, _ = lay_out(tmp_path)
    build = Build()
    usual = build.answers[method]

    async def answer(request: bytes, context: Any) -> AsyncIterator[Any]:
        if method == SOLVE:
            await build.returned.wait()
            build.solved.set()
        yield message
        if method == STATUS:
            async for one in usual(request, context):  # type: ignore[union-attr]
                yield one
        if method == GATEWAY_SOLVE:
            build.returned.set()
        await asyncio.sleep(0)

    build.answers[method] = answer
    async with scripted_daemon(tmp_path / "s", build.answers):
        ended = await run_program(work, tmp_path / "s", "", "--stall-timeout", "0", seconds=60)
    survived(name, ended)
    assert says in ended.stderr
    assert ended.exit == (1 if says == TOO_LARGE else 0)
    assert "Traceback" not in ended.stderr
    assert ended.memory < MAX_MEMORY
