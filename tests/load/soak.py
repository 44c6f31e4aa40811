"""Build for half an hour in one process, and see that it holds no more at the end than near the beginning.

    python -m tests.load.soak --seconds 1800 --rate 1

Most builds end well. Every fifth fails, every seventh is cancelled under way; half of them have a connection
of their own and half share one. Ends with 1 if memory, descriptors, threads or temporary files have grown.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from buildctl import Client, PruneOpt, parse_address
from tests.load import builds
from tests.load.growth import Sample, grown, growth, take_sample
from tests.load.record import record
from tests.support import packages
from tests.support.engines import Engine

FAILS, CANCELLED, PRUNED = 5, 7, 200
MEMORY_BYTES = 4 << 20
"""What memory may grow by from warm-up to end: the noise of an allocator, in a minute or an hour."""


@dataclass
class Soak:
    """What has been done, and what was held meanwhile."""

    seconds: float = 0.0
    built: int = 0
    failed: int = 0
    cancelled: int = 0
    samples: list[Sample] = field(default_factory=list)

    @property
    def all(self) -> int:
        return self.built + self.failed + self.cancelled

    def table(self) -> str:
        """For people, as Markdown."""
        first, last = self.samples[int(len(self.samples) * 0.25)], self.samples[-1]
        rows = [
            "| held | after the warm-up | at the end | trend over the run |",
            "| --- | --- | --- | --- |",
            f"| memory | {first.memory_bytes / 1e6:.1f} MB | {last.memory_bytes / 1e6:.1f} MB"
            f" | {growth(self.samples, 'memory_bytes') / 1e6:+.2f} MB |",
        ]
        for what in ("descriptors", "threads", "temporary_files"):
            values = f"{getattr(first, what)} | {getattr(last, what)} | {growth(self.samples, what):+.1f}"
            rows.append(f"| {what.replace('_', ' ')} | {values} |")
        return "\n".join(rows) + "\n"

    def sentence(self) -> str:
        minutes = self.seconds / 60
        return (
            f"{self.all} builds in {minutes:.0f} minutes in one process: {self.built} succeeded, "
            f"{self.failed} failed and {self.cancelled} were cancelled, as they were meant to. "
            f"{len(self.samples)} samples, a quarter of them warm-up.\n"
        )


async def soak(engine: Engine, folder: Path, *, seconds: float, rate: float = 0.0, every: int = 10) -> Soak:
    """Build for so long, `rate` builds a second at most (0: no limit), and sample `every` so many builds.

    Everything is made below `folder`, whose path must be short: sockets are made there too.
    """
    temporary = folder / "tmp"
    temporary.mkdir(mode=0o700)
    good, bad = builds.make_context(folder / "good", 0), folder / "bad"
    builds.make_context(bad, 0, builds.BROKEN)
    done = Soak()
    began = time.monotonic()
    async with _client(engine, temporary) as shared:
        while (now := time.monotonic()) - began < seconds:
            async with contextlib.AsyncExitStack() as stack:
                number = done.all
                client = shared if number % 2 else await stack.enter_async_context(_client(engine, temporary))
                await _one(client, done, good, bad, folder / "out")
                if number % PRUNED == PRUNED - 1:
                    await _prune(client)
            if done.all % every == 0:
                done.samples.append(take_sample(done.all, folder))
            if rate:
                await asyncio.sleep(max(0.0, now + 1 / rate - time.monotonic()))
    done.seconds = time.monotonic() - began
    return done


@contextlib.asynccontextmanager
async def _client(engine: Engine, temporary: Path) -> AsyncIterator[Client]:
    address = parse_address(f"docker://{engine.socket}")
    async with Client.connect(address, environ={"TMPDIR": str(temporary)}) as client:
        yield client


async def _one(client: Client, done: Soak, good: Path, bad: Path, out: Path) -> None:
    number = done.all
    if number % FAILS == FAILS - 1:
        await builds.fail(client, bad)
        done.failed += 1
        return
    (good / "number").write_text(f"{number}\n")
    if number % CANCELLED == CANCELLED - 1:
        task = asyncio.create_task(client.solve(builds.build_opt(good, out)))
        await asyncio.sleep(0.005 * (number % 11))  # in another phase each time
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        done.cancelled += 1
        return
    await builds.build(client, good, out, number)
    done.built += 1


async def _prune(client: Client) -> None:
    async for _ in client.prune(PruneOpt(all=True)):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--rate", type=float, default=0.0, help="builds a second at most; 0 for no limit")
    parser.add_argument("--record", action="store_true", help="write the result into docs/reliability.md")
    flags = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="soak-", dir="/tmp") as folder,
        Engine(packages.ENGINE_26) as engine,
    ):
        done = asyncio.run(soak(engine, Path(folder), seconds=flags.seconds, rate=flags.rate))
    text = f"{done.sentence()}\n{done.table()}"
    print(text)
    if flags.record:
        record("soak", text)
    if found := grown(done.samples, memory_bytes=MEMORY_BYTES):
        sys.exit(f"grown: {found}")


if __name__ == "__main__":
    main()
