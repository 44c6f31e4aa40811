"""`buildctl history export`: builds as a `.dockerbuild` file, for other machines and for Docker Desktop."""

from __future__ import annotations

import asyncio
import io

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.grammar import BOOL, Command, flag
from buildctl.errors import UsageError
from buildctl.system.outfile import write_whole

_MODE = 0o600
"""Logs and build arguments are for nobody else, as in `--trace`."""


@click.command(
    "export",
    cls=Command,
    argument="REF...",
    epilog="""
    $ buildctl history export -o build.dockerbuild        # the newest build
    $ buildctl history export x3k 7fq > builds.dockerbuild
    $ buildctl history export --all -o all.dockerbuild
    """,
)
@flag("--output", "-o", metavar="FILE", help="Where the file goes. Default: standard output.")
@flag("--all", "every", type=BOOL, help="All builds that have ended.")
@pass_app
def command(app: App, args: tuple[str, ...], output: str, every: bool) -> None:
    """Write builds with their logs and results' manifests as a .dockerbuild file; by default the newest.

    Credentials of cache imports are left out of it; values of build arguments are not.
    """
    environment = app.environment
    if every and args:
        raise UsageError("--all is all builds: leave out the refs")
    if not output and environment.is_terminal(environment.stdout):
        raise UsageError(
            "a .dockerbuild file is not for a terminal", hint="add -o FILE, or redirect standard output"
        )

    async def run() -> bytes:
        from buildctl.cli.history.choose import ChosenBuild, chosen_builds, list_records
        from buildctl.client.recordfile import SavedBuild, write_record_file

        builds: list[SavedBuild]
        if every:
            async with app.connect() as client:
                records = [one for one in await list_records(client) if one.completed_at_ns is not None]
                if not records:
                    raise UsageError("no build has ended yet")
                builds = [await ChosenBuild(record, client).collect() for record in records]
        else:
            async with chosen_builds(app, args, completed_only=True) as chosen:
                builds = [await one.collect() for one in chosen]
        data = io.BytesIO()
        await asyncio.to_thread(write_record_file, builds, data)
        return data.getvalue()

    data = app.run(run, interrupted=STREAM_INTERRUPTED)
    if output:
        write_whole(output, data, mode=_MODE)
    else:
        app.output.write(data)
