"""A container on results of a build, in which processes are run."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from buildctl._pb import gateway_pb2, ops_pb2
from buildctl.client.calls import Method
from buildctl.client.convert.text import valid_text
from buildctl.client.gateway.files import Files
from buildctl.client.gateway.gateway import Gateway
from buildctl.client.gateway.process import CAPTURE_BYTES, Completed, Input, Output, Process
from buildctl.client.gateway.reference import Reference
from buildctl.errors import BuildctlError, ContainerGoneError, ProcessError, UsageError
from buildctl.model.filestat import FileStat
from buildctl.model.identity import new_id

V = TypeVar("V")

_LOG = logging.getLogger("buildctl")
_BRIDGE = "/moby.buildkit.v1.frontend.LLBBridge/"
_NEW = Method(_BRIDGE + "NewContainer", gateway_pb2.NewContainerRequest, gateway_pb2.NewContainerResponse)
_RELEASE = Method(
    _BRIDGE + "ReleaseContainer", gateway_pb2.ReleaseContainerRequest, gateway_pb2.ReleaseContainerResponse
)
_READ = Method(_BRIDGE + "ReadFileContainer", gateway_pb2.ReadFileRequest, gateway_pb2.ReadFileResponse)
_LIST = Method(_BRIDGE + "ReadDirContainer", gateway_pb2.ReadDirRequest, gateway_pb2.ReadDirResponse)
_STAT = Method(_BRIDGE + "StatFileContainer", gateway_pb2.StatFileRequest, gateway_pb2.StatFileResponse)

START_SECONDS = 30.0
"""How long a process may take to start; where the daemon lost track of the stream, it never answers."""
_RELEASE_SECONDS = 10.0
_GONE_HINT = "BuildKit starts nothing in a container in which a process failed; open another one"

_NETWORKS = {"sandbox": ops_pb2.UNSET, "host": ops_pb2.HOST, "none": ops_pb2.NONE}
_SECURITY = {"sandbox": ops_pb2.SANDBOX, "insecure": ops_pb2.INSECURE}
_TYPES = {
    "bind": ops_pb2.BIND,
    "cache": ops_pb2.CACHE,
    "tmpfs": ops_pb2.TMPFS,
    "secret": ops_pb2.SECRET,
    "ssh": ops_pb2.SSH,
}
_SHARING = {"shared": ops_pb2.SHARED, "private": ops_pb2.PRIVATE, "locked": ops_pb2.LOCKED}


@dataclass(frozen=True)
class ContainerMount:
    """What is mounted in a container: a result, or an empty folder, a cache, a tmpfs, a secret or an agent.

    `id` names the cache, secret or ssh agent; `size` is of a tmpfs, in bytes, 0 without limit.
    """

    ref: Reference | None = None
    type: Literal["bind", "cache", "tmpfs", "secret", "ssh"] = "bind"
    source_path: str = ""
    """A path inside of the result, which is mounted in its place."""
    readonly: bool = False
    id: str = ""
    sharing: Literal["shared", "private", "locked"] = "shared"
    size: int = 0
    mode: int = 0o400
    uid: int = 0
    gid: int = 0
    optional: bool = False

    def message(self, dest: str) -> ops_pb2.Mount:
        """The mount at `dest`."""
        mount = ops_pb2.Mount(
            dest=dest,
            resultID=self.ref.id if self.ref else "",
            selector=self.source_path,
            readonly=self.readonly,
            mountType=_TYPES[self.type],
        )
        owner = {"uid": self.uid, "gid": self.gid, "mode": self.mode}
        if self.type == "cache":
            mount.cacheOpt.CopyFrom(ops_pb2.CacheOpt(ID=self.id, sharing=_SHARING[self.sharing]))
        elif self.type == "tmpfs":
            mount.TmpfsOpt.CopyFrom(ops_pb2.TmpfsOpt(size=self.size))
        elif self.type == "secret":
            mount.secretOpt.CopyFrom(ops_pb2.SecretOpt(ID=self.id, optional=self.optional, **owner))
        elif self.type == "ssh":
            mount.SSHOpt.CopyFrom(ops_pb2.SSHOpt(ID=self.id, optional=self.optional, **owner))
        return mount


@dataclass(frozen=True)
class Defaults:
    """What processes get that are not told otherwise."""

    env: tuple[str, ...] = ()
    """Each `NAME=VALUE`, in order."""
    cwd: str = "/"
    user: str = ""
    security: Literal["sandbox", "insecure"] = "sandbox"
    args: tuple[str, ...] = ()
    """What the container was made for, as a step's command."""


class Container:
    """A container that is open: `start` and `run` processes in it, read its files.

        async with build.container(mounts={"/": ref}, keep=["sleep", "infinity"]) as box:
            done = await box.run(["tr", "a-z", "A-Z"], input=b"hello\\n")
            assert done.stdout == b"HELLO\\n"

    Methods raise `ContainerGoneError` once its first process has ended, or any with another code than 0: the
    daemon then starts nothing more in it, and newer ones end what still runs. Commands that are expected to
    fail are best wrapped, as `["sh", "-c", "make || echo failed"]`, or run in a container of their own.
    """

    def __init__(self, gateway: Gateway, container_id: str, defaults: Defaults) -> None:
        self.id = container_id
        self.defaults = defaults
        self._gateway = gateway
        self._processes: list[Process] = []
        self._gone = ""
        self._failed = ""
        self._starting = asyncio.Lock()
        self._count = 0

    async def start(
        self,
        args: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        user: str | None = None,
        tty: bool = False,
        stdin: Input = None,
        stdout: Output = "capture",
        stderr: Output = "capture",
        security: Literal["sandbox", "insecure"] | None = None,
        secret_env: Sequence[str] = (),
        limit: int = CAPTURE_BYTES,
    ) -> Process:
        """Start a process; returns once it runs.

        `env` is added to the container's own variables. `stdin` is bytes, an asynchronous iterable of them,
        or "pipe"; None for a process that gets none. Output is kept ("capture", up to `limit` bytes, of
        which the process object tells), a "pipe" to be read, given to a function, or dropped (None).
        Close a "pipe" that is `stdin`: without a terminal the daemon tells the end of a process only then.
        There is one stream for all processes of a build: while a pipe with 1 MiB in it is not read, nothing
        of the others is. With `tty` both outputs are standard output. `secret_env` are secrets by id, each
        in the variable of its name; it needs the capability `gateway.exec.secretenv`.

        Raises `RPCError` where it cannot be run.

            process = await box.start(["cat"], stdin="pipe", stdout="pipe")
        """
        words = tuple(args)
        if isinstance(args, str) or not words or not all(isinstance(word, str) for word in words):
            raise UsageError("a process needs a list of arguments", hint='such as ["ls", "-l"]')
        if secret_env:
            self._gateway.require("gateway.exec.secretenv", "a secret in a process's environment")
        async with self._starting:
            self.check()
            self._count += 1
            process = Process(
                self._gateway,
                self._gateway.processes,
                f"{self.id}:{self._count}",
                words,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                tty=tty,
                limit=limit,
            )
            process.on_exit = self._note_exit
            with valid_text():
                init = gateway_pb2.InitMessage(
                    ContainerID=self.id,
                    Meta=ops_pb2.Meta(
                        args=words,
                        env=self._environment(env or {}),
                        cwd=self.defaults.cwd if cwd is None else cwd,
                        user=self.defaults.user if user is None else user,
                    ),
                    Fds=process.fds,
                    Tty=tty,
                    Security=_choice(_SECURITY, security or self.defaults.security, "security mode"),
                    secretenv=[ops_pb2.SecretEnv(ID=name, name=name) for name in secret_env],
                )
            self._processes.append(process)
            try:
                await self._gateway.processes.add(process, init)
                async with asyncio.timeout(START_SECONDS):
                    await process.started.wait()
            except TimeoutError:
                process.fail(ContainerGoneError("the process has not started"))
                raise ContainerGoneError(
                    f"the daemon has not started {words[0]} in {START_SECONDS:g} s",
                    hint="its stream of processes may be stuck; open another build",
                ) from None
        process.check()
        if isinstance(stdin, bytes) or (stdin is not None and not isinstance(stdin, str)):
            self._gateway.start(process.feed(stdin))
        return process

    async def run(
        self,
        args: Sequence[str],
        *,
        input: bytes | None = None,  # noqa: A002  # as subprocess.run has it
        check: bool = True,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        user: str | None = None,
        security: Literal["sandbox", "insecure"] | None = None,
        secret_env: Sequence[str] = (),
        limit: int = CAPTURE_BYTES,
    ) -> Completed:
        """Run a process to its end and return what it wrote, as `subprocess.run` does.

        `input` is its standard input. Raises `ProcessError` for an exit code other than 0, unless `check` is
        false, and `BuildctlError` where it writes more than `limit` bytes to one of its outputs.

            done = await box.run(["uname", "-a"])
        """
        process = await self.start(
            args,
            env=env,
            cwd=cwd,
            user=user,
            stdin=input,
            security=security,
            secret_env=secret_env,
            limit=limit,
        )
        code = await process.wait()
        done = Completed(process.args, code, process.captured_stdout, process.captured_stderr)
        if check and code != 0:
            raise ProcessError(code, done.args, done.stdout, done.stderr)
        return done

    async def read_bytes(self, path: str, *, mount: int = 0, offset: int = 0, length: int = 0) -> bytes:
        """A file as processes see it, below the mount of that index. Needs `gateway.exec.filesystem`.

        data = await box.read_bytes("/out/app")
        """
        return await self._files(mount).read_bytes(path, offset, length)

    async def iterdir(self, path: str = "/", *, mount: int = 0, include: str = "") -> list[FileStat]:
        """What is in a folder, by name. Needs the capability `gateway.exec.filesystem`.

        names = [entry.name for entry in await box.iterdir("/out")]
        """
        return await self._files(mount).iterdir(path, include)

    async def stat(self, path: str, *, mount: int = 0) -> FileStat:
        """What is known of a file. Needs the capability `gateway.exec.filesystem`.

        size = (await box.stat("/out/app")).size
        """
        return await self._files(mount).stat(path)

    def check(self) -> None:
        """Raise `ContainerGoneError` once the container has ended, and `ClosedError` once the build has."""
        self._gateway.check_open()
        if why := self._gone or self._failed:
            raise ContainerGoneError(f"the container is gone: {why}", hint=_GONE_HINT)

    def end(self, why: str) -> None:
        """Let nobody wait for what is in it."""
        self._gone = self._gone or why
        for process in self._processes:
            self._gateway.processes.forget(process)
            process.fail(ContainerGoneError(f"the process ended with its container: {why}"))

    def _files(self, mount: int) -> Files:
        self.check()
        self._gateway.require("gateway.exec.filesystem", "reading files of a container")
        return Files(self._gateway.call, self.id, mount, read=_READ, listing=_LIST, stat=_STAT)

    def _environment(self, env: Mapping[str, str]) -> list[str]:
        inherited = [entry for entry in self.defaults.env if entry.partition("=")[0] not in env]
        return [*inherited, *(f"{name}={value}" for name, value in env.items())]

    def _note_exit(self, process: Process) -> None:
        name, code = process.args[0], process.returncode
        if process is self._processes[0]:
            self._gone = f"{name}, its first process, ended with code {code}"
        if code:
            self._failed = self._failed or f"{name} ended with code {code}"


@contextlib.asynccontextmanager
async def open_container(
    gateway: Gateway,
    *,
    mounts: Mapping[str, Reference | ContainerMount] | Sequence[ops_pb2.Mount],
    network: str = "sandbox",
    hostname: str = "",
    extra_hosts: Mapping[str, str],
    platform: ops_pb2.Platform | None = None,
    keep: Sequence[str] | None = None,
    defaults: Defaults | None = None,
) -> AsyncIterator[Container]:
    """A container until the block ends (`Build.container`)."""
    gateway.require("gateway.exec", "a container")
    if extra_hosts:
        gateway.require("gateway.exec.extrahosts", "hosts of a container")
    if isinstance(mounts, Mapping):
        mounts = [_mount(dest, what) for dest, what in mounts.items()]
    if not any(mount.dest == "/" for mount in mounts):
        raise UsageError("a container needs a mount at /")
    container = Container(gateway, new_id(), defaults or Defaults())
    with valid_text():
        request = gateway_pb2.NewContainerRequest(
            ContainerID=container.id,
            Mounts=mounts,
            Network=_choice(_NETWORKS, network, "network"),
            platform=platform,
            extraHosts=[ops_pb2.HostIP(Host=host, IP=ip) for host, ip in extra_hosts.items()],
            hostname=hostname,
        )
    try:
        await gateway.solving(_NEW, request)
        if keep is not None:
            await container.start(keep, stdout=None, stderr=None)
        yield container
    finally:
        container.end("it was closed")
        with contextlib.suppress(BuildctlError):  # a build that has ended has ended it
            gateway.check_open()
            await asyncio.shield(gateway.start(_release(gateway, container.id)))


async def _release(gateway: Gateway, container_id: str) -> None:
    """Give a container up. The daemon calls it a failure where a process in it had failed."""
    try:
        request = gateway_pb2.ReleaseContainerRequest(ContainerID=container_id)
        await gateway.call(_RELEASE, request, seconds=_RELEASE_SECONDS)
    except BuildctlError as error:
        _LOG.debug("container %s: %s", container_id, error)


def _mount(dest: str, what: Reference | ContainerMount) -> ops_pb2.Mount:
    return (ContainerMount(what) if isinstance(what, Reference) else what).message(dest)


def _choice(choices: Mapping[str, V], name: str, what: str) -> V:
    if name not in choices:
        raise UsageError(f"invalid {what} {name!r}", hint=f"use one of {', '.join(choices)}")
    return choices[name]
