"""Many builds at once on one engine: from one process, and from as many processes."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from buildctl import Client, parse_address
from tests.load import builds
from tests.support import program
from tests.support.engines import Engine


@dataclass(frozen=True)
class Crowd:
    """How it went."""

    builds: int
    seconds: float
    client_cpu_seconds: float
    memory_bytes: int
    """The most that a process of the client had resident, this one's tests included."""


async def from_one_process(engine: Engine, folder: Path, count: int, *, clients: int = 1) -> Crowd:
    """Build `count` different contexts at once, spread over so many clients; every one must end well."""
    contexts = [builds.make_context(folder / f"context{number}", number) for number in range(count)]
    began, cpu = time.monotonic(), time.process_time()
    async with contextlib.AsyncExitStack() as stack:
        address = parse_address(f"docker://{engine.socket}")
        connected = [await stack.enter_async_context(Client.connect(address)) for _ in range(clients)]
        results = await asyncio.gather(
            *(
                builds.build(connected[number % clients], context, folder / f"out{number}", number)
                for number, context in enumerate(contexts)
            )
        )
    assert len({result.ref for result in results}) == count
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Crowd(count, time.monotonic() - began, time.process_time() - cpu, most)


def from_processes(engine: Engine, folder: Path, count: int, *, timeout: float) -> Crowd:
    """Run `count` processes at once, each with a context of its own; every one must end well and silent."""
    contexts = [builds.make_context(folder / f"context{number}", number) for number in range(count)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    running = [_start(engine, context, folder / f"out{n}") for n, context in enumerate(contexts)]
    try:
        for process in running:
            said, _ = process.communicate(timeout=max(1.0, began + timeout - time.monotonic()))
            assert (process.returncode, said) == (0, b"")
    finally:
        for process in running:
            process.kill()
            process.wait()
    took = time.monotonic() - began
    for number in range(count):
        assert (folder / f"out{number}" / "number").read_text() == f"{number}\n"
        assert len(list((folder / f"out{number}" / "files").iterdir())) == builds.FILES
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Crowd(count, took, cpu, after.ru_maxrss * 1024)


def _start(engine: Engine, context: Path, out: Path) -> subprocess.Popen[bytes]:
    arguments = ["--addr", f"docker://{engine.socket}", "build", "--progress", "quiet"]
    arguments += [
        "--frontend",
        "dockerfile.v0",
        "--local",
        f"context={context}",
        "--local",
        f"dockerfile={context}",
    ]
    arguments += ["--output", f"type=local,dest={out}"]
    return subprocess.Popen(
        [*program.COMMAND, *arguments],
        env=program.environment(context.parent),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
