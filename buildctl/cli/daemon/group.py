"""`buildctl daemon`: the group of commands for daemons that have names."""

from __future__ import annotations

import click

from buildctl.cli.grammar import Group


@click.group(
    "daemon",
    cls=Group,
    epilog="""
    $ buildctl daemon add ci tcp://builder.example:1234 --tlsdir ~/certs
    $ buildctl daemon use ci              # from now on
    $ buildctl --daemon ci du             # once
    """,
    lazy={
        "ls": ("buildctl.cli.daemon.ls", "list daemons"),
        "add": ("buildctl.cli.daemon.add", "give a daemon a name"),
        "use": ("buildctl.cli.daemon.use", "choose the daemon that is used unless another is named"),
        "rm": ("buildctl.cli.daemon.rm", "forget names"),
        "inspect": ("buildctl.cli.daemon.inspect", "tell of a daemon, and whether it answers"),
        "import": (
            "buildctl.cli.daemon.import_builders",
            "take over buildx's builders and Docker's contexts",
        ),
    },
)
def command() -> None:
    """Give daemons names, and choose among them; the user's settings file keeps them."""
