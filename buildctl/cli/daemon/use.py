"""`buildctl daemon use`: chooses the daemon that is used unless another is named."""

from __future__ import annotations

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.grammar import BOOL, Command, flag
from buildctl.errors import UsageError
from buildctl.model.quote import quote


@click.command(
    "use",
    cls=Command,
    argument="NAME",
    epilog="""
    $ buildctl daemon use ci
    $ buildctl daemon use --none    # as without settings
    """,
)
@flag("--none", type=BOOL, help="None of them: BUILDKIT_HOST, or the daemon that is found.")
@pass_app
def command(app: App, args: tuple[str, ...], none: bool) -> None:
    """Use a daemon from now on, where no --addr, --daemon or BUILDKIT_HOST says otherwise."""
    from buildctl.cli.settings.store import UserFile

    if len(args) != (0 if none else 1):
        raise UsageError("one daemon is needed, or --none", hint="buildctl daemon ls lists them")
    file = UserFile(app.environment.variables)
    if not none and args[0] not in file.daemons:
        raise UsageError(
            f"there is no daemon {quote(args[0])}", hint="buildctl daemon add NAME ADDRESS adds one"
        )
    file.use("" if none else args[0])
    file.save()
