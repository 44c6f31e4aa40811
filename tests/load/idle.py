"""A session that nobody needs for a while, and a build on the same connection after it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from buildctl import Client, parse_address
from buildctl.client.rpc import Caller
from buildctl.model.identity import new_id
from buildctl.session.tunnel import Session
from buildctl.transport.channel import open_connection
from tests.load import builds
from tests.load.growth import Sample, take_sample
from tests.support.engines import Engine

_POLL_SECONDS = 0.5  # the daemon asks for health every second or every five


@dataclass(frozen=True)
class Idle:
    """How it went."""

    seconds: float
    checks: int
    """Health checks that came and were answered."""
    client_cpu_seconds: float
    before: Sample
    after: Sample


async def hold_session(engine: Engine, folder: Path, seconds: float) -> Idle:
    """Hold a session for so long without a build, end it, and build. Raises what ends it before its time."""
    context = builds.make_context(folder / "context", 1)
    async with open_connection(parse_address(f"docker://{engine.socket}"), environ={}) as connection:
        session = Session([], new_id())
        caller = Caller(connection.channel, dial=connection.dial)
        running = asyncio.create_task(session.run(caller.session(session.metadata)))
        while session.last_health_check is None:
            await asyncio.sleep(_POLL_SECONDS)
        began, cpu, before = time.monotonic(), time.process_time(), take_sample(0, folder)
        seen = {session.last_health_check}
        while time.monotonic() - began < seconds and not running.done():
            await asyncio.sleep(_POLL_SECONDS)
            seen.add(session.last_health_check)
        cpu, after = time.process_time() - cpu, take_sample(0, folder)
        session.close()
        await running
        took = time.monotonic() - began
        await builds.build(Client(connection.channel, dial=connection.dial), context, folder / "out", 1)
    return Idle(took, len(seen), cpu, before, after)
