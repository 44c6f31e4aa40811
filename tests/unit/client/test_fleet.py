"""Which of several daemons is taken, and what those cost that do not answer."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from buildctl import Client, ConnectError
from buildctl._pb import control_pb2, worker_pb2
from buildctl.transport.pool.choose import Candidate, rank
from tests.support.scripted_daemon import LIST_WORKERS, ScriptedDaemon, scripted_daemon


def on(architecture: str) -> Any:
    async def list_workers(request: bytes, context: Any) -> Message:
        platform = {"OS": "linux", "Architecture": architecture}
        record = worker_pb2.WorkerRecord(ID=architecture, platforms=[platform])
        return control_pb2.ListWorkersResponse(record=[record])

    return list_workers


class Daemons:
    """Several on sockets in a folder; those of `silent` take connections and say nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"XDG_STATE_HOME": str(folder)}
        self.served: dict[str, ScriptedDaemon] = {}

    @contextlib.asynccontextmanager
    async def serve(self, *names: str, silent: Sequence[str] = ()) -> AsyncIterator[str]:
        async with contextlib.AsyncExitStack() as stack:
            for name in names:
                answers = {LIST_WORKERS: on(name.partition("-")[0])}
                served = scripted_daemon(self.folder / name, answers)
                self.served[name] = await stack.enter_async_context(served)
            for name in silent:
                listener = stack.enter_context(socket.socket(socket.AF_UNIX))
                listener.bind(str(self.folder / name))
                listener.listen()
            yield self.address(*names, *silent)

    def address(self, *names: str) -> str:
        return ",".join(f"unix://{self.folder}/{name}" for name in names)

    async def taken(self, address: str, sticky: str = "p", **options: Any) -> str:
        async with Client.connect(address, environ=self.environ, sticky=sticky, **options) as client:
            assert client.taken is not None
            assert (await client.workers())[0].id
            return client.taken.address.path.rpartition("/")[2]

    def order(self, key: str, *names: str) -> list[str]:
        ranked = rank([Candidate(self.address(name)) for name in names], key)
        return [one.name.rpartition("/")[2] for one in ranked]

    def known(self) -> Any:
        return json.loads((self.folder / "buildctl" / "daemons.json").read_text())


@pytest.fixture
def daemons(tmp_path: Path) -> Daemons:
    return Daemons(tmp_path)


async def test_a_project_stays(daemons: Daemons) -> None:
    async with daemons.serve("a", "b", "c") as address:
        for key in ("one", "two", "three"):
            best = daemons.order(key, "a", "b", "c")[0]
            assert [await daemons.taken(address, key) for _ in range(3)] == [best] * 3


async def test_ten_daemons_of_which_two_do_not_answer(daemons: Daemons) -> None:
    names = [f"d{n}" for n in range(10)]
    key = "p"
    silent = daemons.order(key, *names)[:2]
    async with daemons.serve(*(name for name in names if name not in silent), silent=silent) as address:
        best = daemons.order(key, *names)[2]
        took = []
        for _ in range(5):
            began = time.monotonic()
            assert await daemons.taken(address, key) == best
            took.append(time.monotonic() - began)
        print("seconds", took)
        assert min(took) < 0.2  # measured quietly it is well below 0.03; a loaded machine is slower


async def test_one_that_is_gone_is_passed_over_and_then_left_alone(daemons: Daemons) -> None:
    gone, next_ = daemons.order("p", "a", "b")
    async with daemons.serve(next_):
        address = daemons.address("a", "b")
        async with Client.connect(address, environ=daemons.environ, sticky="p") as client:
            assert client.taken is not None
            (line,) = client.taken.passed_over
            assert f"/{gone} passed over: " in line
        async with Client.connect(address, environ=daemons.environ, sticky="p") as client:
            assert client.taken is not None
            assert client.taken.passed_over == ()
    assert daemons.known()[daemons.address(gone)]["failures"] == 1


async def test_none_answers(daemons: Daemons) -> None:
    with pytest.raises(ConnectError, match=r"none of 2 daemons answers: .*no such file"):
        await daemons.taken(daemons.address("a", "b"))


async def test_a_platform_is_built_where_it_is_native(daemons: Daemons) -> None:
    async with daemons.serve("amd64-1", "amd64-2", "arm64", "amd64-3") as address:
        for key in "abc":
            assert await daemons.taken(address, key, platforms=["linux/arm64"]) == "arm64"
            assert (await daemons.taken(address, key, platforms=["linux/amd64"])).startswith("amd64")


async def test_builds_are_counted_while_they_run(daemons: Daemons) -> None:
    async with daemons.serve("a", "b") as address:
        async with contextlib.AsyncExitStack() as stack:
            paths = []
            for _ in range(6):
                client = await stack.enter_async_context(
                    Client.connect(address, environ=daemons.environ, sticky="p")
                )
                assert client.taken is not None
                paths.append(client.taken.address.path)
            assert len(set(paths[:4])) == 1
            builds = [one["builds"] for one in daemons.known().values()]
            assert sum(map(len, builds)) == 6
            assert {pid for build in builds for pid, _ in build} == {os.getpid()}
        assert not any(one["builds"] for one in daemons.known().values())


async def test_a_failed_block_lets_go(daemons: Daemons) -> None:
    async with daemons.serve("a", "b") as address:
        with pytest.raises(KeyError):
            async with Client.connect(address, environ=daemons.environ):
                raise KeyError
        assert not any(one["builds"] for one in daemons.known().values())
