"""A daemon that falls silent and keeps the connection is given up at every stage, and what waited named."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from buildctl._pb.secrets_pb2 import GetSecretRequest
from buildctl.client.client import Client
from buildctl.errors import BuildctlError
from tests.hostile.case import ENDS_WITHIN, MAX_MEMORY, lay_out, offers, run_program
from tests.hostile.conftest import Survived
from tests.support.faulty_link import FaultyLink
from tests.support.fsutil_sender import Entry, data_packet, stat_packet
from tests.support.hostile_daemon import HostileDaemon
from tests.support.http2 import SETTINGS, frame
from tests.support.scripted_daemon import LIST_WORKERS, SESSION, SOLVE, STATUS, scripted_daemon

STALL_SECONDS = 1.0
LIMIT = ("--stall-timeout", "1s")
OUTPUT = "type=local,dest=out"


class SilentDaemon(HostileDaemon):
    """Stops saying anything when the stage comes; what it would say after that is lost on the way."""

    def __init__(self, folder: Path, stage: Stage) -> None:
        super().__init__(folder, self._act)
        self.link = FaultyLink(folder / "daemon.sock", folder / "link.sock")
        self.is_silent = False
        self._stage = stage

    def fall_silent(self) -> None:
        self.is_silent = True
        self.link.hold()

    async def _act(self, daemon: HostileDaemon) -> None:
        if self._stage.act is not None:
            await self._stage.act(self)
            self.fall_silent()
        await asyncio.Event().wait()


class Hearing(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs alone
    """The session of a daemon that falls silent when it hears a certain call."""

    def __init__(self, daemon: SilentDaemon, call: str) -> None:
        self._daemon = daemon
        self._call = call

    def service(self, details: Any) -> Any:
        if self._call and details.method.endswith(self._call):
            self._daemon.fall_silent()
        return self._daemon.session.service(details)


@contextlib.asynccontextmanager
async def silent_daemon(folder: Path, stage: Stage) -> AsyncIterator[SilentDaemon]:
    daemon = SilentDaemon(folder, stage)
    hearing = Hearing(daemon, stage.call)
    async with scripted_daemon(folder / "daemon.sock", daemon.answers, session=hearing):
        with daemon.link:
            yield daemon
            await daemon.hang_up()


@dataclass(frozen=True)
class Stage:
    name: str
    waits: str
    """What is said to have waited."""
    act: Callable[[SilentDaemon], Awaitable[None]] | None = None
    """What is done before the silence, while Solve runs."""
    call: str = ""
    """Or the call that is not answered, nor anything after it."""


async def asks_for_nothing(daemon: SilentDaemon) -> None:
    """The session is there, and nothing is asked."""


async def takes_half_a_folder(daemon: SilentDaemon) -> None:
    stream = daemon.open("/moby.filesync.v1.FileSync/DiffCopy", [("dir-name", "context")])
    await stream.receive_messages()


async def delivers_half_a_file(daemon: SilentDaemon) -> None:
    stream = daemon.open("/moby.filesync.v1.FileSend/DiffCopy")
    await stream.send_messages([stat_packet(Entry("file", content=b"whole")), data_packet(0, b"who")])
    out = daemon.folder / "work" / "out"
    while not (out.exists() and any(out.iterdir())):
        await asyncio.sleep(0.01)


async def asks_for_a_secret(daemon: SilentDaemon) -> None:
    stream = daemon.open("/moby.buildkit.secrets.v1.Secrets/GetSecret")
    await stream.send_messages([GetSecretRequest(ID="offered").SerializeToString()])


async def says_that_all_is_done(daemon: SilentDaemon) -> None:
    """Status ends as it does when a build is over, and Solve never answers."""
    before = daemon.link.carried["down"]
    daemon.solved.set()
    while daemon.link.carried["down"] == before:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)


STAGES = [
    Stage("listing workers", "ListWorkers", call=LIST_WORKERS),
    Stage("the session", "Solve", call=SESSION),
    Stage("solve", "Solve", call=SOLVE),
    Stage("status", "Status", call=STATUS),
    Stage("nothing was asked for yet", "Solve, Status", asks_for_nothing),
    Stage("the middle of an upload", "Solve, Status", takes_half_a_folder),
    Stage("the middle of an export", "Solve, Status", delivers_half_a_file),
    Stage("a secret is asked for", "Solve, Status", asks_for_a_secret),
    Stage("the end", "Solve", says_that_all_is_done),
]


def judge(stage: Stage, daemon: SilentDaemon, error: str) -> None:
    assert daemon.is_silent
    assert f"no sign of life for {STALL_SECONDS:g} s; what was waiting for it: " in error
    assert stage.waits in error
    out = daemon.folder / "work" / "out"
    assert not out.exists() or list(out.iterdir()) == []


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
async def test_falls_silent(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, _ = lay_out(tmp_path)
    monkeypatch.chdir(work)
    opt, attachables = offers(work, OUTPUT)
    async with (
        silent_daemon(tmp_path, stage) as daemon,
        grpc.aio.insecure_channel(f"unix:{daemon.link.path}") as channel,
    ):
        client = Client(channel, stall_seconds=STALL_SECONDS)
        async with asyncio.timeout(ENDS_WITHIN):
            with pytest.raises(BuildctlError) as caught:
                await client.solve(opt, attachables=attachables)
    judge(stage, daemon, str(caught.value))


@pytest.mark.long
@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
async def test_falls_silent_to_the_program(stage: Stage, tmp_path: Path, survived: Survived) -> None:
    work, _ = lay_out(tmp_path)
    async with silent_daemon(tmp_path, stage) as daemon:
        ended = await run_program(work, daemon.link.path, OUTPUT, *LIMIT, seconds=ENDS_WITHIN)
    judge(stage, daemon, ended.stderr)
    assert ended.exit == 1
    assert ended.memory < MAX_MEMORY
    survived("silence at this stage: " + stage.name, ended)


@pytest.mark.parametrize("greeting", [b"", frame(SETTINGS, 0, 0)], ids=["connecting", "settings"])
async def test_takes_the_connection_and_answers_nothing(
    greeting: bytes, tmp_path: Path, survived: Survived
) -> None:
    work, _ = lay_out(tmp_path)

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        while await reader.read(1 << 16):
            pass
        writer.close()

    server = await asyncio.start_unix_server(greet, str(tmp_path / "s"))
    async with server:
        ended = await run_program(work, tmp_path / "s", OUTPUT, *LIMIT, seconds=ENDS_WITHIN)
    assert "waiting for it: ListWorkers" in ended.stderr
    assert ended.exit == 1
    assert ended.memory < MAX_MEMORY
    survived("silence from the beginning", ended)
