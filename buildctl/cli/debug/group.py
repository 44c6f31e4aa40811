"""`buildctl debug`: the group of commands that look into a daemon."""

from __future__ import annotations

import click

from buildctl.cli.grammar import Group


@click.group(
    "debug",
    cls=Group,
    epilog="""
    $ buildctl debug workers -v
    $ buildctl debug histories
    """,
    lazy={
        "dump-llb": ("buildctl.cli.debug.dump_llb", "dump LLB in human-readable form; needs no daemon"),
        "dump-metadata": ("buildctl.cli.debug.dump_metadata", "dump a stopped daemon's metadata database"),
        "workers": ("buildctl.cli.debug.workers", "list workers"),
        "info": ("buildctl.cli.debug.info", "display internal information"),
        "monitor": ("buildctl.cli.debug.monitor", "display build events"),
        "logs": ("buildctl.cli.debug.logs", "display build logs"),
        "ctl": ("buildctl.cli.debug.ctl", "control build records"),
        "get": ("buildctl.cli.debug.get", "retrieve a blob from the content store"),
        "histories": ("buildctl.cli.debug.histories", "list build records"),
    },
)
def command() -> None:
    """Look into a daemon: its workers and versions, and the builds that it remembers."""
