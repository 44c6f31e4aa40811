"""`buildctl daemon rm`: forgets the names of daemons."""

from __future__ import annotations

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.grammar import Command
from buildctl.errors import UsageError
from buildctl.model.quote import quote


@click.command("rm", cls=Command, argument="NAME...", epilog="$ buildctl daemon rm ci")
@pass_app
def command(app: App, args: tuple[str, ...]) -> None:
    """Forget daemons by name; the daemons themselves are left alone."""
    from buildctl.cli.settings.store import UserFile

    if not args:
        raise UsageError("a name is needed", hint="buildctl daemon ls lists them")
    file = UserFile(app.environment.variables)
    for name in dict.fromkeys(args):
        if name not in file.daemons:
            raise UsageError(f"there is no daemon {quote(name)}", hint="buildctl daemon ls lists them")
        file.remove(name)
    file.save()
    app.output.write("".join(f"{name}\n" for name in dict.fromkeys(args)))
