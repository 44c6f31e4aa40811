"""`buildctl daemon inspect`: what is said of a daemon, and whether it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.grammar import Command
from buildctl.cli.table import align_spaces
from buildctl.errors import BuildctlError

if TYPE_CHECKING:
    from buildctl.model.workers import WorkerRecord

_SECONDS = 5.0


@click.command(
    "inspect",
    cls=Command,
    argument="[NAME]",
    epilog="""
    $ buildctl daemon inspect        # the one that would be used
    $ buildctl daemon inspect ci
    """,
)
@pass_app
def command(app: App, args: tuple[str, ...]) -> None:
    """Tell where a daemon is, who said so, and what it answers; the exit code is 1 if it does not."""
    from buildctl.cli.settings.load import Settings
    from buildctl.cli.settings.target import resolve_daemon
    from buildctl.progress.visible import visible

    typed = app.typed._replace(daemon=args[0], addr="") if args else app.typed
    app.flags, origins = resolve_daemon(typed, app.settings or Settings(), app.environment.variables)
    rows = [(name, origin.value, origin.by) for name, origin in origins.items()]
    failure = None
    try:
        rows += [(name, value, "") for name, value in app.run(lambda: _answers(app))]
    except BuildctlError as error:
        failure = error
    text = align_spaces("".join("  \t".join(map(visible, row)) + "\n" for row in rows))
    app.output.write("".join(f"{line.rstrip()}\n" for line in text.splitlines()))
    if failure is not None:
        raise failure


async def _answers(app: App) -> list[tuple[str, str]]:
    from buildctl.errors import ConnectError

    try:
        async with asyncio.timeout(_SECONDS), app.connect() as client:
            workers = await client.workers()
    except TimeoutError:
        raise ConnectError(f"the daemon said nothing for {_SECONDS:g} s") from None
    return list(_rows(workers))


def _rows(workers: list[WorkerRecord]) -> Iterator[tuple[str, str]]:
    from buildctl.cli.debug.workers import format_platforms

    for worker in workers:
        version = worker.buildkit_version
        if version is not None:
            yield "buildkit", version.version
        yield "worker", worker.id
        yield "platforms", format_platforms(worker.platforms)
