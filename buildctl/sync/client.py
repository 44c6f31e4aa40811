"""`Client` without await, and the two ways to get one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from buildctl.client import client as awaited
from buildctl.client.connect import connect as connect_awaited
from buildctl.client.liveness import DEFAULT_STALL_SECONDS
from buildctl.client.solve import StatusSink
from buildctl.model.address import Address, TLSOptions
from buildctl.model.solve import SolveOpt, SolveResult
from buildctl.session.stream import Attachable
from buildctl.sync.build import Build, Outcome
from buildctl.sync.facade import iterates, waits
from buildctl.sync.portal import Waiting, entered
from buildctl.telemetry.trace import Trace


class Client:
    """A conversation with one daemon, for code that does not await: what `buildctl.Client` has.

    It may be used by many threads at once. Functions that are given as `on_…` run in the thread that waits;
    what they raise ends the call. Ctrl-C cancels it, and the build on the daemon. A thread in which an event
    loop runs is refused with `RuntimeError`.
    """

    def __init__(self, client: awaited.Client) -> None:
        """In front of a client that lives on the loop of `buildctl.sync`; `connect` makes one."""
        self._awaited = client

    @property
    def notice(self) -> str:
        """One line for people on what this daemon cannot do; mostly empty."""
        return self._awaited.notice

    @classmethod
    @contextlib.contextmanager
    def connect(
        cls,
        address: Address | str,
        *,
        tls: TLSOptions | None = None,
        environ: Mapping[str, str] | None = None,
        trace: Trace | None = None,
        stall_seconds: float = DEFAULT_STALL_SECONDS,
        sticky: str = "none",
        platforms: Collection[str] = (),
        counts: bool = True,
    ) -> Iterator[Client]:
        """A client of the daemon at `address`, disconnected at the end, as `buildctl.Client.connect` has it.

        with Client.connect("tcp://builder:1234") as client:
            client.workers()
        """
        connection = awaited.Client.connect(
            address,
            tls=tls,
            environ=environ,
            trace=trace,
            stall_seconds=stall_seconds,
            sticky=sticky,
            platforms=platforms,
            counts=counts,
        )
        with entered(connection) as client:
            yield cls(client)

    @contextlib.contextmanager
    def open_build(
        self,
        opt: SolveOpt | None = None,
        *,
        product: str = "",
        on_status: StatusSink | None = None,
        attachables: Sequence[Attachable] = (),
    ) -> Iterator[Build]:
        """A build that is solved call by call while the block runs, as `buildctl.Client.open_build` has it.

            with client.open_build() as build:
                result = build.solve(llb.image("busybox").sh("uname -m > /arch"))
                print(result.single().read_text("/arch"))

        What `on_status` is to be told waits until the thread waits for one of the build's methods.
        """
        waiting = Waiting()
        manager = self._awaited.open_build(
            opt,
            product=product,
            on_status=waiting.posted(on_status) if on_status else None,
            attachables=attachables,
        )
        with entered(manager, waiting) as build:
            yield Build(build, waiting)

    def run_build(
        self,
        function: Callable[[Build], Outcome],
        opt: SolveOpt | None = None,
        *,
        product: str = "",
        on_status: StatusSink | None = None,
        attachables: Sequence[Attachable] = (),
    ) -> SolveResult:
        """A build whose result a function decides; it runs in this thread, and what it raises is raised on.

        client.run_build(lambda build: build.solve(llb.image("busybox")))
        """
        with self.open_build(opt, product=product, on_status=on_status, attachables=attachables) as build:
            build.set_result(function(build))
        return build.result

    build = waits(awaited.Client.build)
    solve = waits(awaited.Client.solve)
    status = iterates(awaited.Client.status)
    disk_usage = waits(awaited.Client.disk_usage)
    prune = iterates(awaited.Client.prune)
    workers = waits(awaited.Client.workers)
    info = waits(awaited.Client.info)
    listen_build_history = iterates(awaited.Client.listen_build_history)
    update_build_history = waits(awaited.Client.update_build_history)
    read_content = iterates(awaited.Client.read_content)
    wait = waits(awaited.Client.wait)


@contextlib.contextmanager
def connect(
    address: Address | str = "",
    *,
    tls: TLSOptions | None = None,
    environ: Mapping[str, str] | None = None,
    trace: Trace | None = None,
    stall_seconds: float = DEFAULT_STALL_SECONDS,
    sticky: str = "none",
    platforms: Collection[str] = (),
) -> Iterator[Client]:
    """A client of the daemon that the command line would take, as `buildctl.connect` has it.

    Raises what that raises: `UsageError`, `ConnectError`.

    with connect() as client:
        print(client.build(".", tags=["app"]).digest)
    """
    connection = connect_awaited(
        address,
        tls=tls,
        environ=environ,
        trace=trace,
        stall_seconds=stall_seconds,
        sticky=sticky,
        platforms=platforms,
    )
    with entered(connection) as client:
        yield Client(client)
