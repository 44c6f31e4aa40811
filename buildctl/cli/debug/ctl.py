"""`buildctl debug ctl`: pin, unpin or delete the record of a build."""

from __future__ import annotations

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.grammar import BOOL, Command, flag
from buildctl.errors import UsageError

_HINT = "buildctl debug histories lists the refs"


@click.command(
    "ctl",
    cls=Command,
    argument="REF",
    epilog="""
    $ buildctl debug ctl --pin REF
    $ buildctl debug ctl --delete REF
    """,
)
@flag("--pin", type=BOOL, help="Keep the record from garbage collection.")
@flag("--unpin", type=BOOL, help="Leave the record to garbage collection again.")
@flag("--delete", type=BOOL, help="Remove the record.")
@pass_app
def command(app: App, args: tuple[str, ...], pin: bool, unpin: bool, delete: bool) -> None:
    """Change how long the record of a build is kept."""
    if not args:
        raise UsageError("build ref must be specified", hint=_HINT)
    if not (pin or unpin or delete):
        raise UsageError("must specify one of --pin, --unpin, --delete")
    if pin and unpin:
        raise UsageError("cannot specify both --pin and --unpin")
    if delete and (pin or unpin):
        raise UsageError("cannot specify --delete with --pin or --unpin")

    async def run() -> None:
        async with app.connect() as client:
            await client.update_build_history(args[0], pinned=pin, delete=delete)

    app.run(run, interrupted="Canceled: context canceled")
