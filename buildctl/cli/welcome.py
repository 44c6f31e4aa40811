"""`buildctl` alone on a terminal: what it is, whether a daemon is there, and what to try first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from buildctl import __version__

if TYPE_CHECKING:
    from buildctl.cli.app import App

_SECONDS = 1.0
"""How long the daemon has for its answer; nobody waits for a greeting."""


def welcome_text(app: App) -> str:
    """Ten lines. Asks the daemon, and starts none."""
    return f"""\
buildctl {__version__}: builds images and files from Dockerfiles with a BuildKit daemon.

{_daemon(app)}

  buildctl build -t NAME .    build the Dockerfile in this folder
  buildctl du                 show what the build cache holds
  buildctl history ls         list the builds that ran

buildctl --help lists all commands, buildctl COMMAND --help what one can do.
"""


def _daemon(app: App) -> str:
    """Which daemon would be taken, and whether it answers."""
    from buildctl.errors import BuildctlError
    from buildctl.transport.discovery import choose_address

    choice = choose_address(app.flags.addr, app.environment.variables)
    try:
        if choice.address.scheme == "daemonless":
            return "No daemon was found; one will be started for each command (daemonless://)."
        version = app.run(lambda: _version(app))
    except BuildctlError as error:
        hint = f"\n({error.hint})" if error.hint else ""
        return f"No daemon answers at {choice.address.text}{hint}"
    return f"The daemon at {choice.address.text} answers{version}."


async def _version(app: App) -> str:
    from buildctl.errors import ConnectError

    try:
        async with asyncio.timeout(_SECONDS), app.connect() as client:
            workers = await client.workers()
    except TimeoutError:
        raise ConnectError(f"it said nothing for {_SECONDS:g} s") from None
    version = workers[0].buildkit_version if workers else None
    return f": BuildKit {version.version}" if version else ""
