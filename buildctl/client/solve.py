"""One build from start to end: the session, Solve, Status and the gateway side by side, and how they end.

They end in this order: Solve returns, the session is closed and drained, Status runs out. Of several failures
the first is the build's, unless the connection broke, which all calls say at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from buildctl._pb import control_pb2
from buildctl.client.calls import LIST_WORKERS, SOLVE, STATUS
from buildctl.client.convert.status import solve_status
from buildctl.client.details import solve_error
from buildctl.client.failedstep import Steps
from buildctl.client.gateway.definition import serialized
from buildctl.client.gateway.forward import Inspect, forward
from buildctl.client.gateway.gateway import Gateway, has_gateway
from buildctl.client.request import (
    check,
    control_request,
    frontend_attrs,
    plain_request,
    uses_layouts,
)
from buildctl.client.rpc import Caller
from buildctl.client.services import (
    Noting,
    TransferSink,
    check_delivery,
    checking_contents,
    deliveries,
    senders,
    session_services,
)
from buildctl.errors import (
    BuildctlError,
    Code,
    PeerTransferError,
    ProtocolError,
    RPCError,
    SessionLostError,
    SolveError,
    TransferEndedError,
    TransferError,
    UnsupportedError,
)
from buildctl.fsutil.worker import Worker
from buildctl.model.identity import new_id
from buildctl.model.solve import CacheEntry, SolveOpt, SolveResult
from buildctl.model.status import SolveStatus
from buildctl.model.transfer import Transfer
from buildctl.session.observed import RequestSink, refused
from buildctl.session.stream import Attachable
from buildctl.session.tunnel import Session

if TYPE_CHECKING:
    from buildctl.oci.store import Store

StatusSink: TypeAlias = Callable[[SolveStatus], None]
Converse: TypeAlias = Callable[[Gateway], Coroutine[Any, Any, Mapping[str, bytes]]]
"""Brings a build its result by the gateway; returns the frontend's metadata of it."""

_LOG = logging.getLogger("buildctl")

_LOCAL = TransferError | ProtocolError
_REMOTE = PeerTransferError | TransferEndedError
"""Failures of a transfer that the daemon knows more of."""

_ACCOUNT_SECONDS = 5.0
"""How long Solve has to say why another call failed (the reference's limit for the gateway)."""
_STATUS_IDLE_SECONDS = 5.0
"""How long Status may be silent once Solve has ended (the reference's limit)."""
_STATUS_SILENT_SECONDS = 1.0
"""The same where Status never said a word, because the build failed before it began."""
_LONG_MESSAGE_SECONDS = 0.002
"""What a message of Status may take before others are let run. Most take a fraction of it."""
_TURNS = 8
_IDLE_TURN_SECONDS = 0.0002
_SESSION_DRAIN_SECONDS = 5.0
"""How long the daemon may take to end the session once it is closed."""
_LOSS_SECONDS = 1.0
"""How long a failed build waits to learn whether the daemon had given up the session."""
_CANCEL_SECONDS = 1.0
"""How long a cancelled build waits for the daemon to show how it ends."""


async def solve(
    caller: Caller,
    opt: SolveOpt,
    on_status: StatusSink | None = None,
    on_transfer: TransferSink | None = None,
    attachables: Sequence[Attachable] = (),
    on_request: RequestSink | None = None,
    converse: Converse | None = None,
    inspect: Inspect | None = None,
) -> SolveResult:
    """Run one build. Raises `SolveError` when the daemon says that it failed.

    Its result is what `converse` brings; by default that of the frontend or definition of `opt`,
    into which `inspect` looks.
    When the task is cancelled, so is the build; `on_status` still gets what the daemon says of it, for a
    moment, before `CancelledError` is raised.
    """
    prefix = "listing workers for Build: failed to list workers: "
    workers = await caller.unary(LIST_WORKERS, control_pb2.ListWorkersRequest(), prefix=prefix)
    check(opt, is_conversed=converse is not None)
    opt = await serialized(opt, workers.record)
    # Daemons that say their version are younger than the gateway; of others it must be known before Solve,
    # for one without a gateway would export an empty result where it should wait for ours.
    version = next(filter(None, (worker.BuildkitVersion.version for worker in workers.record)), "")
    with_gateway = bool(version) or await has_gateway(caller)
    if converse is not None and not with_gateway:
        raise UnsupportedError("return", what="a build that is run from here")
    transfers: list[Transfer] = []

    def note_transfer(transfer: Transfer) -> None:
        transfers.append(transfer)
        if on_transfer:
            on_transfer(transfer)

    with contextlib.closing(Worker("layouts")) as disk:
        by_id: Mapping[str, Store] = {}
        imports = opt.cache_imports
        if uses_layouts(opt):
            from buildctl.client.stores import enter_results, open_stores

            stores = await disk.run(open_stores, opt)
            opt = replace(opt, cache_imports=stores.cache_imports)
            by_id, imports = stores.by_id, stores.usable_imports
        async with checking_contents(opt, disk) as (shared_key, watch):
            opt = replace(opt, shared_key=shared_key)
            services = session_services(opt, attachables, by_id, watch, note_transfer, on_request)
            ids = [worker.ID for worker in workers.record]
            build = _Build(
                caller,
                opt,
                on_status,
                services,
                imports,
                ids,
                with_gateway,
                on_request,
                converse or partial(forward, opt=opt, imports=imports, inspect=inspect),
            )
            build.daemon_version = version
            try:
                result = await build.run()
            except (RPCError, SolveError) as error:
                error.transient = error.transient and not any(one.has_spilled for one in senders(services))
                raise
            check_delivery(opt, services)
        if uses_layouts(opt):
            await disk.run(enter_results, opt, result.exporter_response)
    return replace(result, transfers=tuple(transfers), deliveries=deliveries(opt, services))


class _Build:
    """A running build: one task for each of its calls."""

    def __init__(
        self,
        caller: Caller,
        opt: SolveOpt,
        on_status: StatusSink | None,
        services: Sequence[Attachable],
        imports: Sequence[CacheEntry],
        workers: Sequence[str],
        with_gateway: bool,
        on_request: RequestSink | None,
        converse: Converse,
    ) -> None:
        self._converse = converse
        self._caller = caller
        self._opt = opt
        self._on_status = on_status
        self._workers = workers  # their ids
        self._with_gateway = with_gateway
        self._ref = opt.ref or new_id()
        self._session_id = new_id()
        self._imports = imports
        noted = [Noting(one, self._note_local_failure) for one in services]
        on_unknown = (lambda path: on_request(refused(path))) if on_request else None
        self._session = Session(noted, self._session_id, shared_key=opt.shared_key, on_unknown=on_unknown)
        self._local_failure: BuildctlError | None = None  # what failed here and so failed the build
        self._errors: list[Exception] = []  # in the order in which they happened
        self._exporter_response: Mapping[str, str] = {}
        self._frontend_metadata: Mapping[str, bytes] = {}
        self._status_at: float | None = None  # when Status last said something
        self._status_error: RPCError | None = None
        self.daemon_version = ""
        self._steps = Steps()
        self._lost: SessionLostError | None = None  # the session ended while Solve ran

    async def run(self) -> SolveResult:
        self._solve_task = solve = self._start(self._solve())
        session = self._start(self._run_session())
        status = self._start(self._follow_status())
        gateway = self._start(self._run_gateway())
        tasks = (solve, session, status, gateway)
        try:
            while not (solve.done() or self._errors):
                running = [task for task in tasks if not task.done()]
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            if self._errors:
                solve.cancel()
                gateway.cancel()
                if self._caller.is_stalled:  # nobody is there to end it
                    session.cancel()
                elif self._session.in_doubt:  # what failed may have come of its end, and overtaken that
                    await asyncio.wait([session], timeout=_LOSS_SECONDS)
                    self._lost = self._lost or await self._session.given_up()
            _LOG.debug("stopping session")
            self._session.close()
            await self._wind_down(session, gateway, status)
        except asyncio.CancelledError:
            solve.cancel()
            gateway.cancel()
            self._session.close()
            await asyncio.wait(tasks, timeout=_CANCEL_SECONDS)
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._errors:
            failure = self._failure()
            if isinstance(failure, SolveError) and failure.step is None:
                self._steps.describe(failure)
            raise failure
        for key, value in sorted(self._exporter_response.items()):
            _LOG.debug("exporter response: %s=%s", key, value)
        return SolveResult(self._ref, self._exporter_response, self._frontend_metadata)

    def _start(self, part: Coroutine[None, None, None]) -> asyncio.Task[None]:
        return asyncio.create_task(self._note_error(part))

    async def _note_error(self, part: Coroutine[None, None, None]) -> None:
        try:
            await part
        except Exception as error:
            self._errors.append(error)

    def _note_local_failure(self, error: BuildctlError) -> None:
        # A service that says no may have been asked for something optional. A transfer that fails here fails
        # the build, and the daemon may know no more of it than that it ended, or not say what it did wrong.
        if isinstance(error, _LOCAL) and not isinstance(error, _REMOTE):
            self._local_failure = self._local_failure or error

    async def _run_session(self) -> None:
        try:
            _LOG.debug("serving grpc connection")
            await self._session.run(self._caller.session(self._session.metadata, self._workers))
        except SessionLostError as error:
            self._lost = error  # which matters if the daemon needs it again, and then Solve fails

    async def _solve(self) -> None:
        make_request = control_request if self._with_gateway else plain_request
        request = make_request(self._opt, ref=self._ref, session_id=self._session_id, imports=self._imports)
        try:
            response = await self._caller.unary(SOLVE, request, prefix="failed to solve: ")
            self._exporter_response = dict(response.ExporterResponse)
        except RPCError as error:
            failure = solve_error(error)
            if local := self._local_failure:
                failure = SolveError(f"failed to solve: {local}", code=failure.code, hint=local.hint)
            raise failure from error

    async def _solve_ends_well(self) -> bool:
        """Give Solve time to end, for its account of a failure is better than those of the other calls."""
        await asyncio.wait([self._solve_task], timeout=_ACCOUNT_SECONDS)
        return self._solve_task.done() and not self._errors

    async def _run_gateway(self) -> None:
        if not self._with_gateway:
            return
        gateway = Gateway(
            self._caller,
            self._ref,
            session_id=self._session_id,
            daemon_version=self.daemon_version,
            opts=frontend_attrs(self._opt, self._imports),
            explain=self._steps.explain,
        )
        try:
            await gateway.ping()
        except RPCError as error:
            await self._solve_ends_well()
            raise solve_error(error) from error
        try:
            self._frontend_metadata = await self._converse(gateway)
        except Exception:
            await self._solve_ends_well()
            raise
        finally:
            await gateway.aclose()

    async def _follow_status(self) -> None:
        loop = asyncio.get_running_loop()
        request = control_pb2.StatusRequest(Ref=self._ref)
        stream = self._caller.stream(
            STATUS, request, prefix="failed to receive status: ", opening="failed to get status: "
        )
        try:
            async with contextlib.aclosing(stream) as messages:
                async for message in messages:
                    self._status_at = loop.time()
                    status = solve_status(message)
                    self._steps.note(status)
                    if self._on_status:
                        self._on_status(status)
                    if loop.time() - self._status_at > _LONG_MESSAGE_SECONDS:
                        await _give_way()
        except RPCError as error:
            self._status_error = error
            raise

    async def _wind_down(
        self, session: asyncio.Task[None], gateway: asyncio.Task[None], status: asyncio.Task[None]
    ) -> None:
        """Let the other calls end by themselves once Solve has, each within its limit."""
        loop = asyncio.get_running_loop()
        solved_at = loop.time()
        await asyncio.wait([session, gateway], timeout=_SESSION_DRAIN_SECONDS)
        while not status.done():
            limit = _STATUS_SILENT_SECONDS if self._status_at is None else _STATUS_IDLE_SECONDS
            left = max(solved_at, self._status_at or 0) + limit - loop.time()
            if left <= 0:
                break
            await asyncio.wait([status], timeout=left)

    def _failure(self) -> Exception:
        """The build's error: the first, but what Status says where it is the connection that broke.

        A session that was lost before is named first, for the daemon may blame what it needed it for.
        """
        first, lost = self._errors[0], self._lost
        broke = isinstance(first, SolveError | RPCError) and first.code is Code.UNAVAILABLE
        if lost and not (broke and lost.code is Code.UNAVAILABLE):
            failure = SolveError(f"failed to solve: {lost}; then the build failed: {first}", hint=lost.hint)
            if isinstance(first, SolveError):
                failure.code, failure.excerpts, failure.details = first.code, first.excerpts, first.details
            failure.__cause__ = first
            failure.transient = self._local_failure is None
            return failure
        if isinstance(first, SolveError) and self._session.in_doubt:
            first.hint = first.hint or f"the daemon may have given up the session: {self._session.account()}"
        return (self._status_error if broke else None) or first


async def _give_way() -> None:
    """Let everything else that is ready run, health checks above all.

    An answer takes some turns of the event loop, from bytes to a call, its handler and bytes again. When
    steps print more than can be drawn, each of those would wait for one more batch of logs.
    """
    for _ in range(_TURNS):
        began = time.monotonic()
        await asyncio.sleep(0)
        if time.monotonic() - began < _IDLE_TURN_SECONDS:
            return
