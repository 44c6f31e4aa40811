"""An open build: what it is solved from is decided here, call by call, until it is given its result."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from buildctl._pb import gateway_pb2, ops_pb2, sourcepolicy_pb2
from buildctl.client.calls import Method
from buildctl.client.convert.text import valid_text
from buildctl.client.convert.workers import worker_record
from buildctl.client.details import is_of_a_step, solve_error
from buildctl.client.gateway.definition import Definitions
from buildctl.client.gateway.gateway import RETURN, SOLVE, Gateway
from buildctl.client.gateway.plan import PlannedStep, planned_steps
from buildctl.client.gateway.reference import Reference
from buildctl.client.gateway.resolve import (
    IMAGE,
    LAYOUT,
    ImageInfo,
    ResolvedSource,
    SourceOp,
    resolve_source,
    source_in,
)
from buildctl.client.gateway.result import Result, result_message, result_of
from buildctl.client.rpc import Caller
from buildctl.client.solve import StatusSink, solve
from buildctl.errors import (
    BuildctlError,
    ClosedError,
    Code,
    ResultError,
    RPCError,
    SolveError,
    SourceExcerpt,
    UsageError,
)
from buildctl.llb.reference import parse_reference
from buildctl.model.definable import Definable
from buildctl.model.solve import CacheEntry, SolveOpt, SolveResult
from buildctl.session.stream import Attachable

if TYPE_CHECKING:
    from buildctl.client.gateway.container import Container, ContainerMount
    from buildctl.llb import State

Outcome: TypeAlias = Result | Reference | Definable | None
"""What a build may be given as its result; None for an empty one."""

_INPUTS = Method(
    "/moby.buildkit.v1.frontend.LLBBridge/Inputs", gateway_pb2.InputsRequest, gateway_pb2.InputsResponse
)
_WARN = Method("/moby.buildkit.v1.frontend.LLBBridge/Warn", gateway_pb2.WarnRequest, gateway_pb2.WarnResponse)
_INHERITED = ("cache-imports", "cache-from")
"""Options of the build that each solve has (the reference's grpcclient)."""
_END_SECONDS = 8.0
"""How long a build that failed here may take to end on the daemon."""


class Build:
    """A build while it is open: solves, reads what came of them, runs containers, and takes a result.

    Every method raises `ClosedError` once the build has ended, `UnsupportedError` where the daemon lacks a
    capability, `SolveError` where a step fails, and `RPCError` where a call does.

        async with client.open_build() as build:
            result = await build.solve(llb.image("busybox").sh("uname -m > /arch"))
            print(await result.single().read_text("/arch"))
            build.set_result(result)
    """

    def __init__(self, gateway: Gateway, product: str = "") -> None:
        self._gateway = gateway
        self._outcome: Outcome = None
        self._definitions = Definitions(gateway, gateway.pong.Workers)
        self._result: SolveResult | None = None
        self._plans: list[bytes] = []
        self.product = product
        self.ref = gateway.ref
        """The build's id, by which its history and status are found."""
        self.session_id = gateway.session_id
        self.opts: Mapping[str, str] = gateway.opts
        """Options of the frontend, as `SolveOpt.frontend_attrs` or the daemon gives them."""
        self.caps = gateway.caps
        """What the gateway can do, by capability ids."""
        self.llb_caps = gateway.llb_caps
        """What definitions may ask for."""
        self.workers = tuple(map(worker_record, gateway.pong.Workers))

    @property
    def daemon_version(self) -> str:
        """BuildKit's version as the daemon says it; those before 0.11 do not: empty."""
        return self._gateway.daemon_version

    @property
    def result(self) -> SolveResult:
        """What the build came to, once it has ended well. Raises `ClosedError` before."""
        if self._result is None:
            raise ClosedError("the build has not ended with a result yet")
        return self._result

    async def solve(
        self,
        what: Definable | None = None,
        *,
        frontend: str = "",
        options: Mapping[str, str] | None = None,
        inputs: Mapping[str, Definable] | None = None,
        cache_imports: Sequence[CacheEntry] = (),
        source_policies: Sequence[bytes] = (),
        evaluate: bool = False,
    ) -> Result:
        """Solve a state or definition, or let a `frontend` yield one from `options` and `inputs`.

        It returns before anything runs: steps run when something is read, or at once with `evaluate`.
        `source_policies` are serialized policies. Options `cache-imports` and `cache-from` of the build hold
        unless they are given.

            result = await build.solve(frontend="dockerfile.v0", options={"target": "test"}, evaluate=True)
        """
        if (what is None) == (not frontend):
            raise UsageError("a build solves either a state or definition, or a frontend")
        options = dict(options or {})
        for key in _INHERITED:
            if key in self.opts:
                options.setdefault(key, self.opts[key])
        with valid_text():
            request = gateway_pb2.SolveRequest(
                Frontend=frontend,
                FrontendOpt=options,
                allowResultReturn=True,
                allowResultArrayRef=True,
                CacheImports=[
                    gateway_pb2.CacheOptionsEntry(Type=entry.type, Attrs=entry.attrs)
                    for entry in cache_imports
                ],
                SourcePolicies=map(sourcepolicy_pb2.Policy.FromString, source_policies),
            )
        if what is not None:
            request.Definition.CopyFrom(await self._definitions.message(what))
        if inputs:
            self._gateway.require("frontend.inputs", "inputs of a frontend")
            for name, message in (await self._definitions.messages(inputs)).items():
                request.FrontendInputs[name].CopyFrom(message)
        if request.HasField("Definition"):
            self._plans.append(request.Definition.SerializeToString())
        by_call = evaluate and "gateway.solve.evaluate" in self.caps
        request.Evaluate = by_call
        result = self.take(await self._gateway.solving(SOLVE, request, runs_only=True))
        if evaluate and not by_call:
            for ref in (result.ref, *result.refs.values()):
                if ref is not None:
                    await ref.evaluate()
        return result

    async def resolve_image(
        self, ref: str, *, platform: str | None = None, resolve_mode: str = "default", store: str = ""
    ) -> ImageInfo:
        """An image's digest and configuration, without fetching its layers.

        `ref` is a reference such as `busybox` or `registry.example/app:1`; with `store` it is one in a layout
        of `SolveOpt.oci_layouts`, by its id. `resolve_mode` is default, pull or local.

            digest = (await build.resolve_image("busybox")).digest
        """
        if store:
            source = SourceOp(LAYOUT + ref, {"oci.session": self.session_id, "oci.store": store})
        else:
            source = SourceOp(IMAGE + str(parse_reference(ref).with_default_tag()))
        info = await resolve_source(self._gateway, source, _platform(platform), resolve_mode)
        if info.image is None:
            raise BuildctlError(f"the daemon did not say what {ref} is")
        return info.image

    async def resolve_source(
        self, op: SourceOp | Definable, *, platform: str | None = None
    ) -> ResolvedSource:
        """What the host of a source says of it: an image's digest, a commit, a file's checksum.

        Of daemons without the capability `source.metaresolver` only images and layouts are told.

            checksum = (await build.resolve_source(llb.http("https://example.org/x"))).op
        """
        if not isinstance(op, SourceOp):
            op = source_in(await self._definitions.message(op))
        return await resolve_source(self._gateway, op, _platform(platform))

    async def inputs(self) -> Mapping[str, State]:
        """The states that a frontend was given as its inputs.

        base = (await build.inputs())["base"]
        """
        from buildctl.llb import Definition

        self._gateway.require("frontend.inputs", "inputs of a frontend")
        answer = await self._gateway.call(_INPUTS, gateway_pb2.InputsRequest())
        return {
            name: Definition.from_bytes(message.SerializeToString()).state()
            for name, message in answer.Definitions.items()
        }

    async def warn(
        self,
        digest: str,
        message: str,
        *,
        level: int = 1,
        detail: Sequence[str] = (),
        url: str = "",
        location: SourceExcerpt | None = None,
    ) -> None:
        """Let displays of the build warn of the step `digest`, in one line and perhaps more.

        await build.warn(digest, "this is old")
        """
        self._gateway.require("gateway.warnings", "a warning")
        with valid_text():
            request = gateway_pb2.WarnRequest(
                digest=digest,
                level=level,
                short=message.encode(),
                detail=[line.encode() for line in detail],
                url=url,
            )
            if location is not None:
                request.info.CopyFrom(ops_pb2.SourceInfo(filename=location.filename, data=location.data))
                for first, last in location.ranges:
                    request.ranges.add(
                        start=ops_pb2.Position(line=first), end=ops_pb2.Position(line=max(first, last))
                    )
        await self._gateway.call(_WARN, request)

    def container(
        self,
        *,
        mounts: Mapping[str, Reference | ContainerMount],
        network: str = "sandbox",
        hostname: str = "",
        extra_hosts: Mapping[str, str] | None = None,
        platform: str | None = None,
        keep: Sequence[str] | None = None,
    ) -> AbstractAsyncContextManager[Container]:
        """A container on results of this build, by where they are mounted: one is at `/`.

        Its first process is the container: when that ends, so does all in it. `keep` is started as the first,
        to wait while others come and go, such as `["sleep", "infinity"]`. A process that ends with another
        code than 0 is the end of the container all the same.
        `network` is sandbox, host (with the entitlement network.host) or none.

            async with build.container(mounts={"/": ref}) as box: ...
        """
        from buildctl.client.gateway.container import open_container

        return open_container(
            self._gateway,
            mounts=mounts,
            network=network,
            hostname=hostname,
            extra_hosts=extra_hosts or {},
            platform=_platform(platform),
            keep=keep,
        )

    def debug(
        self,
        error: SolveError,
        *,
        keep: Sequence[str] | None = None,
        mounts: Mapping[str, ContainerMount] | None = None,
    ) -> AbstractAsyncContextManager[Container]:
        """A container as a failed step left it: its mounts with what it wrote, environment, user and folder.

        Processes get the step's environment, user and folder unless they are given others; `mounts` are added
        to the step's own. Raises
        `UnsupportedError` where the daemon does not keep what failed steps leave (BuildKit before 0.9),
        and `UsageError` where it was not a step with a command that failed.

            async with build.debug(error) as box: ...
        """
        from buildctl.client.gateway.debug import open_failed_step

        return open_failed_step(self._gateway, error, keep, mounts)

    def planned_steps(self) -> tuple[PlannedStep, ...]:
        """The commands of all that this build has solved so far, whether they have run or not.

        Those of a frontend are known where the daemon tells them (the capability `reference.output`).

            names = [step.name for step in build.planned_steps()]
        """
        return tuple(planned_steps(self._plans))

    async def step_inputs(self, step: PlannedStep) -> list[Reference | None]:
        """What a step starts from, for each input of its op.

        first = (await build.step_inputs(step))[0]
        """
        results = [await self.solve(data) for data in step.inputs()]
        return [result.ref for result in results]

    @contextlib.asynccontextmanager
    async def at_step(
        self,
        step: PlannedStep,
        *,
        keep: Sequence[str] | None = None,
        mounts: Mapping[str, ContainerMount] | None = None,
    ) -> AsyncIterator[Container]:
        """A container as a step finds it when it starts: its mounts, environment, user and folder.

        async with build.at_step(build.planned_steps()[-1]) as box: ...
        """
        from buildctl.client.gateway.debug import open_planned_step

        inputs = await self.step_inputs(step)
        async with open_planned_step(self._gateway, step, inputs, keep, mounts) as container:
            yield container

    def set_result(self, result: Outcome) -> None:
        """Say what the build is to come to; the last word counts, and without one it is nothing.

        build.set_result(result)
        """
        self._outcome = result

    def take(self, response: gateway_pb2.SolveResponse) -> Result:
        """The result of a solve, whose steps are known from now on."""
        result = result_of(self._gateway, response)
        self._plans += [ref.definition for ref in (result.ref, *result.refs.values()) if ref is not None]
        return result

    async def conclude(self) -> gateway_pb2.Result:
        """The result as a message; a state is solved first."""
        outcome = self._outcome
        if outcome is not None and not isinstance(outcome, Result | Reference):
            outcome = await self.solve(outcome)
        if isinstance(outcome, Reference):
            outcome = Result(outcome)
        return result_message(self.caps, outcome or Result())


class Inspector(Protocol):
    """Looks into a build that goes its usual way: `client.solve(opt, inspector=mine)`.

    A subclass has `async def planned(self, build)` and `async def failed(self, build, error)`. What either
    raises ends the build.
    """

    async def planned(self, build: Build) -> None:
        """Before the first step runs, unless the frontend has run some itself."""

    async def failed(self, build: Build, error: SolveError) -> None:
        """When a step has failed, which `error.step` tells, before the build ends."""


async def inspected(
    inspector: Inspector, gateway: Gateway, solving: Callable[[], Awaitable[gateway_pb2.SolveResponse]]
) -> gateway_pb2.SolveResponse:
    """Solve under the eyes of an inspector, with all steps run at the end. Raises `RPCError`."""
    build = Build(gateway)
    try:
        response = await solving()
    except RPCError as error:
        failure = solve_error(error)
        await gateway.explain(failure)
        if failure.step is not None and is_of_a_step(error):
            await inspector.failed(build, failure)
        raise
    result = build.take(response)
    await inspector.planned(build)
    try:
        refs = (result.ref, *result.refs.values())
        await asyncio.gather(*(ref.evaluate() for ref in refs if ref is not None))
    except SolveError as failure:
        await inspector.failed(build, failure)
        # BuildKit before 0.9 wraps what is passed on to it in more words. Told nothing, it finds the same.
        if failure.details and isinstance(failure.__cause__, RPCError):
            raise failure.__cause__ from None
    return response


class _Bridge:
    """Between the task in which a build runs and the one that has it open."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[Gateway] = loop.create_future()
        self._ended: asyncio.Future[gateway_pb2.Result | Exception] = loop.create_future()
        self.refusal: ResultError | None = None

    def end(self, outcome: gateway_pb2.Result | Exception) -> None:
        if not self._ended.done():
            self._ended.set_result(outcome)

    async def converse(self, gateway: Gateway) -> Mapping[str, bytes]:
        if not self.opened.done():
            self.opened.set_result(gateway)
        outcome = await self._ended
        if isinstance(outcome, Exception):
            with contextlib.suppress(BuildctlError):  # which would add nothing
                await return_failure(gateway, outcome)
            raise outcome
        try:
            await gateway.call(RETURN, gateway_pb2.ReturnRequest(result=outcome))
        except RPCError as error:
            self.refusal = ResultError(f"the daemon does not take the result: {error}")
            with contextlib.suppress(BuildctlError):
                await gateway.return_error(error.code, error.message, error.details)
            raise self.refusal from error
        return dict(outcome.metadata)


async def return_failure(gateway: Gateway, error: Exception) -> None:
    """Let Control.Solve end with a failure of this program. Raises `RPCError`."""
    if isinstance(error, RPCError | SolveError):
        await gateway.return_error(error.code, error.message, error.details)
    else:
        text = str(error) or type(error).__name__
        await gateway.return_error(Code.UNKNOWN, text.encode(errors="replace").decode())


@contextlib.asynccontextmanager
async def open_build(
    caller: Caller,
    opt: SolveOpt,
    *,
    product: str = "",
    on_status: StatusSink | None = None,
    attachables: Sequence[Attachable] = (),
) -> AsyncIterator[Build]:
    """A build that ends with the block (`Client.open_build`)."""
    bridge = _Bridge()
    running = asyncio.create_task(
        solve(caller, opt, on_status, attachables=attachables, converse=bridge.converse)
    )
    try:
        waiting: list[asyncio.Future[Any]] = [running, bridge.opened]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        build = Build(bridge.opened.result(), product)
        try:
            yield build
            bridge.end(await build.conclude())
        except Exception as error:
            bridge.end(error)
            await asyncio.wait([running], timeout=_END_SECONDS)
            if isinstance(error, ClosedError) and running.done() and (failure := running.exception()):
                raise failure from error  # why it was closed
            raise
        await asyncio.wait([running])
        if bridge.refusal is not None:
            raise bridge.refusal
        build._result = running.result()
    finally:
        await _end(running)


async def _end(running: asyncio.Task[SolveResult]) -> None:
    """Cancel a build and see it end; cancelling that too shortens its end."""
    running.cancel()
    interruption: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as cancelled:
            running.cancel()
            interruption = cancelled
    if not running.cancelled():
        running.exception()  # which is not to be reported as unseen
    if interruption is not None:
        raise interruption


def _platform(text: str | None) -> ops_pb2.Platform | None:
    if text is None:
        return None
    parts = text.split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise UsageError(f"invalid platform {text!r}", hint="use OS/CPU, such as linux/amd64 or linux/arm/v7")
    return ops_pb2.Platform(OS=parts[0], Architecture=parts[1], Variant=parts[2] if len(parts) > 2 else "")
