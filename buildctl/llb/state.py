"""States: what a build has made so far, immutable, each operation giving a new one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Literal, NoReturn, ParamSpec, TypedDict, TypeVar, Unpack

from buildctl.errors import UsageError
from buildctl.llb import arguments
from buildctl.llb.arguments import INT32, StrPath, wrong_type
from buildctl.llb.base import AnyOutput, Deferred, Output, StateBase
from buildctl.llb.constraints import ConstraintArgs, MarshalArgs, MarshalOptions, constraints_of, marshal_args
from buildctl.llb.definition import Definition
from buildctl.llb.execop import (
    NETWORKS,
    SECURITIES,
    SSH,
    Device,
    ExecVertex,
    Mount,
    ProxyEnv,
    Secret,
    Ulimit,
    address_text,
    of_kind,
    state_argument,
    ulimit_argument,
)
from buildctl.llb.fileop import Created, FileAction, FileVertex, Owner, copy, mkdir, mkfile, rm, symlink
from buildctl.llb.values import INITIAL, Change, Link, environment, image_config_changes
from buildctl.model.platform import Platform
from buildctl.model.status import ProgressGroup

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from ipaddress import IPv4Address, IPv6Address
    from types import EllipsisType

    from buildctl.llb.constraints import Resources

_P = ParamSpec("_P")
_NETWORK_NAMES = {number: name for name, number in NETWORKS.items()}
_SECURITY_NAMES = {number: name for name, number in SECURITIES.items()}
_Network = Literal["sandbox", "host", "none"]
_Security = Literal["sandbox", "insecure"]
_T = TypeVar("_T")


class _Described(TypedDict, total=False):
    name: str
    description: Mapping[str, str]


class State(StateBase):
    """A result of the build, with the folder, variables and user that later commands have.

    States are made by `image`, `local`, `git`, `http`, `scratch` and the like, never change, and cost
    nothing until they are marshalled: every method gives a new state. Two states are equal only if they are
    the same object.
    """

    __slots__ = ()

    @classmethod
    def of(cls, output: AnyOutput | None) -> State:
        """An output with initial values, and the platform that its op was made with."""
        platform = output.platform if isinstance(output, Output) else None
        return State(output, INITIAL.with_platform(platform))

    # What is remembered for later commands.

    def env(self, key: str, value: str, /) -> State:
        """A variable for later commands."""
        name, text = arguments.text("key", key), arguments.text("value", value)
        return self._changed(lambda values: values.with_env(name, text))

    def envs(self, mapping: Mapping[str, str] = {}, /, **env: str) -> State:
        """Several variables, those of the mapping first."""
        state = self
        for name, value in (arguments.pairs("mapping", mapping) | arguments.pairs("env", env)).items():
            state = state.env(name, value)
        return state

    def dir(self, path: StrPath) -> State:
        """The folder in which later commands run, and below which relative paths are; relative to the one so
        far."""
        folder = arguments.path("path", path)
        return self._changed(lambda values: values.with_dir(folder))

    def user(self, user: str) -> State:
        """The user of later commands, `USER` or `USER:GROUP`, by name or number."""
        return self._with(user=arguments.text("user", user))

    def hostname(self, hostname: str) -> State:
        """The host name that later commands see."""
        return self._with(hostname=arguments.text("hostname", hostname))

    def platform(self, platform: Platform | str) -> State:
        """The platform of later commands, normalized."""
        chosen = arguments.platform("platform", platform)
        return self._changed(lambda values: values.with_platform(chosen))

    def network(self, mode: _Network) -> State:
        """The network of later commands: their own (`sandbox`), the host's, which the build has to allow, or
        none."""
        return self._with(network=NETWORKS[arguments.choice("mode", mode, NETWORKS)])

    def security(self, mode: _Security) -> State:
        """Whether later commands run confined (`sandbox`) or `insecure`, which the build has to allow."""
        return self._with(security=SECURITIES[arguments.choice("mode", mode, SECURITIES)])

    def extra_host(self, name: str, ip: str | IPv4Address | IPv6Address | None) -> State:
        """An entry in the /etc/hosts of later commands."""
        entry = (arguments.text("name", name), address_text("ip", ip))
        return self._changed(lambda values: values._replace(extra_hosts=Link(values.extra_hosts, entry)))

    def ulimit(self, name: str, soft: int, hard: int) -> State:
        """A limit of later commands' processes, such as `nofile`; -1 for none."""
        limit = ulimit_argument("ulimit", (name, soft, hard))
        return self._changed(lambda values: values._replace(ulimits=Link(values.ulimits, limit)))

    def cgroup_parent(self, parent: str) -> State:
        """The control group below which later commands run."""
        return self._with(cgroup_parent=arguments.text("parent", parent))

    def with_image_config(self, config: bytes | str) -> State:
        """Variables, folder and platform of an image's configuration, JSON. Raises `UsageError`."""
        if not isinstance(config, bytes | str):
            raise wrong_type("config", "bytes or str", config)
        state = self
        for change in image_config_changes(config):
            state = state._changed(change)
        return state

    def reset(self, other: State) -> State:
        """The result of this state with the values of another.

        The folder is `/`, or the other's where this result has a platform, as in Go.
        """
        parent: State = state_argument("other", other)
        platform = self._output.platform if isinstance(self._output, Output) else None
        if platform is None:
            return parent._changed(lambda values: values._replace(dir="/"), self._output)
        return parent._changed(lambda values: values.with_platform(platform), self._output)

    # What is done to files.

    def run(
        self,
        args: Sequence[str],
        *,
        env: Mapping[str, str] = {},
        cwd: StrPath | None = None,
        network: _Network | None = None,
        security: _Security | None = None,
        extra_hosts: Mapping[str, str] = {},
        ulimits: Sequence[Ulimit | tuple[str, int, int]] = (),
        cgroup_parent: str | None = None,
        valid_exit_codes: Sequence[int] | None = None,
        mounts: Sequence[Mount] = (),
        secrets: Sequence[Secret] = (),
        ssh: Sequence[SSH] = (),
        devices: Sequence[Device] = (),
        proxy: ProxyEnv | None = None,
        readonly_root: bool = False,
        **constraints: Unpack[ConstraintArgs],
    ) -> Exec:
        """Run a command, whose first word is the program, with these files as its root.

            llb.image("alpine").run(["apk", "add", "git"], mounts=[llb.cache("/etc/apk/cache", "apk")])

        The result is the state after it. What it wrote to a mount is a result, too: `Exec.output`.

        env, cwd, network, security, extra_hosts, ulimits, cgroup_parent
            for this command only, on top of what the state has.
        valid_exit_codes
            with which the step succeeds; by default 0.
        mounts
            made by `mount`, `cache` and `tmpfs`.
        secrets, ssh, devices
            made by `secret` and `secret_env`, `ssh`, and `device`.
        proxy
            proxies as variables that the cache does not look at.
        readonly_root
            whether the root cannot be written; then the state after the command is the one before.
        constraints
            what every op takes: see `ConstraintArgs`.

        Raises `TypeError` and `UsageError`.
        """
        words = arguments.texts("args", args)
        if not words:
            raise UsageError("arguments are required")
        state = self.envs(arguments.pairs("env", env))
        if cwd is not None:
            state = state.dir(cwd)
        if network is not None:
            state = state.network(network)
        if security is not None:
            state = state.security(security)
        if not isinstance(extra_hosts, Mapping):
            raise wrong_type("extra_hosts", "a mapping of str to str", extra_hosts)
        for name, address in extra_hosts.items():
            state = state.extra_host(name, address)
        for index, limit in enumerate(arguments.sequence("ulimits", ulimits, "Ulimit")):
            state = state.ulimit(*ulimit_argument(f"ulimits[{index}]", limit))
        if cgroup_parent is not None:
            state = state.cgroup_parent(cgroup_parent)
        if proxy is not None and not isinstance(proxy, ProxyEnv):
            raise wrong_type("proxy", "a ProxyEnv", proxy)
        codes = arguments.sequence(
            "valid_exit_codes", () if valid_exit_codes is None else valid_exit_codes, "int"
        )
        vertex = ExecVertex(
            state,
            words,
            constraints_of(constraints),
            readonly_root=arguments.flag("readonly_root", readonly_root),
            mounts=of_kind("mounts", mounts, Mount),
            secrets=of_kind("secrets", secrets, Secret),
            ssh=of_kind("ssh", ssh, SSH),
            devices=of_kind("devices", devices, Device),
            proxy=proxy,
            exit_codes=tuple(arguments.number("valid_exit_codes", code, INT32) for code in codes),
        )
        return Exec._of(self, vertex)

    def sh(
        self,
        script: str,
        *,
        env: Mapping[str, str] = {},
        cwd: StrPath | None = None,
        network: _Network | None = None,
        security: _Security | None = None,
        extra_hosts: Mapping[str, str] = {},
        ulimits: Sequence[Ulimit | tuple[str, int, int]] = (),
        cgroup_parent: str | None = None,
        valid_exit_codes: Sequence[int] | None = None,
        mounts: Sequence[Mount] = (),
        secrets: Sequence[Secret] = (),
        ssh: Sequence[SSH] = (),
        devices: Sequence[Device] = (),
        proxy: ProxyEnv | None = None,
        readonly_root: bool = False,
        **constraints: Unpack[ConstraintArgs],
    ) -> Exec:
        """Run a script with `/bin/sh -c`; all else as for `run`."""
        return self.run(
            ["/bin/sh", "-c", arguments.text("script", script)],
            env=env,
            cwd=cwd,
            network=network,
            security=security,
            extra_hosts=extra_hosts,
            ulimits=ulimits,
            cgroup_parent=cgroup_parent,
            valid_exit_codes=valid_exit_codes,
            mounts=mounts,
            secrets=secrets,
            ssh=ssh,
            devices=devices,
            proxy=proxy,
            readonly_root=readonly_root,
            **constraints,
        )

    def file(self, actions: FileAction, **constraints: Unpack[ConstraintArgs]) -> State:
        """Make, copy and remove files as the actions say, in order, as one step.

        llb.scratch().file(llb.mkdir("/etc").mkfile("/etc/motd", 0o644, "hello"))
        """
        if actions is None:
            raise UsageError("action is required")
        if not isinstance(actions, FileAction):
            raise wrong_type("actions", "a FileAction", actions)
        return self._with_output(Output(FileVertex(self, actions, constraints_of(constraints))))

    def copy(
        self,
        source: State | FileAction,
        src: StrPath,
        dest: StrPath,
        *,
        mode: int | str | None = None,
        follow_symlinks: bool = False,
        contents_only: bool = False,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        required: Sequence[str] = (),
        unpack: bool = False,
        create_dest: bool = False,
        wildcard: bool = False,
        allow_empty_wildcard: bool = False,
        owner: Owner = None,
        created: Created = None,
        replace: bool = False,
        **constraints: Unpack[ConstraintArgs],
    ) -> State:
        """One copy as a step: `llb.copy`."""
        action = copy(
            source,
            src,
            dest,
            mode=mode,
            follow_symlinks=follow_symlinks,
            contents_only=contents_only,
            include=include,
            exclude=exclude,
            required=required,
            unpack=unpack,
            create_dest=create_dest,
            wildcard=wildcard,
            allow_empty_wildcard=allow_empty_wildcard,
            owner=owner,
            created=created,
            replace=replace,
        )
        return self.file(action, **constraints)

    def mkdir(
        self,
        path: StrPath,
        mode: int = 0o755,
        *,
        parents: bool = False,
        owner: Owner = None,
        created: Created = None,
        **constraints: Unpack[ConstraintArgs],
    ) -> State:
        """One folder as a step: `llb.mkdir`."""
        return self.file(mkdir(path, mode, parents=parents, owner=owner, created=created), **constraints)

    def mkfile(
        self,
        path: StrPath,
        mode: int,
        data: bytes | str,
        *,
        owner: Owner = None,
        created: Created = None,
        **constraints: Unpack[ConstraintArgs],
    ) -> State:
        """One file as a step: `llb.mkfile`."""
        return self.file(mkfile(path, mode, data, owner=owner, created=created), **constraints)

    def rm(
        self,
        path: StrPath,
        *,
        allow_not_found: bool = False,
        wildcard: bool = False,
        **constraints: Unpack[ConstraintArgs],
    ) -> State:
        """One removal as a step: `llb.rm`."""
        return self.file(rm(path, allow_not_found=allow_not_found, wildcard=wildcard), **constraints)

    def symlink(
        self,
        old: StrPath,
        new: StrPath,
        *,
        owner: Owner = None,
        created: Created = None,
        **constraints: Unpack[ConstraintArgs],
    ) -> State:
        """One link as a step: `llb.symlink`."""
        return self.file(symlink(old, new, owner=owner, created=created), **constraints)

    def requires(self, id: str, *deps: State) -> State:  # noqa: A002 - Go's name
        """This state, which is there only when the others are; newest daemons only."""
        if not deps:
            return self
        from buildctl.llb.graphops import passthrough

        made = passthrough(id, [(self, True), *((dep, False) for dep in deps)])
        return self._with_output(made[0]._output)

    def build_op(self, *, filename: StrPath = "", **constraints: Unpack[ConstraintArgs]) -> State:
        """The result of the definition that is a file of this state, `buildkit.llb.definition` by default."""
        from buildctl.llb.vertexes import BuildVertex

        if self._output is None:
            raise UsageError("there is no definition to build in an empty state")
        vertex = BuildVertex(self._output, arguments.path("filename", filename), constraints_of(constraints))
        return self._with_output(Output(vertex))

    # Composition.

    def async_(
        self,
        function: Callable[[State], State | Awaitable[State]]
        | Callable[[State, MarshalOptions], State | Awaitable[State]],
    ) -> State:
        """What a function makes of this state when it is first needed, which is when it is marshalled.

        The function may be async, for `marshal_async`, and may have a second parameter, the options of the
        marshal call. It is called once; what it gives or raises is kept.
        """
        if not callable(function):
            raise wrong_type("function", "a function", function)
        deferred = Deferred(function, self)
        return State(deferred, None, deferred)

    def then(
        self, function: Callable[Concatenate[State, _P], _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """`function(self, …)`, so that a series of steps reads from left to right."""
        return function(self, *args, **kwargs)

    def with_marshal_defaults(self, **args: Unpack[MarshalArgs]) -> State:
        """The same state with defaults for what `marshal` is not told; states made of it do not have them."""
        state = State(self._output, self._values, self._parent, self._change)
        state._defaults = marshal_args(args)
        return state

    # What is known.

    def get_env(self) -> dict[str, str]:
        """The variables, in the order of their last settings. Raises `AsyncStateError` where it waits."""
        return environment(self._known().env)

    def get_dir(self) -> str:
        """The folder. Raises `AsyncStateError`."""
        return self._known().dir

    def get_user(self) -> str:
        """The user, empty where none was set. Raises `AsyncStateError`."""
        return self._known().user

    def get_hostname(self) -> str:
        """The host name, empty where none was set. Raises `AsyncStateError`."""
        return self._known().hostname

    def get_platform(self) -> Platform | None:
        """The platform, None where none was set. Raises `AsyncStateError`."""
        return self._known().platform

    def get_network(self) -> str:
        """The network mode. Raises `AsyncStateError`."""
        return _NETWORK_NAMES[self._known().network]

    def get_security(self) -> str:
        """The security mode. Raises `AsyncStateError`."""
        return _SECURITY_NAMES[self._known().security]

    # The definition.

    def marshal(
        self,
        *,
        platform: Platform | str | None = None,
        local_unique_id: str = "",
        caps: Collection[str] | None = None,
        worker_filters: Sequence[str] = (),
        no_cache: bool = False,
        export_cache: bool | None = None,
        progress_group: ProgressGroup | None = None,
        resources: Resources | None = None,
        **described: Unpack[_Described],
    ) -> Definition:
        """The graph that makes this state, as it is sent to a daemon.

        Equal calls give equal bytes, which are those of BuildKit's own builder in Go, given
        `local_unique_id`.

        platform
            of ops that say none themselves; by default Linux on this machine's CPU.
        local_unique_id
            what tells this build's local folders from those of other builds; by default a random id.
        caps
            what the daemon is capable of, so that older daemons are given what they need; None takes it for
            a new one.
        worker_filters, no_cache, export_cache, progress_group, resources, name, description
            for all ops, besides their own.

        Raises `AsyncStateError` where a function has to be awaited, and what functions of `async_` raise.
        """
        from buildctl.llb.marshal import marshal

        call: dict[str, Any] = {
            "platform": platform,
            "local_unique_id": local_unique_id,
            "caps": caps,
            "worker_filters": worker_filters,
            "no_cache": no_cache,
            "export_cache": export_cache,
            "progress_group": progress_group,
            "resources": resources,
            **described,
        }
        return marshal(self, *self._options(call))

    async def marshal_async(
        self,
        *,
        platform: Platform | str | None = None,
        local_unique_id: str = "",
        caps: Collection[str] | None = None,
        worker_filters: Sequence[str] = (),
        no_cache: bool = False,
        export_cache: bool | None = None,
        progress_group: ProgressGroup | None = None,
        resources: Resources | None = None,
        **described: Unpack[_Described],
    ) -> Definition:
        """The same as `marshal`, awaiting functions of `async_` and resolvers that have to be awaited."""
        from buildctl.llb.marshal import marshal_async

        call: dict[str, Any] = {
            "platform": platform,
            "local_unique_id": local_unique_id,
            "caps": caps,
            "worker_filters": worker_filters,
            "no_cache": no_cache,
            "export_cache": export_cache,
            "progress_group": progress_group,
            "resources": resources,
            **described,
        }
        return await marshal_async(self, *self._options(call))

    def _options(self, call: Mapping[str, Any]) -> tuple[MarshalOptions, MarshalOptions]:
        return MarshalOptions.of(self._defaults, call), MarshalOptions.of(call)

    def _with(self, **fields: Any) -> State:
        return self._changed(lambda values: values._replace(**fields))

    def _changed(self, change: Change, output: AnyOutput | EllipsisType | None = ...) -> State:
        """Other values, now if they are known; with the same output, or another."""
        chosen = self._output if output is ... else output
        if self._values is not None:
            return State(chosen, change(self._values))
        return State(chosen, None, self, change)

    def _with_output(self, output: AnyOutput | None) -> State:
        """The same values, and the platform that the output's op was made with."""
        platform = output.platform if isinstance(output, Output) else None
        return self._changed(lambda values: values.with_platform(platform), output)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a State cannot be pickled; marshal it and send the definition")


class Exec(State):
    """The state after a command, which also knows what the command wrote to its mounts."""

    __slots__ = ("_vertex", "root")

    _vertex: ExecVertex
    root: State
    """The state after the command: its root with what was written; of a read-only root the state before."""

    @classmethod
    def _of(cls, state: State, vertex: ExecVertex) -> Exec:
        [*roots] = (each for each in vertex.mounts if each.source is vertex._state and each.target == "/")
        chosen = vertex.output(roots[0]) if roots[0]._has_output else state._output
        after = state._with_output(chosen)
        made = Exec(after._output, after._values, after._parent, after._change)
        made._vertex = vertex
        made.root = after
        return made

    def output(self, target: StrPath, *, inherit: bool = False) -> State:
        """What the command left at a mount: of a read-only one its source.

        It is a new state, with folder `/` and no variables; with `inherit` the values are those of the
        mounted state. Raises `UsageError` where nothing is mounted at `target`, or what is written there is
        not kept.
        """
        path = arguments.path("target", target)
        found = next((each for each in self._vertex.mounts if each.target == path), None)
        if found is None:
            mounted = ", ".join(each.target for each in self._vertex.mounts)
            raise UsageError(f"nothing is mounted at {path}", hint=f"mounts of this command: {mounted}")
        if found.readonly:
            output = found._output
        elif found.tmpfs_size is not None:
            raise UsageError(f"tmpfs mount for {path} can't be used as a parent")
        elif found.no_output:
            raise UsageError(f"mount marked no-output and {path} can't be used as a parent")
        elif found.cache_id:
            raise UsageError(
                f"invalid mount: {path}", hint="a cache stays with the daemon; copy out of it in a command"
            )
        else:
            output = self._vertex.output(found)
        if not arguments.flag("inherit", inherit):
            return State.of(output)
        source = found.source if found.source is not None else State.of(None)
        return source._with_output(output)
