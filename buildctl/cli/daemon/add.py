"""`buildctl daemon add`: gives a daemon a name."""

from __future__ import annotations

import os
import re

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.grammar import BOOL, Command, flag
from buildctl.errors import UsageError
from buildctl.model.quote import quote

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@click.command(
    "add",
    cls=Command,
    argument="NAME ADDRESS",
    epilog="""
    $ buildctl daemon add laptop docker://
    $ buildctl daemon add ci tcp://builder.example:1234 --tlsdir ~/certs --use
    """,
)
@flag("--use", type=BOOL, help="Use it from now on, unless another is named.")
@pass_app
def command(app: App, args: tuple[str, ...], use: bool) -> None:
    """Give a daemon a name, with the TLS flags that are given; one of that name is replaced."""
    from buildctl.cli.settings.store import UserFile
    from buildctl.model.address import parse_address

    if len(args) != 2:
        raise UsageError("a name and an address are needed", hint="buildctl daemon add ci tcp://builder:1234")
    name = check_name(args[0])
    parse_address(args[1])
    typed = app.typed
    tls = {
        key: os.path.abspath(value) if key != "tlsservername" else value
        for key in ("tlscacert", "tlscert", "tlskey", "tlsdir", "tlsservername")
        if (value := getattr(typed, key))
    }
    file = UserFile(app.environment.variables)
    file.add(name, {"addr": args[1], **tls})
    if use:
        file.use(name)
    file.save()
    app.output.write(f"{name}\n")


def check_name(name: str) -> str:
    """The name, if it can be one. Raises `UsageError`."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"invalid name {quote(name)}", hint="use letters, digits, '.', '_' and '-'")
    return name
