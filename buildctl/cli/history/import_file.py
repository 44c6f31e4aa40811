"""`buildctl history import`: keeps the builds of `.dockerbuild` files, to be found by ref."""

from __future__ import annotations

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.grammar import Command
from buildctl.errors import UsageError


@click.command(
    "import",
    cls=Command,
    argument="FILE...",
    epilog="""
    $ buildctl history import build.dockerbuild
    $ buildctl history ls --imported
    """,
)
@pass_app
def command(app: App, args: tuple[str, ...]) -> None:
    """Keep the builds of .dockerbuild files on this machine, and print their refs; needs no daemon."""
    from buildctl.cli.history.imported import import_build, read_builds

    if not args:
        raise UsageError("a .dockerbuild file is needed", hint="buildctl history export writes one")
    for path in args:
        for build in read_builds(path):
            import_build(app.environment, build)
            app.output.write(f"{build.record.ref}\n")
