"""What a hostile daemon does in one case, and what must come of it.

Whatever the daemon does, the same holds: the build ends, what lies outside of what was offered is neither
sent nor changed, and in the destination is what the case says and nothing else.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import grpc.aio
import pytest

from buildctl.cli.flags.output import parse_output
from buildctl.client.client import Client
from buildctl.errors import BuildctlError
from buildctl.model.offer import SecretSource
from buildctl.model.solve import SolveOpt
from buildctl.session.auth.dockerconfig import load_docker_config
from buildctl.session.auth.service import Auth
from buildctl.session.secrets import Secrets
from buildctl.session.sshforward import SSHForward
from buildctl.session.stream import Attachable
from tests.support import program
from tests.support.fsutil_sender import tree
from tests.support.hostile_daemon import HostileDaemon, Script, hostile_daemon

PRIVATE = b"nobody offered this"
ENDS_WITHIN = 30.0
"""Seconds for a whole case, on a busy machine; those that flood take about one on an idle one."""
MAX_MEMORY = 200_000_000
"""Bytes that a process may come to, whatever the daemon sends."""
_KEPT_BYTES = 1 << 20


@dataclass(frozen=True)
class Case:
    """A script, and what the user is told: `says` is part of the error, empty where the build succeeds."""

    name: str
    script: Script
    says: str = ""
    leaves: tuple[str, ...] = ()
    """What is below `out` afterwards, as paths."""
    output: str = "type=local,dest=out"
    prepare: Callable[[], None] = lambda: None
    """What else is to lie in the working directory."""
    seconds: float = ENDS_WITHIN


def lay_out(folder: Path) -> tuple[Path, Path]:
    """The working directory, in which `offered` is, and a folder beside it that is nobody's business."""
    work, outside = folder / "work", folder / "outside"
    offered = work / "offered"
    (offered / "sub").mkdir(parents=True)
    (offered / "Dockerfile").write_text("FROM scratch\n")
    (offered / "sub" / "file").write_text("offered\n")
    (offered / "link-to-file").symlink_to("../../outside/private")
    (offered / "link-to-folder").symlink_to("../../outside")
    (offered / "link-to-all").symlink_to("/")
    (work / "secret").write_text("this one was offered")
    outside.mkdir()
    (outside / "private").write_bytes(PRIVATE)
    (outside / "folder").mkdir()
    (work / "config.json").write_text('{"auths":{"registry.example":{"auth":"bWU6cGFzc3dvcmQ="}}}')
    return work, outside


async def run(case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One case in this process."""
    work, outside = lay_out(folder)
    monkeypatch.chdir(work)
    case.prepare()
    before = tree(outside)
    opt, attachables = offers(work, case.output)
    async with hostile_daemon(folder, case.script, case.seconds) as daemon:
        error = ""
        try:
            async with (
                asyncio.timeout(case.seconds),
                grpc.aio.insecure_channel(f"unix:{folder / 'daemon.sock'}") as channel,
            ):
                await Client(channel).solve(opt, attachables=attachables)
        except BuildctlError as failure:
            error = str(failure)
    judge(case, daemon, error)
    assert tree(outside) == before, "the daemon changed what lies outside"


def offers(work: Path, output: str) -> tuple[SolveOpt, tuple[Attachable, ...]]:
    """A build with everything offered that can be: each thing once."""
    opt = SolveOpt(
        "dockerfile.v0",
        local_dirs={"context": "offered"},
        exports=(parse_output(output),) if output else (),
    )
    config = load_docker_config({"DOCKER_CONFIG": str(work)})
    secrets = Secrets([SecretSource("offered", "secret")], {"VARIABLE": PRIVATE.decode()})
    return opt, (Auth(config, {}), secrets, SSHForward({}))


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    exit: int
    stderr: str
    memory: int
    """The most it came to, in bytes."""
    seconds: float
    cpu_seconds: float
    """What it used of the processor, itself and for it in the kernel."""


async def run_program(
    work: Path, address: Path, output: str, *flags: str, extra: Sequence[str] = (), seconds: float
) -> Ended:
    """The same build as a process, with flags before and after `build`; it is killed if it takes longer."""
    arguments = ["--addr", f"unix://{address}", *flags, "build", "--frontend", "dockerfile.v0"]
    arguments += ["--local", "context=offered", "--secret", "id=offered,src=secret"]
    arguments += ["--ssh", "offered=agent.sock", "--progress", "plain", *extra]
    arguments += ["--output", output] if output else []
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(work / "agent.sock"))
        return await run_arguments(work, *arguments, seconds=seconds)


async def run_arguments(work: Path, *arguments: str, seconds: float) -> Ended:
    """Any command as a process, whose output is read as it comes: else a full pipe would hold it up."""
    variables = {"DOCKER_CONFIG": str(work), "VARIABLE": PRIVATE.decode()}
    began = time.monotonic()
    process = program.start(*arguments, cwd=work, variables=variables)
    assert process.stdout is not None
    assert process.stderr is not None
    reading = asyncio.gather(_ends_of(process.stdout), _ends_of(process.stderr))
    waiting = asyncio.create_task(_wait(process.pid))
    try:
        async with asyncio.timeout(seconds):
            await asyncio.shield(waiting)
    except TimeoutError:
        process.send_signal(signal.SIGKILL)
    status, memory, cpu_seconds = await waiting
    process.returncode = os.waitstatus_to_exitcode(status)
    _, stderr = await reading
    text = stderr.decode(errors="replace")
    return Ended(process.returncode, text, memory, time.monotonic() - began, cpu_seconds)


async def _ends_of(stream: IO[bytes]) -> bytes:
    """Read it to its end; returns all of it, or the first and last of much."""

    def read() -> bytes:
        first, last = b"", b""
        with stream:
            while piece := os.read(stream.fileno(), 1 << 16):
                if len(first) < _KEPT_BYTES:
                    first += piece
                else:
                    last = (last + piece)[-_KEPT_BYTES:]
        return first + last

    return await asyncio.to_thread(read)


async def run_as_process(case: Case, folder: Path) -> Ended:
    """One case against a real process."""
    work, outside = lay_out(folder)
    here = os.getcwd()
    os.chdir(work)
    try:
        case.prepare()
    finally:
        os.chdir(here)
    before = tree(outside)
    async with hostile_daemon(folder, case.script, case.seconds) as daemon:
        ended = await run_program(work, folder / "daemon.sock", case.output, seconds=case.seconds)
    assert ended.exit == (1 if case.says else 0), ended.stderr
    judge(case, daemon, ended.stderr)
    assert "Traceback" not in ended.stderr
    assert tree(outside) == before, "the daemon changed what lies outside"
    return ended


async def _wait(pid: int) -> tuple[int, int, float]:
    """Its status, its peak and its CPU time. The peak is looked at often: ru_maxrss would count what started
    it too."""
    peak = 0
    while True:
        if found := re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text()):
            peak = int(found[1]) * 1024
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, peak, used.ru_utime + used.ru_stime
        await asyncio.sleep(0.01)


def judge(case: Case, daemon: HostileDaemon, error: str) -> None:
    if daemon.failure is not None:
        raise daemon.failure
    assert PRIVATE not in b"".join(daemon.got), "the daemon was sent what was not offered"
    if case.says:
        assert case.says in error
    else:
        assert not error or "error:" not in error
    found = sorted(os.fsdecode(path) for path in tree(Path(daemon.folder, "work", "out")))
    # The next build goes on with what has come of a blob.
    found = [path for path in found if not path.startswith("ingest/")]
    assert found == sorted(case.leaves), found
