"""A session on real BuildKits: they find this client healthy and end the session when it asks."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from buildctl import parse_address
from buildctl.client.client import Client
from buildctl.client.rpc import Caller
from buildctl.model.identity import new_id
from buildctl.session.tunnel import Session
from buildctl.transport.channel import open_connection
from buildctl.transport.engine import engine_socket_dialer
from tests.load.builds import build, make_context
from tests.support.engines import Engine

pytestmark = pytest.mark.daemon


async def test_the_daemon_asks_for_health_and_lets_go(engine: Engine) -> None:
    async with open_connection(parse_address(f"docker://{engine.socket}"), environ={}) as connection:
        session = Session([], new_id())
        caller = Caller(connection.channel, dial=connection.dial)
        running = asyncio.create_task(session.run(caller.session(session.metadata)))
        deadline = time.monotonic() + 12  # it asks every second or every five
        while session.last_health_check is None and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
            assert not running.done()
        assert session.last_health_check is not None
        started = time.monotonic()
        session.close()
        await running
        assert time.monotonic() - started < 2


@pytest.mark.parametrize("others", ["refused", "unanswered", "another daemon"])
async def test_a_socket_that_carries_one_connection_is_enough(
    engine_26: Engine, engine_20: Engine, tmp_path: Path, others: str
) -> None:
    """Such as one that is forwarded: the session then shares the connection of the other calls."""
    context = make_context(tmp_path / "context", 5)
    async with (
        one_connection(engine_26, engine_20, tmp_path / "one.sock", others) as path,
        Client.connect(parse_address(f"unix://{path}")) as client,
    ):
        await build(client, context, tmp_path / "out", 5)


@contextlib.asynccontextmanager
async def one_connection(engine: Engine, another: Engine, path: Path, others: str) -> AsyncIterator[Path]:
    """A socket that leads the first who comes to the daemon, and others nowhere or to another."""
    carried: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carried.append(writer)
        first = len(carried) == 1
        if not first and others != "another daemon":
            return
        if others == "refused":
            server.close()
        upstream = await engine_socket_dialer(str((engine if first else another).socket))()
        answers, requests = await asyncio.open_unix_connection(sock=upstream.sock)
        carried.append(requests)
        writer.write(upstream.early)
        await asyncio.gather(copy(reader, requests), copy(answers, writer))

    server = await asyncio.start_unix_server(accept, path)
    try:
        yield path
    finally:
        server.close()
        for writer in carried:
            writer.close()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
