"""`buildctl timeline`: where the time of a saved build, or of one in the daemon's history, went."""

from __future__ import annotations

import contextlib

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.grammar import SWITCH, Command, flag
from buildctl.cli.insight import Insight
from buildctl.cli.saved_build import build_messages, is_file
from buildctl.errors import BuildctlError, UsageError


@click.command(
    "timeline",
    cls=Command,
    argument="REF|FILE",
    epilog="""
    $ buildctl timeline build.json               # a summary of what --trace build.json saved
    $ buildctl timeline REF -o build.html        # a page for browsers, of a build in the history
    $ buildctl timeline build.json -o trace.json # for Perfetto or chrome://tracing
    """,
)
@flag(
    "--output",
    "-o",
    "timelines",
    multiple=True,
    metavar="FILE",
    help="Write a page (FILE.html), or events for Perfetto (FILE.json).",
)
@flag("--timings", metavar="FILE", help="Write the times of all steps and the critical path as JSON.")
@flag(
    "--summary",
    type=SWITCH,
    help="Print where the time went. Default: true, unless something is written.",
)
@pass_app
def command(
    app: App, args: tuple[str, ...], timelines: tuple[str, ...], timings: str, summary: bool | None
) -> None:
    """Tell where the time of a build went: one in the daemon's history, or a saved rawjson stream."""
    if len(args) != 1:
        raise UsageError(
            "one build is needed: its ref, or a file", hint="buildctl debug histories lists the refs"
        )
    source = args[0]
    is_file(source)
    from buildctl.cli.build_outputs import check_small_file

    insight = Insight(timings_file=timings, timelines=timelines)
    for path in filter(None, (timings, *timelines)):
        check_small_file(path)

    async def run() -> None:
        async with contextlib.aclosing(build_messages(app, source)) as messages:
            async for status in messages:
                insight.update(status)

    app.run(run, interrupted=STREAM_INTERRUPTED)
    found = insight.timings()
    if found is None:
        raise BuildctlError(f"{source}: no step of a build", hint="is it the right file?")
    insight.write_files(found)
    if summary if summary is not None else not (timelines or timings):
        environment = app.environment
        app.output.write(insight.summary(found, (), environment, environment.stdout))
