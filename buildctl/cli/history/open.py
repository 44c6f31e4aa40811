"""`buildctl history open`: a build's timeline as a page in the browser."""

from __future__ import annotations

import contextlib
import os

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.grammar import Command
from buildctl.cli.insight import Insight
from buildctl.errors import BuildctlError, UsageError
from buildctl.session.statefolder import state_folder


@click.command(
    "open",
    cls=Command,
    argument="REF",
    epilog="""
    $ buildctl history open
    $ buildctl history open build.dockerbuild
    $ buildctl timeline REF -o build.html    # the same page as a file of yours
    """,
)
@pass_app
def command(app: App, args: tuple[str, ...]) -> None:
    """Write where a build's time went as a page, print its path, and open it in a browser."""
    folder = state_folder(app.environment.variables)
    if not folder:
        raise UsageError(
            "there is no place for the page", hint="set HOME, or write it with buildctl timeline REF -o FILE"
        )

    async def run() -> str:
        from buildctl.cli.history.choose import chosen_builds

        async with chosen_builds(app, args[:1]) as (build,):
            path = os.path.join(folder, "timeline.html")
            os.makedirs(folder, 0o700, exist_ok=True)
            insight = Insight(timelines=(path,))
            async with contextlib.aclosing(build.statuses()) as messages:
                async for status in messages:
                    insight.update(status)
            timings = insight.timings()
            if timings is None:
                raise BuildctlError(f"the build {build.record.ref} has no steps")
            insight.write_files(timings)
            return path

    path = app.run(run, interrupted=STREAM_INTERRUPTED)
    app.output.write(f"{path}\n")
    app.environment.open_in_browser(path)
