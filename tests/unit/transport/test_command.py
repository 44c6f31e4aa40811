"""A real process carries a channel; its complaints reach the user, and it never outlives the connection."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from buildctl.errors import ConnectError
from buildctl.model.address import parse_address
from buildctl.transport.channel import open_connection
from buildctl.transport.command import dial_command
from tests.support.daemon_peer import unix_peer
from tests.unit.transport.test_channel import DIALING, PREFACE, failure, reach

# Copies between its standard streams and a socket, as `buildctl dial-stdio` does.
_DIAL_STDIO = """\
#!/usr/bin/env python3
import os, socket, sys, threading
open(os.environ["STARTED"], "a").write(f"{os.getpid()} {' '.join(sys.argv[1:])}\\n")
sock = socket.socket(socket.AF_UNIX)
sock.connect(os.environ["PEER"])
def out():
    while data := sock.recv(65536):
        os.write(1, data)
    os._exit(0)
threading.Thread(target=out).start()
while data := os.read(0, 65536):
    sock.sendall(data)
sock.shutdown(socket.SHUT_WR)
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    program = tmp_path / "docker"
    program.write_text(_DIAL_STDIO)
    program.chmod(0o755)
    return {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "STARTED": str(tmp_path / "started"),
        "PEER": str(tmp_path / "peer.sock"),
    }


async def test_a_container(tmp_path: Path, environ: dict[str, str]) -> None:
    async with unix_peer(tmp_path / "peer.sock") as peer:
        await reach("docker-container://box?context=there", environ=environ)
    assert peer.authorities == ["box"]
    pid, arguments = (tmp_path / "started").read_text().strip().split(" ", 1)
    assert arguments == "--context=there exec -i box buildctl dial-stdio"
    assert not Path("/proc", pid).exists()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "echo cannot >&2; exit 3",
            f"{PREFACE}command [docker exec -i box buildctl dial-stdio] has exited with exit status 3, "
            "make sure the URL is valid, and Docker 18.09 or later is installed on the remote host: "
            'stderr=cannot\\n"',
        ),
        (
            "kill -9 $$",
            f"{PREFACE}command [docker exec -i box buildctl dial-stdio] has exited with signal: killed, "
            'make sure the URL is valid, and Docker 18.09 or later is installed on the remote host: stderr="',
        ),
    ],
)
async def test_a_command_that_fails(
    tmp_path: Path, environ: dict[str, str], script: str, message: str
) -> None:
    (tmp_path / "docker").write_text(f"#!/bin/sh\n{script}\n")
    assert (await failure("docker-container://box", environ=environ)).message == message


async def test_a_command_that_dies_in_mid_call(tmp_path: Path, environ: dict[str, str]) -> None:
    address = parse_address("docker-container://box")
    async with (
        unix_peer(tmp_path / "peer.sock"),
        open_connection(address, environ=environ) as connection,
    ):
        await connection.channel.unary_unary("/x.Y/Z", None, None)(b"")
        pid = int((tmp_path / "started").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        error = await connection.diagnose(connected=True)
    assert error is not None
    assert error.message == (
        "error reading from server: command [docker exec -i box buildctl dial-stdio] has exited with "
        "signal: killed, make sure the URL is valid, "
        "and Docker 18.09 or later is installed on the remote host: stderr="
    )


async def test_a_command_that_is_not_there() -> None:
    error = await failure("podman-container://box", environ={"PATH": "/nonexistent"})
    assert error.message == f'{DIALING}exec: \\"podman\\": executable file not found in $PATH"'


async def test_an_engine_behind_ssh(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "ssh").write_text('#!/bin/sh\necho "$@" >&2; exit 255\n')
    (tmp_path / "ssh").chmod(0o755)
    error = await failure("docker://", environ={**environ, "DOCKER_HOST": "ssh://me@far:22"})
    assert "stderr=-l me -p 22 -- far docker system dial-stdio" in error.message


async def test_complaints_are_bounded(tmp_path: Path) -> None:
    stream = await dial_command(
        ["sh", "-c", "yes | head -c 1000000 >&2; echo the end >&2; exit 1"], os.environ
    )
    error = await stream.why_ended()
    await stream.aclose()
    assert isinstance(error, ConnectError)
    assert error.message.endswith("the end\n")
    assert len(error.message) < 8192


async def test_a_command_that_will_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("buildctl.transport.command._TERM_SECONDS", 0.2)
    stream = await dial_command(["sh", "-c", "trap '' TERM; echo; sleep 60 & wait; wait"], os.environ)
    await asyncio.get_running_loop().sock_recv(stream.sock, 1)
    await asyncio.wait_for(stream.aclose(), 2)
