"""A client that behaves as the command line does: the daemon it finds, the user's accounts, its own key."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Collection, Mapping

from buildctl.client.client import Client
from buildctl.client.defaults import Defaults
from buildctl.client.liveness import DEFAULT_STALL_SECONDS
from buildctl.model.address import Address, TLSOptions
from buildctl.telemetry.trace import Trace
from buildctl.transport.discovery import Choice, choose_address


@contextlib.asynccontextmanager
async def connect(
    address: Address | str = "",
    *,
    tls: TLSOptions | None = None,
    environ: Mapping[str, str] | None = None,
    trace: Trace | None = None,
    stall_seconds: float = DEFAULT_STALL_SECONDS,
    sticky: str = "none",
    platforms: Collection[str] = (),
) -> AsyncIterator[Client]:
    """A client of the daemon that the command line would take, disconnected at the end.

    That is `address`, else BUILDKIT_HOST, else the default socket; where that does not exist, a rootless
    buildkitd, the Docker Engine (DOCKER_HOST), or a daemon started for as long as the block. Which one, is
    said in `Client.notice`. Builds use the accounts of Docker's `config.json` and keep their folders' files
    under a key of this user's own, unless they bring others.

    `environ` is what all of this is read from; the process's own environment when None. `stall_seconds` is
    how long the daemon may give no sign of life, 0 for ever. `sticky` and `platforms` say which of several
    daemons is taken, as in `Client.connect`. Raises `UsageError` for an address that cannot
    be meant, and `ConnectError` where a daemon cannot be started; whether one answers shows with the first
    call.

        async with buildctl.connect() as client:
            print(await client.info())
    """
    environ = os.environ if environ is None else environ
    choice = Choice(address) if isinstance(address, Address) else choose_address(address or None, environ)
    connection = Client.connect(
        choice.address,
        tls=tls,
        environ=environ,
        trace=trace,
        stall_seconds=stall_seconds,
        defaults=Defaults(environ),
        sticky=sticky,
        platforms=platforms,
    )
    async with connection as client:
        client.notice = "\n".join(filter(None, (choice.notice, client.notice)))
        yield client
