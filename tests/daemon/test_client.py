"""The client library on real BuildKits."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tarfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from buildctl import (
    Client,
    Code,
    DirectoryDestination,
    Export,
    FileDestination,
    PruneOpt,
    RPCError,
    SolveError,
    SolveOpt,
    SolveStatus,
    format_excerpt,
    parse_address,
)
from buildctl.client.gateway.gateway import has_gateway
from buildctl.client.rpc import Caller
from buildctl.transport.channel import open_connection
from tests.support.engines import Engine
from tests.support.mounts import small_tmpfs

pytestmark = pytest.mark.daemon


@contextlib.asynccontextmanager
async def client_of(engine: Engine) -> AsyncIterator[Client]:
    async with Client.connect(parse_address(f"docker://{engine.socket}")) as client:
        yield client


def context(folder: Path, engine: Engine, *steps: str) -> Path:
    """A build context with a shell."""
    folder.mkdir(exist_ok=True)
    shutil.copy(engine.busybox, folder / "busybox")
    shell = 'SHELL ["/busybox", "sh", "-c"]'
    (folder / "Dockerfile").write_text("\n".join(["FROM scratch", "COPY busybox /", shell, *steps, ""]))
    return folder


def dockerfile(folder: Path, exports: Sequence[Export] = (), **attrs: str) -> SolveOpt:
    return SolveOpt(
        "dockerfile.v0",
        {"no-cache": "", "force-network-mode": "none", **attrs},
        local_dirs={"context": str(folder), "dockerfile": str(folder)},
        exports=tuple(exports),
    )


async def test_workers(engine: Engine) -> None:
    async with client_of(engine) as client:
        workers = await client.workers()
        assert await client.workers(["id==nobody"]) == []
    assert {platform.os for worker in workers for platform in worker.platforms} == {"linux"}


async def test_info(engine: Engine) -> None:
    async with client_of(engine) as client:
        await client.wait(10)
        if engine.buildkit.startswith("0.8"):
            with pytest.raises(RPCError) as caught:
                await client.info()
            assert str(caught.value) == (
                "failed to call info: Unimplemented: unknown method Info for service moby.buildkit.v1.Control"
            )
        else:
            assert await client.info() is not None


async def test_both_have_a_gateway(engine: Engine) -> None:
    address = parse_address(f"docker://{engine.socket}")
    async with open_connection(address, environ={}) as connection:
        assert await has_gateway(Caller(connection.channel))


async def test_a_build_into_a_folder_and_what_it_leaves_in_the_cache(engine: Engine, tmp_path: Path) -> None:
    folder = context(tmp_path / "context", engine, "RUN echo hello > /greeting")
    out = Export("local", destination=DirectoryDestination(str(tmp_path / "out")))
    seen: list[SolveStatus] = []
    async with client_of(engine) as client:
        result = await client.solve(dockerfile(folder, [out]), seen.append)
        usage = await client.disk_usage()
        pruned = [record async for record in client.prune(PruneOpt(all=True))]
        left = await client.disk_usage()
    assert len(result.ref) == 25
    assert (tmp_path / "out" / "greeting").read_text() == "hello\n"
    assert (tmp_path / "out" / "busybox").read_bytes() == (folder / "busybox").read_bytes()
    names = [vertex.name for status in seen for vertex in status.vertexes]
    assert names[0] == "[internal] load build definition from Dockerfile"
    assert "exporting to client" in " ".join(names)
    assert any(status.statuses for status in seen)
    assert [record.size_bytes for record in usage] == sorted(record.size_bytes for record in usage)
    assert {record.id for record in pruned} <= {record.id for record in usage}
    assert pruned
    assert len(left) < len(usage)


async def test_a_build_into_a_tar_archive(engine: Engine, tmp_path: Path) -> None:
    folder = context(tmp_path / "context", engine, "RUN echo hello > /greeting")
    out = Export("tar", destination=FileDestination(str(tmp_path / "out.tar")))
    async with client_of(engine) as client:
        await client.solve(dockerfile(folder, [out]))
    with tarfile.open(tmp_path / "out.tar") as archive:
        greeting = archive.extractfile("greeting")
        assert greeting is not None
        assert greeting.read() == b"hello\n"


async def test_a_step_that_fails(engine: Engine, tmp_path: Path) -> None:
    folder = context(tmp_path / "context", engine, "RUN echo said; exit 7")
    seen: list[SolveStatus] = []
    async with client_of(engine) as client:
        with pytest.raises(SolveError) as caught:
            await client.solve(dockerfile(folder), seen.append)
    assert str(caught.value).startswith("failed to solve: ")
    assert str(caught.value).endswith("exit code: 7")
    assert b"said\n" in [log.data for status in seen for log in status.logs]
    if not engine.buildkit.startswith("0.8"):  # which does not say where
        (excerpt,) = caught.value.excerpts
        assert "   4 | >>> RUN echo said; exit 7\n" in format_excerpt(excerpt)


async def test_a_full_disk_is_told_with_what_to_do(engine: Engine, tmp_path: Path) -> None:
    folder = context(tmp_path / "context", engine)
    with small_tmpfs(tmp_path / "small", 1 << 20) as small:
        out = Export("tar", destination=FileDestination(str(small / "out.tar")))
        async with client_of(engine) as client:
            with pytest.raises(SolveError, match="no space left on device") as caught:
                await client.solve(dockerfile(folder, [out]))
        assert os.listdir(small) == []
    assert caught.value.hint


async def test_what_is_not_there_is_named(engine: Engine, tmp_path: Path) -> None:
    async with client_of(engine) as client:
        with pytest.raises(SolveError, match="failed to solve: .*nope.v0"):
            await client.solve(SolveOpt("nope.v0"))
        with pytest.raises(SolveError, match="no local sources enabled"):
            await client.solve(SolveOpt("dockerfile.v0"))


async def test_an_exporter_that_does_not_exist_is_told_at_once(engine: Engine, tmp_path: Path) -> None:
    began = time.monotonic()
    async with client_of(engine) as client:
        with pytest.raises(SolveError, match='exporter "nope" could not be found'):
            await client.solve(dockerfile(tmp_path, [Export("nope")]))
    assert time.monotonic() - began < 3  # the reference waits for five seconds


async def test_a_cancelled_build_ends_on_the_daemon(engine: Engine, tmp_path: Path) -> None:
    folder = context(tmp_path / "context", engine, "RUN echo begun; sleep 60")
    begun = asyncio.Event()
    seen: list[SolveStatus] = []

    def sink(status: SolveStatus) -> None:
        seen.append(status)
        if any(log.data == b"begun\n" for log in status.logs):
            begun.set()

    async with client_of(engine) as client:
        task = asyncio.create_task(client.solve(dockerfile(folder), sink))
        await begun.wait()
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 2
    errors = [vertex.error for status in seen for vertex in status.vertexes if vertex.error]
    assert "canceled" in errors[-1]


async def test_a_ref_that_nobody_builds(engine: Engine) -> None:
    async with client_of(engine) as client:
        with pytest.raises(RPCError) as caught:
            await anext(client.status("nobody"))
    assert str(caught.value).startswith("rpc error: code = ")
    assert "no such job nobody" in str(caught.value)


async def test_an_engine_killed_in_mid_build(engine_26: Engine, tmp_path: Path) -> None:
    folder = context(tmp_path / "context", engine_26, "RUN echo begun; sleep 60")
    out = Export("local", destination=DirectoryDestination(str(tmp_path / "out")))
    begun = asyncio.Event()

    def sink(status: SolveStatus) -> None:
        if any(log.data == b"begun\n" for log in status.logs):
            begun.set()

    with Engine(engine_26.release) as engine:
        async with client_of(engine) as client:
            task = asyncio.create_task(client.solve(dockerfile(folder, [out]), sink))
            await begun.wait()
            began = time.monotonic()
            await asyncio.to_thread(engine.kill)
            with pytest.raises(RPCError) as caught:
                await task
            assert time.monotonic() - began < 10
            with pytest.raises(
                RPCError, match="failed to list workers: Unavailable: connection error"
            ) as gone:
                await client.workers()
            assert gone.value.code is Code.UNAVAILABLE
    assert str(caught.value) == (
        "failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF"
    )
    assert not (tmp_path / "out").exists() or not os.listdir(tmp_path / "out")
