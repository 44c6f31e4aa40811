"""`buildctl attach`: watches a build that was started elsewhere, and ends as it does."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.display import display_on
from buildctl.cli.grammar import Command, flag
from buildctl.errors import Code, SolveError, UsageError
from buildctl.model.history import BuildHistoryEventType

if TYPE_CHECKING:
    from buildctl.client.client import Client
    from buildctl.model.history import BuildRecord

_RECORD_SECONDS = 10.0
"""A daemon completes a build's record within a moment of its last word."""
_PAUSE_SECONDS = 0.1


@click.command(
    "attach",
    cls=Command,
    argument="REF",
    epilog="""
    $ buildctl attach          # the one build that runs
    $ buildctl attach x3k
    """,
)
@flag(
    "--progress",
    default="auto",
    metavar="MODE",
    help="Display: auto, tty, plain, rawjson, quiet, errors, grouped, or a CI service's, such as github.",
)
@pass_app
def command(app: App, args: tuple[str, ...], progress: str) -> None:
    """Show a running build, from its beginning to its end, and exit as it does; Ctrl-C leaves it running."""

    async def run() -> BuildRecord | None:
        async with app.connect() as client:
            ref = (await _running(client, args[0] if args else "")).ref
            display = display_on(app.output, app.environment.stdout, progress, by_daemon_clock=True)
            async with display, contextlib.aclosing(client.status(ref)) as messages:
                async for status in messages:
                    display.update(status)
            return await _ended(client, ref)

    record = app.run(run, interrupted=STREAM_INTERRUPTED)
    if record is not None and record.error is not None:
        known = record.error.code in set(Code)
        raise SolveError(
            record.error.message,
            code=Code(record.error.code) if known else Code.UNKNOWN,
            details=record.error.details,
        )


async def _ended(client: Client, ref: str) -> BuildRecord | None:
    """The record of a build that has said all; None if the daemon does not complete it soon.

    It is asked for again: a daemon that is waited for does not always tell of the end (seen with 0.13).
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_RECORD_SECONDS):
            while True:
                async with contextlib.aclosing(client.listen_build_history(ref, early_exit=True)) as events:
                    async for event in events:
                        if event.type == BuildHistoryEventType.COMPLETE:
                            return event.record
                await asyncio.sleep(_PAUSE_SECONDS)
    return None


async def _running(client: Client, ref: str) -> BuildRecord:
    """The build that is meant. Raises `UsageError` where it does not run."""
    from buildctl.cli.history.choose import choose_record, list_records

    running = await list_records(client, active_only=True)
    if ref:
        if any(record.ref.startswith(ref) for record in running):
            return choose_record(running, ref)
        record = choose_record(await list_records(client), ref)
        raise UsageError(f"the build {record.ref} has ended", hint="buildctl history logs REF shows it")
    if not running:
        raise UsageError("no build runs now", hint="buildctl history ls lists those that have ended")
    if len(running) > 1:
        raise UsageError(f"{len(running)} builds run: name one", hint="buildctl ps lists them")
    return running[0]
