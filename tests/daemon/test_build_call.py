"""`Client.build` on real daemons: what goes in by each way, and what comes out."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from pathlib import Path
from typing import BinaryIO, cast

import pytest

import buildctl
from buildctl import (
    BuildResult,
    Client,
    Context,
    Export,
    File,
    Output,
    Progress,
    SolveError,
    SolveStatus,
    StreamDestination,
    TransferError,
    UnsupportedError,
    UsageError,
    llb,
)
from tests.support.engines import Engine

pytestmark = pytest.mark.daemon


def address(engine: Engine) -> str:
    return f"docker://{engine.socket}"


async def files_of(client: Client, context: Context | str | None, **options: object) -> dict[str, bytes]:
    """What a build exports, as files by path."""
    archive = io.BytesIO()
    await client.build(context, output=Output.tar(archive), **options)  # type: ignore[arg-type]
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        return {
            member.name: cast(BinaryIO, tar.extractfile(member)).read()
            for member in tar.getmembers()
            if member.isfile()
        }


def sent(result: BuildResult, name: str = "context") -> int:
    """How many files were sent of a local, after its ignore file had been."""
    return [one.files_sent for one in result.transfers if one.name == name][-1]


async def test_files_in_memory_are_ignored_and_reused(engine: Engine, tmp_path: Path) -> None:
    def context(text: str) -> Context:
        return Context.files(
            {
                "Dockerfile": "FROM scratch\nCOPY . /\n",
                ".dockerignore": "*.log\nDockerfile\n.dockerignore\n",
                "a": text,
                "b": bytes(100),
                "c.log": "ignored",
                "run.sh": File("#!/bin/sh\n", mode=0o755),
            }
        )

    state = {"XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    async with buildctl.connect(address(engine), environ=state) as client:
        first = await client.build(context("one"))
        again = await client.build(context("one"))
        changed = await client.build(context("two"))  # of the same size
        assert (sent(first), sent(again), sent(changed)) == (3, 0, 1)
        found = await files_of(client, context("two"))
    assert found == {"a": b"two", "b": bytes(100), "run.sh": b"#!/bin/sh\n"}


async def test_a_layered_folder_with_rules_of_its_own(engine: Engine, tmp_path: Path) -> None:
    for name in ("keep", "replaced", "hidden/x", "y.log", "sub/z.log"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("disk")
    (tmp_path / ".dockerignore").write_text("keep\n")
    dockerfile = "FROM scratch\nCOPY . /\n"
    layers: dict[str, str | None] = {"replaced": "memory", "hidden": None, "sub/new": "memory"}
    async with Client.connect(address(engine)) as client:
        context = Context.layered(tmp_path, {**layers, ".dockerignore": ""})
        layered = await files_of(client, context, dockerfile=dockerfile)
        context = Context.directory(tmp_path, ignore=["**/*.log", "hidden"])
        ruled = await files_of(client, context, dockerfile=dockerfile)
        own = await files_of(client, str(tmp_path), dockerfile=dockerfile)
    layered.pop(".dockerignore")
    assert layered == {
        **dict.fromkeys(("keep", "y.log", "sub/z.log"), b"disk"),
        **dict.fromkeys(("replaced", "sub/new"), b"memory"),
    }
    assert set(ruled) == {"keep", "replaced", ".dockerignore"}
    assert set(own) == {".dockerignore", "hidden/x", "replaced", "y.log", "sub/z.log"}
    assert (tmp_path / "replaced").read_text() == "disk", "the folder is not touched"


async def test_an_archive_and_a_dockerfile_beside_it(engine: Engine, tmp_path: Path) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, text in (("Dockerfile", b"FROM scratch\nCOPY hi /inside\n"), ("hi", b"hello")):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    (tmp_path / "c.tgz").write_bytes(archive.getvalue())
    async with Client.connect(address(engine)) as client:
        assert await files_of(client, Context.tar(archive.getvalue())) == {"inside": b"hello"}
        beside = await files_of(
            client, Context.tar(tmp_path / "c.tgz"), dockerfile="FROM scratch\nCOPY hi /beside\n"
        )
    assert beside == {"beside": b"hello"}


async def test_what_an_image_is_made_with(engine: Engine) -> None:
    async with Client.connect(address(engine)) as client:
        result = await client.build(
            dockerfile="FROM scratch AS a\nARG WHO=nobody\nLABEL who=$WHO\nFROM a AS b\nLABEL stage=b\n",
            target="a",
            tags=["called:1", "called:2"],
            build_args={"WHO": "me"},
            labels={"made.by": "python"},
        )
    for name in ("called:1", "called:2"):
        image = json.loads(engine.get(f"/images/{name}/json"))
        assert image["Config"]["Labels"] == {"who": "me", "made.by": "python"}
    assert result.digest == image["Id"] if engine.buildkit != "0.8" else result.digest
    assert result.duration > 0


async def test_secrets_by_value_are_given_and_hidden(engine: Engine) -> None:
    shown = io.StringIO()
    context = Context.files(
        {
            "busybox": File(engine.busybox.read_bytes(), mode=0o755),
            "Dockerfile": "FROM scratch\nCOPY busybox /\n"
            'RUN --mount=type=secret,id=tok ["/busybox", "cat", "/run/secrets/tok"]\n',
        }
    )
    async with Client.connect(address(engine)) as client:
        async with Progress("plain", shown, environ={}) as show:
            await client.build(
                context, secrets={"tok": "hunter2-hunter2"}, network="none", no_cache=True, on_status=show
            )
        with pytest.raises(SolveError):
            await client.build(context, network="none", no_cache=True)  # no secret was offered
    assert "***" in shown.getvalue()
    assert "hunter2" not in shown.getvalue()


async def test_a_named_context_in_memory(engine_26: Engine) -> None:
    dockerfile = "FROM scratch\nCOPY --from=extra /f /f\nCOPY --from=made /g /g\n"
    made = llb.scratch().file(llb.mkfile("/g", 0o644, b"from a graph"))
    async with Client.connect(address(engine_26)) as client:
        found = await files_of(
            client,
            None,
            dockerfile=dockerfile,
            contexts={"extra": Context.files({"f": "named"}), "made": made},
        )
    assert found == {"f": b"named", "g": b"from a graph"}


class Broken(io.RawIOBase):
    """A writer that takes some bytes."""

    taken = 0
    aborted = False

    def write(self, piece: object) -> int:
        self.taken += 1
        raise OSError(28, "No space left on device")

    def abort(self) -> None:
        self.aborted = True


async def test_an_output_that_fails_fails_the_build(engine: Engine) -> None:
    broken = Broken()
    output = Export("tar", destination=StreamDestination(lambda metadata: cast(BinaryIO, broken)))
    async with Client.connect(address(engine)) as client:
        with pytest.raises((SolveError, TransferError), match="No space left on device"):
            await client.build(Context.files({"Dockerfile": "FROM scratch\nCOPY . /\n"}), output=output)
        assert broken.aborted
        assert await client.info() if engine.buildkit != "0.8" else True, "the client still works"


async def test_loading_into_another_engine(engine_26: Engine, engine_20: Engine) -> None:
    """From a BuildKit that can write archives into the store of an Engine: nothing is kept on disk."""
    context = Context.files({"Dockerfile": "FROM scratch\nCOPY big /\n", "big": bytes(3_000_000)})
    async with Client.connect(address(engine_26)) as client:
        await client.build(context, tags=["loaded:here"], load=f"unix://{engine_20.socket}")
        image = json.loads(engine_20.get("/images/loaded:here/json"))
        assert image["Size"] >= 3_000_000
        with pytest.raises(
            (SolveError, TransferError), match="no Docker Engine at unix:///nowhere/docker.sock"
        ):
            await client.build(context, tags=["loaded:not"], load="unix:///nowhere/docker.sock")


async def test_loading_where_the_daemon_is_the_engine(engine: Engine) -> None:
    async with Client.connect(address(engine)) as client:
        await client.build(dockerfile="FROM scratch\nLABEL a=b\n", tags=["loaded:self"], load=True)
    assert b"loaded:self" in engine.get("/images/json")


async def test_mistakes_are_told_before_a_daemon_is_asked(tmp_path: Path) -> None:
    async with Client.connect(f"unix://{tmp_path}/nobody.sock") as client:
        with pytest.raises(UsageError, match="is not there"):
            await client.build(tmp_path / "nowhere")


async def test_cancelling_leaves_nothing(engine: Engine) -> None:
    context = Context.files(
        {
            "busybox": File(engine.busybox.read_bytes(), mode=0o755),
            "Dockerfile": 'FROM scratch\nCOPY busybox /\nRUN ["/busybox", "sleep", "77"]\n',
        }
    )
    started = asyncio.Event()

    def note(status: SolveStatus) -> None:
        if any("sleep" in vertex.name and vertex.started_ns for vertex in status.vertexes):
            started.set()

    async with Client.connect(address(engine)) as client:
        await client.workers()  # which opens the channel
        tasks = asyncio.all_tasks()
        building = asyncio.create_task(
            client.build(
                context,
                network="none",
                on_status=note,
            )
        )
        await asyncio.wait_for(started.wait(), 30)
        building.cancel()
        with pytest.raises(asyncio.CancelledError):
            await building
        assert asyncio.all_tasks() == tasks


async def test_an_engine_that_cannot_push_says_so(engine_20: Engine) -> None:
    """Its exporter would take the attribute, and nothing would be pushed."""
    async with Client.connect(address(engine_20)) as client:
        with pytest.raises(UnsupportedError, match="without containerd's image store"):
            await client.build(dockerfile="FROM scratch\nLABEL a=b\n", tags=["localhost:1/x"], push=True)
