"""`buildctl dial-stdio`: standard input and output become a connection to the daemon's socket.

What `ssh://` and the container and pod addresses run beside the daemon. Behaviour: cmd/buildctl/dialstdio.go.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import os
import socket
import threading
from collections.abc import Callable

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.environment import write_all
from buildctl.cli.grammar import Command
from buildctl.errors import BuildctlError, ConnectError, UsageError
from buildctl.model.address import DEFAULT_ADDRESS

_CHUNK_BYTES = 1 << 18
_RETRY_SECONDS = 0.05


@click.command(
    "dial-stdio",
    cls=Command,
    epilog="""
    $ ssh builder buildctl dial-stdio                 # what --addr ssh://builder runs
    $ docker exec -i buildkitd buildctl dial-stdio    # what --addr docker-container://buildkitd runs
    """,
)
@pass_app
def command(app: App) -> None:
    """Connect standard input and output to the daemon's unix socket: what other addresses run over there."""
    address = app.flags.addr
    if address is None:
        address = app.environment.variables.get("BUILDKIT_HOST")
    path = parse_socket_path(address or DEFAULT_ADDRESS)

    async def run() -> None:
        connection = await dial(path, app.flags.timeout or None)
        with connection:
            await proxy(connection, app.environment.stdin, app.environment.stdout)

    app.run(run)


def parse_socket_path(address: str) -> str:
    """What follows `unix://`. Raises `UsageError` for every other address."""
    scheme, separator, path = address.partition("://")
    if not separator:
        raise UsageError(f"invalid address {address}", hint="dial-stdio takes --addr unix:///PATH")
    if scheme != "unix":
        raise UsageError(f"invalid address {address} (expected unix://, got {scheme}://)")
    return path


async def dial(path: str, seconds: float | None) -> socket.socket:
    """A blocking socket connected to `path`, in which a leading @ is the abstract namespace.

    A daemon that is too busy to accept is asked again for so many seconds. Raises `ConnectError`.
    """
    place = "\0" + path[1:] if path.startswith("@") else path
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.setblocking(False)
        await _connect(connection, place, seconds)
        connection.setblocking(True)
    except OSError as error:
        connection.close()
        reason = os.strerror(error.errno or errno.EINVAL).lower()  # EINVAL: the path is too long
        raise ConnectError(
            f"dial unix {path}: connect: {reason}", hint="is buildkitd running there?"
        ) from None
    except BaseException:
        connection.close()
        raise
    return connection


async def _connect(connection: socket.socket, place: str, seconds: float | None) -> None:
    """Not the event loop's own: it takes the EAGAIN of a unix socket's full queue for a connection begun."""
    loop = asyncio.get_running_loop()
    deadline = math.inf if seconds is None else loop.time() + seconds
    while True:
        try:
            connection.connect(place)
            return
        except BlockingIOError:
            if loop.time() > deadline:
                raise
        await asyncio.sleep(_RETRY_SECONDS)


async def proxy(connection: socket.socket, stdin: int, stdout: int) -> None:
    """Copy both ways until the daemon has said its last word; the end of `stdin` is passed on to it.

    Each way is a thread that blocks, for standard streams may be files, which no event loop can wait for.
    One that waits for input that never comes ends with the process.
    """
    to_daemon = _copying(
        "stdin to stream", lambda: os.read(stdin, _CHUNK_BYTES), connection.sendall, _half_close(connection)
    )
    from_daemon = _copying(
        "stream to stdout", lambda: connection.recv(_CHUNK_BYTES), lambda data: write_all(stdout, data)
    )
    await asyncio.wait([to_daemon, from_daemon], return_when=asyncio.FIRST_COMPLETED)
    if to_daemon.done() and not from_daemon.done():
        to_daemon.result()
        await asyncio.wait([from_daemon])
    from_daemon.result()


def _half_close(connection: socket.socket) -> Callable[[], None]:
    def shut() -> None:
        with contextlib.suppress(OSError):  # the daemon may have left
            connection.shutdown(socket.SHUT_WR)

    return shut


def _copying(
    name: str,
    read: Callable[[], bytes],
    write: Callable[[bytes], object],
    finish: Callable[[], None] = lambda: None,
) -> asyncio.Future[None]:
    """A thread that copies until nothing is left to read; done when it has ended."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: Exception | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def copy() -> None:
        failure: Exception | None = None
        try:
            while data := read():
                write(data)
        except BrokenPipeError as error:
            failure = error
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            failure = BuildctlError(f"error while Copy ({name}): {reason}")
        finish()
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits for this
            loop.call_soon_threadsafe(settle, failure)

    threading.Thread(target=copy, name=f"buildctl {name}", daemon=True).start()
    return done
