"""Every public function, used as its documentation says; checked by mypy and by pyright, both strict."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import assert_type

import buildctl
from buildctl import (
    Address,
    AgentSource,
    Attachable,
    Auth,
    Build,
    BuildHistoryEvent,
    BuildkitVersion,
    BuildResult,
    CacheEntry,
    Client,
    Completed,
    Container,
    ContainerMount,
    Context,
    Descriptor,
    DirectoryDestination,
    DockerConfig,
    Export,
    File,
    FileStat,
    Folder,
    ForwardedSocket,
    ImageInfo,
    Output,
    Platform,
    Process,
    Progress,
    PruneOpt,
    Reference,
    RegistryTLS,
    Result,
    Secrets,
    SecretSource,
    SessionRequest,
    SolveError,
    SolveOpt,
    SolveResult,
    SolveStatus,
    SSHForward,
    StreamDestination,
    Symlink,
    TLSOptions,
    Transfer,
    Tree,
    Uploads,
    UsageRecord,
    WorkerRecord,
    format_excerpt,
    format_transfer,
    llb,
    load_docker_config,
    parse_address,
    shared_key,
    sync,
)


def note(status: SolveStatus) -> None:
    for vertex in status.vertexes:
        assert_type(vertex.name, str)


def contexts() -> list[Context]:
    files: dict[str, str | bytes | File | Symlink | Folder] = {
        "a": "text",
        "b": b"bytes",
        "c": File(b"x", mode=0o755, mtime_ns=0),
        "d": Symlink("a"),
        "e": Folder(),
    }
    return [
        Context.directory(Path("."), ignore=["*.log"], on_unreadable="skip"),
        Context.files(files),
        Context.layered(".", {**files, "secret": None}),
        Context.tar(io.BytesIO()),
        Context.url("https://example.org/x.tar"),
        Context.git("https://example.org/x.git", ref="v1", subdir="src"),
    ]


def outputs() -> list[Output]:
    return [
        Output.local("out", "delete", keep_privileged=True),
        Output.tar(io.BytesIO()),
        Output.oci(Path("layout"), tar=False),
        Output.docker("app.tar", name="app:1"),
        Output.image("app:1", push=True, compression="zstd", compression_level=3),
        Output.raw("moby", name="app"),
    ]


async def builds(client: Client) -> None:
    result = await client.build(
        contexts()[0],
        dockerfile="FROM scratch",
        target="t",
        tags=["app:1"],
        push=False,
        load="unix:///run/docker.sock",
        output=[*outputs(), Export("tar", destination=StreamDestination(lambda metadata: io.BytesIO()))],
        build_args={"A": "1"},
        labels={"l": "1"},
        annotations={"a": "1"},
        platforms=["linux/amd64"],
        secrets={"a": "text", "b": b"bytes", "c": Path("file"), "d": SecretSource("d", env="D")},
        ssh={"default": "key"},
        contexts={
            "base": "docker-image://busybox",
            "src": Path("."),
            "made": llb.scratch(),
            "x": contexts()[1],
        },
        cache_from=["app:cache"],
        cache_to=[CacheEntry("inline")],
        no_cache=["t"],
        pull=True,
        network="none",
        attrs={"hostname": "h"},
        auth=Auth(load_docker_config(os.environ), os.environ, tls={"h": RegistryTLS(insecure=True)}),
        provenance="mode=max",
        sbom=True,
        entitlements=["network.host"],
        ref="r",
        on_status=note,
    )
    assert_type(result, BuildResult)
    assert_type(result.digest, str | None)
    assert_type(result.descriptor, Descriptor | None)
    assert_type(result.image_names, tuple[str, ...])
    assert_type(result.duration, float)
    for transfer in result.transfers:
        assert_type(format_transfer(transfer), str)
    await client.build(".", ssh=["default", AgentSource("git", ("key",))])


async def the_rest(client: Client) -> None:
    directories: dict[str, str | Tree] = {"context": Tree({"a": "b"}, base=".")}
    opt = SolveOpt(
        definition=llb.image("busybox").run(["true"]),
        local_dirs=directories,
        exports=(Export("local", destination=DirectoryDestination("out")),),
        shared_key=shared_key("me", directories),
    )
    uploads = Uploads()
    assert_type(uploads.add(io.BytesIO()), str)
    uploads.close()

    def transferred(transfer: Transfer) -> None: ...
    def requested(request: SessionRequest) -> None: ...

    services: list[Attachable] = [
        Secrets([SecretSource("a", value=b"b")], {}),
        SSHForward({"x": ForwardedSocket("s")}),
        uploads,
    ]
    solved = await client.solve(
        opt, note, on_transfer=transferred, on_request=requested, attachables=services
    )
    assert_type(solved, SolveResult)
    assert_type(await client.disk_usage(["type==regular"]), list[UsageRecord])
    assert_type([one async for one in client.prune(PruneOpt(all=True))], list[UsageRecord])
    assert_type(await client.workers(), list[WorkerRecord])
    assert_type(await client.info(), BuildkitVersion)
    assert_type([one async for one in client.status("ref")], list[SolveStatus])
    events = client.listen_build_history("ref", active_only=True, early_exit=True, filters=[], limit=1)
    assert_type([one async for one in events], list[BuildHistoryEvent])
    await client.update_build_history("ref", pinned=True, delete=False, finalize=False)
    assert_type(b"".join([piece async for piece in client.read_content("sha256:0")]), bytes)
    await client.wait(1.0)


async def gateway(client: Client) -> None:
    async with client.open_build(SolveOpt(), product="p", on_status=note) as build:
        assert_type(build, Build)
        result = await build.solve(llb.image("busybox"), evaluate=True)
        ref = result.single()
        assert_type(await ref.read_text("/etc/hosts"), str)
        assert_type(await ref.iterdir("/"), list[FileStat])
        assert_type(await build.resolve_image("busybox"), ImageInfo)
        mounts: dict[str, Reference | ContainerMount] = {"/": ref, "/c": ContainerMount(type="cache", id="c")}
        async with build.container(mounts=mounts, keep=["sleep", "9"]) as box:
            assert_type(box, Container)
            assert_type(await box.run(["true"], input=b"x"), Completed)
            process = await box.start(["cat"], stdin="pipe", stdout="pipe")
            assert_type(process, Process)
            assert_type(await process.wait(), int)
        build.set_result(Result.image(ref, {"config": {"Cmd": ["sh"]}}))

    async def plan(build: Build) -> Result:
        return await build.solve(frontend="dockerfile.v0", options={"target": "t"})

    assert_type(await client.run_build(plan), SolveResult)


async def connections(environ: dict[str, str]) -> None:
    async with buildctl.connect("docker://", tls=TLSOptions(ca="ca.pem"), environ=environ) as client:
        assert_type(client.notice, str)
        async with Progress("plain", io.StringIO(), environ=environ) as show:
            show.hide(b"secret")
            await client.build(".", on_status=show)
    async with Client.connect(parse_address("tcp://h:1"), stall_seconds=5) as client:
        await builds(client)
        await the_rest(client)
        await gateway(client)


def waiting(pieces: Iterable[bytes]) -> None:
    with sync.connect(environ={}) as client, Progress() as show:
        assert_type(client, sync.Client)
        assert_type(client.build(contexts()[1], on_status=show), BuildResult)
        assert_type(client.solve(SolveOpt("dockerfile.v0"), note), SolveResult)
        assert_type(list(client.prune()), list[UsageRecord])
        with client.open_build() as build:
            ref = build.solve(llb.image("busybox")).single()
            assert_type(ref, sync.Reference)
            assert_type(ref.read_bytes("/x", length=1), bytes)
            with build.container(mounts={"/": ref}) as box:
                process = box.start(["cat"], stdin=pieces, stdout="pipe")
                assert_type(process, sync.Process)
                assert_type(process.wait(), int)
                assert_type(box.run(["true"]), Completed)
        assert_type(client.run_build(lambda build: build.solve(llb.scratch())), SolveResult)
    with sync.Client.connect(Address("unix:///x", "unix", path="/x")) as client:
        assert_type(client.workers(), list[WorkerRecord])


def failures(error: SolveError, config: DockerConfig) -> None:
    if error.step is not None:
        assert_type(error.step.exit_code, int | None)
        assert_type(error.step.log, bytes)
    assert_type(error.report(), str)
    for excerpt in error.excerpts:
        assert_type(format_excerpt(excerpt), str)
    assert_type(Platform.parse("linux/amd64"), Platform)
    assert_type(config.account("h").username, str)
