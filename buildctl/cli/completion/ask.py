"""`buildctl __complete refs|workers`: what completion scripts have to ask the daemon, a line an answer.

Nobody waits for a completion: the daemon has 300 ms, and none is started for it. What it says ends on a
command line, where `$(…)` would run at Enter, so only what looks like a ref or an id is passed on.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.grammar import Command
from buildctl.errors import BuildctlError, UsageError

if TYPE_CHECKING:
    from buildctl.client.client import Client

_SECONDS = 0.3
_ANSWERS = 1000
_WORD = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@click.command("__complete", cls=Command, argument="KIND")
@pass_app
def command(app: App, args: tuple[str, ...]) -> None:
    """List the daemon's build refs, the newest first, or its worker ids."""
    import buildctl.client.client  # noqa: F401  # its time is not the daemon's
    from buildctl.transport.discovery import choose_address

    ask = _KINDS.get(args[0] if args else "")
    if ask is None:
        raise UsageError(f"what can be asked for is {' or '.join(_KINDS)}")
    if (
        choose_address(app.flags.addr, app.environment.variables, takes_words=True).address.scheme
        == "daemonless"
    ):
        return

    async def run() -> list[str]:
        try:
            async with asyncio.timeout(_SECONDS), app.connect() as client:
                return await ask(client)
        except TimeoutError:
            raise BuildctlError("the daemon did not answer in time") from None

    app.output.write("".join(f"{answer}\n" for answer in well_formed(app.run(run))))


def well_formed(answers: Iterable[str]) -> list[str]:
    """Those that every shell takes for a word of its own, and no more than anybody looks through."""
    return list(islice(filter(_WORD.fullmatch, answers), _ANSWERS))


async def _refs(client: Client) -> list[str]:
    records = [event.record async for event in client.listen_build_history(early_exit=True) if event.record]
    records.sort(key=lambda record: record.created_at_ns or 0, reverse=True)
    return [record.ref for record in records]


async def _workers(client: Client) -> list[str]:
    return [worker.id for worker in await client.workers()]


_KINDS = {"refs": _refs, "workers": _workers}
