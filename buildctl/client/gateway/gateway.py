"""The calls of one build to the daemon's gateway: each names the build, and none outlives it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from buildctl._pb import gateway_pb2
from buildctl.client.calls import Method, Request, Response
from buildctl.client.capabilities import FIRST_FRONTEND_CAPS, FIRST_LLB_CAPS, Capabilities
from buildctl.client.convert.errors import error_status
from buildctl.client.details import is_of_a_step, passed_on, solve_error
from buildctl.client.gateway.processes import Processes
from buildctl.client.rpc import Caller, Duplex
from buildctl.errors import (
    ClosedError,
    Code,
    ErrorDetail,
    RPCError,
    SolveError,
    UnsupportedError,
)

T = TypeVar("T")

_BRIDGE = "/moby.buildkit.v1.frontend.LLBBridge/"
PING = Method(_BRIDGE + "Ping", gateway_pb2.PingRequest, gateway_pb2.PongResponse)
SOLVE = Method(_BRIDGE + "Solve", gateway_pb2.SolveRequest, gateway_pb2.SolveResponse)
RETURN = Method(_BRIDGE + "Return", gateway_pb2.ReturnRequest, gateway_pb2.ReturnResponse)
READ_FILE = Method(_BRIDGE + "ReadFile", gateway_pb2.ReadFileRequest, gateway_pb2.ReadFileResponse)
READ_DIR = Method(_BRIDGE + "ReadDir", gateway_pb2.ReadDirRequest, gateway_pb2.ReadDirResponse)
STAT_FILE = Method(_BRIDGE + "StatFile", gateway_pb2.StatFileRequest, gateway_pb2.StatFileResponse)
EVALUATE = Method(_BRIDGE + "Evaluate", gateway_pb2.EvaluateRequest, gateway_pb2.EvaluateResponse)
_EXEC = Method(_BRIDGE + "ExecProcess", gateway_pb2.ExecMessage, gateway_pb2.ExecMessage, streams=True)

_BUILD_ID = "buildkit-controlapi-buildid"
_PING_SECONDS = 15.0
CALLS = 20
"""At once for one build: a connection carries a limited number (`client.lanes`)."""


async def has_gateway(caller: Caller) -> bool:
    """Whether the daemon has a gateway. One that has refuses this Ping, which names no build."""
    try:
        await caller.unary(PING, gateway_pb2.PingRequest(), seconds=_PING_SECONDS)
    except RPCError as error:
        return error.code is not Code.UNIMPLEMENTED
    return True


class Gateway:
    """The gateway of the build `ref`."""

    def __init__(
        self,
        caller: Caller,
        ref: str,
        *,
        session_id: str = "",
        daemon_version: str = "",
        opts: Mapping[str, str] | None = None,
        explain: Callable[[SolveError], Awaitable[None]] | None = None,
    ) -> None:
        """`opts` are the options of the build's frontend; `explain` says in an error which step failed."""
        self.ref = ref
        self.session_id = session_id
        self.daemon_version = daemon_version
        self.opts = dict(opts or {})
        self.pong = gateway_pb2.PongResponse()
        self.caps = Capabilities((), ())
        """What the gateway can do; known after `ping`."""
        self.llb_caps = Capabilities((), ())
        """What definitions may ask for; known after `ping`."""
        self._caller = caller
        self._explain = explain
        self._metadata = ((_BUILD_ID, ref),) if ref else ()  # a frontend in the daemon has one build
        self._turns = asyncio.Semaphore(CALLS)
        self._running: set[asyncio.Task[Any]] = set()
        self._is_closed = False
        self.processes = Processes(self)

    async def ping(self) -> None:
        """Wait for the daemon to know of the build, and learn what it can do."""
        self.pong = await self.call(PING, gateway_pb2.PingRequest(), seconds=_PING_SECONDS)
        self.caps = Capabilities(self.pong.FrontendAPICaps, FIRST_FRONTEND_CAPS)
        self.llb_caps = Capabilities(self.pong.LLBCaps, FIRST_LLB_CAPS)

    def require(self, cap: str, what: str) -> None:
        """Raise `UnsupportedError` unless the gateway can; `what` is asked for, as half a sentence."""
        if cap not in self.caps:
            raise UnsupportedError(cap, what=what, daemon_version=self.daemon_version)

    async def return_error(self, code: Code, message: str, details: Sequence[ErrorDetail] = ()) -> None:
        """Pass a failure on, as Control.Solve is to end with it. Raises `RPCError`."""
        status = error_status(code, message, passed_on(details))
        await self.call(RETURN, gateway_pb2.ReturnRequest(error=status))

    async def call(
        self, method: Method[Request, Response], request: Request, *, seconds: float | None = None
    ) -> Response:
        """Make a call within the build. Raises `RPCError`, and `ClosedError` once the build has ended."""
        self.check_open()
        async with self._turns:
            call = self._caller.unary(method, request, metadata=self._metadata, seconds=seconds)
            task = self.start(call)
            try:
                await asyncio.wait([task])
            finally:
                task.cancel()
        if task.cancelled():
            self.check_open()
            raise asyncio.CancelledError
        return task.result()

    async def solving(
        self, method: Method[Request, Response], request: Request, *, runs_only: bool = False
    ) -> Response:
        """Make a call that may run steps, or `runs_only` them. Raises `SolveError` where one fails."""
        try:
            return await self.call(method, request)
        except RPCError as error:
            if not (runs_only or is_of_a_step(error)):
                raise
            failure = solve_error(error)
            await self.explain(failure)
            raise failure from error

    async def explain(self, error: SolveError) -> None:
        """Say in an error which step failed, as far as that is known."""
        if self._explain is not None:
            await self._explain(error)

    def duplex(self) -> AbstractAsyncContextManager[Duplex[gateway_pb2.ExecMessage, gateway_pb2.ExecMessage]]:
        """The one stream for the processes of all containers, as a context manager."""
        return self._caller.duplex(_EXEC, metadata=self._metadata)

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Do something besides that ends with the build at the latest."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def check_open(self) -> None:
        """Raise `ClosedError` once the build has ended."""
        if self._is_closed:
            raise ClosedError("the build has ended", hint="what belongs to a build is used while it is open")

    async def aclose(self) -> None:
        """End all calls, for the build has ended."""
        self._is_closed = True
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
