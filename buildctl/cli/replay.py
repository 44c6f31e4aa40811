"""`buildctl replay`: a saved build, shown again as it was seen while it ran."""

from __future__ import annotations

import asyncio
import contextlib

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.display import display_on
from buildctl.cli.flags.scalar import parse_float
from buildctl.cli.grammar import Command, flag
from buildctl.cli.saved_build import build_messages, is_file
from buildctl.errors import UsageError
from buildctl.model.quote import quote
from buildctl.progress.mode import Mode

_BREATH_S = 0.05
"""How long messages are shown in a row before other work, such as a signal's, has its turn."""


@click.command(
    "replay",
    cls=Command,
    argument="FILE|REF",
    epilog="""
    $ buildctl build --trace build.json ... ; buildctl replay build.json
    $ buildctl replay --speed 10 build.json
    $ buildctl replay --speed max --progress plain build.json
    """,
)
@flag("--speed", default="1", metavar="FACTOR", help="How fast: 0.1 is a tenth, 10 ten times, or max.")
@flag(
    "--progress",
    default="auto",
    metavar="MODE",
    help="Display: auto, tty, plain, rawjson, quiet, errors, grouped, or a CI service's, such as github.",
)
@pass_app
def command(app: App, args: tuple[str, ...], speed: str, progress: str) -> None:
    """Show a saved rawjson stream, or a build in the daemon's history, live again.

    A build in the history that has failed ends as it did: with its error, and exit code 1.
    """
    if len(args) != 1:
        raise UsageError("one saved build is needed: a file, or a ref", hint="--trace FILE saves a build")
    factor = parse_speed(speed)
    is_saved = is_file(args[0])

    async def run() -> None:
        from buildctl.progress.pace import Pace
        from buildctl.progress.spread import spread

        loop = asyncio.get_running_loop()
        pace = Pace(loop.time, factor)
        # A file has the messages as they came; rawjson shows those that there are.
        spreads = factor is not None and not is_saved and progress != Mode.RAWJSON
        display = display_on(
            app.output, app.environment.stdout, progress, by_daemon_clock=True, clock=pace.now_ns
        )
        breathed_s = loop.time()
        async with display, contextlib.aclosing(build_messages(app, args[0], fails=True)) as messages:
            async for message in messages:
                for status in spread(message) if spreads else (message,):
                    wait_s = pace.wait_s(status)
                    if wait_s > 0 or loop.time() - breathed_s > _BREATH_S:
                        await asyncio.sleep(wait_s)
                        breathed_s = loop.time()
                    display.update(status)

    app.run(run, interrupted=STREAM_INTERRUPTED)


def parse_speed(text: str) -> float | None:
    """A factor above zero; None for `max`. Raises `UsageError`."""
    if text == "max":
        return None
    try:
        factor = parse_float(text.removesuffix("x"))
    except UsageError:
        factor = 0.0
    if not 0.001 <= factor <= 1_000_000:
        raise UsageError(
            f"invalid speed {quote(text)}",
            hint="use max, or a factor from 0.001 to 1000000, such as 0.5 or 10",
        )
    return factor
