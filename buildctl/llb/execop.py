"""Running a command: mounts, secrets, sockets, devices, and the op they become (client/llb/exec.go)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from buildctl._pb import ops_pb2
from buildctl.errors import UsageError
from buildctl.llb import arguments
from buildctl.llb.arguments import UINT32, StrPath, wrong_type
from buildctl.llb.base import AnyOutput, Encoded, Inputs, Output, StateBase, Vertex
from buildctl.llb.constraints import Constraints, with_platform
from buildctl.llb.values import environment, items

if TYPE_CHECKING:
    from buildctl.llb.state import State

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NETWORKS: dict[str, int] = {"sandbox": ops_pb2.UNSET, "host": ops_pb2.HOST, "none": ops_pb2.NONE}
SECURITIES: dict[str, int] = {"sandbox": ops_pb2.SANDBOX, "insecure": ops_pb2.INSECURE}
_SHARINGS = {"shared": ops_pb2.SHARED, "private": ops_pb2.PRIVATE, "locked": ops_pb2.LOCKED}
_CONTENT_CACHES = {None: ops_pb2.DEFAULT, True: ops_pb2.ON, False: ops_pb2.OFF}
_SETS_PATH = "exec.meta.setsdefaultpath"
_STABLE_MOUNTS = 12
"""So many mounts does Go's sort keep in order where targets are equal."""


@dataclass(frozen=True, slots=True, eq=False)
class Mount:
    """What a command finds at `target`; made by `mount`, `tmpfs` and `cache`."""

    target: str
    source: State | None = None
    readonly: bool = False
    source_path: str = ""
    no_output: bool = False
    content_cache: bool | None = None
    cache_id: str = ""
    sharing: str = "shared"
    tmpfs_size: int | None = None
    """Bytes, 0 for no limit; None where it is not a tmpfs."""

    @property
    def _output(self) -> AnyOutput | None:
        return None if self.source is None else self.source._output

    @property
    def _has_output(self) -> bool:
        writable = not self.readonly and not self.no_output
        return writable and not self.cache_id and self.tmpfs_size is None


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that a command sees as a file, a variable or both; made by `secret` and `secret_env`."""

    id: str
    target: str | None = None
    env: str | None = None
    optional: bool = False
    uid: int = 0
    gid: int = 0
    mode: int = 0o400


@dataclass(frozen=True, slots=True)
class SSH:
    """An SSH agent's socket in a command's container; made by `ssh`."""

    id: str = ""
    target: str = ""
    uid: int = 0
    gid: int = 0
    mode: int = 0o600
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the daemon's machine, by its CDI name; made by `device`."""

    name: str
    optional: bool = False


class Ulimit(NamedTuple):
    """A limit of a process, such as `nofile`, -1 for none."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class ProxyEnv:
    """Proxies that a command sees as variables, which do not change what the cache knows it by."""

    http: str = ""
    https: str = ""
    ftp: str = ""
    no: str = ""
    all: str = ""

    def __post_init__(self) -> None:
        for name in ("http", "https", "ftp", "no", "all"):
            arguments.text(name, getattr(self, name))


def mount(
    target: StrPath,
    source: State,
    *,
    readonly: bool = False,
    source_path: StrPath = "",
    no_output: bool = False,
    content_cache: bool | None = None,
) -> Mount:
    """The files of `source`, below `source_path`, at `target`.

    What the command writes there is a result of its own, `Exec.output(target)`, unless the mount is
    `readonly` or has `no_output`. `content_cache` says whether the cache may know the source by its files,
    None leaving it to the daemon.
    """
    return Mount(
        arguments.path("target", target),
        state_argument("source", source),
        arguments.flag("readonly", readonly),
        arguments.path("source_path", source_path),
        arguments.flag("no_output", no_output),
        None if content_cache is None else arguments.flag("content_cache", content_cache),
    )


def tmpfs(target: StrPath, *, size: int = 0) -> Mount:
    """An empty file system in memory, of `size` bytes, 0 for no limit."""
    return Mount(arguments.path("target", target), tmpfs_size=arguments.number("size", size))


def cache(
    target: StrPath,
    id: str,  # noqa: A002 - as the option of a Dockerfile is called
    *,
    sharing: Literal["shared", "private", "locked"] = "shared",
    source: State | None = None,
    source_path: StrPath = "",
    readonly: bool = False,
) -> Mount:
    """A folder that the daemon keeps from build to build under `id`, at first with the files of `source`.

    `sharing`: builds at the same time use it together (`shared`), one of their own (`private`) or one after
    another (`locked`). With an empty id it is an ordinary mount, as in Go.
    """
    return Mount(
        arguments.path("target", target),
        None if source is None else state_argument("source", source),
        arguments.flag("readonly", readonly),
        arguments.path("source_path", source_path),
        cache_id=arguments.text("id", id),
        sharing=arguments.choice("sharing", sharing, _SHARINGS),
    )


def secret(
    target: StrPath,
    *,
    id: str | None = None,  # noqa: A002
    env: str | None = None,
    optional: bool = False,
    uid: int = 0,
    gid: int = 0,
    mode: int = 0o400,
) -> Secret:
    """The secret `id`, by default called as its file, in the file `target`, and in the variable `env`, too.

    `optional` lets the command run where the client does not have it.
    """
    path = arguments.path("target", target)
    return Secret(
        path if id is None else arguments.text("id", id),
        path,
        None if env is None else arguments.text("env", env),
        arguments.flag("optional", optional),
        arguments.number("uid", uid, UINT32),
        arguments.number("gid", gid, UINT32),
        arguments.number("mode", mode, UINT32),
    )


def secret_env(name: str, *, id: str | None = None, optional: bool = False) -> Secret:  # noqa: A002
    """The secret `id`, by default called as the variable, in the variable `name`."""
    variable = arguments.text("name", name)
    return Secret(
        variable if id is None else arguments.text("id", id),
        env=variable,
        optional=arguments.flag("optional", optional),
    )


def ssh(
    *,
    id: str = "",  # noqa: A002
    target: StrPath = "",
    uid: int = 0,
    gid: int = 0,
    mode: int = 0o600,
    optional: bool = False,
) -> SSH:
    """The SSH agent `id` of the client as a socket at `target`; `SSH_AUTH_SOCK` names the first."""
    return SSH(
        arguments.text("id", id),
        arguments.path("target", target),
        arguments.number("uid", uid, UINT32),
        arguments.number("gid", gid, UINT32),
        arguments.number("mode", mode, UINT32),
        arguments.flag("optional", optional),
    )


def device(name: str, *, optional: bool = False) -> Device:
    """The device with the CDI name `VENDOR/CLASS=NAME`."""
    return Device(arguments.text("name", name), arguments.flag("optional", optional))


def state_argument(name: str, value: object) -> Any:
    """A state."""
    if not isinstance(value, StateBase):
        raise wrong_type(name, "a State", value)
    return value


def of_kind(name: str, values: object, kind: type[Any]) -> tuple[Any, ...]:
    """A sequence of values that one of this module's functions makes."""
    checked = tuple(arguments.sequence(name, values, kind.__name__))
    for index, value in enumerate(checked):
        if not isinstance(value, kind):
            raise wrong_type(f"{name}[{index}]", f"a {kind.__name__}", value)
    return checked


def address_text(name: str, value: object) -> str:
    """An IP address as Go prints it; None is `<nil>`."""
    if value is None:
        return "<nil>"
    if isinstance(value, ipaddress.IPv4Address | ipaddress.IPv6Address):
        address = value
    else:
        try:
            address = ipaddress.ip_address(arguments.text(name, value))
        except ValueError:
            raise UsageError(f"{name} is {value!r}, which is not an IP address") from None
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.IPv6Address(int(address)))  # without a zone
    return str(address)


def ulimit_argument(name: str, value: object) -> Ulimit:
    """A name with its soft and hard limit."""
    if not isinstance(value, tuple) or len(value) != 3:
        raise wrong_type(name, "a Ulimit", value)
    return Ulimit(
        arguments.text(f"{name}.name", value[0]),
        arguments.number(f"{name}.soft", value[1]),
        arguments.number(f"{name}.hard", value[2]),
    )


class ExecVertex(Vertex):
    """One command with all it is given."""

    __slots__ = (
        "_args",
        "_constraints",
        "_devices",
        "_exit_codes",
        "_proxy",
        "_secrets",
        "_ssh",
        "_state",
        "mounts",
    )

    def __init__(
        self,
        state: StateBase,
        args: tuple[str, ...],
        constraints: Constraints,
        *,
        readonly_root: bool,
        mounts: Sequence[Mount],
        secrets: tuple[Secret, ...],
        ssh: tuple[SSH, ...],
        devices: tuple[Device, ...],
        proxy: ProxyEnv | None,
        exit_codes: tuple[int, ...],
    ) -> None:
        root: Any = state
        given = [Mount("/", root, readonly_root), *mounts]
        self.mounts = sorted(given, key=lambda each: each.target.encode())
        if len(given) > _STABLE_MOUNTS and len({each.target for each in given}) < len(given):
            raise UsageError(
                f"two of {len(given)} mounts have the same target",
                hint=f"with more than {_STABLE_MOUNTS} mounts, Go's order of equal targets is not defined",
            )
        self._state = state
        self._args = args
        self._constraints = constraints
        self._secrets = secrets
        self._ssh = tuple(
            (each.target or f"/run/buildkit/ssh_agent.{index}", each) for index, each in enumerate(ssh)
        )
        self._devices = devices
        self._proxy = proxy
        self._exit_codes = exit_codes

    def output(self, chosen: Mount) -> Output:
        """What the command leaves at a mount that has an output."""
        having = [each for each in self.mounts if each._has_output]
        return Output(self, having.index(chosen), self._constraints.platform)

    def inputs(self) -> Iterable[AnyOutput]:
        return [output for each in self.mounts if (output := each._output) is not None]

    def readers(self) -> Iterable[StateBase]:
        return (self._state,)

    def encode(self, graph: Inputs) -> Encoded:
        values = self._state._known()
        caps = {"exec.meta.base"}
        op = ops_pb2.Op()
        run, meta = op.exec, op.exec.meta
        run.SetInParent()
        variables = environment(values.env)
        if self._ssh:
            variables.setdefault("SSH_AUTH_SOCK", self._ssh[0][0])
        supported = graph.options.caps
        if supported is not None and _SETS_PATH in supported:
            caps.add(_SETS_PATH)
        elif supported is not None and graph.options.platform.os != "windows":
            variables.setdefault("PATH", DEFAULT_PATH)
        meta.args.extend(self._args)
        meta.env.extend(f"{name}={value}" for name, value in variables.items())
        meta.cwd = values.dir
        meta.user = values.user
        meta.hostname = values.hostname
        meta.cgroupParent = values.cgroup_parent
        meta.removeMountStubsRecursive = True
        if self._exit_codes:
            caps.add("exec.validexitcode")
            meta.validExitCodes.extend(self._exit_codes)
        for host, address in items(values.extra_hosts):
            meta.extraHosts.add(Host=host, IP=address)
        for name, soft, hard in items(values.ulimits):
            caps.add("exec.meta.ulimit")
            meta.ulimit.add(Name=name, Soft=soft, Hard=hard)
        if self._constraints.metadata.resources is not None:
            caps.add("exec.meta.linux.resources")
        run.network, run.security = values.network, values.security  # type: ignore[assignment]
        if values.network:
            caps.add("exec.meta.network")
        if values.security:
            caps.add("exec.meta.security")
        if (proxy := self._proxy) is not None:
            caps.add("exec.meta.proxyenv")
            meta.proxy_env.SetInParent()
            meta.proxy_env.http_proxy, meta.proxy_env.https_proxy = proxy.http, proxy.https
            meta.proxy_env.ftp_proxy, meta.proxy_env.no_proxy = proxy.ftp, proxy.no
            meta.proxy_env.all_proxy = proxy.all
        for each in self._devices:
            caps.add("exec.meta.cdi")
            run.cdiDevices.add(name=each.name, optional=each.optional)
        self._add_mounts(op, graph, caps)
        self._add_secrets(run, caps)
        constraints = with_platform(self._constraints, values.platform)
        return graph.finish(op, constraints, caps, with_platform=True)

    def _add_mounts(self, op: ops_pb2.Op, graph: Inputs, caps: set[str]) -> None:
        inputs: dict[tuple[str, int], int] = {}
        outputs = 0
        for each in self.mounts:
            source = graph.find(each._output)
            made = op.exec.mounts.add(dest=each.target, readonly=each.readonly, selector=each.source_path)
            made.input = -1 if source is None else inputs.setdefault(source, len(inputs))
            made.output = -1
            if each._has_output:
                made.output = outputs
                outputs += 1
            if each.source_path:
                caps.add("exec.mount.selector")
            if each.cache_id:
                caps |= {"exec.mount.cache", "exec.mount.cache.sharing"}
                made.mountType = ops_pb2.CACHE
                made.cacheOpt.ID = each.cache_id
                made.cacheOpt.sharing = _SHARINGS[each.sharing]
            elif each.tmpfs_size is not None:
                caps.add("exec.mount.tmpfs")
                made.mountType = ops_pb2.TMPFS
                made.TmpfsOpt.SetInParent()
                made.TmpfsOpt.size = each.tmpfs_size
                if each.tmpfs_size > 0:
                    caps.add("exec.mount.tmpfs.size")
            elif each._output is not None:
                caps.add("exec.mount.bind")
            if each.content_cache is not None:
                caps.add("exec.mount.cache.content")
                made.contentCache = _CONTENT_CACHES[each.content_cache]
        for digest, index in inputs:
            op.inputs.add(digest=digest, index=index)

    def _add_secrets(self, run: ops_pb2.ExecOp, caps: set[str]) -> None:
        """Secrets, then sockets, which have the output 0 in the reference, although they have none."""
        for each in self._secrets:
            caps.add("exec.mount.secret")
            if each.env is not None:
                caps.add("exec.secretenv")
                run.secretenv.add(ID=each.id, name=each.env, optional=each.optional)
            if each.target is not None:
                made = run.mounts.add(input=-1, dest=each.target, mountType=ops_pb2.SECRET)
                _write_file(made.secretOpt, each)
        for target, socket in self._ssh:
            caps.add("exec.mount.ssh")
            made = run.mounts.add(input=-1, dest=target, mountType=ops_pb2.SSH)
            _write_file(made.SSHOpt, socket)


def _write_file(made: ops_pb2.SecretOpt | ops_pb2.SSHOpt, given: Secret | SSH) -> None:
    made.SetInParent()
    made.ID = given.id
    made.uid, made.gid, made.mode = given.uid, given.gid, given.mode
    made.optional = given.optional
