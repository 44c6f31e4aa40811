"""`Client` without await, and the two ways to get one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from buildctl.client import client as awaited
from buildctl.client.connect import connect as connect_awaited
from buildctl.client.liveness import DEFAULT_STALL_SECONDS
from buildctl.model.address import Address, TLSOptions
from buildctl.sync.facade import iterates, waits
from buildctl.sync.portal import entered
from buildctl.telemetry.trace import Trace


class Client:
    """A conversation with one daemon, for code that does not await: `buildctl.Client`'s methods by their names.

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
    ) -> Iterator[Client]:
        """A client of the daemon at `address`, disconnected at the end, as `buildctl.Client.connect` has it.

        with Client.connect("tcp://builder:1234") as client:
            client.workers()
        """
        connection = awaited.Client.connect(
            address, tls=tls, environ=environ, trace=trace, stall_seconds=stall_seconds
        )
        with entered(connection) as client:
            yield cls(client)

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
) -> Iterator[Client]:
    """A client of the daemon that the command line would take, as `buildctl.connect` has it.

    with connect() as client:
        print(client.build(".", tags=["app"]).digest)
    """
    connection = connect_awaited(address, tls=tls, environ=environ, trace=trace, stall_seconds=stall_seconds)
    with entered(connection) as client:
        yield Client(client)
