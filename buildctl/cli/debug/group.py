"""`buildctl debug`: the group of commands that look into a daemon."""

from __future__ import annotations

import click

from buildctl.cli.grammar import Group


@click.group(
    "debug",
    cls=Group,
    lazy={
        "dump-llb": ("buildctl.cli.debug.dump_llb", "dump LLB in human-readable form; needs no daemon"),
        "dump-metadata": ("buildctl.cli.debug.dump_metadata", "dump a stopped daemon's metadata database"),
        "workers": ("buildctl.cli.debug.workers", "list workers"),
        "info": ("buildctl.cli.debug.info", "display internal information"),
    },
)
def command() -> None:
    """Look into a daemon: its workers and versions."""
