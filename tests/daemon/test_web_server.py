"""A web server that builds for its clients, many at once, some of whom leave: nothing of that stays."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import tempfile
import threading
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

import buildctl
from buildctl import Client, Context, File, Output
from tests.support.engines import Engine

pytestmark = [pytest.mark.daemon, pytest.mark.timeout(120)]

CLIENTS = 50
LONG = "78.0625"
"""Seconds that nothing else on this machine sleeps."""
CLIENT: web.AppKey[Client] = web.AppKey("client", Client)


class Server:
    """Builds a context in memory for each request and answers with a file of the result."""

    def __init__(self, busybox: bytes, folder: Path) -> None:
        self.busybox = busybox
        self.folder = folder
        self.begun = self.running = 0
        self.cancelled = 0

    async def build(self, request: web.Request) -> web.Response:
        number, seconds = request.query["number"], request.query["seconds"]
        context = Context.files(
            {
                "busybox": File(self.busybox, mode=0o755),
                "number": number,
                "Dockerfile": (
                    "FROM scratch AS run\nCOPY busybox number /\n"
                    f'RUN ["/busybox", "sleep", "{seconds}"]\nFROM scratch\nCOPY --from=run /number /\n'
                ),
            }
        )
        out = self.folder / number
        self.begun += 1
        self.running += 1
        try:
            await request.app[CLIENT].build(context, network="none", output=Output.local(out))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        return web.Response(body=(out / "number").read_bytes())


def sleeping(seconds: str) -> int:
    """How many steps sleep so long; each is in a namespace of its own."""
    found = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found += (process / "cmdline").read_bytes() == f"/busybox\0sleep\0{seconds}\0".encode()
    return found


def open_files() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def tasks_of_builds() -> int:
    """All tasks but those that carry connections, which stay for the builds to come."""
    named = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return len([name for name in named if not name.startswith("Relay.")])


async def settled(measure: object, limit: int, seconds: float = 15) -> int:
    """The measure, once it is no more than the limit, or the time is over."""
    assert callable(measure)
    deadline = asyncio.get_running_loop().time() + seconds
    while (found := int(measure())) > limit and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.05)
    return found


@pytest.mark.long
async def test_fifty_clients_of_whom_half_leave(
    engine_26: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    server = Server(engine_26.busybox.read_bytes(), tmp_path)
    environ = {"HOME": str(tmp_path), "TMPDIR": str(temporary), "PATH": os.environ["PATH"]}
    async with buildctl.connect(f"docker://{engine_26.socket}", environ=environ) as client:
        app = web.Application()
        app[CLIENT] = client
        app.router.add_get("/build", server.build)
        runner = web.AppRunner(app, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]

        async def ask(number: int, seconds: str) -> bytes:
            query = {"number": str(number), "seconds": seconds}
            connector = aiohttp.TCPConnector(force_close=True)
            async with (
                aiohttp.ClientSession(connector=connector) as browser,
                browser.get(f"http://127.0.0.1:{port}/build", params=query) as answer,
            ):
                assert answer.status == 200, await answer.text()
                return await answer.read()

        # What is opened once, connections for so many builds among it, is open afterwards.
        await asyncio.gather(*(ask(1000 + number, "0") for number in range(CLIENTS)))
        tasks, files, threads = tasks_of_builds(), open_files(), threading.active_count()

        stay = [asyncio.create_task(ask(number, "1")) for number in range(0, CLIENTS, 2)]
        leave = [asyncio.create_task(ask(number, LONG)) for number in range(1, CLIENTS, 2)]
        async with asyncio.timeout(60):
            while server.begun < 2 * CLIENTS or not sleeping(LONG):
                await asyncio.sleep(0.05)
        for task in leave:
            task.cancel()
        answers = await asyncio.gather(*stay)
        assert answers == [str(number).encode() for number in range(0, CLIENTS, 2)]
        assert all(
            isinstance(one, asyncio.CancelledError)
            for one in await asyncio.gather(*leave, return_exceptions=True)
        )

        assert await settled(lambda: server.running, 0) == 0
        assert server.cancelled == CLIENTS // 2
        assert await settled(lambda: sleeping(LONG), 0) == 0, "the daemon's builds have ended"
        assert await settled(tasks_of_builds, tasks) == tasks
        assert await settled(open_files, files) <= files
        assert await settled(threading.active_count, threads) <= threads + 1
        await runner.cleanup()
    assert list(temporary.iterdir()) == []
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".tmp")]
    assert {path.name for path in tmp_path.iterdir() if path.name.isdigit()} == {
        *(str(1000 + number) for number in range(CLIENTS)),
        *map(str, range(0, CLIENTS, 2)),
    }
