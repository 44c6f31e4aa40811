"""A session on real BuildKits: they find this client healthy and end the session when it asks."""

from __future__ import annotations

import asyncio
import time

import pytest

from buildctl import parse_address
from buildctl.client.rpc import Caller
from buildctl.model.identity import new_id
from buildctl.session.tunnel import Session
from buildctl.transport.channel import open_connection
from tests.support.engines import Engine

pytestmark = pytest.mark.daemon


async def test_the_daemon_asks_for_health_and_lets_go(engine: Engine) -> None:
    async with open_connection(parse_address(f"docker://{engine.socket}"), environ={}) as connection:
        session = Session([], new_id())
        running = asyncio.create_task(session.run(Caller(connection.channel).session(session.metadata)))
        deadline = time.monotonic() + 12  # it asks every second or every five
        while session.last_health_check is None and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
            assert not running.done()
        assert session.last_health_check is not None
        started = time.monotonic()
        session.close()
        await running
        assert time.monotonic() - started < 2
