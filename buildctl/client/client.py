"""The daemon's API as typed asyncio Python: every call a user makes."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import grpc.aio

from buildctl._pb import control_pb2
from buildctl.client.calls import (
    DISK_USAGE,
    INFO,
    LIST_WORKERS,
    LISTEN_BUILD_HISTORY,
    PRUNE,
    STATUS,
    UPDATE_BUILD_HISTORY,
)
from buildctl.client.convert.text import valid_text
from buildctl.client.lanes import OPEN_BUILD, Lanes
from buildctl.client.liveness import DEFAULT_STALL_SECONDS
from buildctl.client.rpc import Caller, Diagnose
from buildctl.errors import Code, ConnectError, RPCError
from buildctl.model.address import Address, TLSOptions, parse_address
from buildctl.telemetry.trace import Trace
from buildctl.transport.channel import open_connection

if TYPE_CHECKING:
    from buildctl.client.defaults import Defaults
    from buildctl.client.dockeroptions import Agents, SecretValue
    from buildctl.client.fleet import Taken
    from buildctl.client.gateway.build import Build, Inspector, Outcome
    from buildctl.client.services import TransferSink
    from buildctl.client.solve import StatusSink
    from buildctl.model.cache import PruneOpt, UsageRecord
    from buildctl.model.context import Context
    from buildctl.model.definable import Definable
    from buildctl.model.history import BuildHistoryEvent
    from buildctl.model.result import BuildResult
    from buildctl.model.solve import CacheEntry, Export, SolveOpt, SolveResult
    from buildctl.model.status import SolveStatus
    from buildctl.model.workers import BuildkitVersion, WorkerRecord
    from buildctl.session.auth.service import Auth
    from buildctl.session.observed import RequestSink
    from buildctl.session.stream import Attachable
    from buildctl.transport.stream import Dial

_WAIT_SECONDS = 1.0
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Client:
    """A conversation with one daemon.

    Every method raises `RPCError` when the call fails; what is iterated over may raise it at any step.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        diagnose: Diagnose | None = None,
        *,
        notice: str = "",
        trace: Trace | None = None,
        open_another: Callable[[], grpc.aio.Channel] | None = None,
        stall_seconds: float = DEFAULT_STALL_SECONDS,
        dial: Dial | None = None,
        address: Address | None = None,
        environ: Mapping[str, str] | None = None,
        defaults: Defaults | None = None,
    ) -> None:
        """A client on an open channel, which stays the caller's to close.

        `open_another` opens one more to the same daemon, for many builds at once: a connection carries some
        fifty (see `lanes`). Whoever gives it closes what it opened. `dial` connects to a unix socket where
        the same daemon answers: builds then transfer files faster, on connections of their own. `address`,
        `environ` (the process's own when None) and `defaults` are as in `connect`.
        """
        self._address = address
        self._environ = os.environ if environ is None else environ
        self._defaults = defaults
        make = partial(Caller, diagnose=diagnose, trace=trace, stall_seconds=stall_seconds, dial=dial)
        self._caller = make(channel)
        another = (lambda: make(open_another())) if open_another else None
        self._lanes = Lanes(self._caller, another)
        self.notice = notice
        """One line for people on what this daemon cannot do; mostly empty."""
        self.taken: Taken | None = None
        """Which of several daemons this is, and why; None where the address was that of one."""

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(
        cls,
        address: Address | str,
        *,
        tls: TLSOptions | None = None,
        environ: Mapping[str, str] | None = None,
        trace: Trace | None = None,
        stall_seconds: float = DEFAULT_STALL_SECONDS,
        defaults: Defaults | None = None,
        sticky: str = "none",
        platforms: Collection[str] = (),
        counts: bool = True,
    ) -> AsyncIterator[Client]:
        """A client of the daemon at `address`, disconnected at the end.

        `environ` is what helper programs, proxies and Docker's own settings are read from; the process's own
        when None. `defaults` is what builds get that do not say otherwise (`buildctl.connect` gives the
        command line's). Whether a daemon is there shows with the first call. The calls belong to `trace`,
        which ends with the conversation. Once the daemon has given no sign of life for `stall_seconds` (0 for
        no limit), though it was asked for one, calls end as UNAVAILABLE.

        Of an address that is several daemons one is taken that answers, for as long as the block: `sticky` is
        the project, which stays on one daemon (`none` is for the less busy of two drawn), `platforms` is what
        is built for, and `counts` says whether other processes of this user are to see a build there.
        `Client.taken` says which it is. Raises `ConnectError` where none answers.

            async with Client.connect("tcp://builder:1234") as client: ...
        """
        trace = trace or Trace()
        environ = os.environ if environ is None else environ
        address = parse_address(address) if isinstance(address, str) else address
        if address.is_fleet:
            from buildctl.client.fleet import take_daemon

            open_one = partial(
                cls.connect,
                tls=tls,
                environ=environ,
                trace=trace,
                stall_seconds=stall_seconds,
                defaults=defaults,
            )
            taking = take_daemon(
                address, open_one, key=sticky, wanted=platforms, counts=counts, environ=environ
            )
            async with taking as (client, taken):
                client.taken = taken
                yield client
            return
        async with open_connection(address, tls=tls or TLSOptions(), environ=environ) as connection:
            client = cls(
                connection.channel,
                connection.diagnose,
                notice=connection.notice,
                trace=trace,
                open_another=connection.open_another,
                stall_seconds=stall_seconds,
                dial=connection.dial,
                address=address,
                environ=environ,
                defaults=defaults,
            )
            try:
                with trace.ending():
                    yield client
            finally:
                await client._caller.deliver_spans()

    async def solve(
        self,
        opt: SolveOpt,
        on_status: StatusSink | None = None,
        *,
        on_transfer: TransferSink | None = None,
        on_request: RequestSink | None = None,
        attachables: Sequence[Attachable] = (),
        inspector: Inspector | None = None,
    ) -> SolveResult:
        """Build.

        `on_status` is called with what the daemon says meanwhile, `on_transfer` with what each transfer of a
        local directory did, also in a build that fails, and `on_request` with what the daemon asked of this
        machine. `attachables` are offered to the daemon besides the services that `opt` asks for.
        `inspector` looks into the build before its steps run, and when one has failed. Raises `SolveError`
        when the build fails. Cancelling the task cancels the build on the daemon.

            await client.solve(SolveOpt("dockerfile.v0", local_dirs={"context": ".", "dockerfile": "."}))
        """
        from buildctl.client.solve import solve  # with the session, which no other call needs

        if self._defaults is not None:
            opt, attachables = await self._defaults.complete(opt, attachables, on_status)
        inspect = None
        if inspector is not None:
            from buildctl.client.gateway.build import inspected

            inspect = partial(inspected, inspector)
        with self._lanes.take(OPEN_BUILD if inspector else 1) as caller:
            return await solve(caller, opt, on_status, on_transfer, attachables, on_request, inspect=inspect)

    async def build(
        self,
        context: str | os.PathLike[str] | Context | None = None,
        *,
        dockerfile: str | os.PathLike[str] | None = None,
        target: str = "",
        tags: Sequence[str] = (),
        push: bool = False,
        load: bool | str = False,
        output: Export | Sequence[Export] = (),
        build_args: Mapping[str, str] = _NOTHING,
        labels: Mapping[str, str] = _NOTHING,
        annotations: Mapping[str, str] = _NOTHING,
        platforms: Sequence[str] = (),
        secrets: Mapping[str, SecretValue] = _NOTHING,
        ssh: Agents = (),
        contexts: Mapping[str, str | os.PathLike[str] | Context | Definable] = _NOTHING,
        cache_from: Sequence[str | CacheEntry] = (),
        cache_to: Sequence[str | CacheEntry] = (),
        no_cache: bool | Sequence[str] = False,
        pull: bool = False,
        network: str = "",
        frontend: str = "dockerfile.v0",
        attrs: Mapping[str, str] = _NOTHING,
        auth: Auth | None = None,
        provenance: bool | str | None = None,
        sbom: bool | str | None = None,
        entitlements: Sequence[str] = (),
        ref: str = "",
        on_status: StatusSink | None = None,
    ) -> BuildResult:
        """Build a Dockerfile, or what another frontend reads.

            result = await client.build(".", tags=["example.org/app:1"], push=True)
            print(result.digest)

        `context` is what steps can copy: a folder's path, a URL, or a `Context` (files in memory, an
        archive). `dockerfile` is its text, or the path of one: from here, else within the context; by default
        the context's `Dockerfile`. `target` is the stage to build, by default the last.

        `tags` are names for the image, which is kept in the daemon's store (at `docker://`, in the Engine's).
        `push` sends it to the registry that each names (`UnsupportedError` at an Engine that has not
        containerd's image store: its BuildKit cannot); `load` puts it into a Docker Engine: True for the one
        that the client is connected to, else that of DOCKER_HOST; an address such as `unix:///path` for
        another. `output` is where the result goes besides (`Output`). With none of these it stays in the
        build cache.

        `secrets` are values (text, bytes), files (`Path`), or `SecretSource`, by id. `ssh` names agents:
        `["default"]` is the user's own, `{"git": "id_ed25519"}` a key. `contexts` are further contexts by
        name, as paths, URLs (`docker-image://` and `oci-layout://` too), `Context` or `llb.State`. A cache is
        an image's name or a `CacheEntry`. `no_cache` is True or the stages that are to run anew; `network` is
        `host` (which it also allows) or `none`. `annotations` have keys as buildx takes them, `manifest:KEY`
        included. `provenance` and `sbom` are True or a value such as `mode=max`. `attrs` go to the frontend
        as they are, and before what the other parameters say.

        `on_status` is called with all the daemon says meanwhile, by the event loop; a `Progress` is such a
        function. Raises `UsageError` for what cannot be meant or is not there, before the daemon is asked,
        and `SolveError` where the build fails. Cancelling the task cancels the build on the daemon.
        """
        from buildctl.client.dockerbuild import run_docker_build
        from buildctl.client.dockeroptions import DockerBuild

        build = DockerBuild(
            context=context,
            dockerfile=dockerfile,
            target=target,
            tags=tags,
            push=push,
            load=load,
            output=output,
            build_args=build_args,
            labels=labels,
            annotations=annotations,
            platforms=platforms,
            secrets=secrets,
            ssh=ssh,
            contexts=contexts,
            cache_from=cache_from,
            cache_to=cache_to,
            no_cache=no_cache,
            pull=pull,
            network=network,
            frontend=frontend,
            attrs=attrs,
            provenance=provenance,
            sbom=sbom,
            entitlements=entitlements,
            ref=ref,
        )
        return await run_docker_build(
            build, self.solve, address=self._address, environ=self._environ, auth=auth, on_status=on_status
        )

    @contextlib.asynccontextmanager
    async def open_build(
        self,
        opt: SolveOpt | None = None,
        *,
        product: str = "",
        on_status: StatusSink | None = None,
        attachables: Sequence[Attachable] = (),
    ) -> AsyncIterator[Build]:
        """A build that is solved call by call while the block runs: `Build` says what can be done in it.

        `opt` says what is exported, cached and offered; it needs no frontend or definition. Leaving the block
        ends the build with the result that it was given, and waits for that to be exported; then
        `Build.result` has it. An exception ends it as failed and is raised on as it is; cancellation
        cancels it. Raises `SolveError` where the build fails otherwise, and `ResultError` where the daemon
        does not take the result.

            async with client.open_build() as build:
                result = await build.solve(llb.image("busybox").sh("uname -m > /arch"))
                print(await result.single().read_text("/arch"))
        """
        from buildctl.client.gateway.build import open_build
        from buildctl.model.solve import SolveOpt as Opt

        opt = opt or Opt()
        if self._defaults is not None:
            opt, attachables = await self._defaults.complete(opt, attachables, on_status)
        with self._lanes.take(OPEN_BUILD) as caller:
            async with open_build(
                caller, opt, product=product, on_status=on_status, attachables=attachables
            ) as build:
                yield build

    async def run_build(
        self,
        function: Callable[[Build], Awaitable[Outcome]],
        opt: SolveOpt | None = None,
        *,
        product: str = "",
        on_status: StatusSink | None = None,
        attachables: Sequence[Attachable] = (),
    ) -> SolveResult:
        """A build whose result a function decides; what that raises ends it and is raised on.

        async def plan(build):
            return llb.scratch().file(llb.mkfile("/hi", 0o644, "hello"))

        await client.run_build(plan, SolveOpt(exports=...))
        """
        async with self.open_build(
            opt, product=product, on_status=on_status, attachables=attachables
        ) as build:
            build.set_result(await function(build))
        return build.result

    async def status(self, ref: str) -> AsyncGenerator[SolveStatus, None]:
        """What the build `ref` says, from its first word on, until it ends.

        async for status in client.status(ref): ...
        """
        from buildctl.client.convert.status import solve_status

        with valid_text():
            request = control_pb2.StatusRequest(Ref=ref)
        async with contextlib.aclosing(self._caller.stream(STATUS, request)) as messages:
            async for message in messages:
                yield solve_status(message)

    async def disk_usage(self, filters: Iterable[str] = ()) -> list[UsageRecord]:
        """The build cache, smallest entry first.

        sum(record.size_bytes for record in await client.disk_usage())
        """
        from buildctl.client.convert.cache import usage_records

        with valid_text():
            request = control_pb2.DiskUsageRequest(filter=filters)
        response = await self._caller.unary(DISK_USAGE, request, prefix="failed to call diskusage: ")
        return usage_records(response.record)

    async def prune(self, opt: PruneOpt | None = None) -> AsyncGenerator[UsageRecord, None]:
        """Remove what `opt` allows from the build cache; yields each entry as it goes.

        freed = [record async for record in client.prune(PruneOpt(all=True))]
        """
        from buildctl.client.convert.cache import prune_request, usage_record

        request = prune_request(opt)
        async with contextlib.aclosing(
            self._caller.stream(PRUNE, request, opening="failed to call prune: ")
        ) as messages:
            async for message in messages:
                yield usage_record(message)

    async def workers(self, filters: Iterable[str] = ()) -> list[WorkerRecord]:
        """The daemon's workers.

        platforms = (await client.workers())[0].platforms
        """
        from buildctl.client.convert.workers import worker_record

        with valid_text():
            request = control_pb2.ListWorkersRequest(filter=filters)
        response = await self._caller.unary(LIST_WORKERS, request, prefix="failed to list workers: ")
        return [worker_record(record) for record in response.record]

    async def info(self) -> BuildkitVersion:
        """What the daemon is. Raises `RPCError` with UNIMPLEMENTED on one older than 0.11.

        print((await client.info()).version)
        """
        from buildctl.client.convert.workers import buildkit_version

        response = await self._caller.unary(INFO, control_pb2.InfoRequest(), prefix="failed to call info: ")
        return buildkit_version(response.buildkitVersion)

    async def listen_build_history(
        self,
        ref: str = "",
        *,
        active_only: bool = False,
        early_exit: bool = False,
        filters: Iterable[str] = (),
        limit: int = 0,
    ) -> AsyncGenerator[BuildHistoryEvent, None]:
        """What is recorded of builds, or of one, and then what happens to them, for ever.

        `active_only` leaves out what has ended; `early_exit` ends after what is recorded already. `filters`
        and `limit` (0 is none) choose records on daemons that know of them.

            async for event in client.listen_build_history(early_exit=True): ...
        """
        from buildctl.client.convert.history import history_event

        with valid_text():
            request = control_pb2.BuildHistoryRequest(
                ActiveOnly=active_only, Ref=ref, EarlyExit=early_exit, Filter=filters, Limit=limit
            )
        async with contextlib.aclosing(self._caller.stream(LISTEN_BUILD_HISTORY, request)) as messages:
            async for message in messages:
                yield history_event(message)

    async def update_build_history(
        self, ref: str, *, pinned: bool = False, delete: bool = False, finalize: bool = False
    ) -> None:
        """Change the record of a build: whether it is pinned, unless it is deleted or finalized instead.

        await client.update_build_history(ref, pinned=True)
        """
        with valid_text():
            request = control_pb2.UpdateBuildHistoryRequest(
                Ref=ref, Pinned=pinned, Delete=delete, Finalize=finalize
            )
        await self._caller.unary(UPDATE_BUILD_HISTORY, request)

    async def read_content(self, digest: str) -> AsyncGenerator[bytes, None]:
        """A blob of the daemon's content store, in pieces of one MiB at most.

        Raises `ProtocolError` where the daemon sends more or less than it has announced.

            async for piece in client.read_content(digest): ...
        """
        from buildctl.client.blob import read_blob

        async with contextlib.aclosing(read_blob(self._caller, digest)) as pieces:
            async for piece in pieces:
                yield piece

    async def wait(
        self, seconds: float | None = None, *, on_failure: Callable[[RPCError], None] | None = None
    ) -> None:
        """Wait until the daemon answers, for ever or for `seconds`; `on_failure` is told of each try.

        Raises `ConnectError` when the time is over, and at once any failure but that there is no daemon.

            await client.wait(30)
        """
        unavailable: RPCError | None = None
        asking = False
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        asking = True
                        await self._caller.unary(INFO, control_pb2.InfoRequest())
                        return
                    except RPCError as error:
                        if error.code is Code.UNIMPLEMENTED:
                            return  # an answer too
                        if error.code is not Code.UNAVAILABLE:
                            raise
                        unavailable = error
                        if on_failure is not None:
                            on_failure(error)
                    asking = False
                    await asyncio.sleep(_WAIT_SECONDS)
        except TimeoutError:
            hint = f"no daemon answered; the last try: {unavailable}" if unavailable else "no daemon answered"
            code = "DeadlineExceeded: " if asking else ""  # the call's end has one, a pause has none
            raise ConnectError(f"{code}context deadline exceeded", hint=hint) from None
