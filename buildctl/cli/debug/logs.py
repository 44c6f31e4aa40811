"""`buildctl debug logs`: what a build has said, or its OpenTelemetry trace."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.debug.get import copy_content, parse_digest
from buildctl.cli.display import display_on
from buildctl.cli.grammar import BOOL, Command, flag
from buildctl.cli.recorded import REFS_HINT, require_known
from buildctl.errors import BuildctlError, UsageError

if TYPE_CHECKING:
    from buildctl.client.client import Client


@click.command(
    "logs",
    cls=Command,
    argument="REF",
    epilog="""
    $ buildctl debug logs REF
    $ buildctl debug logs --trace REF > trace.json
    """,
)
@flag(
    "--progress",
    default="auto",
    metavar="MODE",
    help="Display: auto, tty, plain, rawjson, quiet, errors, grouped, or a CI service's, such as github.",
)
@flag("--trace", type=BOOL, help="The build's OpenTelemetry spans as JSON instead.")
@pass_app
def command(app: App, args: tuple[str, ...], progress: str, trace: bool) -> None:
    """Show what a build has said, from its beginning, and follow it if it still runs."""
    if not args:
        raise UsageError("build ref must be specified", hint=REFS_HINT)

    async def run() -> None:
        await (show_trace(app, args[0]) if trace else show_status(app, args[0], progress))

    app.run(run, interrupted=STREAM_INTERRUPTED)


async def show_status(app: App, ref: str, progress: str) -> None:
    """Replay the build's Status stream on standard output."""
    display = display_on(app.output, app.environment.stdout, progress, by_daemon_clock=True)
    async with app.connect() as client:
        await _check(app, client, ref)
        async with display, contextlib.aclosing(client.status(ref)) as messages:
            async for status in messages:
                display.update(status)


async def show_trace(app: App, ref: str) -> None:
    """Copy the blob of the build's spans to standard output."""
    async with app.connect() as client:
        await _check(app, client, ref)
        async with contextlib.aclosing(client.listen_build_history(ref)) as events:
            event = await anext(events, None)
        if event is None:
            raise BuildctlError(f"ref {ref} not found", hint=REFS_HINT)
        if event.record is None or event.record.trace is None:
            raise BuildctlError(f"ref {ref} does not have trace")
        await copy_content(app, client, parse_digest(event.record.trace.digest))


async def _check(app: App, client: Client, ref: str) -> None:
    """Tell a person at once that there is no such build; a script may be waiting for one to begin."""
    if app.output.stderr_is_terminal:
        await require_known(client, ref)
