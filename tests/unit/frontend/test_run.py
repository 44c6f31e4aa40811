"""A frontend as the daemon runs it: a program whose standard streams are the daemon's."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from buildctl._pb import caps_pb2, gateway_pb2
from tests.support.scripted_daemon import GATEWAY_SOLVE, MODERN_CAPS, PING, RETURN, scripted_daemon

PROGRAM = """
from buildctl import llb
from buildctl.frontend import run_frontend

async def frontend(build):
    print("noise, which the daemon is not to get")
    if "fail" in build.opts:
        raise ValueError("told to fail")
    return llb.scratch().file(llb.mkfile("/hello", 0o644, build.opts["name"]))

run_frontend(frontend)
"""


async def run(tmp_path: Path, *options: str) -> tuple[list[gateway_pb2.ReturnRequest], int, bytes]:
    """What the program returned to the daemon, its exit code, and what it wrote to standard error."""

    async def ping(request: bytes, context: Any) -> Message:
        caps = [caps_pb2.APICap(ID=cap, Enabled=True) for cap in MODERN_CAPS]
        ops = [caps_pb2.APICap(ID=cap, Enabled=True) for cap in ("file.base", "constraints", "platform")]
        return gateway_pb2.PongResponse(FrontendAPICaps=caps, LLBCaps=ops)

    async def solve(request: bytes, context: Any) -> Message:
        assert b"/hello" in request
        return gateway_pb2.SolveResponse(result={"ref": {"id": "r"}})

    async def take(request: bytes, context: Any) -> Message:
        return gateway_pb2.ReturnResponse()

    answers = {PING: ping, GATEWAY_SOLVE: solve, RETURN: take}
    numbered = {f"BUILDKIT_FRONTEND_OPT_{number}": option for number, option in enumerate(options)}
    environ = {**os.environ, "BUILDKIT_SESSION_ID": "s", **numbered}
    async with scripted_daemon(tmp_path / "s", answers) as daemon:
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(str(tmp_path / "s"))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", PROGRAM),
                stdin=stream.fileno(),
                stdout=stream.fileno(),
                stderr=asyncio.subprocess.PIPE,
                env=environ,
            )
        _, stderr = await process.communicate()
        assert process.returncode is not None
        returned = [gateway_pb2.ReturnRequest.FromString(request) for request in daemon.requests(RETURN)]
    return returned, process.returncode, stderr


async def test_a_result(tmp_path: Path) -> None:
    (returned,), code, stderr = await run(tmp_path, "name=a=b")
    assert (returned.result.ref.id, code) == ("r", 0)
    assert b"noise" in stderr


async def test_a_failure(tmp_path: Path) -> None:
    (returned,), code, _ = await run(tmp_path, "fail=1")
    assert (returned.error.message, returned.HasField("result"), code) == ("told to fail", False, 0)


async def test_away_from_a_daemon_it_says_so() -> None:
    environ = {name: value for name, value in os.environ.items() if name != "BUILDKIT_SESSION_ID"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM), stderr=asyncio.subprocess.PIPE, env=environ
    )
    _, stderr = await process.communicate()
    assert process.returncode == 1
    assert b"a frontend is run by a daemon" in stderr
