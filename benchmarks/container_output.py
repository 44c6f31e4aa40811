"""How fast a container's output comes to Python, beside the same bytes through a pipe on this machine.

    python -m benchmarks.container_output [20.10|26.1]

Starts an engine (root). What the daemon can send is the limit: it sends messages of 32 KiB.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from buildctl import Client, SolveOpt, llb, parse_address
from tests.support import packages
from tests.support.engines import Engine

MEGABYTES = 200
COMMAND = ["dd", "if=/dev/zero", "bs=1048576", f"count={MEGABYTES}"]


async def container_seconds(engine: Engine, folder: Path) -> float:
    """The time from the start of the process to its end."""
    size = 0

    def take(piece: bytes) -> None:
        nonlocal size
        size += len(piece)

    async with (
        Client.connect(parse_address(f"docker://{engine.socket}")) as client,
        client.open_build(SolveOpt(local_dirs={"root": str(folder)})) as build,
    ):
        ref = (await build.solve(llb.local("root"), evaluate=True)).single()
        async with build.container(
            mounts={"/": ref}, network="none", keep=["/busybox", "sleep", "99"]
        ) as box:
            began = time.perf_counter()
            process = await box.start(["/busybox", *COMMAND], stdout=take)
            await process.wait()
            took = time.perf_counter() - began
    assert size == MEGABYTES << 20
    return took


async def pipe_seconds(busybox: Path) -> float:
    """The same with a process of this machine."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        busybox, *COMMAND, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout
    while await process.stdout.read(1 << 18):
        pass
    await process.wait()
    return time.perf_counter() - began


def main() -> None:
    """Print both rates and their ratio, the best of three."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else packages.ENGINE_26.name
    release = next(one for one in (packages.ENGINE_20, packages.ENGINE_26) if one.name == wanted)
    with Engine(release) as engine, tempfile.TemporaryDirectory() as folder:
        shutil.copy(engine.busybox, Path(folder, "busybox"))
        container = min(asyncio.run(container_seconds(engine, Path(folder))) for _ in range(3))
        pipe = min(asyncio.run(pipe_seconds(engine.busybox)) for _ in range(3))
    rates = f"container {MEGABYTES / container:.0f} MiB/s, pipe {MEGABYTES / pipe:.0f} MiB/s"
    print(f"{rates}: {pipe / container:.2f}")


if __name__ == "__main__":
    main()
