"""`buildctl context`: the group of commands that look at what a build sends of a folder."""

from __future__ import annotations

import click

from buildctl.cli.grammar import Group


@click.group(
    "context",
    cls=Group,
    epilog="""
    $ buildctl context ls
    $ buildctl context explain src/app.log
    $ buildctl context diff
    """,
    lazy={
        "ls": ("buildctl.cli.context.ls", "list what would be sent, and how big it is"),
        "diff": ("buildctl.cli.context.diff", "list what has changed since the last build"),
        "explain": ("buildctl.cli.context.explain", "tell which rule decides whether a path is sent"),
    },
)
def command() -> None:
    """Look at what a build sends of a folder, and why; needs no daemon."""
