"""`buildctl history logs`: what a build said, and, while it runs, what it goes on to say."""

from __future__ import annotations

import contextlib

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.display import display_on
from buildctl.cli.grammar import Command, flag


@click.command(
    "logs",
    cls=Command,
    argument="REF",
    epilog="""
    $ buildctl history logs
    $ buildctl history logs --progress plain ^1
    $ buildctl history logs build.dockerbuild
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
    """Show what a build said, from its beginning; by default the newest."""
    from buildctl.cli.history.choose import chosen_builds

    async def run() -> None:
        async with chosen_builds(app, args[:1]) as (build,):
            display = display_on(app.output, app.environment.stdout, progress, by_daemon_clock=True)
            async with display, contextlib.aclosing(build.statuses()) as messages:
                async for status in messages:
                    display.update(status)

    app.run(run, interrupted=STREAM_INTERRUPTED)
