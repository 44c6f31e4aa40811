"""`buildctl history`: the group of commands for builds that have run."""

from __future__ import annotations

import click

from buildctl.cli.grammar import Group


@click.group(
    "history",
    cls=Group,
    epilog="""
    $ buildctl history ls
    $ buildctl history logs            # of the newest build
    $ buildctl history inspect ^1      # the one before it
    $ buildctl history export x3k -o build.dockerbuild
    """,
    lazy={
        "ls": ("buildctl.cli.history.ls", "list builds"),
        "inspect": ("buildctl.cli.history.inspect", "tell what was built, how and with what result"),
        "logs": ("buildctl.cli.history.logs", "show what a build said"),
        "open": ("buildctl.cli.history.open", "show where a build's time went, in a browser"),
        "export": ("buildctl.cli.history.export", "write builds as a .dockerbuild file"),
        "import": ("buildctl.cli.history.import_file", "keep the builds of a .dockerbuild file"),
        "rm": ("buildctl.cli.history.rm", "remove builds from the history"),
    },
)
def command() -> None:
    """Look at builds that have run: those that the daemon remembers, and those of .dockerbuild files.

    REF is a build's ref or how it begins, ^1 for the build before the newest (^2, ... for earlier ones), or a
    .dockerbuild file. Without it the newest build is meant.
    """
